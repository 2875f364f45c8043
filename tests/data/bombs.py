"""Small files that would take all memory, each with the command that meets it."""

from __future__ import annotations

import gzip
import io
import json
import math
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from hpsearch.data import Preprocessor
from hpsearch.nn import Network, NetworkConfig
from hpsearch.training.model import Member, Model

MIB = 1 << 20
_ZEROS = bytes(MIB)


def _gzipped(start: bytes, piece: bytes, times: int) -> bytes:
    """A gzip file of several members, quickly made."""
    return gzip.compress(start) + gzip.compress(piece) * times


def _two_texts(length: int, rows: int) -> pa.DictionaryArray:
    texts = pa.array(["a" * length, "b" * length])
    return pa.DictionaryArray.from_arrays(pa.array(np.arange(rows, dtype=np.int32) % 2), texts)


def _parquet(path: Path, columns: dict[str, object], times: int = 1) -> None:
    table = pa.table(columns)
    coded = [name for name, column in columns.items() if isinstance(column, pa.DictionaryArray)]
    with pq.ParquetWriter(
        path, table.schema, compression="zstd", use_dictionary=coded, write_statistics=False
    ) as writer:
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


def _zip(members: dict[str, bytes | tuple[bytes, int]]) -> bytes:
    """An archive of arrays; of a pair the first begins the content, and zeros fill it up."""
    archive, directory = b"", b""
    for name, content in members.items():
        start, size = content if isinstance(content, tuple) else (content, len(content))
        file, body, crc = f"{name}.npy".encode(), *_deflated(start, size)
        about = struct.pack(
            "<HHHHHIIIHH", 20, 0, 8, 0, 33, crc, len(body), size, len(file), 0
        )  # a file of 1980, whose size is the one before its name's
        directory += (
            b"PK\1\2\x14\0" + about + struct.pack("<HHHII", 0, 0, 0, 0, len(archive)) + file
        )
        archive += b"PK\3\4" + about + file + body
    ends = (0, 0, len(members), len(members), len(directory), len(archive), 0)
    return archive + directory + b"PK\5\6" + struct.pack("<HHHHIIH", *ends)


def _deflated(start: bytes, size: int) -> tuple[bytes, int]:
    """A start and then zeros up to a size, compressed, and their checksum: a MiB is packed once."""
    packer = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS)
    body, crc = packer.compress(start) + packer.flush(zlib.Z_FULL_FLUSH), zlib.crc32(start)
    times, rest = divmod(size - len(start), MIB)
    body += (packer.compress(_ZEROS) + packer.flush(zlib.Z_FULL_FLUSH)) * times
    for _ in range(times):
        crc = zlib.crc32(_ZEROS, crc)
    body += packer.compress(bytes(rest)) + packer.flush()
    return body, zlib.crc32(bytes(rest), crc)


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


def _long_header(length: int) -> tuple[bytes, int]:
    start = b"\x93NUMPY\x02\x00" + length.to_bytes(4, "little")
    return start, len(start) + length


def _zeros(*shape: int, dtype: str = "<f8") -> tuple[bytes, int]:
    start = _claim(str(shape), dtype)
    return start, len(start) + math.prod(shape) * np.dtype(dtype).itemsize


def model(**changes: object) -> bytes:
    """A model file with other entries in its description, or other arrays."""
    X = np.random.default_rng(0).normal(size=(20, 2)).astype(np.float32)
    prepared = Preprocessor.fit(X, "standardize")
    config = NetworkConfig((4,))
    network = Network(2, 2, config, rng=np.random.default_rng(0))
    whole = Model((Member(config, network.state(), prepared),), ("no", "yes"), ("a", "b"))
    with np.load(io.BytesIO(whole.to_bytes())) as archive:
        arrays: dict[str, Any] = {name: archive[name] for name in archive.files}
    about = json.loads(arrays["about"].tobytes())
    for key, value in changes.items():
        if isinstance(value, np.ndarray | tuple):
            arrays[key.replace("__", "/")] = value
        else:
            about[key] = value
    if "about" not in changes:
        arrays["about"] = np.frombuffer(json.dumps(about).encode(), np.uint8)
    return _zip({n: a if isinstance(a, tuple) else _npy(a) for n, a in arrays.items()})


def layers(sizes: list[int]) -> bytes:
    """A model file that says it has these layers."""
    return model(networks=[{"hidden_layer_sizes": sizes}])


