"""Read a study file, and say in one sentence what is wrong with it: the line, key and fix."""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from hpsearch.data.files import whole_path
from hpsearch.errors import StudyFileError, nearest, shown
from hpsearch.shipped import shipped_files
from hpsearch.space.settings import SETTINGS
from hpsearch.study_file.models import (
    TAGS,
    Choices,
    FloatRange,
    IntRange,
    ResourceSection,
    StudyFile,
)

__all__ = [
    "anchored",
    "load_study_file",
    "parse_study_file",
    "shipped_studies",
    "study_of",
    "study_path",
    "study_text",
]

LONGEST = 1_000_000
"""Bytes of a study file; the longest that anybody writes has a few thousand."""


def load_study_file(path: str | Path) -> StudyFile:
    """Read and check a study file.

    Args:
        path: a TOML file. A relative ``[data] path`` or ``folder`` in it is taken from its own
            folder.

    Raises:
        StudyFileError: the file cannot be read, is not TOML, or says something impossible; the
            message names the file, the line, the key and the fix.
    """
    path = Path(path)
    return anchored(parse_study_file(study_text(path), origin=str(path)), path.parent)


def study_text(path: Path) -> str:
    """What a study file says, unchecked.

    Raises:
        StudyFileError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LONGEST + 1)
        if len(content) > LONGEST:
            raise StudyFileError(f"{path} has more than a megabyte; that is no study file")
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise StudyFileError(f"{path} is not text in UTF-8; a study file is TOML") from None
    except FileNotFoundError:
        raise StudyFileError(_not_found(path)) from None
    except OSError as error:
        raise StudyFileError(f"cannot read {path}: {error.strerror}") from None


def study_path(study: str | Path) -> Path:
    """The file of a study that is named by its path, or by the name of one that comes along."""
    path = Path(study)
    if path.suffix or path.exists():
        return path
    return shipped_studies().get(str(study), path)


def anchored(study: StudyFile, folder: Path) -> StudyFile:
    """The study with the relative places of its data and its code taken from its file's folder."""
    places = {
        key: str(folder / whole_path(value))
        for key in ("path", "validation_path", "test_path", "folder")
        if (value := getattr(study.data, key)) is not None
    }
    data = study.data.model_copy(update=places)
    if study.objective.kind == "network":
        return study.model_copy(update={"data": data})
    home = str(folder / whole_path(study.objective.folder or "."))
    objective = study.objective.model_copy(update={"folder": home})
    return study.model_copy(update={"data": data, "objective": objective})


def _not_found(path: Path) -> str:
    folder = path.parent if path.parent.is_dir() else Path()
    here = sorted(str(p) for p in folder.glob("*.toml")) if folder.is_dir() else []
    close = nearest(str(path), here)
    hint = f"did you mean {close}?" if close else "`hpsearch init` writes one to start from"
    return f"there is no study file {path}; {hint}"


def parse_study_file(text: str, *, origin: str = "study file") -> StudyFile:
    r"""Check the text of a study file.

    Args:
        text: TOML.
        origin: how messages call it.

    Raises:
        StudyFileError: as for `load_study_file`.

    >>> study = parse_study_file('name = "mine"\n[data]\nname = "iris"\n[model]\ndepth = 1')
    >>> sorted(study.search_space().parameters)
    ['decay', 'l2', 'learning_rate', 'width']
    """
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        at = re.search(r"\(at line ([0-9]+),", str(error))
        line = int(at[1]) if at else None
        raise StudyFileError(f"{origin} is not TOML: {error}", line=line) from None
    except RecursionError:
        raise StudyFileError(f"{origin} is nested too deeply to be a study file") from None
    except ValueError:  # Python's own, of a number that it does not read
        raise StudyFileError(
            f"{origin} has a number of thousands of digits, or a date that no calendar has; "
            "correct it"
        ) from None
    return study_of(content, text=text, origin=origin)


def study_of(tables: Mapping[str, Any], *, text: str = "", origin: str = "study file") -> StudyFile:
    """Check the tables of a study.

    Args:
        tables: as a study file has them.
        text: of the file, in which messages find lines.
        origin: how they call it.

    Raises:
        StudyFileError: they say something impossible.
    """
    try:
        return StudyFile.model_validate(tables)
    except ValidationError as error:
        raise _explained(error, text, origin) from None


