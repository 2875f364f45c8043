"""A labelled data set in memory: a float32 matrix, a vector of class codes, and what they mean."""

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
from hpsearch.data.in_memory import column_names, labels_of, numbers_of
from hpsearch.data.preprocessing import MOST_INDICATORS, inputs_of
from hpsearch.data.said import check_column
from hpsearch.data.splits import stratified_sample
from hpsearch.errors import DataError, shown

__all__ = [
    "LONGEST_NAME",
    "MAX_CELLS",
    "Dataset",
    "as_features",
    "check_size",
    "encode_labels",
    "refuse_identifier",
    "refuse_quantity",
]

Scalar = TypeVar("Scalar", bound=np.generic)

CLASSES_ONLY = (
    "hpsearch learns classes, so put the numbers into a few (low, middle, high), or name another "
    "target"
)
FEW = 10
"""Up to so many whole numbers, and one of them that is rare is a rare class."""
UNEVEN = 0.35
"""Numbers of rows that differ more than this, beside their mean, are no classes drawn alike."""
MAX_COLUMNS = 50_000
LONGEST_NAME = 1_000  # characters of a column's name or a category
MAX_CELLS = 250_000_000  # one gigabyte of float32; CIFAR-10 has 184 million
FREE_INPUTS = 100_000_000  # 400 MB, twice of which are there at once
MANY_INPUTS = 32


