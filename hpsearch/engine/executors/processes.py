"""Worker processes on this machine."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import connection, forkserver
from multiprocessing.context import BaseContext, ForkServerContext, ForkServerProcess
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import ForkingPickler
from queue import SimpleQueue
from typing import Any, TypeAlias, TypeVar

from hpsearch.engine.executors import WorkerDiedError
from hpsearch.errors import RunError

__all__ = ["ONE_THREAD", "Processes", "available_cores", "preload", "process_pool", "start_server"]

T = TypeVar("T")
Pipe: TypeAlias = "connection.Connection[Any, Any]"

ONE_THREAD = dict.fromkeys(
    (
        "OPENBLAS_NUM_THREADS",
        "OMP_NUM_THREADS",
        "MKL_NUM_THREADS",
        "BLIS_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS",
    ),
    "1",
)
"""One BLAS thread a worker: more of them fight each other for the same cores."""


QUIET_TRACKER = "ignore:resource_tracker:UserWarning"
"""A filter of Python's warnings: of the process that multiprocessing starts to clean up behind a
driver. When a driver is killed, it does so, and complains into a terminal that others use by then.
"""

SERVER = "hpsearch.engine.executors.server"
"""Imported by the process that workers are forked from, and by no other."""

WORKER = "hpsearch-worker"
"""The name of a worker's process."""

START_SECONDS = 10.0
"""Seconds in which a worker is started anew for one job, however often a start is killed."""

PAUSE = 0.05
"""Seconds between two such starts."""

LOOK = 0.1
"""Seconds between two looks of a worker without a process at whether the pool has ended."""

NO_PROCESS = (
    "no worker process can be started on this machine; look for free memory, and for room where "
    "TMPDIR leads, and run the same command again"
)


def available_cores() -> int:
    """The processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


_preloaded: list[str] = []
"""What the process imports that workers are forked from; it is one a driver, as they are."""


def preload(modules: Sequence[str]) -> None:
    """Have modules imported once, before workers are forked; later it is of no effect.

    Args:
        modules: their names; one that cannot be imported is left to the workers.
    """
    _preloaded[:] = modules


def start_server() -> None:
    """Start the process that workers are forked from: it imports while the driver imports.

    Without it, `process_pool` starts that process.
    """
    if "forkserver" in multiprocessing.get_all_start_methods():
        with _environment():
            _context()
            forkserver.ensure_running()


@contextmanager
def process_pool(workers: int) -> Iterator[Processes]:
    """Worker processes that are gone when the block ends, however it ends.

    A worker that dies, or is killed since its job passed the limit, takes only that job along: its
    future raises, a new worker starts, and the others go on. Workers are forked from a process that
    has imported what `preload` says, no more; they end by themselves when their driver has died.

    Args:
        workers: how many processes.
    """
    with _environment():
        pool = Processes(workers)
        try:
            yield pool
        finally:
            pool.stop()


class Processes:
    """Workers that share nothing, so that the death of one is no other's; see `Pool`.

    Args:
        workers: how many processes.
    """

    kills = True

    def __init__(self, workers: int) -> None:
        self._workers = [_Worker() for _ in range(workers)]

    @property
    def workers(self) -> int:
        """How many there are."""
        return len(self._workers)

    @property
    def ahead(self) -> int:
        """One for each; a worker that dies does not take the job along that waits for it."""
        return len(self._workers)

    def submit(
        self,
        function: Callable[[Any], T],
        /,
        job: Any,
        *,
        limit: float | None = None,
        key: Hashable = None,
    ) -> Future[T]:
        """Run the function in the worker that has the least to do."""
        del key
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()  # it cannot be taken back
        try:
            call = bytes(ForkingPickler.dumps((function, job)))
        except Exception as error:  # whatever the job's own code raises
            future.set_exception(error)
        else:
            min(self._workers, key=lambda worker: worker.load).give(_Given(call, limit, future))
        return future

    def kill(self, future: Future[Any]) -> None:
        """Kill the worker that does a job; its future raises, and another worker starts.

        A job that is just beginning is done all the same, unless it is killed again.
        """
        for worker in self._workers:
            worker.kill(future)

    def stop(self) -> None:
        """End all workers now, whatever they do."""
        # The process that workers are forked from tells of their ends, unless it is stopped itself.
        server = getattr(multiprocessing, "forkserver", None)
        pid = getattr(getattr(server, "_forkserver", None), "_forkserver_pid", None)
        if pid is not None:
            with suppress(OSError):
                os.kill(pid, signal.SIGCONT)
        for process in [worker.end() for worker in self._workers]:
            if process is not None:
                with suppress(OSError, ValueError):
                    connection.wait([process.sentinel], timeout=1.0)


@dataclass(frozen=True, eq=False)
class _Given:
    """A job on its way: the pickled call, the seconds that it may take, and who waits for it."""

    call: bytes
    limit: float | None
    future: Future[Any]


class _Worker:
    """A process, the jobs it was given, and a thread that listens to it.

    The process tells None when it begins with a job, then (True, result) or (False, error). Nobody
    else holds its end of the pipe, so the pipe ends when the process does, were it in the middle of
    a message. Its successor is given all that it had not begun with.

    Pebble's pools, used before, lose a job now and then when a worker is killed: one that is given
    while the pool breaks, and one whose acknowledgement is read after the death is noticed.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()  # guards what follows
        self._given: deque[_Given] = deque()  # the first is under way, or next
        self._process: BaseProcess | None = None
        self._pipe: Pipe | None = None  # None while no process lives
        self._began: float | None = None  # with the first, by the monotonic clock
        self._failing: float | None = None  # since when no process has lived to begin
        self._ended = False
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def load(self) -> int:
        """How many jobs it has."""
        return len(self._given)

    def give(self, given: _Given) -> None:
        """Have a job done after the others."""
        with self._changed:
            self._given.append(given)
            if self._pipe is not None:
                _send(self._pipe, given)
            self._changed.notify()

    def kill(self, future: Future[Any]) -> None:
        """Kill the process if that is the job which it does."""
        with self._changed:
            if self._began is not None and self._given[0].future is future:
                assert self._process is not None
                with suppress(OSError, ValueError):
                    self._process.kill()

    def end(self) -> BaseProcess | None:
        """Kill the process, which holds nothing that needs a gentle end, and start no other.

        It takes no lock: whoever has it may be sending to a process that was stopped.
        """
        self._ended = True
        process = self._process
        if process is not None:
            with suppress(OSError, ValueError):  # it is gone already
                process.kill()
        return process

    def _listen(self) -> None:
        with self._changed:
            self._start()  # now, while the driver has other things to do than to wait for it
        while (pipe := self._living()) is not None:
            try:
                in_time = pipe.poll(self._left())
                told = pipe.recv() if in_time else None
            except (EOFError, OSError):
                self._bury()
                continue
            except Exception as error:  # of the result's own code, while it is unpickled
                told = False, error
            if not in_time:
                self._bury(TimeoutError("the job took longer than its limit"))
            elif told is None:
                self._began, self._failing = time.monotonic(), None
            else:
                self._settle(*told)

    def _living(self) -> Pipe | None:
        """The pipe to a living process, started anew where it has a job; None once all is over."""
        with self._changed:
            while self._pipe is None and not self._ended:
                if not self._given:
                    self._changed.wait(LOOK)
                elif self._failing is None:
                    self._start()
                elif time.monotonic() < self._failing + START_SECONDS:
                    self._changed.wait(PAUSE)
                    self._start()
                else:
                    self._failing = None
                    self._settle(False, RunError(NO_PROCESS))
            return None if self._ended else self._pipe

    def _start(self) -> None:
        """Start a process and give it all that waits; where that fails there is none."""
        try:
            ours, theirs = multiprocessing.Pipe()
            with theirs:
                process = _context().Process(target=_work, args=(theirs,))  # type: ignore[attr-defined]
                process.start()
        except (OSError, EOFError):
            self._failing = self._failing or time.monotonic()
            return
        self._process, self._pipe = process, ours
        if self._ended:
            process.kill()
        for given in self._given:
            _send(ours, given)

    def _left(self) -> float | None:
        """The seconds that are left of the first job's limit; None for as long as it takes."""
        if self._began is None or (limit := self._given[0].limit) is None:
            return None
        return max(0.0, self._began + limit - time.monotonic())

    def _settle(self, succeeded: bool, outcome: Any) -> None:
        """Tell what came of the first job."""
        with self._changed:
            future, self._began = self._given.popleft().future, None
        if succeeded:
            future.set_result(outcome)
        else:
            future.set_exception(outcome)

    def _bury(self, error: Exception | None = None) -> None:
        """Part with the process, dead or to be killed: it takes the job along that it had begun."""
        with self._changed:
            assert self._process is not None
            assert self._pipe is not None
            with suppress(OSError, ValueError):
                self._process.kill()
                self._process.join(1.0)
            self._pipe.close()
            self._pipe = None
        if self._began is not None:
            self._settle(False, error or WorkerDiedError(self._process.exitcode))
        elif self._given:
            self._failing = self._failing or time.monotonic()


