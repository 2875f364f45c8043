"""Names that others gave: every export takes them, and none of its readers obeys them."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import optuna
import pandas as pd
import pytest
from nasty import NASTY, is_shown

from hpsearch.engine import summarize
from hpsearch.export.to_mlflow import to_mlflow
from hpsearch.export.to_table import csv_bytes, parquet_bytes
from hpsearch.export.to_tensorboard import to_tensorboard
from hpsearch.plots import read_view
from hpsearch.storage import WriteBehindStorage, load_study, open_storage

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # MLflow's own, of its libraries
]


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> WriteBehindStorage:
    """Studies, parameters, choices and attributes of such names; infinite and missing values."""
    store = open_storage(str(tmp_path_factory.mktemp("odd") / "odd.db"))
    infinite = optuna.create_trial(value=float("inf"), intermediate_values={0: float("nan")})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in NASTY:
            study = optuna.create_study(storage=store, study_name=name)
            study.set_metric_names([name or "x"])
            study.add_trial(
                optuna.create_trial(
                    value=0.5,
                    params={name: 0.5, f"{name}c": name},
                    distributions={
                        name: optuna.distributions.FloatDistribution(0, 1),
                        f"{name}c": optuna.distributions.CategoricalDistribution(
                            [name, {"a": name}]
                        ),
                    },
                    user_attrs={"stage": name, "worker": name, "error": name},
                )
            )
            study.add_trial(infinite)
    store.flush()
    return store


@pytest.mark.parametrize("name", NASTY)
def test_tables(odd: WriteBehindStorage, name: str) -> None:
    summary = summarize(load_study(odd, name))
    content = csv_bytes(summary)
    assert is_shown(content.decode())
    assert len(pd.read_csv(io.BytesIO(content))) == 2
    assert len(pd.read_parquet(io.BytesIO(parquet_bytes(summary)))) == 2


@pytest.mark.parametrize("name", NASTY)
def test_tensorboard(odd: WriteBehindStorage, tmp_path: Path, name: str) -> None:
    pytest.importorskip("tensorboard")
    assert to_tensorboard(read_view(odd, name), tmp_path) == 2


def test_mlflow(odd: WriteBehindStorage, tmp_path: Path) -> None:
    pytest.importorskip("mlflow")
    for name in NASTY:
        assert to_mlflow(read_view(odd, name), str(tmp_path)) == 2, name
        assert to_mlflow(read_view(odd, name), str(tmp_path)) == 0, name
