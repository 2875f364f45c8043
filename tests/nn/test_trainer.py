from __future__ import annotations

import math
import tracemalloc
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hpsearch.errors import UsageError
from hpsearch.nn import (
    ACTIVATIONS,
    OPTIMIZERS,
    SCHEDULES,
    EpochRecord,
    Network,
    NetworkConfig,
    Trainer,
    TrainingConfig,
    TrainingResult,
    batches,
    train,
)

FEATURES, CLASSES = 4, 3


def blobs(n: int = 240, seed: int = 0, spread: float = 0.6) -> tuple[np.ndarray, np.ndarray]:
    """Three overlapping clouds of points."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).standard_normal((CLASSES, FEATURES))
    y = rng.integers(0, CLASSES, n)
    X = centres[y] + spread * rng.standard_normal((n, FEATURES))
    return X.astype(np.float32), y


def fit(
    config: TrainingConfig | None = None,
    *,
    seed: int = 0,
    data: tuple[np.ndarray, np.ndarray] | None = None,
    dtype: type = np.float32,
    hidden: tuple[int, ...] = (16,),
    model: dict[str, Any] | None = None,
    **options: Any,
) -> tuple[Network, TrainingResult]:
    rng = np.random.default_rng(seed)
    X, y = blobs() if data is None else data
    network = Network(
        X.shape[1], CLASSES, NetworkConfig(hidden, **(model or {})), rng=rng, dtype=dtype
    )
    config = config or TrainingConfig(learning_rate=0.05, epochs=5, batch_size=32)
    return network, train(network, X, y, config, rng=rng, **options)


def accuracy(network: Network, X: np.ndarray, y: np.ndarray) -> float:
    return float(np.mean(network.predict_outputs(X).argmax(axis=1) == y))


RATES = {"sgd": 0.2, "momentum": 0.05, "nesterov": 0.05, "adagrad": 0.1}


@pytest.mark.parametrize("optimizer", list(OPTIMIZERS))
@pytest.mark.parametrize("activation", list(ACTIVATIONS))
def test_every_activation_learns_under_every_update_rule(activation: str, optimizer: str) -> None:
    rate = RATES.get(optimizer, 0.02)
    config = TrainingConfig(optimizer=optimizer, learning_rate=rate, batch_size=32, epochs=20)
    _, result = fit(config, model={"activation": activation, "initializer": "xavier"})
    assert result.why_stopped == "finished"
    assert result.curve[-1].train_loss < 0.5 * result.initial_loss


@pytest.mark.parametrize("schedule", list(SCHEDULES))
def test_the_rate_follows_the_schedule_by_step(schedule: str) -> None:
    config = TrainingConfig(
        learning_rate=0.5, schedule=schedule, decay=0.1, epochs=4, batch_size=60
    )
    _, result = fit(config)
    # 4 steps an epoch, 16 in all; the record has the rate of the last step of its epoch.
    last_steps = np.array([3, 7, 11, 15]) / 16
    expected = 0.5 * SCHEDULES[schedule](last_steps, 0.1)
    np.testing.assert_allclose([r.learning_rate for r in result.curve], expected)


@pytest.mark.parametrize("warmup", [2.5, 0.1, 1e-320])
def test_warmup_rises_linearly_over_fractional_epochs(warmup: float) -> None:
    config = TrainingConfig(
        learning_rate=1.0, schedule="constant", warmup=warmup, epochs=4, batch_size=60
    )
    trainer = Trainer(
        Network(FEATURES, CLASSES, NetworkConfig((4,)), rng=np.random.default_rng(0)),
        config,
        rng=np.random.default_rng(0),
    )
    rates = []
    for epoch in range(4):
        trainer.epochs_done = epoch
        rates.extend(trainer._rates(4))
    np.testing.assert_allclose(rates, [min(k / 4 / warmup, 1.0) for k in range(1, 17)])


def test_stop_after_ends_earlier_on_the_same_schedule() -> None:
    config = TrainingConfig(learning_rate=0.05, epochs=6, batch_size=32)
    _, whole = fit(config)
    _, part = fit(config, stop_after=3)
    assert part.curve == whole.curve[:3]
    assert part.why_stopped == "finished"
    assert fit(config, stop_after=100)[1].epochs == 6


def test_a_trainer_goes_on_where_it_was() -> None:
    """Two runs of three epochs are one run of six, optimizer state and schedule included."""
    X, y = blobs()
    config = TrainingConfig(optimizer="adam", learning_rate=0.02, epochs=6, batch_size=len(X))
    results = []
    for parts in ((6,), (3, 3)):
        rng = np.random.default_rng(0)
        network = Network(FEATURES, CLASSES, NetworkConfig((8,)), rng=rng, dtype=np.float64)
        trainer = Trainer(network, config, rng=rng)
        curve = [r for n in parts for r in trainer.run(X, y, epochs=n).curve]
        results.append((network.parameters, [r.train_loss for r in curve], curve))
    np.testing.assert_allclose(results[0][0], results[1][0], rtol=1e-7)
    np.testing.assert_allclose(results[0][1], results[1][1], rtol=1e-9)
    assert [r.epoch for r in results[1][2]] == [1, 2, 3, 4, 5, 6]
    trainer = Trainer(Network(FEATURES, CLASSES, NetworkConfig((8,)), rng=rng), config, rng=rng)
    assert trainer.run(X, y, epochs=2).epochs == 2
    assert trainer.run(X, y).epochs == 4


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_the_same_seed_gives_bit_equal_results(dropout: float) -> None:
    model = {"dropout": dropout, "batch_norm": True}
    (first, one), (second, two) = (fit(model=model, validation=blobs(seed=1)) for _ in range(2))
    np.testing.assert_array_equal(first.parameters, second.parameters)
    np.testing.assert_array_equal(first.statistics, second.statistics)
    assert one == two
    other, _ = fit(model=model, seed=1)
    assert not np.array_equal(first.parameters, other.parameters)


@pytest.mark.parametrize("batch_norm", [False, True], ids=["", "batch norm"])
def test_float32_trains_close_to_float64(batch_norm: bool) -> None:
    results = [
        fit(dtype=dtype, model={"batch_norm": batch_norm})[1] for dtype in (np.float32, np.float64)
    ]
    single, double = ([r.train_loss for r in result.curve] for result in results)
    np.testing.assert_allclose(single, double, rtol=1e-3)


def test_the_training_loss_is_the_mean_before_each_step_plus_the_l2_term() -> None:
    X, y = blobs(50)
    config = TrainingConfig(
        optimizer="sgd", learning_rate=0.1, schedule="constant", l2=0.3, batch_size=50, epochs=1
    )
    rng = np.random.default_rng(0)
    network = Network(FEATURES, CLASSES, NetworkConfig((8,)), rng=rng, dtype=np.float64)
    start = network.state()
    loss, gradients = network.loss_and_gradients(X, y, l2=0.3)
    data_loss = loss - network.l2_term(0.3)
    result = train(network, X, y, config, rng=rng)
    np.testing.assert_allclose(network.parameters, start["parameters"] - 0.1 * gradients)
    assert result.initial_loss == pytest.approx(data_loss)
    assert result.curve[0].train_loss == pytest.approx(data_loss + network.l2_term(0.3))


@pytest.mark.parametrize("batch_norm", [False, True], ids=["", "batch norm"])
def test_early_stopping_restores_the_best_epoch(batch_norm: bool) -> None:
    train_data, validation = blobs(60, spread=1.5), blobs(300, seed=1, spread=1.5)
    config = TrainingConfig(
        learning_rate=0.1, batch_size=16, epochs=200, patience=5, schedule="constant"
    )
    states = []
    holder: list[Network] = []

    def remember(record: EpochRecord) -> None:
        states.append(holder[0].state())

    rng = np.random.default_rng(0)
    network = Network(FEATURES, CLASSES, NetworkConfig((32,), batch_norm=batch_norm), rng=rng)
    holder.append(network)
    result = train(network, *train_data, config, rng=rng, validation=validation, on_epoch=remember)
    assert result.why_stopped == "early stopping"
    assert result.epochs == result.best_epoch + 5
    best = max(result.curve, key=lambda r: (r.validation_score, -(r.validation_loss or 0)))
    assert best.epoch == result.best_epoch
    for name, value in network.state().items():
        np.testing.assert_array_equal(value, states[result.best_epoch - 1][name])
    assert accuracy(network, *validation) == best.validation_score


def test_a_tie_in_accuracy_goes_to_the_lower_loss() -> None:
    X, y = blobs(200, spread=0.05)  # separable: accuracy is soon 1, the loss keeps falling
    config = TrainingConfig(learning_rate=0.05, epochs=15, patience=3)
    _, result = fit(config, data=(X, y), validation=(X, y))
    assert result.curve[5].validation_score == 1.0
    assert result.why_stopped == "finished"
    assert result.best_epoch == 15


def test_any_score_decides_when_to_stop_and_what_is_kept() -> None:
    X, y = blobs(60, spread=1.5)
    seen: list[tuple[int, ...]] = []

    def least_sure(outputs: np.ndarray, labels: np.ndarray) -> float:
        seen.append((*outputs.shape, len(labels)))
        return -float(np.abs(outputs).max())

    config = TrainingConfig(learning_rate=0.1, batch_size=16, epochs=50, patience=3)
    network, result = fit(config, data=(X, y), validation=(X, y), score=least_sure)
    scores = [record.validation_score for record in result.curve]
    assert result.why_stopped == "early stopping"
    assert result.best_epoch == 1 + int(np.argmax(scores))
    assert least_sure(network.predict_outputs(X), y) == max(scores)
    assert set(seen) == {(60, CLASSES, 60)}


def test_without_patience_the_last_weights_stay() -> None:
    X, y = blobs()
    network, result = fit(validation=(X, y))
    assert accuracy(network, X, y) == result.curve[-1].validation_score
    assert result.epochs == 5


def test_without_validation_there_are_no_scores_and_the_last_epoch_is_named() -> None:
    _, result = fit()
    assert result.best_epoch == 5
    assert all(r.validation_loss is None and r.validation_score is None for r in result.curve)


def test_the_callback_sees_each_record_and_may_stop() -> None:
    seen: list[EpochRecord] = []

    def stop_at_three(record: EpochRecord) -> bool:
        seen.append(record)
        return record.epoch == 3

    _, result = fit(on_epoch=stop_at_three)
    assert result.why_stopped == "stopped"
    assert result.curve == tuple(seen)
    assert result.epochs == 3
    assert not result.diverged


@pytest.mark.parametrize("activation", list(ACTIVATIONS))
@pytest.mark.parametrize(("rate", "scale"), [(1e3, 1), (1e4, 1e8), (1e4, 1e20)])
@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
def test_an_exploding_run_stops_without_a_warning(
    optimizer: str, rate: float, scale: float, activation: str
) -> None:
    (X, y), (X_validation, y_validation) = blobs(), blobs(seed=1)
    config = TrainingConfig(optimizer=optimizer, learning_rate=rate, batch_size=16, epochs=30)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _, result = fit(
            config,
            data=(X * np.float32(scale), y),
            hidden=(16, 16),
            model={"activation": activation},
            validation=(X_validation * np.float32(scale), y_validation),
        )
    assert result.why_stopped in ("diverged", "not finite")
    assert result.diverged
    assert result.epochs < 30
    assert all(math.isfinite(r.train_loss) for r in result.curve)
    assert all(math.isfinite(r.validation_loss or 0.0) for r in result.curve)


def test_a_loss_past_the_limit_is_diverged_and_within_it_is_not() -> None:
    config = TrainingConfig(
        optimizer="sgd", learning_rate=2.0, schedule="constant", batch_size=240, epochs=10
    )
    _, strict = fit(config, hidden=(64, 64))
    assert strict.why_stopped == "diverged"
    _, lenient = fit(replace(config, divergence=1e9), hidden=(64, 64))
    assert lenient.why_stopped == "finished"
    worst = max(r.train_loss for r in lenient.curve)
    assert worst > 3 * lenient.initial_loss


def test_divergence_wastes_little_of_a_long_epoch() -> None:
    """The loss is watched within the epoch: the generator of batches is not drained."""
    X, y = blobs(50_000)
    rng = np.random.default_rng(0)
    network = Network(FEATURES, CLASSES, NetworkConfig((16, 16)), rng=rng)
    trainer = Trainer(network, TrainingConfig(learning_rate=1e3, batch_size=16), rng=rng)
    steps = 0
    step = trainer.optimizer.step

    def counted(rate: float) -> None:
        nonlocal steps
        steps += 1
        step(rate)

    trainer.optimizer.step = counted  # type: ignore[method-assign]
    result = trainer.run(X, y)
    assert result.diverged
    assert result.epochs == 0
    assert result.best_epoch == 0
    assert steps < 50_000 / 16 / 2


def test_a_trained_network_goes_on_though_its_loss_starts_near_zero() -> None:
    X, y = blobs(spread=0.05)
    config = TrainingConfig(learning_rate=0.05, epochs=20)
    network, first = fit(config, data=(X, y))
    assert first.curve[-1].train_loss < 0.05
    result = train(network, *blobs(seed=1), config, rng=np.random.default_rng(0))
    assert result.why_stopped == "finished"


@pytest.mark.parametrize("activation", ["relu", "tanh", "elu"])
def test_inputs_that_are_not_finite_stop_the_training(activation: str) -> None:
    X, y = blobs()
    X[7, 2] = np.nan
    _, result = fit(data=(X, y), model={"activation": activation})
    assert result.why_stopped == "not finite"
    assert result.epochs == 0


def test_a_validation_loss_that_is_not_finite_stops_too() -> None:
    X, y = blobs(seed=1)
    X[0] = np.inf
    _, result = fit(validation=(X, y), model={"activation": "tanh", "batch_norm": True})
    assert result.why_stopped == "not finite"


@pytest.mark.parametrize(
    ("n", "features", "hidden", "batch_size"),
    [
        (1, 4, (8,), 32),
        (5, 4, (8,), 32),
        (33, 4, (8,), 32),
        (20, 1, (8,), 7),
        (20, 4, (1,), 7),
        (20, 4, (1, 1, 1), 1),
        (20, 4, (), 7),
        (20, 4, (8,), 1),
    ],
)
def test_small_and_odd_shapes_train(
    n: int, features: int, hidden: tuple[int, ...], batch_size: int
) -> None:
    X, y = blobs(n)
    config = TrainingConfig(learning_rate=0.01, batch_size=batch_size, epochs=3)
    _, result = fit(config, data=(X[:, :features], y), hidden=hidden)
    assert result.why_stopped == "finished"
    assert result.epochs == 3


def test_a_tail_of_one_sample_trains_under_batch_normalization() -> None:
    config = TrainingConfig(batch_size=16, epochs=3)
    network, result = fit(config, data=blobs(33), model={"batch_norm": True})
    assert result.why_stopped == "finished"
    assert network.layers[0].batches == 6  # two full batches an epoch; the tail is not counted


@pytest.mark.parametrize(("n", "batch_size"), [(1, 32), (40, 1)])
def test_batch_normalization_of_single_samples_is_refused(n: int, batch_size: int) -> None:
    config = TrainingConfig(batch_size=batch_size)
    with pytest.raises(UsageError, match="needs two samples or more"):
        fit(config, data=blobs(n), model={"batch_norm": True})


X, Y = blobs(10)


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (X[:0], Y[:0], "training data are empty"),
        (X, Y[:-1], r"shapes \(10, 4\) and \(9,\)"),
        (X[:, :3], Y, r"give inputs \(n, 4\)"),
        (X[0], Y, "give inputs"),
        (X, Y.astype(float), "integers from 0 to 2"),
        (X, Y - 1, "integers from 0 to 2"),
        (X, Y + 1, "integers from 0 to 2"),
        (X, Y > 0, "integers from 0 to 2"),
    ],
)
def test_data_that_do_not_fit_are_refused(X: np.ndarray, y: np.ndarray, message: str) -> None:
    rng = np.random.default_rng(0)
    network = Network(FEATURES, CLASSES, NetworkConfig((4,)), rng=rng)
    with pytest.raises(UsageError, match=message):
        train(network, X, y, TrainingConfig(), rng=rng)
    with pytest.raises(UsageError, match=message.replace("training", "validation")):
        train(network, *blobs(10), TrainingConfig(), rng=rng, validation=(X, y))


@pytest.mark.parametrize("block_bytes", [1, 3000])
def test_the_size_of_a_block_changes_nothing(
    block_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks of one batch, or of a few: the same steps, and the same watch over the loss."""
    calm = TrainingConfig(learning_rate=0.05, batch_size=16, epochs=4)
    network, result = fit(calm)
    monkeypatch.setattr(batches, "_BLOCK_BYTES", block_bytes)
    other, again = fit(calm)
    np.testing.assert_array_equal(other.parameters, network.parameters)
    for one, two in zip(result.curve, again.curve, strict=True):
        assert two.train_loss == pytest.approx(one.train_loss, rel=1e-6)
    assert fit(replace(calm, learning_rate=1e3))[1].diverged


