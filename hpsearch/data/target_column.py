"""Reading the target column of a table: which rows have a label, and what their labels are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hpsearch.data.account import MISSING_LABEL
from hpsearch.data.formats import NUMBER
from hpsearch.data.formats import as_numbers as numbers_of
from hpsearch.data.plain import HEAD, Coded, as_float, is_number, trimmed, unlike
from hpsearch.data.target import nature_of, refuse_identifier
from hpsearch.errors import DataError, UnknownNameError, shown
from hpsearch.metrics import Task

__all__ = ["Labels", "read_labels"]

INTEGER = r"^[+-]?\d{1,18}$"
DIGITS = r"^\d+$"
CODE = r"^0\d+$"


@dataclass(frozen=True, eq=False)
class Labels:
    """The target column.

    Args:
        values: the labels that are there, in the order of the rows: text, integers or floats.
        there: which rows have one, shape (n,).
        dropped: reason -> how many rows have none.
        remarks: what to ask about.
    """

    values: NDArray[Any]
    there: NDArray[np.bool_]
    dropped: dict[str, int]
    remarks: tuple[str, ...]


def read_labels(
    name: str, target: str, column: Any, missing: Sequence[str], task: Task | None
) -> Labels:
    """The target column as integers, floats or text, whichever fits first.

    A cell without a label has none. A word that reads as missing, such as NA, means that beside a
    quantity; it may also be the name of a class, and is one where several rows have it.

    Args:
        name: the data set, for messages.
        target: the column's name.
        column: its cells.
        missing: labels that mean that the label is missing.
        task: what it is; None to decide by what it holds.

    Raises:
        DataError: no row has a label, its type is not one of labels, or a quantity is asked for and
            is none.
        UnknownNameError: no row has a label that is said to mean missing.
    """
    column = _label_cells(name, target, column)
    text = column.cast(pa.string())
    said = pa.array([*missing, *MISSING_LABEL], pa.string())
    asked = pc.or_(pc.is_in(text, said), pc.is_in(pc.utf8_lower(text), said))
    counted = pc.value_counts(text.filter(asked))
    counts = {found["values"]: found["counts"] for found in counted.to_pylist()}
    dropped = {f"without a label in {target!r}": text.null_count}
    for word in dict.fromkeys(missing):
        if word not in counts:
            known = sorted(pc.unique(text.slice(0, HEAD)).drop_null().to_pylist())
            raise UnknownNameError("label in [data] missing_labels:", word, known)
        reason = f"without a label: {word!r} means that it is missing ([data] missing_labels)"
        dropped[reason] = counts.pop(word)
    words = [word for word in counts if word.lower() in MISSING_LABEL]
    certain = pc.and_(
        text.is_valid(), pc.invert(pc.is_in(text, pa.array([*missing, *words], pa.string())))
    )
    if not pc.any(certain).as_py() and not words:
        raise DataError(f"{name}: the target {target!r} has no value in any row.")
    quantity = None
    if task != "classification":
        quantity = _quantity(name, target, column.filter(certain), task)
    alone = [word for word in words if counts[word] == 1 and pa.types.is_string(column.type)]
    gone = words if quantity is not None else alone
    for word in gone:
        dropped[f"without a label: {word!r} reads as missing"] = counts.pop(word)
    classes = [word for word in words if word in counts]
    remarks = tuple(
        f"{counts[word]:,} rows have the label {word!r}, kept as a class; if it means that the "
        f"label is missing, say so: [data] missing_labels = [{json.dumps(word)}]"
        for word in classes
    )
    there = pc.and_(
        text.is_valid(), pc.invert(pc.is_in(text, pa.array([*missing, *gone], pa.string())))
    )
    kept = column.filter(there)
    if len(kept) == 0:
        raise DataError(f"{name}: the target {target!r} has no value in any row.")
    if quantity is not None:
        values = quantity
    elif is_number(kept.type) and not pa.types.is_boolean(kept.type):
        values = np.asarray(kept.to_numpy()) if pa.types.is_integer(kept.type) else as_float(kept)
    else:
        values = _text_labels(name, kept.cast(pa.string()))
    mask = np.asarray(there.to_numpy())
    return Labels(values, mask, {why: n for why, n in dropped.items() if n}, remarks)


def _label_cells(name: str, target: str, column: Any) -> Any:
    """The target's cells as text, numbers or truth values, null where there is no label."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
    column = trimmed(column.cast(pa.string()) if pa.types.is_date(column.type) else column)
    if pa.types.is_string(column.type):
        return pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)
    if pa.types.is_floating(column.type):
        return pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    if pa.types.is_null(kind) or is_number(column.type):
        return column
    raise DataError(
        f"{name}: the target {target!r} is of type {kind}; classes are integers, dates or text."
    )


