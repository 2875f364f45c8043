"""Random search against grids where the truth is known: Bergstra & Bengio (2012), section 4.

A search has to hit a box of 1% of the unit cube's volume, placed at random: a cube, where every
dimension matters as much, or a box of unequal sides, whose long sides are dimensions that hardly
matter. Random trials hit it with probability 1 - 0.99^T, whatever its shape.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from hpsearch.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]

__all__ = ["GridHits", "Simulation", "Targets", "grid_shapes", "place_targets", "simulate"]

BATCH = 64
"""Targets that share one scrambled Sobol sequence, and that are compared with points at a time."""


class Targets(NamedTuple):
    """Boxes inside the unit cube.

    Attributes:
        low: (n, d) their lower corners.
        side: (n, d) their sides.
    """

    low: NDArray[np.float64]
    side: NDArray[np.float64]


class GridHits(NamedTuple):
    """A grid's points on each axis, and the share of the targets that it hits."""

    shape: tuple[int, ...]
    found: float


class Simulation(NamedTuple):
    """The share of the targets that each design hits, for each number of trials 1 to T.

    Attributes:
        theory: (T,) 1 - (1 - volume)^t, the expectation for random search.
        random: (T,) independent uniform points.
        sobol: (T,) a scrambled Sobol sequence.
        grids: for each number of trials, every grid of exactly that many points whose
            resolutions do not fall from axis to axis.
    """

    theory: NDArray[np.float64]
    random: NDArray[np.float64]
    sobol: NDArray[np.float64]
    grids: tuple[tuple[GridHits, ...], ...]

    def grid_mean(self) -> NDArray[np.float64]:
        """(T,) the mean over the shapes of a grid, each as likely."""
        return np.array([np.mean([grid.found for grid in shapes]) for shapes in self.grids])

    def grid_best(self) -> NDArray[np.float64]:
        """(T,) the shape that hits most, which nobody knows beforehand."""
        return np.array([max(grid.found for grid in shapes) for shapes in self.grids])


def simulate(
    dimensions: int,
    *,
    elongated: bool,
    trials: int = 512,
    targets: int = 2_000,
    volume: float = 0.01,
    seed: int,
) -> Simulation:
    """How often random search, a Sobol sequence and grids hit a small target.

    Args:
        dimensions: d, the dimensions of the cube.
        elongated: whether the target's sides differ, or all are volume^(1/d).
        trials: T, the most trials.
        targets: how many targets; a share p has a standard error of sqrt(p (1 - p) / targets).
        volume: the target's share of the cube.
        seed: a non-negative integer; the same seed gives the same estimates.

    Raises:
        UsageError: if there is nothing to hit, or nothing to hit it with.
    """
    if min(dimensions, trials, targets) < 1 or not 0.0 < volume < 1.0:
        raise UsageError(
            "a simulation needs at least one dimension, trial and target, of a volume in (0, 1)."
        )
    rng = np.random.default_rng(seed)
    boxes = place_targets(targets, dimensions, elongated=elongated, volume=volume, rng=rng)
    return Simulation(
        -np.expm1(np.arange(1.0, trials + 1) * np.log1p(-volume)),
        _found(boxes, trials, lambda n: rng.random((n, trials, dimensions))),
        _found(boxes, trials, lambda _: _sobol(trials, dimensions, rng)),
        tuple(
            tuple(
                GridHits(shape, _grid_found(boxes, shape)) for shape in grid_shapes(t, dimensions)
            )
            for t in range(1, trials + 1)
        ),
    )


def place_targets(
    count: int, dimensions: int, *, elongated: bool, volume: float = 0.01, rng: np.random.Generator
) -> Targets:
    """Boxes of one volume, each placed uniformly among the positions inside the unit cube.

    The sides of an elongated one are drawn uniformly from the unit interval and scaled together to
    the volume; a box that would then be longer than the cube is drawn again.

    Args:
        count: n, how many.
        dimensions: d.
        elongated: whether the sides differ.
        volume: of each box.
        rng: where they are drawn from.
    """
    side = np.full((count, dimensions), volume ** (1 / dimensions))
    waiting = np.arange(count if elongated else 0)
    while len(waiting):
        drawn = 1.0 - rng.random((len(waiting), dimensions))  # in (0, 1]
        side[waiting] = drawn * (volume / drawn.prod(axis=1, keepdims=True)) ** (1 / dimensions)
        waiting = waiting[(side[waiting] > 1.0).any(axis=1)]
    return Targets(rng.random((count, dimensions)) * (1.0 - side), side)


def grid_shapes(points: int, dimensions: int) -> list[tuple[int, ...]]:
    """Every way to give each axis a resolution so that the grid has so many points.

    Only those that do not fall from axis to axis: targets of permuted sides are equally likely, so
    a permuted grid finds as many.

    Args:
        points: of the whole grid.
        dimensions: how many axes.

    >>> grid_shapes(9, 3)
    [(1, 1, 9), (1, 3, 3)]
    """
    return _rising(points, dimensions, 1)


def _rising(points: int, dimensions: int, least: int) -> list[tuple[int, ...]]:
    if dimensions == 1:
        return [(points,)] if points >= least else []
    return [
        (first, *rest)
        for first in range(least, math.floor(points ** (1 / dimensions) + 1e-9) + 1)
        if points % first == 0
        for rest in _rising(points // first, dimensions - 1, first)
    ]


def _grid_found(targets: Targets, shape: tuple[int, ...]) -> float:
    """The share of targets with a point of a grid, whose points are the middles of equal cells."""
    resolution = np.array(shape)
    # On an axis the points are (i + 1/2) / r; the first one that is not below the box is ...
    first = np.ceil(targets.low * resolution - 0.5)
    inside = (first + 0.5) / resolution <= targets.low + targets.side
    return float(inside.all(axis=1).mean())


def _sobol(trials: int, dimensions: int, rng: np.random.Generator) -> Floats:
    """The first points of a Sobol sequence, scrambled anew."""
    from scipy.stats import qmc

    points: Floats = qmc.Sobol(dimensions, rng=rng).random_base2((trials - 1).bit_length())
    return points[:trials]


def _found(targets: Targets, trials: int, draw: Callable[[int], Floats]) -> Floats:
    """The share of targets that are hit within 1, 2, ... T trials.

    Args:
        targets: n boxes.
        trials: T.
        draw: points for so many targets, of their own (n, T, d) or in common (T, d).
    """
    first = np.concatenate(
        [
            _first_hit(targets.low[i : i + BATCH, None], targets.side[i : i + BATCH, None], draw)
            for i in range(0, len(targets.low), BATCH)
        ]
    )
    found: Floats = np.cumsum(np.bincount(first, minlength=trials + 1)[:trials]) / len(first)
    return found


def _first_hit(low: Floats, side: Floats, draw: Callable[[int], Floats]) -> NDArray[np.int64]:
    """The first point inside each of (n, 1, d) boxes; T if there is none."""
    points = draw(len(low))
    inside = np.all((points >= low) & (points <= low + side), axis=-1)
    # A last column of hits stands for never.
    hits = np.column_stack([inside, np.ones(len(inside), dtype=bool)])
    first: NDArray[np.int64] = hits.argmax(axis=1)
    return first
