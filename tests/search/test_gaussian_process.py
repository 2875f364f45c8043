from __future__ import annotations

import numpy as np
import pytest

from hpsearch.search.gaussian_process import (
    Array,
    GaussianProcess,
    _log_likelihood,
    _loss,
    _matern,
    _squared_distances,
    fit,
)

RNG = np.random.default_rng(5)
POINTS = RNG.random((30, 3))
INPUTS = np.arange(3)


def smooth(points: Array) -> Array:
    values: Array = np.sin(6 * points[:, 0]) + points[:, 1]
    return values - values.mean()


def matern(process: GaussianProcess, a: Array, b: Array) -> Array:
    """The covariance of the function, written as in the book, one pair after the other."""
    found = np.empty((len(a), len(b)))
    for i, j in np.ndindex(found.shape):
        r = np.sqrt((((a[i] - b[j]) / process.lengths) ** 2).sum())
        found[i, j] = (1 + np.sqrt(5) * r + 5 * r**2 / 3) * np.exp(-np.sqrt(5) * r)
    return process.scale * found


@pytest.mark.parametrize("own_lengths", [False, True])
def test_the_posterior_is_the_normal_distribution_given_the_values(own_lengths: bool) -> None:
    values = smooth(POINTS) + RNG.normal(0, 0.1, 30)
    process = fit(POINTS, values, INPUTS, own_lengths=own_lengths)
    new = RNG.random((7, 3))
    seen = matern(process, POINTS, POINTS) + process.scale * process.noise * np.eye(30)
    across = matern(process, new, POINTS)
    solved = across @ np.linalg.inv(seen)
    believed = process.posterior(new)
    assert believed.mean == pytest.approx(solved @ values)
    assert process.mean(new).tolist() == believed.mean.tolist()
    covariance = matern(process, new, new) - solved @ across.T
    assert believed.covariance(slice(None)) == pytest.approx(covariance)
    assert believed.variance == pytest.approx(np.diag(covariance))
    assert process.expected == pytest.approx(process.mean(POINTS))


def test_the_scale_is_the_likeliest() -> None:
    values = smooth(POINTS)
    process = fit(POINTS, values, INPUTS, own_lengths=False)
    correlation = matern(process, POINTS, POINTS) / process.scale + process.noise * np.eye(30)

    def log_density(scale: float) -> float:
        _, size = np.linalg.slogdet(scale * correlation)
        return float(-0.5 * values @ np.linalg.solve(scale * correlation, values) - 0.5 * size)

    best = log_density(process.scale)
    assert best > max(log_density(0.99 * process.scale), log_density(1.01 * process.scale))
    factor = np.linalg.cholesky(correlation)
    assert _log_likelihood(factor, values) == pytest.approx(best + 15)  # without constants


def test_the_gradient_of_the_likelihood() -> None:
    squared = _squared_distances(POINTS, INPUTS, 3)
    values = smooth(POINTS) + RNG.normal(0, 0.3, 30)
    x, direction = RNG.normal(-0.5, 0.5, 4), RNG.normal(size=4)
    step = 1e-6
    ahead, behind = (_loss(squared, values, x + s * direction)[0] for s in (step, -step))
    measured, derived = (ahead - behind) / (2 * step), _loss(squared, values, x)[1] @ direction
    assert derived == pytest.approx(measured, rel=1e-6), (derived, measured)


def test_an_input_that_does_not_matter_gets_a_long_length() -> None:
    points = RNG.random((80, 4))
    process = fit(points, smooth(points), np.arange(4), own_lengths=True)
    assert process.lengths[0] < process.lengths[1] < min(process.lengths[2:])


@pytest.mark.parametrize("share", [0.0, 0.2, 0.6])
@pytest.mark.parametrize("own_lengths", [False, True])
def test_the_share_of_noise(share: float, own_lengths: bool) -> None:
    points = np.random.default_rng(1).random((150, 2))
    values = smooth(points) / smooth(points).std()
    noise = np.random.default_rng(2).normal(0, np.sqrt(share / (1 - share)), len(points))
    process = fit(points, values + noise, np.arange(2), own_lengths=own_lengths)
    assert process.noise_share == pytest.approx(share, abs=0.15)


def test_coordinates_of_one_input_share_its_length() -> None:
    process = fit(POINTS, smooth(POINTS), np.array([0, 1, 1]), own_lengths=True)
    assert process.lengths[0] != process.lengths[1] == process.lengths[2]


def test_many_values_are_all_seen_though_some_tell_the_lengths() -> None:
    points = RNG.random((600, 2))
    process = fit(points, smooth(points), np.arange(2), own_lengths=True)
    assert process.posterior(points).mean == pytest.approx(smooth(points), abs=0.05)


@pytest.mark.parametrize("own_lengths", [False, True])
def test_what_tells_the_lengths_may_be_all_equal(own_lengths: bool) -> None:
    """As where nearly all networks are at chance."""
    points, values = RNG.random((600, 2)), np.zeros(600)
    values[[1, 3]] = -1.0, 1.0
    believed = fit(points, values, np.arange(2), own_lengths=own_lengths).posterior(points)
    assert np.isfinite(believed.mean).all()
    assert np.isfinite(believed.variance).all()


def test_no_input_at_all() -> None:
    values = np.array([-1.0, 0.0, 1.0])
    process = fit(np.empty((3, 0)), values, np.empty(0, np.intp), own_lengths=True)
    assert process.posterior(np.empty((2, 0))).mean == pytest.approx([0.0, 0.0])


def test_the_kernel_is_one_at_no_distance_and_falls() -> None:
    falling = _matern(np.linspace(0, 9, 50))
    assert falling[0] == 1.0
    assert (np.diff(falling) < 0).all()
