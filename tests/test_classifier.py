"""The scikit-learn estimator: its contract, its likeness to MLPClassifier, its own additions."""

from __future__ import annotations

import copy
import math
import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.neural_network import MLPClassifier as Theirs
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import hpsearch.nn
from hpsearch.errors import UnknownNameError, UsageError
from hpsearch.estimators import MLPClassifier
from hpsearch.estimators.settings import read_settings

# Few epochs are enough here, and the warning about them has a test of its own.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

IRIS_X, IRIS_Y = load_iris(return_X_y=True)
DIGITS_X, DIGITS_Y = load_digits(return_X_y=True)
DIGITS_X = DIGITS_X / 16.0


def quick(**arguments: Any) -> MLPClassifier:
    settings: dict[str, Any] = {"hidden_layer_sizes": (16,), "max_iter": 5, "random_state": 0}
    return MLPClassifier(**{**settings, **arguments})


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
        MLPClassifier(),
        MLPClassifier((), solver="sgd", momentum=0.0, learning_rate_init=0.02, shuffle=False),
        MLPClassifier((30,), "maxout", batch_norm=True, dropout=0.1, schedule="cosine"),
    ],
    expected_failed_checks=not_to_seven_digits,
)
def test_scikit_learns_own_checks(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"activation": "rleu"}, "unknown activation 'rleu'; did you mean 'relu'? Known: logistic"),
        ({"activation": ["relu"]}, "unknown activation"),
        ({"activation": "identity"}, "hidden_layer_sizes=()"),
        ({"solver": "adma"}, "unknown solver 'adma'; did you mean 'adam'?"),
        ({"solver": None}, "unknown solver None"),
        ({"solver": "lbfgs"}, "'lbfgs', which needs all samples"),
        ({"initializer": "xavir"}, "did you mean 'xavier'?"),
        ({"schedule": "invscaling"}, "unknown schedule"),
        ({"learning_rate": "adaptive"}, "schedule='cosine'"),
        ({"learning_rate": "invscaling"}, "leave it 'constant'"),
        ({"learning_rate": 0.01}, "give the rate as learning_rate_init"),
        (
            {"learning_rate_init": 0.0},
            "learning_rate_init is 0.0; give a number from 1e-10 to 1e+06",
        ),
        ({"learning_rate_init": math.nan}, "learning_rate_init is nan"),
        ({"alpha": -1.0}, "alpha is -1.0; give a number from 0 to 1e+06"),
        ({"alpha": "much"}, "alpha is 'much'"),
        ({"momentum": 1.0}, "momentum is 1.0; give a number from 0 to 0.9999"),
        ({"beta_1": 1.0}, "beta_1 is 1.0"),
        ({"tol": -1e-4}, "tol is -0.0001"),
        ({"max_iter": 0}, "max_iter is 0; give a whole number from 1 to"),
        ({"n_iter_no_change": 0}, "n_iter_no_change is 0; give a whole number of at least 1, or"),
        ({"n_iter_no_change": 1.5}, "n_iter_no_change is 1.5"),
        ({"validation_fraction": 1.0}, "validation_fraction is 1.0; give a number between 0 and 1"),
        ({"batch_size": 0}, "batch_size is 0; give a whole number from 1 to"),
        ({"batch_size": "all"}, "batch_size is 'all'"),
        ({"hidden_layer_sizes": 0}, "hidden_layer_sizes is 0"),
        ({"hidden_layer_sizes": "ten"}, "hidden_layer_sizes is 'ten'"),
        ({"class_weight": "equal"}, "class_weight is 'equal'; give 'balanced'"),
        ({"class_weight": {0: -1.0}}, "class_weight has -1.0 for 0; give numbers of at least 0"),
        ({"class_weight": {0: "much"}}, "class_weight has 'much' for 0"),
        ({"label_smoothing": 1.0}, "label_smoothing is 1.0; give a number from 0 to 0.99"),
        ({"shuffle": 1}, "shuffle is 1; give True or False"),
    ],
    ids=str,
)
def test_an_argument_that_makes_no_sense_is_named(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_settings(MLPClassifier(**arguments).get_params())
    assert words in str(caught.value)


def test_fit_and_partial_fit_check_the_arguments() -> None:
    for fit in (MLPClassifier(alpha=-1.0).fit, MLPClassifier(alpha=-1.0).partial_fit):
        with pytest.raises(UsageError, match="alpha is -1"):
            fit(IRIS_X, IRIS_Y)


def with_one(value: float) -> np.ndarray[Any, Any]:
    X = IRIS_X.copy()
    X[7, 2] = value
    return X


@pytest.mark.parametrize(
    ("X", "y", "words"),
    [
        (with_one(np.nan), IRIS_Y, "contains NaN"),
        (with_one(np.inf), IRIS_Y, "infinity or a value too large"),
        (with_one(1e300), IRIS_Y, "too large for dtype('float32')"),
        (IRIS_X[:, 0], IRIS_Y, "Expected 2D array, got 1D array"),
        (IRIS_X[:, :, None], IRIS_Y, "dim 3"),
        (IRIS_X[:-1], IRIS_Y, "inconsistent numbers of samples"),
        (IRIS_X[:0], IRIS_Y[:0], "0 sample"),
        (IRIS_X[:, :0], IRIS_Y, "0 feature"),
        (IRIS_X.astype(complex), IRIS_Y, "Complex data not supported"),
        (np.full((150, 2), "a"), IRIS_Y, "could not convert string to float"),
        (IRIS_X, np.zeros(150, int), "y has one class only, [0]; a classifier needs two or more"),
        (IRIS_X, IRIS_X[:, 0], "continuous"),
        (IRIS_X, np.eye(3, dtype=int)[IRIS_Y], "multilabel-indicator target, several labels"),
        (IRIS_X, np.c_[IRIS_Y, IRIS_Y], "MultiOutputClassifier"),
        (IRIS_X, np.where(IRIS_Y == 0, np.nan, IRIS_Y), "Input y contains NaN"),
        (IRIS_X, None, "y"),
    ],
    ids=str,
)
def test_data_that_cannot_be_learned_from_are_refused(X: Any, y: Any, words: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        quick().fit(X, y)
    assert words in str(caught.value)


def test_prediction_needs_a_fitted_classifier_and_the_same_features() -> None:
    for method in ("predict", "predict_proba", "predict_log_proba", "score"):
        with pytest.raises(NotFittedError):
            getattr(quick(), method)(IRIS_X, *([IRIS_Y] if method == "score" else []))
    assert not hasattr(quick(), "coefs_")
    with pytest.raises(ValueError, match="X has 3 features, but MLPClassifier is expecting 4"):
        quick().fit(IRIS_X, IRIS_Y).predict(IRIS_X[:, :3])


def test_a_rate_far_too_high_ends_in_a_sentence() -> None:
    model = quick(learning_rate_init=1e4, solver="sgd", momentum=0.0)
    with pytest.raises(UsageError, match=r"left the finite numbers in epoch 1; standardize"):
        model.fit(IRIS_X * 1e15, IRIS_Y)


# Likeness to scikit-learn's MLPClassifier


def test_every_shared_argument_has_the_same_default() -> None:
    ours, theirs = MLPClassifier().get_params(), Theirs().get_params()
    assert theirs.keys() - ours.keys() == {"power_t", "max_fun"}
    assert {name: ours[name] for name in theirs if name in ours} == {
        name: theirs[name] for name in theirs if name in ours
    }
    assert len(ours.keys() - theirs.keys()) == 11  # the last eleven, as the docstring says


def twins(X: Any, y: Any, **arguments: Any) -> tuple[MLPClassifier, Theirs]:
    """Ours and theirs with the same weights, about to begin with a fresh optimizer."""
    shared: dict[str, Any] = {"shuffle": False, "random_state": 0, "hidden_layer_sizes": (20, 10)}
    shared |= {**arguments, "warm_start": True, "max_iter": 1}
    ours = MLPClassifier(**shared).fit(X, y)
    theirs = Theirs(**shared).fit(X.astype(np.float64), y)
    for mine, other in zip(
        ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True
    ):
        other[:] = mine
    return ours, theirs


@pytest.mark.parametrize(
    ("activation", "rule"),
    [
        ("relu", {"solver": "sgd", "momentum": 0.0, "learning_rate_init": 0.1}),
        ("tanh", {"solver": "sgd", "nesterovs_momentum": False, "learning_rate_init": 0.05}),
        ("logistic", {"solver": "sgd", "nesterovs_momentum": True, "learning_rate_init": 0.05}),
        ("relu", {"solver": "adam", "learning_rate_init": 0.01, "beta_1": 0.8, "beta_2": 0.99}),
        ("tanh", {"solver": "adam", "learning_rate_init": 0.01, "epsilon": 1e-3}),
    ],
    ids=str,
)
@pytest.mark.parametrize(
    # A smaller last batch only without alpha: see the docstring.
    ("n", "alpha"),
    [(410, 0.0), (400, 1.0)],
)
def test_the_loss_curve_is_scikit_learns(
    activation: str, rule: dict[str, Any], n: int, alpha: float
) -> None:
    X, y = DIGITS_X[:n], DIGITS_Y[:n]
    ours, theirs = twins(X, y, activation=activation, batch_size=40, alpha=alpha, **rule)
    for model in (ours, theirs):
        model.set_params(max_iter=12, n_iter_no_change=100).fit(X, y)
    # Ours counts the L2 term once an epoch, at its end, and theirs before each step, so that with
    # alpha the sums differ a little; the weights behind the probabilities do not.
    if alpha == 0:
        np.testing.assert_allclose(ours.loss_curve_[1:], theirs.loss_curve_[1:], rtol=0, atol=1e-5)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=0, atol=1e-4)
    np.testing.assert_allclose(ours.loss_, theirs.loss_, rtol=0.02)


def test_partial_fit_on_parts_of_any_size_is_scikit_learns() -> None:
    X, y = DIGITS_X[:400], DIGITS_Y[:400]
    ours, theirs = twins(X, y, learning_rate_init=0.01, alpha=2.0)
    ours.set_params(max_iter=3)  # a changed argument means a fresh optimizer
    del theirs._optimizer
    for start, stop in ((0, 50), (50, 90), (90, 290), (290, 400)) * 3:
        ours.partial_fit(X[start:stop], y[start:stop])
        theirs.partial_fit(X[start:stop], y[start:stop])
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("X", "y", "arguments"),
    [
        (IRIS_X, IRIS_Y, {"max_iter": 300, "learning_rate_init": 0.01}),
        (DIGITS_X, DIGITS_Y, {"max_iter": 40}),
        (DIGITS_X, DIGITS_Y, {"max_iter": 40, "solver": "sgd", "learning_rate_init": 0.05}),
        (DIGITS_X, DIGITS_Y, {"max_iter": 60, "early_stopping": True}),
    ],
)
def test_accuracy_is_within_a_few_points_of_scikit_learns(
    X: Any, y: Any, arguments: dict[str, Any]
) -> None:
    X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=1)
    ours, theirs = (
        kind((50,), random_state=0, **arguments).fit(X_train, y_train).score(X_test, y_test)
        for kind in (MLPClassifier, Theirs)
    )
    assert abs(ours - theirs) < 0.04


