"""Metrics by name: our own, which are cheap enough for every epoch, and scikit-learn's scorers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hpsearch.errors import UnknownNameError, UsageError
from hpsearch.metrics.arrays import Weight
from hpsearch.metrics.labels import (
    POSITIVE,
    ByClass,
    LikelihoodRatio,
    accuracy,
    balanced_accuracy,
    mcc,
    quadratic_kappa,
)
from hpsearch.metrics.measure import Bounds, Direction
from hpsearch.metrics.metric import Metric, Needs, Task
from hpsearch.metrics.probabilities import (
    OneVsOne,
    OneVsRest,
    auc_of_two,
    average_precision,
    brier_score,
    d2_brier_score,
    d2_log_loss,
    log_loss,
    precision_of_two,
    roc_auc,
    top_two_accuracy,
)
from hpsearch.metrics.scorers import Scorer, about, scorer_names
from hpsearch.metrics.values import (
    d2_absolute_error,
    explained_variance,
    gamma_deviance,
    mae,
    mape,
    max_error,
    median_error,
    mse,
    msle,
    poisson_deviance,
    r2,
    rmse,
    rmsle,
)

__all__ = ["DEFAULT", "OWN", "check_metric", "metric_named"]

DEFAULT = {"classification": "accuracy", "regression": "rmse"}
"""The metric of a study that names none, by task. The errors of a regression are told in the
target's units; r2 would rank a study's trials the same, and depends on the rows' variance too."""

_SHARE = (0.0, 1.0)
_CORRELATION = (-1.0, 1.0)
_ERROR = (0.0, None)


@dataclass(frozen=True)
class Negated:
    """A loss as scikit-learn's scorers have it: greater is better."""

    loss: Callable[[Any, Any, Weight], float]

    def __call__(self, y: np.ndarray, predictions: np.ndarray, weight: Weight = None) -> float:
        return -self.loss(y, predictions, weight)


def _own(
    name: str,
    direction: Direction,
    task: Task,
    needs: Needs,
    compute: Callable[[Any, Any, Weight], float],
    bounds: Bounds,
    **more: Any,
) -> Metric:
    return Metric(name, direction, bounds, task=task, needs=needs, compute=compute, **more)


OWN = {
    metric.name: metric
    for metric in (
        _own("accuracy", "maximize", "classification", "labels", accuracy, _SHARE),
        _own(
            "average_precision",
            "maximize",
            "classification",
            "decision",
            average_precision,
            _SHARE,
            undefined=0.0,
        ),
        _own(
            "balanced_accuracy", "maximize", "classification", "labels", balanced_accuracy, _SHARE
        ),
        _own("f1", "maximize", "classification", "labels", ByClass("f1", "binary"), _SHARE),
        _own("f1_macro", "maximize", "classification", "labels", ByClass("f1", "macro"), _SHARE),
        _own("log_loss", "minimize", "classification", "probabilities", log_loss, _ERROR),
        _own("mae", "minimize", "regression", "values", mae, _ERROR),
        _own("mcc", "maximize", "classification", "labels", mcc, _CORRELATION),
        _own(
            "quadratic_kappa",
            "maximize",
            "classification",
            "labels",
            quadratic_kappa,
            _CORRELATION,
            undefined=0.0,
        ),
        _own("r2", "maximize", "regression", "values", r2, (None, 1.0)),
        _own("rmse", "minimize", "regression", "values", rmse, _ERROR),
        _own("roc_auc", "maximize", "classification", "decision", roc_auc, _SHARE, undefined=0.5),
    )
}
"""Those that hpsearch has a name for, of two classes where that makes a difference."""

_NEGATIVE = {
    "neg_log_loss": "log_loss",
    "neg_mean_absolute_error": "mae",
    "neg_root_mean_squared_error": "rmse",
}
_SAME = {
    "matthews_corrcoef": "mcc",
    "roc_auc_ovo": "roc_auc",
    "roc_auc_ovo_weighted": "roc_auc",
    "roc_auc_ovr": "roc_auc",
    "roc_auc_ovr_weighted": "roc_auc",
}
"""Names of scikit-learn for what is here already, where there are two classes."""

_CHEAP: dict[str, Callable[[Any, Any, Weight], float]] = {
    **{
        f"{share}_{average}".removesuffix("_binary"): ByClass(share, average)
        for share in ("precision", "recall", "f1", "jaccard")
        for average in ("binary", "macro", "weighted", "micro")
    },
    "d2_absolute_error_score": d2_absolute_error,
    "d2_brier_score": d2_brier_score,
    "d2_log_loss_score": d2_log_loss,
    "explained_variance": explained_variance,
    "neg_brier_score": Negated(brier_score),
    "neg_max_error": Negated(max_error),
    "neg_mean_gamma_deviance": Negated(gamma_deviance),
    "neg_mean_poisson_deviance": Negated(poisson_deviance),
    "neg_mean_absolute_percentage_error": Negated(mape),
    "neg_mean_squared_error": Negated(mse),
    "neg_mean_squared_log_error": Negated(msle),
    "neg_median_absolute_error": Negated(median_error),
    "neg_negative_likelihood_ratio": Negated(LikelihoodRatio(0)),
    "neg_root_mean_squared_log_error": Negated(rmsle),
    "positive_likelihood_ratio": LikelihoodRatio(1),
    "top_k_accuracy": top_two_accuracy,
}
"""scikit-learn's scorers whose formula is here."""

