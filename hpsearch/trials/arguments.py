"""How values reach a program: as arguments, as variables and as a file."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hpsearch.errors import UsageError
from hpsearch.outcome import Place
from hpsearch.trials.command import RESULT, TRIAL, CommandJob
from hpsearch.trials.result import Asked

__all__ = ["OF_THE_TRIAL", "command_job", "command_of", "filled", "named_in", "variable_of"]

OF_THE_TRIAL = ("seed", "resource", "folder")
"""What an argument may name beside parameters."""

PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")
"""A parameter's name in braces; doubled braces are braces."""


def command_of(parts: Sequence[str], home: Path) -> tuple[str, ...]:
    """A command that can be started from any folder.

    Args:
        parts: the program and its arguments, as they were given.
        home: the folder beside which they name files.

    Raises:
        UsageError: the program is not there.
    """
    command = tuple(_in_place(part, home) for part in parts)
    if shutil.which(command[0]) is None:
        is_there = Path(command[0]).is_file()
        raise UsageError(
            f"the command's program {command[0]!r} "
            + (
                "may not be executed; name its interpreter, or make it executable"
                if is_there
                else f"is not there, neither in {home} nor on the PATH"
            ),
            key="command",
        )
    return command


def command_job(
    command: Sequence[str],
    trial: Mapping[str, Any],
    *,
    data: Place,
    asked: Asked,
    limit: float | None,
) -> CommandJob:
    """A trial of a program.

    Args:
        command: as `command_of` gives it.
        trial: what the program may read: study, stage, slot, configuration, and `OF_THE_TRIAL`.
        data: is there as long as somebody waits for the trial.
        asked: what its result is asked for.
        limit: seconds that it may take; None for any time.
    """
    folder = trial["folder"]
    values = {**trial["configuration"], **{name: trial[name] for name in OF_THE_TRIAL}}
    variables = {variable_of(name): _text(value) for name, value in values.items()}
    places = {
        variable_of("trial"): str(Path(folder, TRIAL)),
        variable_of("result"): str(Path(folder, RESULT)),
    }
    return CommandJob(
        data,
        tuple(filled(command, values)),
        variables | places,
        json.dumps(trial, ensure_ascii=False),
        folder,
        asked,
        limit,
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

    whole = (part for part in command if all(n in values for n in named_in(part)))
    return [PLACEHOLDER.sub(put, part) for part in whole]


def named_in(part: str) -> list[str]:
    """The names that an argument has in braces.

    >>> named_in("--size={width}x{depth}")
    ['width', 'depth']
    """
    return [found[1] for found in PLACEHOLDER.finditer(part) if found[1] is not None]


def variable_of(name: str) -> str:
    """The variable of a parameter.

    >>> variable_of("learning-rate")
    'HPSEARCH_LEARNING_RATE'
    """
    return "HPSEARCH_" + re.sub(r"\W", "_", name).upper()


def _text(value: Any) -> str:
    """A value as an argument: 0.1, true, text as it is, and JSON for lists and tables."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _in_place(part: str, home: Path) -> str:
    """An argument that names a file of that folder, by its whole path."""
    here = home / part
    return str(here) if part and not PLACEHOLDER.search(part) and here.is_file() else part
