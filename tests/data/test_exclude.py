"""Columns that a study leaves out by name, whatever the data come from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hpsearch.data import load_dataset
from hpsearch.errors import DataError, UnknownNameError
from hpsearch.study_file import parse_study_file
from hpsearch.study_file.data import study_data

TABLE = {
    "Id": [f"p{i}" for i in range(8)],
    "Age": [31, 44, 25, 60, 18, 33, 27, 51],
    "colour": ["red", "blue"] * 4,
    "kind": ["cat", "dog"] * 4,
}


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    rows = zip(*TABLE.values(), strict=True)
    lines = [",".join(TABLE), *(",".join(map(str, row)) for row in rows)]
    (tmp_path / "t.csv").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "t.tsv").write_text("\n".join(lines).replace(",", "\t"), encoding="utf-8")
    pq.write_table(pa.table(TABLE), tmp_path / "t.parquet")
    np.savez(tmp_path / "t.npz", X=np.arange(24).reshape(8, 3) % 5, y=[0, 1] * 4)
    return {kind: tmp_path / f"t.{kind}" for kind in ("csv", "tsv", "parquet", "npz")}


@pytest.mark.parametrize("kind", ["csv", "tsv", "parquet"])
def test_a_column_of_a_table_is_left_out(files: dict[str, Path], kind: str) -> None:
    data = load_dataset(path=files[kind], target="kind", exclude=["Age", "Id"])
    assert data.feature_names == ("colour",)
    assert data.categories == {0: ("blue", "red")}


def test_columns_of_named_data_and_of_arrays_are_left_out_too(files: dict[str, Path]) -> None:
    whole = load_dataset("iris")
    data = load_dataset("iris", exclude=["sepal width (cm)"])
    np.testing.assert_array_equal(data.X, whole.X[:, [0, 2, 3]])
    assert data.fingerprint != whole.fingerprint
    assert load_dataset(path=files["npz"], exclude=["x1"]).feature_names == ("x0", "x2")


@pytest.mark.parametrize(
    ("exclude", "words"),
    [
        (["age"], "unknown column in [data] exclude: 'age'; did you mean 'Age'?"),
        (["Age", "color"], "did you mean 'colour'?"),
        (["kind"], "'kind' is the target, which cannot be excluded"),
        (["Age", "colour", "Id"], "has no column to learn from"),
    ],
)
def test_what_cannot_be_left_out_is_said(
    files: dict[str, Path], exclude: list[str], words: str
) -> None:
    with pytest.raises((DataError, UnknownNameError)) as caught:
        load_dataset(path=files["csv"], target="kind", exclude=exclude)
    assert words in str(caught.value)


def test_nothing_else_is_left_of_arrays(files: dict[str, Path]) -> None:
    with pytest.raises(DataError, match="every column is excluded"):
        load_dataset(path=files["npz"], exclude=["x0", "x1", "x2"])
    with pytest.raises(UnknownNameError, match="did you mean 'x2'"):
        load_dataset(path=files["npz"], exclude=["X2"])


def test_a_study_file_says_which(files: dict[str, Path]) -> None:
    text = f'name = "s"\n[data]\npath = "{files["csv"]}"\ntarget = "kind"\nexclude = ["Age", "Id"]'
    dataset, _ = study_data(parse_study_file(text).data, seed=0)
    assert dataset.feature_names == ("colour",)
