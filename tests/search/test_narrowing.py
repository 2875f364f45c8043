from __future__ import annotations

import json
import math
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpsearch.search.base import Move, Result, Slot
from hpsearch.search.narrowing import narrow, narrowed
from hpsearch.space import Categorical, Condition, Float, Int, Space

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hpsearch.search.base import Configuration


def results(
    space: Space,
    score: Callable[[Configuration], float | None],
    count: int = 40,
    *,
    stage: int = 0,
    epochs: int = 1,
    seed: int = 0,
) -> list[Result]:
    """Draw from a space and score: None for a configuration that diverges."""
    rng = np.random.default_rng([seed, stage])
    found = []
    for index in range(count):
        configuration = space.sample(rng)
        value = score(configuration)
        slot = Slot(stage, index, configuration, seed=index, epochs=epochs)
        found.append(Result(slot, 0.0 if value is None else value, complete=value is not None))
    return found


def number(configuration: Configuration, name: str = "x") -> float:
    value = configuration[name]
    assert isinstance(value, int | float)
    return value


def change(changes: Iterable[Move], name: str) -> Move:
    [found] = [c for c in changes if c.parameter == name]
    return found


RATE = Space({"x": Float(1e-4, 1.0, log=True)})


def near(at: float, configuration: Configuration) -> float:
    return -abs(number(configuration) - at)


def peak(at: float) -> Callable[[Configuration], float]:
    return lambda c: -abs(math.log(number(c) / at))


def test_the_range_closes_around_the_best_on_the_parameters_scale() -> None:
    space, changes = narrow([RATE], results(RATE, peak(0.01)))
    after = space.parameters["x"]
    assert isinstance(after, Float)
    assert 0.002 < after.low < 0.01 < after.high < 0.05
    [made] = changes
    assert (made.parameter, made.before, made.after) == ("x", RATE.parameters["x"], after)


def test_the_reason_names_the_best_and_their_range() -> None:
    found = results(RATE, peak(0.01))
    best = sorted(found, key=lambda r: r.score)[-4:]
    low, high = (f(number(r.slot.configuration) for r in best) for f in (min, max))
    _, [made] = narrow([RATE], found)
    assert made.reason.startswith(
        f"the best 4 of 40 trials lie between {low:.3g} and {high:.3g} (it explains "
    )


@pytest.mark.parametrize("junk", [Float(0, 1), Float(1e-6, 1, log=True), Int(1, 9)])
def test_a_parameter_that_does_not_matter_stays_wide(junk: Float | Int) -> None:
    space = Space({"x": Float(1e-4, 1.0, log=True), "junk": junk})
    kept = 0
    for seed in range(60):
        after, changes = narrow([space], results(space, peak(0.01), seed=seed))
        assert after.parameters["x"] != space.parameters["x"]
        stays = after.parameters["junk"] == junk
        kept += stays
        assert stays == ("stays" in change(changes, "junk").reason)
    # The evidence asked for lets chance through in one of five; less than 36 of 60 would be a
    # deviation that a binomial of 48 expected shows once in two thousand.
    assert kept >= 36


@pytest.mark.parametrize(
    ("parameter", "at"),
    [
        (Float(1e-4, 1e-2, log=True), 0.3),
        (Float(1.0, 100.0, log=True), 0.01),
        (Float(0.0, 1.0), 3.0),
        (Int(16, 64, log=True), 500),
        (Int(0, 20), -30),
        (Int(0, 20, step=5), 60),
        (Float(0.0, 1.0, step=0.1), 2.0),
    ],
)
def test_an_optimum_outside_is_reached_by_moving_past_the_end(
    parameter: Float | Int, at: float
) -> None:
    space = Space({"x": parameter, "junk": Float(0, 1)})

    def score(c: Configuration) -> float:
        return -abs(parameter.scaled(number(c)) - parameter.scaled(at))

    found: list[Result] = []
    for stage in range(6):
        now, changes = narrowed(space, stage, found)
        if stage == 1:
            assert "so it moves past" in change(changes, "x").reason
        found += results(now, score, 24, stage=stage)
    after, _ = narrowed(space, 6, found)
    moved = after.parameters["x"]
    assert not isinstance(moved, Categorical)
    assert moved.low <= at <= moved.high
    assert moved.step == parameter.step


