"""Losses: what a training makes small.

A loss is made for a batch size, like a layer: forward reads the network's outputs and leaves in its
scratch what ``total`` needs; backward, always after it, writes the outputs' gradient; neither
allocates. The scratch is of a block of batches, so that what is costly for one is done for all at
once. Beside that a loss has a plain form, ``mean``, for looking, and says what knowing nothing
costs, and what a training is scored by where nobody says otherwise. Arrays are unit-major,
(outputs, samples).

Cross-entropy learns classes, the others numbers. These are sums over the targets and expect them
standardized, so that each counts alike and outputs near 0 know nothing; halves are as in
scikit-learn, so that the gradient of the squared error is the residual.
"""

from __future__ import annotations

import math
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from hpsearch.nn.arrays import Array, Targets, scalar
from hpsearch.nn.scores import accuracy, r2
from hpsearch.nn.targets import OneHot, Values

__all__ = [
    "LOSSES",
    "AbsoluteError",
    "Huber",
    "Loss",
    "SoftmaxCrossEntropy",
    "SquaredError",
    "softmax",
]


class Kept(NamedTuple):
    """What forward leaves of a batch, and what it is told of it.

    Attributes:
        picked: shape (); for cross-entropy the sum of label logits, else the loss of all samples.
        normalizers: softmax sums (samples,); cross-entropy only.
        weights: how much each sample counts (samples,); None where all count 1.
    """

    picked: Array
    normalizers: Array
    weights: Array | None


class Scratch:
    """What forward leaves of the batches of a block.

    Args:
        batches: in a block, at most.
        size: samples in each of them, but in the last, which may have fewer.
        dtype: the network's.
        weighted: whether samples have weights, which are to be written to ``weights``.
    """

    def __init__(
        self, batches: int, size: int, dtype: npt.DTypeLike, *, weighted: bool = False
    ) -> None:
        self.size = size
        self.picked: Array = np.zeros(batches, dtype)
        self.normalizers: Array = np.empty(0, dtype)
        self.weights: Array | None = np.ones(batches * size, dtype) if weighted else None

    def of(self, k: int, samples: int) -> Kept:
        """The views of batch k."""
        first = k * self.size
        rows = slice(first, first + samples)
        return Kept(
            self.picked[k : k + 1].reshape(()),
            self.normalizers[rows],
            None if self.weights is None else self.weights[rows],
        )

    def total(self, batches: int, samples: int) -> float:  # noqa: ARG002 - cross-entropy's
        """The loss of the first batches, summed over their samples, in float64."""
        return float(self.picked[:batches].sum(dtype=np.float64))


class CrossEntropyScratch(Scratch):
    """Cross-entropy's, whose logarithms are taken for a whole block."""

    def __init__(
        self, batches: int, size: int, dtype: npt.DTypeLike, *, weighted: bool = False
    ) -> None:
        super().__init__(batches, size, dtype, weighted=weighted)
        self.normalizers = np.empty(batches * size, dtype)

    def total(self, batches: int, samples: int) -> float:
        """As for every scratch."""
        logarithms = np.log(self.normalizers[:samples])
        if self.weights is not None:
            logarithms *= self.weights[:samples]
        return float(logarithms.sum(dtype=np.float64)) - super().total(batches, samples)


