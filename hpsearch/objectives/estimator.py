"""An estimator of scikit-learn's kind as an objective: any that has fit and get_params."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hpsearch.engine.events import Beside
from hpsearch.engine.fit_rivals import fit_rivals
from hpsearch.engine.jobs import run_jobs
from hpsearch.engine.reuse import digest_of
from hpsearch.engine.rivals import keep_rivals
from hpsearch.errors import UsageError, nearest
from hpsearch.metrics import Metric
from hpsearch.metrics.threshold import best_threshold
from hpsearch.objectives.rows import Rows
from hpsearch.objectives.without_rows import all_bad, home_of
from hpsearch.search.base import Result, Slot, Winner, slot_seed
from hpsearch.storage import save_model_bytes
from hpsearch.training.fitted import Fitted
from hpsearch.training.model import Model
from hpsearch.trials.estimator import (
    ROWS,
    EstimatorJob,
    fit_job,
    last_job,
    made,
    seeds_of,
    validation_job,
    weight_of,
)
from hpsearch.trials.function import FUNCTION

if TYPE_CHECKING:
    import optuna

    from hpsearch.engine.events import DataReady
    from hpsearch.engine.objective import Run
    from hpsearch.engine.runner import Runner
    from hpsearch.study_file import StudyFile

__all__ = ["EstimatorObjective", "open_objective"]

GIVEN = "given"
"""What a study file says of an estimator that Python code passes to `run_study`."""


def open_objective(runner: Runner, study: StudyFile, tested: bool) -> EstimatorObjective:
    """The estimator that a study file names, or that was given, and its data.

    Raises:
        HpsearchError: there is none, it has no such parameter, or the data cannot be used.
    """
    path = study.objective.estimator
    assert path is not None, "the study file says so"
    if path == GIVEN and runner.given is None:
        raise UsageError(
            'the study\'s estimator is "given" in Python: pass it as run_study(..., objective=e), '
            "or name its class",
            key="estimator",
        )
    estimator = made("" if path == GIVEN else path, home_of(study), runner.given)
    _check_parameters(study, estimator)
    rows = Rows.of(runner, study)
    _check_task(estimator, rows.dataset.task)
    if rows.dataset.weights is not None and weight_of(estimator) is None:
        raise UsageError(
            f"{type(estimator).__name__} takes no weights of rows; remove [data] weight, or choose "
            "another estimator",
            key="weight",
        )
    return EstimatorObjective(study, rows, estimator, tested=tested)


class EstimatorObjective:
    """An estimator for a study's rows; see `Objective`.

    Args:
        study: what is asked for.
        rows: its data.
        estimator: one of its kind, not fitted.
        tested: whether every trial is scored on the test part too, which chooses none.
    """

    work = staticmethod(fit_job)
    grace = 0.0

    def __init__(
        self, study: StudyFile, rows: Rows, estimator: Any, *, tested: bool = False
    ) -> None:
        self.study, self.rows, self.tested = study, rows, tested
        path = study.objective.estimator
        self._path = "" if path == GIVEN else path or ""
        self._given = estimator if path == GIVEN else None
        frame = study.objective.frame
        self._frame = hasattr(estimator, "steps") if frame is None else frame
        self._random = bool(seeds_of(estimator)) or study.resource.name == ROWS
        self._kind = _identity(estimator)
        self._answers: np.ndarray | None = None

    @property
    def measure(self) -> Metric:
        """The metric that decides."""
        return self.rows.metric

    @property
    def also(self) -> tuple[str, ...]:
        """The names of the metrics beside it."""
        return self.rows.also

    def job(self, slot: Slot) -> EstimatorJob:
        """What a worker is told of a slot."""
        return self._job(slot.configuration, slot.seed, slot.epochs)

    def digest(self, slot: Slot) -> str:
        """What tells a trial from any other; of an estimator without chance the seed does not."""
        parts = {
            "estimator": [self._path or GIVEN, self._kind],
            "data": self.rows.dataset.fingerprint,
            "split": self.rows.division(),
            "prepared": self._prepared,
            "configuration": self.study.configuration(slot.configuration),
            "seed": slot.seed if self._random else None,
            "length": [self.study.resource.name, slot.epochs],
            "objective": [self.measure.name, self.measure.positive, *self.also],
            "test": self.tested,
        }
        return digest_of(parts)

    def cost(self, slot: Slot) -> float:
        """What of the resource it takes."""
        return float(slot.epochs)

    def worst(self, scores: Sequence[float], own: float) -> float:
        """Its own: no trial of an estimator is stopped as known bad."""
        del scores
        return own

    def why_no_winner(self, bad: int, failed: int) -> str:
        """All trials gave up."""
        return all_bad(self.study.name, bad, failed)

    def check(self, target: optuna.Study) -> None:
        """Make sure that the study was fitted to these rows."""
        self.rows.check(target)

    def begin(self, target: optuna.Study, folder: Path) -> None:
        """Keep what the rows are with the study, and put all where workers find it.

        Raises:
            UsageError: the estimator cannot be sent.
        """
        self.rows.begin(target, folder)
        if self._given is None:
            return
        import cloudpickle

        try:
            content = cloudpickle.dumps(self._given)
        except Exception as error:  # whatever a part of it raises
            raise UsageError(
                f"the estimator cannot be sent to workers: {error}", key="estimator"
            ) from None
        handle = self.rows.handle
        Path(handle.folder, handle.fingerprint, FUNCTION).write_bytes(content)

    def ready(self, stored: int) -> DataReady:
        """What is told before the first slot."""
        return self.rows.ready(stored)

    def finish(
        self, run: Run, winner: Winner, results: Sequence[Result], figures: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Fit the winner to all but the test part, test it once, and keep it."""
        asked = self.study.objective.threshold
        threshold = self._threshold(run, winner, results) if asked else None
        seed = slot_seed(self.study.seed, 2**31, 0)  # no stage has this index
        job = self._job(winner.configuration, seed, winner.epochs)
        jobs = run.jobs(last_job, longer=self.rows.last_takes)
        [last] = run_jobs(jobs, [job], "the winner's last training")
        self._answers, found, seen = self.rows.tested(last.predictions, threshold)
        found |= {"threshold": threshold, "refits": 1, "diverged": False}
        dataset = self.rows.dataset
        frame = last.preprocessor is None
        model = Model(
            (),
            dataset.classes,
            dataset.feature_names,
            dataset.categories,
            origin={
                **self.rows.about(),
                **figures,
                **{k: v for k, v in found.items() if k != "baselines"},
            },
            decimal_comma=dataset.account.decimal_comma,
            dates=dataset.account.dates,
            threshold=None if threshold is None else (self.measure.positive, threshold),
            fitted=Fitted(
                last.content,
                len(dataset.classes),
                last.preprocessor,
                tuple(dataset.feature_names) if frame else (),
                dataset.nominal if frame else {},
            ),
        )
        found["model"] = save_model_bytes(run.runner.store, run.target._study_id, model.to_bytes())
        if not self.tested:
            self.rows.show(run.target, seen)
        return found

    def beside(self, run: Run) -> None:
        """Set simple models beside the winner, and keep them."""
        assert self._answers is not None, "asked once there is a winner"
        run.on_event(Beside())
        keep_rivals(run.target, fit_rivals(run, self.rows, self._answers))

    @property
    def _prepared(self) -> str | None:
        """What is done to the columns before it; None: it gets them as a data frame."""
        data = self.study.data
        kind = data.preprocessing if data.columns is None else data.columns
        assert isinstance(kind, str), "it was checked as the objective was opened"
        return None if self._frame else kind

    def _job(self, configuration: Mapping[str, Any], seed: int, length: int) -> EstimatorJob:
        variance = self.study.data.variance
        assert isinstance(variance, float), "likewise"
        return EstimatorJob(
            self.rows.handle,
            self._path,
            home_of(self.study),
            self.study.configuration(configuration),
            seed,
            length,
            self.study.resource.name,
            self._prepared,
            variance,
            tuple(self.rows.dataset.feature_names),
            self.measure.name,
            self.also,
            self.measure.positive,
            self.tested,
        )

    def _threshold(self, run: Run, winner: Winner, results: Sequence[Result]) -> float:
        """The decision threshold that is best for the winner on rows it was not fitted to."""
        places = {result.slot.place: result.slot for result in results}
        job = self.job(places[winner.slots[0]])
        what = "the training that chooses the threshold"
        [seen] = run_jobs(run.jobs(validation_job), [job], what)
        counted = [weight for weight in seen.weight if weight is not None]
        weight = np.concatenate(counted) if counted else None
        y, predictions = np.concatenate(seen.y), np.concatenate(seen.predictions)
        return best_threshold(self.measure, y, predictions, weight)


