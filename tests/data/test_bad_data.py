"""Every way a file can be wrong gives one sentence, exit code 2, and no traceback of a library."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hpsearch.data import load_dataset
from hpsearch.data.features import load_features
from hpsearch.errors import DataError

ROWS = "".join(f"{i},{i % 3},{'ab'[i % 2]}\n" for i in range(12))
GOOD = "p,q,y\n" + ROWS

Content = str | bytes | Callable[[Path], object]


def mostly(cell: str, *, rows: int = 12) -> str:
    """A good table with one cell of column p replaced, in row 3."""
    lines = [f"{cell if i == 2 else i},{'ab'[i % 2]}" for i in range(rows)]
    return "p,y\n" + "\n".join(lines)


def parquet(columns: dict[str, object]) -> Callable[[Path], object]:
    return lambda path: pq.write_table(pa.table(columns), path)


BAD: dict[str, tuple[str, Content, str]] = {
    "empty": ("t.csv", "", "is empty"),
    "blank": ("t.csv", "\n \n", "is empty"),
    "header only": ("t.csv", "p,y\n", "a header and no rows"),
    "header without line end": ("t.csv", "p,y", "a header and no rows"),
    "short row": ("t.csv", GOOD + "1,2\n", "Expected 3 columns, got 2"),
    "long row": ("t.csv", GOOD + "1,2,a,4\n", "each row needs the 3 cells of the header"),
    "text among numbers": (
        "t.csv",
        mostly("x9"),
        "column 'p', row 3: 'x9' is not a number, and 11 of the 12 cells",
    ),
    "text among numbers in Parquet": (
        "t.parquet",
        parquet({"p": ["1", "2", "many", "4"], "y": list("abab")}),
        "row 3: 'many' is not a number",
    ),
    "numbers in two ways": (
        "t.csv",
        "p;y\n" + "".join(f"{i}{',.'[i % 2]}5;{'ab'[i % 2]}\n" for i in range(6)),
        "column 'p' writes numbers in two ways",
    ),
    "infinite": ("t.csv", mostly("-inf"), "'p', row 3 is infinite"),
    "too large": ("t.csv", mostly("1e39"), "'p', row 3 is infinite or beyond float32"),
    "infinite in Parquet": (
        "t.parquet",
        parquet({"p": [1.0, float("inf"), 2.0, 3.0], "y": list("abab")}),
        "'p', row 2 is infinite",
    ),
    "one class": ("t.csv", "p,y\n1,a\n2,a\n3,a\n", "at least two classes"),
    "one sample": ("t.csv", "p,y\n1,a\n2,a\n3,b\n", "class 'b' has one sample"),
    "no label": ("t.csv", "p,y\n1,\n2,NA\n3,?\n", "target 'y' has no value in any row"),
    "target is an identifier": (
        "t.csv",
        "p,y\n" + "".join(f"{i},n{i}\n" for i in range(60)),
        "looks like an identifier",
    ),
    "target of times": (
        "t.parquet",
        parquet({"p": [1, 2], "y": pa.array([1, 2], pa.timestamp("s"))}),
        "of type timestamp",
    ),
    "constant": ("t.csv", "p,q,y\n" + "1,2,a\n1,2,b\n" * 3, "'q' (the same in every row)"),
    "target alone": ("t.csv", "y\n" + "a\nb\n" * 3, "no column to learn from"),
    "only identifiers": (
        "t.csv",
        "p,y\n" + "".join(f"n{i},{'ab'[i % 2]}\n" for i in range(12)),
        "no column to learn from",
    ),
    "no such target": ("t.csv", GOOD.replace("y", "label", 1), "has no column 'y'; name one of"),
    "nearest target": ("t.csv", GOOD.replace("y", "yy", 1), "did you mean 'yy'?"),
    "a name twice": ("t.csv", GOOD.replace("q", "p", 1), "2 columns named 'p'"),
    "zero bytes": ("t.csv", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "is not a text file"),
    "UTF-16 without its mark": ("t.csv", GOOD.encode("utf-16-le"), "is not a text file"),
    "UTF-16, cut off": ("t.csv", GOOD.encode("utf-16")[:-1], "neither UTF-8 nor utf-16 text"),
    "bytes of no letters": (
        "t.csv",
        GOOD.encode() + b"1,2,\xff\x81\x98\xa0\x80\x81\x8d\n",
        "line 14 has the byte 0xff",
    ),
    "a million columns": ("t.csv", ",".join(map(str, range(10**6))) + "\n1", "1,000,000 columns"),
    "one endless line": ("t.csv", b"x" * (1 << 24), "no line end in its first 16 MiB"),
    "an endless name": ("t.csv", "x" * 200_000 + ",y\n1,a\n", "malformed header line"),
    "an endless cell": ("t.csv", GOOD + "1" * (9 << 20) + ",2,a\n", "row of more than 4 MiB"),
    "a quote never closed": ("t.csv", GOOD + '1,2,"a\n1,2,b\n3,4,a\n', "row 13 is never closed"),
    "a quote never closed, gzipped": (
        "t.csv.gz",
        gzip.compress(GOOD.encode() + b'1,2,"a\n1,2,b\n\n'),
        "row 13 is never closed",
    ),
    "a quote never closed in a long file": (
        "t.csv",
        GOOD + '1,2,"a\n' + "1,2,b\n" * (1 << 20),
        "never closed",
    ),
    "cut off gzip": ("t.csv.gz", gzip.compress(GOOD.encode())[:-12], "middle of its gzip data"),
    "damaged gzip": (
        "t.csv.gz",
        gzip.compress(GOOD.encode())[:14] + b"\xff" * 30,
        "damaged gzip",
    ),
    "not Parquet": ("t.parquet", GOOD, "cannot be read as Parquet"),
    "cut off Parquet": (
        "t.parquet",
        lambda path: (
            pq.write_table(pa.table({"p": [1, 2]}), path),
            path.write_bytes(path.read_bytes()[:-6]),
        ),
        "cannot be read as Parquet",
    ),
    "empty Parquet": ("t.parquet", b"", "cannot be read as Parquet"),
    "Parquet without rows": (
        "t.parquet",
        parquet({"p": pa.array([], pa.int64()), "y": pa.array([], pa.string())}),
        "no rows",
    ),
    "Parquet without columns": ("t.parquet", parquet({}), "no column of numbers or text"),
    "another kind of file": ("t.xls", b"\xd0\xcf\x11\xe0", "data files end in .csv"),
    "no workbook": ("t.xlsx", b"PK", "cannot be read as a workbook"),
    "no Arrow": ("t.arrow", b"ARROW1\0\0", "cannot be read as Arrow"),
    "no Feather": ("t.feather", GOOD, "cannot be read as Arrow"),
    "Feather of old": ("t.feather", b"FEA1", "first version of Feather"),
    "CSV as JSON lines": ("t.jsonl", GOOD, "line 1: not JSON"),
    "a list as JSON lines": ("t.ndjson", '[{"p": 1}]\n', "line 1 is no JSON object"),
    "no JSON lines": ("t.jsonl", "\n", "is empty"),
    "JSON lines cut off": ("t.jsonl", '{"p": 1, "y": "a"}\n{"p": 2,', "line 2: not JSON"),
    "half a character": ("t.jsonl", '{"p": "\\ud800", "y": "a"}\n', "column 'p' cannot be read"),
    "a number of thousands of digits": ("t.jsonl", f'{{"p": {"9" * 5000}}}\n', "line 1: not JSON"),
    "JSON in a hundred thousand levels": ("t.jsonl", '{"p": ' + "[" * 100_000, "line 1: not JSON"),
}


@pytest.mark.parametrize(("name", "content", "words"), BAD.values(), ids=BAD.keys())
def test_a_bad_file_is_one_sentence(
    tmp_path: Path, name: str, content: Content, words: str
) -> None:
    file = tmp_path / name
    if callable(content):
        content(file)
    else:
        file.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(DataError) as caught:
        load_dataset(path=file, target="y")
    message = str(caught.value)
    assert words in message
    assert caught.value.exit_code == 2
    assert "\n" not in message
    assert len(message) < 400


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\n\n"])
def test_a_text_of_two_lines_may_be_the_last(tmp_path: Path, end: bytes) -> None:
    (tmp_path / "t.csv").write_bytes(GOOD.encode() + b'1,2,"a\nb"\n5,6,"a\nb"' + end)
    assert "a\nb" in load_dataset(path=tmp_path / "t.csv", target="y").classes


def test_zeros_may_follow_a_gzip_file(tmp_path: Path) -> None:
    """As on tapes, and in archives cut into blocks; and it may have several members."""
    half = len(GOOD) // 2
    parts = [gzip.compress(part.encode()) for part in (GOOD[:half], GOOD[half:])]
    (tmp_path / "t.csv.gz").write_bytes(b"".join(parts) + bytes(512))
    (tmp_path / "t.csv").write_text(GOOD)
    files = [load_dataset(path=tmp_path / name, target="y") for name in ("t.csv", "t.csv.gz")]
    assert files[0].X.tolist() == files[1].X.tolist()


def test_a_table_needs_a_target(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(GOOD)
    with pytest.raises(DataError, match=r"Set target .*to one of: p, q, y"):
        load_dataset(path=tmp_path / "t.csv")


def test_a_long_list_of_columns_is_shortened(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(",".join(f"c{i}" for i in range(30)) + "\n" + "1," * 29 + "1\n")
    with pytest.raises(DataError, match="c9 and 20 more"):
        load_dataset(path=tmp_path / "t.csv")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("pets.cvs", "did you mean 'pets.csv'?"),
        ("zebra", "check the path"),
        ("nowhere/pets.csv", "nor its folder"),
        (".", "is a folder"),
        ("x" * 300 + ".csv", "cannot be read"),
    ],
)
def test_a_missing_file_names_what_is_near(tmp_path: Path, path: str, words: str) -> None:
    (tmp_path / "pets.csv").write_text(GOOD)
    with pytest.raises(DataError) as caught:
        load_dataset(path=tmp_path / path, target="y")
    assert words in str(caught.value)


def test_a_file_that_cannot_be_opened_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "t.csv"
    file.write_text(GOOD)

    def refuse(self: Path, *args: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(DataError, match="cannot be read: Permission denied"):
        load_dataset(path=file, target="y")


@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "parquet"])
def test_limits_hold_while_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    file = tmp_path / f"t.{suffix}"
    if suffix == "parquet":
        pq.write_table(pa.table({"p": list(range(12)), "y": list("ab" * 6)}), file)
    else:
        data = GOOD.encode()
        file.write_bytes(gzip.compress(data) if suffix == "csv.gz" else data)
    with monkeypatch.context() as patch:
        patch.setattr("hpsearch.data.dataset.MAX_CELLS", 20)
        with pytest.raises(DataError, match="at most 20 cells"):
            load_dataset(path=file, target="y")
    monkeypatch.setattr("hpsearch.data.files.MOST", 20)
    with pytest.raises(DataError, match="unpacks to more than"):
        load_dataset(path=file, target="y")


def test_an_endless_name_that_a_model_asks_for_is_shortened(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(GOOD)
    with pytest.raises(DataError) as caught:
        load_features(tmp_path / "t.csv", ["x" * 10**6], {})
    assert len(str(caught.value)) < 400