def _send(pipe: Pipe, given: _Given) -> None:
    with suppress(OSError):  # it has died, and its successor is given the job
        pipe.send_bytes(given.call)


def _context() -> BaseContext:
    """How workers start: in milliseconds, from a process that imports what they need once."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = _Context()
    context.set_forkserver_preload([*_preloaded, __name__, SERVER])
    return context


class _Forked(ForkServerProcess):
    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments | {"name": WORKER})


class _Context(ForkServerContext):
    Process = _Forked


def _work(pipe: Pipe) -> None:
    """What a worker's process does: one job after the other, until its driver has died."""
    # Ctrl-C reaches every process of the terminal; the driver alone decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "SCHED_BATCH"):  # Linux: computes all the time, so let the driver go first
        with suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    # A process that a job forks is no worker: it may neither answer nor outlive one unnoticed.
    os.register_at_fork(after_in_child=pipe.close)
    calls: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_receive, args=(pipe, calls), daemon=True).start()
    with suppress(OSError):
        while True:
            told = _called(calls.get(), pipe)
            try:
                pipe.send(told)
            except OSError:
                raise
            except Exception as error:  # of the result's own code, while it is pickled
                pipe.send((False, RuntimeError(f"its result cannot be sent: {error}")))


def _receive(pipe: Pipe, calls: SimpleQueue[bytes]) -> None:
    """Have the next job at hand, and end with the driver, which cannot end anybody once killed."""
    with suppress(EOFError, OSError):
        while True:
            calls.put(pipe.recv_bytes())
    os._exit(1)


def _called(call: bytes, pipe: Pipe) -> tuple[bool, Any]:
    """Do a job, and say so once it begins: what it imports first takes nothing off its time."""
    try:
        function, job = pickle.loads(call)
        pipe.send(None)
        return True, function(job)
    except Exception as error:  # it is the driver's to judge
        return False, error


@contextmanager
def _environment() -> Iterator[None]:
    """The variables that workers inherit while the block lasts."""
    filters = ",".join(filter(None, (os.environ.get("PYTHONWARNINGS"), QUIET_TRACKER)))
    variables = ONE_THREAD | {"PYTHONWARNINGS": filters}
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
