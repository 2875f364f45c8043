"""What advice is made of: the trainings of a study, with what was found wrong with each."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hpsearch.engine.summary import Summary, TrialRow
from hpsearch.metrics import ACCURACY, Measure
from hpsearch.study_file import StudyFile

__all__ = ["Evidence", "evidence_of"]


@dataclass(frozen=True)
class Evidence:
    """A study.

    Attributes:
        study: its file.
        trained: all its trials that have a result, in the order of their slots.
        validation: rows of the validation part.
        winner: the places of the slots that named the winner; none before that.
        reservations: what the winner, or the best so far, is beside simple models that it does not
            beat: "no better than always answering 'no'".
        measure: what their scores are of.
        failed: why each trial failed that did.
    """

    study: StudyFile
    trained: tuple[TrialRow, ...]
    validation: int
    winner: frozenset[tuple[int, int]] = frozenset()
    reservations: tuple[str, ...] = ()
    measure: Measure = ACCURACY
    failed: tuple[str, ...] = ()

    @property
    def network(self) -> bool:
        """Whether networks were trained, of which more is known than a score."""
        return self.study.objective.kind == "network"

    @property
    def full(self) -> list[TrialRow]:
        """Those that trained to the end, as long as a training may; the winner, then the best."""
        epochs = self.study.resource.full
        found = [one for one in self.trained if one.state == "complete" and one.epochs == epochs]
        return sorted(found, key=lambda one: (not self.won(one), -one.known_score))

    def won(self, one: TrialRow) -> bool:
        """Whether it is one of the trainings that named the winner."""
        return one.result.slot.place in self.winner


def evidence_of(study: StudyFile, summary: Summary) -> Evidence:
    """The evidence of a study of hpsearch, which may still be running.

    Args:
        study: its file.
        summary: what it came to so far.
    """
    by_number = sorted(summary.rows, key=lambda row: row.number, reverse=True)
    score = summary.measure.score
    trained = {
        row.slot.place: replace(row, score=score(row.score))
        for row in by_number
        if row.slot and row.score is not None
    }
    return Evidence(
        study,
        tuple(row for _, row in sorted(trained.items())),
        int(summary.data.get("validation", 0)),
        summary.winner_slots,
        summary.reservations,
        summary.measure,
        tuple(row.why for row in summary.rows if row.slot and row.state == "fail"),
    )
