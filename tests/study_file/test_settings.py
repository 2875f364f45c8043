"""A setting is told once: whoever takes its values accepts and refuses the same ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import pytest

from hpsearch.data import Preprocessor
from hpsearch.errors import UsageError
from hpsearch.estimators import MLPClassifier
from hpsearch.estimators.settings import read_settings
from hpsearch.nn import NetworkConfig, TrainingConfig
from hpsearch.setting import Setting
from hpsearch.space import Float, Int
from hpsearch.space.settings import SETTINGS
from hpsearch.study_file import StudyFile, parse_study_file
from hpsearch.study_file.models import DataSection, ModelSection, TrainingSection
from hpsearch.study_file.template import toml_value
from hpsearch.training.specification import TrainingSpecification

TABLES = {"data": DataSection, "model": ModelSection, "training": TrainingSection}
ARGUMENTS = {
    "optimizer": "solver",
    "learning_rate": "learning_rate_init",
    "l2": "alpha",
    "beta2": "beta_2",
    "epochs": "max_iter",
}
NOT_THERE = {
    "preprocessing",
    "variance",
    "width",
    "depth",
    "rms_decay",
    "patience",
    "divergence",
    "loss",
    "class_weight",
}
"""What the classifier has no argument for, or not one for a single value."""


UNSEARCHED = {"epochs", "patience", "divergence"}
NOT_IN_FILES = {"rms_decay", "epsilon", "loss"}


def study_line(name: str, value: object) -> StudyFile:
    """A study file that says one setting."""
    table = next(table for table, section in TABLES.items() if name in section.model_fields)
    head = "" if table == "data" else f"[{table}]\n"
    return parse_study_file(
        f'name = "s"\n[data]\nname = "iris"\n{head}{name} = {toml_value(value)}'
    )


def configure(name: str, value: Any) -> object:
    """The configuration of a network, a training or a preprocessing with one setting."""
    if name == "depth":
        return NetworkConfig((8,) * value if type(value) is int and value >= 0 else (value,))
    if name == "width":
        return NetworkConfig((value,))
    if name in ("preprocessing", "variance"):
        word = "kind" if name == "preprocessing" else name
        return Preprocessor.fit(np.eye(3), **{"kind": "pca", word: value})
    config = NetworkConfig if name in NetworkConfig.__dataclass_fields__ else TrainingConfig
    return config(**{name: value})


def takers(name: str) -> dict[str, Callable[[Any], object]]:
    """Everybody who takes a value of a setting."""
    argument = ARGUMENTS.get(name, name)
    found: dict[str, Callable[[Any], object]] = {
        "configuration": lambda v: configure(name, v),
        "recipe": lambda v: (
            TrainingSpecification.of({}, epochs=v)
            if name == "epochs"
            else TrainingSpecification.of({name: v}, epochs=1)
        ),
        "classifier": lambda v: read_settings(MLPClassifier(**{argument: v}).get_params()),
        "file": lambda v: study_line(name, v),
        "file's choices": lambda v: study_line(name, {"choices": [v]}),
    }
    gone = {
        "classifier": name in NOT_THERE,
        "file": name in NOT_IN_FILES,
        "file's choices": name in NOT_IN_FILES | UNSEARCHED,
    }
    return {who: taker for who, taker in found.items() if not gone.get(who)}


def values(setting: Setting) -> list[Any]:
    """On both sides of each border, and of other types."""
    if setting.names is not None:
        return [*setting.names, "x", *(name.upper() for name in setting.names), 3, True]
    if setting.limits is None:
        return [True, False, 0, 1, 1.0, "true"]
    low, high = setting.limits
    if setting.whole:
        return [low - 1, low, low + 1, high - 1, high, high + 1, low + 0.5, -low - 1, True, "1"]
    beyond = [math.nextafter(x, away) for x, away in ((low, -math.inf), (high, math.inf))]
    return [low, high, low / 2 + high / 2, *filter(math.isfinite, beyond), True, "0.5"]


def takes(taker: Callable[[Any], object], value: object) -> bool:
    with suppress(UsageError):
        taker(value)
        return True
    return False


@pytest.mark.parametrize("name", SETTINGS)
def test_all_take_and_refuse_the_same_values(name: str) -> None:
    setting = SETTINGS[name]
    for value in values(setting):
        right = takes(lambda v: setting.check(name, v), value)
        for who, taker in takers(name).items():
            assert takes(taker, value) is right, (who, value)
    assert takes(lambda v: setting.check(name, v), setting.default)


@pytest.mark.parametrize(
    "name", [n for n, s in SETTINGS.items() if s.limits and n not in NOT_IN_FILES | UNSEARCHED]
)
def test_a_range_has_the_limits_of_its_setting(name: str) -> None:
    setting = SETTINGS[name]
    assert setting.limits is not None
    low, high = setting.limits
    parameter = study_line(name, {"low": low, "high": high}).search_space().parameters[name]
    assert isinstance(parameter, Int if setting.whole else Float)
    assert parameter.limits == (parameter.low, parameter.high) == setting.limits
    past = 1 if setting.whole else 1e-6 * (high - low)
    for wrong in ({"low": low - past, "high": high}, {"low": low, "high": high + past}):
        with pytest.raises(UsageError, match=f"{name}: the range .* passes its limits"):
            study_line(name, wrong)


def test_a_number_is_a_real_one_of_python_or_numpy() -> None:
    rate = SETTINGS["dropout"]
    for right in (0, 0.95, np.float32(0.5), np.int8(0)):
        rate.check("dropout", right)
    for wrong in (-1e-9, 0.951, math.nan, math.inf, 10**400, None, np.True_, 1j, "0"):
        with pytest.raises(UsageError, match=r"dropout is .*; give a number"):
            rate.check("dropout", wrong)
