"""Memory and time of `hpsearch predict` over files of more and more rows.

    python benchmarks/predict.py                              # CSV, of 100,000 and 1,000,000 rows
    python benchmarks/predict.py --kinds parquet feather jsonl --rows 100000

The made-up table has an identifier, a column of categories, 19 of numbers and the target, so that
the predictions are scored. The largest resident set is the command's.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet as pq

from hpsearch.data import Preprocessor
from hpsearch.nn import Network, NetworkConfig
from hpsearch.training.model import Member, Model

COLUMNS = 20
CLASSES = ("x", "y", "z")
CATEGORIES = {0: ("a", "b", "c")}


def model() -> Model:
    """A network of two layers of 64 units, with random weights."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, COLUMNS)).astype(np.float32)
    X[:, 0] = rng.integers(0, 3, 500)
    preprocessor = Preprocessor.fit(X, "standardize", categories=CATEGORIES)
    config = NetworkConfig(hidden_layer_sizes=(64, 64))
    network = Network(preprocessor.n_features_out, len(CLASSES), config, rng=rng)
    names = tuple(f"c{j}" for j in range(COLUMNS))
    member = Member(config, network.state(), preprocessor)
    return Model((member,), CLASSES, names, CATEGORIES, {"target": "t", "metric": "accuracy"})


def write(path: Path, rows: int) -> None:
    """The table, in the kind of file that the path's name asks for."""
    rng = np.random.default_rng(0)
    table = pa.table(
        {
            "id": [f"p{n}" for n in range(rows)],
            "c0": np.array(CATEGORIES[0])[rng.integers(0, 3, rows)],
            **{f"c{j}": rng.normal(size=rows).round(5) for j in range(1, COLUMNS)},
            "t": np.array(CLASSES)[rng.integers(0, 3, rows)],
        }
    )
    if path.suffix == ".csv":
        pyarrow.csv.write_csv(table, path)
    elif path.suffix == ".parquet":
        pq.write_table(table, path)
    elif path.suffix == ".feather":
        pyarrow.feather.write_feather(table, str(path))
    else:
        with path.open("w", encoding="utf-8") as file:
            for batch in table.to_batches(10_000):
                file.writelines(json.dumps(row) + "\n" for row in batch.to_pylist())


def main() -> None:
    """Predict for each file and print what it took, the small ones first."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    parser.add_argument("--kinds", nargs="+", default=["csv"])
    parser.add_argument("--rows", nargs="+", type=int, default=[100_000, 1_000_000])
    options = parser.parse_args()
    command = Path(sys.executable).with_name("hpsearch")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model().save(folder / "m.npz")
        for kind in options.kinds:
            for rows in options.rows:
                table = folder / f"t.{kind}"
                subprocess.run([sys.executable, __file__, "--write", table, str(rows)], check=True)
                words = [
                    str(command),
                    "predict",
                    "m.npz",
                    table.name,
                    "--keep",
                    "id",
                    "-o",
                    "out.csv",
                ]
                start = time.perf_counter()
                # Of all children so far the kernel tells the largest, so a small one gets its own.
                code = (
                    "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True); "
                    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)"
                )
                done = subprocess.run(
                    [sys.executable, "-c", code, *words],
                    cwd=folder,
                    check=True,
                    capture_output=True,
                    text=True,
                )
                seconds = time.perf_counter() - start
                print(f"{kind:8} {rows:10,} rows {int(done.stdout):6} MiB {seconds:6.1f} s")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--write"]:
        write(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        main()
