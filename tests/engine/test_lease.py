"""One driver a study."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from hpsearch.engine import lease as module
from hpsearch.engine.lease import Lease, seconds_spent
from hpsearch.errors import RunError, UsageError
from hpsearch.storage import open_storage
from hpsearch.storage.own_tables import own_tables


@pytest.fixture
def engine(tmp_path: Path) -> sa.Engine:
    return open_storage(f"sqlite:///{tmp_path / 'studies.db'}").engine


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BEAT", 0.05)
    monkeypatch.setattr(module, "DEAD_AFTER", 0.3)


def rows(engine: sa.Engine) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.execute(own_tables().runs.select()))


def change(engine: sa.Engine, **values: Any) -> None:
    with engine.begin() as connection:
        connection.execute(own_tables().runs.update().values(**values))


def test_a_second_driver_of_a_study_is_told_who_runs_it(engine: sa.Engine) -> None:
    with (
        Lease(engine, 1, "mine"),
        pytest.raises(UsageError, match=r"'mine' is being run by process \d+ on .* since 20"),
        Lease(engine, 1, "mine"),
    ):
        pass


def test_other_studies_are_free_and_so_is_this_one_afterwards(engine: sa.Engine) -> None:
    with Lease(engine, 1, "mine"), Lease(engine, 2, "other"):
        pass
    with Lease(engine, 1, "mine"):
        pass
    assert [row.ended for row in rows(engine)] == ["finished"] * 3


def test_a_run_that_ends_with_an_error_lets_go(engine: sa.Engine) -> None:
    with pytest.raises(KeyboardInterrupt), Lease(engine, 1, "mine"):
        raise KeyboardInterrupt
    with Lease(engine, 1, "mine"):
        pass
    assert [row.ended for row in rows(engine)] == ["KeyboardInterrupt", "finished"]


def test_a_run_that_could_not_write_its_end_lets_go_too(engine: sa.Engine) -> None:
    """A server goes on where its database was away for a while."""
    with Lease(engine, 1, "mine"):
        pass
    change(engine, ended=None)
    with Lease(engine, 1, "mine"):
        pass
    assert [row.ended for row in rows(engine)] == ["died", "finished"]


@pytest.mark.slow
def test_a_dead_process_of_this_machine_is_succeeded_at_once(
    engine: sa.Engine, tmp_path: Path
) -> None:
    holder = (
        "import os, sys\n"
        "from hpsearch.engine.lease import Lease\n"
        "from hpsearch.storage import open_storage\n"
        "store = open_storage(sys.argv[1])\n"
        "Lease(store.engine, 1, 'mine').__enter__()\n"
        "os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", holder, str(tmp_path / "studies.db")], check=False)
    assert [row.ended for row in rows(engine)] == [None]
    began = time.monotonic()
    with Lease(engine, 1, "mine"):
        pass
    assert time.monotonic() - began < module.DEAD_AFTER / 2
    assert [row.ended for row in rows(engine)] == ["died", "finished"]


def test_a_number_that_another_process_has_now_is_no_sign_of_life(engine: sa.Engine) -> None:
    held = Lease(engine, 1, "mine")
    held.__enter__()
    own = rows(engine)[0].process
    change(engine, process=own + "9")  # the same number, another start
    with Lease(engine, 1, "mine"):
        pass
    held.__exit__(None)


@pytest.mark.usefixtures("quick")
def test_a_silent_driver_on_another_machine_is_succeeded(engine: sa.Engine) -> None:
    with Lease(engine, 1, "mine"):
        pass
    change(engine, machine="elsewhere", ended=None, beats=7)
    with Lease(engine, 1, "mine"):
        pass
    assert [row.ended for row in rows(engine)] == ["died", "finished"]


@pytest.mark.usefixtures("quick")
def test_a_driver_on_another_machine_whose_counter_grows_is_alive(engine: sa.Engine) -> None:
    with Lease(engine, 1, "mine"):
        change(engine, machine="elsewhere")
        with pytest.raises(UsageError, match="is being run by process"), Lease(engine, 1, "mine"):
            pass


@pytest.mark.usefixtures("quick")
def test_who_was_succeeded_may_write_no_more(engine: sa.Engine) -> None:
    with Lease(engine, 1, "mine") as lease:
        with engine.begin() as connection:
            lease.check(connection)
        change(engine, ended="died")
        with (
            pytest.raises(RunError, match="another driver has taken over the study 'mine'"),
            engine.begin() as connection,
        ):
            lease.check(connection)


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_of_many_at_once_one_gets_the_study(engine: sa.Engine) -> None:
    with Lease(engine, 1, "mine"):
        pass
    change(engine, machine="elsewhere", ended=None)
    start, got = threading.Barrier(4), []

    def drive() -> None:
        start.wait()
        try:
            with Lease(engine, 1, "mine"):
                got.append(True)
                time.sleep(1.0)
        except UsageError:
            got.append(False)

    threads = [threading.Thread(target=drive) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == [False, False, False, True]


@pytest.mark.usefixtures("quick")
def test_seconds_of_all_runs_add_up_even_of_killed_ones(engine: sa.Engine) -> None:
    assert seconds_spent(engine, 1) == 0.0
    for _ in range(2):
        with Lease(engine, 1, "mine"):
            time.sleep(0.12)
    assert 0.24 <= seconds_spent(engine, 1) < 2.0
    with Lease(engine, 1, "mine") as lease:
        deadline = time.monotonic() + 5
        while rows(engine)[-1].beats < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert rows(engine)[-1].seconds > 0  # what a kill now would leave
        assert lease.seconds > 0
