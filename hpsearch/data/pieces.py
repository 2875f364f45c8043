"""Tables out of pieces, within limits: of Arrow's batches, and of Python's values."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from hpsearch.data.account import quoted
from hpsearch.data.dataset import LONGEST_NAME, check_size
from hpsearch.data.files import check_unpacked, first_line
from hpsearch.data.plain import is_plain, outline, plain, unpacked_size
from hpsearch.errors import DataError

__all__ = [
    "PIECE_CELLS",
    "as_schema",
    "check_names",
    "column_of",
    "common_schema",
    "least_bytes",
    "plain_columns",
    "plain_pieces",
    "together",
]

PIECE_CELLS = 1 << 20


def check_names(path: Path, names: Sequence[str]) -> None:
    """Refuse column names that are too many, too long, or there twice once they are trimmed.

    Raises:
        DataError: they are; the message shows one.
    """
    check_size(str(path), 1, len(names))
    trimmed = [name.strip() for name in names]
    longest = max(trimmed, key=len, default="")
    if len(longest) > LONGEST_NAME:
        raise DataError(
            f"{path} has a column name of {len(longest):,} characters, {longest[:20]!r} and so on; "
            f"is its first line the column names? They have at most {LONGEST_NAME:,}."
        )
    [(name, count)] = Counter(filter(None, trimmed)).most_common(1) or [("", 0)]
    if count > 1:
        raise DataError(f"{path} has {count} columns named {name!r}; rename them.")


def plain_columns(path: Path, schema: Any) -> list[str]:
    """The columns of numbers, text and times, once the names of all are found to be sound.

    Raises:
        DataError: there is none, or names are not sound.
    """
    check_names(path, schema.names)
    if len(set(schema.names)) < len(schema.names):
        raise DataError(f"{path} has columns that share a name, or have none; rename them.")
    wanted = [field.name for field in schema if is_plain(field.type)]
    if not wanted:
        raise DataError(f"{path} has no column of numbers or text.")
    return wanted


def plain_pieces(path: Path, schema: Any, batches: Iterable[Any]) -> Iterator[Any]:
    """Tables of plain columns, while the sum of what they unpack to is held to its limit.

    What is neither number, text nor time, such as lists, is not kept: its column is all null.

    Args:
        path: where they come from.
        schema: of the file; a batch may lack columns that are not plain.
        batches: ``pyarrow.RecordBatch``, each of some megabytes.

    Yields:
        A ``pyarrow.Table`` of each batch; an empty one where there is none.

    Raises:
        DataError: they unpack to too much.
    """
    packed, wanted = path.stat().st_size, set(plain_columns(path, schema))
    rows = size = 0
    for batch in batches:
        columns = []
        for field in schema:
            if field.name not in wanted:
                columns.append(pa.nulls(len(batch), outline(field.type)))
                continue
            column = batch.column(field.name)
            check_unpacked(path, packed, size + unpacked_size(column))
            columns.append(plain(column, is_category=pa.types.is_dictionary(field.type)))
            size += columns[-1].nbytes
        rows += len(batch)
        check_size(str(path), rows, len(schema))
        yield pa.table(columns, schema.names)
    if rows == 0:
        yield schema.empty_table()


def least_bytes(kind: Any) -> int:
    """What a cell takes at least, as a float32 or a code is what it will become."""
    try:
        return max(4, int(kind.bit_width) // 8)
    except ValueError:  # texts and nested types have no fixed width
        return 4


def column_of(path: Path, name: str, cells: Sequence[Any]) -> Any:
    """Python's values as one Arrow array; of several kinds they are text.

    Args:
        path: where they come from.
        name: of the column.
        cells: numbers, truth values, texts, dates and times, None; of anything else, such as
            lists, nothing is kept.

    Raises:
        DataError: a text has half a character.
    """
    kinds = {type(cell) for cell in cells} - {type(None)}
    try:
        if not kinds:
            return pa.nulls(len(cells))
        if not kinds <= set(_KINDS):
            return pa.nulls(len(cells), pa.list_(pa.null()))
        if kinds == {int}:
            try:
                return pa.array(cells, pa.int64())
            except OverflowError:
                kinds = {float}
        if kinds <= {int, float}:
            return pa.array([None if c is None else _float(c) for c in cells], pa.float64())
        if len(kinds) == 1:
            return pa.array(cells, _KINDS[kinds.pop()])
        return pa.array([None if c is None else _text(c) for c in cells], pa.string())
    except (ValueError, OverflowError, pa.ArrowException) as error:
        raise DataError(
            f"{path}: a cell of column {quoted(name)} cannot be read ({first_line(error)}); "
            "correct it."
        ) from error


_KINDS = {
    bool: pa.bool_(),
    int: pa.int64(),
    float: pa.float64(),
    str: pa.string(),
    datetime: pa.timestamp("us"),
    date: pa.date32(),
    time: pa.time64("us"),
    timedelta: pa.duration("us"),
}


def _float(cell: float) -> float:
    try:
        return float(cell)
    except OverflowError:
        return math.inf


def _text(cell: Any) -> str:
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    return str(cell)


def together(tables: Sequence[Any], columns: Sequence[str]) -> Any:
    """One table of several; a column of numbers in one and of text in another is of text.

    Args:
        tables: of plain columns, in each of which some may lack.
        columns: the names of all, in their order.
    """
    kinds: dict[str, set[Any]] = {name: set() for name in columns}
    for table in tables:
        for field in table.schema:
            kinds[field.name].add(field.type)
    schema = common_schema(kinds)
    return pa.concat_tables([as_schema(table, schema) for table in tables])


def common_schema(kinds: Mapping[str, set[Any]]) -> Any:
    """The types that columns have room in.

    Args:
        kinds: column -> the types that it has in one table or another.
    """
    return pa.schema([(name, _common(found)) for name, found in kinds.items()])


def as_schema(table: Any, schema: Any) -> Any:
    """A table with the columns of a schema; one that it lacks is null."""
    there = set(table.column_names)
    cells = []
    for field in schema:
        column = table.column(field.name) if field.name in there else pa.nulls(len(table))
        if column.type != field.type:
            column = (
                pa.nulls(len(table), field.type)
                if pa.types.is_nested(field.type) or pa.types.is_nested(column.type)
                else column.cast(field.type, safe=False)
            )
        cells.append(column)
    return pa.table(cells, schema)


def _common(kinds: set[Any]) -> Any:
    """The type that cells of several types have room in: text, where nothing else has it."""
    kinds = {kind for kind in kinds if not pa.types.is_null(kind)}
    nested = {kind for kind in kinds if pa.types.is_nested(kind)}
    if nested or not kinds:
        return nested.pop() if nested else pa.null()
    if len(kinds) == 1:
        return kinds.pop()
    return pa.float64() if kinds <= {pa.int64(), pa.float64()} else pa.string()
