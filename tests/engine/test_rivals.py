"""The simple models beside a winner: what they see, what they cost, and what is said of them."""

from __future__ import annotations

import concurrent.futures
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from hpsearch.compare.run import compare_study
from hpsearch.data import Dataset, make_splits, write_store
from hpsearch.engine import run_study
from hpsearch.engine.objective import Run
from hpsearch.engine.rivals import Rival, read_rivals
from hpsearch.engine.simple_models import Untested, simple_models_of
from hpsearch.engine.summary import Summary
from hpsearch.metrics import ACCURACY, Measure
from hpsearch.objectives import with_rows
from hpsearch.study_file import load_study_file, parse_study_file
from hpsearch.training import simple_models as module
from hpsearch.training.simple_models import SIMPLE_MODELS, SimpleJob, models_for, simple_job
from hpsearch.wording import beside, simple_models_text

pytestmark = pytest.mark.slow

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 4)).astype(np.float32)
X[::7, 2] = np.nan
TARGETS = {"classes": np.where(X[:, 0] > 0, "b", "a"), "numbers": X[:, 0] * 3 + 1}


def job(folder: Path, kind: str, target: str, **changes: Any) -> SimpleJob:
    data = Dataset.from_arrays("t", X, TARGETS[target])
    handle = write_store(folder, data, make_splits(data.y, seed=0))
    return replace(SimpleJob(handle, kind, 0, 60.0), **changes)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("kind", SIMPLE_MODELS)
def test_each_model_answers_the_test_rows(tmp_path: Path, kind: str, target: str) -> None:
    asked = job(tmp_path, kind, target)
    rows, found = asked.data.undivided(), simple_job(asked)
    assert found.cut == ""
    if target == "classes":
        np.testing.assert_allclose(found.predictions.sum(axis=1), 1)
        assert np.mean(found.predictions.argmax(axis=1) == rows.y_test) > 0.9
    else:
        assert np.corrcoef(found.predictions, rows.y_test)[0, 1] > 0.9
    of_fold = simple_job(replace(asked, fold=0))
    assert len(of_fold.predictions) == len(asked.data.undivided(0).y_test)


@pytest.mark.parametrize("target", TARGETS)
def test_boosting_tree_by_tree_is_boosting_in_one_go(tmp_path: Path, target: str) -> None:
    asked = job(tmp_path, "boosting", target)
    rows = asked.data.undivided()
    if target == "classes":
        model = HistGradientBoostingClassifier(random_state=0).fit(rows.X_train, rows.y_train)
        expected = model.predict_proba(rows.X_test)
    else:
        model = HistGradientBoostingRegressor(random_state=0).fit(rows.X_train, rows.y_train)
        expected = model.predict(rows.X_test)
    np.testing.assert_array_equal(simple_job(asked).predictions, expected)


def test_boosting_is_cut_where_its_time_is_over_and_says_so(tmp_path: Path) -> None:
    found = simple_job(job(tmp_path, "boosting", "classes", seconds=0.0))
    assert found.cut == "10 of 100 trees"
    stopped = simple_job(job(tmp_path, "boosting", "classes"), lambda: True)
    assert stopped.cut == "10 of 100 trees"


def test_logistic_regression_is_cut_likewise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ITERATIONS", 2)
    found = simple_job(job(tmp_path, "linear", "classes", seconds=0.0))
    assert found.cut == "2 iterations"
    assert simple_job(job(tmp_path, "linear", "classes")).cut == ""


def test_a_class_that_no_training_row_has_is_never_expected(tmp_path: Path) -> None:
    data = Dataset.from_arrays("t", X, np.where(np.arange(300) < 290, TARGETS["classes"], "c"))
    [split] = make_splits(data.y, seed=0)
    known = np.flatnonzero(data.y != 2)
    late = replace(
        split,
        train=np.intersect1d(split.train, known),
        validation=np.intersect1d(split.validation, known),
        test=np.union1d(split.test, np.flatnonzero(data.y == 2)),
    )
    handle = write_store(tmp_path, data, [late])
    for kind in SIMPLE_MODELS:
        found = simple_job(SimpleJob(handle, kind, 0, 60.0))
        assert found.predictions.shape[1] == 3
        assert not found.predictions[:, 2].any()


def test_neighbours_are_not_asked_among_many_rows() -> None:
    assert models_for(1000) == ("linear", "neighbours", "boosting")
    assert models_for(1_000_000) == ("linear", "boosting")


STUDY = """
name = "s"
[data]
name = "{data}"
[training]
epochs = 2
learning_rate = 0.01
[search]
strategy = "random"
trials = 2
"""


