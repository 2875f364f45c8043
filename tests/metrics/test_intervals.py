"""Intervals of metrics: Wilson's for shares, BCa for the rest, by group where rows are grouped."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from hpsearch.metrics import metric_named
from hpsearch.metrics.intervals import difference_interval, interval, wilson_interval

ACCURACY = metric_named("accuracy", "classification", 2)
AREA = metric_named("roc_auc", "classification", 2)
F1 = metric_named("f1", "classification", 2)
RMSE = metric_named("rmse", "regression")


def two_classes(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    p = 1 / (1 + np.exp(-rng.standard_normal(n) - y))
    return y, np.c_[1 - p, p]


def test_a_share_of_rows_has_wilsons_interval() -> None:
    y, p = two_classes(200)
    right = int((p.argmax(axis=1) == y).sum())
    assert interval(ACCURACY, y, p) == wilson_interval(right, 200)


def test_bca_agrees_with_scipy() -> None:
    rng = np.random.default_rng(1)
    y = rng.standard_normal(120)
    values = y + rng.standard_t(3, 120)
    ours = interval(RMSE, y, values)
    theirs = stats.bootstrap(
        (y - values,),
        lambda error, axis: np.sqrt(np.mean(error**2, axis=axis)),
        n_resamples=9999,
        rng=rng,
    ).confidence_interval
    width = theirs.high - theirs.low
    assert ours is not None
    assert ours.low == pytest.approx(theirs.low, abs=0.08 * width)
    assert ours.high == pytest.approx(theirs.high, abs=0.08 * width)


def test_few_kinds_of_rows_are_resampled_as_all_rows_would_be() -> None:
    """Labels make few kinds of rows; weights of one forbid the short cut, and change nothing."""
    y, p = two_classes(300)
    short, long = interval(F1, y, p), interval(F1, y, p, weight=np.ones(300))
    assert short is not None
    assert long is not None
    assert short == pytest.approx(long, abs=0.01)


def test_rows_of_a_group_count_together() -> None:
    y, p = two_classes(80)
    alone = interval(AREA, y, p)
    copied = interval(
        AREA, np.repeat(y, 5), np.repeat(p, 5, axis=0), groups=np.repeat(range(80), 5)
    )
    naive = interval(AREA, np.repeat(y, 5), np.repeat(p, 5, axis=0))
    assert alone is not None
    assert copied is not None
    assert naive is not None
    assert copied == pytest.approx(alone, abs=0.02)
    assert naive.high - naive.low < 0.6 * (alone.high - alone.low)


def test_differences_are_of_pairs() -> None:
    y, p = two_classes(300)
    slightly = p + 0.02 * np.random.default_rng(2).standard_normal(p.shape)
    paired = difference_interval(AREA, y, p, slightly)
    alone = interval(AREA, y, p)
    assert paired is not None
    assert alone is not None
    assert paired.low < AREA.value(y, p) - AREA.value(y, slightly) < paired.high
    assert paired.high - paired.low < 0.3 * (alone.high - alone.low)
    assert difference_interval(AREA, y, p, p) == (0.0, 0.0)


@pytest.mark.parametrize("metric", [AREA, F1, ACCURACY])
def test_an_interval_is_the_same_every_time_and_holds_the_value(metric: object) -> None:
    y, p = two_classes(60)
    found = interval(metric, y, p, weight=np.linspace(0.5, 2, 60))  # type: ignore[arg-type]
    assert found is not None
    assert found == interval(metric, y, p, weight=np.linspace(0.5, 2, 60))  # type: ignore[arg-type]
    assert found.low < metric.value(y, p, np.linspace(0.5, 2, 60)) < found.high  # type: ignore[attr-defined]


def test_resamples_without_a_class_are_left_out() -> None:
    """Else one in twenty areas would be a half, which is where such an interval would begin."""
    y = np.r_[np.zeros(97, int), np.ones(3, int)]
    p = np.r_[np.linspace(0, 0.9, 97), 0.95, 0.97, 0.99]
    assert interval(AREA, y, p) == (1.0, 1.0)


def test_nothing_is_told_of_one_row_or_one_group() -> None:
    y, p = two_classes(10)
    assert interval(AREA, y[:1], p[:1]) is None
    assert interval(AREA, y, p, groups=np.zeros(10)) is None
    assert interval(AREA, np.zeros(10, int), p) is None


def test_a_metric_without_weights_is_resampled_by_repeating_rows() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 60)
    p = rng.dirichlet(np.ones(3), 60) + np.eye(3)[y]
    metric = metric_named("neg_max_error", "regression")
    values = p[:, 0]
    assert interval(metric, y * 1.0, values) is not None


def test_of_very_many_rows_the_interval_is_the_normal_one(monkeypatch: pytest.MonkeyPatch) -> None:
    y, p = two_classes(4000)
    drawn = interval(AREA, y, p)
    monkeypatch.setattr("hpsearch.metrics.intervals.VERY_MANY", 3000)
    normal = interval(AREA, y, p)
    assert drawn is not None
    assert normal is not None
    width = drawn.high - drawn.low
    assert list(normal) == pytest.approx(list(drawn), abs=0.2 * width)


@pytest.mark.slow
def test_bca_holds_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(5)
    held = 0
    for _ in range(120):
        error = rng.standard_exponential(60)
        found = interval(RMSE, np.zeros(60), error)
        assert found is not None
        held += found.low <= np.sqrt(2) <= found.high
    assert held >= 100
