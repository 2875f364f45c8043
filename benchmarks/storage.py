"""The cost of storing a trial: WriteBehindStorage beside Optuna's own SQLite storage, in one run.

    python benchmarks/storage.py
    python benchmarks/storage.py --quick --json storage.json

A trial has 5 parameters, 10 reports and 5 attributes, and goes through ``study.optimize`` with
RandomSampler. Studies begin with so many such trials in them; then the storages take turns, each
with a number of trials more, flush included, and a figure is the median of the rounds. Optuna's
storage is as it comes, and its largest study is smaller, since filling one takes so long.
Opening is the time from the URL to the list of all trials, in a fresh process that has imported
everything.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import optuna

from hpsearch.storage import WriteBehindStorage

SIZES = (100, 1_000, 10_000)
STOCK_SIZES = (100, 1_000)
OPENED = 5_000
OPEN = """
import sys, time
import optuna, optuna.storages._rdb.models, alembic.command
import hpsearch.storage.write_behind as behind
kind, url = sys.argv[1:]
start = time.perf_counter()
storage = url if kind == "stock" else behind.WriteBehindStorage(url)
study = optuna.load_study(study_name="s", storage=storage)
trials = study.get_trials(deepcopy=False)
print(time.perf_counter() - start, len(trials))
"""


def objective(trial: optuna.Trial) -> float:
    """Five parameters, ten reports, five attributes."""
    x = [trial.suggest_float(f"x{i}", 0.0, 1.0) for i in range(5)]
    for step in range(10):
        trial.report(x[0] * step, step)
    for i in range(5):
        trial.set_user_attr(f"note{i}", x[i])
    return sum(x)


def study_of(storage: Any, trials: int) -> optuna.Study:
    """A study that has so many of these trials already."""
    study = optuna.create_study(
        study_name="s",
        storage=storage,
        sampler=optuna.samplers.RandomSampler(seed=0),
        load_if_exists=True,
    )
    memory = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    memory.optimize(objective, n_trials=min(trials, 100))
    template = memory.get_trials()
    while (left := trials - len(study.get_trials(deepcopy=False))) > 0:
        study.add_trials(template[:left])
    return study


def milliseconds(study: optuna.Study, trials: int) -> float:
    """The time of one trial more."""
    start = time.perf_counter()
    study.optimize(objective, n_trials=trials)
    flush = getattr(study._storage, "flush", None)
    if flush is not None:
        flush()
    return (time.perf_counter() - start) / trials * 1e3


def per_trial(folder: Path, rounds: int, more: int) -> dict[str, dict[int, float]]:
    """Milliseconds a trial of each storage, at each size; and of Optuna's memory, the floor."""
    studies: dict[tuple[str, int], optuna.Study] = {}
    for size in SIZES:
        behind = WriteBehindStorage(f"sqlite:///{folder / f'behind{size}.db'}")
        studies["write-behind", size] = study_of(behind, size)
        studies["memory", size] = study_of(None, size)
    for size in STOCK_SIZES:
        copy = f"sqlite:///{folder / f'stock{size}.db'}"
        study_of(WriteBehindStorage(copy), size)._storage.close()  # type: ignore[attr-defined]
        _to_rollback_journal(folder / f"stock{size}.db")
        studies["stock", size] = study_of(copy, size)
    times: dict[tuple[str, int], list[float]] = {key: [] for key in studies}
    for _ in range(rounds):
        for (name, size), study in studies.items():
            times[name, size].append(
                milliseconds(study, max(5, more // 20) if name == "stock" else more)
            )
    found: dict[str, dict[int, float]] = {}
    for (name, size), values in times.items():
        found.setdefault(name, {})[size] = statistics.median(values)
    return found


def _to_rollback_journal(file: Path) -> None:
    """As Optuna's own storage would have made the file."""
    import sqlite3

    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    connection.close()


def opening(folder: Path, rounds: int) -> dict[str, float]:
    """Seconds until a program has all trials of a study."""
    url = f"sqlite:///{folder / 'opened.db'}"
    study_of(WriteBehindStorage(url), OPENED)._storage.close()  # type: ignore[attr-defined]
    seconds: dict[str, list[float]] = {"write-behind": [], "stock": []}
    for _ in range(rounds):
        for name, values in seconds.items():
            done = subprocess.run(
                [sys.executable, "-c", OPEN, name, url], capture_output=True, text=True, check=True
            )
            taken, count = done.stdout.split()
            assert int(count) == OPENED
            values.append(float(taken))
    return {name: statistics.median(values) for name, values in seconds.items()}


def main() -> None:
    """Measure and print, or one JSON document."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--trials", type=int, default=400, help="more in each round")
    parser.add_argument("--quick", action="store_true", help="2 rounds of 100 trials")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    rounds, more = (2, 100) if options.quick else (options.rounds, options.trials)
    os.environ.pop("OPENBLAS_CORETYPE", None)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with tempfile.TemporaryDirectory() as name:
        trials, opened = per_trial(Path(name), rounds, more), opening(Path(name), rounds)
    print("milliseconds a trial, with so many in the study:")
    print(f"{'':14}" + "".join(f"{size:>10,}" for size in SIZES))
    for storage, figures in trials.items():
        print(f"{storage:14}" + "".join(f"{figures.get(s, float('nan')):>10.3f}" for s in SIZES))
    ours, stock = trials["write-behind"], trials["stock"]
    print(f"growth {ours[SIZES[-1]] / ours[SIZES[0]]:.2f} times from the first to the last")
    print("stock / write-behind: " + ", ".join(f"{stock[s] / ours[s]:.0f}" for s in STOCK_SIZES))
    behind, theirs = opened["write-behind"], opened["stock"]
    print(
        f"opening {OPENED:,} trials: {behind:.3f} s, stock {theirs:.2f} s, "
        f"{theirs / behind:.1f} times"
    )
    if options.json is not None:
        document = {"milliseconds": trials, "opening_seconds": opened}
        options.json.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
