"""Reading the columns that say how rows are divided: their groups, their times, their parts."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hpsearch.data.files import first_line
from hpsearch.data.plain import as_float, is_number, trimmed
from hpsearch.data.splits import PARTS, DividingColumns, Division
from hpsearch.errors import DataError, nearest, shown

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["joined", "read_division", "read_parts", "read_times", "read_weights"]


def read_division(
    name: str, table: Any, wanted: DividingColumns, there: NDArray[np.bool_]
) -> Division:
    """Read the columns that divide the rows of a table.

    Args:
        name: the data set, for messages.
        table: a ``pyarrow.Table``.
        wanted: which columns.
        there: the rows that have a label, shape (n,); the others are left out.

    Raises:
        DataError: a row has no group, no time or no part, or a column holds something else.
    """
    read = {"groups": _groups, "time": read_times, "parts": read_parts}
    found: dict[str, Any] = {}
    for setting, column in wanted.named().items():
        cells = trimmed(table.column(column)).filter(pa.array(there))
        found[setting] = read[setting](name, column, _complete(name, setting, column, cells))
    return Division(**found)


def read_weights(
    name: str, table: Any, column: str, there: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Read the column that says how much each row counts.

    Args:
        name: the data set, for messages.
        table: a ``pyarrow.Table``.
        column: the column's name.
        there: the rows that have a label, shape (n,); the others are left out.

    Raises:
        DataError: a weight is missing, negative or no number, or all are 0.
    """
    cells = _complete(name, "weight", column, trimmed(table.column(column)).filter(pa.array(there)))
    if not is_number(cells.type):
        try:
            cells = cells.cast(pa.float64())
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            raise DataError(
                f"{name}: {column!r} is named as weight, and has cells that are no plain numbers, "
                f"{shown(cells[0].as_py())} for one; write weights as 2 or 0.5."
            ) from None
    weights = np.asarray(as_float(cells), np.float32)
    wrong = np.flatnonzero(~np.isfinite(weights) | (weights < 0))
    if len(wrong):
        raise DataError(
            f"{name}: the weight of row {int(wrong[0]) + 1} in {column!r} is "
            f"{weights[wrong[0]]:g}; weights are finite and 0 or more."
        )
    if not weights.any():
        raise DataError(f"{name}: all weights in {column!r} are 0, so that no row counts.")
    return weights


def joined(tables: Mapping[str, tuple[Path, Any]]) -> tuple[Any, NDArray[np.int64]]:
    """The tables of several files, one below the other, and the part that each row is for.

    Args:
        tables: part -> its file, and the file's ``pyarrow.Table``; "train" first, whose columns
            count.

    Raises:
        DataError: a file lacks a column, or has it in another type.
    """
    file, first = tables["train"]
    for path, table in tables.values():
        lacking = [name for name in first.column_names if name not in table.column_names]
        if lacking:
            raise DataError(
                f"{path} has no column {shown(lacking[0])}, which {file} has; the files of a "
                "split have the same columns."
            )
    pieces = [table.select(first.column_names) for _, table in tables.values()]
    try:
        whole = pa.concat_tables(pieces, promote_options="permissive")
    except pa.ArrowException as error:
        raise DataError(
            f"{file} and the other files of its split have a column in several types "
            f"({first_line(error)}); write them in the same way."
        ) from error
    sizes = [piece.num_rows for piece in pieces]
    return whole, np.repeat([PARTS.index(part) for part in tables], sizes)


def _complete(name: str, setting: str, column: str, cells: Any) -> Any:
    """The cells of a column, once every row has one."""
    if pa.types.is_dictionary(cells.type):
        cells = cells.cast(cells.type.value_type)
    if pa.types.is_string(cells.type) or pa.types.is_large_string(cells.type):
        cells = pc.if_else(pc.equal(cells, ""), pa.scalar(None, cells.type), cells)
    if cells.null_count:
        row = int(np.flatnonzero(np.asarray(cells.is_null()))[0]) + 1
        raise DataError(
            f"{name}: {cells.null_count:,} rows have no value in {column!r}, which [data] "
            f"{setting} names; the first of them is row {row} of those with a label. Give them "
            "one, or remove them."
        )
    return cells


