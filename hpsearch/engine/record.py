"""How a study stands in the database: trials of Optuna with our attributes, and metadata.

Everything a study knows can be read back from here; nothing is kept by the process that ran it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hpsearch.engine.metadata import PREFIX, metadata_errors, read_metadata, write_metadata
from hpsearch.metrics import ACCURACY, Measure
from hpsearch.outcome import Outcome
from hpsearch.search.base import (
    Chosen,
    Configuration,
    Motive,
    Move,
    Resource,
    Result,
    Slot,
    Stage,
    StageKind,
    StagePlan,
)
from hpsearch.search.distributions import to_distribution
from hpsearch.shapes import a_count, fits
from hpsearch.space import Categorical, Space
from hpsearch.training.diagnosis import ADVICE, DIAGNOSIS, HINTS, Finding, by_kind

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial, TrialState

    from hpsearch.storage import WriteBehindStorage

__all__ = [
    "AGAIN",
    "DIGEST",
    "MEASURE",
    "NO_WINNER",
    "PREFIX",
    "RESOURCE",
    "comparison_of",
    "fail_trial",
    "finish_trial",
    "hand_back_trial",
    "has_more",
    "measure_of",
    "read_findings",
    "read_losses",
    "read_metadata",
    "read_result",
    "read_results",
    "read_slot",
    "read_slots",
    "read_stages",
    "read_tested",
    "read_unfinished",
    "resource_of",
    "resume_trial",
    "retry_trial",
    "running_trial",
    "why_untested",
    "write_metadata",
    "write_stage",
]

TEST = "test"
"""The attribute of a trial with its metric on the test part, in comparisons of searches."""

AGAIN = "again"
"""Of the result of a study without rows, in comparisons: the winner's value with one more seed."""

ONCE_MORE = "once more"
"""The attribute of a trial of a slot that had failed in the one before."""

TAIL = "log"
"""The attribute of a trial with the last lines that its program wrote."""

SLOT = dict.fromkeys(("stage_index", "slot", "seed", "epochs"), a_count)
"""The attributes that tell a trial of ours from one that somebody else added."""

RESOURCE = "resource"
"""Of a study: what the length of its trials is counted in, and how much of it there is."""

MEASURE = "measure"
"""Of a study: name, direction and bounds of what its trials are measured by."""

NO_WINNER = "no winner"
"""Of a study that is over and has none: why. One with a result had more trials later."""


CHOSEN = "chosen"
"""Of a stage that a model chose: the configuration of every slot."""

MOTIVES = "motives"
"""Of the same: why each was chosen, the two numbers of `Motive` or null."""


def why_untested(study: Study) -> str:
    """Why a study of ours has no tested network, in a sentence."""
    kept: str | None = read_metadata(study, NO_WINNER)
    again = (
        f"the study {study.study_name!r} has no tested network yet; run its study file to the end"
    )
    return kept or again


def comparison_of(study: Study) -> str | None:
    """The comparison of searches that a study is a part of, if any."""
    about = read_metadata(study, "comparison")
    return None if about is None else str(about["name"])


DIGEST = "training"
"""The attribute of a trial that tells its training from any other; see `digest_of`."""


def running_trial(stage: Stage, slot: Slot, whole: Space, digest: str) -> FrozenTrial:
    """The Optuna trial of a slot that is handed to a worker: RUNNING, with all that it is to do.

    Args:
        stage: the stage of the slot; its space gives the ranges that the draw came from.
        slot: what is to be trained.
        whole: the study's own space. A categorical parameter keeps its first choices, since Optuna
            refuses trials of one study whose choices differ.
        digest: what tells this training from any other.
    """
    from optuna.trial import TrialState, create_trial

    return create_trial(
        state=TrialState.RUNNING,
        params=dict(slot.configuration),
        distributions=_distributions(stage, slot, whole),
        user_attrs={
            "stage": stage.name,
            "stage_index": slot.stage,
            "slot": slot.index,
            "seed": slot.seed,
            "epochs": slot.epochs,
            DIGEST: digest,
        },
    )