def _explained(error: ValidationError, text: str, origin: str) -> StudyFileError:
    """The first problem of a rejected file as one sentence with its line."""
    problems = error.errors(include_url=False)
    # An unknown key says more than the required one that is missing because it was misspelt.
    problem = next((p for p in problems if p["type"] == "extra_forbidden"), problems[0])
    path = tuple(part for part in problem["loc"] if part not in TAGS or part == "choices")
    if path[:1] == ("first",):  # its tables have numbers
        path = tuple(part + 1 if isinstance(part, int) else part for part in path[:3])
        path = tuple(map(str, path))
    keys = tuple(dict.fromkeys(str(part) for part in path if not isinstance(part, int)))
    dotted = ".".join(keys)
    if not keys:  # of what spans several, the error knows the one to look at
        keys = _place(text, problem["ctx"]["error"].key)
    line = _line_of(text, keys)
    place = f"{origin}, line {line}" if line else origin
    sentence = f"{place}: {_sentence(problem, dotted, keys)}"
    return StudyFileError(sentence, key=".".join(keys) or None, line=line)


def _sentence(problem: Any, dotted: str, keys: tuple[str, ...]) -> str:
    kind, given = problem["type"], problem.get("input")
    context = problem.get("ctx", {})
    if kind == "extra_forbidden":
        known = _known_keys(problem["loc"])
        close = nearest(keys[-1], known)
        hint = f"did you mean {close!r}? " if close else ""
        return f"unknown key {dotted!r}; {hint}Known here: {', '.join(known)}"
    if kind == "missing":
        return f"{dotted!r} is missing"
    if kind == "literal_error":
        close = nearest(
            str(given), context["expected"].replace("'", "").replace(" or ", ", ").split(", ")
        )
        hint = f"did you mean {close!r}? " if close else ""
        return f"{dotted} cannot be {_show(given)}; {hint}Known: {context['expected']}"
    if kind == "union_tag_invalid":
        return f"{dotted} takes a value or {{ choices = [...] }}, not a range"
    if kind == "value_error":
        return f"{dotted + ' ' if dotted else ''}{context['error']}"
    if kind == "too_short":
        return f"{dotted} is empty; give it at least {context['min_length']} value"
    message = problem["msg"].removeprefix("Input ")
    return f"{dotted} {message}, it is {_show(given)}"


def _show(value: object) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except ValueError:  # a number of thousands of digits
        return shown(value)
    return text if len(text) <= 60 else text[:57] + "..."


OF_PART: dict[str, type[BaseModel]] = {
    "choices": Choices,
    "whole": IntRange,
    "real": FloatRange,
    "resource": ResourceSection,
}
"""The tables within tables, by what pydantic calls them in the place of an error."""


def _known_keys(location: tuple[int | str, ...]) -> list[str]:
    """The keys of the table in which pydantic met an unknown one."""
    model: type[BaseModel] = StudyFile
    for part in location[:-1]:
        if part == "range":
            name = str(location[location.index(part) - 1])
            model = IntRange if SETTINGS[name].whole else FloatRange
        elif part in OF_PART:
            model = OF_PART[str(part)]
        elif (field := model.model_fields.get(str(part))) and isinstance(field.annotation, type):
            model = field.annotation
    return list(model.model_fields)


def _line_of(text: str, keys: tuple[str, ...]) -> int | None:
    """The line on which a key stands, or its table, found without a second TOML parser."""
    for depth in range(len(keys), 0, -1):
        for number, where in _keys_by_line(text):
            if where[:depth] == keys[:depth]:
                return number
    return None


def _place(text: str, name: str | None) -> tuple[str, ...]:
    """The whole path of a key that is known by its last part, or by its place in [[first]]."""
    if name is not None and name.startswith("first."):
        return tuple(name.split(".", 2))
    return next((where for _, where in _keys_by_line(text) if where[-1:] == (name,)), ())


def _keys_by_line(text: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    table: tuple[str, ...] = ()
    tables: Counter[tuple[str, ...]] = Counter()  # of each name, where there may be several
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if line.startswith("["):
            table = _dotted(line.strip("[] ").split("]")[0])
            if line.startswith("[["):
                tables[table] += 1
                table = (*table, str(tables[table]))
            yield number, table
        elif "=" in line and not line.startswith("#"):
            yield number, table + _dotted(line.split("=", 1)[0])


def _dotted(key: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in key.split("."))


def shipped_studies() -> dict[str, Path]:
    """The study files that come with hpsearch, by name."""
    return shipped_files("studies")
