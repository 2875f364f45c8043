"""benchmarks/tables.py: its pure parts, without the package that its tables come with."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scripts import benchmark


@pytest.fixture(scope="module")
def tables() -> Any:
    return benchmark("tables")


def test_every_table_makes_a_study_file(tables: Any) -> None:
    assert len(tables.TABLES) >= 12
    for name, table in tables.TABLES.items():
        study = tables.study_of(name, table, 3, Path("table.parquet"))
        assert (study.name, study.seed, study.search.trials) == (name, 3, 60)
        kind = next(iter(table.divided), "stratified").removesuffix("s")
        assert study.data.kind_of_split == kind


def test_what_divides_and_what_is_excluded_is_no_input(tables: Any) -> None:
    frame = pd.DataFrame(
        {"y": [1.0, 2.0], "g": [1, 2], "id": [5, 6], "a": ["x", None], "b": [1, 2]}
    )
    X = tables.inputs(frame, tables.Table("", "y", "r2", "", {"groups": "g"}, ["id"]))
    assert X.dtypes.astype(str).to_dict() == {"a": "category", "b": "int64"}


def test_scores(tables: Any) -> None:
    y = np.array([1.0, 2.0, 4.0])
    values = np.array([1.0, 2.0, 3.0])
    rmse = np.sqrt(np.mean((y - values) ** 2))
    assert tables.score("r2", y, values) == pytest.approx(tables.r2_of(rmse, y))
    assert tables.score("roc_auc", np.array(["a", "b"]), np.array([0.1, 0.2])) == 1
    assert tables.score("accuracy", np.array(["a", "b"]), np.array(["a", "a"])) == 0.5


def test_equal_scores_share_their_rank(tables: Any) -> None:
    assert tables.ranks({"a": [0.9, 0.8], "b": [0.9, 0.7], "c": [0.1, 0.9]}) == {
        "a": 1.75,
        "b": 2.25,
        "c": 2.0,
    }


def result(tables: Any, model: str, score: float, trees: float | None = None, seed: int = 0) -> Any:
    return tables.Result("exam", seed, model, score, 2.0, "", trees)


def test_only_what_every_model_has_done_counts(tables: Any) -> None:
    found = [result(tables, model, 0.5, 0.1) for model in tables.MODELS]
    late = [result(tables, model, 0.9, seed=1) for model in tables.MODELS[:2]]
    shown = list(tables.lines(found + late))
    assert shown[2].startswith("| exam | r2 | 0.500 ± nan |")
    assert "mean ranks over 1 tables: network 2.50, random search 2.50" in shown[3]
    assert "0 of 1 tables" in shown[5]
    assert len(list(tables.lines(late))) == 2


def test_what_hpsearch_said_of_trees_is_held_against_what_they_did(tables: Any) -> None:
    scores = {"network": 0.5, "ensemble": 0.5, "random search": 0.4, "boosting": 0.6, "linear": 0.3}
    found = [
        result(tables, model, score, said, seed)
        for seed, said in enumerate([0.1, -0.1])
        for model, score in scores.items()
    ]
    assert tables.agreement(tables.complete(found)).endswith("in 1 of 2 runs")


def test_what_runs_is_left_when_its_time_is_over(tables: Any) -> None:
    begun = False
    with tables.at_most(0.05):
        begun = True
        while True:
            try:
                time.sleep(60)
            except Exception:
                pytest.fail("a library could take it for an error of its own")
    assert begun
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of what does not converge
@pytest.mark.parametrize("metric", ["r2", "roc_auc"])
def test_a_random_search_draws_until_its_time_is_over(tables: Any, metric: str) -> None:
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(size=90), "b": pd.Categorical(rng.choice(["u", "v"], 90))})
    y = X["a"] * 2 if metric == "r2" else pd.Series(np.where(X["a"] > 0, "p", "n"))
    table = tables.Table("", "y", metric, "")
    model, note = tables.random_search(table, X, y, None, 1.0, 0)
    assert note.endswith("configurations")
    assert tables.score(metric, y, tables.answers(model, metric, X)) > 0.5
