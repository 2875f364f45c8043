"""Run a study: stage after stage, slot after slot, then the winner once on the test part.

Everything a run knows is in the store, so that a run which was killed goes on when the same study
is run again. Where a slot is handed out, where its result is recorded and where a dead worker is
noticed is in `Dispatcher`: ``hand_out``, ``record_outcome``, ``notice_failure``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from hpsearch.data import DataHandle, Dataset, Split, write_store
from hpsearch.engine import record
from hpsearch.engine.baselines import simple_models
from hpsearch.engine.budget import trials_within
from hpsearch.engine.cluster import cluster_executor
from hpsearch.engine.cost import DataShape, Spending
from hpsearch.engine.dispatch import Dispatcher
from hpsearch.engine.events import DataReady, Finished, OnEvent, WinnerNamed
from hpsearch.engine.identity import (
    BUDGETS,
    check_data,
    keep_study_file,
    keeps_study_file,
    note_data,
    note_environment,
    open_study,
    totals,
)
from hpsearch.engine.interrupts import Interrupts
from hpsearch.engine.lease import Lease, seconds_spent, was_deleted
from hpsearch.engine.processes import scratch_folder
from hpsearch.engine.refit import refit_all
from hpsearch.engine.reuse import known_trainings, training_digest
from hpsearch.engine.summary import Summary, summarize
from hpsearch.engine.workers import Executor, available_cores, local_executor
from hpsearch.errors import HpsearchError, NoWinnerError, RunError, UsageError
from hpsearch.search import make_strategy
from hpsearch.search.base import Slot, Strategy, Winner
from hpsearch.search.extension import extend
from hpsearch.storage import (
    DEFAULT_STORAGE,
    load_study,
    open_storage,
    save_model_bytes,
    storage_errors,
    study_names,
)
from hpsearch.study_file import StudyFile
from hpsearch.study_file.data import study_data
from hpsearch.training.jobs import Job
from hpsearch.training.model import Member, Model

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

    from hpsearch.engine.baselines import Baseline
    from hpsearch.search.race import RacedSearch
    from hpsearch.storage import WriteBehindStorage

__all__ = ["Runner", "make_search", "open_runner", "planned_trials", "run_study"]


def run_study(
    study: StudyFile,
    *,
    storage: str = DEFAULT_STORAGE,
    workers: int | None = None,
    executor: str | None = None,
    on_event: OnEvent = lambda _: None,
) -> Summary:
    """Search, confirm, refit and test; what the store already holds is not done again.

    Args:
        study: the study file, from `load_study_file` or made in Python.
        storage: the name of a SQLite file, or a URL of SQLite or PostgreSQL.
        workers: worker processes on this machine; by default one for each processor core.
        executor: ``dask://HOST:PORT`` of a Dask cluster whose workers train instead.
        on_event: told of everything that happens, in the calling thread.

    Returns:
        What the study came to, read back from the store.

    Raises:
        HpsearchError: the data, the database or the study cannot be used, another driver is running
            the study, or every training failed; finished trials are kept, and the same call goes on
            from them.
    """
    planned_trials(study)  # a search that makes no sense is refused before anything is made
    with open_runner(storage, workers=workers, executor=executor) as runner:
        return runner.run(study, on_event)


@contextmanager
def open_runner(
    storage: str, *, workers: int | None = None, executor: str | None = None
) -> Iterator[Runner]:
    """What it takes to run studies one after the other; arguments and errors as for `run_study`."""
    if workers is not None and workers < 1:
        raise UsageError(f"a study needs at least one worker, not {workers}")
    if workers is not None and executor is not None:
        raise UsageError("a cluster has the workers that it has; give workers or executor")
    with (
        Interrupts() as interrupts,
        _executor(executor, workers) as crew,  # first, since workers take their time to start
        open_storage(storage) as store,
        storage_errors(store.url),
    ):
        yield Runner(store, crew, interrupts)


class Runner:
    """Runs studies with one crew of workers and one database.

    Args:
        store: where the studies are.
        executor: trains.
        interrupts: whether a signal asks to stop.
    """

    def __init__(
        self, store: WriteBehindStorage, executor: Executor, interrupts: Interrupts
    ) -> None:
        self.store, self.executor, self.interrupts = store, executor, interrupts
        self._last: tuple[object, tuple[Dataset, tuple[Split, ...]]] | None = None

    def data(self, study: StudyFile) -> tuple[Dataset, tuple[Split, ...]]:
        """A study's data, divided; those of the last study are not read again."""
        key = (study.data, study.seed)
        if self._last is None or self._last[0] != key:
            load = partial(study_data, study.data, study.seed)
            self._last = key, self.interrupts.interruptible(load)
        return self._last[1]

    def run(
        self,
        study: StudyFile,
        on_event: OnEvent = lambda _: None,
        *,
        test_trials: bool = False,
        notes: Mapping[str, Any] | None = None,
        begin_as: str | None = None,
    ) -> Summary:
        """Run one study; see `run_study`.

        Args:
            study: what to run.
            on_event: told of everything that happens.
            test_trials: score every training on the test part too, and choose none by it; for
                comparisons of searches.
            notes: what else to keep with the study, by the notes' names.
            begin_as: name of a study with the same seed and a smaller budget, whose trials are to
                be this one's first.
        """
        trials = planned_trials(study)
        target = _finished(self.store, study, trials)
        dataset, splits = self.data(study)
        if target is None:
            # Only now, so that data that cannot be read leave no empty study behind.
            target = open_study(self.store, study)
            with self.hold(target) as lease:
                run = _Run(self, study, target, lease, dataset, splits, trials, on_event)
                run.prepare(notes or {})
                # Another driver may have finished it while the data were read.
                if _finished(self.store, study, trials) is None:
                    run.complete(test_trials=test_trials, begin_as=begin_as)
        else:
            check_data(target, dataset)
            if not keeps_study_file(target, study):  # another place of its data, or another budget
                with self.hold(target, counted=False):
                    keep_study_file(target, study)
        summary = summarize(target)
        on_event(Finished(summary))
        return summary

    @contextmanager
    def hold(self, target: optuna.Study, *, counted: bool = True) -> Iterator[Lease]:
        """The right to write to a study for the time of a ``with`` block; see `Lease`.

        Nothing is written to a study without it, and nothing that the block wrote after it.

        Raises:
            UsageError: another driver has it.
            RunError: another driver took it over, or the study was deleted.
        """
        store, name = self.store, target.study_name
        pause = self.interrupts.pause
        with Lease(store.engine, target._study_id, name, pause=pause, counted=counted) as lease:
            store.connection.fence = lease.check
            try:
                if store.get_study_name_from_id(target._study_id) != name:
                    raise UsageError(
                        f"the study {name!r} was renamed just now; run it under its new name"
                    )
                yield lease
                store.flush()
            except KeyError as error:  # of a trial or the study, and only if that is the reason
                if name in study_names(store):
                    raise
                raise was_deleted(name) from error
            except RuntimeError:  # so Optuna calls a trial that another driver has ended
                with store.engine.connect() as connection:
                    lease.check(connection)
                raise
            finally:
                with suppress(HpsearchError):  # what ended the block matters more
                    store.flush()
                store.drop_pending()
                store.connection.fence = None


