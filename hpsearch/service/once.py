"""Requests that change something are done once, however often they are sent with one key.

What a first one was answered is kept, and is the answer of those that come again: a client that did
not hear it asks without fear. Those who do trials need none of this, since their leases tell.
"""

from __future__ import annotations

import asyncio
import datetime
import logging
import re
from collections.abc import MutableMapping
from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hpsearch.errors import StorageError
from hpsearch.service.bench import utc_now
from hpsearch.service.logs import about
from hpsearch.service.models import is_key, own_key
from hpsearch.service.problems import Problem
from hpsearch.service.receiving import again
from hpsearch.storage.own_tables import own_tables

if TYPE_CHECKING:
    from hpsearch.service.tokens import Asker
    from hpsearch.storage import WriteBehindStorage

__all__ = ["Once"]

log = logging.getLogger("hpsearch.service")

OF_LEASES = re.compile(r".*:(ask|tell|report|heartbeat|release)")

KEPT = datetime.timedelta(days=1)
"""How long an answer is kept."""

LONGEST = 100_000
"""Bytes of an answer that is kept; none of these requests has a longer one."""


class Once:
    """An application whose changes have keys, in front of another.

    Args:
        app: answers.
        store: keeps the answers.
    """

    def __init__(self, app: ASGIApp, store: WriteBehindStorage) -> None:
        self._app, self._store = app, store
        self._under_way: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        key = _key(scope)
        if key is None:
            await self._app(scope, receive, send)
            return
        asker: Asker = scope["state"]["asker"]
        name = own_key(asker.name, key)
        messages = await _taken(scope, receive)
        what, receive = _digest(scope, messages), again(messages, receive)
        if name in self._under_way:
            await _busy().response()(scope, receive, send)
            return
        self._under_way.add(name)
        try:
            if not await asyncio.to_thread(self._lock, name):
                await _busy().response()(scope, receive, send)
                return
            kept = await asyncio.to_thread(self._kept, name)
            if kept is None:
                await self._first(scope, receive, send, name, what)
            elif kept.digest != what:
                sentence = "this Idempotency-Key was used for another request; choose a new one"
                await Problem(422, sentence).response()(scope, receive, send)
            else:
                kind = "application/json" if kept.status < 400 else "application/problem+json"
                answer = Response(kept.answer or None, kept.status, media_type=kind)
                await answer(scope, receive, send)
        finally:
            self._under_way.discard(name)
            await asyncio.to_thread(self._unlock, name)

    async def _first(
        self, scope: Scope, receive: Receive, send: Send, name: str, what: str
    ) -> None:
        """Have a request answered, and keep the answer before it is sent."""
        messages: list[MutableMapping[str, Any]] = []

        async def hold(message: Message) -> None:
            messages.append(message)

        await self._app(scope, receive, hold)
        status = next((m["status"] for m in messages if "status" in m), 500)
        body = b"".join(m.get("body", b"") for m in messages)
        is_answer = status < 400 or status in (404, 409)
        if is_answer and len(body) <= LONGEST:
            try:
                await asyncio.to_thread(self._keep, name, what, status, body.decode())
            except StorageError as error:  # it has been done all the same
                log.warning("an answer cannot be kept", extra=about(why=str(error)))
        for message in messages:
            await send(message)

    # Other servers of a PostgreSQL database are kept out by a lock of the connection, which ends
    # with this process, however it ends. A SQLite file has one server.

    def _lock(self, name: str) -> bool:
        """Whether nobody else answers a request with this key; so it stays."""
        if self._store.connection.tells_version:
            return True
        with self._store.connection.reading() as connection:
            return bool(connection.scalar(sa.select(sa.func.pg_try_advisory_lock(_number(name)))))

    def _unlock(self, name: str) -> None:
        if not self._store.connection.tells_version:
            with suppress(StorageError), self._store.connection.reading() as connection:
                connection.execute(sa.select(sa.func.pg_advisory_unlock(_number(name))))

    def _kept(self, name: str) -> Any:
        table = own_tables().requests
        with self._store.connection.reading() as connection:
            return connection.execute(table.select().where(table.c.key == name)).first()

    def _keep(self, name: str, what: str, status: int, answer: str) -> None:
        table = own_tables().requests
        old = (datetime.datetime.now(datetime.UTC) - KEPT).isoformat(timespec="milliseconds")
        row = {"key": name, "digest": what, "at": utc_now(), "status": status, "answer": answer}
        with self._store.transaction() as connection:
            connection.execute(sa.delete(table).where(table.c.at < old))
            connection.execute(table.insert(), row)


def _busy() -> Problem:
    return Problem(
        409,
        "a request with this key is being answered; send it again for the answer",
        headers={"Retry-After": "1"},
    )


def _number(name: str) -> int:
    """What PostgreSQL calls a lock: a number of 64 bits, here of the digits of a digest."""
    return int.from_bytes(bytes.fromhex(name)[:8], "big", signed=True)


def _key(scope: Scope) -> str | None:
    """The key of a request that changes something, and is none of a lease's."""
    if scope["type"] != "http" or scope["method"] not in ("POST", "DELETE", "PATCH", "PUT"):
        return None
    if OF_LEASES.fullmatch(scope["path"]):
        return None
    key = Request(scope).headers.get("idempotency-key", "")
    return key if is_key(key) else None


async def _taken(scope: Scope, receive: Receive) -> list[Message]:
    """The body of a request; of a form with files, which may be long, nothing yet."""
    if "multipart/form-data" in Request(scope).headers.get("content-type", ""):
        return []
    messages = [await receive()]
    while messages[-1].get("more_body"):
        messages.append(await receive())
    return messages


def _digest(scope: Scope, messages: list[Message]) -> str:
    """What tells a request from others: its body too, but for a form's, which no two have alike."""
    text = f"{scope['method']} {scope['path']}?{scope['query_string'].decode('latin-1')}"
    body = b"".join(message.get("body", b"") for message in messages)
    return sha256(text.encode(errors="replace") + b"\n" + body).hexdigest()
