from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from hpsearch.search import make_strategy, run_search
from hpsearch.space import Float, Space

if TYPE_CHECKING:
    from hpsearch.search import Slot

STRATEGY = make_strategy("random", Space({"x": Float(0, 1)}), trials=6, epochs=3, seed=0)


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
