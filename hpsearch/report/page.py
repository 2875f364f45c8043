"""A page of studies: a section for each, and panels in each section."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

from hpsearch.compare.result import Comparison
from hpsearch.plots import NothingToDraw, StudyView, panel
from hpsearch.report.dashboards import Dashboard
from hpsearch.report.document import document_html, figure_html
from hpsearch.report.words import comparison_head, study_head, table

__all__ = ["page_html", "page_name", "slug"]

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
    return document_html(
        f"{names}: {dashboard.title}",
        f"{contents}{_joint(subjects)}{''.join(sections)}",
        footer=f"Written by hpsearch. {dashboard.title}.",
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
    figures = made.figures(data)
    drawn = "".join(figure_html(f, f"{identity}-{n}") for n, f in enumerate(figures, start=1))
    body = f'<div class="figures">{drawn}</div>\n' if figures else ""
    body += "".join(table(t.headings, t.rows, caption=t.caption) for t in made.tables(data))
    note = f'<p class="note">{html.escape(data.note)}</p>\n' if data.note else ""
    return f"{head}<p>{html.escape(made.about)}</p>\n{body}{note}</section>\n"


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
