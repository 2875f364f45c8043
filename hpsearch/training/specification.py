"""What a configuration, the values of a study's settings, means for a training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hpsearch.errors import UnknownNameError
from hpsearch.nn import NetworkConfig, TrainingConfig
from hpsearch.space import Value
from hpsearch.space.settings import SETTINGS

__all__ = ["TrainingSpecification", "setting_names"]


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


def setting_names() -> list[str]:
    """All settings that a configuration may have."""
    return [name for name in SETTINGS if name != "epochs"]
