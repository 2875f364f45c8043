"""Who is answered by the service, and what a request may look like."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Annotated, Any

import httpx
import pytest
from fastapi import Depends, FastAPI, Request
from fastapi.responses import HTMLResponse, StreamingResponse

from hpsearch.service.guard import Guard, Only, allowed
from hpsearch.service.problems import answer_problems
from hpsearch.service.tokens import Asker, Tokens, add_token
from hpsearch.storage import WriteBehindStorage, open_storage

Who = Annotated[Asker, Depends(allowed("read"))]

PAGE = {"accept": "text/html,*/*;q=0.8"}


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

    async def mounted(scope: Any, receive: Any, send: Any) -> None:
        await HTMLResponse(scope["path"])(scope, receive, send)

    app.mount("/optuna", Only(mounted, "read"))
    return app


@pytest.fixture
def storage(tmp_path: Path) -> WriteBehindStorage:
    return open_storage(str(tmp_path / "a.db"))


Send = Callable[..., httpx.Response]


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def served(storage: WriteBehindStorage, clock: Clock) -> Callable[..., Send]:
    """Serves the routes, and gives what sends one request and returns its answer."""

    def serve(address: str = "127.0.0.1", **options: Any) -> Send:
        tokens = Tokens(storage, clock=clock)
        guard = Guard(service(), tokens, address, clock=clock, **options)

        def send(
            method: str,
            path: str,
            token: str = "",
            *,
            client: str = "127.0.0.1",
            host: str = "127.0.0.1:8000",
            scheme: str = "http",
            headers: dict[str, str] | list[tuple[str, str]] | None = None,
            **more: Any,
        ) -> httpx.Response:
            async def once() -> httpx.Response:
                transport = httpx.ASGITransport(guard, client=(client, 5000))
                async with httpx.AsyncClient(transport=transport) as http:
                    given = httpx.Headers(headers or {})
                    given.setdefault("host", host)
                    if token:
                        given["authorization"] = f"Bearer {token}"
                    url = f"{scheme}://{host or 'x'}{path}"
                    return await http.request(method, url, headers=given, **more)

            return asyncio.run(once())

        return send

    return serve


def test_who_asks_is_known_to_the_routes(
    served: Callable[..., Send], storage: WriteBehindStorage
) -> None:
    token = add_token(storage, "ann", "read")
    assert served()("GET", "/v1/studies/digits").json() == "local sees digits"
    assert served("0.0.0.0")("GET", "/v1/studies/digits", token).json() == "ann sees digits"
