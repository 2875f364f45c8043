"""The regressor: its contract, its likeness to scikit-learn's MLPRegressor, its targets."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_diabetes, load_linnerud, make_regression
from sklearn.exceptions import DataConversionWarning, NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from sklearn.model_selection import cross_val_score, train_test_split
from sklearn.neural_network import MLPRegressor as Theirs
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale
from sklearn.utils.estimator_checks import parametrize_with_checks

from hpsearch.errors import UnknownNameError, UsageError
from hpsearch.estimators import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y = load_diabetes(return_X_y=True)
X = scale(X)
WEIGHTS = np.random.default_rng(0).integers(0, 4, len(Y))
LOSSES = ["squared_error", "absolute_error", "huber"]


def quick(**arguments: Any) -> MLPRegressor:
    settings: dict[str, Any] = {"hidden_layer_sizes": (16,), "max_iter": 5, "random_state": 0}
    return MLPRegressor(**{**settings, **arguments})


def several(n: int = 300, targets: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Targets of very different units."""
    X, y = make_regression(n, 8, n_targets=targets, noise=5.0, random_state=0)
    return X, y * np.array([1e-6, 1.0, 1e9])[:targets] + np.array([0.0, 5.0, 1e12])[:targets]


def not_to_seven_digits(model: Any) -> dict[str, str]:
    """What a check wants of weights: that predictions be equal to 1e-7."""
    if model.dropout > 0:
        why = "batch normalization and dropout count rows, whatever their weight"
    elif model.solver == "adam":
        why = "adam in float32 is equal to 1e-5 after hundreds of steps; see below"
    else:
        return {}
    name = "check_sample_weight_equivalence_on"
    return {f"{name}_dense_data": why, f"{name}_sparse_data": why}


@parametrize_with_checks(
    [
        MLPRegressor(),
        MLPRegressor(
            "huber", (), solver="sgd", momentum=0.0, learning_rate_init=0.01, shuffle=False
        ),
        MLPRegressor(
            "absolute_error", (30,), "maxout", batch_norm=True, dropout=0.1, schedule="cosine"
        ),
    ],
    expected_failed_checks=not_to_seven_digits,
)
def test_scikit_learns_own_checks(estimator: Any, check: Any) -> None:
    check(estimator)


# Likeness to scikit-learn's MLPRegressor


def test_every_shared_argument_has_the_same_default_and_place() -> None:
    ours, theirs = MLPRegressor().get_params(), Theirs().get_params()
    assert theirs.keys() - ours.keys() == {"power_t", "max_fun"}
    assert {name: ours[name] for name in theirs if name in ours} == {
        name: theirs[name] for name in theirs if name in ours
    }
    assert len(ours.keys() - theirs.keys()) == 9  # the last nine, as the docstring says
    assert MLPRegressor("huber", (3,), "tanh").hidden_layer_sizes == (3,)
    # And the classifier's, but for what is of labels or of numbers alone.
    alike = MLPClassifier().get_params()
    assert ours.keys() - alike.keys() == {"loss"}
    assert alike.keys() - ours.keys() == {"label_smoothing", "class_weight"}
    assert all(ours[name] == alike[name] for name in ours if name in alike)


@pytest.mark.parametrize("targets", [1, 3])
@pytest.mark.parametrize(
    ("activation", "rule"),
    [
        ("relu", {"solver": "sgd", "momentum": 0.0, "learning_rate_init": 0.05}),
        ("tanh", {"solver": "sgd", "nesterovs_momentum": True, "learning_rate_init": 0.02}),
        ("relu", {"solver": "adam", "learning_rate_init": 0.01}),
    ],
)
def test_training_is_scikit_learns(activation: str, rule: dict[str, Any], targets: int) -> None:
    """On standardized targets; the loss is a sum over them, as scikit-learn's gradient is."""
    X, y = make_regression(400, 8, n_targets=targets, noise=5.0, random_state=0)
    y = scale(y)
    shared: dict[str, Any] = {"shuffle": False, "random_state": 0, "activation": activation}
    shared |= {"hidden_layer_sizes": (20, 10), "batch_size": 40, "alpha": 0.0, **rule}
    shared |= {"warm_start": True, "max_iter": 1}
    ours, theirs = MLPRegressor(**shared).fit(X, y), Theirs(**shared).fit(X, y)
    for mine, other in zip(
        ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True
    ):
        other[:] = mine
    for model in (ours, theirs):
        model.set_params(max_iter=12, n_iter_no_change=100).fit(X, y)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=0, atol=1e-3)
    np.testing.assert_allclose(
        ours.loss_curve_[1:], targets * np.array(theirs.loss_curve_[1:]), rtol=1e-3
    )


