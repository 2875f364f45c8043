"""Who may see the dashboard, and who may change studies with it.

optuna-dashboard itself answers everybody. Behind the guard a request passes three questions.

Is it addressed to us? A page of any other site can have its own name resolve to this machine (DNS
rebinding); its requests then count as its own, and it may read the answers. But they bear that name
in their Host header, which only may be one of ours.

Does it have the token, where there is one? Where the server listens on every address (0.0.0.0 or
::), nobody can list its names, and any Host is allowed. That is safe, since there always is a token
then: a browser sends the cookie only to the name from which it came, never to a rebound one, and no
page can read it.

Does it only read? GET and HEAD change nothing. All else is refused, unless editing was asked for
and the Origin, which a browser sends with every such request, is the dashboard's own.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from hpsearch.errors import UsageError

__all__ = [
    "EVERY_ADDRESS",
    "LOCAL",
    "Application",
    "Environment",
    "Guard",
    "Start",
    "guard_for",
    "host_name",
    "in_url",
    "is_local",
    "refuse",
]

Environment = dict[str, Any]
Start = Callable[..., Any]
Application = Callable[[Environment, Start], Iterable[bytes]]

LOCAL = frozenset({"127.0.0.1", "localhost", "[::1]"})
"""This machine's own names, which reach no other, as they stand in a Host header."""

EVERY_ADDRESS = frozenset({"0.0.0.0", "[::]"})
"""Not names, but all that the machine has."""

SHORTEST_TOKEN = 16

NO_TOKEN = (
    "This dashboard needs its token: open the link that `hpsearch dashboard` printed, or send "
    "`Authorization: Bearer TOKEN`."
)
READ_ONLY = "This dashboard is read-only; start it with --allow-edit to change studies."
NOT_OURS = "This dashboard takes changes from its own pages only."


