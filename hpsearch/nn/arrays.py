"""The array type of the network, and a scalar of it."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["CHUNK", "Array", "Labels", "Targets", "scalar"]

Array: TypeAlias = npt.NDArray[np.floating]
"""float32 when training in earnest, float64 for gradient checks; the code is the same."""

Labels: TypeAlias = npt.NDArray[np.integer]
"""Class numbers, from 0."""

Targets: TypeAlias = npt.NDArray[Any]
"""What is learned: labels (n,), or numbers (n, n_outputs)."""

CHUNK = 16_384
"""Elements that several passes over a long vector take at a time: 64 KiB of float32, so that even
the six vectors of Adam stay in the second-level cache between the passes."""


def scalar(value: float, dtype: npt.DTypeLike) -> Array:
    """A number as a 0-d array, which a ufunc takes without converting it on every call.

    Args:
        value: the number.
        dtype: the network's dtype, so that float32 stays float32.

    Returns:
        Array of shape ().
    """
    return np.array(value, dtype=dtype)
