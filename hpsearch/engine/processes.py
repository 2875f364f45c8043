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

__all__ = ["machine_here", "process_identity", "scratch_folder"]


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A temporary folder; those of processes that were killed are deleted on this occasion."""
    home = Path(tempfile.gettempdir())
    ours = f"hpsearch-{sha256(machine_here().encode()).hexdigest()[:8]}-"
    for folder in home.glob(f"{ours}*"):
        pid, _, start = folder.name.removeprefix(ours).rpartition("-")[0].partition("-")
        with suppress(OSError, ValueError):
            if process_identity(int(pid)) != (f"{pid}:{start}" if start else pid):
                shutil.rmtree(folder)
    prefix = ours + process_identity(os.getpid()).replace(":", "-") + "-"
    with tempfile.TemporaryDirectory(prefix=prefix) as name:
        yield Path(name)


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
