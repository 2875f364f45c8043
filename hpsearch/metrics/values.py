"""Metrics of predicted numbers; several targets count the same, as in scikit-learn."""

from __future__ import annotations

import numpy as np

from hpsearch.metrics.arrays import Array, Weight

__all__ = ["mae", "r2", "rmse"]


def rmse(y: Array, values: Array, weight: Weight = None) -> float:
    """The root of the mean squared error, in the target's units; the mean over the targets.

    Args:
        y: true values (n,) or (n, targets).
        values: predicted ones, of the same shape.
        weight: of each row (n,).

    >>> rmse(np.array([1.0, 2.0]), np.array([1.0, 4.0])) == 2**0.5
    True
    """
    return float(np.mean(np.sqrt(_mean((_float(y) - values) ** 2, weight))))


def mae(y: Array, values: Array, weight: Weight = None) -> float:
    """The mean absolute error, in the target's units; the mean over the targets."""
    return float(np.mean(_mean(np.abs(_float(y) - values), weight)))


def r2(y: Array, values: Array, weight: Weight = None) -> float:
    """The share of the target's variance that is explained; the mean over the targets.

    A target that is constant in ``y`` has 1 where it is predicted exactly, and 0 otherwise.
    """
    true = _float(y).reshape(len(y), -1)
    error = _mean((true - np.reshape(values, true.shape)) ** 2, weight)
    # Of a constant the mean may differ by rounding, and a variance that is none would be one.
    varies = np.ptp(true[slice(None) if weight is None else weight > 0], axis=0) > 0
    variance = _mean((true - _mean(true, weight)) ** 2, weight)
    explained = np.divide(error, variance, out=(error > 0) * 1.0, where=varies & (variance > 0))
    return float(np.mean(1.0 - explained))


def _float(y: Array) -> Array:
    return np.asarray(y, dtype=np.float64)


def _mean(rows: Array, weight: Weight) -> Array:
    mean: Array = np.average(rows, axis=0, weights=weight)
    return mean
