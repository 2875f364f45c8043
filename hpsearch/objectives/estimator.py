"""An estimator of scikit-learn's kind as an objective: any that has fit and get_params."""

from __future__ import annotations

import hashlib
import inspect
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpsearch.data.account import listed
from hpsearch.engine.jobs import run_jobs
from hpsearch.engine.reuse import digest_of
from hpsearch.errors import DataError, UsageError, nearest
from hpsearch.objectives.given import GIVEN, given_or_none, send
from hpsearch.objectives.rows import Rows
from hpsearch.objectives.with_rows import WithRows
from hpsearch.objectives.without_rows import all_bad, home_of
from hpsearch.search.base import Configuration, Slot, last_seed
from hpsearch.space import Int
from hpsearch.study_file.models import weights_by_label
from hpsearch.training.fitted import KNOWN, Fitted, own_parts
from hpsearch.training.model import Model
from hpsearch.trials.estimator import (
    ROWS,
    EstimatorJob,
    LastFit,
    fit_job,
    last_job,
    made,
    seeds_of,
    validation_job,
    weight_of,
)

if TYPE_CHECKING:
    import optuna

    from hpsearch.engine.objective import Run
    from hpsearch.engine.runner import Runner
    from hpsearch.study_file import StudyFile

__all__ = ["EstimatorObjective", "open_objective"]


def open_objective(runner: Runner, study: StudyFile, tested: bool) -> EstimatorObjective:
    """The estimator that a study file names, or that was given, and its data.

    Raises:
        HpsearchError: there is none, it has no such parameter, or the data cannot be used.
    """
    given, path = given_or_none(runner, study), study.objective.estimator
    estimator = made("" if given is not None else path or "", home_of(study), given)
    _check_parameters(study, estimator)
    parts = parts_of(study, estimator)
    rows = Rows.of(runner, study)
    _check_task(estimator, rows.dataset.task)
    _check_rows(study, rows)
    if rows.dataset.weights is not None and weight_of(estimator) is None:
        raise UsageError(
            f"{type(estimator).__name__} takes no weights of rows; remove [data] weight, or choose "
            "another estimator",
            key="weight",
        )
    return EstimatorObjective(study, rows, estimator, parts, tested=tested)


def checked(study: StudyFile) -> str:
    """Whether the estimator is there, and has the parameters of the study."""
    path = study.objective.estimator or ""
    if path == GIVEN:
        return "The estimator is given in Python."
    estimator = made(path, home_of(study))
    _check_parameters(study, estimator)
    parts_of(study, estimator)
    told = f"The estimator {path} is there, and has the parameters of the study."
    own, searched = estimator.get_params(), study.written_space().parameters
    for name, parameter in searched.items():
        if isinstance(parameter, Int) and isinstance(own.get(name), float):
            told += (
                f" {name} is {own[name]} by itself, and its range is of whole numbers; low = "
                f"{float(parameter.low)} makes it real."
            )
    return told


def parts_of(study: StudyFile, estimator: Any) -> tuple[str, ...]:
    """What the estimator of a study is made of that only the study itself trusts.

    Raises:
        UsageError: it could not be kept without pickle, once it is fitted.
    """
    path = study.objective.estimator or ""
    if path.partition(".")[0] in KNOWN and ":" not in path:
        return ()
    try:
        return own_parts(estimator)
    except DataError as error:
        raise UsageError(
            f"the winner could not be kept: {error}; have functions and classes stand by their "
            "names in a module, which a lambda does not",
            key="estimator",
        ) from None


def named_parts(study: StudyFile) -> tuple[str, ...]:
    """The same of the estimator that a study file names; nothing of one that Python gave."""
    path = study.objective.estimator or ""
    return () if path == GIVEN else parts_of(study, made(path, home_of(study)))


