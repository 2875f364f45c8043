"""What a study came to, read from the store: the one source of every table, document and page."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from hpsearch.engine import record
from hpsearch.engine.baselines import (
    Baseline,
    WinnerIs,
    held_against,
    held_in_validation,
    read_baselines,
)
from hpsearch.engine.rivals import Rival, read_rivals
from hpsearch.kinds import learns
from hpsearch.metrics import ACCURACY, Measure
from hpsearch.search.base import Motive, Result, Slot, StageKind, StagePlan
from hpsearch.search.distributions import as_value
from hpsearch.shapes import a_number
from hpsearch.space import Space, Value
from hpsearch.training.diagnosis import DIAGNOSIS, HINTS, Finding, by_kind

if TYPE_CHECKING:
    import optuna

__all__ = [
    "StageSummary",
    "Summary",
    "TrialRow",
    "best_first",
    "states_text",
    "summarize",
    "winner_slots",
]


@dataclass(frozen=True)
class TrialRow:
    """A trial as it is read back, for tables, figures and advice.

    Attributes:
        slot: None for a trial that hpsearch did not make.
        score: in the study's own units; None where it has none, or several values.
        epochs: as many as were asked for.
        motive: why a model chose it, if one did.
        why: it ended.
        best_epoch: that of its best validation score; None where there is none.
        worker: who trained it: machine and process.
        log: the last lines that its program wrote.
        started, completed: when it was handed out, and when its result came in.
        also: what is recorded beside the score, by name.
        curve: the score by epoch (by step, for a trial that hpsearch did not make).
        train_losses, validation_losses: one an epoch, nan where it was not finite. These and what
            follows are read for figures only; see `read_view`.
        traced: whether there are snapshots of its network.
        snapshots: these, in terms of JSON; see `Trace.document`. Of the best trial and of the one
            with most faults; None for all others.
    """

    number: int
    state: str
    stage: StageKind | None
    slot: Slot | None
    score: float | None
    epochs: int | None
    seconds: float | None
    why: str
    configuration: Mapping[str, Value]
    findings: tuple[Finding, ...] = ()
    motive: Motive | None = None
    values: tuple[float, ...] = ()
    best_epoch: int | None = None
    worker: str = ""
    log: str = ""
    started: datetime | None = None
    completed: datetime | None = None
    also: Mapping[str, float] = field(default_factory=dict)
    curve: Mapping[int, float] = field(default_factory=dict)
    train_losses: tuple[float, ...] = ()
    validation_losses: tuple[float, ...] = ()
    traced: bool = False
    snapshots: Mapping[str, Any] | None = None

    @property
    def known_score(self) -> float:
        """The score of a trial that has one."""
        assert self.score is not None, "asked of scored trials"
        return self.score

    @property
    def result(self) -> Result:
        """What a strategy reads of a trial of ours that has a score."""
        assert self.slot is not None, "asked of trials of ours"
        return Result(self.slot, self.known_score, complete=self.state == "complete")

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
        known = {
            "number": self.number,
            "state": self.state,
            "stage": str(self.stage or ""),
            "slot": None if self.slot is None else self.slot.index,
            "score": self.score,
            "also": dict(self.also),
            "epochs": self.epochs,
            "seed": None if self.slot is None else self.slot.seed,
            "seconds": self.seconds,
            "why": self.why,
            "motive": None if self.motive is None else self.motive._asdict(),
            "configuration": dict(self.configuration),
            "values": list(self.values),
        }
        return known | {DIAGNOSIS: {}, HINTS: {}} | by_kind(self.findings)


@dataclass(frozen=True, kw_only=True)
class StageSummary(StagePlan):
    """A stage, how much of it is done and its best score."""

    done: int
    best: float | None

    def document(self) -> dict[str, Any]:
        """The stage in terms of JSON."""
        return {
            "name": self.name,
            "trials": self.slots,
            "done": self.done,
            "epochs": self.epochs,
            "best": self.best,
            "space": self.space.to_dict(),
            "changes": [
                {
                    "parameter": change.parameter,
                    "reason": change.reason,
                    "before": Space({change.parameter: change.before}).to_dict()["parameters"],
                    "after": Space({change.parameter: change.after}).to_dict()["parameters"],
                }
                for change in self.changes
            ],
            "motives": [motive and motive._asdict() for motive in self.motives],
            "note": self.note,
        }


@dataclass(frozen=True)
class Summary:
    """A study's figures; those of the test are None until it is finished.

    Attributes:
        study: its name.
        strategy: how it searched; None for a study that hpsearch did not make.
        data: name, rows, columns, classes, notes of the data set.
        stages: in order, with their ranges and reasons.
        rows: its trials, best first: that of the winner, once there is one; then the highest score,
            then the longer training. Of several objectives: the Pareto-optimal ones first.
        states: how many trials are in each state.
        best: the winner's configuration, or the best trial's while the search goes on; None while
            no trial is complete, and where there are several objectives.
        measure: what trials are scored by.
        resource: what the length of a trial is counted in; empty where all are equally long.
        finished: whether nothing of it is left to do.
        learns: whether it learns from rows of data, which have a test part.
        validation: the winner's mean, or the best trial's score.
        validation_std: standard deviation over the winner's seeds.
        validation_scores: the scores that the mean is of.
        test: the measure of the refitted winner on the test part.
        test_interval: the 95% interval around it; None where the rows are too few to tell.
        test_also: what is recorded beside it, by name.
        test_rows: size of the test part.
        tests: how often the test part was used: once, and once more after each raise of the budget
            and for each ensemble.
        seconds: wall-clock time of the run that finished the study.
        model: digest of the trained network in the store.
        baselines: simple models that a winner has to be better than.
        threshold: from which probability on a row gets the positive label of two, where that was
            chosen; None: from half.
        rivals: simple models of scikit-learn beside the winner, on the same test rows.
        winner: number of the trial that stands for the winner: of the trainings whose mean named
            it, the one with the best score.
        winner_slots: stage and slot of these trainings.
        diverged: whether the winner's last training diverged with every seed, so that the tested
            network is of no use.
        objectives: how many values a trial has.
        pareto: numbers of the Pareto-optimal trials, where there are several objectives.
    """

    study: str
    strategy: str | None
    data: Mapping[str, Any]
    stages: tuple[StageSummary, ...]
    rows: tuple[TrialRow, ...]
    states: Mapping[str, int]
    best: Mapping[str, Value] | None = None
    validation: float | None = None
    validation_std: float | None = None
    validation_scores: tuple[float, ...] = ()
    test: float | None = None
    test_interval: tuple[float, float] | None = None
    test_also: Mapping[str, float] = field(default_factory=dict)
    test_rows: int | None = None
    tests: int | None = None
    seconds: float | None = None
    model: str | None = None
    baselines: tuple[Baseline, ...] = ()
    rivals: tuple[Rival, ...] = ()
    winner: int | None = None
    winner_slots: frozenset[tuple[int, int]] = frozenset()
    diverged: bool = False
    threshold: float | None = None
    objectives: int = 1
    pareto: tuple[int, ...] = ()
    measure: Measure = ACCURACY
    resource: str = "epochs"
    finished: bool = False
    learns: bool = True

    @property
    def score_name(self) -> str:
        """What a trial's score is: the measure of the validation part, or what others try for."""
        if self.strategy is None:
            return self.measure.name
        return f"validation {self.measure.title}" if self.learns else self.measure.title

    @property
    def test_name(self) -> str:
        """The same on the test part."""
        return f"test {self.measure.title}"

    @property
    def maximize(self) -> bool:
        """Whether a higher score is a better one."""
        return self.measure.maximized

    def verdict(self, baseline: Baseline) -> WinnerIs | None:
        """What the winner, or the best so far, is beside a simple model; None if nobody knows."""
        if self.test is not None:
            if baseline.difference is not None:
                return held_against(baseline.difference, 0.0, self.measure)
            if baseline.test is None or self.test_interval is None:
                return None
            return held_against(self.test_interval, baseline.test, self.measure)
        if self.validation is None or self.strategy is None:
            return None
        rows = self.data.get("validation") or 0
        return held_in_validation(self.validation, rows, baseline.validation, self.measure)

    @property
    def unbeaten(self) -> tuple[Baseline, ...]:
        """The simple models that the winner, or the best so far, is no better than."""
        return tuple(b for b in self.baselines if self.verdict(b) in ("no better", "worse"))

    @property
    def reservations(self) -> tuple[str, ...]:
        """For each of them what the winner is: "no better than always answering 'no'"."""
        return tuple(f"{self.verdict(b)} than {b.does}" for b in self.unbeaten)

    @property
    def extreme(self) -> str:
        """Which score is the best: "highest validation accuracy"."""
        return f"{'highest' if self.maximize else 'lowest'} {self.score_name}"

    @property
    def over(self) -> int:
        """How many trials have ended; others are under way, or wait."""
        return sum(n for state, n in self.states.items() if state not in ("running", "waiting"))

    @property
    def useless(self) -> str:
        """What is to be said of a network that diverged in its last training; else nothing."""
        return "its last training diverged with every seed: do not use it" if self.diverged else ""

    @property
    def without_winner(self) -> str:
        """Why there is no best trial, in a sentence."""
        trials = sum(self.states.values())
        if not trials:
            return "No trial is complete yet: the study has none."
        if self.objectives > 1:
            count = f"{trials:,} trial{'' if trials == 1 else 's'}"
            front = ", ".join(map(str, self.pareto[:FRONT]))
            more = f" and {len(self.pareto) - FRONT:,} more" if len(self.pareto) > FRONT else ""
            found = f" Pareto-optimal: {front}{more}." if front else " None is complete."
            return f"{count} of {self.objectives} values each: no single one is the best.{found}"
        if set(self.states) == {"pruned"}:
            whole = "the only trial was" if trials == 1 else f"all {trials:,} trials were"
            return f"There is no winner: {whole} stopped as known bad."
        return f"No trial is complete ({states_text(self.states)})."

    @property
    def foreign(self) -> Mapping[str, int]:
        """Trials that others have added to a study of hpsearch's, by their state."""
        if self.strategy is None:
            return {}
        return Counter(row.state for row in self.rows if row.slot is None)

    def document(self) -> dict[str, Any]:
        """The summary in terms of JSON, as ``--json`` prints it."""
        return {
            "study": self.study,
            "strategy": self.strategy,
            "data": {key: value for key, value in self.data.items() if key != "baselines"},
            "stages": [stage.document() for stage in self.stages],
            "best": None if self.best is None else dict(self.best),
            "metric": self.measure.name,
            "bounds": list(self.measure.bounds),
            "resource": self.resource,
            "finished": self.finished,
            "learns": self.learns,
            "validation": self.validation,
            "validation_std": self.validation_std,
            "validation_scores": list(self.validation_scores),
            "test": self.test,
            "test_interval": None if self.test_interval is None else list(self.test_interval),
            "test_rows": self.test_rows,
            "test_also": dict(self.test_also),
            "tests": self.tests,
            "trials": sum(self.states.values()),
            "states": dict(self.states),
            "foreign": dict(self.foreign),
            "seconds": self.seconds,
            "winner": self.winner,
            "winner_slots": [list(place) for place in sorted(self.winner_slots)],
            "model": self.model,
            "diverged": self.diverged,
            "threshold": self.threshold,
            "objectives": self.objectives,
            "pareto": list(self.pareto),
            "score_name": self.score_name,
            "direction": "maximize" if self.maximize else "minimize",
            "baselines": [b.document(self.verdict(b)) for b in self.baselines],
            "simple_models": [rival.document() for rival in self.rivals],
        }


