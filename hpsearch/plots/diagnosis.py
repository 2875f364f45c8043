"""What was wrong with the trainings of a study, and with how many of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from hpsearch.engine.summary import TrialRow
from hpsearch.plots.style import BLUE, VERMILLION, blank_figure, wrapped
from hpsearch.plots.view import NothingToDraw, StudyView
from hpsearch.training.diagnosis import ADVICE, Finding

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["Count", "DiagnosisData", "diagnosis_data", "diagnosis_figure"]

WIDTH = 40
"""Of the lines under the mouse, in characters: a phone has room for so many."""


class Count(NamedTuple):
    """A finding, in how many trainings it was made, and in which trial to see it."""

    finding: Finding
    trainings: int
    example: int


@dataclass(frozen=True)
class DiagnosisData:
    """The findings: the faults and then the hints, the most frequent first."""

    counts: tuple[Count, ...]
    note: str


def diagnosis_data(view: StudyView) -> DiagnosisData:
    """How often each thing was found wrong; the example is the best trial that shows it.

    Raises:
        NothingToDraw: no training was diagnosed, or nothing was found.
    """
    if not view.trials:
        raise NothingToDraw("The study has no trials yet.")
    diagnosed = [t for t in view.trials if t.traced or t.findings]
    if not diagnosed:
        raise NothingToDraw("No training of this study has a trace, so that none was diagnosed.")
    found: dict[str, list[tuple[Finding, TrialRow]]] = {}
    for trial in diagnosed:
        for finding in trial.findings:
            found.setdefault(finding.name, []).append((finding, trial))
    total = f"{len(diagnosed):,} training{'' if len(diagnosed) == 1 else 's'}"
    if not found:
        raise NothingToDraw(f"All is well: nothing was found wrong with {total}.")
    counts = [Count(here[0][0], len(here), here[0][1].number) for here in found.values()]
    faulty = sum(bool(trial.faults) for trial in diagnosed)
    clean = sum(not trial.findings for trial in diagnosed)
    return DiagnosisData(
        tuple(sorted(counts, key=lambda count: (not count.finding.fault, -count.trainings))),
        f"{faulty:,} of {total} had a fault; {clean:,} had neither a fault nor a hint.",
    )


def diagnosis_figure(data: DiagnosisData) -> go.Figure:
    """A bar for each finding; hovering shows an example's evidence, and what helps."""
    figure = blank_figure("trainings", "", height=130 + 34 * len(data.counts))
    for kind, fault, colour in (("fault", True, VERMILLION), ("hint", False, BLUE)):
        counts = [count for count in data.counts if count.finding.fault == fault]
        if not counts:
            continue
        figure.add_bar(
            x=[count.trainings for count in counts],
            y=[count.finding.name for count in counts],
            orientation="h",
            marker={"color": colour},
            name=kind,
            showlegend=True,
            text=[str(count.trainings) for count in counts],
            textposition="outside",
            cliponaxis=False,
            hovertext=[_evidence(count) for count in counts],
            hovertemplate="%{hovertext}<extra></extra>",
            hoverlabel={"align": "left"},
        )
    most = max(count.trainings for count in data.counts)
    names = [count.finding.name for count in reversed(data.counts)]
    figure.update_xaxes(range=[0, 1.12 * most], tickformat=",d", dtick=1 if most < 8 else None)
    figure.update_yaxes(
        type="category", automargin=True, categoryorder="array", categoryarray=names
    )
    return figure


def _evidence(count: Count) -> str:
    finding = count.finding
    helps = wrapped(f"What helps: {ADVICE[finding.name]}", WIDTH)
    evidence = wrapped(f"{finding.evidence}.", WIDTH)
    return f"<b>{finding.name}</b>, as in trial {count.example}:<br>{evidence}<br>{helps}"
