"""The same search, whole: hpsearch beside scikit-learn, Optuna with torch, and Ray Tune with torch.

    python benchmarks/search.py                   # three rounds, and the speed-up of two workers
    python benchmarks/search.py --repeats 1 --json search.json

Every contender draws 60 configurations at random from the same space (learning rate, l2, width,
depth, batch size), trains each for 20 epochs on the same 80% of scikit-learn's digits with momentum
0.9, scores it on the other 20%, and uses two processes of one BLAS thread. A figure is the
wall-clock time of a fresh process, imports and start-up included; the contenders take turns, and
the median of the rounds counts. hpsearch also trains its winner once more and tests it, which the
others do not. Optuna's storage is SQLite as it comes. Ray Tune runs where it is installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

STUDY = """
name = "search"
[data]
name = "digits"
test = 0.01
[model]
width = {{ low = 16, high = 128, log = true }}
depth = {{ low = 1, high = 3 }}
[training]
epochs = {epochs}
learning_rate = {{ low = 1e-3, high = 1.0, log = true }}
decay = 1.0
l2 = {{ low = 1e-6, high = 1e-2, log = true }}
batch_size = {{ choices = [32, 64, 128] }}
[search]
strategy = "random"
trials = {trials}
"""

SCIKIT = """
import warnings
from scipy.stats import loguniform
from sklearn.datasets import load_digits
from sklearn.model_selection import RandomizedSearchCV, StratifiedShuffleSplit
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
import numpy as np

warnings.simplefilter("ignore")
X, y = load_digits(return_X_y=True)
rng = np.random.default_rng(0)
sizes = [(int(w),) * d for w in np.geomspace(16, 128, 16) for d in (1, 2, 3)]
space = {
    "mlpclassifier__learning_rate_init": loguniform(1e-3, 1.0),
    "mlpclassifier__alpha": loguniform(1e-6, 1e-2),
    "mlpclassifier__batch_size": [32, 64, 128],
    "mlpclassifier__hidden_layer_sizes": sizes,
}
network = MLPClassifier(
    solver="sgd", momentum=0.9, nesterovs_momentum=False, max_iter=20, tol=0.0, n_iter_no_change=99
)
search = RandomizedSearchCV(
    make_pipeline(StandardScaler(), network),
    space,
    n_iter=60,
    n_jobs=2,
    cv=StratifiedShuffleSplit(1, test_size=0.2, random_state=0),
    refit=False,
    random_state=0,
    error_score=0.0,
)
search.fit(X, y)
print(search.best_score_)
"""

TORCH = """
import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

torch.set_num_threads(1)


def data():
    X, y = load_digits(return_X_y=True)
    parts = train_test_split(X.astype(np.float32), y, test_size=0.2, stratify=y, random_state=0)
    mean, scale = parts[0].mean(0), parts[0].std(0) + 1e-6
    return [torch.from_numpy(a) for a in ((parts[0] - mean) / scale, (parts[1] - mean) / scale)] + [
        torch.from_numpy(a) for a in parts[2:]
    ]


def train(config):
    torch.manual_seed(0)
    X, Xv, y, yv = data()
    widths = [64] + [config["width"]] * config["depth"]
    layers = []
    for a, b in zip(widths, widths[1:]):
        layers += [nn.Linear(a, b), nn.ReLU()]
    model = nn.Sequential(*layers, nn.Linear(widths[-1], 10))
    optimizer = torch.optim.SGD(
        model.parameters(), lr=config["lr"], momentum=0.9, weight_decay=config["l2"], foreach=True
    )
    criterion = nn.CrossEntropyLoss()
    for epoch in range(20):
        order = torch.randperm(len(y))
        for start in range(0, len(y), config["batch"]):
            chosen = order[start : start + config["batch"]]
            optimizer.zero_grad(set_to_none=True)
            criterion(model(X[chosen]), y[chosen]).backward()
            optimizer.step()
        with torch.no_grad():
            accuracy = (model(Xv).argmax(1) == yv).float().mean().item()
        yield epoch, accuracy
"""

OPTUNA = (
    TORCH
    + """
import multiprocessing, sys
import optuna

optuna.logging.set_verbosity(optuna.logging.WARNING)
URL = "sqlite:///optuna.db"


def objective(trial):
    config = {
        "lr": trial.suggest_float("lr", 1e-3, 1.0, log=True),
        "l2": trial.suggest_float("l2", 1e-6, 1e-2, log=True),
        "width": trial.suggest_int("width", 16, 128, log=True),
        "depth": trial.suggest_int("depth", 1, 3),
        "batch": trial.suggest_categorical("batch", [32, 64, 128]),
    }
    for epoch, accuracy in train(config):
        trial.report(accuracy, epoch)
    return accuracy


def work(seed):
    sampler = optuna.samplers.RandomSampler(seed=seed)
    pruner = optuna.pruners.NopPruner()
    study = optuna.load_study(study_name="s", storage=URL, sampler=sampler, pruner=pruner)
    study.optimize(objective, n_trials=30)


