from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.compare import efficiency
from hpsearch.compare.efficiency import best_of, efficiency_curve
from hpsearch.errors import UsageError

accuracies = st.lists(st.floats(0, 1), min_size=1, max_size=8)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_two_trials_are_weighted_by_the_normal_probability_of_being_better() -> None:
    """P(Z1 > Z2) = Phi((m1 - m2) / sqrt(v1 + v2)), by hand."""
    validation, n, draws = np.array([0.80, 0.83]), 101, 200_000
    variance = validation * (1 - validation) / (n - 1)
    z = (validation[1] - validation[0]) / math.sqrt(variance.sum())
    expected = 0.5 * (1 + math.erf(z / math.sqrt(2)))
    scored = best_of(validation, [0.7, 0.9], n_validation=n, n_test=n, draws=draws, rng=rng())
    bound = 5 * 0.5 / math.sqrt(draws)  # five standard errors
    assert scored.weights[1] == pytest.approx(expected, abs=bound)
    assert scored.mean == pytest.approx(0.7 + 0.2 * expected, abs=0.2 * bound)


def test_the_score_is_the_mixture_of_the_paper() -> None:
    validation, test = np.array([0.8, 0.82, 0.81, 0.3]), np.array([0.75, 0.85, 0.8, 0.2])
    scored = best_of(validation, test, n_validation=100, n_test=50, rng=rng())
    sigma2 = test * (1 - test) / 49
    mean = (scored.weights * test).sum()
    variance = (scored.weights * (test**2 + sigma2)).sum() - mean**2
    assert scored.mean == pytest.approx(mean)
    assert scored.variance == pytest.approx(variance)
    assert scored.weights[3] == 0.0  # chance is never the best


def test_one_trial_scores_as_itself() -> None:
    scored = best_of([0.4], [0.9], n_validation=10, n_test=10, rng=rng())
    assert scored.mean == 0.9
    assert scored.variance == pytest.approx(0.9 * 0.1 / 9)


def test_equals_without_variance_share() -> None:
    scored = best_of([1.0, 0.2, 1.0], [0.8, 0.1, 0.6], n_validation=9, n_test=9, rng=rng())
    assert scored.weights.tolist() == [0.5, 0.0, 0.5]
    assert scored.mean == pytest.approx(0.7)


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def weights() -> list[float]:
        validation = np.linspace(0.5, 0.6, 10)
        scored = best_of(validation, validation, n_validation=50, n_test=50, draws=501, rng=rng())
        return scored.weights.tolist()

    whole = weights()
    monkeypatch.setattr(efficiency, "CHUNK", 64)
    assert weights() == whole


@given(accuracies, st.integers(2, 1000), st.integers(0, 99))
def test_weights_are_probabilities_and_the_mean_lies_among_the_scores(
    scores: list[float], n: int, seed: int
) -> None:
    found = best_of(scores, scores[::-1], n_validation=n, n_test=n, draws=50, rng=rng(seed))
    assert found.weights.sum() == pytest.approx(1.0)
    assert (found.weights >= 0).all()
    assert min(scores) - 1e-9 <= found.mean <= max(scores) + 1e-9
    assert found.variance >= 0.0


@pytest.mark.parametrize(
    ("total", "sizes", "experiments"),
    [
        (8, [1, 2, 4, 8], {1: 8, 2: 4, 4: 2, 8: 1}),
        (10, [1, 4, 10], {1: 10, 4: 2, 10: 1}),
        (1, [1], {1: 1}),
        (10, [3, 5], {3: 3, 5: 2}),
    ],
)
def test_the_curve_has_disjoint_experiments_of_every_size(
    total: int, sizes: list[int], experiments: dict[int, int]
) -> None:
    scores = np.linspace(0.2, 0.9, total)
    curve = efficiency_curve(
        scores, scores, n_validation=30, n_test=30, draws=20, rng=rng(), sizes=sizes
    )
    assert {size: len(means) for size, means in curve.items()} == experiments


def test_the_curve_takes_the_best_of_each_experiment() -> None:
    """So many rows that the best is certain: a golden table by hand."""
    scores = [0.1, 0.9, 0.3, 0.2, 0.8, 0.4, 0.5, 0.6]
    curve = efficiency_curve(
        scores, scores, n_validation=10**6, n_test=10**6, rng=rng(), sizes=[1, 2, 4, 8]
    )
    best = {size: [round(mean, 6) for mean in means] for size, means in curve.items()}
    assert best[1] == scores
    assert best[2] == [0.9, 0.3, 0.8, 0.6]
    assert best[4] == [0.9, 0.8]
    assert best[8] == [0.9]


@pytest.mark.parametrize(
    ("validation", "test", "n", "message"),
    [
        ([], [], 10, "shape"),
        ([[0.5]], [0.5], 10, "shape"),
        ([0.5, 1.2], [0.5, 0.5], 10, "constant answer"),
        ([0.5, math.nan], [0.5, 0.5], 10, "constant answer"),
        ([0.5, 0.5], [0.5], 10, "2 validation scores and 1 test"),
        ([0.5], [0.5], 1, "at least two"),
    ],
)
def test_what_is_no_accuracy_is_refused(
    validation: list[float], test: list[float], n: int, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        best_of(validation, test, n_validation=n, n_test=n, rng=rng())


@pytest.mark.parametrize("size", [0, 4])
def test_an_experiment_has_between_one_and_all_trials(size: int) -> None:
    with pytest.raises(UsageError, match="from 3 trials"):
        efficiency_curve([0.5] * 3, [0.5] * 3, n_validation=9, n_test=9, rng=rng(), sizes=[size])
