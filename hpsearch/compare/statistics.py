"""Few repeats, honestly summed up: robust means, bootstrap intervals, paired tests, ranks.

After Agarwal et al., Deep Reinforcement Learning at the Edge of the Statistical Precipice (NeurIPS
2021), whose case is ours: a handful of expensive repeats on one or several data sets. Repeats with
the same seed are pairs, so they are resampled and tested as pairs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hpsearch.errors import UsageError

Floats: TypeAlias = NDArray[np.float64]
Sample: TypeAlias = ArrayLike | Sequence[ArrayLike]
Statistic: TypeAlias = Callable[..., Any]

__all__ = [
    "Floats",
    "Interval",
    "average_ranks",
    "bootstrap_interval",
    "holm",
    "interquartile_mean",
    "probability_of_improvement",
    "wilcoxon",
]

DIGITS = 12
"""Decimals to which scores below one are told apart: shares of the same row count differ in the
last bits where they should be equal. Larger scores have fewer, smaller ones more."""


class Interval(NamedTuple):
    """A statistic of a sample, and the ends of its interval."""

    estimate: float
    low: float
    high: float


def interquartile_mean(scores: ArrayLike, axis: int | None = None) -> Any:
    """The mean of the middle half: robust as the median, but using more of the scores.

    A quarter of the scores, rounded down, is cut off at each end. Agarwal et al. (2021), section
    4.3.

    Args:
        scores: finite numbers.
        axis: along which to take it; None for all scores together.

    Returns:
        A number, or with ``axis`` an array without that axis.

    >>> float(interquartile_mean([0.0, 0.5, 0.7, 99.0]))
    0.6
    """
    array = np.asarray(scores, dtype=np.float64)
    array = np.sort(array.ravel() if axis is None else np.moveaxis(array, axis, -1), axis=-1)
    n = array.shape[-1]
    return array[..., n // 4 : n - n // 4].mean(axis=-1)


def bootstrap_interval(
    *samples: Sample,
    statistic: Statistic,
    level: float = 0.95,
    resamples: int = 10_000,
    rng: np.random.Generator,
) -> Interval:
    """The percentile bootstrap interval of a statistic over repeats.

    Several samples are pairs: the same repeats are drawn from all of them, as of a strategy and
    grid with equal seeds. A sample given as a list of arrays, one for each data set, is resampled
    within each of them (stratified), and the statistic taken of all together: Agarwal et al.
    (2021), section 4.1.

    Args:
        samples: each (repeats,), or a list of such arrays; infinite values are allowed where the
            statistic is.
        statistic: what to estimate: a function of as many samples that works along an ``axis``, as
            NumPy's do.
        level: the probability with which the interval should hold the truth.
        resamples: how many bootstrap samples are drawn.
        rng: where they are drawn from.

    Returns:
        The statistic, and the lower and upper end; no end lies between two values that were seen,
        so that infinite ones stay infinite.

    Raises:
        UsageError: if there is no repeat, or samples that should be pairs differ in size.

    >>> rng = np.random.default_rng(0)
    >>> def ratio(x, y, axis): return np.median(x, axis=axis) / np.median(y, axis=axis)
    >>> bootstrap_interval([2.0, 4.0, 6.0], [1.0, 2.0, 3.0], statistic=ratio, rng=rng).estimate
    2.0
    """
    groups = [_strata(sample) for sample in samples]
    sizes = [[len(stratum) for stratum in strata] for strata in groups]
    if not groups or 0 in sizes[0] or not sizes[0] or any(size != sizes[0] for size in sizes):
        raise UsageError(
            f"samples of {sizes} repeats cannot be resampled; "
            "give at least one repeat, and as many of each strategy."
        )
    offsets = np.cumsum([0, *sizes[0]])
    # One draw of repeats for all samples keeps the pairs, one for each stratum keeps their sizes.
    picks = np.hstack(
        [
            offset + rng.integers(size, size=(resamples, size))
            for offset, size in zip(offsets[:-1], sizes[0], strict=True)
        ]
    )
    pooled = [np.concatenate(strata) for strata in groups]
    values = np.sort(statistic(*(sample[picks] for sample in pooled), axis=-1))
    tail = (1.0 - level) / 2
    low = np.quantile(values, tail, method="lower")
    high = np.quantile(values, 1.0 - tail, method="higher")
    return Interval(float(statistic(*pooled, axis=-1)), float(low), float(high))


def probability_of_improvement(x: ArrayLike, y: ArrayLike, axis: int = -1) -> Any:
    """The probability that a repeat of x scores above one of y, equals counting half.

    Over all pairs, so it is the Mann-Whitney U statistic divided by n m. Agarwal et al. (2021),
    section 4.3.

    Args:
        x: (..., n) scores, greater being better.
        y: (..., m) scores of the other strategy on the same data set.
        axis: the repeats' axis.

    Returns:
        A number in [0, 1], or an array (...) of them; for several data sets take the mean.

    >>> float(probability_of_improvement([1.0, 2.0], [1.0, 0.0]))
    0.875
    """
    a = np.moveaxis(np.asarray(x, dtype=np.float64), axis, -1)[..., :, None]
    b = np.moveaxis(np.asarray(y, dtype=np.float64), axis, -1)[..., None, :]
    return ((a > b).mean(axis=(-2, -1)) + (a >= b).mean(axis=(-2, -1))) / 2


def wilcoxon(x: ArrayLike, y: ArrayLike) -> float:
    """The two-sided p-value of Wilcoxon's signed-rank test (1945) for paired repeats, exact.

    Pairs without a difference are left out, equal differences share their mean rank, and the
    p-value comes from all assignments of signs to these ranks, so it is exact with equals too. With
    n differing pairs it cannot fall below 2^(1-n).

    Args:
        x: (n,) scores of one strategy.
        y: (n,) scores of the other, with the same seeds.

    Returns:
        The p-value; 1 where no pair differs.

    Raises:
        UsageError: if they are not pairs of finite numbers.

    >>> wilcoxon([0.9, 0.8, 0.9, 0.7, 0.8], [0.8, 0.6, 0.5, 0.2, 0.1])
    0.0625
    """
    from scipy.stats import rankdata

    a, b = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if a.ndim != 1 or a.shape != b.shape or not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise UsageError(
            f"a paired test of scores of shapes {a.shape} and {b.shape} is not possible; "
            "give as many finite scores of both, in the order of their seeds."
        )
    difference = np.round(a - b, _digits(a, b))
    difference = difference[difference != 0.0]
    if not len(difference):
        return 1.0
    # Mean ranks are whole or half numbers; doubled they index the distribution of their sum.
    ranks = np.rint(2 * rankdata(np.abs(difference))).astype(int)
    statistic = int(ranks[difference > 0].sum())
    chances = np.zeros(ranks.sum() + 1)
    chances[0] = 1.0
    for rank in ranks:
        chances[rank:] += chances[:-rank].copy()  # this pair's sign is positive, or it is not
        chances /= 2
    least = min(chances[: statistic + 1].sum(), chances[statistic:].sum())
    return min(1.0, 2 * float(least))


def holm(p_values: ArrayLike) -> Floats:
    """Holm's step-down correction (1979) of p-values for having asked several questions at once.

    Args:
        p_values: (m,) in [0, 1].

    Returns:
        (m,) adjusted p-values, in the order given; each is to be compared with the level that the
        whole family should have.

    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    steps = p[order] * np.arange(len(p), 0, -1)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


