"""The gap between training and validation at the end of each trial, against its score."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hpsearch.plots.scales import ScoreAxis, score_axis, thinned
from hpsearch.plots.style import blank_figure, label, stage_colour, stage_group
from hpsearch.plots.view import NothingToDraw, StudyView, TrialView, scored

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["GapData", "Gaps", "gap_data", "gap_figure"]


class Gaps(NamedTuple):
    """The trials of a stage: validation loss minus training loss, scores, numbers."""

    gaps: tuple[float, ...]
    scores: tuple[float, ...]
    numbers: tuple[int, ...]


@dataclass(frozen=True)
class GapData:
    """The gaps by stage, the axis of the scores, and what was thinned or moved."""

    stages: dict[str, Gaps]
    axis: ScoreAxis
    note: str


def gap_data(view: StudyView) -> GapData:
    """Validation loss minus training loss after the last epoch of each complete trial.

    Raises:
        NothingToDraw: no trial is complete, or the store has no losses.
    """
    trials = [trial for trial in scored(view) if math.isfinite(gap(trial))]
    if not trials:
        raise NothingToDraw("The store has no losses of training and validation for this study.")
    axis = score_axis(view, [t.score for t in trials if t.score is not None])
    kept, thinning = thinned(trials)
    stages: dict[str, list[TrialView]] = {}
    for trial in sorted(kept, key=lambda t: (t.stage_index or 0, t.number)):
        stages.setdefault(stage_group(trial.stage), []).append(trial)
    return GapData(
        {
            stage: Gaps(
                tuple(gap(t) for t in group),
                tuple(t.score for t in group if t.score is not None),
                tuple(t.number for t in group),
            )
            for stage, group in stages.items()
        },
        axis,
        " ".join(filter(None, (thinning, axis.note))),
    )


def gap(trial: TrialView) -> float:
    """Validation loss minus training loss at the end; nan where the store does not have both."""
    if not trial.train_losses or not trial.validation_losses:
        return math.nan
    return trial.validation_losses[-1] - trial.train_losses[-1]


def gap_figure(data: GapData) -> go.Figure:
    """The gap to the right, the score upwards."""
    figure = blank_figure("validation loss minus training loss (nats)", data.axis.name)
    figure.update_yaxes(range=data.axis.range)
    for stage, gaps in data.stages.items():
        figure.add_scatter(
            x=np.array(gaps.gaps, np.float32),
            y=data.axis.clip(gaps.scores).astype(np.float32),
            customdata=np.array(gaps.numbers, np.int32),
            mode="markers",
            marker={"color": stage_colour(stage), "size": 6, "opacity": 0.8},
            name=label(stage),
            hovertemplate="trial %{customdata}: %{y:.4g}, gap %{x:.3g}<extra></extra>",
        )
    return figure