FRONT = 10
"""Of more Pareto-optimal trials a sentence names only so many."""


def states_text(states: Mapping[str, int]) -> str:
    """How many trials are in each state, in words.

    >>> states_text({"pruned": 2, "complete": 1})
    '1 complete, 2 pruned'
    """
    return ", ".join(f"{count} {state}" for state, count in sorted(states.items()))


def summarize(study: optuna.Study) -> Summary:
    """Read everything that can be said of a study from its trials and metadata.

    Raises:
        StorageError: its metadata are damaged.
    """
    objectives = len(study.directions)
    measure = record.measure_of(study)
    pareto = [trial.number for trial in study.best_trials] if objectives > 1 else []
    result = record.read_metadata(study, "result")
    winners = winner_slots(result)
    stages = record.read_stages(study)
    file = record.read_metadata(study, "study file")
    also = () if file is None else file.get("objective", {}).get("also", ())
    rows = [_row(trial, stages, also) for trial in study.get_trials(deepcopy=False)]
    rows = best_first(rows, measure)
    winner = next((r.number for r in rows if r.slot and r.slot.place in winners), None)
    rows = best_first(rows, measure, (winner, *pareto))
    data = record.read_metadata(study, "data") or {}
    scored = (row for row in rows if row.state == "complete" and row.score is not None)
    figures: dict[str, Any] = {}
    if result is not None:
        figures = _final(result)
    elif (best := next(scored, None)) is not None:
        figures = {"best": best.configuration, "validation": best.score}
    return Summary(
        study=study.study_name,
        strategy=None if file is None else file["search"]["strategy"],
        data=data,
        stages=tuple(_stage(stage, rows, measure) for stage in stages),
        rows=tuple(rows),
        states=Counter(row.state for row in rows),
        baselines=read_baselines(study),
        rivals=read_rivals(study) if result is not None else (),
        winner=winner,
        objectives=objectives,
        pareto=tuple(pareto),
        measure=measure,
        resource=record.resource_of(study).name,
        finished=result is not None,
        learns=file is None or learns(file.get("objective", {})),
        **figures,
    )


