"""Studies whose number of trials was raised."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

from hpsearch.errors import UsageError
from hpsearch.search import Result, Slot, Strategy, make_strategy, run_search
from hpsearch.search.extension import extend
from hpsearch.search.race import RacedSearch
from hpsearch.space import Float, Int, Space

SPACE = Space({"rate": Float(1e-4, 1.0, log=True), "depth": Int(1, 3, limits=(1, 8))})


def make(name: str, trials: int, **settings: Any) -> RacedSearch:
    return make_strategy(name, SPACE, trials=trials, epochs=8, seed=3, **settings)


def evaluate(slot: Slot) -> float:
    rate = slot.configuration["rate"]
    assert isinstance(rate, float)
    return float(-abs(np.log10(rate) + 2) + np.random.default_rng(slot.seed).normal(0, 0.1))


def essence(results: tuple[Result, ...]) -> list[Any]:
    return [(r.slot.stage, r.slot.index, dict(r.slot.configuration), r.score) for r in results]


CASES = [
    ("coarse-to-fine", {}),
    ("coarse-to-fine", {"race": 0}),
    ("random", {}),
    ("random", {"race": 4}),
    ("tpe", {}),
    ("tpe", {"race": 4}),
    ("qmc", {"race": 4}),
]


@pytest.mark.parametrize(("name", "settings"), CASES)
@pytest.mark.parametrize("totals", [[20, 30], [20, 26, 40], [20, 25]])
def test_what_was_trained_stays_and_the_total_is_the_last_one(
    name: str, settings: dict[str, Any], totals: list[int]
) -> None:
    build = partial(make, name, **settings)
    results: list[Any] = []
    for count in range(1, len(totals) + 1):
        report = run_search(evaluate, extend(build, totals[:count]))
        found = essence(report.results)
        assert len(found) == totals[count - 1]
        assert found[: len(results)] == results
        results = found
        slots = [(stage, index) for stage, index, *_ in found]
        assert len(set(slots)) == len(slots)


def test_without_a_race_a_raised_search_is_the_larger_one() -> None:
    build = partial(make, "random")
    whole = run_search(evaluate, build(30))
    assert essence(run_search(evaluate, extend(build, [20, 30])).results) == essence(whole.results)


def test_one_trial_more_races() -> None:
    report = run_search(evaluate, extend(partial(make, "coarse-to-fine"), [20, 21]))
    assert len(report.results) == 21
    assert report.stages[-1].slots == 1
    assert report.stages[-1].name.startswith("race-")


def test_more_trials_search_near_the_best_and_race_again() -> None:
    report = run_search(evaluate, extend(partial(make, "coarse-to-fine"), [30, 50]))
    first = [s.name for s in run_search(evaluate, make("coarse-to-fine", 30)).stages]
    names = [s.name for s in report.stages]
    assert names[: len(first)] == first
    fine, *races = names[len(first) :]
    assert fine == f"fine-{len(first)}"
    assert races == [f"race-{len(first) + 1 + i}" for i in range(len(races))]
    assert len(set(names)) == len(names)
    stage = report.stages[len(first)]
    rate = stage.space.parameters["rate"]
    assert isinstance(rate, Float)
    assert 1e-3 < rate.low < 1e-2 < rate.high < 1e-1
    assert any(change.after != change.before for change in stage.changes)
    in_last_race = [r.score for r in report.results if r.slot.stage > len(first)]
    assert set(report.winner.scores) <= set(in_last_race)


def resumed(strategy: Strategy, results: list[Result]) -> list[Any]:
    """Go on from stored results, which come in another order each time."""
    while True:
        stage = strategy.next_stage(results[::-1])
        if stage is None:
            return essence(tuple(sorted(results, key=lambda r: (r.slot.stage, r.slot.index))))
        for index in range(stage.slots):
            slot = stage.slot(index, [r for r in results if r.slot.stage == stage.index])
            results.append(Result(slot, evaluate(slot)))


def test_asking_again_from_stored_results_changes_nothing() -> None:
    strategy = extend(partial(make, "coarse-to-fine"), [16, 30, 40])
    whole = run_search(evaluate, strategy)
    for kept in range(len(whole.stages)):
        some = [r for r in whole.results if r.slot.stage < kept]
        assert resumed(strategy, some) == essence(whole.results)


def test_the_winner_of_a_search_that_ends_early_is_that_of_what_there_is() -> None:
    strategy = extend(partial(make, "coarse-to-fine"), [16, 30])
    before = run_search(evaluate, make("coarse-to-fine", 16))
    assert strategy.winner(before.results) == before.winner


def test_a_grid_is_not_raised() -> None:
    with pytest.raises(UsageError, match="its points would be others"):
        extend(partial(make, "grid"), [9, 12])
