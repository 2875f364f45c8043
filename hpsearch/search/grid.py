"""Grid search: fixed values at fixed steps, each combination once. The baseline."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from hpsearch.errors import SpaceError, UnknownNameError, UsageError
from hpsearch.search.base import Configuration, generator
from hpsearch.space import Categorical, Float, Parameter, Space, Value, own_value

__all__ = ["Points", "make_grid", "shuffled", "spread"]

_SHIFT = 2**32 - 1  # the key of the draw that moves a grid; no stage has this index
_ORDER = 2**32 - 2  # likewise, of the order of its points

Points: TypeAlias = Mapping[str, int | Sequence[Value]]


def make_grid(
    space: Space, points: Points | None, trials: int, *, shift: int | None = None
) -> tuple[Configuration, ...]:
    """The points of a grid over a space.

    A parameter that does not exist in a configuration adds no points to it, so conditions make no
    duplicates. Where the number of points is not given, every choice of a categorical parameter is
    taken, and the numeric ones share the trials as evenly as they can, the first named having more.

    Args:
        space: the space.
        points: for each parameter either how many points, or the values themselves; the parameters
            that it leaves out, or all of them without it, are balanced automatically.
        trials: how many points the grid may have.
        shift: a seed that moves the points of each numeric parameter by a part of their step, the
            same part for all of one parameter; None leaves them in the middle of their cells.

    Returns:
        The configurations; at most ``trials``, and fewer where no balanced grid has that many.

    Raises:
        UsageError: if the grid has more points than there are trials.
        UnknownNameError: if ``points`` names a parameter that the space does not have.
        SpaceError: if a given value is not one of its parameter's.

    >>> from hpsearch.space import Float, Int
    >>> len(make_grid(Space({"x": Float(0, 1), "depth": Int(1, 3)}), None, 20))
    18
    """
    given = dict(points or {})
    for name in given:
        if name not in space.parameters:
            raise UnknownNameError("parameter", name, space.parameters)
    offsets = dict.fromkeys(space.parameters, 0.5)  # the middle of a cell
    if shift is not None:
        drawn = generator(shift, _SHIFT).random(len(space.parameters))
        offsets = dict(zip(space.parameters, drawn.tolist(), strict=True))
    asked = {
        name: _asked(name, parameter, given.get(name))
        for name, parameter in space.parameters.items()
    }
    size = _size(space, asked)
    if size > trials:
        total = (
            f"{size:,}" if points is not None and len(given) == len(asked) else f"at least {size:,}"
        )
        raise UsageError(
            f"the grid has {total} points and there are {trials:,} trials for it; "
            "raise trials or give fewer points a parameter."
        )
    values = {
        # A parameter with more points than the grid may have exists nowhere in it.
        name: spread(space.parameters[name], min(len(kept), trials), offset=offsets[name])
        if isinstance(kept, range)
        else kept
        for name, kept in asked.items()
    }
    growing = [
        name
        for name, parameter in space.parameters.items()
        if name not in given and not isinstance(parameter, Categorical)
    ]
    while growing:
        name = min(growing, key=lambda n: len(values[n]))
        more = spread(space.parameters[name], len(values[name]) + 1, offset=offsets[name])
        if len(more) > len(values[name]) and _size(space, {**values, name: more}) <= trials:
            values[name] = more
        else:
            growing.remove(name)
    return tuple(space.configurations(values.__getitem__))


def shuffled(points: Sequence[Configuration], seed: int) -> list[Configuration]:
    """The points of a grid in an order drawn from the seed.

    What a grid has found by some time, or before it was interrupted, then says nothing of how its
    parameters happen to be sorted.
    """
    order = generator(seed, _ORDER).permutation(len(points)).tolist()
    return [points[i] for i in order]


def spread(parameter: Parameter, count: int, *, offset: float = 0.5) -> list[Value]:
    """Values that divide a range evenly on its scale, each at the same place of an equal cell.

    Args:
        parameter: the parameter.
        count: how many values; a parameter that has fewer gives all that it has.
        offset: that place, from 0 to 1; its middle by default.

    >>> from hpsearch.space import Float
    >>> [round(x, 4) for x in spread(Float(1e-4, 1.0, log=True), 2)]
    [0.001, 0.1]
    """
    if isinstance(parameter, Categorical):
        return list(parameter.choices[:count])
    if isinstance(parameter, Float):
        return list(dict.fromkeys(parameter.from_unit((i + offset) / count) for i in range(count)))
    count = min(count, len(parameter))
    # On a logarithmic scale small whole numbers stand closer than the cells: move up, then down.
    step, last = parameter.step, parameter.low
    distinct: list[Value] = []
    for i in range(count):
        room = parameter.high - step * (count - 1 - i)
        last = min(max(parameter.from_unit((i + offset) / count), last), room)
        distinct.append(last)
        last += step
    return distinct


def _asked(
    name: str, parameter: Parameter, points: int | Sequence[Value] | None
) -> Sequence[Value]:
    """The values of a parameter, or a range that is as long as those will be that a count asks for.

    A grid that is too large is so refused before its values are made.
    """
    if points is None and not isinstance(parameter, Categorical):
        return range(1)
    if points is None or (isinstance(points, int) and not isinstance(points, bool)):
        there_are = parameter.count
        count = there_are if points is None else min(points, there_are)
        if count < 1:
            raise UsageError(f"{name} has {points} grid points; give it at least one.")
        if isinstance(parameter, Categorical):
            return list(parameter.choices[: int(count)])
        return range(int(min(count, sys.maxsize)))
    if isinstance(points, bool | str) or not points:
        raise UsageError(f"the grid points of {name} are {points!r}; give a number or a list.")
    try:
        return list(dict.fromkeys(own_value(parameter, value) for value in points))
    except SpaceError as error:
        raise SpaceError(f"the grid points of {name}: {error}") from None


def _size(space: Space, values: Mapping[str, Sequence[Value]]) -> int:
    """How many points a grid has, without making them."""
    counts = {name: len(own) for name, own in values.items()}
    return int(space.combinations(counts, {name: values[name] for name in space.parents}))
