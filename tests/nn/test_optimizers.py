from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from hpsearch.nn import OPTIMIZERS, TrainingConfig
from hpsearch.nn.arrays import CHUNK
from hpsearch.nn.optimizers import Optimizer


def make(
    name: str, start: np.ndarray, *, weights: list[slice] | None = None, **settings: Any
) -> tuple[Optimizer, np.ndarray, np.ndarray]:
    parameters, gradients = start.copy(), np.zeros_like(start)
    config = TrainingConfig(optimizer=name, **settings)
    slices = [slice(0, len(start))] if weights is None else weights
    return OPTIMIZERS[name](parameters, gradients, slices, config), parameters, gradients


def descend(
    name: str,
    gradient: Callable[[np.ndarray], np.ndarray],
    start: np.ndarray,
    *,
    rate: float | Callable[[int], float],
    steps: int,
    weights: list[slice] | None = None,
    **settings: Any,
) -> np.ndarray:
    """Take steps, folding the rate into the gradient for the rules that want it so."""
    optimizer, parameters, gradients = make(name, start, weights=weights, **settings)
    for t in range(steps):
        now = rate(t) if callable(rate) else rate
        gradients[:] = gradient(parameters) * (now if optimizer.linear else 1.0)
        optimizer.step(now)
    return parameters


def identity(w: np.ndarray) -> np.ndarray:
    """The gradient of w^2/2, so that g = w."""
    return w


@pytest.mark.parametrize(
    ("name", "settings", "after_two_steps"),
    [
        # From w = 1 with g = w and rate 0.1, worked by hand from the published formulas.
        ("sgd", {}, 0.9 - 0.1 * 0.9),
        # v1 = -0.1, w1 = 0.9; v2 = 0.5 v1 - 0.09 = -0.14, w2 = 0.76.
        ("momentum", {"momentum": 0.5}, 0.76),
        # v1 = -0.1, w1 = 1 - 0.05 - 0.1 = 0.85; v2 = -0.05 - 0.085, w2 = 0.85 + 0.5 v2 - 0.085.
        ("nesterov", {"momentum": 0.5}, 0.6975),
        # s1 = 1, w1 = 0.9; s2 = 1.81, w2 = 0.9 - 0.1 * 0.9 / sqrt(1.81).
        ("adagrad", {}, 0.9 - 0.09 / math.sqrt(1.81)),
        # s1 = 0.1, w1 = 1 - 0.1/sqrt(0.1); s2 = 0.09 + 0.1 w1^2.
        (
            "rmsprop",
            {"rms_decay": 0.9},
            (w1 := 1 - 0.1 / math.sqrt(0.1)) - 0.1 * w1 / math.sqrt(0.09 + 0.1 * w1**2),
        ),
        # m'1 = v'1 = 1, w1 = 0.9; m'2 = (0.09 + 0.09)/0.19, v'2 = (0.000999 + 0.00081)/0.001999.
        (
            "adam",
            {"momentum": 0.9, "beta2": 0.999},
            0.9 - 0.1 * (0.18 / 0.19) / math.sqrt(0.001809 / 0.001999),
        ),
    ],
)
def test_two_steps_worked_by_hand(
    name: str, settings: dict[str, float], after_two_steps: float
) -> None:
    end = descend(name, identity, np.ones(1), rate=0.1, steps=2, **settings)
    assert end.item() == pytest.approx(after_two_steps, rel=1e-6)


def adam_by_the_paper(
    w: np.ndarray, rates: list[float], b1: float, b2: float, epsilon: float
) -> np.ndarray:
    """Kingma and Ba (2015) as at the end of their section 2, line by line, on g = w."""
    m, v = np.zeros_like(w), np.zeros_like(w)
    for t, rate in enumerate(rates, start=1):
        g = w
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        w = w - rate * np.sqrt(1 - b2**t) / (1 - b1**t) * m / (np.sqrt(v) + epsilon)
    return w


@pytest.mark.parametrize("epsilon", [1e-8, 0.1])
def test_adam_is_the_paper_s_algorithm_under_a_changing_rate(epsilon: float) -> None:
    start = np.random.default_rng(0).standard_normal(50)
    rates = [0.05 / (1 + t) for t in range(20)]
    end = descend(
        "adam", identity, start, rate=rates.__getitem__, steps=20, beta2=0.99, epsilon=epsilon
    )
    expected = adam_by_the_paper(start, rates, 0.9, 0.99, epsilon)
    np.testing.assert_allclose(end, expected, rtol=1e-10)


