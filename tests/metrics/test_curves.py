"""Numbers for pictures of predictions, beside scikit-learn's."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn import metrics as sk
from sklearn.calibration import calibration_curve

from hpsearch.metrics.curves import (
    by_class,
    calibration,
    precision_recall_curve,
    residuals,
    roc_curve,
)
from hpsearch.metrics.labels import confusion_matrix


def made(n: int = 150) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, n)
    return y, np.round(rng.random(n) * 0.7 + 0.3 * y, 2), rng.random(n)


def test_a_confusion_matrix_has_true_classes_in_rows() -> None:
    rng = np.random.default_rng(0)
    y, labels, weight = rng.integers(0, 3, 50), rng.integers(0, 3, 50), rng.random(50)
    assert confusion_matrix(y, labels).tolist() == sk.confusion_matrix(y, labels).tolist()
    ours = confusion_matrix(y, labels, weight)
    assert ours == pytest.approx(sk.confusion_matrix(y, labels, sample_weight=weight))
    assert confusion_matrix(y, labels, classes=5).shape == (5, 5)


def test_recall_and_precision_of_each_class() -> None:
    y, labels = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 1, 1, 0, 0])
    shares = by_class(confusion_matrix(y, labels, classes=4))
    recalls = sk.recall_score(y, labels, average=None)
    assert [share.recall for share in shares[:3]] == pytest.approx(recalls)
    assert [share.precision for share in shares[:2]] == pytest.approx([0.5, 0.5])
    assert math.isnan(shares[2].precision)  # nothing has that label
    assert math.isnan(shares[3].recall)
    assert [share.rows for share in shares] == [3, 2, 1, 0]


@pytest.mark.parametrize("weighted", [False, True])
def test_curves_are_scikit_learn_s(weighted: bool) -> None:
    y, decision, weight = made()
    w = weight if weighted else None
    curve = roc_curve(y == 1, decision, w)
    x, up, thresholds = sk.roc_curve(y, decision, sample_weight=w, drop_intermediate=False)
    assert curve.x == pytest.approx(x)
    assert curve.y == pytest.approx(up)
    assert curve.threshold[1:] == pytest.approx(thresholds[1:])
    curve = precision_recall_curve(y == 1, decision, w)
    precision, recall, thresholds = sk.precision_recall_curve(y, decision, sample_weight=w)
    assert curve.x == pytest.approx(recall[:-1][::-1])
    assert curve.y == pytest.approx(precision[:-1][::-1])
    assert curve.threshold == pytest.approx(thresholds[::-1])


def test_a_long_curve_is_thinned_between_its_ends() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 5000)
    decision = rng.random(5000) + y
    curve = roc_curve(y == 1, decision)
    assert len(curve.x) == 100
    assert (curve.x[0], curve.y[0], curve.x[-1], curve.y[-1]) == (0, 0, 1, 1)
    assert np.trapezoid(curve.y, curve.x) == pytest.approx(sk.roc_auc_score(y, decision), abs=1e-3)


def test_a_curve_of_one_class_is_not_known() -> None:
    assert np.isnan(roc_curve(np.ones(3, bool), np.array([0.1, 0.2, 0.3])).x).all()


def test_calibration_is_of_bins_of_as_many_rows() -> None:
    y, p, weight = made(1000)
    bins = calibration(y == 1, p)
    observed, predicted = calibration_curve(y, p, n_bins=10, strategy="quantile")
    assert bins.predicted == pytest.approx(predicted, abs=0.02)
    assert bins.observed == pytest.approx(observed, abs=0.1)
    assert bins.rows.sum() == 1000
    assert bins.rows.min() > 60
    weighted = calibration(y == 1, p, weight)
    assert weighted.rows.sum() == pytest.approx(weight.sum())
    assert weighted.error == pytest.approx(0.1, abs=0.1)


def test_rows_of_one_probability_are_one_bin() -> None:
    bins = calibration(np.array([True, False, True, True]), np.full(4, 0.5))
    assert (bins.predicted.tolist(), bins.observed.tolist()) == ([0.5], [0.75])
    assert bins.error == 0.25


def test_residuals_keep_a_sample_by_the_predicted_value() -> None:
    rng = np.random.default_rng(0)
    values = rng.standard_normal(3000)
    seen = residuals(values + 1.0, values, most=100)
    assert len(seen.predicted) == 100
    assert (np.diff(seen.predicted) >= 0).all()
    assert seen.predicted[[0, -1]].tolist() == [values.min(), values.max()]
    assert seen.quantiles == pytest.approx((1.0,) * 5)
    assert seen.true - seen.predicted == pytest.approx(np.ones(100))
