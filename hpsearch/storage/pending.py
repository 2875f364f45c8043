"""Rows that wait to be committed together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from functools import cache
from importlib import import_module
from typing import Any

import sqlalchemy as sa

from hpsearch.storage.limits import Limits
from hpsearch.storage.optuna_schema import tables

__all__ = ["Pending"]

Row = dict[str, Any]

UNIQUE = {
    "study_user_attributes": ("study_id", "key"),
    "study_system_attributes": ("study_id", "key"),
    "trial_user_attributes": ("trial_id", "key"),
    "trial_system_attributes": ("trial_id", "key"),
    "trial_params": ("trial_id", "param_name"),
    "trial_values": ("trial_id", "objective"),
    "trial_intermediate_values": ("trial_id", "step"),
    "hpsearch_epochs": ("trial_id",),
}
"""The columns of which each combination exists once: a second row replaces the first."""


class Pending:
    """Rows by table, the latest of each key; a trial's own row is changed, any other upserted.

    Args:
        limits: of the database; a row beyond them is refused, since no other could be written then.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._rows: dict[sa.Table, dict[tuple[Any, ...], Row]] = defaultdict(dict)
        self._trials: dict[int, Row] = {}

    def __bool__(self) -> bool:
        return bool(self._rows or self._trials)

    def upsert(self, table: sa.Table, row: Row) -> None:
        """Have a row inserted, or replace the one that has the same key.

        Raises:
            StorageError: the database cannot keep it.
            TypeError: what must be text is none.
        """
        key = tuple([row[name] for name in UNIQUE[table.name]])
        if len(key) > 1:
            self._limits.check(_second(table), key[1])
        self._rows[table][key] = row

    def change_trial(self, trial_id: int, row: Row) -> None:
        """Have a trial's own row changed."""
        self._trials[trial_id] = {"id": trial_id, **row}

    def discard(self, trials: Collection[int], study: int | None = None) -> None:
        """Forget the rows of trials, and of a study itself."""
        for table, rows in list(self._rows.items()):
            owners = trials if UNIQUE[table.name][0] == "trial_id" else (study,)
            kept = {key: row for key, row in rows.items() if key[0] not in owners}
            if kept:
                self._rows[table] = kept
            else:
                del self._rows[table]
        self._trials = {i: row for i, row in self._trials.items() if i not in trials}

    def clear(self) -> None:
        """Forget everything, since it is committed."""
        self._rows.clear()
        self._trials.clear()

    def write(self, connection: sa.Connection) -> None:
        """Write everything, one statement a table."""
        for table, rows in self._rows.items():
            connection.execute(_upsert(table, connection.dialect.name), list(rows.values()))
        if self._trials:
            connection.execute(_change_trial(), list(self._trials.values()))


@cache
def _second(table: sa.Table) -> sa.Column[Any]:
    return table.c[UNIQUE[table.name][1]]


@cache
def _upsert(table: sa.Table, dialect: str) -> sa.Insert:
    # Each of the two takes its time to import.
    statement: Any = import_module(f"sqlalchemy.dialects.{dialect}").insert(table)
    key = UNIQUE[table.name]
    own = {c.name for c in table.primary_key}
    rest = {c.name: statement.excluded[c.name] for c in table.c if c.name not in {*key, *own}}
    upsert: sa.Insert = statement.on_conflict_do_update(index_elements=list(key), set_=rest)
    return upsert


@cache
def _change_trial() -> sa.Update:
    trials = tables().trials
    changed = ("state", "datetime_start", "datetime_complete")
    return (
        trials.update()
        .where(trials.c.trial_id == sa.bindparam("id"))
        .values({name: sa.bindparam(name) for name in changed})
    )
