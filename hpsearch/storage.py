"""The database under a study: Optuna's own schema, opened so that several processes can share it.

SQLite runs in write-ahead mode with a busy timeout, so that a reader (optuna-dashboard) and the one
writer never lock each other out. Beside Optuna's tables stand ours, with a version of their own:
``hpsearch_schema`` and ``hpsearch_models``, the trained network of each finished study.
"""

from __future__ import annotations

import datetime
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from hpsearch.errors import StorageError, UnknownNameError, UsageError

if TYPE_CHECKING:
    import optuna
    import sqlalchemy as sa

__all__ = [
    "DEFAULT_STORAGE",
    "display_url",
    "load_model_bytes",
    "load_study",
    "open_storage",
    "save_model_bytes",
    "storage_errors",
    "storage_url",
    "study_names",
]

T = TypeVar("T")

DEFAULT_STORAGE = "sqlite:///hpsearch.db"
"""Where studies go when nobody says otherwise: a file in the working directory."""

BUSY_TIMEOUT = 30.0
"""Seconds that a SQLite connection waits for another's lock before it gives up."""

SCHEMA_VERSION = 1
"""The version of hpsearch's own tables; a newer one in a database is refused, never overwritten."""


def storage_url(text: str) -> str:
    """A storage as people write it, as a URL: a bare file name means SQLite.

    Raises:
        UsageError: the text is neither.

    >>> storage_url("runs.db"), storage_url("sqlite:///runs.db")
    ('sqlite:///runs.db', 'sqlite:///runs.db')
    """
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    if not text.strip():
        raise UsageError("the storage is empty; give a file such as hpsearch.db or a database URL")
    url = text if "://" in text else f"sqlite:///{text}"
    try:
        make_url(url).get_dialect().import_dbapi()
    except (ArgumentError, ImportError, ValueError):
        kind = url.split("://")[0]
        raise UsageError(
            f"{kind}://... is no database URL that works here; "
            "give a file such as hpsearch.db, or a URL whose driver is installed"
        ) from None
    return url


def display_url(url: str) -> str:
    """The URL without its password, for messages."""
    from sqlalchemy.engine import make_url

    return make_url(url).render_as_string(hide_password=True)


def open_storage(url: str, *, create: bool = True) -> optuna.storages.RDBStorage:
    """Open Optuna's storage and make sure that hpsearch's own tables are there.

    Args:
        url: any SQLAlchemy URL, or a file name.
        create: False refuses a SQLite file that does not exist, instead of making an empty one.

    Raises:
        StorageError: the database cannot be opened; the sentence says why and what to do.
    """
    import sqlalchemy as sa

    url = storage_url(url)
    parsed = sa.make_url(url)
    options: dict[str, Any] = {}
    if parsed.get_backend_name() == "sqlite":
        file = parsed.database
        if file and file != ":memory:":
            if Path(file).is_dir():
                raise StorageError(f"{file} is a folder; the database needs a file name in it")
            if not create and not Path(file).exists():
                raise StorageError(
                    f"there is no database {file}; run a study first, or name one with --storage"
                )
            options["creator"] = lambda: _connect(file)
    with storage_errors(url):
        return _patiently(lambda: _open(url, options))


def _open(url: str, options: dict[str, Any]) -> optuna.storages.RDBStorage:
    import optuna

    storage = optuna.storages.RDBStorage(url, engine_kwargs=dict(options))
    _create_own_tables(storage.engine, url)
    return storage


def _patiently(make: Callable[[], T]) -> T:
    """Try again while another process makes the same tables or switches the file's mode.

    SQLite's busy timeout does not cover these: they fail at once.
    """
    import sqlalchemy as sa

    deadline = time.monotonic() + BUSY_TIMEOUT
    while True:
        try:
            return make()
        except (sa.exc.IntegrityError, sa.exc.OperationalError) as error:
            passing = ("already exists", "UNIQUE", "is locked")
            if time.monotonic() > deadline or not any(word in str(error) for word in passing):
                raise
            time.sleep(0.05)


