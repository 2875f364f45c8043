"""One HTML file: sections of studies, panels in each, and Plotly once; no network is asked."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from hpsearch.compare.result import Comparison
from hpsearch.errors import UsageError
from hpsearch.plots import NothingToDraw, StudyView, panel
from hpsearch.plots.configuration import ConfigurationData
from hpsearch.plots.style import DARK, LIGHT
from hpsearch.report.dashboards import Dashboard
from hpsearch.report.words import comparison_head, configuration_tables, study_head
from hpsearch.writing import write_whole

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["page_html", "page_name", "slug", "write_page"]

HERE = Path(__file__).parent

# Whatever a study is called, the page loads nothing: the browser itself is told to refuse.
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
)


Subject: TypeAlias = StudyView | Comparison
"""What a section is about."""


def page_html(subjects: Sequence[Subject], dashboard: Dashboard) -> str:
    """The page.

    Args:
        subjects: studies or comparisons, a section each.
        dashboard: which panels each section has.

    Returns:
        The whole document. Each figure is a ``div`` with the class ``figure`` and a name for an id.
    """
    names = ", ".join(subject.name for subject in subjects)
    sections = [
        _section(subject, dashboard, identity)
        for subject, identity in zip(subjects, _identities(subjects), strict=True)
    ]
    links = "".join(
        f'<li><a href="#{identity}">{html.escape(subject.name)}</a></li>'
        for subject, identity in zip(subjects, _identities(subjects), strict=True)
    )
    contents = f"<nav><ul>{links}</ul></nav>\n" if len(subjects) > 1 else ""
    templates = {"light": LIGHT, "dark": DARK}
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{html.escape(f'{names}: {dashboard.title}')}</title>\n"
        f"<style>\n{_file('page.css')}</style>\n</head>\n<body>\n<main>\n"
        f"{contents}{_joint(subjects)}{''.join(sections)}</main>\n"
        f"<footer>Written by hpsearch. {html.escape(dashboard.title)}.</footer>\n"
        f'<script type="application/json" id="templates">{_script_safe(json.dumps(templates))}'
        f"</script>\n<script>{_plotly()}</script>\n<script>\n{_file('page.js')}</script>\n"
        "</body>\n</html>\n"
    )


def _joint(subjects: Sequence[Subject]) -> str:
    """Several comparisons of the same strategies, put together: their average ranks among them."""
    comparisons = [subject for subject in subjects if isinstance(subject, Comparison)]
    if len(comparisons) < 2 or len({tuple(c.contestants) for c in comparisons}) > 1:
        return ""
    return (
        '<section class="study" id="all-data-sets">\n<h1>All data sets</h1>\n'
        f"{comparison_head(comparisons)}</section>\n"
    )


def _section(subject: Subject, dashboard: Dashboard, identity: str) -> str:
    head = comparison_head([subject]) if isinstance(subject, Comparison) else study_head(subject)
    panels = "".join(_panel(subject, name, f"{identity}-{name}") for name in dashboard.panels)
    return (
        f'<section class="study" id="{identity}">\n<h1>{html.escape(subject.name)}</h1>\n'
        f"{head}{panels}</section>\n"
    )


def _panel(subject: Subject, name: str, identity: str) -> str:
    made = panel(name)
    head = (
        f'<section class="panel" aria-labelledby="{identity}">\n'
        f'<h2 id="{identity}">{html.escape(made.title)}</h2>\n'
    )
    try:
        data = made.data(subject)
    except NothingToDraw as reason:
        return f'{head}<p class="empty">{html.escape(str(reason))}</p>\n</section>\n'
    if isinstance(data, ConfigurationData):
        body = configuration_tables(data)
    else:
        figures = made.figures(data)
        body = "".join(_figure(f, f"{identity}-{n}") for n, f in enumerate(figures, start=1))
        body = f'<div class="figures">{body}</div>\n'
    note = f'<p class="note">{html.escape(data.note)}</p>\n' if data.note else ""
    return f"{head}<p>{html.escape(made.about)}</p>\n{body}{note}</section>\n"


def _figure(figure: go.Figure, identity: str) -> str:
    from plotly.io.json import to_json_plotly

    document = figure.to_plotly_json()
    document["layout"].pop("template")  # the page has both, and takes the reader's
    height = document["layout"]["height"]
    return (
        f'<div class="figure" id="{identity}" style="height: {height}px">'
        f'<script type="application/json">{_script_safe(to_json_plotly(document))}</script></div>'
    )


def _script_safe(text: str) -> str:
    """JSON that cannot end the script element around it."""
    return text.replace("<", "\\u003c")


def _plotly() -> str:
    from plotly.offline import get_plotlyjs

    script: str = get_plotlyjs()
    return script


def _file(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


def _identities(subjects: Sequence[Subject]) -> list[str]:
    """A name for each section, for links and for files; no two are the same."""
    return list(_distinct(slug(subject.name) for subject in subjects))


def _distinct(names: Iterable[str]) -> Iterator[str]:
    seen: set[str] = set()
    for name in names:
        number, free = 1, name
        while free in seen:
            number += 1
            free = f"{name}-{number}"
        seen.add(free)
        yield free


def page_name(names: Sequence[str]) -> str:
    """The file that a page of these studies or comparisons is written to by default.

    >>> page_name(["digits", "iris/grid/0"])
    'digits_iris_grid_0.html'
    """
    return f"{slug('+'.join(names))}.html"


def slug(name: str) -> str:
    """A study's name in letters of any script, digits and what else stands in files and links.

    >>> slug("digits/grid 1"), slug("../../etc"), slug("ünï"), slug("..")
    ('digits_grid_1', 'etc', 'ünï', 'study')
    """
    kept = re.sub(r"[^\w.-]+", "_", name).strip("._-")
    # File systems count bytes, up to 255 with the ending and what figures add.
    return kept.encode()[:150].decode(errors="ignore") or "study"


def write_page(path: Path, content: str) -> None:
    """Write a page, whole or not at all.

    Raises:
        UsageError: the path cannot be written.
    """
    try:
        write_whole(path, content.encode())
    except OSError as error:
        raise UsageError(
            f"cannot write the page {path}: {error.strerror}; name another file with -o"
        ) from None
