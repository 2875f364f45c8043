"""Tables in, data sets out: the target and the feature columns, in training and in prediction."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hpsearch.data import columns as col
from hpsearch.data.arrays import npz_features
from hpsearch.data.dataset import Dataset, as_features, check_excluded
from hpsearch.data.files import existing_file
from hpsearch.data.tables import TABLE_SUFFIXES, read_table
from hpsearch.errors import DataError, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["dataset_from_table", "load_features"]

log = logging.getLogger(__name__)

TOLD_ONE_BY_ONE = 5  # columns with missing values; beyond that they are counted together


def dataset_from_table(
    name: str, table: Any, target: str | None, exclude: Sequence[str] = ()
) -> Dataset:
    """Turn a table into a data set: one column is the target, the others numbers or categories.

    Columns of numbers and of true/false are numeric, other text is categorical. Identifiers (text
    with nearly all values distinct), columns of more than 1,000 categories, of dates, or without a
    value are left out, and rows without a label too; each has a note.

    Args:
        name: the data set, for messages and reports.
        table: a ``pyarrow.Table``.
        target: the name of the column that holds the classes.
        exclude: columns to leave out, by name.

    Returns:
        The data set.

    Raises:
        DataError: the target is missing or no set of classes, text stands where numbers belong, or
            no column is usable.
        UnknownNameError: a column to exclude is not there.
    """
    if target is None:
        raise DataError(
            f"{name}: which column holds the classes? Set target to one of: "
            f"{_some(table.column_names)}."
        )
    if target not in table.column_names:
        close = nearest(target, table.column_names)
        hint = f"did you mean {close!r}?" if close else "name one of these."
        raise DataError(
            f"{name} has no column {target!r}; {hint} Columns: {_some(table.column_names)}."
        )
    if target in exclude:
        raise DataError(
            f"{name}: {target!r} is the target, which cannot be excluded; take it off exclude."
        )
    check_excluded(exclude, [column for column in table.column_names if column != target])
    labels = col.clean(table.column(target))
    told = [f"column {column!r} is left out: it is excluded" for column in exclude]
    if labels.null_count:
        told.append(f"{labels.null_count} rows without a value in {target!r} are left out")
        table, labels = table.filter(labels.is_valid()), labels.drop_null()
    y = col.labels(name, target, labels)
    columns = []
    for feature in table.column_names:
        if feature == target or feature in exclude:
            continue
        column = col.interpret(name, feature, col.clean(table.column(feature)))
        if isinstance(column, col.Column):
            columns.append(column)
        else:
            told.append(f"column {feature!r} is left out: {column}")
    if not columns:
        raise DataError(f"{name} has no column to learn from beside the target {target!r}.")
    X = np.empty((len(y), len(columns)), dtype=np.float32)
    with np.errstate(over="ignore"):  # what overflows is infinite, and refused below with its row
        for index, column in enumerate(columns):
            X[:, index] = column.values
    return Dataset.from_arrays(
        name,
        X,
        y,
        feature_names=[column.name for column in columns],
        categories={i: c.categories for i, c in enumerate(columns) if c.categories is not None},
        notes=[*told, *_missing_notes(columns)],
    )


def load_features(
    path: str | Path, feature_names: Sequence[str], categories: Mapping[int, tuple[str, ...]]
) -> NDArray[np.float32]:
    """Samples to predict, in the coding of the data that a model learned from.

    Columns are found by name, in any order; others, the target for one, are ignored and logged.
    A category that the model has not seen counts as missing, and so is logged.

    Args:
        path: a table (CSV or Parquet) or an npz archive with ``X``, whose columns go by position.
        feature_names: the d columns of the model.
        categories: column index -> category names, as in `Dataset`.

    Returns:
        Shape (n, d), float32, NaN where a value is missing.

    Raises:
        DataError: the file or a column is missing, or text stands where numbers belong.
    """
    file = existing_file(path)
    if file.suffix == ".npz":
        return npz_features(file, len(feature_names))
    if not file.name.endswith(TABLE_SUFFIXES):
        raise DataError(
            f"{file}: samples to predict are read from {', '.join(TABLE_SUFFIXES)} or .npz files."
        )
    table = read_table(file)
    present = set(table.column_names)
    lacking = [name for name in feature_names if name not in present]
    if lacking:
        close = nearest(lacking[0], present)
        hint = f"did you mean {close!r}?" if close else "add it, empty where it is unknown."
        more = f" ({len(lacking)} columns are missing in all)" if len(lacking) > 1 else ""
        raise DataError(f"{file} has no column {lacking[0]!r}, which the model needs{more}; {hint}")
    extra = sorted(present - set(feature_names))
    if extra:
        log.info("%s: columns the model does not use are ignored: %s", file, _some(extra))
    X = np.empty((table.num_rows, len(feature_names)), dtype=np.float32)
    with np.errstate(over="ignore"):
        for index, feature in enumerate(feature_names):
            column = col.clean(table.column(feature))
            if index in categories:
                X[:, index] = col.known_codes(str(file), feature, column, categories[index])
            else:
                X[:, index] = col.as_numbers(str(file), feature, column)
    return as_features(str(file), X, feature_names)


def _missing_notes(columns: Sequence[col.Column]) -> list[str]:
    missing = [(c, int(np.isnan(c.values).sum())) for c in columns]
    missing = [(c, count) for c, count in missing if count]
    if len(missing) > TOLD_ONE_BY_ONE:
        total = sum(count for _, count in missing)
        return [
            f"{total:,} missing values in {len(missing)} columns are imputed with the training "
            "median (numbers) or belong to no category (text)"
        ]
    return [
        f"{count:,} missing values in {column.name!r} "
        + (
            "are imputed with the training median"
            if column.categories is None
            else "belong to no category"
        )
        for column, count in missing
    ]


def _some(names: Sequence[str]) -> str:
    """Up to ten names, and how many more there are."""
    shown = ", ".join(names[:10])
    return f"{shown} and {len(names) - 10} more" if len(names) > 10 else shown
