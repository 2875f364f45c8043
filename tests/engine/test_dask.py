"""A study on a cluster of Dask workers."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from hpsearch.engine import run_study
from hpsearch.engine.events import StageStarted, TrialDone
from hpsearch.engine.executors import dask as cluster
from hpsearch.engine.executors.dask import dask_pool
from hpsearch.errors import RunError, UsageError
from hpsearch.storage import load_study, open_storage
from hpsearch.study_file import parse_study_file

distributed = pytest.importorskip("distributed")

# Dask's own: what it leaves open when a worker is killed under it.
pytestmark = [
    pytest.mark.slow,
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
    assert summary.test is not None
    assert essence(there) == essence(here)


FUNCTION = parse_study_file(
    """
name = "s"
[objective]
function = "given"
metric = "loss"
direction = "minimize"
[space]
x = { low = -5.0, high = 5.0 }
[search]
trials = 8
"""
)

COMMAND = FUNCTION.model_copy(
    update={
        "objective": FUNCTION.objective.model_copy(
            update={"function": None, "command": ["printenv", "HPSEARCH_X"]}
        )
    }
)

ESTIMATOR = parse_study_file(
    """
name = "s"
[data]
name = "iris"
[objective]
estimator = "sklearn.neighbors.KNeighborsClassifier"
[space]
n_neighbors = { low = 1, high = 20 }
[search]
trials = 8
"""
)


def test_objectives_of_other_kinds_run_there_too(dask: Any, tmp_path: Path) -> None:
    shift = 1.5

    def function(configuration: dict[str, Any], trial: Any) -> float:
        assert trial.folder.is_dir()
        return float((configuration["x"] - shift) ** 2)

    script = tmp_path / "answer"
    script.write_text('#!/bin/sh\nprintf \'{"loss": %s}\\n\' "${HPSEARCH_X#-}"\n')
    script.chmod(0o755)
    command = COMMAND.objective.model_copy(update={"command": [str(script)]})
    for number, (study, given) in enumerate(
        (
            (FUNCTION, function),
            (COMMAND.model_copy(update={"objective": command}), None),
            (ESTIMATOR, None),
        )
    ):
        here, there = str(tmp_path / f"{number}.db"), str(tmp_path / f"{number}-there.db")
        run_study(study, objective=given, storage=here, workers=2)
        summary = run_study(study, objective=given, storage=there, executor=address(dask))
        assert summary.states == {"complete": len(summary.rows)}
        assert sorted(map(str, essence(there))) == sorted(map(str, essence(here)))


def test_the_data_leaves_with_the_study(dask: Any, tmp_path: Path) -> None:
    def copies() -> set[Path]:
        return set(Path(tempfile.gettempdir()).glob("hpsearch-dask-*"))

    before = copies()
    run_study(STUDY, storage=str(tmp_path / "s.db"), executor=address(dask))
    assert copies() <= before


def test_a_training_ends_when_its_driver_has_left(dask: Any, tmp_path: Path) -> None:
    long = STUDY.model_copy(
        update={"training": STUDY.training.model_copy(update={"epochs": 10**6})}
    )

    def leave(seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while any(state for state in running(dask).values()):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True

    def interrupt(event: object) -> None:
        if isinstance(event, StageStarted):
            threading.Timer(2.0, os.kill, [os.getpid(), signal.SIGINT]).start()

    with pytest.raises(KeyboardInterrupt):
        run_study(long, storage=str(tmp_path / "s.db"), executor=address(dask), on_event=interrupt)
    assert leave(10.0)


def running(dask: Any) -> dict[str, Any]:
    """The jobs that each worker is at."""
    with distributed.Client(dask.scheduler_address, set_as_default=False) as client:
        return dict(client.run(lambda dask_worker: list(dask_worker.active_keys)))


def test_the_next_driver_clears_what_a_killed_one_has_left(dask: Any, tmp_path: Path) -> None:
    left = cluster._plugin(f"{cluster.FOLDER}Client-gone", "data", {"X": b"..."})
    with distributed.Client(dask.scheduler_address, set_as_default=False) as client:
        client.register_plugin(left)
    folder = Path(tempfile.gettempdir(), f"{cluster.FOLDER}Client-gone")
    assert folder.exists()
    with dask_pool(address(dask)):
        assert not folder.exists()


def test_what_has_no_limit_gets_one() -> None:
    assert cluster._bounded(lambda: 3, 10.0, "too long") == 3
    with pytest.raises(ZeroDivisionError):
        cluster._bounded(lambda: 1 // 0, 10.0, "too long")
    with pytest.raises(RunError, match="too long"):
        cluster._bounded(threading.Event().wait, 0.05, "too long")


@pytest.mark.parametrize(
    "wrong", ["dask://", "dask://host", "tcp://h:1", "dask://h:port", "", "ray://h:1"]
)
def test_what_is_no_address_is_refused(wrong: str) -> None:
    with pytest.raises(UsageError, match="is no executor; give dask://HOST:PORT"):
        dask_pool(wrong).__enter__()


def test_workers_and_executor_exclude_each_other() -> None:
    with pytest.raises(UsageError, match="give workers or executor"):
        run_study(STUDY, workers=1, executor="dask://127.0.0.1:1")


def test_no_scheduler_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "ANSWER_SECONDS", 0.5)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(RunError, match=r"no Dask scheduler answers at 127\.0\.0\.1:"):
        dask_pool(f"dask://127.0.0.1:{port}").__enter__()


SCHEDULER = """
import distributed, time
if __name__ == "__main__":
    local = distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0", host="127.0.0.1"
    )
    print(local.scheduler_address, flush=True)
    time.sleep(300)
"""


def test_a_scheduler_that_dies_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "ANSWER_SECONDS", 5.0)
    script = tmp_path / "scheduler.py"
    script.write_text(SCHEDULER)
    with subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as scheduler:
        assert scheduler.stdout is not None
        place = scheduler.stdout.readline().strip().replace("tcp://", "dask://")
        done = []

        def on_event(event: object) -> None:
            if isinstance(event, TrialDone):
                done.append(event)
                with suppress(ProcessLookupError):
                    os.killpg(scheduler.pid, signal.SIGKILL)

        database = str(tmp_path / "x.db")
        with pytest.raises(RunError, match=r"scheduler at .* is gone; finished trials are kept"):
            run_study(STUDY, storage=database, executor=place, on_event=on_event)
    with open_storage(database, create=False) as store:
        trials = load_study(store, "s").trials
    states = [trial.state.name for trial in trials]
    assert states.count("COMPLETE") + states.count("PRUNED") == len(done) > 0
    assert set(states) <= {"COMPLETE", "PRUNED", "WAITING"}


def test_other_versions_are_refused(dask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "_versions", other_versions)
    with pytest.raises(RunError, match=r"has numpy \S+ and this machine 0.0; install the same"):
        dask_pool(address(dask)).__enter__()


def test_a_worker_without_hpsearch_is_named(dask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "_versions", no_versions)
    with pytest.raises(RunError, match=r"worker tcp\S+ cannot use hpsearch \(No module named"):
        dask_pool(address(dask)).__enter__()


def no_versions() -> dict[str, str]:
    import multiprocessing

    if multiprocessing.parent_process() is not None:
        raise ModuleNotFoundError("No module named 'hpsearch'")
    return {}


def other_versions() -> dict[str, str]:
    import multiprocessing

    worker = multiprocessing.parent_process() is not None
    return {"python": "3", "hpsearch": "1", "numpy": "2.0" if worker else "0.0"}
