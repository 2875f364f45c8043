"""A copy of a database that is in use."""

from __future__ import annotations

import sqlite3
import stat
import threading
from pathlib import Path

import optuna
import pytest

from hpsearch.errors import StorageError, UsageError
from hpsearch.storage import WriteBehindStorage, load_study, open_storage
from hpsearch.storage.backup import back_up


def study(place: Path, trials: int = 3) -> WriteBehindStorage:
    storage = open_storage(str(place))
    made = optuna.create_study(storage=storage, study_name="s")
    made.optimize(lambda trial: trial.suggest_float("x", 0.0, 1.0), n_trials=trials)
    storage.flush()
    return storage


def test_the_copy_has_what_was_committed_and_opens(tmp_path: Path) -> None:
    with study(tmp_path / "a.db"):
        size = back_up(str(tmp_path / "a.db"), tmp_path / "b.db")
    assert size == (tmp_path / "b.db").stat().st_size
    assert sorted(p.name for p in tmp_path.glob("*b.db*")) == ["b.db"]
    assert stat.S_IMODE((tmp_path / "b.db").stat().st_mode) == 0o600
    with open_storage(str(tmp_path / "b.db"), create=False) as copy:
        assert len(load_study(copy, "s").trials) == 3


def test_it_is_of_one_moment_while_another_writes(tmp_path: Path) -> None:
    """A writer puts pairs into two tables; whatever moment it is, both have the same."""
    with sqlite3.connect(tmp_path / "a.db") as made:
        made.execute("PRAGMA journal_mode = WAL")
        made.executescript("CREATE TABLE a (x); CREATE TABLE filling (x); CREATE TABLE b (x);")
        made.executemany("INSERT INTO filling VALUES (?)", [("." * 900,)] * 5000)
    acknowledged, ended = 0, threading.Event()

    def write() -> None:
        nonlocal acknowledged
        connection = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
        while not ended.is_set():
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT INTO a VALUES (1)")
            connection.execute("INSERT INTO b VALUES (1)")
            connection.execute("COMMIT")
            acknowledged += 1
        connection.close()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(5):
            before = acknowledged
            back_up(str(tmp_path / "a.db"), tmp_path / f"{number}.db")
            copy = sqlite3.connect(tmp_path / f"{number}.db")
            [a], [b] = copy.execute("SELECT count(*) FROM a UNION ALL SELECT count(*) FROM b")
            copy.close()
            assert a == b >= before
    finally:
        ended.set()
        writer.join()


def test_nothing_is_replaced_unasked(tmp_path: Path) -> None:
    study(tmp_path / "a.db").close()
    (tmp_path / "b.db").write_text("mine")
    with pytest.raises(UsageError, match="is there already; --force replaces it"):
        back_up(str(tmp_path / "a.db"), tmp_path / "b.db")
    assert (tmp_path / "b.db").read_text() == "mine"
    back_up(str(tmp_path / "a.db"), tmp_path / "b.db", replace=True)
    assert (tmp_path / "b.db").read_bytes().startswith(b"SQLite format 3")
    with pytest.raises(UsageError, match="the database itself"):
        back_up(str(tmp_path / "a.db"), tmp_path / "a.db", replace=True)


def test_what_cannot_be_copied_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "no.db").write_text("this is no database, however long it is " * 100)
    with pytest.raises(StorageError, match="is not a SQLite database"):
        back_up(str(tmp_path / "no.db"), tmp_path / "b.db")
    with pytest.raises(StorageError, match=r"there is no database .*gone\.db"):
        back_up(str(tmp_path / "gone.db"), tmp_path / "b.db")
    study(tmp_path / "a.db").close()
    with pytest.raises(StorageError, match="cannot be written"):
        back_up(str(tmp_path / "a.db"), tmp_path / "gone" / "b.db")
    for place in (tmp_path / "a.db" / "b.db", tmp_path / ("b" * 300)):
        with pytest.raises(StorageError, match="cannot be written"):
            back_up(str(tmp_path / "a.db"), place)
    assert not [p for p in tmp_path.iterdir() if "b.db" in p.name and p.name != "b.db"]
    assert not (tmp_path / "b.db").exists()


def test_postgresql_is_left_to_its_own_program(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="pg_dump --format=custom") as told:
        back_up("postgresql://ann:secret@host/studies", tmp_path / "b.dump")
    assert "secret" not in str(told.value)
    assert str(told.value).endswith("postgresql://ann:***@host/studies")
