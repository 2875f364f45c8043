"""How long a study still takes, told from what its driver hears."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from hpsearch.engine.budget import plan_search
from hpsearch.engine.events import Event, StageStarted, TrialDone
from hpsearch.engine.forecast import Forecast

if TYPE_CHECKING:
    from hpsearch.study_file import StudyFile

__all__ = ["Pace"]


class Pace:
    """The speed of a study since its driver began.

    Args:
        study: what is run.
        clock: seconds that only grow.
    """

    def __init__(self, study: StudyFile, clock: Callable[[], float] = time.monotonic) -> None:
        last = study.resource.full * study.objective.learns
        self._forecast = Forecast(plan_search(study).planned_epochs, last=last)
        self._limit = study.search.seconds
        self._clock = clock
        self._began: float | None = None

    def count(self, event: Event) -> None:
        """Take in what happened."""
        if isinstance(event, StageStarted):
            self._began = self._clock() if self._began is None else self._began
            self._forecast.begin(event.stage, event.done)
        elif isinstance(event, TrialDone):
            self._forecast.trained(event.slot.epochs)

    def left(self, running: int) -> float | None:
        """Seconds until the end; None while nothing has ended.

        Args:
            running: trials that somebody has.
        """
        if self._began is None:
            return None
        elapsed = self._clock() - self._began
        left = self._forecast.seconds_left(elapsed, running)
        if left is None or self._limit is None:
            return left
        return min(left, max(0.0, self._limit - elapsed))
