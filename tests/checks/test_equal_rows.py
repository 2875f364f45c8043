"""Which rows are the same, whatever their width, and what a column alone tells of the label."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpsearch.checks.duplicates import contradictions, duplicates, identical_rows
from hpsearch.checks.leaks import label_leaks
from hpsearch.data import Dataset, Split

VALUES = st.sampled_from([0.0, -0.0, 1.0, 2.5, float("nan")])


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 3).flatmap(
        lambda d: st.lists(st.lists(VALUES, min_size=d, max_size=d), min_size=1, max_size=25)
    ),
    st.sampled_from([1, 70, 150]),
)
def test_rows_are_numbered_by_their_content(rows: list[list[float]], times: int) -> None:
    """As a dictionary of their texts would; wide ones too, which differ in a few columns only."""
    X = np.tile(np.array(rows, np.float32), times)
    numbers, whole = identical_rows(X)
    texts = [str([abs(value) for value in row]) for row in rows]
    assert whole
    assert len(set(zip(numbers.tolist(), texts, strict=True))) == len(set(texts))
    assert len(set(numbers.tolist())) == len(set(texts))


def test_a_difference_in_any_column_of_a_wide_row_counts() -> None:
    X = np.zeros((501, 500), np.float32)
    X[np.arange(500), np.arange(500)] = 1.0
    assert len(set(identical_rows(X)[0].tolist())) == 501


def test_rows_are_counted_where_they_are_held_out() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 3))
    X[60:65] = X[:5]  # five validation rows and ten test rows are in the training part
    X[80:90] = X[10:20]
    X[99] = X[98]  # within the test part: no matter
    X[7] = X[8]  # within the training part: neither
    data = Dataset.from_arrays("t", X, np.arange(100) % 2)
    split = Split(np.arange(60), np.arange(60, 80), np.arange(80, 100))
    content, whole = identical_rows(data.X)
    check = duplicates(data, split, content, whole)
    assert (check.verdict, check.found) == ("warn", "15 of 40 held out, 37.5%")


def test_contradictions_are_counted_by_what_no_network_gets_right() -> None:
    """Rows a a a b b c with labels 0 0 1, 0 1, 1: one of the a and one of the b must be wrong."""
    X = np.repeat([[1.0], [2.0], [3.0]], [3, 2, 1], axis=0)
    data = Dataset.from_arrays("t", np.tile(X, (4, 1)), np.tile([0, 0, 1, 0, 1, 1], 4))
    split = Split(np.arange(0, 12), np.arange(12, 18), np.arange(18, 24))
    check = contradictions(data, split, identical_rows(data.X)[0])
    # 18 rows count, since the test part's labels are not looked at.
    assert check.found == "6 of 18 rows, 33.3%"
    assert "no network passes 66.7%" in check.advice


def alone(column: list[float], y: list[int], **settings: object) -> str:
    """What the check says of a column, in forty rows or more."""
    rows = np.arange(len(y))
    data = Dataset.from_arrays("t", np.array(column)[:, None], y, **settings)  # type: ignore[arg-type]
    return label_leaks(data, Split(rows, rows[:0], rows[:0]), seed=0).found


def test_a_column_is_judged_by_rows_left_out() -> None:
    steps = [0] * 20 + [1] * 20
    assert alone(list(range(40)), steps) == "'x0' alone: 0.0% wrong"
    # Three rows in the midst of the other class: they and the row after each of them but one.
    mixed = steps.copy()
    mixed[5] = mixed[10] = mixed[15] = 1
    assert alone(list(range(40)), mixed) == "'x0' alone: 15.0% wrong"
    # Two values, each with five rows of the rarer class.
    assert alone([0] * 20 + [1] * 20, [1] * 5 + [0] * 15 + [1] * 15 + [0] * 5) == (
        "'x0' alone: 25.0% wrong"
    )
    # Names that come once say nothing of the next row.
    names = {0: tuple(map(str, range(40)))}
    assert alone(list(range(40)), steps, categories=names) == "'x0' alone: 100.0% wrong"


def test_where_likely_twins_are_too_many_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    X = np.zeros((40, 200), np.float32)
    X[::2, 1] = 1.0  # a column that tells rows apart, and is not looked at at first
    assert identical_rows(X)[1]
    monkeypatch.setattr("hpsearch.checks.duplicates.CELLS", 2000)
    content, whole = identical_rows(X)
    assert not whole
    assert len(set(content.tolist())) == 2 + 30  # ten rows were compared, the others count as new
    data = Dataset.from_arrays("t", X, np.arange(40) % 2)
    split = Split(np.arange(20), np.arange(20, 30), np.arange(30, 40))
    assert "likely twins" in duplicates(data, split, content, whole).found
