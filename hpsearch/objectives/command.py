"""A program as an objective, in any language."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hpsearch.errors import UsageError, nearest
from hpsearch.objectives.without_rows import WithoutRows, home_of, trials_folder
from hpsearch.search.base import Slot
from hpsearch.trials.arguments import OF_THE_TRIAL, command_job, command_of, named_in, variable_of
from hpsearch.trials.command import CommandJob, run_job
from hpsearch.trials.guard import GRACE

if TYPE_CHECKING:
    from hpsearch.engine.runner import Runner
    from hpsearch.study_file import StudyFile

__all__ = ["CommandObjective", "open_objective"]


def open_objective(runner: Runner, study: StudyFile, tested: bool) -> CommandObjective:
    """The program that a study file names.

    Raises:
        UsageError: it is not there, or an argument names no parameter.
    """
    return CommandObjective(study, trials_folder(runner.store.url), tested=tested)


def checked(study: StudyFile) -> str:
    """Whether the program is there, and its arguments name parameters."""
    objective = CommandObjective(study, Path())
    return (
        f"The program {objective.program} is there, and its arguments name parameters of the "
        "study; what it does is seen when it runs."
    )


class CommandObjective(WithoutRows):
    """A program: values reach it as arguments, as variables and as a file.

    Args:
        study: what is asked for.
        folder: of the trials of all studies.
        tested: whether the winner is tried once more, as a comparison asks.

    Raises:
        UsageError: as for `open_objective`.
    """

    work = staticmethod(run_job)
    grace = 2 * GRACE

    def __init__(self, study: StudyFile, folder: Path, *, tested: bool = False) -> None:
        super().__init__(study, folder, tested=tested)
        self._command = command_of(study.objective.command or (), Path(home_of(study)))
        names = [*study.space, *study.fixed]
        _check_placeholders(self._command, names)
        _check_variables(names)

    @property
    def program(self) -> str:
        """What is started."""
        return self._command[0]

    def job(self, slot: Slot) -> CommandJob:
        """What a worker is told of a slot."""
        trial = {
            "study": self.study.name,
            "stage": slot.stage,
            "slot": slot.index,
            "configuration": self.study.configuration(slot.configuration),
            "seed": slot.seed,
            "resource": slot.epochs,
            "folder": self.folder(slot),
        }
        limit = self.study.search.trial_seconds
        return command_job(self._command, trial, data=self.place, asked=self.asked, limit=limit)


def _check_placeholders(command: Sequence[str], names: Sequence[str]) -> None:
    known = [*names, *OF_THE_TRIAL]
    for part in command:
        for name in named_in(part):
            if name not in known:
                close = nearest(name, known)
                hint = f"did you mean {{{close}}}? " if close else ""
                raise UsageError(
                    f"the command names {{{name}}}, which is no parameter; {hint}Known: "
                    f"{', '.join(known)}; a brace itself is written twice",
                    key="command",
                )


def _check_variables(names: Sequence[str]) -> None:
    taken = {variable_of(name): "" for name in (*OF_THE_TRIAL, "trial", "result")}
    for name in names:
        variable = variable_of(name)
        if variable in taken:
            whose = f"that of {taken[variable]!r}" if taken[variable] else "hpsearch's own"
            raise UsageError(
                f"the parameter {name!r} would have the variable {variable}, which is {whose}; "
                "give it another name",
                key=name,
            )
        taken[variable] = name
