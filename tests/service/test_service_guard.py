"""Who is answered by the service, and what a request may look like."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from guarded import PAGE, Clock, Serve, service
from hypothesis import given
from hypothesis import strategies as st
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from hpsearch.errors import UsageError
from hpsearch.service import guard
from hpsearch.service.guard import JSON_BYTES, REPORT_POLICY, Failures, Guard
from hpsearch.service.models import Scope
from hpsearch.service.tokens import Asker, Tokens, add_token, remove_token
from hpsearch.storage import WriteBehindStorage, open_storage

JSON = {"content-type": "application/json"}
TOML = {"content-type": "application/toml"}
CROSS = {"sec-fetch-site": "cross-site"}
LINK = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
HERE = "http://127.0.0.1:8000"


def test_who_asks_is_known_to_the_routes(served: Serve, storage: WriteBehindStorage) -> None:
    token = add_token(storage, "ann", "read")
    here, there = served(), served("0.0.0.0")
    assert here("GET", "/v1/studies/digits").json() == "local sees digits"
    assert here("GET", "/v1/studies/digits", token).json() == "ann sees digits"
    assert there("GET", "/v1/studies/digits", token).json() == "ann sees digits"


@pytest.mark.parametrize(
    ("address", "hosts", "host", "status"),
    [
        ("127.0.0.1", [], "127.0.0.1:8000", 200),
        ("127.0.0.1", [], "localhost", 200),
        ("127.0.0.1", [], "LocalHost:1", 200),
        ("127.0.0.1", [], "[::1]:8000", 200),
        ("::1", [], "[::1]:8000", 200),
        ("localhost", [], "127.0.0.1", 200),
        ("127.0.0.1", [], "evil.example", 403),
        ("127.0.0.1", [], "evil.example:8000", 403),
        ("127.0.0.1", [], "127.0.0.1.evil.example", 403),
        ("127.0.0.1", [], "127.0.0.1@evil.example", 403),
        ("127.0.0.1", [], "localhost:8000:evil", 403),
        ("127.0.0.1", [], "[::1", 403),
        ("127.0.0.1", [], "", 403),
        ("127.0.0.1", [], "192.168.1.7", 403),
        ("127.0.0.1", ["Lab.example"], "lab.example", 200),
        ("127.0.0.1", ["lab.example"], "localhost", 200),
        ("127.0.0.1", ["lab.example:8443"], "lab.example:8443", 200),
        ("127.0.0.1", ["lab.example"], "other.example", 403),
        ("192.168.1.7", [], "192.168.1.7:8000", 200),
        ("192.168.1.7", [], "localhost", 403),
        ("fe80::7", [], "[fe80::7]", 200),
        ("192.168.1.7", ["fd00::1", "lab"], "[fd00::1]:80", 200),
        ("0.0.0.0", [], "any.example", 200),
        ("::", [], "any.example", 200),
        ("0.0.0.0", ["lab.example"], "any.example", 403),
        ("0.0.0.0", ["lab.example"], "lab.example:1", 200),
    ],
)
def test_names_of_the_server(
    served: Serve,
    storage: WriteBehindStorage,
    address: str,
    hosts: list[str],
    host: str,
    status: int,
) -> None:
    """Whoever has a token, and whoever asks for nothing but whether the server is there."""
    token = add_token(storage, "ann", "read")
    send = served(address, hosts=hosts)
    headers = {"host": host}
    assert send("GET", "/v1/studies", token, headers=headers).status_code == status
    assert send("GET", "/healthz", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("address", "options", "client", "headers", "status"),
    [
        ("127.0.0.1", {}, "127.0.0.1", {}, 200),
        ("127.0.0.1", {}, "::1", {}, 200),
        ("::1", {}, "::ffff:127.0.0.1", {}, 200),
        ("127.0.0.1", {"needs_token": True}, "127.0.0.1", {}, 401),
        ("127.0.0.1", {"hosts": ["lab.example"]}, "127.0.0.1", {}, 401),
        ("127.0.0.1", {"root_path": "/search"}, "127.0.0.1", {}, 401),
        ("127.0.0.1", {}, "127.0.0.1", {"x-forwarded-for": "10.0.0.1"}, 401),
        ("127.0.0.1", {}, "127.0.0.1", {"forwarded": "for=10.0.0.1"}, 401),
        ("127.0.0.1", {}, "127.0.0.1", {"via": "1.1 proxy"}, 401),
        ("127.0.0.1", {}, "127.0.0.1", {"x-real-ip": "10.0.0.1"}, 401),
        ("127.0.0.1", {}, "10.0.0.1", {}, 401),
        ("127.0.0.1", {}, "", {}, 401),
        ("0.0.0.0", {}, "127.0.0.1", {}, 401),
        ("192.168.1.7", {}, "192.168.1.7", {"host": "192.168.1.7"}, 401),
    ],
)
def test_who_needs_no_token(
    served: Serve,
    address: str,
    options: dict[str, Any],
    client: str,
    headers: dict[str, str],
    status: int,
) -> None:
    send = served(address, **options)
    answer = send("GET", "/v1/agents", client=client, headers=headers)
    assert answer.status_code == status
    assert send("GET", "/healthz", client=client, headers=headers).status_code == 200
    if status == 401:
        assert answer.headers["www-authenticate"] == "Bearer"
        assert "hpsearch token add NAME --scope read" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("shown", "status"),
    [
        ("Bearer {}", 200),
        ("bearer   {}", 200),
        ("BEARER {} ", 200),
        ("Bearer {}x", 401),
        ("Bearer {},{}", 401),
        ("Bearer", 401),
        ("Bearer ", 401),
        ("{}", 401),
        ("Basic {}", 401),
        ("Bearer \xff\xfe", 401),
    ],
)
@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
def test_how_a_token_is_shown(
    served: Serve,
    storage: WriteBehindStorage,
    address: str,
    shown: str,
    status: int,
) -> None:
    """A wrong one is wrong where none is needed too."""
    token = add_token(storage, "ann", "read")
    headers = [("Authorization", shown.replace("{}", token).encode("latin-1"))]
    assert served(address)("GET", "/v1/agents", headers=headers).status_code == status


def test_a_token_in_the_address_is_none(served: Serve, storage: WriteBehindStorage) -> None:
    token = add_token(storage, "ann", "read")
    answer = served("0.0.0.0")("GET", f"/v1/agents?token={token}&access_token={token}")
    assert answer.status_code == 401
    assert token not in answer.text


ROUTES = {
    ("GET", "/"): "read",
    ("GET", "/v1/studies"): "read",
    ("GET", "/v1/studies/digits"): "read",
    ("GET", "/v1/agents"): "read",
    ("GET", "/optuna/"): "read",
    ("POST", "/v1/studies"): "submit",
    ("POST", "/v1/studies/digits:pause"): "submit",
    ("POST", "/v1/trials:ask"): "work",
    ("DELETE", "/v1/studies/digits"): "admin",
}


@pytest.mark.parametrize("scope", ["read", "submit", "work", "admin"])
def test_scopes(served: Serve, storage: WriteBehindStorage, scope: Scope) -> None:
    send, token = served("0.0.0.0"), add_token(storage, "ann", scope)
    may = {route: send(*route, token).status_code for route in ROUTES}
    assert may == {
        route: 200 if Asker("ann", scope).may(needed) else 403 for route, needed in ROUTES.items()
    }
    assert {send(*route).status_code for route in ROUTES} == {401}


def test_a_token_of_one_study(served: Serve, storage: WriteBehindStorage) -> None:
    send, token = served("0.0.0.0"), add_token(storage, "ann", "admin", study="digits")
    statuses = {route: send(*route, token).status_code for route in ROUTES}
    # What is of no study by its path is for the route to decide, or not for this token.
    closed = {("GET", "/"), ("GET", "/v1/agents"), ("GET", "/optuna/")}
    assert statuses == {route: 403 if route in closed else 200 for route in ROUTES}
    for path in ("/v1/studies/iris", "/v1/studies/digits%20", "/v1/studies/Digits"):
        answer = send("GET", path, token)
        assert answer.status_code == 403
        assert answer.json()["detail"] == "the token 'ann' is for the study 'digits' only"


def test_a_token_of_one_study_hears_of_no_other(served: Serve, storage: WriteBehindStorage) -> None:
    send = served("0.0.0.0")
    whole, one = add_token(storage, "a", "read"), add_token(storage, "b", "read", study="secrets")
    answer = send("GET", "/v1/unknown/secret", whole)
    assert answer.json()["detail"].endswith("Known: secret, digits")
    answer = send("GET", "/v1/unknown/secret", one)
    assert answer.json()["detail"] == "unknown study 'secret'"


def test_a_token_that_was_removed_or_is_over(
    served: Serve, storage: WriteBehindStorage, clock: Clock
) -> None:
    send = served("0.0.0.0")
    removed, over = add_token(storage, "a", "read"), add_token(storage, "b", "read", days=1e-9)
    assert send("GET", "/v1/agents", over).status_code == 401
    assert send("GET", "/v1/agents", removed).status_code == 200
    remove_token(storage, "a")
    clock.seconds += 3
    assert send("GET", "/v1/agents", removed).status_code == 401


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("GET", {}, 200),
        ("GET", {"origin": "https://evil.example"}, 200),  # which may not read the answer
        ("GET", {"sec-fetch-site": "same-origin"}, 200),
        ("GET", {"sec-fetch-site": "none"}, 200),
        ("GET", CROSS, 403),
        ("GET", {"sec-fetch-site": "same-site"}, 403),
        ("GET", {"sec-fetch-site": "of a newer browser"}, 403),
        ("GET", CROSS | {"sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"}, 403),
        ("GET", CROSS | LINK, 200),
        ("HEAD", CROSS | LINK, 405),
        ("GET", CROSS | LINK | {"sec-fetch-dest": "iframe"}, 403),
        ("POST", {}, 200),
        ("POST", {"origin": HERE}, 200),
        ("POST", {"origin": HERE, "sec-fetch-site": "same-origin"}, 200),
        ("POST", {"origin": "http://127.0.0.1:8001"}, 403),
        ("POST", {"origin": "http://127.0.0.1"}, 403),
        ("POST", {"origin": "http://localhost:8000"}, 403),
        ("POST", {"origin": "https://evil.example"}, 403),
        ("POST", {"origin": "null"}, 403),
        ("POST", {"origin": ""}, 403),
        ("POST", {"origin": HERE, **CROSS}, 403),
        ("POST", CROSS | LINK, 403),
        ("OPTIONS", {"origin": "https://evil.example"}, 403),
        ("DELETE", {"origin": "https://evil.example"}, 403),
        ("POST", {"origin": "https://lab.example", "host": "lab.example"}, 200),
        ("POST", {"origin": "https://lab.example:443", "host": "lab.example"}, 200),
        ("POST", {"origin": "https://lab.example:8443", "host": "lab.example:8443"}, 200),
        ("POST", {"origin": "https://lab.example:8443", "host": "lab.example"}, 403),
        ("POST", {"origin": "ftp://lab.example", "host": "lab.example"}, 403),
    ],
)
@pytest.mark.parametrize("shows", [True, False])
def test_other_sites(
    served: Serve,
    storage: WriteBehindStorage,
    method: str,
    headers: dict[str, str],
    status: int,
    shows: bool,
) -> None:
    """Whether there is a token or not."""
    if not shows and "host" in headers:
        return
    send = served(hosts=["lab.example"]) if shows else served()
    token = add_token(storage, "ann", "admin") if shows else ""
    path = (
        "/v1/studies/digits" if method in ("GET", "HEAD", "DELETE") else "/v1/studies/digits:pause"
    )
    assert send(method, path, token, headers=headers).status_code == status


FILES = {"files": ("a.csv", b"1,2\n")}


@pytest.mark.parametrize(
    ("path", "request_", "status"),
    [
        ("/v1/studies", {"content": b"{}", "headers": JSON}, 200),
        ("/v1/studies", {"content": b"{}", "headers": {"content-type": "APPLICATION/JSON"}}, 200),
        (
            "/v1/studies",
            {"content": b"{}", "headers": {"content-type": "application/json; charset=utf-8"}},
            200,
        ),
        ("/v1/studies", {"content": b"x = 1", "headers": TOML}, 200),
        ("/v1/studies", {"files": FILES}, 200),
        ("/v1/studies", {"data": {"a": "b"}}, 415),
        ("/v1/studies", {"content": b"{}", "headers": {"content-type": "text/plain"}}, 415),
        ("/v1/studies", {"content": b"{}"}, 415),
        ("/v1/studies", {"content": b"{}", "headers": {"content-type": ""}}, 415),
        ("/v1/studies", {"content": b"{}", "headers": JSON | {"content-encoding": "gzip"}}, 415),
        ("/v1/studies/digits:pause", {}, 200),
        ("/v1/studies/digits:pause", {"headers": {"content-type": "text/plain"}}, 415),
        ("/v1/studies/digits:pause", {"headers": {"content-length": "0"}}, 200),
        ("/v1/studies/digits:pause", {"data": {"a": "b"}}, 415),
        ("/v1/trials/7:tell", {"content": b'{"a": 1}', "headers": JSON}, 200),
        ("/v1/trials/7:tell", {"content": b"a = 1", "headers": TOML}, 415),
        ("/v1/trials/7:tell", {"files": FILES}, 415),
    ],
)
def test_kinds_of_bodies(served: Serve, path: str, request_: dict[str, Any], status: int) -> None:
    """What another site's form can send without being asked is none of them."""
    answer = served()("POST", path, **request_)
    assert answer.status_code == status
    if status == 415:
        assert answer.json()["detail"].startswith("send this ")


