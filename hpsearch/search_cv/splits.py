"""The splits of a search: the same for every candidate, and shorter ones for its early stages."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from inspect import signature
from numbers import Integral
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import KFold, StratifiedKFold, check_cv

from hpsearch.errors import UsageError

__all__ = ["Rows", "Splits", "rows_of", "spread_out"]

Rows = npt.NDArray[np.intp]


@dataclass
class Splits:
    """A splitter that splits once, and says the same ever after.

    Candidates of different stages compare only on the same rows. Every training part may keep a
    share of its rows; those that score are always all.

    Args:
        cv: a splitter of scikit-learn, or whatever else it takes for one.
        classifies: whether the rows are labelled; then those that are kept have all labels in the
            same shares.
        seed: of the rows that are kept; fewer of them are among those of more.
        amount: the rows to keep if all were for training; None for all.
    """

    cv: Any
    classifies: bool = False
    seed: int = 0
    amount: int | None = None
    made: list[tuple[Rows, Rows]] = field(default_factory=list, repr=False)

    def split(self, X: Any, y: Any = None, **params: Any) -> list[tuple[Rows, Rows]]:
        """The splits of these rows: training part and validation part, as positions."""
        if not self.made:
            cv = check_cv(self.cv, y, classifier=self.classifies)
            self.made += cv.split(X, y, **params)
        if self.amount is None or self.amount >= rows_of(X):
            return self.made
        labels = np.asarray(y) if self.classifies else None
        kept = []
        for number, (train, test) in enumerate(self.made):
            rows = np.asarray(train)
            own = labels[rows] if labels is not None and labels.ndim == 1 else None
            order = spread_out(len(rows), own, np.random.default_rng([self.seed, number]))
            count = max(1, round(self.amount / rows_of(X) * len(rows)))
            kept.append((rows[np.sort(order[:count])], test))
        return kept

    def reseeded(self, seed: int) -> Splits:
        """The same kind of splits, drawn with another seed.

        Raises:
            UsageError: the splitter draws nothing, so that there are no others.
        """
        cv = self.cv
        if cv is None or isinstance(cv, Integral):
            kind = StratifiedKFold if self.classifies else KFold
            cv = kind(5 if cv is None else int(cv))
        if "random_state" not in signature(type(cv)).parameters:
            raise UsageError(
                f"a race scores the best again on other splits, and {type(cv).__name__} has no "
                "others; give cv a whole number or a splitter with random_state, or race=0.",
                key="race",
            )
        cv = copy(cv)
        cv.random_state = seed
        if hasattr(cv, "shuffle"):
            cv.shuffle = True
        return replace(self, cv=cv, made=[])


def rows_of(X: Any) -> int:
    """How many rows a table has, of whatever make."""
    return int(X.shape[0] if hasattr(X, "shape") else len(X))


def spread_out(
    rows: int, labels: Sequence[Any] | npt.NDArray[Any] | None, rng: np.random.Generator
) -> Rows:
    """An order of rows whose every beginning is a fair part of them.

    Args:
        rows: how many there are.
        labels: of each; then a beginning has the labels in the shares that all rows have.
        rng: for the order.

    >>> labels = ["a", "a", "a", "b"] * 2
    >>> sorted(labels[i] for i in spread_out(8, labels, np.random.default_rng(0))[:4])
    ['a', 'a', 'a', 'b']
    """
    order = rng.permutation(rows)
    if labels is None:
        return order
    _, which, counts = np.unique(np.asarray(labels)[order], return_inverse=True, return_counts=True)
    by_label = np.argsort(which, kind="stable")
    starts = np.cumsum(counts) - counts
    place = np.empty(rows)
    place[by_label] = np.arange(rows) - np.repeat(starts, counts)
    return order[np.argsort((place + 0.5) / counts[which], kind="stable")]