_SEVERAL: dict[str, Callable[[Any, Any, Weight], float]] = {
    "average_precision": OneVsRest(precision_of_two),
    "roc_auc": OneVsRest(auc_of_two),
    "roc_auc_ovr": OneVsRest(auc_of_two),
    "roc_auc_ovr_weighted": OneVsRest(auc_of_two, by_rows=True),
    "roc_auc_ovo": OneVsOne(),
    "roc_auc_ovo_weighted": OneVsOne(by_rows=True),
}
"""What sorts the rows once for each of several classes, or for each pair."""

MANY = 5
"""Of more classes than that it is dear."""


def check_metric(name: str) -> None:
    """Refuse a name that no metric has, before the task is known.

    Raises:
        UnknownNameError: so it is.
    """
    if name in OWN:
        return
    from sklearn.metrics import get_scorer_names

    if name not in get_scorer_names():
        raise UnknownNameError("metric", name, sorted({*OWN, *scorer_names()}))


def metric_named(name: str, task: Task, classes: int = 0, positive: int = POSITIVE) -> Metric:
    """The metric of a name, for a task.

    Of several classes roc_auc and average_precision are the mean over the classes, each against the
    rest.

    Args:
        name: one of `OWN`, or of ``sklearn.metrics.get_scorer_names()``.
        task: what is learned.
        classes: how many there are, in a classification.
        positive: the code of the class that is looked for, of two.

    Raises:
        UnknownNameError: there is no such metric.
        UsageError: it does not fit the task, or the number of classes.

    >>> metric_named("roc_auc", "classification", 2).direction
    'maximize'
    """
    if name in OWN:
        metric = OWN[name]
    elif name in _SAME:
        metric = replace(OWN[_SAME[name]], name=name)
    elif name in _NEGATIVE:
        metric = _negative(name, OWN[_NEGATIVE[name]])
    else:
        metric = _of_scikit_learn(name, classes)
    if metric.task != task:
        what = "predicts numbers" if task == "regression" else "learns classes"
        usual = ", ".join(each.name for each in OWN.values() if each.task == task)
        raise UsageError(
            f"the metric {name} is for {metric.task}, and the study {what}; its metrics are "
            f"{usual}, and scikit-learn's.",
            key="metric",
        )
    return (
        metric if task == "regression" else replace(_of_classes(metric, classes), positive=positive)
    )


def _of_classes(metric: Metric, classes: int) -> Metric:
    name = metric.name
    if classes > 2 and name == "f1":
        raise _of_two(name, classes)
    if classes > 2 and name in _SEVERAL:
        return replace(
            metric,
            compute=_SEVERAL[name],
            needs="probabilities",
            classes=classes,
            dear=classes > MANY,
        )
    return replace(metric, classes=classes)


def _of_scikit_learn(name: str, classes: int) -> Metric:
    check_metric(name)
    known = about(name)
    if known.task is None:
        raise UsageError(
            f"the metric {name} compares clusterings, which do not know their classes by name; "
            "choose one of classes, as accuracy or f1_macro.",
            key="metric",
        )
    if known.average == "samples":
        raise UsageError(
            f"the metric {name} is for rows of several labels each; {_macro(name)} is for one.",
            key="metric",
        )
    if known.average == "binary" and classes > 2:
        raise _of_two(name, classes)
    if name == "top_k_accuracy" and classes == 2:
        raise UsageError(
            f"the metric {name} looks at two labels a row, so that it is 1 with two classes; "
            "accuracy looks at one.",
            key="metric",
        )
    own = _CHEAP.get(name)
    scorer = Scorer(name, known.task, classes)
    return Metric(
        name,
        "maximize",
        known.bounds,
        task=known.task,
        needs=known.needs,
        compute=own or scorer,
        weighted=known.weighted,
        dear=own is None,
    )


def _of_two(name: str, classes: int) -> UsageError:
    instead = "balanced_accuracy" if "likelihood" in name else _macro(name)
    return UsageError(
        f"the metric {name} is for two classes, and there are {classes}; {instead} is for several.",
        key="metric",
    )


def _macro(name: str) -> str:
    return f"{name.removesuffix('_samples')}_macro"


def _negative(name: str, metric: Metric) -> Metric:
    low, high = metric.bounds
    bounds = (None if high is None else -high, None if low is None else -low)
    return replace(
        metric, name=name, direction="maximize", compute=Negated(metric.compute), bounds=bounds
    )
