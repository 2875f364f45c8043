"""`hpsearch predict`: what an exported network makes of the rows of a table."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from hpsearch.cli.console import Json, print_json_lines, tell
from hpsearch.errors import UsageError
from hpsearch.writing import in_one_line, whole_file

if TYPE_CHECKING:
    from hpsearch.training.model import Model
    from hpsearch.training.predicting import Predicted

__all__ = ["predict"]


def predict(
    model: Annotated[Path, typer.Argument(help="A file of `hpsearch best NAME --export`.")],
    table: Annotated[Path, typer.Argument(help="A table or NPZ with the model's columns.")],
    out: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write a CSV file instead of printing it.")
    ] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(
            "--keep",
            metavar="COLUMN",
            help="Carry a column of the table along, instead of the numbers of the rows; may be "
            "given several times.",
        ),
    ] = None,
    probabilities: Annotated[
        bool, typer.Option("--proba", "--probabilities", help="Add a column for each class.")
    ] = False,
    trust: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A class or a module of your own, in the current folder or installed, that the "
            "model's estimator is made of; may be given several times.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Label each row of a table, or predict its quantity; prints CSV.

    Columns are found by name, in any order. Where the table has the model's target, the predictions
    are scored by the study's metric. That, and what is unlike the data that the model learned from,
    is told on standard error.
    """
    from hpsearch.training.model import Model
    from hpsearch.training.predicting import predict_file

    if trust:
        sys.path.insert(0, str(Path.cwd()))  # as `python -m` has it
    network = Model.load(model, trusted=trust or ())
    if probabilities and not network.classes:
        raise UsageError("the model predicts a quantity, which has no probabilities")
    kept = list(dict.fromkeys(keep or ()))
    header = _header(network, kept, probabilities=probabilities)
    pieces = predict_file(network, table, tell, kept)
    found = (
        row
        for piece in pieces
        for row in _rows(network, piece, probabilities=probabilities, as_text=not as_json)
    )
    # What is wrong with the table is found before anything is written.
    rows = chain([next(found)], found)
    if as_json:
        print_json_lines(dict(zip(header, row, strict=True)) for row in rows)
    elif out is None:
        lines = chain([header], rows)
        _write(sys.stdout, map(_shown, lines) if sys.stdout.isatty() else lines)
    else:
        try:
            with (
                whole_file(out) as raw,
                io.TextIOWrapper(raw, encoding="utf-8", newline="") as file,
            ):
                count = _write(file, chain([header], rows)) - 1
        except OSError as error:
            raise UsageError(f"cannot write {out}: {error.strerror}") from None
        tell(f"wrote {count} {'labels' if network.classes else 'predictions'} to {out}")


def _header(network: Model, kept: Sequence[str], *, probabilities: bool) -> list[str]:
    """The names of the columns; those that a kept one has already are called otherwise."""
    made = ["label", "probability"] if network.classes else ["prediction"]
    if probabilities:
        made += [f"p({label})" for label in network.classes]
    return [*(kept or ["row"]), *(f"predicted {name}" if name in kept else name for name in made)]


def _rows(
    network: Model, piece: Predicted, *, probabilities: bool, as_text: bool
) -> Iterator[list[Any]]:
    """The cells of each row."""
    first = piece.start + 1
    columns: list[Iterable[Any]] = [_cells(column, as_text=as_text) for column in piece.kept]
    if not columns:
        columns = [range(first, first + len(piece.predictions))]
    if network.classes:
        codes = network.codes(piece.predictions)
        columns += [
            (network.classes[k] for k in codes),
            map(_six_places, piece.predictions[range(len(codes)), codes]),
        ]
    else:
        columns.append(float(f"{value:.10g}") for value in piece.predictions)
    if probabilities:
        columns += [map(_six_places, column) for column in piece.predictions.T]
    for row in zip(*columns, strict=True):
        yield list(row)


def _six_places(probability: float) -> float:
    return round(float(probability), 6)


def _cells(column: Any, *, as_text: bool) -> list[Any]:
    """A column as it stands in the table: for CSV as text, empty where nothing does."""
    import pyarrow as pa

    if not as_text or pa.types.is_nested(column.type):
        return list(column.to_pylist())
    return [cell or "" for cell in column.cast(pa.string()).to_pylist()]


def _write(file: TextIO, rows: Iterable[Sequence[object]]) -> int:
    """Write lines of CSV, and count them."""
    count = 0
    for row in rows:
        # Until Python 3.13 a \r stands in quotes only where it is of the line's own end.
        line = io.StringIO()
        csv.writer(line).writerow(row)
        file.write(line.getvalue().removesuffix("\r\n") + "\n")
        count += 1
    return count


def _shown(row: Sequence[object]) -> list[object]:
    """A row as a terminal, which obeys some characters, is to have it."""
    return [in_one_line(cell) if isinstance(cell, str) else cell for cell in row]
