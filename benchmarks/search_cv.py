"""CoarseToFineSearchCV beside RandomizedSearchCV, HalvingRandomSearchCV and OptunaSearchCV.

    pip install -e '.[benchmark]'
    python benchmarks/search_cv.py --seeds 10 --json search_cv.jsonl          # some 20 minutes
    python benchmarks/search_cv.py --tables cells --estimators svm --seeds 3

On each table and with each seed 500 rows are drawn, and every search goes over the same ranges of
the same estimator, with the same three folds of these rows. The winner is fitted to all 500 and
scored on the rows that no search has seen.

All have the same processor time: as much as CoarseToFineSearchCV took for its candidates. Random
search draws as many as fit in. OptunaSearchCV, with its own defaults, begins no trial when the time
is over. HalvingRandomSearchCV has rows as its resource, and begins with as many candidates as fit
in by the time of a first run, which is not counted. Nor is the time to fit winners to all rows.

What is finished is written to the file as a line of JSON, and is not done again.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import numpy as np  # noqa: E402
import optuna  # noqa: E402
from optuna.distributions import (  # noqa: E402
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from scipy.stats import loguniform, rankdata, uniform, wilcoxon  # noqa: E402
from sklearn.base import clone  # noqa: E402
from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: E402
from sklearn.experimental import enable_halving_search_cv  # noqa: E402, F401
from sklearn.metrics import get_scorer  # noqa: E402
from sklearn.model_selection import (  # noqa: E402
    HalvingRandomSearchCV,
    RandomizedSearchCV,
    StratifiedKFold,
    train_test_split,
)
from sklearn.svm import SVC  # noqa: E402
from tables import TABLES, inputs, mean_and_error, pipeline, read  # noqa: E402

from hpsearch import CoarseToFineSearchCV  # noqa: E402

OURS = "CoarseToFineSearchCV"
SEARCHES = (OURS, "RandomizedSearchCV", "HalvingRandomSearchCV", "OptunaSearchCV")
NAMES = ("cells", "credit", "churn")
ROWS = 500
FOLDS = 3
CANDIDATES = {"boosting": 30, "svm": 40}


@dataclass(frozen=True)
class Range:
    """Numbers from a least to a greatest one, on a scale; or choices."""

    low: float = 0.0
    high: float = 1.0
    log: bool = False
    whole: bool = False
    choices: tuple[Any, ...] = ()

    def scipy(self) -> Any:
        """What scikit-learn's searches and ours are given."""
        if self.choices:
            return list(self.choices)
        if self.whole:  # scipy has no whole numbers on a logarithmic scale
            return sorted({round(x) for x in np.geomspace(self.low, self.high, 16).tolist()})
        if self.log:
            return loguniform(self.low, self.high)
        return uniform(self.low, self.high - self.low)

    def optuna(self) -> BaseDistribution:
        """What OptunaSearchCV is given."""
        if self.choices:
            return CategoricalDistribution(self.choices)
        if self.whole:
            return IntDistribution(int(self.low), int(self.high), log=self.log)
        return FloatDistribution(self.low, self.high, log=self.log)


RANGES = {
    "boosting": {
        "learning_rate": Range(1e-3, 1.0, log=True),
        "max_leaf_nodes": Range(2, 64, log=True, whole=True),
        "min_samples_leaf": Range(1, 60, log=True, whole=True),
        "l2_regularization": Range(1e-6, 1e3, log=True),
        "max_features": Range(0.1, 1.0),
    },
    "svm": {
        "svc__C": Range(1e-3, 1e3, log=True),
        "svc__gamma": Range(1e-5, 1e1, log=True),
        "svc__kernel": Range(choices=("rbf", "sigmoid", "poly")),
        "svc__coef0": Range(0.0, 1.0),
        "svc__class_weight": Range(choices=(None, "balanced")),
    },
}


def estimator_of(name: str, seed: int) -> Any:
    """The estimator before its parameters are searched."""
    if name == "svm":
        return pipeline(SVC(cache_size=500))
    return HistGradientBoostingClassifier(max_iter=30, random_state=seed)


