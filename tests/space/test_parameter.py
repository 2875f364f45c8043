from __future__ import annotations

import math
import warnings
from collections import Counter
from dataclasses import replace

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.trial import create_trial

from hpsearch.errors import SpaceError
from hpsearch.search.base import Result, Slot
from hpsearch.search.distributions import suggest, to_distribution
from hpsearch.search.grid import spread
from hpsearch.search.narrowing import narrowed
from hpsearch.space import Categorical, Float, Int, Parameter, Space, Value

units = st.floats(0, 1)


@st.composite
def floats(draw: st.DrawFn) -> Float:
    log = draw(st.booleans())
    low = draw(st.floats(1e-9, 1e3) if log else st.floats(-1e3, 1e3))
    high = low * draw(st.floats(1, 1e6)) if log else low + draw(st.floats(0, 1e3))
    step = None if log else draw(st.none() | st.sampled_from([0.1, 0.25, 3.0]))
    return Float(low, high, log, step)


@st.composite
def ints(draw: st.DrawFn) -> Int:
    log = draw(st.booleans())
    low = draw(st.integers(1, 100) if log else st.integers(-100, 100))
    high = low + draw(st.integers(0, 3000))
    return Int(low, high, log, 1 if log else draw(st.integers(1, 7)))


categoricals = st.lists(
    st.none() | st.booleans() | st.text(max_size=3) | st.integers(2, 99), min_size=1, unique=True
).map(lambda choices: Categorical(tuple(choices)))
parameters = floats() | ints() | categoricals


@given(parameters, units)
def test_every_place_has_a_value_and_the_value_has_that_place(
    parameter: Parameter, u: float
) -> None:
    value = parameter.from_unit(u)
    assert value in parameter
    again = parameter.from_unit(parameter.to_unit(value))
    if isinstance(parameter, Float):
        assert again == pytest.approx(value, rel=1e-9, abs=1e-9)
    else:
        assert again == value


@given(floats() | ints(), units, units)
def test_a_higher_place_never_has_a_smaller_value(
    parameter: Float | Int, u: float, v: float
) -> None:
    low, high = sorted((u, v))
    assert parameter.from_unit(low) <= parameter.from_unit(high)


