"""A process ends with its own exit code, whatever reading data had begun in threads of libraries.

A thread that is left alive in native code, and wants Python while the process ends, aborts it:
"terminate called without an active exception", exit code 134; or is waited for for ever.
"""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

ROWS = "".join(f"{k / 7},{k % 5},{'ab'[k % 2]}\n" for k in range(60_000))
GOOD = f"p,q,y\n{ROWS}"
BAD = f"p,q,y\n1,2,a\n3\n{ROWS * 8}"  # Arrow reads far ahead of a bad row
LATE = f"p,q,y\n{ROWS * 8}3\n"

# Processes that are forked from one which has imported everything, beside another that keeps a
# processor busy, and which end as every process of Python's does.
SCRIPT = """
import gc, os, signal, sys
import pandas, pyarrow.csv, pyarrow.parquet
from hpsearch.data import load_dataset
from hpsearch.errors import HpsearchError

runs, file, target = int(sys.argv[1]), sys.argv[2], sys.argv[3]
if not (busy := os.fork()):
    signal.alarm(100)
    while True:
        pass
codes = []
for _ in range(runs):
    if not (pid := os.fork()):
        signal.alarm(20)
        try:
            load_dataset(path=file, target=target)
        except HpsearchError as error:
            gc.freeze()
            sys.exit(error.exit_code)
    codes.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
os.kill(busy, signal.SIGKILL)
print({code: codes.count(code) for code in codes})
"""


def exit_codes(file: Path, target: str, runs: int) -> str:
    """The exit codes of processes that read a file, so many of them, and how often each came."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(runs), str(file), target],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    assert "terminate called" not in done.stderr
    return done.stdout.strip().splitlines()[-1]


def write(folder: Path, name: str) -> None:
    file = folder / name
    if name == "damaged.csv.gz":
        file.write_bytes(gzip.compress(BAD.encode(), 1)[:-4000])
    elif name.endswith(".gz"):
        file.write_bytes(gzip.compress((BAD if "bad" in name else LATE).encode(), 1))
    elif name.endswith(".csv"):
        file.write_text({"good": GOOD[:4000], "bad": BAD, "late": LATE}[file.stem])
    elif name.endswith(".parquet"):
        values = np.arange(200_000) / 7
        pq.write_table(pa.table({"p": values, "q": values, "y": values}), file, row_group_size=9999)
    else:
        np.savez(file, X=np.ones((9, 2)), y=np.ones(8))


@pytest.mark.parametrize(
    ("name", "target", "runs"),
    [
        ("good.csv", "nothere", 100),
        ("bad.csv", "y", 8),
        ("bad.csv.gz", "y", 15),
        ("late.csv", "y", 5),
        ("late.csv.gz", "y", 5),
        ("damaged.csv.gz", "y", 5),
        ("good.parquet", "nothere", 5),
        ("good.npz", "y", 5),
    ],
)
def test_wrong_data_end_with_2_every_time(
    tmp_path: Path, name: str, target: str, runs: int
) -> None:
    write(tmp_path, name)
    assert exit_codes(tmp_path / name, target, runs) == f"{{2: {runs}}}"
