"""Trainings outside of the search: all at once, and again where they diverge."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hpsearch.data import Dataset
from hpsearch.engine.jobs import ATTEMPTS, run_jobs
from hpsearch.engine.objective import Run
from hpsearch.metrics.labels import POSITIVE
from hpsearch.objectives.rows import Rows
from hpsearch.search.base import Configuration, last_seed
from hpsearch.training.fitted import Fitted
from hpsearch.training.jobs import Refit, RefitJob, refit_job
from hpsearch.training.model import Member, Model

__all__ = ["model_of", "refit_all"]


def refit_all(
    run: Run,
    rows: Rows,
    chosen: Sequence[tuple[Configuration, int]],
    what: str,
) -> list[tuple[Refit, int]]:
    """Train configurations on training and validation data together, each with the same seed.

    Args:
        run: of the study.
        rows: what they learn from.
        chosen: configurations and their epochs.
        what: what such a training is called in a message.

    Returns:
        What each came to, and how many trainings it took: one that diverges gets another seed.

    Raises:
        HpsearchError: a training is impossible, or broke three times.
    """
    study, weights = rows.study, rows.study.class_weights(rows.dataset.classes)
    done: dict[int, tuple[Refit, int]] = {}
    for attempt in range(ATTEMPTS):
        # Again with another seed if it diverges: the training loss tells, not the test part.
        left = [k for k in range(len(chosen)) if k not in done or done[k][0].diverged]
        seed = last_seed(study.seed, attempt)
        jobs = []
        for k in left:
            configuration, epochs = chosen[k]
            settings = study.configuration(configuration)
            stop_after = _stop_after(run, rows, configuration, epochs)
            jobs.append(RefitJob(rows.handle, settings, seed, epochs, stop_after, weights))
        refits = run_jobs(run.jobs(refit_job, longer=rows.last_takes), jobs, what)
        for k, refit in zip(left, refits, strict=True):
            done[k] = refit, attempt + 1
    return [done[k] for k in range(len(chosen))]


def model_of(
    dataset: Dataset,
    refits: Iterable[Refit],
    threshold: float | None = None,
    positive: int = POSITIVE,
    trees: Sequence[Fitted] = (),
) -> Model:
    """What refits on a data set make together, without saying where it came from.

    Args:
        dataset: names its classes and columns.
        refits: the networks.
        threshold: from which probability on a row gets the positive label of two; None: from half.
        positive: the code of that label.
        trees: boosted trees among them.
    """
    return Model(
        tuple(
            Member(refit.network, refit.state, refit.preprocessor, refit.scale) for refit in refits
        ),
        dataset.classes,
        dataset.feature_names,
        dataset.categories,
        decimal_comma=dataset.account.decimal_comma,
        threshold=None if threshold is None else (positive, threshold),
        fitted=tuple(trees),
        dates=dataset.account.dates,
    )


def _stop_after(run: Run, rows: Rows, configuration: Configuration, epochs: int) -> int | None:
    """With early stopping, the epoch that its own trainings found best, on average."""
    if rows.study.training.patience is None:
        return None
    best = [
        trial.user_attrs["best_epoch"]
        for trial in run.target.get_trials(deepcopy=False)
        if trial.params == dict(configuration)
        and trial.user_attrs.get("epochs") == epochs
        and "best_epoch" in trial.user_attrs
    ]
    return max(1, round(sum(best) / len(best))) if best else None
