"""What a function or a program said, read as a trial's outcome.

The user's own values become scores here, of which greater is better.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hpsearch.errors import shown
from hpsearch.outcome import Outcome, TrialFailedError, here

__all__ = ["Asked", "Reports", "outcome_of"]

LAST_STEP = 2**31 - 1
"""The greatest that every database keeps."""


MOST_STEPS = 2_000
"""Of more reports than so many a trial keeps some: a curve has no room for them."""


@dataclass(frozen=True)
class Asked:
    """What a result is asked for.

    Attributes:
        metric: the key of what decides.
        maximize: whether more of it is better.
        also: keys of what is recorded beside it.
    """

    metric: str
    maximize: bool
    also: tuple[str, ...] = ()

    def score(self, value: float) -> float:
        """A value as searches see it."""
        return value if self.maximize else -value


class Reports:
    """The values on the way, by step; of one that is reported again the last counts."""

    def __init__(self) -> None:
        self.values: dict[int, float] = {}

    def add(self, step: object, value: object) -> None:
        """Take one in; what is not finite has no place in a curve.

        Raises:
            TrialFailedError: the step is no whole number from 0 to `LAST_STEP`, or the value none.
        """
        whole = isinstance(step, numbers.Integral) and not isinstance(step, bool)
        if not whole or not 0 <= int(step) <= LAST_STEP:  # type: ignore[call-overload]
            raise TrialFailedError(
                f"a step is reported that is no whole number from 0 to {LAST_STEP}: {shown(step)}"
            )
        number = _number(value)
        if number is None:
            raise TrialFailedError(f"step {step} reports {shown(value)}, which is no number")
        if math.isfinite(number):
            self.values[int(step)] = number  # type: ignore[call-overload]

    def curve(self, asked: Asked) -> tuple[tuple[int, ...], tuple[float, ...]]:
        """The steps, of very many some, and the scores there."""
        steps = tuple(_few(sorted(self.values)))
        return steps, tuple(asked.score(self.values[step]) for step in steps)


def outcome_of(result: object, asked: Asked, reports: Reports, seconds: float) -> Outcome:
    """The outcome that a result is.

    Args:
        result: a number, or a mapping that has the numbers that are asked for.
        asked: which these are.
        reports: what was reported on the way.
        seconds: that the trial took.

    Raises:
        TrialFailedError: it is none.
    """
    value = _asked_for(asked.metric, result) if isinstance(result, Mapping) else result
    number = _number(value)
    if number is None:
        raise TrialFailedError(f"{asked.metric} is {shown(value)}, which is no number")
    if not math.isfinite(number):
        raise TrialFailedError(f"{asked.metric} is {number}, which is not finite")
    steps, curve = reports.curve(asked)
    best = curve.index(max(curve)) if curve else None
    return Outcome(
        asked.score(number),
        curve=curve,
        steps=steps,
        best_epoch=0 if best is None else steps[best],
        seconds=seconds,
        worker=here(),
        also=_also(asked.also, result),
    )


def _few(steps: list[int]) -> list[int]:
    """Of very many steps some, evenly, with the first and the last."""
    if len(steps) <= MOST_STEPS:
        return steps
    last = len(steps) - 1
    return [steps[last * k // (MOST_STEPS - 1)] for k in range(MOST_STEPS)]


def _asked_for(key: str, result: Mapping[Any, Any]) -> Any:
    if key not in result:
        has = ", ".join(map(str, list(result)[:8])) or "nothing"
        raise TrialFailedError(f"the result has no {key!r}; it has {has}")
    return result[key]


def _also(keys: Sequence[str], result: object) -> dict[str, float]:
    if keys and not isinstance(result, Mapping):
        raise TrialFailedError(f"the result is one number, and {keys[0]!r} is asked for beside it")
    found = {}
    for key in keys:
        assert isinstance(result, Mapping)
        number = _number(_asked_for(key, result))
        if number is None:
            raise TrialFailedError(f"{key} is {shown(result[key])}, which is no number")
        if math.isfinite(number):
            found[key] = number
    return found


def _number(value: object) -> float | None:
    """A value as a number; None where it is none. Whatever has one item is as good as that."""
    item = getattr(value, "item", None)  # NumPy's, and tensors
    if callable(item) and not isinstance(value, str | bytes):
        try:
            value = item()
        except Exception:
            return None
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf
