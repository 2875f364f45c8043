"""Tables in, data sets out: the target and the feature columns, in training and in prediction."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hpsearch.data.account import Account, listed, quoted, rows_told
from hpsearch.data.arrays import npz_features
from hpsearch.data.dataset import Dataset, as_features, check_excluded
from hpsearch.data.files import TABLE_SUFFIXES, existing_file
from hpsearch.errors import DataError, nearest, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from hpsearch.data.columns import Column

__all__ = ["dataset_from_table", "load_features", "with_names"]

log = logging.getLogger(__name__)

TOLD = 10
"""Of more columns than so many a message counts the others."""


def dataset_from_table(
    name: str,
    table: Any,
    target: str | None,
    exclude: Sequence[str] = (),
    missing_labels: Sequence[str] = (),
) -> Dataset:
    """Turn a table into a data set: one column is the target, the others numbers or categories.

    Columns of numbers (also as people write them: $1,234.50, 45%, 3,5) and of true/false are
    numeric, other text is categorical. Identifiers (text with nearly all values distinct), columns
    of more than 1,000 categories, of dates, or without a value are left out, and rows without a
    label too; the account names each.

    Args:
        name: the data set, for messages and reports.
        table: a ``pyarrow.Table``.
        target: the name of the column that holds the classes.
        exclude: columns to leave out, by name.
        missing_labels: labels that mean that the label is missing; their rows are left out.

    Returns:
        The data set.

    Raises:
        DataError: the target is missing or no set of classes, text stands where numbers belong, or
            no column is usable.
        UnknownNameError: a column to exclude, or a label that means missing, is not there.
    """
    from hpsearch.data import columns as col  # with Arrow, which workers do without

    table, nameless = with_names(table)
    if target is None:
        raise DataError(
            f"{name}: which column holds the classes? Set target to one of: "
            f"{listed(table.column_names, TOLD)}."
        )
    if target not in table.column_names:
        close = nearest(target, table.column_names)
        hint = f"did you mean {close!r}?" if close else "name one of these."
        raise DataError(
            f"{name} has no column {target!r}; {hint} Columns: {listed(table.column_names, TOLD)}."
        )
    if target in exclude:
        raise DataError(
            f"{name}: {target!r} is the target, which cannot be excluded; take it off exclude."
        )
    check_excluded(exclude, [column for column in table.column_names if column != target])
    labels = col.labels(name, target, table.column(target), missing_labels)
    dropped = dict.fromkeys(exclude, "excluded")
    remarks = list(labels.remarks)
    dropped |= {
        made_up: "no name, and the numbers of the rows"
        for made_up in nameless
        if made_up not in (target, *exclude) and col.counts_rows(table.column(made_up))
    }
    rows = table.num_rows
    there = None if labels.there.all() else labels.there
    features = [each for each in table.column_names if each != target and each not in dropped]
    columns = []
    for feature, column in _interpreted(name, table, features, there).items():
        if isinstance(column, col.Column):
            columns.append(column)
            if feature in nameless:
                remarks.append(f"a column without a name is learned from, called {quoted(feature)}")
            if column.categories is not None:
                words = col.words_for_missing(table.column(feature))
                remarks += [
                    f"{quoted(feature)} has {word!r} in {rows_told(count)}, read as missing and no "
                    "category; if it is one, give it another name"
                    for word, count in words.items()
                ]
        else:
            dropped[feature] = column
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
    return Dataset.from_arrays(
        name,
        X,
        labels.values,
        feature_names=[column.name for column in columns],
        categories={i: c.categories for i, c in enumerate(columns) if c.categories is not None},
        account=Account(
            rows_read=rows,
            columns_read=len(table.column_names) - 1,
            rows_dropped=labels.dropped,
            columns_dropped=dropped,
            numbers={c: r.example for c, r in read.items() if r.example is not None},
            decimal_comma=tuple(c for c, r in read.items() if r.decimal_comma),
            remarks=(*remarks, *(c.remark for c in columns if c.remark is not None)),
        ),
    )


def load_features(
    path: str | Path,
    feature_names: Sequence[str],
    categories: Mapping[int, tuple[str, ...]],
    *,
    decimal_comma: Sequence[str] = (),
    tell: Callable[[str], None] = log.warning,
) -> NDArray[np.float32]:
    """Samples to predict, in the coding of the data that a model learned from.

    Columns are found by name, in any order; others, the target for one, are ignored and logged.
    A category that the model has not seen counts as missing, and so is told.

    Args:
        path: a table (CSV or Parquet) or an npz archive with ``X``, whose columns go by position.
        feature_names: the d columns of the model.
        categories: column index -> category names, as in `Dataset`.
        decimal_comma: columns in which a comma that can be both is a decimal one.
        tell: called with a sentence for each column with categories that are new.

    Returns:
        Shape (n, d), float32, NaN where a value is missing.

    Raises:
        DataError: the file or a column is missing, or text stands where numbers belong.
    """
    from hpsearch.data import columns as col
    from hpsearch.data.tables import read_table

    file = existing_file(path)
    if file.suffix == ".npz":
        return npz_features(file, len(feature_names))
    if not file.name.endswith(TABLE_SUFFIXES):
        raise DataError(
            f"{file}: samples to predict are read from {', '.join(TABLE_SUFFIXES)} or .npz files."
        )
    table, _ = with_names(read_table(file))
    present = set(table.column_names)
    lacking = [name for name in feature_names if name not in present]
    if lacking:
        close = nearest(lacking[0], present)
        hint = f"did you mean {close!r}?" if close else "add it, empty where it is unknown."
        more = f" ({len(lacking)} columns are missing in all)" if len(lacking) > 1 else ""
        raise DataError(
            f"{file} has no column {shown(lacking[0])}, which the model needs{more}; {hint}"
        )
    extra = sorted(present - set(feature_names))
    if extra:
        log.info("%s: columns the model does not use are ignored: %s", file, listed(extra, TOLD))
    X = np.empty((table.num_rows, len(feature_names)), dtype=np.float32)
    with np.errstate(over="ignore"):
        for index, feature in enumerate(feature_names):
            column = col.clean(table.column(feature))
            if index in categories:
                codes, unknown = col.known_codes(str(file), feature, column, categories[index])
                X[:, index] = codes
                if unknown:
                    tell(_unknown(feature, unknown))
            else:
                X[:, index] = col.as_numbers(
                    str(file), feature, column, decimal_comma=feature in decimal_comma
                )
    return as_features(str(file), X, feature_names)


def _interpreted(
    name: str, table: Any, features: Sequence[str], there: NDArray[np.bool_] | None
) -> dict[str, Column | str]:
    """What each column means; where one has a decimal comma, as 3,5 has, no other has a point."""
    from hpsearch.data import columns as col

    found = {f: col.interpret(name, f, col.clean(table.column(f)), there) for f in features}
    columns = [c for c in found.values() if isinstance(c, col.Column)]
    if any(c.read is not None and c.read.decimal_comma for c in columns):
        for column in columns:
            cells = col.clean(table.column(column.name))
            if col.has_points(column, cells):
                found[column.name] = col.interpret(
                    name, column.name, cells, there, decimal_comma=True
                )
    return found


def with_names(table: Any) -> tuple[Any, list[str]]:
    """The table with a name for every column, and the names that were made up.

    pandas writes its index without a name, and reads that as "Unnamed: 0".
    """
    names, made_up = list(table.column_names), []
    for position, name in enumerate(names):
        if re.fullmatch(r"|Unnamed: \d+(\.\d+)?|__index_level_\d+__", name):
            made_up.append(name or _unlike(names, f"unnamed_{position + 1}"))
            names[position] = made_up[-1]
    return table.rename_columns(names), made_up


def _unlike(names: Sequence[str], name: str) -> str:
    """The name, longer where others have it already."""
    return _unlike(names, name + "_") if name in names else name


def _unknown(feature: str, unknown: Mapping[str, int]) -> str:
    rows = sum(unknown.values())
    values = listed([f"{quoted(value)} ({count:,})" for value, count in unknown.items()])
    are = "are" if len(unknown) > 1 else "is"
    return (
        f"{rows_told(rows)} of {quoted(feature)}: {values} {are} new "
        "to the model and counted as none of its categories"
    )
