"""What a training does to its network, looked at between epochs on the same few samples.

Lecture 6 watches a training through its activations and gradients layer by layer, and through the
ratio of updates to weights, which is healthy near 1e-3 (CS231n course notes, neural networks 3).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hpsearch.nn.activations import Activation
from hpsearch.nn.arrays import Array, Targets
from hpsearch.nn.network import Network

__all__ = ["QUANTITIES", "Snapshot", "Trace", "Tracer", "spaced"]

SNAPSHOT_STEPS = 150
"""A snapshot costs as much as two to four training steps, so that one in so many steps stays well
below 3 per cent; where an epoch has fewer steps, some epochs have none."""

PROBE_SHARE = 256
"""One in so many of the samples that are trained on between two snapshots is looked at."""

PROBE_LEAST, PROBE_MOST = 32, 128
"""Fewer samples say little of units that are rarely active; more say nothing new."""

QUANTITIES = (
    "output mean",
    "output std",
    "saturated",
    "dead",
    "weight size",
    "gradient mean",
    "gradient std",
    "update ratio",
)
"""What is kept of each layer: mean and standard deviation of its outputs (before a softmax, for the
output layer); the share of outputs where the unit is saturated, and of units that are so at every
sample (none in the output layer); root mean square of the weights; mean and standard deviation of
their gradients; the last step's size beside that of the weights (0 before the first step)."""


class Snapshot(NamedTuple):
    """A network at one moment of its training; numbers are not finite where the network's are not.

    Attributes:
        epoch: after which it was taken; 0 before any step.
        loss: mean data loss of the probe, normalized by the probe's own batch statistics and
            without dropout.
        score: how good the probe's outputs are: accuracy, or R².
        gradient_norm: norm of the gradients of all weights, L2's part left out.
        layers: (L, 8) float32, the QUANTITIES of each layer, the output layer last.
    """

    epoch: int
    loss: float
    score: float
    gradient_norm: float
    layers: npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Trace:
    """A training as its snapshots show it.

    Attributes:
        input_size: root mean square of the probe's inputs; 1 where they are standardized.
        snapshots: in order, the first before any step.
        train_score: the same of up to 128 training samples at the end, in prediction mode.
    """

    input_size: float
    snapshots: tuple[Snapshot, ...]
    train_score: float

    def document(self) -> dict[str, Any]:
        """The trace in terms of JSON: four digits of each number, None where it is not finite.

        The quantities of layers are lists by name, layer and moment.
        """
        epochs, losses, scores, norms, layers = zip(*self.snapshots, strict=True)
        series = {
            name: [[_digits(x) for x in values] for values in np.array(layers)[..., i].T.tolist()]
            for i, name in enumerate(QUANTITIES)
        }
        return {
            "input size": _digits(self.input_size),
            "train score": _digits(self.train_score),
            "epochs": list(epochs),
            "loss": [_digits(x) for x in losses],
            "score": [_digits(x) for x in scores],
            "gradient norm": [_digits(x) for x in norms],
            "layers": series,
        }


