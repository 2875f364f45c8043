"""`hpsearch init --data` looks at a table, and writes what suits it and why."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hpsearch.cli.app import run
from hpsearch.study_file import load_study_file
from hpsearch.study_file.data import study_data

N = 1500
RNG = np.random.default_rng(0)
X = RNG.normal(size=N)
COLUMNS: dict[str, Any] = {
    "x": X,
    "job": RNG.choice(list("abc"), N),
    "patient": [f"p{k}" for k in RNG.integers(0, 90, N)],
    "day": pd.date_range("2020-01-01", periods=N).strftime("%Y-%m-%d"),
}
TARGETS: dict[str, Any] = {
    "even": np.where(X > 0, "yes", "no"),
    "rare": np.where(X > 1.7, "yes", "no"),
    "three": np.where(X > 2.2, "much", np.where(X > 0, "some", "none")),
    "amount": X * 3 + RNG.normal(size=N),
    "trend": X + np.arange(N) / 300,
    "far": np.where(np.arange(N) == 7, 1e6, X),
    "code": RNG.integers(0, 15, N),
}


def written(
    folder: Path, target: str, columns: tuple[str, ...], rows: int = N
) -> tuple[dict[str, Any], str]:
    """The study file that init writes, read; and its text. It is checked that it can be run."""
    frame = pd.DataFrame({name: COLUMNS[name] for name in columns} | {target: TARGETS[target]})
    frame[:rows].to_csv(folder / "t.csv", index=False)
    place = folder / "s.toml"
    assert run(["init", str(place), "--data", str(folder / "t.csv"), "--target", target]) == 0
    file = load_study_file(place)
    study_data(file.data, file.seed)
    text = place.read_text(encoding="utf-8")
    return tomllib.loads(text), text


@pytest.mark.parametrize(
    ("target", "task", "metric", "why"),
    [
        ("even", "classification", "accuracy", "no class is rare"),
        ("rare", "classification", "roc_auc", "accuracy would say little"),
        ("three", "classification", "balanced_accuracy", "each class counts the same"),
        ("amount", "regression", "rmse", "in the target's own units"),
        ("far", "regression", "mae", "deviations from the mean"),
        ("code", "classification", "accuracy", "15 distinct whole numbers"),
    ],
)
def test_task_and_metric_fit_the_target(
    tmp_path: Path, target: str, task: str, metric: str, why: str
) -> None:
    file, text = written(tmp_path, target, ("x", "job"))
    assert file["data"]["task"] == task
    assert file["objective"]["metric"] == metric
    assert why in " ".join(text.replace("#", "").split())
    assert file["training"].get("loss") == ("huber" if target == "far" else None)
    assert set(file["data"]) == {"path", "target", "task"}


def test_columns_and_rows_are_told(tmp_path: Path) -> None:
    _, text = written(tmp_path, "even", ("x", "job"))
    assert "# Columns: x (numbers), job (3 categories)." in text
    assert "# Read: 1,500 rows of 2 columns and the target." in text


def test_rows_of_one_patient_stay_together(tmp_path: Path) -> None:
    file, text = written(tmp_path, "amount", ("x", "patient"))
    assert file["data"]["groups"] == "patient"
    assert "90 values in 1,500 rows" in text


def test_a_target_that_changes_with_time_is_divided_by_it(tmp_path: Path) -> None:
    file, _ = written(tmp_path, "trend", ("x", "day"))
    assert file["data"]["time"] == "day"


def test_dates_without_drift_are_inputs(tmp_path: Path) -> None:
    file, _ = written(tmp_path, "amount", ("x", "day"))
    assert "time" not in file["data"]


def test_few_rows_are_cross_validated(tmp_path: Path) -> None:
    file, text = written(tmp_path, "amount", ("x", "job"), rows=300)
    assert file["data"]["folds"] == 5
    assert "300 rows are few" in text
