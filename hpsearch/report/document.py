"""A page as one JSON document, from which its scripts draw all that a reader sees.

Every text in it is plain: the scripts set it as text, and nothing of it is read as HTML. A page
that is open takes a newer document and keeps what its reader has chosen.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, TypedDict

from hpsearch.compare.result import Comparison
from hpsearch.compare.summary import are_alike, reference_of, summarize_strategies
from hpsearch.file_names import file_name
from hpsearch.plots import NothingToDraw, StudyView, panel
from hpsearch.plots.style import DARK, LIGHT, Figure
from hpsearch.plots.view import looked_into
from hpsearch.report.columns import Trials, trial_columns
from hpsearch.report.dashboards import Dashboard
from hpsearch.wording import (
    Table,
    answer,
    beside,
    comparison_note,
    result_sentence,
    simple_models_text,
    strategies_table,
    verdict,
    winner_line,
)
from hpsearch.writing import written_out

if TYPE_CHECKING:
    from hpsearch.storage import WriteBehindStorage

__all__ = [
    "FORMAT",
    "Document",
    "PanelDocument",
    "Section",
    "Subject",
    "TableDocument",
    "document_json",
    "document_of",
    "drawn_panel",
    "page_document",
    "panel_document",
    "section",
    "study_section",
    "trial_panels",
]

FORMAT = 1
"""Of the document; a script that knows another one asks its reader to load the page again."""

Subject: TypeAlias = StudyView | Comparison
"""What a section is about."""


class TableDocument(TypedDict):
    """A table of plain text; see `Table`."""

    caption: str
    headings: list[str]
    rows: list[list[str]]


class PanelDocument(TypedDict):
    """A part of a section.

    Attributes:
        name: of the panel, in `PANELS`.
        id: of its element; figures have this and a number.
        title: its heading; empty where the section's is enough.
        about: what a reader sees there.
        empty: why there is nothing to see, instead of all that follows.
        figures: in terms of Plotly, without a template. A layout's ``meta`` says which of a trial's
            figures its axes are, a trace's ``meta`` where it has the numbers of its trials.
        tables: of plain text.
        note: what is to be known of it.
    """

    name: str
    id: str
    title: str
    about: str
    empty: str
    figures: list[dict[str, Any]]
    tables: list[TableDocument]
    note: str


class Section(TypedDict):
    """A study, a comparison, or whatever has a heading of its own.

    Attributes:
        id: of its element.
        name: its heading.
        result: what it came to, in a sentence.
        words: paragraphs below that.
        points: sentences of a list.
        tables: above the panels.
        note: what is to be known of the tables.
        panels: in their order.
        trials: all trials of a study; None for whatever is no study.
    """

    id: str
    name: str
    result: str
    words: list[str]
    points: list[str]
    tables: list[TableDocument]
    note: str
    panels: list[PanelDocument]
    trials: Trials | None


class Document(TypedDict):
    """A page.

    Attributes:
        format: `FORMAT`.
        title: of the window.
        footer: the last line.
        templates: how figures look on a "light" and on a "dark" page, in terms of Plotly.
        sections: in their order.
    """

    format: int
    title: str
    footer: str
    templates: dict[str, Any]
    sections: list[Section]


def page_document(subjects: Sequence[Subject], dashboard: Dashboard) -> Document:
    """The document of a page.

    Args:
        subjects: studies or comparisons, a section each.
        dashboard: which panels each section has.
    """
    names = ", ".join(subject.name for subject in subjects)
    return document_of(
        f"{names}: {dashboard.title}",
        [*_joint(subjects), *(_section(subject, dashboard.panels) for subject in subjects)],
        footer=f"Written by hpsearch. {dashboard.title}.",
    )


def document_of(title: str, sections: Sequence[Section], *, footer: str) -> Document:
    """A document around sections; title and footer are any text."""
    return {
        "format": FORMAT,
        "title": written_out(title),
        "footer": written_out(footer),
        "templates": {"light": LIGHT, "dark": DARK},
        "sections": list(sections),
    }


def document_json(document: Document | list[PanelDocument]) -> str:
    """A document or panels as JSON, also within a script element, which nothing in it can end."""
    from plotly.io.json import to_json_plotly

    text: str = to_json_plotly(document)
    return text.replace("<", "\\u003c")


def study_section(view: StudyView, panels: Iterable[str]) -> Section:
    """A study, of hpsearch or of anybody.

    Args:
        view: of the study.
        panels: names, in their order; those that never have anything to show are left out.
    """
    summary = view.summary
    told = beside(summary)
    rivals = [told[0].upper() + told[1:]] if told else []
    identity = file_name(view.name)
    return section(
        view.name,
        identity=identity,
        result=result_sentence(summary),
        words=[*rivals, winner_line(summary)],
        panels=_panels(view, panels, identity),
        trials=trial_columns(view) if view.trials else None,
    )


def section(
    name: str,
    *,
    identity: str,
    result: str,
    words: Sequence[str] = (),
    points: Iterable[str] = (),
    tables: Sequence[Table] = (),
    note: str = "",
    panels: Sequence[PanelDocument] = (),
    trials: Trials | None = None,
) -> Section:
    """A section; its texts may be any."""
    return {
        "id": identity,
        "name": written_out(name),
        "result": written_out(result),
        "words": [written_out(text) for text in words if text],
        "points": list(map(written_out, points)),
        "tables": list(map(_table, tables)),
        "note": written_out(note),
        "panels": list(panels),
        "trials": trials,
    }


def _joint(subjects: Sequence[Subject]) -> list[Section]:
    """Several comparisons of the same strategies, put together: their average ranks among them."""
    comparisons = [subject for subject in subjects if isinstance(subject, Comparison)]
    if len(comparisons) < 2 or len({tuple(c.runs) for c in comparisons}) > 1:
        return []
    if not are_alike(comparisons):
        return []
    name = "All data sets" if comparisons[0].learns else "All studies"
    return [_compared(comparisons, name, "all-data-sets", ())]


def _section(subject: Subject, panels: Iterable[str]) -> Section:
    if isinstance(subject, StudyView):
        return study_section(subject, panels)
    identity = file_name(subject.name)
    return _compared([subject], subject.name, identity, _panels(subject, panels, identity))


def _compared(
    comparisons: Sequence[Comparison],
    name: str,
    identity: str,
    panels: Sequence[PanelDocument],
) -> Section:
    """The answer in words, and the table: of one data set, or of several put together."""
    rows, measure = summarize_strategies(*comparisons), comparisons[0].measure
    return section(
        name,
        identity=identity,
        result=verdict(rows, measure),
        points=filter(None, [*answer(rows, measure), simple_models_text(comparisons)]),
        tables=[strategies_table(comparisons, rows)],
        note=comparison_note(comparisons, reference_of(comparisons)),
        panels=panels,
    )


def _panels(subject: Subject, names: Iterable[str], identity: str) -> list[PanelDocument]:
    suitable = (name for name in names if panel(name).suits(subject))
    return [panel_document(subject, name, f"{identity}-{name}") for name in suitable]


def panel_document(subject: Subject, name: str, identity: str) -> PanelDocument:
    """A panel of a study or of a comparison, with its numbers or the reason why it has none.

    Args:
        subject: the study or the comparison.
        name: of the panel.
        identity: the id of its element.
    """
    made = panel(name)
    try:
        data = made.data(subject)
    except NothingToDraw as reason:
        return drawn_panel(name, identity, title=made.title, empty=str(reason))
    return drawn_panel(
        name,
        identity,
        title=made.title,
        about=made.about,
        figures=made.figures(data),
        tables=made.tables(data),
        note=data.note,
    )


def trial_panels(store: WriteBehindStorage, view: StudyView, number: int) -> list[PanelDocument]:
    """What a server's page shows of one trial besides what its document has: its layers.

    Args:
        store: where the study is.
        view: of the study.
        number: of the trial.
    """
    if not any(row.traced and row.number == number for row in view.trials):
        return []
    within = looked_into(store, view, number)
    return [panel_document(within, "layers", f"{file_name(view.name)}-trial-layers")]


def drawn_panel(
    name: str,
    identity: str,
    *,
    title: str = "",
    about: str = "",
    empty: str = "",
    figures: Sequence[Figure] = (),
    tables: Sequence[Table] = (),
    note: str = "",
) -> PanelDocument:
    """A panel; its texts may be any."""
    return {
        "name": name,
        "id": identity,
        "title": written_out(title),
        "about": written_out(about),
        "empty": written_out(empty),
        "figures": list(map(_figure, figures)),
        "tables": list(map(_table, tables)),
        "note": written_out(note),
    }


def _figure(figure: Figure) -> dict[str, Any]:
    """A figure's numbers; the page has both templates, and takes the reader's."""
    document: dict[str, Any] = figure.to_plotly_json()
    document["layout"].pop("template")
    return document


def _table(table: Table) -> TableDocument:
    return {
        "caption": written_out(table.caption),
        "headings": list(map(written_out, table.headings)),
        "rows": [list(map(written_out, row)) for row in table.rows],
    }
