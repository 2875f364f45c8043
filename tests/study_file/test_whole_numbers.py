"""Nothing reaches a training in a type that its setting has not."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import optuna
import pytest

from hpsearch import MLPObjective
from hpsearch.errors import SpaceError, StudyFileError, UsageError
from hpsearch.search import make_strategy
from hpsearch.space import Categorical, Condition, Float, Int, Space, own_value
from hpsearch.study_file import StudyFile, parse_study_file
from hpsearch.training.specification import TrainingSpecification


def study(text: str) -> StudyFile:
    return parse_study_file(f'name = "whole"\n[data]\nname = "iris"\n{text}')


def grid(text: str, points: str) -> list[dict[str, Any]]:
    """What the trainings of a grid get."""
    file = study(f'{text}\n[search]\nstrategy = "grid"\ntrials = 100\npoints = {{ {points} }}')
    search = make_strategy(
        "grid", file.search_space(), trials=100, epochs=1, seed=0, points=file.search.points
    )
    stage = search.next_stage([])
    assert stage is not None
    return [dict(stage.slot(i, []).configuration) for i in range(stage.slots)]


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("[model]\nwidth = 16.0", "width", 16),
        ("[model]\nwidth = 1.6e1", "width", 16),
        ("[model]\nwidth = { choices = [16.0, 32] }", "width", Categorical((16, 32))),
        ("[model]\nmaxout_pieces = 3.0", "maxout_pieces", 3),
        ("[training]\nbatch_size = 64.0", "batch_size", 64),
        ("[training]\npatience = 3.0", "patience", 3),
        ("[training]\nlearning_rate = 1", "learning_rate", 1.0),
        ("[training]\nlearning_rate = { choices = [1, 0.5] }", "learning_rate", None),
    ],
)
def test_a_whole_number_may_be_written_as_a_float(text: str, name: str, value: Any) -> None:
    file = study(text)
    found = file.search_space().parameters.get(name, file.fixed_settings()[name])
    if isinstance(found, Categorical):
        kinds = {type(choice) for choice in found.choices}
        assert kinds == ({float} if name == "learning_rate" else {int})
    else:
        assert (found, type(found)) == (value, type(value))


def test_counts_may_be_written_as_floats() -> None:
    file = study(
        "limit = 50.0\nfolds = 2.0\n[model]\ndepth = { low = 1.0, high = 3.0, step = 1.0 }\n"
        "[training]\nepochs = 1e2\n[search]\ntrials = 20.0\npoints = { l2 = 2.0 }"
    )
    said = [file.data.limit, file.data.folds, file.training.epochs, file.search.trials]
    assert said == [50, 2, 100, 20]
    assert {type(number) for number in said} == {int}
    depth = file.search_space().parameters["depth"]
    assert isinstance(depth, Int)
    assert [type(x) for x in (depth.low, depth.high, depth.step)] == [int] * 3


@pytest.mark.parametrize(
    "text",
    [
        "[model]\nwidth = { choices = [16, 32.5] }",
        "[model]\nwidth = { choices = [16, true] }",
        "[model]\nwidth = { low = 1.5, high = 3 }",
        "[model]\nbatch_norm = { choices = [0, 1] }",
        "[training]\nlearning_rate = { low = false, high = 1.0 }",
        "[search]\ntrials = 10.5",
        "[search]\npoints = { width = [16.5] }",
        "[search]\npoints = { width = [true] }",
        '[search]\npoints = { width = ["16"] }',
        "[search]\npoints = { width = [1000] }",
        "[search]\npoints = { width = 2.5 }",
        "[search]\npoints = { width = true }",
        "[search]\npoints = { width = 0 }",
        "[search]\npoints = { width = [] }",
        "[search]\npoints = { learning_rate = [true] }",
        "[search]\npoints = { wdith = [16] }",
        "[search]\npoints = { decay = 2147483648 }",
        "[model]\nbatch_norm = { choices = [true, false] }\n"
        "[search]\npoints = { batch_norm = [1] }",
        "[model]\nbatch_norm = { choices = [true, false] }\n"
        "dropout = { low = 0.0, high = 0.5, when = { batch_norm = 1 } }",
        "[model]\nwidth = { choices = [1, 2] }\n"
        "dropout = { low = 0.0, high = 0.5, when = { width = true } }",
        '[model]\nwidth = 16\ndropout = { low = 0.0, high = 0.5, when = { width = "16" } }',
        '[model]\ndropout = { low = 0.0, high = 0.5, when = { activation = "tnah" } }',
    ],
)
def test_another_type_is_refused_with_its_line(text: str) -> None:
    with pytest.raises(
        StudyFileError,
        match=r"line \d+: .*(width|depth|batch_norm|epochs|rate|"
        r"trials|decay|wdith|activation)",
    ):
        study(text)


def test_a_condition_has_the_type_of_its_setting() -> None:
    file = study(
        "[model]\nwidth = { choices = [16, 32] }\n"
        "dropout = { low = 0.0, high = 0.5, when = { width = 16.0 } }"
    )
    [condition] = file.search_space().conditions_of("dropout")
    assert (condition.values, type(condition.values[0])) == ((16,), int)


@pytest.mark.parametrize(
    ("points", "name", "values"),
    [
        ("depth = [1.0, 2.0, 3]", "depth", {1, 2, 3}),
        ("depth = [1, 1.0]", "depth", {1}),
        ("depth = 1000", "depth", {1, 2, 3}),
        ("depth = 1000000", "depth", {1, 2, 3}),
        ("width = [16.0]", "width", {16}),
        ("learning_rate = [1]", "learning_rate", {1.0}),
    ],
)
def test_grid_points_reach_the_training_in_their_setting_type(
    points: str, name: str, values: set[Any]
) -> None:
    got = [configuration[name] for configuration in grid("", points)]
    assert set(got) == values
    assert {type(value) for value in got} == {float if name == "learning_rate" else int}
    for configuration in grid("", points):
        TrainingSpecification.of(configuration, epochs=1)


@pytest.mark.parametrize("name", ["choice", "flag", "width", "rate"])
def test_a_parameter_gives_its_own_value(name: str) -> None:
    parameter, given, wrong = {
        "choice": (Categorical((16, 32)), [16.0, np.int64(16), np.float32(16)], [True, "16", 17]),
        "flag": (Categorical((True, False)), [True, np.True_], [1, 1.0, "true", None]),
        "width": (Int(1, 9), [3.0, np.int8(3), np.float64(3)], [True, 3.5, "3", None, 10]),
        "rate": (Float(0, 2), [1, np.int64(1), np.float32(1)], [True, "1", None, 3, np.nan]),
    }[name]
    for value in given:
        own = own_value(parameter, value)
        assert own == value
        assert type(own) is {"flag": bool, "rate": float}.get(name, int)
    for value in wrong:
        with pytest.raises(SpaceError, match=r"is not (a|one of)"):
            own_value(parameter, value)


@pytest.mark.parametrize("count", [2**31, 10**30])
@pytest.mark.parametrize(
    "parameter", [Float(1e-3, 1.0, log=True), Float(0, 1, step=1e-6), Int(0, 10**12)]
)
def test_a_grid_that_is_too_large_is_refused_at_once(parameter: Any, count: int) -> None:
    began = time.monotonic()
    space = Space(dict.fromkeys("abcde", parameter) | {"w": Categorical(("p", "q"))})
    for points in ({"a": count}, dict.fromkeys("abcde", count), dict.fromkeys("abcde", 10**6)):
        with pytest.raises(UsageError, match="points and there are 1,000,000 trials"):
            make_strategy("grid", space, trials=10**6, epochs=1, seed=0, points=points)
    assert time.monotonic() - began < 10  # it had no end


def test_the_points_of_a_parameter_that_never_exists_cost_nothing() -> None:
    space = Space({"w": Categorical(("p", "q")), "x": Float(0, 1)}, {"x": Condition("w", ("p",))})
    points = {"w": ["q"], "x": 2**31}
    stage = make_strategy("grid", space, trials=4, epochs=1, seed=0, points=points).next_stage([])
    assert stage is not None
    assert stage.slots == 1


@pytest.mark.parametrize(
    "fixed",
    [
        {"width": 16.5},
        {"learning_rate": True},
    ],
)
def test_the_objective_refuses_a_fixed_value_of_another_type_at_once(fixed: Any) -> None:
    with pytest.raises(UsageError, match=next(iter(fixed))):
        MLPObjective([[1.0], [2.0]] * 8, ["a", "b"] * 8, fixed=fixed)


def test_the_objective_takes_whole_numbers_as_floats() -> None:
    spec = TrainingSpecification.of({"width": 16.0, "depth": 2.0, "batch_size": 8.0}, epochs=1)
    assert spec.network.hidden_layer_sizes == (16, 16)
    assert (spec.training.batch_size, type(spec.training.batch_size)) == (8, int)
    MLPObjective([[1.0], [2.0]] * 8, ["a", "b"] * 8, fixed={"width": 16.0, "depth": 1.0})


@pytest.mark.parametrize(
    "parameter", [Float(8, 32), Categorical((16, 16.5)), Categorical((16, "32")), Int(0, 8)]
)
def test_the_objective_refuses_a_space_of_another_type_at_once(parameter: Any) -> None:
    with pytest.raises(UsageError, match=r"width|hidden_layer_sizes"):
        MLPObjective([[1.0], [2.0]] * 8, ["a", "b"] * 8, space=Space({"width": parameter}))


def test_the_objective_trains_with_whole_floats() -> None:
    space = Space({"width": Categorical((4.0, 8)), "depth": Categorical((1.0, 2))})
    objective = MLPObjective([[1.0], [2.0]] * 8, ["a", "b"] * 8, space=space, epochs=1)
    study = optuna.create_study(direction="maximize")
    study.optimize(objective, n_trials=4)
    assert not study.get_trials(states=(optuna.trial.TrialState.FAIL,))
