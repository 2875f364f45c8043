"""`hpsearch report`: studies on one HTML page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hpsearch.cli.console import DEFAULT_STORAGE, Storage, tell
from hpsearch.cli.source import Remote, source_of
from hpsearch.errors import UsageError

__all__ = ["report"]


def report(
    context: typer.Context,
    names: Annotated[
        list[str],
        typer.Argument(metavar="NAME...", help="Studies or comparisons; see `hpsearch studies`."),
    ],
    out: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="PAGE", help="The file to write; NAME.html."),
    ] = None,
    dashboard: Annotated[
        str | None,
        typer.Option(
            "--dashboard",
            metavar="TOML",
            help="A list of panels: a file, or search, training or compare, which come along.",
        ),
    ] = None,
    png: Annotated[
        Path | None,
        typer.Option("--png", metavar="FOLDER", help="Write each figure there too, for papers."),
    ] = None,
    storage: Storage = DEFAULT_STORAGE,
    server: Remote = None,
) -> None:
    """Write studies or comparisons to one page that opens in any browser, without a network."""
    from hpsearch.report import page_name, write_page, write_pngs

    names = list(dict.fromkeys(names))
    path = out or Path(page_name(names))
    if png is not None and path.exists() and not path.is_file():
        raise UsageError(f"--png draws the page from a file, and {path} is none; name one with -o")
    content = source_of(context, storage, server).page(names, dashboard)
    write_page(path, content, over_its_own=out is None)
    size = len(content.encode()) / 1e6
    tell(f"wrote {path} ({size:.1f} MB)")
    if png is not None:
        written = write_pngs(path, png)
        tell(f"wrote {len(written)} figures to {png}")
