"""The losses of numbers, and whole networks that learn by any loss."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gradient_check import assert_same_gradient, numeric_gradient
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import minimize_scalar

from hpsearch.nn import LOSSES, Network, NetworkConfig, TrainingConfig, train
from hpsearch.nn.losses import AbsoluteError, Huber, SquaredError

TARGETS, SAMPLES = 3, 5
NUMBERS = ["squared-error", "absolute-error", "huber"]
PLAIN = {
    "squared-error": lambda r: r**2 / 2,
    "absolute-error": abs,
    "huber": lambda r: r**2 / 2 if abs(r) <= 1 else abs(r) - 1 / 2,
}


def evaluate(
    name: str, outputs: np.ndarray, targets: np.ndarray, weights: np.ndarray | None, scale: float
) -> tuple[float, np.ndarray]:
    """The summed loss and the gradient of the step's form."""
    gradient = np.empty_like(outputs)
    loss = LOSSES[name](outputs, gradient)
    samples = outputs.shape[1]
    scratch = loss.scratch(1, samples, outputs.dtype, weighted=weights is not None)
    if weights is not None:
        scratch.weights[:] = weights
    loss.forward(targets, scratch.of(0, samples))
    loss.backward(np.array(scale, outputs.dtype))
    return scratch.total(1, samples), gradient


def targets_of(name: str, rng: np.random.Generator) -> np.ndarray:
    if name == "cross-entropy":  # smoothed
        return 0.1 / TARGETS + 0.9 * np.eye(TARGETS)[:, rng.integers(0, TARGETS, SAMPLES)]
    return rng.standard_normal((TARGETS, SAMPLES))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", LOSSES)
def test_gradient(name: str, weighted: bool) -> None:
    rng = np.random.default_rng(0)
    outputs, targets = 2 * rng.standard_normal((TARGETS, SAMPLES)), targets_of(name, rng)
    weights = rng.uniform(0, 3, SAMPLES) if weighted else None
    numeric = numeric_gradient(lambda: evaluate(name, outputs, targets, weights, 1.0)[0], outputs)
    assert_same_gradient(evaluate(name, outputs, targets, weights, 1.0)[1], numeric)
    assert_same_gradient(evaluate(name, outputs, targets, weights, 0.3)[1], 0.3 * numeric)


@pytest.mark.parametrize("name", NUMBERS)
@given(
    arrays(np.float64, (TARGETS, SAMPLES), elements=st.floats(-1e4, 1e4)),
    arrays(np.float64, SAMPLES, elements=st.floats(0, 10)),
)
def test_the_loss_is_its_formula(name: str, outputs: np.ndarray, weights: np.ndarray) -> None:
    targets = np.zeros_like(outputs)
    losses = np.array([[PLAIN[name](r) for r in row] for row in outputs]).sum(axis=0)
    close = {"rel": 1e-9, "abs": 1e-9}
    assert evaluate(name, outputs, targets, None, 1.0)[0] == pytest.approx(losses.sum(), **close)
    weighted, _ = evaluate(name, outputs, targets, weights, 1.0)
    assert weighted == pytest.approx(losses @ weights, **close)
    assert LOSSES[name].mean(outputs.T, targets.T) == pytest.approx(losses.mean(), **close)
    np.testing.assert_allclose(LOSSES[name].outlying(outputs.T), losses)


@pytest.mark.parametrize("name", NUMBERS)
def test_chance_is_what_the_mean_of_standardized_normal_targets_costs(name: str) -> None:
    targets = np.random.default_rng(0).standard_normal((200_000, 2))
    loss = LOSSES[name]
    assert loss.chance(2) == pytest.approx(loss.mean(np.zeros_like(targets), targets), rel=0.01)


@pytest.mark.parametrize("name", NUMBERS)
def test_guessing_is_what_the_best_constant_costs(name: str) -> None:
    targets = np.random.default_rng(0).exponential(2, (301, 1))
    loss = LOSSES[name]
    best = minimize_scalar(lambda c: loss.mean(np.full_like(targets, c), targets)).fun
    assert loss.guessing(targets) == pytest.approx(best, rel=1e-6)
    assert loss.guessing(np.ones((4, 2))) == pytest.approx(0, abs=1e-12)


def test_huber_lies_between_the_two_others() -> None:
    near, far = np.array([[0.5, -1.0]]), np.array([[3.0, -40.0]])
    nothing = np.zeros((1, 2))
    assert Huber.mean(near, nothing) == SquaredError.mean(near, nothing)
    assert Huber.mean(far, nothing) == AbsoluteError.mean(far, nothing) - 2 * 0.5


# Whole networks


def made(name: str, outputs: int, dtype: type = np.float64, **model: Any) -> Network:
    config = NetworkConfig((7, 6), "tanh", "xavier", loss=name, **model)
    return Network(4, outputs, config, rng=np.random.default_rng(0), dtype=dtype)


