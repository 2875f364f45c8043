"""The desk between the drivers of studies and those who do their jobs.

A driver puts jobs on it, as into any pool of workers, and gets a future for each. Whoever lends
workers asks for a job, and gets a lease on it. What is told of the job settles the future. All is
decided in memory, under one lock; what has to survive is in the ledger of the study before anybody
hears of it, and a desk that begins anew finds it there when drivers put the same jobs on it again.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar
from uuid import uuid4

from hpsearch.outcome import ProcessDiedError
from hpsearch.service.bench import Bench, Item, Lease, Taker, reports_in, utc_now
from hpsearch.service.leases import LeaseRow, change, insert

if TYPE_CHECKING:
    from hpsearch.service.models import Order

__all__ = ["BrokenElsewhereError", "Desk", "DeskPool", "Settled", "Sought", "Waiter"]

T = TypeVar("T")

REMEMBERED = 60.0
"""Seconds for which somebody who has asked counts among the workers."""

FORGOTTEN = 3600.0
"""Seconds after which nothing is known of somebody who has asked."""

COUNTED = 0.05
"""Seconds for which a count of workers holds."""

ENDED = 5_000
"""So many leases that have ended are remembered; the ledger has the others."""

ABLE = 600.0
"""Seconds for which somebody who has asked counts as able to do what was asked for."""

IN_VAIN = 10.0
"""Seconds for which an ask that was given nothing counts as one that waits."""

GRACE = 30.0
"""Seconds beside a trial's own limit after which its holder is no longer waited for."""


class BrokenElsewhereError(ProcessDiedError):
    """An attempt at a job broke where it was done.

    Args:
        sentence: what happened there.
    """

    def __init__(self, sentence: str) -> None:
        super().__init__(None)
        self.sentence = sentence

    def __str__(self) -> str:
        return self.sentence


class Waiter(Protocol):
    """Who waits for a job.

    Attributes:
        taker: who it is.
        study: the study that it asks for, None for any.
        asked: see `LeaseRow`.
        seconds: how long the lease is to last.
    """

    taker: Taker
    study: str | None
    asked: str | None
    seconds: float | None

    def give(self, lease: Lease, written: Future[None]) -> None:
        """Here it is."""

    def end(self) -> None:
        """The study that it asks for has no driver any more."""


Sought: TypeAlias = tuple[str, str | None]
"""A kind of jobs, and the only study whose jobs are asked for; None for any."""

Settled: TypeAlias = Any
"""What came of a job: its result, or the error that it is to raise."""


