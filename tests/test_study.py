"""The study object: whatever a study has come to, it has a table, figures and a card."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import warnings
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest
from nasty import NASTY, is_shown
from sklearn.datasets import load_iris

from hpsearch import Model, Study, load_study, parse_study_file, run_study
from hpsearch.engine.events import Event, TrialDone
from hpsearch.errors import NoWinnerError, RunError, UnknownNameError, UsageError
from hpsearch.report import page_of
from hpsearch.storage import open_storage
from hpsearch.writing import in_one_line

pytestmark = pytest.mark.slow

TEXT = """
name = "{name}"
[data]
name = "iris"
[objective]
also = ["log_loss"]
[model]
width = {{ low = 4, high = 32, log = true }}
depth = 1
activation = {{ choices = ["relu", "tanh"] }}
[training]
epochs = 4
optimizer = {{ choices = ["momentum", "adam"] }}
momentum = {{ low = 0.5, high = 0.99, when = {{ optimizer = "momentum" }} }}
{training}
[search]
strategy = "coarse-to-fine"
trials = 12
"""


def interrupt_after(trials: int) -> Any:
    done = []

    def on_event(event: Event) -> None:
        done.append(event) if isinstance(event, TrialDone) else None
        if len(done) == trials:
            os.kill(os.getpid(), signal.SIGINT)

    return on_event


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Studies of every kind that there is."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    path = str(tmp_path_factory.mktemp("studies") / "s.db")
    options: Any = {"storage": path, "workers": 1, "baselines": False}
    run_study(parse_study_file(TEXT.format(name="finished", training="")), **options)
    diverging = "learning_rate = 1e3"
    with pytest.raises(NoWinnerError):
        run_study(parse_study_file(TEXT.format(name="diverged", training=diverging)), **options)
    half = parse_study_file(TEXT.format(name="half", training=""))
    with pytest.raises(KeyboardInterrupt):
        run_study(half, on_event=interrupt_after(3), **options)
    with open_storage(path) as store:
        optuna.create_study(study_name="empty", storage=store)
        two = optuna.create_study(study_name="two", storage=store, directions=["minimize"] * 2)
        two.optimize(lambda t: (t.suggest_float("x", 0, 1), 1.0), n_trials=3)
        others = optuna.create_study(study_name=NASTY[0], storage=store)
        with warnings.catch_warnings(action="ignore"):  # of Optuna's, that this is new
            others.set_metric_names(["state"])
        others.optimize(foreign, n_trials=12, catch=(ZeroDivisionError,))
    return path


def foreign(trial: optuna.Trial) -> float:
    if trial.number == 2:
        raise ZeroDivisionError
    if trial.number == 3:
        raise optuna.TrialPruned
    x = trial.suggest_float("seconds", 0, 1)
    trial.suggest_categorical(NASTY[1], [None, "a", 2, True])
    trial.suggest_categorical("whole", [True, False])
    if x > 0.5:
        trial.suggest_int("state", 1, 5)
    return x


def study_named(database: str, name: str) -> Study:
    return load_study(name, storage=database)


class Text(HTMLParser):
    """The text of some HTML, and its tags."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text, self.tags = "", list[str]()
        self.feed(html)

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_starttag(self, tag: str, _: object) -> None:
        self.tags.append(tag)


def test_a_finished_study_has_its_figures(database: str) -> None:
    study = study_named(database, "finished")
    assert study.winner == study.best == study.summary.best
    assert set(study.winner or ()) >= {"width", "activation", "optimizer", "learning_rate"}
    assert study.validation == study.summary.validation
    assert study.test == study.summary.test
    assert study.test_interval is not None
    assert study.test_interval[0] <= (study.test or 0) <= study.test_interval[1]
    assert study.optuna.best_value == study.trials()["accuracy"].max()


def test_its_trials_are_a_table_with_types(database: str) -> None:
    study = study_named(database, "finished")
    trials = study.trials()
    assert list(trials.index) == [row.number for row in study.summary.rows]
    assert trials.index.name == "number"
    kinds = {name: str(kind) for name, kind in trials.dtypes.items()}
    assert kinds["accuracy"] == kinds["log_loss"] == kinds["params_learning_rate"] == "Float64"
    assert kinds["params_width"] == kinds["seed"] == kinds["epochs"] == "Int64"
    assert kinds["params_activation"] == kinds["state"] == kinds["stage"] == "string"
    assert (trials["completed"] >= trials["started"]).all()
    assert (trials["params_momentum"].isna() == (trials["params_optimizer"] == "adam")).all()
    assert list(trials["winner"]) == [True] + [False] * 11
    winner = {f"params_{name}": value for name, value in (study.winner or {}).items()}
    assert winner.items() <= dict(trials.iloc[0]).items()
    trials["params_width"] = 0
    assert study.trials()["params_width"].min() > 0


def test_trials_of_others_are_a_table_too(database: str) -> None:
    trials = study_named(database, NASTY[0]).trials()
    assert len(trials) == 12
    assert trials["metric_state"].notna().sum() == 10
    assert trials["params_state"].isna().any()  # a parameter that not all have
    assert trials["seconds"].isna().all()
    assert str(trials["params_whole"].dtype) == "boolean"
    two = study_named(database, "two").trials()
    assert list(two["values_1"]) == [1.0] * 3
    assert (two["values_0"] == two["params_x"]).all()
    assert study_named(database, "empty").trials().empty


KINDS = ["finished", "diverged", "half", "empty", "two", NASTY[0]]
SAYS = {
    "finished": "The winner of 12 trials labels",
    "diverged": "There is no winner",
    "half": "so far is",
    "empty": "No trial is complete yet",
    "two": "3 trials of 2 values each",
    NASTY[0]: "The lowest state of 12 trials so far is",
}


