"""Advice can be followed: what it names exists, and the next study file has it."""

from __future__ import annotations

import ast
import csv
import io
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nasty import NASTY

import hpsearch
from hpsearch.advice import study_toml
from hpsearch.advice.study import Advice
from hpsearch.checks.check import Check, excluding
from hpsearch.cli.advise import advice_text
from hpsearch.cli.app import run
from hpsearch.cli.console import _Harmless
from hpsearch.cli.render import checks_advice
from hpsearch.data import make_splits
from hpsearch.study_file import load_study_file, parse_study_file
from hpsearch.study_file.models import StudyFile
from hpsearch.training.diagnosis import ADVICE

PACKAGE = Path(hpsearch.__file__).parent
ADVISERS = [
    PACKAGE / "training/diagnosis.py",
    *sorted((PACKAGE / "checks").glob("*.py")),
    *sorted((PACKAGE / "advice").glob("*.py")),
]
NAMED = re.compile(r"\[(data|model|training|search|compare)\] (\w+)")


def texts(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def settings() -> set[tuple[str, str]]:
    sections = {
        name: field.annotation
        for name, field in StudyFile.model_fields.items()
        if hasattr(field.annotation, "model_fields")
    }
    return {(name, key) for name, section in sections.items() for key in section.model_fields}  # type: ignore[union-attr]


def test_every_setting_that_advice_names_exists() -> None:
    named = {found for path in ADVISERS for text in texts(path) for found in NAMED.findall(text)}
    assert ("data", "exclude") in named
    assert ("data", "preprocessing") in named
    assert named <= settings()


@pytest.mark.parametrize("path", ADVISERS, ids=lambda path: path.name)
def test_no_advice_asks_for_what_no_setting_does(path: Path) -> None:
    for text in texts(path):
        for words in ("drop it", "keep them together", "leave the column", "leave it out:"):
            assert words not in text


def test_settings_named_by_their_bare_name_exist() -> None:
    words = set(re.findall(r"\b[a-z]+2?(?:_[a-z]+)*\b", " ".join(ADVICE.values())))
    keys = {key for _, key in settings()}
    assert {"patience", "l2", "dropout", "width", "depth", "batch_norm", "initializer"} <= keys
    assert {word for word in words if "_" in word} <= keys


STUDY = """
name = "leaky"
[data]
path = "table.csv"
target = "kind"
exclude = ["old"]
[model]
width = 8
depth = 1
[training]
epochs = 2
[search]
strategy = "random"
trials = 4
"""


def a_row_of_the_test_part(y: np.ndarray) -> int:
    """Where a column may differ, and still is the same in every row that is learned from."""
    return int(make_splits(y, test=0.2, validation=0.2, folds=1, seed=0)[0].test[0])


@pytest.fixture
def leaky(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A table with the label under two names, in one-hot columns, and two constant columns."""
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 3, 200)
    odd = np.arange(200) == a_row_of_the_test_part(kind)
    columns = {
        "a": rng.normal(size=200),
        "b": rng.normal(size=200) + kind,
        "old": rng.normal(size=200),
        'the "label"': 7 - kind,
        "größe, cm": kind * 10,
        **{f"is {k}": (kind == k).astype(int) for k in range(3)},
        "c": np.where(odd, 2, 1),
        "d": np.where(odd, 9, 3),
        "kind": [f"k{k}" for k in kind],
    }
    header = ",".join(f'"{name.replace(chr(34), chr(34) * 2)}"' for name in columns)
    rows = (",".join(map(str, row)) for row in zip(*columns.values(), strict=True))
    (tmp_path / "table.csv").write_text("\n".join([header, *rows]), encoding="utf-8")
    (tmp_path / "study.toml").write_text(STUDY)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "10000")
    return tmp_path


LEAKS = ['the "label"', "größe, cm", "is 0", "is 1", "is 2"]


def test_what_check_says_can_be_pasted(leaky: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "study.toml"]) == 1
    out = capsys.readouterr().out
    [leak] = re.findall(r"label leaks: .*?\[data\] (exclude = \[.*\])", out)
    [together] = re.findall(r"All together: \[data\] (exclude = \[.*\])", out)
    assert tomllib.loads(leak)["exclude"] == LEAKS
    Path("study.toml").write_text(STUDY.replace('exclude = ["old"]', together))
    assert set(load_study_file("study.toml").data.exclude) == {"old", *LEAKS, "c", "d"}
    assert run(["check", "study.toml", "--json"]) == 0
    checks = {check["name"]: check for check in json.loads(capsys.readouterr().out)["checks"]}
    assert checks["label leaks"]["verdict"] == "pass"
    assert checks["constant columns"]["verdict"] == "pass"


NASTY_COLUMNS = [
    *(f"c{name.replace(chr(0), '')}d" for name in NASTY[:-1]),  # what holds it is no text file
    "\x9b2J in a column whose name is longer than a line of a terminal is, and has a ]",
]


@given(st.lists(st.text(st.characters(exclude_categories=("Cs",))), min_size=1, unique=True))
def test_any_column_can_be_pasted_from_a_terminal_of_any_width(names: list[str]) -> None:
    sentence = f"look whether they were read right, or {excluding(names)}; or not"
    check = Check("constant columns", "warn", "1", "0", sentence, tuple(names))
    file = io.StringIO()
    console = _Harmless(file=file, width=80, highlight=False)
    console.print(checks_advice([check], names, 80), soft_wrap=True)
    study = parse_study_file(STUDY)
    advice = Advice(study, (), (check,), study, ())
    console.print(advice_text(advice, 80), soft_wrap=True)
    printed = re.findall(r"\[data\] (exclude = \[.*\])", file.getvalue())
    assert [tomllib.loads(line)["exclude"] for line in printed] == [names[:20]] * 3
    prose = [line for line in file.getvalue().split("\n") if "exclude" not in line]
    assert all(len(line) <= 80 for line in prose)


@pytest.mark.slow
def test_columns_of_any_name_are_left_out_by_what_check_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    with (tmp_path / "table.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["a", "old", "kind", *NASTY_COLUMNS])
        odd = a_row_of_the_test_part(np.arange(120) % 3)
        for n in range(120):
            same = [1 + (n == odd)] * len(NASTY_COLUMNS)
            writer.writerow([rng.normal(), n % 7, f"k{n % 3}", *same])
    (tmp_path / "study.toml").write_text(STUDY)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    run(["check", "study.toml"])
    out = capsys.readouterr().out
    [together] = re.findall(r"^All together: \[data\] (exclude = .*)", out, re.MULTILINE)
    assert tomllib.loads(together)["exclude"] == ["old", *NASTY_COLUMNS]
    Path("study.toml").write_text(STUDY.replace('exclude = ["old"]', together), encoding="utf-8")
    run(["check", "study.toml", "--json"])
    checks = {check["name"]: check for check in json.loads(capsys.readouterr().out)["checks"]}
    assert checks["constant columns"]["verdict"] == "pass"
    study = load_study_file("study.toml")
    assert parse_study_file(study_toml(study, comments=["\x7f \x9b2J"])).data == study.data


@pytest.mark.slow
def test_what_advise_writes_leaves_the_columns_out(
    leaky: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["run", "study.toml", "-w", "1"]) == 0
    (leaky / "place").mkdir()
    assert run(["advise", "leaky", "-o", "place/next.toml"]) == 0
    assert "Columns to leave out: constant columns: 'c', 'd'; label leaks" in (
        capsys.readouterr().out
    )
    following = load_study_file("place/next.toml")
    assert set(following.data.exclude) == {"old", *LEAKS, "c", "d"}
    assert run(["run", "place/next.toml", "-w", "1"]) == 0
