"""What may only be read is read: a database on a read-only medium, whatever mode it was left in."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import optuna
import pytest

from hpsearch.engine import run_study
from hpsearch.study_file import parse_study_file

pytestmark = pytest.mark.slow

TEXT = """
name = "s"
[data]
name = "iris"
[model]
width = 8
depth = 1
[training]
epochs = 2
[search]
strategy = "random"
trials = 3
"""
READING = [
    ["studies"],
    ["studies", "--json"],
    ["trials", "s"],
    ["best", "s"],
    ["best", "s", "--export", "{out}/m.npz"],
    ["report", "s", "-o", "{out}/s.html"],
    ["advise", "s", "-o", "{out}/next.toml"],
]
# A namespace of its own, in which the folder is mounted once more, for reading only.
MOUNT = (
    'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" || exit 77; '
    '! touch "$1/x" 2>/dev/null || exit 77; shift; exec "$@"'
)
SCRIPT = """
import json, sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from hpsearch.cli.app import run

told = []
for command in json.loads(sys.argv[1]):
    with redirect_stdout(StringIO()) as out, redirect_stderr(out):
        code = run(command)
    told.append([code, " ".join(out.getvalue().split())])
print(json.dumps(told))
"""


def on_read_only(folder: Path, commands: list[list[str]]) -> list[tuple[int, str]]:
    """The exit codes and words of commands in a folder that nobody can write to."""
    if shutil.which("unshare") is None:
        pytest.skip("there is no unshare")
    root = [] if os.geteuid() == 0 else ["--map-root-user"]
    python = [sys.executable, "-c", SCRIPT, json.dumps(commands)]
    done = subprocess.run(
        ["unshare", "--mount", *root, "sh", "-c", MOUNT, "sh", str(folder), *python],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode in (1, 77) and not done.stdout:
        pytest.skip(f"no mount here: {done.stderr}")
    assert done.returncode == 0, done.stderr
    return [(code, words) for code, words in json.loads(done.stdout)]


def as_it_was_left(file: Path) -> None:
    assert not Path(f"{file}-wal").exists()


def with_a_rollback_journal(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")


def with_an_empty_log(file: Path) -> None:
    Path(f"{file}-wal").touch()


def of_optuna_s_own(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for name in (name for [name] in names if name.startswith("hpsearch_")):
            connection.execute(f"DROP TABLE {name}")
        for name in ("studies", "trials"):
            connection.execute(f"DROP TRIGGER hpsearch_{name}_gone")
        connection.commit()


LEFT = (as_it_was_left, with_a_rollback_journal, with_an_empty_log, of_optuna_s_own)


def with_a_full_log(file: Path, new: Path) -> None:
    """As a database is, that was copied from under its driver."""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE studies SET study_name = 'newer'")
        connection.commit()
        for name in ("s.db", "s.db-wal"):
            shutil.copy(file.with_name(name), new.with_name(name))


@dataclass(frozen=True)
class Told:
    """What commands said on a medium that may only be read.

    Attributes:
        words: for each group of commands their exit codes and words.
        out: the folder, elsewhere, to which some wrote.
        changed: the databases that are not as they were.
    """

    words: dict[str, list[tuple[int, str]]]
    out: Path
    changed: list[str]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """All commands in one process: it takes longer to start than they do."""
    out = tmp_path_factory.mktemp("out")
    finished = out / "s.db"
    run_study(parse_study_file(TEXT), storage=str(finished), workers=1)
    medium = out / "a cd 100%#1"  # a name that a URI has to quote
    files = {
        name: medium / name / "s.db"
        for name in ("every", "writing", "optuna", "log", *(left.__name__ for left in LEFT))
    }
    for file in files.values():
        file.parent.mkdir(parents=True)
        shutil.copy(finished, file)
    for left in LEFT:
        left(files[left.__name__])
    files["optuna"].unlink()
    study = optuna.create_study(study_name="s", storage=f"sqlite:///{files['optuna']}")
    study.add_trial(optuna.create_trial(value=1.0))
    with_a_full_log(finished, files["log"])
    (out / "s.toml").write_text(TEXT)

    groups = {left.__name__: READING[:4] for left in LEFT} | {
        "every": READING,
        "optuna": [["trials", "s"], ["best", "s"]],
        "log": [["studies"]],
        "writing": [["run", "{out}/s.toml"], ["best", "s", "--ensemble", "2"]],
    }
    commands = [
        [w.format(out=out) for w in words] + ["--storage", str(files[name])]
        for name, group in groups.items()
        for words in group
    ]
    before = {name: state(file) for name, file in files.items()}
    said = iter(on_read_only(medium, commands))
    words = {name: [next(said) for _ in group] for name, group in groups.items()}
    return Told(words, out, [name for name, file in files.items() if state(file) != before[name]])


def state(file: Path) -> tuple[bytes, list[Path]]:
    return file.read_bytes(), sorted(file.parent.iterdir())


def test_every_command_that_reads_works(told: Told) -> None:
    assert [code for code, _ in told.words["every"]] == [0] * len(READING), told
    assert {"m.npz", "s.html", "next.toml"} <= {path.name for path in told.out.iterdir()}


@pytest.mark.parametrize("left", [left.__name__ for left in LEFT])
def test_a_database_is_read_however_it_was_left(told: Told, left: str) -> None:
    words = told.words[left]
    assert [code for code, _ in words] == [0] * 4, words
    assert all("iris" in said for _, said in words[:2])


def test_a_study_of_optuna_s_own_is_read_too(told: Told) -> None:
    assert [code for code, _ in told.words["optuna"]] == [0, 0]


def test_changes_that_wait_in_a_log_are_not_passed_over(told: Told) -> None:
    [(code, words)] = told.words["log"]
    assert code == 1
    assert "may only be read, and its last changes are in s.db-wal" in words


@pytest.mark.parametrize("which", [0, 1], ids=["run", "best"])
def test_what_writes_says_so_in_a_sentence(told: Told, which: int) -> None:
    code, said = told.words["writing"][which]
    assert code == 1
    assert "its folder must exist and be writable" in said
    assert "fault of hpsearch" not in said


def test_no_database_is_changed(told: Told) -> None:
    assert told.changed == []
