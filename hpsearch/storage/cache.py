"""The studies in memory, as `WriteBehindStorage` keeps them.

Nothing here knows of connections and transactions: what is read is read through those given.
"""

from __future__ import annotations

import copy
from collections.abc import Container, Iterable
from typing import Any

import sqlalchemy as sa
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    check_distribution_compatibility,
)
from optuna.study import StudyDirection
from optuna.study._frozen import FrozenStudy
from optuna.trial import FrozenTrial, TrialState

from hpsearch.storage.optuna_schema import tables
from hpsearch.storage.rows import as_stored, read_studies, read_trials, to_utc

__all__ = ["Cache", "Gone", "StudyInMemory"]


class StudyInMemory:
    """A study and its trials; a trial is never changed, but replaced by a changed copy.

    Args:
        frozen: the study's name, directions and attributes.
    """

    def __init__(self, frozen: FrozenStudy) -> None:
        self.study_id: int = frozen._study_id
        self.name = frozen.study_name
        self.directions: list[StudyDirection] = list(frozen.directions)
        self.user_attrs: dict[str, Any] = frozen.user_attrs
        self.system_attrs: dict[str, Any] = frozen.system_attrs
        self.trials: dict[int, FrozenTrial] = {}  # by id, rising
        self._unfinished: set[int] = set()
        self._best: FrozenTrial | None = None
        self._distributions: dict[str, BaseDistribution] = {}
        self._asked: dict[str, BaseDistribution] = {}
        self._own = -1  # the id of a trial that this process began, and so nobody else begins anew
        self._seen = -1  # every trial up to this id is known

    def refresh(self, connection: sa.Connection) -> list[int]:
        """Take in what others have written: new trials, changed unfinished ones, attributes.

        Returns:
            The ids of the new trials.

        Raises:
            KeyError: the study is not there any more.
        """
        frozen = _one(connection, self.study_id)
        self.name = frozen.study_name
        self.user_attrs, self.system_attrs = frozen.user_attrs, frozen.system_attrs
        t = tables().trials.c
        ours = t.study_id == self.study_id
        query = sa.select(t.trial_id).where(ours, t.trial_id > self._seen)
        there = list(connection.execute(query).scalars())
        new = [i for i in there if i not in self.trials]
        if len(new) == len(there):  # a condition is shorter than a list of ids
            found = read_trials(connection, ours & (t.trial_id > self._seen))
        else:
            found = read_trials(connection, t.trial_id.in_(new)) if new else []
        again = list(self._unfinished)
        last = next(reversed(self.trials), -1)
        for trial in found:
            self.add(trial)
        if again:
            for trial in read_trials(connection, t.trial_id.in_(again)):
                self.put(trial)
        self._seen = max([self._seen, *there])
        if new and new[0] < last:  # another process's trial before our own latest
            self.trials = dict(sorted(self.trials.items()))
        return new

    def witness(self) -> FrozenTrial | None:
        """A trial whose start tells this study from a later one of the same id and name."""
        for trial in self.trials.values():
            if trial.state.is_finished() and trial.datetime_start is not None:
                return trial  # nobody can change it any more
        own = self.trials.get(self._own)
        return None if own is None or own.state == TrialState.WAITING else own

    def trial(self, trial_id: int) -> FrozenTrial:
        """A trial by its id; not to be changed."""
        try:
            return self.trials[trial_id]
        except KeyError:
            raise KeyError(f"No trial with trial_id {trial_id} exists.") from None

    def add(self, trial: FrozenTrial) -> None:
        """Take in a trial that was not known before."""
        for name, distribution in trial.distributions.items():
            self._distributions.setdefault(name, distribution)
        self.put(trial)

    def add_own(self, trial: FrozenTrial) -> None:
        """Take in a trial that this process has made."""
        if self._own not in self.trials and trial.datetime_start is not None:
            self._own = trial._trial_id
        self.add(trial)

    def put(self, trial: FrozenTrial) -> None:
        """Put a changed copy in the place of a trial."""
        if self._asked:
            trial = self._as_asked(trial)
        self.trials[trial._trial_id] = trial
        if trial.state.is_finished():
            self._unfinished.discard(trial._trial_id)
            self._compare(trial)
        else:
            self._unfinished.add(trial._trial_id)

    def select(self, states: Container[TrialState] | None) -> list[FrozenTrial]:
        """The trials in some states, or all."""
        if states is None:
            return list(self.trials.values())
        if not any(state.is_finished() and state in states for state in TrialState):
            return [
                self.trials[i] for i in sorted(self._unfinished) if self.trials[i].state in states
            ]
        return [trial for trial in self.trials.values() if trial.state in states]

    def best_trial(self) -> FrozenTrial:
        """The trial of best value.

        Raises:
            RuntimeError: trials of this study have several values.
            ValueError: none is complete.
        """
        if len(self.directions) > 1:
            raise RuntimeError("Best trial can be obtained only for single-objective optimization.")
        if self._best is None:
            raise ValueError("No trials are completed yet.")
        return self._best

    def check_distribution(self, name: str, distribution: BaseDistribution) -> None:
        """Whether a parameter may have a distribution, given what it had before in this study.

        Raises:
            ValueError: it may not.
        """
        before = self._distributions.get(name)
        if before is None or before is distribution:
            return
        if isinstance(before, CategoricalDistribution) and before != distribution:
            # A tuple comes back from the database as a list.
            before, distribution = as_stored(before), as_stored(distribution)
        check_distribution_compatibility(before, distribution)

    def keep_distribution(self, name: str, distribution: BaseDistribution) -> None:
        """Remember a distribution that `check_distribution` has let pass.

        Choices which the database gives back in another form get the one that this process asks
        for, in all trials: samplers compare them.
        """
        before = self._distributions.setdefault(name, distribution)
        if isinstance(before, CategoricalDistribution) and before != distribution:
            self._distributions[name] = distribution
            self._asked[name] = distribution
            self.trials = {i: self._as_asked(trial) for i, trial in self.trials.items()}
            self._best = None if self._best is None else self.trials[self._best._trial_id]

    def _as_asked(self, trial: FrozenTrial) -> FrozenTrial:
        """A trial with its choices in the form in which this process asks for them."""
        for name, asked in self._asked.items():
            given = trial.distributions.get(name)
            if given is not None and given != asked:
                place = given.to_internal_repr(trial.params[name])
                trial = copy.copy(trial)
                trial.params = {**trial.params, name: asked.to_external_repr(place)}
                trial.distributions = {**trial.distributions, name: asked}
        return trial

    def _compare(self, trial: FrozenTrial) -> None:
        if trial.state != TrialState.COMPLETE or len(self.directions) > 1:
            return
        if self._best is not None:
            assert trial.value is not None
            assert self._best.value is not None
            gain = trial.value - self._best.value
            if self.directions[0] == StudyDirection.MINIMIZE:
                gain = -gain
            # Two infinities of one sign have no difference, and then the first one stays.
            if not gain > 0:
                return
        self._best = trial


