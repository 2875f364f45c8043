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


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("hidden_layer_sizes", 64),
        ("hidden_layer_sizes", "64"),
        ("hidden_layer_sizes", (64, 0)),
        ("hidden_layer_sizes", (64, 1.5)),
        ("hidden_layer_sizes", (True,)),
        ("bias", NAN),
        ("bias", "zero"),
        ("dropout", 1.0),
        ("dropout", -0.1),
        ("dropout", NAN),
        ("maxout_pieces", 0),
        ("maxout_pieces", 2.0),
    ],
)
def test_a_network_out_of_range_is_refused(key: str, value: Any) -> None:
    with pytest.raises(UsageError, match=key):
        replace(NetworkConfig(), **{key: value})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("learning_rate", 0.0),
        ("learning_rate", INFINITY),
        ("learning_rate", NAN),
        ("learning_rate", None),
        ("momentum", 1.0),
        ("momentum", -0.1),
        ("beta2", 1.0),
        ("rms_decay", 1.0),
        ("epsilon", 0.0),
        ("decay", 0.0),
        ("decay", 1.1),
        ("warmup", -1.0),
        ("l2", -1e-9),
        ("l2", NAN),
        ("batch_size", 0),
        ("batch_size", 1.0),
        ("epochs", 0),
        ("epochs", True),
        ("patience", 0),
        ("divergence", 1.0),
        ("divergence", NAN),
    ],
)
def test_a_training_out_of_range_is_refused(key: str, value: Any) -> None:
    with pytest.raises(UsageError, match=key):
        replace(TrainingConfig(), **{key: value})


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


def test_a_name_that_is_no_text_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="unknown activation"):
        NetworkConfig(activation=["relu"])  # type: ignore[arg-type]


def test_a_message_tells_the_range() -> None:
    with pytest.raises(UsageError, match=r"decay is 2; give a number from 1e-09 to 1\."):
        TrainingConfig(decay=2)
    with pytest.raises(UsageError, match=r"bias is inf; give a number from -1000 to 1000\."):
        NetworkConfig(bias=INFINITY)
