"""Running studies: what is stored, what a second run does, and what happens when workers break."""

from __future__ import annotations

import dataclasses
import os
import signal
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from itertools import count
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from here import Here
from threadpoolctl import threadpool_info, threadpool_limits

from hpsearch.engine import record, run_study
from hpsearch.engine import runner as engine
from hpsearch.engine.budget import plan_search
from hpsearch.engine.ensemble import make_ensemble
from hpsearch.engine.events import (
    DataReady,
    Event,
    Finished,
    StageStarted,
    TrialDone,
    WinnerNamed,
)
from hpsearch.engine.executors import WorkerDiedError
from hpsearch.engine.executors.processes import process_pool
from hpsearch.engine.lease import Lease
from hpsearch.engine.summary import Summary, summarize
from hpsearch.errors import RunError, StorageError, UsageError
from hpsearch.objectives.network import NetworkObjective
from hpsearch.outcome import Outcome
from hpsearch.search import guided
from hpsearch.search.base import Motive
from hpsearch.storage import load_model_bytes, load_study, open_storage, study_names
from hpsearch.storage.pending import Pending
from hpsearch.study_file import StudyFile, parse_study_file
from hpsearch.training.jobs import Job, RefitJob, train_job
from hpsearch.training.model import Model

TEXT = """
name = "{name}"
seed = 3
[data]
name = "iris"
{data}
[model]
width = {{ low = 4, high = 32, log = true }}
depth = 1
[training]
epochs = 4
{training}
[search]
strategy = "{strategy}"
trials = {trials}
{search}
"""


def study(
    strategy: str = "coarse-to-fine",
    *,
    trials: int = 12,
    name: str = "s",
    search: str = "",
    data: str = "",
    training: str = "",
) -> StudyFile:
    return parse_study_file(
        TEXT.format(
            name=name, strategy=strategy, trials=trials, search=search, data=data, training=training
        )
    )


def essence(db: str, name: str = "s") -> dict[tuple[int, int], tuple[object, ...]]:
    """What must be the same however a study was run: all but numbers, times and durations."""
    trials = load_study(open_storage(db), name).trials
    return {
        (t.user_attrs["stage_index"], t.user_attrs["slot"]): (
            t.params,
            t.user_attrs["seed"],
            t.value,
            t.intermediate_values,
            t.state,
            t.distributions,
        )
        for t in trials
    }


@pytest.mark.parametrize(
    "strategy", ["coarse-to-fine", "guided", "random", "grid", "tpe", "cmaes", "qmc"]
)
def test_every_strategy_runs_to_a_tested_winner(here: Here, db: str, strategy: str) -> None:
    trials = 12 if strategy != "grid" else 16
    summary = run_study(study(strategy, trials=trials), storage=db)
    assert summary.strategy == strategy
    assert sum(summary.states.values()) <= trials
    assert summary.test is not None
    assert summary.test_interval is not None
    low, high = summary.test_interval
    assert 0 <= low < summary.test <= high <= 1
    assert summary.test_rows == 30
    assert summary.best is not None
    assert set(summary.best) == {"learning_rate", "decay", "l2", "width"}
    assert summary.seconds is not None
    keys = list(essence(db))
    assert len(keys) == len(set(keys)) == sum(s.slots for s in summary.stages)


def test_workers_and_resuming_change_nothing(db: str, tmp_path: Path, here: Here) -> None:
    run_study(study(), storage=db)
    whole = essence(db)
    other = f"sqlite:///{tmp_path / 'other.db'}"

    # Interrupted after every few trials, again and again, until nothing is left to do.
    class EnoughError(Exception):
        pass

    interruptions = 0
    while True:
        seen = 0

        def stop(event: Event) -> None:
            nonlocal seen
            seen += isinstance(event, TrialDone)
            if seen == 5:
                raise EnoughError

        try:
            run_study(study(), storage=other, workers=1, on_event=stop)
        except EnoughError:
            interruptions += 1
        else:
            break
    assert interruptions == 2
    assert essence(other) == whole


def motives(db: str) -> list[Motive | None]:
    """Why each trial was chosen, as it is told, in the order of the trials' slots."""
    rows = summarize(load_study(open_storage(db), "s")).rows
    return [row.motive for row in sorted(rows, key=lambda row: row.slot.place if row.slot else ())]


