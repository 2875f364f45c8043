"""Optuna's storage with the studies in memory and the database written in groups.

One trial of Optuna's own SQLite storage is some eighty statements in a dozen transactions. Here
only what must be agreed on with other processes waits for the database: a new study, a new trial's
number, who starts a waiting trial. What else is written goes into memory at once, and among the
pending rows, which are committed in bulk within a quarter of a second. Before memory is read, the
database is asked whether another process has written; SQLite tells that in microseconds.

The storage leads its three parts, which do not know each other: the connection, the cache and the
pending rows.
"""

from __future__ import annotations

import atexit
import copy
import os
import threading
import time
import weakref
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import cache
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from optuna.distributions import BaseDistribution
from optuna.exceptions import DuplicatedStudyError
from optuna.storages import BaseStorage
from optuna.storages._base import DEFAULT_STUDY_NAME_PREFIX
from optuna.study import StudyDirection
from optuna.study._frozen import FrozenStudy
from optuna.trial import FrozenTrial, TrialState, create_trial

from hpsearch.errors import StorageError
from hpsearch.storage.cache import Cache, Gone, StudyInMemory
from hpsearch.storage.connection import Connection
from hpsearch.storage.database import display_url, was_lost
from hpsearch.storage.optuna_schema import tables
from hpsearch.storage.own_tables import own_tables
from hpsearch.storage.pending import Pending
from hpsearch.storage.rows import (
    attribute_row,
    epochs_row,
    intermediate_row,
    param_row,
    plain,
    read_studies,
    trial_row,
    trial_rows,
    value_row,
)

__all__ = ["WriteBehindStorage"]

DELAY = 0.2
"""Seconds that a write may wait for others to join it; then the group is committed."""

FORK_PATIENCE = 1.0
"""Seconds that a fork waits for what is just being written."""


