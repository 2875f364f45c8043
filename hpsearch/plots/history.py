"""Optimization history: the score of each trial in order, the stages, and the best so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from hpsearch.engine.summary import TrialRow
from hpsearch.plots.scales import ScoreAxis, by_stage, score_axis, thinned
from hpsearch.plots.style import (
    GREY,
    VERMILLION,
    Figure,
    blank_figure,
    label,
    linked,
    stage_colour,
    stage_group,
    wrapped,
)
from hpsearch.plots.view import StudyView, scored
from hpsearch.search.base import StageKind
from hpsearch.wording import settings_text, why_chosen

__all__ = ["HistoryData", "Span", "Trials", "history_data", "history_figure"]

SIGMA = (
    "Hovering says why a trial was chosen; σ is the standard deviation that the model gave any "
    "score before it had seen one."
)


TRIALS_IN_X = {"trials": "x"}


class Span(NamedTuple):
    """A stage, from its first trial to its last."""

    stage: StageKind
    first: int
    last: int


class Trials(NamedTuple):
    """Trials of one stage, or those that were stopped: numbers, scores, and what hovering says.

    That is their settings, or why they were stopped; and why they were chosen.
    """

    numbers: tuple[int, ...]
    scores: tuple[float, ...]
    texts: tuple[str, ...]
    whys: tuple[str, ...]

    @property
    def hover(self) -> list[str]:
        """What hovering says in its lines."""
        both = zip(self.texts, self.whys, strict=True)
        return ["<br>".join((label(text), wrapped(why, 40))) for text, why in both]


@dataclass(frozen=True)
class HistoryData:
    """The numbers of the history.

    Attributes:
        stages: the complete trials of each stage.
        stopped: those that were stopped as known bad; their scores are not read.
        spans: where the stages lie; empty for a study without stages.
        best: the trial numbers at which the best score changed, with that score; and the last.
        axis: of the scores.
        note: what was thinned or moved.
        baselines: what simple models score, by their short names.
        winner: number and score of the trial that stands for the winner.
    """

    stages: dict[StageKind, Trials]
    stopped: Trials
    spans: tuple[Span, ...]
    best: tuple[tuple[int, float], ...]
    axis: ScoreAxis
    note: str
    baselines: dict[str, float] = field(default_factory=dict)
    winner: tuple[int, float] | None = None


def history_data(view: StudyView) -> HistoryData:
    """The scores of a study's trials in their order.

    Raises:
        NothingToDraw: no trial is complete.
    """
    trials = scored(view)
    axis = score_axis(view, [t.known_score for t in trials])
    kept, thinning = thinned(trials)
    stopped, stopping = thinned([t for t in view.trials if t.state == "pruned"], 200)
    crosses = stopping and f"Crosses: {stopping}"
    without = sum(t.state == "complete" for t in view.trials) - len(trials)
    huge = f"Not drawn: complete trials with infinite or huge scores ({without})."
    beyond = huge if without else ""
    sigma = SIGMA if any(t.motive for t in view.trials) else ""
    winner = view.summary.winner
    beside = [
        f"The dotted line is {b.does}."
        if axis.range[0] <= b.validation <= axis.range[1]
        else f"Off the axis: {b.does} scores {view.summary.measure.text(b.validation)}."
        for b in view.summary.baselines
    ]
    return HistoryData(
        stages={stage: _trials(group) for stage, group in by_stage(kept).items()},
        stopped=_trials(stopped),
        spans=_spans(view.trials),
        best=_best(trials, view.summary.maximize),
        axis=axis,
        note=" ".join(filter(None, (thinning, crosses, axis.note, beyond, sigma, *beside))),
        baselines={b.short: b.validation for b in view.summary.baselines},
        winner=next(((t.number, t.known_score) for t in trials if t.number == winner), None),
    )


def _trials(trials: Sequence[TrialRow]) -> Trials:
    return Trials(
        tuple(t.number for t in trials),
        tuple(float("nan") if t.score is None else t.score for t in trials),
        tuple(t.reason if t.state == "pruned" else settings_text(t.configuration) for t in trials),
        tuple(map(why_chosen, trials)),
    )


def _spans(trials: Sequence[TrialRow]) -> tuple[Span, ...]:
    """Stages with their trial numbers, in order; the rounds of a race are one."""
    numbers: dict[StageKind, list[int]] = {}
    for trial in trials:
        if trial.stage:
            numbers.setdefault(stage_group(trial.stage), []).append(trial.number)
    spans = (Span(stage, min(here), max(here)) for stage, here in numbers.items())
    return tuple(sorted(spans, key=lambda span: span.first))


def _best(trials: Sequence[TrialRow], maximize: bool) -> tuple[tuple[int, float], ...]:
    ordered = sorted(trials, key=lambda trial: trial.number)
    steps: list[tuple[int, float]] = []
    for trial in ordered:
        score = trial.known_score
        if not steps or (score > steps[-1][1] if maximize else score < steps[-1][1]):
            steps.append((trial.number, score))
    last = ordered[-1].number
    return (*steps, (last, steps[-1][1])) if steps[-1][0] != last else tuple(steps)


def history_figure(data: HistoryData) -> Figure:
    """Points by stage, crosses for stopped trials, a line for the best so far."""
    figure = blank_figure("trial number", data.axis.name, height=400)
    figure.update_yaxes(range=data.axis.range)
    linked(figure, x="number", y="score")
    for span in data.spans:
        figure.add_vrect(
            x0=span.first - 0.5,
            x1=span.last + 0.5,
            fillcolor=stage_colour(span.stage),
            opacity=0.1,
            line_width=0,
            layer="below",
        )
    for stage, trials in data.stages.items():
        figure.add_scatter(
            x=np.array(trials.numbers, np.int32),
            y=data.axis.clip(trials.scores).astype(np.float32),
            customdata=np.array(trials.scores, np.float32),
            meta=TRIALS_IN_X,
            mode="markers",
            marker={"color": stage_colour(stage), "size": 6},
            name=label(str(stage)),
            text=trials.hover,
            hovertemplate="trial %{x}: %{customdata:.4g}<br>%{text}<extra></extra>",
        )
    if data.stopped.numbers:
        figure.add_scatter(
            x=np.array(data.stopped.numbers, np.int32),
            y=np.full(len(data.stopped.numbers), data.axis.edge),
            meta=TRIALS_IN_X,
            mode="markers",
            marker={"color": GREY, "size": 7, "symbol": "x-thin-open"},
            name="stopped",
            text=data.stopped.hover,
            hovertemplate="trial %{x} was stopped: %{text}<extra></extra>",
        )
    figure.add_scatter(
        x=[number for number, _ in data.best],
        y=[score for _, score in data.best],
        mode="lines",
        line={"shape": "hv", "color": GREY, "width": 2},
        name="best so far",
        hovertemplate="best up to trial %{x}: %{y:.4g}<extra></extra>",
    )
    if data.winner is not None:
        figure.add_scatter(
            x=[data.winner[0]],
            y=data.axis.clip([data.winner[1]]),
            mode="markers",
            marker={"color": VERMILLION, "size": 13, "symbol": "star-open", "line": {"width": 2}},
            name="the winner",
            hovertemplate=f"trial {data.winner[0]} stands for the winner<extra></extra>",
        )
    for score in data.baselines.values():
        if data.axis.range[0] <= score <= data.axis.range[1]:
            figure.add_hline(y=score, line={"color": GREY, "dash": "dot", "width": 1})
    return figure
