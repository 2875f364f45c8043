"""What the server says of itself."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from served import external, serving, until

from hpsearch.service.logs import Form, about, write_log

SECRET = "hps_" + "0123456789" * 4


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in ("hpsearch.service", "uvicorn")]
    before = [(one.handlers[:], one.propagate, one.level) for one in loggers]
    disabled = logging.root.manager.disable
    yield
    logging.disable(disabled)
    for logger, (handlers, propagates, level) in zip(loggers, before, strict=True):
        logger.handlers[:], logger.propagate = handlers, propagates
        logger.setLevel(level)


def written(form: Form, *events: tuple[str, dict[str, Any]]) -> str:
    stream = io.StringIO()
    write_log(form, stream)
    for what, facts in events:
        logging.getLogger("hpsearch.service").warning(what, extra=about(**facts))
    return stream.getvalue()


def test_an_event_is_a_line_that_people_read() -> None:
    text = written("text", ("study failed", {"study": "digits", "why": "no room", "agent": None}))
    time, rest = text.split(" ", 1)
    assert rest == 'warning study failed: study=digits why="no room"\n'
    assert time.endswith("Z")


def test_or_a_document_on_one_line() -> None:
    text = written("json", ("fault", {"id": "7", "traceback": "one\ntwo", "seconds": 0.5}))
    [line] = text.splitlines()
    document = json.loads(line)
    del document["time"]
    assert document == {
        "level": "warning",
        "what": "fault",
        "id": "7",
        "traceback": "one\ntwo",
        "seconds": 0.5,
    }


@pytest.mark.parametrize("form", ["text", "json"])
def test_nothing_that_others_name_makes_a_line_or_a_token(form: Form) -> None:
    nasty = f"a\n2026 info server stopped\x1b[2J \u202e{SECRET}"
    text = written(form, ("study submitted", {"study": nasty}), (f"with {SECRET}", {}))
    assert len(text.splitlines()) == 2
    assert SECRET not in text
    assert "\x1b" not in text


def test_the_traceback_of_a_fault_stands_beneath_it() -> None:
    stream = io.StringIO()
    write_log("text", stream)
    try:
        raise ValueError(SECRET)
    except ValueError:
        logging.getLogger("hpsearch.service").exception("fault of a driver")
    first, *rest = stream.getvalue().splitlines()
    assert first.endswith(" error fault of a driver")
    assert rest[0].startswith("Traceback")
    assert rest[-1] == "ValueError: hps_..."


@pytest.mark.slow
def test_a_server_tells_what_happens(tmp_path: Path) -> None:
    with serving(tmp_path / "a.db", tmp_path / "log", "--log", "json", "--lease", "1") as served:
        served.submit(external("s", trials=3))
        work = served.ask("s", agent={"name": "me"})
        until(lambda: "lease lost" in served.log.read_text())
        served.tell(work, 0.5)
        query = f"/v1/studies?token={SECRET}"
        wrong = {"Authorization": f"Bearer {SECRET}"}
        assert httpx.get(served.url + query, headers=wrong).status_code == 401
        served("POST", "/v1/studies/s:pause")
        served("POST", "/v1/studies/s:resume")
        for _ in range(2):
            served.tell(served.ask("s", agent={"name": "me"}), 0.25)
        until(lambda: served("GET", "/v1/studies/s")["state"] == "finished")
        assert served.end() == 0
    text = served.log.read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    told = [line["what"] for line in lines]
    for what in (
        "server started",
        "study submitted",
        "agent seen",
        "lease lost",
        "wrong token",
        "study paused",
        "study resumed",
        "study finished",
        "server stopped",
    ):
        assert what in told, what
    [lost] = [line for line in lines if line["what"] == "lease lost"]
    assert (lost["study"], lost["trial"], lost["agent"]) == ("s", work["trial"], "me")
    assert SECRET not in text