@pytest.mark.parametrize("arguments", [{}, {"early_stopping": True}, {"hidden_layer_sizes": ()}])
def test_fitted_attributes_are_scikit_learns(arguments: dict[str, Any]) -> None:
    settings = {"hidden_layer_sizes": (7, 5), "random_state": 0, "max_iter": 4, **arguments}
    ours, theirs = (kind(**settings).fit(DIGITS_X, DIGITS_Y) for kind in (MLPClassifier, Theirs))
    public = {name for name in vars(theirs) if name.endswith("_") and not name.startswith("_")}
    assert all(hasattr(ours, name) for name in public)
    for name in ("n_iter_", "t_", "n_layers_", "n_outputs_", "out_activation_", "n_features_in_"):
        assert getattr(ours, name) == getattr(theirs, name), name
    for name in ("coefs_", "intercepts_"):
        shapes = [[a.shape for a in getattr(model, name)] for model in (ours, theirs)]
        assert shapes[0] == shapes[1]
    for name in ("best_loss_", "validation_scores_", "best_validation_score_"):
        assert (getattr(ours, name) is None) == (getattr(theirs, name) is None), name
    assert ours.loss_ == ours.loss_curve_[-1]
    assert len(ours.loss_curve_) == len(theirs.loss_curve_) == 4