@pytest.mark.parametrize(
    "parameter", [Float(0.0, 0.9, limits=(0.0, 1.0)), Int(1, 4, limits=(1, 5))]
)
def test_no_range_passes_its_limits(parameter: Float | Int) -> None:
    space = Space({"x": parameter})
    found: list[Result] = []
    for stage in range(4):
        now, changes = narrowed(space, stage, found)
        found += results(now, number, 24, stage=stage)
    after = now.parameters["x"]
    assert not isinstance(after, Categorical)
    assert after.high == parameter.limits[1]
    assert "which is its limit" in change(changes, "x").reason


@pytest.mark.parametrize("parameter", [Int(128, 512, log=True), Int(2, 9), Float(0, 1, step=0.1)])
def test_no_range_moves_past_its_bound_without_saying_so(parameter: Float | Int) -> None:
    space = Space({"x": parameter})
    for seed in range(40):
        at = number(space.sample(np.random.default_rng(seed)))
        found = results(space, partial(near, at), 20, seed=seed)
        _, [made] = narrow([space], found)
        assert isinstance(made.after, Float | Int)
        passed = made.after.low < parameter.low or made.after.high > parameter.high
        assert passed == ("moves past" in made.reason), made


def test_a_limit_between_the_steps_is_kept() -> None:
    space = Space({"x": Int(0, 20, step=5, limits=(-2, 23))})
    after, _ = narrow([space], results(space, number, 60))
    now = after.parameters["x"]
    assert isinstance(now, Int)
    assert (now.high, now.step) == (20, 5)
    below, _ = narrow([space], results(space, lambda c: -number(c), 60))
    assert below.parameters["x"] == Int(0, 0, step=5, limits=(-2, 23))


@pytest.mark.parametrize(("there", "moves"), [(10, True), (34, False)])
def test_where_nearly_all_were_tried_the_best_are_no_crowd(there: int, moves: bool) -> None:
    # As a model draws: most trials at the top, so that the best few would lie there by chance.
    unit = Space({"x": Float(0.0, 1.0)})
    places = [*np.linspace(0.0, 0.84, 40 - there), *np.linspace(0.86, 0.99, there)]
    found = [
        Result(Slot(0, i, {"x": float(x)}, seed=i, epochs=1), float(x))
        for i, x in enumerate(places)
    ]
    _, [made] = narrow([unit], found)
    assert ("moves past 1" in made.reason) == moves


def test_a_range_does_not_move_to_where_trials_diverged() -> None:
    # The best rate is the largest that trains; above 0.5 nothing does.
    def score(c: Configuration) -> float | None:
        return None if number(c) > 0.5 else number(c)

    after, [made] = narrow([RATE], results(RATE, score, 80))
    assert isinstance(after.parameters["x"], Float)
    assert after.parameters["x"].high <= 1.0
    # The same scores without a divergence do move it.
    beyond, [moved] = narrow([RATE], results(RATE, number, 80))
    assert isinstance(beyond.parameters["x"], Float)
    assert beyond.parameters["x"].high > 1.0
    assert "so it moves past 1" in moved.reason
    assert "moves past" not in made.reason


def test_divergence_at_a_crowded_end_is_named() -> None:
    # Best at the very top, but every second trial there diverged.
    space = Space({"x": Float(0.0, 1.0), "unstable": Categorical((True, False))})

    def score(c: Configuration) -> float | None:
        return None if number(c) > 0.8 and c["unstable"] else number(c)

    after, changes = narrow([space], results(space, score, 60))
    reason = change(changes, "x").reason
    assert "crowd the top of the range, but" in reason
    assert "trials there diverged, so it ends there" in reason
    assert isinstance(after.parameters["x"], Float)
    assert after.parameters["x"].high == 1.0


