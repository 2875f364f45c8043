"""Whatever a file, a storage name or a note holds, hpsearch reads it or refuses it in a sentence.

    python benchmarks/fuzz.py                                  # everything, some minutes
    python benchmarks/fuzz.py --kind npz --cases 200 --seed 3
    python benchmarks/fuzz.py --kind npz --seed 3 --number 517   # one of them again, with traceback

An input is made from the seed, its kind and its number alone. Most are sound containers with odd
contents, so that what comes late in a loader is reached too; some are then cut, spliced, or have
bytes changed. Each goes where the commands would take it: study files to their space and their
first stage, data to the splits, the preprocessing and the checks, models to `hpsearch predict`,
notes of a database to studies, trials, best, advise, report and the dashboard's attachments,
documents of jobs and zips of data to where a server or an agent reads them.

What counts as a fault: an exception that is not hpsearch's own, a refusal that is not a sentence,
a study that is taken away by the damage of another, over ten seconds, or over a gigabyte of memory.
The exit code is 1 if there is any, and the inputs are kept.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import importlib
import io
import json
import os
import random
import resource
import shutil
import sqlite3
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

PATIENCE = 10.0
MOST_BYTES = 1 << 30
LONGEST_SENTENCE = 2_000

Make = Callable[[random.Random, Path], None]
Use = Callable[[random.Random, Path], None]


# What is odd ------------------------------------------------------------------------------------

ODD_NUMBERS = ["0", "-1", "1", "2", "1e400", "-1e-400", "nan", "inf", "-inf", str(2**31), "1e38"]
ODD_NUMBERS += [str(2**63), str(2**64), "9" * 25, "9" * 400, "1e39", "0.1", "3.5", "20", "1e-3"]
ODD_TEXTS = ["", " ", "?", "NA", "ü", "\u2028", "\x1b[31m", "a" * 70, "x" * 3000, "y", "1,5", "{}"]
ODD_TEXTS += ["true", "45%", "$3", "1_000", "0x10", "\ufeff", "'", '"', "\t", "\x00", "%s", "~no"]


def odd_json(rng: random.Random, depth: int = 0) -> Any:
    """Something that JSON can hold and nobody expects."""
    kind = rng.randrange(12 if depth < 3 else 9)
    if kind == 11:
        nested: Any = 0
        for _ in range(rng.choice([5, 200, 900])):
            nested = [nested] if rng.random() < 0.5 else {"a": nested}
        return nested
    if kind == 10:
        return {rng.choice(ODD_TEXTS): odd_json(rng, depth + 1) for _ in range(rng.randrange(4))}
    if kind == 9:
        return [odd_json(rng, depth + 1) for _ in range(rng.randrange(4))]
    return [
        None,
        True,
        False,
        rng.choice([0, -1, 1, 7, 2**31, 2**63, 10**30, 10**400]),
        rng.choice([0.0, -0.5, 1e308, 1e-320, float("nan"), float("inf")]),
        rng.choice(ODD_TEXTS),
        rng.randrange(100),
        rng.random(),
        "relu",
    ][kind]


def mutated_json(rng: random.Random, value: Any) -> Any:
    """The value with one part of it replaced, removed or repeated."""
    if isinstance(value, dict) and value and rng.random() < 0.85:
        key = rng.choice(list(value))
        way = rng.random()
        rest = {k: v for k, v in value.items() if k != key}
        if way < 0.1:
            return rest
        if way < 0.2:
            return rest | {rng.choice([*ODD_TEXTS, key + "x"]): value[key]}
        return value | {key: mutated_json(rng, value[key])}
    if isinstance(value, list) and value and rng.random() < 0.85:
        at = rng.randrange(len(value))
        way = rng.random()
        if way < 0.1:
            return value[:at] + value[at + 1 :]
        if way < 0.2:
            return value[:at] + [value[at]] * rng.choice([2, 50]) + value[at:]
        return [*value[:at], mutated_json(rng, value[at]), *value[at + 1 :]]
    return odd_json(rng)


def mutated_bytes(rng: random.Random, content: bytes, other: bytes = b"") -> bytes:
    """The content cut, spliced, or with some bytes changed."""
    for _ in range(rng.choice([1, 1, 2, 5])):
        at = rng.randrange(len(content) + 1)
        way = rng.randrange(5)
        if way == 0:
            content = content[:at]
        elif way == 1:
            changed = bytes(rng.choice([0, 1, 127, 128, 255, rng.randrange(256)]) for _ in range(4))
            content = content[:at] + changed[: rng.randrange(1, 5)] + content[at + 1 :]
        elif way == 2:
            content = content[:at] + content[at + rng.randrange(1, 60) :]
        elif way == 3:
            start = rng.randrange(len(content) + 1)
            content = content[:at] + content[start : start + rng.randrange(200)] + content[at:]
        else:
            content = content[:at] + other[rng.randrange(len(other) + 1) :]
    return content


def maybe_damaged(rng: random.Random, file: Path, share: float = 0.4) -> None:
    """Change the bytes of some files."""
    if rng.random() < share:
        content = file.read_bytes()
        file.write_bytes(mutated_bytes(rng, content, content))


# Study files ------------------------------------------------------------------------------------


def make_study(rng: random.Random, folder: Path) -> None:
    """A study file with odd settings."""
    sections: dict[str, dict[str, str]] = {"": {"name": '"a"'}, "data": {"name": '"iris"'}}
    names = _setting_names()
    for _ in range(rng.choice([0, 1, 2, 3, 8])):
        section = rng.choice(list(names))
        key = rng.choice([*names[section] * 6, "when", "x", '"q q"', "a.b"])
        sections.setdefault(section, {})[key] = _odd_toml(rng)
    lines = []
    for section, settings in sections.items():
        lines += [f"[{section}]"] if section else []
        lines += [f"{key} = {value}" for key, value in settings.items()]
        if rng.random() < 0.1:
            keys = rng.choices(
                [*names["model"], *names["training"], "x", "when"], k=rng.choice([0, 1, 3])
            )
            lines += ["[[first]]", *(f"{key} = {_odd_toml(rng)}" for key in dict.fromkeys(keys))]
        if rng.random() < 0.02:
            lines.append(f"[[{section}.{'a.' * rng.choice([1, 5, 1500])}b]]")
    content = "\n".join(lines).encode()
    shipped = b"\n".join(
        sorted(
            p.read_bytes() for p in Path(__file__).parents[1].joinpath("studies").rglob("*.toml")
        )
    )
    if rng.random() < 0.2:
        content = mutated_bytes(rng, rng.choice([content, shipped[:3000]]), shipped)
    (folder / "study.toml").write_bytes(content)


def _setting_names() -> dict[str, list[str]]:
    from hpsearch.study_file.models import StudyFile

    names = {"": ["name", "seed"]}
    for key, field in StudyFile.model_fields.items():
        fields: dict[str, Any] = getattr(field.annotation, "model_fields", {})
        if fields:
            names[key] = list(fields)
    return names


def _odd_toml(rng: random.Random, depth: int = 0) -> str:
    huge = "9" * 5000 if rng.random() < 0.03 else "3"
    number = rng.choice([*ODD_NUMBERS, huge, str(rng.randrange(-3, 300)), f"{rng.random():.3g}"])
    other = rng.choice([*ODD_NUMBERS, str(rng.randrange(-3, 300)), f"{rng.random():.3g}"])
    if depth < 3 and rng.random() < 0.5:
        inner = [_odd_toml(rng, depth + 1) for _ in range(rng.choice([0, 1, 2, 2, 3]))]
        return rng.choice(
            [
                f"{{ low = {number}, high = {other} }}",
                f"{{ low = {number}, high = {other}, log = true }}",
                f"{{ low = {number}, high = {other}, step = {rng.choice(ODD_NUMBERS)} }}",
                f"{{ choices = [{', '.join(inner)}] }}",
                f"{{ choices = [{number}, {other}, {number}] }}",
                f"{{ low = 1, high = 3, when = {{ optimizer = {inner[0] if inner else '1'} }} }}",
                f"{{ {rng.choice(['depth', 'l2', 'width', 'zzz'])} = {inner[0] if inner else 3} }}",
                f"[{', '.join(inner)}]",
                "[" * (deep := rng.choice([2, 2, 2, 900, 3000])) + "]" * deep,
            ]
        )
    names = ["grid", "random", "tpe", "qmc", "cmaes", "coarse-to-fine", "guided"]
    names += ["relu", "maxout", "adam", "roc_auc", "rmse", "neg_log_loss", "rand_score", "f1"]
    return rng.choice(
        [
            number,
            other,
            json.dumps(rng.choice(ODD_TEXTS)),
            json.dumps(rng.choice(names)),
            f'["{rng.choice(names)}", "{rng.choice(names)}"]',
            "true",
            rng.choice(["1979-05-27", "1979-02-30T07:32:00Z", "07:32:00", "'''a\nb'''"]),
            '"~nouser/x.csv"',
        ]
    )


def use_study(rng: random.Random, folder: Path) -> None:
    """What run, check and compare do before they load any data."""
    from hpsearch.compare.plan import plan_comparison
    from hpsearch.engine.budget import plan_search
    from hpsearch.engine.cost import DataShape
    from hpsearch.study_file import load_study_file

    file = load_study_file(folder / "study.toml")
    file.search_space()
    file.fixed_settings()
    file.objective.metrics("classification", [*map(str, range(rng.choice([2, 3, 500])))])
    if file.training.epochs * file.search.trials > 10**7:
        return
    search = plan_search(file)
    stage = search.next_stage([])
    if stage is not None:
        stage.slot(0, ())
    if rng.random() < 0.2 and file.search.trials < 1000:
        plan_comparison(file, DataShape(96, 4, 3))


# Data -------------------------------------------------------------------------------------------


def _cells(rng: random.Random, rows: int) -> list[str]:
    some = [
        rng.choice([*ODD_TEXTS, *ODD_NUMBERS]).replace("\0", "") for _ in range(rng.randrange(1, 5))
    ]
    kinds: list[Callable[[], str]] = [
        lambda: str(rng.randrange(5)),
        lambda: f"{rng.gauss(0, 1):.4f}",
        lambda: rng.choice("abc"),
        lambda: rng.choice(["true", "false"]),
        lambda: f"2024-0{rng.randrange(1, 9)}-11",
        lambda: f"id{rng.randrange(10**6)}",
        lambda: rng.choice(some),
        lambda: f"{rng.randrange(9)},{rng.randrange(10, 99)}",
        lambda: "",
    ]
    common = rng.choice(kinds)
    odd = rng.choice([0.0, 0.0, 0.0, 0.02, 0.3])
    return [rng.choice(some) if rng.random() < odd else common() for _ in range(rows)]


def _text_table(rng: random.Random, delimiter: str) -> bytes:
    rows = rng.choice([0, 1, 3, 30, 30, 30, 60, 60, 200])
    columns = [_cells(rng, rows) for _ in range(rng.choice([0, 1, 2, 4, 9]))]
    odd = rng.choice([0.0, 0.0, 0.2])
    names = [rng.choice(ODD_TEXTS) if rng.random() < odd else f"c{i}" for i in range(len(columns))]
    if rng.random() < 0.8:
        names, columns = [*names, "n"], [*columns, [f"{rng.gauss(0, 1):.3f}" for _ in range(rows)]]
    labels = [rng.choice("ab") for _ in range(rows)]
    if rng.random() < 0.2:
        labels = _cells(rng, rows)
    names, columns = [*names, "y"], [*columns, labels]
    quote = rng.random() < 0.7

    def cell(text: str) -> str:
        awkward = any(c in text for c in (delimiter, '"', "\n", "\r"))
        return '"' + text.replace('"', '""') + '"' if quote and awkward else text

    lines = [delimiter.join(map(cell, row)) for row in [names, *zip(*columns, strict=True)]]
    if rng.random() < 0.05:
        lines[rng.randrange(len(lines))] += rng.choice([delimiter, '"', "\r", "\0"])
    text = rng.choice(["\n", "\n", "\r\n", "\r"]).join(lines) + rng.choice(["\n", "", "\n\n"])
    start = rng.choice([""] * 30 + ["\ufeff", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\n", " "])
    encoding = rng.choice(["utf-8"] * 30 + ["utf-16", "latin-1", "utf-8-sig"])
    return (start + text).encode(encoding, "replace")


def make_text(suffix: str, delimiters: str) -> Make:
    """A maker of CSV or TSV files."""

    def make(rng: random.Random, folder: Path) -> None:
        content = _text_table(rng, rng.choice(delimiters))
        if rng.random() < 0.2:
            content = mutated_bytes(rng, content, content)
        if rng.random() < 0.15:
            packed = gzip.compress(content)
            (folder / f"t.{suffix}.gz").write_bytes(
                packed if rng.random() < 0.5 else mutated_bytes(rng, packed, packed)
            )
        else:
            (folder / f"t.{suffix}").write_bytes(content)

    return make


def make_parquet(rng: random.Random, folder: Path) -> None:
    """A Parquet table of any types, sound or damaged."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = rng.choice([0, 1, 8, 40, 40, 40])
    columns = [_arrow_column(rng, rows) for _ in range(rng.choice([0, 1, 1, 2, 5]))]
    labels = pa.array([rng.choice("ab") for _ in range(rows)])
    y = labels if rng.random() < 0.7 else _arrow_column(rng, rows)
    names = [rng.choice([*ODD_TEXTS, *(["a", "b.c", "é"] * 30)]) for _ in columns]
    names = [n if rng.random() < 0.03 else f"{n}{i}" for i, n in enumerate(names)]
    if rng.random() < 0.7:
        names, columns = [*names, "n"], [*columns, pa.array([rng.random() for _ in range(rows)])]
    table = pa.table([*columns, y], [*names, "y"])
    if rng.random() < 0.1:
        table = table.replace_schema_metadata({"k": "v" * rng.choice([1, 10**5])})
    file = folder / "t.parquet"
    try:
        pq.write_table(
            table,
            file,
            compression=rng.choice(["snappy", "zstd", "none", "gzip", "brotli", "lz4"]),
            row_group_size=rng.choice([None, 1, 7]),
            use_dictionary=rng.random() < 0.6,
            data_page_version=rng.choice(["1.0", "2.0"]),
            version=rng.choice(["1.0", "2.6"]),
            store_schema=rng.random() < 0.8,
        )
    except (pa.ArrowException, UnicodeEncodeError):  # Arrow writes not all types that it knows
        pq.write_table(pa.table({"a": list(range(rows)), "y": labels}), file)
    maybe_damaged(rng, file, 0.3)


