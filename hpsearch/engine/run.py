"""Run a study: stage after stage, slot after slot, then the winner once on the test part.

Everything a run knows is in the store, so that a run which was killed goes on when the same study
is run again. Where a slot is handed out and where its result is recorded is in `Dispatcher`
(``hand_out``, ``record_result``), where a dead worker is noticed in `Attempts.notice_failure`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from hpsearch.data import write_store
from hpsearch.engine import record
from hpsearch.engine.baselines import beside_winner, simple_models
from hpsearch.engine.budget import make_search, plan_search
from hpsearch.engine.dispatch import Dispatcher
from hpsearch.engine.events import Beside, DataReady, Finished, OnEvent, WinnerNamed
from hpsearch.engine.fit_rivals import fit_rivals
from hpsearch.engine.identity import (
    check_same_data,
    keep_data,
    keep_environment,
    keep_study_file,
    keeps_study_file,
    open_study,
    totals,
)
from hpsearch.engine.jobs import run_jobs
from hpsearch.engine.prior import keep_prior, read_prior
from hpsearch.engine.processes import scratch_folder
from hpsearch.engine.refit import model_of, refit_all
from hpsearch.engine.rivals import keep_rivals
from hpsearch.engine.runner import Run, Runner, open_runner
from hpsearch.engine.summary import Summary, summarize
from hpsearch.engine.tested import TESTED, looked_at, measured
from hpsearch.errors import NoWinnerError, RunError, UsageError
from hpsearch.metrics.threshold import best_threshold, decided
from hpsearch.search.base import Result, Slot, Strategy, Winner
from hpsearch.search.extension import extend
from hpsearch.search.race import RacedSearch
from hpsearch.storage import DEFAULT_STORAGE, load_study, save_model_bytes, study_names
from hpsearch.study_file import StudyFile
from hpsearch.training.jobs import predictions_job

if TYPE_CHECKING:
    from concurrent.futures import Executor

    import optuna
    from optuna.trial import FrozenTrial

    from hpsearch.storage import WriteBehindStorage

__all__ = ["run_study", "run_with"]


def run_study(
    study: StudyFile,
    *,
    data: Any = None,
    target: str | None = None,
    storage: str = DEFAULT_STORAGE,
    workers: int | None = None,
    executor: str | Executor | None = None,
    on_event: OnEvent = lambda _: None,
    baselines: bool = True,
) -> Summary:
    """Search, confirm, refit and test; what the store already holds is not done again.

    Args:
        study: the study file, from `load_study_file` or made in Python.
        data: what to learn from, where the study names no data: a data frame of pandas or Polars,
            or an Arrow table. A study that is run again must be given the same again.
        target: the column of ``data`` that is learned, where the study does not name it.
        storage: the name of a SQLite file, or a URL of SQLite or PostgreSQL.
        workers: worker processes on this machine; by default one for each processor core.
        executor: trains instead: ``dask://HOST:PORT`` of a Dask cluster, or any executor of
            `concurrent.futures` whose workers see this machine's temporary files. It gets as many
            trainings at once as there are ``workers`` (by default those that it has), is not shut
            down, and cannot kill a training, so that it refuses a study with ``trial_seconds``.
        on_event: told of everything that happens, in the calling thread.
        baselines: whether simple models are fitted at the end and set beside the winner, for a
            tenth of the time that the search took.

    Returns:
        What the study came to, read back from the store.

    Raises:
        HpsearchError: the data, the database or the study cannot be used, another driver is running
            the study, or every training failed; finished trials are kept, and the same call goes on
            from them.
    """
    study, frame = _given(study, data, target)
    search = plan_search(study)  # one that makes no sense is refused before anything is made
    limit = study.search.trial_seconds
    with open_runner(storage, workers=workers, executor=executor, trial_seconds=limit) as runner:
        runner.frame = frame
        return run_with(runner, study, search, on_event, baselines=baselines)


def _given(study: StudyFile, data: Any, target: str | None) -> tuple[StudyFile, Any]:
    """A study whose data are given in Python, and these as a table."""
    section = study.data
    if data is None:
        if target is not None:
            raise UsageError("target is a column of data, which are not given; give both")
        return study, None
    if section.name is not None or section.path is not None:
        key = "name" if section.path is None else "path"
        raise UsageError(
            f"data are given, and the study has [data] {key}; leave out one of the two"
        )
    if target is not None and not isinstance(target, str):
        raise UsageError(
            f"target is the name of a column of data, and not {type(target).__name__}; put the "
            "labels into data as a column, and give its name"
        )
    if target is not None and section.target not in (None, target):
        raise UsageError(
            f"the study has the target {section.target!r}, and {target!r} is given; leave out one"
        )
    from hpsearch.data.frames import FRAME, as_table

    if target is not None:
        section = section.model_copy(update={"target": target})
    return study.model_copy(update={"data": section}), as_table(FRAME, data)


def run_with(
    runner: Runner,
    study: StudyFile,
    search: RacedSearch,
    on_event: OnEvent = lambda _: None,
    comparison: Mapping[str, Any] | None = None,
    *,
    baselines: bool = True,
) -> Summary:
    """Run one study; see `run_study`.

    Args:
        runner: has the store and the workers.
        study: what to run.
        search: its plan; see `plan_search`.
        on_event: told of everything that happens.
        comparison: of searches, which the study is a part of: what is kept of that. Its trainings
            are scored on the test part too, for the comparison alone.
        baselines: as for `run_study`.
    """
    store, trials = runner.store, search.trials
    target = open_study(store, study) if study.name in study_names(store) else None
    finished = target is not None and _is_finished(target, study, trials)
    dataset, splits = runner.data(study)
    metrics = study.objective.metrics(dataset.task, dataset.classes)
    metric = metrics[0]
    study.class_weights(dataset.classes)  # refuses a label that there is none of
    prior = read_prior(store, study, target)
    constants = simple_models(dataset, splits, metric)
    # Only now, so that what cannot be read leaves no empty study behind.
    target = open_study(store, study, metric)
    if finished:
        check_same_data(target, dataset)
        if not keeps_study_file(target, study):  # another place of its data, or another budget
            with runner.hold(target, counted=False):
                keep_study_file(target, study, metric)
    else:
        with runner.hold(target) as lease, scratch_folder() as folder:
            totals(target, trials)  # what may refuse it comes first
            check_same_data(target, dataset)
            keep_study_file(target, study, metric)
            keep_data(target, dataset, splits, constants)
            if comparison is not None:
                record.write_metadata(target, "comparison", comparison)
            # Another driver may have finished it while the data were read.
            if not _is_finished(target, study, trials):
                stored = len(target.get_trials(deepcopy=False))
                ready = DataReady(dataset, splits[0], metric, stored, constants)
                data = write_store(folder, dataset, splits)
                run = Run(runner, study, target, lease, dataset, splits, data, metrics, on_event)
                if comparison is not None:
                    run.tested, run.opening = True, _opening(store, comparison["begins_as"])
                    run.shares = search.shares(comparison.get("reserved", 0.0))
                before = keep_prior(target, prior, study.search_space())
                predictions = _complete(run, search, ready, before)
                if baselines:
                    store.flush()  # the result is safe, whatever becomes of what stands beside it
                    on_event(Beside())
                    keep_rivals(target, fit_rivals(run, predictions))
    summary = summarize(target)
    on_event(Finished(summary))
    return summary


def _opening(store: WriteBehindStorage, begins_as: str | None) -> list[Slot]:
    """The slots that a search is to begin with, which are another's; that one's race is its own."""
    if begins_as is None:
        return []
    trials = load_study(store, begins_as).get_trials(deepcopy=False)
    return [slot for slot in record.read_slots(trials) if slot.stage == 0]


def _is_finished(target: optuna.Study, study: StudyFile, trials: int) -> bool:
    """Whether nothing of the study in the store is left to do."""
    totals(target, trials)
    result = record.read_metadata(target, "result")
    if result is None or result["budget"]["trials"] < trials:
        return False
    for cut, limit in (
        (result["budget"]["seconds"], study.search.seconds),
        (result["budget"]["flops"], study.search.total_flops),
    ):
        if cut is not None and (limit is None or limit > cut):
            return False
    return True


def _why_no_winner(study: StudyFile, trials: Sequence[FrozenTrial]) -> str:
    """Why a study has no winner, and what to change."""
    states = Counter(trial.state.name for trial in trials)
    diverged, failed = states["PRUNED"], states["FAIL"]
    whole = "the only training" if diverged == 1 else f"all {diverged} trainings"
    others = f", and {failed} failed" if failed else ""
    setting = study.training.learning_rate
    rates = f"learning_rate = {setting:g}" if isinstance(setting, float) else "learning_rate"
    return (
        f"{whole} of the study {study.name!r} diverged{others}, so that there is no winner, and "
        f"the test part was not used; search lower learning rates ([training] {rates}): "
        "`hpsearch advise` writes such a study file"
    )


def _complete(
    run: Run, search: RacedSearch, ready: DataReady, prior: Sequence[Sequence[Result]]
) -> np.ndarray:
    """Search, train the winner on all but the test part, test it once, keep network and figures.

    Returns:
        The winner's predictions for the test rows.
    """
    study, target = run.study, run.target
    keep_environment(target)
    numbers = totals(target, search.trials)
    make = partial(make_search, study, prior=prior)
    strategy = extend(make, numbers) if prior or len(numbers) > 1 else search
    record.write_metadata(target, "totals", numbers)
    dispatcher = Dispatcher(run, ready)
    results = dispatcher.search(strategy)
    unpaid = dispatcher.spending.refused > 0
    winner = _winner(run, strategy, results, unpaid=unpaid)
    out_of_time = run.out_of_time()
    run.on_event(WinnerNamed(winner, out_of_time))
    threshold = _threshold(run, winner, results) if study.objective.threshold else None
    chosen = [(winner.configuration, winner.epochs)]
    [(refit, attempts)] = refit_all(run, chosen, "the winner's last training")
    before = record.read_metadata(target, "result")
    metric, test = run.metric, run.splits[0].test
    y, weight = run.dataset.y[test], run.dataset.weights_of(test)
    figures = {
        "configuration": dict(winner.configuration),
        "metric": metric.name,
        "validation": metric.of_score(winner.mean),
        "validation_std": winner.std,
        "validation_scores": [metric.of_score(score) for score in winner.scores],
        "validation_slots": [list(slot) for slot in winner.slots],
        **measured(run.metrics, refit.predictions, y, run.groups_of(test), weight, threshold),
        "threshold": threshold,
        "refits": attempts,
        "diverged": refit.diverged,
        "tests": 1 if before is None else before["tests"] + 1,
        "seconds": round(run.seconds, 3),
    }
    about = {
        "study": study.name,
        "strategy": study.search.strategy,
        "target": study.data.target,
        "weight": study.data.weight,
        "positive": metric.positive,
    }
    model = model_of(run.dataset, [refit], threshold, metric.positive)
    model = replace(model, origin=about | figures)
    digest = save_model_bytes(run.runner.store, target._study_id, model.to_bytes())
    budget = {
        "trials": search.trials,
        "seconds": study.search.seconds if out_of_time else None,
        "flops": study.search.total_flops if unpaid else None,
    }
    read, groups = decided(metric, refit.predictions, threshold), run.groups_of(test)
    constants = beside_winner(ready.baselines, run.dataset, run.splits[0], metric, read, groups)
    beside = [baseline.kept(tested=True) for baseline in constants]
    result = figures | {"model": digest, "budget": budget, "baselines": beside}
    seen = looked_at(refit.predictions, y, metric.positive, threshold)
    if not run.tested and seen is not None:
        record.write_metadata(target, TESTED, seen)
    record.write_metadata(target, "result", result)
    return read


def _threshold(run: Run, winner: Winner, results: Sequence[Result]) -> float:
    """The decision threshold that is best for the winner on the rows that it was not trained on.

    Raises:
        RunError: its training broke three times.
    """
    places = {result.slot.place: result.slot for result in results}
    job = run.job(places[winner.slots[0]])
    [seen] = run_jobs(run.jobs(predictions_job), [job], "the training that chooses the threshold")
    counted = [weight for weight in seen.weight if weight is not None]
    weight = np.concatenate(counted) if counted else None
    y, predictions = np.concatenate(seen.y), np.concatenate(seen.predictions)
    return best_threshold(run.metric, y, predictions, weight)


def _winner(run: Run, strategy: Strategy, results: Sequence[Result], *, unpaid: bool) -> Winner:
    """The winner of a search that is over.

    Raises:
        RunError: there is none; of a search in which all diverged, the study keeps why.
    """
    search = run.study.search
    if not results:
        spent = (
            f"total_flops = {search.total_flops:g} does not pay for one training"
            if unpaid
            else f"the study's {search.seconds:g} seconds were over before a trial was finished"
        )
        raise RunError(f"{spent}; raise it and run the study again")
    if not any(result.complete for result in results):
        sentence = _why_no_winner(run.study, run.target.get_trials(deepcopy=False))
        record.write_metadata(run.target, record.NO_WINNER, sentence)
        run.runner.store.flush()
        raise NoWinnerError(sentence)
    return strategy.winner(results)
