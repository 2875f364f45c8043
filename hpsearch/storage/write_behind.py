"""Optuna's storage with the studies in memory and the database written in groups.

One trial of Optuna's own SQLite storage is some eighty statements in a dozen transactions. Here
what a program reads comes from memory; what it writes goes there at once, and into a list that is
committed, in bulk and in one transaction, within a quarter of a second. Only what must be agreed on
with other processes waits for the database: a new study, a new trial's number, who starts a waiting
trial.
"""

from __future__ import annotations

import atexit
import copy
import os
import threading
import time
import weakref
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import sqlalchemy as sa
from optuna.distributions import BaseDistribution
from optuna.exceptions import DuplicatedStudyError
from optuna.storages import BaseStorage
from optuna.storages._base import DEFAULT_STUDY_NAME_PREFIX
from optuna.study import StudyDirection
from optuna.study._frozen import FrozenStudy
from optuna.trial import FrozenTrial, TrialState

from hpsearch.storage import rows
from hpsearch.storage.database import connect, display_url, storage_errors
from hpsearch.storage.memory import StudyInMemory, plain, read_studies
from hpsearch.storage.optuna_schema import tables
from hpsearch.storage.pending import Pending

if TYPE_CHECKING:
    pass

__all__ = ["WriteBehindStorage"]

DELAY = 0.2
"""Seconds that a write may wait for others to join it; then the group is committed."""

LOOK = 0.25
"""Seconds between two looks for other processes' writes, where the database cannot tell at once."""


