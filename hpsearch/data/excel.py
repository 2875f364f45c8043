"""Workbooks of Excel (.xlsx): one sheet of them, whose first line are the column names.

A workbook is an archive of XML. openpyxl reads a sheet row by row, but the texts that cells share,
and the styles, at once; so all parts are measured before, and rows and columns are held to those
that the sheet has cells for.
"""

from __future__ import annotations

import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from hpsearch.data.account import listed, quoted
from hpsearch.data.dataset import check_size
from hpsearch.data.files import check_unpacked, first_line
from hpsearch.data.pieces import check_names, column_of, together
from hpsearch.errors import DataError, nearest

__all__ = ["read_excel"]

PIECE = 1 << 20
ROWS = 1 << 20
"""As many as a sheet of Excel has."""
AT_ONCE = 1024
TOLD = 10
NODE = 64
"""Bytes that a part of XML takes at least, once read."""


def read_excel(path: Path, sheet: str | None, tell: Callable[[str], None]) -> Any:
    """Read a sheet: a line of column names, and rows below it until the last that has a value.

    Numbers, truth values, texts and dates are taken as such; of formulas, the values that Excel
    last stored. Rows and columns without any value or name are passed over.

    Args:
        path: a workbook.
        sheet: its name; the first by default.
        tell: called with a sentence where there were other sheets to read.

    Returns:
        A ``pyarrow.Table``.

    Raises:
        DataError: it is no workbook, is damaged, unpacks to too much, or has no such sheet.
    """
    import openpyxl

    try:
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what a sheet has beside its values
            _measure(path, file)
            book = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
            names = [each.title for each in book.worksheets]
            if sheet is None and len(names) > 1:
                tell(
                    f"of {len(names)} sheets {quoted(names[0])} is read, the first; another: "
                    "[data] sheet"
                )
            place = _place(path, sheet, names)
            return _table(path, book.worksheets[place])
    except DataError:
        raise
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (*_DAMAGE, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(
            f"{path} cannot be read as a workbook ({first_line(error)}); save it again as .xlsx, "
            "without a password."
        ) from error


# What openpyxl raises on XML that is none, or no workbook's; SyntaxError is that of an XML parser.
_DAMAGE = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    NotImplementedError,
    RecursionError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)


def _place(path: Path, sheet: str | None, names: Sequence[str]) -> int:
    if not names:
        raise DataError(f"{path} has no sheet of cells.")
    if sheet is None:
        return 0
    if sheet not in names:
        close = nearest(sheet, names)
        hint = f"did you mean {close!r}?" if close else "name one of these."
        known = listed(list(map(quoted, names)), TOLD)
        raise DataError(f"{path} has no sheet {sheet!r}; {hint} Sheets: {known}.")
    return names.index(sheet)


def _measure(path: Path, file: Any) -> None:
    """Unpack all parts and keep nothing: what they take, with room for each node of XML."""
    packed, size = path.stat().st_size, 0
    with zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            if not member.filename.endswith((".xml", ".rels")):
                continue  # pictures and the like are never read
            check_unpacked(path, packed, size + member.file_size)
            with archive.open(member) as stream:
                while piece := stream.read(PIECE):
                    # An end has a mark of its own, so that an element counts twice.
                    size += len(piece) + NODE * piece.count(b"<") // 2
                    check_unpacked(path, packed, size)


def _table(path: Path, sheet: Any) -> Any:
    sheet.reset_dimensions()  # which may be any
    rows = (row for row in islice(sheet.iter_rows(values_only=True), ROWS) if any(_said(row)))
    head = next(rows, None)
    if head is None:
        raise DataError(f"{path} is empty; a table needs a line of column names and rows below.")
    names = ["" if name is None else str(name) for name in head]
    while names and not names[-1].strip():
        names.pop()
    check_names(path, names)
    places = [str(place) for place in range(len(names))]
    tables, count = [], 0
    for some in _several(rows):
        for number, row in enumerate(some, start=count + 1):
            if len(row) > len(names) and any(_said(row[len(names) :])):
                raise DataError(
                    f"{path}: row {number:,} has a value beyond the {len(names)} columns that the "
                    "first line names; name every column."
                )
        count += len(some)
        check_size(str(path), count, len(names))
        cells = zip(*(_filled(row, len(names)) for row in some), strict=True)
        columns = [column_of(path, name, each) for name, each in zip(names, cells, strict=True)]
        tables.append(pa.table(columns, places))
    if not tables:
        raise DataError(f"{path} has a header and no rows.")
    return together(tables, places).rename_columns(names)


def _said(row: Sequence[Any]) -> Iterator[bool]:
    return (cell is not None and cell != "" for cell in row)


def _filled(row: Sequence[Any], width: int) -> tuple[Any, ...]:
    return (*row[:width], *[None] * (width - len(row)))


def _several(rows: Iterator[Any]) -> Iterator[list[Any]]:
    while some := list(islice(rows, AT_ONCE)):
        yield some
