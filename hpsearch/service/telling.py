"""What is told of a job, read as what its driver waits for: a result, or an error.

The text of a `Tell` is kept as it came, so that it is read alike at once and after a restart.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hpsearch.outcome import Outcome, TrialFailedError, TryAgainError
from hpsearch.service.bench import Item
from hpsearch.service.desk import BrokenElsewhereError, Settled
from hpsearch.service.models import Tell
from hpsearch.trials.result import Reports, outcome_of
from hpsearch.trials.values import ValuesJob

if TYPE_CHECKING:
    from hpsearch.metrics import Measure
    from hpsearch.service.leases import LeaseRow, LeaseState

__all__ = ["read_row", "settled_by", "state_after", "value_of"]

GIVEN_UP = "pruned"
"""Why a trial stopped that gave itself up as known bad; as of functions."""


def read_row(item: Item, row: LeaseRow) -> Settled:
    """What a row of an earlier server says of a job.

    Args:
        item: the job.
        row: told, lost or broken.
    """
    content = row.content or b""
    if row.state == "lost":
        return BrokenElsewhereError(content.decode() or f"no sign of life from {row.holder}")
    return settled_by(item, Tell.model_validate_json(content), row.holder)


def state_after(tell: Tell) -> LeaseState:
    """The state of a lease once this is told."""
    kind = None if tell.error is None else tell.error.kind
    return "broken" if kind == "broken" else "again" if kind == "again" else "told"


def settled_by(item: Item, tell: Tell, holder: str) -> Settled:
    """What a driver that waits for a job is given.

    Args:
        item: the job.
        tell: of it, with all values on the way.
        holder: who did it.

    Returns:
        The result of the job's function, or the error that it would raise.
    """
    if tell.error is not None:
        sentence, tail = tell.error.sentence, tell.error.tail
        if tell.error.kind == "again":
            return TryAgainError(sentence)
        if tell.error.kind == "broken":
            return BrokenElsewhereError(sentence)
        return TrialFailedError(sentence, tail)
    try:
        if tell.outcome is not None:
            from hpsearch.service.wire import read_result

            result = read_result(tell.outcome, item.function)
            return replace(result, worker=holder) if isinstance(result, Outcome) else result
        return _from_values(item.job, tell, holder)
    except TrialFailedError as error:
        return error


def _from_values(job: Any, tell: Tell, holder: str) -> Outcome:
    if not isinstance(job, ValuesJob):
        raise TrialFailedError(
            "a training was told as a plain result; `outcome` is what hpsearch's own agents send"
        )
    said = Reports()
    for step, value in tell.reports:
        said.add(step, value)
    seconds = tell.seconds or 0.0
    if tell.pruned:
        steps, curve = said.curve(job.asked)
        return Outcome(
            min(map(job.asked.score, said.values.values()), default=0.0),
            complete=False,
            why_stopped=GIVEN_UP,
            curve=curve,
            steps=steps,
            seconds=seconds,
            worker=holder,
        )
    return replace(outcome_of(tell.result, job.asked, said, seconds), worker=holder)


def value_of(settled: Settled, measure: Measure | None) -> float | None:
    """The value of a result in the study's own units; None of an error, or of no trial.

    A trial that gave itself up before it had any value has none.
    """
    if not isinstance(settled, Outcome) or measure is None:
        return None
    if settled.why_stopped == GIVEN_UP and not settled.curve:
        return None
    return measure.of_score(settled.score)
