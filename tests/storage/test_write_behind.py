"""What WriteBehindStorage promises beyond Optuna's own suite."""

from __future__ import annotations

import copy
import json
import math
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import optuna
import pytest
import sqlalchemy as sa
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.exceptions import DuplicatedStudyError
from optuna.storages import BaseStorage, InMemoryStorage, RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial
from servers import end_connections

from hpsearch.engine.lease import Lease
from hpsearch.errors import StorageError, UsageError
from hpsearch.storage import WriteBehindStorage, display_url, save_model_bytes, study_names
from hpsearch.storage.optuna_schema import SCHEMA, tables
from hpsearch.storage.own_tables import own_tables
from hpsearch.storage.pending import UNIQUE

pytestmark = pytest.mark.slow

Make = Callable[[], WriteBehindStorage]

DISTRIBUTIONS: dict[str, tuple[BaseDistribution, Any]] = {
    "float": (FloatDistribution(-1.5, 2.5), 0.1 + 0.2),
    "log": (FloatDistribution(1e-300, 1e300, log=True), 1e-200),
    "stepped": (FloatDistribution(0.0, 1.0, step=0.1), 0.3),
    "int": (IntDistribution(-5, 2**40), 2**40 - 1),
    "stepped int": (IntDistribution(0, 100, step=5), 45),
    "log int": (IntDistribution(1, 1024, log=True), 513),
    "choices": (CategoricalDistribution(("a", 1, 2.5, True, None)), None),
    "ключ ü 🚀": (CategoricalDistribution(("größer", "日本")), "日本"),
}
REPORTS = {0: math.nan, 1: math.inf, 2: -math.inf, 3: 5e-324, 100_000: 1 / 3}
ATTRIBUTES = {"größe": "日本 🚀", "nested": {"a": [1, 2.5, None, True]}, "long": "x" * 1_000_000}


def everything(state: TrialState) -> FrozenTrial:
    """A trial that uses every field."""
    return create_trial(
        state=state,
        values=[math.inf] if state == TrialState.COMPLETE else None,
        params={name: value for name, (_, value) in DISTRIBUTIONS.items()},
        distributions={name: distribution for name, (distribution, _) in DISTRIBUTIONS.items()},
        user_attrs=copy.deepcopy(ATTRIBUTES),
        system_attrs={"own": [1]},
        intermediate_values=dict(REPORTS),
    )


def by_steps(storage: BaseStorage, study_id: int, trial: FrozenTrial) -> None:
    """The same trial, written as an optimization writes it."""
    number = storage.create_new_trial(study_id)
    for name, (distribution, value) in DISTRIBUTIONS.items():
        storage.set_trial_param(number, name, distribution.to_internal_repr(value), distribution)
    for step, value in REPORTS.items():
        storage.set_trial_intermediate_value(number, step, value)
    for key, value in ATTRIBUTES.items():
        storage.set_trial_user_attr(number, key, "soon replaced")
        storage.set_trial_user_attr(number, key, value)
    storage.set_trial_system_attr(number, "own", [1])
    if trial.state != TrialState.RUNNING:
        storage.set_trial_state_values(number, trial.state, trial.values)


def fill(storage: BaseStorage) -> None:
    study_id = storage.create_new_study([optuna.study.StudyDirection.MAXIMIZE], "größte")
    storage.set_study_user_attr(study_id, "note", ATTRIBUTES)
    storage.set_study_system_attr(study_id, "own", [None, 1.5])
    for state in TrialState:
        trial = everything(state)
        storage.create_new_trial(study_id, trial)
        by_steps(storage, study_id, trial)
    storage.create_new_study([optuna.study.StudyDirection.MINIMIZE] * 2, "several values")


def plain(value: Any) -> Any:
    """NaN equals NaN, for once."""
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    return "NaN" if isinstance(value, float) and math.isnan(value) else value


def content(storage: BaseStorage) -> list[Any]:
    found: list[Any] = []
    for study in storage.get_all_studies():
        found.append(vars(study))
        trials = storage.get_all_trials(study._study_id)
        found += [{key: plain(value) for key, value in vars(trial).items()} for trial in trials]
    return found


@pytest.fixture
def stock(url: str) -> Iterator[RDBStorage]:
    """Optuna's own storage of the same database, which it is told not to examine every time."""
    text = sa.make_url(url).render_as_string(hide_password=False)
    storage = RDBStorage(text, skip_compatibility_check=True, skip_table_creation=True)
    yield storage
    storage.engine.dispose()


