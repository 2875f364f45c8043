"""Study files as text: a commented one to start from, and values as TOML writes them."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from hpsearch.study_file.models import NOT_OF_THE_NETWORK, StudyFile
from hpsearch.writing import OBEYED

__all__ = ["explained", "source_of", "template", "toml_key", "toml_value"]

HEAD = """\
# A study for hpsearch. Run it with `hpsearch run FILE`; run it again to go on after an
# interruption. A line that begins with "# " and a setting shows its default, or an example where
# there is none: remove the "# " to change it.
#
# A setting of [data] preprocessing, [model] and [training] may be written in three ways:
#   activation = "relu"                                     a value: fixed
#   learning_rate = { low = 1e-4, high = 1.0, log = true }  a range: searched, here in ratios
#   optimizer = { choices = ["momentum", "adam"] }          a list: searched
# and may depend on the choice of another:
#   momentum = { low = 0.5, high = 0.99, when = { optimizer = "momentum" } }
"""
MARGIN = 34
"""Where an explanation begins, unless its setting is longer."""


def template(
    name: str,
    data: str = "digits",
    target: str | None = None,
    said: Mapping[str, Mapping[str, tuple[Any, str]]] | None = None,
    about: Sequence[str] = (),
) -> str:
    """The text of a study file of the network that shows every setting with its default.

    Args:
        name: of the study.
        data: a known data set, or the path of a table (it has a suffix or a separator).
        target: the column of the table that holds the labels.
        said: table -> setting -> what it is to be, and why.
        about: what there is to know of the data, in lines.

    >>> 'target = "species"' in template("mine", "table.csv", "species").splitlines()
    True
    """
    given = {table: dict(keys) for table, keys in (said or {}).items()}
    given.setdefault("data", {}).update(source_of(data, target))
    lines = [HEAD, *_lines(StudyFile, {"name": (name or "study", "")})]
    for table, field in StudyFile.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            lines += ["", *explained(f"[{table}]", section.__doc__ or "")]
            lines += [f"# {line}" for line in about] if table == "data" else []
            lines += _lines(section, given.get(table, {}))
    return "\n".join(lines) + "\n"


def source_of(data: str, target: str | None) -> dict[str, tuple[str, str]]:
    """What the table of data says of them; see `template`."""
    is_path = any(mark in data for mark in "./\\") and not data.startswith("openml:")
    named = {"path" if is_path else "name": (data, "")}
    return named if target is None else named | {"target": (target, "")}


def _lines(section: type[BaseModel], said: Mapping[str, tuple[Any, str]]) -> Iterator[str]:
    """A table's keys: what is said of them, or their default, or else an example."""
    # What is searched by default comes first: it matters most.
    fields = section.model_fields.items()
    for key, field in sorted(fields, key=lambda item: not isinstance(item[1].default, BaseModel)):
        if key in NOT_OF_THE_NETWORK:
            continue
        default = field.default
        if default is None or default == {}:
            default = (field.examples or [None])[0]
        if key in said:
            value, why = said[key]
            line = f"{key} = {toml_value(value)}"
            yield from explained(line, why) if why else [line]
        elif field.description and default is not None:
            if isinstance(default, BaseModel):
                default = default.model_dump(exclude_defaults=True)
            yield from explained(f"# {key} = {toml_value(default)}", field.description)


def explained(line: str, text: str) -> Iterator[str]:
    """A line of a study file and, to its right, what it means, on as many lines as that takes."""
    start = max(MARGIN, len(line) + 2)
    if start > 60:  # and little would stand in a line
        yield line
        line, start = "#", MARGIN
    text = text[0].lower() + text[1:].removesuffix(".")
    for part in textwrap.wrap(text, 98 - start, break_on_hyphens=False):
        yield f"{line:{start}}# {part}"
        line = "#"


def toml_value(value: Any) -> str:
    r"""A setting on one line, as study files are written by hand; what is obeyed is escaped.

    >>> toml_value({"low": 1e-6, "high": 1.0, "log": True}), toml_value(["relu", 3])
    ('{ low = 1e-6, high = 1.0, log = true }', '["relu", 3]')
    >>> print(toml_value("\x9b2J \U000e0041"))
    "\u009b2J \U000e0041"
    """
    if isinstance(value, dict):
        inner = ", ".join(
            f"{toml_key(key)} = {toml_value(part)}"
            for key, part in value.items()
            if part is not None
        )
        return f"{{ {inner} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml_value, value))}]"
    if isinstance(value, float) and not 1e-3 <= abs(value) < 1e6:
        short = re.sub(r"e([-+])0*", r"e\1", f"{value:.0e}").replace("+", "")
        return short if value and float(short) == value else json.dumps(value, allow_nan=False)
    # JSON's strings, numbers and truth values are TOML's too, but for what is obeyed.
    return OBEYED.sub(_escape, json.dumps(value, ensure_ascii=False, allow_nan=False))


def toml_key(name: str) -> str:
    """A key, in quotes where it needs them."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else toml_value(name)


def _escape(found: re.Match[str]) -> str:
    number = ord(found[0])
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
