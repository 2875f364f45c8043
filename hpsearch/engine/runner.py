"""What it takes to run studies: a database, a pool of workers, and signals that ask to stop."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from hpsearch.engine.executors import Pool, borrowed_pool
from hpsearch.engine.executors.dask import dask_pool
from hpsearch.engine.executors.processes import available_cores, process_pool
from hpsearch.engine.interrupts import Interrupts
from hpsearch.engine.lease import Lease, was_deleted
from hpsearch.errors import HpsearchError, UsageError
from hpsearch.storage import open_storage, storage_errors, study_names
from hpsearch.study_file.data import study_data

if TYPE_CHECKING:
    import optuna

    from hpsearch.data import Dataset, Split
    from hpsearch.storage import WriteBehindStorage
    from hpsearch.study_file import StudyFile

__all__ = ["Runner", "open_runner"]


@contextmanager
def open_runner(
    storage: str,
    *,
    workers: int | None = None,
    executor: str | concurrent.futures.Executor | None = None,
    trial_seconds: float | None = None,
) -> Iterator[Runner]:
    """A runner whose workers are gone when the block ends; arguments and errors as `run_study`.

    Args:
        storage: where the studies are.
        workers: how many workers.
        executor: where they are, if not here.
        trial_seconds: the longest that a study lets a training take, which not every pool can do.
    """
    with (
        Interrupts() as interrupts,
        # First, since workers take their time to start.
        _open_pool(executor, workers, trial_seconds) as pool,
        open_storage(storage) as store,
        storage_errors(store.url),
    ):
        yield Runner(store, pool, interrupts)


def _open_pool(
    executor: str | concurrent.futures.Executor | None,
    workers: int | None,
    trial_seconds: float | None,
) -> AbstractContextManager[Pool]:
    if workers is not None and workers < 1:
        raise UsageError(f"a study needs at least one worker, not {workers}")
    if executor is None:
        return process_pool(workers or available_cores())
    if isinstance(executor, str):
        if workers is not None:
            raise UsageError("a cluster has the workers that it has; give workers or executor")
        return dask_pool(executor)
    if not isinstance(executor, concurrent.futures.Executor):
        raise UsageError(
            f"{executor!r} is no executor; give one of concurrent.futures, dask://HOST:PORT of a "
            "Dask scheduler, or leave it out to use this machine"
        )
    if trial_seconds is not None:
        raise UsageError(
            f"trial_seconds = {trial_seconds:g} needs workers that can be killed, which a "
            f"{type(executor).__name__} has not; remove one of the two"
        )
    return borrowed_pool(
        executor, workers or getattr(executor, "_max_workers", None) or available_cores()
    )


class Runner:
    """Runs studies with one pool of workers and one database.

    Args:
        store: where the studies are.
        pool: trains.
        interrupts: whether a signal asks to stop.

    Attributes:
        frame: a data frame, for a study that names no data.
        given: a function or an estimator, for a study that names none.
        serves: whether this is a server, whose workers may be anybody's.
    """

    def __init__(self, store: WriteBehindStorage, pool: Pool, interrupts: Interrupts) -> None:
        self.store, self.pool, self.interrupts = store, pool, interrupts
        self.frame: Any = None
        self.given: Any = None
        self.serves = False
        self._last: tuple[object, tuple[Dataset, tuple[Split, ...]]] | None = None

    def data(self, study: StudyFile) -> tuple[Dataset, tuple[Split, ...]]:
        """A study's data, divided; those of the last study are not read again."""
        key = (study.data, study.seed)
        if self._last is None or self._last[0] != key:
            load = partial(study_data, study.data, study.seed, self.frame)
            self._last = key, self.interrupts.interruptible(load)
        return self._last[1]

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
