"""The lecture's picture: an important parameter beside an unimportant one, with both margins.

Bergstra and Bengio (2012, JMLR 13, figure 1): where few parameters matter, a grid spends its points
on values that it has tried already, and random draws never try a value twice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hpsearch.engine.summary import TrialRow
from hpsearch.plots.scales import hover_texts, parameter_axis, place, points, thinned
from hpsearch.plots.slice_contour import ordered_parameters
from hpsearch.plots.style import (
    GREY,
    TRIALS_IN_CUSTOMDATA,
    VERMILLION,
    Figure,
    blank_figure,
    linked,
    parameter_key,
    stage_group,
)
from hpsearch.plots.view import StudyView, scored
from hpsearch.search.base import RACE
from hpsearch.space import Categorical, Parameter

__all__ = ["Margin", "PairData", "pair_data", "pair_figure"]


@dataclass(frozen=True)
class Margin:
    """How one parameter's values are distributed.

    Attributes:
        name: of the parameter.
        parameter: with its widest range.
        ends: (bins + 1,) coordinates along its axis, where the bins begin and end.
        all: share of all complete trials in each bin.
        best: share of the best quarter in each bin.
        values: how many different values were tried.
    """

    name: str
    parameter: Parameter
    ends: np.ndarray
    all: np.ndarray
    best: np.ndarray
    values: int


@dataclass(frozen=True)
class PairData:
    """The numbers of the picture.

    Attributes:
        important: the margin of the most important parameter.
        unimportant: that of the least important one.
        others: (2, n) coordinates of the trials below the best quarter.
        best: (2, n) coordinates of the best quarter.
        numbers: (n,) of the trials of both.
        note: how many values were tried, and what was thinned.
    """

    important: Margin
    unimportant: Margin
    others: np.ndarray
    best: np.ndarray
    numbers: tuple[np.ndarray, np.ndarray]
    note: str


def pair_data(view: StudyView) -> PairData:
    """The most important parameter beside the least important one.

    Raises:
        NothingToDraw: as for `importances_data`.
    """
    ordered = ordered_parameters(view)
    names = ordered[0], ordered[-1]
    # Trainings of the race repeat configurations; only draws show how a search spreads.
    trials = [
        t
        for t in scored(view)
        if set(names) <= t.configuration.keys() and stage_group(t.stage).name != RACE
    ]
    quarter = max(1, len(trials) // 4)
    margins = [_margin(view, name, trials, quarter) for name in names]
    best, _ = thinned(trials[:quarter], 300)
    others, _ = thinned(trials[quarter:], 400)
    tried = " and ".join(f"{m.values:,} values of {m.name}" for m in margins)
    note = f"{len(trials):,} trials tried {tried}."
    if len(trials) < len(scored(view)):
        note += " Repetitions in the race are left out."
    if (drawn := len(best) + len(others)) < len(trials):
        note += f" Drawn are {drawn} of them; the margins count all."
    return PairData(
        margins[0],
        margins[1],
        _both(view, names, others),
        _both(view, names, best),
        (_numbers(others), _numbers(best)),
        note,
    )


def _both(view: StudyView, names: tuple[str, str], trials: list[TrialRow]) -> np.ndarray:
    return np.stack(
        [points(view.parameters[n], [t.configuration[n] for t in trials]) for n in names]
    )


def _numbers(trials: list[TrialRow]) -> np.ndarray:
    return np.array([trial.number for trial in trials], np.int32)


def _margin(view: StudyView, name: str, trials: list[TrialRow], quarter: int) -> Margin:
    parameter = view.parameters[name]
    if isinstance(parameter, Categorical):
        bins = len(parameter.choices)
        ends = np.arange(bins + 1) - 0.5
    else:
        bins = int(np.clip(np.sqrt(len(trials)), 4, 20))
        low, high = parameter.scaled(parameter.low), parameter.scaled(parameter.high)
        ends = np.array([parameter.unscaled(x) for x in np.linspace(low, high, bins + 1)])
    places = np.array([place(parameter, t.configuration[name]) for t in trials])
    cuts = np.linspace(0, 1, bins + 1)
    everything, best = (np.histogram(p, cuts)[0] / len(p) for p in (places, places[:quarter]))
    return Margin(
        name, parameter, ends, everything, best, len({t.configuration[name] for t in trials})
    )


def pair_figure(data: PairData) -> Figure:
    """The trials in the middle, the margins above and to the right."""
    first, second = data.important, data.unimportant
    figure = blank_figure(first.name, second.name, height=440)
    linked(figure, x=parameter_key(first.name), y=parameter_key(second.name))
    shares = {"domain": [0.8, 1], "title": {"text": "share"}, "nticks": 3, "rangemode": "tozero"}
    figure.update_layout(
        xaxis={"domain": [0, 0.76], **parameter_axis(first.name, first.parameter)},
        yaxis={"domain": [0, 0.74], **parameter_axis(second.name, second.parameter)},
        xaxis2={"matches": "x", "domain": [0, 0.76], "anchor": "y2", "showticklabels": False}
        | {key: v for key, v in parameter_axis("", first.parameter).items() if key == "type"},
        yaxis2={"anchor": "x2", **shares},
        xaxis3={"anchor": "y3", **shares},
        yaxis3={"matches": "y", "domain": [0, 0.74], "anchor": "x3", "showticklabels": False}
        | {key: v for key, v in parameter_axis("", second.parameter).items() if key == "type"},
    )
    figure.update_layout(xaxis_automargin=True, yaxis_automargin=True)
    groups = (
        ("the others", data.others, GREY, "all trials", first.all, second.all),
        ("best quarter", data.best, VERMILLION, "best quarter", first.best, second.best),
    )
    for (name, places, colour, margin, above, beside), numbers in zip(
        groups, data.numbers, strict=True
    ):
        texts = hover_texts([first.parameter, second.parameter], places)
        figure.add_scatter(
            x=places[0],
            y=places[1],
            mode="markers",
            customdata=numbers,
            meta=TRIALS_IN_CUSTOMDATA,
            marker={"color": colour, "size": 6, "opacity": 0.75},
            name=name,
            text=texts,
            hovertemplate="%{text}<extra></extra>"
            if texts
            else "%{x:.3g}, %{y:.3g}<extra></extra>",
        )
        figure.add_scatter(
            x=first.ends,
            y=[*above, above[-1]],
            xaxis="x2",
            yaxis="y2",
            mode="lines",
            line={"color": colour, "shape": "hv"},
            showlegend=False,
            hovertemplate=f"{margin}: %{{y:.2f}} near %{{x:.3g}}<extra></extra>",
        )
        figure.add_scatter(
            x=[*beside, beside[-1]],
            y=second.ends,
            xaxis="x3",
            yaxis="y3",
            mode="lines",
            line={"color": colour, "shape": "vh"},
            showlegend=False,
            hovertemplate=f"{margin}: %{{x:.2f}} near %{{y:.3g}}<extra></extra>",
        )
    return figure
