"""What an experiment of the lab is: numbers, the sentence that they bear out, and their drawing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from hpsearch.wording import Table

__all__ = ["Experiment"]


@dataclass(frozen=True)
class Experiment:
    """One page of the lab.

    Attributes:
        title: its heading.
        why: why it is worth seeing, and where the lecture says so, in one sentence.
        how: what was measured, and how to read it.
        data: measures; a pure function of ``seed`` (and, for smaller runs, of sizes).
        sees: one sentence of what to see, with the numbers of the data.
        figures: the data drawn.
        table: the data in numbers.
    """

    title: str
    why: str
    how: str
    data: Callable[..., Any]
    sees: Callable[[Any], str]
    figures: Callable[[Any], Sequence[go.Figure]]
    table: Callable[[Any], Table]

    def measure(self, seed: int = 0) -> Any:
        """The data, computed with one BLAS thread, whatever the machine has.

        Small matrices are quicker so, and the numbers do not depend on how sums are divided.
        """
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1):
            return self.data(seed=seed)
