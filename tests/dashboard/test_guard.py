"""Who is answered by the dashboard, and what they may do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from hpsearch.dashboard import Guard, guard_for
from hpsearch.errors import UsageError

TOKEN = "correct-horse-battery"
OK, REFUSED, UNKNOWN, REDIRECT = "200 OK", "403 Forbidden", "401 Unauthorized", "303 See Other"


def pages(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
    assert "HTTP_ACCEPT_ENCODING" in environ
    start(OK, [])
    return [b"page"]


def ask(
    guard: Guard, method: str = "GET", host: str = "", query: str = "", path: str = "/", **more: str
) -> tuple[str, dict[str, str], bytes]:
    """Status, headers and body of an answer; `more` are headers of the request."""
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_PORT": "8080",
        **{f"HTTP_{name.upper()}": value for name, value in more.items()},
    }
    if host:
        environ["HTTP_HOST"] = host
    seen: list[Any] = []
    body = b"".join(guard(environ, lambda status, headers: seen.extend((status, headers))))
    return seen[0], dict(seen[1]), body


@pytest.mark.parametrize(
    ("method", "host", "origin", "allow_edit", "status"),
    [
        ("GET", "127.0.0.1:8080", "", False, OK),
        ("HEAD", "127.0.0.1:8080", "", False, OK),
        ("GET", "localhost:8080", "", False, OK),
        ("GET", "LocalHost", "http://elsewhere.example", False, OK),
        ("GET", "[::1]:8080", "", False, OK),
        ("GET", "[::1]", "", False, OK),
        ("GET", "evil.example", "", False, REFUSED),
        ("GET", "127.0.0.1.evil.example", "", False, REFUSED),
        ("GET", "127.0.0.1@evil.example", "", False, REFUSED),
        ("GET", "127.0.0.1:8080:evil.example", "", False, REFUSED),
        ("GET", "[::1", "", False, REFUSED),
        ("GET", "192.168.1.7:8080", "", False, REFUSED),
        ("GET", "", "", False, REFUSED),
        ("GET", "evil.example:8080", "", True, REFUSED),
        ("POST", "127.0.0.1:8080", "", False, REFUSED),
        ("OPTIONS", "127.0.0.1:8080", "", False, REFUSED),
        ("DELETE", "127.0.0.1:8080", "http://127.0.0.1:8080", False, REFUSED),
        ("DELETE", "127.0.0.1:8080", "http://127.0.0.1:8080", True, OK),
        ("DELETE", "localhost:8080", "http://localhost:8080", True, OK),
        ("DELETE", "127.0.0.1:8080", "http://127.0.0.1:8081", True, REFUSED),
        ("DELETE", "127.0.0.1:8080", "http://localhost:8080", True, REFUSED),
        ("DELETE", "127.0.0.1:8080", "http://evil.example", True, REFUSED),
        ("DELETE", "evil.example", "http://evil.example", True, REFUSED),
        ("DELETE", "127.0.0.1:8080", "null", True, REFUSED),
        ("PUT", "127.0.0.1:8080", "", True, REFUSED),
    ],
)
def test_on_this_machine(
    method: str, host: str, origin: str, allow_edit: bool, status: str
) -> None:
    guard = guard_for(pages, "127.0.0.1", allow_edit=allow_edit)
    origins = {"origin": origin} if origin else {}
    seen, headers, body = ask(guard, method, host, **origins)
    assert seen == status
    if status == OK:
        assert body == b"page"
        assert headers["X-Frame-Options"] == "SAMEORIGIN"
    else:
        assert body.endswith(b".\n")


@pytest.mark.parametrize(
    ("address", "host", "status"),
    [
        ("192.168.1.7", "192.168.1.7:8080", OK),
        ("192.168.1.7", "localhost:8080", REFUSED),
        ("192.168.1.7", "evil.example", REFUSED),
        ("fe80::7", "[fe80::7]:8080", OK),
        ("fe80::7", "[::1]:8080", REFUSED),
        ("Lab.example", "lab.example", OK),
        ("0.0.0.0", "192.168.1.7:8080", OK),
        ("0.0.0.0", "evil.example", OK),  # the browser has no cookie for it; see below
        ("::", "lab.example:8080", OK),
    ],
)
def test_on_other_addresses(address: str, host: str, status: str) -> None:
    guard = guard_for(pages, address, token=TOKEN)
    assert ask(guard, host=host, authorization=f"Bearer {TOKEN}")[0] == status
    assert ask(guard, host=host)[0] == (UNKNOWN if status == OK else REFUSED)


def test_a_token_that_is_not_ascii_is_known_as_clients_send_it() -> None:
    token = "t\xf6ken " * 4 + "\u20ac"
    header = f"Bearer {token}".encode().decode("latin-1")  # as WSGI hands UTF-8 on
    guard = guard_for(pages, "0.0.0.0", token=token)
    assert ask(guard, host="lab", authorization=header)[0] == OK
    assert ask(guard, host="lab", authorization=f"{header}x")[0] == UNKNOWN


@pytest.mark.parametrize(
    ("shown", "status"),
    [
        ({}, UNKNOWN),
        ({"authorization": f"Bearer {TOKEN}"}, OK),
        ({"authorization": f"bearer  {TOKEN}"}, OK),
        ({"authorization": f"Bearer {TOKEN}x"}, UNKNOWN),
        ({"authorization": f"Basic {TOKEN}"}, UNKNOWN),
        ({"authorization": "Bearer"}, UNKNOWN),
        ({"authorization": "Bearer caf\xe9 \udcff"}, UNKNOWN),
        ({"query": f"token={TOKEN}"}, REDIRECT),
        ({"query": f"token=no&a=b&token={TOKEN}"}, REDIRECT),
        ({"query": "token="}, UNKNOWN),
        ({"query": "token"}, UNKNOWN),
        ({"query": f"token={TOKEN}%00"}, UNKNOWN),
        ({"query": f"Token={TOKEN}"}, UNKNOWN),
        ({"cookie": f"hpsearch-dashboard-8080={TOKEN}"}, UNKNOWN),  # it is not in the cookie
        ({"cookie": "hpsearch-dashboard-8080="}, UNKNOWN),
        ({"cookie": "; =;;a"}, UNKNOWN),
    ],
)
def test_the_token(shown: dict[str, str], status: str) -> None:
    seen, headers, body = ask(guard_for(pages, "0.0.0.0", token=TOKEN), host="lab", **shown)
    assert seen == status
    assert TOKEN.encode() not in body
    if status == UNKNOWN:
        assert body.count(b". ") == 0
        assert body.endswith(b".\n")
        assert headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("path", "query", "location"),
    [
        ("/", f"token={TOKEN}", "/"),
        ("", f"token={TOKEN}", "/"),
        ("/dashboard/studies/1", f"token={TOKEN}", "/dashboard/studies/1"),
        ("/api/studies/1", f"after=3&token={TOKEN}&x=a%26b", "/api/studies/1?after=3&x=a%26b"),
        ("//evil.example", f"token={TOKEN}", "/evil.example"),
        ("/\\evil.example\r\nX: y", f"token={TOKEN}", "/%5Cevil.example%0D%0AX%3A%20y"),
    ],
)
def test_the_link_becomes_a_cookie(path: str, query: str, location: str) -> None:
    guard = guard_for(pages, "0.0.0.0", token=TOKEN)
    status, headers, body = ask(guard, host="lab:8080", path=path, query=query)
    assert (status, body) == (REDIRECT, b"")
    assert headers["Location"] == location
    assert headers["Cache-Control"] == "no-store"
    cookie, *rules = headers["Set-Cookie"].split("; ")
    assert rules == ["Path=/", "HttpOnly", "SameSite=Strict"]
    assert TOKEN not in cookie
    for others in ("", "theme=dark; ", 'json={"a": [1]}; '):
        assert ask(guard, host="lab:8080", cookie=others + cookie)[0] == OK
    another = guard_for(pages, "0.0.0.0", token=TOKEN + "-new")
    assert ask(another, host="lab:8080", cookie=cookie)[0] == UNKNOWN


def test_the_token_does_not_replace_the_origin() -> None:
    guard = guard_for(pages, "0.0.0.0", token=TOKEN, allow_edit=True)
    bearer = f"Bearer {TOKEN}"
    for origin, status in [("http://lab", OK), ("http://evil.example", REFUSED)]:
        seen = ask(guard, "DELETE", "lab", authorization=bearer, origin=origin)
        assert seen[0] == status
    assert ask(guard, "DELETE", "lab", origin="http://lab")[0] == UNKNOWN
    read_only = guard_for(pages, "0.0.0.0", token=TOKEN)
    assert ask(read_only, "DELETE", "lab", authorization=bearer, origin="http://lab")[0] == REFUSED


@pytest.mark.parametrize(
    ("address", "token", "words"),
    [
        ("0.0.0.0", None, "needs a token on 0.0.0.0"),
        ("192.168.1.7", None, "needs a token"),
        ("0.0.0.0", "", "has 0 characters"),
        ("127.0.0.1", "short", "has 5 characters"),
        ("0.0.0.0", " " * 20, "has 0 characters that can be seen"),
        ("0.0.0.0", "\t" * 20, "has 0 characters"),
        ("0.0.0.0", "\N{NO-BREAK SPACE}" * 20, "has 0 characters"),
        ("0.0.0.0", "\N{ZERO WIDTH SPACE}" * 20, "has 0 characters"),
        ("0.0.0.0", "\x00\x1b" * 10, "has 0 characters"),
        ("0.0.0.0", "fifteen-letters" + " " * 9 + "\u200b", "has 15 characters"),
        ("0.0.0.0", "correct-horse-battery\n", "blanks around it"),
        ("0.0.0.0", " correct-horse-battery", "blanks around it"),
        ("0.0.0.0", "correct-horse\r\nbattery", "no part of a line"),
    ],
)
def test_what_could_be_guessed_is_refused(address: str, token: str | None, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        guard_for(pages, address, token=token)
