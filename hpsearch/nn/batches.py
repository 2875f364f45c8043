"""Minibatches in random order, gathered a block at a time into buffers that are used again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hpsearch.nn.arrays import Array, Targets
from hpsearch.nn.losses import Kept, Loss

__all__ = ["Batch", "Batches"]

_BLOCK_BYTES = 1 << 19


class Batch(NamedTuple):
    """One minibatch, as views into the buffers of its block.

    Attributes:
        inputs: features with a last row of ones (n_features + 1, samples).
        targets: what the loss reads (n_outputs, samples).
        kept: the batch's part of the loss's scratch.
        scale: factor of the loss gradient in this step, shape ().
    """

    inputs: Array
    targets: Array
    kept: Kept
    scale: Array


class Batches:
    """Cuts the data into shuffled minibatches, the last and smaller one of an epoch included.

    A block is several batches: gathering rows once for many batches costs little, and the views of
    each batch are made once for all epochs.

    Args:
        X: inputs (n, d), C-contiguous, of the network's dtype; may be read-only.
        y: labels (n,), or numbers (n, n_outputs), as the loss wants them.
        n_outputs: rows of the targets.
        batch_size: samples in a batch.
        loss: of which a block has the targets and the scratch.
        weights: how much each sample counts (n,), 1 in the mean; None where all count the same.
        smoothing: share of a label's probability that all classes get alike.

    Attributes:
        chosen: the samples of the block that was yielded last.
    """

    def __init__(
        self,
        X: Array,
        y: Targets,
        n_outputs: int,
        batch_size: int,
        loss: type[Loss],
        *,
        weights: Array | None = None,
        smoothing: float = 0.0,
    ) -> None:
        n, d = X.shape
        self.X, self.size = X, min(batch_size, n)
        self.weights = None if weights is None else weights.astype(X.dtype)
        self.per_epoch = -(-n // self.size)
        self.tail = n - (self.per_epoch - 1) * self.size
        row_bytes = (d + 1 + n_outputs) * X.itemsize
        self.per_block = max(1, min(_BLOCK_BYTES // (row_bytes * self.size), self.per_epoch))
        capacity = self.per_block * self.size
        self.order = np.arange(n)
        self.chosen = self.order
        self._rows = np.empty((capacity, d), X.dtype)
        self._inputs = np.ones((capacity, d + 1), X.dtype)
        self._targets = loss.targets(
            y,
            n_outputs,
            batches=self.per_block,
            size=self.size,
            dtype=X.dtype,
            smoothing=smoothing,
        )
        self.scratch = loss.scratch(
            self.per_block, self.size, X.dtype, weighted=weights is not None
        )
        self.scales = np.zeros(self.per_block, X.dtype)
        self._full = [self._batch(k, self.size) for k in range(self.per_block)]
        self._last = self._batch((self.per_epoch - 1) % self.per_block, self.tail)

    def _batch(self, k: int, samples: int) -> Batch:
        """The views of batch k of a block."""
        first = k * self.size
        return Batch(
            inputs=self._inputs[first : first + samples].T,
            targets=self._targets.of(k, samples),
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
            self.chosen = self.order[first : first + self.per_block * self.size]
            self._gather(self.chosen)
            yield batches

    def _gather(self, chosen: npt.NDArray[np.intp]) -> None:
        """Copy the chosen samples into the block's buffers."""
        n = len(chosen)
        np.take(self.X, chosen, 0, self._rows[:n], "clip")
        np.copyto(self._inputs[:n, :-1], self._rows[:n])
        self._targets.gather(chosen)
        if self.weights is not None and self.scratch.weights is not None:
            np.take(self.weights, chosen, 0, self.scratch.weights[:n], "clip")
