"""An agent against a server that does what a test says: nothing is lost, nothing done twice."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import pytest

from hpsearch.errors import RunError
from hpsearch.service import agent as agent_module
from hpsearch.service import link as link_module
from hpsearch.service import models
from hpsearch.service.agent import Agent, Event, check_versions
from hpsearch.service.alike import versions
from hpsearch.service.labour import Done, NotHereError, OnReport
from hpsearch.service.link import AnswerError, Link
from hpsearch.service.models import Error, Work
from hpsearch.service.spool import Spool

URL = "http://server.test/root"
ORDERS = {"order": "continue", "interval": 0.02}
DRAIN = {"order": "drain", "why": "the study 's' is finished"}


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "FIRST", 0.002)
    monkeypatch.setattr(link_module, "LONGEST", 0.01)
    monkeypatch.setattr(agent_module, "SOON", 0.05)


def work(trial: int, **more: Any) -> dict[str, Any]:
    return {
        "trial": str(trial),
        "lease": f"{trial:032x}",
        "seconds": 0.4,
        "interval": 0.02,
        "study": "s",
        "number": trial,
        "configuration": {"x": trial},
    } | more


class Server:
    """Gives out what it has, and notes what it is asked; `fails` may answer in its place."""

    def __init__(self, *works: dict[str, Any], orders: dict[str, list[Any]] | None = None) -> None:
        self.works = list(works)
        self.orders = orders or {}
        self.calls: list[tuple[str, str, dict[str, Any], str]] = []
        self.given: dict[str, Any] = {}
        self.told: dict[str, dict[str, Any]] = {}
        self.keys: dict[str, str] = {}
        self.fails: Callable[[httpx.Request], Awaitable[httpx.Response | None]] | None = None
        self.versions = versions()
        self.ends, self.scope = True, "work"

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        assert request.url.path.startswith("/root/v1/")
        path = unquote(request.url.path).removeprefix("/root/v1/")
        verb = path.rpartition(":")[2] if ":" in path else path
        body = json.loads(request.content or "{}")
        key = request.headers.get("Idempotency-Key", "")
        assert request.method == "GET" or key
        self.calls.append((verb, path, body, key))
        if self.fails is not None and (failed := await self.fails(request)) is not None:
            return failed
        answer = await self.answer(verb, path.rpartition(":")[0].rpartition("/")[2], body, key)
        if verb == "ask" and request.url.params.get("wait") != "0" and not answer.get("work"):
            await asyncio.sleep(0.0 if answer["order"] == "drain" else 0.05)
        return httpx.Response(200 if answer else 204, json=answer or None)

    async def answer(self, verb: str, trial: str, body: dict[str, Any], key: str) -> Any:
        if verb == "server":
            return {"versions": self.versions, "you": {"name": "ann", "scope": self.scope}}
        if verb == "ask":
            if key not in self.given and self.works:
                self.given[key] = {"order": "continue", "work": self.works.pop(0)}
            return self.given.get(key) or (
                DRAIN if self.ends else {"order": "continue", "why": "nothing", "retry": 0.01}
            )
        if verb in ("heartbeat", "report"):
            orders = self.orders.get(trial)
            return orders.pop(0) if orders else ORDERS
        if verb == "tell":
            assert self.keys.setdefault(trial, key) == key
            assert self.told.setdefault(trial, body) == body
            return {"trial": trial, "value": body.get("result", {}).get("value")}
        assert verb == "release"
        return None

    def count(self, verb: str) -> int:
        return sum(call[0] == verb for call in self.calls)


Do = Callable[[Work, OnReport], Awaitable[Done]]


async def at_once(work: Work, on_report: OnReport) -> Done:
    return Done(result={"value": float(work.number or 0)}, seconds=0.5)


class Hands:
    """Does what a test says, and notes what is killed."""

    def __init__(self, do: Do = at_once) -> None:
        self._do, self.killed = do, list[str]()

    async def do(self, work: Work, on_report: OnReport) -> Done:
        try:
            return await self._do(work, on_report)
        except asyncio.CancelledError:
            self.killed.append(work.trial)
            raise


class Lent:
    """An agent of a test."""

    def __init__(
        self, server: Server, folder: Path, do: Do = at_once, *, workers: int = 1,
        studies: tuple[str, ...] = ("s",), kinds: tuple[str, ...] = ("values",),
    ) -> None:  # fmt: skip
        self.server, self.hands, self.events = server, Hands(do), list[Event]()
        transport = httpx.MockTransport(server)
        link = Link(URL, "hp-token", transport=transport, on_contact=self._contact)
        about = models.Agent.model_validate(
            {"name": "a", "workers": workers, "kinds": kinds, "versions": versions()}
        )
        self.agent = Agent(
            link, self.hands, Spool(folder), about, studies=studies, on_event=self.events.append
        )

    def _contact(self, why: str | None) -> None:
        self.events.append(Event("heard" if why is None else "unheard", str(why)))

    async def run(self, beside: Callable[[], Awaitable[object]] | None = None) -> None:
        running = asyncio.create_task(self.agent.run())
        if beside is not None:
            await beside()
        await asyncio.wait_for(running, 10)

    def said(self, name: str) -> list[str]:
        return [event.sentence for event in self.events if event.name == name]


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(2000):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it never came")


def test_it_does_what_it_is_given_and_ends_when_the_study_is_over(tmp_path: Path) -> None:
    server = Server(work(1), work(2), work(3))
    lent = Lent(server, tmp_path, workers=2)
    asyncio.run(lent.run())
    assert server.told["2"] == {"lease": f"{2:032x}", "result": {"value": 2.0}, "seconds": 0.5}
    assert sorted(server.told) == ["1", "2", "3"]
    assert server.calls[1][1] == "studies/s/trials:ask"
    assert lent.said("began")[0] == "s 1 began: x=1"
    assert lent.said("ended")[0] == "s 1 ended: 1"
    assert lent.said("draining") == ["the study 's' is finished"]
    assert not list(tmp_path.iterdir())
    asks = [call[3] for call in server.calls if call[0] == "ask"]
    assert len(set(asks)) == len(asks)


def test_a_request_is_repeated_with_its_key_until_it_is_answered(tmp_path: Path) -> None:
    """A lost answer burns no trial, and a result that was told is not told as another."""
    server = Server(work(1), work(2))
    seen: dict[str, int] = {}

    async def fails(request: httpx.Request) -> httpx.Response | None:
        name = request.url.path.rpartition(":")[2] + request.headers.get("Idempotency-Key", "")
        seen[name] = seen.get(name, 0) + 1
        if seen[name] == 1:
            raise httpx.ConnectError("refused")
        if seen[name] == 2:
            return httpx.Response(503, headers={"Retry-After": "0"}, json={"detail": "busy"})
        if seen[name] == 3:  # it arrives, and the answer does not
            verb, _, body, key = server.calls[-1]
            trial = request.url.path.rpartition(":")[0].rpartition("/")[2]
            await server.answer(verb, trial, body, key)
            raise httpx.ReadError("gone")
        return None

    server.fails = fails
    lent = Lent(server, tmp_path)
    asyncio.run(lent.run())
    assert sorted(server.told) == ["1", "2"]
    assert not server.works
    assert len(server.given) == 2
    assert lent.said("unheard")[0] == "refused"
    assert lent.said("heard")


def test_a_server_that_is_gone_ends_no_trial_and_a_result_is_told_later(tmp_path: Path) -> None:
    server = Server(work(1), work(2))
    gone = False

    async def fails(request: httpx.Request) -> httpx.Response | None:
        if gone:
            raise httpx.ConnectError("refused")
        return None

    async def slowly(work: Work, on_report: OnReport) -> Done:
        nonlocal gone
        gone = work.number == 1
        await asyncio.sleep(0.1)  # several heartbeats
        return await at_once(work, on_report)

    server.fails = fails
    lent = Lent(server, tmp_path, slowly)

    async def beside() -> None:
        nonlocal gone
        await until(lambda: bool(list(tmp_path.glob("*.json"))))
        assert "1" not in server.told
        assert lent.hands.killed == []
        await asyncio.sleep(0.05)
        gone = False

    asyncio.run(lent.run(beside))
    assert sorted(server.told) == ["1", "2"]
    assert not list(tmp_path.iterdir())


def test_a_result_survives_the_agent(tmp_path: Path) -> None:
    server = Server(work(1))
    heard = []

    async def fails(request: httpx.Request) -> httpx.Response | None:
        if request.url.path.endswith(":tell"):
            heard.append(request.headers["Idempotency-Key"])
            raise httpx.ConnectError("refused")
        return None

    server.fails = fails
    lent = Lent(server, tmp_path)
    asyncio.run(lent.run())  # it waits for the length of a lease
    assert lent.said("untold") == [
        "1 result to tell; tries for 0 seconds",
        "a second signal ends it now; the next agent here tells them",
    ]
    assert lent.said("kept") == ["1 result could not be told; the next agent on this machine does"]
    assert len(list(tmp_path.glob("*.json"))) == 1
    again = Server()
    asyncio.run(Lent(again, tmp_path).run())
    assert again.told == {}  # this process lives, and is to tell it
    left_by_dead(tmp_path)
    asyncio.run(Lent(again, tmp_path).run())
    assert again.told["1"]["result"] == {"value": 1.0}
    assert again.keys["1"] == heard[0]
    assert not list(tmp_path.iterdir())


def left_by_dead(folder: Path) -> None:
    """Have all that is kept there be of a process that is gone."""
    for place in folder.iterdir():
        document = json.loads(place.read_text()) | {"process": "999999999:1"}
        place.write_text(json.dumps(document))


def test_a_damaged_spool_holds_nobody_up(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{")
    (tmp_path / "b.json").write_text(
        '{"path": "/v1/server", "content": "", "key": "", "title": ""}'
    )
    server = Server(work(1))
    asyncio.run(Lent(server, tmp_path).run())
    assert sorted(server.told) == ["1"]


@pytest.mark.parametrize(("status", "why"), [(409, "has been finished"), (410, "no such lease")])
def test_a_result_that_nobody_wants_is_dropped(tmp_path: Path, status: int, why: str) -> None:
    server = Server(work(1), work(2))

    async def fails(request: httpx.Request) -> httpx.Response | None:
        if request.url.path.endswith("/1:tell"):
            return httpx.Response(status, json={"detail": why, "value": 3})
        return None

    server.fails = fails
    lent = Lent(server, tmp_path)
    asyncio.run(lent.run())
    assert sorted(server.told) == ["2"]
    assert lent.said("dropped") == [f"what s 1 came to is not wanted: {why}"]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("verb", ["heartbeat", "report"])
def test_stop_kills_that_trial_only(tmp_path: Path, verb: str) -> None:
    stop = {"order": "stop", "why": "somebody else has done it"}
    server = Server(work(1), work(2), orders={"1": [ORDERS, stop]})

    async def do(work: Work, on_report: OnReport) -> Done:
        if work.number == 1:
            if verb == "report":
                on_report(1, 0.5)
                on_report(2, 0.25)
            await asyncio.sleep(60)
        await asyncio.sleep(0.3)
        return await at_once(work, on_report)

    lent = Lent(server, tmp_path, do, workers=2)
    asyncio.run(lent.run())
    assert lent.hands.killed == ["1"]
    assert lent.said("stopped") == ["s 1 was stopped: somebody else has done it"]
    assert sorted(server.told) == ["2"]
    assert server.count("release") == 0


@pytest.mark.parametrize("status", [404, 409, 410])
def test_a_lease_that_is_no_more_stops_its_trial(tmp_path: Path, status: int) -> None:
    server = Server(work(1))

    async def fails(request: httpx.Request) -> httpx.Response | None:
        if request.url.path.endswith(":heartbeat"):
            return httpx.Response(status, json={"detail": "the study was deleted"})
        return None

    async def do(work: Work, on_report: OnReport) -> Done:
        await asyncio.sleep(60)
        raise AssertionError

    server.fails = fails
    lent = Lent(server, tmp_path, do)
    asyncio.run(lent.run())
    assert lent.said("stopped") == ["s 1 was stopped: the study was deleted"]


def test_heartbeats_come_as_the_server_says(tmp_path: Path) -> None:
    slow = {"order": "continue", "interval": 60.0}
    server = Server(work(1), orders={"1": [ORDERS, ORDERS, slow]})

    async def do(work: Work, on_report: OnReport) -> Done:
        await asyncio.sleep(0.3)
        return await at_once(work, on_report)

    asyncio.run(Lent(server, tmp_path, do).run())
    assert server.count("heartbeat") == 3


def test_values_on_the_way_are_told_as_they_come_and_the_others_at_the_end(tmp_path: Path) -> None:
    server = Server(work(1))

    async def do(work: Work, on_report: OnReport) -> Done:
        await asyncio.to_thread(on_report, 1, 0.5)
        await until(lambda: server.count("report") == 1)
        on_report(2, 0.25)  # there is no time left for it
        return Done(result={"value": 0.1}, reports={1: 0.5, 2: 0.25})

    asyncio.run(Lent(server, tmp_path, do).run())
    [report] = [body for verb, _, body, _ in server.calls if verb == "report"]
    assert (report["step"], report["value"]) == (1, 0.5)
    assert server.told["1"]["reports"] == [[2, 0.25]]


def test_drain_lets_what_runs_finish(tmp_path: Path) -> None:
    server = Server(work(1), work(2))
    server.ends = False

    async def do(work: Work, on_report: OnReport) -> Done:
        await asyncio.sleep(0.1)
        return await at_once(work, on_report)

    lent = Lent(server, tmp_path, do)

    async def beside() -> None:
        await until(lambda: bool(lent.said("began")))
        lent.agent.drain()

    asyncio.run(lent.run(beside))
    assert sorted(server.told) == ["1"]
    assert server.works
    assert lent.said("draining") == ["asks for no more; 1 trial to finish first"]
    assert lent.said("drained") == ["all is done and told"]


def test_the_server_may_have_it_drained(tmp_path: Path) -> None:
    drain = {"order": "drain", "interval": 0.02}
    server = Server(work(1), work(2), orders={"1": [drain, drain, drain]})
    server.ends = False

    async def do(work: Work, on_report: OnReport) -> Done:
        await asyncio.sleep(0.1)
        return await at_once(work, on_report)

    lent = Lent(server, tmp_path, do)
    asyncio.run(lent.run())
    assert sorted(server.told) == ["1"]
    assert server.works


def test_an_ask_that_is_under_way_is_taken_back(tmp_path: Path) -> None:
    """It may have been answered while nobody listened any more; the trial is given back."""
    server = Server(work(1))
    asked = asyncio.Event()

    async def fails(request: httpx.Request) -> httpx.Response | None:
        if request.url.path.endswith(":ask") and request.url.params["wait"] != "0":
            _, _, body, key = server.calls[-1]
            await server.answer("ask", "", body, key)
            asked.set()
            await asyncio.sleep(60)
        return None

    server.fails = fails
    lent = Lent(server, tmp_path, studies=())

    async def beside() -> None:
        await asked.wait()
        lent.agent.drain()

    asyncio.run(lent.run(beside))
    asks = [call for call in server.calls if call[0] == "ask"]
    assert len({key for _, _, _, key in asks}) == 1
    assert [call[1] for call in server.calls if call[0] == "release"] == ["trials/1:release"]
    assert lent.said("began") == []


def test_one_signal_ends_what_has_not_met_its_server_yet(tmp_path: Path) -> None:
    server = Server()

    async def fails(request: httpx.Request) -> httpx.Response | None:
        raise httpx.ConnectError("refused")

    server.fails = fails
    lent = Lent(server, tmp_path)

    async def beside() -> None:
        await until(lambda: bool(lent.said("unheard")))
        lent.agent.drain()

    asyncio.run(lent.run(beside))
    assert not lent.agent.was_ended


def test_a_second_signal_gives_back_what_runs_and_ends_at_once(tmp_path: Path) -> None:
    server = Server(work(1), work(2))

    async def do(work: Work, on_report: OnReport) -> Done:
        await asyncio.sleep(60)
        raise AssertionError

    lent = Lent(server, tmp_path, do, workers=2)

    async def beside() -> None:
        await until(lambda: len(lent.said("began")) == 2)
        lent.agent.drain()
        await asyncio.sleep(0.02)
        lent.agent.drain()

    asyncio.run(lent.run(beside))
    assert lent.agent.was_ended
    assert sorted(lent.hands.killed) == ["1", "2"]
    released = sorted(call[1] for call in server.calls if call[0] == "release")
    assert released == ["trials/1:release", "trials/2:release"]
    assert server.told == {}
    assert lent.said("drained") == ["ends now: 2 trials given back"]


def test_a_second_signal_while_the_server_is_away(tmp_path: Path) -> None:
    """What was done lies here, and what runs cannot be given back."""
    server = Server(work(1, seconds=60.0), work(2, seconds=60.0))
    is_away, tried = False, list[str]()

    async def fails(request: httpx.Request) -> httpx.Response | None:
        if is_away:
            tried.append(request.url.path)
            raise httpx.ConnectError("refused")
        return None

    async def do(work: Work, on_report: OnReport) -> Done:
        nonlocal is_away
        is_away = work.number == 2
        await asyncio.sleep(60 if is_away else 0.05)
        return await at_once(work, on_report)

    server.fails = fails
    lent = Lent(server, tmp_path, do, workers=2)

    async def beside() -> None:
        await until(lambda: any(path.endswith(":tell") for path in tried))
        lent.agent.drain()
        await asyncio.sleep(0.02)
        lent.agent.drain()

    asyncio.run(lent.run(beside))
    assert lent.said("draining") == [
        "asks for no more; 1 trial to finish and 1 result to tell first"
    ]
    assert lent.said("kept") == ["1 result not told; the next agent on this machine does"]
    assert lent.said("drained") == ["ends now: 1 trial could not be given back"]


@pytest.mark.parametrize("scope", ["read", "submit"])
def test_a_token_that_may_not_work_is_refused_first(tmp_path: Path, scope: str) -> None:
    server = Server(work(1))
    server.scope = scope
    lent = Lent(server, tmp_path)
    with pytest.raises(RunError, match=f"'ann' has the scope {scope}, .* scope work"):
        asyncio.run(lent.run())
    assert lent.said("connected") == []
    assert server.count("ask") == 0


def test_trials_that_all_fail_at_once_end_it(tmp_path: Path) -> None:
    server = Server(*(work(number) for number in range(20)))

    async def do(work: Work, on_report: OnReport) -> Done:
        if work.number == 3:  # one that does not
            return await at_once(work, on_report)
        return Done(error=Error(sentence="train cannot be started"))

    lent = Lent(server, tmp_path, do)
    with pytest.raises(RunError, match=r"5 trials in a row failed .* train cannot be started"):
        asyncio.run(lent.run())
    assert len(server.told) == 9
    assert server.told["8"]["error"] == {"sentence": "train cannot be started"}


def test_trials_that_ask_to_be_tried_again_do_not(tmp_path: Path) -> None:
    server = Server(*(work(number) for number in range(9)))

    async def do(work: Work, on_report: OnReport) -> Done:
        return Done(error=Error(sentence="exit code 75", kind="again"))

    asyncio.run(Lent(server, tmp_path, do).run())
    assert len(server.told) == 9


def test_a_fault_of_the_agent_itself_is_told(tmp_path: Path) -> None:
    async def breaks(work: Work, on_report: OnReport) -> Done:
        raise ZeroDivisionError("nobody thought of this")

    lent = Lent(Server(work(1), work(2)), tmp_path, breaks)
    with pytest.raises(RunError, match=r"has a fault.*ZeroDivisionError: nobody thought"):
        asyncio.run(lent.run())


def test_what_cannot_be_done_here_is_given_back(tmp_path: Path) -> None:
    server = Server(*(work(number) for number in range(20)))

    async def do(work: Work, on_report: OnReport) -> Done:
        if work.number == 0:
            raise NotHereError("the data cannot be fetched")
        return await at_once(work, on_report)

    lent = Lent(server, tmp_path, do)
    asyncio.run(lent.run())
    assert [call[1] for call in server.calls if call[0] == "release"] == ["trials/0:release"]
    assert lent.said("released") == ["s 0 is given back: the data cannot be fetched"]
    assert len(server.told) == 19


def test_who_has_no_module_asks_for_no_more_functions(tmp_path: Path) -> None:
    """Other studies of the server are not for it to give up."""
    server = Server(*(work(number) for number in range(8)))

    async def do(work: Work, on_report: OnReport) -> Done:
        if work.number == 0:
            raise NotHereError("there is no module", lacks="function")
        return await at_once(work, on_report)

    kinds = ("training", "function")
    asyncio.run(Lent(server, tmp_path, do, studies=(), kinds=kinds).run())
    asked = [body["agent"]["kinds"] for verb, _, body, _ in server.calls if verb == "ask"]
    assert asked[0] == ["training", "function"]
    assert asked[-1] == ["training"]
    assert len(server.told) == 7


def test_what_a_killed_agent_had_is_given_back_by_the_next(tmp_path: Path) -> None:
    spool, here = Spool(tmp_path), Work.model_validate(work(1))
    spool.begin(here)
    server = Server()
    asyncio.run(Lent(server, tmp_path).run())
    assert server.count("release") == 0  # this process lives
    [place] = tmp_path.glob("*.begun")
    dead = json.loads(place.read_text()) | {"process": "999999999:1"}
    place.write_text(json.dumps(dead))
    other = dead | {"machine": "another"}
    (tmp_path / "other.begun").write_text(json.dumps(other))
    (tmp_path / "odd.begun").write_text("[]")
    asyncio.run(Lent(server, tmp_path).run())
    released = [(path, body) for verb, path, body, _ in server.calls if verb == "release"]
    assert released == [("trials/1:release", {"lease": here.lease})]
    assert [path.name for path in tmp_path.iterdir()] == ["other.begun"]
    place.write_text(json.dumps(dead))
    (tmp_path / f"{here.lease}-tell.json").write_text("{")  # which is told instead
    assert list(spool.orphans()) == []


@pytest.mark.parametrize("status", [401, 403])
def test_a_token_that_is_none_ends_it(tmp_path: Path, status: int) -> None:
    server = Server(work(1))

    async def fails(request: httpx.Request) -> httpx.Response | None:
        assert request.headers["Authorization"] == "Bearer hp-token"
        return httpx.Response(status, json={"detail": "this token may not do trials"})

    server.fails = fails
    with pytest.raises(AnswerError, match="this token may not do trials"):
        asyncio.run(Lent(server, tmp_path).run())
    assert len(server.calls) == 1


def test_a_token_that_ends_in_the_middle_costs_no_result(tmp_path: Path) -> None:
    server = Server(work(1), work(2))

    async def fails(request: httpx.Request) -> httpx.Response | None:
        if request.url.path.endswith(("heartbeat", "tell")):
            return httpx.Response(401, json={"detail": "the token has expired"})
        return None

    async def do(work: Work, on_report: OnReport) -> Done:
        await asyncio.sleep(0.1)
        return await at_once(work, on_report)

    server.fails = fails
    lent = Lent(server, tmp_path, do)
    with pytest.raises(AnswerError, match="the token has expired"):
        asyncio.run(lent.run())
    assert server.works
    assert lent.hands.killed == []
    server.fails = None
    left_by_dead(tmp_path)
    asyncio.run(Lent(server, tmp_path).run())
    assert sorted(server.told) == ["1", "2"]


def test_a_study_that_is_not_there_ends_it(tmp_path: Path) -> None:
    server = Server()

    async def fails(request: httpx.Request) -> httpx.Response | None:
        if request.url.path.endswith(":ask"):
            return httpx.Response(404, json={"detail": "there is no study 's'"})
        return None

    server.fails = fails
    with pytest.raises(AnswerError, match="there is no study 's'"):
        asyncio.run(Lent(server, tmp_path).run())


def test_of_several_studies_each_is_asked_until_all_are_over(tmp_path: Path) -> None:
    server = Server()

    async def fails(request: httpx.Request) -> httpx.Response | None:
        if request.url.path.endswith("/a b/trials:ask") and server.count("ask") < 6:
            return httpx.Response(200, json={"order": "continue", "why": "nothing", "retry": 0})
        return None

    server.fails = fails
    lent = Lent(server, tmp_path, studies=("a b", "c"))
    asyncio.run(lent.run())
    asked = [call[1].split("/")[1] for call in server.calls if call[0] == "ask"]
    assert asked[:2] == ["a b", "c"]
    assert set(asked[2:]) == {"a b"}


def test_other_versions_are_refused_for_trainings_only(tmp_path: Path) -> None:
    server = Server()
    server.versions = versions() | {"numpy": "1.0"}
    asyncio.run(Lent(server, tmp_path).run())
    with pytest.raises(RunError, match=r"numpy .*, and the server numpy 1\.0; install the same"):
        asyncio.run(Lent(server, tmp_path, kinds=("training",)).run())
    check_versions(None, versions())
    with pytest.raises(RunError, match="scikit-learn not at all"):
        check_versions({"scikit-learn": "1.9"}, {"python": "3.11"})


def test_what_is_no_server_is_told(tmp_path: Path) -> None:
    server = Server()
    for response, why in [
        (httpx.Response(404, text="<html>"), "404 Not Found and says no more; is it a server of"),
        (httpx.Response(200, text="<html>"), "something else than this version of hpsearch knows"),
        (
            httpx.Response(301, headers={"Location": "https://x/"}),
            "sends its callers to https://x/",
        ),
    ]:

        async def fails(request: httpx.Request, it: Any = response) -> httpx.Response | None:
            return httpx.Response(it.status_code, headers=it.headers, content=it.content)

        server.fails = fails
        with pytest.raises(AnswerError, match=why):
            asyncio.run(Lent(server, tmp_path).run())
