"""What the best of some trials is worth, after Bergstra & Bengio (JMLR 13, 2012), section 2.1.

The trial that looks best on the validation part is partly the luckiest, and which one looks best is
itself uncertain. So no single trial is named the winner: each counts with the probability that it
is the best, and the score of the experiment is the mixture of their test scores.

Trials must be independent, as those of random search are. A trial that was stopped counts with the
accuracy of chance, which the caller puts in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hpsearch.errors import UsageError

Floats: TypeAlias = NDArray[np.float64]

__all__ = ["BestOf", "EfficiencyPoint", "best_of", "efficiency_curve"]

CHUNK = 2**20
"""Normal numbers drawn at a time: 8 MiB of them, and as much again for comparing."""


class BestOf(NamedTuple):
    """The score of the best of some trials, with the uncertainty of choosing it.

    Attributes:
        mean: the expected test accuracy.
        variance: of the test accuracy; of the choice and of the test part together.
        weights: (S,) the probability of each trial to be the best.
    """

    mean: float
    variance: float
    weights: NDArray[np.float64]


class EfficiencyPoint(NamedTuple):
    """What experiments of one size come to.

    Attributes:
        size: trials in each experiment.
        scores: the mean test accuracy of each experiment, S // size of them.
        variances: the variance of each, in the same order.
    """

    size: int
    scores: tuple[float, ...]
    variances: tuple[float, ...]


def best_of(
    validation: ArrayLike,
    test: ArrayLike,
    *,
    n_validation: int,
    n_test: int,
    draws: int = 10_000,
    rng: np.random.Generator,
) -> BestOf:
    """The test accuracy of the best of S trials, each weighted by how likely it is the best one.

    Bergstra & Bengio (2012), section 2.1, for accuracies instead of errors: only the sign changes.

    Args:
        validation: (S,) accuracies on the validation part, in [0, 1].
        test: (S,) accuracies on the test part, in [0, 1].
        n_validation: rows of the validation part, at least two.
        n_test: rows of the test part, at least two.
        draws: how often the validation scores are drawn; the weights' standard error is at most
            0.5 / sqrt(draws).
        rng: where they are drawn from.

    Raises:
        UsageError: if there is no trial, or a score is no accuracy.

    >>> rng = np.random.default_rng(0)
    >>> sure = best_of([0.5, 0.9], [0.6, 0.8], n_validation=1000, n_test=101, rng=rng)
    >>> sure.weights.tolist(), round(sure.mean, 3), round(sure.variance, 5)
    ([0.0, 1.0], 0.8, 0.0016)
    """
    P_valid, P_test = _accuracies(validation, "validation"), _accuracies(test, "test")
    if len(P_valid) != len(P_test):
        raise UsageError(
            f"there are {len(P_valid)} validation scores and {len(P_test)} test scores; "
            "give both of each trial."
        )
    weights = _weights(P_valid, _variance(P_valid, n_validation), draws, rng)
    mean = float(weights @ P_test)
    # The variance of a mixture: sum_s w_s (mu_s^2 + sigma_s^2) - mu^2, here without cancellation.
    variance = float(weights @ ((P_test - mean) ** 2 + _variance(P_test, n_test)))
    return BestOf(mean, variance, weights)


def efficiency_curve(
    validation: ArrayLike,
    test: ArrayLike,
    *,
    n_validation: int,
    n_test: int,
    draws: int = 10_000,
    rng: np.random.Generator,
    sizes: Sequence[int] | None = None,
) -> list[EfficiencyPoint]:
    """The random-experiment efficiency curve: the S trials seen as many small experiments.

    For each size s the trials are divided, in the order given, into S // s disjoint experiments,
    and each is scored by `best_of`; the trials that are left over count for no experiment of that
    size. Bergstra & Bengio (2012), figures 5 to 8.

    Args:
        validation: (S,) accuracies on the validation part, in [0, 1], of independent trials.
        test: (S,) accuracies on the test part, in [0, 1].
        n_validation: rows of the validation part.
        n_test: rows of the test part.
        draws: see `best_of`.
        rng: see `best_of`.
        sizes: the sizes of an experiment; None for 1, 2, 4, ... up to S, and S itself.

    Raises:
        UsageError: as `best_of`, or if a size is not between 1 and S.
    """
    P_valid, P_test = _accuracies(validation, "validation"), _accuracies(test, "test")
    total = len(P_valid)
    points = []
    for size in _doubling(total) if sizes is None else sizes:
        if not 1 <= size <= total:
            raise UsageError(f"an experiment of {size} trials cannot be had from {total} trials.")
        scored = [
            best_of(
                P_valid[start : start + size],
                P_test[start : start + size],
                n_validation=n_validation,
                n_test=n_test,
                draws=draws,
                rng=rng,
            )
            for start in range(0, total - size + 1, size)
        ]
        means, variances = tuple(s.mean for s in scored), tuple(s.variance for s in scored)
        points.append(EfficiencyPoint(size, means, variances))
    return points


def _weights(
    means: Floats, variances: Floats, draws: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """How often each of S normal variables is the greatest of them; equals share."""
    if len(means) == 1:
        return np.ones(1)
    wins = np.zeros(len(means))
    rows = max(1, CHUNK // len(means))
    for start in range(0, draws, rows):
        shape = (min(rows, draws - start), len(means))
        drawn = means + np.sqrt(variances) * rng.standard_normal(shape)
        # Accuracies of 0 and 1 have no variance, so that equals are real.
        greatest = drawn == drawn.max(axis=1, keepdims=True)
        wins += (greatest / greatest.sum(axis=1, keepdims=True)).sum(axis=0)
    return wins / draws


def _variance(accuracy: Floats, n: int) -> Floats:
    """The variance of an accuracy measured on n rows: P (1 - P) / (n - 1)."""
    if n < 2:
        raise UsageError(f"a part of {n} rows says nothing of its variance; give at least two.")
    return accuracy * (1.0 - accuracy) / (n - 1)


def _accuracies(scores: ArrayLike, part: str) -> Floats:
    array = np.asarray(scores, dtype=np.float64)
    if array.ndim != 1 or not len(array):
        raise UsageError(f"the {part} scores have shape {array.shape}; give one for each trial.")
    if not ((array >= 0.0) & (array <= 1.0)).all():
        raise UsageError(
            f"the {part} scores are not all accuracies between 0 and 1; "
            "let a trial that was stopped count with the accuracy of chance."
        )
    return array


def _doubling(total: int) -> list[int]:
    """1, 2, 4, ... and the total.

    >>> _doubling(10)
    [1, 2, 4, 8, 10]
    """
    return sorted({2**k for k in range(total.bit_length())} | {total})
