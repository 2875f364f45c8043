"""What objectives that learn from no rows of ours have in common: functions and programs."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpsearch.engine.events import Ready
from hpsearch.engine.jobs import run_jobs
from hpsearch.engine.record import AGAIN
from hpsearch.engine.reuse import digest_of
from hpsearch.errors import UsageError
from hpsearch.file_names import file_name
from hpsearch.metrics import Measure
from hpsearch.outcome import Outcome, Place
from hpsearch.search.base import AFTER, Result, Slot, Winner, last_seed
from hpsearch.storage import storage_url
from hpsearch.trials.result import Asked

if TYPE_CHECKING:
    import optuna

    from hpsearch.engine.objective import Run
    from hpsearch.study_file import StudyFile

__all__ = ["WithoutRows", "all_bad", "home_of", "trials_folder"]


def trials_folder(storage: str) -> Path:
    """Where the folders of trials are: beside a SQLite file, or else where the driver runs.

    Args:
        storage: the database's name or URL.

    >>> trials_folder("studies/mine.db").name
    'mine.trials'
    """
    url = storage_url(storage)
    database = url.database if url.get_backend_name() == "sqlite" else None
    path = Path(database) if database and database != ":memory:" else Path("hpsearch")
    return path.absolute().with_suffix(".trials")


class WithoutRows:
    """An objective whose trials say themselves what they come to; see `Objective`.

    Args:
        study: what is asked for.
        folder: of the trials of all studies; see `trials_folder`.
        tested: whether the winner is tried once more, as a comparison asks.
    """

    grace = 0.0
    work: Callable[[Any], Outcome]

    def __init__(self, study: StudyFile, folder: Path, *, tested: bool = False) -> None:
        self.tested = tested
        self.study = study
        self.measure: Measure = study.objective.named_measure
        self.also = tuple(study.objective.also)
        self.asked = Asked(self.measure.name, self.measure.maximized, self.also)
        self._folder = folder / file_name(study.name)
        self._place: Place | None = None

    @property
    def place(self) -> Place:
        """What jobs need, where workers find it."""
        assert self._place is not None, "begin has not been called"
        return self._place

    def job(self, slot: Slot) -> Any:
        """What a worker is told of a slot."""
        raise NotImplementedError

    def folder(self, slot: Slot) -> str:
        """The folder of a slot: the same whenever it is tried."""
        return str(self._folder / f"{slot.stage}-{slot.index}")

    def digest(self, slot: Slot) -> str:
        """What tells a trial from any other of this study.

        Nobody knows what else a function or a program depends on, so that none is taken over from
        another study.
        """
        parts = {
            "study": self.study.name,
            "objective": self.study.objective.kind,
            "configuration": self.study.configuration(slot.configuration),
            "seed": slot.seed,
            "epochs": slot.epochs,
            "measure": [self.measure.name, self.measure.direction, *self.also],
        }
        return digest_of(parts)

    def cost(self, slot: Slot) -> float:
        """What of the resource it takes."""
        return float(slot.epochs)

    def worst(self, scores: Iterable[float], outcome: Outcome) -> float:
        """The worst of the trial's own reports; of one without any the worst that was seen."""
        return outcome.score if outcome.curve else min(scores, default=outcome.score)

    def why_no_winner(self, bad: int, failed: int) -> str:
        """All trials gave up."""
        return all_bad(self.study.name, bad, failed)

    def check(self, target: optuna.Study) -> None:
        """Nothing but the study file tells what it is."""

    def begin(self, target: optuna.Study, folder: Path) -> None:
        """Have a folder that is there until the run ends, and none with another study's trials.

        Raises:
            UsageError: these cannot be moved aside.
        """
        if not target.get_trials(deepcopy=False):
            _moved_aside(self._folder)
        self._place = Place(str(folder), Path(tempfile.mkdtemp(dir=folder)).name)

    def ready(self, stored: int) -> Ready:
        """What is told before the first slot."""
        return Ready(self.measure, stored)

    def finish(
        self, run: Run, winner: Winner, results: Sequence[Result], figures: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Nothing remains to be done, since there are no rows to test on.

        In a comparison the winner is tried once more, with a seed that no choice has seen.
        """
        del results, figures
        if not self.tested:
            return {}
        slot = Slot(AFTER, 0, winner.configuration, last_seed(self.study.seed), winner.epochs)
        [again] = run_jobs(run.jobs(self.work), [self.job(slot)], "the winner's last trial")
        return {AGAIN: self.measure.of_score(again.score)}

    def beside(self, run: Run) -> None:
        """No simple model does what a function of the user's does."""


def _moved_aside(folder: Path) -> None:
    """Leave the folders of a study that is gone to their owner: a new one has no checkpoints yet.

    Raises:
        UsageError: it cannot be done.
    """
    others = (folder.with_name(f"{folder.name}.{number}") for number in count(1))
    try:
        if folder.exists():
            folder.rename(next(other for other in others if not other.exists()))
    except OSError as error:
        raise UsageError(
            f"{folder} has the trials of an earlier study of this name and cannot be moved aside: "
            f"{error.strerror or error}; move it, or give the study another name"
        ) from error


def all_bad(name: str, bad: int, failed: int) -> str:
    """Why a study has no winner whose trials stop by themselves; see `Objective.why_no_winner`."""
    whole = "the only trial" if bad == 1 else f"all {bad} trials"
    others = f", and {failed} failed" if failed else ""
    return (
        f"{whole} of the study {name!r} gave up as known bad{others}, so that there is no winner; "
        "search other ranges"
    )


def home_of(study: StudyFile) -> str:
    """The folder in which a study's module or program is looked for."""
    return str(Path(study.objective.folder or ".").absolute())
