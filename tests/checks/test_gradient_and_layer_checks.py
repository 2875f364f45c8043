"""Gradients of the very architecture, and what its layers put out before learning."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from blobs import SOUND, blobs, divided
from scipy.stats import norm

from hpsearch.checks.context import CheckContext
from hpsearch.checks.gradients import gradient_check, gradient_errors
from hpsearch.checks.layers import LayerStatistics, layer_statistics, signal
from hpsearch.lab.dead_relus import dead_relus_data
from hpsearch.lab.initialization import deep_networks
from hpsearch.nn import ACTIVATIONS, Network, NetworkConfig, TrainingConfig, train
from hpsearch.nn.activations import SMALL_SLOPE, ReLU, Tanh
from hpsearch.nn.layers import BatchNorm
from hpsearch.nn.trace import QUANTITIES
from hpsearch.training.diagnosis import diagnose

DATA, SPLIT = divided(*blobs())


def context(**configuration: Any) -> CheckContext:
    return CheckContext.of(DATA, SPLIT, SOUND | configuration, epochs=20, seed=0)


@pytest.mark.parametrize("more", [{}, {"batch_norm": True}, {"dropout": 0.4, "l2": 0.1}], ids=str)
@pytest.mark.parametrize("activation", list(ACTIVATIONS))
def test_right_gradients_pass(activation: str, more: dict[str, Any]) -> None:
    errors = gradient_errors(context(activation=activation, depth=3, **more))
    assert list(errors) == [*(f"hidden layer {n}" for n in (1, 2, 3)), "output layer"]
    assert max(errors.values()) < 1e-6


STARTS = {
    "zero weights": {"initializer": "zeros"},
    "dead units": {"bias": -100.0},
    "large weights": {"initializer": "large-random", "depth": 4},
    "no hidden layer": {"depth": 0},
    "inputs in the hundreds": {"preprocessing": "none", "variance": 1.0},
}


@pytest.mark.parametrize("more", STARTS.values(), ids=STARTS.keys())
def test_a_bad_start_is_no_wrong_gradient(more: dict[str, Any]) -> None:
    assert gradient_check(context(**more)).verdict == "pass"


def off_by_a_tenth(kind: type[Any]) -> Any:
    right = kind.backward

    def backward(self: Any) -> None:
        right(self)
        np.multiply(self.dx, 1.1, self.dx)

    return backward


@pytest.mark.parametrize(
    ("kind", "activation"), [(ReLU, "relu"), (Tanh, "tanh"), (BatchNorm, "tanh")]
)
def test_a_wrong_gradient_fails_in_the_layers_below_it(
    kind: type[Any], activation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kind, "backward", off_by_a_tenth(kind))
    wrong = context(activation=activation, batch_norm=kind is BatchNorm)
    errors = gradient_errors(wrong)
    assert errors["output layer"] < 1e-6
    assert errors["hidden layer 1"] > 0.05
    check = gradient_check(wrong)
    assert check.verdict == "fail"
    assert "hidden layer 1" in check.advice


def wide(**configuration: Any) -> list[LayerStatistics]:
    """Layers of 400 units on standard normal inputs of 400 columns, where theory holds."""
    rng = np.random.default_rng(5)
    X = rng.standard_normal((600, 400))
    data = divided(X, np.arange(600) % 2)
    settings = {"width": 400, "depth": 2, "preprocessing": "none"} | configuration
    return layer_statistics(CheckContext.of(*data, settings, epochs=1, seed=0))


def test_he_weights_keep_the_size_of_a_rectified_signal() -> None:
    """Of a normal z of variance 2: max(0, z) has mean 1/sqrt(pi) and second moment 1."""
    first, second = wide(activation="relu", initializer="he")
    for layer in (first, second):
        assert layer.mean == pytest.approx(1 / np.sqrt(np.pi), rel=0.05)
    assert first.std == pytest.approx(np.sqrt(1 - 1 / np.pi), rel=0.05)
    assert first.stuck == second.stuck == 0
    assert (first.activation.fault, signal([first, second])[0]) == ("dead", "pass")


def test_large_weights_saturate_tanh_as_often_as_a_normal_of_that_size_does() -> None:
    first = wide(activation="tanh", initializer="large-random")[0]
    expected = 2 * norm.cdf(-np.arctanh(np.sqrt(1 - SMALL_SLOPE)), scale=20)
    assert first.stuck == pytest.approx(expected, abs=0.01)
    assert first.activation.fault == "saturated"
    assert signal([first])[0] == "fail"


def test_small_weights_shrink_the_signal_layer_by_layer() -> None:
    """tanh is linear near 0, so each layer multiplies the std by 0.01 sqrt(400) = 0.2."""
    layers = wide(activation="tanh", initializer="small-random", depth=3)
    assert [s.std for s in layers] == pytest.approx([0.2, 0.04, 0.008], rel=0.1)
    verdict, words = signal(layers)
    assert (verdict, words) == ("warn", "the signal is down to 0.008 in layer 3")


def test_batch_normalization_mends_small_weights() -> None:
    layers = wide(activation="tanh", initializer="small-random", depth=6, batch_norm=True)
    assert signal(layers)[0] == "pass"


def test_units_whose_bias_is_far_below_are_dead() -> None:
    layers = wide(bias=-100.0)
    assert [layer.stuck for layer in layers] == [1.0, 1.0]
    assert signal(layers) == ("fail", "layer 1 is 100% dead")


@pytest.mark.parametrize(("activation", "fault"), [("tanh", "saturated"), ("relu", "dead")])
def test_check_trace_and_lab_ask_the_activation_what_is_saturated_and_dead(
    activation: str, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = ACTIVATIONS[activation]
    assert kind.fault == fault
    # From here on it holds everything to be saturated, and so should everybody.
    monkeypatch.setattr(kind, "saturated", staticmethod(lambda y: np.ones(y.shape, np.bool_)))
    assert [layer.stuck for layer in wide(activation=activation)] == [1.0, 1.0]
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((60, 5)).astype(np.float32), np.arange(60) % 3
    network = Network(5, 3, NetworkConfig((9, 8), activation), rng=rng)
    training = TrainingConfig(learning_rate=1e-9, epochs=1)
    result = train(network, X, y, training, rng=rng, validation=(X, y), trace=True)
    assert result.trace is not None
    share = result.trace.snapshots[0].layers[:-1, QUANTITIES.index(fault)]
    assert share.tolist() == [1.0, 1.0]
    found = diagnose(
        result, network.config, training, y=y, n_outputs=3, n_validation=60, right=1 / 3
    )
    name = "dead ReLUs" if fault == "dead" else "saturation"
    assert name in {finding.name for finding in found if finding.fault}
    deep = deep_networks(seed=0, samples=20, width=10, depth=2, batch_norm=False)
    assert all((n.saturated == 1).all() for n in deep if n.activation == activation)
    data = dead_relus_data(repeats=1, epochs=1, rates=(0.01,))
    assert (data.dead == 1).all() == (fault == "dead")
