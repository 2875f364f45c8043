"""The server's pages: all studies, one study while it is searched, and who lends workers.

The page of a study is the offline report's, its scripts and its document; around it stand the state
and the buttons. A document takes a second or more to draw, so that a process beside the server does
it, once for all who look, and only if something has changed.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from contextlib import ExitStack
from importlib.resources import files
from typing import TYPE_CHECKING, Annotated, NamedTuple
from urllib.parse import quote

from fastapi import Depends, FastAPI, Header, Request, Response

from hpsearch.engine.executors.processes import process_pool
from hpsearch.report.page import ASSETS, LIVE, PLOTLY, SCRIPTS, STYLE, asset
from hpsearch.service.glimpse import Drawn, draw
from hpsearch.service.guard import Only, allowed
from hpsearch.service.optuna_pages import Optuna
from hpsearch.service.problems import Problem
from hpsearch.service.tokens import Asker
from hpsearch.writing import html_text

if TYPE_CHECKING:
    from hpsearch.engine.executors import Pool
    from hpsearch.service.studies import Shelf

__all__ = ["Pages", "add_pages"]

Reader = Annotated[Asker, Depends(allowed("read"))]
AnyReader = Annotated[Asker, Depends(allowed("read", route_checks=True))]
Known = Annotated[str | None, Header(alias="If-None-Match")]

OWN = ("service.css", "site.js", "list.js", "study.js")
"""The files of these pages beside the report's."""

MOST_DOCUMENTS = 16
"""Documents that are kept, of those studies that were looked at last."""


class _Document(NamedTuple):
    tag: str
    content: bytes


class Pages:
    """Draws the documents of studies.

    Args:
        shelf: has the studies.
    """

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self._stack = ExitStack()
        self._pool: Pool | None = None
        self._drawn: OrderedDict[str, _Document] = OrderedDict()
        self._drawing: dict[str, asyncio.Task[_Document]] = {}

    def close(self) -> None:
        """End the process that draws."""
        self._stack.close()

    async def document(self, name: str) -> tuple[str, bytes]:
        """The document of a study's page as it is now, and a tag that tells it from any other.

        Raises:
            UnknownNameError: there is no such study.
        """
        tag = await asyncio.to_thread(self._tag, name)
        known = self._drawn.get(name)
        if known is not None and known.tag == tag:
            return known
        task = self._drawing.get(name)
        if task is None:
            task = self._drawing[name] = asyncio.create_task(self._draw(name, tag))
            task.add_done_callback(lambda _: self._drawing.pop(name, None))
        return await asyncio.shield(task)

    def _tag(self, name: str) -> str:
        """What changes whenever the page of a study would look otherwise."""
        study = self.shelf.study(name)
        if not study.trials:
            raise Problem(409, f"the study {name!r} has no trials yet; it is {study.state}")
        seen = (study.state, study.trials, study.best, study.total)
        return f'"{hashlib.sha256(repr(seen).encode()).hexdigest()[:32]}"'

    async def _draw(self, name: str, tag: str) -> _Document:
        if self._pool is None:
            self._pool = self._stack.enter_context(process_pool(1))
        url = self.shelf.store.connection.url
        future = self._pool.submit(draw, Drawn(url, name), limit=300.0)
        document = _Document(tag, await asyncio.wrap_future(future))
        self._drawn[name] = document
        self._drawn.move_to_end(name)
        while len(self._drawn) > MOST_DOCUMENTS:
            self._drawn.popitem(last=False)
        return document


def add_pages(app: FastAPI, pages: Pages) -> None:
    """The routes of pages.

    Args:
        app: gets them.
        pages: has their documents.
    """

    @app.get("/v1/studies/{name}/document", tags=["results"], summary="What a study's page shows")
    async def document(name: str, asker: Reader, known: Known = None) -> Response:
        """In terms of JSON, with an ETag."""
        tag, content = await pages.document(name)
        headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
        if known == tag:
            return Response(status_code=304, headers=headers)
        return Response(content, media_type="application/json", headers=headers)

    app.mount("/optuna", Only(Optuna(pages.shelf.store), "read"))

    @app.get("/", include_in_schema=False)
    async def studies(request: Request, asker: AnyReader) -> Response:
        return _page(request, "hpsearch", "list", ["dom.js"], ["list.js"])

    @app.get("/studies/{name}", include_in_schema=False)
    async def study(request: Request, name: str, asker: Reader) -> Response:
        await asyncio.to_thread(pages.shelf.study, name)
        scripts = [*SCRIPTS, PLOTLY, LIVE]
        return _page(request, name, "study", scripts, ["study.js"], name)

    @app.get("/assets/{file}", include_in_schema=False)
    async def static(file: str, known: Known = None) -> Response:
        if file in OWN:
            content = (files("hpsearch.service") / "assets" / file).read_bytes()
        elif file in ASSETS:
            content = asset(file)
        else:
            raise Problem(404, f"there is no file {file!r}")
        tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
        if known == tag:
            return Response(status_code=304, headers=headers)
        kind = "text/css" if file.endswith(".css") else "text/javascript"
        return Response(content, media_type=kind, headers=headers)


def _page(
    request: Request,
    title: str,
    kind: str,
    first: list[str],
    then: list[str],
    name: str | None = None,
) -> Response:
    root = request.scope.get("root_path", "")
    links = "".join(
        f'<script defer src="{html_text(root)}/assets/{file}"></script>\n'
        for file in (*first, "site.js", *then)
    )
    facts = {"root": f"{root}/"}
    if name is not None:
        study = f"{root}/v1/studies/{quote(name, safe='')}"
        facts |= {"study": study, "document": f"{study}/document", "events": f"{study}/events"}
        facts["name"] = name
    meta = "".join(
        f'<meta name="hpsearch-{key}" content="{html_text(value)}">\n'
        for key, value in facts.items()
    )
    html = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{html_text(title)}</title>\n"
        f'<link rel="icon" href="data:,">\n'
        f'<link rel="stylesheet" href="{html_text(root)}/assets/{STYLE}">\n'
        f'<link rel="stylesheet" href="{html_text(root)}/assets/service.css">\n'
        f'{meta}{links}</head>\n<body class="{kind}">\n'
        f'<header id="site"></header>\n'
        '<main id="page"><noscript><p>This page needs JavaScript.</p></noscript></main>\n'
        "</body>\n</html>\n"
    )
    return Response(html, media_type="text/html")
