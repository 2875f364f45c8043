"""A study on a cluster of Dask workers."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hpsearch.engine import cluster, run_study
from hpsearch.engine.cluster import cluster_executor
from hpsearch.engine.events import TrialDone
from hpsearch.errors import RunError, UsageError
from hpsearch.storage import load_study, open_storage
from hpsearch.study_file import parse_study_file

distributed = pytest.importorskip("distributed")

# Dask's own: what it leaves open when a worker is killed under it.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

STUDY = parse_study_file(
    """
name = "s"
seed = 3
[data]
name = "digits"
[model]
width = { low = 16, high = 64, log = true }
depth = 1
[training]
epochs = 10
[search]
trials = 24
"""
)


@pytest.fixture(scope="module")
def dask() -> Iterator[Any]:
    """Two worker processes on this machine."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0", host="127.0.0.1"
    ) as local:
        yield local


def address(dask: Any) -> str:
    return str(dask.scheduler_address).replace("tcp://", "dask://")


def essence(storage: str) -> list[Any]:
    trials = load_study(open_storage(storage), "s").trials
    return [(t.number, t.params, t.values, t.intermediate_values, t.state) for t in trials]


def test_a_killed_worker_costs_nothing_but_time(dask: Any, tmp_path: Path) -> None:
    here, there = str(tmp_path / "here.db"), str(tmp_path / "there.db")
    run_study(STUDY, storage=here, workers=2)
    killed = []

    def kill_one(event: object) -> None:
        if isinstance(event, TrialDone) and event.slot.index == 3 and not killed:
            killed.append(next(iter(dask.workers.values())).process.pid)
            os.kill(killed[0], signal.SIGKILL)

    summary = run_study(STUDY, storage=there, executor=address(dask), on_event=kill_one)
    assert killed
    assert summary.test_accuracy is not None
    assert essence(there) == essence(here)


def test_the_data_leaves_with_the_study(dask: Any, tmp_path: Path) -> None:
    import tempfile

    run_study(STUDY, storage=str(tmp_path / "s.db"), executor=address(dask))
    assert list(Path(tempfile.gettempdir()).glob("hpsearch-dask-*")) == []


@pytest.mark.parametrize(
    "wrong", ["dask://", "dask://host", "tcp://h:1", "dask://h:port", "", "ray://h:1"]
)
def test_what_is_no_address_is_refused(wrong: str) -> None:
    with pytest.raises(UsageError, match="is no executor; give dask://HOST:PORT"):
        cluster_executor(wrong).__enter__()


def test_workers_and_executor_exclude_each_other() -> None:
    with pytest.raises(UsageError, match="give workers or executor"):
        run_study(STUDY, workers=1, executor="dask://127.0.0.1:1")


def test_no_scheduler_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "PATIENCE", 0.5)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(RunError, match=r"no Dask scheduler answers at 127\.0\.0\.1:"):
        cluster_executor(f"dask://127.0.0.1:{port}").__enter__()


def test_other_versions_are_refused(dask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "_versions", other_versions)
    with pytest.raises(RunError, match=r"has numpy \S+ and this machine 0.0; install the same"):
        cluster_executor(address(dask)).__enter__()


def other_versions() -> dict[str, str]:
    import multiprocessing

    worker = multiprocessing.parent_process() is not None
    return {"python": "3", "hpsearch": "1", "numpy": "2.0" if worker else "0.0"}