def make_arrow(rng: random.Random, folder: Path) -> None:
    """A Feather or Arrow file, or a stream, of any types, sound or damaged."""
    import pyarrow as pa

    rows = rng.choice([0, 1, 8, 40, 40, 40])
    columns = [_arrow_column(rng, rows) for _ in range(rng.choice([0, 1, 1, 2, 5]))]
    names = [f"{rng.choice([*ODD_TEXTS, 'a', 'b'])}{i}" for i in range(len(columns))]
    columns = [*columns, pa.array([rng.random() for _ in range(rows)])]
    columns.append(pa.array([rng.choice("ab") for _ in range(rows)]))
    file = folder / rng.choice(["t.feather", "t.arrow"])
    options = pa.ipc.IpcWriteOptions(
        compression=rng.choice([None, "zstd", "lz4"]), emit_dictionary_deltas=rng.random() < 0.5
    )
    new = rng.choice([pa.ipc.new_file, pa.ipc.new_stream])
    try:
        table = pa.table(columns, [*names, "n", "y"])
        with new(file, table.schema, options=options) as stream:
            stream.write_table(table, max_chunksize=rng.choice([1, 7, 1000]))
    except (pa.ArrowException, UnicodeEncodeError):  # of a type, or name, that cannot be written
        with new(file, pa.schema([("n", pa.int8())])):
            pass
    maybe_damaged(rng, file, 0.5)