@pytest.mark.parametrize("data", ["iris", "diabetes"])
def test_a_run_sets_them_beside_the_winner(fitted: None, tmp_path: Path, data: str) -> None:
    db = str(tmp_path / "s.db")
    file = parse_study_file(STUDY.format(data=data))
    summary = run_study(file, storage=db, workers=1)
    assert {rival.kind for rival in summary.rivals} == set(SIMPLE_MODELS)
    for rival in summary.rivals:
        assert rival.value is not None
        assert rival.better == pytest.approx(
            summary.measure.score(rival.value) - summary.measure.score(summary.test or 0.0)
        )
        assert rival.interval is None or rival.interval[0] <= rival.better <= rival.interval[1]
    strongest = max(summary.rivals, key=lambda rival: rival.better or -np.inf)
    assert beside(summary).startswith(f"{strongest.name} with default settings scores")
    assert summary.document()["simple_models"][0]["kind"] == "linear"
    study = optuna.load_study(study_name="s", storage=f"sqlite:///{db}")
    assert read_rivals(study) == summary.rivals
    assert run_study(file, storage=db, workers=1).rivals == summary.rivals


def test_a_comparison_has_them_once_for_each_repeat(fitted: None, tmp_path: Path) -> None:
    text = (
        STUDY.format(data="diabetes") + '[compare]\nstrategies = ["random", "tpe"]\nrepeats = 2\n'
    )
    found = compare_study(parse_study_file(text), storage=str(tmp_path / "c.db"), workers=1)
    assert set(found.simple) == {"ridge regression", "nearest neighbours", "gradient boosting"}
    assert all(len(values) == 2 and np.isfinite(values).all() for values in found.simple.values())
    told = simple_models_text([found])
    assert f"ridge regression {found.measure.text(found.simple['ridge regression'].mean())}" in told
    without = parse_study_file(text.replace('"s"', '"t"'))
    bare = compare_study(without, storage=str(tmp_path / "c.db"), workers=1, baselines=False)
    assert bare.simple == {}
    assert simple_models_text([bare]) == ""


def test_without_baselines_there_are_none(fitted: None, tmp_path: Path) -> None:
    file = parse_study_file(STUDY.format(data="iris"))
    summary = run_study(file, storage=str(tmp_path / "s.db"), workers=1, baselines=False)
    assert summary.rivals == ()
    assert beside(summary) == ""


KILLED = """
import os, sys
from hpsearch.cli.app import run
from hpsearch.objectives import with_rows

with_rows.fit_rivals = lambda *_: os.kill(os.getpid(), 9)
sys.exit(run(sys.argv[1:]))
"""


def killed_run(file: Path, db: str) -> None:
    """`hpsearch run`, killed once the winner is tested and simple models are to be fitted."""
    command = [sys.executable, "-c", KILLED, "run", str(file), "--storage", db, "--workers", "1"]
    assert subprocess.run(command, capture_output=True, timeout=120).returncode == -9


@pytest.mark.parametrize(
    "more",
    [
        'data.name = "iris"',
        'data.name = "diabetes"\ntraining.learning_rate = 0.001',
        'data.name = "breast_cancer"\nobjective = {metric = "f1", threshold = true}',
        'data.name = "iris"\nobjective = {estimator = "sklearn.tree.DecisionTreeClassifier", '
        "resource = {name = 'max_depth', full = 3}}\nspace.min_samples_leaf = {low = 1, high = 9}",
    ],
)
def test_a_run_killed_while_they_are_fitted_goes_on_with_them(
    fitted: None, tmp_path: Path, more: str
) -> None:
    search = '[search]\nstrategy = "random"\ntrials = 2\n'
    (tmp_path / "s.toml").write_text(f'name = "s"\n{more}\n{search}')
    file = load_study_file(tmp_path / "s.toml")
    killed_run(tmp_path / "s.toml", db := str(tmp_path / "killed.db"))
    study = optuna.load_study(study_name="s", storage=f"sqlite:///{db}")
    assert read_rivals(study) == ()
    assert run_study(file, storage=db, workers=1, baselines=False).rivals == ()  # as asked for
    events: list[object] = []
    late = run_study(file, storage=db, workers=1, on_event=events.append)
    assert [type(event).__name__ for event in events] == ["DataReady", "Beside", "Finished"]
    whole = run_study(file, storage=str(tmp_path / "whole.db"), workers=1)
    assert [replace(one, seconds=0) for one in late.rivals] == [
        replace(one, seconds=0) for one in whole.rivals
    ]
    assert len(late.rivals) == 3
    assert (late.test, late.tests, late.validation) == (whole.test, 1, whole.validation)
    spent = seconds_of(db)
    events.clear()
    assert run_study(file, storage=db, workers=1, on_event=events.append).rivals == late.rivals
    assert len(events) == 1  # finished
    assert seconds_of(db) == spent


def seconds_of(db: str) -> list[float]:
    """What each run of a database took of its study's time."""
    with closing(sqlite3.connect(db)) as store:
        return [seconds for (seconds,) in store.execute("SELECT seconds FROM hpsearch_runs")]


def test_a_study_finished_without_them_gets_none_when_it_is_run_again(
    fitted: None, tmp_path: Path
) -> None:
    db, file = str(tmp_path / "s.db"), parse_study_file(STUDY.format(data="iris"))
    run_study(file, storage=db, workers=1, baselines=False)
    assert run_study(file, storage=db, workers=1).rivals == ()
    more = file.model_copy(update={"search": file.search.model_copy(update={"trials": 3})})
    assert len(run_study(more, storage=db, workers=1).rivals) == 3


