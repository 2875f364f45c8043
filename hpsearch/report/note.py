"""A study in a few lines of Markdown, as optuna-dashboard shows notes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpsearch.compare.result import comparison_of
from hpsearch.plots.configuration import configuration_data
from hpsearch.report.words import result_sentence, winner_line

if TYPE_CHECKING:
    from hpsearch.plots import StudyView

__all__ = ["note_markdown"]


def note_markdown(view: StudyView) -> str:
    """What was searched, how it was narrowed and what won.

    Args:
        view: a study that hpsearch made.
    """
    summary = view.summary
    parts = [f"**{_plain(result_sentence(view))}**", _plain(winner_line(view))]
    if summary.stages:
        rows = [
            f"| {_cell(stage.note.name)} | {stage.done} | {stage.note.epochs} "
            f"| {'' if stage.best is None else f'{stage.best:.4f}'} |"
            for stage in summary.stages
        ]
        head = "| stage | trials | epochs | best validation |\n| --- | --- | --- | --- |"
        parts.append("\n".join([f"### {_cell(str(summary.strategy))}", "", head, *rows]))
    moves = configuration_data(view).moves
    if moves:
        lines = [
            f"- {_cell(stage)}: {_cell(name)} from {_cell(before)} to {_cell(after)}. {_plain(why)}"
            for stage, name, before, after, why in moves
            if before != after
        ]
        parts.append("\n".join(["### How the ranges moved", "", *lines]))
    if comparison := comparison_of(view.name):
        parts.append(
            f"A part of the comparison `{_plain(comparison)}`: `hpsearch report` draws it."
        )
    return "\n\n".join(part for part in parts if part)


def _plain(text: str) -> str:
    """Text in which Markdown finds nothing to do, and HTML neither."""
    for sign in "\\`*_[]<>":
        text = text.replace(sign, f"\\{sign}" if sign not in "<>" else f"&{'lg'[sign == '>']}t;")
    return text


def _cell(text: str) -> str:
    return _plain(text).replace("|", "\\|").replace("\n", " ")
