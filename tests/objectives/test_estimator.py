"""An estimator of scikit-learn's kind as an objective: fitted, searched, tested once and kept."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_selection import SelectKBest, chi2, f_classif, mutual_info_classif
from sklearn.impute import SimpleImputer
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    RobustScaler,
    StandardScaler,
)
from sklearn.svm import SVC

import hpsearch
from hpsearch import Model, Study, run_study
from hpsearch.data import load_dataset, make_splits
from hpsearch.engine import summarize
from hpsearch.engine.ensemble import make_ensemble
from hpsearch.engine.kept import kept_model
from hpsearch.engine.simple_models import simple_models_of
from hpsearch.engine.summary import Summary
from hpsearch.errors import DataError, RunError, UsageError
from hpsearch.objectives import checked
from hpsearch.storage import load_study, open_storage
from hpsearch.study_file import StudyFile, load_study_file, parse_study_file
from hpsearch.training.fitted import Fitted, answers_of, kept_estimator, read_estimator

pytestmark = pytest.mark.slow

STUDY = """
name = "e"
seed = 1
[data]
{data}
[objective]
estimator = "{estimator}"
{objective}
[fixed]
{fixed}
[space]
{space}
[search]
trials = {trials}
{search}
"""

FOREST = "sklearn.ensemble.RandomForestClassifier"
BOOSTING = "sklearn.ensemble.HistGradientBoostingClassifier"


def study(
    estimator: str = FOREST,
    *,
    data: str = 'name = "iris"',
    objective: str = "",
    fixed: str = "",
    space: str = "min_samples_leaf = { low = 1, high = 20, log = true }",
    trials: int = 10,
    search: str = "",
) -> StudyFile:
    return parse_study_file(
        STUDY.format(
            data=data,
            estimator=estimator,
            objective=objective,
            fixed=fixed,
            space=space,
            trials=trials,
            search=search,
        )
    )


@pytest.fixture
def db(tmp_path: Path) -> str:
    return str(tmp_path / "studies.db")


def table(rows: int = 300) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "a": rng.normal(size=rows),
            "b": rng.normal(size=rows),
            "c": rng.choice(["x", "y", "z"], rows),
        }
    )
    chance = frame["a"] + (frame["c"] == "x") + 0.5 * rng.normal(size=rows)
    frame["label"] = np.where(chance > 0.3, "yes", "no")
    frame.loc[::11, "a"] = np.nan
    return frame


def pipeline() -> Pipeline:
    numbers = Pipeline([("fill", SimpleImputer()), ("scale", StandardScaler())])
    columns = ColumnTransformer(
        [
            ("numbers", numbers, make_column_selector(dtype_include="number")),
            ("categories", OneHotEncoder(handle_unknown="ignore"), ["c"]),
        ]
    )
    return Pipeline([("columns", columns), ("svc", SVC())])


def test_a_forest_is_searched_and_its_winner_tested_as_scikit_learn_would(db: str) -> None:
    found = run_study(study(fixed="n_estimators = 20"), storage=db, workers=2)
    assert isinstance(found, Study)
    summary = found.summary
    assert summary.states == {"complete": 10}
    assert summary.best is not None
    data = load_dataset("iris")
    [split] = make_splits(data.y, seed=1)
    model = found.model()
    [fitted] = model.fitted
    forest = fitted.model
    assert forest.get_params()["min_samples_leaf"] == summary.best["min_samples_leaf"]
    assert forest.get_params()["n_estimators"] == 20
    right = model.predict(data.X[split.test]) == np.asarray(data.classes)[data.y[split.test]]
    assert right.mean() == summary.test
    # The same forest, fitted by hand to what it was given.
    known = np.union1d(split.train, split.validation)
    assert fitted.preprocessor is not None
    again = clone(forest).fit(fitted.preprocessor.transform(data.X[known]), data.y[known])
    prepared = fitted.preprocessor.transform(data.X[split.test])
    np.testing.assert_allclose(
        again.predict_proba(prepared), model.predict_proba(data.X[split.test]), atol=1e-6
    )


def test_one_worker_or_two_run_the_same_trials(tmp_path: Path) -> None:
    resource = 'resource = { name = "n_estimators", full = 16, least = 2 }'
    seen = []
    for workers in (1, 2):
        db = str(tmp_path / f"{workers}.db")
        run_study(study(objective=resource, trials=24), storage=db, workers=workers)
        trials = load_study(open_storage(db), "e").trials
        assert {t.user_attrs["epochs"] for t in trials} == {4, 8, 16}
        seen.append(
            sorted((t.user_attrs["stage_index"], t.user_attrs["slot"], t.value) for t in trials)
        )
    assert seen[0] == seen[1]


@pytest.mark.parametrize("metric", ["roc_auc", "log_loss", "f1", "average_precision"])
def test_its_scores_are_scikit_learn_s(db: str, metric: str) -> None:
    file = study(
        BOOSTING,
        data='name = "breast_cancer"\nfolds = 2',
        objective=f'metric = "{metric}"\nalso = ["accuracy"]',
        fixed="max_iter = 5",
        space="max_leaf_nodes = { choices = [4, 8] }",
        trials=2,
        search='strategy = "grid"',
    )
    run_study(file, storage=db, workers=1)
    data = load_dataset("breast_cancer")
    splits = make_splits(data.y, seed=1, folds=2)
    trials = load_study(open_storage(db), "e").trials
    for trial in trials:
        values, right = [], []
        for fold, split in enumerate(splits):
            model = HistGradientBoostingClassifier(
                max_iter=5,
                random_state=trial.user_attrs["seed"] ^ fold,
                max_leaf_nodes=trial.params["max_leaf_nodes"],
            )
            scaler = StandardScaler().fit(data.X[split.train])
            model.fit(scaler.transform(data.X[split.train]), data.y[split.train])
            chances = model.predict_proba(scaler.transform(data.X[split.validation]))
            y = data.y[split.validation]
            labels, positive = chances.argmax(axis=1), chances[:, 1]
            value = {
                "roc_auc": sk.roc_auc_score(y, positive),
                "log_loss": sk.log_loss(y, chances),
                "f1": sk.f1_score(y, labels),
                "average_precision": sk.average_precision_score(y, positive),
            }[metric]
            values.append(value)
            right.append((labels == y).mean())
        assert trial.value == pytest.approx(np.mean(values), abs=2e-3)
        assert trial.user_attrs["accuracy"] == pytest.approx(np.mean(right), abs=0.01)


def test_a_pipeline_of_the_user_s_gets_a_frame_and_predicts_from_the_file(
    tmp_path: Path, db: str
) -> None:
    frame = table()
    file = study(
        "given",
        data="",
        objective='metric = "roc_auc"',
        space="svc__C = { low = 0.01, high = 100.0, log = true }\n"
        'svc__kernel = { choices = ["rbf", "linear"] }\n'
        'svc__gamma = { low = 1e-3, high = 1.0, log = true, when = { svc__kernel = "rbf" } }',
    )
    found = run_study(file, data=frame, target="label", objective=pipeline(), storage=db)
    assert found.test is not None
    assert found.test > 0.8
    path = found.model().save(tmp_path / "model.npz")
    shuffled = frame.drop(columns="label")[["c", "b", "a"]]
    labels = Model.load(path).predict(shuffled)
    assert (labels == found.model().predict(shuffled)).all()
    assert (labels == frame["label"]).mean() > 0.8


def test_a_quantity(db: str) -> None:
    file = study(
        "sklearn.ensemble.HistGradientBoostingRegressor",
        data='name = "diabetes"',
        fixed="max_iter = 30",
        space="learning_rate = { low = 0.01, high = 0.5, log = true }",
    )
    found = run_study(file, storage=db, workers=2)
    assert found.metric == "rmse"
    assert found.summary.measure.direction == "minimize"
    data = load_dataset("diabetes")
    [split] = make_splits(data.y, seed=1)
    values = found.model().predict(data.X[split.test])
    assert sk.root_mean_squared_error(data.y[split.test], values) == pytest.approx(found.test)


def test_rows_as_the_resource(db: str) -> None:
    file = study(
        "sklearn.neighbors.KNeighborsClassifier",
        objective='resource = { name = "n_samples", full = 96, least = 10 }',
        space="n_neighbors = { low = 1, high = 9 }",
        trials=24,
    )
    found = run_study(file, storage=db, workers=2)
    lengths = {t.user_attrs["epochs"] for t in load_study(open_storage(db), "e").trials}
    assert lengths == {24, 48, 96}
    assert found.summary.resource == "n_samples"
    # Of what the winner is fitted to at last it gets the same share: all.
    assert found.model().fitted[0].model.n_samples_fit_ == 120


def test_classes_are_weighted_by_their_labels(db: str) -> None:
    file = study(
        "given",
        data="",
        space="svc__C = { low = 0.1, high = 10.0 }",
        fixed="svc__class_weight = { yes = 3.0 }",
        trials=2,
    )
    found = run_study(file, data=table(), target="label", objective=pipeline(), storage=db)
    [fitted] = found.model().fitted
    assert fitted.model["svc"].class_weight == {0: 1.0, 1: 3.0}
    assert fitted.model["svc"].class_weight_.tolist() == [1.0, 3.0]


def test_a_list_becomes_the_tuple_that_a_parameter_is(db: str) -> None:
    file = study(
        "sklearn.preprocessing.RobustScaler", space="unit_variance = true", fixed="copy = true"
    )
    with pytest.raises(UsageError, match="learns no target"):
        run_study(file, storage=db)
    scaled = Pipeline([("scale", RobustScaler()), ("svc", SVC())])
    file = study("given", space="svc__C = 1.0", fixed="scale__quantile_range = [10, 90]", trials=1)
    found = run_study(file, objective=scaled, storage=db, workers=1)
    assert found.model().fitted[0].model["scale"].quantile_range == (10, 90)


def test_what_holds_a_pipeline_gets_a_frame_too(db: str) -> None:
    held = CalibratedClassifierCV(pipeline(), cv=2)
    file = study("given", data="", space="estimator__svc__C = 1.0", trials=1)
    found = run_study(file, data=table(), target="label", objective=held, storage=db, workers=1)
    assert found.test is not None
    assert found.test > 0.7


def test_an_estimator_without_chance_is_not_fitted_twice(db: str) -> None:
    file = study(
        "sklearn.neighbors.KNeighborsClassifier",
        space="n_neighbors = { low = 1, high = 30 }",
        trials=16,
        search='strategy = "random"\nrace = 6\ncontenders = 2',
    )
    run_study(file, storage=db, workers=1)
    trials = load_study(open_storage(db), "e").trials
    again = [t for t in trials if t.user_attrs["stage"].startswith("race")]
    assert again
    first = {t.params["n_neighbors"]: t for t in trials if t not in again}
    for trial in again:  # the store had its result
        assert (
            trial.user_attrs["seconds"] == first[trial.params["n_neighbors"]].user_attrs["seconds"]
        )


def test_a_threshold_and_weights(db: str) -> None:
    frame = table()
    frame["w"] = np.random.default_rng(1).integers(1, 4, len(frame))
    file = study(
        data='weight = "w"', objective='metric = "f1"\nthreshold = true', fixed="n_estimators = 10"
    )
    found = run_study(file, data=frame, target="label", storage=db, workers=2)
    assert found.summary.threshold is not None
    assert found.model().threshold == (1, found.summary.threshold)


def test_what_it_is_beside_simple_models(db: str, fitted: None) -> None:
    found = run_study(study(fixed="n_estimators = 5"), storage=db, workers=2)
    assert [rival.kind for rival in found.summary.rivals] == ["linear", "neighbours", "boosting"]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"space": "min_samples_leav = { low = 1, high = 5 }"}, "did you mean 'min_samples_leaf'"),
        ({"fixed": "depth = 3"}, "RandomForestClassifier has no parameter 'depth'"),
        (
            {"objective": 'resource = { name = "trees", full = 9 }'},
            "has no parameter 'trees'",
        ),
        (
            {
                "objective": 'resource = { name = "n_estimators", full = 9 }',
                "fixed": "n_estimators = 3",
            },
            "n_estimators is the resource, which says how long trials are; remove it",
        ),
        ({"estimator": "sklearn.ensemble.Forest"}, "there is no estimator 'Forest' in sklearn"),
        ({"estimator": "nowhere.Forest"}, "there is no module 'nowhere'"),
        ({"estimator": "Forest"}, "there is no module 'Forest'"),
        ({"estimator": "builtins.dict"}, "makes a dict, which is no estimator"),
        (
            {"estimator": "sklearn.pipeline.Pipeline"},
            "cannot be made without arguments: .*; name a function that makes it",
        ),
        (
            {"estimator": "sklearn.ensemble.RandomForestRegressor"},
            "RandomForestRegressor is for regression, and the target holds classes",
        ),
        ({"estimator": "given"}, 'the study\'s estimator is "given" in Python'),
        ({"estimator": "sklearn.cluster.KMeans", "space": "tol = 1.0"}, "learns no target"),
        (
            {"estimator": "sklearn.preprocessing.StandardScaler", "space": "copy = true"},
            "StandardScaler learns no target; choose a classifier or a regressor",
        ),
        (
            {"fixed": "class_weight = { setosa = 2.0, virginca = 1.0 }"},
            "class_weight names the label 'virginca', of no row; did you mean 'virginica'",
        ),
        (
            {"objective": 'resource = { name = "n_samples", full = 97 }'},
            "resource has full = 97, and the training part has 96 rows",
        ),
        (
            {"data": 'name = "iris"\npreprocessing = { choices = ["none", "standardize"] }'},
            "preprocessing is searched for the network only",
        ),
    ],
)
def test_what_cannot_be_fitted_is_refused_before_anything_is_made(
    db: str, changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(UsageError, match=sentence):
        run_study(study(**changes), storage=db, workers=1)
    assert open_storage(db).get_all_studies() == []


def test_a_check_looks_at_the_estimator_too(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    text = STUDY.format(
        data='name = "iris"',
        estimator=FOREST,
        objective="",
        fixed="n_estimators = 5",
        space="max_depth = { low = 1, high = 5 }",
        trials=4,
        search="",
    )
    path.write_text(text)
    told = json.loads(hpsearch_command("check", str(path), "--json"))
    sentence = f"The estimator {FOREST} is there, and has the parameters of the study."
    assert told["objective"] == sentence
    whole = study(
        "sklearn.svm.SVC", space="C = { low = 1, high = 9 }\ntol = { low = 0.1, high = 1 }"
    )
    assert checked(whole).endswith(
        "study. C is 1.0 by itself, and its range is of whole numbers; low = 1.0 makes it real."
    )
    path.write_text(text.replace("max_depth", "max_deep"))
    with pytest.raises(UsageError, match="did you mean 'max_depth'"):
        checked(load_study_file(path))


def test_weights_for_one_that_takes_none_are_refused(db: str) -> None:
    frame = table().dropna()
    frame["w"] = 2.0
    file = study("sklearn.neighbors.KNeighborsClassifier", data='weight = "w"', space="p = 2")
    with pytest.raises(UsageError, match="KNeighborsClassifier takes no weights of rows"):
        run_study(file, data=frame, target="label", storage=db)


def test_a_metric_of_probabilities_needs_them(db: str) -> None:
    file = study(
        "sklearn.svm.SVC", objective='metric = "log_loss"', space="C = { low = 0.1, high = 9.0 }"
    )
    with pytest.raises(RunError, match="log_loss needs probabilities, and SVC tells none"):
        run_study(file, storage=db, workers=1)


def test_one_that_tells_them_with_some_parameters_fails_with_the_others_only(db: str) -> None:
    file = study(
        "sklearn.linear_model.SGDClassifier",
        objective='metric = "log_loss"',
        space='loss = { choices = ["hinge", "log_loss"] }',
        trials=2,
        search='strategy = "grid"',
    )
    found = run_study(file, storage=db, workers=1)
    assert found.summary.states == {"complete": 1, "fail": 1}
    assert found.winner == {"loss": "log_loss"}


def test_one_that_raises_fails_with_its_own_words(db: str) -> None:
    file = study(
        "sklearn.svm.SVC",
        space='kernel = { choices = ["rbf", "nothing"] }',
        trials=2,
        search='strategy = "grid"',
    )
    found = run_study(file, storage=db, workers=1)
    assert found.summary.states == {"complete": 1, "fail": 1}
    [failed] = [row for row in found.summary.rows if row.state == "fail"]
    assert "The 'kernel' parameter of SVC" in failed.why
    bad = study("sklearn.svm.SVC", space="C = { low = -9.0, high = -1.0 }")
    bad = bad.model_copy(update={"name": "bad"})
    with pytest.raises(RunError, match="The 'C' parameter of SVC"):
        run_study(bad, storage=db, workers=1)


class Odd(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """An estimator of somebody's own, without probabilities or decisions."""

    def __init__(self, label: int = 0) -> None:
        self.label = label

    def fit(self, X: Any, y: Any) -> Odd:
        self.classes_ = np.unique(y)
        return self

    def predict(self, X: Any) -> Any:
        return np.full(len(X), self.label)


