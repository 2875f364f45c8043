"""The database: how it is opened, what is kept beside Optuna's tables, what its errors say."""

from __future__ import annotations

import multiprocessing
import shutil
import sqlite3
from pathlib import Path

import optuna
import pytest
import sqlalchemy as sa

from hpsearch.errors import HpsearchError, StorageError, UnknownNameError, UsageError
from hpsearch.storage import (
    display_url,
    load_model_bytes,
    load_study,
    open_storage,
    save_model_bytes,
    storage_errors,
    storage_url,
    study_names,
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "studies.db"


def pragma(storage: optuna.storages.RDBStorage, name: str) -> object:
    with storage.engine.connect() as connection:
        return connection.execute(sa.text(f"PRAGMA {name}")).scalar()


class TestOpening:
    @pytest.mark.parametrize(
        ("name", "value"), [("journal_mode", "wal"), ("busy_timeout", 30_000), ("foreign_keys", 1)]
    )
    def test_sqlite_is_set_up_for_a_writer_and_readers(
        self, file: Path, name: str, value: object
    ) -> None:
        assert pragma(open_storage(str(file)), name) == value

    def test_plain_optuna_reads_what_is_written(self, file: Path) -> None:
        study = optuna.create_study(study_name="s", storage=open_storage(str(file)))
        study.add_trial(optuna.create_trial(value=0.5))
        again = optuna.load_study(study_name="s", storage=f"sqlite:///{file}")
        assert [trial.value for trial in again.trials] == [0.5]

    def test_a_reader_and_a_writer_do_not_lock_each_other_out(self, file: Path) -> None:
        writer, reader = open_storage(str(file)), open_storage(str(file))
        study = optuna.create_study(study_name="s", storage=writer)
        with reader.engine.connect() as connection:
            connection.execute(sa.text("BEGIN"))
            connection.execute(sa.text("SELECT count(*) FROM trials")).scalar()
            study.add_trial(optuna.create_trial(value=1.0))
        assert len(load_study(reader, "s").trials) == 1

    def test_several_processes_may_make_the_same_database(self, file: Path) -> None:
        context = multiprocessing.get_context("spawn")
        with context.Pool(3) as pool:
            assert pool.map(open_and_count, [str(file)] * 6) == [0] * 6

    def test_looking_never_makes_a_file(self, file: Path) -> None:
        with pytest.raises(StorageError, match="run a study first"):
            open_storage(str(file), create=False)
        assert not file.exists()

    def test_a_database_of_a_newer_hpsearch_is_left_alone(self, file: Path) -> None:
        storage = open_storage(str(file))
        with storage.engine.begin() as connection:
            connection.execute(sa.text("INSERT INTO hpsearch_schema VALUES (99)"))
        with pytest.raises(StorageError, match="newer hpsearch"):
            open_storage(str(file))

    def test_a_database_of_another_optuna_is_left_alone(self, file: Path) -> None:
        storage = open_storage(str(file))
        with storage.engine.begin() as connection:
            connection.execute(sa.text("UPDATE alembic_version SET version_num = 'v0.9.0.a'"))
        with pytest.raises(StorageError, match="another version of Optuna"):
            open_storage(str(file))

    def test_a_read_only_file_can_be_read(self, file: Path, tmp_path: Path) -> None:
        optuna.create_study(study_name="s", storage=open_storage(str(file)))
        copy = f"file:{file}?mode=ro"
        with sqlite3.connect(copy, uri=True) as connection:
            assert connection.execute("SELECT study_name FROM studies").fetchall() == [("s",)]


def open_and_count(file: str) -> int:
    return len(study_names(open_storage(file)))


def make_text(path: Path) -> str:
    path.write_text("this is a letter, no database " * 200)
    return str(path)


def make_directory(path: Path) -> str:
    path.mkdir()
    return str(path)


BAD = {
    "text file": (make_text, StorageError, "is not a SQLite database"),
    "folder": (make_directory, StorageError, "is a folder"),
    "missing folder": (lambda p: str(p / "x.db"), StorageError, "folder must exist"),
    "empty": (lambda _: "  ", UsageError, "is empty"),
    "unknown kind": (lambda _: "redis://localhost", UsageError, "no database URL"),
    "driver not installed": (lambda _: "mysql+pymysql://u@h/d", UsageError, "driver is installed"),
}


@pytest.mark.parametrize(("make", "error", "words"), BAD.values(), ids=BAD.keys())
def test_what_is_no_database_gets_a_sentence(
    tmp_path: Path, make: object, error: type[HpsearchError], words: str
) -> None:
    url = make(tmp_path / "thing")  # type: ignore[operator]
    with pytest.raises(error, match=words) as caught:
        open_storage(url)
    assert "\n" not in str(caught.value)


def test_a_damaged_file_gets_a_sentence(file: Path) -> None:
    storage = open_storage(str(file))
    for i in range(200):
        optuna.create_study(study_name=f"s{i}", storage=storage)
    storage.engine.dispose()
    content = bytearray(file.read_bytes())
    content[4096:] = b"\x99" * (len(content) - 4096)
    for side in (file.with_name("studies.db-wal"), file.with_name("studies.db-shm")):
        side.unlink(missing_ok=True)
    file.write_bytes(content)
    with pytest.raises(StorageError, match=r"damaged|failed"):
        study_names(open_storage(str(file)))


def test_a_full_disk_says_so() -> None:
    def write() -> None:
        try:
            raise sqlite3.OperationalError("database or disk is full")
        except sqlite3.OperationalError as error:
            raise optuna.exceptions.StorageInternalError("An exception is raised") from error

    with pytest.raises(StorageError, match="no room left"), storage_errors("sqlite:///x.db"):
        write()


@pytest.mark.parametrize("error", [RuntimeError("mine"), OverflowError("mine")])
def test_other_errors_pass_through(error: Exception) -> None:
    with pytest.raises(type(error), match="mine"), storage_errors("sqlite:///x.db"):
        raise error


def test_passwords_are_never_shown() -> None:
    url = "postgresql://me:secret@localhost/studies"
    assert "secret" not in display_url(url)
    with pytest.raises(StorageError) as caught, storage_errors(url):
        raise sa.exc.OperationalError("select", {}, Exception("connection refused"))
    assert "secret" not in str(caught.value)
    assert "connection refused" in str(caught.value)


@pytest.mark.parametrize("name", ["a.db", "sub/a.db", "sub//a.db", "C:\\a.db", "a b.db", "ü.db"])
def test_a_file_name_is_a_storage(name: str) -> None:
    assert storage_url(name) == f"sqlite:///{name}"


class TestModels:
    def test_a_network_is_kept_and_replaced(self, file: Path) -> None:
        storage = open_storage(str(file))
        first = save_model_bytes(storage, 1, b"one")
        assert load_model_bytes(storage, 1, first) == b"one"
        second = save_model_bytes(storage, 1, b"two")
        assert load_model_bytes(storage, 1, second) == b"two"
        with pytest.raises(StorageError, match="not in the database any more"):
            load_model_bytes(storage, 1, first)

    def test_ensembles_are_kept_beside_it_by_their_number_of_members(self, file: Path) -> None:
        storage = open_storage(str(file))
        single = save_model_bytes(storage, 1, b"one")
        two = save_model_bytes(storage, 1, b"two", ensemble=2)
        three = save_model_bytes(storage, 1, b"three", ensemble=3)
        again = save_model_bytes(storage, 1, b"three, better", ensemble=3)
        assert load_model_bytes(storage, 1, single) == b"one"
        assert load_model_bytes(storage, 1, two, ensemble=2) == b"two"
        assert load_model_bytes(storage, 1, again, ensemble=3) == b"three, better"
        with pytest.raises(StorageError, match="ensemble of 3 is not in the database any more"):
            load_model_bytes(storage, 1, three, ensemble=3)

    def test_a_database_of_version_3_gets_their_table(self, file: Path) -> None:
        storage = open_storage(str(file))
        digest = save_model_bytes(storage, 1, b"one")
        with storage.engine.begin() as connection:
            connection.execute(sa.text("DROP TABLE hpsearch_ensembles"))
            connection.execute(sa.text("UPDATE hpsearch_schema SET version = 3"))
        storage.close()
        later = open_storage(str(file))
        assert load_model_bytes(later, 1, digest) == b"one"
        two = save_model_bytes(later, 1, b"two", ensemble=2)
        assert load_model_bytes(later, 1, two, ensemble=2) == b"two"
        with later.engine.connect() as connection:
            versions = connection.execute(sa.text("SELECT version FROM hpsearch_schema")).scalars()
            assert max(versions) == 4

    def test_a_study_made_anew_does_not_inherit_the_network_of_its_id(self, file: Path) -> None:
        storage = open_storage(str(file))
        digest = save_model_bytes(storage, 7, b"old")
        with pytest.raises(StorageError):
            load_model_bytes(storage, 7, digest[::-1])


def test_an_unknown_study_lists_the_known_ones(file: Path) -> None:
    storage = open_storage(str(file))
    with pytest.raises(UnknownNameError, match="Known: none yet"):
        load_study(storage, "digits")
    optuna.create_study(study_name="digits", storage=storage)
    with pytest.raises(UnknownNameError, match="did you mean 'digits'"):
        load_study(storage, "digit")
    assert load_study(storage, "digits").study_name == "digits"


def test_a_copy_of_the_file_is_a_backup(file: Path, tmp_path: Path) -> None:
    storage = open_storage(str(file))
    optuna.create_study(study_name="s", storage=storage)
    storage.close()
    shutil.copy(file, tmp_path / "copy.db")
    assert study_names(open_storage(str(tmp_path / "copy.db"))) == ["s"]


def test_an_unknown_study_among_many_is_told_the_closest_few() -> None:
    with open_storage("sqlite://") as store:
        for number in range(30):
            optuna.create_study(study_name=f"digits/grid/{number}", storage=store)
        optuna.create_study(study_name="wine", storage=store)
        with pytest.raises(UnknownNameError) as caught:
            load_study(store, "wime")
    sentence = str(caught.value)
    assert "did you mean 'wine'? Known: wine, " in sentence
    assert sentence.endswith(" and 26 more")
    assert sentence.count("digits/grid/") == 4
