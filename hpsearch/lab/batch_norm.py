"""The same ten layers, normalized over the batch before each activation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hpsearch.lab.experiment import Experiment
from hpsearch.lab.initialization import layer_figures, layer_table
from hpsearch.lab.layers import DeepNetwork, deep_networks
from hpsearch.wording import Table

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = [
    "EXPERIMENT",
    "BatchNormData",
    "batch_norm_data",
    "batch_norm_figures",
    "batch_norm_sees",
    "batch_norm_table",
]


@dataclass(frozen=True, eq=False)
class BatchNormData:
    """The eight networks of the initialization page, twice, in the same order.

    Attributes:
        plain: without batch normalization.
        normalized: with it; the same inputs and weights.
    """

    plain: tuple[DeepNetwork, ...]
    normalized: tuple[DeepNetwork, ...]


def batch_norm_data(
    seed: int = 0, *, samples: int = 1000, width: int = 500, depth: int = 10
) -> BatchNormData:
    """One pass forward and back through each network; see `deep_networks`."""
    plain, normalized = (
        deep_networks(seed=seed, samples=samples, width=width, depth=depth, batch_norm=batch_norm)
        for batch_norm in (False, True)
    )
    return BatchNormData(plain, normalized)


def batch_norm_sees(data: BatchNormData) -> str:
    """The last layer's standard deviations with and without, and the range of the gradients'."""
    depth = len(data.plain[0].saturated)
    low, high = _range([n.outputs.std[-1] for n in data.normalized])
    plain_low, plain_high = _range([n.outputs.std[-1] for n in data.plain])
    drift, plain_drift = (
        max(max(r, 1 / r) for r in (n.gradients.std[0] / n.gradients.std[-1] for n in nets))
        for nets in (data.normalized, data.plain)
    )
    return (
        f"Whatever the first weights, layer {depth} has a standard deviation of {low:.2f} to "
        f"{high:.2f} with batch normalization (without: {plain_low:.1e} to {plain_high:.1e}), "
        f"and from layer {depth} down to layer 1 the gradient changes by a factor of {drift:.1f} "
        f"at most (without: {plain_drift:.1e})."
    )


def _range(values: list[float]) -> tuple[float, float]:
    return min(values), max(values)


def batch_norm_figures(data: BatchNormData) -> list[go.Figure]:
    """As on the page of the initializations."""
    return layer_figures(data.normalized)


def batch_norm_table(data: BatchNormData) -> Table:
    """With batch normalization."""
    return layer_table(data.normalized)


EXPERIMENT = Experiment(
    "Batch normalization",
    "Each unit is brought to mean 0 and variance 1 over the batch before its activation, so "
    "that the size of the first weights cancels and no layer begins saturated or silent "
    "(lecture 6, batch normalization; Ioffe and Szegedy, 2015).",
    "The networks of the page on initialization, the same inputs and the same weights, with "
    "batch normalization. Histograms are turned on their side and stand on the number of their "
    "layer.",
    batch_norm_data,
    batch_norm_sees,
    batch_norm_figures,
    batch_norm_table,
)
"""The page."""
