"""The simple models of a study, asked for by themselves: before a search, or after it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from hpsearch.data import write_store
from hpsearch.engine import record
from hpsearch.engine.executors.processes import available_cores, process_pool
from hpsearch.engine.fit_rivals import constant_in_validation, fit_rivals, rivals_in_validation
from hpsearch.engine.identity import check_study
from hpsearch.engine.interrupts import Interrupts
from hpsearch.engine.kept import kept_model
from hpsearch.engine.processes import scratch_folder
from hpsearch.engine.rivals import Rival, keep_rivals
from hpsearch.engine.runner import open_runner
from hpsearch.engine.summary import Summary, summarize
from hpsearch.errors import UsageError
from hpsearch.metrics import Measure
from hpsearch.objectives import own_parts
from hpsearch.objectives.rows import Rows
from hpsearch.storage import (
    DEFAULT_STORAGE,
    load_study,
    open_storage,
    storage_url,
    study_names,
)
from hpsearch.study_file import StudyFile
from hpsearch.study_file.data import study_data

__all__ = ["Untested", "simple_models_of"]


@dataclass(frozen=True)
class Untested:
    """The simple models of a study that has no winner, on its validation rows.

    Attributes:
        measure: what they are measured by.
        constant: what the best constant predictor comes to.
        models: each, and how much better than that it is.
    """

    measure: Measure
    constant: float
    models: tuple[Rival, ...]


def simple_models_of(
    study: StudyFile, *, storage: str = DEFAULT_STORAGE, workers: int | None = None
) -> Summary | Untested:
    """Fit the simple models of a study whole: beside its winner on the test rows, if it has one.

    A study that is not finished has them on the validation rows; the test part is not touched.

    Args:
        study: the study file.
        storage: where the study may be; nothing is made there.
        workers: worker processes; by default one for each processor core.

    Returns:
        The study's summary with them, which the database keeps; or the models in validation.

    Raises:
        HpsearchError: the data cannot be used, or are not those of the study.
    """
    if not study.objective.learns:
        raise UsageError(
            f"simple models learn from rows, and the study {study.name!r} optimizes a "
            f"{study.objective.kind}, which has none"
        )
    if not _is_finished(study, storage):
        return _in_validation(study, workers)
    with open_runner(storage, workers=workers) as runner:
        target = load_study(runner.store, study.name)
        check_study(target, study)
        with runner.hold(target, counted=False), scratch_folder() as folder:
            rows = Rows.of(runner, study)
            rows.check(target)
            rows.write(folder)
            model = kept_model(runner.store, target, trusted=own_parts(study))
            keep_rivals(target, fit_rivals(runner, rows, rows.answered(model), math.inf))
        return summarize(target)


def _is_finished(study: StudyFile, storage: str) -> bool:
    url = storage_url(storage)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
        return False
    store = open_storage(storage, create=False)
    if study.name not in study_names(store):
        return False
    return record.read_metadata(load_study(store, study.name), "result") is not None


def _in_validation(study: StudyFile, workers: int | None) -> Untested:
    with (
        Interrupts() as interrupts,
        process_pool(workers or available_cores()) as pool,
        scratch_folder() as folder,
    ):
        dataset, splits = interrupts.interruptible(lambda: study_data(study.data, study.seed))
        metric, *_ = study.objective.metrics(dataset.task, dataset.classes)
        data = write_store(folder, dataset, splits)
        constant = fmean(constant_in_validation(metric, dataset, split) for split in splits)
        models = rivals_in_validation(
            pool, interrupts, study, data, dataset, splits, metric, constant
        )
        return Untested(metric.measure, constant, models)
