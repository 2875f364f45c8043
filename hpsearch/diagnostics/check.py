"""What every check comes to: a verdict, two numbers to compare, and one sentence of what to do."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

from hpsearch.data.account import listed

__all__ = ["Check", "Verdict", "listed", "verdict_above"]

Verdict: TypeAlias = Literal["pass", "warn", "fail"]


@dataclass(frozen=True)
class Check:
    """One check.

    Args:
        name: what was looked at.
        verdict: "pass", sound; "warn", odd, and worth a look; "fail", trainings are wasted so.
        found: the number, and how much was looked at where that is not everything.
        expected: the number that a sound study has.
        advice: one sentence: what it means, and what to do unless all is well.

    >>> Check("initial loss", "pass", "2.31", "ln 10 = 2.30", "as unsure as it should be").verdict
    'pass'
    """

    name: str
    verdict: Verdict
    found: str
    expected: str
    advice: str

    def document(self) -> dict[str, Any]:
        """The check in terms of JSON."""
        return asdict(self)


def verdict_above(number: float, warn: float, fail: float) -> Verdict:
    """The verdict of a number that should be low; one that is not a number fails.

    Args:
        number: what was found.
        warn: above this, "warn".
        fail: above this, "fail".

    >>> [verdict_above(x, 1, 2) for x in (1, 1.5, float("nan"))]
    ['pass', 'warn', 'fail']
    """
    return "pass" if number <= warn else "warn" if number <= fail else "fail"
