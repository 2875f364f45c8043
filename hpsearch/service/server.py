"""The server: its parts, when they begin and end, and what is told of it."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import shutil
import socket
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from hpsearch.dashboard.guard import in_url
from hpsearch.engine import record
from hpsearch.engine.events import Event, TrialDone
from hpsearch.file_names import file_name
from hpsearch.service import queue
from hpsearch.service.alike import MATTERS, versions
from hpsearch.service.data import etag_of, pack
from hpsearch.service.desk import Desk
from hpsearch.service.drawings import Drawings
from hpsearch.service.drivers import Drivers
from hpsearch.service.events import Events
from hpsearch.service.hands import Hands
from hpsearch.service.local import local_workers
from hpsearch.service.logs import Form, about
from hpsearch.service.metrics import Metrics
from hpsearch.service.models import Agent, Study, Trial
from hpsearch.service.presence import Presence
from hpsearch.service.problems import Problem
from hpsearch.service.studies import PLACES, ConflictError, Shelf
from hpsearch.service.telling import read_row
from hpsearch.service.tokens import Tokens
from hpsearch.service.verbs import Verbs
from hpsearch.storage import load_study, open_storage
from hpsearch.storage.own_tables import own_tables

if TYPE_CHECKING:
    from fastapi import FastAPI, Response

    from hpsearch.storage import WriteBehindStorage

__all__ = ["Server", "Settings"]

log = logging.getLogger("hpsearch.service")

PATIENCE = 5.0
"""Seconds in which the drivers of studies have to end when the server stops."""


@dataclass(frozen=True)
class Settings:
    """How a server is run.

    Attributes:
        storage: the database's name or URL.
        host: the address that it listens on.
        port: likewise.
        workers: processes of this machine that do trainings.
        data: the folder in which data of submitted studies may lie; None: beside the database.
        lease: seconds that a lease lasts without a sign of life.
        studies: how many of them are searched at once.
        most_studies: how many there may be.
        hosts: more names that the server is asked by.
        root_path: what a proxy puts before every path.
        modules: packages whose estimators may be asked for, beside the usual ones.
        url: where others reach it; None: host and port.
        log: how it tells what happens.
    """

    storage: str
    host: str = "127.0.0.1"
    port: int = 8765
    workers: int = 0
    data: Path | None = None
    lease: float = 60.0
    studies: int = 32
    most_studies: int = 10_000
    hosts: tuple[str, ...] = ()
    root_path: str = ""
    modules: tuple[str, ...] = ()
    url: str | None = None
    log: Form = "text"


class Server:
    """Everything that answers requests.

    Args:
        settings: how it is run.

    Raises:
        UsageError: another server has this SQLite file.
        StorageError: the database cannot be opened.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.store = open_storage(settings.storage)
        own = f"http://{in_url(settings.host)}:{settings.port}{settings.root_path}"
        self.presence = Presence(self.store, settings.url or own)
        self.tokens = Tokens(self.store)
        self.desk = Desk(seconds=settings.lease, read=read_row)
        self.events = Events()
        self.drivers = Drivers(
            self.store,
            self.desk,
            most=settings.studies,
            server=socket.gethostname(),
            on_study=self._heard,
        )
        folder = settings.data or _data_folder(self.store)
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder.resolve()
        self.uploads = self.folder / "uploads"
        self.uploads.mkdir(exist_ok=True)
        self.shelf = Shelf(
            self.store,
            self.desk,
            self.drivers,
            folder,
            most=settings.most_studies,
            modules=settings.modules,
        )
        self.drawings = Drawings(self.shelf)
        self.hands = Hands(
            self.store,
            self.desk,
            interval=settings.lease / 4,
            elsewhere=lambda: self.drivers.leaders.known,
        )
        self.verbs = Verbs(self.hands, self.check_versions)
        self.metrics = Metrics(self.shelf.studies, self.desk, self.hands, versions())
        self._present: dict[str, str] = {}  # as told last
        self._why = ""  # likewise
        self._ended: asyncio.Future[None] | None = None

    @asynccontextmanager
    async def running(self, _: FastAPI) -> AsyncIterator[None]:
        """Everything that goes on beside requests, for the time of a block."""
        self.events.loop = asyncio.get_running_loop()
        self.presence.begin()
        async with AsyncExitStack() as stack:
            stack.enter_context(local_workers(self.desk, self.settings.workers))
            self.drivers.start()
            expiring = asyncio.create_task(self._expire())
            try:
                yield
            finally:
                expiring.cancel()
                await self.wind_down()
                self.hands.close()
                self.drawings.close()
        await asyncio.to_thread(self._sign_off)

    def wind_down(self) -> asyncio.Future[None]:
        """Have everything end that would go on for ever: what is answered is answered soon.

        Returns:
            Done when no study is driven any more.
        """
        if self._ended is None:
            self.desk.send_home()
            self.events.close()
            stop = asyncio.to_thread(self.drivers.stop, PATIENCE)
            self._ended = asyncio.ensure_future(stop)
        return self._ended

    async def _expire(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            try:
                await self.hands.expire()
            except Exception as error:  # a full disk: the next look may get through
                log.warning("leases cannot be looked through", extra=about(why=str(error)))
            self._call_the_roll()

    def _call_the_roll(self) -> None:
        """Tell who has come and who is gone."""
        before, self._present = self._present, self.desk.present()
        for name in self._present.keys() - before:
            log.info("agent seen", extra=about(agent=name, token=self._present[name] or None))
        for name in before.keys() - self._present:
            log.info("agent gone", extra=about(agent=name, token=before[name] or None))

    def _heard(self, name: str, event: Event | None) -> None:
        if event is None:
            self.events.happened(name, "study")
        elif isinstance(event, TrialDone):
            self.events.happened(name, "trial")

    # What is told of studies

    def live(self, study: Study) -> Study:
        """A study with what only its driver knows."""
        left = self.drivers.left(study.name) if study.state == "running" else None
        return study if left is None else study.model_copy(update={"left": round(left, 1)})

    def best(self, name: str) -> dict[str, Any]:
        """What a study came to, in terms of JSON."""
        from hpsearch.engine.summary import summarize
        from hpsearch.engine.tested import read_seen
        from hpsearch.service.documents import best_document

        study = load_study(self.store, self._begun(name))
        return best_document(summarize(study), read_seen(study))

    def advice(self, name: str) -> dict[str, Any]:
        """What to run next, in terms of JSON."""
        from hpsearch.advice import advise_study

        document: dict[str, Any] = advise_study(self.store, self._begun(name)).document()
        data = document["next"].get("data", {})
        for key in PLACES:  # as a study that is submitted names them
            if key in data and Path(data[key]).is_relative_to(self.folder):
                data[key] = Path(data[key]).relative_to(self.folder).as_posix()
        return document

    def export(self, name: str, to: str) -> tuple[bytes, str]:
        """The trials of a study as a table, and its media type."""
        from hpsearch.engine.summary import summarize
        from hpsearch.export.to_table import csv_bytes, parquet_bytes

        summary = summarize(load_study(self.store, self._begun(name)))
        if to == "csv":
            return csv_bytes(summary), "text/csv; charset=utf-8"
        return parquet_bytes(summary), "application/vnd.apache.parquet"

    def report(self, name: str) -> str:
        """The report of a study, one HTML page."""
        from hpsearch.report import page_of

        return page_of(self.store, [self._begun(name)], None)

    def _begun(self, name: str) -> str:
        """A study that there is something to tell of.

        Raises:
            UnknownNameError: there is none.
            ConflictError: it has not begun.
        """
        study = self.shelf.study(name)
        if not study.trials:
            raise ConflictError(f"the study {name!r} has no trials yet; it is {study.state}")
        return name

    def retry(self, name: str, trial: Trial, who: str) -> Study:
        """Have a failed slot tried again."""
        if trial.state != "failed" or trial.slot is None:
            raise ConflictError(
                f"trial {trial.number} of {name!r} is {trial.state}; only a slot that failed is "
                "tried again"
            )
        with self.store.connection.reading() as connection:
            row = queue.queued(connection, name)
        if row is None:
            raise ConflictError(f"the study {name!r} was not submitted here")
        where = self.drivers.leaders.known.get(name)
        if where is not None:
            raise ConflictError(f"the study {name!r} is run by {where}; ask there")
        with self.drivers.without(name) as has_ended:
            if not has_ended:
                raise ConflictError(f"the driver of {name!r} is busy just now; try again")
            study = load_study(self.store, name)
            trials = study.get_trials(deepcopy=False)
            place = (trial.stage, trial.slot)
            for other in trials[trial.number + 1 :]:
                known = other.user_attrs
                if (known.get("stage"), known.get("slot")) == place and other.state.name != "FAIL":
                    raise ConflictError(f"the slot of trial {trial.number} is tried again already")
            record.retry_trial(self.store, study._study_id, trials[trial.number])
            self.store.flush()
            if row.state not in ("paused", "stopped"):
                with self.store.transaction() as connection:
                    why = f"trial {trial.number} is tried again, by {who}"
                    queue.change(connection, name, "queued", why, who)
            found = self.shelf.study(name)
        log.info("slot tried again", extra=about(study=name, trial=trial.trial, token=who))
        return found

    def keep_files(self, files: Mapping[str, Path]) -> dict[str, Path]:
        """Keep files that came along, each once, by what is in it."""
        kept = {}
        for name, place in files.items():
            with place.open("rb") as content:
                digest = hashlib.file_digest(content, "sha256").hexdigest()
            folder = self.uploads / digest
            folder.mkdir(exist_ok=True)
            # Its kind is read from the end of its name, and the data are called as the rest of it.
            own = Path(name.replace("\\", "/"))
            suffix = "".join(own.suffixes[-2:])[:20]
            safe = "".join(sign for sign in suffix if sign.isalnum() or sign in ".-_")
            target = folder / f"{file_name(own.name.removesuffix(suffix))}{safe}"
            if not target.exists():
                part = target.with_name(f"{target.name}.{uuid4().hex}")
                shutil.move(place, part)
                part.replace(target)
            kept[name] = target
        return kept

    # What is told of the server

    def about(self) -> dict[str, Any]:
        """Versions, and where it stands."""
        return {
            "server": self.presence.server,
            "versions": versions(),
            "started": self.presence.started,
            "storage": self.store.url if self.store.connection.tells_version else "postgresql",
            "workers": self.settings.workers,
            "lease": self.settings.lease,
        }

    def agents(self) -> list[dict[str, Any]]:
        """This server's own workers, and who has asked for work lately, or has some."""
        now = time.monotonic()
        with self.desk.lock:
            at_work: dict[str, list[dict[str, Any]]] = {}
            for lease in self.desk.leases.values():
                if lease.is_open:
                    at_work.setdefault(lease.holder, []).append(
                        {
                            "study": lease.bench.name,
                            "trial": lease.job_id,
                            "number": None if lease.item is None else lease.item.number,
                            "since": lease.since,
                        }
                    )
            takers = dict(self.desk.takers)
            draining = set(self.desk.draining)
            local = self._local_agent() if self.desk.local_workers else []
        names = [*takers, *(name for name in at_work if name not in takers)]
        return local + [
            {
                "name": name,
                "kinds": sorted(takers[name][0].kinds) if name in takers else [],
                "workers": takers[name][0].workers if name in takers else 1,
                "study": takers[name][0].study if name in takers else None,
                "token": takers[name][0].token if name in takers else "",
                "seen": round(now - takers[name][1], 1) if name in takers else None,
                "draining": name in draining,
                "work": at_work.get(name, []),
            }
            for name in names
            if name in at_work or now - takers[name][1] < 3600.0
        ]

    def _local_agent(self) -> list[dict[str, Any]]:
        """The server's own workers, told as an agent; under the desk's lock."""
        work = [
            {"study": bench.name, "trial": item.job_id, "number": item.number, "since": None}
            for bench in self.desk.benches.values()
            for item in bench.items.values()
            if not item.leases and item not in bench.waiting
        ]
        return [
            {
                "name": "this server",
                "kinds": ["training"],
                "workers": self.desk.local_workers,
                "study": None,
                "token": "",
                "seen": 0.0,
                "draining": False,
                "work": work,
            }
        ]

    def drain(self, name: str) -> dict[str, Any]:
        """Have an agent end once it has finished what it has."""
        with self.desk.lock:
            if name not in self.desk.takers:
                raise Problem(404, f"no agent {name!r} has asked for work")
            self.desk.draining.add(name)
        return next(agent for agent in self.agents() if agent["name"] == name)

    def check_versions(self, agent: Agent) -> None:
        """Refuse an agent whose trainings would come to something else.

        Raises:
            Problem: 409, with both versions.
        """
        here = versions()
        for name in MATTERS:
            there = agent.versions.get(name)
            if there != here[name]:
                raise Problem(
                    409,
                    f"the agent {agent.name!r} has {name} {there or 'of no known version'} and the "
                    f"server {here[name]}; install the same versions, or results would differ",
                )

    def data(self, fingerprint: str, known: str | None, study: str | None = None) -> Response:
        """The files of a training's data.

        Args:
            fingerprint: names them.
            known: the tag of what the agent has already.
            study: the only study whose data may be had; None for any.
        """
        from starlette.responses import Response, StreamingResponse

        folder = self.desk.folder_of(fingerprint, study)
        if folder is None and (self.drivers.leaders.known or self.drivers.begins):
            raise Problem(
                503,
                f"the data {fingerprint!r} are not here, and may be at another server of the "
                "database, or here in a moment",
                headers={"Retry-After": "1"},
            )
        if folder is None:
            raise Problem(404, f"no study that is running needs the data {fingerprint!r}")
        tag = f'"{etag_of(folder, fingerprint)}"'
        if known == tag:
            return Response(status_code=304, headers={"ETag": tag})
        pieces = pack(folder, fingerprint)
        return StreamingResponse(pieces, media_type="application/zip", headers={"ETag": tag})

    def why_not_ready(self) -> str:
        """Why requests cannot be answered; nothing where they can.

        Anybody may ask, so the log alone has the reason.
        """
        if self._ended is not None:
            return "the server is stopping"
        why = ""
        try:
            self.store.connection.check_place()
            with self.store.connection.reading() as connection:
                connection.execute(own_tables().version.select()).all()
        except Exception as error:
            why = "the database cannot be read"
            if not self._why:
                log.error(why, extra=about(why=str(error)))
        if self._why and not why:
            log.warning("the database can be read again")
        self._why = why
        return why

    def _sign_off(self) -> None:
        self.presence.end()
        self.store.close()


def _data_folder(store: WriteBehindStorage) -> Path:
    """Beside a SQLite file, or where the server runs."""
    from hpsearch.storage import storage_url

    url = storage_url(store.connection.url)
    is_file = url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:")
    path = Path(url.database or "") if is_file else Path("hpsearch")
    return path.absolute().with_suffix(".data")
