"""One parameter of a search: its values, and the scale on which they lie.

Every parameter maps the unit interval to its values, so that anything which draws from [0, 1] (a
generator, a Sobol sequence, a grid) draws from any parameter: on the logarithmic scale where
effects multiply, in equal cells where values are discrete.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TypeAlias

import numpy as np

from hpsearch.errors import SpaceError, shown

__all__ = ["Categorical", "Float", "Int", "Parameter", "Value", "own_value"]

Value: TypeAlias = bool | int | float | str | None

_UNLIMITED = (-math.inf, math.inf)


class _Scaled:
    """Numbers on a linear or a logarithmic scale."""

    log: bool

    def scaled(self, value: float) -> float:
        """A value on the scale on which distances count: its logarithm, or itself."""
        return math.log(value) if self.log else float(value)

    def unscaled(self, x: float) -> float:
        """The number at a point of the scale: the inverse of `scaled`."""
        return math.exp(x) if self.log else x


@dataclass(frozen=True)
class Float(_Scaled):
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
            object.__setattr__(self, name, _number(name, getattr(self, name)))
        _check_range(self)
        if self.step is not None:
            object.__setattr__(self, "step", _number("step", self.step))
            if self.log:
                raise SpaceError("step and log = true exclude each other; remove one of them.")
            _check_step(self.step)
            if not math.isfinite((self.high - self.low) / self.step):
                raise SpaceError(f"step is {self.step}, too small for the range; leave it out.")
            last = self._cells(self.step) - 1
            if self._at(last) > self.limits[1]:  # by what the floats' last digit makes of it
                last -= 1
            object.__setattr__(self, "high", self._at(last))
        object.__setattr__(self, "limits", _limits(self))

    def from_unit(self, u: float) -> float:
        """The value at a place of the range.

        Args:
            u: the place, from 0 (low) to 1 (high), on the parameter's scale; with a step, each
                value owns an equal share of [0, 1].
        """
        if self.step is not None:
            return self._at(_cell(u, self._cells(self.step)))
        low, high = self.bounds()
        return min(max(self.unscaled(low + u * (high - low)), self.low), self.high)

    def to_unit(self, value: Value) -> float:
        """The place of a value in the range: the inverse of `from_unit`.

        Raises:
            SpaceError: if the parameter does not contain the value.
        """
        number = _member(self, value)
        if self.step is not None:
            return (round((number - self.low) / self.step) + 0.5) / self._cells(self.step)
        return _place(*self.bounds(), self.scaled(number))

    def __contains__(self, value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        if not self.low <= value <= self.high:
            return False
        if self.step is None:
            return True
        # As near to a step as Optuna wants it, or as numbers of this size can be told apart.
        apart = 8 * math.ulp(max(abs(self.low), abs(self.high)))
        return abs(value - self.nearest(value)) <= max(1e-8 * self.step, apart)

    def nearest(self, number: float) -> float:
        """The value nearest to a number; past the bounds too, where the steps would go on."""
        return number if self.step is None else self._at(round((number - self.low) / self.step))

    @property
    def count(self) -> float:
        """How many values there are; infinite for a continuum."""
        if self.low == self.high:
            return 1
        return math.inf if self.step is None else self._cells(self.step)

    def values(self) -> Iterable[float]:
        """All of them in order, where they can be counted."""
        return (self.from_unit((i + 0.5) / self.count) for i in range(int(self.count)))

    def reaching(self, *numbers: float) -> Float:
        """The parameter with a range that reaches some numbers, if there are any."""
        low, high = min((self.low, *numbers)), max((self.high, *numbers))
        return replace(self, low=low, high=high)

    def bounds(self) -> tuple[float, float]:
        """The two ends of the range on the scale."""
        return self.scaled(self.low), self.scaled(self.high)

    def _cells(self, step: float) -> int:
        return math.floor((self.high - self.low) / step + 1e-8) + 1

    def _at(self, index: int) -> float:
        # In decimals, so that 0.1 plus twice 0.1 is 0.3 for the reader and for Optuna alike.
        return float(Decimal(str(self.low)) + index * Decimal(str(self.step)))


@dataclass(frozen=True)
class Int(_Scaled):
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
            object.__setattr__(self, name, _integer(name, getattr(self, name)))
        _check_range(self)
        if self.log and self.step != 1:
            raise SpaceError("step and log = true exclude each other; remove one of them.")
        _check_step(self.step)
        object.__setattr__(self, "high", self.high - (self.high - self.low) % self.step)
        object.__setattr__(self, "limits", _limits(self))

    def from_unit(self, u: float) -> int:
        """The value at a place of the range.

        Args:
            u: the place, from 0 to 1; each value owns an equal share of [0, 1], or with ``log`` the
                logarithmic share of the interval that rounds to it.
        """
        if self.log:
            low, high = self.bounds()
            return min(max(round(self.unscaled(low + u * (high - low))), self.low), self.high)
        return self.low + self.step * _cell(u, self.count)

    def to_unit(self, value: Value) -> float:
        """The place of a value in the range: the inverse of `from_unit`.

        Raises:
            SpaceError: if the parameter does not contain the value.
        """
        number = _member(self, value)
        if self.log:
            return _place(*self.bounds(), self.scaled(number))
        return ((number - self.low) / self.step + 0.5) / self.count

    def __contains__(self, value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return self.low <= value <= self.high and (value - self.low) % self.step == 0

    def __len__(self) -> int:
        """How many values there are."""
        return self.count

    @property
    def count(self) -> int:
        """How many values there are; unlike ``len`` also where they are very many."""
        return (self.high - self.low) // self.step + 1

    def values(self) -> Iterable[int]:
        """All of them in order."""
        return range(self.low, self.high + 1, self.step)

    def nearest(self, number: float) -> int:
        """The value nearest to a number; past the bounds too, where the steps would go on."""
        return self.low + self.step * round((number - self.low) / self.step)

    def reaching(self, *numbers: float) -> Int:
        """The parameter with a range that reaches some whole numbers, if there are any."""
        whole = [int(number) for number in numbers]
        return replace(self, low=min((self.low, *whole)), high=max((self.high, *whole)))

    def bounds(self) -> tuple[float, float]:
        """The two ends of the range on the scale, half a step outside the first and the last."""
        half = self.step / 2
        return self.scaled(self.low - half), self.scaled(self.high + half)


@dataclass(frozen=True)
class Categorical:
    """One of several choices without an order.

    Args:
        choices: the choices; numbers, texts, truth values or None, each once; NumPy's become
            Python's.

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
        plain = (c.item() if isinstance(c, np.generic) else c for c in self.choices)
        object.__setattr__(self, "choices", tuple(plain))
        _check_choices(self.choices)

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

    @property
    def count(self) -> int:
        """How many choices there are."""
        return len(self.choices)

    def values(self) -> Iterable[Value]:
        """All of them."""
        return self.choices