@dataclass(frozen=True)
class Result:
    """What came of one search.

    Attributes:
        score: of the winner, on rows that the search has not seen; greater is better.
        believed: what the search says of it.
        seconds: of processor time, for the search alone.
        candidates: how many the search has evaluated; halving counts each once.
    """

    table: str
    estimator: str
    seed: int
    search: str
    score: float
    believed: float
    seconds: float
    candidates: int

    @property
    def block(self) -> tuple[str, str, int]:
        """What all searches are compared on."""
        return self.table, self.estimator, self.seed


@dataclass(frozen=True)
class Task:
    """What every search is given: training rows, estimator, and how candidates are scored."""

    X: Any
    y: Any
    estimator: Any
    ranges: dict[str, Range]
    metric: str
    seed: int

    def given(self) -> dict[str, Any]:
        """Arguments that all searches share."""
        folds = StratifiedKFold(FOLDS, shuffle=True, random_state=self.seed)
        return {"cv": folds, "scoring": self.metric, "refit": False, "random_state": self.seed}

    def distributions(self) -> dict[str, Any]:
        """The ranges as scipy and lists."""
        return {name: each.scipy() for name, each in self.ranges.items()}


Found = tuple[dict[str, Any], float, int, float]
"""The best parameters, the score they had, how many candidates there were, and processor time."""


def coarse_to_fine(task: Task, candidates: int, **settings: Any) -> Found:
    """Ours."""
    start = time.process_time()
    search = CoarseToFineSearchCV(
        task.estimator, task.distributions(), n_iter=candidates, **task.given(), **settings
    )
    search.fit(task.X, task.y)
    seconds = time.process_time() - start
    return search.best_params_, search.best_score_, len(search.cv_results_["params"]), seconds


def randomized(task: Task, seconds: float, guess: int) -> Found:
    """Random search, in as many parts as it takes to use the time up."""
    start, tried, best = time.process_time(), 0, (-math.inf, dict[str, Any]())
    while True:
        spent = time.process_time() - start
        more = round((seconds - spent) / spent * tried) if tried else guess
        if tried and more < 1:
            return best[1], best[0], tried, spent
        given = {**task.given(), "random_state": 1000 * task.seed + tried}
        search = RandomizedSearchCV(task.estimator, task.distributions(), n_iter=more, **given)
        search.fit(task.X, task.y)
        tried += more
        best = max(best, (search.best_score_, search.best_params_), key=lambda one: one[0])


def halving(task: Task, seconds: float, guess: int) -> Found:
    """Successive halving of rows, from as many candidates as fit in by the time of a first run."""

    def run(candidates: int) -> Found:
        start = time.process_time()
        search = HalvingRandomSearchCV(
            task.estimator, task.distributions(), n_candidates=candidates, **task.given()
        )
        search.fit(task.X, task.y)
        score = search.cv_results_["mean_test_score"][search.best_index_]
        return search.best_params_, score, candidates, time.process_time() - start

    return run(max(2, round(guess * seconds / run(guess)[-1])))


def with_optuna(task: Task, seconds: float) -> Found:
    """Optuna's TPE, until the time is over."""
    from optuna_integration import OptunaSearchCV

    start = time.process_time()

    def over(study: optuna.Study, _: Any) -> None:
        if time.process_time() - start > seconds:
            study.stop()

    search = OptunaSearchCV(
        task.estimator,
        {name: each.optuna() for name, each in task.ranges.items()},
        n_trials=10_000,
        callbacks=[over],
        **task.given(),
    )
    search.fit(task.X, task.y)
    seconds_spent = time.process_time() - start
    return search.best_params_, search.best_score_, len(search.trials_), seconds_spent


