"""scikit-learn's scorers, asked with predictions that are there already.

A scorer takes an estimator. `Scorer` gives it one that answers what was predicted, so that
scikit-learn itself decides what it reads and how, as it would for the user's own estimator.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from functools import cache
from inspect import signature
from typing import Any

import numpy as np

from hpsearch.metrics.arrays import Weight
from hpsearch.metrics.measure import Bounds
from hpsearch.metrics.metric import Needs, Task

__all__ = ["About", "Scorer", "about", "scorer_names"]


@dataclass(frozen=True)
class Scorer:
    """The formula of a scorer of scikit-learn; greater is better, an error is negative.

    Args:
        name: as `sklearn.metrics.get_scorer_names` lists it.
        task: what it is for.
        classes: how many there are, in a classification.
    """

    name: str
    task: Task
    classes: int

    def __call__(self, y: np.ndarray, predictions: np.ndarray, weight: Weight = None) -> float:
        """Its value; nan where scikit-learn has none for such classes, values or predictions."""
        from sklearn.metrics import get_scorer

        given = {} if weight is None else {"sample_weight": weight}
        estimator = _answering(self.task, self.classes, predictions)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                return float(get_scorer(self.name)(estimator, np.empty((len(y), 0)), y, **given))
            except ValueError:
                return math.nan


@dataclass(frozen=True)
class About:
    """What there is to know of a scorer before it is asked.

    Attributes:
        task: what it is for; None where it is for clusterings.
        needs: what it reads of predictions of two classes.
        average: "binary" where it is of two classes, "samples" where of several labels a row.
        bounds: between which it lies.
        weighted: whether rows may have weights.
    """

    task: Task | None
    needs: Needs
    average: str | None
    bounds: Bounds
    weighted: bool


def scorer_names() -> list[str]:
    """All scorers that scikit-learn has, those of clusterings left out."""
    from sklearn.metrics import get_scorer_names

    return [name for name in get_scorer_names() if about(name).task is not None]


def about(name: str) -> About:
    """Look at a scorer of scikit-learn.

    >>> about("neg_brier_score").needs, about("rand_score").task, about("precision").average
    ('probabilities', None, 'binary')
    """
    from sklearn.metrics import get_scorer

    scorer = get_scorer(name)
    module = scorer._score_func.__module__
    if ".cluster." in module:
        return About(None, "labels", None, (None, None), weighted=False)
    weighted = "sample_weight" in signature(scorer._score_func).parameters
    if module.endswith("_regression"):
        high = 0.0 if name.startswith("neg_") else 1.0
        return About("regression", "values", None, (None, high), weighted)
    method = scorer._response_method
    needs: Needs = "labels" if method == "predict" else "probabilities"
    average = "binary" if "likelihood_ratio" in name else scorer._kwargs.get("average")
    return About("classification", needs, average, _bounds(name), weighted)


def _bounds(name: str) -> Bounds:
    if name.startswith("neg_"):
        return (None, 0.0)
    if name.startswith("d2_"):
        return (None, 1.0)
    return (0.0, None) if "likelihood_ratio" in name else (0.0, 1.0)


def _answering(task: Task, classes: int, predictions: np.ndarray) -> Any:
    """An estimator, in scikit-learn's sense, that answers these predictions to whatever rows."""
    estimator = _estimator(task)()
    estimator.classes_, estimator.predictions = np.arange(classes), predictions
    return estimator


@cache
def _estimator(task: Task) -> Any:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

    class Classifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
        def predict(self, _X: np.ndarray) -> np.ndarray:
            said: np.ndarray = self.predictions
            return said if said.ndim == 1 else said.argmax(axis=1)

        def predict_proba(self, _X: np.ndarray) -> np.ndarray:
            said: np.ndarray = self.predictions
            return said

    class Regressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
        def predict(self, _X: np.ndarray) -> np.ndarray:
            said: np.ndarray = self.predictions
            return said

    return Classifier if task == "classification" else Regressor
