"""The server as a process: its socket, its signals, its end."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from types import FrameType

import uvicorn

from hpsearch.dashboard.guard import in_url
from hpsearch.errors import UsageError
from hpsearch.service.app import make_app
from hpsearch.service.guard import Guard
from hpsearch.service.logs import about, write_log
from hpsearch.service.metrics import Measured
from hpsearch.service.once import Once
from hpsearch.service.problems import Unforeseen
from hpsearch.service.quick import Quick
from hpsearch.service.server import Server, Settings
from hpsearch.service.slow import LIMITS, Impatient

__all__ = ["serve"]

log = logging.getLogger("hpsearch.service")

SWITCH = 0.001
"""Seconds after which a thread lets another one go on: requests wait for no driver's thinking."""

LAST = 8.0
"""Seconds after a signal in which everything has to end; what still goes on then is cut off, as by
a kill, after which nothing is lost either."""


def serve(settings: Settings, tell: Callable[[str], object]) -> None:
    """Serve until a signal asks to stop.

    This is how a server ends, so it is no failure: the process's exit code is 0, as that of the
    dashboard, and not 130 or 143, which say that something was not done.

    Args:
        settings: how.
        tell: a sentence to whoever has started it.

    Raises:
        UsageError: the address cannot be listened on, or the database is served already.
        StorageError: the database cannot be opened.
    """
    with _listening(settings.host, settings.port) as listener:
        settings = replace(settings, port=listener.getsockname()[1])
        server = Server(settings)
        app = make_app(server, server.running)
        guard = Guard(
            Quick(Unforeseen(Once(app, server.store)), server.verbs),
            server.tokens,
            settings.host,
            hosts=settings.hosts,
            root_path=settings.root_path,
            needs_token=settings.needs_token,
            upload_bytes=settings.upload_bytes,
        )
        place = f"http://{in_url(settings.host)}:{settings.port}{settings.root_path}/"
        workers = settings.workers
        lent = f"{workers} worker{'' if workers == 1 else 's'} here" if workers else "agents only"
        if settings.log == "text":
            tell(f"{place} serves {server.store.url} ({lent}); Ctrl-C ends it")
        write_log(settings.log)
        facts = about(url=place, storage=server.about()["storage"], workers=workers)
        log.info("server started", extra=facts)
        sys.setswitchinterval(SWITCH)
        measured = Measured(guard, server.metrics)
        config = uvicorn.Config(measured, http=Impatient, log_config=None, **LIMITS)
        _Process(config, server).run(sockets=[listener])
        log.info("server stopped", extra=about(url=place))


class _Process(uvicorn.Server):
    """uvicorn's server, which ends in time: what would go on for ever is told to end first.

    Args:
        config: uvicorn's.
        server: answers.
    """

    def __init__(self, config: uvicorn.Config, server: Server) -> None:
        super().__init__(config)
        self._server = server

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A first signal asks to stop; a second one ends the process at once."""
        del frame
        if self.should_exit:
            os._exit(128 + sig)  # local workers notice that their server is gone
        self.should_exit = True
        log.info("server stopping", extra=about(signal=signal.Signals(sig).name))
        end = threading.Timer(LAST, os._exit, (0,))
        end.daemon = True
        end.start()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End what is under way, and then all connections."""
        self._server.wind_down()
        await super().shutdown(sockets)


def _listening(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        UsageError: there is no such address, or the port is taken.
    """
    try:
        [family, kind, protocol, _, address] = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(1024)
    except OSError as error:
        raise UsageError(
            f"cannot listen on {in_url(host)}:{port}: {error.strerror}; choose another --port or "
            "--host"
        ) from None
    return listener
