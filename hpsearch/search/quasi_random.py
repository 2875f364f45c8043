"""Quasi-random search: a scrambled Sobol sequence over the whole space.

Its points fill the unit cube more evenly than independent draws do (Sobol 1967; scrambling by Owen
1998), and point i depends on no result. It is the sequence behind Optuna's QMCSampler, taken from
SciPy directly: so a slot is a pure function of seed and index, and categorical and conditional
parameters belong to the sequence too.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from hpsearch.search.base import Configuration, Result, Stage, StageKind, slot_seed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hpsearch.space import Space

__all__ = ["QuasiRandomSearch", "sobol"]

_DRAW = 2**32 - 1  # an index that no slot has: keeps the scrambling apart from the training seeds


@dataclass(frozen=True)
class QuasiRandomSearch:
    """One stage with the first points of a Sobol sequence.

    Args:
        space: what the sequence fills.
        trials: how many points.
        epochs: how long each trains.
        seed: the study's seed; it scrambles the sequence.
    """

    space: Space
    trials: int
    epochs: int
    seed: int
    name: str = "qmc"
    stages: int = 1

    @property
    def planned_epochs(self) -> int:
        """The epochs of all its trainings together, if each trains as long as it may."""
        return self.trials * self.epochs

    def stage(self, results: Sequence[Result]) -> Stage:
        """The one stage; it depends on no results."""
        del results
        propose = sobol(self.space, self.trials, self.seed, stage=0)
        return Stage(
            StageKind(self.name), 0, self.trials, self.epochs, self.space, self.seed, propose
        )


def sobol(
    space: Space, count: int, seed: int, *, stage: int
) -> Callable[[int, Sequence[Result]], Configuration]:
    """The points of a scrambled Sobol sequence in a space.

    Args:
        space: what the sequence fills.
        count: how many points.
        seed: the study's seed.
        stage: the index of the stage; each has a sequence of its own.

    Returns:
        What a stage proposes: the configuration at an index, whatever has finished.
    """

    @cache
    def points() -> list[list[float]]:
        from scipy.stats import qmc

        dimensions = max(len(space.parameters), 1)
        engine = qmc.Sobol(dimensions, scramble=True, rng=slot_seed(seed, stage, _DRAW))
        # A power of two of them: only then is every coordinate evenly filled.
        found: list[list[float]] = engine.random_base2((count - 1).bit_length()).tolist()
        return found

    def propose(index: int, finished: Sequence[Result]) -> Configuration:
        del finished
        return space.from_unit(points()[index][: len(space.parameters)])

    return propose
