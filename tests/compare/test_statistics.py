from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hpsearch.compare.statistics import (
    average_ranks,
    bootstrap_interval,
    holm,
    interquartile_mean,
    probability_of_improvement,
    wilcoxon,
)
from hpsearch.errors import UsageError

# Shares of 20 rows, so that equals are frequent.
grid_scores = st.lists(st.integers(0, 20).map(lambda k: k / 20), min_size=1, max_size=9)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=30))
def test_the_interquartile_mean_is_scipys_trimmed_mean(scores: list[float]) -> None:
    """rliable's definition: scipy.stats.trim_mean with a quarter cut off at each end."""
    expected = stats.trim_mean(scores, 0.25)
    assert float(interquartile_mean(scores)) == pytest.approx(expected, abs=1e-12)


def test_the_interquartile_mean_works_along_an_axis() -> None:
    table = rng().random((3, 8))
    rows = [float(interquartile_mean(row)) for row in table]
    assert interquartile_mean(table, axis=1).tolist() == pytest.approx(rows)
    assert interquartile_mean(table.T, axis=0).tolist() == pytest.approx(rows)
    assert float(interquartile_mean(table)) == pytest.approx(
        stats.trim_mean(table, 0.25, axis=None)
    )


def test_the_interval_of_a_mean_is_scipys_percentile_bootstrap() -> None:
    sample = rng(1).normal(size=40)
    ours = bootstrap_interval(sample, statistic=np.mean, resamples=20_000, rng=rng(2))
    theirs = stats.bootstrap(
        (sample,), np.mean, method="percentile", n_resamples=20_000, rng=rng(3)
    ).confidence_interval
    assert ours.estimate == pytest.approx(sample.mean())
    assert ours.low == pytest.approx(theirs.low, abs=0.02)
    assert ours.high == pytest.approx(theirs.high, abs=0.02)


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    """80% nominal, of 30 normal numbers; the percentile bootstrap is a little too narrow."""
    held = 0
    for seed in range(300):
        sample = rng(seed).normal(size=30)
        interval = bootstrap_interval(
            sample, statistic=np.mean, level=0.8, resamples=400, rng=rng(1000 + seed)
        )
        held += interval.low <= 0.0 <= interval.high
    assert 0.70 <= held / 300 <= 0.87


def difference(x: Any, y: Any, axis: int) -> Any:
    return np.median(x, axis=axis) - np.median(y, axis=axis)


def test_pairs_are_resampled_together() -> None:
    """The same seeds share their luck, which cancels in pairs and in no other way."""
    luck = rng().normal(size=15)
    paired = bootstrap_interval(luck + 0.1, luck, statistic=difference, rng=rng(1))
    assert paired == pytest.approx((0.1, 0.1, 0.1))


def test_strata_are_resampled_within_themselves() -> None:
    """Two data sets without any spread inside them leave no uncertainty; pooled, they would."""
    hard, easy = np.full(5, 0.2), np.full(10, 0.8)
    stratified = bootstrap_interval([hard, easy], statistic=np.mean, rng=rng())
    assert stratified == pytest.approx((0.6, 0.6, 0.6))
    pooled = bootstrap_interval(np.concatenate([hard, easy]), statistic=np.mean, rng=rng())
    assert pooled.low < 0.5 < 0.7 < pooled.high


def test_rows_of_a_table_are_strata_too() -> None:
    table = rng().random((2, 6))
    one = bootstrap_interval(table, statistic=interquartile_mean, rng=rng(5))
    other = bootstrap_interval(list(table), statistic=interquartile_mean, rng=rng(5))
    assert one == other
    assert one.low < one.estimate < one.high


def test_infinite_values_stay_infinite() -> None:
    def least_half(x: Any, axis: int) -> Any:
        return np.quantile(x, 0.5, axis=axis, method="inverted_cdf")

    sample = [0.2, 0.3, 0.4, math.inf, math.inf]
    interval = bootstrap_interval(sample, statistic=least_half, rng=rng())
    assert interval == (0.4, 0.2, math.inf)


def test_the_probability_of_improvement_has_an_interval() -> None:
    x, y = [0.9, 0.8, 0.85, 0.7], [0.6, 0.75, 0.8, 0.65]
    interval = bootstrap_interval(x, y, statistic=probability_of_improvement, rng=rng())
    assert interval.estimate == pytest.approx(13.5 / 16)
    assert 0.0 <= interval.low <= interval.estimate <= interval.high <= 1.0


@pytest.mark.parametrize(
    "samples",
    [(), ([],), ([1.0], [1.0, 2.0]), ([[1.0], [2.0]], [1.0, 2.0]), ([[1.0], []],)],
)
def test_what_is_not_paired_is_refused(samples: tuple[Any, ...]) -> None:
    with pytest.raises(UsageError, match="repeats cannot be resampled"):
        bootstrap_interval(*samples, statistic=difference, rng=rng())


