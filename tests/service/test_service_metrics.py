"""What Prometheus is told of a server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from hpsearch.errors import StorageError
from hpsearch.service.app import make_app
from hpsearch.service.guard import Guard
from hpsearch.service.metrics import MOST, Measured
from hpsearch.service.models import Study
from hpsearch.service.quick import Quick
from hpsearch.service.server import Server, Settings
from hpsearch.service.tokens import add_token

STUDY = """
name = "{name}"
[objective]
external = true
metric = "loss"
direction = "minimize"
[space]
x = {{ low = -1.0, high = 1.0 }}
[search]
strategy = "random"
trials = 5
"""


def play(scene: Callable[..., Any], file: Path, host: str = "127.0.0.1") -> None:
    """A scene with a server, what sends requests, and what reads the figures."""

    async def run() -> None:
        server = Server(Settings(str(file), host=host))
        app = make_app(server, server.running)
        measured = Measured(Guard(Quick(app, server.verbs), server.tokens, host), server.metrics)
        transport = httpx.ASGITransport(measured, client=("127.0.0.1", 5))
        async with (
            server.running(app),
            httpx.AsyncClient(transport=transport, base_url="http://localhost") as http,
        ):
            await scene(server, http)

    asyncio.run(run())


def figures(text: str) -> dict[tuple[str, ...], float]:
    """The figures by their names and the values of their labels."""
    return {
        (sample.name, *(f"{k}={v}" for k, v in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_studies_trials_and_requests_are_counted(tmp_path: Path) -> None:
    async def scene(server: Server, http: httpx.AsyncClient) -> None:
        toml = {"Content-Type": "application/toml"}
        for name in ("one", "two"):
            text = STUDY.format(name=name)
            await http.post("/v1/studies", content=text, headers=toml)
        path = "/v1/studies/one/trials:ask?wait=10"
        work = [(await http.post(path)).json()["work"] for _ in range(2)]
        for number in range(3):
            body = {"lease": work[0]["lease"], "step": number, "value": 1.0}
            await http.post(f"/v1/trials/{work[0]['trial']}:report", json=body)
        body = {"lease": work[0]["lease"]}
        await http.post(f"/v1/trials/{work[0]['trial']}:heartbeat", json=body)
        await http.post(f"/v1/trials/{work[0]['trial']}:tell", json=body | {"result": 0.5})
        server.desk.leases[work[1]["lease"]].expires = 0.0
        await server.hands.expire()
        for path in ("/v1/nothing", "/v1/studies/one", "/v1/studies/two"):
            await http.get(path)
        answer = await http.get("/metrics")
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        found = figures(answer.text)
        for name, count in {
            "asks": 2,
            "trials_given": 2,
            "reports": 3,
            "heartbeats": 1,
            "tells": 1,
            "late_tells": 0,
            "lost_leases": 1,
        }.items():
            assert found[f"hpsearch_{name}_total",] == count, name
        assert found["hpsearch_studies", "state=running"] == 2
        assert found["hpsearch_trials", "state=waiting", "study=one"] > 0  # nobody has one
        assert found["hpsearch_leases_open",] == 0
        assert found["hpsearch_agents",] == 1
        assert found["hpsearch_database_up",] == 1
        assert found["hpsearch_uptime_seconds",] > 0
        assert found["hpsearch_ledger_batch_sum",] >= 7
        seconds = {key[1:]: n for key, n in found.items() if key[0].endswith("seconds_count")}
        assert seconds["method=GET", "route=/v1/studies/{name}", "status=200"] == 2
        assert seconds["method=GET", "route=none", "status=404"] == 1
        for route, count in {
            "/v1/studies/{name}/trials:ask": 2,
            "/v1/trials/{trial}:report": 3,
            "/v1/trials/{trial}:heartbeat": 1,
            "/v1/trials/{trial}:tell": 1,
        }.items():
            assert seconds["method=POST", f"route={route}", "status=200"] == count
        assert not [key for key in seconds if "one" in key[1].split("/")]

    play(scene, tmp_path / "a.db")


def test_it_needs_a_token_of_every_study(tmp_path: Path) -> None:
    async def scene(server: Server, http: httpx.AsyncClient) -> None:
        statuses = []
        for number, (scope, study) in enumerate(
            [("read", None), ("admin", None), ("read", "one"), (None, None)]
        ):
            headers = {}
            if scope is not None:
                token = add_token(server.store, f"t{number}", scope, study=study)  # type: ignore[arg-type]
                headers["Authorization"] = f"Bearer {token}"
                server.tokens._read_at = -1e9
            statuses.append((await http.get("/metrics", headers=headers)).status_code)
        assert statuses == [200, 200, 403, 401]

    play(scene, tmp_path / "a.db", host="0.0.0.0")


def test_many_studies_are_counted_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(server: Server, http: httpx.AsyncClient) -> None:
        studies = [
            Study(name=f"s{number}", state="finished", since="", trials={"complete": 2})
            for number in range(MOST + 50)
        ]
        studies.append(Study(name="now", state="running", since="", trials={"running": 1}))
        monkeypatch.setattr(server.metrics, "_studies", lambda: list(studies))
        found = figures((await http.get("/metrics")).text)
        assert len([key for key in found if key[0] == "hpsearch_trials"]) == MOST + 1
        assert found["hpsearch_trials", "state=complete", "study=(others)"] == 2 * 51
        assert found["hpsearch_trials", "state=running", "study=now"] == 1

    play(scene, tmp_path / "a.db")


def test_a_database_that_is_away_is_a_figure_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> list[Study]:
        raise StorageError("it is away")

    async def scene(server: Server, http: httpx.AsyncClient) -> None:
        monkeypatch.setattr(server.metrics, "_studies", fail)
        found = figures((await http.get("/metrics")).text)
        assert found["hpsearch_database_up",] == 0
        assert found["hpsearch_leases_open",] == 0
        assert not [key for key in found if key[0] == "hpsearch_trials"]

    play(scene, tmp_path / "a.db")


def test_what_takes_long_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """By its route; an ask waits on purpose."""
    monkeypatch.setattr("hpsearch.service.metrics.SLOW", 0.0)

    async def scene(server: Server, http: httpx.AsyncClient) -> None:
        await http.get("/v1/studies?token=hps_secret")
        await http.post("/v1/trials:ask")

    play(scene, tmp_path / "a.db")
    slow = [one for one in caplog.records if one.getMessage().startswith("slow")]
    assert [one.getMessage() for one in slow] == ["slow request GET /v1/studies"]
    assert vars(slow[0])["about"]["token"] == "local"