def measure_of(study: Study) -> Measure:
    """What the trials of a study are measured by.

    A study of ours that keeps no measure is older than other metrics.

    Raises:
        StorageError: the metadata are damaged.
    """
    kept = read_metadata(study, MEASURE)
    if kept is not None:
        return Measure(kept["name"], kept["direction"], tuple(kept["bounds"]))
    if read_metadata(study, "study file") is not None:
        return ACCURACY
    name = (study.metric_names or ["objective value"])[0]
    minimizes = len(study.directions) == 1 and study.direction.name == "MINIMIZE"
    return Measure(name, "minimize" if minimizes else "maximize")


def resource_of(study: Study) -> Resource:
    """What the length of a study's trials is counted in; epochs, where nobody says."""
    kept = read_metadata(study, RESOURCE)
    if kept is None:
        return Resource("epochs")
    return Resource(kept["name"], kept["full"], kept["least"])


def finish_trial(
    store: WriteBehindStorage, trial_id: int, result: Outcome, measure: Measure
) -> None:
    """Write what came of a training: COMPLETE, or PRUNED when it was known to be bad.

    Here scores, of which greater is better, become the measure's own values; `read_result` and
    `read_results` lead back.
    """
    from optuna.trial import TrialState

    own = measure.of_score
    curve = {step: own(score) for step, score in result.by_step.items()}
    curve = curve or {1: own(result.score)}
    attributes: dict[str, Any] = {
        "why_stopped": result.why_stopped,
        "best_epoch": result.best_epoch,
        "seconds": round(result.seconds, 4),
        "worker": result.worker,
    }
    if len(result.fold_scores) > 1:
        attributes["fold_scores"] = list(map(own, result.fold_scores))
    if result.losses and math.isfinite(result.losses[-1]):
        attributes["train_loss"] = result.losses[-1]
    if result.test_score is not None:
        attributes[TEST] = own(result.test_score)
    if result.tail:
        attributes[TAIL] = result.tail
    attributes |= result.also
    attributes |= by_kind(result.findings)
    store.finish_trial(
        trial_id,
        TrialState.COMPLETE if result.complete else TrialState.PRUNED,
        [own(result.score)],
        intermediate_values=curve,
        user_attrs=attributes,
        epochs={"train_loss": result.losses, "validation_loss": result.validation_losses},
        snapshots=result.snapshots,
    )


def read_result(
    trial: FrozenTrial,
    epochs: Mapping[str, Any],
    measure: Measure,
    also: Sequence[str] = (),
) -> Outcome:
    """The result that `finish_trial` wrote.

    Args:
        trial: finished.
        epochs: what `load_epochs` has of it.
        measure: of its study.
        also: the names of the metrics that are recorded beside.
    """
    attributes, score = trial.user_attrs, measure.score
    assert trial.value is not None, "asked of trials that have a result"
    reported = sorted(trial.intermediate_values.items())
    curve = tuple(score(value) for _, value in reported)
    steps = tuple(step for step, _ in reported)
    tested = read_tested(trial)
    return Outcome(
        score=score(trial.value),
        complete=trial.state.name == "COMPLETE",
        why_stopped=attributes["why_stopped"],
        curve=curve,
        losses=read_losses(epochs, "train_loss"),
        validation_losses=read_losses(epochs, "validation_loss"),
        best_epoch=attributes["best_epoch"],
        fold_scores=tuple(map(score, attributes.get("fold_scores", [trial.value]))),
        seconds=attributes["seconds"],
        test_score=None if tested is None else score(tested),
        also={name: attributes[name] for name in also if name in attributes},
        worker=attributes.get("worker", ""),
        findings=read_findings(attributes),
        snapshots=epochs.get("snapshots"),
        steps=() if steps == tuple(range(1, len(steps) + 1)) else steps,
        tail=attributes.get(TAIL, ""),
    )


def read_tested(trial: FrozenTrial) -> float | None:
    """A trial's metric on the test part, in its own units, where a comparison asked for it."""
    tested: float | None = trial.user_attrs.get(TEST)
    return tested


