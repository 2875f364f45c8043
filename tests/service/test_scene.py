"""The scene that the guide tells: a server, a study from a second terminal, an agent in a third.

Both are killed, both are started again, and the study comes to what ``hpsearch run`` comes to. A
page is open all the while.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from window import BROWSER

from hpsearch.report.browser import open_page

pytestmark = pytest.mark.slow

DIGITS = Path(__file__).parents[2] / "studies" / "digits.toml"

COMMAND = [sys.executable, "-m", "hpsearch"]


class Terminal:
    """A command in a terminal of its own, and what it prints."""

    def __init__(self, folder: Path, *words: str) -> None:
        self.log = folder / f"{words[0]}-{time.monotonic_ns()}.log"
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                [*COMMAND, *words], cwd=folder, stdout=out, stderr=subprocess.STDOUT
            )

    @property
    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


@contextmanager
def terminals() -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def open_one(folder: Path, *words: str) -> Terminal:
        opened.append(Terminal(folder, *words))
        return opened[-1]

    try:
        yield open_one
    finally:
        for one in opened:
            one.kill()


def until(true: Callable[[], Any], what: str, seconds: float = 120.0) -> Any:
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, f"not within {seconds:g} seconds: {what}"
        time.sleep(0.1)
    return found


def url_of(server: Terminal) -> str:
    found = until(lambda: re.search(r"http://127\.0\.0\.1:\d+(?=/ )", server.text), "an address")
    return str(found[0])


def essence(folder: Path, database: str) -> list[Any]:
    words = ["trials", "digits", "--storage", database, "--json"]
    told = subprocess.run([*COMMAND, *words], cwd=folder, capture_output=True, check=True)
    keys = ("stage", "slot", "score", "configuration", "seed", "epochs", "state")
    return sorted(
        json.dumps([t[key] for key in keys], sort_keys=True) for t in json.loads(told.stdout)
    )


def winner(folder: Path, database: str) -> Any:
    words = ["best", "digits", "--storage", database, "--json"]
    told = subprocess.run([*COMMAND, *words], cwd=folder, capture_output=True, check=True)
    keys = ("best", "validation", "validation_scores", "test", "test_interval", "confusion")
    return {key: json.loads(told.stdout)[key] for key in keys}


@BROWSER
def test_server_and_agent_are_killed_and_the_study_comes_to_the_same(tmp_path: Path) -> None:
    with terminals() as terminal:
        server = terminal(tmp_path, "serve", "--port", "0", "--workers", "0", "--storage", "s.db")
        url = url_of(server)
        port = url.rpartition(":")[2]
        agent = ("agent", url, "--workers", "2", "--cache", "cache")
        submit = terminal(tmp_path, "submit", str(DIGITS), "--server", url)
        first = terminal(tmp_path, *agent)

        def done() -> int:
            try:
                trials = httpx.get(f"{url}/v1/studies/digits").json().get("trials", {})
            except httpx.HTTPError:
                return 0
            return int(trials.get("complete", 0))

        until(lambda: done() >= 5, "five trials")
        blank = tmp_path / "blank.html"
        blank.write_text("")
        with open_page(blank, seconds=600) as page:
            page.show(f"{url}/studies/digits")
            shown = "document.querySelector('.steer .about')?.textContent ?? ''"
            until(lambda: "of 60" in page.evaluate(shown), "the page tells how far it is")
            page.problems.clear()

            server.kill()
            first.kill()
            said = "[...document.querySelectorAll('.live')].map(p => p.textContent).join(' ')"
            until(lambda: "may be old" in page.evaluate(said), "the page says that nobody answers")
            server = terminal(
                tmp_path, "serve", "--port", port, "--workers", "0", "--storage", "s.db",
            )  # fmt: skip
            assert url_of(server) == url
            terminal(tmp_path, *agent)
            until(lambda: page.evaluate(shown).startswith("finished"), "the study is over", 300.0)
            until(lambda: page.evaluate(said).strip() == "", "the page is up to date")
            lines = [line for line in page.problems if "Failed to load resource" not in line]
            assert lines == []
        assert submit.process.wait(60) == 0, submit.text
        assert "test accuracy" in submit.text
        assert server.end() == 0
    words = [*COMMAND, "run", str(DIGITS), "--storage", "r.db", "--no-check", "--no-baselines"]
    subprocess.run(words, cwd=tmp_path, capture_output=True, check=True)
    assert essence(tmp_path, "s.db") == essence(tmp_path, "r.db")
    assert winner(tmp_path, "s.db") == winner(tmp_path, "r.db")