async def in_parts(size: int, part: int = 64_000) -> AsyncIterator[bytes]:
    for start in range(0, size, part):
        yield b" " * min(part, size - start)


@pytest.mark.parametrize("is_chunked", [False, True])
@pytest.mark.parametrize(
    ("path", "kind", "size", "status"),
    [
        ("/v1/studies", "application/json", JSON_BYTES, 200),
        ("/v1/studies", "application/json", JSON_BYTES + 1, 413),
        ("/v1/studies", "application/toml", JSON_BYTES + 1, 413),
        ("/v1/studies", "multipart/form-data; boundary=a", JSON_BYTES + 1, 200),
        ("/v1/studies", "multipart/form-data; boundary=a", 2 * JSON_BYTES + 1, 413),
        ("/v1/trials/7:tell", "application/json", 2 * JSON_BYTES, 422),  # read, and no JSON
        ("/v1/trials/7:tell", "application/json", 2 * JSON_BYTES + 1, 413),
        ("/v1/nothing", "application/json", 2 * JSON_BYTES, 413),
    ],
)
def test_how_long_a_body_may_be(
    served: Serve, path: str, kind: str, size: int, status: int, is_chunked: bool
) -> None:
    """Whether it tells its length before, or is counted as it comes."""
    headers = {"content-type": kind}
    content = in_parts(size) if is_chunked else b" " * size
    send = served(upload_bytes=2 * JSON_BYTES)
    answer = send("POST", path, headers=headers, content=content)
    if (path, is_chunked) == ("/v1/nothing", True):
        status = 404  # nobody reads it
    assert answer.status_code == status
    if status == 413:
        is_long = "multipart" in kind or "tell" in path
        most = 2 * JSON_BYTES if is_long else JSON_BYTES
        assert answer.json()["detail"] == f"send at most {most:,} bytes"
        assert answer.headers["connection"] == "close"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([("x-a", "b")] * 80, 200),
        ([("x-a", "b")] * 101, 431),
        ([("x-a", "b" * 30_000)], 200),
        ([("x-a", "b" * 33_000)], 431),
        ([("host", "localhost"), ("host", "evil.example")], 400),
        ([("authorization", "Bearer a"), ("authorization", "Bearer b")], 400),
        ([("origin", HERE), ("origin", "https://evil.example")], 400),
        ([("content-type", "application/json"), ("content-type", "text/plain")], 400),
        ([("content-length", "5"), ("content-length", "6")], 400),
        ([("content-length", "-5")], 400),
        ([("content-length", "١")], 400),
        ([("content-length", "1" * 5000)], 400),
        ([("content-length", "1e3")], 400),
    ],
)
def test_heads_of_requests(served: Serve, headers: list[tuple[str, str]], status: int) -> None:
    pairs = [(name, value.encode()) for name, value in headers]
    assert served()("GET", "/v1/agents", headers=pairs).status_code == status


