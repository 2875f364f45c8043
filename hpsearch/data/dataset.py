"""A data set in memory: a float32 matrix, a vector of what is learned, and what they mean."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from hpsearch.data.account import Account
from hpsearch.data.in_memory import column_names, numbers_of
from hpsearch.data.preprocessing import MOST_INDICATORS, inputs_of
from hpsearch.data.said import check_column
from hpsearch.data.splits import Division, Suspect, strata, stratified_sample
from hpsearch.data.target import as_target, check_target, given_codes
from hpsearch.errors import DataError
from hpsearch.metrics import Task

__all__ = [
    "LONGEST_NAME",
    "MAX_CELLS",
    "Dataset",
    "as_features",
    "check_size",
]

AnyArray = TypeVar("AnyArray", bound=NDArray[Any])

MAX_COLUMNS = 50_000
LONGEST_NAME = 1_000  # characters of a column's name or a category
MAX_CELLS = 250_000_000  # one gigabyte of float32; CIFAR-10 has 184 million
FREE_INPUTS = 100_000_000  # 400 MB, twice of which are there at once
MANY_INPUTS = 32


@dataclass(frozen=True, eq=False)
class Dataset:
    """Samples and what is learned of them, the same shape whatever file they came from.

    Make one with `from_arrays`, which checks that it can be learned from.

    Args:
        name: what reports call it.
        X: samples, shape (n, d), float32, C-contiguous, read-only; NaN where a value is missing,
            and the index of the category in a categorical column.
        y: class codes, shape (n,), int64, each in 0..k-1; or a quantity, shape (n,), float64;
            read-only.
        classes: the k labels as they were in the source; ``classes[code]`` is a label. Empty for a
            quantity.
        feature_names: the d column names.
        categories: column index -> the names of its categories; empty when all are numeric.
        ordered: those of these columns whose categories have an order, in which they stand: the
            network sees one number each.
        notes: what was done to the source, in plain sentences.
        fixed_test: the first row of the source's own test part, which reaches to the end, if any.
        division: what the source says about how its rows may be divided.
        weights: how much each row counts, shape (n,), float32, 0 or more; None: all the same.
        suspects: columns by which they may have to be divided though nobody said so.
        account: what became of the source's rows and columns.
    """

    name: str
    X: NDArray[np.float32]
    y: NDArray[np.int64] | NDArray[np.float64]
    classes: tuple[str | int, ...]
    feature_names: tuple[str, ...]
    categories: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    ordered: frozenset[int] = frozenset()
    notes: tuple[str, ...] = ()
    fixed_test: int | None = None
    division: Division = field(default_factory=Division)
    weights: NDArray[np.float32] | None = None
    suspects: Mapping[str, Suspect] = field(default_factory=dict)
    account: Account = field(kw_only=True)

    @classmethod
    def from_arrays(
        cls,
        name: str,
        X: Any,
        y: Any,
        *,
        feature_names: Sequence[str] | None = None,
        categories: Mapping[int, tuple[str, ...]] | None = None,
        ordered: frozenset[int] = frozenset(),
        classes: Sequence[str | int] | None = None,
        task: Task | None = None,
        account: Account | None = None,
    ) -> Dataset:
        """Check samples and target, code its labels, and put both together.

        Args:
            name: what reports and error messages call it.
            X: numbers, shape (n, d), or (n, height, width, ...), to be flattened; NaN is missing.
                An array, a data frame, an Arrow table, a sparse matrix: see `numbers_of`.
            y: the target, shape (n,): integers, text, booleans or floats; codes if ``classes`` is
                given.
            feature_names: d names; by default those of a data frame, or ``x0``, ``x1``, ...
            categories: column index -> category names, for columns of X that hold their indices.
            ordered: those of these columns whose categories have an order.
            classes: the label of each code, where y already holds codes.
            task: whether y holds classes or a quantity; None to decide by what it holds.
            account: what was read and left out before; X and y as they are by default.

        Returns:
            The data set.

        Raises:
            DataError: the shapes disagree, a value is infinite, or there is nothing to learn: fewer
                than two classes, a class with one sample, a constant quantity, or only constant
                columns.

        >>> data = Dataset.from_arrays("ducks", [[1], [2], [3], [4]], ["mallard", "eider"] * 2)
        >>> data.classes, data.y.tolist(), data.X.dtype.name
        (('eider', 'mallard'), [1, 0, 1, 0], 'float32')
        """
        feature_names = feature_names or column_names(X)
        matrix = as_features(name, X, feature_names)
        target = as_target(name, y, task) if classes is None else given_codes(name, y, classes)
        if len(target.y) != len(matrix):
            raise DataError(
                f"{name}: there are {len(matrix)} samples and {len(target.y)} labels; "
                "each sample needs one label."
            )
        check_target(name, target)
        _check_columns(name, matrix)
        nominal = _nominal(categories or {}, ordered)
        _check_inputs(name, matrix, nominal, len(target.classes))
        names = _names(feature_names, matrix.shape[1])
        told = replace(account or Account(*matrix.shape), task=target.why)
        return cls(
            name=name,
            X=_read_only(matrix),
            y=_read_only(target.y),
            classes=target.classes,
            feature_names=names,
            categories=dict(categories or {}),
            ordered=ordered,
            account=told.with_values(matrix, names, nominal),
        )

    @property
    def task(self) -> Task:
        """What is learned: classes or a quantity."""
        return "classification" if self.classes else "regression"

    @property
    def nominal(self) -> dict[int, tuple[str, ...]]:
        """The columns of categories without an order, as `categories` has them."""
        return _nominal(self.categories, self.ordered)

    def weights_of(self, rows: NDArray[np.int64]) -> NDArray[np.float32] | None:
        """How much some of the rows count; None where all count the same."""
        return None if self.weights is None else self.weights[rows]

    def divided(self, train: NDArray[np.int64], how: str = "") -> Dataset:
        """The same data, its account with how it was divided and the inputs that a network has.

        Args:
            train: rows of the training part, whose categories are one input each, if they are few.
            how: the rows were divided, in words.
        """
        inputs, encoded = inputs_of(self.X, train, self.nominal, self.y)
        told = {self.feature_names[column]: count for column, count in encoded.items()}
        account = replace(self.account, inputs=inputs, encoded=told, divided=how)
        return replace(self, account=account)

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that change whenever the contents do (SHA-256, shortened)."""
        digest = hashlib.sha256(np.ascontiguousarray(self.X).data)
        digest.update(np.ascontiguousarray(self.y).data)
        meaning = [
            self.classes,
            self.feature_names,
            sorted((column, names) for column, names in self.categories.items()),
            self.fixed_test,
            self.X.shape,
        ]
        digest.update(json.dumps([*meaning, *sorted(self.ordered)]).encode())
        for name, column in self.division.columns().items():
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(column).data)
        if self.weights is not None:
            digest.update(b"weights")
            digest.update(self.weights.data)
        return digest.hexdigest()[:16]

    def without(self, columns: Sequence[str]) -> Dataset:
        """The same samples without some columns, by name.

        Raises:
            UnknownNameError: there is no such column.
            DataError: nothing is left to learn from.

        >>> data = Dataset.from_arrays("ducks", np.eye(4), [0, 1, 0, 1])
        >>> data.without(["x1"]).feature_names
        ('x0', 'x2', 'x3')
        """
        if not columns:
            return self
        for column in columns:
            check_column("exclude", column, self.feature_names)
        kept = [i for i, name in enumerate(self.feature_names) if name not in columns]
        if not kept:
            raise DataError(f"{self.name}: every column is excluded; leave one to learn from.")
        X = np.ascontiguousarray(self.X[:, kept])
        _check_columns(self.name, X)
        names = tuple(self.feature_names[i] for i in kept)
        categories = {
            new: self.categories[old] for new, old in enumerate(kept) if old in self.categories
        }
        ordered = frozenset(new for new, old in enumerate(kept) if old in self.ordered)
        dropped = {**self.account.columns_dropped, **dict.fromkeys(columns, "excluded")}
        account = replace(self.account, columns_dropped=dropped)
        return replace(
            self,
            X=_read_only(X),
            feature_names=names,
            categories=categories,
            ordered=ordered,
            account=account.with_values(X, names, _nominal(categories, ordered)),
        )

    def sample(self, limit: int) -> Dataset:
        """A stratified sample of ``limit`` rows, drawn with seed 0, in the order of the source.

        The parts that the source gives keep their shares. All rows, when there are no more than
        that.

        Raises:
            DataError: ``limit`` leaves a class without a sample.
        """
        if limit >= len(self.y):
            return self
        start = len(self.y) if self.fixed_test is None else self.fixed_test
        train_rows = round(limit * start / len(self.y))
        # A class in a given part is a stratum like any other, and so is a quantile of a quantity.
        codes = strata(self.y, 3)
        if self.division.parts is not None:
            codes = codes * 3 + self.division.parts
        parts = [stratified_sample(codes[:start], train_rows, seed=0)]
        if start < len(self.y):
            test_part = stratified_sample(codes[start:], limit - train_rows, seed=0)
            parts.append(start + test_part)
        rows = np.concatenate(parts)
        X = self.X[rows]
        why = "outside of the stratified sample, drawn with seed 0 ([data] limit)"
        dropped = {**self.account.rows_dropped, why: len(self.y) - len(rows)}
        account = replace(self.account, rows_dropped=dropped)
        return replace(
            self,
            X=_read_only(X),
            y=_read_only(self.y[rows]),
            account=account.with_values(X, self.feature_names, self.nominal),
            fixed_test=None if self.fixed_test is None else len(parts[0]),
            division=self.division.of(rows),
            weights=None if self.weights is None else self.weights[rows],
            suspects={
                name: replace(suspect, values=suspect.values[rows])
                for name, suspect in self.suspects.items()
            },
        )


