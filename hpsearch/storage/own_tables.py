"""hpsearch's own tables beside Optuna's, with a version of their own.

``hpsearch_models`` has the trained network of each finished study; ``hpsearch_ensembles`` the
ensembles that were made of it, by their number of members; ``hpsearch_runs`` every run of a study,
the one that goes on holding it (see `hpsearch.engine.lease`); ``hpsearch_epochs`` what each epoch
of a trial came to, beside the score that Optuna keeps, as JSON: a list for each quantity.
"""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Mapping, Sequence
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from hpsearch.errors import StorageError
from hpsearch.storage.database import storage_errors

if TYPE_CHECKING:
    import sqlite3

    import sqlalchemy as sa

    from hpsearch.storage.write_behind import WriteBehindStorage

__all__ = [
    "create_own_tables",
    "epochs_row",
    "load_epochs",
    "load_model_bytes",
    "own_tables",
    "save_model_bytes",
]

VERSION = 4
"""The version of these tables; a newer one in a database is refused, never overwritten."""


class OwnTables(NamedTuple):
    """The tables, by their names without ``hpsearch_``."""

    schema: sa.Table
    models: sa.Table
    ensembles: sa.Table
    runs: sa.Table
    epochs: sa.Table


@cache
def own_tables() -> OwnTables:
    """The tables as SQLAlchemy knows them."""
    import sqlalchemy as sa

    metadata = sa.MetaData()
    schema = sa.Table(
        "hpsearch_schema", metadata, sa.Column("version", sa.Integer, primary_key=True)
    )
    models, ensembles = (
        sa.Table(
            name,
            metadata,
            *(sa.Column(k, sa.Integer, primary_key=True, autoincrement=False) for k in key),
            sa.Column("digest", sa.String(64), nullable=False),
            sa.Column("created", sa.String(32), nullable=False),
            sa.Column("content", sa.LargeBinary, nullable=False),
        )
        for name, key in (
            ("hpsearch_models", ("study_id",)),
            ("hpsearch_ensembles", ("study_id", "members")),
        )
    )
    runs = sa.Table(
        "hpsearch_runs",
        metadata,
        sa.Column("run", sa.String(32), primary_key=True),
        sa.Column("study_id", sa.Integer, nullable=False),
        sa.Column("machine", sa.String(128), nullable=False),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("process", sa.String(64), nullable=False),
        sa.Column("started", sa.String(32), nullable=False),
        sa.Column("beats", sa.Integer, nullable=False),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.Column("ended", sa.String(32)),
    )
    # At most one run of a study has no end.
    open_runs = runs.c.ended.is_(None)
    sa.Index(
        "hpsearch_runs_held",
        runs.c.study_id,
        unique=True,
        sqlite_where=open_runs,
        postgresql_where=open_runs,
    )
    epochs = sa.Table(
        "hpsearch_epochs",
        metadata,
        sa.Column("trial_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("content", sa.Text, nullable=False),
    )
    return OwnTables(schema, models, ensembles, runs, epochs)


SWEEPING = [
    f"""CREATE TRIGGER IF NOT EXISTS hpsearch_{of}_gone AFTER DELETE ON {of} BEGIN
    {" ".join(f"DELETE FROM {table} WHERE {key} = OLD.{key};" for table in ours)} END"""
    for of, key, ours in (
        ("studies", "study_id", ("hpsearch_models", "hpsearch_ensembles", "hpsearch_runs")),
        ("trials", "trial_id", ("hpsearch_epochs",)),
    )
]
"""SQLite gives the id of what was deleted last to what is made next, which must not get our rows of
the former; and others than we delete too. PostgreSQL gives no id twice."""


def create_own_tables(engine: sa.Engine, place: str) -> None:
    """Make the tables that a database lacks.

    Args:
        engine: of the database.
        place: what to call it in a message.

    Raises:
        StorageError: a newer hpsearch has written to it.
    """
    import sqlalchemy as sa

    schema = own_tables().schema
    version = None
    if sa.inspect(engine).has_table(schema.name):
        with engine.connect() as connection:
            version = connection.execute(sa.select(sa.func.max(schema.c.version))).scalar()
    if version == VERSION:
        return
    if version is not None and version > VERSION:
        raise StorageError(
            f"{place} was written by a newer hpsearch (its tables have version {version}, this "
            f"one knows {VERSION}); upgrade it, or use another database"
        )
    with engine.begin() as connection:
        schema.metadata.create_all(connection)
        if connection.dialect.name == "sqlite":
            for statement in SWEEPING:
                connection.exec_driver_sql(statement)
        connection.execute(schema.insert().values(version=VERSION))


def imagine_own_tables(connection: sqlite3.Connection) -> None:
    """Have the tables that a database lacks in this connection only, since it may only be read."""
    from sqlalchemy.dialects import sqlite
    from sqlalchemy.schema import CreateTable

    there = {name for [name] in connection.execute("SELECT name FROM sqlite_master")}
    schema = own_tables().schema.name
    known = f"SELECT max(version) FROM {schema}"
    version = connection.execute(known).fetchone()[0] if schema in there else None
    if version is not None and version >= VERSION:
        return
    connection.execute("PRAGMA temp_store = MEMORY")
    for table in own_tables():
        if table.name not in there or table.name == schema:
            made = str(CreateTable(table).compile(dialect=sqlite.dialect()))
            connection.execute(made.replace("CREATE TABLE", "CREATE TEMP TABLE", 1))
    connection.execute(f"INSERT INTO temp.{schema} VALUES ({VERSION})")
    connection.commit()


def save_model_bytes(
    storage: WriteBehindStorage, study_id: int, content: bytes, *, ensemble: int | None = None
) -> str:
    """Keep a study's trained network, or an ensemble of it, in place of the one before.

    Args:
        storage: where the study is.
        study_id: Optuna's.
        content: of the model file.
        ensemble: the number of its members, for an ensemble.

    Returns:
        The digest that `load_model_bytes` asks for.
    """
    table, key = _models_of(study_id, ensemble)
    digest = sha256(content).hexdigest()
    created = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    with storage._transaction() as connection:
        connection.execute(table.delete().where(*_are(table, key)))
        connection.execute(
            table.insert().values(digest=digest, created=created, content=content, **key)
        )
    return digest


def load_model_bytes(
    storage: WriteBehindStorage, study_id: int, digest: str, *, ensemble: int | None = None
) -> bytes:
    """The network, or ensemble, that `save_model_bytes` kept.

    Raises:
        StorageError: there is none with this digest, as after the study was deleted and made anew.
    """
    import sqlalchemy as sa

    table, key = _models_of(study_id, ensemble)
    query = sa.select(table.c.content).where(*_are(table, key | {"digest": digest}))
    with storage_errors(storage.url), storage.engine.connect() as connection:
        content = connection.execute(query).scalar()
    if content is None or sha256(content).hexdigest() != digest:
        what = "trained network" if ensemble is None else f"ensemble of {ensemble}"
        raise StorageError(
            f"the study's {what} is not in the database any more; run the study again under "
            "another name to train it"
        )
    return bytes(content)


def _models_of(study_id: int, ensemble: int | None) -> tuple[sa.Table, dict[str, object]]:
    if ensemble is None:
        return own_tables().models, {"study_id": study_id}
    return own_tables().ensembles, {"study_id": study_id, "members": ensemble}


def _are(table: sa.Table, values: Mapping[str, object]) -> list[sa.ColumnElement[bool]]:
    return [table.c[name] == value for name, value in values.items()]


def epochs_row(
    trial_id: int,
    epochs: Mapping[str, Sequence[float]],
    looks: Mapping[str, Any] | None = None,
) -> dict[str, object]:
    """The row of what a trial's epochs came to.

    Args:
        trial_id: Optuna's.
        epochs: a number for each epoch, by the name of the quantity; six digits are kept.
        looks: what a monitor saw between epochs, in terms of JSON.

    >>> epochs_row(7, {"train_loss": [2.30258509, 1.25]})["content"]
    '{"train_loss": [2.30259, 1.25]}'
    """
    content: dict[str, Any] = {
        name: [float(f"{value:.6g}") if math.isfinite(value) else None for value in values]
        for name, values in epochs.items()
    }
    if looks is not None:
        content["looks"] = looks  # the last, so that `load_epochs` can leave it out
    return {"trial_id": trial_id, "content": json.dumps(content, allow_nan=False)}


LOOKS = ', "looks": '
"""Where what a monitor saw begins in a row."""


def load_epochs(
    storage: WriteBehindStorage,
    *,
    study_id: int | None = None,
    trial_id: int | None = None,
    looks: bool = True,
) -> dict[int, dict[str, Any]]:
    """What the epochs of a study's trials, or of one trial, came to.

    Args:
        storage: where the study is.
        study_id: Optuna's number of it.
        trial_id: Optuna's number of the only trial to read.
        looks: whether to read what monitors saw too, which is most of what there is to read.
            Without it ``looks`` is empty, and is missing likewise for trials that nobody watched.

    Returns:
        For each trial's id a list for each quantity, one number an epoch, None where it was not
        finite; and under ``looks`` what a monitor saw. Trials that hpsearch did not train are
        missing.
    """
    import sqlalchemy as sa

    from hpsearch.storage.optuna_schema import tables

    epochs, trials = own_tables().epochs.c, tables().trials.c
    if trial_id is not None:
        chosen = epochs.trial_id == trial_id
    else:
        chosen = epochs.trial_id.in_(sa.select(trials.trial_id).where(trials.study_id == study_id))
    storage.flush()
    with storage.reading() as connection:
        rows = connection.execute(sa.select(epochs.trial_id, epochs.content).where(chosen)).all()
    if looks:
        return {number: json.loads(content) for number, content in rows}
    found = {}
    for number, content in rows:
        head, watched, _ = content.partition(LOOKS)
        found[number] = json.loads(f"{head}{LOOKS}{{}}}}" if watched else content)
    return found
