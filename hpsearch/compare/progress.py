"""How good a search is by the time it has cost so much.

At any cost the incumbent is the finished trial with the best validation score so far; between two
equal ones, the trial of more epochs. Coarse-to-fine search trains its stages for different numbers
of epochs, so that its scores compare only roughly across stages: a coarse trial usually scores
below what its configuration is worth. On the other side, the best of many cheap trials is luckier
than the best of a few dear ones. The incumbent's test score is free of that luck, so look at both
curves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hpsearch.compare.statistics import Floats, Interval, bootstrap_interval
from hpsearch.errors import UsageError

Part: TypeAlias = Literal["validation", "test"]

__all__ = [
    "Band",
    "Part",
    "Progress",
    "SpeedUp",
    "band",
    "cost_grid",
    "cost_to_reach",
    "make_progress",
    "speed_up",
]

SAME = 1e-12
"""Scores that differ by a smaller part of themselves are equal: shares of the same number of rows
differ in their last bits."""


@dataclass(frozen=True, eq=False)
class Progress:
    """The incumbent of one repeat, as a step function of cost with T steps.

    Attributes:
        cost: (T,) cost until each trial had finished, rising; in the unit of the budget.
        validation: (T,) the best validation score by then; NaN while there is none.
        test: (T,) the test score of that trial.
        trial: (T,) which trial that is, -1 while there is none.
    """

    cost: Floats
    validation: Floats
    test: Floats
    trial: NDArray[np.int64]

    def at(self, cost: ArrayLike, part: Part = "validation") -> Floats:
        """The incumbent's score when so much had been spent; NaN before the first trial's end.

        A step counts from its cost on (right-continuous); after the last trial the score stays.

        Args:
            cost: (G,) what had been spent.
            part: which of the scores.

        Returns:
            (G,) scores.
        """
        step = np.searchsorted(self.cost, np.asarray(cost, dtype=np.float64), side="right")
        return np.concatenate([[np.nan], getattr(self, part)])[step]


@dataclass(frozen=True, eq=False)
class Band:
    """The middle half of several repeats along a common grid of costs.

    Attributes:
        median: (G,) of the repeats; NaN until each of them has a score.
        lower: (G,) their lower quartile.
        upper: (G,) their upper quartile.
    """

    median: Floats
    lower: Floats
    upper: Floats


@dataclass(frozen=True)
class SpeedUp:
    """How early a strategy reached what another one, the reference, had found at its end.

    Attributes:
        shares: the cost at which each repeat reached its pair's best score, as a share of the
            reference's cost; infinite where it never did.
        reached: how many repeats did.
        repeats: how many there are.
        median: the share by which half of the repeats had reached it; infinite if fewer did.
        interval: the bootstrap interval of that median, whose upper end may be infinite.
    """

    shares: tuple[float, ...]
    reached: int
    repeats: int
    median: float
    interval: Interval


def make_progress(
    costs: ArrayLike, validation: ArrayLike, test: ArrayLike, *, epochs: ArrayLike | None = None
) -> Progress:
    """Follow the incumbent through the trials of one repeat.

    Args:
        costs: (T,) the cost of each trial, above 0, in the order in which they finished.
        validation: (T,) their validation scores, greater being better; NaN for a trial that
            failed, which costs but is never the incumbent.
        test: (T,) their test scores.
        epochs: (T,) how long each trained, which decides between equal scores; without it, or
            between equals in both, the earlier trial stays.

    Raises:
        UsageError: if there is no trial, the lengths differ, or a cost is not above 0.

    >>> found = make_progress([1, 1, 2], [0.5, 0.4, 0.9], [0.6, 0.7, 0.8])
    >>> found.at([0.5, 1.0, 3.9, 4.0]).tolist(), found.trial.tolist()
    ([nan, 0.5, 0.5, 0.9], [0, 0, 2])
    """
    cost, score, tested = (np.asarray(x, dtype=np.float64) for x in (costs, validation, test))
    length = np.zeros(len(cost)) if epochs is None else np.asarray(epochs, dtype=np.float64)
    if not len(cost) or {x.shape for x in (cost, score, tested, length)} != {(len(cost),)}:
        raise UsageError(
            f"progress needs a cost and both scores of each trial, not {cost.shape}, {score.shape} "
            f"and {tested.shape} of them."
        )
    if not (np.isfinite(cost) & (cost > 0)).all():
        raise UsageError("a trial's cost is not a number above 0; give what each trial has cost.")
    trial = np.empty(len(cost), dtype=np.int64)
    best, leader = (-np.inf, -np.inf), -1
    for i, key in enumerate(zip(score.tolist(), length.tolist(), strict=True)):
        if key > best:  # never true of NaN
            best, leader = key, i
        trial[i] = leader
    none = trial < 0
    return Progress(
        np.cumsum(cost),
        np.where(none, np.nan, score[trial]),
        np.where(none, np.nan, tested[trial]),
        trial,
    )


def cost_grid(repeats: Sequence[Progress], points: int = 256) -> Floats:
    """Evenly spaced costs, from the first at which each repeat has finished a trial to the last.

    Args:
        repeats: of all the strategies that one figure compares.
        points: how many costs.

    Returns:
        (points,) rising.
    """
    start = max(progress.cost[0] for progress in repeats)
    return np.linspace(start, max(progress.cost[-1] for progress in repeats), points)


def band(repeats: Sequence[Progress], cost: ArrayLike, part: Part = "validation") -> Band:
    """Median and quartiles of several repeats at common costs.

    Args:
        repeats: the repeats of one strategy.
        cost: (G,) the costs.
        part: which of the incumbent's scores.
    """
    curves = np.array([progress.at(cost, part) for progress in repeats])
    lower, median, upper = np.quantile(curves, [0.25, 0.5, 0.75], axis=0)
    return Band(median, lower, upper)


def cost_to_reach(cumulative: ArrayLike, best: ArrayLike, level: float) -> float:
    """The cost at which the best score so far first reached a level; infinite if it never did.

    Args:
        cumulative: (T,) cost until each trial had finished.
        best: (T,) the best score by then; NaN while there is none.
        level: the score to reach.

    >>> cost_to_reach([1, 2, 4], [0.5, 0.5, 0.9], 0.8)
    4.0
    """
    there = np.flatnonzero(np.asarray(best, dtype=np.float64) >= level - SAME * abs(level))
    return float(np.asarray(cumulative, dtype=np.float64)[there[0]]) if len(there) else np.inf


def speed_up(
    repeats: Sequence[Progress],
    reference: Sequence[Progress],
    *,
    sizes: Sequence[int] | None = None,
    rng: np.random.Generator,
) -> SpeedUp:
    """When a strategy reached the reference's best validation score, in shares of its cost.

    Args:
        repeats: one `Progress` for each repeat of the strategy.
        reference: those of the reference (grid) with the same seeds, in the same order.
        sizes: how many of the repeats each data set has, within which the bootstrap resamples; None
            for a single one.
        rng: of the bootstrap.

    Raises:
        UsageError: if they are not pairs, or a repeat of the reference has no score.
    """
    if len(repeats) != len(reference) or not repeats:
        raise UsageError(
            f"{len(repeats)} repeats cannot be paired with {len(reference)} of the reference; "
            "give as many of both, in the order of their seeds."
        )
    shares = [_share(a, b) for a, b in zip(repeats, reference, strict=True)]
    strata = np.split(np.array(shares), np.cumsum(sizes)[:-1] if sizes else [])
    interval = bootstrap_interval(strata, statistic=_half_reached, rng=rng)
    reached = sum(np.isfinite(shares).tolist())
    return SpeedUp(tuple(shares), reached, len(shares), interval.estimate, interval)


def _share(run: Progress, reference: Progress) -> float:
    goal = float(reference.validation[-1])
    if np.isnan(goal):
        raise UsageError("a repeat of the reference has no score; look at its failed trials.")
    return cost_to_reach(run.cost, run.validation, goal) / float(reference.cost[-1])


def _half_reached(shares: Any, axis: int) -> Any:
    """The least share by which at least half had arrived: the median of Kaplan & Meier (1958).

    It never averages a finite with an infinite value, as the usual median of an even number would.
    """
    return np.quantile(shares, 0.5, axis=axis, method="inverted_cdf")
