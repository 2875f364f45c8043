"""What no column of a database holds is refused before, by a server of either database."""

from __future__ import annotations

import os
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from served import Served, external, serving
from servers import SERVER, database

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    folder: Path = tmp_path_factory.mktemp("odd")
    options = ("--data", str(folder / "data"))
    if request.param == "sqlite":
        with serving(folder / "s.db", folder / "log", *options) as served:
            served.submit(external("s"))
            yield served
        return
    if not os.environ.get(SERVER):
        pytest.skip(f"give a PostgreSQL server's URL in {SERVER} to test with it")
    url = sa.make_url(os.environ[SERVER]).set(drivername="postgresql+psycopg")
    administration = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with (
        database(administration) as made,
        serving(made, folder / "log", *options) as served,
    ):
        served.submit(external("s"))
        yield served
    administration.dispose()


def test_trials_under_way_are_told(served: Served) -> None:
    work = served.ask("s")
    found = served("GET", "/v1/studies/s/running")["trials"]
    assert [trial["state"] for trial in found if trial["trial"] == work["trial"]] == ["running"]
    served.tell(work, 0.5)


NO_NAMES = (
    "GET /v1/studies/{}",
    "GET /v1/studies/{}/trials",
    "GET /v1/studies/{}/running",
    "GET /v1/studies/{}/best",
    "GET /v1/studies/{}/events",
    "GET /v1/studies/{}/document",
    "GET /studies/{}",
    "GET /v1/trials/{}",
    "GET /v1/data/{}",
    "POST /v1/studies/{}:pause",
    "POST /v1/studies/{}/trials:ask",
    "POST /v1/agents/{}:drain",
    "POST /v1/trials/{}:retry",
    "DELETE /v1/studies/{}",
)


@pytest.mark.parametrize("request_of", NO_NAMES)
def test_nothing_is_called_by_the_sign_of_number_0(served: Served, request_of: str) -> None:
    method, path = request_of.format("a%00").split()
    answer = httpx.request(method, served.url + path)
    assert answer.status_code == 404
    assert "sign of number 0" in answer.json()["detail"]


@pytest.mark.parametrize("number", ["2147483648", "99999999999999999", "9" * 40])
def test_numbers_beyond_the_columns_are_nobodys(served: Served, number: str) -> None:
    paths = {
        f"/v1/trials/{number}": 404,
        f"/v1/studies/s/trials/{number}": 422,
        f"/v1/studies/s/trials?since={number}": 422,
        f"/v1/studies/s/layers/{number}": 422,
        "/v1/trials/2147483647": 404,
        "/v1/studies/s/trials?since=2147483647": 200,
    }
    told = {path: httpx.get(served.url + path).status_code for path in paths}
    assert told == paths
    lease = {"lease": "0" * 32}
    for verb, body in (("heartbeat", {}), ("release", {}), ("tell", {"result": 0.5})):
        answer = httpx.post(f"{served.url}/v1/trials/{number}:{verb}", json=lease | body)
        assert answer.status_code in (404, 410), answer.text


def test_an_agents_name_is_as_long_as_its_column(served: Served) -> None:
    name = "ä" * 255
    work = served.ask("s", agent={"name": name})
    assert served("GET", f"/v1/trials/{work['trial']}")["holder"] == name
    served.tell(work, 0.5)
    answer = httpx.post(
        f"{served.url}/v1/studies/s/trials:ask", json={"agent": {"name": "x" * 256}}
    )
    assert answer.status_code == 422
    assert "255 characters" in answer.json()["detail"]


@pytest.mark.parametrize(
    "result",
    [r'{"loss": 1, "x": "\ud800"}', r'{"loss": 1, "\ud800": 1}', r'{"loss": 1, "x": [["\udfff"]]}'],
)
def test_half_a_character_is_called_so(served: Served, result: str) -> None:
    work = served.ask("s")
    answer = tell(served, work, f'"result": {result}')
    assert answer.status_code == 422
    assert "lone surrogate" in answer.json()["detail"]
    served.tell(work, 0.5)


def test_whole_characters_of_two_halves_are_kept(served: Served) -> None:
    answer = tell(served, served.ask("s"), r'"result": {"loss": 1, "x": "\ud83d\ude00"}')
    assert answer.json()["value"] == 1.0


def test_what_a_program_wrote_last_is_kept_with_all_its_signs(served: Served) -> None:
    work = served.ask("s")
    text = r'"error": {"sentence": "a\u0000b", "tail": "\u0000"}'
    assert tell(served, work, text).status_code == 200
    assert httpx.get(f"{served.url}/v1/trials/{work['trial']}").is_success


ODD = ["\\u0000", "\\ud800", "a\\u0000b"]
SUBMISSION = string.Template(
    """{"study": {"name": "$name", "objective": {"external": true, "metric": "$metric",
    "direction": "minimize", "also": ["$also"]}, "search": {"strategy": "random", "trials": 5},
    "space": {"$parameter": {"low": 0.0, "high": 1.0}}},
    "first": $first}"""
)
USUAL = {"name": "n", "metric": "m", "also": "t", "parameter": "x", "first": "null"}


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("where", USUAL)
def test_a_study_of_odd_names_is_refused(served: Served, where: str, odd: str) -> None:
    text = SUBMISSION.substitute(USUAL | {where: f'"{odd}"' if where == "first" else odd})
    answer = post(served, "/v1/studies", text)
    assert answer.status_code == 422, answer.text
    assert httpx.get(f"{served.url}/v1/studies").is_success


@pytest.mark.parametrize("odd", ODD)
def test_a_study_of_odd_files_is_refused(served: Served, odd: str) -> None:
    text = f'{{"study": {{"name": "f", "data": {{"path": "{odd}.csv", "target": "y"}}}}}}'
    answer = post(served, "/v1/studies", text)
    assert answer.status_code == 422, answer.text


def test_odd_names_behind_the_question_mark_are_refused(served: Served) -> None:
    headers = {"Content-Type": "application/toml"}
    for query in ("name=a%00", "first=a%00"):
        url = f"{served.url}/v1/studies?{query}"
        answer = httpx.post(url, content=external("other"), headers=headers)
        assert answer.status_code == 422, answer.text


@pytest.mark.parametrize("odd", ODD)
def test_odd_names_of_added_trials_are_refused(served: Served, odd: str) -> None:
    for text in (
        f'{{"configuration": {{"{odd}": 1}}, "value": 1}}',
        f'{{"configuration": {{"x": "{odd}"}}, "value": 1}}',
        f'{{"configuration": {{"x": 0.5}}, "value": 1, "also": {{"{odd}": 1}}}}',
        f'{{"configuration": {{"x": 0.5}}, "{odd}": 1}}',
    ):
        assert post(served, "/v1/studies/s/trials", text).status_code == 422


@pytest.mark.parametrize("odd", ODD)
def test_odd_agents_are_refused(served: Served, odd: str) -> None:
    for text in (
        f'{{"agent": {{"name": "{odd}"}}}}',
        f'{{"agent": {{"name": "a", "{odd}": 1}}}}',
    ):
        assert post(served, "/v1/studies/s/trials:ask", text).status_code == 422


def tell(served: Served, work: dict[str, Any], what: str) -> httpx.Response:
    text = f'{{"lease": "{work["lease"]}", {what}}}'
    return post(served, f"/v1/trials/{work['trial']}:tell", text)


def post(served: Served, path: str, text: str) -> httpx.Response:
    headers = {"Content-Type": "application/json"}
    return httpx.post(served.url + path, content=text, headers=headers, timeout=60)
