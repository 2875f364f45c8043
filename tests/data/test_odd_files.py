"""Files that are sound containers of something odd: read for what they are, or one sentence."""

from __future__ import annotations

import io
import zipfile
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hpsearch.data import load_dataset
from hpsearch.data.features import load_features
from hpsearch.errors import DataError

TEXT = ["a", "b", None, "a", "b", "b"]
NUMBERS = [0, 1, None, 1, 0, 2]


def parquet(path: Path, **columns: object) -> Path:
    file = path / "t.parquet"
    pq.write_table(pa.table(columns), file)
    return file


LABELS = {
    "string": (pa.array(TEXT), ("a", "b")),
    "large_string": (pa.array(TEXT, pa.large_string()), ("a", "b")),
    "string_view": (pa.array(TEXT, pa.string_view()), ("a", "b")),
    "dictionary": (pa.array(TEXT).dictionary_encode(), ("a", "b")),
    "dictionary of large_string": (
        pa.array(TEXT, pa.large_string()).dictionary_encode(),
        ("a", "b"),
    ),
    "dictionary of integers": (pa.array([3, 5, None, 3, 5, 5]).dictionary_encode(), (3, 5)),
    "bool": (pa.array([True, False, None, True, False, False]), ("false", "true")),
    "uint64": (
        pa.array([2**64 - 1, 7, None, 2**64 - 1, 7, 7], pa.uint64()),
        (7, 2**64 - 1),
    ),
    "half floats": (
        pa.array(np.array([1, 2, 0, 1, 2, 2], np.float16), mask=np.arange(6) == 2),
        (1, 2),
    ),
    "decimals": (
        pa.array([None if v is None else Decimal(v % 2) for v in [0, 1, None, 0, 1, 1]]),
        (0, 1),
    ),
}


@pytest.mark.parametrize(("labels", "classes"), LABELS.values(), ids=LABELS.keys())
def test_labels_of_any_type_may_be_missing(
    tmp_path: Path, labels: pa.Array, classes: tuple[object, ...]
) -> None:
    data = load_dataset(path=parquet(tmp_path, p=list(range(6)), y=labels), target="y")
    assert data.classes == classes
    assert data.X[:, 0].tolist() == [0, 1, 3, 4, 5]
    assert data.y.tolist() == [classes.index(classes[c]) for c in data.y]


FEATURES = {
    "string_view": (pa.array(TEXT, pa.string_view()), [0, 1, None, 0, 1, 1]),
    "large_string of numbers": (
        pa.array(["1", "2", None, "4", "5", "6"], pa.large_string()),
        [1, 2, None, 4, 5, 6],
    ),
    "decimals": (
        pa.array([None if v is None else Decimal(v) for v in NUMBERS], pa.decimal128(9, 2)),
        NUMBERS,
    ),
    "small decimals": (
        pa.array([None if v is None else Decimal(v) for v in NUMBERS], pa.decimal32(5, 1)),
        NUMBERS,
    ),
    "half floats": (
        pa.array(np.array([0, 1, 0, 1, 0, 2], np.float16), mask=np.arange(6) == 2),
        NUMBERS,
    ),
    "dictionary of integers": (pa.array(NUMBERS).dictionary_encode(), NUMBERS),
    "an extension": (
        pa.ExtensionArray.from_storage(pa.bool8(), pa.array(NUMBERS, pa.int8())),
        NUMBERS,
    ),
}


@pytest.mark.parametrize(("column", "values"), FEATURES.values(), ids=FEATURES.keys())
def test_features_of_any_type(tmp_path: Path, column: pa.Array, values: list[float]) -> None:
    file = parquet(tmp_path, n=[1.0, 2, 3, 4, 5, 6], p=column, y=list("ababab"))
    found = load_dataset(path=file, target="y").X[:, 1]
    np.testing.assert_array_equal(found, [np.nan if v is None else v for v in values])


NESTED = {
    "lists": pa.array([[1, 2]] * 6),
    "lists of one length": pa.array([[1.0, 2.0]] * 6, pa.list_(pa.float32(), 2)),
    "maps": pa.array([[("k", 1)]] * 6, pa.map_(pa.string(), pa.int64())),
    "structs": pa.array([{"a": 1, "b": "t"}] * 6),
    "bytes": pa.array([b"\xff\x00"] * 6, pa.binary()),
    "bytes of one length": pa.array([b"abcd"] * 6, pa.binary(4)),
}


@pytest.mark.parametrize("column", NESTED.values(), ids=NESTED.keys())
def test_what_is_neither_number_nor_text_is_left_out_by_name(
    tmp_path: Path, column: pa.Array
) -> None:
    file = parquet(tmp_path, n=[1, 2, 3, 4, 5, 6], odd=column, y=list("ababab"))
    data = load_dataset(path=file, target="y")
    assert data.feature_names == ("n",)
    assert "neither number nor text" in data.account.columns_dropped["odd"]
    with pytest.raises(DataError, match="odd"):
        load_dataset(path=file, target="odd")


def test_columns_whose_names_begin_alike(tmp_path: Path) -> None:
    table = pa.table({"a": [1, 2, 3, 4], "a.b": list("xyxy"), "y": list("abab")})
    pq.write_table(table, tmp_path / "t.parquet")
    data = load_dataset(path=tmp_path / "t.parquet", target="y")
    assert data.feature_names == ("a", "a.b")


def test_texts_that_are_no_utf_8(tmp_path: Path) -> None:
    odd = pa.array([b"\xff", b"a"] * 3, pa.binary()).view(pa.string())
    file = parquet(tmp_path, p=[1, 2, 3, 4, 5, 6], q=odd, y=list("ababab"))
    with pytest.raises(DataError, match="cannot be read as Parquet: Invalid UTF8"):
        load_dataset(path=file, target="y")


