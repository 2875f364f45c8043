"""The HTML around a page's document, in one file that needs nothing else.

The browser itself is told what it may load: nothing from another host, and no script but ours. A
server has the same scripts as files, and its page fetches the document.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from hpsearch.errors import UsageError
from hpsearch.file_names import file_name, short_name
from hpsearch.report.document import Document, document_json
from hpsearch.writing import html_text, write_whole

__all__ = [
    "ASSETS",
    "asset",
    "file_name",
    "page_html",
    "page_name",
    "words_html",
    "write_page",
]

HERE = Path(__file__).parent / "assets"

STYLE, PLOTLY, LIVE = "page.css", "plotly.js", "live.js"

SCRIPTS = (
    "dom.js",
    "columns.js",
    "filter.js",
    "view.js",
    "figures.js",
    "files.js",
    "table.js",
    "groups.js",
    "beside.js",
    "trial.js",
    "page.js",
)
"""In the order in which they need each other."""

ASSETS = (STYLE, *SCRIPTS, LIVE, PLOTLY)
"""All that a server's page refers to, by name: the style, our scripts in order, and Plotly."""


def asset(name: str) -> bytes:
    """A file that a server's page refers to, as it is to be sent.

    Args:
        name: one of `ASSETS`.

    Raises:
        KeyError: there is none of this name.
    """
    if name not in ASSETS:
        raise KeyError(name)
    return _text(name).encode()


def page_html(document: Document, *, of: Sequence[str] = (), before: str = "") -> str:
    """A page in one file, with all that it needs: about five megabytes, most of them Plotly's.

    Args:
        document: what it shows.
        of: what it is about, by which `write_page` knows it again.
        before: safe HTML above all else.
    """
    ours = [_text(name) for name in SCRIPTS]
    plotly = _text(PLOTLY)
    hashes = " ".join(f"'sha256-{_hash(script)}'" for script in (*ours, plotly))
    scripts = "".join(f"<script>{script}</script>\n" for script in ours)
    return _shell(
        document["title"],
        f'{before}<main id="page">\n{_without_scripts(document)}</main>\n'
        f'<script type="application/json" id="document">{document_json(document)}</script>\n'
        # Plotly comes last: its megabytes are read when the words stand already.
        f"{scripts}<script>{plotly}</script>\n",
        style=f"<style>\n{_text(STYLE)}</style>\n",
        policy=f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; "
        "img-src data: blob:",
        of=of,
    )


def words_html(title: str, body: str, *, footer: str) -> str:
    """A page of words alone, without scripts.

    Args:
        title: of the window, plain text.
        body: safe HTML.
        footer: plain text.
    """
    return _shell(
        title,
        f"<main>\n{body}</main>\n<footer>{html_text(footer)}</footer>\n",
        style=f"<style>\n{_text(STYLE)}</style>\n",
        policy="default-src 'none'; style-src 'unsafe-inline'",
    )


def _shell(title: str, body: str, *, style: str, policy: str, of: Sequence[str] = ()) -> str:
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f'<meta name="hpsearch" content="{html_text(json.dumps(list(of)))}">\n'
        f"<title>{html_text(title)}</title>\n{style}</head>\n<body>\n{body}</body>\n</html>\n"
    )


def _without_scripts(document: Document) -> str:
    """What a reader without scripts sees, as in a preview of the file: the results in words."""
    told = "".join(
        f"<h1>{html_text(section['name'])}</h1>\n"
        f'<p class="result">{html_text(section["result"])}</p>\n'
        for section in document["sections"]
    )
    return f"<noscript>\n{told}<p>Figures and tables need JavaScript.</p>\n</noscript>\n"


def _hash(script: str) -> str:
    return base64.b64encode(sha256(script.encode()).digest()).decode("ascii")


def _text(name: str) -> str:
    if name == PLOTLY:
        from plotly.offline import get_plotlyjs

        script: str = get_plotlyjs()
        return script
    return (HERE / name).read_text(encoding="utf-8")


def page_name(names: Sequence[str]) -> str:
    """The file that a page of these studies or comparisons is written to by default.

    >>> page_name(["digits", "iris/grid/0"])
    'digits+iris%2Fgrid%2F0.html'
    """
    return f"{short_name('+'.join(map(file_name, names)))}.html"


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
