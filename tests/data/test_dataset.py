"""A data set in memory: its checks, its fingerprint, its samples."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.data import Dataset
from hpsearch.data.dataset import MAX_CELLS, MAX_COLUMNS, check_size
from hpsearch.data.said import Said
from hpsearch.data.tabular import dataset_from_table
from hpsearch.data.target import as_target
from hpsearch.errors import DataError


def small(**changes: object) -> Dataset:
    arguments: dict[str, object] = {
        "X": np.arange(12.0).reshape(6, 2),
        "y": ["a", "b", "a", "b", "a", "b"],
    }
    return Dataset.from_arrays("small", **{**arguments, **changes})  # type: ignore[arg-type]


def test_arrays_take_the_documented_form() -> None:
    data = small(X=np.asfortranarray(np.arange(24.0).reshape(6, 2, 2)))
    assert data.X.shape == (6, 4)
    assert data.X.dtype == np.float32
    assert data.X.flags.c_contiguous
    assert data.y.dtype == np.int64
    assert data.classes == ("a", "b")
    assert data.feature_names == ("x0", "x1", "x2", "x3")
    with pytest.raises(ValueError, match="read-only"):
        data.X[0, 0] = 1


def test_the_callers_own_array_stays_writable() -> None:
    X = np.zeros((4, 1), dtype=np.float32)
    X[:2] = 1
    Dataset.from_arrays("mine", X, [0, 1, 0, 1])
    X[0] = 5
    assert X[0, 0] == 5


@pytest.mark.parametrize(
    ("labels", "classes", "codes"),
    [
        ([3, 1, 3, 1], (1, 3), [1, 0, 1, 0]),
        ([2.0, -1.0, 2.0, 2.0], (-1, 2), [1, 0, 1, 1]),
        ([0.5, 1.5, 0.5, 1.5], ("0.5", "1.5"), [0, 1, 0, 1]),
        ([True, False, True, False], (0, 1), [1, 0, 1, 0]),
        (np.array([b"x", b"\xc3\xa9"]), ("x", "é"), [0, 1]),
        (np.array([["q"], ["p"]]), ("p", "q"), [1, 0]),
    ],
)
def test_labels_become_codes_in_sorted_order(
    labels: object, classes: object, codes: object
) -> None:
    found = as_target("toy", labels)
    assert found.classes == classes
    assert found.y.tolist() == codes
    assert all(type(label) in (int, str) for label in found.classes)


@given(st.lists(st.integers(-5, 5), min_size=1))
def test_codes_lead_back_to_the_labels(labels: list[int]) -> None:
    found = as_target("toy", labels, "classification")
    assert [found.classes[code] for code in found.y] == labels


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"y": ["a", "b"]}, "6 samples and 2 labels"),
        ({"y": ["a"] * 6}, "only 'a'"),
        ({"y": ["a"] * 5 + ["b"]}, "'b' has one sample"),
        ({"y": [0, 0, 1, 1, 1, 1], "classes": ("p", "q", "r")}, "'r' has no sample"),
        ({"y": [0, 1, 0, 1, 7, 1], "classes": ("p", "q")}, "label of row 5 is 7, outside 0 to 1"),
        ({"y": np.ones((6, 2))}, "one per sample"),
        ({"y": [1.0, 2.0, np.nan, 1.0, 2.0, 1.0]}, "label of row 3 is missing"),
        ({"y": np.array([None] * 6)}, "label of row 1 is missing"),
        ({"X": np.full((6, 2), 7.0)}, "all 2 columns are constant"),
        ({"X": [["a"], ["b"]]}, "column 'x0', row 1: 'a' is not a number"),
        ({"X": np.zeros(6)}, "shape is (6,)"),
        ({"X": np.zeros((0, 3))}, "at least one row"),
        ({"X": [[1.0], [2.0], [-np.inf], [0.0], [0.0], [0.0]]}, "'x0', row 3 is infinite"),
        ({"X": [[1.0], [1e300], [0.0], [0.0], [0.0], [0.0]]}, "beyond float32"),
        ({"X": np.broadcast_to(0.0, (6, MAX_COLUMNS + 1))}, "50,001 columns"),
    ],
)
def test_what_cannot_be_learned_from_is_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(DataError) as caught:
        small(**changes)
    assert words in str(caught.value)


def test_a_target_of_names_is_refused() -> None:
    with pytest.raises(DataError, match="identifier"):
        as_target("toy", [f"name {i}" for i in range(40)])


RNG = np.random.default_rng(0)
DELAYS = np.round(RNG.exponential(40, 4000) - 30 + RNG.normal(0, 8, 4000)).astype(int)
QUANTITIES = {
    "delays": DELAYS,
    "delays as floats": DELAYS.astype(float),
    "counts in a few hundred rows": RNG.poisson(12, 300),
    "few counts": np.append(RNG.poisson(4, 250), 12),
    "years": RNG.integers(1950, 2011, 300),
    "ages": np.clip(np.round(RNG.normal(45, 12, 3000)), 0, 100).astype(int),
    "prices": RNG.integers(1000, 100_000, 2000),
    "fractions": np.linspace(0, 1, 40),
    "whole numbers, each once": np.arange(40),
}


@pytest.mark.parametrize("kind", QUANTITIES)
def test_a_quantity_is_taken_for_one(kind: str) -> None:
    y = QUANTITIES[kind]
    data = Dataset.from_arrays("toy", np.arange(len(y))[:, None], y)
    assert data.task == "regression"
    assert data.y.dtype == np.float64
    np.testing.assert_array_equal(data.y, y)
    assert data.account.task.startswith("regression, since the target has ")


@pytest.mark.parametrize("text", ["{:,}", "${:,}", "{}%"])
def test_a_quantity_written_as_text_is_one_too(text: str) -> None:
    for numbers in (RNG.integers(1000, 100_000, 500), RNG.poisson(12, 300)):
        labels = [*(text.format(n) for n in numbers), "NA", "NA", ""]
        table = pa.table({"x": range(len(labels)), "y": labels})
        data = dataset_from_table("t", table, "y")
        assert data.task == "regression"
        np.testing.assert_array_equal(data.y, numbers)
        assert data.account.rows_dropped == {
            "without a label in 'y'": 1,
            "without a label: 'NA' reads as missing": 2,
        }


@pytest.mark.parametrize(
    ("y", "task", "doubtful"),
    [
        ([0, 1] * 20, "classification", False),
        (list(range(10)) * 9, "classification", False),
        (["a", "b"] * 9, "classification", False),
        ([True, False] * 9, "classification", False),
        ([0.5, 1.0, 1.5, 2.0] * 9, "classification", True),
        ((np.arange(15) / 7).tolist() * 9, "regression", True),
        (list(range(15)) * 9, "classification", True),
        (np.linspace(0, 1, 99).tolist(), "regression", False),
        (list(range(99)), "regression", False),
    ],
)
def test_the_task_follows_from_the_target_and_doubt_names_the_setting(
    y: list[Any], task: str, doubtful: bool
) -> None:
    target = as_target("toy", y)
    assert target.task == task
    assert target.why.startswith(f"{task}, since the target has ")
    assert ("set [data] task" in target.why) == doubtful


def test_a_task_that_is_given_is_not_doubted() -> None:
    y = np.tile(np.arange(5), 9)
    found = as_target("toy", y, "regression")
    assert found.task == "regression"
    assert found.why == ""
    assert as_target("toy", y / 7, "classification").classes[1] == str(1 / 7)
    with pytest.raises(DataError, match="a regression needs a target of numbers"):
        as_target("toy", ["a", "b"], "regression")
    table = pa.table({"p": [1, 2, 3], "y": ["1", "x", "1"]})
    with pytest.raises(DataError, match="a regression needs a target of numbers, and 'y' has 'x'"):
        dataset_from_table("t", table, "y", Said(task="regression"))


def test_a_quantity_that_never_varies_is_refused() -> None:
    with pytest.raises(DataError, match="the target never varies"):
        Dataset.from_arrays("toy", np.arange(9)[:, None], [2.5] * 9, task="regression")


@pytest.mark.parametrize(
    "y",
    [
        np.repeat(np.arange(100), 20),
        np.repeat(np.arange(40), 10),
        RNG.permutation(np.repeat(np.arange(10), [900, 40, 30, 20, 10, 8, 6, 5, 4, 3])),
        RNG.integers(0, 100, 3000),
    ],
)
def test_classes_that_are_numbers_are_classes(y: np.ndarray) -> None:
    assert len(Dataset.from_arrays("toy", np.arange(len(y))[:, None], y).classes) <= 100


@pytest.mark.parametrize("rare", [[100], [-5], [57, 1000, 2000]])
def test_a_rare_class_beside_good_ones_is_a_rare_class(rare: list[int]) -> None:
    y = np.concatenate([np.repeat(np.arange(0, 200, 4), 20), np.array(rare) * 2 + 1])
    with pytest.raises(DataError, match="has one sample"):
        Dataset.from_arrays("toy", np.arange(len(y))[:, None], y)
    with pytest.raises(DataError, match="class 7 has one sample"):
        Dataset.from_arrays("toy", np.arange(21)[:, None], [*[0, 1] * 10, 7])


def test_many_classes_are_fine_when_each_has_samples() -> None:
    assert len(as_target("toy", np.repeat(np.arange(100), 6), "classification").classes) == 100
    assert len(as_target("toy", [f"c{i % 100}" for i in range(300)]).classes) == 100


def test_missing_values_are_no_obstacle() -> None:
    X = np.array([[np.nan, 1], [2, np.nan], [np.nan, np.nan], [4, 4], [5, 5], [6, 6]])
    assert np.isnan(small(X=X).X).sum() == 4


def test_a_table_too_large_is_refused_by_its_shape() -> None:
    check_size("fits", MAX_CELLS // 10, 10)
    with pytest.raises(DataError, match="take a sample"):
        check_size("big", MAX_CELLS // 10 + 1, 10)
    with pytest.raises(DataError, match="keep the columns that matter"):
        check_size("wide", 1, 1_000_000)


def test_the_fingerprint_is_stable_and_sees_every_part() -> None:
    base = small()
    assert base.fingerprint == small().fingerprint
    assert len(base.fingerprint) == 16
    changed = base.X.copy()
    changed[0, 0] += 1
    variants = [
        replace(base, X=changed),
        replace(base, y=1 - base.y),
        replace(base, classes=("a", "c")),
        replace(base, feature_names=("p", "q")),
        replace(base, categories={0: ("r", "s")}),
        replace(base, fixed_test=4),
        replace(base, X=base.X.reshape(4, 3)),
    ]
    prints = {d.fingerprint for d in variants}
    assert len(prints) == len(variants)
    assert base.fingerprint not in prints


def test_notes_and_name_do_not_change_the_fingerprint() -> None:
    assert replace(small(), name="other", notes=("n",)).fingerprint == small().fingerprint


class TestSample:
    def test_it_keeps_proportions_and_order_and_says_so(self) -> None:
        y = np.repeat([0, 1, 2], [600, 300, 100])
        data = Dataset.from_arrays("big", np.arange(1000.0)[:, None], y)
        part = data.sample(100)
        assert np.bincount(part.y).tolist() == [60, 30, 10]
        assert (np.diff(part.X[:, 0]) > 0).all()
        assert list(part.account.rows_dropped.values()) == [900]
        assert (part.account.rows_read, part.account.rows) == (1000, 100)
        assert part.fingerprint == data.sample(100).fingerprint
        np.testing.assert_array_equal(part.y, y[part.X[:, 0].astype(int)])

    def test_a_fixed_test_part_keeps_its_share(self) -> None:
        y = np.tile([0, 1], 50)
        data = replace(Dataset.from_arrays("fixed", np.arange(100.0)[:, None], y), fixed_test=80)
        part = data.sample(50)
        assert part.fixed_test == 40
        assert len(part.y) == 50
        assert part.X[:40].max() < 80 <= part.X[40:].min()

    def test_all_rows_are_the_data_itself(self) -> None:
        data = small()
        assert data.sample(6) is data

    def test_a_rare_class_keeps_three_samples(self) -> None:
        y = np.repeat([0, 1], [996, 4])
        data = Dataset.from_arrays("rare", np.arange(1000.0)[:, None], y)
        assert np.bincount(data.sample(50).y).tolist() == [50, 3]

    def test_too_few_rows_for_the_classes_are_refused(self) -> None:
        with pytest.raises(DataError, match="raise the limit"):
            small().sample(5)


def test_a_quantity_whose_square_is_infinite_is_refused() -> None:
    y = np.append(np.linspace(0, 1, 49), 1e300)
    with pytest.raises(DataError, match=r"row 50 is 1e\+300, so large that squared errors"):
        Dataset.from_arrays("q", np.eye(50), y)


def test_a_class_of_one_row_may_be_a_quantity_if_labels_are_numbers() -> None:
    for labels, hint in (([1, 1, 2, 2, 3], True), (["a", "a", "b", "b", "c"], False)):
        with pytest.raises(DataError, match="has one sample") as caught:
            Dataset.from_arrays("c", np.eye(5), np.array(labels))
        assert ('set [data] task = "regression"' in str(caught.value)) == hint