@pytest.mark.parametrize(
    ("name", "rate", "steps"),
    [
        ("sgd", 0.1, 300),
        ("momentum", 0.05, 300),
        ("nesterov", 0.05, 300),
        ("adagrad", 0.5, 1000),
        ("rmsprop", 0.005, 3000),
        ("adam", 0.02, 2000),
        ("adamw", 0.02, 2000),
    ],
)
def test_finds_the_bottom_of_a_parabola(name: str, rate: float, steps: int) -> None:
    target, curvature = np.array([3.0, -2.0, 0.5]), np.array([1.0, 4.0, 0.5])
    end = descend(name, lambda w: curvature * (w - target), np.zeros(3), rate=rate, steps=steps)
    np.testing.assert_allclose(end, target, atol=0.01)


def rosenbrock(w: np.ndarray) -> np.ndarray:
    """The gradient of (1 - a)^2 + 100 (b - a^2)^2, whose minimum is at (1, 1)."""
    a, b = w
    return np.array([-2 * (1 - a) - 400 * a * (b - a**2), 200 * (b - a**2)])


@pytest.mark.parametrize(
    ("name", "rate", "steps"),
    [
        ("sgd", 0.001, 30_000),
        ("momentum", 0.0003, 20_000),
        ("nesterov", 0.0003, 20_000),
        ("adagrad", 0.5, 20_000),
        ("rmsprop", 0.0005, 20_000),
        ("adam", 0.01, 10_000),
        ("adamw", 0.01, 10_000),
    ],
)
def test_follows_rosenbrock_s_valley(name: str, rate: float, steps: int) -> None:
    end = descend(name, rosenbrock, np.array([-1.0, 1.0]), rate=rate, steps=steps)
    np.testing.assert_allclose(end, 1.0, atol=0.05)


@pytest.mark.parametrize(
    ("variant", "base", "settings"),
    [
        ("momentum", "sgd", {"momentum": 0.0}),
        ("nesterov", "sgd", {"momentum": 0.0}),
        ("adamw", "adam", {"l2": 0.0}),
    ],
)
def test_a_variant_reduces_to_its_base(variant: str, base: str, settings: dict[str, float]) -> None:
    start = np.random.default_rng(0).standard_normal(20)
    ends = [
        descend(name, identity, start, rate=0.1, steps=10, **settings) for name in (variant, base)
    ]
    np.testing.assert_allclose(*ends, rtol=1e-14)


@pytest.mark.parametrize("name", [name for name in OPTIMIZERS if name != "adamw"])
def test_l2_adds_its_gradient_to_the_weights_only(name: str) -> None:
    start = np.random.default_rng(0).standard_normal(10)
    l2 = 0.3
    coupled = descend(
        name, identity, start, rate=0.1, steps=5, weights=[slice(2, 5), slice(7, 9)], l2=l2
    )
    factor = np.ones(10)
    factor[[2, 3, 4, 7, 8]] += l2
    by_hand = descend(name, lambda w: factor * w, start, rate=0.1, steps=5)
    np.testing.assert_allclose(coupled, by_hand, rtol=1e-12)


def test_adamw_shrinks_the_weights_apart_from_the_gradient() -> None:
    start = np.array([2.0, 2.0])
    end = descend("adamw", np.zeros_like, start, rate=0.1, steps=3, weights=[slice(0, 1)], l2=0.5)
    np.testing.assert_allclose(end, [2.0 * 0.95**3, 2.0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", list(OPTIMIZERS))
def test_chunks_change_nothing(name: str, dtype: type) -> None:
    """A vector of several chunks and a rest, with a weight slice across the borders."""
    n = 2 * CHUNK + 100
    start = np.random.default_rng(0).standard_normal(n).astype(dtype)
    across = [slice(10, CHUNK + 50), slice(CHUNK + 60, n - 20)]
    whole = descend(name, identity, start, rate=0.1, steps=3, weights=across, l2=0.1)
    assert whole.dtype == dtype
    picked = np.array([0, 9, 10, CHUNK - 1, CHUNK, CHUNK + 55, 2 * CHUNK, n - 21, n - 20, n - 1])
    inside = [i for i, at in enumerate(picked) if any(s.start <= at < s.stop for s in across)]
    alone = descend(
        name,
        identity,
        start[picked],
        rate=0.1,
        steps=3,
        weights=[slice(i, i + 1) for i in inside],
        l2=0.1,
    )
    np.testing.assert_allclose(whole[picked], alone, rtol=1e-6)
