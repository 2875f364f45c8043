"""The command line: parses, calls, prints; no logic of its own."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and leave the process with its exit code.

    Exit codes: 0 done, 1 failed, 2 wrong use, 130 interrupted (143 by SIGTERM).

    Args:
        arguments: the words after ``hpsearch``; by default those of the process.
    """
    # Modules are many objects that stay; looking for cycles among them takes a tenth of the start.
    gc.set_threshold(100_000)
    # Ctrl-C while modules are still being imported has nothing to undo, and should print nothing.
    before = signal.signal(signal.SIGINT, lambda number, _: os._exit(128 + number))
    # Imported here, so that a worker process that imports this package's parent stays light.
    from hpsearch.cli.app import run

    signal.signal(signal.SIGINT, before)
    code = run(list(sys.argv[1:] if arguments is None else arguments))
    gc.freeze()  # Python would look through all modules for cycles once more: a tenth of a second
    sys.exit(code)
