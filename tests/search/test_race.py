from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.search import Result, Slot, make_strategy, run_search
from hpsearch.search.race import contenders_for, rounds
from hpsearch.space import Categorical, Float, Space

LINE = Space({"x": Float(0, 1)})


@given(st.integers(0, 300), st.integers(1, 40))
def test_rounds_halve_and_spend_exactly_what_there_is(trials: int, contenders: int) -> None:
    planned = rounds(trials, contenders)
    assert sum(slots for _, slots in planned) == trials
    assert all(1 <= abreast <= slots for abreast, slots in planned)
    assert len(planned) <= max(2, round(trials / 12))
    if trials:
        assert planned[0][0] == min(trials, contenders)
    for (left, slots), (after, rest) in pairwise(planned):
        assert slots % left == 0  # all train equally often
        assert after == min(left, max(2, -(-left // 2)), rest)


def test_without_contenders_there_is_no_race() -> None:
    assert rounds(10, 0) == []


def result(x: float, score: float, *, epochs: int = 8, complete: bool = True) -> Result:
    return Result(Slot(0, 0, {"x": x}, 0, epochs), score, complete)


def test_contenders_are_distinct_and_those_trained_in_full_come_first() -> None:
    found = [
        result(0.1, 0.9, epochs=2),
        result(0.2, 0.5),
        result(0.3, 0.6),
        result(0.3, 0.2),  # drawn twice: 0.4 on average
        result(0.4, 0.95, complete=False),
        result(0.5, 0.99, epochs=2),
        result(0.5, 0.1),  # its short training no longer counts
    ]
    order = [entry.configuration["x"] for entry in contenders_for(found, 10)]
    assert order == [0.2, 0.3, 0.5, 0.1]  # 0.4 diverged
    assert len(contenders_for([result(0.4, 0.0, complete=False)], 9)) == 1
    assert len(contenders_for(found, 2)) == 2


def test_all_of_a_round_train_with_the_same_new_seeds_and_the_worse_drop_out() -> None:
    seen: list[Slot] = []

    def evaluate(slot: Slot) -> float:
        seen.append(slot)
        x = slot.configuration["x"]
        assert isinstance(x, float)
        return x

    strategy = make_strategy("random", LINE, trials=40, epochs=2, seed=0, race=19, contenders=4)
    report = run_search(evaluate, strategy)
    assert [stage.slots for stage in report.stages] == [21, 8, 11]
    assert [stage.name for stage in report.stages[1:]] == ["race-1", "race-2"]
    found = sorted((r.score for r in report.results[:21]), reverse=True)
    seeds: list[int] = []
    for stage, left in zip(report.stages[1:], (4, 2), strict=True):
        slots = [s for s in seen if s.stage == stage.index]
        for at in range(0, len(slots), left):
            one_seed = slots[at : at + left]
            assert [s.configuration["x"] for s in one_seed] == found[: len(one_seed)]
            assert len({s.seed for s in one_seed}) == 1
            seeds.append(one_seed[0].seed)
    assert len(set(seeds)) == len(seeds) == 8
    assert report.winner.configuration == {"x": found[0]}
    assert report.winner.scores == (found[0],) * 8
    assert report.winner.std == 0.0


def test_the_lucky_draw_loses_the_race() -> None:
    """One choice scores high once, when it is searched, and low ever after."""
    space = Space({"a": Categorical(("lucky", "good", "bad"))})
    scores = {"lucky": 0.5, "good": 0.8, "bad": 0.2}

    def evaluate(slot: Slot) -> float:
        choice = str(slot.configuration["a"])
        return 0.99 if slot.stage == 0 and choice == "lucky" else scores[choice]

    def named(race: int) -> object:
        strategy = make_strategy("grid", space, trials=3 + race, epochs=1, seed=0, race=race)
        return run_search(evaluate, strategy).winner

    alone, raced = named(0), named(6)
    assert alone.configuration == {"a": "lucky"}  # type: ignore[attr-defined]
    assert raced.configuration == {"a": "good"}  # type: ignore[attr-defined]
    assert raced.mean == pytest.approx(0.8)  # type: ignore[attr-defined]


def test_who_diverges_once_is_out_of_the_race() -> None:
    def evaluate(slot: Slot) -> float | None:
        x = slot.configuration["x"]
        assert isinstance(x, float)
        return None if slot.stage == 1 and x > 0.9 else x

    strategy = make_strategy("random", LINE, trials=40, epochs=1, seed=0, race=12, contenders=6)
    report = run_search(evaluate, strategy)
    tops = [r.slot.configuration["x"] for r in report.results if r.slot.stage == 0]
    assert max(tops) > 0.9  # type: ignore[operator,type-var]
    assert report.winner.mean <= 0.9


def test_a_race_result_of_a_configuration_that_is_no_contender_counts_nothing() -> None:
    strategy = make_strategy("random", LINE, trials=12, epochs=1, seed=0, race=4)
    report = run_search(lambda slot: float(np.sum(list(slot.configuration.values()))), strategy)  # type: ignore[arg-type]
    stranger = Result(Slot(1, 9, {"x": 2.0}, 0, 1), 99.0)
    assert strategy.winner([*report.results, stranger]) == report.winner


def settled(found: list[float], *rounds: list[float]) -> bool:
    """Whether a race of rounds is over, among the best of a search that found these scores."""
    plan = make_strategy(
        "coarse-to-fine", LINE, trials=len(found) + 20, epochs=8, seed=0, race=20, contenders=2
    )
    plan = replace(plan, search=replace(plan.search, slots=(len(found),), epochs=(8,)))
    results = [Result(Slot(0, i, {"x": i / 100}, 0, 8), score) for i, score in enumerate(found)]
    ranked = sorted(results, key=lambda r: r.score, reverse=True)
    for stage, scores in enumerate(rounds, start=1):
        results += [
            Result(Slot(stage, i, ranked[i % 2].slot.configuration, 0, 8), score)
            for i, score in enumerate(scores)
        ]
    stage = plan.next_stage(results)
    assert stage is not None
    return not stage.races


FOUND = [0.5, 0.6, 0.7, 0.8, 0.9, 1.0]  # the best four of them differ by a variance of 1/60


@pytest.mark.parametrize(
    ("rounds", "over"),
    [
        ([[1.0, 0.9]], True),  # seeds do not matter
        ([[0.9, 1.0]], True),  # nor much
        ([[0.8, 0.7]], False),
        ([[1.2, 1.1]], False),  # better, but not the same
        ([[0.85, 0.75]], False),
        ([[0.85, 0.75, 0.95, 0.9]], True),  # more seeds tell more
    ],
)
def test_it_is_settled_when_seeds_move_scores_no_more_than_the_best_differ(
    rounds: list[list[float]], over: bool
) -> None:
    assert settled(FOUND, *rounds) == over


def test_equal_scores_leave_nothing_to_tell() -> None:
    assert settled([1.0] * 8, [1.0, 1.0])


@pytest.mark.parametrize("name", ["coarse-to-fine", "guided"])
@pytest.mark.parametrize("noise", [0.0, 0.3])
@pytest.mark.parametrize("trials", [24, 60, 96])
def test_a_settled_race_gives_what_is_left_back_to_the_search(
    name: str, noise: float, trials: int
) -> None:
    def evaluate(slot: Slot) -> float:
        x = slot.configuration["x"]
        assert isinstance(x, float)
        rng = np.random.default_rng([slot.seed, abs(hash(x))])
        return -((x - 0.3) ** 2) + noise * rng.normal()

    report = run_search(evaluate, make_strategy(name, LINE, trials=trials, epochs=1, seed=0))
    assert len(report.results) == trials
    assert len({stage.name for stage in report.stages}) == len(report.stages)
    names = [stage.kind.name for stage in report.stages]
    after_the_first_round = names[names.index("race") + 1]
    assert after_the_first_round == ("race" if noise else "fine")
    assert noise == 0.0 or "fine" not in names[names.index("race") :]  # with this seed


def test_a_single_contender_runs_all_rounds() -> None:
    strategy = make_strategy(
        "coarse-to-fine", LINE, trials=30, epochs=1, seed=0, race=6, contenders=1
    )
    report = run_search(lambda slot: 1.0, strategy)
    assert report.winner.scores == (1.0,) * 6
