"""How sure a share of rows is."""

from __future__ import annotations

import math

__all__ = ["wilson_interval"]


def wilson_interval(correct: int, total: int, z: float = 1.959964) -> tuple[float, float]:
    """Wilson's score interval of a share (1927): right also near 0 and 1, and for few rows.

    Args:
        correct: successes.
        total: draws, at least one.
        z: normal quantile; 1.96 gives 95%.

    >>> low, high = wilson_interval(97, 100)
    >>> round(low, 3), round(high, 3)
    (0.915, 0.99)
    """
    share = correct / total
    centre = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z / (1 + z * z / total) * math.sqrt(share * (1 - share) / total + (z / (2 * total)) ** 2)
    return max(0.0, centre - half), min(1.0, centre + half)
