"""Metrics of class codes: all of them read one confusion matrix.

Arrays of codes hold integers from 0 on; a weight is of a row, and one of 2 counts as the row twice.
Where a metric is 0/0 it has the value that scikit-learn gives it, or is nan.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from hpsearch.metrics.arrays import Array, Codes, Weight

__all__ = [
    "POSITIVE",
    "ByClass",
    "LikelihoodRatio",
    "accuracy",
    "balanced_accuracy",
    "confusion_matrix",
    "mcc",
    "quadratic_kappa",
]

POSITIVE = 1
"""Of two classes the one that is looked for: the second in sorted order, as in scikit-learn."""


def confusion_matrix(y: Codes, labels: Codes, weight: Weight = None, *, classes: int = 0) -> Array:
    """How many rows of each class, or what weight of them, got each label.

    Args:
        y: the true codes (n,).
        labels: the predicted codes (n,).
        weight: of each row (n,); None: 1 each.
        classes: how many there are at least.

    Returns:
        (classes, classes) float64: true classes in rows, predicted ones in columns.

    >>> confusion_matrix(np.array([0, 0, 1]), np.array([0, 1, 1])).tolist()
    [[1.0, 1.0], [0.0, 1.0]]
    """
    k = max(classes, int(y.max(initial=0)) + 1, int(labels.max(initial=0)) + 1)
    cells = np.bincount(y * k + labels, weight, k * k)
    return cells.reshape(k, k).astype(np.float64)


def accuracy(y: Codes, labels: Codes, weight: Weight = None) -> float:
    """The share of rows that are labelled right."""
    right = labels == y
    return float(np.mean(right) if weight is None else np.average(right, weights=weight))


def balanced_accuracy(y: Codes, labels: Codes, weight: Weight = None) -> float:
    """The mean recall of the classes that occur."""
    cells = confusion_matrix(y, labels, weight)
    rows = cells.sum(axis=1)
    seen = rows > 0
    return float(np.mean(cells.diagonal()[seen] / rows[seen])) if seen.any() else math.nan


@dataclass(frozen=True)
class ByClass:
    """A share of each class, and how the classes are put together; 0 where a share is 0/0.

    Args:
        share: precision, recall, f1 (their harmonic mean) or jaccard (rows right, of those that are
            of the class or got its label).
        average: "binary": that of the positive class of two; "macro": the mean over the classes
            that occur or are predicted; "weighted": that mean by their rows; "micro": the share of
            all rows.
    """

    share: Literal["precision", "recall", "f1", "jaccard"]
    average: Literal["binary", "macro", "weighted", "micro"]

    def __call__(self, y: Codes, labels: Codes, weight: Weight = None) -> float:
        """The share of labels (n,) beside the true codes (n,), rows weighing so much (n,)."""
        cells = confusion_matrix(y, labels, weight, classes=2)
        right, rows, labelled = cells.diagonal(), cells.sum(axis=1), cells.sum(axis=0)
        if self.average == "binary":
            right, rows, labelled = (each[POSITIVE:][:1] for each in (right, rows, labelled))
        elif self.average == "micro":
            right, rows, labelled = (each.sum(keepdims=True) for each in (right, rows, labelled))
        above, below = {
            "precision": (right, labelled),
            "recall": (right, rows),
            "f1": (2 * right, rows + labelled),
            "jaccard": (right, rows + labelled - right),
        }[self.share]
        shares = np.divide(above, below, out=np.zeros(len(above)), where=below > 0)
        if self.average == "weighted":
            return float(np.average(shares, weights=rows))
        if self.average == "macro":
            seen = np.zeros(len(cells), dtype=bool)
            seen[y] = seen[labels] = True
            shares = shares[seen]
        return float(np.mean(shares))


@dataclass(frozen=True)
class LikelihoodRatio:
    """How much oftener a class gets a label than the other does, of two: a test's, in medicine.

    nan where the other never gets it, or no row is positive.

    Args:
        label: 1: recall over the share of false alarms; 0: the share of misses over that of
            negative rows labelled right.
    """

    label: Literal[0, 1]

    def __call__(self, y: Codes, labels: Codes, _weight: Weight = None) -> float:
        """The ratio of labels (n,) beside the true codes (n,); scikit-learn's knows no weights."""
        cells = confusion_matrix(y, labels, classes=2)
        negative, positive = cells[:, self.label]
        rows = cells.sum(axis=1)
        below = float(negative * rows[1])
        return float(positive * rows[0]) / below if below > 0 else math.nan


def mcc(y: Codes, labels: Codes, weight: Weight = None) -> float:
    """The correlation of true and predicted classes: Matthews (1975), of several Gorodkin (2004).

    0 where all rows are of one class or get one label.
    """
    cells = confusion_matrix(y, labels, weight)
    true, predicted, total = cells.sum(axis=1), cells.sum(axis=0), cells.sum()
    spread = (total**2 - predicted @ predicted) * (total**2 - true @ true)
    # Constant labels leave a remainder of rounding where weights are no whole numbers.
    if spread <= (4 * np.finfo(np.float64).eps * total**2) * total**2:
        return 0.0
    return float((cells.trace() * total - true @ predicted) / math.sqrt(spread))


def quadratic_kappa(y: Codes, labels: Codes, weight: Weight = None) -> float:
    """Agreement of ordered classes above chance, misses counting by their squared distance.

    Cohen (1968). nan where all rows are of one class and get that label.
    """
    cells = confusion_matrix(y, labels, weight)
    codes = np.arange(len(cells))
    distance = np.subtract.outer(codes, codes) ** 2.0
    by_chance = np.outer(cells.sum(axis=1), cells.sum(axis=0)) / cells.sum()
    expected = float((distance * by_chance).sum())
    return 1.0 - float((distance * cells).sum()) / expected if expected > 0 else math.nan
