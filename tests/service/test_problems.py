"""Every error is a sentence, as a problem of RFC 9457."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import httpx
import pytest
from fastapi import FastAPI, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import StreamingResponse

from hpsearch.errors import (
    DataError,
    HpsearchError,
    NoWinnerError,
    RunError,
    SpaceError,
    StorageError,
    StudyFileError,
    UnknownNameError,
    UsageError,
)
from hpsearch.service.problems import Problem, answer_problems
from hpsearch.study_file import parse_study_file

SECRET = "hps_0123456789abcdef"


class Inner(BaseModel):
    depth: int = Field(ge=1)


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1)
    kind: Annotated[str, Field(pattern="^[a-z]+$")] = "a"
    inner: list[Inner] = []


def ask(app: FastAPI, method: str = "GET", path: str = "/", **options: Any) -> httpx.Response:
    async def once() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return await client.request(method, path, **options)

    return asyncio.run(once())


def raising(error: Exception) -> FastAPI:
    app = FastAPI()
    answer_problems(app)

    @app.get("/")
    async def fail() -> None:
        raise error

    @app.put("/")
    async def put() -> None:
        pass

    @app.post("/bodies")
    async def body(body: Body, since: Annotated[int, Query(ge=0)] = 0) -> None:
        pass

    return app


@pytest.mark.parametrize(
    ("error", "status", "members"),
    [
        (UsageError("wrong"), 400, {}),
        (UsageError("wrong", key="seed"), 422, {"key": "seed"}),
        (
            StudyFileError("wrong", key="model.width", line=3),
            422,
            {"key": "model.width", "line": 3},
        ),
        (StudyFileError("wrong"), 422, {}),
        (SpaceError("wrong"), 422, {}),
        (DataError("wrong", key="path"), 422, {"key": "path"}),
        (UnknownNameError("study", "dig", ["digits"]), 404, {}),
        (UnknownNameError("trial", "7", ["8"]), 404, {}),
        (UnknownNameError("activation", "rel", ["relu"]), 422, {}),
        (RunError("wrong"), 409, {}),
        (NoWinnerError("wrong"), 409, {}),
        (HpsearchError("wrong"), 409, {}),
        (StorageError("wrong"), 503, {}),
        (Problem(410, "wrong"), 410, {}),
        (Problem(409, "wrong", value=0.5, lost=float("nan")), 409, {"value": 0.5, "lost": None}),
        (HTTPException(418, "wrong"), 418, {}),
        (HTTPException(404, "there is no such trial"), 404, {}),
    ],
)
def test_errors(error: Exception, status: int, members: dict[str, object]) -> None:
    answer = ask(raising(error))
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    detail = error.detail if isinstance(error, HTTPException) else str(error)
    assert document == {
        "type": "about:blank",
        "title": document["title"],
        "status": status,
        "detail": detail,
        **members,
    }
    assert document["title"]
    assert ("retry-after" in answer.headers) == (status == 503)


def test_headers_of_a_problem_are_those_of_the_answer() -> None:
    answer = ask(raising(Problem(503, "busy", headers={"Retry-After": "3"})))
    assert answer.headers["retry-after"] == "3"
    assert "headers" not in answer.json()


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        ("GET", "/nowhere", 404, "there is nothing at '/nowhere'"),
        ("GET", "/a%0a\u202eb", 404, "there is nothing at '/a\\n\\u202eb'"),
        ("GET", "/" + "x" * 5000, 404, "..."),
        ("DELETE", "/", 405, "'/' takes "),
    ],
)
def test_what_is_not_there(method: str, path: str, status: int, words: str) -> None:
    answer = ask(raising(ValueError()), method, path)
    assert answer.status_code == status
    assert words in answer.json()["detail"]
    assert len(answer.json()["detail"]) < 200
    if status == 405:
        assert answer.headers["allow"]
        assert answer.json()["detail"].endswith(", not DELETE")


@pytest.mark.parametrize(
    ("options", "key", "sentence"),
    [
        ({"json": {}}, "name", "name is missing"),
        ({"json": {"name": ""}}, "name", "name string should have at least 1 character"),
        ({"json": {"name": 3}}, "name", "name should be a valid string"),
        ({"json": {"name": "a", "x\ny": 1}}, "x\ny", "unknown key 'x\\ny'"),
        (
            {"json": {"name": "a", "inner": [{"depth": 1}, {"depth": 0}]}},
            "inner.1.depth",
            "inner.1.depth should be greater than or equal to 1",
        ),
        (
            {"json": []},
            "",
            "the body should be a valid dictionary or object to extract fields from",
        ),
        ({}, "", "the body is missing"),
        (
            {"content": b"{", "headers": {"content-type": "application/json"}},
            "",
            "the body is no JSON: Expecting property name enclosed in double quotes at character 1",
        ),
        (
            {"json": {"name": "a"}, "params": {"since": "-1"}},
            "since",
            "since should be greater than or equal to 0",
        ),
        (
            {"json": {"name": "a"}, "params": {"since": SECRET}},
            "since",
            "since should be a valid integer, unable to parse string as an integer",
        ),
    ],
)
def test_a_request_that_is_wrong(options: dict[str, Any], key: str, sentence: str) -> None:
    answer = ask(raising(ValueError()), "POST", "/bodies", **options)
    assert answer.status_code == 422
    document = answer.json()
    assert document["detail"] == sentence
    where = "query" if "params" in options else "body"
    assert document["errors"] == [{"in": where, "key": key, "detail": sentence}]
    assert SECRET not in answer.text


def test_all_that_is_wrong_is_listed_within_bounds() -> None:
    body = {"inner": [{"depth": 0}] * 500}
    document = ask(raising(ValueError()), "POST", "/bodies", json=body).json()
    assert document["detail"] == "name is missing (and 500 more)"
    assert len(document["errors"]) == 50


@pytest.mark.parametrize(
    ("text", "key", "line"),
    [
        ('name = "x"\n[model]\nwidht = 3', "model.widht", 3),
        ('name = "x"\n[model]\nwidth = "wide"', "model.width", 3),
        ('name = "x"\n[search]\n\ntrials = -1', "search.trials", 4),
        ('name = "x"\n[model]\nwidth = \n', None, 3),
        ("[data]\nname = 'iris'", "name", None),
    ],
)
def test_a_study_file_that_is_wrong(text: str, key: str | None, line: int | None) -> None:
    with pytest.raises(StudyFileError) as caught:
        parse_study_file(text)
    document = ask(raising(caught.value)).json()
    assert (document.get("key"), document.get("line")) == (key, line)
    assert document["detail"] == str(caught.value)


def test_what_nobody_foresaw(caplog: pytest.LogCaptureFixture) -> None:
    """The client gets an id, the log has the reason beside it, and neither has a token."""
    answer = ask(raising(KeyError(f"with {SECRET}")), path=f"/?a={SECRET}")
    assert answer.status_code == 500
    document = answer.json()
    number = document["id"]
    assert document["detail"] == (
        f"the server met a fault of its own; its log has the reason beside the id {number}"
    )
    assert "KeyError" not in answer.text
    [record] = [record for record in caplog.records if record.name == "hpsearch.service"]
    told = vars(record)["about"]
    assert (record.getMessage(), told["id"], told["request"]) == ("fault", number, "GET /")
    assert "KeyError: 'with hps_...'" in told["traceback"]


def test_an_answer_that_has_begun_ends_there(caplog: pytest.LogCaptureFixture) -> None:
    app = FastAPI()
    answer_problems(app)

    @app.get("/")
    async def stream() -> StreamingResponse:
        async def lines() -> Any:
            yield b"one"
            raise RuntimeError("two")

        return StreamingResponse(lines())

    with pytest.raises(AssertionError):  # httpx's, of an answer that is not whole
        ask(app)
    assert "RuntimeError: two" in vars(caplog.records[-1])["about"]["traceback"]


def test_no_token_is_told() -> None:
    for error in (
        Problem(409, f"kept {SECRET}", value=SECRET),
        UsageError(SECRET, key=SECRET),
        UnknownNameError("study", SECRET, [SECRET, "digits"]),
        HTTPException(404, SECRET),
        StorageError(f"the database {SECRET} is gone"),
    ):
        answer = ask(raising(error))
        assert SECRET not in answer.text
        assert "hps_..." in answer.text
    answer = ask(raising(ValueError()), path=f"/{SECRET}")
    assert SECRET not in answer.text
