"""What trainings cost, and which of them a budget pays for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.engine import run_study
from hpsearch.engine.cost import MISSES, DataShape, Spending, training_flops
from hpsearch.errors import RunError
from hpsearch.nn import Network, NetworkConfig
from hpsearch.search.base import Slot
from hpsearch.space import Value
from hpsearch.storage import load_study, open_storage
from hpsearch.study_file import parse_study_file

SHAPE = DataShape(features=10, outputs=3, rows=100)


@pytest.mark.parametrize(
    ("configuration", "network"),
    [
        ({"width": 8, "depth": 2}, NetworkConfig((8, 8))),
        ({"width": 8, "depth": 0}, NetworkConfig(())),
        ({"width": 5, "depth": 1, "batch_norm": True}, NetworkConfig((5,), batch_norm=True)),
        (
            {"width": 4, "depth": 2, "activation": "maxout", "maxout_pieces": 3},
            NetworkConfig((4, 4), "maxout", maxout_pieces=3),
        ),
    ],
)
def test_a_training_costs_six_operations_a_weight_and_sample(
    configuration: Mapping[str, Value], network: NetworkConfig
) -> None:
    made = Network(10, 3, network, rng=np.random.default_rng(0))
    weights = sum(layer.weights.size for layer in made.layers)
    assert training_flops(configuration, SHAPE, epochs=7) == 6 * 7 * 100 * weights


def slot(index: int, width: int = 8, epochs: int = 1) -> Slot:
    return Slot(0, index, {"width": width}, 0, epochs)


def cost(slot: Slot) -> float:
    return training_flops({"depth": 1, **slot.configuration}, SHAPE, epochs=slot.epochs)


def test_a_slot_that_costs_too_much_is_passed_over() -> None:
    one = training_flops({"width": 8, "depth": 1}, SHAPE, epochs=1)
    spending = Spending(3.5 * one, cost, [slot(0)])
    assert spending.admit(slot(0)), "it was let in, and paid for, before"
    assert spending.admit(slot(1))
    assert not spending.over
    assert not spending.admit(slot(2, epochs=2))
    assert (spending.refused, spending.over) == (1, False)
    assert spending.admit(slot(3)), "a cheaper one behind it fits"
    for index in range(4, 4 + MISSES):
        assert not spending.over
        assert not spending.admit(slot(index))
    assert spending.over, "so many in a row did not fit"
    assert not spending.admit(slot(50, width=1))
    assert spending.admit(slot(1)), "it was paid for before"


WIDTHS = st.lists(st.sampled_from([2, 8, 64, 300]), min_size=1, max_size=60)
BUDGET = 40 * training_flops({"width": 8, "depth": 1}, SHAPE, epochs=1)


def let_in(
    widths: list[int], limit: float, begun: list[Slot], opening: list[Slot] | None = None
) -> list[Slot]:
    """Those that a search begins with a budget, of draws of these widths; some it has begun."""
    spending = Spending(limit, cost, begun, opening or [])
    slots = [slot(index, width=width) for index, width in enumerate(widths)]
    return [s for s in slots if spending.admit(s)]


@given(WIDTHS, st.integers(0, 60))
def test_a_search_that_was_killed_passes_over_the_same_slots(widths: list[int], at: int) -> None:
    whole = let_in(widths, BUDGET, [])
    assert let_in(widths, BUDGET, whole[:at]) == whole


@given(WIDTHS, st.integers(0, 60), st.integers(0, 60))
def test_a_search_with_twice_the_budget_can_begin_as_one_with_the_budget(
    widths: list[int], more: int, at: int
) -> None:
    once = let_in(widths, BUDGET, [])
    longer = widths + widths[:more]
    twice = let_in(longer, 2 * BUDGET, [], once)
    assert twice[: len(once)] == once
    assert sum(map(cost, twice)) <= 2 * BUDGET
    assert let_in(longer, 2 * BUDGET, twice[:at], once) == twice


def test_without_a_limit_all_are_let_in() -> None:
    spending = Spending(None, cost, [])
    assert all(spending.admit(slot(i, epochs=10**6)) for i in range(10))
    assert not spending.over


STUDY = """
name = "s"
[data]
name = "iris"
[model]
width = { low = 4, high = 64, log = true }
depth = 1
[training]
epochs = 4
[search]
strategy = "random"
trials = 40
"""


@pytest.mark.slow
def test_a_study_stops_at_its_budget_and_goes_on_with_a_larger_one(tmp_path: Path) -> None:
    def trials(database: str, flops: float | None, workers: int) -> dict[int, object]:
        limit = "" if flops is None else f"total_flops = {flops}"
        run_study(
            parse_study_file(STUDY + limit), storage=str(tmp_path / database), workers=workers
        )
        found = load_study(open_storage(str(tmp_path / database)), "s").trials
        return {t.user_attrs["slot"]: (t.params, t.values) for t in found}

    shape = DataShape(4, 3, 96)
    whole = trials("whole.db", None, 2)
    paid = 0.0
    expected = {}
    for index in range(40):
        configuration = {"depth": 1, **whole[index][0]}  # type: ignore[index]
        cost = training_flops(configuration, shape, epochs=4)
        if paid + cost <= 5e6:
            paid += cost
            expected[index] = whole[index]
    assert 3 < len(expected) < 38
    assert trials("cut.db", 5e6, 1) == trials("cut2.db", 5e6, 2) == expected
    assert trials("cut.db", 9e6, 2).items() > expected.items()
    assert trials("cut.db", None, 2) == whole


def test_a_budget_that_pays_for_nothing_says_so(tmp_path: Path) -> None:
    study = parse_study_file(STUDY + "total_flops = 10.0")
    with pytest.raises(RunError, match="total_flops = 10 does not pay for one training; raise it"):
        run_study(study, storage=str(tmp_path / "s.db"), workers=1)
