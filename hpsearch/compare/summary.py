"""Who is ahead, by how much and how surely: the figures of a comparison's table.

Repeats of several data sets are put together: means are taken over all of them, resampled within
each data set; pairs are those of one data set and one seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from hpsearch.compare.progress import SpeedUp, speed_up
from hpsearch.compare.result import Comparison
from hpsearch.compare.statistics import (
    Interval,
    average_ranks,
    bootstrap_interval,
    holm,
    interquartile_mean,
    probability_of_improvement,
    wilcoxon,
)
from hpsearch.engine.baselines import WinnerIs, held_against
from hpsearch.metrics import ACCURACY, Measure
from hpsearch.metrics.intervals import wilson_interval
from hpsearch.search.strategies import DOUBLE

__all__ = [
    "StrategySummary",
    "Versus",
    "are_alike",
    "reference_of",
    "summarize_strategies",
]


@dataclass(frozen=True)
class Versus:
    """A strategy beside the reference, in pairs of equal seeds.

    Attributes:
        gain: the interquartile mean of the differences of test values, with its 95% interval.
        better: the probability that a repeat's test value is better than one of the reference's.
        p_value: of Wilcoxon's signed-rank test, corrected after Holm for all strategies asked.
    """

    gain: Interval
    better: float
    p_value: float


@dataclass(frozen=True)
class StrategySummary:
    """One line of the table.

    Attributes:
        strategy: whose.
        trials: trainings in a search, the mean.
        cost: what a search cost as a share of the budget, the mean.
        validation: interquartile mean of the values in validation with which winners were named.
        test: the same of these networks' test values, with its 95% interval.
        refit: the same of the winners trained once more.
        worst: the worst of these: what a user gets on a bad day.
        rank: the mean rank by test value among the searches with one seed, averaged over data
            sets; 1 is best.
        speed_up: when it reached the reference's best value in validation; the reference itself
            among them, at the time when it found it.
        versus: beside the reference; None for the reference itself.
        constant: what the best constant answer comes to on the same test parts, the mean; None
            where the store does not know it.
        winners_are: what the winners are beside that: by the interval of ``test`` over the
            searches, and where values are accuracies by the wider one of that and of Wilson's over
            the rows of the test part.
        without_winner: searches that ended without a winner.
        raced: whether a race named its winners.
        learns: whether winners were tested on rows; else ``test`` is of their own values.
    """

    strategy: str
    trials: float
    cost: float
    validation: float
    test: Interval
    refit: Interval
    worst: float
    rank: float
    speed_up: SpeedUp
    versus: Versus | None
    constant: float | None = None
    winners_are: WinnerIs | None = None
    without_winner: int = 0
    raced: bool = False
    learns: bool = True


@lru_cache(maxsize=16)  # a terminal, a page and two panels ask, and the bootstraps take a second
def summarize_strategies(*comparisons: Comparison) -> tuple[StrategySummary, ...]:
    """The table of one or several comparisons of the same strategies, each on its own data set.

    All are measured by the same; see `are_alike`. The reference is grid search; the first strategy
    where grid does not compete.
    """
    names, measure = list(comparisons[0].runs), comparisons[0].measure
    reference = reference_of(comparisons)
    parts = {name: [c.runs[name] for c in comparisons] for name in names}
    tables = [measure.sign * np.array([c.runs[n].test for n in names]).T for c in comparisons]
    mean_ranks = np.mean([average_ranks(table) for table in tables], axis=0)
    ranks = dict(zip(names, mean_ranks.tolist(), strict=True))
    rivals = [name for name in names if name != reference]
    tests = {name: np.concatenate([part.test for part in parts[name]]) for name in names}
    p_values = holm([wilcoxon(tests[name], tests[reference]) for name in rivals]) if rivals else ()
    versus: dict[str, Versus] = {}
    for name, p_value in zip(rivals, p_values, strict=True):
        pairs = list(zip(parts[name], parts[reference], strict=True))
        versus[name] = Versus(
            gain=_middle([mine.test - theirs.test for mine, theirs in pairs]),
            better=float(
                np.mean(
                    [
                        probability_of_improvement(
                            measure.sign * mine.test, measure.sign * other.test
                        )
                        for mine, other in pairs
                    ]
                )
            ),
            p_value=float(p_value),
        )
    middles = {name: _middle([part.test for part in parts[name]]) for name in names}
    constant = _constant(comparisons)
    rows = sum(int(c.data.get("test", 0)) for c in comparisons)
    return tuple(
        StrategySummary(
            strategy=name,
            constant=constant,
            winners_are=_winners_are(middles[name], constant, rows, measure),
            without_winner=sum(part.without_winner for part in parts[name]),
            raced=any(part.raced for part in parts[name]),
            learns=all(comparison.learns for comparison in comparisons),
            trials=float(np.concatenate([part.trials for part in parts[name]]).mean()),
            cost=float(
                np.concatenate(
                    [
                        part.cost / (comparison.amount * (2 if name == DOUBLE else 1))
                        for part, comparison in zip(parts[name], comparisons, strict=True)
                    ]
                ).mean()
            ),
            validation=float(
                interquartile_mean(np.concatenate([part.validation for part in parts[name]]))
            ),
            test=middles[name],
            refit=_middle([part.refit for part in parts[name]]),
            worst=min((float(v) for part in parts[name] for v in part.refit), key=measure.score),
            rank=ranks[name],
            speed_up=speed_up(
                [run for part in parts[name] for run in part.progress],
                [run for part in parts[reference] for run in part.progress],
                sizes=[len(table) for table in tables],
                rng=np.random.default_rng(0),
            ),
            versus=versus.get(name),
        )
        for name in names
    )


def are_alike(comparisons: Sequence[Comparison]) -> bool:
    """Whether their winners are measured by the same, so that they can be put together."""
    return len({(c.test_name, c.measure.direction) for c in comparisons}) == 1


def reference_of(comparisons: Sequence[Comparison]) -> str:
    """The strategy that the others are held against."""
    names = list(comparisons[0].runs)
    return "grid" if "grid" in names else names[0]


def _constant(comparisons: Sequence[Comparison]) -> float | None:
    known = np.concatenate([comparison.constant for comparison in comparisons])
    return float(known.mean()) if known.size and np.isfinite(known).all() else None


def _winners_are(
    test: Interval, constant: float | None, rows: int, measure: Measure
) -> WinnerIs | None:
    """Other divisions of the same rows tell nothing of other rows, so both intervals count."""
    if constant is None or not rows:
        return None
    low, high = test.low, test.high
    if measure.name == ACCURACY.name:
        ends = wilson_interval(round(test.estimate * rows), rows)
        low, high = min(ends[0], low), max(ends[1], high)
    return held_against((low, high), constant, measure)


def _middle(samples: list[Any]) -> Interval:
    rng = np.random.default_rng(0)
    return bootstrap_interval(samples, statistic=interquartile_mean, rng=rng)
