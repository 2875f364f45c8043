"""One driver a study: each run signs a table, and holds the study until it signs off or dies.

A row of ``hpsearch_runs`` is one run of a study: who, since when, how long, how it ended. The one
whose end is not yet written holds the study. Its driver lets a counter grow every few seconds. Who
finds the study held looks whether that process still exists, if it is one of the same machine, and
else watches the counter; a clock that jumps, here or there, means nothing.
"""

from __future__ import annotations

import datetime
import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from hpsearch.engine.processes import machine_here, process_identity
from hpsearch.errors import HeldError, RunError, TakenOverError
from hpsearch.storage.own_tables import own_tables

if TYPE_CHECKING:
    import sqlalchemy as sa

__all__ = ["Lease", "refuse_running", "seconds_spent", "was_deleted", "who_runs"]

BEAT = 2.0
"""Seconds between two beats of a driver's counter."""

DEAD_AFTER = 10.0
"""Seconds without a beat after which a driver on another machine is taken for dead."""


_HELD: set[str] = set()
"""The runs of this process that go on. A server outlives its runs, and the database may have been
away when one of them ended, so that its row says nothing of that."""


class Lease:
    """The right to write to a study, as a context manager.

    Args:
        engine: of the study's database.
        study_id: Optuna's id of the study.
        study_name: for messages.
        pause: sleeps so many seconds.
        counted: whether the time is the study's own, which a budget in seconds limits.

    Attributes:
        before: how long earlier runs of the study took together, in seconds.

    Raises:
        HeldError: on entering, when another driver is running the study.
    """

    before: float

    def __init__(
        self,
        engine: sa.Engine,
        study_id: int,
        study_name: str,
        *,
        pause: Callable[[float], None] = time.sleep,
        counted: bool = True,
    ) -> None:
        self._engine, self._study_id, self._study_name = engine, study_id, study_name
        self._pause, self._counted, self._run = pause, counted, uuid4().hex
        self._table = own_tables().runs
        self._start = time.monotonic()
        self._ended = threading.Event()
        self._beater = threading.Thread(target=self._beat, name="hpsearch-lease", daemon=True)

    def __enter__(self) -> Lease:
        _HELD.add(self._run)
        try:
            self._take()
        except BaseException:
            _HELD.discard(self._run)
            raise
        self._beater.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._ended.set()
        _HELD.discard(self._run)
        self._beater.join()
        ended = "finished" if kind is None else kind.__name__
        with suppress(Exception):  # what ended the run matters more; a dead run's lease is taken
            self._update(ended=ended)

    def check(self, connection: sa.Connection) -> None:
        """Make sure, within a transaction that writes to the study, that this run still holds it.

        Raises:
            TakenOverError: another driver has the study now.
            RunError: somebody deleted it.
        """
        if connection.exec_driver_sql(*self._is_held).scalar() is None:
            mine = self._table.select().where(self._table.c.run == self._run)
            if connection.execute(mine).first() is None:  # as all that was of the study
                raise was_deleted(self._study_name)
            raise TakenOverError(
                f"another driver has taken over the study {self._study_name!r}, since this one "
                "seemed dead (a suspended machine?); what it had finished is kept"
            )

    @cached_property
    def _is_held(self) -> tuple[str, Any]:
        """The query of every transaction, compiled once, and its parameters."""
        import sqlalchemy as sa

        runs = self._table.c
        query = sa.select(runs.run).where(runs.run == self._run, runs.ended.is_(None))
        compiled = query.with_for_update(read=True).compile(self._engine)
        values = compiled.params
        names = compiled.positiontup
        return str(compiled), values if names is None else tuple(values[n] for n in names)

    @property
    def seconds(self) -> float:
        """How long this run has held the study."""
        return time.monotonic() - self._start

    def _take(self) -> None:
        import sqlalchemy as sa

        row = {
            "run": self._run,
            "study_id": self._study_id,
            "machine": machine_here(),
            "host": socket.gethostname(),
            "process": process_identity(os.getpid()),
            "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "beats": 0,
            "seconds": 0.0,
        }
        while True:
            holder = _holder(self._engine, self._study_id)
            if holder is not None and _is_alive(self._engine, holder, self._pause):
                raise _held(self._study_name, _who(holder))
            self.before = seconds_spent(self._engine, self._study_id)
            try:
                with self._engine.begin() as connection:
                    if holder is not None:
                        runs = self._table.c
                        dead = self._table.update().where(
                            runs.run == holder.run,
                            runs.beats == holder.beats,
                            runs.ended.is_(None),
                        )
                        connection.execute(dead.values(ended="died"))
                    connection.execute(self._table.insert().values(row))
                return
            except sa.exc.IntegrityError:
                continue  # somebody was faster: look again

    def _beat(self) -> None:
        beats = 0
        while not self._ended.wait(BEAT):
            beats += 1
            with suppress(Exception):  # a locked or full database: the next beat may get through
                self._update(beats=beats)

    def _update(self, **values: Any) -> None:
        runs = self._table.c
        mine = self._table.update().where(runs.run == self._run, runs.ended.is_(None))
        seconds = round(self.seconds, 3) if self._counted else 0.0
        with self._engine.begin() as connection:
            connection.execute(mine.values(seconds=seconds, **values))


