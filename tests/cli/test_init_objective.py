"""`hpsearch init --objective` writes an example of each kind, which runs as it is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from sklearn.datasets import load_diabetes

from hpsearch.cli.app import run
from hpsearch.study_file import load_study_file


def hpsearch(folder: Path, *words: str) -> str:
    """What a command of its own process prints: modules of one name would be taken for another."""
    done = subprocess.run(
        [sys.executable, "-m", "hpsearch", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["function", "command", "estimator"])
def test_what_it_writes_is_checked_and_run(kind: str, tmp_path: Path) -> None:
    hpsearch(tmp_path, "init", "--objective", kind)
    beside = set() if kind == "estimator" else {"train.py"}
    assert {path.name for path in tmp_path.iterdir()} == {"study.toml", *beside}
    for path in tmp_path.iterdir():
        assert max(map(len, path.read_text().splitlines())) <= 100
    hpsearch(tmp_path, "check", "study.toml")
    found = json.loads(hpsearch(tmp_path, "run", "study.toml", "--no-baselines", "--json"))
    assert found["states"] == {"complete": 40}
    assert found["stages"][0]["epochs"] < found["stages"][-1]["epochs"]
    if kind != "estimator":
        assert found["metric"] == "loss"
        assert found["validation"] < 0.3
        assert found["best"]["rule"] in ("plain", "momentum")


@pytest.mark.slow
def test_an_estimator_for_a_table(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    load_diabetes(as_frame=True).frame.to_csv(tmp_path / "t.csv", index=False)
    given = ["--objective", "estimator", "--data", str(tmp_path / "t.csv")]
    assert run(["init", str(path), *given]) == 0
    study = load_study_file(path)
    assert study.objective.estimator == "sklearn.ensemble.RandomForestRegressor"
    assert study.objective.metric == "rmse"
    assert study.data.path == str(tmp_path / "t.csv")
    assert "# Columns: age (numbers)" in path.read_text()
    frame = pd.DataFrame({"x": range(100), "y": ["a", "b"] * 50})
    frame.to_csv(tmp_path / "c.csv", index=False)
    given = ["--objective", "estimator", "--data", str(tmp_path / "c.csv"), "--force"]
    assert run(["init", str(path), *given]) == 0
    estimator = load_study_file(path).objective.estimator
    assert estimator == "sklearn.ensemble.RandomForestClassifier"


@pytest.mark.parametrize("there", ["s.toml", "train.py"])
def test_nothing_is_replaced_unasked(
    there: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / there).write_text("mine")
    command = ["init", str(tmp_path / "s.toml"), "--objective", "function"]
    assert run(command) == 2
    assert f"{there} is there already; --force replaces it" in capsys.readouterr().err
    assert [path.read_text() for path in tmp_path.iterdir()] == ["mine"]
    assert run([*command, "--force"]) == 0
    assert load_study_file(tmp_path / "s.toml").name == "s"


def test_a_function_has_no_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["init", str(tmp_path / "s.toml"), "--objective", "command", "--data", "iris"]
    assert run(command) == 2
    assert "--data and --target are for rows, and a command has none" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