def test_the_time_of_the_search_counts_once_whoever_fits_them(
    fitted: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []
    monkeypatch.setattr(
        with_rows, "fit_rivals", lambda _runner, _rows, _answers, searched: asked.append(searched)
    )
    (tmp_path / "s.toml").write_text(STUDY.format(data="iris"))
    killed_run(tmp_path / "s.toml", db := str(tmp_path / "s.db"))
    monkeypatch.setattr(with_rows, "keep_rivals", lambda *_: None)
    summary = run_study(load_study_file(tmp_path / "s.toml"), storage=db, workers=1)
    assert asked == [summary.seconds]
    assert seconds_of(db)[1:] == [0.0]


def test_an_executor_of_the_users_own_fits_them_too(fitted: None, tmp_path: Path) -> None:
    file = parse_study_file(STUDY.format(data="iris"))
    with concurrent.futures.ThreadPoolExecutor(2) as executor:
        summary = run_study(file, storage=str(tmp_path / "s.db"), executor=executor)
    assert len(summary.rivals) == 3


RMSE = Measure("rmse", "minimize", (0.0, None))


@pytest.mark.parametrize(
    ("measure", "rival", "told"),
    [
        (
            ACCURACY,
            Rival("boosting", "gradient boosting", 0.913, 0.021, (0.006, 0.036), 1.0),
            "gradient boosting with default settings scores 0.9130 on the same test rows, 0.0210 "
            "better (95% interval 0.0060 to 0.0360): this table may be better served by trees.",
        ),
        (
            ACCURACY,
            Rival("linear", "logistic regression", 0.9, 0.01, (-0.01, 0.03), 1.0),
            "logistic regression with default settings scores 0.9000 on the same test rows, 0.0100 "
            "better (95% interval 0.0100 worse to 0.0300 better), which may be chance.",
        ),
        (
            RMSE,
            Rival("linear", "ridge regression", 54.61, -4.487, (-9.392, 0.5371), 1.0),
            "ridge regression with default settings scores 54.61 on the same test rows, 4.487 "
            "worse (95% interval 0.5371 better to 9.392 worse).",
        ),
        (
            ACCURACY,
            Rival("boosting", "gradient boosting", 0.8, -0.1, None, 1.0, "20 of 100 trees"),
            "gradient boosting with default settings scores 0.8000 on the same test rows, 0.1000 "
            "worse, though it was cut after 20 of 100 trees.",
        ),
    ],
)
def test_the_strongest_is_told_in_a_sentence(
    fitted: None, tmp_path: Path, measure: Measure, rival: Rival, told: str
) -> None:
    file = parse_study_file(STUDY.format(data="iris"))
    summary = run_study(file, storage=str(tmp_path / "s.db"), workers=1, baselines=False)
    lost = Rival("neighbours", "nearest neighbours", None, None, None, 9.0, "not fitted in 9 s")
    assert beside(replace(summary, measure=measure, rivals=(lost, rival))) == told


def test_they_take_a_tenth_of_the_time_of_the_search(
    fitted: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hpsearch.engine import fit_rivals

    asked: list[SimpleJob] = []

    def refuse(job: SimpleJob, _: object) -> None:
        asked.append(job)
        raise ValueError("not today")

    monkeypatch.setattr(fit_rivals, "simple_job", refuse)
    monkeypatch.setattr(Run, "seconds", property(lambda _: 300.0))
    file = parse_study_file(STUDY.format(data="iris"))
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        summary = run_study(file, storage=str(tmp_path / "s.db"), executor=executor)
    assert sum(job.seconds for job in asked) == pytest.approx(30.0)
    assert [rival.cut for rival in summary.rivals] == ["ValueError: not today"] * 3
    assert beside(summary) == ""


def test_before_a_search_they_answer_the_validation_rows(fitted: None, tmp_path: Path) -> None:
    file = parse_study_file(STUDY.format(data="iris"))
    found = simple_models_of(file, storage=str(tmp_path / "none.db"), workers=1)
    assert isinstance(found, Untested)
    assert found.constant == pytest.approx(1 / 3, abs=0.02)
    for model in found.models:
        assert model.value is not None
        assert model.value > 0.8
        assert model.better == pytest.approx(model.value - found.constant)
    assert not (tmp_path / "none.db").exists()


def test_after_a_search_they_are_fitted_whole_beside_the_winner(
    fitted: None, tmp_path: Path
) -> None:
    db, file = str(tmp_path / "s.db"), parse_study_file(STUDY.format(data="diabetes"))
    before = run_study(file, storage=db, workers=1, baselines=False)
    found = simple_models_of(file, storage=db, workers=1)
    assert isinstance(found, Summary)
    assert {rival.kind for rival in found.rivals} == set(SIMPLE_MODELS)
    assert not any(rival.cut for rival in found.rivals)
    assert found.test == before.test
    assert found.tests == before.tests