def read_findings(attributes: Mapping[str, Any]) -> tuple[Finding, ...]:
    """What was found wrong with a trial, from its attributes.

    Others may give their trials attributes of these names, and mean anything by them; what
    `diagnose` cannot have written is passed over.
    """
    kinds = ((attributes.get(DIAGNOSIS), True), (attributes.get(HINTS), False))
    return tuple(
        Finding(name, str(found[name]), fault)
        for found, fault in kinds
        if isinstance(found, Mapping)
        for name in found
        if name in ADVICE
    )


def read_losses(epochs: Mapping[str, Any], name: str) -> tuple[float, ...]:
    """One of the losses that `load_epochs` has of a trial; nan where it was not finite."""
    return tuple(math.nan if loss is None else loss for loss in epochs.get(name, ()))


def fail_trial(store: BaseStorage, trial_id: int, errors: Sequence[str], tail: str = "") -> None:
    """Write that a trial came to nothing, and why: the last attempt's error, and others before it.

    Args:
        store: where it is.
        trial_id: of the trial.
        errors: of all attempts.
        tail: the last lines that its program wrote.
    """
    from optuna.trial import TrialState

    if tail:
        store.set_trial_user_attr(trial_id, TAIL, tail)
    told = [*dict.fromkeys(error[:2000] for error in reversed(errors))]
    store.set_trial_user_attr(trial_id, "error", "; before: ".join(told)[:6000])
    store.set_trial_user_attr(trial_id, "attempts", len(errors))
    store.set_trial_state_values(trial_id, TrialState.FAIL)


def retry_trial(store: BaseStorage, study_id: int, trial: FrozenTrial) -> int:
    """Have the slot of a failed trial done once more; the next run of the study takes it up.

    Returns:
        The id of the trial that waits for it.
    """
    from optuna.trial import TrialState, create_trial

    kept = {key: trial.user_attrs[key] for key in (*SLOT, "stage", DIGEST)}
    again = create_trial(
        state=TrialState.WAITING,
        params=trial.params,
        distributions=trial.distributions,
        user_attrs=kept | {ONCE_MORE: True},
    )
    return store.create_new_trial(study_id, template_trial=again)


def has_more(trials: Sequence[FrozenTrial]) -> bool:
    """Whether a slot that had failed is to be done once more."""
    return any(ONCE_MORE in trial.user_attrs and not trial.state.is_finished() for trial in trials)


def hand_back_trial(store: BaseStorage, trial_id: int) -> None:
    """Write that nobody works on a slot any more; the next run of the study takes it up."""
    from optuna.trial import TrialState

    store.set_trial_state_values(trial_id, TrialState.WAITING)


def resume_trial(store: BaseStorage, trial_id: int, state: TrialState) -> None:
    """Take up a slot that a run which has ended, or died, had begun."""
    from optuna.trial import TrialState

    if state == TrialState.RUNNING:  # its driver died; only a waiting trial may start, and anew
        store.set_trial_state_values(trial_id, TrialState.WAITING)
    store.set_trial_state_values(trial_id, TrialState.RUNNING)


def _distributions(stage: Stage, slot: Slot, whole: Space) -> dict[str, Any]:
    distributions = {}
    for name, value in slot.configuration.items():
        parameter = stage.space.parameters.get(name, whole.parameters[name])
        if isinstance(parameter, Categorical) or value not in parameter:
            parameter = whole.parameters[name]
        if not isinstance(parameter, Categorical) and value not in parameter:
            # The race runs what a stage found past the end of the range.
            assert isinstance(value, int | float), "numeric parameters have numbers"
            low, high = min(parameter.low, value), max(parameter.high, value)
            parameter = replace(parameter, low=low, high=high)  # type: ignore[arg-type]
        distributions[name] = to_distribution(parameter)
    return distributions


def read_results(trials: Sequence[FrozenTrial], measure: Measure) -> dict[tuple[int, int], Result]:
    """The results that a study holds, by stage and slot; failed slots have none.

    Args:
        trials: of the study.
        measure: of the study.
    """
    results: dict[tuple[int, int], Result] = {}
    for trial in trials:
        slot = read_slot(trial)
        if slot is not None and trial.value is not None:
            complete = trial.state.name == "COMPLETE"
            score = measure.score(trial.value)
            results.setdefault(slot.place, Result(slot, score, complete=complete))
    return results


