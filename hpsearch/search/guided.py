"""Guided search: coarse to fine, whose later stages a model of all results chooses.

The first stage is the coarse one, with the middle of all ranges as its first point: ranges are what
their author believes in, and their middle is what he believes in most. Every stage has the ranges
that `narrow` finds, with its reasons. Within them a Gaussian process (`learn`)
chooses the points; where earlier studies tell of this one, it chooses those of the first stage too.
One slot after the other gets the candidate of highest expected improvement (Mockus 1978; Jones,
Schonlau & Welch 1998) over the best that the model believes of what was seen. All slots of a stage
are chosen when it begins, each as if those before it had been seen with the values that were
expected of them: that changes no mean, and lowers the variance around them, so that a batch spreads
(Desautels, Krause & Burdick, Parallelizing Exploration-Exploitation Tradeoffs in Gaussian Process
Bandit Optimization, 2014). The last tenth of a stage is not seen by the next one, which can begin
while it trains.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache

import numpy as np

from hpsearch.search.base import Chosen, Configuration, Motive, Propose, Result
from hpsearch.search.coarse_to_fine import FEWEST
from hpsearch.search.effects import ranks
from hpsearch.search.gaussian_process import Array, Posterior
from hpsearch.search.surrogate import learn
from hpsearch.space import Space

__all__ = ["EPOCH_SHARES", "STAGE_SHARES", "choose", "expected_improvement", "guided", "motives"]

STAGE_SHARES = (0.4, 0.2, 0.2, 0.2)
EPOCH_SHARES = (0.25, 0.5, 1.0, 1.0)
UNSEEN = 0.1  # of a stage: workers have it to do while the next one is not known
CANDIDATES = 512  # from which a stage is chosen, at least
FOR_A_SLOT = 4  # candidates for each slot, at least


def guided(
    whole: Space,
    points: Callable[[int], Sequence[Configuration]],
    count: int,
    results: Sequence[Result],
    prior: Sequence[Sequence[Result]] = (),
    first: Sequence[Configuration] = (),
) -> Propose:
    """What a stage of a guided search proposes where something is known.

    Where too little has finished for a model, or the model fails, the first of the candidates are
    the stage, as in coarse to fine.

    Args:
        whole: the space of the first stage.
        points: gives the first so many candidates, or fewer where there are no more.
        count: how many slots the stage has.
        results: everything that finished in the stages before it, in any order.
        prior: results of earlier studies, each not all equally good.
        first: what the first slots try in any case.
    """

    @cache
    def choices() -> Sequence[tuple[Configuration, Motive | None]]:
        candidates = [*first, *points(max(CANDIDATES, FOR_A_SLOT * count))]
        unmoved = [(point, None) for point in candidates]
        if not prior and (len(results) < FEWEST or np.ptp(ranks(results)) == 0.0):
            return unmoved
        try:
            model = learn(whole, results, prior)
        except np.linalg.LinAlgError:
            return unmoved
        tried = results or [result for study in prior for result in study]
        best = float(model.mean([result.slot.configuration for result in tried]).max())
        believed = model.posterior(candidates)
        why: list[Motive | None] = [*motives(believed, best)]
        why[: len(first)] = [None] * len(first)
        chosen = choose(believed, best, min(count, len(candidates)), running=len(first))
        return [(candidates[index], why[index]) for index in chosen]

    return Chosen(choices)


def motives(candidates: Posterior, best: float) -> list[Motive]:
    """What speaks for each candidate when a stage begins: see `Motive`.

    Args:
        candidates: what is believed of them.
        best: what their values are to improve on.
    """
    unit = math.sqrt(candidates.process.scale)
    leads, deviations = (candidates.mean - best) / unit, np.sqrt(candidates.variance) / unit
    return [*map(Motive, leads.tolist(), deviations.tolist())]


def choose(candidates: Posterior, best: float, count: int, *, running: int = 0) -> list[int]:
    """The candidates to try together, each the best after those before it.

    Args:
        candidates: what is believed of them.
        best: what their values are to improve on.
        count: how many, at most all.
        running: how many of them, the first ones, are being tried already: those come first.
    """
    process = candidates.process
    noise = process.scale * process.noise
    variance = candidates.variance
    taken: list[int] = []
    learnt = np.empty((count, len(variance)))
    for slot in range(count):
        if slot < running:
            new = slot
        else:
            gain = expected_improvement(candidates.mean, variance, best)
            gain[taken] = -math.inf
            new = int(gain.argmax())
        shared = candidates.covariance(slice(new, new + 1))[:, 0]
        shared -= learnt[:slot, new] @ learnt[:slot]
        learnt[slot] = shared / math.sqrt(variance[new] + noise)
        variance = np.maximum(variance - learnt[slot] ** 2, 0.0)
        taken.append(new)
    return taken


def expected_improvement(mean: Array, variance: Array, best: float) -> Array:
    """By how much normal variables are above a value on average, counting those below as 0.

    >>> expected_improvement(np.array([0.0, 1.0]), np.array([1.0, 0.0]), 0.0).round(3).tolist()
    [0.399, 1.0]
    """
    from scipy.special import ndtr

    deviation = np.sqrt(np.maximum(variance, 1e-18))
    z = (mean - best) / deviation
    density = np.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
    gain: Array = deviation * (z * ndtr(z) + density)
    return gain
