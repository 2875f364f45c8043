"""`hpsearch dashboard`: optuna-dashboard on the store, for this machine only and read-only."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Any

import typer

from hpsearch.cli.console import DEFAULT_STORAGE, Storage, errors
from hpsearch.errors import UsageError

__all__ = ["guard", "register"]

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("dashboard")(dashboard)


def dashboard(
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="0 takes a free one.")
    ] = 8080,
    allow_edit: Annotated[
        bool, typer.Option("--allow-edit", help="Let the page rename, note and delete.")
    ] = False,
    storage: Storage = DEFAULT_STORAGE,
) -> None:
    """Serve optuna-dashboard on http://127.0.0.1:8080 until Ctrl-C."""
    from socketserver import ThreadingMixIn
    from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

    from optuna.storages import get_storage

    from hpsearch.storage import display_url, open_storage

    store = get_storage(open_storage(storage, create=False))
    pages = _pages(store)

    class Server(ThreadingMixIn, WSGIServer):
        daemon_threads = True

    class Quiet(WSGIRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

    try:
        server = make_server("127.0.0.1", port, guard(pages, allow_edit), Server, Quiet)
    except OSError as error:
        raise UsageError(
            f"cannot listen on 127.0.0.1:{port}: {error.strerror}; choose another with --port"
        ) from None
    place = f"http://127.0.0.1:{server.server_port}"
    mode = "may be edited" if allow_edit else "read-only"
    shown = display_url(open_storage(storage, create=False).url)
    errors().print(f"{place} shows {shown} ({mode}); Ctrl-C ends it", markup=False, soft_wrap=True)
    with server:
        server.serve_forever()


def _pages(store: Any) -> Application:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from optuna_dashboard import wsgi

        application: Application = wsgi(store)
    return application


def guard(pages: Application, allow_edit: bool) -> Application:
    """Answer this machine's browser only, and only reading unless editing was asked for.

    A page of any other site could otherwise reach the server through a name that resolves to
    127.0.0.1 and delete studies; so the Host header must be local, and a write's Origin too.
    """

    def guarded(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        reason = _refusal(environ, allow_edit)
        if reason:
            body = (reason + "\n").encode()
            headers = [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))]
            start_response("403 Forbidden", headers)
            return [body]
        # optuna-dashboard fails on a request for its script without this header.
        environ.setdefault("HTTP_ACCEPT_ENCODING", "identity")
        return pages(environ, start_response)

    return guarded


LOCAL = {"127.0.0.1", "localhost"}


def _refusal(environ: dict[str, Any], allow_edit: bool) -> str | None:
    host = str(environ.get("HTTP_HOST", "")).rsplit(":", 1)[0]
    if host not in LOCAL:
        return "This dashboard answers to 127.0.0.1 and localhost only."
    if environ["REQUEST_METHOD"] in ("GET", "HEAD"):
        return None
    if not allow_edit:
        return "This dashboard is read-only; start it with --allow-edit to change studies."
    origin = str(environ.get("HTTP_ORIGIN", ""))
    if origin and origin.split("://")[-1] != environ.get("HTTP_HOST"):
        return "This dashboard takes changes from its own pages only."
    return None
