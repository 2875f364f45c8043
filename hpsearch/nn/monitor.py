"""What a training does to its network, looked at between epochs on the same few samples.

Lecture 6 watches a training through its activations and gradients layer by layer, and through the
ratio of updates to weights, which is healthy near 1e-3 (CS231n course notes, neural networks 3).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hpsearch.nn.activations import Activation
from hpsearch.nn.arrays import Array, Labels
from hpsearch.nn.propagation import Propagation

if TYPE_CHECKING:
    from hpsearch.nn.network import Network

__all__ = ["QUANTITIES", "Monitor", "Watched", "spaced"]

LOOK_STEPS = 150
"""A look costs as much as two to four training steps, so that one in so many steps stays well below
3 per cent; where an epoch has fewer steps, some epochs are not looked at."""

PROBE_SHARE = 256
"""One in so many of the samples that are trained on between two looks is watched."""

PROBE_LEAST, PROBE_MOST = 32, 128
"""Fewer samples say little of units that are rarely active; more say nothing new."""

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
        epochs: (T,) after which epochs it looked; the first is 0.
        losses: (T,) mean data loss of the probe, normalized by the probe's own batch statistics
            and without dropout.
        accuracies: (T,) share of the probe that is classified rightly.
        gradient_norms: (T,) norm of the gradients of all weights, L2's part left out.
        layers: (T, L, 8) float32, the QUANTITIES of each layer, the output layer last.
        train_accuracy: share of up to 128 training samples that the network at the end labels
            rightly, in prediction mode.
    """

    input_size: float
    epochs: tuple[int, ...]
    losses: tuple[float, ...]
    accuracies: tuple[float, ...]
    gradient_norms: tuple[float, ...]
    layers: npt.NDArray[np.float32]
    train_accuracy: float

    def document(self) -> dict[str, Any]:
        """What was seen in terms of JSON: four digits of each number, None where it is not finite.

        The quantities of layers are lists by name, layer and moment.
        """
        series = {
            name: [[_digits(x) for x in values] for values in self.layers[..., i].T.tolist()]
            for i, name in enumerate(QUANTITIES)
        }
        return {
            "input size": _digits(self.input_size),
            "train accuracy": _digits(self.train_accuracy),
            "epochs": list(self.epochs),
            "loss": [_digits(x) for x in self.losses],
            "accuracy": [_digits(x) for x in self.accuracies],
            "gradient norm": [_digits(x) for x in self.gradient_norms],
            "layers": series,
        }


class Monitor:
    """Watches a network on a fixed probe; nothing that the training depends on changes.

    Args:
        network: that is trained.
        X: training inputs (n, n_features).
        y: labels (n,).
        steps: that an epoch has.
        last: the epoch that ends the training, if nothing else does.
    """

    def __init__(self, network: Network, X: Array, y: Labels, *, steps: int, last: int) -> None:
        self.every, self.last = -(-LOOK_STEPS // steps), last
        share = self.every * len(y) // PROBE_SHARE
        rows = spaced(len(y), max(PROBE_LEAST, min(share, PROBE_MOST)))
        self.network, self.X, self.y = network, X, y
        self.labels = y[rows].astype(np.intp)
        # Batch statistics also before there are running ones; no random numbers, so no dropout.
        self.propagation = Propagation(network, len(rows), training=True)
        self.propagation.load(X[rows])
        self.targets = self.propagation.one_hot(self.labels)
        self.input_size = _size(X[rows].reshape(-1))
        self.activations = [a for a in self.propagation.layers if isinstance(a, Activation)]
        self.weights = [network.parameters[part] for part in network.weight_slices]
        self.gradients = [network.gradients[part] for part in network.weight_slices]
        self.steps = [np.zeros_like(weights) for weights in self.weights]
        self.epochs: list[int] = []
        self.losses: list[float] = []
        self.hits: list[int] = []
        self.layers: list[list[tuple[float, ...]]] = []

    def looks_at(self, epoch: int) -> bool:
        """Whether an epoch's end, and so its last step, is looked at."""
        return epoch % self.every == 0 or epoch == self.last

    def before_step(self) -> None:
        """Keep the weights, so that `after_step` can tell how large the step was."""
        for weights, step in zip(self.weights, self.steps, strict=True):
            np.copyto(step, weights)

    def after_step(self) -> None:
        """Keep the step instead."""
        for weights, step in zip(self.weights, self.steps, strict=True):
            np.subtract(weights, step, step)

    def look(self, epoch: int) -> None:
        """Look at the network as it is; its gradients are overwritten.

        Args:
            epoch: after which this is.
        """
        network, propagation = self.network, self.propagation
        statistics = network.statistics.copy()
        with np.errstate(all="ignore"):
            self.losses.append(propagation.loss_and_backward(self.targets))
            hits = propagation.logits.argmax(0) == self.labels
            self.hits.append(int(np.count_nonzero(hits)))
            self.layers.append(
                [
                    (*output, *_sizes(weights, gradient, step))
                    for output, weights, gradient, step in zip(
                        self._outputs(), self.weights, self.gradients, self.steps, strict=True
                    )
                ]
            )
        self.epochs.append(epoch)
        network.statistics[:] = statistics

    def watched(self) -> Watched:
        """All that was seen."""
        layers = np.array(self.layers)
        sizes = np.array([weights.size for weights in self.weights])
        rows = spaced(len(self.y), PROBE_MOST)
        with np.errstate(all="ignore"):
            norms = np.sqrt(((layers[..., 5] ** 2 + layers[..., 6] ** 2) * sizes).sum(axis=1))
            hits = self.network.predict_logits(self.X[rows]).argmax(axis=1) == self.y[rows]
            kept = layers.astype(np.float32)
        return Watched(
            self.input_size,
            tuple(self.epochs),
            tuple(self.losses),
            tuple(n / len(self.labels) for n in self.hits),
            tuple(norms.tolist()),
            kept,
            float(hits.mean()),
        )

    def _outputs(self) -> list[tuple[float, float, float, float]]:
        """Mean, spread, saturated and dead share of each layer's outputs."""
        outputs = []
        for activation in self.activations:
            mask = activation.flat(activation.y)
            dead = np.logical_and.reduce(mask, 1)
            shares = np.count_nonzero(mask) / mask.size, np.count_nonzero(dead) / dead.size
            outputs.append((*_moments(activation.y, activation.scratch), *shares))
        logits = self.propagation.logits
        return [*outputs, (*_moments(logits, np.empty_like(logits)), 0.0, 0.0)]


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
    """Size of a layer's weights, mean and spread of its gradients, size of its step."""
    size, mean = _size(weights), float(np.add.reduce(gradient)) / gradient.size
    variance = float(np.dot(gradient, gradient)) / gradient.size - mean**2
    spread = 0.0 if variance < 0 else variance**0.5  # rounding may leave it just below zero
    return size, mean, spread, _size(step) / size if size > 0 else 0.0


def _size(values: Array) -> float:
    """Root mean square of a vector."""
    return (float(np.dot(values, values)) / values.size) ** 0.5 if values.size else 0.0
