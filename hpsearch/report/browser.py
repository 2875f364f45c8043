"""One page in headless Chromium, over the pipe that it offers to debuggers; no package needed.

The protocol is Chrome's DevTools protocol: JSON messages that end with a zero byte, requests with a
number, answers with the same number, and events without one.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hpsearch.errors import RunError

__all__ = ["Page", "find_browser", "open_page"]

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

FLAGS = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-sandbox",
    "--disable-gpu",
    "--hide-scrollbars",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)

# Chromium reads descriptor 3 and writes 4, whatever else the parent has open.
TRAMPOLINE = (
    "import os, sys; r, w = map(int, sys.argv[1:3]); os.dup2(r, 3); os.dup2(w, 4); "
    "os.execv(sys.argv[3], sys.argv[3:])"
)


def find_browser() -> str | None:
    """The path of a Chromium or Chrome; ``BROWSER_PATH`` in the environment names another."""
    given = os.environ.get("BROWSER_PATH")
    if given:
        return shutil.which(given)
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@dataclass
class Page:
    """A page that is open.

    Attributes:
        problems: what its console complained of, and what it could not load.
    """

    process: subprocess.Popen[bytes]
    write_to: int
    read_from: int
    deadline: float
    session: str | None = None
    problems: list[str] = field(default_factory=list)
    _number: int = 0
    _buffer: bytes = b""

    def call(self, method: str, **parameters: Any) -> Mapping[str, Any]:
        """Ask the browser for something and wait for the answer.

        Raises:
            RunError: it refuses, ends, or takes longer than the page's time.
        """
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self.session is not None:
            message["sessionId"] = self.session
        content = memoryview(json.dumps(message).encode() + b"\0")
        with suppress(BrokenPipeError):  # then there is no answer either, and that is said below
            while content:
                content = content[os.write(self.write_to, content) :]
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RunError(f"the browser refuses {method}: {answer['error']['message']}")
                result: Mapping[str, Any] = answer["result"]
                return result
            self._listen(answer)

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression on the page; a promise is waited for.

        Raises:
            RunError: it throws.
        """
        answer = self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            said = details.get("exception", {}).get("description", details["text"])
            raise RunError(f"the page in the browser failed: {said}")
        return answer["result"].get("value")

    def show(
        self, address: str, *, width: int = 1280, height: int = 900, dark: bool = False
    ) -> None:
        """Go to an address and wait until it is loaded.

        Args:
            address: of a page, or of a file.
            width: of the window, in pixels.
            height: likewise.
            dark: whether the reader prefers a dark page.

        Raises:
            RunError: the browser does not answer.
        """
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Page.navigate", url=address)
        self.evaluate(
            "new Promise(done => document.readyState === 'complete' ? done() : "
            "addEventListener('load', () => done()))"
        )

    def _listen(self, event: Mapping[str, Any]) -> None:
        parameters = event.get("params", {})
        if event.get("method") == "Runtime.exceptionThrown":
            details = parameters["exceptionDetails"]
            self.problems.append(details.get("exception", {}).get("description", details["text"]))
        elif event.get("method") == "Runtime.consoleAPICalled":
            if parameters["type"] in ("error", "warning", "assert"):
                said = " ".join(str(a.get("value", a)) for a in parameters["args"])
                self.problems.append(said)
        elif event.get("method") == "Log.entryAdded":
            self.problems.append(f"{parameters['entry']['text']}")

    def _read(self) -> Mapping[str, Any]:
        while b"\0" not in self._buffer:
            left = self.deadline - time.monotonic()
            ready, _, _ = select.select([self.read_from], [], [], max(left, 0))
            if not ready:
                raise RunError("the browser took too long; try again when the machine is less busy")
            chunk = os.read(self.read_from, 1 << 20)
            if not chunk:
                raise RunError("the browser ended unexpectedly; try again, or another BROWSER_PATH")
            self._buffer += chunk
        message, _, self._buffer = self._buffer.partition(b"\0")
        content: Mapping[str, Any] = json.loads(message)
        return content


@contextmanager
def open_page(
    path: Path, *, width: int = 1280, height: int = 900, dark: bool = False, seconds: float = 120
) -> Iterator[Page]:
    """Open an HTML file, without a network; the browser ends with the context.

    Args:
        path: of the file.
        width: of the window, in pixels.
        height: likewise.
        dark: whether the reader prefers a dark page.
        seconds: how long everything may take.

    Raises:
        RunError: there is no browser, or it does not answer.
    """
    browser = find_browser()
    if browser is None:
        raise RunError(
            "there is no Chromium or Chrome to draw with; install one (Debian: apt install "
            "chromium), or name it in the environment variable BROWSER_PATH"
        )
    with tempfile.TemporaryDirectory(
        prefix="hpsearch-browser-", ignore_cleanup_errors=True
    ) as profile:
        page = _start([browser, *FLAGS, f"--user-data-dir={profile}"], seconds)
        try:
            _attach(page)
            page.show(path.absolute().as_uri(), width=width, height=height, dark=dark)
            yield page
        finally:
            _end(page)


def _start(command: list[str], seconds: float) -> Page:
    their_read, our_write = os.pipe()
    our_read, their_write = os.pipe()
    # Above 3 and 4, so that putting one in its place does not close the other.
    theirs = [fcntl.fcntl(fd, fcntl.F_DUPFD, 10) for fd in (their_read, their_write)]
    process = subprocess.Popen(
        [sys.executable, "-S", "-c", TRAMPOLINE, *map(str, theirs), *command],
        pass_fds=theirs,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    for fd in (their_read, their_write, *theirs):
        os.close(fd)
    return Page(process, our_write, our_read, time.monotonic() + seconds)


def _attach(page: Page) -> None:
    target = page.call("Target.createTarget", url="about:blank")["targetId"]
    page.session = page.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
    for domain in ("Page", "Runtime", "Log"):
        page.call(f"{domain}.enable")


def _end(page: Page) -> None:
    """Close the browser; it writes to its profile until it is gone."""
    page.session, page.deadline = None, time.monotonic() + 5
    with suppress(RunError):
        page.call("Browser.close")
    try:
        page.process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        page.process.kill()
        page.process.wait()
    os.close(page.write_to)
    os.close(page.read_from)
