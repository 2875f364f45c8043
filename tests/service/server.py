"""A server in a process of its own, for tests of who asks it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def serving(folder: Path, *options: str) -> Iterator[str]:
    """The URL of a server of ``hpsearch.db`` in a folder, while the block lasts.

    Args:
        folder: where it runs.
        options: of ``hpsearch serve``; by default it takes a free port, and has one worker.
    """
    words = [sys.executable, "-m", "hpsearch", "serve", "--port", "0", *(options or ("-w", "1"))]
    log = folder / "server.log"
    around = {k: v for k, v in os.environ.items() if not k.startswith("HPSEARCH_")}
    with log.open("a+") as out:
        begun = out.tell()
        process = subprocess.Popen(words, cwd=folder, env=around, stdout=out, stderr=out)
        try:
            while not (found := re.search(r"http://\S+", log.read_text()[begun:])):
                assert process.poll() is None, log.read_text()
                try:
                    process.wait(0.05)
                except subprocess.TimeoutExpired:
                    continue
            yield found[0].rstrip("/")
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
