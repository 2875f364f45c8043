"""Who has, or had, which trial: the rows of ``hpsearch_leases``, and who writes them.

A row is made when somebody is given a job, and committed before that is said. What is told of the
job is committed into it before that is acknowledged, so that a server that is killed has lost
nothing: the driver of the study finds it there.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias, TypeVar

import sqlalchemy as sa

from hpsearch.service.overview import FINISHED
from hpsearch.storage.optuna_schema import tables
from hpsearch.storage.own_tables import own_tables

if TYPE_CHECKING:
    from hpsearch.storage import WriteBehindStorage

__all__ = [
    "FinalValue",
    "LeaseRow",
    "LeaseState",
    "Ledger",
    "change",
    "change_untold",
    "ended_of",
    "find",
    "finished",
    "insert",
    "rows_of",
    "study_of",
    "with_key",
]

T = TypeVar("T")

LeaseState: TypeAlias = Literal["open", "told", "lost", "broken", "again", "released", "void"]
"""Open: its holder is at work. Told: the job's result, or why it came to nothing, is kept. Lost: no
sign of life. Broken and again: it told of an attempt that failed, or was put off. Released: given
back. Void: another has told first."""

MOST = 500
"""Writes in one transaction."""

MANY, GATHERING = 8, 0.01
"""After so many in one transaction, the next one waits so many seconds for more: it takes as long
for many as for one."""


class LeaseRow(NamedTuple):
    """A row of ``hpsearch_leases``.

    Attributes:
        lease: its id, 32 hexadecimal digits that nobody can guess.
        study_id: of the study.
        job: a trial's id, or the name of another job.
        asked: who asked with which idempotency key, None without one.
        holder: who has the job.
        seconds: how long the lease lasts without a sign of life.
        since: when it was given, ISO 8601 in UTC.
        beats: signs of life that another server has had.
        state: see `LeaseState`.
        digest: of what was told.
        content: what was told in JSON; while it is open, the values on the way.
    """

    lease: str
    study_id: int
    job: str
    asked: str | None
    holder: str
    seconds: float
    since: str
    beats: int
    state: LeaseState
    digest: str | None
    content: bytes | None


def insert(connection: sa.Connection, row: LeaseRow) -> None:
    """Keep a new lease."""
    connection.execute(_insert(), row._asdict())


def change(connection: sa.Connection, lease: str, **values: Any) -> None:
    """Change a lease."""
    connection.execute(_update(), {"which": lease, **values})


def change_untold(connection: sa.Connection, lease: str, **values: Any) -> None:
    """Change a lease of which nothing has been told; what has been told stays."""
    connection.execute(_update(untold=True), {"which": lease, **values})


@cache
def _update(*, untold: bool = False) -> sa.Update:
    """A change of the columns that come with it; a statement takes longer to make than to run."""
    table = own_tables().leases
    update = table.update().where(table.c.lease == sa.bindparam("which"))
    return update.where(table.c.state.in_(("open", "lost"))) if untold else update


@cache
def _insert() -> sa.Insert:
    return own_tables().leases.insert()


def find(connection: sa.Connection, lease: str) -> LeaseRow | None:
    """A lease by its id."""
    return next(_rows(connection, own_tables().leases.c.lease == lease), None)


def with_key(connection: sa.Connection, asked: str) -> LeaseRow | None:
    """The lease that an ask with this idempotency key was given."""
    return next(_rows(connection, own_tables().leases.c.asked == asked), None)


def rows_of(
    connection: sa.Connection, study_id: int, job: str | None = None, *, lock: bool = False
) -> list[LeaseRow]:
    """The leases of a study, or of one of its jobs, in the order of their making.

    Args:
        connection: of the database.
        study_id: of the study.
        job: one of its jobs, None for all.
        lock: have other servers wait until this transaction ends, before they change one.
    """
    t = own_tables().leases.c
    where = t.study_id == study_id
    return list(_rows(connection, where if job is None else where & (t.job == job), lock=lock))


def ended_of(connection: sa.Connection, leases: Sequence[str]) -> list[LeaseRow]:
    """Those of some leases of which something was told."""
    t = own_tables().leases.c
    ended = t.state.in_(("told", "broken", "again", "released"))
    return list(_rows(connection, t.lease.in_(leases) & ended))


def _rows(
    connection: sa.Connection, where: sa.ColumnElement[bool], *, lock: bool = False
) -> Iterator[LeaseRow]:
    table = own_tables().leases
    query = table.select().where(where).order_by(table.c.since, table.c.lease)
    found = connection.execute(query.with_for_update() if lock else query)
    return (LeaseRow(*row) for row in found)


class FinalValue(NamedTuple):
    """What a job came to, if its driver has written it."""

    number: float | None
    is_written: bool


def study_of(connection: sa.Connection, study_id: int) -> str:
    """The name of a study."""
    s = tables().studies.c
    query = sa.select(s.study_name).where(s.study_id == study_id)
    return str(connection.execute(query).scalar())


def finished(connection: sa.Connection, row: LeaseRow) -> FinalValue | None:
    """The value of a job that has been told or is finished; None of one that is open."""
    known = tables()
    t, v = known.trials.c, known.trial_values.c
    if row.job.isdigit():
        query = (
            sa.select(sa.type_coerce(t.state, sa.String), v.value)
            .select_from(known.trials.outerjoin(known.trial_values, v.trial_id == t.trial_id))
            .where(t.trial_id == int(row.job))
        )
        found = connection.execute(query).first()
        if found is not None and found[0] in FINISHED:
            return FinalValue(found[1], True)
    rows = rows_of(connection, row.study_id, row.job)
    return FinalValue(None, False) if any(other.state == "told" for other in rows) else None


class Ledger:
    """Writes to a study's database in one thread, together what comes at the same time.

    Args:
        store: of the study; what it has pending is committed with it.

    Attributes:
        batches: how many transactions there were of each number of writes.
    """

    def __init__(self, store: WriteBehindStorage) -> None:
        self._store = store
        self._given: queue.SimpleQueue[tuple[Callable[..., Any], Future[Any]] | None]
        self._given = queue.SimpleQueue()
        self.batches: Counter[int] = Counter()
        self._giving, self._closed = threading.Lock(), False
        self._thread = threading.Thread(target=self._run, name="hpsearch-ledger", daemon=True)
        self._thread.start()

    def write(self, operation: Callable[[sa.Connection], T]) -> Future[T]:
        """Have something written; the future has its result once it is committed.

        Args:
            operation: what to do in a transaction; it is called again if another one in it fails.
        """
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()  # who waits no longer does not undo it
        with self._giving:  # what is given is written, however soon the end comes
            if not self._closed:
                self._given.put((operation, future))
                return future
        future.set_exception(RuntimeError("the ledger is closed"))
        return future

    def close(self) -> None:
        """Write what was given, and end."""
        with self._giving:
            self._closed = True
            self._given.put(None)
        self._thread.join()

    def _run(self) -> None:
        last, before = False, 0
        while not last:
            given = self._given.get()
            if before >= MANY:
                time.sleep(GATHERING)
            batch = []
            while given is not None:
                batch.append(given)
                if len(batch) >= MOST:
                    break
                try:
                    given = self._given.get_nowait()
                except queue.Empty:
                    break
            last, before = given is None, len(batch)
            if batch:
                self._write(batch)

    def _write(self, batch: list[tuple[Callable[..., Any], Future[Any]]]) -> None:
        try:
            with self._store.transaction() as connection:
                results = [operation(connection) for operation, _ in batch]
        except Exception as error:
            if len(batch) == 1:
                batch[0][1].set_exception(error)
                return
            for given in batch:  # so that one that fails does not take the others along
                self._write([given])
            return
        self.batches[len(batch)] += 1
        for (_, future), result in zip(batch, results, strict=True):
            future.set_result(result)
