"""The table and the sentences of comparisons, from made-up results."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_up import comparison, strategy_runs
from numpy.typing import NDArray

from hpsearch.compare.result import StrategyRuns
from hpsearch.compare.summary import reference_of, summarize_strategies
from hpsearch.metrics import ACCURACY, Measure
from hpsearch.plots import panel
from hpsearch.wording import answer, verdict

REPEATS = 8


GRID = strategy_runs("grid", [[0.5, 0.6, 0.7, 0.8]] * REPEATS, np.linspace(0.70, 0.77, REPEATS))
BETTER = strategy_runs(
    "coarse-to-fine", [[0.8, 0.9, 0.9, 0.9]] * REPEATS, np.linspace(0.80, 0.87, REPEATS)
)
SAME = strategy_runs("random", [[0.5, 0.6, 0.6, 0.7]] * REPEATS, np.linspace(0.70, 0.77, REPEATS))
DOUBLE = strategy_runs("random-x2", [[0.1] * 7 + [0.9]] * REPEATS, [0.75] * REPEATS, 0.2)


def test_a_clear_winner() -> None:
    table = {row.strategy: row for row in summarize_strategies(comparison(GRID, BETTER, SAME))}
    assert table["grid"].versus is None
    better, same = table["coarse-to-fine"].versus, table["random"].versus
    assert better is not None
    assert better.better == 1.0
    assert better.gain.estimate == pytest.approx(0.1)
    assert better.p_value == pytest.approx(2 * 2.0**-8 * 2)  # exact, and one of two questions
    assert table["coarse-to-fine"].speed_up.median == 0.25
    assert table["grid"].speed_up.median == 1.0, "its best came last"
    assert same is not None
    assert (same.better, same.p_value, same.gain.estimate) == (0.5, 1.0, 0.0)
    assert np.isinf(table["random"].speed_up.median)
    assert [table[n].rank for n in ("coarse-to-fine", "grid", "random")] == [1.0, 2.5, 2.5]


def test_the_sentences() -> None:
    sentences = list(answer(summarize_strategies(comparison(GRID, SAME, BETTER, DOUBLE)), ACCURACY))
    assert sentences[0] == (
        "coarse-to-fine reached grid's best validation accuracy at 0.25 of its cost "
        "(95% interval 0.25 to 0.25, 8 of 8 repeats)."
    )
    assert sentences[1].startswith("The test accuracy of coarse-to-fine's winners is above grid's")
    assert sentences[2] == (
        "random did not reach grid's best validation accuracy within its budget: "
        "0 of 8 repeats did."
    )
    assert "winners does not differ measurably from grid's" in sentences[3]
    assert sentences[4].startswith("random-x2 reached grid's best validation accuracy at 2.00 of")
    assert sentences[-1] == (
        "grid itself found its best at 1.00 of its cost (95% interval 1.00 to 1.00)."
    )


@pytest.mark.parametrize(
    ("rival", "said"),
    [
        (BETTER, "coarse-to-fine beats grid search here: better winners, and sooner."),
        (
            strategy_runs("coarse-to-fine", [[0.8, 0.9]] * REPEATS, [0.6] * REPEATS),
            "coarse-to-fine loses to grid search here by test accuracy.",
        ),
        (
            strategy_runs("coarse-to-fine", [[0.1] * 9 + [0.9]] * REPEATS, [0.9] * REPEATS),
            "coarse-to-fine beats grid search here by test accuracy.",
        ),
        (
            strategy_runs("coarse-to-fine", [[0.8, 0.9]] * REPEATS, GRID.test.tolist()),
            "coarse-to-fine finds what grid search finds at a lower cost here, and nothing better.",
        ),
        (SAME, "random and grid search cannot be told apart here."),
    ],
)
def test_the_verdict(rival: StrategyRuns, said: str) -> None:
    assert verdict(summarize_strategies(comparison(GRID, rival)), ACCURACY) == said


@pytest.mark.parametrize("reference_raced", [False, True])
@pytest.mark.parametrize("rival_raced", [False, True])
@pytest.mark.parametrize(
    ("scores", "test", "ahead"),
    [
        ([0.8, 0.9], BETTER.test, "coarse-to-fine"),
        ([0.1] * 9 + [0.9], BETTER.test, "coarse-to-fine"),
        ([0.8, 0.9], GRID.test, "coarse-to-fine"),
        ([0.8, 0.9], GRID.test - 0.1, "grid"),
        ([0.5, 0.6], GRID.test, None),
    ],
    ids=["better and sooner", "better", "sooner", "worse", "the same"],
)
def test_the_verdict_says_where_only_the_one_ahead_had_a_race(
    scores: list[float],
    test: NDArray[np.float64],
    ahead: str | None,
    rival_raced: bool,
    reference_raced: bool,
) -> None:
    rival = strategy_runs("coarse-to-fine", [scores] * REPEATS, test.tolist(), raced=rival_raced)
    table = summarize_strategies(comparison(replace(GRID, raced=reference_raced), rival))
    raced = {"coarse-to-fine": rival_raced, "grid": reference_raced}
    behind = {"coarse-to-fine": "grid", "grid": "coarse-to-fine"}
    said = f"; {ahead} had a race over new seeds, {behind[ahead]} had none." if ahead else "race"
    alone = ahead is not None and raced[ahead] and not raced[behind[ahead]]
    assert (said in verdict(table, ACCURACY)) is alone
    mixed = [
        sentence for sentence in answer(table, ACCURACY) if "A race over new seeds" in sentence
    ]
    assert len(mixed) == (rival_raced != reference_raced)
    for sentence in mixed:
        one, other = sorted(raced, key=lambda name: not raced[name])
        assert sentence.startswith(
            f"A race over new seeds named the winners of {one}, and not those of {other}: "
        )


def test_data_sets_may_have_different_numbers_of_repeats() -> None:
    few = comparison(
        *(strategy_runs(c.strategy, [[0.5, 0.6]] * 2, c.test[:2].tolist()) for c in (GRID, BETTER)),
        name="d",
    )
    rows = summarize_strategies(comparison(GRID, BETTER), few)
    assert [row.speed_up.repeats for row in rows] == [10, 10]
    assert [row.rank for row in rows] == [2.0, 1.0]


def test_costs_are_shares_of_each_one_s_own_budget() -> None:
    table = {row.strategy: row for row in summarize_strategies(comparison(GRID, DOUBLE))}
    assert table["random-x2"].cost == table["grid"].cost == 1.0
    assert table["random-x2"].worst == 0.2


def test_several_data_sets_are_put_together() -> None:
    other = strategy_runs("coarse-to-fine", [[0.5, 0.6, 0.7, 0.7]] * REPEATS, [0.6] * REPEATS)
    both = summarize_strategies(comparison(GRID, BETTER), comparison(GRID, other, name="d"))
    row = next(row for row in both if row.strategy == "coarse-to-fine")
    assert row.versus is not None
    assert row.versus.better == 0.5
    assert row.rank == 1.5
    assert (row.speed_up.reached, row.speed_up.repeats) == (8, 16)
    assert 0.6 < row.test.estimate < 0.87


def test_without_grid_the_first_is_the_reference() -> None:
    assert reference_of([comparison(SAME, BETTER)]) == "random"
    [sentence, *_] = answer(summarize_strategies(comparison(SAME, BETTER)), ACCURACY)
    assert "reached random's best" in sentence


@pytest.mark.parametrize(("repeats", "warned"), [(1, True), (5, True), (6, False), (8, False)])
def test_too_few_repeats_are_called_so(repeats: int, warned: bool) -> None:
    few = [
        strategy_runs(c.strategy, [[0.5, 0.6]] * repeats, c.test[:repeats].tolist())
        for c in (GRID, BETTER)
    ]
    last = list(answer(summarize_strategies(comparison(*few)), ACCURACY))[-1]
    assert ("too few to tell" in last) is warned


def test_one_repeat_and_one_strategy_still_have_a_table() -> None:
    alone = strategy_runs("grid", [[0.5]], [0.5])
    [row] = summarize_strategies(comparison(alone))
    assert row.test == (0.5, 0.5, 0.5)
    assert list(answer([row], ACCURACY)) == []


@pytest.mark.parametrize("scale", [1.0, 1e6, 1e-9])
def test_a_loss_is_compared_as_what_it_is_the_complement_of(scale: float) -> None:
    """In whatever units: who is ahead, how surely and how soon is the same."""
    runs = (GRID, BETTER, SAME, DOUBLE)
    found = summarize_strategies(comparison(*runs))
    losses = summarize_strategies(
        replace(comparison(*(loss_of(r, scale) for r in runs)), measure=LOSS)
    )
    for mine, other in zip(losses, found, strict=True):
        assert (mine.rank, mine.trials, mine.cost) == (other.rank, other.trials, other.cost)
        assert mine.test.estimate == pytest.approx(scale * (1 - other.test.estimate))
        assert mine.worst == pytest.approx(scale * (1 - other.worst))
        assert mine.speed_up.median == other.speed_up.median
        if mine.versus is not None:
            assert other.versus is not None
            assert mine.versus.better == other.versus.better
            assert mine.versus.p_value == other.versus.p_value
            assert mine.versus.gain.estimate == pytest.approx(
                -scale * other.versus.gain.estimate, abs=1e-12 * scale
            )
    assert verdict(losses, LOSS) == verdict(found, ACCURACY)
    said = " ".join(answer(losses, LOSS))
    assert "The test log loss of coarse-to-fine's winners is below grid's (-" in said
    assert "accura" not in said


LOSS = Measure("log_loss", "minimize", (0.0, None))


def loss_of(runs: StrategyRuns, scale: float) -> StrategyRuns:
    """The same runs, measured by what they lack."""

    def loss(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return scale * (1 - values)

    progress = tuple(
        replace(p, validation=-loss(p.validation), test=-loss(p.test)) for p in runs.progress
    )
    return replace(
        runs,
        progress=progress,
        validation=loss(runs.validation),
        test=loss(runs.test),
        refit=loss(runs.refit),
        scores=tuple(map(loss, runs.scores)),
    )


def test_figures_of_a_loss_have_its_name_and_its_values() -> None:
    losses = comparison(*(loss_of(r, 40.0) for r in (GRID, BETTER, SAME)))
    compared = replace(losses, measure=LOSS, constant=np.full(REPEATS, 30.0))
    for name in ("best-so-far", "final-scores", "catch-up", "efficiency"):
        made = panel(name)
        for figure in made.figures(made.data(compared)):
            titles = f"{figure.layout.xaxis.title.text} {figure.layout.yaxis.title.text}"
            assert "log loss" in titles
            if name != "catch-up":
                low, high = figure.layout.yaxis.range
                assert 0 < low < high < 45
