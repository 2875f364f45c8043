"""How long a search still takes, told from the epochs that it has trained and those that it plans.

Trials are no measure of time: a coarse stage's have a quarter of the epochs of the last one's.
"""

from __future__ import annotations

from hpsearch.search.base import StagePlan

__all__ = ["Forecast", "duration"]


class Forecast:
    """Counts epochs, as they were planned: one that stops early stands for others that will.

    Args:
        planned: the epochs of all trainings of the search.
        last: those of the winner's last training, after the search; one worker alone does it.

    >>> forecast = Forecast(planned=100, last=10)
    >>> forecast.seconds_left(elapsed=5.0) is None
    True
    >>> forecast.trained(22)
    >>> forecast.seconds_left(elapsed=5.0), forecast.seconds_left(elapsed=5.5, running=2)
    (20.0, 24.5)
    """

    def __init__(self, planned: int, last: int) -> None:
        self._planned, self._last = planned, last
        self._begun = self._stored = self._trained = self._epochs = 0
        self._workers = 1

    def begin(self, stage: StagePlan, stored: int) -> None:
        """A stage begins, of whose trainings some are there from an earlier run."""
        self._epochs = stage.epochs
        self._begun += stage.slots * stage.epochs
        self._stored += stored * stage.epochs
        self._planned = max(self._planned, self._begun)

    def extended(self, epochs: int) -> None:
        """So many more are planned."""
        self._planned += epochs

    def trained(self, epochs: int) -> None:
        """A training of so many epochs has ended."""
        self._trained += epochs

    def seconds_left(self, elapsed: float, running: int = 0) -> float | None:
        """How long it still takes at the speed so far; None before the first training has ended.

        Args:
            elapsed: seconds since the first training of this run began.
            running: trainings that are under way, taken to be half done.
        """
        if not self._trained:
            return None
        self._workers = max(self._workers, running)
        trained = self._trained + running * self._epochs / 2
        left = max(0.0, self._planned - self._stored - trained)
        return (left + self._last * self._workers) * elapsed / trained


def duration(seconds: float) -> str:
    """A time as precise as a forecast can be.

    >>> duration(3), duration(42), duration(290), duration(5000), duration(20000)
    ('5 s', '40 s', '5 min', '83 min', '5.6 h')
    """
    if seconds < 57.5:
        return f"{max(5, round(seconds / 5) * 5)} s"
    if seconds < 5970:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"
