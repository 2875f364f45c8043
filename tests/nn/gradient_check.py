"""Centred differences in float64, against which every backward pass is checked."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def numeric_gradient(f: Callable[[], float], x: np.ndarray, step: float = 1e-6) -> np.ndarray:
    """The gradient of f with respect to the array x, which f reads and this changes in place."""
    gradient = np.empty_like(x)
    for i in np.ndindex(x.shape):
        kept = x[i]
        x[i] = kept + step
        above = f()
        x[i] = kept - step
        below = f()
        x[i] = kept
        gradient[i] = (above - below) / (2 * step)
    return gradient


def relative_error(a: np.ndarray, b: np.ndarray) -> float:
    """The largest difference, relative to the largest entry."""
    return float(np.abs(a - b).max() / max(np.abs(a).max(), np.abs(b).max(), 1e-12))


def assert_same_gradient(analytic: np.ndarray, numeric: np.ndarray, limit: float = 1e-6) -> None:
    error = relative_error(analytic, numeric)
    assert error < limit, f"relative error {error:.2e}:\n{analytic}\n{numeric}"
