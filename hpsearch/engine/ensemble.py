"""An ensemble out of a finished study: its best configurations, averaged and tested once.

What comes of it is kept with the study, so that asking again trains and tests nothing: the test
part proves less with every use, and each use is counted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np

from hpsearch.engine import record
from hpsearch.engine.baselines import Baseline, WinnerIs, held_against, read_baselines
from hpsearch.engine.executors.processes import preload
from hpsearch.engine.identity import kept_study_file
from hpsearch.engine.jobs import run_jobs
from hpsearch.engine.objective import Run
from hpsearch.engine.processes import scratch_folder
from hpsearch.engine.runner import Runner, open_runner
from hpsearch.errors import DataError, RunError, UsageError
from hpsearch.metrics import ACCURACY, Measure, Metric
from hpsearch.metrics.intervals import difference_interval, interval
from hpsearch.metrics.threshold import best_threshold, decided
from hpsearch.objectives import open_objective, own_parts, worker_modules
from hpsearch.objectives.rows import Rows
from hpsearch.objectives.with_rows import WithRows
from hpsearch.search.base import Result, in_order
from hpsearch.search.ensemble import Step, forward_selection, members_to_try
from hpsearch.storage import (
    DEFAULT_STORAGE,
    load_model_bytes,
    load_study,
    open_storage,
    save_model_bytes,
    storage_errors,
)
from hpsearch.training.fitted import Fitted
from hpsearch.training.jobs import Predictions
from hpsearch.training.model import Model
from hpsearch.training.simple_models import SimpleJob, simple_job

if TYPE_CHECKING:
    from concurrent.futures import Executor

    import optuna

    from hpsearch.engine.lease import Lease
    from hpsearch.space import Value
    from hpsearch.storage import WriteBehindStorage

__all__ = ["Ensemble", "EnsembleMember", "make_ensemble"]


@dataclass(frozen=True)
class EnsembleMember:
    """A member of an ensemble, in the order in which it joined.

    Attributes:
        configuration: its settings.
        epochs: how long it trains.
        alone: its own value of the study's metric in validation.
        together: that of the ensemble once it had joined.
        kind: "network", "estimator", or "gradient boosting", which has no configuration.
    """

    configuration: Mapping[str, Value]
    epochs: int
    alone: float
    together: float
    kind: str = "network"


@dataclass(frozen=True)
class Ensemble:
    """What an ensemble came to beside the study's single best configuration.

    Attributes:
        study: its name.
        members: the members.
        candidates: how many configurations they were chosen from.
        raced: whether those were confirmed by a race over seeds.
        unlike: how many candidates came to another score than in the study when they were trained
            again, as happens with another machine or another version.
        single_validation: of the single best's one training that was a candidate.
        test: the ensemble's metric on the test part.
        test_interval: the 95% interval around it; None where the rows are too few to tell.
        single_test: that of the single best, as the study tested it.
        single_test_interval: likewise.
        difference_interval: the 95% interval of what the ensemble's value is above the single
            best's, of the same rows; None where they are too few to tell, or nobody has asked.
        test_rows: size of the test part.
        model: digest of the ensemble in the store.
        measure: what all of these are of.
        baselines: simple models that it has to be better than, as the study keeps them.
        boosting: whether gradient boosting was a candidate.
        key: what it is kept by; see `ensemble_key`.
    """

    study: str
    members: tuple[EnsembleMember, ...]
    candidates: int
    raced: bool
    unlike: int
    single_validation: float
    test: float
    test_interval: tuple[float, float] | None
    single_test: float
    single_test_interval: tuple[float, float] | None
    test_rows: int
    model: str
    measure: Measure = ACCURACY
    difference_interval: tuple[float, float] | None = None
    baselines: tuple[Baseline, ...] = ()
    boosting: bool = False
    key: int = 0

    def verdict(self, baseline: Baseline) -> WinnerIs | None:
        """What the ensemble is beside a simple model."""
        if baseline.test is None or self.test_interval is None:
            return None
        return held_against(self.test_interval, baseline.test, self.measure)

    @property
    def reservations(self) -> tuple[str, ...]:
        """For each simple model that is not beaten: "no better than always answering 'no'"."""
        held = ((self.verdict(baseline), baseline.does) for baseline in self.baselines)
        return tuple(f"{is_} than {does}" for is_, does in held if is_ in ("no better", "worse"))

    @property
    def validation(self) -> float:
        """Of the averaged probabilities; the members were chosen by it, so it flatters them."""
        return self.members[-1].together

    @property
    def better(self) -> bool:
        """Whether it does better on the test part than the single best."""
        return self.measure.score(self.test) > self.measure.score(self.single_test)

    @property
    def surely(self) -> bool:
        """Whether that is more than chance: whether the interval of the difference says so."""
        ends = self.difference_interval
        return ends is not None and min(map(self.measure.score, ends)) > 0

    def document(self) -> dict[str, Any]:
        """The ensemble in terms of JSON, as ``--json`` prints it."""
        return {
            "members": [asdict(member) for member in self.members],
            "candidates": self.candidates,
            "raced": self.raced,
            "unlike": self.unlike,
            "validation": self.validation,
            "single_validation": self.single_validation,
            "metric": self.measure.name,
            "test": self.test,
            "test_interval": self.test_interval and list(self.test_interval),
            "single_test": self.single_test,
            "single_test_interval": self.single_test_interval and list(self.single_test_interval),
            "difference_interval": self.difference_interval and list(self.difference_interval),
            "test_rows": self.test_rows,
            "better": self.better,
            "baselines": [b.document(self.verdict(b)) for b in self.baselines],
        }


def ensemble_key(members: int, boosting: bool) -> int:
    """What an ensemble of so many members is kept by; below 0 where boosting was a candidate."""
    return -members if boosting else members


def make_ensemble(
    name: str,
    members: int,
    *,
    storage: str = DEFAULT_STORAGE,
    workers: int | None = None,
    executor: str | Executor | None = None,
    tell: Callable[[str], None] = lambda _: None,
    boosting: bool = False,
) -> Ensemble:
    """Average the best configurations of a finished study, and test them together once.

    The candidates are the configurations that the study's race confirmed. They are trained again as
    they were, greedy forward selection on the validation part picks the members, those are trained
    on training and validation data together as the single winner was, and the test part is scored
    once. An ensemble that the store has already is read from there.

    Args:
        name: of the study.
        members: how many; more than there are candidates means all of them.
        storage: the name of a SQLite file, or a URL of SQLite or PostgreSQL.
        workers: worker processes on this machine; by default one for each processor core.
        executor: trains instead; as for `run_study`.
        tell: told what is being done.
        boosting: whether gradient boosting with its defaults is a candidate too.

    Returns:
        The ensemble beside the single best.

    Raises:
        UsageError: there is no such study, hpsearch did not make it, its data are not what they
            were, or somebody is running it.
        RunError: it is not finished, or a training broke.
    """
    if members < 1:
        raise UsageError(f"an ensemble needs at least one member, not {members}")
    with open_storage(storage, create=False) as store, storage_errors(store.url):
        study = _Finished(load_study(store, name))
        kept = study.kept(members, boosting)
    if kept is not None:
        return kept
    limit = study.file.search.trial_seconds
    preload(worker_modules(study.file))
    with open_runner(storage, workers=workers, executor=executor, trial_seconds=limit) as runner:
        target = load_study(runner.store, name)
        with runner.hold(target, counted=False) as lease:
            return _make(runner, _Finished(target), lease, members, tell, boosting)


class _Finished:
    """A finished study, read from the store.

    Raises:
        UsageError: hpsearch did not make it.
        RunError: it is not finished.
    """

    def __init__(self, target: optuna.Study) -> None:
        name, file = target.study_name, kept_study_file(target)
        if file is None:
            raise UsageError(
                f"the study {name!r} was not made by hpsearch, which cannot train its trials again"
            )
        if not file.objective.learns:
            raise UsageError(
                f"an ensemble averages what models answer, and the study {name!r} optimizes a "
                f"{file.objective.kind}, which has none"
            )
        result = record.read_metadata(target, "result")
        if result is None:
            raise RunError(record.why_untested(target))
        self.target, self.file, self.result = target, file, result
        self.measure = record.measure_of(target)
        stages = record.read_stages(target)
        self.raced = {stage.index for stage in stages if stage.races}

    def candidates(self, members: int) -> list[Result]:
        """A training of each configuration that may be a member, the single best's first."""
        trials = self.target.get_trials(deepcopy=False)
        results = in_order(record.read_results(trials, self.measure).values())
        winner = self.result["configuration"]
        found = members_to_try(results, self.raced, winner, members)
        if not found or found[0].slot.configuration != winner:
            raise RunError(
                f"even the winner of the study {self.target.study_name!r} diverged; there is "
                "nothing to average"
            )
        return found

    def kept(self, members: int, boosting: bool) -> Ensemble | None:
        """The ensemble that the store has, unless the study has another winner since."""
        size = min(members, len(self.candidates(members)) + boosting)
        key = ensemble_key(size, boosting)
        kept = (record.read_metadata(self.target, "ensembles") or {}).get(str(key))
        if kept is None or kept["single"] != self.result["model"]:
            return None
        made = dict(kept["ensemble"])
        made["members"] = tuple(EnsembleMember(**member) for member in made["members"])
        for name in ("test_interval", "single_test_interval", "difference_interval"):
            made[name] = tuple(made[name]) if made.get(name) else None
        return Ensemble(
            **made, key=key, measure=self.measure, baselines=read_baselines(self.target)
        )

    def keep(self, store: WriteBehindStorage, ensemble: Ensemble) -> None:
        """Keep the ensemble, and count that the test part was used."""
        others = record.read_metadata(self.target, "ensembles") or {}
        made = asdict(ensemble)
        del made["baselines"], made["measure"], made["key"]  # which the study has
        others[str(ensemble.key)] = {"single": self.result["model"], "ensemble": made}
        with store.group():
            record.write_metadata(self.target, "ensembles", others)
            tests = self.result["tests"] + 1
            record.write_metadata(self.target, "result", self.result | {"tests": tests})
        store.flush()


