"""Notes on a study: what hpsearch keeps of it beside its trials, each as JSON in an attribute.

Anybody can write to a database. A note that is not in the shape in which hpsearch writes it is
refused when it is read, so that whoever uses one may rely on it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from hpsearch.data.account import ACCOUNT
from hpsearch.errors import StorageError
from hpsearch.shapes import a_count, a_number, fits, or_none

if TYPE_CHECKING:
    from optuna import Study

__all__ = ["NOTE", "note_errors", "note_text", "read_note", "write_note"]

NOTE = "hpsearch:"
"""Attributes of a study that begin so are ours."""

RESULT: Mapping[str, Any] = {
    "configuration": dict,
    "validation_accuracy": a_number,
    "validation_spread": or_none(a_number),
    "validation_scores": [a_number],
    "test_correct": a_count,
    "test_rows": lambda rows: a_count(rows) and rows > 0,
    "tests": a_count,
    "seconds": a_number,
    "model": str,
    "budget": {"trials": a_count, "seconds": or_none(a_number)},
}


def _a_result(note: Any) -> bool:
    return (
        fits(note, RESULT)
        and note["test_correct"] <= note["test_rows"]
        and all(fits(s, [a_count]) and len(s) == 2 for s in note.get("validation_slots", ()))
    )


SHAPES: Mapping[str, Any] = {
    "study file": {
        "data": dict,
        "model": dict,
        "training": {"epochs": a_count},
        "search": {"strategy": str},
    },
    "data": {
        "name": str,
        "fingerprint": str,
        "rows": a_count,
        "columns": a_count,
        "classes": [str],
        "notes": [str],
        "train": a_count,
        "validation": a_count,
        "test": a_count,
        "account?": ACCOUNT,
    },
    "stage": {"name": str, "slots": a_count, "epochs": a_count, "space": dict, "changes": [dict]},
    "totals": [a_count],
    "environments": [dict],
    "fixed": dict,
    "no winner": str,
    "result": _a_result,
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
    # Optuna's own property copies all attributes, and fails on one that is nested too deeply.
    text = study._storage.get_study_user_attrs(study._study_id).get(NOTE + key)
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
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise StorageError(
            f"the notes of the study {study.study_name!r} are damaged: {NOTE}{key} is not what "
            "hpsearch writes there; restore the database from a copy, or delete the study with "
            "`hpsearch dashboard --allow-edit`"
        ) from error


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number of JSON")
