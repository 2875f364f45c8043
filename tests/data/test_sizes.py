"""A small file takes little memory, whatever it unpacks to, and ends in one sentence."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import bombs
import numpy as np
import pytest

from hpsearch.data import columns, formats, load_dataset, plain, target_column
from hpsearch.data.target import as_target

MOST = 1 << 30  # bytes above what Python, NumPy and Arrow take by themselves

RUN = """
import os, resource, sys, json
import pyarrow.csv, pyarrow.parquet
import hpsearch.cli.app, hpsearch.cli.render, hpsearch.checks, hpsearch.data
import hpsearch.training.model

told, before = [], 0
for arguments in [None, *json.loads(sys.stdin.read())]:
    inlet, outlet = os.pipe()
    child = os.fork()
    if child == 0:
        if arguments is None:  # what a process takes that does nothing
            os._exit(0)
        resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
        os.dup2(outlet, 2)
        sys.stdout = open(os.devnull, "w")
        code = hpsearch.cli.app.run(arguments)
        sys.stderr.flush()
        os._exit(code)
    os.close(outlet)
    with open(inlet) as complaint:
        words = complaint.read()
    _, status, usage = os.wait4(child, 0)
    if arguments is None:
        before = usage.ru_maxrss
        continue
    code = os.waitstatus_to_exitcode(status)
    told.append([code, words, (usage.ru_maxrss - before) * 1024])
print(json.dumps(told))
"""


def run_apart(commands: list[list[str]]) -> list[tuple[int, str, int]]:
    """Exit code, complaint and peak memory of commands, each in a process of its own."""
    made = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", RUN],
        input=json.dumps(commands),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return [(code, words, peak) for code, words, peak in json.loads(made.stdout)]


def study(folder: Path, lines: str) -> str:
    file = folder / "study.toml"
    file.write_text(f'name = "s"\n[data]\n{lines}\n')
    return str(file)


def data_commands(home: Path) -> dict[str, list[str]]:
    commands: dict[str, list[str]] = {}
    for number, (name, (file, make)) in enumerate(bombs.DATA.items()):
        folder = home / str(number)
        folder.mkdir()
        make(folder / file)
        target = "" if file.endswith(".npz") else 'target = "y"'
        commands[name] = ["check", study(folder, f'path = "{file}"\n{target}')]
    bombs.image_folder(home / "images")
    commands["images"] = [
        "check",
        study(home / "images", f'name = "fashion-mnist"\nfolder = "{home / "images"}"'),
    ]
    return commands


def model_commands(home: Path) -> dict[str, list[str]]:
    commands: dict[str, list[str]] = {}
    (home / "t.csv").write_text("a,b\n1,2\n")
    for number, (name, content) in enumerate(bombs.MODELS.items()):
        (home / f"{number}.npz").write_bytes(content())
        commands[name] = ["predict", str(home / f"{number}.npz"), str(home / "t.csv")]
    return commands


def is_a_sentence(words: str) -> bool:
    return words.startswith("error: ") and words.count("\n") == 1 and len(words) < 500


@pytest.mark.slow
@pytest.mark.parametrize("make", [data_commands, model_commands])
def test_bombs_are_refused_in_a_sentence(
    tmp_path: Path, make: Callable[[Path], dict[str, list[str]]]
) -> None:
    commands = make(tmp_path)
    told = dict(zip(commands, run_apart(list(commands.values())), strict=True))
    assert {
        name: (code, words[:1000], peak)
        for name, (code, words, peak) in told.items()
        if code != 2 or not is_a_sentence(words) or peak >= MOST
    } == {}


PRICES = ('"${0},{1:03d}.5"', "{0}.{1:03d}%", '"{0},{1:03d}"')


@pytest.mark.parametrize("form", PRICES)
def test_cells_that_all_differ_are_read_as_numbers_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.setattr(formats, "PIECE", 64)
    for module in (columns, plain, target_column):
        monkeypatch.setattr(module, "HEAD", 128)
    cells = [form.format(1 + row // 1000, row % 1000) for row in range(3000)]
    few = "".join(f"{cell},{'ab'[row % 2]}\n" for row, cell in enumerate(cells))
    (tmp_path / "t.csv").write_text("n,y\n" + few)
    found = load_dataset(path=tmp_path / "t.csv", target="y")
    expected = [float(cell.strip('"$%').replace(",", "")) for cell in cells]
    assert found.X[:, 0].tolist() == np.float32(expected).tolist()
    assert "n" in found.account.numbers


@pytest.mark.parametrize(
    ("form", "reason"), [("c{}", "distinct texts in the first"), ("week {}-2024", "distinct")]
)
def test_the_rest_of_cells_that_all_differ_is_not_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str, reason: str
) -> None:
    for module in (columns, plain, target_column):
        monkeypatch.setattr(module, "HEAD", 16)
    rows = "".join(f"{form.format(row)},{row},{'ab'[row % 2]}\n" for row in range(24))
    (tmp_path / "t.csv").write_text("s,n,y\n" + rows)
    found = load_dataset(path=tmp_path / "t.csv", target="y")
    assert reason in found.account.columns_dropped["s"]


@pytest.mark.parametrize("first", [2**63 + 5, 2**64 - 2, 10**18 + 1])
def test_labels_of_many_digits_stay_apart(tmp_path: Path, first: int) -> None:
    labels = (first, first + 1)
    rows = "".join(f"{row},{labels[row % 2]}\n" for row in range(40))
    (tmp_path / "t.csv").write_text("n,y\n" + rows)
    assert load_dataset(path=tmp_path / "t.csv", target="y").classes == labels
    assert as_target("t", np.array(labels * 20, dtype=object)).classes == labels