def _groups(name: str, column: str, cells: Any) -> NDArray[np.int64]:
    codes = cells.dictionary_encode().combine_chunks()
    if len(codes.dictionary) < 2:
        raise DataError(
            f"{name}: {column!r} names one group only, {shown(codes.dictionary[0].as_py())}; rows "
            "are divided by group, and need several."
        )
    return np.asarray(codes.indices.to_numpy()).astype(np.int64)


def read_times(name: str, column: str, cells: Any) -> NDArray[np.float64]:
    """When each row is from, as a number that grows with time.

    Args:
        name: the data set, for messages.
        column: its name.
        cells: dates, times, or numbers, none missing.

    Raises:
        DataError: they have no order in time, or it cannot be told.
    """
    if pa.types.is_string(cells.type) or pa.types.is_large_string(cells.type):
        cells = _times_of_text(name, column, cells)
    if pa.types.is_temporal(cells.type) and not pa.types.is_duration(cells.type):
        if pa.types.is_date(cells.type):
            cells = cells.cast(pa.timestamp("ms"))
        cells = cells.cast(pa.int64() if not pa.types.is_time32(cells.type) else pa.int32())
    if not is_number(cells.type):
        raise DataError(
            f"{name}: {column!r} is of type {cells.type}, which has no order in time; name a "
            "column of dates or numbers as time."
        )
    times = np.asarray(as_float(cells), np.float64)
    wrong = np.flatnonzero(~np.isfinite(times))
    if len(wrong):
        raise DataError(
            f"{name}: the time of row {int(wrong[0]) + 1} in {column!r} is not finite; correct it."
        )
    return times


def _times_of_text(name: str, column: str, cells: Any) -> Any:
    """Numbers as text; or dates, where one way to read them fits all of them, and only one."""
    try:
        return cells.cast(pa.float64())
    except pa.ArrowInvalid:
        pass
    texts = cells.to_pandas()
    read = _dates(texts, format="ISO8601")
    if read is None:
        month_first, day_first = (_dates(texts, dayfirst=dayfirst) for dayfirst in (False, True))
        read = day_first if month_first is None else month_first
        if read is not None and day_first is not None and not day_first.equals(read):
            raise DataError(
                f"{name}: {column!r} is named as time, and {shown(texts.iloc[0])} may have the day "
                "first or the month; write dates as 2024-03-01."
            )
    if read is None:
        raise DataError(
            f"{name}: {column!r} is named as time, and {shown(texts.iloc[0])} is none that all "
            "rows are written like; write dates as 2024-03-01 or 2024-03-01T10:00, or as numbers."
        )
    return pa.array(read)


def _dates(texts: pd.Series, **how: Any) -> pd.Series | None:
    """What pandas makes of them; None where they are not written in one way."""
    import pandas as pd

    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # that each is read in a way of its own
        try:
            return pd.to_datetime(texts, utc=True, **how)
        except (ValueError, TypeError, OverflowError, UserWarning):
            return None


def read_parts(name: str, column: str, cells: Any) -> NDArray[np.int64]:
    """The part that each row is for, as its place in `PARTS` (n,).

    Args:
        name: the data set, for messages.
        column: the column's name.
        cells: a ``pyarrow.ChunkedArray`` without missing values.

    Raises:
        DataError: a cell says something else, or none says train or none test.
    """
    codes = cells.cast(pa.string()).dictionary_encode().combine_chunks()
    words = codes.dictionary.to_pylist()
    meant = [_part(name, column, word) for word in words]
    parts: NDArray[np.int64] = np.asarray(meant, np.int64)[np.asarray(codes.indices.to_numpy())]
    for needed in ("train", "test"):
        if PARTS.index(needed) not in meant:
            raise DataError(
                f"{name}: no row of {column!r} says {needed}; a given split needs rows to train "
                "and to test, and draws those to validate if there are none."
            )
    return parts


WORDS = {"training": "train", "valid": "validation", "val": "validation", "dev": "validation"}
"""Other words for the parts, as data sets have them."""


def _part(name: str, column: str, word: str) -> int:
    known = WORDS | {part: part for part in PARTS}
    part = known.get(word.lower())
    if part is None:
        close = nearest(word.lower(), known)
        hint = f"; did you mean {close}?" if close else ""
        raise DataError(
            f"{name}: {column!r} has {shown(word)} where it should say train, validation or "
            f"test{hint}"
        )
    return PARTS.index(part)