def make_json_lines(rng: random.Random, folder: Path) -> None:
    """JSON lines with odd keys and values, sound or damaged."""
    keys = [rng.choice([*ODD_TEXTS, "a", "b", "c"]) for _ in range(rng.choice([1, 2, 5]))]
    lines = []
    for _ in range(rng.choice([0, 1, 3, 40, 40])):
        said = {key: rng.random() if rng.random() < 0.7 else odd_json(rng) for key in keys}
        lines.append(json.dumps(said | {"n": rng.random(), "y": rng.choice("ab")}))
    content = rng.choice(["\n", "\n", "\r\n", "\n\n"]).join(lines).encode()
    if rng.random() < 0.3:
        content = mutated_bytes(rng, content, content)
    (folder / rng.choice(["t.jsonl", "t.ndjson"])).write_bytes(content)


def make_excel(rng: random.Random, folder: Path) -> None:
    """A workbook of odd cells, sound, or with a part or the whole damaged."""
    import openpyxl

    book = openpyxl.Workbook()
    odd: list[Any] = [None, True, 3, 2.5, "a", "x" * 50, *(rng.random() for _ in range(9))]
    odd += [datetime(2024, 1, 1) + timedelta(hours=rng.randrange(9999)), "=1+1", "#N/A"]
    width = rng.choice([1, 2, 5])
    book.active.append([*(f"c{i}" for i in range(width)), "n", "y"])
    some = [rng.choice([odd, [rng.choice(odd)], [1, 2.5], ["a", "b"]]) for _ in range(width)]
    for _ in range(rng.choice([0, 3, 40, 40, 40, 40])):
        book.active.append([*map(rng.choice, some), rng.random(), rng.choice("ab")])
    file = folder / "t.xlsx"
    book.save(file)
    if rng.random() < 0.3:
        with zipfile.ZipFile(file) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
        name = rng.choice(list(parts))
        parts[name] = mutated_bytes(rng, parts[name], parts[name])
        with zipfile.ZipFile(file, "w") as archive:
            for name, content in parts.items():
                archive.writestr(name, content)
    maybe_damaged(rng, file, 0.2)


