"""`hpsearch serve`: the search service."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from hpsearch.cli.console import DEFAULT_STORAGE, Storage, tell
from hpsearch.errors import UsageError

__all__ = ["serve"]


def serve(
    host: Annotated[
        str,
        typer.Option(
            "--host",
            metavar="ADDRESS",
            help="Listen on another address than this machine's own; then everybody needs a token "
            "of `hpsearch token`.",
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="0 takes a free one.")
    ] = 8765,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers", "-w", min=0, help="Of this machine; 0: only agents. Default: one per core."
        ),
    ] = None,
    storage: Storage = DEFAULT_STORAGE,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            metavar="FOLDER",
            help="Where submitted studies find their data; default: beside the database.",
        ),
    ] = None,
    lease: Annotated[
        float,
        typer.Option(
            "--lease", metavar="SECONDS", help="A trial's holder may be silent for so long."
        ),
    ] = 60.0,
    allow_host: Annotated[
        list[str] | None,
        typer.Option("--allow-host", metavar="NAME", help="Another name of this server."),
    ] = None,
    root_path: Annotated[
        str, typer.Option("--root-path", metavar="PATH", help="What a proxy has before every path.")
    ] = "",
    needs_token: Annotated[
        bool,
        typer.Option("--needs-token", help="Ask programs of this machine for a token too."),
    ] = False,
    max_studies: Annotated[
        int, typer.Option("--max-studies", min=1, help="So many studies there may be.")
    ] = 10_000,
    max_running: Annotated[
        int, typer.Option("--max-running", min=1, help="So many of them are searched at once.")
    ] = 32,
    max_trials: Annotated[
        int, typer.Option("--max-trials", min=1, help="So many trials each of them may have.")
    ] = 1_000_000,
    max_upload: Annotated[
        int,
        typer.Option(
            "--max-upload", metavar="MB", min=1, help="Of a study's files, or of a result."
        ),
    ] = 1000,
    log: Annotated[
        Literal["text", "json"],
        typer.Option("--log", help="How it tells what happens, on standard error."),
    ] = "text",
    allow_module: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-module", metavar="PACKAGE", help="Make estimators of this package too."
        ),
    ] = None,
) -> None:
    """Serve studies: people submit them, watch them, and lend workers, until Ctrl-C."""
    if not 1.0 <= lease <= 86_400.0:
        raise UsageError(f"--lease is 1 to 86400 seconds, not {lease:g}")
    try:
        from hpsearch.service.server import Settings
        from hpsearch.service.serving import serve as run
    except ImportError as error:
        raise UsageError(
            f"to serve, install pip install hpsearch[service] ({error.name} is missing)"
        ) from None
    from hpsearch.engine.executors.processes import available_cores

    settings = Settings(
        storage=storage,
        host=host,
        port=port,
        workers=available_cores() if workers is None else workers,
        data=data,
        lease=lease,
        hosts=tuple(allow_host or ()),
        root_path=root_path.rstrip("/"),
        modules=tuple(allow_module or ()),
        needs_token=needs_token,
        studies=max_running,
        most_studies=max_studies,
        most_trials=max_trials,
        upload_bytes=max_upload * 1_000_000,
        log=log,
    )
    run(settings, tell)
