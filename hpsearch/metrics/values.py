"""Metrics of predicted numbers; several targets count the same, as in scikit-learn."""

from __future__ import annotations

import math

import numpy as np

from hpsearch.metrics.arrays import Array, Weight

__all__ = ["mae", "mape", "max_error", "median_error", "mse", "msle", "r2", "rmse", "rmsle"]


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


def mse(y: Array, values: Array, weight: Weight = None) -> float:
    """The mean squared error; the mean over the targets."""
    return float(np.mean(_mean((_float(y) - values) ** 2, weight)))


def mape(y: Array, values: Array, weight: Weight = None) -> float:
    """The mean absolute error as a share of the true value, which is at least float64's eps."""
    true = _float(y)
    least = np.maximum(np.abs(true), np.finfo(np.float64).eps)
    return float(np.mean(_mean(np.abs(true - values) / least, weight)))


def msle(y: Array, values: Array, weight: Weight = None) -> float:
    """The mean squared error of log(1 + value); nan where a value is -1 or less."""
    logarithms = _log1p(y, values)
    return math.nan if logarithms is None else mse(*logarithms, weight)


def rmsle(y: Array, values: Array, weight: Weight = None) -> float:
    """Its root, of each target by itself; nan where a value is -1 or less."""
    logarithms = _log1p(y, values)
    return math.nan if logarithms is None else rmse(*logarithms, weight)


def max_error(y: Array, values: Array, _weight: Weight = None) -> float:
    """The largest absolute error, which knows no weights."""
    return float(np.abs(_float(y) - values).max())


def median_error(y: Array, values: Array, weight: Weight = None) -> float:
    """The median absolute error; the mean over the targets."""
    errors = np.abs(_float(y) - values)
    if weight is None:
        return float(np.mean(np.median(errors, axis=0)))
    from sklearn.metrics import median_absolute_error

    return float(median_absolute_error(errors, np.zeros_like(errors), sample_weight=weight))


def _log1p(y: Array, values: Array) -> tuple[Array, Array] | None:
    y = _float(y)
    return None if min(y.min(), values.min()) <= -1 else (np.log1p(y), np.log1p(values))


def _float(y: Array) -> Array:
    return np.asarray(y, dtype=np.float64)


def _mean(rows: Array, weight: Weight) -> Array:
    mean: Array = np.average(rows, axis=0, weights=weight)
    return mean
