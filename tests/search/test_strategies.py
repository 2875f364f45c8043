"""The contract of `Strategy`, for every strategy."""

from __future__ import annotations

import itertools
import math
import pickle
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from hpsearch.errors import NoWinnerError, RunError, UnknownNameError, UsageError
from hpsearch.search import STRATEGIES, Result, Slot, Strategy, make_strategy, run_search
from hpsearch.space import Categorical, Condition, Float, Int, Space

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hpsearch.search import SearchReport

SPACE = Space(
    {
        "rate": Float(1e-4, 1.0, log=True),
        "depth": Int(1, 3, limits=(1, 8)),
        "solver": Categorical(("sgd", "adam")),
        "momentum": Float(0.0, 0.9, step=0.1, limits=(0.0, 0.99)),
    },
    {"momentum": Condition("solver", ("sgd",))},
)
# gp runs where its extra is installed.
NAMES = tuple(name for name in STRATEGIES if name != "gp" or find_spec("torch"))
FIXED = tuple(name for name in NAMES if name not in ("tpe", "gp", "cmaes"))
RACE = [0, 5]
TRIALS = 18


def make(name: str, trials: int = TRIALS, seed: int = 3, **settings: Any) -> Strategy:
    return make_strategy(name, SPACE, trials=trials, epochs=8, seed=seed, **settings)


def evaluate(slot: Slot) -> float | None:
    """A noisy score, better the nearer the rate is to 0.01; the largest rates diverge."""
    rate = slot.configuration["rate"]
    assert isinstance(rate, float)
    if rate > 0.5:
        return None
    noise = np.random.default_rng(slot.seed).normal(0, 0.1)
    return float(-abs(np.log10(rate) + 2) + noise + slot.epochs / 10)


def key(slot: Slot) -> tuple[int, int]:
    return slot.stage, slot.index


@pytest.fixture(scope="module")
def reports() -> dict[tuple[str, int], SearchReport]:
    """One whole search of each strategy, with and without a race."""
    return {
        (name, race): run_search(evaluate, make(name, race=race))
        for name, race in itertools.product(NAMES, RACE)
    }


