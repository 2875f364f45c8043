"""The parts of an agent together, against a server in this process."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from hpsearch.errors import HpsearchError
from hpsearch.service.agent import Event
from hpsearch.service.alike import versions
from hpsearch.service.lending import lend

WORK = {
    "trial": "1", "lease": "0" * 32, "seconds": 60.0, "interval": 20.0, "study": "s", "number": 0,
    "configuration": {"x": 0.5}, "metric": "loss", "direction": "minimize",
}  # fmt: skip


def lent(folder: Path, url: str, token: str | None = None, **more: Any) -> tuple[Any, list[Event]]:
    told, given, events = [], [WORK], list[Event]()

    async def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/server"):
            return httpx.Response(200, json={"versions": versions()})
        if request.url.path.endswith(":ask"):
            drain = {"order": "drain", "why": "it is over"}
            return httpx.Response(200, json={"work": given.pop()} if given else drain)
        if request.url.path.endswith(":tell"):
            told.append(request.content)
        return httpx.Response(200, json={"trial": "1", "value": 0.25})

    asyncio.run(
        lend(
            url,
            token,
            studies=("s",),
            cache=folder / "cache",
            home=folder,
            on_event=events.append,
            transport=httpx.MockTransport(answer),
            **more,
        )
    )
    return told, events


def test_a_program_beside_the_agent_is_run_in_a_folder_of_its_trial(tmp_path: Path) -> None:
    script = tmp_path / "train.sh"
    script.write_text('#!/bin/sh\necho "{\\"loss\\": $1}"\n')
    script.chmod(0o700)
    program = ("train.sh", "{x}", "--y={y}", "--seed={seed}")
    told, events = lent(tmp_path, "https://lab.test", "hp-token", program=program)
    assert b'"result":{"loss":0.5}' in told[0]
    names = [event.name for event in events]
    assert names == ["connected", "began", "left out", "ended", "draining", "drained"]
    assert events[2].sentence == "this trial has no y: arguments that name it are left out"


@pytest.mark.parametrize(
    ("url", "told"),
    [("http://lab.test", True), ("https://lab.test", False), ("http://127.0.0.1:9", False)],
)
def test_a_token_in_the_open_is_told_of(tmp_path: Path, url: str, told: bool) -> None:
    _, events = lent(tmp_path, url, "hp-token", program=("true",))
    assert [event.name for event in events].count("insecure") == told


def test_a_program_is_for_studies_that_are_named(tmp_path: Path) -> None:
    with pytest.raises(HpsearchError, match="name them with --study"):
        asyncio.run(lend("http://127.0.0.1:9", program=("true",)))