class TestBesideOptunasOwn:
    def test_what_it_writes_optuna_reads_back_equal(
        self, storage: WriteBehindStorage, stock: RDBStorage, make: Make
    ) -> None:
        fill(storage)
        mine = content(storage)
        storage.flush()
        assert content(stock) == mine
        assert content(make()) == mine

    def test_what_optuna_writes_it_reads_back_equal(self, empty: str) -> None:
        stock = RDBStorage(sa.make_url(empty).render_as_string(hide_password=False))
        fill(stock)
        with WriteBehindStorage(empty) as ours:
            assert content(ours) == content(stock)
        stock.engine.dispose()

    def test_an_empty_database_gets_the_tables_of_both(self, empty: str) -> None:
        with WriteBehindStorage(empty) as storage:
            fill(storage)
            mine = content(storage)
        stock = RDBStorage(sa.make_url(empty).render_as_string(hide_password=False))
        assert content(stock) == mine
        stock.engine.dispose()

    def test_an_optimization_is_the_same_in_memory(self, storage: WriteBehindStorage) -> None:
        def objective(trial: optuna.Trial) -> float:
            x = trial.suggest_float("x", -1, 1)
            for step in range(3):
                trial.report(x * step, step)
                if trial.should_prune():
                    raise optuna.TrialPruned
            return x**2 + trial.suggest_int("n", 0, 3)

        found = []
        for where in (storage, InMemoryStorage()):
            study = optuna.create_study(
                storage=where,
                sampler=optuna.samplers.TPESampler(seed=1),
                pruner=optuna.pruners.MedianPruner(n_startup_trials=2),
            )
            study.optimize(objective, n_trials=25)
            found.append(
                [
                    (t.number, t.state, t.params, t.values, t.intermediate_values)
                    for t in study.trials
                ]
            )
            assert study.best_trial == min(
                (t for t in study.trials if t.state == TrialState.COMPLETE),
                key=lambda t: t.value or 0.0,
            )
        assert found[0] == found[1]

    def test_several_threads_optimize_one_study(
        self, storage: WriteBehindStorage, stock: RDBStorage
    ) -> None:
        study = optuna.create_study(storage=storage, study_name="s")
        study.optimize(lambda t: t.suggest_float("x", 0, 1), n_trials=40, n_jobs=4)
        trials = optuna.load_study(study_name="s", storage=stock).trials
        assert [t.number for t in trials] == list(range(40))
        assert {t.state for t in trials} == {TrialState.COMPLETE}


