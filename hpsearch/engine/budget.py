"""How many trials a study's budget pays for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from hpsearch.errors import UsageError

if TYPE_CHECKING:
    from hpsearch.search.race import Confirmed

__all__ = ["trials_within"]


def trials_within(trials: int, total_epochs: int | None, make: Callable[[int], Confirmed]) -> int:
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
    least, most = 0, trials  # `most` needs too many, `least` is affordable or no trial at all
    while most - least > 1:
        middle = (least + most) // 2
        if make(middle).planned_epochs <= total_epochs:
            least = middle
        else:
            most = middle
    if not least:
        raise UsageError(
            f"total_epochs = {total_epochs} does not pay for one training of "
            f"{make(1).planned_epochs} epochs; raise it"
        )
    return least