@pytest.mark.parametrize("arguments", [{}, {"early_stopping": True}, {"hidden_layer_sizes": ()}])
@pytest.mark.parametrize("y", [Y, np.c_[Y, -Y]])
def test_fitted_attributes_are_scikit_learns(arguments: dict[str, Any], y: np.ndarray) -> None:
    settings = {"hidden_layer_sizes": (7, 5), "random_state": 0, "max_iter": 4, **arguments}
    ours, theirs = (kind(**settings).fit(X, y) for kind in (MLPRegressor, Theirs))
    public = {name for name in vars(theirs) if name.endswith("_") and not name.startswith("_")}
    assert all(hasattr(ours, name) for name in public)
    for name in ("n_iter_", "t_", "n_layers_", "n_outputs_", "out_activation_", "n_features_in_"):
        assert getattr(ours, name) == getattr(theirs, name), name
    for name in ("best_loss_", "validation_scores_", "best_validation_score_"):
        assert (getattr(ours, name) is None) == (getattr(theirs, name) is None), name
    assert ours.predict(X).shape == theirs.predict(X).shape == y.shape
    assert ours.predict(X).dtype == np.float64
    assert not hasattr(ours, "classes_")


@pytest.mark.parametrize("loss", LOSSES)
def test_diabetes_is_learned_as_well_as_by_a_linear_model(loss: str) -> None:
    X_train, X_test, y_train, y_test = train_test_split(X, Y, random_state=1)
    linear = LinearRegression().fit(X_train, y_train).score(X_test, y_test)
    model = MLPRegressor(
        loss, (30,), learning_rate_init=0.003, early_stopping=True, alpha=1.0, random_state=0
    )
    assert model.fit(X_train, y_train).score(X_test, y_test) > linear - 0.1


# Losses and targets


def test_the_robust_losses_hardly_see_outliers() -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((500, 3))
    clean = X @ [1.0, -2.0, 0.5]
    y = clean + np.where(rng.random(500) < 0.05, 100.0, 0.0)

    def error(loss: str) -> float:
        model = quick(loss=loss, max_iter=300, learning_rate_init=0.01).fit(X, y)
        return float(np.median(np.abs(model.predict(X) - clean)))

    assert max(error("absolute_error"), error("huber")) < 0.5 * error("squared_error")


def test_targets_come_back_in_their_own_units() -> None:
    X, y = several()
    model = quick(hidden_layer_sizes=(), max_iter=2000, learning_rate_init=0.01, tol=1e-7)
    predicted = model.fit(X, y).predict(X)
    assert all(r2_score(y, predicted, multioutput="raw_values") > 0.98)
    moved = model.fit(X, 1e3 * y - 7e5).predict(X)
    np.testing.assert_allclose(moved, 1e3 * predicted - 7e5, rtol=1e-2, atol=1e-3)


def test_a_target_that_never_varies_is_said() -> None:
    for constant in (0.0, 3.7, 1e300, -1e-300):
        y = np.full(len(Y), constant)
        predicted = quick(max_iter=300, learning_rate_init=0.05).fit(X, np.c_[y, Y]).predict(X)
        np.testing.assert_allclose(predicted[:, 0], y, atol=0.2)
        assert r2_score(Y, predicted[:, 1]) > 0.4


def test_huge_and_tiny_targets_are_learned() -> None:
    for size in (1e-300, 1e300):
        model = quick(max_iter=100, learning_rate_init=0.01).fit(X, (Y - 100) * size / 1e3)
        again = quick(max_iter=100, learning_rate_init=0.01).fit(X, Y - 100)
        predicted = model.predict(X) / size * 1e3
        np.testing.assert_allclose(predicted, again.predict(X), rtol=1e-3, atol=0.5)


@pytest.mark.parametrize(
    "y", [Y.tolist(), pd.Series(Y), Y.astype(np.float32), Y.astype(int), Y.astype(object)]
)
def test_any_container_of_targets_gives_the_same(y: Any) -> None:
    np.testing.assert_allclose(quick().fit(X, y).loss_, quick().fit(X, Y).loss_, rtol=1e-5)


def test_a_frame_of_targets_and_a_column() -> None:
    data = load_linnerud(as_frame=True)
    assert quick().fit(data.data, data.target).predict(data.data).shape == (20, 3)
    with pytest.warns(DataConversionWarning):
        column = quick().fit(X, Y[:, None])
    assert column.predict(X).shape == (len(Y),)
    assert column.loss_curve_ == quick().fit(X, Y).loss_curve_


