"""What a study says of columns: categories, an order of theirs, the decimal mark."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from hpsearch.data import Dataset, Preprocessor, load_dataset
from hpsearch.data.features import load_features
from hpsearch.data.said import Said
from hpsearch.data.tabular import dataset_from_table
from hpsearch.errors import DataError, StudyFileError, UnknownNameError
from hpsearch.study_file import parse_study_file
from hpsearch.study_file.data import study_data

N = 40


def data_with(column: object, said: Said, name: str = "c") -> Dataset:
    table = pa.table({"x": list(range(N)), name: column, "y": ["a", "b"] * (N // 2)})
    return dataset_from_table("t", table, "y", said)


def study(path: Path, *lines: str) -> str:
    head = ['name = "s"', "[data]", f'path = "{path}"', 'target = "y"']
    return "\n".join([*head, *lines])


class TestCategories:
    @pytest.mark.parametrize(
        ("column", "names"),
        [
            ([1, 2, 10, 2] * 10, ("1", "10", "2")),
            (pa.array([1.0, None, 2.5, 1.0] * 10), ("1", "2.5")),
            ([True, False] * 20, ("false", "true")),
            (["01234", "00007"] * 20, ("00007", "01234")),
            (["1,5", "2"] * 20, ("1,5", "2")),
            (["2024-01-01", "2024-01-02"] * 20, ("2024-01-01", "2024-01-02")),
            (pa.array([0, 1] * 20, pa.date32()), ("1970-01-01", "1970-01-02")),
            ([f"person {i:02}" for i in range(N)], tuple(f"person {i:02}" for i in range(N))),
            (pa.array(["b", "a"] * 20).dictionary_encode(), ("a", "b")),
            (["1", "x"] * 2 + ["3"] * 36, ("1", "3", "x")),
        ],
    )
    def test_whatever_it_holds(self, column: object, names: tuple[str, ...]) -> None:
        data = data_with(column, Said(categories=["c"]))
        assert data.categories == {1: names}
        assert data.ordered == frozenset()
        assert data.account.columns_dropped == {}

    def test_a_model_reads_them_again(self, tmp_path: Path) -> None:
        rows = "".join(f"{i},{i % 3:03},{'ab'[i % 2]}\n" for i in range(N))
        (tmp_path / "t.csv").write_text("x,zip,y\n" + rows)
        data = load_dataset(path=tmp_path / "t.csv", target="y", categories=["zip"])
        assert data.categories == {1: ("000", "001", "002")}
        again = load_features(tmp_path / "t.csv", data.feature_names, data.categories)
        assert again.tobytes() == data.X.tobytes()
        assert data.divided(np.arange(N)).account.inputs == 4

    def test_what_cannot_be_categories(self) -> None:
        with pytest.raises(DataError, match="'c', said to be categories, has texts of up to 2,000"):
            data_with(["x" * 2000, "y"] * 20, Said(categories=["c"]))
        assert data_with([None] * N, Said(categories=["c"])).account.columns_dropped == {
            "c": "no value"
        }
        assert (
            "neither" in data_with([[1]] * N, Said(categories=["c"])).account.columns_dropped["c"]
        )


class TestOrdered:
    SIZES = ("S", "M", "L")

    def test_they_become_one_number(self, tmp_path: Path) -> None:
        sizes = ["L", "S", None, "M"] * 10
        data = data_with(sizes, Said(ordered={"c": self.SIZES}))
        np.testing.assert_array_equal(data.X[:4, 1], [2, 0, np.nan, 1])
        assert data.categories == {1: self.SIZES}
        assert data.nominal == {}
        assert data.account.imputed == {"c": 10}
        assert data.divided(np.arange(N)).account.inputs == 2
        prepared = Preprocessor.fit(data.X, "none", categories=data.nominal).transform(data.X)
        assert prepared[:4, 1].tolist() == [2, 0, 1, 1]

    def test_the_order_is_that_of_the_study_file(self, tmp_path: Path) -> None:
        rows = "".join(f"{i},{i % 3 + 1},{'ab'[i % 2]}\n" for i in range(N))
        (tmp_path / "t.csv").write_text("x,grade,y\n" + rows)
        text = study(tmp_path / "t.csv", "ordered = { grade = [3, 2, 1.0] }")
        data, _ = study_data(parse_study_file(text).data, seed=0)
        assert data.categories == {1: ("3", "2", "1")}
        assert data.X[:3, 1].tolist() == [2, 1, 0]
        again = load_features(tmp_path / "t.csv", data.feature_names, data.categories)
        assert again.tobytes() == data.X.tobytes()
        without = data.without(["x"])
        assert (without.categories, without.ordered) == ({0: ("3", "2", "1")}, {0})
        assert data.fingerprint != data_with([1] * N, Said(), "grade").fingerprint

    def test_a_value_that_is_none_of_them_is_named_with_its_row(self) -> None:
        with pytest.raises(DataError, match=r"'c', row 3: 'XL' is none of its ordered categories"):
            data_with(["S", "M", "XL", "L"] * 10, Said(ordered={"c": self.SIZES}))

    @pytest.mark.parametrize(
        ("line", "words"),
        [
            ('ordered = { c = ["S", "M", "S"] }', "has a category of 'c' twice"),
            ('ordered = { c = ["S"] }', "ordered.c"),
            ("ordered = { c = 3 }", "ordered.c"),
            ('decimal = ";"', "decimal cannot be"),
        ],
    )
    def test_study_files_that_say_it_wrong(self, line: str, words: str) -> None:
        with pytest.raises(StudyFileError) as caught:
            parse_study_file(study(Path("t.csv"), line))
        assert words in str(caught.value)
        assert "line 5" in str(caught.value)


class TestDecimal:
    @pytest.mark.parametrize(
        ("texts", "decimal", "value"),
        [
            (["1,234", "5,678"], None, 1234),
            (["1,234", "5,678"], ",", 1.234),
            (["1.234", "5.678"], None, 1.234),
            (["1.234", "5.678"], ",", 1234),
            (["0.5", "5.25"], ",", 0.5),
            (["1,5", "2,5"], ".", 1.5),
        ],
    )
    def test_what_could_be_both(self, texts: list[str], decimal: str | None, value: float) -> None:
        data = data_with(texts * (N // 2), Said(decimal=decimal))
        assert data.X[0, 1] == pytest.approx(value)

    def test_a_point_that_is_said_is_not_found_to_be_a_comma(self, tmp_path: Path) -> None:
        rows = "".join(f"{i % 7},5;{i % 9 + 1}.234;{'ab'[i % 2]}\n" for i in range(N))
        (tmp_path / "t.csv").write_text("p;q;y\n" + rows)
        file = tmp_path / "t.csv"
        assert load_dataset(path=file, target="y").X[0, 1] == 1234
        data = load_dataset(path=file, target="y", decimal=".")
        assert data.X[0, 1] == pytest.approx(1.234)
        for decimal in (".", ",", None):
            data = load_dataset(path=file, target="y", decimal=decimal)
            again = load_features(
                file,
                data.feature_names,
                data.categories,
                decimal_comma=data.account.decimal_comma,
            )
            assert again.tobytes() == data.X.tobytes()


@pytest.mark.parametrize("key", ["exclude", "categories", "ordered"])
def test_columns_that_are_not_there(key: str) -> None:
    said = {"ordered": {"C": ["a", "b"]}}.get(key, ["C"])
    with pytest.raises(UnknownNameError, match=rf"column in \[data\] {key}:.*did you mean 'c'"):
        data_with([1, 2] * 20, Said(**{key: said}))  # type: ignore[arg-type]
    said = {"ordered": {"y": ["a", "b"]}}.get(key, ["y"])
    with pytest.raises(DataError, match="'y' is the target"):
        data_with([1, 2] * 20, Said(**{key: said}))  # type: ignore[arg-type]


def test_a_column_is_one_thing() -> None:
    with pytest.raises(DataError, match="'c' is in exclude and in categories"):
        data_with([1, 2] * 20, Said(exclude=["c"], categories=["c"]))


@pytest.mark.parametrize(
    "said", [{"categories": ["x0"]}, {"ordered": {"x0": "ab"}}, {"decimal": ","}]
)
def test_arrays_and_named_data_have_numbers_only(tmp_path: Path, said: dict[str, object]) -> None:
    np.savez(tmp_path / "t.npz", X=np.eye(4), y=[0, 1, 0, 1])
    for source in ({"path": tmp_path / "t.npz"}, {"name": "iris"}):
        with pytest.raises(DataError, match=f"holds numbers.*remove {next(iter(said))}"):
            load_dataset(**source, **said)  # type: ignore[arg-type]