STARTS = {
    "a byte order mark alone": (b"\xef\xbb\xbf", "is empty"),
    "a mark and a line end": (b"\xef\xbb\xbf\n", "is empty"),
    "separators of lines": ("\u2028".encode() * 3, "is empty|a header and no rows"),
    "a separator of files": (b"\x1c", "is empty|a header and no rows"),
    "a form feed": (b"\x0c\x0b", "is empty"),
    "a header of twelve megabytes": (b"a" * 900 + b",b" * 6_000_000 + b"\n1,2\n", "columns"),
    "a name of twelve megabytes": (b"a" * 12_000_000 + b",y\n1,2\n", "header line|characters"),
    "a long name": (b"a" * 2_000 + b",y\n1,2\n", "column name of 2,000 characters"),
}


@pytest.mark.parametrize("suffix", ["csv", "tsv"])
@pytest.mark.parametrize(("content", "words"), STARTS.values(), ids=STARTS.keys())
def test_odd_first_bytes_are_one_sentence(
    tmp_path: Path, suffix: str, content: bytes, words: str
) -> None:
    file = tmp_path / f"t.{suffix}"
    file.write_bytes(content.replace(b",", b"\t") if suffix == "tsv" else content)
    with pytest.raises(DataError, match=words) as caught:
        load_dataset(path=file, target="y")
    assert len(str(caught.value)) < 400
    with pytest.raises(DataError):
        load_features(file, ["a"], {})


@pytest.mark.parametrize(
    "name", ["~nouser-x/x.csv", "~nouser-x/x.npz", "~nouser-x/x.parquet", "~nouser-x"]
)
def test_a_home_of_nobody(name: str) -> None:
    for load in (
        lambda: load_dataset(path=name, target="y"),
        lambda: load_dataset("cifar-10", folder=name),
        lambda: load_dataset("fashion-mnist", folder=name),
        lambda: load_features(name, ["a"], {}),
    ):
        with pytest.raises(DataError, match="no home folder of ~nouser-x; write the path out"):
            load()


def test_a_pipe_is_no_file() -> None:
    with pytest.raises(DataError, match="is a pipe or a device"):
        load_dataset(path="/dev/null", target="y")


def npz(path: Path, **members: object) -> Path:
    """Arrays, or bytes that are put in as they are."""
    file = path / "t.npz"
    with zipfile.ZipFile(file, "w") as archive:
        for name, member in members.items():
            buffer = io.BytesIO()
            if isinstance(member, bytes):
                buffer.write(member)
            else:
                np.save(buffer, member)
            archive.writestr(f"{name}.npy", buffer.getvalue())
    return file


X = np.arange(24.0).reshape(12, 2)
Y = np.arange(12) % 2

ARRAYS: dict[str, dict[str, object]] = {
    "a member of text": {"X": b"text", "y": Y},
    "an empty member": {"X": X, "y": b""},
    "a member that is cut off": {"X": b"\x93NUMPY\x01\x00", "y": Y},
    "a header that is no Python": {"X": b"\x93NUMPY\x01\x00\x04\x00{(,\n", "y": Y},
    "another version": {"X": b"\x93NUMPY\x09\x00\x04\x00{}\n\n", "y": Y},
    "a test part of another rank": {"X": X, "y": Y, "X_test": X[:, 0], "y_test": Y},
    "a test part of images": {"X": X, "y": Y, "X_test": X[:, :, None], "y_test": Y},
    "labels of another rank": {"X": X, "y": Y, "X_test": X, "y_test": Y[:, None]},
    "labels of another kind": {"X": X, "y": Y, "X_test": X, "y_test": Y.astype(str)},
    "times": {"X": X.astype("M8[s]"), "y": Y, "X_test": X, "y_test": Y},
    "records": {"X": np.zeros((12, 2), [("a", "f4")]), "y": Y},
    "one number": {"X": np.array(3.0), "y": np.array(1)},
    "no rows": {"X": X[:0], "y": Y[:0]},
    "complex": {"X": X + 1j, "y": Y},
}


@pytest.mark.parametrize("members", ARRAYS.values(), ids=ARRAYS.keys())
def test_odd_archives_are_one_sentence(tmp_path: Path, members: dict[str, object]) -> None:
    with pytest.raises(DataError) as caught:
        load_dataset(path=npz(tmp_path, **members))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


SAMPLES = {
    "big-endian": X.astype(">f8"),
    "Fortran's order": np.asfortranarray(X),
    "half": X.astype(np.float16),
    "long": X.astype(np.longdouble),
    "unsigned": X.astype(">u2"),
}


@pytest.mark.parametrize("samples", SAMPLES.values(), ids=SAMPLES.keys())
def test_numbers_of_any_layout(tmp_path: Path, samples: np.ndarray) -> None:
    data = load_dataset(path=npz(tmp_path, X=samples, y=Y))
    np.testing.assert_array_equal(data.X, X)


@pytest.mark.parametrize(
    "shape",
    [
        (0, 2**32 - 1, 2**32 - 1),
        (2**32 - 1, 2**32 - 1, 2**32 - 1),
        (60_000, 0, 28),
        (60_000, 28, 28),
        (2**31, 1, 1),
        (1, 1, 50_001),
    ],
)
def test_sixteen_bytes_that_claim_a_shape(tmp_path: Path, shape: tuple[int, ...]) -> None:
    content = b"".join(v.to_bytes(4, "big") for v in (0x0803, *shape))
    (tmp_path / "train-images-idx3-ubyte").write_bytes(content)
    with pytest.raises(DataError, match="train-images"):
        load_dataset("fashion-mnist", folder=tmp_path)
