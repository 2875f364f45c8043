"""How studies begin, wait, share and end, whatever else is asked of them at the same time."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import optuna
import pytest
from service.test_protocol import STUDY, Client, playing

from hpsearch.engine.run import run_in, run_study
from hpsearch.engine.summary import summarize
from hpsearch.service import drivers, queue, results
from hpsearch.service.queue import DOOMED
from hpsearch.storage import open_storage
from hpsearch.storage.own_tables import own_tables
from hpsearch.study_file import parse_study_file

pytestmark = pytest.mark.slow


@pytest.fixture
def play(tmp_path: Path) -> Callable[..., None]:
    return playing(tmp_path / "s.db", 60)


class TestDeleting:
    """Whoever asks for a study that is being deleted finds none, and nothing of it comes back."""

    def test_nothing_that_is_asked_meanwhile_keeps_it(
        self, play: Callable[..., None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        goes_on = threading.Event()

        def run_and_wait(*given: Any, **more: Any) -> Any:
            try:
                return run_in(*given, **more)
            finally:  # its driver takes its time to end
                goes_on.wait(30.0)

        monkeypatch.setattr(drivers, "run_in", run_and_wait)

        async def scene(client: Client) -> None:
            await client.submit(trials=5)
            work = await client.work()
            await client.fail(work, "failed")
            other = await client.work()
            deleting = asyncio.create_task(client.http.delete("/v1/studies/s"))
            async with asyncio.timeout(30):
                while (await client.http.get("/v1/studies/s")).status_code != 404:
                    await asyncio.sleep(0.01)
            assert not deleting.done()
            for path, body in (
                ("studies/s:resume", None),
                ("studies/s:pause", None),
                ("studies/s:stop", None),
                ("studies/s:extend", {"trials": 9}),
                ("studies/s:rank", {"priority": 1}),
                ("studies/s/trials", {"configuration": {"x": 0.5, "kind": "a"}}),
                ("studies/s/trials", {"configuration": {"x": 0.5, "kind": "a"}, "value": 1.0}),
                (f"trials/{work['trial']}:retry", None),
            ):
                answer = await client.post(f"/v1/{path}", body)
                assert (path, answer.status_code) == (path, 404), answer.text
            for path in ("studies/s/trials", "studies/s/running", f"trials/{work['trial']}"):
                assert (await client.http.get(f"/v1/{path}")).status_code == 404
            assert (await client.get("/v1/studies"))["studies"] == []
            with pytest.raises(httpx.HTTPStatusError, match="409"):
                await client.submit(trials=5)
            assert (await client.beat(other))["order"] == "stop"
            goes_on.set()
            assert (await deleting).status_code == 204
            await client.submit(trials=2)  # its name is free
            assert await client.finish() == 2
            assert len(await client.trials()) == 2

        play(scene)

    def test_it_is_gone_however_often_others_steer_it(self, play: Callable[..., None]) -> None:
        async def scene(client: Client) -> None:
            async def poke() -> None:
                while True:
                    for path, body in ((":resume", None), (":extend", {"trials": 30})):
                        answer = await client.post(f"/v1/studies/s{path}", body)
                        assert answer.status_code in (200, 404, 409), answer.text

            for _ in range(4):
                await client.submit(trials=20)
                work = await client.work()
                pokes = [asyncio.create_task(poke()) for _ in range(3)]
                await asyncio.sleep(0.05)
                assert (await client.http.delete("/v1/studies/s")).status_code == 204
                for task in pokes:
                    task.cancel()
                done = await asyncio.gather(*pokes, return_exceptions=True)
                assert all(isinstance(one, asyncio.CancelledError) for one in done), done
                assert (await client.http.get("/v1/studies/s")).status_code == 404
                assert (await client.tell(work)).status_code in (404, 410)
                assert not client.server.drivers.drives("s")

        play(scene)

    def test_a_server_that_dies_meanwhile_deletes_it_later(
        self, play: Callable[..., None], tmp_path: Path
    ) -> None:
        async def begun(client: Client) -> None:
            await client.submit(trials=3)
            await client.work()

        async def later(client: Client) -> None:
            assert (await client.http.get("/v1/studies/s")).status_code == 404
            async with asyncio.timeout(30):
                while client.server.store.get_all_studies():
                    await asyncio.sleep(0.02)
            await client.submit(trials=1)
            assert await client.finish() == 1

        play(begun)
        with open_storage(str(tmp_path / "s.db")) as store, store.transaction() as connection:
            row = queue.queued(connection, "s")
            assert row is not None
            queue.doom(connection, row)
            states = connection.execute(own_tables().queue.select()).all()
            assert [state[4] for state in states] == [DOOMED]
        play(later)

    def test_a_slot_is_tried_again_or_its_study_is_gone(self, play: Callable[..., None]) -> None:
        async def scene(client: Client) -> None:
            for _ in range(4):
                await client.submit(trials=2)
                work = await client.work()
                await client.fail(work, "failed")
                await client.finish()
                await client.until("finished")
                path = f"/v1/trials/{work['trial']}:retry"
                retries = [asyncio.create_task(client.post(path)) for _ in range(4)]
                await asyncio.sleep(0.01)
                assert (await client.http.delete("/v1/studies/s")).status_code == 204
                codes = {(await answer).status_code for answer in retries}
                assert codes <= {200, 404, 409}

        play(scene)

    @pytest.mark.parametrize("what", ["best", "export"])
    def test_what_is_read_while_it_goes_is_not_there(
        self, play: Callable[..., None], monkeypatch: pytest.MonkeyPatch, what: str
    ) -> None:
        async def scene(client: Client) -> None:
            await client.submit(trials=1)
            await client.finish()

            def delete_first(study: optuna.Study) -> Any:
                client.server.shelf.delete("s")
                return summarize(study)

            monkeypatch.setattr(results, "summarize", delete_first)
            assert (await client.http.get(f"/v1/studies/s/{what}")).status_code == 404

        play(scene)


class TestAddingFirst:
    """A configuration to be tried first is in the study, or it is refused."""

    def test_all_that_come_at_the_same_time_are_kept(self, play: Callable[..., None]) -> None:
        async def scene(client: Client) -> None:
            await client.submit(trials=40)

            async def add(x: float) -> httpx.Response:
                body = {"configuration": {"x": x, "kind": "a"}}
                return await client.post("/v1/studies/s/trials", body)

            values = [k / 100 for k in range(16)]
            extending = client.post("/v1/studies/s:extend", {"trials": 50})
            extended, *answers = await asyncio.gather(extending, *map(add, values))
            assert (extended.status_code, {a.status_code for a in answers}) == (200, {201})
            assert sorted(answer.json()["number"] for answer in answers) == list(range(16))
            with client.server.store.connection.reading() as connection:
                row = queue.queued(connection, "s")
            assert row is not None
            assert sorted(first["x"] for first in row.study.first) == values
            assert row.study.search.trials == 50

        play(scene, studies=0)

    def test_what_is_acknowledged_as_it_begins_is_tried(self, play: Callable[..., None]) -> None:
        async def scene(client: Client) -> None:
            for number in range(5):
                name = f"s{number}"
                await client.submit(name, trials=30)
                kept = []
                for k in range(20):
                    body = {"configuration": {"x": k / 100, "kind": "a"}}
                    answer = await client.post(f"/v1/studies/{name}/trials", body)
                    assert answer.status_code in (201, 409)
                    if answer.status_code == 201:
                        kept.append(k / 100)
                for x in kept:
                    while (work := (await client.ask(name))["work"]) is None:
                        pass  # its first driver has just given way to one that tries all
                    assert work["configuration"]["x"] == x
                    await client.tell(work)

        play(scene)


class TestTurns:
    """Ties go round: whoever was served longest ago is next."""

    @staticmethod
    async def given(client: Client, works: int, asks: int) -> Counter[str]:
        """Who is given trials by so many workers that are always busy."""
        async with asyncio.timeout(30):
            while not all(b.waiting for b in client.server.desk.benches.values()):
                await asyncio.sleep(0.02)
        held: list[Any] = []
        counts: Counter[str] = Counter()
        for _ in range(asks):
            if len(held) == works:
                (await client.tell(held.pop(0))).raise_for_status()
            async with asyncio.timeout(30):  # as if their drivers were always fast enough
                while not all(b.waiting for b in client.server.desk.benches.values()):
                    await asyncio.sleep(0.005)
            agent = {"name": "agent", "workers": works}
            work = (await client.post("/v1/trials:ask?wait=5", {"agent": agent})).json()["work"]
            counts[work["study"]] += 1
            held.append(work)
        return counts

    def test_one_worker_serves_all_owners(self, play: Callable[..., None]) -> None:
        async def scene(client: Client) -> None:
            for name in ("ann", "bob", "cyd"):
                text = STUDY.format(name=name, trials=20, also="[]")
                file = await asyncio.to_thread(parse_study_file, text)
                await asyncio.to_thread(client.server.shelf.submit, file, name)
            await benches(client, 3)
            assert await self.given(client, 1, 9) == {"ann": 3, "bob": 3, "cyd": 3}

        play(scene)

    def test_two_workers_serve_all_studies_of_one_owner(self, play: Callable[..., None]) -> None:
        async def scene(client: Client) -> None:
            for name in "abc":
                await client.submit(name, trials=20)
            await benches(client, 3)
            assert await self.given(client, 2, 12) == {"a": 4, "b": 4, "c": 4}

        play(scene)


async def benches(client: Client, number: int) -> None:
    """Wait until so many studies have a driver."""
    async with asyncio.timeout(30):
        while len(client.server.desk.benches) < number:
            await asyncio.sleep(0.02)


class TestWaiting:
    """With a driver for each of few studies, none of the others waits for ever."""

    @pytest.fixture(autouse=True)
    def soon(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, seconds in (("STAY", 0.3), ("TURN", 0.6), ("LOOK", 0.05)):
            monkeypatch.setattr(drivers, name, seconds)

    def test_what_nobody_works_for_gives_way(self, play: Callable[..., None]) -> None:
        async def scene(client: Client) -> None:
            for name in ("one", "two"):
                await client.submit(name)
            await benches(client, 2)
            await client.submit("low", priority=-1)
            async with asyncio.timeout(30):
                while not (told := await client.get("/v1/studies/low"))["why"]:
                    await asyncio.sleep(0.02)
            assert told["why"] == "2 studies are searched at once, and this one waits for its turn"
            await asyncio.sleep(0.6)
            assert await client.state("low") == "queued"  # nobody can work for it either
            await client.submit("high", priority=1)
            await client.until("running", "high")
            await client.until("queued", "one")
            while (work := (await client.ask("low"))["work"]) is None:
                pass
            await client.tell(work)
            assert await client.finish("low") == 2
            for name in ("one", "two", "high"):
                assert await client.finish(name) == 3

        play(scene, studies=2)

    def test_trainings_get_the_workers_of_this_machine(self, play: Callable[..., None]) -> None:
        async def scene(client: Client) -> None:
            await client.submit("idle")
            await benches(client, 1)
            text = 'name = "digits"\n[data]\nname = "digits"\n[training]\nepochs = 1\n'
            text += '[search]\nstrategy = "random"\ntrials = 1\n'
            await client.http.post(
                "/v1/studies?baselines=false",
                content=text,
                headers={"Content-Type": "application/toml"},
            )
            await client.until("finished", "digits")
            await client.until("running", "idle")

        play(scene, studies=1, workers=1)

    def test_equal_ones_take_turns_and_what_is_begun_is_kept(
        self, play: Callable[..., None]
    ) -> None:
        async def scene(client: Client) -> None:
            for name in "abc":
                await client.submit(name, trials=10_000)
            held, seen = [], set()
            async with asyncio.timeout(40):
                while seen != set("abc"):
                    asked = (await client.post("/v1/trials:ask?wait=1", {})).json()
                    if asked["work"]:
                        seen.add(asked["work"]["study"])
                        held.append(asked["work"])
                        await asyncio.sleep(0.1)
            for work in held:
                assert (await client.tell(work)).status_code == 200
            done = Counter(work["study"] for work in held)
            for name in "abc":
                async with asyncio.timeout(30):
                    while (await client.get(f"/v1/studies/{name}"))["trials"].get(
                        "complete"
                    ) != done[name]:
                        await client.post("/v1/trials:ask", {})
                        await asyncio.sleep(0.1)

        play(scene, studies=1)


FUNCTION = """
name = "s"
[objective]
function = "squaring:squared"
direction = "minimize"
[space]
x = {{ low = -1.0, high = {high} }}
[search]
strategy = "random"
trials = {trials}
"""


class TestGoingOn:
    """A study that `hpsearch run` has made here is the server's once its file is submitted."""

    def submit(self, client: Client, trials: int, high: float = 1.0) -> Awaitable[httpx.Response]:
        toml = {"Content-Type": "application/toml"}
        text = FUNCTION.format(trials=trials, high=high)
        return client.http.post("/v1/studies", content=text, headers=toml)

    def run(self, tmp_path: Path, trials: int) -> None:
        folder = tmp_path / "code"
        folder.mkdir()
        (folder / "squaring.py").write_text(
            'def squared(values, trial):\n    return values["x"] ** 2\n'
        )
        study = parse_study_file(FUNCTION.format(trials=trials, high=1.0))
        objective = study.objective.model_copy(update={"folder": str(folder)})
        study = study.model_copy(update={"objective": objective})
        run_study(study, storage=str(tmp_path / "s.db"), workers=1)

    @pytest.mark.parametrize("asked", [2, 3])
    def test_one_that_is_finished_is_found_so(
        self, play: Callable[..., None], tmp_path: Path, asked: int
    ) -> None:
        async def scene(client: Client) -> None:
            answer = await self.submit(client, asked)
            assert (answer.status_code, answer.json()["total"]) == (201, 3), answer.text
            await client.until("finished")
            assert len(await client.trials()) == 3

        self.run(tmp_path, 3)
        play(scene)

    def test_one_with_more_trials_goes_on(self, play: Callable[..., None], tmp_path: Path) -> None:
        async def scene(client: Client) -> None:
            assert (await self.submit(client, 4)).status_code == 201
            agent = {"name": "a", "kinds": ["function"]}
            work = (await client.ask(agent=agent))["work"]
            (await client.tell(work, 0.5)).raise_for_status()
            await client.until("finished")
            assert len(await client.trials()) == 4

        self.run(tmp_path, 3)
        play(scene)

    def test_another_one_is_refused_and_stays(
        self, play: Callable[..., None], tmp_path: Path
    ) -> None:
        async def scene(client: Client) -> None:
            answer = await self.submit(client, 3, high=2.0)
            assert answer.status_code == 409
            for words in ("space.x.high was 1.0 and is 2.0", "--name"):
                assert words in answer.json()["detail"]
            for answer in (
                await client.http.delete("/v1/studies/s"),
                await client.post("/v1/studies/s:pause"),
            ):
                assert answer.status_code == 409
                assert "was not submitted to the server" in answer.json()["detail"]
            assert len(await client.trials()) == 3

        self.run(tmp_path, 3)
        play(scene)
