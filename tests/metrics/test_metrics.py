"""Metrics by name: equal to scikit-learn's, and finite where scikit-learn's are not."""

from __future__ import annotations

import math
import pickle
import warnings
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from hpsearch.errors import DataError, UnknownNameError, UsageError
from hpsearch.metrics import DEFAULT, OWN, Metric, metric_named
from hpsearch.metrics.intervals import interval
from hpsearch.metrics.scorers import Scorer, about, scorer_names

pytestmark = pytest.mark.slow


@st.composite
def classifications(draw: Any, most_classes: int = 4) -> tuple[int, Any, Any, Any]:
    """Classes, codes, probabilities with ties and weights; a class may be absent, or be all."""
    k = draw(st.integers(2, most_classes))
    n = draw(st.integers(1, 30))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    y = rng.integers(0, draw(st.integers(1, k)), n)
    steps = draw(st.sampled_from([1, 2, 5, 1000]))
    raw = rng.integers(1, steps + 1, (n, k)).astype(draw(st.sampled_from([np.float32, np.float64])))
    if draw(st.booleans()):
        raw[:] = raw[0]
    weight = draw(st.sampled_from([None, rng.integers(1, 4, n) * 1.0, rng.random(n) + 0.1]))
    return k, y, raw / raw.sum(axis=1, keepdims=True), weight