if __name__ == "__main__":
    study = optuna.create_study(study_name="s", storage=URL, direction="maximize")
    workers = [multiprocessing.Process(target=work, args=(i,)) for i in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    print(study.best_value)
"""
)

RAY = (
    TORCH
    + """
from ray import tune


def trainable(config):
    for epoch, accuracy in train(config):
        tune.report({"accuracy": accuracy})


if __name__ == "__main__":
    space = {
        "lr": tune.loguniform(1e-3, 1.0),
        "l2": tune.loguniform(1e-6, 1e-2),
        "width": tune.lograndint(16, 129),
        "depth": tune.randint(1, 4),
        "batch": tune.choice([32, 64, 128]),
    }
    tuner = tune.Tuner(
        tune.with_resources(trainable, {"cpu": 1}),
        param_space=space,
        tune_config=tune.TuneConfig(num_samples=60, metric="accuracy", mode="max"),
    )
    print(tuner.fit().get_best_result().metrics["accuracy"])
"""
)


BARE = """
import multiprocessing, sys, tempfile
from hpsearch.data import write_store
from hpsearch.training.jobs import Job, train_job
from hpsearch.search import make_strategy
from hpsearch.study_file import load_study_file
from hpsearch.study_file.data import study_data

if __name__ == "__main__":
    study = load_study_file("study.toml")
    trials, epochs = study.search.trials, study.training.epochs
    with tempfile.TemporaryDirectory() as folder:
        data = write_store(folder, *study_data(study.data, study.seed))
        settings = {"trials": trials, "epochs": epochs, "seed": 0}
        stage = make_strategy("random", study.search_space(), **settings).next_stage([])
        slots = [stage.slot(index) for index in range(trials)]
        jobs = [Job(data, study.configuration(s.configuration), s.seed, epochs) for s in slots]
        with multiprocessing.get_context("fork").Pool(int(sys.argv[1])) as pool:
            print(max(o.score for o in pool.map(train_job, jobs, chunksize=1)))
"""


def contenders() -> dict[str, str]:
    """The peers that are installed, each a script that prints its best validation accuracy."""
    found = {"scikit-learn": SCIKIT}
    if importlib.util.find_spec("torch"):
        found["optuna + torch"] = OPTUNA
        if importlib.util.find_spec("ray"):
            found["ray + torch"] = RAY
    for name in ("torch", "ray"):
        if importlib.util.find_spec(name) is None:
            print(f"{name} is not installed: what needs it is left out", file=sys.stderr)
    return found


def environment() -> dict[str, str]:
    """One BLAS thread a process, OpenBLAS's own kernels, modules compiled once for all."""
    left_out = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "PYTHONDONTWRITEBYTECODE")
    variables = {k: v for k, v in os.environ.items() if k not in left_out}
    one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {**variables, **one, "PYTHONWARNINGS": "ignore", "RAY_DEDUP_LOGS": "0"}


def timed(arguments: list[str], folder: Path) -> tuple[float, str]:
    """The wall-clock seconds of a fresh process, and the last line that it prints."""
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment(),
        check=True,
        capture_output=True,
        text=True,
    )
    return time.perf_counter() - start, done.stdout


def ours(folder: Path, trials: int, epochs: int, workers: int) -> tuple[float, float]:
    """Seconds and best validation accuracy of hpsearch."""
    (folder / "study.toml").write_text(STUDY.format(trials=trials, epochs=epochs))
    command = ["-m", "hpsearch", "run", "study.toml", "--workers", str(workers), "--json"]
    seconds, text = timed(command, folder)
    return seconds, float(json.loads(text)["validation"])


def bare(folder: Path, trials: int, epochs: int, workers: int) -> float:
    """Seconds of the same trainings in bare processes: nothing stored, no trace."""
    (folder / "study.toml").write_text(STUDY.format(trials=trials, epochs=epochs))
    (folder / "bare.py").write_text(BARE)
    return timed(["bare.py", str(workers)], folder)[0]


def peer(script: str, folder: Path) -> tuple[float, float]:
    """Seconds and best validation accuracy of another contender."""
    (folder / "peer.py").write_text(script)
    seconds, text = timed(["peer.py"], folder)
    return seconds, float(text.split()[-1])


def main() -> None:
    """Measure, print, and write JSON if asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    peers = contenders()
    seconds: dict[str, list[float]] = {name: [] for name in ("hpsearch", *peers)}
    best: dict[str, float] = {}
    workers: dict[int, list[float]] = {1: [], 2: []}
    limit: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(options.repeats):
        for name in seconds:
            with tempfile.TemporaryDirectory() as folder:
                where = Path(folder)
                taken, best[name] = (
                    ours(where, 60, 20, 2) if name == "hpsearch" else peer(peers[name], where)
                )
            seconds[name].append(taken)
        for count, values in workers.items():
            with tempfile.TemporaryDirectory() as folder:
                values.append(ours(Path(folder), 200, 60, count)[0])
                limit[count].append(bare(Path(folder), 200, 60, count))
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    print("60 random trials of 20 epochs on digits, two workers:")
    for name, value in medians.items():
        ratio = medians["hpsearch"] / value
        print(f"{name:16}{value:7.2f} s{ratio:7.2f} hpsearch's share   best {best[name]:.4f}")
    print("200 trials of 60 epochs:")
    for name, times in (("hpsearch", workers), ("bare processes", limit)):
        one, two = (statistics.median(times[count]) for count in (1, 2))
        print(f"{name:16}{one:6.2f} s with one worker, {two:.2f} s with two:", end=" ")
        print(f"{one / two:.2f} times sooner")
    if options.json is not None:
        document = {"seconds": seconds, "best": best, "workers": workers, "bare": limit}
        options.json.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
