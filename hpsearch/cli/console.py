"""Where commands print: results to standard output, everything else to standard error."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer
from rich.console import Console

from hpsearch.storage import DEFAULT_STORAGE

__all__ = ["Json", "Storage", "errors", "output", "print_json"]

Storage = Annotated[
    str,
    typer.Option(
        "--storage",
        metavar="URL",
        envvar="HPSEARCH_STORAGE",
        help="Database: a SQLite file name, or a URL of SQLite or PostgreSQL.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead.")]

__all__ += ["DEFAULT_STORAGE"]


def output() -> Console:
    """For results."""
    return Console(file=sys.stdout, highlight=False)


def errors() -> Console:
    """For progress and complaints."""
    return Console(file=sys.stderr, highlight=False)


def print_json(document: Any) -> None:
    """Print one JSON document and nothing else."""
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
