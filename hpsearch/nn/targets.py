"""What a network is to put out: one-hot labels, or numbers, gathered a block of batches at a time.

Data have targets as they come, a label a sample or a row of numbers; a loss reads them unit-major,
(outputs, samples). Both classes have the same methods, and a loss names the one that it needs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from hpsearch.errors import UsageError
from hpsearch.nn.arrays import Array, Labels

__all__ = ["OneHot", "Values"]


class OneHot:
    """Labels as probabilities of the classes: all of it at the label, but for what is smoothed.

    Args:
        labels: class numbers (n,).
        classes: rows of the targets.
        batches: in a block, at most.
        size: samples in each of them, but in the last, which may have fewer.
        dtype: the network's.
        smoothing: the share of the probability that all classes get alike.
    """

    least = 2
    """A network has so many outputs at least."""

    def __init__(
        self,
        labels: Labels,
        classes: int,
        *,
        batches: int,
        size: int,
        dtype: npt.DTypeLike,
        smoothing: float = 0.0,
    ) -> None:
        capacity = batches * size
        self.labels, self.classes, self.size = labels.astype(np.intp), classes, size
        self.low = smoothing / classes
        self.high = 1.0 - smoothing + self.low
        self._block = np.empty(capacity * classes, dtype)
        self._at = np.empty(capacity, np.intp)
        # Where in the flat block the class 0 of each sample is: batch, then column.
        batch, column = np.divmod(np.arange(capacity), size)
        self._origin = batch * (classes * size) + column

    def of(self, k: int, samples: int) -> Array:
        """The view of batch k (classes, samples)."""
        flat = self._block[k * self.size * self.classes :][: samples * self.classes]
        return flat.reshape(self.classes, samples)

    def gather(self, chosen: npt.NDArray[np.intp]) -> None:
        """Write the targets of the chosen samples, batch after batch."""
        n = len(chosen)
        at = self._at[:n]
        np.take(self.labels, chosen, 0, at, "clip")
        # Class c of a sample lies c rows further on, and a row is as long as its batch.
        full = n - n % self.size
        at[:full] *= self.size
        at[full:] *= n - full
        at += self._origin[:n]
        block = self._block[: n * self.classes]
        block.fill(self.low)
        block[at] = self.high

    @staticmethod
    def columns(labels: Labels, classes: int, dtype: npt.DTypeLike) -> Array:
        """Labels as the targets of one batch, none of it smoothed.

        Args:
            labels: class numbers (n,).
            classes: rows of the targets.
            dtype: the network's.

        Returns:
            Array (classes, n): 1 at the label, 0 elsewhere.
        """
        targets = np.zeros((classes, len(labels)), dtype)
        targets[labels, np.arange(len(labels))] = 1.0
        return targets

    @staticmethod
    def checked(labels: npt.NDArray[Any], classes: int, what: str) -> Labels:
        """The labels, one or more, if they are fit to be learned.

        Raises:
            UsageError: they are no row of whole numbers, or name a class that there is none of.
        """
        if labels.ndim != 1:
            raise UsageError(f"the {what} labels have shape {labels.shape}; give labels (n,).")
        if labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() >= classes:
            raise UsageError(
                f"the {what} labels must be integers from 0 to {classes - 1}; encode the classes "
                "so."
            )
        return labels


class Values:
    """Numbers, one or several of each sample; the arguments are those of `OneHot`.

    Args:
        values: numbers (n, outputs); there is nothing in them to smooth.
        outputs: rows of the targets.
        batches: in a block, at most.
        size: samples in each of them, but in the last, which may have fewer.
        dtype: the network's.
        smoothing: ignored.
    """

    least = 1

    def __init__(
        self,
        values: Array,
        outputs: int,
        *,
        batches: int,
        size: int,
        dtype: npt.DTypeLike,
        smoothing: float = 0.0,  # noqa: ARG002 - one-hot's
    ) -> None:
        self.values = np.ascontiguousarray(values, dtype)
        self.outputs, self.size = outputs, size
        self._rows = np.empty((batches * size, outputs), dtype)
        self._block = np.empty(batches * size * outputs, dtype)

    def of(self, k: int, samples: int) -> Array:
        """The view of batch k (outputs, samples)."""
        flat = self._block[k * self.size * self.outputs :][: samples * self.outputs]
        return flat.reshape(self.outputs, samples)

    def gather(self, chosen: npt.NDArray[np.intp]) -> None:
        """Write the targets of the chosen samples, batch after batch."""
        n = len(chosen)
        rows = self._rows[:n]
        np.take(self.values, chosen, 0, rows, "clip")
        batches = n // self.size
        full = batches * self.size
        block = self._block[: full * self.outputs].reshape(batches, self.outputs, self.size)
        np.copyto(block, rows[:full].reshape(batches, self.size, self.outputs).swapaxes(1, 2))
        if full < n:
            np.copyto(self.of(batches, n - full), rows[full:].T)

    @staticmethod
    def columns(
        values: Array,
        outputs: int,  # noqa: ARG004 - one-hot's
        dtype: npt.DTypeLike,
    ) -> Array:
        """Values as the targets of one batch (outputs, n)."""
        return np.ascontiguousarray(values.T, dtype)

    @staticmethod
    def checked(values: npt.NDArray[Any], outputs: int, what: str) -> Array:
        """The values, if they are fit to be learned.

        Raises:
            UsageError: they have another shape than (n, outputs), or are no finite numbers.
        """
        if values.ndim != 2 or values.shape[1] != outputs:
            raise UsageError(
                f"the {what} targets have shape {values.shape}; give numbers (n, {outputs})."
            )
        if values.dtype.kind not in "fiub" or not np.isfinite(values).all():
            raise UsageError(f"the {what} targets must be finite numbers.")
        return values
