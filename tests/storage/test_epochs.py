"""What the epochs of a trial came to, in the table beside Optuna's."""

from __future__ import annotations

import math
from collections.abc import Callable

import optuna
import pytest
from optuna.trial import TrialState

from hpsearch.storage import WriteBehindStorage, load_epochs

Make = Callable[[], WriteBehindStorage]


def finish(storage: WriteBehindStorage, study: optuna.Study, losses: list[float]) -> int:
    trial_id = storage.create_new_trial(study._study_id)
    storage.finish_trial(
        trial_id,
        TrialState.COMPLETE,
        [0.5],
        intermediate_values={1: 0.25, 2: 0.5},
        user_attrs={"seconds": 1.5},
        epochs={"train_loss": losses} if losses else {},
    )
    return trial_id


def test_they_come_back_with_six_digits(storage: WriteBehindStorage, make: Make) -> None:
    study = optuna.create_study(storage=storage)
    first = finish(storage, study, [2.302585093, 1e-9])
    second = finish(storage, study, [math.inf, math.nan])
    finish(storage, study, [])
    expected = {
        first: {"train_loss": [2.30259, 1e-9]},
        second: {"train_loss": [None, None]},
    }
    assert load_epochs(storage, study_id=study._study_id) == expected
    assert load_epochs(make(), study_id=study._study_id) == expected
    assert load_epochs(storage, trial_id=second) == {second: expected[second]}


def test_snapshots_are_read_on_demand(storage: WriteBehindStorage) -> None:
    study = optuna.create_study(storage=storage)
    snapshots = {"epochs": [0, 1], "layers": {"dead": [[0.0, None]]}}
    ids = []
    for seen in (snapshots, None):
        ids.append(storage.create_new_trial(study._study_id))
        storage.finish_trial(
            ids[-1],
            TrialState.COMPLETE,
            [0.5],
            intermediate_values={},
            user_attrs={},
            epochs={"train_loss": [1.5, math.nan]},
            snapshots=seen,
        )
    losses = {"train_loss": [1.5, None]}
    whole = load_epochs(storage, study_id=study._study_id)
    assert whole == {ids[0]: losses | {"snapshots": snapshots}, ids[1]: losses}
    quick = load_epochs(storage, study_id=study._study_id, snapshots=False)
    assert quick == {ids[0]: losses | {"snapshots": {}}, ids[1]: losses}


def test_a_trial_finished_at_once_is_as_one_finished_step_by_step(
    storage: WriteBehindStorage, make: Make
) -> None:
    study = optuna.create_study(storage=storage, study_name="s")
    finish(storage, study, [1.0])
    trial = study.ask()
    for step, value in {1: 0.25, 2: 0.5}.items():
        trial.report(value, step)
    trial.set_user_attr("seconds", 1.5)
    study.tell(trial, 0.5)
    for trials in (study.trials, optuna.load_study(study_name="s", storage=make()).trials):
        one, other = trials
        assert one.state == other.state
        assert one.values == other.values
        assert one.intermediate_values == other.intermediate_values
        assert one.user_attrs == other.user_attrs


def test_a_finished_trial_is_not_finished_again(storage: WriteBehindStorage) -> None:
    study = optuna.create_study(storage=storage)
    trial_id = finish(storage, study, [1.0])
    with pytest.raises(optuna.exceptions.UpdateFinishedTrialError):
        storage.finish_trial(
            trial_id,
            TrialState.COMPLETE,
            [1.0],
            intermediate_values={},
            user_attrs={},
            epochs={},
        )


def test_they_leave_with_their_study(storage: WriteBehindStorage) -> None:
    study = optuna.create_study(storage=storage)
    trial_id = finish(storage, study, [1.0])
    storage.delete_study(study._study_id)
    assert load_epochs(storage, trial_id=trial_id) == {}
