"""Simple models that a network has to be better than: linear, of neighbours, of boosted trees.

Each has its library's defaults, sees the same rows as the winner's last training, and answers the
same test rows. Boosted trees are what most tables are best served by (Grinsztajn, Oyallon and
Varoquaux, Why do tree-based models still outperform deep learning on tabular data?, 2022).
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpsearch.data import DataHandle, Preprocessor

__all__ = ["SIMPLE_MODELS", "SimpleJob", "SimpleResult", "models_for", "simple_job"]

TREES = 10
"""Trees of a boosting between two looks at the clock."""

NEIGHBOURS_ROWS = 20_000
"""Up to so many rows a model of neighbours is of use, and fast."""

MOST_CATEGORIES = 255
"""Categories that scikit-learn's histogram gradient boosting takes; a column of more is ordered."""


@dataclass(frozen=True)
class SimpleJob:
    """A simple model to fit and to ask.

    Attributes:
        data: where the data are.
        kind: a name in `SIMPLE_MODELS`.
        seed: of what it draws.
        seconds: that fitting may take.
    """

    data: DataHandle
    kind: str
    seed: int
    seconds: float


@dataclass(frozen=True)
class SimpleResult:
    """What a simple model answers.

    Attributes:
        predictions: of the test rows, in their order: probabilities (n, classes), or values (n,).
        seconds: that fitting and asking took.
        cut: how far it came where its time was over, in words; empty if it was fitted whole.
    """

    predictions: NDArray[np.float64]
    seconds: float
    cut: str = ""


def models_for(rows: int) -> tuple[str, ...]:
    """The names of the models that are worth fitting to so many rows."""
    return tuple(name for name in SIMPLE_MODELS if name != "neighbours" or rows <= NEIGHBOURS_ROWS)


def simple_job(job: SimpleJob) -> SimpleResult:
    """Fit a simple model to training and validation part, and ask it for the test part."""
    rows = job.data.undivided()
    start = time.perf_counter()
    fit = SIMPLE_MODELS[job.kind]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a default did not converge is no news here
        predictions, cut = fit(rows.X_train, rows.y_train, rows.X_test, rows.categories, job)
    if job.data.n_classes:
        predictions = predictions.astype(np.float64, copy=False)
    return SimpleResult(predictions, time.perf_counter() - start, cut)


Fitted = tuple[NDArray[Any], str]
Categories = Mapping[int, tuple[str, ...]]


def _linear(
    X: NDArray[np.float32],
    y: NDArray[Any],
    X_test: NDArray[np.float32],
    categories: Categories,
    job: SimpleJob,
) -> Fitted:
    from sklearn.linear_model import LogisticRegression, Ridge

    inputs, asked = _standardized(X, X_test, categories)
    if job.data.n_classes:
        model = LogisticRegression(max_iter=1000)
        return _probabilities(model.fit(inputs, y), asked, job), ""
    return Ridge().fit(inputs, y).predict(asked), ""


def _neighbours(
    X: NDArray[np.float32],
    y: NDArray[Any],
    X_test: NDArray[np.float32],
    categories: Categories,
    job: SimpleJob,
) -> Fitted:
    from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

    inputs, asked = _standardized(X, X_test, categories)
    neighbours = min(5, len(inputs))
    if job.data.n_classes:
        model = KNeighborsClassifier(neighbours)
        return _probabilities(model.fit(inputs, y), asked, job), ""
    return KNeighborsRegressor(neighbours).fit(inputs, y).predict(asked), ""


def _boosting(
    X: NDArray[np.float32],
    y: NDArray[Any],
    X_test: NDArray[np.float32],
    categories: Categories,
    job: SimpleJob,
) -> Fitted:
    """Histogram gradient boosting, tree after tree until its time is over.

    Friedman (Greedy function approximation, 2001); Ke et al. (LightGBM, 2017).
    """
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    small = [column for column, names in categories.items() if len(names) <= MOST_CATEGORIES]
    kind = HistGradientBoostingClassifier if job.data.n_classes else HistGradientBoostingRegressor
    model = kind(random_state=job.seed, categorical_features=small or None, warm_start=True)
    whole, deadline = model.max_iter, time.perf_counter() + job.seconds
    cut = ""
    for trees in range(TREES, whole + TREES, TREES):
        model.set_params(max_iter=min(trees, whole)).fit(X, y)
        if model.n_iter_ < trees:  # it has stopped early, as its defaults have it do on many rows
            break
        if trees < whole and time.perf_counter() > deadline:
            cut = f"{trees} of {whole} trees"
            break
    if job.data.n_classes:
        return _probabilities(model, X_test, job), cut
    return model.predict(X_test), cut


def _standardized(
    X: NDArray[np.float32], X_test: NDArray[np.float32], categories: Categories
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    preprocessor = Preprocessor.fit(X, "standardize", categories=categories)
    return preprocessor.transform(X), preprocessor.transform(X_test)


def _probabilities(model: Any, X: NDArray[np.float32], job: SimpleJob) -> NDArray[np.float64]:
    """Of all classes; one that no row to learn from has is never expected."""
    probabilities = np.zeros((len(X), job.data.n_classes))
    probabilities[:, model.classes_] = model.predict_proba(X)
    return probabilities


SIMPLE_MODELS: Mapping[str, Callable[..., Fitted]] = {
    "linear": _linear,
    "neighbours": _neighbours,
    "boosting": _boosting,
}
"""By name; the strongest comes last."""