def _make(
    runner: Runner,
    study: _Finished,
    lease: Lease,
    members: int,
    tell: Callable[[str], None],
    boosting: bool,
) -> Ensemble:
    kept = study.kept(members, boosting)
    if kept is not None:  # somebody was faster
        return kept
    file, target, result = study.file, study.target, study.result
    try:
        objective = open_objective(runner, file)
    except DataError as error:
        raise UsageError(
            f"the data of study {target.study_name!r} cannot be read again: {error}"
        ) from error
    assert isinstance(objective, WithRows), "it learns"
    rows, metric = objective.rows, objective.measure
    rows.check(target)
    content = load_model_bytes(runner.store, target._study_id, result["model"])
    single = Model.from_bytes(content, trusted=own_parts(file))
    with scratch_folder() as folder:
        rows.write(folder)
        run = Run(runner, file, target, lease, objective)
        candidates = study.candidates(members)
        tell(f"training {len(candidates)} configurations again, to choose the members")
        again = _train_again(run, objective, candidates)
        joining = again + ([_boosted(run, rows, again[0])] if boosting else [])
        size = min(members, len(joining))
        steps, refits = _members(run, objective, candidates, joining, size, tell)
        trees = [_last_trees(run, rows)] if len(refits) < len(steps) else []
    threshold = _threshold(metric, joining, steps) if file.objective.threshold else None
    model = objective.model(refits, threshold, trees)
    test = rows.splits[0].test
    X, y, weight = rows.dataset.X[test], rows.dataset.y[test], rows.dataset.weights_of(test)
    predictions = decided(metric, model.answers(X), threshold)
    of_single = decided(metric, single.answers(X), single.threshold and single.threshold[1])
    certain: Any = {"weight": weight, "groups": rows.groups_of(test)}
    ends, alone = interval(metric, y, predictions, **certain), result["test_interval"]
    difference = difference_interval(metric, y, predictions, of_single, **certain)
    ensemble = Ensemble(
        study=target.study_name,
        members=tuple(
            _member(step, candidates, joining, metric, file.objective.kind) for step in steps
        ),
        candidates=len(joining),
        boosting=boosting,
        key=ensemble_key(size, boosting),
        raced=bool(study.raced),
        unlike=sum(a.score != r.score for a, r in zip(again, candidates, strict=True)),
        single_validation=metric.of_score(again[0].score),
        test=metric.value(y, predictions, weight),
        test_interval=None if ends is None else (ends.low, ends.high),
        single_test=result["test"],
        difference_interval=None if difference is None else (difference.low, difference.high),
        single_test_interval=None if alone is None else tuple(alone),
        test_rows=len(test),
        model="",
        measure=metric.measure,
        baselines=read_baselines(target),
    )
    about = rows.about() | {"metric": metric.name}
    content = replace(model, origin=about | {"ensemble": ensemble.document()}).to_bytes()
    digest = save_model_bytes(runner.store, target._study_id, content, ensemble=ensemble.key)
    ensemble = replace(ensemble, model=digest)
    study.keep(runner.store, ensemble)
    return ensemble


