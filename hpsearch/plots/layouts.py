"""The lecture's picture: the points of a grid beside as many random ones, with their margins.

Bergstra and Bengio (2012, JMLR 13, figure 1): of an important parameter a grid tries few values
again and again; random search tries a new one each time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hpsearch.compare.result import Comparison
from hpsearch.metrics import ACCURACY, Measure
from hpsearch.plots.relevance import relevances
from hpsearch.plots.scales import parameter_axis, points
from hpsearch.plots.style import STRATEGY_COLOURS, Figure, blank_figure
from hpsearch.plots.view import NothingToDraw
from hpsearch.space import Parameter

__all__ = ["LayoutsData", "layouts_data", "layouts_figures"]


@dataclass(frozen=True, eq=False)
class LayoutsData:
    """The first repeat's points of two strategies.

    Attributes:
        important, unimportant: the names of the two parameters.
        axes: these parameters.
        places: by strategy, (2, n) coordinates.
        scores: by strategy, (n,) values in validation.
        measure: of these.
        note: how many values of each were tried.
    """

    important: str
    unimportant: str
    axes: tuple[Parameter, Parameter]
    places: dict[str, np.ndarray]
    scores: dict[str, np.ndarray]
    note: str
    measure: Measure = ACCURACY


def layouts_data(comparison: Comparison) -> LayoutsData:
    """The most relevant parameter beside the least relevant one, in grid and random search.

    Raises:
        NothingToDraw: one of the two does not compete, or there is one parameter only.
    """
    missing = {"grid", "random"} - comparison.runs.keys()
    if missing:
        raise NothingToDraw("This picture holds grid against random search; both must compete.")
    ordered = [n for n in relevances(comparison) if n not in comparison.space.conditions]
    if len(ordered) < 2:
        raise NothingToDraw("There is one parameter only, and the picture needs two.")
    names = ordered[0], ordered[-1]
    axes = comparison.space.parameters[names[0]], comparison.space.parameters[names[1]]
    places, scores, tried = {}, {}, []
    for strategy in ("grid", "random"):
        drawn = comparison.runs[strategy].first_stage()
        slots = drawn.slots[0]
        places[strategy] = np.stack(
            [
                points(axis, [s.configuration[n] for s in slots])
                for n, axis in zip(names, axes, strict=True)
            ]
        )
        scores[strategy] = drawn.scores[0][:, 0]
        values = [len({s.configuration[n] for s in slots}) for n in names]
        tried.append(
            f"{strategy}'s {len(slots)} trials tried {values[0]} values of {names[0]} and "
            f"{values[1]} of {names[1]}"
        )
    note = (
        f"In the first repeat {'; '.join(tried)}. Points of a grid that differ in other parameters "
        "lie on each other here. The worst third of the values stands at the edge."
    )
    return LayoutsData(*names, axes, places, scores, note, comparison.measure)


def layouts_figures(data: LayoutsData) -> list[Figure]:
    """A figure for each strategy: the points, and above them where they lie on the first axis."""
    sign = data.measure.sign
    best = max((sign * scores).max() for scores in data.scores.values())
    worst = min(np.quantile(sign * scores, 0.3) for scores in data.scores.values())
    low, high = sorted((sign * best, sign * worst))
    figures = []
    for strategy, (x, y) in data.places.items():
        figure = blank_figure(data.important, data.unimportant, height=400)
        axis = parameter_axis(data.important, data.axes[0])
        beside = parameter_axis(data.unimportant, data.axes[1])
        figure.update_layout(
            xaxis=axis,
            yaxis={"domain": [0, 0.7], **beside},
            yaxis2={
                "domain": [0.76, 1],
                "title": {"text": data.measure.title},
                "range": [low - 0.1 * (high - low), high + 0.1 * (high - low)],
                "nticks": 3,
            },
        )
        colour = STRATEGY_COLOURS[strategy]
        figure.add_scatter(
            x=x,
            y=y,
            mode="markers",
            marker={"color": colour, "size": 7, "opacity": 0.8},
            name=strategy,
            hovertemplate="%{x:.3g}, %{y:.3g}<extra></extra>",
        )
        figure.add_scatter(
            x=x,
            y=np.clip(data.scores[strategy], low, high).astype(np.float32),
            yaxis="y2",
            mode="markers",
            marker={"color": colour, "size": 5},
            showlegend=False,
            hovertemplate=f"{data.measure.title} %{{y:.3~g}} at %{{x:.3g}}<extra></extra>",
        )
        figures.append(figure)
    return figures
