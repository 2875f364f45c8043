"""benchmarks/hyperband.py: searches with Optuna's pruner as repeats of a comparison."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import scripts

from hpsearch.compare.plan import plan_comparison
from hpsearch.compare.run import compare_study
from hpsearch.compare.summary import summarize_strategies
from hpsearch.engine.cost import DataShape, Spending, training_flops
from hpsearch.search import Result, Slot, make_strategy
from hpsearch.space import Float, Space
from hpsearch.study_file import StudyFile, parse_study_file

pytestmark = pytest.mark.slow

STUDY = """
name = "c"
seed = 5
[data]
name = "iris"
[model]
width = { low = 4, high = 32, log = true }
depth = 1
[training]
epochs = 10
[search]
trials = 12
points = { learning_rate = 3, l2 = 3 }
[compare]
strategies = ["grid"]
repeats = 2
"""
SHAPE = DataShape(features=4, outputs=3, rows=96)


def flops(file: StudyFile, slot: Slot, epochs: int) -> float:
    return training_flops(file.configuration(slot.configuration), SHAPE, epochs=epochs)


@pytest.fixture(scope="module")
def file() -> StudyFile:
    return parse_study_file(STUDY)


@pytest.fixture(scope="module")
def benchmark() -> Any:
    return scripts.benchmark("hyperband")


@pytest.fixture(scope="module")
def repeats(benchmark: Any, file: StudyFile) -> list[dict[str, Any]]:
    return [benchmark.repeat_of((file, repeat)) for repeat in (0, 1)]


def test_a_repeat_is_the_same_again(
    benchmark: Any, file: StudyFile, repeats: list[dict[str, Any]]
) -> None:
    again = benchmark.repeat_of((file, 1))
    for name, found in repeats[1].items():
        assert [t.slot for t in again[name].trials] == [t.slot for t in found.trials]
        assert again[name].winner == found.winner


def test_what_the_pruner_saves_pays_for_further_trainings(
    file: StudyFile, repeats: list[dict[str, Any]]
) -> None:
    amount = plan_comparison(file, SHAPE).amount
    for found in repeats:
        trials = found["tpe-hyperband"].trials
        stopped = [t for t in trials if t.result.why_stopped == "stopped"]
        assert {len(t.result.curve) for t in stopped} <= {1, 3, 9}  # the rungs of its brackets
        assert all(t.cost == flops(file, t.slot, len(t.result.curve)) for t in stopped)
        assert sum(t.cost for t in trials) <= amount
        assert sum(flops(file, t.slot, t.slot.epochs) for t in trials) > amount


def test_the_rows_of_a_comparison_keep_its_budget_and_have_its_race(
    benchmark: Any, file: StudyFile, repeats: list[dict[str, Any]], tmp_path: Path
) -> None:
    with ThreadPoolExecutor(1) as pool:
        comparison = compare_study(file, storage=str(tmp_path / "c.db"), executor=pool)
    runs = {
        name: benchmark.runs_of(name, [found[name] for found in repeats]) for name in repeats[0]
    }
    table = summarize_strategies(replace(comparison, runs={**comparison.runs, **runs}))
    assert [row.strategy for row in table] == ["grid", "tpe-hyperband", "tpe-hyperband+"]
    assert [row.raced for row in table] == [True, False, True]
    assert all(0.5 < row.cost <= 1 for row in table[1:])
    assert table[1].trials > table[0].trials
    assert all(1 / 3 < row.test.estimate <= 1 for row in table)
    for name, found in runs.items():
        epochs = [[slot.epochs for slot in slots] for slots in found.slots]
        assert {e for each in epochs for e in each} == {10}
        raced = [sum(slot.stage > 0 for slot in slots) for slots in found.slots]
        assert all(0 < n <= (comparison.race or 0) for n in raced) == name.endswith("+")


def test_a_race_that_the_budget_cuts_off_ends_with_a_whole_seed(benchmark: Any) -> None:
    class Trainer:
        """Trains nothing; the cost of everything is one."""

        def __init__(self) -> None:
            self.slots: list[Slot] = []

        def train(self, slot: Slot) -> None:
            self.slots.append(slot)

        def results(self) -> list[Any]:
            return [Result(slot, -float(slot.configuration["x"])) for slot in self.slots]  # type: ignore[arg-type]

    plan = make_strategy(
        "random", Space({"x": Float(0.0, 1.0)}), trials=36, epochs=1, seed=0, race=24
    )
    first = plan.next_stage(())
    assert first is not None
    for paid in range(12, 37):
        trainer = Trainer()
        for index in range(first.slots):
            trainer.train(first.slot(index))
        spending = Spending(float(paid), lambda _: 1.0, trainer.slots)
        results = benchmark.run_race(trainer, spending, plan)
        race = results[first.slots :]
        assert len(race) <= paid - 12
        for stage in {r.slot.stage for r in race}:
            seeds = [r.slot.seed for r in race if r.slot.stage == stage]
            assert len({seeds.count(seed) for seed in seeds}) == 1
