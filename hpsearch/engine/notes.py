"""Notes on a study: what hpsearch keeps of it beside its trials, each as JSON in an attribute.

Anybody can write to a database. A note that is not in the shape in which hpsearch writes it is
refused when it is read, so that whoever uses one may rely on it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import NoneType
from typing import TYPE_CHECKING, Any

from hpsearch.data.account import ACCOUNT
from hpsearch.errors import SpaceError, StorageError

if TYPE_CHECKING:
    from optuna import Study

__all__ = ["NOTE", "fits", "note_errors", "note_text", "read_note", "write_note"]

NOTE = "hpsearch:"
"""Attributes of a study that begin so are ours."""

NUMBER = (int, float)
LIMIT = (int, float, NoneType)

SHAPES: Mapping[str, Any] = {
    "study file": {
        "data": dict,
        "model": dict,
        "training": {"epochs": int},
        "search": {"strategy": str},
    },
    "data": {
        "name": str,
        "fingerprint": str,
        "rows": int,
        "columns": int,
        "classes": [str],
        "notes": [str],
        "train": int,
        "validation": int,
        "test": int,
        "account?": ACCOUNT,
    },
    "stage": {"name": str, "slots": int, "epochs": int, "space": dict, "changes": [dict]},
    "totals": [int],
    "environments": [dict],
    "fixed": dict,
    "result": {
        "configuration": dict,
        "validation_accuracy": NUMBER,
        "validation_spread": LIMIT,
        "validation_scores": [NUMBER],
        "test_correct": int,
        "test_rows": int,
        "tests": int,
        "seconds": NUMBER,
        "model": str,
        "budget": {"trials": int, "seconds": LIMIT},
    },
}
"""What each note has, by the first word of its key or the whole of it; see `fits`."""


def write_note(study: Study, key: str, value: Any) -> None:
    """Set one of our attributes of a study, unless it already says this."""
    text = note_text(value)
    if study.user_attrs.get(NOTE + key) != text:
        study.set_user_attr(NOTE + key, text)


def note_text(value: Any) -> str:
    """What stands in the attribute of a note."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False)


def read_note(study: Study, key: str) -> Any:
    """One of our attributes of a study, or None.

    Raises:
        StorageError: it is not what hpsearch writes there.
    """
    text = study.user_attrs.get(NOTE + key)
    if text is None:
        return None
    with note_errors(study, key):
        note = json.loads(text, parse_constant=_refuse)
        shape = SHAPES.get(key) or SHAPES.get(key.split()[0], object)
        if not fits(note, shape):
            raise ValueError(f"the note {key!r} has another shape")
        return note


@contextmanager
def note_errors(study: Study, key: str) -> Iterator[None]:
    """Turn what a damaged note leads to into one sentence.

    Raises:
        StorageError: the block could make nothing of the note.
    """
    try:
        yield
    except (KeyError, TypeError, ValueError, SpaceError) as error:
        raise StorageError(
            f"the notes of the study {study.study_name!r} are damaged: {NOTE}{key} is not what "
            "hpsearch writes there; restore the database from a copy, or delete the study with "
            "`hpsearch dashboard --allow-edit`"
        ) from error


def fits(value: object, shape: Any) -> bool:
    """Whether a value has a shape.

    Args:
        value: from JSON.
        shape: a type, or a tuple of types; a list of one shape for a list whose members have it; a
            dictionary for one that has at least these entries, but for those whose names end in a
            question mark, which notes of an older hpsearch lack.

    >>> fits({"a": [1, 2], "b": None}, {"a": [int]}), fits({"a": [1, "2"]}, {"a": [int]})
    (True, False)
    """
    if isinstance(shape, Mapping):
        return isinstance(value, dict) and all(
            fits(value[name], inner) if (name := key.rstrip("?")) in value else name != key
            for key, inner in shape.items()
        )
    if isinstance(shape, list):
        return isinstance(value, list) and all(fits(member, shape[0]) for member in value)
    return isinstance(value, shape)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number of JSON")
