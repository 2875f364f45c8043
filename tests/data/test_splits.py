"""Splits: disjoint, complete, stratified, the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.data.splits import Split, make_splits, stratified_sample
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