def test_the_weights_say_all_of_a_relu_network() -> None:
    model = quick(hidden_layer_sizes=[9, 8]).fit(IRIS_X, IRIS_Y)
    signal = IRIS_X
    for weights, bias in zip(model.coefs_[:-1], model.intercepts_[:-1], strict=True):
        signal = np.maximum(signal @ weights + bias, 0.0)
    logits = signal @ model.coefs_[-1] + model.intercepts_[-1]
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict_proba(IRIS_X), expected, atol=1e-6)


# When training stops


@pytest.mark.filterwarnings("error::sklearn.exceptions.ConvergenceWarning")
def test_it_warns_only_when_it_did_not_settle() -> None:
    with pytest.warns(ConvergenceWarning, match="training ended at max_iter=3 epochs"):
        quick(max_iter=3).fit(IRIS_X, IRIS_Y)
    model = quick(max_iter=2000, tol=0.01, n_iter_no_change=4).fit(IRIS_X, IRIS_Y)
    assert 5 < model.n_iter_ < 2000
    quick(max_iter=3).partial_fit(IRIS_X, IRIS_Y, [0, 1, 2])  # one epoch is all that was asked for


def test_more_than_n_iter_no_change_idle_epochs_in_a_row_end_it() -> None:
    # No epoch improves by 1e6 but the first, which is measured against infinity.
    model = quick(max_iter=50, tol=1e6, n_iter_no_change=4).fit(IRIS_X, IRIS_Y)
    assert model.n_iter_ == 6
    assert model.best_loss_ == min(model.loss_curve_)
    model = quick(max_iter=20, tol=1e6, n_iter_no_change=math.inf).fit(IRIS_X, IRIS_Y)
    assert model.n_iter_ == 20