class EstimatorObjective(WithRows):
    """An estimator for a study's rows; see `Objective`.

    Args:
        study: what is asked for.
        rows: its data.
        estimator: one of its kind, not fitted.
        parts: what of it only this study trusts, as `parts_of` has it.
        tested: whether every trial is scored on the test part too, which chooses none.
    """

    work = staticmethod(fit_job)
    said = staticmethod(validation_job)

    def __init__(
        self,
        study: StudyFile,
        rows: Rows,
        estimator: Any,
        parts: tuple[str, ...] = (),
        *,
        tested: bool = False,
    ) -> None:
        super().__init__(study, rows, tested=tested)
        path = study.objective.estimator
        self._path = "" if path == GIVEN else path or ""
        self._given = estimator if path == GIVEN else None
        frame = study.objective.frame
        self._frame = _has_steps(estimator) if frame is None else frame
        self._random = bool(seeds_of(estimator)) or study.resource.name == ROWS
        self._kind = _identity(estimator)
        self.trusted = parts
        self._weights = _class_weights(study, rows.dataset.classes)

    def job(self, slot: Slot) -> EstimatorJob:
        """What a worker is told of a slot."""
        return self._job(slot.configuration, slot.seed, slot.epochs)

    def digest(self, slot: Slot) -> str:
        """What tells a trial from any other; of an estimator without chance the seed does not.

        Nobody knows what code of the user's own depends on, so that no trial of such an estimator
        is taken over from another study.
        """
        own = {"study": self.study.name} if self.trusted else {}
        parts = {
            **own,
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

    def why_no_winner(self, bad: int, failed: int) -> str:
        """All trials gave up."""
        return all_bad(self.study.name, bad, failed)

    def begin(self, target: optuna.Study, folder: Path) -> None:
        """Keep what the rows are with the study, and put all where workers find it.

        Raises:
            UsageError: the estimator cannot be sent.
        """
        super().begin(target, folder)
        if self._given is None:
            return
        handle = self.rows.handle
        send(self._given, Path(handle.folder, handle.fingerprint), "estimator")

    def last_trainings(
        self, run: Run, chosen: Sequence[tuple[Configuration, int]], what: str
    ) -> list[tuple[LastFit, int]]:
        """Fit estimators to training and validation part together, each once.

        Where rows are the resource, they are the same share of these.
        """
        seed, last = last_seed(self.study.seed), self.rows.splits[-1]
        more = 1.0
        if self.study.resource.name == ROWS:
            more += len(last.validation) / len(last.train)
        jobs = [
            self._job(configuration, seed, math.ceil(more * length))
            for configuration, length in chosen
        ]
        fits = run_jobs(run.jobs(last_job, longer=self.rows.last_takes), jobs, what)
        return [(fit, 1) for fit in fits]

    def model(
        self, trained: Sequence[LastFit], threshold: float | None, trees: Sequence[Fitted] = ()
    ) -> Model:
        """What estimators make together."""
        dataset = self.rows.dataset
        return Model(
            (),
            dataset.classes,
            dataset.feature_names,
            dataset.categories,
            decimal_comma=dataset.account.decimal_comma,
            dates=dataset.account.dates,
            threshold=None if threshold is None else (self.measure.positive, threshold),
            fitted=(*map(self._fitted, trained), *trees),
        )

    def _fitted(self, fit: LastFit) -> Fitted:
        dataset = self.rows.dataset
        one = Fitted(fit.content, len(dataset.classes), fit.preprocessor, trusted=self.trusted)
        if fit.preprocessor is not None:
            return one
        return replace(one, columns=tuple(dataset.feature_names), categories=dataset.nominal)

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
            {**self.study.configuration(configuration), **self._weights},
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
    text = re.sub(r" at 0x[0-9a-f]+", "", text)  # of functions, other in every process
    return hashlib.sha256(f"{text} {versions}".encode()).hexdigest()[:16]


def _has_steps(estimator: Any) -> bool:
    """Whether it is a pipeline, or holds one."""
    return any(hasattr(part, "steps") for part in (estimator, *estimator.get_params().values()))


def _check_rows(study: StudyFile, rows: Rows) -> None:
    """Refuse a trial of more rows than there are.

    Raises:
        UsageError: so it is.
    """
    most = max(len(split.train) for split in rows.splits)
    if study.resource.name == ROWS and study.resource.full > most:
        raise UsageError(
            f"resource has full = {study.resource.full}, and the training part has {most} rows; "
            "give at most so many",
            key="full",
        )


def _class_weights(study: StudyFile, classes: Sequence[str | int]) -> dict[str, dict[int, float]]:
    """The tables of [fixed] that say what classes count, by the codes that it is fitted to.

    Raises:
        UsageError: one names a label that no row has.
    """
    return {
        name: dict(enumerate(weights_by_label(name, table, classes)))
        for name, table in study.fixed.items()
        if name.split("__")[-1] == "class_weight" and isinstance(table, dict)
    }


def _check_task(estimator: Any, task: str) -> None:
    """Refuse a regressor for classes, a classifier for a quantity, and what predicts neither.

    Raises:
        UsageError: so it is.
    """
    kind, name = _kind_of(estimator), type(estimator).__name__
    if not hasattr(estimator, "predict") or kind not in (None, "classifier", "regressor"):
        raise UsageError(
            f"{name} learns no target; choose a classifier or a regressor", key="estimator"
        )
    wanted = "classifier" if task == "classification" else "regressor"
    if kind not in (None, wanted):
        holds = "classes" if task == "classification" else "a quantity"
        other = "regression" if task == "classification" else "classification"
        raise UsageError(
            f"{name} is for {other}, and the target holds {holds}; choose another estimator, or "
            f'set [data] task = "{other}"',
            key="estimator",
        )


def _kind_of(estimator: Any) -> str | None:
    """What scikit-learn calls an estimator: classifier, regressor ...; None where it says nothing.

    A class of the contract alone, without scikit-learn's bases, has none of its tags.
    """
    from sklearn.utils import get_tags

    try:
        kind: str | None = get_tags(estimator).estimator_type
    except (AttributeError, TypeError):
        kind = getattr(estimator, "_estimator_type", None)
    return kind


def _check_parameters(study: StudyFile, estimator: Any) -> None:
    """Refuse what the estimator has not.

    Raises:
        UsageError: so it is.
    """
    known, name = estimator.get_params(), type(estimator).__name__
    resource = study.resource.name
    asked = [*study.space, *study.fixed]
    for parameter in [*asked, *([resource] if resource not in ("", ROWS) else [])]:
        if parameter not in known and not _takes_any(estimator):
            close = nearest(parameter, known)
            hint = f"did you mean {close!r}? " if close else ""
            raise UsageError(
                f"{name} has no parameter {parameter!r}; {hint}It has {listed(sorted(known), 20)}",
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


def _takes_any(estimator: Any) -> bool:
    """Whether its class takes parameters that it does not list, as LightGBM's do."""
    parameters = inspect.signature(type(estimator).__init__).parameters.values()
    return any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters)