def measure(
    table: str, name: str, seed: int, *, only: bool, settings: dict[str, Any]
) -> Iterator[Result]:
    """All searches on one table with one seed."""
    what = TABLES[table]
    frame = read(what)
    X, y = inputs(frame, what), frame[what.target]
    y = (y == y.value_counts().idxmin()).astype(int) if what.metric == "roc_auc" else y
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, train_size=ROWS, stratify=y, random_state=seed
    )
    scorer = get_scorer(what.metric)
    task = Task(X_train, y_train, estimator_of(name, seed), RANGES[name], what.metric, seed)

    def result(kind: str, search: Callable[[], Found]) -> Result:
        parameters, believed, tried, seconds = search()
        winner = clone(task.estimator).set_params(**parameters).fit(X_train, y_train)
        score = float(scorer(winner, X_test, y_test))
        return Result(table, name, seed, kind, score, float(believed), seconds, tried)

    guess = CANDIDATES[name]
    ours = result(OURS, lambda: coarse_to_fine(task, guess, **settings))
    yield ours
    if only:
        return
    yield result(SEARCHES[1], lambda: randomized(task, ours.seconds, guess))
    yield result(SEARCHES[2], lambda: halving(task, ours.seconds, guess))
    yield result(SEARCHES[3], lambda: with_optuna(task, ours.seconds))


def lines(results: Iterable[Result]) -> Iterator[str]:
    """A table of Markdown; the ranks, and whether the differences are beyond chance."""
    by: dict[tuple[str, str, int], dict[str, Result]] = {}
    for each in results:
        by.setdefault(each.block, {})[each.search] = each
    blocks = [found for found in by.values() if set(found) == set(SEARCHES)]
    yield f"| table | estimator | {' | '.join(SEARCHES)} | candidates | seconds |"
    yield "| --- | --- |" + " --- |" * (len(SEARCHES) + 2)
    for table, name in dict.fromkeys(block[:2] for block in by):
        there = [found for found in blocks if found[OURS].block[:2] == (table, name)]
        if not there:
            continue
        cells, tried, seconds = [], [], []
        for search in SEARCHES:
            mean, error = mean_and_error([found[search].score for found in there])
            cells.append(f"{mean:.4f} ± {error:.4f}")
            tried.append(f"{np.mean([found[search].candidates for found in there]):.0f}")
            seconds.append(f"{np.mean([found[search].seconds for found in there]):.1f}")
        cells += [", ".join(tried), ", ".join(seconds)]
        yield f"| {table} | {name} | {' | '.join(cells)} |"
    scores = np.array([[found[search].score for search in SEARCHES] for found in blocks])
    if len(scores) < 2:
        return
    ranks = rankdata(-scores, axis=1).mean(axis=0)
    told = ", ".join(f"{s} {rank:.2f}" for s, rank in zip(SEARCHES, ranks, strict=True))
    yield f"\nmean ranks in {len(scores)} blocks of a table, an estimator and a seed: {told}"
    for column, search in enumerate(SEARCHES[1:], start=1):
        apart = scores[:, 0] - scores[:, column]
        p = wilcoxon(apart).pvalue if apart.any() else 1.0
        yield (
            f"{OURS} less {search}: {apart.mean():+.4f} in the mean, better in "
            f"{(apart > 0).sum()}, equal in {(apart == 0).sum()}, p = {p:.2g} (Wilcoxon's test)"
        )


def kept(path: Path | None) -> list[Result]:
    """What a file has from earlier runs."""
    if path is None or not path.exists():
        return []
    return [Result(**json.loads(line)) for line in path.read_text().splitlines()]


def main() -> None:
    """Measure what is not in the file yet, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=list(NAMES))
    parser.add_argument("--estimators", nargs="+", choices=RANGES, default=list(RANGES))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--settings", type=json.loads, default={}, help="of ours, as JSON")
    parser.add_argument("--only", action="store_true", help="ours alone")
    parser.add_argument("--json", type=Path, help="keep results here, a line each, and go on")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    results = kept(options.json)
    done = {each.block for each in results if each.search == SEARCHES[-1]}
    for seed in range(options.first, options.first + options.seeds):
        for table in options.tables:
            for name in options.estimators:
                if (table, name, seed) in done:
                    continue
                for result in measure(
                    table, name, seed, only=options.only, settings=options.settings
                ):
                    results.append(result)
                    print(
                        f"{table:10} {name:9} {seed:4} {result.search:22} {result.score:7.4f} "
                        f"{result.believed:7.4f} {result.seconds:6.1f} s {result.candidates:4}",
                        flush=True,
                    )
                    if options.json is not None:
                        with options.json.open("a") as file:
                            file.write(json.dumps(asdict(result)) + "\n")
    print()
    for line in lines(results):
        print(line)


if __name__ == "__main__":
    main()
