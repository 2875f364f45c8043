"""`hpsearch advise`: what a study's trainings say, and the study file to run next."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from hpsearch.cli.console import DEFAULT_STORAGE, Json, Storage, output, print_json, tell
from hpsearch.cli.source import Remote, source_of

if TYPE_CHECKING:
    from hpsearch.advice import Advice

__all__ = ["advise"]


def advise(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="A study; see `hpsearch studies`.")],
    out: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="TOML", help="Write the next study file."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    storage: Storage = DEFAULT_STORAGE,
    server: Remote = None,
    as_json: Json = False,
) -> None:
    """Say what was wrong with a study's trainings, if anything, and what to run next.

    Every training was traced while it ran; the data and the network are checked once more.
    """
    from hpsearch.errors import UsageError
    from hpsearch.writing import write_whole

    if out is not None and out.exists() and not force:
        raise UsageError(f"{out} is there already; --force replaces it")
    if out is not None and not out.parent.is_dir():
        raise UsageError(f"cannot write {out}: there is no folder {out.parent}")
    source = source_of(context, storage, server)
    advice = source.advice(name)
    if as_json:
        print_json(advice.document())
    else:
        console = output()
        console.print(advice_text(advice, console.width), end="", soft_wrap=True)
    if out is not None:
        text, command = source.next_study(advice, out)
        try:
            write_whole(out, text.encode())
        except OSError as error:
            raise UsageError(f"cannot write {out}: {error.strerror}") from None
        tell(f"wrote {out}; next: {command}")
    elif advice.changes and not as_json:
        tell("-o next.toml writes the next study file", "dim")


def advice_text(advice: Advice, width: int) -> Text:
    """The recommendations, those with a consequence first, and the settings to change.

    Args:
        advice: on a study.
        width: of the terminal, in characters; no setting is broken into lines.
    """
    from hpsearch.cli.render import folded
    from hpsearch.study_file.template import toml_value

    text = Text()
    text.append(folded(f"What {advice.study.name}'s trainings say", width) + "\n", style="bold")
    for recommendation in sorted(advice.recommendations, key=lambda r: not r.asks):
        text.append(folded(f"- {recommendation.sentence}", width) + "\n")
    if advice.checks:
        text.append("\nWhat the checks say\n", style="bold")
        for check in advice.checks:
            text.append(folded(f"- {check.name}: {check.advice}", width) + "\n")
    if advice.note:
        text.append("\n" + folded(advice.note, width) + "\n", style="dim")
    if advice.changes:
        text.append("\nWhat to change\n", style="bold")
        for change in advice.changes:
            text.append(f"  [{change.section}] {change.key} = {toml_value(change.value)}\n")
    return text