@st.composite
def regressions(draw: Any) -> tuple[Any, Any, Any]:
    n, targets = draw(st.integers(2, 30)), draw(st.sampled_from([0, 1, 3]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = (n, targets) if targets else (n,)
    scale = draw(st.sampled_from([1e-3, 1.0, 1e6]))
    y, values = scale * rng.standard_normal(shape), scale * rng.standard_normal(shape)
    if draw(st.booleans()):
        y[:] = y[0]
    if draw(st.booleans()):
        values[:] = y if draw(st.booleans()) else values[0]
    return y, values, draw(st.sampled_from([None, rng.random(n) + 0.1]))


def of_scikit_learn(name: str, k: int, y: Any, p: Any, weight: Any) -> float:
    """What scikit-learn's own function says; nan where it says that it is undefined."""
    labels, seen = p.argmax(axis=1), np.unique(y)
    codes = range(k)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        w = {"sample_weight": weight}
        found: Any = {
            "accuracy": lambda: sk.accuracy_score(y, labels, **w),
            "balanced_accuracy": lambda: sk.balanced_accuracy_score(y, labels, **w),
            "f1": lambda: sk.f1_score(y, labels, **w),
            "f1_macro": lambda: sk.f1_score(y, labels, average="macro", **w),
            "mcc": lambda: sk.matthews_corrcoef(y, labels, **w),
            "quadratic_kappa": lambda: sk.cohen_kappa_score(
                y, labels, labels=codes, weights="quadratic", **w
            ),
            "log_loss": lambda: sk.log_loss(y, p, labels=codes, **w),
            "average_precision": lambda: sk.average_precision_score(
                y, p[:, 1] if k == 2 else p, **w
            ),
            "roc_auc": lambda: (
                sk.roc_auc_score(y, p[:, 1], **w)
                if k == 2
                else np.mean([sk.roc_auc_score(y == code, p[:, code], **w) for code in seen])
                if len(seen) > 1
                else math.nan
            ),
        }[name]
        return float(found())


@pytest.mark.parametrize(
    "name", sorted(name for name, metric in OWN.items() if metric.task == "classification")
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(made=classifications())
def test_a_metric_of_classes_equals_scikit_learn_s(name: str, made: Any) -> None:
    k, y, p, weight = made
    if name == "f1" and k > 2:
        return
    if name == "average_precision" and k > 2 and len(np.unique(y)) < k:
        return  # scikit-learn counts the classes of the labels, and finds fewer columns than given
    expected = of_scikit_learn(name, k, y, p, weight)
    value = metric_named(name, "classification", k).value(y, p, weight)
    if math.isnan(expected):
        assert value == pytest.approx(OWN[name].undefined)
    else:
        assert value == pytest.approx(expected, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("average", ["binary", "macro", "weighted", "micro"])
@pytest.mark.parametrize("share", ["precision", "recall", "f1", "jaccard"])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(made=classifications())
def test_a_share_of_each_class_equals_scikit_learn_s(share: str, average: Any, made: Any) -> None:
    k, y, p, weight = made
    k = 2 if average == "binary" else k
    y, labels = np.minimum(y, k - 1), p[:, :k].argmax(axis=1)
    name = share if average == "binary" else f"{share}_{average}"
    function = getattr(sk, f"{share}_score")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = function(y, labels, average=average, sample_weight=weight)
    metric = metric_named(name, "classification", k)
    assert not metric.dear
    assert metric.value(y, labels, weight) == pytest.approx(expected)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(made=classifications())
def test_the_brier_score_equals_scikit_learn_s(made: Any) -> None:
    k, y, p, weight = made
    expected = (
        sk.brier_score_loss(y, p[:, 1], sample_weight=weight, pos_label=1)
        if k == 2
        else sk.brier_score_loss(y, p, sample_weight=weight, labels=range(k))
    )
    value = metric_named("neg_brier_score", "classification", k).value(y, p, weight)
    assert value == pytest.approx(-expected, rel=1e-5, abs=1e-7)


@pytest.mark.parametrize(
    "name",
    [
        "d2_brier_score",
        "d2_log_loss_score",
        "roc_auc_ovo",
        "roc_auc_ovo_weighted",
        "top_k_accuracy",
    ],
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(made=classifications())
def test_a_measure_of_probabilities_equals_scikit_learn_s(name: str, made: Any) -> None:
    k, y, p, weight = made
    seen = np.unique(y)
    if k == 2 or len(seen) < k:  # of fewer classes than columns scikit-learn's is an error
        return
    given = {} if weight is None or "ovo" in name else {"sample_weight": weight}
    function = {
        "d2_brier_score": sk.d2_brier_score,
        "d2_log_loss_score": sk.d2_log_loss_score,
        "roc_auc_ovo": partial(sk.roc_auc_score, multi_class="ovo"),
        "roc_auc_ovo_weighted": partial(sk.roc_auc_score, multi_class="ovo", average="weighted"),
        "top_k_accuracy": sk.top_k_accuracy_score,
    }[name]
    metric = metric_named(name, "classification", k)
    assert not metric.dear
    expected = function(y, p, **given)
    assert metric.raw(y, p, given.get("sample_weight")) == pytest.approx(
        expected, rel=1e-4, abs=1e-6
    )


@pytest.mark.parametrize("label", [0, 1])
@settings(max_examples=40, deadline=None)
@given(made=classifications())
def test_a_likelihood_ratio_equals_scikit_learn_s(label: int, made: Any) -> None:
    _, y, p, _ = made
    y, labels = np.minimum(y, 1), p[:, :2].argmax(axis=1)
    name = ["neg_negative_likelihood_ratio", "positive_likelihood_ratio"][label]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ratios = sk.class_likelihood_ratios(y, labels, labels=[0, 1], replace_undefined_by=np.nan)
    expected = [-ratios[1], ratios[0]][label]
    value = metric_named(name, "classification", 2).raw(y, labels)
    assert value == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("name", ["rmse", "mae", "r2"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(made=regressions())
def test_a_metric_of_values_equals_scikit_learn_s(name: str, made: Any) -> None:
    y, values, weight = made
    function = {
        "rmse": sk.root_mean_squared_error,
        "mae": sk.mean_absolute_error,
        "r2": sk.r2_score,
    }[name]
    expected = function(y, values, sample_weight=weight)
    value = metric_named(name, "regression").value(y, values, weight)
    assert math.isfinite(value)
    if name == "r2" and np.ptp(y, axis=0).min() == 0:
        return  # the variance of a constant is none, or a rounding error, by which all is divided
    assert value == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("neg_mean_squared_error", sk.mean_squared_error),
        ("neg_mean_absolute_percentage_error", sk.mean_absolute_percentage_error),
        ("neg_median_absolute_error", sk.median_absolute_error),
        ("neg_mean_squared_log_error", sk.mean_squared_log_error),
        ("neg_root_mean_squared_log_error", sk.root_mean_squared_log_error),
        ("neg_max_error", sk.max_error),
        ("neg_mean_poisson_deviance", sk.mean_poisson_deviance),
        ("neg_mean_gamma_deviance", sk.mean_gamma_deviance),
        ("explained_variance", sk.explained_variance_score),
        ("d2_absolute_error_score", sk.d2_absolute_error_score),
    ],
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(made=regressions())
def test_an_error_that_is_cheap_enough_for_each_epoch_equals_scikit_learn_s(
    name: str, function: Any, made: Any
) -> None:
    y, values, weight = made
    metric = metric_named(name, "regression")
    assert not metric.dear
    if not metric.weighted:
        y, values, weight = y.reshape(len(y), -1)[:, 0], values.reshape(len(y), -1)[:, 0], None
    if "deviance" in name:
        y, values = (
            np.abs(y).reshape(len(y), -1)[:, 0] + 0.5,
            np.abs(values).reshape(len(y), -1)[:, 0] + 0.5,
        )
    if metric.bounds == (None, 1.0) and np.ptp(y, axis=0).min() == 0:
        return  # as for r2
    if "log" in name and min(y.min(), values.min()) <= -1:
        assert math.isnan(metric.raw(y, values, weight))
        y, values = np.abs(y), np.abs(values)
    given = {} if weight is None else {"sample_weight": weight}
    sign = -1 if name.startswith("neg_") else 1
    expected = sign * function(y, values, **given)
    assert metric.raw(y, values, weight) == pytest.approx(expected, rel=1e-9, nan_ok=True)


def test_what_is_undefined_has_a_decided_value() -> None:
    one_class, p = np.zeros(4, int), np.full((4, 2), 0.5)
    areas = {name: metric_named(name, "classification", 2) for name in OWN if about_classes(name)}
    assert {name: metric.value(one_class, p) for name, metric in areas.items()} == {
        "accuracy": 1.0,
        "average_precision": 0.0,
        "balanced_accuracy": 1.0,
        "f1": 0.0,
        "f1_macro": 1.0,
        "log_loss": pytest.approx(math.log(2)),
        "mcc": 0.0,
        "quadratic_kappa": 0.0,
        "roc_auc": 0.5,
    }
    several = metric_named("roc_auc", "classification", 3)
    assert several.value(one_class, np.full((4, 3), 1 / 3)) == 0.5
    r2 = metric_named("r2", "regression")
    assert r2.value(np.array([0.1, 0.1, 0.1]), np.array([0.1, 0.1, 0.1])) == 1.0
    assert r2.value(np.array([0.1, 0.1, 0.1]), np.array([0.1, 0.1, 0.2])) == 0.0


def about_classes(name: str) -> bool:
    return OWN[name].task == "classification"


def test_roc_auc_of_several_classes_leaves_out_those_that_do_not_occur() -> None:
    y = np.array([0, 1, 0, 1])
    p = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.6, 0.3, 0.1], [0.7, 0.2, 0.1]])
    area = metric_named("roc_auc", "classification", 3).value(y, p)
    both = [sk.roc_auc_score(y == code, p[:, code]) for code in (0, 1)]
    assert area == pytest.approx(np.mean(both))


def usable(task: str, classes: int) -> list[str]:
    names = []
    for name in scorer_names():
        known = about(name)
        of_two = classes == 2 or known.average != "binary"
        if known.task == task and of_two and known.average != "samples":
            names.append(name)
    return [name for name in names if not (name == "top_k_accuracy" and classes == 2)]


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("name", usable("classification", 2))
def test_every_scorer_of_classes_is_scikit_learn_s(name: str, classes: int) -> None:
    if name not in usable("classification", classes):
        return
    from sklearn.naive_bayes import GaussianNB

    rng = np.random.default_rng(0)
    X = rng.standard_normal((80, 3))
    y = (X[:, 0] + rng.standard_normal(80) > 0).astype(int) + (X[:, 1] > 0.8) * (classes - 2)
    weight = rng.random(80)
    model = GaussianNB().fit(X, y)  # has probabilities only, as our networks
    scorer = sk.get_scorer("roc_auc_ovr" if name == "roc_auc" and classes > 2 else name)
    metric = metric_named(name, "classification", classes)
    known = metric.weighted and not ("ovo" in name and classes > 2)  # scikit-learn's knows none
    for w in (None, weight) if known else (None,):
        expected = scorer(model, X, y, **({} if w is None else {"sample_weight": w}))
        p = model.predict_proba(X)
        assert metric.value(y, p, w) == pytest.approx(expected, rel=1e-9)
        if metric.name not in OWN and metric.needs != "decision":  # which are ours alone
            asked = Scorer(name, "classification", classes)(y, metric.needed(p), w)
            assert asked == pytest.approx(expected, rel=1e-9)
    assert metric.direction == "maximize"
    low, high = metric.bounds
    assert low is None or low <= expected
    assert high is None or expected <= high


@pytest.mark.parametrize("name", usable("regression", 0))
def test_every_scorer_of_values_is_scikit_learn_s(name: str) -> None:
    from sklearn.linear_model import LinearRegression

    rng = np.random.default_rng(0)
    X = rng.random((80, 3))
    y = X[:, 0] + rng.random(80) + 1
    model = LinearRegression().fit(X, y)
    expected = sk.get_scorer(name)(model, X, y)
    metric = metric_named(name, "regression")
    assert metric.value(y, model.predict(X)) == pytest.approx(expected, rel=1e-9)
    assert Scorer(name, "regression", 0)(y, model.predict(X)) == expected
    assert metric.direction == "maximize"
    assert metric.bounds[1] is None or expected <= metric.bounds[1]


def test_predictions_for_which_a_scorer_is_undefined_count_like_a_constant() -> None:
    metric = metric_named("neg_mean_squared_log_error", "regression")
    y = np.array([1.0, 2.0, 3.0])
    assert metric.value(y, np.array([1.0, -5.0, 3.0])) == metric.constant(y, y)


def test_targets_for_which_a_scorer_is_undefined_are_refused() -> None:
    metric = metric_named("neg_mean_gamma_deviance", "regression")
    with pytest.raises(DataError, match=r"neg_mean_gamma_deviance is undefined for these values"):
        metric.value(np.array([-1.0, 2.0]), np.array([1.0, 1.0]))


@pytest.mark.parametrize(
    ("name", "task", "classes", "sentence"),
    [
        ("rocauc", "classification", 2, "did you mean 'roc_auc'"),
        ("rand_score", "classification", 2, "compares clusterings"),
        ("f1", "classification", 3, "two classes, and there are 3; f1_macro is for several"),
        ("precision", "classification", 3, "precision_macro is for several"),
        ("positive_likelihood_ratio", "classification", 3, "balanced_accuracy is for several"),
        ("f1_samples", "classification", 2, "several labels each; f1_macro is for one"),
        ("top_k_accuracy", "classification", 2, "accuracy looks at one"),
        ("r2", "classification", 2, "for regression, and the study learns classes"),
        ("neg_max_error", "classification", 2, "for regression"),
        ("accuracy", "regression", 0, "predicts numbers; its metrics are mae, r2, rmse"),
    ],
)
def test_what_does_not_fit_is_refused(name: str, task: Any, classes: int, sentence: str) -> None:
    with pytest.raises((UnknownNameError, UsageError), match=sentence):
        metric_named(name, task, classes)


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_every_metric_survives_the_way_to_a_worker(task: Any) -> None:
    for name in {*usable(task, 2), *(n for n, m in OWN.items() if m.task == task)}:
        metric = metric_named(name, task, 2)
        assert pickle.loads(pickle.dumps(metric)) == metric
    assert DEFAULT[task] in OWN


@pytest.mark.parametrize(
    "name", ["f1", "precision", "average_precision", "roc_auc", "log_loss", "jaccard", "mcc"]
)
def test_the_first_class_may_be_the_positive_one(name: str) -> None:
    rng = np.random.default_rng(0)
    y = (rng.random(90) < 0.3).astype(int)
    p = rng.dirichlet(np.ones(2), 90)
    second, first = (metric_named(name, "classification", 2, code) for code in (1, 0))
    assert first.value(y, p) == pytest.approx(second.value(1 - y, p[:, ::-1]))
    assert first.constant(y, y) == pytest.approx(second.constant(1 - y, 1 - y))
    ends, others = interval(first, y, p), interval(second, 1 - y, p[:, ::-1])
    assert list(ends or ()) == pytest.approx(list(others or ()), abs=0.06)


def test_weights_are_refused_where_a_metric_knows_none() -> None:
    worst = metric_named("neg_max_error", "regression")
    with pytest.raises(UsageError, match="neg_max_error knows no weights"):
        worst.value(np.array([0.0, 1.0]), np.array([0.0, 1.0]), np.ones(2))


def metric(name: str, classes: int = 2) -> Metric:
    return metric_named(name, OWN[name].task, classes)


def test_a_score_is_greater_where_the_metric_is_better() -> None:
    for name, (better, worse) in {"rmse": (1.0, 2.0), "accuracy": (0.9, 0.8)}.items():
        assert metric(name).score(better) > metric(name).score(worse)
        assert metric(name).of_score(metric(name).score(better)) == better


def test_the_best_constant_is_what_the_training_part_says() -> None:
    y_train, y = np.array([0, 0, 0, 1, 2]), np.array([0, 1, 1, 2])
    assert metric("accuracy", 3).constant(y_train, y) == 0.25
    assert metric("log_loss", 3).constant(y_train, y) == pytest.approx(
        -np.mean(np.log([0.6, 0.2, 0.2, 0.2]))
    )
    assert metric("mcc", 3).constant(y_train, y) == 0.0
    assert metric("roc_auc").constant(np.array([0, 1]), np.array([0, 0, 1])) == 0.5
    # The rare class is looked for: always answering it finds all of it.
    rare = np.array([0, 0, 0, 1])
    assert metric("f1").constant(rare, rare) == pytest.approx(0.4)
    values = np.array([0.0, 0.0, 9.0])
    assert metric("mae").constant(values, np.array([1.0])) == 1.0  # the median
    assert metric("rmse").constant(values, np.array([1.0])) == 2.0  # the mean
    assert metric("rmse").constant(np.c_[values, values], np.array([[1.0, 4.0]])) == 1.5


def test_a_class_that_the_training_part_lacks_makes_no_loss_infinite() -> None:
    assert metric("log_loss", 3).constant(np.array([0, 1]), np.array([2])) < 40
