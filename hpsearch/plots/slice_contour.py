"""The two most important parameters: the score along each of them, and over both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from hpsearch.plots.importances import importances_data
from hpsearch.plots.scales import ScoreAxis, hover_texts, parameter_axis, place, points, score_axis
from hpsearch.plots.style import (
    BLUE,
    SKY,
    TRIALS_IN_CUSTOMDATA,
    Figure,
    add_drawn,
    blank_figure,
    label,
    linked,
    parameter_key,
)
from hpsearch.plots.view import StudyView, scored
from hpsearch.space import Categorical, Parameter

__all__ = [
    "Slice",
    "SliceContourData",
    "ordered_parameters",
    "slice_contour_data",
    "slice_contour_figures",
    "smoothed",
]

WIDTH = 0.08
"""Standard deviation of the smoothing kernel, as a share of a parameter's range."""


class Slice(NamedTuple):
    """One parameter: where trials drew it, and the smoothed score along it.

    Attributes:
        name: of the parameter.
        parameter: with its widest range.
        grid: coordinates along its axis.
        mean: the smoothed score at each of them; nan where no trial is near.
    """

    name: str
    parameter: Parameter
    grid: np.ndarray
    mean: np.ndarray


@dataclass(frozen=True)
class SliceContourData:
    """The numbers of both slices and the contour.

    Attributes:
        slices: of the most and the second most important parameter.
        surface: (second, first) smoothed scores over the grids of both; nan where no trial is near.
        drawn: (2, n) coordinates of the trials that are marked.
        scores: (n,) of those.
        numbers: (n,) likewise.
        axis: of the scores.
        note: how it was smoothed.
    """

    slices: tuple[Slice, Slice]
    surface: np.ndarray
    drawn: np.ndarray
    scores: np.ndarray
    numbers: np.ndarray
    axis: ScoreAxis
    note: str


def slice_contour_data(view: StudyView) -> SliceContourData:
    """The score smoothed over the two most important parameters.

    Raises:
        NothingToDraw: as for `importances_data`.
    """
    first, second = ordered_parameters(view)[:2]
    trials = [t for t in scored(view) if {first, second} <= t.configuration.keys()]
    axis = score_axis(view, [t.known_score for t in trials])
    scores = axis.clip([t.known_score for t in trials])
    places = np.array(
        [[place(view.parameters[n], t.configuration[n]) for t in trials] for n in (first, second)]
    )
    grids = [_grid(view.parameters[name]) for name in (first, second)]
    slices = [
        Slice(name, view.parameters[name], grid[1], smoothed(scores, [p], [grid[0]]))
        for name, p, grid in zip((first, second), places, grids, strict=True)
    ]
    surface = smoothed(scores, places, [grids[0][0], grids[1][0]]).T
    marked = np.linspace(0, len(trials) - 1, min(len(trials), 300)).round().astype(int)
    drawn = np.stack(
        [
            points(view.parameters[n], [trials[i].configuration[n] for i in marked])
            for n in (first, second)
        ]
    )
    note = (
        "Means over all complete trials, weighted by a Gaussian kernel of "
        f"{WIDTH:.0%} of each range (Nadaraya and Watson, 1964); empty where no trial is near."
    )
    if len(marked) < len(trials):
        note += f" {len(marked)} of {len(trials):,} trials are marked."
    return SliceContourData(
        (slices[0], slices[1]),
        surface,
        drawn,
        scores[marked],
        np.array([trials[i].number for i in marked], np.int32),
        axis,
        f"{note} {axis.note}".strip(),
    )


def ordered_parameters(view: StudyView) -> list[str]:
    """The parameters that importances compare, the most important one first."""
    return list(importances_data(view).shares)


def _grid(parameter: Parameter) -> tuple[np.ndarray, np.ndarray]:
    """Places from 0 to 1 along a parameter, and the coordinates of its axis there."""
    if isinstance(parameter, Categorical):
        count = len(parameter.choices)
        return (np.arange(count) + 0.5) / count, np.arange(count, dtype=np.float64)
    places = np.linspace(0, 1, 40)
    low, high = parameter.scaled(parameter.low), parameter.scaled(parameter.high)
    return places, np.array([parameter.unscaled(low + u * (high - low)) for u in places])


