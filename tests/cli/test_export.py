"""`hpsearch export`: what it writes, and what it says where it cannot."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import optuna
import pandas as pd
import pytest

from hpsearch.cli.app import run
from hpsearch.engine import run_study
from hpsearch.engine.ensemble import make_ensemble
from hpsearch.storage import load_study, open_storage
from hpsearch.study_file import parse_study_file
from hpsearch.training.model import Model

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"  # before anything imports mlflow

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # MLflow's own, of its libraries
]

STUDY = """
name = "flowers"
[data]
name = "iris"
[training]
epochs = 3
[search]
trials = 6
"""

FUNCTION = """
name = "function"
[objective]
function = "train:objective"
metric = "loss"
direction = "minimize"
[space]
x = { low = 0.0, high = 1.0 }
"""

Export = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / "studies.db"
    run_study(parse_study_file(STUDY), storage=str(path), workers=1)
    make_ensemble("flowers", 2, storage=str(path), workers=1)
    with open_storage(str(path)) as store:
        study = optuna.create_study(storage=store, study_name="foreign")
        study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=2)
    return path


@pytest.fixture
def export(
    database: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Export:
    """Runs the command in an empty folder; gives its exit code and what it says."""
    monkeypatch.chdir(tmp_path)

    def command(name: str, to: str, out: str, *more: str) -> tuple[int, str]:
        words = ["export", name, "--to", to, "-o", out, "--storage", str(database), *more]
        code = run(words)
        printed, said = capsys.readouterr()
        assert printed == ""
        return code, said

    return command


@pytest.mark.parametrize("name", ["flowers", "foreign"])
def test_tables(export: Export, name: str) -> None:
    assert export(name, "csv", "t.csv")[0] == 0
    assert export(name, "parquet", "t.parquet")[0] == 0
    numbers = pd.read_csv("t.csv")["number"].tolist()
    assert numbers == pd.read_parquet("t.parquet")["number"].tolist() == list(range(len(numbers)))


@pytest.mark.parametrize("to", ["csv", "parquet", "onnx", "tensorboard"])
def test_what_is_there_is_replaced_by_force_only(export: Export, to: str) -> None:
    assert export("flowers", to, "out")[0] == 0
    code, said = export("flowers", to, "out")
    assert code == 2
    assert "--force replaces" in said
    assert export("flowers", to, "out", "--force")[0] == 0


def test_mlflow_is_added_to(export: Export) -> None:
    code, said = export("flowers", "mlflow", "runs")
    assert (code, said.split(" to ")[0]) == (0, "added 6 trials")
    assert "mlflow ui --backend-store-uri sqlite:///" in said
    assert export("flowers", "mlflow", "runs")[1].startswith("added 0 trials")
    hint = export("flowers", "tensorboard", "it's")[1].partition("next: ")[2]
    assert shlex.split(hint) == ["tensorboard", "--logdir", "it's"]
    assert sorted(path.name for path in Path("runs").iterdir()) == ["artifacts", "mlflow.db"]


@pytest.mark.parametrize("more", [(), ("--ensemble", "2")])
def test_the_network_and_the_ensemble(
    export: Export, database: Path, more: tuple[str, ...]
) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    import numpy as np
    from sklearn.datasets import load_iris

    assert export("flowers", "onnx", "m.onnx", *more)[0] == 0
    words = ["best", "flowers", "--storage", str(database), "--export", "m.npz"]
    assert run([*words, *more, *(["--workers", "1"] if more else [])]) == 0
    model = Model.load("m.npz")
    assert len(model.members) == (2 if more else 1)
    X = load_iris().data.astype(np.float32)
    session = onnxruntime.InferenceSession("m.onnx", providers=["CPUExecutionProvider"])
    labels, probabilities = session.run(None, {"columns": X})
    np.testing.assert_allclose(probabilities, model.predict_proba(X), atol=1e-5)
    assert (labels == model.predict(X)).all()


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (
            ("flowers", "onnx", "m.onnx", "--ensemble", "5"),
            2,
            "no ensemble of 5, but of 2; `hpsearch best",
        ),
        (("flowers", "csv", "t.csv", "--ensemble", "2"), 2, "--ensemble is for --to onnx"),
        (("foreign", "onnx", "m.onnx"), 1, "was not made by hpsearch, which has no network"),
        (("flower", "csv", "t.csv"), 2, "did you mean 'flowers'"),
        (("flowers", "csv", "no/t.csv"), 2, "cannot write no/t.csv"),
        (("flowers", "xls", "t.xls"), 2, "Invalid value for '--to'"),
        (("flowers", "mlflow", ""), 2, "-o is empty; name where to write"),
    ],
)
def test_what_cannot_be_written_is_a_sentence(
    export: Export, words: tuple[str, ...], code: int, sentence: str
) -> None:
    left, said = export(*words)
    assert left == code
    assert sentence in " ".join(said.split())
    assert not list(Path().iterdir())


@pytest.mark.parametrize("to", ["mlflow", "tensorboard", "onnx"])
def test_a_package_that_is_missing_is_a_sentence(
    export: Export, monkeypatch: pytest.MonkeyPatch, to: str
) -> None:
    monkeypatch.setitem(sys.modules, to, None)
    code, said = export("flowers", to, "out")
    assert code == 2
    assert "pip install 'hpsearch[export]'" in said
    assert not Path("out").exists()


def test_a_study_that_is_not_finished_has_no_network(export: Export, database: Path) -> None:
    with open_storage(str(database), create=False) as store:
        study = load_study(store, "flowers")
        begun = optuna.create_study(storage=store, study_name="begun")
        for key in ("study file", "measure"):
            begun.set_user_attr(f"hpsearch:{key}", study.user_attrs[f"hpsearch:{key}"])
    code, said = export("begun", "onnx", "m.onnx")
    assert code == 1
    assert "has no tested network yet" in said
    assert export("begun", "csv", "t.csv")[0] == 0


def test_a_function_has_trials_and_no_network(export: Export, database: Path) -> None:
    file = parse_study_file(FUNCTION)
    with open_storage(str(database), create=False) as store:
        study = optuna.create_study(storage=store, study_name="function", direction="minimize")
        study.set_user_attr("hpsearch:study file", json.dumps(file.model_dump(mode="json")))
        about = {"name": "loss", "direction": "minimize", "bounds": [None, None]}
        study.set_user_attr("hpsearch:measure", json.dumps(about))
        study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=2)
    code, said = export("function", "onnx", "m.onnx")
    assert code == 1
    assert "trains no model of hpsearch's" in said
    for to in ("csv", "parquet", "tensorboard", "mlflow"):
        assert export("function", to, to)[0] == 0
    assert pd.read_csv("csv")["loss"].notna().all()
