"""How much of a ranking of trials a parameter explains, and whether chance would do as much.

Ranks, not scores, because the scores of a wide search have a long tail of failures, and because a
diverged trial has a place in the ranking but no score.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from hpsearch.search.base import Result, merit

__all__ = ["Effect", "evenly", "explained", "ranks"]


class Effect(NamedTuple):
    """The share of a ranking's variance that some features explain, and its p-value."""

    share: float
    p: float


def ranks(results: Sequence[Result]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The rank of each result, from 1 for the worst; equals share their mean rank.

    Args:
        results: n results; those which are not complete rank below all others, as equals.

    Returns:
        (n,) float64.
    """
    merits = [merit(result) for result in results]
    scores = np.array([score if complete else -np.inf for complete, score in merits])
    _, place, count = np.unique(scores, return_inverse=True, return_counts=True)
    mean_rank: np.ndarray[Any, np.dtype[np.float64]] = np.cumsum(count) - (count - 1) / 2
    return mean_rank[place]


def evenly(results: Sequence[Result], most: int) -> list[Result]:
    """At most so many results, evenly by rank, in their order: bad ones tell as well as good ones.

    >>> from hpsearch.search.base import Slot
    >>> found = [Result(Slot(0, i, {}, 0, 1), float(i)) for i in range(5)]
    >>> [result.score for result in evenly(found, 3)]
    [0.0, 2.0, 4.0]
    """
    by_merit = sorted(range(len(results)), key=lambda i: merit(results[i]))
    kept = np.linspace(0, len(results) - 1, min(most, len(results))).round().astype(int)
    return [results[i] for i in sorted(by_merit[k] for k in kept)]


def explained(features: Sequence[Sequence[float]], ranking: Sequence[float]) -> Effect:
    """Regress a ranking on features; an F test against no effect at all.

    With one indicator this is the rank-sum test of Wilcoxon up to its approximation; with x and its
    square it sees a slope and a hump, which is what one parameter of a search looks like.

    Args:
        features: p sequences of n numbers each.
        ranking: n ranks.

    Returns:
        The share of the variance explained (R squared) and the probability that features without
        any effect explain as much; share 0 and p 1 where there are too few trials to tell.

    >>> explained([[1, 2, 3, 4, 5, 6]], [1, 2, 3, 4, 6, 5]).p < 0.01
    True
    """
    from scipy.special import fdtrc

    y = np.asarray(ranking, dtype=np.float64)
    X = np.array([*features, np.ones(len(y))], dtype=np.float64).T
    total = float(((y - y.mean()) ** 2).sum()) if len(y) else 0.0
    solution, _, rank, _ = np.linalg.lstsq(X, y, rcond=None)
    effects, rest = int(rank) - 1, len(y) - int(rank)
    if total == 0.0 or effects < 1 or rest < 1:
        return Effect(0.0, 1.0)
    share = min(max(1.0 - float(((y - X @ solution) ** 2).sum()) / total, 0.0), 1.0)
    if share > 1.0 - 1e-12:
        return Effect(1.0, 0.0)
    return Effect(share, float(fdtrc(effects, rest, (share / effects) / ((1.0 - share) / rest))))
