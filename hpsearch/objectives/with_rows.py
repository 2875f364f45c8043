"""What objectives that learn from rows have in common: the last training, the one test, a model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from hpsearch.engine.events import Beside
from hpsearch.engine.fit_rivals import fit_rivals
from hpsearch.engine.jobs import run_jobs
from hpsearch.engine.kept import kept_model
from hpsearch.engine.metadata import read_metadata
from hpsearch.engine.rivals import keep_rivals
from hpsearch.metrics import Metric
from hpsearch.metrics.threshold import best_threshold
from hpsearch.objectives.rows import Rows
from hpsearch.outcome import Outcome
from hpsearch.search.base import Configuration, Result, Slot, Winner
from hpsearch.storage import save_model_bytes
from hpsearch.training.fitted import Fitted
from hpsearch.training.jobs import Predictions
from hpsearch.training.model import Model

if TYPE_CHECKING:
    import optuna

    from hpsearch.engine.events import DataReady
    from hpsearch.engine.objective import Run
    from hpsearch.study_file import StudyFile

__all__ = ["Last", "WithRows"]


class Last(Protocol):
    """A training on training and validation part together."""

    @property
    def predictions(self) -> np.ndarray:
        """For the test rows: probabilities (n, n_classes), or a quantity (n,)."""

    @property
    def diverged(self) -> bool:
        """Whether it did, so that it is of no use."""


class WithRows:
    """An objective for a study's rows; see `Objective`.

    Args:
        study: what is asked for.
        rows: its data.
        tested: whether every trial is scored on the test part too, which chooses none.
    """

    grace = 0.0
    work: Callable[[Any], Outcome]
    said: Callable[[Any], Predictions]
    """What a worker says of the validation rows, given a trial's job."""
    trusted: tuple[str, ...] = ()
    """What reading a model of the study may import; see `Model.load`."""

    def __init__(self, study: StudyFile, rows: Rows, *, tested: bool = False) -> None:
        self.study, self.rows, self.tested = study, rows, tested
        self._answers: np.ndarray | None = None

    @property
    def measure(self) -> Metric:
        """The metric that decides."""
        return self.rows.metric

    @property
    def also(self) -> tuple[str, ...]:
        """The names of the metrics beside it."""
        return self.rows.also

    def job(self, slot: Slot) -> Any:
        """What a worker is told of a slot."""
        raise NotImplementedError

    def last_trainings(
        self, run: Run, chosen: Sequence[tuple[Configuration, int]], what: str
    ) -> list[tuple[Any, int]]:
        """Train configurations on training and validation part together, with one seed.

        Args:
            run: of the study.
            chosen: configurations, and how long they train.
            what: what such a training is called in a message.

        Returns:
            Each as `Last`, and how many attempts it took.
        """
        raise NotImplementedError

    def model(
        self, trained: Sequence[Any], threshold: float | None, trees: Sequence[Fitted] = ()
    ) -> Model:
        """What last trainings make together, without saying where it came from.

        Args:
            trained: as `last_trainings` gives them.
            threshold: from which probability on a row gets the positive label; None: from half.
            trees: boosted trees among them.
        """
        raise NotImplementedError

    def worst(self, scores: Iterable[float], outcome: Outcome) -> float:
        """Its own: a training that diverges counts like the best constant predictor already."""
        del scores
        return outcome.score

    def check(self, target: optuna.Study) -> None:
        """Make sure that the study learned from these rows."""
        self.rows.check(target)

    def begin(self, target: optuna.Study, folder: Path) -> None:
        """Keep what the rows are with the study, and put them where workers find them."""
        self.rows.begin(target, folder)

    def ready(self, stored: int) -> DataReady:
        """What is told before the first slot."""
        return self.rows.ready(stored)

    def finish(
        self, run: Run, winner: Winner, results: Sequence[Result], figures: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Train the winner on all but the test part, test it once, and keep the model."""
        asked = self.study.objective.threshold
        threshold = self._threshold(run, winner, results) if asked else None
        chosen = [(winner.configuration, winner.epochs)]
        [(last, attempts)] = self.last_trainings(run, chosen, "the winner's last training")
        self._answers, tested, seen = self.rows.tested(last.predictions, threshold)
        found = tested | {
            "threshold": threshold,
            "refits": attempts,
            "diverged": last.diverged,
        }
        origin = {k: v for k, v in found.items() if k != "baselines"}
        model = self.model([last], threshold)
        model = replace(model, origin={**self.rows.about(), **figures, **origin})
        found["model"] = save_model_bytes(run.runner.store, run.target._study_id, model.to_bytes())
        if not self.tested:
            self.rows.show(run.target, seen)
        return found

    def beside(self, run: Run) -> None:
        """Set simple models beside the winner, and keep them.

        A winner that another run has tested answers as it is kept. The time of its search is that
        which its result has: what came after it, and was killed, does not count.
        """
        run.on_event(Beside())
        answers = self._answers
        if answers is None:
            model = kept_model(run.runner.store, run.target, trusted=self.trusted)
            answers = self.rows.answered(model)
        searched = read_metadata(run.target, "result")["seconds"]
        keep_rivals(run.target, fit_rivals(run.runner, self.rows, answers, searched))

    def _threshold(self, run: Run, winner: Winner, results: Sequence[Result]) -> float:
        """The decision threshold that is best for the winner on rows that it did not learn from.

        Raises:
            RunError: its training broke three times.
        """
        places = {result.slot.place: result.slot for result in results}
        job = self.job(places[winner.slots[0]])
        what = "the training that chooses the threshold"
        [seen] = run_jobs(run.jobs(self.said), [job], what)
        counted = [weight for weight in seen.weight if weight is not None]
        weight = np.concatenate(counted) if counted else None
        y, predictions = np.concatenate(seen.y), np.concatenate(seen.predictions)
        return best_threshold(self.measure, y, predictions, weight)
