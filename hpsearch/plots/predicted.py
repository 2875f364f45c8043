"""What the model would have predicted of each trial without it, against what was found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hpsearch.engine.summary import TrialRow
from hpsearch.plots.beliefs import beliefs_of
from hpsearch.plots.scales import ScoreAxis, by_stage
from hpsearch.plots.style import (
    GREY,
    TRIALS_IN_CUSTOMDATA,
    Figure,
    blank_figure,
    faded,
    label,
    linked,
    stage_colour,
    wrapped,
)
from hpsearch.plots.view import StudyView
from hpsearch.search.base import StageKind
from hpsearch.search.beliefs import expected
from hpsearch.search.surrogate import targets
from hpsearch.wording import why_chosen

__all__ = ["PredictedData", "Predictions", "predicted_data", "predicted_figure"]


@dataclass(frozen=True)
class Predictions:
    """Trials of one stage.

    Attributes:
        numbers: of the trials.
        found: their scores.
        mean, low, high: what was expected, and the band of two standard deviations.
        whys: why each was chosen.
    """

    numbers: tuple[int, ...]
    found: tuple[float, ...]
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    whys: tuple[str, ...]


@dataclass(frozen=True)
class PredictedData:
    """The predictions by stage, the axis of scores, and how good they were."""

    stages: dict[StageKind, Predictions]
    axis: ScoreAxis
    note: str


def predicted_data(view: StudyView) -> PredictedData:
    """What a model expects of each complete trial after all the others.

    Raises:
        NothingToDraw: as for `beliefs_of`.
    """
    told = beliefs_of(view)
    guess = expected(told.beliefs)
    ends = [told.scores(guess.mean + d * guess.deviation) for d in (-2, 2)]
    bands = np.stack([told.scores(guess.mean), np.minimum(*ends), np.maximum(*ends)])
    found = targets(told.beliefs.results)
    near = np.abs(found - guess.mean) <= 2 * guess.deviation
    places = {trial.number: i for i, trial in enumerate(told.trials)}
    complete = [t for t in told.trials if t.state == "complete"]
    inside = sum(bool(near[places[t.number]]) for t in complete)

    def predictions(trials: list[TrialRow]) -> Predictions:
        mean, low, high = bands[:, [places[t.number] for t in trials]]
        return Predictions(
            tuple(t.number for t in trials),
            tuple(t.known_score for t in trials),
            mean,
            low,
            high,
            tuple(map(why_chosen, trials)),
        )

    note = (
        f"{told.of} For each trial it was asked again without that trial; what it expects and "
        f"what was found correlate by {_correlation(guess.mean, found):.2f}. Bars are 2 standard "
        f"deviations to either side, noise included; {inside} of {len(complete)} scores lie in "
        f"theirs, and about 95% should. {told.beliefs.noise_share:.0%} of the variance is noise "
        "to the model: what another seed would change, and what these parameters do not tell. "
        f"{told.axis.note}"
    )
    return PredictedData(
        {stage: predictions(group) for stage, group in by_stage(complete).items()},
        told.axis,
        note.strip(),
    )


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    """That of two lists of numbers; 0 where one does not vary."""
    return float(np.corrcoef(a, b)[0, 1]) if min(np.ptp(a), np.ptp(b)) > 1e-9 else 0.0


def predicted_figure(data: PredictedData) -> Figure:
    """What was expected to the right, what was found upwards; on the line they are equal."""
    figure = blank_figure(f"expected {data.axis.name}", f"{data.axis.name} found", height=440)
    figure.update_xaxes(range=data.axis.range)
    figure.update_yaxes(range=data.axis.range)
    linked(figure, y="score")
    figure.add_scatter(
        x=data.axis.range,
        y=data.axis.range,
        mode="lines",
        line={"color": GREY, "dash": "dash", "width": 1},
        name="as expected",
        hoverinfo="skip",
    )
    for stage, told in data.stages.items():
        colour = stage_colour(stage)
        bars = {"array": told.high - told.mean, "arrayminus": told.mean - told.low}
        texts = [
            f"trial {number}: {found:.4g}, expected {mean:.4g}<br>({low:.4g} to {high:.4g})"
            f"<br>{wrapped(why, 40)}"
            for number, found, mean, low, high, why in zip(
                told.numbers, told.found, told.mean, told.low, told.high, told.whys, strict=True
            )
        ]
        figure.add_scatter(
            x=told.mean.astype(np.float32),
            y=data.axis.clip(told.found).astype(np.float32),
            error_x={"type": "data", "color": faded(colour, 0.35), "thickness": 1, "width": 0}
            | {end: lengths.astype(np.float32) for end, lengths in bars.items()},
            text=texts,
            customdata=np.array(told.numbers, np.int32),
            meta=TRIALS_IN_CUSTOMDATA,
            mode="markers",
            marker={"color": colour, "size": 6},
            name=label(str(stage)),
            hovertemplate="%{text}<extra></extra>",
        )
    return figure
