"""Rows that are there twice: in more than one part of the data, or with more than one label."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hpsearch.checks.check import Check
from hpsearch.data import Dataset, Split

__all__ = ["contradictions", "duplicates", "identical_rows", "unlike_twins"]

KEY_COLUMNS = 64
"""Rows are told apart by so many columns where that is enough, and by all of them only else."""

CELLS = 64_000_000
"""Cells of rows that need all of their columns; Fashion-MNIST has 55 million in all."""

ODD, BAD = 0.01, 0.5
"""Shares of rows: a few coincidences are natural, and half of the rows make a part meaningless."""

FEW = 3
"""Rows below which nothing is said: iris has a pair of twin flowers by nature."""

NO_BETTER = 0.9
"""Labels contradict each other hopelessly when so much of the error of a constant answer stays."""


def identical_rows(X: NDArray[np.float32]) -> tuple[NDArray[np.int64], bool]:
    """Number the distinct rows; NaN equals NaN, and zero has no sign.

    Args:
        X: rows (n, d).

    Returns:
        The number of each row's content (n,), equal where the rows are equal; and whether all rows
        were compared, which beyond 64 million cells of likely twins they are not.

    >>> first, other, again = identical_rows(np.array([[1, 2], [3, 4], [1, 2]], np.float32))[0]
    >>> bool(first == again != other)
    True
    """
    n, d = X.shape
    columns = np.unique(np.linspace(0, d - 1, min(d, KEY_COLUMNS)).astype(np.int64))
    groups = _numbered(X[:, columns])
    if len(columns) == d:
        return groups, True
    twins = np.flatnonzero(np.bincount(groups)[groups] > 1)
    compared = twins[: CELLS // d]
    content = np.arange(n) + n  # each row for itself, until shown equal to another
    content[compared] = _numbered(X[compared])
    return content, len(compared) == len(twins)


def _numbered(rows: NDArray[np.float32]) -> NDArray[np.int64]:
    plain = np.ascontiguousarray(rows) + np.float32(0)  # -0 becomes 0
    plain[np.isnan(plain)] = np.nan  # and every NaN the same
    keys = plain.view(np.dtype((np.void, plain.itemsize * plain.shape[1]))).reshape(-1)
    numbers: NDArray[np.int64] = np.unique(keys, return_inverse=True)[1].reshape(-1)
    return numbers.astype(np.int64)


def duplicates(dataset: Dataset, split: Split, content: NDArray[np.int64], whole: bool) -> Check:
    """Rows for validation or test that are in the training part too, column for column.

    Scores on such rows measure memory. Where columns are few and coarse, twins are nothing but
    chance; as many as independent columns would give are therefore not counted against the data.

    Args:
        dataset: what to learn from; labels are not looked at.
        split: its three parts.
        content: from `identical_rows` of all its rows.
        whole: likewise.
    """
    held_out = np.concatenate([split.validation, split.test])
    known = np.isin(content[held_out], content[split.train])
    count, share = int(known.sum()), float(known.mean()) if len(known) else 0.0
    by_chance = _coincidence(dataset.X[split.train[:CHANCE_ROWS]]) * len(split.train)
    excess = share - min(by_chance, 1.0)
    odd = count >= FEW and excess > ODD
    among = "" if whole else f" (among {CELLS:,} cells of likely twins)"
    return Check(
        "duplicate rows",
        "fail" if odd and excess > BAD else "warn" if odd else "pass",
        f"{count} of {len(held_out):,} held out, {share:.1%}{among}",
        f"under {ODD:.0%}",
        "rows for validation or test are in the training part too, so that scores measure memory: "
        "take the copies out of the table, as pandas' drop_duplicates does"
        if odd
        else "coincidences at most"
        if count
        else "the parts have no row in common",
    )


CHANCE_ROWS = 1000


def _coincidence(X: NDArray[np.float32]) -> float:
    """The chance that two rows are equal, were the columns independent."""
    chance = 1.0
    for column in X.T:
        counts = np.unique(column, return_counts=True)[1]
        # Without repeated values nothing is known but that equal ones are rarer than pairs.
        pairs = max(1.0, float((counts * (counts - 1.0)).sum()))
        chance *= pairs / max(1.0, len(X) * (len(X) - 1.0))
        if chance * len(X) ** 2 < 1e-3:
            return 0.0
    return chance


def contradictions(dataset: Dataset, split: Split, content: NDArray[np.int64]) -> Check:
    """Rows that no classifier can get right, since an equal row has another label.

    Args:
        dataset: what to learn from.
        split: the test part's labels are not looked at.
        content: from `identical_rows` of all its rows.
    """
    rows = np.concatenate([split.train, split.validation])
    y, k = dataset.y[rows], len(dataset.classes)
    numbers = np.unique(content[rows], return_inverse=True)[1].reshape(-1)
    pairs, counts = np.unique(numbers * k + y, return_counts=True)
    right = np.zeros(numbers.max() + 1, np.int64)
    np.maximum.at(right, pairs // k, counts)
    wrong = len(rows) - int(right.sum())
    share = wrong / len(rows)
    constant = 1 - float(np.bincount(y).max()) / len(y)
    hopeless = wrong >= FEW and share >= NO_BETTER * constant
    odd = wrong >= FEW and share > ODD
    return Check(
        "contradicting labels",
        "fail" if hopeless else "warn" if odd else "pass",
        f"{wrong} of {len(rows):,} rows, {share:.1%}",
        f"under {ODD:.0%}",
        f"equal rows carry different labels, so no network passes {1 - share:.1%}: correct the "
        "labels, or add columns that tell the rows apart"
        if odd or hopeless
        else "equal rows have equal labels"
        if not wrong
        else "a few equal rows have different labels",
    )


def unlike_twins(dataset: Dataset, split: Split, content: NDArray[np.int64]) -> Check:
    """Equal rows with other values of a quantity, which bound what any network can explain.

    Args:
        dataset: what to learn from.
        split: the test part's values are not looked at.
        content: from `identical_rows` of all its rows.
    """
    rows = np.concatenate([split.train, split.validation])
    y = dataset.y[rows].astype(np.float64)
    numbers = np.unique(content[rows], return_inverse=True)[1].reshape(-1)
    counts = np.bincount(numbers)
    means = np.bincount(numbers, y) / counts
    left = float(np.mean((y - means[numbers]) ** 2)) / (float(np.var(y)) or 1.0)
    twins = int((counts[numbers] > 1).sum())
    hopeless, odd = twins >= FEW and left >= NO_BETTER, twins >= FEW and left > ODD
    return Check(
        "contradicting values",
        "fail" if hopeless else "warn" if odd else "pass",
        f"{twins} of {len(rows):,} rows have a twin, {left:.1%} of the variance within",
        f"under {ODD:.0%}",
        f"equal rows carry different values, so no network passes an R² of {1 - left:.3f}: correct "
        "them, or add columns that tell the rows apart"
        if odd or hopeless
        else "equal rows have equal values"
        if not left
        else "a few equal rows have different values",
    )
