"""The one loop in which workers do jobs: each is given, and given again where it breaks."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future, as_completed
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Generic, TypeVar

from hpsearch.engine.executors import Pool
from hpsearch.engine.interrupts import Interrupts
from hpsearch.errors import HpsearchError, RunError
from hpsearch.outcome import ProcessDiedError, TrialFailedError, TryAgainError

__all__ = ["ATTEMPTS", "Attempts", "Jobs", "run_jobs"]

ATTEMPTS = 3
"""How often a job is tried whose worker broke."""

PUT_OFFS = 20
"""How often a job may ask to be tried again, with pauses that double."""

LONGEST_PAUSE = 30.0
"""Seconds of the longest of these pauses."""

LOOK = 0.1
"""Seconds between two looks at whether a signal has come."""

T = TypeVar("T")


@dataclass(eq=False)
class Attempts(Generic[T]):
    """A job, and what came of it: a result, or the error of each attempt.

    Attributes:
        key: whose job it is.
        job: what a worker is given.
        result: None until an attempt succeeds.
        errors: what broke the others, in words.
        tail: the last lines that its program wrote, where it came to nothing.
        not_before: when it may be tried again, by the monotonic clock.
        put_offs: how often it has asked to be tried again.
    """

    key: Hashable
    job: Any
    result: T | None = None
    errors: list[str] = field(default_factory=list)
    tail: str = ""
    not_before: float = 0.0
    put_offs: int = 0

    def put_off(self, error: Exception) -> bool:
        """It asks to be tried again, which is no attempt; whether it has asked too often."""
        self.put_offs += 1
        if self.put_offs >= PUT_OFFS:
            self.errors.append(f"{error}, for the {PUT_OFFS}th time")
            return True
        self.not_before = time.monotonic() + min(0.1 * 2**self.put_offs, LONGEST_PAUSE)
        return False

    def notice_failure(self, error: Exception) -> bool:
        """A worker died, was killed for its time, or raised; whether that was the last attempt."""
        self.errors.append(_what_broke(error))
        return len(self.errors) >= ATTEMPTS


class Jobs(Generic[T]):
    """Jobs that workers have, or are about to get.

    Args:
        pool: has the workers.
        interrupts: whether a signal asks to stop.
        function: what a worker does with a job.
        limit: seconds that one attempt may take, None for any time.
    """

    def __init__(
        self,
        pool: Pool,
        interrupts: Interrupts,
        function: Callable[[Any], T],
        limit: float | None,
    ) -> None:
        self._pool, self._interrupts = pool, interrupts
        self._function, self._limit = function, limit
        self._ready: deque[Attempts[T]] = deque()
        self._in_flight: dict[Future[T], Attempts[T]] = {}
        self._wrong: HpsearchError | None = None

    @property
    def running(self) -> int:
        """How many of them workers do now."""
        return min(len(self._in_flight), self._pool.workers)

    def give(self, key: Hashable, job: Any) -> None:
        """Have a job ready for `launch`."""
        self._ready.append(Attempts(key, job))

    def launch(self) -> None:
        """Give what is ready to the workers."""
        now = time.monotonic()
        for _ in range(len(self._ready)):
            attempts = self._ready.popleft()
            if attempts.not_before > now:
                self._ready.append(attempts)
                continue
            key = attempts.key
            future = self._pool.submit(self._function, attempts.job, limit=self._limit, key=key)
            self._in_flight[future] = attempts

    def wait(self) -> list[Attempts[T]]:
        """Those that have ended, or broken for good; none if a moment passes without one.

        While each worker has more than one other job at hand, several are waited for.

        Raises:
            HpsearchError: a job is impossible. Others that ended with it are returned before.
        """
        if self._wrong is not None:
            raise self._wrong
        self._interrupts.check()
        self.launch()
        if not self._in_flight:  # all that is left was put off
            time.sleep(LOOK)
        enough = max(1, len(self._in_flight) - 2 * self._pool.workers)
        with suppress(TimeoutError):
            deque(islice(as_completed(self._in_flight, timeout=LOOK), enough), maxlen=0)
        ended: list[Attempts[T]] = []
        for future in [future for future in self._in_flight if future.done()]:
            attempts = self._in_flight.pop(future)
            try:
                attempts.result = future.result()
            except HpsearchError as error:
                self._wrong = error
            except TrialFailedError as error:
                attempts.errors.append(str(error))
                attempts.tail = error.tail
                ended.append(attempts)
            except TryAgainError as error:
                (ended if attempts.put_off(error) else self._ready).append(attempts)
            except Exception as error:  # whatever it was, it costs its job one attempt
                (ended if attempts.notice_failure(error) else self._ready).append(attempts)
            else:
                ended.append(attempts)
        return ended


def run_jobs(jobs: Jobs[T], given: Sequence[Any], what: str) -> list[T]:
    """Have workers do jobs all at once.

    Args:
        jobs: does them.
        given: the jobs.
        what: what one of them is called in a message.

    Returns:
        What came of each, in the order of the jobs.

    Raises:
        HpsearchError: a job is impossible, or broke three times.
    """
    for k, job in enumerate(given):
        jobs.give((what, k), job)
    results: dict[Hashable, T] = {}
    while len(results) < len(given):
        for attempts in jobs.wait():
            if attempts.result is None:
                raise RunError(f"{what} broke {ATTEMPTS} times: {attempts.errors[-1]}")
            results[attempts.key] = attempts.result
    return [results[what, k] for k in range(len(given))]


def _what_broke(error: Exception) -> str:
    if isinstance(error, ProcessDiedError):
        return str(error)
    if isinstance(error, TimeoutError):
        return "the training took longer than trial_seconds allows"
    return f"{type(error).__name__}: {error}"
