"""What tracing a training costs: the same trainings with and without snapshots, in turn.

Configurations are drawn from each study's own space; processor time of one process and one BLAS
thread, the least of several rounds for each training, so that a busy neighbour does not count.
"""

from __future__ import annotations

import argparse
import os
import time

for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import numpy as np  # noqa: E402

from hpsearch.data import Preprocessor  # noqa: E402
from hpsearch.nn import Network, train  # noqa: E402
from hpsearch.study_file import load_study_file, shipped_studies  # noqa: E402
from hpsearch.study_file.data import study_data  # noqa: E402
from hpsearch.training.specification import TrainingSpecification  # noqa: E402


def main() -> None:
    """Measure, and print one line a study."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", nargs="+", default=["digits", "fashion-mnist"])
    parser.add_argument("--draws", type=int, default=12, help="configurations of each space")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--rows", type=int, default=10_000, help="at most so many training rows")
    options = parser.parse_args()
    print("study           epochs  without    with     cost")
    for study in options.studies:
        for epochs in (5, 20):
            without, traced = measure(study, epochs, options)
            share = traced / without - 1
            print(f"{study:15s} {epochs:6d} {without:8.3f} {traced:8.3f} {share:8.1%}", flush=True)


def measure(name: str, epochs: int, options: argparse.Namespace) -> tuple[float, float]:
    """Seconds of all the trainings, without a trace and with one."""
    study = load_study_file(shipped_studies()[name])
    dataset, splits = study_data(study.data, study.seed)
    rows = splits[0].train[: options.rows]
    fitted = Preprocessor.fit(dataset.X[rows], "standardize")
    X, y = fitted.transform(dataset.X[rows]), dataset.y[rows]
    some = splits[0].validation
    validation = fitted.transform(dataset.X[some]), dataset.y[some]
    space, rng = study.search_space(), np.random.default_rng(0)
    totals = {False: 0.0, True: 0.0}
    for _ in range(options.draws):
        spec = TrainingSpecification.of(
            study.fixed_settings() | dict(space.sample(rng)), epochs=epochs
        )
        best = dict.fromkeys(totals, float("inf"))
        for _ in range(options.rounds):
            for trace in totals:
                generator = np.random.default_rng(1)
                network = Network(X.shape[1], len(dataset.classes), spec.network, rng=generator)
                start = time.process_time()
                train(
                    network,
                    X,
                    y,
                    spec.training,
                    rng=generator,
                    validation=validation,
                    trace=trace,
                )
                best[trace] = min(best[trace], time.process_time() - start)
        for trace, seconds in best.items():
            totals[trace] += seconds
    return totals[False], totals[True]


if __name__ == "__main__":
    main()
