"""`hpsearch dashboard`: optuna-dashboard on the store, for this machine only and read-only."""

from __future__ import annotations

import os
import signal
from typing import Annotated

import typer

from hpsearch.cli.console import DEFAULT_STORAGE, Storage, tell

__all__ = ["dashboard"]

TOKEN = "HPSEARCH_DASHBOARD_TOKEN"
"""The environment variable with the token; an option would show in the list of processes."""


def dashboard(
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="0 takes a free one.")
    ] = 8080,
    host: Annotated[
        str,
        typer.Option(
            "--host",
            metavar="ADDRESS",
            help="Listen on another address than this machine's own. Then a token is needed: "
            f"{TOKEN} of the environment, or a random one in the link that is printed.",
        ),
    ] = "127.0.0.1",
    allow_edit: Annotated[
        bool, typer.Option("--allow-edit", help="Let the page rename, note and delete.")
    ] = False,
    storage: Storage = DEFAULT_STORAGE,
) -> None:
    """Serve optuna-dashboard on http://127.0.0.1:8080 until Ctrl-C."""
    import secrets

    from hpsearch.dashboard import open_server
    from hpsearch.dashboard.guard import in_url, is_local
    from hpsearch.storage import open_storage

    given = os.environ.get(TOKEN) or None
    made = None if given or is_local(host) else secrets.token_urlsafe(32)
    store = open_storage(storage, create=False)
    try:
        with open_server(store, host, port, token=given or made, allow_edit=allow_edit) as server:
            place = f"http://{in_url(host)}:{server.server_port}"
            if made:
                place += f"/?token={made}"
            mode = "may be edited" if allow_edit else "read-only"
            asks = f", asks for {TOKEN}" if given else ""
            tell(f"{place} shows {store.url} ({mode}{asks}); Ctrl-C ends it")
            server.serve_forever()
    except KeyboardInterrupt:
        pass  # this is how it ends
    except SystemExit as left:
        if left.code != 128 + signal.SIGTERM:
            raise
