"""The search behaves as scikit-learn's `RandomizedSearchCV` does.

Of scikit-learn's sklearn/model_selection/tests/test_search.py these behaviours apply, and are
tested here in other words:

    SearchCV_with_fit_params, grid_search_no_score, grid_search_score_method, grid_search_groups,
    classes__property, trivial_cv_results_attr, no_refit, grid_search_error,
    grid_search_one_grid_point, grid_search_when_param_grid_includes_range,
    grid_search_bad_param_grid (with sentences of our own), grid_search_sparse,
    grid_search_precomputed_kernel, refit, refit_callable and its invalid results, gridsearch_nd,
    X_as_list, y_as_list, pandas_input, unsupervised_grid_search, gridsearch_no_predict,
    random_search_cv_results, random_search_cv_results_multimetric, search_cv_score_samples,
    search_cv_sample_weight_equivalence, search_cv_results_none_param, search_cv_timing,
    grid_search_correct_score_results, pickle, grid_search_with_multioutput_data,
    predict_proba_disabled, grid_search_allows_nans, grid_search_failing_classifier (all, some,
    raised), parameters_sampler_replacement (nothing is fitted twice), search_train_scores_set_to_
    false, grid_search_cv_splits_consistency, transform_inverse_transform_round_trip,
    empty_cv_iterator_error, random_search_bad_cv, searchcv_raise_warning_with_non_finite_score,
    callable_multimetric_same_as_list_of_strings, n_features_in, search_cv_pairwise_property,
    scalar_fit_param, search_cv_using_minimal_compatible_estimator, search_cv_verbose_3,
    search_estimator_param, search_with_2d_array, search_html_repr,
    multi_metric_search_forwards_metadata, score_rejects_params_with_no_routing_enabled,
    search_with_estimators_issue_29157, cv_results_multi_size_array, search_callbacks.

These do not: parameter_grid, param_sampler and validate_parameter_input are of ParameterGrid and
ParameterSampler, which the search does not use; custom_run_search and custom_fit_no_run_search are
of BaseSearchCV, and yield_masked_array of a helper there; grid_search, search_default_iid and
search_cv_results_rank_tie_breaking want candidates in the order of a grid; array_api_search_cv
needs libraries that are not installed here.
"""

from __future__ import annotations

import pickle
from collections import Counter
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import sklearn
from scipy.stats import loguniform, poisson, randint, uniform
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.cluster import KMeans
from sklearn.datasets import load_iris, make_classification, make_multilabel_classification
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import FitFailedWarning, NotFittedError
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.metrics.pairwise import linear_kernel
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    LeaveOneGroupOut,
    StratifiedKFold,
    TimeSeriesSplit,
    cross_val_score,
)
from sklearn.naive_bayes import ComplementNB
from sklearn.neighbors import KernelDensity, KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

from hpsearch import Categorical, CoarseToFineSearchCV, Condition, Float, Int, Space
from hpsearch.errors import UnknownNameError, UsageError
from hpsearch.search_cv.splits import Splits

pytestmark = pytest.mark.slow

X, y = make_classification(n_samples=90, n_features=6, flip_y=0.2, random_state=0)
C = {"C": loguniform(1e-3, 1e2)}


def search(estimator: Any = None, ranges: Any = None, **settings: Any) -> CoarseToFineSearchCV:
    given = {"n_iter": 12, "cv": 3, "random_state": 0, **settings}
    return CoarseToFineSearchCV(estimator or LinearSVC(random_state=0), ranges or C, **given)


def without_times(results: dict[str, Any]) -> dict[str, Any]:
    return {name: values for name, values in results.items() if not name.endswith("_time")}


class Fails(ClassifierMixin, BaseEstimator):
    """A classifier that fails where its parameter is one of some."""

    def __init__(self, number: int = 0, bad: tuple[int, ...] = (1,)) -> None:
        self.number, self.bad = number, bad

    def fit(self, X: Any, y: Any) -> Fails:
        if self.number in self.bad:
            raise ValueError("it does not like its number")
        self.classes_ = np.unique(y)
        return self

    def predict(self, X: Any) -> Any:
        return np.full(len(X), self.classes_[0])

    def score(self, X: Any, y: Any) -> float:
        return float(self.number)


