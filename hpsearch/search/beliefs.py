"""What a model believes of a search, as plain numbers: for reports, and for advice.

The model is that of a guided search (`learn`), taught by all results that there are; it needs
nothing but results, however they were chosen. What it believes is told in three ways:

- the effect of a parameter: the score along it with all the others as in one configuration, the
  best, with a band; and on average over all the others (partial dependence: Friedman, Greedy
  Function Approximation, 2001), for which a Sobol sequence of the space stands;
- the pair of parameters that matters most together: that with the largest interaction, the part of
  a joint effect that the two single ones do not add up to (functional analysis of variance: Hutter,
  Hoos & Leyton-Brown, An Efficient Approach for Assessing Hyperparameter Importance, 2014);
- what each score would have been expected to be, had it not been seen.

The model knows scores as `targets`; `Ladder` leads back to scores, through the scores that were
found. It is monotone, so that the middle and the ends of a band stay what they are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import TypeAlias

import numpy as np

from hpsearch.search.base import Configuration, Result, in_order
from hpsearch.search.effects import evenly, ranks
from hpsearch.search.gaussian_process import Array
from hpsearch.search.quasi_random import unit_points
from hpsearch.search.surrogate import Surrogate, learn, targets
from hpsearch.space import Categorical, Parameter, Space, Value

__all__ = [
    "FEWEST",
    "Beliefs",
    "Effect",
    "Expected",
    "Joint",
    "Ladder",
    "believe",
    "effects",
    "expected",
    "strongest_pair",
]

FEWEST = 10
"""Results below which a model of them is not worth showing."""

MOST = 300
"""Results that the model learns from at most, evenly by rank: a fit costs their number cubed."""

OTHERS = 64  # points of the other parameters over which an effect is averaged
STEPS = 25  # values of a number at which its effect is computed
MESH = 17  # values of each number of the pair that is shown
COARSE_OTHERS, COARSE_STEPS = 16, 5  # the same for every pair that might be


Draw: TypeAlias = Mapping[str, Value]
"""A value for every parameter of a space, whether it exists or not."""


@dataclass(frozen=True)
class Ladder:
    """The targets of results, and the scores that have them.

    Args:
        targets: rising, (k,).
        scores: that of each, (k,), rising too.
    """

    targets: Array
    scores: Array

    def down(self, expected: Array) -> Array:
        """The scores that have some targets; beyond both ends, the worst and the best."""
        return np.interp(expected, self.targets, self.scores)


@dataclass(frozen=True)
class Beliefs:
    """A model of a search's results.

    Args:
        results: those that it has learned from, in the order of their slots.
        model: the model; its space is that of the first stage, with ranges as wide as any result.
        ladder: from its targets to scores.
        whole: the variance of what it expects over the space.
    """

    results: tuple[Result, ...]
    model: Surrogate
    ladder: Ladder
    whole: float

    @property
    def noise_share(self) -> float:
        """The share of noise in the variance of the results' targets."""
        return self.model.process.noise_share


@dataclass(frozen=True)
class Effect:
    """What is believed along one parameter.

    Args:
        parameter: its name.
        values: some of its values, in order, (k,).
        mean: the target that is expected there, the others as in the best, (k,).
        deviation: the standard deviation of that, noise aside, (k,).
        average: the target that is expected there on average over the others, (k,).
        share: of this average in the variance of what the model expects over the space.
    """

    parameter: str
    values: tuple[Value, ...]
    mean: Array
    deviation: Array
    average: Array
    share: float


@dataclass(frozen=True)
class Joint:
    """What is believed over two parameters, on average over all the others.

    Args:
        parameters: their names.
        values: some values of each, in order.
        mean: the target that is expected, (values of the first, values of the second).
        share: of the interaction alone in the variance of what the model expects over the space.
    """

    parameters: tuple[str, str]
    values: tuple[tuple[Value, ...], tuple[Value, ...]]
    mean: Array
    share: float


@dataclass(frozen=True)
class Expected:
    """What was to be expected of each result, had all the others been seen and not it.

    Args:
        mean: its target, (n,).
        deviation: the standard deviation of that, noise included, (n,).
    """

    mean: Array
    deviation: Array


