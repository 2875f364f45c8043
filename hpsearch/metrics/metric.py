"""What a metric is: a name, a direction, what it reads of predictions, and how it is computed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from hpsearch.errors import DataError, UsageError
from hpsearch.metrics.arrays import Array, Weight
from hpsearch.metrics.labels import POSITIVE
from hpsearch.metrics.measure import Measure

__all__ = ["Metric", "Needs", "Task"]

Task: TypeAlias = Literal["classification", "regression"]
Needs: TypeAlias = Literal["labels", "probabilities", "decision", "values"]
"""Of predictions: the likeliest class, every class's probability, how sure a row of two classes is
of the positive one, or numbers."""


@dataclass(frozen=True, kw_only=True)
class Metric(Measure):
    """A measure of predictions, in its own units and its own direction.

    Attributes:
        task: what it is for.
        needs: what it reads of predictions.
        compute: its formula, of the true classes or values, of what it needs, and of the rows'
            weights; nan where it is undefined.
        undefined: its value where the true classes leave it undefined, whatever is predicted; None
            where such data cannot be measured with it.
        classes: how many there are, in a classification.
        positive: the code of the class that is looked for, of two.
        weighted: whether rows may have weights.
        dear: whether it takes too long for every epoch.
    """

    task: Task
    needs: Needs
    compute: Callable[[Any, Any, Weight], float]
    undefined: float | None = None
    classes: int = 0
    positive: int = POSITIVE
    weighted: bool = True
    dear: bool = False

    def value(self, y: np.ndarray, predictions: np.ndarray, weight: Weight = None) -> float:
        """The metric of predictions; always finite.

        Predictions for which it is undefined, as negative ones are to a logarithmic error, count
        like the best constant prediction.

        Args:
            y: true class codes (n,), or values (n,) or (n, targets).
            predictions: a classifier's probabilities (n, classes); any scores of which the largest
                names the class are enough where it needs labels. Labels (n,) and decisions (n,)
                are taken as they are. A regressor's values, of the shape of ``y``.
            weight: of each row (n,).

        Raises:
            DataError: it is undefined for these classes or values, whatever is predicted.
            UsageError: rows have weights, and it knows none.
        """
        value = self.raw(y, predictions, weight)
        return value if math.isfinite(value) else self.constant(y, y, weight)

    def raw(self, y: np.ndarray, predictions: np.ndarray, weight: Weight = None) -> float:
        """The same, but not finite where it is undefined."""
        if weight is not None and not self.weighted:
            raise UsageError(
                f"the metric {self.name} knows no weights of rows; choose another.", key="metric"
            )
        needed = self.needed(predictions)
        if self.classes == 2 and self.positive != POSITIVE:
            y, needed = 1 - y, self._of_the_other(needed)
        with np.errstate(all="ignore"):
            return self.compute(y, needed, weight)

    def needed(self, predictions: np.ndarray) -> np.ndarray:
        """Of a model's predictions what the metric reads: labels, decisions, or all of them."""
        if predictions.ndim == 1 or self.needs in ("probabilities", "values"):
            return predictions
        return predictions.argmax(axis=1) if self.needs == "labels" else predictions[:, -1]

    def constant(
        self,
        y_train: np.ndarray,
        y: np.ndarray,
        weight: Weight = None,
        train_weight: Weight = None,
    ) -> float:
        """What the best constant predictor comes to: what a known-bad training counts with.

        It answers each class's share of the training rows, or the label, mean or median that is
        best on them.

        Args:
            y_train: classes or values that it learns from.
            y: those that it is measured on.
            weight: of each row of ``y``.
            train_weight: of each row of ``y_train``.

        Raises:
            DataError: as for `value`.
        """
        best = self.best_constant(y_train, train_weight)
        if best is not None:
            value = self.raw(y, self.answers(best, y), weight)
            if math.isfinite(value):
                return value
        if self.undefined is None:
            raise DataError(
                f"the metric {self.name} is undefined for these {self._of_rows}, whatever is "
                "predicted; choose another.",
                key="metric",
            )
        return self.undefined

    def best_constant(self, y_train: np.ndarray, weight: Weight = None) -> Array | None:
        """What the best constant predictor answers to any row.

        Args:
            y_train: classes or values that it learns from.
            weight: of each of these rows.

        Returns:
            A label, the probabilities of the classes, or a value of each target; None where the
            metric is undefined for all of these.
        """
        answers = list(self._constants(y_train, weight))
        if len(answers) == 1:
            return answers[0]
        values = [self.raw(y_train, self.answers(answer, y_train), weight) for answer in answers]
        defined = [k for k, value in enumerate(values) if math.isfinite(value)]
        best = max(defined, key=lambda k: self.score(values[k]), default=None)
        return None if best is None else answers[best]

    @property
    def measure(self) -> Measure:
        """What there is to know of it without predictions."""
        return Measure(self.name, self.direction, self.bounds)

    @property
    def _of_rows(self) -> str:
        return "classes" if self.task == "classification" else "values"

    def _constants(self, y: np.ndarray, weight: Weight) -> Iterator[Array]:
        """What a constant predictor may answer for a row, having seen these."""
        if self.task == "regression":
            yield np.average(y, axis=0, weights=weight)
            yield np.median(y if weight is None else y[weight > 0], axis=0)
            return
        counts = np.bincount(y, weight, minlength=self.classes)
        if self.needs != "labels":
            yield counts / counts.sum()
            return
        # Of two classes either may be best, of several one of the largest.
        for code in np.argsort(-counts, kind="stable")[:2]:
            yield np.asarray(code)

    def _of_the_other(self, needed: np.ndarray) -> np.ndarray:
        """Labels, probabilities or decisions of two classes, where the first is the positive."""
        if self.needs == "probabilities":
            return needed[:, ::-1]
        return 1 - needed if self.needs == "labels" else -needed

    @staticmethod
    def answers(constant: Array, y: np.ndarray) -> np.ndarray:
        """The same answer for every row."""
        return np.broadcast_to(constant, (len(y), *constant.shape))
