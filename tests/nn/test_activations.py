from __future__ import annotations

import numpy as np
import pytest
from gradient_check import assert_same_gradient, numeric_gradient
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hpsearch.nn.activations import ACTIVATIONS, Activation, LeakyReLU, Maxout, PReLU
from hpsearch.nn.arrays import CHUNK

UNITS, SAMPLES = 4, 7


def build(
    name: str, x: np.ndarray, *, pieces: int = 1, shared: bool = True, slope: float = 0.25
) -> Activation:
    """An activation over x; with ``shared``, backward works in place."""
    units = len(x) // pieces
    y = np.empty((units, x.shape[1]), x.dtype)
    dy = np.zeros_like(y)
    dx = dy if shared and pieces == 1 else np.zeros_like(x)
    n = units if ACTIVATIONS[name].initial_slope is not None else 0
    return ACTIVATIONS[name](x, y, dx, dy, np.full(n, slope, x.dtype), np.zeros(n, x.dtype))


def away_from_kinks(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    return rng.uniform(0.01, 3.0, shape) * rng.choice([-1.0, 1.0], shape)


@pytest.mark.parametrize(
    ("name", "at", "value", "derivative"),
    [
        # Worked by hand from the definitions: e = 2.718281828.
        ("sigmoid", 0.0, 0.5, 0.25),
        ("sigmoid", 1.0, 0.7310585786, 0.1966119332),
        ("sigmoid", -800.0, 0.0, 0.0),
        ("sigmoid", 800.0, 1.0, 0.0),
        ("tanh", 1.0, 0.7615941560, 0.4199743416),
        ("relu", 2.5, 2.5, 1.0),
        ("relu", -2.5, 0.0, 0.0),
        ("relu", 5e-324, 5e-324, 1.0),
        ("leaky-relu", 2.0, 2.0, 1.0),
        ("leaky-relu", -2.0, -0.02, 0.01),
        ("prelu", 2.0, 2.0, 1.0),
        ("prelu", -2.0, -0.5, 0.25),
        ("elu", 2.0, 2.0, 1.0),
        ("elu", -1.0, -0.6321205588, 0.3678794412),
        ("elu", -800.0, -1.0, 0.0),
        ("elu", 800.0, 800.0, 1.0),
    ],
)
def test_value_and_derivative(name: str, at: float, value: float, derivative: float) -> None:
    activation = build(name, np.full((1, 1), at))
    activation.forward()
    assert activation.y.item() == pytest.approx(value, abs=1e-9)
    activation.dy[:] = 1.0
    activation.backward()
    assert activation.dx.item() == pytest.approx(derivative, abs=1e-9)


@pytest.mark.parametrize("shared", [True, False], ids=["in place", "apart"])
@pytest.mark.parametrize("name", list(ACTIVATIONS))
def test_gradient_of_the_input(name: str, shared: bool) -> None:
    rng = np.random.default_rng(1)
    pieces = 3 if name == "maxout" else 1
    x = away_from_kinks(rng, (UNITS * pieces, SAMPLES))
    activation = build(name, x, pieces=pieces, shared=shared)
    direction = rng.standard_normal(activation.y.shape)

    def loss() -> float:
        activation.forward()
        return float(np.sum(direction * activation.y))

    numeric = numeric_gradient(loss, x)
    activation.forward()
    activation.dy[:] = direction
    activation.backward()
    assert_same_gradient(activation.dx, numeric)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", [name for name in ACTIVATIONS if name != "maxout"])
def test_y_may_be_x(name: str, dtype: type) -> None:
    rng = np.random.default_rng(3)
    x, direction = (rng.standard_normal((UNITS, SAMPLES)).astype(dtype) for _ in range(2))
    apart = build(name, x.copy())
    arrays = (x, x, np.zeros_like(x), np.zeros_like(x), apart.slope, np.zeros_like(apart.slope))
    in_place = ACTIVATIONS[name](*arrays)
    for activation in (apart, in_place):
        activation.forward()
        activation.dy[:] = direction
        activation.backward()
    np.testing.assert_array_equal(in_place.y, apart.y)
    np.testing.assert_array_equal(in_place.dx, apart.dx)
    np.testing.assert_array_equal(in_place.dslope, apart.dslope)


def test_relu_in_several_pieces() -> None:
    x = np.random.default_rng(0).standard_normal((7, CHUNK // 3)).astype(np.float32)
    relu = build("relu", x)
    relu.forward()
    np.testing.assert_array_equal(relu.y, np.maximum(x, 0))
    relu.dy[:] = 2.0
    relu.backward()
    np.testing.assert_array_equal(relu.dx, 2.0 * (x > 0))


def test_gradient_of_the_slope() -> None:
    rng = np.random.default_rng(2)
    activation = build("prelu", away_from_kinks(rng, (UNITS, SAMPLES)))
    activation.slope[:] = rng.uniform(-0.5, 1.5, UNITS)
    direction = rng.standard_normal(activation.y.shape)

    def loss() -> float:
        activation.forward()
        return float(np.sum(direction * activation.y))

    numeric = numeric_gradient(loss, activation.slope)
    activation.forward()
    activation.dy[:] = direction
    activation.backward()
    assert_same_gradient(activation.dslope, numeric)


@given(arrays(np.float64, (3, 5), elements=st.floats(-1e6, 1e6, allow_subnormal=False)))
def test_prelu_with_the_leaky_slope_is_leaky_relu(x: np.ndarray) -> None:
    prelu, leaky = build("prelu", x, slope=LeakyReLU.negative_slope), build("leaky-relu", x)
    for activation in (prelu, leaky):
        activation.forward()
        activation.dy[:] = 1.0
        activation.backward()
    np.testing.assert_allclose(prelu.y, leaky.y, rtol=1e-12)
    np.testing.assert_array_equal(prelu.dx, leaky.dx)


@given(arrays(np.float32, (3, 5), elements=st.floats(-1e6, 1e6, width=32)))
def test_prelu_with_slope_zero_is_relu(x: np.ndarray) -> None:
    prelu, relu = build("prelu", x, slope=0.0), build("relu", x)
    for activation in (prelu, relu):
        activation.forward()
    np.testing.assert_array_equal(prelu.y, relu.y)


def test_maxout_takes_the_largest_piece_and_sends_the_gradient_there_only() -> None:
    # Two pieces of two units, one sample: unit 0 has pieces 1 and 5, unit 1 has 4 and 2.
    x = np.array([[1.0], [4.0], [5.0], [2.0]])
    maxout = build("maxout", x, pieces=2)
    maxout.forward()
    assert maxout.y.ravel().tolist() == [5.0, 4.0]
    maxout.dy[:] = [[10.0], [20.0]]
    maxout.backward()
    assert maxout.dx.ravel().tolist() == [0.0, 20.0, 10.0, 0.0]


def test_maxout_of_equal_pieces_sends_the_gradient_to_one_of_them() -> None:
    maxout = build("maxout", np.zeros((6, 2)), pieces=3)
    maxout.forward()
    maxout.dy[:] = 1.0
    maxout.backward()
    assert maxout.dx.reshape(3, 2, 2).sum(axis=0).tolist() == [[1.0, 1.0], [1.0, 1.0]]


def test_maxout_of_x_and_minus_x_is_the_absolute_value() -> None:
    x = np.linspace(-2, 2, 9)[None, :]
    maxout = build("maxout", np.concatenate([x, -x]), pieces=2)
    assert isinstance(maxout, Maxout)
    maxout.forward()
    np.testing.assert_array_equal(maxout.y, np.abs(x))


@pytest.mark.parametrize("name", list(ACTIVATIONS))
def test_float32_stays_float32_and_close_to_float64(name: str) -> None:
    x = np.random.default_rng(0).standard_normal((6, 20)) * 4
    pieces = 2 if name == "maxout" else 1
    results = []
    for dtype in (np.float32, np.float64):
        activation = build(name, x.astype(dtype), pieces=pieces)
        activation.forward()
        activation.dy[:] = 1.0
        activation.backward()
        assert activation.y.dtype == activation.dx.dtype == dtype
        results.append((activation.y, activation.dx.copy()))
    for single, double in zip(*results, strict=True):
        np.testing.assert_allclose(single, double, rtol=1e-5, atol=1e-6)


def test_only_prelu_learns() -> None:
    assert [name for name, a in ACTIVATIONS.items() if a.initial_slope is not None] == ["prelu"]
    assert PReLU.initial_slope == 0.25  # He et al. (2015), section 2.1
