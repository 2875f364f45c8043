"""Ten layers of 500 units under four initializations: as they are, and with batch normalization."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hpsearch.lab.experiment import CLASSES, Experiment, log_axis, titled_figure
from hpsearch.nn import ACTIVATIONS, Network, NetworkConfig
from hpsearch.plots.style import CYCLE, SKY, Figure, faded
from hpsearch.wording import Table

__all__ = ["BATCH_NORM", "INITIALIZATION", "DeepNetwork", "InitializationData", "deep_networks"]

INITIALIZERS_SEEN = ("small-random", "large-random", "xavier", "he")
"""The lecture's four: 0.01 times a unit Gaussian, 1 times, 1/sqrt(fan-in), 1/sqrt(fan-in/2)."""

ACTIVATIONS_SEEN = ("tanh", "relu")
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


@dataclass(frozen=True, eq=False)
class InitializationData:
    """The eight networks: two activations times four initializations."""

    networks: tuple[DeepNetwork, ...]

    def network(self, activation: str, initializer: str) -> DeepNetwork:
        """One of them."""
        return next(
            n for n in self.networks if (n.activation, n.initializer) == (activation, initializer)
        )

    def sees(self) -> str:
        """What the last layer keeps of the standard deviation, and the saturated gradient."""
        depth = len(self.networks[0].saturated)

        def left(activation: str, initializer: str) -> str:
            std = self.network(activation, initializer).outputs.std
            return f"{std[-1] / std[0]:.2g}"

        large = self.network("tanh", "large-random")
        gradient = large.gradients.std[0] / large.gradients.std[-1]
        return (
            f"Layer {depth} keeps {left('tanh', 'xavier')} of layer 1's standard deviation with "
            f"tanh and Xavier's weights, and {left('tanh', 'small-random')} of it with small "
            f"random ones; with ReLU it keeps {left('relu', 'he')} with He's and "
            f"{left('relu', 'xavier')} with Xavier's; large random weights saturate "
            f"{large.saturated[-1]:.0%} of tanh's outputs, and the gradient, "
            f"which the lecture expects to vanish, is {gradient:.2g} times as large in layer 1 as "
            f"in layer {depth}."
        )

    def figures(self) -> list[Figure]:
        """The standard deviations by layer, then the histogram of every layer."""
        return _figures(self.networks)

    def table(self) -> Table:
        """Mean and standard deviation of the first and the last layer."""
        return _table(self.networks)


def initialization_data(
    seed: int = 0, *, samples: int = 1000, width: int = 500, depth: int = 10
) -> InitializationData:
    """One pass forward and back through each network; see `deep_networks`."""
    return InitializationData(
        deep_networks(seed=seed, samples=samples, width=width, depth=depth, batch_norm=False)
    )


def _figures(networks: Sequence[DeepNetwork]) -> list[Figure]:
    """Standard deviations of outputs and gradients by layer, and all histograms.

    Args:
        networks: of one or more activations.
    """
    figures = []
    for activation in dict.fromkeys(n.activation for n in networks):
        for what in ("outputs", "gradients"):
            figure = titled_figure(
                f"{activation}: standard deviation of the {what}",
                "layer",
                "standard deviation (log scale)",
                legend_rows=2,
            )
            shown = [n for n in networks if n.activation == activation]
            stds = [getattr(network, what).std for network in shown]
            ends = np.array([0.3 * np.min(stds), 3 * np.max(stds)])
            figure.update_yaxes(**log_axis(ends), range=np.log10(ends).tolist())
            figure.update_xaxes(dtick=1)
            for colour, network, std in zip(CYCLE, shown, stds, strict=False):
                figure.add_scatter(
                    x=list(range(1, len(std) + 1)),
                    y=std,
                    mode="lines+markers",
                    line={"color": colour},
                    name=network.initializer,
                    hovertemplate=f"{network.initializer}, layer %{{x}}: %{{y:.3g}}<extra></extra>",
                )
            figures.append(figure)
    for network in networks:
        name = f"{network.activation}, {network.initializer}"
        outputs, gradients = network.outputs, network.gradients
        axis = "|output| (log scale)" if outputs.logarithmic else "output"
        figures.append(_histograms(f"{name}: outputs", axis, outputs))
        figures.append(_histograms(f"{name}: gradients", "|gradient| (log scale)", gradients))
    return figures