def _identity(estimator: Any) -> str:
    """What an estimator computes by: its repr with all parameters, and the libraries' versions."""
    from importlib.metadata import PackageNotFoundError, version

    import sklearn

    package = type(estimator).__module__.partition(".")[0]
    versions = [sklearn.__version__]
    try:
        versions.append(version(package))
    except PackageNotFoundError:
        versions.append("")
    text = repr((type(estimator).__qualname__, sorted(map(repr, estimator.get_params().items()))))
    return hashlib.sha256(f"{text} {versions}".encode()).hexdigest()[:16]


def _check_task(estimator: Any, task: str) -> None:
    """Refuse a regressor for classes, and a classifier for a quantity.

    Raises:
        UsageError: so it is.
    """
    from sklearn.base import is_classifier, is_regressor

    wrong = is_regressor if task == "classification" else is_classifier
    if wrong(estimator):
        holds = "classes" if task == "classification" else "a quantity"
        other = "regression" if task == "classification" else "classification"
        raise UsageError(
            f"{type(estimator).__name__} is for {other}, and the target holds {holds}; choose "
            f'another estimator, or set [data] task = "{other}"',
            key="estimator",
        )


def _check_parameters(study: StudyFile, estimator: Any) -> None:
    """Refuse what the estimator has not.

    Raises:
        UsageError: so it is.
    """
    known, name = estimator.get_params(), type(estimator).__name__
    resource = study.resource.name
    asked = [*study.space, *study.fixed]
    for parameter in [*asked, *([resource] if resource not in ("", ROWS) else [])]:
        if parameter not in known:
            close = nearest(parameter, known)
            hint = f"did you mean {close!r}? " if close else ""
            raise UsageError(
                f"{name} has no parameter {parameter!r}; {hint}It has {_listed(known)}",
                key=parameter,
            )
    if resource in asked:
        raise UsageError(
            f"{resource} is the resource, which says how long trials are; remove it from [space] "
            "and [fixed]",
            key=resource,
        )
    data = study.data
    for key, setting in (("preprocessing", data.preprocessing), ("columns", data.columns)):
        if not isinstance(setting, str | None):
            raise UsageError(
                f"{key} is searched for the network only; give one, or search the steps of a "
                "pipeline of your own",
                key=key,
            )
    if not isinstance(data.variance, float):
        raise UsageError("variance is searched for the network only; give one", key="variance")


def _listed(known: Mapping[str, Any]) -> str:
    names = sorted(known)
    shown = ", ".join(names[:20])
    return f"{shown} and {len(names) - 20} more" if len(names) > 20 else shown
