"""Two servers of one PostgreSQL database: each study is led by one, and any may be told."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from served import Served, external, serving, until
from servers import SERVER, database, end_connections

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not os.environ.get(SERVER), reason=f"give a PostgreSQL server's URL in {SERVER}"
    ),
]


@pytest.fixture(scope="module")
def shared() -> Iterator[str]:
    """A database of PostgreSQL's."""
    url = sa.make_url(os.environ[SERVER]).set(drivername="postgresql+psycopg")
    administration = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with database(administration) as made:
        yield made
    administration.dispose()


@pytest.fixture
def two(shared: str, tmp_path: Path) -> Iterator[tuple[Served, Served]]:
    options = ("--data", str(tmp_path / "data"), "--lease", "4")
    with ExitStack() as stack:
        first, second = (
            stack.enter_context(serving(shared, tmp_path / f"{name}.log", *options))
            for name in ("first", "second")
        )
        yield first, second


def leader(servers: tuple[Served, Served], study: str) -> tuple[Served, Served]:
    """The server that leads a study, and the other one."""

    def leads(server: Served) -> bool:
        answer = httpx.post(f"{server.url}/v1/studies/{study}/trials:ask", json={})
        if answer.status_code == 503:
            assert "is run by the server at http://127.0.0.1" in answer.json()["detail"]
            return False
        work = answer.json()["work"]
        if work:
            body = {"lease": work["lease"]}
            httpx.post(f"{server.url}/v1/trials/{work['trial']}:release", json=body)
        return bool(work)

    def found() -> tuple[Served, Served] | None:
        leading = [server for server in servers if leads(server)]
        [one] = leading or [None]
        if one is None:
            return None
        return one, next(server for server in servers if server is not one)

    return until(found)


def beat(server: Served, work: dict[str, Any]) -> Any:
    return server("POST", f"/v1/trials/{work['trial']}:heartbeat", json={"lease": work["lease"]})


def asked_of(server: Served, study: str) -> Any:
    """What an ask is answered; None while another server has the study, or had it just now."""
    path = f"{server.url}/v1/studies/{study}/trials:ask?wait=20"
    answer = httpx.post(path, json={}, timeout=60)
    return answer.json() if answer.is_success else None


def trial(server: Served, work: dict[str, Any]) -> Any:
    return server("GET", f"/v1/trials/{work['trial']}")


def test_what_the_other_server_hears_is_not_lost(two: tuple[Served, Served]) -> None:
    two[0].submit(external("s"))
    first, second = leader(two, "s")
    told, released, failed = (first.ask("s") for _ in range(3))
    # Reports to both, and the end to the one that does not lead.
    for step, server in enumerate((first, second, first)):
        body = {"lease": told["lease"], "step": step, "value": step / 10}
        server("POST", f"/v1/trials/{told['trial']}:report", json=body)
    assert second.tell(told, 0.25)["trial"] == told["trial"]
    done = until(lambda: (t := trial(first, told))["state"] == "complete" and t)
    assert done["value"] == 0.25
    assert [step for step, _ in done["reports"]] == [0, 1, 2]
    # Said again, to either, it is the same; another word is refused with the kept value.
    for server in two:
        assert server.tell(told, 0.25)["value"] == 0.25
        body = {"lease": told["lease"], "result": 0.5}
        answer = httpx.post(f"{server.url}/v1/trials/{told['trial']}:tell", json=body)
        assert (answer.status_code, answer.json()["value"]) == (409, 0.25)
    # Given back at the other server, it is somebody else's at the first.
    body = {"lease": released["lease"]}
    second("POST", f"/v1/trials/{released['trial']}:release", json=body)
    until(lambda: trial(first, released)["state"] == "waiting")
    # A failure there counts here.
    error = {"kind": "failed", "sentence": "it broke elsewhere"}
    body = {"lease": failed["lease"], "error": error}
    second("POST", f"/v1/trials/{failed['trial']}:tell", json=body)
    gone = until(lambda: (t := trial(first, failed))["state"] == "failed" and t)
    assert "it broke elsewhere" in gone["why"]

    # Who beats there keeps the lease, and who does not loses it.
    renewed, lost = first.ask("s"), first.ask("s")

    def lost_now() -> bool:
        assert beat(second, renewed)["order"] == "continue"
        return trial(first, lost)["state"] == "lost" or trial(first, lost)["attempts"] > 1

    until(lost_now)
    assert trial(first, renewed)["state"] == "running"
    # Whoever was taken for dead may tell late, and there too.
    second.tell(lost, 0.125)
    assert until(lambda: trial(first, lost)["value"]) == 0.125


