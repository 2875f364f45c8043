"""Worker processes on this machine."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from multiprocessing import connection, forkserver
from multiprocessing.context import BaseContext, ForkServerContext, ForkServerProcess
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Any, TypeVar

from hpsearch.engine.executors import Pool
from hpsearch.errors import RunError

if TYPE_CHECKING:
    from pebble import ProcessPool

__all__ = ["available_cores", "process_pool", "start_server"]

T = TypeVar("T")

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


def available_cores() -> int:
    """The processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def start_server() -> None:
    """Start the process that workers are forked from: it imports NumPy while the driver imports.

    Without it, `process_pool` starts that process.
    """
    if "forkserver" in multiprocessing.get_all_start_methods():
        with _environment():
            _context()
            forkserver.ensure_running()


@contextmanager
def process_pool(workers: int) -> Iterator[Pool]:
    """Worker processes that are gone when the block ends, however it ends.

    A worker that dies, or is killed since its job passed the limit, takes only that job along: its
    future raises, a new worker starts, and the others go on. Workers are forked from a process that
    has imported NumPy and the trainer, no more; they end by themselves when their driver has died.

    Args:
        workers: how many processes.
    """
    with _environment():
        pool = _Processes(workers)
        try:
            yield pool
        finally:
            pool.stop()


class _Processes:
    """One of Pebble's pools for each worker.

    One killed worker ends a ProcessPoolExecutor and a loky pool with every job in it; and a pool of
    Pebble too, if the worker dies before it has acknowledged its job. A pool of one loses one job.
    """

    def __init__(self, workers: int) -> None:
        self._pools: list[ProcessPool] = [_start_pool() for _ in range(workers)]
        self._given: list[list[Future[Any]]] = [[] for _ in range(workers)]
        # Start them now, while the driver has other things to do than to wait for them.
        self._starter = threading.Thread(target=self._start, daemon=True)
        self._starter.start()

    @property
    def workers(self) -> int:
        """How many there are."""
        return len(self._pools)

    @property
    def ahead(self) -> int:
        """One for each; a worker that dies does not take the job along that waits for it."""
        return len(self._pools)

    def submit(
        self, function: Callable[[Any], T], /, job: Any, *, limit: float | None = None
    ) -> Future[T]:
        """Run the function in the worker that has the least to do."""
        self._starter.join()
        for futures in self._given:
            futures[:] = [future for future in futures if not future.done()]
        worker = min(range(len(self._pools)), key=lambda k: len(self._given[k]))
        future = self._schedule(worker, function, job, limit)
        self._given[worker].append(future)
        return future

    def _schedule(
        self, worker: int, function: Callable[[Any], T], job: Any, limit: float | None
    ) -> Future[T]:
        """Give a job to a worker; one whose pool has broken gets a new pool first."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                if self._pools[worker].active:
                    return self._pools[worker].schedule(function, (job,), timeout=limit)
            except (RuntimeError, OSError):  # it broke just now, or cannot start a process
                pass
            if time.monotonic() > deadline:
                break
            _end(self._pools[worker])
            self._pools[worker] = _start_pool()
            time.sleep(0.05)
        broken: Future[T] = Future()
        broken.set_exception(
            RunError(
                "no worker process can be started on this machine; look for free memory, and for "
                "room in /dev/shm and where TMPDIR leads, and run the same command again"
            )
        )
        return broken

    def _start(self) -> None:
        for worker in range(len(self._pools)):
            self._schedule(worker, _nothing, None, None)

    def stop(self) -> None:
        """End all workers now, whatever they do."""
        self._starter.join()
        _end(*self._pools)


def _start_pool() -> ProcessPool:
    from pebble import ProcessPool

    return ProcessPool(max_workers=1, initializer=_start_worker, context=_context())


def _context() -> BaseContext:
    """How workers start: in milliseconds, from a process that imports what they need once."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = _Context()
    context.set_forkserver_preload(["hpsearch.training.jobs", __name__, SERVER])
    return context


class _Worker(ForkServerProcess):
    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments | {"name": WORKER})


class _Context(ForkServerContext):
    Process = _Worker


def _end(*pools: ProcessPool) -> None:
    """Kill the workers of some pools, which hold nothing that needs a gentle end.

    Pebble would ask them to end, one after the other, and give each three seconds; a process that
    was stopped does not hear it. And its threads look around every tenth of a second, which nobody
    has to wait for.
    """
    for pool in pools:
        pool.stop()  # type: ignore[no-untyped-call]
    processes = [process for pool in pools for process in _processes(pool)]
    for process in processes:
        with suppress(OSError, ValueError):  # it is gone already
            process.kill()
    # The process that workers are forked from tells of their ends, unless it is stopped itself.
    server = getattr(multiprocessing, "forkserver", None)
    pid = getattr(getattr(server, "_forkserver", None), "_forkserver_pid", None)
    if pid is not None:
        with suppress(OSError):
            os.kill(pid, signal.SIGCONT)
    rest = threading.Thread(target=_join, args=pools, daemon=True)
    rest.start()
    if not processes:
        rest.join()
    for process in processes:
        with suppress(OSError, ValueError):
            connection.wait([process.sentinel], timeout=1.0)


def _processes(pool: ProcessPool) -> list[BaseProcess]:
    """A pool's processes; none should Pebble keep them elsewhere one day, and then it ends them."""
    manager = getattr(getattr(pool, "_pool_manager", None), "worker_manager", None)
    return list(getattr(manager, "workers", {}).values())


def _join(*pools: ProcessPool) -> None:
    for pool in pools:
        with suppress(Exception):  # of processes that are gone
            pool.join()


def _nothing(_: None) -> None:
    pass


def _start_worker() -> None:
    # Ctrl-C reaches every process of the terminal; the driver alone decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "SCHED_BATCH"):  # Linux: computes all the time, so let the driver go first
        with suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    threading.Thread(target=_end_with_driver, daemon=True).start()


def _end_with_driver() -> None:
    """Wait until the driver has died, then end: a killed driver cannot end its workers."""
    driver = multiprocessing.parent_process()
    assert driver is not None
    driver.join()
    os._exit(1)


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
