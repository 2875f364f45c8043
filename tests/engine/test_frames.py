"""Studies of data frames, which were never in a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pyarrow as pa
import pytest

from hpsearch import MLPObjective, Model, parse_study_file
from hpsearch.cli.app import run
from hpsearch.data.frames import as_table
from hpsearch.data.load import load_dataset
from hpsearch.engine import run_study
from hpsearch.engine.summary import Summary
from hpsearch.errors import DataError, UsageError
from hpsearch.study_file import StudyFile

pytestmark = pytest.mark.slow

SMALL = """
name = "ducks"
[data]
{data}
[model]
width = 8
depth = 1
[training]
epochs = 2
[search]
strategy = "random"
trials = 2
"""


def study(data: str = 'target = "kind"') -> StudyFile:
    return parse_study_file(SMALL.format(data=data))


def ducks(rows: int = 80, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "mass": rng.normal(2, 0.3, rows).round(3),
            "sex": rng.choice(["m", "f"], rows),
            "seen": pd.date_range("2024-01-03", periods=rows),
            "ring": [f"r{n}" for n in range(rows)],
            "kind": rng.choice(["eider", "mallard"], rows),
        }
    )


class Foreign:
    """A data frame as Polars has it: all that is known is how it gives its columns to Arrow."""

    def __init__(self, frame: pd.DataFrame) -> None:
        table = pa.Table.from_pandas(frame, preserve_index=False)
        views = [pa.string_view() if pa.types.is_large_string(t) else t for t in table.schema.types]
        self.table = table.cast(pa.schema(list(zip(table.column_names, views, strict=True))))

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.table.__arrow_c_stream__(requested_schema)


class Old:
    """A data frame that can only be turned into Arrow's."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self.frame = frame

    def to_arrow(self) -> Any:
        return pa.Table.from_pandas(self.frame, preserve_index=False)


@pytest.mark.parametrize("kind", [pd.DataFrame, Old, Foreign, lambda f: Old(f).to_arrow()])
def test_a_frame_is_the_table_of_its_file(tmp_path: Path, kind: Callable[[Any], Any]) -> None:
    ducks().to_csv(tmp_path / "ducks.csv", index=False)
    of_file = load_dataset(path=tmp_path / "ducks.csv", target="kind")
    of_frame = load_dataset(frame=kind(ducks()), target="kind")
    assert of_frame.fingerprint == of_file.fingerprint
    assert of_frame.account == of_file.account
    assert "identifier" in of_frame.account.columns_dropped["ring"]


def test_a_study_of_a_frame_and_its_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    frame = ducks()

    def searched(data: Any, **more: Any) -> Summary:
        return run_study(study(""), data=data, target="kind", workers=1, baselines=False, **more)

    summary = searched(frame)
    assert summary.test_rows == 16
    assert searched(Foreign(frame)).test == summary.test  # again, nothing is trained
    with pytest.raises(UsageError, match="the data of study 'ducks' has changed"):
        searched(ducks(seed=1))
    with pytest.raises(DataError, match="given in Python"):
        run_study(study(), workers=1)

    assert run(["best", "ducks", "--export", "m.npz"]) == 0
    assert run(["best", "ducks", "--ensemble", "2", "-w", "1"]) == 2
    assert (
        "data of study 'ducks' cannot be read again: the study names no data, which are given"
        in (" ".join(capsys.readouterr().err.split()))
    )
    assert run(["advise", "ducks"]) == 0
    assert "names no data, which are given in Python" in " ".join(capsys.readouterr().out.split())

    model = Model.load("m.npz")
    assert (model.target, model.metric.name) == ("kind", "accuracy")
    frame.to_csv("ducks.csv", index=False)
    assert run(["predict", "m.npz", "ducks.csv", "--proba"]) == 0
    lines = [line.split(",") for line in capsys.readouterr().out.splitlines()[1:]]
    mixed = frame[["ring", "seen", "sex", "mass"]]
    assert [line[1] for line in lines] == model.predict(mixed).tolist()
    np.testing.assert_allclose(
        np.array([line[3:] for line in lines], float),
        model.predict_proba(Foreign(mixed)),
        atol=1e-6,
    )
    with pytest.raises(DataError, match="the data frame has no column 'sex'"):
        model.predict(frame[["mass", "seen"]])


def test_a_file_without_data_is_for_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("ducks.toml").write_text(SMALL.format(data='target = "kind"'))
    for command in ("run", "check"):
        assert run([command, "ducks.toml"]) == 2
        err = " ".join(capsys.readouterr().err.split())
        assert "the study names no data, which are given in Python" in err
    assert not Path("hpsearch.db").exists() or run(["best", "ducks"]) == 2


@pytest.mark.parametrize(
    ("data", "given", "words"),
    [
        ('name = "iris"', {"data": ducks()}, r"the study has \[data\] name"),
        ('path = "t.csv"', {"data": ducks()}, r"the study has \[data\] path"),
        ('target = "kind"', {"data": ducks(), "target": "sex"}, "the target 'kind', and 'sex'"),
        ('target = "kind"', {"target": "kind"}, "data, which are not given"),
        ('target = "kind"', {"data": np.eye(3)}, "must be a data frame .* type ndarray"),
        ('target = "kin"', {"data": ducks()}, "did you mean 'kind'"),
        ("", {"data": ducks(), "target": ducks()["kind"]}, "and not Series; put the labels into"),
        ('target = "kind"', {"data": ducks(), "target": ducks()["kind"]}, "and not Series"),
        ('target = "kind"\nsheet = "a"', {"data": ducks()}, "has no sheets"),
        ('target = "kind"\nexclude = ["mas"]', {"data": ducks()}, "did you mean 'mass'"),
    ],
)
def test_what_does_not_fit_a_frame_is_a_sentence(
    tmp_path: Path, data: str, given: dict[str, Any], words: str
) -> None:
    with pytest.raises((UsageError, DataError), match=words):
        run_study(study(data), storage=str(tmp_path / "s.db"), workers=1, **given)


@pytest.mark.parametrize(
    "cells", [[1, "a", 2.5], [object(), object(), None], [2**70, 1, 2], [1j, 2j, 3j]]
)
def test_objects_of_odd_types_are_told_by_their_column(cells: list[Any]) -> None:
    frame = pd.DataFrame({"a": [1, 2, 3], "odd": pd.Series(cells)})
    with pytest.raises(DataError, match="column 'odd' holds objects that are of no one type"):
        as_table("the data frame", frame)


def test_names_of_columns_that_are_no_text_or_there_twice() -> None:
    assert as_table("f", pd.DataFrame([[1, 2]], columns=[0, ("x", 1)])).column_names == [
        "0",
        "('x', 1)",
    ]
    with pytest.raises(DataError, match="2 columns named 'a'"):
        as_table("f", pd.DataFrame([[1, 2]], columns=["a", "a"]))
    with pytest.raises(DataError, match="has no rows"):
        as_table("f", pd.DataFrame({"a": []}))


def test_the_objective_takes_a_frame_with_its_target() -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    objective = MLPObjective(ducks(), target="kind", epochs=2)
    assert objective.data.categories == {1: ("f", "m")}
    found = optuna.create_study(direction="maximize")
    found.optimize(objective, n_trials=2)
    assert 0 <= found.best_value <= 1
    with pytest.raises(UsageError, match="either y or target"):
        MLPObjective(ducks())
