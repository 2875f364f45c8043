from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hpsearch.errors import UnknownNameError, UsageError
from hpsearch.nn import NetworkConfig, TrainingConfig

NAN, INFINITY = float("nan"), float("inf")


@pytest.mark.parametrize("config", [NetworkConfig(), TrainingConfig()])
def test_pickles_and_compares(config: object) -> None:
    assert pickle.loads(pickle.dumps(config)) == config


def test_defaults_can_be_read_from_the_class() -> None:
    assert TrainingConfig.learning_rate == TrainingConfig().learning_rate
    assert NetworkConfig.activation == NetworkConfig().activation


def test_sizes_become_a_tuple_of_int() -> None:
    sizes = NetworkConfig(np.array([3, 4])).hidden_layer_sizes  # type: ignore[arg-type]
    assert sizes == (3, 4)
    assert all(type(size) is int for size in sizes)


@pytest.mark.parametrize("sizes", [64, "64", (64, 0), (64, 1.5), (True,), (1,) * 65])
def test_layers_out_of_range_are_refused(sizes: Any) -> None:
    with pytest.raises(UsageError, match="hidden_layer_sizes"):
        NetworkConfig(sizes)


@pytest.mark.parametrize(
    ("config", "key", "wrong", "right"),
    [
        (NetworkConfig(), "activation", "leaky_relu", "leaky-relu"),
        (NetworkConfig(), "initializer", "xavier-averge", "xavier-average"),
        (TrainingConfig(), "optimizer", "momentun", "momentum"),
        (TrainingConfig(), "schedule", "cosin", "cosine"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(
    config: Any, key: str, wrong: str, right: str
) -> None:
    with pytest.raises(UnknownNameError, match=f"did you mean '{right}'"):
        replace(config, **{key: wrong})


def test_a_message_tells_the_range() -> None:
    with pytest.raises(UsageError, match=r"decay is 2; give a number from 1e-09 to 1\."):
        TrainingConfig(decay=2)
    with pytest.raises(UsageError, match=r"bias is inf; give a number from -1000 to 1000\."):
        NetworkConfig(bias=INFINITY)
