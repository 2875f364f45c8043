"""Feather and Arrow files, which both hold Arrow's messages, read once their sizes are known.

Arrow makes room for what a compressed buffer says that it unpacks to. A message is a flatbuffer
(a table of fields, some of which are vectors of structs) and a body of buffers, each of which, when
compressed, begins with the length that it unpacks to; see "Serialization and Interprocess
Communication" in Arrow's columnar format.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from hpsearch.data.dataset import check_size
from hpsearch.data.files import check_unpacked, first_line
from hpsearch.data.pieces import PIECE_CELLS, plain_columns, plain_pieces
from hpsearch.errors import DataError

__all__ = ["arrow_pieces", "read_arrow"]

MAGIC = b"ARROW1\0\0"
DICTIONARY, RECORDS = 2, 3
"""What of a message's header is a dictionary, and what a batch of rows."""


def read_arrow(path: Path) -> Any:
    """Read a file, or a stream, of Arrow's messages.

    Args:
        path: what ``to_feather`` of pandas or ``write_ipc`` of Polars writes.

    Returns:
        A ``pyarrow.Table`` of plain columns; of others all cells are null.

    Raises:
        DataError: it is none, is damaged, or unpacks to too much.
    """
    return pa.concat_tables(arrow_pieces(path))


def arrow_pieces(path: Path) -> Iterator[Any]:
    """The same, a part of a batch at a time.

    Yields:
        A ``pyarrow.Table`` of plain columns.

    Raises:
        DataError: as for `read_arrow`.
    """
    packed = path.stat().st_size
    check_unpacked(path, packed, packed)
    try:
        # A native thread that lets go of Python's bytes as the process ends would abort it.
        options = pa.ipc.IpcReadOptions(use_threads=False)
        with _mapped(path) as content:
            if content[:4] == b"FEA1":
                raise DataError(f"{path} is of the first version of Feather; write it again.")
            start = len(MAGIC) if content[: len(MAGIC)] == MAGIC else 0
            messages = memoryview(content)[start:]
            with pa.ipc.open_stream(pa.py_buffer(messages), options=options) as source:
                plain_columns(path, source.schema)
                _check_messages(path, packed, messages, len(source.schema))
        # What messages say of their sizes is known to be so: they can be read one by one.
        with pa.OSFile(os.fsencode(path)) as file:
            file.seek(start)
            with pa.ipc.open_stream(file, options=options) as source:
                schema = source.schema
                yield from plain_pieces(path, schema, _batches(source, len(schema)))
    except (pa.ArrowException, OSError, struct.error, IndexError) as error:
        raise DataError(f"{path} cannot be read as Arrow: {first_line(error)}.") from error


@contextmanager
def _mapped(path: Path) -> Iterator[Any]:
    """The bytes of a file, of which only those that are looked at are read."""
    with path.open("rb") as file:
        if path.stat().st_size == 0:
            yield b""
        else:
            # Buffers of Arrow may keep it open for longer.
            yield mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _batches(source: Any, columns: int) -> Iterator[Any]:
    """Batches whose offsets and indices are found to lie within them, in pieces."""
    most = max(1024, PIECE_CELLS // columns)
    for batch in source:
        batch.validate(full=True)
        for start in range(0, len(batch), most):
            yield batch.slice(start, most)


def _check_messages(path: Path, packed: int, messages: Any, columns: int) -> None:
    """Add up what all messages say that they have, before any is unpacked."""
    rows = size = 0
    for message in pa.ipc.MessageReader.open_stream(pa.py_buffer(messages)):
        about = memoryview(message.metadata)
        table = _Table(about, _offset(about, 0))
        kind = table.number(1, "B")
        if kind not in (DICTIONARY, RECORDS):
            continue
        batch = table.table(2) if kind == RECORDS else table.table(2).table(1)
        length = batch.number(0, "q")
        if kind == RECORDS:
            rows += length
        body = memoryview(message.body or b"")
        size += 4 * length
        for at, stored in batch.pairs(2):
            said = struct.unpack_from("<q", body, at)[0] if batch.has(3) and stored >= 8 else 0
            size += max(stored, said)
        check_size(str(path), rows, columns)
        check_unpacked(path, packed, size)


def _offset(content: Any, at: int) -> int:
    """Where what is told at a place begins: there and so many bytes on."""
    offset: int = struct.unpack_from("<I", content, at)[0]
    return at + offset


class _Table:
    """A table of a flatbuffer: its fields, by number, lie where its own table of places says."""

    def __init__(self, content: Any, at: int) -> None:
        self.content, self.at = content, at
        self.places = at - struct.unpack_from("<i", content, at)[0]

    def _field(self, number: int) -> int:
        """Where a field is; 0 where it is left out."""
        size = struct.unpack_from("<H", self.content, self.places)[0]
        entry = 4 + 2 * number
        if entry >= size:
            return 0
        offset: int = struct.unpack_from("<H", self.content, self.places + entry)[0]
        return self.at + offset if offset else 0

    def has(self, field: int) -> bool:
        return self._field(field) > 0

    def number(self, field: int, kind: str) -> int:
        at = self._field(field)
        value: int = struct.unpack_from(f"<{kind}", self.content, at)[0] if at else 0
        return value

    def table(self, field: int) -> _Table:
        return _Table(self.content, _offset(self.content, self._field(field)))

    def pairs(self, field: int) -> Iterator[tuple[int, int]]:
        """A vector of pairs of integers."""
        place = self._field(field)
        if place:
            at = _offset(self.content, place)
            count = struct.unpack_from("<I", self.content, at)[0]
            end = at + 4 + 16 * count
            yield from struct.iter_unpack("<qq", self.content[at + 4 : end])
