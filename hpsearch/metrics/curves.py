"""What a metric's one number hides: numbers for pictures of predictions, by class and by threshold.

All of them are of the rows that a winner was tested on, and small enough to be kept with a study.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from hpsearch.metrics.arrays import Array, Weight
from hpsearch.metrics.probabilities import counts_from_above

__all__ = [
    "ClassShare",
    "Curve",
    "Reliability",
    "Residuals",
    "by_class",
    "calibration",
    "precision_recall_curve",
    "residuals",
    "roc_curve",
]

POINTS = 100
"""Of a curve with more points so many are kept, evenly by their place along it."""


class ClassShare(NamedTuple):
    """How well one class is found.

    Attributes:
        rows: of the class, or their weight.
        recall: the share of its rows that get its label; nan where it has none.
        precision: the share of rows with its label that are of it; nan where none has the label.
    """

    rows: float
    recall: float
    precision: float


class Curve(NamedTuple):
    """Points of a curve over the thresholds of a decision, from the highest threshold down.

    Attributes:
        x: false positive rate of a ROC curve, recall of a precision-recall curve.
        y: true positive rate, or precision.
        threshold: of the decision, from which on a row is labelled positive; inf for no row.
    """

    x: Array
    y: Array
    threshold: Array


class Reliability(NamedTuple):
    """How often rows are right for which a classifier is about equally sure.

    Attributes:
        predicted: mean probability of each bin.
        observed: the share of its rows that are so.
        rows: how many it has, or their weight.
    """

    predicted: Array
    observed: Array
    rows: Array

    @property
    def error(self) -> float:
        """The mean distance of the two over the rows: the expected calibration error."""
        return float(np.average(np.abs(self.predicted - self.observed), weights=self.rows))


def by_class(cells: Array) -> list[ClassShare]:
    """Recall and precision of each class.

    Args:
        cells: a confusion matrix (classes, classes), true classes in rows.

    >>> from hpsearch.metrics.labels import confusion_matrix
    >>> by_class(confusion_matrix(np.array([0, 0, 1]), np.array([0, 1, 1])))[1].precision
    0.5
    """
    rows, labelled, right = cells.sum(axis=1), cells.sum(axis=0), cells.diagonal()
    return [
        ClassShare(float(n), float(r / n) if n else math.nan, float(r / m) if m else math.nan)
        for n, m, r in zip(rows, labelled, right, strict=True)
    ]


def roc_curve(positive: np.ndarray, decision: Array, weight: Weight = None) -> Curve:
    """True against false positive rate; the area under it is `roc_auc`.

    Args:
        positive: which rows are of the class that is looked for (n,).
        decision: (n,), higher where that is likelier.
        weight: of each row (n,).

    Returns:
        At most `POINTS` points, from (0, 0) to (1, 1); nan where a class is absent.
    """
    ups, both, threshold = counts_from_above(positive, decision, weight)
    downs = both - ups
    with np.errstate(invalid="ignore"):
        x, y = np.r_[0.0, downs] / downs[-1], np.r_[0.0, ups] / ups[-1]
    return _thinned(Curve(x, y, np.r_[np.inf, threshold]))


def precision_recall_curve(positive: np.ndarray, decision: Array, weight: Weight = None) -> Curve:
    """Precision against recall, as `roc_curve`; the highest threshold with any row comes first."""
    ups, both, threshold = counts_from_above(positive, decision, weight)
    with np.errstate(invalid="ignore"):
        recall, precision = ups / ups[-1], ups / both
    return _thinned(Curve(recall, precision, threshold))


def calibration(
    positive: np.ndarray, probability: Array, weight: Weight = None, *, bins: int = 10
) -> Reliability:
    """Bins of about as many rows each, by their probability; rows of one probability share one.

    Args:
        positive: which rows turned out so (n,).
        probability: that they would (n,). Of several classes it is usual to take that of the label
            which a row got, and whether the label was right.
        weight: of each row (n,).
        bins: how many at most.
    """
    edges = np.unique(np.quantile(probability, np.linspace(0, 1, bins + 1)[1:-1]))
    which = np.searchsorted(edges, probability, side="left")
    each = np.ones(len(probability)) if weight is None else weight
    rows = np.bincount(which, each, len(edges) + 1).astype(np.float64)
    there = rows > 0
    means = (
        np.bincount(which, each * of_row, len(edges) + 1)[there] / rows[there]
        for of_row in (np.asarray(probability, dtype=np.float64), positive)
    )
    predicted, observed = means
    return Reliability(predicted, observed, rows[there])


@dataclass(frozen=True)
class Residuals:
    """Predicted numbers beside the true ones; of many rows a sample, evenly by the predicted.

    Attributes:
        predicted: (m,), ascending.
        true: (m,) of the same rows.
        quantiles: the errors, true less predicted, that 5, 25, 50, 75 and 95% of all rows are
            below.
    """

    predicted: Array
    true: Array
    quantiles: tuple[float, ...]


def residuals(y: Array, values: Array, *, most: int = 1000) -> Residuals:
    """The errors of one target.

    Args:
        y: true values (n,).
        values: predicted ones (n,).
        most: how many rows to keep.
    """
    errors = np.asarray(y, dtype=np.float64) - values
    kept = np.argsort(values, kind="stable")[_places(len(values), most)]
    quantiles = np.quantile(errors, (0.05, 0.25, 0.5, 0.75, 0.95)).tolist()
    return Residuals(np.asarray(values)[kept], np.asarray(y)[kept], tuple(quantiles))


def _thinned(curve: Curve) -> Curve:
    places = _places(len(curve.x), POINTS)
    return Curve(*(each[places] for each in curve))


def _places(count: int, most: int) -> np.ndarray:
    """So many places of a list, evenly, its first and last among them."""
    if count <= most:
        return np.arange(count)
    return np.unique(np.linspace(0, count - 1, most).round().astype(int))