@pytest.mark.parametrize("batch_norm", [False, True])
def test_early_stopping_puts_the_best_weights_back(batch_norm: bool) -> None:
    # A rate this high makes the score jump, so that the last epoch is not the best one.
    model = quick(
        early_stopping=True,
        validation_fraction=0.3,
        learning_rate_init=0.1,
        batch_norm=batch_norm,
        max_iter=100,
        n_iter_no_change=5,
    ).fit(DIGITS_X, DIGITS_Y)
    scores = model.validation_scores_
    assert model.best_validation_score_ == max(scores)
    assert scores[-1] < max(scores)
    assert len(scores) == model.n_iter_ < 100
    # The same split again, from the same seed.
    _, X_val, _, y_val = train_test_split(
        DIGITS_X,
        DIGITS_Y,
        test_size=0.3,
        stratify=DIGITS_Y,
        random_state=_after_one_draw(0),
    )
    assert model.score(X_val, y_val) == pytest.approx(max(scores), abs=1e-12)


def _after_one_draw(seed: int) -> np.random.RandomState:
    random = np.random.RandomState(seed)
    random.randint(np.iinfo(np.int32).max)
    return random


def test_early_stopping_says_when_it_cannot_set_samples_aside() -> None:
    with pytest.raises(UsageError, match=r"validation_fraction=0.01 of 150 samples aside: .+"):
        quick(early_stopping=True, validation_fraction=0.01).fit(IRIS_X, IRIS_Y)


def interrupt(monkeypatch: pytest.MonkeyPatch, epoch: int) -> None:
    """Make Ctrl-C arrive while the given epoch trains."""
    train_epoch = hpsearch.nn.Trainer._epoch

    def interrupted(self: hpsearch.nn.Trainer, batches: Any) -> Any:
        if self.epochs_done + 1 == epoch:
            raise KeyboardInterrupt
        return train_epoch(self, batches)

    monkeypatch.setattr(hpsearch.nn.Trainer, "_epoch", interrupted)


@pytest.mark.parametrize("early_stopping", [False, True])
def test_control_c_keeps_what_was_learned(
    monkeypatch: pytest.MonkeyPatch, early_stopping: bool
) -> None:
    arguments = {"early_stopping": early_stopping, "learning_rate_init": 0.01}
    with monkeypatch.context() as patch:
        interrupt(patch, 4)
        with pytest.warns(UserWarning, match="interrupted after 3 epochs"):
            cut = quick(max_iter=100, **arguments).fit(DIGITS_X, DIGITS_Y)
    whole = quick(max_iter=3, **arguments).fit(DIGITS_X, DIGITS_Y)
    assert cut.loss_curve_ == whole.loss_curve_
    np.testing.assert_array_equal(cut.predict_proba(DIGITS_X), whole.predict_proba(DIGITS_X))


def test_verbose_prints_a_line_an_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    quick(max_iter=2).fit(IRIS_X, IRIS_Y)
    assert capsys.readouterr().out == ""
    model = quick(max_iter=2, verbose=True, early_stopping=True).fit(IRIS_X, IRIS_Y)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["epoch 1", "epoch 2"]
    assert f"loss {model.loss_:.6f}" in lines[1]
    assert f"validation accuracy {model.validation_scores_[1]:.4f}" in lines[1]


# Reproduction, going on, copies


@pytest.mark.parametrize("arguments", [{}, {"dropout": 0.3}, {"early_stopping": True}])
def test_the_same_seed_gives_the_same_bits(arguments: dict[str, Any]) -> None:
    a, b = (quick(**arguments).fit(DIGITS_X, DIGITS_Y) for _ in range(2))
    np.testing.assert_array_equal(a.predict_proba(DIGITS_X), b.predict_proba(DIGITS_X))
    assert a.loss_curve_ == b.loss_curve_
    other = quick(random_state=1, **arguments).fit(DIGITS_X, DIGITS_Y)
    assert other.loss_curve_ != a.loss_curve_


def test_a_random_state_is_drawn_from_and_none_gives_other_draws() -> None:
    shared = np.random.RandomState(0)
    for seed in (shared, None):
        a, b = (quick(random_state=seed).fit(IRIS_X, IRIS_Y).loss_ for _ in range(2))
        assert a != b


def test_without_shuffle_the_order_matters_and_stays() -> None:
    kept = [quick(shuffle=False, batch_size=16).fit(X, y).loss_ for X, y in orders()]
    assert kept[0] != kept[1]
    shuffled = quick(batch_size=16).fit(IRIS_X, IRIS_Y)
    assert shuffled.loss_ != kept[0]


