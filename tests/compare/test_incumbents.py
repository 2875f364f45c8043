from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.compare.progress import (
    Progress,
    band,
    cost_grid,
    cost_to_reach,
    make_progress,
    speed_up,
)
from hpsearch.errors import UsageError

NAN = math.nan


def test_the_incumbent_is_the_best_so_far_and_brings_its_own_test_score() -> None:
    found = make_progress([2, 1, 3, 1], [0.5, 0.7, 0.6, 0.8], [0.9, 0.6, 0.8, 0.7])
    assert found.cost.tolist() == [2, 3, 6, 7]
    assert found.validation.tolist() == [0.5, 0.7, 0.7, 0.8]
    assert found.test.tolist() == [0.9, 0.6, 0.6, 0.7]
    assert found.trial.tolist() == [0, 1, 1, 3]


@pytest.mark.parametrize(
    ("validation", "epochs", "trial"),
    [
        ([0.5, 0.5], None, [0, 0]),
        ([0.5, 0.5], [2, 8], [0, 1]),  # of equals, the one trained longer
        ([0.5, 0.5], [8, 2], [0, 0]),
        ([0.5, 0.4], [2, 8], [0, 0]),
        ([NAN, 0.4], None, [-1, 1]),  # a failed trial costs, and is never the best
        ([0.4, NAN], [1, 9], [0, 0]),
    ],
)
def test_who_is_the_incumbent(validation: Any, epochs: Any, trial: list[int]) -> None:
    found = make_progress([1, 1], validation, [0.1, 0.2], epochs=epochs)
    assert found.trial.tolist() == trial
    assert np.isnan(found.validation).tolist() == [t < 0 for t in trial]
    assert np.isnan(found.test).tolist() == [t < 0 for t in trial]


@pytest.mark.parametrize(
    ("cost", "score"),
    [(0.0, NAN), (1.99, NAN), (2.0, 0.5), (2.99, 0.5), (3.0, 0.7), (100.0, 0.7)],
)
def test_steps_are_continuous_from_the_right(cost: float, score: float) -> None:
    found = make_progress([2, 1], [0.5, 0.7], [0.6, 0.8])
    assert found.at([cost]).tolist() == pytest.approx([score], nan_ok=True)
    assert found.at([cost], "test").tolist() == pytest.approx([score + 0.1], nan_ok=True)


@given(
    st.lists(st.tuples(st.floats(0.1, 10), st.floats(0, 1) | st.just(NAN)), min_size=1, max_size=20)
)
def test_the_best_so_far_is_a_running_maximum(trials: list[tuple[float, float]]) -> None:
    costs, scores = zip(*trials, strict=True)
    found = make_progress(costs, scores, scores)
    running = np.fmax.accumulate(scores)
    assert found.validation.tolist() == pytest.approx(running.tolist(), nan_ok=True)
    assert found.at(found.cost).tolist() == pytest.approx(running.tolist(), nan_ok=True)
    assert found.test.tolist() == pytest.approx(running.tolist(), nan_ok=True)


@pytest.mark.parametrize(
    ("costs", "validation", "message"),
    [
        ([], [], "of each trial"),
        ([1.0], [0.5, 0.6], "of each trial"),
        ([0.0], [0.5], "above 0"),
        ([NAN], [0.5], "above 0"),
    ],
)
def test_trials_have_costs_and_scores(costs: Any, validation: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make_progress(costs, validation, validation)


def test_a_band_begins_where_all_repeats_have_a_score() -> None:
    repeats = [make_progress([start, 4], [0.5, 0.5 + start / 10], [0, 0]) for start in (1, 2, 3)]
    grid = cost_grid(repeats, points=5)
    assert grid.tolist() == [3, 4, 5, 6, 7]
    found = band(repeats, [2.0, *grid])
    assert found.median.tolist() == pytest.approx([NAN, 0.5, 0.5, 0.5, 0.6, 0.7], nan_ok=True)
    assert found.lower.tolist() == pytest.approx([NAN, 0.5, 0.5, 0.5, 0.55, 0.65], nan_ok=True)
    assert found.upper.tolist() == pytest.approx([NAN, 0.5, 0.5, 0.55, 0.65, 0.75], nan_ok=True)
    assert band(repeats, grid, "test").median.tolist() == [0.0] * 5


@pytest.mark.parametrize(
    ("level", "cost"),
    [(0.1, 2.0), (0.5, 2.0), (0.6, 6.0), (0.7 + 1e-15, 6.0), (0.71, math.inf)],
)
def test_cost_to_reach(level: float, cost: float) -> None:
    assert cost_to_reach([1, 2, 6, 9], [NAN, 0.5, 0.7, 0.7], level) == cost


def run(*trials: tuple[float, float]) -> Progress:
    costs, scores = zip(*trials, strict=True)
    return make_progress(costs, scores, scores)


GRID = run((4.0, 0.5), (4.0, 0.8), (12.0, 0.6))  # best after 8 of 20
EARLY, LATE, NEVER = run((2.0, 0.9)), run((4.0, 0.1), (6.0, 0.8)), run((20.0, 0.79))


@pytest.mark.parametrize(
    ("repeats", "shares", "reached", "median"),
    [
        ([EARLY], [0.1], 1, 0.1),
        ([EARLY, LATE, NEVER], [0.1, 0.5, math.inf], 2, 0.5),
        # Half of them is enough; fewer than half leaves no median.
        ([EARLY, NEVER], [0.1, math.inf], 1, 0.1),
        ([EARLY, NEVER, NEVER], [0.1, math.inf, math.inf], 1, math.inf),
        ([NEVER, NEVER], [math.inf, math.inf], 0, math.inf),
    ],
)
def test_speed_up(
    repeats: list[Progress],
    shares: list[float],
    reached: int,
    median: float,
) -> None:
    found = speed_up(repeats, [GRID] * len(repeats), rng=np.random.default_rng(0))
    assert list(found.shares) == pytest.approx(shares)
    assert (found.reached, found.repeats) == (reached, len(repeats))
    assert found.median == found.interval.estimate == pytest.approx(median)
    assert found.interval.low <= found.median <= found.interval.high
    assert found.interval.low in found.shares
    assert found.interval.high in found.shares


def test_each_repeat_is_held_against_its_own_pair() -> None:
    hard, easy = run((10.0, 0.9)), run((100.0, 0.1))
    found = speed_up([run((5.0, 0.9)), run((5.0, 0.2))], [hard, easy], rng=np.random.default_rng(0))
    assert found.shares == (0.5, 0.05)


def test_the_reference_reaches_itself_at_its_best() -> None:
    found = speed_up([GRID] * 4, [GRID] * 4, rng=np.random.default_rng(0))
    assert found.interval == (0.4, 0.4, 0.4)


@pytest.mark.parametrize(
    ("repeats", "reference", "message"),
    [
        ([], [], "cannot be paired"),
        ([EARLY], [GRID, GRID], "cannot be paired"),
        ([EARLY], [run((1.0, NAN))], "no score"),
    ],
)
def test_a_speed_up_needs_pairs(repeats: Any, reference: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        speed_up(repeats, reference, rng=np.random.default_rng(0))
