"""Run a study: stage after stage, slot after slot, then the winner once on the test part.

The driver is the only writer. A slot is recorded when its training has ended, so that a study that
was killed holds finished trials only, and running it again fills just the slots that are missing.
"""

from __future__ import annotations

import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpsearch.data import DataHandle, Dataset, write_store
from hpsearch.engine import record
from hpsearch.engine.summary import Summary, summarize
from hpsearch.engine.workers import Executor, available_cores, local_executor
from hpsearch.errors import HpsearchError, RunError, UsageError
from hpsearch.model import Model
from hpsearch.objective import Job, Outcome, Recipe, RefitJob, refit_job, train_job
from hpsearch.search import make_strategy
from hpsearch.search.base import Result, Slot, Stage, Strategy, Winner, slot_seed
from hpsearch.storage import (
    DEFAULT_STORAGE,
    open_storage,
    save_model_bytes,
    storage_errors,
    study_names,
)
from hpsearch.study_file import StudyFile
from hpsearch.study_file.data import study_data

if TYPE_CHECKING:
    import optuna

__all__ = [
    "DataReady",
    "Event",
    "Finished",
    "StageStarted",
    "TrialDone",
    "WinnerNamed",
    "run_study",
]

ATTEMPTS = 3
"""How often a slot is tried whose worker broke, before it is left as FAIL."""


@dataclass(frozen=True)
class DataReady:
    """The data is loaded and divided; `sizes` are the rows for training, validation and test."""

    dataset: Dataset
    sizes: tuple[int, int, int]


@dataclass(frozen=True)
class StageStarted:
    """A stage begins; `done` of its slots are in the store already."""

    stage: Stage
    done: int


@dataclass(frozen=True)
class TrialDone:
    """A slot has a result, or has failed for good (`result` is None and `error` says why)."""

    stage: Stage
    slot: Slot
    result: Result | None
    error: str | None = None


@dataclass(frozen=True)
class WinnerNamed:
    """The search is over; the winner is trained once more and tested."""

    winner: Winner


@dataclass(frozen=True)
class Finished:
    """The study is finished."""

    summary: Summary


Event = DataReady | StageStarted | TrialDone | WinnerNamed | Finished
OnEvent = Callable[[Event], object]


def run_study(
    study: StudyFile,
    *,
    storage: str = DEFAULT_STORAGE,
    workers: int | None = None,
    on_event: OnEvent = lambda _: None,
) -> Summary:
    """Search, confirm, refit and test; what the store already holds is not done again.

    Args:
        study: the study file, from `load_study_file` or made in Python.
        storage: a SQLAlchemy URL or the name of a SQLite file.
        workers: worker processes; by default one for each processor core.
        on_event: told of everything that happens, in the calling thread.

    Returns:
        What the study came to, read back from the store.

    Raises:
        HpsearchError: the data, the database or the study cannot be used, or every training failed;
            finished trials are kept, and the same call goes on from them.
    """
    if workers is not None and workers < 1:
        raise UsageError(f"a study needs at least one worker, not {workers}")
    start = time.perf_counter()
    strategy = _strategy(study)
    store = open_storage(storage)
    with storage_errors(store.url):
        if study.name in study_names(store):
            finished = summarize(_open_study(store, study))
            if finished.test_accuracy is not None:
                on_event(Finished(finished))
                return finished
        dataset, splits = study_data(study)
        # Only now, so that data that cannot be read leave no empty study behind.
        target = _open_study(store, study)
        _note_data(target, dataset)
        first = splits[0]
        sizes = (len(first.train), len(first.validation), len(first.test))
        on_event(DataReady(dataset, sizes))
        with tempfile.TemporaryDirectory(prefix="hpsearch-") as folder:
            handle = write_store(Path(folder), dataset, splits)
            with local_executor(workers or available_cores()) as executor:
                run = _Run(study, target, handle, executor, workers or available_cores(), on_event)
                results = run.search(strategy)
                winner = strategy.winner(list(results.values()))
                on_event(WinnerNamed(winner))
                run.test(store, winner, dataset, start)
        summary = summarize(target)
    on_event(Finished(summary))
    return summary


