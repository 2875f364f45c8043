"""A study as the panels see it: read once from the store, frozen, without Optuna."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from hpsearch.advice import Recommendation, advise, evidence_of
from hpsearch.engine import record
from hpsearch.engine.environment import environment
from hpsearch.engine.identity import kept_study_file
from hpsearch.engine.summary import Summary, TrialRow, states_text, summarize
from hpsearch.engine.tested import SeenClasses, read_seen
from hpsearch.kinds import KINDS_OF_OBJECTIVES
from hpsearch.metrics.curves import Residuals
from hpsearch.search.distributions import as_value, from_distribution
from hpsearch.space import Categorical, Float, Int, Parameter
from hpsearch.storage import load_epochs, load_study, storage_errors

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

    from hpsearch.storage import WriteBehindStorage

__all__ = ["NothingToDraw", "StudyView", "looked_into", "read_view", "scored", "seen_from_inside"]


LARGEST = 1e38
"""Greater scores are left out as infinite ones are: figures have numbers of single precision."""


class NothingToDraw(Exception):  # noqa: N818 - no error: the sentence stands where the figure would
    """Why a panel has no figure, as a sentence for the reader."""


@dataclass(frozen=True, eq=False)  # one that was read is only ever itself
class StudyView:
    """A study.

    Attributes:
        summary: what it came to.
        parameters: each with the widest range that any trial was drawn from.
        settings: the study file, as the store has it; empty for a study of somebody else.
        environments: what its runs ran with, each kind once, the first one first.
        machine: what the process that reads the study runs with.
        comparison: the comparison of searches that it is a part of, if any.
        seen: what its winner made of the test rows, if that is known.
        advice: what its trainings say, first what changes something; none for a study of
            somebody else.
    """

    summary: Summary
    parameters: Mapping[str, Parameter]
    settings: Mapping[str, Any] = field(default_factory=dict)
    environments: Sequence[Mapping[str, str]] = ()
    machine: Mapping[str, str] = field(default_factory=dict)
    comparison: str | None = None
    advice: tuple[Recommendation, ...] = ()
    seen: SeenClasses | Residuals | None = None

    @property
    def name(self) -> str:
        """The study's name."""
        return self.summary.study

    @property
    def trials(self) -> tuple[TrialRow, ...]:
        """Its trials, best first."""
        return self.summary.rows

    @property
    def may_be_network(self) -> bool:
        """Whether nothing says that it trains anything else than hpsearch's network."""
        objective = self.settings.get("objective") or {}
        return not any(objective.get(kind) for kind in KINDS_OF_OBJECTIVES)

    @property
    def noun(self) -> str:
        """What its trials are called: a function need not train anything."""
        return "trainings" if self.summary.learns else "trials"


def read_view(store: WriteBehindStorage, name: str) -> StudyView:
    """Read a study, of hpsearch or of anybody.

    Args:
        store: the database.
        name: of the study.

    Raises:
        UnknownNameError: the database has no such study.
        StorageError: it cannot be read, or the study's metadata are damaged.
    """
    with storage_errors(store.url):
        study = load_study(store, name)
        summary = summarize(study)
        trials = study.get_trials(deepcopy=False)
        epochs = load_epochs(store, study_id=study._study_id, snapshots=False)
        ids = {trial.number: trial._trial_id for trial in trials}
        traced = [r for r in summary.rows if "snapshots" in epochs.get(ids[r.number], ())]
        for number in seen_from_inside(traced):
            epochs |= load_epochs(store, trial_id=ids[number])
    rows = tuple(_with_epochs(row, epochs.get(ids[row.number], {})) for row in summary.rows)
    return StudyView(
        summary=replace(summary, rows=rows),
        parameters=_parameters(trials),
        settings=record.read_metadata(study, "study file") or {},
        environments=tuple(
            {str(what): str(value) for what, value in known.items()}
            for known in record.read_metadata(study, "environments") or ()
        ),
        machine=environment(),
        comparison=record.comparison_of(study),
        advice=_advice(study, summary),
        seen=read_seen(study),
    )


def _advice(study: Study, summary: Summary) -> tuple[Recommendation, ...]:
    # Another version's settings, trials that others added with attributes of any kind: the page
    # goes without advice.
    with suppress(Exception):
        if (file := kept_study_file(study)) is not None:
            return tuple(sorted(advise(evidence_of(file, summary)), key=lambda r: not r.asks))
    return ()


