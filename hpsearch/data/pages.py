"""What the pages of a Parquet file say that they unpack to, before any is unpacked.

Arrow makes room for what the header of a page says, and fills it, though the footer says less. A
header is a struct of Thrift's compact protocol; its second and third field are the two sizes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

from hpsearch.errors import DataError

__all__ = ["unpacked_pages"]

UNPACKED, PACKED = 2, 3
STOP, TRUTHS, BYTE, INTEGERS, DOUBLE, TEXT, STRUCT = 0, (1, 2), 3, (4, 5, 6), 7, 8, 12
DEEPEST = 4


def unpacked_pages(path: Path, groups: Iterable[Any]) -> int:
    """The bytes that all pages of a file take after unpacking, as their headers have it.

    Args:
        path: a Parquet file.
        groups: the ``pyarrow.parquet.RowGroupMetaData`` of its row groups.

    Raises:
        DataError: a header is damaged.
    """
    total = 0
    with path.open("rb") as file:
        for group in groups:
            # An empty group's columns may have an offset where no page is.
            for number in range(group.num_columns if group.num_rows else 0):
                column = group.column(number)
                try:
                    total += _pages(file, column)
                except (ValueError, IndexError, KeyError) as error:
                    raise DataError(
                        f"{path} has a damaged page in column {column.path_in_schema!r}; "
                        "write it again."
                    ) from error
    return total


def _pages(file: IO[bytes], column: Any) -> int:
    at = min(column.data_page_offset, column.dictionary_page_offset or column.data_page_offset)
    end, total = at + column.total_compressed_size, 0
    file.seek(at)
    while file.tell() < end:
        sizes = _struct(file, 0)
        if min(sizes[UNPACKED], sizes[PACKED]) < 0:
            raise ValueError
        total += sizes[UNPACKED]
        file.seek(sizes[PACKED], os.SEEK_CUR)
    return total


def _struct(file: IO[bytes], depth: int) -> dict[int, int]:
    """Read a struct to its end; its fields that are integers, by number."""
    fields: dict[int, int] = {}
    field = 0
    if depth > DEEPEST:
        raise ValueError
    while (head := file.read(1)[0]) != STOP:
        step, kind = head >> 4, head & 15
        field = field + step if step else _integer(file)
        if kind in INTEGERS:
            fields[field] = _integer(file)
        elif kind == TEXT:
            file.seek(_varint(file), os.SEEK_CUR)
        elif kind == STRUCT:
            _struct(file, depth + 1)
        elif kind in (BYTE, DOUBLE):
            file.seek(1 if kind == BYTE else 8, os.SEEK_CUR)
        elif kind not in TRUTHS:
            raise ValueError
    return fields


def _varint(file: IO[bytes]) -> int:
    value = 0
    for shift in range(0, 70, 7):
        byte = file.read(1)[0]
        value |= (byte & 127) << shift
        if byte < 128:
            return value
    raise ValueError


def _integer(file: IO[bytes]) -> int:
    """A number in zigzag: 0, -1, 1, -2, ..."""
    value = _varint(file)
    return (value >> 1) ^ -(value & 1)
