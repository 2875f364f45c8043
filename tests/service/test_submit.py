"""`hpsearch submit` and `hpsearch study`, with a server in a process of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from service.server import serving

import hpsearch
from hpsearch.cli.app import run

pytestmark = pytest.mark.slow

STUDY = """
name = "flowers"
[data]
{data}
[model]
width = {{ low = 4, high = 16 }}
[training]
epochs = 6
[search]
trials = 12
"""

EXTERNAL = """
name = "{name}"
[objective]
external = true
metric = "loss"
direction = "minimize"
[space]
x = {{ low = -1.0, high = 1.0 }}
[search]
trials = {trials}
strategy = "random"
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("served")


@pytest.fixture(scope="module")
def running(folder: Path) -> Iterator[str]:
    with serving(folder) as url:
        yield url


@pytest.fixture
def url(running: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("HPSEARCH_SERVER", running)
    monkeypatch.delenv("HPSEARCH_TOKEN", raising=False)
    monkeypatch.delenv("HPSEARCH_STORAGE", raising=False)
    return running


def tables(story: str) -> list[str]:
    """What a run tells at its end, but for times and what to do next."""
    story = re.sub(r"in [0-9.]+ s|[0-9.]+ s$", "in a while", story)
    return [line.rstrip() for line in story.partition("\nNext\n")[0].splitlines()]


def test_the_words_are_those_of_a_run(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("s.toml").write_text(STUDY.format(data='name = "iris"'))
    assert run(["run", "s.toml", "-w", "1", "--storage", "here.db", "--no-baselines"]) == 0
    here = capsys.readouterr()
    assert run(["submit", "s.toml", "--no-baselines"]) == 0
    there = capsys.readouterr()
    assert tables(there.out) == tables(here.out)
    assert "hpsearch trials flowers " in there.out
    assert url in there.out

    def told(text: str) -> list[str]:  # how far it was at some moment is another thing
        return [line for line in text.splitlines() if "so far" not in line and "queued" not in line]

    assert told(there.err) == told(here.err)

    assert run(["submit", "s.toml", "--no-baselines", "--json"]) == 0  # it is finished already
    again = json.loads(capsys.readouterr().out)
    assert run(["run", "s.toml", "-w", "1", "--storage", "here.db", "--json"]) == 0
    ours = json.loads(capsys.readouterr().out)
    assert {k: v for k, v in again.items() if k != "seconds"} == {
        k: v for k, v in ours.items() if k not in ("seconds", "simple_models")
    } | {"simple_models": []}


def test_data_come_along(url: str, capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    rows = "\n".join(f"{i % 7},{i % 5},{'yes' if i % 7 > 3 else 'no'}" for i in range(200))
    Path("study").mkdir()
    Path("study/rows.csv").write_text(f"a,b,label\n{rows}\n")
    Path("study/s.toml").write_text(STUDY.format(data='path = "rows.csv"\ntarget = "label"'))
    assert run(["submit", "study/s.toml", "--name", "mine", "--no-baselines", "--seed", "3"]) == 0
    told = capsys.readouterr()
    assert "rows.csv: 200 rows" in told.err
    assert "test accuracy" in told.out
    assert run(["advise", "mine", "-o", "next.toml"]) == 0
    assert f"next: hpsearch submit next.toml --server {url}" in capsys.readouterr().err
    assert 'path = "uploads/' in Path("next.toml").read_text()
    assert run(["submit", "next.toml", "--detach"]) == 0
    capsys.readouterr()
    Path("study/rows.csv").unlink()
    words = ["submit", "study/s.toml", "--name", "other", "--detach"]
    assert run(words) == 2
    assert "neither in the server's data folder nor came along" in " ".join(
        capsys.readouterr().err.split()
    )
    data = folder / "hpsearch.data"
    (data / "rows.csv").write_text(f"a,b,label\n{rows}\n")
    assert run(words) == 0
    assert "rows.csv is not here" in capsys.readouterr().err


def test_a_study_that_is_wrong_is_told_before_anything_is_sent(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("s.toml").write_text("[data]\nname = 'iris'\n[model]\nwidht = 3")
    assert run(["submit", "s.toml"]) == 2
    assert "line 4" in capsys.readouterr().err


def test_the_name_of_another_is_refused(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("s.toml").write_text(EXTERNAL.format(name="twice", trials=9))
    Path("t.toml").write_text(EXTERNAL.format(name="twice", trials=9).replace("-1.0", "-2.0"))
    assert run(["submit", "s.toml", "--detach"]) == 0
    assert "the same command without --detach follows it" in capsys.readouterr().err
    assert run(["submit", "s.toml", "--detach", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "twice"
    assert run(["submit", "t.toml", "--detach"]) == 1
    assert "'twice' already" in capsys.readouterr().err


def test_a_study_is_steered(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("s.toml").write_text(EXTERNAL.format(name="steered", trials=9))
    assert run(["submit", "s.toml", "--detach", "--priority", "5"]) == 0

    def steer(*words: str) -> dict[str, object]:
        capsys.readouterr()
        assert run(["study", *words, "--json"]) == 0
        found: dict[str, object] = json.loads(capsys.readouterr().out)
        return found

    assert steer("pause", "steered")["state"] == "paused"
    assert steer("resume", "steered")["state"] in ("queued", "running")
    assert steer("rank", "steered", "--priority", "7")["priority"] == 7
    assert steer("extend", "steered", "--trials", "11")["total"] == 11
    assert steer("stop", "steered")["state"] == "stopped"
    assert run(["study", "resume", "steered"]) == 0
    assert "steered is " in capsys.readouterr().err
    assert run(["studies", "--json"]) == 0
    [study] = [s for s in json.loads(capsys.readouterr().out) if s["study"] == "steered"]
    assert study["priority"] == 7
    assert run(["study", "delete", "steered"]) == 0
    assert run(["study", "pause", "steered"]) == 2
    assert "unknown study 'steered'" in capsys.readouterr().err


def test_ctrl_c_leaves_a_study_and_the_same_command_follows_it_again(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("s.toml").write_text(EXTERNAL.format(name="left", trials=4))
    words = [sys.executable, "-m", "hpsearch", "submit", "s.toml"]
    with hpsearch.Client(url) as client:
        client.submit("s.toml")
        process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env=dict(os.environ))
        assert process.stderr is not None
        work = client.ask("left", wait=60.0).work
        assert work is not None
        client.tell(work, work.configuration["x"])
        lines = []
        while "trials" not in (line := process.stderr.readline()):
            lines.append(line)
            assert process.poll() is None, lines
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
        assert process.returncode == 130
        assert told.splitlines()[-1].startswith(f"error: interrupted; left goes on at {url}")
        assert client.study("left").state == "running"
        follower = subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ)
        )
        for _ in range(3):
            work = client.ask("left", wait=60.0).work
            assert work is not None
            time.sleep(0.3)
            client.tell(work, work.configuration["x"])
        out, told = follower.communicate(timeout=60)
    assert follower.returncode == 0, told
    assert "stored already" in told
    assert "loss" in out


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def test_a_server_that_is_away_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stack: ExitStack
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("s.toml").write_text(EXTERNAL.format(name="away", trials=2))
    with serving(tmp_path, "-w", "0") as url:
        port = url.rpartition(":")[2]
        words = [sys.executable, "-m", "hpsearch", "submit", "s.toml", "--server", url, "--json"]
        follower = subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        client = stack.enter_context(hpsearch.Client(url))
        while not client.studies():
            time.sleep(0.1)
        work = client.ask("away", wait=60.0).work
        assert work is not None
    assert follower.poll() is None
    with serving(tmp_path, "-w", "0", "--port", port):
        client.tell(work, 0.5)
        work = client.ask("away", wait=60.0).work
        assert work is not None
        client.tell(work, 0.25)
        out, told = follower.communicate(timeout=60)
    assert follower.returncode == 0, told
    assert json.loads(out)["validation"] == 0.25
