"""What a winner comes to on the test part: its metric, how sure that is, and others beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hpsearch.metrics import Metric
from hpsearch.metrics.intervals import interval

__all__ = ["tested"]


def tested(
    metrics: Sequence[Metric],
    predictions: np.ndarray,
    y: np.ndarray,
    groups: np.ndarray | None,
) -> dict[str, Any]:
    """Measure predictions of the test part.

    Args:
        metrics: the one that decides, and after it those that are recorded beside it.
        predictions: for the rows: probabilities (n, n_classes), or a quantity (n,).
        y: their classes, or the quantity (n,).
        groups: which group each row belongs to (n,), where rows are divided by group.

    Returns:
        What the store keeps of it.
    """
    metric, *also = metrics
    ends = interval(metric, y, predictions, groups=groups)
    return {
        "test": metric.value(y, predictions),
        "test_interval": None if ends is None else list(ends),
        "test_rows": len(y),
        "test_also": {one.name: one.value(y, predictions) for one in also},
    }
