"""Idempotency keys of asks: one key is one trial, whenever and however often it is sent."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from served import Served, external, serving, until
from service.test_service_metrics import figures

pytestmark = pytest.mark.slow


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path / "a.db", tmp_path / "log", "--workers", "0") as server:
        server.submit(external("mine"))
        server.tell(server.ask("mine"), 0.5)  # its driver has begun
        yield server


def ask(server: Served, key: str, wait: float = 0.0, study: str = "mine") -> httpx.Response:
    path = f"{server.url}/v1/studies/{study}/trials:ask"
    headers = {"Idempotency-Key": key}
    return httpx.post(path, params={"wait": wait}, json={}, headers=headers, timeout=60)


def dropped(server: Served, key: str, wait: float) -> None:
    """Ask, and be gone before the answer comes."""
    url = httpx.URL(server.url)
    head = (
        f"POST /v1/studies/mine/trials:ask?wait={wait} HTTP/1.1\r\nHost: {url.host}\r\n"
        f"Content-Type: application/json\r\nContent-Length: 2\r\nIdempotency-Key: {key}\r\n\r\n{{}}"
    )
    with socket.create_connection((url.host, url.port)) as connection:
        connection.sendall(head.encode())


def test_a_key_that_is_sent_several_times_at_once_is_one_trial(served: Served) -> None:
    with ThreadPoolExecutor(4) as threads:
        for number in range(10):
            answers = list(threads.map(lambda _, n=number: ask(served, f"k{n}", 5.0), range(4)))
            assert {a.status_code for a in answers} == {200}
            [work] = {a.json()["work"]["trial"]: a.json()["work"] for a in answers}.values()
            served.tell(work, 0.5)


@pytest.mark.parametrize("wait", [0.0, 5.0])
def test_a_dropped_ask_burns_no_slot(served: Served, wait: float) -> None:
    done = set()
    for number in range(20):
        dropped(served, f"k{number}", wait)
        asked = until(lambda n=number: ask(served, f"k{n}", 5.0).json())  # type: ignore[misc]
        assert asked["work"], asked["why"]
        done.add(asked["work"]["trial"])
        served.tell(asked["work"], 0.5)
    assert len(done) == 20
    found = figures(httpx.get(f"{served.url}/metrics").text)
    assert found["hpsearch_leases_open",] == 0


def test_a_key_is_the_same_trial_right_after_a_restart(tmp_path: Path) -> None:
    storage, log = tmp_path / "a.db", tmp_path / "log"
    with serving(storage, log, "--workers", "0") as server:
        server.submit(external("mine"))
        until(lambda: ask(server, "k", 5.0).json()["work"])
        assert server.end(signal.SIGKILL) == -signal.SIGKILL
    with serving(storage, log, "--workers", "0") as server:
        answers: list[Any] = []
        end = time.monotonic() + 30
        while not answers or answers[-1].status_code == 503:
            assert time.monotonic() < end
            answers.append(ask(server, "k"))
        assert answers[-1].json()["work"]["number"] == 0


def test_a_key_is_of_one_study(served: Served) -> None:
    served.submit(external("other"))
    assert ask(served, "k", 5.0).json()["work"]
    answer = ask(served, "k", 5.0, study="other")
    assert (answer.status_code, "another request" in answer.json()["detail"]) == (422, True)


def test_a_key_of_a_study_that_is_over_says_so(served: Served) -> None:
    assert ask(served, "k", 5.0).json()["work"]
    served("POST", "/v1/studies/mine:stop")
    until(lambda: ask(served, "k").json().get("order") == "drain")
