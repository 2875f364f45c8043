"""Studies to export: one of hpsearch's, finished, and some that others made."""

from __future__ import annotations

import os
from pathlib import Path

import optuna
import pytest

from hpsearch.engine import run_study
from hpsearch.storage import WriteBehindStorage, open_storage
from hpsearch.study_file import parse_study_file

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"  # before anything imports mlflow

STUDY = """
name = "flowers"
[data]
name = "iris"
[objective]
also = ["f1_macro"]
[model]
width = { low = 4, high = 16, log = true }
activation = { choices = ["relu", "tanh"] }
[training]
epochs = 4
optimizer = { choices = ["momentum", "adam"] }
momentum = { low = 0.5, high = 0.95, when = { optimizer = "momentum" } }
[search]
trials = 8
"""


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of hpsearch (flowers), and of Optuna alone (foreign, several, empty)."""
    path = tmp_path_factory.mktemp("export") / "studies.db"
    run_study(parse_study_file(STUDY), storage=str(path), workers=1)
    with open_storage(str(path)) as store:
        drawn = optuna.samplers.RandomSampler(seed=0)
        foreign = optuna.create_study(storage=store, study_name="foreign", sampler=drawn)
        foreign.optimize(_objective, n_trials=6, catch=ValueError)
        foreign.ask()
        several = optuna.create_study(
            storage=store, study_name="several", directions=["minimize", "maximize"]
        )
        several.optimize(lambda trial: (trial.suggest_int("n", 1, 3), 0.5), n_trials=2)
        optuna.create_study(storage=store, study_name="empty")
    return path


def _objective(trial: optuna.Trial) -> float:
    """Whole numbers, numbers, truth values, mixed choices; a failure, and one that is pruned."""
    x = trial.suggest_float("x/y", 0, 1)
    trial.suggest_int("n", 1, 3)
    trial.suggest_categorical("flag", [True, False])
    trial.suggest_categorical("mixed", ["a", 1, None])
    trial.report(x, 0)
    if trial.number == 2:
        raise ValueError("of no use")
    if trial.number == 3:
        raise optuna.TrialPruned
    return x


@pytest.fixture
def store(database: Path) -> WriteBehindStorage:
    return open_storage(str(database), create=False)