def _arrow_column(rng: random.Random, rows: int) -> Any:
    import numpy as np
    import pyarrow as pa

    texts = [rng.choice(["a", "b", "1", "2.5", *ODD_TEXTS]) for _ in range(rows)]
    numbers = [rng.choice([0, 1, 2, 3, rng.randrange(100)]) for _ in range(rows)]
    some = rng.choice([0.0, 0.0, 0.2, 1.0])
    mask = [rng.random() < some for _ in range(rows)]

    def with_nulls(values: list[Any]) -> list[Any]:
        return [None if gone else value for value, gone in zip(values, mask, strict=True)]

    few = with_nulls(rng.choice([[t[:1] for t in texts], texts]))
    ints = with_nulls(numbers)
    makers: list[Callable[[], Any]] = [
        lambda: pa.array(few, rng.choice([pa.string(), pa.large_string(), pa.string_view()])),
        lambda: pa.array(few, pa.string()).dictionary_encode(),
        lambda: pa.array(few, pa.large_string()).dictionary_encode(),
        lambda: pa.array(ints, rng.choice([pa.int8(), pa.uint8(), pa.int32(), pa.int64()])),
        lambda: pa.array([None if v is None else 2**64 - 1 - v for v in ints], pa.uint64()),
        lambda: pa.array(ints, rng.choice([pa.float32(), pa.float64()])),
        lambda: pa.array(np.array(numbers, np.float16), mask=np.array(mask, bool)),
        lambda: pa.array([rng.choice([1e300, float("nan"), float("inf"), 1.0]) for _ in numbers]),
        lambda: pa.array(ints, rng.choice([pa.decimal128(9, 2), pa.decimal256(50, 3)])),
        lambda: pa.array(ints, rng.choice([pa.decimal32(5, 0), pa.decimal64(9, 1)])),
        lambda: pa.array(ints, rng.choice([pa.date32(), pa.time32("s"), pa.time64("us")])),
        lambda: pa.array(ints, rng.choice([pa.timestamp("ns"), pa.timestamp("s", "UTC")])),
        lambda: pa.array(ints, pa.duration("ms")),
        lambda: pa.nulls(rows),
        lambda: pa.array([None if v is None else v > 1 for v in ints], pa.bool_()),
        lambda: pa.array([None if v is None else str(v).encode() for v in few], pa.binary()),
        lambda: pa.array([b"abcd"] * rows, pa.binary(4)),
        lambda: pa.array([rng.choice([b"\xff", b"a"])] * rows, pa.binary()).view(pa.string()),
        lambda: pa.array([[v] * 3 for v in numbers], pa.list_(pa.int64())),
        lambda: pa.array([[1.0, 2.0]] * rows, pa.list_(pa.float32(), 2)),
        lambda: pa.array([{"a": v, "b": "t"} for v in numbers]),
        lambda: pa.array([[("k", v)] for v in numbers], pa.map_(pa.string(), pa.int64())),
        lambda: pa.array(ints, pa.int64()).dictionary_encode(),
        lambda: pa.array(ints, pa.date32()).dictionary_encode(),
        lambda: pa.ExtensionArray.from_storage(
            pa.uuid(), pa.array([b"0" * 16] * rows, pa.binary(16))
        ),
        lambda: pa.ExtensionArray.from_storage(pa.json_(), pa.array(few, pa.string())),
        lambda: pa.ExtensionArray.from_storage(pa.bool8(), pa.array(ints, pa.int8())),
    ]
    return rng.choice(makers)()


def make_npz(rng: random.Random, folder: Path) -> None:
    """An archive of odd arrays, or of what is none."""
    import numpy as np

    n = rng.choice([0, 1, 12, 12, 12, 12, 12, 12, 12])
    members = {"X": _array(rng, n), "y": _array(rng, n)}
    if rng.random() < 0.8:
        members["y"] = np.arange(n) % 2
    if rng.random() < 0.8:
        members["X"] = np.arange(2.0 * n).reshape(n, 2)
    if rng.random() < 0.4:
        members |= {"X_test": members["X"], "y_test": members["y"]}
        key = rng.choice(["X_test", "y_test", "X", "y"])
        members[key] = _array(rng, rng.choice([n, 0, 3]))
    if rng.random() < 0.1:
        members[rng.choice(["a", "X.npy", "?", "ü", "X/y"])] = _array(rng, n)
    file = folder / "t.npz"
    with zipfile.ZipFile(
        file, "w", rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
    ) as zipped:
        for name, array in members.items():
            buffer = io.BytesIO()
            np.save(buffer, array, allow_pickle=True)
            content = buffer.getvalue()
            if rng.random() < 0.08:
                content = mutated_bytes(rng, content, content)
            if rng.random() < 0.05:
                claim = rng.choice(["(99999999999,)", "(12, 1000000)", "()", "(-1,)", "('a',)"])
                content = content.replace(f"({n},".encode(), claim.encode(), 1)
            if rng.random() < 0.03:
                content = rng.choice([b"", b"text", b"\x93NUMPY\x03\x00", b"\x93NUMPY" + bytes(99)])
            zipped.writestr(f"{name}{rng.choice(['.npy'] * 9 + [''])}", content)
    maybe_damaged(rng, file, 0.25)


def _array(rng: random.Random, n: int) -> Any:
    import numpy as np

    shape = rng.choice([(n,), (n, 1), (n, 3), (n, 2, 2), (), (0,), (n, 0), (1, n)])
    plain = np.arange(int(np.prod(shape))).reshape(shape)
    kinds: list[Callable[[], Any]] = [
        lambda: plain,
        lambda: plain % 2,
        lambda: (plain % 2).astype(
            rng.choice([">f8", ">i2", "<u8", "f2", "?", "i1", "longdouble"])
        ),
        lambda: plain.astype(rng.choice(["<U3", "S4", ">U2", "<U900", "S0", "<U0"])),
        lambda: plain.astype(rng.choice(["c8", "M8[D]", "m8[s]", "V4", "M8[ns]"])),
        lambda: plain.astype(object),
        lambda: np.zeros(shape, [("a", "f4"), ("b", "<U4")]),
        lambda: np.full(shape, rng.choice([np.nan, np.inf, 1e300, -0.0])),
        lambda: np.asfortranarray(plain),
        lambda: np.array([rng.choice(ODD_TEXTS) for _ in range(n)], dtype=np.str_),
        lambda: np.zeros((n, 1), "<U9999"),
        lambda: np.zeros((4_000_000,), "?"),
    ]
    return rng.choice(kinds)()


