"""Clients that are slow, or never say what they want, do not hold a connection.

uvicorn itself ends a connection that idles between two requests. Here is what it leaves open:
a request whose head does not arrive, or grows without end, and an answer that nobody reads. How
slowly a body may come is the guard's affair.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["LIMITS", "Impatient"]

ARRIVE = 10.0
"""Seconds that the head of a request may take to arrive."""

READ = 60.0
"""Seconds in which a client has to read some of an answer that is waiting for it."""

LONGEST_HEAD = 65_536
"""Bytes of a request's first line and headers."""

TOO_LONG = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\n"
    b"connection: close\r\n\r\n"
)

LIMITS: dict[str, Any] = {
    "timeout_keep_alive": 30,
    "limit_concurrency": 4000,
    "backlog": 1024,
    "timeout_graceful_shutdown": 3,
    "server_header": False,
    "access_log": False,  # it would write whatever stands behind a question mark
    "ws": "none",
}
"""The settings of uvicorn's `Config` that belong to this."""


class Impatient(HttpToolsProtocol):
    """uvicorn's connection with an end to its patience; ``Config(http=Impatient)``."""

    _head_timer: asyncio.TimerHandle | None = None
    _read_timer: asyncio.TimerHandle | None = None
    _head: int | None = 0  # bytes of the head that is arriving; None while there is none

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a first head."""
        super().connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """Count what may be a head."""
        if self._head is None and (self.cycle is None or not self.cycle.more_body):
            self._await_head()
        if self._head is not None:
            self._head += len(data)
        super().data_received(data)
        # What came with the end of a head is its body, and the parser itself has gone on.
        if (self._head or 0) > LONGEST_HEAD and not self.transport.is_closing():
            self.transport.write(TOO_LONG)
            self.transport.close()

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        if self._head is None:
            self._await_head()

    def on_headers_complete(self) -> None:
        """A head is there."""
        self._head = None
        self._stop("_head_timer")
        super().on_headers_complete()

    def pause_writing(self) -> None:
        """The client does not read."""
        super().pause_writing()
        self._stop("_read_timer")
        self._read_timer = self.loop.call_later(READ, self.transport.abort)

    def resume_writing(self) -> None:
        """It does."""
        super().resume_writing()
        self._stop("_read_timer")

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        super().connection_lost(exc)
        self._stop("_head_timer")
        self._stop("_read_timer")

    def _await_head(self) -> None:
        self._head = 0
        self._stop("_head_timer")
        self._head_timer = self.loop.call_later(ARRIVE, self.transport.close)

    def _stop(self, name: str) -> None:
        timer: asyncio.TimerHandle | None = getattr(self, name)
        if timer is not None:
            timer.cancel()
            setattr(self, name, None)
