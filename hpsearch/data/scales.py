"""What the columns of a training part have: medians, deviations, curves of ranks, axes.

Sums are in float64, some megabytes of rows at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "CHUNK_CELLS",
    "curve",
    "deviations",
    "extreme",
    "means",
    "medians",
    "middle_halves",
    "principal_axes",
]

CHUNK_CELLS = 1 << 20  # eight megabytes of float64
MIDDLE_HALF = 1.3489795
"""The standard deviations that the middle half of a normal distribution spans."""

Floats = NDArray[np.float64]


def medians(X: NDArray[Any], categorical: frozenset[int]) -> NDArray[np.float32]:
    """The median of what each numeric column has, (d,); 0 for nothing, NaN for categories.

    Args:
        X: samples, (n, d), NaN where a value is missing.
        categorical: columns of categories.
    """
    found = np.empty(X.shape[1], dtype=np.float32)
    for column in range(X.shape[1]):
        values = X[:, column]
        present = values[~np.isnan(values)]
        found[column] = np.median(present) if len(present) else 0
    found[sorted(categorical)] = np.nan
    return found


def extreme(reduce: np.ufunc, X: NDArray[Any], categorical: Iterable[int]) -> NDArray[np.float32]:
    """The least or greatest value of each numeric column, (d,); NaN where it has none.

    Args:
        reduce: ``numpy.fmin`` or ``numpy.fmax``.
        X: samples, (n, d).
        categorical: columns of categories.
    """
    found = np.asarray(reduce.reduce(X, axis=0), dtype=np.float32)
    found[sorted(categorical)] = np.nan
    return found


def _chunks(expanded: NDArray[np.float32], mean: Floats) -> Iterator[Floats]:
    rows = max(1, CHUNK_CELLS // expanded.shape[1])
    for start in range(0, len(expanded), rows):
        yield expanded[start : start + rows] - mean


def means(expanded: NDArray[np.float32]) -> Floats:
    """Column means; exactly the value itself in a constant column, so that it centres to zero."""
    low, high = expanded.min(axis=0), expanded.max(axis=0)
    found: Floats = expanded.mean(axis=0, dtype=np.float64)
    return np.where(low == high, low.astype(np.float64), found)


def deviations(expanded: NDArray[np.float32], mean: Floats) -> Floats:
    """Population standard deviations; 1 for constant columns."""
    squares = np.zeros_like(mean)
    for centred in _chunks(expanded, mean):
        squares += np.einsum("ij,ij->j", centred, centred)
    found: Floats = np.sqrt(squares / len(expanded))
    found[found == 0] = 1
    return found


def principal_axes(
    expanded: NDArray[np.float32], mean: Floats, share: float
) -> tuple[Floats, Floats]:
    """Axes of greatest variance as columns, and their variances, until ``share`` is explained.

    They are eigenvectors of the covariance matrix (e, e), or, with fewer samples than columns, come
    from those of the smaller Gram matrix (n, n), which has the same non-zero eigenvalues.
    """
    n, width = expanded.shape
    if n < width:
        centred = expanded - mean
        values, vectors = np.linalg.eigh(centred @ centred.T / n)
    else:
        covariance = np.zeros((width, width))
        for centred in _chunks(expanded, mean):
            covariance += centred.T @ centred
        values, vectors = np.linalg.eigh(covariance / n)
    values, vectors = values[::-1], vectors[:, ::-1]
    if values[0] <= 0:  # every column is constant: any one axis does, and gives zeros
        return np.eye(width, 1), np.ones(1)
    # Below this, an eigenvalue is rounding, and whitening would divide by it.
    kept = values > values[0] * len(values) * np.finfo(np.float64).eps
    values, vectors = values[kept], vectors[:, kept]
    explained = np.cumsum(values) / values.sum()
    count = min(int(np.searchsorted(explained, share - 1e-12)) + 1, len(values))
    values, vectors = values[:count], vectors[:, :count]
    axes = vectors if n >= width else (expanded - mean).T @ vectors / np.sqrt(n * values)
    # An axis has two directions; the one whose largest entry is positive is ours.
    largest = axes[np.abs(axes).argmax(axis=0), np.arange(count)]
    return axes * np.where(largest < 0, -1.0, 1.0), values


def middle_halves(X: NDArray[Any]) -> tuple[Floats, Floats]:
    """The median of each column, and what the range of its middle half says of its deviation.

    Where half of the rows share a value, half of the whole range is taken instead.
    """
    middle, scale = np.zeros(X.shape[1]), np.ones(X.shape[1])
    for column in range(X.shape[1]):
        values = X[:, column].astype(np.float64)
        values = values[~np.isnan(values)]
        if len(values):
            low, first, middle[column], third, high = np.quantile(values, [0, 0.25, 0.5, 0.75, 1])
            scale[column] = (third - first) / MIDDLE_HALF or (high - low) / 2 or 1
    return middle, scale


def curve(values: NDArray[Any], most: int) -> tuple[Floats, Floats]:
    """A curve from a column's values, (n,), at so many points, to normal scores of their ranks.

    Of rows that share a value, the rank is the mean of theirs. So no value is farther out than its
    rarity tells, where scikit-learn's QuantileTransformer puts the least and the greatest at 5.2
    standard deviations, of however few rows they are; within, both agree.
    """
    from scipy.special import ndtri

    values = np.sort(values[~np.isnan(values)])
    new = np.concatenate([[True], values[1:] > values[:-1]])[: len(values)]
    knots = values[new]
    if len(knots) > most:
        knots = np.unique(values[np.linspace(0, len(values) - 1, most).astype(np.int64)])
    ranks = np.searchsorted(values, knots) + np.searchsorted(values, knots, "right")
    return knots.astype(np.float64), ndtri(ranks / max(1, 2 * len(values)))