class SoftmaxCrossEntropy:
    """-log softmax(logits)[label], for classes that exclude each other.

    Labels may be smoothed, as the targets are any probabilities: the loss is then that of Szegedy
    et al. (2016), "Rethinking the Inception architecture", section 7.

    Args:
        logits: scores (classes, samples).
        dlogits: where backward writes their gradient, same shape.
    """

    scratch = CrossEntropyScratch
    targets = OneHot
    score = staticmethod(accuracy)

    def __init__(self, logits: Array, dlogits: Array) -> None:
        classes, samples = logits.shape
        self.logits, self.dlogits = logits, dlogits
        self.largest = np.empty(samples, logits.dtype)
        self.shifted = np.empty_like(logits)
        self.shifted_flat = self.shifted.reshape(-1)
        self.dlogits_flat = self.dlogits.reshape(-1)
        self.ones = np.ones(classes, logits.dtype)
        self.seen: tuple[Array, Kept]

    def forward(self, targets: Array, kept: Kept) -> None:
        """Compute the softmax, not yet normalized, and the two parts of the loss.

        Args:
            targets: the probabilities of the classes (classes, samples), C-contiguous.
            kept: the batch's part of the scratch; receives of every sample
                sum(exp(logits - max)), and the sum over samples of the label's logit - max.
        """
        self.seen = targets, kept
        picked, normalizers, weights = kept
        # Subtracting the largest logit keeps exp from overflowing and cancels in the quotient.
        np.maximum.reduce(self.logits, 0, out=self.largest)
        np.subtract(self.logits, self.largest, self.shifted)
        if weights is None:
            np.dot(self.shifted_flat, targets.reshape(-1), picked)
        else:
            np.multiply(targets, weights, self.dlogits)
            np.dot(self.shifted_flat, self.dlogits_flat, picked)
        np.exp(self.shifted, self.shifted)
        np.dot(self.ones, self.shifted, normalizers)

    def backward(self, scale: Array) -> None:
        """Write scale * weight * (softmax - target) to ``dlogits``.

        Args:
            scale: 1/samples for the gradient of the mean loss; the trainer also folds the learning
                rate into it, shape ().
        """
        targets, (_, normalizers, weights) = self.seen
        if weights is None:
            np.divide(self.shifted, normalizers, self.dlogits)
            np.subtract(self.dlogits, targets, self.dlogits)
        else:
            np.divide(weights, normalizers, self.largest)
            np.multiply(self.shifted, self.largest, self.shifted)
            np.subtract(self.shifted, self.dlogits, self.dlogits)
        np.multiply(self.dlogits, scale, self.dlogits)

    @staticmethod
    def mean(logits: Array, labels: Targets) -> float:
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
    def outlying(labels: Targets) -> npt.NDArray[np.float64]:
        """What each sample costs for being far out (samples,): no label is."""
        return np.zeros(len(labels))

    @staticmethod
    def guessing(labels: Targets) -> float:
        """The loss of who knows how frequent each class is: the entropy, ln(classes) at most."""
        shares: list[float] = (np.bincount(labels) / len(labels)).tolist()
        return -sum(share * math.log(share) for share in shares if share > 0)


