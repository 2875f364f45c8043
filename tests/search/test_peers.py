"""benchmarks/peers.py: other libraries' searches on our spaces, as far as they are installed."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
from scripts import benchmark

from hpsearch.search import Configuration, Slot
from hpsearch.space import Categorical, Condition, Float, Int, Space

SPACE = Space(
    {
        "momentum": Float(0.5, 0.99),
        "rate": Float(1e-4, 1.0, log=True),
        "width": Int(8, 64, log=True),
        "depth": Int(1, 9, step=2),
        "nesterov": Categorical((True, False)),
        "solver": Categorical(("sgd", "adam", None)),
    },
    {"momentum": Condition("solver", ("sgd",)), "nesterov": Condition("solver", ("sgd", None))},
)
LIBRARY = {"smac": "smac", "blendsearch": "flaml", "cfo": "flaml", "ngopt": "nevergrad"}


@pytest.fixture(scope="module")
def peers() -> Any:
    return benchmark("peers")


def score(slot: Slot) -> float:
    """Best at a width of 30, and with sgd."""
    width = slot.configuration["width"]
    assert isinstance(width, int)
    return -abs(width - 30) / 10 - (slot.configuration["solver"] != "sgd")


class TestOwnConfiguration:
    def test_choices_come_by_index_and_numbers_in_their_own_type(self, peers: Any) -> None:
        numbers = {"momentum": 0.7, "rate": 0.1, "width": 16.2, "depth": 4.1}
        found = peers.own_configuration(SPACE, numbers | {"nesterov": "1", "solver": "0"})
        own = {"momentum": 0.7, "rate": 0.1, "width": 16, "depth": 5}
        assert found == own | {"nesterov": False, "solver": "sgd"}
        assert [type(found[name]) for name in ("width", "depth")] == [int, int]
        assert found in SPACE

    def test_what_does_not_exist_is_dropped_whether_it_was_proposed_or_not(
        self, peers: Any
    ) -> None:
        given = {"rate": 0.1, "width": 16, "depth": 3, "solver": "1"}
        absent = peers.own_configuration(SPACE, given)
        assert absent == {"rate": 0.1, "width": 16, "depth": 3, "solver": "adam"}
        assert peers.own_configuration(SPACE, {"momentum": 0.7, "nesterov": 0} | given) == absent

    def test_a_number_that_rounding_has_moved_out_of_its_range_comes_back(self, peers: Any) -> None:
        given = {"rate": 1.0000001, "width": 7.9, "depth": 9, "solver": 2, "nesterov": 0}
        assert peers.own_configuration(SPACE, given) in SPACE


class TestNamedBy:
    """With a peer that draws at random and recommends its first configuration."""

    @pytest.fixture
    def told(self, peers: Any, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, float]]:
        told: list[tuple[Any, float]] = []

        def random(space: Space, trials: int, seed: int, raced: bool) -> Any:
            rng = np.random.default_rng(seed)
            for _ in range(trials):
                drawn = space.sample(rng)
                told.append((drawn, (yield drawn)))
            return told[0][0]

        monkeypatch.setattr(peers, "PEERS", {"random": random})
        return told

    def named(self, peers: Any, race: int) -> tuple[Configuration, list[Slot]]:
        slots: list[Slot] = []

        def evaluate(slot: Slot) -> float:
            slots.append(slot)
            return score(slot)

        named = peers.named_by("random", evaluate, SPACE, evaluations=20, race=race, seed=3)
        return named, slots

    def test_it_is_told_every_score_and_names_what_it_recommends(
        self, peers: Any, told: list[tuple[Any, float]]
    ) -> None:
        named, slots = self.named(peers, race=0)
        assert told == [(slot.configuration, score(slot)) for slot in slots]
        assert len(slots) == 20
        assert named == slots[0].configuration

    def test_with_a_race_its_best_train_again_and_the_winner_is_named(
        self, peers: Any, told: list[tuple[Any, float]]
    ) -> None:
        named, slots = self.named(peers, race=8)
        assert len(slots) == 20
        found = [slot.configuration for slot in slots[:12]]
        assert [drawn for drawn, _ in told] == found[:11]  # nobody waits for its recommendation
        assert all(slot.configuration in found for slot in slots[12:])
        assert named == max(slots[:12], key=score).configuration


@pytest.mark.slow
@pytest.mark.parametrize("name", LIBRARY)
def test_a_peer_proposes_what_the_space_has_and_the_same_with_the_same_seed(
    peers: Any, name: str
) -> None:
    if find_spec(LIBRARY[name]) is None:
        pytest.skip(f"{LIBRARY[name]} is not installed")
    seen: list[Configuration] = []

    def evaluate(slot: Slot) -> float:
        seen.append(slot.configuration)
        return score(slot)

    for race in (0, 0, 2):
        peers.named_by(name, evaluate, SPACE, evaluations=6, race=race, seed=3)
    assert all(configuration in SPACE for configuration in seen)
    assert seen[:6] == seen[6:12]
    assert len({str(configuration) for configuration in seen[:6]}) > 2


def test_every_peer_is_tried(peers: Any) -> None:
    assert set(LIBRARY) == set(peers.PEERS)