def _strategy(study: StudyFile) -> Strategy:
    given = study.search.model_dump(exclude={"strategy", "trials"}, exclude_none=True)
    return make_strategy(
        study.search.strategy,
        study.space(),
        trials=study.search.trials,
        epochs=study.training.epochs,
        seed=study.seed,
        **given,
    )


def _open_study(store: optuna.storages.RDBStorage, study: StudyFile) -> optuna.Study:
    """The study in the store, made if it is not there; refused if it was made of another file."""
    import optuna

    with _quiet_optuna():
        target = optuna.create_study(
            study_name=study.name, storage=store, direction="maximize", load_if_exists=True
        )
    if target.direction != optuna.study.StudyDirection.MAXIMIZE:
        raise UsageError(f"the study {study.name!r} in this database minimizes; use another name")
    asked = study.model_dump(mode="json")
    before = record.read_note(target, "study file")
    empty = not target.get_trials(deepcopy=False)
    if before is None or empty:
        if not empty:
            raise UsageError(
                f"the database holds a study {study.name!r} that hpsearch did not make; "
                "give yours another name"
            )
        record.write_note(target, "study file", asked)
        with _quiet_optuna():
            target.set_metric_names(["validation accuracy"])
    elif differences := list(_differences(before, asked)):
        raise UsageError(
            f"the study {study.name!r} in this database was made with other settings: "
            f"{'; '.join(differences[:5])}. Give the study file a new name, or undo the change"
        )
    return target


@contextmanager
def _quiet_optuna() -> Iterator[None]:
    import warnings

    import optuna

    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(level)


# The same data may lie elsewhere today; its fingerprint, not its place, says whether it changed.
_PLACES = {"data.path", "data.folder"}


def _differences(before: Any, after: Any, path: str = "") -> Iterator[str]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted(before.keys() | after.keys()):
            yield from _differences(before.get(key), after.get(key), f"{path}.{key}".lstrip("."))
    elif before != after and path not in _PLACES:
        yield f"{path} was {before} and is {after}"


def _note_data(target: optuna.Study, dataset: Dataset) -> None:
    """Keep what the data are; refused if the study's trials were trained on others."""
    before = record.read_note(target, "data")
    about = {
        "name": dataset.name,
        "fingerprint": dataset.fingerprint,
        "rows": dataset.X.shape[0],
        "columns": dataset.X.shape[1],
        "classes": [str(label) for label in dataset.classes],
        "notes": list(dataset.notes),
    }
    changed = before is not None and before["fingerprint"] != about["fingerprint"]
    if changed and target.get_trials(deepcopy=False):
        raise UsageError(
            f"the data of study {target.study_name!r} has changed since its first trials "
            f"({before['rows']} rows then, {about['rows']} now); give the study file a new name"
        )
    record.write_note(target, "data", about)


