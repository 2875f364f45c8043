"""The study file that a study's points ask for."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from hpsearch.study_file import StudyFile

if TYPE_CHECKING:
    from hpsearch.advice.points import Edit

__all__ = ["next_study", "study_toml"]


def next_study(study: StudyFile, edits: Iterable[Edit]) -> StudyFile:
    """A study file with some settings changed, under a name of its own.

    Args:
        study: the file that was run.
        edits: what to change; one that makes no sense beside the others is left out.

    Returns:
        The file, named NAME-2, or one more where the name has a number already.
    """
    said: dict[str, Any] = study.model_dump(mode="json", exclude_defaults=True)
    said["name"] = next_name(study.name)
    made = StudyFile.model_validate_json(_json(said))
    for edit in edits:
        tried = copy.deepcopy(said)
        tried.setdefault(edit.section, {})[edit.key] = edit.value
        try:
            made = StudyFile.model_validate_json(_json(tried))
        except ValidationError:
            continue
        said = tried
    return made


def next_name(name: str) -> str:
    """The name of the study after this one.

    >>> next_name("digits"), next_name("digits-2"), next_name("compare-9x")
    ('digits-2', 'digits-3', 'compare-9x-2')
    """
    stem, dash, number = name.rpartition("-")
    if dash and number.isdigit():
        return f"{stem}-{int(number) + 1}"
    return f"{name}-2"


def study_toml(study: StudyFile, comments: Iterable[str] = ()) -> str:
    """A study file as text: what differs from the defaults, under the reasons for it.

    Args:
        study: the file.
        comments: lines to stand above it.
    """
    import tomli_w

    said = study.model_dump(mode="json", exclude_defaults=True)
    head = "".join(f"# {' '.join(line.split())}\n" for line in comments)
    return f"{head}\n{tomli_w.dumps(_bare(said))}" if head else tomli_w.dumps(_bare(said))


def _bare(value: Any) -> Any:
    """Without what is None, for which TOML has no word, and without empty tables."""
    if isinstance(value, dict):
        kept = {key: _bare(inner) for key, inner in value.items() if inner is not None}
        return {key: inner for key, inner in kept.items() if inner != {}}
    return value


def _json(said: dict[str, Any]) -> str:
    import json

    return json.dumps(said)
