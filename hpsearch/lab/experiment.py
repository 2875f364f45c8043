"""What an experiment of the lab is: numbers, the sentence that they bear out, and their drawing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["Experiment"]


@dataclass(frozen=True)
class Experiment:
    """One page of the lab.

    Attributes:
        title: its heading.
        why: why it is worth seeing, and where the lecture says so, in one sentence.
        how: what was measured, and how to read it.
        data: measures; a pure function of ``seed`` (and, for smaller runs, of sizes). What it gives
            has ``sees()``, one sentence of what to see, ``figures()`` and ``table()``.
    """

    title: str
    why: str
    how: str
    data: Callable[..., Any]

    def measure(self, seed: int = 0) -> Any:
        """The data, computed with one BLAS thread, whatever the machine has.

        Small matrices are quicker so, and the numbers do not depend on how sums are divided.
        """
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1):
            return self.data(seed=seed)