class Gone:
    """Ids of what was deleted: whoever still has one means what it was, not what has it now."""

    def __init__(self) -> None:
        self._ids: set[int] = set()
        self.last = 0

    def __bool__(self) -> bool:
        return bool(self._ids)

    def __contains__(self, number: object) -> bool:
        return number in self._ids

    def add(self, ids: Iterable[int]) -> None:
        """Note that something is gone."""
        self._ids.update(ids)
        self.last = max(self._ids, default=0)

    def give_back(self, ids: Iterable[int]) -> None:
        """Note that somebody was told anew what an id means."""
        self._ids.difference_update(ids)


class Cache:
    """The studies in memory, and the ids that mean nothing any more.

    Attributes:
        version: of the database, whose content this is; see `Connection.version`.
        gone_studies: the ids of deleted studies.
        gone_trials: the ids of deleted trials.
    """

    def __init__(self) -> None:
        self.version: object = None
        self.gone_studies, self.gone_trials = Gone(), Gone()
        self._studies: dict[int, StudyInMemory] = {}
        self._study_of: dict[int, int] = {}  # by trial id

    def __bool__(self) -> bool:
        return bool(self._studies)

    def study(self, study_id: int) -> StudyInMemory | None:
        """A study, None if it has not been read.

        Raises:
            KeyError: it was deleted, and the id is another's now.
        """
        study = self._studies.get(study_id)
        if study is None and study_id in self.gone_studies:
            raise KeyError(f"No study with study_id {study_id} exists.")
        return study

    def study_of(self, trial_id: int) -> StudyInMemory | None:
        """The study of a trial, None if it has not been read.

        Raises:
            KeyError: the trial was deleted, and the id is another's now.
        """
        study = self._studies.get(self._study_of.get(trial_id, -1))
        if study is None and trial_id in self.gone_trials:
            raise KeyError(f"No trial with trial_id {trial_id} exists.")
        return study

    def read(self, connection: sa.Connection, study_id: int) -> StudyInMemory:
        """Read a study.

        Raises:
            KeyError: the database has none of that id.
        """
        study = StudyInMemory(_one(connection, study_id))
        study.refresh(connection)
        self._studies[study_id] = study
        self._study_of.update(dict.fromkeys(study.trials, study_id))
        return study

    def refresh(self, connection: sa.Connection) -> None:
        """Take in what others have written."""
        self.forget_gone(connection)
        for study_id, study in self._studies.items():
            self._study_of.update(dict.fromkeys(study.refresh(connection), study_id))

    def add_trial(self, study: StudyInMemory, trial: FrozenTrial) -> None:
        """Take in a trial that this process has made."""
        study.add_own(trial)
        self._study_of[trial._trial_id] = study.study_id

    def let_go(self, study: StudyInMemory) -> None:
        """Have a study read anew when it is asked for."""
        self._studies.pop(study.study_id, None)
        for trial_id in study.trials:
            self._study_of.pop(trial_id, None)

    def clear(self) -> None:
        """Let go of all studies."""
        self._studies.clear()
        self._study_of.clear()

    def forget(self, study: StudyInMemory) -> None:
        """Drop a study that was deleted."""
        self.let_go(study)
        self.gone_studies.add([study.study_id])
        self.gone_trials.add(study.trials)

    def forget_gone(self, connection: sa.Connection) -> list[StudyInMemory]:
        """Drop the studies that the database does not have any more, and return them.

        SQLite gives the ids of what was deleted to what is made next; so a study of the same id is
        the same one only if it has a trial that began at the same time, whatever it is called by
        now; and the same name, as long as there is no such trial.
        """
        if not self._studies:
            return []
        known = tables()
        s, t = known.studies.c, known.trials.c
        witnesses = {study_id: study.witness() for study_id, study in self._studies.items()}
        ids = [trial._trial_id for trial in witnesses.values() if trial is not None]
        mine = (t.study_id == s.study_id) & t.trial_id.in_(ids)
        query = sa.select(s.study_id, s.study_name, t.datetime_start).select_from(
            known.studies.outerjoin(known.trials, mine)
        )
        rows = connection.execute(query.where(s.study_id.in_(witnesses)))
        there = {study_id: (name, start) for study_id, name, start in rows}

        def is_gone(study: StudyInMemory) -> bool:
            name, start = there.get(study.study_id, (None, None))
            witness = witnesses[study.study_id]
            if witness is None:
                return bool(name != study.name)
            return name is None or bool(start != to_utc(witness.datetime_start))

        found = [study for study in self._studies.values() if is_gone(study)]
        for study in found:
            self.forget(study)
        return found


def _one(connection: sa.Connection, study_id: int) -> FrozenStudy:
    found = read_studies(connection, tables().studies.c.study_id == study_id)
    if not found:
        raise KeyError(f"No study with study_id {study_id} exists.")
    return found[0]