def _all_labels(rows: int) -> bytes:
    """A gzip file whose rows have the numbers 0, 1, 2, ... as labels, in letters from a to p."""
    digits = np.arange(rows, dtype=">u4").view(np.uint8).reshape(rows, 4)[:, 1:]
    lines = np.full((rows, 9), ord("a"), np.uint8)
    lines[:, [0, 1, 8]] = np.frombuffer(b"1,\n", np.uint8)
    lines[:, 2:8:2] += digits >> 4
    lines[:, 3:8:2] += digits & 15
    return gzip.compress(b"a,y\n" + lines.tobytes(), 1)


def _arrow(path: Path, columns: dict[str, Any], *, is_file: bool = True) -> None:
    table = pa.table(columns)
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    new = pa.ipc.new_file if is_file else pa.ipc.new_stream
    with new(path, table.schema, options=options) as stream:
        stream.write_table(table)


def _workbook(
    path: Path, row: str, times: int, more: dict[str, tuple[str, str, int]] | None = None
) -> None:
    """A workbook of a header and one row again and again; other parts likewise."""
    import openpyxl

    book = openpyxl.Workbook()
    book.active.append(["n", "y"])
    buffer = io.BytesIO()
    book.save(buffer)
    sheet = "xl/worksheets/sheet1.xml"
    with zipfile.ZipFile(buffer) as archive, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as to:
        for name in archive.namelist():
            if name not in (more or {}) and name != sheet:
                to.writestr(name, archive.read(name))
        head, tail = archive.read(sheet).decode().split("</sheetData>")
        for name, (start, part, count) in ({sheet: (head, row, times)} | (more or {})).items():
            with to.open(name, "w") as stream:
                stream.write(start.encode())
                for _ in range(count // 1000):
                    stream.write(part.encode() * 1000)
                stream.write(part.encode() * (count % 1000))
                stream.write(f"</sheetData>{tail}".encode() if name == sheet else b"</sst>")


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
                [",".join([*(f"c{i}" for i in range(52)), "y"])]
                + [",".join([f"w{row % 990}"] * 53) for row in range(5000)]
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
                + [",".join([f"w{row % 1000}"] * 50) for row in range(4000)]
            ).encode()
        ),
    ),
    "a label for each row, packed well": ("t.csv.gz", _of_bytes(lambda: _all_labels(6_000_000))),
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
    "numbers of Feather": (
        "t.feather",
        lambda path: _arrow(path, {"n": np.zeros(300 * MIB, "i1")}),
    ),
    "texts of an Arrow dictionary": (
        "t.arrow",
        lambda path: _arrow(
            path, {"s": _two_texts(400_000, 20_000), "y": np.arange(20_000) % 2}, is_file=False
        ),
    ),
    "keys of JSON lines": (
        "t.jsonl",
        _of_bytes(lambda: b"".join(b'{"k%d":1}\n' % i for i in range(400_000))),
    ),
    "keys of a JSON line": (
        "t.jsonl",
        _of_bytes(lambda: b"{" + b",".join(b'"k%d" :1' % i for i in range(10**6)) + b"}"),
    ),
    "gzipped JSON lines": (
        "t.jsonl.gz",
        _of_bytes(lambda: _gzipped(b"", b'{"a":1,"y":"%s"}\n' % (b"b" * 240) * (MIB // 256), 400)),
    ),
    "a gzipped JSON line": ("t.jsonl.gz", _of_bytes(lambda: _gzipped(b'{"a":"', b"1" * MIB, 1500))),
    "cells of a workbook": (
        "t.xlsx",
        lambda path: _workbook(path, "<row>" + "<c/>" * 100 + "</row>", 100_000),
    ),
    "a row of a workbook far below": (
        "t.xlsx",
        lambda path: _workbook(path, '<row r="99999999999999"><c><v>1</v></c></row>', 1),
    ),
    "texts of a workbook": (
        "t.xlsx",
        lambda path: _workbook(
            path, "", 1, {"xl/sharedStrings.xml": ("<sst>", "<si/>", 30_000_000)}
        ),
    ),
    "numbers of an archive": (
        "t.npz",
        _of_bytes(lambda: _zip({"X": _zeros(400, 100_000), "y": _npy(Y)})),
    ),
    "labels of an archive": (
        "t.npz",
        _of_bytes(lambda: _zip({"X": _npy(N[:, None]), "y": _zeros(400, dtype="<U200000")})),
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
    "zeros": lambda: model(**{"0__preprocessing__mean": _zeros(60_000_000)}),
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
