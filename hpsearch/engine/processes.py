"""Which process is which, on which machine; and the folders that killed ones leave behind."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path

from hpsearch.errors import RunError

__all__ = ["machine_here", "process_identity", "scratch_folder"]


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A temporary folder; those of processes that were killed are deleted on this occasion.

    Raises:
        RunError: there is no place for one.
    """
    try:
        home = Path(tempfile.gettempdir())
    except OSError as error:
        raise RunError(_no_place(error)) from None
    ours = f"hpsearch-{sha256(machine_here().encode()).hexdigest()[:8]}-"
    for folder in home.glob(f"{ours}*"):
        pid, _, start = folder.name.removeprefix(ours).rpartition("-")[0].partition("-")
        with suppress(OSError, ValueError):
            if process_identity(int(pid)) != (f"{pid}:{start}" if start else pid):
                shutil.rmtree(folder)
    prefix = ours + process_identity(os.getpid()).replace(":", "-") + "-"
    try:
        made = tempfile.TemporaryDirectory(prefix=prefix)
    except OSError as error:
        raise RunError(_no_place(error)) from None
    with made as name:
        yield Path(name)


def _no_place(error: OSError) -> str:
    return (
        f"there is no place for temporary files ({error.strerror or error}); free some space, or "
        "name a folder that can be written in the environment variable TMPDIR, and run the same "
        "command again"
    )


def machine_here() -> str:
    """Where process numbers mean the same: this boot of this machine, and the process namespace."""
    parts = [socket.gethostname()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return "|".join(parts)[:128]


def process_identity(pid: int) -> str:
    """A process by its number and its start, since numbers are used again; "" if there is none."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return str(pid)
    fields = status.rpartition(")")[2].split()
    # A zombie does nothing any more; field 22 of proc(5) is the start, in ticks since the boot.
    return "" if fields[0] == "Z" else f"{pid}:{fields[19]}"