def planned_trials(study: StudyFile) -> int:
    """How many trials a study's budget pays for.

    Raises:
        UsageError: the search makes no sense, or the budget pays for no training.
    """
    make = partial(make_search, study)
    trials = trials_within(study.search.trials, study.search.total_epochs, make)
    make(trials)
    return trials


def _executor(address: str | None, workers: int | None) -> AbstractContextManager[Executor]:
    if address is None:
        return local_executor(workers or available_cores())
    return cluster_executor(address)


def make_search(study: StudyFile, trials: int) -> RacedSearch:
    """The strategy that a study file asks for, with some number of trials."""
    budget = {name.removeprefix("search.") for name in BUDGETS}
    given = study.search.model_dump(exclude={"strategy", *budget}, exclude_none=True)
    return make_strategy(
        study.search.strategy,
        study.space(),
        trials=trials,
        epochs=study.training.epochs,
        seed=study.seed,
        **given,
    )


def _finished(store: WriteBehindStorage, study: StudyFile, trials: int) -> optuna.Study | None:
    """The study in the store, if nothing is left to do."""
    if study.name not in study_names(store):
        return None
    target = open_study(store, study)
    totals(target, trials)
    result = record.read_note(target, "result")
    if result is None or result["budget"]["trials"] < trials:
        return None
    for cut, limit in (
        (result["budget"]["seconds"], study.search.seconds),
        (result["budget"].get("flops"), study.search.total_flops),
    ):
        if cut is not None and (limit is None or limit > cut):
            return None
    return target


def _all_diverged(study: StudyFile, trials: Sequence[FrozenTrial]) -> str:
    """Why a study has no winner, and what to change."""
    states = Counter(trial.state.name for trial in trials)
    diverged, failed = states["PRUNED"], states["FAIL"]
    whole = "the only training" if diverged == 1 else f"all {diverged} trainings"
    others = f", and {failed} failed" if failed else ""
    setting = study.training.learning_rate
    rates = f"learning_rate = {setting:g}" if isinstance(setting, float) else "learning_rate"
    return (
        f"{whole} of the study {study.name!r} diverged{others}, so that there is no winner, and "
        f"the test part was not used; search lower learning rates ([training] {rates}): "
        "`hpsearch advise` writes such a study file"
    )


