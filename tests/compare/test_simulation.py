from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.compare.simulation import (
    Simulation,
    Targets,
    _grid_found,
    grid_shapes,
    place_targets,
    simulate,
)
from hpsearch.errors import UsageError

TARGETS = 2_000
CASES = [(3, False), (3, True), (5, False), (5, True)]  # the four panels of figure 10


@pytest.fixture(scope="module")
def simulated() -> dict[tuple[int, bool], Simulation]:
    return {
        (d, elongated): simulate(d, elongated=elongated, targets=TARGETS, seed=0)
        for d, elongated in CASES
    }


@pytest.mark.parametrize("case", CASES)
def test_random_search_finds_it_with_one_minus_099_to_the_t(
    simulated: dict[tuple[int, bool], Simulation], case: tuple[int, bool]
) -> None:
    """For all T at once, within the bound of Dvoretzky, Kiefer and Wolfowitz (Massart 1990).

    The share found within T trials is the empirical distribution of the first hit, of independent
    targets with their own points; it strays by more than the bound with a probability below 1e-6.
    """
    result = simulated[case]
    assert result.theory.tolist() == pytest.approx([1 - 0.99**t for t in range(1, 513)])
    bound = math.sqrt(math.log(2 / 1e-6) / (2 * TARGETS))
    assert np.abs(result.random - result.theory).max() < bound


@pytest.mark.parametrize("dimensions", [3, 5])
def test_grids_are_worse_than_random_on_elongated_targets(
    simulated: dict[tuple[int, bool], Simulation], dimensions: int
) -> None:
    """On average over the shapes for every T from 64 on, and over all T together.

    With a handful of trials a grid does better: targets lie wholly inside the cube, so its middle,
    where a small grid has its points, is covered more often than its rim.
    """
    result = simulated[dimensions, True]
    shortfall = result.theory - result.grid_mean()
    assert (shortfall[63:] > 0.1).all()
    assert shortfall.mean() > 0.5
    # Even the shape that turns out best, which nobody knows beforehand, is behind by then.
    later = result.theory[63:] - result.grid_best()[63:]
    assert (later > 0).mean() > 0.99


@pytest.mark.parametrize(("dimensions", "shape"), [(3, (5, 5, 5)), (5, (3, 3, 3, 3, 3))])
def test_the_right_grid_never_misses_a_cube_and_often_a_box(
    simulated: dict[tuple[int, bool], Simulation], dimensions: int, shape: tuple[int, ...]
) -> None:
    """The cube's side, 0.01^(1/d), is longer than the way from one point to the next, 1/r.

    The paper: some grids are best at cubes, none is competitive at boxes.
    """
    cube, box = (
        dict(simulated[dimensions, elongated].grids[math.prod(shape) - 1])[shape]
        for elongated in (False, True)
    )
    assert cube == 1.0
    assert box < simulated[dimensions, True].theory[math.prod(shape) - 1] - 0.1


@pytest.mark.parametrize("case", CASES)
def test_a_sobol_sequence_is_a_few_points_better_between_100_and_300_trials(
    simulated: dict[tuple[int, bool], Simulation], case: tuple[int, bool]
) -> None:
    """The paper: consistently best, most pronounced in experiments of 100 to 300 trials."""
    result = simulated[case]
    assert (result.sobol - result.theory)[99:300].mean() > 0.03


def test_the_same_seed_gives_the_same_estimates() -> None:
    def estimates(seed: int) -> tuple[list[float], list[float], Any]:
        found = simulate(3, elongated=True, trials=20, targets=100, seed=seed)
        return found.random.tolist(), found.sobol.tolist(), found.grids

    assert estimates(1) == estimates(1)
    assert estimates(1) != estimates(2)


def test_more_trials_of_a_sequence_find_more() -> None:
    found = simulate(2, elongated=False, trials=300, targets=100, volume=0.1, seed=0)
    for share in (found.random, found.sobol):
        assert share.shape == (300,)
        assert (np.diff(share) >= 0).all()
        assert share[-1] == 1.0
    assert len(found.grids) == 300


@pytest.mark.parametrize("elongated", [False, True])
@pytest.mark.parametrize("dimensions", [1, 3, 5])
def test_targets_have_their_volume_and_lie_inside(dimensions: int, elongated: bool) -> None:
    rng = np.random.default_rng(0)
    low, side = place_targets(500, dimensions, elongated=elongated, rng=rng)
    assert side.prod(axis=1).tolist() == pytest.approx([0.01] * 500)
    assert (low >= 0).all()
    assert (low + side <= 1).all()
    unequal = np.ptp(side, axis=1) > 1e-9
    assert unequal.all() if elongated and dimensions > 1 else not unequal.any()


@pytest.mark.parametrize(
    ("points", "dimensions", "shapes"),
    [
        # The paper's own examples.
        (
            16,
            5,
            {(1, 1, 1, 1, 16), (1, 1, 1, 2, 8), (1, 1, 2, 2, 4), (1, 1, 1, 4, 4), (1, 2, 2, 2, 2)},
        ),
        (9, 3, {(1, 1, 9), (1, 3, 3)}),
        (7, 3, {(1, 1, 7)}),
        (8, 3, {(1, 1, 8), (1, 2, 4), (2, 2, 2)}),
        (1, 2, {(1, 1)}),
    ],
)
def test_grid_shapes(points: int, dimensions: int, shapes: set[tuple[int, ...]]) -> None:
    found = grid_shapes(points, dimensions)
    assert set(found) == shapes
    assert len(found) == len(shapes)


@given(st.integers(1, 200), st.integers(1, 4))
def test_grid_shapes_are_all_there_are(points: int, dimensions: int) -> None:
    divisors = [k for k in range(1, points + 1) if points % k == 0]
    brute = {
        shape
        for shape in itertools.combinations_with_replacement(divisors, dimensions)
        if math.prod(shape) == points
    }
    assert set(grid_shapes(points, dimensions)) == brute


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 3, 4), (1, 5, 5), (1, 1, 30)])
def test_a_grid_hits_what_one_of_its_points_hits(shape: tuple[int, ...]) -> None:
    targets = place_targets(200, 3, elongated=True, volume=0.05, rng=np.random.default_rng(0))
    axes = [(np.arange(r) + 0.5) / r for r in shape]
    points = np.array(list(itertools.product(*axes)))
    low, high = targets.low[:, None], targets.low[:, None] + targets.side[:, None]
    brute = ((points >= low) & (points <= high)).all(axis=-1).any(axis=1).mean()
    assert _grid_found(targets, shape) == pytest.approx(brute)


def test_a_box_beyond_the_last_point_is_missed() -> None:
    corner = Targets(np.array([[0.9, 0.0]]), np.array([[0.1, 1.0]]))
    assert _grid_found(corner, (2, 1)) == 0.0
    assert _grid_found(corner, (20, 1)) == 1.0


@pytest.mark.parametrize(
    "setting", [{"dimensions": 0}, {"trials": 0}, {"targets": 0}, {"volume": 0.0}, {"volume": 1.0}]
)
def test_there_must_be_something_to_hit(setting: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="at least one dimension"):
        simulate(**{"dimensions": 2, "elongated": False, "seed": 0, **setting})
