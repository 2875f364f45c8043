"""Splits: disjoint, complete, stratified, the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.data.splits import (
    PARTS,
    Division,
    Split,
    make_splits,
    strata,
    stratified_sample,
)
from hpsearch.errors import DataError

labels = st.lists(st.integers(6, 40), min_size=2, max_size=6).flatmap(
    lambda counts: st.permutations([c for c, n in enumerate(counts) for _ in range(n)])
)
fractions = st.floats(0.1, 0.45)


def rows(split: Split) -> np.ndarray:
    return np.concatenate([split.train, split.validation, split.test])


@given(y=labels, test=fractions, validation=fractions, folds=st.integers(1, 5), seed=st.integers(0))
def test_every_row_is_in_exactly_one_part(
    y: list[int], test: float, validation: float, folds: int, seed: int
) -> None:
    codes = np.array(y)
    splits = make_splits(codes, test=test, validation=validation, folds=folds, seed=seed)
    assert len(splits) == folds
    for split in splits:
        assert sorted(rows(split)) == list(range(len(codes)))
        for part in (split.train, split.validation, split.test):
            assert part.dtype == np.int64
            assert (np.diff(part) > 0).all()
            assert set(codes[part]) == set(y)  # each class in each part
    if folds > 1:
        validated = np.sort(np.concatenate([split.validation for split in splits]))
        rest = np.setdiff1d(np.arange(len(codes)), splits[0].test)
        np.testing.assert_array_equal(validated, rest)


@given(y=labels, test=fractions, validation=fractions, seed=st.integers(0, 100))
def test_classes_keep_their_proportions_within_one_sample(
    y: list[int], test: float, validation: float, seed: int
) -> None:
    codes = np.array(y)
    counts = np.bincount(codes)
    [split] = make_splits(codes, test=test, validation=validation, seed=seed)
    n_test = round(test * len(codes))
    found = np.bincount(codes[split.test])
    assert (np.abs(found - counts * n_test / len(codes)) < 1).all()
    rest = counts - found
    n_validation = round(validation * rest.sum())
    found = np.bincount(codes[split.validation])
    assert (np.abs(found - rest * n_validation / rest.sum()) < 1).all()


@given(y=labels, folds=st.integers(2, 5), seed=st.integers(0, 100))
def test_folds_are_alike_in_size_and_classes(y: list[int], folds: int, seed: int) -> None:
    codes = np.array(y)
    splits = make_splits(codes, folds=folds, seed=seed)
    sizes = [len(split.validation) for split in splits]
    assert max(sizes) - min(sizes) <= 1
    per_class = np.array([np.bincount(codes[split.validation]) for split in splits])
    assert (np.ptp(per_class, axis=0) <= 1).all()


def test_the_same_seed_gives_the_same_splits_and_another_does_not() -> None:
    y = np.tile([0, 1, 2], 30)
    [one], [again], [other] = (make_splits(y, seed=seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(rows(one), rows(again))
    assert not np.array_equal(one.test, other.test)


def test_the_test_part_does_not_depend_on_the_folds() -> None:
    y = np.tile([0, 1, 2], 30)
    parts = [
        split.test
        for request in ({}, {"validation": 0.4}, {"folds": 4})
        for split in make_splits(y, seed=3, **request)
    ]
    for part in parts[1:]:
        np.testing.assert_array_equal(part, parts[0])


def test_sizes_are_the_fractions_asked_for() -> None:
    [split] = make_splits(np.tile([0, 1], 500), test=0.1, validation=0.25, seed=0)
    # The validation part is a fraction of what the test part leaves.
    assert [len(split.train), len(split.validation), len(split.test)] == [675, 225, 100]


@pytest.mark.parametrize("folds", [1, 3])
def test_a_fixed_test_part_is_left_where_it_is(folds: int) -> None:
    y = np.tile([0, 1], 50)
    for split in make_splits(y, folds=folds, seed=1, fixed_test=70):
        np.testing.assert_array_equal(split.test, np.arange(70, 100))
        assert len(split.train) + len(split.validation) == 70


def test_shuffling_is_real() -> None:
    [split] = make_splits(np.tile([0, 1], 500), seed=0)
    assert 350 < np.median(split.test) < 650
    assert len(np.unique(np.diff(split.test))) > 3


@pytest.mark.parametrize(
    ("counts", "request_", "words"),
    [
        ([10, 2], {}, "class 'b' has 2 samples"),
        ([10, 3], {"folds": 3}, "use fewer folds"),
        ([10, 10], {"test": 0.0}, "the test part must be a fraction"),
        ([10, 10], {"validation": 1.0}, "the validation part must be a fraction"),
        ([10, 10], {"folds": 0}, "folds must be 1 or more"),
        ([10, 10], {"fixed_test": 21}, "starts at row 21"),
        ([10, 10], {"fixed_test": 11}, "class 'b' has 1 samples"),
    ],
)
def test_an_impossible_request_is_one_sentence(
    counts: list[int], request_: dict[str, object], words: str
) -> None:
    y = np.repeat(np.arange(len(counts)), counts)
    with pytest.raises(DataError) as caught:
        make_splits(y, seed=0, classes=["a", "b"], **request_)  # type: ignore[arg-type]
    assert words in str(caught.value)


def test_a_class_without_a_name_goes_by_its_number() -> None:
    with pytest.raises(DataError, match="class number 1 has 2 samples"):
        make_splits(np.repeat([0, 1], [9, 2]), seed=0)


@given(y=labels, share=st.floats(0.5, 1.0))
def test_a_sample_is_stratified(y: list[int], share: float) -> None:
    codes = np.array(y)
    size = round(share * len(y))
    chosen = stratified_sample(codes, size, seed=0)
    assert len(np.unique(chosen)) == len(chosen) == size
    wanted = np.bincount(codes) * size / len(y)
    assert (np.abs(np.bincount(codes[chosen]) - wanted) < 1).all()


def test_a_fixed_test_part_may_be_empty() -> None:
    [split] = make_splits(np.tile([0, 1], 50), seed=1, fixed_test=100)
    assert len(split.test) == 0
    assert len(split.train) + len(split.validation) == 100


numbers = st.integers(0, 2**32 - 1).map(np.random.default_rng)
"""A source of the columns of a table that hypothesis need not shrink."""

KINDS = ("stratified", "random", "group", "time", "given")


def divided(
    rng: np.random.Generator, kind: str, *, regression: bool, **request: object
) -> tuple[Division, tuple[Split, ...]]:
    """Some rows with groups, times and parts of their own, divided in one way."""
    n = int(rng.integers(60, 200))
    y = rng.normal(size=n) if regression else rng.permutation(np.arange(n) % 3)
    parts = np.resize([0, 0, 0, 2], n)
    division = Division(
        groups=rng.integers(0, 12, n), time=rng.integers(0, 40, n) / 3, parts=rng.permutation(parts)
    )
    splits = make_splits(y, kind=kind, division=division, seed=int(rng.integers(99)), **request)  # type: ignore[arg-type]
    return division, splits


@pytest.mark.parametrize("kind", KINDS)
@given(
    rng=numbers,
    folds=st.integers(1, 4),
    test=fractions,
    validation=fractions,
    regression=st.booleans(),
)
def test_no_row_is_in_two_parts_and_none_is_lost(
    kind: str,
    rng: np.random.Generator,
    folds: int,
    test: float,
    validation: float,
    regression: bool,
) -> None:
    division, splits = divided(
        rng, kind, regression=regression, folds=folds, test=test, validation=validation
    )
    assert division.groups is not None
    assert len(splits) == folds
    for split in splits:
        found = rows(split)
        assert len(np.unique(found)) == len(found)
        assert min(len(split.train), len(split.validation), len(split.test)) > 0
        np.testing.assert_array_equal(split.test, splits[0].test)
    last = np.sort(rows(splits[-1]))  # in the order of time, the last fold has all that came before
    np.testing.assert_array_equal(last, np.arange(len(division.groups)))


@given(rng=numbers, folds=st.integers(1, 4), test=fractions, validation=fractions)
def test_no_group_is_on_two_sides(
    rng: np.random.Generator, folds: int, test: float, validation: float
) -> None:
    division, splits = divided(
        rng, "group", regression=False, folds=folds, test=test, validation=validation
    )
    assert division.groups is not None
    for split in splits:
        sides = [set(division.groups[part].tolist()) for part in vars(split).values()]
        assert not sides[0] & sides[1]
        assert not sides[0] & sides[2]
        assert not sides[1] & sides[2]


@given(rng=numbers, folds=st.integers(1, 4), test=fractions, validation=fractions)
def test_training_is_before_validation_and_validation_before_the_test(
    rng: np.random.Generator, folds: int, test: float, validation: float
) -> None:
    division, splits = divided(
        rng, "time", regression=False, folds=folds, test=test, validation=validation
    )
    assert division.time is not None
    seen = 0
    for split in splits:
        train, val, held_out = (division.time[part] for part in vars(split).values())
        assert train.max() < val.min()
        assert val.max() < held_out.min()
        assert len(train) > seen, "the windows expand"
        seen = len(train)


def test_given_parts_are_what_they_say() -> None:
    parts = np.tile(np.arange(3), 20)
    [split] = make_splits(np.tile([0, 1], 30), kind="given", division=Division(parts=parts), seed=0)
    for code, part in enumerate(PARTS):
        np.testing.assert_array_equal(getattr(split, part), np.flatnonzero(parts == code))


@given(rng=numbers, test=fractions)
def test_groups_keep_about_the_share_that_is_asked_for(
    rng: np.random.Generator, test: float
) -> None:
    groups = rng.integers(0, 60, 900)
    largest = np.bincount(groups).max()
    division = Division(groups=groups)
    y = rng.integers(0, 2, 900)
    [split] = make_splits(y, kind="group", division=division, test=test, seed=1)
    assert abs(len(split.test) - test * 900) <= 2 * largest


def test_so_many_groups_that_they_are_cut_are_still_whole() -> None:
    groups = np.random.default_rng(0).permutation(np.arange(40_000) // 2)
    division = Division(groups=groups)
    splits = make_splits(np.tile([0, 1], 20_000), kind="group", division=division, folds=3, seed=1)
    for split in splits:
        for one, other in ((split.train, split.test), (split.train, split.validation)):
            assert not np.isin(groups[one], groups[other]).any()
        assert abs(len(split.test) - 8000) < 10


def test_a_quantity_is_stratified_by_its_quantiles() -> None:
    y = np.random.default_rng(0).exponential(size=1000)
    [split] = make_splits(y, seed=0)
    deciles = strata(y, 3)
    for part in vars(split).values():
        shares = np.bincount(deciles[part], minlength=10) / len(part)
        assert np.abs(shares - 0.1).max() < 0.011


def test_repeated_folds_are_drawn_anew_over_the_same_test_part() -> None:
    splits = make_splits(np.tile([0, 1], 60), folds=3, repeats=2, seed=5)
    first = make_splits(np.tile([0, 1], 60), folds=3, seed=5)
    assert len(splits) == 6
    for split, same in zip(splits, first, strict=False):
        np.testing.assert_array_equal(split.validation, same.validation)
    assert not np.array_equal(splits[0].validation, splits[3].validation)
    for split in splits:
        np.testing.assert_array_equal(split.test, splits[0].test)


@pytest.mark.parametrize(
    ("kind", "division", "request_", "words"),
    [
        ("group", Division(groups=np.arange(30) % 2), {}, "there are 2 groups"),
        ("group", Division(groups=np.arange(30) % 4), {"folds": 4}, "use fewer folds"),
        ("time", Division(time=np.arange(30) % 2 / 1), {}, "there are 2 distinct times"),
        ("time", Division(time=np.arange(30.0)), {"folds": 2, "repeats": 2}, "always the same"),
        ("given", Division(parts=np.arange(30) % 3), {"folds": 2}, "would divide anew"),
        ("random", Division(), {"repeats": 2}, "needs folds of 2 or more"),
    ],
)
def test_a_division_that_cannot_be_is_one_sentence(
    kind: str, division: Division, request_: dict[str, object], words: str
) -> None:
    with pytest.raises(DataError) as caught:
        make_splits(np.tile([0, 1], 15), kind=kind, division=division, seed=0, **request_)  # type: ignore[arg-type]
    assert words in str(caught.value)


@pytest.mark.parametrize("kind", ["random", "stratified"])
def test_three_rows_are_divided_where_they_can_be(kind: str) -> None:
    [split] = make_splits(np.array([0.1, 0.2, 0.3]), kind=kind, seed=0)
    assert sorted(rows(split)) == [0, 1, 2]
    with pytest.raises(DataError, match="there are 2 rows"):
        make_splits(np.array([0.1, 0.2]), kind=kind, seed=0)
