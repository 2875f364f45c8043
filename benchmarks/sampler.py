"""GuidedSampler beside other Optuna samplers: regret through ask and tell, and time a suggestion.

The functions are those of functions.py. A study names its best trial; its normalized regret is 0
for the function's minimum and 1 for the loss of the median configuration. A repeat has one seed for
all samplers. The time is that of every parameter of one trial, in a study in memory that has so
many finished trials, in seconds of CPU; a sampler that does more now and then shows it in the
longest.

    python benchmarks/sampler.py                            # regret, and time at 300 trials
    python benchmarks/sampler.py --trials 96 --noise little
    python benchmarks/sampler.py --finished 300 --repeats 0 # time only
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import optuna
from functions import FUNCTIONS, NOISE

from hpsearch import CoarseToFineSampler, GuidedSampler
from hpsearch.search import Slot
from hpsearch.search.base import slot_seed
from hpsearch.search.distributions import suggest

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions import Function

SAMPLERS: dict[str, Callable[[int, int], optuna.samplers.BaseSampler]] = {
    "random": lambda _, seed: optuna.samplers.RandomSampler(seed=seed),
    "tpe": lambda _, seed: optuna.samplers.TPESampler(seed=seed),
    "coarse-to-fine": CoarseToFineSampler,
    "guided": GuidedSampler,
}
TIMED = 40  # suggestions


def step(study: optuna.Study, function: Function, seed: int) -> float:
    """One trial; the seconds of CPU that its suggestions took."""
    trial = study.ask()
    began = time.process_time()
    configuration = suggest(trial, function.space)
    seconds = time.process_time() - began
    slot = Slot(0, trial.number, configuration, slot_seed(seed, 0, trial.number), epochs=1)
    study.tell(trial, function.evaluate(slot))
    return seconds


def regret(name: str, function: Function, trials: int, seed: int) -> float:
    """What the best trial of a study loses."""
    study = optuna.create_study(direction="maximize", sampler=SAMPLERS[name](trials, seed))
    for _ in range(trials):
        step(study, function, seed)
    return function.regret(study.best_params)


def seconds(name: str, finished: int) -> list[float]:
    """What suggestions take after so many finished trials of ten parameters."""
    function = FUNCTIONS["network"]
    random = optuna.samplers.RandomSampler(seed=0)
    study = optuna.create_study(direction="maximize", sampler=random)
    for _ in range(finished):
        step(study, function, 0)
    study.sampler = SAMPLERS[name](finished + TIMED, 0)
    step(study, function, 0)  # what is imported and prepared once
    return [step(study, function, 0) for _ in range(TIMED)]


def main() -> None:
    """Measure and print a table of regrets and one of times."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    parser.add_argument("--trials", type=int, nargs="+", default=[48, 96])
    parser.add_argument("--functions", nargs="+", choices=FUNCTIONS, default=list(FUNCTIONS))
    parser.add_argument("--noise", choices=NOISE, default="none")
    parser.add_argument("--samplers", nargs="+", choices=SAMPLERS, default=list(SAMPLERS))
    parser.add_argument("--repeats", type=int, default=10, help="studies of each sampler")
    parser.add_argument("--seed", type=int, default=0, help="the first repeat's seed")
    parser.add_argument("--finished", type=int, nargs="*", default=[300], help="trials before")
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    for trials in options.trials if options.repeats else []:
        about = f"{options.noise} noise, {options.repeats} repeats"
        print(f"normalized regret of the best of {trials} trials, {about}")
        print(f"{'function':<16}" + "".join(f"{name:>24}" for name in options.samplers))
        table = []
        for name in options.functions:
            function = replace(FUNCTIONS[name], noise=NOISE[options.noise])
            seeds = range(options.seed, options.seed + options.repeats)
            row = [[regret(s, function, trials, seed) for seed in seeds] for s in options.samplers]
            table.append(row)
            print(f"{name:<16}" + "".join(f"{_mean(r):>24}" for r in row), flush=True)
        print(f"{'mean':<16}" + "".join(f"{_mean(r):>24}" for r in np.mean(table, axis=0)))
    for finished in options.finished:
        print(f"ms a suggestion of 10 parameters, {finished} finished trials, {TIMED} suggestions")
        print(f"{'sampler':<16}{'mean':>8}{'median':>8}{'longest':>9}")
        for name in options.samplers:
            ms = [1e3 * second for second in seconds(name, finished)]
            print(
                f"{name:<16}{statistics.mean(ms):>8.2f}{statistics.median(ms):>8.2f}{max(ms):>9.2f}"
            )


def _mean(regrets: list[float]) -> str:
    error = np.std(regrets, ddof=1) / np.sqrt(len(regrets)) if len(regrets) > 1 else np.nan
    return f"{np.mean(regrets):.4f} ± {error:.4f}"


if __name__ == "__main__":
    main()