def _nominal(
    categories: Mapping[int, tuple[str, ...]], ordered: frozenset[int]
) -> dict[int, tuple[str, ...]]:
    return {column: names for column, names in categories.items() if column not in ordered}


def check_size(name: str, rows: int, columns: int) -> None:
    """Refuse a table that would not fit in memory, before it is read.

    Raises:
        DataError: more than 50,000 columns, or more than 250 million cells.
    """
    if columns > MAX_COLUMNS:
        raise DataError(
            f"{name} has {columns:,} columns, and at most {MAX_COLUMNS:,} are read; "
            "keep the columns that matter."
        )
    if rows * columns > MAX_CELLS:
        raise DataError(
            f"{name} has {rows:,} rows of {columns:,} columns, and at most {MAX_CELLS:,} cells are "
            "read; take a sample of the rows."
        )


def as_features(
    name: str, X: Any, feature_names: Sequence[str] | None = None
) -> NDArray[np.float32]:
    """Numbers of any shape (n, ...) as a float32 matrix (n, d), every value finite or NaN.

    Raises:
        DataError: X is not numeric, has no rows or columns, or holds an infinite value.
    """

    def check_shape(shape: tuple[int, ...]) -> None:
        if len(shape) < 2 or 0 in shape:
            raise DataError(
                f"{name}: the samples must be a matrix of at least one row and one column, and "
                f"their shape is {shape}; give an array, a data frame or a list of rows."
            )
        check_size(name, shape[0], math.prod(shape[1:]))

    array = numbers_of(name, X, check_shape)
    check_shape(array.shape)
    columns = math.prod(array.shape[1:])
    with np.errstate(over="ignore", invalid="ignore"):
        matrix = np.ascontiguousarray(array.reshape(len(array), columns), dtype=np.float32)
    # fmax and fmin step over NaN, so one pass each finds what is infinite.
    extreme = np.maximum(np.fmax.reduce(matrix, axis=0), -np.fmin.reduce(matrix, axis=0))
    infinite = np.flatnonzero(np.isinf(extreme))
    if len(infinite):
        column = int(infinite[0])
        row = int(np.flatnonzero(np.isinf(matrix[:, column]))[0])
        raise DataError(
            f"{name}: column {_names(feature_names, columns)[column]!r}, row {row + 1} is infinite "
            "or beyond float32 (3.4e38); correct it, or leave the cell empty if it is missing."
        )
    return matrix


