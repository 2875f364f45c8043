"""What a table's columns mean: numbers, categories, or nothing that a network can use."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hpsearch.data.dataset import LONGEST_NAME
from hpsearch.errors import DataError, shown

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Column", "as_numbers", "clean", "interpret", "known_codes", "labels"]

log = logging.getLogger(__name__)

MISSING = ("", "?", "NA", "N/A", "n/a", "<NA>", "NaN", "nan", "null", "NULL")
NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$|^[+-]?(?i:nan|inf|infinity)$"
DECIMAL_COMMA = r"^[+-]?\d+,\d+$"
INTEGER = r"^[+-]?\d{1,18}$"
MAX_CATEGORIES = 1_000


@dataclass(frozen=True, eq=False)
class Column:
    """A usable column: its values, NaN where missing; indices of ``categories`` if it has any."""

    name: str
    values: NDArray[np.float64]
    categories: tuple[str, ...] | None = None


def clean(column: Any) -> Any:
    """The column with text trimmed and the usual words for a missing value as nulls."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(column.type):
        text = column.cast(column.type.value_type).cast(pa.string())
        return clean(text).dictionary_encode()
    if pa.types.is_large_string(column.type) or pa.types.is_string_view(column.type):
        column = column.cast(pa.string())
    if not pa.types.is_string(column.type):
        return column
    trimmed = pc.utf8_trim_whitespace(column)
    missing = pc.is_in(trimmed, value_set=pa.array(MISSING))
    return pc.if_else(missing, pa.scalar(None, pa.string()), trimmed)


def interpret(name: str, feature: str, column: Any) -> Column | str:
    """The column as numbers or categories, or the reason to leave it out."""
    import pyarrow as pa

    present = len(column) - column.null_count
    if feature == "" or feature.startswith("__index_level_"):
        return "it has no name and is taken for a row number"
    kind = column.type
    if present == 0 and not pa.types.is_nested(kind):
        return "it has no value"
    if pa.types.is_dictionary(kind):
        return _categorical(feature, column, present)
    if pa.types.is_string(kind):
        numbers = _parse(name, feature, column)
        if numbers is not None:
            return Column(feature, numbers)
        return _categorical(feature, column.dictionary_encode(), present)
    if _is_number(kind):
        return Column(feature, _as_float(column))
    return f"its type, {kind}, is neither number nor text"


