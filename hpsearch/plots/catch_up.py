"""When each strategy caught up with the reference: the cost until it had its best score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hpsearch.compare.progress import SpeedUp
from hpsearch.compare.result import Comparison
from hpsearch.compare.summary import reference_of, summarize_strategies
from hpsearch.plots.style import STRATEGY_COLOURS, Figure, blank_figure, error_bar
from hpsearch.plots.view import NothingToDraw
from hpsearch.wording import ALONE

__all__ = ["CatchUpData", "catch_up_data", "catch_up_figure"]


@dataclass(frozen=True)
class CatchUpData:
    """When each strategy arrived, the reference among them.

    Attributes:
        reference: whose best score was to be reached.
        found: by strategy.
        note: what the marks are.
        title: of what was to be reached.
    """

    reference: str
    found: dict[str, SpeedUp]
    note: str
    title: str


def catch_up_data(comparison: Comparison) -> CatchUpData:
    """The cost at which each repeat reached the best score of the reference with its seed.

    Raises:
        NothingToDraw: nobody competes with the reference.
    """
    found = {row.strategy: row.speed_up for row in summarize_strategies(comparison)}
    if len(found) < 2:
        raise NothingToDraw(ALONE)
    note = (
        "A point is a repeat; the diamond is the cost by which half of them had arrived, with its "
        "95% interval. Repeats that never arrived stand at the right edge. "
        f"{reference_of([comparison])}'s own row says when it found its best itself."
    )
    return CatchUpData(reference_of([comparison]), found, note, comparison.score_name)


def catch_up_figure(data: CatchUpData) -> Figure:
    """A line of points for each strategy; to the left is sooner."""
    name_of_axis = f"cost until {data.reference}'s best {data.title} (share of its cost)"
    figure = blank_figure(name_of_axis, "", height=120 + 56 * len(data.found))
    finite = [s for f in data.found.values() for s in f.shares if np.isfinite(s)]
    never = 1.15 * max([1.0, *finite])
    figure.add_vline(x=1.0, line={"dash": "dash", "color": STRATEGY_COLOURS[data.reference]})
    names = list(data.found)[::-1]
    figure.update_yaxes(automargin=True, tickvals=list(range(len(names))), ticktext=names)
    ticks = [tick for tick in (0, 0.25, 0.5, 0.75, 1, 1.5, 2) if tick < 0.97 * never]
    figure.update_xaxes(
        range=[0, 1.05 * never],
        tickvals=[*ticks, never],
        ticktext=[*(f"{tick:g}" for tick in ticks), "never"],
    )
    for at, name in enumerate(names):
        found, colour = data.found[name], STRATEGY_COLOURS[name]
        shares = np.array(found.shares)
        median, low, high = (
            value if np.isfinite(value) else never
            for value in (found.median, found.interval.low, found.interval.high)
        )
        figure.add_scatter(
            x=np.where(np.isfinite(shares), shares, never),
            y=at + np.linspace(-0.18, 0.18, len(shares)),
            mode="markers",
            marker={"color": colour, "size": 7, "opacity": 0.6},
            showlegend=False,
            text=[f"{share:.2f}" if np.isfinite(share) else "never" for share in shares],
            hovertemplate=f"{name}: %{{text}}<extra></extra>",
        )
        figure.add_scatter(
            x=[median],
            y=[at],
            error_x=error_bar(median, low, high, colour),
            mode="markers",
            marker={"color": colour, "size": 13, "symbol": "diamond"},
            showlegend=False,
            hovertemplate=f"{name}: {found.reached} of {found.repeats} repeats arrived"
            "<extra></extra>",
        )
    return figure
