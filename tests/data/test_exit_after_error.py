"""A process ends with its own exit code, whatever reading data had begun in threads of libraries.

A thread that is left alive in native code, and wants Python while the process ends, aborts it:
"terminate called without an active exception", exit code 134; or is waited for for ever.
"""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

pytestmark = pytest.mark.slow

ROWS = "".join(f"{k / 7},{k % 5},{'ab'[k % 2]}\n" for k in range(60_000))
GOOD = f"p,q,y\n{ROWS}"
BAD = f"p,q,y\n1,2,a\n3\n{ROWS * 8}"  # Arrow reads far ahead of a bad row
LATE = f"p,q,y\n{ROWS * 8}3\n"

# Processes that are forked from one which has imported everything, four at a time, so that each
# waits for a processor now and then, and which end as every process of Python's does.
SCRIPT = """
import gc, json, os, signal, sys
import pandas, pyarrow.csv, pyarrow.parquet
from hpsearch.data import load_dataset
from hpsearch.errors import HpsearchError

def begin(file, target):
    if not (pid := os.fork()):
        signal.alarm(60)
        try:
            load_dataset(path=file, target=target)
        except HpsearchError as error:
            gc.freeze()
            sys.exit(error.exit_code)
    return pid

found = {}
for name, file, target, runs in json.load(sys.stdin):
    codes = []
    for first in range(0, runs, 4):
        pids = [begin(file, target) for _ in range(first, min(first + 4, runs))]
        codes += [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
    found[name] = codes
print(json.dumps(found))
"""

CASES = {
    "good.csv": ("nothere", 25),
    "bad.csv": ("y", 8),
    "bad.csv.gz": ("y", 15),
    "late.csv": ("y", 5),
    "late.csv.gz": ("y", 5),
    "damaged.csv.gz": ("y", 5),
    "good.parquet": ("nothere", 5),
    "good.npz": ("y", 5),
    "good.feather": ("nothere", 5),
    "good.xlsx": ("nothere", 5),
    "good.jsonl": ("nothere", 5),
    "latin.csv": ("nothere", 5),
}
"""A file, the target that is asked for, and how many processes read it."""


def test_wrong_data_end_with_2_every_time(tmp_path: Path) -> None:
    for name in CASES:
        write(tmp_path, name)
    cases = [(name, str(tmp_path / name), *more) for name, more in CASES.items()]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
    )
    assert "terminate called" not in done.stderr
    exit_codes = json.loads(done.stdout.splitlines()[-1])
    assert exit_codes == {name: [2] * runs for name, (_, runs) in CASES.items()}


def write(folder: Path, name: str) -> None:
    file = folder / name
    if name == "damaged.csv.gz":
        file.write_bytes(gzip.compress(BAD.encode(), 1)[:-4000])
    elif name.endswith(".gz"):
        file.write_bytes(gzip.compress((BAD if "bad" in name else LATE).encode(), 1))
    elif name == "latin.csv":
        file.write_bytes(LATE[:-2].replace("a", "\u00e4").encode("latin-1"))
    elif name == "good.feather":
        columns = {"p": np.arange(200_000) / 7, "q": ["a", "b"] * 100_000}
        pyarrow.feather.write_feather(pa.table(columns), file, compression="zstd", chunksize=999)
    elif name == "good.jsonl":
        file.write_text('{"p": 1, "q": "a"}\n' * 20_000)
    elif name == "good.xlsx":
        pd.DataFrame({"p": range(200), "q": "a"}).to_excel(file, index=False)
    elif name.endswith(".csv"):
        file.write_text({"good": GOOD[:4000], "bad": BAD, "late": LATE}[file.stem])
    elif name.endswith(".parquet"):
        values = np.arange(200_000) / 7
        pq.write_table(pa.table({"p": values, "q": values, "y": values}), file, row_group_size=9999)
    else:
        np.savez(file, X=np.ones((9, 2)), y=np.ones(8))
