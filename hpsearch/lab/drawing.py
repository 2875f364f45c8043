"""What the figures of the lab have in common: a title each, and axes in powers of ten."""

from __future__ import annotations

import math
from collections.abc import Collection

from hpsearch.plots.style import Figure, blank_figure, label

__all__ = ["log_axis", "titled_figure"]


def titled_figure(title: str, x: str, y: str, *, height: int = 340, legend_rows: int = 0) -> Figure:
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
