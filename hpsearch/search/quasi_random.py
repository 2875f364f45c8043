"""Quasi-random search: a scrambled Sobol sequence over the whole space.

Its points fill the unit cube more evenly than independent draws do (Sobol 1967; scrambling by Owen
1998), and point i does not depend on any result. It is the sequence behind Optuna's QMCSampler,
taken from SciPy directly: a slot then is a pure function of seed and index, and categorical and
conditional parameters belong to the sequence too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hpsearch.search.base import Configuration, Result, Stage, slot_seed, stages_done

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hpsearch.space import Space

__all__ = ["QuasiRandomSearch"]


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

    def next_stage(self, results: Sequence[Result]) -> Stage | None:
        """The one stage, or None once it has results."""
        if stages_done(results):
            return None
        points: list[Configuration] = []

        def propose(index: int, finished: Sequence[Result]) -> Configuration:
            del finished
            if not points:
                points.extend(_sobol(self.space, self.trials, self.seed))
            return points[index]

        return Stage(self.name, 0, self.trials, self.epochs, self.space, self.seed, propose)


def _sobol(space: Space, count: int, seed: int) -> list[Configuration]:
    from scipy.stats import qmc

    if not space.parameters:
        return [{}] * count
    engine = qmc.Sobol(len(space.parameters), scramble=True, rng=slot_seed(seed, 0, 0))
    whole = engine.random_base2(max(count - 1, 0).bit_length())  # a power of two keeps the balance
    return [space.from_unit(point) for point in whole[:count]]
