from __future__ import annotations

from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.errors import SpaceError, UnknownNameError, UsageError
from hpsearch.search.grid import make_grid, spread
from hpsearch.space import Categorical, Condition, Float, Int, Parameter, Space, Value

LINES = Space({name: Float(0, 1) for name in "abcde"})


@pytest.mark.parametrize(
    ("trials", "counts"),
    [(1, [1, 1, 1, 1, 1]), (31, [2, 2, 2, 2, 1]), (32, [2] * 5), (243, [3] * 5)],
)
def test_without_points_the_parameters_share_the_trials(trials: int, counts: list[int]) -> None:
    grid = make_grid(LINES, None, trials)
    found = [len({point[name] for point in grid}) for name in "abcde"]
    assert prod(counts) <= prod(found) == len(grid) <= trials
    assert all(have >= least for have, least in zip(found, counts, strict=True))


spaces = st.builds(
    lambda n, m, choices, log: Space(
        {
            "x": Float(1e-3, 1.0, log=log),
            "a": Categorical(choices),
            "n": Int(1, n, log=True),
            "y": Float(0, 1),
            "m": Int(0, m, step=2),
        },
        {"y": Condition("a", (choices[0],)), "m": Condition("a", choices[-1:])},
    ),
    st.integers(1, 40),
    st.integers(0, 9),
    st.sampled_from([("u", "v"), ("u", "v", "w")]),
    st.booleans(),
)


@given(spaces, st.integers(3, 200))
def test_each_point_once_none_missing_none_too_many(space: Space, trials: int) -> None:
    grid = make_grid(space, None, trials)
    assert all(point in space for point in grid)
    assert len({tuple(sorted(point.items(), key=str)) for point in grid}) == len(grid) <= trials
    # No holes: whatever values the points of a choice have, they have in every combination.
    for choice in space.parameters["a"].choices:  # type: ignore[union-attr]
        points = [point for point in grid if point["a"] == choice]
        names = points[0].keys()
        assert len(points) == prod(len({point[name] for point in points}) for name in names)


@pytest.mark.parametrize(
    ("parameter", "count", "values"),
    [
        (Float(0, 1), 1, [0.5]),
        (Float(0, 1), 2, [0.25, 0.75]),
        (Float(1e-4, 1.0, log=True), 4, [10**-3.5, 10**-2.5, 10**-1.5, 10**-0.5]),
        (Float(0, 1, step=0.5), 9, [0.0, 0.5, 1.0]),
        (Int(1, 3), 3, [1, 2, 3]),
        (Int(1, 3), 9, [1, 2, 3]),
        (Int(0, 9, step=3), 9, [0, 3, 6, 9]),
        (Int(1, 3, log=True), 5, [1, 2, 3]),
        (Int(16, 1024, log=True), 3, [32, 128, 512]),
        (Categorical(("a", "b", "c")), 2, ["a", "b"]),
    ],
)
def test_values_stand_in_the_middle_of_equal_cells(
    parameter: Parameter, count: int, values: list[Value]
) -> None:
    found = spread(parameter, count)
    assert len(found) == len(values)
    if isinstance(parameter, Categorical):
        assert found == values
    else:
        assert found == pytest.approx(values, rel=0.05)  # 512 is the middle of 256 to 1024.5


def test_points_by_number_by_value_and_the_rest_balanced() -> None:
    space = Space({"x": Float(0, 1), "n": Int(1, 9), "a": Categorical(("u", "v"))})
    grid = make_grid(space, {"n": [1, 3, 9, 3], "x": 2}, 12)
    assert [(p["x"], p["n"], p["a"]) for p in grid] == [
        (x, n, a) for x in (0.25, 0.75) for n in (1, 3, 9) for a in ("u", "v")
    ]
    balanced = make_grid(space, {"n": [5], "a": ["v"]}, 7)
    assert [p["x"] for p in balanced] == pytest.approx([(i + 0.5) / 7 for i in range(7)])


@given(st.integers(0, 2**32), st.integers(1, 7))
def test_a_shifted_grid_is_the_grid_moved_by_the_same_part_of_a_step(seed: int, count: int) -> None:
    space = Space({"x": Float(0, 1), "y": Float(1e-3, 1.0, log=True), "a": Categorical(("u", "v"))})
    points = {"x": count, "y": count}
    grid = make_grid(space, points, 100)
    moved = make_grid(space, points, 100, shift=seed)
    assert moved == make_grid(space, points, 100, shift=seed)
    assert [p["a"] for p in moved] == [p["a"] for p in grid]
    for name in ("x", "y"):
        unit = space.parameters[name].to_unit
        steps = [unit(p[name]) - unit(q[name]) for p, q in zip(moved, grid, strict=True)]
        assert steps == pytest.approx([steps[0]] * len(steps))
        assert abs(steps[0]) <= 0.5 / count + 1e-9


@pytest.mark.parametrize(
    ("points", "trials", "error", "sentence"),
    [
        ({"x": 4, "n": 3}, 11, UsageError, "the grid has 12 points and there are 11 trials"),
        ({"x": 12}, 11, UsageError, "the grid has at least 12 points and there are 11 trials"),
        ({"x": 0}, 11, UsageError, "x has 0 grid points"),
        ({"x": []}, 11, UsageError, r"the grid points of x are \[\]"),
        ({"x": "abc"}, 11, UsageError, "the grid points of x are 'abc'"),
        ({"x": True}, 11, UsageError, "the grid points of x are True"),
        ({"x": [0.5, 2.0]}, 11, SpaceError, "the grid points of x: 2.0 is not a number from"),
        ({"y": 2}, 11, UnknownNameError, "unknown parameter 'y'"),
    ],
)
def test_impossible_grids(
    points: dict[str, object], trials: int, error: type[Exception], sentence: str
) -> None:
    space = Space({"x": Float(0, 1), "n": Int(1, 3)})
    with pytest.raises(error, match=sentence):
        make_grid(space, points, trials)  # type: ignore[arg-type]


def test_a_huge_grid_is_refused_without_being_built() -> None:
    with pytest.raises(UsageError, match="raise trials or give fewer points"):
        make_grid(LINES, dict.fromkeys("abcde", 10_000), 10)
