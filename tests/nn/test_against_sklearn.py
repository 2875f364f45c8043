"""The same weights and the same batches give scikit-learn's MLPClassifier, step for step."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from hpsearch.nn import Network, NetworkConfig, TrainingConfig, train

EPOCHS, FEATURES, CLASSES, HIDDEN = 12, 6, 3, (10, 7)
ACTIVATIONS = {"relu": "relu", "tanh": "tanh", "sigmoid": "logistic"}


class InOrder(np.random.Generator):
    """A generator that leaves the order as it is, so that both see the same batches."""

    def shuffle(self, x: Any, axis: int = 0) -> None:
        pass


def data(n: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, FEATURES))
    return X, np.arange(n) % CLASSES


def of_sklearn(X: np.ndarray, y: np.ndarray, **settings: Any) -> tuple[MLPClassifier, np.ndarray]:
    """A fitted MLPClassifier and the weights that it began with, as our flat vector."""
    options = {
        "hidden_layer_sizes": HIDDEN,
        "shuffle": False,
        "tol": 0.0,
        "n_iter_no_change": EPOCHS + 1,
        "random_state": 0,
        **settings,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        # A rate this small leaves the initial weights as they are.
        still = MLPClassifier(**{**options, "learning_rate_init": 1e-300, "max_iter": 1}).fit(X, y)
        fitted = MLPClassifier(**options, max_iter=EPOCHS).fit(X, y)
    start = np.concatenate(
        [
            np.concatenate([w.ravel(), b])
            for w, b in zip(still.coefs_, still.intercepts_, strict=True)
        ]
    )
    return fitted, start


@pytest.mark.parametrize("activation", list(ACTIVATIONS))
@pytest.mark.parametrize(("n", "batch"), [(60, 60), (60, 20), (67, 20)], ids=str)
@pytest.mark.parametrize("l2", [0.0, 0.01])
@pytest.mark.parametrize(
    ("optimizer", "solver"),
    [
        ("momentum", {"solver": "sgd", "momentum": 0.9, "nesterovs_momentum": False}),
        ("nesterov", {"solver": "sgd", "momentum": 0.9, "nesterovs_momentum": True}),
        ("adam", {"solver": "adam"}),
    ],
)
def test_loss_curve_and_weights(
    optimizer: str, solver: dict[str, Any], l2: float, n: int, batch: int, activation: str
) -> None:
    X, y = data(n)
    rate = 0.02
    # scikit-learn divides alpha by the size of the batch, ours does not.
    alpha = l2 * batch
    fitted, start = of_sklearn(
        X,
        y,
        activation=ACTIVATIONS[activation],
        alpha=alpha,
        batch_size=batch,
        learning_rate_init=rate,
        **solver,
    )
    network = Network(
        FEATURES,
        CLASSES,
        NetworkConfig(HIDDEN, activation=activation),
        rng=np.random.default_rng(0),
        dtype=np.float64,
    )
    network.load_state({"parameters": start, "statistics": network.statistics})
    config = TrainingConfig(
        optimizer=optimizer,
        learning_rate=rate,
        schedule="constant",
        l2=l2,
        batch_size=batch,
        epochs=EPOCHS,
    )
    result = train(network, X, y, config, rng=InOrder(np.random.PCG64(0)))
    ours = np.array([record.train_loss for record in result.curve])
    theirs = np.array(fitted.loss_curve_)
    if l2 and n % batch:
        # In the tail its penalty is alpha over fewer samples, so that the two part a little.
        np.testing.assert_allclose(ours, theirs, rtol=0.05)
        return
    if l2:
        # Its curve takes the L2 term before each step, ours after the epoch: compare the weights.
        np.testing.assert_allclose(ours, theirs, rtol=0.05)
    else:
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)
    for layer, w, b in zip(network.layers, fitted.coefs_, fitted.intercepts_, strict=True):
        np.testing.assert_allclose(layer.weights, w, atol=1e-5)
        np.testing.assert_allclose(layer.bias, b, atol=1e-5)
    np.testing.assert_allclose(network.predict_proba(X), fitted.predict_proba(X), atol=1e-5)
