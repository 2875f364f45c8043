"""Ask, report, tell: the rules of those who do trials, with a server in this process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import optuna
import pytest

from hpsearch.engine.run import run_in
from hpsearch.service import drivers
from hpsearch.service.app import make_app
from hpsearch.service.guard import Guard
from hpsearch.service.once import Once
from hpsearch.service.quick import Quick
from hpsearch.service.server import Server, Settings
from hpsearch.storage import WriteBehindStorage, load_study, open_storage

pytestmark = pytest.mark.slow

STUDY = """
name = "{name}"
[objective]
external = true
metric = "loss"
direction = "minimize"
also = {also}
[space]
x = {{ low = -1.0, high = 1.0 }}
kind = {{ choices = ["a", "b"] }}
[search]
strategy = "random"
trials = {trials}
"""


EXTERNAL = {
    "name": "t",
    "objective": {"external": True, "metric": "loss", "direction": "minimize"},
    "space": {"x": {"low": 0.0, "high": 1.0}},
    "search": {"strategy": "random", "trials": 2},
}


class Client:
    """What a client of the protocol does, over a server in this process."""

    def __init__(self, server: Server, http: httpx.AsyncClient) -> None:
        self.server, self.http = server, http

    async def post(self, path: str, body: Any = None, **headers: str) -> httpx.Response:
        return await self.http.post(path, json=body, headers=headers)

    async def get(self, path: str) -> Any:
        return (await self.http.get(path)).raise_for_status().json()

    async def submit(
        self, name: str = "s", trials: int = 3, also: str = "[]", **options: Any
    ) -> Any:
        text = STUDY.format(name=name, trials=trials, also=also)
        answer = await self.http.post(
            "/v1/studies",
            content=text,
            params=options,
            headers={"Content-Type": "application/toml"},
        )
        return answer.raise_for_status().json()

    async def ask(self, study: str = "s", wait: float = 30.0, **body: Any) -> Any:
        path = f"/v1/studies/{study}/trials:ask?wait={wait}"
        return (await self.post(path, body)).raise_for_status().json()

    async def work(self, study: str = "s", agent: str = "one", **more: Any) -> Any:
        asked = await self.ask(study, agent={"name": agent}, **more)
        assert asked["work"], asked
        return asked["work"]

    async def tell(self, work: Any, result: Any = 0.5, **more: Any) -> httpx.Response:
        body = {"lease": work["lease"], "result": result, **more}
        return await self.post(f"/v1/trials/{work['trial']}:tell", body)

    async def fail(self, work: Any, kind: str, sentence: str = "it broke") -> httpx.Response:
        body = {"lease": work["lease"], "error": {"kind": kind, "sentence": sentence}}
        return await self.post(f"/v1/trials/{work['trial']}:tell", body)

    async def beat(self, work: Any) -> Any:
        body = {"lease": work["lease"]}
        answer = await self.post(f"/v1/trials/{work['trial']}:heartbeat", body)
        return answer.raise_for_status().json()

    async def state(self, study: str = "s") -> str:
        return str((await self.get(f"/v1/studies/{study}"))["state"])

    async def until(self, state: str, study: str = "s") -> None:
        async with asyncio.timeout(60):
            while await self.state(study) != state:
                await asyncio.sleep(0.02)

    async def trials(self, study: str = "s") -> list[dict[str, Any]]:
        found = (await self.get(f"/v1/studies/{study}/trials"))["trials"]
        assert isinstance(found, list)
        return found

    async def finish(self, study: str = "s") -> int:
        """Do what is left."""
        done = 0
        while (asked := await self.ask(study))["order"] == "continue":
            if asked["work"]:
                x = asked["work"]["configuration"]["x"]
                (await self.tell(asked["work"], x * x)).raise_for_status()
                done += 1
        return done


@asynccontextmanager
async def serving(file: Path, **settings: Any) -> AsyncIterator[Client]:
    server = Server(Settings(str(file), lease=30.0, **settings))
    app = make_app(server, server.running)
    guard = Guard(Quick(Once(app, server.store), server.verbs), server.tokens, "127.0.0.1")
    transport = httpx.ASGITransport(guard, client=("127.0.0.1", 5))
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(server.running(app))
        http = httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=30.0)
        yield Client(server, await stack.enter_async_context(http))


Scene = Callable[[Client], Awaitable[None]]


def playing(file: Path, seconds: float) -> Callable[..., None]:
    """Plays scenes one after the other, each with a new server on the same database."""

    def run(*scenes: Scene, **settings: Any) -> None:
        async def play_all() -> None:
            for scene in scenes:
                async with asyncio.timeout(seconds), serving(file, **settings) as client:
                    await scene(client)

        asyncio.run(play_all())

    return run


@pytest.fixture
def play(tmp_path: Path) -> Callable[..., None]:
    return playing(tmp_path / "s.db", 180)


def lose(client: Client, work: Any) -> None:
    """Let a lease run out."""
    client.server.desk.leases[work["lease"]].expires = 0.0


async def expire(client: Client, *works: Any) -> None:
    for work in works:
        lose(client, work)
    await client.server.hands.expire()


def test_a_study_is_searched_by_whoever_asks(play: Callable[..., None], tmp_path: Path) -> None:
    async def scene(client: Client) -> None:
        told = await client.submit(trials=4, also='["accuracy"]')
        assert (told["state"], told["total"], told["kind"]) == ("queued", 4, "external")
        for step in range(4):
            work = await client.work()
            assert work["metric"] == "loss"
            assert work["also"] == ["accuracy"]
            assert set(work["configuration"]) == {"x", "kind"}
            path = f"/v1/trials/{work['trial']}:report"
            orders = await client.post(path, {"lease": work["lease"], "step": 1, "value": 2.0})
            assert orders.json()["order"] == "continue"
            result = {"loss": 0.1 * (4 - step), "accuracy": 0.5}
            told = (await client.tell(work, result, seconds=1.5)).json()
            assert told["value"] == pytest.approx(0.1 * (4 - step))
        await client.until("finished")
        assert (await client.ask())["order"] == "drain"
        best = await client.get("/v1/studies/s/best")
        assert best["validation"] == pytest.approx(0.1)
        trials = await client.trials()
        assert [trial["state"] for trial in trials] == ["complete"] * 4
        assert trials[0]["reports"] == [[1, 2.0]]
        assert trials[0]["also"] == {"accuracy": 0.5}
        assert trials[0]["holder"] == "one"

    play(scene)
    study = load_study(open_storage(str(tmp_path / "s.db")), "s")
    assert study.direction == optuna.study.StudyDirection.MINIMIZE
    assert study.best_value == pytest.approx(0.1)


def test_an_ask_repeated_with_its_key_gets_the_same_trial(play: Callable[..., None]) -> None:
    async def scene(client: Client) -> None:
        await client.submit()
        path = "/v1/studies/s/trials:ask?wait=10"
        first, second = [
            (await client.post(path, {}, **{"Idempotency-Key": "k"})).json() for _ in range(2)
        ]
        assert first["work"]["lease"] == second["work"]["lease"]
        other = (await client.post(path, {}, **{"Idempotency-Key": "l"})).json()
        assert other["work"]["trial"] != first["work"]["trial"]

    async def after_a_restart(client: Client) -> None:
        path = "/v1/studies/s/trials:ask?wait=10"
        again = (await client.post(path, {}, **{"Idempotency-Key": "k"})).json()
        trials = await client.trials()
        assert again["work"] is None or again["work"]["trial"] == trials[0]["trial"]

    play(scene, after_a_restart)


def test_a_tell_is_kept_once(play: Callable[..., None]) -> None:
    async def scene(client: Client) -> None:
        await client.submit()
        work = await client.work()
        for _ in range(2):
            told = await client.tell(work, 0.25)
            assert (told.status_code, told.json()["value"]) == (200, 0.25)
        other = await client.tell(work, 0.5)
        assert (other.status_code, other.json()["value"]) == (409, 0.25)
        await client.finish()
        assert (await client.tell(work, 0.25)).status_code == 200
        assert next(t["value"] for t in await client.trials()) == 0.25

    async def later(client: Client) -> None:
        [first, *_] = await client.trials()
        lease = "0" * 32
        path = f"/v1/trials/{first['trial']}:tell"
        assert (await client.post(path, {"lease": lease, "result": 1.0})).status_code == 410

    play(scene, later)


def test_a_silent_holder_loses_its_trial_to_another(play: Callable[..., None]) -> None:
    async def scene(client: Client) -> None:
        await client.submit(trials=1)
        first = await client.work(agent="first")
        await expire(client, first)
        second = await client.work(agent="second")
        assert second["trial"] == first["trial"]
        assert second["configuration"] == first["configuration"]
        assert second["seed"] == first["seed"]
        # It lives after all, and is the first to tell.
        assert (await client.beat(first))["order"] == "continue"
        told = (await client.tell(first, 0.25)).json()
        assert (told["value"], told["late"]) == (0.25, True)
        assert (await client.beat(second))["order"] == "stop"
        late = await client.tell(second, 0.5)
        assert (late.status_code, late.json()["value"]) == (409, 0.25)
        await client.until("finished")
        [trial] = await client.trials()
        assert (trial["value"], trial["holder"]) == (0.25, "first")

    play(scene)


def test_a_holder_that_was_only_slow_goes_on(play: Callable[..., None]) -> None:
    async def scene(client: Client) -> None:
        await client.submit(trials=1)
        work = await client.work()
        await expire(client, work)
        while not client.server.desk.benches["s"].waiting:
            await asyncio.sleep(0.01)
        assert (await client.beat(work))["order"] == "continue"
        assert (await client.ask(wait=0.0))["work"] is None  # it has the trial again
        assert (await client.tell(work)).json()["late"] is False
        await client.until("finished")

    play(scene)


def test_three_lost_attempts_are_a_failure_that_says_why(play: Callable[..., None]) -> None:
    async def scene(client: Client) -> None:
        await client.submit(trials=1)
        for attempt in range(3):
            work = await client.work(agent=f"agent-{attempt}")
            await expire(client, work)
        await client.until("failed")
        [failed] = await client.trials()
        assert failed["state"] == "failed"
        for attempt in range(3):
            assert f"no sign of life from agent-{attempt}" in failed["why"]
        assert failed["attempts"] == 3
        assert (await client.tell(work)).status_code == 409

    play(scene)


@pytest.mark.parametrize(
    ("kind", "attempts"), [("failed", 1), ("broken", 3)], ids=["for good", "three times"]
)
def test_what_comes_to_nothing(play: Callable[..., None], kind: str, attempts: int) -> None:
    async def scene(client: Client) -> None:
        await client.submit(trials=1)
        for _ in range(attempts):
            work = await client.work()
            assert (await client.fail(work, kind, "the disk is full")).status_code == 200
        await client.until("failed")
        [failed] = await client.trials()
        assert (failed["state"], failed["attempts"]) == ("failed", attempts)
        assert "the disk is full" in failed["why"]
        assert "every training" in (await client.get("/v1/studies/s"))["why"]

    play(scene)


def test_what_is_put_off_comes_again_and_counts_as_no_attempt(play: Callable[..., None]) -> None:
    async def scene(client: Client) -> None:
        await client.submit(trials=1)
        for _ in range(4):
            assert (await client.fail(await client.work(), "again", "busy")).status_code == 200
        assert await client.finish() == 1

    play(scene)


def test_what_is_released_waits_for_another(play: Callable[..., None]) -> None:
    async def scene(client: Client) -> None:
        await client.submit(trials=1)
        trials = set()
        for _ in range(5):
            work = await client.work()
            trials.add(work["trial"])
            path = f"/v1/trials/{work['trial']}:release"
            assert (await client.post(path, {"lease": work["lease"]})).status_code == 204
        assert len(trials) == 1
        assert await client.finish() == 1

    play(scene)


def test_what_is_given_up_without_any_value_has_none(play: Callable[..., None]) -> None:
    async def scene(client: Client) -> None:
        await client.submit(trials=2)
        told = await client.tell(await client.work(), None, pruned=True)
        assert told.json()["value"] is None
        told = await client.tell(
            await client.work(), None, pruned=True, reports=[[1, 0.5], [2, 0.7]]
        )
        assert told.json()["value"] == 0.7  # its worst

    play(scene)


@pytest.mark.parametrize(
    ("result", "why"),
    [
        ({"accuracy": 1.0}, "the result has no 'loss'; it has accuracy"),
        ({"loss": "low"}, "loss is 'low', which is no number"),
        ({"loss": True}, "loss is True, which is no number"),
    ],
)
def test_a_result_that_is_none_fails_its_trial_and_says_so(
    play: Callable[..., None], result: Any, why: str
) -> None:
    async def scene(client: Client) -> None:
        await client.submit(trials=2)
        work = await client.work()
        told = (await client.tell(work, result)).json()
        assert (told["value"], told["why"]) == (None, why)
        await client.finish()
        failed = next(t for t in await client.trials() if t["trial"] == work["trial"])
        assert (failed["state"], failed["why"]) == ("failed", why)

    play(scene)


def test_what_is_told_while_no_driver_is_there_is_found_by_the_next(
    play: Callable[..., None],
) -> None:
    kept: list[Any] = []

    async def before(client: Client) -> None:
        await client.submit(trials=3)
        kept.append(await client.work(agent="a"))
        kept.append(await client.work(agent="b"))
        (await client.post("/v1/studies/s:pause")).raise_for_status()

    async def paused(client: Client) -> None:
        told = (await client.tell(kept[0], 0.125)).json()
        assert told["late"] is True
        assert (await client.tell(kept[0], 0.125)).status_code == 200
        assert (await client.tell(kept[0], 0.5)).status_code == 409
        assert (await client.beat(kept[1]))["order"] == "continue"
        (await client.post("/v1/studies/s:resume")).raise_for_status()

    async def after(client: Client) -> None:
        (await client.tell(kept[1], 0.25)).raise_for_status()
        assert await client.finish() == 1
        values = {t["trial"]: t["value"] for t in await client.trials()}
        assert values[kept[0]["trial"]] == 0.125
        assert values[kept[1]["trial"]] == 0.25
        assert len(values) == 3

    play(before, paused, after)


def test_a_restart_gives_open_leases_their_full_length_anew(play: Callable[..., None]) -> None:
    kept: list[Any] = []

    async def before(client: Client) -> None:
        await client.submit(trials=2)
        kept.append(await client.work())

    async def after(client: Client) -> None:
        other = await client.work(agent="other")
        assert other["trial"] != kept[0]["trial"]
        assert (await client.beat(kept[0]))["order"] == "continue"
        assert (await client.ask(wait=0.2))["work"] is None
        (await client.tell(kept[0], 0.5)).raise_for_status()
        (await client.tell(other, 0.25)).raise_for_status()
        await client.until("finished")
        assert len(await client.trials()) == 2

    play(before, after)


def test_attempts_are_counted_over_restarts(play: Callable[..., None]) -> None:
    async def lose_one(client: Client) -> None:
        if not await client.get("/v1/studies"):
            return
        work = await client.work()
        await client.fail(work, "broken", "killed")

    async def begin(client: Client) -> None:
        await client.submit(trials=1)
        await lose_one(client)

    async def end(client: Client) -> None:
        await lose_one(client)
        await client.until("failed")
        [trial] = await client.trials()
        assert (trial["state"], trial["attempts"]) == ("failed", 3)

    play(begin, lose_one, end)


class TestSteering:
    def test_a_paused_study_gives_out_nothing_and_ends_what_was_begun(
        self, play: Callable[..., None]
    ) -> None:
        async def scene(client: Client) -> None:
            await client.submit(trials=2)
            work = await client.work()
            assert (await client.post("/v1/studies/s:pause")).json()["state"] == "paused"
            async with asyncio.timeout(30):
                while (await client.ask(wait=0.0))["work"]:
                    pytest.fail("it is paused")
            (await client.tell(work, 0.5)).raise_for_status()
            assert (await client.post("/v1/studies/s:resume")).json()["state"] == "queued"
            assert await client.finish() == 1
            assert (await client.post("/v1/studies/s:pause")).status_code == 409

        play(scene)

    def test_a_study_that_is_resumed_while_somebody_is_at_work_is_running(
        self, play: Callable[..., None]
    ) -> None:
        async def scene(client: Client) -> None:
            await client.submit(trials=2)
            await client.work()
            (await client.post("/v1/studies/s:pause")).raise_for_status()
            (await client.post("/v1/studies/s:resume")).raise_for_status()
            await client.until("running")

        play(scene)

    def test_who_works_for_a_stopped_study_is_told_to_stop(self, play: Callable[..., None]) -> None:
        async def scene(client: Client) -> None:
            await client.submit(trials=3)
            work = await client.work()
            (await client.post("/v1/studies/s:stop")).raise_for_status()
            async with asyncio.timeout(30):
                while (orders := await client.beat(work))["order"] != "stop":
                    await asyncio.sleep(0.05)
            assert "stopped by local" in orders["why"]
            assert (await client.ask())["order"] == "drain"
            assert {t["state"] for t in await client.trials()} <= {"cancelled", "running"}
            # What it had is not lost, if the study goes on.
            assert (await client.tell(work, 0.5)).json()["late"] is True
            (await client.post("/v1/studies/s:resume")).raise_for_status()
            assert await client.finish() == 2

        play(scene)

    def test_a_study_can_be_extended(self, play: Callable[..., None]) -> None:
        async def scene(client: Client) -> None:
            await client.submit(trials=2)
            assert await client.finish() == 2
            await client.until("finished")
            told = await client.post("/v1/studies/s:extend", {"trials": 5})
            assert (told.json()["state"], told.json()["total"]) == ("queued", 5)
            assert await client.finish() == 3
            less = await client.post("/v1/studies/s:extend", {"trials": 4})
            assert less.status_code == 409

        play(scene)

    def test_what_is_stopped_before_it_begins_stays_so(
        self, play: Callable[..., None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        begins, goes_on = threading.Event(), threading.Event()

        def open_late(url: str) -> WriteBehindStorage:
            begins.set()
            goes_on.wait(30.0)
            return open_storage(url)

        monkeypatch.setattr(drivers, "open_storage", open_late)

        async def scene(client: Client) -> None:
            await client.submit()
            assert await asyncio.to_thread(begins.wait, 30.0)
            (await client.post("/v1/studies/s:stop")).raise_for_status()
            goes_on.set()
            while client.server.drivers.drives("s"):
                await asyncio.sleep(0.02)
            assert await client.state() == "stopped"

        play(scene)

    def test_what_is_extended_as_it_ends_goes_on(
        self, play: Callable[..., None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ends, goes_on = threading.Event(), threading.Event()

        def run_and_wait(*given: Any, **more: Any) -> Any:
            summary = run_in(*given, **more)
            ends.set()
            goes_on.wait(30.0)
            return summary

        monkeypatch.setattr(drivers, "run_in", run_and_wait)

        async def scene(client: Client) -> None:
            await client.submit(trials=1)
            assert (await client.tell(await client.work())).status_code == 200
            assert await asyncio.to_thread(ends.wait, 30.0)
            (await client.post("/v1/studies/s:extend", {"trials": 2})).raise_for_status()
            goes_on.set()
            assert await client.finish() == 1
            await client.until("finished")
            assert len(await client.trials()) == 2

        play(scene)

    def test_a_deleted_study_is_gone(self, play: Callable[..., None]) -> None:
        async def scene(client: Client) -> None:
            await client.submit(trials=2)
            work = await client.work()
            assert (await client.http.delete("/v1/studies/s")).status_code == 204
            assert (await client.http.get("/v1/studies/s")).status_code == 404
            assert (await client.tell(work)).status_code == 410
            assert (await client.http.delete("/v1/studies/s")).status_code == 404
            await client.submit(trials=1)
            assert await client.finish() == 1

        play(scene)

    def test_failed_slots_are_tried_again_when_asked(self, play: Callable[..., None]) -> None:
        async def scene(client: Client) -> None:
            await client.submit(trials=2)
            work = await client.work()
            await client.fail(work, "failed")
            await client.finish()
            await client.until("finished")
            path = f"/v1/trials/{work['trial']}:retry"
            assert (await client.post(path)).json()["state"] == "queued"
            assert await client.finish() == 1
            states = sorted(t["state"] for t in await client.trials())
            assert states == ["complete", "complete", "failed"]

        play(scene)

    def test_a_slot_is_tried_again_while_its_study_is_run(self, play: Callable[..., None]) -> None:
        """Its driver ends for that, and no other one begins meanwhile."""

        async def scene(client: Client) -> None:
            await client.submit(trials=6)
            for _ in range(5):
                work = await client.work()
                await client.fail(work, "failed")
                path = f"/v1/trials/{work['trial']}"
                while (await client.http.get(path)).json()["state"] != "failed":
                    await asyncio.sleep(0.01)
                answer = await client.post(f"{path}:retry")
                assert answer.status_code == 200, answer.text
            assert await client.finish() == 6

        play(scene)


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [("POST", "/v1/studies/s:stop", 200), ("DELETE", "/v1/studies/s", 204)],
)
def test_a_change_with_a_key_is_done_once_and_answered_alike(
    play: Callable[..., None], method: str, path: str, code: int
) -> None:
    async def scene(client: Client) -> None:
        await client.submit(trials=2)
        await client.work()
        headers = {"Idempotency-Key": "k", "Content-Type": "application/json"}
        first, again = [await client.http.request(method, path, headers=headers) for _ in range(2)]
        assert (first.status_code, first.content) == (code, again.content)
        assert again.status_code == code
        other = await client.http.request("POST", "/v1/studies/t:pause", headers=headers)
        assert (other.status_code, "another request" in other.json()["detail"]) == (422, True)

    async def after_a_restart(client: Client) -> None:
        headers = {"Idempotency-Key": "k", "Content-Type": "application/json"}
        assert (await client.http.request(method, path, headers=headers)).status_code == code

    play(scene, after_a_restart)


class TestSubmitting:
    def test_the_same_again_is_the_one_that_is_there(self, play: Callable[..., None]) -> None:
        async def scene(client: Client) -> None:
            text = STUDY.format(name="s", trials=3, also="[]")
            toml = {"Content-Type": "application/toml"}
            codes = [
                (await client.http.post("/v1/studies", content=t, headers=toml)).status_code
                for t in (text, text, text.replace("-1.0", "-2.0"))
            ]
            assert codes == [201, 200, 409]

        play(scene)

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("name = ", "is not TOML"),
            ('name = "s"\n[objective]\nexternl = true', "did you mean 'external'"),
            ('name = "s"\n[data]\npath = "/etc/passwd"', "not in the server's data folder"),
            ('name = "s"\n[data]\npath = "../s.db"', "not in the server's data folder"),
            ('name = "s"\n[data]\npath = "none.csv"', "neither in the server's data folder nor"),
            (
                'name = "s"\n[data]\nname = "iris"\n[objective]\nestimator = "subprocess.Popen"',
                "the server makes estimators of sklearn",
            ),
        ],
    )
    def test_what_cannot_be_run_is_refused_in_a_sentence(
        self, play: Callable[..., None], text: str, words: str
    ) -> None:
        async def scene(client: Client) -> None:
            toml = {"Content-Type": "application/toml"}
            answer = await client.http.post("/v1/studies", content=text, headers=toml)
            assert answer.status_code == 422
            assert answer.headers["content-type"] == "application/problem+json"
            assert words in answer.json()["detail"]
            assert (await client.get("/v1/studies"))["studies"] == []

        play(scene)

    def test_what_it_would_begin_with_is_looked_for_at_once(
        self, play: Callable[..., None]
    ) -> None:
        async def scene(client: Client) -> None:
            await client.submit("other", trials=2)
            work = await client.work("other")
            for first, words in (
                ("othr", "'othr', which is not here"),
                ("other", "has no winner yet"),
            ):
                body = {"study": EXTERNAL, "first": first}
                answer = await client.post("/v1/studies", body)
                assert (answer.status_code, answer.json()["key"]) == (422, "first")
                assert words in answer.json()["detail"]
            (await client.tell(work)).raise_for_status()
            assert await client.finish("other") == 1
            await client.until("finished", "other")
            body = {"study": EXTERNAL, "first": "other"}
            assert (await client.post("/v1/studies", body)).status_code == 201
            assert await client.finish("t") == 2

        play(scene)

    def test_files_come_along(self, play: Callable[..., None]) -> None:
        async def scene(client: Client) -> None:
            text = 'name = "s"\n[data]\npath = "t.csv"\ntarget = "y"\n[search]\ntrials = 1'
            rows = "x,y\n" + "\n".join(f"{i},{'ab'[i % 2]}" for i in range(60))
            answer = await client.http.post(
                "/v1/studies",
                data={"study": text, "priority": "3"},
                files=[("files", ("t.csv", rows))],
            )
            assert answer.status_code == 201, answer.text
            assert answer.json()["priority"] == 3
            assert answer.json()["kind"] == "network"

        play(scene)

    def test_as_json(self, play: Callable[..., None]) -> None:
        async def scene(client: Client) -> None:
            body = {"study": EXTERNAL | {"name": "s"}, "name": "t", "seed": 7}
            answer = await client.post("/v1/studies", body)
            assert (answer.status_code, answer.json()["name"]) == (201, "t")
            assert await client.finish("t") == 2

        play(scene)


class TestSharing:
    def test_a_study_has_no_more_trials_at_once_than_it_may(
        self, play: Callable[..., None]
    ) -> None:
        async def scene(client: Client) -> None:
            await client.submit(trials=9, max_parallel=2)
            works = [await client.work(agent=f"a{k}") for k in range(2)]
            assert (await client.ask(wait=0.3, agent={"name": "a3"}))["work"] is None
            (await client.tell(works[0])).raise_for_status()
            assert (await client.ask(agent={"name": "a3"}))["work"]

        play(scene)

    def test_a_higher_priority_is_served_first(self, play: Callable[..., None]) -> None:
        async def scene(client: Client) -> None:
            await client.submit("low", trials=5)
            await client.submit("high", trials=5, priority=1)
            for name in ("low", "high"):
                await client.work(name)
            async with asyncio.timeout(30):
                while not all(b.waiting for b in client.server.desk.benches.values()):
                    await asyncio.sleep(0.02)
            asked = (await client.post("/v1/trials:ask?wait=5", {})).json()
            assert asked["work"]["study"] == "high"

        play(scene)

    def test_studies_of_one_priority_share(self, play: Callable[..., None]) -> None:
        async def scene(client: Client) -> None:
            await client.submit("one", trials=8)
            await client.submit("two", trials=8)
            for name in ("one", "two"):
                await client.work(name, agent="agent")
            agent = {"agent": {"name": "agent", "workers": 8}}
            (await client.post("/v1/trials:ask", agent)).raise_for_status()
            async with asyncio.timeout(30):
                while not all(len(b.waiting) > 2 for b in client.server.desk.benches.values()):
                    await asyncio.sleep(0.02)
            for _ in range(3):
                assert (await client.post("/v1/trials:ask?wait=5", agent)).json()["work"]
            assert [b.busy for b in client.server.desk.benches.values()] == [3, 3]

        play(scene)


def test_what_is_not_there_is_404_to_whatever_is_asked_of_it(play: Callable[..., None]) -> None:
    async def scene(client: Client) -> None:
        await client.submit("digits")
        for path in ("", "/trials", "/best", "/advice", "/export", "/report", "/events"):
            answer = await client.http.get(f"/v1/studies/digit{path}")
            assert (path, answer.status_code) == (path, 404)
            assert "did you mean 'digits'?" in answer.json()["detail"]
        for path, body in (
            ("/trials", {"configuration": {}}),
            (":pause", None),
            (":extend", {"trials": 9}),
            (":rank", {}),
        ):
            answer = await client.post(f"/v1/studies/digit{path}", body)
            assert (path, answer.status_code) == (path, 404)

    play(scene)


def test_a_study_grows_to_what_a_file_may_have(play: Callable[..., None]) -> None:
    async def scene(client: Client) -> None:
        await client.submit("s", trials=3)
        assert (await client.post("/v1/studies/s:extend", {"trials": 2})).status_code == 409
        assert (await client.post("/v1/studies/s:extend", {"trials": 10**9})).status_code == 422
        answer = await client.post("/v1/studies/s:extend", {"trials": 5})
        assert answer.raise_for_status().json()["total"] == 5

    play(scene)


def test_a_rank_of_nothing_leaves_a_study_as_it_is(play: Callable[..., None]) -> None:
    async def scene(client: Client) -> None:
        told = await client.submit("s", priority=3)
        answer = await client.post("/v1/studies/s:rank", {})
        assert answer.raise_for_status().json()["priority"] == told["priority"] == 3

    play(scene)


def test_a_second_server_on_the_same_file_is_refused(play: Callable[..., None]) -> None:
    async def scene(client: Client) -> None:
        from hpsearch.errors import UsageError

        with pytest.raises(UsageError, match=r"is served already, at http://127.0.0.1:8765, by"):
            Server(client.server.settings)

    play(scene)


def test_events_say_that_something_has_changed(play: Callable[..., None]) -> None:
    async def scene(client: Client) -> None:
        await client.submit(trials=1)
        heard = []

        async def listen() -> None:
            async for text in client.server.events.follow("s"):
                heard.append(text)  # noqa: PERF401 - while they come

        task = asyncio.create_task(listen())
        await client.finish()
        async with asyncio.timeout(30):
            while not any('"event": "study"' in text for text in heard):
                await asyncio.sleep(0.02)
        task.cancel()

    play(scene)
