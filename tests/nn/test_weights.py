from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_sample_weight

from hpsearch.errors import UsageError
from hpsearch.nn import Network, NetworkConfig, TrainingConfig, train
from hpsearch.nn.weights import balanced, scaled


def test_only_proportions_matter_and_equal_weights_are_none() -> None:
    weights = np.array([0.0, 1.0, 2.0, 5.0])
    one, other = scaled(weights, 4), scaled(weights * 1e300, 4)
    assert one is not None
    assert other is not None
    assert one.mean() == pytest.approx(1)
    np.testing.assert_allclose(one, other)
    assert scaled(np.full(7, 0.1), 7) is None


@pytest.mark.parametrize(
    "weights",
    [[1.0], [[1.0, 2.0]], [1.0, -1.0], [1.0, np.nan], [1.0, np.inf], [0.0, 0.0], ["a", "b"], 1.0],
)
def test_weights_that_are_none_are_refused(weights: Any) -> None:
    with pytest.raises(UsageError, match="sample_weight"):
        scaled(weights, 2)


def test_balanced_is_scikit_learns() -> None:
    labels = np.repeat([0, 1, 2], [50, 3, 20])
    np.testing.assert_allclose(balanced(labels, 3), compute_sample_weight("balanced", labels))
    # A class that has no sample changes the size of all, which is made 1 in the mean.
    np.testing.assert_allclose(4 * balanced(labels, 4), 3 * balanced(labels, 3))


def trained(config: TrainingConfig, repeats: np.ndarray | None = None, **options: Any) -> Any:
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((40, 3)), np.repeat([0, 1, 2], [30, 7, 3])
    if repeats is not None:
        X, y = X.repeat(repeats, axis=0), y.repeat(repeats)
    network = Network(3, 3, NetworkConfig((5,)), rng=np.random.default_rng(1), dtype=np.float64)
    result = train(network, X, y, config, rng=np.random.default_rng(2), **options)
    return network.parameters, result


FULL = TrainingConfig(learning_rate=0.1, epochs=4, batch_size=1000)


def test_balanced_classes_are_weights_of_rows() -> None:
    labels = np.repeat([0, 1, 2], [30, 7, 3])
    config = TrainingConfig(learning_rate=0.1, epochs=4, batch_size=16, class_weight="balanced")
    by_name = trained(config)[0]
    plain = TrainingConfig(learning_rate=0.1, epochs=4, batch_size=16)
    by_rows = trained(plain, sample_weight=compute_sample_weight("balanced", labels))[0]
    np.testing.assert_allclose(by_name, by_rows, atol=1e-12)
    assert not np.allclose(by_name, trained(plain)[0])


def test_balanced_counts_a_row_of_weight_two_twice() -> None:
    repeats = np.tile([0, 1, 2, 3], 10)
    config = TrainingConfig(learning_rate=0.1, epochs=4, batch_size=1000, class_weight="balanced")
    weighted, repeated = trained(config, sample_weight=repeats)[0], trained(config, repeats)[0]
    np.testing.assert_allclose(weighted, repeated, atol=1e-12)


def test_equal_weights_change_no_bit() -> None:
    config = TrainingConfig(learning_rate=0.1, epochs=4, batch_size=16)
    for weights in (np.ones(40), np.full(40, 3.7)):
        parameters, result = trained(config, sample_weight=weights)
        np.testing.assert_array_equal(parameters, trained(config)[0])
        assert result == trained(config)[1]


def test_smoothed_labels_cost_what_the_formula_says() -> None:
    """(1 - a) times the loss of the label, plus a times the mean loss over all classes."""
    share, n = 0.3, 12
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((n, 3)), rng.integers(0, 4, n)
    network = Network(3, 4, NetworkConfig((5,)), rng=rng, dtype=np.float64)
    logarithms = np.log(network.predict_proba(X))
    expected = -(1 - share) * logarithms[np.arange(n), y] - share * logarithms.mean(axis=1)
    config = TrainingConfig("sgd", 1e-10, epochs=1, batch_size=5, label_smoothing=share)
    result = train(network, X, y, config, rng=rng)
    assert result.curve[0].train_loss == pytest.approx(expected.mean(), rel=1e-8)


def test_smoothed_networks_are_less_sure() -> None:
    def surest(smoothing: float) -> float:
        rng = np.random.default_rng(0)
        X = rng.standard_normal((300, 2)).astype(np.float32)
        y = (X[:, 0] > 0).astype(int)
        network = Network(2, 2, NetworkConfig((16,)), rng=rng)
        config = TrainingConfig(learning_rate=0.1, epochs=60, label_smoothing=smoothing)
        train(network, X, y, config, rng=rng)
        assert (network.predict_outputs(X).argmax(axis=1) == y).mean() > 0.98
        return float(np.median(network.predict_proba(X).max(axis=1)))

    assert surest(0.0) > 0.98
    assert surest(0.2) == pytest.approx(0.9, abs=0.03)
