"""Metrics of predicted numbers; several targets count the same, as in scikit-learn."""

from __future__ import annotations

import math

import numpy as np

from hpsearch.metrics.arrays import Array, Weight

__all__ = [
    "d2_absolute_error",
    "explained_variance",
    "gamma_deviance",
    "mae",
    "mape",
    "max_error",
    "median_error",
    "mse",
    "msle",
    "poisson_deviance",
    "r2",
    "rmse",
    "rmsle",
]


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
    missed = true - np.reshape(values, true.shape)
    return _explained(_mean(missed**2, weight), true, weight)


def explained_variance(y: Array, values: Array, weight: Weight = None) -> float:
    """The same, but of values that are all too high or too low by the same."""
    true = _float(y).reshape(len(y), -1)
    missed = true - np.reshape(values, true.shape)
    return _explained(_variance(missed, weight), true, weight)


def d2_absolute_error(y: Array, values: Array, weight: Weight = None) -> float:
    """The share of the mean distance from the median that is explained; the mean over the targets.

    nan of a single row; constants as for `r2`.
    """
    if len(y) < 2:
        return math.nan
    if weight is not None:
        from sklearn.metrics import d2_absolute_error_score

        return float(d2_absolute_error_score(y, values, sample_weight=weight))
    true = _float(y).reshape(len(y), -1)
    error = np.abs(true - np.reshape(values, true.shape)).mean(axis=0)
    distance = np.abs(true - np.median(true, axis=0)).mean(axis=0)
    return _share(error, distance, distance > 0)


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


def poisson_deviance(y: Array, values: Array, weight: Weight = None) -> float:
    """Twice what the log-likelihood of counts lacks: mean of y log(y/v) - y + v.

    nan where a count is negative, a value not positive, or there are several targets.
    """
    if y.ndim > 1 or y.min() < 0 or values.min() <= 0:
        return math.nan
    true = _float(y)
    logarithms = np.log(np.where(true > 0, true / values, 1.0))
    return 2 * float(_mean(true * logarithms - true + values, weight))


def gamma_deviance(y: Array, values: Array, weight: Weight = None) -> float:
    """The same of a gamma distribution: mean of log(v/y) + y/v - 1.

    nan where not all are positive, or there are several targets.
    """
    if y.ndim > 1 or min(y.min(), values.min()) <= 0:
        return math.nan
    ratio = _float(y) / values
    return 2 * float(_mean(ratio - np.log(ratio) - 1, weight))


def _explained(error: Array, true: Array, weight: Weight) -> float:
    # Of a constant the mean may differ by rounding, and a variance that is none would be one.
    varies = np.ptp(true[slice(None) if weight is None else weight > 0], axis=0) > 0
    variance = _variance(true, weight)
    return _share(error, variance, varies & (variance > 0))


def _share(error: Array, whole: Array, varies: np.ndarray) -> float:
    """What of a whole is no error; 1 or 0 where there is no whole. The mean over the targets."""
    return float(np.mean(1.0 - np.divide(error, whole, out=(error > 0) * 1.0, where=varies)))


def _variance(rows: Array, weight: Weight) -> Array:
    return _mean((rows - _mean(rows, weight)) ** 2, weight)


def _log1p(y: Array, values: Array) -> tuple[Array, Array] | None:
    y = _float(y)
    return None if min(y.min(), values.min()) <= -1 else (np.log1p(y), np.log1p(values))


def _float(y: Array) -> Array:
    return np.asarray(y, dtype=np.float64)


def _mean(rows: Array, weight: Weight) -> Array:
    mean: Array = np.average(rows, axis=0, weights=weight)
    return mean
