"""Whole runs from the command line, and what signals do to them."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import optuna
import pytest
from scripts import benchmark

from hpsearch.cli.app import run

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0
STUDY = """
name = "s"
[data]
{data}
[model]
width = 64
depth = 1
[training]
epochs = {epochs}
[search]
strategy = "random"
trials = {trials}
{search}
"""


class Run:
    """A run in a process of its own."""

    def __init__(
        self,
        folder: Path,
        *,
        data: str = 'name = "digits"',
        epochs: int = 10,
        trials: int = 6,
        search: str = "",
        python: Sequence[str] = ("-m", "hpsearch"),
    ) -> None:
        self.database = folder / "s.db"
        study = folder / "s.toml"
        study.write_text(STUDY.format(data=data, epochs=epochs, trials=trials, search=search))
        arguments = ["run", str(study), "--storage", str(self.database), "--workers", "2"]
        arguments.append("--no-baselines")
        self.process = subprocess.Popen(
            [sys.executable, *python, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "COLUMNS": "200"},
        )

    def states(self) -> list[str]:
        """How the trials stand; read straight from the table, since it is asked very often."""
        with suppress(sqlite3.Error):  # the database is just being made
            store = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)
            with closing(store):
                return [state for (state,) in store.execute("SELECT state FROM trials")]
        return []

    def wait_for(self, state: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while state not in self.states():
            assert self.process.poll() is None, self.end()
            assert time.monotonic() < deadline, self.states()
            time.sleep(0.05)

    def workers(self) -> list[int]:
        """The processes that this run has started, and those that they have, and so on."""
        parents = {}
        for entry in Path("/proc").glob("[0-9]*"):
            with suppress(OSError, IndexError):
                stat = (entry / "stat").read_text().rpartition(")")[2].split()
                parents[int(entry.name)] = int(stat[1])
        found = [self.process.pid]
        for pid in found:
            found += [child for child, parent in parents.items() if parent == pid]
        return found[1:]

    def end(self) -> str:
        output, _ = self.process.communicate(timeout=PATIENCE)
        return output


def gone(pids: list[int]) -> bool:
    deadline = time.monotonic() + PATIENCE
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@pytest.fixture
def long(tmp_path: Path) -> Iterator[Run]:
    """A run that has begun, and whose trainings would take an hour."""
    begun = Run(tmp_path, epochs=1_000_000)
    try:
        begun.wait_for("RUNNING")
        yield begun
    finally:
        begun.process.kill()
        begun.process.communicate()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
class TestSignals:
    @pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
    def test_a_signal_stops_the_run_and_hands_its_slots_back(
        self, long: Run, number: int, code: int
    ) -> None:
        workers = long.workers()
        assert len(workers) >= 2
        long.process.send_signal(number)
        output = long.end()
        assert long.process.returncode == code
        assert "the same command goes on from them" in output
        assert "Traceback" not in output
        assert gone(workers)
        assert set(long.states()) == {"WAITING"}

    def test_workers_that_are_stopped_are_not_waited_for(self, long: Run) -> None:
        workers = long.workers()
        for pid in workers:
            if b"resource_tracker" not in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, signal.SIGSTOP)
        try:
            long.process.send_signal(signal.SIGINT)
            assert long.process.wait(PATIENCE) == 130
            assert gone(workers)
        finally:
            for pid in workers:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        assert set(long.states()) == {"WAITING"}

    def test_workers_end_by_themselves_when_their_driver_is_killed(self, long: Run) -> None:
        workers = long.workers()
        assert len(workers) >= 2
        long.process.kill()
        long.process.wait()
        assert gone(workers)
        assert set(long.states()) == {"RUNNING"}  # until the next run takes them back
        assert "resource_tracker" not in long.end(), "it cleans up, and says nothing of it"

    def test_a_second_driver_is_told_who_runs_the_study(
        self, long: Run, capsys: pytest.CaptureFixture[str]
    ) -> None:
        study = long.database.with_suffix(".toml")
        assert run(["run", str(study), "--storage", str(long.database)]) == 2
        told = f"the study 's' is being run by process {long.process.pid} on "
        assert told in capsys.readouterr().err
        assert long.process.poll() is None


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_data_that_take_long_to_load_do_not_hold_a_signal_up(
    tmp_path: Path, number: int, code: int
) -> None:
    stuck = (
        "import time; from hpsearch.engine import runner; "
        "runner.study_data = lambda *_: time.sleep(3600); from hpsearch.cli import main; main()"
    )
    stuck_run = Run(tmp_path, python=("-c", stuck))
    deadline = time.monotonic() + PATIENCE
    while not stuck_run.database.exists():  # it is opened just before the data
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(0.3)
    stuck_run.process.send_signal(number)
    output = stuck_run.end()
    assert stuck_run.process.returncode == code, output
    assert "Traceback" not in output
    assert stuck_run.states() == []


def test_a_second_signal_ends_a_process_that_cannot_stop() -> None:
    script = (
        "import time\n"
        "from hpsearch.engine.interrupts import Interrupts\n"
        "with Interrupts():\n"
        "    print('ready', flush=True)\n"
        "    time.sleep(600)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == 130
    process.stdout.close()


def test_a_training_that_takes_too_long_is_killed_and_left_as_fail(tmp_path: Path) -> None:
    slow = Run(tmp_path, epochs=1_000_000, trials=1, search="trial_seconds = 0.3")
    output = slow.end()
    assert slow.process.returncode == 1
    assert "every training of stage random failed" in output
    assert slow.states() == ["FAIL"]
    storage = optuna.storages.RDBStorage(f"sqlite:///{slow.database}")
    [trial] = optuna.load_study(study_name="s", storage=storage).trials
    assert trial.user_attrs["error"] == "the training took longer than trial_seconds allows"
    assert trial.user_attrs["attempts"] == 3


@pytest.fixture(scope="module")
def kills() -> Any:
    """The script that kills at length."""
    return benchmark("kills")


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
@pytest.mark.parametrize(
    ("objective", "strategy", "count"),
    [
        ("network", "coarse-to-fine", 6),
        ("network", "guided", 3),
        ("network", "random", 2),
        ("network", "grid", 2),
        ("estimator", "coarse-to-fine", 2),
        ("function", "guided", 4),
        ("command", "coarse-to-fine", 4),
    ],
)
def test_every_slot_is_trained_exactly_once_whatever_is_killed(
    kills: Any, tmp_path: Path, objective: str, strategy: str, count: int
) -> None:
    """A short round of what the script does with every kind of objective and every strategy."""
    study = tmp_path / "study.toml"
    kills.write_study(study, objective, strategy)
    whole = kills.command(study, tmp_path / "whole.db", 1)
    subprocess.run(whole, check=True, capture_output=True)
    assert kills.disturbed(study, tmp_path / "s.db", random.Random(4), count) == count
    disturbed, undisturbed = (
        kills.essence(f"sqlite:///{tmp_path / n}") for n in ("s.db", "whole.db")
    )
    assert disturbed == undisturbed
    assert not list(tmp_path.glob("*.trials/*/*/twice"))


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
def test_a_signal_that_comes_while_python_starts_does_not_end_the_killing(
    kills: Any, tmp_path: Path
) -> None:
    """Python takes it for a fault in its own start then, and has an exit code of its own for it."""

    class Early(random.Random):
        def uniform(self, a: float, b: float) -> float:
            return 0.003 + 0.02 * self.random()

        def choice(self, seq: Any) -> Any:
            return ("driver", signal.SIGINT) if seq is kills.VICTIMS else super().choice(seq)

    study = tmp_path / "study.toml"
    study.write_text(STUDY.format(data='name = "iris"', epochs=1, trials=1, search=""))
    sent = 0
    for seed in range(8):  # a signal that Python loses in its start lets a study come to its end
        sent += kills.disturbed(study, tmp_path / f"{seed}.db", Early(seed + 1), 8 - sent)
        if sent == 8:
            break
    assert sent == 8


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
@pytest.mark.parametrize(("objective", "strategy"), [("network", "guided"), ("command", "random")])
def test_every_slot_is_done_exactly_once_whatever_is_killed_of_a_server_and_its_agents(
    kills: Any, tmp_path: Path, objective: str, strategy: str
) -> None:
    study = tmp_path / "study.toml"
    kills.write_study(study, objective, strategy)
    whole = kills.command(study, tmp_path / "whole.db", 2)
    subprocess.run(whole, check=True, capture_output=True)
    storage = f"sqlite:///{tmp_path / 's.db'}"
    kills.served(study, storage, random.Random(4), 3, objective)
    undisturbed = kills.essence(f"sqlite:///{tmp_path / 'whole.db'}", numbers=False)
    assert kills.essence(storage, numbers=False) == undisturbed