def orders() -> list[tuple[Any, Any]]:
    return [(IRIS_X, IRIS_Y), (IRIS_X[::-1], IRIS_Y[::-1])]


def pickled(model: MLPClassifier) -> Any:
    return pickle.loads(pickle.dumps(model))


@pytest.mark.parametrize(
    ("solver", "copied", "shuffle"),
    [
        *(
            (solver, lambda m: pickle.loads(pickle.dumps(m)), True)
            for solver in hpsearch.nn.OPTIMIZERS
        ),
        ("adam", lambda m: pickle.loads(pickle.dumps(m)), False),
        ("adam", copy.deepcopy, True),
    ],
)
def test_a_copy_predicts_the_same_and_goes_on_the_same(
    solver: str, copied: Any, shuffle: bool
) -> None:
    model = quick(
        solver=solver, activation="prelu", batch_norm=True, dropout=0.2, shuffle=shuffle, alpha=0.1
    ).fit(DIGITS_X[:300], DIGITS_Y[:300])
    twin = copied(model)
    for _ in range(2):
        np.testing.assert_array_equal(twin.predict_proba(DIGITS_X), model.predict_proba(DIGITS_X))
        for each in (model, twin):
            each.partial_fit(DIGITS_X[300:500], DIGITS_Y[300:500])
    assert twin.loss_curve_ == model.loss_curve_
    assert not any(np.shares_memory(a, b) for a, b in zip(twin.coefs_, model.coefs_, strict=True))


def test_a_clone_is_not_fitted() -> None:
    model = quick(dropout=0.1).fit(IRIS_X, IRIS_Y)
    assert not hasattr(clone(model), "classes_")
    assert clone(model).get_params() == model.get_params()


@pytest.mark.parametrize("solver", ["sgd", "rmsprop", "adamw"])
def test_partial_fit_learns_from_parts(solver: str) -> None:
    model = quick(solver=solver, learning_rate_init=0.01)
    for _ in range(15):
        for part in np.array_split(np.arange(len(DIGITS_Y)), 10):
            model.partial_fit(DIGITS_X[part], DIGITS_Y[part], classes=np.arange(10))
    assert model.score(DIGITS_X, DIGITS_Y) > 0.7
    assert model.n_iter_ == 1
    assert len(model.loss_curve_) == 150
    assert model.t_ == 15 * len(DIGITS_Y)


def test_partial_fit_goes_on_where_fit_ended() -> None:
    # One epoch of three at once is one epoch after two, but for the shuffle: so without.
    arguments = {"shuffle": False, "schedule": "cosine", "max_iter": 3, "solver": "adam"}
    at_once = quick(**arguments).fit(DIGITS_X, DIGITS_Y)
    parts = quick(**arguments)
    for _ in range(3):
        parts.partial_fit(DIGITS_X, DIGITS_Y, classes=np.arange(10))
    assert parts.loss_curve_ == at_once.loss_curve_
    np.testing.assert_array_equal(parts.predict_proba(DIGITS_X), at_once.predict_proba(DIGITS_X))


@pytest.mark.parametrize(
    ("arguments", "first", "then", "words"),
    [
        ({}, (IRIS_X, IRIS_Y), None, "classes must be given at the first call"),
        ({}, (IRIS_X, IRIS_Y, [0]), None, "one class only, [0]"),
        (
            {},
            (IRIS_X, IRIS_Y, [0, 1]),
            None,
            "; the classes are [0, 1], as given at the first call",
        ),
        ({}, (IRIS_X, IRIS_Y, [0, 1, 2]), (IRIS_X, IRIS_Y, [0, 1, 3]), "now got [0, 1, 3]"),
        ({}, (IRIS_X, IRIS_Y, [0, 1, 2]), (IRIS_X, IRIS_Y + 1), "previously unseen labels"),
        ({}, (IRIS_X, IRIS_Y, [0, 1, 2]), (IRIS_X[:, :2], IRIS_Y), "X has 2 features"),
        ({"early_stopping": True}, (IRIS_X, IRIS_Y, [0, 1, 2]), None, "set early_stopping to"),
    ],
)
def test_partial_fit_refuses_what_does_not_fit(
    arguments: dict[str, Any], first: Any, then: Any, words: str
) -> None:
    model = quick(**arguments)
    if then is not None:
        model.partial_fit(*first)
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        model.partial_fit(*(first if then is None else then))
    assert words in str(caught.value)


def test_warm_start_goes_on_from_the_weights_and_the_curve() -> None:
    model = quick(warm_start=True, max_iter=10, learning_rate_init=0.01).fit(DIGITS_X, DIGITS_Y)
    before = list(model.loss_curve_)
    model.set_params(max_iter=3).fit(DIGITS_X, DIGITS_Y)
    assert model.loss_curve_[:10] == before
    assert model.n_iter_ == 3
    assert max(model.loss_curve_[10:]) < before[4]
    model.set_params(warm_start=False).fit(DIGITS_X, DIGITS_Y)
    assert model.loss_curve_ == before[:3]