def test_the_other_server_takes_over_from_one_that_is_killed(two: tuple[Served, Served]) -> None:
    for number, server in enumerate(two):
        for name in "ab":
            server.submit(external(f"{name}{number}", trials=6))
    names = ["a0", "b0", "a1", "b1"]
    leaders = {name: leader(two, name)[0] for name in names}
    first = leaders["a0"]
    second = two[1] if first is two[0] else two[0]
    mine = [name for name in names if leaders[name] is first]
    held = {name: first.ask(name) for name in mine}
    told = first.ask(mine[0])
    first.process.kill()
    first.process.wait()
    second.tell(told, 0.75)  # nobody leads the study at this moment
    for name in mine:
        until(lambda name=name: second("GET", f"/v1/studies/{name}")["state"] == "running")
        assert beat(second, held[name])["order"] == "continue"
        second.tell(held[name], 0.5)
    for name in names:
        while (asked := until(lambda name=name: asked_of(second, name)))["order"] == "continue":
            if asked["work"]:
                second.tell(asked["work"], asked["work"]["configuration"]["x"])
        about = second("GET", f"/v1/studies/{name}")
        assert (about["state"], about["trials"]) == ("finished", {"complete": 6})
    values = [t["value"] for t in second("GET", f"/v1/studies/{mine[0]}/trials")["trials"]]
    assert values.count(0.75) == values.count(0.5) == 1


def test_a_database_that_ends_all_connections_costs_a_moment(
    two: tuple[Served, Served], shared: str
) -> None:
    two[0].submit(external("cut"))
    first, _ = leader(two, "cut")
    work = first.ask("cut")
    body = {"lease": work["lease"], "result": 0.5}
    end_connections(shared)
    path = f"/v1/trials/{work['trial']}:tell"
    until(lambda: httpx.post(first.url + path, json=body).is_success)

    def asked() -> bool:
        path = "/v1/studies/cut/trials:ask?wait=2"
        answers = [httpx.post(server.url + path, json={}, timeout=60) for server in two]
        return any(answer.is_success and answer.json()["work"] for answer in answers)

    until(asked)
    until(lambda: trial(two[1], work)["value"] == 0.5)


NETWORK = """
name = "network"
[data]
name = "digits"
[training]
epochs = 2
[search]
strategy = "random"
trials = 5
"""


def test_agents_of_either_finish_what_a_dead_one_has_begun(
    two: tuple[Served, Served], tmp_path: Path
) -> None:
    two[0].submit(NETWORK)
    until(lambda: two[1]("GET", "/v1/studies/network")["state"] == "running")
    data = f"{two[1].url}/v1/data/0123456789abcdef"  # they may be at the other one
    until(lambda: httpx.get(data).status_code == 503)
    words = ["agent", "--workers", "1", "--cache", str(tmp_path / "cache")]
    agents = [
        subprocess.Popen(
            [sys.executable, "-m", "hpsearch", *words, server.url],
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        for server in two
    ]
    try:
        until(lambda: two[1]("GET", "/v1/studies/network")["trials"].get("complete"))
        two[0].process.kill()
        until(lambda: two[1]("GET", "/v1/studies/network")["state"] == "finished")
    finally:
        for agent in agents:
            agent.kill()
            agent.wait()
    about = two[1]("GET", "/v1/studies/network")
    assert sum(about["trials"].values()) == 5


def test_a_study_is_steered_at_either(two: tuple[Served, Served]) -> None:
    two[0].submit(external("steered"))
    first, second = leader(two, "steered")
    work = first.ask("steered")
    second("POST", "/v1/studies/steered:pause")
    until(lambda: first("POST", "/v1/studies/steered/trials:ask", json={})["work"] is None)
    second("POST", "/v1/studies/steered:resume")
    first.ask("steered")
    second("POST", "/v1/studies/steered:stop")
    until(lambda: beat(first, work)["order"] == "stop")
    second("POST", "/v1/studies/steered:resume")
    first, second = leader(two, "steered")
    second("DELETE", "/v1/studies/steered")
    for server in two:
        names = [study["name"] for study in server("GET", "/v1/studies")["studies"]]
        assert "steered" not in names


def test_a_key_at_both_is_done_once(two: tuple[Served, Served]) -> None:
    two[0].submit(external("keyed"))
    until(lambda: asked_of(two[0], "keyed") or asked_of(two[1], "keyed"))

    def add(server: Served, value: float) -> int:
        body = {"configuration": {"x": 0.5}, "value": value}
        headers = {"Idempotency-Key": f"add {value}".replace(" ", "-")}
        path = f"{server.url}/v1/studies/keyed/trials"
        while True:
            answer = httpx.post(path, json=body, headers=headers, timeout=60)
            if answer.status_code != 409:
                assert answer.status_code == 201, answer.text
                return int(answer.json()["number"])
            assert answer.headers["Retry-After"]

    with ThreadPoolExecutor(2) as threads:
        for number in range(8):
            numbers = set(threads.map(add, two, [number / 8] * 2))
            assert len(numbers) == 1


def test_a_study_that_is_submitted_at_both_at_once_is_one(two: tuple[Served, Served]) -> None:
    def submit(server: Served, text: str) -> int:
        headers = {"Content-Type": "application/toml"}
        answer = httpx.post(f"{server.url}/v1/studies", content=text, headers=headers, timeout=60)
        return answer.status_code

    with ThreadPoolExecutor(2) as threads:
        for number in range(8):
            text = external(f"both{number}")
            assert sorted(threads.map(submit, two, [text] * 2)) == [200, 201]
            other = [external(f"differs{number}"), external(f"differs{number}", trials=7)]
            assert sorted(threads.map(submit, two, other)) in ([201, 409], [200, 201])
