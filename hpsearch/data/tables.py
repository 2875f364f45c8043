"""Reading CSV and Parquet files as Arrow tables, within limits, with a sentence for what is wrong.

A cell of a CSV file arrives as text: what a column means is decided in one place, columns.py.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import os
from collections import Counter
from contextlib import contextmanager
from itertools import chain
from typing import IO, TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq

from hpsearch.data.dataset import LONGEST_NAME, check_size
from hpsearch.data.files import check_unpacked, existing_file, first_line, reading
from hpsearch.data.pages import unpacked_pages
from hpsearch.data.plain import is_plain, is_text, outline, plain, unpacked_size
from hpsearch.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["read_table"]

HEAD_BYTES = 1 << 24  # the header line must end within 16 MiB
MOST_FOOTER = 1 << 25
PIECE_CELLS = 1 << 20
PIECE_BYTES = 1 << 22
MOST_BLOCK = 1 << 25  # of text that is parsed at once, unless the header line is longer


def read_table(path: Path) -> Any:
    """Read a table with a header line, whatever its columns mean.

    Args:
        path: a file whose name ends in one of `TABLE_SUFFIXES`. Commas, semicolons or tabs separate
            the cells of a CSV file; its text is UTF-8.

    Returns:
        A ``pyarrow.Table`` with distinct, trimmed column names and at least one row.

    Raises:
        DataError: the file is missing, damaged, too large, not of this format, or without rows.
    """
    file = existing_file(path)
    table = _read_parquet(file) if file.suffix == ".parquet" else _read_csv(file)
    if table.num_rows == 0:
        raise DataError(f"{file} has a header and no rows.")
    return table.rename_columns([name.strip() for name in table.column_names])


def _read_parquet(path: Path) -> Any:
    """Read in pieces, texts as dictionaries: how long they are together is known before they are.

    What is neither number, text nor time, such as lists, is not read: its column is all null.
    """
    packed = path.stat().st_size
    try:
        _check_footer(path, packed)
        with pq.ParquetFile(path) as source:
            about, schema = source.metadata, source.schema_arrow
        _check_names(path, schema.names)
        if len(set(schema.names)) < len(schema.names):
            raise DataError(f"{path} has columns that share a name, or have none; rename them.")
        check_size(str(path), about.num_rows, len(schema))
        wanted = [field.name for field in schema if is_plain(field.type)]
        if not wanted:
            raise DataError(f"{path} has no column of numbers or text.")
        check_unpacked(path, packed, about.num_rows * sum(map(_least_bytes, schema.types)))
        groups = [about.row_group(number) for number in range(about.num_row_groups)]
        check_unpacked(path, packed, sum(group.total_byte_size for group in groups))
        check_unpacked(path, packed, unpacked_pages(path, groups))
        texts = [field.name for field in schema if is_text(field.type)]
        pieces, rows, size = [], 0, 0
        with pq.ParquetFile(path, metadata=about, read_dictionary=texts) as source:
            most = max(1024, PIECE_CELLS // len(schema))
            # One group after another: a reader's dictionary grows over all that it reads.
            for batch in chain.from_iterable(
                source.iter_batches(most, row_groups=[number], columns=wanted)
                for number in range(about.num_row_groups)
            ):
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
                pieces.append(pa.table(columns, schema.names))
        return pa.concat_tables(pieces) if pieces else schema.empty_table()
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path} cannot be read as Parquet: {first_line(error)}.") from error


def _read_csv(path: Path) -> Any:
    """Parse a CSV file in this thread, out of what no thread needs Python for.

    Arrow's parallel and streaming readers read ahead in threads of their own, which an error leaves
    behind; one that then wants Python, for a block of a Python file, aborts a process that ends.
    """
    with reading(path) as stream, _signals_left_to_python():
        header, delimiter = _header(path, stream.read(HEAD_BYTES))
        _check_names(path, header)
        length = len(",".join(header).encode())
        stream.seek(0)
        block = max(PIECE_BYTES, min(200 * length, MOST_BLOCK))
        size, last = _measure(path, stream, delimiter, len(header))
        try:
            table = arrow_csv.read_csv(
                _for_arrow(path, stream, size),
                # Rows are read in blocks; a block must hold a row, and better hundreds.
                arrow_csv.ReadOptions(use_threads=False, block_size=block),
                arrow_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
                arrow_csv.ConvertOptions(column_types={name: pa.string() for name in header}),
            )
        except pa.ArrowException as error:
            if "straddling" in str(error):
                raise DataError(
                    f"{path} has a row of more than {block >> 20} MiB; is a quote never closed?"
                ) from error
            raise DataError(
                f"{path} is not a well-formed table: {first_line(error)}; each row needs the "
                f"{len(header)} cells of the header, in UTF-8 text."
            ) from error
    if table.column_names != header:
        raise DataError(f"{path} has a malformed header line; write each name in quotes.")
    check_size(str(path), table.num_rows, len(header))
    if table.num_rows and last != b'"' and "\n" in (table.column(-1)[-1].as_py() or ""):
        raise DataError(
            f"{path}: a quote that begins in row {table.num_rows:,} is never closed, so that the "
            "rows below would be one text; close it."
        )
    return table


@contextmanager
def _signals_left_to_python() -> Iterator[None]:
    """Arrow takes Ctrl-C over while it parses; a signal that comes as it lets go again is lost."""
    pa.enable_signal_handlers(False)
    try:
        yield
    finally:
        pa.enable_signal_handlers(True)


def _measure(path: Path, stream: IO[bytes], delimiter: str, columns: int) -> tuple[int, bytes]:
    """Read all of a CSV file and keep nothing: it is whole, and not too large.

    Args:
        path: of the file.
        stream: its bytes, unpacked, at their beginning.
        delimiter: what separates the cells.
        columns: of its header.

    Returns:
        How many bytes they are, and the last that is no blank.
    """
    packed = path.stat().st_size
    size = marks = 0
    last = b""
    while piece := stream.read(PIECE_BYTES):
        size += len(piece)
        marks += piece.count(delimiter.encode()) + piece.count(b"\n")
        last = piece.rstrip()[-1:] or last
        check_unpacked(path, packed, size + 4 * marks)  # as Arrow keeps texts
        check_size(str(path), marks // columns, columns)  # marks within texts count too
    return size, last


def _for_arrow(path: Path, stream: IO[bytes], size: int) -> Any:
    """A file of Arrow's own: the file itself, or the text that it unpacks to."""
    if not isinstance(getattr(stream, "raw", None), gzip.GzipFile):
        return pa.OSFile(os.fsencode(path))
    stream.seek(0)
    text = pa.allocate_buffer(size)
    rest = memoryview(text)
    while rest:
        rest = rest[stream.readinto(rest) :]  # type: ignore[attr-defined]
    return pa.BufferReader(text)


