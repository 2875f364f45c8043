"""`hpsearch token`: who may use the server of a database, and for what."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from hpsearch.cli.console import DEFAULT_STORAGE, Json, Storage, output, print_json, tell

__all__ = ["token"]

token = typer.Typer(
    no_args_is_help=True, help="Make, list and remove the tokens of a database's server."
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Of who gets it; the server shows it.")]
Scope = Literal["read", "submit", "work", "admin"]


@token.command()
def add(
    name: Name,
    scope: Annotated[
        Scope,
        typer.Option(
            "--scope",
            help="read: look; submit: also submit and steer studies; work: also do trials, as "
            "agents do; admin: all.",
        ),
    ],
    study: Annotated[
        str | None, typer.Option("--study", metavar="S", help="Only for the study of this name.")
    ] = None,
    days: Annotated[
        int | None,
        typer.Option("--days", min=1, max=36_500, help="It expires after so many; default: never."),
    ] = None,
    storage: Storage = DEFAULT_STORAGE,
    as_json: Json = False,
) -> None:
    """Make a token and print it, once; only its digest is kept."""
    from hpsearch.service.tokens import add_token, list_tokens
    from hpsearch.storage import open_storage

    with open_storage(storage) as store:
        made = add_token(store, name, scope, study=study, days=days)
        (about,) = (each for each in list_tokens(store) if each.name == name)
    if as_json:
        print_json(about._asdict() | {"token": made})
    else:
        output().print(made, markup=False, soft_wrap=True)
        tell("This is the only time that it is shown; HPSEARCH_TOKEN of the environment takes it.")


@token.command(name="list")
def list_(storage: Storage = DEFAULT_STORAGE, as_json: Json = False) -> None:
    """List all tokens: everything but the token itself."""
    from rich.table import Table

    from hpsearch.service.tokens import list_tokens
    from hpsearch.storage import open_storage

    with open_storage(storage, create=False) as store:
        tokens = list_tokens(store)
    if as_json:
        print_json([each._asdict() for each in tokens])
    elif tokens:
        table = Table("token", "scope", "study", "created", "expires", box=None)
        for each in tokens:
            expires = each.expires or "never"
            if each.is_over:
                expires += " (over)"
            table.add_row(each.name, each.scope, each.study or "any", each.created, expires)
        output().print(table)
    else:
        output().print("No tokens yet; `hpsearch token add NAME --scope read` makes one.")


@token.command()
def remove(name: Name, storage: Storage = DEFAULT_STORAGE) -> None:
    """Let a token end now; a server that runs notices within three seconds."""
    from hpsearch.service.tokens import remove_token
    from hpsearch.storage import open_storage

    with open_storage(storage, create=False) as store:
        remove_token(store, name)
    tell(f"the token {name} is no more")
