"""Small files that would take all memory, each with the command that meets it."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from hpsearch.data import Preprocessor
from hpsearch.nn import Network, NetworkConfig
from hpsearch.training.model import Member, Model

MIB = 1 << 20


def _gzipped(start: bytes, piece: bytes, times: int) -> bytes:
    """A gzip file of several members, quickly made."""
    return gzip.compress(start) + gzip.compress(piece) * times


def _two_texts(length: int, rows: int) -> pa.DictionaryArray:
    texts = pa.array(["a" * length, "b" * length])
    return pa.DictionaryArray.from_arrays(pa.array(np.arange(rows, dtype=np.int32) % 2), texts)


def _parquet(path: Path, columns: dict[str, object], times: int = 1) -> None:
    table = pa.table(columns)
    with pq.ParquetWriter(path, table.schema, compression="zstd") as writer:
        for _ in range(times):
            writer.write_table(table)


def _varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def lying_page(path: Path) -> None:
    """A column whose footer says some bytes, and whose page says 1,200 MiB, and holds them."""
    size, rows = 1200 * MIB, 400
    table = pa.table({"n": np.zeros(rows), "y": np.arange(rows) % 2})
    pq.write_table(table, path, compression="zstd", use_dictionary=False, write_statistics=False)
    content, group = path.read_bytes(), pq.read_metadata(path).row_group(0)
    first, second = group.column(0), group.column(1)
    body = pa.compress(bytes(size), codec="zstd", asbytes=True)
    sizes = b"\x15".join([b"", _varint(2 * size), _varint(2 * len(body))])
    head = (
        b"\x15\x00" + sizes + b"\x2c\x15" + _varint(2 * rows) + b"\x15\x00\x15\x06\x15\x06\x00\x00"
    )
    page, at, length = head + body, first.data_page_offset, first.total_compressed_size
    footer_length = int.from_bytes(content[-8:-4], "little")
    footer = content[-8 - footer_length : -8]
    place = second.data_page_offset
    for old, new in ((length, len(page)), (place, place + len(page) - length)):
        footer = footer.replace(_varint(2 * old), _varint(2 * new))
    data = content[:at] + page + content[at + length : -8 - footer_length]
    path.write_bytes(data + footer + len(footer).to_bytes(4, "little") + b"PAR1")


def _zip(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return buffer.getvalue()


def _npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def _claim(shape: str, dtype: str = "<f8") -> bytes:
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}"
    header = text.ljust(117).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header


def _noise(length: int) -> bytes:
    """A gzip member that takes as much as it unpacks to."""
    return gzip.compress(np.random.default_rng(0).bytes(length), 0)


def _long_header(length: int) -> bytes:
    return b"\x93NUMPY\x02\x00" + length.to_bytes(4, "little") + bytes(length)


def model(**changes: object) -> bytes:
    """A model file with other entries in its description, or other arrays."""
    X = np.random.default_rng(0).normal(size=(20, 2)).astype(np.float32)
    prepared = Preprocessor.fit(X, "standardize")
    config = NetworkConfig((4,))
    network = Network(2, 2, config, rng=np.random.default_rng(0))
    whole = Model((Member(config, network.state(), prepared),), ("no", "yes"), ("a", "b"))
    with np.load(io.BytesIO(whole.to_bytes())) as archive:
        arrays = {name: archive[name] for name in archive.files}
    about = json.loads(arrays["about"].tobytes())
    for key, value in changes.items():
        if isinstance(value, np.ndarray):
            arrays[key.replace("__", "/")] = value
        else:
            about[key] = value
    if "about" not in changes:
        arrays["about"] = np.frombuffer(json.dumps(about).encode(), np.uint8)
    return _zip({name: _npy(array) for name, array in arrays.items()})


def layers(sizes: list[int]) -> bytes:
    """A model file that says it has these layers."""
    return model(networks=[{"hidden_layer_sizes": sizes}])


def _of_bytes(content: Callable[[], bytes]) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content())


Y = np.arange(400) % 2
N = np.arange(400.0)

DATA: dict[str, tuple[str, Callable[[Path], object]]] = {
    "rows of a gzipped CSV": (
        "t.csv.gz",
        _of_bytes(lambda: _gzipped(b"a,b,y\n", b"1,2,0\n3,4,1\n" * 87_381, 900)),
    ),
    "a gzipped line": (
        "t.csv.gz",
        _of_bytes(lambda: _gzipped(b"a,y\n1,b\n", b"1" * MIB, 1500)),
    ),
    "a gzipped cell in quotes": (
        "t.tsv.gz",
        _of_bytes(lambda: _gzipped(b'a\ty\n1\tb\n"', b"1\n" * (MIB // 2), 1500)),
    ),
    "a gzipped header": ("t.csv.gz", _of_bytes(lambda: _gzipped(b"", b"ab," * MIB, 400))),
    "a header of one name": ("t.csv", _of_bytes(lambda: b"x" * 12 * MIB + b",y\n1,a\n")),
    "inputs of categories": (
        "t.csv",
        _of_bytes(
            lambda: "\n".join(
                [",".join([*(f"c{i}" for i in range(80)), "y"])]
                + [",".join([*[f"w{row % 990}"] * 80, "ab"[row % 2]]) for row in range(3000)]
            ).encode()
        ),
    ),
    "lines whose gzip file is not small": (
        "t.csv.gz",
        _of_bytes(lambda: _gzipped(b"a,y\n", b"1,a\n" * (MIB // 4), 2400) + _noise(3 * MIB)),
    ),
    "inputs of categories, below the most columns": (
        "t.csv",
        _of_bytes(
            lambda: "\n".join(
                [",".join([*(f"c{i}" for i in range(49)), "y"])]
                + [",".join([*[f"w{row % 1000}"] * 49, "ab"[row % 2]]) for row in range(4000)]
            ).encode()
        ),
    ),
    "a label for each row": (
        "t.csv",
        _of_bytes(lambda: b"a,y\n" + b"".join(b"1,%x\n" % row for row in range(3_000_000))),
    ),
    "millions of labels, packed well": (
        "t.csv.gz",
        _of_bytes(
            lambda: gzip.compress(
                b"a,y\n" + b"".join(b"1,%x\n" % row for row in range(6_000_000)), 1
            )
        ),
    ),
    "labels of a Parquet dictionary": (
        "t.parquet",
        lambda path: _parquet(path, {"n": np.arange(20_000), "y": _two_texts(400_000, 20_000)}),
    ),
    "texts of a Parquet dictionary": (
        "t.parquet",
        lambda path: _parquet(
            path,
            {
                "s": _two_texts(400_000, 20_000),
                "n": np.arange(20_000),
                "y": np.arange(20_000) % 2,
            },
        ),
    ),
    "texts of Parquet, plain": (
        "t.parquet",
        lambda path: _parquet(path, {"s": ["a" * 50_000_000, "b"], "y": ["a", "b"]}, times=12),
    ),
    "rows of Parquet": (
        "t.parquet",
        lambda path: _parquet(path, {"n": np.zeros(MIB, np.int8), "y": np.zeros(MIB, bool)}, 110),
    ),
    "a page of Parquet whose header says more than the footer": ("t.parquet", lying_page),
    "numbers of an archive": (
        "t.npz",
        _of_bytes(lambda: _zip({"X": _npy(np.zeros((400, 100_000))), "y": _npy(Y)})),
    ),
    "labels of an archive": (
        "t.npz",
        _of_bytes(lambda: _zip({"X": _npy(N[:, None]), "y": _npy(np.zeros(400, "<U200000"))})),
    ),
    "an archive that claims more than it has": (
        "t.npz",
        _of_bytes(lambda: _zip({"X": _claim("(9000000000, 7)") + bytes(64), "y": _npy(Y)})),
    ),
    "an array with a long header": (
        "t.npz",
        _of_bytes(lambda: _zip({"X": _long_header(900 * MIB), "y": _npy(Y)})),
    ),
    "an archive that claims endless text": (
        "t.npz",
        _of_bytes(lambda: _zip({"X": _npy(N[:, None]), "y": _claim("(400,)", "<U450000")})),
    ),
}
"""What a study file names as its data."""


MODELS: dict[str, Callable[[], bytes]] = {
    "wide layers": lambda: layers([22_000, 22_000]),
    "a layer beyond all numbers": lambda: layers([10**30]),
    "three million layers": lambda: layers([1] * 3_000_000),
    "as many layers as it has zeros": lambda: model(
        networks=[{"hidden_layer_sizes": [1] * 3_000_000}],
        **{"0__network__parameters": np.zeros(6_000_003, np.float32)},
    ),
    "pieces of maxout": lambda: model(
        networks=[{"hidden_layer_sizes": [4], "activation": "maxout", "maxout_pieces": 10**9}]
    ),
    "zeros": lambda: model(**{"0__preprocessing__mean": np.zeros(60_000_000)}),
    "a long description": lambda: model(about=np.frombuffer(b"[[]," * 20_000_000, np.uint8)),
    "a deep description": lambda: model(about=np.frombuffer(b"[" * 100_000, np.uint8)),
    "classes": lambda: model(classes=list(range(400_000))),
    "columns": lambda: model(feature_names=[f"c{i}" for i in range(400_000)]),
}
"""What `hpsearch predict` is given as a model."""


def image_folder(folder: Path) -> None:
    """Fashion-MNIST whose images are zeros without end, in 16 bytes and in a gzip file."""
    folder.mkdir()
    header = b"".join(v.to_bytes(4, "big") for v in (0x0803, 60_000, 60, 60))
    content = _gzipped(header, bytes(MIB), 900)
    (folder / "train-images-idx3-ubyte.gz").write_bytes(content)
