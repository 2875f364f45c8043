"""A search in the database: killed, fitted again, refused, looked at."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from scipy.stats import expon, loguniform, norm, rv_discrete
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import make_classification
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import ShuffleSplit, StratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import SVC

from hpsearch import CoarseToFineSearchCV
from hpsearch.cli.app import run
from hpsearch.errors import UsageError

pytestmark = pytest.mark.slow

X, y = make_classification(n_samples=90, n_features=6, flip_y=0.2, random_state=0)
RANGES = {
    "C": loguniform(1e-2, 1e2),
    "gamma": expon(scale=0.1),
    "kernel": ["rbf", "poly"],
    "degree": [2, 3, 4, 5],
    "class_weight": [None, {0: 1, 1: 2}],
}


def search(storage: Path, **settings: Any) -> CoarseToFineSearchCV:
    given = {"n_iter": 14, "cv": 3, "random_state": 0, "study_name": "svm", **settings}
    estimator = given.pop("estimator", SVC())
    ranges = given.pop("ranges", RANGES)
    return CoarseToFineSearchCV(estimator, ranges, storage=str(storage), **given)


def study(storage: Path, name: str = "svm") -> optuna.Study:
    return optuna.load_study(study_name=name, storage=f"sqlite:///{storage}")


def without_times(results: dict[str, Any]) -> dict[str, Any]:
    return {name: values for name, values in results.items() if not name.endswith("_time")}


class Stops(SVC):  # type: ignore[misc]
    """Fits as often as it may."""

    left = 10**6

    def fit(self, X: Any, y: Any) -> Any:
        type(self).left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        return super().fit(X, y)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"race": 4},
        {"resource": "n_samples", "n_jobs": 2},
        {"n_iter": 40},
        {"n_iter": 40, "random_state": 1},
        {"n_iter": 24, "ranges": [{"kernel": ["rbf"], "gamma": expon(scale=0.1)}, RANGES]},
    ],
)
def test_a_stored_search_finds_what_one_without_storage_finds(
    tmp_path: Path, settings: dict[str, Any]
) -> None:
    stored = search(tmp_path / "a.db", **settings).fit(X, y)
    plain = search(tmp_path, **settings).set_params(storage=None).fit(X, y)
    np.testing.assert_equal(without_times(stored.cv_results_), without_times(plain.cv_results_))
    assert (stored.best_index_, stored.best_score_) == (plain.best_index_, plain.best_score_)
    assert stored.predict(X).tolist() == plain.predict(X).tolist()
    assert len(study(tmp_path / "a.db").trials) == len(plain.cv_results_["params"])


def test_a_search_that_was_stopped_goes_on_and_repeats_nothing(tmp_path: Path) -> None:
    whole = search(tmp_path / "b.db", estimator=Stops()).fit(X, y)
    for allowed in (10, 13):
        Stops.left = allowed
        with pytest.raises(KeyboardInterrupt):
            search(tmp_path / "a.db", estimator=Stops()).fit(X, y)
    Stops.left = 14 * 3 - 9 - 12 + 1  # whole candidates that are kept count, and the last refit
    found = search(tmp_path / "a.db", estimator=Stops()).fit(X, y)
    assert Stops.left == 0
    np.testing.assert_equal(without_times(found.cv_results_), without_times(whole.cv_results_))
    Stops.left = 3 + 1  # of one that is over, the winner's splits and its refit
    again = search(tmp_path / "a.db", estimator=Stops()).fit(X, y)
    Stops.left = 10**6
    np.testing.assert_equal(again.cv_results_, found.cv_results_)
    assert again.best_params_ == found.best_params_
    assert again.best_score_ == found.best_score_


def test_a_process_that_is_killed_loses_one_candidate_at_most(tmp_path: Path) -> None:
    killing = (
        "import os, sys; sys.path.insert(0, sys.argv[1])\n"
        "import test_stored as t\n"
        "from pathlib import Path\n"
        "fit = t.SVC.fit\n"
        "def dying(self, X, y):\n"
        "    dying.left -= 1\n"
        "    return fit(self, X, y) if dying.left else os.kill(os.getpid(), 9)\n"
        "dying.left = 17\n"
        "t.SVC.fit = dying\n"
        "t.search(Path(sys.argv[2])).fit(t.X, t.y)\n"
    )
    here = str(Path(__file__).parent)
    command = [sys.executable, "-c", killing, here, str(tmp_path / "a.db")]
    done = subprocess.run(command, check=False, env={**os.environ, "PYTHONWARNINGS": "ignore"})
    assert done.returncode == -9
    assert len(study(tmp_path / "a.db").trials) == 5
    found = search(tmp_path / "a.db").fit(X, y)
    whole = search(tmp_path / "b.db").fit(X, y)
    np.testing.assert_equal(without_times(found.cv_results_), without_times(whole.cv_results_))


def test_a_search_without_a_seed_goes_on_with_the_one_it_began_with(tmp_path: Path) -> None:
    one = search(tmp_path / "a.db", random_state=None).fit(X, y)
    two = search(tmp_path / "a.db", random_state=None).fit(X, y)
    np.testing.assert_equal(one.cv_results_, two.cv_results_)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"estimator": SVC(tol=0.01)}, "is of another estimator; give the same again, or another"),
        ({"cv": 4}, "has other splits"),
        ({"ranges": {"C": loguniform(1e-2, 1e3)}}, "has other ranges"),
        ({"scoring": "roc_auc"}, "has another scoring"),
        ({"n_iter": 15}, "had n_iter 14 and now has 15"),
        ({"random_state": 1}, "had random_state 0 and now has 1"),
    ],
)
def test_another_search_is_refused(tmp_path: Path, settings: dict[str, Any], message: str) -> None:
    storage = tmp_path / "a.db"
    if not storage.exists():
        search(storage).fit(X, y)
    with pytest.raises(UsageError, match=message):
        search(storage, **settings).fit(X, y)


def test_ranges_of_every_kind_are_known_again(tmp_path: Path) -> None:
    many = np.arange(1.0, 2001.0)
    other = many.copy()
    other[1000] = 0.5  # where the words of an array leave out
    for name, kept, changed in (
        ("array", many, other),
        ("free", expon, norm),
        (
            "given",
            rv_discrete(values=([1, 2], [0.5, 0.5])),
            rv_discrete(values=([1, 3], [0.5, 0.5])),
        ),
        ("set", {1, 2, 3}, {1, 2, 4}),
    ):
        settings: dict[str, Any] = {"n_iter": 2, "study_name": name}
        search(tmp_path / "a.db", ranges={"C": kept}, **settings).fit(X, y)
        search(tmp_path / "a.db", ranges={"C": kept}, **settings).fit(X, y)
        with pytest.raises(UsageError, match="has other ranges"):
            search(tmp_path / "a.db", ranges={"C": changed}, **settings).fit(X, y)


def test_other_data_and_other_studies_are_refused(tmp_path: Path) -> None:
    storage = tmp_path / "a.db"
    search(storage).fit(X, y)
    for other in ((X + 1, y), (X, 1 - y)):
        with pytest.raises(UsageError, match="is of other data"):
            search(storage).fit(*other)
    mine = optuna.create_study(study_name="mine", storage=f"sqlite:///{storage}")
    mine.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=1)
    with pytest.raises(UsageError, match="is there and is no search of CoarseToFineSearchCV"):
        search(storage, study_name="mine").fit(X, y)
    with pytest.raises(UsageError, match="a search with storage has a study_name"):
        search(storage, study_name=None).fit(X, y)
    for cv in (ShuffleSplit(3), StratifiedKFold(3, shuffle=True)):
        with pytest.raises(UsageError, match="give cv a random_state"):
            search(storage, cv=cv).fit(X, y)
    doubled = Pipeline([("double", FunctionTransformer(lambda X: 2 * X)), ("svc", SVC())])
    with pytest.raises(UsageError, match="knows its estimator again by its pickle"):
        search(storage, estimator=doubled, ranges={"svc__C": [1, 2, 3]}).fit(X, y)


class Fails(ClassifierMixin, BaseEstimator):
    def __init__(self, number: int = 0, bad: tuple[int, ...] = (1, 3)) -> None:
        self.number, self.bad = number, bad

    def fit(self, X: Any, y: Any) -> Any:
        if self.number in self.bad:
            raise ValueError("it does not like its number")
        self.classes_ = np.unique(y)
        return self

    def predict(self, X: Any) -> Any:
        return np.full(len(X), self.classes_[self.number % 2])


def several(estimator: Any, X: Any, y: Any) -> dict[str, float]:
    return {"a": float(estimator.number), "b": 1.0}


@pytest.mark.filterwarnings("ignore:One or more of the test scores are non-finite")
@pytest.mark.parametrize("scoring", ["accuracy", ["accuracy", "f1"], several])
def test_candidates_that_fail_are_kept_as_failed(tmp_path: Path, scoring: Any) -> None:
    refit = {str: True, list: "f1"}.get(type(scoring), "a")
    given = {"estimator": Fails(), "ranges": {"number": [0, 1, 2, 3]}, "n_iter": 8}
    tables = []
    for storage in (tmp_path / "a.db", tmp_path / "a.db", None):
        with pytest.warns(FitFailedWarning) if storage is None else warns_once(tables):
            found = search(storage or tmp_path, scoring=scoring, refit=refit, **given)
            found.set_params(**({} if storage else {"storage": None}))
            tables.append(without_times(found.fit(X, y).cv_results_))
    np.testing.assert_equal(tables[0], tables[1])
    np.testing.assert_equal(tables[0], tables[2])
    states = [trial.state.name for trial in study(tmp_path / "a.db").trials]
    assert sorted(states) == ["COMPLETE", "COMPLETE", "FAIL", "FAIL"]
    given["estimator"] = Fails(bad=(0, 1, 2, 3))
    with pytest.warns(FitFailedWarning), pytest.raises(ValueError, match="fits failed"):
        search(tmp_path / "b.db", scoring=scoring, refit=refit, **given).fit(X, y)


def warns_once(tables: list[Any]) -> Any:
    """What fails is told when it fails, and not again when it is read."""
    import contextlib

    return contextlib.nullcontext() if tables else pytest.warns(FitFailedWarning)


def test_the_study_is_one_that_optuna_and_the_report_show(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = search(tmp_path / "hpsearch.db").fit(X, y)
    stored = study(tmp_path / "hpsearch.db")
    assert stored.best_value == found.best_score_
    assert stored.best_params["C"] == found.best_params_["C"]
    assert stored.best_params["degree"] == found.best_params_["degree"]
    assert stored.best_params["gamma"] == found.best_params_["gamma"]
    assert stored.trials[0].user_attrs["stage"] == "coarse"
    monkeypatch.chdir(tmp_path)
    for command in (["best", "svm"], ["trials", "svm"], ["report", "svm", "-o", "svm.html"]):
        assert run(command) == 0
    assert "gamma" in (tmp_path / "svm.html").read_text(encoding="utf-8")
