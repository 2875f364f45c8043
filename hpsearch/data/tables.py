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
from typing import IO, TYPE_CHECKING, Any

from hpsearch.data.dataset import check_size
from hpsearch.data.files import existing_file, first_line, reading
from hpsearch.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["TABLE_SUFFIXES", "read_table"]

TABLE_SUFFIXES = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".parquet")

HEAD_BYTES = 1 << 24  # the header line must end within 16 MiB
PIECE_BYTES = 1 << 22
MAX_BYTES = 4 << 30  # of unpacked text or Parquet columns


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
    names = [name.strip() for name in table.column_names]
    [(name, count)] = Counter(filter(None, names)).most_common(1) or [("", 0)]
    if count > 1:
        raise DataError(f"{file} has {count} columns named {name!r}; rename them.")
    if table.num_rows == 0:
        raise DataError(f"{file} has a header and no rows.")
    return table.rename_columns(names)


def _read_parquet(path: Path) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as source:
            about = source.metadata
            check_size(str(path), about.num_rows, len(source.schema_arrow.names))
            size = sum(about.row_group(g).total_byte_size for g in range(about.num_row_groups))
            _check_bytes(path, size)
            return source.read()
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path} cannot be read as Parquet: {first_line(error)}.") from error


def _read_csv(path: Path) -> Any:
    """Parse a CSV file in this thread, out of what no thread needs Python for.

    Arrow's parallel and streaming readers read ahead in threads of their own, which an error leaves
    behind; one that then wants Python, for a block of a Python file, aborts a process that ends.
    """
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    with reading(path) as stream:
        header, delimiter = _header(path, stream.read(HEAD_BYTES))
        stream.seek(0)
        try:
            table = arrow_csv.read_csv(
                _measured(path, stream, delimiter, len(header)),
                # Rows are read in blocks; a block must hold a row, and better hundreds.
                arrow_csv.ReadOptions(
                    use_threads=False, block_size=max(PIECE_BYTES, 200 * len(",".join(header)))
                ),
                arrow_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
                arrow_csv.ConvertOptions(column_types={name: pa.string() for name in header}),
            )
        except pa.ArrowException as error:
            raise DataError(
                f"{path} is not a well-formed table: {first_line(error)}; each row needs the "
                f"{len(header)} cells of the header, in UTF-8 text."
            ) from error
    check_size(str(path), table.num_rows, len(header))
    return table


def _measured(path: Path, stream: IO[bytes], delimiter: str, columns: int) -> Any:
    """What Arrow is to parse, once it is known to be whole and not too large.

    Args:
        path: of the file.
        stream: its bytes, unpacked, at their beginning.
        delimiter: what separates the cells.
        columns: of its header.

    Returns:
        A file of Arrow's own: the file itself, or the text that it was unpacked to.
    """
    import pyarrow as pa

    packed = isinstance(getattr(stream, "raw", None), gzip.GzipFile)
    text = pa.BufferOutputStream()
    size = marks = 0
    while piece := stream.read(PIECE_BYTES):
        size += len(piece)
        marks += piece.count(delimiter.encode()) + piece.count(b"\n")
        _check_bytes(path, size)
        check_size(str(path), marks // columns, columns)  # marks within texts count too
        if packed:
            text.write(piece)
    return pa.BufferReader(text.getvalue()) if packed else pa.OSFile(os.fsencode(path))


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
    line_end = len(text.splitlines()[0]) if len(head) < HEAD_BYTES else text.find("\n")
    if line_end < 0:
        raise DataError(f"{path} has no line end in its first 16 MiB, so it is no table by rows.")
    delimiter = "\t" if ".tsv" in path.suffixes else max(",;\t", key=text[:line_end].count)
    check_size(str(path), 1, text.count(delimiter, 0, line_end) + 1)
    try:
        header = next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error as error:
        raise DataError(f"{path} has a malformed header line: {error}.") from error
    if not text[line_end:].strip():
        raise DataError(f"{path} has a header and no rows.")
    return header, delimiter


def _check_bytes(path: Path, size: int) -> None:
    if size > MAX_BYTES:
        raise DataError(
            f"{path} unpacks to more than {MAX_BYTES >> 30} GiB; take a sample of the rows."
        )