def test_early_stopping_without_validation_is_refused() -> None:
    with pytest.raises(UsageError, match="early stopping needs validation data"):
        fit(TrainingConfig(patience=3))


def test_read_only_data_are_not_copied_nor_changed() -> None:
    X, y = blobs()
    X.setflags(write=False)
    y.setflags(write=False)
    _, result = fit(data=(X, y))
    _, again = fit(data=(X.copy(), y.copy()))
    assert result == again


@pytest.mark.parametrize("optimizer", list(OPTIMIZERS))
@pytest.mark.parametrize(
    "model",
    [
        {},
        {"activation": "maxout", "dropout": 0.2},
        {"activation": "prelu", "batch_norm": True},
    ],
    ids=["relu", "maxout, dropout", "prelu, batch norm"],
)
def test_steps_allocate_nothing(model: dict[str, Any], optimizer: str) -> None:
    """No array is made within an epoch: the peak is far below the smallest hidden buffer."""
    width, batch, n = 128, 128, 4096
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, 8)).astype(np.float32)
    y = rng.integers(0, CLASSES, n)
    network = Network(8, CLASSES, NetworkConfig((width, width), **model), rng=rng)
    config = TrainingConfig(
        optimizer=optimizer, learning_rate=1e-4, batch_size=batch, l2=1e-4, epochs=4
    )
    trainer = Trainer(network, config, rng=rng)
    peaks = []

    def measure(record: EpochRecord) -> None:
        peaks.append(tracemalloc.get_traced_memory()[1] - before[0])
        tracemalloc.reset_peak()
        before[0] = tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        before = [0]
        trainer.run(X, y, on_epoch=measure)
    finally:
        tracemalloc.stop()
    assert max(peaks[1:]) < width * batch * 4


def test_dropout_alone_is_no_divergence() -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((400, 10)).astype(np.float32)
    y = (X[:, 0] > 0).astype(np.int64)
    network = Network(10, 2, NetworkConfig((64, 64), dropout=0.9), rng=rng)
    trainer = Trainer(network, TrainingConfig(learning_rate=1e-4, epochs=3), rng=rng)
    result = trainer.run(X, y)
    assert result.why_stopped == "finished"
    assert trainer.initial_loss is not None
    assert trainer.dropped_loss > 2 * trainer.initial_loss, "it was to be a case of that"
