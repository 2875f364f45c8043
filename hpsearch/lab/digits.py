"""The digits, divided in two and standardized, as several experiments learn from them."""

from __future__ import annotations

import numpy as np

from hpsearch.data import Preprocessor, load_dataset

__all__ = ["CLASSES", "two_parts"]

CLASSES = 10


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