class Weighted(ClassifierMixin, BaseEstimator):
    """A classifier that keeps what it was fitted with."""

    def __init__(self, number: int = 0) -> None:
        self.number = number

    def fit(self, X: Any, y: Any, spam: Any = None, scalar: Any = None) -> Weighted:
        assert spam is None or len(spam) == len(X)
        self.classes_, self.spam_, self.scalar_ = np.unique(y), spam, scalar
        return self

    def predict(self, X: Any) -> Any:
        return np.full(len(X), self.classes_[0])


# What it leaves behind.


def test_a_row_for_each_candidate_and_the_columns_of_scikit_learn() -> None:
    found = search(SVC(), {"C": uniform(0.1, 9), "kernel": ["rbf", "linear"]}).fit(X, y)
    table = found.cv_results_
    assert {name for name in table if not name.startswith("split")} == {
        "mean_fit_time", "std_fit_time", "mean_score_time", "std_score_time", "iter", "params",
        "param_C", "param_kernel", "mean_test_score", "std_test_score", "rank_test_score",
    }  # fmt: skip
    assert {name for name in table if name.startswith("split")} == {
        f"split{i}_test_score" for i in range(3)
    }
    assert all(len(column) == 12 for column in table.values())
    assert table["param_C"].dtype.kind == "f"
    assert table["rank_test_score"].dtype == np.int32
    assert table["iter"].tolist() == sorted(table["iter"].tolist())
    assert all(set(params) == {"C", "kernel"} for params in table["params"])
    splits = [table[f"split{i}_test_score"] for i in range(3)]
    np.testing.assert_allclose(np.mean(splits, axis=0), table["mean_test_score"])
    assert pd.DataFrame(table).shape == (12, len(table))
    assert found.n_splits_ == 3
    assert found.refit_time_ >= 0


def test_the_winner_is_the_first_of_the_best_and_its_score_is_that_of_its_row() -> None:
    found = search().fit(X, y)
    table = found.cv_results_
    assert found.best_index_ == table["rank_test_score"].argmin()
    assert found.best_score_ == table["mean_test_score"][found.best_index_]
    assert found.best_params_ == table["params"][found.best_index_]
    assert found.best_params_["C"] == found.best_estimator_.C


def test_scores_are_those_of_the_estimator_on_these_splits() -> None:
    found = search(cv=KFold(4, shuffle=True, random_state=1)).fit(X, y)
    for params, row in zip(found.cv_results_["params"], range(12), strict=True):
        estimator = LinearSVC(random_state=0).set_params(**params)
        scores = cross_val_score(estimator, X, y, cv=KFold(4, shuffle=True, random_state=1))
        of_row = [found.cv_results_[f"split{i}_test_score"][row] for i in range(4)]
        np.testing.assert_allclose(scores, of_row)


def test_later_stages_look_where_the_best_were() -> None:
    def score(estimator: Ridge, X: Any, y: Any) -> float:
        return -abs(float(np.log10(estimator.alpha)) - 1.0)

    ranges = {"alpha": loguniform(1e-6, 1e6)}
    found = search(Ridge(), ranges, n_iter=32, scoring=score).fit(X, y)
    off = np.abs(np.log10(found.cv_results_["param_alpha"].data.astype(float)) - 1.0)
    stage = found.cv_results_["iter"]
    assert np.median(off[stage == stage.max()]) < np.median(off[stage == 0]) / 4
    assert [plan.name for plan in found.stages_] == ["coarse", "fine-1", "fine-2", "fine-3"]
    assert any(move.before != move.after for plan in found.stages_ for move in plan.changes)
    assert -found.best_score_ < 0.1


def test_every_fourth_candidate_of_a_later_stage_is_more_of_the_first() -> None:
    ranges = {"alpha": loguniform(1e-6, 1e6)}
    found = search(Ridge(), ranges, n_iter=32, scoring=lambda model, *_: -model.alpha).fit(X, y)
    table = found.cv_results_
    alphas = np.log10(table["param_alpha"].data.astype(float))
    others = np.concatenate(
        [
            np.flatnonzero(table["iter"] == stage)[3::4]
            for stage in range(1, table["iter"].max() + 1)
        ]
    )
    near = np.setdiff1d(np.flatnonzero(table["iter"] > 1), others)
    assert alphas[others].max() > 1
    assert alphas[near].max() < -2


def test_training_scores_and_times() -> None:
    assert not any("train" in name for name in search().fit(X, y).cv_results_)
    table = search(return_train_score=True).fit(X, y).cv_results_
    assert {"mean_train_score", "std_train_score", "split2_train_score"} <= set(table)
    assert (table["mean_fit_time"] >= 0).all()
    assert (table["mean_fit_time"] < 10).all()