class WriteBehindStorage(BaseStorage):
    """A storage for any Optuna program, in Optuna's own schema, many times as fast as its own.

    Args:
        url: a SQLite file name or URL, or a PostgreSQL URL (``pip install hpsearch[postgres]``).
        create: False refuses a SQLite file that does not exist, instead of making an empty one.

    Attributes:
        connection: what transactions go through; see `Connection`.

    Raises:
        UsageError: the URL is none that works here.
        StorageError: the database cannot be opened, read or written; the sentence says why and what
            to do. What was not committed stays in memory, and the next call tries again.

    A process that is killed loses at most the last quarter of a second; a trial is never stored
    with its state but without its values. A pickled storage opens the database anew; like Optuna's
    own it carries the whole URL, which its text forms never show.

    >>> import optuna
    >>> storage = WriteBehindStorage("sqlite://")
    >>> study = optuna.create_study(storage=storage, study_name="parabola")
    >>> study.optimize(lambda trial: trial.suggest_float("x", -1, 1) ** 2, n_trials=3)
    >>> storage.flush(), len(study.trials)
    (None, 3)
    """

    def __init__(self, url: str, *, create: bool = True) -> None:
        self.connection = Connection(url, create=create)
        self._start()
        _OPEN.add(self)

    def _start(self) -> None:
        self._lock = self.connection.lock
        self._cache = Cache()
        self._pending = Pending(self.connection.limits)
        self._made: list[tuple[StudyInMemory, int]] = []  # the new trials of the group
        self._wake = threading.Event()
        self._is_written_behind = False
        self._broken = False  # what is pending could not be committed

    def begin_in_child(self) -> None:
        """Begin anew after a fork, with nothing in memory: the parent writes what is its own."""
        self.connection.begin_in_child()
        self._start()

    @property
    def url(self) -> str:
        """The database's URL, without its password."""
        return display_url(self.connection.url)

    @property
    def engine(self) -> sa.Engine:
        """SQLAlchemy's engine, for tables beside Optuna's."""
        return self.connection.engine

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"

    def __reduce__(self) -> tuple[type[WriteBehindStorage], tuple[str]]:
        self.flush()
        return type(self), (self.connection.url,)

    def __enter__(self) -> WriteBehindStorage:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
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
                self.connection.close()
                if not self._pending:
                    self._cache.clear()

    def remove_session(self) -> None:
        """Commit everything; Optuna calls this when an optimization ends."""
        self.flush()

    def flush(self) -> None:
        """Commit everything that was written until now.

        Raises:
            StorageError: it cannot be committed; it is kept, and the next call tries again.
        """
        with self._lock:
            if not self._pending or self.connection.is_writing:
                return
            try:
                self._commit()
            except StorageError as error:
                # Once more, if the connection was lost, or a study deleted, in the middle.
                cause = error.__cause__
                if not (was_lost(cause) or isinstance(cause, sa.exc.IntegrityError)):
                    raise
                self._commit()

    def _commit(self) -> None:
        self._broken = True
        with self.transaction() as connection:
            self._pending.write(connection)
        self._pending.clear()
        self._broken = False

    def drop_pending(self) -> None:
        """Give up what could not be committed; the studies are then read anew."""
        with self._lock:
            if self._pending:
                self._pending.clear()
                self._cache.clear()
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
                with self.transaction() as connection:
                    yield
                    self._pending.write(connection)
            except BaseException:
                for study, _ in self._made:
                    self._cache.let_go(study)
                ids = [trial_id for _, trial_id in self._made]
                self._pending.discard(ids)
                self._cache.gone_trials.add(ids)
                raise
            self._pending.clear()

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """A short transaction that writes what its block writes; within a group, a part of it."""
        with self._lock:
            within = self.connection.is_writing
            with self.connection.transaction() as connection:
                if not within:
                    self._forget_gone(connection)
                yield connection

    def _forget_gone(self, connection: sa.Connection) -> None:
        """Drop what is pending of studies that others have deleted, before anything is written.

        SQLite's transaction keeps others from writing, so that it is exact there. PostgreSQL never
        gives an id twice: what is deleted while this transaction runs, makes it fail.
        """
        due = self._others_wrote() if self.connection.tells_version else bool(self._pending)
        if due:
            for study in self._cache.forget_gone(connection):
                self._pending.discard(study.trials, study.study_id)

    def _others_wrote(self) -> bool:
        """Whether there may be more in the database than in memory."""
        return self.connection.version() != self._cache.version

    def _look(self) -> None:
        """Take in what other processes have written since the last look, if there is anything."""
        if self.connection.is_writing:
            return
        version = self.connection.version()
        if version == self._cache.version:
            return
        if self._cache:
            self.flush()
            with self.connection.reading() as connection:
                self._cache.refresh(connection)
        self._cache.version = version

    def _soon(self) -> None:
        """Have what is pending committed soon."""
        if self._broken:
            self.flush()  # it failed in the background: now, or with the reason to the caller
            return
        if not self._is_written_behind:
            threading.Thread(
                target=_write_behind,
                args=(weakref.ref(self), self._wake),
                name="hpsearch-storage",
                daemon=True,
            ).start()
            self._is_written_behind = True
        if not self._wake.is_set():
            self._wake.set()

    # Studies

    def _study(self, study_id: int) -> StudyInMemory:
        """A study as it is now, with what other processes have written.

        Raises:
            KeyError: there is none of that id, or it was deleted and the id is another's now.
        """
        self._look()
        study = self._cache.study(study_id)
        if study is None:
            self.flush()  # a group that failed has left rows of studies that are read anew
            with self.connection.reading() as connection:
                study = self._cache.read(connection, study_id)
        return study

    def create_new_study(
        self, directions: Sequence[StudyDirection], study_name: str | None = None
    ) -> int:
        """Make a study, at once.

        Raises:
            StorageError: the database cannot keep its name.
            DuplicatedStudyError: there is one of that name.
        """
        name = DEFAULT_STUDY_NAME_PREFIX + str(uuid4()) if study_name is None else study_name
        known = tables()
        self.connection.limits.check(known.studies.c.study_name, name)
        with _names_are_unique(name), self.transaction() as connection:
            row: dict[str, Any] = {"study_name": name}
            row |= self._fresh_id(connection, known.studies.c.study_id, self._cache.gone_studies)
            made = connection.execute(known.studies.insert(), row).inserted_primary_key
            assert made is not None
            study_id = int(made[0])
            given = [
                {"study_id": study_id, "objective": i, "direction": direction}
                for i, direction in enumerate(directions)
            ]
            connection.execute(known.study_directions.insert(), given)
        return study_id

    def _fresh_id(
        self, connection: sa.Connection, column: sa.Column[int], gone: Gone
    ) -> dict[str, int]:
        """An id that means nothing else in this process, where the database would repeat one."""
        if not gone or not self.connection.tells_version:
            return {}
        last = connection.execute(sa.select(sa.func.max(column))).scalar() or 0
        return {column.name: max(last, gone.last) + 1}

    def rename_study(
        self, study_id: int, study_name: str, user_attrs: Mapping[str, Any] | None = None
    ) -> None:
        """Give a study another name, at once; all that it has stays where it is.

        Args:
            study_id: the study.
            study_name: its new name.
            user_attrs: attributes of the study to set in the same transaction.

        Raises:
            KeyError: there is no such study.
            StorageError: the database cannot keep the name.
            DuplicatedStudyError: another study has it.
        """
        known = tables()
        self.connection.limits.check(known.studies.c.study_name, study_name)
        own = Pending(self.connection.limits)
        attributes = known.study_user_attributes
        for key, value in (user_attrs or {}).items():
            own.upsert(attributes, attribute_row("study_id", study_id, key, value))
        with self._lock:
            self.flush()
            with _names_are_unique(study_name), self.transaction() as connection:
                mine = known.studies.update().where(known.studies.c.study_id == study_id)
                if not connection.execute(mine.values(study_name=study_name)).rowcount:
                    raise KeyError(f"No study with study_id {study_id} exists.")
                own.write(connection)
            study = self._study(study_id)
            study.name = study_name
            for key, value in (user_attrs or {}).items():
                study.user_attrs[key] = plain(value)

    def delete_study(self, study_id: int) -> None:
        """Delete a study and its trials, at once, and what is beside Optuna's tables of them."""
        known = tables()
        with self._lock:
            study = self._study(study_id)
            self.flush()  # what waits for this study's trials could not be written after them
            with self.transaction() as connection:
                t = known.trials.c
                ids = sa.select(t.trial_id).where(t.study_id == study_id)
                for table in (*known, own_tables().epochs):
                    if "trial_id" in table.c and table is not known.trials:
                        connection.execute(table.delete().where(table.c.trial_id.in_(ids)))
                for table in (*own_tables(), *reversed(known)):
                    if "study_id" in table.c:
                        connection.execute(table.delete().where(table.c.study_id == study_id))
            self._cache.forget(study)

    def set_study_user_attr(self, study_id: int, key: str, value: Any) -> None:
        """Set an attribute of a study."""
        self._set_study_attr("user", study_id, key, value)

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        """Set one of Optuna's own attributes of a study."""
        self._set_study_attr("system", study_id, key, value)

    def _set_study_attr(self, whose: str, study_id: int, key: str, value: Any) -> None:
        with self._lock:
            study = self._study(study_id)
            row = attribute_row("study_id", study_id, key, value)
            self._pending.upsert(getattr(tables(), f"study_{whose}_attributes"), row)
            getattr(study, f"{whose}_attrs")[key] = plain(value)
            self._soon()

    def get_study_id_from_name(self, study_name: str) -> int:
        """The id of a study.

        Raises:
            KeyError: there is none of that name.
        """
        s = tables().studies.c
        with self._lock:
            self._look()  # before the id of a study that is gone is known as another's
            with self.connection.reading() as connection:
                query = sa.select(s.study_id).where(s.study_name == study_name)
                found = connection.execute(query).scalar()
            if found is None:
                raise KeyError(f"No such study {study_name}.")
            self._cache.gone_studies.give_back([found])
            return int(found)

    def get_study_name_from_id(self, study_id: int) -> str:
        """The name of a study."""
        with self._lock:
            return self._study(study_id).name

    def get_study_directions(self, study_id: int) -> list[StudyDirection]:
        """What a study does with each of its values."""
        with self._lock:
            return list(self._study(study_id).directions)

    def get_study_user_attrs(self, study_id: int) -> dict[str, Any]:
        """The attributes of a study."""
        with self._lock:
            return dict(self._study(study_id).user_attrs)

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        """Optuna's own attributes of a study."""
        with self._lock:
            return dict(self._study(study_id).system_attrs)

    def get_all_studies(self) -> list[FrozenStudy]:
        """All studies of the database, their trials left aside."""
        with self._lock:
            self.flush()
            self._look()
            with self.connection.reading() as connection:
                studies = read_studies(connection)
            self._cache.gone_studies.give_back(study._study_id for study in studies)
            return studies

    # Trials

    def _trial(self, trial_id: int) -> tuple[StudyInMemory, FrozenTrial]:
        known = self._cache.study_of(trial_id)
        study_id = None if known is None else known.study_id
        if study_id is None:
            t = tables().trials.c
            with self.connection.reading() as connection:
                query = sa.select(t.study_id).where(t.trial_id == trial_id)
                study_id = connection.execute(query).scalar()
        if study_id is None:
            raise KeyError(f"No trial with trial_id {trial_id} exists.")
        study = self._study(study_id)
        return study, study.trial(trial_id)

    def _open_trial(self, trial_id: int) -> tuple[StudyInMemory, FrozenTrial]:
        """A copy of a trial that is not finished, to be changed and put back.

        A running trial is its process's own, so that nobody else's writes are looked for here.
        """
        study = self._cache.study_of(trial_id)
        if study is None:
            study, trial = self._trial(trial_id)
        else:
            trial = study.trial(trial_id)
        self.check_trial_is_updatable(trial_id, trial.state)
        changed = FrozenTrial.__new__(FrozenTrial)  # as copy.copy would, ten times as fast
        changed.__dict__.update(trial.__dict__)
        return study, changed

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """Make a trial, at once, and whole if there is a template."""
        known = tables()
        with self._lock:
            study = self._study(study_id)
            if template_trial is None:
                trial = create_trial(state=TrialState.RUNNING)
            else:
                trial = _copy(template_trial)
            for name, distribution in trial.distributions.items():
                study.check_distribution(name, distribution)
            within = self.connection.is_writing
            own = self._pending if within else Pending(self.connection.limits)
            with self.transaction() as connection:
                number = self._next_number(connection, study)
                row = {"study_id": study_id, "number": number, **trial_row(trial)}
                row |= self._fresh_id(connection, known.trials.c.trial_id, self._cache.gone_trials)
                made = connection.execute(_insert_trial(), row).inserted_primary_key
                assert made is not None
                trial_id = int(made[0])
                if template_trial is not None:
                    for table, part in trial_rows(trial, trial_id):
                        own.upsert(table, part)
                    if not within:
                        own.write(connection)
            trial.number, trial._trial_id = number, trial_id
            self._cache.add_trial(study, trial)
            if within:
                self._made.append((study, trial_id))
            return trial_id

    def _next_number(self, connection: sa.Connection, study: StudyInMemory) -> int:
        """The number of a new trial, within the transaction that makes it.

        Raises:
            KeyError: the study was deleted just now.
        """
        if self._cache.study(study.study_id) is not study:
            raise KeyError(f"No study with study_id {study.study_id} exists.")
        if self.connection.tells_version and not self._others_wrote():
            return len(study.trials)
        known = tables()
        if not self.connection.tells_version:  # one at a time may count
            s = known.studies.c
            mine = sa.select(s.study_id).where(s.study_id == study.study_id).with_for_update()
            if connection.execute(mine).scalar() is None:
                self._cache.forget(study)
                self._pending.discard(study.trials, study.study_id)
                raise KeyError(f"No study with study_id {study.study_id} exists.")
        t = known.trials.c
        query = sa.select(t.number).where(t.study_id == study.study_id)
        last = connection.execute(query.order_by(t.trial_id.desc()).limit(1)).scalar()
        return 0 if last is None else int(last) + 1

    def set_trial_param(
        self,
        trial_id: int,
        param_name: str,
        param_value_internal: float,
        distribution: BaseDistribution,
    ) -> None:
        """Set a parameter of a trial that is not finished."""
        with self._lock:
            study, trial = self._open_trial(trial_id)
            study.check_distribution(param_name, distribution)
            row = param_row(trial_id, param_name, param_value_internal, distribution)
            self._pending.upsert(tables().trial_params, row)
            study.keep_distribution(param_name, distribution)
            value = distribution.to_external_repr(param_value_internal)
            trial.params = {**trial.params, param_name: value}
            trial.distributions = {**trial.distributions, param_name: distribution}
            study.put(trial)
            self._soon()

    def get_study_id_from_trial_id(self, trial_id: int) -> int:
        """The study that a trial is of.

        Raises:
            KeyError: there is no such trial.
        """
        with self._lock:
            return self._trial(trial_id)[0].study_id

    def set_trial_state_values(
        self, trial_id: int, state: TrialState, values: Sequence[float] | None = None
    ) -> bool:
        """Set state and values of a trial that is not finished.

        Returns:
            False if it was to start, and did not wait (any more): one process gets a waiting trial.
        """
        with self._lock:
            study, trial = self._open_trial(trial_id)
            if state == TrialState.RUNNING:
                trial.datetime_start = datetime.now()
                started = trial_row(trial) | {"state": state}
                if trial.state != TrialState.WAITING or not self._start_waiting(trial_id, started):
                    return False
            trial.state = state
            if values is not None:
                trial.values = [float(value) for value in values]
                for objective, value in enumerate(trial.values):
                    row = value_row(trial_id, objective, value)
                    self._pending.upsert(tables().trial_values, row)
            if state.is_finished():
                trial.datetime_complete = datetime.now()
            study.put(trial)
            self._pending.change_trial(trial_id, trial_row(trial))
            self._soon()
            return True

    def finish_trial(
        self,
        trial_id: int,
        state: TrialState,
        values: Sequence[float],
        *,
        intermediate_values: Mapping[int, float],
        user_attrs: Mapping[str, Any],
        epochs: Mapping[str, Sequence[float]],
        snapshots: Mapping[str, Any] | None = None,
    ) -> None:
        """All that is said of a trial when it ends, at once.

        Args:
            trial_id: of a trial that is not finished.
            state: a finished one.
            values: one for each objective.
            intermediate_values: by step, for a trial that has reported none yet.
            user_attrs: beside those that it has.
            epochs: what its epochs came to otherwise, for the table beside Optuna's.
            snapshots: of the network between them, in terms of JSON, for the same table.
        """
        known = tables()
        with self._lock:
            study, trial = self._open_trial(trial_id)
            trial.intermediate_values = {s: float(v) for s, v in intermediate_values.items()}
            upsert = self._pending.upsert
            for step, value in trial.intermediate_values.items():
                upsert(known.trial_intermediate_values, intermediate_row(trial_id, step, value))
            trial._user_attrs = dict(trial._user_attrs)
            for key, value in user_attrs.items():
                upsert(known.trial_user_attributes, attribute_row("trial_id", trial_id, key, value))
                trial._user_attrs[key] = plain(value)
            study.put(trial)
            if epochs:
                upsert(own_tables().epochs, epochs_row(trial_id, epochs, snapshots))
            self.set_trial_state_values(trial_id, state, values)

    def _start_waiting(self, trial_id: int, row: dict[str, Any]) -> bool:
        """Whether this process, and no other, is the one that starts a waiting trial."""
        self.flush()
        t = tables().trials
        start = t.update().where(t.c.trial_id == trial_id, t.c.state == TrialState.WAITING)
        with self.transaction() as connection:
            self._pending.write(connection)  # in a group: what makes the trial wait
            started = connection.execute(start.values(row))
        return started.rowcount == 1

    def set_trial_intermediate_value(
        self, trial_id: int, step: int, intermediate_value: float
    ) -> None:
        """Set what a trial that is not finished reports at a step."""
        with self._lock:
            study, trial = self._open_trial(trial_id)
            value = float(intermediate_value)
            row = intermediate_row(trial_id, step, value)
            self._pending.upsert(tables().trial_intermediate_values, row)
            trial.intermediate_values = {**trial.intermediate_values, row["step"]: value}
            study.put(trial)
            self._soon()

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Set an attribute of a trial that is not finished."""
        self._set_trial_attr("user", trial_id, key, value)

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Set one of Optuna's own attributes of a trial that is not finished."""
        self._set_trial_attr("system", trial_id, key, value)

    def _set_trial_attr(self, whose: str, trial_id: int, key: str, value: Any) -> None:
        with self._lock:
            study, trial = self._open_trial(trial_id)
            row = attribute_row("trial_id", trial_id, key, value)
            self._pending.upsert(getattr(tables(), f"trial_{whose}_attributes"), row)
            name = f"_{whose}_attrs"
            setattr(trial, name, {**getattr(trial, name), key: plain(value)})
            study.put(trial)
            self._soon()

    def get_trial(self, trial_id: int) -> FrozenTrial:
        """A trial by its id; it stays as it is, later writes make another."""
        with self._lock:
            return self._trial(trial_id)[1]

    def get_all_trials(
        self,
        study_id: int,
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
    ) -> list[FrozenTrial]:
        """The trials of a study in the order of their making.

        Args:
            study_id: the study.
            deepcopy: whether the caller wants to change them.
            states: only those in one of these states; None for all.
        """
        with self._lock:
            trials = self._study(study_id).select(states)
        return copy.deepcopy(trials) if deepcopy else trials

    def get_best_trial(self, study_id: int) -> FrozenTrial:
        """The trial of best value, the earliest of equals."""
        with self._lock:
            return self._study(study_id).best_trial()


