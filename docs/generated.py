"""The parts of the documentation that are read from the code, so that no copy can grow old."""

from __future__ import annotations

import ast
import html
import inspect
import json
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


def settings() -> str:
    """Every setting of a study file, by table, from the JSON Schema of the models."""
    from hpsearch.study_file import json_schema

    schema = json_schema()
    known = schema["$defs"]
    text = ["## At the top of the file\n", _table(schema, known, skip=SECTIONS)]
    for name, entry in schema["properties"].items():
        if name in SECTIONS:
            reference = entry.get("$ref") or entry["allOf"][0]["$ref"]
            section = known[reference.rsplit("/", 1)[1]]
            text += [f"## [{name}]\n", section.get("description", ""), "", _table(section, known)]
    return "\n".join(text)


SECTIONS = ("data", "objective", "model", "training", "search", "compare")


def _table(table: dict[str, Any], known: dict[str, Any], skip: Collection[str] = ()) -> str:
    lines = []
    for name, entry in table["properties"].items():
        if name not in skip:
            kind, about = _kind(entry, known), entry.get("description", "")
            names = kind.partition(" or ")[0]
            if names.startswith("`") and names.replace("`", "") in about:
                kind = kind.replace(names, "one of these")
            if name in table.get("required", ()):
                kind += "; required"
            elif entry.get("default") is not None:
                kind += f"; default `{_written(entry['default'])}`"
            lines.append(f"`{name}`\n: {' '.join(about.split())} *{kind[0].upper()}{kind[1:]}.*\n")
    return "\n".join(lines)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def _kind(entry: dict[str, Any], known: dict[str, Any]) -> str:
    """What a setting may be, in words."""
    if "$ref" in entry:
        named = entry["$ref"].rsplit("/", 1)[1]
        if named in ("FloatRange", "IntRange"):
            return "a range"
        return "choices" if named.startswith("Choices") else _kind(known[named], known)
    if any_of := entry.get("anyOf") or entry.get("oneOf"):
        kinds = dict.fromkeys(_kind(one, known) for one in any_of if one.get("type") != "null")
        *first, last = kinds
        kind = f"{', '.join(first)} or {last}" if first else last
        return ", ".join([kind, " ".join(_bounds(entry))]).removesuffix(", ")
    if "enum" in entry:
        return ", ".join(f"`{value}`" for value in entry["enum"])
    kind = KINDS.get(entry.get("type", ""), "any value")
    if kind == "a list":
        items = _kind(entry.get("items", {}), known)
        return f"a list of {'numbers' if items == 'a number' else items}"
    return " ".join([kind, *_bounds(entry)])


def _bounds(entry: dict[str, Any]) -> list[str]:
    given = {word: entry[key] for key, word in BOUNDS.items() if key in entry}
    return [f"{word} {_written(bound)}" for word, bound in given.items() if bound < 1e300]


KINDS = {
    "number": "a number",
    "integer": "a whole number",
    "string": "text",
    "boolean": "true or false",
    "array": "a list",
    "object": "a table",
}
BOUNDS = {
    "minimum": "from",
    "exclusiveMinimum": "above",
    "maximum": "to",
    "exclusiveMaximum": "below",
}


def _written(value: Any) -> str:
    if isinstance(value, dict):
        shown = {k: v for k, v in value.items() if v and (k, v) != ("step", 1)}
        return "{ " + ", ".join(f"{k} = {_written(v)}" for k, v in shown.items()) + " }"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_written, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    return f"{value:,.0f}" if value == 0 or (value >= 1 and value == int(value)) else f"{value:g}"


def commands() -> str:
    """Every command, its arguments and options, as the program itself tells them."""
    import typer

    from hpsearch.cli.app import app

    group: Any = typer.main.get_command(app)
    text = []
    each: dict[str, Any] = {}
    for name, command in group.commands.items():
        each[name] = command
        each |= {f"{name} {part}": of for part, of in getattr(command, "commands", {}).items()}
    for name, command in each.items():
        text += [f"## hpsearch {name}\n", inspect.cleandoc(command.help or ""), ""]
        if command.params:
            text += ["| argument or option | meaning |", "| --- | --- |"]
        for part in command.params:
            option = part.param_type_name == "option"
            shown = ", ".join(part.opts) if option else part.name.upper()
            about = part.help or ""
            if option and part.default is not None and part.default is not False:
                about += f" (default: `{part.default}`)"
            text.append(f"| {_cell(f'`{shown}`')} | {_cell(about)} |")
        text.append("")
    return "\n".join(text)


def floors() -> str:
    """A picture of the layers, from the list that the test of the architecture holds them to."""
    tree = ast.parse((ROOT / "tests" / "test_architecture.py").read_text(encoding="utf-8"))
    [layers] = (
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "LAYERS"
    )
    high, wide, gap = 44, 480, 8
    parts = []
    for row, rooms in enumerate(layers):
        rooms = [room for room in rooms if not room.startswith("__")]
        each = (wide - gap * (len(rooms) - 1)) / len(rooms)
        for column, room in enumerate(rooms):
            x, y = column * (each + gap), row * high
            about = html.escape(_about(room))
            parts.append(
                f'<g><title>{about}</title><rect x="{x:.0f}" y="{y}" width="{each:.0f}" '
                f'height="{high - gap}" rx="5" fill="currentColor" fill-opacity="0.08" '
                f'stroke="currentColor" stroke-opacity="0.4"/><text x="{x + each / 2:.0f}" '
                f'y="{y + (high - gap) / 2 + 5}" text-anchor="middle" fill="currentColor" '
                f'font-size="14" font-family="monospace">{room}</text></g>'
            )
    picture = f'<svg class="floors" role="img" aria-label="The floors" viewBox="-1 -1 {wide + 2} '
    picture += f'{len(layers) * high}">{"".join(parts)}</svg>'
    rooms = [room for row in layers for room in row if not room.startswith("__")]
    table = [f"| `{room}` | {_cell(_about(room))} |" for room in rooms]
    return "\n".join([picture, "", "| package | what it is |", "| --- | --- |", *table, ""])


def _about(room: str) -> str:
    """The first sentence of a package's or a module's own docstring."""
    path = ROOT / "hpsearch" / room / "__init__.py"
    if not path.exists():
        path = ROOT / "hpsearch" / f"{room}.py"
    about = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return about.partition("\n\n")[0]


def notebook() -> str:
    """The notebook of the guide as a page: its words, and its code without what it shows."""
    path = ROOT / "docs" / "guide" / "notebook.ipynb"
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "\n\n".join(
        text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```"
        for cell in cells
        for text in ["".join(cell["source"])]
    )


GENERATED: dict[str, Callable[[], str]] = {
    "settings": settings,
    "commands": commands,
    "floors": floors,
    "notebook": notebook,
}