def make_images(rng: random.Random, folder: Path) -> None:
    """The four files of Fashion-MNIST, or the six of CIFAR-10, one of them odd."""
    if rng.random() < 0.15:
        record = 1 + 3 * 32 * 32
        odd = rng.choice(["data_batch_3", "test_batch"])
        for name in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]:
            rows = [bytes([i % 10]) + bytes([i]) * (record - 1) for i in range(10)]
            content = b"".join(rows)
            if name == odd:
                content = mutated_bytes(rng, content, content)
            (folder / f"{name}.bin").write_bytes(content)
        return
    odd = rng.choice(["train-images", "train-labels", "t10k-images", "t10k-labels"])
    for part, n in (("train", 30), ("t10k", 10)):
        for what, shape in (("images", [n, 4, 4]), ("labels", [n])):
            name = f"{part}-{what}"
            body = bytes(i % 10 for i in range(n * (16 if what == "images" else 1)))
            if name == odd:
                claims = [0, 1, 2, 255, 2**16, 2**31, 2**32 - 1]
                for _ in range(rng.choice([0, 0, 0, 1, 3])):
                    shape[rng.randrange(len(shape))] = rng.choice(claims)
                body = rng.choice(
                    [body, body, body, body, b"", body[:-1], body + b"x", bytes([77]) * len(body)]
                )
            magic = 0x0800 + len(shape) + (rng.choice([0] * 9 + [1]) if name == odd else 0)
            content = b"".join(v.to_bytes(4, "big") for v in (magic, *shape)) + body
            if name == odd and rng.random() < 0.3:
                content = mutated_bytes(rng, content, content)
            packed = rng.random() < 0.5
            if packed:
                content = gzip.compress(content)
                if name == odd and rng.random() < 0.3:
                    content = mutated_bytes(rng, content, content)
            dimensions = "idx3" if what == "images" else "idx1"
            (folder / f"{name}-{dimensions}-ubyte{'.gz' * packed}").write_bytes(content)


def use_images(rng: random.Random, folder: Path) -> None:
    """What check does with a folder of images."""
    from hpsearch.data import load_dataset

    name = "cifar-10" if (folder / "test_batch.bin").exists() else "fashion-mnist"
    _learn(rng, load_dataset(name, folder=folder))


def use_data(rng: random.Random, folder: Path) -> None:
    """What check and predict do with a file of data."""
    from hpsearch.data import load_dataset
    from hpsearch.data.features import load_features
    from hpsearch.data.tables import read_table, table_pieces
    from hpsearch.errors import HpsearchError

    [file] = folder.iterdir()
    target = None if file.suffix == ".npz" else "y"
    with contextlib.suppress(HpsearchError):
        load_features(file, ["c0", "y"], {1: ("a", "b")})
    with contextlib.suppress(HpsearchError):
        load_features(file, ["y"], {})
    with contextlib.suppress(HpsearchError):
        if file.suffix != ".npz":
            rows = sum(piece.num_rows for piece in table_pieces(file))
            assert rows == read_table(file).num_rows, rows
    limit = rng.choice([None, None, 20])
    _learn(rng, load_dataset(path=file, target=target, limit=limit))


def _learn(rng: random.Random, dataset: Any) -> None:
    """Divide, check, prepare."""
    from hpsearch.checks.study import check_data
    from hpsearch.data import Preprocessor, make_splits

    splits = make_splits(
        dataset.y,
        test=0.2,
        validation=0.2,
        folds=1,
        seed=0,
        fixed_test=dataset.fixed_test,
        classes=dataset.classes,
    )
    json.dumps([c.document() for c in check_data(dataset, splits[0])])
    kind = rng.choice(["none", "standardize", "robust", "quantile", "pca", "whiten"])
    rows = dataset.X[splits[0].train]
    y = dataset.y[splits[0].train]
    Preprocessor.fit(rows, kind, categories=dataset.nominal, y=y).transform(dataset.X)


# Models -----------------------------------------------------------------------------------------


def make_model(rng: random.Random, folder: Path) -> None:
    """A model file with odd members, and a table for it."""
    import numpy as np

    from hpsearch.data import Preprocessor
    from hpsearch.nn import Network, NetworkConfig
    from hpsearch.training.model import Member, Model

    made = np.random.default_rng(rng.randrange(10**6))
    X = made.normal(size=(30, 3)).astype(np.float32)
    X[:, 2] = made.integers(0, 2, 30)
    members = []
    for _ in range(rng.choice([1, 1, 3])):
        config = NetworkConfig(
            rng.choice([(), (4,), (4, 3)]),
            rng.choice(["relu", "prelu", "maxout"]),
            batch_norm=rng.random() < 0.5,
        )
        kind = rng.choice(["none", "standardize", "robust", "quantile", "pca", "whiten"])
        prepared = Preprocessor.fit(X, kind, categories={2: ("no", "yes")})
        network = Network(prepared.n_features_out, 2, config, rng=made)
        members.append(Member(config, network.state(), prepared))
    model = Model(tuple(members), ("ham", "spam"), ("a", "b", "c"), {2: ("no", "yes")}, {"s": 1})
    with np.load(io.BytesIO(model.to_bytes())) as archive:
        arrays = {name: archive[name] for name in archive.files}
    about: Any = json.loads(arrays["about"].tobytes())
    for _ in range(rng.choice([0, 1, 1, 2])):
        about = _odd_about(rng, about)
    arrays["about"] = np.frombuffer(json.dumps(about).encode(), np.uint8)
    for _ in range(rng.choice([0, 0, 1, 2])):
        name = rng.choice(list(arrays))
        arrays[name] = _odd_member(rng, arrays[name])
        if rng.random() < 0.1:
            del arrays[name]
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    content = buffer.getvalue()
    if rng.random() < 0.2:
        content = mutated_bytes(rng, content, content)
    (folder / "model.npz").write_bytes(content)
    (folder / "t.csv").write_text("a,b,c\n1,2,yes\n,3,no\n1e30,-1e30,maybe\n")


