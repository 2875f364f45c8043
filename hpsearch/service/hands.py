"""What whoever lends workers asks and tells: the verbs of the protocol, on the server's loop.

What is answered has been committed. The desk decides in memory; where it knows a lease no more, or
not yet, the rows decide.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from hpsearch.errors import StorageError, TakenOverError
from hpsearch.service import leases as kept
from hpsearch.service import queue
from hpsearch.service.bench import Item, Lease, Taker, reports_in
from hpsearch.service.desk import Desk
from hpsearch.service.leases import LeaseRow, Ledger
from hpsearch.service.logs import about
from hpsearch.service.models import OVER, Asked, Orders, Tell, Told, Work
from hpsearch.service.problems import Problem
from hpsearch.service.telling import settled_by, state_after, value_of
from hpsearch.trials.values import ValuesJob

if TYPE_CHECKING:
    from hpsearch.storage import WriteBehindStorage

__all__ = ["Hands", "UntilGone"]

T = TypeVar("T")

UntilGone: TypeAlias = Callable[[], Coroutine[Any, Any, None]]
"""Returns once nobody waits for an answer any more."""

log = logging.getLogger("hpsearch.service")

NOTHING = "no trial waits just now"

RETRY = 2.0
"""Seconds until an agent for which there is nothing asks again."""

LOOKS, LOOK = 50, 0.02
"""How often, and how many seconds apart, is looked whether a driver has written a trial."""

SOME = 500
"""Leases that are asked for in one query."""

MOST_REPORTS = 10_000
"""Values on the way that are kept of an attempt."""


@dataclass(eq=False)
class _Waiter:
    """Who waits for a job, on a loop."""

    taker: Taker
    study: str | None
    asked: str | None
    seconds: float | None
    loop: asyncio.AbstractEventLoop
    given: asyncio.Future[tuple[Lease, Future[None]] | None] = field(init=False)

    def __post_init__(self) -> None:
        self.given = self.loop.create_future()
        self._take_back: Callable[[Lease], None] | None = None

    def give(self, lease: Lease, written: Future[None]) -> None:
        """Here it is; from any thread."""
        self.loop.call_soon_threadsafe(self._set, (lease, written))

    def end(self) -> None:
        """There is nothing to wait for any more."""
        self.loop.call_soon_threadsafe(self._set, None)

    def leave(self, take_back: Callable[[Lease], None]) -> None:
        """Whoever asked is gone; what is given nevertheless is taken back."""
        self._take_back = take_back
        if self.given.done() and (given := self.given.result()) is not None:
            take_back(given[0])

    def _set(self, given: tuple[Lease, Future[None]] | None) -> None:
        self.given.set_result(given)
        if given is not None and self._take_back is not None:
            self._take_back(given[0])


@dataclass(eq=False)
class _Turn:
    """Those who ask with one key, one after the other."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0


class _ToldElsewhereError(Exception):
    """Another server has the end of a job."""


class _Kept(NamedTuple):
    """What the rows say of something that was told."""

    row: LeaseRow
    study: str
    is_same: bool
    is_late: bool = False


