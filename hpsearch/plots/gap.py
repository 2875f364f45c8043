"""The gap between training and validation at the end of each trial, against its score."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from hpsearch.engine.summary import TrialRow
from hpsearch.plots.scales import ScoreAxis, by_stage, middle, score_axis, thinned
from hpsearch.plots.style import (
    TRIALS_IN_CUSTOMDATA,
    Figure,
    blank_figure,
    label,
    linked,
    stage_colour,
)
from hpsearch.plots.view import NothingToDraw, StudyView, scored
from hpsearch.search.base import StageKind

__all__ = ["GapData", "Gaps", "gap_data", "gap_figure"]


class Gaps(NamedTuple):
    """The trials of a stage: validation loss minus training loss, scores, numbers."""

    gaps: tuple[float, ...]
    scores: tuple[float, ...]
    numbers: tuple[int, ...]


@dataclass(frozen=True)
class GapData:
    """The numbers of the gaps.

    Attributes:
        stages: the gaps by stage.
        axis: of the scores.
        ends: of the axis of the gaps; those outside are drawn at its edge.
        note: what was thinned or moved.
    """

    stages: dict[StageKind, Gaps]
    axis: ScoreAxis
    ends: tuple[float, float]
    note: str


def gap_data(view: StudyView) -> GapData:
    """Validation loss minus training loss after the last epoch of each complete trial.

    Raises:
        NothingToDraw: no trial is complete, or the store has no losses.
    """
    trials = [trial for trial in scored(view) if math.isfinite(gap(trial))]
    if not trials:
        raise NothingToDraw("The store has no losses of training and validation for this study.")
    axis = score_axis(view, [t.known_score for t in trials])
    gaps = [gap(t) for t in trials]
    ends = middle(gaps)
    far = sum(not ends[0] <= g <= ends[1] for g in gaps)
    moved = f"{far} of the gaps lie further out and are drawn at the edge." if far else ""
    kept, thinning = thinned(trials)
    return GapData(
        {
            stage: Gaps(
                tuple(gap(t) for t in group),
                tuple(t.known_score for t in group),
                tuple(t.number for t in group),
            )
            for stage, group in by_stage(kept).items()
        },
        axis,
        ends,
        " ".join(filter(None, (thinning, axis.note, moved))),
    )


def gap(trial: TrialRow) -> float:
    """Validation loss minus training loss at the end; nan where the store does not have both."""
    if not trial.train_losses or not trial.validation_losses:
        return math.nan
    return trial.validation_losses[-1] - trial.train_losses[-1]


def gap_figure(data: GapData) -> Figure:
    """The gap to the right, the score upwards."""
    figure = blank_figure("validation − training loss (nats)", data.axis.name)
    figure.update_yaxes(range=data.axis.range)
    linked(figure, y="score")
    for stage, gaps in data.stages.items():
        figure.add_scatter(
            x=np.clip(gaps.gaps, *data.ends).astype(np.float32),
            text=[f"{gap:.3g}" for gap in gaps.gaps],
            y=data.axis.clip(gaps.scores).astype(np.float32),
            customdata=np.array(gaps.numbers, np.int32),
            meta=TRIALS_IN_CUSTOMDATA,
            mode="markers",
            marker={"color": stage_colour(stage), "size": 6, "opacity": 0.8},
            name=label(str(stage)),
            hovertemplate="trial %{customdata}: %{y:.4g}, gap %{text}<extra></extra>",
        )
    return figure
