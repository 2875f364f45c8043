"""What the results of a search tell of its whole space: a Gaussian process on configurations.

- The better half of the scores counts as it is, in a unit of its own; the worse half by rank
  (`targets`). So the model sees how much better the best are, and neither a long tail of failures
  nor the scale of the scores matters; what diverged has a place, the last.
- A number lies where it lies in the first stage's range, on the parameter's own scale, so that
  ranges may move. Two choices are equal or not.
- A parameter that does not exist in a configuration is absent, and has no value. Absence is as far
  from every value as two choices are from each other: the values lie on an arc around it (Swersky
  et al., Raiders of the Lost Architecture, 2013).
- How long a training took is one input more, where not all took as long. So a short training tells
  of a long one what the results say that it does.
- Which study a result comes from is one input more, where earlier studies tell of this one: any two
  are as far apart as two choices (the multi-task kernel of Swersky, Snoek & Adams, Multi-Task
  Bayesian Optimization, 2013, with one correlation for all). Its length says how alike they are.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from hpsearch.search.base import Configuration, Result, in_order
from hpsearch.search.effects import ranks
from hpsearch.search.gaussian_process import Array, GaussianProcess, Posterior, fit, given
from hpsearch.space import Categorical, Parameter, Space, Value

__all__ = ["Owners", "Surrogate", "learn", "targets"]

Owners: TypeAlias = np.ndarray[tuple[int], np.dtype[np.intp]]
"""For each coordinate of a point the input that it belongs to, from 0."""

ENOUGH = 4  # results for each parameter, from which on each has a length of its own


@dataclass(frozen=True)
class Surrogate:
    """What results tell of every configuration of a space, trained as long as the longest of them.

    Args:
        space: the space of the first stage, which says where values lie.
        epochs: how long that is.
        timed: whether not all trained as long.
        optional: the parameters that a configuration may lack.
        process: the Gaussian process of `targets`.
        studies: from how many studies the results are; this one, and earlier ones.
    """

    space: Space
    epochs: int
    timed: bool
    optional: frozenset[str]
    process: GaussianProcess
    studies: int

    def mean(self, configurations: Sequence[Configuration]) -> Array:
        """The targets that are to be expected of configurations, trained so long."""
        return self.process.mean(self.points(configurations)[0])

    def posterior(self, configurations: Sequence[Configuration]) -> Posterior:
        """What targets are to be expected of configurations, trained so long."""
        return self.process.posterior(self.points(configurations)[0])

    def points(self, configurations: Sequence[Configuration]) -> tuple[Array, Owners]:
        """Configurations, trained so long, as points of the process, and who owns each coordinate.

        Returns:
            (n, coordinates), and for each coordinate its parameter's place in the space; after the
            last one come the training's length and the study.
        """
        return self._points(configurations, [self.epochs] * len(configurations))

    def after(self, results: Sequence[Result]) -> Surrogate:
        """What other results tell, with the lengths and the noise found before: a cheap step.

        Args:
            results: as for `learn`, trained no longer and no shorter than those before; there is no
                prior.

        Raises:
            LinAlgError: of what the numbers do not allow for.
        """
        ordered = in_order(results)
        configurations = [result.slot.configuration for result in ordered]
        points, _ = self._points(configurations, [result.slot.epochs for result in ordered])
        lengths, noise = self.process.lengths, self.process.noise
        return replace(self, process=given(points, targets(ordered), lengths, noise))

    def _points(
        self, configurations: Sequence[Configuration], trained: Sequence[int]
    ) -> tuple[Array, Owners]:
        which = [0] * len(configurations)
        timed = trained if self.timed else []
        return _points(self.space, configurations, timed, self.optional, which, self.studies)


def learn(
    space: Space,
    results: Sequence[Result],
    prior: Sequence[Sequence[Result]] = (),
    optional: Collection[str] = (),
) -> Surrogate:
    """Fit the model to results.

    Args:
        space: of the first stage.
        results: of any stages, in any order, not all equally good; none if there is a prior.
        prior: results of earlier studies, which may have gone over other ranges or other data; each
            study's have targets of their own.
        optional: what a configuration may lack besides the parameters that have a condition.

    Raises:
        LinAlgError: of what the numbers do not allow for.
    """
    studies = [in_order(study) for study in (results, *prior)]
    every = [result for study in studies for result in study]
    trained = [result.slot.epochs for result in every]
    shortest, longest = min(trained), max(trained)
    lacking = frozenset(space.conditions).union(optional)
    configurations = [result.slot.configuration for result in every]
    which = [index for index, study in enumerate(studies) for _ in study]
    timed = trained if shortest < longest else []
    points, inputs = _points(space, configurations, timed, lacking, which, len(studies))
    values = np.concatenate([targets(study) for study in studies])
    own_lengths = len(every) >= ENOUGH * len(space.parameters)
    process = fit(points, values, inputs, own_lengths=own_lengths)
    epochs = max(trained[: len(results)] or trained)
    return Surrogate(space, epochs, shortest < longest, lacking, process, len(studies))


def targets(results: Sequence[Result]) -> Array:
    """What the model learns as the value of each result, (n,); equals share theirs.

    Below the median it is what a normal distribution has at the result's rank. From the median on
    it is linear in the score, in the unit that gives the better half the mean of half a normal
    distribution. Where that half has no scale, as when all of it is equal, ranks decide there too.

    >>> from hpsearch.search.base import Slot
    >>> slots = [Slot(0, i, {}, 0, 1) for i in range(4)]
    >>> targets([Result(slot, 10.0**slot.index) for slot in slots]).round(2).tolist()
    [-1.15, -0.32, 0.07, 1.52]
    """
    from scipy.special import ndtri

    by_rank: Array = ndtri((ranks(results) - 0.5) / max(len(results), 1))
    scores = np.array([r.score if r.complete else -np.inf for r in results])
    with np.errstate(over="ignore", invalid="ignore"):
        median = np.median(scores) if len(scores) else math.nan
        better = scores >= median
        above = scores[better] - median
        scale = above.mean() if better.any() else math.nan
        if not 0.0 < scale < math.inf:
            return by_rank
    by_rank[better] = above / scale * math.sqrt(2.0 / math.pi)
    return by_rank


def _points(
    space: Space,
    configurations: Sequence[Configuration],
    trained: Sequence[int],
    optional: Collection[str],
    which: Sequence[int] = (),
    studies: int = 1,
) -> tuple[Array, Owners]:
    """Configurations as points whose distances count, and the input that owns each coordinate.

    Args:
        space: of the first stage.
        configurations: n of them.
        trained: the epochs of each; empty to leave lengths out.
        optional: the parameters that a configuration may lack.
        which: the study of each, where there are several.
        studies: how many there are.

    Returns:
        (n, coordinates), and for each coordinate a number from 0: a parameter's place in the space,
        and after the last one the training's length, then the study.
    """
    columns = [
        _coordinates(
            parameter,
            [configuration.get(name) for configuration in configurations],
            [name in configuration for configuration in configurations],
            optional=name in optional,
        )
        for name, parameter in space.parameters.items()
    ]
    if trained:
        columns.append(np.log2(trained)[:, None] / 2)
    if studies > 1:
        columns.append(_corners(which, studies))
    owners = [np.full(part.shape[1], i) for i, part in enumerate(columns)]
    if not columns:
        return np.empty((len(configurations), 0)), np.empty(0, np.intp)
    return np.hstack(columns), np.concatenate(owners)


def _coordinates(
    parameter: Parameter, values: Sequence[Value], there: Sequence[bool], *, optional: bool
) -> Array:
    """One parameter of n configurations, (n, coordinates)."""
    if isinstance(parameter, Categorical):
        codes = [
            parameter.choices.index(value) if exists else -1  # the last corner is absence
            for value, exists in zip(values, there, strict=True)
        ]
        return _corners(codes, len(parameter.choices) + optional)
    low, high = parameter.bounds()
    width = (high - low) or 1.0
    place = np.array(
        [
            (parameter.scaled(value) - low) / width if isinstance(value, int | float) else 0.0
            for value in values
        ]
    )
    if not optional:
        return place[:, None]
    around = np.column_stack((np.cos(place), np.sin(place)))
    return np.where(np.array(there)[:, None], around, 0.0)


def _corners(which: Sequence[int], count: int) -> Array:
    """The corners of a simplex, all at distance 1 from each other, (n, count)."""
    corners: Array = np.eye(count)[list(which)] / math.sqrt(2)
    return corners
