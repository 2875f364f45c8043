"""No configuration twice by accident, in any space and by any strategy."""

from __future__ import annotations

import math
import zlib
from itertools import islice

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from odd_spaces import odd_spaces

from hpsearch.search import STRATEGIES, Result, Slot, Stage, make_strategy, run_search
from hpsearch.search.base import configuration_key, generator
from hpsearch.search.distinct import fresh, in_turn, near
from hpsearch.search.distributions import suggest
from hpsearch.search.extension import extend
from hpsearch.search.guided_sampler import GuidedSampler
from hpsearch.search.race import RacedSearch
from hpsearch.search.sampler import CoarseToFineSampler
from hpsearch.space import Categorical, Condition, Float, Int, Space

pytestmark = pytest.mark.slow

NAMES = [name for name in STRATEGIES if name not in ("gp", "grid")]
SIX = Space({"a": Categorical(("u", "v")), "n": Int(1, 3)})
HUNDRED = Space({"n": Int(1, 100, limits=(1, 100))})


def score(slot: Slot) -> float:
    parts = (f"{name} {value}".encode() for name, value in slot.configuration.items())
    return sum(zlib.crc32(part) % 97 for part in parts) / 97 + slot.seed / 2**40


def repeats(results: tuple[Result, ...], stages: tuple[Stage, ...]) -> int:
    """How often a configuration trained as long before, outside of a race."""
    keys = [
        (r.slot.epochs, configuration_key(r.slot.configuration))
        for r in results
        if not stages[r.slot.stage].races
    ]
    return len(keys) - len(set(keys))


@settings(max_examples=25, deadline=None)
@given(
    odd_spaces(most=4),
    st.sampled_from(NAMES),
    st.integers(1, 60),
    st.sampled_from([None, 0, 4]),
    st.integers(0, 9),
)
def test_only_a_race_trains_a_configuration_again(
    space: Space, name: str, trials: int, race: int | None, seed: int
) -> None:
    race = race if race is None or race < trials else 0
    strategy = make_strategy(name, space, trials=trials, epochs=4, seed=seed, race=race)
    report = run_search(score, strategy)
    assert repeats(report.results, report.stages) == 0
    assert len(report.results) <= trials
    searched = [r for r in report.results if not report.stages[r.slot.stage].races]
    assert len(searched) >= min(trials - strategy.race, space.size) or strategy.race == 0
    assert all(r.slot.configuration in report.stages[r.slot.stage].space for r in searched)


@pytest.mark.parametrize("name", NAMES)
def test_where_the_trials_are_enough_everything_is_tried_once_and_in_full(name: str) -> None:
    strategy = make_strategy(name, SIX, trials=60, epochs=8, seed=0, race=9)
    report = run_search(score, strategy)
    searched = [r.slot for r in report.results if r.slot.stage == 0]
    assert {configuration_key(slot.configuration) for slot in searched} == {
        configuration_key(configuration) for configuration in SIX.configurations()
    }
    assert len(searched) == 6
    assert {slot.epochs for slot in searched} == {8}
    assert len(report.results) == 6 + 9
    assert report.stages[0].note == (
        "The space has 6 configurations, so that 6 trials search it and not 51; the race has its 9."
    )


def test_where_they_are_not_nothing_is_said() -> None:
    strategy = make_strategy("random", SIX, trials=6, epochs=8, seed=0)
    assert run_search(score, strategy).stages[0].note == ""


@pytest.mark.parametrize("name", ["coarse-to-fine", "guided"])
def test_a_configuration_may_come_again_for_longer(name: str) -> None:
    space = Space({"n": Int(1, 30)})
    report = run_search(score, make_strategy(name, space, trials=60, epochs=8, seed=0, race=0))
    lengths = {}
    for result in report.results:
        key = configuration_key(result.slot.configuration)
        lengths.setdefault(key, set()).add(result.slot.epochs)
    assert max(map(len, lengths.values())) > 1
    assert repeats(report.results, report.stages) == 0


@pytest.mark.parametrize("name", ["coarse-to-fine", "guided"])
def test_a_stage_whose_ranges_have_too_little_left_says_that_it_takes_the_rest_elsewhere(
    name: str,
) -> None:
    """All but the middle is hopeless, so that ranges get narrower than the stages are long."""
    strategy = make_strategy(name, HUNDRED, trials=120, epochs=8, seed=0, race=0)
    report = run_search(lambda slot: -abs(slot.configuration["n"] - 50.0), strategy)  # type: ignore[operator]
    told = [c.reason for stage in report.stages for c in stage.changes]
    assert any("the others come from the whole space." in reason for reason in told)
    assert repeats(report.results, report.stages) == 0
    assert report.winner.configuration == {"n": 50}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("space", [SIX, HUNDRED], ids=["six", "hundred"])
def test_a_search_that_goes_on_does_what_it_would_have_done(name: str, space: Space) -> None:
    """From what was stored, one worker: after every result the next slot is the same."""

    def make() -> RacedSearch:
        return make_strategy(name, space, trials=24, epochs=8, seed=2, race=0)

    report = run_search(score, make())
    for result in report.results:
        before = [r for r in report.results if r.slot.stage < result.slot.stage]
        here = [r for r in report.results if r.slot.stage == result.slot.stage]
        stage = make().next_stage(before)
        assert stage is not None
        index = result.slot.index
        assert stage.slot(index, here[:index] if stage.adaptive else ()) == result.slot


