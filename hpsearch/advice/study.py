"""The advice for a study in a database: its points, and the study file to run next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from hpsearch.advice.evidence import read_evidence
from hpsearch.advice.next_study import next_study, study_toml
from hpsearch.advice.points import Edit, Point, advise
from hpsearch.diagnostics import Check, check_data_and_network, learning_range
from hpsearch.errors import DataError
from hpsearch.space import Float
from hpsearch.storage import load_study, storage_errors
from hpsearch.study_file import StudyFile
from hpsearch.study_file.data import study_data

if TYPE_CHECKING:
    from hpsearch.storage import WriteBehindStorage

__all__ = ["Advice", "advise_study"]


@dataclass(frozen=True)
class Advice:
    """What a study says, and what to run next.

    Attributes:
        study: its file.
        points: what its trainings say.
        checks: of its data and network, those that did not pass.
        then: the file to run next.
        note: why something is missing, if so.
    """

    study: StudyFile
    points: tuple[Point, ...]
    checks: tuple[Check, ...]
    then: StudyFile
    note: str = ""

    @property
    def edits(self) -> tuple[Edit, ...]:
        """All that is to be changed."""
        return tuple(edit for point in self.points for edit in point.edits)

    @property
    def text(self) -> str:
        """The file to run next, with the reasons as comments."""
        reasons = [point.sentence for point in self.points if point.edits]
        return study_toml(self.then, self.edits, [f"After {self.study.name}:", *reasons])

    def document(self) -> dict[str, Any]:
        """The advice in terms of JSON."""
        return {
            "study": self.study.name,
            "points": [
                {
                    "topic": point.topic,
                    "sentence": point.sentence,
                    "edits": [vars(edit) for edit in point.edits],
                }
                for point in self.points
            ],
            "checks": [check.document() for check in self.checks],
            "next": self.then.model_dump(mode="json", exclude_defaults=True),
            "note": self.note,
        }


def advise_study(store: WriteBehindStorage, name: str) -> Advice:
    """Read a study's trainings, check its data and network once more, and say what to do next.

    Where the study is broken, the learning rates of the next one are those at which the repaired
    network learns, found by a sweep.

    Args:
        store: the database.
        name: of the study.

    Raises:
        UnknownNameError: there is no such study.
        UsageError: hpsearch did not make it.
    """
    with storage_errors(store.url):
        evidence = read_evidence(load_study(store, name))
    points = advise(evidence)
    try:
        dataset, splits = study_data(evidence.study.data, evidence.study.seed)
    except DataError as error:
        then = next_study(evidence.study, _edits(points))
        return Advice(evidence.study, points, (), then, f"The data were not looked at: {error}")
    checks = check_data_and_network(evidence.study, dataset, splits[0])
    odd = tuple(check for check in checks if check.verdict != "pass")
    points = (*_scale(evidence.study, odd, points), *points)
    if any(point.repair for point in points):
        repaired = next_study(evidence.study, _edits(points))
        points = (*points, *_rates(repaired, learning_range(repaired, dataset, splits[0])))
    return Advice(evidence.study, points, odd, next_study(evidence.study, _edits(points)))


def _scale(study: StudyFile, odd: Sequence[Check], points: Sequence[Point]) -> list[Point]:
    """What the check of the inputs asks for, unless the trainings do so already."""
    known = any(edit.key == "preprocessing" for point in points for edit in point.edits)
    raw = study.data.preprocessing == "none"
    return [
        Point(
            "inputs not scaled",
            f"The inputs are not scaled: {check.advice}.",
            (Edit("data", "preprocessing", "standardize"),),
            repair=check.verdict == "fail",
        )
        for check in odd
        if check.name == "scale of the inputs" and raw and not known
    ]


def _edits(points: tuple[Point, ...]) -> list[Edit]:
    return [edit for point in points for edit in point.edits]


def _rates(repaired: StudyFile, learns: tuple[float, float] | None) -> list[Point]:
    """The learning rates at which the repaired network learns, where the study's lie elsewhere."""
    searched = repaired.space().parameters.get("learning_rate")
    if isinstance(searched, Float):
        low, high = searched.low, searched.high
    else:
        low = high = cast("float", repaired.fixed()["learning_rate"])
    if learns is None or (low <= learns[1] and high >= learns[0]):
        return []
    side = "low" if high < learns[0] else "high"
    return [
        Point(
            f"learning rate too {side}",
            f"The learning rates, {low:.2g} to {high:.2g}, are too {side}: the repaired network "
            f"learns at {learns[0]:.2g} to {learns[1]:.2g}.",
            (
                Edit(
                    "training",
                    "learning_rate",
                    {"low": _rounded(learns[0]), "high": _rounded(learns[1]), "log": True},
                ),
            ),
        )
    ]


def _rounded(rate: float) -> float:
    return float(f"{rate:.2g}")
