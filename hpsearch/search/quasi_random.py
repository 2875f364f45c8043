"""Quasi-random search: a scrambled Sobol sequence over the whole space.

Its points fill the unit cube more evenly than independent draws do (Sobol 1967; scrambling by Owen
1998), and point i depends on no result. It is the sequence behind Optuna's QMCSampler, taken from
SciPy directly: so a slot is a pure function of seed and index, and categorical and conditional
parameters belong to the sequence too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

from hpsearch.search.base import slot_seed

__all__ = ["sobol_points", "unit_points"]

_DRAW = 2**32 - 1  # an index that no slot has: keeps the scrambling apart from the training seeds


def sobol_points(
    dimensions: int, count: int, seed: int, *, stage: int
) -> Callable[[int], Sequence[float]]:
    """The points of a scrambled Sobol sequence in the unit cube.

    Args:
        dimensions: of the cube.
        count: how many points are expected; more can be asked for.
        seed: the study's seed.
        stage: the index of the stage; each has a sequence of its own.

    Returns:
        What gives the point at an index, (dimensions,).
    """

    @cache
    def points(exponent: int) -> list[list[float]]:
        return unit_points(dimensions, 2**exponent, slot_seed(seed, stage, _DRAW))

    enough = (count - 1).bit_length()

    def point(index: int) -> Sequence[float]:
        return points(max(enough, index.bit_length()))[index][:dimensions]

    return point


def unit_points(dimensions: int, count: int, seed: int) -> list[list[float]]:
    """A scrambled Sobol sequence in the unit cube, of at least one dimension.

    Args:
        dimensions: of the cube.
        count: how many points are asked for; a power of two of them, at least so many, come back,
            since only then is every coordinate evenly filled.
        seed: of the scrambling.
    """
    from scipy.stats import qmc

    engine = qmc.Sobol(max(dimensions, 1), scramble=True, rng=seed)
    found: list[list[float]] = engine.random_base2((count - 1).bit_length()).tolist()
    return found
