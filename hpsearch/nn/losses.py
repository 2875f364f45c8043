"""Softmax cross-entropy: the loss of a training step, and as a plain function for validation."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hpsearch.nn.arrays import Array, Labels

__all__ = ["SoftmaxCrossEntropy", "cross_entropy", "softmax"]


class SoftmaxCrossEntropy:
    """Mean of -log softmax(logits)[label] over a batch, class-major, without allocating.

    Forward leaves the batch's loss in two parts, log of ``normalizers`` summed minus ``picked``, so
    that the logarithms of many batches can be taken at once.

    Args:
        logits: scores (classes, samples).
        dlogits: where backward writes their gradient, same shape.
    """

    def __init__(self, logits: Array, dlogits: Array) -> None:
        classes, samples = logits.shape
        self.logits, self.dlogits = logits, dlogits
        self.largest = np.empty(samples, logits.dtype)
        self.shifted = np.empty_like(logits)
        self.shifted_flat = self.shifted.reshape(-1)
        self.ones = np.ones(classes, logits.dtype)

    def forward(self, targets: Array, normalizers: Array, picked: Array) -> None:
        """Compute the softmax, not yet normalized, and the two parts of the loss.

        Args:
            targets: one-hot labels (classes, samples), C-contiguous.
            normalizers: receives sum(exp(logits - max)) of every sample (samples,).
            picked: receives the sum over samples of the label's logit - max, shape ().
        """
        # Subtracting the largest logit keeps exp from overflowing and cancels in the quotient.
        np.maximum.reduce(self.logits, 0, out=self.largest)
        np.subtract(self.logits, self.largest, self.shifted)
        np.dot(self.shifted_flat, targets.reshape(-1), picked)
        np.exp(self.shifted, self.shifted)
        np.dot(self.ones, self.shifted, normalizers)

    def backward(self, targets: Array, normalizers: Array, scale: Array) -> None:
        """Write scale * (softmax - target) to ``dlogits``.

        Args:
            targets: as in forward.
            normalizers: as forward left them.
            scale: 1/samples for the gradient of the mean loss; the trainer also folds the learning
                rate into it, shape ().
        """
        np.divide(self.shifted, normalizers, self.dlogits)
        np.subtract(self.dlogits, targets, self.dlogits)
        np.multiply(self.dlogits, scale, self.dlogits)


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


def cross_entropy(logits: Array, labels: Labels) -> float:
    """Mean softmax cross-entropy in float64.

    Args:
        logits: scores (samples, classes).
        labels: class numbers (samples,).

    Returns:
        The mean of -log softmax(logits)[label].

    >>> round(cross_entropy(np.zeros((2, 4)), np.array([0, 3])), 6)  # log 4
    1.386294
    """
    shifted: npt.NDArray[np.float64] = logits.astype(np.float64)
    shifted -= shifted.max(axis=1, keepdims=True)
    picked = np.take_along_axis(shifted, labels.astype(np.intp)[:, None], axis=1)[:, 0]
    return float(np.mean(np.log(np.exp(shifted).sum(axis=1)) - picked))
