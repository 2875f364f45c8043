"""Scores: how good a network's outputs are, in one finite number; greater is better."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from hpsearch.nn.arrays import Array, Labels

__all__ = ["Score", "accuracy", "r2"]

Score: TypeAlias = Callable[[Array, npt.NDArray[Any]], float]
"""Takes the network's raw outputs (n, n_outputs) and the targets, labels (n,) or values
(n, n_outputs), and gives a finite number, greater being better."""


def accuracy(outputs: Array, labels: Labels) -> float:
    """The share of samples whose label has the greatest output.

    Args:
        outputs: logits or probabilities (n, classes).
        labels: class numbers (n,).

    Returns:
        A number in [0, 1].

    >>> accuracy(np.array([[0.2, 0.8], [0.9, 0.1]]), np.array([1, 1]))
    0.5
    """
    return float(np.mean(outputs.argmax(axis=1) == labels))


def r2(outputs: Array, targets: Array) -> float:
    """The coefficient of determination: the share of the targets' variance that is explained.

    It is 1 for perfect outputs and 0 for the targets' mean. As in scikit-learn, the mean over
    several targets, and of a target that never varies 1 where it is met exactly and else 0.

    Args:
        outputs: predicted values (n, n_outputs).
        targets: true values (n, n_outputs).

    Returns:
        A number up to 1.

    >>> y = np.array([[1.0], [2.0], [3.0]])
    >>> r2(y, y), r2(np.full((3, 1), 2.0), y)
    (1.0, 0.0)
    """
    truth: npt.NDArray[np.float64] = targets.astype(np.float64)
    missed = ((truth - outputs) ** 2).sum(axis=0)
    spread = ((truth - truth.mean(axis=0)) ** 2).sum(axis=0)
    varied = spread > 0
    explained = 1.0 - missed / np.where(varied, spread, 1.0)
    return float(np.where(varied, explained, missed == 0).mean())
