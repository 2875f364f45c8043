"""What a model says it believes, on functions whose effects are known, and on anything at all."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpsearch.search import Configuration, Result, Slot
from hpsearch.search.beliefs import (
    FEWEST,
    MOST,
    Beliefs,
    believe,
    effects,
    expected,
    strongest_pair,
)
from hpsearch.search.quasi_random import sobol_points
from hpsearch.search.surrogate import targets
from hpsearch.space import Categorical, Condition, Float, Int, Parameter, Space

Score = Callable[[Configuration], float]

MIXED = Space(
    {
        "rate": Float(1e-4, 1.0, log=True),
        "width": Int(8, 64, log=True),
        "solver": Categorical(("sgd", "adam", "none")),
        "momentum": Float(0.0, 1.0),
    },
    {"momentum": Condition("solver", ("sgd",))},
)


def number(configuration: Configuration, name: str) -> float:
    value = configuration[name]
    assert isinstance(value, int | float)
    return float(value)


def tried(space: Space, score: Score, count: int = 60, noise: float = 0.0) -> list[Result]:
    point = sobol_points(len(space.parameters), count, 0, stage=0)
    rng = np.random.default_rng(0)
    found = []
    for index in range(count):
        slot = Slot(0, index, space.from_unit(point(index)), 0, 1)
        found.append(Result(slot, score(slot.configuration) + noise * rng.normal()))
    return found


def believed(space: Space, score: Score, count: int = 60, noise: float = 0.0) -> Beliefs:
    beliefs = believe(space, tried(space, score, count, noise))
    assert beliefs is not None
    return beliefs


def cube(dimensions: int) -> Space:
    return Space({f"x{n}": Float(0.0, 1.0) for n in range(dimensions)})


def slope(c: Configuration) -> float:
    return 2.0 * number(c, "x0") + number(c, "x1")


def twist(c: Configuration) -> float:
    return number(c, "x0") + 2.0 * (number(c, "x1") - 0.5) * (number(c, "x2") - 0.5)


def test_effects_come_in_the_order_of_their_size_and_follow_the_score() -> None:
    found = effects(believed(cube(3), slope), {"x0": 0.9, "x1": 0.9, "x2": 0.1})
    assert [effect.parameter for effect in found] == ["x0", "x1", "x2"]
    assert found[0].share == pytest.approx(0.8, abs=0.1)
    assert found[1].share == pytest.approx(0.2, abs=0.1)
    assert found[2].share < 0.01
    for effect in found[:2]:
        assert (np.diff(effect.mean) > 0).all()
        assert (np.diff(effect.average) > 0).all()
        assert (effect.values[0], effect.values[-1]) == pytest.approx((0.0, 1.0))


def test_an_effect_is_of_the_configuration_that_it_is_looked_at_from() -> None:
    """Up along one parameter where the other is high, down where it is low, level on average."""
    beliefs = believed(cube(3), twist, 120)
    at = {"x0": 0.5, "x1": 0.5, "x2": 0.5}
    low, high = (
        next(e for e in effects(beliefs, at | {"x2": x}) if e.parameter == "x1") for x in (0.0, 1.0)
    )
    assert low.mean[0] > low.mean[-1] + 0.5
    assert high.mean[0] < high.mean[-1] - 0.5
    assert np.ptp(low.average) < 0.3
    assert (low.average == high.average).all()


def test_the_band_is_narrow_where_trials_were_and_wide_where_none_was() -> None:
    space = cube(2)
    near = [r for r in tried(space, slope, 128) if number(r.slot.configuration, "x0") < 0.4]
    beliefs = believe(space, near)
    assert beliefs is not None
    [effect] = [e for e in effects(beliefs, {"x0": 0.2, "x1": 0.5}) if e.parameter == "x0"]
    values = np.array(effect.values, float)
    assert effect.deviation[values < 0.4].max() < 0.3 * effect.deviation[values > 0.9].min()


def test_the_pair_is_that_of_the_largest_interaction() -> None:
    pair = strongest_pair(believed(cube(4), twist, 120))
    assert pair is not None
    assert pair.parameters == ("x1", "x2")
    corners = pair.mean[0, 0] + pair.mean[-1, -1] - pair.mean[0, -1] - pair.mean[-1, 0]
    assert corners > 1.0
    assert pair.mean.shape == (len(pair.values[0]), len(pair.values[1]))
    assert pair.share == pytest.approx(0.25, abs=0.1)


def test_effects_that_add_up_leave_nothing_to_a_pair() -> None:
    pair = strongest_pair(believed(cube(3), slope, 120))
    assert pair is not None
    assert pair.share < 0.02


def test_one_parameter_has_no_pair() -> None:
    beliefs = believed(cube(1), lambda c: -abs(number(c, "x0") - 0.3))
    assert strongest_pair(beliefs) is None
    [only] = effects(beliefs, {"x0": 0.3})
    assert only.share == pytest.approx(1.0, abs=0.05)
    assert number({"x0": only.values[int(only.mean.argmax())]}, "x0") == pytest.approx(0.3, abs=0.1)


def test_a_parameter_is_looked_at_where_it_exists() -> None:
    """Momentum helps; the best has none, for it has another solver."""

    def score(c: Configuration) -> float:
        return (1.0 if c["solver"] == "adam" else 0.0) + number({"momentum": 0.0, **c}, "momentum")

    beliefs = believed(MIXED, score, 120)
    best: Configuration = {"rate": 0.1, "width": 8, "solver": "adam"}
    found = {effect.parameter: effect for effect in effects(beliefs, best)}
    assert found["solver"].values == ("sgd", "adam", "none")
    assert found["solver"].mean.argmax() == 1
    momentum = found["momentum"]
    assert momentum.mean[-1] > momentum.mean[0] + 0.5
    assert 0.0 < momentum.share < 0.5, "it exists in a third of the space"
    pair = strongest_pair(beliefs)
    assert pair is not None
    assert set(pair.parameters) != {"solver", "momentum"}, "one comes and goes with the other"


def test_what_is_expected_of_a_result_is_what_the_others_say() -> None:
    beliefs = believed(cube(2), slope, 30, noise=0.2)
    guess = expected(beliefs)
    process, values = beliefs.model.process, targets(beliefs.results)
    for left in (0, 7, 29):
        rest = np.delete(np.arange(30), left)
        seen = process.correlation(process.points[rest], process.points[rest])
        seen += process.noise * np.eye(29)
        across = process.correlation(process.points[[left]], process.points[rest])[0]
        solved = np.linalg.solve(seen, across)
        assert guess.mean[left] == pytest.approx(solved @ values[rest])
        variance = process.scale * (1.0 + process.noise - solved @ across)
        assert guess.deviation[left] == pytest.approx(math.sqrt(variance))


@pytest.mark.parametrize(("noise", "low", "high"), [(0.0, 0.0, 0.05), (1.0, 0.3, 0.95)])
def test_the_share_of_noise_tells_quiet_from_noisy(noise: float, low: float, high: float) -> None:
    assert low <= believed(cube(2), slope, 120, noise).noise_share <= high


def test_the_ladder_leads_from_ranks_to_the_scores_that_had_them() -> None:
    results = tried(cube(2), slope, 20)
    results[3] = Result(results[3].slot, 1e9, complete=False)
    beliefs = believe(cube(2), results)
    assert beliefs is not None
    normal = targets(results)
    complete = [i for i in range(20) if i != 3]
    scores = np.array([results[i].score for i in complete])
    assert beliefs.ladder.down(normal[complete]) == pytest.approx(scores)
    ends = beliefs.ladder.down(np.array([-9.0, normal[3], 9.0]))
    assert ends.tolist() == [scores.min(), scores.min(), scores.max()]


def test_neither_the_order_of_results_nor_that_of_parameters_matters() -> None:
    """From JSON a space comes back in the order of its names."""

    def score(c: Configuration) -> float:
        return -abs(math.log10(number(c, "rate")) + 2) + 0.01 * number(c, "width")

    results = tried(MIXED, score)
    turned = Space(dict(reversed(MIXED.parameters.items())), MIXED.conditions)
    one, other = believe(MIXED, results), believe(turned, results[::-1])
    assert one is not None
    assert other is not None
    best = results[0].slot.configuration
    shares = [[(e.parameter, e.share) for e in effects(each, best)] for each in (one, other)]
    assert shares[0] == shares[1]


def test_ranges_are_as_wide_as_what_was_tried() -> None:
    """A stage moves past an end of the first range where the best crowd there."""
    results = tried(cube(2), slope)
    results.append(Result(Slot(1, 0, {"x0": 1.5, "x1": 1.0}, 0, 1), 4.0))
    beliefs = believe(cube(2), results)
    assert beliefs is not None
    [first] = [e for e in effects(beliefs, {"x0": 1.5, "x1": 1.0}) if e.parameter == "x0"]
    assert first.values[-1] == pytest.approx(1.5)


def test_of_thousands_of_results_it_learns_from_the_best_the_worst_and_an_even_sample() -> None:
    results = tried(cube(2), slope, 1000)
    beliefs = believe(cube(2), results)
    assert beliefs is not None
    assert len(beliefs.results) == MOST
    ordered = sorted(results, key=lambda result: result.score)
    assert all(end in beliefs.results for end in (ordered[0], ordered[-1]))


def diverged(results: list[Result]) -> list[Result]:
    return [Result(result.slot, 0.0, complete=False) for result in results]


@pytest.mark.parametrize(
    "results",
    [
        [],
        tried(cube(2), slope, FEWEST - 1),
        tried(cube(2), lambda _: 0.5),
        diverged(tried(cube(2), slope)),
        tried(cube(3), slope),
    ],
    ids=["none", "too few", "all equal", "all diverged", "of another space"],
)
def test_what_tells_nothing_is_not_believed(results: list[Result]) -> None:
    assert believe(cube(2), results) is None


@pytest.mark.parametrize("parameter", [Float(0.0, 1.0), Int(1, 3)])
def test_a_parameter_that_no_result_has_keeps_its_range(parameter: Parameter) -> None:
    space = Space(
        {"solver": Categorical(("sgd", "adam")), "rate": Float(0.0, 1.0), "momentum": parameter},
        {"momentum": Condition("solver", ("sgd",))},
    )
    results = [
        Result(Slot(0, index, {"solver": "adam", "rate": index / 10}, 0, 1), float(index))
        for index in range(10)
    ]
    beliefs = believe(space, results)
    assert beliefs is not None
    assert beliefs.model.space.parameters["momentum"] == parameter


def test_a_space_without_parameters_is_not_believed() -> None:
    results = [Result(Slot(0, index, {}, 0, 1), float(index)) for index in range(20)]
    assert believe(Space({}), results) is None


parameters: st.SearchStrategy[Parameter] = st.sampled_from(
    [
        Float(0.0, 1.0),
        Float(1e-5, 1.0, log=True),
        Float(0.0, 1.0, step=0.25),
        Float(2.0, 2.0),
        Int(1, 3),
        Int(8, 512, log=True),
        Int(0, 64, step=16),
        Categorical((True, False)),
        Categorical(("a", "b", "c", None)),
        Categorical((1,)),
    ]
)


@st.composite
def spaces(draw: st.DrawFn) -> Space:
    """Parameters of any kind; the later ones may depend on a choice of an earlier one."""
    made = dict(enumerate(draw(st.lists(parameters, min_size=1, max_size=6))))
    conditions = {}
    for place in made:
        parents = [p for p in range(place) if isinstance(made[p], Categorical)]
        if parents and draw(st.booleans()):
            parent = draw(st.sampled_from(parents))
            choices = made[parent].choices  # type: ignore[union-attr]
            values = draw(st.lists(st.sampled_from(choices), min_size=1, unique=True))
            conditions[f"p{place}"] = Condition(f"p{parent}", tuple(values))
    return Space({f"p{place}": parameter for place, parameter in made.items()}, conditions)


@settings(max_examples=40, deadline=None)
@given(spaces(), st.integers(10, 40), st.integers(0, 2**31))
def test_of_any_space_and_any_results_numbers_can_be_told(
    space: Space, count: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    results = [
        Result(
            Slot(index // 10, index, space.sample(rng), 0, 1 + index // 10),
            float(round(rng.normal(), 1)),
            complete=bool(rng.random() < 0.8),
        )
        for index in range(count)
    ]
    beliefs = believe(space, results)
    if beliefs is None:
        return
    assert 0.0 <= beliefs.noise_share < 1.0
    found = effects(beliefs, results[0].slot.configuration)
    assert sorted(effect.parameter for effect in found) == sorted(space.parameters)
    for effect in found:
        parameter = beliefs.model.space.parameters[effect.parameter]
        assert all(value in parameter for value in effect.values)
        assert len(effect.values) == len(effect.mean) == len(effect.deviation)
        assert np.isfinite([effect.mean, effect.deviation, effect.average]).all()
        assert 0.0 <= effect.share <= 1.0
    pair = strongest_pair(beliefs)
    assert pair is None or (np.isfinite(pair.mean).all() and 0.0 <= pair.share <= 1.0)
    guess = expected(beliefs)
    assert np.isfinite([guess.mean, guess.deviation]).all()
    assert len(guess.mean) == len(beliefs.results)
