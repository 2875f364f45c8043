from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from hpsearch.errors import NoWinnerError, UsageError
from hpsearch.search import make_strategy, run_search
from hpsearch.space import Categorical, Float, Space

if TYPE_CHECKING:
    from hpsearch.search import Slot

LINE = Space({"x": Float(0, 1)})
STRATEGY = make_strategy("random", LINE, trials=6, epochs=3, seed=0)


@pytest.mark.parametrize("bad", [None, math.nan, math.inf, -math.inf])
def test_no_finite_score_is_a_known_bad_configuration(bad: float | None) -> None:
    report = run_search(lambda slot: bad if slot.index < 5 else -3.0, STRATEGY)
    assert [result.complete for result in report.results] == [False] * 5 + [True]
    assert all(math.isfinite(result.score) for result in report.results)
    assert report.winner.mean == -3.0


def test_scores_of_numpy_become_plain_and_slots_come_in_order() -> None:
    seen: list[Slot] = []

    def evaluate(slot: Slot) -> float:
        seen.append(slot)
        return np.float32(slot.index)  # type: ignore[return-value]

    report = run_search(evaluate, STRATEGY)
    assert [result.slot for result in report.results] == seen
    assert all(type(result.score) is float for result in report.results)
    assert [stage.name for stage in report.stages] == ["random"]


@pytest.mark.parametrize("bad", [None, math.nan, math.inf, -math.inf, np.float32("nan")])
@pytest.mark.parametrize("trials", [1, 6])
def test_without_a_finite_score_there_is_no_winner(bad: float | None, trials: int) -> None:
    strategy = make_strategy("random", LINE, trials=trials, epochs=3, seed=0)
    with pytest.raises(NoWinnerError, match="without a finite score"):
        run_search(lambda slot: bad, strategy)


@pytest.mark.parametrize("score", [10**400, np.float64("nan"), np.array(math.inf)])
def test_a_score_that_no_float_holds_is_known_bad(score: Any) -> None:
    with pytest.raises(NoWinnerError, match="without a finite score"):
        run_search(lambda slot: score, STRATEGY)


@pytest.mark.parametrize(
    "score", ["0.5", b"1", (0.5, 0.6), [0.5], 1 + 2j, np.array([0.5, 0.6]), {}]
)
def test_a_score_that_is_no_number_is_refused_with_what_it_was(score: Any) -> None:
    with pytest.raises(UsageError, match="a number, or None; the function returned") as caught:
        run_search(lambda slot: score, STRATEGY)
    assert repr(score) in str(caught.value)


def test_what_an_objective_raises_is_not_swallowed() -> None:
    def broken(slot: Slot) -> float:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_search(broken, STRATEGY)


@pytest.mark.parametrize("longer", [None, -5.0])
def test_a_training_that_diverged_when_it_was_longer_keeps_its_shorter_score(
    longer: float | None,
) -> None:
    space = Space({"a": Categorical(tuple("bcdefg"))})
    strategy = make_strategy("coarse-to-fine", space, trials=16, epochs=8, seed=0, race=4)
    report = run_search(lambda slot: -9.0 if slot.epochs < 8 else longer, strategy)
    assert report.winner.mean == (-9.0 if longer is None else longer)
    assert (report.winner.epochs == 8) == (longer is not None)
