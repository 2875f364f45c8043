"""The server's pages: all studies, one study while it is searched, and who lends workers.

The page of a study is the offline report's, its scripts and its document; around it stand the state
and the buttons.
"""

from __future__ import annotations

import asyncio
import hashlib
from importlib.resources import files
from typing import Annotated
from urllib.parse import quote

from fastapi import Depends, FastAPI, Header, Path, Request, Response

from hpsearch.errors import UnknownNameError
from hpsearch.report.page import ASSETS, LIVE, PLOTLY, SCRIPTS, STYLE, asset
from hpsearch.service.drawings import Drawings
from hpsearch.service.guard import Only, allowed
from hpsearch.service.optuna_pages import Optuna
from hpsearch.service.problems import Problem
from hpsearch.service.reference import reference_html
from hpsearch.service.tokens import Asker
from hpsearch.writing import html_text

__all__ = ["Number", "add_pages"]

Reader = Annotated[Asker, Depends(allowed("read"))]
AnyReader = Annotated[Asker, Depends(allowed("read", route_checks=True))]
Known = Annotated[str | None, Header(alias="If-None-Match")]
Number = Annotated[int, Path(ge=0, le=2**31 - 1, description="Of a trial in its study, from 0.")]

OWN = ("service.css", "site.js", "list.js", "study.js")
"""The files of these pages beside the report's."""

SCRIPTED = "<noscript><p>This page needs JavaScript.</p></noscript>"


def add_pages(app: FastAPI, drawings: Drawings) -> None:
    """The routes of pages.

    Args:
        app: gets them.
        drawings: the documents of studies.
    """

    @app.get("/v1/studies/{name}/document", tags=["results"], summary="What a study's page shows")
    async def document(name: str, asker: Reader, known: Known = None) -> Response:
        """Texts, figures in terms of Plotly and the trials' columns, of 1,000 trials at most.

        It has an `ETag`; an answer waits until what has changed is drawn.
        """
        drawing = await drawings.document(name)
        headers = {"ETag": drawing.tag, "Cache-Control": "private, no-cache"}
        if known == drawing.tag:
            return Response(status_code=304, headers=headers)
        return Response(drawing.content, media_type="application/json", headers=headers)

    @app.get(
        "/v1/studies/{name}/layers/{number}", tags=["results"], summary="A network from inside"
    )
    async def layers(name: str, number: Number, asker: Reader) -> Response:
        """What a trial's page shows of its layers, beside the best: panels, none or one."""
        content = await drawings.layers(name, number)
        return Response(content, media_type="application/json")

    app.mount("/optuna", Only(Optuna(drawings.shelf.store), "read"))

    @app.get("/", include_in_schema=False)
    async def studies(request: Request, asker: AnyReader) -> Response:
        return _page(request, "hpsearch", "list", ["dom.js", LIVE], ["list.js"])

    @app.get("/studies/{name}", include_in_schema=False)
    async def study(request: Request, name: str, asker: Reader) -> Response:
        try:
            await asyncio.to_thread(drawings.shelf.study, name)
        except UnknownNameError:
            root = html_text(request.scope.get("root_path", ""))
            content = (
                f"<h1>No such study</h1><p>This server has no study that is called "
                f'{html_text(name)}; perhaps it was deleted. <a href="{root}/">All studies</a></p>'
            )
            page = _page(request, "hpsearch", "away", ["dom.js", LIVE], [], content=content)
            page.status_code = 404
            return page
        scripts = [*SCRIPTS, PLOTLY, LIVE]
        content = f'<p class="empty" role="status">It is being drawn.</p>{SCRIPTED}'
        return _page(request, name, "study", scripts, ["study.js"], name, content)

    @app.get("/docs", include_in_schema=False)
    def docs(request: Request, asker: AnyReader) -> Response:
        url = str(request.base_url).rstrip("/")
        content = reference_html(app.openapi(), url)
        return _page(request, "hpsearch: the API", "docs", ["dom.js", LIVE], [], content=content)

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
    content: str = SCRIPTED,
) -> Response:
    """A page.

    Args:
        request: asks for it.
        title: of the window.
        kind: the class of its body.
        first: scripts.
        then: scripts that come after `site.js`.
        name: of the study that it shows.
        content: safe HTML.
    """
    root = request.scope.get("root_path", "")
    links = "".join(
        f'<script defer src="{html_text(root)}/assets/{file}"></script>\n'
        for file in (*first, "site.js", *then)
    )
    facts = {"root": f"{root}/"}
    if name is not None:
        study = f"{root}/v1/studies/{quote(name, safe='')}"
        facts |= {"name": name, "study": study, "document": f"{study}/document"}
        facts |= {"events": f"{study}/events", "trials": f"{study}/layers/"}
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
        f'<main id="page">{content}</main>\n'
        "</body>\n</html>\n"
    )
    return Response(html, media_type="text/html")
