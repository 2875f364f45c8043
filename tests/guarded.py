"""A small service behind the guard, and what sends it a request."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Annotated, Any, Protocol

import httpx
import uvicorn
from fastapi import Depends, FastAPI, Request
from fastapi.responses import HTMLResponse, StreamingResponse

from hpsearch.errors import UnknownNameError
from hpsearch.service.guard import REPORT_POLICY, Guard, Only, allowed
from hpsearch.service.problems import answer_problems
from hpsearch.service.slow import LIMITS, Impatient
from hpsearch.service.tokens import Asker, Tokens

Who = Annotated[Asker, Depends(allowed("read"))]

PAGE = {"accept": "text/html,*/*;q=0.8"}
"""What a browser sends where it wants a page."""


class Clock:
    """Of seconds that a test lets pass."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


class Send(Protocol):
    """Sends one request, and returns its answer."""

    def __call__(self, method: str, path: str, token: str = "", **options: Any) -> httpx.Response:
        """With httpx's options, and `client`, `scheme`, `host`."""


class Serve(Protocol):
    """Serves the routes behind a guard of some options."""

    def __call__(self, address: str = "127.0.0.1", **options: Any) -> Send:
        """`around` is put around the guard."""


@cache
def service() -> FastAPI:
    """A few routes as the service has them."""
    app = FastAPI()
    answer_problems(app)

    @app.get("/healthz")
    async def healthz() -> str:
        return "well"

    @app.get("/")
    async def page(who: Who) -> HTMLResponse:
        return HTMLResponse(f"<p>{who.name}</p>")

    @app.get("/v1/studies", dependencies=[Depends(allowed("read", route_checks=True))])
    async def studies() -> list[str]:
        return []

    @app.post("/v1/studies", dependencies=[Depends(allowed("submit", route_checks=True))])
    async def submit(request: Request) -> int:
        return len(await request.body())

    @app.get("/v1/studies/{name}")
    async def study(name: str, who: Who) -> str:
        return f"{who.name} sees {name}"

    @app.delete("/v1/studies/{name}", dependencies=[Depends(allowed("admin"))])
    async def delete(name: str) -> str:
        return "gone"

    @app.post("/v1/studies/{name}:pause", dependencies=[Depends(allowed("submit"))])
    async def pause(name: str) -> str:
        return "paused"

    @app.post("/v1/trials:ask", dependencies=[Depends(allowed("work", route_checks=True))])
    async def ask() -> str:
        return "work"

    @app.post("/v1/trials/{trial}:tell", dependencies=[Depends(allowed("work", route_checks=True))])
    async def tell(trial: str, body: dict[str, Any]) -> int:
        return len(body)

    @app.get("/v1/agents", dependencies=[Depends(allowed("read"))])
    async def agents() -> list[str]:
        return []

    @app.get("/v1/events")
    async def events(who: Who) -> StreamingResponse:
        async def lines() -> AsyncIterator[str]:
            for number in range(3):
                yield f"data: {number}\n\n"

        return StreamingResponse(lines(), media_type="text/event-stream")

    @app.get("/v1/forever")
    async def forever(request: Request, who: Who) -> StreamingResponse:
        async def events() -> AsyncIterator[str]:
            while True:
                yield "data: beat\n\n"
                request.app.state.between()

        return StreamingResponse(events())

    @app.get("/v1/long")
    async def long(who: Who) -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            for _ in range(1000):
                yield bytes(100_000)

        return StreamingResponse(parts())

    @app.get("/v1/report")
    async def report(who: Who) -> HTMLResponse:
        own = {"Content-Security-Policy": REPORT_POLICY, "Cache-Control": "private, max-age=60"}
        return HTMLResponse("<script>1</script>", headers=own)

    @app.get("/v1/fault")
    async def fault(request: Request) -> None:
        raise RuntimeError(f"with {request.url.query} in it")

    @app.get("/v1/unknown/{what}")
    async def unknown(what: str) -> None:
        raise UnknownNameError("study", what, [what, "digits"])

    async def mounted(scope: Any, receive: Any, send: Any) -> None:
        await HTMLResponse(scope["path"])(scope, receive, send)

    app.mount("/optuna", Only(mounted, "read"))
    return app


def serving(
    tokens: Tokens,
    clock: Clock,
    address: str = "127.0.0.1",
    around: Any = lambda app: app,
    **options: Any,
) -> Send:
    """Serve the routes, in the process itself."""
    app = around(Guard(service(), tokens, address, clock=clock, **options))

    def send(
        method: str,
        path: str,
        token: str = "",
        *,
        client: str = "127.0.0.1",
        scheme: str = "http",
        headers: Any = None,
        **more: Any,
    ) -> httpx.Response:
        async def once() -> httpx.Response:
            transport = httpx.ASGITransport(app, client=(client, 5000))
            async with httpx.AsyncClient(transport=transport) as http:
                given = httpx.Headers(headers)
                if token:
                    given["authorization"] = f"Bearer {token}"
                url = f"{scheme}://127.0.0.1:8000{path}"
                return await http.request(method, url, headers=given, **more)

        return asyncio.run(once())

    return send


@contextmanager
def running(tokens: Tokens, **options: Any) -> Iterator[int]:
    """Serve the routes by a real server, for who has a token; gives its port."""
    app = Guard(service(), tokens, "127.0.0.1", needs_token=True, **options)
    config = uvicorn.Config(app, http=Impatient, log_config=None, lifespan="off", **LIMITS)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as here:
        thread = threading.Thread(target=server.run, args=([here],), daemon=True)
        thread.start()
        try:
            yield here.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()
