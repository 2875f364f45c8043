"""Every error of the service as RFC 9457 has it: ``application/problem+json``.

``detail`` is a sentence: what was wrong, where, and what to do. A study file that is wrong has
``key`` and ``line`` beside it, a request that is wrong ``errors``, each with its key. What nobody
foresaw is 500 with an ``id`` that stands in the log too; tracebacks go nowhere else. No token gets
into either; see `without_tokens`.
"""

from __future__ import annotations

import errno
import http
import logging
import traceback
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hpsearch.errors import (
    DataError,
    HeldError,
    HpsearchError,
    RunError,
    SpaceError,
    StorageError,
    StudyFileError,
    TakenOverError,
    UnknownNameError,
    UsageError,
    shown,
)
from hpsearch.service.logs import about
from hpsearch.service.tokens import without_tokens
from hpsearch.writing import in_one_line, json_text

if TYPE_CHECKING:
    from fastapi import FastAPI

__all__ = [
    "MEDIA_TYPE",
    "ConflictError",
    "Problem",
    "Unforeseen",
    "answer_problems",
    "problem_of",
]

logger = logging.getLogger("hpsearch.service")

MEDIA_TYPE = "application/problem+json"

RETRY = 5
"""Seconds after which a client may try again where the database did not answer."""

MOST_ERRORS = 50
"""Of a request with more of them, so many are listed."""


class ConflictError(HpsearchError):
    """What is asked for does not fit what is there."""

    exit_code = 2


class Problem(HTTPException):
    """An answer that is an error.

    Args:
        status: of HTTP.
        sentence: what was wrong, and what to do.
        headers: of the answer.
        members: more members of the document, such as ``value``.

    >>> Problem(409, "another one has finished this trial", value=0.5).members
    {'value': 0.5}
    """

    def __init__(
        self,
        status: int,
        sentence: str,
        *,
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        super().__init__(status, sentence, headers)
        self.members = members

    def response(self) -> Response:
        """The answer."""
        document = {
            "type": "about:blank",
            "title": http.HTTPStatus(self.status_code).phrase,
            "status": self.status_code,
            "detail": in_one_line(self.detail),
        }
        text = without_tokens(json_text(document | self.members))
        return Response(text, self.status_code, self.headers, MEDIA_TYPE)


def answer_problems(app: FastAPI) -> None:
    """Have an application answer each error as a problem."""

    async def answer(request: Request, error: Exception) -> Response:
        return problem_of(error, request).response()

    for kind in (HTTPException, HpsearchError, RequestValidationError):
        app.add_exception_handler(kind, answer)
    app.add_middleware(Unforeseen)


def problem_of(error: Exception, request: Request) -> Problem:
    """The problem that an error is in the answer to a request."""
    match error:
        case Problem():
            return error
        case HTTPException():
            headers = dict(error.headers or {})
            if error.status_code == 405 and (methods := _methods(request)):
                headers = {k: v for k, v in headers.items() if k.lower() != "allow"}
                headers["Allow"] = ", ".join(methods)
            return Problem(error.status_code, _of_http(error, request, headers), headers=headers)
        case RequestValidationError():
            return _of_validation(error)
        case HpsearchError():
            return _of_ours(error, request)
        case OSError(errno=errno.ENOSPC | errno.EDQUOT):
            logger.error("no room on the disk", extra=about(why=str(error)))
            sentence = "the server has no room left on its disk; whoever runs it frees some"
            return Problem(503, sentence, headers={"Retry-After": str(RETRY)})
    return _unforeseen(error, request)


def _of_http(error: HTTPException, request: Request, headers: Mapping[str, str]) -> str:
    path = shown(request.scope["path"])
    if error.status_code == 404 and error.detail == "Not Found":
        return f"there is nothing at {path}; /openapi.json lists what there is"
    if error.status_code == 405:
        allowed = headers.get("Allow") or "another method"
        return f"{path} takes {allowed}, not {request.method}"
    if error.detail == "There was an error parsing the body":
        return "the body is JSON that cannot be read: nested too deeply, or with too long a number"
    return str(error.detail)


def _methods(request: Request) -> list[str]:
    """Those of all routes of a path, and not only of the first one."""
    app = request.scope.get("app")
    routes = [] if app is None else app.router.routes
    at_path = [r for r in routes if r.matches(request.scope)[0] is not Match.NONE]
    return sorted({method for r in at_path for method in getattr(r, "methods", None) or ()})


def _of_ours(error: HpsearchError, request: Request) -> Problem:
    sentence, asker = str(error), request.scope.get("state", {}).get("asker")
    if isinstance(error, UnknownNameError) and asker is not None and asker.study is not None:
        sentence = f"unknown {error.kind} {shown(error.name)}"  # the others are not its affair
    members: dict[str, Any] = {}
    for name in ("key", "line"):
        if (value := getattr(error, name, None)) is not None:
            members[name] = value
    headers = None
    match error:
        case TakenOverError():
            status, headers = 503, {"Retry-After": "1"}
        case StorageError():
            status, headers = 503, {"Retry-After": str(RETRY)}
            logger.error("the database did not answer", extra=about(why=str(error)))
        case RunError() | HeldError():
            status = 409
        case UnknownNameError(kind="study" | "trial"):
            status = 404
        case StudyFileError() | SpaceError() | DataError() | UnknownNameError():
            status = 422
        case UsageError(key=str()):
            status = 422
        case UsageError():
            status = 400
        case _:
            status = 409
    return Problem(status, sentence, headers=headers, **members)


def _of_validation(error: RequestValidationError) -> Problem:
    errors = [_of_part(one) for one in error.errors()[:MOST_ERRORS]]
    more = len(error.errors()) - 1
    sentence = errors[0]["detail"] + (f" (and {more} more)" if more else "")
    return Problem(422, sentence, errors=errors)


def _of_part(error: Mapping[str, Any]) -> dict[str, str]:
    """One thing that is wrong with a request: in which part of it, at which key, and how."""
    where, *keys = map(str, error["loc"])
    context = error.get("ctx", {})
    key = ".".join(keys)
    named = key or f"the {where}"
    match error["type"]:
        case "json_invalid":
            key, detail = "", f"the body is no JSON: {context.get('error')} at character {key}"
        case "missing":
            detail = f"{named} is missing"
        case "extra_forbidden":
            detail = f"unknown key {shown(key)}"
        case "value_error":
            detail = f"{named}: {context.get('error')}"
        case _:
            said = error["msg"].removeprefix("Input ").removeprefix("Value ")
            detail = f"{named} {said[:1].lower()}{said[1:]}"
    return {"in": where, "key": key, "detail": in_one_line(detail)}


def _unforeseen(error: Exception, request: Request) -> Problem:
    number = uuid4().hex[:12]
    path = without_tokens(in_one_line(request.scope["path"]))
    trace = without_tokens("".join(traceback.format_exception(error)))
    facts = about(id=number, request=f"{request.method} {path}", traceback=trace)
    logger.error("fault", extra=facts)
    return Problem(
        500,
        f"the server met a fault of its own; its log has the reason beside the id {number}",
        id=number,
    )


class Unforeseen:
    """What nobody foresaw ends here; nothing else of it leaves the application."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = False

        async def begin(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, receive, begin)
        except ClientDisconnect:
            pass  # nobody waits for an answer
        except Exception as error:
            problem = problem_of(error, Request(scope))
            if not begun:
                await problem.response()(scope, receive, send)
            # Else the server ends the connection, and the client sees that the answer is not whole.