def _histograms(title: str, y: str, distributions: Distributions) -> Figure:
    """The histogram of each layer turned on its side, standing on the layer's number.

    Args:
        title: of the figure.
        y: the name of the quantity.
        distributions: of that quantity, layer by layer.
    """
    figure = titled_figure(title, "layer", y, height=300)
    edges = np.repeat(distributions.edges, 2)
    xs: list[float | None] = []
    ys: list[float | None] = []
    for layer, shares in enumerate(distributions.shares, start=1):
        outline = 0.9 * np.concatenate([[0.0], np.repeat(shares, 2), [0.0]])
        outline /= max(shares.max(), 1e-12)
        xs += [*(layer + outline).round(3).tolist(), None]
        ys += [*edges.tolist(), None]
    figure.add_scatter(
        x=xs,
        y=ys,
        mode="lines",
        fill="toself",
        fillcolor=faded(SKY, 0.7),
        line={"color": SKY, "width": 1},
        hoverinfo="skip",
        showlegend=False,
    )
    figure.update_xaxes(tickvals=list(range(1, len(distributions.shares) + 1)))
    if distributions.logarithmic:
        figure.update_yaxes(**log_axis(distributions.edges))
    return figure


def _table(networks: Sequence[DeepNetwork]) -> Table:
    """Mean and standard deviation in the first and the last layer of each network."""
    last = len(networks[0].saturated)
    headings = (
        "activation",
        "weights",
        *(f"{what}, layer {n}" for what in ("mean", "std", "gradient") for n in (1, last)),
        f"saturated, layer {last}",
    )
    rows = tuple(
        (
            network.activation,
            network.initializer,
            *(f"{network.outputs.mean[i]:.2g}" for i in (0, -1)),
            *(f"{network.outputs.std[i]:.2g}" for i in (0, -1)),
            *(f"{network.gradients.std[i]:.2g}" for i in (0, -1)),
            f"{network.saturated[-1]:.0%}" if network.activation == "tanh" else "",
        )
        for network in networks
    )
    return Table("Outputs, and the standard deviation of their gradients", headings, rows)


INITIALIZATION = Experiment(
    "Initialization of a deep network",
    "Outputs that shrink to nothing leave the weights above them without a gradient, and "
    "outputs at tanh's ends are saturated; Xavier's weights keep the variance of a linear "
    "layer, He's make up for the half that a ReLU removes (lecture 6, weight initialization).",
    "Ten layers of 500 units before any learning, 1,000 unit Gaussian inputs, random labels of "
    "ten classes. Gradients are those of the mean loss with respect to what a layer puts out; "
    "saturated are outputs beyond 0.98 in magnitude, where tanh's slope is below 4%. Each "
    "histogram is turned on its side and stands on the number of its layer; those of gradients and "
    "of ReLU show magnitudes, without exact zeros and the smallest twentieth.",
    initialization_data,
)


@dataclass(frozen=True, eq=False)
class BatchNormData:
    """The eight networks of the initialization page, twice, in the same order.

    Attributes:
        plain: without batch normalization.
        normalized: with it; the same inputs and weights.
    """

    plain: tuple[DeepNetwork, ...]
    normalized: tuple[DeepNetwork, ...]

    def sees(self) -> str:
        """The last layer's standard deviations with and without it, and the gradients' range."""
        depth = len(self.plain[0].saturated)
        low, high = _range([n.outputs.std[-1] for n in self.normalized])
        plain_low, plain_high = _range([n.outputs.std[-1] for n in self.plain])
        drift, plain_drift = (
            max(max(r, 1 / r) for r in (n.gradients.std[0] / n.gradients.std[-1] for n in nets))
            for nets in (self.normalized, self.plain)
        )
        return (
            f"Whatever the first weights, layer {depth} has a standard deviation of {low:.2f} to "
            f"{high:.2f} with batch normalization (without: {plain_low:.1e} to {plain_high:.1e}), "
            f"and from layer {depth} down to layer 1 the gradient changes by a factor of "
            f"{drift:.1f} at most (without: {plain_drift:.1e})."
        )

    def figures(self) -> list[Figure]:
        """The standard deviations by layer, then the histogram of every layer."""
        return _figures(self.normalized)

    def table(self) -> Table:
        """Mean and standard deviation of the first and the last layer."""
        return _table(self.normalized)


def batch_norm_data(
    seed: int = 0, *, samples: int = 1000, width: int = 500, depth: int = 10
) -> BatchNormData:
    """One pass forward and back through each network; see `deep_networks`."""
    plain, normalized = (
        deep_networks(seed=seed, samples=samples, width=width, depth=depth, batch_norm=batch_norm)
        for batch_norm in (False, True)
    )
    return BatchNormData(plain, normalized)


def _range(values: list[float]) -> tuple[float, float]:
    return min(values), max(values)


BATCH_NORM = Experiment(
    "Batch normalization",
    "Each unit is brought to mean 0 and variance 1 over the batch before its activation, so "
    "that the size of the first weights cancels and no layer begins saturated or silent "
    "(lecture 6, batch normalization; Ioffe and Szegedy, 2015).",
    "The networks of the page on initialization, the same inputs and the same weights, with "
    "batch normalization. Histograms are turned on their side and stand on the number of their "
    "layer.",
    batch_norm_data,
)
