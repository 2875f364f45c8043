"""What a study came to, read from the store: the one source of every table, document and page."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import partial
from typing import TYPE_CHECKING, Any

from hpsearch.diagnosis import DIAGNOSIS, HINTS, Finding, by_kind
from hpsearch.engine import record
from hpsearch.engine.record import StageNote
from hpsearch.search.distributions import as_value
from hpsearch.space import Value

if TYPE_CHECKING:
    import optuna

__all__ = ["StageSummary", "Summary", "TrialRow", "summarize", "whole", "wilson_interval"]


@dataclass(frozen=True)
class TrialRow:
    """A trial as a table shows it."""

    number: int
    state: str
    stage: str
    slot: int | None
    score: float | None
    epochs: int | None
    seed: int | None
    seconds: float | None
    why: str
    configuration: Mapping[str, Value]
    findings: tuple[Finding, ...] = ()

    @property
    def ours(self) -> bool:
        """Whether it is a slot of a search of hpsearch's."""
        return None not in (self.slot, self.seed, self.epochs)

    @property
    def faults(self) -> list[str]:
        """The names of what was wrong with it, the likely cause first."""
        return [finding.name for finding in self.findings if finding.fault]

    @property
    def reason(self) -> str:
        """Why it ended, and what was wrong with it."""
        return f"{self.why} ({', '.join(self.faults)})" if self.faults else self.why

    def document(self) -> dict[str, Any]:
        """The trial in terms of JSON, its findings by kind and name."""
        known = {field.name: getattr(self, field.name) for field in fields(TrialRow)}
        del known["findings"]
        known["configuration"] = dict(self.configuration)
        return known | {DIAGNOSIS: {}, HINTS: {}} | by_kind(self.findings)


@dataclass(frozen=True)
class StageSummary:
    """A stage, how much of it is done and its best score."""

    note: StageNote
    done: int
    best: float | None


@dataclass(frozen=True)
class Summary:
    """A study's figures; those of the test are None until it is finished.

    Attributes:
        study: its name.
        strategy: how it searched; None for a study that hpsearch did not make.
        data: name, rows, columns, classes, notes of the data set.
        stages: in order, with their ranges and reasons.
        rows: its trials, best first: the highest score, then the longer training.
        states: how many trials are in each state.
        best: the winner's configuration, or the best trial's while the search goes on.
        validation_accuracy: the winner's mean, or the best trial's score.
        validation_spread: standard deviation over the winner's seeds.
        validation_scores: the scores that the mean is of.
        test_accuracy: of the refitted winner on the test part.
        test_interval: Wilson's 95% interval around it.
        test_rows: size of the test part.
        tests: how often the test part was used: once, and once more after each raise of the budget
            and for each ensemble.
        seconds: wall-clock time of the run that finished the study.
        model: digest of the trained network in the store.
    """

    study: str
    strategy: str | None
    data: Mapping[str, Any]
    stages: tuple[StageSummary, ...]
    rows: tuple[TrialRow, ...]
    states: Mapping[str, int]
    best: Mapping[str, Value] | None
    validation_accuracy: float | None
    validation_spread: float | None
    validation_scores: tuple[float, ...]
    test_accuracy: float | None
    test_interval: tuple[float, float] | None
    test_rows: int | None
    tests: int | None
    seconds: float | None
    model: str | None

    @property
    def foreign(self) -> Mapping[str, int]:
        """Trials that others have added to a study of hpsearch's, by their state."""
        if self.strategy is None:
            return {}
        return Counter(row.state for row in self.rows if not row.ours)

    def document(self) -> dict[str, Any]:
        """The summary in terms of JSON, as ``--json`` prints it."""
        return {
            "study": self.study,
            "strategy": self.strategy,
            "data": dict(self.data),
            "stages": [_stage_document(stage) for stage in self.stages],
            "best": None if self.best is None else dict(self.best),
            "validation_accuracy": self.validation_accuracy,
            "validation_spread": self.validation_spread,
            "validation_scores": list(self.validation_scores),
            "test_accuracy": self.test_accuracy,
            "test_interval": None if self.test_interval is None else list(self.test_interval),
            "test_rows": self.test_rows,
            "tests": self.tests,
            "trials": sum(self.states.values()),
            "states": dict(self.states),
            "foreign": dict(self.foreign),
            "seconds": self.seconds,
        }


