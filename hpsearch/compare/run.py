"""Run a comparison: its studies one after the other, with one crew of workers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hpsearch.compare.plan import DOUBLE, ComparisonPlan, plan_comparison
from hpsearch.compare.result import NOTE, Comparison, comparison_of, read_comparison
from hpsearch.engine import record
from hpsearch.engine.cost import DataShape
from hpsearch.engine.lease import refuse_running
from hpsearch.engine.run import Runner, open_runner
from hpsearch.errors import NoWinnerError, UsageError
from hpsearch.storage import DEFAULT_STORAGE, study_names

if TYPE_CHECKING:
    from hpsearch.engine.events import Event
    from hpsearch.engine.summary import Summary
    from hpsearch.storage import WriteBehindStorage
    from hpsearch.study_file import StudyFile

__all__ = ["Progressed", "compare_study"]


@dataclass(frozen=True)
class Progressed:
    """How far a comparison is.

    Attributes:
        strategy: whose search it is.
        repeat: which of its repeats, from 0.
        done: how many studies are finished.
        studies: how many there are.
        summary: of the search that has just finished; None when it begins, or has no winner.
    """

    strategy: str
    repeat: int
    done: int
    studies: int
    summary: Summary | None = None


def compare_study(
    study: StudyFile,
    *,
    storage: str = DEFAULT_STORAGE,
    workers: int | None = None,
    executor: str | None = None,
    on_progress: Callable[[Progressed], object] = lambda _: None,
    on_event: Callable[[Event], object] = lambda _: None,
) -> Comparison:
    """Have strategies search the same space with the same budget, again and again.

    Each search is an ordinary study, NAME/strategy/repeat; what the store already holds is not done
    again. Every training is scored on the test part too, for the comparison alone: no search sees
    these scores.

    Args:
        study: what to search; its [compare] says who competes.
        storage: the name of a SQLite file, or a URL of SQLite or PostgreSQL.
        workers: worker processes on this machine; by default one for each processor core.
        executor: ``dask://HOST:PORT`` of a Dask cluster whose workers train instead.
        on_progress: told of every search that begins or ends.
        on_event: told of everything that happens within them.

    Returns:
        The comparison, read back from the store.

    Raises:
        HpsearchError: as for `run_study`; or a comparison of this name had another budget.
    """
    with open_runner(storage, workers=workers, executor=executor) as runner:
        dataset, splits = runner.data(study)
        plan = plan_comparison(study, DataShape.of(dataset, splits))
        _check(runner.store, plan)
        _note_asked(runner, plan)
        total = len(plan.studies)
        for done, ((strategy, repeat), search) in enumerate(plan.studies.items()):
            on_progress(Progressed(strategy, repeat, done, total))
            notes = {NOTE: _about(plan, strategy, repeat), "fixed": search.fixed()}
            # Random search with twice the budget is random search, and then as much again.
            half = plan.studies.get(("random", repeat)) if strategy == DOUBLE else None
            begin_as = None if half is None else half.name
            summary = None
            with suppress(NoWinnerError):  # which the comparison tells
                summary = runner.run(
                    search, on_event, test_trials=True, notes=notes, begin_as=begin_as
                )
            on_progress(Progressed(strategy, repeat, done + 1, total, summary))
        return read_comparison(runner.store, study.name)


def _terms(plan: ComparisonPlan) -> dict[str, Any]:
    """What all searches of a comparison must have in common."""
    return {"budget": plan.section.budget, "amount": plan.amount}


def _asked(plan: ComparisonPlan) -> dict[str, Any]:
    """What may be another from run to run: who competes, and how often."""
    section = plan.section
    return {"strategies": list(section.strategies), "repeats": section.repeats}


def _note_asked(runner: Runner, plan: ComparisonPlan) -> None:
    """Tell the studies of earlier runs what is asked now, also those that nobody asks for.

    Raises:
        UsageError: one of them is being run; none is told then.
    """
    import optuna

    changed = []
    for name in study_names(runner.store):
        if comparison_of(name) == plan.name:
            study = optuna.load_study(study_name=name, storage=runner.store)
            note = record.read_note(study, NOTE)
            if note is not None:
                refuse_running(runner.store.engine, study._study_id, name)
                if note != note | _asked(plan):
                    changed.append((study, note | _asked(plan)))
    for study, note in changed:
        with runner.hold(study, counted=False):
            record.write_note(study, NOTE, note)


def _check(store: WriteBehindStorage, plan: ComparisonPlan) -> None:
    """Make sure that the store has no comparison of this name on other terms.

    Raises:
        UsageError: it has.
    """
    import optuna

    known = set(study_names(store))
    for search in plan.studies.values():
        if search.name not in known:
            continue
        study = optuna.load_study(study_name=search.name, storage=store)
        note = record.read_note(study, NOTE)
        terms = _terms(plan)
        if note is None and not study.get_trials(deepcopy=False):
            continue  # it was killed before it had said what it is a part of
        if note is None:
            raise UsageError(
                f"the study {search.name!r} in this database is no part of a comparison; give the "
                "study file another name"
            )
        if {key: note[key] for key in terms} != terms:
            raise UsageError(
                f"the comparison {plan.name!r} in this database had a budget of "
                f"{note['amount']:.6g} {note['budget']}, which now is {plan.amount:.6g} "
                f"{plan.section.budget}: it follows from [compare], and without an amount from "
                "the grid's trials, epochs and ranges. Give the study file a new name, or undo the "
                "change"
            )


def _about(plan: ComparisonPlan, strategy: str, repeat: int) -> dict[str, Any]:
    """What is kept with a study of what it is a part of."""
    about = {"name": plan.name, "strategy": strategy, "repeat": repeat}
    return _terms(plan) | _asked(plan) | about
