from __future__ import annotations

import pytest

from hpsearch.search.base import Configuration
from hpsearch.search.presence import existing, presence
from hpsearch.space import Categorical, Float, Int

PARAMETERS = {
    "solver": Categorical(("sgd", "adam", "lion")),
    "momentum": Float(0.0, 1.0),
    "nesterov": Categorical((True, False)),
    "layers": Int(1, 4),
    "w2": Int(1, 64, log=True),
    "w3": Int(1, 64, log=True),
    "rate": Float(1e-4, 1.0, log=True),
}

SOLVERS: list[Configuration] = [
    {"solver": "adam", "rate": 0.1},
    {"solver": "sgd", "rate": 0.2, "momentum": 0.9},
    {"solver": "lion", "rate": 0.01},
    {"solver": "sgd", "rate": 0.02, "momentum": 0.5},
    {"solver": "adam", "rate": 0.3},
]
LAYERS: list[Configuration] = [
    {"layers": 1},
    {"layers": 3, "w2": 8, "w3": 9},
    {"layers": 4, "w2": 5, "w3": 2},
    {"layers": 2, "w2": 4},
]
NESTED: list[Configuration] = [
    {"solver": "adam"},
    {"solver": "sgd", "nesterov": True, "momentum": 0.5},
    {"solver": "sgd", "nesterov": False},
    {"solver": "adam"},
]


@pytest.mark.parametrize(
    ("tried", "asked", "expected"),
    [
        (SOLVERS, {"solver": "sgd", "momentum": 0.1}, {"solver", "momentum"}),
        (SOLVERS, {"solver": "lion", "momentum": 0.1}, {"solver"}),
        (LAYERS, {"layers": 1, "w2": 3, "w3": 3}, {"layers"}),
        (LAYERS, {"layers": 2, "w2": 3, "w3": 3}, {"layers", "w2"}),
        (LAYERS, {"layers": 4, "w2": 3, "w3": 3}, {"layers", "w2", "w3"}),
        (NESTED, {"solver": "sgd", "nesterov": True, "momentum": 1}, {*NESTED[1]}),
        (NESTED, {"solver": "sgd", "nesterov": False, "momentum": 1}, {*NESTED[2]}),
        (NESTED, {"solver": "adam", "nesterov": True, "momentum": 1}, {*NESTED[0]}),
    ],
)
def test_what_exists_follows_what_was_tried(
    tried: list[Configuration], asked: Configuration, expected: set[str]
) -> None:
    assert existing(asked, presence(PARAMETERS, tried)).keys() == expected


@pytest.mark.parametrize(
    "tried",
    [
        [{"solver": "sgd", "momentum": 0.1}, {"solver": "adam", "momentum": 0.2}],
        [{"solver": "sgd", "momentum": 0.1}, {"solver": "sgd"}],
        [{"layers": 1}, {"layers": 2, "w2": 1}, {"layers": 3}],
        [{}, {"w2": 1, "w3": 1}],
        [],
    ],
    ids=["always", "by chance", "in the middle", "nothing decides", "nothing"],
)
def test_what_nothing_decides_on_has_no_rule(tried: list[Configuration]) -> None:
    assert presence(PARAMETERS, tried) == {}


def test_of_several_that_agree_the_one_decides_that_agrees_least_by_chance() -> None:
    tried = [
        {"rate": 0.1, "layers": 1, "solver": "sgd", "momentum": 0.1},
        {"rate": 0.2, "layers": 2, "solver": "sgd", "momentum": 0.2},
        {"rate": 0.3, "layers": 3, "solver": "adam"},
        {"rate": 0.4, "layers": 3, "solver": "adam"},
    ]
    assert presence(PARAMETERS, tried)["momentum"][0].parameter == "solver"


def tried_in_pairs() -> list[Configuration]:
    """Nesterov for a solver and from some layers on, each combination twice."""
    return [
        {"solver": solver, "layers": layers, "rate": 0.1 * layers}
        | ({"nesterov": True} if solver == "sgd" and layers > 2 else {})
        for solver in ("sgd", "adam", "lion", "sgd")
        for layers in (1, 2, 3, 4)
    ]


@pytest.mark.parametrize(
    ("solver", "layers", "there"), [("sgd", 3, True), ("sgd", 1, False), ("adam", 4, False)]
)
def test_two_may_decide_together(solver: str, layers: int, there: bool) -> None:
    rules = presence(PARAMETERS, tried_in_pairs())
    asked = {"solver": solver, "layers": layers, "nesterov": True}
    assert ("nesterov" in existing(asked, rules)) is there


def test_two_do_not_decide_where_chance_would_have_them_agree() -> None:
    few = [tried_in_pairs()[i] for i in (0, 2, 4, 6)]
    assert "nesterov" not in presence(PARAMETERS, few)
