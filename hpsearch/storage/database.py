"""The database under the studies: how it is named, opened, and complained of.

SQLite runs in write-ahead mode with a busy timeout, so that a reader (optuna-dashboard) and a
writer never lock each other out.
"""

from __future__ import annotations

import os
import re
import sqlite3
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from hpsearch.errors import StorageError, UsageError
from hpsearch.storage.optuna_schema import prepare
from hpsearch.storage.own_tables import create_own_tables, imagine_own_tables

if TYPE_CHECKING:
    import sqlalchemy as sa

__all__ = [
    "DEFAULT_STORAGE",
    "connect",
    "display_url",
    "storage_errors",
    "storage_url",
    "was_lost",
]

T = TypeVar("T")

DEFAULT_STORAGE = "sqlite:///hpsearch.db"
"""Where studies go when nobody says otherwise: a file in the working directory."""

BUSY_TIMEOUT = 30.0
"""Seconds that a SQLite connection waits for another's lock before it gives up."""

BACKENDS = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg"}
"""What studies can be kept in, and how SQLAlchemy is to reach it."""

_URL_LIKE = re.compile(r"(sqlite|pg|postgres\w*|mysql|mariadb)(\+\w+)?:|[\w+.:-]*//(?=[^/]*@)")
"""How a URL begins that lost a slash or its kind; it may hold a password, and is no file name."""

FORM = "write postgresql://user@host:5432/database or sqlite:///FILE"


def storage_url(text: object) -> sa.URL:
    """A storage as people write it, as a URL.

    Without ``://`` it is the name of a SQLite file, whatever its characters are. With it the rules
    of URLs hold: ``?`` begins the parameters, and ``%41`` is an A.

    Args:
        text: a file name, or a URL of SQLite or PostgreSQL. A password may stand in its place, or
            be the parameter ``password``.

    Raises:
        UsageError: the text is neither, or asks for what would not be done.

    >>> storage_url("what?.db").database, storage_url("sqlite:///runs.db").database
    ('what?.db', 'runs.db')
    """
    import sqlalchemy as sa

    if not isinstance(text, str):
        kind = type(text).__name__
        raise UsageError(f"a storage is a file name or a database URL as text, not {kind}")
    if not text.strip():
        raise UsageError("the storage is empty; give a file such as hpsearch.db or a database URL")
    if "\0" in text:
        raise UsageError("the storage has a NUL character, which no file name and no URL has")
    if "://" in text:
        return _checked(text)
    if begin := _URL_LIKE.match(text):
        raise UsageError(
            f"the storage begins with {begin.group()!r}, as a URL does, and has no ://; give a "
            f"URL such as postgresql://user@host/database, or a file as ./{begin.group()}..."
        )
    if text == ":memory:":
        raise UsageError(
            "the storage :memory: would be gone with this process; give a file such as "
            "hpsearch.db, or in Python sqlite:// if that is what you want"
        )
    return sa.URL.create("sqlite", database=text)