class Bare:
    """The contract, and none of scikit-learn's bases."""

    def __init__(self, label: int = 0) -> None:
        self.label = label

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        del deep
        return {"label": self.label}

    def set_params(self, **parameters: Any) -> Bare:
        vars(self).update(parameters)
        return self

    fit, predict = Odd.fit, Odd.predict


def test_the_contract_is_enough(db: str) -> None:
    file = study("given", space="label = { choices = [0, 1, 2] }", trials=3)
    found = run_study(file, objective=Bare(), storage=db, workers=1)
    assert found.test == pytest.approx(1 / 3)
    name = f"{Bare.__module__}.Bare"
    assert len(set(found.model(trusted=[name]).predict(load_dataset("iris").X))) == 1


def test_functions_that_only_compute_are_read_without_being_asked_for() -> None:
    X, y = np.abs(np.random.default_rng(0).normal(size=(40, 3))), np.arange(40) % 2
    for chooses in (f_classif, chi2, mutual_info_classif):
        chosen = Pipeline([("choose", SelectKBest(chooses, k=2)), ("svc", SVC(kernel=rbf_kernel))])
        content = kept_estimator(chosen.fit(X, y))
        assert (read_estimator(content).predict(X) == chosen.predict(X)).all()
    for strange, name in ((np.nan_to_num, "numpy.nan_to_num"), (pd.read_pickle, ".read_pickle")):
        content = kept_estimator(FunctionTransformer(strange).fit(X))
        with pytest.raises(DataError, match=f"{name}, which nobody has said to trust"):
            read_estimator(content)


