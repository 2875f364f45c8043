"""What a network is and how it is trained: the one place where these defaults live."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from hpsearch.errors import UnknownNameError, UsageError, shown
from hpsearch.nn.activations import ACTIVATIONS
from hpsearch.nn.initializers import INITIALIZERS
from hpsearch.nn.optimizers import OPTIMIZERS
from hpsearch.nn.schedules import SCHEDULES

__all__ = ["NetworkConfig", "TrainingConfig"]

MOST_LAYERS = 1_000


@dataclass(frozen=True)
class NetworkConfig:
    """The network: its layers and how their weights begin.

    Args:
        hidden_layer_sizes: units of each hidden layer, at most 1,000 of them; empty for softmax
            regression.
        activation: a name in `hpsearch.nn.ACTIVATIONS`.
        initializer: a name in `hpsearch.nn.INITIALIZERS`.
        bias: the first value of all biases; the lecture's small positive one is 0.01.
        batch_norm: normalize before each activation.
        dropout: probability of dropping a hidden unit, 0 to below 1.
        maxout_pieces: linear pieces of a maxout unit; other activations ignore it.

    Raises:
        UsageError: for a value out of its range.
        UnknownNameError: for a name that is not known.
    """

    hidden_layer_sizes: tuple[int, ...] = (64, 64)
    activation: str = "relu"
    initializer: str = "he"
    bias: float = 0.0
    batch_norm: bool = False
    dropout: float = 0.0
    maxout_pieces: int = 2

    def __post_init__(self) -> None:
        sizes: object = self.hidden_layer_sizes
        if isinstance(sizes, str) or not isinstance(sizes, Iterable):
            raise UsageError(
                f"hidden_layer_sizes is {shown(sizes)}; give the width of each layer, as in "
                "(64, 64)."
            )
        sizes = tuple(sizes)
        if len(sizes) > MOST_LAYERS:
            raise UsageError(
                f"hidden_layer_sizes has {len(sizes):,} layers; give at most {MOST_LAYERS:,}."
            )
        for size in sizes:
            _check_integer("each of hidden_layer_sizes", size, 1)
        object.__setattr__(self, "hidden_layer_sizes", tuple(int(size) for size in sizes))
        _check_name("activation", self.activation, ACTIVATIONS)
        _check_name("initializer", self.initializer, INITIALIZERS)
        _check_number("bias", self.bias)
        if not isinstance(self.batch_norm, bool | np.bool_):
            raise UsageError(f"batch_norm is {self.batch_norm!r}; give True or False.")
        _check_number("dropout", self.dropout, low=0.0, below=1.0)
        _check_integer("maxout_pieces", self.maxout_pieces, 1)

    @property
    def pieces(self) -> int:
        """Linear pieces of each hidden unit."""
        return self.maxout_pieces if ACTIVATIONS[self.activation].piecewise else 1


@dataclass(frozen=True)
class TrainingConfig:
    """The training: update rule, learning rate and its schedule, regularization, and when to stop.

    Args:
        optimizer: a name in `hpsearch.nn.OPTIMIZERS`.
        learning_rate: the full rate, before decay.
        momentum: share of the last step that is kept (momentum, nesterov); beta1 of adam and adamw.
        beta2: decay of adam's and adamw's mean of squared gradients.
        rms_decay: decay of rmsprop's mean of squared gradients.
        epsilon: added to the root of the squared gradients (adagrad, rmsprop, adam, adamw).
        schedule: a name in `hpsearch.nn.SCHEDULES`.
        decay: the share of the learning rate that is left at the end, above 0 to 1 (no decay).
        warmup: epochs, fractional allowed, over which the rate rises linearly from 0, multiplying
            the schedule.
        l2: weight decay; l2/2 times the sum of squared weights joins the loss (adamw instead
            shrinks the weights directly). Biases, batch normalization and PReLU slopes are spared.
        batch_size: samples a step; more than there are means all of them.
        epochs: passes over the data; the horizon of the schedule.
        patience: epochs without a better validation score after which to stop, or None for never.
        divergence: stop when the loss passes this many times the initial loss.
        weight_averaging: decay of the running average of the weights that takes their place in
            prediction, 0 (off) to below 1; see `hpsearch.nn.averaging`.

    Raises:
        UsageError: for a value out of its range.
        UnknownNameError: for a name that is not known.
    """

    optimizer: str = "momentum"
    learning_rate: float = 0.01
    momentum: float = 0.9
    beta2: float = 0.999
    rms_decay: float = 0.9
    epsilon: float = 1e-8
    schedule: str = "cosine"
    decay: float = 0.01
    warmup: float = 0.0
    l2: float = 0.0
    batch_size: int = 64
    epochs: int = 20
    patience: int | None = None
    divergence: float = 3.0
    weight_averaging: float = 0.0

    def __post_init__(self) -> None:
        _check_name("optimizer", self.optimizer, OPTIMIZERS)
        _check_name("schedule", self.schedule, SCHEDULES)
        _check_number("learning_rate", self.learning_rate, above=0.0)
        _check_number("momentum", self.momentum, low=0.0, below=1.0)
        _check_number("beta2", self.beta2, low=0.0, below=1.0)
        _check_number("rms_decay", self.rms_decay, low=0.0, below=1.0)
        _check_number("epsilon", self.epsilon, above=0.0)
        _check_number("decay", self.decay, above=0.0, high=1.0)
        _check_number("warmup", self.warmup, low=0.0)
        _check_number("l2", self.l2, low=0.0)
        _check_integer("batch_size", self.batch_size, 1)
        _check_integer("epochs", self.epochs, 1)
        if self.patience is not None:
            _check_integer("patience", self.patience, 1)
        _check_number("divergence", self.divergence, above=1.0)
        _check_number("weight_averaging", self.weight_averaging, low=0.0, below=1.0)


def _check_name(kind: str, name: object, known: Mapping[str, object]) -> None:
    if not isinstance(name, str) or name not in known:
        raise UnknownNameError(kind, name, known)


def _check_integer(key: str, value: object, low: int) -> None:
    # NumPy's integers have __index__ too; True and False are not counts.
    if isinstance(value, bool) or not hasattr(value, "__index__") or value.__index__() < low:
        raise UsageError(f"{key} is {shown(value)}; give a whole number of at least {low}.")


def _check_number(
    key: str,
    value: float,
    *,
    low: float = -math.inf,
    above: float = -math.inf,
    high: float = math.inf,
    below: float = math.inf,
) -> None:
    """Refuse what is not a finite number with low <= value <= high and above < value < below."""
    bounds = [
        (f"at least {low:g}", low > -math.inf),
        (f"above {above:g}", above > -math.inf),
        (f"at most {high:g}", high < math.inf),
        (f"below {below:g}", below < math.inf),
    ]
    wanted = " and ".join(text for text, given in bounds if given) or "finite"
    try:
        number = not isinstance(value, bool | np.bool_) and math.isfinite(value)
        right = number and low <= value <= high and above < value < below
    except (TypeError, OverflowError):  # no number, or a whole one beyond every float
        right = False
    if not right:
        raise UsageError(f"{key} is {shown(value)}; give a number {wanted}.")
