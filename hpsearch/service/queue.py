"""The studies that were submitted: the rows of ``hpsearch_queue``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import sqlalchemy as sa

from hpsearch.service.bench import utc_now
from hpsearch.storage.own_tables import own_tables

if TYPE_CHECKING:
    from hpsearch.service.models import State
    from hpsearch.study_file import StudyFile

__all__ = [
    "Queued",
    "add",
    "all_queued",
    "begins",
    "change",
    "doom",
    "doomed",
    "keep_to_oneself",
    "queued",
    "remove",
]

DOOMED = "deleting"
"""The state in its row of a study that is being deleted. Nothing but `doomed` sees such a row, so
that whoever asks for the study finds none; its name is free once the row is removed."""

BEGUN = "begun"
"""The option of a study that has had a driver: what it tries first does not change any more."""


class Queued(NamedTuple):
    """A row of ``hpsearch_queue``.

    Attributes:
        name: of the study.
        owner: the name of the token that submitted it.
        priority: the greater is served first.
        max_parallel: trials at the same time; None for any number.
        state: of the study.
        why: the reason of the state, in a sentence.
        since: when it came into it, ISO 8601 in UTC.
        submitted: when it was submitted, likewise.
        file: the study file, in JSON.
        options: how it is run, in JSON: baselines, first, who brought it into its state.
    """

    name: str
    owner: str
    priority: int
    max_parallel: int | None
    state: State
    why: str
    since: str
    submitted: str
    file: str
    options: str

    @property
    def study(self) -> StudyFile:
        """The study file."""
        from hpsearch.study_file import StudyFile

        return StudyFile.model_validate_json(self.file)

    @property
    def option(self) -> dict[str, Any]:
        """How it is run."""
        return cast("dict[str, Any]", json.loads(self.options))

    @property
    def has_begun(self) -> bool:
        """Whether it has had a driver."""
        return BEGUN in self.option

    def is_of(self, other: Queued) -> bool:
        """Whether both are of one submission, and of the same trials in all."""
        return (self.submitted, self.file) == (other.submitted, other.file)


def keep_to_oneself(connection: sa.Connection) -> None:
    """Have nobody else change the queue until the transaction ends; SQLite's always do that."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("LOCK TABLE hpsearch_queue IN SHARE ROW EXCLUSIVE MODE")


def add(connection: sa.Connection, row: Queued) -> None:
    """Submit a study."""
    connection.execute(own_tables().queue.insert(), row._asdict())


def queued(connection: sa.Connection, name: str, *, lock: bool = False) -> Queued | None:
    """A study that was submitted.

    Args:
        connection: of the database.
        name: of the study.
        lock: have other servers wait with their changes of it until this transaction ends.
    """
    table = own_tables().queue
    query = table.select().where(table.c.name == name, table.c.state != DOOMED)
    row = connection.execute(query.with_for_update() if lock else query).first()
    return None if row is None else Queued(*row)


def all_queued(connection: sa.Connection) -> list[Queued]:
    """All of them: of a higher priority first, then in the order of their submission."""
    table = own_tables().queue
    order = table.c.priority.desc(), table.c.submitted, table.c.name
    query = table.select().where(table.c.state != DOOMED).order_by(*order)
    return [Queued(*row) for row in connection.execute(query)]


def change(
    connection: sa.Connection,
    name: str,
    state: State | None = None,
    why: str = "",
    who: str = "",
    **values: Any,
) -> Queued | None:
    """Bring a study into a state, or change something else of it.

    Returns:
        The study as it is then; None if there is none.
    """
    table = own_tables().queue
    before = queued(connection, name, lock=True)
    if before is None:
        return None
    if state is not None:
        options = json.dumps(before.option | {"who": who})
        values |= {"state": state, "why": why, "since": utc_now(), "options": options}
    if not values:
        return before
    connection.execute(table.update().where(table.c.name == name).values(**values))
    return queued(connection, name)


def begins(connection: sa.Connection, row: Queued, who: str) -> None:
    """A study gets a driver."""
    options = json.dumps(row.option | {"who": who, BEGUN: True})
    changes = {"state": "running", "why": "", "since": utc_now(), "options": options}
    table = own_tables().queue
    connection.execute(table.update().where(table.c.name == row.name).values(**changes))


def doom(connection: sa.Connection, row: Queued) -> None:
    """From now on a study is none; what there is of it is deleted once nobody runs it."""
    table = own_tables().queue
    changes = {"state": DOOMED, "why": row.state, "since": utc_now()}
    connection.execute(table.update().where(table.c.name == row.name).values(**changes))


def doomed(
    connection: sa.Connection, name: str | None = None, *, lock: bool = False
) -> dict[str, str]:
    """The studies that are being deleted, and the state that each was in.

    Args:
        connection: of the database.
        name: of one; None for all.
        lock: have other servers that delete wait until this transaction ends.
    """
    table = own_tables().queue
    query = sa.select(table.c.name, table.c.why).where(table.c.state == DOOMED)
    if name is not None:
        query = query.where(table.c.name == name)
    found = connection.execute(query.with_for_update() if lock else query)
    return {str(row[0]): str(row[1]) for row in found}


def remove(connection: sa.Connection, name: str) -> None:
    """Forget a study that is being deleted."""
    table = own_tables().queue
    mine = (table.c.name == name) & (table.c.state == DOOMED)
    connection.execute(table.delete().where(mine))
