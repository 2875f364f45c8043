"""Metrics of how sure a classifier is: of its probabilities, or of a decision for two classes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from hpsearch.metrics.arrays import Array, Codes, Weight

__all__ = [
    "OneVsOne",
    "OneVsRest",
    "auc_of_two",
    "average_precision",
    "brier_score",
    "counts_from_above",
    "d2_brier_score",
    "d2_log_loss",
    "log_loss",
    "precision_of_two",
    "roc_auc",
    "top_two_accuracy",
]


OfTwo: TypeAlias = Callable[[np.ndarray, Array, Weight], float]
"""Of which rows are positive (n,), a decision and the rows' weights."""


def log_loss(y: Codes, probabilities: Array, weight: Weight = None) -> float:
    """The mean of -log p of the true class, p clipped by its dtype's eps, in float64.

    Args:
        y: the true codes (n,).
        probabilities: (n, classes), rows that sum to one.
        weight: of each row (n,).

    >>> log_loss(np.array([0, 1]), np.array([[0.5, 0.5], [0.5, 0.5]])) == math.log(2)
    True
    """
    eps = np.finfo(probabilities.dtype).eps
    picked = np.take_along_axis(probabilities, y.astype(np.intp)[:, None], axis=1)[:, 0]
    losses = -np.log(np.clip(picked, eps, 1 - eps).astype(np.float64))
    return float(np.average(losses, weights=weight))


def roc_auc(y: Codes, decision: Array, weight: Weight = None) -> float:
    """The probability that a positive row is ranked above a negative one, ties counting half.

    Mann and Whitney's statistic (1947) over its maximum, in O(n log n). nan where one of the two
    classes is absent.

    Args:
        y: the true codes (n,); positive are those of 1.
        decision: (n,), higher where the positive class is likelier.
        weight: of each row (n,).

    >>> roc_auc(np.array([0, 1, 0, 1]), np.array([0.1, 0.4, 0.4, 0.8]))
    0.875
    """
    return auc_of_two(y == 1, decision, weight)


def average_precision(y: Codes, decision: Array, weight: Weight = None) -> float:
    """The precision at each threshold, weighted by the recall that it adds.

    nan where no row is positive.

    Args:
        y: the true codes (n,); positive are those of 1.
        decision: (n,), higher where the positive class is likelier.
        weight: of each row (n,).

    >>> average_precision(np.array([0, 1, 0, 1]), np.array([0.1, 0.3, 0.4, 0.8]))
    0.8333333333333333
    """
    return precision_of_two(y == 1, decision, weight)


@dataclass(frozen=True)
class OneVsRest:
    """The mean of each class's value against the rest, over the classes that have one.

    nan where none has.

    Args:
        of_two: `auc_of_two` or `precision_of_two`.
        by_rows: whether a class counts by its rows, or their weight.
    """

    of_two: OfTwo
    by_rows: bool = False

    def __call__(self, y: Codes, probabilities: Array, weight: Weight = None) -> float:
        """The mean for probabilities (n, classes) beside the true codes (n,)."""
        columns = np.ascontiguousarray(probabilities.T)
        values = [self.of_two(y == code, column, weight) for code, column in enumerate(columns)]
        rows = np.bincount(y, weight, len(values)) if self.by_rows else np.ones(len(values))
        return _mean_of_known(values, rows)


@dataclass(frozen=True)
class OneVsOne:
    """The mean area over all pairs of classes, each pair's of both by turns (Hand & Till 2001).

    Args:
        by_rows: whether a pair counts by its rows, or their weight.
    """

    by_rows: bool = False

    def __call__(self, y: Codes, probabilities: Array, weight: Weight = None) -> float:
        """The mean for probabilities (n, classes) beside the true codes (n,)."""
        classes = probabilities.shape[1]
        total = np.bincount(y, weight, classes)
        areas = np.stack(
            [_areas_against(y, code, probabilities[:, code], total, weight)
             for code in range(classes)]
        )  # fmt: skip
        a, b = np.triu_indices(classes, 1)
        values = (areas[a, b] + areas[b, a]) / 2
        return _mean_of_known(values, total[a] + total[b] if self.by_rows else np.ones(len(a)))


def _areas_against(
    y: Codes, code: int, decision: Array, total: np.ndarray, weight: Weight
) -> Array:
    """For each class the area by which rows of ``code`` are told from its rows; nan without rows.

    One order of all rows serves every pair: the rows of each other class that lie below are counted
    on the way up, ties by half.
    """
    order = np.argsort(decision, kind="stable")
    sorted_decision, sorted_y = decision[order], y[order]
    each = np.ones(len(y)) if weight is None else weight[order]
    starts = np.flatnonzero(np.append(True, sorted_decision[1:] != sorted_decision[:-1]))
    rows = np.zeros((len(y), len(total)))
    rows[np.arange(len(y)), sorted_y] = each
    level = rows if len(starts) == len(y) else np.add.reduceat(rows, starts)
    below = np.cumsum(level, axis=0)
    below -= level / 2
    pairs = np.asarray(total[code] * total, dtype=np.float64)
    areas: Array = np.full(len(total), np.nan)
    np.divide(level[:, code] @ below, pairs, out=areas, where=pairs > 0)
    return areas


