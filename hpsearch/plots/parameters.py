"""Each parameter against the score, on its own scale, with the range of every stage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from hpsearch.engine.summary import TrialRow
from hpsearch.plots.scales import (
    ScoreAxis,
    by_stage,
    hover_texts,
    parameter_axis,
    points,
    score_axis,
    single,
    thinned,
)
from hpsearch.plots.style import (
    GREY,
    TRIALS_IN_CUSTOMDATA,
    Figure,
    blank_figure,
    label,
    linked,
    parameter_key,
    stage_colour,
    wrapped,
)
from hpsearch.plots.view import NothingToDraw, StudyView, scored
from hpsearch.search.base import RACE, StageKind
from hpsearch.space import Categorical, Parameter, Value

__all__ = ["Draws", "ParameterData", "Range", "parameters_data", "parameters_figures"]


BARS = (
    "The bars above are the ranges from which the stages drew; hovering over one says why it "
    "moved or stayed."
)


class Draws(NamedTuple):
    """The values of a parameter in some trials, their scores and numbers, and why they stopped."""

    values: tuple[Value, ...]
    scores: tuple[float, ...]
    numbers: tuple[int, ...]
    reasons: tuple[str, ...]


class Range(NamedTuple):
    """From where a stage drew a parameter, and why there."""

    stage: StageKind
    parameter: Parameter
    reason: str


@dataclass(frozen=True)
class ParameterData:
    """One parameter.

    Attributes:
        name: of the parameter.
        parameter: with the widest range that was drawn from.
        stages: its values in the complete trials of each stage.
        stopped: in the trials that were stopped as known bad.
        ranges: of each stage that drew, in order.
        axis: of the scores.
    """

    name: str
    parameter: Parameter
    stages: dict[StageKind, Draws]
    stopped: Draws
    ranges: tuple[Range, ...]
    axis: ScoreAxis


@dataclass(frozen=True)
class ParametersData:
    """All parameters of a study, in its order; and what was thinned or moved."""

    parameters: tuple[ParameterData, ...]
    note: str


def parameters_data(view: StudyView) -> ParametersData:
    """The values of each parameter beside the scores.

    Raises:
        NothingToDraw: no trial is complete, or nothing was searched.
    """
    trials = scored(view)
    if not view.parameters:
        raise NothingToDraw("The study searches no parameter.")
    axis = score_axis(view, [t.known_score for t in trials])
    # There are as many figures as parameters, so that each has fewer points than a single one.
    kept, thinning = thinned(trials, 400)
    pruned = [t for t in view.trials if t.state == "pruned"]
    stopped, _ = thinned(pruned, 150)
    fewer = f"Crosses are {len(stopped)} of {len(pruned):,} stopped trials."
    stages = by_stage(kept)
    crosses = fewer if len(stopped) < len(pruned) else ""
    bars = BARS if view.summary.stages else ""
    note = " ".join(filter(None, (bars, thinning, crosses, axis.note)))
    return ParametersData(
        tuple(
            ParameterData(
                name=name,
                parameter=parameter,
                stages={stage: _draws(name, group) for stage, group in stages.items()},
                stopped=_draws(name, stopped),
                ranges=_ranges(view, name),
                axis=axis,
            )
            for name, parameter in view.parameters.items()
        ),
        note,
    )


def _draws(name: str, trials: Sequence[TrialRow]) -> Draws:
    here = [t for t in trials if name in t.configuration]
    return Draws(
        tuple(t.configuration[name] for t in here),
        tuple(float("nan") if t.score is None else t.score for t in here),
        tuple(t.number for t in here),
        tuple(t.reason for t in here if t.state == "pruned"),
    )


def _ranges(view: StudyView, name: str) -> tuple[Range, ...]:
    """The ranges of the stages that drew from one; a race draws nothing."""
    ranges: list[Range] = []
    for stage in view.summary.stages:
        if stage.kind.name == RACE or name not in stage.space.parameters:
            continue
        reasons = [change.reason for change in stage.changes if change.parameter == name]
        reason = reasons[0] if reasons else "the range of the study file" if not ranges else ""
        ranges.append(Range(stage.kind, stage.space.parameters[name], reason))
    return tuple(ranges)


def parameters_figures(data: ParametersData) -> list[Figure]:
    """One figure for each parameter."""
    return [parameter_figure(parameter) for parameter in data.parameters]


def parameter_figure(data: ParameterData) -> Figure:
    """A parameter against the score; its stages' ranges are bars above, their reasons on hover."""
    rows = len(data.ranges)
    figure = blank_figure(data.name, data.axis.name, height=320 + 14 * rows)
    linked(figure, x=parameter_key(data.name), y="score")
    figure.update_xaxes(**parameter_axis(data.name, data.parameter))
    share = 0.05 * rows  # of the height, for the bars
    figure.update_yaxes(range=data.axis.range, domain=[0, 0.97 - share if rows else 1])
    figure.update_layout(
        yaxis2={"domain": [1 - share, 1], "range": [rows - 0.5, -0.5], "visible": False}
    )
    for n, drawn in enumerate(data.ranges):
        x = _extent(data.parameter, drawn.parameter)
        figure.add_scatter(
            x=x,
            y=np.full(len(x), n),
            yaxis="y2",
            mode="lines+markers",
            line={"color": stage_colour(drawn.stage), "width": 6},
            marker={"color": stage_colour(drawn.stage), "size": 6, "symbol": "square"},
            showlegend=False,
            hovertemplate=wrapped(f"range of {drawn.stage}: {drawn.reason}") + "<extra></extra>",
        )
    for stage, draws in data.stages.items():
        heights = data.axis.clip(draws.scores)
        _add_draws(figure, data, str(stage), draws, heights, stage_colour(stage), "circle")
    if data.stopped.values:
        heights = np.full(len(data.stopped.values), data.axis.edge)
        _add_draws(figure, data, "stopped", data.stopped, heights, GREY, "x-thin-open")
    return figure


