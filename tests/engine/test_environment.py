"""What a run says of the machine and the folder that it ran in."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from hpsearch.engine import run_study
from hpsearch.engine.environment import commit_of, environment
from hpsearch.plots import read_view
from hpsearch.storage import open_storage
from hpsearch.study_file import parse_study_file

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")

STUDY = """
name = "small"
[data]
name = "iris"
[model]
width = { low = 4, high = 8 }
depth = 1
[training]
epochs = 1
[search]
strategy = "random"
trials = 1
"""


def git(folder: Path, *words: str) -> str:
    author = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    done = subprocess.run(
        ["git", *author, *words], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q")
    (tmp_path / "study.toml").write_text("a")
    git(tmp_path, "add", "study.toml")
    git(tmp_path, "commit", "-q", "-m", "first")
    return tmp_path


@needs_git
def test_the_commit_of_a_folder(repository: Path) -> None:
    name = git(repository, "rev-parse", "HEAD")
    assert commit_of(repository) == name
    (repository / "other.txt").write_text("results, not kept")
    assert commit_of(repository) == name
    (repository / "study.toml").write_text("b")
    assert commit_of(repository) == f"{name} and changes"


@needs_git
def test_no_repository_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert commit_of(tmp_path) is None
    git(tmp_path, "init", "-q")
    assert commit_of(tmp_path) is None, "nothing was committed yet"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert commit_of(tmp_path) is None, "there is no git"


@needs_git
def test_a_study_keeps_what_its_runs_ran_with(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository)
    study = parse_study_file(STUDY)
    run_study(study, storage="s.db", workers=1)
    with open_storage("s.db") as store:
        [first] = read_view(store, "small").environments
    assert first == environment() | {"commit of the folder": git(repository, "rev-parse", "HEAD")}
    more = study.model_copy(update={"search": study.search.model_copy(update={"trials": 2})})
    run_study(more, storage="s.db", workers=1)
    (repository / "study.toml").write_text("b")
    last = study.model_copy(update={"search": study.search.model_copy(update={"trials": 3})})
    run_study(last, storage="s.db", workers=1)
    with open_storage("s.db") as store:
        one, other = read_view(store, "small").environments
    assert one == first, "a second run with the same is not listed"
    assert other["commit of the folder"].endswith(" and changes")
