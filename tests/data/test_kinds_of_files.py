"""One table in every kind of file: the same data set, and what had to be found out is said."""

from __future__ import annotations

import datetime as dt
import gzip
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pytest

from hpsearch.data import load_dataset
from hpsearch.data.features import load_features
from hpsearch.data.tables import read_table
from hpsearch.data.text import encoding_of, find_separator
from hpsearch.errors import DataError

FRAME = pd.DataFrame(
    {
        "age": [31, None, 44, 58],
        "member": [True, False, True, False],
        "colour": ["red", "blue", None, "red"],
        "spent": [1.5, -2e3, 0.5, 7],
        "kind": ["dog", "cat", "dog", "cat"],
    }
)


def lines(frame: pd.DataFrame) -> str:
    return str(frame.to_json(orient="records", lines=True))


WRITERS: dict[str, Callable[[Path], object]] = {
    "t.parquet": FRAME.to_parquet,
    "t.feather": FRAME.to_feather,
    "t.arrow": lambda path: pyarrow.feather.write_feather(
        pa.Table.from_pandas(FRAME), path, compression="zstd", chunksize=3
    ),
    "t.xlsx": lambda path: FRAME.to_excel(path, index=False),
    "t.jsonl": lambda path: path.write_text(lines(FRAME)),
    "t.ndjson": lambda path: path.write_text("\ufeff\n" + lines(FRAME)[:-1]),
    "t.jsonl.gz": lambda path: path.write_bytes(gzip.compress(lines(FRAME).encode())),
}


@pytest.mark.parametrize(("name", "write"), WRITERS.items(), ids=WRITERS.keys())
def test_a_table_is_the_same_in_every_kind_of_file(
    tmp_path: Path, name: str, write: Callable[[Path], object]
) -> None:
    FRAME.to_csv(tmp_path / "t.csv", index=False)
    expected = load_dataset(path=tmp_path / "t.csv", target="kind")
    write(tmp_path / name)
    data = load_dataset(path=tmp_path / name, target="kind")
    assert data.fingerprint == expected.fingerprint
    assert data.account.remarks == ()
    features = load_features(tmp_path / name, data.feature_names, data.categories)
    assert features.tobytes() == data.X.tobytes()


@pytest.mark.parametrize("compression", [None, "zstd", "lz4"])
def test_a_stream_of_arrow(tmp_path: Path, compression: str | None) -> None:
    text = pa.array(["a", None, "bb", "a"] * 1000)
    nested = pa.array([[1, 2], None, [], [3]] * 1000)
    table = pa.table({"c": text.dictionary_encode(), "v": text.cast(pa.string_view()), "l": nested})
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.ipc.new_stream(tmp_path / "t.arrow", table.schema, options=options) as stream:
        stream.write_table(table, max_chunksize=700)
    read = read_table(tmp_path / "t.arrow")
    assert read.column("v").to_pylist() == text.to_pylist()
    assert read.column("c").to_pylist() == text.to_pylist()
    assert read.column("l").null_count == 4000


class TestExcel:
    def test_what_cells_hold(self, tmp_path: Path) -> None:
        book = openpyxl.Workbook()
        sheet = book.active
        sheet.append([])
        sheet.append(["n", "mixed", "day", "clock", None, 2024])
        sheet.append([1, "x", dt.date(2024, 3, 1), dt.time(9, 30), None, True])
        sheet.append([])
        sheet.append([2.5, 7, dt.datetime(2024, 3, 2, 12), dt.time(10), None, False])
        sheet.append([None, 7.25, None, None, None, None])
        sheet["H9"].font = openpyxl.styles.Font(bold=True)  # a cell without a value
        book.save(tmp_path / "t.xlsx")
        read = read_table(tmp_path / "t.xlsx")
        assert read.column_names == ["n", "mixed", "day", "clock", "", "2024"]
        assert read.to_pylist()[1]["mixed"] == "7"
        assert read.column("n").to_pylist() == [1.0, 2.5, None]
        assert read.column("day").to_pylist()[1] == dt.datetime(2024, 3, 2, 12)
        assert read.column("2024").to_pylist() == [True, False, None]
        assert pa.types.is_time(read.column("clock").type)

    def test_one_of_several_sheets(self, tmp_path: Path) -> None:
        with pd.ExcelWriter(tmp_path / "t.xlsx") as writer:
            FRAME.to_excel(writer, sheet_name="pets", index=False)
            FRAME.iloc[::-1].to_excel(writer, sheet_name="turned", index=False)
        first = load_dataset(path=tmp_path / "t.xlsx", target="kind")
        assert first.account.remarks == (
            "of 2 sheets 'pets' is read, the first; another: [data] sheet",
        )
        turned = load_dataset(path=tmp_path / "t.xlsx", target="kind", sheet="turned")
        assert turned.y.tolist() == first.y.tolist()[::-1]
        assert turned.account.remarks == ()
        with pytest.raises(DataError, match="no sheet 'pet'; did you mean 'pets'"):
            load_dataset(path=tmp_path / "t.xlsx", target="kind", sheet="pet")

    def test_other_files_have_no_sheets(self, tmp_path: Path) -> None:
        FRAME.to_csv(tmp_path / "t.csv", index=False)
        np.savez(tmp_path / "t.npz", X=np.eye(4), y=[0, 1, 0, 1])
        for source in ({"path": tmp_path / "t.csv", "target": "kind"}, {"name": "iris"},
                       {"path": tmp_path / "t.npz"}):  # fmt: skip
            with pytest.raises(DataError, match="no sheets"):
                load_dataset(**source, sheet="a")  # type: ignore[arg-type]

    def test_a_value_without_a_name_above_it(self, tmp_path: Path) -> None:
        book = openpyxl.Workbook()
        for row in (["a", "y"], [1, "x"], [2, "x", 3]):
            book.active.append(row)
        book.save(tmp_path / "t.xlsx")
        with pytest.raises(DataError, match="row 2 has a value beyond the 2 columns"):
            read_table(tmp_path / "t.xlsx")


