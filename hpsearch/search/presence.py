"""Which parameters exist together, read off what was tried: an objective does not tell.

A parameter that only some of the configurations have exists by the value of another one: by some of
its choices, or on one side of a number (the third layer's width, from three layers on). Of those
that agree with all configurations the one is taken that agrees least by chance: the one that has
the fewest ways of telling them apart, out of all ways in which they could have fallen.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

from hpsearch.search.base import Configuration
from hpsearch.space import Categorical, Parameter, Value

__all__ = ["Presence", "existing", "presence"]


class Presence(NamedTuple):
    """When a parameter exists.

    Args:
        parameter: the one whose value decides.
        holds: whether it exists by that value.
    """

    parameter: str
    holds: Callable[[Value], bool]


def presence(
    parameters: Mapping[str, Parameter], configurations: Sequence[Configuration]
) -> dict[str, Presence]:
    """When the parameters exist that only some configurations have.

    Args:
        parameters: of the search, by name.
        configurations: what was tried.

    Returns:
        By name, each after the one that decides on it. What no single parameter decides on is left
        out, as is what all of them have.

    >>> from hpsearch.space import Float, Int
    >>> parameters = {"depth": Int(1, 3), "second": Float(0.0, 1.0)}
    >>> tried = [{"depth": 1}, {"depth": 2, "second": 0.3}, {"depth": 3, "second": 0.1}]
    >>> found = presence(parameters, tried)["second"]
    >>> found.parameter, found.holds(1), found.holds(3)
    ('depth', False, True)
    """
    owners = {name: [name in c for c in configurations] for name in parameters}
    found = {}
    for name in sorted(parameters, key=lambda name: -sum(owners[name])):
        if all(owners[name]):
            continue
        deciders = []
        for other, parameter in parameters.items():
            # What decides exists wherever this one does, and elsewhere too: so it comes first.
            if any(mine and not its for mine, its in zip(owners[name], owners[other], strict=True)):
                continue
            values = [(c[other], name in c) for c in configurations if other in c]
            if holds := _test(parameter, values):
                deciders.append((_chance(parameter, values), other, holds))
        if deciders:
            _, other, holds = min(deciders, key=lambda decider: decider[:2])
            found[name] = Presence(other, holds)
    return found


def existing(configuration: Configuration, rules: Mapping[str, Presence]) -> dict[str, Value]:
    """What of a configuration exists by such rules.

    >>> rule = Presence("depth", lambda depth: depth > 1)
    >>> existing({"depth": 1, "second": 0.3}, {"second": rule})
    {'depth': 1}
    """
    found = dict(configuration)
    for name, (decider, holds) in rules.items():
        if decider not in found or not holds(found[decider]):
            found.pop(name, None)
    return found


def _test(
    parameter: Parameter, values: Sequence[tuple[Value, bool]]
) -> Callable[[Value], bool] | None:
    """What tells the values with which another parameter existed from those without it, if any."""
    having = {value for value, exists in values if exists}
    lacking = {value for value, exists in values if not exists}
    if not having or not lacking or having & lacking:
        return None
    if isinstance(parameter, Categorical):
        return having.__contains__
    high = [v for v in having if isinstance(v, int | float)]
    low = [v for v in lacking if isinstance(v, int | float)]
    if max(low) < min(high):
        above = (max(low) + min(high)) / 2
        return lambda value: isinstance(value, int | float) and value > above
    if max(high) < min(low):
        below = (max(high) + min(low)) / 2
        return lambda value: isinstance(value, int | float) and value < below
    return None


def _chance(parameter: Parameter, values: Sequence[tuple[Value, bool]]) -> Fraction:
    """How many ways of telling values apart there are, out of all ways in which they may fall."""
    different = len({value for value, _ in values})
    ways = 2**different - 2 if isinstance(parameter, Categorical) else 2 * (different - 1)
    return Fraction(ways, math.comb(len(values), sum(exists for _, exists in values)))