Parameter: TypeAlias = Float | Int | Categorical


def own_value(parameter: Parameter, given: object) -> Value:
    """The parameter's own value that somebody's number or choice stands for, in its own type.

    Args:
        parameter: the parameter.
        given: for one of its values; a whole number may be written as a float or be NumPy's.

    Raises:
        SpaceError: it is none of the parameter's values; true and 1 are not the same.

    >>> own_value(Int(1, 3), 2.0), own_value(Float(0, 1), 1), own_value(Categorical((16, 32)), 16.0)
    (2, 1.0, 16)
    """
    value = given.item() if isinstance(given, np.generic) else given
    if isinstance(parameter, Categorical):
        for choice in parameter.choices:
            if choice == value and isinstance(choice, bool) == isinstance(value, bool):
                return choice
    elif value in parameter and isinstance(value, int | float):
        return int(value) if isinstance(parameter, Int) else float(value)
    raise SpaceError(f"{given!r} is not {_described(parameter)}.")


def _described(parameter: Parameter) -> str:
    """What a parameter's values are, in words."""
    if isinstance(parameter, Categorical):
        return f"one of {', '.join(map(repr, parameter.choices))}"
    kind = "a whole number" if isinstance(parameter, Int) else "a number"
    wide = parameter.step is not None and (parameter.step != 1 or isinstance(parameter, Float))
    steps = f" in steps of {parameter.step:g}" if wide else ""
    return f"{kind} from {parameter.low:g} to {parameter.high:g}{steps}"


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        raise SpaceError(f"{name} is {value!r}; give a number.")
    try:
        finite = math.isfinite(value)
    except OverflowError:  # a whole number beyond every float
        finite = False
    if not finite:
        raise SpaceError(f"{name} is {shown(value)}; give a finite number.")
    return float(value)


def _integer(name: str, value: object) -> int:
    number = _number(name, value)
    if number != int(number):
        raise SpaceError(f"{name} is {value}; give a whole number.")
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
    low, high = parameter.low, parameter.high
    if low > high:
        raise SpaceError(f"low ({low}) is above high ({high}); exchange the two.")
    if parameter.log and low <= 0:
        raise SpaceError(
            f"low is {low} on a logarithmic scale; give a positive one or log = false."
        )


def _check_step(step: float) -> None:
    if step <= 0:
        raise SpaceError(f"step is {step}; give a positive one.")


def _check_choices(choices: Sequence[object]) -> None:
    if not choices:
        raise SpaceError("a categorical parameter has no choices; give it at least one.")
    for i, choice in enumerate(choices):
        if choice is not None and not isinstance(choice, bool | int | float | str):
            kind = type(choice).__name__
            raise SpaceError(
                f"the choice {choice!r} is a {kind}; use numbers, texts, truth values or None."
            )
        if isinstance(choice, float) and not math.isfinite(choice):
            raise SpaceError(f"the choice {choice!r} is not finite; remove it.")
        if choice in choices[:i]:
            raise SpaceError(f"the choice {choice!r} is given twice; remove one.")


def _member(parameter: Float | Int, value: Value) -> float:
    if isinstance(value, str) or value is None or value not in parameter:
        raise SpaceError(f"{value!r} is not {_described(parameter)}.")
    return value


def _cell(u: float, cells: int) -> int:
    return min(max(int(u * cells), 0), cells - 1)


def _place(low: float, high: float, x: float) -> float:
    return min(max((x - low) / (high - low), 0.0), 1.0) if high > low else 0.5
