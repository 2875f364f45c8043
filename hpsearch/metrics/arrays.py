"""Types of arrays that metrics read and give."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["Array", "Codes", "Weight"]

Array: TypeAlias = npt.NDArray[np.floating[Any]]
"""Probabilities, decisions, values, or what is computed of them."""

Codes: TypeAlias = npt.NDArray[np.integer[Any]]
"""The number of each row's class, from 0 on."""

Weight: TypeAlias = Array | None
"""Of each row (n,), not negative; None where all count the same."""
