"""Simple models that a winner has to be better than, or else its study has learned nothing.

Today there is one: the constant predictor, which knows nothing but how frequent each class is.
A simple model is fitted on training and validation part together, as a study's winner is in the
end; its figures are kept with the study's data and result, so that reading them needs no data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from statistics import fmean
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hpsearch.engine.metadata import SIMPLE_MODEL, read_metadata
from hpsearch.metrics import ACCURACY, Measure, Metric
from hpsearch.metrics.intervals import difference_interval, wilson_interval

if TYPE_CHECKING:
    import optuna

    from hpsearch.data import Dataset, Split

__all__ = [
    "Baseline",
    "WinnerIs",
    "beside_winner",
    "constant",
    "held_against",
    "held_in_validation",
    "read_baselines",
    "simple_models",
]

WinnerIs: TypeAlias = Literal["better", "no better", "worse"]
"""What a winner is beside a simple model, by a 95% interval on the rows that both predict."""

LABEL = 24
"""Characters of a class's name; longer ones are cut."""


@dataclass(frozen=True)
class Baseline:
    """A simple model beside the winner.

    Attributes:
        name: what kind it is: "constant".
        does: what it does, in words: "always answering 'no'".
        short: the same for tables: "always 'no'".
        validation: the study's metric on the validation part, the mean over the folds.
        test: the same on the test part; None until the winner is tested.
        difference: the 95% interval of how far the winner is above it on the test rows, in the
            metric's own units; None where the winner's own interval tells.
    """

    name: str
    does: str
    short: str
    validation: float
    test: float | None = None
    difference: tuple[float, float] | None = None

    @property
    def value(self) -> float:
        """What stands beside a winner: on the test part if that was used, else in validation."""
        return self.validation if self.test is None else self.test

    def document(self, verdict: WinnerIs | None) -> dict[str, Any]:
        """It in terms of JSON, with what a winner is beside it."""
        return {
            "name": self.name,
            "does": self.does,
            "short": self.short,
            "validation": self.validation,
            "test": self.test,
            "difference": None if self.difference is None else list(self.difference),
            "winner_is": verdict,
        }

    def kept(self, *, tested: bool) -> dict[str, Any]:
        """What the store keeps of it; of the test part only what is known of the winner too."""
        return asdict(self) | ({} if tested else {"test": None})


def simple_models(
    dataset: Dataset, splits: Sequence[Split], metric: Metric
) -> tuple[Baseline, ...]:
    """All of them on a data set that is divided; the strongest ones come last."""
    return (constant(dataset, splits, metric),)


def constant(dataset: Dataset, splits: Sequence[Split], metric: Metric) -> Baseline:
    """Always answer what is best of training and validation part; of equal labels the first.

    Args:
        dataset: its labels.
        splits: one for each fold.
        metric: by which it is best.

    Raises:
        DataError: the metric is undefined for these labels.
    """
    y, split = dataset.y, splits[0]
    rows = np.concatenate([split.train, split.validation])
    known, counted = y[rows], dataset.weights_of(rows)
    answer = metric.best_constant(known, counted)

    def value(asked: NDArray[np.int64]) -> float:
        return metric.constant(known, y[asked], dataset.weights_of(asked), counted)

    does, short = "always answering each class's share of the rows", "always the shares"
    if dataset.task == "regression":
        does, short = f"always answering {answer:.6g}", f"always {answer:.4g}"
    elif answer is not None and answer.ndim == 0:
        label = dataset.classes[int(answer)]
        if not isinstance(label, int) and len(label) > LABEL:
            label = f"{label[: LABEL - 1]}…"
        does, short = f"always answering {label!r}", f"always {label!r}"
    return Baseline(
        name="constant",
        does=does,
        short=short,
        validation=fmean(value(fold.validation) for fold in splits),
        test=value(split.test),
    )


def beside_winner(
    constants: Sequence[Baseline],
    dataset: Dataset,
    split: Split,
    metric: Metric,
    predictions: np.ndarray,
    groups: np.ndarray | None,
) -> list[Baseline]:
    """Simple models beside the winner's predictions for the test rows.

    Plain accuracy has Wilson's interval, which a share is held against as it is. Of any other
    metric the rows that are hard for the winner are hard for the constant predictor too, so that
    the difference is what is estimated, on the same rows.

    Args:
        constants: as `simple_models` has them.
        dataset: has the labels.
        split: of the first fold.
        metric: of the study.
        predictions: the winner's, as the metric reads them.
        groups: which group each test row belongs to (n,), where rows were divided by group.
    """
    known = np.concatenate([split.train, split.validation])
    y, weight = dataset.y[split.test], dataset.weights_of(split.test)
    answer = metric.best_constant(dataset.y[known], dataset.weights_of(known))
    if answer is None or (metric.name == ACCURACY.name and weight is None and groups is None):
        return list(constants)
    answers = metric.answers(answer, y)
    ends = difference_interval(metric, y, predictions, answers, weight=weight, groups=groups)
    return [
        replace(one, difference=None if ends is None else (ends.low, ends.high))
        for one in constants
    ]


def read_baselines(study: optuna.Study) -> tuple[Baseline, ...]:
    """The simple models that are kept with a study; none before its data were read.

    Raises:
        StorageError: the metadata are damaged.
    """
    kept = read_metadata(study, "result") or read_metadata(study, "data")
    models = kept.get("baselines", ()) if kept else ()
    return tuple(
        Baseline(**{name: one[name] for name in SIMPLE_MODEL} | {"difference": _ends(one)})
        for one in models
    )


def _ends(kept: dict[str, Any]) -> tuple[float, float] | None:
    ends = kept.get("difference")
    return None if ends is None else (ends[0], ends[1])


def held_against(interval: Sequence[float], baseline: float, measure: Measure) -> WinnerIs:
    """What a winner is beside a simple model, by the interval around its metric.

    Args:
        interval: its 95% interval.
        baseline: the simple model's value.
        measure: of both.

    >>> [held_against(ends, 0.94, ACCURACY) for ends in ((0.95, 0.98), (0.93, 0.96), (0.88, 0.92))]
    ['better', 'no better', 'worse']
    """
    low, high = sorted(map(measure.score, interval))
    beside = measure.score(baseline)
    return "better" if low > beside else "worse" if high < beside else "no better"


def held_in_validation(
    value: float, rows: int, baseline: float, measure: Measure
) -> WinnerIs | None:
    """The same before the test, of which only the value is known.

    A share has Wilson's interval; of any other metric it is only seen whether the value is above.

    Args:
        value: the winner's.
        rows: of the validation part.
        baseline: the simple model's value.
        measure: of both.
    """
    if measure.name == ACCURACY.name and rows:
        ends = wilson_interval(min(max(round(value * rows), 0), rows), rows)
        return held_against(ends, baseline, measure)
    return None if measure.score(value) > measure.score(baseline) else "no better"
