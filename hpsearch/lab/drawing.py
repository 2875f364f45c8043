"""What the figures of the lab have in common: a title each, and histograms side by side."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np

from hpsearch.plots.style import SKY, blank_figure, faded, label

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from hpsearch.lab.layers import Distributions

__all__ = ["histograms_figure", "log_axis", "titled_figure"]


def titled_figure(
    title: str, x: str, y: str, *, height: int = 340, legend_rows: int = 0
) -> go.Figure:
    """A figure without traces, under a title of its own.

    Args:
        title: what is drawn.
        x: the name of its horizontal axis, with the unit where there is one.
        y: of its vertical axis.
        height: in pixels.
        legend_rows: how many rows its legend needs on a telephone.
    """
    figure = blank_figure(x, y, height=height)
    figure.update_layout(
        title={"text": label(title), "font": {"size": 15}, "x": 0, "y": 0.98, "yanchor": "top"},
        margin={"t": 36 + (18 + 18 * legend_rows if legend_rows else 0)},
    )
    return figure


def log_axis(values: Collection[float]) -> dict[str, object]:
    """An axis in powers of ten; with 2 and 5 between them, and written out, where it is short.

    Args:
        values: what it is for, of which those above zero count.
    """
    low, high = (math.log10(end(v for v in values if v > 0)) for end in (min, max))
    if high - low > 1.5:
        step = math.ceil((high - low) / 5)
        return {"type": "log", "exponentformat": "power", "dtick": step}
    decades = range(math.floor(low), math.ceil(high) + 1)
    ticks = [digit * 10.0**decade for decade in decades for digit in (1, 2, 5)]
    return {"type": "log", "tickvals": ticks, "ticktext": [f"{tick:g}" for tick in ticks]}


def histograms_figure(title: str, y: str, distributions: Distributions) -> go.Figure:
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