@pytest.mark.parametrize("strategy", ["guided", "coarse-to-fine"])
def test_a_seed_gives_the_same_search_with_any_number_of_jobs(strategy: str) -> None:
    found = [search(strategy=strategy, n_jobs=n).fit(X, y) for n in (None, 2)]
    one, two = (without_times(each.cv_results_) for each in found)
    np.testing.assert_equal(one, two)
    other = search(strategy=strategy, random_state=1).fit(X, y)
    assert other.cv_results_["params"] != one["params"]


def test_nothing_is_fitted_twice() -> None:
    found = search(SVC(), {"kernel": ["rbf", "linear"], "C": [1, 2, 3]}, n_iter=40).fit(X, y)
    tried = [(p["kernel"], p["C"]) for p in found.cv_results_["params"]]
    assert len(tried) == len(set(tried)) <= 6
    single = search(ranges={"C": [1.0]}).fit(X, y)
    assert single.cv_results_["params"] == [{"C": 1.0}]


# What may be searched.


@pytest.mark.parametrize(
    "ranges",
    [
        {"max_depth": poisson(3, loc=1), "min_samples_leaf": randint(1, 3)},
        {"max_depth": randint(2, 3)},
        [{"max_depth": [1, 2, 3]}, {"max_depth": [2, 3, 4]}],
    ],
)
def test_nor_is_what_the_estimator_gets_twice(ranges: Any) -> None:
    X, y = load_iris(return_X_y=True)
    tree = DecisionTreeClassifier(random_state=0)
    search = CoarseToFineSearchCV(tree, ranges, n_iter=30, random_state=0).fit(X, y)
    rows = [str(sorted(row.items())) for row in search.cv_results_["params"]]
    assert len(rows) == len({*rows})


def test_values_of_a_list_are_any_objects_and_stay_themselves() -> None:
    def double(X: Any) -> Any:
        return 2 * X

    scalers = ["passthrough", StandardScaler(), FunctionTransformer(double)]
    ranges = {"scale": scalers, "svc__class_weight": [None, {0: 1, 1: 2}], "svc__C": range(1, 40)}
    pipeline = Pipeline([("scale", None), ("svc", LinearSVC(random_state=0))])
    found = search(pipeline, ranges, n_iter=16).fit(X, y)
    used = [params["scale"] for params in found.cv_results_["params"]]
    assert all(any(each is scaler for scaler in scalers) for each in used)
    assert not hasattr(scalers[1], "mean_")  # they are cloned before they are fitted
    assert found.best_estimator_["scale"] not in scalers[1:]


def test_none_and_tuples_are_values() -> None:
    ranges = {"random_state": [0, None], "max_depth": np.array([2, 3])}
    found = search(DecisionTreeClassifier(), ranges).fit(X, y)
    assert set(found.cv_results_["param_random_state"]) == {0, None}
    text = [
        f"{a} {b}"
        for a, b in pairwise(["one", "two", "three", "four", "five", "six", "seven", "eight"])
    ]
    pipeline = make_pipeline(sklearn.feature_extraction.text.TfidfVectorizer(), ComplementNB())
    ranges = {"tfidfvectorizer__ngram_range": ((1, 1), (1, 2))}
    found = search(pipeline, ranges, cv=2).fit(text, [0, 1, 0, 1, 0, 1, 0])
    assert sorted(found.cv_results_["param_tfidfvectorizer__ngram_range"]) == [(1, 1), (1, 2)]


def test_a_list_of_dicts_gives_each_candidate_one() -> None:
    ranges = [
        {"kernel": ["rbf"], "gamma": loguniform(1e-4, 1), "C": loguniform(1e-2, 1e2)},
        {"kernel": ["linear"], "C": loguniform(1e-2, 1e2)},
    ]
    found = search(SVC(), ranges, n_iter=20).fit(X, y)
    table = found.cv_results_
    assert {p["kernel"] for p in table["params"]} == {"rbf", "linear"}
    assert all(("gamma" in p) == (p["kernel"] == "rbf") for p in table["params"])
    assert table["param_gamma"].mask.tolist() == (table["param_kernel"] == "linear").tolist()


def test_a_space_brings_its_conditions() -> None:
    space = Space(
        {
            "kernel": Categorical(("rbf", "poly")),
            "degree": Int(2, 4),
            "C": Float(1e-2, 1e2, log=True),
        },
        {"degree": Condition("kernel", ("poly",))},
    )
    found = search(SVC(), space).fit(X, y)
    assert all(("degree" in p) == (p["kernel"] == "poly") for p in found.cv_results_["params"])


