"""What a trial says in the database, and that it can be read back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import optuna
import pytest

from hpsearch.engine import record
from hpsearch.metrics import ACCURACY, Measure
from hpsearch.outcome import Outcome
from hpsearch.search.base import RACE, Chosen, Motive, Move, Result, Stage, StageKind
from hpsearch.space import Categorical, Float, Int, Space
from hpsearch.storage import WriteBehindStorage, load_epochs
from hpsearch.training.diagnosis import Finding

WHOLE = Space(
    {"rate": Float(1e-4, 1.0, log=True), "width": Int(8, 64), "act": Categorical(("a", "b"))}
)
NARROW = Space(
    {"rate": Float(0.01, 0.1, log=True), "width": Int(8, 32), "act": Categorical(("b",))}
)
STAGE = Stage(
    StageKind("fine", 1),
    1,
    2,
    5,
    NARROW,
    (Move("rate", WHOLE.parameters["rate"], NARROW.parameters["rate"], "because 4 of 9"),),
    seed=0,
    propose=lambda index, _: {"rate": 0.02, "width": 16 + index, "act": "b"},
)
GOOD = Outcome(
    0.75, True, "finished", (0.5, 0.75), (1.0, 0.6), (1.1, 0.9), 2, (0.75,), 1.5, 0.7, "here 4"
)
BAD = Outcome(0.5, False, "not finite", (), (), (), 0, (0.5,), 0.1)
SEEN = replace(
    GOOD,
    findings=(
        Finding("overfitting", "100% and 50%", True),
        Finding("still improving", "it fell", False),
    ),
    snapshots={"epochs": [0, 2], "loss": [2.3, None], "layers": {"dead": [[0.0, 0.5]]}},
)


@pytest.fixture
def study() -> optuna.Study:
    return optuna.create_study(direction="maximize", storage=WriteBehindStorage("sqlite://"))


def begin(study: optuna.Study, index: int = 0) -> int:
    trial = record.running_trial(STAGE, STAGE.slot(index), WHOLE, "digest")
    return study._storage.create_new_trial(study._study_id, template_trial=trial)


def test_a_running_trial_says_what_is_to_be_done(study: optuna.Study) -> None:
    begin(study, 1)
    [trial] = study.trials
    assert trial.state.name == "RUNNING"
    assert trial.params == {"rate": 0.02, "width": 17, "act": "b"}
    assert trial.user_attrs == {
        "stage": "fine-1",
        "stage_index": 1,
        "slot": 1,
        "seed": STAGE.slot(1).seed,
        "epochs": 5,
        "training": "digest",
    }
    assert list(record.read_unfinished(study.trials)) == [(1, 1)]
    assert record.read_results(study.trials, ACCURACY) == {}


@pytest.mark.parametrize(
    ("result", "state"), [(GOOD, "COMPLETE"), (BAD, "PRUNED"), (SEEN, "COMPLETE")]
)
def test_a_result_comes_back_as_it_went(study: optuna.Study, result: Outcome, state: str) -> None:
    record.finish_trial(study._storage, begin(study, 1), result, ACCURACY)
    [trial] = study.trials
    assert trial.state.name == state
    assert record.read_results(study.trials, ACCURACY) == {
        (1, 1): Result(STAGE.slot(1), result.score, complete=result.complete)
    }
    assert record.read_unfinished(study.trials) == {}
    assert trial.intermediate_values, "a page of trials without any is blank"
    storage: Any = study._storage
    epochs = load_epochs(storage, study_id=study._study_id)[trial._trial_id]
    assert load_epochs(storage, trial_id=trial._trial_id) == {trial._trial_id: epochs}
    again = record.read_result(trial, epochs, ACCURACY)
    if result is not BAD:
        assert again == result
    else:
        assert (again.score, again.complete, again.why_stopped) == (0.5, False, "not finite")


def test_what_is_minimized_stands_in_the_store_as_it_is() -> None:
    study = optuna.create_study(direction="minimize", storage=WriteBehindStorage("sqlite://"))
    loss = Measure("log_loss", "minimize", (0.0, None))
    result = replace(
        GOOD, score=-0.5, curve=(-0.9, -0.5), fold_scores=(-0.4, -0.6), also={"f1_macro": 0.8}
    )
    record.finish_trial(study._storage, begin(study, 1), result, loss)
    [trial] = study.trials
    assert (trial.value, trial.intermediate_values) == (0.5, {1: 0.9, 2: 0.5})
    assert trial.user_attrs["fold_scores"] == [0.4, 0.6]
    assert trial.user_attrs["f1_macro"] == 0.8
    [read] = record.read_results(study.trials, loss).values()
    assert read.score == -0.5
    epochs = {"train_loss": result.losses, "validation_loss": result.validation_losses}
    assert record.read_result(trial, epochs, loss, ["f1_macro"]) == replace(result, test_score=0.7)


def test_findings_are_attributes_that_everybody_reads(study: optuna.Study) -> None:
    record.finish_trial(study._storage, begin(study, 1), SEEN, ACCURACY)
    [trial] = study.trials
    assert trial.user_attrs["diagnosis"] == {"overfitting": "100% and 50%"}
    assert trial.user_attrs["hints"] == {"still improving": "it fell"}


def test_ranges_are_the_stage_s_and_choices_the_study_s() -> None:
    trial = record.running_trial(STAGE, STAGE.slot(0), WHOLE, "digest")
    assert trial.distributions["rate"].high == 0.1  # type: ignore[attr-defined]
    assert trial.distributions["act"].choices == ("a", "b")  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("parameter", "value", "range_"),
    [
        (Float(1e-4, 1.0, log=True), 4.5e-6, (4.5e-6, 1.0)),
        (Float(0.0, 1.0, step=0.25), 1.5, (0.0, 1.5)),
        (Int(8, 64), 70, (8, 70)),
        (Int(8, 64, step=8), 72, (8, 72)),
    ],
)
def test_a_winner_past_the_end_of_the_range_may_race(
    parameter: Float | Int, value: float, range_: tuple[float, float]
) -> None:
    whole = Space({"x": parameter})
    race = Stage(StageKind(RACE, 1), 3, 1, 5, whole, seed=0, propose=lambda _, __: {"x": value})
    trial = record.running_trial(race, race.slot(0), whole, "digest")
    distribution: Any = trial.distributions["x"]
    assert (distribution.low, distribution.high) == pytest.approx(range_)
    assert trial.params == {"x": value}


def test_folds_are_kept_apart(study: optuna.Study) -> None:
    folds = Outcome(0.7, True, "finished", (0.7,), (1.0,), (1.1,), 1, (0.6, 0.8), 0.1)
    record.finish_trial(study._storage, begin(study), folds, ACCURACY)
    [trial] = study.trials
    assert trial.user_attrs["fold_scores"] == [0.6, 0.8]
    epochs = {"train_loss": [1.0], "validation_loss": [1.1]}
    assert record.read_result(trial, epochs, ACCURACY) == folds


def test_failures_and_foreign_trials_are_no_results(study: optuna.Study) -> None:
    record.fail_trial(study._storage, begin(study), ["OSError: y", "KeyError: x"])
    study.add_trial(optuna.create_trial(value=1.0))
    failed = study.trials[0]
    assert failed.state.name == "FAIL"
    assert failed.user_attrs["error"] == "KeyError: x; before: OSError: y"
    assert failed.user_attrs["attempts"] == 2
    assert record.read_results(study.trials, ACCURACY) == record.read_unfinished(study.trials) == {}


@pytest.mark.parametrize("interrupted", [True, False])
def test_a_slot_is_taken_up_again_in_its_own_trial(study: optuna.Study, interrupted: bool) -> None:
    number = begin(study)
    if interrupted:
        record.hand_back_trial(study._storage, number)
    [left] = study.trials
    assert left.state.name == ("WAITING" if interrupted else "RUNNING")
    record.resume_trial(study._storage, number, left.state)
    assert study.trials[0].state.name == "RUNNING"
    record.finish_trial(study._storage, number, GOOD, ACCURACY)
    assert [t.state.name for t in study.trials] == ["COMPLETE"]


def test_stages_come_back_with_their_reasons() -> None:
    study = optuna.create_study()
    record.write_stage(
        study, Stage(StageKind("coarse"), 0, 3, 2, WHOLE, seed=0, propose=STAGE.propose)
    )
    record.write_stage(study, STAGE)
    coarse, fine = record.read_stages(study)
    assert (coarse.name, coarse.slots, coarse.epochs, coarse.changes) == ("coarse", 3, 2, ())
    assert fine.changes == STAGE.changes
    assert fine.space == NARROW


def test_what_a_model_chose_is_read_and_not_chosen_again(study: optuna.Study) -> None:
    """On another machine the model may round, and choose, otherwise."""
    modelled = replace(STAGE, modelled=True)
    first = record.write_stage(study, modelled)
    assert [first.slot(i) for i in range(2)] == [STAGE.slot(i) for i in range(2)]

    def other(index: int, _: object) -> dict[str, float | int | str]:
        return {"rate": 0.09, "width": 30 + index, "act": "b"}

    again = record.write_stage(study, replace(modelled, propose=other))
    assert [again.slot(i) for i in range(2)] == [first.slot(i) for i in range(2)]
    assert [list(again.slot(i).configuration) for i in range(2)] == [["act", "rate", "width"]] * 2
    assert [list(first.slot(i).configuration) for i in range(2)] == [["act", "rate", "width"]] * 2
    longer = record.write_stage(study, replace(modelled, propose=other, slots=3))
    assert longer.slot(0).configuration == other(0, ())  # a stage of another size is another one


def test_why_a_model_chose_is_kept_with_the_stage(study: optuna.Study) -> None:
    """On another machine, too, what is told is what was believed when the stage began."""

    def modelled(motive: Motive | None) -> Stage:
        choices = [({"rate": 0.05}, motive), ({"rate": 0.06}, None)]
        return replace(STAGE, index=0, propose=Chosen(lambda: choices), modelled=True)

    first = modelled(Motive(-0.12345, 0.98765))
    assert first.slot(1).configuration == {"rate": 0.06}
    record.write_stage(study, first)
    [kept] = record.read_stages(study)
    assert kept.motives == (Motive(-0.123, 0.988), None)
    record.write_stage(study, modelled(Motive(5.0, 0.0)))
    assert record.read_stages(study) == [kept]


def test_a_stage_from_before_there_were_motives_goes_on_without(study: optuna.Study) -> None:
    old = replace(STAGE, index=0, modelled=True)
    record.write_stage(study, old)
    about = record.read_metadata(study, "stage 0")
    del about["motives"]
    record.write_metadata(study, "stage 0", about)
    [plan] = record.read_stages(study)
    assert plan.motives == ()
    again = replace(old, propose=Chosen(lambda: [({"rate": 0.05}, Motive(1.0, 1.0))] * 2))
    assert record.write_stage(study, again).slot(0) == record.write_stage(study, old).slot(0)
    assert record.read_stages(study) == [plan]


def test_a_note_is_written_once() -> None:
    study = optuna.create_study()
    note = {"study": "ä", "configuration": {"b": 1, "ä": [1.5, None]}, "left_out": []}
    assert record.read_metadata(study, "first") is None
    record.write_metadata(study, "first", note)
    assert record.read_metadata(study, "first") == note
