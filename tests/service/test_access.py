"""Every route of the service asks who may; none is forgotten, however it was added."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any, get_args
from unittest.mock import MagicMock

import httpx
import pytest
from fastapi.routing import APIRoute

from hpsearch.service.app import make_app
from hpsearch.service.guard import OPEN, Guard
from hpsearch.service.models import Scope
from hpsearch.service.quick import Quick
from hpsearch.service.tokens import ALLOWS, Tokens, add_token
from hpsearch.storage import WriteBehindStorage, open_storage


def server() -> Any:
    """One that is never asked: whoever gets as far as that was let through wrongly."""
    mock = MagicMock()
    for part in (mock.shelf, mock.hands, mock.events, mock.desk):
        part.side_effect = AssertionError
    mock.drawings.shelf.store = open_storage(
        "sqlite://"
    )  # optuna-dashboard's pages look at it at once
    return mock


APP = make_app(server())

ASSETS = "/assets/{file}"
"""Scripts and styles, which tell of no study; whoever has a token of any kind gets them."""


def scopes(dependant: Any) -> Iterator[Scope]:
    """What the dependencies of a route ask for; see `allowed`."""
    for each in dependant.dependencies:
        if scope := getattr(each.call, "scope", None):
            yield scope
        yield from scopes(each)


ROUTES = [
    (method, route.path, list(scopes(route.dependant)))
    for route in APP.routes
    if isinstance(route, APIRoute) and route.path not in {*OPEN, ASSETS}
    for method in sorted(route.methods)
]


def ask(guard: Guard, requests: list[tuple[str, str, str]]) -> list[httpx.Response]:
    """Answers to requests: method, path, token."""

    async def all_of_them() -> list[httpx.Response]:
        transport = httpx.ASGITransport(guard, client=("10.0.0.1", 5000))
        async with httpx.AsyncClient(transport=transport, base_url="http://lab") as client:
            return [
                await client.request(
                    method, path, headers={"authorization": f"Bearer {token}"} if token else None
                )
                for method, path, token in requests
            ]

    return asyncio.run(all_of_them())


def filled(path: str, study: str = "digits") -> str:
    return re.sub(r"\{\w+\}", "1", path.replace("{name}", study))


def test_there_are_routes() -> None:
    assert len(ROUTES) > 20


@pytest.mark.parametrize(("method", "path", "asked"), ROUTES, ids=lambda part: str(part))
def test_each_route_asks_for_a_scope(method: str, path: str, asked: list[Scope]) -> None:
    assert len(asked) == 1
    if method not in ("GET", "HEAD"):
        assert asked != ["read"]


@pytest.mark.parametrize("is_quick", [False, True])
def test_who_is_let_through_by_none(storage: WriteBehindStorage, is_quick: bool) -> None:
    """Without a token, with one that is over, with the wrong scope, or of another study.

    The way that most requests take is as closed as the other.
    """
    app = Quick(APP, MagicMock(side_effect=AssertionError)) if is_quick else APP
    guard = Guard(app, Tokens(storage), "0.0.0.0")
    over = add_token(storage, "over", "admin", days=1e-9)
    tokens = {scope: add_token(storage, scope, scope) for scope in get_args(Scope)}
    other = add_token(storage, "other", "admin", study="iris")
    for method, path, [needed] in ROUTES:
        way = (method, filled(path))
        refused = [token for scope, token in tokens.items() if needed not in ALLOWS[scope]]
        refused += [other] if "{name}" in path else []
        unknown, ended, *others = ask(
            guard, [(*way, ""), (*way, over), *((*way, token) for token in refused)]
        )
        assert (way, unknown.status_code) == (way, 401)
        assert ended.status_code in (401, 429)
        assert {answer.status_code for answer in others} <= {403}, way


@pytest.mark.parametrize(
    "path", ["/openapi.json", "/docs", "/assets/page.js", "/metrics", "/", "/optuna/", "/x"]
)
def test_nothing_else_is_open_either(storage: WriteBehindStorage, path: str) -> None:
    [answer] = ask(Guard(APP, Tokens(storage), "0.0.0.0"), [("GET", path, "")])
    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("content", "status"), [(b"{}", 422), (b"{", 422), (b" " * 1_000_001, 413)]
)
@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_body_is_as_bounded_on_the_quick_way(
    storage: WriteBehindStorage, content: bytes, status: int, is_chunked: bool
) -> None:
    guard = Guard(Quick(APP, MagicMock(side_effect=AssertionError)), Tokens(storage), "127.0.0.1")

    async def in_parts() -> AsyncIterator[bytes]:
        yield content

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(guard)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.post(
                "/v1/trials/7:heartbeat",
                content=in_parts() if is_chunked else content,
                headers={"content-type": "application/json"},
            )

    answer = asyncio.run(send())
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
