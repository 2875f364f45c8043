"""Search spaces: parameters on their own scale, and which of them exist together.

Every parameter maps the unit interval to its values, so that anything which draws from [0, 1] (a
generator, a Sobol sequence, a grid) draws from any parameter: on the logarithmic scale where
effects multiply, in equal cells where values are discrete.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any, TypeAlias

import numpy as np

from hpsearch.errors import SpaceError, UnknownNameError

__all__ = ["Categorical", "Condition", "Float", "Int", "Parameter", "Space", "Value"]

Value: TypeAlias = bool | int | float | str | None

_UNLIMITED = (-math.inf, math.inf)


@dataclass(frozen=True)
class Float:
    """A real number between two bounds.

    Args:
        low: the smallest value.
        high: the largest value; with a step, lowered to the last value that the steps reach.
        log: whether equal ratios, not equal differences, are equally likely.
        step: the distance between neighbouring values, None for a continuum; not with ``log``.
        limits: hard bounds which no search may pass when it moves the range (a dropout rate stays
            below 1); infinite where there is none.

    Raises:
        SpaceError: if the bounds, the step or the limits make no sense.

    >>> rate = Float(1e-4, 1.0, log=True)
    >>> round(rate.from_unit(0.5), 6), rate.to_unit(0.01)
    (0.01, 0.5)
    """

    low: float
    high: float
    log: bool = False
    step: float | None = None
    limits: tuple[float, float] = _UNLIMITED

    def __post_init__(self) -> None:
        for name in ("low", "high"):
            object.__setattr__(self, name, _number(name, getattr(self, name), self))
        object.__setattr__(self, "limits", _limits(self))
        _check_range(self)
        if self.step is not None:
            object.__setattr__(self, "step", _number("step", self.step, self))
            _check_step(self)
            object.__setattr__(self, "high", self._at(self._cells() - 1))

    def from_unit(self, u: float) -> float:
        """The value at a place of the range.

        Args:
            u: the place, from 0 (low) to 1 (high), on the parameter's scale; with a step, each
                value owns an equal share of [0, 1].
        """
        if self.step is not None:
            return self._at(_cell(u, self._cells()))
        return min(max(self.unscaled(_between(*self.bounds(), u)), self.low), self.high)

    def to_unit(self, value: Value) -> float:
        """The place of a value in the range: the inverse of `from_unit`.

        Raises:
            SpaceError: if the parameter does not contain the value.
        """
        number = _member(self, value)
        if self.step is not None:
            return (round((number - self.low) / self.step) + 0.5) / self._cells()
        return _place(*self.bounds(), self.scaled(number))

    def __contains__(self, value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        if not self.low <= value <= self.high:
            return False
        steps = 0.0 if self.step is None else (value - self.low) / self.step
        return abs(steps - round(steps)) < 1e-8

    def scaled(self, value: float) -> float:
        """A value on the scale on which distances count: its logarithm, or itself."""
        return math.log(value) if self.log else float(value)

    def unscaled(self, x: float) -> float:
        """The value at a point of the scale: the inverse of `scaled`."""
        return math.exp(x) if self.log else x

    def bounds(self) -> tuple[float, float]:
        """The two ends of the range on the scale."""
        return self.scaled(self.low), self.scaled(self.high)

    def _cells(self) -> int:
        assert self.step is not None
        return math.floor((self.high - self.low) / self.step + 1e-8) + 1

    def _at(self, index: int) -> float:
        # In decimals, so that 0.1 plus twice 0.1 is 0.3 for the reader and for Optuna alike.
        return float(Decimal(str(self.low)) + index * Decimal(str(self.step)))


@dataclass(frozen=True)
class Int:
    """A whole number between two bounds, both included.

    Args:
        low: the smallest value.
        high: the largest value; with a step, lowered to the last value that the steps reach.
        log: whether equal ratios, not equal differences, are equally likely.
        step: the distance between neighbouring values; 1 with ``log``.
        limits: hard bounds which no search may pass when it moves the range (a depth stays above
            0); infinite where there is none.

    Raises:
        SpaceError: if the bounds, the step or the limits make no sense.

    >>> [Int(1, 3).from_unit(u) for u in (0.0, 0.5, 1.0)]
    [1, 2, 3]
    """

    low: int
    high: int
    log: bool = False
    step: int = 1
    limits: tuple[float, float] = _UNLIMITED

    def __post_init__(self) -> None:
        for name in ("low", "high", "step"):
            object.__setattr__(self, name, _integer(name, getattr(self, name), self))
        object.__setattr__(self, "limits", _limits(self))
        _check_range(self)
        _check_step(self)
        object.__setattr__(self, "high", self.high - (self.high - self.low) % self.step)

    def from_unit(self, u: float) -> int:
        """The value at a place of the range.

        Args:
            u: the place, from 0 to 1; each value owns an equal share of [0, 1], or with ``log`` the
                logarithmic share of the half-open interval that rounds to it.
        """
        if self.log:
            value = round(math.exp(_between(*self.bounds(), u)))
            return min(max(value, self.low), self.high)
        return self.low + self.step * _cell(u, self._cells())

    def to_unit(self, value: Value) -> float:
        """The place of a value in the range: the inverse of `from_unit`.

        Raises:
            SpaceError: if the parameter does not contain the value.
        """
        number = _member(self, value)
        if self.log:
            return _place(*self.bounds(), self.scaled(number))
        return ((number - self.low) / self.step + 0.5) / self._cells()

    def __contains__(self, value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return self.low <= value <= self.high and (value - self.low) % self.step == 0

    def scaled(self, value: float) -> float:
        """A value on the scale on which distances count: its logarithm, or itself."""
        return math.log(value) if self.log else float(value)

    def unscaled(self, x: float) -> float:
        """The real number at a point of the scale; the caller rounds it to a value."""
        return math.exp(x) if self.log else x

    def bounds(self) -> tuple[float, float]:
        """The two ends of the range on the scale, half a value outside the first and the last."""
        half = self.step / 2
        return self.scaled(self.low - half), self.scaled(self.high + half)

    def _cells(self) -> int:
        return (self.high - self.low) // self.step + 1


@dataclass(frozen=True)
class Categorical:
    """One of several choices without an order.

    Args:
        choices: the choices; numbers, texts, truth values or None, each once.

    Raises:
        SpaceError: if there is no choice, or one twice, or one of another type.

    >>> Categorical(("relu", "tanh")).from_unit(0.7)
    'tanh'
    """

    choices: tuple[Value, ...]

    def __post_init__(self) -> None:
        given: object = self.choices
        if isinstance(given, str):
            raise SpaceError(f"choices is the text {given!r}; give a list of choices.")
        object.__setattr__(self, "choices", tuple(self.choices))
        if not self.choices:
            raise SpaceError("a categorical parameter has no choices; give it at least one.")
        for choice in self.choices:
            if choice is not None and not isinstance(choice, bool | int | float | str):
                raise SpaceError(
                    f"the choice {choice!r} is a {type(choice).__name__}; use numbers, texts, "
                    "truth values or None."
                )
            if isinstance(choice, float) and not math.isfinite(choice):
                raise SpaceError(f"the choice {choice!r} is not finite; remove it.")
        repeated = [c for i, c in enumerate(self.choices) if c in self.choices[:i]]
        if repeated:
            raise SpaceError(f"the choice {repeated[0]!r} is given twice; remove one.")

    def from_unit(self, u: float) -> Value:
        """The choice at a place: each owns an equal share of [0, 1]."""
        return self.choices[_cell(u, len(self.choices))]

    def to_unit(self, value: Value) -> float:
        """The middle of the share of a choice: the inverse of `from_unit`.

        Raises:
            SpaceError: if the value is not among the choices.
        """
        if value not in self.choices:
            raise SpaceError(f"{value!r} is not among the choices {list(self.choices)}.")
        return (self.choices.index(value) + 0.5) / len(self.choices)

    def __contains__(self, value: object) -> bool:
        return value in self.choices


Parameter: TypeAlias = Float | Int | Categorical


@dataclass(frozen=True)
class Condition:
    """When a parameter exists: only where another one's choice is among some values.

    Args:
        parameter: the name of the categorical parameter that it depends on.
        values: the choices of that parameter for which it exists.
    """

    parameter: str
    values: tuple[Value, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", tuple(self.values))


@dataclass(frozen=True)
class Space:
    """Named parameters, some of which exist only under a condition.

    Args:
        parameters: each parameter by its name.
        conditions: for each parameter that does not always exist, when it does.

    Raises:
        SpaceError: if a condition names no categorical parameter of the space, or values which that
            one does not have, or if conditions lead in a circle.

    >>> space = Space(
    ...     {"solver": Categorical(("sgd", "adam")), "momentum": Float(0.5, 0.99)},
    ...     {"momentum": Condition("solver", ("sgd",))},
    ... )
    >>> space.from_unit([0.9, 0.5])
    {'solver': 'adam'}
    """

    parameters: Mapping[str, Parameter]
    conditions: Mapping[str, Condition] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "parameters", dict(self.parameters))
        object.__setattr__(self, "conditions", dict(self.conditions))
        for name, condition in self.conditions.items():
            self._check_condition(name, condition)
        self._order()

    def sample(self, rng: np.random.Generator) -> dict[str, Value]:
        """A configuration drawn at random; parameters that do not exist in it are absent."""
        return self.from_unit(rng.random(len(self.parameters)))

    def from_unit(
        self, point: Sequence[float] | np.ndarray[Any, np.dtype[np.float64]]
    ) -> dict[str, Value]:
        """The configuration at a point of the unit cube.

        Args:
            point: (d,) numbers in [0, 1], one for each parameter in the order of ``parameters``.

        Returns:
            The value of each parameter that exists there, in the order of ``parameters``.
        """
        values = {
            name: parameter.from_unit(float(u))
            for (name, parameter), u in zip(self.parameters.items(), point, strict=True)
        }
        exists = set(self.active(values))
        return {name: value for name, value in values.items() if name in exists}

    def active(self, configuration: Mapping[str, Value]) -> list[str]:
        """The parameters that exist in a configuration, each after the one it depends on."""
        exists: list[str] = []
        for name in self._order():
            condition = self.conditions.get(name)
            if condition is None or (
                condition.parameter in exists
                and configuration.get(condition.parameter) in condition.values
            ):
                exists.append(name)
        return exists

    def __contains__(self, configuration: object) -> bool:
        """Whether a configuration has exactly the parameters that exist in it, within range."""
        return (
            isinstance(configuration, Mapping)
            and set(configuration) == set(self.active(configuration))
            and all(value in self.parameters[name] for name, value in configuration.items())
        )

    def replace(self, changed: Mapping[str, Parameter]) -> Space:
        """The space with some parameters changed.

        Conditions lose the values that their parameter no longer has; a parameter that can no
        longer exist anywhere is left out.

        Args:
            changed: the new parameter for each name.
        """
        parameters = {**self.parameters, **changed}
        conditions: dict[str, Condition] = {}
        for name in self._order():
            condition = self.conditions.get(name)
            if condition is None:
                continue
            parent = parameters.get(condition.parameter)
            values = tuple(v for v in condition.values if parent is not None and v in parent)
            if values:
                conditions[name] = Condition(condition.parameter, values)
            else:
                del parameters[name]
        return Space(parameters, conditions)

    def to_dict(self) -> dict[str, Any]:
        """The space in terms of JSON: the inverse of `from_dict`."""
        return {
            "parameters": {name: _to_dict(p) for name, p in self.parameters.items()},
            "conditions": {
                name: {"parameter": c.parameter, "values": list(c.values)}
                for name, c in self.conditions.items()
            },
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Space:
        """The space that `to_dict` described.

        Raises:
            SpaceError: if the description is not of a space.
        """
        try:
            return cls(
                {name: _from_dict(p) for name, p in document["parameters"].items()},
                {
                    name: Condition(c["parameter"], tuple(c["values"]))
                    for name, c in document.get("conditions", {}).items()
                },
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise SpaceError(
                f"this is not the description of a search space ({error!r}); "
                "use what Space.to_dict returned."
            ) from error

    def _check_condition(self, name: str, condition: Condition) -> None:
        for given in (name, condition.parameter):
            if given not in self.parameters:
                raise UnknownNameError("parameter", given, self.parameters)
        parent = self.parameters[condition.parameter]
        if not isinstance(parent, Categorical):
            raise SpaceError(
                f"{name} depends on {condition.parameter}, which has no choices; "
                "let it depend on a categorical parameter."
            )
        missing = [value for value in condition.values if value not in parent]
        if missing or not condition.values:
            raise SpaceError(
                f"{name} exists only where {condition.parameter} is one of "
                f"{list(condition.values)}; name some of its choices {list(parent.choices)}."
            )

    def _order(self) -> list[str]:
        """All names, each after the one it depends on, else in the order given."""
        order: list[str] = []
        waiting = list(self.parameters)
        while waiting:
            ready = [
                name
                for name in waiting
                if name not in self.conditions or self.conditions[name].parameter in order
            ]
            if not ready:
                raise SpaceError(
                    f"the conditions of {', '.join(waiting)} lead in a circle; remove one of them."
                )
            order += ready
            waiting = [name for name in waiting if name not in ready]
        return order


def _to_dict(parameter: Parameter) -> dict[str, Any]:
    document = {"type": type(parameter).__name__.lower(), **asdict(parameter)}
    if "limits" in document:  # JSON has no infinity
        document["limits"] = [x if math.isfinite(x) else None for x in document["limits"]]
    else:
        document["choices"] = list(document["choices"])
    return document


def _from_dict(document: Mapping[str, Any]) -> Parameter:
    settings = {key: value for key, value in document.items() if key != "type"}
    if document["type"] == "categorical":
        return Categorical(**settings)
    low, high = settings.pop("limits", (None, None))
    limits = (-math.inf if low is None else low, math.inf if high is None else high)
    kinds: dict[str, type[Float | Int]] = {"float": Float, "int": Int}
    return kinds[document["type"]](**settings, limits=limits)


def _number(name: str, value: object, parameter: Float | Int) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        raise SpaceError(f"{name} is {value!r} in {_shown(parameter)}; give a number.")
    if not math.isfinite(value):
        raise SpaceError(f"{name} is {value} in {_shown(parameter)}; give a finite number.")
    return float(value)


def _integer(name: str, value: object, parameter: Int) -> int:
    number = _number(name, value, parameter)
    if number != int(number):
        raise SpaceError(f"{name} is {value} in {_shown(parameter)}; give a whole number.")
    return int(value) if isinstance(value, int | np.integer) else int(number)


def _limits(parameter: Float | Int) -> tuple[float, float]:
    low, high = parameter.limits
    if not low <= parameter.low or not parameter.high <= high:
        raise SpaceError(
            f"the range {parameter.low} to {parameter.high} passes its limits {low} to {high}; "
            "keep it within them."
        )
    return float(low), float(high)


def _check_range(parameter: Float | Int) -> None:
    if parameter.low > parameter.high:
        raise SpaceError(
            f"low ({parameter.low}) is above high ({parameter.high}); exchange the two."
        )
    if parameter.log and parameter.low <= 0:
        raise SpaceError(
            f"low is {parameter.low} on a logarithmic scale; give a positive low or log = false."
        )


def _check_step(parameter: Float | Int) -> None:
    assert parameter.step is not None
    if parameter.step <= 0:
        raise SpaceError(f"step is {parameter.step}; give a positive one.")
    if parameter.log and not (isinstance(parameter, Int) and parameter.step == 1):
        raise SpaceError(
            f"step = {parameter.step} and log = true exclude each other; remove one of them."
        )


def _shown(parameter: Float | Int) -> str:
    return f"{type(parameter).__name__}({parameter.low!r}, {parameter.high!r})"


def _member(parameter: Float | Int, value: Value) -> float:
    if value not in parameter or isinstance(value, str) or value is None:
        raise SpaceError(f"{value!r} is not a value of {parameter}.")
    return value


def _cell(u: float, cells: int) -> int:
    return min(max(int(u * cells), 0), cells - 1)


def _between(low: float, high: float, u: float) -> float:
    return low + u * (high - low)


def _place(low: float, high: float, x: float) -> float:
    return min(max((x - low) / (high - low), 0.0), 1.0) if high > low else 0.5
