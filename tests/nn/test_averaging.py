"""The running average of the weights: what it is, who sees it, and what it is good for."""

from __future__ import annotations

import math
import pickle
import tracemalloc
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

from hpsearch import MLPClassifier
from hpsearch.nn import EpochRecord, Network, NetworkConfig, Trainer, TrainingConfig, train
from hpsearch.nn.losses import SoftmaxCrossEntropy

FEATURES, CLASSES = 4, 3
RNG = np.random.default_rng(5)
X, Y = RNG.standard_normal((90, FEATURES)).astype(np.float32), RNG.integers(0, CLASSES, 90)


def trainer(
    decay: float,
    *,
    dtype: type = np.float32,
    model: dict[str, Any] | None = None,
    **settings: Any,
) -> Trainer:
    rng = np.random.default_rng(0)
    config = NetworkConfig((6,), **(model or {}))
    network = Network(FEATURES, CLASSES, config, rng=rng, dtype=dtype)
    settings = {"learning_rate": 0.1, "batch_size": 32, "epochs": 4} | settings
    return Trainer(network, TrainingConfig(weight_averaging=decay, **settings), rng=rng)


def watched(trainer: Trainer) -> list[np.ndarray]:
    """A list that grows with the raw parameters after each step."""
    steps: list[np.ndarray] = []
    step = trainer.optimizer.step

    def noted(rate: float) -> None:
        step(rate)
        steps.append(trainer.network.parameters.copy())

    trainer.optimizer.step = noted  # type: ignore[method-assign]
    return steps


@pytest.mark.parametrize("model", [{}, {"batch_norm": True, "dropout": 0.2}], ids=["", "norm"])
def test_a_decay_next_to_zero_is_the_plain_trainer(model: dict[str, Any]) -> None:
    """Off there is no average at all; with d = 1e-40, zero in float32, it is the last weights."""
    off, least = trainer(0.0, model=model), trainer(1e-40, model=model)
    assert off.average is None
    results = [each.run(X, Y, validation=(X, Y)) for each in (off, least)]
    assert results[0] == results[1]
    for name, value in off.network.state().items():
        np.testing.assert_array_equal(least.network.state()[name], value)


@pytest.mark.parametrize("decay", [0.05, 0.5, 0.9])
def test_it_is_the_average_of_the_weights_after_each_step(decay: float) -> None:
    """By hand: a product of decays as the weight of every step, the first weights' included."""
    averaged = trainer(decay, dtype=np.float64)
    first, steps = averaged.network.parameters.copy(), watched(averaged)
    averaged.run(X, Y)
    decays = np.array([min(decay, (1 + t) / (10 + t)) for t in range(len(steps))])
    shares = [(1 - decays[t]) * decays[t + 1 :].prod() for t in range(len(steps))]
    assert decays.prod() + sum(shares) == pytest.approx(1.0)
    expected = decays.prod() * first + np.tensordot(shares, steps, 1)
    np.testing.assert_allclose(averaged.network.parameters, expected, rtol=1e-12)
    assert not np.allclose(expected, steps[-1])


def test_the_raw_weights_are_trained_as_without_it() -> None:
    """The same steps, through all epochs and through a second run, in another place."""
    plain, averaged = (trainer(decay, epochs=6) for decay in (0.0, 0.9))
    expected, found = watched(plain), watched(averaged)
    losses = [
        [r.train_loss for epochs in (4, 2) for r in each.run(X, Y, epochs=epochs).curve]
        for each in (plain, averaged)
    ]
    np.testing.assert_array_equal(found, expected)
    assert losses[0] == losses[1]


def test_two_runs_are_one() -> None:
    """The average goes on too: with all samples in a batch, two runs of three are one of six."""
    states = []
    for parts in ((6,), (3, 3)):
        averaged = trainer(0.8, dtype=np.float64, epochs=6, batch_size=len(X))
        for epochs in parts:
            averaged.run(X, Y, epochs=epochs)
        states.append(averaged.network.parameters)
    np.testing.assert_allclose(*states, rtol=1e-9)


def test_scores_callbacks_and_the_best_epoch_are_of_the_average() -> None:
    averaged = trainer(0.9, patience=3, epochs=60, learning_rate=0.3, schedule="constant")
    network, states = averaged.network, []
    raw = watched(averaged)

    def look(record: EpochRecord) -> None:
        logits = network.predict_outputs(X)
        assert record.validation_loss == SoftmaxCrossEntropy.mean(logits, Y)
        assert not np.array_equal(network.parameters, raw[-1])
        states.append(network.parameters.copy())

    # Labels without any rule, scored on rows that were not trained: it soon gets worse.
    result = averaged.run(X[:30], Y[:30], validation=(X, Y), on_epoch=look)
    assert result.why_stopped == "early stopping"
    np.testing.assert_array_equal(network.parameters, states[result.best_epoch - 1])


