"""A Gaussian process: what is believed of a smooth function after some noisy values of it.

The function is drawn from a normal distribution over functions, in which the values at two points
are the more alike the nearer the points; a value is seen with independent noise (Rasmussen &
Williams, Gaussian Processes for Machine Learning, 2006; equations are theirs):

    value_i = f(x_i) + e_i,   cov(f(x), f(x')) = scale * k(r),   var(e_i) = scale * noise

with the Matérn kernel of order 5/2 (4.17), k(r) = (1 + sqrt(5) r + 5/3 r^2) exp(-sqrt(5) r), which
Snoek, Larochelle & Adams (Practical Bayesian Optimization of Machine Learning Algorithms, 2012)
advise for hyperparameters, and r the distance with each input measured in a length of its own.

`fit` finds lengths and noise that make the values likely (5.8); the scale that then is best has a
closed form. With few values one length for all inputs is all that they can tell. With more each
input has its own, as a maximum a posteriori about the one for all: an input of which no value
speaks stays there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

__all__ = ["Array", "GaussianProcess", "Posterior", "fit", "given"]

Array: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]

LENGTHS = (0.15, 0.25, 0.4, 0.65, 1.0, 1.6)  # that are tried for all, in sqrt(number of inputs)
NOISES = (0.01, 0.05, 0.15, 0.4, 1.0)  # that are tried, in the variance of the function
SPREAD = 0.5  # of an input's length about the one for all, as the deviation of its logarithm
QUIETEST, NOISIEST = 1e-3, 10.0  # what the noise may be, in the variance of the function
TINY = 1e-12  # in place of the size of values which are all zero
TELLING = 256  # values of which lengths and noise are found; more make it slow and no better


@dataclass(frozen=True)
class GaussianProcess:
    """A Gaussian process that has seen values.

    Args:
        points: where they were seen, (n, coordinates).
        lengths: the length of the input that each coordinate belongs to, (coordinates,).
        noise: the variance of the noise, in that of the function.
        scale: the variance of the function before anything was seen.
        factor: lower Cholesky factor of the values' covariance, (n, n), without the scale.
        weights: that covariance's inverse times the values, (n,).
    """

    points: Array
    lengths: Array
    noise: float
    scale: float
    factor: Array
    weights: Array

    @property
    def noise_share(self) -> float:
        """The share of noise in the variance of a value."""
        return self.noise / (1.0 + self.noise)

    @property
    def expected(self) -> Array:
        """What is expected of the function where values were seen, (n,)."""
        value = self.factor @ (self.factor.T @ self.weights)
        less: Array = value - self.noise * self.weights
        return less

    def mean(self, points: Array) -> Array:
        """What is expected of the function at some points, (m, coordinates); (m,)."""
        value: Array = self.weights @ self.correlation(self.points, points)
        return value

    def posterior(self, points: Array) -> Posterior:
        """What is believed of the function at some points, (m, coordinates)."""
        from scipy.linalg import solve_triangular

        across = self.correlation(self.points, points)
        explained = solve_triangular(self.factor, across, lower=True, check_finite=False)
        return Posterior(self, points, self.weights @ across, explained)

    def left_out(self) -> tuple[Array, Array]:
        """What would be expected of each value, had all the others been seen and not it.

        In closed form (5.12), with the lengths and the noise that all of them gave.

        Returns:
            The mean and the variance of each value, its noise included, (n,) each.
        """
        from scipy.linalg import cho_solve

        inverse = cho_solve((self.factor, True), np.eye(len(self.points)), check_finite=False)
        values = self.factor @ (self.factor.T @ self.weights)
        alone: Array = 1.0 / np.diag(inverse)
        return values - self.weights * alone, self.scale * alone

    def correlation(self, a: Array, b: Array) -> Array:
        """How alike the function is at two lists of points before anything was seen."""
        return _correlation(a / self.lengths, b / self.lengths)


@dataclass(frozen=True)
class Posterior:
    """What is believed of a function at m points: a normal distribution (2.23, 2.24).

    Args:
        process: who believes it.
        points: the points, (m, coordinates).
        mean: what is expected at each, (m,).
        explained: what the values seen explain of the points' covariance, as its root, (n, m).
    """

    process: GaussianProcess
    points: Array
    mean: Array
    explained: Array

    @property
    def variance(self) -> Array:
        """How uncertain the function itself is at each point, (m,); noise comes on top of it."""
        left: Array = 1.0 - (self.explained * self.explained).sum(axis=0)
        return self.process.scale * np.maximum(left, 0.0)

    def covariance(self, which: slice) -> Array:
        """The covariance of all points with some of them, (m, some)."""
        prior = self.process.correlation(self.points, self.points[which])
        return self.process.scale * (prior - self.explained.T @ self.explained[:, which])


def fit(
    points: Array, values: Array, inputs: np.ndarray[Any, np.dtype[np.intp]], *, own_lengths: bool
) -> GaussianProcess:
    """The Gaussian process that explains values best.

    Args:
        points: where they were seen, (n, coordinates).
        values: (n,), about zero, and not all equal.
        inputs: the input that each coordinate belongs to, from 0, (coordinates,).
        own_lengths: whether each input has a length of its own.

    Raises:
        LinAlgError: of what the numbers do not allow for.
    """
    every = -(-len(values) // TELLING)
    some, of_some = points[::every], values[::every]
    count = int(inputs.max(initial=-1)) + 1
    squared = _squared_distances(some, inputs, count)
    lengths, noise = _shared_length(squared, of_some)
    if own_lengths:
        lengths, noise = _own_lengths(squared, of_some, lengths, noise)
    return given(points, values, lengths[inputs], noise)


def given(points: Array, values: Array, lengths: Array, noise: float) -> GaussianProcess:
    """The Gaussian process of these lengths and this noise, after it has seen some values.

    Args:
        points: where they were seen, (n, coordinates).
        values: (n,), about zero, and not all equal.
        lengths: the length of the input that each coordinate belongs to, (coordinates,).
        noise: the variance of the noise, in that of the function.

    Raises:
        LinAlgError: of what the numbers do not allow for.
    """
    from scipy.linalg import cho_solve

    scaled = points / lengths
    factor = _cholesky(_correlation(scaled, scaled), noise)
    weights = cho_solve((factor, True), values, check_finite=False)
    scale = float(values @ weights) / len(values)
    return GaussianProcess(points, lengths, noise, scale, factor, weights)


def _shared_length(squared: Array, values: Array) -> tuple[Array, float]:
    """The length for all inputs, and the noise, of highest likelihood among those tried."""
    inputs = len(squared)
    together = squared.sum(axis=0)
    best, found = -math.inf, (1.0, 1.0)
    for share in LENGTHS:
        length = share * math.sqrt(max(inputs, 1))
        correlation = _matern(together / length**2)
        for noise in NOISES:
            likelihood = _log_likelihood(_cholesky(correlation, noise), values)
            if likelihood > best:
                best, found = likelihood, (length, noise)
    return np.full(inputs, found[0]), found[1]


def _own_lengths(
    squared: Array, values: Array, lengths: Array, noise: float
) -> tuple[Array, float]:
    """The length of each input, and the noise: a local maximum a posteriori, from these on.

    The logarithm of each length is normal about the one that was found for all.
    """
    from scipy.optimize import minimize

    shared = np.log(lengths)

    def objective(x: Array) -> tuple[float, Array]:
        off = (x[:-1] - shared) / SPREAD
        loss, gradient = _loss(squared, values, x)
        gradient[:-1] += off / SPREAD
        return loss + 0.5 * float(off @ off), gradient

    start = np.log([*lengths, noise])
    bounds = [(length - 4.0, length + 4.0) for length in shared]
    bounds.append((math.log(QUIETEST), math.log(NOISIEST)))
    options = {"maxiter": 50}
    x = minimize(objective, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options).x
    return np.exp(x[:-1]), math.exp(x[-1])


def _loss(squared: Array, values: Array, x: Array) -> tuple[float, Array]:
    """Minus the log likelihood at log lengths and log noise ``x``, and its gradient (5.9)."""
    from scipy.linalg import cho_solve

    n = len(values)
    weight = np.exp(-2.0 * x[:-1])
    noise = math.exp(x[-1])
    r = np.sqrt(5.0 * np.tensordot(weight, squared, axes=1))
    decay = np.exp(-r)
    factor = _cholesky((1.0 + r + r * r / 3.0) * decay, noise)
    inverse = cho_solve((factor, True), np.eye(n), check_finite=False)
    alpha = inverse @ values
    size = max(float(values @ alpha), TINY)
    outer = inverse - np.outer(alpha, alpha) * (n / size)
    by_length = outer * ((1.0 + r) * decay)
    gradient = np.empty(len(x))
    gradient[:-1] = 5.0 / 6.0 * weight * np.tensordot(squared, by_length, axes=2)
    gradient[-1] = 0.5 * noise * np.trace(outer)
    return 0.5 * n * math.log(size / n) + float(np.log(np.diag(factor)).sum()), gradient


def _log_likelihood(factor: Array, values: Array) -> float:
    """Of the values, but for a constant, with the scale that makes it highest."""
    from scipy.linalg import solve_triangular

    white = solve_triangular(factor, values, lower=True, check_finite=False)
    n = len(values)
    size = max(float(white @ white), TINY)
    return -0.5 * n * math.log(size / n) - float(np.log(np.diag(factor)).sum())


def _squared_distances(
    points: Array, inputs: np.ndarray[Any, np.dtype[np.intp]], count: int
) -> Array:
    """How far any two points are apart in each input, squared, (inputs, n, n)."""
    squared = np.zeros((count, len(points), len(points)))
    for column, owner in zip(points.T, inputs, strict=True):
        squared[owner] += np.subtract.outer(column, column) ** 2
    return squared


def _correlation(a: Array, b: Array) -> Array:
    """The kernel of two lists of points, each coordinate in its length."""
    squared: Array = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1) - 2.0 * (a @ b.T)
    return _matern(np.maximum(squared, 0.0))


def _matern(squared: Array) -> Array:
    """The Matérn kernel of order 5/2 of squared distances in lengths (4.17)."""
    r = np.sqrt(5.0 * squared)
    kernel: Array = (1.0 + r + r * r / 3.0) * np.exp(-r)
    return kernel


def _cholesky(correlation: Array, noise: float) -> Array:
    from scipy.linalg import cholesky

    noisy = correlation + noise * np.eye(len(correlation))
    factor: Array = cholesky(noisy, lower=True, overwrite_a=True, check_finite=False)
    return factor
