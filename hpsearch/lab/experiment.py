"""What the experiments of the lab have in common: what one is, the digits, figures with a title."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from hpsearch.data import Preprocessor, load_dataset
from hpsearch.plots.style import Figure, blank_figure, label

__all__ = ["CLASSES", "Experiment", "log_axis", "titled_figure", "two_parts"]

CLASSES = 10


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


def two_parts(seed: int) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Samples and labels of four fifths to train, and of the last fifth to validate.

    Args:
        seed: of the division; the preprocessing is fitted on the training part.
    """
    digits = load_dataset("digits")
    rows = np.random.default_rng(seed).permutation(len(digits.y))
    train, held = np.split(rows, [len(rows) * 4 // 5])
    prepare = Preprocessor.fit(digits.X[train], "standardize").transform
    return (prepare(digits.X[train]), digits.y[train]), (prepare(digits.X[held]), digits.y[held])


def titled_figure(title: str, x: str, y: str, *, height: int = 340, legend_rows: int = 0) -> Figure:
    """A figure without traces, under a title of its own.

    Args:
        title: what is drawn.
        x: the name of its horizontal axis, with the unit where there is one.
        y: of its vertical axis.
        height: in pixels.
        legend_rows: how many rows its legend needs on a telephone.
    """
    figure = blank_figure(x, y, height=height)
    figure.update_layout(
        title={"text": label(title), "font": {"size": 15}, "x": 0, "y": 0.98, "yanchor": "top"},
        margin={"t": 36 + (18 + 18 * legend_rows if legend_rows else 0)},
    )
    return figure


def log_axis(values: Collection[float]) -> dict[str, object]:
    """An axis in powers of ten; with 2 and 5 between them, and written out, where it is short.

    Args:
        values: what it is for, of which those above zero count.
    """
    low, high = (math.log10(end(v for v in values if v > 0)) for end in (min, max))
    if high - low > 1.5:
        step = math.ceil((high - low) / 5)
        return {"type": "log", "exponentformat": "power", "dtick": step}
    decades = range(math.floor(low), math.ceil(high) + 1)
    ticks = [digit * 10.0**decade for decade in decades for digit in (1, 2, 5)]
    return {"type": "log", "tickvals": ticks, "ticktext": [f"{tick:g}" for tick in ticks]}
