"""The verbs of those who do trials, without FastAPI's machinery, which takes longer than they do.

FastAPI's own routes of the same verbs stand behind: OpenAPI describes them, and whatever is unusual
about a request goes on to them, its body included. So there is one meaning of each verb, and one
sentence for each mistake.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qsl

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from hpsearch.service import models
from hpsearch.service.problems import problem_of
from hpsearch.service.receiving import again

if TYPE_CHECKING:
    from hpsearch.service.tokens import Asker
    from hpsearch.service.verbs import Verbs

__all__ = ["Quick"]

PATH = re.compile(
    r"/v1/(?:(?:studies/(?P<name>[^/]+)/)?trials:ask"
    r"|trials/(?P<trial>[A-Za-z0-9+-]+):(?P<verb>tell|report|heartbeat))"
)


class Named(NamedTuple):
    """A route's path, as it is counted; see `hpsearch.service.metrics`."""

    path: str


class Quick:
    """An application that answers usual requests of these verbs, in front of another.

    Args:
        app: answers all others.
        verbs: what they mean.
    """

    def __init__(self, app: ASGIApp, verbs: Verbs) -> None:
        self._app, self._verbs = app, verbs

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        found = PATH.fullmatch(path)
        asker: Asker = scope["state"]["asker"]
        if found is None or not asker.may("work", found["name"] or asker.study):
            await self._app(scope, receive, send)
            return
        messages = [await receive()]
        while messages[-1].get("more_body"):
            messages.append(await receive())
        body = b"".join(message.get("body", b"") for message in messages)
        has_left = messages[-1]["type"] == "http.disconnect"
        answering = None if has_left else self._usual(found, scope, asker, body, receive)
        if answering is None:
            await self._app(scope, again(messages, receive), send)
            return
        scope["route"] = _route(found)
        try:
            content = (await answering).model_dump_json().encode()
        except Exception as error:
            await problem_of(error, Request(scope)).response()(scope, receive, send)
            return
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(content)).encode()),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    def _usual(
        self, found: re.Match[str], scope: Scope, asker: Asker, body: bytes, receive: Receive
    ) -> Awaitable[BaseModel] | None:
        """What a usual request asks for; None for one that FastAPI is to look at."""
        verbs, trial = self._verbs, found["trial"]
        try:
            match found["verb"]:
                case "tell":
                    return verbs.tell(asker, trial, models.Tell.model_validate_json(body))
                case "report":
                    return verbs.report(asker, trial, models.Report.model_validate_json(body))
                case "heartbeat":
                    return verbs.heartbeat(asker, trial, models.Beat.model_validate_json(body))
            asked = models.Ask.model_validate_json(body or b"{}")
            wait, key = _wait(scope["query_string"]), _key(scope)
        except (ValidationError, ValueError):
            return None

        async def until_gone() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass

        return verbs.ask(asker, asked, found["name"], wait, key, until_gone)


def _route(found: re.Match[str]) -> Named:
    if found["verb"]:
        return Named(f"/v1/trials/{{trial}}:{found['verb']}")
    return Named("/v1/studies/{name}/trials:ask" if found["name"] else "/v1/trials:ask")


def _wait(query: bytes) -> float:
    """Seconds to wait.

    Raises:
        ValueError: it is no number from 0 to 60, or something else is asked.
    """
    if not query:
        return 0.0
    [(name, value)] = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    wait = float(value)
    if name != "wait" or not 0.0 <= wait <= 60.0:
        raise ValueError(value)
    return wait


def _key(scope: Scope) -> str | None:
    """The idempotency key.

    Raises:
        ValueError: it has a form that it may not have.
    """
    keys = [
        value.decode("latin-1") for name, value in scope["headers"] if name == b"idempotency-key"
    ]
    if not keys:
        return None
    if len(keys) > 1 or not models.is_key(keys[0]):
        raise ValueError(keys)
    return str(keys[0])
