"""Known-good configurations: tried before anything is drawn."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from odd_spaces import odd_spaces

from hpsearch.errors import SpaceError, UsageError
from hpsearch.search import STRATEGIES, Result, Slot, make_strategy, run_search
from hpsearch.search.base import configuration_key
from hpsearch.search.first import first_in
from hpsearch.space import Categorical, Condition, Float, Int, Space

NAMES = [name for name in STRATEGIES if name != "gp"]
SPACE = Space(
    {
        "rate": Float(1e-4, 1.0, log=True, limits=(0.0, 10.0)),
        "width": Int(16, 64, limits=(1, 512)),
        "solver": Categorical(("sgd", "adam")),
        "momentum": Float(0.0, 0.9, step=0.1, limits=(0.0, 0.99)),
    },
    {"momentum": Condition("solver", ("sgd",))},
)
WHOLE = {"rate": 2.0, "width": 300, "solver": "sgd", "momentum": 0.5}
KNOWN: list[dict[str, Any]] = [WHOLE, {"width": 32}, {"momentum": 0.2}]


def score(slot: Slot) -> float:
    return -abs(float(str(slot.configuration["width"])) - 40.0) - slot.seed / 2**40


@pytest.mark.parametrize("name", NAMES)
def test_every_strategy_begins_with_them_in_their_order(name: str) -> None:
    strategy = make_strategy(name, SPACE, trials=40, epochs=4, seed=0, race=4, first=KNOWN)
    report = run_search(score, strategy)
    first = [result.slot for result in report.results[:3]]
    assert [slot.place for slot in first] == [(0, 0), (0, 1), (0, 2)]
    assert first[0].configuration == WHOLE
    for slot, known in zip(first, KNOWN, strict=True):
        assert slot.configuration.items() >= known.items()
        assert slot.configuration in report.stages[0].space
        assert slot.epochs == report.stages[0].epochs
    assert first[2].configuration["solver"] == "sgd"  # without which there is no momentum
    trials = len(report.results)
    assert trials <= 40 if name == "grid" else trials == 40


@pytest.mark.parametrize("name", ["random", "qmc", "coarse-to-fine", "guided"])
def test_the_rest_is_what_the_slot_would_have_drawn(name: str) -> None:
    with_it, without = (
        make_strategy(name, SPACE, trials=20, epochs=4, seed=0, first=first).next_stage([])
        for first in ([{"width": 32}], [])
    )
    assert with_it is not None
    assert without is not None
    drawn, own = with_it.slot(0), without.slot(0)
    assert drawn.configuration == {**own.configuration, "width": 32}
    assert [with_it.slot(i) for i in range(1, 5)] == [without.slot(i) for i in range(1, 5)]


def test_ranges_are_widened_for_them_and_the_first_stage_says_so() -> None:
    stage = make_strategy("random", SPACE, trials=20, epochs=4, seed=0, first=KNOWN).next_stage([])
    assert stage is not None
    moved = {change.parameter: change for change in stage.changes}
    assert moved.keys() == {"rate", "width"}
    assert moved["width"].after == Int(16, 300, limits=(1, 512))
    assert moved["width"].before == SPACE.parameters["width"]
    assert moved["rate"].reason == (
        "the first configuration 1 has rate = 2.0, so that the range is widened."
    )
    assert stage.space.parameters["rate"] == moved["rate"].after


@pytest.mark.parametrize(
    ("first", "words", "key"),
    [
        ([{"widht": 3}], "did you mean 'width'", "first.1.widht"),
        ([{}, {"width": 513}], "2: width: 513 passes its limits, 1 to 512.", "first.2.width"),
        ([{"width": 2.5}], "2.5 is not a whole number", "first.1.width"),
        ([{"width": "32"}], "'32' is not a whole number", "first.1.width"),
        ([{"width": True}], "True is not a whole number", "first.1.width"),
        ([{"rate": 0.0}], "no place on a logarithmic scale", "first.1.rate"),
        ([{"rate": float("nan")}], "nan is not a number", "first.1.rate"),
        ([{"solver": "adan"}], "'adan' is not one of 'sgd', 'adam'", "first.1.solver"),
        ([{"momentum": 0.25}], "none of its steps; the nearest is 0.2", "first.1.momentum"),
        (
            [{"solver": "adam", "momentum": 0.2}],
            "momentum does not exist where solver is adam; it needs one of sgd.",
            "first.1.momentum",
        ),
        ([{"width": 20}, {"width": 20.0}], "1 and 2 are the same", "first.2"),
    ],
)
def test_what_makes_no_sense_is_refused(first: list[dict[str, Any]], words: str, key: str) -> None:
    with pytest.raises(SpaceError) as caught:
        first_in(SPACE, first)
    assert words in str(caught.value)
    assert caught.value.key == key


def test_the_first_stage_must_hold_them() -> None:
    many = [{"width": width} for width in range(16, 32)]
    with pytest.raises(UsageError, match="16 first configurations and the first stage has 8"):
        make_strategy("coarse-to-fine", SPACE, trials=16, epochs=4, seed=0, race=0, first=many)
    with pytest.raises(UsageError, match="16 first configurations and the first stage has 9"):
        make_strategy("grid", SPACE, trials=9, epochs=4, seed=0, first=many)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", range(3))
def test_a_part_becomes_none_that_is_given_whole(name: str, seed: int) -> None:
    space = Space({"a": Categorical(("u", "v", "w")), "b": Categorical((1,))})
    wholes = [{"a": "u", "b": 1}, {"a": "w", "b": 1}]
    known = [{"b": 1}, *wholes]
    strategy = make_strategy(name, space, trials=12, epochs=1, seed=seed, race=0, first=known)
    stage = strategy.next_stage([])
    assert stage is not None
    tried = [stage.slot(index, []).configuration for index in range(stage.slots)]
    assert tried == [{"a": "v", "b": 1}, *wholes]
    # A second part has nothing left that it could become.
    again = make_strategy(
        name, space, trials=12, epochs=1, seed=seed, race=0, first=[*known, {}, {"a": "u"}]
    )
    stage = again.next_stage([])
    assert stage is not None
    assert [stage.slot(index, []).configuration for index in range(stage.slots)] == tried


def test_a_grid_has_them_before_its_points_and_none_twice() -> None:
    space = Space({"a": Categorical(("u", "v")), "n": Int(1, 3)})
    points = {"n": 3}
    known = [{"a": "v", "n": 3}, {"a": "u", "n": 5}]
    strategy = make_strategy(
        "grid", space, trials=12, epochs=1, seed=0, points=points | {"n": [1, 2, 3]}, first=known
    )
    stage = strategy.next_stage([])
    assert stage is not None
    tried = [stage.slot(index).configuration for index in range(stage.slots)]
    assert tried[:2] == known
    assert len(tried) == len(set(map(configuration_key, tried))) == 7


@settings(max_examples=40, deadline=None)
@given(odd_spaces(most=4), st.sampled_from(NAMES), st.data())
def test_parts_of_any_configuration_come_first(
    space: Space, name: str, data: st.DataObject
) -> None:
    points = [space.from_unit([u] * len(space.parameters)) for u in (0.1, 0.5, 0.9)]
    known: list[Any] = []
    for point in points:
        names = data.draw(st.sets(st.sampled_from(sorted(point)), min_size=1))
        part = {n: point[n] for n in sorted(names)}
        if part not in known:
            known.append(part)
    try:
        strategy = make_strategy(name, space, trials=300, epochs=2, seed=1, race=0, first=known)
    except UsageError:  # its points are too many
        assert name == "grid"
        return
    stage = strategy.next_stage([])
    assert stage is not None
    places = range(min(len(known), stage.slots))
    tried = [stage.slot(index, ()).configuration for index in places]
    assert all(configuration in stage.space for configuration in tried)
    for part in known:
        assert any(configuration.items() >= part.items() for configuration in tried)


@pytest.mark.parametrize("name", ["tpe", "cmaes", "guided", "random"])
def test_what_goes_on_after_a_kill_is_the_same(name: str) -> None:
    def make() -> Any:
        return make_strategy(name, SPACE, trials=16, epochs=4, seed=0, race=0, first=KNOWN)

    report = run_search(score, make())
    for result in report.results:
        before = [r for r in report.results if r.slot.stage < result.slot.stage]
        here: list[Result] = [r for r in report.results if r.slot.stage == result.slot.stage]
        stage = make().next_stage(before)
        known = here[: result.slot.index] if stage.adaptive else ()
        assert stage.slot(result.slot.index, known) == result.slot