def _odd_about(rng: random.Random, about: Any) -> Any:
    if rng.random() < 0.7 or not isinstance(about, dict):
        return mutated_json(rng, about)
    sizes = [[22000, 22000], [1] * 300_000, [10**9], [2**70], [0], [-1], [1.5], ["4"], 7, "44", {}]
    network = {"hidden_layer_sizes": rng.choice(sizes), "activation": "relu"}
    return rng.choice(
        [
            about | {"networks": [network]},
            about | {"networks": [{"hidden_layer_sizes": [4], "maxout_pieces": 10**9}]},
            about | {"classes": rng.choice([[1, 2], [[1], [2]], ["a", "a"], [True, False], "ab"])},
            about | {"feature_names": rng.choice([[1, 2, 3], [["a"], "b", "c"], "abc", ["a"] * 3])},
            about
            | {"categories": rng.choice([{"2": 3}, {"x": []}, {"9": ["a"]}, {"2": "ab"}, []])},
            about | {"classes": [f"c{i}" for i in range(60_000)]},
        ]
    )


def _odd_member(rng: random.Random, array: Any) -> Any:
    import numpy as np

    if array.size and array.dtype.kind in "fiu" and rng.random() < 0.5:
        changed = array.copy()
        odd = [0, 1, -1, 2**31] if array.dtype.kind != "f" else [np.nan, np.inf, 3e38, -1.0, 0.0]
        with np.errstate(all="ignore"):
            changed.flat[rng.randrange(array.size)] = np.asarray(rng.choice(odd)).astype(
                array.dtype
            )
        return changed
    return rng.choice(
        [
            array.reshape(-1)[:-1],
            np.concatenate([array.reshape(-1)] * 2),
            np.zeros(array.shape, rng.choice(["f8", "f2", "c8", "<U4", "S2", "?"])),
            array.reshape(1, *array.shape),
            np.array(3.0),
            np.array("standardize"),
            np.zeros(3_000_000),
            np.zeros((0, 3), np.float32),
        ]
    )


def use_model(rng: random.Random, folder: Path) -> None:  # noqa: ARG001 - as the others
    """What predict does."""
    from hpsearch.cli.app import run

    with silenced() as output:
        run(["--debug", "predict", str(folder / "model.npz"), str(folder / "t.csv"), "--json"])
    for row in json.loads(output.getvalue()):
        assert 0 <= row["probability"] <= 1, row


# Storages and notes -----------------------------------------------------------------------------


def make_storage(rng: random.Random, folder: Path) -> None:
    """A name of a storage that leads nowhere outside of its folder."""
    schemes = [
        "",
        "",
        "sqlite:///",
        "sqlite://",
        "sqlite+pysqlite:///",
        "postgresql://",
        "mysql://",
    ]
    schemes += ["postgres://", "http://", "redis://", "journal:", "sqlite:", ":", "://", "sqlite:/"]
    parts = ["x.db", "a b.db", "?mode=ro", "#", "%41", "%", ":memory:", "127.0.0.1:1/d", "user:pw@"]
    parts += [
        "127.0.0.1:99999/d",
        "@",
        "127.0.0.1:1/",
        "?",
        "&a=b",
        "\n",
        "\0",
        "é",
        "~nouser",
        "dir",
    ]
    parts += ["127.0.0.1:x/d", "file:x.db", "x" * 300, ".", " ", "\\", "*", "\ud800", "?uri=true"]
    scheme = rng.choice(schemes)
    if scheme.startswith("postgres"):
        scheme += rng.choice(["127.0.0.1:1/", "u:p@127.0.0.1:1/", "127.0.0.1:x/"])
    name = scheme + "".join(rng.choice(parts) for _ in range(rng.randrange(4)))
    (folder / "name.json").write_text(json.dumps(name))


def use_storage(rng: random.Random, folder: Path) -> None:
    """What run and studies do with --storage."""
    from hpsearch.storage import open_storage, study_names

    name = json.loads((folder / "name.json").read_text())
    place = folder / "place"
    place.mkdir(exist_ok=True)
    (place / "dir").mkdir(exist_ok=True)
    os.chdir(place)
    try:
        with open_storage(name, create=rng.random() < 0.5) as store:
            study_names(store)
    finally:
        os.chdir(folder)


def make_notes(rng: random.Random, folder: Path) -> None:
    """A database of two studies, with odd notes and trials in one of them."""
    file = folder / "x.db"
    shutil.copy(_database(), file)
    with contextlib.closing(sqlite3.connect(file)) as connection:
        [[study]] = connection.execute("SELECT study_id FROM studies WHERE study_name = 'odd'")
        for _ in range(rng.choice([1, 1, 2, 4])):
            _damage(rng, connection, study)
        connection.commit()


def _damage(rng: random.Random, connection: sqlite3.Connection, study: int) -> None:
    where = "WHERE trial_id IN (SELECT trial_id FROM trials WHERE study_id = ?)"
    table, column, condition = rng.choice(
        [
            ("study_user_attributes", "value_json", "WHERE study_id = ?"),
            ("study_user_attributes", "value_json", "WHERE study_id = ?"),
            ("study_user_attributes", "value_json", "WHERE study_id = ?"),
            ("trial_user_attributes", "value_json", where),
            ("trial_params", "param_name", where),
            ("trial_values", "value", where),
            ("trial_intermediate_values", "intermediate_value", where),
            ("trial_intermediate_values", "step", where),
        ]
    )
    rows = connection.execute(
        f"SELECT rowid, {column} FROM {table} {condition}", (study,)
    ).fetchall()
    if not rows:
        return
    row, value = rng.choice(rows)
    if column == "value_json":
        text = json.loads(value)
        if isinstance(text, str) and rng.random() < 0.8:
            with contextlib.suppress(ValueError):
                text = json.dumps(mutated_json(rng, json.loads(text)))
            value = json.dumps(mutated_bytes(rng, text.encode()).decode("utf-8", "replace"))
            if rng.random() < 0.85:
                value = json.dumps(text)
        else:
            value = json.dumps(mutated_json(rng, text))
    elif column == "param_name":
        value = rng.choice([*ODD_TEXTS[:8], "gone"])
    elif column == "step":
        value = rng.choice([-1, 0, 10**6, 2**40])
    else:
        value = rng.choice([0.0, -1.0, 2.0, 1e308, 1e-300])
    with contextlib.suppress(sqlite3.IntegrityError):
        connection.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (value, row))


