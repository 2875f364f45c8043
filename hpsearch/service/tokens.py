"""Who may do what: tokens with a scope, an end and perhaps one study.

A token is 256 random bits behind ``hps_``. It is told once; the table ``hpsearch_tokens`` has its
SHA-256 only, which leads nobody back to it, so that a copy of the database lets nobody in. A
browser gets a cookie instead, which proves the token without telling it and ends by itself.
"""

from __future__ import annotations

import asyncio
import datetime
import hmac
import math
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from hpsearch.errors import UnknownNameError, UsageError
from hpsearch.service.models import Scope
from hpsearch.storage.own_tables import own_tables

if TYPE_CHECKING:
    from hpsearch.storage import WriteBehindStorage

__all__ = [
    "ALLOWS",
    "LOCAL",
    "OLD",
    "Asker",
    "Token",
    "Tokens",
    "add_token",
    "list_tokens",
    "remove_token",
    "without_tokens",
]

PREFIX = "hps_"
"""How a token begins, so that people and programs that look for secrets know one."""

ALLOWS: dict[str, frozenset[Scope]] = {
    "read": frozenset({"read"}),
    "submit": frozenset({"read", "submit"}),
    "work": frozenset({"read", "work"}),
    "admin": frozenset(get_args(Scope)),
}
"""What each scope allows."""

LONGEST_NAME, LONGEST_STUDY = 128, 512
MOST_DAYS = 36_500

LOOK = 1.0
"""Seconds after which the table is read again, while requests are still answered from before."""

OLD = 3.0
"""Seconds after which a request waits for that: how long a removed token can live on."""

COOKIE_SECONDS = 7 * 86_400
"""How long a browser stays logged in."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Who sends a request.

    Args:
        name: of the token.
        scope: of the token.
        study: the only study that the token is for; None for any.
    """

    name: str
    scope: str
    study: str | None = None

    def may(self, scope: Scope, study: str | None = None) -> bool:
        """Whether the token allows a scope, for a study if one is given.

        >>> Asker("ann", "submit").may("read"), Asker("ann", "submit").may("work")
        (True, False)
        >>> Asker("ann", "admin", "digits").may("read", "iris")
        False
        """
        return scope in ALLOWS.get(self.scope, frozenset()) and (study is None or self.sees(study))

    def sees(self, study: str) -> bool:
        """Whether a study exists for this token."""
        return self.study is None or self.study == study


LOCAL = Asker("local", "admin")
"""Who asks from this machine where no token is needed; no token has this name."""


class Token(NamedTuple):
    """What the table tells of a token, which is everything but itself; times are UTC, ISO 8601."""

    name: str
    scope: str
    study: str | None
    created: str
    expires: str | None

    @property
    def is_over(self) -> bool:
        """Whether it has expired."""
        return _end(self.expires) <= time.time()


def add_token(
    storage: WriteBehindStorage,
    name: str,
    scope: Scope,
    *,
    study: str | None = None,
    days: float | None = None,
) -> str:
    """Make a token.

    Args:
        storage: the database of the server.
        name: of who gets it; it stands beside what is done with it.
        scope: see `ALLOWS`.
        study: the only study that it is for, which need not be there yet.
        days: after so many it expires; None for never.

    Returns:
        The token, which nothing tells again.

    Raises:
        UsageError: there is one of this name, or the name will not do.
    """
    import sqlalchemy as sa

    if name != name.strip() or not name.isprintable() or not 0 < len(name) <= LONGEST_NAME:
        raise UsageError(
            f"a token's name has 1 to {LONGEST_NAME} characters that can be seen, with no blank "
            "around them"
        )
    if name == LOCAL.name:
        raise UsageError(f"{name!r} is who needs no token; choose another name")
    if study is not None and not 0 < len(study) <= LONGEST_STUDY:
        raise UsageError(f"a study's name has 1 to {LONGEST_STUDY} characters")
    if days is not None and not 0 < days <= MOST_DAYS:
        raise UsageError(f"a token lasts for up to {MOST_DAYS:,} days, not for {days:g}")
    token = PREFIX + secrets.token_urlsafe(32)
    now = datetime.datetime.now(datetime.UTC)
    end = None if days is None else now + datetime.timedelta(days=days)
    table = own_tables().tokens
    row = {
        "name": name,
        "digest": _digest(token),
        "scope": scope,
        "study": study,
        "created": now.isoformat(timespec="seconds"),
        "expires": None if end is None else end.isoformat(timespec="seconds"),
    }
    with storage.transaction() as connection:
        if connection.execute(sa.select(table.c.name).where(table.c.name == name)).first():
            raise UsageError(
                f"there is a token {name!r} already; remove it, or choose another name"
            )
        connection.execute(table.insert().values(row))
    return token