def _checked(text: str) -> sa.URL:
    """The URL that a text with ``://`` is, with the driver that we use."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError

    kind = text.split("://")[0]
    backend = kind.split("+")[0]
    if not re.fullmatch(r"[\w+.-]+", kind):  # it may hold a password, and is not shown
        raise UsageError(
            "the storage has :// and does not begin as a URL; give a URL such as "
            "postgresql://user@host/database, or a file as sqlite:///FILE"
        )
    if backend == "postgres":
        raise UsageError(f"{kind}://... is no database URL; write postgresql://...")
    if backend not in BACKENDS:
        raise UsageError(
            f"studies are kept in SQLite or PostgreSQL, and {kind}://... is no database URL of "
            "these; give a file such as hpsearch.db, or a URL such as "
            "postgresql://user@host/database"
        )
    try:
        url = make_url(text)
    except ValueError:
        raise UsageError(
            f"the port in the database URL {kind}://... is not a number; write "
            f"{kind}://user@host:5432/database"
        ) from None
    except ArgumentError:
        raise UsageError(f"the database URL {kind}://... has no URL's form; {FORM}") from None
    if backend == "sqlite":
        return _checked_sqlite(url)
    if url.port is not None and not 0 < url.port < 65536:
        raise UsageError(f"the database URL has the port {url.port}; ports are 1 to 65535")
    if url.drivername == backend:
        url = url.set(drivername=BACKENDS[backend])
    try:
        dialect = url.get_dialect()
        dialect.import_dbapi()
    except (NoSuchModuleError, ImportError):
        raise UsageError(
            f"{kind}://... is a database URL whose driver is not installed; "
            "pip install hpsearch[postgres], and write postgresql://..."
        ) from None
    if dialect.is_async:
        raise UsageError(f"{kind}://... names a driver for other programs; write postgresql://...")
    return url


def _checked_sqlite(url: sa.URL) -> sa.URL:
    """A URL of SQLite that asks for a file, or for memory, and nothing else."""
    if url.drivername not in ("sqlite", "sqlite+pysqlite"):
        raise UsageError(f"{url.drivername}:// is no way to SQLite here; write sqlite:///FILE")
    if url.host or url.username or url.password or url.port:
        raise UsageError(
            "a SQLite URL has no host: three slashes and a file, sqlite:///FILE, or four and the "
            "rest of a path from the root, sqlite:////FOLDER/FILE"
        )
    if url.query:
        names = ", ".join(sorted(url.query))
        raise UsageError(
            f"the storage URL has parameters that studies in SQLite do not honour: {names}; leave "
            "them out, or write a ? of the file's name as %3F, or the file's name without sqlite://"
        )
    if url.database and "\0" in url.database:
        raise UsageError("the storage has a NUL character, which no file name has")
    return url


def display_url(url: str) -> str:
    """The URL without its passwords, for messages; a file name is left as it is.

    >>> display_url("postgresql://me:secret@host/studies?sslpassword=secret")
    'postgresql://me:***@host/studies?sslpassword=***'
    """
    from sqlalchemy.engine import make_url

    if "://" not in url:
        return url
    parsed = make_url(url)
    if parsed.password is None and not _secrets(parsed):
        return url
    hidden = parsed.update_query_dict(dict.fromkeys(_secrets(parsed), "***"))
    return hidden.render_as_string(hide_password=True).replace("%2A%2A%2A", "***")


def _secrets(url: sa.URL) -> list[str]:
    """The parameters of a URL that are passwords."""
    return [name for name in url.query if "pass" in name.lower()]


def connect(url: str, *, create: bool = True) -> tuple[sa.Engine, str | None]:
    """Open a database and make sure that Optuna's tables and ours are there.

    Args:
        url: a file name, or a URL of SQLite or PostgreSQL; see `storage_url`.
        create: False refuses a SQLite file that does not exist, instead of making an empty one; and
            takes one that may only be read.

    Returns:
        SQLAlchemy's engine; and the file of a SQLite database, None for any other or one in memory.

    Raises:
        StorageError: the database cannot be opened; the sentence says why and what to do.
    """
    import sqlalchemy as sa

    parsed = storage_url(url)
    options: dict[str, Any] = {}
    file = None
    if parsed.get_backend_name() == "sqlite":
        file = parsed.database
        if file and file != ":memory:":
            if os.path.isdir(file):  # noqa: PTH112 - no error where the name is too long
                raise StorageError(f"{file} is a folder; the database needs a file name in it")
            if not create and not os.path.exists(file):  # noqa: PTH110 - likewise
                raise StorageError(
                    f"there is no database {file}; run a study first, or name one with --storage"
                )
            file = str(Path(file).absolute())
            # SQLite keeps its lock and its journal beside a file.
            places = (file, Path(file).parent)
            writable = create or all(os.access(place, os.W_OK) for place in places)
            options["creator"] = partial(_connect if writable else _look_at, file)
        else:  # one connection for all, since each has a memory of its own
            file = None
            memory = _connect(":memory:")
            options["creator"] = lambda: memory
            options["poolclass"] = sa.StaticPool
    # SQLAlchemy hides a password that has its own place, and shows a parameter.
    options["connect_args"] = {name: parsed.query[name] for name in _secrets(parsed)}
    bare = parsed.difference_update_query(_secrets(parsed))
    if file is None and parsed.get_backend_name() != "sqlite":
        options["pool_pre_ping"] = True  # a server may have been started anew
    with storage_errors(url):
        return _patiently(lambda: _open(url, bare, options)), file


def _open(url: str, bare: sa.URL, options: dict[str, Any]) -> sa.Engine:
    import sqlalchemy as sa

    engine = sa.create_engine(bare, **options)
    prepare(engine, bare, options)
    create_own_tables(engine, display_url(url))
    return engine


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


def _look_at(file: str) -> sqlite3.Connection:
    """A connection to a file that may only be read, on a medium or in a folder without writing.

    SQLite reads a file in write-ahead mode through a second one, which it cannot make here; so it
    is told that nobody changes the file, unless there are changes that wait beside it.
    """
    uri = Path(file).as_uri()
    try:
        return _opened(f"{uri}?mode=ro")
    except sqlite3.OperationalError:
        log = Path(f"{file}-wal")
        if log.exists() and log.stat().st_size:
            raise StorageError(
                f"the database {file} may only be read, and its last changes are in {log.name}, "
                "which SQLite cannot read without writing; copy both to a folder that is writable, "
                "and name the copy with --storage"
            ) from None
        return _opened(f"{uri}?mode=ro&immutable=1")


def _opened(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT, check_same_thread=False)
    try:
        imagine_own_tables(connection)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


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

_UNREACHABLE = (
    "Connection refused",
    "No such file or directory",
    "failed to resolve host",
    "timeout expired",
    "the database system is",  # starting up, shutting down, in recovery mode
)


def was_lost(error: BaseException | None) -> bool:
    """Whether it says that the server has ended a connection."""
    return bool(getattr(error, "connection_invalidated", False))


@contextmanager
def storage_errors(url: str) -> Iterator[None]:
    """Turn whatever the database raises inside into one sentence that hides the password."""
    import optuna
    import sqlalchemy as sa

    try:
        yield
    except (sa.exc.SQLAlchemyError, optuna.exceptions.StorageInternalError, sqlite3.Error) as error:
        causes, place = " ".join(_chain(error)), _place(url)
        origin = getattr(error, "orig", None) or error.__cause__ or error
        first = str(origin).splitlines()[0] if str(origin) else type(origin).__name__
        if was_lost(error):
            raise StorageError(
                f"the database {place} ended the connection ({first}); when its server runs "
                "again, the same command goes on, and what was committed is kept"
            ) from error
        if any(words in causes for words in _UNREACHABLE):
            raise StorageError(
                f"the database {place} cannot be reached ({first}); start its server, or check "
                "host and port, and run the same command again"
            ) from error
        for words, sentence in _SENTENCES.items():
            if words in causes:
                raise StorageError(f"the database {place} {sentence}") from error
        raise StorageError(f"the database {place} failed: {first}") from error
    except (OverflowError, UnicodeError) as error:
        if not _of_driver(error):
            raise
        raise StorageError(
            f"the database {_place(url)} cannot keep, or look for, what it was given: {error}"
        ) from error
    except RuntimeError as error:
        if "table schema" not in str(error):
            raise
        raise StorageError(
            f"the database {_place(url)} was written by another version of Optuna; "
            "`optuna storage upgrade --storage URL` brings it up to date (keep a copy)"
        ) from error


def _place(url: str) -> str:
    return display_url(url).removeprefix("sqlite:///")


def _of_driver(error: BaseException) -> bool:
    """Whether an error comes from SQLAlchemy, and not from what else the block does."""
    frames = traceback.walk_tb(error.__traceback__)
    return any(frame.f_globals.get("__name__", "").startswith("sqlalchemy") for frame, _ in frames)


def _chain(error: BaseException | None) -> Iterator[str]:
    while error is not None:
        yield str(error)
        error = error.__cause__ or error.__context__
