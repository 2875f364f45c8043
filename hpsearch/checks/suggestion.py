"""What a study file for some data should say, and why: task, metric, and how rows are divided."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from hpsearch.checks.data_checks import OUTLYING
from hpsearch.checks.split_checks import drifts_with
from hpsearch.data import Dataset
from hpsearch.data.splits import Suspect

__all__ = ["Suggestion", "suggestions"]

FEW_ROWS = 1000
"""With fewer rows one validation part is too small to tell configurations apart."""

RARE = 0.2
"""A class of a smaller share than this, of two, makes accuracy say little."""


@dataclass(frozen=True)
class Suggestion:
    """A setting, and why it should have a value.

    Attributes:
        table: of the study file.
        key: of the setting.
        value: that it should have.
        why: in a clause.
    """

    table: str
    key: str
    value: Any
    why: str


def suggestions(dataset: Dataset) -> Iterator[Suggestion]:
    """What a study of some data should say beyond where they are.

    Args:
        dataset: as it is read without any of it.
    """
    why = dataset.account.task.partition(", since ")[2].partition(";")[0]
    yield Suggestion("data", "task", dataset.task, why or "so the data are made")
    yield from _division(dataset)
    yield from _metric(dataset)


def _division(dataset: Dataset) -> Iterator[Suggestion]:
    groups = [(name, s) for name, s in dataset.suspects.items() if s.kind == "groups"]
    times = [(name, s) for name, s in dataset.suspects.items() if s.kind == "time"]
    parts = [name for name, s in dataset.suspects.items() if s.kind == "parts"]
    rows = len(dataset.y)
    if parts:
        told = "it says which rows are to train, to validate and to test; it is no input"
        yield Suggestion("data", "parts", parts[0], told)
        return
    if groups:
        name, suspect = min(groups, key=_count)
        count = _count((name, suspect))
        told = f"{count:,} values in {rows:,} rows: those of one stay together; it is no input"
        yield Suggestion("data", "groups", name, told)
        enough = count >= 20
    elif times and drifts_with(dataset, times[0][1].values.astype(np.float64)):
        told = "the target changes with it: train on what came before; it is no input"
        yield Suggestion("data", "time", times[0][0], told)
        enough = False
    else:
        enough = True
    if rows < FEW_ROWS and enough and dataset.fixed_test is None:
        told = f"{rows:,} rows are few: one validation part would tell little"
        yield Suggestion("data", "folds", 5, told)


def _count(named: tuple[str, Suspect]) -> int:
    return len(np.unique(named[1].values))


def _metric(dataset: Dataset) -> Iterator[Suggestion]:
    if dataset.task == "regression":
        y = dataset.y.astype(np.float64)
        deviation = float(np.std(y)) or 1.0
        farthest = float(np.abs(y - np.mean(y)).max()) / deviation
        if farthest > OUTLYING:
            told = f"one value is {farthest:.0f} deviations from the mean"
            yield Suggestion("objective", "metric", "mae", f"{told}, and would decide the rmse")
            yield Suggestion("training", "loss", "huber", f"{told}: far ones count less so")
        else:
            yield Suggestion("objective", "metric", "rmse", "in the target's own units")
        return
    shares = np.bincount(dataset.y.astype(np.int64)) / len(dataset.y)
    rarest = dataset.classes[int(shares.argmin())]
    if len(shares) == 2 and shares.min() < RARE:
        told = f"{rarest!r} is {shares.min():.1%} of the rows: accuracy would say little"
        yield Suggestion("objective", "metric", "roc_auc", told)
    elif shares.min() < RARE / len(shares):
        told = f"{rarest!r} is {shares.min():.1%} of the rows: each class counts the same so"
        yield Suggestion("objective", "metric", "balanced_accuracy", told)
    else:
        yield Suggestion("objective", "metric", "accuracy", "no class is rare")
