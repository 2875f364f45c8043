"""The network as an objective: a multilayer perceptron that learns from rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hpsearch.engine.cost import DataShape, training_flops
from hpsearch.engine.reuse import digest_of
from hpsearch.metrics import DEFAULT, POSITIVE
from hpsearch.objectives.refit import model_of, refit_all
from hpsearch.objectives.rows import Rows
from hpsearch.objectives.with_rows import WithRows
from hpsearch.search.base import Configuration, Slot
from hpsearch.training.fitted import Fitted
from hpsearch.training.jobs import Job, Refit, predictions_job, train_job
from hpsearch.training.model import Model

if TYPE_CHECKING:
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


def checked(study: StudyFile) -> str:
    """Nothing: its checks look at data and network together."""
    del study
    return ""


class NetworkObjective(WithRows):
    """A network for a study's rows; see `Objective`.

    Args:
        study: what is asked for.
        rows: its data.
        tested: whether every training is scored on the test part too, which chooses none.
    """

    work = staticmethod(train_job)
    said = staticmethod(predictions_job)

    def __init__(self, study: StudyFile, rows: Rows, *, tested: bool = False) -> None:
        super().__init__(study, rows, tested=tested)
        self.class_weights = study.class_weights(rows.dataset.classes)
        self._shape = DataShape.of(rows.dataset, rows.splits)

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

    def last_trainings(
        self, run: Run, chosen: Sequence[tuple[Configuration, int]], what: str
    ) -> list[tuple[Refit, int]]:
        """Train networks on training and validation part together; see `refit_all`."""
        return refit_all(run, self.rows, chosen, what)

    def model(
        self, trained: Sequence[Refit], threshold: float | None, trees: Sequence[Fitted] = ()
    ) -> Model:
        """What networks make together."""
        return model_of(self.rows.dataset, trained, threshold, self.measure.positive, trees)
