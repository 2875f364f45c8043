"""Arrays, data frames, sparse matrices and lists, as callers hold them, as plain NumPy arrays.

Nothing here imports pandas, Arrow or SciPy: a data frame is what has columns with names, and a
sparse matrix what can be told to become a dense one.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpsearch.errors import DataError

__all__ = ["column_names", "labels_of", "numbers_of"]

NUMERIC = "biuf"
SAMPLES = "the samples"


def column_names(X: Any) -> tuple[str, ...] | None:
    """The names of a data frame's columns as text; None where samples have none.

    >>> column_names([[1, 2]]) is None
    True
    """
    if not hasattr(X, "shape"):
        return None
    names = getattr(X, "column_names", None)  # of an Arrow table, whose `columns` are the data
    if names is None:
        names = getattr(X, "columns", None)
    return None if names is None else tuple(str(name) for name in names)


def numbers_of(
    name: str, X: Any, check_shape: Callable[[tuple[int, ...]], None] = lambda _: None
) -> NDArray[Any]:
    """Samples as an array of numbers, column by column where each has a type of its own.

    Numbers, truth values, and text or objects that read as numbers become numbers, as scikit-learn
    has it; what is missing (None, NaN, ``pandas.NA``, a masked cell) becomes NaN.

    Args:
        name: what messages call the samples.
        X: an array, a list of lists, a data frame (pandas, Polars), an Arrow table or a sparse
            matrix of SciPy.
        check_shape: is given the shape before a second copy is made, and may refuse it.

    Returns:
        An array of the shape of X whose dtype is a number's.

    Raises:
        DataError: a value is no number; the message names its column and row.

    >>> numbers_of("X", [["1", None], [True, 2.5]]).tolist()
    [[1.0, nan], [1.0, 2.5]]
    """
    if hasattr(X, "toarray"):
        _check_kind(name, SAMPLES, X.dtype)
        check_shape(X.shape)
        return np.asarray(X.astype(np.float32).toarray())
    names = column_names(X)
    if names is not None:
        check_shape(X.shape)
        matrix = np.empty(X.shape, dtype=np.float32, order="F")  # filled column by column
        with np.errstate(over="ignore"):
            for j, column in enumerate(names):
                series = X.iloc[:, j] if hasattr(X, "iloc") else X[column]
                matrix[:, j] = _column(name, f"column {column!r}", series)
        return matrix
    array = _array(name, X)
    _check_kind(name, SAMPLES, array.dtype)
    if array.dtype.kind in NUMERIC:
        return array
    check_shape(array.shape)
    flat = array.reshape(len(array), -1) if array.ndim else array.reshape(1, 1)
    matrix = np.empty(flat.shape, dtype=np.float64)
    for j in range(flat.shape[1]):
        matrix[:, j] = _column(name, f"column 'x{j}'", flat[:, j])
    return matrix.reshape(array.shape)


def labels_of(name: str, y: Any) -> NDArray[Any]:
    """Labels as an array of integers, truth values, floats or text, whatever held them.

    Args:
        name: what messages call the data.
        y: an array, a list, a column of a data frame, or a frame of one column.

    Returns:
        An array of the shape of y; text of any kind is of dtype object and holds ``str`` only.

    Raises:
        DataError: a label is missing, they are of several kinds, or of one that names no class.

    >>> labels_of("y", np.array([True, False], dtype=object))
    array([ True, False])
    """
    if hasattr(y, "toarray"):
        raise DataError(f"{name}: the labels are a sparse matrix; give y.toarray() instead.")
    array = _array(name, y)
    if array.dtype.kind == "U" and isinstance(y, list | tuple):
        # NumPy makes text of the numbers and the NaN that stand by it.
        objects = np.asarray(y, dtype=object)
        array = array if all(isinstance(label, str) for label in objects.flat) else objects
    if array.dtype.kind == "T":
        array = array.astype(object)
    return array if array.dtype.kind != "O" or array.ndim == 0 else _plain_labels(name, array)


def _array(name: str, given: Any) -> NDArray[Any]:
    if hasattr(given, "mask") and isinstance(given, np.ma.MaskedArray):  # imported only if asked
        masked = np.ma.getmaskarray(given)
        plain: NDArray[Any] = given.data
        if masked.any():
            plain = plain.astype(object)
            plain[masked] = None
        return plain
    try:
        return np.asarray(given)
    except ValueError as error:
        raise DataError(
            f"{name}: the rows differ in length or depth; give each the same columns."
        ) from error


def _column(name: str, place: str, column: Any) -> NDArray[Any]:
    """One column as numbers, or the sentence that names it."""
    dtype = getattr(column, "dtype", None)
    if not isinstance(dtype, np.dtype) and getattr(dtype, "kind", "?") in NUMERIC:
        # One of pandas' own types: what is missing there is NaN on request only.
        return np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan))
    array = np.asarray(column)
    _check_kind(name, place, array.dtype)
    if array.dtype.kind in NUMERIC:
        return array
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError, OverflowError):
        numbers = [_number(name, place, row, value) for row, value in enumerate(array, start=1)]
        return np.array(numbers)


def _number(name: str, place: str, row: int, value: Any) -> float:
    if _is_missing(value):
        return np.nan
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        shown = (
            repr(str(value)) if isinstance(value, str) else f"{value!r} ({type(value).__name__})"
        )
        raise DataError(
            f"{name}: {place}, row {row}: {shown:.60} is not a number; leave the column out, or "
            "make numbers of it as pandas.get_dummies does of categories."
        ) from None


def _check_kind(name: str, place: str, dtype: np.dtype[Any]) -> None:
    if dtype.kind not in f"{NUMERIC}OSTU":
        raise DataError(
            f"{name}: {place} must be numbers, not of type {dtype}; leave out what is no number, "
            "or make one of it."
        )


def _plain_labels(name: str, array: NDArray[Any]) -> NDArray[Any]:
    """Python objects as labels of one kind."""
    kinds = {type(value) for value in array.flat}
    if all(issubclass(kind, str) for kind in kinds):
        return array
    for index, value in np.ndenumerate(array):
        if _is_missing(value):
            raise DataError(f"{name}: the label of row {index[0] + 1} is missing; give it one.")
    for of_kind, dtype in (
        ((bool, np.bool_), np.bool_),
        ((bool, np.bool_, Integral), np.uint64 if _beyond_int64(array) else np.int64),
        ((bool, np.bool_, Real, Decimal), np.float64),
        ((bytes,), np.bytes_),
    ):
        if all(issubclass(kind, of_kind) for kind in kinds):
            try:
                return array.astype(dtype)
            except OverflowError as error:
                raise DataError(
                    f"{name}: a label is an integer beyond 64 bits; make labels text with "
                    "y.astype(str)."
                ) from error
    rows: dict[str, int] = {}
    for row, value in enumerate(array.reshape(-1), start=1):
        rows.setdefault(type(value).__name__, row)
    found = ", ".join(f"{kind} (row {row})" for kind, row in rows.items())
    raise DataError(
        f"{name}: labels must be integers or text, all of one kind, not {found}; make them text "
        "with y.astype(str)."
    )


def _beyond_int64(array: NDArray[Any]) -> bool:
    """Whether labels are whole numbers from zero on, some of which only uint64 holds."""
    whole = [int(value) for value in array.flat if isinstance(value, Integral)]
    return len(whole) == array.size and min(whole) >= 0 and max(whole) >= 2**63


def _is_missing(value: Any) -> bool:
    """Whether a cell says that nothing is known: None, NaN of any kind, ``pandas.NA`` or NaT."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, Real | Decimal) and value != value
