from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from gradient_check import assert_same_gradient, numeric_gradient
from hypothesis import given, settings
from hypothesis import strategies as st

from hpsearch.errors import UsageError
from hpsearch.nn import ACTIVATIONS, INITIALIZERS, Network, NetworkConfig
from hpsearch.nn.losses import SoftmaxCrossEntropy, softmax

FEATURES, CLASSES = 5, 3


def network(
    hidden: tuple[int, ...] = (6, 4), *, dtype: type = np.float64, seed: int = 0, **config: Any
) -> Network:
    made = Network(
        FEATURES,
        CLASSES,
        NetworkConfig(hidden, **config),
        rng=np.random.default_rng(seed),
        dtype=dtype,
    )
    # Away from the symmetric start: biases, scales, shifts and running statistics all different.
    rng = np.random.default_rng(seed + 1)
    made.parameters += (0.1 * rng.standard_normal(made.parameters.shape)).astype(dtype)
    made.statistics += rng.uniform(0.1, 0.5, made.statistics.shape).astype(dtype)
    return made


def data(n: int = 8, seed: int = 2) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, FEATURES)), np.arange(n) % CLASSES


@pytest.mark.parametrize("dropout", [0.0, 0.4], ids=["", "dropout"])
@pytest.mark.parametrize("batch_norm", [False, True], ids=["", "batch norm"])
@pytest.mark.parametrize("activation", list(ACTIVATIONS))
def test_gradient_of_the_whole_network(activation: str, batch_norm: bool, dropout: float) -> None:
    net = network(activation=activation, batch_norm=batch_norm, dropout=dropout, bias=0.01)
    X, y = data()

    def loss_and_gradients() -> tuple[float, np.ndarray]:
        # The same generator state gives the same dropout mask.
        return net.loss_and_gradients(X, y, l2=0.1, rng=np.random.default_rng(7))

    analytic = loss_and_gradients()[1]
    numeric = numeric_gradient(lambda: loss_and_gradients()[0], net.parameters)
    assert_same_gradient(analytic, numeric)
    if activation == "prelu":
        assert all(layer.dslope.any() for layer in net.layers[:-1])


