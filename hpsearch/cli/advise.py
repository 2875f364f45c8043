"""`hpsearch advise`: what a study's trainings say, and the study file to run next."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from hpsearch.cli.console import DEFAULT_STORAGE, Json, Storage, errors, output, print_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hpsearch.advice import Advice

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("advise")(advise)


def advise(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A study; see `hpsearch studies`.")],
    out: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="TOML", help="Write the next study file."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    storage: Storage = DEFAULT_STORAGE,
    as_json: Json = False,
) -> None:
    """Say what was wrong with a study's trainings, if anything, and what to run next.

    Every training was traced while it ran; the data and the network are checked once more.
    """
    from hpsearch.advice import advise_study
    from hpsearch.errors import UsageError
    from hpsearch.storage import open_storage
    from hpsearch.writing import write_whole

    if out is not None and out.exists() and not force:
        raise UsageError(f"{out} is there already; --force replaces it")
    if out is not None and not out.parent.is_dir():
        raise UsageError(f"cannot write {out}: there is no folder {out.parent}")
    advice = advise_study(open_storage(storage, create=False), name)
    if as_json:
        print_json(advice.document())
    else:
        output().print(*advice_story(advice), sep="\n")
    if out is not None:
        try:
            write_whole(out, advice.text(out.parent).encode())
        except OSError as error:
            raise UsageError(f"cannot write {out}: {error.strerror}") from None
        errors().print(f"wrote {out}; next: hpsearch run {out}", markup=False, soft_wrap=True)
    elif advice.edits and not as_json:
        errors().print(
            "-o next.toml writes the next study file", style="dim", markup=False, soft_wrap=True
        )


def advice_story(advice: Advice) -> Iterator[Text]:
    """The points, those with a consequence first, and the settings to change."""
    from hpsearch.advice import toml_value

    yield Text(f"What {advice.study.name}'s trainings say", style="bold")
    for point in sorted(advice.points, key=lambda point: not point.asks):
        yield Text(f"- {point.sentence}")
    if advice.checks:
        yield Text("\nWhat the checks say", style="bold")
        for check in advice.checks:
            yield Text(f"- {check.name}: {check.advice}")
    if advice.note:
        yield Text(f"\n{advice.note}", style="dim")
    if advice.edits:
        yield Text("\nWhat to change", style="bold")
        for edit in advice.edits:
            yield Text(f"  [{edit.section}] {edit.key} = {toml_value(edit.value)}")
