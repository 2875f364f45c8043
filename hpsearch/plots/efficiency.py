"""The random-experiment efficiency curve: what random searches of each size are worth.

Bergstra and Bengio (2012, JMLR 13), figures 5 to 8.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hpsearch.compare.efficiency import efficiency_curve
from hpsearch.compare.result import Comparison
from hpsearch.compare.statistics import interquartile_mean
from hpsearch.metrics import ACCURACY, Measure
from hpsearch.plots.relevance import independent_trials
from hpsearch.plots.style import STRATEGY_COLOURS, Figure, blank_figure

__all__ = ["EfficiencyData", "efficiency_data", "efficiency_figure"]

DRAWS = 2000


@dataclass(frozen=True)
class EfficiencyData:
    """The scores of all experiments of each size.

    Attributes:
        sizes: trials of an experiment: 1, 2, 4, ...
        scores: for each size the test value of each experiment, of all repeats.
        grid: the interquartile mean of grid's test value; None where it does not compete.
        grid_trials: how many points grid has.
        note: how many trials and repeats there are.
        measure: of all values.
        name: what they are called.
    """

    sizes: tuple[int, ...]
    scores: tuple[tuple[float, ...], ...]
    grid: float | None
    grid_trials: int
    note: str
    measure: Measure = ACCURACY
    name: str = "test accuracy"


def efficiency_data(comparison: Comparison) -> EfficiencyData:
    """The trials of random search, seen as many small experiments, repeat by repeat.

    Raises:
        NothingToDraw: random search does not compete; other searches' trials are not independent.
    """
    random, measure = independent_trials(comparison), comparison.measure
    shares = measure.name == ACCURACY.name and comparison.learns
    weighed = ", each weighted by the probability that it is the best" if shares else ""
    found: dict[int, list[float]] = {}
    # Only sizes that every repeat has: those with many trials are those with cheap networks.
    fewest = min(map(len, random.scores))
    sizes = [2**k for k in range(fewest.bit_length())]
    for repeat, scores in enumerate(random.scores):
        curve = efficiency_curve(
            *(measure.sign * scores).T,
            n_validation=int(comparison.data["validation"]) if shares else None,
            n_test=int(comparison.data["test"]) if shares else None,
            draws=DRAWS,
            rng=np.random.default_rng([0, repeat]),
            sizes=sizes,
        )
        for size, means in curve.items():
            found.setdefault(size, []).extend(map(measure.of_score, means))
    grid = comparison.runs.get("grid")
    trials = sum(len(scores) for scores in random.scores)
    return EfficiencyData(
        tuple(found),
        tuple(tuple(scores) for scores in found.values()),
        None if grid is None else float(interquartile_mean(grid.test)),
        0 if grid is None else round(float(grid.trials.mean())),
        f"{trials:,} trials of {random.strategy} in {len(random.scores)} repeats, in experiments "
        f"within each repeat, of the sizes that every repeat has ({fewest} trials or more each). "
        "The axis may cut off the boxes of the smallest. An experiment's score is the "
        f"{comparison.test_name} of its best trial{weighed}.",
        measure,
        comparison.test_name,
    )


def efficiency_figure(data: EfficiencyData) -> Figure:
    """A box for each size, and grid's level as a line."""
    figure = blank_figure("trials in a random search", data.name, height=400)
    names = [str(size) for size in data.sizes]
    for name, scores in zip(names, data.scores, strict=True):
        figure.add_box(
            y=np.array(scores, np.float32),
            name=name,
            marker={"color": STRATEGY_COLOURS["random"], "size": 4},
            line={"width": 1.5},
            boxpoints="outliers",
            showlegend=False,
        )
    figure.update_xaxes(type="category")
    medians = [float(np.median(scores)) for scores in data.scores]
    sign = data.measure.sign
    whole = [sign * score for scores in data.scores[2:] or data.scores for score in scores]
    best = max(whole) if data.grid is None else max(*whole, sign * data.grid)
    least = min(sign * median for median in medians[1:] or medians)
    room = 0.05 if data.measure.name == ACCURACY.name else best - least
    worst = max(min(whole), least - room)
    margin = 0.06 * (best - worst) or 0.01
    figure.update_yaxes(range=sorted((sign * (worst - margin), sign * (best + margin))))
    if data.grid is not None:
        figure.add_scatter(
            x=[names[0], names[-1]],
            y=[data.grid, data.grid],
            mode="lines",
            line={"color": STRATEGY_COLOURS["grid"], "dash": "dash"},
            name=f"grid of {data.grid_trials} points",
            hovertemplate=f"grid of {data.grid_trials} points: %{{y:.4~g}}<extra></extra>",
        )
    return figure
