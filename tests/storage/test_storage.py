"""The database: how it is opened, what is kept beside Optuna's tables, what its errors say."""

from __future__ import annotations

import contextlib
import multiprocessing
import shutil
import sqlite3
from pathlib import Path

import optuna
import pytest
import sqlalchemy as sa

from hpsearch.errors import HpsearchError, StorageError, UnknownNameError, UsageError
from hpsearch.storage import (
    WriteBehindStorage,
    display_url,
    load_model_bytes,
    load_study,
    open_storage,
    save_model_bytes,
    storage_errors,
    storage_url,
    study_names,
)
from hpsearch.storage.own_tables import own_tables


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "studies.db"


def pragma(storage: optuna.storages.RDBStorage, name: str) -> object:
    with storage.engine.connect() as connection:
        return connection.execute(sa.text(f"PRAGMA {name}")).scalar()


@pytest.mark.slow
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

    @pytest.mark.parametrize("how", ["made", "opened", "read only"])
    @pytest.mark.parametrize(
        ("made", "words"),
        [
            ("INSERT INTO hpsearch_version VALUES (99)", "a newer hpsearch .* have version 99,"),
            (
                "ALTER TABLE hpsearch_version RENAME TO hpsearch_schema",
                r"an older hpsearch \(its tables are from before the first release,",
            ),
        ],
        ids=["newer", "before the first release"],
    )
    def test_a_database_of_another_hpsearch_is_left_alone(
        self, file: Path, made: str, words: str, how: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        open_storage(str(file)).close()
        with contextlib.closing(sqlite3.connect(file)) as connection:
            connection.execute(made)
            connection.commit()
            before = list(connection.iterdump())
            if how == "read only":
                monkeypatch.setattr("os.access", lambda *_: False)
            with pytest.raises(StorageError, match=f"{words}.* run the study anew") as caught:
                open_storage(str(file), create=how == "made")
            assert "\n" not in str(caught.value)
            assert list(connection.iterdump()) == before

    @pytest.mark.parametrize("how", ["opened", "read only"])
    def test_an_older_database_gets_the_tables_that_it_lacks(
        self, file: Path, how: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with open_storage(str(file)) as storage:
            optuna.create_study(study_name="s", storage=storage)
        lacking = ("servers", "queue", "leases", "tokens", "requests")
        with contextlib.closing(sqlite3.connect(file)) as connection:
            for name in lacking:
                connection.execute(f"DROP TABLE hpsearch_{name}")
            connection.execute("UPDATE hpsearch_version SET version = 1")
            connection.commit()
        if how == "read only":
            monkeypatch.setattr("os.access", lambda *_: False)
        storage = open_storage(str(file), create=False)
        assert study_names(storage) == ["s"]
        with storage.engine.connect() as connection:
            for table in own_tables():
                connection.execute(sa.select(sa.func.count()).select_from(table)).scalar()

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


NAMES = [
    *("a.db", "sub/a.db", "sub//a.db", "C:\\a.db", "C:a.db", "a b.db", "ü.db", "end ", " begin"),
    *("que?stion.db", "x.db?mode=ro", "x.db?mode=ro&cache=shared", "a#b.db", "%41.db", "%2e%2e.db"),
    *("file:x.db", "file:x.db?mode=memory", "-x.db", "--storage", "~", "~x.db", "a@b.db", "{0}.db"),
    *("a;b.db", "'a\".db", "[bold].db", "$HOME", "*", "a:b-c.db", "sqlite", "x:"),
]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_without_a_scheme_is_the_file_s_own(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    assert storage_url(name).database == name
    assert display_url(name) == name
    with pytest.raises(StorageError, match="there is no database") as caught:
        open_storage(name, create=False)
    assert name in str(caught.value)
    with open_storage(name) as store:
        optuna.create_study(study_name="s", storage=store)
    assert files(tmp_path) == {str(Path(name))}
    with open_storage(name, create=False) as store:
        assert study_names(store) == ["s"]
    assert sqlite3.connect(tmp_path / name).execute("SELECT study_name FROM studies").fetchall()


def files(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


def test_two_slashes_lead_to_the_same_place_as_one(tmp_path: Path) -> None:
    open_storage(f"/{tmp_path}/double.db").close()
    assert files(tmp_path) == {"double.db"}


@pytest.mark.parametrize("file", ["{0}.db", "{SCHEMA_VERSION}.db", "a%41?b.db"])
def test_optuna_s_own_tables_are_completed_in_a_file_of_any_name(file: str, tmp_path: Path) -> None:
    name = str(tmp_path / file)
    optuna.storages.RDBStorage(f"sqlite:///{tmp_path / 'x.db'}").engine.dispose()
    with sqlite3.connect(tmp_path / "x.db") as connection:
        connection.execute("DROP TABLE alembic_version")
    (tmp_path / "x.db").rename(name)
    with open_storage(name) as store:
        assert study_names(store) == []
    assert files(tmp_path) == {file}


SECRET = "very-secret"
REFUSED = {
    "nothing": ("", "is empty"),
    "blanks": ("  ", "is empty"),
    "None": (None, "not NoneType"),
    "a number": (3, "not int"),
    "a path": (Path("x.db"), "as text, not PosixPath"),
    "bytes": (b"x.db", "not bytes"),
    "memory": (":memory:", "would be gone"),
    "NUL": ("a\0b.db", "NUL"),
    "NUL in a URL": ("sqlite:///a%00b.db", "NUL|failed|cannot"),
    "a parameter": ("sqlite:///x.db?mode=ro", "do not honour: mode"),
    "parameters": ("sqlite:///x.db?timeout=3&cache=shared", "honour: cache, timeout"),
    "a file's URL": ("sqlite:///file:x.db?mode=ro&uri=true", "do not honour: mode, uri"),
    "two slashes": ("sqlite://x.db", "three slashes"),
    "a host": ("sqlite://someone:very-secret@host/x.db", "has no host"),
    "another driver": ("sqlite+aiosqlite:///x.db", "write sqlite:///FILE"),
    "a cipher": ("sqlite+pysqlcipher://:very-secret@/x.db", "write sqlite:///FILE"),
    "mysql": ("mysql://me:very-secret@h/d", "SQLite or PostgreSQL"),
    "mysql's driver": ("mysql+pymysql://me:very-secret@h/d", "SQLite or PostgreSQL"),
    "oracle": ("oracle://h/d", "SQLite or PostgreSQL"),
    "redis": ("redis://localhost", "SQLite or PostgreSQL"),
    "a file of the web": ("file:///x.db", "SQLite or PostgreSQL"),
    "nothing before": ("://x", "does not begin as a URL"),
    "a password before": ("me:very-secret@h://x", "does not begin as a URL"),
    "postgres": ("postgres://me:very-secret@h/d", "write postgresql://"),
    "postgres's driver": ("postgres+psycopg://me@h/d", "write postgresql://"),
    "a port of letters": ("postgresql://me:very-secret@h:five/d", "port .* is not a number"),
    "a password for a port": ("postgresql://me:very-secret", "port .* is not a number"),
    "a port too high": ("postgresql://me@h:70000/d", "ports are 1 to 65535"),
    "no driver": ("postgresql+nobody://me@h/d", r"pip install hpsearch\[postgres\]"),
    "half a URL": ("postgresql:/me:very-secret@h/d", "as a URL does"),
    "half of sqlite's": ("sqlite:x.db", "as a URL does"),
}


@pytest.mark.parametrize(("given", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_what_would_not_be_done_is_refused(
    given: object, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=words) as caught:
        WriteBehindStorage(given)  # type: ignore[arg-type]
    assert SECRET not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "pip install" not in str(caught.value) or "nobody" in str(given)
    assert files(tmp_path) == set()


@pytest.mark.parametrize("name", ["x" * 300, f"{'y' * 300}/x.db"])
def test_a_name_that_is_too_long_gets_a_sentence(name: str, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="there is no database"):
        open_storage(str(tmp_path / name), create=False)
    with pytest.raises(StorageError, match="cannot be opened"):
        open_storage(str(tmp_path / name))


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
