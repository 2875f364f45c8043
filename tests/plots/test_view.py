"""Reading studies from a store: hpsearch's own, and those of anybody."""

from __future__ import annotations

from pathlib import Path

import optuna
import pytest

from hpsearch import parse_study_file, run_study
from hpsearch.errors import UnknownNameError
from hpsearch.plots import NothingToDraw, panel, read_view
from hpsearch.space import Categorical, Float, Int
from hpsearch.storage import open_storage


def test_a_study_of_ours_is_read_whole(tmp_path: Path) -> None:
    text = 'name = "flowers"\n[data]\nname = "iris"\n[training]\nepochs = 3\n[search]\ntrials = 9\n'
    run_study(parse_study_file(text), storage=str(tmp_path / "x.db"), workers=1)
    view = read_view(open_storage(str(tmp_path / "x.db")), "flowers")
    assert (view.score_name, view.maximize, view.objectives) == ("validation accuracy", True, 1)
    assert [t.number for t in view.trials] == [row.number for row in view.summary.rows]
    assert view.settings["data"]["name"] == "iris"
    assert set(view.machine) == {"Python", "hpsearch", "optuna", "numpy", "processor", "system"}
    for trial in view.trials:
        if trial.state == "complete":
            assert len(trial.curve) == len(trial.train_losses) == len(trial.validation_losses)
        assert trial.stage
        assert trial.worker
        assert trial.started is not None
    assert isinstance(view.parameters["learning_rate"], Float)
    for name in ("history", "parameters", "curves", "gap", "timeline", "configuration"):
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
    assert not view.maximize
    assert view.trials[0].score == study.best_value
    data = panel("history").data(view)
    assert len(data.stages["trials"].scores) == 15  # those that are finite
    assert data.spans == ()
    with pytest.raises(NothingToDraw, match="none reported"):
        panel("curves").data(view)
    with pytest.raises(UnknownNameError, match="Known: raw"):
        read_view(store, "rav")
