"""What becomes of distributions and lists."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats
from sklearn.svm import SVC

from hpsearch import Categorical, Float, Int
from hpsearch.search_cv.ranges import read_ranges


def parameter(given: Any) -> Any:
    return read_ranges({"p": given}).space.parameters["p"]


def value(given: Any, place: float) -> Any:
    ranges = read_ranges({"p": given})
    return ranges.parameters(ranges.space.from_unit([place]))["p"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (stats.uniform(2, 3), Float(2, 5, limits=(2, 5))),
        (stats.loguniform(0.1, 10), Float(0.1, 10, log=True, limits=(0.1, 10))),
        (stats.reciprocal(0.1, 10), Float(0.1, 10, log=True, limits=(0.1, 10))),
        (stats.loguniform(0.1, 10, scale=2), Float(0.2, 20, log=True, limits=(0.2, 20))),
        (stats.randint(2, 9), Int(2, 8, limits=(2, 8))),
        (Float(0, 1), Float(0, 1)),
        ([3, 1, 2, 2], Int(0, 2, limits=(0, 2))),
        ([1, 2], Categorical((1, 2))),
        ([True, False], Categorical((True, False))),
        ([1, True, 0], Categorical((0, 1, 2))),
        ([None, "a"], Categorical((None, "a"))),
        ({"b", "a", "d", "c"}, Categorical(("a", "b", "c", "d"))),
        ([1.0, float("nan"), 2.0], Categorical((1.0, "nan", 2.0))),
        ([(1, 2), (3,)], Categorical(("(1, 2)", "(3,)"))),
        ([np.mean, np.median], Categorical(("mean", "median"))),
    ],
)
def test_ranges_that_are_told_as_they_are(given: Any, expected: Any) -> None:
    assert parameter(given) == expected


@pytest.mark.parametrize(
    "given",
    [
        stats.norm(3, 2),
        stats.expon(scale=0.1),
        stats.loguniform(1, 10, loc=-0.5),
        stats.poisson(4),
        stats.binom(9, 0.3),
        stats.randint(3, 4),
        stats.norm,  # with the parameters that it has by itself
        stats.rv_discrete(values=([1, 2, 5], [0.2, 0.3, 0.5])),
        stats.rv_histogram(([1, 3], [0.0, 1.0, 2.0])),
    ],
)
def test_other_distributions_are_searched_by_their_quantiles(given: Any) -> None:
    for place in (0.1, 0.5, 0.9):
        assert value(given, place) == given.ppf(place)
    assert np.isfinite([value(given, 0.0), value(given, 1.0)]).all()
    low, high = given.support()
    assert low <= value(given, 0.0) <= value(given, 1.0) <= high
    assert isinstance(value(given, 0.5), int) == hasattr(getattr(given, "dist", given), "pmf")


def test_numbers_in_a_list_come_in_their_order_and_as_they_were() -> None:
    given = [np.float64(3.0), 1, np.int64(2)]
    assert [value(given, place) for place in (0.1, 0.5, 0.9)] == [1, 2, 3.0]
    assert value(given, 0.9) is given[0]


def test_a_value_that_is_given_twice_is_one_choice() -> None:
    assert parameter(["rbf", "rbf", "linear"]) == Categorical(("rbf", "linear"))
    assert parameter([1, np.int64(1), 2]) == Categorical((1, 2))
    assert parameter([None, 2, None]) == Categorical((None, 2))
    assert parameter([True, 1]) == Categorical((0, 1))
    alike = [[1], [1]]  # which may change, each for itself
    assert len(parameter(alike).choices) == 2


def test_configurations_are_the_same_if_the_estimator_gets_the_same() -> None:
    whole = read_ranges({"a": stats.poisson(4)})
    assert whole.same({"a": 0.5}) == whole.same({"a": 0.51}) != whole.same({"a": 0.9})
    dicts = read_ranges([{"C": [1, 2, 3]}, {"C": [2, 3, 4]}, {"C": [2.0, True]}])
    two = [{"which": 0, "0.C": 1}, {"which": 1, "1.C": 0}, {"which": 2, "2.C": 2.0}]
    first, second, third = map(dicts.same, two)
    assert first == second != third
    assert dicts.same({"which": 2, "2.C": True}) != dicts.same({"which": 0, "0.C": 0})
    objects = read_ranges([{"m": [SVC()]}, {"m": [SVC(), SVC()]}])
    names = objects.space.parameters["1.m"].values()
    keys = [objects.same({"which": 1, "1.m": name}) for name in names]
    assert len({*keys, objects.same({"which": 0, "0.m": "SVC()"})}) == 3


def test_choices_keep_their_identity_however_they_are_called() -> None:
    class Odd:
        pass

    given = [Odd(), Odd(), lambda: 1]
    assert [value(given, place) for place in (0.1, 0.5, 0.9)] == given
    assert parameter(given) == Categorical((0, 1, 2))
    assert parameter([Odd(), "x" * 99]) == Categorical(("Odd", "x" * 99))