def read_unfinished(trials: Sequence[FrozenTrial]) -> dict[tuple[int, int], FrozenTrial]:
    """The trials that a run before began and did not finish, by stage and slot."""
    return {
        slot.place: trial
        for trial in trials
        if (slot := read_slot(trial)) is not None and not trial.state.is_finished()
    }


def read_slots(trials: Sequence[FrozenTrial]) -> list[Slot]:
    """Every slot that was ever handed out, whatever came of it."""
    return [slot for slot in map(read_slot, trials) if slot is not None]


def read_slot(trial: FrozenTrial) -> Slot | None:
    """The slot of a trial that hpsearch made, None for one that somebody else added."""
    known = trial.user_attrs
    if not fits(known, SLOT):
        return None
    place = known["stage_index"], known["slot"]
    return Slot(*place, trial.params, known["seed"], known["epochs"])


def write_stage(study: Study, stage: Stage) -> Stage:
    """Keep a stage with its ranges and the reasons for them.

    Configurations that a model chose are kept with it, with its motives, and from then on they are
    the stage's: run again on another machine, the model could round, and so choose, otherwise.

    Returns:
        The stage, which proposes what is kept of it.
    """
    changes = [
        {
            "parameter": change.parameter,
            "before": Space({change.parameter: change.before}).to_dict()["parameters"],
            "after": Space({change.parameter: change.after}).to_dict()["parameters"],
            "reason": change.reason,
        }
        for change in stage.changes
    ]
    about = {
        "kind": stage.kind.name,
        "number": stage.kind.number,
        "slots": stage.slots,
        "epochs": stage.epochs,
        "space": stage.space.to_dict(),
        "changes": changes,
    }
    if stage.note:
        about["note"] = stage.note
    key = f"stage {stage.index}"
    if stage.modelled:
        kept = read_metadata(study, key) or {}
        if len(kept.get(CHOSEN, ())) != stage.slots:
            kept = {CHOSEN: _chosen(stage), MOTIVES: _motives(stage)}
        chosen = kept[CHOSEN]
        about |= {CHOSEN: chosen, MOTIVES: kept.get(MOTIVES, [])}
        stage = replace(stage, propose=lambda index, _: chosen[index])
    write_metadata(study, key, about)
    return stage


def _chosen(stage: Stage) -> list[Configuration]:
    """The configurations of a stage, as JSON gives them back: their parameters in order."""
    return [dict(sorted(stage.propose(index, ()).items())) for index in range(stage.slots)]


def _motives(stage: Stage) -> list[list[float] | None]:
    """Why each slot of a stage was chosen, in few digits; empty where its model does not say."""
    if not isinstance(stage.propose, Chosen):
        return []
    motives = (stage.propose.motive(index) for index in range(stage.slots))
    return [motive and [round(number, 3) for number in motive] for motive in motives]


def read_stages(study: Study) -> list[StagePlan]:
    """The stages that a study has begun, in order.

    Raises:
        StorageError: the metadata of one are damaged.
    """
    stages: list[StagePlan] = []
    while (kept := read_metadata(study, key := f"stage {len(stages)}")) is not None:
        with metadata_errors(study, key):
            changes = tuple(
                Move(
                    change["parameter"],
                    _one(change["before"]),
                    _one(change["after"]),
                    change["reason"],
                )
                for change in kept["changes"]
            )
            kind = StageKind(kept["kind"], kept["number"])
            space = Space.from_dict(kept["space"])
            motives = tuple(pair and Motive(*pair) for pair in kept.get(MOTIVES, ()))
            size = kept["slots"], kept["epochs"]
            note = str(kept.get("note", ""))
            stages.append(StagePlan(kind, len(stages), *size, space, changes, motives, note))
    return stages


def _one(parameters: Mapping[str, Any]) -> Any:
    [parameter] = Space.from_dict({"parameters": parameters}).parameters.values()
    return parameter