class Desk:
    """Who has which job.

    Args:
        seconds: how long a lease lasts without a sign of life, unless its holder asks otherwise.
        read: what a row says that was told: the result of its job, or an error.

    Attributes:
        lock: guards everything here.
        benches: of the studies that have a driver, by name.
        leases: those of their jobs, by id.
        asked: the same, by who asked with which idempotency key.
        takers: who has asked, and when last, by name.
        draining: the names of those who are told to ask no more.
        local_workers: how many of the server's own machine.
        is_ending: whether the server stops, and nothing more is given.
    """

    def __init__(self, *, seconds: float, read: Callable[[Item, LeaseRow], Settled]) -> None:
        self.seconds, self._read = seconds, read
        self.lock = threading.RLock()
        self.benches: dict[str, Bench] = {}
        self.leases: dict[str, Lease] = {}
        self.asked: dict[str, Lease] = {}
        self.takers: dict[str, tuple[Taker, float]] = {}
        self.draining: set[str] = set()
        self.local_workers = 0
        self.is_ending = False
        self.wake_local: Callable[[], None] = lambda: None
        self._waiters: deque[Waiter] = deque()
        self._served: dict[str, float] = {}  # owners, and when a study of theirs was last
        self._sought: dict[Sought, float] = {}  # what was asked for, and when last
        self._in_vain: dict[Sought, float] = {}  # the same of asks that were given nothing
        self._ended: deque[str] = deque()
        self._counted: dict[str, tuple[float, int]] = {}
        self._batches: Counter[int] = Counter()

    # What drivers do

    def open(self, bench: Bench) -> None:
        """A study has a driver."""
        with self.lock:
            self.benches[bench.name] = bench

    def close(self, bench: Bench) -> None:
        """Its driver has ended; what is told of its jobs from now on waits in the ledger."""
        with self.lock:
            del self.benches[bench.name]
            self._counted.pop(bench.name, None)
            for lease in [one for one in self.leases.values() if one.bench is bench]:
                self._forget(lease)
            bench.items.clear()
            bench.waiting.clear()
        bench.ledger.close()
        with self.lock:
            self._batches += bench.ledger.batches

    def over(self, name: str) -> None:
        """What has become of a study without a driver is known: nobody waits for its trials."""
        with self.lock:
            for waiter in [one for one in self._waiters if one.study == name]:
                self._waiters.remove(waiter)
                waiter.end()

    def put(
        self,
        bench: Bench,
        function: Callable[[Any], Any],
        job: Any,
        limit: float | None,
        key: Hashable,
    ) -> Future[Any]:
        """Have a job done.

        Args:
            bench: of the study.
            function: what is called with the job.
            job: what whoever does it is told.
            limit: seconds that an attempt may take, None for any time.
            key: the id of its trial; anything else for a job that is none.

        Returns:
            Its result, or an error: `TrialFailedError`, `TryAgainError` or `BrokenElsewhereError`.
        """
        bench.read_before()
        number, stage = None, ""
        if isinstance(key, int):
            trial = bench.store.get_trial(key)
            number, stage = trial.number, str(trial.user_attrs.get("stage", ""))
        item = Item(_job_id(function, job, key), function, job, limit, number, stage)
        item.future.set_running_or_notify_cancel()
        bench.data = job.data
        with self.lock:
            while item.job_id in bench.items:  # the same job twice
                item.job_id += "+"
            settled = self._recall(bench, item)
            if settled is None:
                bench.items[item.job_id] = item
                if not item.leases:
                    bench.waiting.append(item)
                    self._offer()
        if settled is not None:
            _settle(item.future, settled)
        return item.future

    def _recall(self, bench: Bench, item: Item) -> Settled | None:
        """What earlier drivers left of a job: its end, an attempt that failed, or open leases."""
        left = bench.before.get(item.job_id)
        while left:
            row = left.popleft()
            if row.state in ("told", "lost", "broken"):
                return self._read(item, row)
            if row.state == "open":
                now = time.monotonic()  # only our own clock counts: it gets its full length anew
                lease = Lease(
                    row.lease,
                    bench,
                    row.job,
                    row.holder,
                    row.seconds,
                    row.since,
                    now,
                    now + row.seconds,
                    item.limit,
                    row.asked,
                    reports_in(row.content),
                    beats=row.beats,
                )
                self._hold(item, lease)
        return None

    def _hold(self, item: Item, lease: Lease) -> None:
        """A job is in somebody's hands."""
        item.leases.append(lease)
        self.leases[lease.lease] = lease
        if lease.asked is not None:
            self.asked[lease.asked] = lease

    @property
    def driven(self) -> set[int]:
        """The ids of the studies that have a driver here, and a first job."""
        with self.lock:
            return {b.study_id for b in self.benches.values() if b.study_id is not None}

    def folder_of(self, fingerprint: str, study: str | None = None) -> str | None:
        """The folder with data of a study that is run; None where none needs them.

        Args:
            fingerprint: of the data.
            study: the only study that is meant; None for any.
        """
        with self.lock:
            for bench in self.benches.values():
                data = bench.data
                is_training = bench.kind == "training" and study in (None, bench.name)
                if is_training and data is not None and data.fingerprint == fingerprint:
                    return data.folder
        return None

    def has(self, name: str, job_id: str) -> tuple[bool, bool]:
        """Whether a job of a study is here, and whether this machine's own workers have it."""
        with self.lock:
            bench = self.benches.get(name)
            item = None if bench is None else bench.items.get(job_id)
            if bench is None or item is None:
                return False, False
            return True, bench.is_local(item)

    def workers_for(self, bench: Bench) -> int:
        """How many jobs of a study can be done at once, by those who have asked lately."""
        now = time.monotonic()
        counted, workers = self._counted.get(bench.name, (0.0, 1))
        if now - counted < COUNTED:
            return workers
        with self.lock:
            asks = Counter(waiter.taker.name for waiter in self._waiters)
            busy = Counter(one.holder for item in bench.items.values() for one in item.leases)
            able = {
                taker.name: taker.workers
                for taker, seen in self.takers.values()
                if now - seen < REMEMBERED
                and bench.kind in taker.kinds
                and taker.study in (None, bench.name)
            }
            # Who does not say how many it can do, can do what it has, and what it asks for.
            workers = sum(max(able.get(n, 0), busy[n] + asks[n]) for n in able.keys() | busy.keys())
            workers += self.local_workers if bench.kind == "training" else 0
            if bench.max_parallel is not None:
                workers = min(workers, bench.max_parallel)
            self._counted[bench.name] = now, max(1, workers)
        return max(1, workers)

    # What those do who lend workers

    def note(self, taker: Taker) -> None:
        """Somebody asks."""
        with self.lock:
            if taker.name not in self.takers:
                self._counted.clear()
            self.takers[taker.name] = taker, time.monotonic()

    def present(self) -> dict[str, str]:
        """Who has asked lately, or has a job: their names, and those of their tokens."""
        now = time.monotonic()
        with self.lock:
            holders = {lease.holder for lease in self.leases.values() if lease.is_open}
            found = {
                name: taker.token
                for name, (taker, seen) in self.takers.items()
                if now - seen < 2 * REMEMBERED
            }
            return dict.fromkeys(holders, "") | found

    def batches(self) -> Counter[int]:
        """How many transactions the ledgers had, by their number of writes."""
        with self.lock:
            return sum((b.ledger.batches for b in self.benches.values()), self._batches.copy())

    def ask(self, waiter: Waiter, *, waits: bool) -> bool:
        """Ask for a job.

        Args:
            waiter: is given it, at once or later.
            waits: whether to wait for one.

        Returns:
            Whether there was one.
        """
        self.note(waiter.taker)
        with self.lock:
            given = self._give(waiter)
            now = dict.fromkeys(_sought(waiter), time.monotonic())
            self._sought |= now
            if not given:
                self._in_vain |= now
            if not given and self.is_ending:
                waiter.end()
            elif not given and waits:
                self._waiters.append(waiter)
            return given

    def able(self) -> set[Sought]:
        """What somebody can do who has asked lately, or who is of this machine."""
        with self.lock:
            _forget_old(self._sought, ABLE)
            local = {("training", None)} if self.local_workers else set()
            return self._sought.keys() | local

    def unmet(self) -> set[Sought]:
        """What somebody asks for just now, and no study that has a driver can give."""
        with self.lock:
            _forget_old(self._in_vain, IN_VAIN)
            found = set(self._in_vain)
            for waiter in self._waiters:
                found.update(_sought(waiter))
            trainings = [bench for bench in self.benches.values() if bench.kind == "training"]
            have_room = any(bench.has_room for bench in trainings)
            if not have_room and sum(bench.local for bench in trainings) < self.local_workers:
                found.add(("training", None))
            return found

    def leave(self, waiter: Waiter) -> bool:
        """Wait no longer; False if a job has been given meanwhile."""
        with self.lock:
            if waiter in self._waiters:
                self._waiters.remove(waiter)
                return True
            return False

    def send_home(self) -> None:
        """The server stops: whoever waits, or asks from now on, has nothing to wait for."""
        with self.lock:
            self.is_ending = True
            while self._waiters:
                self._waiters.popleft().end()

    def _offer(self) -> None:
        """There is something for those who wait."""
        self.wake_local()
        for waiter in list(self._waiters):
            if not any(bench.has_room for bench in self.benches.values()):
                return
            if self._give(waiter):
                self._waiters.remove(waiter)

    def _give(self, waiter: Waiter) -> bool:
        taker = waiter.taker
        bench = self._next(taker.kinds, {waiter.study, taker.study} - {None})
        if bench is None or self.is_ending or taker.name in self.draining:
            return False
        item, now = self._take(bench), time.monotonic()
        seconds = waiter.seconds or self.seconds
        lease = Lease(
            uuid4().hex,
            bench,
            item.job_id,
            taker.name,
            seconds,
            utc_now(),
            now,
            now + seconds,
            item.limit,
            waiter.asked,
        )
        self._hold(item, lease)
        waiter.give(lease, bench.ledger.write(partial(insert, row=lease.row())))
        return True

    def _next(self, kinds: frozenset[str], names: set[str | None]) -> Bench | None:
        """The study that is served next.

        One of the highest priority; of the owner who has the fewest workers, of equal ones the one
        who was served longest ago; and of the owner's the one that has the fewest, of equal ones
        likewise.
        """
        benches = [
            bench
            for bench in self.benches.values()
            if bench.has_room and bench.kind in kinds and names <= {bench.name}
        ]
        if len(benches) < 2:
            return benches[0] if benches else None
        owners: Counter[str] = Counter()
        for bench in self.benches.values():
            owners[bench.owner] += bench.busy

        def turn(bench: Bench) -> tuple[float, ...]:
            owner = owners[bench.owner], self._served.get(bench.owner, 0.0)
            return -bench.priority, *owner, bench.busy, bench.served

        return min(benches, key=turn)

    def _take(self, bench: Bench) -> Item:
        """The next job of a study, which is given out."""
        bench.served = self._served[bench.owner] = time.monotonic()
        return bench.waiting.popleft()

    def take_local(self) -> tuple[Bench, Item] | None:
        """A job for a worker of this machine, which ends with this process and needs no lease."""
        with self.lock:
            bench = self._next(frozenset({"training"}), set())
            return None if bench is None else (bench, self._take(bench))

    def settle_local(self, bench: Bench, item: Item, settled: Settled) -> None:
        """A worker of this machine is done with a job."""
        with self.lock:
            if bench.items.get(item.job_id) is item:
                del bench.items[item.job_id]
        _settle(item.future, settled)

    def take_back(self, lease: Lease, *, first: bool = True) -> None:
        """A job waits for another, and no attempt is counted."""
        with self.lock:
            lease.is_open = False
            self._forget(lease)
            item = lease.item
            if item is None or lease not in item.leases:
                return
            item.leases.remove(lease)
            if not item.leases and not item.claimed:
                if first:
                    lease.bench.waiting.appendleft(item)
                else:
                    lease.bench.waiting.append(item)
                self._offer()

    def beat(self, lease: Lease) -> tuple[Order, str]:
        """A sign of life: what its holder is to do, and why."""
        with self.lock:
            lease.renew()
            item = lease.item
            if lease.order == "continue" and not lease.is_open and item in lease.bench.waiting:
                # It was taken for lost, and nobody else has begun.
                assert item is not None
                lease.is_open = True
                lease.bench.waiting.remove(item)
                item.leases.append(lease)
                lease.bench.ledger.write(partial(change, lease=lease.lease, state="open"))
            order: Order = lease.order
            if order == "continue" and lease.holder in self.draining:
                order = "drain"
            return order, lease.why

    def claim(self, lease: Lease) -> Item | None:
        """Take a job out of all other hands, to write down what is told of it.

        None if it is too late, or no driver waits for it just now.
        """
        with self.lock:
            item = lease.item
            if item is None or item.claimed:
                return None
            item.claimed = True
            if item in lease.bench.waiting:
                lease.bench.waiting.remove(item)
            return item

    def unclaim(self, lease: Lease, item: Item) -> None:
        """What was told of a job could not be written; it is as it was."""
        with self.lock:
            item.claimed = False
            if not item.leases:
                lease.bench.waiting.appendleft(item)

    def settle(self, lease: Lease, item: Item, settled: Settled) -> list[Lease]:
        """What was told of a claimed job is committed.

        Returns:
            The leases of others who have it, and are told to stop.
        """
        with self.lock:
            lease.is_open = False
            if lease.order == "continue":
                lease.order, lease.why = "stop", "this trial has been told"
            lease.bench.items.pop(item.job_id, None)
            others = [one for one in item.leases if one is not lease]
            for other in others:
                other.is_open = False
                other.order, other.why = "stop", "somebody else has done it"
            self._end([lease, *others])
        _settle(item.future, settled)
        return others

    def remember(self, bench_name: str, row: LeaseRow) -> None:
        """Something was told of a job that its driver has not put on the desk yet."""
        with self.lock:
            bench = self.benches.get(bench_name)
            if bench is None or bench.study_id is None:
                return
            item = bench.items.get(row.job)
            if item is not None and not item.claimed:
                self._settle_told(bench, item, row)
                return
            rows = bench.before.setdefault(row.job, deque())
            bench.before[row.job] = deque([r for r in rows if r.lease != row.lease])
            bench.before[row.job].appendleft(row)

    def followed(self) -> list[str]:
        """The leases of jobs that are not done, of which another server may hear."""
        with self.lock:
            return [lease.lease for lease in self.leases.values() if lease.item is not None]

    def hear(self, row: LeaseRow) -> None:
        """Another server of the database has heard of a lease."""
        with self.lock:
            lease = self.leases.get(row.lease)
            item = None if lease is None else lease.item
            if lease is None:
                return
            lease.is_open = lease.is_open and row.state in ("open", "lost")
            if item is None or item.claimed:
                return
            others = any(one.is_open for one in item.leases if one is not lease)
            if row.state == "open":
                lease.reports = reports_in(row.content) | lease.reports
                if row.beats != lease.beats:
                    lease.beats = row.beats
                    lease.renew()
            elif row.state == "told":
                self._settle_told(lease.bench, item, row)
            elif row.state == "released" or others:
                self.take_back(lease)
            elif row.state in ("broken", "again") and lease in item.leases:
                self._settle_told(lease.bench, item, row)

    def _settle_told(self, bench: Bench, item: Item, row: LeaseRow) -> None:
        del bench.items[item.job_id]
        if item in bench.waiting:
            bench.waiting.remove(item)
        for other in item.leases:
            other.is_open = False
            other.order, other.why = "stop", "somebody else has done it"
            if other.lease != row.lease:
                bench.ledger.write(partial(change, lease=other.lease, state="void"))
        self._end(item.leases)
        _settle(item.future, self._read(item, row))

    def expire(self) -> list[Lease]:
        """Part with those who give no sign of life, or take too long; forget who is long gone.

        Returns:
            Their leases, whose rows are to be changed.
        """
        now, lost = time.monotonic(), []
        with self.lock:
            holders = {lease.holder for lease in self.leases.values() if lease.is_open}
            for name, (_, seen) in list(self.takers.items()):
                if now - seen > FORGOTTEN and name not in holders:
                    del self.takers[name]
                    self.draining.discard(name)
            for lease in list(self.leases.values()):
                late = lease.limit is not None and now > lease.began + lease.limit + GRACE
                if lease.is_open and (now > lease.expires or late):
                    lease.why = (
                        "the training took longer than trial_seconds allows"
                        if late
                        else f"no sign of life from {lease.holder} for {lease.seconds:g} seconds"
                    )
                    if late:
                        lease.order = "stop"
                    lost.append(lease)
            return lost

    def lose(self, lease: Lease) -> None:
        """A lease has ended without a word; its job has failed once, unless another has it."""
        with self.lock:
            item = lease.item
            lease.is_open = False
            self._end([lease])
            if item is None or lease not in item.leases or item.claimed:
                return
            item.leases.remove(lease)
            if item.leases:
                return
            del lease.bench.items[item.job_id]
        _settle(item.future, BrokenElsewhereError(lease.why))

    def stop(self, bench: Bench, why: str) -> None:
        """Have all who work for a study end that."""
        with self.lock:
            bench.paused = True
            for item in bench.items.values():
                for lease in item.leases:
                    lease.order, lease.why = "stop", why

    def resume(self, bench: Bench) -> None:
        """Give out jobs of a study again."""
        with self.lock:
            bench.paused = False
            self._offer()

    def _end(self, leases: Iterable[Lease]) -> None:
        """Remember some of the leases that have ended, whose holders may have more to say."""
        self._ended.extend(lease.lease for lease in leases)
        while len(self._ended) > ENDED:
            lease = self.leases.get(self._ended.popleft())
            if lease is not None and not lease.is_open:  # one that was lost may have come back
                self._forget(lease)

    def _forget(self, lease: Lease) -> None:
        self.leases.pop(lease.lease, None)
        if lease.asked is not None and self.asked.get(lease.asked) is lease:
            del self.asked[lease.asked]