def _members(
    run: Run,
    objective: WithRows,
    candidates: Sequence[Result],
    joining: Sequence[Predictions],
    size: int,
    tell: Callable[[str], None],
) -> tuple[list[Step], list[Any]]:
    """Choose the members and train them for the last time; another joins for one that diverges.

    Args:
        run: of the study.
        objective: what is optimized.
        candidates: the networks.
        joining: what they, and perhaps boosted trees after them, say of the validation rows.
        size: how many to choose, at most.
        tell: told what is being done.

    Returns:
        The members in the order in which they joined, and the networks among them.

    Raises:
        RunError: the last training of every network diverged.
    """
    metric, first = objective.measure, joining[0]
    usable, trained = list(range(len(joining))), dict[int, Any]()
    if metric.task == "regression":  # of which one that is far off would spoil any mean
        floor = metric.score(objective.rows.constants[-1].validation)
        usable = [k for k in usable if not k or joining[k].score >= floor]
    while True:
        chosen = forward_selection(
            [joining[k].predictions for k in usable],
            first.y,
            size,
            lambda fold, said: metric.score(metric.value(first.y[fold], said, first.weight[fold])),
        )
        steps = [replace(step, candidate=usable[step.candidate]) for step in chosen]
        networks = [step.candidate for step in steps if step.candidate < len(candidates)]
        new = [k for k in networks if k not in trained]
        if new:
            tell(f"training {len(new)} of them on training and validation data together")
        slots = [candidates[k].slot for k in new]
        plans = [(slot.configuration, slot.epochs) for slot in slots]
        refits = objective.last_trainings(run, plans, "a member's last training")
        trained |= {k: refit for k, (refit, _) in zip(new, refits, strict=True)}
        useless = sum(trained[k].diverged for k in networks)
        if not useless:
            return steps, [trained[k] for k in networks]
        tell(f"{useless} of them diverged with every seed: left out")
        usable = [k for k in usable if k not in trained or not trained[k].diverged]
        if not usable or usable[0] >= len(candidates):
            raise RunError(
                "every candidate diverged when it was trained on training and validation data "
                "together; there is nothing to average"
            )


