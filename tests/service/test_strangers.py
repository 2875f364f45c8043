"""Strange and hostile requests: each has an answer that says so, and the server goes on."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from service.server import serving as process
from service.test_protocol import Client, playing

from hpsearch.errors import UsageError
from hpsearch.service import leases
from hpsearch.service.models import Scope
from hpsearch.service.tokens import add_token
from hpsearch.storage import open_storage
from hpsearch.trials.estimator import made

pytestmark = pytest.mark.slow

Play = Callable[..., None]


@pytest.fixture
def play(tmp_path: Path) -> Play:
    return playing(tmp_path / "s.db", 120)


def study(**tables: Any) -> dict[str, Any]:
    return {"study": {"name": "s", "search": {"strategy": "random", "trials": 2}, **tables}}


def refused(answer: httpx.Response, status: int, words: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert words in answer.json()["detail"]


class TestEstimators:
    """Whoever submits a study has classes of well-known packages made, and nothing else called."""

    @pytest.mark.parametrize(
        "path",
        [
            "sklearn.datasets._base:shutil.os.abort",
            "sklearn..tree.DecisionTreeClassifier",
            "sklearn.tree:DecisionTreeClassifier.mro",
            "sklearn.tree:",
        ],
    )
    def test_a_path_through_a_module_is_refused(self, play: Play, path: str) -> None:
        async def scene(client: Client) -> None:
            body = study(data={"name": "iris"}, objective={"estimator": path})
            refused(await client.post("/v1/studies", body), 422, "is not named as MODULE.NAME")

        play(scene)

    @pytest.mark.parametrize(
        "path", ["sklearn.datasets.clear_data_home", "sklearn.base:Bunch", "sklearn:clone"]
    )
    def test_nothing_but_a_class_of_estimators_is_called(self, path: str) -> None:
        with pytest.raises(UsageError, match=r"is no class of estimators|there is no estimator"):
            made(path, "")

    @pytest.mark.parametrize("table", ["fixed", "space"])
    def test_a_parameter_that_is_a_path_is_refused(self, play: Play, table: str) -> None:
        async def scene(client: Client) -> None:
            value = "/etc/cron.d" if table == "fixed" else {"choices": ["auto", "../x"]}
            body = study(
                data={"name": "iris"},
                objective={"estimator": "catboost.CatBoostClassifier"},
                **{table: {"train_dir": value}},
            )
            refused(await client.post("/v1/studies", body), 422, "train_dir is '")

        play(scene)


@pytest.mark.parametrize(
    ("place", "words"),
    [("a\0b", "no file is called"), ("x" * 5000, "no file is called"), (".", "is a folder here")],
)
def test_a_file_that_cannot_be_is_refused(play: Play, place: str, words: str) -> None:
    async def scene(client: Client) -> None:
        refused(await client.post("/v1/studies", study(data={"path": place})), 422, words)

    play(scene)


def test_a_study_that_is_deleted_and_submitted_again_is_another_one(play: Play) -> None:
    async def scene(client: Client) -> None:
        for value in (0.25, 0.75):
            await client.submit(trials=2)
            while (asked := await client.ask())["order"] == "continue":
                await client.tell(asked["work"], value)
            await client.until("finished")
            found = await client.get("/v1/studies/s")
            assert (found["best"], found["trials"]) == (value, {"complete": 2})
            assert [trial["value"] for trial in await client.trials()] == [value, value]
            assert (await client.http.delete("/v1/studies/s")).status_code == 204
        # One that has a deleted one's id, and was looked at only in the list.
        await client.submit("other", trials=2)
        await client.work("other")
        assert (await client.http.delete("/v1/studies/other")).status_code == 204

    play(scene)


def test_what_is_told_stays_told(play: Play) -> None:
    async def scene(client: Client) -> None:
        await client.submit(trials=2)
        work = await client.work()
        await client.tell(work, 0.25)
        body = {"lease": work["lease"]}
        path = f"/v1/trials/{work['trial']}"
        report = await client.post(f"{path}:report", {**body, "step": 1, "value": 0.5})
        assert report.json()["order"] == "stop"
        assert (await client.beat(work))["order"] == "stop"
        assert (await client.post(f"{path}:release", body)).status_code == 204
        with client.server.store.connection.reading() as connection:
            row = leases.find(connection, work["lease"])
        assert row is not None
        assert row.state == "told"
        assert b"0.25" in (row.content or b"")
        assert await client.finish() == 1
        await client.until("finished")
        assert (await client.trials())[0]["value"] == 0.25

    play(scene)


def test_a_trial_that_is_given_back_while_it_is_told_is_given_to_nobody(play: Play) -> None:
    async def scene(client: Client) -> None:
        await client.submit(trials=2)
        work = await client.work()
        desk = client.server.desk
        lease = desk.leases[work["lease"]]
        item = desk.claim(lease)  # it is told, and just being written
        assert item is not None
        desk.take_back(lease)
        assert item not in lease.bench.waiting
        desk.unclaim(lease, item)  # it could not be written
        assert lease.bench.waiting[0] is item

    play(scene)


@pytest.mark.parametrize("also", [{"slot": 3.0}, {"error": 1.0}, {"a\0": 1.0}])
def test_a_trial_from_elsewhere_has_what_its_study_records(
    play: Play, also: dict[str, float]
) -> None:
    async def scene(client: Client) -> None:
        await client.submit(trials=2)
        await client.work()
        body = {"configuration": {"x": 0.5, "kind": "a"}, "value": 1.0, "also": also}
        refused(await client.post("/v1/studies/s/trials", body), 422, "the study records nothing")

    play(scene)


def test_a_result_that_cannot_be_kept_is_refused(play: Play) -> None:
    async def scene(client: Client) -> None:
        await client.submit(trials=2)
        work = await client.work()
        nested = "[" * 150 + "]" * 150
        for deep in (nested, "[" * 300 + "]" * 300, "1" * 5000):
            answer = await client.http.post(
                f"/v1/trials/{work['trial']}:tell",
                content=f'{{"lease": "{work["lease"]}", "result": {{"loss": 1, "x": {deep}}}}}',
                headers={"Content-Type": "application/json"},
            )
            assert answer.status_code in (200, 400, 422), answer.text
        assert await client.state() in ("running", "finished")

    play(scene)


def test_an_agent_has_a_name_of_one_line(play: Play) -> None:
    async def scene(client: Client) -> None:
        for name in ("a\nb", "a\0", "\x1b[2J"):
            answer = await client.post("/v1/trials:ask", {"agent": {"name": name}})
            refused(answer, 422, "agent.name")

    play(scene)


def test_an_address_that_takes_several_methods_names_them(play: Play) -> None:
    async def scene(client: Client) -> None:
        answer = await client.http.put("/v1/studies")
        refused(answer, 405, "'/v1/studies' takes GET, POST, not PUT")
        assert answer.headers["allow"] == "GET, POST"

    play(scene)


def test_a_token_of_one_study_does_nothing_to_another(play: Play, tmp_path: Path) -> None:
    async def scene(client: Client) -> None:
        storage = open_storage(str(tmp_path / "s.db"))
        token = add_token(storage, "bob", "admin", study="bobs")
        storage.close()
        await client.submit("anns", trials=2)
        await client.submit("bobs", trials=2)
        anns, bobs = await client.work("anns"), await client.work("bobs")
        head = {"Authorization": f"Bearer {token}"}

        async def ask(work: Any, verb: str, **more: Any) -> int:
            body = {"lease": work["lease"], **more}
            path = f"/v1/trials/{work['trial']}:{verb}"
            return (await client.http.post(path, json=body, headers=head)).status_code

        ways: dict[str, dict[str, Any]] = {
            "heartbeat": {},
            "report": {"step": 1, "value": 0.5},
            "tell": {"result": 0.5},
            "release": {},
        }
        for verb, more in ways.items():
            assert await ask(anns, verb, **more) == 410
        assert (await client.beat(anns))["order"] == "continue"
        for verb in ("heartbeat", "report", "tell"):
            assert await ask(bobs, verb, **ways[verb]) == 200
        submitted = await client.http.post(
            "/v1/studies",
            json={**study(name="bobs", data={"name": "iris"}), "first": "anns"},
            headers=head,
        )
        refused(submitted, 403, "for the study 'bobs' only")

    play(scene)


def test_data_are_those_of_the_study_of_a_token(play: Play, tmp_path: Path) -> None:
    async def scene(client: Client) -> None:
        storage = open_storage(str(tmp_path / "s.db"))
        tokens = {name: add_token(storage, name, "work", study=name) for name in ("s", "other")}
        storage.close()
        tables = {"data": {"name": "iris"}}
        await client.post("/v1/studies", study(**tables))
        while not (data := getattr(client.server.desk.benches.get("s"), "data", None)):
            await asyncio.sleep(0.02)
        found = {}
        for name, token in tokens.items():
            head = {"Authorization": f"Bearer {token}"}
            path = f"/v1/data/{data.fingerprint}"
            found[name] = (await client.http.get(path, headers=head)).status_code
        assert found == {"s": 200, "other": 404}

    play(scene)


def test_a_key_is_of_one_request_with_its_body(play: Play) -> None:
    async def scene(client: Client) -> None:
        await client.submit(trials=2)
        head = {"Idempotency-Key": "k"}
        for trials, status in ((5, 200), (5, 200), (9, 422)):
            answer = await client.post("/v1/studies/s:extend", {"trials": trials}, **head)
            assert answer.status_code == status
        assert "choose a new one" in answer.json()["detail"]
        assert (await client.get("/v1/studies/s"))["total"] == 5

    play(scene)


def test_a_server_has_so_many_studies_and_trials(play: Play) -> None:
    async def scene(client: Client) -> None:
        await client.submit(trials=3)
        refused(await client.post("/v1/studies/s:extend", {"trials": 4}), 422, "at most 3")
        body = study(name="t", data={"name": "iris"}, search={"strategy": "random", "trials": 4})
        refused(await client.post("/v1/studies", body), 422, "at most 3")
        body = study(name="t", data={"name": "iris"})
        refused(await client.post("/v1/studies", body), 409, "has 1 studies already")
        await client.finish()
        added = {"configuration": {"x": 0.5, "kind": "a"}, "value": 1.0}
        refused(await client.post("/v1/studies/s/trials", added), 409, "has 3 trials already")

    play(scene, most_studies=1, most_trials=3)


def test_what_a_server_asks_of_its_own_machine_is_an_option(tmp_path: Path) -> None:
    with process(tmp_path, "-w", "0", "--needs-token", "--max-upload", "1") as url:
        assert httpx.get(f"{url}/v1/studies").status_code == 401
        storage = open_storage(str(tmp_path / "hpsearch.db"))
        head = {"Authorization": f"Bearer {add_token(storage, 'ann', 'submit')}"}
        storage.close()
        files = {"files": ("a.csv", b"x" * 1_100_000)}
        answer = httpx.post(f"{url}/v1/studies", data={"study": ""}, files=files, headers=head)
        refused(answer, 413, "at most 1,000,000 bytes")


def test_a_disk_without_room_for_files_is_no_fault(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(client: Client) -> None:
        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr("hpsearch.service.app.keep_files", full)
        files = {"files": ("a.csv", b"x")}
        text = 'name = "s"\n[data]\npath = "a.csv"'
        answer = await client.http.post("/v1/studies", data={"study": text}, files=files)
        refused(answer, 503, "no room left on its disk")
        assert int(answer.headers["retry-after"]) > 0

    play(scene)


def test_a_trial_that_nobody_has_waits(play: Play) -> None:
    async def scene(client: Client) -> None:
        await client.submit(trials=3)
        work = await client.work()
        await client.post(f"/v1/trials/{work['trial']}:release", {"lease": work["lease"]})
        assert "running" not in (await client.get("/v1/studies/s"))["trials"]
        await client.work()
        assert (await client.get("/v1/studies"))["studies"][0]["trials"]["running"] == 1

    play(scene)


def test_who_submits_studies_deletes_none(play: Play, tmp_path: Path) -> None:
    async def scene(client: Client) -> None:
        storage = open_storage(str(tmp_path / "s.db"))
        scopes: tuple[Scope, ...] = ("submit", "work", "admin")
        heads = [{"Authorization": f"Bearer {add_token(storage, s, s)}"} for s in scopes]
        storage.close()
        await client.submit(trials=2)
        answers = [await client.http.delete("/v1/studies/s", headers=head) for head in heads]
        codes = [answer.status_code for answer in answers]
        assert codes == [403, 403, 204]

    play(scene)
