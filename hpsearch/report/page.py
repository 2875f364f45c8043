"""A page of studies: a section for each, and panels in each section."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TypeAlias
from urllib.parse import quote

from hpsearch.compare.result import Comparison
from hpsearch.compare.summary import reference_of, summarize_strategies
from hpsearch.file_names import file_name, short_name
from hpsearch.plots import NothingToDraw, StudyView, panel
from hpsearch.report.dashboards import Dashboard
from hpsearch.report.document import document_html, figure_html, table_html
from hpsearch.wording import (
    answer,
    beside,
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
    shown = [name for name in dashboard.panels if panel(name).suits(subject)]
    panels = "".join(_panel(subject, name, f"{identity}-{name}") for name in shown)
    return (
        f'<section class="study" id="{identity}">\n<h1>{html_text(subject.name)}</h1>\n'
        f"{head}{panels}</section>\n"
    )


def _study_head(view: StudyView) -> str:
    """What stands above a study's panels: the result, and the best trials."""
    best, told = best_trials(view.summary), beside(view.summary)
    rivals = f"<p>{html_text(told[0].upper() + told[1:])}</p>\n" if told else ""
    return (
        f'<p class="result">{html_text(result_sentence(view.summary))}</p>\n'
        f"{rivals}<p>{html_text(winner_line(view.summary))}</p>\n"
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
    return f"{short_name('+'.join(map(file_name, names)))}.html"
