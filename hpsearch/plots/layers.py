"""What went on inside a network while it was trained, layer by layer.

The best training stands beside the one with most faults. Lecture 6 watches activations and
gradients by layer; the course notes (neural networks 3) add the ratio of updates to weights, which
is healthy near 1e-3.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from hpsearch.engine.summary import TrialRow
from hpsearch.plots.scales import log_ticks
from hpsearch.plots.style import CYCLE, GREY, Figure, blank_figure, wrapped
from hpsearch.plots.view import NothingToDraw, StudyView, seen_from_inside

__all__ = ["HEALTHY", "Layer", "LayersData", "Training", "layers_data", "layers_figures"]

HEALTHY = 1e-3
"""Ratio of the size of an update to that of the weights."""

*HIDDEN, OUTPUT = CYCLE
"""Colours: the output layer has the same one however many there are before it."""

SYMBOLS = ("circle", "diamond", "square", "cross")
"""Where there are more layers than colours, the next ones have another sign."""

Series: TypeAlias = tuple[float | None, ...]


class Layer(NamedTuple):
    """A layer at each moment; None where there is no number, or no place for it on a log axis.

    Attributes:
        name: of the layer.
        updates: size of the last update beside that of the weights.
        dead: share of its units that are saturated at every sample; none for the outputs.
        saturated: share of its units' outputs that are, over units and samples; likewise.
        gradients: standard deviation of the gradients of its weights.
        outputs: standard deviation of what it puts out.
    """

    name: str
    updates: Series
    dead: Series
    saturated: Series
    gradients: Series
    outputs: Series


@dataclass(frozen=True)
class Training:
    """A training that has a trace.

    Attributes:
        number: of its trial.
        what: why it is shown, and what was wrong with it.
        epochs: after which each moment was, the first before any step.
        layers: from the inputs on.
    """

    number: int
    what: str
    epochs: tuple[int, ...]
    layers: tuple[Layer, ...]


@dataclass(frozen=True)
class LayersData:
    """The best training, and the most faulty one if there is any other with a fault."""

    trainings: tuple[Training, ...]
    note: str = ""


def layers_data(view: StudyView) -> LayersData:
    """The snapshots of the best trial, and of the one with most faults, or that was asked for.

    Raises:
        NothingToDraw: no training has snapshots.
    """
    if not view.trials:
        raise NothingToDraw("The study has no trials yet.")
    traced = [trial for trial in view.trials if trial.snapshots is not None]
    if not traced:
        raise NothingToDraw("No training of this study has snapshots of its network.")
    best, *worst = traced
    first = "the winner" if best.number == view.summary.winner else "the best"
    shown = [_training(best, first if best.state == "complete" else "stopped")]
    faulty = seen_from_inside([trial for trial in view.trials if trial.traced])[1:]
    why = ("the most faulty" if trial.number in faulty else "opened" for trial in worst)
    return LayersData((*shown, *map(_training, worst, why)))


def _training(trial: TrialRow, why: str) -> Training:
    assert trial.snapshots is not None, "asked of trainings that have some"
    what = f"{why}: {', '.join(trial.faults)}" if trial.faults else f"{why}, without a fault"
    series: Mapping[str, Sequence[Sequence[float | None]]] = trial.snapshots["layers"]
    last = len(series["update ratio"]) - 1
    layers = tuple(
        Layer(
            "output" if i == last else f"layer {i + 1}",
            _positive(series["update ratio"][i]),
            () if i == last else tuple(series["dead"][i]),
            () if i == last else tuple(series["saturated"][i]),
            _positive(series["gradient std"][i]),
            _positive(series["output std"][i]),
        )
        for i in range(last + 1)
    )
    return Training(trial.number, what, tuple(trial.snapshots["epochs"]), layers)


def _positive(values: Iterable[float | None]) -> Series:
    return tuple(value if value is not None and value > 0 else None for value in values)


LOGS = (
    ("updates", "update / weights"),
    ("gradients", "gradient std"),
    ("outputs", "output std"),
)
"""The rows of a figure with a logarithmic axis, from the bottom, by the attributes of a layer."""

SHARES = len(LOGS)
"""The row of shares, above them."""


def layers_figures(data: LayersData) -> list[Figure]:
    """A figure for each training, with the same axes: they stand side by side."""
    ends = {name: _ends(data, name) for name, _ in LOGS}
    return [_figure(training, ends) for training in data.trainings]


def _figure(training: Training, ends: Mapping[str, tuple[float, float]]) -> Figure:
    figure = blank_figure("epoch", "", height=820)
    figure.update_layout(meta={"trial": training.number})
    last = max(1, training.epochs[-1])
    figure.update_xaxes(range=[-0.02 * last, 1.02 * last])
    title = wrapped(f"Trial {training.number}, {training.what}", 44)
    figure.update_layout(legend={"title": {"text": title, "side": "top"}})
    scales = [
        {"title": {"text": words}, "type": "log"} | _decades(*ends[name]) for name, words in LOGS
    ]
    shares = {"title": {"text": "dead, saturated"}, "range": [-0.03, 1.03], "tickformat": ".0%"}
    for row, scale in enumerate([*scales, shares]):
        place = {"domain": [0.255 * row, 0.255 * row + 0.235], "nticks": 6}
        figure.update_layout({_axis(row, "yaxis"): scale | place})
    for i, layer in enumerate(training.layers):
        drawn = [
            (row, words, getattr(layer, name), "solid") for row, (name, words) in enumerate(LOGS)
        ]
        colour = HIDDEN[i % len(HIDDEN)] if layer.dead else OUTPUT
        if layer.dead:
            drawn += [
                (SHARES, "dead", layer.dead, "solid"),
                (SHARES, "saturated", layer.saturated, "dot"),
            ]
        for row, words, values, dash in drawn:
            figure.add_scatter(
                x=training.epochs,
                y=values,
                yaxis=_axis(row, "y"),
                mode="lines+markers",
                line={"color": colour, "dash": dash, "width": 1.5},
                marker={"symbol": SYMBOLS[i // len(HIDDEN) % len(SYMBOLS)], "size": 5},
                name=layer.name,
                legendgroup=layer.name,
                showlegend=row == 0,
                hovertemplate=f"{words} of {layer.name}, epoch %{{x}}: %{{y:.3g}}<extra></extra>",
            )
    figure.add_hline(y=HEALTHY, line={"color": GREY, "dash": "dash", "width": 1})
    return figure


def _axis(row: int, name: str) -> str:
    return f"{name}{row + 1}" if row else name


def _ends(data: LayersData, name: str) -> tuple[float, float]:
    """Least and greatest number of all layers of all trainings."""
    known = [
        value
        for training in data.trainings
        for layer in training.layers
        for value in getattr(layer, name)
        if value is not None
    ]
    if name == "updates":
        known.append(HEALTHY)
    return min(known, default=0.1), max(known, default=1.0)


def _decades(low: float, high: float) -> dict[str, Any]:
    """A logarithmic axis of whole decades."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    marks = log_ticks(10.0**first, 10.0**last)
    return {
        "range": [first - 0.1, max(last, first + 1) + 0.1],
        "tickvals": marks,
        "ticktext": [f"{mark:g}" for mark in marks],
    }