@pytest.mark.parametrize(
    ("ranges", "message"),
    [
        (3, "param_distributions is 3; give a dict"),
        ({"C": 1.0}, "C is 1.0; give a list, a distribution with quantiles"),
        ({"C": "rbf"}, "C is 'rbf'; give a list"),
        ({"C": []}, "the list of C is empty; give it a value"),
    ],
)
def test_what_is_no_range_is_refused(ranges: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        search(ranges=ranges).fit(X, y)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_iter": 0}, "n_iter is 0; give a whole number of at least 1"),
        ({"n_iter": 2.5}, "n_iter is 2.5"),
        ({"race": -1}, "race is -1"),
        ({"race": 12}, "race is 12 of 12 trials"),
        ({"race": 4, "cv": TimeSeriesSplit(3)}, "TimeSeriesSplit has no others"),
        (
            {"resource": "max_iter", "ranges": {"max_iter": [1, 2]}},
            "is the resource and is searched",
        ),
        ({"resource": "tol"}, "tol is 0.0001 in the estimator, and a resource is a whole number"),
        ({"resource": "tol", "max_resources": 0.5}, "max_resources is 0.5; give a whole number"),
        ({"resource": "n_samples", "max_resources": 91}, "max_resources is 91 of 90 rows"),
        (
            {"resource": "max_iter", "min_resources": 2000},
            "min_resources is 2000 and max_resources",
        ),
    ],
)
def test_a_setting_out_of_range_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        search(**settings).fit(X, y)


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'max_iter'"):
        search(resource="max_iters").fit(X, y)
    with pytest.raises(UnknownNameError, match="did you mean 'guided'"):
        search(strategy="guide").fit(X, y)
    with pytest.raises(ValueError, match="Invalid parameter 'D'"):
        search(ranges={"D": [1, 2]}).fit(X, y)


# Resources.


def test_a_parameter_as_resource_grows_from_stage_to_stage() -> None:
    model = HistGradientBoostingClassifier(max_iter=20)
    ranges = {"learning_rate": loguniform(1e-2, 1)}
    found = search(model, ranges, n_iter=20, resource="max_iter").fit(X, y)
    table = found.cv_results_
    assert table["n_resources"].tolist() == table["param_max_iter"].tolist()
    assert list(dict.fromkeys(table["n_resources"].tolist())) == [5, 10, 20]
    assert found.best_params_["max_iter"] == 20
    whole = table["n_resources"] == 20
    assert found.best_score_ == table["mean_test_score"][whole].max()
    least = clone(found).set_params(min_resources=8, max_resources=12).fit(X, y)
    assert list(dict.fromkeys(least.cv_results_["n_resources"].tolist())) == [8, 12]


def test_rows_as_resource_shorten_training_parts_only() -> None:
    seen: list[tuple[int, int]] = []

    def score(estimator: KNeighborsClassifier, X: Any, y: Any) -> float:
        seen.append((estimator.n_samples_fit_, len(X)))
        return float(estimator.score(X, y))

    model = KNeighborsClassifier()
    found = search(
        model, {"n_neighbors": range(1, 15)}, n_iter=13, resource="n_samples", scoring=score
    ).fit(X, y)
    amounts = found.cv_results_["n_resources"]
    assert amounts.tolist()[0] == 22
    assert amounts.tolist()[-1] == 90
    assert {test for _, test in seen} == {30}
    assert [train for train, _ in seen[::3]] == [round(a / 90 * 60) for a in amounts.tolist()]
    assert found.best_estimator_.n_samples_fit_ == 90


def test_shorter_parts_are_nested_and_keep_the_shares_of_labels() -> None:
    labels = np.repeat([0, 1, 2], [60, 24, 6])
    whole = Splits(StratifiedKFold(3), classifies=True, seed=3)
    for amount, before in ((22, 45), (45, 90)):
        smaller, larger = (
            Splits(StratifiedKFold(3), classifies=True, seed=3, amount=n).split(X, labels)
            for n in (amount, before)
        )
        for (few, test), (many, same), (_, all_rows) in zip(
            smaller, larger, whole.split(X, labels), strict=True
        ):
            assert set(few) <= set(many)
            assert test.tolist() == same.tolist() == all_rows.tolist()
            counts = np.bincount(labels[few], minlength=3) / len(few)
            np.testing.assert_allclose(counts, [2 / 3, 4 / 15, 1 / 15], atol=0.07)


