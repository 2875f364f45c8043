"""`hpsearch.Client` and `hpsearch.AsyncClient`: a server of studies, from Python.

What can be asked for stands in `hpsearch.service.requests`, once; here are two ways to send it.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import random
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
from contextlib import ExitStack
from functools import wraps
from itertools import chain
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, TypeVar

from pydantic import ValidationError

from hpsearch.errors import (
    HpsearchError,
    RunError,
    ServerError,
    StudyFileError,
    UnknownNameError,
    UsageError,
    shown,
)
from hpsearch.service import requests
from hpsearch.service.models import OVER, Study, Trial
from hpsearch.service.requests import Request

try:
    import httpx
except ModuleNotFoundError:
    raise UsageError(
        "a client needs httpx, which is not installed; `pip install hpsearch[service]` has it"
    ) from None

__all__ = ["AsyncClient", "Client", "Connection", "distrust"]

P = ParamSpec("P")
T = TypeVar("T")
M = TypeVar("M", bound=Callable[..., Any])

SERVER, TOKEN = "HPSEARCH_SERVER", "HPSEARCH_TOKEN"
"""The environment variables of the server's URL and of the token."""

AGAIN = frozenset({429, 502, 503, 504})
"""The answers after which a request is worth repeating."""

LONGEST = 5.0
"""Seconds between two attempts, at most, unless the server says otherwise."""


def _sync(describe: Callable[P, Request[T]]) -> Callable[Concatenate[Client, P], T]:
    """A method of `Client` that sends a request."""

    @wraps(describe)
    def method(client: Client, /, *arguments: P.args, **named: P.kwargs) -> T:
        return client.send(describe(*arguments, **named))

    return _signed(method, describe)


def _async(
    describe: Callable[P, Request[T]],
) -> Callable[Concatenate[AsyncClient, P], Coroutine[Any, Any, T]]:
    """The same of `AsyncClient`."""

    @wraps(describe)
    async def method(client: AsyncClient, /, *arguments: P.args, **named: P.kwargs) -> T:
        return await client.send(describe(*arguments, **named))

    return _signed(method, describe)


def _signed(method: M, describe: Callable[..., Request[Any]]) -> M:
    """A method with the signature that its users see: with ``self``, and what comes of it."""
    signature = inspect.signature(describe)
    returned = str(signature.return_annotation).removeprefix("Request[").removesuffix("]")
    itself = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = [itself, *signature.parameters.values()]
    shown = signature.replace(parameters=parameters, return_annotation=returned)
    vars(method)["__signature__"] = shown
    return method


class Connection:
    """Where the server is, and how long to wait for it.

    Raises:
        UsageError: the URL is none, or is missing.
    """

    def __init__(self, url: str | None, token: str | None, timeout: float, patience: float) -> None:
        self.url = _checked(url or os.environ.get(SERVER, ""))
        self.patience = patience
        token = token or os.environ.get(TOKEN) or None
        headers = {"User-Agent": "hpsearch"}
        if token is not None:
            if not (token.isascii() and token.isprintable() and " " not in token):
                raise UsageError("the token has characters that no token has; copy it once more")
            headers["Authorization"] = f"Bearer {token}"
        self.options: dict[str, Any] = {
            "base_url": self.url,
            "headers": headers,
            "timeout": httpx.Timeout(timeout, connect=min(timeout, 10.0)),
        }

    def attempt(self, request: Request[Any], stack: ExitStack) -> dict[str, Any]:
        """What httpx is given for one attempt; files are open until the stack is."""
        given: dict[str, Any] = {
            "method": request.method,
            "url": request.path,
            "params": dict(request.query) or None,
        }
        headers = {} if request.method == "GET" else {"Idempotency-Key": request.key}
        if request.files:
            opened = (
                (name, stack.enter_context(place.open("rb")))
                for name, place in request.files.items()
            )
            given |= {"data": dict(request.form), "files": [("files", file) for file in opened]}
        elif request.content is not None:
            headers["Content-Type"] = request.kind
            given["content"] = request.content
        timeout = self.options["timeout"]
        if request.waits:
            timeout = httpx.Timeout(timeout.read + request.waits, connect=timeout.connect)
        return given | {"headers": headers, "timeout": timeout}

    def answer(self, request: Request[T], response: httpx.Response) -> T:
        """What was asked for.

        Raises:
            HpsearchError: the server refused it, or is none of ours.
        """
        if not response.is_success:
            raise _problem(response, self.url)
        try:
            return request.read(response.content)
        except (ValidationError, ValueError, KeyError):
            raise ServerError(
                f"{self.url} answers {request.method} {request.path} with something else than "
                "this version of hpsearch knows; is it a server of hpsearch, and of this version?"
            ) from None