def was_deleted(name: str) -> RunError:
    """What a driver says whose study is gone."""
    return RunError(
        f"the study {name!r} was deleted while it was being run; running it again begins anew"
    )


def who_runs(engine: sa.Engine, study_id: int) -> str | None:
    """Who runs a study: the process, its machine and since when; None if nobody does.

    It may take `DEAD_AFTER` seconds to tell, of a driver on another machine.
    """
    holder = _holder(engine, study_id)
    return _who(holder) if holder is not None and _is_alive(engine, holder, time.sleep) else None


def refuse_running(engine: sa.Engine, study_id: int, study_name: str) -> None:
    """Make sure that nobody runs a study.

    Raises:
        HeldError: somebody does.
    """
    who = who_runs(engine, study_id)
    if who is not None:
        raise _held(study_name, who)


def _held(study_name: str, who: str) -> HeldError:
    return HeldError(
        f"the study {study_name!r} is being run {who}; wait for it, stop it, or give the study "
        "another name"
    )


def _holder(engine: sa.Engine, study_id: int) -> Any:
    """The run that holds a study, dead or alive; None if there is none."""
    runs = own_tables().runs
    query = runs.select().where(runs.c.study_id == study_id, runs.c.ended.is_(None))
    with engine.connect() as connection:
        return connection.execute(query).first()


def _who(holder: Any) -> str:
    pid = holder.process.split(":")[0]
    return f"by process {pid} on {holder.host} since {holder.started}"


def _is_alive(engine: sa.Engine, holder: Any, pause: Callable[[float], None]) -> bool:
    """Whether the driver of a run still exists; False too when it has just signed off."""
    if holder.machine == machine_here():
        pid = int(holder.process.split(":")[0])
        has_ended = pid == os.getpid() and holder.run not in _HELD
        return not has_ended and bool(process_identity(pid) == holder.process)
    deadline = time.monotonic() + DEAD_AFTER
    while True:
        now = _holder(engine, holder.study_id)
        if now is None or now.run != holder.run:
            return False  # not dead but gone, or another one: the caller looks again
        if now.beats != holder.beats:
            return True
        if time.monotonic() > deadline:
            return False
        pause(BEAT / 4)


def seconds_spent(engine: sa.Engine, study_id: int) -> float:
    """How long all runs of a study took together, in seconds of wall-clock time."""
    import sqlalchemy as sa

    table = own_tables().runs
    with engine.connect() as connection:
        query = sa.select(sa.func.sum(table.c.seconds)).where(table.c.study_id == study_id)
        return float(connection.execute(query).scalar() or 0.0)
