"""What a trial costs beside what is called: functions, estimators and programs, beside Optuna.

    python benchmarks/overhead.py
    python benchmarks/overhead.py --rounds 1 --objective command

A function computes for some five milliseconds, an estimator is a small decision tree on digits, a
program is ``sh`` that echoes its result. *Bare* are as many processes as there were workers, which
share the same configurations, with nothing around: what a search has chosen may take longer than
what chance draws. The wall-clock time of them all, times their number, over that of the calls, is
what a call takes where so many run at once. The overhead of a contender is the same figure of its
own trials, less the bare one: of hpsearch with two workers from the end of its first trial to the
end of its last, of Optuna's ``study.optimize`` on SQLite as it comes with one job and with two
threads. So a driver's work counts, what workers wait for counts, and starting up does not. The
contenders take turns, and a figure is the median of the rounds. Beside it stands the driver's own
processor time of a trial, which a busy machine changes less.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from sklearn.tree import DecisionTreeClassifier

STUDY = """
name = "overhead"
{objective}
[space]
x = {{ low = 2, high = 12 }}
y = {{ low = 2, high = 40 }}
z = {{ low = 1e-4, high = 1e-1, log = true }}
[search]
strategy = "{strategy}"
trials = {trials}
"""
OBJECTIVES = {
    "function": """
[objective]
function = "overhead:function"
metric = "loss"
direction = "minimize"
""",
    "estimator": """
[data]
name = "digits"
preprocessing = "none"
[objective]
estimator = "overhead:Tree"
""",
    "command": """
[objective]
command = ["sh", "-c", "echo '{{\\"loss\\": {x}}}'"]
metric = "loss"
direction = "minimize"
""",
}
STRATEGIES = ("random", "guided")

Configuration: TypeAlias = dict[str, Any]


class Figures(NamedTuple):
    """Of some trials: seconds of each where so many run at once, the driver's own, and what ran."""

    wall: float
    cpu: float
    given: list[Configuration]


def function(configuration: Configuration, trial: object = None) -> float:
    """Some five milliseconds of Python."""
    del trial
    return float(sum(k * k for k in range(60_000)) * configuration["z"] + configuration["x"])


class Tree(DecisionTreeClassifier):  # type: ignore[misc]
    """A decision tree whose parameters are those of the space."""

    def __init__(self, x: int = 2, y: int = 2, z: float = 0.0, random_state: Any = None):
        super().__init__(random_state=random_state)
        self.x, self.y, self.z = x, y, z

    def fit(self, X: Any, y: Any) -> Any:
        """Fit a usual one."""
        self.max_depth, self.min_samples_split, self.ccp_alpha = self.x, self.y, self.z
        return super().fit(X, y)


@cache
def _digits() -> list[Any]:
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    X, y = load_digits(return_X_y=True)
    rest, _, y, _ = train_test_split(X, y, test_size=0.2, stratify=y, random_state=0)
    return list(train_test_split(rest, y, test_size=0.2, stratify=y, random_state=0))


def estimator(configuration: Configuration) -> float:
    """Fitted and scored, as anybody would by hand."""
    X, asked, y, known = _digits()
    model = Tree().set_params(**configuration, random_state=0).fit(X, y)
    return -float((model.predict(asked) == known).mean())


def program(configuration: Configuration) -> float:
    """Started, its output read."""
    line = f"echo '{{\"loss\": {configuration['x']}}}'"
    done = subprocess.run(["sh", "-c", line], stdout=subprocess.PIPE, check=True)
    return float(done.stdout.split()[-1][:-1])


CALLS: dict[str, Callable[[Configuration], float]] = {
    "function": function,
    "estimator": estimator,
    "command": program,
}


def _share(kind: str, given: list[Configuration], gate: Any, told: Any) -> None:
    call = CALLS[kind]
    call(given[0])
    gate.wait()
    start = time.perf_counter()
    for configuration in given:
        call(configuration)
    told.put(time.perf_counter() - start)


