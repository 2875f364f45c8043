"""Grid against random: an important parameter beside an unimportant one (the lecture's slide)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hpsearch.lab.experiment import Experiment, titled_figure
from hpsearch.plots.style import STRATEGY_COLOURS, Figure
from hpsearch.wording import Table

__all__ = ["EXPERIMENT"]

ONE, BOTH = "one parameter matters", "both matter alike"
SHOWN = 3  # points on an axis of the slide's grid


@dataclass(frozen=True, eq=False)
class GridAndRandomData:
    """Searches of the unit square for a tenth of it, which lies anywhere.

    Attributes:
        axis: (K,) points on each axis of a grid; its square is the number of trials.
        points: by strategy, (9, 2) the slide's points: the important parameter, the unimportant.
        found: (K,) the share of searches that hit what they look for, by strategy and by what
            matters: a tenth of one parameter's range, or a square of the same area.
    """

    axis: np.ndarray
    points: dict[str, np.ndarray]
    found: dict[tuple[str, str], np.ndarray]

    def sees(self) -> str:
        """How often each finds what it looks for, with the trials of the slide."""
        share = {key: found[SHOWN - 1] for key, found in self.found.items()}
        return (
            f"With {SHOWN**2} trials a grid tries {SHOWN} values of the important parameter and "
            f"random search {SHOWN**2}, so that the grid finds the right tenth of its range in "
            f"{share['grid', ONE]:.0%} of searches and random search in "
            f"{share['random', ONE]:.0%}; where both parameters matter alike, which nobody knows "
            f"beforehand, the grid finds a square of the same area in {share['grid', BOTH]:.0%} "
            f"and random search in {share['random', BOTH]:.0%}, as before."
        )

    def figures(self) -> list[Figure]:
        """The slide, with the values of the important parameter below; then the shares."""
        figures = []
        for name, points in self.points.items():
            figure = titled_figure(
                f"{name}: {len(points)} trials",
                "important parameter",
                "unimportant parameter",
                legend_rows=1,
            )
            for y, symbol, what in ((points[:, 1], "circle", "trial"), (0 * points[:, 0], "x", "")):
                figure.add_scatter(
                    x=points[:, 0],
                    y=y,
                    mode="markers",
                    marker={"color": STRATEGY_COLOURS[name], "symbol": symbol, "size": 9},
                    name=what or "value of the important one",
                )
            figure.update_xaxes(range=[-0.03, 1.03])
            figure.update_yaxes(range=[-0.06, 1.03])
            figures.append(figure)
        for what in (ONE, BOTH):
            figure = titled_figure(what, "trials", "searches that found it", legend_rows=1)
            for name in self.points:
                figure.add_scatter(
                    x=self.axis**2,
                    y=self.found[name, what],
                    mode="lines+markers",
                    line={"color": STRATEGY_COLOURS[name]},
                    name=name,
                    hovertemplate=f"{name}, %{{x}} trials: %{{y:.0%}}<extra></extra>",
                )
            figure.update_yaxes(range=[0, 1.03], tickformat=".0%")
            figures.append(figure)
        return figures

    def table(self) -> Table:
        """The shares, by the number of trials."""
        rows = [
            [str(k**2), *(f"{found[n]:.0%}" for found in self.found.values())]
            for n, k in enumerate(self.axis.tolist())
        ]
        headings = ["trials", *(f"{name}, {what}" for name, what in self.found)]
        return Table("Searches that found a tenth of the square", headings, rows)


def grid_and_random_data(
    seed: int = 0, *, searches: int = 4000, most: int = 10
) -> GridAndRandomData:
    """Try grids of 1, 4, 9, ... points, and as many random ones, on targets that are drawn anew."""
    rng = np.random.default_rng(seed)
    axis = np.arange(1, most + 1)
    random = rng.random((searches, most**2, 2))
    found = {}
    for what, side in ((ONE, np.array([0.1, 1.0])), (BOTH, np.full(2, 0.1**0.5))):
        low = rng.random((searches, 1, 2)) * (1 - side)
        for name, drawn in (
            ("grid", [_grid(k) for k in axis.tolist()]),
            ("random", [random] * most),
        ):
            hits = [
                ((low <= x) & (x <= low + side)).all(axis=-1)[:, : k**2].any(axis=1).mean()
                for k, x in zip(axis, drawn, strict=True)
            ]
            found[name, what] = np.array(hits)
    slide = {"grid": _grid(SHOWN), "random": random[0, : SHOWN**2]}
    return GridAndRandomData(axis, slide, found)


def _grid(k: int) -> np.ndarray:
    """The middles of k by k equal cells."""
    return (np.stack(np.meshgrid(np.arange(k), np.arange(k)), axis=-1).reshape(-1, 2) + 0.5) / k


EXPERIMENT = Experiment(
    "Grid and random search",
    "A grid tries few values of each parameter, and repeats them for every value of those that "
    "do not matter; random points are all different (lecture 6, hyperparameter optimization; "
    "Bergstra and Bengio, 2012).",
    "Searches for a tenth of the unit square that lies anywhere: first a tenth of one parameter's "
    "range, whatever the other one is, then a square. Crosses at the bottom are the values of the "
    "important parameter that are tried.",
    grid_and_random_data,
)
