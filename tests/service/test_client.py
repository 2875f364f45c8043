"""The client: what it sends, when it sends it again, and what becomes of errors."""

from __future__ import annotations

import asyncio
import inspect
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

import hpsearch
from hpsearch.errors import (
    HpsearchError,
    RunError,
    ServerError,
    StudyFileError,
    UnknownNameError,
    UsageError,
)
from hpsearch.service import client as module
from hpsearch.service import models, requests

URL = "http://127.0.0.1:8765"
STUDY = {"name": "mine", "state": "running", "since": "2026-11-28T21:00:00Z"}
TRIAL = {"trial": "17", "number": 3, "state": "waiting"}
WORK = models.Work(
    trial="17", lease="0" * 32, seconds=60.0, interval=20.0, study="mine", configuration={"x": 1}
)


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that clients sleep, which take none here."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(module.time, "sleep", slept.append)
    monkeypatch.setattr(module.asyncio, "sleep", sleep)
    for name in (module.SERVER, module.TOKEN):
        monkeypatch.delenv(name, raising=False)
    return slept


Answer = Callable[[httpx.Request], httpx.Response]


def client(*answers: Answer | httpx.Response | Exception, **more: Any) -> Any:
    """A client whose requests get these answers, one after another; and the requests."""
    seen: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        request.read()
        seen.append(request)
        answer = answers[min(len(seen), len(answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, httpx.Response) else answer(request)

    made = hpsearch.Client(URL, transport=httpx.MockTransport(handle), **more)
    return made, seen


def said(status: int, document: Any, **headers: str) -> httpx.Response:
    return httpx.Response(status, json=document, headers=headers)


@pytest.mark.parametrize("content", [b"<html>hello</html>", b"", b"[]", b"\xff\x00", b"PAR1 cut"])
def test_files_of_no_server_of_ours_are_none(content: bytes) -> None:
    made, _ = client(httpx.Response(200, content=content))
    for ask in (
        lambda: made.report("s"),
        lambda: made.export("s"),
        lambda: made.export("s", "parquet"),
    ):
        with pytest.raises(ServerError, match="is it a server of hpsearch"):
            ask()


def test_a_certificate_that_nobody_knows_is_called_so() -> None:
    why = (
        "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate "
        "(_ssl.c:1006)"
    )
    made, _ = client(httpx.ConnectError(why), patience=0.0)
    with pytest.raises(ServerError, match=r"\(self-signed certificate\); SSL_CERT_FILE") as told:
        made.studies()
    assert "hpsearch serve" not in str(told.value)


CALLS: list[tuple[str, tuple[Any, ...], dict[str, Any], str, str, Any]] = [
    ("study", ("mine",), {}, "GET /v1/studies/mine", "", STUDY),
    ("study", ("a/b c:d",), {}, "GET /v1/studies/a%2Fb%20c%3Ad", "", STUDY),
    ("studies", (), {}, "GET /v1/studies", "", {"studies": [STUDY]}),
    ("best", ("mine",), {}, "GET /v1/studies/mine/best", "", {"study": "mine"}),
    ("advice", ("mine",), {}, "GET /v1/studies/mine/advice", "", {"study": "mine"}),
    ("pause", ("mine",), {}, "POST /v1/studies/mine:pause", "", STUDY),
    ("resume", ("mine",), {}, "POST /v1/studies/mine:resume", "", STUDY),
    ("stop", ("mine",), {}, "POST /v1/studies/mine:stop", "", STUDY),
    ("extend", ("mine", 80), {}, "POST /v1/studies/mine:extend", '{"trials":80}', STUDY),
    (
        *("add", ("mine", {"x": 1}, float("nan")), {}, "POST /v1/studies/mine/trials"),
        *('{"configuration":{"x":1},"value":NaN}', TRIAL),
    ),
    (
        *("ask", ("mine",), {"wait": 2}, "POST /v1/studies/mine/trials:ask?wait=2", "{}"),
        {"work": WORK.model_dump()},
    ),
    ("ask", (), {"wait": 0}, "POST /v1/trials:ask?wait=0", "{}", {"why": "no study is running"}),
    (
        *("report_value", (WORK, 3, 0.5), {}, "POST /v1/trials/17:report"),
        *(f'{{"lease":"{"0" * 32}","step":3,"value":0.5}}', {"order": "stop"}),
    ),
    (
        *("heartbeat", (WORK,), {}, "POST /v1/trials/17:heartbeat"),
        *(f'{{"lease":"{"0" * 32}"}}', {"order": "continue"}),
    ),
    (
        *("tell", (WORK, 0.25), {"seconds": 2.0}, "POST /v1/trials/17:tell"),
        *(f'{{"lease":"{"0" * 32}","result":0.25,"seconds":2.0}}', {"trial": "17", "value": 0.25}),
    ),
    (
        *("tell", (WORK,), {"error": "no memory"}, "POST /v1/trials/17:tell"),
        *(f'{{"lease":"{"0" * 32}","error":{{"sentence":"no memory"}}}}', {"trial": "17"}),
    ),
    ("retry", ("17",), {}, "POST /v1/trials/17:retry", "", STUDY),
    ("trial", ("17",), {}, "GET /v1/trials/17", "", TRIAL),
    ("rank", ("a",), {"priority": 0}, "POST /v1/studies/a:rank", '{"priority":0}', STUDY),
    ("drain", ("m:1",), {}, "POST /v1/agents/m%3A1:drain", "", {"name": "m:1"}),
    ("server", (), {}, "GET /v1/server", "", {"hpsearch": "0.1.0"}),
    ("agents", (), {}, "GET /v1/agents", "", [{"name": "one"}]),
]  # fmt: skip


@pytest.mark.parametrize(("verb", "given", "named", "line", "body", "answer"), CALLS)
def test_every_verb_is_one_request(
    verb: str, given: Any, named: Any, line: str, body: str, answer: Any
) -> None:
    sync, seen = client(said(200, answer))
    result = getattr(sync, verb)(*given, **named)

    async def again() -> Any:
        def handle(request: httpx.Request) -> httpx.Response:
            request.read()
            seen.append(request)
            return said(200, answer)

        async with hpsearch.AsyncClient(URL, transport=httpx.MockTransport(handle)) as other:
            return await getattr(other, verb)(*given, **named)

    assert asyncio.run(again()) == result
    for request in seen:
        assert f"{request.method} {request.url.raw_path.decode()}" == line
        assert request.content.decode() == body
        assert ("Idempotency-Key" in request.headers) == (request.method != "GET")


def test_bytes_pages_and_nothing_come_as_they_are() -> None:
    page = '<html><meta name="hpsearch" content="[&quot;s&quot;]">'
    assert client(httpx.Response(200, text=page))[0].report("s") == page
    made, seen = client(httpx.Response(200, content=b"number,state\n"))
    assert made.export("s", "csv") == b"number,state\n"
    assert seen[0].url.query == b"to=csv"
    assert client(httpx.Response(204))[0].delete("s") is None
    assert client(httpx.Response(204))[0].release(WORK) is None


def test_both_clients_have_the_same_words() -> None:
    for name in vars(hpsearch.Client):
        if not name.startswith("_"):
            assert getattr(hpsearch.AsyncClient, name).__doc__, name
            assert getattr(hpsearch.Client, name).__doc__, name


def test_a_word_s_signature_is_its_own() -> None:
    assert str(inspect.signature(hpsearch.Client.study)) == "(self, name: 'str') -> 'models.Study'"
    assert list(inspect.signature(hpsearch.Client(URL).extend).parameters) == ["name", "trials"]


def test_a_study_file_is_sent_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_text('# mine\nname = "s"\n[data]\npath = "not-here.csv"\n')
    made, [*_] = client(said(201, STUDY))
    made, seen = client(said(201, STUDY))
    made.submit(path, priority=3, seed=1, baselines=False)
    assert seen[0].content == path.read_bytes()
    assert seen[0].headers["Content-Type"] == "application/toml"
    assert dict(seen[0].url.params) == {"priority": "3", "seed": "1", "baselines": "false"}


def test_data_files_that_are_here_come_along_under_their_names(tmp_path: Path) -> None:
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "train.csv").write_text("a,b\n1,2\n")
    (tmp_path / "test.csv").write_text("a,b\n3,4\n")
    path = tmp_path / "s.toml"
    path.write_text(
        'name = "s"\n[data]\npath = "tables/train.csv"\ntest_path = "test.csv"\n'
        'validation_path = "there.csv"\n'
    )
    made, seen = client(said(503, {"detail": "busy"}), said(201, STUDY))
    made.submit(path, name="t")
    assert len(seen) == 2  # the files are sent anew
    assert seen[0].headers["Idempotency-Key"] == seen[1].headers["Idempotency-Key"]
    body = seen[1].content.decode()
    assert 'name="files"; filename="tables/train.csv"' in body
    assert 'name="files"; filename="test.csv"' in body
    assert "a,b\n1,2" in body
    assert "there.csv" not in body.replace(path.read_text(), "")
    assert 'name="name"' in body


def test_tables_are_sent_as_json() -> None:
    made, seen = client(said(201, STUDY))
    made.submit({"name": "s", "data": {"name": "iris"}}, max_parallel=2)
    assert json.loads(seen[0].content) == {
        "study": {"name": "s", "data": {"name": "iris"}},
        "max_parallel": 2,
    }


def test_a_file_that_is_no_study_is_not_sent(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_text("name = ")
    made, seen = client(said(201, STUDY))
    with pytest.raises(StudyFileError, match="not TOML"):
        made.submit(path)
    with pytest.raises(StudyFileError, match="no study file"):
        made.submit(tmp_path / "none.toml")
    assert seen == []


def test_all_pages_of_trials_are_read() -> None:
    def page(request: httpx.Request) -> httpx.Response:
        since = int(request.url.params["since"])
        trials = [{"trial": str(since), "number": since, "state": "complete"}]
        return said(200, {"trials": trials, "since": since + 1, "more": since < 2})

    assert [trial.number for trial in client(page)[0].trials("s")] == [0, 1, 2]


@pytest.mark.parametrize("status", [409, 503])
def test_an_answer_that_is_lost_is_asked_for_again_with_the_same_key(
    pauses: list[float], status: int
) -> None:
    lost, later = httpx.ReadError("connection reset"), {"Retry-After": "2"}
    made, seen = client(lost, said(status, {"detail": "x"}, **later), said(200, STUDY))
    assert made.pause("mine").name == "mine"
    assert len({request.headers["Idempotency-Key"] for request in seen}) == 1
    assert 0.1 <= pauses[0] <= 0.2
    assert 2.0 <= pauses[1] <= 2.4
    made.pause("mine")
    assert len({request.headers["Idempotency-Key"] for request in seen}) == 2


def test_patience_ends_with_a_sentence(pauses: list[float]) -> None:
    made, seen = client(httpx.ConnectError("refused"), patience=0.0, token="hp-very-secret")
    with pytest.raises(ServerError, match=r"no server answers at http://127.0.0.1:8765 \(refused"):
        made.studies()
    assert len(seen) == 1
    busy = said(503, {"detail": "The server is busy.", "status": 503}, **{"Retry-After": "60"})
    with pytest.raises(ServerError, match="The server is busy"):
        client(busy)[0].studies()
    assert pauses == []


PROBLEMS: list[tuple[int, dict[str, Any], type[HpsearchError], str]] = [
    (
        *(422, {"detail": "s.toml, line 3: no", "key": "model.width", "line": 3}),
        *(StudyFileError, "s.toml, line 3: no"),
    ),
    (422, {"detail": "priority is 101", "key": "priority"}, UsageError, "priority is 101"),
    (400, {"detail": "no such header"}, UsageError, "no such header"),
    (404, {"detail": "unknown study 'x'. Known: y"}, UnknownNameError, "unknown study 'x'. Known"),
    (409, {"detail": "another has told it", "value": 1.0}, RunError, "another"),
    (410, {"detail": "the study was deleted"}, RunError, "deleted"),
    (500, {"detail": "a fault"}, ServerError, "a fault"),
    (403, {"detail": "the token may read only"}, UsageError, "read only"),
]


@pytest.mark.parametrize(("status", "problem", "kind", "sentence"), PROBLEMS)
def test_a_problem_is_an_error_with_its_sentence(
    status: int, problem: dict[str, Any], kind: type[HpsearchError], sentence: str
) -> None:
    with pytest.raises(HpsearchError, match=sentence) as raised:
        client(said(status, problem))[0].study("x")
    assert type(raised.value) is kind
    if "key" in problem:
        assert raised.value.key == problem["key"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(502, text="<html>Bad Gateway"),
        httpx.Response(404, text="nothing"),
        httpx.Response(301, headers={"Location": "http://elsewhere"}),
        httpx.Response(200, text="<html>It works!"),
        said(200, {"name": "x"}),
        said(400, ["x"]),
    ],
)
def test_whatever_is_no_server_of_ours_is_told(answer: httpx.Response) -> None:
    with pytest.raises(ServerError, match="is it a server of hpsearch"):
        client(answer, patience=0.0)[0].study("x")


def test_the_environment_names_server_and_token(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="which server"):
        hpsearch.Client()
    monkeypatch.setenv("HPSEARCH_SERVER", "http://there:1/root/")
    monkeypatch.setenv("HPSEARCH_TOKEN", "hp-very-secret")
    seen: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return said(200, {"studies": []})

    made = hpsearch.Client(transport=httpx.MockTransport(handle))
    assert made.studies() == []
    assert str(seen[0].url) == "http://there:1/root/v1/studies"
    assert seen[0].headers["Authorization"] == "Bearer hp-very-secret"
    assert "secret" not in repr(made)
    assert repr(made) == "Client('http://there:1/root')"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("127.0.0.1:8765", "write http://HOST:PORT"),
        ("ftp://there", "write http://HOST:PORT"),
        ("http://", "write http://HOST:PORT"),
        ("http://there/?a=1", "is a page"),
        ("http://me:hunter2@there", "a token goes into HPSEARCH_TOKEN"),
    ],
)
def test_what_is_no_url_is_told(url: str, why: str) -> None:
    with pytest.raises(UsageError, match=why) as raised:
        hpsearch.Client(url)
    assert "hunter2" not in str(raised.value)


