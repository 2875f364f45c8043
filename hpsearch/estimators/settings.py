"""The estimators' arguments, checked once and put into the network's own words."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Any

import numpy as np
import numpy.typing as npt

from hpsearch.errors import UnknownNameError, UsageError
from hpsearch.nn import ACTIVATIONS, LOSSES, OPTIMIZERS, NetworkConfig, TrainingConfig
from hpsearch.nn.config import NETWORK_AND_TRAINING
from hpsearch.nn.optimizers import Adam
from hpsearch.setting import NO_LIMIT

__all__ = ["Settings", "read_settings"]

_AUTO_BATCH = 200


@dataclass(frozen=True)
class Settings:
    """The arguments, checked and in the network's own words.

    Attributes:
        network: layers, activation and initialization.
        training: update rule and schedule; batch size and l2 come with `training_on`.
        alpha: scikit-learn's regularization, l2 times the batch size.
        shuffle: whether each epoch has another order.
        early_stopping: whether the validation score decides when to stop.
        validation_fraction: share of the samples that is set aside for that.
        tol: least improvement that counts.
        n_iter_no_change: idle epochs that are allowed.
    """

    network: NetworkConfig
    training: TrainingConfig
    alpha: float
    shuffle: bool
    early_stopping: bool
    validation_fraction: float
    tol: float
    n_iter_no_change: float

    def training_on(self, n: int, weights: npt.NDArray[np.float64] | None) -> TrainingConfig:
        """The training on n samples: a batch has no more, and alpha becomes its l2.

        Args:
            n: training samples.
            weights: how much each counts (n,): one of weight 2 is two samples; None for 1 each.

        Returns:
            The training's configuration.
        """
        size = min(self.training.batch_size, n)
        counted = size if weights is None else size * float(weights.mean())
        return replace(self.training, batch_size=size, l2=self.alpha / counted)


def read_settings(params: Mapping[str, Any]) -> Settings:
    """Check the arguments and put them together as one configuration.

    Args:
        params: what ``get_params`` gives.

    Returns:
        The configuration.

    Raises:
        UsageError: for a value out of range, in the words of the argument.
        UnknownNameError: for a name that is not known.
    """
    _check(params)
    sizes: Any = params["hidden_layer_sizes"]
    sizes = (sizes,) if isinstance(sizes, Integral) else sizes
    network = _shared(NetworkConfig, params)
    network |= {"hidden_layer_sizes": sizes, "activation": _activation(params["activation"])}
    if "loss" in params:
        network |= {"loss": _loss(params["loss"])}
    optimizer = _optimizer(params)
    training = _shared(TrainingConfig, params) | {
        "optimizer": optimizer,
        "learning_rate": params["learning_rate_init"],
        "momentum": params["beta_1" if issubclass(OPTIMIZERS[optimizer], Adam) else "momentum"],
        "beta2": params["beta_2"],
        "batch_size": _AUTO_BATCH if params["batch_size"] == "auto" else params["batch_size"],
        "epochs": params["max_iter"],
        "class_weight": "balanced" if params.get("class_weight") == "balanced" else "none",
        "divergence": NO_LIMIT,  # as scikit-learn, go on for as long as the numbers are finite
    }
    same = ("alpha", "shuffle", "early_stopping", "validation_fraction", "tol", "n_iter_no_change")
    return Settings(
        NetworkConfig(**network),
        TrainingConfig(**training),
        **{name: params[name] for name in same},
    )


def _shared(config: type[NetworkConfig | TrainingConfig], params: Mapping[str, Any]) -> Any:
    """The settings of a configuration that have an argument of the same name."""
    return {name: params[name] for name in config.__dataclass_fields__ if name in params}


_FLAGS = ("shuffle", "warm_start", "nesterovs_momentum", "early_stopping")
_OTHER_WORDS = {
    "alpha": "l2",
    "learning_rate_init": "learning_rate",
    "momentum": "momentum",
    "beta_1": "momentum",
    "beta_2": "beta2",
    "max_iter": "epochs",
}
"""Arguments that are settings of the network's by another name, or only at times."""

_OWN: dict[str, tuple[Callable[[Any], bool], str]] = {
    "tol": (lambda v: 0 <= v < math.inf, "a number of at least 0"),
    "validation_fraction": (lambda v: 0 < v < 1, "a number between 0 and 1"),
    "n_iter_no_change": (
        lambda v: v >= 1 and (isinstance(v, Integral) or v == math.inf),
        "a whole number of at least 1, or inf",
    ),
}


def _check(params: Mapping[str, Any]) -> None:
    """Refuse arguments out of range, and scikit-learn's that mean something else here."""
    for name in _FLAGS:
        if not isinstance(params[name], bool | np.bool_):
            raise UsageError(f"{name} is {params[name]!r}; give True or False.")
    for name, setting in _OTHER_WORDS.items():
        NETWORK_AND_TRAINING[setting].check(name, params[name])
    for name, (right, wanted) in _OWN.items():
        value = params[name]
        if isinstance(value, bool) or not isinstance(value, Real) or not right(value):
            raise UsageError(f"{name} is {value!r}; give {wanted}.")
    _check_class_weight(params.get("class_weight"))
    rate = params["learning_rate"]
    if isinstance(rate, Real):
        raise UsageError(
            f"learning_rate is {rate!r}, and names a schedule as in scikit-learn; give the rate as "
            "learning_rate_init."
        )
    if rate != "constant":
        raise UsageError(
            f"learning_rate is {rate!r}, which is not offered; leave it 'constant' and let "
            "schedule, with decay, say how the rate falls, as in schedule='cosine'."
        )


def _check_class_weight(given: Any) -> None:
    if isinstance(given, Mapping):
        for label, weight in given.items():
            number = isinstance(weight, Real) and not isinstance(weight, bool)
            if not number or not 0 <= weight < math.inf:
                raise UsageError(
                    f"class_weight has {weight!r} for {label!r}; give numbers of at least 0."
                )
    elif given is not None and given != "balanced":
        raise UsageError(
            f"class_weight is {given!r}; give 'balanced', a number for each label, or None."
        )


def _activation(name: object) -> str:
    """The network's name of an activation."""
    if name == "identity":
        raise UsageError(
            "activation is 'identity', with which all layers together are one linear map; use "
            "hidden_layer_sizes=() for softmax regression, or another activation."
        )
    names = {"logistic": "sigmoid", **{known: known for known in ACTIVATIONS}}
    if not isinstance(name, str) or name not in names:
        raise UnknownNameError("activation", name, names)
    return names[name]


_LOSSES = {name.replace("-", "_"): name for name in LOSSES if name != "cross-entropy"}
"""The regressor's losses, in scikit-learn's spelling."""


def _loss(name: object) -> str:
    """The network's name of a regressor's loss."""
    if not isinstance(name, str) or name not in _LOSSES:
        raise UnknownNameError("loss", name, _LOSSES)
    return _LOSSES[name]


def _optimizer(params: Mapping[str, Any]) -> str:
    """The network's name of a solver."""
    name: object = params["solver"]
    if name == "lbfgs":
        raise UsageError(
            "solver is 'lbfgs', which needs all samples in each step and is not offered; use "
            "'adam', or 'sgd' with momentum."
        )
    if not isinstance(name, str) or name not in OPTIMIZERS:
        raise UnknownNameError("solver", name, OPTIMIZERS)
    if name != "sgd" or params["momentum"] == 0:
        return name
    return "nesterov" if params["nesterovs_momentum"] else "momentum"
