"""What Python code passes to `run_study` in place of a name in the study file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpsearch.errors import UsageError, shown
from hpsearch.trials.function import FUNCTION

if TYPE_CHECKING:
    from hpsearch.engine.runner import Runner
    from hpsearch.study_file import StudyFile

__all__ = ["GIVEN", "accepted", "given_or_none", "send"]

GIVEN = "given"
"""What a study file says of a function or an estimator that is given in Python."""


def accepted(study: StudyFile, given: Any) -> Any:
    """What is given in Python, where the study leaves it to that.

    Raises:
        UsageError: the study has one of its own.
    """
    if given is None:
        return None
    kind = study.objective.kind
    named = getattr(study.objective, kind, None)
    if named != GIVEN:
        what = "its network" if named is None else f"{kind} = {shown(named)}"
        raise UsageError(
            f"an objective is given, and the study optimizes {what}; leave out one of the two, or "
            'write [objective] function = "given"'
        )
    return given


def given_or_none(runner: Runner, study: StudyFile) -> Any:
    """What was given, where the study file leaves it to Python; None where it has a name.

    Raises:
        UsageError: nothing was.
    """
    kind = study.objective.kind
    if getattr(study.objective, kind) != GIVEN:
        return None
    if runner.given is None:
        raise UsageError(
            f'the study\'s {kind} is "given" in Python: pass it as run_study(..., objective=it), '
            "or name it in the study file",
            key=kind,
        )
    return runner.given


def send(given: Any, folder: Path, kind: str) -> None:
    """Write what was given where workers find it.

    Args:
        given: a function or an estimator.
        folder: of a `Place`, with its fingerprint.
        kind: what messages call it.

    Raises:
        UsageError: it cannot be sent.
    """
    import cloudpickle

    try:
        content = cloudpickle.dumps(given)
    except Exception as error:  # whatever it refers to raises
        raise UsageError(
            f"the {kind} cannot be sent to workers ({error}); make what it needs inside of it, or "
            "name it in the study file",
            key=kind,
        ) from None
    (folder / FUNCTION).write_bytes(content)
