"""What a study came to, as it goes over the wire, and back: the same tables at both ends."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from hpsearch.advice import Advice, Change, Recommendation
from hpsearch.checks import Check
from hpsearch.engine.baselines import Baseline
from hpsearch.engine.rivals import Rival
from hpsearch.engine.summary import StageSummary, Summary, TrialRow, best_first
from hpsearch.engine.tested import SeenClasses
from hpsearch.errors import HpsearchError, ServerError
from hpsearch.metrics import Measure
from hpsearch.metrics.curves import Reliability, Residuals
from hpsearch.search.base import Motive, Move, Slot, StageKind
from hpsearch.service.models import Study, Trial
from hpsearch.space import Space
from hpsearch.study_file import StudyFile
from hpsearch.training.diagnosis import ADVICE, Finding
from hpsearch.wording import QUANTILES

if TYPE_CHECKING:
    from hpsearch.space import Parameter

__all__ = ["best_document", "not_begun", "read_advice", "read_seen", "read_summary"]

STATES = {"failed": "fail", "lost": "waiting", "cancelled": "fail"}
"""The service's states of a trial that the engine calls otherwise."""


def best_document(summary: Summary, seen: SeenClasses | Residuals | None) -> dict[str, Any]:
    """What `hpsearch best --json` prints: the summary, and what the winner made of the test rows.

    Args:
        summary: of a study.
        seen: the test rows: each class, or quantiles of the errors.
    """
    return summary.document() | _seen_document(seen)


def _seen_document(seen: SeenClasses | Residuals | None) -> dict[str, Any]:
    if seen is None:
        return {}
    if isinstance(seen, Residuals):
        return {"errors": dict(zip(QUANTILES, seen.quantiles, strict=True))}
    of_classes = zip(seen.classes, seen.by_class, strict=False)
    return {
        "classes": {
            name: {
                what: None if math.isnan(number) else number
                for what, number in share._asdict().items()
            }
            for name, share in of_classes
        },
        "confusion": None if seen.confusion is None else seen.confusion.astype(int).tolist(),
    }


def read_seen(document: Mapping[str, Any]) -> SeenClasses | Residuals | None:
    """The test rows, of what `best_document` says."""
    nothing = np.zeros(0)
    if (errors := document.get("errors")) is not None:
        return Residuals(nothing, nothing, tuple(errors.values()))
    if (confusion := document.get("confusion")) is None:
        return None
    cells = np.array(confusion, dtype=np.float64)
    return SeenClasses(
        tuple(document["classes"]), cells, (), Reliability(nothing, nothing, nothing)
    )


def not_begun(study: Study) -> Summary:
    """The summary of a study that has no trials yet, of which the server has no document."""
    return Summary(
        study=study.name,
        strategy=study.strategy or None,
        data={},
        stages=(),
        rows=(),
        states={},
        measure=Measure(study.metric, study.direction),
        learns=study.kind in ("network", "estimator"),
    )


def read_summary(document: Mapping[str, Any], trials: Iterable[Trial] = ()) -> Summary:
    """The summary that a document is of.

    Args:
        document: of `best_document`.
        trials: of the same study; without them there is none to be shown.

    Raises:
        ServerError: it is none.
    """
    try:
        return _summary(document, trials)
    except (KeyError, TypeError, ValueError, AttributeError, HpsearchError):
        raise ServerError(
            "the server tells of a study what this version of hpsearch does not understand; "
            "install the server's version here"
        ) from None


def _summary(document: Mapping[str, Any], trials: Iterable[Trial]) -> Summary:
    measure = Measure(document["metric"], document["direction"], tuple(document["bounds"]))
    stages = tuple(_stage(index, stage) for index, stage in enumerate(document["stages"]))
    by_name = {stage.name: stage for stage in stages}
    last = {trial.trial: trial for trial in trials}  # what was told of a trial last holds
    winner, pareto = document["winner"], tuple(document["pareto"])
    return Summary(
        study=document["study"],
        strategy=document["strategy"],
        data=document["data"],
        stages=stages,
        rows=tuple(
            best_first((_row(t, by_name) for t in last.values()), measure, {winner, *pareto})
        ),
        states=Counter(document["states"]),
        best=document["best"],
        validation=document["validation"],
        validation_std=document["validation_std"],
        validation_scores=tuple(document["validation_scores"]),
        test=document["test"],
        test_interval=_pair(document["test_interval"]),
        test_also=document["test_also"],
        test_rows=document["test_rows"],
        tests=document["tests"],
        seconds=document["seconds"],
        model=document["model"],
        baselines=tuple(map(_baseline, document["baselines"])),
        rivals=tuple(
            Rival(**rival | {"interval": _pair(rival["interval"])})
            for rival in document["simple_models"]
        ),
        winner=winner,
        winner_slots=frozenset((stage, slot) for stage, slot in document["winner_slots"]),
        diverged=document["diverged"],
        threshold=document["threshold"],
        objectives=document["objectives"],
        pareto=pareto,
        measure=measure,
        resource=document["resource"],
        finished=document["finished"],
        learns=document["learns"],
    )


