"""The scales that panels share: of scores, of parameters, and how many points a figure bears."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hpsearch.engine.summary import TrialRow
from hpsearch.plots.style import label, stage_group, wrapped
from hpsearch.plots.view import StudyView
from hpsearch.search.base import StageKind
from hpsearch.space import Categorical, Int, Parameter, Value

__all__ = [
    "MAX_POINTS",
    "ScoreAxis",
    "by_stage",
    "hover_texts",
    "log_ticks",
    "middle",
    "parameter_axis",
    "place",
    "points",
    "score_axis",
    "shortened",
    "single",
    "thinned",
]

MAX_POINTS = 800
"""A figure with more of them takes a browser long to draw, and shows nothing more."""


@dataclass(frozen=True)
class ScoreAxis:
    """The part of the scores that is worth a figure's height.

    Attributes:
        name: what the score is.
        low, high: its ends; what lies outside is drawn at the edge.
        edge: where trials without a score that counts are drawn: at the bad end.
        outside: how many scores lie beyond the bad end.
    """

    name: str
    low: float
    high: float
    edge: float
    outside: int

    @property
    def range(self) -> tuple[float, float]:
        """The ends with a margin."""
        margin = 0.06 * (self.high - self.low)
        return self.low - margin, self.high + margin

    @property
    def note(self) -> str:
        """What a reader must know of it; empty when all scores lie inside."""
        if not self.outside:
            return ""
        which = "score lies" if self.outside == 1 else "scores lie"
        return f"{self.outside} {which} beyond the axis and are drawn at its edge."

    def clip(self, scores: Sequence[float]) -> np.ndarray:
        """The scores, those outside moved to the edge."""
        return np.clip(np.asarray(scores, np.float64), self.low, self.high)


def score_axis(view: StudyView, scores: Sequence[float]) -> ScoreAxis:
    """An axis on which the best scores can be told apart, however bad the worst are.

    Below the best it reaches to five times the distance of the median from the best, or to the
    worst score if that is nearer.

    Args:
        view: the study; for the name and the direction.
        scores: at least one.

    >>> from types import SimpleNamespace
    >>> view = SimpleNamespace(summary=SimpleNamespace(score_name="accuracy", maximize=True))
    >>> axis = score_axis(view, [0.98, 0.97, 0.96, 0.95, 0.1])
    >>> round(axis.low, 2), axis.high, axis.outside
    (0.88, 0.98, 1)
    """
    values = np.asarray(scores, np.float64)
    sign = 1.0 if view.summary.maximize else -1.0
    merits = sign * values
    best, reach = merits.max(), 5 * (merits.max() - np.median(merits))
    worst = max(merits.min(), best - reach) if reach else merits.min()
    # All the same, or as good as that: some room, so that Plotly has an axis to draw.
    if best - worst <= 1e-14 * max(abs(best), 1e-280):
        worst, best = best - 0.5 * max(abs(best), 0.1), best + 0.1 * max(abs(best), 0.1)
    low, high = sorted((sign * float(worst), sign * float(best)))
    outside = int(np.sum(merits < worst))
    return ScoreAxis(view.summary.score_name, low, high, sign * float(worst), outside)


def by_stage(trials: Sequence[TrialRow]) -> dict[StageKind, list[TrialRow]]:
    """The trials of each stage in their order, the stages in theirs."""
    stages: dict[StageKind, list[TrialRow]] = {}
    for trial in sorted(trials, key=lambda t: (t.slot.stage if t.slot else 0, t.number)):
        stages.setdefault(stage_group(trial.stage), []).append(trial)
    return stages


def place(parameter: Parameter, value: Value) -> float:
    """Where a value lies between the ends of its parameter, from 0 to 1, on the parameter's scale.

    >>> from hpsearch.space import Float
    >>> round(place(Float(1e-4, 1.0, log=True), 0.01), 9)
    0.5
    """
    if isinstance(parameter, Categorical):
        return parameter.to_unit(value)
    low, high = parameter.scaled(parameter.low), parameter.scaled(parameter.high)
    assert isinstance(value, int | float), "Optuna keeps numbers for numeric parameters"
    return (parameter.scaled(value) - low) / (high - low) if high > low else 0.5


def parameter_axis(
    name: str, parameter: Parameter, *, ticks: int = 16, width: int = 20
) -> dict[str, Any]:
    """Plotly's settings for an axis on a parameter's own scale.

    Args:
        name: of the parameter.
        parameter: its range or choices.
        ticks: how many choices have their names at the axis; of more, every other one or fewer.
        width: how many characters such a name has at most.
    """
    if isinstance(parameter, Categorical):
        count = len(parameter.choices)
        texts = [label(text) for text in shortened([str(c) for c in parameter.choices], width)]
        every = -(-count // ticks)
        return {
            "title_text": label(name),
            "tickvals": list(range(0, count, every)),
            "ticktext": texts[::every],
            "automargin": True,
            "range": [-0.6, count - 0.4],
        }
    low, high = parameter.scaled(parameter.low), parameter.scaled(parameter.high)
    margin = 0.04 * (high - low) or 0.5
    ends = [low - margin, high + margin]
    scale = " (log scale)" if parameter.log else ""
    axis: dict[str, Any] = {"title_text": label(name) + scale, "range": ends}
    if parameter.log:
        marks = log_ticks(parameter.low, parameter.high)
        axis |= {"type": "log", "range": [end / np.log(10) for end in ends]}
        axis |= {"tickvals": marks, "ticktext": [f"{mark:g}" for mark in marks]}
    elif isinstance(parameter, Int) and parameter.high - parameter.low <= 10:
        axis |= {"dtick": 1}
    return axis


def shortened(texts: Sequence[str], width: int = 20) -> list[str]:
    """Different texts, those longer than some width cut, and still different.

    >>> shortened(["relu", "a" * 30, "a" * 31])
    ['relu', 'aaaaaaaaaaaaaaaaa… 2', 'aaaaaaaaaaaaaaaaa… 3']
    """
    plain = [" ".join(text.split()) for text in texts]
    cut = [text if len(text) <= width else f"{text[: width - 1]}…" for text in plain]
    seen = Counter(cut)
    return [
        short if seen[short] == 1 else f"{text[: width - 2 - len(str(n))]}… {n}"
        for n, (text, short) in enumerate(zip(plain, cut, strict=True), start=1)
    ]


def hover_texts(
    parameters: Sequence[Parameter], coordinates: Sequence[np.ndarray] | np.ndarray
) -> list[str] | None:
    """What hovering says of points: whole choices, in lines where they are long, and numbers.

    Args:
        parameters: one for each dimension.
        coordinates: for each dimension (n,) those of `points`.

    Returns:
        A text for each point; None where no parameter has choices, so that the coordinates say it.

    >>> hover_texts([Categorical(("relu", "elu"))], [np.array([1, 0])])
    ['elu', 'relu']
    """
    if not any(isinstance(parameter, Categorical) for parameter in parameters):
        return None
    columns = [
        [wrapped(str(parameter.choices[int(x)])) for x in column]
        if isinstance(parameter, Categorical)
        else [f"{x:.3g}" for x in column]
        for parameter, column in zip(parameters, coordinates, strict=True)
    ]
    return [", ".join(row) for row in zip(*columns, strict=True)]


def log_ticks(low: float, high: float) -> list[float]:
    """Round values between two: powers of ten, every other one of many, or 1, 2, 5 of few.

    >>> log_ticks(16, 256), log_ticks(1e-3, 1.0)
    ([20.0, 50.0, 100.0, 200.0], [0.001, 0.01, 0.1, 1.0])
    """
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    mantissas = (1, 2, 5) if last - first <= 2 else (1,)
    step = 1 + (last - first) // 6
    ticks = (float(f"{m}e{n}") for n in range(first, last + 1, step) for m in mantissas)
    return [tick for tick in ticks if low / 1.001 <= tick <= high * 1.001]


def middle(values: Sequence[float]) -> tuple[float, float]:
    """A range that outliers do not stretch: the quartiles and three times their distance.

    >>> middle([0.0, 1.0, 2.0, 3.0, 100.0])
    (0.0, 9.0)
    """
    array = np.asarray(values, np.float64)
    first, third = np.quantile(array, [0.25, 0.75])
    reach = 3 * (third - first)
    low, high = max(array.min(), first - reach), min(array.max(), third + reach)
    return float(low), float(high)


def points(parameter: Parameter, values: Sequence[Value]) -> np.ndarray:
    """Values as coordinates of `parameter_axis`: numbers, or the index of a choice."""
    if isinstance(parameter, Categorical):
        return np.array([parameter.choices.index(value) for value in values], np.float32)
    return single(values)


def single(values: Sequence[Value] | np.ndarray) -> np.ndarray:
    """Numbers in single precision, which takes half the room on a page, unless one is too large.

    >>> single([1.0, 2.0]).dtype, single([1.0, 1e300]).dtype
    (dtype('float32'), dtype('float64'))
    """
    wide = np.asarray(values, np.float64)
    fit = np.abs(wide).max(initial=0.0) <= np.finfo(np.float32).max
    return wide.astype(np.float32) if fit else wide


def thinned(trials: Sequence[TrialRow], limit: int = MAX_POINTS) -> tuple[list[TrialRow], str]:
    """As many trials as a figure bears: the best fifth of them, and an even sample of the others.

    Args:
        trials: best first.
        limit: how many may stay.

    Returns:
        The trials that stay, best first, and a sentence that says so; empty when all stay.
    """
    if len(trials) <= limit:
        return list(trials), ""
    best = limit // 5
    rest = np.linspace(best, len(trials) - 1, limit - best).round().astype(int)
    kept = [*trials[:best], *(trials[i] for i in rest)]
    note = (
        f"Drawn are {limit:,} of {len(trials):,} trials: the best {best}, and the others evenly "
        "thinned by rank."
    )
    return kept, note
