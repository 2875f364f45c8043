"""Memory of a long study: the driver's and the workers' resident sets while trials add up.

    python benchmarks/memory.py                       # 10,000 short trials on iris, two workers
    python benchmarks/memory.py --data fashion-mnist --trials 6

What a worker maps of the data is counted in its resident set, but is one copy in the machine's
memory; ``private`` is what is a process's own.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

STUDY = """
name = "memory"
[data]
name = "{data}"
[model]
width = {{ low = 8, high = 32, log = true }}
depth = 1
[training]
epochs = 1
[search]
strategy = "random"
trials = {trials}
"""


def megabytes(pid: int) -> tuple[float, float]:
    """Resident and private memory of a process."""
    sizes = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, size, _ = line.split()
        sizes[name] = int(size) / 1024
    return sizes["Rss:"], sizes["Private_Clean:"] + sizes["Private_Dirty:"]


def processes(driver: int) -> list[int]:
    """The driver and everything that it has started."""
    parents = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, IndexError):
            stat = (entry / "stat").read_text().rpartition(")")[2].split()
            parents[int(entry.name)] = int(stat[1])
    found = [driver]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def main() -> None:
    """Run a study and print its processes' memory now and then."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--data", default="iris")
    parser.add_argument("--every", type=float, default=5.0, help="seconds between two looks")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        study = Path(folder, "study.toml")
        study.write_text(STUDY.format(data=options.data, trials=options.trials))
        command = ["-m", "hpsearch", "run", str(study), "--storage", f"{folder}/s.db"]
        start = time.perf_counter()
        driver = subprocess.Popen(
            [sys.executable, *command, "--workers", "2"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        )
        print("seconds  resident/private MB: driver, then the processes that it has started")
        while driver.poll() is None:
            time.sleep(options.every)
            cells = []
            for pid in processes(driver.pid):
                with suppress(OSError, KeyError, IndexError, ValueError):
                    resident, private = megabytes(pid)
                    cells.append(f"{resident:.0f}/{private:.0f}")
            print(f"{time.perf_counter() - start:7.1f}  " + "  ".join(cells), flush=True)
        print(f"exit code {driver.returncode}")


if __name__ == "__main__":
    main()
