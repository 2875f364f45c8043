"""optuna-dashboard below a path: read-only, for those who may see every study.

It names its own addresses from the root of a server. They are put below the path in its page and in
its script, as they are sent.
"""

from __future__ import annotations

import asyncio
from functools import lru_cache
from typing import TYPE_CHECKING

from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from hpsearch.dashboard.guard import Guard as ReadOnly
from hpsearch.dashboard.server import pages_of

if TYPE_CHECKING:
    from hpsearch.storage import WriteBehindStorage

__all__ = ["POLICY", "Optuna"]

POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src blob:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""What its pages may load: still nothing from another host."""

ADDRESSES = (
    ('url_prefix:"/dashboard"', 'url_prefix:"{}/dashboard"'),
    ("${this.baseURL}/api/", "${{this.baseURL}}{}/api/"),
    ("`/csv/", "`{}/csv/"),
    ("`/artifacts/", "`{}/artifacts/"),
)
"""Its own addresses in its script, and how they stand below a path."""


class Optuna:
    """optuna-dashboard as an ASGI application that is mounted below a path.

    Args:
        store: the database.
    """

    def __init__(self, store: WriteBehindStorage) -> None:
        self._store = store
        self._made: ASGIApp | None = None
        self._making = asyncio.Lock()

    async def _pages(self) -> ASGIApp:
        """Its own application, from the first request on: importing it takes half of a start."""
        async with self._making:
            if self._made is None:
                self._made = await asyncio.to_thread(_made, self._store)
            return self._made

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        base = scope.get("root_path", "")
        path = scope["path"].removeprefix(base) or "/"
        if path == "/":
            await RedirectResponse(f"{base}/dashboard")(scope, receive, send)
            return
        headers = {"Content-Security-Policy": POLICY}
        if path.startswith("/dashboard"):
            page = Response(_index(base), media_type="text/html", headers=headers)
            await page(scope, receive, send)
        elif path == "/static/bundle.js":
            headers["Cache-Control"] = "private, max-age=3600"
            script = Response(_script(base), media_type="text/javascript", headers=headers)
            await script(scope, receive, send)
        else:
            inner = dict(scope, root_path="", path=path, raw_path=path.encode())
            await (await self._pages())(inner, receive, send)


def _made(store: WriteBehindStorage) -> ASGIApp:
    from a2wsgi import WSGIMiddleware

    return WSGIMiddleware(ReadOnly(pages_of(store), None))  # type: ignore[arg-type, return-value]


@lru_cache(maxsize=2)
def _index(base: str) -> str:
    page = _file("index.html").replace('src="/static/', f'src="{base}/static/')
    return page.replace("<head>", '<head><link rel="icon" href="data:,">', 1)


@lru_cache(maxsize=2)
def _script(base: str) -> bytes:
    text = _file("public/bundle.js")
    for address, below in ADDRESSES:
        text = text.replace(address, below.format(base))
    return text.encode()


def _file(name: str) -> str:
    from importlib.resources import files

    return (files("optuna_dashboard") / name).read_text(encoding="utf-8")
