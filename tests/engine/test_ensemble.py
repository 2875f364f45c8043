"""Ensembles of finished studies: who is in them, what they score, and how often they are tested."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from here import Here

from hpsearch.data import load_dataset, make_splits
from hpsearch.engine import run_study, summarize
from hpsearch.engine import runner as engine
from hpsearch.engine.ensemble import Ensemble, make_ensemble
from hpsearch.engine.executors.processes import process_pool
from hpsearch.engine.lease import Lease, seconds_spent
from hpsearch.errors import RunError, UnknownNameError, UsageError
from hpsearch.objectives.refit import refit_all
from hpsearch.storage import load_model_bytes, load_study, open_storage
from hpsearch.study_file import StudyFile, parse_study_file
from hpsearch.training.jobs import Job, RefitJob, refit_job
from hpsearch.training.model import Model

pytestmark = pytest.mark.slow

TEXT = """
name = "s"
seed = 3
[data]
name = "iris"
{data}
[model]
width = {{ low = 2, high = 24, log = true }}
depth = 1
[training]
epochs = 4
learning_rate = {{ low = 1e-3, high = 0.1, log = true }}
{training}
[search]
trials = {trials}
{search}
"""


def study(
    trials: int = 14, *, search: str = "contenders = 4", data: str = "", training: str = ""
) -> StudyFile:
    return parse_study_file(TEXT.format(trials=trials, search=search, data=data, training=training))


def finish(here: Here, db: str, file: StudyFile | None = None) -> None:
    """Run a study to its end, then forget what it took."""
    run_study(file or study(), storage=db)
    here.jobs.clear()


def network_of(db: str, ensemble: Ensemble | None) -> Model:
    """What the store has: the ensemble's file, or the single best's."""
    store = open_storage(db)
    target = load_study(store, "s")
    digest = summarize(target).model if ensemble is None else ensemble.model
    members = None if ensemble is None else ensemble.key
    assert digest is not None
    return Model.from_bytes(load_model_bytes(store, target._study_id, digest, ensemble=members))


def times_tested(db: str) -> int | None:
    return summarize(load_study(open_storage(db), "s")).tests


def rows(which: str) -> tuple[np.ndarray, np.ndarray]:
    data = load_dataset("iris")
    part = getattr(make_splits(data.y, seed=3)[0], which)
    return data.X[part], data.y[part]


def test_the_members_are_confirmed_configurations_trained_as_in_the_study(
    here: Here, db: str
) -> None:
    finish(here, db)
    ensemble = make_ensemble("s", 3, storage=db)
    trials = load_study(open_storage(db), "s").trials
    raced = [t for t in trials if t.user_attrs["stage"] == "race-1"]
    assert ensemble.raced
    assert ensemble.candidates == len(raced) == 4
    assert ensemble.unlike == 0
    scores = {tuple(sorted(t.params.items())): t.value for t in raced}
    for member in ensemble.members:
        assert scores[tuple(sorted(member.configuration.items()))] == member.alone
    seeds = {t.user_attrs["seed"] for t in raced}
    assert {job.seed for job in here.jobs if isinstance(job, Job)} == seeds
    assert len({str(member.configuration) for member in ensemble.members}) == 3
    winner = summarize(load_study(open_storage(db), "s")).best
    assert winner is not None
    assert ensemble.single_validation == scores[tuple(sorted(winner.items()))]
    assert ensemble.members[0].alone == ensemble.members[0].together == max(scores.values())


def test_the_exported_average_is_what_was_tested(here: Here, db: str) -> None:
    finish(here, db)
    ensemble = make_ensemble("s", 3, storage=db)
    X, y = rows("test")
    model = network_of(db, ensemble)
    assert len(model.members) == 3
    right = model.predict(X) == np.asarray(model.classes)[y]
    assert right.mean() == ensemble.test
    alone = network_of(db, None)
    assert (alone.predict(X) == np.asarray(alone.classes)[y]).mean() == ensemble.single_test
    refits = [refit_job(job) for job in here.jobs if isinstance(job, RefitJob)]
    assert len(refits) == 3
    for refit, member in zip(refits, model.members, strict=True):
        np.testing.assert_array_equal(refit.state["parameters"], member.state["parameters"])
    assert ensemble.test_interval is not None
    low, high = ensemble.test_interval
    assert low < ensemble.test <= high
    assert ensemble.better == (ensemble.test > ensemble.single_test)
    assert model.origin["ensemble"] == ensemble.document()


def test_an_ensemble_of_the_winner_alone_is_the_winner(here: Here, db: str) -> None:
    finish(here, db, study(search="contenders = 1"))
    ensemble = make_ensemble("s", 1, storage=db)
    X, _ = rows("test")
    expected = network_of(db, None).predict_proba(X)
    np.testing.assert_array_equal(network_of(db, ensemble).predict_proba(X), expected)
    assert ensemble.test == ensemble.single_test
    assert ensemble.validation == ensemble.single_validation
    assert not ensemble.better


def test_each_number_of_members_is_trained_and_tested_once(here: Here, db: str) -> None:
    finish(here, db)
    assert times_tested(db) == 1
    first = make_ensemble("s", 2, storage=db)
    assert times_tested(db) == 2
    here.jobs.clear()
    assert make_ensemble("s", 2, storage=db) == first
    assert here.jobs == []
    assert times_tested(db) == 2
    everybody = make_ensemble("s", 99, storage=db)
    assert len(everybody.members) == everybody.candidates == 4
    assert times_tested(db) == 3
    here.jobs.clear()
    assert make_ensemble("s", 4, storage=db) == everybody
    assert here.jobs == []
    assert everybody.members[:2] == first.members
    assert network_of(db, first).members[0].network == network_of(db, everybody).members[0].network
    assert run_study(study(), storage=db).tests == 3


def test_another_joins_for_one_whose_last_training_diverges(
    here: Here, db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish(here, db)
    best = make_ensemble("s", 1, storage=db).members[0].configuration

    def refit_but_the_best(run: Any, rows: Any, plans: Any, what: str) -> Any:
        done = refit_all(run, rows, plans, what)
        return [
            (replace(refit, diverged=configuration == best), attempts)
            for (configuration, _), (refit, attempts) in zip(plans, done, strict=True)
        ]

    monkeypatch.setattr("hpsearch.objectives.network.refit_all", refit_but_the_best)
    told: list[str] = []
    ensemble = make_ensemble("s", 2, storage=db, tell=told.append)
    assert len(ensemble.members) == 2
    assert best not in [member.configuration for member in ensemble.members]
    assert "1 of them diverged with every seed: left out" in told
    everyone = make_ensemble("s", 4, storage=db)
    assert len(everyone.members) == 3
    assert make_ensemble("s", 4, storage=db) == everyone  # kept, though it has one less
    assert times_tested(db) == 4
    assert len(network_of(db, everyone).members) == 3


def test_nothing_is_averaged_where_every_last_training_diverges(
    here: Here, db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish(here, db)
    monkeypatch.setattr(
        "hpsearch.objectives.network.refit_all",
        lambda *given: [(replace(r, diverged=True), n) for r, n in refit_all(*given)],
    )
    with pytest.raises(RunError, match="every candidate diverged"):
        make_ensemble("s", 2, storage=db)
    assert times_tested(db) == 1


def test_a_study_that_went_on_has_another_ensemble(here: Here, db: str) -> None:
    finish(here, db)
    make_ensemble("s", 2, storage=db)
    finish(here, db, study(trials=24))
    assert times_tested(db) == 3
    again = make_ensemble("s", 2, storage=db)
    assert here.jobs
    assert times_tested(db) == 4
    assert network_of(db, again).origin["ensemble"] == again.document()


def test_folds_are_averaged_as_the_search_does(here: Here, db: str) -> None:
    finish(here, db, study(data="folds = 3"))
    ensemble = make_ensemble("s", 2, storage=db)
    assert ensemble.unlike == 0
    trials = load_study(open_storage(db), "s").trials
    first = dict(ensemble.members[0].configuration)
    [trial] = [t for t in trials if t.params == first and t.user_attrs["stage"] == "race-1"]
    assert ensemble.members[0].together == trial.value
    assert trial.value == pytest.approx(np.mean(trial.user_attrs["fold_scores"]))


def test_without_a_race_the_best_distinct_trials_are_tried(here: Here, db: str) -> None:
    finish(here, db, study(search='strategy = "random"\nrace = 0'))
    ensemble = make_ensemble("s", 3, storage=db)
    assert not ensemble.raced
    assert ensemble.candidates == 6
    values = sorted((t.value for t in load_study(open_storage(db), "s").trials), reverse=True)
    assert all(member.alone >= values[5] for member in ensemble.members)


def test_early_stopping_holds_for_the_members_too(here: Here, db: str) -> None:
    finish(here, db, study(training="patience = 1"))
    ensemble = make_ensemble("s", 2, storage=db)
    jobs = [job for job in here.jobs if isinstance(job, RefitJob)]
    trials = load_study(open_storage(db), "s").trials
    for job, member in zip(jobs, ensemble.members, strict=True):
        best = [
            t.user_attrs["best_epoch"]
            for t in trials
            if t.params == dict(member.configuration) and t.user_attrs["epochs"] == member.epochs
        ]
        assert job.stop_after == max(1, round(sum(best) / len(best)))


def test_real_workers_give_the_same_ensemble(here: Here, db: str, tmp_path: Path) -> None:
    finish(here, db)
    store = open_storage(db)
    store.close()
    other = tmp_path / "other.db"
    other.write_bytes((tmp_path / "studies.db").read_bytes())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "process_pool", process_pool)
        there = make_ensemble("s", 3, storage=str(other), workers=2)
    assert there.document() == make_ensemble("s", 3, storage=db).document()


def test_a_worker_that_breaks_is_replaced_twice(here: Here, db: str) -> None:
    finish(here, db)

    def breaks(times: int) -> None:
        left = {Job: times, RefitJob: times}

        def before(job: Any) -> None:
            if left[type(job)]:
                left[type(job)] -= 1
                raise MemoryError("no room")

        here.before = before

    # The candidates' jobs and the members' are given once, and again as they break.
    breaks(100)
    with pytest.raises(RunError, match="a candidate's training broke 3 times: MemoryError: no roo"):
        make_ensemble("s", 2, storage=db)
    assert times_tested(db) == 1
    breaks(2)
    assert len(make_ensemble("s", 2, storage=db).members) == 2


def test_its_time_is_not_the_study_s(here: Here, db: str) -> None:
    finish(here, db)
    store = open_storage(db)
    before = seconds_spent(store.engine, 1)
    make_ensemble("s", 2, storage=db)
    assert seconds_spent(store.engine, 1) == before


class TestRefused:
    @pytest.mark.parametrize("members", [0, -3])
    def test_fewer_than_one(self, db: str, members: int) -> None:
        with pytest.raises(UsageError, match="at least one member"):
            make_ensemble("s", members, storage=db)

    def test_no_such_study(self, here: Here, db: str) -> None:
        finish(here, db)
        with pytest.raises(UnknownNameError, match="did you mean 's'"):
            make_ensemble("ss", 2, storage=db)

    def test_a_study_that_is_not_finished(self, here: Here, db: str) -> None:
        def fails(job: Any) -> None:
            if isinstance(job, RefitJob):
                raise OSError("end")

        here.before = fails
        with pytest.raises(RunError, match="last training broke"):
            run_study(study(), storage=db)
        with pytest.raises(RunError, match="no tested network yet; run its study file to the end"):
            make_ensemble("s", 2, storage=db)

    def test_somebody_else_s_study(self, db: str) -> None:
        foreign = optuna.create_study(study_name="s", storage=open_storage(db))
        foreign.add_trial(optuna.create_trial(value=1.0))
        with pytest.raises(UsageError, match="was not made by hpsearch"):
            make_ensemble("s", 2, storage=db)

    def test_a_study_that_is_deleted_meanwhile(self, here: Here, db: str) -> None:
        finish(here, db)

        def delete(job: Any) -> None:
            if isinstance(job, RefitJob):
                optuna.delete_study(study_name="s", storage=open_storage(db))
                here.before = lambda job: None

        here.before = delete
        with pytest.raises(RunError, match="was deleted while it was being run"):
            make_ensemble("s", 2, storage=db)

    def test_a_study_that_is_being_run(self, here: Here, db: str) -> None:
        finish(here, db)
        store = open_storage(db)
        with (
            Lease(store.engine, load_study(store, "s")._study_id, "s"),
            pytest.raises(UsageError, match="is being run by process"),
        ):
            make_ensemble("s", 2, storage=db)
        assert here.jobs == []

    def test_data_that_changed_or_are_gone(self, here: Here, db: str, tmp_path: Path) -> None:
        table = tmp_path / "t.csv"
        lines = [f"{i},{i % 7},{'ab'[i % 2]}" for i in range(60)]
        table.write_text("x,z,y\n" + "\n".join(lines))
        file = study()
        data = file.data.model_copy(update={"name": None, "path": str(table), "target": "y"})
        finish(here, db, file.model_copy(update={"data": data}))
        table.write_text("x,z,y\n" + "\n".join(lines[:50]))
        with pytest.raises(UsageError, match="60 rows then, 50 now"):
            make_ensemble("s", 2, storage=db)
        table.unlink()
        with pytest.raises(UsageError, match=r"the data of study 's' cannot be read again.*t\.csv"):
            make_ensemble("s", 2, storage=db)
        assert here.jobs == []
        assert times_tested(db) == 1
