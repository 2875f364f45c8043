"""Studies and trials as the service shows them; plain functions of what is known of them."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from hpsearch.engine.budget import plan_search
from hpsearch.engine.record import read_findings
from hpsearch.errors import HpsearchError
from hpsearch.service.bench import LOCAL, reports_in
from hpsearch.service.models import State, Study, Trial, TrialState
from hpsearch.study_file import StudyFile
from hpsearch.training.diagnosis import DIAGNOSIS, HINTS, by_kind

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

    from hpsearch.service.leases import LeaseRow
    from hpsearch.service.overview import About
    from hpsearch.service.queue import Queued

__all__ = ["add_holder", "found_study", "submitted_study", "trial_of"]

STATES: Mapping[str, TrialState] = {
    "COMPLETE": "complete",
    "PRUNED": "pruned",
    "FAIL": "failed",
    "RUNNING": "running",
    "WAITING": "waiting",
}
"""Optuna's states, and what they are called here."""


@lru_cache(maxsize=1000)
def _facts(file: str) -> dict[str, Any]:
    """What a study file says of itself, for lists."""
    study = StudyFile.model_validate_json(file)
    metric, direction = study.objective.metric or "", "maximize"
    if not study.objective.learns:
        measure = study.objective.named_measure
        metric, direction = measure.name, measure.direction
    try:
        total: int | None = plan_search(study).trials
    except HpsearchError:
        total = None
    return {
        "kind": study.objective.kind,
        "strategy": study.search.strategy,
        "metric": metric,
        "direction": direction,
        "total": total,
    }


def submitted_study(row: Queued, about: About | None) -> Study:
    """A study that was submitted.

    Args:
        row: of the queue.
        about: what the database has of its trials; None before the first.
    """
    study = Study(
        name=row.name,
        state=row.state,
        why=row.why,
        who=str(row.option.get("who") or ""),
        since=row.since,
        submitted=row.submitted,
        owner=row.owner,
        priority=row.priority,
        max_parallel=row.max_parallel,
        **_facts(row.file),
    )
    return study if about is None else _with(study, about)


def found_study(about: About) -> Study:
    """A study of the database that was not submitted.

    Args:
        about: what the database has of it.
    """
    result = about.kept.get("result")
    state: State = "stopped"
    if about.held:
        state = "running"
    elif isinstance(result, dict):
        state = "finished"
    why = "it was not submitted to this server"
    return _with(Study(name=about.name, state=state, why=why, since=""), about)


def _with(study: Study, about: About) -> Study:
    """A study with what the database says of its trials."""
    states = {STATES[state.upper()]: count for state, count in about.states.items()}
    measure = about.kept.get("measure")
    changed: dict[str, Any] = {
        "trials": states,
        "best": about.best,
        "seconds": round(about.seconds, 3),
        "direction": "minimize" if about.minimizes else "maximize",
    }
    if isinstance(measure, dict) and isinstance(measure.get("name"), str):
        changed["metric"] = measure["name"]
    return study.model_copy(update=changed)


def trial_of(trial: FrozenTrial, also: Sequence[str]) -> Trial:
    """A trial as it is recorded.

    Args:
        trial: of the store.
        also: what its study records beside the metric.
    """
    known = trial.user_attrs
    found = by_kind(read_findings(known))
    told = Trial(
        trial=str(trial._trial_id),
        number=trial.number,
        state=STATES[trial.state.name],
        why=str(known.get("error") or known.get("why_stopped") or ""),
        value=trial.value if trial.values and len(trial.values) == 1 else None,
        configuration=dict(trial.params),
        stage=str(known.get("stage", "")),
        slot=_whole(known.get("slot")),
        seed=_whole(known.get("seed")),
        resource=_whole(known.get("epochs")),
        best_step=_whole(known.get("best_epoch")) or None,
        diagnosis=found.get(DIAGNOSIS, {}),
        hints=found.get(HINTS, {}),
        reports=sorted(trial.intermediate_values.items()),
        holder=str(known.get("worker", "")),
        attempts=_whole(known.get("attempts")) or 1,
        started=_iso(trial.datetime_start),
        ended=_iso(trial.datetime_complete),
        seconds=_real(known.get("seconds")),
    )
    told.also = {k: v for k in also if (v := _real(known.get(k))) is not None}
    return told


def add_holder(
    told: Trial,
    row: Queued | None,
    leases: Sequence[LeaseRow],
    *,
    waits: bool,
    is_local: bool,
) -> None:
    """Tell of a trial that is not finished who has it, or had it.

    Args:
        told: the trial, which is changed.
        row: of its study, None of one that was not submitted.
        leases: on it, in the order of their making.
        waits: whether its driver waits for it.
        is_local: whether a worker of the server's own machine has it.
    """
    told.attempts = sum(lease.state in ("lost", "broken") for lease in leases)
    # What has just been told is at work until its driver has recorded it.
    open_ones = [lease for lease in leases if lease.state in ("open", "told")]
    if open_ones:
        told.state, told.holder = "running", open_ones[-1].holder
        told.started = open_ones[-1].since
        if open_ones[-1].state == "open":
            told.reports = sorted(reports_in(open_ones[-1].content).items())
        told.attempts += 1
    elif is_local:
        told.state, told.holder = "running", LOCAL
        told.attempts += 1
    elif row is not None and row.state == "stopped":
        told.state, told.why = "cancelled", row.why
    elif leases and leases[-1].state == "lost":
        told.state = "lost"
        told.why = (leases[-1].content or b"").decode(errors="replace")
    elif waits or row is not None:
        told.state = "waiting"


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _real(value: object) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else None  # type: ignore[arg-type]


def _iso(when: datetime.datetime | None) -> str | None:
    if when is None:
        return None
    return when.astimezone(datetime.UTC).isoformat(timespec="milliseconds")
