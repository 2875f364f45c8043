"""Trials that others add to a study of hpsearch's are left alone, and that is said."""

from __future__ import annotations

import json
from pathlib import Path

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState, create_trial

from hpsearch.cli.app import run
from hpsearch.storage import load_study, open_storage

pytestmark = pytest.mark.slow

STUDY = """
name = "s"
[data]
name = "iris"
[model]
width = 8
depth = 1
[training]
epochs = 2
[search]
strategy = "random"
trials = {}
"""


@pytest.fixture
def db(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A finished study of three trials."""
    monkeypatch.chdir(tmp_path)
    Path("s.toml").write_text(STUDY.format(3))
    assert run(["run", "s.toml", "--workers", "1", "--no-check"]) == 0
    return "hpsearch.db"


def enqueue(study: optuna.Study) -> None:
    study.enqueue_trial({"learning_rate": 0.01, "width": 16})


def ask(study: optuna.Study) -> None:
    study.ask().suggest_float("momentum", 0.5, 0.9)


def complete(study: optuna.Study) -> None:
    distributions = {"x": FloatDistribution(0, 1)}
    study.add_trial(create_trial(value=1.0, params={"x": 0.5}, distributions=distributions))


def copied(study: optuna.Study) -> None:
    """Of another study of hpsearch's it would have a slot; without a seed it is none."""
    study.add_trial(create_trial(state=TrialState.WAITING, user_attrs={"slot": 1, "stage": "x"}))


@pytest.mark.parametrize(
    ("add", "state"),
    [(enqueue, "1 waiting"), (ask, "1 running"), (complete, "1 complete"), (copied, "1 waiting")],
)
def test_they_are_counted_and_said_to_be_left_alone(
    db: str, capsys: pytest.CaptureFixture[str], add: object, state: str
) -> None:
    with open_storage(db) as store:
        add(load_study(store, "s"))  # type: ignore[operator]
    capsys.readouterr()
    for command in (["run", "s.toml"], ["trials", "s"], ["studies"]):
        assert run(command) == 0
        said = "".join(capsys.readouterr())
        words = " ".join(said.split())
        assert f"1 trial is of somebody else's making ({state})" in words, command
        assert "of its own plan only: it stays as it is" in words
    assert run(["best", "s", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["foreign"] == {state.split()[1]: 1}


def test_they_stay_so_when_the_study_goes_on(db: str, capsys: pytest.CaptureFixture[str]) -> None:
    with open_storage(db) as store:
        study = load_study(store, "s")
        enqueue(study)
        enqueue(study)
    Path("s.toml").write_text(STUDY.format(5))
    assert run(["run", "s.toml", "--workers", "1", "--no-check"]) == 0
    words = " ".join(capsys.readouterr().out.split())
    assert "2 trials are of somebody else's making (2 waiting)" in words
    with open_storage(db) as store:
        trials = load_study(store, "s").trials
    states = [trial.state.name for trial in trials]
    assert (states.count("COMPLETE"), states.count("WAITING")) == (5, 2)


def test_a_study_of_its_own_has_none(db: str, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert run(["trials", "s"]) == 0
    assert "somebody" not in "".join(capsys.readouterr())
    assert run(["best", "s", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["foreign"] == {}


def test_a_study_that_others_made_is_all_theirs(
    db: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_storage(db) as store:
        enqueue(optuna.create_study(study_name="theirs", storage=store))
    capsys.readouterr()
    assert run(["trials", "theirs"]) == 0
    assert "somebody" not in "".join(capsys.readouterr())
