"""Best so far against cost: each strategy's incumbent, the middle half of its repeats."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hpsearch.compare.progress import Band, Part, band, cost_grid
from hpsearch.compare.result import Comparison
from hpsearch.metrics import Measure
from hpsearch.plots.style import STRATEGY_COLOURS, Figure, blank_figure, faded
from hpsearch.search.strategies import DOUBLE

__all__ = ["BestSoFarData", "best_so_far_data", "best_so_far_figure", "best_so_far_figures"]

POINTS = 160
DOUBLED = f" {DOUBLE} draws the trials of random first, so that the two lines begin as one."


@dataclass(frozen=True, eq=False)
class BestSoFarData:
    """The bands of all strategies, for each of the two scores.

    Attributes:
        cost: (G,) shares of the budget.
        ends: by strategy, the share at which half of its repeats were over.
        bands: by score ("validation" and, where there are rows to test on, "test") and strategy.
        note: how many repeats they are of.
        measure: of all values.
        names: what each score is called.
    """

    cost: np.ndarray
    ends: dict[str, float]
    bands: dict[Part, dict[str, Band]]
    note: str
    measure: Measure
    names: dict[Part, str]


def best_so_far_data(comparison: Comparison) -> BestSoFarData:
    """The incumbents' scores on one axis of costs, in shares of the budget."""
    runs = comparison.runs
    doubled = DOUBLED if {DOUBLE, "random"} <= runs.keys() else ""
    costs = cost_grid([p for c in runs.values() for p in c.progress], POINTS)
    names: dict[Part, str] = {"validation": comparison.score_name}
    if comparison.learns:
        names["test"] = comparison.test_name
    return BestSoFarData(
        costs / comparison.amount,
        {name: float(np.median(c.cost)) / comparison.amount for name, c in runs.items()},
        {
            part: {
                name: _own(band(c.progress, costs, part), comparison.measure)
                for name, c in runs.items()
            }
            for part in names
        },
        f"Medians and middle halves of {comparison.repeats} repeats. The axis leaves out the bad "
        f"scores with which searches begin.{doubled}",
        comparison.measure,
        names,
    )


def _own(scores: Band, measure: Measure) -> Band:
    """A band of scores, of which greater is better, in the measure's own units."""
    return Band(*(measure.sign * each for each in (scores.median, scores.lower, scores.upper)))


def best_so_far_figures(data: BestSoFarData) -> list[Figure]:
    """One figure for each score."""
    return [best_so_far_figure(data, part) for part in data.bands]


def best_so_far_figure(data: BestSoFarData, part: Part) -> Figure:
    """A line and a shade for each strategy."""
    figure = blank_figure("cost (share of the budget)", f"{data.names[part]} of the best so far")
    sign, worst = data.measure.sign, []
    # Under the others, and wider, so that random shows where the two are the same.
    for name, found in sorted(data.bands[part].items(), key=lambda item: item[0] != DOUBLE):
        # A search may be over before the last of the others has its first trial: then a point.
        end = max(data.ends[name], data.cost[0])
        seen = np.isfinite(found.median) & (data.cost <= end)
        x = data.cost[seen].astype(np.float32)
        colour = STRATEGY_COLOURS[name]
        lower, upper = (edge[seen].astype(np.float32) for edge in (found.lower, found.upper))
        figure.add_scatter(
            x=np.concatenate([x, x[::-1]]),
            y=np.concatenate([upper, lower[::-1]]),
            fill="toself",
            fillcolor=faded(colour, 0.12),
            line={"width": 0, "shape": "hv"},
            hoverinfo="skip",
            legendgroup=name,
            showlegend=False,
        )
        figure.add_scatter(
            x=x,
            y=found.median[seen].astype(np.float32),
            mode="lines",
            line={"color": colour, "shape": "hv", "width": 4 if name == DOUBLE else 2},
            name=name,
            legendgroup=name,
            hovertemplate=f"{name}: %{{y:.4~g}} at %{{x:.2f}} of the budget<extra></extra>",
        )
        worst.append(np.quantile(sign * found.median[seen], 0.1))
    figure.update_yaxes(range=_range(data, part, min(worst)))
    return figure


def _range(data: BestSoFarData, part: Part, worst: float) -> list[float]:
    """Where the strategies can be told apart: what is worse is where all of them begin."""
    sign = data.measure.sign
    best = max(float(np.nanmax(sign * found.upper)) for found in data.bands[part].values())
    margin = 0.08 * (best - worst) or 0.01
    return sorted((sign * (worst - margin), sign * (best + margin)))
