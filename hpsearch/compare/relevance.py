"""Which hyperparameters matter, by the length scales of a Gaussian process.

After Bergstra & Bengio (2012), section 3: scores are modelled as a smooth function of the
configuration plus noise, with a squared-exponential kernel that has one length scale for each
parameter. Where a short step already changes the score, the length is short and the parameter
relevant: relevance is 1 / length, in shares of the sum. The model is fitted again and again to a
random part of the trials, so that a reader sees how sure it is.

Every parameter lies on its own unit scale (logarithmic where it is), so that lengths compare. A
categorical one has no order: two of its choices are at distance 1, whichever they are. A parameter
that does not exist in a configuration is put in the middle of its range (of all choices), where it
is near to all its values: that it is missing is an effect of the parameter which it depends on.

The likelihood is ours rather than scikit-learn's, whose kernels have one length for each column and
so cannot give the columns of a categorical parameter a common one; for numbers they agree.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hpsearch.errors import UsageError
from hpsearch.space import Categorical, Parameter, Space, Value

Floats: TypeAlias = NDArray[np.float64]

__all__ = ["Relevance", "relevance"]

ENOUGH = 10
"""Trials below which length scales are noise."""

MOST = 256
"""Trials that are used at most, drawn at random from more: a fit costs their number cubed, and the
paper had as many."""

LENGTHS = (0.05, 100.0)
"""Bounds of a length scale, in shares of the range: no shorter than neighbouring trials are apart,
and so long that the parameter has no effect at all."""

NOISE = (1e-4, 2.0)
"""Bounds of the noise's variance, of standardized scores."""

SIGNAL = (1e-2, 1e2)
"""Bounds of the function's variance, of standardized scores."""


class Relevance(NamedTuple):
    """The relevance of one parameter over the refits; those of all parameters sum to 1 in each."""

    median: float
    lower: float
    upper: float


def relevance(
    space: Space,
    configurations: Sequence[Mapping[str, Value]],
    scores: ArrayLike,
    *,
    refits: int = 50,
    share: float = 0.8,
    most: int = MOST,
    seed: int,
) -> dict[str, Relevance]:
    """How much each parameter of a space matters for the score.

    Args:
        space: the space in which all configurations lie.
        configurations: n of them, drawn independently of each other's scores (random search).
        scores: (n,) of them; trials without a finite score are left out.
        refits: how many fits, each to other trials.
        share: of the trials that each fit sees.
        most: how many trials are used at most, drawn at random from more.
        seed: of the draws; the same seed gives the same relevances.

    Returns:
        For each parameter of the space its median relevance and quartiles; 0 for one that has the
        same value in all trials.

    Raises:
        UsageError: if there are too few trials, or they all score the same.
        SpaceError: if a configuration lies outside the space.
    """
    y = np.asarray(scores, dtype=np.float64)
    if y.shape != (len(configurations),):
        raise UsageError(
            f"the scores of {len(configurations)} configurations have shape {y.shape}; "
            "give one of each."
        )
    rng = np.random.default_rng(seed)
    rows = np.flatnonzero(np.isfinite(y))
    if len(rows) > most:
        rows = np.sort(rng.choice(rows, most, replace=False))
    if len(rows) < ENOUGH or np.ptp(y[rows]) == 0.0:
        raise UsageError(
            f"relevance cannot be told from {len(rows)} trials with a score; "
            f"it needs at least {ENOUGH}, and scores that differ."
        )
    D = _distances(space, [configurations[i] for i in rows.tolist()])
    size = max(ENOUGH, round(share * len(rows)))
    fits = []
    for _ in range(refits):
        part = rng.choice(len(rows), min(size, len(rows)), replace=False)
        fits.append(_shares(D[:, part[:, None], part], y[rows][part]))
    lower, median, upper = np.quantile(fits, [0.25, 0.5, 0.75], axis=0).tolist()
    return {
        name: Relevance(median[i], lower[i], upper[i]) for i, name in enumerate(space.parameters)
    }


def _distances(space: Space, configurations: Sequence[Mapping[str, Value]]) -> Floats:
    """(p, n, n) squared distances of n configurations in each of p parameters."""
    D = np.empty((len(space.parameters), len(configurations), len(configurations)))
    for i, (name, parameter) in enumerate(space.parameters.items()):
        X = np.array([_place(parameter, c, name) for c in configurations])
        D[i] = ((X[:, None] - X[None]) ** 2).sum(axis=-1)
    return D


def _place(parameter: Parameter, configuration: Mapping[str, Value], name: str) -> Sequence[float]:
    """Where a configuration lies in one parameter: a number, or a corner of a simplex."""
    if not isinstance(parameter, Categorical):
        return [parameter.to_unit(configuration[name]) if name in configuration else 0.5]
    # Corners of a simplex whose edges have length 1; its centre where the parameter is missing.
    k = len(parameter.choices)
    if name not in configuration:
        return [math.sqrt(0.5) / k] * k
    chosen = min(int(parameter.to_unit(configuration[name]) * k), k - 1)
    return [math.sqrt(0.5) * (i == chosen) for i in range(k)]


def _shares(D: Floats, y: Floats) -> Floats:
    """(p,) the share of each parameter in the sum of inverse length scales, of one fit."""
    from scipy.optimize import minimize

    varies = np.array([distances.any() for distances in D])
    if not varies.any() or np.ptp(y) == 0.0:
        return np.full(len(D), 1.0 / len(D))
    D, z = D[varies], (y - y.mean()) / y.std()
    bounds = np.log([SIGNAL, NOISE, *[LENGTHS] * len(D)])
    # With d parameters that all matter, points are sqrt(d / 6) apart; start with that length.
    start = np.log([1.0, 0.1, *[math.sqrt(len(D) / 6)] * len(D)])
    fit = minimize(
        _negative_log_likelihood, start, args=(D, z), jac=True, bounds=bounds, method="L-BFGS-B"
    )
    found, inverse = np.zeros(len(varies)), np.exp(-fit.x[2:])
    found[varies] = inverse / inverse.sum()
    return found


def _negative_log_likelihood(theta: Floats, D: Floats, y: Floats) -> tuple[float, Floats]:
    """Minus the log marginal likelihood, and its gradient.

    Rasmussen & Williams, Gaussian Processes for Machine Learning (2006), equations 5.8 and 5.9.

    Args:
        theta: (2 + p,) logarithms of signal variance, noise variance and the length scales.
        D: (p, n, n) squared distances.
        y: (n,) standardized scores.
    """
    from scipy.linalg import cho_factor, cho_solve

    n = len(y)
    signal, noise = np.exp(theta[:2])
    precision = np.exp(-2 * theta[2:])
    flat = D.reshape(len(D), n * n)
    K = signal * np.exp(-0.5 * (precision @ flat)).reshape(n, n)
    factor = cho_factor(K + noise * np.eye(n), lower=True)
    alpha = cho_solve(factor, y)
    value = 0.5 * y @ alpha + np.log(np.diag(factor[0])).sum() + 0.5 * n * math.log(2 * math.pi)
    # d log p / d theta_j = 1/2 tr((alpha alpha' - K^-1) dK / d theta_j), eq. 5.9, where the
    # derivative of K to the logarithm of a length is K D / length^2.
    A = np.outer(alpha, alpha) - cho_solve(factor, np.eye(n))
    AK = (A * K).ravel()
    gradient = np.concatenate([[AK.sum(), noise * np.trace(A)], precision * (flat @ AK)])
    return float(value), -0.5 * gradient