class WriteBehindStorage(BaseStorage):
    """A storage for any Optuna program, in Optuna's own schema, a hundred times as fast as its own.

    Args:
        url: a SQLite file name or URL, or a PostgreSQL URL (``pip install hpsearch[postgres]``).
        create: False refuses a SQLite file that does not exist, instead of making an empty one.

    Attributes:
        fence: None, or what is asked at the start of every transaction that writes, with its
            connection; it raises to refuse the transaction.

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
        self._database = connect(url, create=create)
        self.fence: Callable[[sa.Connection], None] | None = None
        self._start()
        atexit.register(_close, weakref.ref(self))

    def _start(self) -> None:
        """Begin with nothing in memory; also in a forked child, whose parent writes its own."""
        self._process = os.getpid()
        self._lock = threading.RLock()
        self._connection: sa.Connection | None = None
        self._grouping: sa.Connection | None = None
        self._studies: dict[int, StudyInMemory] = {}
        self._study_of: dict[int, int] = {}  # by trial id
        self._pending = Pending()
        self._wake = threading.Event()
        self._writer: threading.Thread | None = None
        self._broken = False
        self._version: Any = None
        self._looked = 0.0

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

    def __enter__(self) -> WriteBehindStorage:
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
            if self._process == os.getpid() and self._pending and self._grouping is None:
                with self._transaction(self._pending):
                    pass
                self._pending.clear()
                self._broken = False

    @contextmanager
    def group(self) -> Iterator[None]:
        """Commit all that the block writes, new trials included, and what is pending, at its end.

        If it cannot be committed, what is in memory is no longer what the database has: begin anew
        with another storage.
        """
        with self._lock:
            self._look()
            with self._transaction() as connection:
                self._grouping = connection
                try:
                    yield
                finally:
                    self._grouping = None
                self._pending.write(connection)
            self._pending.clear()

    @contextmanager
    def _transaction(self, pending: Pending | None = None) -> Iterator[sa.Connection]:
        """A short transaction that writes what is pending, if given, and what its block writes."""
        with self._lock, storage_errors(self._database.url):
            if self._grouping is not None:
                yield self._grouping
                return
            try:
                connection = self._connected()
                self._database.check_place()
                connection.exec_driver_sql(self._database.begin)
                if self.fence is not None:
                    self.fence(connection)
                if pending is not None:
                    pending.write(connection)
                yield connection
                connection.exec_driver_sql("COMMIT")
            except BaseException:
                self._broken = pending is not None
                self._roll_back()
                raise

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        """A transaction whose queries all see one state of the database."""
        if self._grouping is not None:
            yield self._grouping
            return
        with storage_errors(self._database.url):
            connection = self._connected()
            connection.exec_driver_sql(self._database.begin_reading)
            try:
                yield connection
            finally:
                self._roll_back()

    def _roll_back(self) -> None:
        try:
            assert self._connection is not None
            self._connection.exec_driver_sql("ROLLBACK")
        except Exception:  # no transaction, or no connection any more
            if self._connection is not None and self._connection.invalidated:
                self._disconnect()

    def _connected(self) -> sa.Connection:
        """The one connection for the studies; transactions are begun and ended by hand."""
        if self._process != os.getpid():
            self._database.engine.dispose(close=False)
            self._start()
        if self._connection is None:
            engine = self._database.engine
            self._connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            with suppress(Exception):
                self._connection.close()
        self._connection = None

    def _write(self, table: sa.Table, row: dict[str, Any]) -> None:
        """Have a row committed soon."""
        self._pending.upsert(table, row)
        self._soon()

    def _soon(self) -> None:
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
        """A study as it is now, with what other processes have written."""
        self._look()
        study = self._studies.get(study_id)
        if study is None:
            with self._reading() as connection:
                study = StudyInMemory.read(connection, study_id)
            self._studies[study_id] = study
            self._study_of.update(dict.fromkeys(study.trials, study_id))
        return study

    def _trial(self, trial_id: int) -> tuple[StudyInMemory, FrozenTrial]:
        study_id = self._study_of.get(trial_id)
        if study_id is None:
            t = tables().trials.c
            with storage_errors(self._database.url):
                query = sa.select(t.study_id).where(t.trial_id == trial_id)
                study_id = self._connected().execute(query).scalar()
            if study_id is None:
                raise KeyError(f"No trial with trial_id {trial_id} exists.")
        study = self._study(study_id)
        return study, study.trial(trial_id)

    def _open_trial(self, trial_id: int) -> tuple[StudyInMemory, FrozenTrial]:
        """A copy of a trial that is not finished, to be changed and put back.

        A running trial is its process's own, so that nobody else's writes are looked for here.
        """
        study = self._studies.get(self._study_of.get(trial_id, -1))
        if study is None or self._process != os.getpid():
            study, trial = self._trial(trial_id)
        else:
            trial = study.trial(trial_id)
        self.check_trial_is_updatable(trial_id, trial.state)
        changed = FrozenTrial.__new__(FrozenTrial)  # as copy.copy would, ten times as fast
        changed.__dict__.update(trial.__dict__)
        return study, changed

    def _look(self) -> None:
        """Take in what other processes have written since the last look, if there is anything."""
        if self._grouping is not None:
            return
        with storage_errors(self._database.url):
            connection = self._connected()
            if self._database.tells_version:
                version = self._data_version()
                if version == self._version:
                    return
                self._version = version
            else:
                now = time.monotonic()
                if now - self._looked < LOOK:
                    return
                self._looked = now
            if not self._studies:
                return
            self.flush()
            for study_id in list(self._studies):
                try:
                    with self._reading():
                        new = self._studies[study_id].refresh(connection)
                except KeyError:
                    self._forget(study_id)
                else:
                    self._study_of.update(dict.fromkeys(new, study_id))

    def _data_version(self) -> Any:
        """SQLite's counter of commits by other connections than this one."""
        driver: Any = self._connected().connection.driver_connection
        return driver.execute("PRAGMA data_version").fetchone()

    def _forget(self, study_id: int) -> None:
        study = self._studies.pop(study_id, None)
        for trial_id in study.trials if study is not None else ():
            self._study_of.pop(trial_id, None)

    # Studies

    def create_new_study(
        self, directions: Sequence[StudyDirection], study_name: str | None = None
    ) -> int:
        """Make a study, at once.

        Raises:
            DuplicatedStudyError: there is one of that name.
        """
        name = DEFAULT_STUDY_NAME_PREFIX + str(uuid4()) if study_name is None else study_name
        known = tables()
        with self._lock:
            try:
                with self._transaction() as connection:
                    insert = known.studies.insert().values(study_name=name)
                    made = connection.execute(insert).inserted_primary_key
                    assert made is not None
                    study_id = int(made[0])
                    given = [
                        {"study_id": study_id, "objective": i, "direction": direction}
                        for i, direction in enumerate(directions)
                    ]
                    connection.execute(known.study_directions.insert(), given)
            except Exception as error:
                if isinstance(error.__cause__, sa.exc.IntegrityError):
                    raise DuplicatedStudyError(f"there is a study {name!r} already") from error
                raise
            return study_id

    def delete_study(self, study_id: int) -> None:
        """Delete a study and its trials, at once."""
        known = tables()
        with self._lock:
            self._study(study_id)
            with self._transaction() as connection:
                t = known.trials.c
                ids = sa.select(t.trial_id).where(t.study_id == study_id)
                for table in known:
                    if "trial_id" in table.c and table is not known.trials:
                        connection.execute(table.delete().where(table.c.trial_id.in_(ids)))
                for table in reversed(known):
                    if "study_id" in table.c:
                        connection.execute(table.delete().where(table.c.study_id == study_id))
            self._forget(study_id)

    def set_study_user_attr(self, study_id: int, key: str, value: Any) -> None:
        """Set an attribute of a study."""
        self._set_study_attr(tables().study_user_attributes, study_id, key, value)

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        """Set one of Optuna's own attributes of a study."""
        self._set_study_attr(tables().study_system_attributes, study_id, key, value)

    def _set_study_attr(self, table: sa.Table, study_id: int, key: str, value: Any) -> None:
        with self._lock:
            study = self._study(study_id)
            row = rows.attribute_row("study_id", study_id, key, value)
            study.set_attribute(table, key, plain(value))
            self._write(table, row)

    def get_study_id_from_name(self, study_name: str) -> int:
        """The id of a study.

        Raises:
            KeyError: there is none of that name.
        """
        s = tables().studies.c
        with self._lock, storage_errors(self._database.url):
            query = sa.select(s.study_id).where(s.study_name == study_name)
            found = self._connected().execute(query).scalar()
        if found is None:
            raise KeyError(f"No such study {study_name}.")
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
        with self._lock, storage_errors(self._database.url):
            self.flush()
            with self._reading() as connection:
                return read_studies(connection)

    # Trials

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """Make a trial, at once, and whole if there is a template."""
        known = tables()
        with self._lock:
            study = self._study(study_id)
            trial = _running() if template_trial is None else _copy(template_trial)
            for name, distribution in trial.distributions.items():
                study.check_distribution(name, distribution)
            own = Pending() if self._grouping is None else self._pending
            with self._transaction() as connection:
                number = self._next_number(connection, study)
                row = {"study_id": study_id, "number": number, **rows.trial_row(trial)}
                made = connection.execute(known.trials.insert(), row).inserted_primary_key
                assert made is not None
                trial_id = int(made[0])
                if template_trial is not None:
                    for table, part in rows.trial_rows(trial, trial_id):
                        own.upsert(table, part)
                    if own is not self._pending:
                        own.write(connection)
            trial.number, trial._trial_id = number, trial_id
            study.add(trial)
            self._study_of[trial_id] = study_id
            return trial_id

    def _next_number(self, connection: sa.Connection, study: StudyInMemory) -> int:
        """The number of a new trial, within the transaction that makes it."""
        if self._database.tells_version and self._data_version() == self._version:
            return study.next_number()
        known = tables()
        if not self._database.tells_version:  # one at a time may count
            s = known.studies.c
            mine = sa.select(s.study_id).where(s.study_id == study.study_id).with_for_update()
            connection.execute(mine)
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
            study.note_distribution(param_name, distribution)
            value = distribution.to_external_repr(param_value_internal)
            trial.params = {**trial.params, param_name: value}
            trial.distributions = {**trial.distributions, param_name: distribution}
            study.put(trial)
            row = rows.param_row(trial_id, param_name, param_value_internal, distribution)
            self._write(tables().trial_params, row)

    def get_trial_id_from_study_id_trial_number(self, study_id: int, trial_number: int) -> int:
        """The id of a study's trial.

        Raises:
            KeyError: the study has no trial of that number.
        """
        with self._lock:
            for trial_id, trial in self._study(study_id).trials.items():
                if trial.number == trial_number:
                    return trial_id
        raise KeyError(f"No trial with number {trial_number} in the study of id {study_id}.")

    def get_trial_number_from_id(self, trial_id: int) -> int:
        """The number of a trial within its study."""
        return self.get_trial(trial_id).number

    def get_trial_param(self, trial_id: int, param_name: str) -> float:
        """A parameter's value in Optuna's internal representation."""
        trial = self.get_trial(trial_id)
        return trial.distributions[param_name].to_internal_repr(trial.params[param_name])

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
                if trial.state != TrialState.WAITING or not self._start_waiting(trial_id):
                    return False
                trial.datetime_start = datetime.now()
            trial.state = state
            if values is not None:
                trial.values = [float(value) for value in values]
                for objective, value in enumerate(trial.values):
                    self._pending.upsert(
                        tables().trial_values, rows.value_row(trial_id, objective, value)
                    )
            if state.is_finished():
                trial.datetime_complete = datetime.now()
            study.put(trial)
            self._pending.change_trial(trial_id, rows.trial_row(trial))
            self._soon()
            return True

    def _start_waiting(self, trial_id: int) -> bool:
        """Whether this process, and no other, is the one that starts a waiting trial."""
        self.flush()
        if self._grouping is not None:
            self._pending.write(self._grouping)
            self._pending.clear()
        t = tables().trials
        start = t.update().where(t.c.trial_id == trial_id, t.c.state == TrialState.WAITING)
        with self._transaction() as connection:
            started = connection.execute(start.values(state=TrialState.RUNNING))
        return started.rowcount == 1

    def set_trial_intermediate_value(
        self, trial_id: int, step: int, intermediate_value: float
    ) -> None:
        """Set what a trial that is not finished reports at a step."""
        with self._lock:
            study, trial = self._open_trial(trial_id)
            value = float(intermediate_value)
            trial.intermediate_values = {**trial.intermediate_values, step: value}
            study.put(trial)
            row = rows.intermediate_row(trial_id, step, value)
            self._write(tables().trial_intermediate_values, row)

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Set an attribute of a trial that is not finished."""
        with self._lock:
            study, trial = self._open_trial(trial_id)
            row = rows.attribute_row("trial_id", trial_id, key, value)
            trial._user_attrs = {**trial._user_attrs, key: plain(value)}
            study.put(trial)
            self._write(tables().trial_user_attributes, row)

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Set one of Optuna's own attributes of a trial that is not finished."""
        with self._lock:
            study, trial = self._open_trial(trial_id)
            row = rows.attribute_row("trial_id", trial_id, key, value)
            trial._system_attrs = {**trial._system_attrs, key: plain(value)}
            study.put(trial)
            self._write(tables().trial_system_attributes, row)

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


def _running() -> FrozenTrial:
    return FrozenTrial(
        number=-1,
        state=TrialState.RUNNING,
        value=None,
        datetime_start=datetime.now(),
        datetime_complete=None,
        params={},
        distributions={},
        user_attrs={},
        system_attrs={},
        intermediate_values={},
        trial_id=-1,
    )


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
        if alive is None or alive._wake is not wake:
            return
        with suppress(Exception):  # kept; the next call meets it, and tells its caller
            alive.flush()
        del alive


def _close(storage: weakref.ref[WriteBehindStorage]) -> None:
    alive = storage()
    if alive is not None:
        with suppress(Exception):
            alive.close()