class TestJsonLines:
    def test_keys_come_and_go(self, tmp_path: Path) -> None:
        rows = [{"a": 1}, {"b": "x", "a": 2.5}, {"a": None, "c": [1], "d": True}, {"c": 4}]
        text = "\n\n".join(map(json.dumps, rows))
        (tmp_path / "t.jsonl").write_text(text)
        read = read_table(tmp_path / "t.jsonl")
        assert read.column_names == ["a", "b", "c", "d"]
        assert read.column("a").to_pylist() == [1, 2.5, None, None]
        assert read.column("c").null_count == 4
        assert read.column("d").to_pylist() == [None, None, True, None]

    def test_types_that_change_between_pieces(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("hpsearch.data.json_lines.PIECE", 7)
        rows = [{"a": 1, "b": 2}, {"a": 1.5, "b": "x"}, {"a": 2**70, "b": None}, {"a": 3, "b": 4.0}]
        (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, rows)))
        read = read_table(tmp_path / "t.jsonl")
        assert read.column("a").to_pylist() == [1, 1.5, 2.0**70, 3]
        assert read.column("b").to_pylist() == ["2", "x", None, "4"]


WORDS = {
    "cp1252": ["Müller", "5 €", "naïve", "Straße"],
    "latin-1": ["Müller", "élève", "niño", "£5"],
    "cp1250": ["Příliš", "žluťoučký", "kůň", "úpěl", "ďábelské"],
    "cp1251": ["красный", "синий", "зелёный"],
    "shift_jis": ["東京", "大阪", "カタカナ"],
    "utf-16": ["красный", "大阪", "naïve"],
    "utf-16-be with its mark": ["красный", "大阪", "naïve"],
    "utf-32": ["красный", "大阪", "naïve"],
}


@pytest.mark.parametrize(("encoding", "words"), WORDS.items(), ids=WORDS.keys())
def test_letters_of_other_encodings(tmp_path: Path, encoding: str, words: list[str]) -> None:
    rows = [f"{i},{words[i % len(words)]},{'ab'[i % 2]}" for i in range(24)]
    text = "\n".join(["n,wört" if encoding in ("cp1252", "latin-1") else "n,w", *rows])
    text = text.replace("\n", ",y\n", 1) + "\n"
    if "mark" in encoding:
        content = b"\xfe\xff" + text.encode("utf-16-be")
    else:
        content = text.encode(encoding)
    (tmp_path / "t.csv").write_bytes(content)
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(content))
    for name in ("t.csv", "t.csv.gz"):
        data = load_dataset(path=tmp_path / name, target="y")
        assert set(data.categories[1]) == set(words)
        told = data.account.remarks[0]
        assert "is no UTF-8 and read as" in told
        assert any(word.split()[0] in told for word in [*words, "wört"])


def test_a_letter_late_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hpsearch.data.tables.HEAD_BYTES", 64)
    rows = [f"{i},{'Zoë' if i == 90 else 'Ann'},{'ab'[i % 2]}" for i in range(100)]
    (tmp_path / "t.csv").write_bytes("\n".join(["n,who,y", *rows]).encode("latin-1"))
    data = load_dataset(path=tmp_path / "t.csv", target="y")
    assert data.categories[1] == ("Ann", "Zoë")


def test_western_letters_come_first() -> None:
    """What charset-normalizer takes for Chinese or Korean, since it is so short."""
    assert encoding_of("20 °C\n21 °C".encode("latin-1")) == "cp1252"
    assert encoding_of("Łódź, żółć, gęś".encode("cp1250")) != "cp1252"


SEPARATED = {
    "name|size\na,b|1\nc|2\n": "|",
    "name;size\n1,5;2,5\n3,5;4,5\n": ";",
    "a,b;c\n1,2;3\n4,5;6\n": ",",
    "name, of it;size\nx;1\ny;2\n": ";",
    "name;note\nx;a, b, c\ny;d\n": ";",
    "a\tb\n1,2\t3\n4\t5\n": "\t",
    '"a;b",c\n"1;2",3\n': ",",
    "y\na\nb\n": ",",
    "a,b\n1,2\n3\n": ",",
}


@pytest.mark.parametrize(("text", "mark"), SEPARATED.items(), ids=range(len(SEPARATED)))
def test_what_separates_cells_is_found(text: str, mark: str) -> None:
    assert find_separator(text) == mark


def test_a_doubtful_separator_is_said(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,x;b\n" + "".join(f"{i},5;{'cd'[i % 2]}\n" for i in range(9)))
    assert find_separator("a,x;b\n1,5;c\n").doubt == ";"
    table: list[str] = []
    read_table(tmp_path / "t.csv", tell=table.append)
    assert table == [
        "its cells may be separated by ',' or ';'; ',' is taken, which makes 2 columns"
    ]


def test_a_row_at_fault_tells_what_separates(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a|b|y\n1|2|a\n1|2\n")
    with pytest.raises(DataError, match=r"the 3 cells of the header, separated by '\|'"):
        read_table(tmp_path / "t.csv")
