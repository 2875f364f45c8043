"""Parallel coordinates: a line through each trial's parameters, the best ones on top."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hpsearch.engine.summary import TrialRow
from hpsearch.plots.scales import ScoreAxis, place, score_axis, shortened, thinned
from hpsearch.plots.style import (
    GREY,
    SKY,
    VERMILLION,
    Figure,
    blank_figure,
    label,
    parameter_key,
)
from hpsearch.plots.view import NothingToDraw, StudyView, scored
from hpsearch.space import Categorical, Parameter
from hpsearch.wording import cell_text, value_text

__all__ = ["Lines", "ParallelData", "parallel_data", "parallel_figure"]

MAX_LINES = 250


@dataclass(frozen=True)
class Lines:
    """Trials of one rank.

    Attributes:
        places: (trials, parameters + 1) numbers from 0 to 1, the last column the score's; nan where
            a trial has no such parameter.
        texts: what hovering says at each of them.
    """

    places: np.ndarray
    texts: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class ParallelData:
    """The numbers of the parallel coordinates.

    Attributes:
        parameters: one for each vertical line, in the study's order.
        axis: of the last one, the score's.
        lines: by rank, those to be drawn last at the end.
        note: what was thinned or moved.
    """

    parameters: dict[str, Parameter]
    axis: ScoreAxis
    lines: dict[str, Lines]
    note: str


def parallel_data(view: StudyView) -> ParallelData:
    """The places of each complete trial's values between the ends of their parameters.

    Raises:
        NothingToDraw: fewer than two trials are complete, or nothing was searched.
    """
    trials = scored(view, at_least=2)
    if not view.parameters:
        raise NothingToDraw("The study searches no parameter.")
    axis = score_axis(view, [t.known_score for t in trials])
    kept, thinning = thinned(trials, MAX_LINES)
    best = min(10, max(1, len(kept) // 5))
    quarter = max(best, len(kept) // 4)
    ranks = {
        "the others": kept[quarter:],
        "best quarter": kept[best:quarter],
        f"best {best}": kept[:best],
    }
    return ParallelData(
        dict(view.parameters),
        axis,
        {rank: _lines(view, axis, group) for rank, group in ranks.items() if group},
        " ".join(filter(None, (thinning, axis.note))),
    )


def _lines(view: StudyView, axis: ScoreAxis, trials: Sequence[TrialRow]) -> Lines:
    places, texts = [], []
    for trial in trials:
        values = trial.configuration
        height = (float(axis.clip([trial.known_score])[0]) - axis.low) / (axis.high - axis.low)
        places.append(
            [place(p, values[n]) if n in values else np.nan for n, p in view.parameters.items()]
            + [height]
        )
        texts.append(
            (
                *(cell_text(values, name) for name in view.parameters),
                f"{trial.score:.4g} (trial {trial.number})",
            )
        )
    return Lines(np.array(places), tuple(texts))


def parallel_figure(data: ParallelData) -> Figure:
    """The lines; every axis has its ends written at it."""
    figure = blank_figure("", "", height=420)
    count = len(data.parameters) + 1
    figure.update_xaxes(
        tickvals=list(range(count)),
        ticktext=[
            *(label(name) for name in data.parameters),
            label(data.axis.name).replace(" ", "<br>"),
        ],
        range=[-0.3, count - 0.7],
        ticklabeloverflow="allow",
        automargin=True,
        showgrid=True,
    )
    figure.update_layout(margin={"l": 30, "r": 50}, meta={"lines": _dimensions(data)})
    figure.update_yaxes(visible=False, range=[-0.13, 1.1])
    # Where trials are few, the lower ranks are missing.
    styles = ((GREY, 0.3, 1), (SKY, 0.8, 1), (VERMILLION, 1, 2))[-len(data.lines) :]
    for (colour, opacity, width), (rank, lines) in zip(styles, data.lines.items(), strict=True):
        gap = np.full((len(lines.places), 1), np.nan)
        figure.add_scatter(
            x=np.tile(np.arange(count + 1, dtype=np.float32), len(lines.places)),
            y=np.hstack([lines.places, gap]).astype(np.float32).ravel(),
            text=[label(text) for row in lines.texts for text in (*row, "")],
            mode="lines",
            line={"color": colour, "width": width},
            opacity=opacity,
            name=rank,
            hovertemplate="%{text}<extra></extra>",
        )
    for position, (bottom, top) in enumerate(_ends(data)):
        for y, text, anchor in ((-0.02, bottom, "top"), (1.02, top, "bottom")):
            figure.add_annotation(
                x=position,
                y=y,
                text=label(text),
                showarrow=False,
                yanchor=anchor,
                font={"size": 11},
            )
    return figure


def _dimensions(data: ParallelData) -> list[dict[str, Any]]:
    """The vertical lines in terms of JSON, so that a page can draw other trials over them.

    Each has the key of a trial's figure, the two ends, and whether the scale is logarithmic; the
    number of choices instead, where it has no order.
    """
    return [
        *(
            {"key": parameter_key(name), "choices": len(p.choices)}
            if isinstance(p, Categorical)
            else {"key": parameter_key(name), "low": p.low, "high": p.high, "log": p.log}
            for name, p in data.parameters.items()
        ),
        {"key": "score", "low": data.axis.low, "high": data.axis.high, "log": False},
    ]


def _ends(data: ParallelData) -> list[tuple[str, str]]:
    ends: list[tuple[Any, Any]] = [
        (p.choices[0], p.choices[-1]) if isinstance(p, Categorical) else (p.low, p.high)
        for p in data.parameters.values()
    ]
    texts = [(value_text(low), value_text(high)) for low, high in ends]
    texts = [tuple(shortened(pair, 12)) for pair in texts]  # type: ignore[misc]
    return [*texts, (f"{data.axis.low:.4g}", f"{data.axis.high:.4g}")]
