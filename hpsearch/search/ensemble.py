"""Which trained configurations to average: candidates from a search, and greedy forward selection.

Networks that err on different rows outvote each other's errors; CS231n's notes add them up at the
end of a search ("model ensembles": top models discovered during cross-validation).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from hpsearch.search.base import Configuration, Result, configuration_key
from hpsearch.search.race import contenders_for

__all__ = ["Step", "forward_selection", "members_to_try"]

TINY = np.finfo(np.float32).tiny


@dataclass(frozen=True)
class Step:
    """One addition to an ensemble.

    Attributes:
        candidate: who was added.
        score: of the ensemble with it, the mean over the folds; greater is better.
        loss: its cross-entropy, or the mean square of its errors, likewise.
    """

    candidate: int
    score: float
    loss: float


def forward_selection(
    candidates: Sequence[Sequence[np.ndarray]],
    labels: Sequence[np.ndarray],
    size: int,
    score: Callable[[int, np.ndarray], float],
) -> list[Step]:
    """Add, one after the other, the candidate with which the averaged predictions do best.

    Best is the highest score, among equals the lowest loss, among those the first. It is
    Caruana et al., "Ensemble selection from libraries of models" (ICML 2004), without replacement.
    The scores are flattered, like all that a choice was made by.

    Args:
        candidates: the predictions of each, one array for every fold: probabilities (n, n_classes),
            or a quantity (n,).
        labels: of each fold, class codes (n,), or the quantity.
        size: how many to add, at most all.
        score: of a fold, by its number, and predictions for its rows; greater is better.

    >>> def right_share(fold, p): return float(np.mean(p.argmax(axis=1) == 0))
    >>> right, wrong = np.array([[0.9, 0.1]]), np.array([[0.2, 0.8]])
    >>> steps = forward_selection([[wrong], [right]], [np.array([0])], 2, right_share)
    >>> [(step.candidate, step.score) for step in steps]
    [(1, 1.0), (0, 1.0)]
    """
    steps: list[Step] = []
    total: list[np.ndarray] = [np.zeros_like(fold) for fold in candidates[0]]
    left = list(range(len(candidates)))
    while left and len(steps) < size:
        tried = []
        for k in left:
            sums = [sum_ + own for sum_, own in zip(total, candidates[k], strict=True)]
            means = [sum_ / (len(steps) + 1) for sum_ in sums]
            folds = list(zip(labels, means, strict=True))
            scored = fmean(score(fold, mean) for fold, mean in enumerate(means))
            tried.append(Step(k, scored, fmean(_loss(y, mean) for y, mean in folds)))
        steps.append(max(tried, key=lambda step: (step.score, -step.loss)))
        chosen = steps[-1].candidate
        left.remove(chosen)
        total = [sum_ + own for sum_, own in zip(total, candidates[chosen], strict=True)]
    return steps


def _loss(labels: np.ndarray, predictions: np.ndarray) -> float:
    """The cross-entropy of probabilities, or the mean square of a quantity's errors."""
    if predictions.ndim == 1:
        return float(np.mean((predictions - labels) ** 2))
    chances = predictions[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(chances, TINY)).mean())


def members_to_try(
    results: Sequence[Result], raced: Collection[int], winner: Configuration, size: int
) -> list[Result]:
    """One training of each configuration that may be in an ensemble, the winner's first.

    They are those that raced: the best of the search, trained again with other seeds, and with
    their first seed there, which nothing was chosen by. Without a race they are the best distinct
    ones, twice as many as are wanted, so that there is something to choose from. One that diverged,
    even once, is left out.

    Args:
        results: all results of the study, in order.
        raced: the stages that were rounds of a race.
        winner: the study's winner.
        size: how many members are wanted.
    """
    race = [result for result in results if result.slot.stage in raced]
    own = [r for r in results if r.slot.configuration == winner]
    contenders = contenders_for(race, len(race)) if race else contenders_for(results, 2 * size)
    # The winner too where it never raced, as when time was up within the first round.
    contenders += contenders_for(own, 1)
    found: dict[object, Result] = {}
    for contender in contenders:
        if contender.sound:
            found.setdefault(configuration_key(contender.configuration), contender.first)
    return sorted(found.values(), key=lambda r: r.slot.configuration != winner)
