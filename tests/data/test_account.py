"""Nothing vanishes unsaid: rows and columns from a file to the inputs of a network."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hpsearch.checks.data_checks import codes_for_missing, missing_values
from hpsearch.data import Dataset, load_dataset, make_splits
from hpsearch.data.account import Account, code_for_missing
from hpsearch.data.features import load_features
from hpsearch.data.said import Said
from hpsearch.data.tabular import dataset_from_table
from hpsearch.errors import DataError, UnknownNameError
from hpsearch.study_file import parse_study_file
from hpsearch.study_file.data import study_data

pytestmark = pytest.mark.slow

N = 40
PLAIN = {"x": list(range(N)), "y": ["a", "b"] * (N // 2)}


def write_csv(path: Path, table: dict[str, list[object]]) -> Path:
    rows = zip(*table.values(), strict=True)
    text = "\n".join([",".join(table), *(",".join(map(str, row)) for row in rows)])
    path.write_text(text + "\n", encoding="utf-8")
    return path


def data_with(column: object, name: str = "c") -> Dataset:
    return dataset_from_table("t", pa.table({"x": PLAIN["x"], name: column, "y": PLAIN["y"]}), "y")


class TestLabels:
    @pytest.mark.parametrize(
        "word",
        ["NA", "N/A", "na", "null", "NULL", "None", "none", "nan", "NaN", "-", "--", "?", "n/a"],
    )
    @pytest.mark.parametrize("kind", ["csv", "parquet"])
    def test_a_word_that_may_be_a_class_is_kept_and_asked_about(
        self, tmp_path: Path, word: str, kind: str
    ) -> None:
        labels = ["DE", "FR", word] * 30
        table: dict[str, list[object]] = {"x": list(range(90)), "country": labels}  # type: ignore[dict-item]
        path = tmp_path / f"t.{kind}"
        if kind == "csv":
            write_csv(path, table | {"country": [f" {label} " for label in labels]})
        else:
            pq.write_table(pa.table(table), path)
        data = load_dataset(path=path, target="country")
        assert set(data.classes) == {"DE", "FR", word}
        assert data.account.rows == data.account.rows_read == len(data.y) == 90
        [asked] = data.account.remarks
        assert f"30 rows have the label {word!r}, kept as a class" in asked
        assert f'missing_labels = ["{word}"]' in asked

    @pytest.mark.parametrize(
        "labels",
        [
            ["None", "Mild", "Severe"] * 10,
            ["NA"] * 26 + ["a", "b"] * 2,
            pa.array(["NA", "b"] * 15).dictionary_encode(),
            pa.array(["NA", "b"] * 15, pa.large_string()),
            ["0", "1", "NA"] * 10,
        ],
    )
    def test_relatives_of_such_a_class(self, labels: object) -> None:
        data = dataset_from_table("t", pa.table({"x": range(30), "y": labels}), "y")
        assert len(data.y) == 30
        assert len(data.account.remarks) == 1

    def test_empty_cells_and_nulls_are_missing_and_counted(self, tmp_path: Path) -> None:
        labels = ["a", "b", "  ", ""] * 10
        path = write_csv(tmp_path / "t.csv", {"x": list(range(40)), "y": labels})  # type: ignore[dict-item]
        data = load_dataset(path=path, target="y")
        assert data.account.rows_dropped == {"without a label in 'y'": 20}
        for nulls in (
            ["a", None, "b", "b", "a"],
            pa.array([0.0, float("nan"), 1.0, 1.0, 0.0]),
            pa.array(["a", None, "b", "b", "a"]).dictionary_encode(),
            pa.array([True, None, False, False, True]),
        ):
            data = dataset_from_table("t", pa.table({"x": [1, 2, 3, 4, 5], "y": nulls}), "y")
            assert data.X[:, 0].tolist() == [1, 3, 4, 5]
            assert data.account.unlabelled == 1

    def test_labels_that_mean_missing_are_left_out_when_the_user_says_so(
        self, tmp_path: Path
    ) -> None:
        path = write_csv(tmp_path / "t.csv", {"x": list(range(90)), "y": ["DE", "FR", "NA"] * 30})
        text = f'name = "s"\n[data]\npath = "{path}"\ntarget = "y"\nmissing_labels = ["NA"]'
        data, _ = study_data(parse_study_file(text).data, seed=0)
        assert data.classes == ("DE", "FR")
        assert data.account.unlabelled == 30
        assert data.account.remarks == ()
        numbers = pa.table({"x": range(6), "y": [-1, 1, 0, 1, 0, -1]})
        assert dataset_from_table("t", numbers, "y", Said(missing_labels=["-1"])).classes == (0, 1)
        with pytest.raises(UnknownNameError, match="did you mean 'NA'"):
            load_dataset(path=path, target="y", missing_labels=["na"])
        with pytest.raises(DataError, match="remove missing_labels"):
            load_dataset("iris", missing_labels=["setosa"])

    @pytest.mark.parametrize("word", ["NA", "None", "?", ""])
    def test_such_a_class_of_arrays_is_asked_about(self, tmp_path: Path, word: str) -> None:
        np.savez(tmp_path / "t.npz", X=np.arange(60).reshape(30, 2), y=np.array([word, "b"] * 15))
        data = load_dataset(path=tmp_path / "t.npz")
        [asked] = data.account.remarks
        assert f"15 rows have the label {word!r}, kept as a class" in asked

    def test_the_check_of_missing_values_does_not_pass_silently(self) -> None:
        table = pa.table({"x": range(60), "y": ["a", "b", None] * 20})
        data = dataset_from_table("t", table, "y")
        [split] = make_splits(data.y, test=0.2, validation=0.2, folds=1, seed=0)
        check = missing_values(data, split)
        assert check.verdict == "warn"
        assert "20 rows without a label" in check.found


class TestColumns:
    @pytest.mark.parametrize(
        ("texts", "value"),
        [
            (["39,100.0", "1,250.5", "900.25"], 39100.0),
            (["45%", "7 %", "12.5%"], 45),
            (["$1,234.50", "$7", "-$3.20"], 1234.5),
            (["1.234,56 €", "3,50 €", "12 €"], 1234.56),
            (["£3", "£4.5", "£1,000"], 3),
            (["USD 12.00", "USD 1,000.00", "USD 7.00"], 12),
            (["12.00 EUR", "13.5EUR", "7 eur"], 12),
            (["(1,200)", "300", "(5)"], -1200),
            (["\u22125.5", "3", "\u22122"], -5.5),
            (["1 234,5", "7,25", "12 000"], 1234.5),
            (["1\u202f234", "5\u202f000", "7"], 1234),
            (["1'234'567", "8'000", "5"], 1234567),
            (["3,5", "4,75", "10,25"], 3.5),
            (["1,234", "5,678", "9,012"], 1234),
            (["12,34,567", "1,000", "5"], 1234567),
            (["45 kg", "7 kg", "9.5 kg"], 45),
            (["100 zł", "7 zł", "9 zł"], 100),
            (["1.234,56-", "12,50", "3,00-"], -1234.56),
            (["$(1,234.00)", "$5.00", "($3.00)"], -1234),
            (["Rs. 1,23,456", "Rs. 5,000", "Rs.7"], 123456),
            (["kr 1 234,50", "kr 12", "kr 7,5"], 1234.5),
            (["3", "-", "None"], 3),
            (["TRUE", "-", "None"], 1),
        ],
    )
    def test_numbers_as_people_write_them(self, texts: list[str], value: float) -> None:
        column = [*texts, *[texts[-1]] * (N - len(texts))]
        if "None" in texts:
            column[3] = "false" if texts[0] == "TRUE" else "7"
        data = data_with(column)
        assert data.categories == {}
        assert data.X[0, 1] == pytest.approx(value)
        if "None" not in texts:
            assert texts[0] in data.account.numbers["c"]
        else:
            assert data.account.imputed == {"c": N - 2}

    @pytest.mark.parametrize(
        "texts",
        [
            ["1-2-3", "4-5-6", "7-8-9"],
            ["1.2.3", "1.10.2", "2.0.0"],
            ["10-20", "20-30", "30-40"],
            ["A1", "B2", "C3"],
            ["1A", "2A", "3A"],
            ["-", "--", "None"],
            ["red", "blue", "green"],
            ["low", "12 apples", "7"],
        ],
    )
    def test_what_only_looks_like_numbers_stays_categories(self, texts: list[str]) -> None:
        data = data_with([*texts * 13, texts[0]])
        assert data.categories == {1: tuple(sorted(texts))}
        assert data.account.numbers == {}

    @pytest.mark.parametrize(
        ("texts", "example"),
        [
            (["12K", "3.5K", "1M"], "3.5K"),
            (["<0.1", "n.d.", "trace"], "<0.1"),
            (["10+ years", "< 1 year", "3 years"], "< 1 year"),
            (["4", "unknown", "refused"], "4"),
            (["99¢", "5¢", "7¢"], "99¢"),
        ],
    )
    def test_numbers_within_categories_are_asked_about(
        self, texts: list[str], example: str
    ) -> None:
        data = data_with([*texts * 13, texts[0]])
        [asked] = data.account.remarks
        assert f"numbers such as {example!r}" in asked
        assert "taken for 3 categories" in asked

    @pytest.mark.parametrize(
        "texts", [["A1", "B2"], ["12B", "14C"], ["20-30", "30-40"], ["1.2.3", "1.10.0"], ["J", "N"]]
    )
    def test_codes_and_bands_are_not(self, texts: list[str]) -> None:
        assert data_with(texts * (N // 2)).account.remarks == ()

    def test_what_a_file_calls_categories_are_that(self) -> None:
        data = data_with(pa.array(["1", "2"] * (N // 2)).dictionary_encode())
        assert data.categories == {1: ("1", "2")}
        assert data.account.remarks == ()

    @pytest.mark.parametrize("kind", [pa.float32(), pa.float64()])
    def test_a_column_of_nothing_but_nan_has_no_value(self, kind: pa.DataType) -> None:
        data = data_with(pa.array([float("nan")] * N, kind))
        assert data.account.columns_dropped == {"c": "no value"}

    def test_leading_zeros_are_asked_about(self) -> None:
        data = data_with([f"{i % 9 * 1234:05}" for i in range(N)], "zip")
        [asked] = data.account.remarks
        assert "'zip' has leading zeros ('00000') and is taken for a number" in asked
        assert data_with(["0.5", "0", "-0.25", "10"] * 10).account.remarks == ()
        labels = pa.table({"x": PLAIN["x"], "y": ["01", "1"] * (N // 2)})
        assert dataset_from_table("t", labels, "y").classes == ("01", "1")

    def test_a_table_has_one_decimal_mark(self, tmp_path: Path) -> None:
        """1.234 beside 3,5 is more than a thousand, and 3,500 three and a half."""
        rows = [f"{i % 7},5;{i % 9 + 1}.234;{i % 8 + 1},500;{i};{'ab'[i % 2]}" for i in range(N)]
        (tmp_path / "t.csv").write_text("\n".join(["p;many;few;n;y", *rows]))
        data = load_dataset(path=tmp_path / "t.csv", target="y")
        assert data.X[1].tolist() == [1.5, 2234, 2.5, 1]
        assert data.account.numbers["many"] == '"1.234" as 1234'
        again = load_features(
            tmp_path / "t.csv",
            data.feature_names,
            data.categories,
            decimal_comma=data.account.decimal_comma,
        )
        assert again.tobytes() == data.X.tobytes()
        rows = [f"{i % 7},5;0.{i % 9 + 1}34;{'ab'[i % 2]}" for i in range(N)]
        (tmp_path / "t.csv").write_text("\n".join(["p;q;y", *rows]))
        assert load_dataset(path=tmp_path / "t.csv", target="y").X[0, 1] == pytest.approx(0.134)

    def test_units_that_differ_are_said(self) -> None:
        data = data_with(["45 kg", "100 lb"] * (N // 2))
        [remark] = data.account.remarks
        assert "2 units (kg, lb)" in remark

    @pytest.mark.parametrize(
        ("texts", "words"),
        [
            (["1,234.5", "n.v.t."], "row 2: 'n.v.t.' is not a number"),
            (["$5", "five"], "row 2: 'five' is not a number"),
            (["45%", "half"], "row 2: 'half' is not a number"),
            (["1,234.5", "1.234,5"], "writes numbers in two ways"),
        ],
    )
    def test_a_slip_among_numbers_is_named_with_its_row(self, texts: list[str], words: str) -> None:
        with pytest.raises(DataError) as caught:
            data_with([*texts, *[texts[0]] * (N - 2)])
        assert words in str(caught.value)
        assert "'c'" in str(caught.value)

    def test_the_row_is_that_of_the_file(self) -> None:
        table = {"x": ["1", "2", "x9", *["4"] * 37], "y": ["", *["a", "b"] * 19, "a"]}
        with pytest.raises(DataError, match="row 3: 'x9' is not a number"):
            dataset_from_table("t", pa.table(table), "y")

    @pytest.mark.parametrize(
        "form",
        [
            "2024-{m:02}-{d:02}",
            "2024/{m}/{d}",
            "{d:02}/{m:02}/2024",
            "{m}/{d}/24",
            "{d}.{m}.2024",
            "{d:02}-{m:02}-2024",
            "2024-{m:02}-{d:02} 10:{d:02}:00",
            "2024-{m:02}-{d:02}T10:{d:02}:00.5Z",
            "2024-{m:02}-{d:02}T10:{d:02}:00+02:00",
            "{m}/{d}/2024 3:{d:02} PM",
            "{d} March 2024",
            "Mar {d}, 2024",
            "{d}-Mar-24",
            "{d} Mar",
            "March {d}",
            "Mon, {d:02} Mar 2024 10:00:00 GMT",
            "10:{d:02}",
            "{d}. März 2024",
            "{d} août 2024",
            "{d} de enero de 2024",
            "{m:02}/2024",
            "2024-W{d:02}",
            "2024-Q{m}",
            "{d} days 03:00:00",
        ],
    )
    def test_dates_are_no_categories(self, form: str) -> None:
        dates = [form.format(m=i % 12 + 1, d=i % 28 + 1) for i in range(N)]
        for column in (dates, pa.array(dates).dictionary_encode()):
            data = data_with(column, "when")
            assert data.categories == {}
            why = data.account.columns_dropped.get("when", "")
            assert why.startswith("dates or times") or data.account.dates

    def test_plain_integers_that_could_be_dates_are_numbers(self) -> None:
        data = data_with([f"202401{i % 28 + 1:02}" for i in range(N)])
        assert data.X[0, 1] == 20240101

    @pytest.mark.parametrize("name", ["", "Unnamed: 0", "Unnamed: 0.1", "__index_level_0__"])
    @pytest.mark.parametrize("first", [0, 1])
    def test_an_unnamed_column_is_a_row_number_only_if_it_counts(
        self, name: str, first: int
    ) -> None:
        made_up = name or "unnamed_2"
        counted = range(first, N + first)
        for numbers in (list(counted), [f"{i}.0" for i in counted]):
            data = data_with(numbers, name)
            assert data.account.columns_dropped == {made_up: "no name, and the numbers of the rows"}
        for values in (
            [v * 0.5 for v in range(N)],
            [i % 7 for i in range(N)],
            ["red", "blue"] * (N // 2),
            list(range(5, N + 5)),
        ):
            data = data_with(values, name)
            assert data.feature_names == ("x", made_up)
            assert any(repr(made_up) in remark for remark in data.account.remarks)

    def test_several_unnamed_columns(self, tmp_path: Path) -> None:
        rows = "".join(f"{i},{i % 5},{i * 2},{'ab'[i % 2]}\n" for i in range(20))
        (tmp_path / "t.csv").write_text(",,x,y\n" + rows)
        data = load_dataset(path=tmp_path / "t.csv", target="y")
        assert data.feature_names == ("unnamed_2", "x")
        assert list(data.account.columns_dropped) == ["unnamed_1"]
        excluded = load_dataset(path=tmp_path / "t.csv", target="y", exclude=["unnamed_2"])
        assert excluded.feature_names == ("x",)

    @pytest.mark.parametrize(
        ("values", "code"),
        [
            ([*range(20, 50), -999, -999, -999], "-999 in 3 rows"),
            ([*range(20, 50), 9999, 9999], "9999 in 2 rows"),
            ([*range(20, 50), -1, -1, -1], "-1 in 3 rows"),
            ([*np.linspace(-3, 3, 30), -200, -200], "-200 in 2 rows"),
            ([*range(0, 60_000, 1000), -99, -99], "-99 in 2 rows"),
            ([*range(28), 999, 999, 999], "999 in 3 rows"),
            ([*range(20, 50), -998, -998, -999, -999], "-999 in 2 rows, -998 in 2 rows"),
            ([*range(50), -8, -8, -9, -9, -9], "-9 in 3 rows, -8 in 2 rows"),
            ([*range(50), 888, 888, 999, 999], "888 in 2 rows, 999 in 2 rows"),
            ([0, 1] * 20 + [-999] * 3, "-999 in 3 rows"),
            ([1, 2, 3, 4] * 9 + [99] * 3, "99 in 3 rows"),
            ([1, 2, 3, 4] * 9 + [9] * 3, None),
            ([*range(50), -2, -2, -1, -1], None),
            ([5.0] * 20 + [-999] * 3, None),
            ([*range(18, 60), 88, 88, 99, 99], None),
            ([*range(10), 255, 255], None),
            ([*range(-10, 50), -1, -1], None),
            ([-1, 1] * 20, None),
            ([-1, 0, 1] * 20, None),
            ([*range(50), 999], None),
            ([0.0] * 30 + list(range(100, 130)), None),
            ([np.nan] * 5, None),
        ],
    )
    def test_codes_for_missing_values_are_suspected(
        self, values: list[float], code: str | None
    ) -> None:
        assert code_for_missing(np.array(values, dtype=float)) == code

    def test_a_code_is_told_and_left_alone(self, tmp_path: Path) -> None:
        column = [-999.0 if i % 10 == 0 else float(i) for i in range(N)]
        data = data_with(column)
        assert data.X[0, 1] == -999
        assert data.account.codes == {"c": "-999 in 4 rows"}
        check = codes_for_missing(data)
        assert check.verdict == "warn"
        assert "'c': -999 in 4 rows" in check.advice
        np.savez(tmp_path / "t.npz", X=np.array([range(N), column]).T, y=[0, 1] * (N // 2))
        assert load_dataset(path=tmp_path / "t.npz").account.codes == {"x1": "-999 in 4 rows"}


class TestAccount:
    def test_it_goes_from_the_file_to_the_network(self, tmp_path: Path) -> None:
        table: dict[str, list[object]] = {
            "id": [f"p{i:03}" for i in range(60)],
            "when": [f"2024-01-{i % 28 + 1:02}" for i in range(60)],
            "age": [i if i % 6 else "" for i in range(60)],
            "colour": [("red", "blue", "green", "")[i % 4] for i in range(60)],
            "note": ["x"] * 60,
            "y": [("a", "b", "")[i % 3] for i in range(60)],
        }
        path = write_csv(tmp_path / "t.csv", table)
        text = f'name = "s"\n[data]\npath = "{path}"\ntarget = "y"\nexclude = ["note"]'
        data, _ = study_data(parse_study_file(text).data, seed=0)
        account = data.account
        assert (account.rows_read, account.rows) == (60, 40)
        assert (account.columns_read, account.columns) == (5, 3)
        assert list(account.columns_dropped) == ["note", "id"]
        assert account.inputs == 7
        assert account.imputed == {"age": 7} or sum(account.imputed.values()) > 0
        assert list(account.no_category) == ["colour"]
        told = " ".join(account.sentences())
        for words in (
            "60 rows",
            "40 rows",
            "'id'",
            "'when' (day, weekday, days",
            "'note' (excluded)",
        ):
            assert words in told

    def test_its_document_is_json_and_leads_back(self) -> None:
        account = Account(9, 3, {"why": 1}, {"id": "excluded"}, {"p": "x"}, ("p",), inputs=2)
        document = json.loads(json.dumps(account.document()))
        assert Account.of_document(document) == account
        assert (document["rows"], document["columns"]) == (8, 2)

    def test_long_lists_are_cut_in_words_and_whole_in_the_document(self) -> None:
        names = {f"c{i}": "no value" for i in range(50)}
        account = Account(9, 60, columns_dropped=names)
        assert "and 45 more (no value)" in " ".join(account.sentences())
        assert len(account.document()["columns_dropped"]) == 50

    @pytest.mark.parametrize("name", ["iris", "digits"])
    def test_bundled_data_have_one_too(self, name: str) -> None:
        data, _ = study_data(parse_study_file(f'name = "s"\n[data]\nname = "{name}"').data, 0)
        assert data.account.rows == len(data.y)
        assert data.account.inputs == data.X.shape[1]
        assert data.account.sentences() == [
            f"{len(data.y):,} rows of {data.X.shape[1]} columns and the target, all kept, "
            f"{data.X.shape[1]} inputs",
            "divided: stratified by class",
        ]
