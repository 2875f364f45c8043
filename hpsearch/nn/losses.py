"""Losses: what a training makes small.

A loss is made for a batch size, like a layer: forward reads the network's outputs and leaves in its
scratch what backward and ``total`` need, backward writes the outputs' gradient; neither allocates.
The scratch is of a block of batches, so that what is costly for one is done for all at once. Beside
that a loss has a plain form, ``mean``, for looking, and says what knowing nothing costs. Arrays are
unit-major, (classes, samples).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from hpsearch.nn.arrays import Array, Labels
from hpsearch.nn.scores import accuracy

__all__ = ["LOSSES", "Loss", "SoftmaxCrossEntropy", "softmax"]


class CrossEntropyScratch:
    """What forward leaves of the batches of a block.

    Args:
        batches: in a block, at most.
        size: samples in each of them, but in the last, which may have fewer.
        dtype: the network's.
    """

    def __init__(self, batches: int, size: int, dtype: npt.DTypeLike) -> None:
        self.size = size
        self.normalizers: Array = np.empty(batches * size, dtype)
        self.picked: Array = np.zeros(batches, dtype)

    def of(self, k: int, samples: int) -> tuple[Array, Array]:
        """The views of batch k: softmax sums (samples,), and the sum of label logits, shape ()."""
        first = k * self.size
        return self.normalizers[first : first + samples], self.picked[k : k + 1].reshape(())

    def total(self, batches: int, samples: int) -> float:
        """The loss of the first batches, summed over their samples, in float64."""
        logarithms = np.log(self.normalizers[:samples]).sum(dtype=np.float64)
        return float(logarithms) - float(self.picked[:batches].sum(dtype=np.float64))


class SoftmaxCrossEntropy:
    """-log softmax(logits)[label], for classes that exclude each other.

    Args:
        logits: scores (classes, samples).
        dlogits: where backward writes their gradient, same shape.
    """

    scratch = CrossEntropyScratch
    score = staticmethod(accuracy)
    """What a training is scored by where nobody says otherwise."""

    def __init__(self, logits: Array, dlogits: Array) -> None:
        classes, samples = logits.shape
        self.logits, self.dlogits = logits, dlogits
        self.largest = np.empty(samples, logits.dtype)
        self.shifted = np.empty_like(logits)
        self.shifted_flat = self.shifted.reshape(-1)
        self.ones = np.ones(classes, logits.dtype)

    def forward(self, targets: Array, kept: Sequence[Array]) -> None:
        """Compute the softmax, not yet normalized, and the two parts of the loss.

        Args:
            targets: one-hot labels (classes, samples), C-contiguous.
            kept: the batch's part of the scratch; receives of every sample
                sum(exp(logits - max)), and the sum over samples of the label's logit - max.
        """
        normalizers, picked = kept
        # Subtracting the largest logit keeps exp from overflowing and cancels in the quotient.
        np.maximum.reduce(self.logits, 0, out=self.largest)
        np.subtract(self.logits, self.largest, self.shifted)
        np.dot(self.shifted_flat, targets.reshape(-1), picked)
        np.exp(self.shifted, self.shifted)
        np.dot(self.ones, self.shifted, normalizers)

    def backward(self, targets: Array, kept: Sequence[Array], scale: Array) -> None:
        """Write scale * (softmax - target) to ``dlogits``.

        Args:
            targets: as in forward.
            kept: as forward left it.
            scale: 1/samples for the gradient of the mean loss; the trainer also folds the learning
                rate into it, shape ().
        """
        np.divide(self.shifted, kept[0], self.dlogits)
        np.subtract(self.dlogits, targets, self.dlogits)
        np.multiply(self.dlogits, scale, self.dlogits)

    @staticmethod
    def mean(logits: Array, labels: Labels) -> float:
        """The mean loss in float64.

        Args:
            logits: scores (samples, classes).
            labels: class numbers (samples,).

        >>> SoftmaxCrossEntropy.mean(np.zeros((2, 4)), np.array([0, 3])) == math.log(4)
        True
        """
        shifted: npt.NDArray[np.float64] = logits.astype(np.float64)
        shifted -= shifted.max(axis=1, keepdims=True)
        picked = np.take_along_axis(shifted, labels.astype(np.intp)[:, None], axis=1)[:, 0]
        return float(np.mean(np.log(np.exp(shifted).sum(axis=1)) - picked))

    @staticmethod
    def chance(classes: int) -> float:
        """The loss of who knows nothing: ln(classes)."""
        return math.log(classes)

    @staticmethod
    def guessing(shares: Sequence[float]) -> float:
        """The loss of who knows how frequent each class is: the entropy, ln(classes) at most."""
        return -sum(share * math.log(share) for share in shares if share > 0)


LOSSES = {"cross-entropy": SoftmaxCrossEntropy}
"""Losses by name."""

Loss: TypeAlias = SoftmaxCrossEntropy
"""Any of them."""


def softmax(logits: Array) -> Array:
    """Probabilities from scores.

    Args:
        logits: scores (samples, classes).

    Returns:
        Array of the same shape and dtype; rows sum to one.

    >>> softmax(np.array([[0.0, np.log(3.0)]])).round(3).tolist()
    [[0.25, 0.75]]
    """
    exps = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: Array = exps / exps.sum(axis=1, keepdims=True)
    return probabilities