def _header(path: Path, head: bytes) -> tuple[list[str], str]:
    """The column names as they stand in the first line, and what separates them."""
    if not head.strip():
        raise DataError(f"{path} is empty; a table needs a line of column names and rows below.")
    if b"\0" in head:
        raise DataError(f"{path} is not a text file; save the table as CSV in UTF-8.")
    try:
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(head)
    except UnicodeDecodeError as error:
        line = head.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path} is not UTF-8 text: line {line} has the byte 0x{head[error.start]:02x}; "
            "save it as UTF-8."
        ) from error
    text = text.lstrip("\r\n")
    line_end = min((at for mark in "\r\n" if (at := text.find(mark)) >= 0), default=len(text))
    if line_end == len(text) and len(head) == HEAD_BYTES:
        raise DataError(f"{path} has no line end in its first 16 MiB, so it is no table by rows.")
    if not text.strip():
        raise DataError(f"{path} is empty; a table needs a line of column names and rows below.")
    delimiter = "\t" if ".tsv" in path.suffixes else max(",;\t", key=text[:line_end].count)
    check_size(str(path), 1, text.count(delimiter, 0, line_end) + 1)
    try:
        header = next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error as error:
        raise DataError(
            f"{path} has a malformed header line: {error}; is a quote never closed?"
        ) from error
    if not text[line_end:].strip():
        raise DataError(f"{path} has a header and no rows.")
    return header, delimiter


def _check_names(path: Path, names: Sequence[str]) -> None:
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


def _check_footer(path: Path, packed: int) -> None:
    """A footer that describes columns and row groups takes some ten times its size when read."""
    with path.open("rb") as file:
        file.seek(max(0, packed - 8))
        length = int.from_bytes(file.read(4), "little")
    if MOST_FOOTER < length < packed:
        raise DataError(
            f"{path} has a footer of {length:,} bytes, and at most {MOST_FOOTER >> 20} MiB are "
            "read; write it with fewer columns or fewer row groups."
        )


def _least_bytes(kind: Any) -> int:
    """What a cell takes at least, as a float32 or a code is what it will become."""
    try:
        return max(4, int(kind.bit_width) // 8)
    except ValueError:  # texts and nested types have no fixed width
        return 4