def test_what_could_not_be_kept_is_refused_before_it_is_searched(db: str) -> None:
    scaled = Pipeline([("same", FunctionTransformer(lambda X: X)), ("svc", SVC())])
    file = study("given", space="svc__C = { low = 0.1, high = 9.0 }")
    with pytest.raises(UsageError, match=r"the winner could not be kept: .* a lambda does not"):
        run_study(file, objective=scaled, storage=db, workers=1)


OWN = """
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin


class Own(ClassifierMixin, BaseEstimator):
    def __init__(self, place=0.0):
        self.place = place

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return (X[:, 0] {sign} self.place).astype(int)
"""


def hpsearch_command(*words: str) -> str:
    """What a command of its own process prints."""
    command = [sys.executable, "-m", "hpsearch", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_code_of_one_s_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, db: str) -> None:
    monkeypatch.setattr(sys, "path", sys.path[:])
    code = tmp_path / "own_code.py"
    code.write_text(OWN.format(sign="<"))
    folder = json.dumps(str(tmp_path))
    file = study(
        "own_code:Own",
        data='name = "breast_cancer"',
        objective=f"folder = {folder}",
        space="place = { low = -1.0, high = 1.0 }",
        trials=3,
        search='strategy = "random"',
    )
    found = run_study(file, storage=db, workers=1)
    # Its own study names the code, so that what it names is imported ...
    assert make_ensemble("e", 2, storage=db, workers=1).members[0].kind == "estimator"
    assert isinstance(simple_models_of(file, storage=db, workers=1), Summary)
    # ... and a file does not: whoever reads it says what to trust.
    exported, cells = tmp_path / "model.npz", tmp_path / "cells.csv"
    data = load_dataset("breast_cancer")
    pd.DataFrame(data.X[:5], columns=data.feature_names).to_csv(cells, index=False)
    monkeypatch.chdir(tmp_path)
    hpsearch_command("best", "e", "--storage", db, "--export", str(exported))
    with pytest.raises(DataError, match=r"own_code\.Own, which nobody has said to trust"):
        Model.load(exported)
    told = hpsearch_command("predict", str(exported), str(cells), "--trust", "own_code.Own")
    labels = [line.split(",")[1] for line in told.splitlines()[1:]]
    expected = found.model(trusted=["own_code"]).predict(data.X[:5])
    assert labels == expected.tolist()
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place != str(tmp_path)])
    sys.modules.pop("own_code")
    with pytest.raises(
        DataError, match="made of code that is not here: No module named 'own_code'"
    ):
        Model.load(exported, trusted=["own_code"])
    # Nothing is known of code that has changed since, so that nothing is taken over.
    code.write_text(OWN.format(sign=">="))
    other = run_study(file.model_copy(update={"name": "other"}), storage=db, workers=1)
    values = [[t.value for t in s.optuna.trials] for s in (found, other)]
    assert np.add(*values) == pytest.approx(np.ones(3))