def seen_from_inside(rows: Sequence[TrialRow]) -> list[int]:
    """The trials whose networks are shown layer by layer: the best, and the most faulty.

    Args:
        rows: trials with snapshots, best first.

    Returns:
        Their numbers, none, one or two. The second is complete if there is a complete one with a
        fault, since one that broke at once was seen before its first step only; among equals it is
        the worst.
    """
    faulty = [row for row in reversed(rows[1:]) if row.faults]
    worst = max(faulty, key=lambda r: (r.state == "complete", len(r.faults)), default=None)
    return [row.number for row in (*rows[:1], worst) if row is not None]


def looked_into(store: WriteBehindStorage, view: StudyView, number: int) -> StudyView:
    """The view with the network of one trial to be shown layer by layer, beside that of the best.

    Args:
        store: where the study is.
        view: of the study.
        number: of the trial; the best alone is shown where it has no snapshots.

    Raises:
        UnknownNameError: the study is gone.
        StorageError: it cannot be read.
    """
    best = [row.number for row in view.trials if row.traced][:1]
    shown = {*best, *(row.number for row in view.trials if row.traced and row.number == number)}
    with storage_errors(store.url):
        study = load_study(store, view.name)
        trials = study.get_trials(deepcopy=False)
        ids = {trial.number: trial._trial_id for trial in trials}
        epochs = {n: load_epochs(store, trial_id=ids[n])[ids[n]] for n in shown}
    rows = (
        replace(row, snapshots=epochs.get(row.number, {}).get("snapshots")) for row in view.trials
    )
    return replace(view, summary=replace(view.summary, rows=tuple(rows)))


def _with_epochs(row: TrialRow, epochs: Mapping[str, Any]) -> TrialRow:
    return replace(
        row,
        train_losses=record.read_losses(epochs, "train_loss"),
        validation_losses=record.read_losses(epochs, "validation_loss"),
        traced="snapshots" in epochs,
        snapshots=epochs.get("snapshots") or None,
    )


def _parameters(trials: Iterable[FrozenTrial]) -> dict[str, Parameter]:
    """Each parameter with the union of the ranges that its trials were drawn from."""
    # Trials of a stage share their distributions, which are quicker to compare than to convert.
    seen: dict[str, list[BaseDistribution]] = {}
    for trial in trials:
        for name, distribution in trial.distributions.items():
            known = seen.setdefault(name, [])
            if distribution not in known:
                known.append(distribution)
    return {name: _union([_parameter(d) for d in known]) for name, known in seen.items()}


def _parameter(distribution: BaseDistribution) -> Parameter:
    from optuna.distributions import CategoricalDistribution

    if isinstance(distribution, CategoricalDistribution):
        distribution = CategoricalDistribution([as_value(c) for c in distribution.choices])
    return from_distribution(distribution)


def _union(parameters: Sequence[Parameter]) -> Parameter:
    numeric = [p for p in parameters if not isinstance(p, Categorical)]
    if not numeric:
        return parameters[0]
    low, high = min(p.low for p in numeric), max(p.high for p in numeric)
    log = all(p.log for p in numeric)
    if all(isinstance(p, Int) for p in numeric):
        return Int(int(low), int(high), log)
    return Float(low, high, log)


def scored(view: StudyView, at_least: int = 1) -> list[TrialRow]:
    """The complete trials with a score that a figure can show, best first.

    Args:
        view: the study.
        at_least: how many the panel needs.

    Raises:
        NothingToDraw: there are fewer; the sentence says why.
    """
    if (values := view.summary.objectives) > 1:
        raise NothingToDraw(
            f"Each trial of this study has {values} values; panels show studies with one."
        )
    trials = [
        trial
        for trial in view.trials
        if trial.state == "complete" and trial.score is not None and abs(trial.score) < LARGEST
    ]
    if not view.trials:
        raise NothingToDraw("The study has no trials yet.")
    if not trials:
        if view.summary.states.get("complete"):
            raise NothingToDraw(f"No complete trial has a score below {LARGEST:g} in size to draw.")
        raise NothingToDraw(
            f"No trial is complete ({states_text(view.summary.states)}), so there is no score to "
            "draw."
        )
    if len(trials) < at_least:
        count = "one trial is" if len(trials) == 1 else f"{len(trials)} trials are"
        raise NothingToDraw(f"Only {count} complete; this panel needs at least {at_least}.")
    return trials