def test_wrong_tokens_are_answered_more_slowly_and_right_ones_never_are(
    served: Serve, storage: WriteBehindStorage, clock: Clock
) -> None:
    send, token = served("0.0.0.0"), add_token(storage, "ann", "read")

    def wrong(client: str = "10.0.0.1") -> int:
        return send("GET", "/v1/agents", "hps_guessed", client=client).status_code

    assert [wrong() for _ in range(12)] == [401] * 10 + [429] * 2
    answer = send("GET", "/v1/agents", "hps_guessed", client="10.0.0.1")
    assert answer.headers["retry-after"] == "6"
    assert answer.json()["detail"].startswith("too many wrong tokens came from this address")
    assert send("GET", "/v1/agents", token, client="10.0.0.1").status_code == 200
    assert send("GET", "/v1/agents", client="10.0.0.1").status_code == 401  # none is no wrong one
    assert wrong("10.0.0.2") == 401
    clock.seconds += 6
    assert [wrong(), wrong()] == [401, 429]
    clock.seconds += 3600
    assert [wrong() for _ in range(12)] == [401] * 10 + [429] * 2


def test_addresses_of_one_network_count_together(served: Serve) -> None:
    send = served("0.0.0.0")
    clients = [f"fd00:0:0:1::{number:x}" for number in range(12)]
    statuses = [send("GET", "/", "hps_guessed", client=client).status_code for client in clients]
    assert statuses == [401] * 10 + [429] * 2
    for client in ("fd00:0:0:2::1", "::ffff:10.0.0.1", "not an address"):
        assert send("GET", "/", "hps_guessed", client=client).status_code == 401


