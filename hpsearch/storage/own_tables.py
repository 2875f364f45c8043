"""hpsearch's own tables beside Optuna's, with a version of their own.

``hpsearch_models`` has the trained network of each finished study; ``hpsearch_ensembles`` the
ensembles that were made of it, by their number of members; ``hpsearch_runs`` every run of a study,
the one that goes on holding it (see `hpsearch.engine.lease`); ``hpsearch_epochs`` what each epoch
of a trial came to, beside the score that Optuna keeps, as JSON: a list for each quantity, and in a
column of their own the snapshots of the network between them.

The others are the server's (see `hpsearch.service`): ``hpsearch_servers`` every process that served
this database; ``hpsearch_queue`` the studies that were submitted; ``hpsearch_leases`` who has, or
had, which trial or other training; ``hpsearch_tokens`` who may do what, each token by its digest;
``hpsearch_requests`` what requests with an idempotency key were answered.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from hpsearch.errors import StorageError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    import sqlalchemy as sa

__all__ = ["create_own_tables", "imagine_own_tables", "own_tables"]

VERSION = 2
"""The version of these tables. A database of an older one gets the tables that it lacks; one of a
newer is refused."""

UNRELEASED = "hpsearch_schema"
"""What has the version in databases that were made before the first release."""


class OwnTables(NamedTuple):
    """The tables, by their names without ``hpsearch_``."""

    version: sa.Table
    models: sa.Table
    ensembles: sa.Table
    runs: sa.Table
    epochs: sa.Table
    servers: sa.Table
    queue: sa.Table
    leases: sa.Table
    tokens: sa.Table
    requests: sa.Table


@cache
def own_tables() -> OwnTables:
    """The tables as SQLAlchemy knows them."""
    import sqlalchemy as sa

    metadata = sa.MetaData()
    version = sa.Table(
        "hpsearch_version", metadata, sa.Column("version", sa.Integer, primary_key=True)
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
        sa.Column("snapshots", sa.Text),
    )
    return OwnTables(version, models, ensembles, runs, epochs, *_of_the_service(metadata))


def _of_the_service(metadata: sa.MetaData) -> Iterator[sa.Table]:
    import sqlalchemy as sa

    yield sa.Table(
        "hpsearch_servers",
        metadata,
        sa.Column("server", sa.String(32), primary_key=True),
        sa.Column("url", sa.String(255), nullable=False),
        sa.Column("machine", sa.String(128), nullable=False),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("process", sa.String(64), nullable=False),
        sa.Column("started", sa.String(32), nullable=False),
        sa.Column("beats", sa.Integer, nullable=False),
        sa.Column("ended", sa.String(32)),
    )
    yield sa.Table(
        "hpsearch_queue",
        metadata,
        sa.Column("name", sa.String(512), primary_key=True),
        sa.Column("owner", sa.String(128), nullable=False),
        sa.Column("priority", sa.Integer, nullable=False),
        sa.Column("max_parallel", sa.Integer),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("since", sa.String(32), nullable=False),
        sa.Column("submitted", sa.String(32), nullable=False),
        sa.Column("file", sa.Text, nullable=False),
        sa.Column("options", sa.Text, nullable=False),
    )
    leases = sa.Table(
        "hpsearch_leases",
        metadata,
        sa.Column("lease", sa.String(32), primary_key=True),
        sa.Column("study_id", sa.Integer, nullable=False),
        sa.Column("job", sa.String(80), nullable=False),
        sa.Column("asked", sa.String(160)),
        sa.Column("holder", sa.String(255), nullable=False),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.Column("since", sa.String(32), nullable=False),
        sa.Column("beats", sa.Integer, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("digest", sa.String(64)),
        sa.Column("content", sa.LargeBinary),
    )
    sa.Index("hpsearch_leases_of", leases.c.study_id, leases.c.job)
    sa.Index("hpsearch_leases_asked", leases.c.asked, unique=True)
    yield leases
    yield sa.Table(
        "hpsearch_tokens",
        metadata,
        sa.Column("name", sa.String(128), primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False, unique=True),
        sa.Column("scope", sa.String(16), nullable=False),
        sa.Column("study", sa.String(512)),
        sa.Column("created", sa.String(32), nullable=False),
        sa.Column("expires", sa.String(32)),
    )
    yield sa.Table(
        "hpsearch_requests",
        metadata,
        sa.Column("key", sa.String(255), primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("answer", sa.Text, nullable=False),
    )


SWEEPING = {
    f"hpsearch_{of}_gone": f"""CREATE TRIGGER hpsearch_{of}_gone AFTER DELETE ON {of} BEGIN
    {" ".join(f"DELETE FROM hpsearch_{table} WHERE {key} = OLD.{key};" for table in ours)} END"""
    for of, key, ours in (
        ("studies", "study_id", ("models", "ensembles", "runs", "leases")),
        ("trials", "trial_id", ("epochs",)),
    )
}
"""SQLite gives the id of what was deleted last to what is made next, which must not get our rows of
the former; and others than we delete too. PostgreSQL gives no id twice."""


def create_own_tables(engine: sa.Engine, place: str) -> None:
    """Make the tables that a database lacks.

    Args:
        engine: of the database.
        place: what to call it in a message.

    Raises:
        StorageError: it has those of a newer version, or from before the first release.
    """
    import sqlalchemy as sa

    table = own_tables().version
    inspector = sa.inspect(engine)
    version = 0 if inspector.has_table(UNRELEASED) else None
    if version is None and inspector.has_table(table.name):
        with engine.connect() as connection:
            version = connection.execute(sa.select(sa.func.max(table.c.version))).scalar()
    if version == VERSION:
        return
    if version is not None and not 0 < version < VERSION:
        age = "a newer" if version > VERSION else "an older"
        tables = f"have version {version}" if version else "are from before the first release"
        raise StorageError(
            f"{place} was written by {age} hpsearch (its tables {tables}, those of this one have "
            f"version {VERSION}); open it with that one, or run the study anew in another database"
        )
    with engine.begin() as connection:
        table.metadata.create_all(connection)
        if connection.dialect.name == "sqlite":
            for name, statement in SWEEPING.items():
                connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {name}")
                connection.exec_driver_sql(statement)
        connection.execute(table.insert().values(version=VERSION))


def imagine_own_tables(connection: sqlite3.Connection) -> None:
    """Have in this connection only the tables that a database lacks which may only be read."""
    from sqlalchemy.dialects import sqlite
    from sqlalchemy.schema import CreateTable

    version = own_tables().version
    there = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    if UNRELEASED in there:
        return
    if version.name in there:
        (known,) = connection.execute(f"SELECT max(version) FROM {version.name}").fetchone()
        if known is None or known >= VERSION:
            return
    connection.execute("PRAGMA temp_store = MEMORY")
    for table in own_tables():
        if table is version or table.name not in there:
            made = str(CreateTable(table).compile(dialect=sqlite.dialect()))
            connection.execute(made.replace("CREATE TABLE", "CREATE TEMP TABLE", 1))
    connection.execute(f"INSERT INTO temp.{version.name} VALUES ({VERSION})")
    connection.commit()
