"""A browser logs in by a form, reads by a cookie, and changes nothing by it."""

from __future__ import annotations

import re
from http.cookies import SimpleCookie
from urllib.parse import parse_qs, urlsplit

import pytest
from guarded import PAGE, Clock, Serve

from hpsearch.service.tokens import COOKIE_SECONDS, add_token, remove_token
from hpsearch.storage import WriteBehindStorage

HERE = "http://127.0.0.1:8000"


def cookie_of(header: str) -> str:
    return header.partition(";")[0]


@pytest.mark.parametrize(
    ("path", "goes_on"),
    [
        ("/", "/"),
        ("/studies/digits?group=width&x=a%20b", "/studies/digits?group=width&x=a%20b"),
        ("/studies/a%20b%2Fc%C3%A9", "/studies/a%20b/c%C3%A9"),
        ("/v1/studies", "/v1/studies"),
    ],
)
def test_a_page_without_a_token_leads_to_the_form_and_back(
    served: Serve, storage: WriteBehindStorage, path: str, goes_on: str
) -> None:
    send, token = served("0.0.0.0"), add_token(storage, "ann", "read")
    answer = send("GET", path, headers=PAGE)
    assert answer.status_code == 303
    where = answer.headers["location"]
    assert urlsplit(where).path == "/login"
    form = send("GET", where)
    assert form.status_code == 200
    target = parse_qs(urlsplit(where).query).get("to", ["/"])[0]
    assert target == goes_on
    assert f'name="to" value="{goes_on.replace("&", "&amp;")}"' in form.text
    sent = {"token": f" {token}\n", "to": target}
    answer = send("POST", "/login", data=sent, headers={"origin": HERE})
    assert (answer.status_code, answer.headers["location"]) == (303, goes_on)
    cookie = {"cookie": f"other=1; {cookie_of(answer.headers['set-cookie'])}"}
    assert send("GET", "/", headers=PAGE | cookie).text == "<p>ann</p>"


@pytest.mark.parametrize("accept", ["*/*", "application/json", ""])
def test_a_program_without_a_token_is_told_so(served: Serve, accept: str) -> None:
    answer = served("0.0.0.0")("GET", "/", headers={"accept": accept})
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_cookie(served: Serve, storage: WriteBehindStorage, scheme: str) -> None:
    send, token = served("0.0.0.0"), add_token(storage, "ann", "read")
    answer = send("POST", "/login", data={"token": token, "to": "/"}, scheme=scheme)
    [(name, morsel)] = SimpleCookie(answer.headers["set-cookie"]).items()
    assert name == "hpsearch-8000"
    assert token not in answer.headers["set-cookie"]
    assert morsel["httponly"] is True
    assert morsel["samesite"] == "strict"
    assert (morsel["secure"] is True) == (scheme == "https")
    assert (morsel["path"], morsel["domain"]) == ("/", "")
    assert int(morsel["max-age"]) == COOKIE_SECONDS
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "javascript:alert(1)",
        "/a\r\nset-cookie: x=1",
        "/a b",
        "/\tevil",
        "studies",
        "",
        "/\u202e",
        "/a\\b",
    ],
)
def test_nobody_is_led_elsewhere(served: Serve, storage: WriteBehindStorage, target: str) -> None:
    send, token = served("0.0.0.0"), add_token(storage, "ann", "read")
    answer = send("POST", "/login", data={"token": token, "to": target})
    assert answer.headers["location"] == "/"
    form = send("GET", "/login", params={"to": target})
    assert 'name="to" value="/"' in form.text


@pytest.mark.parametrize("path", ['/"><script>alert(1)</script>', "/&quot;", "/%22'<b>"])
def test_the_form_shows_no_tag_of_others(served: Serve, path: str) -> None:
    text = served("0.0.0.0")("GET", "/login", params={"to": path}).text
    assert text.count("<script") == 1
    assert "<b>" not in text


def test_the_form_is_accessible_and_loads_nothing(served: Serve) -> None:
    form = served("0.0.0.0")("GET", "/login")
    assert '<html lang="en">' in form.text
    assert '<label for="token">' in form.text
    assert "width=device-width" in form.text
    assert "prefers-color-scheme: dark" in form.text
    assert not re.search(r"(?:src|href)=\"(?!data:,)", form.text)
    assert not re.search(r"\son\w+=", form.text)
    assert not re.search(r"style=", form.text)
    policy = form.headers["content-security-policy"]
    assert re.search(r"script-src 'sha256-[\w+/]{43}=' 'sha256-[\w+/]{43}=';", policy)
    assert "unsafe-inline" not in policy


