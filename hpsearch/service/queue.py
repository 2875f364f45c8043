"""The studies that were submitted: the rows of ``hpsearch_queue``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from hpsearch.service.bench import utc_now
from hpsearch.storage.own_tables import own_tables

if TYPE_CHECKING:
    import sqlalchemy as sa

    from hpsearch.service.models import State
    from hpsearch.study_file import StudyFile

__all__ = ["Queued", "add", "all_queued", "change", "queued", "remove"]


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


def add(connection: sa.Connection, row: Queued) -> None:
    """Submit a study."""
    connection.execute(own_tables().queue.insert(), row._asdict())


def queued(connection: sa.Connection, name: str) -> Queued | None:
    """A study that was submitted."""
    table = own_tables().queue
    row = connection.execute(table.select().where(table.c.name == name)).first()
    return None if row is None else Queued(*row)


def all_queued(connection: sa.Connection) -> list[Queued]:
    """All of them: of a higher priority first, then in the order of their submission."""
    table = own_tables().queue
    order = table.c.priority.desc(), table.c.submitted, table.c.name
    return [Queued(*row) for row in connection.execute(table.select().order_by(*order))]


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
    before = queued(connection, name)
    if before is None:
        return None
    if state is not None:
        options = json.dumps(before.option | {"who": who})
        values |= {"state": state, "why": why, "since": utc_now(), "options": options}
    if not values:
        return before
    connection.execute(table.update().where(table.c.name == name).values(**values))
    return queued(connection, name)


def remove(connection: sa.Connection, name: str) -> None:
    """Forget a study."""
    table = own_tables().queue
    connection.execute(table.delete().where(table.c.name == name))
