"""A study that begins with the winner of another one.

What it takes is fixed when the study begins, and kept with it: what becomes of the other study
later changes none of its trials, and a run that was killed goes on the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hpsearch.engine import record
from hpsearch.engine.identity import kept_study_file
from hpsearch.errors import SpaceError, UsageError
from hpsearch.search.first import first_in
from hpsearch.storage import load_study, study_names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hpsearch.space import Value
    from hpsearch.storage import WriteBehindStorage
    from hpsearch.study_file import StudyFile

__all__ = ["FIRST", "beginning_with", "winner_first"]

FIRST = "first"
"""The attribute of a study with what it took from another one."""


def winner_first(
    store: WriteBehindStorage, study: StudyFile, name: str | None
) -> Mapping[str, Any] | None:
    """What a study takes from another one's winner, in terms of JSON.

    Args:
        store: where both are.
        study: the study's file.
        name: of the other study; None for what it took when it began, if anything.

    Returns:
        The other ``study``, the ``configuration`` that is tried first, and what of the winner is
        ``left_out``; None where nothing is taken.

    Raises:
        UsageError: there is no such study, or it has no winner yet, or none of its parameters is
            searched here; or the study has begun with another one, or without any.
    """
    if study.name in study_names(store):
        target = load_study(store, study.name)
        if target.get_trials(deepcopy=False):
            kept: dict[str, Any] | None = record.read_metadata(target, FIRST)
            if name is not None and (kept is None or kept["study"] != name):
                began = "nobody's winner" if kept is None else f"the winner of {kept['study']!r}"
                raise UsageError(
                    f"the study {study.name!r} began with {began}, and is now to begin with that "
                    f"of {name!r}; give the study file a new name, or leave out --first"
                )
            return kept
    return None if name is None else _read(store, study, name)


def beginning_with(study: StudyFile, taken: Mapping[str, Any]) -> StudyFile:
    """A study that tries what it has taken before all that its file would try first."""
    configuration = taken["configuration"]
    others = [first for first in study.first if first != configuration]
    return study.model_copy(update={"first": [configuration, *others]})


def _read(store: WriteBehindStorage, study: StudyFile, name: str) -> dict[str, Any]:
    earlier = load_study(store, name)
    file = kept_study_file(earlier)
    if file is None:
        raise UsageError(f"--first names {name!r}, which hpsearch did not make; name another study")
    result = record.read_metadata(earlier, "result")
    if result is None:
        raise UsageError(f"--first names {name!r}, which has no winner yet; run it to its end")
    space = study.open_space()
    known = file.configuration(result["configuration"])
    own: dict[str, Value] = {}
    for parameter in space.parameters:
        if parameter in known:
            try:
                [taken] = first_in(space, [{parameter: known[parameter]}]).configurations
            except SpaceError:  # of another type, or no choice, or past a limit
                continue
            own |= taken
    exists = set(space.active(own))
    configuration = {parameter: value for parameter, value in own.items() if parameter in exists}
    if not configuration:
        raise UsageError(
            f"--first names {name!r}, whose winner has nothing that is searched here: "
            f"{', '.join(space.parameters)}; name another study"
        )
    left_out = [
        parameter for parameter in result["configuration"] if parameter not in configuration
    ]
    return {"study": earlier.study_name, "configuration": configuration, "left_out": left_out}