def list_tokens(storage: WriteBehindStorage) -> list[Token]:
    """All tokens, by name."""
    import sqlalchemy as sa

    table = own_tables().tokens
    columns = (table.c[field] for field in Token._fields)
    with storage.connection.reading() as connection:
        rows = connection.execute(sa.select(*columns).order_by(table.c.name)).all()
    return [Token(*row) for row in rows]


def remove_token(storage: WriteBehindStorage, name: str) -> None:
    """Let a token end now; a server that runs notices within `OLD` seconds.

    Raises:
        UnknownNameError: there is none of this name.
    """
    table = own_tables().tokens
    with storage.transaction() as connection:
        gone = connection.execute(table.delete().where(table.c.name == name)).rowcount
    if not gone:
        raise UnknownNameError("token", name, [t.name for t in list_tokens(storage)] or ["none"])


class _Known(NamedTuple):
    asker: Asker
    digest: str
    end: float  # seconds since 1970


class Tokens:
    """All tokens of a database in memory, read again every `LOOK` seconds in which somebody asks.

    Args:
        storage: the database.
        clock: seconds that only grow.
        now: seconds since 1970.

    `look` first, which may wait for the database; then ask `who`, which does not.
    """

    def __init__(
        self,
        storage: WriteBehindStorage,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._storage, self._clock, self._now = storage, clock, now
        self._known: dict[str, _Known] = {}
        self._read_at = -math.inf
        self._reading: asyncio.Task[None] | None = None

    async def look(self) -> None:
        """Read the table, if it is time to.

        Raises:
            StorageError: it could not be read for `OLD` seconds.
        """
        age = self._clock() - self._read_at
        if age < LOOK:
            return
        if self._reading is None:
            self._reading = asyncio.create_task(asyncio.to_thread(self._read))
            self._reading.add_done_callback(self._has_read)
        if age >= OLD:
            await asyncio.shield(self._reading)

    def who(self, token: str) -> Asker | None:
        """Whose token it is; None if it is nobody's, or not any more.

        It is found by a part of its digest. How long that takes tells nothing of the token.
        """
        digest = _digest(token)
        known = self._known.get(_key(digest))
        if known is None or not hmac.compare_digest(known.digest, digest):
            return None
        return known.asker if self._now() < known.end else None

    def cookie(self, token: str) -> str:
        """What a browser shows in the place of a token that is known."""
        digest = _digest(token)
        end = int(min(self._known[_key(digest)].end, self._now() + COOKIE_SECONDS))
        return f"{_key(digest)}.{end}.{_proof(digest, str(end))}"

    def who_by_cookie(self, cookie: str) -> Asker | None:
        """The same as `who`, of a cookie."""
        key, end, proof = (*cookie.split("."), "", "")[:3]
        known = self._known.get(key)
        if known is None or not hmac.compare_digest(
            _proof(known.digest, end).encode(), proof.encode(errors="replace")
        ):
            return None
        return known.asker if self._now() < min(known.end, float(end)) else None

    def _read(self) -> None:
        begun, table = self._clock(), own_tables().tokens
        with self._storage.connection.reading() as connection:
            rows = connection.execute(table.select()).all()
        self._known = {
            _key(row.digest): _Known(
                Asker(row.name, row.scope, row.study), row.digest, _end(row.expires)
            )
            for row in rows
        }
        self._read_at = begun

    def _has_read(self, task: asyncio.Task[None]) -> None:
        self._reading = None
        if not task.cancelled():
            task.exception()  # who waits for it gets it; if nobody does, the next one tries again


def _digest(token: str) -> str:
    return sha256(token.encode(errors="replace")).hexdigest()


def _key(digest: str) -> str:
    return digest[:16]


def _proof(digest: str, end: str) -> str:
    """Only who knows a token, or its digest, can make it."""
    return hmac.digest(digest.encode(), f"hpsearch {end}".encode(errors="replace"), "sha256").hex()


def _end(expires: str | None) -> float:
    return math.inf if expires is None else datetime.datetime.fromisoformat(expires).timestamp()


_TOKEN: Any = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{8,}}")

without_tokens: Callable[[str], str] = partial(_TOKEN.sub, f"{PREFIX}...")
"""A text for a log or an answer, whatever somebody has put into it.

>>> without_tokens("unknown study 'hps_0123456789abcdef'")
"unknown study 'hps_...'"
"""
