"""Tables in, data sets out: the target and the feature columns, in training and in prediction."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hpsearch.data.account import Account, listed, quoted, rows_told
from hpsearch.data.columns import (
    Column,
    counts_rows,
    interpret,
    said_categories,
    varying,
)
from hpsearch.data.dataset import (
    Dataset,
)
from hpsearch.data.division import read_division, read_weights
from hpsearch.data.plain import (
    clean,
    words_for_missing,
)
from hpsearch.data.said import Said, check_column
from hpsearch.data.suspects import find_suspects
from hpsearch.data.target_column import read_labels
from hpsearch.errors import DataError, nearest

__all__ = ["dataset_from_table", "with_names"]

log = logging.getLogger(__name__)

TOLD = 10
"""Of more columns than so many a message counts the others."""


def dataset_from_table(
    name: str,
    table: Any,
    target: str | None,
    said: Said | None = None,
    told: Sequence[str] = (),
    parts: NDArray[np.int64] | None = None,
) -> Dataset:
    """Turn a table into a data set: one column is the target, the others numbers or categories.

    Columns of numbers (also as people write them: $1,234.50, 45%, 3,5) and of true/false are
    numeric, other text is categorical. Identifiers (text with nearly all values distinct), columns
    of more than 1,000 categories, of dates, or without a value are left out, and rows without a
    label too; the account names each.

    Args:
        name: the data set, for messages and reports.
        table: a ``pyarrow.Table``.
        target: the name of the column that is learned.
        said: what the study says of the columns.
        told: what else the account is to remark, of the file.
        parts: the part of each row, where it comes from a file of its own: see `Division`.

    Returns:
        The data set.

    Raises:
        DataError: the target is missing or no set of classes, text stands where numbers belong, or
            no column is usable.
        UnknownNameError: a column, or a label that means missing, is said and not there.
    """
    said = said or Said()
    table, nameless = with_names(table)
    target = _known_target(name, target, table.column_names)
    said.check(name, target, table.column_names)
    labels = read_labels(name, target, table.column(target), said.missing_labels, said.task)
    division = read_division(name, table, said.dividing, labels.there)
    if parts is not None:
        division = replace(division, parts=parts[labels.there])
    weights = None
    divide = {column: DIVIDES[setting] for setting, column in said.dividing.named().items()}
    if said.weight is not None:
        weights = read_weights(name, table, said.weight, labels.there)
        divide[said.weight] = "no input: it says how much a row counts"
    dropped = {each: "excluded" for each in said.exclude if each in table.column_names} | divide
    dropped |= {
        made_up: "no name, and the numbers of the rows"
        for made_up in nameless
        if made_up not in (target, *dropped, *said.categories, *said.ordered)
        and counts_rows(table.column(made_up))
    }
    features = [each for each in table.column_names if each != target and each not in dropped]
    meanings = _meanings(name, table, features, None if labels.there.all() else labels.there, said)
    columns = [each for found in meanings.values() if not isinstance(found, str) for each in found]
    columns = _not_excluded(columns, said.exclude, table.column_names)
    dropped |= {feature: why for feature, why in meanings.items() if isinstance(why, str)}
    if not columns:
        why = listed([f"{quoted(column)} ({reason})" for column, reason in dropped.items()])
        raise DataError(
            f"{name} has no column to learn from beside the target {target!r}"
            + (f"; left out: {why}." if why else ".")
        )
    X = np.empty((len(labels.values), len(columns)), dtype=np.float32)
    with np.errstate(over="ignore"):  # what overflows is infinite, and refused below with its row
        for index, column in enumerate(columns):
            X[:, index] = column.values
    read = {c.name: c.read for c in columns if c.read is not None}
    data = Dataset.from_arrays(
        name,
        X,
        labels.values,
        feature_names=[column.name for column in columns],
        categories={i: c.categories for i, c in enumerate(columns) if c.categories is not None},
        ordered=frozenset(i for i, c in enumerate(columns) if c.ordered),
        task=said.task,
        account=Account(
            rows_read=table.num_rows,
            columns_read=len(table.column_names) - 1,
            rows_dropped=labels.dropped,
            unlabelled=sum(labels.dropped.values()),
            columns_dropped=dropped,
            numbers={c: r.example for c, r in read.items() if r.example is not None},
            decimal_comma=tuple(c for c, r in read.items() if r.decimal_comma)
            if said.decimal != ","
            else tuple(c.name for c in columns if c.categories is None),
            dates={c.name: c.part for c in columns if c.part is not None},
            remarks=(*told, *labels.remarks, *_remarks(table, columns, nameless)),
        ),
    )
    asked = [c for c in table.column_names if c not in (target, *said.exclude, *divide)]
    suspects = find_suspects(table, asked, labels.there)
    return replace(data, division=division, weights=weights, suspects=suspects)


DIVIDES = {
    "groups": "no input: rows of one value stay together",
    "time": "no input: rows are divided in its order",
    "parts": "no input: it says which part a row is for",
}
"""Why a column that divides the rows is left out of learning, by setting."""


def _known_target(name: str, target: str | None, columns: Sequence[str]) -> str:
    """The target, once it is one of the columns."""
    if target is None:
        raise DataError(
            f"{name}: which column is to be learned? Set target to one of: {listed(columns, TOLD)}."
        )
    if target not in columns:
        close = nearest(target, columns)
        hint = f"did you mean {close!r}?" if close else "name one of these."
        raise DataError(
            f"{name} has no column {target!r}; {hint} Columns: {listed(columns, TOLD)}."
        )
    return target


def _meanings(
    name: str, table: Any, features: Sequence[str], there: NDArray[np.bool_] | None, said: Said
) -> dict[str, list[Column] | str]:
    """What each column means; where one has a decimal comma, as 3,5 has, no other has a point."""

    def meaning(feature: str, cells: Any, *, comma: bool) -> list[Column] | str:
        if feature in said.categories or feature in said.ordered:
            order = said.ordered.get(feature)
            found = said_categories(name, feature, cells, order, there)
            return found if isinstance(found, str) else [found]
        return interpret(name, feature, cells, there, decimal_comma=comma)

    found = {f: meaning(f, clean(table.column(f)), comma=said.decimal == ",") for f in features}
    columns = [c for made in found.values() if not isinstance(made, str) for c in made]
    if said.decimal is None and any(c.read is not None and c.read.decimal_comma for c in columns):
        for column in columns:
            if column.categories is None and column.part is None:
                cells = clean(table.column(column.name))
                if pa.types.is_string(cells.type):
                    found[column.name] = meaning(column.name, cells, comma=True)
    return {
        feature: made if isinstance(made, str) else varying(made) for feature, made in found.items()
    }


def _not_excluded(
    columns: list[Column], exclude: Sequence[str], there: Sequence[str]
) -> list[Column]:
    """Without those that are made of dates and excluded by their own name."""
    made = [column.name for column in columns if column.part is not None]
    for name in exclude:
        if name not in there:
            check_column("exclude", name, [*there, *made])
    return [column for column in columns if column.name not in exclude]


def _remarks(table: Any, columns: Sequence[Column], nameless: Sequence[str]) -> list[str]:
    """What is odd about the columns that are learned from."""
    remarks = []
    for column in columns:
        if column.name in nameless:
            name = quoted(column.name)
            remarks.append(f"a column without a name is learned from, called {name}")
        if column.categories is not None:
            remarks += [
                f"{quoted(column.name)} has {word!r} in {rows_told(count)}, read as missing and no "
                "category; if it is one, give it another name"
                for word, count in words_for_missing(table.column(column.name)).items()
            ]
    return remarks + [column.remark for column in columns if column.remark is not None]


def with_names(table: Any) -> tuple[Any, list[str]]:
    """The table with a name for every column, and the names that were made up.

    pandas writes its index without a name, and reads that as "Unnamed: 0".
    """
    names, made_up = list(table.column_names), []
    for position, name in enumerate(names):
        if re.fullmatch(r"|Unnamed: \d+(\.\d+)?|__index_level_\d+__", name):
            made_up.append(name or _new_name(names, f"unnamed_{position + 1}"))
            names[position] = made_up[-1]
    return table.rename_columns(names), made_up


def _new_name(names: Sequence[str], name: str) -> str:
    """The name, longer where others have it already."""
    return _new_name(names, name + "_") if name in names else name
