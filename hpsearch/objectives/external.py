"""An objective whose trials are done elsewhere: by whoever asks a server for them.

Nothing but values goes out and comes back, whatever they are made with. A server takes a submitted
function or command for one too: it runs no code of others.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hpsearch.errors import UsageError
from hpsearch.objectives.without_rows import WithoutRows, trials_folder
from hpsearch.search.base import Slot
from hpsearch.trials.values import ValuesJob, values_job

if TYPE_CHECKING:
    from hpsearch.engine.runner import Runner
    from hpsearch.study_file import StudyFile

__all__ = ["ExternalObjective", "open_objective"]


def open_objective(runner: Runner, study: StudyFile, tested: bool) -> ExternalObjective:
    """Whatever does the trials.

    Raises:
        UsageError: nobody can ask for them here.
    """
    if not runner.serves:
        raise UsageError(
            "the study is external: its trials are done by whoever asks a server for them; start "
            "one with `hpsearch serve`, and send the file with `hpsearch submit`",
            key="external",
        )
    return ExternalObjective(study, trials_folder(runner.store.url), tested=tested)


def checked(study: StudyFile) -> str:
    """Nothing of it is here."""
    del study
    return "The trials of this study are done by whoever asks a server for them."


class ExternalObjective(WithoutRows):
    """Trials that others do; see `Objective`.

    Args:
        study: what is asked for.
        folder: of the trials of all studies.
        tested: whether the winner is tried once more, as a comparison asks.
    """

    work = staticmethod(values_job)

    def __init__(self, study: StudyFile, folder: Path, *, tested: bool = False) -> None:
        super().__init__(study, folder, tested=tested)
        self._function = study.objective.function

    def job(self, slot: Slot) -> ValuesJob:
        """What whoever asks is told of a slot."""
        return ValuesJob(
            self.place,
            self.study.name,
            slot.stage,
            slot.index,
            self.study.configuration(slot.configuration),
            slot.seed,
            slot.epochs,
            self.asked,
            self._function,
        )