def test_of_many_addresses_the_last_are_remembered() -> None:
    clock = Clock()
    failures = Failures(clock)
    for number in range(11_000):
        assert failures.count(str(number)) == 0
    for _ in range(9):
        failures.count("10999")
    assert failures.count("10999") > 0
    assert failures.count("0") == 0
    assert len(failures) == 10_000


def test_behind_a_proxy_each_client_counts_for_itself(
    served: Serve, storage: WriteBehindStorage
) -> None:
    send = served(hosts=["lab.example"], around=ProxyHeadersMiddleware)
    token = add_token(storage, "ann", "read")

    def wrong(client: str, proxy: str = "127.0.0.1") -> int:
        headers = {"x-forwarded-for": client, "host": "lab.example"}
        return send("GET", "/", "hps_guessed", client=proxy, headers=headers).status_code

    assert [wrong("10.0.0.1") for _ in range(11)] == [401] * 10 + [429]
    assert wrong("10.0.0.2") == 401
    assert wrong("10.0.0.1", proxy="10.0.0.9") == 401  # is none that is trusted, and tells anything
    assert wrong("10.0.0.2, 10.0.0.1") == 429  # only the last one was told by the proxy
    headers = {"x-forwarded-for": "10.0.0.1", "host": "lab.example"}
    assert send("GET", "/", token, headers=headers).status_code == 200


