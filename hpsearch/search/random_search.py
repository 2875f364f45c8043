"""Random search: independent draws from the whole space (Bergstra & Bengio, JMLR 13, 2012)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hpsearch.search.base import Configuration, Result, Stage, StageKind, generator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hpsearch.space import Space

__all__ = ["RandomSearch"]

_DRAW = 1  # keeps the key of a draw apart from the key of a training seed


@dataclass(frozen=True)
class RandomSearch:
    """One stage of independent draws.

    Args:
        space: what to draw from.
        trials: how many draws.
        epochs: how long each trains.
        seed: the study's seed.
    """

    space: Space
    trials: int
    epochs: int
    seed: int
    name: str = "random"
    stages: int = 1

    @property
    def planned_epochs(self) -> int:
        """The epochs of all its trainings together, if each trains as long as it may."""
        return self.trials * self.epochs

    def stage(self, results: Sequence[Result]) -> Stage:
        """The one stage; it depends on no results."""
        del results
        return Stage(
            StageKind(self.name), 0, self.trials, self.epochs, self.space, self.seed, self._draw
        )

    def _draw(self, index: int, finished: Sequence[Result]) -> Configuration:
        del finished
        return self.space.sample(generator(self.seed, 0, index, _DRAW))
