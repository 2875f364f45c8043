"""Which parameters exist together, read off what was tried: an objective does not tell.

A parameter that only some of the configurations have exists by the value of another one: by some of
its choices, or on one side of a number (the third layer's width, from three layers on). Of those
that agree with all configurations the one is taken that agrees least by chance: the one that has
the fewest ways of telling them apart, out of all ways in which they could have fallen. Where no
single one decides, two or three may together, each of which must hold.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from itertools import combinations
from typing import NamedTuple

from hpsearch.search.base import Configuration
from hpsearch.space import Categorical, Parameter, Value

__all__ = ["Presence", "existing", "presence"]

TOGETHER = 3  # as many parameters at most decide together on another
CHANCE = 0.05  # several decide only if chance would have them agree no more often


class Presence(NamedTuple):
    """What a parameter needs to exist.

    Args:
        parameter: the one whose value decides.
        holds: whether it may exist by that value.
    """

    parameter: str
    holds: Callable[[Value], bool]


def presence(
    parameters: Mapping[str, Parameter], configurations: Sequence[Configuration]
) -> dict[str, tuple[Presence, ...]]:
    """When the parameters exist that only some configurations have.

    Args:
        parameters: of the search, by name.
        configurations: what was tried.

    Returns:
        By name what must hold, each after those that decide on it. What nothing decides on is left
        out, as is what all of them have.

    >>> from hpsearch.space import Float, Int
    >>> parameters = {"depth": Int(1, 3), "second": Float(0.0, 1.0)}
    >>> tried = [{"depth": 1}, {"depth": 2, "second": 0.3}, {"depth": 3, "second": 0.1}]
    >>> [found] = presence(parameters, tried)["second"]
    >>> found.parameter, found.holds(1), found.holds(3)
    ('depth', False, True)
    """
    owners = {name: [name in c for c in configurations] for name in parameters}
    found: dict[str, tuple[Presence, ...]] = {}
    for name in sorted(parameters, key=lambda name: -sum(owners[name])):
        if all(owners[name]):
            continue
        # What decides exists wherever this one does, and elsewhere too: so it comes first.
        others = [
            other
            for other in parameters
            if other != name
            and all(its for mine, its in zip(owners[name], owners[other], strict=True) if mine)
        ]
        deciders = []
        for other in others:
            values = [(c[other], name in c) for c in configurations if other in c]
            if holds := _test(parameters[other], values):
                deciders.append((_chance(parameters[other], values), other, holds))
        if deciders:
            _, other, holds = min(deciders, key=lambda decider: decider[:2])
            found[name] = (Presence(other, holds),)
        elif any(owners[name]) and (several := _several(name, others, parameters, configurations)):
            found[name] = several
    return found


def existing(
    configuration: Configuration, rules: Mapping[str, Sequence[Presence]]
) -> dict[str, Value]:
    """What of a configuration exists by such rules.

    >>> rule = Presence("depth", lambda depth: depth > 1)
    >>> existing({"depth": 1, "second": 0.3}, {"second": [rule]})
    {'depth': 1}
    """
    found = dict(configuration)
    for name, needed in rules.items():
        if not all(one.parameter in found and one.holds(found[one.parameter]) for one in needed):
            found.pop(name, None)
    return found


def _several(
    name: str,
    others: Sequence[str],
    parameters: Mapping[str, Parameter],
    configurations: Sequence[Configuration],
) -> tuple[Presence, ...]:
    """The fewest that decide on a parameter together; none if no few do."""
    having = [c for c in configurations if name in c]
    lacking = [c for c in configurations if name not in c]
    tests = [
        (
            frozenset(i for i, c in enumerate(lacking) if other not in c or not holds(c[other])),
            _ways(parameters[other], len({c[other] for c in configurations if other in c})),
            Presence(other, holds),
        )
        for other in others
        for holds in _necessary(parameters[other], other, having, lacking)
    ]
    tests = [test for test in tests if test[0]]
    for many in range(2, TOGETHER + 1):
        chances = [
            (math.prod(ways for _, ways, _ in together), tuple(p for *_, p in together))
            for together in combinations(tests, many)
            if len(frozenset().union(*(excluded for excluded, *_ in together))) == len(lacking)
            and len({p.parameter for *_, p in together}) == many
        ]
        if chances:
            ways, best = min(chances, key=lambda one: one[0])
            by_chance = Fraction(ways, math.comb(len(configurations), len(having)))
            return best if by_chance <= CHANCE else ()
    return ()


def _necessary(
    parameter: Parameter,
    name: str,
    having: Sequence[Configuration],
    lacking: Sequence[Configuration],
) -> list[Callable[[Value], bool]]:
    """What holds of a parameter's values wherever another one exists."""
    if isinstance(parameter, Categorical):
        return [{c[name] for c in having}.__contains__]
    with_it = [v for c in having if isinstance(v := c[name], int | float)]
    without = [v for c in lacking if isinstance(v := c.get(name), int | float)]
    low, high = min(with_it), max(with_it)
    below, above = [v for v in without if v < low], [v for v in without if v > high]
    found: list[Callable[[Value], bool]] = []
    if below:
        found.append(_beyond((max(below) + low) / 2, above=True))
    if above:
        found.append(_beyond((min(above) + high) / 2, above=False))
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
        return _beyond((max(low) + min(high)) / 2, above=True)
    if max(high) < min(low):
        return _beyond((max(high) + min(low)) / 2, above=False)
    return None


def _beyond(bound: float, *, above: bool) -> Callable[[Value], bool]:
    return lambda value: isinstance(value, int | float) and (value > bound) == above


def _chance(parameter: Parameter, values: Sequence[tuple[Value, bool]]) -> Fraction:
    """How many ways of telling values apart there are, out of all ways in which they may fall."""
    ways = _ways(parameter, len({value for value, _ in values}))
    return Fraction(ways, math.comb(len(values), sum(exists for _, exists in values)))


def _ways(parameter: Parameter, different: int) -> int:
    """How many ways there are of telling so many different values apart."""
    return 2**different - 2 if isinstance(parameter, Categorical) else 2 * (different - 1)
