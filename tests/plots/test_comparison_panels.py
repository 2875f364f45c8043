"""What the panels of a comparison draw, as numbers; and that they draw it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from made_up import comparison, strategy_runs

from hpsearch.compare.progress import make_progress
from hpsearch.compare.result import Comparison, StrategyRuns
from hpsearch.plots import NothingToDraw
from hpsearch.plots.best_so_far import best_so_far_data, best_so_far_figures
from hpsearch.plots.catch_up import catch_up_data, catch_up_figure
from hpsearch.plots.configuration import conditions_data
from hpsearch.plots.efficiency import efficiency_data, efficiency_figure
from hpsearch.plots.final_scores import final_scores_data, final_scores_figure
from hpsearch.plots.layouts import layouts_data, layouts_figures
from hpsearch.plots.relevance import relevance_data, relevance_figure
from hpsearch.plots.style import STRATEGY_COLOURS

REPEATS = 4


@pytest.fixture
def both() -> Comparison:
    rng = np.random.default_rng(1)
    grid = [[0.5, 0.6, 0.7, 0.8]] * REPEATS
    random = rng.uniform(0.4, 0.9, (REPEATS, 8)).round(2).tolist()
    fine = [[0.8, 0.8, 0.9, 0.9]] * (REPEATS - 1) + [[0.1, 0.1, 0.1, 0.2]]
    return comparison(
        strategy_runs("grid", grid, [0.7, 0.72, 0.74, 0.76]),
        strategy_runs("random", random, [0.7] * REPEATS),
        strategy_runs("coarse-to-fine", fine, [0.8, 0.81, 0.82, 0.3], refit=0.1),
    )


def test_best_so_far_is_a_band_in_shares_of_the_budget(both: Comparison) -> None:
    data = best_so_far_data(both)
    assert list(data.bands) == ["validation", "test"]
    grid = data.bands["validation"]["grid"]
    assert data.cost[0] == 0.25
    assert data.cost[-1] == 2.0
    assert grid.median[0] == 0.5
    assert grid.median[-1] == 0.8
    assert data.ends == {"grid": 1.0, "random": 2.0, "coarse-to-fine": 1.0}
    first, second = best_so_far_figures(data)
    assert first.layout.xaxis.title.text == "cost (share of the budget)"
    assert second.layout.yaxis.title.text == "test accuracy of the best so far"
    lines = {trace.name: trace for trace in first.data if trace.mode == "lines"}
    assert {name: trace.line.color for name, trace in lines.items()} == {
        name: STRATEGY_COLOURS[name] for name in both.runs
    }
    assert max(lines["grid"].x) <= 1.0, "a curve ends where its searches did"


def test_the_conditions_of_a_comparison_are_told(both: Comparison) -> None:
    told = replace(
        both,
        settings={"seed": 3, "model": {"depth": 2}},
        environments=({"numpy": "2.1", "commit of the folder": "abc"}, {"numpy": "2.2"}),
    )
    facts = {fact.what: fact.value for fact in conditions_data(told).facts}
    assert facts["seeds"] == "3 to 6"
    assert facts["numpy"] == "2.1, later 2.2"
    assert facts["commit of the folder"] == "abc"
    assert facts["budget of a search"] == "4 epochs"
    assert facts["searched: rate"] == "0.0001 to 1 (log scale)"
    assert facts["fixed: model"] == "depth=2"
    assert conditions_data(both).facts[0].value == "grid, random, coarse-to-fine"


def test_a_search_that_is_over_before_another_has_begun_is_a_point() -> None:
    cheap = strategy_runs("grid", [[0.5]] * 2, [0.5, 0.5])
    dear = strategy_runs("random", [[0.5, 0.9]] * 2, [0.6, 0.6])
    late = tuple(make_progress([3.0, 1.0], [0.5, 0.9], [0.5, 0.9]) for _ in range(2))
    made = comparison(cheap, replace(dear, progress=late))
    first, _ = best_so_far_figures(best_so_far_data(made))
    [line] = [trace for trace in first.data if trace.name == "grid"]
    assert (list(line.x), list(line.y)) == ([0.75], [0.5])


def test_final_scores_show_every_repeat(both: Comparison) -> None:
    data = final_scores_data(both)
    assert data.test["grid"].tolist() == [0.7, 0.72, 0.74, 0.76]
    assert data.rows["coarse-to-fine"].worst == 0.1
    assert (
        "far worse than all others"
        not in final_scores_data(comparison(strategy_runs("grid", [[0.5]], [0.5], refit=0.5))).note
    )
    figure = final_scores_figure(data)
    points = [t for t in figure.data if t.mode == "markers" and t.marker.symbol != "diamond"]
    assert sum(len(t.x) for t in points) == 2 * 3 * REPEATS


def test_catching_up_is_told_for_each_rival_and_repeat(both: Comparison) -> None:
    data = catch_up_data(both)
    assert data.reference == "grid"
    fine = data.found["coarse-to-fine"]
    assert (fine.median, fine.reached) == (0.25, REPEATS - 1)
    figure = catch_up_figure(data)
    assert figure.layout.xaxis.ticktext[-1] == "never"
    texts = [text for trace in figure.data if trace.text is not None for text in trace.text]
    assert "never" in texts


def test_the_efficiency_curve_has_all_experiments_of_all_repeats(both: Comparison) -> None:
    data = efficiency_data(both)
    assert data.sizes == (1, 2, 4, 8)
    assert [len(scores) for scores in data.scores] == [8 * REPEATS, 4 * REPEATS, 2 * REPEATS, 4]
    assert data.grid == pytest.approx(0.73)
    singles = sorted(score for pairs in both.runs["random"].scores for score in pairs[:, 1])
    assert sorted(data.scores[0]) == pytest.approx(singles)
    figure = efficiency_figure(data)
    assert [t.name for t in figure.data] == ["1", "2", "4", "8", "grid of 4 points"]


def test_relevance_sums_to_one_and_is_ordered(both: Comparison) -> None:
    data = relevance_data(both)
    medians = [found.median for found in data.found.values()]
    assert set(data.found) == {"rate", "decay"}
    assert medians == sorted(medians, reverse=True)
    assert "length scale" in data.note
    assert len(relevance_figure(data).data[0].x) == 2


@pytest.mark.parametrize("draw", [efficiency_data, relevance_data, layouts_data])
def test_trainings_of_a_race_are_no_draws(
    draw: Callable[[Comparison], Any], both: Comparison
) -> None:
    raced = replace(both, runs={name: with_race(runs) for name, runs in both.runs.items()})
    assert drawn_of(draw(raced)) == drawn_of(draw(both))


def with_race(runs: StrategyRuns) -> StrategyRuns:
    """The same searches, and then the first configuration of each twice more."""
    again = [tuple(replace(slots[0], stage=1, index=i) for i in (0, 1)) for slots in runs.slots]
    return replace(
        runs,
        slots=tuple(slots + more for slots, more in zip(runs.slots, again, strict=True)),
        scores=tuple(np.concatenate([scores, [[1.0, 1.0]] * 2]) for scores in runs.scores),
        raced=True,
    )


def drawn_of(data: Any) -> str:
    return repr(vars(data))


def test_the_lecture_s_picture_holds_grid_against_random(both: Comparison) -> None:
    data = layouts_data(both)
    assert {data.important, data.unimportant} == {"rate", "decay"}
    assert data.places["grid"].shape == (2, 4)
    assert data.places["random"].shape == (2, 8)
    assert (
        "random's 8 trials tried 8 values of rate" in data.note.replace(data.important, "rate", 1)
        or "8 values" in data.note
    )
    grid, random = layouts_figures(data)
    assert (grid.data[0].name, random.data[0].name) == ("grid", "random")


@pytest.mark.parametrize("draw", [efficiency_data, relevance_data, layouts_data])
def test_without_random_search_a_sentence_says_so(draw: object) -> None:
    alone = comparison(strategy_runs("grid", [[0.5, 0.6]], [0.5]))
    with pytest.raises(NothingToDraw, match=r"compete"):
        draw(alone)  # type: ignore[operator]


def test_nobody_to_catch_up_with_is_said() -> None:
    with pytest.raises(NothingToDraw, match="one strategy alone"):
        catch_up_data(comparison(strategy_runs("grid", [[0.5]], [0.5])))


def test_too_few_trials_tell_no_relevance() -> None:
    few = comparison(strategy_runs("random", [[0.5, 0.6]], [0.5]))
    with pytest.raises(NothingToDraw, match=r"^Relevance cannot be told from 2 trials"):
        relevance_data(few)
