"""An agent's link to its server: requests that are repeated until they are answered.

A server that is restarted, busy or out of reach costs an agent nothing but time. It asks again
after pauses that grow, with some chance in them, so that many agents do not come back at once;
each write has a key by which the server does it once.
"""

from __future__ import annotations

import asyncio
import json
import math
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from email.utils import parsedate_to_datetime
from typing import IO, TypeVar
from urllib.parse import quote

import httpx

from hpsearch.errors import RunError
from hpsearch.service.client import Connection, distrust
from hpsearch.service.requests import Request

__all__ = ["AnswerError", "Link", "NoAnswerError"]

T = TypeVar("T")

AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
"""The answers after which a request is worth repeating."""

FIRST, LONGEST = 0.5, 30.0
"""Seconds of the first pause at most, and of any later one."""

OBEYED = 300.0
"""Seconds that a server may ask to wait; it may have a wrong clock."""


class AnswerError(RunError):
    """The server refuses a request, and would again.

    Args:
        sentence: the server's own.
        status: of HTTP.
    """

    def __init__(self, sentence: str, status: int) -> None:
        super().__init__(sentence)
        self.status = status

    @property
    def is_refusal(self) -> bool:
        """Whether the token is none, or not for this."""
        return self.status in (401, 403)


class NoAnswerError(RunError):
    """The server has not answered for as long as anybody cares."""


class _AgainError(Exception):
    """It has not worked, and may later.

    Args:
        why: in a clause.
        pause: seconds that the server asks to wait, None where it asks for nothing.
    """

    def __init__(self, why: str, pause: float | None = None) -> None:
        super().__init__(why)
        self.why, self.pause = why, pause


class Link:
    """A connection to a server that may come and go.

    Args:
        url: of the server, with its root path.
        token: None for none.
        transport: how to send, for tests; see httpx.
        on_contact: told of a server that does not answer, in a clause; and, with None, of one that
            does again.

    Raises:
        UsageError: there is no such URL or token.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        on_contact: Callable[[str | None], None] = lambda _: None,
    ) -> None:
        self._settings = Connection(url, token, 30.0, 0.0)
        self.url = self._settings.url
        self._http = httpx.AsyncClient(**self._settings.options, transport=transport)
        self._on_contact, self._is_lost = on_contact, False

    async def send(
        self, request: Request[T], *, patience: float = math.inf, longest: float = LONGEST
    ) -> T:
        """Send a request until it is answered.

        Args:
            request: of `hpsearch.service.requests`.
            patience: seconds after which it is not sent again.
            longest: seconds between two attempts, at most, unless the server asks for more.

        Raises:
            AnswerError: the server refuses it.
            NoAnswerError: there is no answer in that time.
        """

        async def once() -> T:
            with ExitStack() as stack:
                response = await self._http.request(**self._settings.attempt(request, stack))
            self._check(response)
            try:
                return request.read(response.content)
            except (ValueError, KeyError):
                raise AnswerError(
                    f"{self.url} answers {request.path} with something else than this version of "
                    "hpsearch knows; is it a server of hpsearch, and of this version?",
                    response.status_code,
                ) from None

        return await self._repeated(once, patience, longest)

    async def download(self, fingerprint: str, file: IO[bytes], most: int) -> str:
        """Get data, until they are here; see `hpsearch.service.data.Fetch`.

        Raises:
            AnswerError: the server refuses them, or has none.
            RunError: they are too large.
        """

        async def once() -> str:
            file.seek(0)
            file.truncate()
            left = most
            path = f"/v1/data/{quote(fingerprint, safe='')}"
            async with self._http.stream("GET", path) as response:
                if not response.is_success:
                    await response.aread()
                    self._check(response)
                async for piece in response.aiter_bytes():
                    left -= len(piece)
                    if left < 0:
                        raise RunError(
                            f"the data have more than the {most:,} bytes that there is room for"
                        )
                    file.write(piece)
                etag: str = response.headers.get("ETag", "")
                return etag.removeprefix("W/").strip('"')

        return await self._repeated(once, math.inf, LONGEST)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _repeated(
        self, once: Callable[[], Awaitable[T]], patience: float, longest: float
    ) -> T:
        until, gap = time.monotonic() + patience, FIRST
        while True:
            try:
                answer = await once()
            except (httpx.HTTPError, _AgainError) as error:
                why = error.why if isinstance(error, _AgainError) else _what(error)
                asked = error.pause if isinstance(error, _AgainError) else None
            except AnswerError:
                self._met()
                raise
            else:
                self._met()
                return answer
            if not self._is_lost:
                self._is_lost = True
                self._on_contact(why)
            pause = random.uniform(0.3, 1.0) * min(gap, longest)
            pause = pause if asked is None else asked * random.uniform(1.0, 1.2)
            gap = 2 * gap
            if time.monotonic() + pause > until:
                raise NoAnswerError(f"no answer from {self.url}: {why}")
            await asyncio.sleep(pause)

    def _met(self) -> None:
        if self._is_lost:
            self._is_lost = False
            self._on_contact(None)

    def _check(self, response: httpx.Response) -> None:
        """Take an answer that is none for an error."""
        status = response.status_code
        if response.is_success:
            return
        sentence = _sentence(response)
        if status in AGAIN or "Retry-After" in response.headers:
            raise _AgainError(
                sentence or f"it answers {status} {response.reason_phrase}",
                _asked(response.headers.get("Retry-After")),
            )
        if response.is_redirect:
            to = response.headers.get("Location", "nowhere")
            sentence = f"{self.url} sends its callers to {to}; give that URL, without the path /v1"
        raise AnswerError(
            sentence
            or f"{self.url} answers {status} {response.reason_phrase} and says no more; is it a "
            "server of hpsearch?",
            status,
        )


def _sentence(response: httpx.Response) -> str:
    """What the server itself says of an error."""
    try:
        detail = json.loads(response.content)["detail"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return ""
    return detail[:2000] if isinstance(detail, str) else ""


def _what(error: httpx.HTTPError) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "it takes too long"
    return distrust(error) or str(error) or type(error).__name__


def _asked(given: str | None) -> float | None:
    """The seconds that a server asks to wait, told as such or as a date.

    >>> _asked("5"), _asked("soon"), _asked("Wed, 21 Oct 2015 07:28:00 GMT")
    (5.0, None, 0.0)
    """
    if given is None:
        return None
    if given.isascii() and given.isdigit():
        return min(float(given[:9]), OBEYED)
    try:
        left = parsedate_to_datetime(given).timestamp() - time.time()
    except (ValueError, OverflowError):
        return None
    return min(max(0.0, left), OBEYED)
