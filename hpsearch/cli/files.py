"""`hpsearch init` and `hpsearch schema`: study files to start from, and for editors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hpsearch.cli.console import errors, print_json
from hpsearch.errors import UsageError

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("init")(init)
    app.command("schema")(schema)


def init(
    path: Annotated[Path, typer.Argument(help="The file to write.")] = Path("study.toml"),
    data: Annotated[
        str, typer.Option("--data", help="A known data set, or a table of your own.")
    ] = "digits",
    target: Annotated[
        str | None, typer.Option("--target", help="The column of your table that holds the labels.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Write a study file with every setting explained."""
    from hpsearch.study_file import template
    from hpsearch.writing import write_whole

    if path.exists() and not force:
        raise UsageError(f"{path} is there already; --force replaces it")
    text = template(path.stem, data, target)
    try:
        write_whole(path, text.encode())
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None
    errors().print(f"wrote {path}; next: hpsearch run {path}", markup=False, soft_wrap=True)


def schema() -> None:
    """Print the JSON Schema of study files, for editors."""
    from hpsearch.study_file import json_schema

    print_json(json_schema())