@dataclass(frozen=True, eq=False)
class Dataset:
    """Samples and their classes, the same shape whatever file they came from.

    Make one with `from_arrays`, which checks that it can be learned from.

    Args:
        name: what reports call it.
        X: samples, shape (n, d), float32, C-contiguous, read-only; NaN where a value is missing,
            and the index of the category in a categorical column.
        y: class codes, shape (n,), int64, each in 0..k-1, read-only.
        classes: the k labels as they were in the source; ``classes[code]`` is a label.
        feature_names: the d column names.
        categories: column index -> the names of its categories; empty when all are numeric.
        ordered: those of these columns whose categories have an order, in which they stand: the
            network sees one number each.
        notes: what was done to the source, in plain sentences.
        fixed_test: the first row of the source's own test part, which reaches to the end, if any.
        account: what became of the source's rows and columns.
    """

    name: str
    X: NDArray[np.float32]
    y: NDArray[np.int64]
    classes: tuple[str | int, ...]
    feature_names: tuple[str, ...]
    categories: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    ordered: frozenset[int] = frozenset()
    notes: tuple[str, ...] = ()
    fixed_test: int | None = None
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
        account: Account | None = None,
    ) -> Dataset:
        """Check samples and labels, code the labels, and put both together.

        Args:
            name: what reports and error messages call it.
            X: numbers, shape (n, d), or (n, height, width, ...), to be flattened; NaN is missing.
                An array, a data frame, an Arrow table, a sparse matrix: see `numbers_of`.
            y: labels, shape (n,): integers, text or booleans; codes if ``classes`` is given.
            feature_names: d names; by default those of a data frame, or ``x0``, ``x1``, ...
            categories: column index -> category names, for columns of X that hold their indices.
            ordered: those of these columns whose categories have an order.
            classes: the label of each code, where y already holds codes.
            account: what was read and left out before; X and y as they are by default.

        Returns:
            The data set.

        Raises:
            DataError: the shapes disagree, a value is infinite, or there is nothing to learn: fewer
                than two classes, a class with one sample, or only constant columns.

        >>> data = Dataset.from_arrays("ducks", [[1], [2], [3], [4]], ["mallard", "eider"] * 2)
        >>> data.classes, data.y.tolist(), data.X.dtype.name
        (('eider', 'mallard'), [1, 0, 1, 0], 'float32')
        """
        feature_names = feature_names or column_names(X)
        matrix = as_features(name, X, feature_names)
        if classes is None:
            codes, classes = encode_labels(name, y)
        else:
            codes = _given_codes(name, y, len(classes))
        if len(codes) != len(matrix):
            raise DataError(
                f"{name}: there are {len(matrix)} samples and {len(codes)} labels; "
                "each sample needs one label."
            )
        _check_classes(name, codes, classes)
        _check_columns(name, matrix)
        nominal = _nominal(categories or {}, ordered)
        _check_inputs(name, matrix, nominal, len(classes))
        names = _names(feature_names, matrix.shape[1])
        told = account or Account(*matrix.shape)
        return cls(
            name=name,
            X=_read_only(matrix),
            y=_read_only(codes),
            classes=tuple(classes),
            feature_names=names,
            categories=dict(categories or {}),
            ordered=ordered,
            account=told.with_values(matrix, names, nominal),
        )

    @property
    def nominal(self) -> dict[int, tuple[str, ...]]:
        """The columns of categories without an order, as `categories` has them."""
        return _nominal(self.categories, self.ordered)

    def divided(self, train: NDArray[np.int64]) -> Dataset:
        """The same data, its account with the inputs that a network has.

        Args:
            train: rows of the training part, whose categories are one input each, if they are few.
        """
        inputs, encoded = inputs_of(self.X, train, self.nominal, self.y)
        told = {self.feature_names[column]: count for column, count in encoded.items()}
        return replace(self, account=replace(self.account, inputs=inputs, encoded=told))

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

        A test part of the source's own keeps its share. All rows, when there are no more than that.

        Raises:
            DataError: ``limit`` leaves a class without a sample.
        """
        if limit >= len(self.y):
            return self
        start = len(self.y) if self.fixed_test is None else self.fixed_test
        train_rows = round(limit * start / len(self.y))
        parts = [stratified_sample(self.y[:start], train_rows, seed=0)]
        if start < len(self.y):
            test_part = stratified_sample(self.y[start:], limit - train_rows, seed=0)
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


def encode_labels(name: str, y: Any) -> tuple[NDArray[np.int64], tuple[str | int, ...]]:
    """Labels as codes 0..k-1 in sorted order, and the label of each code.

    Args:
        name: the data set, for messages.
        y: shape (n,), integers, booleans, text, or floats that stand for few classes.

    Returns:
        The codes, shape (n,), int64, and the k labels: integers stay integers, all else is text.

    Raises:
        DataError: the labels are not one per sample, are missing, or look like a quantity to
            regress.

    >>> encode_labels("toy", [7, 3, 7])
    (array([1, 0, 1]), (3, 7))
    """
    array = labels_of(name, y)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise DataError(f"{name}: labels must be one per sample, and their shape is {array.shape}.")
    if array.dtype.kind == "S":
        array = np.array([text.decode("utf-8", "replace") for text in array], dtype=object)
    if array.dtype.kind not in "biufUO":
        raise DataError(
            f"{name}: labels must be integers or text, not of type {array.dtype}; make them text "
            "with y.astype(str)."
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        row = int(np.flatnonzero(~np.isfinite(array))[0])
        raise DataError(f"{name}: the label of row {row + 1} is missing or infinite; give it one.")
    if array.dtype.kind in "biuf":
        labels, codes = np.unique(array, return_inverse=True)
    else:
        labels, codes = _unique_texts(array)
    whole = array.dtype.kind in "biu" or (
        array.dtype.kind == "f" and bool((labels == np.floor(labels)).all())
    )
    _check_not_a_quantity(name, labels, len(array), whole=whole)
    named = tuple(int(v) for v in labels) if whole else tuple(str(v) for v in labels)
    return codes.astype(np.int64), named


def _unique_texts(array: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """`numpy.unique` of texts; sorting an array of fixed width would copy the longest for each."""
    texts = array.tolist()
    labels = sorted(set(texts))
    code = {text: number for number, text in enumerate(labels)}
    codes = np.fromiter((code[text] for text in texts), np.int64, len(texts))
    return np.array([*labels, ""], dtype=object)[:-1], codes


def refuse_quantity(name: str, values: NDArray[np.float64]) -> None:
    """Refuse numbers that are no classes, however the target writes them.

    Raises:
        DataError: there are too many distinct ones, or they tail off as a quantity does.
    """
    labels, counts = np.unique(values, return_counts=True)
    whole = bool((labels == np.floor(labels)).all())
    _check_not_a_quantity(name, labels, len(values), whole=whole)
    if whole and len(labels) > FEW:
        _check_no_tail(name, labels, counts)


def _check_not_a_quantity(name: str, labels: NDArray[Any], rows: int, *, whole: bool) -> None:
    """Many distinct numbers are no classes: fractions beyond 20, integers beyond n / 5."""
    if len(labels) <= 20:
        return
    if labels.dtype.kind in "biuf" and (not whole or len(labels) > rows / 5):
        raise DataError(
            f"{name}: the target has {len(labels)} distinct numbers in {rows} rows, which looks "
            f"like a quantity to regress; {CLASSES_ONLY}."
        )
    refuse_identifier(name, len(labels), rows)


def refuse_identifier(name: str, labels: int, rows: int) -> None:
    """Refuse so many distinct labels that they are names of the rows.

    Raises:
        DataError: they are more than 20, and half of the rows.
    """
    if labels > max(20, rows / 2):
        raise DataError(
            f"{name}: the target has {labels} distinct labels in {rows} rows, which looks "
            "like an identifier; name the column that holds the classes."
        )


def _check_no_tail(name: str, labels: Sequence[int] | NDArray[Any], counts: NDArray[Any]) -> None:
    """Whole numbers, some of them there once as in the tail of a distribution, are no classes.

    They are many, or of few rows each; or the first or the last is there once, and the others'
    numbers of rows differ more than those of classes that were drawn alike.
    """
    lonely = counts == 1
    others, rows = counts[~lonely], int(counts.sum())
    uneven = len(others) > 0 and others.std() > UNEVEN * others.mean()
    ends = lonely[0] or lonely[-1]
    if lonely.sum() > len(labels) / 10 or rows < 10 * len(labels) or (ends and uneven):
        raise DataError(
            f"{name}: the target has {len(labels)} distinct whole numbers, from {labels[0]:.0f} to "
            f"{labels[-1]:.0f}, in {rows} rows, which looks like a quantity to regress; "
            f"{CLASSES_ONLY}. If they are classes, remove those of one row."
        )


def _given_codes(name: str, y: Any, count: int) -> NDArray[np.int64]:
    """Codes that a format defines, checked against its number of classes."""
    codes = np.asarray(y).astype(np.int64)
    wrong = np.flatnonzero((codes < 0) | (codes >= count))
    if len(wrong):
        row = int(wrong[0])
        raise DataError(
            f"{name}: the label of row {row + 1} is {codes[row]}, outside 0 to {count - 1}; "
            "the file is damaged or of another data set."
        )
    return codes


def _check_classes(name: str, codes: NDArray[np.int64], classes: Sequence[str | int]) -> None:
    counts = np.bincount(codes, minlength=len(classes))
    if np.count_nonzero(counts) < 2:
        only = f"only {shown(classes[int(codes[0])])}" if len(codes) else "no label at all"
        raise DataError(f"{name}: at least two classes are needed, and there is {only}.")
    if counts.min() == 1 and len(classes) > FEW and all(isinstance(c, int) for c in classes):
        _check_no_tail(name, [int(label) for label in classes], counts)
    if counts.min() < 2:
        rare = int(counts.argmin())
        amount = "one sample" if counts[rare] else "no sample"
        raise DataError(
            f"{name}: class {shown(classes[rare])} has {amount}; training, validation and test "
            "need one each, so add samples or remove the class."
        )


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


def _read_only(array: NDArray[Scalar]) -> NDArray[Scalar]:
    view = array.view()
    view.flags.writeable = False
    return view