def _quantity(name: str, target: str, column: Any, task: Task | None) -> NDArray[np.float64] | None:
    """The target as a quantity, if it is one: as it is asked for, or by what it holds.

    Args:
        name: the data set, for messages.
        target: the column's name.
        column: its cells, without those that are, or may mean, missing.
        task: "regression", or None.
    """
    values: NDArray[np.float64] | None = None
    if is_number(column.type):
        if not pa.types.is_boolean(column.type) or task == "regression":
            values = np.asarray(as_float(column), np.float64)
    elif not pa.types.is_null(column.type):
        values = _numbers(column)
    if task == "regression":
        if values is None or len(values) == 0:
            odd = _no_number(column)
            raise DataError(
                f"{name}: a regression needs a target of numbers, and {target!r} has {odd}; "
                'correct it, name another target, or set task = "classification".'
            )
        return values
    if values is None or len(values) == 0 or nature_of(values).task == "classification":
        return None
    return values


def _numbers(text: Any) -> NDArray[np.float64] | None:
    """Cells of text as numbers, also as people write them; None where one is none."""
    if pc.any(pc.match_substring_regex(text, CODE)).as_py():  # 01 is another class than 1
        return None
    if pc.all(pc.match_substring_regex(text, NUMBER)).as_py():
        return np.asarray(text.cast(pa.float64()).to_numpy(), np.float64)
    differ = unlike(text)
    if differ and numbers_of(text.slice(0, HEAD).combine_chunks()) is None:
        return None
    coded = Coded.each(text) if differ else Coded.of(text)
    numbers = numbers_of(coded.texts)
    return None if numbers is None else np.asarray(coded.spread(numbers.values), np.float64)


def _no_number(column: Any) -> str:
    if len(column) == 0:
        return "no value"
    plain = pc.match_substring_regex(column.cast(pa.string()), NUMBER)
    row = pc.index(plain.combine_chunks(), pa.scalar(False)).as_py()
    return shown(column[max(row, 0)].as_py())


def _text_labels(name: str, text: Any) -> NDArray[Any]:
    """Labels as whole numbers or numbers where all of the text is, else as they are written.

    Args:
        name: the data set, for messages.
        text: the labels, without nulls.
    """
    codes = pc.any(pc.match_substring_regex(text, CODE)).as_py()
    if not codes:
        for pattern, kind in ((INTEGER, pa.int64()), (DIGITS, pa.uint64()), (NUMBER, pa.float64())):
            if pc.all(pc.match_substring_regex(text, pattern)).as_py():
                try:
                    return np.asarray(text.cast(kind).to_numpy())
                except pa.ArrowInvalid:
                    break  # more than 64 bits, and a float would make one of neighbours
    if differ := unlike(text):
        refuse_identifier(f"{name}, first {HEAD:,} rows with a label", differ, HEAD)
    encoded = text.dictionary_encode().combine_chunks()
    refuse_identifier(name, len(encoded.dictionary), len(text))
    # Rows that have one label share its text: an array of fixed width would repeat the longest.
    names = np.array([*encoded.dictionary.to_pylist(), ""], dtype=object)[:-1]
    return np.asarray(names[encoded.indices.to_numpy()])
