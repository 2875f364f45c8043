"""Scores: how good a network's outputs are, in one finite number; greater is better."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from hpsearch.nn.arrays import Array, Targets

__all__ = ["Score", "accuracy", "r2"]

Score: TypeAlias = Callable[[Array, Targets], float]
"""Takes the network's raw outputs (n, n_outputs) and the targets, labels (n,) or values
(n, n_outputs), and gives a finite number, greater being better."""


def accuracy(
    outputs: Array, labels: Targets, *, weights: npt.NDArray[np.float64] | None = None
) -> float:
    """The share of samples whose label has the greatest output.

    Args:
        outputs: logits or probabilities (n, classes).
        labels: class numbers (n,).
        weights: how much each sample counts (n,); None for all the same.

    Returns:
        A number in [0, 1].

    >>> accuracy(np.array([[0.2, 0.8], [0.9, 0.1]]), np.array([1, 1]))
    0.5
    """
    return float(np.average(outputs.argmax(axis=1) == labels, weights=weights))


def r2(
    outputs: Array, targets: Targets, *, weights: npt.NDArray[np.float64] | None = None
) -> float:
    """The coefficient of determination: the share of the targets' variance that is explained.

    It is 1 for perfect outputs and 0 for the targets' mean. As in scikit-learn, the mean over
    several targets, and of a target that never varies 1 where it is met exactly and else 0.

    Args:
        outputs: predicted values (n, n_outputs).
        targets: true values (n, n_outputs).
        weights: how much each sample counts (n,); None for all the same.

    Returns:
        A number up to 1.

    >>> y = np.array([[1.0], [2.0], [3.0]])
    >>> r2(y, y), r2(np.full((3, 1), 2.0), y)
    (1.0, 0.0)
    """
    truth: npt.NDArray[np.float64] = targets.astype(np.float64)
    mean = np.average(truth, axis=0, weights=weights)
    missed = np.average((truth - outputs) ** 2, axis=0, weights=weights)
    spread = np.average((truth - mean) ** 2, axis=0, weights=weights)
    varied = spread > 0
    explained = 1.0 - missed / np.where(varied, spread, 1.0)
    return float(np.where(varied, explained, missed == 0).mean())
