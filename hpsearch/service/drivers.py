"""The drivers of studies: a thread for each, which runs it as `hpsearch run` would.

A driver has a storage of its own, since it alone may write to its study; its workers are those at
the desk. What it does is the engine's: here is only when it begins, and how it is ended.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from hpsearch.engine.budget import plan_search
from hpsearch.engine.events import DataReady, Event, Finished, Ready
from hpsearch.engine.interrupts import Interrupts
from hpsearch.engine.run import run_in
from hpsearch.engine.runner import Runner
from hpsearch.errors import HeldError, HpsearchError, StorageError, TakenOverError
from hpsearch.service import queue
from hpsearch.service.bench import Bench, Kind
from hpsearch.service.deleting import delete_doomed
from hpsearch.service.desk import Desk, DeskPool, Sought
from hpsearch.service.leaders import Leaders
from hpsearch.service.logs import about
from hpsearch.service.pace import Pace
from hpsearch.service.queue import Queued
from hpsearch.storage import open_storage, storage_errors
from hpsearch.study_file import StudyFile

if TYPE_CHECKING:
    from hpsearch.service.models import State
    from hpsearch.storage import WriteBehindStorage

__all__ = ["Drivers", "kind_of"]

log = logging.getLogger("hpsearch.service")

STAY = 5.0
"""Seconds that a study keeps its driver at least, if others wait for one; and after so many without
anybody who does its trials it gives way."""

TURN = 60.0
"""Seconds after which a study gives way to others of its priority that somebody can do."""

LOOK = 1.0
"""Seconds between two looks at what is queued, if nobody says that there is something."""

AGAIN = 5.0
"""Seconds until a study is tried again that could not be run."""

SETTLED = 3 * LOOK
"""Seconds after which every server of a database has read that a study is being deleted."""

HEARD = 2.0
"""Seconds between two looks at a study that another server, or `hpsearch run`, has."""

OnStudy = Callable[[str, Event | None], None]
"""Told of an event of a study; None where its state has changed."""


class HaltedError(Exception):
    """A driver is asked to end; what it has begun goes on with the next one."""


class Halt(Interrupts):
    """What asks a driver to end, in the place of signals."""

    def __init__(self) -> None:
        super().__init__()
        self._halted = threading.Event()

    def halt(self) -> None:
        """End at the next safe point."""
        self._halted.set()

    def check(self) -> None:
        """Stop here if the driver is to end.

        Raises:
            HaltedError: it is.
        """
        if self._halted.is_set():
            raise HaltedError


def kind_of(study: StudyFile) -> Kind:
    """What it takes to do the trials of a study."""
    kind = study.objective.kind
    return "training" if study.objective.learns else "function" if kind == "function" else "values"


@lru_cache(maxsize=20_000)
def _kind(file: str) -> Kind:
    return kind_of(StudyFile.model_validate_json(file))


def _rank(bench: Bench) -> tuple[Any, ...]:
    """The first one is the first to give way."""
    return not _is_idle(bench), bench.priority, bench.busy > 0, bench.opened


def _is_idle(bench: Bench) -> bool:
    """Whether a study has trials that nobody wants."""
    long_ago = time.monotonic() - bench.served >= STAY
    return bool(bench.waiting) and not bench.busy and long_ago


def _gives_way(bench: Bench, row: Queued, *, able: bool, unmet: bool) -> bool:
    """Whether a study gives way to one that waits for a driver.

    Args:
        bench: of the study that has one.
        row: of the one that waits.
        able: whether somebody can do what is of its kind.
        unmet: whether somebody just asks for it, and gets nothing.
    """
    age = time.monotonic() - bench.opened
    if age < STAY:
        return False
    is_higher = row.priority > bench.priority
    if _is_idle(bench) and (is_higher or unmet):
        return True
    # The trainings of this machine would begin anew.
    its_turn = row.priority == bench.priority and age >= TURN and not bench.local
    return able and (is_higher or its_turn)


class _Driver:
    """A study that is run.

    Attributes:
        bench: its place at the desk.
        halt: asks it to end.
        pace: how fast it gets on.
        gives_way: whether it ends for another study that waits for a driver.
    """

    def __init__(self, row: Queued) -> None:
        self.row = row
        self.halt = Halt()
        self.bench: Bench | None = None
        self.pace: Pace | None = None
        self.thread: threading.Thread | None = None
        self.gives_way = False

    @property
    def has_begun(self) -> bool:
        """Whether it has held its study."""
        return self.bench is not None and self.bench.study_id is not None


class Drivers:
    """Runs what is queued, so many studies at once.

    Args:
        store: of the queue.
        desk: has the workers.
        most: how many studies at once.
        server: the name of this one.
        on_study: told of everything that happens.

    Attributes:
        leaders: who else runs studies of the database.
        waits: why studies have no driver here that are queued, in sentences by their names.
    """

    def __init__(
        self,
        store: WriteBehindStorage,
        desk: Desk,
        *,
        most: int,
        server: str,
        on_study: OnStudy = lambda _name, _event: None,
    ) -> None:
        self._store, self._desk, self._most = store, desk, most
        self._server, self._on_study = server, on_study
        self.leaders = Leaders()
        self.waits: Mapping[str, str] = {}
        self._lock = threading.Lock()
        self._driven: dict[str, _Driver] = {}
        self._not_before: dict[str, tuple[float, str]] = {}  # and why
        self._next: list[str] = []  # those to which another gives way
        self._held: set[str] = set()  # get no driver just now
        self._doomed: dict[str, float] = {}  # are being deleted, and since when that is known
        self._states: dict[str, tuple[str, str]] = {}  # as told last
        self._is_alone = store.connection.tells_version  # one server has a SQLite file
        self._wake, self._ending = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="hpsearch-drivers", daemon=True)

    def start(self) -> None:
        """Begin with what is queued."""
        self._wake.set()
        self._thread.start()

    def wake(self) -> None:
        """Something in the queue has changed."""
        self._wake.set()

    def stop(self, patience: float) -> None:
        """End all drivers; their studies go on when a server starts again.

        Args:
            patience: seconds.
        """
        self._ending.set()
        self._wake.set()
        end = time.monotonic() + patience
        for driver in self.all():
            driver.halt.halt()
        for driver in self.all():
            if driver.thread is not None:
                driver.thread.join(max(0.0, end - time.monotonic()))
        self._thread.join(max(0.0, end - time.monotonic()))

    def all(self) -> list[_Driver]:
        """Those that there are."""
        with self._lock:
            return list(self._driven.values())

    @property
    def begins(self) -> bool:
        """Whether a study is being opened, so that its data are not known yet."""
        benches = [driver.bench for driver in self.all()]
        return any(b is None or (b.kind == "training" and b.data is None) for b in benches)

    def drives(self, name: str) -> bool:
        """Whether a study has a driver here."""
        return name in self._driven

    def left(self, name: str) -> float | None:
        """Estimated seconds until a study is over; None where nobody can tell."""
        driver = self._driven.get(name)
        if driver is None or driver.bench is None or driver.pace is None or driver.bench.paused:
            return None
        return driver.pace.left(driver.bench.busy)

    def halt(self, name: str, patience: float = 10.0) -> bool:
        """End the driver of a study, if it has one here.

        Returns:
            Whether it has ended.
        """
        with self._lock:
            driver = self._driven.get(name)
        if driver is None:
            return True
        driver.halt.halt()
        if driver.thread is not None:
            driver.thread.join(patience)
        return not self.drives(name)

    @contextmanager
    def without(self, name: str) -> Iterator[bool]:
        """A study without a driver here for the time of a block; it gets one again after it.

        Returns:
            Whether the one that it had has ended.
        """
        with self._lock:
            self._held.add(name)
        try:
            yield self.halt(name)
        finally:
            with self._lock:
                self._held.discard(name)
            self.wake()

    def _run(self) -> None:
        while not self._ending.is_set():
            self._wake.wait(LOOK)
            self._wake.clear()
            try:
                self._look()
            except Exception as error:  # a full disk, a server of databases that is away
                log.warning("the queue cannot be read", extra=about(why=str(error)))
                self._ending.wait(LOOK)

    def _look(self) -> None:
        with self._store.connection.reading() as connection:
            rows = queue.all_queued(connection)
            doomed = queue.doomed(connection)
            elsewhere = self.leaders.look(connection)
        self._tell_states({row.name: (row.state, row.since) for row in rows})
        self._end_orphans({row.name: row for row in rows})
        self._delete(doomed, elsewhere)
        waiting, waits = [], {}
        for row in sorted(rows, key=lambda row: row.name not in self._next):
            driver = self._driven.get(row.name)
            if driver is not None:
                if row.name in elsewhere and driver.has_begun:  # this machine was suspended
                    driver.halt.halt()
                self._steer(driver, row)
            elif row.state in ("queued", "running"):
                until, why = self._not_before.get(row.name, (0.0, ""))
                if time.monotonic() >= until and row.name in elsewhere:
                    until, why = time.monotonic() + HEARD, f"it is run by {elsewhere[row.name]}"
                    self._not_before[row.name] = until, why
                    self._on_study(row.name, None)  # something will have happened to it
                if time.monotonic() < until:
                    waits[row.name] = why
                elif self._is_full:
                    waiting.append(row)
                else:
                    self._start(row)
        told = f"{self._most} studies are searched at once, and this one waits for its turn"
        self.waits = waits | dict.fromkeys([row.name for row in waiting], told)
        self._make_room(waiting)

    @property
    def _is_full(self) -> bool:
        return len(self._driven) >= self._most

    def _start(self, row: Queued) -> None:
        """Give a study a driver."""
        with self._lock:
            if self._ending.is_set() or row.name in self._held:
                return
            driver = _Driver(row)
            driver.thread = threading.Thread(
                target=partial(self._drive, driver),
                name=f"hpsearch-driver-{row.name}"[:60],
                daemon=True,
            )
            driver.thread.start()
            self._driven[row.name] = driver  # not before it can be waited for

    def _make_room(self, waiting: Sequence[Queued]) -> None:
        """Have studies give way to others that wait for a driver.

        What somebody has of a study that gives way stays theirs, until it has a driver again.
        """
        names = {row.name for row in waiting}
        self._next = [name for name in self._next if name in names]
        able, unmet = self._desk.able(), self._desk.unmet()
        driven = self.all()
        may = [(driver, driver.bench) for driver in driven if not driver.gives_way]
        order = [(_rank(bench), driver, bench) for driver, bench in may if bench is not None]
        order.sort(key=lambda one: one[0])
        owners = Counter(driver.row.owner for driver in driven)

        def is_in(sought: set[Sought], row: Queued) -> bool:
            kind = _kind(row.file)
            return (kind, None) in sought or (kind, row.name) in sought

        def place(row: Queued) -> tuple[Any, ...]:
            return not is_in(unmet, row), -row.priority, owners[row.owner], row.since

        new = [row for row in waiting if row.name not in self._next]
        for row in sorted(new, key=place)[: self._most] if order else ():
            for one in order:
                _, driver, bench = one
                if _gives_way(bench, row, able=is_in(able, row), unmet=is_in(unmet, row)):
                    order.remove(one)
                    self._next.append(row.name)
                    driver.gives_way = True
                    driver.halt.halt()
                    break

    def _end_orphans(self, rows: Mapping[str, Queued]) -> None:
        """End drivers whose studies are no more, or are others now."""
        for driver in self.all():
            row = rows.get(driver.row.name)
            if row is None or row.submitted != driver.row.submitted:
                if driver.bench is not None:
                    self._desk.stop(driver.bench, "the study was deleted")
                driver.halt.halt()

    def _delete(self, doomed: Mapping[str, str], elsewhere: Mapping[str, str]) -> None:
        """Delete what is to be deleted and is run by nobody any more.

        Whichever server comes first does it, so that one which dies leaves nothing half deleted.

        Args:
            doomed: the state that each was in.
            elsewhere: where each study is run that is run by others.
        """
        now = time.monotonic()
        self._doomed = {name: self._doomed.get(name, now) for name in doomed}
        for name, state in doomed.items():
            # A driver of another server may have read of the study just before that.
            may_begin = not self._is_alone and state in ("queued", "running")
            if may_begin and now - self._doomed[name] < SETTLED:
                continue
            if self.drives(name) or name in elsewhere:
                continue
            try:
                delete_doomed(self._store, name)
            except Exception as error:
                facts = about(study=name, why=str(error))
                log.warning("a study cannot be deleted just now", extra=facts)
                continue
            self._not_before.pop(name, None)
            self._desk.over(name)

    def _tell_states(self, states: dict[str, tuple[str, str]]) -> None:
        """Tell of studies that were submitted, steered or deleted, here or at another server."""
        before, self._states = self._states, states
        for name, _ in before.items() ^ states.items():
            self._on_study(name, None)

    def steer(self, row: Queued) -> None:
        """Have a driver here, if there is one, do at once what was said of its study."""
        driver = self._driven.get(row.name)
        if driver is not None:
            self._steer(driver, row)
        self._wake.set()

    def _steer(self, driver: _Driver, row: Queued) -> None:
        """Have a driver do what was said of its study, here or at another server."""
        bench = driver.bench
        if bench is not None:
            bench.priority, bench.max_parallel = row.priority, row.max_parallel
        if row.state == "paused":
            if bench is not None:
                bench.paused = True
            if bench is None or not bench.busy:
                driver.halt.halt()
        elif row.state == "stopped":
            if bench is not None:
                self._desk.stop(bench, row.why or "the study was stopped")
            driver.halt.halt()
        elif row.file != driver.row.file:  # it has a larger budget now
            driver.halt.halt()
        elif bench is not None and bench.paused:
            with suppress(HaltedError):  # it was steered again
                self._begin(row)
            self._desk.resume(bench)

    def _drive(self, driver: _Driver) -> None:
        name = driver.row.name
        state: State | None
        try:
            state, why = self._driven_to(driver)
        except HaltedError:
            state, why = ("queued" if driver.gives_way else None), ""
        except (HeldError, TakenOverError) as error:
            self._not_before[name] = time.monotonic() + AGAIN, str(error)
            state, why = None, str(error)
        except StorageError as error:  # a full disk, or a database that is away, is no end
            log.warning("study held up", extra=about(study=name, why=str(error)))
            self._not_before[name] = time.monotonic() + AGAIN, str(error)
            state, why = None, str(error)
        except HpsearchError as error:
            state, why = "failed", str(error)
        except Exception as error:
            log.exception("fault of a driver", extra=about(study=name))
            state, why = "failed", f"{type(error).__name__}: {error}"
        try:
            if state is not None:
                self._end(driver.row, state, why)
                level = logging.WARNING if state == "failed" else logging.INFO
                log.log(level, f"study {state}", extra=about(study=name, why=why or None))
        except Exception as error:
            facts = about(study=name, state=state, why=str(error))
            log.warning("the state of a study cannot be written", extra=facts)
        finally:
            with self._lock:
                self._driven.pop(name, None)
        self._desk.over(name)
        self._on_study(name, None)
        self._wake.set()

    def _driven_to(self, driver: _Driver) -> tuple[State, str]:
        """Run a study to its end.

        Raises:
            HaltedError: it was ended before.
            HpsearchError: it cannot be run.
        """
        row = driver.row
        study = row.study
        with open_storage(self._store.connection.url) as store, storage_errors(store.url):
            bench = Bench(
                row.name,
                row.owner,
                kind_of(study),
                store,
                priority=row.priority,
                max_parallel=row.max_parallel,
            )
            self._begin(row)
            log.info("study running", extra=about(study=row.name))
            driver.pace = Pace(study)
            driver.bench = bench
            self._desk.open(bench)
            try:
                runner = Runner(store, DeskPool(self._desk, bench), driver.halt)
                runner.serves = True
                run_in(
                    runner,
                    study,
                    plan_search(study),
                    partial(self._heard, bench, driver.pace),
                    baselines=row.option.get("baselines", True),
                    first=row.option.get("first"),
                )
            finally:
                self._desk.close(bench)
        return "finished", ""

    def _heard(self, bench: Bench, pace: Pace, event: Event) -> None:
        pace.count(event)
        if isinstance(event, Ready | DataReady):
            bench.measure = event.measure
        if not isinstance(event, Finished):
            self._on_study(bench.name, event)

    def _begin(self, row: Queued) -> None:
        """A study is run.

        Raises:
            HaltedError: somebody has changed, steered or deleted it since it was looked at.
        """
        with self._store.transaction() as connection:
            now = queue.queued(connection, row.name, lock=True)
            if now is None or not now.is_of(row) or now.state not in ("queued", "running"):
                raise HaltedError
            if now.state == "queued":
                queue.begins(connection, now, self._server)

    def _end(self, row: Queued, state: State, why: str) -> None:
        """A study has ended, unless it was extended at the last moment and goes on.

        One that has only given way is queued, unless it was steered.
        """
        with self._store.transaction() as connection:
            now = queue.queued(connection, row.name, lock=True)
            if now is None or not now.is_of(row):
                return
            if state != "queued" or now.state == "running":
                queue.change(connection, row.name, state, why, self._server)