def _stage_document(stage: StageSummary) -> dict[str, Any]:
    note = stage.note
    return {
        "name": note.name,
        "trials": note.slots,
        "done": stage.done,
        "epochs": note.epochs,
        "best": stage.best,
        "space": note.space.to_dict(),
        "changes": [{"parameter": c.parameter, "reason": c.reason} for c in note.changes],
    }


def summarize(study: optuna.Study) -> Summary:
    """Read everything that can be said of a study from its trials and notes.

    Raises:
        StorageError: its notes are damaged.
    """
    trials = study.get_trials(deepcopy=False)
    # A study that somebody else made may minimize, or have several values a trial.
    minimizes = len(study.directions) == 1 and study.direction.name == "MINIMIZE"
    rows = sorted((_row(trial) for trial in trials), key=partial(_rank, minimizes=minimizes))
    notes = record.read_stages(study)
    result = record.read_note(study, "result")
    file = record.read_note(study, "study file")
    leader = next((row for row in rows if row.state == "complete"), None)
    return Summary(
        study=study.study_name,
        strategy=None if file is None else file["search"]["strategy"],
        data=record.read_note(study, "data") or {},
        stages=tuple(_stage(note, rows) for note in notes),
        rows=tuple(rows),
        states=Counter(row.state for row in rows),
        **(_so_far(leader) if result is None else _final(result)),
    )


def _so_far(leader: TrialRow | None) -> dict[str, Any]:
    """The figures of a study whose winner is not tested yet."""
    return dict.fromkeys(_FIGURES) | {
        "best": leader and leader.configuration,
        "validation_accuracy": leader and leader.score,
        "validation_scores": (),
    }


def _final(result: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of a finished study."""
    correct, rows = result["test_correct"], result["test_rows"]
    return {
        "best": result["configuration"],
        "validation_accuracy": result["validation_accuracy"],
        "validation_spread": result["validation_spread"],
        "validation_scores": tuple(result["validation_scores"]),
        "test_accuracy": correct / rows,
        "test_interval": wilson_interval(correct, rows),
        "test_rows": rows,
        "tests": result["tests"],
        "seconds": result["seconds"],
        "model": result["model"],
    }


_FIGURES = [
    "best",
    "validation_accuracy",
    "validation_spread",
    "validation_scores",
    "test_accuracy",
    "test_interval",
    "test_rows",
    "tests",
    "seconds",
    "model",
]


def _row(trial: optuna.trial.FrozenTrial) -> TrialRow:
    # Others may give their trials attributes of these names, and mean anything by them.
    attributes = trial.user_attrs
    return TrialRow(
        number=trial.number,
        state=trial.state.name.lower(),
        stage=str(attributes.get("stage", "")),
        slot=whole(attributes.get("slot")),
        score=trial.value if trial.values and len(trial.values) == 1 else None,
        epochs=whole(attributes.get("epochs")),
        seed=whole(attributes.get("seed")),
        seconds=_duration(attributes.get("seconds")),
        why=str(attributes.get("error") or attributes.get("why_stopped") or ""),
        configuration={name: as_value(choice) for name, choice in trial.params.items()},
        findings=record.read_findings(attributes),
    )


def whole(value: object) -> int | None:
    """A whole number, or None for anything else."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _duration(value: object) -> float | None:
    """A time in seconds, or None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value < math.inf else None


def _rank(row: TrialRow, *, minimizes: bool) -> tuple[bool, float, int, int]:
    """Best first; among equal scores the longer training, then the earlier trial."""
    score = math.inf if row.score is None else row.score if minimizes else -row.score
    return (row.state != "complete", score, -(row.epochs or 0), row.number)


def _stage(note: StageNote, rows: list[TrialRow]) -> StageSummary:
    here = [row for row in rows if row.stage == note.name and row.score is not None]
    best = next((row.score for row in here if row.state == "complete"), None)
    return StageSummary(note, len(here), best)


def wilson_interval(correct: int, total: int, z: float = 1.959964) -> tuple[float, float]:
    """Wilson's score interval of a share (1927): right also near 0 and 1, and for few rows.

    Args:
        correct: successes.
        total: draws, at least one.
        z: normal quantile; 1.96 gives 95%.

    >>> low, high = wilson_interval(97, 100)
    >>> round(low, 3), round(high, 3)
    (0.915, 0.99)
    """
    share = correct / total
    centre = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z / (1 + z * z / total) * math.sqrt(share * (1 - share) / total + (z / (2 * total)) ** 2)
    return max(0.0, centre - half), min(1.0, centre + half)