class _Run:
    """One run of a study: its parts, and the two things done with them."""

    def __init__(
        self,
        study: StudyFile,
        target: optuna.Study,
        data: DataHandle,
        executor: Executor,
        workers: int,
        on_event: OnEvent,
    ) -> None:
        self.study, self.target, self.data = study, target, data
        self.executor, self.workers, self.on_event = executor, workers, on_event
        self.space, self.fixed = study.space(), study.fixed()

    def search(self, strategy: Strategy) -> dict[tuple[int, int], Result]:
        """Fill every slot of every stage."""
        stored = record.read_results(self.target.get_trials(deepcopy=False))
        results: dict[tuple[int, int], Result] = {}
        while (stage := strategy.next_stage(list(results.values()))) is not None:
            record.write_stage(self.target, stage)
            here = {key: r for key, r in stored.items() if key[0] == stage.index}
            # Once a later stage was computed from what this one had, its failed slots stay failed.
            closed = any(index > stage.index for index, _ in stored)
            self.on_event(StageStarted(stage, len(here)))
            if not closed:
                here |= self._fill(stage, here)
            if not here:
                raise RunError(
                    f"every training of stage {stage.name} failed; the trials' errors say why "
                    f"(`hpsearch trials {self.study.name} --state fail`)"
                )
            results |= here
        return results

    def _fill(
        self, stage: Stage, done: dict[tuple[int, int], Result]
    ) -> dict[tuple[int, int], Result]:
        """Run the slots of a stage that have no result."""
        finished = list(done.values())
        waiting = deque(
            (index, 1) for index in range(stage.slots) if (stage.index, index) not in done
        )
        flying: dict[Future[Outcome], tuple[Slot, int]] = {}
        # One job more than workers keeps them busy while the driver writes; an adaptive sampler is
        # better off knowing one result more.
        most = self.workers if stage.adaptive else self.workers + 1
        while waiting or flying:
            while waiting and len(flying) < most:
                index, attempt = waiting.popleft()
                slot = stage.slot(index, tuple(finished))
                flying[self._submit(slot)] = (slot, attempt)
            for future in wait(flying, return_when=FIRST_COMPLETED).done:
                slot, attempt = flying.pop(future)
                try:
                    outcome = future.result()
                except HpsearchError:
                    raise
                except Exception as error:  # a broken worker or job costs its slot an attempt
                    self._failed(stage, slot, attempt, error, waiting)
                else:
                    trial = record.finished_trial(stage, slot, outcome, self.space)
                    self.target.add_trial(trial)
                    result = Result(slot, outcome.score, complete=outcome.complete)
                    finished.append(result)
                    self.on_event(TrialDone(stage, slot, result))
        return {(r.slot.stage, r.slot.index): r for r in finished}

    def _submit(self, slot: Slot) -> Future[Outcome]:
        configuration = self.fixed | dict(slot.configuration)
        job = Job(self.data, configuration, slot.seed, slot.epochs)
        return self.executor.submit(train_job, job)

    def _failed(
        self,
        stage: Stage,
        slot: Slot,
        attempt: int,
        error: Exception,
        waiting: deque[tuple[int, int]],
    ) -> None:
        sentence = f"{type(error).__name__}: {error}"
        if attempt < ATTEMPTS:
            waiting.append((slot.index, attempt + 1))
            return
        self.target.add_trial(record.failed_trial(stage, slot, sentence, self.space))
        self.on_event(TrialDone(stage, slot, None, sentence))

    def test(
        self, store: optuna.storages.RDBStorage, winner: Winner, dataset: Dataset, start: float
    ) -> None:
        """Train the winner on all but the test part, test it once, keep network and figures."""
        configuration = self.fixed | dict(winner.configuration)
        # The same rule as for every slot; no stage has this index.
        seed = slot_seed(self.study.seed, 2**31, 0)
        job = RefitJob(self.data, configuration, seed, winner.epochs, self._stop_after(winner))
        refit = self.executor.submit(refit_job, job).result()
        figures = {
            "configuration": dict(winner.configuration),
            "validation_accuracy": winner.mean,
            "validation_spread": winner.spread,
            "validation_scores": list(winner.scores),
            "test_correct": refit.correct,
            "test_rows": refit.tested,
            "seconds": round(time.perf_counter() - start, 3),
        }
        model = Model(
            Recipe.of(configuration, epochs=winner.epochs).network,
            refit.state,
            refit.preprocessor,
            dataset.classes,
            dataset.feature_names,
            dataset.categories,
            {"study": self.study.name, "strategy": self.study.search.strategy} | figures,
        )
        digest = save_model_bytes(store, self.target._study_id, model.to_bytes())
        record.write_note(self.target, "result", figures | {"model": digest})

    def _stop_after(self, winner: Winner) -> int | None:
        """With early stopping, the epoch that the winner's own trainings found best, on average."""
        if self.study.training.patience is None:
            return None
        best = [
            trial.user_attrs["best_epoch"]
            for trial in self.target.get_trials(deepcopy=False)
            if trial.params == dict(winner.configuration)
            and trial.user_attrs.get("epochs") == winner.epochs
            and "best_epoch" in trial.user_attrs
        ]
        return max(1, round(sum(best) / len(best))) if best else None
