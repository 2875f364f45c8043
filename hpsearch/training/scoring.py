"""A network's outputs by a metric: after each epoch, at the end, and beside others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hpsearch.metrics import Metric
from hpsearch.nn.losses import Loss, softmax

__all__ = ["EpochScore", "predictions", "values"]


class EpochScore:
    """What a training is scored by after each epoch; see `train`.

    A dear metric is computed after the first epoch, in the middle and at the end. In between its
    last score stands in the curve, and the validation loss decides which epoch is the best.

    Args:
        metric: decides.
        loss: of the network.
        epochs: how long it trains.

    Attributes:
        curve: the score after each epoch, greater being better.
        computed: the scores that are an epoch's own, by epoch from 1.
    """

    def __init__(self, metric: Metric, loss: type[Loss], epochs: int) -> None:
        self.metric, self.loss = metric, loss
        self.looks = {1, (epochs + 1) // 2, epochs} if metric.dear else range(1, epochs + 1)
        self.curve: list[float] = []
        self.computed: dict[int, float] = {}

    def __call__(self, outputs: np.ndarray, y: np.ndarray) -> float:
        """The score of an epoch's outputs (n, n_outputs), or what stands for it."""
        epoch = len(self.curve) + 1
        if epoch in self.looks:
            self.computed[epoch] = self.score(outputs, y)
            self.curve.append(self.computed[epoch])
        else:
            self.curve.append(self.curve[-1])
        return -self.loss.mean(outputs, y) if self.metric.dear else self.curve[-1]

    def score(self, outputs: np.ndarray, y: np.ndarray) -> float:
        """The metric of outputs, greater being better."""
        return self.metric.score(self.metric.value(y, predictions(self.metric, outputs)))


def predictions(metric: Metric, outputs: np.ndarray) -> np.ndarray:
    """What a metric reads of a network's raw outputs: probabilities, unless labels are enough.

    Args:
        metric: reads it.
        outputs: (n, n_outputs).
    """
    return outputs if metric.needs in ("labels", "values") else softmax(outputs)


def values(metrics: Sequence[Metric], outputs: np.ndarray, y: np.ndarray) -> Mapping[str, float]:
    """Each metric of outputs, by name and in its own units."""
    return {metric.name: metric.value(y, predictions(metric, outputs)) for metric in metrics}
