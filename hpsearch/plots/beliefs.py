"""The model of a study's results, which three panels show: what it has learned from."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from hpsearch.engine.summary import TrialRow
from hpsearch.plots.scales import ScoreAxis, score_axis
from hpsearch.plots.view import NothingToDraw, StudyView, scored
from hpsearch.search.base import Result, Slot
from hpsearch.search.beliefs import FEWEST, Beliefs, believe
from hpsearch.space import Space

__all__ = ["StudyBeliefs", "beliefs_of"]


@dataclass(frozen=True, eq=False)
class StudyBeliefs:
    """What a model believes of a study.

    Attributes:
        beliefs: of its results; their scores are negated where a lower one is better.
        trials: that of each result.
        axis: of the scores.
        sign: -1 where a lower score is better.
        of: what the model has learned from, in a sentence.
    """

    beliefs: Beliefs
    trials: tuple[TrialRow, ...]
    axis: ScoreAxis
    sign: float
    of: str

    def scores(self, expected: np.ndarray) -> np.ndarray:
        """The scores that have some targets; those beyond the axis lie at its edge."""
        return self.axis.clip((self.sign * self.beliefs.ladder.down(expected)).tolist())


@lru_cache(maxsize=1)  # three panels ask, one after the other
def beliefs_of(view: StudyView) -> StudyBeliefs:
    """What the model of a guided search believes of a study, whoever made it.

    Of somebody else's study only those parameters count that every trial has: nobody says on what
    the others depend.

    Raises:
        NothingToDraw: there are too few results, or the model cannot learn from them.
    """
    complete = scored(view, at_least=FEWEST)
    trials = [*complete, *(t for t in view.trials if t.state == "pruned")]
    if view.summary.stages:
        space = view.summary.stages[0].space
        slots = {t.number: t.slot for t in trials if t.slot is not None}
    else:
        common = [n for n in view.parameters if all(n in t.configuration for t in complete)]
        space = Space({name: view.parameters[name] for name in common})
        slots = {
            t.number: Slot(0, t.number, {n: t.configuration[n] for n in common}, 0, epochs=1)
            for t in trials
            if set(common) <= t.configuration.keys()
        }
    if not space.parameters:
        raise NothingToDraw("No parameter is in every trial, so that a model has none to look at.")
    sign = 1.0 if view.summary.maximize else -1.0
    trials = [t for t in trials if t.number in slots]
    results = [_result(t, slots[t.number], sign) for t in trials]
    beliefs = believe(space, results)
    if beliefs is None:
        raise NothingToDraw(
            "A model learns nothing from these trials: they are all equally good, or fewer than "
            f"{FEWEST} of them lie in the study's space."
        )
    by_place = {r.slot.place: t for r, t in zip(results, trials, strict=True)}
    return StudyBeliefs(
        beliefs,
        tuple(by_place[result.slot.place] for result in beliefs.results),
        score_axis(view, [t.known_score for t in complete]),
        sign,
        _of(view, beliefs, len(results), set(view.parameters) - set(space.parameters)),
    )


def _result(trial: TrialRow, slot: Slot, sign: float) -> Result:
    if trial.state != "complete":
        return Result(slot, 0.0, complete=False)
    return Result(slot, sign * trial.known_score)


def _of(view: StudyView, beliefs: Beliefs, there: int, left_out: Collection[str]) -> str:
    learned = len(beliefs.results)
    results = f"{there} results"
    if learned < there:
        results = f"{learned} of {there:,} results, evenly by rank"
    model = f"The model is the Gaussian process of guided search, and has learned from {results}."
    if beliefs.model.timed:
        model += f" It speaks of {view.noun} of {beliefs.model.epochs} {view.summary.resource}."
    if left_out:
        model += f" Left out, as not every trial has them: {', '.join(sorted(left_out))}."
    return model
