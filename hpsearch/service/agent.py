"""An agent: it lends this machine to a server, and only calls out.

It asks for trials, does them, says now and then that it is alive, and obeys what it is told then. A
server that is gone ends no trial: what comes of it is written down here first, and told as soon as
the server answers again, by this agent or by the next. See `hpsearch.service.labour` for what is
done with a trial, and `hpsearch.service.link` for how requests are repeated.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

from hpsearch.errors import HpsearchError, RunError, shown
from hpsearch.service import models, requests
from hpsearch.service.alike import MATTERS
from hpsearch.service.labour import Done, NotHereError, OnReport
from hpsearch.service.link import LONGEST, AnswerError, Link, NoAnswerError
from hpsearch.service.models import Asked, Orders, Told, Work
from hpsearch.service.requests import Request
from hpsearch.service.spool import Spool
from hpsearch.service.tokens import ALLOWS

__all__ = ["Agent", "Event", "OnEvent", "check_versions"]

T = TypeVar("T")

WAIT = 20.0
"""Seconds that the server may take to find a trial for who asks."""

SEVERAL = 2.0
"""The same where one study is asked after the other."""

FAILURES, QUICK = 5, 5.0
"""So many trials in a row, each failed within so many seconds: the fault is this machine's."""

PACE = 0.1
"""Seconds between two values on the way of a trial; what comes faster is told at its end."""

SHORTEST = 0.01
"""Seconds between two signs of life, or two asks in vain, at least."""

LAST_WORD = 2.0
"""Seconds in which an agent that is to end at once gives back what it has."""

SOON = 2.0
"""Seconds in which results are told that a server hears, and of which nothing is said."""


@dataclass(frozen=True)
class Event:
    """Something that happened to an agent.

    Attributes:
        name: connected, waiting, began, fetching, damaged, ended, stopped, released, dropped, kept,
            untold, unheard, heard, draining or drained; and insecure, or left out.
        sentence: what, for people.
        facts: more, for programs.
    """

    name: str
    sentence: str
    facts: Mapping[str, Any] = field(default_factory=dict)


OnEvent = Callable[[Event], None]


class Does(Protocol):
    """Who does trials; see `Labour`."""

    async def do(self, work: Work, on_report: OnReport) -> Done:
        """Do one; who cancels it ends it."""
        ...


