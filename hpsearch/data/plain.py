"""From the many types of Arrow to the few that a column of a table has here, and its cells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hpsearch.data.account import MISSING

__all__ = [
    "HEAD",
    "Coded",
    "as_days",
    "as_float",
    "clean",
    "is_number",
    "is_plain",
    "is_text",
    "outline",
    "plain",
    "trimmed",
    "unlike",
    "unpacked_size",
    "words_for_missing",
]

HEAD = 1 << 20
"""Cells; where half of the first so many differ, to tell all apart takes more than they do."""


def is_text(kind: Any) -> bool:
    """Whether it is one of Arrow's types of text."""
    tests = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    return any(test(_stored(kind)) for test in tests)


def is_number(kind: Any) -> bool:
    """Whether it is one of Arrow's types of numbers, truth values among them."""
    tests = (pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
    return any(test(kind) for test in tests)


def is_plain(kind: Any) -> bool:
    """Whether `plain` takes it: numbers, text, times, nothing at all, and dictionaries of these."""
    kind = _stored(kind)
    if pa.types.is_dictionary(kind):
        return is_plain(kind.value_type) and not pa.types.is_dictionary(kind.value_type)
    tests = (is_text, is_number, pa.types.is_temporal, pa.types.is_null)
    return any(test(kind) for test in tests) and not pa.types.is_interval(kind)


def outline(kind: Any) -> Any:
    """A type that stands for one that is not plain, and of which a null takes next to nothing."""
    kind = _stored(kind)
    if pa.types.is_struct(kind):
        return pa.struct([])
    return pa.list_(pa.null()) if pa.types.is_nested(kind) else pa.binary()


def unpacked_size(column: Any) -> int:
    """The bytes of a plain array once each row has its own text."""
    column = _storage(column)
    if not pa.types.is_dictionary(column.type) or not is_text(column.type.value_type):
        return int(column.nbytes)
    lengths = pc.binary_length(column.dictionary).cast(pa.int64())
    return int(column.nbytes) + (pc.sum(lengths.take(column.indices)).as_py() or 0)


def plain(column: Any, *, is_category: bool) -> Any:
    """An array whose type is plain as boolean, integer, float32, float64, string, time or null.

    Args:
        column: an Arrow array.
        is_category: keep a dictionary of text as that, since whoever wrote it called it so.

    Raises:
        ArrowInvalid: a text is not UTF-8.
    """
    column = _storage(column)
    if pa.types.is_dictionary(column.type):
        texts = plain(column.dictionary, is_category=False)
        if is_category and pa.types.is_string(texts.type):
            return pa.DictionaryArray.from_arrays(column.indices.cast(pa.int32()), texts)
        return texts.take(column.indices)
    if is_text(column.type):
        column.validate(full=True)
        return column.cast(pa.string())
    if pa.types.is_decimal(column.type):
        return column.cast(pa.float64(), safe=False)
    return column.cast(pa.float32()) if pa.types.is_float16(column.type) else column


def _stored(kind: Any) -> Any:
    return kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind


def _storage(column: Any) -> Any:
    return column.storage if isinstance(column.type, pa.BaseExtensionType) else column


def clean(column: Any) -> Any:
    """The column with text trimmed and the usual words for a missing value as nulls."""
    if pa.types.is_dictionary(column.type):
        return clean(column.cast(column.type.value_type).cast(pa.string())).dictionary_encode()
    text = trimmed(column)
    if not pa.types.is_string(text.type):
        return text

    def without_missing(chunk: Any) -> Any:
        lengths, letters = _content(chunk)
        if not (_MARKS & set(np.flatnonzero(np.bincount(letters, minlength=256)).tolist())):
            return chunk if lengths.all() else _null_where(chunk, lengths == 0)
        missing = pc.is_in(chunk, value_set=pa.array(MISSING))
        if not pc.any(missing).as_py():
            return chunk
        return pc.if_else(missing, pa.scalar(None, pa.string()), chunk)

    return _by_chunk(without_missing, text)


_MARKS = {ord(mark) for mark in "?Nn"}
"""One of these is in every word of `MISSING` but the empty one."""


def _content(chunk: Any) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """The bytes that each text of an array has, and all of them in a row."""
    _, offsets, letters = chunk.buffers()
    ends = np.frombuffer(offsets, np.int32)[chunk.offset : chunk.offset + len(chunk) + 1]
    if letters is None:
        return np.diff(ends), np.empty(0, np.uint8)
    return np.diff(ends), np.frombuffer(letters, np.uint8)[ends[0] : ends[-1]]


def _null_where(chunk: Any, null: NDArray[np.bool_]) -> Any:
    """The same texts, some of them null, without a copy of them."""
    there = ~null & np.asarray(chunk.is_valid())
    validity = pa.py_buffer(np.packbits(there, bitorder="little"))
    _, offsets, letters = chunk.buffers()
    places = offsets.slice(4 * chunk.offset, 4 * (len(chunk) + 1))
    return pa.StringArray.from_buffers(len(chunk), places, letters, validity)


def trimmed(column: Any) -> Any:
    """Text of any type as plain, trimmed text; other columns as they are."""
    if pa.types.is_large_string(column.type) or pa.types.is_string_view(column.type):
        column = column.cast(pa.string())
    if not pa.types.is_string(column.type):
        return column

    def trim(chunk: Any) -> Any:
        _, letters = _content(chunk)
        if not len(letters) or (letters.min() > ord(" ") and letters.max() < 128):
            return chunk
        shorter = pc.utf8_trim_whitespace(chunk)
        same = pc.sum(pc.binary_length(chunk)) == pc.sum(pc.binary_length(shorter))
        return chunk if same else shorter

    return _by_chunk(trim, column)


def _by_chunk(change: Callable[[Any], Any], text: Any) -> Any:
    """Text after a change that leaves most chunks as they are: these are shared, not copied."""
    if not isinstance(text, pa.ChunkedArray):
        return change(text) if len(text) else text
    return pa.chunked_array([change(c) if len(c) else c for c in text.chunks], text.type)


def words_for_missing(column: Any) -> dict[str, int]:
    """The words in a column of text that are read as missing, and in how many cells."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    text = trimmed(column)
    if not pa.types.is_string(text.type):
        return {}
    words = text.filter(pc.is_in(text, value_set=pa.array([w for w in MISSING if w])))
    return {found["values"]: found["counts"] for found in pc.value_counts(words).to_pylist()}


def as_float(column: Any) -> NDArray[np.float64]:
    """Numbers, or text of plain numbers; NaN where a cell is null."""
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    values = column.cast(pa.float64(), safe=False).to_numpy()
    return np.asarray(values, dtype=np.float64)


def as_days(column: Any) -> NDArray[np.float64]:
    """Durations as days; NaN where a cell is null."""
    seconds: NDArray[np.float64] = as_float(
        column.cast(pa.duration("us"), safe=False).cast("int64")
    )
    return seconds / 86_400e6


def unlike(column: Any) -> int:
    """How many of the first `HEAD` texts differ, where it is more than half of them; else 0."""
    if len(column) <= HEAD:
        return 0
    head = column.slice(0, HEAD).drop_null()
    count: int = pc.count_distinct(head).as_py()
    return count if count > HEAD / 2 else 0


@dataclass(frozen=True, eq=False)
class Coded:
    """Cells as texts, and for each cell the index of its text.

    Args:
        texts: an Arrow array, of one chunk or several, without nulls.
        codes: shape (cells,), integers; -1 where a cell has no text.
    """

    texts: Any
    codes: NDArray[np.signedinteger[Any]]

    @classmethod
    def of(cls, column: Any) -> Coded:
        """Each distinct text once."""
        if not pa.types.is_dictionary(column.type):
            column = column.dictionary_encode()
        coded = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        return cls(coded.dictionary, np.asarray(pc.fill_null(coded.indices, -1)))

    @classmethod
    def each(cls, column: Any) -> Coded:
        """The text of each cell, where most differ: a table of them would take ten times more."""
        there = np.asarray(column.is_valid())
        places = np.cumsum(there, dtype=np.int32) - np.int32(1)
        return cls(pc.drop_null(column), np.where(there, places, np.int32(-1)))

    def spread(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The value of each cell's text; NaN where it has none."""
        if len(values) == 0:
            return np.full(len(self.codes), np.nan)
        spread: NDArray[np.float64] = values[self.codes]
        spread[self.codes < 0] = np.nan
        return spread
