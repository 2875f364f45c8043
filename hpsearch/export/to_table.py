"""The trials of a study as a table: a row each, in the order in which they were handed out."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hpsearch.engine.summary import Summary
from hpsearch.export.trials import scores_of, value_names
from hpsearch.writing import written_out

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["csv_bytes", "parquet_bytes", "trials_table"]

TYPES = {
    "number": "int64",
    "slot": "Int64",
    "seed": "Int64",
    "epochs": "Int64",
    "seconds": "Float64",
    "winner": "bool",
    "started": "datetime64[us]",
    "completed": "datetime64[us]",
}
"""What is no text, among the columns that every study has."""


def trials_table(summary: Summary) -> pd.DataFrame:
    """All trials of a study, by their number.

    Its columns: number, state, stage, slot, seed and epochs; the metric under its own name (behind
    ``metric_``, where another column has that) and in its own units (``values_0`` and so on, where
    a trial has several); what is recorded beside it;
    each parameter, as ``params_NAME``; seconds, when it started and completed, worker, the names of
    its findings, why it ended, and whether it stands for the winner. What a trial does not have is
    missing. Parameters are whole numbers, numbers, truth values or text, as all their values are.

    Args:
        summary: of any study.
    """
    import pandas as pd

    rows = sorted(summary.rows, key=lambda row: row.number)
    columns: dict[str, list[Any]] = {
        "number": [row.number for row in rows],
        "state": [row.state for row in rows],
        "stage": [None if row.stage is None else str(row.stage) for row in rows],
        "slot": [None if row.slot is None else row.slot.index for row in rows],
        "seed": [None if row.slot is None else row.slot.seed for row in rows],
        "epochs": [row.epochs for row in rows],
    }
    last: dict[str, list[Any]] = {
        "seconds": [row.seconds for row in rows],
        "started": [row.started for row in rows],
        "completed": [row.completed for row in rows],
        "worker": [row.worker or None for row in rows],
        "findings": [", ".join(f.name for f in row.findings) or None for row in rows],
        "why": [row.why or None for row in rows],
        "winner": [row.number == summary.winner for row in rows],
    }
    types = dict(TYPES)
    parameters = {
        f"params_{name}": _typed([row.configuration.get(name) for row in rows])
        for name in dict.fromkeys(name for row in rows for name in row.configuration)
    }
    also = (name for row in rows for name in row.also)
    for name in dict.fromkeys([*value_names(summary), *also]):
        own = name
        while own in columns.keys() | last.keys() | parameters.keys():
            own = f"metric_{own}"
        columns[own] = [scores_of(summary, row).get(name) for row in rows]
        types[own] = "Float64"
    for column, (values, kind) in parameters.items():
        columns[column], types[column] = values, kind
    series = {
        written_out(name): pd.Series(_texts(values), dtype=types.get(name, "string"))
        for name, values in (columns | last).items()
    }
    return pd.DataFrame(series)


def csv_bytes(summary: Summary) -> bytes:
    """The table as CSV, in UTF-8; times as ISO 8601."""
    return trials_table(summary).to_csv(index=False).encode()


def parquet_bytes(summary: Summary) -> bytes:
    """The table as Parquet."""
    buffer = io.BytesIO()
    trials_table(summary).to_parquet(buffer, index=False)
    return buffer.getvalue()


def _typed(values: Sequence[Any]) -> tuple[list[Any], str]:
    """The values of a parameter, None where there is none, and the type that fits all of them."""
    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return list(values), "boolean"
    if kinds == {int} and all(value is None or abs(value) < 1 << 63 for value in values):
        return list(values), "Int64"
    if kinds <= {int, float} and float in kinds:
        return [None if value is None else float(value) for value in values], "Float64"
    return [None if value is None else str(value) for value in values], "string"


def _texts(values: list[Any]) -> list[Any]:
    """The same with no text that a reader would obey, or that has no UTF-8."""
    return [written_out(value) if isinstance(value, str) else value for value in values]
