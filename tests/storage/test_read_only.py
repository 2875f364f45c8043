"""What may only be read is read: a database on a read-only medium, whatever mode it was left in."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
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


def reading(file: Path, out: Path) -> list[list[str]]:
    return [[w.format(out=out) for w in words] + ["--storage", str(file)] for words in READING]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with a finished study."""
    file = tmp_path_factory.mktemp("finished") / "s.db"
    run_study(parse_study_file(TEXT), storage=str(file), workers=1)
    return file


@pytest.fixture
def medium(tmp_path: Path, finished: Path) -> Path:
    """A folder with that, and a name that a URI has to quote."""
    folder = tmp_path / "a cd 100%#1"
    folder.mkdir()
    shutil.copy(finished, folder)
    return folder


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


def test_every_command_that_reads_works(medium: Path, tmp_path: Path) -> None:
    told = on_read_only(medium, reading(medium / "s.db", tmp_path))
    assert [code for code, _ in told] == [0] * len(told), told
    assert {"m.npz", "s.html", "next.toml"} <= {path.name for path in tmp_path.iterdir()}


@pytest.mark.parametrize(
    "left", [as_it_was_left, with_a_rollback_journal, with_an_empty_log, of_optuna_s_own]
)
def test_a_database_is_read_however_it_was_left(
    medium: Path, tmp_path: Path, left: Callable[[Path], None]
) -> None:
    file = medium / "s.db"
    left(file)
    before = file.read_bytes(), sorted(medium.iterdir())
    told = on_read_only(medium, reading(file, tmp_path)[:4])
    assert [code for code, _ in told] == [0] * 4, told
    assert all("iris" in words for _, words in told[:2])
    assert (file.read_bytes(), sorted(medium.iterdir())) == before


def test_a_study_of_optuna_s_own_is_read_too(tmp_path: Path) -> None:
    folder = tmp_path / "cd"
    folder.mkdir()
    study = optuna.create_study(study_name="s", storage=f"sqlite:///{folder / 's.db'}")
    study.add_trial(optuna.create_trial(value=1.0))
    commands = [
        [*words, "s", "--storage", str(folder / "s.db")] for words in (["trials"], ["best"])
    ]
    assert [code for code, _ in on_read_only(folder, commands)] == [0, 0]


def test_changes_that_wait_in_a_log_are_not_passed_over(medium: Path, tmp_path: Path) -> None:
    """As a database is, that was copied from under its driver."""
    file = tmp_path / "cd" / "s.db"
    file.parent.mkdir()
    with closing(sqlite3.connect(medium / "s.db")) as connection:
        connection.execute("UPDATE studies SET study_name = 'newer'")
        connection.commit()
        for name in ("s.db", "s.db-wal"):
            shutil.copy(medium / name, file.parent / name)
    [(code, words)] = on_read_only(file.parent, [["studies", "--storage", str(file)]])
    assert code == 1
    assert "may only be read, and its last changes are in s.db-wal" in words


@pytest.mark.parametrize(
    "command", [["run", "{out}/s.toml"], ["best", "s", "--ensemble", "2"]], ids=lambda c: c[0]
)
def test_what_writes_says_so_in_a_sentence(
    medium: Path, tmp_path: Path, command: list[str]
) -> None:
    (tmp_path / "s.toml").write_text(TEXT)
    words = [word.format(out=tmp_path) for word in command]
    [(code, said)] = on_read_only(medium, [[*words, "--storage", str(medium / "s.db")]])
    assert code == 1
    assert "its folder must exist and be writable" in said
    assert "fault of hpsearch" not in said
