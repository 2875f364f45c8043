"""`hpsearch submit`: a study that a server runs, and `hpsearch study`: steering it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from hpsearch.cli.console import Json, print_json, tell
from hpsearch.cli.search import (
    First,
    NameInstead,
    NoBaselines,
    Seed,
    StudyArgument,
    load_study_argument,
    tell_result,
)
from hpsearch.cli.source import client_of
from hpsearch.errors import RunError
from hpsearch.writing import in_one_line

if TYPE_CHECKING:
    from hpsearch.service.client import Client
    from hpsearch.service.models import Study
    from hpsearch.study_file import StudyFile

__all__ = ["steer", "submit"]

ServerOption = Annotated[
    str | None,
    typer.Option(
        "--server",
        metavar="URL",
        envvar="HPSEARCH_SERVER",
        help="The server; HPSEARCH_TOKEN has the token, if it needs one.",
    ),
]
Priority = typer.Option(
    "--priority", min=-100, max=100, help="Studies of a higher one are served first."
)
MaxParallel = typer.Option("--max-parallel", min=1, help="Trials at the same time.")


def submit(
    study: Annotated[str, StudyArgument],
    server: ServerOption = None,
    name: NameInstead = None,
    seed: Seed = None,
    priority: Annotated[int, Priority] = 0,
    max_parallel: Annotated[int | None, MaxParallel] = None,
    first: First = None,
    no_baselines: NoBaselines = False,
    detach: Annotated[
        bool, typer.Option("--detach", help="Submit it, and do not wait for its end.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Have a server run a study, and follow it to its end, as `hpsearch run` does.

    Data files that the study names are sent with it where they are here; others the server looks
    for in its own data folder. Ctrl-C leaves the study running; the same command follows it again.
    """
    from hpsearch.service.requests import absent
    from hpsearch.study_file import study_path

    file = load_study_argument(study, seed, name)
    with client_of(server) as client:
        for missing in absent(study_path(study)):
            tell(in_one_line(f"{missing} is not here; the server is to have it in its data folder"))
        submitted = client.submit(
            study,
            name=name,
            seed=seed,
            priority=priority,
            max_parallel=max_parallel,
            baselines=not no_baselines,
            first=first,
        )
        if detach:
            _tell_detached(client.url, submitted, as_json=as_json)
        else:
            _follow(client, file, as_json=as_json)


def _follow(client: Client, file: StudyFile, *, as_json: bool) -> None:
    from hpsearch.cli.follow import follow
    from hpsearch.cli.progress import watch

    try:
        with watch(file) as show:
            ended, summary = follow(client, file.name, show)
    except KeyboardInterrupt:
        left = RunError(
            f"interrupted; {file.name} goes on at {client.url}, where the same command follows it "
            f"again and `hpsearch study stop {file.name}` ends it"
        )
        left.exit_code = 130
        raise left from None
    if summary is not None and ended.state != "failed":
        tell_result(file, summary, "", client.url, as_json=as_json)
    if ended.state != "finished":
        raise RunError(ended.why or f"the study {file.name!r} was {ended.state}")


def _tell_detached(url: str, submitted: Study, *, as_json: bool) -> None:
    if as_json:
        print_json(submitted.model_dump(mode="json"))
        return
    where = "" if os.environ.get("HPSEARCH_SERVER") == url else f" --server {url}"
    tell(
        in_one_line(
            f"{submitted.name} is {submitted.state} at {url}; the same command without --detach "
            f"follows it, and `hpsearch best {submitted.name}{where}` shows its winner"
        )
    )


steer = typer.Typer(
    name="study",
    help="Steer a study that a server runs.",
    no_args_is_help=True,
    add_completion=False,
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="A study; see `hpsearch studies`.")]


@steer.command()
def pause(name: Name, server: ServerOption = None, as_json: Json = False) -> None:
    """Give out no more of its trials; those that somebody has are done to their end."""
    with client_of(server) as client:
        _tell(client.pause(name), as_json=as_json)


@steer.command()
def resume(name: Name, server: ServerOption = None, as_json: Json = False) -> None:
    """Go on with a study that was paused or stopped, or that failed."""
    with client_of(server) as client:
        _tell(client.resume(name), as_json=as_json)


@steer.command()
def stop(name: Name, server: ServerOption = None, as_json: Json = False) -> None:
    """End a study where it is; what is finished is kept."""
    with client_of(server) as client:
        _tell(client.stop(name), as_json=as_json)


@steer.command()
def extend(
    name: Name,
    trials: Annotated[int, typer.Option("--trials", min=1, help="How many in all.")],
    server: ServerOption = None,
    as_json: Json = False,
) -> None:
    """Give a study more trials."""
    with client_of(server) as client:
        _tell(client.extend(name, trials), as_json=as_json)


@steer.command()
def rank(
    name: Name,
    priority: Annotated[int | None, Priority] = None,
    max_parallel: Annotated[int | None, MaxParallel] = None,
    server: ServerOption = None,
    as_json: Json = False,
) -> None:
    """Give a study another priority, or another number of trials at the same time."""
    with client_of(server) as client:
        changed = client.rank(name, priority=priority, max_parallel=max_parallel)
        _tell(changed, as_json=as_json)


@steer.command()
def delete(name: Name, server: ServerOption = None) -> None:
    """Remove a study with all its trials."""
    with client_of(server) as client:
        client.delete(name)
    tell(in_one_line(f"deleted {name}"))


def _tell(study: Study, *, as_json: bool) -> None:
    if as_json:
        print_json(study.model_dump(mode="json"))
        return
    done = sum(study.trials.get(state, 0) for state in ("complete", "pruned", "failed"))
    of = "" if study.total is None else f" of {study.total}"
    why = f" ({study.why})" if study.why else ""
    tell(
        in_one_line(
            f"{study.name} is {study.state}{why}, priority {study.priority}, {done}{of} trials done"
        )
    )
