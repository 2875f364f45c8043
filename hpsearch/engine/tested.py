"""What a winner comes to on the test part: its metric, how sure that is, and what one number hides.

The rows are used once. What is kept of them is enough for all pictures, and small.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hpsearch.engine.metadata import metadata_errors, read_metadata
from hpsearch.metrics import Metric
from hpsearch.metrics.curves import (
    ClassShare,
    Curve,
    Reliability,
    Residuals,
    by_class,
    calibration,
    precision_recall_curve,
    residuals,
    roc_curve,
)
from hpsearch.metrics.intervals import interval
from hpsearch.metrics.labels import POSITIVE, confusion_matrix
from hpsearch.metrics.probabilities import auc_of_two, precision_of_two
from hpsearch.metrics.threshold import decided, labels_by

if TYPE_CHECKING:
    from optuna import Study

__all__ = ["TESTED", "ClassCurves", "SeenClasses", "looked_at", "measured", "read_seen"]

TESTED = "tested"
"""Of a study: what its winner made of the test rows; see `looked_at`."""

MOST = 60
"""Of more classes no confusion matrix is kept."""

CURVES = 6
"""Of more classes so many have curves: those that are ranked worst."""


def measured(
    metrics: Sequence[Metric],
    predictions: np.ndarray,
    y: np.ndarray,
    groups: np.ndarray | None = None,
    weight: np.ndarray | None = None,
    threshold: float | None = None,
) -> dict[str, Any]:
    """Measure predictions of the test part.

    Args:
        metrics: the one that decides, and after it those that are recorded beside it.
        predictions: for the rows: probabilities (n, n_classes), or a quantity (n,).
        y: their classes, or the quantity (n,).
        groups: which group each row belongs to (n,), where rows were divided by group.
        weight: how much each row counts (n,); None: all the same.
        threshold: from which probability on a row gets the positive label of two; None: from half.

    Returns:
        What the store keeps of it.
    """
    metric, *also = metrics
    read = decided(metric, predictions, threshold)
    ends = interval(metric, y, read, weight=weight, groups=groups)
    return {
        "test": metric.value(y, read, weight),
        "test_interval": None if ends is None else list(ends),
        "test_rows": len(y),
        "test_also": {
            one.name: one.value(y, decided(one, predictions, threshold), weight) for one in also
        },
    }


def looked_at(
    predictions: np.ndarray,
    y: np.ndarray,
    positive: int = POSITIVE,
    threshold: float | None = None,
) -> dict[str, Any] | None:
    """What pictures of the test part need, in terms of JSON.

    Args:
        predictions: as for `measured`.
        y: likewise.
        positive: the code of the class that is looked for, of two.
        threshold: as for `measured`.

    Returns:
        Of classes the confusion matrix, curves, and the calibration: of the positive class of two,
        of several of the label that a row got. Of a quantity rows with both values, and quantiles
        of the errors. None where predictions are not finite.
    """
    if not np.isfinite(predictions).all():
        return None
    if predictions.ndim == 1:
        seen = residuals(y, predictions)
        predicted, true, quantiles = _digits([seen.predicted, seen.true, seen.quantiles])
        return {"predicted": predicted, "true": true, "quantiles": quantiles}
    classes, labels = predictions.shape[1], predictions.argmax(axis=1)
    if threshold is not None:
        labels = labels_by(threshold, predictions, positive)
    codes = [positive] if classes == 2 else list(range(classes))
    areas = {code: auc_of_two(y == code, predictions[:, code]) for code in codes}
    known = sorted((code for code in codes if areas[code] >= 0), key=areas.__getitem__)[:CURVES]
    sure = (labels == y, predictions.max(axis=1))
    if classes == 2:
        sure = (y == positive, predictions[:, positive])
    return {
        "confusion": confusion_matrix(y, labels, classes=classes).astype(int).tolist()
        if classes <= MOST
        else None,
        "curves": [_curves(code, areas[code], y, predictions[:, code]) for code in sorted(known)],
        "calibration": _digits(calibration(*sure)),
    }


def _curves(code: int, area: float, y: np.ndarray, decision: np.ndarray) -> dict[str, Any]:
    return {
        "class": code,
        "roc_auc": area,
        "average_precision": precision_of_two(y == code, decision),
        "roc": _digits(roc_curve(y == code, decision)),
        "precision_recall": _digits(precision_recall_curve(y == code, decision)),
    }


@dataclass(frozen=True)
class ClassCurves:
    """The curves of a class against the rest.

    Attributes:
        name: of the class.
        roc_auc, average_precision: the areas under them.
        roc, precision_recall: the curves.
    """

    name: str
    roc_auc: float
    average_precision: float
    roc: Curve
    precision_recall: Curve


@dataclass(frozen=True)
class SeenClasses:
    """What a winner made of test rows that have classes.

    Attributes:
        classes: their names.
        confusion: (classes, classes), true classes in rows; None where there are too many.
        curves: of the positive class of two, of each of several, or of the worst of many.
        calibration: of the positive class of two; of several of the label that a row got.
    """

    classes: tuple[str, ...]
    confusion: np.ndarray | None
    curves: tuple[ClassCurves, ...]
    calibration: Reliability

    @property
    def by_class(self) -> list[ClassShare]:
        """Recall and precision of each class; none where there are too many."""
        return [] if self.confusion is None else by_class(self.confusion)


def read_seen(study: Study) -> SeenClasses | Residuals | None:
    """What a study keeps of its test rows; None of one that is not tested, or older.

    Raises:
        StorageError: the metadata are damaged.
    """
    kept = read_metadata(study, TESTED)
    about = read_metadata(study, "data")
    if kept is None or about is None:
        return None
    with metadata_errors(study, TESTED):
        if "predicted" in kept:
            predicted, true, quantiles = _arrays(
                kept[k] for k in ("predicted", "true", "quantiles")
            )
            if len(predicted) != len(true) or len(quantiles) != 5:
                raise ValueError("as many true values as predicted ones, and five quantiles")
            return Residuals(predicted, true, tuple(quantiles.tolist()))
        return _seen_classes(kept, tuple(about["classes"]))


def _seen_classes(kept: Mapping[str, Any], names: tuple[str, ...]) -> SeenClasses:
    cells = None if kept["confusion"] is None else np.array(kept["confusion"], dtype=np.float64)
    if cells is not None and cells.shape != (len(names), len(names)):
        raise ValueError(f"a confusion matrix of shape {cells.shape}")
    return SeenClasses(
        names,
        cells,
        tuple(
            ClassCurves(
                names[one["class"]],
                one["roc_auc"],
                one["average_precision"],
                Curve(*_arrays(one["roc"])),
                Curve(*_arrays(one["precision_recall"])),
            )
            for one in kept["curves"]
        ),
        Reliability(*_arrays(kept["calibration"])),
    )


def _digits(columns: Iterable[Iterable[float]]) -> list[list[float | None]]:
    """Numbers in few digits; what is infinite is null."""
    return [
        [float(f"{x:.4g}") if np.isfinite(x) else None for x in map(float, column)]
        for column in columns
    ]


def _arrays(columns: Iterable[Sequence[float | None]]) -> list[np.ndarray]:
    return [np.array([np.inf if x is None else x for x in c], dtype=np.float64) for c in columns]
