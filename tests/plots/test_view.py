"""Reading studies from a store: hpsearch's own, and those of anybody."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import optuna
import pytest
import views

from hpsearch import parse_study_file, run_study
from hpsearch.errors import UnknownNameError
from hpsearch.plots import PANELS, NothingToDraw, panel, read_view
from hpsearch.plots.view import scored, seen_from_inside
from hpsearch.search.base import StageKind
from hpsearch.space import Categorical, Float, Int
from hpsearch.storage import open_storage
from hpsearch.training.diagnosis import Finding, Name


def test_a_study_of_ours_is_read_whole(tmp_path: Path) -> None:
    text = 'name = "flowers"\n[data]\nname = "iris"\n[training]\nepochs = 3\n[search]\ntrials = 9\n'
    run_study(parse_study_file(text), storage=str(tmp_path / "x.db"), workers=1)
    view = read_view(open_storage(str(tmp_path / "x.db")), "flowers")
    about = view.summary
    assert (about.score_name, about.maximize, about.objectives) == ("validation accuracy", True, 1)
    assert [t.number for t in view.trials] == [row.number for row in view.summary.rows]
    assert view.settings["data"]["name"] == "iris"
    assert set(view.machine) == {"Python", "hpsearch", "optuna", "numpy", "processor", "system"}
    for trial in view.trials:
        if trial.state == "complete":
            assert len(trial.curve) == len(trial.train_losses) == len(trial.validation_losses)
        assert trial.stage
        assert trial.worker
        assert trial.started is not None
        assert trial.traced
    inside = [trial for trial in view.trials if trial.snapshots is not None]
    assert inside[0] is view.trials[0]
    assert inside[1].faults
    assert len(inside) == 2
    assert all(t.snapshots is not None and t.snapshots["epochs"][0] == 0 for t in inside)
    assert isinstance(view.parameters["learning_rate"], Float)
    assert any(trial.findings for trial in view.trials)
    assert view.advice
    changes = [bool(r.changes) for r in view.advice]
    assert changes == sorted(changes, reverse=True), "what to change comes first"
    panels = ("history", "parameters", "curves", "gap", "layers", "diagnosis", "advice")
    for name in (*panels, "timeline", "configuration"):
        panel(name).data(view)


def test_a_study_of_plain_optuna_is_read_too(tmp_path: Path) -> None:
    store = open_storage(str(tmp_path / "x.db"))
    study = optuna.create_study(study_name="raw", storage=store)

    def objective(trial: optuna.Trial) -> float:
        x = trial.suggest_float("x", 0, trial.number + 1)
        trial.suggest_int("n", 1, 9, step=2)
        trial.suggest_categorical("kind", ["a", "b"])
        return x * x if trial.number % 4 else float("inf")

    study.optimize(objective, n_trials=20)
    view = read_view(store, "raw")
    assert view.parameters == {
        "x": Float(0, 20),
        "n": Int(1, 9),
        "kind": Categorical(("a", "b")),
    }
    assert not view.summary.maximize
    assert view.trials[0].score == study.best_value
    data = panel("history").data(view)
    assert len(data.stages[StageKind("trials")].scores) == 15  # those that are finite
    assert "Not drawn: complete trials with infinite or huge scores (5)." in data.note
    assert data.spans == ()
    with pytest.raises(NothingToDraw, match="none reported"):
        panel("curves").data(view)
    with pytest.raises(UnknownNameError, match="Known: raw"):
        read_view(store, "rav")
    assert view.advice == ()
    assert not any(trial.traced or trial.snapshots for trial in view.trials)


@pytest.mark.parametrize(
    ("rows", "numbers"),
    [
        ([], []),
        ([("complete", 0)], [0]),
        ([("complete", 1)], [0]),
        ([("complete", 0), ("complete", 0)], [0]),
        ([("complete", 2), ("complete", 1), ("complete", 0)], [0, 1]),
        ([("complete", 0), ("complete", 1), ("complete", 2), ("pruned", 3)], [0, 2]),
        ([("complete", 0), ("complete", 1), ("complete", 1)], [0, 2]),
        ([("complete", 0), ("pruned", 1), ("pruned", 2)], [0, 2]),
    ],
)
def test_seen_from_inside_are_the_best_and_the_most_faulty(
    rows: list[tuple[str, int]], numbers: list[int]
) -> None:
    names: list[Name] = ["dead ReLUs", "overfitting", "underfitting"]
    faults = tuple(Finding(name, "", fault=True) for name in names)
    trials = [views.trial(n, state=s, findings=faults[:k]) for n, (s, k) in enumerate(rows)]
    assert seen_from_inside(trials) == numbers


def test_what_others_call_a_diagnosis_is_not_taken_for_ours(tmp_path: Path) -> None:
    store = open_storage(str(tmp_path / "x.db"))
    study = optuna.create_study(study_name="raw", storage=store)
    for found in ("bad", ["dead ReLUs"], {"dead ReLUs": 7, "gremlins": "many"}, None):
        study.add_trial(optuna.create_trial(value=1.0, user_attrs={"diagnosis": found}))
    view = read_view(store, "raw")
    assert [trial.findings for trial in view.trials] == [(), (), (("dead ReLUs", "7", True),), ()]
    assert panel("diagnosis").data(view).counts[0].trainings == 1


def test_a_study_with_settings_that_are_not_known_has_no_advice(tmp_path: Path) -> None:
    text = 'name = "flowers"\n[data]\nname = "iris"\n[training]\nepochs = 1\n[search]\ntrials = 2\n'
    run_study(parse_study_file(text), storage=str(tmp_path / "x.db"), workers=1)
    store = open_storage(str(tmp_path / "x.db"))
    study = optuna.load_study(study_name="flowers", storage=store)
    key = "hpsearch:study file"
    note = json.loads(study.user_attrs[key]) | {"from the future": {}}
    study.set_user_attr(key, json.dumps(note))
    assert read_view(store, "flowers").advice == ()


def test_choices_may_be_anything_that_optuna_takes(tmp_path: Path) -> None:
    store = open_storage(str(tmp_path / "x.db"))
    study = optuna.create_study(
        study_name="raw", storage=store, sampler=optuna.samplers.RandomSampler(seed=0)
    )

    def objective(trial: optuna.Trial) -> float:
        trial.suggest_categorical("equal", [None, True, 1, 1.0, "1"])
        with pytest.warns(UserWarning, match="Choices for a categorical"):
            trial.suggest_categorical("odd", [[1, 2], float("inf")])  # type: ignore[list-item]
        return trial.suggest_float("x", 0, 1)

    study.optimize(objective, n_trials=40)
    view = read_view(store, "raw")
    assert view.parameters["equal"] == Categorical((None, True, "1"))
    assert view.parameters["odd"] == Categorical(("[1, 2]", "inf"))
    for made in PANELS.values():
        if made.of == "study":
            with suppress(NothingToDraw):
                made.figures(made.data(view))


def test_numbers_near_the_greatest_are_drawn_or_left_out_in_silence(tmp_path: Path) -> None:
    store = open_storage(str(tmp_path / "x.db"))
    study = optuna.create_study(
        study_name="raw", storage=store, sampler=optuna.samplers.RandomSampler(seed=0)
    )

    def objective(trial: optuna.Trial) -> float:
        x = trial.suggest_float("x", 0, 1) + trial.suggest_float("wide", 0, 1e308) / 1e308
        trial.report((-1) ** trial.number * 1e308, 0)
        return [x, 1e308, -1e308][trial.number % 3]

    study.optimize(objective, n_trials=60)
    view = read_view(store, "raw")
    assert len(scored(view)) == 20
    for made in PANELS.values():  # a warning is an error here
        if made.of == "study":
            with suppress(NothingToDraw):
                made.figures(made.data(view))
    study = optuna.create_study(study_name="huge", storage=store)
    study.add_trial(optuna.create_trial(value=1e308))
    with pytest.raises(NothingToDraw, match=r"No complete trial has a score below 1e\+38"):
        scored(read_view(store, "huge"))
