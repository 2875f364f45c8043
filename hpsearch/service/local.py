"""The workers of the server's own machine, which do trainings beside the agents'."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from typing import Any

from hpsearch.engine.executors import Pool
from hpsearch.engine.executors.processes import preload, process_pool
from hpsearch.service.bench import Bench, Item
from hpsearch.service.desk import Desk

__all__ = ["local_workers"]

LOOK = 1.0
"""Seconds between two looks at the desk, if nobody says that there is something."""

MODULES = ("hpsearch.training.jobs", "hpsearch.training.simple_models", "hpsearch.trials.estimator")


@contextmanager
def local_workers(desk: Desk, workers: int) -> Iterator[None]:
    """Processes that take jobs from the desk until the block ends.

    Args:
        desk: has the jobs.
        workers: how many processes; 0 for none.
    """
    if not workers:
        yield
        return
    preload(MODULES)
    with process_pool(workers) as pool:
        local = _Local(desk, pool)
        desk.local_workers, desk.wake_local = workers, local.wake
        local.thread.start()
        try:
            yield
        finally:
            desk.local_workers, desk.wake_local = 0, lambda: None
            local.end()


class _Local:
    def __init__(self, desk: Desk, pool: Pool) -> None:
        self._desk, self._pool = desk, pool
        self._free = threading.Semaphore(pool.workers)
        self._wake, self._ending = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self._run, name="hpsearch-local", daemon=True)

    def wake(self) -> None:
        """There may be a job."""
        self._wake.set()

    def end(self) -> None:
        """Take no more."""
        self._ending.set()
        self._wake.set()
        self.thread.join()

    def _run(self) -> None:
        while not self._ending.is_set():
            self._wake.wait(LOOK)
            self._wake.clear()
            while not self._ending.is_set() and self._free.acquire(blocking=False):
                taken = self._desk.take_local()
                if taken is None:
                    self._free.release()
                    break
                bench, item = taken
                future = self._pool.submit(item.function, item.job, limit=item.limit)
                future.add_done_callback(partial(self._done, bench, item))

    def _done(self, bench: Bench, item: Item, future: Future[Any]) -> None:
        self._free.release()
        self._wake.set()
        error = future.exception()
        self._desk.settle_local(bench, item, future.result() if error is None else error)