_made: list[Path] = []


def _database() -> Path:
    """A finished study, and another one, made once in a process."""
    from hpsearch.engine import run_study
    from hpsearch.study_file import parse_study_file

    if not _made:
        folder = Path(tempfile.mkdtemp(prefix="fuzz-notes-"))
        for name in ("odd", "sound"):
            text = f'name = "{name}"\n[data]\nname = "iris"\n[training]\nepochs = 2\n'
            file = parse_study_file(f"{text}[search]\ntrials = 8\n")
            run_study(file, storage=str(folder / "x.db"), workers=1)
        _made.append(folder / "x.db")
    return _made[0]


def use_notes(rng: random.Random, folder: Path) -> None:
    """What the commands that look do, a study in Python, and the dashboard."""
    from hpsearch import load_study
    from hpsearch.cli.app import run
    from hpsearch.dashboard.attachments import attach
    from hpsearch.errors import HpsearchError
    from hpsearch.storage import open_storage

    storage = ["--storage", str(folder / "x.db"), "--debug"]
    with silenced() as output:
        run(["studies", "--json", *storage])
    by_name = {study["study"]: study for study in json.loads(output.getvalue())}
    assert "odd" in by_name, "the odd study is not listed"
    assert by_name["sound"].get("test") is not None, "the sound study is lost"
    page = str(folder / "odd.html")
    commands: list[list[str]] = [
        ["studies"],
        ["trials", "odd"],
        ["trials", "odd", "--json"],
        ["best", "odd"],
        ["best", "odd", "--json"],
        ["best", "odd", "--export", str(folder / "m.npz")],
        ["advise", "odd"],
        ["advise", "odd", "--json"],
    ]
    chosen = rng.sample(commands, 3)
    if rng.random() < 0.3:
        chosen.append(["report", "odd", "-o", page])
    complaint = None
    for command in chosen:
        try:
            with silenced():
                run([*command, *storage])
        except HpsearchError as error:
            complaint = error
    if rng.random() < 0.3:
        with contextlib.suppress(HpsearchError):
            study = load_study("odd", storage=str(folder / "x.db"))
            assert repr(study)
            assert study._repr_html_()
            assert len(study.trials()) == len(study.summary.rows)
    if rng.random() < 0.15:
        with contextlib.suppress(HpsearchError), open_storage(str(folder / "x.db")) as store:
            attach(store, store.get_study_id_from_name("odd"))
    if complaint is not None:
        raise complaint


# What travels between a server and its agents ---------------------------------------------------


def make_document(rng: random.Random, folder: Path) -> None:
    """A job or what came of one, as JSON with odd parts."""
    import numpy as np

    from hpsearch.data import DataHandle, Preprocessor
    from hpsearch.nn import NetworkConfig
    from hpsearch.outcome import Outcome
    from hpsearch.service.wire import to_document
    from hpsearch.training.diagnosis import Finding
    from hpsearch.training.jobs import Job, Refit

    made = np.random.default_rng(rng.randrange(10**6))
    kind = rng.choice(["none", "robust", "quantile", "whiten"])
    preprocessor = Preprocessor.fit(made.normal(size=(9, 2)), kind)
    whole = rng.choice(
        [
            Job(DataHandle("/", "0" * 16), {"width": 3, "l2": 0.5}, 1, 2, class_weights=(1.0, 2.0)),
            Outcome(
                0.5, curve=(0.25, 0.5), steps=(1, 2), also={"f1": float("nan")},
                findings=(Finding("plateau", "it stays", False),), snapshots={"loss": [1.0, None]},
            ),
            Refit(made.normal(size=4), NetworkConfig((3,)), {"a": made.normal(size=(2, 3)).T},
                  preprocessor, None, False),
        ]
    )  # fmt: skip
    document: Any = to_document(whole)
    for _ in range(rng.choice([0, 1, 1, 2, 4])):
        document = mutated_json(rng, document)
    (folder / "document.json").write_text(json.dumps(document))
    maybe_damaged(rng, folder / "document.json", 0.1)


def use_document(rng: random.Random, folder: Path) -> None:  # noqa: ARG001 - as the others
    """What a server does with what is told, and an agent with what it is asked for."""
    from hpsearch.errors import UsageError
    from hpsearch.service.wire import from_document, to_document

    try:
        document = json.loads((folder / "document.json").read_bytes())
    except (ValueError, RecursionError) as error:
        raise UsageError("it is no JSON") from error
    json.dumps(to_document(from_document(document)), allow_nan=False)


