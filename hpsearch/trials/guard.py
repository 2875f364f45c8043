"""Programs that end with the worker that started them, whatever ends that one.

A worker that is killed can end nobody. So it forks a guard before its first program: a process that
does nothing but wait for the other end of a pipe to close, which is when the worker's process ends,
and then ends the groups of processes that the worker has named and not taken back.
"""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

__all__ = ["GRACE", "end_group", "guarded", "unguarded"]

GRACE = 10.0
"""Seconds between SIGTERM and SIGKILL."""

LOOK = 0.01
"""Seconds between the first two looks at whether a group has ended; later ones take twice these."""

LONGEST = 0.2
"""Seconds between two such looks at most."""

WATCH = """
import os, signal, sys, time
groups, left = set(), b""
while piece := os.read(0, 4096):
    *lines, left = (left + piece).split(b"\\n")
    for line in lines:
        (groups.add if line[:1] == b"+" else groups.discard)(int(line[1:]))
def tell(number):
    for group in list(groups):
        try:
            os.killpg(group, number)
        except OSError:
            groups.discard(group)
tell(signal.SIGTERM)
until = time.monotonic() + float(sys.argv[1])
while groups and time.monotonic() < until:
    time.sleep(0.05)
    tell(0)
tell(signal.SIGKILL)
"""
"""What a guard does; a program of its own, so that it shares nothing with the worker."""


_MAKING = threading.Lock()
"""A process has one guard, however many of its threads run programs."""


@cache
def _guard(worker: int) -> subprocess.Popen[bytes]:
    """The guard of a worker, by its process's number."""
    del worker
    guard = subprocess.Popen(
        [sys.executable, "-S", "-E", "-c", WATCH, str(GRACE)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    atexit.register(_dismissed, guard)  # of a process that ends as others do, and is no worker
    return guard


def _dismissed(guard: subprocess.Popen[bytes]) -> None:
    """Let a guard end, with whatever it still guards."""
    assert guard.stdin is not None
    with suppress(OSError):  # somebody has killed it
        guard.stdin.close()
    guard.wait()


def guarded(group: int) -> None:
    """Have a group of processes ended once this process has ended."""
    _tell(f"+{group}\n")


def unguarded(group: int) -> None:
    """A group has ended by itself."""
    _tell(f"-{group}\n")


def _tell(line: str) -> None:
    with _MAKING:
        pipe = _guard(os.getpid()).stdin
    assert pipe is not None
    with suppress(OSError):  # somebody has killed the guard
        pipe.write(line.encode())
        pipe.flush()


def end_group(group: int, reap: Callable[[], object], grace: float = GRACE) -> None:
    """End a group of processes: SIGTERM, and SIGKILL for what is left of it after a while.

    Args:
        group: its number.
        reap: takes a child of this process off the list of the dead, which otherwise are a group.
        grace: seconds that it has to end by itself.
    """
    until, pause = time.monotonic() + grace, LOOK
    with suppress(OSError):  # nobody is left
        os.killpg(group, signal.SIGTERM)
        while time.monotonic() < until:
            reap()
            os.killpg(group, 0)
            if not _lives(group):
                break
            time.sleep(pause)
            pause = min(2 * pause, LONGEST)
        os.killpg(group, signal.SIGKILL)
    reap()


def _lives(group: int) -> bool:
    """Whether one of a group still runs; the dead stay in it until their parent asks for them.

    That parent may be the first process of a container, which asks late or never.
    """
    here = Path("/proc/self/stat").exists()
    for process in Path("/proc").glob("[0-9]*") if here else ():
        with suppress(OSError):  # it is gone
            state, _, its = (process / "stat").read_text().rpartition(")")[2].split()[:3]
            if int(its) == group and state not in "ZX":
                return True
    return not here
