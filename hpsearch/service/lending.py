"""`hpsearch agent`, without what it prints: the parts of an agent, and what signals do to it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from hashlib import sha256
from pathlib import Path
from typing import IO

import httpx

from hpsearch.engine.executors.processes import preload, process_pool
from hpsearch.errors import UsageError
from hpsearch.outcome import here
from hpsearch.service import models
from hpsearch.service.agent import Agent, Event
from hpsearch.service.alike import versions
from hpsearch.service.data import DataCache, cache_folder
from hpsearch.service.labour import Labour
from hpsearch.service.link import Link
from hpsearch.service.spool import Spool
from hpsearch.trials.arguments import OF_THE_TRIAL, command_of, named_in

__all__ = ["lend"]

LOCAL = ("127.0.0.1", "::1", "localhost")
"""Where a token that is not encrypted does not leave this machine."""

TRAIN = (
    "hpsearch.training.jobs",
    "hpsearch.training.simple_models",
    "hpsearch.trials.estimator",
    "hpsearch.trials.function",
)
"""What workers import before their first trial."""


async def lend(
    url: str,
    token: str | None = None,
    *,
    studies: Sequence[str] = (),
    workers: int = 1,
    program: Sequence[str] = (),
    name: str | None = None,
    cache: Path | None = None,
    home: Path | None = None,
    on_event: Callable[[Event], None] = lambda _: None,
    transport: httpx.AsyncBaseTransport | None = None,
    on_agent: Callable[[Agent], None] = lambda _: None,
) -> bool:
    """Lend this machine to a server, until it is over.

    Args:
        url: of the server, with its root path if it has one.
        token: None for none.
        studies: the only ones that it works for; none for any.
        workers: how many trials at once.
        program: a command that does trials; none where trials are trainings or functions.
        name: of this agent; None for the machine's and the process's.
        cache: the folder for data, trials and results that are not told yet; None for the usual.
        home: the folder beside which programs and modules lie; None for the working directory.
        on_event: told of everything that happens.
        transport: how to send, for tests; see httpx.
        on_agent: is given the agent once it is there.

    Returns:
        Whether it has finished what it had, and was not ended at once.

    Raises:
        HpsearchError: it is no use, and the sentence says why.
    """
    folder, beside = cache or cache_folder(), home or Path.cwd()
    if program and not studies:
        raise UsageError(
            "a program does the trials of the studies that it is for; name them with --study"
        )
    command = command_of(program, beside) if program else ()
    kinds = ["values"] if program else ["training", "function"]
    about = models.Agent.model_validate(
        {
            "name": name or here(),
            "workers": workers,
            "kinds": kinds,
            "versions": versions(),
        }
    )

    named = {name for part in command for name in named_in(part)} - set(OF_THE_TRIAL)

    def tell(event: Event) -> None:
        """Say once of each argument that no trial has a value for it, and what it names."""
        on_event(event)
        if event.name == "began":
            for name in sorted(named - event.facts["configuration"].keys()):
                named.discard(name)
                sentence = f"this trial has no {name}: arguments that name it are left out"
                on_event(Event("left out", sentence, {"name": name}))

    def on_contact(why: str | None) -> None:
        if why is None:
            on_event(Event("heard", f"{url} answers again"))
        else:
            on_event(Event("unheard", f"no answer from {url}: {why}; tries again", {"why": why}))

    async def fetch(fingerprint: str, file: IO[bytes], most: int) -> str:
        on_event(Event("fetching", f"fetches the data {fingerprint}"))
        return await link.download(fingerprint, file, most)

    with ExitStack() as stack:
        link = Link(url, token, transport=transport, on_contact=on_contact)
        where = httpx.URL(link.url)
        if token and where.scheme == "http" and where.host not in LOCAL:
            sentence = f"the token goes to {where.host} unencrypted; https would hide it"
            on_event(Event("insecure", sentence))
        preload(TRAIN)
        pool = None if program else stack.enter_context(process_pool(workers))
        trials = folder / "trials" / sha256(link.url.encode()).hexdigest()[:16]
        data = DataCache(
            folder / "data",
            on_damage=lambda sentence: on_event(Event("damaged", sentence)),
        )
        labour = Labour(pool, command, beside, trials, data, fetch)
        spool = Spool.of(folder, link.url)
        agent = Agent(link, labour, spool, about, studies=studies, on_event=tell)
        on_agent(agent)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) == signal.SIG_IGN:
                continue
            with suppress(NotImplementedError, RuntimeError):  # Windows; or a thread
                loop.add_signal_handler(number, agent.drain)
                stack.callback(loop.remove_signal_handler, number)
        try:
            await agent.run()
        finally:
            await link.close()
    return not agent.was_ended
