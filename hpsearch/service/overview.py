"""How studies stand, told from the database in a few short queries, however long they are.

A trial that is finished never changes: what was counted up to the first one that is not finished is
remembered, and only the rest is asked for again. Nothing else is kept in memory.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from hpsearch.engine.metadata import PREFIX
from hpsearch.storage.optuna_schema import tables
from hpsearch.storage.own_tables import own_tables
from hpsearch.storage.rows import read_trials

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

__all__ = ["FINISHED", "About", "Overview", "trials_after"]

FINISHED = ("COMPLETE", "PRUNED", "FAIL")
"""Optuna's states of trials that never change again."""

KEYS = ("measure", "result", "no winner", "totals")
"""The metadata that a list of studies needs."""


@dataclass
class About:
    """A study of the database.

    Attributes:
        study_id: Optuna's id.
        name: its name.
        minimizes: whether less is better.
        settled: every trial up to this id is finished, and counted.
        settled_at: when that one ended; a study that was deleted and is submitted again has the
            same ids, and other times.
        counts: of these, by state.
        best: the best value of these, if any is complete.
        kept: some of its metadata.
        running: the counts of all trials.
        seconds: how long all runs took.
        held: whether a run of it has no end, dead or alive.
    """

    study_id: int
    name: str
    minimizes: bool
    settled: int = 0
    settled_at: object = None
    counts: Counter[str] = field(default_factory=Counter)
    settled_best: float | None = None
    states: Mapping[str, int] = field(default_factory=dict)
    best: float | None = None
    kept: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    held: bool = False

    def forget(self) -> None:
        """Begin to count anew."""
        self.settled, self.settled_at, self.settled_best = 0, None, None
        self.counts.clear()

    def better(self, first: float | None, second: float | None) -> float | None:
        """The better one of two values."""
        values = [value for value in (first, second) if value is not None]
        return (min if self.minimizes else max)(values, default=None)


class Overview:
    """What is known of the studies of a database."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[int, About] = {}

    def studies(self, connection: sa.Connection, name: str | None = None) -> list[About]:
        """All studies, or one, in the order of their making.

        Args:
            connection: of their database.
            name: of the one.
        """
        known = tables()
        s, d = known.studies.c, known.study_directions.c
        query = sa.select(s.study_id, s.study_name, sa.type_coerce(d.direction, sa.String))
        query = query.select_from(
            known.studies.join(known.study_directions, s.study_id == d.study_id)
        ).where(d.objective == 0)
        if name is not None:
            query = query.where(s.study_name == name)
        rows = connection.execute(query.order_by(s.study_id)).all()
        kept = _kept(connection, [row[0] for row in rows])
        runs = _runs(connection)
        with self._lock:
            found = []
            for study_id, study_name, direction in rows:
                about = self._known.get(study_id)
                if about is None or about.name != study_name:
                    about = About(study_id, study_name, direction == "MINIMIZE")
                    self._known[study_id] = about
                self._count(connection, about)
                about.kept = kept.get(study_id, {})
                about.seconds, about.held = runs.get(study_id, (0.0, False))
                found.append(about)
            if name is None:
                there = {about.study_id for about in found}
                for study_id in [i for i in self._known if i not in there]:
                    del self._known[study_id]
            return found

    def _count(self, connection: sa.Connection, about: About) -> None:
        known = tables()
        t, v = known.trials.c, known.trial_values.c
        query = (
            sa.select(t.trial_id, sa.type_coerce(t.state, sa.String), v.value, t.datetime_complete)
            .select_from(
                known.trials.outerjoin(
                    known.trial_values, (v.trial_id == t.trial_id) & (v.objective == 0)
                )
            )
            .where(t.study_id == about.study_id)
            .order_by(t.trial_id)
        )
        rows = list(connection.execute(query.where(t.trial_id >= about.settled)))
        if about.settled:
            if not rows or (rows[0][0], rows[0][3]) != (about.settled, about.settled_at):
                about.forget()
                rows = list(connection.execute(query))
            else:
                del rows[0]  # it is counted already
        rest: Counter[str] = Counter()
        best: float | None = None
        is_prefix = True
        for trial_id, state, value, ended in rows:
            number = value if state == "COMPLETE" else None
            is_prefix = is_prefix and state in FINISHED
            if is_prefix:
                about.settled, about.settled_at = trial_id, ended
                about.counts[state] += 1
                about.settled_best = about.better(about.settled_best, number)
            else:
                rest[state] += 1
                best = about.better(best, number)
        about.states = {k.lower(): n for k, n in (about.counts + rest).items()}
        about.best = about.better(about.settled_best, best)


def _kept(connection: sa.Connection, ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    a = tables().study_user_attributes.c
    query = sa.select(a.study_id, a.key, a.value_json).where(
        a.key.in_([PREFIX + key for key in KEYS])
    )
    if len(ids) == 1:
        query = query.where(a.study_id == ids[0])
    found: dict[int, dict[str, Any]] = {}
    for study_id, key, text in connection.execute(query):
        try:
            value = json.loads(json.loads(text))
        except (TypeError, ValueError):
            continue  # somebody else's
        found.setdefault(study_id, {})[key.removeprefix(PREFIX)] = value
    return found


def _runs(connection: sa.Connection) -> dict[int, tuple[float, bool]]:
    r = own_tables().runs.c
    ended = sa.func.count(r.ended)
    query = sa.select(r.study_id, sa.func.sum(r.seconds), sa.func.count() - ended)
    rows = connection.execute(query.group_by(r.study_id))
    return {study_id: (float(seconds or 0.0), n > 0) for study_id, seconds, n in rows}


def trials_after(
    connection: sa.Connection, about: About, since: int, limit: int
) -> tuple[list[FrozenTrial], int, bool]:
    """Trials that may have changed since somebody asked last.

    Args:
        connection: of their database.
        about: their study, just counted.
        since: what this returned then, 0 at first.
        limit: at most so many.

    Returns:
        The trials by rising id; what to ask with next; and whether there are more already. After
        the last page that is the last trial before the first one that is not finished.
    """
    t = tables().trials.c
    after = (t.study_id == about.study_id) & (t.trial_id > since)
    query = sa.select(t.trial_id).where(after).order_by(t.trial_id).limit(limit + 1)
    ids = list(connection.execute(query).scalars())
    more, ids = len(ids) > limit, ids[:limit]
    if not ids:
        return [], about.settled, False
    found = read_trials(connection, after & (t.trial_id <= ids[-1]))
    return found, ids[-1] if more else about.settled, more