# A race.


def test_a_race_scores_the_best_again_on_other_splits() -> None:
    found = search(n_iter=24, race=8).fit(X, y)
    table = found.cv_results_
    races = table["splits_seed"] != 0
    assert races.sum() == 8
    tried = [p["C"] for p in np.array(table["params"])[~races]]
    assert all(p["C"] in tried for p in np.array(table["params"])[races])
    own = races & (table["param_C"] == found.best_params_["C"])
    assert found.best_score_ == pytest.approx(table["mean_test_score"][own].mean())
    assert own[found.best_index_]


@pytest.mark.parametrize("race", [3, 20])
@pytest.mark.parametrize("seed", range(3))
def test_a_race_may_end_early_and_the_winner_still_has_a_row(race: int, seed: int) -> None:
    found = search(
        Ridge(), {"alpha": loguniform(1e-3, 1e3)}, n_iter=44, race=race, random_state=seed
    )
    table = found.fit(X, y).cv_results_
    rows = table["param_alpha"] == found.best_params_["alpha"]
    again = rows & (table["splits_seed"] != 0)
    counted = again if again.any() else rows
    assert found.best_score_ == pytest.approx(table["mean_test_score"][counted].mean())
    assert counted[found.best_index_]


# As a meta-estimator.


def test_everything_the_winner_does_the_search_does() -> None:
    found = search(LogisticRegression(), n_iter=5).fit(X, y)
    best = found.best_estimator_
    for name in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
        np.testing.assert_array_equal(getattr(found, name)(X), getattr(best, name)(X))
    assert found.score(X, y) == best.score(X, y)
    assert found.classes_.tolist() == [0, 1]
    assert found.n_features_in_ == 6
    assert not hasattr(search(LinearSVC()).fit(X, y), "predict_proba")
    assert not hasattr(search(Ridge(), {"alpha": [1, 2]}).fit(X, y), "classes_")
    with pytest.raises(NotFittedError):
        search().predict(X)
    assert not hasattr(search(), "n_features_in_")


def test_transform_score_samples_and_outputs_as_frames() -> None:
    found = search(PCA(), {"n_components": [1, 2, 3]}, refit=True).fit(X)
    np.testing.assert_allclose(
        found.inverse_transform(found.transform(X)),
        found.best_estimator_.inverse_transform(found.best_estimator_.transform(X)),
    )
    assert found.score_samples(X).shape == (90,)
    frame = pd.DataFrame(X, columns=list("abcdef"))
    pipeline = make_pipeline(StandardScaler(), PCA()).set_output(transform="pandas")
    found = search(pipeline, {"pca__n_components": [2, 3]}).fit(frame)
    assert list(found.transform(frame).columns)[:2] == ["pca0", "pca1"]
    assert found.feature_names_in_.tolist() == list("abcdef")
    outer = make_pipeline(search(PCA(), {"n_components": [2]})).set_output(transform="pandas")
    assert outer.fit_transform(frame).shape == (90, 2)


def test_without_refit_there_is_no_estimator() -> None:
    found = search(refit=False).fit(X, y)
    assert not hasattr(found, "best_estimator_")
    assert found.best_params_ == found.cv_results_["params"][found.best_index_]
    with pytest.raises(AttributeError, match="has no attribute 'predict'"):
        found.predict(X)


def test_several_metrics_and_the_one_that_leads() -> None:
    scoring = {"acc": "accuracy", "auc": "roc_auc"}
    found = search(scoring=scoring, refit="auc").fit(X, y)
    table = found.cv_results_
    assert found.multimetric_
    assert found.best_score_ == table["mean_test_auc"].max()
    assert {"rank_test_acc", "split0_test_auc"} <= set(table)
    assert found.score(X, y) == found.scorer_["auc"](found.best_estimator_, X, y)
    unguided = search(scoring=scoring, refit=False).fit(X, y)  # the first leads
    assert (
        unguided.cv_results_["params"] == search(scoring="accuracy").fit(X, y).cv_results_["params"]
    )
    with pytest.raises(ValueError, match="the parameter refit must be set to a scorer key"):
        search(scoring=scoring).fit(X, y)

    def both(estimator: Any, X: Any, y: Any) -> dict[str, float]:
        return {name: scorer(estimator, X, y) for name, scorer in found.scorer_.items()}

    same = search(scoring=both, refit="auc").fit(X, y)
    np.testing.assert_equal(without_times(same.cv_results_), without_times(table))