class Hands:
    """The verbs of those who do trials.

    Args:
        store: of the server's own.
        desk: has the jobs.
        interval: seconds between two heartbeats of a holder.
        elsewhere: where each study is run that is run by others.

    Attributes:
        counts: how often what was asked and told; see `hpsearch.service.metrics`.
    """

    def __init__(
        self,
        store: WriteBehindStorage,
        desk: Desk,
        *,
        interval: float,
        elsewhere: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        self._store, self._desk, self._interval = store, desk, interval
        self._elsewhere = elsewhere
        self._ledger = Ledger(store)
        self._turns: dict[str, _Turn] = {}
        self.counts: Counter[str] = Counter()
        self._alone = store.connection.tells_version  # one server has a SQLite file

    @property
    def batches(self) -> Counter[int]:
        """How many transactions there were of each number of writes."""
        return self._ledger.batches

    def close(self) -> None:
        """Write what was given, and end."""
        self._ledger.close()

    async def ask(
        self,
        taker: Taker,
        study: str | None,
        *,
        asked: str | None = None,
        wait: float = 0.0,
        seconds: float | None = None,
        until_gone: UntilGone | None = None,
    ) -> Asked:
        """Ask for a job.

        Args:
            taker: who asks.
            study: for one of this study; None for any.
            asked: who it is and its idempotency key.
            wait: seconds to wait for one.
            seconds: how long the lease is to last.
            until_gone: returns once nobody waits for the answer any more.
        """
        self.counts["asks"] += 1
        if asked is None:
            return await self._ask(taker, study, None, wait, seconds, until_gone)
        # One after the other: the second finds what the first was given, or that it got nothing.
        turn = self._turns.setdefault(asked, _Turn())
        turn.users += 1
        try:
            async with turn.lock:
                before = await self._before(asked, study)
                if before is not None:
                    return before
                return await self._ask(taker, study, asked, wait, seconds, until_gone)
        finally:
            turn.users -= 1
            if not turn.users:
                del self._turns[asked]

    async def _ask(
        self,
        taker: Taker,
        study: str | None,
        asked: str | None,
        wait: float,
        seconds: float | None,
        until_gone: UntilGone | None,
    ) -> Asked:
        waiter = _Waiter(taker, study, asked, seconds, asyncio.get_running_loop())
        lease: Lease | None = None
        try:
            if not self._desk.ask(waiter, waits=wait > 0):
                if taker.name in self._desk.draining:
                    return Asked(order="drain", why="this agent is to end")
                over = await self._over(study)
                if over is not None:
                    self._desk.leave(waiter)
                    return over
                if wait <= 0:
                    return Asked(why=NOTHING, retry=RETRY)
                await _wait(waiter.given, wait, until_gone)
                if not waiter.given.done() and self._desk.leave(waiter):
                    return Asked(why=NOTHING, retry=0.0)
            given = await asyncio.shield(waiter.given)
            if given is None:
                return await self._over(study) or Asked(why=NOTHING, retry=RETRY)
            lease, written = given
            await _committed(written)
        except StorageError as error:
            if lease is None or asked is None or not isinstance(error.__cause__, IntegrityError):
                raise
            self._desk.take_back(lease)  # another server was asked with this key at the same time
            return await self._before(asked, study) or Asked(why=NOTHING, retry=RETRY)
        except BaseException:  # a full disk, or the client is gone
            if not self._desk.leave(waiter):
                waiter.leave(self._take_back)
            raise
        work = self._work(lease)
        if work is None:  # its driver has ended just now
            await self._write(_released(lease.lease))
            return await self._over(study) or Asked(why=NOTHING, retry=RETRY)
        self.counts["trials_given"] += 1
        return Asked(work=work)

    def _take_back(self, lease: Lease) -> None:
        """A lease was given to nobody; its key may be used again."""
        # After the lease itself, if it is written.
        lease.bench.ledger.write(_released(lease.lease, asked=None))
        self._desk.take_back(lease)

    async def _before(self, asked: str, study: str | None) -> Asked | None:
        """What an ask with this key was answered; None for a new key.

        Raises:
            Problem: 422, it was for another study; 503, its trial is not on the desk at the moment.
        """
        trial = ""
        for _ in range(LOOKS):
            lease = self._desk.asked.get(asked)
            if lease is not None and lease.is_open and (work := self._work(lease)) is not None:
                _check_same(study, lease.bench.name)
                return Asked(work=work)
            row, own = await self._write(partial(_with_key, asked=asked))
            if row is None:
                return None
            _check_same(study, own)
            over = await self._over(own)
            if over is not None:
                return over
            trial = row.job
            if row.state != "open":
                why = f"this ask was answered with trial {trial}, which has ended or waits"
                return Asked(why=why)
            await asyncio.sleep(LOOK)  # after a restart its driver has to put it there again
        raise Problem(
            503,
            f"this ask was answered with trial {trial}, whose study is not run just now; ask again",
            headers={"Retry-After": str(int(RETRY))},
        )

    async def _over(self, study: str | None) -> Asked | None:
        """What is said to who asks for a study that has no more work; None where it may have."""
        if study is None or study in self._desk.benches:
            return None
        where = self._elsewhere().get(study)
        if where is not None:
            raise Problem(
                503,
                f"the study {study!r} is run by {where}; ask there, or in a moment again",
                headers={"Retry-After": str(int(RETRY))},
            )
        row = await self._write(lambda connection: queue.queued(connection, study))
        if row is None:
            raise Problem(404, f"there is no study {study!r} that was submitted here")
        if row.state in OVER:
            return Asked(order="drain", why=f"the study {study!r} is {row.state}")
        return None

    def _work(self, lease: Lease) -> Work | None:
        """What is told to who is given a lease; None if nobody waits for its job any more."""
        item = lease.item
        if item is None:
            return None
        bench, job = lease.bench, item.job
        work = Work(
            trial=lease.job_id,
            lease=lease.lease,
            seconds=lease.seconds,
            interval=self._until_next(lease.seconds),
            study=bench.name,
            number=item.number,
            stage=item.stage,
            kind=bench.kind,
            limit=item.limit,
        )
        if isinstance(job, ValuesJob):
            work.slot, work.seed, work.resource = job.slot, job.seed, job.resource
            work.configuration = dict(job.configuration)
            work.metric, work.also = job.asked.metric, list(job.asked.also)
            work.direction = "maximize" if job.asked.maximize else "minimize"
            work.function = job.function
        else:
            from hpsearch.service.wire import call_document

            work.training = call_document(item.function, job)
        return work

    async def check_study(self, trial: str, lease_id: str, study: str) -> None:
        """Make sure that a lease is of a study.

        Raises:
            Problem: 410, it is of another one, or none.
        """
        lease = self._desk.leases.get(lease_id)
        if lease is not None and lease.job_id == trial and lease.bench.name == study:
            return

        def look(connection: sa.Connection) -> None:
            row = _row(connection, trial, lease_id)
            if kept.study_of(connection, row.study_id) != study:
                raise _no_lease(trial)

        await self._write(look)

    async def beat(self, trial: str, lease_id: str) -> Orders:
        """A sign of life."""
        self.counts["heartbeats"] += 1
        return await self._beat(trial, lease_id)

    async def _beat(self, trial: str, lease_id: str) -> Orders:
        lease = self._desk.leases.get(lease_id)
        if lease is not None and lease.job_id == trial:
            order, why = self._desk.beat(lease)
            return Orders(order=order, why=why, interval=self._until_next(lease.seconds))

        def renew(connection: sa.Connection) -> Orders:
            row = _row(connection, trial, lease_id)
            if row.state not in ("open", "lost"):
                return Orders(order="stop", why=f"this lease is {row.state}")
            study = kept.study_of(connection, row.study_id)
            at = queue.queued(connection, study)
            if at is not None and at.state == "stopped":
                return Orders(order="stop", why=at.why)
            kept.change(connection, lease_id, beats=row.beats + 1)
            return Orders(interval=self._until_next(row.seconds))

        return await self._write(renew)

    async def report(self, trial: str, lease_id: str, step: int, value: float) -> Orders:
        """A value on the way, which is a sign of life too."""
        self.counts["reports"] += 1
        lease = self._desk.leases.get(lease_id)
        if lease is not None and lease.job_id == trial:
            order, why = self._desk.beat(lease)
            if lease.is_open and _room(lease.reports, step):
                if not self._alone:
                    await self._catch_up(lease)
                lease.reports[step] = value
                text = _reports_text(lease.reports)
                await _committed(lease.bench.ledger.write(_reported(lease_id, text)))
            return Orders(order=order, why=why, interval=self._until_next(lease.seconds))

        def add(connection: sa.Connection) -> None:
            row = _row(connection, trial, lease_id)
            if row.state == "open":
                reports = reports_in(row.content)
                if _room(reports, step):
                    text = _reports_text(reports | {step: value})
                    kept.change(connection, lease_id, content=text)

        await self._write(add)
        return await self._beat(trial, lease_id)

    async def tell(self, trial: str, tell: Tell) -> Told:
        """The end of a trial, kept once, however often and late it is told.

        Raises:
            Problem: 409, another has done it; 410, there was no such lease.
        """
        told = await self._tell(trial, tell)
        self.counts["tells"] += 1
        self.counts["late_tells"] += told.late
        return told

    async def _tell(self, trial: str, tell: Tell) -> Told:
        digest = _digest(tell)
        lease = self._desk.leases.get(tell.lease)
        item = None
        if lease is not None and lease.job_id == trial:
            if not self._alone:
                await self._catch_up(lease)
            item = self._desk.claim(lease)
        if lease is None or item is None:
            return await self._tell_rows(trial, tell, digest)
        others = [one for one in item.leases if one is not lease and one.is_open]
        if others and tell.error is not None and tell.error.kind != "failed":
            return await self._give_up(lease, item, tell, digest)
        late, reports = not lease.is_open, lease.reports
        whole = tell.model_copy(update={"reports": [*reports.items(), *tell.reports]})
        content = whole.model_dump_json().encode()
        settled = await _aside(lambda: settled_by(item, whole, lease.holder), len(content))

        def write(connection: sa.Connection) -> None:
            if not self._alone:
                self._check_untold(connection, lease)
            kept.change(
                connection,
                lease.lease,
                state=state_after(tell),
                digest=digest,
                content=content,
            )
            for other in others:
                kept.change(connection, other.lease, state="void")

        try:
            await _committed(lease.bench.ledger.write(write))
        except (TakenOverError, _ToldElsewhereError):
            self._desk.unclaim(lease, item)
            return await self._tell_rows(trial, tell, digest)
        except BaseException:
            self._desk.unclaim(lease, item)
            raise
        self._desk.settle(lease, item, settled)
        return _told(trial, settled, value_of(settled, lease.bench.measure), late=late)

    async def _give_up(self, lease: Lease, item: Item, tell: Tell, digest: str) -> Told:
        """An attempt has failed while another one is under way, which goes on."""
        self._desk.unclaim(lease, item)
        content = tell.model_dump_json().encode()
        await _committed(
            lease.bench.ledger.write(
                lambda connection: kept.change(
                    connection, lease.lease, state="released", digest=digest, content=content
                )
            )
        )
        self._desk.take_back(lease)
        return Told(trial=lease.job_id)

    async def _tell_rows(self, trial: str, tell: Tell, digest: str) -> Told:
        """Tell of a job that no driver waits for at this moment, or not any more."""

        def write(connection: sa.Connection) -> _Kept:
            row = _row(connection, trial, tell.lease)
            study = kept.study_of(connection, row.study_id)
            if not self._alone:
                kept.rows_of(connection, row.study_id, row.job, lock=True)
                row = _row(connection, trial, tell.lease)
            if row.digest == digest:
                return _Kept(row, study, is_same=True)
            if kept.finished(connection, row) is not None:
                return _Kept(row, study, is_same=False, is_late=True)
            told = reports_in(row.content) if row.state == "open" else {}
            whole = tell.model_copy(update={"reports": [*told.items(), *tell.reports]})
            new = row._replace(
                state=state_after(tell), digest=digest, content=whole.model_dump_json().encode()
            )
            kept.change(connection, row.lease, state=new.state, digest=digest, content=new.content)
            return _Kept(new, study, is_same=False)

        found = await self._write(write)
        if found.is_late:
            value = await self._value(found.row)
            raise Problem(409, f"trial {trial} has been finished already", value=value)
        if not found.is_same:
            self._desk.remember(found.study, found.row)
        value = await self._value(found.row)
        return Told(trial=trial, value=value, late=not found.is_same)

    async def _value(self, row: LeaseRow) -> float | None:
        """The value that is kept of a job; its driver may just be writing it."""
        for _ in range(LOOKS):
            found = await self._write(lambda connection: kept.finished(connection, row))
            if found is None or found.is_written or row.study_id not in self._desk.driven:
                break
            await asyncio.sleep(LOOK)
        return None if found is None else found.number

    async def release(self, trial: str, lease_id: str) -> None:
        """Give a job back that is not done."""
        self.counts["releases"] += 1
        lease = self._desk.leases.get(lease_id)
        if lease is not None and lease.job_id == trial:
            await _committed(lease.bench.ledger.write(_released(lease_id)))
            self._desk.take_back(lease)
            return

        def write(connection: sa.Connection) -> None:
            row = _row(connection, trial, lease_id)
            if row.state in ("open", "lost"):
                kept.change(connection, lease_id, state="released")

        await self._write(write)

    async def expire(self) -> None:
        """Part with those who give no sign of life, here or at another server."""
        if not self._alone:
            await self._listen()
        for lease in self._desk.expire():
            row = await _committed(lease.bench.ledger.write(partial(_lose, lease=lease)))
            if row is None:
                self._desk.lose(lease)
                self.counts["lost_leases"] += 1
                facts = about(
                    study=lease.bench.name, trial=lease.job_id, agent=lease.holder, why=lease.why
                )
                log.warning("lease lost", extra=facts)
            else:
                self._desk.hear(row)

    async def _listen(self) -> None:
        """What was told at other servers of this one's jobs."""
        leases = self._desk.followed()
        for begin in range(0, len(leases), SOME):
            some = leases[begin : begin + SOME]
            for row in await self._write(partial(kept.ended_of, leases=some)):
                self._desk.hear(row)

    async def _catch_up(self, lease: Lease) -> None:
        """The same of one job, just before something is written of it."""
        study_id, job = lease.row().study_id, lease.job_id
        for row in await self._write(lambda connection: kept.rows_of(connection, study_id, job)):
            self._desk.hear(row)

    def _check_untold(self, connection: sa.Connection, lease: Lease) -> None:
        """Make sure that no other server is just writing the end of a job.

        Raises:
            _ToldElsewhereError: one has.
        """
        rows = kept.rows_of(connection, lease.row().study_id, lease.job_id, lock=True)
        if any(row.state == "told" for row in rows):
            raise _ToldElsewhereError

    def _until_next(self, seconds: float) -> float:
        """Until the next heartbeat, of a lease that lasts so long."""
        return min(self._interval, seconds / 3)

    async def _write(self, operation: Callable[[sa.Connection], T]) -> T:
        return await _committed(self._ledger.write(operation))


def _row(connection: sa.Connection, trial: str, lease_id: str) -> LeaseRow:
    """A lease of a job.

    Raises:
        Problem: there is none.
    """
    row = kept.find(connection, lease_id)
    if row is None or row.job != trial:
        raise _no_lease(trial)
    return row


def _with_key(connection: sa.Connection, *, asked: str) -> tuple[LeaseRow | None, str]:
    """The lease that an ask was given, and the name of its study."""
    row = kept.with_key(connection, asked)
    return row, "" if row is None else kept.study_of(connection, row.study_id)


def _check_same(study: str | None, own: str) -> None:
    """Refuse a key with which another study was asked for a trial.

    Raises:
        Problem: it was.
    """
    if study is not None and study != own:
        raise Problem(422, "this Idempotency-Key was used for another request; choose a new one")


def _no_lease(trial: str) -> Problem:
    return Problem(410, f"there is no lease of this id on trial {trial}; ask for another one")


def _lose(connection: sa.Connection, lease: Lease) -> LeaseRow | None:
    """Write that a lease is lost; or give its row, if another server has heard of it."""
    row = kept.find(connection, lease.lease)
    if row is not None and (row.state not in ("open", "lost") or row.beats != lease.beats):
        return row
    kept.change(connection, lease.lease, state="lost", content=lease.why.encode())
    return None


def _released(lease_id: str, **more: Any) -> Callable[[sa.Connection], None]:
    return lambda connection: kept.change_untold(connection, lease_id, state="released", **more)


def _reported(lease_id: str, text: bytes) -> Callable[[sa.Connection], None]:
    return lambda connection: kept.change_untold(connection, lease_id, content=text)


def _reports_text(reports: dict[int, float]) -> bytes:
    return json.dumps(list(reports.items())).encode()


def _room(reports: dict[int, float], step: int) -> bool:
    return step in reports or len(reports) < MOST_REPORTS


def _digest(tell: Tell) -> str:
    """What tells one end of a trial from another.

    Raises:
        Problem: it cannot be kept.
    """
    try:
        text = tell.model_dump_json(exclude={"lease"})
    except ValueError:  # of what pydantic reads it does not write everything
        raise Problem(422, "the result is nested too deeply to be kept") from None
    return sha256(text.encode()).hexdigest()


def _told(trial: str, settled: Any, value: float | None, *, late: bool) -> Told:
    why = str(settled) if isinstance(settled, Exception) else ""
    return Told(trial=trial, value=value, late=late, why=why)


async def _committed(written: Future[T]) -> T:
    """Wait until something is in the ledger.

    Raises:
        StorageError: it could not be written.
    """
    try:
        return await asyncio.wrap_future(written)
    except RuntimeError as error:  # the ledger was closed under it
        raise StorageError(f"the study has just ended ({error}); try again") from None


async def _wait(
    given: asyncio.Future[Any],
    seconds: float,
    until_gone: UntilGone | None,
) -> None:
    """Wait for what is given, but not for longer than who asked does."""
    gone = [] if until_gone is None else [asyncio.ensure_future(until_gone())]
    try:
        await asyncio.wait({given, *gone}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in gone:
            task.cancel()


async def _aside(work: Callable[[], T], size: int) -> T:
    """Do what takes long for large documents outside of the loop."""
    return work() if size < 100_000 else await asyncio.to_thread(work)
