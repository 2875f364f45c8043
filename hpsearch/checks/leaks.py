"""Columns that give the label away: equal to it, one-to-one with it, or nearly so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpsearch.checks.check import Check, excluding, listed
from hpsearch.data import Dataset, Split

__all__ = ["label_leaks", "value_leaks"]

ROWS = 1000
"""Rows that are looked at; a leak shows in every one of them."""

NEARLY = 0.02
"""A column nearly is the label when it leaves so little of the error of a constant answer."""

SAME, NEARLY_SAME = 0.9999, 0.99
"""Rank correlations at which a column is the target, and at which it may be known too late."""

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


def value_leaks(dataset: Dataset, split: Split, *, seed: int) -> Check:
    """Look for columns from which a quantity follows, in a straight line or in any order.

    Args:
        dataset: what to learn from.
        split: the test part is not looked at.
        seed: draws the rows, at most 1,000.
    """
    rows = np.concatenate([split.train, split.validation])
    drawn = np.sort(np.random.default_rng([seed, 2]).permutation(rows)[:ROWS])
    X, y, names = dataset.X[drawn], dataset.y[drawn].astype(np.float64), dataset.feature_names
    numeric = [j for j in range(X.shape[1]) if j not in dataset.categories]
    strengths = {j: _rank_correlation(X[:, j], y) for j in numeric}
    best = max(strengths, key=lambda j: strengths[j], default=None)
    found = "no column of numbers" if best is None else f"{names[best]!r}: {strengths[best]:.4f}"
    same = [j for j, strength in strengths.items() if strength >= SAME]
    near = [j for j, strength in strengths.items() if NEARLY_SAME <= strength < SAME]
    expected = f"rank correlation under {NEARLY_SAME}"
    if len(y) < ENOUGH or not (same or near):
        return Check("label leaks", "pass", found, expected, "no column gives the target away")
    sure = tuple(names[j] for j in same)
    if len(same) == len(names):
        advice = f"{_are(names, same)} the target under another name, and there is no other column"
        return Check("label leaks", "fail", found, expected, advice)
    told = [f"{_are(names, same)} the target under another name: {excluding(sure)}"] if same else []
    if near:
        also = [*sure, *(names[j] for j in near)]
        then = excluding(also) if len(also) < len(names) else "there is nothing to learn from"
        told.append(
            f"{_are(names, near, 'nearly ')} the target: is that known before the target is? if "
            f"not, {then}"
        )
    return Check("label leaks", "fail" if same else "warn", found, expected, "; ".join(told), sure)


def _rank_correlation(column: NDArray[np.float32], y: NDArray[np.float64]) -> float:
    """Spearman's, where there are values; 0 where they are too few or all the same."""
    from scipy.stats import rankdata

    there = ~np.isnan(column)
    if there.sum() < ENOUGH or np.ptp(column[there]) == 0 or np.ptp(y[there]) == 0:
        return 0.0
    return abs(float(np.corrcoef(rankdata(column[there]), rankdata(y[there]))[0, 1]))


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
        _clue(X[:, j], y, k, ordered=j not in dataset.nominal) for j in range(dataset.X.shape[1])
    ]
    constant = 1 - float(np.bincount(y).max()) / len(y)
    names = dataset.feature_names
    same = [j for j, clue in enumerate(clues) if clue.same or _same_where_there(X[:, j], y, k)]
    coded = [j for j, clue in enumerate(clues) if clue.indicates is not None]
    coded_classes = {clues[j].indicates for j in coded}
    one_hot = coded if len(coded_classes) >= max(2, k - 1) else []
    near = [
        j
        for j, clue in enumerate(clues)
        if constant > 0 and clue.error <= NEARLY * constant and j not in {*same, *one_hot}
    ]
    looked_at = "" if len(drawn) == len(rows) else f" ({len(drawn):,} of {len(rows):,} rows)"
    best = min(range(len(clues)), key=lambda j: clues[j].error)
    found = f"{names[best]!r} alone: {clues[best].error:.1%} wrong{looked_at}"
    if coded and not same:
        found = f"{len(coded_classes)} of {k} classes in a column each{looked_at}"
    expected = f"over {NEARLY * constant:.1%} wrong"
    if len(y) < ENOUGH or not (same or coded or near):
        return Check("label leaks", "pass", found, expected, "no column gives the label away")
    sure = tuple(names[j] for j in sorted({*same, *one_hot}))
    told = []
    if same:
        told.append(f"{_are(names, same)} the label under another name")
    if one_hot:
        told.append(f"{_are(names, one_hot)} the label in one-hot coding")
    advice = ", and ".join(told)
    if len(sure) == len(names):
        advice += ", and there is no other column to learn from"
        return Check("label leaks", "fail", found, expected, advice)
    if told:
        advice += f": {excluding(sure)}"
    told = [f"{_are(names, near, 'nearly ')} the label"] if near else []
    single = [j for j in coded if j not in {*near, *one_hot}]
    told += [
        f"{names[j]!r} says exactly when the class is {dataset.classes[clues[j].indicates or 0]!s}"
        for j in single
    ]
    if told:
        also = [*sure, *(names[j] for j in sorted({*near, *single}))]
        then = excluding(also) if len(also) < len(names) else "there is nothing to learn from"
        advice += (
            f"{'; ' if advice else ''}{', and '.join(told)}: is that known before the label is? "
            f"if not, {then}"
        )
    return Check("label leaks", "fail" if sure else "warn", found, expected, advice, sure)


def _are(names: Sequence[str], columns: Sequence[int], how: str = "") -> str:
    """What some columns are, up to the thing itself."""
    verb = "is" if len(columns) == 1 else "are"
    return f"{listed([repr(names[j]) for j in columns])} {how}{verb}"


def _same_where_there(column: NDArray[np.float32], y: NDArray[np.int64], k: int) -> bool:
    """Whether a column with gaps is one-to-one with all the classes where it has values."""
    there = ~np.isnan(column)
    if there.all() or int(there.sum()) < ENOUGH or len(np.unique(y[there])) < len(np.unique(y)):
        return False
    return _clue(column[there], y[there], k, ordered=False).same


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