def distrust(error: httpx.HTTPError) -> str | None:
    """Why a certificate is not trusted; None where that is not what is wrong."""
    _, is_it, why = str(error).partition("CERTIFICATE_VERIFY_FAILED] certificate verify failed")
    if not is_it:
        return None
    said = why.partition("(_ssl")[0].strip(" :")
    return (
        f"its certificate cannot be verified ({said or 'it says no more'}); SSL_CERT_FILE names "
        "the file with the certificates of your own authority"
    )


class _Attempts:
    """When to send a request again, and when to give up.

    Args:
        settings: of the client.
        waits: what the request itself may take, in seconds.
    """

    def __init__(self, settings: Connection, waits: float = 0.0) -> None:
        self._url, self._gap = settings.url, 0.1
        self._end = time.monotonic() + settings.patience + waits

    def after(self, response: httpx.Response) -> float | None:
        """Seconds until the next attempt; None where the answer is one."""
        # A 409 that says when: the same request is just being answered.
        if response.status_code not in AGAIN and "Retry-After" not in response.headers:
            return None
        asked = _seconds(response.headers.get("Retry-After"))
        pause = self._pause() if asked is None else asked * random.uniform(1.0, 1.2)
        return pause if time.monotonic() + pause < self._end else None

    def after_error(self, error: httpx.HTTPError) -> float:
        """Seconds until the next attempt.

        Raises:
            ServerError: there is no use in another.
        """
        pause = self._pause()
        if time.monotonic() + pause < self._end:
            return pause
        if (doubt := distrust(error)) is not None:
            raise ServerError(f"{self._url} cannot be trusted: {doubt}") from None
        why = "it takes too long" if isinstance(error, httpx.TimeoutException) else str(error)
        raise ServerError(
            f"no server answers at {self._url} ({why or type(error).__name__}); `hpsearch serve` "
            f"starts one, and --server or {SERVER} names another"
        ) from None

    def _pause(self) -> float:
        """Ever longer, and not the same for all who wait for the same server."""
        self._gap = min(2 * self._gap, LONGEST)
        return random.uniform(0.5, 1.0) * self._gap


