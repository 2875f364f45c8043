"""Minibatches in random order, gathered a block at a time into buffers that are used again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hpsearch.nn.arrays import Array, Labels
from hpsearch.nn.losses import Loss

__all__ = ["Batch", "Batches"]

_BLOCK_BYTES = 1 << 19


class Batch(NamedTuple):
    """One minibatch, as views into the buffers of its block.

    Attributes:
        inputs: features with a last row of ones (n_features + 1, samples).
        targets: one-hot labels (n_classes, samples).
        kept: the batch's part of the loss's scratch.
        scale: factor of the loss gradient in this step, shape ().
    """

    inputs: Array
    targets: Array
    kept: Sequence[Array]
    scale: Array


class Batches:
    """Cuts the data into shuffled minibatches, the last and smaller one of an epoch included.

    A block is several batches: gathering rows once for many batches costs little, and the views of
    each batch are made once for all epochs.

    Args:
        X: inputs (n, d), C-contiguous, of the network's dtype; may be read-only.
        y: labels (n,), 0 to n_classes - 1.
        n_classes: rows of the one-hot targets.
        batch_size: samples in a batch.
        loss: of which a block has the scratch.
    """

    def __init__(
        self,
        X: Array,
        y: Labels,
        n_classes: int,
        batch_size: int,
        loss: type[Loss],
    ) -> None:
        n, d = X.shape
        self.X, self.y = X, y.astype(np.intp)
        self.n_classes, self.size = n_classes, min(batch_size, n)
        self.per_epoch = -(-n // self.size)
        self.tail = n - (self.per_epoch - 1) * self.size
        row_bytes = (d + 1 + n_classes) * X.itemsize
        self.per_block = max(1, min(_BLOCK_BYTES // (row_bytes * self.size), self.per_epoch))
        capacity = self.per_block * self.size
        self.order = np.arange(n)
        self._rows = np.empty((capacity, d), X.dtype)
        self._inputs = np.ones((capacity, d + 1), X.dtype)
        self._labels = np.empty(capacity, np.intp)
        self._targets = np.empty(capacity * n_classes, X.dtype)
        # Where in the flat one-hot targets the class 0 of each sample is: batch, then column.
        batch, column = np.divmod(np.arange(capacity), self.size)
        self._origin = batch * (n_classes * self.size) + column
        self.scratch = loss.scratch(self.per_block, self.size, X.dtype)
        self.scales = np.zeros(self.per_block, X.dtype)
        self._full = [self._batch(k, self.size) for k in range(self.per_block)]
        self._last = self._batch((self.per_epoch - 1) % self.per_block, self.tail)

    def _batch(self, k: int, samples: int) -> Batch:
        """The views of batch k of a block."""
        first = k * self.size
        targets = self._targets[first * self.n_classes :][: samples * self.n_classes]
        return Batch(
            inputs=self._inputs[first : first + samples].T,
            targets=targets.reshape(self.n_classes, samples),
            kept=self.scratch.of(k, samples),
            scale=self.scales[k : k + 1].reshape(()),
        )

    def epoch(self, rng: np.random.Generator) -> Iterator[list[Batch]]:
        """Shuffle, then yield the batches of one block after the other.

        Args:
            rng: shuffles the order in place; it starts from the last epoch's order.

        Yields:
            The batches of a block; their arrays are overwritten by the next.
        """
        rng.shuffle(self.order)
        for start in range(0, self.per_epoch, self.per_block):
            count = min(self.per_block, self.per_epoch - start)
            batches = self._full[:count]
            if start + count == self.per_epoch:
                batches[-1] = self._last
            first = start * self.size
            self._gather(self.order[first : first + self.per_block * self.size])
            yield batches

    def _gather(self, chosen: npt.NDArray[np.intp]) -> None:
        """Copy the chosen samples into the block's buffers."""
        n = len(chosen)
        np.take(self.X, chosen, 0, self._rows[:n], "clip")
        np.copyto(self._inputs[:n, :-1], self._rows[:n])
        labels = self._labels[:n]
        np.take(self.y, chosen, 0, labels, "clip")
        # Class c of a sample lies c rows further on, and a row is as long as its batch.
        full = n - n % self.size
        labels[:full] *= self.size
        labels[full:] *= n - full
        labels += self._origin[:n]
        targets = self._targets[: n * self.n_classes]
        targets.fill(0.0)
        targets[labels] = 1.0
