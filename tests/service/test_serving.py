"""A server as a process: how it ends, and what it leaves."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from served import Served, external, serving, until

pytestmark = pytest.mark.slow

LONG = """
name = "long"
[data]
name = "digits"
[training]
epochs = 100000
[search]
strategy = "random"
trials = 4
"""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path / "a.db", tmp_path / "log", "--workers", "1") as server:
        yield server


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_soon_whatever_goes_on(served: Served, number: int) -> None:
    """Local trainings, a stream of events, an ask that waits, and a trial in somebody's hands."""
    served.submit(LONG)
    served.submit(external("mine"))
    work = served.ask("mine")
    until(lambda: served("GET", "/v1/studies/long")["trials"].get("running"))
    told: dict[str, Any] = {}

    def wait() -> None:
        body = {"agent": {"name": "idle", "kinds": ["function"]}}
        told["ask"] = served("POST", "/v1/trials:ask?wait=60", json=body)

    def listen() -> None:
        with httpx.stream("GET", f"{served.url}/v1/studies/long/events", timeout=60) as answer:
            told["events"] = "".join(answer.iter_text())

    threads = [threading.Thread(target=each) for each in (wait, listen)]
    for thread in threads:
        thread.start()
    until(lambda: any(agent["name"] == "idle" for agent in served("GET", "/v1/agents")))
    began = time.monotonic()
    assert served.end(number) == 0
    assert time.monotonic() - began < 10.0  # a promise, not a timing: it takes one
    for thread in threads:
        thread.join(10)
    assert told["ask"]["work"] is None
    assert told["events"].startswith("retry:")
    assert "Traceback" not in served.log.read_text()
    storage = served.log.with_name("a.db")
    with serving(storage, served.log) as again:
        assert again("GET", "/v1/studies/long")["state"] == "running"
        assert again.tell(work, 0.5)["trial"] == work["trial"]
        done = until(lambda: again("GET", "/v1/studies/mine")["trials"].get("complete"))
        assert done == 1


def test_who_leaves_while_it_waits_is_given_nothing(served: Served) -> None:
    address = httpx.URL(served.url)
    body = b'{"agent": {"name": "gone"}}'
    head = (
        f"POST /v1/trials:ask?wait=60 HTTP/1.1\r\nHost: {address.host}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection((address.host, address.port)) as connection:
        connection.sendall(head.encode() + body)
        until(lambda: any(agent["name"] == "gone" for agent in served("GET", "/v1/agents")))
    served.submit(external("mine"))
    assert served.ask("mine")["number"] == 0


def test_a_second_signal_ends_it_at_once(served: Served) -> None:
    served.submit(LONG)
    until(lambda: served("GET", "/v1/studies/long")["trials"].get("running"))
    served.process.send_signal(signal.SIGTERM)
    assert served.end(signal.SIGINT) in (130, 143)  # whichever comes second


def test_a_second_server_of_a_file_is_refused(served: Served, tmp_path: Path) -> None:
    with (
        pytest.raises(AssertionError, match="is served already, at http://127"),
        serving(tmp_path / "a.db", tmp_path / "other.log"),
    ):
        pass
    assert served("GET", "/v1/studies") == {"studies": []}


def test_it_is_ready_while_its_database_is_there(served: Served, tmp_path: Path) -> None:
    assert httpx.get(f"{served.url}/readyz").text == "ready\n"
    (tmp_path / "a.db").rename(tmp_path / "b.db")
    answer = httpx.get(f"{served.url}/readyz")
    assert answer.status_code == 503
    assert answer.text == "the database cannot be read\n"
    assert httpx.get(f"{served.url}/healthz").is_success
    (tmp_path / "b.db").rename(tmp_path / "a.db")
    assert httpx.get(f"{served.url}/readyz").is_success


def test_a_backup_made_under_load_goes_on(served: Served, tmp_path: Path) -> None:
    """All that was acknowledged before the backup began is in it, and a server goes on from it."""
    served.submit(external("s", trials=2000))
    acknowledged: dict[str, float] = {}
    ended = threading.Event()

    def work(number: int) -> None:
        with httpx.Client(base_url=served.url, timeout=60) as client:
            while not ended.is_set():
                body = {"agent": {"name": f"agent-{number}"}}
                asked = client.post("/v1/studies/s/trials:ask?wait=5", json=body).json()["work"]
                if asked:
                    told = {"lease": asked["lease"], "result": asked["configuration"]["x"]}
                    client.post(f"/v1/trials/{asked['trial']}:tell", json=told).raise_for_status()
                    acknowledged[asked["trial"]] = told["result"]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    try:
        until(lambda: len(acknowledged) > 50)
        before = dict(acknowledged)
        copy = tmp_path / "copy.db"
        command = [sys.executable, "-m", "hpsearch", "backup", str(copy)]
        done = subprocess.run(
            [*command, "--storage", str(tmp_path / "a.db")], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        until(lambda: len(acknowledged) > len(before) + 20)  # it did not stand in the way
    finally:
        ended.set()
        for thread in threads:
            thread.join(30)
    with serving(copy, tmp_path / "other.log") as again:
        until(lambda: again("GET", "/v1/studies/s")["trials"].get("complete", 0) >= len(before))
        trials = {t["trial"]: t["value"] for t in again("GET", "/v1/studies/s/trials")["trials"]}
        assert {trial: trials[trial] for trial in before} == before
        again.tell(again.ask("s"), 0.5)


KILLED = """
import os, sys
from hpsearch.cli.app import run
from hpsearch.objectives import with_rows

with_rows.fit_rivals = lambda *_: os.kill(os.getpid(), 9)
sys.exit(run(sys.argv[1:]))
"""


def test_simple_models_outlive_a_server_that_is_killed_while_they_are_fitted(
    tmp_path: Path,
) -> None:
    study = LONG.replace("100000", "1")
    with serving(tmp_path / "a.db", tmp_path / "log", "--workers=1", python=("-c", KILLED)) as one:
        one.submit(study)
        assert one.process.wait(60) == -signal.SIGKILL
    with serving(tmp_path / "a.db", tmp_path / "log", "--workers=1") as next_one:
        until(lambda: next_one("GET", "/v1/studies/long")["state"] == "finished")
        found = next_one("GET", "/v1/studies/long/best")
    assert len(found["simple_models"]) == 3
    assert all(model["value"] is not None for model in found["simple_models"])
    assert found["tests"] == 1
