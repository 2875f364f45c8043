"""What people ask of the server's studies: to submit, to steer, and to look.

All of it is read from the database, and written there; the desk adds who has a trial just now.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import sqlalchemy as sa
from pydantic import BaseModel

from hpsearch.engine import record
from hpsearch.engine.budget import plan_search
from hpsearch.engine.first import beginning_with, winner_first
from hpsearch.engine.identity import check_study, kept_study_file
from hpsearch.engine.metadata import read_metadata
from hpsearch.errors import UnknownNameError, UsageError, shown
from hpsearch.service import queue
from hpsearch.service.adding import add_finished, with_first
from hpsearch.service.alike import ALLOWED_MODULES
from hpsearch.service.bench import utc_now
from hpsearch.service.desk import Desk
from hpsearch.service.drivers import Drivers
from hpsearch.service.leases import LeaseRow, rows_of
from hpsearch.service.logs import about
from hpsearch.service.models import LARGEST, Added, State, Study, Trial, Trials
from hpsearch.service.overview import About, Overview, trials_after
from hpsearch.service.problems import ConflictError
from hpsearch.service.queue import Queued
from hpsearch.service.views import add_holder, found_study, submitted_study, trial_of
from hpsearch.storage import load_study
from hpsearch.storage.optuna_schema import tables
from hpsearch.storage.rows import read_trials
from hpsearch.study_file import StudyFile

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

    from hpsearch.storage import WriteBehindStorage

__all__ = ["PLACES", "Shelf"]

PLACES = ("path", "validation_path", "test_path", "folder")
"""The keys of [data] that name a file or a folder."""

MOST_RUNNING = 1000
"""Trials that are told as being under way."""

ENDS = 10.0
"""Seconds in which a study that is to be deleted ends at another server."""

log = logging.getLogger("hpsearch.service")


class Shelf:
    """The server's studies.

    Args:
        store: of the server's own, beside those of the drivers.
        desk: knows who does what.
        drivers: run the studies.
        folder: where data of submitted studies may lie.
        most: how many studies there may be.
        most_trials: how many trials each of them may have.
        modules: packages beside `ALLOWED_MODULES` whose estimators may be asked for.
    """

    def __init__(
        self,
        store: WriteBehindStorage,
        desk: Desk,
        drivers: Drivers,
        folder: Path,
        *,
        most: int = 10_000,
        most_trials: int = 1_000_000,
        modules: tuple[str, ...] = (),
    ) -> None:
        self.store, self.desk, self.drivers = store, desk, drivers
        self.folder, self._most, self._most_trials = folder.resolve(), most, most_trials
        self._modules = (*ALLOWED_MODULES, *modules)
        self.overview = Overview()

    # Submitting

    def submit(
        self,
        study: StudyFile,
        owner: str,
        *,
        priority: int = 0,
        max_parallel: int | None = None,
        baselines: bool = True,
        first: str | None = None,
        uploads: Mapping[str, Path] | None = None,
    ) -> tuple[Study, bool]:
        """Queue a study.

        Args:
            study: what to run; one that others have run in this database goes on.
            owner: who submits it.
            priority: the greater is served first.
            max_parallel: trials at the same time; None for any number.
            baselines: whether simple models are set beside the winner.
            first: a study whose winner is tried first.
            uploads: files that came along, by the names that the study has for them.

        Returns:
            The study, and whether it is new: the same again is the one that is there.

        Raises:
            ConflictError: there is another one of its name.
            UsageError: it cannot be run here.
        """
        _check_address(study.name)
        study = self.placed(study, uploads or {})
        self._check_code(study)
        study = self._going_on(study, first)
        self._check_trials(study)
        if first is not None:
            self._check_first(study, first)
        file = study.model_dump_json()
        options = {"baselines": baselines, "first": first, "who": owner}
        with self.store.transaction() as connection:
            queue.keep_to_oneself(connection)
            before = queue.queued(connection, study.name)
            if before is not None:
                if _same(before.study, study):
                    return self._study(connection, before), False
                raise ConflictError(
                    f"the server has a study {study.name!r} already, with other settings; give "
                    "yours another name (--name), or delete that one"
                )
            if queue.doomed(connection, study.name):
                raise ConflictError(
                    f"the study {study.name!r} is being deleted just now; submit yours again in a "
                    "moment, or give it another name (--name)"
                )
            if len(queue.all_queued(connection)) >= self._most:
                raise ConflictError(
                    f"the server has {self._most} studies already; delete some that are over"
                )
            now = utc_now()
            row = Queued(
                study.name,
                owner,
                priority,
                max_parallel,
                "queued",
                "",
                now,
                now,
                file,
                json.dumps(options),
            )
            queue.add(connection, row)
            found = self._study(connection, row)
        self.drivers.wake()
        log.info("study submitted", extra=about(study=study.name, token=owner))
        return found, True

    def placed(self, study: StudyFile, uploads: Mapping[str, Path]) -> StudyFile:
        """A study whose files lie where this server may read them.

        Raises:
            UsageError: one lies elsewhere.
        """
        places: dict[str, str] = {}
        for key in PLACES:
            given = getattr(study.data, key)
            if given is None:
                continue
            place = uploads.get(given) or _resolved(self.folder, given, key)
            if given not in uploads and not place.is_relative_to(self.folder):
                raise UsageError(
                    f"[data] {key} is {given!r}, which is not in the server's data folder; name a "
                    "file in it by its path there, or send yours along (`hpsearch submit` does)",
                    key=key,
                )
            if not place.exists():
                raise UsageError(
                    f"[data] {key} is {given!r}, which is neither in the server's data folder nor "
                    "came along",
                    key=key,
                )
            if place.is_dir() != (key == "folder"):
                kind = "a folder" if place.is_dir() else "a file"
                raise UsageError(f"[data] {key} is {given!r}, which is {kind} here", key=key)
            places[key] = str(place)
        changed: dict[str, Any] = {"data": study.data.model_copy(update=places)} if places else {}
        if study.objective.folder is not None:  # of the machine that it comes from
            changed["objective"] = study.objective.model_copy(update={"folder": None})
        return study.model_copy(update=changed)

    def _going_on(self, study: StudyFile, first: str | None) -> StudyFile:
        """A study as it is submitted; if others have run it here, with as many trials as it has.

        Raises:
            ConflictError: the one of its name is another one.
        """
        with self.store.connection.reading() as connection:
            if queue.queued(connection, study.name) or queue.doomed(connection, study.name):
                return study  # its file is compared with what was submitted
            if self._about(connection, study.name) is None:
                return study
        try:
            target = load_study(self.store, study.name)
            taken = winner_first(self.store, study, first)
            check_study(target, study if taken is None else beginning_with(study, taken))
            before = kept_study_file(target)
        except UnknownNameError:  # deleted just now, by others
            return study
        except UsageError as error:
            raise ConflictError(f"{error} (`--name`)") from None
        trials = 0 if before is None else before.search.trials
        if trials <= study.search.trials:
            return study
        search = study.search.model_copy(update={"trials": trials})
        return study.model_copy(update={"search": search})

    def _check_trials(self, study: StudyFile) -> None:
        if (trials := plan_search(study).trials) > self._most_trials:
            raise UsageError(
                f"the study has {trials:,} trials, and a study of this server at most "
                f"{self._most_trials:,}",
                key="trials",
            )

    def _check_first(self, study: StudyFile, first: str) -> None:
        """Refuse at once what the study's driver would refuse as it begins."""
        try:
            winner_first(self.store, study, first)
        except UnknownNameError:
            with self.store.connection.reading() as connection:
                waits = queue.queued(connection, first) is not None
            why = f"which is {'not searched' if waits else 'not here'} yet"
            raise UsageError(f"--first names {first!r}, {why}", key="first") from None
        except UsageError as error:
            raise UsageError(str(error), key="first") from None

    def _check_code(self, study: StudyFile) -> None:
        path = study.objective.estimator
        if path is None:
            return
        module, _, name = path.partition(":") if ":" in path else path.rpartition(".")
        if module.partition(".")[0] not in self._modules:
            raise UsageError(
                f"the server makes estimators of {', '.join(self._modules)} only, and {path} is "
                "none of these; whoever runs it allows others with --allow-module",
                key="estimator",
            )
        if not name.isidentifier() or not all(map(str.isidentifier, module.split("."))):
            raise UsageError(
                f"the estimator {shown(path)} is not named as MODULE.NAME or MODULE:NAME",
                key="estimator",
            )
        given = [study.fixed, study.space, *study.first]
        for key, value in [pair for table in given for pair in table.items()]:
            if place := next(filter(_is_place, _texts(value)), None):
                raise UsageError(
                    f"{key} is {shown(place)}, a path, which an estimator would read or write on "
                    "the machine that fits it; leave it out",
                    key=key,
                )

    # Steering

    def steer(self, name: str, state: State, who: str) -> Study:
        """Pause, resume or stop a study.

        Args:
            name: of the study.
            state: paused, queued (resume) or stopped.
            who: asks for it.

        Raises:
            UnknownNameError: there is no such study.
            ConflictError: it was not submitted here, or is over.
        """
        with self.store.transaction() as connection:
            row = self._row(connection, name)
            over = row.state in ("finished", "failed") or (
                row.state == "stopped" and state == "paused"
            )
            if row.state == "failed" and state == "queued":
                over = False
            if over and row.state != state:
                raise ConflictError(
                    f"the study {name!r} is {row.state}; there is nothing to {_VERBS[state]}"
                )
            if row.state == state or (state == "queued" and row.state == "running"):
                return self._study(connection, row)
            changed = queue.change(connection, name, state, f"{_DONE[state]} by {who}", who)
            assert changed is not None
            found = self._study(connection, changed)
        self.drivers.steer(changed)
        log.info("study %s", _DONE[state], extra=about(study=name, token=who))
        return found

    def extend(self, name: str, trials: int, who: str) -> Study:
        """Give a study a larger number of trials in all.

        Args:
            name: of the study.
            trials: how many in all.
            who: asks for it.

        Raises:
            UnknownNameError: there is no such study.
            ConflictError: it was not submitted here, or has more trials already.
        """
        with self.store.transaction() as connection:
            row = self._row(connection, name)
            study = row.study
            if trials < study.search.trials:
                raise ConflictError(
                    f"the study {name!r} has {study.search.trials} trials in all, which can only "
                    "grow"
                )
            if trials == study.search.trials:
                return self._study(connection, row)
            search = study.search.model_copy(update={"trials": trials})
            larger = study.model_copy(update={"search": search})
            self._check_trials(larger)
            state: State = row.state if row.state in ("paused", "stopped") else "queued"
            changed = queue.change(
                connection,
                name,
                state,
                f"extended to {trials} trials by {who}",
                who,
                file=larger.model_dump_json(),
            )
            assert changed is not None
            found = self._study(connection, changed)
        self.drivers.wake()
        log.info("study extended", extra=about(study=name, token=who, trials=trials))
        return found

    def rank(self, name: str, priority: int | None, max_parallel: int | None) -> Study:
        """Give a study another place among the others.

        Args:
            name: of the study.
            priority: the greater is served first; None leaves it as it is.
            max_parallel: trials at the same time; likewise.

        Raises:
            UnknownNameError: there is no such study.
            ConflictError: it was not submitted here.
        """
        values = {"priority": priority, "max_parallel": max_parallel}
        with self.store.transaction() as connection:
            self._row(connection, name)
            given = {k: v for k, v in values.items() if v is not None}
            changed = queue.change(connection, name, **cast("Any", given))
            assert changed is not None
            found = self._study(connection, changed)
        self.drivers.wake()
        return found

    def retry(self, name: str, trial: Trial, who: str) -> Study:
        """Have a failed slot tried again.

        Args:
            name: of the study.
            trial: of the slot.
            who: asks for it.

        Raises:
            ConflictError: it has not failed, is tried again already, or is run elsewhere.
        """
        if trial.state != "failed" or trial.slot is None:
            raise ConflictError(
                f"trial {trial.number} of {name!r} is {trial.state}; only a slot that failed is "
                "tried again"
            )
        where = self.drivers.leaders.known.get(name)
        if where is not None:
            raise ConflictError(f"the study {name!r} is run by {where}; ask there")
        with self.drivers.without(name) as has_ended:
            if not has_ended:
                raise ConflictError(f"the driver of {name!r} is busy just now; try again")
            with self.store.group(), self.store.transaction() as connection:
                row = self._row(connection, name)
                study_id, failed = self._failed(connection, name, trial)
                record.retry_trial(self.store, study_id, failed)
                if row.state not in ("paused", "stopped"):
                    why = f"trial {trial.number} is tried again, by {who}"
                    queue.change(connection, name, "queued", why, who)
            found = self.study(name)
        log.info("slot tried again", extra=about(study=name, trial=trial.trial, token=who))
        return found

    def _failed(
        self, connection: sa.Connection, name: str, trial: Trial
    ) -> tuple[int, FrozenTrial]:
        """A failed trial whose slot nobody has tried again yet, and the id of its study.

        Raises:
            UnknownNameError: it is gone, with its study.
            ConflictError: somebody has.
        """
        t = tables().trials.c
        try:
            study_id = self.store.get_study_id_from_name(name)
        except KeyError:
            raise self._unknown_trial(trial.trial) from None
        later_too = (t.study_id == study_id) & (t.number >= trial.number)
        found = read_trials(connection, later_too)
        if not found or str(found[0]._trial_id) != trial.trial:
            raise self._unknown_trial(trial.trial)
        here, *later = found
        place = (trial.stage, trial.slot)
        for other in later:
            known = other.user_attrs
            if (known.get("stage"), known.get("slot")) == place and other.state.name != "FAIL":
                raise ConflictError(f"the slot of trial {trial.number} is tried again already")
        return study_id, here

    def delete(self, name: str) -> None:
        """Delete a study with all that is known of it; whoever works for it is told to stop.

        From the first moment it is none to all others; see `hpsearch.service.deleting`.

        Raises:
            UnknownNameError: there is no such study.
            ConflictError: it was not submitted here; or whoever runs it does not end, after which
                it is deleted.
        """
        with self.store.transaction() as connection:
            if not queue.doomed(connection, name):
                queue.doom(connection, self._row(connection, name))
        end = time.monotonic() + ENDS
        while True:
            self.drivers.wake()
            time.sleep(0.02)
            with self.store.connection.reading() as connection:
                if not queue.doomed(connection, name):
                    return
            if time.monotonic() > end:
                break
        where = self.drivers.leaders.known.get(name, "this server")
        raise ConflictError(
            f"the study {name!r} is run by {where} still, and is deleted as soon as that has ended"
        )

    # Looking

    def studies(self, only: str | None = None) -> list[Study]:
        """All studies, the latest first; those that others have run in this database too.

        Args:
            only: the one that may be seen; None for all.
        """
        with self.store.connection.reading() as connection:
            rows = {row.name: row for row in queue.all_queued(connection)}
            doomed = queue.doomed(connection)
            there = self.overview.studies(connection)
        abouts = {about.name: about for about in there if about.name not in doomed}
        found = [submitted_study(row, abouts.get(name)) for name, row in rows.items()]
        found += [found_study(about) for name, about in abouts.items() if name not in rows]
        found.sort(key=lambda study: study.submitted, reverse=True)
        return [self._at_work(study) for study in found if only in (None, study.name)]

    def study(self, name: str) -> Study:
        """A study.

        Raises:
            UnknownNameError: there is none.
        """
        with self.store.connection.reading() as connection:
            row, about = self._known(connection, name)
        if row is not None:
            return self._at_work(submitted_study(row, about))
        assert about is not None, "it was found somewhere"
        return found_study(about)

    def trials(self, name: str, since: int, limit: int) -> Trials:
        """Trials of a study that may have changed; see `trials_after`.

        Raises:
            UnknownNameError: there is no such study.
        """
        with self.store.connection.reading() as connection:
            row, about = self._known(connection, name)
            if about is None:
                return Trials(trials=[], since=0)
            found, after, more = trials_after(connection, about, since, limit)
            leases = self._leases_of(connection, about.study_id, found)
        also = self._also(name, row)
        told = [self._trial(trial, name, row, leases, also) for trial in found]
        return Trials(trials=told, since=after, more=more)

    def trial(self, trial_id: str) -> tuple[str, Trial]:
        """A trial by its id, and the name of its study.

        Raises:
            UnknownNameError: there is none.
        """
        known = tables()
        t, s = known.trials.c, known.studies.c
        with self.store.connection.reading() as connection:
            found = read_trials(connection, t.trial_id == _number(trial_id))
            if not found:
                raise self._unknown_trial(trial_id)
            query = known.trials.join(known.studies, t.study_id == s.study_id)
            name, study_id = connection.execute(
                sa.select(s.study_name, s.study_id)
                .select_from(query)
                .where(t.trial_id == found[0]._trial_id)
            ).one()
            row, _ = self._known(connection, name)
            leases = {found[0]._trial_id: rows_of(connection, study_id, str(found[0]._trial_id))}
        return name, self._trial(found[0], name, row, leases, self._also(name, row))

    def running(self, name: str) -> Trials:
        """The trials of a study that somebody has just now.

        Raises:
            UnknownNameError: there is no such study.
        """
        t = tables().trials.c
        with self.store.connection.reading() as connection:
            row, about = self._known(connection, name)
            if about is None:
                return Trials(trials=[], since=0)
            under_way = (t.study_id == about.study_id) & (t.trial_id > about.settled)
            under_way &= t.state == "RUNNING"
            query = sa.select(t.trial_id).where(under_way).order_by(t.trial_id)
            ids = list(connection.execute(query.limit(MOST_RUNNING)).scalars())
            found = read_trials(connection, t.trial_id.in_(ids))
            leases = self._leases_of(connection, about.study_id, found)
        told = [self._trial(trial, name, row, leases, ()) for trial in found]
        return Trials(trials=[t for t in told if t.state == "running"], since=about.settled)

    def numbered(self, name: str, number: int) -> Trial:
        """A trial of a study by its number.

        Raises:
            UnknownNameError: there is no such study, or no such trial.
        """
        t = tables().trials.c
        with self.store.connection.reading() as connection:
            _, about = self._known(connection, name)
            ours = sa.false() if about is None else t.study_id == about.study_id
            query = sa.select(t.trial_id).where(ours, t.number == number)
            trial_id = connection.execute(query).scalar()
        if trial_id is None:
            raise UnknownNameError("trial", str(number), ["see the trials of the study"])
        return self.trial(str(trial_id))[1]

    def add(self, name: str, added: Added, who: str, asked: str | None = None) -> Trial:
        """Take in a trial from elsewhere: finished, or known to be good and to be tried first.

        Args:
            name: of the study.
            added: the trial.
            who: adds it.
            asked: who asks, and the idempotency key; the same again is the same trial.

        Raises:
            UnknownNameError: there is no such study.
            ConflictError: it was not submitted here; or a configuration is to be tried first and it
                has begun; or one with a value is to be added and it has not.
            UsageError: it has not the study's parameters.
        """
        if added.value is None:
            return self._add_first(name, added)
        with self.store.group(), self.store.transaction() as connection:
            row = self._row(connection, name)
            about = self._about(connection, name)
            if about is not None and sum(about.states.values()) >= self._most_trials:
                raise ConflictError(f"the study {name!r} has {self._most_trials:,} trials already")
            trial_id = add_finished(self.store, row.study, added, who, asked)
        return self.trial(trial_id)[1]

    def _add_first(self, name: str, added: Added) -> Trial:
        """Have a study that has not begun try a configuration before all others."""
        given: Any = dict(added.configuration)
        with self.store.transaction() as connection:
            row = self._row(connection, name)
            if row.has_begun or self._about(connection, name) is not None:
                raise ConflictError(
                    f"the study {name!r} has begun, and what is to be tried first comes before "
                    "that; submit a new one with it as [[first]], or add it with its value"
                )
            changed = with_first(row.study, given)
            self._check_code(changed)
            queue.change(connection, name, file=changed.model_dump_json())
        self.drivers.wake()
        return Trial(
            trial="",
            number=changed.first.index(given),
            state="waiting",
            why="it is tried first",
            configuration=added.configuration,
        )

    # Parts

    def _known(self, connection: sa.Connection, name: str) -> tuple[Queued | None, About | None]:
        """What the queue has of a study, and what the database has of its trials.

        Raises:
            UnknownNameError: neither has any.
        """
        row, about = queue.queued(connection, name), self._about(connection, name)
        if row is None and (about is None or queue.doomed(connection, name)):
            raise self._unknown(name)
        return row, about

    def _about(self, connection: sa.Connection, name: str) -> About | None:
        return next(iter(self.overview.studies(connection, name)), None)

    def _row(self, connection: sa.Connection, name: str) -> Queued:
        """A study that was submitted, and that nobody else changes until the transaction ends.

        Raises:
            UnknownNameError: there is none of this name.
            ConflictError: others have run it in this database.
        """
        row = queue.queued(connection, name, lock=True)
        if row is None:
            self._known(connection, name)
            raise ConflictError(
                f"the study {name!r} is in this database and was not submitted to the server; "
                "`hpsearch run` goes on with it, and once its file is submitted, the server does"
            )
        return row

    def _unknown(self, name: str) -> UnknownNameError:
        names = [study.name for study in self.studies()]
        return UnknownNameError("study", name, names or ["none yet"])

    def _unknown_trial(self, trial_id: str) -> UnknownNameError:
        return UnknownNameError("trial", trial_id, ["GET /v1/studies/{name}/trials has them"])

    def _study(self, connection: sa.Connection, row: Queued) -> Study:
        return self._at_work(submitted_study(row, self._about(connection, row.name)))

    def _at_work(self, study: Study) -> Study:
        """A study of which only those trials run that somebody has; the others wait.

        What is queued says why it has no driver.
        """
        why = self.drivers.waits.get(study.name)
        if why is not None and study.state == "queued":
            study = study.model_copy(update={"why": why})
        begun = study.trials.get("running", 0)
        with self.desk.lock:
            bench = self.desk.benches.get(study.name)
            if bench is None or not begun:
                return study
            on_desk, waiting = (
                sum(item.number is not None for item in items)
                for items in (bench.items.values(), bench.waiting)
            )
        at_work = min(begun, on_desk - waiting)
        rest = study.trials.get("waiting", 0) + begun - at_work
        counts = study.trials | {"running": at_work, "waiting": rest}
        return study.model_copy(update={"trials": {k: n for k, n in counts.items() if n}})

    def _leases_of(
        self, connection: sa.Connection, study_id: int, trials: list[FrozenTrial]
    ) -> dict[int, list[LeaseRow]]:
        """The leases of those trials that are not finished."""
        return {
            trial._trial_id: rows_of(connection, study_id, str(trial._trial_id))
            for trial in trials
            if not trial.state.is_finished()
        }

    def _also(self, name: str, row: Queued | None) -> Sequence[str]:
        """What a study records beside its metric."""
        if row is not None:
            return row.study.objective.also
        file = read_metadata(load_study(self.store, name), "study file")
        return [] if file is None else file.get("objective", {}).get("also", [])

    def _trial(
        self,
        trial: FrozenTrial,
        name: str,
        row: Queued | None,
        leases: Mapping[int, list[LeaseRow]],
        also: Sequence[str],
    ) -> Trial:
        told = trial_of(trial, also)
        if not trial.state.is_finished():
            waits, is_local = self.desk.has(name, told.trial)
            add_holder(told, row, leases.get(trial._trial_id, []), waits=waits, is_local=is_local)
        return told