@pytest.mark.parametrize("race", RACE)
@pytest.mark.parametrize("name", NAMES)
class TestContract:
    def test_all_trials_are_spent(self, name: str, race: int, reports: Any) -> None:
        report = reports[name, race]
        # A grid has as many points as fit, which need not be as many as there are.
        searched = TRIALS - race
        searched = searched if name != "grid" else make(name, race=race).search.slots[0]  # type: ignore[attr-defined]
        assert len(report.results) == searched + race
        assert sum(stage.slots for stage in report.stages) == searched + race
        assert TRIALS - race - searched < 8

    def test_slots_are_numbered_and_lie_in_their_stages_space(
        self, name: str, race: int, reports: Any
    ) -> None:
        report = reports[name, race]
        places = [key(result.slot) for result in report.results]
        assert places == [(s.index, i) for s in report.stages for i in range(s.slots)]
        for result in report.results:
            stage = report.stages[result.slot.stage]
            assert 0 <= result.slot.seed < 2**32
            assert result.slot.epochs == stage.epochs
            if not stage.name.startswith("race"):
                assert result.slot.configuration in stage.space

    def test_it_knows_its_name(self, name: str, race: int) -> None:
        assert make(name, race=race).name == name

    def test_no_slot_beyond_the_last(self, name: str, race: int, reports: Any) -> None:
        stage = reports[name, race].stages[0]
        for index in (-1, stage.slots):
            with pytest.raises(IndexError, match="has slots 0 to"):
                stage.slot(index, [])

    def test_stages_do_not_depend_on_the_order_of_results(
        self, name: str, race: int, reports: Any
    ) -> None:
        report = reports[name, race]
        shuffled = [
            report.results[i] for i in np.random.default_rng(0).permutation(len(report.results))
        ]
        for stage in report.stages:
            before = [r for r in shuffled if r.slot.stage < stage.index]
            again = make(name, race=race).next_stage(before)
            assert again == stage  # name, slots, epochs, space, changes
        assert make(name, race=race).next_stage(shuffled) is None
        assert make(name, race=race).winner(shuffled) == report.winner

    def test_a_stage_does_not_see_what_may_still_train_when_it_begins(
        self, name: str, race: int, reports: Any
    ) -> None:
        """As the dispatcher asks for it: with some of what is not awaited, and with all of it."""
        stages, results = reports[name, race].stages, reports[name, race].results
        for stage, after in itertools.pairwise(stages):
            early = [r for r in results if r.slot.stage <= stage.index and stage.waits_for(r.slot)]
            others = [replace(r, score=-r.score) for r in results if r.slot.stage == stage.index]
            late = [r for r in others if not stage.waits_for(r.slot)]
            for known in (early, early + late[:1], early + late):
                again = make(name, race=race).next_stage(known)
                assert again == after
                fixed = [i for i in range(after.slots) if not after.adaptive]
                assert [again.slot(i) for i in fixed] == [after.slot(i) for i in fixed]
        assert all(0 < stage.seen <= stage.slots for stage in stages if stage.seen is not None)
        assert stages[-1].seen in (None, stages[-1].slots)

    def test_the_same_seed_searches_alike_and_another_does_not(
        self, name: str, race: int, reports: Any
    ) -> None:
        again = run_search(evaluate, make(name, race=race))
        assert again.results == reports[name, race].results
        other = run_search(evaluate, make(name, seed=4, race=race))
        assert [r.slot.seed for r in other.results] != [r.slot.seed for r in again.results]
        if name != "grid":
            drawn = [[r.slot.configuration for r in report.results] for report in (other, again)]
            assert drawn[0] != drawn[1]

    def test_a_search_that_was_stopped_goes_on_where_it_was(
        self, name: str, race: int, reports: Any
    ) -> None:
        report = reports[name, race]
        for cut in (0, 1, 11, 14, len(report.results)):
            assert resume(make(name, race=race), report.results[:cut]) == report.results

    def test_failed_slots_are_missing_and_nothing_else_happens(
        self, name: str, race: int, reports: Any
    ) -> None:
        strategy = make(name, race=race)
        results: list[Result] = []
        slots = 0
        while (stage := strategy.next_stage(results)) is not None:
            here: list[Result] = []
            for index in range(stage.slots):
                slot = stage.slot(index, here)
                slots += 1
                if index % 3 != 1:
                    here.append(Result(slot, evaluate(slot) or 0.0, evaluate(slot) is not None))
            results += here
        assert slots == len(reports[name, race].results)
        assert strategy.winner(results).configuration in [r.slot.configuration for r in results]

    def test_the_winner_has_the_mean_and_standard_deviation_of_its_scores(
        self, name: str, race: int, reports: Any
    ) -> None:
        report = reports[name, race]
        winner = report.winner
        mine = [r for r in report.results if r.slot.configuration == winner.configuration]
        raced = [r.score for r in mine if report.stages[r.slot.stage].name.startswith("race")]
        if race:
            # Contenders of the race: its last survivors have most scores, and all of them count.
            assert list(winner.scores) == raced
            assert winner.std == pytest.approx(np.std(raced, ddof=1))
        else:
            assert winner.std is None
            best = max(r.score for r in report.results if r.complete and r.slot.epochs == 8)
            assert winner.scores == (best,)
        assert winner.mean == pytest.approx(np.mean(winner.scores))
        assert winner.epochs == 8
        assert {r.slot.epochs for r in mine} == {8} or race


@pytest.mark.parametrize("name", FIXED)
def test_a_slot_ignores_what_has_finished(name: str) -> None:
    first, second = make(name).next_stage([]), make(name).next_stage([])
    assert first is not None
    assert second is not None
    results = [Result(first.slot(i), float(i)) for i in range(5)]
    backwards = [second.slot(i, results) for i in reversed(range(second.slots))]
    assert backwards[::-1] == [first.slot(i) for i in range(first.slots)]
    assert not first.adaptive


def test_the_dearest_of_what_the_next_stage_sees_are_handed_out_first() -> None:
    stage = make("random", trials=5).next_stage([])
    assert stage is not None
    cost = [3.0, 1.0, 3.0, 2.0, 9.0].__getitem__
    orders = [replace(stage, seen=seen).dearest_first(lambda s: cost(s.index)) for seen in (4, 5)]
    assert orders == [[0, 2, 3, 1, 4], [4, 0, 2, 3, 1]]


def test_only_guided_leaves_a_part_of_a_stage_unseen() -> None:
    stages = {name: make(name, trials=60).next_stage([]) for name in ("coarse-to-fine", "guided")}
    assert {n: (s.seen, s.slots) for n, s in stages.items() if s is not None} == {
        "coarse-to-fine": (23, 23),
        "guided": (16, 18),
    }


@pytest.mark.parametrize("name", FIXED)
def test_strategies_and_slots_can_be_sent_to_another_process(name: str) -> None:
    strategy = make(name)
    stage = pickle.loads(pickle.dumps(strategy)).next_stage([])
    assert stage == strategy.next_stage([])
    assert pickle.loads(pickle.dumps(stage.slot(0))) == stage.slot(0)