def test_a_callable_refit_chooses_the_row() -> None:
    found = search(refit=lambda results: int(results["mean_test_score"].argmin())).fit(X, y)
    assert found.best_index_ == found.cv_results_["mean_test_score"].argmin()
    assert not hasattr(found, "best_score_")
    assert found.best_params_["C"] == found.best_estimator_.C
    with pytest.raises(TypeError, match="best_index_ returned is not an integer"):
        search(refit=lambda _: "no row").fit(X, y)
    with pytest.raises(IndexError, match="best_index_ index out of range"):
        search(refit=lambda _: 99).fit(X, y)


def test_scoring_by_name_by_method_and_by_neither() -> None:
    class NoScore(LinearSVC):  # type: ignore[misc]
        @property
        def score(self) -> Any:
            raise AttributeError

    one = search(NoScore(random_state=0), scoring="accuracy").fit(X, y)
    two = search(scoring=None).fit(X, y)
    assert one.best_params_ == two.best_params_
    assert one.score(X, y) == two.score(X, y)
    with pytest.raises(TypeError, match="no scoring"):
        search(NoScore()).fit(X, y)
    with pytest.raises(ValueError, match="scoring"):
        search(scoring="no such metric").fit(X, y)


def test_unsupervised_and_without_predict() -> None:
    found = search(KMeans(n_init=1, random_state=0), {"n_clusters": [2, 3, 4]}).fit(X)
    assert found.best_params_ == {"n_clusters": 4}

    def score(estimator: KernelDensity, X: Any) -> float:
        return 42.0 if estimator.bandwidth == 0.1 else 0.0

    ranges = {"bandwidth": [0.01, 0.1, 1.0]}
    assert search(KernelDensity(), ranges, scoring=score).fit(X).best_score_ == 42.0


# Data of any make.


def test_lists_frames_sparse_matrices_and_more_dimensions() -> None:
    expected = search().fit(X, y).best_params_
    frame = pd.DataFrame(X, columns=list("abcdef"))
    for inputs, labels in (
        (X.tolist(), y.tolist()),
        (frame, pd.Series(y, index=frame.index)),
        (scipy.sparse.csr_matrix(X), y),
    ):
        found = search().fit(inputs, labels)
        assert found.best_params_["C"] == pytest.approx(expected["C"], rel=0.2)
    assert search().fit(frame, y).feature_names_in_.tolist() == list("abcdef")
    assert search(resource="n_samples", ranges={"tol": [1e-4, 1e-3]}).fit(X.tolist(), y.tolist())

    class Flat(KNeighborsClassifier):  # type: ignore[misc]
        def fit(self, X: Any, y: Any) -> Any:
            return super().fit(X.reshape(len(X), -1), y)

        def predict(self, X: Any) -> Any:
            return super().predict(X.reshape(len(X), -1))

        def score(self, X: Any, y: Any) -> float:
            return accuracy_score(y, self.predict(X))

    assert search(Flat(), {"n_neighbors": [1, 3]}).fit(X.reshape(90, 2, 3), y).best_score_ > 0.4


def test_text_labels_and_several_outputs() -> None:
    words = np.array(["no", "yes"])[y]
    assert set(search(resource="max_iter").fit(X, words).predict(X)) == {"no", "yes"}
    many, labels = make_multilabel_classification(60, 6, random_state=0)
    found = search(KNeighborsClassifier(), {"n_neighbors": [1, 3, 5]}, resource="n_samples")
    assert found.fit(many, labels).predict(many).shape == labels.shape


def test_missing_values_pass_to_the_pipeline() -> None:
    holes = X.copy()
    holes[::7, 2] = np.nan
    pipeline = make_pipeline(SimpleImputer(), LinearSVC(random_state=0))
    ranges = {"simpleimputer__strategy": ["mean", "median"]}
    assert search(pipeline, ranges).fit(holes, y).best_score_ > 0.5


def test_precomputed_kernels_are_split_on_both_sides() -> None:
    found = search(SVC(kernel="precomputed")).fit(linear_kernel(X), y)
    assert found.best_score_ > 0.5
    assert sklearn.utils.get_tags(search(SVC(kernel="precomputed"))).input_tags.pairwise
    assert not sklearn.utils.get_tags(search(SVC())).input_tags.pairwise
    with pytest.raises(ValueError, match="should be a square kernel matrix"):
        search(SVC(kernel="precomputed")).fit(linear_kernel(X)[:, :50], y)


# Splits.


