"""The decision threshold of two classes: from which probability a row gets the positive label."""

from __future__ import annotations

import numpy as np

from hpsearch.metrics.arrays import Weight
from hpsearch.metrics.metric import Metric

__all__ = ["best_threshold", "decided", "labels_by"]

CANDIDATES = 200
"""Thresholds that are tried, at quantiles of the probabilities."""


def decided(metric: Metric, predictions: np.ndarray, threshold: float | None) -> np.ndarray:
    """What a metric is to read: labels by a threshold where it needs labels, else predictions.

    Args:
        metric: reads it.
        predictions: probabilities (n, 2); with no threshold anything.
        threshold: of the positive class's probability; None for the likelier class.

    Returns:
        Class codes (n,), or the predictions as they are.
    """
    if threshold is None or metric.needs != "labels":
        return predictions
    return labels_by(threshold, predictions, metric.positive)


def labels_by(threshold: float, predictions: np.ndarray, positive: int) -> np.ndarray:
    """The class codes (n,) that a threshold of the positive class gives probabilities (n, 2).

    >>> labels_by(0.3, np.array([[0.6, 0.4], [0.8, 0.2]]), 1).tolist()
    [1, 0]
    """
    return np.where(predictions[:, positive] >= threshold, positive, 1 - positive)


def best_threshold(
    metric: Metric, y: np.ndarray, predictions: np.ndarray, weight: Weight = None
) -> float:
    """The threshold with which a metric of labels is best; of equals the one nearest to one half.

    Args:
        metric: needs labels of two classes.
        y: true class codes (n,) of validation rows.
        predictions: their probabilities (n, 2).
        weight: of each row (n,).

    >>> from hpsearch.metrics import metric_named
    >>> f1, p = metric_named("f1", "classification", 2), np.array([0.1, 0.3, 0.2, 0.05])
    >>> 0.1 < best_threshold(f1, np.array([0, 1, 1, 0]), np.column_stack([1 - p, p])) <= 0.2
    True
    """
    p = np.unique(predictions[:, metric.positive].astype(np.float64))
    between = (p[1:] + p[:-1]) / 2
    if len(between) > CANDIDATES:
        between = np.quantile(between, np.linspace(0, 1, CANDIDATES))
    tried = [0.5, *between.tolist()]

    def merit(threshold: float) -> tuple[float, float]:
        labels = decided(metric, predictions, threshold)
        return metric.score(metric.value(y, labels, weight)), -abs(threshold - 0.5)

    best: float = max(tried, key=merit)
    return best
