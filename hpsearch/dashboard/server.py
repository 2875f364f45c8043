"""The server of the dashboard's pages: a thread for each request, one storage for all of them."""

from __future__ import annotations

import io
import socket
import sys
import threading
import time
import warnings
from contextlib import suppress
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from hpsearch.dashboard.attachments import with_attachments
from hpsearch.dashboard.changes import through_us
from hpsearch.dashboard.guard import guard_for
from hpsearch.errors import UsageError
from hpsearch.storage import WriteBehindStorage

__all__ = ["open_server", "pages_of"]

MOST_CONNECTIONS = 64
"""Threads, one for each connection; a browser opens six."""

MOST_BYTES = 1_000_000
"""Of what a request carries; a study's note is the longest."""

ARRIVE = 10.0
"""Seconds that a request may take to arrive."""

ANSWER = 120.0
"""Seconds that an answer may take to be made and read."""


def open_server(
    store: WriteBehindStorage,
    address: str,
    port: int,
    *,
    token: str | None = None,
    allow_edit: bool = False,
) -> WSGIServer:
    """A server that listens already; its `serve_forever` answers.

    Args:
        store: the studies; it keeps them in memory, so that a poll reads only what is new.
        address: an IP address or name of this machine; 0.0.0.0 or :: for all that it has.
        port: 0 takes a free one.
        token: see `guard_for`.
        allow_edit: see `guard_for`.

    Raises:
        UsageError: nobody can listen there, or the token will not do.
    """
    app = pages_of(store)
    pages = through_us(with_attachments(app, store), app, store)
    guard = guard_for(pages, address, token=token, allow_edit=allow_edit)
    try:
        family, _, _, _, place = socket.getaddrinfo(
            address, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        server = _Server(family, place)
    except OSError as error:
        raise UsageError(
            f"cannot listen on {address}:{port}: {error.strerror}; choose another with --host "
            "and --port"
        ) from None
    server.set_app(guard)
    return server


class _Server(WSGIServer):
    """A thread for each connection, and only so many: who says nothing makes room for who does.

    A connection waits until its request has arrived, and is ended when that takes too long; the
    one that has waited longest is ended at once when another needs its thread.
    """

    request_queue_size = 128

    def __init__(self, family: int, place: Any) -> None:
        self.address_family = family
        self._free = threading.Semaphore(MOST_CONNECTIONS)
        self._lock = threading.Lock()
        self._waiting: dict[socket.socket, float] = {}  # by the time of their end, the next first
        self._answered: dict[socket.socket, float] = {}  # likewise
        super().__init__(place, _Handler)

    def server_bind(self) -> None:
        """Bind, without asking the network what this machine is called."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = self.socket.getsockname()[:2]
        self.setup_environ()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Give a connection a thread, once there is one."""
        while not self._free.acquire(blocking=False):
            self._make_room()
            if self._free.acquire(timeout=0.5):
                break
        with self._lock:
            self._waiting[request] = time.monotonic() + ARRIVE
        thread = threading.Thread(
            target=self._answer, args=(request, client_address), daemon=True, name="hpsearch-page"
        )
        try:
            thread.start()
        except RuntimeError:  # no thread to be had: this connection is closed, the server goes on
            self._let_go(request)

    def _make_room(self) -> None:
        """End the connection that has waited longest, or has long been answered."""
        with self._lock:
            if self._waiting:
                _end(next(iter(self._waiting)))
            elif self._answered:
                connection, end = next(iter(self._answered.items()))
                if end - ANSWER + ARRIVE < time.monotonic():
                    _end(connection)

    def service_actions(self) -> None:
        """End those that take too long; the server calls this twice a second."""
        now = time.monotonic()
        with self._lock:
            for connections in (self._waiting, self._answered):
                for connection, end in connections.items():
                    if end > now:
                        break
                    _end(connection)

    def has_arrived(self, connection: socket.socket) -> None:
        """A request is here as a whole, and its connection does not wait any more."""
        with self._lock:
            if self._waiting.pop(connection, None) is not None:
                self._answered[connection] = time.monotonic() + ANSWER

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of connections that end, which is the reader's affair."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    def _answer(self, request: Any, client_address: Any) -> None:
        try:
            self.finish_request(request, client_address)
        except Exception:
            self.handle_error(request, client_address)
        finally:
            self._let_go(request)

    def _let_go(self, request: Any) -> None:
        with self._lock:
            self._waiting.pop(request, None)
            self._answered.pop(request, None)
        self.shutdown_request(request)
        self._free.release()


def _end(connection: socket.socket) -> None:
    """Have whoever reads from a connection, or writes to it, find its end."""
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


class _Handler(WSGIRequestHandler):
    server: _Server

    def parse_request(self) -> bool:
        """Read a request with its body, so that nobody who answers has to wait for it."""
        if not super().parse_request():
            return False
        length = self.headers.get("Content-Length") or "0"
        if not length.isascii() or not length.isdecimal():
            self.send_error(400, "Content-Length is no number")
            return False
        if int(length) > MOST_BYTES:
            self.send_error(413, f"send at most {MOST_BYTES:,} bytes")
            return False
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            return False  # the other side has gone
        self.rfile = io.BytesIO(body)
        self.server.has_arrived(self.connection)
        return True

    def log_message(self, *args: object) -> None:
        pass


def pages_of(store: WriteBehindStorage) -> Any:
    """optuna-dashboard as a WSGI application, which answers everybody and takes changes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from optuna_dashboard import wsgi

        return wsgi(store)