@given(grid_scores, grid_scores)
def test_the_probability_of_improvement_is_mann_whitneys_u(x: list[float], y: list[float]) -> None:
    u = stats.mannwhitneyu(x, y, method="asymptotic").statistic if set(x + y) - {x[0]} else None
    expected = 0.5 if u is None else u / (len(x) * len(y))
    assert float(probability_of_improvement(x, y)) == pytest.approx(expected)
    assert float(probability_of_improvement(y, x)) == pytest.approx(1 - expected)


def test_the_probability_of_improvement_works_along_an_axis() -> None:
    x, y = rng(0).random((4, 3, 5)), rng(1).random((4, 3, 5))
    found = probability_of_improvement(x, y)
    assert found.shape == (4, 3)
    assert found[2, 1] == probability_of_improvement(x[2, 1], y[2, 1])
    assert (probability_of_improvement(x, y, axis=0)[0, 0]) == probability_of_improvement(
        x[:, 0, 0], y[:, 0, 0]
    )


@pytest.mark.parametrize("n", [1, 2, 5, 6, 10])
def test_if_all_repeats_agree_the_p_value_is_the_least_there_is(n: int) -> None:
    x = np.arange(1, n + 1) / 100
    assert wilcoxon(x, np.zeros(n)) == pytest.approx(2.0 ** (1 - n))
    assert wilcoxon(np.zeros(n), x) == pytest.approx(2.0 ** (1 - n))


@pytest.mark.parametrize("n", [3, 7, 12, 25])
def test_without_equals_the_p_value_is_scipys_exact_one(n: int) -> None:
    x, y = rng(n).normal(0.3, size=n), rng(n + 1).normal(size=n)
    assert wilcoxon(x, y) == pytest.approx(stats.wilcoxon(x, y, method="exact").pvalue)


@given(st.lists(st.integers(-4, 4), min_size=1, max_size=8))
def test_with_equals_the_p_value_counts_all_signs(steps: list[int]) -> None:
    differences = [step for step in steps if step]
    x = np.array(steps) / 100 + 0.5
    expected = 1.0
    if differences:
        ranks = stats.rankdata(np.abs(differences))
        observed = ranks[np.array(differences) > 0].sum()
        sums = [
            (ranks * signs).sum() for signs in itertools.product((0, 1), repeat=len(differences))
        ]
        below, above = np.mean(np.array(sums) <= observed), np.mean(np.array(sums) >= observed)
        expected = min(1.0, 2 * min(below, above))
    assert wilcoxon(x, np.full(len(steps), 0.5)) == pytest.approx(expected)


def test_no_difference_is_no_evidence() -> None:
    assert wilcoxon([0.5, 0.6, 0.7], [0.5, 0.6, 0.7]) == 1.0


def test_equal_differences_are_equal_though_their_last_bits_are_not() -> None:
    x, y = np.array([0.9, 0.2, 0.4, 0.3]), np.array([0.8, 0.1, 0.3, 0.4])
    assert len(set((x - y)[:3].tolist())) == 3
    assert wilcoxon(x, y) == wilcoxon([1, 1, 1, -1], [0, 0, 0, 0])


@pytest.mark.parametrize(("x", "y"), [([1.0], [1.0, 2.0]), ([math.nan], [1.0]), ([[1.0]], [[0.0]])])
def test_a_paired_test_needs_pairs(x: Any, y: Any) -> None:
    with pytest.raises(UsageError, match="paired test"):
        wilcoxon(x, y)


@pytest.mark.parametrize(
    ("p", "adjusted"),
    [
        # R 4: p.adjust(p, "holm")
        ([0.01, 0.02, 0.03, 0.04], [0.04, 0.06, 0.06, 0.06]),
        ([0.04, 0.01, 0.03], [0.06, 0.03, 0.06]),
        ([0.5, 0.9], [1.0, 1.0]),
        ([0.2], [0.2]),
        ([], []),
    ],
)
def test_holm(p: list[float], adjusted: list[float]) -> None:
    assert holm(p).tolist() == pytest.approx(adjusted)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=10))
def test_holm_lies_between_no_correction_and_bonferronis(p: list[float]) -> None:
    adjusted = holm(p)
    assert (adjusted >= np.array(p)).all()
    assert (adjusted <= np.minimum(1.0, len(p) * np.array(p)) + 1e-12).all()
    assert (np.diff(adjusted[np.argsort(p, kind="stable")]) >= 0).all()


@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 99))
def test_mean_ranks_average_to_the_middle(rows: int, strategies: int, seed: int) -> None:
    table = rng(seed).integers(0, 4, size=(rows, strategies)) / 10
    ranks = average_ranks(table)
    assert ranks.mean() == pytest.approx((strategies + 1) / 2)
    assert ((ranks >= 1) & (ranks <= strategies)).all()


def test_ranks_share_among_equals_to_the_last_bit_or_nearly() -> None:
    assert average_ranks([[0.1 + 0.2, 0.3, 0.9]]).tolist() == [2.5, 2.5, 1.0]


@pytest.mark.parametrize("table", [[[0.5, math.nan]], [0.5], [[]]])
def test_ranks_need_a_full_table(table: Any) -> None:
    with pytest.raises(UsageError, match="full table"):
        average_ranks(table)
