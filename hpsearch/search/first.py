"""Known-good configurations, which a search tries before it draws anything.

They are the first slots of the first stage, and count in the total. One may be a part of a
configuration: the rest is what its slot would have drawn. It may lie outside of the ranges, which
are then widened for it, though never past a parameter's hard limits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from hpsearch.errors import SpaceError, UnknownNameError, shown
from hpsearch.search.base import Configuration, Key, Move, configuration_key, generator
from hpsearch.space import Categorical, Float, Int, Parameter, Space, Value, own_value

__all__ = ["First", "completed", "first_in", "whole"]

_FIRST = 3  # keeps the key of a rest that is drawn anew apart from that of any other draw
TRIES = 100
"""Draws of the rest of a configuration, until it is one that was not there."""


class First(NamedTuple):
    """Known-good configurations in a space.

    Args:
        space: with ranges that hold them.
        configurations: those given, whole or in part, in the types of their parameters.
        changes: the ranges that were widened, and for which of them.
    """

    space: Space
    configurations: tuple[Configuration, ...]
    changes: tuple[Move, ...]


def first_in(space: Space, given: Sequence[Mapping[str, object]]) -> First:
    """Known-good configurations, and the space widened for them.

    Args:
        space: what is searched.
        given: parameters' values by name, in the order in which they are to be tried.

    Raises:
        UnknownNameError: one names a parameter that is not searched.
        SpaceError: a value is none of its parameter's, or lies past its limits; or a parameter does
            not exist beside the other values; or two are the same. Its ``key`` says where:
            ``first.2.width`` is the width of the second.

    >>> found = first_in(Space({"width": Int(16, 256, log=True)}), [{"width": 512}])
    >>> found.space.parameters["width"].high, found.changes[0].reason
    (512, 'the first configuration 1 has width = 512, so that the range is widened.')
    """
    parameters = dict(space.parameters)
    reasons: dict[str, str] = {}
    configurations: list[dict[str, Value]] = []
    for number, asked in enumerate(given, start=1):
        own: dict[str, Value] = {}
        for name, value in asked.items():
            key = f"first.{number}.{name}"
            if name not in parameters:
                unknown = UnknownNameError("parameter", name, parameters)
                raise SpaceError(f"first configuration {number}: {unknown}", key=key)
            try:
                after, own[name] = _holding(parameters[name], value)
            except SpaceError as error:
                sentence = f"first configuration {number}: {name}: {error}"
                raise SpaceError(sentence, key=key) from None
            if after != parameters[name]:
                parameters[name] = after
                reasons[name] = (
                    f"the first configuration {number} has {name} = {own[name]}, so that the "
                    "range is widened."
                )
        if own in configurations:
            same = configurations.index(own) + 1
            raise SpaceError(
                f"first configurations {same} and {number} are the same; remove one of them.",
                key=f"first.{number}",
            )
        configurations.append(own)
    for number, own in enumerate(configurations, start=1):
        _check_exists(space, number, own)
    changes = [
        Move(name, space.parameters[name], parameters[name], reason)
        for name, reason in reasons.items()
    ]
    return First(Space(parameters, space.conditions), tuple(configurations), tuple(changes))


def completed(space: Space, given: Configuration, point: Sequence[float]) -> Configuration:
    """A configuration of which a part is given, the rest being that at a point of the unit cube.

    Args:
        space: of the configuration.
        given: a part of it; what it depends on gets a choice with which it exists.
        point: (d,) numbers in [0, 1], one for each parameter of the space.

    >>> from hpsearch.space import Condition
    >>> space = Space(
    ...     {"solver": Categorical(("sgd", "adam")), "momentum": Float(0.5, 0.99)},
    ...     {"momentum": Condition("solver", ("sgd",))},
    ... )
    >>> completed(space, {"momentum": 0.9}, [0.9, 0.1])
    {'solver': 'sgd', 'momentum': 0.9}
    """
    units = dict(zip(space.parameters, point, strict=True))
    values = {name: p.from_unit(units[name]) for name, p in space.parameters.items()} | dict(given)
    for parent, choices in space.needs(*given).items():
        if values[parent] not in choices:
            values[parent] = Categorical(choices).from_unit(units[parent])
    exists = set(space.active(values))
    return {name: value for name, value in values.items() if name in exists}


def whole(
    space: Space,
    first: Sequence[Configuration],
    point: Callable[[int], Sequence[float]],
    seed: int,
) -> list[Configuration]:
    """Known-good configurations, each whole, and no two the same.

    One that is given in part becomes none of those that are given whole. Where all that it can be
    is among the others, it is left out.

    Args:
        space: that holds them.
        first: whole or in part.
        point: where in the unit cube a slot of the first stage would have been drawn.
        seed: the study's seed.
    """
    found: list[Configuration] = []
    seen: set[Key] = {configuration_key(given) for given in first if given in space}
    for index, given in enumerate(first):
        if given in space:
            found.append(given)
            continue
        for again in range(TRIES):
            rest = point(index)
            if again:
                draw = generator(seed, 0, index, again, _FIRST)
                rest = draw.random(len(space.parameters)).tolist()
            configuration = completed(space, given, rest)
            if configuration_key(configuration) not in seen:
                seen.add(configuration_key(configuration))
                found.append(configuration)
                break
    return found


def _holding(parameter: Parameter, given: object) -> tuple[Parameter, Value]:
    """A parameter with a range that holds a value, and the value in its type."""
    if isinstance(parameter, Categorical):
        return parameter, own_value(parameter, given)
    value = given.item() if isinstance(given, np.generic) else given
    whole_number = isinstance(parameter, Int)
    kind = "a whole number" if whole_number else "a number"
    if isinstance(value, bool) or not isinstance(value, int | float) or not _finite(value):
        raise SpaceError(f"{shown(given)} is not {kind}.")
    if whole_number and value != int(value):
        raise SpaceError(f"{shown(given)} is not {kind}.")
    value = int(value) if whole_number else float(value)
    if value in parameter:
        return parameter, value
    low, high = parameter.limits
    if not low <= value <= high:
        raise SpaceError(f"{value} passes its limits, {low:g} to {high:g}.")
    if parameter.log and value <= 0:
        raise SpaceError(f"{value} has no place on a logarithmic scale; give a positive one.")
    return _widened(parameter, value), value


def _finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond every float
        return False


def _widened(parameter: Float | Int, value: float) -> Float | Int:
    after = parameter.reaching(value)  # which refuses more steps than can be told apart
    if isinstance(parameter, Int):
        on_a_step = (int(value) - parameter.low) % parameter.step == 0
    else:
        step = parameter.step
        on_a_step = step is None or abs(parameter.nearest(value) - value) <= 1e-8 * step
    if not on_a_step:
        near = parameter.nearest(value)
        raise SpaceError(f"{value} is none of its steps; the nearest is {near}.")
    return after


def _check_exists(space: Space, number: int, own: Configuration) -> None:
    """Refuse a parameter that cannot exist beside the other values of a configuration."""
    for name in own:
        for parent, choices in space.needs(name).items():
            if parent in own and own[parent] not in choices:
                raise SpaceError(
                    f"first configuration {number}: {name} does not exist where {parent} is "
                    f"{own[parent]}; it needs one of {', '.join(map(str, choices))}.",
                    key=f"first.{number}.{name}",
                )
    for parent, choices in space.needs(*own).items():
        if not choices:
            raise SpaceError(
                f"first configuration {number}: {', '.join(own)} never exist together, since they "
                f"need different values of {parent}; remove one of them.",
                key=f"first.{number}",
            )
