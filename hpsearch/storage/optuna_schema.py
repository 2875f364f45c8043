"""Optuna's tables: the one module that leans on what Optuna keeps to itself.

`tables` checks that the installed Optuna's schema is the one that we read and write; `prepare` that
a database has it, and lets Optuna make it, or complain of it, where it has not.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from hpsearch.errors import StorageError

if TYPE_CHECKING:
    import sqlalchemy as sa

__all__ = ["Tables", "prepare", "tables"]

SCHEMA = "v3.2.0.a"
"""Optuna's own name (an alembic revision) for the schema below."""

ALEMBIC = "alembic_version"
"""Where that name stands in a database."""

COLUMNS = {
    "studies": "study_id study_name",
    "study_directions": "study_direction_id direction study_id objective",
    "study_user_attributes": "study_user_attribute_id study_id key value_json",
    "study_system_attributes": "study_system_attribute_id study_id key value_json",
    "trials": "trial_id number study_id state datetime_start datetime_complete",
    "trial_user_attributes": "trial_user_attribute_id trial_id key value_json",
    "trial_system_attributes": "trial_system_attribute_id trial_id key value_json",
    "trial_params": "param_id trial_id param_name param_value distribution_json",
    "trial_values": "trial_value_id trial_id objective value value_type",
    "trial_intermediate_values": "trial_intermediate_value_id trial_id step intermediate_value "
    "intermediate_value_type",
    "trial_heartbeats": "trial_heartbeat_id trial_id heartbeat",
}


class Tables(NamedTuple):
    """The tables of studies and trials, by their names in the database."""

    studies: sa.Table
    study_directions: sa.Table
    study_user_attributes: sa.Table
    study_system_attributes: sa.Table
    trials: sa.Table
    trial_user_attributes: sa.Table
    trial_system_attributes: sa.Table
    trial_params: sa.Table
    trial_values: sa.Table
    trial_intermediate_values: sa.Table
    trial_heartbeats: sa.Table


@cache
def tables() -> Tables:
    """The tables as the installed Optuna defines them.

    Raises:
        StorageError: they are not the ones that we know.
    """
    from optuna import __version__
    from optuna.storages._rdb import models

    known: Any = models.BaseModel.metadata.tables
    for name, columns in COLUMNS.items():
        found = " ".join(column.name for column in known[name].columns) if name in known else ""
        if found != columns:
            raise StorageError(
                f"the installed Optuna {__version__} keeps its table {name} in another form than "
                "this version of hpsearch knows; upgrade hpsearch, or install optuna<6"
            )
    return Tables(**{name: known[name] for name in COLUMNS})


def prepare(engine: sa.Engine, url: sa.URL, options: Mapping[str, Any]) -> None:
    """Make sure that a database has these tables.

    An empty one gets them here: Optuna's own way to make them imports a whole migration tool first.

    Args:
        engine: of the database.
        url: its URL.
        options: what that engine was made with.

    Raises:
        RuntimeError: Optuna's own complaint that the schema is another version's.
    """
    import sqlalchemy as sa

    tables()
    with engine.connect() as connection:
        inspector = sa.inspect(connection)
        if inspector.has_table(ALEMBIC):
            query = sa.text(f"SELECT version_num FROM {ALEMBIC}")
            if connection.execute(query).scalar() == SCHEMA:
                return
        empty = not inspector.get_table_names()
    if empty:
        _create(engine)
    else:  # another version's tables, or half of them: Optuna completes them or complains
        from optuna.storages import RDBStorage

        text = url.render_as_string(hide_password=False).replace("{", "{{").replace("}", "}}")
        made = RDBStorage(text, engine_kwargs=dict(options))
        if "poolclass" not in options:  # a database in memory has one connection, also ours
            made.engine.dispose()


def _create(engine: sa.Engine) -> None:
    """Make the tables in one transaction, with the marks by which Optuna knows their version."""
    import optuna
    import sqlalchemy as sa
    from optuna.storages._rdb import models

    alembic = sa.Table(
        ALEMBIC,
        sa.MetaData(),
        sa.Column("version_num", sa.String(32), primary_key=True),
    )
    with engine.begin() as connection:
        models.BaseModel.metadata.create_all(connection)
        alembic.create(connection)
        connection.execute(alembic.insert().values(version_num=SCHEMA))
        version = {
            "schema_version": models.SCHEMA_VERSION,
            "library_version": optuna.__version__,
        }
        connection.execute(sa.insert(models.VersionInfoModel).values(version))