def test_a_wrong_token_is_told_and_counted(
    served: Serve, storage: WriteBehindStorage, clock: Clock
) -> None:
    send, token = served("0.0.0.0"), add_token(storage, "ann", "read")

    def log_in(shown: str) -> int:
        answer = send("POST", "/login", data={"token": shown, "to": "/studies/digits"})
        if answer.status_code != 303:
            assert "set-cookie" not in answer.headers
            assert '<p role="alert" id="why">' in answer.text
            assert 'aria-describedby="why"' in answer.text
            assert 'value="/studies/digits"' in answer.text
            assert "hps_guessed" not in answer.text
        if answer.status_code == 429:
            assert answer.headers["retry-after"] == "6"
            assert "try again in 6 seconds" in answer.text
        return answer.status_code

    assert [log_in("hps_guessed") for _ in range(11)] == [401] * 10 + [429]
    assert log_in(token) == 303
    clock.seconds += 6
    assert log_in("") == 401


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ({"content": b"x" * 5000}, 413),
        ({"content": b"token=\xff\xfe&to=%ff"}, 401),
        ({"content": b"&&&&=;=&token"}, 401),
        ({"content": b"a&" * 1000}, 401),
        ({"content": b""}, 401),
        ({"headers": {"content-type": "application/json"}, "content": b"{}"}, 415),
        ({"headers": {"content-type": "text/plain"}, "content": b"token=a"}, 415),
        ({"headers": {"origin": "https://evil.example"}, "data": {"token": "a"}}, 403),
        ({"headers": {"origin": "null"}, "data": {"token": "a"}}, 403),
        ({"headers": {"sec-fetch-site": "same-site"}, "data": {"token": "a"}}, 403),
        ({"headers": {"host": "evil.example"}, "data": {"token": "a"}}, 403),
    ],
)
def test_odd_forms(served: Serve, request_: dict[str, object], status: int) -> None:
    send = served(hosts=["127.0.0.1"])
    headers = {"content-type": "application/x-www-form-urlencoded"}
    headers |= request_.pop("headers", {})  # type: ignore[operator, assignment]
    assert send("POST", "/login", headers=headers, **request_).status_code == status


@pytest.mark.parametrize(("path", "method"), [("/login", "PUT"), ("/logout", "GET")])
def test_other_methods(served: Serve, path: str, method: str) -> None:
    answer = served()(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("GET", "/v1/studies/digits", 200),
        ("GET", "/v1/events", 200),
        ("POST", "/v1/studies/digits:pause", 401),
        ("POST", "/v1/trials:ask", 401),
        ("DELETE", "/v1/studies/digits", 401),
        ("OPTIONS", "/v1/studies/digits", 401),
    ],
)
def test_a_cookie_only_reads(
    served: Serve, storage: WriteBehindStorage, method: str, path: str, status: int
) -> None:
    """Even in our own page's hands; its buttons send the token."""
    send, token = served("0.0.0.0"), add_token(storage, "ann", "admin")
    answer = send("POST", "/login", data={"token": token})
    headers = {
        "cookie": cookie_of(answer.headers["set-cookie"]),
        "origin": HERE,
        "sec-fetch-site": "same-origin",
    }
    answer = send(method, path, headers=headers)
    assert answer.status_code == status
    if status == 401:
        assert "good for reading only" in answer.json()["detail"]
        assert send(method, path, token, headers=headers).status_code in (200, 405)


def test_a_cookie_ends(served: Serve, storage: WriteBehindStorage, clock: Clock) -> None:
    """With its token, or by logging out."""
    send, token = served("0.0.0.0"), add_token(storage, "ann", "read")
    answer = send("POST", "/login", data={"token": token})
    headers = PAGE | {"cookie": cookie_of(answer.headers["set-cookie"])}
    assert send("GET", "/", headers=headers).status_code == 200
    out = send("POST", "/logout", headers=headers)
    assert (out.status_code, out.headers["location"]) == (303, "/login")
    [(name, morsel)] = SimpleCookie(out.headers["set-cookie"]).items()
    assert (name, morsel.value, morsel["max-age"]) == ("hpsearch-8000", "", "0")
    remove_token(storage, "ann")
    clock.seconds += 3
    assert send("GET", "/", headers=headers).headers["location"] == "/login"


def test_who_has_logged_in_is_sent_on(served: Serve, storage: WriteBehindStorage) -> None:
    send, token = served("0.0.0.0", root_path="/search"), add_token(storage, "ann", "read")
    answer = send("POST", "/login", data={"token": token})
    cookie = {"cookie": cookie_of(answer.headers["set-cookie"])}
    answer = send("GET", "/login?to=/studies/a", headers=cookie)
    assert (answer.status_code, answer.headers["location"]) == (303, "/search/studies/a")
    assert "set-cookie" not in answer.headers
    assert send("GET", "/login?to=/studies/a", headers={"cookie": "x=y"}).status_code == 200


def test_a_link_of_another_site_is_followed_once_more_from_here(served: Serve) -> None:
    """Since the browser has kept the cookie back."""
    send, path = served("0.0.0.0", root_path="/search"), "/login?to=/a%3Fb=%3Ci%3E%26c"
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    answer = send("GET", path, headers=link | {"sec-fetch-dest": "document"})
    assert answer.status_code == 200
    assert "<form" not in answer.text
    again = "/search/login?to=%2Fa%3Fb%3D%3Ci%3E%26c&amp;again=1"
    assert f'<meta http-equiv="refresh" content="0; url={again}">' in answer.text
    answer = send("GET", f"{path}&again=1", headers=link | {"sec-fetch-dest": "document"})
    assert "<form" in answer.text


@pytest.mark.parametrize("cookie", ["", "x", "hpsearch-8000=", "hpsearch-8000=a.b.c", "=;;=", ";"])
def test_odd_cookies(served: Serve, cookie: str) -> None:
    send = served("0.0.0.0")
    for _ in range(15):  # none of them counts as a guess; an open page goes on asking
        assert send("GET", "/v1/agents", headers={"cookie": cookie}).status_code == 401


def test_a_cookie_of_another_site_of_this_machine(
    served: Serve, storage: WriteBehindStorage
) -> None:
    """Cookies know no ports; browsers tell which page has asked."""
    send, token = served("0.0.0.0"), add_token(storage, "ann", "read")
    answer = send("POST", "/login", data={"token": token})
    headers = {"cookie": cookie_of(answer.headers["set-cookie"]), "sec-fetch-site": "same-site"}
    assert send("GET", "/v1/agents", headers=headers).status_code == 403