@pytest.mark.parametrize(
    ("y", "words"),
    [
        (np.where(Y > 300, np.nan, Y), "Input y contains NaN"),
        (np.where(Y > 300, np.inf, Y), "Input y contains infinity"),
        (Y[:-1], "inconsistent numbers of samples"),
        (np.full(len(Y), "much"), "could not convert"),
        (None, "y"),
        (Y[:, None, None], "dim 3"),
    ],
    ids=str,
)
def test_targets_that_are_no_numbers_are_refused(y: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        quick().fit(X, y)


def test_arguments_that_make_no_sense_are_named() -> None:
    with pytest.raises(UnknownNameError, match="unknown loss 'squared-error'; did you mean"):
        quick(loss="squared-error").fit(X, Y)
    with pytest.raises(UnknownNameError, match="unknown loss 'poisson'"):
        quick(loss="poisson").fit(X, Y)
    with pytest.raises(UsageError, match="alpha is -1"):
        quick(alpha=-1.0).partial_fit(X, Y)
    with pytest.raises(UsageError, match="cannot stop early"):
        quick(early_stopping=True).partial_fit(X, Y)
    with pytest.raises(UsageError, match="which has no R²"):
        quick(early_stopping=True, validation_fraction=0.002).fit(X, Y)
    with pytest.raises(NotFittedError):
        quick().predict(X)
    with pytest.raises(UsageError, match="left the finite numbers"):
        quick(learning_rate_init=1e4, solver="sgd").fit(X * 1e15, Y)


# Weights


@pytest.mark.parametrize("loss", LOSSES)
def test_a_sample_of_weight_two_is_the_sample_twice(loss: str) -> None:
    settings = {"loss": loss, "batch_size": 10_000, "max_iter": 30, "alpha": 1.0}
    settings |= {"solver": "sgd", "activation": "tanh"}
    weighted = quick(**settings).fit(X, Y, WEIGHTS)
    repeated = quick(**settings).fit(X.repeat(WEIGHTS, axis=0), Y.repeat(WEIGHTS))
    np.testing.assert_allclose(weighted.predict(X), repeated.predict(X), rtol=1e-4)
    np.testing.assert_allclose(weighted.loss_curve_, repeated.loss_curve_, rtol=1e-4)


def test_partial_fit_takes_weights_too() -> None:
    settings = {"batch_size": 10_000, "solver": "sgd"}
    weighted, repeated = quick(**settings), quick(**settings)
    for _ in range(5):
        weighted.partial_fit(X, Y, WEIGHTS)
        repeated.partial_fit(X.repeat(WEIGHTS, axis=0), Y.repeat(WEIGHTS))
    np.testing.assert_allclose(weighted.predict(X), repeated.predict(X), rtol=1e-4)


def test_validation_r2_counts_the_weights() -> None:
    rng = np.random.default_rng(0)
    y = np.where(np.arange(len(Y)) % 2, 200 * rng.standard_normal(len(Y)), Y)
    weights = np.where(np.arange(len(Y)) % 2, 1e-6, 1.0)  # half of the targets are noise

    def best(weights: Any) -> float:
        model = quick(early_stopping=True, validation_fraction=0.3, max_iter=100)
        model.set_params(learning_rate_init=0.01)
        return float(model.fit(X, y, weights).best_validation_score_)

    assert best(weights) > 0.3 > best(None)


# Stopping, going on, copies


def test_early_stopping_puts_the_best_weights_back_and_scores_by_r2() -> None:
    model = quick(
        early_stopping=True,
        validation_fraction=0.3,
        learning_rate_init=0.1,
        max_iter=100,
        n_iter_no_change=5,
    ).fit(X, Y)
    scores = model.validation_scores_
    assert model.best_validation_score_ == max(scores)
    assert scores[-1] < max(scores)
    random = np.random.RandomState(0)
    random.randint(np.iinfo(np.int32).max)
    _, X_val, _, y_val = train_test_split(X, Y, test_size=0.3, random_state=random)
    assert model.score(X_val, y_val) == pytest.approx(max(scores), abs=1e-5)


def test_verbose_says_r2(capsys: pytest.CaptureFixture[str]) -> None:
    model = quick(max_iter=2, verbose=True, early_stopping=True).fit(X, Y)
    lines = capsys.readouterr().out.splitlines()
    assert f"validation R² {model.validation_scores_[1]:.4f}" in lines[1]


def test_the_same_seed_gives_the_same_bits() -> None:
    a, b = (quick(dropout=0.2).fit(X, Y) for _ in range(2))
    np.testing.assert_array_equal(a.predict(X), b.predict(X))
    assert a.loss_curve_ == b.loss_curve_


def test_a_warm_start_keeps_the_scale_and_goes_on() -> None:
    model = quick(warm_start=True, max_iter=60, learning_rate_init=0.01).fit(X, Y)
    before = model.loss_
    model.fit(X, Y)
    assert model.loss_curve_[60] == pytest.approx(before, rel=0.1)
    with pytest.raises(UsageError, match=r"targets there are, 1, and now got 2"):
        model.fit(X, np.c_[Y, Y])
    with pytest.raises(UsageError, match="warm_start goes on with"):
        model.set_params(loss="huber").fit(X, Y)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_a_copy_predicts_the_same_and_goes_on_the_same(copied: Any) -> None:
    X, y = several()
    model = quick(batch_norm=True).fit(X, y)
    twin = copied(model)
    for _ in range(2):
        np.testing.assert_array_equal(twin.predict(X), model.predict(X))
        for each in (model, twin):
            each.partial_fit(X[:100], y[:100])


def test_it_works_in_a_pipeline_and_cross_validation() -> None:
    pipeline = make_pipeline(StandardScaler(), quick(max_iter=60, learning_rate_init=0.01))
    assert cross_val_score(pipeline, X, Y, cv=3).mean() > 0.3
