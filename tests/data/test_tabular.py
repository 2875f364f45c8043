"""Tables: what their columns become, in training and in prediction."""

from __future__ import annotations

import gzip
import logging
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hpsearch.data import load_dataset
from hpsearch.data.features import load_features
from hpsearch.data.tabular import dataset_from_table
from hpsearch.errors import DataError

CSV = """age, member,colour ,spent,kind
31,true,red,1.5,dog
,false,blue,-2e3,cat
44, TRUE,?, .5,dog
58,NA,red,+7,cat
"""


def write(path: Path, text: str = CSV) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_columns_become_numbers_and_categories(tmp_path: Path) -> None:
    data = load_dataset(path=write(tmp_path / "pets.csv"), target="kind")
    nan = np.nan
    expected = [[31, 1, 1, 1.5], [nan, 0, 0, -2000], [44, 1, nan, 0.5], [58, nan, 1, 7]]
    np.testing.assert_array_equal(data.X, np.array(expected, dtype=np.float32))
    assert data.feature_names == ("age", "member", "colour", "spent")
    assert data.categories == {2: ("blue", "red")}
    assert data.classes == ("cat", "dog")
    assert data.y.tolist() == [1, 0, 1, 0]
    assert data.account.imputed == {"age": 1, "member": 1}
    assert data.account.no_category == {"colour": 1}


@pytest.mark.parametrize(
    ("name", "encode"),
    [
        ("t.csv", lambda text: text.encode()),
        ("bom.csv", lambda text: b"\xef\xbb\xbf" + text.encode()),
        ("windows.csv", lambda text: text.replace("\n", "\r\n").encode()),
        ("t.csv.gz", lambda text: gzip.compress(text.encode())),
        ("packed.csv", lambda text: gzip.compress(text.encode())),
        ("t.tsv", lambda text: text.replace(",", "\t").encode()),
        ("semicolons.csv", lambda text: text.replace(",", ";").encode()),
        ("quoted.csv", lambda text: text.replace("red", '"red"').encode()),
        ("blank.csv", lambda text: b"\n" + text.replace("\n", "\n\n").encode()),
    ],
)
def test_the_same_table_in_other_clothes(tmp_path: Path, name: str, encode: object) -> None:
    file = tmp_path / name
    file.write_bytes(encode(CSV))  # type: ignore[operator]
    expected = load_dataset(path=write(tmp_path / "plain.csv"), target="kind")
    assert load_dataset(path=file, target="kind").fingerprint == expected.fingerprint


def test_parquet_gives_the_same_as_csv(tmp_path: Path) -> None:
    table = pa.table(
        {
            "age": pa.array([31, None, 44, 58], pa.int16()),
            "member": [True, False, True, None],
            "colour": pa.array(["red", "blue", None, "red"]).dictionary_encode(),
            "spent": pa.array([1.5, -2e3, 0.5, 7], pa.float32()),
            "kind": pa.array(["dog", "cat", "dog", "cat"], pa.large_string()),
        }
    )
    pq.write_table(table, tmp_path / "t.parquet")
    from_csv = load_dataset(path=write(tmp_path / "t.csv"), target="kind")
    from_parquet = load_dataset(path=tmp_path / "t.parquet", target="kind")
    assert from_parquet.fingerprint == from_csv.fingerprint


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["1", "0", "1", "0"], (0, 1)),
        (["1.0", "0", "1.0", "0"], (0, 1)),
        (["0.5", "1.5", "0.5", "1.5"], ("0.5", "1.5")),
        (["yes", "no", "yes", "no"], ("no", "yes")),
        (["1", "x", "1", "x"], ("1", "x")),
        (["007", "a1", "007", "a1"], ("007", "a1")),
        (pa.array([3, 9, 3, 9], pa.uint8()), (3, 9)),
        (pa.array([2.0, 5.0, 2.0, 5.0]), (2, 5)),
        (pa.array([True, False, True, False]), ("false", "true")),
        (pa.array(["b", "a", "b", "a"]).dictionary_encode(), ("a", "b")),
        (pa.array([30, 4, 30, 4]).dictionary_encode(), (4, 30)),
        (["+1", "-1", "+1", "-1"], ("+1", "-1")),
        (pa.array([1, 2, 1, 2], pa.date32()), ("1970-01-02", "1970-01-03")),
        (pa.array([0, 86_400_000] * 2, pa.date64()), ("1970-01-01", "1970-01-02")),
    ],
)
def test_labels_keep_their_nature(labels: object, classes: tuple[object, ...]) -> None:
    table = pa.table({"x": [1, 2, 3, 4], "label": labels})
    assert dataset_from_table("t", table, "label").classes == classes


