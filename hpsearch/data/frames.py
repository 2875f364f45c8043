"""Data frames, as pandas, Polars and Arrow have them, as tables with the columns of a file's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from hpsearch.data.dataset import check_size
from hpsearch.data.files import first_line
from hpsearch.data.pieces import check_names
from hpsearch.data.plain import is_plain, outline, plain
from hpsearch.errors import DataError

__all__ = ["FRAME", "as_table", "is_frame"]

FRAME = "the data frame"
"""What messages and reports call one, which has no name of its own."""


def is_frame(data: Any) -> bool:
    """Whether it is a data frame, or something else that gives Arrow its columns by name."""
    return hasattr(data, "__arrow_c_stream__") or hasattr(data, "to_arrow")


def as_table(name: str, frame: Any) -> Any:
    """A data frame as a table.

    Args:
        name: what messages call it.
        frame: of pandas, whose index is left out, or of Polars, a ``pyarrow.Table``, or whatever
            has ``__arrow_c_stream__`` or ``to_arrow``.

    Returns:
        A ``pyarrow.Table`` with distinct, trimmed names; of columns that are neither numbers, text
        nor times, such as lists, all cells are null.

    Raises:
        DataError: it is no data frame, has no rows, or a column holds objects that have no one
            type.

    >>> import pandas as pd
    >>> as_table("ducks", pd.DataFrame({"kind": ["eider"], "mass": [2.1]})).column_names
    ['kind', 'mass']
    """
    if not is_frame(frame):
        raise DataError(
            f"{name} must be a data frame of pandas or Polars, or an Arrow table, and is of type "
            f"{type(frame).__name__}."
        )
    pandas = hasattr(frame, "iloc") and hasattr(frame, "columns")
    table = pa.table(dict(_columns(name, frame))) if pandas else _arrow(name, frame)
    names = [column.strip() for column in table.column_names]
    check_names(Path(name), names)
    check_size(name, table.num_rows, len(names))
    if table.num_rows == 0 or not names:
        raise DataError(f"{name} has no rows." if names else f"{name} has no columns.")
    columns = [_plain(name, each, table.column(j)) for j, each in enumerate(names)]
    return pa.table(columns, names)


def _columns(name: str, frame: Any) -> Iterator[tuple[str, Any]]:
    """The columns of pandas one by one, so that a message can name the one that is odd."""
    names = [str(column) for column in frame.columns]
    [(most, count)] = Counter(names).most_common(1) or [("", 0)]
    if count > 1:
        raise DataError(f"{name} has {count} columns named {most!r}; rename them.")
    for position, column in enumerate(names):
        try:
            yield column, pa.array(frame.iloc[:, position], from_pandas=True)
        except _ODD as error:
            raise DataError(
                f"{name}: column {column!r} holds objects that are of no one type "
                f"({first_line(error)}); make them numbers, text or dates, as with "
                f"frame[{column!r}].astype(str), or leave the column out."
            ) from error


_ODD = (pa.ArrowException, TypeError, ValueError, OverflowError)


def _arrow(name: str, frame: Any) -> Any:
    try:
        return pa.table(frame if hasattr(frame, "__arrow_c_stream__") else frame.to_arrow())
    except _ODD as error:
        raise DataError(f"{name} cannot be read as a table ({first_line(error)}).") from error


def _plain(name: str, column: str, cells: Any) -> Any:
    kind = cells.type
    if not is_plain(kind):
        return pa.nulls(len(cells), outline(kind))
    try:
        chunks = [plain(each, is_category=pa.types.is_dictionary(kind)) for each in cells.chunks]
        return pa.chunked_array(chunks) if chunks else pa.chunked_array([], kind)
    except _ODD as error:
        raise DataError(
            f"{name}: column {column!r} cannot be read: {first_line(error)}."
        ) from error
