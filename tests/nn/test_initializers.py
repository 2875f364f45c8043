from __future__ import annotations

import numpy as np
import pytest

from hpsearch.nn.initializers import INITIALIZERS

FAN_IN, FAN_OUT = 400, 250


@pytest.mark.parametrize(
    ("name", "variance", "source"),
    [
        ("zeros", 0.0, "lecture 6"),
        ("small-random", 1e-4, "lecture 6"),
        ("large-random", 1.0, "lecture 6"),
        ("xavier", 1 / FAN_IN, "lecture 6"),
        ("he", 2 / FAN_IN, "He et al. (2015), equation 10"),
        ("xavier-average", 2 / (FAN_IN + FAN_OUT), "Glorot and Bengio (2010), equation 12"),
        ("xavier-uniform", 2 / (FAN_IN + FAN_OUT), "Glorot and Bengio (2010), equation 16"),
        ("he-fan-out", 2 / FAN_OUT, "He et al. (2015), equation 14"),
        ("he-uniform", 2 / FAN_IN, "He et al. (2015), as a uniform distribution"),
    ],
)
def test_variance(name: str, variance: float, source: str) -> None:
    weights = INITIALIZERS[name](np.random.default_rng(0), FAN_IN, FAN_OUT)
    assert weights.shape == (FAN_IN, FAN_OUT)
    # With 100,000 weights the standard error of a variance is 0.45% (Gaussian) at most.
    assert weights.var() == pytest.approx(variance, rel=0.02), source
    assert weights.mean() == pytest.approx(0.0, abs=0.02 * np.sqrt(variance))


@pytest.mark.parametrize("name", ["xavier-uniform", "he-uniform"])
def test_uniform_ones_stay_within_root_three_deviations(name: str) -> None:
    weights = INITIALIZERS[name](np.random.default_rng(0), FAN_IN, FAN_OUT)
    assert np.abs(weights).max() <= np.sqrt(3) * weights.std() * 1.01


@pytest.mark.parametrize("name", list(INITIALIZERS))
def test_the_same_generator_gives_the_same_weights(name: str) -> None:
    first, second = (INITIALIZERS[name](np.random.default_rng(5), 3, 4) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_he_keeps_the_variance_through_deep_relu_layers_and_small_random_loses_it() -> None:
    """The lecture's experiment: ten layers of 500 units."""
    rng = np.random.default_rng(0)
    ends = {}
    for name in ("he", "small-random"):
        x = rng.standard_normal((500, 500))
        for _ in range(10):
            x = np.maximum(x @ INITIALIZERS[name](rng, 500, 500), 0)
        ends[name] = float(np.mean(x**2))
    assert 0.3 < ends["he"] < 3
    assert ends["small-random"] < 1e-12