def test_a_study_goes_on_where_a_model_would_choose_otherwise(
    db: str, tmp_path: Path, here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on another machine, which rounds in its own way: a begun stage stays as it was."""
    run_study(study("guided", trials=16), storage=db)
    other = f"sqlite:///{tmp_path / 'other.db'}"

    def stop(event: Event) -> None:
        if isinstance(event, TrialDone) and event.slot.stage == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_study(study("guided", trials=16), storage=other, workers=1, on_event=stop)
    monkeypatch.setattr(guided, "choose", lambda _, __, count, **___: range(count))
    run_study(study("guided", trials=16), storage=other)
    assert essence(other) == essence(db)
    assert motives(other) == motives(db)
    anew = f"sqlite:///{tmp_path / 'anew.db'}"
    run_study(study("guided", trials=16), storage=anew)
    assert essence(anew) != essence(db)


@pytest.mark.slow
def test_real_workers_give_the_same_trials_as_one_process(
    db: str, tmp_path: Path, here: Here
) -> None:
    run_study(study(trials=8), storage=db)
    other = f"sqlite:///{tmp_path / 'workers.db'}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "process_pool", process_pool)
        run_study(study(trials=8), storage=other, workers=2)
    assert essence(other) == essence(db)


@pytest.mark.parametrize("kind", ["threads", pytest.param("processes", marks=pytest.mark.slow)])
def test_an_executor_of_ones_own_gives_the_same_trials_and_is_left_open(
    here: Here, db: str, tmp_path: Path, kind: str
) -> None:
    run_study(study(trials=8), storage=db)
    here.jobs.clear()
    other = f"sqlite:///{tmp_path / 'other.db'}"
    limited = study(trials=8, name="t", search="trial_seconds = 5")
    with (
        ThreadPoolExecutor(2)
        if kind == "threads"
        else ProcessPoolExecutor(2, mp_context=get_context("forkserver"))
    ) as executor:
        summary = run_study(study(trials=8), storage=other, executor=executor)
        assert executor.submit(abs, -3).result() == 3
        assert len(make_ensemble("s", 2, storage=other, executor=executor).members) == 2
        with pytest.raises(UsageError, match=f"which a {type(executor).__name__} has not"):
            run_study(limited, storage=other, executor=executor)
    assert study_names(open_storage(other)) == ["s"]
    assert here.jobs == []
    assert summary.test is not None
    assert essence(other) == essence(db)
    with pytest.raises(RunError, match="the executor takes no more jobs"):
        run_study(study(trials=10), storage=other, executor=executor)
    assert run_study(study(trials=10), storage=other).states == {"complete": 10}


def test_what_an_interrupted_run_gave_to_an_executor_is_taken_back(db: str) -> None:
    def stop(event: Event) -> None:
        if isinstance(event, TrialDone):
            raise KeyboardInterrupt

    with ThreadPoolExecutor(1) as executor:
        with pytest.raises(KeyboardInterrupt):
            run_study(study(), storage=db, executor=executor, workers=8, on_event=stop)
        assert executor.submit(abs, -3).result() == 3
    states = Counter(t.state.name for t in load_study(open_storage(db), "s").trials)
    assert "RUNNING" not in states
    assert states["WAITING"] > 0


@pytest.mark.slow
def test_threads_that_an_interrupted_run_leaves_stop_and_put_no_limit_back(db: str) -> None:
    def stop(event: Event) -> None:
        if isinstance(event, DataReady):
            threading.Timer(1, os.kill, [os.getpid(), signal.SIGINT]).start()

    def limits() -> set[int]:
        return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}

    endless = parse_study_file(
        'name = "s"\n[data]\nname = "iris"\n[training]\nepochs = 100_000\n[search]\ntrials = 4'
    )
    with threadpool_limits(2), ThreadPoolExecutor(2) as executor:
        with pytest.raises(KeyboardInterrupt):
            run_study(endless, storage=db, executor=executor, on_event=stop)
        executor.shutdown()
        assert limits() == {2}


@pytest.mark.parametrize("killed", [False, True])
def test_a_stage_begins_while_the_last_slots_of_the_one_before_train(
    db: str, tmp_path: Path, here: Here, monkeypatch: pytest.MonkeyPatch, killed: bool
) -> None:
    """One of the slots that the second stage does not see ends after a result of that stage."""
    file = study("guided", trials=30)
    run_study(file, storage=db)
    stage = plan_search(file).next_stage([])
    assert stage is not None
    assert stage.seen == stage.slots - 1
    slow, begun = stage.slot(stage.slots - 1), threading.Event()
    order: list[tuple[int, int]] = []

    def waits(job: Job, stopped: Callable[[], bool]) -> Outcome:
        assert job.seed != slow.seed or begun.wait(60)
        return train_job(job, stopped)

    def tell(event: Event) -> None:
        if isinstance(event, TrialDone):
            order.append(event.slot.place)
            if event.slot.stage == 1 and not begun.is_set():
                begun.set()
                if killed:
                    raise KeyboardInterrupt

    monkeypatch.setattr(NetworkObjective, "work", staticmethod(waits))
    other = f"sqlite:///{tmp_path / 'other.db'}"
    with ThreadPoolExecutor(3) as executor:
        if killed:
            with pytest.raises(KeyboardInterrupt):
                run_study(file, storage=other, executor=executor, on_event=tell)
        run_study(file, storage=other, executor=executor, on_event=tell)
    assert order.index(slow.place) > min(i for i, (index, _) in enumerate(order) if index == 1)
    assert essence(other) == essence(db)
    assert len(load_study(open_storage(other), "s").trials) == 30


def test_what_is_no_executor_is_wrong_use(db: str) -> None:
    with pytest.raises(UsageError, match="5 is no executor; give one of"):
        run_study(study(), storage=db, executor=5)  # type: ignore[arg-type]


def test_events_tell_the_story(here: Here, db: str) -> None:
    events: list[Event] = []
    run_study(study(trials=10), storage=db, on_event=events.append)
    kinds = Counter(type(event) for event in events)
    assert kinds[DataReady] == kinds[WinnerNamed] == kinds[Finished] == 1
    assert kinds[TrialDone] == 10
    assert isinstance(events[0], DataReady)
    assert events[0].sizes == (96, 24, 30)
    assert next(e.stage.name for e in events if isinstance(e, StageStarted)) == "coarse"
    assert isinstance(events[-1], Finished)


def test_a_finished_study_is_not_run_again(here: Here, db: str) -> None:
    first = run_study(study(), storage=db)
    here.jobs.clear()
    again = run_study(study(), storage=db)
    assert here.jobs == []
    assert again == first


def test_the_test_part_is_looked_at_once(here: Here, db: str) -> None:
    run_study(study(), storage=db)
    assert sum(isinstance(job, RefitJob) for job in here.jobs) == 1


def test_the_stored_network_is_the_tested_one(here: Here, db: str) -> None:
    from hpsearch.data import load_dataset, make_splits

    summary = run_study(study(), storage=db)
    storage = open_storage(db)
    assert summary.model is not None
    content = load_model_bytes(storage, load_study(storage, "s")._study_id, summary.model)
    model = Model.from_bytes(content)
    data = load_dataset("iris")
    test = make_splits(data.y, seed=3)[0].test
    right = model.predict(data.X[test]) == np.asarray(data.classes)[data.y[test]]
    assert right.mean() == pytest.approx(summary.test)
    assert model.origin["validation"] == summary.validation


def test_early_stopping_refits_to_the_winner_s_best_epoch(here: Here, db: str) -> None:
    run_study(study(trials=8, training="patience = 2"), storage=db)
    [job] = [job for job in here.jobs if isinstance(job, RefitJob)]
    assert job.stop_after is not None
    assert 1 <= job.stop_after <= 4


def test_class_weights_are_searched_by_name_or_fixed_by_a_table(here: Here, db: str) -> None:
    text = 'class_weight = { choices = ["none", "balanced"] }\nlabel_smoothing = 0.1'
    run_study(study("random", trials=4, training=text), storage=db)
    names = {trial.params["class_weight"] for trial in load_study(open_storage(db), "s").trials}
    assert names <= {"none", "balanced"}
    here.jobs.clear()
    table = "class_weight = { versicolor = 2.5 }"
    run_study(study("random", name="t", trials=4, training=table), storage=db)
    assert {job.class_weights for job in here.jobs} == {(1.0, 2.5, 1.0)}
    with pytest.raises(UsageError, match="names the label 'nobody', of no row"):
        run_study(
            study("random", name="u", trials=4, training="class_weight = { nobody = 2 }"),
            storage=db,
        )


def test_the_averaging_of_weights_can_be_searched(here: Here, db: str) -> None:
    file = study("grid", trials=4, training="weight_averaging = { choices = [0.0, 0.9] }")
    file = file.model_copy(
        update={"model": file.model.model_copy(update={"width": 8}), "data": file.data}
    )
    run_study(file, storage=db)
    trials = load_study(open_storage(db), "s").trials
    assert {trial.params["weight_averaging"] for trial in trials} == {0.0, 0.9}
    values = {trial.value for trial in trials}
    assert len(values) > 1


def test_diverged_trainings_are_pruned_with_their_reason(here: Here, db: str) -> None:
    wild = 'learning_rate = { low = 0.01, high = 9000.0, log = true }\noptimizer = "sgd"'
    summary = run_study(study("random", training=wild), storage=db)
    assert summary.states["pruned"] > 0
    for row in summary.rows:
        if row.state == "pruned":
            assert row.why in ("diverged", "not finite")
            assert row.score == pytest.approx(1 / 3)
    assert summary.test is not None
    trials = load_study(open_storage(db), "s").trials
    assert all(t.intermediate_values for t in trials)


@pytest.mark.slow
class TestBrokenWorkers:
    def test_a_job_that_breaks_is_tried_three_times_and_left_as_fail(
        self, here: Here, db: str
    ) -> None:
        attempts: Counter[int] = Counter()

        def breaks(job: Any) -> None:
            if isinstance(job, Job):
                attempts[job.seed] += 1
                if job.seed == next(iter(attempts)):
                    raise MemoryError("out of memory")

        here.before = breaks
        events: list[Event] = []
        summary = run_study(study("random"), storage=db, workers=1, on_event=events.append)
        assert summary.states["fail"] == 1
        assert attempts.most_common(1)[0][1] == 3
        [failed] = [row for row in summary.rows if row.state == "fail"]
        assert failed.why == "MemoryError: out of memory"
        assert [e.error for e in events if isinstance(e, TrialDone) and e.error] == [failed.why]

    def test_a_job_that_breaks_once_is_as_if_nothing_had_been(
        self, here: Here, db: str, tmp_path: Path
    ) -> None:
        run_study(study("random"), storage=db)
        attempts: Counter[int] = Counter()

        def breaks(job: Any) -> None:
            attempts[job.seed] += 1
            if attempts[job.seed] < 3:
                raise OSError("twice")

        here.before = breaks
        other = f"sqlite:///{tmp_path / 'other.db'}"
        assert run_study(study("random"), storage=other).test is not None
        assert essence(other) == essence(db)

    def test_a_stage_in_which_everything_fails_ends_the_run(self, here: Here, db: str) -> None:
        def breaks(job: Any) -> None:
            raise MemoryError("no")

        here.before = breaks
        with pytest.raises(RunError, match="stage random failed, the last with: MemoryError: no"):
            run_study(study("random", trials=2), storage=db)

    def test_the_search_goes_on_from_a_later_stage_in_which_everything_fails(
        self, here: Here, db: str, tmp_path: Path
    ) -> None:
        file = study(trials=24)

        def breaks(job: Any) -> None:
            if isinstance(job, Job) and job.epochs == 2:
                raise MemoryError("no")

        here.before = breaks
        summary = run_study(file, storage=db)
        assert summary.test is not None
        best = {stage.name: stage.best for stage in summary.stages}
        assert [name for name, score in best.items() if score is None] == ["fine-1"]
        assert any(name.startswith("race") for name in best)

        def stops(event: Event) -> None:
            if isinstance(event, TrialDone) and event.stage.index == 2:
                raise KeyboardInterrupt

        other = f"sqlite:///{tmp_path / 'other.db'}"
        with pytest.raises(KeyboardInterrupt):
            run_study(file, storage=other, on_event=stops)
        run_study(file, storage=other)
        assert essence(other) == essence(db)

    def test_a_failed_slot_is_tried_again_by_the_next_run(self, here: Here, db: str) -> None:
        def breaks(job: Any) -> None:
            if isinstance(job, RefitJob) or job.seed % 2:
                raise MemoryError("no")

        here.before = breaks
        with pytest.raises(RunError, match="last training broke 3 times: MemoryError: no"):
            run_study(study("random"), storage=db)
        here.before = lambda job: None
        summary = run_study(study("random"), storage=db)
        assert summary.states["complete"] == 12

    def test_wrong_use_inside_a_job_ends_the_run_with_its_sentence(
        self, here: Here, db: str
    ) -> None:
        with pytest.raises(UsageError, match="batch normalization needs two samples"):
            run_study(dataclasses_replace_batch(study("random")), storage=db)

    def test_a_killed_worker_costs_nothing_but_time(self) -> None:
        with process_pool(1) as executor:
            assert executor.submit(abs, -32).result() == 32
            for number in range(4):
                with pytest.raises(WorkerDiedError, match=r"the worker died \(signal 9\)"):
                    executor.submit(kill_self, None).result()
                assert executor.submit(abs, -number).result() == number


def kill_self(_: None) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def dataclasses_replace_batch(file: StudyFile) -> StudyFile:
    """Batches of one sample with batch normalization cannot be trained."""
    training = file.training.model_copy(update={"batch_size": 1})
    model = file.model.model_copy(update={"batch_norm": True})
    return file.model_copy(update={"training": training, "model": model})


class TestBudgets:
    @pytest.mark.parametrize("strategy", ["coarse-to-fine", "guided", "random", "tpe", "qmc"])
    def test_a_raised_number_of_trials_goes_on_from_what_there_is(
        self, here: Here, db: str, strategy: str
    ) -> None:
        first = run_study(study(strategy, trials=12), storage=db)
        before = essence(db)
        again = run_study(study(strategy, trials=20), storage=db)
        after = essence(db)
        assert sum(isinstance(job, Job) for job in here.jobs) == len(after) == 20
        assert {key: after[key] for key in before} == before
        assert sum(stage.slots for stage in again.stages) == 20
        assert again.test is not None
        assert (first.tests, again.tests) == (1, 2)
        assert run_study(study(strategy, trials=20), storage=db) == again

    def test_an_interrupted_study_may_be_raised(self, here: Here, db: str, tmp_path: Path) -> None:
        def stop(event: Event) -> None:
            if isinstance(event, TrialDone) and event.slot.stage == 1:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            run_study(study(trials=20), storage=db, on_event=stop)
        run_study(study(trials=30), storage=db)
        other = f"sqlite:///{tmp_path / 'other.db'}"
        run_study(study(trials=20), storage=other)
        run_study(study(trials=30), storage=other)
        assert essence(db) == essence(other)

    def test_fewer_trials_are_refused(self, here: Here, db: str) -> None:
        run_study(study(trials=12), storage=db)
        with pytest.raises(UsageError, match="has 12 trials and is asked for 10"):
            run_study(study(trials=10), storage=db)

    def test_a_grid_is_not_raised(self, here: Here, db: str) -> None:
        run_study(study("grid", trials=16), storage=db)
        with pytest.raises(UsageError, match="a grid cannot be given more trials"):
            run_study(study("grid", trials=81), storage=db)

    def test_epochs_are_a_budget_too(self, here: Here, db: str) -> None:
        summary = run_study(study("random", trials=50, search="total_epochs = 30"), storage=db)
        assert summary.states == {"complete": 7}  # of 4 epochs each
        with pytest.raises(UsageError, match="does not pay for one training of 4 epochs"):
            run_study(study("random", name="t", search="total_epochs = 3"), storage=db)

    def test_coarse_to_fine_fits_its_stages_into_the_epochs(self, here: Here, db: str) -> None:
        summary = run_study(study(trials=500, search="total_epochs = 100"), storage=db)
        planned = sum(stage.slots * stage.epochs for stage in summary.stages)
        assert 90 <= planned <= 100

    def test_time_ends_the_search_between_trials_and_names_a_winner(
        self, here: Here, db: str
    ) -> None:
        events: list[Event] = []

        def seconds(_: Lease) -> float:
            return 10.0 * sum(isinstance(event, TrialDone) for event in events)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Lease, "seconds", property(seconds))
            cut = run_study(
                study("random", search="seconds = 45"),
                storage=db,
                workers=1,
                on_event=events.append,
            )
        assert cut.states == {"complete": 6}  # the one in flight may end
        assert cut.test is not None
        assert [e.out_of_time for e in events if isinstance(e, WinnerNamed)] == [True]
        here.jobs.clear()
        assert run_study(study("random", search="seconds = 45"), storage=db) == cut
        assert here.jobs == []
        # What earlier runs took counts.
        more = run_study(study("random", search="seconds = 1000"), storage=db)
        assert more.states == {"complete": 12}

    def test_time_that_was_over_before_the_winner_was_named_keeps_the_trials(
        self, here: Here, db: str
    ) -> None:
        events: list[Event] = []

        def stop(event: Event) -> None:
            events.append(event)
            if sum(isinstance(event, TrialDone) for event in events) == 3:
                raise KeyboardInterrupt

        file = study("random", search="seconds = 1000")
        with pytest.raises(KeyboardInterrupt):
            run_study(file, storage=db, workers=1, on_event=stop)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Lease, "seconds", 2000.0)
            assert run_study(file, storage=db, workers=1).states["complete"] >= 3

    def test_no_time_for_a_trial_is_told(self, here: Here, db: str) -> None:
        with pytest.raises(RunError, match="seconds were over before a trial was finished"):
            run_study(study("random", search="seconds = 1e-9"), storage=db)


class TestReuse:
    def test_a_training_that_the_database_holds_is_not_done_again(
        self, here: Here, db: str
    ) -> None:
        run_study(study("random", trials=8), storage=db)
        here.jobs.clear()
        run_study(study("random", trials=12, name="larger"), storage=db)
        assert sum(isinstance(job, Job) for job in here.jobs) == 4
        first, second = essence(db), essence(db, "larger")
        assert {key: second[key] for key in first} == first

    @pytest.mark.parametrize(
        "other",
        [
            {"training": "batch_size = 32"},
            {"data": "folds = 2"},
            {"data": "test = 0.3"},
        ],
    )
    def test_any_difference_makes_another_training(
        self, here: Here, db: str, other: dict[str, Any]
    ) -> None:
        run_study(study("random", trials=4), storage=db)
        here.jobs.clear()
        run_study(study("random", trials=4, name="other", **other), storage=db)
        assert sum(isinstance(job, Job) for job in here.jobs) == 4


class TestChangedStudies:
    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"training": "batch_size = 8"}, "training.batch_size was 64 and is 8"),
            ({"data": "folds = 3"}, "data.folds was 1 and is 3"),
            ({"strategy": "random"}, "search.strategy was coarse-to-fine and is random"),
        ],
    )
    def test_a_changed_file_is_refused_with_the_difference(
        self, here: Here, db: str, changes: dict[str, Any], words: str
    ) -> None:
        run_study(study(), storage=db)
        with pytest.raises(UsageError, match=words):
            run_study(study(**changes), storage=db)

    @pytest.mark.parametrize("finished", [False, True])
    def test_changed_data_is_refused(
        self, here: Here, db: str, tmp_path: Path, finished: bool
    ) -> None:
        table = tmp_path / "t.csv"
        rows = [f"{i},{i % 7},{'ab'[i % 2]}" for i in range(60)]
        table.write_text("x,z,y\n" + "\n".join(rows))
        file = study("random", trials=2)
        file = file.model_copy(
            update={
                "data": file.data.model_copy(
                    update={"name": None, "path": str(table), "target": "y"}
                )
            }
        )
        if finished:
            run_study(file, storage=db)
        else:
            here.before = fail_at_the_end
            with pytest.raises(RunError, match="last training broke 3 times: OSError: end"):
                run_study(file, storage=db)
        table.write_text("x,z,y\n" + "\n".join(rows[:50]))
        with pytest.raises(UsageError, match="60 rows then, 50 now"):
            run_study(file, storage=db)
        table.unlink()
        with pytest.raises(UsageError, match=r"t\.csv"):
            run_study(file, storage=db)

    def test_a_study_older_than_a_setting_goes_on(self, here: Here, db: str) -> None:
        """`weight_averaging` was not there once; off, it changes nothing."""
        run_study(study("random", trials=4), storage=db)
        stored = load_study(open_storage(db), "s")
        note = record.read_metadata(stored, "study file")
        del note["training"]["weight_averaging"]
        record.write_metadata(stored, "study file", note)
        stored._storage.flush()  # type: ignore[attr-defined]
        assert run_study(study("random", trials=6), storage=db).states == {"complete": 6}
        with pytest.raises(UsageError, match=r"weight_averaging was 0\.0 and is 0\.9"):
            run_study(study("random", trials=6, training="weight_averaging = 0.9"), storage=db)

    def test_a_study_of_a_newer_version_is_left_alone(self, here: Here, db: str) -> None:
        run_study(study("random", trials=4), storage=db)
        stored = load_study(open_storage(db), "s")
        note = record.read_metadata(stored, "study file")
        note["training"]["telepathy"] = True
        record.write_metadata(stored, "study file", note)
        stored._storage.flush()  # type: ignore[attr-defined]
        with pytest.raises(UsageError, match="settings that this one does not know"):
            run_study(study("random", trials=4), storage=db)

    def test_a_foreign_study_of_the_same_name_is_left_alone(self, here: Here, db: str) -> None:
        foreign = optuna.create_study(
            study_name="s", storage=open_storage(db), direction="maximize"
        )
        foreign.add_trial(optuna.create_trial(value=1.0))
        with pytest.raises(UsageError, match="did not make"):
            run_study(study(), storage=db)
        minimizing = optuna.create_study(study_name="m", storage=open_storage(db))
        assert minimizing.direction.name == "MINIMIZE"
        with pytest.raises(UsageError, match="minimizes"):
            run_study(study(name="m"), storage=db)


@pytest.mark.slow
@pytest.mark.parametrize("transaction", [6, 8, 10])
def test_a_group_that_cannot_be_committed_leaves_what_the_next_run_takes_up(
    here: Here, db: str, monkeypatch: pytest.MonkeyPatch, transaction: int
) -> None:
    run_study(study(name="whole"), storage=db)
    write, transactions = Pending.write, count()

    def fail_once(pending: Pending, connection: Any) -> None:
        write(pending, connection)
        if next(transactions) == transaction:
            raise sqlite3.OperationalError("disk I/O error")

    with monkeypatch.context() as broken:
        broken.setattr(Pending, "write", fail_once)
        with pytest.raises(StorageError, match="disk I/O error"):
            run_study(study(), storage=db)
    states = {t.state.name for t in load_study(open_storage(db), "s").trials}
    assert "RUNNING" not in states
    run_study(study(), storage=db)
    assert essence(db) == essence(db, "whole")
    trials = load_study(open_storage(db), "s").trials
    assert len(trials) == len(essence(db))


def test_a_study_that_is_deleted_while_it_runs_says_so(here: Here, db: str) -> None:
    def delete(event: Event) -> None:
        if isinstance(event, TrialDone):
            optuna.delete_study(study_name="s", storage=db)

    with pytest.raises(RunError, match="'s' was deleted while it was being run; running it again"):
        run_study(study(), storage=db, on_event=delete)
    assert sum(run_study(study(), storage=db).states.values()) == len(essence(db))


def test_data_that_cannot_be_read_leave_no_study_behind(here: Here, db: str) -> None:
    wrong = study().data.model_copy(update={"name": "irs"})
    with pytest.raises(UsageError, match="did you mean 'iris'"):
        run_study(study().model_copy(update={"data": wrong}), storage=db)
    assert study_names(open_storage(db)) == []


def test_a_search_that_makes_no_sense_leaves_no_study_behind(here: Here, db: str) -> None:
    points = "[search.points]\nlearning_rate = 5\nwidth = 5"
    with pytest.raises(UsageError, match="the grid has at least 25 points"):
        run_study(study("grid", trials=9, search=points), storage=db)
    assert study_names(open_storage(db)) == []


def test_a_study_without_trials_may_still_be_changed(here: Here, db: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hpsearch.objectives.rows.write_store", fail_at_once)
        with pytest.raises(OSError, match="no space"):
            run_study(study(), storage=db)
    assert study_names(open_storage(db)) == ["s"]
    assert run_study(study(training="batch_size = 16"), storage=db).test is not None


def fail_at_once(*_: object) -> None:
    raise OSError("no space")


def fail_at_the_end(job: Any) -> None:
    if isinstance(job, RefitJob):
        raise OSError("end")


def test_no_workers_is_wrong_use(db: str) -> None:
    with pytest.raises(UsageError, match="at least one worker"):
        run_study(study(), storage=db, workers=0)


def test_the_document_is_json_with_what_a_program_needs(here: Here, db: str) -> None:
    import json

    summary: Summary = run_study(study(), storage=db)
    document = json.loads(json.dumps(summary.document(), allow_nan=False))
    assert document["study"] == "s"
    asked = "stages best validation test test_interval trials seconds"
    assert set(asked.split()) <= set(document)
    assert document["trials"] == 12
    assert dataclasses.is_dataclass(summary)