@pytest.mark.parametrize("batch_norm", [False, True], ids=["", "batch norm"])
def test_gradients_of_the_hidden_outputs_explain_those_of_the_weights(batch_norm: bool) -> None:
    """dL/dW = h^T (dL/dh' f'(z)): the weights' gradients are checked numerically above."""
    net = network((6, 4), activation="tanh", batch_norm=batch_norm, dropout=0.3)
    X, y = data()
    weights = [net.layers[n].ddense[:-1] for n in (0, 1)]
    before = net.state()
    outputs, gradients = net.outputs_and_gradients(X, y)
    assert [h.shape for h in outputs] == [dh.shape for dh in gradients] == [(8, 6), (8, 4)]
    assert all(np.array_equal(before[name], kept) for name, kept in net.state().items())
    expected = (softmax(outputs[-1] @ net.layers[-1].weights + net.layers[-1].bias)) / len(y)
    expected[np.arange(len(y)), y] -= 1 / len(y)
    np.testing.assert_allclose(gradients[-1], expected @ net.layers[-1].weights.T, atol=1e-12)
    if not batch_norm:
        for below, h, dh, dw in zip((X, outputs[0]), outputs, gradients, weights, strict=True):
            np.testing.assert_allclose(dw, below.T @ (dh * (1 - h**2)), atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(
    hidden=st.lists(st.integers(1, 9), max_size=4).map(tuple),
    activation=st.sampled_from(list(ACTIVATIONS)),
    initializer=st.sampled_from([name for name in INITIALIZERS if name != "large-random"]),
    batch_norm=st.booleans(),
    pieces=st.integers(2, 4),
    n=st.integers(2, 12),
    seed=st.integers(0, 99),
)
def test_slope_along_a_random_direction(
    hidden: tuple[int, ...],
    activation: str,
    initializer: str,
    batch_norm: bool,
    pieces: int,
    n: int,
    seed: int,
) -> None:
    """Any architecture; a kink may lie between the two points, hence the wider limit."""
    net = network(
        hidden,
        seed=seed,
        activation=activation,
        initializer=initializer,
        batch_norm=batch_norm,
        maxout_pieces=pieces,
    )
    X, y = data(n, seed)
    direction = np.random.default_rng(seed).standard_normal(net.parameters.shape)
    direction /= np.linalg.norm(direction)
    analytic = float(net.loss_and_gradients(X, y)[1] @ direction)
    start, step = net.parameters.copy(), 1e-7
    losses = []
    for sign in (1, -1):
        net.parameters[:] = start + sign * step * direction
        losses.append(net.loss_and_gradients(X, y)[0])
    numeric = (losses[0] - losses[1]) / (2 * step)
    assert numeric == pytest.approx(analytic, rel=1e-4, abs=1e-5)


def test_parameters_are_one_vector_and_the_layers_are_views_of_it() -> None:
    net = network((6, 4), activation="prelu", batch_norm=True)
    sizes = [
        part.size
        for layer in net.layers
        for part in (layer.weights, layer.bias, layer.affine, layer.slope)
    ]
    assert sum(sizes) == net.parameters.size == net.gradients.size
    # Dense (5+1) 6, (6+1) 4, (4+1) 3; scale and shift 2 (6+4); slopes 6+4.
    assert net.parameters.size == 36 + 28 + 15 + 20 + 10
    net.parameters[:] = 7.0
    assert all((layer.weights == 7).all() and (layer.slope == 7).all() for layer in net.layers)
    for layer, part in zip(net.layers, net.weight_slices, strict=True):
        net.parameters[part] = 8.0
        assert (layer.weights == 8).all()
        assert (layer.bias == 7).all()


def test_maxout_has_as_many_times_the_weights_as_pieces() -> None:
    net = Network(
        5,
        3,
        NetworkConfig((6,), activation="maxout", maxout_pieces=4),
        rng=np.random.default_rng(0),
    )
    assert net.layers[0].weights.shape == (5, 24)
    assert net.layers[1].weights.shape == (6, 3)


@pytest.mark.parametrize("initializer", list(INITIALIZERS))
def test_starts_as_configured(initializer: str) -> None:
    config = NetworkConfig((200,), initializer=initializer, bias=0.01, batch_norm=True)
    net = Network(300, CLASSES, config, rng=np.random.default_rng(0), dtype=np.float64)
    rng = np.random.default_rng(0)
    np.testing.assert_array_equal(net.layers[0].weights, INITIALIZERS[initializer](rng, 300, 200))
    np.testing.assert_array_equal(net.layers[1].weights, INITIALIZERS[initializer](rng, 200, 3))
    assert (net.layers[0].bias == 0.01).all()
    assert net.layers[0].affine.tolist() == [[1.0] * 200, [0.0] * 200]
    assert net.layers[0].running.tolist() == [[0.0] * 200, [1.0] * 200]


def test_initial_loss_is_near_the_logarithm_of_the_classes_and_l2_raises_it() -> None:
    config = NetworkConfig((50,), initializer="small-random")
    net = Network(FEATURES, CLASSES, config, rng=np.random.default_rng(0))
    X, y = data(300)
    assert net.initial_loss(X, y) == pytest.approx(np.log(CLASSES), abs=0.01)
    losses = [net.loss_and_gradients(X, y, l2=l2)[0] for l2 in (0.0, 1.0, 10.0)]
    assert losses == sorted(losses)
    squares = sum(float(np.sum(layer.weights**2)) for layer in net.layers)
    assert losses[1] - losses[0] == pytest.approx(squares / 2, rel=1e-4)


def test_looking_at_the_loss_changes_nothing() -> None:
    net = network(batch_norm=True)
    before = net.state()
    net.loss_and_gradients(*data())
    net.initial_loss(*data())
    net.predict_proba(data()[0])
    for name, value in net.state().items():
        np.testing.assert_array_equal(value, before[name])


@pytest.mark.parametrize("batch_norm", [False, True], ids=["", "batch norm"])
@pytest.mark.parametrize("n", [0, 1, 511, 512, 513, 1100])
def test_prediction_in_chunks_is_prediction_one_by_one(n: int, batch_norm: bool) -> None:
    net = network(batch_norm=batch_norm, dropout=0.5)
    X = data(n)[0]
    logits = net.predict_outputs(X)
    assert logits.shape == (n, CLASSES)
    for i in {0, n // 2, n - 1} if n else ():
        np.testing.assert_allclose(logits[i], net.predict_outputs(X[i : i + 1])[0], rtol=1e-9)
    np.testing.assert_allclose(net.predict_proba(X), softmax(logits), rtol=1e-12)


def test_prediction_agrees_with_the_loss() -> None:
    net = network()
    X, y = data(40)
    loss, _ = net.loss_and_gradients(X, y)
    assert loss == pytest.approx(SoftmaxCrossEntropy.mean(net.predict_outputs(X), y), rel=1e-12)


def test_prediction_by_hand() -> None:
    net = network((6,), activation="relu", batch_norm=False)
    X = data()[0]
    first, top = net.layers
    hidden = np.maximum(X @ first.weights + first.bias, 0)
    np.testing.assert_allclose(net.activations(X)[0], hidden, rtol=1e-12)
    np.testing.assert_allclose(net.predict_outputs(X), hidden @ top.weights + top.bias, rtol=1e-10)


def test_without_hidden_layers_it_is_softmax_regression() -> None:
    net = network(())
    X = data()[0]
    (top,) = net.layers
    np.testing.assert_allclose(net.predict_outputs(X), X @ top.weights + top.bias, rtol=1e-12)
    assert net.activations(X) == []


@pytest.mark.parametrize("activation", list(ACTIVATIONS))
def test_float32_is_close_to_float64(activation: str) -> None:
    X, y = data(20)
    nets = [
        network((16, 16), dtype=dtype, activation=activation, batch_norm=True)
        for dtype in (np.float32, np.float64)
    ]
    (single, g32), (double, g64) = (net.loss_and_gradients(X, y) for net in nets)
    assert g32.dtype == np.float32
    assert single == pytest.approx(double, rel=1e-5)
    np.testing.assert_allclose(g32, g64, atol=1e-5)


@pytest.mark.parametrize("activation", list(ACTIVATIONS))
def test_huge_inputs_give_no_warning(activation: str) -> None:
    net = network(activation=activation, dtype=np.float32, batch_norm=True)
    net.predict_proba(np.full((3, FEATURES), 1e30))
    net.loss_and_gradients(np.full((3, FEATURES), 1e38), np.zeros(3, int))


def test_state_rebuilds_the_network() -> None:
    net, other = network(batch_norm=True), network(batch_norm=True, seed=9)
    X = data()[0]
    other.load_state(net.state())
    np.testing.assert_array_equal(other.predict_outputs(X), net.predict_outputs(X))
    other.parameters += 1
    assert not np.array_equal(other.predict_outputs(X), net.predict_outputs(X))


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_a_copy_predicts_the_same_and_its_layers_are_views_of_itself(copied: Any) -> None:
    net = network(batch_norm=True, activation="prelu")
    twin = copied(net)
    X, y = data()
    np.testing.assert_array_equal(twin.predict_outputs(X), net.predict_outputs(X))
    assert twin.config == net.config
    twin.layers[0].weights[:] = 0
    assert (twin.parameters[twin.weight_slices[0]] == 0).all()
    assert net.layers[0].weights.any()
    assert twin.loss_and_gradients(X, y)[1].shape == twin.parameters.shape


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({}, "parameters is missing"),
        ({"parameters": np.zeros(3)}, r"parameters has shape \(3,\)"),
        ({"parameters": np.zeros(79), "statistics": np.zeros(1)}, r"statistics has shape \(1,\)"),
    ],
)
def test_a_state_that_does_not_fit_is_refused(state: dict[str, Any], message: str) -> None:
    net = network()
    assert net.parameters.shape == (79,)
    with pytest.raises(UsageError, match=message):
        net.load_state(state)


@pytest.mark.parametrize("shape", [(4,), (4, FEATURES + 1), (2, 2, FEATURES)])
def test_inputs_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    net, X = network(), np.zeros(shape)
    for use in (net.predict_outputs, net.predict_proba, net.activations):
        with pytest.raises(UsageError, match=r"give \(samples, 5\)"):
            use(X)
    with pytest.raises(UsageError, match=r"give \(samples, 5\)"):
        net.loss_and_gradients(X, np.zeros(4, int))


@pytest.mark.parametrize(("features", "classes"), [(0, 3), (5, 1)])
def test_a_network_without_inputs_or_choice_is_refused(features: int, classes: int) -> None:
    with pytest.raises(UsageError, match="cannot be made"):
        Network(features, classes, NetworkConfig(), rng=np.random.default_rng(0))