def _is_number(kind: Any) -> bool:
    import pyarrow as pa

    tests = (pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
    return any(test(kind) for test in tests)


def _as_float(column: Any) -> NDArray[np.float64]:
    import pyarrow as pa

    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    values = column.cast(pa.float64(), safe=False).to_numpy()
    return np.asarray(values, dtype=np.float64)


def _parse(name: str, feature: str, text: Any) -> NDArray[np.float64] | None:
    """Text as numbers; None when it is not meant as numbers.

    Raises:
        DataError: more than half of the cells are numbers, so the rest is taken for slips.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        return _as_float(text)
    except pa.ArrowInvalid:
        pass
    truth = pc.utf8_lower(text)
    if pc.all(pc.is_in(truth, value_set=pa.array(["true", "false", None]))).as_py():
        return _as_float(pc.equal(truth, "true"))
    present = len(text) - text.null_count
    for pattern, slip in ((NUMBER, "is not a number"), (DECIMAL_COMMA, "")):
        matches = pc.match_substring_regex(text, pattern)
        share = pc.sum(matches).as_py() / present
        if share <= 0.5:
            continue
        if not slip:
            raise DataError(
                f"{name}: column {feature!r} writes numbers with a decimal comma; "
                "write them with a point."
            )
        row = pc.index(matches, False).as_py()
        raise DataError(
            f"{name}: column {feature!r}, row {row + 1}: {shown(text[row].as_py())} {slip}, and "
            f"{share:.0%} of the column are; correct it, or leave the cell empty if it is missing."
        )
    return None


def as_numbers(name: str, feature: str, column: Any) -> NDArray[np.float64]:
    """A column that must hold numbers.

    Raises:
        DataError: it does not; the message shows the first cell that is none.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(column.type):
        column = column.cast(pa.string())
    if not pa.types.is_string(column.type):
        if _is_number(column.type) or pa.types.is_null(column.type):
            return _as_float(column)
        raise DataError(
            f"{name}: column {feature!r} is of type {column.type}, and the model needs "
            "numbers there."
        )
    if column.null_count == len(column):
        return np.full(len(column), np.nan)
    numbers = _parse(name, feature, column)
    if numbers is None:
        row = pc.index(pc.match_substring_regex(column, NUMBER), False).as_py()
        raise DataError(
            f"{name}: column {feature!r}, row {row + 1}: {shown(column[row].as_py())} is not a "
            "number, and the model needs numbers there."
        )
    return numbers


def _categorical(feature: str, column: Any, present: int) -> Column | str:
    """A dictionary-encoded column as codes of its sorted categories, unless they are too many."""
    combined = column.combine_chunks()
    names = combined.dictionary.to_pylist()
    if len(names) >= 10 and len(names) > 0.9 * present:
        return f"{len(names)} distinct texts in {present} rows look like an identifier"
    if len(names) > MAX_CATEGORIES:
        return f"{len(names):,} categories are more than {MAX_CATEGORIES:,}"
    longest = max(map(len, names))
    if longest > LONGEST_NAME:
        return f"texts of up to {longest:,} characters are no categories"
    order = sorted(range(len(names)), key=names.__getitem__)
    rank = np.empty(len(names), dtype=np.float64)
    rank[order] = np.arange(len(names))
    indices = combined.indices.cast("float64").to_numpy(zero_copy_only=False)
    missing = np.isnan(indices)
    values = rank[np.where(missing, 0, indices).astype(np.int64)]
    values[missing] = np.nan
    return Column(feature, values, tuple(names[i] for i in order))


def known_codes(
    name: str, feature: str, column: Any, categories: tuple[str, ...]
) -> NDArray[np.float64]:
    """Codes of the model's categories; NaN where a value is missing or unknown to the model."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        text = column.cast(pa.string())
    except pa.ArrowException as error:
        raise DataError(
            f"{name}: column {feature!r} is of type {column.type}, and the model needs text there."
        ) from error
    codes = pc.index_in(text, value_set=pa.array(categories, pa.string()))
    unknown = codes.null_count - text.null_count
    if unknown:
        log.info("%s: %d values of %r are new to the model: missing", name, unknown, feature)
    return _as_float(codes)


def labels(name: str, target: str, column: Any) -> NDArray[Any]:
    """The target column as integers, floats or text, whichever fits first."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if len(column) == 0:
        raise DataError(f"{name}: the target {target!r} has no value in any row.")
    kind = column.type
    if pa.types.is_integer(kind):
        return np.asarray(column.to_numpy())
    if _is_number(kind) and not pa.types.is_boolean(kind):
        return _as_float(column)
    if not (pa.types.is_dictionary(kind) or pa.types.is_string(kind) or pa.types.is_boolean(kind)):
        raise DataError(
            f"{name}: the target {target!r} is of type {kind}; classes are integers or text."
        )
    text = column.cast(pa.string())
    if pc.all(pc.match_substring_regex(text, INTEGER)).as_py():
        return np.asarray(text.cast(pa.int64()).to_numpy())
    if pc.all(pc.match_substring_regex(text, NUMBER)).as_py():
        return _as_float(text)
    encoded = text.dictionary_encode().combine_chunks()
    # Rows that have one label share its text: an array of fixed width would repeat the longest.
    names = np.array([*encoded.dictionary.to_pylist(), ""], dtype=object)[:-1]
    return np.asarray(names[encoded.indices.to_numpy()])