def test_warm_start_with_early_stopping_never_loses_the_best() -> None:
    model = quick(warm_start=True, early_stopping=True, max_iter=8, learning_rate_init=0.01)
    model.fit(DIGITS_X, DIGITS_Y)
    best, probabilities = model.best_validation_score_, model.predict_proba(DIGITS_X)
    # Steps this small change the weights, and no prediction with them.
    model.set_params(learning_rate_init=1e-10, max_iter=2).fit(DIGITS_X, DIGITS_Y)
    assert model.best_validation_score_ == best
    np.testing.assert_array_equal(model.predict_proba(DIGITS_X), probabilities)
    assert len(model.validation_scores_) == len(model.loss_curve_) == 10
    model.set_params(early_stopping=False).fit(DIGITS_X, DIGITS_Y)
    assert model.validation_scores_ is None
    assert model.best_loss_ == min(model.loss_curve_[10:])


@pytest.mark.parametrize(
    ("changes", "y", "words"),
    [
        ({"hidden_layer_sizes": (5,)}, IRIS_Y, "hidden_layer_sizes=(5,)"),
        ({"activation": "tanh"}, IRIS_Y, "activation='tanh'"),
        ({}, IRIS_Y % 2, "now got [0, 1]; give the same"),
    ],
)
def test_warm_start_refuses_another_network(changes: dict[str, Any], y: Any, words: str) -> None:
    model = quick(warm_start=True).fit(IRIS_X, IRIS_Y)
    with pytest.raises(UsageError) as caught:
        model.set_params(**changes).fit(IRIS_X, y)
    assert "warm_start goes on with" in str(caught.value)
    assert words in str(caught.value)


def test_changed_arguments_hold_from_the_next_partial_fit_on() -> None:
    model = quick().partial_fit(IRIS_X, IRIS_Y, [0, 1, 2])
    model.set_params(learning_rate_init=1e-10).partial_fit(IRIS_X, IRIS_Y)
    before = [weights.copy() for weights in model.coefs_]
    model.partial_fit(IRIS_X, IRIS_Y)
    for old, new in zip(before, model.coefs_, strict=True):
        np.testing.assert_allclose(old, new, atol=1e-9)
    with pytest.raises(UsageError, match="partial_fit goes on with the network there is"):
        model.set_params(dropout=0.5).partial_fit(IRIS_X, IRIS_Y)


# How much samples and classes count

WEIGHTS = np.random.default_rng(0).integers(0, 4, 150)


@pytest.mark.parametrize("arguments", [{}, {"class_weight": "balanced"}, {"label_smoothing": 0.1}])
def test_a_sample_of_weight_two_is_the_sample_twice(arguments: dict[str, Any]) -> None:
    settings = {"batch_size": 1000, "max_iter": 50, "alpha": 1.0, **arguments}
    weighted = quick(**settings).fit(IRIS_X, IRIS_Y, WEIGHTS)
    repeated = quick(**settings).fit(IRIS_X.repeat(WEIGHTS, axis=0), IRIS_Y.repeat(WEIGHTS))
    np.testing.assert_allclose(
        weighted.predict_proba(IRIS_X), repeated.predict_proba(IRIS_X), atol=1e-5
    )
    np.testing.assert_allclose(weighted.loss_curve_, repeated.loss_curve_, rtol=1e-5)


def test_equal_weights_change_no_bit() -> None:
    plain = quick(early_stopping=True).fit(DIGITS_X, DIGITS_Y)
    same = quick(early_stopping=True).fit(DIGITS_X, DIGITS_Y, np.ones(len(DIGITS_Y)))
    assert same.loss_curve_ == plain.loss_curve_
    assert same.validation_scores_ == plain.validation_scores_
    np.testing.assert_array_equal(same.predict_proba(DIGITS_X), plain.predict_proba(DIGITS_X))


def test_samples_of_weight_zero_are_not_there() -> None:
    kept = np.arange(150) % 3 > 0
    without = quick().fit(IRIS_X[kept], IRIS_Y[kept])
    zero = quick().fit(IRIS_X, IRIS_Y, kept.astype(float))
    assert zero.loss_curve_ == without.loss_curve_
    with pytest.raises(UsageError, match="one class only"):
        quick().fit(IRIS_X, IRIS_Y, IRIS_Y == 1)