class Agent:
    """Asks for trials and has them done.

    Args:
        link: to the server.
        labour: does them.
        spool: keeps what could not be told.
        about: who asks, and what it can do.
        studies: the only ones that it works for; none for any.
        on_event: told of everything that happens.
    """

    def __init__(
        self,
        link: Link,
        labour: Does,
        spool: Spool,
        about: models.Agent,
        *,
        studies: Sequence[str] = (),
        on_event: OnEvent = lambda _: None,
    ) -> None:
        self._link, self._labour, self._spool, self._about = link, labour, spool, about
        self._studies = deque(studies)
        self._on_event = on_event
        self._draining, self._ending = asyncio.Event(), asyncio.Event()
        self._room = asyncio.Semaphore(about.workers)
        self._trials: dict[asyncio.Task[None], Work] = {}
        self._telling: set[asyncio.Task[None]] = set()
        self._lease_seconds = 30.0
        self._failures, self._waits = 0, ""
        self._error: HpsearchError | None = None

    async def run(self) -> None:
        """Work until told to end, by the server or by `drain`.

        Raises:
            HpsearchError: it is no use: no such server or study, no right, other versions, or
                trials that all fail here.
        """
        ending = asyncio.create_task(self._ending.wait())
        working = asyncio.create_task(self._work())
        try:
            await asyncio.wait({ending, working}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                working.result()
            else:
                await self._give_back()
        finally:
            tasks = [ending, working, *self._trials, *self._telling]
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=LAST_WORD)
        if self._error is not None:
            raise self._error

    @property
    def was_ended(self) -> bool:
        """Whether it was told to end at once."""
        return self._ending.is_set()

    def drain(self) -> None:
        """Finish what runs, and ask for no more; called again, end at once."""
        if self._draining.is_set():
            self._ending.set()
            return
        running, untold = len(self._trials), len(self._telling)
        left = [f"{_many(running, 'trial')} to finish"] * (running > 0)
        left += [f"{_many(untold, 'result')} to tell"] * (untold > 0)
        rest = f"; {' and '.join(left)} first" if left else ""
        self._say("draining", f"asks for no more{rest}", running=running, untold=untold)
        self._draining.set()

    async def _work(self) -> None:
        about = await self._unless_draining(self._link.send(requests.server()))
        if about is None:
            return
        _check_scope(about.get("you"))
        if "training" in self._about.kinds:
            check_versions(about.get("versions"), self._about.versions)
        self._say(
            "connected",
            f"lends {self._about.workers} worker{'s' * (self._about.workers > 1)} to "
            f"{self._link.url} as {self._about.name}",
            url=self._link.url,
            agent=self._about.name,
            workers=self._about.workers,
            kinds=list(self._about.kinds),
        )
        for place, request, title in self._spool.left():
            self._start_telling(place, request, title)
        for orphan in self._spool.orphans():
            with suppress(AnswerError, NoAnswerError):
                await self._link.send(orphan, patience=LAST_WORD)
        await self._take_work()
        while self._trials:
            await asyncio.wait(self._trials)
        if self._telling:
            await asyncio.wait(self._telling, timeout=SOON)
        if left := len(self._telling):
            # Told late it is kept all the same; but nobody waits here for a server that is gone.
            seconds = self._lease_seconds
            sentence = f"{_many(left, 'result')} to tell; tries for {seconds:.0f} seconds"
            self._say("untold", sentence, results=left, seconds=seconds)
            self._say("untold", "a second signal ends it now; the next agent here tells them")
            await asyncio.wait(self._telling, timeout=seconds)
        if left := len(self._telling):
            self._say(
                "kept",
                f"{_many(left, 'result')} could not be told; the next agent on this machine does",
                results=left,
            )
        if self._error is None:
            self._say("drained", "all is done and told")

    # Asking

    async def _take_work(self) -> None:
        while not self._draining.is_set():
            if not await self._unless_draining(self._room.acquire()):
                return
            asked = await self._ask()
            if asked is not None and asked.work is not None:
                self._waits = ""
                task = asyncio.create_task(self._trial(asked.work))
                self._trials[task] = asked.work
                task.add_done_callback(self._over)
                continue
            self._room.release()
            if asked is not None:
                await self._wait(asked)

    async def _wait(self, asked: Asked) -> None:
        """There is no work; or there will be none."""
        if asked.order == "drain":
            if self._studies:
                self._studies.pop()  # it is over; others may not be
            if not self._studies:
                running = len(self._trials)
                self._say(
                    "draining", asked.why or "the server is to be asked no more", running=running
                )
                self._draining.set()
            return
        if asked.why != self._waits:
            self._waits = asked.why
            self._say("waiting", asked.why)
        pause = max(SHORTEST, asked.retry) * random.uniform(1.0, 1.3)
        await self._unless_draining(asyncio.sleep(pause))

    async def _ask(self) -> Asked | None:
        """Ask for a trial; None once this agent is to end."""
        self._studies.rotate(-1)
        study = self._studies[-1] if self._studies else None
        wait = SEVERAL if len(self._studies) > 1 else WAIT
        request = requests.ask(study, agent=self._about, wait=wait)
        asked = asyncio.create_task(self._link.send(request))
        await self._unless_draining(asyncio.wait({asked}))
        try:
            if asked.done():
                answer = asked.result()
            else:
                # It may have been answered on its way: asked again with its key, it is again.
                await _cancelled(asked)
                request = replace(request, query={**request.query, "wait": 0})
                answer = await self._link.send(request, patience=LAST_WORD)
        except AnswerError as error:
            self._give_up(error)
            return None
        except NoAnswerError:
            return None
        if self._draining.is_set():
            if answer.work is not None:
                await self._release(answer.work)
            return None
        return answer

    async def _unless_draining(self, doing: Coroutine[Any, Any, T]) -> T | None:
        """Wait for something, but not once this agent is to end."""
        task = asyncio.create_task(doing)
        draining = asyncio.create_task(self._draining.wait())
        try:
            await asyncio.wait({task, draining}, return_when=asyncio.FIRST_COMPLETED)
            return task.result() if task.done() else None
        finally:
            draining.cancel()
            task.cancel()

    # Doing

    async def _trial(self, work: Work) -> None:
        """One trial, from its lease to what is told of it."""
        title, began = _title(work), time.monotonic()
        self._lease_seconds = work.seconds
        sentence = f"{title} began{_values(work)}"
        self._say("began", sentence, configuration=work.configuration, **_of(work))
        trial = _Trial(work, self._link, self._obey, self._give_up)
        self._spool.begin(work)
        try:
            done = await trial.done(self._labour)
        except NotHereError as error:
            self._say("released", f"{title} is given back: {error}", why=str(error), **_of(work))
            await self._release(work)
            if (
                error.lacks in self._about.kinds
                and len(self._about.kinds) > 1
                and not self._studies
            ):
                kinds = [kind for kind in self._about.kinds if kind != error.lacks]
                self._about = self._about.model_copy(update={"kinds": kinds})
            else:
                self._count(str(error), began)
        else:
            if done is None:
                why = trial.why
                self._say("stopped", f"{title} was stopped: {why}", why=why, **_of(work))
                return
            if done.error is None:
                self._failures = 0
            elif done.error.kind != "again":  # which is nobody's fault
                self._count(done.error.sentence, began)
            await self._keep_and_tell(work, done, trial.heard, title)
        finally:
            self._spool.end(work)
            self._room.release()

    async def _keep_and_tell(
        self, work: Work, done: Done, heard: Mapping[int, float], title: str
    ) -> None:
        """Write down what came of a trial, and tell it while the next one begins."""
        new = [(k, v) for k, v in (done.reports or {}).items() if heard.get(k) != v]
        request = requests.tell(
            work,
            done.result,
            reports=new,
            pruned=done.pruned,
            outcome=done.outcome,
            error=done.error,
            seconds=done.seconds,
        )
        request = replace(request, key=f"{work.lease}-tell")
        place = None
        try:
            place = await asyncio.to_thread(self._spool.keep, request, title)
        except RunError as error:  # it may be told all the same
            self._say("kept", str(error))
        self._start_telling(place, request, title, work)

    def _start_telling(
        self, place: Path | None, request: Request[Told], title: str, work: Work | None = None
    ) -> None:
        task = asyncio.create_task(self._tell(place, request, title, work))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _tell(
        self, place: Path | None, request: Request[Told], title: str, work: Work | None
    ) -> None:
        facts = {} if work is None else _of(work)
        try:
            told = await self._link.send(request)
        except AnswerError as error:
            if error.is_refusal:  # it stays where it is, for an agent with a better token
                self._give_up(error)
                return
            sentence = f"what {title} came to is not wanted: {error}"
            self._say("dropped", sentence, status=error.status, **facts)
        else:
            came = told.why if told.value is None else f"{told.value:.6g}"
            sentence = f"{title} ended{', late' if told.late else ''}{came and f': {came}'}"
            self._say("ended", sentence, value=told.value, late=told.late, why=told.why, **facts)
        if place is not None:
            await asyncio.to_thread(self._spool.drop, place)

    async def _release(self, work: Work) -> bool:
        """Give a trial back, if that works; else its lease ends by itself."""
        try:
            await self._link.send(requests.release(work), patience=LAST_WORD)
        except (AnswerError, NoAnswerError):
            return False
        return True

    async def _give_back(self) -> None:
        """End at once: give back what runs, which is killed then."""
        running, untold = list(self._trials.values()), len(self._telling)
        given = sum(await asyncio.gather(*map(self._release, running)))
        lost = len(running) - given
        for work in running:
            self._spool.end(work)
        if untold:
            sentence = f"{_many(untold, 'result')} not told; the next agent on this machine does"
            self._say("kept", sentence, results=untold)
        parts = [f"{_many(given, 'trial')} given back"] * (given > 0 or not lost)
        parts += [f"{_many(lost, 'trial')} could not be given back"] * (lost > 0)
        self._say("drained", f"ends now: {', '.join(parts)}", running=len(running), released=given)

    def _over(self, task: asyncio.Task[None]) -> None:
        """A trial's task has ended, in a fault of the agent itself at the worst."""
        del self._trials[task]
        if not task.cancelled() and (fault := task.exception()) is not None:
            told = f"{type(fault).__name__}: {fault}"
            self._give_up(RunError(f"this agent has a fault, and asks for no more: {told}"))

    def _count(self, why: str, began: float) -> None:
        """A trial came to nothing here."""
        quick = time.monotonic() - began < QUICK
        self._failures = self._failures + 1 if quick else 0
        if self._failures >= FAILURES:
            self._give_up(
                RunError(
                    f"{FAILURES} trials in a row failed here within seconds, the last one: {why}; "
                    "this agent asks for no more: find the reason, and start it again"
                )
            )

    def _give_up(self, error: HpsearchError) -> None:
        """End, and say why, once what runs is finished."""
        self._error = self._error or error
        self._draining.set()

    def _obey(self, orders: Orders) -> None:
        """Ask no more, where the server says so with a sign of life."""
        if orders.order == "drain" and not self._draining.is_set():
            self.drain()

    def _say(self, name: str, sentence: str, **facts: Any) -> None:
        self._on_event(Event(name, sentence, facts))