@pytest.mark.parametrize("epochs", [(1, 1), (1, 4)])
def test_only_scores_of_equal_epochs_are_compared(epochs: tuple[int, int]) -> None:
    coarse = results(RATE, lambda c: peak(0.01)(c) + 100, epochs=epochs[0])
    fine = Space({"x": Float(0.05, 0.5, log=True)})
    found = coarse + results(fine, peak(0.1), stage=1, epochs=epochs[1])
    after, _ = narrow([RATE, fine], found)
    now = after.parameters["x"]
    assert isinstance(now, Float)
    # Short trainings that score higher count only against each other.
    assert now.low <= (0.01 if epochs[0] == epochs[1] else 0.1) <= now.high
    assert (now.high < 0.05) == (epochs[0] == epochs[1])


def test_a_bad_choice_is_dropped_with_its_evidence() -> None:
    space = Space({"a": Categorical(("good", "bad", "fine")), "x": Float(0, 1)})
    after, changes = narrow(
        [space], results(space, lambda c: number(c) - 2 * (c["a"] == "bad"), 40)
    )
    assert after.parameters["a"] == Categorical(("good", "fine"))
    made = change(changes, "a")
    assert made.reason.startswith("'bad' is dropped: its ")
    assert "none is among the best 4" in made.reason


def test_no_choice_is_dropped_without_evidence() -> None:
    space = Space({"a": Categorical(("a", "b", "c")), "x": Float(0, 1)})
    after, changes = narrow([space], results(space, number, 40))
    assert after.parameters["a"] == space.parameters["a"]
    assert change(changes, "a").reason == (
        "no choice is worse than the others beyond chance in 40 trials."
    )


@pytest.mark.parametrize(("count", "dropped"), [(19, False), (20, True)])
def test_no_choice_is_dropped_by_few_trials(count: int, dropped: bool) -> None:
    space = Space({"a": Categorical(("good", "bad"))})
    after, [made] = narrow([space], results(space, lambda c: float(c["a"] == "good"), count))
    assert (after != space) == dropped
    assert ("too few to drop a choice" in made.reason) != dropped


def test_a_choice_left_alone_stays_however_good_those_outside_the_range_were() -> None:
    """What a race or an earlier stage tried outside of the last stage's choices is no rival."""
    whole = Space({"a": Categorical(("best", "good", "fair")), "x": Float(0, 1)})
    left = Space({"a": Categorical(("good", "fair")), "x": Float(0, 1)})
    rank = {"best": 2.0, "good": 1.0, "fair": 0.99}

    def score(c: Configuration) -> float:
        return rank[str(c["a"])] + number(c) / 100

    found = results(whole, score, 60) + results(left, score, 60, stage=1)
    after, _ = narrow([whole, left], found)
    assert after.parameters["a"] == Categorical(("good",))
    worse = [r for r in found if r.slot.configuration["a"] != "fair"]
    alone = Space({"a": Categorical(("good",)), "x": Float(0, 1)})
    kept, _ = narrow([whole, alone], worse)
    assert kept.parameters["a"] == Categorical(("good",))


def test_a_choice_that_always_diverges_is_dropped() -> None:
    space = Space({"a": Categorical(("zeros", "he")), "x": Float(0, 1)})
    after, _ = narrow(
        [space], results(space, lambda c: None if c["a"] == "zeros" else number(c), 30)
    )
    assert after.parameters["a"] == Categorical(("he",))


def test_a_conditional_parameter_is_judged_where_it_exists() -> None:
    space = Space(
        {"a": Categorical(("with", "without")), "x": Float(0, 1), "y": Float(0, 1)},
        {"y": Condition("a", ("with",))},
    )

    def score(c: Configuration) -> float:
        return number(c) / 100 - (abs(number(c, "y") - 0.5) if c["a"] == "with" else 0.2)

    found = results(space, score, 80)
    after, changes = narrow([space], found)
    having = sum("y" in r.slot.configuration for r in found)
    assert f"of {having} trials" in change(changes, "y").reason
    y = after.parameters["y"]
    assert isinstance(y, Float)
    assert 0 < y.low < 0.5 < y.high < 1


