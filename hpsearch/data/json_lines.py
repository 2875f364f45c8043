"""JSON lines: an object a line, whose keys are the columns."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from hpsearch.data.dataset import MAX_COLUMNS, check_size
from hpsearch.data.files import check_unpacked, first_line, reading
from hpsearch.data.pieces import check_names, column_of, plain_columns, together
from hpsearch.errors import DataError

__all__ = ["json_line_pieces", "read_json_lines"]

PIECE = 1 << 18
"""Bytes that are parsed at once; Python takes some ten times that for what they say."""
LONGEST = 1 << 24


def read_json_lines(path: Path) -> Any:
    """Read a file of JSON lines, in UTF-8; a key that a line lacks is a missing value.

    Lists and objects within a line are not read: the cells of such a column are null.

    Args:
        path: as ``to_json(orient="records", lines=True)`` of pandas writes it; may be gzipped.

    Returns:
        A ``pyarrow.Table``.

    Raises:
        DataError: a line is no JSON object, or the file unpacks to too much.
    """
    tables = list(json_line_pieces(path))
    columns = list(dict.fromkeys(name for table in tables for name in table.column_names))
    whole = together(tables, columns)
    plain_columns(path, whole.schema)
    return whole


def json_line_pieces(path: Path) -> Iterator[Any]:
    """The same, some lines at a time.

    Yields:
        A ``pyarrow.Table`` of the keys that these lines have.

    Raises:
        DataError: as for `read_json_lines`.
    """
    packed, size, rows = path.stat().st_size, 0, 0
    columns: dict[str, None] = {}
    with reading(path) as stream:
        for number, lines in _pieces(path, stream):
            objects = _objects(path, number, lines)
            for each in objects:
                columns |= dict.fromkeys(each)
                check_size(str(path), 1, len(columns))
            rows += len(objects)
            check_size(str(path), rows, len(columns))
            check_unpacked(path, packed, size + 8 * len(objects) * len(columns))
            keys = list(dict.fromkeys(key for each in objects for key in each))
            cells = [column_of(path, key, [each.get(key) for each in objects]) for key in keys]
            if cells:
                yield pa.table(cells, keys)
                size += sum(each.nbytes for each in cells)
    if not columns:
        raise DataError(f"{path} is empty; JSON lines have an object a line.")
    check_names(path, list(columns))


def _pieces(path: Path, stream: IO[bytes]) -> Iterator[tuple[int, list[bytes]]]:
    """Whole lines, as many as make up a piece, and the number of the first."""
    number, rest = 1, b""
    while piece := stream.read(PIECE):
        head, end, tail = piece.rpartition(b"\n")
        if not end:
            rest += tail
            if len(rest) > LONGEST:
                raise DataError(f"{path} has a line of more than {LONGEST >> 20} MiB.")
            continue
        lines = (rest + head).split(b"\n")
        yield number, lines
        number, rest = number + len(lines), tail
    yield number, [rest]


def _objects(path: Path, first: int, lines: Sequence[bytes]) -> list[dict[str, Any]]:
    """What the lines say; blank ones say nothing."""
    found = []
    for number, given in enumerate(lines, start=first):
        line = given.removeprefix(codecs.BOM_UTF8).strip()
        if not line:
            continue
        if line.count(b":") > MAX_COLUMNS:
            raise DataError(
                f"{path} has more than {MAX_COLUMNS:,} colons in line {number}, and at most so "
                "many columns are read."
            )
        try:
            said = json.loads(line.decode())
        except (ValueError, RecursionError) as error:
            raise DataError(
                f"{path}, line {number:,}: not JSON in UTF-8 ({first_line(error)}); JSON lines "
                "have an object a line."
            ) from error
        if not isinstance(said, dict):
            raise DataError(
                f'{path}, line {number:,} is no JSON object, such as {{"age": 31, "kind": "cat"}}.'
            )
        found.append(said)
    return found
