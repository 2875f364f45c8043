"""A deep network before learning: what each layer puts out, and what gradient comes back to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hpsearch.nn import ACTIVATIONS, Network, NetworkConfig

__all__ = ["ACTIVATIONS_SEEN", "INITIALIZERS_SEEN", "DeepNetwork", "Distributions", "deep_networks"]

INITIALIZERS_SEEN = ("small-random", "large-random", "xavier", "he")
"""The lecture's four: 0.01 times a unit Gaussian, 1 times, 1/sqrt(fan-in), 1/sqrt(fan-in/2)."""

ACTIVATIONS_SEEN = ("tanh", "relu")
CLASSES = 10
BINS = 40


@dataclass(frozen=True, eq=False)
class Distributions:
    """How a quantity is distributed in each of the L layers of a network.

    Attributes:
        mean: (L,).
        std: the standard deviation (L,).
        edges: of the bins, the same for all layers (BINS + 1,).
        shares: of the layer's values in each bin (L, BINS).
        zeros: share of the values that are exactly 0 (L,).
        logarithmic: whether the bins divide powers of ten, for the magnitudes of what is not 0.
    """

    mean: np.ndarray
    std: np.ndarray
    edges: np.ndarray
    shares: np.ndarray
    zeros: np.ndarray
    logarithmic: bool


@dataclass(frozen=True, eq=False)
class DeepNetwork:
    """One network before any learning, and one pass forward and back through it.

    Attributes:
        activation, initializer: as `hpsearch.nn` names them.
        outputs: of each hidden layer.
        gradients: of the mean loss with respect to these outputs.
        saturated: share of each layer's outputs where the activation is (L,).
    """

    activation: str
    initializer: str
    outputs: Distributions
    gradients: Distributions
    saturated: np.ndarray


def deep_networks(
    *, seed: int, samples: int, width: int, depth: int, batch_norm: bool
) -> tuple[DeepNetwork, ...]:
    """The lecture's networks: each of four initializations with tanh and with ReLU.

    Args:
        seed: of the inputs, the labels and the weights.
        samples: unit Gaussian inputs, with random labels of 10 classes.
        width: their features, and the units of each hidden layer.
        depth: hidden layers.
        batch_norm: normalize before each activation.
    """
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((samples, width)).astype(np.float32)
    y = rng.integers(CLASSES, size=samples)
    networks = []
    for activation in ACTIVATIONS_SEEN:
        saturated = ACTIVATIONS[activation].saturated
        for initializer in INITIALIZERS_SEEN:
            config = NetworkConfig((width,) * depth, activation, initializer, batch_norm=batch_norm)
            network = Network(width, CLASSES, config, rng=np.random.default_rng([seed, 1]))
            outputs, gradients = network.outputs_and_gradients(X, y)
            networks.append(
                DeepNetwork(
                    activation,
                    initializer,
                    _distributions(outputs, bounded=activation == "tanh"),
                    _distributions(gradients, bounded=False),
                    np.array([saturated(layer).mean() for layer in outputs]),
                )
            )
    return tuple(networks)


def _distributions(layers: list[np.ndarray], *, bounded: bool) -> Distributions:
    """Bins from -1 to 1 for what is bounded by them, powers of ten for the magnitudes otherwise."""
    values = layers
    low, high = -1.0, 1.0
    if not bounded:
        values = [np.log10(np.abs(layer[layer != 0])) for layer in layers]
        # What is next to nothing beside its own layer would stretch the axis for all: the smallest
        # twentieth stays below the bins.
        low = min(float(np.quantile(v, 0.05)) for v in values if v.size)
        high = max(float(v.max()) for v in values if v.size)
    counts = [np.histogram(v, BINS, (low, high))[0] for v in values]
    edges = np.linspace(low, high, BINS + 1)
    return Distributions(
        mean=np.array([layer.mean(dtype=np.float64) for layer in layers]),
        std=np.array([layer.std(dtype=np.float64) for layer in layers]),
        edges=edges if bounded else 10.0**edges,
        shares=np.array([c / layer.size for c, layer in zip(counts, layers, strict=True)]),
        zeros=np.array([np.mean(layer == 0) for layer in layers]),
        logarithmic=not bounded,
    )
