"""The kinds of objectives, a module each: what `hpsearch.engine.objective` asks of all of them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hpsearch.engine.objective import Objective
    from hpsearch.engine.runner import Runner
    from hpsearch.study_file import StudyFile

__all__ = ["checked", "open_objective", "own_parts", "worker_modules"]

WORK = {
    "network": "hpsearch.training.jobs",
    "estimator": "hpsearch.trials.estimator",
    "function": "hpsearch.trials.function",
    "command": "hpsearch.trials.command",
    "external": "hpsearch.trials.values",
}
"""What workers import for a job of each kind."""


def open_objective(runner: Runner, study: StudyFile, *, tested: bool = False) -> Objective:
    """The objective of a study, of the kind that its file asks for.

    A server runs no code that was submitted: what learns from no rows is done by who asks for it.

    Args:
        runner: reads its data.
        study: the study file.
        tested: whether every trial is scored on test rows too, as a comparison of searches asks.

    Raises:
        HpsearchError: its data cannot be used, or there is no such function, program or estimator.
    """
    kind = study.objective.kind
    if runner.serves and not study.objective.learns:
        kind = "external"
    module = import_module(f"{__name__}.{kind}")
    objective: Objective = module.open_objective(runner, study, tested)
    return objective


def worker_modules(study: StudyFile) -> list[str]:
    """What workers of a study import, of which a library's part is as good for all of them."""
    modules = [WORK[study.objective.kind]]
    path = study.objective.estimator or ""
    return [*modules, path.rpartition(".")[0]] if path.startswith("sklearn.") else modules


def own_parts(study: StudyFile) -> tuple[str, ...]:
    """What reading a study's model may import of the code that the study itself names.

    Raises:
        UsageError: it names an estimator that is not there.
    """
    if study.objective.kind != "estimator":
        return ()
    from hpsearch.objectives import estimator

    return estimator.named_parts(study)


def checked(study: StudyFile) -> str:
    """What can be said of an objective, whatever its data, before it runs.

    Raises:
        UsageError: it is not there.
    """
    sentence: str = import_module(f"{__name__}.{study.objective.kind}").checked(study)
    return sentence
