"""What stands before the service: who is answered, and what a request may look like.

A request passes these questions in turn; each no is a sentence (see `hpsearch.service.problems`).

Has it a shape? A head of a size, one Host, one Authorization.

Is it addressed to us? As for the dashboard, the Host header only may be one of our names, so that
no other site can have its own name resolve to this machine; see `hpsearch.dashboard.guard`.

Did another site's page make it? Browsers tell, by Sec-Fetch-Site and Origin. Only a person who
follows a link comes from elsewhere.

Who asks? A token, as ``Authorization: Bearer``; a browser's cookie, for what only reads (see
`hpsearch.service.login`); or nobody, where the server listens on this machine's own address, and
nothing stands between. Who shows wrong tokens is answered more and more slowly; who shows a right
one never is.

What does it bring? Writes have a body of JSON, TOML or a form with files, which no other site's
form can send unasked; of a size, and at a pace.

What a route allows to whom is its own affair, by `allowed`. Of answers the guard makes sure that
browsers load nothing from elsewhere and keep nothing.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import math
import re
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Annotated, Any, TypeAlias, cast

import starlette.types as asgi
from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from hpsearch.dashboard.guard import EVERY_ADDRESS, host_name, in_url, is_local
from hpsearch.dashboard.guard import LOCAL as LOCAL_HOSTS
from hpsearch.errors import HpsearchError, UsageError, shown
from hpsearch.service import login
from hpsearch.service.logs import about
from hpsearch.service.models import Scope
from hpsearch.service.problems import Problem, problem_of
from hpsearch.service.tokens import LOCAL, OLD, Asker, Tokens

__all__ = ["JSON_BYTES", "UPLOAD_BYTES", "Guard", "Only", "allowed", "who_asks"]

log = logging.getLogger("hpsearch.service")

OPEN = frozenset({"/healthz", "/readyz"})
"""Answered to everybody: they tell nothing but that the server is there."""

JSON_BYTES = 1_000_000
"""The longest body of JSON or TOML."""

UPLOAD_BYTES = 1_000_000_000
"""The longest body with files, or with what came of a training."""

MOST_HEADERS, LONGEST_HEADERS = 100, 32_768
"""Of a request: how many, and how many bytes."""

ONCE = frozenset({"host", "authorization", "origin", "content-type", "content-length"})
"""Headers that say who is meant, who asks and what comes; each is there once."""

HERE = frozenset({"none", "same-origin"})
"""What Sec-Fetch-Site says of our own pages, and of whoever types an address."""

AT_ONCE = 1000
"""Requests that are being answered at the same time; who listens to events is none of them."""

ARRIVING = 100
"""Of one token, or of one address without one: requests that wait for more of their bodies."""

EVENTS = re.compile(r"/v1/(studies/[^/]+/)?events")
"""Answers without an end, which `hpsearch.service.events` counts."""

PAUSE = 10.0
"""Seconds that a body may pause."""

GRACE, PACE = 20.0, 2000.0
"""A body has so many seconds, and one more for each so many bytes that have come."""

REFUSED = 5.0
"""Seconds that the body of a request may still take which is refused."""

FAILURES, FORGIVEN = 10, 6.0
"""Wrong tokens of one address that are answered at once, and seconds until one is forgiven."""

MOST_ADDRESSES = 10_000
"""Whose failures are remembered."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; manifest-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""What a page may load: nothing from another host, and no script that stands in the page itself."""