def smoothed(
    scores: np.ndarray, places: Sequence[np.ndarray] | np.ndarray, grids: Sequence[np.ndarray]
) -> np.ndarray:
    """The kernel-weighted mean of the scores on a grid of one or two dimensions.

    Args:
        scores: (n,) of the trials.
        places: for each dimension (n,) where they lie, from 0 to 1.
        grids: for each dimension the places of the grid.

    Returns:
        One mean for each point of the grid; nan where the weights of all trials together are less
        than that of one trial at two and a half standard deviations.

    >>> smoothed(np.array([1.0, 3.0]), [np.array([0.0, 1.0])], [np.array([0.0, 0.5, 1.0])])
    array([ 1., nan,  3.])
    """
    kernels = [
        np.exp(-0.5 * ((grid[:, None] - place[None, :]) / WIDTH) ** 2)
        for place, grid in zip(places, grids, strict=True)
    ]
    if len(kernels) == 1:
        weights, sums = kernels[0].sum(axis=1), kernels[0] @ scores
    else:
        weights, sums = kernels[0] @ kernels[1].T, (kernels[0] * scores) @ kernels[1].T
    near = weights > np.exp(-0.5 * 2.5**2)
    return np.where(near, sums / np.where(near, weights, 1.0), np.nan)


def slice_contour_figures(data: SliceContourData) -> list[Figure]:
    """Two slices and the contour over both parameters."""
    return [*(_slice_figure(data, n) for n in (0, 1)), _contour_figure(data)]


def _slice_figure(data: SliceContourData, n: int) -> Figure:
    drawn = data.slices[n]
    figure = blank_figure(drawn.name, data.axis.name)
    figure.update_xaxes(**parameter_axis(drawn.name, drawn.parameter))
    figure.update_yaxes(range=data.axis.range)
    linked(figure, x=parameter_key(drawn.name), y="score")
    here = "%{text}" if isinstance(drawn.parameter, Categorical) else "%{x:.3g}"
    figure.add_scatter(
        x=data.drawn[n],
        text=hover_texts([drawn.parameter], [data.drawn[n]]),
        y=data.scores.astype(np.float32),
        customdata=data.numbers,
        meta=TRIALS_IN_CUSTOMDATA,
        mode="markers",
        marker={"color": SKY, "size": 5, "opacity": 0.6},
        name="trials",
        hovertemplate=f"{here}: %{{y:.4g}}<extra></extra>",
    )
    figure.add_scatter(
        x=drawn.grid,
        y=drawn.mean,
        text=hover_texts([drawn.parameter], [drawn.grid]),
        mode="lines" if not isinstance(drawn.parameter, Categorical) else "markers",
        line={"color": BLUE, "width": 3},
        marker={"color": BLUE, "size": 12, "symbol": "line-ew-open"},
        name="smoothed",
        hovertemplate=f"mean near {here}: %{{y:.4g}}<extra></extra>",
    )
    return figure


def _contour_figure(data: SliceContourData) -> Figure:
    first, second = data.slices
    figure = blank_figure(first.name, second.name, height=400)
    linked(figure, x=parameter_key(first.name), y=parameter_key(second.name))
    # Beside the colour bar a phone leaves so little room that labels stand aslant.
    figure.update_xaxes(**parameter_axis(first.name, first.parameter, ticks=8, width=12))
    figure.update_yaxes(**parameter_axis(second.name, second.parameter, ticks=8, width=12))
    figure.update_layout(xaxis_automargin=True, yaxis_automargin=True)
    grids = np.meshgrid(first.grid, second.grid)
    texts = hover_texts([first.parameter, second.parameter], [grid.ravel() for grid in grids])
    shape = data.surface.shape
    figure.add_contour(
        x=first.grid,
        y=second.grid,
        z=data.surface.astype(np.float32),
        colorscale="Cividis",
        reversescale=data.axis.edge == data.axis.high,  # bright is good, also for losses
        connectgaps=False,
        line={"width": 0.5},
        colorbar={"title": {"text": label(data.axis.name), "side": "right"}, "thickness": 12},
        text=None if texts is None else np.array(texts, dtype=object).reshape(shape),
        hovertemplate=f"{'%{x:.3g}, %{y:.3g}' if texts is None else '%{text}'}"
        ": %{z:.4g}<extra></extra>",
    )
    add_drawn(figure, *data.drawn, numbers=data.numbers)
    return figure
