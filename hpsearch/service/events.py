"""What happens at the server, told to pages and clients as it does: server-sent events.

An event says only that something has changed; what, a client asks for. So nothing is lost by one
that is not heard, and many changes at once are one event.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress

__all__ = ["Events"]

PAUSE = 15.0
"""Seconds of silence after which a comment shows that the connection lives."""

APART = 0.25
"""Seconds between two events of one listener; what happens meanwhile is told together."""

MOST, OF_ONE = 1000, 200
"""Listeners at the same time, and those of one token."""


class _Listener:
    def __init__(self, study: str | None, who: str) -> None:
        self.study, self.who = study, who
        self.changed: dict[str, str] = {}  # study -> trial, or study where its state has changed
        self.woken = asyncio.Event()


class Events:
    """Who listens to what.

    `happened` may be called from any thread, once `loop` is set.
    """

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        self._listeners: set[_Listener] = set()
        self._closed = False

    def happened(self, study: str, kind: str) -> None:
        """Something has changed.

        Args:
            study: the study's name.
            kind: trial, or study for its state.
        """
        if self.loop is not None and self._listeners:
            with suppress(RuntimeError):  # the loop has just been closed
                self.loop.call_soon_threadsafe(self._tell, study, kind)

    def close(self) -> None:
        """End all streams; on the loop."""
        self._closed = True
        for listener in self._listeners:
            listener.woken.set()

    def _tell(self, study: str, kind: str) -> None:
        for listener in self._listeners:
            if listener.study in (None, study):
                if listener.changed.get(study) != "study":
                    listener.changed[study] = kind
                listener.woken.set()

    async def follow(self, study: str | None, who: str = "") -> AsyncIterator[str]:
        """The events of a study, or of all, as a stream of text.

        Args:
            study: the only one; None for all.
            who: listens: the name of a token.
        """
        same = sum(listener.who == who for listener in self._listeners)
        if len(self._listeners) >= MOST or same >= OF_ONE:
            yield "retry: 30000\n: too many listen\n\n"
            return
        listener = _Listener(study, who)
        self._listeners.add(listener)
        try:
            yield "retry: 2000\n: hpsearch\n\n"
            while not self._closed:
                try:
                    await asyncio.wait_for(listener.woken.wait(), PAUSE)
                except TimeoutError:
                    yield ": still here\n\n"
                    continue
                listener.woken.clear()
                changed, listener.changed = listener.changed, {}
                for name, kind in changed.items():
                    yield f"data: {json.dumps({'event': kind, 'study': name})}\n\n"
                await asyncio.sleep(APART)
        finally:
            self._listeners.discard(listener)