@contextmanager
def _names_are_unique(name: str) -> Iterator[None]:
    """Tell what refuses to give a study the name that another one has."""
    try:
        yield
    except StorageError as error:
        if isinstance(error.__cause__, sa.exc.IntegrityError):
            raise DuplicatedStudyError(f"there is a study {name!r} already") from error
        raise


@cache
def _insert_trial() -> sa.Insert:
    return tables().trials.insert()


def _copy(template: FrozenTrial) -> FrozenTrial:
    """A copy that shares nothing that anybody may change."""
    trial = copy.copy(template)
    trial._params = dict(template._params)
    trial._distributions = dict(template._distributions)
    trial._user_attrs = {key: plain(value) for key, value in template._user_attrs.items()}
    trial._system_attrs = {key: plain(value) for key, value in template._system_attrs.items()}
    trial.intermediate_values = dict(template.intermediate_values)
    return trial


def _write_behind(storage: weakref.ref[WriteBehindStorage], wake: threading.Event) -> None:
    """Commit what is pending, again and again, while the storage is in use."""
    while True:
        wake.wait(timeout=10.0)
        if wake.is_set():
            wake.clear()
            time.sleep(DELAY)
        alive = storage()
        if alive is None:
            return
        with suppress(Exception):  # kept; the next call meets it, and tells its caller
            alive.flush()
        del alive


_OPEN: weakref.WeakSet[WriteBehindStorage] = weakref.WeakSet()
"""Every storage of this process."""

_forking = threading.local()


@atexit.register
def _close_all() -> None:
    for storage in list(_OPEN):
        with suppress(Exception):
            storage.close()


def _before_fork() -> None:
    """Let writers come to an end: SQLite has locks of its own that no child can open."""
    end = time.monotonic() + FORK_PATIENCE
    locks = [storage.connection.lock for storage in list(_OPEN)]
    _forking.locks = [
        lock for lock in locks if lock.acquire(timeout=max(0.0, end - time.monotonic()))
    ]


def _after_fork() -> None:
    for lock in _forking.locks:
        lock.release()


def _begin_in_child() -> None:
    for storage in list(_OPEN):
        storage.begin_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork, after_in_parent=_after_fork, after_in_child=_begin_in_child
    )
