from __future__ import annotations

import json
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.errors import SpaceError, UnknownNameError
from hpsearch.space import Categorical, Condition, Float, Int, Space

NESTED = Space(
    {
        # On purpose, the dependent ones come first.
        "nesterov": Categorical((True, False)),
        "momentum": Float(0.5, 0.99, limits=(0, 1)),
        "solver": Categorical(("sgd", "adam", "momentum")),
        "width": Int(8, 64, log=True),
    },
    {
        "momentum": Condition("solver", ("momentum",)),
        "nesterov": Condition("solver", ("momentum", "sgd")),
    },
)
CHAIN = Space(
    {"c": Int(0, 3), "b": Categorical(("y", "n")), "a": Categorical(("y", "n"))},
    {"c": Condition("b", ("y",)), "b": Condition("a", ("y",))},
)


@pytest.mark.parametrize("space", [NESTED, CHAIN, Space({}), Space({"x": Float(0, 1)})])
@given(seed=st.integers(0, 10_000))
def test_a_sample_has_just_the_parameters_that_exist(space: Space, seed: int) -> None:
    configuration = space.sample(np.random.default_rng(seed))
    assert configuration in space
    assert set(configuration) == set(space.active(configuration))
    assert list(configuration) == [name for name in space.parameters if name in configuration]


@pytest.mark.parametrize(
    ("configuration", "exists"),
    [
        ({"a": "n"}, ["a"]),
        ({"a": "y", "b": "n"}, ["a", "b"]),
        ({"a": "y", "b": "y", "c": 1}, ["a", "b", "c"]),
        ({"a": "n", "b": "y", "c": 1}, ["a"]),  # b does not exist, so neither does c
        ({}, ["a"]),
    ],
)
def test_conditions_follow_each_other(configuration: dict[str, Any], exists: list[str]) -> None:
    assert CHAIN.active(configuration) == exists
    assert (configuration in CHAIN) == (set(configuration) == set(exists))


def test_a_configuration_out_of_range_is_not_in_the_space() -> None:
    assert {"solver": "adam", "width": 16} in NESTED
    assert {"solver": "adam", "width": 65} not in NESTED
    assert {"solver": "adam"} not in NESTED
    assert ["solver"] not in NESTED


@pytest.mark.parametrize("space", [NESTED, CHAIN, Space({"x": Float(0, 1, step=0.25)})])
def test_spaces_survive_json_and_pickle(space: Space) -> None:
    text = json.dumps(space.to_dict(), allow_nan=False)
    assert Space.from_dict(json.loads(text)) == space
    assert pickle.loads(pickle.dumps(space)) == space
    assert list(Space.from_dict(json.loads(text)).parameters) == list(space.parameters)


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"parameters": {"x": {"type": "complex", "low": 0}}},
        {"parameters": {"x": {"type": "float", "low": 0}}},
        {"parameters": []},
        {"parameters": {}, "conditions": {"x": {}}},
    ],
)
def test_what_is_no_description_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(SpaceError, match="not the description of a search space"):
        Space.from_dict(document)


def test_dropping_a_choice_takes_what_depended_on_it_along() -> None:
    without = NESTED.replace({"solver": Categorical(("sgd", "adam"))})
    assert set(without.parameters) == {"nesterov", "solver", "width"}
    assert without.conditions == {"nesterov": (Condition("solver", ("sgd",)),)}
    assert set(CHAIN.replace({"a": Categorical(("n",))}).parameters) == {"a"}


@pytest.mark.parametrize(
    ("parameters", "conditions", "error", "sentence"),
    [
        ({"x": Float(0, 1)}, {"x": Condition("y", (1,))}, UnknownNameError, "parameter 'y'"),
        ({"x": Float(0, 1)}, {"y": Condition("x", (1,))}, UnknownNameError, "parameter 'y'"),
        (
            {"x": Float(0, 1), "y": Float(0, 1)},
            {"x": Condition("y", (1,))},
            SpaceError,
            "x depends on y, which has no choices",
        ),
        (
            {"x": Float(0, 1), "y": Categorical(("a", "b"))},
            {"x": Condition("y", ("a", "c"))},
            SpaceError,
            r"is one of \['a', 'c'\]; name some of its choices \['a', 'b'\]",
        ),
        (
            {"x": Float(0, 1), "y": Categorical(("a", "b"))},
            {"x": Condition("y", ())},
            SpaceError,
            r"is one of \[\]",
        ),
        (
            {"x": Categorical(("a",)), "y": Categorical(("a",))},
            {"x": Condition("y", ("a",)), "y": Condition("x", ("a",))},
            SpaceError,
            "the conditions of x, y lead in a circle",
        ),
    ],
)
def test_impossible_conditions(
    parameters: Any, conditions: Any, error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        Space(parameters, conditions)


def test_a_point_has_one_coordinate_for_each_parameter() -> None:
    with pytest.raises(ValueError, match="shorter"):
        NESTED.from_unit([0.5])