def data(name: str, n: int, outputs: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 4))
    if name == "cross-entropy":
        return X, rng.integers(0, outputs, n)
    y = np.stack([np.sin(X[:, k] + k) + X[:, 3] for k in range(outputs)], axis=1)
    return X, (y - y.mean(axis=0)) / y.std(axis=0)


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_of_a_network(name: str) -> None:
    (X, y), network = data(name, 9, 3), made(name, 3)
    weights = np.random.default_rng(1).uniform(0, 2, 9)
    options: dict[str, Any] = {"l2": 0.1, "weights": weights}
    numeric = numeric_gradient(
        lambda: network.loss_and_gradients(X, y, **options)[0], network.parameters
    )
    assert_same_gradient(network.loss_and_gradients(X, y, **options)[1], numeric)


@settings(deadline=None, max_examples=30)
@given(
    name=st.sampled_from(list(LOSSES)),
    weights=arrays(np.int64, 8, elements=st.integers(0, 3)).filter(np.any),
    seed=st.integers(0, 99),
)
def test_a_row_of_weight_two_is_the_row_twice(name: str, weights: np.ndarray, seed: int) -> None:
    """And one of weight 0 is none: in the loss and its gradient, and after steps on all rows."""
    X, y = data(name, 8, 3, seed)
    repeated = X.repeat(weights, axis=0), y.repeat(weights, axis=0)
    a, b = made(name, 3), made(name, 3)
    loss, gradient = a.loss_and_gradients(X, y, weights=weights)
    again, same = b.loss_and_gradients(*repeated)
    assert loss == pytest.approx(again, rel=1e-12)
    np.testing.assert_allclose(gradient, same, atol=1e-12)
    config = TrainingConfig(
        learning_rate=0.1, l2=0.01, epochs=5, batch_size=100, label_smoothing=0.2, divergence=1e9
    )
    rng = np.random.default_rng(0)
    one = train(a, X, y, config, rng=rng, sample_weight=weights)
    two = train(b, *repeated, config, rng=rng)
    np.testing.assert_allclose(a.parameters, b.parameters, atol=1e-10)
    np.testing.assert_allclose(
        [r.train_loss for r in one.curve], [r.train_loss for r in two.curve], rtol=1e-10
    )


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("batch_size", [7, 64, 1000])
def test_numbers_are_learned(name: str, batch_size: int) -> None:
    X, y = (a.astype(np.float32) for a in data(name, 300, 2))
    network = made(name, 2, np.float32)
    config = TrainingConfig("adam", 0.02, batch_size=batch_size, epochs=100)
    result = train(
        network, X, y, config, rng=np.random.default_rng(0), validation=(X, y), trace=True
    )
    last = result.curve[-1]
    assert result.why_stopped == "finished"
    assert last.train_loss < 0.5 * network.loss.chance(2)
    assert (last.validation_score or 0) > 0.8
    assert result.trace is not None
    assert result.trace.train_score > 0.8


def test_an_epoch_s_loss_is_the_mean_over_all_rows_whatever_the_batches() -> None:
    X, y = data("squared-error", 103, 2)
    weights = np.random.default_rng(1).uniform(0, 2, 103)
    losses = []
    for batch_size in (10, 103):
        config = TrainingConfig("sgd", 1e-10, batch_size=batch_size, epochs=1)
        result = train(
            made("squared-error", 2),
            X,
            y,
            config,
            rng=np.random.default_rng(0),
            sample_weight=weights,
        )
        losses.append(result.curve[0].train_loss)
    network = made("squared-error", 2)
    assert losses == pytest.approx([network.loss_and_gradients(X, y, weights=weights)[0]] * 2)


@pytest.mark.parametrize("weight", [None, 1e6])
def test_an_outlier_is_no_divergence_and_an_explosion_is(weight: float | None) -> None:
    X, y = (a.astype(np.float32) for a in data("squared-error", 2000, 1))
    y[7] = 300.0  # alone some ten times the loss of all others
    weights = None if weight is None else np.where(np.arange(2000) == 3, weight, 1.0)
    for rate, ends in ((1e-6, ("finished",)), (1e3, ("diverged", "not finite"))):
        config = TrainingConfig("sgd", rate, epochs=3)
        result = train(
            made("squared-error", 1, np.float32),
            X,
            y,
            config,
            rng=np.random.default_rng(0),
            sample_weight=weights,
        )
        assert result.why_stopped in ends


@pytest.mark.parametrize(
    ("targets", "words"),
    [
        (np.zeros(8), "targets have shape"),
        (np.zeros((8, 3)), "give numbers"),
        (np.full((8, 2), np.nan), "finite numbers"),
        (np.full((8, 2), "a"), "finite numbers"),
        (np.zeros((7, 2)), "as many targets"),
    ],
)
def test_targets_that_are_none_are_refused(targets: np.ndarray, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        train(
            made("huber", 2),
            np.zeros((8, 4)),
            targets,
            TrainingConfig(),
            rng=np.random.default_rng(0),
        )


def test_one_output_is_enough_for_a_number_and_not_for_classes() -> None:
    made("huber", 1)
    with pytest.raises(ValueError, match="for cross-entropy, 2 or more outputs"):
        made("cross-entropy", 1)
