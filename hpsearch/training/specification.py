"""What a configuration, the values of a study's settings, means for a training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from hpsearch.errors import UnknownNameError, UsageError
from hpsearch.metrics import Task
from hpsearch.nn import NetworkConfig, TrainingConfig
from hpsearch.space import Value
from hpsearch.space.settings import SETTINGS

__all__ = ["TrainingSpecification", "setting_names"]

DEFAULT_LOSS = NetworkConfig.loss


@dataclass(frozen=True)
class TrainingSpecification:
    """What a configuration means: preprocessing, network and training.

    >>> spec = TrainingSpecification.of({"width": 8, "depth": 2, "learning_rate": 0.1}, epochs=5)
    >>> spec.network.hidden_layer_sizes, spec.training.learning_rate
    ((8, 8), 0.1)
    """

    preprocessing: str
    variance: float
    network: NetworkConfig
    training: TrainingConfig

    def learning(self, task: Task) -> TrainingSpecification:
        """The same for a task: classes are learned by cross-entropy, numbers by their own losses.

        Raises:
            UsageError: the loss is for the other task, or a setting is for classes alone.
        """
        if task == "regression":
            for name in ("class_weight", "label_smoothing"):
                if getattr(self.training, name) != SETTINGS[name].default:
                    raise UsageError(
                        f"{name} is for classes, and the target is a quantity; remove it, or set "
                        '[data] task = "classification"',
                        key=name,
                    )
        loss = _loss_for(task, self.network.loss)
        return replace(self, network=replace(self.network, loss=loss))

    @classmethod
    def of(cls, configuration: Mapping[str, Value], *, epochs: int) -> TrainingSpecification:
        """Read a flat configuration; settings that it lacks take their defaults.

        Raises:
            UnknownNameError: the configuration names a setting that there is none of.
            UsageError: a value is impossible.
        """
        for name in configuration:
            if name not in SETTINGS or name == "epochs":
                raise UnknownNameError("setting", name, setting_names())
        given: dict[str, Any] = {name: setting.default for name, setting in SETTINGS.items()}
        given |= {name: SETTINGS[name].own(name, value) for name, value in configuration.items()}
        given |= {"epochs": epochs, "hidden_layer_sizes": (given["width"],) * given["depth"]}
        network, training = (
            {name: given[name] for name in config.__dataclass_fields__}
            for config in (NetworkConfig, TrainingConfig)
        )
        return cls(
            given["preprocessing"],
            given["variance"],
            NetworkConfig(**network),
            TrainingConfig(**training),
        )


def _loss_for(task: Task, loss: str) -> str:
    """The loss for a task, whose own the setting's default stands for.

    Raises:
        UsageError: it is for the other.
    """
    if task == "regression":
        return "squared-error" if loss == DEFAULT_LOSS else loss
    if loss != DEFAULT_LOSS:
        raise UsageError(
            f"loss = {loss!r} is for numbers, and the target holds classes; remove it, or set "
            '[data] task = "regression"',
            key="loss",
        )
    return loss


def setting_names() -> list[str]:
    """All settings that a configuration may have."""
    return [name for name in SETTINGS if name != "epochs"]
