"""Runs in MLflow, read back with its own client."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hpsearch.errors import RunError, UsageError
from hpsearch.export import to_mlflow as module
from hpsearch.export.to_mlflow import to_mlflow, tracking_uri
from hpsearch.plots import StudyView, read_view
from hpsearch.storage import WriteBehindStorage

pytest.importorskip("mlflow")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # MLflow's own, of its libraries
]


@pytest.fixture
def flowers(store: WriteBehindStorage) -> StudyView:
    return read_view(store, "flowers")


class Read:
    """What MLflow's client finds in a folder."""

    def __init__(self, place: str, name: str) -> None:
        from mlflow import MlflowClient

        self.client = MlflowClient(tracking_uri(place))
        experiment = self.client.get_experiment_by_name(name)
        runs = self.client.search_runs([experiment.experiment_id])
        inner = [run for run in runs if "mlflow.parentRunId" in run.data.tags]
        [self.parent] = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
        assert {run.data.tags["mlflow.parentRunId"] for run in inner} <= {self.parent.info.run_id}
        self.trials = {int(run.data.tags["hpsearch.number"]): run for run in inner}
        assert len(self.trials) == len(inner)

    def curve(self, number: int, key: str) -> dict[int, float]:
        history = self.client.get_metric_history(self.trials[number].info.run_id, key)
        assert len({metric.step for metric in history}) == len(history)
        return {metric.step: metric.value for metric in history}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of MLflow without any run, since to make one takes two seconds."""
    from mlflow import MlflowClient

    folder = tmp_path_factory.mktemp("mlflow")
    MlflowClient(tracking_uri(str(folder))).search_experiments()
    return folder / "mlflow.db"


@pytest.fixture
def place(template: Path, tmp_path: Path) -> str:
    (tmp_path / "mlflow.db").write_bytes(template.read_bytes())
    return str(tmp_path)


def test_each_trial_is_a_run_within_the_studys(flowers: StudyView, place: str) -> None:
    assert to_mlflow(flowers, place, "name = 'flowers'\n") == 8
    found = Read(place, "flowers")
    assert set(found.trials) == {row.number for row in flowers.trials}
    for row in flowers.trials:
        assert row.slot is not None
        run = found.trials[row.number]
        assert run.data.params == {k: str(v) for k, v in row.configuration.items()}
        assert run.data.metrics["accuracy"] == row.score
        assert run.data.metrics["f1_macro"] == row.also["f1_macro"]
        assert found.curve(row.number, "accuracy_curve") == dict(row.curve)
        losses = {k: v for k, v in enumerate(row.train_losses, start=1) if math.isfinite(v)}
        assert found.curve(row.number, "train_loss") == losses
        tags = run.data.tags
        assert tags["hpsearch.state"] == row.state
        assert tags["hpsearch.stage"] == str(row.stage)
        assert tags["hpsearch.seed"] == str(row.slot.seed)
        assert tags["hpsearch.worker"] == row.worker
        assert tags["hpsearch.with.hpsearch"] == flowers.environments[-1]["hpsearch"]
        assert (tags.get("hpsearch.winner") == "true") == (row.number == flowers.summary.winner)
        assert row.started is not None
        assert run.info.start_time == int(row.started.timestamp() * 1000)
        assert run.info.status == {"complete": "FINISHED", "pruned": "KILLED"}[row.state]


def test_the_studys_run_has_the_test_and_the_study_file(flowers: StudyView, place: str) -> None:
    to_mlflow(flowers, place, "name = 'flowers'\n")
    found = Read(place, "flowers")
    metrics, summary = found.parent.data.metrics, flowers.summary
    assert metrics["test_accuracy"] == summary.test
    assert metrics["accuracy"] == summary.validation
    assert (metrics["test_accuracy_low"], metrics["test_accuracy_high"]) == summary.test_interval
    assert found.parent.data.tags["hpsearch.winner"] == str(summary.winner)
    path = found.client.download_artifacts(found.parent.info.run_id, "study.toml")
    assert Path(path).read_text(encoding="utf-8") == "name = 'flowers'\n"


def test_again_adds_nothing_twice(flowers: StudyView, place: str) -> None:
    to_mlflow(flowers, place)
    before = Read(place, "flowers")
    assert to_mlflow(flowers, place) == 0
    after = Read(place, "flowers")
    assert after.parent.data.metrics == before.parent.data.metrics
    for number, run in before.trials.items():
        assert after.trials[number].info.run_id == run.info.run_id
        assert after.curve(number, "train_loss") == before.curve(number, "train_loss")
    history = after.client.get_metric_history(after.parent.info.run_id, "test_accuracy")
    assert len(history) == 1


def test_a_study_that_went_on_has_its_new_trials_and_winner(flowers: StudyView, place: str) -> None:
    rows = flowers.summary.rows
    some = replace(flowers.summary, rows=rows[:5], winner=rows[1].number, test=0.5)
    assert to_mlflow(replace(flowers, summary=some), place) == 5
    assert to_mlflow(flowers, place) == 3
    found = Read(place, "flowers")
    assert len(found.trials) == 8
    winners = [n for n, r in found.trials.items() if r.data.tags.get("hpsearch.winner") == "true"]
    assert winners == [flowers.summary.winner]
    assert found.parent.data.metrics["test_accuracy"] == flowers.summary.test


def test_an_interrupted_export_is_finished(
    flowers: StudyView, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "set_terminated", interrupted)
        with pytest.raises(KeyboardInterrupt):
            to_mlflow(flowers, place)
    assert to_mlflow(flowers, place) == 8
    found = Read(place, "flowers")
    assert len(found.trials) == 8
    assert all(run.info.status != "RUNNING" for run in found.trials.values())
    assert found.curve(0, "train_loss")


@pytest.mark.parametrize(("name", "count"), [("foreign", 6), ("several", 2), ("empty", 0)])
def test_studies_of_others(store: WriteBehindStorage, place: str, name: str, count: int) -> None:
    assert to_mlflow(read_view(store, name), place) == count
    found = Read(place, name)
    assert len(found.trials) == count
    if name == "foreign":
        assert set(found.trials[0].data.params) == {"x_y", "n", "flag", "mixed"}
        assert found.trials[0].data.metrics["objective value"] < 1
        states = {run.info.status for run in found.trials.values()}
        assert states == {"FINISHED", "KILLED", "FAILED"}
    if name == "several":
        assert found.trials[0].data.metrics["values_1"] == 0.5


def test_another_study_of_the_name_is_refused(flowers: StudyView, place: str) -> None:
    to_mlflow(flowers, place)
    rows = tuple(replace(row, number=row.number + 100) for row in flowers.summary.rows)
    other = replace(flowers, summary=replace(flowers.summary, rows=rows))
    with pytest.raises(UsageError, match="MLflow has another study 'flowers'"):
        to_mlflow(other, place)


def test_a_server_that_is_not_there_is_a_sentence_without_its_password(
    flowers: StudyView, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(RunError, match=r"MLflow cannot be written to at http://127\.0\.0\.1") as no:
        to_mlflow(flowers, "http://me:secret@127.0.0.1:1/")
    assert "secret" not in str(no.value)


def test_a_database_without_its_driver_is_a_sentence(flowers: StudyView) -> None:
    with pytest.raises(UsageError, match="the package 'MySQLdb' is not installed, which mysql:"):
        to_mlflow(flowers, "mysql://me:secret@127.0.0.1:1/runs")


def test_a_place_that_is_a_file_is_a_sentence(flowers: StudyView, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot write to"):
        to_mlflow(flowers, str(tmp_path / "file"))


def test_names_that_mlflow_refuses_get_others() -> None:
    keys = module._keys(["a/b", "a:b", "a_b", "..", "", "x" * 300, "../e", ".e"])
    assert list(keys.values()) == ["a_b", "a_b_2", "a_b_3", "__", "_", "x" * 250, "___e", ".e"]


def test_a_folder_may_have_any_name(flowers: StudyView, template: Path, tmp_path: Path) -> None:
    place = tmp_path / "a b/100%20 #1?x='y'"
    place.mkdir(parents=True)
    (place / "mlflow.db").write_bytes(template.read_bytes())
    assert to_mlflow(flowers, str(place)) == len(Read(str(place), "flowers").trials)


def test_a_database_that_cannot_be_opened_is_a_sentence(flowers: StudyView, tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").mkdir()
    with pytest.raises(RunError, match="MLflow cannot be written to at "):
        to_mlflow(flowers, str(tmp_path))
