"""Run a search on any Python function, in memory and in this process."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from hpsearch.errors import UsageError, shown
from hpsearch.search.base import Result, Slot, Stage, Strategy, Winner

__all__ = ["SearchReport", "run_search"]


@dataclass(frozen=True)
class SearchReport:
    """What a search did and found.

    Args:
        results: one for each trial, in the order in which they ran.
        stages: the stages, with their spaces and the reasons for them.
        winner: the configuration that the strategy names.
    """

    results: tuple[Result, ...]
    stages: tuple[Stage, ...]
    winner: Winner


def run_search(evaluate: Callable[[Slot], float | None], strategy: Strategy) -> SearchReport:
    """Evaluate every slot of a strategy, one after the other.

    Args:
        evaluate: takes a slot (its configuration, its seed, its epochs) and returns the score,
            greater being better; None, NaN or an infinity for a configuration that is known to be
            bad, such as one that diverged. What it raises ends the search.
        strategy: what to evaluate.

    Raises:
        RunError: no score was finite, so that there is no winner.
        UsageError: a score is no number.

    >>> from hpsearch.search import make_strategy
    >>> from hpsearch.space import Float, Space
    >>> space = Space({"x": Float(-5.0, 5.0)})
    >>> strategy = make_strategy("coarse-to-fine", space, trials=40, epochs=1, seed=0)
    >>> report = run_search(lambda slot: -abs(slot.configuration["x"] - 1), strategy)
    >>> len(report.results), abs(report.winner.configuration["x"] - 1) < 0.2
    (40, True)
    """
    results: list[Result] = []
    stages: list[Stage] = []
    while (stage := strategy.next_stage(results)) is not None:
        stages.append(stage)
        finished: list[Result] = []
        for index in range(stage.slots):
            slot = stage.slot(index, finished)
            score = _number(evaluate(slot))
            complete = math.isfinite(score)
            finished.append(Result(slot, score if complete else 0.0, complete=complete))
        results += finished
    return SearchReport(tuple(results), tuple(stages), strategy.winner(results))


def _number(score: object) -> float:
    """A score as a number, NaN where there is none."""
    if score is None:
        return math.nan
    try:
        if isinstance(score, str | bytes):  # which float would read
            raise TypeError
        return float(score)  # type: ignore[arg-type]
    except OverflowError:
        return math.inf
    except (TypeError, ValueError):
        raise UsageError(
            f"the score of a slot is a number, or None; the function returned {shown(score)}"
        ) from None
