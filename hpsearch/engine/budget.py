"""How many trials a study's budget pays for."""

from __future__ import annotations

from collections.abc import Callable

from hpsearch.errors import UsageError
from hpsearch.search.race import RacedSearch

__all__ = ["most_below", "trials_within"]


def trials_within(trials: int, total_epochs: int | None, make: Callable[[int], RacedSearch]) -> int:
    """The most trials whose plan needs no more epochs than there are.

    Args:
        trials: the most there may be.
        total_epochs: epochs of all trainings together, whatever its folds; None for no limit.
        make: the strategy with a given number of trials.

    Raises:
        UsageError: not even one training is paid for.
    """
    if total_epochs is None or make(trials).planned_epochs <= total_epochs:
        return trials
    least = most_below(trials, lambda n: make(n).planned_epochs <= total_epochs)
    if not least:
        raise UsageError(
            f"total_epochs = {total_epochs} does not pay for one training of "
            f"{make(1).planned_epochs} epochs; raise it"
        )
    return least


def most_below(bound: int, fits: Callable[[int], bool]) -> int:
    """The largest whole number below a bound that fits, found by halving; 0 if 1 does not fit.

    >>> most_below(100, lambda n: n * n <= 50)
    7
    """
    least, most = 0, bound
    while most - least > 1:
        middle = (least + most) // 2
        if fits(middle):
            least = middle
        else:
            most = middle
    return least
