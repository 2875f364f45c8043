"""Tables of trials, read back with pandas."""

from __future__ import annotations

import io
from dataclasses import replace

import pandas as pd
import pytest

from hpsearch.engine import Summary, summarize
from hpsearch.export.to_table import csv_bytes, parquet_bytes, trials_table
from hpsearch.storage import WriteBehindStorage, load_study

pytestmark = pytest.mark.slow

PARTS = slice(0, 8), slice(8, -7), slice(-7, None)


def summary(store: WriteBehindStorage, name: str) -> Summary:
    return summarize(load_study(store, name))


def from_parquet(made: Summary) -> pd.DataFrame:
    return pd.read_parquet(io.BytesIO(parquet_bytes(made)))


def test_each_trial_is_a_row(store: WriteBehindStorage) -> None:
    made = summary(store, "flowers")
    table = from_parquet(made)
    assert table["number"].tolist() == sorted(row.number for row in made.rows)
    first, parameters, last = (list(table.columns[part]) for part in PARTS)
    assert first == ["number", "state", "stage", "slot", "seed", "epochs", "accuracy", "f1_macro"]
    names = {name for row in made.rows for name in row.configuration}
    assert sorted(parameters) == sorted(f"params_{name}" for name in names)
    assert {"momentum", "width"} < names
    assert last == ["seconds", "started", "completed", "worker", "findings", "why", "winner"]
    by_number = table.set_index("number")
    for row in made.rows:
        assert row.slot is not None
        read = by_number.loc[row.number]
        assert read["accuracy"] == row.score
        assert read["f1_macro"] == row.also["f1_macro"]
        assert read["seed"] == row.slot.seed
        assert read["stage"] == str(row.stage)
        assert read["params_width"] == row.configuration["width"]
        assert read["started"] == row.started
        momentum = row.configuration.get("momentum")
        assert read["params_momentum"] == momentum or pd.isna(read["params_momentum"])
    assert table.loc[table["winner"], "number"].tolist() == [made.winner]


@pytest.mark.parametrize("name", ["flowers", "foreign", "several", "empty"])
def test_both_kinds_of_file_read_back_as_the_table(store: WriteBehindStorage, name: str) -> None:
    table = trials_table(summary(store, name))
    pd.testing.assert_frame_equal(from_parquet(summary(store, name)), table)
    read = pd.read_csv(io.BytesIO(csv_bytes(summary(store, name)))).astype(table.dtypes.to_dict())
    pd.testing.assert_frame_equal(read, table)


def test_columns_have_the_types_of_their_values(store: WriteBehindStorage) -> None:
    table = trials_table(summary(store, "foreign"))
    kinds = {str(name): str(kind) for name, kind in table.dtypes.items()}
    assert kinds["params_x/y"] == kinds["objective value"] == "Float64"
    assert kinds["params_n"] == "Int64"
    assert kinds["params_flag"] == "boolean"
    assert kinds["params_mixed"] == "string"
    assert kinds["started"] == "datetime64[us]"
    assert set(table["params_mixed"].dropna()) <= {"a", "1"}


def test_a_trial_of_others_has_what_it_has(store: WriteBehindStorage) -> None:
    table = trials_table(summary(store, "foreign"))
    assert table["state"].value_counts().to_dict() == {
        "complete": 4,
        "pruned": 1,
        "fail": 1,
        "running": 1,
    }
    assert table.loc[table["state"] == "fail", "objective value"].isna().all()
    assert table["stage"].isna().all()
    assert not table["winner"].any()


def test_several_values_are_numbered(store: WriteBehindStorage) -> None:
    table = trials_table(summary(store, "several"))
    assert table["values_1"].tolist() == [0.5, 0.5]
    assert (table["values_0"] == table["params_n"]).all()


def test_no_column_takes_the_place_of_another(store: WriteBehindStorage) -> None:
    made = summary(store, "flowers")
    table = trials_table(replace(made, measure=replace(made.measure, name="params_width")))
    scores = {row.number: row.score for row in made.rows}
    assert table["metric_params_width"].tolist() == [scores[n] for n in table["number"]]
    assert table["params_width"].tolist() == trials_table(made)["params_width"].tolist()


def test_a_study_without_trials_is_a_header(store: WriteBehindStorage) -> None:
    [header] = csv_bytes(summary(store, "empty")).decode().splitlines()
    assert header.startswith("number,state,")
