"""Workers are started again, however often they are killed, until they cannot be started at all."""

from __future__ import annotations

import multiprocessing.forkserver
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, wait
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from hpsearch.engine.executors import WorkerDiedError
from hpsearch.engine.executors import processes as module
from hpsearch.engine.executors.processes import process_pool
from hpsearch.errors import RunError

needs_forkserver = pytest.mark.skipif(
    "forkserver" not in multiprocessing.get_all_start_methods(), reason="kills the forkserver"
)


def workers_of(pool: object) -> list[int]:
    assert isinstance(pool, module.Processes)
    processes = [worker._process for worker in pool._workers]
    return [process.pid for process in processes if process is not None and process.pid]


def slowly(number: int) -> tuple[int, bytes]:
    """A job of some milliseconds; every fourth result is longer than one write to a pipe."""
    time.sleep(0.004 * (number % 3))
    return number, bytes(100_000 if number % 4 == 0 else 10)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_no_job_is_lost_whenever_workers_are_killed(seed: int) -> None:
    """Between jobs, before one is begun, while a result is on its way: each future ends."""
    rng, over = random.Random(seed), threading.Event()

    def kill() -> None:
        while not over.wait(rng.expovariate(15)):
            if pids := workers_of(pool):
                with suppress(ProcessLookupError):
                    os.kill(rng.choice(pids), signal.SIGKILL)

    killer = threading.Thread(target=kill)
    ended: Counter[str] = Counter()
    with process_pool(2) as pool:
        killer.start()
        number, flight, most = 0, {}, time.monotonic() + 100
        while not over.is_set() or flight:
            enough = ended["NoneType"] >= 100 and ended["WorkerDiedError"] >= 20
            if enough or time.monotonic() > most:  # a busy machine takes its time
                over.set()
            while len(flight) < 4 and not over.is_set():
                flight[pool.submit(slowly, number)] = number
                number += 1
            done = wait(flight, timeout=60, return_when=FIRST_COMPLETED).done
            assert done, f"lost: {sorted(flight.values())}, after {ended}"
            for future in done:
                expected = flight.pop(future)
                error = future.exception()
                ended[type(error).__name__] += 1
                if error is None:
                    assert future.result()[0] == expected
        killer.join()
    assert set(ended) == {"NoneType", "WorkerDiedError"}, ended


@pytest.mark.slow
@needs_forkserver
def test_a_worker_whose_starts_are_killed_for_seconds_does_its_job_afterwards() -> None:
    over = threading.Event()
    killed = []

    def kill() -> None:
        while not over.wait(0.02):
            server = multiprocessing.forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
            for pid in [server, *workers_of(executor)]:
                if pid:
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                        killed.append(pid)

    killer = threading.Thread(target=kill)
    with process_pool(1) as executor:
        killer.start()
        threading.Timer(2.0, over.set).start()
        lost = 0
        while not over.is_set() or lost:  # a lost job is the engine's to give again
            try:
                assert executor.submit(abs, -3).result(timeout=60) == 3
                lost = 0
            except WorkerDiedError:
                lost += 1
                assert not over.is_set() or lost < 100, "no worker comes back"
    killer.join()
    assert len(killed) > 5


def test_a_machine_that_starts_no_process_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "START_SECONDS", 0.2)
    monkeypatch.setattr(module, "_context", full)
    with (
        process_pool(2) as executor,
        pytest.raises(RunError, match="no worker process can be started"),
    ):
        executor.submit(abs, -3).result(timeout=10)


@pytest.mark.slow
def test_one_job_is_killed_and_the_others_go_on() -> None:
    with process_pool(2) as executor:
        killed, other = executor.submit(time.sleep, 60), executor.submit(time.sleep, 1)
        while not killed.done():
            executor.kill(killed)
            time.sleep(0.01)
        assert isinstance(killed.exception(), WorkerDiedError)
        after = [executor.submit(abs, -number) for number in range(4)]
        executor.kill(killed)  # it is over
        assert [future.result(timeout=60) for future in after] == [0, 1, 2, 3]
        assert other.result(timeout=60) is None


class Secret:
    """Neither a job nor a result can be of it."""

    def __reduce__(self) -> str:
        raise TypeError("it stays here")


def secret(_: None) -> Secret:
    return Secret()


@pytest.mark.parametrize(("function", "job"), [(abs, Secret()), (secret, None)])
def test_what_cannot_be_sent_is_an_error_of_its_job(function: Any, job: Any) -> None:
    with process_pool(1) as pool:
        with pytest.raises((TypeError, RuntimeError), match="it stays here"):
            pool.submit(function, job).result(timeout=60)
        assert pool.submit(abs, -3).result(timeout=60) == 3


def forks(number: int) -> int:
    """Return twice, in a process of its own too."""
    os.fork()
    return number


def forks_and_dies(mark: str) -> None:
    """Leave a process behind that lives for long."""
    child = os.fork()
    if child == 0:
        time.sleep(600)
        os._exit(0)
    Path(mark).write_text(str(child))
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_what_a_job_forks_is_no_worker(tmp_path: Path) -> None:
    with process_pool(1) as pool:
        given = [pool.submit(forks, n) for n in range(4)]
        assert [one.result(timeout=60) for one in given] == [0, 1, 2, 3]
        dies = pool.submit(forks_and_dies, str(tmp_path / "child"))
        try:
            with pytest.raises(WorkerDiedError):
                dies.result(timeout=60)
            assert pool.submit(abs, -3).result(timeout=60) == 3
        finally:
            os.kill(int((tmp_path / "child").read_text()), signal.SIGKILL)


def test_a_job_that_passes_its_limit_is_killed_and_those_behind_it_go_on() -> None:
    with process_pool(1) as pool:
        late = pool.submit(time.sleep, 600, limit=0.2)
        others = [pool.submit(abs, -n, limit=60.0) for n in range(3)]
        with pytest.raises(TimeoutError):
            late.result(timeout=60)
        assert [other.result(timeout=60) for other in others] == [0, 1, 2]


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
study = run_study(StudyFile.model_validate(content), storage="s.db", workers=2)
print(study.summary.states["complete"])
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
