"""Workers that are this process, for tests of the engine."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Any


class Here:
    """A pool that computes at once, in this process, and remembers what it was given."""

    ahead = 0

    def __init__(self) -> None:
        self.workers = 2
        self.jobs: list[Any] = []
        self.before: Callable[[Any], None] = lambda job: None

    def submit(
        self,
        function: Callable[[Any], Any],
        /,
        job: Any,
        *,
        limit: float | None = None,
        key: Hashable = None,
    ) -> Future[Any]:
        future: Future[Any] = Future()
        self.jobs.append(job)
        try:
            self.before(job)
            future.set_result(function(job))
        except Exception as error:
            future.set_exception(error)
        return future
