"""A program as an objective, in any language."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpsearch.errors import UsageError, nearest
from hpsearch.objectives.without_rows import WithoutRows, home_of, trials_folder
from hpsearch.search.base import Slot
from hpsearch.trials.command import RESULT, TRIAL, CommandJob, run_job
from hpsearch.trials.guard import GRACE

if TYPE_CHECKING:
    from hpsearch.engine.runner import Runner
    from hpsearch.study_file import StudyFile

__all__ = ["CommandObjective", "open_objective"]

OF_THE_TRIAL = ("seed", "resource", "folder")
"""What an argument may name beside parameters."""

PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")
"""A parameter's name in braces; doubled braces are braces."""


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
        home = Path(home_of(study))
        self._command = [_in_place(part, home) for part in study.objective.command or ()]
        _check_program(self._command[0], home)
        names = [*study.space, *study.fixed]
        _check_placeholders(self._command, names)
        _check_variables(names)

    @property
    def program(self) -> str:
        """What is started."""
        return self._command[0]

    def job(self, slot: Slot) -> CommandJob:
        """What a worker is told of a slot."""
        configuration, folder = self.study.configuration(slot.configuration), self.folder(slot)
        own = {"seed": slot.seed, "resource": slot.epochs, "folder": folder}
        trial = {
            "study": self.study.name,
            "stage": slot.stage,
            "slot": slot.index,
            "configuration": configuration,
            **own,
        }
        values = {**configuration, **own}
        variables = {_variable(name): _text(value) for name, value in values.items()}
        places = {
            _variable("trial"): str(Path(folder, TRIAL)),
            _variable("result"): str(Path(folder, RESULT)),
        }
        return CommandJob(
            self.place,
            tuple(filled(self._command, values)),
            variables | places,
            json.dumps(trial, ensure_ascii=False),
            folder,
            self.asked,
            self.study.search.trial_seconds,
        )


def filled(command: Sequence[str], values: Mapping[str, Any]) -> list[str]:
    """A command with values in the places of their names.

    Args:
        command: the program and its arguments.
        values: by name.

    Returns:
        The same, without the arguments that name what has no value in this configuration.

    >>> filled(["train", "--lr={rate}", "--momentum={momentum}", "{{}}"], {"rate": 0.1})
    ['train', '--lr=0.1', '{}']
    """

    def put(found: re.Match[str]) -> str:
        return found[0][0] if found[1] is None else _text(values[found[1]])

    whole = (part for part in command if all(n in values for n in _named(part)))
    return [PLACEHOLDER.sub(put, part) for part in whole]


def _named(part: str) -> list[str]:
    return [found[1] for found in PLACEHOLDER.finditer(part) if found[1] is not None]


def _text(value: Any) -> str:
    """A value as an argument: 0.1, true, text as it is, and JSON for lists and tables."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _variable(name: str) -> str:
    """The variable of a parameter.

    >>> _variable("learning-rate")
    'HPSEARCH_LEARNING_RATE'
    """
    return "HPSEARCH_" + re.sub(r"\W", "_", name).upper()


def _in_place(part: str, home: Path) -> str:
    """An argument that names a file beside the study file, by its whole path."""
    here = home / part
    return str(here) if part and not PLACEHOLDER.search(part) and here.is_file() else part


def _check_program(program: str, home: Path) -> None:
    if shutil.which(program) is None:
        is_there = Path(program).is_file()
        raise UsageError(
            f"the command's program {program!r} "
            + (
                "may not be executed; name its interpreter, or make it executable"
                if is_there
                else f"is not there, neither in {home} nor on the PATH"
            ),
            key="command",
        )


def _check_placeholders(command: Sequence[str], names: Sequence[str]) -> None:
    known = [*names, *OF_THE_TRIAL]
    for part in command:
        for name in _named(part):
            if name not in known:
                close = nearest(name, known)
                hint = f"did you mean {{{close}}}? " if close else ""
                raise UsageError(
                    f"the command names {{{name}}}, which is no parameter; {hint}Known: "
                    f"{', '.join(known)}; a brace itself is written twice",
                    key="command",
                )


def _check_variables(names: Sequence[str]) -> None:
    taken = {_variable(name): "" for name in (*OF_THE_TRIAL, "trial", "result")}
    for name in names:
        variable = _variable(name)
        if variable in taken:
            whose = f"that of {taken[variable]!r}" if taken[variable] else "hpsearch's own"
            raise UsageError(
                f"the parameter {name!r} would have the variable {variable}, which is {whose}; "
                "give it another name",
                key=name,
            )
        taken[variable] = name
