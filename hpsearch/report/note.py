"""A study in a few lines of Markdown, as optuna-dashboard shows notes."""

from __future__ import annotations

import html
import re

from hpsearch.plots import NothingToDraw, StudyView
from hpsearch.plots.diagnosis import diagnosis_data
from hpsearch.wording import Table, moves, result_sentence, stages_table, winner_line
from hpsearch.writing import written_out

__all__ = ["note_markdown"]

MOST = 5
"""Sentences of advice; the report has them all."""


def note_markdown(view: StudyView) -> str:
    """What was searched, what won, what to do next, and how the ranges moved.

    Args:
        view: a study that hpsearch made.
    """
    summary = view.summary
    parts = [f"**{_plain(result_sentence(summary))}**", _plain(winner_line(summary))]
    if summary.stages:
        parts.append(_table(stages_table(summary)))
    if summary.winner is not None:
        parts.append(
            f"Trial {summary.winner} stands for the winner, which may have raced over several "
            "seeds; what optuna-dashboard calls the best trial has the best single score. Its "
            "own importances are of all trials, those of hpsearch of the first stage, which alone "
            "draws from the whole space."
        )
    parts += _advice(view)
    moved = [
        _plain(f"{m.stage}: {m.parameter} from {m.before} to {m.after}: {m.reason}")
        for m in moves(summary)
        if not m.stayed
    ]
    if moved:
        parts.append("\n- ".join(["### How the ranges moved\n", *moved]))
    if view.comparison is not None:
        parts.append(
            f"A part of the comparison **{_plain(view.comparison)}**: `hpsearch report` draws it."
        )
    return "\n\n".join(part for part in parts if part)


def _advice(view: StudyView) -> list[str]:
    """What went wrong in a line, and what the study's trainings ask for."""
    lines: list[str] = []
    try:
        found = diagnosis_data(view)
    except NothingToDraw as reason:
        if view.may_be_network:
            lines = [str(reason)]
    else:
        counts = ", ".join(f"{c.finding.name} in {c.trainings:,}" for c in found.counts)
        lines = [f"{found.note} Found: {counts}."]
    asked = [f"- {r.sentence}" for r in view.advice if r.asks][:MOST]
    if view.advice and not asked:
        asked = ["All is well: the trainings ask for no change."]
    return ["\n".join(["### Advice", "", *map(_plain, asked)]), *map(_plain, lines)]


def _plain(text: str) -> str:
    """A line of text in which Markdown finds nothing to do, and HTML neither."""
    shown = written_out(text).replace("\n", " ")
    return re.sub(r"[\\`*_~\[\]]", r"\\\g<0>", html.escape(shown, quote=False))


def _table(table: Table) -> str:
    """A table under its caption."""
    lines = [table.headings, ["---"] * len(table.headings), *table.rows]
    rows = (" | ".join(_plain(cell).replace("|", "\\|") for cell in line) for line in lines)
    return "\n".join([f"### {_plain(table.caption)}\n", *(f"| {row} |" for row in rows)])
