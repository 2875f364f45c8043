"""What a training does to its network, seen once an epoch on the same few samples.

Lecture 6 watches a training through its activations and gradients layer by layer, and through the
ratio of updates to weights, which is healthy near 1e-3 (CS231n course notes, neural networks 3).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from hpsearch.nn.activations import Activation
from hpsearch.nn.arrays import Array, Labels
from hpsearch.nn.propagation import Propagation

if TYPE_CHECKING:
    from hpsearch.nn.network import Network

__all__ = ["QUANTITIES", "Monitor", "Watched", "probe_rows"]

PROBE_SHARE = 32
"""One training sample in so many is watched: forward and backward over 1/32 of an epoch's samples
is about 3 per cent of the epoch."""

PROBE_LEAST, PROBE_MOST = 16, 256
"""Fewer samples say little of units that are rarely active; more say nothing new."""

END_SAMPLES = 256
"""Training samples that are labelled when the training is over."""

QUANTITIES = (
    "output mean",
    "output spread",
    "saturated",
    "dead",
    "weight size",
    "gradient mean",
    "gradient spread",
    "update ratio",
)
"""What is kept of each layer: mean and standard deviation of its outputs (of the logits, for the
output layer); the share of outputs where the unit is saturated, and of units that are so at every
sample (none in the output layer); root mean square of the weights; mean and standard deviation of
their gradients; the last step's size beside that of the weights (0 before the first step)."""


@dataclass(frozen=True, eq=False)
class Watched:
    """A training as its monitor saw it: T moments, the first before any step; L layers.

    Numbers are not finite where the network's are not.

    Attributes:
        input_size: root mean square of the probe's inputs; 1 where they are standardized.
        losses: (T,) mean data loss of the probe, normalized by the probe's own batch statistics
            and without dropout.
        accuracies: (T,) share of the probe that is classified rightly.
        gradient_norms: (T,) norm of the gradients of all weights, L2's part left out.
        layers: (T, L, 8) float32, the QUANTITIES of each layer, the output layer last.
        train_accuracy: share of up to 256 training samples that the network at the end labels
            rightly, in prediction mode; its resolution is finer than the probe's.
    """

    input_size: float
    losses: tuple[float, ...]
    accuracies: tuple[float, ...]
    gradient_norms: tuple[float, ...]
    layers: npt.NDArray[np.float32]
    train_accuracy: float


def probe_rows(samples: int) -> npt.NDArray[np.intp]:
    """Which training samples are watched: evenly spaced, so that sorted data are seen whole.

    >>> len(probe_rows(4)), len(probe_rows(1150)), len(probe_rows(60_000))
    (4, 35, 256)
    """
    return _spaced(samples, max(PROBE_LEAST, min(samples // PROBE_SHARE, PROBE_MOST)))


def _spaced(samples: int, most: int) -> npt.NDArray[np.intp]:
    return np.linspace(0, samples - 1, min(samples, most)).astype(np.intp)


class Monitor:
    """Watches a network on a fixed probe; nothing that the training depends on changes.

    Args:
        network: that is trained.
        X: training inputs (n, n_features).
        y: labels (n,).
    """

    def __init__(self, network: Network, X: Array, y: Labels) -> None:
        rows = probe_rows(len(y))
        self.network, self.X, self.y = network, X, y
        self.labels = y[rows].astype(np.intp)
        # Batch statistics also before there are running ones; no random numbers, so no dropout.
        self.propagation = Propagation(network, len(rows), training=True)
        self.propagation.load(X[rows])
        self.input_size = _size(X[rows].reshape(-1))
        self.activations = [a for a in self.propagation.layers if isinstance(a, Activation)]
        self.masks = [np.empty(a.y.shape, np.bool_) for a in self.activations]
        self.weights = [network.parameters[part] for part in network.weight_slices]
        self.gradients = [network.gradients[part] for part in network.weight_slices]
        self.steps = [np.zeros_like(weights) for weights in self.weights]
        self.losses: list[float] = []
        self.hits: list[int] = []
        self.layers: list[list[tuple[float, ...]]] = []

    def before_step(self) -> None:
        """Keep the weights, so that `after_step` can tell how large the step was."""
        for weights, step in zip(self.weights, self.steps, strict=True):
            np.copyto(step, weights)

    def after_step(self) -> None:
        """Keep the step instead."""
        for weights, step in zip(self.weights, self.steps, strict=True):
            np.subtract(weights, step, step)

    def observe(self) -> None:
        """Look at the network as it is; its gradients are overwritten."""
        network, propagation = self.network, self.propagation
        statistics = network.statistics.copy()
        with np.errstate(all="ignore"):
            self.losses.append(propagation.loss_and_backward(self.labels))
            hit = propagation.logits.argmax(0) == self.labels
            self.hits.append(int(np.count_nonzero(hit)))
            self.layers.append(
                [
                    (*output, *_sizes(weights, gradient, step))
                    for output, weights, gradient, step in zip(
                        self._outputs(), self.weights, self.gradients, self.steps, strict=True
                    )
                ]
            )
        network.statistics[:] = statistics

    def watched(self) -> Watched:
        """All that was seen."""
        layers = np.array(self.layers, np.float32)
        sizes = np.array([weights.size for weights in self.weights])
        mean, spread = layers[..., 5].astype(np.float64), layers[..., 6].astype(np.float64)
        rows = _spaced(len(self.y), END_SAMPLES)
        with np.errstate(all="ignore"):
            norms = np.sqrt(((mean**2 + spread**2) * sizes).sum(axis=1))
            hits = self.network.predict_logits(self.X[rows]).argmax(axis=1) == self.y[rows]
        return Watched(
            self.input_size,
            tuple(self.losses),
            tuple(n / len(self.labels) for n in self.hits),
            tuple(norms.tolist()),
            layers,
            float(hits.mean()),
        )

    def _outputs(self) -> list[tuple[float, float, float, float]]:
        """Mean, spread, saturated and dead share of each layer's outputs."""
        outputs = []
        for activation, mask in zip(self.activations, self.masks, strict=True):
            activation.mark_flat(mask)
            dead = np.logical_and.reduce(mask, 1)
            outputs.append(
                (
                    *_moments(activation.y, activation.scratch),
                    np.count_nonzero(mask) / mask.size,
                    np.count_nonzero(dead) / dead.size,
                )
            )
        logits = self.propagation.logits
        return [*outputs, (*_moments(logits, np.empty_like(logits)), 0.0, 0.0)]


def _moments(values: Array, scratch: Array) -> tuple[float, float]:
    """Mean and standard deviation."""
    flat, centred = values.reshape(-1), scratch.reshape(-1)
    mean = float(np.add.reduce(flat)) / flat.size
    np.subtract(flat, mean, centred)
    return mean, _size(centred)


def _sizes(weights: Array, gradient: Array, step: Array) -> tuple[float, float, float, float]:
    """Size of a layer's weights, mean and spread of its gradients, size of its step."""
    size, mean = _size(weights), float(np.add.reduce(gradient)) / gradient.size
    variance = float(np.dot(gradient, gradient)) / gradient.size - mean**2
    # Rounding may leave a variance just below zero; NaN stays NaN.
    spread = np.sqrt(np.maximum(variance, 0.0))
    return size, mean, float(spread), _size(step) / size if size > 0 else 0.0


def _size(values: Array) -> float:
    """Root mean square of a vector."""
    return float(np.dot(values, values) / values.size) ** 0.5 if values.size else 0.0
