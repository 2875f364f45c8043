from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.search import Slot, make_strategy, run_search
from hpsearch.search.coarse_to_fine import EPOCH_SHARES, STAGE_SHARES, plan
from hpsearch.space import Float, Space


@given(
    st.integers(1, 2000),
    st.integers(1, 100),
    st.lists(st.floats(0.01, 10), min_size=1, max_size=5),
    st.data(),
)
def test_a_plan_spends_all_trials_and_ends_in_full_length(
    trials: int, epochs: int, shares: list[float], data: st.DataObject
) -> None:
    lengths = sorted(
        data.draw(st.lists(st.floats(0.01, 1), min_size=len(shares), max_size=len(shares)))
    )
    slots, trained = plan(trials, epochs, shares, lengths)
    assert sum(slots) == trials
    assert len(slots) == len(trained) <= len(shares)
    assert all(count > 0 for count in slots)
    assert trained[-1] == epochs
    assert list(trained) == sorted(trained)
    assert all(1 <= length <= epochs for length in trained)


@pytest.mark.parametrize(
    ("trials", "slots", "epochs"),
    [
        (1, (1,), (20,)),
        (5, (5,), (20,)),
        (12, (8, 4), (5, 20)),  # a third stage of three trials could not go on
        (16, (8, 4, 4), (5, 10, 20)),
        (45, (23, 11, 11), (5, 10, 20)),
    ],
)
def test_small_budgets_have_fewer_stages(
    trials: int, slots: tuple[int, ...], epochs: tuple[int, ...]
) -> None:
    assert plan(trials, 20, STAGE_SHARES, EPOCH_SHARES) == (slots, epochs)


def test_stages_train_longer_and_longer_and_the_race_in_full() -> None:
    strategy = make_strategy(
        "coarse-to-fine", Space({"x": Float(0, 1)}), trials=60, epochs=20, seed=0
    )
    report = run_search(lambda slot: -abs(slot.configuration["x"] - 0.3), strategy)  # type: ignore[operator]
    named = [(s.name, s.slots, s.epochs) for s in report.stages]
    assert named == [
        ("coarse", 23, 5),
        ("fine-1", 11, 10),
        ("fine-2", 11, 20),
        ("race-1", 5, 20),  # which settles it, since seeds do not matter
        ("fine-4", 6, 20),
        ("race-5", 2, 20),
        ("race-6", 2, 20),
    ]
    assert [len(s.changes) for s in report.stages] == [0, 1, 1, 0, 1, 0, 0]
    ranges = [s.space.parameters["x"] for s in report.stages[:3]]
    widths = [p.high - p.low for p in ranges if isinstance(p, Float)]
    assert widths == sorted(widths, reverse=True)
    assert all(p.low <= 0.3 <= p.high for p in ranges if isinstance(p, Float))


def test_it_comes_nearer_than_random_search_on_the_same_budget() -> None:
    """A smooth optimum in three dimensions, without noise, thirty seeds: paired."""
    space = Space({name: Float(0.0, 1.0) for name in "xyz"})

    def distance(slot: Slot) -> float:
        values = slot.configuration.values()
        return -sum((float(v) - 0.37) ** 2 for v in values)  # type: ignore[arg-type]

    def best(name: str, seed: int) -> float:
        strategy = make_strategy(name, space, trials=60, epochs=1, seed=seed, race=0)
        return run_search(distance, strategy).winner.mean

    nearer = sum(best("coarse-to-fine", seed) > best("random", seed) for seed in range(30))
    assert nearer >= 25  # by chance alone: one in five thousand


def test_points_of_a_stage_are_spread_evenly() -> None:
    strategy = make_strategy(
        "coarse-to-fine",
        Space({"x": Float(0, 1), "y": Float(0, 1)}),
        trials=16,
        epochs=1,
        seed=0,
        race=0,
        stage_shares=(1,),
        epoch_shares=(1,),
    )
    stage = strategy.next_stage([])
    assert stage is not None
    for name in ("x", "y"):
        cells = sorted(int(16 * stage.slot(i).configuration[name]) for i in range(16))  # type: ignore[operator,arg-type]
        assert cells == list(range(16))
