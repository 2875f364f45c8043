"""A study's metadata: what hpsearch keeps of it beside its trials, as JSON in attributes.

Anybody can write to a database. Metadata that are not in the shape in which hpsearch writes them
are refused when they are read, so that whoever uses them may rely on it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from hpsearch.data.account import is_account
from hpsearch.errors import StorageError
from hpsearch.shapes import a_count, a_number, each, fits, may_have, or_none

if TYPE_CHECKING:
    from optuna import Study

__all__ = [
    "PREFIX",
    "SIMPLE_MODEL",
    "metadata_errors",
    "metadata_text",
    "read_metadata",
    "write_metadata",
]

PREFIX = "hpsearch:"
"""Attributes of a study that begin so are ours."""

SIMPLE_MODEL: Mapping[str, Any] = {
    "name": str,
    "does": str,
    "short": str,
    "validation": a_number,
    "test": or_none(a_number),
}
"""What is kept of a `Baseline`, with the interval of a difference where there is one."""


def _a_pair(value: object) -> bool:
    return fits(value, [a_number]) and len(value) == 2  # type: ignore[arg-type]


BASELINE = may_have(SIMPLE_MODEL, {"difference": or_none(_a_pair)})

RIVAL: Mapping[str, Any] = {
    "kind": str,
    "name": str,
    "value": or_none(a_number),
    "better": or_none(a_number),
    "interval": or_none(_a_pair),
    "seconds": a_number,
    "cut": str,
}
"""What is kept of a `Rival`."""

RESULT: Mapping[str, Any] = {
    "configuration": dict,
    "validation": a_number,
    "validation_std": or_none(a_number),
    "validation_scores": [a_number],
    "validation_slots": [lambda slot: fits(slot, [a_count]) and len(slot) == 2],
    "seconds": a_number,
    "budget": {"trials": a_count, "seconds": or_none(a_number), "flops": or_none(a_number)},
}

TEST = may_have(
    {
        "test": a_number,
        "test_interval": or_none(_a_pair),
        "test_rows": lambda rows: a_count(rows) and rows > 0,
        "tests": a_count,
        "diverged": bool,
        "model": str,
        "baselines": [BASELINE],
    },
    {"test_also": each(a_number), "threshold": or_none(a_number)},
)
"""What a result has beside, where there are rows to test a winner on."""

STAGE = may_have(
    {
        "kind": str,
        "number": a_count,
        "slots": a_count,
        "epochs": a_count,
        "space": dict,
        "changes": [dict],
    },
    {"note": str, "chosen": [dict], "motives": [or_none(_a_pair)]},
)

EARLIER: Mapping[str, Any] = {
    "configuration": dict,
    "epochs": lambda epochs: a_count(epochs) and epochs > 0,
    "score": or_none(a_number),
}
"""What is kept of a result of an earlier study."""

MEMBER: Mapping[str, Any] = {
    "configuration": dict,
    "epochs": a_count,
    "alone": a_number,
    "together": a_number,
}
ENSEMBLE = may_have(
    {
        "study": str,
        "members": lambda members: fits(members, [may_have(MEMBER, {"kind": str})]) and members,
        "candidates": a_count,
        "raced": bool,
        "unlike": a_count,
        "single_validation": a_number,
        "test": a_number,
        "test_interval": or_none(_a_pair),
        "single_test": a_number,
        "single_test_interval": or_none(_a_pair),
        "test_rows": lambda rows: a_count(rows) and rows > 0,
        "model": str,
    },
    {"difference_interval": or_none(_a_pair), "boosting": bool},
)
"""What is kept of an `Ensemble` and its members."""

SEEN_CLASSES: Mapping[str, Any] = {
    "confusion": or_none(lambda cells: fits(cells, [[a_count]])),
    "curves": [
        {
            "class": a_count,
            "roc_auc": a_number,
            "average_precision": a_number,
            "roc": [[or_none(a_number)]],
            "precision_recall": [[or_none(a_number)]],
        }
    ],
    "calibration": [[a_number]],
}
SEEN_VALUES: Mapping[str, Any] = {
    "predicted": [a_number],
    "true": [a_number],
    "quantiles": [a_number],
}
"""What is kept of the test rows, of classes or of a quantity."""


SHAPES: Mapping[str, Any] = {
    "study file": may_have(
        {
            "data": dict,
            "model": dict,
            "training": {"epochs": a_count},
            "search": {"strategy": str},
        },
        {
            "objective": may_have(
                {},
                {
                    "also": [str],
                    "command": or_none([str]),
                    "resource": or_none({"name": str, "full": a_count, "least": a_count}),
                },
            ),
            "fixed": dict,
        },
    ),
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
        "account": is_account,
        "baselines": [BASELINE],
    },
    "stage": STAGE,
    "prior": [{"study": str, "results": [EARLIER]}],
    "first": {"study": str, "configuration": dict, "left_out": [str]},
    "totals": [a_count],
    "environments": [each(str)],
    "comparison": {
        "name": str,
        "strategy": str,
        "repeat": a_count,
        "strategies": [str],
        "repeats": a_count,
        "budget": str,
        "amount": a_number,
        "begins_as": or_none(str),
    },
    "measure": lambda measure: (
        fits(measure, {"name": str, "bounds": [or_none(a_number)]})
        and measure.get("direction") in ("maximize", "minimize")
        and len(measure["bounds"]) == 2
    ),
    "resource": {"name": str, "full": a_count, "least": a_count},
    "tested": (SEEN_CLASSES, SEEN_VALUES),
    "no winner": str,
    "rivals": [RIVAL],
    "rivals wanted": bool,
    "result": lambda result: (
        fits(result, may_have(RESULT, {"again": a_number}))
        and ("test" not in result or fits(result, TEST))
    ),
    "ensembles": lambda kept: (
        fits(kept, each({"single": str, "ensemble": ENSEMBLE}))
        and all(re.fullmatch(r"-?[0-9]{1,9}", key) for key in kept)
    ),
    "search_cv": {
        "seed": a_count,
        "data": str,
        "estimator": str,
        "splits": str,
        "settings": dict,
    },
}
"""What each has, by the first word of its key or the whole of it; see `fits`."""


def _shape(key: str) -> Any:
    """The shape of the metadata of a key; none is kept that has no shape."""
    return SHAPES[key if key in SHAPES else key.split()[0]]


def write_metadata(study: Study, key: str, value: Any) -> None:
    """Set one of our attributes of a study, unless it already says this."""
    assert _shape(key), "whoever reads it relies on its shape"
    text = metadata_text(value)
    if study.user_attrs.get(PREFIX + key) != text:
        study.set_user_attr(PREFIX + key, text)


def metadata_text(value: Any) -> str:
    """What stands in the attribute."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False)


def read_metadata(study: Study, key: str) -> Any:
    """One of our attributes of a study, or None.

    Raises:
        StorageError: it is not what hpsearch writes there.
    """
    # Optuna's own property copies all attributes, and fails on one that is nested too deeply.
    text = study._storage.get_study_user_attrs(study._study_id).get(PREFIX + key)
    shape = _shape(key)
    if text is None:
        return None
    with metadata_errors(study, key):
        value = json.loads(text, parse_constant=_refuse)
        if not fits(value, shape):
            raise ValueError(f"{key!r} has another shape")
        return value


@contextmanager
def metadata_errors(study: Study, key: str) -> Iterator[None]:
    """Turn what damaged metadata lead to into one sentence.

    Raises:
        StorageError: the block could make nothing of them.
    """
    try:
        yield
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise StorageError(
            f"the metadata of the study {study.study_name!r} are damaged: {PREFIX}{key} is not "
            "what hpsearch writes there; restore the database from a copy, or delete the study "
            "with `hpsearch dashboard --allow-edit`"
        ) from error


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number of JSON")
