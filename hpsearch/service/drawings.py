"""What pages of studies show, drawn once for all who look, in a process beside the server.

A document takes a second or more to draw. It is drawn only if something has changed since the last
time, and a study that changes all the time is drawn for a third of the time at most. The process
ends when nobody has looked for a while.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

from hpsearch.engine.executors.processes import process_pool
from hpsearch.file_names import file_name
from hpsearch.report.document import document_of, section
from hpsearch.service.glimpse import Drawn, draw, draw_layers

if TYPE_CHECKING:
    from hpsearch.engine.executors import Pool
    from hpsearch.service.models import Study
    from hpsearch.service.studies import Shelf

__all__ = ["Drawing", "Drawings"]

MOST = 16
"""Documents that are kept, of those studies that were looked at last."""

REST = 2.0
"""How many times as long as the last drawing took the next one of the study waits."""

LIMIT = 300.0
"""Seconds that a drawing may take."""

IDLE = 120.0
"""Seconds after the last drawing until the process ends."""


class Drawing(NamedTuple):
    """A document.

    Attributes:
        tag: tells it from any other.
        content: JSON.
        began: when it began to be drawn, by the monotonic clock.
        ended: likewise.
    """

    tag: str
    content: bytes
    began: float
    ended: float


class Drawings:
    """The documents of studies.

    Args:
        shelf: has the studies.
        idle: seconds after the last drawing until the process ends.
        clock: seconds that only grow.
    """

    def __init__(
        self, shelf: Shelf, *, idle: float = IDLE, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.shelf = shelf
        self._idle, self._clock = idle, clock
        self._stack = ExitStack()
        self._pool: Pool | None = None
        self._busy = 0
        self._leaving: asyncio.TimerHandle | None = None
        self._kept: OrderedDict[str, Drawing] = OrderedDict()
        self._tasks: dict[str, asyncio.Task[Drawing]] = {}

    @property
    def has_process(self) -> bool:
        """Whether a process is there to draw."""
        return self._pool is not None

    def close(self) -> None:
        """End the process."""
        if self._leaving is not None:
            self._leaving.cancel()
        self._pool = None
        self._stack.close()

    async def document(self, name: str) -> Drawing:
        """A study's document as it is now, or was when it was asked for.

        Raises:
            UnknownNameError: there is no such study.
        """
        asked = self._clock()
        study = await asyncio.to_thread(self.shelf.study, name)
        if not study.trials:
            return _without_trials(study)
        tag = _tag(study)
        while True:
            kept = self._kept.get(name)
            if kept is not None and (kept.tag == tag or kept.began >= asked):
                self._kept.move_to_end(name)
                return kept
            task = self._tasks.get(name)
            if task is None:
                task = self._tasks[name] = asyncio.create_task(self._draw(name))
                task.add_done_callback(lambda done: self._over(name, done))
            await asyncio.shield(task)

    async def layers(self, name: str, number: int) -> bytes:
        """What a trial's page shows beside the document; see `draw_layers`."""
        return await self._in_process(draw_layers, Drawn(self._url, name, number))

    @property
    def _url(self) -> str:
        return self.shelf.store.connection.url

    def _over(self, name: str, task: asyncio.Task[Drawing]) -> None:
        del self._tasks[name]
        if not task.cancelled():
            task.exception()  # whoever waits is told; perhaps nobody does any more

    async def _draw(self, name: str) -> Drawing:
        before = self._kept.get(name)
        if before is not None:
            took = before.ended - before.began
            await asyncio.sleep(max(0.0, before.ended + REST * took - self._clock()))
        began = self._clock()
        tag = _tag(await asyncio.to_thread(self.shelf.study, name))
        content = await self._in_process(draw, Drawn(self._url, name))
        drawing = self._kept[name] = Drawing(tag, content, began, self._clock())
        self._kept.move_to_end(name)
        while len(self._kept) > MOST:
            self._kept.popitem(last=False)
        return drawing

    async def _in_process(self, function: Callable[[Drawn], bytes], asked: Drawn) -> bytes:
        if self._leaving is not None:
            self._leaving.cancel()
        if self._pool is None:
            self._pool = self._stack.enter_context(process_pool(1))
        self._busy += 1
        try:
            return await asyncio.wrap_future(self._pool.submit(function, asked, limit=LIMIT))
        finally:
            self._busy -= 1
            if not self._busy:
                self._leaving = asyncio.get_running_loop().call_later(self._idle, self.close)


def _tag(study: Study) -> str:
    """What changes whenever the page of a study would look otherwise."""
    seen = (study.submitted, study.state, study.trials, study.best, study.total)
    return f'"{hashlib.sha256(repr(seen).encode()).hexdigest()[:32]}"'


def _without_trials(study: Study) -> Drawing:
    """The document of a study that has not begun."""
    told = "It has no trials yet; they will stand here."
    if study.state in ("stopped", "failed", "finished"):
        told = "It has no trials."
    document = document_of(
        study.name,
        [section(study.name, identity=file_name(study.name), result=told)],
        footer="Served by hpsearch.",
    )
    return Drawing(_tag(study), json.dumps(document).encode(), 0.0, 0.0)
