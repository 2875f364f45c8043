"""A database of studies in use: its connection, its transactions, and what is in memory of it.

What a program reads comes from memory; what it writes goes there at once, and into a list that is
committed, in bulk and in one transaction, within a quarter of a second. Before memory is read, the
database is asked whether another process has written; SQLite tells that in microseconds.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, TypeVar

import sqlalchemy as sa
from optuna.trial import FrozenTrial

from hpsearch.errors import StorageError
from hpsearch.storage.cache import Gone, StudyInMemory, gone
from hpsearch.storage.database import connect, display_url, storage_errors, was_lost
from hpsearch.storage.optuna_schema import tables
from hpsearch.storage.pending import Pending

__all__ = ["Session"]

S = TypeVar("S", bound="Session")

DELAY = 0.2
"""Seconds that a write may wait for others to join it; then the group is committed."""

LOOK = 0.25
"""Seconds between two looks for other processes' writes, where the database cannot tell at once."""


FORK_PATIENCE = 1.0
"""Seconds that a fork waits for what is just being written."""

_forking = threading.local()

_OPEN: weakref.WeakSet[Session] = weakref.WeakSet()
"""Every storage of this process."""

_PARENTS: list[object] = []
"""In a forked child, the connections that its parent goes on using."""


class Session:
    """The part of `WriteBehindStorage` that knows of time, threads and other processes.

    Args:
        url: a file name or URL.
        create: False refuses a SQLite file that does not exist.

    Attributes:
        fence: None, or what is asked at the start of every transaction that writes, with its
            connection; it raises to refuse the transaction.
    """

    def __init__(self, url: str, *, create: bool = True) -> None:
        self._database = connect(url, create=create)
        self.fence: Callable[[sa.Connection], None] | None = None
        self._start()
        _OPEN.add(self)
        atexit.register(_close, weakref.ref(self))

    def _start(self) -> None:
        """Begin with nothing in memory; also in a forked child, whose parent writes its own."""
        self._lock = threading.RLock()
        self._connection: sa.Connection | None = None
        self._grouping: sa.Connection | None = None
        self._studies: dict[int, StudyInMemory] = {}
        self._study_of: dict[int, int] = {}  # by trial id
        self._gone_studies, self._gone_trials = Gone(), Gone()
        self._made: list[tuple[StudyInMemory, int]] = []  # the new trials of the group
        self._pending = Pending(self._database.limits)
        self._wake = threading.Event()
        self._writer: threading.Thread | None = None
        self._broken = False
        self._version: Any = None
        self._looked = 0.0

    def _begin_in_child(self) -> None:
        """Begin anew after a fork: locks may be held by threads that the child does not have."""
        # The parent's connections must not be closed here, and so not be collected.
        _PARENTS.extend((self._connection, self._database.engine.pool))
        self._database.engine.dispose(close=False)
        self._start()

    # The database

    @property
    def url(self) -> str:
        """The database's URL, without its password."""
        return display_url(self._database.url)

    @property
    def engine(self) -> sa.Engine:
        """SQLAlchemy's engine, for tables beside Optuna's."""
        return self._database.engine

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"

    def __getstate__(self) -> dict[str, Any]:
        self.flush()
        return {"url": self._database.url}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["url"])  # type: ignore[misc]

    def __enter__(self: S) -> S:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:  # what ended the block matters more
            with suppress(Exception):
                self.close()

    def __del__(self) -> None:
        try:  # noqa: SIM105 - when Python ends, suppress itself may be gone already
            self.close()
        except Exception:
            pass

    def close(self) -> None:
        """Commit everything and let go of the database; the next use opens it again."""
        with self._lock:
            try:
                self.flush()
            finally:
                if not self._database.in_memory:  # that would be its end
                    self._disconnect()
                    self._database.engine.dispose()
                    if not self._pending:
                        self._studies.clear()
                        self._study_of.clear()

    def remove_session(self) -> None:
        """Commit everything; Optuna calls this when an optimization ends."""
        self.flush()

    def flush(self) -> None:
        """Commit everything that was written until now.

        Raises:
            StorageError: it cannot be committed; it is kept, and the next call tries again.
        """
        with self._lock:
            if not self._pending or self._grouping is not None:
                return
            try:
                self._commit()
            except StorageError as error:
                # Once more, if the connection was lost, or a study deleted, in the middle.
                cause = error.__cause__
                if not (was_lost(cause) or isinstance(cause, sa.exc.IntegrityError)):
                    raise
                self._commit()

    def drop_pending(self) -> None:
        """Give up what could not be committed; the studies are then read anew."""
        with self._lock:
            if self._pending:
                self._pending.clear()
                self._studies.clear()
                self._study_of.clear()
                self._broken = False

    def _commit(self) -> None:
        try:
            with self._transaction() as connection:
                self._pending.write(connection)
        except BaseException:
            self._broken = True
            raise
        self._pending.clear()
        self._broken = False

    @contextmanager
    def group(self) -> Iterator[None]:
        """Commit all that the block writes, new trials included, and what is pending, at its end.

        If that fails, the new trials are gone, and what was written of others is still pending.
        """
        with self._lock:
            self._look()
            self._made = []
            try:
                with self._transaction() as connection:
                    self._grouping = connection
                    try:
                        yield
                    finally:
                        self._grouping = None
                    self._pending.write(connection)
            except BaseException:
                self._unmake(self._made)
                raise
            self._pending.clear()

    @contextmanager
    def _transaction(self) -> Iterator[sa.Connection]:
        """A short transaction that writes what its block writes."""
        with self._lock, storage_errors(self._database.url):
            if self._grouping is not None:
                yield self._grouping
                return
            try:
                self._database.check_place()
                connection = self._begin(self._database.begin)
                if self.fence is not None:
                    self.fence(connection)
                self._forget_gone(connection)
                yield connection
                connection.exec_driver_sql("COMMIT")
            except BaseException:
                self._roll_back()
                raise

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A transaction whose queries all see one state of the database."""
        with self._lock, storage_errors(self._database.url):
            if self._grouping is not None:
                yield self._grouping
                return
            connection = self._begin(self._database.begin_reading)
            try:
                yield connection
            finally:
                self._roll_back()

    def _begin(self, statement: str) -> sa.Connection:
        """Begin a transaction, on a new connection if the last one was lost meanwhile."""
        try:
            connection = self._connected()
            connection.exec_driver_sql(statement)
        except sa.exc.DBAPIError as error:
            if not was_lost(error):
                raise
            self._disconnect()
            connection = self._connected()
            connection.exec_driver_sql(statement)
        return connection

    def _roll_back(self) -> None:
        try:
            assert self._connection is not None
            self._connection.exec_driver_sql("ROLLBACK")
        except Exception:  # no transaction, or no connection any more
            if self._connection is not None and self._connection.invalidated:
                self._disconnect()

    def _connected(self) -> sa.Connection:
        """The one connection for the studies; transactions are begun and ended by hand."""
        if self._connection is None:
            engine = self._database.engine
            self._connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            with suppress(Exception):
                self._connection.close()
        self._connection = None
        self._version = None  # another connection counts anew

    def _soon(self) -> None:
        """Have what is pending committed soon."""
        if self._broken:
            self.flush()  # it failed in the background: now, or with the reason to the caller
            return
        if self._writer is None or not self._writer.is_alive():
            self._writer = threading.Thread(
                target=_write_behind,
                args=(weakref.ref(self), self._wake),
                name="hpsearch-storage",
                daemon=True,
            )
            self._writer.start()
        if not self._wake.is_set():
            self._wake.set()

    # What is in memory, and whether it is what the database has

    def _study(self, study_id: int) -> StudyInMemory:
        """A study as it is now, with what other processes have written.

        Raises:
            KeyError: there is none of that id, or it was deleted and the id is another's now.
        """
        self._look()
        study = self._studies.get(study_id)
        if study is None:
            if study_id in self._gone_studies:
                raise KeyError(f"No study with study_id {study_id} exists.")
            self.flush()  # a group that failed has left rows of studies that are read anew
            with self.reading() as connection:
                study = StudyInMemory.read(connection, study_id)
            self._studies[study_id] = study
            self._study_of.update(dict.fromkeys(study.trials, study_id))
        return study

    def _trial(self, trial_id: int) -> tuple[StudyInMemory, FrozenTrial]:
        study_id = self._study_of.get(trial_id)
        if study_id is None and trial_id not in self._gone_trials:
            t = tables().trials.c
            with self.reading() as connection:
                query = sa.select(t.study_id).where(t.trial_id == trial_id)
                study_id = connection.execute(query).scalar()
        if study_id is None:
            raise KeyError(f"No trial with trial_id {trial_id} exists.")
        study = self._study(study_id)
        return study, study.trial(trial_id)

    def _look(self) -> None:
        """Take in what other processes have written since the last look, if there is anything."""
        if self._grouping is not None:
            return
        with storage_errors(self._database.url):
            version = None
            if self._database.tells_version:
                version = self._data_version()
                if version == self._version:
                    return
            else:
                now = time.monotonic()
                if now - self._looked < LOOK:
                    return
                self._looked = now
            if self._studies:
                self.flush()
                with self.reading() as connection:
                    self._take_in(connection)
            self._version = version

    def _take_in(self, connection: sa.Connection) -> None:
        for study_id in gone(connection, self._studies.values()):
            self._forget(study_id)
        for study_id, study in self._studies.items():
            self._study_of.update(dict.fromkeys(study.refresh(connection), study_id))

    def _data_version(self) -> Any:
        """SQLite's counter of commits by other connections than this one."""
        driver: Any = self._connected().connection.driver_connection
        return driver.execute("PRAGMA data_version").fetchone()

    def _forget_gone(self, connection: sa.Connection) -> None:
        """Drop what is pending of studies that others have deleted, before anything is written.

        SQLite's transaction keeps others from writing, so that it is exact there. PostgreSQL never
        gives an id twice: what is deleted while this transaction runs, makes it fail.
        """
        if self._database.tells_version:
            due = self._data_version() != self._version
        else:
            due = bool(self._pending)
        if due and self._studies:
            for study_id in gone(connection, self._studies.values()):
                self._forget(study_id)

    def _forget(self, study_id: int) -> None:
        """Drop a study that was deleted, and what is pending of it."""
        study = self._studies.pop(study_id, None)
        trials = study.trials if study is not None else {}
        for trial_id in trials:
            self._study_of.pop(trial_id, None)
        self._pending.discard(trials, study_id)
        self._gone_studies.add([study_id])
        self._gone_trials.add(trials)

    def _unmake(self, made: list[tuple[StudyInMemory, int]]) -> None:
        """Drop new trials that could not be committed; their studies are read anew."""
        for study, _ in made:
            self._studies.pop(study.study_id, None)
            for trial_id in study.trials:
                self._study_of.pop(trial_id, None)
        ids = [trial_id for _, trial_id in made]
        self._pending.discard(ids)
        self._gone_trials.add(ids)


def _write_behind(storage: weakref.ref[Session], wake: threading.Event) -> None:
    """Commit what is pending, again and again, while the storage is in use."""
    while True:
        wake.wait(timeout=10.0)
        if wake.is_set():
            wake.clear()
            time.sleep(DELAY)
        alive = storage()
        if alive is None or alive._wake is not wake:
            return
        with suppress(Exception):  # kept; the next call meets it, and tells its caller
            alive.flush()
        del alive


def _close(storage: weakref.ref[Session]) -> None:
    alive = storage()
    if alive is not None:
        with suppress(Exception):
            alive.close()


def _before_fork() -> None:
    """Let writers come to an end: SQLite has locks of its own that no child can open."""
    end = time.monotonic() + FORK_PATIENCE
    locks = [storage._lock for storage in list(_OPEN)]
    _forking.locks = [
        lock for lock in locks if lock.acquire(timeout=max(0.0, end - time.monotonic()))
    ]


def _after_fork() -> None:
    for lock in _forking.locks:
        lock.release()


def _begin_in_child() -> None:
    for storage in list(_OPEN):
        storage._begin_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork, after_in_parent=_after_fork, after_in_child=_begin_in_child
    )