def test_partial_fit_takes_weights_too() -> None:
    settings = {"batch_size": 1000}
    weighted, repeated = quick(**settings), quick(**settings)
    for _ in range(20):
        weighted.partial_fit(IRIS_X, IRIS_Y, [0, 1, 2], WEIGHTS)
        repeated.partial_fit(IRIS_X.repeat(WEIGHTS, axis=0), IRIS_Y.repeat(WEIGHTS), [0, 1, 2])
    np.testing.assert_allclose(
        weighted.predict_proba(IRIS_X), repeated.predict_proba(IRIS_X), atol=1e-5
    )


def test_validation_accuracy_counts_the_weights() -> None:
    weights = np.where(IRIS_Y == 0, 1e6, 1.0)  # the class that is easily told apart
    model = quick(early_stopping=True, validation_fraction=0.3, max_iter=50, n_iter_no_change=40)
    assert model.fit(IRIS_X, IRIS_Y, weights).best_validation_score_ > 0.9999


def test_class_weights_are_weights_of_the_samples() -> None:
    by_class = quick(class_weight={"a": 3.0, "c": 0.5}).fit(IRIS_X, np.array(list("abc"))[IRIS_Y])
    by_sample = quick().fit(IRIS_X, IRIS_Y, np.array([3.0, 1.0, 0.5])[IRIS_Y])
    np.testing.assert_allclose(by_class.loss_curve_, by_sample.loss_curve_, rtol=1e-3)
    equal = quick(alpha=0.0, class_weight={0: 2, 1: 2, 2: 2}).fit(IRIS_X, IRIS_Y)
    assert equal.loss_curve_ == quick(alpha=0.0).fit(IRIS_X, IRIS_Y).loss_curve_


def test_balanced_classes_find_the_rare_one() -> None:
    rng = np.random.default_rng(0)
    y = (rng.random(2000) < 0.05).astype(int)
    X = rng.standard_normal((2000, 2)) + y[:, None]

    def recall(class_weight: Any) -> float:
        model = quick(class_weight=class_weight, max_iter=30, learning_rate_init=0.01).fit(X, y)
        return float(model.predict(X[y == 1]).mean())

    assert recall(None) < 0.4 < 0.7 < recall("balanced")
    assert recall({1: 20}) == pytest.approx(recall("balanced"), abs=0.1)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"sample_weight": np.ones(149)}, r"sample_weight has shape \(149,\)"),
        ({"sample_weight": -np.ones(150)}, "at least 0"),
        ({"sample_weight": np.zeros(150)}, "not all zero"),
        ({"sample_weight": np.full(150, np.nan)}, "sample_weight contains NaN"),
    ],
)
def test_weights_that_are_none_are_refused(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        quick().fit(IRIS_X, IRIS_Y, **arguments)


def test_a_class_weight_for_no_class_is_refused() -> None:
    with pytest.raises(UsageError, match=r"names \['setosa'\], and the classes are \[0, 1, 2\]"):
        quick(class_weight={"setosa": 2.0}).fit(IRIS_X, IRIS_Y)
    with pytest.raises(UsageError, match="cannot balance the classes"):
        quick(class_weight="balanced").partial_fit(IRIS_X, IRIS_Y, [0, 1, 2])


# Inputs and labels of all kinds


@pytest.mark.parametrize(
    "kind",
    [
        scipy.sparse.csr_matrix,
        scipy.sparse.csc_array,
        scipy.sparse.coo_array,
        scipy.sparse.lil_matrix,
        np.asfortranarray,
        lambda X: X.astype(np.float32),
        lambda X: X.tolist(),
        pd.DataFrame,
    ],
)
def test_any_container_gives_the_same(kind: Any) -> None:
    dense = quick(early_stopping=True).fit(DIGITS_X, DIGITS_Y)
    given = quick(early_stopping=True).fit(kind(DIGITS_X), DIGITS_Y)
    assert given.loss_curve_ == dense.loss_curve_
    np.testing.assert_array_equal(
        given.predict_proba(kind(DIGITS_X)), dense.predict_proba(DIGITS_X)
    )


def test_a_dataframe_leaves_its_names() -> None:
    frame = load_iris(as_frame=True)
    model = quick().fit(frame.data, frame.target)
    assert model.feature_names_in_.tolist() == frame.data.columns.tolist()
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame.data.rename(columns={frame.data.columns[0]: "other"}))


NAMES = np.array(["setosa", "versicolor", "virginica"])[IRIS_Y]


@pytest.mark.parametrize(
    "y",
    [
        NAMES,
        NAMES.astype(object),
        pd.Series(NAMES),
        pd.Categorical(NAMES),
        NAMES.tolist(),
        IRIS_Y == 1,
        (IRIS_Y == 1).astype(np.uint8),
        IRIS_Y.astype(float) - 1.0,
        IRIS_Y * 1000 - 7,
    ],
    ids=lambda y: f"{type(y).__name__} of {np.asarray(y).dtype}",
)
def test_labels_of_any_type_come_back_as_they_were(y: Any) -> None:
    model = MLPClassifier((20,), learning_rate_init=0.02, random_state=0).fit(IRIS_X, y)
    classes = np.unique(np.asarray(y))
    assert model.classes_.tolist() == classes.tolist()
    assert set(model.predict(IRIS_X)) <= set(classes.tolist())
    assert model.score(IRIS_X, y) > 0.9