@pytest.mark.parametrize("trials", [1, 2, 3, 5, 8, 9, 13, 21])
@pytest.mark.parametrize("name", [name for name in NAMES if name != "gp"])
def test_small_budgets(name: str, trials: int) -> None:
    if name == "grid" and trials == 1:
        with pytest.raises(UsageError, match="the grid has at least 2 points and there are 1"):
            make(name, trials=trials)
        return
    report = run_search(evaluate, make(name, trials=trials))
    assert len(report.results) == trials or name == "grid"
    assert max(r.slot.epochs for r in report.results) == 8
    assert report.winner.epochs == 8


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("race", [0, 4])
def test_when_everything_diverges_nobody_wins(name: str, race: int) -> None:
    seen: list[Slot] = []
    with pytest.raises(NoWinnerError, match=r"all 16 trials .* no winner"):
        run_search(
            lambda slot: seen.append(slot),  # type: ignore[func-returns-value]
            make(name, trials=16, race=race),
        )
    assert len(seen) == 16  # it went on to its end


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("race", [0, 4])
@pytest.mark.parametrize("at", [0, 7, 11])
def test_one_that_does_not_diverge_wins_however_low_its_score(
    name: str, race: int, at: int
) -> None:
    calls = itertools.count()
    scores = {at: -1e6}
    report = run_search(
        lambda slot: scores.get(next(calls), math.nan), make(name, trials=16, race=race)
    )
    [good] = [r for r in report.results if r.complete]
    assert report.winner.configuration == good.slot.configuration
    assert report.winner.scores == (-1e6,)
    assert report.winner.epochs == good.slot.epochs


@pytest.mark.parametrize("name", NAMES)
def test_without_any_result_there_is_no_winner(name: str) -> None:
    with pytest.raises(RunError, match="no trial has finished"):
        make(name).winner([])


def test_a_space_without_parameters_is_one_configuration() -> None:
    for name in FIXED:
        strategy = make_strategy(name, Space({}), trials=3, epochs=1, seed=0)
        report = run_search(lambda slot: 1.0, strategy)
        assert report.winner.configuration == {}


@pytest.mark.parametrize(
    ("name", "settings", "error", "sentence"),
    [
        ("gird", {}, UnknownNameError, "unknown strategy 'gird'; did you mean 'grid'"),
        ("random", {"trials": 0}, UsageError, "trials is 0; give at least 1"),
        ("random", {"epochs": 0}, UsageError, "epochs is 0; give at least 1"),
        ("random", {"seed": -1}, UsageError, "seed is -1; give at least 0"),
        ("random", {"race": 18}, UsageError, "race is 18 of 18 trials"),
        ("random", {"race": -1}, UsageError, "race is -1 of 18 trials"),
        ("random", {"race": 3, "contenders": 0}, UsageError, "contenders is 0"),
        ("random", {"points": {"rate": 3}}, UsageError, "points is a setting of grid"),
        ("grid", {"stage_shares": (1,)}, UsageError, "stage_shares is a setting of coarse-to-fine"),
        ("coarse-to-fine", {"stage_shares": (1, 1)}, UsageError, "2 stage shares and 3 epoch"),
        (
            "coarse-to-fine",
            {"stage_shares": (1, 0, 1)},
            UsageError,
            r"must be positive, not \[1, 0, 1\]",
        ),
        (
            "coarse-to-fine",
            {"epoch_shares": (0.5, 0.25, 1.0)},
            UsageError,
            "at most 1 and not fall",
        ),
        ("coarse-to-fine", {"epoch_shares": (0.5, 1.0, 2.0)}, UsageError, "at most 1 and not fall"),
    ],
)
def test_wrong_settings(
    name: str, settings: dict[str, Any], error: type[Exception], sentence: str
) -> None:
    given = {"trials": TRIALS, "epochs": 8, "seed": 0, **settings}
    with pytest.raises(error, match=sentence):
        make_strategy(name, SPACE, **given)


def resume(strategy: Strategy, done: Sequence[Result]) -> tuple[Result, ...]:
    """What a killed search has in the end, run again with the results it had."""
    kept = {key(result.slot): result for result in done}
    results: list[Result] = []
    while (stage := strategy.next_stage(results)) is not None:
        finished: list[Result] = [
            kept[stage.index, i] for i in range(stage.slots) if (stage.index, i) in kept
        ]
        for index in range(len(finished), stage.slots):
            slot = stage.slot(index, finished)
            score = evaluate(slot)
            finished.append(Result(slot, score or 0.0, complete=score is not None))
        results += finished
    return tuple(results)