@pytest.mark.parametrize("name", KINDS)
def test_every_study_says_what_it_has_and_what_not(database: str, name: str) -> None:
    study = study_named(database, name)
    text = repr(study)
    assert SAYS[name] in text
    assert is_shown(text.replace("\n", " "))
    shown = Text(study._repr_html_())
    assert SAYS[name] in shown.text
    assert set(shown.tags) <= {"div", "b", "span", "table", "tr", "td"}
    assert "color" not in study._repr_html_().replace("border", "")  # reads on any ground
    winner = name == "finished"
    assert ("Winner" in shown.text) == winner
    assert (study.winner is not None) == (study.test is not None) == winner
    assert is_shown(shown.text)
    assert all(in_one_line(setting) in shown.text for setting in study.best or ())


@pytest.mark.parametrize("name", KINDS)
def test_every_study_has_all_figures(database: str, name: str) -> None:
    study = study_named(database, name)
    for panel in study.panels:
        figures = study.figures(panel)
        assert figures
        for number, figure in enumerate(figures, start=1):
            title = figure.layout.title.text
            assert title.endswith(f"({number} of {len(figures)})") == (len(figures) > 1)
            assert figure.data or figure.layout.annotations  # drawn, or said why not
    assert bool(study.figure("history").data) == (name not in ("empty", "two", "diverged"))


def test_a_panel_that_there_is_not_is_refused_with_the_nearest(database: str) -> None:
    study = study_named(database, "finished")
    with pytest.raises(UnknownNameError, match="did you mean 'history'"):
        study.figure("histroy")
    with pytest.raises(UnknownNameError, match="unknown panel 'best-so-far'"):
        study.figure("best-so-far")
    with pytest.raises(UsageError, match="the panel advice has tables and no figures"):
        study.figure("advice")
    count = len(study.figures("parameters"))
    assert study.figure("parameters", count).layout.title.text.endswith(f"({count} of {count})")
    for number in (0, count + 1):
        with pytest.raises(UsageError, match=f"has {count} figures, and no figure {number}"):
            study.figure("parameters", number)
    with pytest.raises(UnknownNameError, match="did you mean 'finished'"):
        load_study("finishd", storage=database)


def test_the_report_is_that_of_the_command(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = study_named(database, "finished")
    monkeypatch.chdir(tmp_path)
    assert study.report() == Path("finished.html")
    with open_storage(database, create=False) as store:
        assert Path("finished.html").read_text(encoding="utf-8") == page_of(store, ["finished"])
    assert study.report(tmp_path / "p.html", dashboard="training").exists()
    (tmp_path / "half.html").write_text("mine")
    with pytest.raises(UsageError, match="is there already"):
        study_named(database, "half").report()


def test_the_model_predicts(database: str) -> None:
    study = study_named(database, "finished")
    X = load_iris().data
    assert isinstance(study.model(), Model)
    assert repr(study.model()) == "<Model: a network, 4 columns to 3 classes>"
    names = dict(zip(study.model().feature_names, X.T, strict=True))
    assert (study.predict(pd.DataFrame(names)) == study.predict(X)).all()
    for name, why in (
        ("half", "no tested network yet"),
        ("diverged", "all 12 trainings"),
        ("two", "was not made by hpsearch"),
    ):
        with pytest.raises(RunError, match=why):
            study_named(database, name).predict(X)


def test_an_interrupted_study_goes_on(database: str) -> None:
    file = parse_study_file(TEXT.format(name="again", training=""))
    options: Any = {"storage": database, "workers": 1, "baselines": False}
    with pytest.raises(KeyboardInterrupt) as caught:
        run_study(file, on_event=interrupt_after(3), **options)
    assert "the same call goes on from them" in str(caught.value.__notes__)
    part = study_named(database, "again")
    assert part.test is None
    whole = run_study(file, **options)
    assert whole.test == study_named(database, "finished").test
    assert set(part.trials().index) <= set(whole.trials().index)
    assert part.test is None  # as it was when it was read


FUNCTION = """
name = "function"
[objective]
function = "given"
metric = "loss"
direction = "minimize"
[space]
x = { low = 0.0, high = 1.0 }
kind = { choices = ["a", "b"] }
[search]
strategy = "random"
trials = 8
"""


def test_a_study_of_a_function_has_a_winner_and_no_model(tmp_path: Path) -> None:
    file = parse_study_file(FUNCTION)
    database = str(tmp_path / "s.db")

    def loss(configuration: Any, trial: Any) -> dict[str, float]:
        return {"loss": abs(configuration["x"] - 0.3)}

    study = run_study(file, objective=loss, storage=database, workers=1)
    assert study.winner is not None
    assert study.test is None
    trials = study.trials()
    assert np.allclose(trials["loss"], (trials["params_x"] - 0.3).abs())
    assert study.winner["x"] == trials["params_x"].iloc[0]
    assert study.figure("history").data
    assert study.figure("winner").layout.annotations
    assert "Winner" in study._repr_html_()
    with pytest.raises(RunError, match="trains no model"):
        study.model()


SCRIPT = """
from hpsearch import parse_study_file, run_study
file = parse_study_file('name = "s"\\n[data]\\nname = "iris"\\n[search]\\ntrials = 2')
run_study(file, storage="s.db", workers=1, baselines=False, progress={progress})
"""


@pytest.mark.parametrize("progress", [None, True, False])
def test_a_script_is_told_what_it_asks_for(tmp_path: Path, progress: bool | None) -> None:
    script = SCRIPT.format(progress=progress)
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == ""
    assert bool(re.search("^s  2 trials done", done.stderr, re.M)) == bool(progress)
    if not progress:
        assert done.stderr == ""
