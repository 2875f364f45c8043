"""The simple models beside a winner: fitted by the workers after a search, for a tenth of its time.

They see the rows of the winner's last training and answer the same test rows, so that what they are
better or worse by is a paired difference.
"""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, Future, wait

import numpy as np

from hpsearch.engine.jobs import LOOK
from hpsearch.engine.rivals import Rival
from hpsearch.engine.runner import Run
from hpsearch.metrics import Measure, Metric
from hpsearch.metrics.intervals import difference_interval
from hpsearch.training.simple_models import SimpleJob, SimpleResult, models_for, simple_job

__all__ = ["fit_rivals"]

SHARE = 0.1
"""Of the search's time that all of them may take together."""

LEAST_SECONDS = 0.5
"""What each may take after the shortest search."""

START_SECONDS = 5.0
"""Seconds beside, in which a worker imports what fits them; then it is killed."""

NAMES = {
    "linear": {"classification": "logistic regression", "regression": "ridge regression"},
    "neighbours": dict.fromkeys(("classification", "regression"), "5 nearest neighbours"),
    "boosting": dict.fromkeys(("classification", "regression"), "gradient boosting"),
}


def fit_rivals(run: Run, predictions: np.ndarray) -> tuple[Rival, ...]:
    """Fit them all at once, and set each beside the winner.

    Args:
        run: of a study that is searched.
        predictions: the winner's for the test rows: probabilities (n, n_classes), or a quantity
            (n,).
    """
    pool, rows = run.runner.pool, len(run.splits[-1].train) + len(run.splits[-1].validation)
    kinds = models_for(rows)
    at_once = min(pool.workers, len(kinds))
    seconds = max(LEAST_SECONDS, SHARE * run.seconds * at_once / len(kinds))
    limit = seconds + START_SECONDS if pool.kills else None
    jobs = {kind: SimpleJob(run.data, kind, run.study.seed, seconds) for kind in kinds}
    futures = {kind: pool.submit(simple_job, job, limit=limit) for kind, job in jobs.items()}
    left: set[Future[SimpleResult]] = set(futures.values())
    while left:
        run.runner.interrupts.check()
        left = wait(left, timeout=LOOK, return_when=FIRST_COMPLETED).not_done
    test = run.splits[0].test
    y, groups = run.dataset.y[test], run.groups_of(test)
    return tuple(
        _beside(kind, run.metric, future, limit or seconds, predictions, y, groups)
        for kind, future in futures.items()
    )


def _beside(
    kind: str,
    metric: Metric,
    future: Future[SimpleResult],
    seconds: float,
    winner: np.ndarray,
    y: np.ndarray,
    groups: np.ndarray | None,
) -> Rival:
    name, error = NAMES[kind][metric.task], future.exception()
    if error is not None:
        late = isinstance(error, TimeoutError)
        why = f"not fitted in {seconds:.3g} seconds" if late else f"{type(error).__name__}: {error}"
        return Rival(kind, name, None, None, None, seconds if late else 0.0, why)
    found = future.result()
    value = metric.value(y, found.predictions)
    better = metric.score(value) - metric.score(metric.value(y, winner))
    ends = difference_interval(metric, y, found.predictions, winner, groups=groups)
    interval = None if ends is None else _in_order(metric, *ends)
    return Rival(kind, name, value, better, interval, found.seconds, found.cut)


def _in_order(measure: Measure, low: float, high: float) -> tuple[float, float]:
    """An interval of a difference as one of what it is better by."""
    return (low, high) if measure.maximized else (-high, -low)
