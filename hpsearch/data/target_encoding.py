"""Categories as numbers: the mean of the target in each, shrunk towards the mean of all.

A column of thousands of categories would be thousands of inputs. Its categories' mean targets are
one number for each target, or class, and say nearly as much; but a row's own target must not be in
the mean that stands for it, or a network learns to read it there. So each fifth of the training
part is encoded by the other four, and rows that come later by all five. Micci-Barreca (A
preprocessing scheme for high-cardinality categorical attributes, 2001); Pargent et al. (Regularized
target encoding outperforms traditional methods, 2022) compare it with indicators and hashing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["crossed_encoding", "encoding", "width_of"]

FOLDS = 5

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _Sums:
    """What rows come to in each category: how many (c,), targets and their squares (c, t)."""

    counts: Floats
    targets: Floats
    squares: Floats

    @classmethod
    def of(cls, codes: NDArray[np.int64], y: NDArray[Any], categories: int, classes: int) -> _Sums:
        """Class codes count as a target for each class, of which two are told by the second."""
        counts = np.bincount(codes, minlength=categories).astype(np.float64)
        if classes:
            pairs = np.bincount(codes * classes + y, minlength=categories * classes)
            shares = pairs.reshape(categories, classes).astype(np.float64)
            shares = shares[:, 1:] if classes == 2 else shares
            return cls(counts, shares, shares)
        columns = y.reshape(len(y), -1).T.astype(np.float64)
        sums = [np.bincount(codes, column, categories) for column in columns]
        squares = [np.bincount(codes, column * column, categories) for column in columns]
        return cls(counts, np.stack(sums, axis=1), np.stack(squares, axis=1))

    def but(self, other: _Sums) -> _Sums:
        return _Sums(
            self.counts - other.counts, self.targets - other.targets, self.squares - other.squares
        )

    def means(self) -> Floats:
        """The mean of each category, (c, t), drawn towards that of all rows.

        How far is what the variances say: categories are taken to be drawn at random, and their
        variance is estimated as in an analysis of variance. A category without rows has the mean
        of all.
        """
        rows = max(self.counts.sum(), 1)
        seen = np.count_nonzero(self.counts)
        counts = self.counts[:, None]
        mean = self.targets.sum(axis=0) / rows
        if rows == seen:  # each row has a category of its own: they tell nothing of others
            return np.tile(mean, (len(counts), 1))
        away = self.targets / np.maximum(counts, 1) - mean
        away[self.counts == 0] = 0
        total = np.maximum(self.squares.sum(axis=0) - rows * mean * mean, 0)
        between = (counts * away * away).sum(axis=0)
        within = np.maximum(total - between, 0) / (rows - seen)
        size = max(rows - float((counts * counts).sum()) / rows, 1)  # 0 where all share one
        spread = (between - (seen - 1) * within) / size
        signal = counts * np.maximum(spread, 0)
        drawn = signal / np.maximum(signal + within, np.finfo(np.float64).tiny)
        return np.asarray(mean + drawn * away)


def _classes(y: NDArray[Any]) -> int:
    return int(y.max()) + 1 if y.dtype.kind in "iu" else 0


def width_of(y: NDArray[Any]) -> int:
    """How many numbers stand for a category: one for each target; for each class, if over two."""
    classes = _classes(y)
    if classes:
        return 1 if classes == 2 else classes
    return 1 if y.ndim == 1 else int(y.shape[1])


def encoding(codes: NDArray[np.int64], y: NDArray[Any], categories: int) -> Floats:
    """The numbers that stand for each category.

    Args:
        codes: category of each row, (n,), from 0 on.
        y: class codes, (n,), of integers; or targets, (n,) or (n, t), of floats.
        categories: how many there are, with those that no row has.

    Returns:
        Shape (categories, `width_of` (y)).

    >>> encoding(np.array([0, 0, 0, 0, 1, 1, 1, 1]), np.array([0, 0, 0, 0, 1, 1, 1, 1]), 3)
    array([[0. ],
           [1. ],
           [0.5]])
    """
    y, middle = _centred(y)
    means: Floats = _Sums.of(codes, y, categories, _classes(y)).means() + middle
    return means


def crossed_encoding(codes: NDArray[np.int64], y: NDArray[Any], categories: int) -> Floats:
    """The numbers that stand for the rows' own categories, learned from other rows.

    Args:
        codes: as for `encoding`.
        y: as for `encoding`.
        categories: as for `encoding`.

    Returns:
        Shape (n, `width_of` (y)). Which rows go together is drawn, always alike.
    """
    fold = np.random.default_rng(0).permutation(len(codes)) % min(FOLDS, len(codes))
    y, middle = _centred(y)
    classes = _classes(y)
    whole = _Sums.of(codes, y, categories, classes)
    out = np.empty((len(codes), whole.targets.shape[1]))
    for number in range(int(fold.max()) + 1):
        rows = fold == number
        part = _Sums.of(codes[rows], y[rows], categories, classes)
        out[rows] = whole.but(part).means()[codes[rows]]
    out += middle
    return out


def _centred(y: NDArray[Any]) -> tuple[NDArray[Any], Any]:
    """Targets without their mean, beside which their squares would lose what they differ in."""
    if y.dtype.kind in "iu":
        return y, 0
    middle = y.mean(axis=0, dtype=np.float64)
    return y - middle, middle
