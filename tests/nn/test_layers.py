from __future__ import annotations

import numpy as np
import pytest
from gradient_check import assert_same_gradient, numeric_gradient

from hpsearch.nn.layers import (
    VARIANCE_FLOOR,
    BatchNorm,
    Dense,
    Dropout,
    FrozenBatchNorm,
    LayerViews,
)

UNITS, SAMPLES = 5, 8


def dense(fan_in: int = 4, units: int = UNITS, *, first: bool = False) -> Dense:
    rng = np.random.default_rng(0)
    x = np.ones((fan_in + 1, SAMPLES))
    x[:-1] = rng.standard_normal((fan_in, SAMPLES))
    weights = rng.standard_normal((fan_in + 1, units))
    y, dy = np.empty((units, SAMPLES)), np.zeros((units, SAMPLES))
    dx = None if first else np.zeros((fan_in, SAMPLES))
    return Dense(x, y, dx, dy, weights, np.zeros_like(weights))


def test_dense_is_the_affine_map() -> None:
    layer = dense()
    layer.forward()
    w, b = layer.weights_t.T[:-1], layer.weights_t.T[-1]
    np.testing.assert_allclose(layer.y.T, layer.x[:-1].T @ w + b, rtol=1e-12)


@pytest.mark.parametrize(("fan_in", "units"), [(4, 5), (1, 1), (1, 3), (6, 1)])
def test_dense_gradients(fan_in: int, units: int) -> None:
    layer = dense(fan_in, units)
    direction = np.random.default_rng(1).standard_normal(layer.y.shape)

    def loss() -> float:
        layer.forward()
        return float(np.sum(direction * layer.y))

    numeric_weights = numeric_gradient(loss, layer.weights_t.T)
    numeric_input = numeric_gradient(loss, layer.x[:-1])
    layer.dy[:] = direction
    layer.backward()
    assert layer.dx is not None
    assert_same_gradient(layer.dweights, numeric_weights)
    assert_same_gradient(layer.dx, numeric_input)


def test_the_first_layer_computes_no_gradient_of_its_input() -> None:
    layer = dense(first=True)
    layer.dy[:] = 1.0
    layer.backward()
    assert layer.dx is None
    np.testing.assert_allclose(layer.dweights[-1], SAMPLES)


def views() -> LayerViews:
    rng = np.random.default_rng(1)
    affine = rng.standard_normal((2, UNITS))
    running = np.stack([rng.standard_normal(UNITS), rng.uniform(0.5, 2.0, UNITS)])
    none = np.zeros((0, UNITS))
    return LayerViews(
        dense=none,
        ddense=none,
        affine=affine,
        daffine=np.zeros_like(affine),
        slope=none,
        dslope=none,
        running=running,
        batches=np.zeros(()),
    )


def batch_norm(samples: int = SAMPLES) -> BatchNorm:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((UNITS, samples)) * 3 + 2
    gradient = np.zeros_like(x)
    return BatchNorm(x, np.empty_like(x), gradient, gradient, views())


def affine_of(layer: BatchNorm) -> np.ndarray:
    return layer.scale.base


def test_batch_norm_gradients() -> None:
    layer = batch_norm()
    direction = np.random.default_rng(1).standard_normal(layer.y.shape)

    def loss() -> float:
        layer.forward()
        return float(np.sum(direction * layer.y))

    numeric_input = numeric_gradient(loss, layer.x)
    numeric_affine = numeric_gradient(loss, affine_of(layer))
    layer.forward()
    layer.dy[:] = direction
    layer.backward()
    assert_same_gradient(layer.dscale.base, numeric_affine)
    assert_same_gradient(layer.dx, numeric_input)