def test_what_is_no_token_is_told_without_it() -> None:
    with pytest.raises(UsageError, match="no token has") as raised:
        hpsearch.Client(URL, "two words\n")
    assert "words" not in str(raised.value)


def stream(*lines: str) -> httpx.Response:
    return httpx.Response(
        200, text="".join(f"{x}\n" for x in lines), headers={"Content-Type": "text/event-stream"}
    )


TRIAL_CHANGED = ("event: trial", 'data: {"study": "mine"}', "")
STUDY_CHANGED = ("event: study", 'data: {"study": "mine"}', "")


def test_events_go_on_over_a_lost_connection_and_end_with_the_study() -> None:
    made, seen = client(
        stream(*TRIAL_CHANGED, ": alive", "data: not JSON", ""),
        said(200, STUDY),
        httpx.ConnectError("refused"),
        stream(*TRIAL_CHANGED, *STUDY_CHANGED, *TRIAL_CHANGED),
        said(200, STUDY),
        said(200, STUDY | {"state": "finished"}),
    )
    found = [(event["event"], event.get("state")) for event in made.events("mine")]
    assert found == [
        ("study", "running"),
        ("trial", None),
        ("study", "running"),
        ("trial", None),
        ("study", "finished"),
    ]
    paths = [request.url.path for request in seen]
    assert paths.count("/v1/studies/mine/events") == 3


