"""What the engine asks of an objective: the one contract that every kind of study keeps.

An objective turns a slot into a job, a job into an outcome, and a winner into something to keep.
The engine does the rest, alike for all: who trains when and how often, what is stored, and what
happens when a process is killed. It keeps these promises for an objective whose jobs are pure
functions of slot and data; for others trials are still run exactly once.

- A job is picklable, and ``work`` is a function of a module, so that any worker can do it. Workers
  import what these two name, and no more.
- Scores are finite and greater is better; ``measure`` leads to the user's own values and back.
- An objective is made before the study is held, and reads only. What it has to say of itself is
  written by ``begin``, under the lease.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from hpsearch.engine.jobs import Jobs
from hpsearch.metrics import Measure
from hpsearch.outcome import Outcome
from hpsearch.search.base import Result, Slot, Winner

if TYPE_CHECKING:
    import optuna

    from hpsearch.engine.events import DataReady, OnEvent, Ready
    from hpsearch.engine.lease import Lease
    from hpsearch.engine.runner import Runner
    from hpsearch.study_file import StudyFile

__all__ = ["Objective", "Run"]

T = TypeVar("T")


class Objective(Protocol):
    """What is optimized."""

    @property
    def measure(self) -> Measure:
        """Name, direction and bounds of what decides."""

    @property
    def also(self) -> Sequence[str]:
        """The names of what is recorded beside it."""

    @property
    def work(self) -> Callable[[Any], Outcome]:
        """What a worker does with a job.

        It raises `TrialFailedError` where another attempt would come to the same.
        """

    @property
    def grace(self) -> float:
        """Seconds beside the longest that a trial may take, in which a job ends it by itself."""

    def job(self, slot: Slot) -> Any:
        """What a worker is told of a slot."""

    def digest(self, slot: Slot) -> str:
        """What tells a training from any other, so that none is done twice."""

    def cost(self, slot: Slot) -> float:
        """The predicted price of a slot, in a unit of the objective's own."""

    def worst(self, scores: Iterable[float], outcome: Outcome) -> float:
        """The score that a trial counts with which was stopped as known bad.

        Args:
            scores: of complete trials, of the stages before it if there are any; looked at only
                where they count.
            outcome: what the trial itself came to.
        """

    def why_no_winner(self, bad: int, failed: int) -> str:
        """Why a study has no winner, and what to change, in a sentence.

        Args:
            bad: how many trials were stopped as known bad: all that did not fail.
            failed: how many failed.
        """

    def check(self, target: optuna.Study) -> None:
        """Make sure that the trials of a study are of the same objective.

        Raises:
            UsageError: they are not.
        """

    def begin(self, target: optuna.Study, folder: Path) -> None:
        """Keep what it is about with the study, which is held, and have ready what jobs need.

        Args:
            target: the study.
            folder: is there until the run ends.
        """

    def ready(self, stored: int) -> Ready | DataReady:
        """What is told before the first slot.

        Args:
            stored: how many trials the store has already.
        """

    def finish(
        self, run: Run, winner: Winner, results: Sequence[Result], figures: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Do what remains to be done with a winner: train and test it where there are data.

        Args:
            run: of the study.
            winner: what the search named.
            results: of the search.
            figures: what is kept of the winner already.

        Returns:
            What is kept beside these: where there is a test, what it came to.

        Raises:
            HpsearchError: it cannot be done.
        """

    def beside(self, run: Run) -> None:
        """Set simple models beside the winner, where there are any, and keep them."""


@dataclass(eq=False)
class Run:
    """One run of a study: its parts, for all who train its slots.

    Attributes:
        runner: has the store and the workers.
        study: what is asked for.
        target: the study in the store.
        lease: the right to write to it.
        objective: what is optimized.
        on_event: told of everything that happens.
        opening: slots of another search with a smaller budget, as which this one is to begin.
        shares: of the budget, of operations or of seconds: what may be spent by the end of each
            stage of the search, so that something is left to the race; none for no such limits.
    """

    runner: Runner
    study: StudyFile
    target: optuna.Study
    lease: Lease
    objective: Objective
    on_event: OnEvent = lambda _: None
    opening: Sequence[Slot] = ()
    shares: Sequence[float] = ()

    def share(self, stage: int) -> float:
        """The share of the budget that may be spent by the end of a stage."""
        return self.shares[stage] if stage < len(self.shares) else 1.0

    def jobs(self, function: Callable[[Any], T], *, longer: float = 1.0) -> Jobs[T]:
        """Workers for the trainings of this study, none of which takes longer than it may.

        Args:
            function: what a worker does with a job.
            longer: how many times as long as a trial it may take.
        """
        limit = self.study.search.trial_seconds
        limit = None if limit is None else longer * limit + self.objective.grace
        return Jobs(self.runner.pool, self.runner.interrupts, function, limit)

    @property
    def seconds(self) -> float:
        """What all runs of the study have taken so far."""
        return self.lease.before + self.lease.seconds

    def out_of_time(self, share: float = 1.0) -> bool:
        """Whether the time for searching is over, or a share of it."""
        limit = self.study.search.seconds
        return limit is not None and self.seconds > share * limit