@dataclass(frozen=True)
class Guard:
    """A WSGI application in front of another; see `guard_for`.

    Args:
        pages: what is guarded.
        hosts: the names that a Host header may have, ports aside; None for any.
        token: what a request must show; None for nothing.
        allow_edit: whether requests may do more than read.

    The token is shown as ``?token=``, which is answered by a cookie and a redirect to the same
    address without it, or as ``Authorization: Bearer``.
    """

    pages: Application
    hosts: frozenset[str] | None
    token: str | None = None
    allow_edit: bool = False

    def __call__(self, environ: Environment, start: Start) -> Iterable[bytes]:
        """Answer a request."""
        if (
            self.hosts is not None
            and host_name(str(environ.get("HTTP_HOST", ""))) not in self.hosts
        ):
            names = " and ".join(sorted(self.hosts))
            return refuse(start, "403 Forbidden", f"This dashboard answers to {names} only.")
        if self.token is not None:
            query = parse_qsl(str(environ.get("QUERY_STRING", "")), keep_blank_values=True)
            if any(name == "token" and _same(value, self.token) for name, value in query):
                return self._let_in(environ, start, [pair for pair in query if pair[0] != "token"])
            if not self._knows_token(environ, self.token):
                return refuse(start, "401 Unauthorized", NO_TOKEN, ("WWW-Authenticate", "Bearer"))
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            if not self.allow_edit:
                return refuse(start, "403 Forbidden", READ_ONLY)
            if environ.get("HTTP_ORIGIN") != f"http://{environ.get('HTTP_HOST', '')}":
                return refuse(start, "403 Forbidden", NOT_OURS)
        # optuna-dashboard fails on a request for its script without this header.
        environ.setdefault("HTTP_ACCEPT_ENCODING", "identity")

        def unframed(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            # Another site must not show our buttons under its own.
            return start(status, [*headers, ("X-Frame-Options", "SAMEORIGIN")], *rest)

        return self.pages(environ, unframed)

    def _knows_token(self, environ: Environment, token: str) -> bool:
        kind, _, shown = str(environ.get("HTTP_AUTHORIZATION", "")).partition(" ")
        # WSGI reads every header as Latin-1; most clients send UTF-8.
        sent = shown.strip().encode("latin-1", errors="replace")
        if kind.lower() == "bearer" and hmac.compare_digest(sent, token.encode(errors="replace")):
            return True
        pairs = (pair.partition("=") for pair in str(environ.get("HTTP_COOKIE", "")).split(";"))
        cookies = {name.strip(): value.strip() for name, _, value in pairs}
        return _same(cookies.get(_cookie_name(environ), ""), _cookie_value(token))

    def _let_in(
        self, environ: Environment, start: Start, query: list[tuple[str, str]]
    ) -> Iterable[bytes]:
        """Give a browser the cookie, and send it where it wanted to go."""
        assert self.token is not None
        # One slash in front: with two it would name another site.
        path = "/" + quote(str(environ.get("PATH_INFO", "")).lstrip("/"), encoding="latin-1")
        cookie = f"{_cookie_name(environ)}={_cookie_value(self.token)}"
        headers = [
            ("Location", f"{path}?{urlencode(query)}" if query else path),
            ("Set-Cookie", f"{cookie}; Path=/; HttpOnly; SameSite=Strict"),
            ("Cache-Control", "no-store"),
            ("Content-Length", "0"),
        ]
        start("303 See Other", headers)
        return []


def guard_for(
    pages: Application, address: str, *, token: str | None = None, allow_edit: bool = False
) -> Guard:
    """The guard of a server that listens on an address.

    Args:
        pages: what is guarded.
        address: where the server listens: an IP address or a name.
        token: what a request must show; it may be None only if no other machine reaches the server.
        allow_edit: whether requests may do more than read.

    Raises:
        UsageError: there has to be a token, or the one given could be guessed.
    """
    if token is None and not is_local(address):
        raise UsageError(f"the dashboard needs a token on {address}, which others can reach")
    if token is not None:
        seen = sum(sign.isprintable() and not sign.isspace() for sign in token)
        if seen < SHORTEST_TOKEN:
            raise UsageError(
                f"the dashboard's token has {seen} characters that can be seen; give it "
                f"{SHORTEST_TOKEN} or more"
            )
        if token != token.strip() or not token.isprintable():
            raise UsageError(
                "the dashboard's token has blanks around it, or a character that is no part of a "
                "line, which no header can carry; leave them out"
            )
    name = in_url(address).lower()
    if is_local(address):
        hosts: frozenset[str] | None = LOCAL
    else:
        hosts = None if name in EVERY_ADDRESS else frozenset({name})
    return Guard(pages, hosts, token, allow_edit)


def is_local(address: str) -> bool:
    """Whether only this machine reaches a server on an address.

    >>> is_local("127.0.0.1"), is_local("::1"), is_local("0.0.0.0"), is_local("192.168.1.7")
    (True, True, False, False)
    """
    return in_url(address).lower() in LOCAL


def in_url(address: str) -> str:
    """An IP address or name as it stands in a URL.

    >>> in_url("192.168.1.7"), in_url("::1")
    ('192.168.1.7', '[::1]')
    """
    return f"[{address}]" if ":" in address else address


def host_name(header: str) -> str | None:
    """The name in a Host header, in small letters; None if it has no such form.

    >>> host_name("Lab.example:8080"), host_name("[::1]"), host_name("lab.example:80:80")
    ('lab.example', '[::1]', None)
    """
    found = re.fullmatch(r"(\[[0-9a-f:.]+\]|[^:\[\]]+)(:[0-9]+)?", header.lower())
    return found[1] if found else None


def _same(shown: str, secret: str) -> bool:
    """Whether both are equal, in a time that does not tell how far they are."""
    return hmac.compare_digest(shown.encode(errors="replace"), secret.encode(errors="replace"))


def _cookie_name(environ: Environment) -> str:
    """Cookies are a machine's, whatever the port; two dashboards on it have two."""
    return f"hpsearch-dashboard-{environ.get('SERVER_PORT', '')}"


def _cookie_value(token: str) -> str:
    """What proves the token without telling it, as another server of the machine may see it."""
    return hmac.digest(token.encode(errors="replace"), b"hpsearch dashboard", "sha256").hex()


def refuse(start: Start, status: str, sentence: str, *headers: tuple[str, str]) -> list[bytes]:
    """Answer a request with a sentence instead of a page.

    Args:
        start: WSGI's function that takes status and headers.
        status: the code and its name.
        sentence: why.
        headers: more of them.
    """
    body = f"{sentence}\n".encode()
    usual = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))]
    start(status, [*usual, ("Cache-Control", "no-store"), *headers])
    return [body]