def _connect(file: str) -> sqlite3.Connection:
    connection = sqlite3.connect(file, timeout=BUSY_TIMEOUT, check_same_thread=False)
    connection.execute(f"PRAGMA busy_timeout = {int(BUSY_TIMEOUT * 1000)}")
    if connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
        connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def _own_tables() -> tuple[sa.MetaData, sa.Table, sa.Table]:
    import sqlalchemy as sa

    metadata = sa.MetaData()
    schema = sa.Table(
        "hpsearch_schema", metadata, sa.Column("version", sa.Integer, primary_key=True)
    )
    models = sa.Table(
        "hpsearch_models",
        metadata,
        sa.Column("study_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("created", sa.String(32), nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )
    return metadata, schema, models


def _create_own_tables(engine: sa.Engine, url: str) -> None:
    import sqlalchemy as sa

    metadata, schema, _ = _own_tables()
    if not sa.inspect(engine).has_table("hpsearch_schema"):
        with engine.begin() as connection:
            metadata.create_all(connection)
            connection.execute(schema.insert().values(version=SCHEMA_VERSION))
    with engine.connect() as connection:
        version = connection.execute(sa.select(sa.func.max(schema.c.version))).scalar()
    if version is not None and version > SCHEMA_VERSION:
        raise StorageError(
            f"{display_url(url)} was written by a newer hpsearch (its tables have version "
            f"{version}, this one knows {SCHEMA_VERSION}); upgrade it, or use another database"
        )


def save_model_bytes(storage: optuna.storages.RDBStorage, study_id: int, content: bytes) -> str:
    """Keep a study's trained network; returns the digest that `load_model_bytes` asks for."""
    _, _, models = _own_tables()
    digest = sha256(content).hexdigest()
    created = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    with storage_errors(storage.url), storage.engine.begin() as connection:
        connection.execute(models.delete().where(models.c.study_id == study_id))
        connection.execute(
            models.insert().values(
                study_id=study_id, digest=digest, created=created, content=content
            )
        )
    return digest


def load_model_bytes(storage: optuna.storages.RDBStorage, study_id: int, digest: str) -> bytes:
    """The network that `save_model_bytes` kept.

    Raises:
        StorageError: there is none with this digest, as after the study was deleted and made anew.
    """
    import sqlalchemy as sa

    _, _, models = _own_tables()
    query = sa.select(models.c.content).where(
        models.c.study_id == study_id, models.c.digest == digest
    )
    with storage_errors(storage.url), storage.engine.connect() as connection:
        content = connection.execute(query).scalar()
    if content is None or sha256(content).hexdigest() != digest:
        raise StorageError(
            "the study's trained network is not in the database any more; run the study again "
            "under another name to train it"
        )
    return bytes(content)


def study_names(storage: optuna.storages.RDBStorage) -> list[str]:
    """The names of all studies, in the order of their making."""
    with storage_errors(storage.url):
        return [study.study_name for study in storage.get_all_studies()]


def load_study(storage: optuna.storages.RDBStorage, name: str) -> optuna.Study:
    """A study by its name.

    Raises:
        UnknownNameError: there is none; the sentence lists those that there are.
    """
    import optuna

    names = study_names(storage)
    if name not in names:
        raise UnknownNameError("study", name, names or ["none yet"])
    with storage_errors(storage.url):
        return optuna.load_study(study_name=name, storage=storage)


_SENTENCES = {
    "unable to open database file": "cannot be opened; its folder must exist and be writable",
    "file is not a database": "is not a SQLite database; name another file with --storage",
    "readonly database": "may only be read; make it and its folder writable, or use --storage",
    "disk is full": "has no room left on its disk; free some and run the same command again, "
    "finished trials are kept",
    "disk I/O error": "cannot be read or written (disk I/O error); check the disk and run again",
    "database is locked": "is locked by another program; close it and run the same command again",
    "malformed": "is damaged; restore a copy, or name another file with --storage",
    "no such table": "is a database of something else than Optuna; name another with --storage",
}


@contextmanager
def storage_errors(url: str) -> Iterator[None]:
    """Turn whatever the database raises inside into one sentence that hides the password."""
    import optuna
    import sqlalchemy as sa

    place = display_url(url).removeprefix("sqlite:///")
    try:
        yield
    except (sa.exc.SQLAlchemyError, optuna.exceptions.StorageInternalError, sqlite3.Error) as error:
        causes = " ".join(_chain(error))
        for words, sentence in _SENTENCES.items():
            if words in causes:
                raise StorageError(f"the database {place} {sentence}") from error
        origin = getattr(error, "orig", None) or error.__cause__ or error
        first = str(origin).splitlines()[0] if str(origin) else type(origin).__name__
        raise StorageError(f"the database {place} failed: {first}") from error
    except RuntimeError as error:
        if "table schema" not in str(error):
            raise
        raise StorageError(
            f"the database {place} was written by another version of Optuna; "
            "`optuna storage upgrade --storage URL` brings it up to date (keep a copy)"
        ) from error


def _chain(error: BaseException | None) -> Iterator[str]:
    while error is not None:
        yield str(error)
        error = error.__cause__ or error.__context__