def test_a_column_of_labels_is_taken_with_a_warning() -> None:
    with pytest.warns(DataConversionWarning):
        column = quick().fit(IRIS_X, IRIS_Y[:, None])
    assert column.loss_curve_ == quick().fit(IRIS_X, IRIS_Y).loss_curve_


def test_probabilities_are_float64_and_sum_to_one() -> None:
    model = quick(max_iter=30, learning_rate_init=0.1).fit(DIGITS_X, DIGITS_Y)
    p = model.predict_proba(DIGITS_X)
    assert p.dtype == np.float64
    np.testing.assert_allclose(p.sum(axis=1), 1.0, rtol=0, atol=1e-12)
    np.testing.assert_allclose(np.exp(model.predict_log_proba(DIGITS_X)), p, atol=1e-12)
    np.testing.assert_array_equal(model.predict(DIGITS_X), model.classes_[p.argmax(axis=1)])
    # Far away from the data the smallest probability rounds to zero; its logarithm does not.
    far = DIGITS_X[:5] * 1e6
    assert (model.predict_proba(far) == 0).any()
    assert np.isfinite(model.predict_log_proba(far)).all()


# Our own arguments


@pytest.mark.parametrize(
    "arguments",
    [
        *({"activation": name} for name in sorted(hpsearch.nn.ACTIVATIONS)),
        *({"initializer": name} for name in ("xavier", "he", "he-uniform", "small-random")),
        *({"schedule": name, "decay": 0.1} for name in sorted(hpsearch.nn.SCHEDULES)),
        {"dropout": 0.2},
        {"batch_norm": True},
        {"bias": 0.01},
        {"warmup": 3.0},
        {"decay": 0.5, "schedule": "step"},
        {"activation": "maxout", "maxout_pieces": 3},
        {"hidden_layer_sizes": 12},
        {"hidden_layer_sizes": np.array([12, 12])},
        {"hidden_layer_sizes": ()},
        {"batch_size": 50},
        {"batch_size": 10_000, "max_iter": 120},
    ],
    ids=str,
)
def test_each_of_our_arguments_learns(arguments: dict[str, Any]) -> None:
    settings = {"max_iter": 30, "learning_rate_init": 0.01, **arguments}
    model = quick(**settings).fit(DIGITS_X[:600], DIGITS_Y[:600])
    assert model.score(DIGITS_X[600:], DIGITS_Y[600:]) > 0.8


def test_our_arguments_reach_the_network() -> None:
    def coefs(**arguments: Any) -> Any:
        return quick(learning_rate_init=1e-10, max_iter=1, **arguments).fit(IRIS_X, IRIS_Y)

    assert coefs(bias=0.25).intercepts_[0].tolist() == [0.25] * 16
    assert not coefs(initializer="zeros").coefs_[0].any()
    # Uniform up to sqrt(6/(fan_in + fan_out)), as scikit-learn draws.
    limit = math.sqrt(6 / (4 + 16))
    assert 0.9 * limit < np.abs(coefs().coefs_[0]).max() < limit
    assert coefs(activation="maxout", maxout_pieces=3).coefs_[0].shape == (4, 48)


# Inside scikit-learn's machinery


def test_it_works_in_a_pipeline_and_cross_validation() -> None:
    pipeline = make_pipeline(StandardScaler(), quick(max_iter=60, learning_rate_init=0.02))
    assert cross_val_score(pipeline, IRIS_X, IRIS_Y, cv=3).mean() > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_it_works_in_a_grid_search(n_jobs: int) -> None:
    pipeline = make_pipeline(
        StandardScaler(), quick(max_iter=200, tol=0.01, learning_rate_init=0.02)
    )
    grid = {
        "mlpclassifier__hidden_layer_sizes": [(1,), (10,)],
        "mlpclassifier__activation": ["logistic", "leaky-relu"],
    }
    search = GridSearchCV(pipeline, grid, cv=3, n_jobs=n_jobs).fit(IRIS_X, IRIS_Y)
    assert search.best_params_["mlpclassifier__hidden_layer_sizes"] == (10,)
    assert search.best_score_ > 0.9


def test_an_unknown_name_is_also_a_value_error() -> None:
    with pytest.raises(ValueError, match="unknown activation") as caught:
        quick(activation="sine").fit(IRIS_X, IRIS_Y)
    assert isinstance(caught.value, UnknownNameError)
