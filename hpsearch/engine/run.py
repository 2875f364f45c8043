"""Run a study: stage after stage, slot after slot, then the winner once on the test part.

Everything a run knows is in the store, so that a run which was killed goes on when the same study
is run again. Where a slot is handed out and where its result is recorded is in `Dispatcher`
(``hand_out``, ``record_result``), where a dead worker is noticed in `Attempts.notice_failure`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from hpsearch.engine import record
from hpsearch.engine.budget import make_search, plan_search
from hpsearch.engine.dispatch import Dispatcher
from hpsearch.engine.events import Finished, FirstTaken, OnEvent, WinnerNamed
from hpsearch.engine.executors.processes import preload
from hpsearch.engine.first import FIRST, beginning_with, winner_first
from hpsearch.engine.identity import (
    keep_environment,
    keep_study_file,
    keeps_study_file,
    open_study,
    totals,
)
from hpsearch.engine.objective import Run
from hpsearch.engine.prior import keep_prior, read_prior
from hpsearch.engine.processes import scratch_folder
from hpsearch.engine.rivals import are_wanted, want_rivals
from hpsearch.engine.runner import Runner, open_runner
from hpsearch.engine.summary import Summary, summarize
from hpsearch.errors import NoWinnerError, RunError, UsageError
from hpsearch.objectives import open_objective, worker_modules
from hpsearch.objectives.given import accepted
from hpsearch.search.base import Result, Slot, Strategy, Winner
from hpsearch.search.extension import extend
from hpsearch.search.first import first_in
from hpsearch.search.race import RacedSearch
from hpsearch.storage import DEFAULT_STORAGE, load_study, study_names
from hpsearch.study_file import StudyFile

if TYPE_CHECKING:
    from concurrent.futures import Executor

    import optuna

    from hpsearch.storage import WriteBehindStorage

__all__ = ["run_in", "run_study", "run_with"]


def run_study(
    study: StudyFile,
    *,
    data: Any = None,
    target: str | None = None,
    objective: Any = None,
    storage: str = DEFAULT_STORAGE,
    workers: int | None = None,
    executor: str | Executor | None = None,
    on_event: OnEvent = lambda _: None,
    baselines: bool = True,
    first: str | Sequence[Mapping[str, Any]] = (),
) -> Summary:
    """Search, confirm, refit and test; what the store already holds is not done again.

    Arguments and errors are those of `hpsearch.run_study`, which puts a study around the summary.
    """
    study, frame = _given(study, data, target)
    if not isinstance(first, str) and first:
        own = first_in(study.open_space(), first).configurations
        study = study.model_copy(update={"first": [*map(dict, own), *study.first]})
    search = plan_search(study)  # one that makes no sense is refused before anything is made
    limit = study.search.trial_seconds
    preload(worker_modules(study))
    with open_runner(storage, workers=workers, executor=executor, trial_seconds=limit) as runner:
        runner.frame, runner.given = frame, accepted(study, objective)
        begins = first if isinstance(first, str) else None
        return run_in(runner, study, search, on_event, baselines=baselines, first=begins)


def run_in(
    runner: Runner,
    study: StudyFile,
    search: RacedSearch,
    on_event: OnEvent = lambda _: None,
    *,
    baselines: bool = True,
    first: str | None = None,
) -> Summary:
    """Run one study, which may begin with the winner of another one of the same database.

    Args:
        runner: has the store and the workers.
        study: what to run.
        search: its plan; see `plan_search`.
        on_event: told of everything that happens.
        baselines: as for `run_study`.
        first: the name of the other study.
    """
    taken = winner_first(runner.store, study, first)
    if taken is not None:
        study = beginning_with(study, taken)
        search = plan_search(study)
        left_out = tuple(taken["left_out"])
        on_event(FirstTaken(taken["study"], taken["configuration"], left_out))
    return run_with(runner, study, search, on_event, baselines=baselines, taken=taken)


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
    taken: Mapping[str, Any] | None = None,
) -> Summary:
    """Run one study; see `run_study`.

    Args:
        runner: has the store and the workers.
        study: what to run.
        search: its plan; see `plan_search`.
        on_event: told of everything that happens.
        comparison: of searches, which the study is a part of: what is kept of that.
        baselines: as for `run_study`.
        taken: from another study, as which it begins; see `winner_first`.
    """
    store, trials = runner.store, search.trials
    target = open_study(store, study) if study.name in study_names(store) else None
    finished = target is not None and _is_finished(target, study, trials)
    objective = open_objective(runner, study, tested=comparison is not None)
    measure = objective.measure
    prior = read_prior(store, study, target)
    # Only now, so that what cannot be read leaves no empty study behind.
    target = open_study(store, study, measure)
    if finished and not (baselines and are_wanted(target)):
        objective.check(target)
        if not keeps_study_file(target, study):  # another place of its data, or another budget
            with runner.hold(target, counted=False):
                keep_study_file(target, study, measure)
    else:
        # What stands beside a winner is no part of its search, whose time another may go on with.
        with runner.hold(target, counted=not finished) as lease, scratch_folder() as folder:
            totals(target, trials)  # what may refuse it comes first
            objective.check(target)
            keep_study_file(target, study, measure)
            if taken is not None:
                record.write_metadata(target, FIRST, taken)
            if comparison is not None:
                record.write_metadata(target, "comparison", comparison)
            objective.begin(target, folder)
            run = Run(runner, study, target, lease, objective, on_event)
            # Another driver may have finished it while the data were read.
            if not _is_finished(target, study, trials):
                if comparison is not None:
                    run.opening = _opening(store, comparison["begins_as"])
                    run.shares = search.shares(comparison.get("reserved", 0.0))
                want_rivals(target, baselines and study.objective.learns)
                _complete(run, search, keep_prior(target, prior, study.search_space()))
            elif baselines and are_wanted(target):  # a run was killed that had begun with them
                on_event(objective.ready(len(target.get_trials(deepcopy=False))))
            if baselines and are_wanted(target):
                store.flush()  # the result is safe, whatever becomes of what stands beside it
                objective.beside(run)
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
    if record.has_more(target.get_trials(deepcopy=False)):
        return False
    for cut, limit in (
        (result["budget"]["seconds"], study.search.seconds),
        (result["budget"]["flops"], study.search.total_flops),
    ):
        if cut is not None and (limit is None or limit > cut):
            return False
    return True


def _complete(run: Run, search: RacedSearch, prior: Sequence[Sequence[Result]]) -> None:
    """Search, let the objective do what remains for the winner, and keep what it came to."""
    study, target, measure = run.study, run.target, run.objective.measure
    ready = run.objective.ready(len(target.get_trials(deepcopy=False)))
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
    before = record.read_metadata(target, "result")
    figures = {
        "configuration": dict(winner.configuration),
        "metric": measure.name,
        "validation": measure.of_score(winner.mean),
        "validation_std": winner.std,
        "validation_scores": [measure.of_score(score) for score in winner.scores],
        "validation_slots": [list(slot) for slot in winner.slots],
    }
    figures |= run.objective.finish(run, winner, results, figures)
    if "test" in figures:
        figures["tests"] = 1 if before is None else before["tests"] + 1
    budget = {
        "trials": search.trials,
        "seconds": study.search.seconds if out_of_time else None,
        "flops": study.search.total_flops if unpaid else None,
    }
    about = {"seconds": round(run.seconds, 3), "budget": budget}
    record.write_metadata(target, "result", figures | about)


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
        states = Counter(t.state.name for t in run.target.get_trials(deepcopy=False))
        sentence = run.objective.why_no_winner(states["PRUNED"], states["FAIL"])
        record.write_metadata(run.target, record.NO_WINNER, sentence)
        run.runner.store.flush()
        raise NoWinnerError(sentence)
    return strategy.winner(results)