def winner_slots(result: Mapping[str, Any] | None) -> frozenset[tuple[int, int]]:
    """Stage and slot of the trainings whose mean named a study's winner; none before that."""
    slots = result["validation_slots"] if result else ()
    return frozenset((stage, index) for stage, index in slots)


def _final(result: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of a finished study."""
    searched = {
        "best": result["configuration"],
        "validation": result["validation"],
        "validation_std": result["validation_std"],
        "validation_scores": tuple(result["validation_scores"]),
        "seconds": result["seconds"],
        "winner_slots": winner_slots(result),
    }
    if "test" not in result:  # there are no rows to test it on
        return searched
    interval = result["test_interval"]
    return searched | {
        "test": result["test"],
        "test_interval": None if interval is None else tuple(interval),
        "test_rows": result["test_rows"],
        "test_also": result.get("test_also", {}),
        "tests": result["tests"],
        "model": result["model"],
        "diverged": result["diverged"],
        "threshold": result.get("threshold"),
    }


def _row(
    trial: optuna.trial.FrozenTrial, stages: Sequence[StagePlan], also: Sequence[str]
) -> TrialRow:
    slot = record.read_slot(trial)
    # Others may give their trials attributes of these names, and mean anything by them.
    attributes = trial.user_attrs
    stage = stages[slot.stage] if slot and slot.stage < len(stages) else None
    return TrialRow(
        number=trial.number,
        state=trial.state.name.lower(),
        stage=None if stage is None else stage.kind,
        slot=slot,
        score=trial.values[0] if trial.values and len(trial.values) == 1 else None,
        epochs=_whole(attributes.get("epochs")),
        seconds=_duration(attributes.get("seconds")),
        why=str(attributes.get("error") or attributes.get("why_stopped") or ""),
        configuration={name: as_value(choice) for name, choice in trial.params.items()},
        findings=record.read_findings(attributes),
        motive=stage.motives[slot.index]
        if stage and slot and slot.index < len(stage.motives)
        else None,
        values=tuple(trial.values or ()),
        best_epoch=_whole(attributes.get("best_epoch")) or None,
        worker=str(attributes.get("worker", "")),
        log=str(attributes.get(record.TAIL, "")) if slot else "",
        started=trial.datetime_start,
        completed=trial.datetime_complete,
        also={name: attributes[name] for name in also if a_number(attributes.get(name))},
        curve=trial.intermediate_values,
    )


def _whole(value: object) -> int | None:
    """A whole number, or None for anything else."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _duration(value: object) -> float | None:
    """A time in seconds, or None for anything else."""
    return float(value) if a_number(value) and value >= 0 else None


def best_first(
    rows: Iterable[TrialRow], measure: Measure, first: Collection[int | None] = ()
) -> list[TrialRow]:
    """Trials in the order in which a study shows them.

    Args:
        rows: of one study.
        measure: of their scores.
        first: the numbers of those that come before all others.
    """
    ranked = sorted(rows, key=partial(_rank, measure=measure))
    return sorted(ranked, key=lambda row: row.number not in first)


def _rank(row: TrialRow, *, measure: Measure) -> tuple[bool, float, int, int]:
    """Best first; among equal scores the longer training, then the earlier trial."""
    score = math.inf if row.score is None else -measure.score(row.score)
    return (row.state != "complete", score, -(row.epochs or 0), row.number)


def _stage(stage: StagePlan, rows: list[TrialRow], measure: Measure) -> StageSummary:
    here = [row for row in rows if row.stage == stage.kind and row.score is not None]
    scores = [row.score for row in here if row.state == "complete" and row.score is not None]
    return StageSummary(
        **vars(stage), done=len(here), best=max(scores, key=measure.score, default=None)
    )
