"""`hpsearch serve` as a process of its own, for tests."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

__all__ = ["Served", "external", "serving", "until"]


def external(name: str, trials: int = 1000) -> str:
    """A study whose trials are done by whoever asks."""
    return f"""
name = "{name}"
[objective]
external = true
metric = "loss"
direction = "minimize"
[space]
x = {{ low = 0.0, high = 1.0 }}
[search]
strategy = "random"
trials = {trials}
"""


def until(what: Callable[[], Any], seconds: float = 60.0) -> Any:
    """What is true in the end."""
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)
    return found


@dataclass
class Served:
    """A server.

    Attributes:
        process: its process.
        url: where it is, without a slash at the end.
        log: what it has written.
    """

    process: subprocess.Popen[bytes]
    url: str
    log: Path

    def __call__(self, method: str, path: str, **options: Any) -> Any:
        """Ask it, as somebody without a token; returns the document of the answer."""
        options = {"timeout": 60.0} | options
        answer = httpx.request(method, self.url + path, **options)
        assert answer.is_success, f"{answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def submit(self, study: str) -> Any:
        """Submit a study, as TOML."""
        headers = {"Content-Type": "application/toml"}
        return self("POST", "/v1/studies", content=study, headers=headers)

    def ask(self, study: str, wait: float = 20.0, **body: Any) -> dict[str, Any]:
        """A trial of a study."""
        path = f"/v1/studies/{study}/trials:ask?wait={wait}"
        return until(lambda: self("POST", path, json=body)["work"])

    def tell(self, work: dict[str, Any], result: float) -> Any:
        """The end of a trial."""
        body = {"lease": work["lease"], "result": result}
        return self("POST", f"/v1/trials/{work['trial']}:tell", json=body)

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal; returns the exit code."""
        self.process.send_signal(number)
        return self.process.wait(20)


@contextmanager
def serving(
    storage: Path | str, log: Path, *options: str, python: Sequence[str] = ("-m", "hpsearch")
) -> Iterator[Served]:
    """A server, which is killed at the end if it still runs.

    Args:
        storage: its database.
        log: a file for what it writes.
        options: more of `hpsearch serve`.
        python: what runs hpsearch.
    """
    words = ["serve", "--storage", str(storage), "--port", "0", "--workers", "0", *options]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("HPSEARCH_")}
    with log.open("ab") as written:
        begin = written.tell()
        process = subprocess.Popen(
            [sys.executable, *python, *words], stderr=written, env=environment
        )
    try:

        def url() -> str | None:
            text = log.read_bytes()[begin:].decode()
            assert process.poll() is None, text
            found = re.search(r'(http://[^\s"]+?)/?(?: serves |", )', text)
            return found and found[1]

        place = until(url)

        def answers() -> bool:
            assert process.poll() is None, log.read_text()
            try:
                return httpx.get(place + "/healthz").is_success
            except httpx.TransportError:
                return False

        until(answers)
        yield Served(process, place, log)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
