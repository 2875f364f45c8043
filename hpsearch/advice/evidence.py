"""What advice is made of: the trainings of a study, with what was found wrong with each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hpsearch.engine import record
from hpsearch.engine.identity import kept_study_file
from hpsearch.engine.summary import Summary, whole, winner_slots
from hpsearch.errors import UsageError
from hpsearch.search.base import Result
from hpsearch.study_file import StudyFile
from hpsearch.training.diagnosis import Finding

if TYPE_CHECKING:
    import optuna

__all__ = ["Evidence", "Trained", "read_evidence"]


@dataclass(frozen=True)
class Trained:
    """A training.

    Attributes:
        result: what was trained, and its score.
        best_epoch: the epoch of its best validation accuracy, None where there is none.
        findings: what was found wrong with it, and hints.
    """

    result: Result
    best_epoch: int | None = None
    findings: tuple[Finding, ...] = ()

    def has(self, name: str) -> bool:
        """Whether this was found."""
        return any(finding.name == name for finding in self.findings)


@dataclass(frozen=True)
class Evidence:
    """A study.

    Attributes:
        study: its file.
        trained: all its trainings that have a result, in order.
        validation: rows of the validation part.
        winner: stage and slot of the trainings that named the winner; none before that.
        reservations: what the winner, or the best so far, is beside simple models that it does not
            beat: "no better than always answering 'no'".
    """

    study: StudyFile
    trained: tuple[Trained, ...]
    validation: int
    winner: frozenset[tuple[int, int]] = frozenset()
    reservations: tuple[str, ...] = ()

    @property
    def complete(self) -> list[Trained]:
        """The trainings that were not stopped as known bad."""
        return [one for one in self.trained if one.result.complete]

    @property
    def full(self) -> list[Trained]:
        """Those of them that trained as long as a training may, the winner and then the best."""
        epochs = self.study.training.epochs
        found = [one for one in self.complete if one.result.slot.epochs == epochs]
        return sorted(found, key=lambda one: (not self._won(one), -one.result.score))

    def _won(self, one: Trained) -> bool:
        return (one.result.slot.stage, one.result.slot.index) in self.winner


def read_evidence(study: optuna.Study, summary: Summary) -> Evidence:
    """Read a study of hpsearch.

    Args:
        study: from the store; it may still be running.
        summary: of the same study.

    Raises:
        UsageError: hpsearch did not make it, or another version of it did.
    """
    file = kept_study_file(study)
    if file is None:
        raise UsageError(
            f"the study {study.study_name!r} was not made by hpsearch, which knows nothing of how "
            "its trials were trained"
        )
    trials = study.get_trials(deepcopy=False)
    results = record.read_results(trials)
    attributes = {
        slot.place: trial.user_attrs
        for trial in reversed(trials)
        if trial.value is not None and (slot := record.read_slot(trial)) is not None
    }
    return Evidence(
        file,
        tuple(
            Trained(
                result,
                whole(attributes[key].get("best_epoch")) or None,
                record.read_findings(attributes[key]),
            )
            for key, result in sorted(results.items())
        ),
        int(summary.data.get("validation", 0)),
        winner_slots(record.read_metadata(study, "result")),
        summary.reservations,
    )