class Tracer:
    """Takes snapshots of a network on a fixed probe; nothing that the training needs changes.

    Args:
        network: that is trained.
        X: training inputs (n, n_features).
        y: labels (n,), or numbers (n, n_outputs).
        steps: that an epoch has.
        last: the epoch that ends the training, if nothing else does.
    """

    def __init__(self, network: Network, X: Array, y: Targets, *, steps: int, last: int) -> None:
        self.every, self.last = -(-SNAPSHOT_STEPS // steps), last
        share = self.every * len(y) // PROBE_SHARE
        rows = spaced(len(y), max(PROBE_LEAST, min(share, PROBE_MOST)))
        self.network, self.X, self.y = network, X, y
        self.probed = y[rows]
        # Batch statistics also before there are running ones; no random numbers, so no dropout.
        self.propagation = network.propagation(len(rows), training=True)
        self.propagation.load(X[rows])
        self.targets = self.propagation.targets(self.probed)
        self.input_size = _size(X[rows].reshape(-1))
        self.activations = [a for a in self.propagation.layers if isinstance(a, Activation)]
        self.weights = [network.parameters[part] for part in network.weight_slices]
        self.gradients = [network.gradients[part] for part in network.weight_slices]
        self.steps = [np.zeros_like(weights) for weights in self.weights]
        self.sizes = np.array([weights.size for weights in self.weights])
        self.snapshots: list[Snapshot] = []

    def due(self, epoch: int) -> bool:
        """Whether there is to be a snapshot of an epoch's end, and so of its last step."""
        return epoch % self.every == 0 or epoch == self.last

    def before_step(self) -> None:
        """Keep the weights, so that `after_step` can tell how large the step was."""
        for weights, step in zip(self.weights, self.steps, strict=True):
            np.copyto(step, weights)

    def after_step(self) -> None:
        """Keep the step instead."""
        for weights, step in zip(self.weights, self.steps, strict=True):
            np.subtract(weights, step, step)

    def take(self, epoch: int) -> None:
        """Take a snapshot of the network as it is; its gradients are overwritten.

        Args:
            epoch: after which this is.
        """
        network, propagation = self.network, self.propagation
        statistics = network.statistics.copy()
        with np.errstate(all="ignore"):
            loss = propagation.loss_and_backward(self.targets)
            score = network.loss.score(propagation.outputs.T, self.probed)
            layers = np.array(
                [
                    (*output, *_sizes(weights, gradient, step))
                    for output, weights, gradient, step in zip(
                        self._outputs(), self.weights, self.gradients, self.steps, strict=True
                    )
                ]
            )
            norm = float(np.sqrt((layers[:, 5:7] ** 2).sum(axis=1) @ self.sizes))
            kept = layers.astype(np.float32)
        self.snapshots.append(Snapshot(epoch, loss, score, norm, kept))
        network.statistics[:] = statistics

    def trace(self) -> Trace:
        """All snapshots that were taken, and how the network does now."""
        rows = spaced(len(self.y), PROBE_MOST)
        with np.errstate(all="ignore"):
            score = self.network.loss.score(
                self.network.predict_outputs(self.X[rows]), self.y[rows]
            )
        return Trace(self.input_size, tuple(self.snapshots), score)

    def _outputs(self) -> list[tuple[float, float, float, float]]:
        """Mean, standard deviation, saturated and dead share of each layer's outputs."""
        outputs = []
        for activation in self.activations:
            mask = activation.saturated(activation.y)
            dead = activation.dead(mask)
            shares = np.count_nonzero(mask) / mask.size, np.count_nonzero(dead) / dead.size
            outputs.append((*_moments(activation.y, activation.scratch), *shares))
        top = self.propagation.outputs
        return [*outputs, (*_moments(top, np.empty_like(top)), 0.0, 0.0)]


def _digits(value: float) -> float | None:
    return float(f"{value:.4g}") if isfinite(value) else None


def spaced(samples: int, most: int) -> npt.NDArray[np.intp]:
    """Evenly spaced samples, so that data that are sorted are seen whole.

    >>> spaced(100, 5).tolist(), spaced(3, 5).tolist()
    ([0, 24, 49, 74, 99], [0, 1, 2])
    """
    return np.linspace(0, samples - 1, min(samples, most)).astype(np.intp)


def _moments(values: Array, scratch: Array) -> tuple[float, float]:
    """Mean and standard deviation."""
    flat, centred = values.reshape(-1), scratch.reshape(-1)
    mean = float(np.add.reduce(flat)) / flat.size
    np.subtract(flat, mean, centred)
    return mean, _size(centred)


def _sizes(weights: Array, gradient: Array, step: Array) -> tuple[float, float, float, float]:
    """Size of a layer's weights, mean and standard deviation of its gradients, size of its step."""
    size, mean = _size(weights), float(np.add.reduce(gradient)) / gradient.size
    variance = float(np.dot(gradient, gradient)) / gradient.size - mean**2
    std = 0.0 if variance < 0 else variance**0.5  # rounding may leave it just below zero
    return size, mean, std, _size(step) / size if size > 0 else 0.0


def _size(values: Array) -> float:
    """Root mean square of a vector."""
    return (float(np.dot(values, values)) / values.size) ** 0.5 if values.size else 0.0
