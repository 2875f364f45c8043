"""From the many types of Arrow to the few that a column of a table has here."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["is_plain", "is_text", "outline", "plain", "unpacked_size"]


def is_text(kind: Any) -> bool:
    """Whether it is one of Arrow's types of text."""
    tests = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    return any(test(_stored(kind)) for test in tests)


def is_plain(kind: Any) -> bool:
    """Whether `plain` takes it: numbers, text, times, nothing at all, and dictionaries of these."""
    kind = _stored(kind)
    if pa.types.is_dictionary(kind):
        return is_plain(kind.value_type) and not pa.types.is_dictionary(kind.value_type)
    tests = (
        is_text,
        pa.types.is_boolean,
        pa.types.is_integer,
        pa.types.is_floating,
        pa.types.is_decimal,
        pa.types.is_temporal,
        pa.types.is_null,
    )
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
