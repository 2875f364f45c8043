"""What a training's snapshots show, checked by hand; and that they change nothing."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from hpsearch.nn import Network, NetworkConfig, TrainingConfig, train
from hpsearch.nn.activations import ACTIVATIONS, SMALL_SLOPE
from hpsearch.nn.trace import QUANTITIES, SNAPSHOT_STEPS, Trace, Tracer, spaced

rng = np.random.default_rng(0)
X = rng.standard_normal((300, 6)).astype(np.float32)
Y = (X[:, 0] > X[:, 1]).astype(np.int64) + (X[:, 2] > 0)
SETTINGS = TrainingConfig(learning_rate=0.05, epochs=5, batch_size=32)


def traced(config: NetworkConfig, settings: TrainingConfig = SETTINGS) -> Trace:
    generator = np.random.default_rng(1)
    network = Network(6, 3, config, rng=generator)
    result = train(network, X, Y, settings, rng=generator, trace=True)
    assert result.trace is not None
    return result.trace


@pytest.mark.parametrize(
    "config",
    [
        NetworkConfig((8, 8)),
        NetworkConfig((8,), "maxout", dropout=0.5),
        NetworkConfig((8, 8), "prelu", batch_norm=True),
        NetworkConfig(()),
    ],
)
@pytest.mark.parametrize("averaging", [0.0, 0.9])
@pytest.mark.parametrize("optimizer", ["momentum", "adam"])
def test_a_traced_training_is_the_same(
    config: NetworkConfig, averaging: float, optimizer: str
) -> None:
    settings = replace(SETTINGS, optimizer=optimizer, weight_averaging=averaging)
    states, curves = [], []
    for trace in (False, True):
        generator = np.random.default_rng(1)
        network = Network(6, 3, config, rng=generator)
        result = train(
            network, X, Y, settings, rng=generator, trace=trace, validation=(X[:50], Y[:50])
        )
        states.append(network.state())
        curves.append(result.curve)
    assert curves[0] == curves[1]
    for name, array in states[0].items():
        np.testing.assert_array_equal(array, states[1][name])


def test_the_quantities_of_a_layer_by_hand() -> None:
    generator = np.random.default_rng(1)
    network = Network(6, 3, NetworkConfig((8, 5), "tanh", "xavier"), rng=generator)
    tracer = Tracer(network, X, Y, steps=10**6, last=1)
    rows = spaced(len(Y), 32)
    tracer.before_step()
    network.parameters[:] += 0.5
    tracer.after_step()
    tracer.take(0)
    trace = tracer.trace()
    [seen] = trace.snapshots
    hidden = network.activations(X[rows])
    loss, gradient = network.loss_and_gradients(X[rows], Y[rows])
    assert seen.loss == pytest.approx(loss, rel=1e-5)
    right = network.predict_outputs(X[rows]).argmax(axis=1) == Y[rows]
    assert seen.score == right.mean()
    assert trace.input_size == pytest.approx(np.sqrt((X[rows] ** 2).mean()), rel=1e-5)
    squares = 0.0
    for i, part in enumerate(network.weight_slices):
        weights, slopes = network.parameters[part], gradient[part]
        squares += float((slopes**2).sum())
        out = hidden[i] if i < 2 else network.predict_outputs(X[rows])
        flat = np.abs(out) > np.sqrt(1 - SMALL_SLOPE) if i < 2 else np.zeros_like(out)
        size = np.sqrt((weights**2).mean())
        expected = {
            "output mean": out.mean(),
            "output std": out.std(),
            "saturated": flat.mean(),
            "dead": flat.all(axis=0).mean(),
            "weight size": size,
            "gradient mean": slopes.mean(),
            "gradient std": slopes.std(),
            "update ratio": 0.5 / size,
        }
        assert tuple(expected) == QUANTITIES
        np.testing.assert_allclose(seen.layers[i], list(expected.values()), rtol=1e-3, atol=1e-6)
    assert seen.gradient_norm == pytest.approx(np.sqrt(squares), rel=1e-4)


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_saturated_is_where_the_slope_is_small(name: str) -> None:
    if name == "maxout":
        assert not ACTIVATIONS[name].saturated(np.array([-9.0, 0.0, 9.0])).any()
        return
    x = np.linspace(-8, 8, 4001)
    arrays = [x.reshape(1, -1).copy(), *(np.empty((1, 4001)) for _ in range(3))]
    arrays[3][:] = 1.0
    made = ACTIVATIONS[name](*arrays, np.array([0.25]), np.zeros(1))  # type: ignore[arg-type]
    made.forward()
    made.backward()
    slopes = arrays[2][0]
    small = np.abs(slopes) < SMALL_SLOPE * np.abs(slopes).max()
    if name == "leaky-relu":
        small[:] = False  # by its slope of 0.01 a leaky unit learns, slowly, and never dies
    off = made.saturated(arrays[1])[0] != small
    assert off.sum() <= 2, "but for the edges"


def test_a_snapshot_is_taken_once_an_epoch_or_as_often_as_it_costs_little() -> None:
    def taken(epochs: int, batch_size: int) -> tuple[int, ...]:
        settings = replace(SETTINGS, epochs=epochs, batch_size=batch_size)
        trace = traced(NetworkConfig((4,)), settings)
        return tuple(snapshot.epoch for snapshot in trace.snapshots)

    assert taken(3, 1) == (0, 1, 2, 3), "300 steps an epoch"
    every = -(-SNAPSHOT_STEPS // 10)
    assert taken(25, 32) == tuple(sorted({*range(0, 26, every), 25})), "10 steps an epoch"
    assert taken(1, 300) == (0, 1)


def test_the_document_is_json_also_of_a_network_that_exploded() -> None:
    generator = np.random.default_rng(1)
    network = Network(6, 3, NetworkConfig((8,)), rng=generator)
    tracer = Tracer(network, X, Y, steps=100, last=2)
    tracer.take(0)
    network.parameters[:] = np.inf
    tracer.take(1)
    document = tracer.trace().document()
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert document["epochs"] == [0, 1]
    assert set(document["layers"]) == set(QUANTITIES)
    assert [len(moments) for moments in document["layers"]["dead"]] == [2, 2]
    assert document["layers"]["weight size"][0][1] is None


def test_the_probe_sees_sorted_data_whole() -> None:
    order = np.argsort(Y, kind="stable")
    generator = np.random.default_rng(1)
    network = Network(6, 3, NetworkConfig((8,)), rng=generator)
    tracer = Tracer(network, X[order], Y[order], steps=100, last=2)
    assert set(tracer.probed.tolist()) == {0, 1, 2}
