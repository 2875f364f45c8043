"""What a training does to its network, seen once an epoch on the same few samples.

Lecture 6 watches a training through its activations and gradients layer by layer, and through the
ratio of updates to weights, which is healthy near 1e-3 (CS231n course notes, neural networks 3).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from hpsearch.nn.activations import Activation
from hpsearch.nn.arrays import Array, Labels
from hpsearch.nn.propagation import Propagation

if TYPE_CHECKING:
    from hpsearch.nn.network import Network

__all__ = ["LayerState", "Monitor", "Observation", "probe_rows"]

PROBE_SHARE = 32
"""One training sample in so many is watched: forward and backward over 1/32 of an epoch's samples
is about 3 per cent of the epoch."""

PROBE_LEAST, PROBE_MOST = 16, 256
"""Fewer samples say little of units that are rarely active; more say nothing new."""


class LayerState(NamedTuple):
    """One layer at one moment; the output layer is neither flat nor dead.

    Attributes:
        output_mean: of what the layer puts out (the logits, for the output layer).
        output_spread: its standard deviation over units and samples.
        flat: share of outputs, over units and samples, where the unit is saturated (see FLAT).
        dead: share of units that are saturated at every sample.
        weight_size: root mean square of the weights.
        gradient_mean: of the gradients of the weights.
        gradient_spread: their standard deviation.
        update_ratio: size of the last step over that of the weights; 0 before the first step.
    """

    output_mean: float
    output_spread: float
    flat: float
    dead: float
    weight_size: float
    gradient_mean: float
    gradient_spread: float
    update_ratio: float


@dataclass(frozen=True)
class Observation:
    """A network on the probe; numbers are not finite where the network's are not.

    Attributes:
        loss: mean data loss, normalized by the probe's own batch statistics, without dropout.
        accuracy: share that is classified rightly.
        gradient_norm: of the gradients of all weights; L2's part left out.
        layers: a state for each layer, the output layer last.
    """

    loss: float
    accuracy: float
    gradient_norm: float
    layers: tuple[LayerState, ...]


def probe_rows(samples: int) -> npt.NDArray[np.intp]:
    """Which training samples are watched: evenly spaced, so that sorted data are seen whole.

    >>> len(probe_rows(4)), len(probe_rows(1150)), len(probe_rows(60_000))
    (4, 35, 256)
    """
    size = min(samples, max(PROBE_LEAST, min(samples // PROBE_SHARE, PROBE_MOST)))
    return np.linspace(0, samples - 1, size).astype(np.intp)


class Monitor:
    """Watches a network on a fixed probe; nothing that the training depends on changes.

    Args:
        network: that is trained.
        X: training inputs (n, n_features).
        y: labels (n,).
    """

    def __init__(self, network: Network, X: Array, y: Labels) -> None:
        rows = probe_rows(len(y))
        self.network, self.labels = network, y[rows].astype(np.intp)
        # Batch statistics also before there are running ones; no random numbers, so no dropout.
        self.propagation = Propagation(network, len(rows), training=True)
        self.propagation.load(X[rows])
        self.activations = [a for a in self.propagation.layers if isinstance(a, Activation)]
        self.masks = [np.empty(a.y.shape, np.bool_) for a in self.activations]
        self.weights = [network.parameters[part] for part in network.weight_slices]
        self.gradients = [network.gradients[part] for part in network.weight_slices]
        self.steps = [np.zeros_like(weights) for weights in self.weights]

    def before_step(self) -> None:
        """Keep the weights, so that `after_step` can tell how large the step was."""
        for weights, step in zip(self.weights, self.steps, strict=True):
            np.copyto(step, weights)

    def after_step(self) -> None:
        """Keep the step instead."""
        for weights, step in zip(self.weights, self.steps, strict=True):
            np.subtract(weights, step, step)

    def observe(self) -> Observation:
        """Look at the network as it is; its gradients are overwritten."""
        network, propagation = self.network, self.propagation
        statistics = network.statistics.copy()
        with np.errstate(all="ignore"):
            loss = propagation.loss_and_backward(self.labels)
            layers = self._layers()
            hits = propagation.logits.argmax(axis=0) == self.labels
        network.statistics[:] = statistics
        squares = sum(
            gradient.size * (layer.gradient_mean**2 + layer.gradient_spread**2)
            for gradient, layer in zip(self.gradients, layers, strict=True)
        )
        return Observation(loss, np.count_nonzero(hits) / len(hits), sqrt(squares), layers)

    def _layers(self) -> tuple[LayerState, ...]:
        outputs = [
            (*_moments(activation.y, activation.scratch), *self._flat(activation, mask))
            for activation, mask in zip(self.activations, self.masks, strict=True)
        ]
        logits = self.propagation.logits
        outputs.append((*_moments(logits, np.empty_like(logits)), 0.0, 0.0))
        return tuple(
            LayerState(*output, *_sizes(weights, gradient, step))
            for output, weights, gradient, step in zip(
                outputs, self.weights, self.gradients, self.steps, strict=True
            )
        )

    @staticmethod
    def _flat(activation: Activation, mask: npt.NDArray[np.bool_]) -> tuple[float, float]:
        """Share of the outputs, and of the units, that are saturated."""
        activation.mark_flat(mask)
        dead = np.logical_and.reduce(mask, 1)
        return np.count_nonzero(mask) / mask.size, np.count_nonzero(dead) / dead.size


def _moments(values: Array, scratch: Array) -> tuple[float, float]:
    """Mean and standard deviation."""
    flat, centred = values.reshape(-1), scratch.reshape(-1)
    mean = float(np.add.reduce(flat)) / flat.size
    np.subtract(flat, mean, centred)
    return mean, sqrt(float(np.dot(centred, centred)) / flat.size)


def _sizes(weights: Array, gradient: Array, step: Array) -> tuple[float, float, float, float]:
    """Of one layer: size of the weights, the gradient's moments, the step beside the weights."""
    squares, n = float(np.dot(weights, weights)), weights.size
    mean = float(np.add.reduce(gradient)) / n
    spread = sqrt(max(float(np.dot(gradient, gradient)) / n - mean**2, 0.0))
    ratio = sqrt(float(np.dot(step, step)) / squares) if squares > 0 else 0.0
    return sqrt(squares / n), mean, spread, ratio
