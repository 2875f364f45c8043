"""`hpsearch predict`: label the rows of a table with an exported network."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, TextIO

import typer

from hpsearch.cli.console import Json, print_json, tell
from hpsearch.errors import UsageError
from hpsearch.writing import in_one_line

__all__ = ["predict"]

MOST = 10
"""How many sentences on the rows are told one by one."""


def predict(
    model: Annotated[Path, typer.Argument(help="A file of `hpsearch best NAME --export`.")],
    table: Annotated[Path, typer.Argument(help="A table or NPZ with the model's columns.")],
    out: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write a CSV file instead of printing it.")
    ] = None,
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="Add a column for each class.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Label each row of a table; prints CSV.

    What is unlike the data that the model learned from is told on standard error.
    """
    from hpsearch.data.tabular import load_features
    from hpsearch.training.model import Model

    network = Model.load(model)
    told: list[str] = []
    X = load_features(
        table,
        network.feature_names,
        network.categories,
        decimal_comma=network.decimal_comma,
        dates=network.dates,
        tell=told.append,
    )
    told += network.unlike_training(X)
    if len(told) > MOST:
        told[MOST:] = [f"and likewise in {len(told) - MOST} columns more"]
    for sentence in told:
        tell(sentence)
    chances = network.predict_proba(X)
    labels = [network.classes[k] for k in chances.argmax(axis=1)]
    header = ["label", "probability"]
    best = chances.max(axis=1)
    rows = [[label, round(float(p), 6)] for label, p in zip(labels, best, strict=True)]
    if probabilities:
        header += [f"p({label})" for label in network.classes]
        rows = [
            [*row, *(round(float(p), 6) for p in chance)]
            for row, chance in zip(rows, chances, strict=True)
        ]
    if as_json:
        print_json([dict(zip(header, row, strict=True)) for row in rows])
    elif out is None:
        lines = [header, *rows]
        _write(sys.stdout, map(_shown, lines) if sys.stdout.isatty() else lines)
    else:
        try:
            with out.open("w", newline="", encoding="utf-8") as file:
                _write(file, [header, *rows])
        except OSError as error:
            raise UsageError(f"cannot write {out}: {error.strerror}") from None
        tell(f"wrote {len(rows)} labels to {out}")


def _write(file: TextIO, rows: Iterable[Sequence[object]]) -> None:
    for row in rows:
        # Until Python 3.13 a \r stands in quotes only where it is of the line's own end.
        line = io.StringIO()
        csv.writer(line).writerow(row)
        file.write(line.getvalue().removesuffix("\r\n") + "\n")


def _shown(row: Sequence[object]) -> list[object]:
    """A row as a terminal, which obeys some characters, is to have it."""
    return [in_one_line(cell) if isinstance(cell, str) else cell for cell in row]
