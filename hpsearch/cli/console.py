"""Where commands print: results to standard output, everything else to standard error.

Anybody may have named what is in a database. A terminal obeys some characters instead of showing
them; here, where everything comes by, they are written out.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Annotated, Any

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Span, Text

from hpsearch.storage import DEFAULT_STORAGE
from hpsearch.writing import OBEYED, json_text, written_out

__all__ = [
    "DEFAULT_STORAGE",
    "Json",
    "Storage",
    "errors",
    "output",
    "print_json",
    "print_json_line",
    "print_json_lines",
    "tell",
]

Storage = Annotated[
    str,
    typer.Option(
        "--storage",
        metavar="URL",
        envvar="HPSEARCH_STORAGE",
        help="Database: a SQLite file name, or a URL of SQLite or PostgreSQL.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead.")]


def output() -> Console:
    """For results."""
    return _Harmless(file=sys.stdout, highlight=False)


def errors() -> Console:
    """For progress and complaints."""
    return _Harmless(file=sys.stderr, highlight=False)


def tell(sentence: str, style: str | None = None) -> None:
    """Say something beside the results, on one line however long it is."""
    errors().print(sentence, style=style, markup=False, soft_wrap=True)


class _Harmless(Console):
    """A console to which no text gives orders; styles are still the program's own to give."""

    def render_str(self, text: str, **options: Any) -> Text:
        """Every text, before it is measured and laid out."""
        return super().render_str(written_out(text), **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Everything else that has text: one that has its styles already."""
        if isinstance(renderable, Text) and OBEYED.search(renderable.plain):
            renderable = _text_written_out(renderable)
        return super().render(renderable, options)


def _text_written_out(text: Text) -> Text:
    """The same for a text with styles, which stay on what they were on."""
    places = [place for found in OBEYED.finditer(text.plain) for place in found.span()]
    parts = text.divide(places)
    for part in parts:
        shown = written_out(part.plain)
        if shown != part.plain:
            part.plain = shown
            part.spans = [Span(0, len(shown), span.style) for span in part.spans]
    return text.blank_copy().join(parts)


def print_json(document: Any) -> None:
    """Print one JSON document and nothing else."""
    sys.stdout.write(_harmless(json_text(document, indent=2)) + "\n")


def print_json_lines(documents: Iterable[Any]) -> None:
    """Print a list of JSON documents, a line each, as they come."""
    sys.stdout.write("[")
    for number, document in enumerate(documents):
        sys.stdout.write(("," if number else "") + "\n  " + _harmless(json_text(document)))
    sys.stdout.write("\n]\n")


def print_json_line(document: Any) -> None:
    """Print one JSON document on a line, at once, for who reads a stream of them."""
    sys.stdout.write(_harmless(json_text(document)) + "\n")
    sys.stdout.flush()


def _harmless(text: str) -> str:
    return OBEYED.sub(lambda found: json.dumps(found[0])[1:-1], text)
