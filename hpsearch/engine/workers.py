"""Worker processes on this machine, behind the interface of `concurrent.futures`."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

__all__ = ["Executor", "available_cores", "local_executor"]

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


class Executor(Protocol):
    """What the engine needs of a pool of workers; a part of `concurrent.futures.Executor`."""

    def submit(self, function: Callable[..., T], /, *args: Any) -> Future[T]:
        """Run the function in some worker."""
        ...


def available_cores() -> int:
    """The processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def local_executor(workers: int) -> Iterator[Executor]:
    """Worker processes that are gone when the block ends, however it ends.

    A worker that dies takes only its own job along: that job's future raises, a new worker starts,
    and the others go on. Workers start fresh (spawn) and import NumPy and the trainer, no more.

    Args:
        workers: how many processes.
    """
    with _environment(ONE_THREAD):
        pool = _Pool(workers)
        try:
            yield pool
        except BaseException:
            pool.stop()
            raise
        else:
            pool.close()


class _Pool:
    """Pebble's pool, because one killed worker ends a ProcessPoolExecutor and a loky pool alike.

    Pebble's breaks too when a worker dies before it has acknowledged its job; what was in flight
    then raises, and a new pool takes its place.
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._pool = self._start()

    def _start(self) -> Any:
        from pebble import ProcessPool

        return ProcessPool(
            max_workers=self._workers,
            initializer=_start_worker,
            context=multiprocessing.get_context("spawn"),
        )

    def submit(self, function: Callable[..., T], /, *args: Any) -> Future[T]:
        """Run the function in some worker."""
        if not self._pool.active:
            self.stop()
            self._pool = self._start()
        future: Future[T] = self._pool.schedule(function, args=args)
        return future

    def close(self) -> None:
        """Let the jobs end, then the workers."""
        self._pool.close()
        self._pool.join()

    def stop(self) -> None:
        """End the workers now."""
        self._pool.stop()
        self._pool.join()


def _start_worker() -> None:
    # Ctrl-C reaches every process of the terminal; the driver alone decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """Variables that child processes inherit while the block lasts."""
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
