from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from hpsearch.search.base import Result, Slot
from hpsearch.search.effects import explained, ranks


def result(score: float | None) -> Result:
    return Result(Slot(0, 0, {}, 0, 1), score or 0.0, complete=score is not None)


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([0.1, 0.3, 0.2], [1, 3, 2]),
        ([0.5, 0.5, 0.1], [2.5, 2.5, 1]),
        ([0.5, None, -9.0, None], [4, 1.5, 3, 1.5]),
        ([], []),
    ],
)
def test_ranks_share_places_and_put_the_diverged_last(
    scores: list[float | None], expected: list[float]
) -> None:
    assert ranks([result(s) for s in scores]).tolist() == expected


def test_the_test_is_scipys_linear_regression() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=30)
    y = stats.rankdata(0.5 * x + rng.normal(size=30))
    reference = stats.linregress(x, y)
    found = explained([x.tolist()], y.tolist())
    assert found.share == pytest.approx(reference.rvalue**2)
    assert found.p == pytest.approx(reference.pvalue)


def test_a_hump_is_seen_as_well_as_a_slope() -> None:
    x = np.linspace(-1, 1, 24)
    hump = stats.rankdata(-(x**2)).tolist()
    assert explained([x.tolist()], hump).p > 0.9
    assert explained([x.tolist(), (x**2).tolist()], hump).p < 1e-6


def test_p_values_of_unrelated_features_are_uniform() -> None:
    rng = np.random.default_rng(1)
    p = []
    for _ in range(500):
        x = rng.random(20)
        ranking = rng.permutation(20).astype(float).tolist()
        p.append(explained([x.tolist(), (x**2).tolist()], ranking).p)
    assert stats.kstest(p, "uniform").pvalue > 0.01


@pytest.mark.parametrize(
    ("features", "ranking"),
    [
        ([[]], []),
        ([[1.0]], [1.0]),
        ([[1.0, 2.0]], [1.0, 2.0]),  # a line through two points explains nothing
        ([[1.0, 2.0, 3.0]], [2.0, 2.0, 2.0]),  # nothing to explain
        ([[5.0, 5.0, 5.0, 5.0]], [1.0, 2.0, 3.0, 4.0]),  # nothing to explain it with
    ],
)
def test_too_little_to_tell(features: list[list[float]], ranking: list[float]) -> None:
    assert explained(features, ranking) == (0.0, 1.0)


def test_a_perfect_fit_is_certain() -> None:
    assert explained([[1.0, 2.0, 3.0, 4.0]], [1.0, 2.0, 3.0, 4.0]) == (1.0, 0.0)