def test_batch_norm_normalizes_each_unit() -> None:
    layer = batch_norm()
    affine_of(layer)[:] = [[1.0] * UNITS, [0.0] * UNITS]
    layer.forward()
    np.testing.assert_allclose(layer.y.mean(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(layer.y.var(axis=1), 1, rtol=1e-4)


def test_batch_norm_with_scale_sqrt_variance_and_shift_mean_is_the_identity() -> None:
    layer = batch_norm()
    mean, variance = layer.x.mean(axis=1), layer.x.var(axis=1)
    affine_of(layer)[:] = np.sqrt(variance + VARIANCE_FLOOR), mean
    layer.forward()
    np.testing.assert_allclose(layer.y, layer.x, rtol=1e-12)
    # The lecture leaves the floor out; it is a millionth of these variances.
    affine_of(layer)[:] = np.sqrt(variance), mean
    layer.forward()
    np.testing.assert_allclose(layer.y, layer.x, atol=1e-5)


def test_running_statistics_are_the_plain_mean_of_the_first_ten_batches_then_exponential() -> None:
    rng = np.random.default_rng(3)
    layer = batch_norm()
    means, variances = [], []
    for _ in range(10):
        layer.x[:] = rng.standard_normal(layer.x.shape)
        means.append(layer.x.mean(axis=1))
        variances.append(layer.x.var(axis=1, ddof=1))
        layer.forward()
    np.testing.assert_allclose(layer.running[0], np.mean(means, axis=0), rtol=1e-10)
    np.testing.assert_allclose(layer.running[1], np.mean(variances, axis=0), rtol=1e-10)
    before = layer.running.copy()
    layer.x[:] = rng.standard_normal(layer.x.shape)
    layer.forward()
    newest = np.stack([layer.x.mean(axis=1), layer.x.var(axis=1, ddof=1)])
    np.testing.assert_allclose(layer.running, 0.9 * before + 0.1 * newest, rtol=1e-10)
    assert layer.batches == 11


def test_a_batch_of_one_leaves_the_running_statistics_alone() -> None:
    layer = batch_norm(samples=1)
    before = layer.running.copy()
    layer.forward()
    np.testing.assert_array_equal(layer.running, before)
    assert layer.batches == 0
    np.testing.assert_array_equal(layer.y[:, 0], affine_of(layer)[1])


def test_frozen_batch_norm_uses_the_running_statistics() -> None:
    x = np.random.default_rng(0).standard_normal((UNITS, SAMPLES)) * 3 + 2
    layer = FrozenBatchNorm(x, np.empty_like(x), views())
    mean, variance = layer.running
    scale, shift = layer.affine
    layer.forward()
    expected = (layer.x.T - mean) / np.sqrt(variance + VARIANCE_FLOOR) * scale + shift
    np.testing.assert_allclose(layer.y.T, expected, rtol=1e-12)


def dropout(shape: tuple[int, int], rate: float, dtype: type = np.float64) -> Dropout:
    x, gradient = np.ones(shape, dtype), np.full(shape, 3.0, dtype)
    return Dropout(x, np.empty_like(x), gradient, gradient, rate, np.random.default_rng(0))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rate", [0.1, 0.5, 0.8])
def test_dropout_drops_that_share_and_keeps_the_mean(rate: float, dtype: type) -> None:
    layer = dropout((200, 500), rate, dtype)
    layer.forward()
    # 100,000 draws: five standard errors of a share are at most 0.008.
    assert np.mean(layer.y == 0) == pytest.approx(rate, abs=0.008)
    np.testing.assert_allclose(layer.y[layer.y > 0], 1 / (1 - rate), rtol=1e-6)


def test_dropout_sends_the_gradient_through_the_same_mask() -> None:
    layer = dropout((20, 30), 0.5)
    layer.forward()
    layer.backward()
    np.testing.assert_allclose(layer.dx, 3.0 * layer.y)
    assert (layer.x == 1).all()


def test_dropout_draws_a_new_mask_each_time() -> None:
    layer = dropout((20, 30), 0.5)
    layer.forward()
    first = layer.mask.copy()
    layer.forward()
    assert (first != layer.mask).any()