ALWAYS_THERE = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/", {}),
        ("/healthz", {}),
        ("/login", {}),
        ("/v1/agents", {}),
        ("/v1/nothing", {}),
        ("/v1/fault", {}),
        ("/v1/agents", {"authorization": "Bearer x"}),
        ("/v1/agents", {"host": "evil.example"}),
    ],
)
def test_headers_of_every_answer(served: Serve, path: str, headers: dict[str, str]) -> None:
    answer = served()("GET", path, headers=headers)
    assert {name: answer.headers.get(name) for name in ALWAYS_THERE} == ALWAYS_THERE
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "http" not in policy
    assert "script-src 'self'" in policy or path == "/login"


def test_a_route_has_its_own_policy(served: Serve) -> None:
    answer = served()("GET", "/v1/report")
    assert answer.headers.get_list("content-security-policy") == [REPORT_POLICY]
    assert answer.headers["cache-control"] == "private, max-age=60"


def test_a_busy_server_says_so(served: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "AT_ONCE", 0)
    send = served()
    answer = send("GET", "/v1/agents")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert send("GET", "/healthz").status_code == 200


def test_who_listens_to_events_is_not_counted(
    storage: WriteBehindStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "AT_ONCE", 1)
    paths = ["/v1/events", "/v1/studies/s/events", "/v1/studies", "/v1/agents"]
    statuses: dict[str, int] = {}

    async def together() -> None:
        all_there = asyncio.Event()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await all_there.wait()
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b""})

        behind = Guard(app, Tokens(storage), "127.0.0.1")

        async def ask(http: httpx.AsyncClient, path: str) -> None:
            statuses[path] = (await http.get(path)).status_code

        transport = httpx.ASGITransport(behind, client=("127.0.0.1", 5000))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
            asking = [asyncio.create_task(ask(http, path)) for path in paths]
            await asyncio.wait({asking[-1]})
            all_there.set()
            await asyncio.gather(*asking)

    asyncio.run(together())
    assert [statuses[path] for path in paths] == [200, 200, 200, 503]


