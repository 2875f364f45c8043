"""A table that is read in pieces means what it means whole, wherever a piece ends."""

from __future__ import annotations

import gzip
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hpsearch.data import json_lines, pieces, tables
from hpsearch.data.features import FeatureReader, Wanted, features_of
from hpsearch.data.formats import as_numbers, telling
from hpsearch.data.tables import read_table, table_pieces
from hpsearch.errors import DataError

pytestmark = pytest.mark.slow

NUMBERS = ["12", "1,234", "1.234", "3,5", "3.5", "-7", "1e3", "$5", "70 kg", "8 lb", "9 kg", "45%"]
CELLS = st.lists(st.sampled_from([*NUMBERS, "true", "False", "-", "", "(7)", "12B"]), min_size=1)
CUTS = st.lists(st.integers(0, 20), max_size=3)
TIMES = ["12:30", "2024-03-01", "3/4/2024 08:00", "2024-02-31", "noon", "", "Mar 3 2024"]


def cut(table: pa.Table, cuts: list[int]) -> list[pa.Table]:
    edges = [0, *sorted(min(place, table.num_rows) for place in cuts), table.num_rows]
    return [table.slice(start, end - start) for start, end in pairwise(edges)]


def in_pieces(some: list[pa.Table], wanted: Wanted) -> tuple[np.ndarray, list[str]]:
    reader = FeatureReader("t", wanted)
    for piece in some:
        reader.look(piece)
    told = reader.settle()
    starts = np.cumsum([0, *(piece.num_rows for piece in some)])
    rows = [reader.samples(piece, start) for piece, start in zip(some, starts, strict=False)]
    return np.concatenate(rows), told + reader.told()


def whole(table: pa.Table, wanted: Wanted) -> tuple[np.ndarray, list[str]]:
    told: list[str] = []
    return features_of("t", table, wanted, told.append), told


@given(CELLS, CUTS, st.booleans())
@example(["1,234", "3,5"], [1], False)
@example(["3,5", "1,234"], [1], False)
@example(["1.234", "2.5"], [1], True)
@example(["true", "1"], [1], False)
@example(["70 kg", "8 lb", "9 kg"], [1, 2], False)
def test_numbers_are_read_as_in_the_whole_column(
    cells: list[str], cuts: list[int], comma: bool
) -> None:
    table = pa.table({"x": cells})
    wanted = Wanted(["x"], decimal_comma=["x"] if comma else [])
    try:
        expected, _ = whole(table, wanted)
    except DataError:
        with pytest.raises(DataError, match="column 'x'"):
            in_pieces(cut(table, cuts), wanted)
        return
    np.testing.assert_array_equal(in_pieces(cut(table, cuts), wanted)[0], expected)


@pytest.mark.slow
@settings(max_examples=10)
@given(st.lists(st.sampled_from(TIMES), min_size=1, max_size=12), CUTS)
@example(["12:30", "2024-03-01"], [1])
def test_dates_and_categories_are_read_as_in_the_whole_column(
    cells: list[str], cuts: list[int]
) -> None:
    table = pa.table({"when": cells, "kind": cells})
    parts = {f"when.{part}": ("when", part, True) for part in ("month", "hour", "days")}
    wanted = Wanted(["kind", *parts], {0: ("12:30", "noon")}, dates=parts)
    expected, told = whole(table, wanted)
    found, told_in_pieces = in_pieces(cut(table, cuts), wanted)
    np.testing.assert_array_equal(found, expected)
    assert told_in_pieces == told


@given(st.lists(st.sampled_from(NUMBERS), min_size=1), st.integers(0, 9), st.booleans())
def test_few_texts_decide_for_all(texts: list[str], place: int, comma: bool) -> None:
    kept = telling(pa.array(texts[place:], pa.string()), telling(pa.array(texts[:place])))
    assert set(kept) <= set(texts)
    assert len(kept) <= 7
    one = as_numbers(pa.array(kept), decimal_comma=comma)
    assert (one is None) == (as_numbers(pa.array(texts), decimal_comma=comma) is None)


def test_the_row_of_what_is_no_number_is_counted_from_the_first() -> None:
    cells = [str(n) for n in range(20)]
    cells[14] = "many"
    with pytest.raises(DataError, match=r"t, rows 11 to 20: column 'x', row 15: 'many' is not a"):
        in_pieces(cut(pa.table({"x": cells}), [10]), Wanted(["x"]))
    cells[14] = "1e99"
    with pytest.raises(DataError, match="column 'x', row 15 is infinite"):
        in_pieces(cut(pa.table({"x": cells}), [10]), Wanted(["x"]))


def test_ways_that_do_not_go_together_are_named() -> None:
    with pytest.raises(DataError, match="in ways of which no one fits all"):
        in_pieces(cut(pa.table({"x": ["1,234.5", "1.234,5"]}), [1]), Wanted(["x"]))


ROWS = 3000


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "PIECE_BYTES", 1 << 12)
    monkeypatch.setattr(json_lines, "PIECE", 1 << 12)
    monkeypatch.setattr(tables, "PIECE_CELLS", 1)  # which makes 1,024 rows
    monkeypatch.setattr("hpsearch.data.ipc.PIECE_CELLS", 1)
    assert pieces.PIECE_CELLS > 1


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize(
    "name", ["t.csv", "t.csv.gz", "t.tsv", "latin.csv", "t.jsonl", "t.parquet", "t.feather"]
)
def test_the_pieces_of_every_kind_of_file_make_up_its_table(tmp_path: Path, name: str) -> None:
    columns = {
        "n": list(range(ROWS)),
        "x": [n / 8 for n in range(ROWS)],
        "kind": [("é", 'a "b"', "two\nlines", None)[n % 4] for n in range(ROWS)],
    }
    file, table = tmp_path / name, pa.table(columns)
    if ".parquet" in name:
        pq.write_table(table, file, row_group_size=1500)
    elif ".feather" in name:
        pyarrow.feather.write_feather(table, str(file), chunksize=2000)
    elif ".jsonl" in name:
        file.write_text("\n".join(map(json.dumps, table.to_pylist())) + "\n")
    else:
        frame, mark = table.to_pandas(), "\t" if "tsv" in name else ","
        text = frame.to_csv(index=False, sep=mark).encode("latin-1" if "latin" in name else "utf-8")
        file.write_bytes(gzip.compress(text) if name.endswith("gz") else text)
    found = list(table_pieces(file))
    assert len(found) > 1
    assert pa.concat_tables(found).equals(read_table(file))


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n" + "1,2\n" * 5000 + "1\n", "not a well-formed table"),
        ("a,b\n" + "1,2\n" * 5000 + '1,"2\n', "a quote that begins in row 5,001 is never closed"),
        ("a,b\n" + "1,2\n" * 5 + '1,"' + "x" * 9000 + '"\n', "a row of more than"),
    ],
)
def test_what_is_wrong_in_a_later_piece_is_said(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(DataError, match=words):
        list(table_pieces(tmp_path / "t.csv"))