def _add_draws(
    figure: Figure,
    data: ParameterData,
    name: str,
    draws: Draws,
    heights: np.ndarray,
    colour: str,
    symbol: str,
) -> None:
    x = points(data.parameter, draws.values)
    texts = hover_texts([data.parameter], [x])
    figure.add_scatter(
        x=x + _jitter(data.parameter, len(x)),
        y=heights.astype(np.float32),
        customdata=np.array(draws.numbers, np.int32),
        meta=TRIALS_IN_CUSTOMDATA,
        text=texts,
        mode="markers",
        marker={"color": colour, "size": 6, "symbol": symbol, "opacity": 0.8},
        name=label(name),
        hovertext=[label(reason) for reason in draws.reasons] or None,
        hovertemplate="trial %{customdata}: "
        f"{'%{hovertext}<br>' if draws.reasons else '%{y:.4g} '}at "
        f"{'%{x:.3g}' if texts is None else '%{text}'}"
        f"<extra>{label(name)}</extra>",
    )


def _jitter(parameter: Parameter, count: int) -> np.ndarray:
    """Choices and small numbers are drawn beside each other, not on top; always the same way."""
    discrete = isinstance(parameter, Categorical)
    return (
        np.random.default_rng(0).uniform(-0.15, 0.15, count) if discrete else np.zeros(count)
    ).astype(np.float32)


def _extent(whole: Parameter, drawn: Parameter) -> np.ndarray:
    """The coordinates of a range, some of them between its ends so that it can be hovered over."""
    if isinstance(drawn, Categorical):
        return points(whole, drawn.choices)
    low, high = drawn.scaled(drawn.low), drawn.scaled(drawn.high)
    return single([drawn.unscaled(x) for x in np.linspace(low, high, 9)])
