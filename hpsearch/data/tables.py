"""Reading files as Arrow tables, within limits, with a sentence for what is wrong.

A cell of a CSV file arrives as text: what a column means is decided in one place, columns.py.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq

from hpsearch.data.dataset import check_size
from hpsearch.data.excel import read_excel
from hpsearch.data.files import check_unpacked, existing_file, first_line, reading
from hpsearch.data.ipc import arrow_pieces, read_arrow
from hpsearch.data.json_lines import json_line_pieces, read_json_lines
from hpsearch.data.pages import unpacked_pages
from hpsearch.data.pieces import (
    PIECE_CELLS,
    check_names,
    least_bytes,
    plain_columns,
    plain_pieces,
)
from hpsearch.data.plain import is_text
from hpsearch.data.text import (
    UTF_8,
    Separator,
    as_utf_8,
    encoding_of,
    find_separator,
    first_word,
)
from hpsearch.errors import DataError

__all__ = ["read_table", "table_pieces"]

log = logging.getLogger(__name__)

HEAD_BYTES = 1 << 24  # the header line must end within 16 MiB
MOST_FOOTER = 1 << 25
PIECE_BYTES = 1 << 22
MOST_BLOCK = 1 << 25  # of text that is parsed at once, unless the header line is longer


def read_table(
    path: Path, *, sheet: str | None = None, tell: Callable[[str], None] = log.info
) -> Any:
    """Read a table with a header line, whatever its columns mean.

    Args:
        path: a file whose name ends in one of `TABLE_SUFFIXES`. What separates the cells of a CSV
            file, and what its letters are, is found.
        sheet: the name of a workbook's sheet; the first by default.
        tell: called with a sentence on what had to be found out of the file.

    Returns:
        A ``pyarrow.Table`` with distinct, trimmed column names and at least one row.

    Raises:
        DataError: the file is missing, damaged, too large, not of this format, or without rows.
    """
    file = existing_file(path)
    if sheet is not None and file.suffix != ".xlsx":
        raise DataError(f"{file} has no sheets, as workbooks (.xlsx) have; remove sheet.")
    if file.suffix == ".xlsx":
        table = read_excel(file, sheet, tell)
    elif file.suffix in (".feather", ".arrow"):
        table = read_arrow(file)
    elif {".jsonl", ".ndjson"} & set(file.suffixes):
        table = read_json_lines(file)
    else:
        table = _read_parquet(file) if file.suffix == ".parquet" else _read_csv(file, tell)
    if table.num_rows == 0:
        raise DataError(f"{file} has a header and no rows.")
    return table.rename_columns([name.strip() for name in table.column_names])


def table_pieces(path: Path, *, tell: Callable[[str], None] = log.info) -> Iterator[Any]:
    """Read a table as `read_table` does, but some rows at a time.

    Memory holds a few of them, whatever the table has; the whole only of a workbook, the whole text
    only of CSV that is not UTF-8, and a batch of Feather and Arrow files as they were written.

    Args:
        path: as for `read_table`.
        tell: likewise.

    Yields:
        ``pyarrow.Table``, whose columns are those of the whole; of JSON lines, where columns may
        lack and differ in their types, see `hpsearch.data.pieces.together`.

    Raises:
        DataError: as for `read_table`, but for a table without rows.
    """
    file = existing_file(path)
    if file.suffix in (".feather", ".arrow"):
        tables = arrow_pieces(file)
    elif {".jsonl", ".ndjson"} & set(file.suffixes):
        tables = json_line_pieces(file)
    elif file.suffix == ".parquet":
        tables = _parquet_pieces(file, buffer_size=1 << 20)
    elif file.suffix == ".xlsx":
        tables = iter([read_excel(file, None, tell)])
    else:
        tables = _csv_pieces(file, tell)
    for table in tables:
        yield table.rename_columns([name.strip() for name in table.column_names])


def _read_parquet(path: Path) -> Any:
    """Read in pieces, texts as dictionaries: how long they are together is known before they are.

    What is neither number, text nor time, such as lists, is not read.
    """
    return pa.concat_tables(_parquet_pieces(path))


def _parquet_pieces(path: Path, *, buffer_size: int = 0) -> Iterator[Any]:
    """The same, a batch at a time; of each column so many bytes are read ahead, by default all."""
    packed = path.stat().st_size
    try:
        _check_footer(path, packed)
        with pq.ParquetFile(path) as source:
            about, schema = source.metadata, source.schema_arrow
        wanted = plain_columns(path, schema)
        check_size(str(path), about.num_rows, len(schema))
        check_unpacked(path, packed, about.num_rows * sum(map(least_bytes, schema.types)))
        groups = [about.row_group(number) for number in range(about.num_row_groups)]
        check_unpacked(path, packed, sum(group.total_byte_size for group in groups))
        check_unpacked(path, packed, unpacked_pages(path, groups))
        texts = [field.name for field in schema if is_text(field.type)]
        with pq.ParquetFile(
            path,
            metadata=about,
            read_dictionary=texts,
            buffer_size=buffer_size,
            pre_buffer=buffer_size == 0,
        ) as source:
            most = max(1024, PIECE_CELLS // len(schema))
            # One group after another: a reader's dictionary grows over all that it reads.
            batches = chain.from_iterable(
                source.iter_batches(most, row_groups=[number], columns=wanted)
                for number in range(about.num_row_groups)
            )
            yield from plain_pieces(path, schema, batches)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path} cannot be read as Parquet: {first_line(error)}.") from error


def _read_csv(path: Path, tell: Callable[[str], None]) -> Any:
    """Parse a CSV file in this thread, out of what no thread needs Python for.

    Arrow's parallel and streaming readers read ahead in threads of their own, which an error leaves
    behind; one that then wants Python, for a block of a Python file, aborts a process that ends.
    """
    with _csv(path, tell) as (csv_file, source):
        table = arrow_csv.read_csv(source(), *csv_file.options)
        csv_file.check(table, table.num_rows)
    check_size(str(path), table.num_rows, len(csv_file.header))
    return table


def _csv_pieces(path: Path, tell: Callable[[str], None]) -> Iterator[Any]:
    """Parse a CSV file a block at a time."""
    with _csv(path, tell, pieces=True) as (csv_file, source):
        rows, last = 0, None
        with arrow_csv.open_csv(source(), *csv_file.options) as reader:
            for batch in reader:
                rows += len(batch)
                last = pa.table(batch)
                csv_file.check(last)
                yield last
        if last is not None:
            csv_file.check(last, rows)


@dataclass(frozen=True)
class _Csv:
    """What is known of a CSV file before it is parsed.

    Attributes:
        path: where it is.
        header: the names of its columns.
        options: of Arrow's readers.
        last: the last of its bytes that is no blank.
    """

    path: Path
    header: list[str]
    options: tuple[Any, Any, Any]
    last: bytes

    def check(self, table: Any, rows: int | None = None) -> None:
        """Refuse what was parsed as another table than the header tells.

        Args:
            table: some rows.
            rows: how many there are in all, if these are the last.

        Raises:
            DataError: the names differ, or a quote is never closed.
        """
        if table.column_names != self.header:
            raise DataError(f"{self.path} has a malformed header line; write each name in quotes.")
        if rows and self.last != b'"' and "\n" in (table.column(-1)[-1].as_py() or ""):
            raise DataError(
                f"{self.path}: a quote that begins in row {rows:,} is never closed, so that the "
                "rows below would be one text; close it."
            )


@contextmanager
def _csv(
    path: Path, tell: Callable[[str], None], *, pieces: bool = False
) -> Iterator[tuple[_Csv, Callable[[], Any]]]:
    """What is known of a CSV file, and what opens its text for Arrow.

    Args:
        path: where it is.
        tell: called with a sentence on what had to be found out, once it is parsed.
        pieces: whether what is packed is unpacked only as it is parsed.
    """
    with reading(path) as stream, _signals_left_to_python():
        head = stream.read(HEAD_BYTES)
        encoding = encoding_of(head)
        header, delimiter = _header(path, head, encoding)
        check_names(path, header)
        length = len(",".join(header).encode())
        stream.seek(0)
        block = max(PIECE_BYTES, min(200 * length, MOST_BLOCK))
        size, last, odd = _measure(path, stream, delimiter, len(header))
        if odd is not None and head.isascii():
            encoding = encoding_of(odd)  # of the first letter that ASCII lacks
        options = (
            # Rows are read in blocks; a block must hold a row, and better hundreds.
            arrow_csv.ReadOptions(use_threads=False, block_size=block),
            arrow_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            arrow_csv.ConvertOptions(column_types={name: pa.string() for name in header}),
        )
        open_text = partial(_for_arrow, path, stream, size, encoding or UTF_8, pieces=pieces)
        try:
            yield _Csv(path, header, options, last), open_text
        except pa.ArrowException as error:
            if "straddling" in str(error):
                raise DataError(
                    f"{path} has a row of more than {block >> 20} MiB; is a quote never closed?"
                ) from error
            raise DataError(
                f"{path} is not a well-formed table: {first_line(error)}; each row needs the "
                f"{len(header)} cells of the header{_by(delimiter)}, in UTF-8 text."
            ) from error
    if encoding not in (None, UTF_8):
        word = first_word((head if odd is None else odd).decode(encoding, "ignore"))
        such = f", with words such as {word}; if they are wrong, save it as UTF-8" if word else ""
        tell(f"its text is no UTF-8 and read as {encoding}{such}")
    if delimiter.doubt is not None:
        tell(
            f"its cells may be separated by {delimiter!r} or {delimiter.doubt!r}; {delimiter!r} is "
            f"taken, which makes {len(header)} columns"
        )


def _by(delimiter: str) -> str:
    return "" if delimiter == "," else f", separated by {delimiter!r}"


@contextmanager
def _signals_left_to_python() -> Iterator[None]:
    """Arrow takes Ctrl-C over while it parses; a signal that comes as it lets go again is lost."""
    pa.enable_signal_handlers(False)
    try:
        yield
    finally:
        pa.enable_signal_handlers(True)


def _measure(
    path: Path, stream: IO[bytes], delimiter: str, columns: int
) -> tuple[int, bytes, bytes | None]:
    """Read all of a CSV file: it is whole, and not too large.

    Returns:
        How many bytes it unpacks to, the last of them that is no blank, and the first piece with
        a letter that ASCII lacks, if there is any.
    """
    packed = path.stat().st_size
    size = marks = 0
    last, odd = b"", None
    while piece := stream.read(PIECE_BYTES):
        size += len(piece)
        marks += piece.count(delimiter.encode()) + piece.count(b"\n")
        last = piece.rstrip()[-1:] or last
        odd = piece if odd is None and not piece.isascii() else odd
        check_unpacked(path, packed, size + 4 * marks)  # as Arrow keeps texts
        check_size(str(path), marks // columns, columns)  # marks within texts count too
    return size, last, odd


def _for_arrow(path: Path, stream: IO[bytes], size: int, encoding: str, *, pieces: bool) -> Any:
    """A file of Arrow's own: the file itself, or the text that it unpacks to, in UTF-8."""
    if encoding != UTF_8:
        packed, text = path.stat().st_size, pa.BufferOutputStream()
        try:
            for piece in as_utf_8(stream, encoding, PIECE_BYTES):
                text.write(piece)
                check_unpacked(path, packed, text.tell())
        except UnicodeDecodeError as error:
            raise DataError(
                f"{path} is neither UTF-8 nor {encoding} text: it has the byte "
                f"0x{error.object[error.start]:02x}; save it as UTF-8."
            ) from error
        return pa.BufferReader(text.getvalue())
    if not isinstance(getattr(stream, "raw", None), gzip.GzipFile):
        return pa.OSFile(os.fsencode(path))
    if pieces:
        return pa.CompressedInputStream(pa.OSFile(os.fsencode(path)), "gzip")
    stream.seek(0)
    buffer = pa.allocate_buffer(size)
    rest = memoryview(buffer)
    while rest:
        rest = rest[stream.readinto(rest) :]  # type: ignore[attr-defined]
    return pa.BufferReader(buffer)


def _header(path: Path, head: bytes, encoding: str | None) -> tuple[list[str], Separator]:
    """The column names as they stand in the first line, and what separates them."""
    if b"\0" in head and encoding not in ("utf-16", "utf-32"):
        raise DataError(f"{path} is not a text file; save the table as CSV in UTF-8.")
    try:
        text = codecs.getincrementaldecoder(encoding or UTF_8)().decode(head)
    except UnicodeDecodeError as error:
        line = head.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path} is not UTF-8 text: line {line} has the byte 0x{head[error.start]:02x}; "
            "save it as UTF-8."
        ) from error
    text = text.lstrip("\r\n")
    if not text.strip():
        raise DataError(f"{path} is empty; a table needs a line of column names and rows below.")
    line_end = min((at for mark in "\r\n" if (at := text.find(mark)) >= 0), default=len(text))
    if line_end == len(text) and len(head) == HEAD_BYTES:
        raise DataError(f"{path} has no line end in its first 16 MiB, so it is no table by rows.")
    delimiter = Separator("\t") if ".tsv" in path.suffixes else find_separator(text)
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
