"""Data frames, sparse matrices, Arrow tables and lists as samples and labels."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import scipy.sparse

from hpsearch import MLPClassifier, MLPObjective
from hpsearch.data import Dataset
from hpsearch.data.in_memory import labels_of, numbers_of
from hpsearch.errors import DataError

N = 24
NUMBERS = np.random.default_rng(0).normal(size=(N, 3)).round(1)
TEXT = np.where(NUMBERS[:, 0] > 0, "a", "b")
FLAGS = NUMBERS[:, 1] > 0
FRAME = pd.DataFrame(NUMBERS, columns=["u", "v", "w"])
GAPS = np.arange(N) % 5 == 0


class Polars:
    """What Polars' frames share with Arrow's tables and with nobody else: columns by name only."""

    columns = ("u", "v", "w")
    shape = NUMBERS.shape

    def __getitem__(self, name: str) -> np.ndarray:
        return NUMBERS[:, self.columns.index(name)]


SAMPLES: dict[str, Any] = {
    "a bool beside floats": FRAME.assign(x=FLAGS),
    "a category of numbers": FRAME.assign(x=pd.Categorical(FLAGS.astype(int))),
    "nullable integers": FRAME.assign(x=pd.Series(FLAGS.astype(int), dtype="Int64").mask(GAPS)),
    "nullable truth values": FRAME.assign(x=pd.Series(FLAGS, dtype="boolean").mask(GAPS)),
    "nullable floats": FRAME.astype("Float64"),
    "pyarrow floats": FRAME.astype("double[pyarrow]"),
    "pyarrow truth values": FRAME.assign(x=pd.Series(FLAGS, dtype="bool[pyarrow]").mask(GAPS)),
    "pyarrow decimals": FRAME.assign(
        x=pd.Series([Decimal("0.5"), Decimal(2)] * 12, dtype=pd.ArrowDtype(pa.decimal128(4, 2)))
    ),
    "get_dummies": pd.get_dummies(FRAME.assign(x=TEXT)),
    "sparse get_dummies": pd.get_dummies(FRAME.assign(x=TEXT), sparse=True),
    "a sparse frame": FRAME.astype(pd.SparseDtype("float", 0)),
    "objects": FRAME.astype(object).assign(x=[Decimal(1), True] * 12),
    "objects with gaps": FRAME.assign(x=pd.Series([1.5, None, pd.NA, np.nan] * 6, dtype=object)),
    "numbers written as text": FRAME.assign(x=["1", "2.5"] * 12),
    "levels of columns": pd.DataFrame(
        NUMBERS, columns=pd.MultiIndex.from_tuples([("p", "q"), ("p", "r"), ("s", "q")])
    ),
    "columns of one name": pd.DataFrame(NUMBERS, columns=["u", "u", "v"]),
    "numbered columns": pd.DataFrame(NUMBERS, index=range(N, 0, -1)),
    "a CSR matrix": scipy.sparse.csr_matrix(NUMBERS),
    "a COO array": scipy.sparse.coo_array(NUMBERS),
    "an Arrow table": pa.table({"u": NUMBERS[:, 0], "x": FLAGS, "y": [1, None] * 12}),
    "Polars": Polars(),
    "lists": NUMBERS.tolist(),
    "half": NUMBERS.astype(np.float16),
    "long double": NUMBERS.astype(np.longdouble),
    "an array of objects": NUMBERS.astype(object),
    "an array of texts": NUMBERS.astype(str),
    "a masked array": np.ma.masked_greater(NUMBERS, 1.0),
    "images": NUMBERS.reshape(N, 3, 1).astype(object),
}


@pytest.mark.parametrize("samples", SAMPLES.values(), ids=SAMPLES)
def test_samples_of_any_make_are_taken(samples: Any) -> None:
    data = MLPObjective(samples, TEXT, epochs=1).data
    assert data.X.shape[0] == N
    assert np.isfinite(data.X).mean() > 0.8
    if data.X.shape[1] == 3 and not np.isnan(data.X).any():
        np.testing.assert_allclose(data.X, NUMBERS, atol=1e-3)


@pytest.mark.parametrize(
    ("of", "found"),
    [
        ("nullable integers", np.where(GAPS, np.nan, FLAGS)),
        ("nullable truth values", np.where(GAPS, np.nan, FLAGS)),
        ("pyarrow truth values", np.where(GAPS, np.nan, FLAGS)),
        ("pyarrow decimals", np.tile([0.5, 2], 12)),
        ("objects", np.ones(N)),
        ("objects with gaps", np.tile([1.5, np.nan, np.nan, np.nan], 6)),
        ("an Arrow table", np.tile([1, np.nan], 12)),
        ("sparse get_dummies", TEXT == "b"),
    ],
)
def test_a_column_keeps_its_values(of: str, found: np.ndarray) -> None:
    np.testing.assert_array_equal(numbers_of("X", SAMPLES[of])[:, -1], found.astype(np.float32))


def test_what_is_masked_is_missing() -> None:
    assert np.isnan(numbers_of("X", SAMPLES["a masked array"])).sum() == (NUMBERS > 1).sum() > 0


def test_columns_of_a_frame_keep_their_names() -> None:
    assert MLPObjective(FRAME, TEXT).data.feature_names == ("u", "v", "w")
    assert MLPObjective(NUMBERS, TEXT).data.feature_names == ("x0", "x1", "x2")


@pytest.mark.parametrize(
    ("column", "sentence"),
    [
        (TEXT, "column 'x', row 1: '(a|b)' is not a number"),
        (pd.Categorical(TEXT), "column 'x', row 1: '(a|b)' is not a number"),
        (["1"] * (N - 1) + ["one"], f"column 'x', row {N}: 'one' is not a number"),
        (pd.Timestamp("2026-11-27"), "column 'x' must be numbers, not of type datetime64"),
        (pd.Timestamp("2026-11-27", tz="UTC"), "column 'x', row 1: Timestamp"),
        (pd.Timedelta(1), "column 'x' must be numbers, not of type timedelta64"),
        (pd.period_range("2026", periods=N), "column 'x', row 1: Period"),
        (1j, "column 'x' must be numbers, not of type complex"),
        ([[1, 2]] * N, "column 'x', row 1: \\[1, 2\\] \\(list\\) is not a number"),
    ],
)
@pytest.mark.parametrize("learn", [MLPObjective, MLPClassifier().fit])
def test_a_column_without_numbers_is_named(
    column: Any, sentence: str, learn: Callable[[Any, Any], Any]
) -> None:
    frame = FRAME.assign(x=column)
    with pytest.raises(DataError, match=sentence):
        learn(frame, TEXT)


@pytest.mark.parametrize(
    ("samples", "sentence"),
    [
        (NUMBERS.astype(complex), "must be numbers, not of type complex128"),
        (FRAME.to_records(index=False), "must be numbers, not of type .*record"),
        (FRAME.to_dict("records"), r"must be a matrix.* shape is \(24,\)"),
        (FRAME["u"], r"must be a matrix.* shape is \(24,\)"),
        ([[1, 2], [1]] * 12, "the rows differ in length"),
        (FRAME[[]], r"shape is \(24, 0\)"),
        ("table.csv", r"must be a matrix.* shape is \(\)"),
        (None, r"must be a matrix.* shape is \(\)"),
        ([[1, "two"]] * N, "column 'x1', row 1: 'two' is not a number"),
        (scipy.sparse.csr_array(NUMBERS.astype(complex)), "must be numbers, not of type complex"),
        (scipy.sparse.csr_array((10**6, 10**4)), "at most 250,000,000 cells"),
    ],
)
def test_samples_without_a_meaning_are_refused(samples: Any, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        MLPObjective(samples, TEXT)


WORDS = pd.Series(TEXT)
TEXTS: dict[str, Any] = {
    "a Series": WORDS,
    "a Series of objects": WORDS.astype(object),
    "a Series of string": WORDS.astype("string"),
    "a Series of Arrow's text": WORDS.astype(pd.ArrowDtype(pa.string())),
    "a Series of category": WORDS.astype("category"),
    "categories, one of them unused": pd.Categorical(TEXT, ["b", "a", "c"]),
    "another index": pd.Series(TEXT, index=range(3 * N, 0, -3)),
    "a frame of one column": WORDS.to_frame(),
    "a list": TEXT.tolist(),
    "an array of objects": TEXT.astype(object),
    "an array of StringDType": TEXT.astype(np.dtypes.StringDType()),
    "an Arrow array": pa.array(TEXT.tolist()),
    "an Arrow dictionary": pa.chunked_array([TEXT.tolist()]).dictionary_encode(),
}


@pytest.mark.parametrize("labels", TEXTS.values(), ids=TEXTS)
def test_text_of_any_make_is_a_label(labels: Any) -> None:
    data = MLPObjective(NUMBERS, labels).data
    assert data.classes == ("a", "b")
    assert data.y.tolist() == (TEXT == "b").astype(int).tolist()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.DataConversionWarning")
@pytest.mark.parametrize("labels", TEXTS.values(), ids=TEXTS)
def test_the_classifier_takes_the_same_text(labels: Any) -> None:
    classifier = MLPClassifier(max_iter=1).fit(NUMBERS, labels)
    assert classifier.classes_.tolist() == ["a", "b"]
    assert classifier.score(NUMBERS, labels) == (classifier.predict(NUMBERS) == TEXT).mean()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (pd.Series([3, 7] * 12, dtype="Int64"), (3, 7)),
        (pd.Series([3, 7] * 12, dtype="category"), (3, 7)),
        (pd.Series([True, False] * 12, dtype="boolean"), (0, 1)),
        (pd.Series([True, False] * 12, dtype="category"), (0, 1)),
        (np.array([True, False] * 12, dtype=object), (0, 1)),
        ([np.True_, np.False_] * 12, (0, 1)),
        (np.array([np.int8(1), 2] * 12, dtype=object), (1, 2)),
        (np.array([1, 2.0] * 12, dtype=object), (1, 2)),
        ([Decimal(1), Decimal(2)] * 12, (1, 2)),
        (pd.Series([0, 1] * 12).astype(pd.SparseDtype(int, 0)), (0, 1)),
        (np.array([2**63 + 1, 5] * 12, dtype=np.uint64), (5, 2**63 + 1)),
    ],
)
def test_numbers_of_any_make_are_labels(labels: Any, classes: tuple[int, ...]) -> None:
    assert MLPObjective(NUMBERS, labels).data.classes == classes
    classifier = MLPClassifier(max_iter=1).fit(NUMBERS, labels)
    assert tuple(int(label) for label in classifier.classes_) == classes
    assert 0 <= classifier.score(NUMBERS, labels) <= 1


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        (["a", 1] * 12, r"all of one kind, not str \(row 1\), int \(row 2\)"),
        (np.array(["a", 1] * 12, dtype=object), r"not str \(row 1\), int \(row 2\)"),
        (["a", None, "b"] * 8, "the label of row 2 is missing"),
        (["a", np.nan, "b"] * 8, "the label of row 2 is missing"),
        (WORDS.where(np.arange(N) != 4), "the label of row 5 is missing"),
        (WORDS.astype("string").where(np.arange(N) != 4), "the label of row 5 is missing"),
        (pd.Categorical(["a", None, "b"] * 8), "the label of row 2 is missing"),
        (np.ma.array([1, 2] * 12, mask=[0, 0, 1] * 8), "the label of row 3 is missing"),
        (pd.cut(FRAME["u"], 2), r"not Interval \(row 1\); make them text with y.astype\(str\)"),
        (np.array([10**30, 1] * 12, dtype=object), "beyond 64 bits"),
        (scipy.sparse.csr_array(np.ones((N, 1))), r"give y.toarray\(\)"),
    ],
)
@pytest.mark.parametrize("learn", [MLPObjective, MLPClassifier().fit])
def test_labels_without_a_class_are_refused(
    labels: Any, sentence: str, learn: Callable[[Any, Any], Any]
) -> None:
    with pytest.raises(DataError, match=sentence):
        learn(NUMBERS, labels)


def test_dates_are_no_labels() -> None:
    with pytest.raises(DataError, match=r"not of type datetime64.*y\.astype\(str\)"):
        MLPObjective(NUMBERS, pd.date_range("2026", periods=2).repeat(12))


def test_text_stays_objects() -> None:
    """NumPy's own text would give each label the width of the longest."""
    assert labels_of("y", WORDS).dtype == object
    data = Dataset.from_arrays("long", np.arange(20)[:, None], pd.Series(["a" * 9_999, "b"] * 10))
    assert [len(str(name)) for name in data.classes] == [9_999, 1]


@pytest.mark.parametrize("gap", [pd.NA, pd.NaT])
def test_the_classifier_names_the_column_of_a_gap_that_numpy_does_not_know(gap: object) -> None:
    frame = pd.DataFrame({"a": range(20), "c": pd.Series([gap, 1] * 10, dtype=object)})
    with pytest.raises(DataError, match="column 'c' contains NaN or other missing values"):
        MLPClassifier(max_iter=1).fit(frame, [0, 1] * 10)
