"""`hpsearch backup`: a copy of the database, while it is served or searched in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hpsearch.cli.console import DEFAULT_STORAGE, Storage, tell

__all__ = ["backup"]


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The copy.", show_default=False)],
    storage: Storage = DEFAULT_STORAGE,
    force: Annotated[bool, typer.Option("--force", help="Replace FILE if it is there.")] = False,
) -> None:
    """Copy a SQLite database as it is at one moment; servers and searches go on meanwhile."""
    from hpsearch.storage.backup import back_up

    size = back_up(storage, file, replace=force)
    tell(f"{file} has {size / 1e6:,.1f} MB; --storage {file} opens it")
