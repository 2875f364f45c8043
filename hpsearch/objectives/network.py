"""The network as an objective: a multilayer perceptron that learns from rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hpsearch.engine.cost import DataShape, training_flops
from hpsearch.engine.events import Beside
from hpsearch.engine.fit_rivals import fit_rivals
from hpsearch.engine.jobs import run_jobs
from hpsearch.engine.reuse import digest_of
from hpsearch.engine.rivals import keep_rivals
from hpsearch.metrics import DEFAULT, POSITIVE, Metric
from hpsearch.metrics.threshold import best_threshold
from hpsearch.objectives.refit import model_of, refit_all
from hpsearch.objectives.rows import Rows
from hpsearch.search.base import Result, Slot, Winner
from hpsearch.storage import save_model_bytes
from hpsearch.training.jobs import Job, predictions_job, train_job

if TYPE_CHECKING:
    import optuna

    from hpsearch.engine.events import DataReady
    from hpsearch.engine.objective import Run
    from hpsearch.engine.runner import Runner
    from hpsearch.study_file import StudyFile

__all__ = ["NetworkObjective", "open_objective"]


def open_objective(runner: Runner, study: StudyFile, tested: bool) -> NetworkObjective:
    """The network that a study file describes, and its data.

    Raises:
        HpsearchError: the data cannot be used.
    """
    return NetworkObjective(study, Rows.of(runner, study), tested=tested)


class NetworkObjective:
    """A network for a study's rows; see `Objective`.

    Args:
        study: what is asked for.
        rows: its data.
        tested: whether every training is scored on the test part too, which chooses none.
    """

    work = staticmethod(train_job)
    grace = 0.0

    def __init__(self, study: StudyFile, rows: Rows, *, tested: bool = False) -> None:
        self.study, self.rows, self.tested = study, rows, tested
        self.class_weights = study.class_weights(rows.dataset.classes)
        self._shape = DataShape.of(rows.dataset, rows.splits)
        self._answers: np.ndarray | None = None

    @property
    def measure(self) -> Metric:
        """The metric that decides."""
        return self.rows.metric

    @property
    def also(self) -> tuple[str, ...]:
        """The names of the metrics beside it."""
        return self.rows.also

    def job(self, slot: Slot) -> Job:
        """What a worker is told of a slot."""
        configuration = self.study.configuration(slot.configuration)
        return Job(
            self.rows.handle,
            configuration,
            slot.seed,
            slot.epochs,
            self.tested,
            self.measure.name,
            self.also,
            self.class_weights,
            self.measure.positive,
        )

    def digest(self, slot: Slot) -> str:
        """What tells a training from any other: data, split, configuration, seed, epochs, metrics.

        Equal for two trainings only if their results are equal.
        """
        configuration, also = self.study.configuration(slot.configuration), self.also
        parts: dict[str, Any] = {
            "data": self.rows.dataset.fingerprint,
            "split": self.rows.division(),
            "configuration": configuration,
            "seed": slot.seed,
            "epochs": slot.epochs,
        }
        if self.tested:
            parts["test"] = True
        if (self.measure.name, also) != (DEFAULT["classification"], ()):
            parts["objective"] = [self.measure.name, *also]
        if self.measure.positive != POSITIVE:
            parts["positive"] = self.measure.positive
        return digest_of(parts)

    def cost(self, slot: Slot) -> float:
        """The floating-point operations of a slot's training."""
        configuration = self.study.configuration(slot.configuration)
        return training_flops(configuration, self._shape, epochs=slot.epochs)

    def worst(self, scores: Sequence[float], own: float) -> float:
        """Its own: a training that diverges counts like the best constant predictor already."""
        del scores
        return own

    def why_no_winner(self, bad: int, failed: int) -> str:
        """All trainings diverged: their learning rates are too high."""
        whole = "the only training" if bad == 1 else f"all {bad} trainings"
        others = f", and {failed} failed" if failed else ""
        setting = self.study.training.learning_rate
        rates = f"learning_rate = {setting:g}" if isinstance(setting, float) else "learning_rate"
        return (
            f"{whole} of the study {self.study.name!r} diverged{others}, so that there is no "
            "winner, and the test part was not used; search lower learning rates ([training] "
            f"{rates}): `hpsearch advise` writes such a study file"
        )

    def check(self, target: optuna.Study) -> None:
        """Make sure that the study was trained on these rows."""
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
        """Train the winner on all but the test part, test it once, and keep the network."""
        asked = self.study.objective.threshold
        threshold = self._threshold(run, winner, results) if asked else None
        chosen = [(winner.configuration, winner.epochs)]
        [(refit, attempts)] = refit_all(run, self.rows, chosen, "the winner's last training")
        self._answers, tested, seen = self.rows.tested(refit.predictions, threshold)
        found = tested | {
            "threshold": threshold,
            "refits": attempts,
            "diverged": refit.diverged,
        }
        model = model_of(self.rows.dataset, [refit], threshold, self.measure.positive)
        origin = {k: v for k, v in found.items() if k != "baselines"}
        model = replace(model, origin={**self.rows.about(), **figures, **origin})
        found["model"] = save_model_bytes(run.runner.store, run.target._study_id, model.to_bytes())
        if not self.tested:
            self.rows.show(run.target, seen)
        return found

    def beside(self, run: Run) -> None:
        """Set simple models beside the winner, and keep them."""
        assert self._answers is not None, "asked once there is a winner"
        run.on_event(Beside())
        keep_rivals(run.target, fit_rivals(run, self.rows, self._answers))

    def _threshold(self, run: Run, winner: Winner, results: Sequence[Result]) -> float:
        """The decision threshold that is best for the winner on rows that it was not trained on.

        Raises:
            RunError: its training broke three times.
        """
        places = {result.slot.place: result.slot for result in results}
        job = self.job(places[winner.slots[0]])
        what = "the training that chooses the threshold"
        [seen] = run_jobs(run.jobs(predictions_job), [job], what)
        counted = [weight for weight in seen.weight if weight is not None]
        weight = np.concatenate(counted) if counted else None
        y, predictions = np.concatenate(seen.y), np.concatenate(seen.predictions)
        return best_threshold(self.measure, y, predictions, weight)