def make_store(rng: random.Random, folder: Path) -> None:
    """The zip of a store, damaged, or of odd files."""
    import hashlib

    files = {"store.json": b"{}", "X.npy": b"x" * 3000, "split-0.npz": b"s"}
    if rng.random() < 0.5:
        odd = ["../up", "/etc/passwd", "function.pickle", "fold-0/X_train.npy", "y.npy", "CON", ""]
        files[rng.choice(odd)] = bytes(rng.randrange(3))
    manifest: Any = {
        name: {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in files.items()
    }
    if rng.random() < 0.5:
        manifest = mutated_json(rng, manifest)
    text = json.dumps(manifest).encode()
    with zipfile.ZipFile(folder / "s.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {"manifest.json": text, **files}.items():
            archive.writestr(name or "empty", content)
    (folder / "etag").write_text(hashlib.sha256(text).hexdigest())
    maybe_damaged(rng, folder / "s.zip", 0.3)


def use_store(rng: random.Random, folder: Path) -> None:  # noqa: ARG001 - as the others
    """What an agent does with a download."""
    from hpsearch.errors import RunError
    from hpsearch.service.data import DamagedError, unpack

    home = folder / "home" / "in"
    home.mkdir(parents=True)
    try:
        with (folder / "s.zip").open("rb") as file:
            unpack(file, (folder / "etag").read_text(), home, most=10_000)
    except DamagedError as error:
        raise RunError(f"it is damaged: {error!s:.200}") from error
    finally:
        assert [path.name for path in home.parent.iterdir()] == ["in"], "it wrote elsewhere"
        assert sum(path.stat().st_size for path in home.iterdir()) <= 10_000, "it wrote too much"


@contextlib.contextmanager
def silenced() -> Iterator[io.StringIO]:
    """What a command prints, kept."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(io.StringIO()):
        yield output


# Rounds -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Kind:
    """A kind of input: how one is made, what is done with it, and how many a full round has."""

    make: Make
    use: Use
    cases: int


KINDS = {
    "study": Kind(make_study, use_study, 10_000),
    "csv": Kind(make_text("csv", ",;\t"), use_data, 1000),
    "tsv": Kind(make_text("tsv", "\t"), use_data, 1000),
    "parquet": Kind(make_parquet, use_data, 1000),
    "arrow": Kind(make_arrow, use_data, 1000),
    "json lines": Kind(make_json_lines, use_data, 1000),
    "excel": Kind(make_excel, use_data, 500),
    "npz": Kind(make_npz, use_data, 1000),
    "idx": Kind(make_images, use_images, 1000),
    "model": Kind(make_model, use_model, 1000),
    "storage": Kind(make_storage, use_storage, 1000),
    "notes": Kind(make_notes, use_notes, 300),
    "document": Kind(make_document, use_document, 5000),
    "store": Kind(make_store, use_store, 1000),
}


def case(kind: str, seed: int, number: int, folder: Path) -> str:
    """Make an input in a folder and use it; ``read`` or ``refused``, or what else happened.

    Raises:
        Exception: whatever is not hpsearch's own.
    """
    from hpsearch.errors import HpsearchError

    KINDS[kind].make(random.Random(f"{kind} {seed} {number}"), folder)
    try:
        KINDS[kind].use(random.Random(number), folder)
    except HpsearchError as error:
        sentence = str(error)
        if len(sentence.splitlines()) > 1 or not 0 < len(sentence) < LONGEST_SENTENCE:
            raise AssertionError(f"no sentence: {sentence[:200]!r}") from error
        return "refused"
    return "read"


@dataclass(frozen=True)
class Told:
    """What came of a case; the seconds are of processor time, so that a busy machine is no fault.

    Who waits for ever uses no processor, and is ended by the clock.
    """

    outcome: str
    trace: str
    peak: int
    seconds: float


def one(kind: str, seed: int, number: int) -> Told:
    """A case in a folder of its own, as a worker runs it."""
    started, outcome, trace = time.process_time(), "", ""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        try:
            outcome = case(kind, seed, number, Path(folder))
        except Exception as error:
            outcome = f"{type(error).__name__}: {str(error)[:150]!r}"
            trace = traceback.format_exc(limit=-4, chain=False)
        os.chdir("/")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return Told(outcome, trace, peak, time.process_time() - started)


SHARED = (
    *(f"hpsearch.{m}" for m in ("checks.study", "cli.render", "data.tabular", "engine", "report")),
    *("hpsearch.dashboard.attachments", "pandas", "plotly.graph_objects", "scipy.stats"),
)
"""What every worker would import for itself: its process is forked from one that has them."""


def prepare(database: list[Path]) -> None:
    """A worker's limits, and what it has been given."""
    _made[:] = database
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))


def round_of(kind: str, seed: int, cases: int, workers: int, keep: Path) -> tuple[int, str]:
    """Run many cases; how many faults there are, and a line that says so."""
    from pebble import ProcessPool

    outcomes: Counter[str] = Counter()
    peak, slowest = 0, 0.0
    database = [_database()] if kind == "notes" else []
    with ProcessPool(workers, max_tasks=400, initializer=prepare, initargs=[database]) as pool:
        futures = [pool.schedule(one, (kind, seed, n), timeout=6 * PATIENCE) for n in range(cases)]
        for number, future in enumerate(futures):
            try:
                told = future.result()
            except Exception as error:  # a worker that hangs or dies
                told = Told(f"{type(error).__name__}: {error}", "", 0, PATIENCE)
            faults = [] if told.outcome in ("read", "refused") else [told.outcome]
            if told.seconds > PATIENCE:
                faults.append(f"{told.seconds:.0f} seconds")
            if told.peak > MOST_BYTES:
                faults.append(f"{told.peak >> 20} MiB")
            outcomes["fault" if faults else told.outcome] += 1
            peak, slowest = max(peak, told.peak), max(slowest, told.seconds)
            if faults:
                again = f"--kind {kind} --seed {seed} --number {number}"
                print(f"  {'; '.join(faults)}\n  again: python benchmarks/fuzz.py {again}")
                print(told.trace, end="", flush=True)
                place = keep / f"{kind}-{seed}-{number}"
                shutil.rmtree(place, ignore_errors=True)
                place.mkdir(parents=True)
                KINDS[kind].make(random.Random(f"{kind} {seed} {number}"), place)
    line = (
        f"{kind}: {cases} cases, {outcomes['read']} read, {outcomes['refused']} refused, "
        f"{outcomes['fault']} faults, slowest {slowest:.1f} s, peak {peak >> 20} MiB"
    )
    return outcomes["fault"], line


def main() -> int:
    """Run the rounds, tell."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    parser.add_argument("--kind", choices=KINDS, action="append", help="all kinds by default")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cases", type=int, help="at most so many of each kind")
    parser.add_argument("--number", type=int, help="one case again, with its traceback")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--keep", type=Path, default=Path("fuzz-failures"), help="for bad inputs")
    options = parser.parse_args()
    keep = options.keep.resolve()
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    kinds = options.kind or list(KINDS)
    if options.number is not None:
        folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
        print(f"in {folder}")
        print(case(kinds[0], options.seed, options.number, folder))
        return 0

    for module in SHARED:
        importlib.import_module(module)
    faults = 0
    for kind in kinds:
        cases = min(KINDS[kind].cases, options.cases or KINDS[kind].cases)
        found, line = round_of(kind, options.seed, cases, options.workers, keep)
        print(line, flush=True)
        faults += found
    print(f"seed {options.seed}: {faults} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
