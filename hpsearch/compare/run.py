"""Run a comparison: its studies one after the other, with one pool of workers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from hpsearch.compare.plan import ComparisonPlan, plan_comparison
from hpsearch.compare.result import Comparison, comparisons, read_comparison
from hpsearch.engine import record
from hpsearch.engine.budget import plan_search
from hpsearch.engine.cost import DataShape
from hpsearch.engine.events import Event
from hpsearch.engine.executors.processes import preload
from hpsearch.engine.lease import refuse_running
from hpsearch.engine.run import run_with
from hpsearch.engine.runner import Runner, open_runner
from hpsearch.engine.summary import Summary
from hpsearch.errors import NoWinnerError, UsageError
from hpsearch.objectives import worker_modules
from hpsearch.search.strategies import DOUBLE
from hpsearch.storage import DEFAULT_STORAGE, WriteBehindStorage, study_names
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
    executor: str | Executor | None = None,
    on_progress: Callable[[Progressed], object] = lambda _: None,
    on_event: Callable[[Event], object] = lambda _: None,
    baselines: bool = True,
) -> Comparison:
    """Have strategies search the same space with the same budget, again and again.

    Each search is an ordinary study, NAME/strategy/repeat; what the store already holds is not done
    again. Every training is scored on the test part too, for the comparison alone: no search sees
    these scores.

    Args:
        study: what to search; its [compare] says who competes.
        storage: the name of a SQLite file, or a URL of SQLite or PostgreSQL.
        workers: worker processes on this machine; by default one for each processor core.
        executor: trains instead; as for `run_study`.
        on_progress: told of every search that begins or ends.
        on_event: told of everything that happens within them.
        baselines: whether simple models are fitted once for each repeat, after its first search.

    Returns:
        The comparison, read back from the store.

    Raises:
        HpsearchError: as for `run_study`; or a comparison of this name had another budget.
    """
    limit = study.search.trial_seconds
    preload(worker_modules(study))
    with open_runner(storage, workers=workers, executor=executor, trial_seconds=limit) as runner:
        shape = None
        if study.counts_operations:
            shape = DataShape.of(*runner.data(study))
        elif study.compare.budget == "flops":  # whose are counted of networks alone
            counted = study.compare.model_copy(update={"budget": "epochs"})
            study = study.model_copy(update={"compare": counted})
        plan = plan_comparison(study, shape)
        _check(runner.store, plan)
        _tell_asked(runner, plan)
        total = len(plan.studies)
        for done, ((strategy, repeat), search) in enumerate(plan.studies.items()):
            on_progress(Progressed(strategy, repeat, done, total))
            about = _about(plan, strategy, repeat)
            summary = None
            # One division has the same simple models, whoever searches it.
            simple = baselines and strategy == plan.section.strategies[0]
            with suppress(NoWinnerError):  # which the comparison tells
                summary = run_with(
                    runner, search, plan_search(search), on_event, about, baselines=simple
                )
            on_progress(Progressed(strategy, repeat, done + 1, total, summary))
        return read_comparison(runner.store, study.name)


def _terms(plan: ComparisonPlan) -> dict[str, Any]:
    """What all searches of a comparison must have in common."""
    return {"budget": plan.section.budget, "amount": plan.amount, "race": plan.race}


def _asked(plan: ComparisonPlan) -> dict[str, Any]:
    """What may be another from run to run: who competes, and how often."""
    section = plan.section
    return {"strategies": list(section.strategies), "repeats": section.repeats}


def _tell_asked(runner: Runner, plan: ComparisonPlan) -> None:
    """Tell the studies of earlier runs what is asked now, also those that nobody asks for.

    Raises:
        UsageError: one of them is being run; none is told then.
    """
    changed = []
    for study, about in comparisons(runner.store).get(plan.name, ()):
        refuse_running(runner.store.engine, study._study_id, study.study_name)
        if about != about | _asked(plan):
            changed.append((study, about | _asked(plan)))
    for study, about in changed:
        with runner.hold(study, counted=False):
            record.write_metadata(study, "comparison", about)


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
        about = record.read_metadata(study, "comparison")
        terms = _terms(plan)
        if about is None and not study.get_trials(deepcopy=False):
            continue  # it was killed before it had said what it is a part of
        if about is None:
            raise UsageError(
                f"the study {search.name!r} in this database is no part of a comparison; give the "
                "study file another name"
            )
        if {key: about.get(key) for key in terms} != terms:  # the first knew of no race
            raise UsageError(
                f"the comparison {plan.name!r} in this database had {_terms_text(about)}, which "
                f"now is {_terms_text(terms)}: it follows from [compare], and without an amount "
                "from the grid's trials, epochs and ranges. Give the study file a new name, or "
                "undo the change"
            )


def _terms_text(terms: Mapping[str, Any]) -> str:
    race = "no race" if terms.get("race") is None else f"a race of {terms['race']} trainings"
    return f"a budget of {terms['amount']:.6g} {terms['budget']} and {race} for all"


def _about(plan: ComparisonPlan, strategy: str, repeat: int) -> dict[str, Any]:
    """What is kept with a study of what it is a part of."""
    # Random search with twice the budget is random search, and then as much again.
    half = plan.studies.get(("random", repeat)) if strategy == DOUBLE else None
    begins_as = None if half is None else half.name
    about: dict[str, Any] = {
        "name": plan.name,
        "strategy": strategy,
        "repeat": repeat,
        "begins_as": begins_as,
    }
    # Of a grid all points are trained; the budget was made so that they leave the race its share.
    planned = strategy == "grid" and plan.section.budget != "seconds"
    about["reserved"] = 0.0 if planned else plan.reserved
    return _terms(plan) | _asked(plan) | about