def believe(space: Space, results: Sequence[Result]) -> Beliefs | None:
    """Teach a model what a search has found.

    Args:
        space: of the first stage.
        results: of any stages, in any order; those outside of the space's choices and conditions
            are left out.

    Returns:
        The model; None where there are too few results, all of them are equally good, none is
        complete, or the numbers do not allow for a model.
    """
    belonging = [r for r in in_order(results) if _belongs(space, r.slot.configuration)]
    known = evenly(belonging, MOST)
    complete = any(result.complete for result in known)
    if len(known) < FEWEST or not complete or np.ptp(ranks(known)) == 0.0 or not space.parameters:
        return None
    from threadpoolctl import threadpool_limits

    try:
        with threadpool_limits(1):  # small matrices, over which threads would only wait
            model = learn(_widened(space, known), known)
    except np.linalg.LinAlgError:
        return None
    everywhere = [_configuration(model.space, draw) for draw in _draws(model.space, 4 * OTHERS)]
    means = model.mean(everywhere)
    return Beliefs(tuple(known), model, _ladder(known), float(means.var()))


def effects(beliefs: Beliefs, best: Configuration) -> tuple[Effect, ...]:
    """The effect of each parameter, the largest share first.

    Args:
        beliefs: the model.
        best: the configuration around which to look. Along a parameter that it does not have it is
            looked at with choices under which that exists; what it lacks then is in the middle of
            its range.
    """
    space, process = beliefs.model.space, beliefs.model.process
    draws = _draws(space, OTHERS)
    known = {name: value for name, value in best.items() if name in space.parameters}
    around = {name: p.from_unit(0.5) for name, p in space.parameters.items()} | known
    found = []
    for name, parameter in space.parameters.items():
        values = _values(parameter, STEPS)
        there = process.posterior(_cells(beliefs.model, [name], [values], [around])[:, 0])
        average = _averages(beliefs.model, [name], [values], draws)
        share = _existence(space, [name]) * _share(float(average.var()), beliefs)
        found.append(Effect(name, values, there.mean, np.sqrt(there.variance), average, share))
    return tuple(sorted(found, key=lambda effect: -effect.share))


def strongest_pair(beliefs: Beliefs) -> Joint | None:
    """The two parameters with the largest interaction; None of fewer than two.

    Of two parameters one of which exists only under the other's choices nothing joint is told.
    """
    space = beliefs.model.space
    pairs = [pair for pair in combinations(space.parameters, 2) if _together(space, pair)]
    if not pairs:
        return None
    few = _draws(space, COARSE_OTHERS)
    sizes = [_joint(beliefs, pair, COARSE_STEPS, few).share for pair in pairs]
    return _joint(beliefs, pairs[int(np.argmax(sizes))], MESH, _draws(space, OTHERS))


def expected(beliefs: Beliefs) -> Expected:
    """What was to be expected of each of the results that the model has learned from."""
    mean, variance = beliefs.model.process.left_out()
    return Expected(mean, np.sqrt(variance))


def _joint(beliefs: Beliefs, pair: tuple[str, str], steps: int, draws: Sequence[Draw]) -> Joint:
    space = beliefs.model.space
    values = tuple(_values(space.parameters[name], steps) for name in pair)
    mean = _averages(beliefs.model, pair, values, draws).reshape([len(one) for one in values])
    alone = mean - mean.mean(axis=0) - mean.mean(axis=1, keepdims=True) + mean.mean()
    share = _existence(space, pair) * _share(float(alone.var()), beliefs)
    return Joint(pair, (values[0], values[1]), mean, share)


def _share(variance: float, beliefs: Beliefs) -> float:
    return min(variance / beliefs.whole, 1.0) if beliefs.whole > 0.0 else 0.0


def _averages(
    model: Surrogate,
    names: Sequence[str],
    values: Sequence[Sequence[Value]],
    draws: Sequence[Draw],
) -> Array:
    """What is expected on average over some draws, at each combination of parameters' values."""
    process, cells = model.process, _cells(model, names, values, draws)
    means = [
        process.weights @ process.correlation(process.points, part.reshape(-1, part.shape[-1]))
        for part in np.array_split(cells, len(values[0]))  # so that kernels stay small
    ]
    averages: Array = np.concatenate(means).reshape(len(cells), len(draws)).mean(axis=1)
    return averages


