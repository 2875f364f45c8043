"""Simple models that a winner has to be better than, or else its study has learned nothing.

Today there is one: the constant predictor, which knows nothing but how frequent each class is.
A simple model is fitted on training and validation part together, as a study's winner is in the
end; its figures are kept with the study's data and result, so that reading them needs no data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from hpsearch.engine.metadata import SIMPLE_MODEL, read_metadata
from hpsearch.metrics.intervals import wilson_interval

if TYPE_CHECKING:
    import optuna

    from hpsearch.data import Dataset, Split

__all__ = ["Baseline", "WinnerIs", "constant", "held_against", "read_baselines", "simple_models"]

WinnerIs: TypeAlias = Literal["better", "no better", "worse"]
"""What a winner is beside a simple model, by the 95% interval of the winner's accuracy."""

LABEL = 24
"""Characters of a class's name; longer ones are cut."""


@dataclass(frozen=True)
class Baseline:
    """A simple model beside the winner.

    Attributes:
        name: what kind it is: "constant".
        does: what it does, in words: "always answering 'no'".
        short: the same for tables: "always 'no'".
        validation_accuracy: the mean over the folds.
        test_correct: rows of the test part that it labels right; None until the winner is tested.
        test_rows: size of the test part; likewise.
    """

    name: str
    does: str
    short: str
    validation_accuracy: float
    test_correct: int | None = None
    test_rows: int | None = None

    @property
    def test_accuracy(self) -> float | None:
        """Share of the test part that it labels right; None until the winner is tested."""
        if self.test_correct is None or not self.test_rows:
            return None
        return self.test_correct / self.test_rows

    @property
    def accuracy(self) -> float:
        """What stands beside a winner: on the test part if that was used, else in validation."""
        return self.validation_accuracy if self.test_accuracy is None else self.test_accuracy

    def document(self, verdict: WinnerIs | None) -> dict[str, Any]:
        """It in terms of JSON, with what a winner is beside it."""
        return {
            "name": self.name,
            "does": self.does,
            "validation_accuracy": self.validation_accuracy,
            "test_accuracy": self.test_accuracy,
            "winner_is": verdict,
        }

    def kept(self, *, tested: bool) -> dict[str, Any]:
        """What the store keeps of it; of the test part only what is known of the winner too."""
        untested = {} if tested else {"test_correct": None, "test_rows": None}
        return asdict(self) | untested


def simple_models(dataset: Dataset, splits: Sequence[Split]) -> tuple[Baseline, ...]:
    """All of them on a data set that is divided; the strongest ones come last."""
    return (constant(dataset, splits),)


def constant(dataset: Dataset, splits: Sequence[Split]) -> Baseline:
    """Always answer the largest class of training and validation part; of equals the first.

    Args:
        dataset: its labels.
        splits: one for each fold.
    """
    y, split = dataset.y, splits[0]
    known = np.concatenate([y[split.train], y[split.validation]])
    code = int(np.bincount(known).argmax())
    label = dataset.classes[code]
    if not isinstance(label, int) and len(label) > LABEL:
        label = f"{label[: LABEL - 1]}…"
    return Baseline(
        name="constant",
        does=f"always answering {label!r}",
        short=f"always {label!r}",
        validation_accuracy=fmean(float(np.mean(y[fold.validation] == code)) for fold in splits),
        test_correct=int(np.sum(y[split.test] == code)),
        test_rows=len(split.test),
    )


def read_baselines(study: optuna.Study) -> tuple[Baseline, ...]:
    """The simple models that are kept with a study; none before its data were read.

    Raises:
        StorageError: the metadata are damaged.
    """
    kept = read_metadata(study, "result") or read_metadata(study, "data")
    models = kept["baselines"] if kept else ()
    return tuple(Baseline(**{name: one[name] for name in SIMPLE_MODEL}) for one in models)


def held_against(accuracy: float, rows: int, baseline: float) -> WinnerIs:
    """What an accuracy is beside a simple model's, by Wilson's 95% interval around it.

    Args:
        accuracy: share of the rows that the winner labels right.
        rows: how many there are, at least one.
        baseline: the share that the simple model does.

    >>> [held_against(share, 1000, 0.94) for share in (0.97, 0.945, 0.90)]
    ['better', 'no better', 'worse']
    """
    low, high = wilson_interval(round(accuracy * rows), rows)
    return "better" if low > baseline else "worse" if high < baseline else "no better"
