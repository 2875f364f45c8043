"""The simple models beside a winner: fitted by the workers after a search, for a tenth of its time.

They see the rows of the winner's last training and answer the same test rows, so that what they are
better or worse by is a paired difference.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np

from hpsearch.data import DataHandle, Dataset, Split
from hpsearch.engine.executors import Pool
from hpsearch.engine.interrupts import Interrupts
from hpsearch.engine.jobs import LOOK
from hpsearch.engine.rivals import Rival
from hpsearch.metrics import Measure, Metric
from hpsearch.metrics.intervals import difference_interval
from hpsearch.study_file import StudyFile
from hpsearch.training.simple_models import SimpleJob, SimpleResult, models_for, simple_job

if TYPE_CHECKING:
    from hpsearch.engine.runner import Runner
    from hpsearch.objectives.rows import Rows

__all__ = ["constant_in_validation", "fit_rivals", "rivals_in_validation"]

SHARE = 0.1
"""Of the search's time that all of them may take together."""

LEAST_SECONDS = 0.5
"""What each may take after the shortest search."""

START_SECONDS = 60.0
"""Seconds beside, in which a worker imports what fits them and asks them; then it is killed."""

NAMES = {
    "linear": {"classification": "logistic regression", "regression": "ridge regression"},
    "neighbours": dict.fromkeys(("classification", "regression"), "nearest neighbours"),
    "boosting": dict.fromkeys(("classification", "regression"), "gradient boosting"),
}


def fit_rivals(
    runner: Runner, rows: Rows, predictions: np.ndarray, searched: float
) -> tuple[Rival, ...]:
    """Fit them all at once, and set each beside the winner.

    Args:
        runner: has the workers.
        rows: of a study.
        predictions: its winner's for the test rows: probabilities (n, n_classes), or a quantity
            (n,).
        searched: the seconds that its search took, of a tenth of which each may take its part;
            infinite for no limit.
    """
    pool, last = runner.pool, rows.splits[-1]
    kinds = models_for(len(last.train) + len(last.validation))
    at_once = min(pool.workers, len(kinds))
    seconds = max(LEAST_SECONDS, SHARE * searched * at_once / len(kinds))
    limit = seconds + START_SECONDS if pool.kills and seconds < math.inf else None
    jobs = [SimpleJob(rows.handle, kind, rows.study.seed, seconds) for kind in kinds]
    test = rows.splits[0].test
    asked = _Asked(
        rows.metric, rows.dataset.y[test], rows.groups_of(test), rows.dataset.weights_of(test)
    )
    return tuple(
        _beside(job.kind, asked, future, limit or seconds, predictions)
        for job, future in zip(jobs, _done(pool, runner.interrupts, jobs, limit), strict=True)
    )


def rivals_in_validation(
    pool: Pool,
    interrupts: Interrupts,
    study: StudyFile,
    data: DataHandle,
    dataset: Dataset,
    splits: Sequence[Split],
    metric: Metric,
    constant: float,
) -> tuple[Rival, ...]:
    """Fit them whole to the training part of each fold, beside the constant; without the test part.

    Args:
        pool: fits them.
        interrupts: whether a signal asks to stop.
        study: which need not be searched.
        data: where workers find its data.
        dataset: the same here.
        splits: the same here.
        metric: the study's.
        constant: what the best constant predictor comes to, the mean over the folds.

    Returns:
        Each with the mean of its values over the folds, and how much better than the best constant
        that is.
    """
    y = dataset.y
    found = []
    for kind in models_for(len(splits[0].train)):
        jobs = [SimpleJob(data, kind, study.seed, math.inf, fold) for fold in range(len(splits))]
        results = [future.result() for future in _done(pool, interrupts, jobs, None)]
        values = [
            metric.value(
                y[split.validation], result.predictions, dataset.weights_of(split.validation)
            )
            for split, result in zip(splits, results, strict=True)
        ]
        better = metric.score(fmean(values)) - metric.score(constant)
        seconds = sum(result.seconds for result in results)
        name = NAMES[kind][metric.task]
        found.append(Rival(kind, name, fmean(values), better, None, seconds))
    return tuple(found)


def constant_in_validation(metric: Metric, dataset: Dataset, split: Split) -> float:
    """What the best constant of the training rows comes to on the validation rows."""
    y, weights = dataset.y, dataset.weights_of
    return metric.constant(
        y[split.train], y[split.validation], weights(split.validation), weights(split.train)
    )


def _done(
    pool: Pool, interrupts: Interrupts, jobs: Sequence[SimpleJob], limit: float | None
) -> list[Future[SimpleResult]]:
    """What came of jobs that were given to the workers at once."""
    futures = [pool.submit(simple_job, job, limit=limit) for job in jobs]
    left = set(futures)
    while left:
        interrupts.check()
        left = wait(left, timeout=LOOK, return_when=FIRST_COMPLETED).not_done
    return futures


@dataclass(frozen=True, eq=False)
class _Asked:
    """The test rows: what is measured on them, their target, groups and weights."""

    metric: Metric
    y: np.ndarray
    groups: np.ndarray | None
    weight: np.ndarray | None


def _beside(
    kind: str, asked: _Asked, future: Future[SimpleResult], seconds: float, winner: np.ndarray
) -> Rival:
    metric, y, weight = asked.metric, asked.y, asked.weight
    name, error = NAMES[kind][metric.task], future.exception()
    if error is not None:
        late = isinstance(error, TimeoutError)
        why = f"not fitted in {seconds:.3g} seconds" if late else f"{type(error).__name__}: {error}"
        return Rival(kind, name, None, None, None, seconds if late else 0.0, why)
    found = future.result()
    value = metric.value(y, found.predictions, weight)
    better = metric.score(value) - metric.score(metric.value(y, winner, weight))
    ends = difference_interval(
        metric, y, found.predictions, winner, weight=weight, groups=asked.groups
    )
    interval = None if ends is None else _in_order(metric, *ends)
    return Rival(kind, name, value, better, interval, found.seconds, found.cut)


def _in_order(measure: Measure, low: float, high: float) -> tuple[float, float]:
    """An interval of a difference as one of what it is better by."""
    return (low, high) if measure.maximized else (-high, -low)
