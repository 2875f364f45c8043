"""The study file that a study's recommendations ask for."""

from __future__ import annotations

import copy
import json
import os
import re
import textwrap
from collections.abc import Container, Iterable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from hpsearch.advice.recommendations import Change
from hpsearch.study_file import StudyFile
from hpsearch.study_file.template import toml_key, toml_value
from hpsearch.writing import written_out

__all__ = ["next_study", "study_toml"]


def next_study(
    study: StudyFile, changes: Iterable[Change], *, taken: Container[str] = ()
) -> tuple[StudyFile, tuple[Change, ...]]:
    """A study file with some settings changed, under a name of its own.

    What the study tried first is left out: it has been tried, and would widen what was narrowed.

    Args:
        study: the file that was run.
        changes: what to change; of two that change one setting the first counts, and one that makes
            no sense beside those before it is left out.
        taken: names that other studies have.

    Returns:
        The file, and the changes that it has; named NAME-2, or what number comes next.
    """
    said: dict[str, Any] = study.model_dump(mode="json", exclude_defaults=True)
    said.pop("first", None)
    said["name"] = next_name(study.name)
    while said["name"] in taken:
        said["name"] = next_name(said["name"])
    made = StudyFile.model_validate_json(json.dumps(said))
    applied: dict[tuple[str, str], Change] = {}
    for change in changes:
        if (change.section, change.key) in applied:
            continue
        tried = copy.deepcopy(said)
        table = tried.setdefault(change.section, {})
        table[change.key] = _conditioned(change.value, table.get(change.key))
        try:
            made = StudyFile.model_validate_json(json.dumps(tried))
        except ValidationError:
            continue
        said = tried
        applied[change.section, change.key] = change
    return made, tuple(applied.values())


def _conditioned(value: Any, before: Any) -> Any:
    """A new range or list of choices, under the condition that the setting had."""
    if isinstance(value, dict) and isinstance(before, dict) and before.get("when"):
        return value | {"when": before["when"]}
    return value


def next_name(name: str) -> str:
    """The name of the study after this one; dates and the like are no numbers of studies.

    >>> next_name("digits"), next_name("wine9-2"), next_name("run-2026-11-24")
    ('digits-2', 'wine9-3', 'run-2026-11-24-2')
    """
    found = re.fullmatch(r"(.+)-([2-9]|[1-9][0-9])", name)
    if found and not re.search(r"-[0-9]+$", found[1]):
        return f"{found[1]}-{int(found[2]) + 1}"
    return f"{name}-2"


def study_toml(
    study: StudyFile,
    changes: Iterable[Change] = (),
    comments: Iterable[str] = (),
    *,
    folder: Path | None = None,
) -> str:
    """A study file as text: what differs from the defaults, and what was changed.

    Args:
        study: the file.
        changes: settings to write also where they have become the default.
        comments: paragraphs to stand above it.
        folder: where the text will lie, from which relative places in it are taken; None for here.
    """
    said = study.model_dump(mode="json", exclude_defaults=True)
    for change in changes:
        said.setdefault(change.section, {}).setdefault(change.key, change.value)
    for key in ("path", "validation_path", "test_path", "folder"):
        for table in ("data", "objective"):
            if folder is not None and (place := said.get(table, {}).get(key)) is not None:
                said[table][key] = os.path.relpath(place, folder)
    paragraphs = [
        textwrap.fill(written_out(text), 98, initial_indent="# ", subsequent_indent="#   ")
        for text in comments
    ]
    top = {key: value for key, value in said.items() if not isinstance(value, dict)}
    tables = {key: value for key, value in said.items() if isinstance(value, dict) and value}
    blocks = [_lines(top), *(f"[{name}]\n{_lines(table)}" for name, table in tables.items())]
    return "\n\n".join(["\n".join(paragraphs), *blocks] if paragraphs else blocks) + "\n"


def _lines(table: dict[str, Any]) -> str:
    given = {key: value for key, value in table.items() if value is not None}
    return "\n".join(f"{toml_key(key)} = {_written(key, value)}" for key, value in given.items())


def _written(key: str, value: Any) -> str:
    """A value; a list that is too long for a line, such as a command, has one for each item."""
    text = toml_value(value)
    if len(key) + len(text) <= 95 or not isinstance(value, list):
        return text
    return "\n".join(["[", *(f"    {toml_value(item)}," for item in value), "]"])
