"""Simple models that a network has to be better than: linear, of neighbours, of boosted trees.

Each has its library's defaults, sees the same rows as the winner's last training, and answers the
same test rows. Boosted trees are what most tables are best served by (Grinsztajn, Oyallon and
Varoquaux, Why do tree-based models still outperform deep learning on tabular data?, 2022).
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpsearch.data import DataHandle, Preprocessor
from hpsearch.data.store import Undivided
from hpsearch.training.fitted import kept_estimator

__all__ = ["SIMPLE_MODELS", "SimpleJob", "SimpleResult", "models_for", "simple_job"]

TREES = 10
"""Trees of a boosting between two looks at the clock."""

ITERATIONS, MOST_ITERATIONS = 100, 1000
"""Iterations of a logistic regression between two looks at the clock, and in all."""

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
        fold: whose training part it sees, and whose validation part it answers; None for the rows
            of the winner's last training and of the test.
        keep: whether the fitted trees are given back; of a boosting.
    """

    data: DataHandle
    kind: str
    seed: int
    seconds: float
    fold: int | None = None
    keep: bool = False


@dataclass(frozen=True)
class SimpleResult:
    """What a simple model answers.

    Attributes:
        predictions: of the rows asked for, in their order: probabilities (n, classes), or values
            (n,).
        seconds: that fitting and asking took.
        cut: how far it came where its time was over, in words; empty if it was fitted whole.
        trees: what `Fitted` needs, where they are asked for.
    """

    predictions: NDArray[np.float64]
    seconds: float
    cut: str = ""
    trees: bytes = b""


def models_for(rows: int) -> tuple[str, ...]:
    """The names of the models that are worth fitting to so many rows."""
    return tuple(name for name in SIMPLE_MODELS if name != "neighbours" or rows <= NEIGHBOURS_ROWS)


def simple_job(job: SimpleJob, stop: Callable[[], bool] | None = None) -> SimpleResult:
    """Fit a simple model, and ask it.

    Args:
        job: what, to which rows.
        stop: asked now and then; True when nobody waits for it any more.
    """
    rows = job.data.undivided(job.fold)
    start = time.perf_counter()
    asked = _Asked(rows, job, stop or (lambda: False))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a default did not converge is no news here
        predictions, cut = SIMPLE_MODELS[job.kind](asked)
        trees = kept_estimator(asked.fitted[0]) if job.keep else b""
    return SimpleResult(predictions, time.perf_counter() - start, cut, trees)


@dataclass(frozen=True, eq=False)
class _Asked:
    rows: Undivided
    job: SimpleJob
    stop: Callable[[], bool]
    fitted: list[Any] = field(default_factory=list)

    @property
    def classes(self) -> int:
        return self.job.data.n_classes

    def standardized(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The rows to learn from and those to answer, as a network sees them."""
        rows = self.rows
        preprocessor, X = Preprocessor.fit_transform(
            rows.X_train, "standardize", categories=rows.categories, y=rows.y_train
        )
        return X, preprocessor.transform(rows.X_test)

    def answers(self, model: Any, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Values, or probabilities of all classes: one that no row has is never expected."""
        if not self.classes:
            return np.asarray(model.predict(X), np.float64)
        probabilities = np.zeros((len(X), self.classes))
        probabilities[:, model.classes_] = model.predict_proba(X)
        return probabilities


Fitted = tuple[NDArray[np.float64], str]


def _linear(asked: _Asked) -> Fitted:
    from sklearn.linear_model import LogisticRegression, Ridge

    X, wanted = asked.standardized()
    rows = {"y": asked.rows.y_train, "sample_weight": asked.rows.weight_train}
    if not asked.classes:
        return asked.answers(Ridge().fit(X, **rows), wanted), ""
    model = LogisticRegression(max_iter=ITERATIONS, warm_start=True)
    deadline = time.perf_counter() + asked.job.seconds
    for iterations in range(ITERATIONS, MOST_ITERATIONS + 1, ITERATIONS):
        if model.fit(X, **rows).n_iter_.max() < ITERATIONS:  # it has converged
            break
        if time.perf_counter() > deadline or asked.stop():
            return asked.answers(model, wanted), f"{iterations} iterations"
    return asked.answers(model, wanted), ""


def _neighbours(asked: _Asked) -> Fitted:
    from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

    X, wanted = asked.standardized()
    kind = KNeighborsClassifier if asked.classes else KNeighborsRegressor
    return asked.answers(kind(min(5, len(X))).fit(X, asked.rows.y_train), wanted), ""


def _boosting(asked: _Asked) -> Fitted:
    """Histogram gradient boosting, tree after tree until its time is over.

    Friedman (Greedy function approximation, 2001); Ke et al. (LightGBM, 2017).
    """
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    rows, job = asked.rows, asked.job
    few = [column for column, names in rows.categories.items() if len(names) <= MOST_CATEGORIES]
    kind = HistGradientBoostingClassifier if asked.classes else HistGradientBoostingRegressor
    model = kind(random_state=job.seed, categorical_features=few or None, warm_start=True)
    whole, deadline = model.max_iter, time.perf_counter() + job.seconds
    asked.fitted.append(model)
    cut = ""
    for trees in range(TREES, whole + TREES, TREES):
        model.set_params(max_iter=min(trees, whole))
        model.fit(rows.X_train, rows.y_train, sample_weight=rows.weight_train)
        if model.n_iter_ < trees:  # it has stopped early, as its defaults have it do on many rows
            break
        if trees < whole and (time.perf_counter() > deadline or asked.stop()):
            cut = f"{trees} of {whole} trees"
            break
    return asked.answers(model, rows.X_test), cut


SIMPLE_MODELS: Mapping[str, Callable[[_Asked], Fitted]] = {
    "linear": _linear,
    "neighbours": _neighbours,
    "boosting": _boosting,
}
"""By name; the strongest comes last."""