def _member(
    step: Step,
    candidates: Sequence[Result],
    joining: Sequence[Predictions],
    metric: Metric,
    kind: str,
) -> EnsembleMember:
    alone = metric.of_score(joining[step.candidate].score)
    together = metric.of_score(step.score)
    if step.candidate == len(candidates):
        return EnsembleMember({}, 0, alone, together, "gradient boosting")
    slot = candidates[step.candidate].slot
    configuration = dict(sorted(slot.configuration.items()))
    return EnsembleMember(configuration, slot.epochs, alone, together, kind)


def _boosted(run: Run, rows: Rows, beside: Predictions) -> Predictions:
    """What gradient boosting says of the validation rows, fitted to each fold's training rows.

    Args:
        run: of the study.
        rows: its data.
        beside: a network's, whose rows they are.
    """
    jobs = [
        SimpleJob(rows.handle, "boosting", run.study.seed, math.inf, fold)
        for fold in range(len(rows.splits))
    ]
    found = run_jobs(run.jobs(simple_job), jobs, "a gradient boosting")
    predictions = tuple(one.predictions for one in found)
    metric = rows.metric
    scores = [
        metric.score(metric.value(y, p, weight))
        for y, p, weight in zip(beside.y, predictions, beside.weight, strict=True)
    ]
    return Predictions(fmean(scores), True, predictions, beside.y, beside.weight)


def _last_trees(run: Run, rows: Rows) -> Fitted:
    """Gradient boosting fitted to training and validation rows together."""
    job = SimpleJob(rows.handle, "boosting", run.study.seed, math.inf, keep=True)
    [found] = run_jobs(
        run.jobs(simple_job, longer=rows.last_takes), [job], "the last gradient boosting"
    )
    return Fitted(found.trees, len(rows.dataset.classes))


def _threshold(metric: Metric, again: Sequence[Predictions], steps: Sequence[Step]) -> float:
    """The decision threshold that is best for the members' mean on the validation rows."""
    first, members = again[0], [again[step.candidate] for step in steps]
    means = np.mean([np.concatenate(member.predictions) for member in members], axis=0)
    counted = [weight for weight in first.weight if weight is not None]
    weight = np.concatenate(counted) if counted else None
    return best_threshold(metric, np.concatenate(first.y), means, weight)


def _train_again(run: Run, objective: WithRows, candidates: Sequence[Result]) -> list[Predictions]:
    """Train the candidates as the study did: its configurations, seeds, epochs and rows."""
    jobs = [objective.job(result.slot) for result in candidates]
    again = run_jobs(run.jobs(objective.said), jobs, "a candidate's training")
    if not all(one.complete for one in again):
        raise RunError(
            "a configuration that trained well in the study diverged when it was trained again, so "
            "that this is another machine or version; run the study under a new name"
        )
    return again
