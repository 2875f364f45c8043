"""Columns that give the label away: equal to it, one-to-one with it, or nearly so."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpsearch.data import Dataset, Split
from hpsearch.diagnostics.check import Check, listed

__all__ = ["label_leaks"]

ROWS = 1000
"""Rows that are looked at; a leak shows in every one of them."""

NEARLY = 0.02
"""A column nearly is the label when it leaves so little of the error of a constant answer."""

ENOUGH = 20
"""With fewer rows a column fits the label by chance too often."""


@dataclass(frozen=True)
class _Clue:
    """What one column alone tells of the label.

    Attributes:
        error: the share of rows that a rule on this column alone gets wrong, each row left out.
        same: whether its values and the classes are one-to-one.
        indicates: the class that one of its two values stands for, as in one-hot coding, if any.
    """

    error: float
    same: bool
    indicates: int | None


def label_leaks(dataset: Dataset, split: Split, *, seed: int) -> Check:
    """Look for columns from which the label follows, numeric, categorical or one-hot.

    Args:
        dataset: what to learn from.
        split: the test part is not looked at.
        seed: draws the rows, at most 1,000.
    """
    rows = np.concatenate([split.train, split.validation])
    drawn = np.sort(np.random.default_rng([seed, 2]).permutation(rows)[:ROWS])
    X, y, k = dataset.X[drawn], dataset.y[drawn], len(dataset.classes)
    clues = [
        _clue(X[:, j], y, k, ordered=j not in dataset.categories) for j in range(dataset.X.shape[1])
    ]
    names = [repr(name) for name in dataset.feature_names]
    same = [name for name, clue in zip(names, clues, strict=True) if clue.same]
    indicators = {
        c.indicates: n for n, c in zip(names, clues, strict=True) if c.indicates is not None
    }
    constant = 1 - float(np.bincount(y).max()) / len(y)
    best = min(range(len(clues)), key=lambda j: clues[j].error)
    near = constant > 0 and clues[best].error <= NEARLY * constant
    looked_at = "" if len(drawn) == len(rows) else f" ({len(drawn):,} of {len(rows):,} rows)"
    found = f"{names[best]} alone: {clues[best].error:.1%} wrong{looked_at}"
    expected = f"over {NEARLY * constant:.1%} wrong"
    enough = len(y) >= ENOUGH
    if same and enough:
        advice = f"{listed(same)} is the label under another name: leave it out"
        return Check("label leaks", "fail", found, expected, advice)
    if indicators and enough:
        found = f"{len(indicators)} of {k} classes in a column each{looked_at}"
    if len(indicators) >= max(2, k - 1) and enough:
        advice = (
            f"{listed(list(indicators.values()))} are the label in one-hot coding: leave them out"
        )
        return Check("label leaks", "fail", found, expected, advice)
    if near and enough:
        advice = f"{names[best]} nearly is the label: is it known before the label is? else drop it"
        return Check("label leaks", "warn", found, expected, advice)
    if indicators and enough:
        label, name = next(iter(indicators.items()))
        advice = (
            f"{name} says exactly when the class is {dataset.classes[label]!s}: is it known before "
            "the label is? else drop it"
        )
        return Check("label leaks", "warn", found, expected, advice)
    return Check("label leaks", "pass", found, expected, "no column gives the label away")


def _clue(column: NDArray[np.float32], y: NDArray[np.int64], k: int, *, ordered: bool) -> _Clue:
    """What a column tells by itself; NaN counts as one value.

    Each row is left out and gets the label that most rows of the same value have. A value that
    comes once gets the label of the next smaller one, where the column has an order; the classes
    may then follow each other once along it without being counted as errors.
    """
    values, inverse = np.unique(column, return_inverse=True)
    table = np.bincount(inverse.reshape(-1) * k + y, minlength=len(values) * k).reshape(-1, k)
    sizes, totals = table.sum(axis=1), table.sum(axis=0)
    second, most = np.partition(table, k - 2, axis=1)[:, -2:].T
    right = int(most[(sizes > 1) & (most > second)].sum())
    present = int(np.count_nonzero(totals))
    once = sizes == 1
    if ordered:
        majority = table.argmax(axis=1)
        alone = once & (majority != np.roll(majority, 1))
        right += int(once.sum()) - max(0, int(alone.sum()) - present)
    pure = bool((most == sizes).all())
    indicates = None
    if len(values) == 2 < k:
        # One of the two values holds one class, and all of it.
        for side in table:
            held = np.flatnonzero(side)
            if len(held) == 1 and side[held[0]] == totals[held[0]]:
                indicates = int(held[0])
    return _Clue(1 - right / len(y), pure and len(values) == present >= 2, indicates)