class DeskPool:
    """The desk as a driver's pool of workers; see `hpsearch.engine.executors.Pool`.

    Args:
        desk: has the workers.
        bench: of the driver's study.
    """

    kills = True

    def __init__(self, desk: Desk, bench: Bench) -> None:
        self._desk, self._bench = desk, bench

    @property
    def workers(self) -> int:
        """How many jobs can be done at once, now."""
        return self._desk.workers_for(self._bench)

    @property
    def ahead(self) -> int:
        """As many more, so that nobody who asks waits for the driver."""
        return self.workers

    def submit(
        self,
        function: Callable[[Any], T],
        /,
        job: Any,
        *,
        limit: float | None = None,
        key: Hashable = None,
    ) -> Future[T]:
        """Have whoever asks first do the job."""
        return self._desk.put(self._bench, function, job, limit, key)


def _sought(waiter: Waiter) -> list[Sought]:
    study = waiter.study or waiter.taker.study
    return [(kind, study) for kind in waiter.taker.kinds]


def _forget_old(when: dict[Sought, float], seconds: float) -> None:
    begin = time.monotonic() - seconds
    for one in [one for one, at in when.items() if at < begin]:
        del when[one]


def _settle(future: Future[Any], settled: Settled) -> None:
    if future.done():
        return
    if isinstance(settled, Exception):
        future.set_exception(settled)
    else:
        future.set_result(settled)


def _job_id(function: Callable[[Any], Any], job: Any, key: Hashable) -> str:
    """A trial's id; of another job what tells it from others, after a restart too."""
    if isinstance(key, int):
        return str(key)
    named = f"{function.__module__}.{function.__qualname__} {replace(job, data=None)!r}"
    return f"job-{sha256(named.encode()).hexdigest()[:24]}"