def test_classes_of_others_are_read_only_where_they_are_trusted(tmp_path: Path, db: str) -> None:
    file = study("given", space="label = { choices = [0, 1, 2] }", trials=3)
    found = run_study(file, objective=Odd(), storage=db, workers=1)
    assert found.test == pytest.approx(1 / 3)
    with pytest.raises(DataError, match=r"holds .*Odd, which nobody has said to trust"):
        found.model()
    name = f"{Odd.__module__}.Odd"
    fitted = Fitted(kept_estimator(Odd().fit([[1.0]], [0])), 3, None, ("a",), {}, (name,))
    assert fitted.answers(np.ones((2, 1), np.float32)).tolist() == [[1.0, 0.0, 0.0]] * 2


@pytest.mark.parametrize("content", [b"", b"PK", kept_estimator([1, 2])])
def test_what_is_no_estimator_is_refused(content: bytes) -> None:
    with pytest.raises(DataError):
        Fitted(content, 2).answers(np.zeros((1, 1), np.float32))


def test_answers_of_decisions_keep_their_order() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 2)), rng.integers(0, 2, 60)
    model = SVC().fit(X, y)
    answers = answers_of(model, X, 2)
    assert (np.argsort(answers[:, 1]) == np.argsort(model.decision_function(X))).all()
    np.testing.assert_allclose(answers.sum(axis=1), 1)
    several = answers_of(SVC().fit(X, rng.integers(0, 3, 60)), X, 4)
    assert several.shape == (60, 4)
    assert (several[:, 3] == 0).all()
    assert math.isclose(several.sum(), 60)
    assert answers_of(KNeighborsClassifier(1).fit(X, y), X, 2).max() == 1


