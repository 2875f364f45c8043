"""Nothing is written to a study but by the driver that holds it; the database itself looks.

A trigger on every table that has rows of studies or trials notes each row that is written while no
run holds its study. A driver that is refused leaves the whole database as it was.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from hpsearch.compare.run import compare_study
from hpsearch.engine import run_study
from hpsearch.engine import runner as engine
from hpsearch.engine.budget import plan_search
from hpsearch.engine.ensemble import make_ensemble
from hpsearch.engine.identity import open_study
from hpsearch.engine.lease import Lease
from hpsearch.engine.run import run_with
from hpsearch.errors import HpsearchError, RunError, UsageError
from hpsearch.storage import load_study, open_storage
from hpsearch.study_file import StudyFile, parse_study_file

TEXT = """
name = "s"
[data]
path = "{data}"
target = "y"
[model]
width = {{ low = 4, high = 32, log = true }}
depth = 1
[training]
epochs = 2
[search]
strategy = "random"
trials = {trials}
{search}
[compare]
strategies = {strategies}
repeats = 1
"""
TABLE = "a,b,y\n" + "".join(f"{i % 7},{i % 5},{'pq'[i % 7 > 3]}\n" for i in range(80))


pytestmark = pytest.mark.usefixtures("here")


@pytest.fixture
def db(tmp_path: Path) -> str:
    """An empty database that looks who writes."""
    file = str(tmp_path / "s.db")
    open_storage(file).close()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE breaches (what TEXT)")
        for table, columns in tables(connection).items():
            if table == "hpsearch_runs" or not columns & {"study_id", "trial_id"}:
                continue
            for event, row in (("INSERT", "NEW"), ("UPDATE", "NEW"), ("DELETE", "OLD")):
                if event == "INSERT" and table in ("studies", "study_directions"):
                    continue  # a study's making: without it there is nothing to hold
                study = f"{row}.study_id"
                if "study_id" not in columns:
                    study = f"(SELECT study_id FROM trials WHERE trial_id = {row}.trial_id)"
                connection.execute(
                    f"CREATE TRIGGER look_{event}_{table} AFTER {event} ON {table} "
                    "WHEN NOT EXISTS (SELECT 1 FROM hpsearch_runs "
                    f"WHERE study_id = {study} AND ended IS NULL) "
                    f"BEGIN INSERT INTO breaches VALUES ('{event} {table}'); END"
                )
        connection.commit()
    return file


def tables(connection: sqlite3.Connection) -> dict[str, set[str]]:
    query = "SELECT name FROM sqlite_master WHERE type = 'table'"
    return {
        name: {row[1] for row in connection.execute(f"PRAGMA table_info({name})")}
        for [name] in connection.execute(query).fetchall()
    }


def breaches(file: str) -> list[str]:
    with closing(sqlite3.connect(file)) as connection:
        return [what for [what] in connection.execute("SELECT what FROM breaches")]


def content(file: str) -> list[str]:
    with closing(sqlite3.connect(file)) as connection:
        return list(connection.iterdump())


def study(
    folder: Path, *, trials: int = 5, search: str = "", strategies: str = '["random", "grid"]'
) -> StudyFile:
    data = folder / "t.csv"
    if not data.exists():
        data.write_text(TABLE)
    return parse_study_file(
        TEXT.format(data=data, trials=trials, search=search, strategies=strategies)
    )


def begin(file: StudyFile, db: str, trials: int = 3) -> None:
    """Run a study, and stop it after some trials."""

    def stop(event: object) -> None:
        nonlocal trials
        trials -= type(event).__name__ == "TrialDone"
        if trials <= 0:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_study(file, storage=db, on_event=stop)


def new(folder: Path, db: str) -> None:
    run_study(study(folder), storage=db)


def resumed(folder: Path, db: str) -> None:
    begin(study(folder), db)
    run_study(study(folder, search="trial_seconds = 60"), storage=db)


def finished(folder: Path, db: str) -> None:
    new(folder, db)
    run_study(study(folder, search="trial_seconds = 60"), storage=db)


def raised(folder: Path, db: str) -> None:
    new(folder, db)
    run_study(study(folder, trials=7), storage=db)


def ensemble(folder: Path, db: str) -> None:
    new(folder, db)
    make_ensemble("s", 2, storage=db)


def compared(folder: Path, db: str) -> None:
    compare_study(study(folder), storage=db)
    compare_study(study(folder, strategies='["random", "grid", "tpe"]'), storage=db)


def failing(folder: Path, db: str) -> None:
    with suppress(RunError):
        run_study(study(folder, search="total_flops = 1"), storage=db)


@pytest.mark.parametrize(
    "path", [new, resumed, finished, raised, ensemble, compared, failing], ids=lambda p: p.__name__
)
def test_no_row_of_a_study_is_written_by_who_does_not_hold_it(
    tmp_path: Path, db: str, path: Callable[[Path, str], None]
) -> None:
    path(tmp_path, db)
    assert breaches(db) == []
    assert any("hpsearch:study file" in line for line in content(db))


def refused(db: str, action: Callable[[], object]) -> str:
    """The sentence with which an action is refused; it must change nothing."""
    open_storage(db).close()
    before = content(db)
    with pytest.raises(HpsearchError) as caught:
        action()
    assert content(db) == before
    assert breaches(db) == []
    return str(caught.value)


class TestASecondDriver:
    @pytest.mark.parametrize("trials", [0, 3])
    def test_of_a_study_changes_nothing(self, tmp_path: Path, db: str, trials: int) -> None:
        if trials:
            begin(study(tmp_path), db, trials)
        else:
            with open_storage(db) as store:
                open_study(store, study(tmp_path))
        other = study(tmp_path, search="trial_seconds = 0.001")
        with open_storage(db) as store, holding(store):
            said = refused(db, lambda: run_study(other, storage=db))
        assert "is being run by process" in said

    def test_of_a_finished_study_changes_nothing(self, tmp_path: Path, db: str) -> None:
        new(tmp_path, db)
        other = study(tmp_path, search="trial_seconds = 0.001")
        with open_storage(db) as store, holding(store):
            refused(db, lambda: run_study(other, storage=db))
            refused(db, lambda: run_study(study(tmp_path, trials=9), storage=db))
            refused(db, lambda: make_ensemble("s", 2, storage=db))

    def test_of_a_comparison_changes_nothing(self, tmp_path: Path, db: str) -> None:
        compare_study(study(tmp_path), storage=db)
        other = study(tmp_path, strategies='["random", "grid", "tpe"]')
        with open_storage(db) as store, holding(store, "s/random/0"):
            refused(db, lambda: compare_study(other, storage=db))

    def test_that_comes_while_a_new_study_begins_is_refused_too(
        self, tmp_path: Path, db: str
    ) -> None:
        """Both find no study; one makes it, one holds it, and the other leaves nothing."""
        there, go = threading.Event(), threading.Event()

        def on_event(event: object) -> None:
            if type(event).__name__ == "DataReady":
                there.set()
                assert go.wait(30)

        def first() -> None:
            run_study(study(tmp_path), storage=db, on_event=on_event)

        thread = threading.Thread(target=first)
        thread.start()
        try:
            assert there.wait(30)
            other = study(tmp_path, trials=7, search="trial_seconds = 0.001")
            with pytest.raises(UsageError, match="is being run by process"):
                run_study(other, storage=db)
        finally:
            go.set()
            thread.join()
        with open_storage(db) as store:
            target = load_study(store, "s")
            assert '"trial_seconds": null' in target.user_attrs["hpsearch:study file"]
            assert len(target.trials) == 5
        assert breaches(db) == []


@contextmanager
def holding(store: Any, name: str = "s") -> Iterator[None]:
    """As a driver that has just begun, and whose counter does not move meanwhile."""
    target = load_study(store, name)
    with Lease(store.engine, target._study_id, name) as lease:
        lease._ended.set()
        lease._beater.join()
        yield


class TestAStudyThatIsAnother:
    def test_by_its_settings_stays_as_it_was(self, tmp_path: Path, db: str) -> None:
        begin(study(tmp_path), db)
        other = study(tmp_path).model_copy(update={"seed": 99})
        assert "seed was" in refused(db, lambda: run_study(other, storage=db))

    def test_by_its_total_stays_as_it_was(self, tmp_path: Path, db: str) -> None:
        begin(study(tmp_path), db)
        fewer = study(tmp_path, trials=4)
        assert "can only grow" in refused_but_for_runs(db, lambda: run_study(fewer, storage=db))

    def test_by_its_data_stays_as_it_was(self, tmp_path: Path, db: str) -> None:
        begin(study(tmp_path), db)
        (tmp_path / "t.csv").write_text(TABLE + "9,9,p\n")
        other = study(tmp_path, search="trial_seconds = 0.001")
        assert "data of study 's' has changed" in refused_but_for_runs(
            db, lambda: run_study(other, storage=db)
        )


def refused_but_for_runs(db: str, action: Callable[[], object]) -> str:
    """Likewise, where the study was held for the moment in which it was looked at."""
    before = [line for line in content(db) if "hpsearch_runs" not in line]
    with pytest.raises(HpsearchError) as caught:
        action()
    assert [line for line in content(db) if "hpsearch_runs" not in line] == before
    return str(caught.value)


def test_a_study_that_another_driver_finished_meanwhile_is_not_tested_again(
    tmp_path: Path, db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = study(tmp_path)
    data = engine.Runner.data

    def slowly(self: engine.Runner, asked: StudyFile) -> Any:
        monkeypatch.setattr(engine.Runner, "data", data)
        run_study(file, storage=db)  # the other driver
        return data(self, asked)

    monkeypatch.setattr(engine.Runner, "data", slowly)
    run_study(file, storage=db)
    with open_storage(db) as store:
        assert '"tests": 1' in load_study(store, "s").user_attrs["hpsearch:result"]


def test_who_has_lost_a_study_writes_nothing_more(tmp_path: Path, db: str) -> None:
    """Not even what it had in hand when it was told so."""

    def lose(event: object) -> None:
        if type(event).__name__ == "TrialDone":
            with closing(sqlite3.connect(db)) as connection:
                connection.execute("UPDATE hpsearch_runs SET ended = 'died'")
                connection.commit()

    with pytest.raises(RunError, match="another driver has taken over"):
        run_study(study(tmp_path), storage=db, on_event=lose)
    assert breaches(db) == []


def test_who_finds_a_trial_ended_by_another_driver_says_that_it_has_lost_the_study(
    tmp_path: Path, db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a pause in which another driver took the study over, and trained on."""
    with engine.open_runner(db) as runner:
        submit = runner.pool.submit

        def slowly(*arguments: Any, **options: Any) -> Future[Any]:
            runner.store.flush()
            with closing(sqlite3.connect(db)) as connection:
                connection.execute("UPDATE hpsearch_runs SET ended = 'died'")
                connection.execute("UPDATE trials SET state = 'FAIL' WHERE state = 'RUNNING'")
                connection.commit()
            return submit(*arguments, **options)

        monkeypatch.setattr(runner.pool, "submit", slowly)
        with pytest.raises(RunError, match="another driver has taken over"):
            run_with(runner, study(tmp_path), plan_search(study(tmp_path)))
