"""One file: a search that writes, a dashboard polled without pause, and Optuna's own storage.

Optuna's SQLite storage has crashed under a polling dashboard with "database is locked"
(optuna-dashboard's issue 545).
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import optuna
import pytest

from hpsearch.dashboard import open_server
from hpsearch.storage import load_study, open_storage

pytestmark = pytest.mark.slow

TRIALS = 40

STUDY = f"""
name = "flowers"
[data]
name = "iris"
[training]
epochs = 30
[search]
strategy = "random"
trials = {TRIALS}
"""


@contextmanager
def dashboard(file: Path) -> Iterator[str]:
    """The address of a dashboard in a thread of this process."""
    with open_storage(str(file)) as store, open_server(store, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def poll(place: str) -> int:
    """How many trials the dashboard shows; an answer that is not 200 raises."""
    with urllib.request.urlopen(f"{place}/api/studies", timeout=60) as answer:
        studies = json.load(answer)["study_summaries"]
    if not studies:
        return 0
    place = f"{place}/api/studies/{studies[0]['study_id']}?after=0"
    with urllib.request.urlopen(place, timeout=60) as answer:
        return len(json.load(answer)["trials"])


def read_with_optuna(file: Path) -> Callable[[], int]:
    """What counts the trials through Optuna's own storage, which reads all of them each time."""
    storage = optuna.storages.RDBStorage(f"sqlite:///{file}")

    def count() -> int:
        ids = [study._study_id for study in storage.get_all_studies()]
        return sum(len(storage.get_all_trials(i)) for i in ids)

    return count


@contextmanager
def again_and_again(count: Callable[[], int]) -> Iterator[list[int]]:
    """Count in another thread until the block ends; what it raises, the end of the block raises."""
    counts: list[int] = []
    errors: list[BaseException] = []
    done = threading.Event()

    def work() -> None:
        try:
            while not done.is_set():
                counts.append(count())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield counts
    finally:
        done.set()
        thread.join()
    if errors:
        raise errors[0]


def wait_until(reached: Callable[[], bool]) -> None:
    """Wait, but not for ever: optuna-dashboard itself looks every few seconds only."""
    deadline = time.monotonic() + 60
    while not reached() and time.monotonic() < deadline:
        time.sleep(0.1)


def test_neither_disturbs_the_other(tmp_path: Path) -> None:
    file = tmp_path / "hpsearch.db"
    (tmp_path / "flowers.toml").write_text(STUDY)
    open_storage(str(file)).close()
    command = [sys.executable, "-m", "hpsearch", "run", "flowers.toml", "--workers", "1"]
    with dashboard(file) as place:
        look = (read_with_optuna(file), lambda: poll(place))
        with again_and_again(look[0]) as read, again_and_again(look[1]) as shown:
            wait_until(lambda: bool(shown and read))
            search = subprocess.run(
                command, cwd=tmp_path, capture_output=True, text=True, timeout=120
            )
        wanted = len(load_study(open_storage(str(file)), "flowers").trials)
        for count, counts in zip(look, (read, shown), strict=True):
            wait_until(lambda f=count, c=counts: c.append(f()) or c[-1] >= wanted)  # type: ignore[misc]
    assert search.returncode == 0, search.stderr
    assert "locked" not in search.stderr
    assert wanted >= TRIALS
    for counts in (shown, read):
        assert counts[0] == 0
        assert counts == sorted(counts)
        assert counts[-1] == wanted
    trials = load_study(open_storage(str(file)), "flowers").trials
    assert all(trial.state.is_finished() for trial in trials)