def test_rows_without_a_label_are_left_out_and_counted() -> None:
    table = pa.table({"x": [1, 2, 3, 4, 5], "y": ["a", "b", "a", "b", "?"]})
    data = dataset_from_table("t", table, "y")
    assert data.X[:, 0].tolist() == [1, 2, 3, 4]
    assert data.account.rows_dropped == {"without a label: '?' reads as missing": 1}


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        ({"name": [f"person {i}" for i in range(40)]}, "an identifier"),
        ({"empty": ["", "NA", *[""] * 38]}, "no value"),
        ({"nothing": pa.nulls(40)}, "no value"),
        ({"week": [f"2024-W{i % 52 + 1}" for i in range(40)]}, "dates or times in a form"),
        ({"all": ["one"] * 40}, "the same in every row"),
        ({"seven": [7, 7, None, 7] * 10}, "the same in every row"),
        ({"list": [[1, 2]] * 40}, "neither number nor text"),
        ({"__index_level_0__": list(range(40))}, "the numbers of the rows"),
    ],
)
def test_useless_columns_are_left_out_by_name(column: dict[str, object], reason: str) -> None:
    table = pa.table({"x": list(range(40)), **column, "y": ["a", "b"] * 20})
    data = dataset_from_table("t", table, "y")
    assert data.feature_names == ("x",)
    [(name, why)] = data.account.columns_dropped.items()
    assert name == next(iter(column))
    assert reason in why


def test_too_many_categories_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hpsearch.data.columns.MAX_CATEGORIES", 1000)
    words = [f"w{i % 1001}" for i in range(3003)]
    table = pa.table({"x": list(range(3003)), "w": words, "y": ["a", "b", "c"] * 1001})
    data = dataset_from_table("t", table, "y")
    assert data.account.columns_dropped == {"w": "1,001 categories, more than 1,000"}


def test_text_of_many_words_is_left_out_with_what_to_do() -> None:
    said = [f"the parcel of {i % 37} came late on day {i}" for i in range(60)]
    table = pa.table({"x": list(range(60)), "said": said, "y": ["a", "b", "c"] * 20})
    data = dataset_from_table("t", table, "y")
    why = data.account.columns_dropped["said"]
    assert why.startswith("texts of 9 words, which no network of numbers reads; make columns of")


def test_categories_in_many_chunks_keep_one_coding() -> None:
    text = pa.chunked_array([["b", "a"], [], ["c", "a"], ["b", "c"]], pa.string())
    for column in (text, text.dictionary_encode()):
        data = dataset_from_table("t", pa.table({"c": column, "y": [0, 1] * 3}), "y")
        assert data.categories == {0: ("a", "b", "c")}
        assert data.X[:, 0].tolist() == [1, 0, 2, 0, 1, 2]


def test_many_missing_columns_are_counted_together() -> None:
    columns = {f"x{i}": [None, 1.0, 2.0, 3.0] for i in range(6)}
    data = dataset_from_table("t", pa.table({**columns, "y": [0, 1, 0, 1]}), "y")
    assert data.account.imputed == dict.fromkeys(columns, 1)
    assert any(line.endswith("and 1 more") for line in data.account.sentences())