def test_events_pass_as_they_come(storage: WriteBehindStorage) -> None:
    """Nothing is held back until an answer ends."""
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for number in range(3):
            await send({"type": "http.response.body", "body": b"%d" % number, "more_body": True})
            assert seen[-1]["body"] == b"%d" % number
        assert (await receive())["type"] == "http.request"
        assert (await receive())["type"] == "http.disconnect"

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        seen.append(message)

    messages: list[Any] = [{"type": "http.request"}, {"type": "http.disconnect"}]
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "query_string": b"",
        "headers": [(b"host", b"localhost")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8000),
    }
    asyncio.run(Guard(app, Tokens(storage), "127.0.0.1")(scope, receive, send))
    assert len(seen) == 4


def test_events_end_soon_after_their_readers_token(
    served: Serve, storage: WriteBehindStorage, clock: Clock
) -> None:
    send, token = served("0.0.0.0"), add_token(storage, "ann", "read")
    beats = 0

    def between() -> None:
        nonlocal beats
        beats += 1
        clock.seconds += 1
        if beats == 20:
            remove_token(storage, "ann")

    service().state.between = between
    answer = send("GET", "/v1/forever", token)
    assert answer.status_code == 200
    assert 20 <= answer.text.count("beat") <= 24


def test_there_are_no_websockets(storage: WriteBehindStorage) -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError

    async def send(message: Any) -> None:
        seen.append(message)

    asyncio.run(Guard(app, Tokens(storage), "127.0.0.1")({"type": "websocket"}, send, send))  # type: ignore[arg-type]
    assert seen == [{"type": "websocket.close", "code": 1008}]


@pytest.mark.parametrize("root_path", ["/", "search", "/search/", "/a b", "//a", "/%2e", '/"'])
def test_root_paths_that_are_none(storage: WriteBehindStorage, root_path: str) -> None:
    with pytest.raises(UsageError, match="no slash at its end"):
        Guard(service(), Tokens(storage), "127.0.0.1", root_path=root_path)


