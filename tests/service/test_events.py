"""Who listens to what happens: many, and of one token not all of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from hpsearch.service import events
from hpsearch.service.events import Events


def test_one_token_does_not_take_every_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "OF_ONE", 3)
    monkeypatch.setattr(events, "MOST", 5)

    async def listening() -> list[str]:
        heard = Events()
        streams: list[AsyncIterator[str]] = []
        first = []
        for who in ["ann"] * 4 + ["ben"] * 3:
            streams.append(heard.follow(None, who))
            first.append(await anext(streams[-1]))
        heard.close()
        for stream in streams:
            assert [text async for text in stream] == []
        return first

    told = ["too many" in text for text in asyncio.run(listening())]
    assert told == [False] * 3 + [True] + [False] * 2 + [True]
