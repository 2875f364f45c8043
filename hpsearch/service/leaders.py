"""Which studies of a database others run: another server, or `hpsearch run`.

A study is run by whoever holds it; see `hpsearch.engine.lease`. Here all of them are looked at in
one query, so that a server does not try each study of the others again and again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

import sqlalchemy as sa

from hpsearch.engine.lease import DEAD_AFTER
from hpsearch.engine.processes import machine_here, process_identity
from hpsearch.storage.optuna_schema import tables
from hpsearch.storage.own_tables import own_tables

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Leaders"]


class Leaders:
    """Who else runs studies.

    Args:
        clock: seconds that only grow.

    Attributes:
        known: where each study is run that is not run here, as of the last look.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.known: Mapping[str, str] = {}
        self._clock = clock
        self._beats: dict[str, tuple[int, float]] = {}
        self._machine, self._process = machine_here(), process_identity(os.getpid())

    def look(self, connection: sa.Connection) -> Mapping[str, str]:
        """Look again."""
        runs, servers, studies = own_tables().runs, own_tables().servers, tables().studies
        r, s = runs.c, servers.c
        at = (s.machine == r.machine) & (s.process == r.process) & s.ended.is_(None)
        query = (
            sa.select(studies.c.study_name, r.run, r.machine, r.host, r.process, r.beats, s.url)
            .select_from(
                runs.join(studies, studies.c.study_id == r.study_id).outerjoin(servers, at)
            )
            .where(r.ended.is_(None))
        )
        found, beats = {}, {}
        alive = lru_cache(maxsize=None)(process_identity)
        for name, run, machine, host, process, count, url in connection.execute(query):
            pid = process.split(":")[0]
            if machine == self._machine:
                lives = process != self._process and alive(int(pid)) == process
            else:
                before, since = self._beats.get(run, (-1, 0.0))
                beats[run] = (count, self._clock() if count != before else since)
                lives = self._clock() - beats[run][1] <= DEAD_AFTER
            if lives:
                found[name] = f"the server at {url}" if url else f"process {pid} on {host}"
        self._beats = beats
        self.known = found
        return found
