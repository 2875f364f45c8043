"""What a network learns of a data set, and what its outputs say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hpsearch.data.target import Scale
from hpsearch.metrics import Task
from hpsearch.nn.losses import softmax

__all__ = ["Targets"]


@dataclass(frozen=True)
class Targets:
    """Between a data set's targets, in their own units, and a network's.

    Attributes:
        n_classes: of the whole data set; 0 for a quantity.
        scale: of a quantity, on the training rows; None for classes.

    >>> targets = Targets.of(np.array([10.0, 20.0, 30.0]), 0)
    >>> targets.read(targets.learned(np.array([20.0]))).tolist()
    [20.0]
    """

    n_classes: int
    scale: Scale | None

    @classmethod
    def of(cls, y_train: np.ndarray, n_classes: int, weight: np.ndarray | None = None) -> Targets:
        """Those of training rows (n,): class codes, or a quantity; and how much each counts."""
        return cls(n_classes, None if n_classes else Scale.of(y_train, weight))

    @property
    def task(self) -> Task:
        """What they ask for."""
        return "regression" if self.scale else "classification"

    @property
    def n_outputs(self) -> int:
        """How many outputs a network needs: one for each class, or one for the quantity."""
        return self.n_classes or 1

    def learned(self, y: np.ndarray) -> np.ndarray:
        """What a network is given: class codes (n,), or a standardized quantity (n, 1)."""
        return y if self.scale is None else self.scale.standardized(y)

    def read(self, outputs: np.ndarray) -> np.ndarray:
        """What outputs (n, n_outputs) say: probabilities (n, n_classes), or a quantity (n,)."""
        return softmax(outputs) if self.scale is None else self.scale.restored(outputs)