class TestTime:
    def test_what_is_written_is_committed_soon(
        self, storage: WriteBehindStorage, stock: RDBStorage
    ) -> None:
        study = optuna.create_study(storage=storage, study_name="s")
        trial = study.ask()
        trial.set_user_attr("a", 1)
        deadline = time.monotonic() + 20
        while not stock.get_trial(trial._trial_id).user_attrs:
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def test_flush_commits_at_once(
        self, storage: WriteBehindStorage, stock: RDBStorage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("hpsearch.storage.write_behind.DELAY", 3600.0)
        study = optuna.create_study(storage=storage, study_name="s")
        trial = study.ask()
        trial.set_user_attr("a", 1)
        assert stock.get_trial(trial._trial_id).user_attrs == {}
        storage.flush()
        assert stock.get_trial(trial._trial_id).user_attrs == {"a": 1}

    def test_a_storage_nobody_refers_to_any_more_ends(self, url: str) -> None:
        before = set(threading.enumerate())
        storage = WriteBehindStorage(url)
        optuna.create_study(storage=storage).ask().set_user_attr("a", 1)
        [thread] = set(threading.enumerate()) - before
        storage.close()
        storage._wake.set()
        del storage
        thread.join(20)
        assert not thread.is_alive()


def optimize(url: str, names: Sequence[str], trials: int) -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = WriteBehindStorage(url)
    for name in names:
        study = optuna.load_study(study_name=name, storage=storage)
        study.sampler = optuna.samplers.RandomSampler()
        for _ in range(trials):
            trial = study.ask()
            trial.report(trial.suggest_float("x", 0, 1), 0)
            study.tell(trial, 1.0)
    storage.close()


class TestSeveralProcesses:
    def test_on_one_database_lose_nothing_and_number_in_turn(self, url: str, make: Make) -> None:
        """Each has trials in a study that all have, and then in one of its own."""
        storage = make()
        for name in ("all", "a", "b", "c"):
            optuna.create_study(study_name=name, storage=storage)
        spawn = multiprocessing.get_context("spawn")
        others = [spawn.Process(target=optimize, args=(url, ["all", own], 30)) for own in "bc"]
        for process in others:
            process.start()
        optimize(url, ["all", "a"], 30)
        for process in others:
            process.join(60)
            assert process.exitcode == 0
        for name, count in {"all": 90, "a": 30, "b": 30, "c": 30}.items():
            trials = optuna.load_study(study_name=name, storage=storage).trials
            assert [t.number for t in trials] == list(range(count))
            assert {t.state for t in trials} == {TrialState.COMPLETE}
            assert all(t.intermediate_values for t in trials)

    def test_a_reader_that_polls_sees_what_another_writes(self, make: Make) -> None:
        writer, reader = make(), make()
        study = optuna.create_study(storage=writer, study_name="s")
        looked = optuna.load_study(study_name="s", storage=reader)
        for number in range(3):
            trial = study.ask()
            trial.set_user_attr("a", number)
            study.set_user_attr("b", number)
            writer.flush()
            wait_for(lambda n=number: len(looked.trials) == n + 1)  # type: ignore[misc]
            wait_for(lambda n=number: looked.trials[-1].user_attrs == {"a": n})  # type: ignore[misc]
            assert looked.user_attrs == {"b": number}
            study.tell(trial, float(number))
            writer.flush()
            wait_for(lambda n=number: looked.trials[-1].value == n)  # type: ignore[misc]
        # What was interleaved is in order, too.
        for storage in (reader, writer, reader):
            optuna.load_study(study_name="s", storage=storage).ask()
        wait_for(lambda: [t.number for t in looked.trials] == list(range(6)))
        writer.delete_study(study._study_id)
        wait_for(lambda: gone(reader, study._study_id))

    def test_one_of_them_gets_a_waiting_trial(self, make: Make) -> None:
        storages = [make() for _ in range(3)]
        study = optuna.create_study(storage=storages[0], study_name="s")
        study.enqueue_trial({"x": 0.5})
        [trial] = study.trials
        for storage in storages:
            wait_for(lambda s=storage: trial._trial_id in ids(s, study._study_id))  # type: ignore[misc]
        started = [s.set_trial_state_values(trial._trial_id, TrialState.RUNNING) for s in storages]
        assert started == [True, False, False]

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="has no fork")
    @pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
    def test_a_forked_child_has_a_connection_of_its_own(
        self, storage: WriteBehindStorage, stock: RDBStorage
    ) -> None:
        study = optuna.create_study(storage=storage, study_name="s")
        trial = study.ask()
        trial.set_user_attr("a", 1)
        child = os.fork()
        if child == 0:
            try:
                optuna.load_study(study_name="s", storage=storage).ask()
                storage.flush()
            finally:
                os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        storage.flush()
        trials = stock.get_all_trials(study._study_id)
        assert [t.user_attrs for t in trials] == [{"a": 1}, {}]

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="has no fork")
    @pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
    def test_a_child_forked_in_the_middle_of_a_write_is_not_locked_out(
        self, storage: WriteBehindStorage, stock: RDBStorage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("hpsearch.storage.write_behind.FORK_PATIENCE", 0.1)
        study = optuna.create_study(storage=storage, study_name="s")
        trial = study.ask()
        inside, over = threading.Event(), threading.Event()

        def write() -> None:
            with storage.group():
                trial.set_user_attr("a", 1)
                inside.set()
                over.wait(60)

        writer = threading.Thread(target=write)
        writer.start()
        assert inside.wait(60)
        child = os.fork()
        if child == 0:
            signal.alarm(30)  # a deadlock ends it
            try:
                optuna.load_study(study_name="s", storage=storage)
                os._exit(0)
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        over.set()
        writer.join()
        assert [t.user_attrs for t in stock.get_all_trials(study._study_id)] == [{"a": 1}]

    def test_a_pickled_storage_opens_the_database_anew(self, storage: WriteBehindStorage) -> None:
        fill(storage)
        again = pickle.loads(pickle.dumps(storage))
        assert content(again) == content(storage)
        again.close()


WRITES: dict[str, Callable[[optuna.Study, optuna.Trial], object]] = {
    "report": lambda _, trial: trial.report(0.5, 1),
    "parameter": lambda _, trial: trial.suggest_float("x", 0, 1),
    "attribute": lambda _, trial: trial.set_user_attr("a", 1),
    "end": lambda study, trial: study.tell(trial, 0.5),
    "the study's attribute": lambda study, _: study.set_user_attr("a", 1),
    "new trial": lambda study, _: study.enqueue_trial({"x": 0.5}),
    "nothing": lambda _, __: None,
}


class TestDeletedElsewhere:
    """SQLite gives the ids of a deleted study and its trials to the next ones."""

    @pytest.fixture(autouse=True)
    def _never_by_itself(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("hpsearch.storage.write_behind.DELAY", 3600.0)
        monkeypatch.setattr("hpsearch.storage.connection.LOOK", 0.0)

    @pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
    @pytest.mark.parametrize("name", ["deleted", "another"])
    def test_what_was_pending_is_dropped(
        self,
        storage: WriteBehindStorage,
        stock: RDBStorage,
        write: Callable[[optuna.Study, optuna.Trial], object],
        name: str,
    ) -> None:
        kept = optuna.create_study(storage=storage, study_name="kept")
        deleted = optuna.create_study(storage=storage, study_name="deleted")
        trial = deleted.ask()
        storage.flush()
        write(deleted, trial)
        optuna.delete_study(study_name="deleted", storage=stock)
        later = optuna.create_study(storage=stock, study_name=name)
        later.ask()
        before = content(stock)
        storage.flush()
        assert content(stock) == before
        study_id, trial_id = deleted._study_id, trial._trial_id
        for call in (
            lambda: storage.get_trial(trial_id),
            lambda: storage.set_trial_intermediate_value(trial_id, 2, 0.5),
            lambda: storage.set_trial_user_attr(trial_id, "b", 1),
            lambda: storage.set_trial_state_values(trial_id, TrialState.FAIL),
            lambda: storage.get_all_trials(study_id),
            lambda: storage.set_study_user_attr(study_id, "b", 1),
            lambda: storage.create_new_trial(study_id),
        ):
            with pytest.raises(KeyError):
                call()
        kept.tell(kept.ask(), 1.0)
        storage.flush()
        assert [t.value for t in optuna.load_study(study_name="kept", storage=stock).trials] == [1]
        assert content(storage) == content(stock)
        assert optuna.load_study(study_name=name, storage=storage).ask().number == 1

    def test_a_trial_of_it_is_not_made_in_another(
        self, storage: WriteBehindStorage, stock: RDBStorage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        deleted = optuna.create_study(storage=storage, study_name="deleted")
        study = storage._study(deleted._study_id)
        optuna.delete_study(study_name="deleted", storage=stock)
        optuna.create_study(storage=stock, study_name="later")
        # Deleted after the look, and before the transaction.
        monkeypatch.setattr(storage, "_study", lambda _: study)
        with pytest.raises(KeyError):
            deleted.ask()
        assert [s.n_trials for s in optuna.get_all_study_summaries(storage=stock)] == [0]

    def test_ids_have_one_meaning_in_a_process(self, storage: WriteBehindStorage) -> None:
        deleted = optuna.create_study(storage=storage, study_name="deleted")
        trial = deleted.ask()
        optuna.delete_study(study_name="deleted", storage=storage)
        later = optuna.create_study(storage=storage, study_name="deleted")
        other = later.ask()
        assert later._study_id > deleted._study_id
        assert other._trial_id > trial._trial_id
        with pytest.raises(KeyError):
            trial.report(0.5, 1)


class TestRenaming:
    @pytest.fixture(autouse=True)
    def _look_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("hpsearch.storage.connection.LOOK", 0.0)

    def test_leaves_all_else_where_it_is(
        self, storage: WriteBehindStorage, stock: RDBStorage
    ) -> None:
        study = optuna.create_study(storage=storage, study_name="old")
        study.set_user_attr("a", 1)
        running = study.ask()
        study.add_trial(optuna.create_trial(value=0.5))
        storage.rename_study(study._study_id, "new", {"a": 2, "b": {"c": [1]}})
        for there in (storage, stock):
            again = optuna.load_study(study_name="new", storage=there)
            assert again._study_id == study._study_id
            assert [t._trial_id for t in again.trials] == [t._trial_id for t in study.trials]
            assert again.user_attrs == {"a": 2, "b": {"c": [1]}}
            with pytest.raises(KeyError):
                optuna.load_study(study_name="old", storage=there)
        assert storage.get_study_name_from_id(study._study_id) == "new"
        study.tell(running, 0.25)
        storage.flush()
        assert content(storage) == content(stock)

    @pytest.mark.parametrize("begin", ["nothing", "waits", "runs", "is done"])
    def test_by_another_process_loses_nothing(
        self, make: Callable[[], WriteBehindStorage], begin: str
    ) -> None:
        mine, other = make(), make()
        study = optuna.create_study(storage=mine, study_name="old")
        if begin == "waits":
            study.enqueue_trial({"x": 0.5})
        elif begin == "runs":
            running = study.ask()
            running.set_user_attr("pending", 1)
        elif begin == "is done":
            study.tell(study.ask(), 1.0)
        mine.flush()
        before = len(study.trials)
        other.rename_study(study._study_id, "new")
        if begin in ("runs", "is done"):  # without a trial to know it by, a study is its name
            assert mine.get_study_name_from_id(study._study_id) == "new"
            study.ask()
            if begin == "runs":
                study.tell(running, 1.0)
        again = optuna.load_study(study_name="new", storage=mine)
        assert len(again.trials) == before + (begin in ("runs", "is done"))
        assert study_names(mine) == ["new"]

    def test_refuses_a_name_that_is_taken_or_cannot_be_kept(
        self, storage: WriteBehindStorage
    ) -> None:
        ids = [storage.create_new_study([StudyDirection.MINIMIZE], name) for name in "ab"]
        with pytest.raises(DuplicatedStudyError):
            storage.rename_study(ids[0], "b", {"x": 1})
        with pytest.raises(StorageError, match="half of a character"):
            storage.rename_study(ids[0], "\ud800")
        with pytest.raises(KeyError):
            storage.rename_study(99, "c", {"x": 1})
        storage.rename_study(ids[0], "a")
        assert study_names(storage) == ["a", "b"]
        assert storage.get_study_user_attrs(ids[0]) == {}

    def test_finds_the_study_of_a_trial(self, storage: WriteBehindStorage) -> None:
        study = optuna.create_study(storage=storage)
        assert storage.get_study_id_from_trial_id(study.ask()._trial_id) == study._study_id
        with pytest.raises(KeyError):
            storage.get_study_id_from_trial_id(99)


def test_a_deleted_study_leaves_nothing_in_our_tables(storage: WriteBehindStorage) -> None:
    deleted, kept = (optuna.create_study(storage=storage, study_name=name) for name in "ab")
    for study in (deleted, kept):
        save_model_bytes(storage, study._study_id, b"network")
        save_model_bytes(storage, study._study_id, b"several", ensemble=2)
        with Lease(storage.engine, study._study_id, study.study_name):
            storage.finish_trial(
                study.ask()._trial_id,
                TrialState.COMPLETE,
                [1.0],
                intermediate_values={},
                user_attrs={},
                epochs={"loss": [1.0]},
            )
    with Lease(storage.engine, deleted._study_id, "a"):
        optuna.delete_study(study_name="a", storage=storage)
    with storage.engine.connect() as connection:
        ours = own_tables()
        for table in (ours.models, ours.ensembles, ours.runs, ours.epochs):
            assert len(connection.execute(table.select()).all()) == 1, table.name


def test_a_group_that_fails_leaves_what_was_pending(
    storage: WriteBehindStorage, make: Make
) -> None:
    study = optuna.create_study(storage=storage, study_name="s")
    trial = study.ask()

    def fail() -> None:
        with storage.group():
            study.tell(trial, 1.0)
            study.enqueue_trial({"x": 0.5})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert [t.value for t in study.trials] == [1.0]
    storage.flush()
    again = optuna.load_study(study_name="s", storage=make())
    assert [t.value for t in again.trials] == [1.0]
    assert study.ask().number == 1


def ids(storage: WriteBehindStorage, study_id: int) -> list[int]:
    return [t._trial_id for t in storage.get_all_trials(study_id)]


def gone(storage: WriteBehindStorage, study_id: int) -> bool:
    try:
        storage.get_all_trials(study_id)
    except KeyError:
        return True
    return False


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


KILLED = """
import os, signal, sys
import optuna
from hpsearch.storage import WriteBehindStorage
optuna.logging.set_verbosity(optuna.logging.WARNING)
storage = WriteBehindStorage(sys.argv[1])
sampler = optuna.samplers.RandomSampler()
study = optuna.create_study(study_name="s", storage=storage, sampler=sampler)
for number in range(10**9):
    trial = study.ask()
    trial.report(trial.suggest_float("x", 0, 1), 0)
    trial.set_user_attr("a", number)
    study.tell(trial, 1.0)
    if number % 20 == 0:
        storage.flush()
        print(number, flush=True)
"""


def test_a_killed_writer_leaves_nothing_half_and_loses_nothing_flushed(
    url: str, stock: RDBStorage
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, url], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    flushed = [int(process.stdout.readline()) for _ in range(6)][-1]
    process.send_signal(signal.SIGKILL)
    flushed = max([flushed, *(int(line) for line in process.stdout.read().split())])
    process.wait()
    process.stdout.close()
    trials = optuna.load_study(study_name="s", storage=stock).trials
    assert [t.number for t in trials] == list(range(len(trials)))
    assert all(t.state == TrialState.COMPLETE for t in trials[: flushed + 1])
    for trial in trials:
        if trial.state == TrialState.COMPLETE:
            assert trial.values == [1.0]
            assert trial.user_attrs == {"a": trial.number}
            assert set(trial.params) == {"x"}
            assert trial.intermediate_values == {0: trial.params["x"]}


class TestLostConnection:
    @pytest.fixture(autouse=True)
    def _a_server(self, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        if url.startswith("sqlite"):
            pytest.skip("SQLite has no server")
        monkeypatch.setattr("hpsearch.storage.write_behind.DELAY", 3600.0)

    def test_between_transactions_costs_nothing(
        self, make: Make, url: str, stock: RDBStorage
    ) -> None:
        storage = make()
        study = optuna.create_study(storage=storage, study_name="s")
        trial = study.ask()
        for write in (
            lambda: trial.report(0.5, 1),
            lambda: study.enqueue_trial({"x": 0.5}),
            lambda: trial.set_user_attr("a", 1),
            lambda: study.tell(trial, 1.0),
        ):
            end_connections(url)
            write()
            storage.flush()
        end_connections(url)
        assert len(study.get_trials()) == 2
        end_connections(url)
        with storage.engine.begin() as connection:
            assert connection.exec_driver_sql("SELECT 1").scalar() == 1
        stock.engine.dispose()
        assert content(stock) == content(storage)

    def test_in_the_middle_of_a_flush_costs_nothing(self, make: Make, url: str) -> None:
        storage = make()
        trial = optuna.create_study(storage=storage, study_name="s").ask()
        trial.set_user_attr("a", 1)
        lost: list[str] = []

        def lose(_: sa.Connection) -> None:
            if not lost:
                lost.append(url)
                end_connections(url)

        storage.connection.fence = lose
        storage.flush()
        assert lost
        [kept] = optuna.load_study(study_name="s", storage=make()).trials
        assert kept.user_attrs == {"a": 1}

    def test_in_the_middle_of_a_group_undoes_its_new_trials_only(
        self, make: Make, url: str
    ) -> None:
        storage = make()
        study = optuna.create_study(storage=storage, study_name="s")
        trial = study.ask()

        def lose() -> None:
            with storage.group():
                study.tell(trial, 1.0)
                study.enqueue_trial({"x": 0.5})
                end_connections(url)

        with pytest.raises(StorageError, match=r"ended the connection .* the same command goes on"):
            lose()
        storage.flush()
        [kept] = optuna.load_study(study_name="s", storage=make()).trials
        assert kept.value == 1.0

    def test_to_a_server_that_is_not_there_is_told(self, url: str) -> None:
        nowhere = sa.make_url(url).set(host="127.0.0.1", port=1, query={})
        with pytest.raises(StorageError, match=r"cannot be reached .* start its server"):
            WriteBehindStorage(nowhere.render_as_string(hide_password=False))


def test_a_study_deleted_in_the_middle_of_a_flush_is_no_trouble(
    make: Make, stock: RDBStorage, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    if url.startswith("sqlite"):
        pytest.skip("nobody else writes during a transaction of SQLite")
    monkeypatch.setattr("hpsearch.storage.write_behind.DELAY", 3600.0)
    storage = make()
    kept = optuna.create_study(storage=storage, study_name="kept").ask()
    trial = optuna.create_study(storage=storage, study_name="deleted").ask()
    for each in (kept, trial):
        each.set_user_attr("a", 1)
    look = storage._forget_gone

    def delete(connection: sa.Connection) -> None:
        look(connection)
        if "deleted" in [study.study_name for study in stock.get_all_studies()]:
            optuna.delete_study(study_name="deleted", storage=stock)

    monkeypatch.setattr(storage, "_forget_gone", delete)
    storage.flush()
    [study] = stock.get_all_studies()
    assert [t.user_attrs for t in stock.get_all_trials(study._study_id)] == [{"a": 1}]


BOTH, SERVER = ("sqlite", "postgresql"), ("postgresql",)
UNSTORABLE: dict[str, tuple[tuple[str, ...], type[Exception], str, Any]] = {
    "huge step": (BOTH, StorageError, "step", 2**70),
    "step of 33 bits": (SERVER, StorageError, "step", 2**31),
    "half a step": (BOTH, TypeError, "step", 1.5),
    "lone surrogate": (BOTH, StorageError, "name", "ü\udc80"),
    "number": (BOTH, TypeError, "name", 5),
    "nothing": (BOTH, TypeError, "name", None),
    "long": (SERVER, StorageError, "name", "k" * 513),
    "NUL": (SERVER, StorageError, "name", "a\0b"),
}


@pytest.mark.parametrize(
    ("backends", "error", "what", "value"), UNSTORABLE.values(), ids=UNSTORABLE.keys()
)
def test_what_cannot_be_kept_is_refused_at_once_or_kept(
    storage: WriteBehindStorage,
    make: Make,
    backends: tuple[str, ...],
    error: type[Exception],
    what: str,
    value: Any,
) -> None:
    study = optuna.create_study(storage=storage, study_name="s")
    study_id, trial_id = study._study_id, study.ask()._trial_id
    distribution = FloatDistribution(0, 1)
    writes: tuple[Callable[[], object], ...] = (
        lambda: storage.set_trial_user_attr(trial_id, value, 1),
        lambda: storage.set_trial_system_attr(trial_id, value, 1),
        lambda: storage.set_study_user_attr(study_id, value, 1),
        lambda: storage.set_trial_param(trial_id, value, 0.5, distribution),
        lambda: storage.create_new_trial(study_id, create_trial(value=1, user_attrs={value: 1})),
    )
    if what == "step":
        reports = create_trial(value=1, intermediate_values={value: 1.0})
        writes = (
            lambda: storage.set_trial_intermediate_value(trial_id, value, 1.0),
            lambda: storage.create_new_trial(study_id, reports),
        )
    elif isinstance(value, str):
        writes += (lambda: storage.create_new_study([optuna.study.StudyDirection.MINIMIZE], value),)
    for write in writes:
        if storage.engine.dialect.name in backends:
            with pytest.raises(error) as caught:
                write()
            assert "\n" not in str(caught.value)
        else:
            write()
        storage.flush()
    study.tell(study.ask(), 1.0)
    storage.flush()
    assert content(storage) == content(make())


def test_what_cannot_be_looked_for_gets_a_sentence(storage: WriteBehindStorage) -> None:
    with pytest.raises(StorageError, match="cannot keep, or look for, what it was given"):
        storage.get_study_id_from_name("\udc80")


def test_what_is_read_within_a_reading_is_of_the_same_state(storage: WriteBehindStorage) -> None:
    optuna.create_study(storage=storage, study_name="s")
    storage.flush()
    with storage.connection.reading() as outer:
        with storage.connection.reading() as inner:
            assert inner is outer
        assert outer.exec_driver_sql("SELECT count(*) FROM studies").scalar() == 1
    with storage.transaction() as writing, storage.connection.reading() as inner:
        assert inner is writing


def room(storage: WriteBehindStorage, pages: int) -> None:
    """Beyond so many pages SQLite says what it says when the disk has no room."""
    with storage.connection.reading() as connection:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")


class TestTrouble:
    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        return tmp_path / "studies.db"

    def test_a_full_disk_is_told_and_costs_nothing(self, file: Path) -> None:
        storage = WriteBehindStorage(str(file))
        study = optuna.create_study(storage=storage, study_name="s")
        trial = study.ask()
        with storage.engine.connect() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        room(storage, pages)
        trial.set_user_attr("a", "x" * 100_000)
        with pytest.raises(StorageError, match="has no room left on its disk; free some"):
            storage.flush()
        with pytest.raises(StorageError, match="has no room left"):
            trial.set_user_attr("b", 2)
        room(storage, 1_000_000)
        trial.set_user_attr("c", 3)
        study.tell(trial, 1.0)
        storage.flush()
        [kept] = optuna.load_study(study_name="s", storage=f"sqlite:///{file}").trials
        assert kept.value == 1.0
        assert kept.user_attrs == {"a": "x" * 100_000, "b": 2, "c": 3}

    def test_a_failure_in_the_background_reaches_the_next_call(self, file: Path) -> None:
        storage = WriteBehindStorage(str(file))
        trial = optuna.create_study(storage=storage, study_name="s").ask()

        def refuse(connection: sa.Connection) -> None:
            raise StorageError("not now")

        storage.connection.fence = refuse
        trial.set_user_attr("a", 1)
        wait_for(lambda: storage._broken)
        with pytest.raises(StorageError, match="not now"):
            trial.set_user_attr("b", 2)
        storage.connection.fence = None
        trial.set_user_attr("c", 3)
        storage.close()
        [kept] = optuna.load_study(study_name="s", storage=f"sqlite:///{file}").trials
        assert kept.user_attrs == {"a": 1, "b": 2, "c": 3}

    @pytest.mark.parametrize("replaced", [False, True])
    def test_a_file_that_is_deleted_meanwhile_is_noticed(self, file: Path, replaced: bool) -> None:
        storage = WriteBehindStorage(str(file))
        trial = optuna.create_study(storage=storage, study_name="s").ask()
        storage.flush()
        file.rename(file.with_suffix(".old"))
        if replaced:
            file.write_bytes(b"")
        trial.set_user_attr("a", 1)
        with pytest.raises(StorageError, match="was deleted or replaced while it was in use; put"):
            storage.flush()
        file.with_suffix(".old").replace(file)
        storage.flush()
        [kept] = optuna.load_study(study_name="s", storage=f"sqlite:///{file}").trials
        assert kept.user_attrs == {"a": 1}

    def test_a_locked_file_is_waited_for_and_told(
        self, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("hpsearch.storage.database.BUSY_TIMEOUT", 0.1)
        storage = WriteBehindStorage(str(file))
        trial = optuna.create_study(storage=storage, study_name="s").ask()
        storage.flush()
        with sa.create_engine(f"sqlite:///{file}").connect() as other:
            other.exec_driver_sql("BEGIN IMMEDIATE")
            trial.set_user_attr("a", 1)
            with pytest.raises(StorageError, match="is locked by another program; close it"):
                storage.flush()
            other.rollback()
        storage.flush()
        storage.close()

    def test_an_older_schema_is_refused_with_the_remedy(self, file: Path) -> None:
        WriteBehindStorage(str(file)).close()
        with sa.create_engine(f"sqlite:///{file}").begin() as connection:
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'v2.6.0.a'")
        with pytest.raises(StorageError, match="`optuna storage upgrade --storage URL` brings"):
            WriteBehindStorage(str(file))

    def test_another_optuna_than_we_know_is_refused(
        self, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from hpsearch.storage import optuna_schema

        monkeypatch.setitem(optuna_schema.COLUMNS, "trials", "trial_id number")
        tables.cache_clear()
        with pytest.raises(StorageError, match="keeps its table trials in another form"):
            WriteBehindStorage(str(file))
        tables.cache_clear()

    @pytest.mark.parametrize("url", ["mysql://root@localhost/x", "oracle://x", "nonsense://x", ""])
    def test_a_database_that_does_not_work_here_is_refused(self, url: str) -> None:
        with pytest.raises(UsageError):
            WriteBehindStorage(url)


class TestPasswords:
    @pytest.mark.parametrize(
        "place", ["someone:very-secret@127.0.0.1:1/x?", "127.0.0.1:1/x?password=very-secret&"]
    )
    def test_are_in_no_message(self, place: str) -> None:
        with pytest.raises(StorageError) as caught:
            WriteBehindStorage(f"postgresql://{place}connect_timeout=1")
        assert "very-secret" not in str(caught.value)
        assert "***" in str(caught.value)

    def test_that_are_parameters_are_in_no_text_and_reach_the_server(self, url: str) -> None:
        if url.startswith("sqlite"):
            pytest.skip("SQLite has no passwords")
        given = url + "&password=very-secret"
        with WriteBehindStorage(given) as storage:
            assert "very-secret" not in repr(storage) + storage.url + repr(vars(storage))
            assert storage.engine.dialect.name == "postgresql"
            with storage.connection.reading() as connection:
                driver: Any = connection.connection.driver_connection
                assert driver.info.password == "very-secret"
            with pickle.loads(pickle.dumps(storage)) as again:
                assert content(again) == []

    @pytest.mark.parametrize(
        "text",
        ["postgresql:/u:very-secret@h/db", "postgresql:u:very-secret@h/db", "pg//u:very-secret@h"],
    )
    def test_of_half_a_url_are_not_taken_for_a_file_s_name(self, text: str) -> None:
        with pytest.raises(UsageError, match="as a URL does") as caught:
            WriteBehindStorage(text)
        assert "very-secret" not in str(caught.value)

    def test_are_in_no_text_of_the_storage(self, storage: WriteBehindStorage, url: str) -> None:
        password = sa.make_url(url).password
        assert repr(storage) == f"WriteBehindStorage({display_url(url)!r})"
        if password is not None:
            assert password not in repr(storage) + storage.url + str(storage.engine)


def test_the_schema_that_we_know_is_the_one_that_optuna_makes(tmp_path: Path) -> None:
    storage = RDBStorage(f"sqlite:///{tmp_path / 'stock.db'}")
    assert storage.get_head_version() == SCHEMA
    for name in UNIQUE.keys() & set(tables()._fields):
        key = UNIQUE[name]
        [constraint] = [
            c for c in getattr(tables(), name).constraints if isinstance(c, sa.UniqueConstraint)
        ]
        assert [column.name for column in constraint.columns] == list(key)


def test_values_come_back_as_json_has_them(storage: WriteBehindStorage) -> None:
    trial = optuna.create_study(storage=storage).ask()
    given = (1, {2: 3})
    trial.set_user_attr("a", given)
    with pytest.raises(TypeError):
        trial.set_user_attr("b", object())
    assert trial.study.trials[0].user_attrs == {"a": json.loads(json.dumps(given))}
