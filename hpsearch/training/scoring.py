"""A network's outputs by a metric: after each epoch, at the end, and beside others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hpsearch.metrics import Metric
from hpsearch.nn.losses import Loss
from hpsearch.training.targets import Targets

__all__ = ["EpochScore", "values"]


class EpochScore:
    """What a training is scored by after each epoch; see `train`.

    A dear metric is computed after the first epoch, in the middle and at the end. In between its
    last score stands in the curve, and the validation loss decides which epoch is the best.

    Args:
        metric: decides.
        loss: of the network.
        targets: say what its outputs mean.
        y: of the validation rows (n,), in their own units.
        weight: how much each of them counts (n,); None: all the same.
        epochs: how long it trains.

    Attributes:
        curve: the score after each epoch, greater being better.
        computed: the scores that are an epoch's own, by epoch from 1.
    """

    def __init__(
        self,
        metric: Metric,
        loss: type[Loss],
        targets: Targets,
        y: np.ndarray,
        epochs: int,
        weight: np.ndarray | None = None,
    ) -> None:
        self.metric, self.loss, self.targets, self.y = metric, loss, targets, y
        self.weight = weight
        self.looks = {1, (epochs + 1) // 2, epochs} if metric.dear else range(1, epochs + 1)
        self.curve: list[float] = []
        self.computed: dict[int, float] = {}

    def __call__(self, outputs: np.ndarray, learned: np.ndarray) -> float:
        """The score of an epoch's outputs (n, n_outputs), or what stands for it."""
        epoch = len(self.curve) + 1
        if epoch in self.looks:
            self.computed[epoch] = self.score(outputs, self.y, self.weight)
            self.curve.append(self.computed[epoch])
        else:
            self.curve.append(self.curve[-1])
        return -self.loss.mean(outputs, learned) if self.metric.dear else self.curve[-1]

    def score(self, outputs: np.ndarray, y: np.ndarray, weight: np.ndarray | None) -> float:
        """The metric of outputs, greater being better."""
        value = self.metric.value(y, _predictions(self.metric, outputs, self.targets), weight)
        return self.metric.score(value)


def values(
    metrics: Sequence[Metric],
    outputs: np.ndarray,
    y: np.ndarray,
    targets: Targets,
    weight: np.ndarray | None = None,
) -> Mapping[str, float]:
    """Each metric of outputs, by name and in its own units."""
    return {m.name: m.value(y, _predictions(m, outputs, targets), weight) for m in metrics}


def _predictions(metric: Metric, outputs: np.ndarray, targets: Targets) -> np.ndarray:
    """What a metric reads of raw outputs; the largest logit already names the label."""
    return outputs if metric.needs == "labels" else targets.read(outputs)
