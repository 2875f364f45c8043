"""What a trial says in the database, and that it can be read back."""

from __future__ import annotations

import optuna
import pytest

from hpsearch.engine import record
from hpsearch.objective import Outcome
from hpsearch.search.base import Change, Result, Stage
from hpsearch.space import Categorical, Float, Int, Space

WHOLE = Space(
    {"rate": Float(1e-4, 1.0, log=True), "width": Int(8, 64), "act": Categorical(("a", "b"))}
)
NARROW = Space(
    {"rate": Float(0.01, 0.1, log=True), "width": Int(8, 32), "act": Categorical(("b",))}
)
STAGE = Stage(
    "fine-1",
    1,
    2,
    5,
    NARROW,
    0,
    lambda index, _: {"rate": 0.02, "width": 16 + index, "act": "b"},
    (Change("rate", WHOLE.parameters["rate"], NARROW.parameters["rate"], "because 4 of 9"),),
)
GOOD = Outcome(0.75, True, "finished", (0.5, 0.75), (1.0, 0.6), 2, (0.75,), 1.5)
BAD = Outcome(0.5, False, "not finite", (), (), 0, (0.5,), 0.1)


@pytest.mark.parametrize(("outcome", "state"), [(GOOD, "COMPLETE"), (BAD, "PRUNED")])
def test_a_result_comes_back_as_it_went(outcome: Outcome, state: str) -> None:
    study = optuna.create_study(direction="maximize")
    slot = STAGE.slot(1)
    study.add_trial(record.finished_trial(STAGE, slot, outcome, WHOLE))
    [trial] = study.trials
    assert trial.state.name == state
    assert record.read_results(study.trials) == {
        (1, 1): Result(slot, outcome.score, complete=outcome.complete)
    }
    assert trial.intermediate_values, "a page of trials without any is blank"
    assert trial.duration is not None
    assert trial.duration.total_seconds() == pytest.approx(outcome.seconds)


def test_ranges_are_the_stage_s_and_choices_the_study_s() -> None:
    trial = record.finished_trial(STAGE, STAGE.slot(0), GOOD, WHOLE)
    assert trial.distributions["rate"].high == 0.1  # type: ignore[attr-defined]
    assert trial.distributions["act"].choices == ("a", "b")  # type: ignore[attr-defined]


def test_folds_are_kept_apart() -> None:
    folds = Outcome(0.7, True, "finished", (0.7,), (1.0,), 1, (0.6, 0.8), 0.1)
    trial = record.finished_trial(STAGE, STAGE.slot(0), folds, WHOLE)
    assert trial.user_attrs["fold_scores"] == [0.6, 0.8]


def test_failures_and_foreign_trials_are_no_results() -> None:
    failed = record.failed_trial(STAGE, STAGE.slot(0), "KeyError: x", WHOLE)
    assert failed.user_attrs["error"] == "KeyError: x"
    assert record.read_results([failed, optuna.create_trial(value=1.0)]) == {}


def test_of_a_slot_that_ran_twice_the_first_result_counts() -> None:
    better = Outcome(0.9, True, "finished", (0.9,), (0.1,), 1, (0.9,), 1.0)
    trials = [record.finished_trial(STAGE, STAGE.slot(0), o, WHOLE) for o in (GOOD, better)]
    assert record.read_results(trials)[1, 0].score == 0.75


def test_stages_come_back_with_their_reasons() -> None:
    study = optuna.create_study()
    record.write_stage(study, Stage("coarse", 0, 3, 2, WHOLE, 0, STAGE.propose))
    record.write_stage(study, STAGE)
    coarse, fine = record.read_stages(study)
    assert (coarse.name, coarse.slots, coarse.epochs, coarse.changes) == ("coarse", 3, 2, ())
    assert fine.changes == STAGE.changes
    assert fine.space == NARROW


def test_a_note_is_written_once() -> None:
    study = optuna.create_study()
    assert record.read_note(study, "x") is None
    record.write_note(study, "x", {"b": 1, "ä": [1.5, None]})
    assert record.read_note(study, "x") == {"b": 1, "ä": [1.5, None]}
