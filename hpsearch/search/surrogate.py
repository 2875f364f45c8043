"""What the results of a search tell of its whole space: a Gaussian process on configurations.

- A score counts by its rank, as the normal score of it: neither a long tail of failures nor the
  scale of the scores matters, and what diverged has a place, the last.
- A number lies where it lies in the first stage's range, on the parameter's own scale, so that
  ranges may move. Two choices are equal or not.
- A parameter that does not exist in a configuration is absent, and has no value. Absence is as far
  from every value as two choices are from each other: the values lie on an arc around it (Swersky
  et al., Raiders of the Lost Architecture, 2013).
- How long a training took is one input more, where not all took as long. So a short training tells
  of a long one what the results say that it does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from hpsearch.search.base import Configuration, Result, in_order
from hpsearch.search.effects import ranks
from hpsearch.search.gaussian_process import Array, GaussianProcess, Posterior, fit
from hpsearch.space import Categorical, Parameter, Space, Value

__all__ = ["Owners", "Surrogate", "learn", "normal_scores"]

Owners: TypeAlias = np.ndarray[tuple[int], np.dtype[np.intp]]
"""For each coordinate of a point the input that it belongs to, from 0."""

ENOUGH = 4  # results for each parameter, from which on each has a length of its own


@dataclass(frozen=True)
class Surrogate:
    """What results tell of every configuration of a space, trained as long as the longest of them.

    Args:
        space: the space of the first stage, which says where values lie.
        epochs: how long that is.
        shortest: how long the shortest of them trained.
        process: the Gaussian process of normal scores.
    """

    space: Space
    epochs: int
    shortest: int
    process: GaussianProcess

    def posterior(self, configurations: Sequence[Configuration]) -> Posterior:
        """What normal scores are to be expected of configurations, trained so long."""
        return self.process.posterior(self.points(configurations)[0])

    def points(self, configurations: Sequence[Configuration]) -> tuple[Array, Owners]:
        """Configurations, trained so long, as points of the process, and who owns each coordinate.

        Returns:
            (n, coordinates), and for each coordinate its parameter's place in the space; after the
            last one comes the training's length.
        """
        lengths = [self.epochs] * len(configurations) if self.shortest < self.epochs else []
        return _points(self.space, configurations, lengths)


def learn(space: Space, results: Sequence[Result]) -> Surrogate:
    """Fit the model to results.

    Args:
        space: of the first stage.
        results: of any stages, in any order, not all equally good.

    Raises:
        LinAlgError: of what the numbers do not allow for.
    """
    ordered = in_order(results)
    trained = [result.slot.epochs for result in ordered]
    shortest, longest = min(trained), max(trained)
    configurations = [result.slot.configuration for result in ordered]
    points, inputs = _points(space, configurations, trained if shortest < longest else [])
    own_lengths = len(ordered) >= ENOUGH * len(space.parameters)
    process = fit(points, normal_scores(ordered), inputs, own_lengths=own_lengths)
    return Surrogate(space, longest, shortest, process)


def normal_scores(results: Sequence[Result]) -> Array:
    """What a normal distribution has at the rank of each result; equals share theirs.

    >>> from hpsearch.search.base import Slot
    >>> slots = [Slot(0, i, {}, 0, 1) for i in range(3)]
    >>> normal_scores([Result(slot, 10.0**slot.index) for slot in slots]).round(2).tolist()
    [-0.97, 0.0, 0.97]
    """
    from scipy.special import ndtri

    scores: Array = ndtri((ranks(results) - 0.5) / len(results))
    return scores


def _points(
    space: Space, configurations: Sequence[Configuration], trained: Sequence[int]
) -> tuple[Array, Owners]:
    """Configurations as points whose distances count, and the input that owns each coordinate.

    Args:
        space: of the first stage.
        configurations: n of them.
        trained: the epochs of each; empty to leave lengths out.

    Returns:
        (n, coordinates), and for each coordinate a number from 0: a parameter's place in the space,
        and after the last one the training's length.
    """
    columns = [
        _coordinates(
            parameter,
            [configuration.get(name) for configuration in configurations],
            [name in configuration for configuration in configurations],
            conditional=name in space.conditions,
        )
        for name, parameter in space.parameters.items()
    ]
    if trained:
        columns.append(np.log2(trained)[:, None] / 2)
    owners = [np.full(part.shape[1], i) for i, part in enumerate(columns)]
    if not columns:
        return np.empty((len(configurations), 0)), np.empty(0, np.intp)
    return np.hstack(columns), np.concatenate(owners)


def _coordinates(
    parameter: Parameter, values: Sequence[Value], there: Sequence[bool], *, conditional: bool
) -> Array:
    """One parameter of n configurations, (n, coordinates)."""
    if isinstance(parameter, Categorical):
        # Corners of a simplex, all at distance 1; the last one is absence.
        corners = np.eye(len(parameter.choices) + conditional) / math.sqrt(2)
        codes = [
            parameter.choices.index(value) if exists else -1
            for value, exists in zip(values, there, strict=True)
        ]
        return corners[codes]
    low, high = parameter.bounds()
    width = (high - low) or 1.0
    place = np.array(
        [
            (parameter.scaled(value) - low) / width if isinstance(value, int | float) else 0.0
            for value in values
        ]
    )
    if not conditional:
        return place[:, None]
    around = np.column_stack((np.cos(place), np.sin(place)))
    return np.where(np.array(there)[:, None], around, 0.0)