def test_a_wide_table_is_read(tmp_path: Path) -> None:
    wide = np.arange(4 * 5000).reshape(4, 5000)
    names = ",".join(f"c{i}" for i in range(5000))
    np.savetxt(tmp_path / "w.csv", wide, "%d", ",", header=names, comments="")
    features = load_features(tmp_path / "w.csv", [f"c{i}" for i in range(5000)], {})
    np.testing.assert_array_equal(features, wide)


class TestFeatures:
    NAMES = ("age", "member", "colour", "spent")
    CATEGORIES = {2: ("blue", "red")}  # noqa: RUF012

    def test_the_training_file_gives_the_training_matrix(self, tmp_path: Path) -> None:
        data = load_dataset(path=write(tmp_path / "t.csv"), target="kind")
        again = load_features(tmp_path / "t.csv", data.feature_names, data.categories)
        assert again.tobytes() == data.X.tobytes()

    def test_order_and_extra_columns_do_not_matter(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        text = "id,colour,spent,member,age\n9,green,1,false,20\n8,red,2,true,\n"
        with caplog.at_level(logging.INFO, "hpsearch"):
            X = load_features(write(tmp_path / "n.csv", text), self.NAMES, self.CATEGORIES)
        nan = np.nan
        np.testing.assert_array_equal(X, np.array([[20, 0, nan, 1], [nan, 1, 1, 2]]))
        assert X.dtype == np.float32
        assert "are ignored: 'id'" in caplog.text
        assert "1 row of 'colour': 'green' (1) is new" in caplog.text

    def test_a_column_that_is_empty_in_the_file_is_missing(self, tmp_path: Path) -> None:
        text = "age,member,colour,spent\n,,,\n?,NA,,null\n"
        X = load_features(write(tmp_path / "n.csv", text), self.NAMES, self.CATEGORIES)
        assert np.isnan(X).all()

    def test_parquet_types_are_taken_as_they_are(self, tmp_path: Path) -> None:
        columns = {
            "age": pa.nulls(2),
            "member": [True, False],
            "colour": pa.array(["red", "blue"]).dictionary_encode(),
            "spent": pa.array(["1", "2"]).dictionary_encode(),
        }
        pq.write_table(pa.table(columns), tmp_path / "n.parquet")
        X = load_features(tmp_path / "n.parquet", self.NAMES, self.CATEGORIES)
        np.testing.assert_array_equal(X[:, 1:], [[1, 1, 1], [0, 0, 2]])
        assert np.isnan(X[:, 0]).all()

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("age,member,color,spent\n1,true,red,1\n", "no column 'colour', which the model needs"),
            ("age,member,color,spent\n1,true,red,1\n", "did you mean 'color'"),
            ("age,zz\n1,2\n", "3 columns are missing in all"),
            ("age,member,colour,spent\nold,true,red,1\n", "'age', row 1: 'old' is not a number"),
            ("age,member,colour,spent\n1,true,red,inf\n", "'spent', row 1 is infinite"),
            ("age,member,colour,spent\n1,true,red,1e99\n", "'spent', row 1 is infinite"),
            ("age,member,colour,spent\n", "no rows"),
        ],
    )
    def test_what_the_model_cannot_take_is_said(
        self, tmp_path: Path, text: str, words: str
    ) -> None:
        with pytest.raises(DataError) as caught:
            load_features(write(tmp_path / "n.csv", text), self.NAMES, self.CATEGORIES)
        assert words in str(caught.value)

    @pytest.mark.parametrize("column", ["age", "colour"])
    def test_types_that_mean_nothing_to_it_are_said(self, tmp_path: Path, column: str) -> None:
        columns: dict[str, object] = {
            "age": [1],
            "member": [True],
            "colour": ["red"],
            "spent": [1.0],
            column: [[1, 2]],
        }
        pq.write_table(pa.table(columns), tmp_path / "n.parquet")
        with pytest.raises(DataError, match=f"column '{column}' is of type list"):
            load_features(tmp_path / "n.parquet", self.NAMES, self.CATEGORIES)

    def test_other_files_are_refused(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="samples to predict are read from"):
            load_features(write(tmp_path / "n.txt"), self.NAMES, self.CATEGORIES)
