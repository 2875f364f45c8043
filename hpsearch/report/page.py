"""A page of studies: a section for each, and panels in each section."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence
from hashlib import sha256
from typing import TypeAlias
from urllib.parse import quote

from hpsearch.compare.result import Comparison
from hpsearch.compare.summary import reference_of, summarize_strategies
from hpsearch.plots import NothingToDraw, StudyView, panel
from hpsearch.report.dashboards import Dashboard
from hpsearch.report.document import document_html, figure_html, table_html
from hpsearch.wording import (
    answer,
    best_trials,
    comparison_note,
    result_sentence,
    simple_models_text,
    strategies_table,
    verdict,
    winner_line,
)
from hpsearch.writing import html_text

__all__ = ["file_name", "page_html", "page_name"]

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
    sections = [_section(subject, dashboard, file_name(subject.name)) for subject in subjects]
    links = "".join(
        f'<li><a href="#{quote(file_name(subject.name))}">{html_text(subject.name)}</a></li>'
        for subject in subjects
    )
    contents = f"<nav><ul>{links}</ul></nav>\n" if len(subjects) > 1 else ""
    return document_html(
        f"{names}: {dashboard.title}",
        f"{contents}{_joint(subjects)}{''.join(sections)}",
        footer=f"Written by hpsearch. {dashboard.title}.",
        of=json.dumps([subject.name for subject in subjects]),
    )


def _joint(subjects: Sequence[Subject]) -> str:
    """Several comparisons of the same strategies, put together: their average ranks among them."""
    comparisons = [subject for subject in subjects if isinstance(subject, Comparison)]
    if len(comparisons) < 2 or len({tuple(c.runs) for c in comparisons}) > 1:
        return ""
    return (
        '<section class="study" id="all-data-sets">\n<h1>All data sets</h1>\n'
        f"{_comparison_head(comparisons)}</section>\n"
    )


def _section(subject: Subject, dashboard: Dashboard, identity: str) -> str:
    head = _comparison_head([subject]) if isinstance(subject, Comparison) else _study_head(subject)
    panels = "".join(_panel(subject, name, f"{identity}-{name}") for name in dashboard.panels)
    return (
        f'<section class="study" id="{identity}">\n<h1>{html_text(subject.name)}</h1>\n'
        f"{head}{panels}</section>\n"
    )


def _study_head(view: StudyView) -> str:
    """What stands above a study's panels: the result, and the best trials."""
    best = best_trials(view.summary)
    return (
        f'<p class="result">{html_text(result_sentence(view.summary))}</p>\n'
        f"<p>{html_text(winner_line(view.summary))}</p>\n"
        f"{'' if best is None else table_html(best, kind='trials')}"
    )


def _comparison_head(comparisons: Sequence[Comparison]) -> str:
    """The answer in words, and the table: of one data set, or of several put together."""
    rows, measure = summarize_strategies(*comparisons), comparisons[0].measure
    told = filter(None, [*answer(rows, measure), simple_models_text(comparisons)])
    more = "".join(f"<li>{html_text(sentence)}</li>" for sentence in told)
    note = comparison_note(comparisons, reference_of(comparisons))
    return (
        f'<p class="result">{html_text(verdict(rows, measure))}</p>\n<ul>{more}</ul>\n'
        f"{table_html(strategies_table(comparisons, rows))}"
        f'<p class="note">{html_text(note)}</p>\n'
    )


def _panel(subject: Subject, name: str, identity: str) -> str:
    made = panel(name)
    head = (
        f'<section class="panel" aria-labelledby="{identity}">\n'
        f'<h2 id="{identity}">{html_text(made.title)}</h2>\n'
    )
    try:
        data = made.data(subject)
    except NothingToDraw as reason:
        return f'{head}<p class="empty">{html_text(str(reason))}</p>\n</section>\n'
    figures = made.figures(data)
    drawn = "".join(figure_html(f, f"{identity}-{n}") for n, f in enumerate(figures, start=1))
    body = f'<div class="figures">{drawn}</div>\n' if figures else ""
    body += "".join(map(table_html, made.tables(data)))
    note = f'<p class="note">{html_text(data.note)}</p>\n' if data.note else ""
    return f"{head}<p>{html_text(made.about)}</p>\n{body}{note}</section>\n"


def page_name(names: Sequence[str]) -> str:
    """The file that a page of these studies or comparisons is written to by default.

    >>> page_name(["digits", "iris/grid/0"])
    'digits+iris%2Fgrid%2F0.html'
    """
    return f"{_short('+'.join(map(file_name, names)))}.html"


def file_name(name: str) -> str:
    """A study's name as it can stand in names of files and in links; no two have the same.

    Letters of any script and digits stay what they are; all else is written as in addresses. What a
    system that takes capital letters for small ones may take for another name gets a digest.

    >>> file_name("digits/grid 1"), file_name("digits_grid_1"), file_name("ünï"), file_name("..")
    ('digits%2Fgrid%201', 'digits_grid_1', 'ünï', '%2E%2E')
    >>> file_name("a_b"), file_name("A_B")
    ('a_b', 'A_B%-6c1908f9')
    """
    alike = unicodedata.normalize("NFKC", name.upper().casefold())
    return _short(_escaped(name)) if alike == name else _marked(_escaped(name))


RESERVED = re.compile(
    r"^(con|prn|aux|nul|com[\d¹²³]|lpt[\d¹²³])(?![^.])|^[.-]|\.$|[^\w.-]", re.IGNORECASE
)
"""What is no part of a file's name: Windows' devices, a sign that hides a file or begins an option,
a point at the end, and what means something to a system or a shell."""


def _escaped(name: str) -> str:
    def escape(found: re.Match[str]) -> str:
        first, rest = found[0][0], found[0][1:]
        return "".join(f"%{b:02X}" for b in first.encode(errors="surrogatepass")) + rest

    return RESERVED.sub(escape, name) or "%"


def _short(text: str) -> str:
    """File systems count bytes, up to 255 with the ending and with what figures add."""
    return text if len(text.encode()) <= LONGEST else _marked(text)


def _marked(text: str) -> str:
    """A text with a digest of it, behind a sign that no other has."""
    content = text.encode()
    beginning = content[: LONGEST - 10].decode(errors="ignore")
    return f"{beginning}%-{sha256(content).hexdigest()[:8]}"


LONGEST = 150
