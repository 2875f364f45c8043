"""What a study file searches: ranges and choices, and the space that they span."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from hpsearch.errors import SpaceError, UsageError, nearest, shown
from hpsearch.setting import Setting
from hpsearch.space import Categorical, Condition, Float, Int, Parameter, Space, Value, own_value

__all__ = [
    "Choices",
    "FloatRange",
    "IntRange",
    "PlainValue",
    "Searched",
    "Table",
    "Whole",
    "as_whole",
    "key",
    "space_of",
]

T = TypeVar("T")


def as_whole(value: object) -> object:
    """A whole number that was written as a float as what it is; anything else as it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _plain(value: object) -> object:
    finite = isinstance(value, float) and math.isfinite(value)
    if not finite and not isinstance(value, bool | int | str):
        raise ValueError(f"has {shown(value)}, which is no finite number, text, true or false")
    return value


PlainValue = Annotated[bool | int | float | str, BeforeValidator(_plain)]
"""What a parameter may have as its value."""

Whole = Annotated[int, BeforeValidator(as_whole)]
"""A whole number, which may be written as a float: 1e2 is 100."""


def key(default: object, does: str, *, example: object = None, **rules: Any) -> Any:
    """A key of a table: its default, what it does, and an example where that says more."""
    examples = None if example is None else [example]
    return Field(default, description=does, examples=examples, **rules)


class Table(BaseModel):
    """A table of a study file: no key that it does not know, and no value of another type."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Searched(Table):
    """A setting that is searched, everywhere or only where others have some values."""

    when: dict[str, Annotated[tuple[PlainValue, ...], Field(min_length=1)]] = key(
        {},
        "Search this setting only where every other setting named here has one of these values.",
    )

    @field_validator("when", mode="before")
    @classmethod
    def _one_or_many(cls, when: object) -> object:
        if not isinstance(when, dict):
            return when
        return {k: tuple(v) if isinstance(v, list | tuple) else (v,) for k, v in when.items()}


class FloatRange(Searched):
    """Real numbers from low to high, drawn uniformly or, with log, uniformly in their logarithm."""

    low: float
    high: float
    log: bool = False
    step: float | None = None


class IntRange(Searched):
    """Whole numbers from low to high, both included."""

    low: Whole
    high: Whole
    log: bool = False
    step: Whole = 1


class Choices(Searched, Generic[T]):
    """One of the listed values."""

    choices: tuple[T, ...] = Field(min_length=1)

    @field_validator("choices", mode="before")
    @classmethod
    def _as_tuple(cls, choices: object) -> object:
        return tuple(choices) if isinstance(choices, list) else choices


def space_of(settings: Mapping[str, Any], known: Mapping[str, Setting]) -> Space:
    """The space of the settings that are searched, with the conditions that may hold or not.

    Args:
        settings: each by its name: a range or choices, or else its fixed value.
        known: what the values of a setting may be, where that is known.

    Raises:
        SpaceError: a range or a condition makes no sense.
        UsageError: a value or a range leaves the limits that are known.

    >>> whether, rate = Choices(choices=(True, False)), FloatRange(low=0, high=1, when={"a": True})
    >>> list(space_of({"a": whether, "b": rate}, {}).parameters)
    ['a', 'b']
    >>> list(space_of({"a": False, "b": rate}, {}).parameters)
    []
    """
    parameters: dict[str, Parameter] = {}
    conditions: dict[str, list[Condition]] = {}
    decided: dict[str, list[Value]] = {}  # of fixed settings, the values that conditions name
    fixed = {name: value for name, value in settings.items() if not isinstance(value, Searched)}
    for name, setting in settings.items():
        if not isinstance(setting, Searched):
            if name in known:
                known[name].check(name, setting)
            continue
        parameters[name] = _parameter(name, setting, known.get(name))
        conditions[name] = [
            Condition(parent, _values(name, parent, values, settings, known))
            for parent, values in setting.when.items()
        ]
        for condition in conditions[name]:
            if condition.parameter in fixed:
                decided.setdefault(condition.parameter, []).extend(condition.values)
    for name, values in decided.items():
        parameters[name] = Categorical(tuple(dict.fromkeys(values)))
    return Space(parameters, conditions).given(fixed)


def _parameter(name: str, setting: Searched, known: Setting | None) -> Parameter:
    if isinstance(setting, Choices) and known is not None:
        for value in setting.choices:
            known.check(name, value)
    try:
        if isinstance(setting, Choices):
            return Categorical(setting.choices)
        assert isinstance(setting, IntRange | FloatRange)
        limits = (known and known.limits) or (-math.inf, math.inf)
        if isinstance(setting, IntRange):
            return Int(setting.low, setting.high, setting.log, setting.step, limits)
        return Float(setting.low, setting.high, setting.log, setting.step, limits)
    except SpaceError as error:
        raise SpaceError(f"{name}: {error}", key=name) from None


def _values(
    name: str,
    parent: str,
    values: Sequence[Value],
    settings: Mapping[str, Any],
    known: Mapping[str, Setting],
) -> tuple[Value, ...]:
    """The values of a condition in the type of the setting that it names."""
    if parent not in settings:
        close = nearest(parent, settings)
        hint = f"; did you mean {close}?" if close else ""
        raise SpaceError(f"{name}: when names {parent!r}, which is no setting{hint}", key=name)
    other = settings[parent]
    if isinstance(other, Choices):
        try:
            return tuple(own_value(Categorical(other.choices), value) for value in values)
        except SpaceError:
            raise SpaceError(
                f"{name}: when names values of {parent} that it never takes; "
                f"its choices are {', '.join(map(str, other.choices))}",
                key=name,
            ) from None
    if parent not in known:
        return tuple(values)
    try:
        return tuple(known[parent].own(parent, value) for value in values)
    except UsageError as error:
        raise SpaceError(f"{name}: when has {error}", key=name) from None