@given(floats() | ints(), units)
def test_the_scale_has_an_inverse_and_bounds_around_every_value(
    parameter: Float | Int, u: float
) -> None:
    value = parameter.from_unit(u)
    x = parameter.scaled(value)
    assert parameter.unscaled(x) == pytest.approx(value, rel=1e-9, abs=1e-9)
    low, high = parameter.bounds()
    assert low - 1e-9 <= x <= high + 1e-9
    assert parameter.nearest(parameter.unscaled(x)) == pytest.approx(value, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(
    ("parameter", "values"),
    [
        (Int(3, 3), [3]),
        (Int(1, 10, step=4), [1, 5, 9]),
        (Int(0, 2), [0, 1, 2]),
        (Float(0.1, 0.5, step=0.2), [0.1, 0.3, 0.5]),
        (Float(0.0, 1.0, step=0.4), [0.0, 0.4, 0.8]),
        (Categorical(("a", None, True)), ["a", None, True]),
    ],
)
def test_equal_cells_for_discrete_values(parameter: Parameter, values: list[Value]) -> None:
    drawn = Counter(parameter.from_unit(u) for u in (np.arange(3000) + 0.5) / 3000)
    assert drawn == dict.fromkeys(values, 3000 // len(values))


def test_a_logarithmic_scale_gives_equal_ratios_equal_shares() -> None:
    places = (np.arange(10_000) + 0.5) / 10_000
    rates = np.array([Float(1e-4, 1.0, log=True).from_unit(u) for u in places])
    for decade in (1e-4, 1e-3, 1e-2, 1e-1):
        share = np.mean((rates >= decade) & (rates < 10 * decade))
        assert share == pytest.approx(0.25, abs=1e-3)
    widths = Counter(Int(1, 4, log=True).from_unit(u) for u in places)
    # Each whole number has the logarithmic share of what rounds to it, from 0.5 to 4.5.
    for width in (1, 2, 3, 4):
        share = math.log((width + 0.5) / (width - 0.5)) / math.log(9)
        assert widths[width] / 10_000 == pytest.approx(share, abs=1e-3)


def test_high_is_lowered_to_what_the_steps_reach() -> None:
    assert Int(1, 10, step=4).high == 9
    assert Float(0.0, 1.0, step=0.3).high == 0.9
    assert len(Int(1, 10, step=4)) == 3


def test_nearest_goes_on_past_the_bounds_in_steps() -> None:
    assert Int(1, 9, step=4).nearest(14) == 13
    assert Float(0.1, 0.3, step=0.1).nearest(0.58) == 0.6
    assert Float(0.1, 0.3).nearest(0.58) == 0.58


@pytest.mark.parametrize(
    ("parameter", "inside", "outside"),
    [
        (Float(0, 1), [0, 0.5, 1.0], [-0.1, 1.1, "0.5", None, True, math.nan]),
        (Float(0, 1, step=0.5), [0, 0.5, 1], [0.25]),
        (Int(1, 7, step=3), [1, 4, 7, 4.0], [2, 10, -2, 4.5, "4", None, True]),
        (Categorical(("a", None, 2)), ["a", None, 2], ["b", 3, False]),
    ],
)
def test_membership(parameter: Parameter, inside: list[object], outside: list[object]) -> None:
    assert [v for v in inside if v not in parameter] == []
    assert [v for v in outside if v in parameter] == []


@pytest.mark.parametrize("parameter", [Float(0, 1), Int(0, 9), Categorical(("a", "b"))])
@pytest.mark.parametrize("value", [99, "c", None])
def test_a_foreign_value_has_no_place(parameter: Parameter, value: Value) -> None:
    with pytest.raises(SpaceError, match="not a"):
        parameter.to_unit(value)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Float(2, 1), r"low \(2.0\) is above high \(1.0\)"),
        (lambda: Int(2, 1), r"low \(2\) is above high \(1\)"),
        (lambda: Float(0, 1, log=True), "low is 0.0 on a logarithmic scale"),
        (lambda: Int(0, 9, log=True), "low is 0 on a logarithmic scale"),
        (lambda: Float(1, 2, log=True, step=0.1), "exclude each other"),
        (lambda: Int(1, 9, log=True, step=2), "exclude each other"),
        (lambda: Float(math.nan, 1), "low is nan; give a finite number"),
        (lambda: Float(0, math.inf), "high is inf; give a finite number"),
        (lambda: Float("0", 1), "low is '0'; give a number"),  # type: ignore[arg-type]
        (lambda: Float(False, 1), "low is False; give a number"),
        (lambda: Float(0, 1, step=0), "step is 0.0; give a positive one"),
        (lambda: Int(0, 9, step=-1), "step is -1; give a positive one"),
        (lambda: Int(0.5, 9), "low is 0.5; give a whole number"),  # type: ignore[arg-type]
        (lambda: Float(0, 2, limits=(0, 1)), "passes its limits 0 to 1"),
        (lambda: Float(-1, 1, limits=(0, 1)), "passes its limits 0 to 1"),
        (lambda: Float(0, 1, limits=(math.nan, 1)), "passes its limits"),
        (lambda: Categorical(()), "has no choices"),
        (lambda: Categorical("relu"), "choices is the text 'relu'"),  # type: ignore[arg-type]
        (lambda: Categorical(("a", "a")), "the choice 'a' is given twice"),
        (lambda: Categorical((1, True)), "the choice True is given twice"),
        (lambda: Categorical((math.nan,)), "the choice nan is not finite"),
        (lambda: Categorical(([1],)), r"the choice \[1\] is a list"),  # type: ignore[arg-type]
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(make: object, sentence: str) -> None:
    with pytest.raises(SpaceError, match=sentence):
        make()  # type: ignore[operator]


def test_numbers_of_numpy_become_plain() -> None:
    width = Int(np.int64(1), np.float64(9))  # type: ignore[arg-type]
    assert (type(width.low), type(width.high)) == (int, int)
    assert type(Float(np.float32(0.5), 1).low) is float  # type: ignore[arg-type]


@st.composite
def stepped(draw: st.DrawFn) -> Float:
    """Steps of any size, and as many of them as floats of their range can tell apart, or more."""
    step = draw(st.floats(1e-12, 1e9))
    low = draw(st.floats(-1e9, 1e9) | st.just(0.0) | st.integers(-1000, 1000).map(float))
    high = low + step * draw(st.floats(0, 100) | st.floats(0, 1e12))
    limits = draw(st.sampled_from([(-math.inf, math.inf), (low, high)]))
    return Float(low, high, step=step, limits=limits)


class TestManySteps:
    @given(stepped(), units)
    def test_every_value_that_is_drawn_is_one(self, parameter: Float, u: float) -> None:
        value = parameter.from_unit(u)
        assert value in parameter
        assert parameter.low in parameter
        assert parameter.high in parameter
        assert 0 <= parameter.to_unit(value) <= 1
        assert parameter.nearest(value) in parameter

    @given(stepped(), st.integers(1, 30), units)
    def test_every_value_of_a_grid_is_one(
        self, parameter: Float, count: int, offset: float
    ) -> None:
        for value in spread(parameter, count, offset=offset):
            assert value in parameter

    @given(stepped(), st.integers(0, 2**31), st.booleans())
    def test_every_value_that_narrowing_leaves_is_one(
        self, parameter: Float, seed: int, complete: bool
    ) -> None:
        rng = np.random.default_rng(seed)
        space = Space({"x": parameter})
        results = [
            Result(
                Slot(0, k, {"x": parameter.from_unit(u)}, 0, 1),
                1 - abs(u - 0.3),
                complete or u < 0.5,
            )
            for k, u in enumerate(rng.random(24))
        ]
        after = narrowed(space, 1, results)[0].parameters["x"]
        assert isinstance(after, Float)
        drawn = [after.from_unit(u) for u in rng.random(10)]
        assert all(value in after for value in drawn)
        lowest, highest = parameter.limits
        assert all(lowest <= value <= highest for value in drawn)
        on_steps = replace(
            parameter,
            low=min(parameter.low, after.low),
            high=max(parameter.high, after.high),
            limits=(-math.inf, math.inf),
        )
        if on_steps.low == parameter.low:
            assert all(value in on_steps for value in drawn)

    @given(stepped(), units)
    def test_optuna_takes_every_value(self, parameter: Float, u: float) -> None:
        value = parameter.from_unit(u)
        create_trial(
            value=0.0, params={"x": value}, distributions={"x": to_distribution(parameter)}
        )

    @settings(max_examples=20)
    @given(stepped(), st.integers(0, 2**31))
    def test_what_optuna_proposes_is_one(self, parameter: Float, seed: int) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert suggest(study.ask(), Space({"x": parameter}))["x"] in parameter

    @pytest.mark.parametrize(
        ("parameter", "others"),
        [
            (Float(0, 1, step=1e-9), [5e-10, 0.1234567895]),
            (Float(0, 1e9, step=1.0), [0.5, 123456789.25]),
            (Float(0.1, 0.5, step=0.2), [0.2, 0.3 + 1e-8]),
        ],
    )
    def test_what_lies_between_them_is_none(self, parameter: Float, others: list[float]) -> None:
        assert not any(value in parameter for value in others)

    def test_a_step_that_no_float_can_count_is_refused(self) -> None:
        with pytest.raises(SpaceError, match="too small for the range"):
            Float(0, 1e9, step=1e-305)
