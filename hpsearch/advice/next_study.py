"""The study file that a study's points ask for."""

from __future__ import annotations

import copy
import json
import re
import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from hpsearch.study_file import StudyFile

if TYPE_CHECKING:
    from hpsearch.advice.points import Edit

__all__ = ["next_study", "study_toml", "toml_value"]


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
    made = StudyFile.model_validate_json(json.dumps(said))
    for edit in edits:
        tried = copy.deepcopy(said)
        tried.setdefault(edit.section, {})[edit.key] = edit.value
        try:
            made = StudyFile.model_validate_json(json.dumps(tried))
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


def study_toml(study: StudyFile, edits: Iterable[Edit] = (), comments: Iterable[str] = ()) -> str:
    """A study file as text: what differs from the defaults, and what was changed.

    Args:
        study: the file.
        edits: settings to write also where they have become the default.
        comments: paragraphs to stand above it.
    """
    said = study.model_dump(mode="json", exclude_defaults=True)
    for edit in edits:
        said.setdefault(edit.section, {}).setdefault(edit.key, edit.value)
    paragraphs = [
        textwrap.fill(text, 98, initial_indent="# ", subsequent_indent="#   ") for text in comments
    ]
    top = {key: value for key, value in said.items() if not isinstance(value, dict)}
    tables = {key: value for key, value in said.items() if isinstance(value, dict) and value}
    blocks = [_lines(top), *(f"[{name}]\n{_lines(table)}" for name, table in tables.items())]
    return "\n\n".join(["\n".join(paragraphs), *blocks] if paragraphs else blocks) + "\n"


def _lines(table: dict[str, Any]) -> str:
    return "\n".join(
        f"{_key(key)} = {toml_value(value)}" for key, value in table.items() if value is not None
    )


def toml_value(value: Any) -> str:
    """A setting on one line, as study files are written by hand.

    >>> toml_value({"low": 0.1, "high": 1.0, "log": True}), toml_value(["relu", 3])
    ('{ low = 0.1, high = 1.0, log = true }', '["relu", 3]')
    """
    if isinstance(value, dict):
        inner = ", ".join(
            f"{_key(key)} = {toml_value(part)}" for key, part in value.items() if part is not None
        )
        return f"{{ {inner} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml_value, value))}]"
    # JSON's strings, numbers and truth values are TOML's too, but for one control character.
    return json.dumps(value, ensure_ascii=False, allow_nan=False).replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name, ensure_ascii=False)