@pytest.mark.parametrize("name", NAMES)
def test_slots_that_run_side_by_side_differ(name: str) -> None:
    stage = make_strategy(name, SIX, trials=60, epochs=8, seed=0, race=0).next_stage([])
    assert stage is not None
    drawn = [configuration_key(stage.slot(index).configuration) for index in (5, 4, 3, 2, 1, 0)]
    assert len(set(drawn)) == 6


@pytest.mark.parametrize("name", NAMES)
def test_more_trials_begin_with_the_same(name: str) -> None:
    few, many = (
        make_strategy(name, HUNDRED, trials=trials, epochs=8, seed=0, race=0).next_stage([])
        for trials in (8, 40)
    )
    assert few is not None
    assert many is not None
    if name not in ("tpe", "cmaes"):  # which look at results
        assert [few.slot(i).configuration for i in range(4)] == [
            many.slot(i).configuration for i in range(4)
        ]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("race", [0, 5])
def test_a_raised_total_tries_what_was_not_tried(name: str, race: int) -> None:
    def make(trials: int) -> RacedSearch:
        return make_strategy(name, HUNDRED, trials=trials, epochs=8, seed=0, race=race)

    report = run_search(score, extend(make, [30, 60, 400]))
    assert repeats(report.results, report.stages) == 0
    assert len(report.results) <= 400
    full = {configuration_key(r.slot.configuration) for r in report.results if r.slot.epochs == 8}
    assert len(full) == 100


def test_where_a_number_is_of_a_continuum_every_slot_is_a_draw_of_its_own() -> None:
    """Nothing is looked up there, and no draw gives way to another."""
    space = Space({"x": Float(0.0, 1.0), "a": Categorical(("u", "v"))})
    assert space.continuous
    stage = make_strategy("random", space, trials=20, epochs=1, seed=5).next_stage([])
    assert stage is not None
    for index in range(20):
        assert stage.slot(index).configuration == space.sample(generator(5, 0, index, 1))


def test_the_finite_part_of_a_space_is_drawn_once() -> None:
    space = Space(
        {"kind": Categorical(("none", "some")), "x": Float(0.0, 1.0)},
        {"x": Condition("kind", ("some",))},
    )
    assert not space.continuous
    assert math.isinf(space.size)
    for name in NAMES:
        report = run_search(score, make_strategy(name, space, trials=40, epochs=1, seed=0, race=0))
        assert len(report.results) == 40
        none = [r for r in report.results if r.slot.configuration == {"kind": "none"}]
        assert len(none) == 1, name


class TestFresh:
    def test_what_is_hardly_ever_drawn_comes_too(self) -> None:
        space = Space({"n": Int(1, 50)})
        found = list(fresh([(space, lambda place: {"n": 1})], {(("n", 7),)}))
        assert len(found) == 49
        assert {"n": 7} not in found

    def test_the_next_source_follows_when_one_has_ended(self) -> None:
        small, large = Space({"n": Int(1, 2)}), Space({"n": Int(1, 4)})
        draws = [
            (space, lambda place, s=space: s.sample(generator(0, place)))
            for space in (small, large)
        ]
        found = [c["n"] for c in fresh(draws)]
        assert (set(found[:2]), set(found)) == ({1, 2}, {1, 2, 3, 4})

    def test_a_stage_that_is_longer_than_all_there_is_begins_again(self) -> None:
        propose = in_turn(iter([{"n": 1}, {"n": 2}]))
        assert [propose(index, ())["n"] for index in range(5)] == [1, 2, 1, 2, 1]

    def test_what_takes_a_proposal_s_place_is_near_it(self) -> None:
        proposed = {"a": "u", "n": 2}
        drawn = list(
            islice(fresh([(SIX, near(SIX, proposed, 0, 1))], {configuration_key(proposed)}), 3)
        )
        assert all((c["a"] == "u") + (c["n"] == 2) == 1 for c in drawn)


@pytest.mark.parametrize("sampler", [CoarseToFineSampler, GuidedSampler])
@pytest.mark.parametrize("conditional", [False, True])
def test_samplers_for_optuna_repeat_nothing_while_there_is_something_left(
    sampler: type[CoarseToFineSampler], conditional: bool
) -> None:
    space = Space(
        {"a": Categorical(("u", "v")), "n": Int(1, 8), "m": Float(0.0, 1.0, step=0.25)},
        {"m": Condition("a", ("v",))} if conditional else {},
    )
    study = optuna.create_study(sampler=sampler(40, 0))
    study.optimize(lambda trial: score(Slot(0, 0, suggest(trial, space), 0, 1)), n_trials=40)
    tried = [configuration_key(trial.params) for trial in study.trials]
    # Before the model knows what exists when, it may be taken by surprise.
    assert len(set(tried)) >= (38 if conditional else 40)


@pytest.mark.parametrize("sampler", [CoarseToFineSampler, GuidedSampler])
def test_samplers_repeat_configurations_when_all_were_tried(
    sampler: type[CoarseToFineSampler],
) -> None:
    study = optuna.create_study(sampler=sampler(30, 0))
    study.optimize(lambda trial: trial.suggest_int("n", 1, 12), n_trials=30)
    assert len({trial.params["n"] for trial in study.trials[:12]}) == 12
    assert len(study.trials) == 30
