"""What a network is and how it is trained: the one place that tells these settings.

Each field says its default, what it may be and what it does; `NETWORK_AND_TRAINING` has them by
name, for study files, search spaces and the estimators.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any

from hpsearch.errors import UsageError, shown
from hpsearch.nn.activations import ACTIVATIONS
from hpsearch.nn.initializers import INITIALIZERS
from hpsearch.nn.losses import LOSSES
from hpsearch.nn.optimizers import OPTIMIZERS
from hpsearch.nn.schedules import SCHEDULES
from hpsearch.setting import NO_LIMIT, Setting

__all__ = ["NETWORK_AND_TRAINING", "NetworkConfig", "TrainingConfig"]


def _setting(default: object, does: str, **allowed: Any) -> Any:
    """A field that tells its setting."""
    return field(default=default, metadata={"setting": Setting(default, does, **allowed)})


CLASS_WEIGHTS = ("none", "balanced")

WIDTH = Setting(64, "Units in each hidden layer.", limits=(1, 65_536))
DEPTH = Setting(2, "Number of hidden layers; 0: softmax regression.", limits=(0, 64))


@dataclass(frozen=True)
class NetworkConfig:
    """The network: its layers and how their weights begin.

    Args:
        hidden_layer_sizes: units of each hidden layer; empty for softmax regression.

    Raises:
        UsageError: for a value out of its range.
        UnknownNameError: for a name that is not known.
    """

    hidden_layer_sizes: tuple[int, ...] = (WIDTH.default,) * DEPTH.default
    activation: str = _setting("relu", "Nonlinearity of the hidden units.", names=ACTIVATIONS)
    initializer: str = _setting("he", "How the weights are drawn at the start.", names=INITIALIZERS)
    bias: float = _setting(0.0, "What every bias starts at.", limits=(-1e3, 1e3))
    batch_norm: bool = _setting(False, "Normalize over the batch before each activation.")
    dropout: float = _setting(
        0.0, "Share of hidden units silenced at each step.", limits=(0.0, 0.95)
    )
    maxout_pieces: int = _setting(
        2, "Linear pieces of a maxout unit; other activations ignore it.", limits=(2, 64)
    )
    loss: str = _setting(
        "cross-entropy",
        "What training makes small; cross-entropy is for classes, the others for numbers, of which "
        "squared-error is the default.",
        names=LOSSES,
    )

    def __post_init__(self) -> None:
        sizes: object = self.hidden_layer_sizes
        if isinstance(sizes, str) or not isinstance(sizes, Iterable):
            raise UsageError(
                f"hidden_layer_sizes is {shown(sizes)}; give the width of each layer, as in "
                "(64, 64)."
            )
        sizes = tuple(sizes)
        DEPTH.check("the number of hidden_layer_sizes", len(sizes))
        for size in sizes:
            WIDTH.check("each of hidden_layer_sizes", size)
        object.__setattr__(self, "hidden_layer_sizes", tuple(int(size) for size in sizes))
        _check(self)

    @property
    def pieces(self) -> int:
        """Linear pieces of each hidden unit."""
        return self.maxout_pieces if ACTIVATIONS[self.activation].piecewise else 1


@dataclass(frozen=True)
class TrainingConfig:
    """The training: update rule, learning rate and its schedule, regularization, and when to stop.

    The schedule's horizon is ``epochs``. Weight decay, ``l2``/2 times the sum of squared weights,
    joins the loss (adamw instead shrinks the weights directly) and spares biases, batch
    normalization and PReLU slopes. A batch larger than the data means all of them. For
    ``weight_averaging`` see `hpsearch.nn.averaging`, for ``label_smoothing`` Szegedy et al. (2016),
    "Rethinking the Inception architecture", section 7; balanced classes are scikit-learn's.

    Raises:
        UsageError: for a value out of its range.
        UnknownNameError: for a name that is not known.
    """

    optimizer: str = _setting("momentum", "Update rule.", names=OPTIMIZERS)
    learning_rate: float = _setting(0.01, "The first learning rate.", limits=(1e-10, 1e6))
    momentum: float = _setting(
        0.9,
        "Share of the last step kept; first decay rate of adam and adamw.",
        limits=(0.0, 0.9999),
    )
    beta2: float = _setting(0.999, "Second decay rate of adam and adamw.", limits=(0.0, 0.999999))
    rms_decay: float = _setting(
        0.9, "Decay of rmsprop's mean of squared gradients.", limits=(0.0, 0.999999)
    )
    epsilon: float = _setting(
        1e-8,
        "Added to the root of the squared gradients (adagrad, rmsprop, adam, adamw).",
        limits=(1e-30, 1e3),
    )
    schedule: str = _setting("cosine", "How the learning rate falls.", names=SCHEDULES)
    decay: float = _setting(
        0.01,
        "The last learning rate as a share of the first.",
        limits=(1e-9, 1.0),
    )
    warmup: float = _setting(
        0.0,
        "Epochs over which the learning rate first rises from zero.",
        limits=(0.0, 1e6),
    )
    l2: float = _setting(0.0, "Weight of half the squared weights in the loss.", limits=(0.0, 1e6))
    batch_size: int = _setting(64, "Samples per step.", limits=(1, 1_000_000))
    epochs: int = _setting(
        20,
        "Passes over the training part; coarse stages train shorter.",
        limits=(1, 1_000_000),
    )
    patience: int | None = _setting(
        None,
        "Stop after so many epochs without a better score and keep the best; absent: never.",
        limits=(1, 1_000_000),
    )
    divergence: float = _setting(
        3.0,
        "Stop a training whose loss passes so many times the initial one.",
        limits=(1.01, NO_LIMIT),
    )
    weight_averaging: float = _setting(
        0.0,
        "Decay of the running average of the weights that predicts in their place; 0: off.",
        limits=(0.0, 0.99999),
    )
    label_smoothing: float = _setting(
        0.0,
        "Share of each label's probability that all classes get alike.",
        limits=(0.0, 0.99),
    )
    class_weight: str = _setting(
        "none",
        "How classes are weighed in the loss; a table gives a number for each label.",
        names=CLASS_WEIGHTS,
    )

    def __post_init__(self) -> None:
        _check(self)


def _check(config: NetworkConfig | TrainingConfig) -> None:
    for name, setting in _settings(type(config)).items():
        setting.check(name, getattr(config, name))


def _settings(config: type[NetworkConfig | TrainingConfig]) -> dict[str, Setting]:
    return {f.name: f.metadata["setting"] for f in fields(config) if f.metadata}


NETWORK_AND_TRAINING = {
    "width": WIDTH,
    "depth": DEPTH,
    **_settings(NetworkConfig),
    **_settings(TrainingConfig),
}
"""The settings of a network and its training; width and depth say its hidden_layer_sizes."""
