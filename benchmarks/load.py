"""Loading a large table: seconds and memory from the file to a data set in memory.

    python benchmarks/load.py                     # a million rows of 50 columns, CSV and Parquet
    python benchmarks/load.py --rows 100000 --kinds csv parquet feather jsonl xlsx

Of 50 columns, 36 hold numbers with decimals, 5 whole numbers with gaps, 5 few categories, one 5,000
categories, one dates with times, one truth values, and one the classes. Each file is read in a
process of its own; told are processor and wall-clock seconds and the most memory that it had, what
Python and the libraries take by themselves included.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

READ = """
import json, sys, time
from hpsearch.data import load_dataset
wall, processor = time.perf_counter(), time.process_time()
data = load_dataset(path=sys.argv[1], target="y")
# What getrusage tells is at least the memory of the process that started this one.
[peak] = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")]
print(json.dumps({
    "wall": time.perf_counter() - wall,
    "processor": time.process_time() - processor,
    "peak": int(peak) / 1024,
    "shape": data.X.shape,
}))
"""


def made_up(rows: int, columns: int) -> pd.DataFrame:
    """The table, always the same."""
    rng = np.random.default_rng(0)
    wholes = [rng.integers(0, 1000, rows) for _ in range(5)]
    gaps = [rng.random(rows) < 0.05 for _ in wholes]
    seconds = rng.integers(0, 10**8, rows).astype("m8[s]")
    others = {
        **{
            f"whole{i}": pd.arrays.IntegerArray(values, missing)
            for i, (values, missing) in enumerate(zip(wholes, gaps, strict=True))
        },
        **{f"few{i}": rng.choice(["red", "green", "blue", "white"], rows) for i in range(5)},
        "shop": np.char.add("s", rng.integers(0, 5000, rows).astype(str)),
        "when": np.datetime64("2020-01-01T00:00:00") + seconds,
        "member": rng.random(rows) < 0.3,
    }
    numbers = rng.normal(size=(columns - len(others) - 1, rows)).round(4)
    return pd.DataFrame(
        {f"n{i}": column for i, column in enumerate(numbers)}
        | others
        | {"y": rng.choice(["yes", "no"], rows)}
    )


def main() -> None:
    """Write the table in each kind of file, and read it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=50)
    parser.add_argument("--kinds", nargs="*", default=["csv", "parquet"])
    options = parser.parse_args()
    frame = made_up(options.rows, options.columns)
    write: dict[str, Callable[[Path], object]] = {
        "csv": lambda path: frame.to_csv(path, index=False),
        "csv.gz": lambda path: frame.to_csv(path, index=False),
        "parquet": frame.to_parquet,
        "feather": frame.to_feather,
        "jsonl": lambda path: frame.to_json(path, orient="records", lines=True, date_format="iso"),
        "xlsx": lambda path: frame.to_excel(path, index=False),
    }
    print("kind       megabytes  processor s  wall s  peak MiB  columns")
    with tempfile.TemporaryDirectory() as folder:
        for kind in options.kinds:
            file = Path(folder, f"t.{kind}")
            write[kind](file)
            words = [sys.executable, "-c", READ, str(file)]
            done = subprocess.run(words, capture_output=True, text=True, check=True)
            told = json.loads(done.stdout)
            print(
                f"{kind:10} {file.stat().st_size / 1e6:9.0f}  {told['processor']:11.2f}  "
                f"{told['wall']:6.2f}  {told['peak']:8.0f}  {told['shape'][1]}",
                flush=True,
            )
            file.unlink()


if __name__ == "__main__":
    main()