def brier_score(y: Codes, probabilities: Array, weight: Weight = None) -> float:
    """The mean squared distance of the probabilities from what happened: Brier (1950).

    Of two classes that of the positive one alone, half of the sum over both; as in scikit-learn.

    Args:
        y: the true codes (n,).
        probabilities: (n, classes).
        weight: of each row (n,).
    """
    missed = probabilities.astype(np.float64)
    missed[np.arange(len(y)), y] -= 1
    sums = (missed**2).sum(axis=1)
    return float(np.average(sums, weights=weight)) / (2 if missed.shape[1] == 2 else 1)


def d2_log_loss(y: Codes, probabilities: Array, weight: Weight = None) -> float:
    """What of the log loss of the classes' own shares is explained; nan of a single row."""
    shares = _shares(y, probabilities.shape[1], weight)
    occurring = shares[shares > 0]
    whole = -float(occurring @ np.log(occurring))
    return _explained(log_loss(y, probabilities, weight), whole, len(y))


def d2_brier_score(y: Codes, probabilities: Array, weight: Weight = None) -> float:
    """The same of the Brier score."""
    shares = _shares(y, probabilities.shape[1], weight)
    whole = float(1 - shares @ shares) / (2 if len(shares) == 2 else 1)
    return _explained(brier_score(y, probabilities, weight), whole, len(y))


def top_two_accuracy(y: Codes, probabilities: Array, weight: Weight = None) -> float:
    """The share of rows whose class is one of the two likeliest; of equals the later are."""
    columns = np.arange(probabilities.shape[1])
    of_class = np.take_along_axis(probabilities, y.astype(np.intp)[:, None], axis=1)
    ahead = (probabilities > of_class) | ((probabilities == of_class) & (columns > y[:, None]))
    return float(np.average(ahead.sum(axis=1) < 2, weights=weight))


def _shares(y: Codes, classes: int, weight: Weight) -> Array:
    counts = np.bincount(y, weight, classes)
    return np.asarray(counts / counts.sum(), dtype=np.float64)


def _explained(loss: float, whole: float, rows: int) -> float:
    return 1 - loss / whole if rows > 1 and whole > 0 else math.nan


def precision_of_two(positive: np.ndarray, decision: Array, weight: Weight = None) -> float:
    """What `average_precision` tells, given which rows are positive (n,)."""
    if weight is None:
        order = np.argsort(decision, kind="stable")
        sorted_decision = decision[order]
        if (sorted_decision[1:] != sorted_decision[:-1]).all():
            places = len(order) - np.flatnonzero(positive[order])[::-1]
            precisions = np.arange(1.0, len(places) + 1) / places
            return float(precisions.mean()) if len(places) else math.nan
    ups, both, _ = counts_from_above(positive, decision, weight)
    if not ups[-1] > 0:
        return math.nan
    gained = np.diff(ups, prepend=0.0)
    return float(gained @ (ups / both) / ups[-1])


def counts_from_above(
    positive: np.ndarray, decision: Array, weight: Weight = None
) -> tuple[Array, Array, Array]:
    """What lies at or above each distinct decision, from the highest down.

    Args:
        positive: which rows are (n,).
        decision: of each row (n,).
        weight: of each row (n,).

    Returns:
        Positive rows, all rows, or their weights, and the decisions.
    """
    order = np.argsort(-decision, kind="stable")
    decision, up = decision[order], positive[order].astype(np.float64)
    if weight is None:
        both = np.arange(1.0, len(order) + 1)
    else:
        each = weight[order].astype(np.float64)
        up *= each
        both = np.cumsum(each)
    ups = np.cumsum(up)
    ends = np.flatnonzero(np.append(decision[1:] != decision[:-1], True))
    return ups[ends], both[ends], decision[ends]


def auc_of_two(positive: np.ndarray, decision: Array, weight: Weight = None) -> float:
    """The area that `roc_auc` tells of, given which rows are positive (n,)."""
    order = np.argsort(decision, kind="stable")  # at once where rows are sorted already
    sorted_decision, up = decision[order], positive[order]
    differs = sorted_decision[1:] != sorted_decision[:-1]
    if weight is None and differs.all():
        places = np.flatnonzero(up)
        rows, found = len(order), len(places)
        pairs = found * (rows - found)
        return float(places.sum() - found * (found - 1) / 2) / pairs if pairs else math.nan
    starts = np.flatnonzero(np.append(True, differs))
    each = np.ones(len(order)) if weight is None else weight[order].astype(np.float64)
    up = np.where(up, each, 0.0)
    ups, downs = np.add.reduceat(up, starts), np.add.reduceat(each - up, starts)
    total = ups.sum() * downs.sum()
    if not total > 0:
        return math.nan
    below = np.cumsum(downs) - downs / 2  # of equals half is below
    return float(ups @ below / total)


def _mean_of_known(values: Sequence[float] | Array, rows: np.ndarray) -> float:
    known = np.isfinite(values)
    if not rows[known].sum() > 0:
        return math.nan
    return float(np.average(np.asarray(values)[known], weights=rows[known]))
