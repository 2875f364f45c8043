"""Pools of workers behind one interface: processes of this machine, a Dask cluster, or your own."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

from hpsearch.errors import RunError
from hpsearch.outcome import ProcessDiedError

__all__ = ["Pool", "WorkerDiedError", "borrowed_pool"]

T = TypeVar("T")


class Pool(Protocol):
    """What the engine needs of a pool of workers, after `concurrent.futures.Executor`."""

    @property
    def workers(self) -> int:
        """How many jobs it can run at once, now."""
        ...

    @property
    def kills(self) -> bool:
        """Whether a job that takes too long can be killed."""
        ...

    @property
    def ahead(self) -> int:
        """How many jobs more it is well given, so that workers have the next at hand."""
        ...

    def submit(
        self,
        function: Callable[[Any], T],
        /,
        job: Any,
        *,
        limit: float | None = None,
        key: Hashable = None,
    ) -> Future[T]:
        """Run the function in some worker, which is killed if it takes ``limit`` seconds.

        The key of a trial's job is the trial's id, by which a pool may know it again.
        """
        ...


class WorkerDiedError(ProcessDiedError):
    """A worker's process ended while it did a job.

    >>> print(WorkerDiedError(-9))
    the worker died (signal 9); killed, or out of memory
    """

    whose = "worker"


@contextmanager
def borrowed_pool(executor: Executor, workers: int) -> Iterator[Pool]:
    """An executor of the user's, which is left as it was, but for the jobs that still run.

    Args:
        executor: runs the jobs; nothing of them can be killed.
        workers: how many jobs it is given at once.
    """
    from threadpoolctl import threadpool_limits

    pool = _Borrowed(executor, workers)
    with threadpool_limits(1):  # once for all threads, if that is what its workers are
        try:
            yield pool
        finally:
            for future in pool.given:
                future.cancel()


class _Borrowed:
    """Any `concurrent.futures.Executor`."""

    ahead = 0
    kills = False

    def __init__(self, executor: Executor, workers: int) -> None:
        self.executor, self.workers = executor, workers
        self.given: list[Future[Any]] = []

    def submit(
        self,
        function: Callable[[Any], T],
        /,
        job: Any,
        *,
        limit: float | None = None,
        key: Hashable = None,
    ) -> Future[T]:
        del key
        assert limit is None, "whoever opens this pool has refused a limit"
        try:
            future = self.executor.submit(_there, function, job, os.getpid())
        except RuntimeError as error:  # it is broken, or was shut down
            raise RunError(
                f"the executor takes no more jobs ({error}); what is finished is kept: make a new "
                "executor, and run the study again"
            ) from error
        self.given = [one for one in self.given if not one.done()] + [future]
        return future


def _there(function: Callable[..., T], job: Any, driver: int) -> T:
    """Do a job with one BLAS thread, as workers of ours do, until the driver takes its data away.

    A thread of the driver's process sets no limit: the pool has, and what each thread would put
    back is what another has set.
    """
    from threadpoolctl import threadpool_limits

    files = Path(job.data.folder, job.data.fingerprint)
    with threadpool_limits(None if os.getpid() == driver else 1):
        return function(job, lambda: not files.exists())
