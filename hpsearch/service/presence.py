"""Which servers a database has: each signs a table, and lets a counter grow while it lives."""

from __future__ import annotations

import datetime
import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from hpsearch.engine.processes import machine_here, process_identity
from hpsearch.errors import UsageError
from hpsearch.storage.own_tables import own_tables

if TYPE_CHECKING:
    from hpsearch.storage import WriteBehindStorage

__all__ = ["Presence"]

BEAT = 2.0
"""Seconds between two signs of life of a server."""

DEAD_AFTER = 10.0
"""Seconds without one after which a server of another machine is taken for dead."""


class Presence:
    """A server's row, from its making to its end.

    A SQLite file has one server, several may share a PostgreSQL database. Whether another one of
    this machine lives its process tells; of one on another machine, or in another container, only
    its signs of life do, and where there are none, that takes `DEAD_AFTER` seconds.

    Args:
        store: the database.
        url: where the server is.
        pause: sleeps so many seconds.

    Attributes:
        server: its id.
        started: since when, ISO 8601 in UTC.

    Raises:
        UsageError: another one has this SQLite file.
    """

    def __init__(
        self,
        store: WriteBehindStorage,
        url: str,
        *,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        self._store, self._table = store, own_tables().servers
        self.server = uuid4().hex
        self.started = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        self._row = {
            "server": self.server,
            "url": url,
            "machine": machine_here(),
            "host": socket.gethostname(),
            "process": process_identity(os.getpid()),
            "started": self.started,
            "beats": 0,
        }
        self._ended = threading.Event()
        self._beater = threading.Thread(target=self._beat, name="hpsearch-server", daemon=True)
        beats: dict[str, int] = {}
        looks = int(DEAD_AFTER / BEAT)
        while not self._signed(beats, is_last=looks == 0):
            pause(BEAT)
            looks -= 1

    def begin(self) -> None:
        """Give signs of life."""
        self._beater.start()

    def end(self) -> None:
        """Sign off."""
        self._ended.set()
        self._change(ended="stopped")

    def _signed(self, beats: dict[str, int], *, is_last: bool) -> bool:
        """Sign, unless somebody else has the file, or may have it.

        Args:
            beats: of others, as seen first.
            is_last: whether those are dead that have given no sign of life.
        """
        is_file, gone = self._store.connection.tells_version, []
        with self._store.transaction() as connection:
            others = self._table.select().where(self._table.c.ended.is_(None))
            for row in connection.execute(others).all():
                lives = self._lives(row)
                if lives is None and is_file:
                    lives = beats.setdefault(row.server, row.beats) != row.beats
                    if not (lives or is_last):
                        return False
                if lives and is_file:
                    raise UsageError(
                        f"the database is served already, at {row.url}, by process "
                        f"{row.process.split(':')[0]} on {row.host} since {row.started}; one "
                        "server has a SQLite file, several may share a PostgreSQL database"
                    )
                if lives is False:
                    gone.append(row.server)
            dead = self._table.update().where(self._table.c.server.in_(gone))
            connection.execute(dead.values(ended="died"))
            connection.execute(self._table.insert().values(self._row))
        return True

    def _lives(self, row: Any) -> bool | None:
        """Whether another server lives; None of one that is not on this machine."""
        if row.machine != self._row["machine"]:
            return None
        pid = int(row.process.split(":")[0])
        return bool(process_identity(pid) == row.process)

    def _beat(self) -> None:
        beats = 0
        while not self._ended.wait(BEAT):
            beats += 1
            self._change(beats=beats)

    def _change(self, **values: Any) -> None:
        mine = self._table.update().where(self._table.c.server == self.server)
        # A full disk, or a database that is away: the next one may get through.
        with suppress(Exception), self._store.transaction() as connection:
            connection.execute(mine.values(**values))
