"""Workers are started again, however often they are killed, until they cannot be started at all."""

from __future__ import annotations

import multiprocessing.forkserver
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import BrokenExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from pebble import ProcessExpired

from hpsearch.engine.executors import processes as module
from hpsearch.engine.executors.processes import process_pool
from hpsearch.errors import RunError

needs_forkserver = pytest.mark.skipif(
    "forkserver" not in multiprocessing.get_all_start_methods(), reason="kills the forkserver"
)


@pytest.mark.slow
@needs_forkserver
def test_a_worker_whose_starts_are_killed_for_seconds_does_its_job_afterwards() -> None:
    over = threading.Event()
    killed = []

    def kill() -> None:
        while not over.wait(0.02):
            server = multiprocessing.forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
            workers = [worker.pid for pool in executor._pools for worker in module._processes(pool)]
            for pid in [server, *workers]:
                if pid:
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                        killed.append(pid)

    killer = threading.Thread(target=kill)
    with process_pool(1) as executor:
        assert isinstance(executor, module._Processes)
        killer.start()
        threading.Timer(2.0, over.set).start()
        lost = 0
        while not over.is_set() or lost:  # a lost job is the engine's to give again
            try:
                assert executor.submit(abs, -3).result(timeout=60) == 3
                lost = 0
            except (BrokenExecutor, ProcessExpired):
                lost += 1
                assert not over.is_set() or lost < 100, "no worker comes back"
    killer.join()
    assert len(killed) > 5


def test_a_machine_that_starts_no_process_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        @property
        def active(self) -> bool:
            raise OSError(28, "No space left on device")

        def stop(self) -> None:
            pass

        def join(self) -> None:
            pass

    monkeypatch.setattr(module, "START_SECONDS", 0.2)
    monkeypatch.setattr(module, "_start_pool", Broken)
    with (
        process_pool(2) as executor,
        pytest.raises(RunError, match="no worker process can be started"),
    ):
        executor.submit(abs, -3).result(timeout=10)


def printed_by(script: str, folder: Path) -> str:
    """What a script prints that a user runs, and that ends well."""
    (folder / "script.py").write_text(script)
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=folder, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


SCRIPT = """
from pathlib import Path
from hpsearch import run_study
from hpsearch.study_file import StudyFile

print("begins")
content = {
    "name": "s", "data": {"name": "iris"}, "training": {"epochs": 1},
    "search": {"strategy": "random", "trials": 2},
}
print(run_study(StudyFile.model_validate(content), storage="s.db", workers=2).states["complete"])
"""


@pytest.mark.slow
@needs_forkserver
def test_a_script_needs_no_guard_since_workers_do_not_run_it(tmp_path: Path) -> None:
    assert printed_by(SCRIPT, tmp_path) == "begins\n2\n"


WITH_A_POOL = """
import multiprocessing
from hpsearch.engine.executors.processes import process_pool

def square(x):
    return x * x

if __name__ == "__main__":
    with process_pool(1) as pool:
        assert pool.submit(abs, -2).result(timeout=60) == 2
        with multiprocessing.get_context("forkserver").Pool(1) as own:
            print(own.apply_async(square, (3,)).get(timeout=60))
"""


@pytest.mark.slow
@needs_forkserver
def test_a_pool_of_the_users_own_knows_the_script_as_ever(tmp_path: Path) -> None:
    assert printed_by(WITH_A_POOL, tmp_path) == "9\n"
