"""The connection to a database of studies: its transactions, and whether others have written."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import sqlalchemy as sa

from hpsearch.errors import StorageError
from hpsearch.storage.database import connect, storage_errors, was_lost
from hpsearch.storage.limits import LIMITS

__all__ = ["Connection"]

LOOK = 0.25
"""Seconds after which a database that cannot tell is taken to have been written by others."""

_PARENTS: list[object] = []
"""In a forked child, the connections that its parent goes on using."""


class Connection:
    """One connection for all transactions, which are begun and ended by hand, one at a time.

    Args:
        url: a file name or URL.
        create: False refuses a SQLite file that does not exist.

    Attributes:
        url: with its password.
        engine: SQLAlchemy's, for tables beside Optuna's.
        limits: what the database can keep.
        tells_version: whether it can tell at once if another process has written.
        lock: held during each transaction; and, by who needs several of them, around these.
        fence: None, or what is asked at the start of every transaction that writes, with its
            connection; it raises to refuse the transaction.
    """

    def __init__(self, url: str, *, create: bool = True) -> None:
        self.url = url
        self.engine, self._file = connect(url, create=create)
        self._inode = None if self._file is None else _inode(self._file)
        self.limits = LIMITS[self.engine.dialect.name]
        self.tells_version = self.engine.dialect.name == "sqlite"
        self.fence: Callable[[sa.Connection], None] | None = None
        self._opened = 0
        self._start()

    def _start(self) -> None:
        self.lock = threading.RLock()
        self._connection: sa.Connection | None = None
        self._writing: sa.Connection | None = None
        self._reading: sa.Connection | None = None
        self._ticked = 0.0

    def begin_in_child(self) -> None:
        """Begin anew after a fork: locks may be held by threads that the child does not have."""
        # The parent's connections must not be closed here, and so not be collected.
        _PARENTS.extend((self._connection, self.engine.pool))
        self.engine.dispose(close=False)
        self._start()

    def close(self) -> None:
        """Let go of the database; the next transaction connects again."""
        if self._file is not None or not self.tells_version:  # what is in memory would be gone
            self._disconnect()
            self.engine.dispose()

    @property
    def is_writing(self) -> bool:
        """Whether this thread, which holds the lock, is within a transaction that writes."""
        return self._writing is not None

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """A transaction that writes what its block writes; within another one, a part of that."""
        with self.lock, storage_errors(self.url):
            if self._writing is not None:
                yield self._writing
                return
            try:
                self.check_place()
                begin = "BEGIN IMMEDIATE" if self.tells_version else "BEGIN"
                self._writing = connection = self._begin(begin)
                if self.fence is not None:
                    self.fence(connection)
                yield connection
                connection.exec_driver_sql("COMMIT")
            except BaseException:
                self._roll_back()
                raise
            finally:
                self._writing = None

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A transaction whose queries all see one state of the database; within another one, that.

        A sentence of an error may need to look something up where the error was found.
        """
        with self.lock, storage_errors(self.url):
            within = self._writing or self._reading
            if within is not None:
                yield within
                return
            one_state = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
            self._reading = connection = self._begin("BEGIN" if self.tells_version else one_state)
            try:
                yield connection
            finally:
                self._reading = None
                self._roll_back()

    def version(self) -> object:
        """What is another one when another process may have written since; the lock is held.

        SQLite counts the commits by other connections than this one. The version of any other
        database is another one every `LOOK` seconds.
        """
        if self.tells_version:
            try:
                driver: Any = self._connected().connection.driver_connection
                return self._opened, driver.execute("PRAGMA data_version").fetchone()
            except Exception:
                with storage_errors(self.url):  # not around it all: this is asked all the time
                    raise
        now = time.monotonic()
        if now - self._ticked >= LOOK:
            self._ticked = now
        return self._ticked

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
        if self._connection is None:
            connection = self.engine.connect()
            self._connection = connection.execution_options(isolation_level="AUTOCOMMIT")
            self._opened += 1  # another connection counts anew
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            with suppress(Exception):
                self._connection.close()
        self._connection = None

    def check_place(self) -> None:
        """Make sure that a SQLite file is still where it was: SQLite itself would not notice.

        Raises:
            StorageError: it is not.
        """
        if self._file is None:
            return
        try:
            same = _inode(self._file) == self._inode
        except FileNotFoundError:
            same = False
        if not same:
            raise StorageError(
                f"the database {self._file} was deleted or replaced while it was in use; put it "
                "back and run the same command again, or begin anew with another --storage"
            )


def _inode(file: str) -> int:
    return os.stat(file).st_ino  # noqa: PTH116 - at every commit: fast
