"""Where a command that reads studies reads them from: a database, or a server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Literal, Protocol

import typer

from hpsearch.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from hpsearch.advice import Advice
    from hpsearch.engine.summary import Summary
    from hpsearch.engine.tested import SeenClasses
    from hpsearch.metrics.curves import Residuals
    from hpsearch.service.client import Client
    from hpsearch.service.models import Study
    from hpsearch.storage import WriteBehindStorage

__all__ = ["Database", "Remote", "Server", "Source", "client_of", "source_of"]

Remote = Annotated[
    str | None,
    typer.Option(
        "--server",
        metavar="URL",
        envvar="HPSEARCH_SERVER",
        help="A server instead of a database; HPSEARCH_TOKEN has the token, if it needs one.",
    ),
]


class Source(Protocol):
    """Has studies."""

    def names(self) -> list[str]:
        """The names of all studies."""

    def together(self) -> dict[str, list[str]]:
        """The names of the studies of each comparison."""

    def states(self) -> dict[str, Study]:
        """What a server does with each study; nothing of a database."""

    def summary(self, name: str, *, trials: bool = True) -> Summary:
        """A study; without its trials only where they are not needed, and cost time."""

    def seen(self, name: str) -> SeenClasses | Residuals | None:
        """What its winner made of the test rows."""

    def advice(self, name: str) -> Advice:
        """What its trainings say."""

    def next_study(self, advice: Advice, path: Path) -> tuple[str, str]:
        """The text of the study file to run next, and the command that runs it.

        Args:
            advice: on a study.
            path: where the file will lie.
        """

    def page(self, names: Sequence[str], dashboard: str | None) -> str:
        """The page of studies."""

    def table(self, name: str, to: Literal["csv", "parquet"]) -> bytes:
        """Its trials as a file."""

    def database(self, what: str) -> str:
        """The URL of the database, for what nothing else can give.

        Args:
            what: needs it, for the sentence.

        Raises:
            UsageError: it is a server's.
        """


def source_of(context: typer.Context, storage: str, server: str | None) -> Source:
    """Where the command that runs is to read.

    What stands on the command line goes before what the environment says.

    Args:
        context: of the command.
        storage: the option --storage, or its default.
        server: the option --server.

    Raises:
        UsageError: both are given, and neither is nearer; or the server's URL is none.
    """
    by_storage, by_server = (_nearness(context, name) for name in ("storage", "server"))
    if server is None or by_storage > by_server:
        return Database(storage)
    if by_storage == by_server:
        where = "on the command line" if by_server == 2 else "in the environment"
        raise UsageError(
            f"a database and a server are given {where} (--storage or HPSEARCH_STORAGE, --server "
            "or HPSEARCH_SERVER); studies are read from one of them: leave one out"
        )
    client = client_of(server)
    context.call_on_close(client.close)
    return Server(client)


def client_of(server: str | None) -> Client:
    """What asks a server for a command; who waits for the answer is not kept waiting long.

    Raises:
        UsageError: the URL is none, or is missing.
    """
    from hpsearch.service.client import Client

    return Client(server, patience=3.0)


def _nearness(context: typer.Context, option: str) -> int:
    """How near to the person an option was set: 2 on the command line, 1 around it, 0 nowhere."""
    where = context.get_parameter_source(option)
    return {"COMMANDLINE": 2, "ENVIRONMENT": 1}.get("" if where is None else where.name, 0)


class Database:
    """A database here.

    Args:
        url: of it.
    """

    def __init__(self, url: str) -> None:
        self._url = url

    @cached_property
    def _store(self) -> WriteBehindStorage:
        from hpsearch.storage import open_storage

        return open_storage(self._url, create=False)

    def names(self) -> list[str]:
        """See `Source`."""
        from hpsearch.storage import study_names

        return study_names(self._store)

    def together(self) -> dict[str, list[str]]:
        """See `Source`."""
        from hpsearch.compare.result import comparisons

        return {
            name: [study.study_name for study, _ in of]
            for name, of in comparisons(self._store).items()
        }

    def states(self) -> dict[str, Study]:
        """See `Source`."""
        return {}

    def summary(self, name: str, *, trials: bool = True) -> Summary:
        """See `Source`; here they cost none."""
        del trials
        from hpsearch.engine import summarize
        from hpsearch.storage import load_study, storage_errors

        study = load_study(self._store, name)
        with storage_errors(self._store.url):
            return summarize(study)

    def seen(self, name: str) -> SeenClasses | Residuals | None:
        """See `Source`."""
        from hpsearch.engine.tested import read_seen
        from hpsearch.storage import load_study, storage_errors

        with storage_errors(self._store.url):
            return read_seen(load_study(self._store, name))

    def advice(self, name: str) -> Advice:
        """See `Source`."""
        from hpsearch.advice import advise_study

        return advise_study(self._store, name)

    def next_study(self, advice: Advice, path: Path) -> tuple[str, str]:
        """See `Source`."""
        return advice.text(path.parent), f"hpsearch run {path}"

    def page(self, names: Sequence[str], dashboard: str | None) -> str:
        """See `Source`."""
        from hpsearch.report import page_of

        return page_of(self._store, names, dashboard)

    def table(self, name: str, to: Literal["csv", "parquet"]) -> bytes:
        """See `Source`."""
        from hpsearch.export.to_table import csv_bytes, parquet_bytes

        summary = self.summary(name)
        return csv_bytes(summary) if to == "csv" else parquet_bytes(summary)

    def database(self, what: str) -> str:
        """See `Source`."""
        del what
        return self._url


class Server:
    """A server.

    Args:
        client: asks it.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._best: dict[str, Mapping[str, object]] = {}

    @cached_property
    def _studies(self) -> dict[str, Study]:
        return {study.name: study for study in self._client.studies()}

    def names(self) -> list[str]:
        """See `Source`."""
        return [*self._studies]

    def together(self) -> dict[str, list[str]]:
        """See `Source`; a server runs no comparisons."""
        return {}

    def states(self) -> dict[str, Study]:
        """See `Source`."""
        return self._studies

    def summary(self, name: str, *, trials: bool = True) -> Summary:
        """See `Source`."""
        from hpsearch.service.documents import not_begun, read_summary

        study = None if trials else self._studies.get(name)
        if study is not None and not study.trials:
            return not_begun(study)
        return read_summary(self._document(name), self._client.trials(name) if trials else ())

    def seen(self, name: str) -> SeenClasses | Residuals | None:
        """See `Source`."""
        from hpsearch.service.documents import read_seen

        return read_seen(self._document(name))

    def advice(self, name: str) -> Advice:
        """See `Source`."""
        from hpsearch.service.documents import read_advice

        return read_advice(self._client.advice(name))

    def next_study(self, advice: Advice, path: Path) -> tuple[str, str]:
        """See `Source`; files of data are named as the server has them."""
        return advice.text(), f"hpsearch submit {path} --server {self._client.url}"

    def page(self, names: Sequence[str], dashboard: str | None) -> str:
        """See `Source`."""
        if len(names) > 1 or dashboard is not None:
            raise UsageError(
                "a server writes the page of one study, with its usual panels; ask for one study "
                "without --dashboard, or read the server's database with --storage"
            )
        return self._client.report(names[0])

    def table(self, name: str, to: Literal["csv", "parquet"]) -> bytes:
        """See `Source`."""
        return self._client.export(name, to)

    def database(self, what: str) -> str:
        """See `Source`."""
        raise UsageError(
            f"{what} needs the study's database, which {self._client.url} has; give --storage"
        )

    def _document(self, name: str) -> Mapping[str, object]:
        """What a study came to, asked for once."""
        if name not in self._best:
            self._best[name] = self._client.best(name)
        return self._best[name]
