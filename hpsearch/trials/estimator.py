"""A trial of an estimator of scikit-learn's kind: fitted to each fold, scored on its other rows."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np

from hpsearch.data import DataHandle, Preprocessor
from hpsearch.errors import HpsearchError, UsageError, shown
from hpsearch.kinds import WELL_KNOWN
from hpsearch.metrics import POSITIVE, Metric, Task, metric_named
from hpsearch.outcome import Outcome, TrialFailedError, here
from hpsearch.training.fitted import answers_of, frame_of, kept_estimator, tells_probabilities
from hpsearch.training.jobs import Predictions
from hpsearch.trials.function import given_in_python, imported, what_was_raised

__all__ = [
    "ROWS",
    "EstimatorJob",
    "LastFit",
    "fit_job",
    "last_job",
    "made",
    "seeds_of",
    "validation_job",
    "weight_of",
]

ROWS = "n_samples"
"""The resource that is no parameter: how many rows of the training part it is fitted to."""


@dataclass(frozen=True)
class EstimatorJob:
    """A trial of an estimator.

    Attributes:
        data: where the rows are.
        path: of its class, or of a function that makes one; empty if it was given in Python.
        beside: a folder in which its module may lie.
        configuration: the values of its parameters.
        seed: of whatever is random in it.
        length: how much of the resource it gets.
        resource: a parameter, or `ROWS`; empty where there is none.
        preprocessing: what is done to the columns before it; None: it gets a data frame.
        variance: as in `DataHandle.fold`.
        columns: the names of that frame.
        metric: what scores it.
        also: what is recorded beside.
        positive: the code of the class that metrics look for, of two.
        test: whether to score the test part too.
    """

    data: DataHandle
    path: str
    beside: str
    configuration: Mapping[str, Any]
    seed: int
    length: int
    resource: str
    preprocessing: str | None
    variance: float
    columns: tuple[str, ...]
    metric: str
    also: tuple[str, ...] = ()
    positive: int = POSITIVE
    test: bool = False


@dataclass(frozen=True)
class LastFit:
    """The winner, fitted to training and validation part together.

    Attributes:
        predictions: for the test rows: probabilities (n, n_classes), or a quantity (n,).
        content: the fitted estimator; see `kept_estimator`.
        preprocessor: what was fitted on the same rows before it; None where it gets a data frame.
    """

    predictions: np.ndarray
    content: bytes
    preprocessor: Preprocessor | None
    diverged: bool = False  # which no estimator does


def fit_job(job: EstimatorJob, stop: Callable[[], bool] | None = None) -> Outcome:
    """Fit the estimator to the training part of each fold, and score it on its validation part.

    Raises:
        TrialFailedError: it raised, or its answers are not what the metric asks for.
    """
    del stop
    start = time.perf_counter()
    metrics = _metrics(job)
    folds, beside, tested = [], [], []
    for k in range(job.data.n_folds):
        rows = _Rows.of(job, k)
        model = _fitted(job, rows, k)
        said = _answers(job, model, rows.X_asked, metrics)
        values = [metric.value(rows.y_asked, said, rows.weight_asked) for metric in metrics]
        folds.append(metrics[0].score(values[0]))
        beside.append(values[1:])
        if job.test:
            X, y, weight = rows.test()
            said = _answers(job, model, X, metrics)
            tested.append(metrics[0].score(metrics[0].value(y, said, weight)))
    means = [fmean(column) for column in zip(*beside, strict=True)]
    return Outcome(
        fmean(folds),
        fold_scores=tuple(folds),
        seconds=time.perf_counter() - start,
        test_score=fmean(tested) if tested else None,
        worker=here(),
        also=dict(zip(job.also, means, strict=True)),
    )


def validation_job(job: EstimatorJob, stop: Callable[[], bool] | None = None) -> Predictions:
    """The trial of `fit_job` once more, and what it says of the validation rows."""
    del stop
    metrics = _metrics(job)
    scores, predictions, y, weights = [], [], [], []
    for k in range(job.data.n_folds):
        rows = _Rows.of(job, k)
        said = _answers(job, _fitted(job, rows, k), rows.X_asked, metrics)
        scores.append(metrics[0].score(metrics[0].value(rows.y_asked, said, rows.weight_asked)))
        predictions.append(said)
        y.append(np.array(rows.y_asked))
        weights.append(rows.weight_asked)
    return Predictions(fmean(scores), True, tuple(predictions), tuple(y), tuple(weights))


def last_job(job: EstimatorJob, stop: Callable[[], bool] | None = None) -> LastFit:
    """Fit the winner to training and validation part together, and ask it for the test rows."""
    del stop
    rows = _Rows.of(job, None)
    model = _fitted(job, rows, 0)
    predictions = _answers(job, model, rows.X_asked, _metrics(job))
    return LastFit(predictions, kept_estimator(model), rows.preprocessor)


@dataclass(frozen=True, eq=False)
class _Rows:
    """The rows of a fold, or of the last fit, as the estimator wants them."""

    job: EstimatorJob
    fold: int | None
    X: Any
    y: np.ndarray
    weight: np.ndarray | None
    X_asked: Any
    y_asked: np.ndarray
    weight_asked: np.ndarray | None
    preprocessor: Preprocessor | None

    @classmethod
    def of(cls, job: EstimatorJob, fold: int | None) -> _Rows:
        data, kind = job.data, job.preprocessing
        if kind is None:
            raw = data.undivided(fold)
            frames = (frame_of(X, job.columns, raw.categories) for X in (raw.X_train, raw.X_test))
            X, asked = frames
            return cls(
                job, fold, X, raw.y_train, raw.weight_train, asked, raw.y_test,
                raw.weight_test, None,
            )  # fmt: skip
        if fold is None:
            rows, preprocessor = data.refit(kind, variance=job.variance)
        else:
            rows, preprocessor = data.fold(fold, kind, variance=job.variance), None
        return cls(
            job, fold, rows.X_train, rows.y_train, rows.weight_train, rows.X_validation,
            rows.y_validation, rows.weight_validation, preprocessor,
        )  # fmt: skip

    def test(self) -> tuple[Any, np.ndarray, np.ndarray | None]:
        """The test part, as this fold sees it."""
        job = self.job
        if job.preprocessing is not None:
            assert self.fold is not None, "asked of trials"
            return job.data.test(self.fold, job.preprocessing, variance=job.variance)
        raw = job.data.undivided(None)
        X = frame_of(raw.X_test, job.columns, raw.categories)
        return X, raw.y_test, raw.weight_test


def made(path: str, beside: str, given: Any = None) -> Any:
    """An estimator that is not fitted.

    Args:
        path: of its class, or of a function that makes one, with points or as MODULE:NAME.
        beside: a folder in which its module may lie.
        given: one that was given in Python, where there is no path.

    Raises:
        UsageError: there is none.
    """
    from sklearn.base import clone

    if not path:
        return clone(given)
    module, _, name = path.rpartition(".")
    where = path if ":" in path or not module else f"{module}:{name}"
    make = imported(where, beside, "estimator")
    package = where.partition(":")[0].partition(".")[0]
    if package in WELL_KNOWN and not _makes_estimators(make):
        raise UsageError(
            f"{path} is no class of estimators, and nothing else of {package} is called",
            key="estimator",
        )
    try:
        estimator = make()
    except (Exception, SystemExit) as error:
        raise UsageError(
            f"{path} cannot be made without arguments: {what_was_raised(error)}; name a function "
            "that makes it",
            key="estimator",
        ) from None
    if not (hasattr(estimator, "fit") and hasattr(estimator, "get_params")):
        raise UsageError(
            f"{path} makes a {type(estimator).__name__}, which is no estimator: it has no fit or "
            "no get_params",
            key="estimator",
        )
    return estimator


def _makes_estimators(found: Any) -> bool:
    return isinstance(found, type) and hasattr(found, "fit") and hasattr(found, "get_params")


def seeds_of(estimator: Any) -> list[str]:
    """The parameters of an estimator, and of its parts, that seed what is random in it."""
    return [name for name in estimator.get_params() if name.split("__")[-1] == "random_state"]


def weight_of(estimator: Any) -> str | None:
    """What ``fit`` calls the weights of rows; None where it takes none."""
    from sklearn.utils.validation import has_fit_parameter

    steps = getattr(estimator, "steps", None)
    if steps:
        inner = weight_of(steps[-1][1])
        return inner and f"{steps[-1][0]}__{inner}"
    return "sample_weight" if has_fit_parameter(estimator, "sample_weight") else None


def _in_its_types(configuration: Mapping[str, Any], estimator: Any) -> dict[str, Any]:
    """Values as its parameters want them: TOML has no tuples, and some take nothing else."""
    own = estimator.get_params()
    return {
        name: tuple(value)
        if isinstance(value, list) and isinstance(own.get(name), tuple)
        else value
        for name, value in configuration.items()
    }


def _metrics(job: EstimatorJob) -> list[Metric]:
    task: Task = "classification" if job.data.n_classes else "regression"
    names = (job.metric, *job.also)
    return [metric_named(name, task, job.data.n_classes, job.positive) for name in names]


def _fitted(job: EstimatorJob, rows: _Rows, fold: int) -> Any:
    """The estimator of a job, fitted.

    Raises:
        TrialFailedError: it raised.
    """
    given = None if job.path else given_in_python(job.data.folder, job.data.fingerprint)
    estimator = made(job.path, job.beside, given)
    X, y, weight = rows.X, rows.y, rows.weight
    settings = _in_its_types(job.configuration, estimator)
    seed = job.seed ^ fold  # each fold its own
    settings |= {name: seed for name in seeds_of(estimator) if name not in settings}
    if job.resource == ROWS:
        X, y, weight = _some(X, y, weight, job.length, seed)
    elif job.resource:
        settings[job.resource] = job.length
    weighted = None if weight is None else weight_of(estimator)
    fit = {} if weighted is None else {weighted: weight}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it has not converged is no news in a search
            estimator.set_params(**settings)
            return estimator.fit(X, y, **fit)
    except HpsearchError:
        raise
    except (Exception, SystemExit) as error:
        raise TrialFailedError(what_was_raised(error)) from None


def _some(
    X: Any, y: np.ndarray, weight: np.ndarray | None, count: int, seed: int
) -> tuple[Any, np.ndarray, np.ndarray | None]:
    """So many of the rows, drawn at random, in their order."""
    if count >= len(y):
        return X, y, weight
    drawn = np.sort(np.random.default_rng(seed).choice(len(y), count, replace=False))
    taken = X.iloc[drawn] if hasattr(X, "iloc") else X[drawn]
    return taken, y[drawn], None if weight is None else weight[drawn]


def _answers(job: EstimatorJob, model: Any, X: Any, metrics: list[Metric]) -> np.ndarray:
    """What it says of rows.

    Raises:
        TrialFailedError: it raised, says what is no number, or tells no probabilities where a
            metric asks for them.
    """
    for metric in metrics:
        if metric.needs == "probabilities" and not tells_probabilities(model):
            raise TrialFailedError(
                f"the metric {metric.name} needs probabilities, and {type(model).__name__} tells "
                "none with these parameters; choose another metric, or set what makes it tell them"
            )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            answers = answers_of(model, X, job.data.n_classes)
    except HpsearchError:
        raise
    except Exception as error:
        raise TrialFailedError(what_was_raised(error)) from None
    odd = np.flatnonzero(~np.isfinite(answers.reshape(len(answers), -1)).all(axis=1))
    if len(odd):
        value = answers[odd[0]]
        raise TrialFailedError(f"its answer for a row is {shown(value)}, which is no finite number")
    return answers