def test_events_of_no_study_are_an_error() -> None:
    with pytest.raises(UsageError, match="no such study"):
        list(client(said(404, {"detail": "no such study"}))[0].events("x"))


def test_events_and_pages_for_asyncio() -> None:
    over = STUDY | {"state": "stopped"}

    def handle(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/events"):
            return stream(*TRIAL_CHANGED, *STUDY_CHANGED)
        if request.url.path.endswith("/trials"):
            return said(200, {"trials": [], "since": 0})
        studies.append(request)
        return said(200, over if len(studies) > 1 else STUDY)

    found: list[Any] = []
    studies: list[httpx.Request] = []

    async def look() -> None:
        async with hpsearch.AsyncClient(URL, transport=httpx.MockTransport(handle)) as made:
            found.extend([event["event"] async for event in made.events("mine")])
            assert [trial async for trial in made.trials("mine")] == []
            assert (await made.wait("mine")).state == "stopped"

    asyncio.run(look())
    assert found == ["study", "trial", "study"]


def test_wait_ends_with_the_study_or_with_the_time() -> None:
    made, _ = client(said(200, STUDY), said(200, STUDY | {"state": "failed", "why": "no winner"}))
    assert made.wait("mine").why == "no winner"
    with pytest.raises(TimeoutError, match="'mine' is not over"):
        client(said(200, STUDY))[0].wait("mine", timeout=0.05)


def test_without_httpx_a_sentence_says_what_to_install() -> None:
    code = "import sys; sys.modules['httpx'] = None; import hpsearch; hpsearch.Client('http://x')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "pip install hpsearch[service]" in done.stderr.splitlines()[-1]


def test_a_request_says_nothing_of_the_token() -> None:
    assert "token" not in repr(requests.study("mine"))
