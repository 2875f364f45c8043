"""Parameters as Optuna knows them, and back."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from hpsearch.space import Categorical, Float, Int, Parameter, Space, Value

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution

__all__ = ["as_value", "from_distribution", "suggest", "to_distribution"]


def to_distribution(parameter: Parameter) -> BaseDistribution:
    """Optuna's distribution for a parameter; Optuna has no word for its limits.

    >>> to_distribution(Float(0.1, 1.0, log=True))
    FloatDistribution(high=1.0, log=True, low=0.1, step=None)
    """
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(parameter, Categorical):
        return CategoricalDistribution(parameter.choices)
    if isinstance(parameter, Int):
        return IntDistribution(parameter.low, parameter.high, parameter.log, parameter.step)
    return FloatDistribution(parameter.low, parameter.high, parameter.log, _optuna_step(parameter))


MOST_STEPS = 10**7
"""From some five times as many on Optuna denies values of its own, which it wants within 1e-8."""


def _optuna_step(parameter: Float) -> float | None:
    """The step to tell Optuna of; none where it makes no difference, or Optuna drops the last."""
    if parameter.step is None or (parameter.high - parameter.low) / parameter.step > MOST_STEPS:
        return None
    low, high, step = (Decimal(str(x)) for x in (parameter.low, parameter.high, parameter.step))
    return None if (high - low) % step else parameter.step


def from_distribution(distribution: BaseDistribution) -> Parameter:
    """The parameter for one of Optuna's distributions; its limits are the distribution's range.

    Choices that are equal, as 1 and True are in Python, become one.

    Raises:
        TypeError: if Optuna has a new kind of distribution.
    """
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(distribution, CategoricalDistribution):
        given = distribution.choices
        return Categorical(tuple(c for i, c in enumerate(given) if c not in given[:i]))
    if not isinstance(distribution, IntDistribution | FloatDistribution):
        raise TypeError(f"unknown distribution {distribution!r}")
    low, high, log = distribution.low, distribution.high, distribution.log
    if isinstance(distribution, IntDistribution):
        return Int(int(low), int(high), log, distribution.step, (low, high))
    return Float(low, high, log, distribution.step, (low, high))


def as_value(choice: object) -> Value:
    """A choice of Optuna's, which may be anything, as a value of ours; or its text.

    >>> as_value("relu"), as_value([64, 64]), as_value(float("inf")), as_value(np.True_)
    ('relu', '[64, 64]', 'inf', True)
    """
    if isinstance(choice, np.generic):
        choice = choice.item()
    if isinstance(choice, float) and not math.isfinite(choice):
        return str(choice)
    return choice if choice is None or isinstance(choice, bool | int | float | str) else str(choice)


def suggest(trial: optuna.Trial, space: Space) -> dict[str, Value]:
    """Ask a trial for every parameter that exists, the ones that others depend on first.

    Args:
        trial: a running trial.
        space: what to ask for.

    Returns:
        The configuration that the trial's sampler chose.
    """
    configuration: dict[str, Value] = {}
    while True:
        missing = [name for name in space.active(configuration) if name not in configuration]
        if not missing:
            return configuration
        for name in missing:
            configuration[name] = _suggest(trial, name, space.parameters[name])


def _suggest(trial: optuna.Trial, name: str, parameter: Parameter) -> Value:
    if isinstance(parameter, Categorical):
        return trial.suggest_categorical(name, parameter.choices)
    if isinstance(parameter, Int):
        return trial.suggest_int(
            name, parameter.low, parameter.high, log=parameter.log, step=parameter.step
        )
    value = trial.suggest_float(
        name, parameter.low, parameter.high, log=parameter.log, step=_optuna_step(parameter)
    )
    return value if value in parameter else parameter.nearest(value)
