"""A running average of the weights, which predicts in place of the weights that are trained.

The raw weights go on jumping about a minimum for as long as the learning rate is large; their
average lies closer to its middle (Polyak and Juditsky, 1992; CS231n's notes on model ensembles,
"running average of parameters"). It costs one vector of memory and three passes over it a step.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from hpsearch.nn.arrays import CHUNK, scalar
from hpsearch.nn.network import Network

__all__ = ["WeightAverage"]


class WeightAverage:
    """The average a <- d a + (1-d) w after each step, d = min(decay, (1+t)/(10+t)) after t others.

    The rising d (as in TensorFlow's ExponentialMovingAverage) forgets the first weights whatever
    the decay is, and never looks back over more than about a ninth of the steps done: a decay that
    is right for a long training does not spoil a short one, and coarse to fine compares both.
    (Adam's correction would weigh all steps of a training shorter than 1/(1-decay) alike, its bad
    beginning with the rest.)

    Batch normalization's running mean and variance are averaged along with the parameters: they
    were measured under each step's weights, and the first layer's mean, being linear in them, comes
    out exactly right. The count of batches is left alone.

    The network holds the average, and this object the raw weights, except within `raw`.

    Args:
        network: whose weights are averaged; it starts as its own average.
        decay: the limit of d, above 0 and below 1.

    Attributes:
        steps: steps averaged so far.
        others: what the network does not hold at the moment, array for array; outside of `raw` the
            raw parameters, then the raw statistics of each normalized layer.
    """

    def __init__(self, network: Network, decay: float) -> None:
        self.decay, self.steps = decay, 0
        held = [network.parameters]
        held += [layer.running.reshape(-1) for layer in network.layers if layer.running.size]
        self.others = [array.copy() for array in held]
        scratch = np.empty(min(CHUNK, len(network.parameters)), network.dtype)
        self._chunks = [
            (mine[k : k + CHUNK], other[k : k + CHUNK], scratch[: len(mine[k : k + CHUNK])])
            for mine, other in zip(held, self.others, strict=True)
            for k in range(0, len(mine), CHUNK)
        ]
        self._keep, self._take = (scalar(0.0, network.dtype) for _ in range(2))
        self._one = scalar(1.0, network.dtype)

    @contextmanager
    def raw(self) -> Iterator[None]:
        """For the time of a ``with`` block, the network holds the raw weights, to be trained."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def update(self) -> None:
        """Take in the raw weights after a step; only within `raw`."""
        self._keep[()] = min(self.decay, (1.0 + self.steps) / (10.0 + self.steps))
        np.subtract(self._one, self._keep, self._take)
        self.steps += 1
        for raw, average, scratch in self._chunks:
            np.multiply(average, self._keep, average)
            np.multiply(raw, self._take, scratch)
            np.add(average, scratch, average)

    def _swap(self) -> None:
        for mine, other, scratch in self._chunks:
            np.copyto(scratch, mine)
            np.copyto(mine, other)
            np.copyto(other, scratch)
