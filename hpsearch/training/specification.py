"""What a configuration, the values of a study's settings, means for a training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from hpsearch.errors import UnknownNameError, UsageError
from hpsearch.nn import NetworkConfig, TrainingConfig
from hpsearch.space import Value

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
        given = dict(configuration)
        sizes = NetworkConfig.hidden_layer_sizes
        for name in COUNTS & given.keys():
            given[name] = _whole(name, given[name])
        width = cast("int", given.pop("width", sizes[0]))
        depth = cast("int", given.pop("depth", len(sizes)))
        preprocessing = str(given.pop("preprocessing", "standardize"))
        variance = cast("float", given.pop("variance", 1.0))
        network: dict[str, Any] = {"hidden_layer_sizes": (width,) * depth}
        training: dict[str, Any] = {"epochs": epochs}
        for name, value in given.items():
            if name in NetworkConfig.__dataclass_fields__:
                network[name] = value
            elif name in TrainingConfig.__dataclass_fields__:
                training[name] = value
            else:
                raise UnknownNameError("setting", name, setting_names())
        return cls(preprocessing, variance, NetworkConfig(**network), TrainingConfig(**training))


COUNTS = {"width", "depth", "maxout_pieces", "batch_size", "patience"}
"""The settings that are whole numbers."""


def _whole(name: str, value: Value) -> Value:
    """A count, which may be written as a float; None stays for one that is not set."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if value is not None and (isinstance(value, bool) or not hasattr(value, "__index__")):
        raise UsageError(f"{name} is {value!r}; give a whole number.")
    return value


def setting_names() -> list[str]:
    """All settings that a configuration may have."""
    fields = {**NetworkConfig.__dataclass_fields__, **TrainingConfig.__dataclass_fields__}
    names = [n for n in fields if n not in ("hidden_layer_sizes", "epochs")]
    return ["preprocessing", "variance", "width", "depth", *names]
