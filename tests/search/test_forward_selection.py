"""Which configurations an ensemble is made of."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from hpsearch.search.base import Result, Slot
from hpsearch.search.ensemble import forward_selection, members_to_try

FOLDS, ROWS, CLASSES = 2, 40, 3


def votes(seed: int, candidates: int = 6) -> tuple[list[list[np.ndarray]], list[np.ndarray]]:
    """Candidates that are right about half the time, each in its own way."""
    rng = np.random.default_rng(seed)
    labels = [rng.integers(0, CLASSES, ROWS) for _ in range(FOLDS)]
    found = []
    for _ in range(candidates):
        folds = []
        for y in labels:
            logits = rng.standard_normal((ROWS, CLASSES))
            logits[np.arange(ROWS), y] += 0.8
            folds.append(np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True))
        found.append(folds)
    return found, labels


def right_share(labels: list[np.ndarray]) -> Callable[[int, np.ndarray], float]:
    return lambda fold, predicted: float(np.mean(predicted.argmax(axis=1) == labels[fold]))


def merit(
    members: list[int], candidates: list[list[np.ndarray]], labels: list[np.ndarray]
) -> tuple[float, float]:
    """Accuracy and minus cross-entropy of some members, straight from the definition."""
    accuracies, losses = [], []
    for fold, y in enumerate(labels):
        mean = np.mean([candidates[m][fold] for m in members], axis=0)
        accuracies.append(np.mean(mean.argmax(axis=1) == y))
        losses.append(np.mean([-np.log(p[label]) for p, label in zip(mean, y, strict=True)]))
    return float(np.mean(accuracies)), -float(np.mean(losses))


@pytest.mark.parametrize("seed", range(8))
def test_each_step_adds_the_best_of_those_that_are_left(seed: int) -> None:
    candidates, labels = votes(seed)
    steps = forward_selection(candidates, labels, 4, right_share(labels))
    members: list[int] = []
    for step in steps:
        others = [k for k in range(len(candidates)) if k not in members]
        best = max(others, key=lambda k: merit([*members, k], candidates, labels))
        assert step.candidate == best
        members.append(best)
        accuracy, loss = merit(members, candidates, labels)
        assert step.score == pytest.approx(accuracy)
        assert step.loss == pytest.approx(-loss)


def test_nobody_joins_twice_and_there_are_no_more_than_all() -> None:
    candidates, labels = votes(0)
    steps = forward_selection(candidates, labels, 99, right_share(labels))
    assert sorted(step.candidate for step in steps) == list(range(6))
    assert steps[-1].score == pytest.approx(merit(list(range(6)), candidates, labels)[0])


def test_equal_accuracy_is_decided_by_the_lower_cross_entropy_then_by_order() -> None:
    y = np.array([0, 1])

    def sure(p: float) -> list[np.ndarray]:
        return [np.array([[p, 1 - p], [1 - p, p]])]

    steps = forward_selection(
        [sure(0.6), sure(0.9), sure(0.9), sure(0.7)], [y], 4, right_share([y])
    )
    assert [step.candidate for step in steps] == [1, 2, 3, 0]
    assert {step.score for step in steps} == {1.0}


def test_those_that_err_elsewhere_are_worth_more_than_the_second_best() -> None:
    """The second best errs where the best does; a worse one that errs elsewhere helps."""
    y = np.zeros(4, np.intp)

    def says(*chances: float) -> list[np.ndarray]:
        return [np.array([[p, 1 - p] for p in chances])]

    best, second, other = (
        says(0.9, 0.9, 0.9, 0.4),
        says(0.9, 0.9, 0.6, 0.3),
        says(0.4, 0.4, 0.9, 0.9),
    )
    steps = forward_selection([best, second, other], [y], 2, right_share([y]))
    assert [(step.candidate, step.score) for step in steps] == [(0, 0.75), (2, 1.0)]


def test_a_probability_of_zero_is_a_large_loss_and_no_infinite_one() -> None:
    [step] = forward_selection(
        [[np.array([[0.0, 1.0]])]], [np.array([0])], 1, right_share([np.array([0])])
    )
    assert step.score == 0
    assert 10 < step.loss < np.inf


def result(
    stage: int, index: int, x: float, score: float, *, complete: bool = True, epochs: int = 4
) -> Result:
    return Result(Slot(stage, index, {"x": x}, 100 * stage + index, epochs), score, complete)


def picked(results: list[Result], *, raced: set[int], winner: float, size: int = 2) -> list[int]:
    return [r.slot.seed for r in members_to_try(results, raced, {"x": winner}, size)]


def test_the_candidates_are_those_that_raced_with_their_first_seed_there() -> None:
    results = [
        *(result(0, n, x, 0.5 + x / 10) for n, x in enumerate((1.0, 2.0, 3.0, 4.0))),
        *(result(1, n, x, s) for n, (x, s) in enumerate(((4.0, 0.7), (3.0, 0.9), (2.0, 0.8)))),
        *(result(2, n, x, 0.8) for n, x in enumerate((3.0, 2.0))),
    ]
    assert picked(results, raced={1, 2}, winner=2.0) == [102, 101, 100]


def test_what_diverged_in_the_race_is_left_out() -> None:
    results = [
        *(result(0, n, x, 0.9) for n, x in enumerate((1.0, 2.0))),
        result(1, 0, 1.0, 0.9),
        result(1, 1, 2.0, 0.9),
        result(2, 0, 1.0, 0.9),
        result(2, 1, 2.0, 0.3, complete=False),
    ]
    assert picked(results, raced={1, 2}, winner=1.0) == [100]


def test_without_a_race_twice_as_many_of_the_longest_trained_run() -> None:
    results = [
        *(result(0, n, float(n), 0.99, epochs=1) for n in range(3)),
        *(result(1, n, 10.0 + n, 0.5 + n / 100) for n in range(9)),
        result(1, 9, 30.0, 0.99, complete=False),
    ]
    seeds = picked(results, raced=set(), winner=18.0, size=3)
    assert seeds == [108, 107, 106, 105, 104, 103]
    assert all(a > b for a, b in pairwise(seeds))


def test_the_winner_is_there_though_it_never_raced() -> None:
    results = [result(0, 0, 1.0, 0.9), result(0, 1, 2.0, 0.8), result(1, 0, 2.0, 0.7)]
    assert picked(results, raced={1}, winner=1.0) == [0, 100]
