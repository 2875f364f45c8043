"""Metrics of how sure a classifier is: of its probabilities, or of a decision for two classes."""

from __future__ import annotations

import math

import numpy as np

from hpsearch.metrics.arrays import Array, Codes, Weight

__all__ = ["log_loss", "ranks_of_two", "roc_auc", "roc_auc_ovr"]


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
    return ranks_of_two(y == 1, decision, weight)


def roc_auc_ovr(y: Codes, probabilities: Array, weight: Weight = None) -> float:
    """The mean of each class's `roc_auc` against the rest, over the classes that occur.

    A class that has all rows, or none, has none; nan where that is so of all.

    Args:
        y: the true codes (n,).
        probabilities: (n, classes).
        weight: of each row (n,).
    """
    of_classes = (
        ranks_of_two(y == code, probabilities[:, code], weight)
        for code in range(probabilities.shape[1])
    )
    known = [area for area in of_classes if not math.isnan(area)]
    return float(np.mean(known)) if known else math.nan


def ranks_of_two(positive: np.ndarray, decision: Array, weight: Weight = None) -> float:
    """The area that `roc_auc` tells of, given which rows are positive (n,)."""
    order = np.argsort(decision, kind="stable")  # at once where rows are sorted already
    sorted_decision = decision[order]
    starts = np.flatnonzero(np.r_[True, sorted_decision[1:] != sorted_decision[:-1]])
    each = np.ones(len(order)) if weight is None else weight[order].astype(np.float64)
    up = np.where(positive[order], each, 0.0)
    ups, downs = np.add.reduceat(up, starts), np.add.reduceat(each - up, starts)
    total = ups.sum() * downs.sum()
    if not total > 0:
        return math.nan
    below = np.cumsum(downs) - downs / 2  # of equals half is below
    return float(ups @ below / total)