def test_an_interrupted_training_leaves_the_average() -> None:
    averaged = trainer(0.9)
    step, done = averaged.optimizer.step, 0

    def interrupted(rate: float) -> None:
        nonlocal done
        done += 1
        if done == 8:
            raise KeyboardInterrupt
        step(rate)

    averaged.optimizer.step = interrupted  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        averaged.run(X, Y)
    assert averaged.average is not None
    assert averaged.average.steps == 7
    np.testing.assert_array_equal(averaged.average.others[0], _nth_step(7))
    assert not np.allclose(averaged.network.parameters, _nth_step(7), rtol=1e-3)


def _nth_step(n: int) -> np.ndarray:
    """The raw weights after n steps, trained without an average."""
    plain = trainer(0.0)
    steps = watched(plain)
    plain.run(X, Y)
    return steps[n - 1]


def test_running_statistics_are_averaged_along() -> None:
    """Without steps that move it, the first layer's mean is a mean of the batches' means."""
    still = trainer(
        0.9, learning_rate=1e-10, batch_size=len(X), epochs=30, model={"batch_norm": True}
    )
    still.run(X, Y)
    running = still.network.layers[0].running
    dense = still.network.layers[0].dense
    inputs = X @ dense[:-1] + dense[-1]
    np.testing.assert_allclose(running[0], inputs.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(running[1], inputs.var(axis=0, ddof=1), rtol=1e-4)
    assert still.network.layers[0].batches == 30


@pytest.mark.parametrize(("batch_norm", "epochs"), [(False, 6), (True, 3)], ids=["", "norm"])
def test_it_lowers_the_validation_loss_at_a_large_constant_rate(
    batch_norm: bool, epochs: int
) -> None:
    """What it is for: the raw weights jump about, their average does not (digits, eight seeds)."""
    images, labels = load_digits(return_X_y=True)
    images = ((images - images.mean(axis=0)) / (images.std(axis=0) + 1e-8)).astype(np.float32)
    train_data, validation = (images[::3], labels[::3]), (images[1::3], labels[1::3])

    def loss(seed: int, decay: float) -> float:
        rng = np.random.default_rng(seed)
        network = Network(64, 10, NetworkConfig((32,), batch_norm=batch_norm), rng=rng)
        config = TrainingConfig(
            learning_rate=0.1,
            schedule="constant",
            batch_size=16,
            epochs=epochs,
            weight_averaging=decay,
            divergence=100.0,
        )
        train(network, *train_data, config, rng=rng)
        return SoftmaxCrossEntropy.mean(network.predict_outputs(validation[0]), validation[1])

    gains = np.array([loss(seed, 0.0) - loss(seed, 0.95) for seed in range(8)])
    assert gains.mean() > 2 * gains.std(ddof=1) / math.sqrt(len(gains))
    assert (gains > 0).sum() >= 7  # of 8: less than 4% by chance


@pytest.mark.parametrize("copied", [False, True], ids=["", "pickled"])
def test_the_classifier_goes_on_from_the_raw_weights(copied: bool) -> None:
    arguments = {"max_iter": 3, "random_state": 0, "shuffle": False, "weight_averaging": 0.9}
    at_once = MLPClassifier((8,), batch_norm=True, **arguments).partial_fit(X, Y, [0, 1, 2])
    parts = MLPClassifier((8,), batch_norm=True, **arguments).partial_fit(X, Y, [0, 1, 2])
    for _ in range(2):
        at_once.partial_fit(X, Y)
        parts = pickle.loads(pickle.dumps(parts)) if copied else parts
        parts.partial_fit(X, Y)
    np.testing.assert_array_equal(parts.predict_proba(X), at_once.predict_proba(X))
    plain = MLPClassifier((8,), batch_norm=True, **arguments | {"weight_averaging": 0.0})
    for _ in range(3):
        plain.partial_fit(X, Y, [0, 1, 2])
    assert plain.loss_curve_ == pytest.approx(at_once.loss_curve_)
    assert not np.allclose(plain.predict_proba(X), at_once.predict_proba(X))


def test_averaging_allocates_nothing_a_step() -> None:
    width, n = 256, 2048
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((n, 8)).astype(np.float32)
    network = Network(8, CLASSES, NetworkConfig((width, width)), rng=rng)
    config = TrainingConfig(learning_rate=1e-4, batch_size=64, epochs=3, weight_averaging=0.9)
    averaged, peaks = Trainer(network, config, rng=rng), []

    def measure(_: EpochRecord) -> None:
        peaks.append(tracemalloc.get_traced_memory()[1] - before[0])
        tracemalloc.reset_peak()
        before[0] = tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        before = [0]
        averaged.run(inputs, rng.integers(0, CLASSES, n), on_epoch=measure)
    finally:
        tracemalloc.stop()
    assert max(peaks[1:]) < network.parameters.nbytes / 2
