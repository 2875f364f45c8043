"""How much each training sample counts.

Weights are scaled to a mean of one over all that is trained on, and a batch still divides by its
number of samples. So the sum over an epoch is the weighted mean, the expected gradient of a batch
is that of the whole, and no batch divides by a sum that happens to be zero; dividing by the weights
in a batch would make a light batch count as much as a heavy one.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hpsearch.errors import UsageError
from hpsearch.nn.arrays import Labels

__all__ = ["balanced", "scaled"]


def scaled(weights: npt.ArrayLike, n: int) -> npt.NDArray[np.float64] | None:
    """Weights with a mean of one.

    Args:
        weights: how much each of n samples counts (n,), 0 or more.
        n: samples.

    Returns:
        Array (n,), or None where all are the same.

    Raises:
        UsageError: they are not n finite numbers of at least 0, or none is above it.

    >>> scaled([1.0, 3.0], 2).tolist()
    [0.5, 1.5]
    """
    given = np.asarray(weights)
    if given.shape != (n,) or given.dtype.kind not in "fiub":
        raise UsageError(
            f"sample_weight has shape {given.shape} and type {given.dtype}; give one number for "
            f"each of the {n} samples."
        )
    numbers: npt.NDArray[np.float64] = given.astype(np.float64)
    # The largest comes to 1 first, so that no sum overflows.
    largest = numbers.max(initial=0.0)
    if not np.isfinite(numbers).all() or numbers.min(initial=0.0) < 0 or largest == 0:
        raise UsageError(
            "sample_weight must be finite numbers of at least 0, and not all of them zero."
        )
    numbers /= largest
    numbers /= numbers.mean()
    return None if (numbers == numbers[0]).all() else numbers


def balanced(
    labels: Labels, classes: int, weights: npt.NDArray[np.float64] | None = None
) -> npt.NDArray[np.float64]:
    """Weights with which all classes count the same: n / (classes * samples of the class).

    That is scikit-learn's ``balanced``. A sample with a weight counts as so many.

    Args:
        labels: class numbers (n,).
        classes: how many there are.
        weights: of the samples (n,); None for 1 each.

    Returns:
        The weight of each sample (n,), its own included.

    >>> balanced(np.array([0, 0, 0, 1]), 2).round(3).tolist()
    [0.667, 0.667, 0.667, 2.0]
    """
    own = np.ones(len(labels)) if weights is None else weights
    counts = np.bincount(labels, own, minlength=classes)
    factors = own.sum() / (classes * np.where(counts > 0, counts, 1.0))
    product: npt.NDArray[np.float64] = own * factors[labels]
    return product