def average_ranks(table: ArrayLike) -> Floats:
    """The mean rank of each strategy over data sets or repeats: 1 is best, equals share theirs.

    Args:
        table: (rows, strategies) scores, greater being better; each row is ranked by itself.

    Returns:
        (strategies,).

    Raises:
        UsageError: if a score is missing, or there is no row.

    >>> average_ranks([[0.9, 0.8, 0.8], [0.7, 0.9, 0.6]]).tolist()
    [1.5, 1.75, 2.75]
    """
    from scipy.stats import rankdata

    scores = np.asarray(table, dtype=np.float64)
    if scores.ndim == 2 and np.isfinite(scores).all():
        scores = np.round(scores, _digits(scores))
    if scores.ndim != 2 or not scores.size or np.isnan(scores).any():
        raise UsageError(
            f"ranks need a full table of scores, not one of shape {scores.shape} with gaps; "
            "leave out the rows in which a strategy has no score."
        )
    ranks: Floats = rankdata(-scores, axis=1).mean(axis=0)
    return ranks


def _digits(*scores: Floats) -> int:
    """The decimals that tell scores of such a size apart."""
    largest = max((float(np.abs(each).max(initial=0.0)) for each in scores), default=0.0)
    return DIGITS - max(math.ceil(math.log10(largest)), -DIGITS) if largest > 0 else DIGITS


def _strata(sample: Sample) -> list[Floats]:
    """A sample as a list of arrays, one for each data set."""
    rows: Any = sample
    if len(rows) and np.ndim(rows[0]) == 1:
        return [np.asarray(row, dtype=np.float64) for row in rows]
    return [np.asarray(rows, dtype=np.float64)]
