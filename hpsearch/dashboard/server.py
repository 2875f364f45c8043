"""The server of the dashboard's pages: a thread for each request, one storage for all of them."""

from __future__ import annotations

import socket
import warnings
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from hpsearch.dashboard.attachments import with_attachments
from hpsearch.dashboard.changes import through_us
from hpsearch.dashboard.guard import guard_for
from hpsearch.errors import UsageError

if TYPE_CHECKING:
    from hpsearch.storage import WriteBehindStorage

__all__ = ["open_server"]


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
    app = _pages(store)
    pages = through_us(with_attachments(app, store), app, store)
    guard = guard_for(pages, address, token=token, allow_edit=allow_edit)
    try:
        family, _, _, _, place = socket.getaddrinfo(
            address, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        server = _server_class(family)(place, _Quiet)  # type: ignore[arg-type] # never bytes
    except OSError as error:
        raise UsageError(
            f"cannot listen on {address}:{port}: {error.strerror}; choose another with --host "
            "and --port"
        ) from None
    server.set_app(guard)
    return server


def _server_class(family: int) -> type[WSGIServer]:
    class Server(ThreadingMixIn, WSGIServer):
        address_family = family
        daemon_threads = True

        def server_bind(self) -> None:
            """Bind, without asking the network what this machine is called."""
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.socket.bind(self.server_address)
            self.server_address = self.socket.getsockname()
            self.server_name, self.server_port = self.socket.getsockname()[:2]
            self.setup_environ()

    return Server


class _Quiet(WSGIRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


def _pages(store: WriteBehindStorage) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from optuna_dashboard import wsgi

        return wsgi(store)
