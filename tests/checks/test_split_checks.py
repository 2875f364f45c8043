"""What is found wrong with how rows were divided, and what is not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from hpsearch.checks.split_checks import (
    drift,
    groups_apart,
    near_duplicates,
    order_in_time,
    parts_said,
)
from hpsearch.checks.suggestion import suggestions
from hpsearch.data import Dataset, DividingColumns, Split, make_splits
from hpsearch.data.said import Said
from hpsearch.data.tabular import dataset_from_table

N = 400
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, 4))
COLUMNS: dict[str, Any] = {
    "patient_id": [f"p{k}" for k in RNG.integers(0, 60, N)],
    "userId": RNG.integers(0, 60, N),
    "colour": [f"c{k}" for k in RNG.integers(0, 60, N)],
    "row_id": np.arange(N),
    "batch": RNG.integers(0, 4, N),
    "day": [f"2024-{1 + k // 40:02}-{1 + k % 28:02}" for k in range(N)],
    "level": RNG.integers(0, 60, N),
    "split": np.resize(["train", "train", "Test"], N),
    "fold": np.resize(["train", "train", "other"], N),
    "set": np.resize(["training", "val", "test"], N),
    "mode": np.resize(["train", "bus"], N),
}


def made(
    *names: str, y: Any = None, dividing: DividingColumns | None = None
) -> tuple[Dataset, Split]:
    columns = {f"x{k}": X[:, k] for k in range(4)} | {name: COLUMNS[name] for name in names}
    y = np.resize(["no", "yes"], N) if y is None else y
    data = dataset_from_table(
        "t", pa.table(columns | {"y": y}), "y", Said(dividing=dividing or DividingColumns())
    )
    kind = "group" if dividing and dividing.groups else "stratified"
    return data, make_splits(data.y, kind=kind, division=data.division, seed=0)[0]


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["patient_id"], "patient_id"),
        (["userId"], "userId"),
        (["colour"], None),  # a category, whatever it holds
        (["level"], None),
        (["row_id"], None),  # each value once
        (["batch"], None),  # four values are a category
    ],
)
def test_names_that_repeat_on_two_sides_are_asked_about(
    names: list[str], found: str | None
) -> None:
    check = groups_apart(*made(*names))
    assert check.verdict == ("pass" if found is None else "warn")
    if found is not None:
        assert f'set [data] groups = "{found}"' in check.advice


def test_groups_that_are_named_are_apart() -> None:
    assert (
        groups_apart(*made("patient_id", dividing=DividingColumns("patient_id"))).verdict == "pass"
    )


@pytest.mark.parametrize(
    ("name", "says"), [("split", True), ("set", True), ("fold", False), ("mode", False)]
)
def test_a_column_that_says_the_parts_is_asked_about_until_it_is_named(
    name: str, says: bool
) -> None:
    data, _ = made(name)
    check = parts_said(data)
    assert (check is not None) == says
    told = [s for s in suggestions(data) if (s.key, s.value) == ("parts", name)]
    assert len(told) == says
    if check is not None:
        assert f'set [data] parts = "{name}"' in check.advice
        named, _ = made(name, dividing=DividingColumns(parts=name))
        assert parts_said(named) is None


def test_dates_are_asked_about_until_they_are_named() -> None:
    data, _ = made("day")
    assert order_in_time(data).verdict == "warn"
    assert 'set [data] time = "day"' in order_in_time(data).advice
    named, _ = made("day", dividing=DividingColumns(time="day"))
    assert order_in_time(named).verdict == "pass"
    assert order_in_time(made()[0]).verdict == "pass"


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("kind", ["classes", "numbers"])
@pytest.mark.parametrize("drifts", [False, True])
def test_a_target_that_changes_with_time_is_told(named: bool, kind: str, drifts: bool) -> None:
    values = np.arange(N) / N * drifts + RNG.normal(size=N) * 0.3
    y = values if kind == "numbers" else np.where(values > np.median(values), "high", "low")
    dividing = DividingColumns(time="day") if named else None
    check = drift(*made("day", y=y, dividing=dividing))
    assert check is not None
    assert check.verdict == ("warn" if drifts else "pass")
    assert ("rank correlation" in check.found) == (kind == "numbers")


def test_without_times_there_is_no_drift_to_look_for() -> None:
    assert drift(*made()) is None


@pytest.mark.parametrize(("copies", "verdict"), [(0, "pass"), (40, "warn")])
def test_rows_that_were_retouched_are_found(copies: int, verdict: str) -> None:
    rows = RNG.normal(size=(N, 6))
    rows[N - copies :] = rows[:copies] + RNG.normal(size=(copies, 6)) * 1e-3
    data = Dataset.from_arrays("t", rows, np.resize([0, 1], N))
    check = near_duplicates(data, make_splits(data.y, seed=1)[0], seed=0)
    assert check.verdict == verdict


def test_a_grid_of_few_columns_has_no_near_duplicates_by_chance() -> None:
    data = Dataset.from_arrays("t", RNG.normal(size=(N, 2)), np.resize([0, 1], N))
    assert near_duplicates(data, make_splits(data.y, seed=1)[0], seed=0).verdict == "pass"


def test_a_sample_keeps_its_suspects() -> None:
    data, _ = made("patient_id")
    few = data.sample(100)
    assert len(few.suspects["patient_id"].values) == len(few.y) == 100
