"""Who lends workers: what is told of them, and what they are told."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hpsearch.service.bench import LOCAL
from hpsearch.service.logs import about
from hpsearch.service.problems import Problem

if TYPE_CHECKING:
    from hpsearch.service.desk import Desk

__all__ = ["Roll"]

log = logging.getLogger("hpsearch.service")


class Roll:
    """Those who have asked for work lately, or have some.

    Args:
        desk: knows them.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._present: dict[str, str] = {}  # as told last

    def call(self) -> None:
        """Tell who has come and who is gone."""
        before, self._present = self._present, self._desk.present()
        for name in self._present.keys() - before:
            log.info("agent seen", extra=about(agent=name, token=self._present[name] or None))
        for name in before.keys() - self._present:
            log.info("agent gone", extra=about(agent=name, token=before[name] or None))

    def agents(self) -> list[dict[str, Any]]:
        """This server's own workers, and who has asked for work lately, or has some."""
        now = time.monotonic()
        with self._desk.lock:
            at_work: dict[str, list[dict[str, Any]]] = {}
            for lease in self._desk.leases.values():
                if lease.is_open:
                    number = None if lease.item is None else lease.item.number
                    at_work.setdefault(lease.holder, []).append(
                        _work(lease.bench.name, lease.job_id, number, lease.since)
                    )
            takers, draining = dict(self._desk.takers), set(self._desk.draining)
            local = self._local() if self._desk.local_workers else []
        told = [
            _agent(
                name,
                at_work.get(name, []),
                kinds=sorted(taker.kinds),
                workers=taker.workers,
                study=taker.study,
                token=taker.token,
                seen=round(now - seen, 1),
                draining=name in draining,
            )
            for name, (taker, seen) in takers.items()
        ]
        unseen = [_agent(name, work) for name, work in at_work.items() if name not in takers]
        return local + told + unseen

    def _local(self) -> list[dict[str, Any]]:
        """The server's own workers, told as an agent; under the desk's lock."""
        work = [
            _work(bench.name, item.job_id, item.number, None)
            for bench in self._desk.benches.values()
            for item in bench.items.values()
            if bench.is_local(item)
        ]
        workers = self._desk.local_workers
        return [_agent(LOCAL, work, kinds=["training"], workers=workers, seen=0.0)]

    def drain(self, name: str) -> dict[str, Any]:
        """Have an agent end once it has finished what it has.

        Raises:
            Problem: 404, there is none of this name.
        """
        with self._desk.lock:
            if name not in self._desk.takers:
                raise Problem(404, f"no agent {name!r} has asked for work")
            self._desk.draining.add(name)
        return next(agent for agent in self.agents() if agent["name"] == name)


def _work(study: str, trial: str, number: int | None, since: str | None) -> dict[str, Any]:
    return {"study": study, "trial": trial, "number": number, "since": since}


def _agent(
    name: str,
    work: list[dict[str, Any]],
    *,
    kinds: Sequence[str] = (),
    workers: int = 1,
    study: str | None = None,
    token: str = "",
    seen: float | None = None,
    draining: bool = False,
) -> dict[str, Any]:
    return {
        "name": name,
        "kinds": list(kinds),
        "workers": workers,
        "study": study,
        "token": token,
        "seen": seen,
        "draining": draining,
        "work": work,
    }