class _Trial:
    """A trial that is being done, while its holder says that it is alive.

    Args:
        work: the trial.
        link: to the server.
        obey: is given the orders that are not about this trial alone.
        refused: is told of a token that is none any more.

    Attributes:
        heard: the values on the way that the server has, by step.
        why: it was stopped.
    """

    def __init__(
        self,
        work: Work,
        link: Link,
        obey: Callable[[Orders], None],
        refused: Callable[[HpsearchError], None],
    ) -> None:
        self._work, self._link, self._obey, self._refused = work, link, obey, refused
        self.heard: dict[int, float] = {}
        self.why = ""
        self._stopped = asyncio.Event()
        self._reports: asyncio.Queue[tuple[int, float]] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()

    async def done(self, labour: Does) -> Done | None:
        """What came of it; None if it was stopped.

        Raises:
            NotHereError: it cannot be done here.
        """
        doing = asyncio.create_task(labour.do(self._work, self._report))
        stopped = asyncio.create_task(self._stopped.wait())
        beside = [asyncio.create_task(self._beat()), asyncio.create_task(self._tell_reports())]
        try:
            await asyncio.wait({doing, stopped}, return_when=asyncio.FIRST_COMPLETED)
            return doing.result() if doing.done() else None
        finally:
            await _cancelled(doing, stopped, *beside)

    def _report(self, step: int, value: float) -> None:
        with suppress(RuntimeError):  # the agent has ended meanwhile
            self._loop.call_soon_threadsafe(self._reports.put_nowait, (step, value))

    async def _tell_reports(self) -> None:
        while True:
            step, value = await self._reports.get()
            if await self._send(requests.report_value(self._work, step, value)) is None:
                return
            self.heard[step] = value
            await asyncio.sleep(PACE)

    async def _beat(self) -> None:
        interval = self._work.interval
        while True:
            await asyncio.sleep(max(SHORTEST, interval) * random.uniform(0.8, 1.0))
            orders = await self._send(requests.heartbeat(self._work))
            if orders is None:
                return
            interval = orders.interval

    async def _send(self, request: Request[Orders]) -> Orders | None:
        """Say something, and do what is answered; None once the server knows nothing of it."""
        longest = min(LONGEST, self._work.seconds / 4)
        try:
            orders = await self._link.send(request, longest=longest)
        except AnswerError as error:
            if error.is_refusal:  # what comes of the trial is kept for a better token
                self._refused(error)
            else:
                self._stop(str(error))
            return None
        if orders.order == "stop":
            self._stop(orders.why or "the server wants it no more")
        else:
            self._obey(orders)
        return orders

    def _stop(self, why: str) -> None:
        self.why = self.why or why
        self._stopped.set()


