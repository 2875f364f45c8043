"""Ten layers of 500 units under the lecture's four initializations, with tanh and ReLU."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hpsearch.lab.drawing import histograms_figure, log_axis, titled_figure
from hpsearch.lab.experiment import Experiment
from hpsearch.lab.layers import DeepNetwork, deep_networks
from hpsearch.plots.style import CYCLE
from hpsearch.wording import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    import plotly.graph_objects as go

__all__ = [
    "EXPERIMENT",
    "InitializationData",
    "initialization_data",
    "initialization_figures",
    "initialization_sees",
    "initialization_table",
    "layer_figures",
    "layer_table",
]


@dataclass(frozen=True, eq=False)
class InitializationData:
    """The eight networks: two activations times four initializations."""

    networks: tuple[DeepNetwork, ...]

    def network(self, activation: str, initializer: str) -> DeepNetwork:
        """One of them."""
        return next(
            n for n in self.networks if (n.activation, n.initializer) == (activation, initializer)
        )


def initialization_data(
    seed: int = 0, *, samples: int = 1000, width: int = 500, depth: int = 10
) -> InitializationData:
    """One pass forward and back through each network; see `deep_networks`."""
    return InitializationData(
        deep_networks(seed=seed, samples=samples, width=width, depth=depth, batch_norm=False)
    )


def initialization_sees(data: InitializationData) -> str:
    """What the last layer keeps of the standard deviation, and the saturated gradient."""
    depth = len(data.networks[0].saturated)

    def left(activation: str, initializer: str) -> str:
        std = data.network(activation, initializer).outputs.std
        return f"{std[-1] / std[0]:.2g}"

    large = data.network("tanh", "large-random")
    gradient = large.gradients.std[0] / large.gradients.std[-1]
    return (
        f"Layer {depth} keeps {left('tanh', 'xavier')} of layer 1's standard deviation with tanh "
        f"and Xavier's weights, and {left('tanh', 'small-random')} of it with small random ones; "
        f"with ReLU it keeps {left('relu', 'he')} with He's and "
        f"{left('relu', 'xavier')} with Xavier's; large random weights saturate "
        f"{large.saturated[-1]:.0%} of tanh's outputs, and the gradient, "
        f"which the lecture expects to vanish, is {gradient:.2g} times as large in layer 1 as in "
        f"layer {depth}."
    )


def initialization_figures(data: InitializationData) -> list[go.Figure]:
    """The standard deviations by layer, then the histogram of every layer of every network."""
    return layer_figures(data.networks)


def layer_figures(networks: Sequence[DeepNetwork]) -> list[go.Figure]:
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
        figures.append(histograms_figure(f"{name}: outputs", axis, outputs))
        figures.append(histograms_figure(f"{name}: gradients", "|gradient| (log scale)", gradients))
    return figures


def initialization_table(data: InitializationData) -> Table:
    """Mean and standard deviation of the first and the last layer."""
    return layer_table(data.networks)


def layer_table(networks: Sequence[DeepNetwork]) -> Table:
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


EXPERIMENT = Experiment(
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
    initialization_sees,
    initialization_figures,
    initialization_table,
)
"""The page."""
