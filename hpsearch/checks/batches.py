"""Batches too small for batch normalization."""

from __future__ import annotations

from hpsearch.checks.check import Check
from hpsearch.checks.context import CheckContext
from hpsearch.space import Categorical, Float, Int, Space

__all__ = ["batch_normalization"]

FEW = 8
"""With fewer samples the error rises steeply (Wu and He, 2018, Group Normalization, figure 1)."""


def batch_normalization(context: CheckContext, space: Space) -> Check | None:
    """Whether the smallest batch that the study may draw has enough samples to be normalized by.

    Args:
        context: rows and specification.
        space: what the study searches.

    Returns:
        The check, or None for a study without batch normalization.
    """
    searched = space.parameters.get("batch_norm")
    if not (
        context.spec.network.batch_norm
        or (isinstance(searched, Categorical) and True in searched.choices)
    ):
        return None
    batch = space.parameters.get("batch_size")
    size = context.spec.training.batch_size
    if isinstance(batch, Categorical):
        size = min(choice for choice in batch.choices if isinstance(choice, int))
    elif isinstance(batch, Float | Int):
        size = int(batch.low)
    size = min(size, context.total)
    enough = size >= FEW
    return Check(
        "batch normalization",
        "pass" if enough else "fail" if size == 1 else "warn",
        f"batches of {size}",
        f"{FEW} or more",
        "a batch has enough samples to be normalized by"
        if enough
        else "a batch of one has no spread to be normalized by, and training refuses it: raise "
        "batch_size, or set batch_norm to false"
        if size == 1
        else "so few samples give noisy statistics: raise batch_size, or set batch_norm to false",
    )