def _check_scope(you: object) -> None:
    """Make sure that the token of this agent may do trials, before it is said to lend anything.

    Args:
        you: what the server says of who asks.

    Raises:
        RunError: it may not.
    """
    who = you if isinstance(you, Mapping) else {}
    scope = who.get("scope")
    if isinstance(scope, str) and "work" not in ALLOWS.get(scope, frozenset({"work"})):
        raise RunError(
            f"the token {shown(who.get('name'))} has the scope {scope}, and an agent needs one of "
            "the scope work: `hpsearch token add NAME --scope work` makes it where the server is"
        )


def check_versions(there: object, here: Mapping[str, str]) -> None:
    """Make sure that trainings come to the same here and where the server is.

    Args:
        there: what the server says of its own.
        here: those of this machine.

    Raises:
        RunError: they would not.
    """
    theirs = there if isinstance(there, Mapping) else {}
    wrong = [name for name in MATTERS if name in theirs and theirs[name] != here.get(name)]
    if wrong:
        has = " and ".join(f"{name} {here.get(name, 'not at all')}" for name in wrong)
        needs = " and ".join(f"{name} {theirs[name]!s:.40}" for name in wrong)
        raise RunError(
            f"this machine has {has}, and the server {needs}; install the same versions, or "
            "trainings here would come to something else"
        )


def _many(count: int, what: str) -> str:
    return f"{count or 'no'} {what}{'s' * (count > 1)}"


def _of(work: Work) -> dict[str, Any]:
    return {"study": work.study, "trial": work.trial, "number": work.number}


def _title(work: Work) -> str:
    """A trial, or another job, for people."""
    if work.number is not None:
        return f"{work.study} {work.number}"
    function = (work.training or {}).get("function", "a job")
    return f"{work.study} {function!s:.40}"


def _values(work: Work) -> str:
    """A configuration, in short; that of a training is long, and looked at elsewhere."""
    shown = (
        f"{name}={value:.4g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in work.configuration.items()
    )
    return ": " + " ".join(shown) if work.configuration else ""


async def _cancelled(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks, and wait until they have ended."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
