"""Coarse, then fine: random search in stages, each around the best of those before (lecture 6).

The coarse stage draws from the whole space and trains for few epochs: it only has to tell what is
hopeless. Each fine stage draws from the region that `narrow` finds, and trains longer; the last
one, whose best go into the race, trains in full.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from hpsearch.errors import UsageError

__all__ = ["EPOCH_SHARES", "STAGE_SHARES", "plan"]

STAGE_SHARES = (0.5, 0.25, 0.25)
EPOCH_SHARES = (0.25, 0.5, 1.0)
FEWEST = 4  # a stage of fewer trials could not tell where to go next


def plan(
    trials: int,
    epochs: int,
    stage_shares: Sequence[float],
    epoch_shares: Sequence[float],
    least: int = 1,
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Divide trials among the stages, and say how long each stage trains.

    With few trials the last stages, which could not be told apart from chance, go first; the last
    that remains always trains in full.

    Args:
        trials: the trials of all stages together, at least 1.
        epochs: the epochs of a full training.
        stage_shares: what each stage gets of the trials; any positive numbers.
        epoch_shares: the part of a full training that each stage gets, in (0, 1], not falling.
        least: the epochs of the shortest training.

    Returns:
        The trials of each stage, which add up to ``trials``, and its epochs.

    Raises:
        UsageError: if the shares make no sense.

    >>> plan(76, 20, (0.5, 0.25, 0.25), (0.25, 0.5, 1.0))
    ((38, 19, 19), (5, 10, 20))
    >>> plan(5, 20, (0.5, 0.25, 0.25), (0.25, 0.5, 1.0))
    ((5,), (20,))
    """
    _check(stage_shares, epoch_shares)
    count = len(stage_shares)
    while count > 1 and min(_divide(trials, stage_shares[:count])) < FEWEST:
        count -= 1
    lengths = [max(least, round(epochs * share)) for share in epoch_shares[: count - 1]]
    return _divide(trials, stage_shares[:count]), (*lengths, epochs)


def _divide(total: int, shares: Sequence[float]) -> tuple[int, ...]:
    """Whole numbers in proportion to the shares, which add up to the total (largest remainders)."""
    exact = [total * share / sum(shares) for share in shares]
    whole = [math.floor(x + 1e-9) for x in exact]
    by_remainder = sorted(range(len(shares)), key=lambda i: (whole[i] - exact[i], i))
    for i in by_remainder[: total - sum(whole)]:
        whole[i] += 1
    return tuple(whole)


def _check(stage_shares: Sequence[float], epoch_shares: Sequence[float]) -> None:
    if not stage_shares or len(stage_shares) != len(epoch_shares):
        raise UsageError(
            f"{len(stage_shares)} stage shares and {len(epoch_shares)} epoch shares do not match; "
            "give one of each for every stage."
        )
    if not all(0 < share < math.inf for share in stage_shares):
        raise UsageError(f"stage shares must be positive, not {list(stage_shares)}.")
    rising = all(a <= b for a, b in pairwise(epoch_shares))
    if not rising or not all(0 < share <= 1 for share in epoch_shares):
        raise UsageError(
            f"epoch shares must be above 0, at most 1 and not fall, not {list(epoch_shares)}."
        )
