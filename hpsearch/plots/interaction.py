"""What the model believes over the two parameters that matter most together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from hpsearch.plots.beliefs import beliefs_of
from hpsearch.plots.scales import ScoreAxis, hover_texts, parameter_axis, points
from hpsearch.plots.style import (
    VERMILLION,
    Figure,
    add_drawn,
    blank_figure,
    label,
    linked,
    parameter_key,
)
from hpsearch.plots.view import NothingToDraw, StudyView
from hpsearch.search.beliefs import strongest_pair
from hpsearch.space import Categorical, Parameter, Value

__all__ = ["InteractionData", "interaction_data", "interaction_figure"]


@dataclass(frozen=True)
class InteractionData:
    """The numbers of the map.

    Attributes:
        names: of the two parameters.
        parameters: with their widest ranges.
        grids: coordinates along both axes.
        surface: (second, first) the score that is expected there.
        drawn: (2, n) coordinates of the trials.
        numbers: (n,) of those.
        best: those of the best configuration; None where that has not both.
        axis: of the scores.
        note: how the pair was chosen.
    """

    names: tuple[str, str]
    parameters: tuple[Parameter, Parameter]
    grids: tuple[np.ndarray, np.ndarray]
    surface: np.ndarray
    drawn: np.ndarray
    numbers: np.ndarray
    best: tuple[float, float] | None
    axis: ScoreAxis
    note: str


def interaction_data(view: StudyView) -> InteractionData:
    """What a model believes over the pair of the largest interaction.

    Raises:
        NothingToDraw: as for `beliefs_of`, or no two parameters exist side by side.
    """
    told = beliefs_of(view)
    pair = strongest_pair(told.beliefs)
    if pair is None:
        raise NothingToDraw("There are no two parameters that exist side by side.")
    space = told.beliefs.model.space
    parameters = space.parameters[pair.parameters[0]], space.parameters[pair.parameters[1]]

    def coordinates(configurations: Sequence[Mapping[str, Value]]) -> np.ndarray:
        columns = zip(pair.parameters, parameters, strict=True)
        return np.stack([points(p, [c[n] for c in configurations]) for n, p in columns])

    both = set(pair.parameters)
    drawn = [t for t in told.trials if both <= t.configuration.keys()]
    best = view.summary.best or {}
    which = "the best so far" if view.summary.winner is None else "the winner"
    pairs = math.comb(len(space.parameters), 2)
    among = f" of {pairs} pairs" if pairs > 1 else ""
    note = (
        f"{told.of} Chosen is the pair{among} with the largest interaction: "
        f"{_percent(pair.share)} of what the model expects to vary over the space is in what "
        f"{pair.parameters[0]} and {pair.parameters[1]} do together, beyond the sum of their two "
        "effects. The others are averaged over their whole ranges. Points are trials"
        + (f", the star is {which}." if both <= best.keys() else ".")
    )
    return InteractionData(
        pair.parameters,
        parameters,
        (points(parameters[0], pair.values[0]), points(parameters[1], pair.values[1])),
        told.scores(pair.mean).T,
        coordinates([t.configuration for t in drawn]),
        np.array([t.number for t in drawn], np.int32),
        tuple(coordinates([best])[:, 0].tolist()) if both <= best.keys() else None,
        told.axis,
        note,
    )


def _percent(share: float) -> str:
    """A share, or that there is as good as none."""
    return f"{share:.0%}" if share >= 0.005 else "less than 1%"


def interaction_figure(data: InteractionData) -> Figure:
    """The map, the trials on it, and the best configuration."""
    figure = blank_figure(*data.names, height=440)
    linked(figure, x=parameter_key(data.names[0]), y=parameter_key(data.names[1]))
    # Beside the colour bar a phone leaves so little room that labels stand aslant.
    figure.update_xaxes(**parameter_axis(data.names[0], data.parameters[0], ticks=8, width=12))
    figure.update_yaxes(**parameter_axis(data.names[1], data.parameters[1], ticks=8, width=12))
    figure.update_layout(xaxis_automargin=True, yaxis_automargin=True)
    grids = np.meshgrid(*data.grids)
    texts = hover_texts(data.parameters, [grid.ravel() for grid in grids])
    # Between two choices there is nothing that contours could be drawn through.
    choices = all(isinstance(parameter, Categorical) for parameter in data.parameters)
    draw = figure.add_heatmap if choices else partial(figure.add_contour, line={"width": 0.5})
    draw(
        x=data.grids[0],
        y=data.grids[1],
        z=data.surface.astype(np.float32),
        colorscale="Cividis",
        reversescale=data.axis.edge == data.axis.high,  # bright is good, also for losses
        colorbar={"title": {"text": label(data.axis.name), "side": "right"}, "thickness": 12},
        text=None if texts is None else np.array(texts, object).reshape(data.surface.shape),
        hovertemplate=f"{'%{x:.3g}, %{y:.3g}' if texts is None else '%{text}'}: "
        "%{z:.4g} expected<extra></extra>",
    )
    add_drawn(figure, *data.drawn, numbers=data.numbers)
    if data.best is not None:
        figure.add_scatter(
            x=[data.best[0]],
            y=[data.best[1]],
            mode="markers",
            marker={"color": VERMILLION, "size": 13, "symbol": "star-open", "line": {"width": 2}},
            hoverinfo="skip",
            showlegend=False,
        )
    return figure
