"""What a winner comes to on the test part: its metric, how sure that is, and others beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hpsearch.metrics import Metric
from hpsearch.metrics.intervals import interval
from hpsearch.training.scoring import predictions, values

__all__ = ["tested"]


def tested(metrics: Sequence[Metric], outputs: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    """Measure predictions of the test part.

    Args:
        metrics: the one that decides, and after it those that are recorded beside it.
        outputs: the network's raw outputs for the rows (n, n_outputs).
        y: their classes (n,).

    Returns:
        What the store keeps of it.
    """
    metric, *also = metrics
    read = predictions(metric, outputs)
    ends = interval(metric, y, read)
    return {
        "test": metric.value(y, read),
        "test_interval": None if ends is None else list(ends),
        "test_rows": len(y),
        "test_also": dict(values(also, outputs, y)),
    }
