"""How often studies are drawn, and by whom, without drawing any."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from itertools import pairwise
from types import SimpleNamespace
from typing import Any, cast

import pytest

from hpsearch.service import drawings
from hpsearch.service.drawings import REST, Drawings
from hpsearch.service.models import Study


class Shelf:
    """A study that changes when it is told to."""

    store = SimpleNamespace(connection=SimpleNamespace(url="sqlite://"))

    def __init__(self) -> None:
        self.trials = {"complete": 1}
        self.state: Any = "running"

    def study(self, name: str) -> Study:
        return Study(name=name, state=self.state, since="", trials=dict(self.trials))


class Pool:
    """A process that takes a while, and how many there were."""

    opened = closed = drawn = 0

    def __init__(self, seconds: float = 0.05) -> None:
        self.seconds = seconds

    def __call__(self, workers: int) -> Pool:
        assert workers == 1
        return self

    def __enter__(self) -> Pool:
        self.opened += 1
        return self

    def __exit__(self, *_: object) -> None:
        self.closed += 1

    def submit(self, *_: Any, limit: float) -> Future[bytes]:
        assert limit > 0
        self.drawn += 1
        future: Future[bytes] = Future()
        content = b"%d" % self.drawn
        asyncio.get_running_loop().call_later(self.seconds, future.set_result, content)
        return future


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Pool:
    pool = Pool()
    monkeypatch.setattr(drawings, "process_pool", pool)
    return pool


def run(story: Callable[[Drawings, Shelf], Coroutine[Any, Any, None]], idle: float = 60.0) -> None:
    async def told() -> None:
        shelf = Shelf()
        drawn = Drawings(cast("Any", shelf), idle=idle)
        try:
            await story(drawn, shelf)
        finally:
            drawn.close()

    asyncio.run(told())


async def begun(pool: Pool) -> None:
    while not pool.drawn:
        await asyncio.sleep(0.001)


def test_many_pages_share_one_drawing(pool: Pool) -> None:
    async def story(drawn: Drawings, _: Shelf) -> None:
        told = await asyncio.gather(*(drawn.document("a") for _ in range(50)))
        assert {each.content for each in told} == {b"1"}
        assert await drawn.document("a") == told[0], "nothing has changed"

    run(story)
    assert pool.drawn == 1


def test_what_is_shown_is_as_new_as_the_question(pool: Pool) -> None:
    """Also where another reader's drawing had begun before."""

    async def story(drawn: Drawings, shelf: Shelf) -> None:
        first = asyncio.create_task(drawn.document("a"))
        await begun(pool)
        shelf.trials["complete"] = 2
        second = asyncio.create_task(drawn.document("a"))
        assert (await first).content == b"1"
        assert (await second).content == b"2"
        assert (await first).tag != (await second).tag

    run(story)


def test_a_study_that_changes_all_the_time_is_not_drawn_all_the_time(pool: Pool) -> None:
    async def story(drawn: Drawings, shelf: Shelf) -> None:
        loop = asyncio.get_running_loop()
        before, ends = None, []
        for count in range(2, 6):
            shelf.trials["complete"] = count
            drawing = await drawn.document("a")
            assert drawing != before
            before = drawing
            ends.append(loop.time())
        gaps = [later - sooner for sooner, later in pairwise(ends)]
        assert min(gaps) >= (1 + REST) * pool.seconds * 0.9

    run(story)


def test_who_leaves_ends_no_drawing_for_others(pool: Pool) -> None:
    async def story(drawn: Drawings, _: Shelf) -> None:
        one, other = (asyncio.create_task(drawn.document("a")) for _ in range(2))
        await begun(pool)
        one.cancel()
        assert (await other).content == b"1"

    run(story)


def test_the_process_ends_when_nobody_looks(pool: Pool) -> None:
    async def story(drawn: Drawings, shelf: Shelf) -> None:
        await drawn.document("a")
        assert drawn.has_process
        while drawn.has_process:
            await asyncio.sleep(0.01)
        assert pool.closed == 1
        assert (await drawn.document("a")).content == b"1", "what was drawn is kept"
        shelf.trials["complete"] = 2
        assert (await drawn.document("a")).content == b"2"
        assert pool.opened == 2

    run(story, idle=0.01)


@pytest.mark.parametrize(("state", "told"), [("queued", "no trials yet"), ("failed", "no trials.")])
def test_a_study_without_trials_is_drawn_at_once(pool: Pool, state: str, told: str) -> None:
    async def story(drawn: Drawings, shelf: Shelf) -> None:
        shelf.trials, shelf.state = {}, state
        drawing = await drawn.document("<a>")
        [section] = json.loads(drawing.content)["sections"]
        assert told in section["result"]
        shelf.trials, shelf.state = {"complete": 1}, "running"
        assert (await drawn.document("<a>")).tag != drawing.tag

    run(story)
    assert pool.drawn == 1