REPORT_POLICY = (
    "sandbox allow-scripts allow-downloads allow-popups; default-src 'none'; "
    "script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Of an offline report, whose scripts stand in it: it is no part of our pages, has no cookie and
reads nothing of theirs. A route answers it as ``Content-Security-Policy``."""

ALWAYS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Without it browsers would send "Origin: null" with our own form.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Headers of every answer that does not have its own."""

Heads: TypeAlias = Mapping[str, str]
"""Of a request, by their names in small letters."""

FORM = "application/x-www-form-urlencoded"
KNOWN_TYPES = ("application/json", "application/toml", "multipart/form-data")

NO_TOKEN = (
    "this server needs a token: send `Authorization: Bearer TOKEN`; whoever runs it makes one with "
    "`hpsearch token add NAME --scope {scope}`"
)
WRONG_TOKEN = "this token is unknown or has expired; ask whoever runs the server for another one"
READS_ONLY = (
    "a browser's login is good for reading only; send `Authorization: Bearer TOKEN` to change "
    "something"
)
ELSEWHERE = "this server answers its own pages only, and another site's page has asked"


class Guard:
    """An ASGI application in front of another.

    Args:
        app: what is guarded.
        tokens: who may ask.
        address: where the server listens: an IP address or a name.
        hosts: more names that a Host header may have, as a proxy's.
        root_path: what stands in front of every path outside, as ``/hpsearch``; a proxy may take
            it away or leave it.
        needs_token: whether one is needed on this machine's own address too; it is anyway with
            ``hosts`` or a ``root_path``, since behind a proxy everybody comes from there.
        upload_bytes: the longest body with files.
        clock: seconds that only grow.

    Raises:
        UsageError: the root path is none.

    Who asks stands in the request's state; see `who_asks`.
    """

    def __init__(
        self,
        app: asgi.ASGIApp,
        tokens: Tokens,
        address: str,
        *,
        hosts: Collection[str] = (),
        root_path: str = "",
        needs_token: bool = False,
        upload_bytes: int = UPLOAD_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not re.fullmatch(r"(/[A-Za-z0-9._~-]+)*", root_path):
            raise UsageError(
                f"the root path {root_path!r} is none; it is as /hpsearch, with no slash at its end"
            )
        self._app, self._tokens, self._root = app, tokens, root_path
        self._hosts = _hosts(address, hosts)
        self._is_open = is_local(address) and not (needs_token or hosts or root_path)
        self._upload_bytes = upload_bytes
        self._clock, self._failures = clock, Failures(clock)
        self._active, self._arriving = 0, _Arriving()

    async def __call__(self, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        """Answer a request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        path = self._set_path(scope)
        answering = _with_headers(send)
        with suppress(ClientDisconnect):  # nobody reads the rest
            try:
                headers = _checked_headers(scope)
                answer = await self._own(scope, path, headers, receive)
                body = self._body(scope, receive, self._longest(path, headers))
            except (Problem, HpsearchError) as error:
                answer = problem_of(error, Request(scope)).response()
                await self._let_arrive(scope, receive, answer)
            if answer is not None:
                await answer(scope, receive, answering)
                return
            answering = self._while_known(scope, path, headers, answering)
            counts = EVENTS.fullmatch(path) is None
            self._active += counts
            try:
                await _answered(self._app, scope, body.receive, answering)
            finally:
                self._active -= counts

    def _body(self, scope: asgi.Scope, receive: asgi.Receive, most: int) -> _Body:
        """The body of a request, which counts for its token while it arrives, or its address."""
        asker = scope.get("state", {}).get("asker")
        who = _address(scope) if asker is None else f"token {asker.name}"
        return _Body(receive, most, self._arriving, who)

    async def _let_arrive(self, scope: asgi.Scope, receive: asgi.Receive, answer: Response) -> None:
        """Take the body of a request that is refused: clients read no answer while they still send.

        Of one that is too long or too slow, or asks before it sends, the connection is closed
        instead.
        """
        if not any(name == b"expect" for name, _ in scope["headers"]):
            with suppress(Problem, TimeoutError):
                async with asyncio.timeout(REFUSED):
                    await self._body(scope, receive, JSON_BYTES).whole()
                return
        answer.headers["Connection"] = "close"

    def _set_path(self, scope: asgi.Scope) -> str:
        """Have the root path in front of the path, once; returns the path without it."""
        path: str = scope["path"]
        if self._root and (path == self._root or path.startswith(f"{self._root}/")):
            path = path[len(self._root) :] or "/"
        scope["root_path"], scope["path"] = self._root, self._root + path
        scope.pop("raw_path", None)
        return path

    async def _own(
        self, scope: asgi.Scope, path: str, headers: Heads, receive: asgi.Receive
    ) -> Response | None:
        """The answer of the guard itself; None if the application answers.

        Raises:
            Problem: a question was answered with no.
        """
        if path in OPEN and scope["method"] in ("GET", "HEAD"):
            return None
        self._check_host(headers)
        _check_site(scope["method"], headers)
        if path in (login.LOGIN, login.LOGOUT):
            return await self._log_in_or_out(scope, path, headers, receive)
        asker = await self._who(scope, headers)
        if asker is None:
            return login.to_login(self._root, path, scope["query_string"].decode("latin-1"))
        _check_signs(path, scope["query_string"])
        if self._active >= AT_ONCE:
            raise Problem(503, "the server is busy; try again soon", headers={"Retry-After": "1"})
        scope.setdefault("state", {})["asker"] = asker
        _check_content(path, scope["method"], headers)
        return None

    def _while_known(
        self, scope: asgi.Scope, path: str, headers: Heads, send: asgi.Send
    ) -> asgi.Send:
        """Ends an answer that goes on and on, as of events, soon after its reader's token."""
        if path in OPEN:
            return send
        checked = self._clock()

        async def send_on(message: asgi.Message) -> None:
            nonlocal checked
            if message.get("more_body") and self._clock() - checked > OLD:
                checked = self._clock()
                try:
                    known = await self._who(scope, headers)
                except (Problem, HpsearchError):
                    known = None
                if known is None:
                    await send({"type": "http.response.body", "body": b""})
                    raise ClientDisconnect
            await send(message)

        return send_on

    def _check_host(self, headers: Heads) -> None:
        if self._hosts is not None and host_name(headers.get("host", "")) not in self._hosts:
            names = ", ".join(sorted(self._hosts))
            raise Problem(
                403, f"this server answers to {names} only; --allow-host gives it another name"
            )

    async def _who(self, scope: asgi.Scope, headers: Heads) -> Asker | None:
        """Who asks; None for a browser that has to log in.

        Raises:
            Problem: nobody who may.
        """
        reads = scope["method"] in ("GET", "HEAD")
        shown = headers.get("authorization")
        if shown is not None:
            return await self._of_token(scope, shown)
        asker = await self._of_cookie(scope, headers) if reads else None
        if asker is not None:
            return asker
        if self._is_open and _is_from_here(scope, headers):
            return LOCAL
        if reads and "text/html" in headers.get("accept", ""):
            return None
        has_cookie = _cookie(headers, login.cookie_name(scope)) != ""
        sentence = READS_ONLY if has_cookie and not reads else NO_TOKEN
        least = "read" if reads else "submit"
        raise Problem(401, sentence.format(scope=least), headers={"WWW-Authenticate": "Bearer"})

    async def _of_cookie(self, scope: asgi.Scope, headers: Heads) -> Asker | None:
        cookie = _cookie(headers, login.cookie_name(scope))
        if not cookie:
            return None
        await self._tokens.look()
        return self._tokens.who_by_cookie(cookie)

    async def _of_token(self, scope: asgi.Scope, shown: str) -> Asker:
        kind, _, token = shown.partition(" ")
        await self._tokens.look()
        asker = self._tokens.who(token.strip()) if kind.lower() == "bearer" else None
        if asker is None:
            self._count_failure(scope)
            raise Problem(401, WRONG_TOKEN, headers={"WWW-Authenticate": "Bearer"})
        return asker

    def _count_failure(self, scope: asgi.Scope) -> None:
        address = _address(scope)
        wait = self._failures.count(address)
        if wait <= 0:  # of who is told to wait there would be no end
            log.warning("wrong token", extra=about(address=address))
        else:
            seconds = str(math.ceil(wait))
            raise Problem(
                429,
                f"too many wrong tokens came from this address; try again in {seconds} seconds",
                headers={"Retry-After": seconds},
            )

    async def _log_in_or_out(
        self, scope: asgi.Scope, path: str, headers: Heads, receive: asgi.Receive
    ) -> Response:
        if scope["method"] in ("GET", "HEAD") and path == login.LOGIN:
            asked = Request(scope).query_params
            target = asked.get("to", "/")
            if headers.get("sec-fetch-site", "none") not in HERE and login.AGAIN not in asked:
                return login.ask_again(self._root, target)
            if await self._of_cookie(scope, headers) is not None:
                return login.logged_in(scope, self._root, target)
            return login.form(self._root, target)
        if scope["method"] != "POST":
            raise Problem(405, f"{path} takes POST", headers={"Allow": "POST"})
        if path == login.LOGOUT:
            return login.logged_out(scope, self._root)
        _check_type(headers, (FORM,))
        body = await self._body(scope, receive, login.LONGEST).whole()
        token, target = login.sent(body)
        await self._tokens.look()
        if self._tokens.who(token) is not None:
            return login.logged_in(scope, self._root, target, self._tokens.cookie(token))
        try:
            self._count_failure(scope)
        except Problem as problem:
            again = login.form(self._root, target, why=_sentence(problem.detail), status=429)
            again.headers.update(problem.headers or {})
            return again
        return login.form(self._root, target, why=_sentence(WRONG_TOKEN), status=401)

    def _longest(self, path: str, headers: Heads) -> int:
        """How long the body of a request may be.

        Raises:
            Problem: it says itself that it is longer.
        """
        is_long = _type(headers) == "multipart/form-data" or path.endswith(":tell")
        most = self._upload_bytes if is_long else JSON_BYTES
        length = headers.get("content-length", "0")
        if not re.fullmatch("[0-9]{1,18}", length):
            raise Problem(400, "Content-Length is no number of bytes")
        if int(length) > most:
            raise _too_long(most)
        return most


class Failures:
    """Who has shown wrong tokens, and how long to wait until the next one is looked at.

    Args:
        clock: seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._of: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._of)

    def count(self, address: str) -> float:
        """Count one more, and tell how many seconds its sender should wait: 0 if there is room."""
        now = self._clock()
        level, since = self._of.pop(address, (0.0, now))
        level = max(0.0, level - (now - since) / FORGIVEN)
        wait = max(0.0, (level + 1.0 - FAILURES) * FORGIVEN)
        self._of[address] = (level if wait else level + 1.0, now)
        if len(self._of) > MOST_ADDRESSES:
            self._of.popitem(last=False)
        return wait


class Only:
    """A mounted application for who may see every study.

    Args:
        app: without checks of its own, as optuna-dashboard.
        scope: what a token must allow.
    """

    def __init__(self, app: asgi.ASGIApp, scope: Scope) -> None:
        self._app, self._scope = app, scope

    async def __call__(self, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        """Answer a request."""
        asker: Asker = scope["state"]["asker"]
        try:
            _check_allowed(asker, self._scope, None)
        except Problem as problem:
            await problem.response()(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def who_asks(request: Request) -> Asker:
    """Who sends a request that the guard let through; a FastAPI dependency."""
    return cast("Asker", request.state.asker)


_BEARER = HTTPBearer(
    auto_error=False, description="A token of `hpsearch token add`; none is needed on loopback."
)


def allowed(scope: Scope, *, route_checks: bool = False) -> Any:
    """A FastAPI dependency that gives who asks, if the token allows a scope.

    Args:
        scope: what the route does.
        route_checks: a token of one study may only ask for that one, which stands as ``{name}`` in
            the path. Of a route without it, the route itself has to ask `Asker.sees`, and says so.

    ``async def pause(name: str, asker: Annotated[Asker, Depends(allowed("submit"))])``
    """

    async def check(
        request: Request,
        _: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)],
    ) -> Asker:
        asker = who_asks(request)
        study = request.path_params.get("name")
        if study is None and route_checks:
            study = asker.study
        _check_allowed(asker, scope, study)
        return asker

    check.__dict__["scope"] = scope  # for who looks through all routes
    return check


def _check_allowed(asker: Asker, scope: Scope, study: str | None) -> None:
    if not asker.may(scope):
        raise Problem(
            403,
            f"the token {asker.name!r} has the scope {asker.scope!r}, and this needs {scope!r}",
        )
    if asker.study is not None and asker.study != study:
        raise Problem(403, f"the token {asker.name!r} is for the study {asker.study!r} only")


def _hosts(address: str, more: Collection[str]) -> frozenset[str] | None:
    """The names that a Host header may have; None for any."""
    named = frozenset(host_name(name) or in_url(name).lower() for name in more)
    name = in_url(address).lower()
    if is_local(address):
        return LOCAL_HOSTS | named
    if name in EVERY_ADDRESS:
        return LOCAL_HOSTS | named if named else None
    return named | {name}


def _checked_headers(scope: asgi.Scope) -> Heads:
    """The headers of a request, which are of a size, and say one thing once."""
    raw = scope["headers"]
    if len(raw) > MOST_HEADERS or sum(len(k) + len(v) for k, v in raw) > LONGEST_HEADERS:
        raise Problem(
            431,
            f"a request has at most {MOST_HEADERS} headers, of {LONGEST_HEADERS:,} bytes in all",
            headers={"Connection": "close"},
        )
    headers: dict[str, str] = {}
    for key, value in raw:
        name = key.decode("latin-1")
        if name in headers and name in ONCE:
            raise Problem(400, f"the header {name} is there twice")
        headers[name] = value.decode("latin-1")
    return headers


def _check_site(method: str, headers: Heads) -> None:
    """Make sure that no other site's page has made a request."""
    reads = method in ("GET", "HEAD")
    if headers.get("sec-fetch-site", "none") not in HERE:
        mode, into = headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")
        if not (reads and mode == "navigate" and into == "document"):
            raise Problem(403, ELSEWHERE)
    origin = headers.get("origin")
    if not reads and origin is not None and _place(origin) != _place(f"//{headers.get('host')}"):
        raise Problem(403, ELSEWHERE)


def _place(origin: str) -> str | None:
    """Host and port of an origin; without the port if it goes without saying."""
    found = re.fullmatch(r"(https?:)?//([^/]+?)(:80|:443)?", origin.lower())
    return found[2] if found else None


def _check_signs(path: str, query: bytes) -> None:
    """Refuse the sign that no text of a database has: what is called so is not there."""
    if "\0" in path:
        raise Problem(404, f"there is nothing at {shown(path)}; no name has the sign of number 0")
    if b"%00" in query:
        raise Problem(422, "what is asked behind the question mark has the sign of number 0 (%00)")


def _check_content(path: str, method: str, headers: Heads) -> None:
    """Make sure that a write has a body of a kind that no other site's form can send."""
    if method in ("GET", "HEAD"):
        return
    has_body = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
    if has_body or "content-type" in headers:
        _check_type(headers, KNOWN_TYPES if path == "/v1/studies" else KNOWN_TYPES[:1])


def _check_type(headers: Heads, known: tuple[str, ...]) -> None:
    if _type(headers) not in known:
        raise Problem(415, f"send this as Content-Type: {' or '.join(known)}")
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise Problem(415, "send this without a Content-Encoding")


def _type(headers: Heads) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def _cookie(headers: Heads, name: str) -> str:
    pairs = (pair.partition("=") for pair in headers.get("cookie", "").split(";"))
    return next((value.strip() for key, _, value in pairs if key.strip() == name), "")


def _is_from_here(scope: asgi.Scope, headers: Heads) -> bool:
    """Whether a program of this machine asks, for itself."""
    client = scope.get("client")
    passed_on = {"forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip"}
    return (
        client is not None
        and _ip(client[0]).is_loopback
        and host_name(headers.get("host", "")) in LOCAL_HOSTS
        and not any(name in headers for name in passed_on)
    )


def _address(scope: asgi.Scope) -> str:
    """Whose failures are counted together: an address, or the network that one customer gets."""
    client = scope.get("client")
    ip = _ip(client[0] if client else "")
    return str(ipaddress.ip_network((ip, 64), strict=False) if ip.version == 6 else ip)


@lru_cache(maxsize=1000)
def _ip(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """An address as it is; that of an unknown client is nobody's."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return ipaddress.IPv4Address("0.0.0.0")
    mapped = ip.ipv4_mapped if ip.version == 6 else None
    return mapped or ip


def _sentence(detail: str) -> str:
    return f"{detail[:1].upper()}{detail[1:]}."


def _too_long(most: int) -> Problem:
    return Problem(413, f"send at most {most:,} bytes", headers={"Connection": "close"})


class _Arriving:
    """How many requests of each token or address wait for more of their bodies."""

    def __init__(self) -> None:
        self._of: Counter[str] = Counter()

    @contextmanager
    def one_more(self, who: str) -> Iterator[None]:
        """Count one more, while the block lasts.

        Raises:
            Problem: there are too many.
        """
        if self._of[who] >= ARRIVING:
            raise Problem(
                503,
                f"{ARRIVING} requests from where this one comes from have not arrived yet; send "
                "the rest of those first",
                headers={"Retry-After": "1", "Connection": "close"},
            )
        self._of[who] += 1
        try:
            yield
        finally:
            self._of[who] -= 1
            if not self._of[who]:
                del self._of[who]


class _Body:
    """A request's body as it comes: counted, and not too slowly.

    Args:
        receive: ASGI's.
        most: bytes that it may have.
        arriving: counts it while it waits.
        who: sends it.
    """

    def __init__(self, receive: asgi.Receive, most: int, arriving: _Arriving, who: str) -> None:
        self._receive, self._most, self._arriving, self._who = receive, most, arriving, who
        self._bytes, self._is_whole = 0, False
        self._begun = time.monotonic()

    async def receive(self) -> asgi.Message:
        """The next part; behind the last one, whatever comes.

        Raises:
            Problem: it is too long, or comes too slowly.
        """
        if self._is_whole:
            return await self._receive()
        left = self._begun + GRACE + self._bytes / PACE - time.monotonic()
        try:
            with self._arriving.one_more(self._who):
                async with asyncio.timeout(min(PAUSE, left)):
                    message = await self._receive()
        except TimeoutError:
            raise Problem(
                408, "the body came too slowly", headers={"Connection": "close"}
            ) from None
        self._bytes += len(message.get("body", b""))
        self._is_whole = not message.get("more_body", False)
        if self._bytes > self._most:
            raise _too_long(self._most)
        return message

    async def whole(self) -> bytes:
        """All of it."""
        parts = []
        while not self._is_whole:
            parts.append((await self.receive()).get("body", b""))
        return b"".join(parts)


async def _answered(
    app: asgi.ASGIApp, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send
) -> None:
    """Have an application answer, and a body that it did not take be a problem all the same."""
    begun = False

    async def begin(message: asgi.Message) -> None:
        nonlocal begun
        begun = True
        await send(message)

    try:
        await app(scope, receive, begin)
    except Problem as problem:
        if not begun:
            await problem.response()(scope, receive, send)


def _with_headers(send: asgi.Send) -> asgi.Send:
    async def add(message: asgi.Message) -> None:
        if message["type"] == "http.response.start":
            given = list(message.get("headers", ()))
            there = {name.lower() for name, _ in given}
            message["headers"] = given + [pair for pair in _ALWAYS if pair[0] not in there]
        await send(message)

    return add


_ALWAYS = [(name.lower().encode(), value.encode()) for name, value in ALWAYS.items()]