def _stage(index: int, document: Mapping[str, Any]) -> StageSummary:
    return StageSummary(
        kind=_kind(document["name"]),
        index=index,
        slots=document["trials"],
        epochs=document["epochs"],
        space=Space.from_dict(document["space"]),
        changes=tuple(
            Move(
                change["parameter"], _one(change["before"]), _one(change["after"]), change["reason"]
            )
            for change in document["changes"]
        ),
        motives=tuple(motive and Motive(**motive) for motive in document["motives"]),
        note=document["note"],
        done=document["done"],
        best=document["best"],
    )


def _kind(name: str) -> StageKind:
    """The kind of a stage, by its name: ``fine-2`` is the second one that is fine."""
    found = re.fullmatch(r"(.+)-(\d+)", name)
    return StageKind(name) if found is None else StageKind(found[1], int(found[2]))


def _one(parameters: Mapping[str, Any]) -> Parameter:
    [parameter] = Space.from_dict({"parameters": parameters}).parameters.values()
    return parameter


def _baseline(document: Mapping[str, Any]) -> Baseline:
    known = {name: document[name] for name in ("name", "does", "short", "validation", "test")}
    return Baseline(**known, difference=_pair(document["difference"]))


def _row(trial: Trial, stages: Mapping[str, StageSummary]) -> TrialRow:
    stage = stages.get(trial.stage)
    slot, motive = None, None
    if stage is not None and trial.slot is not None:
        seed, epochs = trial.seed or 0, trial.resource or 0
        slot = Slot(stage.index, trial.slot, trial.configuration, seed, epochs)
        motive = stage.motives[slot.index] if slot.index < len(stage.motives) else None
    found = ((trial.diagnosis, True), (trial.hints, False))
    return TrialRow(
        number=trial.number,
        state=STATES.get(trial.state, trial.state),
        stage=None if stage is None else stage.kind,
        slot=slot,
        score=trial.value,
        epochs=trial.resource,
        seconds=trial.seconds,
        why=trial.why,
        configuration=trial.configuration,
        findings=tuple(
            Finding(name, how, fault)
            for kind, fault in found
            for name, how in kind.items()
            if name in ADVICE
        ),
        motive=motive,
        values=() if trial.value is None else (trial.value,),
        best_epoch=trial.best_step,
        worker=trial.holder,
        started=_moment(trial.started),
        completed=_moment(trial.ended),
        also=trial.also,
        curve=dict(trial.reports),
    )


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _pair(ends: Sequence[float] | None) -> tuple[float, float] | None:
    return None if ends is None else (ends[0], ends[1])


def read_advice(document: Mapping[str, Any]) -> Advice:
    """The advice that `Advice.document` is of, as far as it is told.

    Raises:
        ServerError: it is none.
    """
    try:
        then = StudyFile.model_validate(document["next"])
        return Advice(
            then.model_copy(update={"name": document["study"]}),  # all that is told of it
            tuple(
                Recommendation(r["topic"], r["sentence"], _changes(r["changes"]))
                for r in document["recommendations"]
            ),
            tuple(
                Check(**check | {"exclude": tuple(check.get("exclude", ()))})
                for check in document["checks"]
            ),
            then,
            _changes(document["changes"]),
            document["note"],
        )
    except (KeyError, TypeError, ValueError):
        raise ServerError(
            "the server gives advice that this version of hpsearch does not understand; install "
            "the server's version here"
        ) from None


def _changes(documents: Iterable[Mapping[str, Any]]) -> tuple[Change, ...]:
    return tuple(Change(**document) for document in documents)
