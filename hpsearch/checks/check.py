"""What every check comes to: a verdict, two numbers to compare, and one sentence of what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

from hpsearch.data.account import listed
from hpsearch.study_file.template import toml_value

__all__ = ["Check", "Verdict", "excluding", "listed", "verdict_above"]

MOST = 20
"""Of more columns than so many a setting that leaves them out counts the others."""

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
        exclude: the columns that nothing is lost without.

    >>> Check("initial loss", "pass", "2.31", "ln 10 = 2.30", "as unsure as it should be").verdict
    'pass'
    """

    name: str
    verdict: Verdict
    found: str
    expected: str
    advice: str
    exclude: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """The check in terms of JSON; ``exclude`` only where there is a column to leave out."""
        document = asdict(self)
        if not document.pop("exclude"):
            return document
        return document | {"exclude": list(self.exclude)}


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


def excluding(names: Sequence[str]) -> str:
    r"""The setting that leaves columns out, as a study file has it.

    >>> excluding(["id", 'the "label"'])
    '[data] exclude = ["id", "the \\"label\\""]'
    """
    more = len(names) - MOST
    rest = f" and {more:,} more, which `hpsearch check --json` lists" if more > 0 else ""
    return f"[data] exclude = [{', '.join(map(toml_value, names[:MOST]))}]{rest}"