_VERBS = {"paused": "pause", "stopped": "stop", "queued": "resume"}
_DONE = {"paused": "paused", "stopped": "stopped", "queued": "resumed"}


def _check_address(name: str) -> None:
    """Refuse a name that is no part of an address.

    Raises:
        UsageError: it has a slash, or means a folder.
    """
    if "/" in name or name in (".", ".."):
        raise UsageError(
            f"the study is called {name!r}, and a server's studies are asked for by an address "
            "that their name is a part of; use a name without a slash (--name)",
            key="name",
        )


def _resolved(folder: Path, given: str, key: str) -> Path:
    """A path that others gave, as it is in a folder.

    Raises:
        UsageError: no file can be called so.
    """
    try:
        place = (folder / given).resolve()
        place.exists()
    except (OSError, ValueError) as error:  # too long, or with a zero byte
        raise UsageError(
            f"[data] {key} is {shown(given)}, which no file is called: {error}", key=key
        ) from None
    return place


def _texts(value: object) -> Iterator[str]:
    """All texts in a value of a parameter, or in what is searched."""
    if isinstance(value, BaseModel):
        value = value.model_dump()
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, str):
        yield value
    elif isinstance(value, Sequence):
        for part in value:
            yield from _texts(part)


def _is_place(text: str) -> bool:
    return "/" in text or "\\" in text


def _same(kept: StudyFile, asked: StudyFile) -> bool:
    """Whether a study is the one that was submitted, which may have been extended since."""
    larger = kept.search.model_copy(update={"trials": asked.search.trials})
    return kept.model_copy(update={"search": larger}) == asked and (
        asked.search.trials <= kept.search.trials
    )


def _number(trial_id: str) -> int:
    is_number = trial_id.isascii() and trial_id.isdigit() and len(trial_id) < 18
    return int(trial_id) if is_number and int(trial_id) <= LARGEST else -1
