"""Learning-rate schedules: how the rate falls from its full value to ``decay`` times it.

Each schedule is a function of t, the share of the training's horizon that is done, from 0 to 1, and
of ``decay``, the factor that is reached at the end (1 means no decay). So ``decay`` has the same
meaning for each, and a search may draw it without knowing the schedule.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["SCHEDULES", "Schedule", "constant", "cosine", "exponential", "inverse_time", "step"]

Shares: TypeAlias = npt.NDArray[np.float64]
Schedule: TypeAlias = Callable[[Shares, float], Shares]

_STEPS = 4


def constant(t: Shares, decay: float) -> Shares:
    """The full rate throughout; ``decay`` is ignored."""
    del decay
    return np.ones_like(t)


def step(t: Shares, decay: float) -> Shares:
    """Four equal parts at 1, decay^(1/3), decay^(2/3) and decay times the full rate.

    >>> step(np.array([0.0, 0.3, 0.6, 0.9, 1.0]), 0.001).round(3).tolist()
    [1.0, 0.1, 0.01, 0.001, 0.001]
    """
    part = np.minimum(np.floor(t * _STEPS), _STEPS - 1)
    factors: Shares = decay ** (part / (_STEPS - 1))
    return factors


def exponential(t: Shares, decay: float) -> Shares:
    """The same fraction is lost in every step: decay^t."""
    factors: Shares = decay**t
    return factors


def inverse_time(t: Shares, decay: float) -> Shares:
    """1/(1 + k t), with k such that the end is ``decay`` (Robbins and Monro, 1951)."""
    factors: Shares = 1.0 / (1.0 + (1.0 / decay - 1.0) * t)
    return factors


def cosine(t: Shares, decay: float) -> Shares:
    """Half a cosine wave from 1 to ``decay`` (Loshchilov and Hutter, SGDR, 2017, equation 5).

    >>> cosine(np.array([0.0, 0.5, 1.0]), 0.1).round(3).tolist()
    [1.0, 0.55, 0.1]
    """
    factors: Shares = decay + (1.0 - decay) * (1.0 + np.cos(np.pi * t)) / 2.0
    return factors


SCHEDULES: dict[str, Schedule] = {
    "constant": constant,
    "step": step,
    "exponential": exponential,
    "inverse-time": inverse_time,
    "cosine": cosine,
}
"""Schedules by name."""
