"""What the model believes along each parameter, with a band."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hpsearch.plots.beliefs import StudyBeliefs, beliefs_of
from hpsearch.plots.scales import ScoreAxis, hover_texts, parameter_axis, points
from hpsearch.plots.style import BLUE, GREY, VERMILLION, Figure, blank_figure, faded, label
from hpsearch.plots.view import StudyView
from hpsearch.search.beliefs import Effect, effects
from hpsearch.space import Categorical, Parameter, Value

__all__ = ["EffectData", "EffectsData", "effects_data", "effects_figures"]


@dataclass(frozen=True)
class EffectData:
    """The effect of one parameter.

    Attributes:
        name: of the parameter.
        parameter: with its widest range.
        values: coordinates along its axis.
        mean, low, high: the score that is expected at each, the others as in the best
            configuration, and the band of two standard deviations.
        average: the score that is expected at each on average over the others.
        share: of this average in what is expected to vary over the space.
        best: the coordinate of the best configuration; None where that does not have it.
    """

    name: str
    parameter: Parameter
    values: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    average: np.ndarray
    share: float
    best: float | None


@dataclass(frozen=True)
class EffectsData:
    """The effects, the largest share first.

    Attributes:
        effects: of each parameter.
        axis: of the scores.
        best: what the best configuration is: the winner, or the best so far.
        note: how they were computed.
    """

    effects: tuple[EffectData, ...]
    axis: ScoreAxis
    best: str
    note: str


def effects_data(view: StudyView) -> EffectsData:
    """What a model believes along each parameter, around the best configuration and on average.

    Raises:
        NothingToDraw: as for `beliefs_of`.
    """
    told = beliefs_of(view)
    best = view.summary.best or {}
    which = "the best so far" if view.summary.winner is None else "the winner"
    found = effects(told.beliefs, best)
    alone = min(sum(effect.share for effect in found), 1.0)
    note = (
        f"{told.of} Lines: what it expects along a parameter with the others as in {which}; "
        "shades: 2 standard deviations to either side, without the noise of a single trial. "
        "Dashed: with the others averaged over their whole ranges; in brackets, the share of this "
        "in what the model expects to vary over the space"
        + (f" (together {alone:.0%}; the rest is in combinations). " if len(found) > 1 else ". ")
        + "It knows the worse half of the scores by rank, and nothing is drawn above the best "
        "found. The importances ask something else: where the best tenth of the first stage lies."
    )
    return EffectsData(
        tuple(_effect(told, effect, best.get(effect.parameter)) for effect in found),
        told.axis,
        which,
        note,
    )


def _effect(told: StudyBeliefs, effect: Effect, best: Value) -> EffectData:
    parameter = told.beliefs.model.space.parameters[effect.parameter]
    ends = [told.scores(effect.mean + d * effect.deviation) for d in (-2, 2)]
    there = best is not None and (not isinstance(parameter, Categorical) or best in parameter)
    return EffectData(
        effect.parameter,
        parameter,
        points(parameter, effect.values),
        told.scores(effect.mean),
        np.minimum(*ends),
        np.maximum(*ends),
        told.scores(effect.average),
        effect.share,
        float(points(parameter, [best])[0]) if there else None,
    )


def effects_figures(data: EffectsData) -> list[Figure]:
    """A figure for each parameter, all with one axis of scores."""
    return [_effect_figure(data, effect) for effect in data.effects]


def _effect_figure(data: EffectsData, effect: EffectData) -> Figure:
    figure = blank_figure(effect.name, data.axis.name, height=320)
    figure.update_xaxes(**parameter_axis(effect.name, effect.parameter))
    figure.update_yaxes(range=data.axis.range)
    choices = isinstance(effect.parameter, Categorical)
    texts = hover_texts([effect.parameter], [effect.values])
    here = "%{x:.3g}" if texts is None else "%{text}"
    low, mean, high = (y.astype(np.float32) for y in (effect.low, effect.mean, effect.high))
    error = None
    if choices:
        error = {"type": "data", "array": high - mean, "arrayminus": mean - low, "color": BLUE}
    else:
        figure.add_scatter(
            x=np.concatenate([effect.values, effect.values[::-1]]),
            y=np.concatenate([high, low[::-1]]),
            mode="lines",
            line={"width": 0},
            fill="toself",
            fillcolor=faded(BLUE, 0.2),
            hoverinfo="skip",
            showlegend=False,
        )
    figure.add_scatter(
        x=effect.values,
        y=mean,
        error_y=error,
        customdata=np.stack([low, high], axis=1),
        text=texts,
        mode="markers" if choices else "lines",
        line={"color": BLUE, "width": 3},
        marker={"color": BLUE, "size": 10},
        name=f"others as in {label(data.best)}",
        showlegend=True,
        hovertemplate=f"{here}: %{{y:.4g}} expected,<br>%{{customdata[0]:.4g}} to "
        "%{customdata[1]:.4g}<extra></extra>",
    )
    figure.add_scatter(
        x=effect.values,
        y=effect.average.astype(np.float32),
        text=texts,
        mode="markers" if choices else "lines",
        line={"color": GREY, "width": 2, "dash": "dash"},
        marker={"color": GREY, "size": 8, "symbol": "diamond-open"},
        name=f"others averaged ({effect.share:.0%})",
        hovertemplate=f"{here}: %{{y:.4g}} on average<extra></extra>",
    )
    if effect.best is not None:
        figure.add_scatter(
            x=[effect.best, effect.best],
            y=data.axis.range,
            mode="lines",
            line={"color": VERMILLION, "width": 2, "dash": "dot"},
            name=label(data.best),
            hovertemplate=f"{label(data.best)}<extra></extra>",
        )
    return figure
