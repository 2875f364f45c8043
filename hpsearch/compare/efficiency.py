"""What the best of some trials is worth, after Bergstra & Bengio (JMLR 13, 2012), section 2.1.

The trial that looks best on the validation part is partly the luckiest, and which one looks best is
itself uncertain. So no single trial is named the winner: each counts with the probability that it
is the best, and the score of the experiment is the mixture of their test scores.

Trials must be independent, as those of random search are. A trial that was stopped counts like a
constant answer, which the caller puts in. What an accuracy's variance is follows from its rows; of
other scores none is known from themselves, and the best one is taken for the best.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from hpsearch.compare.statistics import Floats
from hpsearch.errors import UsageError

__all__ = ["BestOf", "best_of", "efficiency_curve"]

CHUNK = 2**20
"""Normal numbers drawn at a time: 8 MiB of them, and as much again for comparing."""


class BestOf(NamedTuple):
    """The score of the best of some trials, with the uncertainty of choosing it.

    Attributes:
        mean: the expected test score.
        variance: of the test score; of the choice and of the test part together.
        weights: (S,) the probability of each trial to be the best.
    """

    mean: float
    variance: float
    weights: Floats


def best_of(
    validation: ArrayLike,
    test: ArrayLike,
    *,
    n_validation: int | None,
    n_test: int | None,
    draws: int = 10_000,
    rng: np.random.Generator,
) -> BestOf:
    """The test score of the best of S trials, each weighted by how likely it is the best one.

    Bergstra & Bengio (2012), section 2.1, for accuracies instead of errors: only the sign changes.

    Args:
        validation: (S,) scores on the validation part; greater is better.
        test: (S,) scores on the test part.
        n_validation: rows of the validation part, at least two, where scores are accuracies; None
            where they are not.
        n_test: rows of the test part, likewise.
        draws: how often the validation scores are drawn; the weights' standard error is at most
            0.5 / sqrt(draws).
        rng: where they are drawn from.

    Raises:
        UsageError: if there is no trial, or a score is not finite, or no accuracy where it is one.

    >>> rng = np.random.default_rng(0)
    >>> sure = best_of([0.5, 0.9], [0.6, 0.8], n_validation=1000, n_test=101, rng=rng)
    >>> sure.weights.tolist(), round(sure.mean, 3), round(sure.variance, 5)
    ([0.0, 1.0], 0.8, 0.0016)
    """
    P_valid = _scores(validation, "validation", n_validation)
    P_test = _scores(test, "test", n_test)
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
    n_validation: int | None,
    n_test: int | None,
    draws: int = 10_000,
    rng: np.random.Generator,
    sizes: Sequence[int],
) -> dict[int, list[float]]:
    """The random-experiment efficiency curve: the S trials seen as many small experiments.

    For each size s the trials are divided, in the order given, into S // s disjoint experiments,
    and each is scored by `best_of`; the trials that are left over count for no experiment of that
    size. Bergstra & Bengio (2012), figures 5 to 8.

    Args:
        validation: (S,) scores on the validation part, of independent trials.
        test: (S,) scores on the test part.
        n_validation: see `best_of`.
        n_test: see `best_of`.
        draws: see `best_of`.
        rng: see `best_of`.
        sizes: the sizes of an experiment.

    Returns:
        For each size the mean test score of each experiment, S // size of them.

    Raises:
        UsageError: as `best_of`, or if a size is not between 1 and S.
    """
    P_valid = _scores(validation, "validation", n_validation)
    P_test = _scores(test, "test", n_test)
    total = len(P_valid)
    curve = {}
    for size in sizes:
        if not 1 <= size <= total:
            raise UsageError(f"an experiment of {size} trials cannot be had from {total} trials.")
        curve[size] = [
            best_of(
                P_valid[start : start + size],
                P_test[start : start + size],
                n_validation=n_validation,
                n_test=n_test,
                draws=draws,
                rng=rng,
            ).mean
            for start in range(0, total - size + 1, size)
        ]
    return curve


def _weights(means: Floats, variances: Floats, draws: int, rng: np.random.Generator) -> Floats:
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


def _variance(accuracy: Floats, n: int | None) -> Floats:
    """The variance of an accuracy measured on n rows: P (1 - P) / (n - 1); else none."""
    if n is None:
        return np.zeros_like(accuracy)
    if n < 2:
        raise UsageError(f"a part of {n} rows says nothing of its variance; give at least two.")
    return accuracy * (1.0 - accuracy) / (n - 1)


def _scores(scores: ArrayLike, part: str, rows: int | None) -> Floats:
    array = np.asarray(scores, dtype=np.float64)
    if array.ndim != 1 or not len(array):
        raise UsageError(f"the {part} scores have shape {array.shape}; give one for each trial.")
    if rows is None and not np.isfinite(array).all():
        raise UsageError(f"the {part} scores are not all finite.")
    if rows is not None and not ((array >= 0.0) & (array <= 1.0)).all():
        raise UsageError(
            f"the {part} scores are not all accuracies between 0 and 1; "
            "let a trial that was stopped count with that of a constant answer."
        )
    return array
