"""Who is ahead, by how much and how surely: the figures of a comparison's table, and its sentences.

Repeats of several data sets are put together: means are taken over all of them, resampled within
each data set; pairs are those of one data set and one seed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hpsearch.compare.plan import DOUBLE
from hpsearch.compare.progress import SpeedUp, speed_up
from hpsearch.compare.statistics import (
    Interval,
    average_ranks,
    bootstrap_interval,
    holm,
    interquartile_mean,
    probability_of_improvement,
    wilcoxon,
)
from hpsearch.engine.intervals import wilson_interval

if TYPE_CHECKING:
    from hpsearch.compare.result import Comparison
    from hpsearch.engine.baselines import Verdict

__all__ = [
    "StrategySummary",
    "Versus",
    "answer",
    "reference_of",
    "searches",
    "summarize_strategies",
    "verdict",
]

LEVEL = 0.05
"""Below this p-value a difference is called one."""


@dataclass(frozen=True)
class Versus:
    """A strategy beside the reference, in pairs of equal seeds.

    Attributes:
        gain: the interquartile mean of the differences of test accuracy, with its 95% interval.
        better: the probability that a repeat's test accuracy is above one of the reference's.
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
        validation: interquartile mean of the validation accuracy with which winners were named.
        test: the same of these networks' test accuracy, with its 95% interval.
        refit: the same of the winners trained once more.
        worst: the least of these: what a user gets on a bad day.
        rank: the mean rank by test accuracy among the searches with one seed, averaged over data
            sets; 1 is best.
        speed_up: when it reached the reference's best validation accuracy; the reference itself
            among them, at the time when it found it.
        versus: beside the reference; None for the reference itself.
        constant: what always answering the largest class comes to on the same test parts, the
            mean; None where the store does not know it.
        winners_are: what the winners are beside that: by the wider of two intervals, that of
            ``test`` over the searches and Wilson's over the rows of the test part.
        without_winner: searches that ended without a winner.
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
    winners_are: Verdict | None = None
    without_winner: int = 0


def summarize_strategies(
    comparisons: Sequence[Comparison], *, seed: int = 0
) -> list[StrategySummary]:
    """The table of one or several comparisons of the same strategies.

    The reference is grid search; the first strategy where grid does not compete.

    Args:
        comparisons: each on a data set of its own.
        seed: of the bootstrap.
    """
    names = list(comparisons[0].runs)
    reference = reference_of(comparisons)
    parts = {name: [c.runs[name] for c in comparisons] for name in names}
    tables = [np.array([c.runs[n].test for n in names]).T for c in comparisons]
    mean_ranks = np.mean([average_ranks(table) for table in tables], axis=0)
    ranks = dict(zip(names, mean_ranks.tolist(), strict=True))
    rivals = [name for name in names if name != reference]
    tests = {name: np.concatenate([part.test for part in parts[name]]) for name in names}
    p_values = holm([wilcoxon(tests[name], tests[reference]) for name in rivals]) if rivals else ()
    versus: dict[str, Versus] = {}
    for name, p_value in zip(rivals, p_values, strict=True):
        pairs = list(zip(parts[name], parts[reference], strict=True))
        versus[name] = Versus(
            gain=_middle([mine.test - theirs.test for mine, theirs in pairs], seed),
            better=float(
                np.mean(
                    [probability_of_improvement(mine.test, other.test) for mine, other in pairs]
                )
            ),
            p_value=float(p_value),
        )
    constant = _constant(comparisons)
    rows = sum(int(c.data.get("test", 0)) for c in comparisons)
    return [
        StrategySummary(
            strategy=name,
            constant=constant,
            winners_are=_winners_are(_middle([p.test for p in parts[name]], seed), constant, rows),
            without_winner=sum(part.without_winner for part in parts[name]),
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
            test=_middle([part.test for part in parts[name]], seed),
            refit=_middle([part.refit for part in parts[name]], seed),
            worst=float(min(part.refit.min() for part in parts[name])),
            rank=ranks[name],
            speed_up=speed_up(
                [run for part in parts[name] for run in part.progress],
                [run for part in parts[reference] for run in part.progress],
                sizes=[len(table) for table in tables],
                rng=np.random.default_rng(seed),
            ),
            versus=versus.get(name),
        )
        for name in names
    ]


def reference_of(comparisons: Sequence[Comparison]) -> str:
    """The strategy that the others are held against."""
    names = list(comparisons[0].runs)
    return "grid" if "grid" in names else names[0]


def searches(comparisons: Sequence[Comparison]) -> str:
    """How many searches of each strategy there are, in words.

    >>> from types import SimpleNamespace as Made
    >>> searches([Made(repeats=10)]), searches([Made(repeats=2), Made(repeats=1)])
    ('10 searches', '2 and 1 searches')
    """
    counts = list(dict.fromkeys(comparison.repeats for comparison in comparisons))
    return f"{' and '.join(map(str, counts))} {'search' if counts == [1] else 'searches'}"