def test_groups_go_to_the_splitter() -> None:
    groups = np.arange(90) % 5
    for cv in (LeaveOneGroupOut(), GroupKFold(3)):
        with pytest.raises(ValueError, match="The 'groups' parameter should not be None"):
            search(cv=cv).fit(X, y)
        assert search(cv=cv).fit(X, y, groups=groups).n_splits_ == cv.get_n_splits(X, y, groups)


def test_all_stages_have_the_same_splits_whatever_makes_them() -> None:
    class Counts:
        """Splits that are drawn anew at each call."""

        calls = 0

        def get_n_splits(self, *_: Any, **__: Any) -> int:
            return 3

        def split(self, X: Any, *_: Any, **__: Any) -> Any:
            self.calls += 1
            return KFold(3, shuffle=True).split(X)

    cv = Counts()
    assert search(cv=cv, n_iter=20).fit(X, y).n_splits_ == 3
    assert cv.calls == 1
    by_generator = search(cv=KFold(3, shuffle=True, random_state=0).split(X)).fit(X, y)
    by_splitter = search(cv=KFold(3, shuffle=True, random_state=0)).fit(X, y)
    np.testing.assert_equal(
        without_times(by_generator.cv_results_), without_times(by_splitter.cv_results_)
    )


def test_splits_that_are_none_or_fewer_than_said_are_refused() -> None:
    with pytest.raises(ValueError, match="No fits were performed"):
        search(cv=iter(())).fit(X, y)

    class Wrong(KFold):  # type: ignore[misc]
        def get_n_splits(self, *_: Any, **__: Any) -> int:
            return 7

    with pytest.raises(ValueError, match=r"inconsistent results\. Expected 7 splits, got 3"):
        search(cv=Wrong(3)).fit(X, y)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        search().fit(X[:50], y)


# What fails.


def test_a_failing_candidate_is_worse_than_any_other() -> None:
    ranges = {"number": [0, 1, 2]}
    with (
        pytest.warns(FitFailedWarning, match="fits failed"),
        pytest.warns(UserWarning, match="finite"),
    ):
        found = search(Fails(), ranges).fit(X, y)
    table = found.cv_results_
    failed = np.isnan(table["mean_test_score"])
    assert table["param_number"][failed].tolist() == [1]
    assert found.best_params_ == {"number": 2}
    with pytest.warns(FitFailedWarning):
        found = search(Fails(), ranges, error_score=-7.0).fit(X, y)
    assert found.cv_results_["mean_test_score"].min() == -7.0
    with pytest.raises(ValueError, match="it does not like its number"):
        search(Fails(), ranges, error_score="raise").fit(X, y)
    with pytest.raises(ValueError, match="fits failed"):
        search(Fails(bad=(0, 1, 2)), ranges).fit(X, y)


def test_scores_that_are_not_finite_rank_last() -> None:
    def score(estimator: KNeighborsClassifier, X: Any, y: Any) -> float:
        return float("nan") if estimator.n_neighbors > 3 else float(estimator.n_neighbors)

    with pytest.warns(UserWarning, match="test scores are non-finite"):
        found = search(KNeighborsClassifier(), {"n_neighbors": [2, 3, 4, 5]}, scoring=score).fit(
            X, y
        )
    table = found.cv_results_
    lost = np.isnan(table["mean_test_score"])
    assert table["rank_test_score"][~lost].max() < table["rank_test_score"][lost].min()
    assert found.best_params_ == {"n_neighbors": 3}


# Parameters of fit.


def test_parameters_of_fit_reach_the_estimator() -> None:
    weights = np.arange(90.0)
    found = search(Weighted(), {"number": [0, 1]}, error_score="raise").fit(
        X, y, spam=weights, scalar=3
    )
    assert found.best_estimator_.spam_.tolist() == weights.tolist()
    assert found.best_estimator_.scalar_ == 3


def test_weights_count_as_repeated_rows() -> None:
    weights = np.random.default_rng(0).integers(0, 3, len(X))
    groups = np.arange(90) % 3
    repeated = [np.repeat(each, weights, axis=0) for each in (X, y, groups)]
    model = LogisticRegression(tol=1e-10)
    given = {"cv": LeaveOneGroupOut(), "scoring": "neg_log_loss", "n_iter": 4}
    one = search(model, **given).fit(X, y, sample_weight=weights, groups=groups)
    two = search(model, **given).fit(repeated[0], repeated[1], groups=repeated[2])
    np.testing.assert_allclose(
        one.cv_results_["mean_test_score"], two.cv_results_["mean_test_score"], rtol=1e-5
    )