class Client:
    """A server of studies.

    Every request is repeated where no answer comes, with a key by which the server does it once.

    Args:
        url: of the server, such as ``http://127.0.0.1:8765``; None for that in ``HPSEARCH_SERVER``.
        token: None for that in ``HPSEARCH_TOKEN``, if any.
        timeout: seconds that one attempt may take.
        patience: seconds in which a request is repeated.
        transport: how to send, for tests; see httpx.

    Raises:
        UsageError: there is no such URL or token.

    >>> Client("http://127.0.0.1:8765")
    Client('http://127.0.0.1:8765')
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        timeout: float = 30.0,
        patience: float = 10.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._settings = Connection(url, token, timeout, patience)
        self.url = self._settings.url
        self._http = httpx.Client(**self._settings.options, transport=transport)

    submit = _sync(requests.submit)
    studies = _sync(requests.studies)
    study = _sync(requests.study)
    trial = _sync(requests.trial)
    best = _sync(requests.best)
    report = _sync(requests.report)
    advice = _sync(requests.advice)
    export = _sync(requests.export)
    pause = _sync(requests.pause)
    resume = _sync(requests.resume)
    stop = _sync(requests.stop)
    extend = _sync(requests.extend)
    rank = _sync(requests.rank)
    delete = _sync(requests.delete)
    add = _sync(requests.add)
    ask = _sync(requests.ask)
    report_value = _sync(requests.report_value)
    heartbeat = _sync(requests.heartbeat)
    tell = _sync(requests.tell)
    release = _sync(requests.release)
    retry = _sync(requests.retry)
    server = _sync(requests.server)
    agents = _sync(requests.agents)
    drain = _sync(requests.drain)

    def send(self, request: Request[T]) -> T:
        """Send a request, again where that may help.

        Args:
            request: of `hpsearch.service.requests`.

        Raises:
            ServerError: no server answers, or it cannot do it.
            UsageError: it refuses; the sentence is its own.
        """
        attempts = _Attempts(self._settings, request.waits)
        while True:
            with ExitStack() as stack:
                try:
                    response = self._http.request(**self._settings.attempt(request, stack))
                except httpx.HTTPError as error:
                    pause = attempts.after_error(error)
                else:
                    if (again := attempts.after(response)) is None:
                        return self._settings.answer(request, response)
                    pause = again
            time.sleep(pause)

    def trials(self, name: str, since: int = 0) -> Iterator[Trial]:
        """All trials of a study, page after page.

        Args:
            name: of the study.
            since: only those that changed after that; see `Trials`.
        """
        more = True
        while more:
            page = self.send(requests.trials(name, since))
            since, more = page.since, page.more
            yield from page.trials

    def events(self, name: str) -> Iterator[dict[str, Any]]:
        """What happens to a study as it happens, until it is over; a lost connection is made anew.

        Each is a mapping: its ``event`` is "trial" where some have changed, and "study" with the
        study itself, which comes first, after each new connection, and when its state has changed.

        Args:
            name: of the study.
        """
        attempts = _Attempts(self._settings)
        while True:
            pause = 0.0
            try:
                request = requests.events(name)
                with ExitStack() as stack:
                    given = _streaming(self._settings.attempt(request, stack))
                    response = stack.enter_context(self._http.stream(**given))
                    if not response.is_success:
                        response.read()
                        if (again := attempts.after(response)) is None:
                            self._settings.answer(request, response)
                        pause = again or 0.0
                    else:
                        attempts = _Attempts(self._settings)
                        lines = _Lines()
                        for line in chain(STUDY_CHANGED, response.iter_lines()):
                            if (event := lines.add(line)) is not None:
                                if event["event"] == "study":
                                    event |= self.study(name).model_dump(mode="json")
                                yield event
                                if event.get("state") in OVER:
                                    return
            except httpx.HTTPError as error:
                pause = attempts.after_error(error)
            time.sleep(pause)

    def wait(self, name: str, timeout: float | None = None) -> Study:
        """Wait until a study is over.

        Args:
            name: of the study.
            timeout: seconds; None for ever.

        Returns:
            The study, finished, failed or stopped.

        Raises:
            TimeoutError: it is not over in that time.
        """
        for pause in _patience(name, timeout):
            if (study := self.study(name)).state in OVER:
                return study
            time.sleep(pause)
        raise AssertionError("it raises before it ends")

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"


class AsyncClient:
    """`Client` for asyncio: the same methods, to be awaited; its iterators are asynchronous.

    Args:
        url: as for `Client`, and so are the others.
        token: likewise.
        timeout: likewise.
        patience: likewise.
        transport: likewise.

    Raises:
        UsageError: there is no such URL or token.
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        timeout: float = 30.0,
        patience: float = 10.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._settings = Connection(url, token, timeout, patience)
        self.url = self._settings.url
        self._http = httpx.AsyncClient(**self._settings.options, transport=transport)

    submit = _async(requests.submit)
    studies = _async(requests.studies)
    study = _async(requests.study)
    trial = _async(requests.trial)
    best = _async(requests.best)
    report = _async(requests.report)
    advice = _async(requests.advice)
    export = _async(requests.export)
    pause = _async(requests.pause)
    resume = _async(requests.resume)
    stop = _async(requests.stop)
    extend = _async(requests.extend)
    rank = _async(requests.rank)
    delete = _async(requests.delete)
    add = _async(requests.add)
    ask = _async(requests.ask)
    report_value = _async(requests.report_value)
    heartbeat = _async(requests.heartbeat)
    tell = _async(requests.tell)
    release = _async(requests.release)
    retry = _async(requests.retry)
    server = _async(requests.server)
    agents = _async(requests.agents)
    drain = _async(requests.drain)

    async def send(self, request: Request[T]) -> T:
        """As `Client.send`."""
        attempts = _Attempts(self._settings, request.waits)
        while True:
            with ExitStack() as stack:
                try:
                    response = await self._http.request(**self._settings.attempt(request, stack))
                except httpx.HTTPError as error:
                    pause = attempts.after_error(error)
                else:
                    if (again := attempts.after(response)) is None:
                        return self._settings.answer(request, response)
                    pause = again
            await asyncio.sleep(pause)

    async def trials(self, name: str, since: int = 0) -> AsyncIterator[Trial]:
        """As `Client.trials`."""
        more = True
        while more:
            page = await self.send(requests.trials(name, since))
            since, more = page.since, page.more
            for trial in page.trials:
                yield trial

    async def events(self, name: str) -> AsyncIterator[dict[str, Any]]:
        """As `Client.events`."""
        attempts = _Attempts(self._settings)
        while True:
            pause = 0.0
            try:
                request = requests.events(name)
                with ExitStack() as stack:
                    given = _streaming(self._settings.attempt(request, stack))
                    async with self._http.stream(**given) as response:
                        if not response.is_success:
                            await response.aread()
                            if (again := attempts.after(response)) is None:
                                self._settings.answer(request, response)
                            pause = again or 0.0
                        else:
                            attempts = _Attempts(self._settings)
                            lines = _Lines()
                            async for line in _chained(STUDY_CHANGED, response.aiter_lines()):
                                if (event := lines.add(line)) is not None:
                                    if event["event"] == "study":
                                        event |= (await self.study(name)).model_dump(mode="json")
                                    yield event
                                    if event.get("state") in OVER:
                                        return
            except httpx.HTTPError as error:
                pause = attempts.after_error(error)
            await asyncio.sleep(pause)

    async def wait(self, name: str, timeout: float | None = None) -> Study:
        """As `Client.wait`."""
        for pause in _patience(name, timeout):
            if (study := await self.study(name)).state in OVER:
                return study
            await asyncio.sleep(pause)
        raise AssertionError("it raises before it ends")

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"


