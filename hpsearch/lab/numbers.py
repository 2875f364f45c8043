"""What an experiment measured in terms of JSON."""

from __future__ import annotations

import math
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from hpsearch.lab import experiment

__all__ = ["LARGEST", "document"]

LARGEST = 1000
"""Numbers that are printed of one array."""


def document(name: str, data: Any) -> dict[str, Any]:
    """An experiment with its sentence and its numbers.

    Args:
        name: of the experiment.
        data: what it measured.

    Returns:
        ``experiment``, ``title``, ``sees``, ``data``; and ``thinned``, which says for each array of
        more than 1,000 numbers which of them are there.

    Raises:
        UnknownNameError: there is no such experiment.
    """
    made, thinned = experiment(name), dict[str, str]()
    plain = _plain(data, "data", thinned)
    said = {"experiment": name, "title": made.title, "sees": data.sees()}
    return {**said, "data": plain, "thinned": thinned}


def _plain(value: Any, path: str, thinned: dict[str, str]) -> Any:
    if is_dataclass(value):
        return {
            f.name: _plain(getattr(value, f.name), f"{path}.{f.name}", thinned)
            for f in fields(value)
        }
    if isinstance(value, dict):
        return {str(k): _plain(v, f"{path}.{k}", thinned) for k, v in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(_few(value, path, thinned).tolist(), path, thinned)
    if isinstance(value, list | tuple):
        return [_plain(v, f"{path}.{n}", thinned) for n, v in enumerate(value)]
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value


def _few(array: np.ndarray, path: str, thinned: dict[str, str]) -> np.ndarray:
    """Evenly spaced entries along the longest axis, where there are too many."""
    if array.size <= LARGEST:
        return array
    axis = int(np.argmax(array.shape))
    length, step = array.shape[axis], -(-array.size // LARGEST)
    thinned[path] = f"every {step}th of {length} along axis {axis}"
    return array.take(np.arange(0, length, step), axis=axis)
