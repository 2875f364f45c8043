"""The shape of what was read as JSON: files and databases may hold anything."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any, TypeGuard

__all__ = ["a_count", "a_number", "each", "fits", "may_have", "or_none"]


def fits(value: object, shape: Any) -> bool:
    """Whether a value has a shape.

    Args:
        value: from JSON.
        shape: a type (True and False are no integers); a function that says whether a value fits; a
            tuple of shapes, of which it has one; a list of one shape for a list whose members have
            it; a dictionary for one that has at least these entries.

    >>> fits({"a": [1, 2], "b": None}, {"a": [int]}), fits({"a": [1, "2"]}, {"a": [int]})
    (True, False)
    """
    if isinstance(shape, Mapping):
        return isinstance(value, dict) and all(
            key in value and fits(value[key], inner) for key, inner in shape.items()
        )
    if isinstance(shape, list):
        return isinstance(value, list) and all(fits(member, shape[0]) for member in value)
    if isinstance(shape, tuple):
        return any(fits(value, one) for one in shape)
    if isinstance(shape, type):
        return isinstance(value, shape) and (shape is bool or not isinstance(value, bool))
    return bool(shape(value))


def a_number(value: object) -> TypeGuard[int | float]:
    """Whether it is finite, also as a float."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _MOST


def a_count(value: object) -> bool:
    """Whether it is a whole number from 0 to what a database keeps."""
    return fits(value, int) and 0 <= value < 2**63  # type: ignore[operator]


def or_none(shape: Any) -> Callable[[object], bool]:
    """The shape of what may be missing."""
    return lambda value: value is None or fits(value, shape)


def each(shape: Any) -> Callable[[object], bool]:
    """The shape of a dictionary whose entries all have one shape.

    >>> fits({"loss": 0.5, "mae": 1}, each(a_number)), fits({"loss": "low"}, each(a_number))
    (True, False)
    """
    return lambda value: (
        isinstance(value, dict) and all(fits(inner, shape) for inner in value.values())
    )


def may_have(shape: Any, more: Mapping[str, Any]) -> Callable[[object], bool]:
    """The shape of a dictionary that may lack some entries, as an older one does.

    Args:
        shape: what it has.
        more: what it may have beside.

    >>> shape = may_have({"name": str}, {"note": str})
    >>> fits({"name": "a"}, shape), fits({"name": "a", "note": 1}, shape)
    (True, False)
    """
    return lambda value: (
        fits(value, shape)
        and isinstance(value, dict)
        and all(fits(value[key], inner) for key, inner in more.items() if key in value)
    )


_MOST = sys.float_info.max
