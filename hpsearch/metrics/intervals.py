"""How sure a metric of some rows is: Wilson's interval for a share, the bootstrap for the rest.

The bootstrap is BCa, bias-corrected and accelerated (Efron 1987). It resamples rows, or whole
groups of rows where those of a group resemble one another. Its draws follow from a fixed seed, so
that the same predictions have the same interval everywhere. Of very many rows the statistic is
normal, with the variance that the jackknife finds.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from hpsearch.metrics.arrays import Array, Weight
from hpsearch.metrics.metric import Metric

__all__ = ["Ends", "difference_interval", "interval", "wilson_interval"]

RESAMPLES = 2000
FEW_RESAMPLES = 1000
"""For more rows than `MANY`, whose statistics are nearly normal anyway."""
DEAR_RESAMPLES = 400
"""Of a metric that takes a millisecond and more."""
MANY = 20_000
VERY_MANY = 200_000
"""Rows, told one by one, from which on a thousand resamples would take minutes."""
BLOCKS, DEAR_BLOCKS = 200, 50
"""Of more units than so many the jackknife leaves out a block at a time."""

_NORMAL = NormalDist()


class Ends(NamedTuple):
    """The ends of an interval."""

    low: float
    high: float


def interval(
    metric: Metric,
    y: np.ndarray,
    predictions: np.ndarray,
    *,
    weight: Weight = None,
    groups: np.ndarray | None = None,
) -> Ends | None:
    """The 95% interval of a metric on rows that stand for many more.

    Args:
        metric: what is measured.
        y: true class codes or values, as in `Metric.value`.
        predictions: likewise.
        weight: of each row (n,).
        groups: which group each row belongs to (n,); None: each row stands for itself.

    Returns:
        Its ends; None where the rows are too few or too alike to tell.
    """
    if metric.name == "accuracy" and weight is None and groups is None:
        right = int(np.sum(metric.needed(predictions) == y))
        return Ends(*wilson_interval(right, len(y)))
    return _bca(_Rows.of(metric, y, (predictions,), weight, groups))


def difference_interval(
    metric: Metric,
    y: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    *,
    weight: Weight = None,
    groups: np.ndarray | None = None,
) -> Ends | None:
    """The 95% interval of what the first predictions' value is above the second's.

    Both are of the same rows, and are resampled together: what makes a row hard for both does not
    widen the interval.

    Args:
        metric: what is measured.
        y: true class codes or values.
        first: a model's predictions.
        second: another model's, of the same rows.
        weight: of each row (n,).
        groups: which group each row belongs to (n,).

    Returns:
        Its ends, in the metric's own units; None as for `interval`.
    """
    return _bca(_Rows.of(metric, y, (first, second), weight, groups))


def wilson_interval(correct: int, total: int, z: float = 1.959964) -> tuple[float, float]:
    """Wilson's score interval of a share (1927): right also near 0 and 1, and for few rows.

    Args:
        correct: successes.
        total: draws, at least one.
        z: normal quantile; 1.96 gives 95%.

    >>> low, high = wilson_interval(97, 100)
    >>> round(low, 3), round(high, 3)
    (0.915, 0.99)
    """
    share = correct / total
    centre = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z / (1 + z * z / total) * math.sqrt(share * (1 - share) / total + (z / (2 * total)) ** 2)
    return max(0.0, centre - half), min(1.0, centre + half)


@dataclass(frozen=True)
class _Rows:
    """Rows with the predictions of one model or of two, in units that are resampled as a whole.

    Attributes:
        metric: what is measured.
        y: true classes or values (n, ...).
        predictions: what the metric needs of each model's (n, ...).
        weight: of each row, or None.
        unit: which unit each row belongs to (n,).
        copies: how often each unit occurs; more than once where equal rows are told once.
    """

    metric: Metric
    y: np.ndarray
    predictions: tuple[np.ndarray, ...]
    weight: Weight
    unit: np.ndarray
    copies: np.ndarray

    @classmethod
    def of(
        cls,
        metric: Metric,
        y: np.ndarray,
        predictions: tuple[np.ndarray, ...],
        weight: Weight,
        groups: np.ndarray | None,
    ) -> _Rows:
        needed = tuple(metric.needed(each) for each in predictions)
        if groups is not None:
            _, unit = np.unique(groups, return_inverse=True)
            return cls(metric, y, needed, weight, unit, np.ones(unit.max() + 1, dtype=np.int64))
        if metric.needs == "labels" and weight is None:
            # A few kinds of rows, however many there are.
            kinds, copies = np.unique(np.stack([y, *needed]), axis=1, return_counts=True)
            return cls(metric, kinds[0], tuple(kinds[1:]), None, np.arange(len(copies)), copies)
        if metric.needs == "decision":
            order = np.argsort(needed[0], kind="stable")  # so that no resample has to be sorted
            y, needed = y[order], tuple(each[order] for each in needed)
            weight = None if weight is None else weight[order]
        units = np.arange(len(y))
        return cls(metric, y, needed, weight, units, np.ones(len(y), dtype=np.int64))

    def statistic(self, copies: np.ndarray) -> float:
        """The metric, or the difference of two, of rows of which each unit occurs so often."""
        times = copies[self.unit]
        there = np.flatnonzero(times)
        if not len(there):
            return math.nan
        each = times[there].astype(np.float64)
        weight: Weight = each if self.weight is None else each * self.weight[there]
        if not self.metric.weighted:
            there, weight = np.repeat(there, times[there]), None
        values = [self.metric.raw(self.y[there], each[there], weight) for each in self.predictions]
        return values[0] - values[1] if len(values) == 2 else values[0]

    def resamples(self) -> Array:
        """The statistic of resamples of the units, those left out in which it is undefined."""
        rng = np.random.default_rng(0)
        total, units = int(self.copies.sum()), len(self.copies)
        count = RESAMPLES if len(self.y) <= MANY else FEW_RESAMPLES
        count = DEAR_RESAMPLES if self.metric.dear else count
        values = np.empty(count)
        for i in range(count):
            if total > units:
                drawn = rng.multinomial(total, self.copies / total)
            else:
                drawn = np.bincount(rng.integers(units, size=units), minlength=units)
            values[i] = self.statistic(drawn)
        return values[np.isfinite(values)]

    def left_out(self) -> Iterator[tuple[float, int]]:
        """The statistic without one unit, or one block of units, and how often that can be so."""
        few = self.metric.dear or len(self.y) > VERY_MANY
        blocks = DEAR_BLOCKS if few else BLOCKS
        if self.copies.max() > 1 or len(self.copies) <= blocks:
            for unit, copies in enumerate(self.copies):
                without = self.copies.copy()
                without[unit] -= 1
                yield self.statistic(without), int(copies)
            return
        block = np.random.default_rng(1).permutation(len(self.copies)) % blocks
        for one in range(blocks):
            yield self.statistic(np.where(block == one, 0, self.copies)), 1


def _bca(rows: _Rows) -> Ends | None:
    """Efron's interval (1987), eq. 6.8; its bias and acceleration from section 6 there."""
    if rows.copies.sum() < 2:
        return None
    estimate = rows.statistic(rows.copies)
    if len(rows.y) > VERY_MANY:
        return _normal(rows, estimate)
    values = np.sort(rows.resamples())
    if not math.isfinite(estimate) or 2 * len(values) < DEAR_RESAMPLES:
        return None
    same = 1e-12 * max(1.0, abs(estimate))
    below, equal = np.sum(values < estimate - same), np.sum(np.abs(values - estimate) <= same)
    least = 1 / (2 * len(values))
    bias = _NORMAL.inv_cdf(min(max((below + equal / 2) / len(values), least), 1 - least))
    acceleration = _acceleration(rows)
    ends = []
    for z in (-1.959964, 1.959964):
        moved = bias + (bias + z) / (1 - acceleration * (bias + z))
        ends.append(float(np.quantile(values, _NORMAL.cdf(moved))))
    return Ends(min(ends), max(ends))


def _normal(rows: _Rows, estimate: float) -> Ends | None:
    """The interval of a normal statistic, by the delete-a-group jackknife."""
    values = np.array([value for value, _ in rows.left_out()])
    values = values[np.isfinite(values)]
    if not math.isfinite(estimate) or len(values) < 2:
        return None
    half = 1.959964 * math.sqrt((len(values) - 1) * float(np.var(values)))
    return Ends(estimate - half, estimate + half)


def _acceleration(rows: _Rows) -> float:
    """A sixth of the skewness of what each unit adds to the statistic, by the jackknife."""
    pairs = [(value, copies) for value, copies in rows.left_out() if math.isfinite(value)]
    if not pairs:
        return 0.0
    values, copies = (np.array(each, dtype=np.float64) for each in zip(*pairs, strict=True))
    influence: Array = np.average(values, weights=copies) - values
    squares = float(copies @ influence**2)
    if squares <= (1e-12 * max(1.0, float(np.abs(values).max()))) ** 2 * copies.sum():
        return 0.0
    return float(copies @ influence**3 / (6 * squares**1.5))
