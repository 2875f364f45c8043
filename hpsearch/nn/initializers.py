"""Weight initializations: how the first weights are drawn.

Each initializer is a function of the generator, the fan-in and the fan-out of a layer, and returns
a float64 matrix (fan_in, fan_out). The lecture's five come first, then variants from the papers.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import sqrt
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["INITIALIZERS", "Initializer", "gaussian", "uniform"]

Weights: TypeAlias = npt.NDArray[np.float64]
Variance: TypeAlias = Callable[[int, int], float]
Initializer: TypeAlias = Callable[[np.random.Generator, int, int], Weights]


def gaussian(variance: Variance, rng: np.random.Generator, fan_in: int, fan_out: int) -> Weights:
    """Draw from a normal distribution of mean 0.

    Args:
        variance: the variance as a function of fan-in and fan-out.
        rng: source of randomness.
        fan_in: inputs of the layer.
        fan_out: units of the layer.

    Returns:
        Array (fan_in, fan_out), float64.
    """
    return rng.standard_normal((fan_in, fan_out)) * sqrt(variance(fan_in, fan_out))


def uniform(variance: Variance, rng: np.random.Generator, fan_in: int, fan_out: int) -> Weights:
    """Draw from a uniform distribution of mean 0, symmetric, with the given variance.

    A uniform distribution on [-a, a] has variance a^2 / 3. Arguments and result as `gaussian`.
    """
    limit = sqrt(3.0 * variance(fan_in, fan_out))
    return rng.uniform(-limit, limit, (fan_in, fan_out))


def _zeros(rng: np.random.Generator, fan_in: int, fan_out: int) -> Weights:
    """All units the same, so that all learn the same: the lecture's first mistake."""
    del rng
    return np.zeros((fan_in, fan_out))


INITIALIZERS: dict[str, Initializer] = {
    "zeros": _zeros,
    "small-random": partial(gaussian, lambda _in, _out: 0.01**2),
    "large-random": partial(gaussian, lambda _in, _out: 1.0),
    # As the lecture writes it: keeps the variance of a linear layer's output.
    "xavier": partial(gaussian, lambda fan_in, _out: 1.0 / fan_in),
    # He et al. 2015, equation 10: a ReLU removes half of the variance.
    "he": partial(gaussian, lambda fan_in, _out: 2.0 / fan_in),
    # Glorot and Bengio 2010, equations 12 and 16: a compromise of forward and backward.
    "xavier-average": partial(gaussian, lambda fan_in, fan_out: 2.0 / (fan_in + fan_out)),
    "xavier-uniform": partial(uniform, lambda fan_in, fan_out: 2.0 / (fan_in + fan_out)),
    # He et al. 2015, equation 14: keeps the variance of the gradient instead.
    "he-fan-out": partial(gaussian, lambda _in, fan_out: 2.0 / fan_out),
    "he-uniform": partial(uniform, lambda fan_in, _out: 2.0 / fan_in),
}
"""Initializers by name."""