@pytest.mark.parametrize("in_front", ["", "/a/search"])
def test_a_root_path_that_a_proxy_leaves_or_takes_away(
    served: Serve, storage: WriteBehindStorage, in_front: str
) -> None:
    token = add_token(storage, "ann", "read")
    send = served(root_path="/a/search")
    assert send("GET", f"{in_front}/v1/studies/digits", token).json() == "ann sees digits"
    assert send("GET", f"{in_front}/healthz").status_code == 200
    assert send("GET", f"{in_front}/optuna/x", token).text == "/a/search/optuna/x"
    # The application's own redirects lead to where browsers are.
    answer = send("GET", f"{in_front}/v1/agents/", token)
    assert answer.status_code == 307
    assert answer.headers["location"] == f"{HERE}/a/search/v1/agents"
    answer = send("GET", f"{in_front}/?a=b", headers=PAGE)
    assert answer.headers["location"] == "/a/search/login?to=%2F%3Fa%3Db"
    assert 'action="/a/search/login"' in send("GET", f"{in_front}/login").text
    form = {"token": token, "to": "/?a=b"}
    answer = send("POST", f"{in_front}/login", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/a/search/?a=b")
    assert "Path=/a/search;" in answer.headers["set-cookie"]
    answer = send("POST", f"{in_front}/logout")
    assert answer.headers["location"] == "/a/search/login"


def test_no_token_is_told(
    served: Serve, storage: WriteBehindStorage, caplog: pytest.LogCaptureFixture
) -> None:
    """Wherever somebody has put it."""
    caplog.set_level(0)
    tokens = [add_token(storage, name, "admin") for name in ("ann", "bob")]
    answers = []
    for address in ("127.0.0.1", "0.0.0.0"):
        send = served(address)
        for token in (*tokens, "hps_" + "guessed" * 6):
            for path in (f"/v1/{token}", f"/v1/fault?x={token}", f"/v1/studies/digits/{token}"):
                answers += [send("GET", path), send("GET", path, tokens[0])]
            body = {"content": f'{{"{token}": }}', "headers": JSON}
            answers += [
                send("POST", "/v1/trials/7:tell", token, **body),
                send(
                    "POST", "/v1/studies", tokens[0], content=token, headers={"content-type": token}
                ),
                send("GET", "/v1/agents", headers={"authorization": f"Basic {token}"}),
                send("GET", "/v1/agents", headers={"host": token, "cookie": f"a={token}"}),
                send("GET", "/v1/agents", headers={"origin": token, "sec-fetch-site": token}),
                send("PUT", f"/v1/{token}", tokens[0]),
                send("POST", "/login", data={"token": token + "x", "to": "/"}),
                send("GET", f"/v1/unknown/{token}", tokens[0]),
            ]
    logged = [record.getMessage() for record in caplog.records if record.name != "httpx"]
    shown = "".join([*logged, *(answer.text for answer in answers)])
    shown += "".join(f"{answer.headers}" for answer in answers)
    assert "fault" in "".join(logged)
    assert not [token for token in tokens if token in shown]
    assert "hps_guessed" not in shown


NAMES = [
    "host",
    "origin",
    "authorization",
    "cookie",
    "accept",
    "content-type",
    "content-length",
    "transfer-encoding",
    "content-encoding",
    "expect",
    "forwarded",
    "sec-fetch-site",
    "sec-fetch-mode",
    "sec-fetch-dest",
    "x-forwarded-for",
    "x",
]
PARTS = [
    *["127.0.0.1", "localhost", "[::1]", ":8000", "http://", "https:", "/", "null", "//evil"],
    *["Bearer ", "hps_", "hpsearch-8000=", ".", ";", ",", "; ", "token=", "&to=", "boundary=x"],
    *["text/html", "application/json", "application/x-www-form-urlencoded", "multipart/form-data"],
    *["chunked", "gzip", "cross-site", "navigate", "document", "0", "1", "-1", "9" * 20],
    *["\x00", "\xff", "%", "\t"],
]
KNOWN = Tokens(open_storage("sqlite://"))
TEXT = st.lists(st.sampled_from(PARTS) | st.text(max_size=5), max_size=4).map("".join)
BYTES = TEXT.map(lambda text: text.encode(errors="replace"))


@given(
    method=st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "BREW"]),
    path=st.sampled_from(["/", "/login", "/logout", "/healthz", "/v1/studies", "/v1/trials/7:tell"])
    | TEXT.map("/{}".format),
    query=BYTES,
    headers=st.lists(st.tuples(st.sampled_from(NAMES).map(str.encode), BYTES), max_size=8),
    client=st.none() | st.tuples(TEXT, st.just(1)) | st.just(("127.0.0.1", 1)),
    parts=st.lists(BYTES, max_size=3),
    root_path=st.sampled_from(["", "/search"]),
)
def test_whatever_is_asked_has_an_answer(
    method: str,
    path: str,
    query: bytes,
    headers: list[tuple[bytes, bytes]],
    client: tuple[str, int] | None,
    parts: list[bytes],
    root_path: str,
) -> None:
    """And it is no fault of the server's."""
    guard = Guard(service(), KNOWN, "127.0.0.1", root_path=root_path)
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query,
        "headers": headers,
        "client": client,
        "server": ("127.0.0.1", 8000),
        "scheme": "http",
    }
    messages = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    messages += [{"type": "http.request"}, {"type": "http.disconnect"}]
    seen: list[Any] = []

    async def receive() -> Any:
        return messages.pop(0) if len(messages) > 1 else messages[0]

    async def send(message: Any) -> None:
        seen.append(message)

    asyncio.run(guard(scope, receive, send))
    assert seen[0]["type"] == "http.response.start"
    assert 200 <= seen[0]["status"] < 500
    for _, value in seen[0]["headers"]:
        assert not re.search(rb"[\x00-\x08\x0a-\x1f\x7f]", value)  # what uvicorn would not send
    body = b"".join(message.get("body", b"") for message in seen[1:])
    if dict(seen[0]["headers"]).get(b"content-type") == b"application/problem+json":
        assert set(json.loads(body)) >= {"type", "title", "status", "detail"}
