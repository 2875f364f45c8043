"""An HTML document that needs nothing else: the styles, the figures, Plotly once, no network."""

from __future__ import annotations

import json
import re
from pathlib import Path

from hpsearch.errors import UsageError
from hpsearch.plots.style import DARK, LIGHT, Figure
from hpsearch.wording import Table
from hpsearch.writing import html_text, write_whole

__all__ = ["document_html", "figure_html", "table_html", "write_page"]

HERE = Path(__file__).parent

# Whatever a study is called, the page loads nothing: the browser itself is told to refuse.
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
)


def document_html(title: str, body: str, *, footer: str, figures: bool = True, of: str = "") -> str:
    """The whole document around what it shows.

    Args:
        title: of the window, plain text.
        body: safe HTML.
        footer: plain text.
        figures: whether the body has any of `figure_html`; Plotly's five megabytes come only then.
        of: what the document is about, by which `write_page` knows it again.
    """
    templates = {"light": LIGHT, "dark": DARK}
    drawing = (
        f'<script type="application/json" id="templates">{_script_safe(json.dumps(templates))}'
        f"</script>\n<script>{_plotly()}</script>\n<script>\n{_file('page.js')}</script>\n"
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f'<meta name="hpsearch" content="{html_text(of)}">\n'
        f"<title>{html_text(title)}</title>\n"
        f"<style>\n{_file('page.css')}</style>\n</head>\n<body>\n<main>\n"
        f"{body}</main>\n"
        f"<footer>{html_text(footer)}</footer>\n"
        f"{drawing if figures else ''}"
        "</body>\n</html>\n"
    )


def figure_html(figure: Figure, identity: str) -> str:
    """A figure's place in a document, with its numbers, which the document's script draws.

    Args:
        figure: has a height of its own.
        identity: the element's id.
    """
    from plotly.io.json import to_json_plotly

    document = figure.to_plotly_json()
    document["layout"].pop("template")  # the page has both, and takes the reader's
    height = document["layout"]["height"]
    return (
        f'<div class="figure" id="{identity}" style="height: {height}px">'
        f'<script type="application/json">{_script_safe(to_json_plotly(document))}</script></div>'
    )


def table_html(table: Table, *, kind: str = "facts") -> str:
    """A table that scrolls in its own frame where it is wider than the page.

    Args:
        table: plain text.
        kind: its class, for the style sheet.

    >>> from hpsearch.wording import Table
    >>> "&lt;b&gt;" in table_html(Table("x", ["name"], [["<b>"]]))
    True
    """
    head = "".join(f'<th scope="col">{html_text(text)}</th>' for text in table.headings)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in table.rows)
    caption = html_text(table.caption)
    return (
        f'<div class="frame" tabindex="0" role="region" aria-label="{caption}">'
        f'<table class="{kind}"><caption>{caption}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>\n"
    )


PROSE = 40
"""Characters from which on a cell is a sentence, whose lines are not to be two words long."""


def _cell(text: str) -> str:
    kind = ' class="prose"' if len(text) > PROSE else ""
    return f"<td{kind}>{html_text(text)}</td>"


def _script_safe(text: str) -> str:
    """JSON that cannot end the script element around it."""
    return text.replace("<", "\\u003c")


def _plotly() -> str:
    from plotly.offline import get_plotlyjs

    script: str = get_plotlyjs()
    return script


def _file(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


def write_page(path: Path, content: str, *, over_its_own: bool = False) -> None:
    """Write a page, whole or not at all.

    Args:
        path: of the file.
        content: the whole document.
        over_its_own: replace no file but a page about the same, since nobody has named this one.

    Raises:
        UsageError: the path cannot be written, or has something else.
    """
    try:
        if over_its_own and path.exists() and _about(path) != _ABOUT.findall(content[:HEAD]):
            raise UsageError(
                f"{path} is there already, and is no page of the same; name another file"
            )
        write_whole(path, content.encode())
    except OSError as error:
        raise UsageError(
            f"cannot write the page {path}: {error.strerror}; name another file"
        ) from None


HEAD = 20_000
"""Characters of a page within which it says what it is about."""

_ABOUT = re.compile('<meta name="hpsearch" content="[^"]*">')


def _about(path: Path) -> list[str] | None:
    """What a file says that it is a page of; None if it is no page of ours."""
    with path.open(encoding="utf-8", errors="replace") as file:
        return _ABOUT.findall(file.read(HEAD)) or None