class _Residuals:
    """A loss of the residuals, outputs minus targets.

    Forward already writes the slope of each, so that backward only scales it.

    Args:
        outputs: predicted values (targets, samples).
        doutputs: where backward writes their gradient, same shape.
    """

    scratch = Scratch
    targets = Values
    score = staticmethod(r2)

    def __init__(self, outputs: Array, doutputs: Array) -> None:
        self.outputs, self.doutputs = outputs, doutputs
        self.doutputs_flat = doutputs.reshape(-1)
        self.partner = np.empty_like(outputs)
        self.partner_flat = self.partner.reshape(-1)
        self.half = scalar(0.5, outputs.dtype)

    def forward(self, targets: Array, kept: Kept) -> None:
        """Compute the loss, and the slope of each residual.

        Args:
            targets: true values (targets, samples).
            kept: the batch's part of the scratch; receives the sum of the loss over samples.
        """
        self.slopes(targets)
        if kept.weights is not None:
            np.multiply(self.doutputs, kept.weights, self.doutputs)
        np.dot(self.partner_flat, self.doutputs_flat, kept.picked)

    def slopes(self, targets: Array) -> None:
        """Write the slopes to ``doutputs``, and to ``partner`` what times a slope is the loss."""
        raise NotImplementedError

    def backward(self, scale: Array) -> None:
        """Write scale * weight * slope to ``doutputs``; see cross-entropy."""
        np.multiply(self.doutputs, scale, self.doutputs)

    @classmethod
    def mean(cls, outputs: Array, values: Targets) -> float:
        """The mean loss in float64.

        Args:
            outputs: predicted values (samples, targets).
            values: true values, same shape.
        """
        return float(cls.of(outputs.astype(np.float64) - values).sum(axis=1).mean())

    @classmethod
    def outlying(cls, values: Targets) -> npt.NDArray[np.float64]:
        """What each sample costs for being far out (samples,): the loss of outputs of 0."""
        return np.asarray(cls.of(values.astype(np.float64)).sum(axis=1))

    @classmethod
    def guessing(cls, values: Targets) -> float:
        """The loss of the constant that fits best, who knows how the targets are distributed."""
        numbers = values.astype(np.float64)
        return float(cls.of(numbers - cls.middle(numbers)).sum(axis=1).mean())

    @staticmethod
    def of(residuals: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The loss of each residual, in its plain form."""
        raise NotImplementedError

    @staticmethod
    def middle(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The constant of least loss for each target (targets,)."""
        raise NotImplementedError


class SquaredError(_Residuals):
    """Half the squared residual, which the mean makes smallest.

    >>> SquaredError.mean(np.array([[1.0, 2.0]]), np.array([[1.0, 5.0]]))
    4.5
    """

    def slopes(self, targets: Array) -> None:
        """The residuals themselves."""
        np.subtract(self.outputs, targets, self.doutputs)
        np.multiply(self.doutputs, self.half, self.partner)

    @staticmethod
    def of(residuals: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """r²/2."""
        return residuals * residuals / 2

    @staticmethod
    def middle(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The mean."""
        return np.asarray(values.mean(axis=0))

    @staticmethod
    def chance(targets: int) -> float:
        """The loss of who says the mean of standardized targets: half the variance of each."""
        return 0.5 * targets


class AbsoluteError(_Residuals):
    """The absolute residual, which the median makes smallest, so that outliers hardly count.

    >>> AbsoluteError.mean(np.array([[1.0, 2.0]]), np.array([[1.0, 5.0]]))
    3.0
    """

    def slopes(self, targets: Array) -> None:
        """The residuals' signs; 0 at 0."""
        np.subtract(self.outputs, targets, self.partner)
        np.sign(self.partner, self.doutputs)

    @staticmethod
    def of(residuals: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """|r|."""
        return np.abs(residuals)

    @staticmethod
    def middle(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The median."""
        return np.asarray(np.median(values, axis=0))

    @staticmethod
    def chance(targets: int) -> float:
        """The loss of who says the mean of standardized normal targets."""
        return math.sqrt(2 / math.pi) * targets


class Huber(_Residuals):
    """Squared up to a residual of 1, one standard deviation of the target, and absolute beyond.

    Huber (1964), "Robust estimation of a location parameter", Annals of Mathematical Statistics 35.

    >>> Huber.mean(np.array([[1.5, 2.0]]), np.array([[1.0, 5.0]]))
    2.625
    """

    def __init__(self, outputs: Array, doutputs: Array) -> None:
        super().__init__(outputs, doutputs)
        self.low, self.high = (scalar(x, outputs.dtype) for x in (-1.0, 1.0))
        self.halved = np.empty_like(outputs)

    def slopes(self, targets: Array) -> None:
        """The residuals, but no farther from 0 than 1."""
        np.subtract(self.outputs, targets, self.partner)
        np.maximum(self.partner, self.low, out=self.doutputs)
        np.minimum(self.doutputs, self.high, out=self.doutputs)
        # With the slope s of a residual r the loss is s(r - s/2), within 1 and beyond.
        np.multiply(self.doutputs, self.half, self.halved)
        np.subtract(self.partner, self.halved, self.partner)

    @staticmethod
    def of(residuals: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """r²/2 up to 1, |r| - 1/2 beyond."""
        size = np.abs(residuals)
        return np.where(size <= 1, size * size / 2, size - 0.5)

    @staticmethod
    def middle(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Where the slopes cancel, by halving."""
        low, high = values.min(axis=0), values.max(axis=0)
        for _ in range(50):
            middle = (low + high) / 2
            above = np.clip(values - middle, -1, 1).sum(axis=0) > 0
            low, high = np.where(above, middle, low), np.where(above, high, middle)
        return np.asarray((low + high) / 2)

    @staticmethod
    def chance(targets: int) -> float:
        """The loss of who says the mean of standardized normal targets."""
        density, within = math.exp(-0.5) / math.sqrt(2 * math.pi), math.erf(math.sqrt(0.5))
        return (within / 2 + density - (1 - within) / 2) * targets


Loss: TypeAlias = SoftmaxCrossEntropy | SquaredError | AbsoluteError | Huber
"""Any of them."""

LOSSES: dict[str, type[Loss]] = {
    "cross-entropy": SoftmaxCrossEntropy,
    "squared-error": SquaredError,
    "absolute-error": AbsoluteError,
    "huber": Huber,
}
"""Losses by name."""


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
