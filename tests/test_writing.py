"""What becomes of the file that a command writes, and of what stood in its place."""

from __future__ import annotations

import datetime
import json
import os
import stat
import threading
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest

from hpsearch.cli.app import run
from hpsearch.storage import open_storage
from hpsearch.writing import json_text, write_whole


def test_a_new_file_and_one_that_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for content in (b"first", b"second"):
        write_whole(path, content)
        assert path.read_bytes() == content
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_and_its_target_is_written(tmp_path: Path, there: bool) -> None:
    target, link = tmp_path / "far" / "target", tmp_path / "link"
    target.parent.mkdir()
    if there:
        target.write_bytes(b"before")
    link.symlink_to(Path("far") / "target")
    write_whole(link, b"content")
    assert link.is_symlink()
    assert target.read_bytes() == b"content"
    assert [p.name for p in target.parent.iterdir()] == ["target"]


def test_a_pipe_is_written_to_and_stays_one(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()), daemon=True)
    reader.start()
    write_whole(pipe, b"content")
    reader.join(timeout=10)
    assert got == [b"content"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_write_that_fails_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"before")

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(path, b"content")
    assert path.read_bytes() == b"before"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_the_commands_write_to_what_is_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    optuna.create_study(study_name="empty", storage=open_storage("hpsearch.db"))
    os.mkfifo("pipe")
    assert run(["report", "empty", "-o", "pipe", "--png", "figures"]) == 2
    assert "--png draws the page from a file" in capsys.readouterr().err

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    assert run(["report", "empty", "-o", "pipe"]) == 2
    assert "cannot write the page pipe: No space left on device" in capsys.readouterr().err
    assert run(["init", "pipe", "--force"]) == 2
    assert "cannot write pipe: No space left on device" in capsys.readouterr().err
    assert stat.S_ISFIFO(Path("pipe").stat().st_mode)


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (float("inf"), None),
        (-float("inf"), None),
        (float("nan"), None),
        (np.float32("inf"), None),
        (np.float64("nan"), None),
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.array([[1.0, np.inf]]), [[1.0, None]]),
        (np.array(2), 2),
        ((1, (2, float("nan"))), [1, [2, None]]),
        ({"a": {"b": float("inf")}}, {"a": {"b": None}}),
        ({1: "x", None: 2, 0.5: 3}, {"1": "x", "None": 2, "0.5": 3}),
        (frozenset({1}), [1]),
        (b"bytes", "bytes"),
        (datetime.date(2026, 11, 27), "2026-11-27"),
        (Path("a/b"), "a/b"),
        ("lone \ud800", "lone ?"),
        ("\u00fc\u96ea", "\u00fc\u96ea"),
        (True, True),
        (None, None),
    ],
)
def test_anything_becomes_json_that_every_reader_takes(value: Any, read: Any) -> None:
    text = json_text({"value": value})
    text.encode()
    document = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert document == {"value": read}
    assert type(document["value"]) is type(read)