def test_what_depended_on_a_dropped_choice_leaves_with_it() -> None:
    space = Space(
        {"a": Categorical(("good", "bad")), "y": Float(0, 1)}, {"y": Condition("a", ("bad",))}
    )
    after, _ = narrow([space], results(space, lambda c: float(c["a"] == "good"), 40))
    assert after == Space({"a": Categorical(("good",))})


def test_when_everything_diverges_the_rates_move_down() -> None:
    space = Space(
        {"x": Float(1.0, 100.0, log=True), "width": Int(8, 64, log=True), "d": Float(0, 1)}
    )
    after, changes = narrow([space], results(space, lambda c: None, 12))
    assert after.parameters == {**space.parameters, "x": Float(0.1, 10.0, log=True)}
    assert change(changes, "x").reason.startswith("all 12 trials diverged, so the range moves down")
    assert change(changes, "width").reason == "all 12 trials diverged; it stays as it is."
    tied = Space({"x": Float(1.0, 100.0, log=True, limits=(1.0, 100.0))})
    down, _ = narrow([tied], results(tied, lambda c: None, 12))
    assert down.parameters["x"] == Float(1.0, 10.0, log=True, limits=(1.0, 100.0))


@pytest.mark.parametrize("count", [0, 1, 2, 3, 5])
def test_a_few_trials_leave_the_space_as_it_is_or_say_why(count: int) -> None:
    after, changes = narrow([RATE], results(RATE, peak(0.01), count))
    assert len(changes) == 1
    assert after == RATE or "moves" in changes[0].reason or "lie between" in changes[0].reason


spaces = st.builds(
    lambda low, width, log, n: Space(
        {
            "x": Float(low, low * width, log=log, limits=(low / 3, low * width * 2)),
            "n": Int(1, n, log=log, limits=(1, 2 * n)),
            "s": Int(0, 3 * n, step=3),
            "q": Float(0.0, 1.0, step=0.125),
            "a": Categorical(("u", "v")),
            "z": Float(-1.0, 1.0),
        },
        {"z": Condition("a", ("v",))},
    ),
    st.floats(1e-6, 10),
    st.floats(1.0, 1e5),
    st.booleans(),
    st.integers(1, 500),
)


@settings(max_examples=40)
@given(spaces, st.integers(0, 1000), st.integers(1, 30), st.sampled_from(["x", "n", "s", "q"]))
def test_whatever_happens_the_best_stay_and_the_limits_hold(
    space: Space, seed: int, count: int, decides: str
) -> None:
    """Three stages in a row, one trial in six diverging, order of results irrelevant."""
    rng = np.random.default_rng(seed)
    stages = [space]
    found: list[Result] = []
    for stage in range(3):
        found += results(
            stages[-1],
            lambda c: None if rng.random() < 1 / 6 else number(c, decides),
            count,
            stage=stage,
            seed=seed,
        )
        after, changes = narrow(stages, found)
        shuffled = [found[i] for i in rng.permutation(len(found))]
        assert narrow(stages, shuffled) == (after, changes)
        assert [c.parameter for c in changes] == list(stages[-1].parameters)
        assert all(c.reason.endswith(".") and "nan" not in c.reason for c in changes)
        assert Space.from_dict(json.loads(json.dumps(after.to_dict()))) == after
        for name, now in after.parameters.items():
            was = space.parameters[name]
            if isinstance(now, Float | Int) and isinstance(was, Float | Int):
                assert was.limits[0] <= now.low <= now.high <= was.limits[1]
                assert (now.log, now.step, now.limits) == (was.log, was.step, was.limits)
                assert (was.nearest(now.low), was.nearest(now.high)) == (now.low, now.high)
        best = max((r for r in found if r.complete), key=lambda r: r.score, default=None)
        if best is not None:
            value = best.slot.configuration[decides]
            kept = after.parameters[decides]
            held = stages[-1].parameters[decides]
            assert value in kept or kept == held
        stages.append(after)
