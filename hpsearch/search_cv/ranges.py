"""From `param_distributions` to a search space, and from its configurations back to parameters.

A distribution of scipy.stats becomes the range that it is uniform on; any other is searched by its
quantiles, so that it stays the measure of what is likely. A list becomes choices, but for numbers,
whose order counts.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from hpsearch.errors import UsageError, shown
from hpsearch.search.base import Configuration
from hpsearch.space import Categorical, Condition, Float, Int, Parameter, Space, Value

__all__ = ["At", "Quantile", "Ranges", "read_ranges"]

Decode: TypeAlias = Callable[[Any], Any]
"""From a value of a parameter of the space to what the estimator gets."""

ORDERED = 3  # different numbers in a list, from which on their order can count
TAIL = 2.0**-30  # the quantile that stands for the end of a distribution that has none
WHICH = "which"  # of a list of dicts
LONGEST = 40  # characters of a choice's name


@dataclass(frozen=True)
class Ranges:
    """What is searched.

    Args:
        space: the ranges.
        names: the estimator's name of each parameter of the space; "" for the one that says which
            dict of a list it is.
        decode: what the estimator gets for a value of each parameter.
    """

    space: Space
    names: Mapping[str, str]
    decode: Mapping[str, Decode]

    def parameters(self, configuration: Configuration) -> dict[str, Any]:
        """What the estimator gets for a configuration of the space."""
        return {
            self.names[name]: self.decode[name](value)
            for name, value in configuration.items()
            if self.names[name]
        }

    def same(self, configuration: Configuration) -> tuple[tuple[str, str], ...]:
        """What two configurations have in common just if the estimator gets the same of them.

        Many quantiles of a distribution are one whole number, and dicts of a list may overlap. What
        is no plain value is told by its place in its own list.
        """
        told = []
        for name, value in configuration.items():
            given = self.decode[name](value)
            own = repr(_name(given)) if _is_plain(given) else f"{name}: {value!r}"
            if self.names[name]:
                told.append((self.names[name], own))
        return tuple(sorted(told))


def read_ranges(given: object) -> Ranges:
    """What `param_distributions` asks for.

    Args:
        given: a `Space`; or ranges by the names of parameters, each a `Float`, `Int` or
            `Categorical`, a frozen distribution of scipy.stats, or a list of values of any kind; or
            a list of such dicts, of which each configuration has one.

    Raises:
        UsageError: it is none of these.

    >>> from scipy.stats import loguniform, randint
    >>> ranges = read_ranges({"C": loguniform(1e-3, 1e3), "degree": randint(2, 5)})
    >>> ranges.space.parameters["degree"]
    Int(low=2, high=4, log=False, step=1, limits=(2.0, 4.0))
    >>> ranges.parameters(ranges.space.from_unit([0.5, 0.5]))
    {'C': 1.0, 'degree': 3}
    """
    if isinstance(given, Space):
        same = dict.fromkeys(given.parameters, _itself)
        return Ranges(given, {name: name for name in given.parameters}, same)
    if isinstance(given, Mapping):
        return _one(given)
    if isinstance(given, Sequence) and given and all(isinstance(one, Mapping) for one in given):
        return _either([_one(one) for one in given])
    raise UsageError(
        f"param_distributions is {shown(given)}; give a dict from the names of parameters to "
        "distributions, lists or ranges, a list of such dicts, or a Space."
    )


def _one(given: Mapping[str, object]) -> Ranges:
    found = {name: _parameter(name, values) for name, values in given.items()}
    return Ranges(
        Space({name: parameter for name, (parameter, _) in found.items()}),
        {name: name for name in found},
        {name: decode for name, (_, decode) in found.items()},
    )


def _either(dicts: Sequence[Ranges]) -> Ranges:
    """One of several spaces: a choice of one, and its parameters exist with it only."""
    parameters: dict[str, Parameter] = {WHICH: Categorical(tuple(range(len(dicts))))}
    conditions: dict[str, Condition] = {}
    names: dict[str, str] = {WHICH: ""}
    decode: dict[str, Decode] = {WHICH: _itself}
    for place, one in enumerate(dicts):
        for name, parameter in one.space.parameters.items():
            own = f"{place}.{name}"
            parameters[own], conditions[own] = parameter, Condition(WHICH, (place,))
            names[own], decode[own] = name, one.decode[name]
    return Ranges(Space(parameters, conditions), names, decode)


def _parameter(name: str, given: Any) -> tuple[Parameter, Decode]:
    """The range of a parameter, and what the estimator gets for a value in it."""
    if isinstance(given, Float | Int | Categorical):
        return given, _itself
    if hasattr(given, "ppf"):
        return _of_distribution(given)
    if isinstance(given, Iterable) and not isinstance(given, str | bytes | Mapping):
        # A set has another order in every process.
        if values := sorted(given, key=repr) if isinstance(given, Set) else list(given):
            return _of_values(values)
        raise UsageError(f"the list of {name} is empty; give it a value.", key=name)
    raise UsageError(
        f"{name} is {shown(given)}; give a list, a distribution with quantiles, as those of "
        "scipy.stats have in ppf, or a Float, Int or Categorical.",
        key=name,
    )


def _of_distribution(given: Any) -> tuple[Parameter, Decode]:
    law = getattr(given, "dist", given)  # which a frozen one has
    kind = getattr(law, "name", "")
    low, high = (float(end) for end in given.support())
    if math.isfinite(low) and math.isfinite(high) and low < high:
        if kind == "randint":
            return Int(int(low), int(high), limits=(low, high)), _itself
        if kind == "uniform":
            return Float(low, high, limits=(low, high)), _itself
        if kind in ("loguniform", "reciprocal") and _is_pure(given, low, high):
            return Float(low, high, log=True, limits=(low, high)), _itself
    return Float(0.0, 1.0, limits=(0.0, 1.0)), Quantile(given, hasattr(law, "pmf"))


def _is_pure(given: Any, low: float, high: float) -> bool:
    """Whether equal ratios are equally likely, as a `loc` would spoil."""
    return low > 0 and math.isclose(given.ppf(0.5), math.sqrt(low * high), rel_tol=1e-9)


@dataclass(frozen=True)
class Quantile:
    """The value of a distribution below which a share of it lies."""

    distribution: Any
    whole: bool

    def __call__(self, share: float) -> float:
        """The value at a share."""
        value = self.distribution.ppf(share)
        if not np.isfinite(value) or share in (0.0, 1.0):  # scipy's discrete ones begin one early
            value = self.distribution.ppf(min(max(share, TAIL), 1 - TAIL))
        return int(value) if self.whole else float(value)


@dataclass(frozen=True)
class At:
    """The value of a list that a place or a name stands for."""

    values: Mapping[Value, Any]

    def __call__(self, place: Value) -> Any:
        """The value of a place."""
        return self.values[place]


def _of_values(values: list[Any]) -> tuple[Parameter, Decode]:
    if all(isinstance(v, numbers.Real) and not isinstance(v, bool) for v in values):
        ordered = sorted({value for value in values if math.isfinite(value)})
        if len(ordered) >= ORDERED and all(math.isfinite(value) for value in values):
            last = len(ordered) - 1
            return Int(0, last, limits=(0, last)), At(dict(enumerate(ordered)))
    different: dict[object, Any] = {}
    for place, value in enumerate(values):
        different.setdefault(repr(_name(value)) if _is_plain(value) else place, value)
    values = [*different.values()]
    names = [_name(value) for value in values]
    if len({*names}) < len(values):
        names = [*range(len(values))]
    return Categorical(tuple(names)), At(dict(zip(names, values, strict=True)))


def _name(value: Any) -> Value:
    """What a choice is called: itself where it is plain, else a text that every process makes."""
    if isinstance(value, np.generic):
        value = value.item()
    if _is_plain(value):
        return value  # type: ignore[no-any-return]
    text = getattr(value, "__qualname__", None) or " ".join(repr(value).split())
    text = type(value).__name__ if " at 0x" in text else text
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def _is_plain(value: Any) -> bool:
    """Whether a value is nothing but what it shows."""
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, bool | int | str)


def _itself(value: Value) -> Value:
    return value