def _constant(comparisons: Sequence[Comparison]) -> float | None:
    known = np.concatenate([comparison.constant for comparison in comparisons])
    return float(known.mean()) if known.size and np.isfinite(known).all() else None


def _winners_are(test: Interval, constant: float | None, rows: int) -> Verdict | None:
    """Other divisions of the same rows tell nothing of other rows, so both intervals count."""
    if constant is None or not rows:
        return None
    low, high = wilson_interval(round(test.estimate * rows), rows)
    low, high = min(low, test.low), max(high, test.high)
    return "better" if low > constant else "worse" if high < constant else "no better"


def _middle(samples: list[Any], seed: int) -> Interval:
    rng = np.random.default_rng(seed)
    return bootstrap_interval(samples, statistic=interquartile_mean, rng=rng)


def answer(table: Sequence[StrategySummary]) -> Iterator[str]:
    """The comparison in words: when each rival caught up with the reference, and how it ended."""
    yield from _reservations(table)
    rivals = [row for row in table if row.versus is not None]
    if not rivals:
        return
    [reference] = (row for row in table if row.versus is None)
    repeats = rivals[0].speed_up.repeats
    for row in sorted(rivals, key=lambda row: row.strategy != "coarse-to-fine"):
        assert row.versus is not None
        yield _reached(row.strategy, reference.strategy, row.speed_up)
        yield _scored(row.strategy, reference.strategy, row.versus)
    yield _found(reference.strategy, reference.speed_up)
    least = 2.0 ** (1 - repeats)
    if repeats and least >= LEVEL:
        yield (
            f"{repeats} {'repeat is' if repeats == 1 else 'repeats are'} too few to tell: no "
            f"paired test of so many has a p-value below {least:g}. Give --repeats 10 and go on."
        )


def _reservations(table: Sequence[StrategySummary]) -> Iterator[str]:
    """What is to be known before strategies are held against each other."""
    for row in table:
        if row.without_winner:
            yield (
                f"{row.without_winner} of {row.speed_up.repeats} searches of {row.strategy} have "
                "no winner, since all their trainings diverged; each counts with chance."
            )
    for row in table:
        winners = row.without_winner < row.speed_up.repeats
        if winners and row.winners_are in ("no better", "worse"):
            yield (
                f"{row.strategy}'s winners are {row.winners_are} than always answering the largest "
                f"class ({row.constant:.4f})."
            )


def verdict(table: Sequence[StrategySummary]) -> str:
    """The comparison in one sentence: whether coarse to fine, or else the first rival, is ahead.

    It is sooner where the whole interval of its cost lies below that of the reference, which is 1,
    and it was there before the reference itself; better where the paired test says so.
    """
    if all(row.winners_are in ("no better", "worse") for row in table):
        return (
            "Nothing was learned here: no strategy's winners are better than always answering the "
            "largest class."
        )
    rivals = [row for row in table if row.versus is not None]
    if not rivals:
        return "There is one strategy alone, and none to hold it against."
    row = min(rivals, key=lambda row: row.strategy != "coarse-to-fine")
    [reference] = (other for other in table if other.versus is None)
    assert row.versus is not None
    name, other = row.strategy, reference.strategy
    sooner = row.speed_up.interval.high < 1 and row.speed_up.median < reference.speed_up.median
    if row.versus.p_value < LEVEL:
        better = row.versus.gain.estimate > 0
        if better and sooner:
            return f"{name} beats {other} search here: better networks, and sooner."
        return f"{name} {'beats' if better else 'loses to'} {other} search here by test accuracy."
    if sooner:
        return f"{name} finds what {other} search finds at a lower cost here, and nothing better."
    return f"{name} and {other} search cannot be told apart here."


def _found(name: str, found: SpeedUp) -> str:
    return (
        f"{name} itself found its best at {found.median:.2f} of its cost "
        f"(95% interval {found.interval.low:.2f} to {found.interval.high:.2f})."
    )


def _reached(name: str, reference: str, found: SpeedUp) -> str:
    goal = f"{reference}'s best validation accuracy"
    if not np.isfinite(found.median):
        return (
            f"{name} did not reach {goal} within its budget: "
            f"{found.reached} of {found.repeats} repeats did."
        )
    high = found.interval.high
    upper = f"{high:.2f}" if np.isfinite(high) else "never"
    return (
        f"{name} reached {goal} at {found.median:.2f} of its cost "
        f"(95% interval {found.interval.low:.2f} to {upper}, "
        f"{found.reached} of {found.repeats} repeats)."
    )


def _scored(name: str, reference: str, versus: Versus) -> str:
    gain, low, high = versus.gain
    numbers = f"{gain:+.4f}, 95% interval {low:+.4f} to {high:+.4f}, p = {versus.p_value:.2g}"
    winners = f"The test accuracy of {name}'s winners"
    if versus.p_value >= LEVEL:
        return f"{winners} does not differ measurably from {reference}'s ({numbers})."
    return f"{winners} is {'above' if gain > 0 else 'below'} {reference}'s ({numbers})."
