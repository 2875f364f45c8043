"""Folders of killed processes."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from hpsearch.engine.processes import process_identity, scratch_folder
from hpsearch.errors import RunError

KILLED = """
import os, sys, tempfile
from hpsearch.engine.processes import scratch_folder
tempfile.tempdir = sys.argv[1]
with scratch_folder() as folder:
    (folder / "large").write_text("x")
    os.kill(os.getpid(), 9)
"""


def test_what_killed_processes_left_is_deleted_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "hpsearch-notes").mkdir()
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    [left] = tmp_path.glob("hpsearch-*-*")
    assert (left / "large").exists()
    with scratch_folder() as one, scratch_folder() as two:
        assert one.is_dir()
        assert two.is_dir()
        assert not left.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["hpsearch-notes"]


def test_a_process_that_is_not_there_has_no_identity() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert process_identity(ended.pid) == ""
    assert process_identity(os.getpid()).startswith(f"{os.getpid()}")


@pytest.mark.parametrize("name", ["gettempdir", "TemporaryDirectory"])
@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError(2, "No usable temporary directory found"),
        OSError(28, "No space left on device"),
        PermissionError(13, "Permission denied"),
    ],
)
def test_without_a_place_for_temporary_files_there_is_a_sentence(
    name: str, error: OSError, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise error

    monkeypatch.setattr(tempfile, name, fail)
    words = rf"no place for temporary files \({error.strerror}\); free some space, .*TMPDIR"
    with pytest.raises(RunError, match=words), scratch_folder():
        pass
