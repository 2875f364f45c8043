"""How a study stands in the database: trials of Optuna with our attributes, and notes on the study.

Everything a study knows can be read back from here; nothing is kept by the process that ran it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from hpsearch.objective import Outcome
from hpsearch.search.base import Change, Result, Slot, Stage
from hpsearch.search.distributions import to_distribution
from hpsearch.space import Categorical, Space, Value

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

__all__ = [
    "StageNote",
    "failed_trial",
    "finished_trial",
    "read_results",
    "read_stages",
    "write_stage",
]

NOTE = "hpsearch:"
"""Attributes of a study that begin so are ours."""


def finished_trial(stage: Stage, slot: Slot, outcome: Outcome, whole: Space) -> FrozenTrial:
    """The Optuna trial of a training that ended: COMPLETE, or PRUNED when it was known to be bad.

    Args:
        stage: the stage of the slot; its space gives the ranges that the draw came from.
        slot: what was trained.
        outcome: what came of it.
        whole: the study's own space. A categorical parameter keeps its first choices, since Optuna
            refuses trials of one study whose choices differ.
    """
    from optuna.trial import TrialState, create_trial

    curve = dict(enumerate(outcome.curve, start=1)) or {1: outcome.score}
    state = TrialState.COMPLETE if outcome.complete else TrialState.PRUNED
    attributes = {
        "why_stopped": outcome.why_stopped,
        "best_epoch": outcome.best_epoch,
        "seconds": round(outcome.seconds, 4),
    }
    if len(outcome.fold_scores) > 1:
        attributes["fold_scores"] = list(outcome.fold_scores)
    if outcome.losses and math.isfinite(outcome.losses[-1]):
        attributes["train_loss"] = outcome.losses[-1]
    trial = create_trial(
        state=state,
        value=outcome.score,
        params=dict(slot.configuration),
        distributions=_distributions(stage, slot, whole),
        user_attrs=_slot_attributes(stage, slot) | attributes,
        intermediate_values=curve,
    )
    # So that Optuna's timeline shows how long the training took, not how long its record did.
    assert trial.datetime_complete is not None
    trial.datetime_start = trial.datetime_complete - timedelta(seconds=outcome.seconds)
    return trial


def failed_trial(stage: Stage, slot: Slot, error: str, whole: Space) -> FrozenTrial:
    """The Optuna trial of a training that broke (worker killed, out of memory, an exception)."""
    from optuna.trial import TrialState, create_trial

    return create_trial(
        state=TrialState.FAIL,
        params=dict(slot.configuration),
        distributions=_distributions(stage, slot, whole),
        user_attrs=_slot_attributes(stage, slot) | {"error": error[:2000]},
    )


def _slot_attributes(stage: Stage, slot: Slot) -> dict[str, Any]:
    return {
        "stage": stage.name,
        "stage_index": slot.stage,
        "slot": slot.index,
        "seed": slot.seed,
        "epochs": slot.epochs,
    }


def _distributions(stage: Stage, slot: Slot, whole: Space) -> dict[str, Any]:
    distributions = {}
    for name, value in slot.configuration.items():
        parameter = stage.space.parameters.get(name, whole.parameters[name])
        if isinstance(parameter, Categorical) or value not in parameter:
            parameter = whole.parameters[name]
        distributions[name] = to_distribution(parameter)
    return distributions


def read_results(trials: Sequence[FrozenTrial]) -> dict[tuple[int, int], Result]:
    """The results that a study holds, by stage and slot; failed attempts are none.

    Should a slot have been run twice (two drivers at once), the first result counts.
    """
    results: dict[tuple[int, int], Result] = {}
    for trial in trials:
        key = slot_of(trial)
        if key is None or trial.value is None or key in results:
            continue
        attributes = trial.user_attrs
        slot = Slot(key[0], key[1], trial.params, attributes["seed"], attributes["epochs"])
        results[key] = Result(slot, trial.value, complete=trial.state.name == "COMPLETE")
    return results


def slot_of(trial: FrozenTrial) -> tuple[int, int] | None:
    """The stage and slot of a trial that hpsearch made, None for one that somebody else added."""
    attributes = trial.user_attrs
    if not {"stage_index", "slot", "seed", "epochs"} <= attributes.keys():
        return None
    return int(attributes["stage_index"]), int(attributes["slot"])


@dataclass(frozen=True)
class StageNote:
    """What is kept of a stage: how many trainings of how many epochs, where, and why there."""

    name: str
    index: int
    slots: int
    epochs: int
    space: Space
    changes: tuple[Change, ...]


def write_stage(study: Study, stage: Stage) -> None:
    """Keep a stage with its ranges and the reasons for them."""
    changes = [
        {
            "parameter": change.parameter,
            "before": Space({change.parameter: change.before}).to_dict()["parameters"],
            "after": Space({change.parameter: change.after}).to_dict()["parameters"],
            "reason": change.reason,
        }
        for change in stage.changes
    ]
    note = {
        "name": stage.name,
        "slots": stage.slots,
        "epochs": stage.epochs,
        "space": stage.space.to_dict(),
        "changes": changes,
    }
    write_note(study, f"stage {stage.index}", note)


def read_stages(study: Study) -> list[StageNote]:
    """The stages that a study has begun, in order."""
    notes: list[StageNote] = []
    while (note := read_note(study, f"stage {len(notes)}")) is not None:
        changes = tuple(
            Change(
                change["parameter"],
                _one(change["before"]),
                _one(change["after"]),
                change["reason"],
            )
            for change in note["changes"]
        )
        space = Space.from_dict(note["space"])
        notes.append(
            StageNote(note["name"], len(notes), note["slots"], note["epochs"], space, changes)
        )
    return notes


def _one(parameters: Mapping[str, Any]) -> Any:
    [parameter] = Space.from_dict({"parameters": parameters}).parameters.values()
    return parameter


def write_note(study: Study, key: str, value: Any) -> None:
    """Set one of our attributes of a study, unless it already says this."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False)
    if study.user_attrs.get(NOTE + key) != text:
        study.set_user_attr(NOTE + key, text)


def read_note(study: Study, key: str) -> Any:
    """One of our attributes of a study, or None."""
    text = study.user_attrs.get(NOTE + key)
    return None if text is None else json.loads(text)


def settings_text(configuration: Mapping[str, Value]) -> str:
    """A configuration on one line.

    >>> settings_text({"learning_rate": 0.012345, "width": 64, "activation": "relu"})
    'learning_rate=0.0123 width=64 activation=relu'
    """
    return " ".join(f"{name}={value_text(value)}" for name, value in configuration.items())


def value_text(value: Value) -> str:
    """A value in at most a few digits: three significant ones for real numbers."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)
