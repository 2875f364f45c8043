"""An agent's link: what is repeated, how long it waits, and what it downloads."""

from __future__ import annotations

import asyncio
import datetime
import email.utils
import io
import time
from collections.abc import Awaitable, Callable

import httpx
import pytest

from hpsearch.errors import RunError, UsageError
from hpsearch.service import link as link_module
from hpsearch.service import requests
from hpsearch.service.link import AnswerError, Link, NoAnswerError

Answer = Callable[[httpx.Request], Awaitable[httpx.Response]]


def linked(answer: Answer, url: str = "https://server.test") -> Link:
    return Link(url, transport=httpx.MockTransport(answer))


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that were waited, without waiting."""
    noted: list[float] = []

    async def sleep(seconds: float) -> None:
        noted.append(seconds)

    monkeypatch.setattr(link_module.asyncio, "sleep", sleep)
    return noted


@pytest.mark.parametrize("status", [409, 429, 503])
def test_it_waits_for_as_long_as_the_server_asks(pauses: list[float], status: int) -> None:
    async def answer(request: httpx.Request) -> httpx.Response:
        if len(pauses) == 0:
            return httpx.Response(status, headers={"Retry-After": "7"})
        if len(pauses) == 1:
            soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=20)
            date = email.utils.format_datetime(soon, usegmt=True)
            return httpx.Response(status, headers={"Retry-After": date})
        if len(pauses) == 2:
            return httpx.Response(status, headers={"Retry-After": "99999999"})
        return httpx.Response(200, json={"versions": {}})

    assert asyncio.run(linked(answer).send(requests.server())) == {"versions": {}}
    one, other, long = pauses
    assert 7 <= one <= 8.4
    assert 18 <= other <= 24.1
    assert 300 <= long <= 360


def test_pauses_grow_and_differ(pauses: list[float]) -> None:
    async def answer(request: httpx.Request) -> httpx.Response:
        if len(pauses) < 12:
            raise httpx.ConnectError("refused")
        return httpx.Response(200, json={})

    asyncio.run(linked(answer).send(requests.server()))
    assert all(0.3 * 0.5 * 2**k <= pause <= 0.5 * 2**k for k, pause in enumerate(pauses[:6]))
    assert all(9 <= pause <= 30 for pause in pauses[6:])
    assert len(set(pauses)) == 12


def test_it_does_not_wait_for_ever_where_nobody_does() -> None:
    async def answer(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectTimeout("slow")

    began = time.monotonic()
    with pytest.raises(NoAnswerError, match="it takes too long"):
        asyncio.run(linked(answer).send(requests.server(), patience=0.05))
    assert time.monotonic() - began < 30


def test_it_calls_below_the_root_path_and_follows_nobody() -> None:
    seen = []

    async def answer(request: httpx.Request) -> httpx.Response:
        seen.append(str(request.url))
        return httpx.Response(302, headers={"Location": "https://evil.test/"})

    with pytest.raises(AnswerError, match=r"sends its callers to https://evil\.test/"):
        asyncio.run(linked(answer, "https://server.test/a/b/").send(requests.server()))
    assert seen == ["https://server.test/a/b/v1/server"]


def test_a_download_that_breaks_off_begins_anew(pauses: list[float]) -> None:
    class Broken(httpx.AsyncByteStream):
        async def __aiter__(self):  # type: ignore[no-untyped-def]
            yield b"half"
            raise httpx.RemoteProtocolError("peer closed connection")

    async def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/v1/data/0123456789abcdef"
        if not pauses:
            return httpx.Response(200, stream=Broken())
        return httpx.Response(200, headers={"ETag": '"abc"'}, content=b"whole")

    file = io.BytesIO()
    etag = asyncio.run(linked(answer).download("0123456789abcdef", file, 100))
    assert (etag, file.getvalue()) == ("abc", b"whole")
    with pytest.raises(RunError, match="more than the 3 bytes"):
        asyncio.run(linked(answer).download("0123456789abcdef", file, 3))


def test_data_that_are_not_there_are_told() -> None:
    async def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(404, json={"detail": "no study needs these data"})

    with pytest.raises(AnswerError, match="no study needs these data"):
        asyncio.run(linked(answer).download("0123456789abcdef", io.BytesIO(), 3))


@pytest.mark.parametrize("url", ["", "ftp://x", "http://", "http://a:b@c", "http://x?y"])
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(UsageError):
        Link(url)
