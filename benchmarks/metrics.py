"""What a metric costs: the same trainings scored by each of them, in turn.

Processor time of one process and one BLAS thread, the least of several rounds, so that a busy
neighbour does not count; beside it what the driver has to do once, to test the winner and to find
the interval around its metric.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(name, "1")

from hpsearch.data import load_dataset, make_splits, write_store  # noqa: E402
from hpsearch.engine.tested import measured  # noqa: E402
from hpsearch.metrics import OWN, metric_named  # noqa: E402
from hpsearch.training.jobs import Job, RefitJob, refit_job, train_job  # noqa: E402

DEAR = ["roc_auc_ovo", "top_k_accuracy", "d2_log_loss_score"]
"""More by name; the last two are computed by scikit-learn."""


def main() -> None:
    """Measure, and print one line a metric."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", nargs="+", default=["breast_cancer", "digits", "fashion-mnist"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--rows", type=int, default=6_000, help="at most so many")
    options = parser.parse_args()
    print("data            metric                training    cost     test")
    for data in options.data:
        names = [m.name for m in OWN.values() if m.task == "classification"] + DEAR
        unfit = "top_k_accuracy" if data == "breast_cancer" else "f1"
        measure(data, [name for name in names if name != unfit], options)


def measure(data: str, names: Sequence[str], options: argparse.Namespace) -> None:
    """Print the seconds of a training by each metric, and its cost over the first of them."""
    dataset = load_dataset(data)
    splits = make_splits(dataset.y[: options.rows], seed=0)
    with tempfile.TemporaryDirectory() as folder:
        handle = write_store(Path(folder), dataset, splits)
        job = Job(handle, {"width": 64, "depth": 2}, seed=0, epochs=options.epochs)
        refit = refit_job(RefitJob(handle, job.configuration, 0, 1))
        least = dict.fromkeys(names, float("inf"))
        for _ in range(options.rounds):
            for name in names:
                start = time.process_time()
                train_job(replace(job, metric=name))
                least[name] = min(least[name], time.process_time() - start)
        for name in names:
            metric = metric_named(name, "classification", handle.n_classes)
            start = time.process_time()
            measured([metric], refit.predictions, dataset.y[splits[0].test])
            once, cost = time.process_time() - start, least[name] / least[names[0]] - 1
            print(f"{data:15s} {name:20s} {least[name]:9.4f} {cost:8.1%} {once:8.3f}", flush=True)


if __name__ == "__main__":
    main()
