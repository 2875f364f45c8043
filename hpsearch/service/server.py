"""The server: its parts, when they begin and end, and what is told of it."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpsearch.dashboard.guard import in_url
from hpsearch.engine.events import Event, TrialDone
from hpsearch.service.alike import versions
from hpsearch.service.data import etag_of, pack
from hpsearch.service.desk import Desk
from hpsearch.service.drawings import Drawings
from hpsearch.service.drivers import Drivers
from hpsearch.service.events import Events
from hpsearch.service.guard import UPLOAD_BYTES
from hpsearch.service.hands import Hands
from hpsearch.service.local import local_workers
from hpsearch.service.logs import Form, about
from hpsearch.service.metrics import Metrics
from hpsearch.service.models import Study
from hpsearch.service.presence import Presence
from hpsearch.service.problems import Problem
from hpsearch.service.roll import Roll
from hpsearch.service.studies import Shelf
from hpsearch.service.telling import read_row
from hpsearch.service.tokens import Tokens
from hpsearch.service.verbs import Verbs
from hpsearch.storage import open_storage
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
        most_trials: how many each of them may have.
        needs_token: whether programs of this machine need one too.
        upload_bytes: the longest body with files or with what came of a training.
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
    most_trials: int = 1_000_000
    needs_token: bool = False
    upload_bytes: int = UPLOAD_BYTES
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
        self.uploads = folder.resolve() / "uploads"
        self.uploads.mkdir(parents=True, exist_ok=True)
        self.shelf = Shelf(
            self.store,
            self.desk,
            self.drivers,
            folder,
            most=settings.most_studies,
            most_trials=settings.most_trials,
            modules=settings.modules,
        )
        self.drawings = Drawings(self.shelf)
        self.hands = Hands(
            self.store,
            self.desk,
            interval=settings.lease / 4,
            elsewhere=lambda: self.drivers.leaders.known,
        )
        self.verbs = Verbs(self.hands)
        self.roll = Roll(self.desk)
        self.metrics = Metrics(self.shelf.studies, self.desk, self.hands, versions())
        self._why = ""  # as told last
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
            self.roll.call()

    def _heard(self, name: str, event: Event | None) -> None:
        if event is None:
            self.events.happened(name, "study")
        elif isinstance(event, TrialDone):
            self.events.happened(name, "trial")

    def live(self, study: Study) -> Study:
        """A study with what only its driver knows."""
        left = self.drivers.left(study.name) if study.state == "running" else None
        return study if left is None else study.model_copy(update={"left": round(left, 1)})

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
