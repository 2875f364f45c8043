"""`hpsearch agent`: lend this machine to a server of studies."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hpsearch.errors import RunError, UsageError

if TYPE_CHECKING:
    from hpsearch.service.agent import Event

__all__ = ["agent"]

TOKEN = "HPSEARCH_TOKEN"
"""The environment variable with the token; an option would show in the list of processes."""

WIDTH = 80


def agent(
    url: Annotated[str, typer.Argument(metavar="URL", help="Of the server.")],
    program: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="-- PROGRAM ARG ...",
            help="Does trials, with {parameter} in the place of values. Without one, this machine "
            "trains networks and estimators, and calls functions of modules that lie here.",
        ),
    ] = None,
    study: Annotated[
        list[str] | None,
        typer.Option("--study", metavar="NAME", help="Only for this study; may be repeated."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            min=1,
            max=10_000,
            metavar="N",
            help="Trials at once; by default one for each processor core.",
        ),
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option("--token-file", metavar="FILE", help=f"Has the token; else {TOKEN} has it."),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="Of this agent, for those who look who works.")
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(
            "--cache",
            metavar="FOLDER",
            help="For data, trials, and results not told yet; by default ~/.cache/hpsearch.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print events as lines of JSON.")] = False,
) -> None:
    """Lend this machine to a server: do its trials until Ctrl-C, which lets those that run finish.

    A second Ctrl-C gives them back and ends at once.
    """
    import asyncio

    from hpsearch.engine.executors.processes import available_cores

    try:
        from hpsearch.service.lending import lend
    except ImportError as error:
        raise UsageError(
            f"to lend a machine, install pip install hpsearch[service] ({error.name} is missing)"
        ) from None

    finished = asyncio.run(
        lend(
            url,
            _token(token_file),
            studies=study or (),
            workers=workers or available_cores(),
            program=program or (),
            name=name,
            cache=cache,
            on_event=_print_json if as_json else _print,
        )
    )
    if not finished:
        ended = RunError("ended at once, by a second signal")
        ended.exit_code = 130
        raise ended


def _token(file: Path | None) -> str | None:
    if file is None:
        return os.environ.get(TOKEN) or None
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise UsageError(f"the token cannot be read from {file}: {why}") from None


def _print(event: Event) -> None:
    """One line, of the width of a narrow terminal."""
    import datetime

    from hpsearch.cli.console import tell
    from hpsearch.writing import in_one_line

    now = datetime.datetime.now().astimezone().strftime("%H:%M:%S")
    line = f"{now}  {in_one_line(event.sentence)}"
    tell(line if len(line) <= WIDTH else f"{line[: WIDTH - 3]}...")


def _print_json(event: Event) -> None:
    import datetime

    from hpsearch.cli.console import print_json_line

    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
    print_json_line({"event": event.name, "time": now, "what": event.sentence, **event.facts})