def _checked(url: str) -> str:
    """The URL of a server, without a slash at its end."""
    if not url:
        raise UsageError(f"which server? Give its URL (--server), or set {SERVER}")
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, ValueError):
        raise UsageError(f"{shown(url)} is no URL; write http://HOST:PORT") from None
    if parsed.userinfo:  # which is not repeated: it is a secret
        raise UsageError(f"the server's URL has a password; a token goes into {TOKEN}")
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise UsageError(f"{shown(url)} is no URL of a server; write http://HOST:PORT")
    if parsed.query or parsed.fragment:
        raise UsageError(
            f"{shown(url)} is a page; write http://HOST:PORT, and the root path if any"
        )
    return url.rstrip("/")


def _problem(response: httpx.Response, url: str) -> HpsearchError:
    """The error that an answer is, with the server's own sentence; see `hpsearch.service.problems`.

    A request that does not fit what is there (409, 410) was right as far as anybody could know.
    """
    status = response.status_code
    try:
        problem = json.loads(response.content)
        sentence, key, line = str(problem["detail"]), problem.get("key"), problem.get("line")
    except (ValueError, TypeError, KeyError, AttributeError):
        return ServerError(
            f"{url} answers {status} {response.reason_phrase} and says no more; is it a server of "
            "hpsearch?",
            status=status,
        )
    if status == 404:
        return UnknownNameError.told(sentence)
    if status >= 500 or status == 429:
        return ServerError(sentence, status=status)
    if status in (409, 410):
        return RunError(sentence)
    return (
        UsageError(sentence, key=key)
        if line is None
        else StudyFileError(sentence, key=key, line=line)
    )


def _seconds(given: str | None) -> float | None:
    """What a server asks to wait, where it says so in seconds."""
    return float(given) if given is not None and given.isdigit() else None


def _patience(name: str, timeout: float | None) -> Iterator[float]:
    """Pauses between two looks at a study, a twentieth of the time so far, until that is over.

    Raises:
        TimeoutError: then.
    """
    began = time.monotonic()
    while timeout is None or (left := began + timeout - time.monotonic()) > 0:
        pause = min(max(0.1, (time.monotonic() - began) / 20), 2.0)
        yield pause if timeout is None else min(pause, left)
    raise TimeoutError(f"the study {name!r} is not over after {timeout:g} seconds")


STUDY_CHANGED = ("event: study", "data: {}", "")
"""The event that a new connection begins with: nobody knows what was missed."""


async def _chained(first: Iterable[str], then: AsyncIterator[str]) -> AsyncIterator[str]:
    for line in first:
        yield line
    async for line in then:
        yield line


def _streaming(given: dict[str, Any]) -> dict[str, Any]:
    """The same for an answer that never ends; a server says at least every minute that it lives."""
    timeout = httpx.Timeout(60.0, connect=given["timeout"].connect)
    headers = given["headers"] | {"Accept": "text/event-stream"}
    return given | {"timeout": timeout, "headers": headers}


class _Lines:
    """Puts the lines of server-sent events together.

    >>> lines = _Lines()
    >>> [lines.add(line) for line in (": hello", "event: trial", 'data: {"study": "s"}', "")]
    [None, None, None, {'event': 'trial', 'study': 's'}]
    """

    def __init__(self) -> None:
        self._event, self._data = "message", ""

    def add(self, line: str) -> dict[str, Any] | None:
        """The event that a line ends, if it ends one."""
        name, _, value = line.partition(":")
        if name == "event":
            self._event = value.strip()
        elif name == "data":
            self._data += value
        if line or not self._data:
            return None
        event, text = self._event, self._data
        self._event, self._data = "message", ""
        try:
            return {"event": event, **json.loads(text)}
        except (ValueError, TypeError):
            return None