def _check_columns(name: str, X: NDArray[np.float32]) -> None:
    if not (np.fmax.reduce(X, axis=0) > np.fmin.reduce(X, axis=0)).any():
        raise DataError(
            f"{name}: all {X.shape[1]} columns are constant, so nothing can be learned."
        )


def _check_inputs(
    name: str, X: NDArray[np.float32], categories: Mapping[int, tuple[str, ...]], classes: int
) -> None:
    """Each category becomes an input of the network, or of many each class: these have limits too.

    A column that becomes hundreds of inputs takes hundreds of times its memory, in few bytes of a
    file: they may be `MANY_INPUTS` for each column, or `FREE_INPUTS` cells in all.
    """
    most = max(MOST_INDICATORS, classes)
    inputs = X.shape[1] - len(categories)
    inputs += sum(min(len(names), most) for names in categories.values())
    check_size(f"{name}, with an input for each category,", len(X), inputs)
    if inputs > MANY_INPUTS * X.shape[1] and len(X) * inputs > FREE_INPUTS:
        raise DataError(
            f"{name}, with an input for each category, has {len(X):,} rows of {inputs:,} columns, "
            f"and at most {FREE_INPUTS:,} cells are made of columns of so many categories; take a "
            "sample of the rows, or leave out the columns of most categories."
        )


def _names(feature_names: Sequence[str] | None, columns: int) -> tuple[str, ...]:
    return tuple(feature_names or (f"x{column}" for column in range(columns)))


def _read_only(array: AnyArray) -> AnyArray:
    view = array.view()
    view.flags.writeable = False
    return view
