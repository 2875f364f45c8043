"""A Python function as an objective."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpsearch.objectives.given import GIVEN, given_or_none, send
from hpsearch.objectives.without_rows import WithoutRows, home_of, trials_folder
from hpsearch.search.base import Slot
from hpsearch.trials.function import FunctionJob, evaluate_job, imported

if TYPE_CHECKING:
    import optuna

    from hpsearch.engine.runner import Runner
    from hpsearch.study_file import StudyFile

__all__ = ["FunctionObjective", "open_objective"]


def open_objective(runner: Runner, study: StudyFile, tested: bool) -> FunctionObjective:
    """The function that a study file names, or that was given.

    Raises:
        UsageError: there is none.
    """
    given, path = given_or_none(runner, study), study.objective.function
    if given is None:
        imported(path or "", home_of(study))
    return FunctionObjective(study, trials_folder(runner.store.url), given, tested=tested)


def checked(study: StudyFile) -> str:
    """Whether the function is there; what it does is seen when it runs."""
    path = study.objective.function
    assert path is not None, "the study file says so"
    if path == GIVEN:
        return "The function is given in Python; nothing of it can be checked before it runs."
    imported(path, home_of(study))
    return f"The function {path} is there; what it does is seen when it runs."


class FunctionObjective(WithoutRows):
    """A function: configuration and trial to a number, or to a mapping of numbers.

    Args:
        study: what is asked for.
        folder: of the trials of all studies.
        given: the function, where the study file does not name it.
        tested: whether the winner is tried once more, as a comparison asks.
    """

    work = staticmethod(evaluate_job)

    def __init__(
        self,
        study: StudyFile,
        folder: Path,
        given: Callable[..., Any] | None = None,
        *,
        tested: bool = False,
    ) -> None:
        super().__init__(study, folder, tested=tested)
        self._given = given
        self._path = "" if given is not None else study.objective.function or ""
        self._home = home_of(study)

    def begin(self, target: optuna.Study, folder: Path) -> None:
        """Write the function that was given where workers find it.

        Raises:
            UsageError: it cannot be sent.
        """
        super().begin(target, folder)
        if self._given is None:
            return
        send(self._given, Path(self.place.folder, self.place.fingerprint), "function")

    def job(self, slot: Slot) -> FunctionJob:
        """What a worker is told of a slot."""
        return FunctionJob(
            self.place,
            self._path,
            self._home,
            self.study.configuration(slot.configuration),
            slot.seed,
            slot.epochs,
            self.folder(slot),
            self.asked,
        )