def test_metadata_are_routed() -> None:
    with sklearn.config_context(enable_metadata_routing=True):
        scorer = make_scorer(accuracy_score).set_score_request(sample_weight=True)
        model = LogisticRegression().set_fit_request(sample_weight=True)
        cv = GroupKFold(3).set_split_request(groups=True)
        found = search(model, scoring=scorer, cv=cv, n_iter=4)
        found.fit(X, y, sample_weight=np.ones(90), groups=np.arange(90) % 5)
        assert found.score(X, y, sample_weight=np.ones(90)) > 0.5
    with pytest.raises(ValueError, match="is only supported if"):
        found.score(X, y, sample_weight=np.ones(90))


# Among other tools.


def test_it_can_be_cloned_pickled_and_shown() -> None:
    found = search().fit(X, y)
    assert clone(found).get_params()["param_distributions"] is C or clone(found).n_iter == 12
    again = pickle.loads(pickle.dumps(found))
    np.testing.assert_array_equal(again.predict(X), found.predict(X))
    assert again.stages_ == found.stages_
    assert "CoarseToFineSearchCV" in found._repr_html_()
    assert found.estimator.C == 1.0  # what was given is not fitted
    assert not hasattr(found.estimator, "coef_")


def test_in_a_pipeline_and_in_nested_cross_validation() -> None:
    inner = search(LogisticRegression(), n_iter=6)
    scores = cross_val_score(make_pipeline(StandardScaler(), inner), X, y, cv=3, n_jobs=2)
    assert scores.mean() > 0.6
    outer = search(
        search(LogisticRegression(), n_iter=4),
        {"estimator__fit_intercept": [True, False]},
        n_iter=4,
        cv=2,
    ).fit(X, y)
    inside = outer.best_estimator_.best_estimator_
    assert inside.fit_intercept == outer.best_params_["estimator__fit_intercept"]


def test_an_estimator_needs_fit_and_predict_alone() -> None:
    class Least:
        def __init__(self, number: int = 0) -> None:
            self.number = number

        def get_params(self, deep: bool = False) -> dict[str, Any]:
            return {"number": self.number}

        def set_params(self, **params: Any) -> Any:
            self.number = params.get("number", self.number)
            return self

        def fit(self, X: Any, y: Any) -> Any:
            return self

        def __sklearn_tags__(self) -> Any:
            return BaseEstimator().__sklearn_tags__()

        def predict(self, X: Any) -> Any:
            return np.ones(len(X))

    def score(estimator: Least, X: Any, y: Any) -> float:
        return float(estimator.number)

    assert search(Least(), {"number": [1, 2, 3]}, scoring=score).fit(X, y).best_score_ == 3.0


def test_it_says_what_it_does_as_scikit_learn_does(capsys: pytest.CaptureFixture[str]) -> None:
    search(verbose=3, n_iter=10).fit(X, y)
    said = capsys.readouterr().out
    assert "Fitting 3 folds for each of 10 candidates, totalling 30 fits" in said
    assert "[CV 3/3] END" in said


def test_estimators_are_values_too() -> None:
    pipeline = Pipeline([("model", LinearRegression())])
    ranges = {"model": [LinearRegression(), Ridge()]}
    found = search(pipeline, ranges).fit(X, y)
    tried = found.cv_results_["param_model"]
    assert {type(each) for each in tried} == {LinearRegression, Ridge}
    assert all(each is not found.best_estimator_["model"] for each in tried)


@pytest.mark.skipif(not hasattr(search(), "set_callbacks"), reason="before scikit-learn 1.9")
def test_callbacks_are_told_of_every_stage_and_fit() -> None:
    class Counts:
        """Counts the tasks of each name."""

        def __init__(self) -> None:
            self.begun: Counter[str] = Counter()
            self.ended: Counter[str] = Counter()

        def setup(self, estimator: Any, context: Any) -> None: ...

        def teardown(self, estimator: Any, context: Any) -> None: ...

        def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
            self.begun[context.task_name] += 1

        def on_fit_task_end(self, estimator: Any, context: Any) -> None:
            self.ended[context.task_name] += 1

    counts = Counts()
    search().set_callbacks(counts).fit(X, y)
    assert counts.begun == counts.ended
    assert counts.begun == {
        "fit": 1,
        "search": 1,
        "coarse": 1,
        "fine-1": 1,
        "candidate-split-evaluation": 36,
        "refit-with-best-params": 1,
    }
