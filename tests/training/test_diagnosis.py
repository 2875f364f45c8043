"""Planted faults are named, and healthy trainings are not called faulty."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import make_classification, make_moons

from hpsearch.data import Preprocessor, make_splits
from hpsearch.data.load import load_dataset
from hpsearch.errors import DataError, UsageError
from hpsearch.nn import Network, TrainingResult, train
from hpsearch.training.diagnosis import ADVICE, Finding, diagnose
from hpsearch.training.specification import TrainingSpecification

pytestmark = pytest.mark.slow

GOOD: dict[str, Any] = {"learning_rate": 0.05, "epochs": 30}


@cache
def divided(
    name: str, limit: int | None, shuffled: bool, preprocessing: str, scale: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, int]:
    """Training and validation part, and the number of classes."""
    try:
        data = load_dataset(name, limit=4000 if name == "fashion-mnist" else None)
    except DataError as missing:
        pytest.skip(str(missing))
    split = make_splits(data.y, test=0.2, validation=0.2, folds=1, seed=0)[0]
    y = np.random.default_rng(1).permutation(data.y) if shuffled else data.y
    rows = split.train[:limit]
    fitted = Preprocessor.fit(data.X[rows] * scale, preprocessing)
    return (
        fitted.transform(data.X[rows] * scale),
        y[rows],
        fitted.transform(data.X[split.validation] * scale),
        y[split.validation],
        len(data.classes),
    )


def trained(
    name: str,
    configuration: dict[str, Any],
    *,
    limit: int | None = None,
    shuffled: bool = False,
    preprocessing: str = "standardize",
    scale: float = 1.0,
    seed: int = 0,
) -> tuple[TrainingResult, tuple[Finding, ...]]:
    parts = divided(name, limit, shuffled, preprocessing, scale)
    return trained_on(parts, configuration, seed)


def trained_on(
    parts: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, int],
    configuration: dict[str, Any],
    seed: int = 0,
) -> tuple[TrainingResult, tuple[Finding, ...]]:
    X, y, X_validation, y_validation, classes = parts
    settings = dict(configuration)
    spec = TrainingSpecification.of(settings, epochs=settings.pop("epochs", 20))
    rng = np.random.default_rng(seed)
    network = Network(X.shape[1], classes, spec.network, rng=rng)
    result = train(
        network,
        X,
        y,
        spec.training,
        rng=rng,
        validation=(X_validation, y_validation),
        trace=True,
    )
    kept = -1 if spec.training.patience is None else result.best_epoch - 1
    found = diagnose(
        result,
        spec.network,
        spec.training,
        y=y,
        n_outputs=classes,
        n_validation=len(y_validation),
        right=result.curve[kept].validation_score if result.curve else None,
    )
    return result, found


FAULTS: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
    # What is named, the data, the configuration, and what was done to the data.
    ("learning rate too high", "digits", {"learning_rate": 50.0}, {}),
    ("learning rate too high", "digits", {"learning_rate": 3.0, "optimizer": "adam"}, {}),
    ("learning rate too high", "wine", {"learning_rate": 50.0, "activation": "tanh"}, {}),
    ("learning rate too high", "digits", {"learning_rate": 0.32}, {}),  # units die on the way
    ("learning rate too low", "digits", {"learning_rate": 5e-5}, {}),
    ("learning rate too low", "wine", {"learning_rate": 5e-5}, {}),
    ("learning rate too low", "breast_cancer", {"learning_rate": 3e-6, "optimizer": "adam"}, {}),
    ("learning rate too low", "fashion-mnist", {"learning_rate": 1e-5, "epochs": 5}, {}),
    ("vanishing gradients", "digits", {**GOOD, "initializer": "zeros"}, {}),
    ("vanishing gradients", "wine", {**GOOD, "initializer": "zeros", "activation": "tanh"}, {}),
    ("exploding gradients", "digits", {**GOOD, "initializer": "large-random"}, {}),
    ("saturation", "digits", {**GOOD, "initializer": "large-random", "activation": "tanh"}, {}),
    (
        "vanishing gradients",
        "digits",
        {**GOOD, "activation": "sigmoid", "depth": 6, "initializer": "xavier"},
        {},
    ),
    ("vanishing gradients", "iris", {**GOOD, "activation": "sigmoid", "depth": 6}, {}),
    (
        "vanishing gradients",
        "digits",
        {**GOOD, "activation": "tanh", "depth": 6, "initializer": "small-random"},
        {},
    ),
    ("overfitting", "digits", {**GOOD, "epochs": 60, "width": 128}, {"shuffled": True}),
    ("overfitting", "wine", {**GOOD, "epochs": 100}, {"shuffled": True}),
    ("overfitting", "digits", {**GOOD, "epochs": 60, "width": 512}, {"limit": 40}),
    ("overfitting", "fashion-mnist", {**GOOD, "epochs": 60, "width": 512}, {"limit": 60}),
    ("underfitting", "digits", {**GOOD, "width": 1}, {}),
    ("underfitting", "digits", {**GOOD, "width": 1, "activation": "tanh"}, {}),
    ("l2 too high", "digits", {**GOOD, "l2": 3.0}, {}),
    ("l2 too high", "wine", {**GOOD, "l2": 3.0}, {}),
    (
        "l2 too high",
        "digits",
        {"optimizer": "adamw", "learning_rate": 3e-3, "epochs": 40, "l2": 300.0},
        {},
    ),
    (
        "inputs not scaled",
        "fashion-mnist",
        {**GOOD, "epochs": 5},
        {"preprocessing": "none", "scale": 255.0},
    ),
    ("inputs not scaled", "digits", GOOD, {"preprocessing": "none", "scale": 255 / 16}),
    (
        "inputs not scaled",
        "digits",
        {"optimizer": "adam", "learning_rate": 3e-3, "epochs": 10},
        {"preprocessing": "none", "scale": 255 / 16},
    ),
    (
        "inputs not scaled",
        "digits",
        {**GOOD, "activation": "tanh"},
        {"preprocessing": "none", "scale": 255 / 16},
    ),
    ("underfitting", "digits", {**GOOD, "dropout": 0.9, "learning_rate": 0.003}, {}),
    ("dead ReLUs", "digits", {**GOOD, "bias": -10.0}, {}),
    ("dead ReLUs", "breast_cancer", {**GOOD, "bias": -10.0}, {}),
    (
        "stopped too early",
        "digits",
        {"learning_rate": 1e-4, "optimizer": "sgd", "epochs": 60, "patience": 1},
        {},
    ),
]


@pytest.mark.parametrize(
    ("named", "data", "configuration", "done"),
    FAULTS,
    ids=[f"{fault[0]}: {fault[1]} {i}" for i, fault in enumerate(FAULTS)],
)
def test_a_planted_fault_is_named(
    named: str, data: str, configuration: dict[str, Any], done: dict[str, Any]
) -> None:
    _, found = trained(data, configuration, **done)
    assert named in {finding.name for finding in found if finding.fault}, found


HEALTHY: list[dict[str, Any]] = [
    GOOD,
    {"optimizer": "adam", "learning_rate": 3e-3, "epochs": 30},
    {
        "activation": "tanh",
        "initializer": "xavier",
        "optimizer": "sgd",
        "learning_rate": 0.3,
        "epochs": 40,
    },
    {"batch_norm": True, "depth": 3, "width": 32, "batch_size": 32, "learning_rate": 0.05},
    {**GOOD, "dropout": 0.2, "width": 100},
    {"activation": "elu", "learning_rate": 0.03, "epochs": 30, "l2": 1e-3},
    {
        "activation": "sigmoid",
        "initializer": "xavier",
        "depth": 1,
        "optimizer": "adam",
        "learning_rate": 0.02,
        "epochs": 40,
    },
    {"activation": "maxout", "learning_rate": 0.02, "epochs": 30},
    {
        "activation": "leaky-relu",
        "optimizer": "rmsprop",
        "learning_rate": 2e-3,
        "depth": 4,
        "width": 32,
        "epochs": 40,
    },
    {**GOOD, "weight_averaging": 0.9},
    {"depth": 0, "learning_rate": 0.1, "epochs": 30},
    {**GOOD, "patience": 5, "epochs": 100},
    {"optimizer": "adam", "learning_rate": 3e-3, "patience": 2, "epochs": 100},
]


DATA = ["digits", "iris", "wine", "breast_cancer"]
KINDS = ["moons", "mislabelled", "one class"]


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("number", range(len(HEALTHY)))
def test_a_healthy_training_is_not_called_faulty(number: int, seed: int) -> None:
    """Each on two sets of data: all pairs of them take turns."""
    data = DATA[(number + seed * (1 + number // 4 % 3)) % 4]
    result, found = trained(data, HEALTHY[number], seed=seed)
    assert [finding for finding in found if finding.fault] == []
    assert (result.curve[-1].validation_score or 0) > 0.8, "it was to be a healthy one"


@pytest.mark.parametrize(
    ("data", "configuration", "done"),
    [
        ("fashion-mnist", {"learning_rate": 0.02, "epochs": 10, "width": 128}, {}),
        ("fashion-mnist", {"optimizer": "adam", "learning_rate": 1e-3, "epochs": 10}, {}),
        ("digits", {"learning_rate": 0.1}, {"preprocessing": "none", "scale": 1 / 16}),
        ("digits", {"learning_rate": 0.03}, {"preprocessing": "pca"}),
        ("digits", {"learning_rate": 0.03}, {"preprocessing": "whiten"}),
        ("breast_cancer", {"batch_norm": True}, {"preprocessing": "none"}),
    ],
)
def test_nor_is_one_on_other_data(
    data: str, configuration: dict[str, Any], done: dict[str, Any]
) -> None:
    _, found = trained(data, configuration, **done)
    assert [finding for finding in found if finding.fault] == []


@cache
def made_up(kind: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, int]:
    """Data that cannot be learned to the end: overlapping, mislabelled, or of one class mostly."""
    if kind == "moons":
        X, y = make_moons(600, noise=0.4, random_state=0)
    elif kind == "mislabelled":
        X, y = make_classification(
            800, 20, n_informative=8, n_classes=4, flip_y=0.3, random_state=0
        )
    else:
        X, y = make_classification(1000, 20, n_informative=8, weights=[0.95], random_state=0)
    X = ((X - X.mean(axis=0)) / X.std(axis=0)).astype(np.float32)
    order = np.random.default_rng(1).permutation(len(y))
    first, last = order[: 3 * len(y) // 4], order[3 * len(y) // 4 :]
    return X[first], y[first], X[last], y[last], int(y.max()) + 1


@pytest.mark.parametrize("number", range(len(HEALTHY)))
def test_noise_in_the_labels_is_no_fault_of_the_training(number: int) -> None:
    _, found = trained_on(made_up(KINDS[number % 3]), HEALTHY[number])
    linear = HEALTHY[number].get("depth") == 0
    allowed = {"overfitting", "underfitting"} if linear else {"overfitting"}
    assert {finding.name for finding in found if finding.fault} <= allowed, found


@pytest.mark.parametrize(
    ("named", "configuration"),
    [
        ("vanishing gradients", {**GOOD, "activation": "sigmoid", "depth": 6}),
        ("vanishing gradients", {**GOOD, "initializer": "zeros"}),
        ("l2 too high", {**GOOD, "l2": 3.0}),
        ("learning rate too high", {"learning_rate": 50.0}),
    ],
)
def test_faults_are_named_where_one_class_is_frequent(
    named: str, configuration: dict[str, Any]
) -> None:
    _, found = trained_on(made_up("one class"), configuration)
    assert named in {finding.name for finding in found if finding.fault}, found


def test_rates_go_from_too_low_through_healthy_to_too_high() -> None:
    said = []
    for rate in np.geomspace(1e-5, 100, 15):
        _, found = trained("digits", {"learning_rate": float(rate)})
        faults = {finding.name for finding in found if finding.fault}
        low, high = "learning rate too low" in faults, "learning rate too high" in faults
        assert not (low and high)
        said.append("low" if low else "high" if high else "other" if faults else "healthy")
    order = [word for i, word in enumerate(said) if i == 0 or word != said[i - 1]]
    assert order == ["low", "healthy", "high"]


def test_hints_are_no_faults() -> None:
    _, found = trained("wine", {"learning_rate": 1e-3})
    assert [(finding.name, finding.fault) for finding in found] == [("still improving", False)]
    settled = {"depth": 0, "l2": 0.1, "schedule": "constant", "learning_rate": 0.1, "epochs": 100}
    _, found = trained("iris", settled | {"batch_size": 200})
    assert [(finding.name, finding.fault) for finding in found] == [("plateau", False)]


def test_everything_that_is_found_has_an_advice() -> None:
    assert {fault[0] for fault in FAULTS} | {"plateau", "still improving"} == set(ADVICE)


def test_a_training_must_have_been_traced() -> None:
    X, y, *_, classes = divided("iris", None, False, "standardize", 1.0)
    spec = TrainingSpecification.of({}, epochs=1)
    rng = np.random.default_rng(0)
    network = Network(X.shape[1], classes, spec.network, rng=rng)
    result = train(network, X, y, spec.training, rng=rng)
    with pytest.raises(ValueError, match="trace=True"):
        diagnose(
            result,
            spec.network,
            spec.training,
            y=np.array([0, 1]),
            n_outputs=2,
            n_validation=10,
            right=None,
        )


def test_batch_normalization_of_single_samples_is_refused() -> None:
    with pytest.raises(UsageError, match="needs two samples or more"):
        trained("iris", {"batch_norm": True, "batch_size": 1})


def numbers(
    n: int = 600, noise: float = 0.3, *, scale: float = 1.0, shuffled: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Inputs, and a standardized target that is no linear function of them."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, 6))
    y = X[:, 0] + np.sin(2 * X[:, 1]) + X[:, 2] * X[:, 3] + noise * rng.standard_normal(n)
    y = rng.permutation(y) if shuffled else y
    return (scale * X).astype(np.float32), ((y - y.mean()) / y.std())[:, None].astype(np.float32)


ADAM: dict[str, Any] = {"optimizer": "adam", "learning_rate": 0.005, "epochs": 40}


@pytest.mark.parametrize("loss", ["squared-error", "absolute-error", "huber"])
@pytest.mark.parametrize(
    ("named", "configuration", "data"),
    [
        ("learning rate too high", {"learning_rate": 50.0}, {}),
        ("learning rate too low", {"learning_rate": 1e-6}, {}),
        ("vanishing gradients", {**GOOD, "initializer": "zeros"}, {}),
        ("exploding gradients", {**GOOD, "initializer": "large-random"}, {}),
        ("inputs not scaled", GOOD, {"scale": 1000.0}),
        ("overfitting", {**ADAM, "width": 256, "epochs": 60}, {"shuffled": True}),
        (None, ADAM, {}),
        (None, {**ADAM, "width": 8, "epochs": 15}, {"noise": 1.5}),
    ],
)
def test_a_training_on_numbers_is_diagnosed_too(
    loss: str, named: str | None, configuration: dict[str, Any], data: dict[str, Any]
) -> None:
    X, y = numbers(**data)
    settings = {"loss": loss, **configuration}
    spec = TrainingSpecification.of(settings, epochs=settings.pop("epochs", 20))
    rng = np.random.default_rng(1)
    network = Network(6, 1, spec.network, rng=rng)
    result = train(
        network, X[:400], y[:400], spec.training, rng=rng, validation=(X[400:], y[400:]), trace=True
    )
    found = diagnose(
        result,
        spec.network,
        spec.training,
        y=y[:400],
        n_outputs=1,
        n_validation=200,
        right=None if result.diverged else result.curve[-1].validation_score,
    )
    faults = [finding.name for finding in found if finding.fault]
    assert (faults == []) if named is None else (named in faults), found
    assert not any("right" in finding.evidence for finding in found)
