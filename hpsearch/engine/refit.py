"""Trainings outside of the search: all at once, tried again where they break or diverge."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from hpsearch.engine.dispatch import ATTEMPTS, LOOK, what_broke
from hpsearch.errors import HpsearchError, RunError
from hpsearch.search.base import Configuration, slot_seed
from hpsearch.training.jobs import Refit, RefitJob, refit_job

if TYPE_CHECKING:
    import optuna

    from hpsearch.data import DataHandle
    from hpsearch.engine.run import Runner
    from hpsearch.study_file import StudyFile

__all__ = ["LastTraining", "refit_all", "run_jobs"]

T = TypeVar("T")


@dataclass(frozen=True)
class LastTraining:
    """A network trained on all but the test part.

    Attributes:
        refit: what it came to.
        attempts: how many it took; a training that diverges gets another seed.
    """

    refit: Refit
    attempts: int

    @property
    def diverged(self) -> bool:
        """Whether even the last attempt did."""
        return self.refit.why_stopped in ("diverged", "not finite")


def refit_all(
    runner: Runner,
    study: StudyFile,
    target: optuna.Study,
    data: DataHandle,
    chosen: Sequence[tuple[Configuration, int]],
    what: str,
) -> list[LastTraining]:
    """Train configurations on training and validation data together, each with the same seed.

    Args:
        runner: has the workers.
        study: whose settings hold for what a configuration leaves open.
        target: the study in the store; with early stopping its trials tell when to stop.
        data: the data.
        chosen: configurations and their epochs.
        what: what such a training is called in a message.

    Raises:
        HpsearchError: a training is impossible, or broke three times.
    """
    done: dict[int, LastTraining] = {}
    for attempt in range(ATTEMPTS):
        # Again with another seed if it diverges: the training loss tells, not the test part.
        left = [k for k in range(len(chosen)) if k not in done or done[k].diverged]
        # The same rule as for every slot; no stage has this index.
        seed = slot_seed(study.seed, 2**31, attempt)
        jobs = []
        for k in left:
            configuration, epochs = chosen[k]
            settings = study.fixed() | dict(configuration)
            stop_after = _stop_after(study, target, configuration, epochs)
            jobs.append(RefitJob(data, settings, seed, epochs, stop_after))
        for k, refit in zip(left, run_jobs(runner, refit_job, jobs, what), strict=True):
            done[k] = LastTraining(refit, attempt + 1)
    return [done[k] for k in range(len(chosen))]


def _stop_after(
    study: StudyFile, target: optuna.Study, configuration: Configuration, epochs: int
) -> int | None:
    """With early stopping, the epoch that its own trainings found best, on average."""
    if study.training.patience is None:
        return None
    best = [
        trial.user_attrs["best_epoch"]
        for trial in target.get_trials(deepcopy=False)
        if trial.params == dict(configuration)
        and trial.user_attrs.get("epochs") == epochs
        and "best_epoch" in trial.user_attrs
    ]
    return max(1, round(sum(best) / len(best))) if best else None


def run_jobs(
    runner: Runner,
    function: Callable[[Any], T],
    jobs: Sequence[Any],
    what: str,
) -> list[T]:
    """Have workers do jobs that are no trials; like any other each may break twice.

    Args:
        runner: has the workers.
        function: what a worker does with a job.
        jobs: what it is given.
        what: what one of them is called in a message.

    Returns:
        What came of each, in the order of the jobs.

    Raises:
        HpsearchError: a job is impossible, or broke three times.
    """
    results: dict[int, T] = {}
    flying: dict[Future[T], tuple[int, int]] = {
        runner.executor.submit(function, job): (k, 1) for k, job in enumerate(jobs)
    }
    while flying:
        runner.interrupts.check()
        for future in wait(flying, timeout=LOOK, return_when=FIRST_COMPLETED).done:
            k, attempt = flying.pop(future)
            try:
                results[k] = future.result()
            except HpsearchError:
                raise
            except Exception as error:
                if attempt == ATTEMPTS:
                    raise RunError(f"{what} broke {ATTEMPTS} times: {what_broke(error)}") from None
                flying[runner.executor.submit(function, jobs[k])] = (k, attempt + 1)
    return [results[k] for k in range(len(jobs))]
