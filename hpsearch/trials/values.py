"""A trial that somebody else does: values go out, and values come back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hpsearch.errors import UsageError
from hpsearch.outcome import Outcome, Place
from hpsearch.trials.result import Asked

__all__ = ["ValuesJob", "values_job"]


@dataclass(frozen=True)
class ValuesJob:
    """A trial, as whoever does it is told of it.

    Attributes:
        data: is there as long as somebody waits for the trial.
        study: the study's name.
        stage: the index of the stage.
        slot: the index of the slot in it.
        configuration: the value of every parameter.
        seed: of the trial.
        resource: how long to train.
        asked: what its result is asked for.
        function: MODULE:NAME of a function that does it, where the study names one.
    """

    data: Place
    study: str
    stage: int
    slot: int
    configuration: Mapping[str, Any]
    seed: int
    resource: int
    asked: Asked
    function: str | None = None


def values_job(job: ValuesJob, stop: Callable[[], bool] | None = None) -> Outcome:
    """No worker of ours does it.

    Raises:
        UsageError: always.
    """
    del stop
    raise UsageError(f"the trials of {job.study!r} are done by whoever asks a server for them")