@dataclass
class _Run:
    """One run of a study, whose lease it holds: its parts, and what is done with them in turn."""

    runner: Runner
    study: StudyFile
    target: optuna.Study
    lease: Lease
    dataset: Dataset
    splits: Sequence[Split]
    trials: int
    on_event: OnEvent
    unpaid: bool = False  # whether the budget in operations turned a slot away

    def prepare(self, notes: Mapping[str, Any]) -> None:
        """Keep with the study what it is about; what may refuse it comes first."""
        totals(self.target, self.trials)
        check_data(self.target, self.dataset)
        keep_study_file(self.target, self.study)
        note_data(self.target, self.dataset, self.splits, self.baselines)
        for key, note in notes.items():
            record.write_note(self.target, key, note)

    def complete(self, *, test_trials: bool, begin_as: str | None) -> None:
        """Search, name the winner, and test it."""
        note_environment(self.target)
        numbers = totals(self.target, self.trials)
        strategy = extend(partial(make_search, self.study), numbers)
        record.write_note(self.target, "totals", numbers)
        stored = len(self.target.get_trials(deepcopy=False))
        self.on_event(DataReady(self.dataset, self.splits[0], stored, self.baselines))
        with scratch_folder() as folder:
            data = write_store(folder, self.dataset, self.splits)
            winner = self.search(strategy, data, self._opening(begin_as), test_trials=test_trials)
            self.test(winner, data)

    def search(
        self, strategy: Strategy, data: DataHandle, opening: Sequence[Slot], *, test_trials: bool
    ) -> Winner:
        """Fill the slots of every stage and name the winner."""
        study, store = self.study, self.runner.store

        def job(slot: Slot) -> Job:
            configuration = study.fixed() | dict(slot.configuration)
            return Job(data, configuration, slot.seed, slot.epochs, test_trials)

        dispatcher = Dispatcher(
            self.target,
            store,
            study.space(),
            self.runner.executor,
            limit=study.search.trial_seconds,
            job_of=job,
            digest_of=partial(training_digest, study, self.dataset.fingerprint),
            known=known_trainings(store.engine),
            interrupts=self.runner.interrupts,
            spending=partial(
                Spending,
                study.search.total_flops,
                DataShape.of(self.dataset, self.splits),
                study.fixed(),
                opening=opening,
            ),
            out_of_time=self._out_of_time,
            on_event=self.on_event,
        )
        results = dispatcher.search(strategy)
        self.unpaid = dispatcher.spending.refused > 0
        if not results:
            spent = (
                f"total_flops = {study.search.total_flops:g} does not pay for one training"
                if self.unpaid
                else f"the study's {study.search.seconds:g} seconds were over before a trial was "
                "finished"
            )
            raise RunError(f"{spent}; raise it and run the study again")
        if not any(result.complete for result in results):
            sentence = _all_diverged(study, self.target.get_trials(deepcopy=False))
            record.write_note(self.target, record.NO_WINNER, sentence)
            store.flush()
            raise NoWinnerError(sentence)
        winner = strategy.winner(results)
        self.on_event(WinnerNamed(winner, self._out_of_time()))
        return winner

    def test(self, winner: Winner, data: DataHandle) -> None:
        """Train the winner on all but the test part, test it once, keep network and figures."""
        out_of_time = self._out_of_time()
        chosen = [(winner.configuration, winner.epochs)]
        what = "the winner's last training"
        [last] = refit_all(self.runner, self.study, self.target, data, chosen, what)
        refit = last.refit
        before = record.read_note(self.target, "result")
        figures = {
            "configuration": dict(winner.configuration),
            "validation_accuracy": winner.mean,
            "validation_spread": winner.spread,
            "validation_scores": list(winner.scores),
            "validation_slots": [list(slot) for slot in winner.slots],
            "test_correct": refit.correct,
            "test_rows": refit.tested,
            "refits": last.attempts,
            "diverged": last.diverged,
            "tests": 1 if before is None else before["tests"] + 1,
            "seconds": round(self._spent + self.lease.seconds, 3),
        }
        model = Model(
            (Member(refit.network, refit.state, refit.preprocessor),),
            self.dataset.classes,
            self.dataset.feature_names,
            self.dataset.categories,
            {"study": self.study.name, "strategy": self.study.search.strategy} | figures,
            decimal_comma=self.dataset.account.decimal_comma,
        )
        digest = save_model_bytes(self.runner.store, self.target._study_id, model.to_bytes())
        budget = {
            "trials": self.trials,
            "seconds": self.study.search.seconds if out_of_time else None,
            "flops": self.study.search.total_flops if self.unpaid else None,
        }
        beside = [baseline.note(tested=True) for baseline in self.baselines]
        note = figures | {"model": digest, "budget": budget, "baselines": beside}
        record.write_note(self.target, "result", note)

    @cached_property
    def baselines(self) -> tuple[Baseline, ...]:
        """Simple models that the winner has to be better than."""
        return simple_models(self.dataset, self.splits)

    @cached_property
    def _spent(self) -> float:
        """What the study's earlier runs have taken."""
        return seconds_spent(self.runner.store.engine, self.target._study_id)

    def _opening(self, begin_as: str | None) -> list[Slot]:
        """The slots that this search is to begin with."""
        if begin_as is None:
            return []
        other = load_study(self.runner.store, begin_as)
        return record.read_slots(other.get_trials(deepcopy=False))

    def _out_of_time(self) -> bool:
        limit = self.study.search.seconds
        return limit is not None and self._spent + self.lease.seconds > limit