@pytest.mark.parametrize("boosting", [False, True])
def test_estimators_are_averaged_too(tmp_path: Path, db: str, boosting: bool) -> None:
    file = study(
        fixed="n_estimators = 10",
        data='name = "breast_cancer"',
        objective='metric = "roc_auc"',
        trials=12,
        search="contenders = 4\nrace = 4",
    )
    found = run_study(file, storage=db, workers=2)
    together = make_ensemble("e", 3, storage=db, workers=2, boosting=boosting)
    assert len(together.members) == 3
    kinds = {"estimator", "gradient boosting"} if boosting else {"estimator"}
    assert {member.kind for member in together.members} <= kinds
    assert together.single_test == found.test
    with open_storage(db) as store:
        model = kept_model(store, load_study(store, "e"), together.key)
    assert len(model.fitted) == 3
    path = model.save(tmp_path / "ensemble.npz")
    data = load_dataset("breast_cancer")
    [split] = make_splits(data.y, seed=1)
    chances = Model.load(path).predict_proba(data.X[split.test])
    area = sk.roc_auc_score(data.y[split.test], chances[:, 1])
    assert area == pytest.approx(together.test)


def test_one_that_is_worse_than_a_constant_spoils_no_mean(db: str) -> None:
    file = study(
        "sklearn.linear_model.SGDRegressor",
        data='name = "diabetes"',
        space="eta0 = { choices = [0.01, 0.02, 1e6] }",
        fixed='learning_rate = "constant"',
        trials=3,
        search='strategy = "grid"',
    )
    found = run_study(file, storage=db, workers=1)
    together = make_ensemble("e", 3, storage=db, workers=1)
    assert {member.configuration["eta0"] for member in together.members} == {0.01, 0.02}
    assert found.test is not None
    assert together.test < 1.5 * found.test


@pytest.mark.parametrize("name", ["lightgbm.LGBMClassifier", "xgboost.XGBClassifier"])
def test_boosting_of_others_where_it_is_installed(db: str, name: str) -> None:
    pytest.importorskip(name.partition(".")[0])
    quiet = "verbose = -1" if "lightgbm" in name else "verbosity = 0"
    file = study(
        name,
        objective='resource = { name = "n_estimators", full = 20, least = 5 }',
        fixed=f"n_jobs = 1\n{quiet}",
        space="learning_rate = { low = 0.01, high = 0.5, log = true }",
    )
    found = run_study(file, storage=db, workers=2)
    assert found.test is not None
    assert found.model().predict_proba(load_dataset("iris").X).shape == (150, 3)


def test_its_model_says_what_it_is(db: str) -> None:
    found = run_study(study(fixed="n_estimators = 5"), storage=db, workers=1)
    assert repr(found.model()) == "<Model: an estimator, 4 columns to 3 classes>"
    summary = summarize(load_study(open_storage(db), "e"))
    assert summary.learns
    assert hpsearch.load_study("e", storage=db).test == summary.test
