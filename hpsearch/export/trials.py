"""What every export reads of a study's trials, whoever made them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from hpsearch.engine.summary import Summary, TrialRow

__all__ = ["finished_trials", "scores_of", "seconds_since_1970", "value_names"]

FINISHED = ("complete", "pruned", "fail")
"""The states of trials to which nothing is added any more."""


def finished_trials(rows: Iterable[TrialRow]) -> list[TrialRow]:
    """Those to which nothing is added any more, by their number."""
    return sorted((row for row in rows if row.state in FINISHED), key=lambda row: row.number)


def value_names(summary: Summary) -> list[str]:
    """What a trial's values are called: the metric, or numbered names of several.

    Args:
        summary: of the study.
    """
    if summary.objectives == 1:
        return [summary.measure.name]
    return [f"values_{k}" for k in range(summary.objectives)]


def scores_of(summary: Summary, row: TrialRow) -> dict[str, float]:
    """A trial's values, and what is recorded beside them, by name; nothing of one without result.

    Args:
        summary: of the study.
        row: the trial.
    """
    return dict(row.also) | dict(zip(value_names(summary), row.values, strict=False))


def seconds_since_1970(moment: datetime | None) -> float:
    """A moment as other programs count it; 0 where nobody knows it."""
    return 0.0 if moment is None else moment.timestamp()