def _cells(
    model: Surrogate,
    names: Sequence[str],
    values: Sequence[Sequence[Value]],
    draws: Sequence[Draw],
) -> Array:
    """For each combination of some parameters' values the points with draws of the others.

    Returns:
        (combinations, draws, coordinates), the last parameter's values changing fastest.
    """
    space = model.space
    draws = [_existing(space, draw, names, turn) for turn, draw in enumerate(draws)]
    fixed = [dict(zip(names, combination, strict=True)) for combination in product(*values)]
    if space.parents & set(names):
        # Others come and go with it.
        moved = [_configuration(space, {**draw, **own}) for own in fixed for draw in draws]
        points, _ = model.points(moved)
        return points.reshape(len(fixed), len(draws), -1)
    base, owners = model.points([_configuration(space, draw) for draw in draws])
    own, _ = model.points(fixed)
    places = [index for index, name in enumerate(space.parameters) if name in names]
    cells: Array = np.where(np.isin(owners, places), own[:, None], base)
    return cells


def _draws(space: Space, count: int) -> list[Draw]:
    """Draws at the points of a Sobol sequence."""
    points = unit_points(len(space.parameters), count, seed=0)
    return [
        {
            name: parameter.from_unit(u)
            for (name, parameter), u in zip(space.parameters.items(), point, strict=False)
        }
        for point in points
    ]


def _configuration(space: Space, draw: Draw) -> dict[str, Value]:
    """What exists of a draw."""
    return {name: draw[name] for name in space.active(draw)} if space.conditions else dict(draw)


def _existing(space: Space, draw: Draw, names: Sequence[str], turn: int) -> dict[str, Value]:
    """A draw with choices under which some parameters exist; ``turn`` says which of several."""
    made = dict(draw)
    for parent, values in space.needs(*names).items():
        if values and made[parent] not in values:
            made[parent] = values[turn % len(values)]
    return made


def _together(space: Space, pair: Sequence[str]) -> bool:
    """Whether two parameters exist side by side whatever the values of the two are."""
    [draw] = _draws(space, 1)
    made = _existing(space, draw, pair, 0)
    own = {name: space.parameters[name] for name in pair}
    choices = [p.choices if isinstance(p, Categorical) else (made[n],) for n, p in own.items()]
    return all(
        set(pair) <= set(space.active({**made, **dict(zip(pair, c, strict=True))}))
        for c in product(*choices)
    )


def _existence(space: Space, names: Sequence[str]) -> float:
    """The share of the space in which some parameters exist."""
    if not space.conditions.keys() & set(names):
        return 1.0
    draws = _draws(space, OTHERS)
    return sum(set(names) <= set(space.active(draw)) for draw in draws) / len(draws)


def _values(parameter: Parameter, steps: int) -> tuple[Value, ...]:
    """Values of a parameter from end to end, evenly on its scale."""
    if isinstance(parameter, Categorical):
        return parameter.choices
    # Just below 1, since the upper end of a unit interval is no part of it.
    units = np.linspace(0.0, math.nextafter(1.0, 0.0), steps).tolist()
    return tuple(dict.fromkeys(parameter.from_unit(u) for u in units))


def _belongs(space: Space, configuration: Configuration) -> bool:
    """Whether a configuration has the parameters that exist in it, and choices that there are."""
    return set(configuration) == set(space.active(configuration)) and all(
        value in space.parameters[name]
        if isinstance(space.parameters[name], Categorical)
        else isinstance(value, int | float)
        for name, value in configuration.items()
    )


def _widened(space: Space, results: Sequence[Result]) -> Space:
    """The space, in the order of its names, with ranges that hold every result.

    Stages move past the ends of the first; and a space may come back from JSON in another order.
    """
    changed: dict[str, Parameter] = {}
    for name, parameter in space.parameters.items():
        if isinstance(parameter, Categorical):
            continue
        found = [r.slot.configuration[name] for r in results if name in r.slot.configuration]
        numbers = [value for value in found if isinstance(value, int | float)]
        changed[name] = parameter.reaching(*numbers)
    parameters = {**space.parameters, **changed}
    return Space(dict(sorted(parameters.items())), space.conditions)


def _ladder(results: Sequence[Result]) -> Ladder:
    """The rungs are what is complete; what diverged has no score, and stands at the lowest."""
    rungs = {r.score: x for r, x in zip(results, targets(results), strict=True) if r.complete}
    scores = np.array(sorted(rungs))
    return Ladder(np.array([rungs[score] for score in scores]), scores)