def bare(kind: str, processes: int, given: list[Configuration]) -> float:
    """Seconds of a call where so many processes share the calls, and do nothing else."""
    context = multiprocessing.get_context("fork")
    gate, told = context.Barrier(processes), context.Queue()
    parts = [
        context.Process(target=_share, args=(kind, given[i::processes], gate, told))
        for i in range(processes)
    ]
    for part in parts:
        part.start()
    seconds: list[float] = [told.get() for _ in parts]
    for part in parts:
        part.join()
    return max(seconds) * processes / len(given)


def ours(kind: str, strategy: str, trials: int) -> Figures:
    """Trials of hpsearch, with two workers."""
    from hpsearch.engine import run_study
    from hpsearch.engine.events import TrialDone
    from hpsearch.study_file import load_study_file

    moments: list[tuple[float, float]] = []
    given: list[Configuration] = []

    def note(event: object) -> None:
        if isinstance(event, TrialDone):
            moments.append((time.perf_counter(), time.process_time()))
            given.append(dict(event.slot.configuration))

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "study.toml")
        text = STUDY.format(objective=OBJECTIVES[kind], strategy=strategy, trials=trials)
        path.write_text(text)
        Path(folder, "overhead.py").write_text(Path(__file__).read_text())
        storage = f"sqlite:///{folder}/studies.db"
        run_study(load_study_file(path), storage=storage, workers=2, on_event=note, baselines=False)
    wall, cpu = (b - a for a, b in zip(moments[0], moments[-1], strict=True))
    many = len(moments) - 1
    return Figures(wall * 2 / many, cpu / many, given[1:])


def optuna(kind: str, jobs: int, trials: int) -> Figures:
    """Trials of Optuna in this process."""
    import optuna as peer

    peer.logging.set_verbosity(peer.logging.WARNING)

    def objective(trial: peer.Trial) -> float:
        x, y = trial.suggest_int("x", 2, 12), trial.suggest_int("y", 2, 40)
        z = trial.suggest_float("z", 1e-4, 1e-1, log=True)
        return CALLS[kind]({"x": x, "y": y, "z": z})

    with tempfile.TemporaryDirectory() as folder:
        sampler = peer.samplers.RandomSampler(seed=0)
        study = peer.create_study(storage=f"sqlite:///{folder}/optuna.db", sampler=sampler)
        study.optimize(objective, n_trials=2)
        start = time.perf_counter(), time.process_time()
        study.optimize(objective, n_trials=trials, n_jobs=jobs)
        end = time.perf_counter(), time.process_time()
        given = [trial.params for trial in study.trials[2:]]
    return Figures((end[0] - start[0]) * jobs / trials, (end[1] - start[1]) / trials, given)


def contenders(kind: str, trials: int) -> dict[str, tuple[int, Callable[[], Figures]]]:
    """By name: how many trials run at once, and a run."""
    few = max(20, trials // 10)
    found: dict[str, tuple[int, Callable[[], Figures]]] = {
        f"hpsearch, {strategy}": (2, partial(ours, kind, strategy, trials))
        for strategy in STRATEGIES
    }
    found["optuna, one job"] = 1, partial(optuna, kind, 1, few)
    found["optuna, two threads"] = 2, partial(optuna, kind, 2, few)
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    parser.add_argument("--objective", choices=list(OBJECTIVES), nargs="*", default=OBJECTIVES)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--trials", type=int, default=300)
    options = parser.parse_args()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"
    sys.modules.setdefault("overhead", sys.modules[__name__])
    print(f"milliseconds a trial, median of {options.rounds} rounds of {options.trials} trials:")
    for kind in options.objective:
        runs = contenders(kind, options.trials)
        seen: dict[str, list[tuple[float, float, float]]] = {name: [] for name in runs}
        for _ in range(options.rounds):
            for name, (together, run) in runs.items():
                figures = run()
                alone = bare(kind, together, figures.given)
                seen[name].append((figures.wall, figures.wall - alone, figures.cpu))
        for name, rows in seen.items():
            wall, over, cpu = (
                statistics.median(column) * 1e3 for column in zip(*rows, strict=True)
            )
            print(
                f"{kind:10}{name:22}{wall:9.2f}  bare {wall - over:8.2f}  overhead {over:8.2f}",
                end="",
            )
            print(f" (least {min(row[1] for row in rows) * 1e3:.2f})  driver's processor {cpu:.2f}")


if __name__ == "__main__":
    main()
