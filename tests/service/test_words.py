"""Every word of the client, said to a server: once as it is, and once for asyncio."""

from __future__ import annotations

import asyncio
import csv
import inspect
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from service.server import serving

import hpsearch
from hpsearch.cli.app import run
from hpsearch.errors import RunError, UnknownNameError, UsageError
from hpsearch.service import requests
from hpsearch.service.models import Agent

pytestmark = pytest.mark.slow


def study(name: str, trials: int = 4) -> dict[str, Any]:
    return {
        "name": name,
        "objective": {"external": True, "metric": "loss", "direction": "minimize"},
        "space": {"x": {"low": -1.0, "high": 1.0}},
        "search": {"trials": trials, "strategy": "random"},
    }


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("words"), "-w", "0") as url:
        yield url


Say = Callable[..., Any]


@pytest.fixture(params=["sync", "async"])
def say(request: pytest.FixtureRequest, url: str) -> Iterator[Say]:
    """Says a word to the server, and gives the answer."""
    if request.param == "sync":
        with hpsearch.Client(url) as client:

            def say(word: str, *given: Any, **named: Any) -> Any:
                answer = getattr(client, word)(*given, **named)
                return list(answer) if inspect.isgenerator(answer) else answer

            say.name = "sync"  # type: ignore[attr-defined]
            yield say
        return
    with asyncio.Runner() as runner:
        other = hpsearch.AsyncClient(url)

        async def saying(word: str, *given: Any, **named: Any) -> Any:
            answer = getattr(other, word)(*given, **named)
            return [x async for x in answer] if inspect.isasyncgen(answer) else await answer

        def say_async(word: str, *given: Any, **named: Any) -> Any:
            return runner.run(saying(word, *given, **named))

        say_async.name = "async"  # type: ignore[attr-defined]
        yield say_async
        runner.run(other.close())


def test_a_study_from_its_submission_to_its_end(say: Say) -> None:
    name = f"whole {say.name}: {{x}}? 50% Ä#"  # type: ignore[attr-defined]
    agent = Agent(name=f"me-{say.name}", kinds=["values"])  # type: ignore[attr-defined]
    with pytest.raises(UsageError, match="without a slash"):
        say("submit", study("a/b"))
    assert say("submit", study(name), priority=3).priority == 3
    assert say("submit", study(name), priority=3).name == name
    with pytest.raises(RunError, match="other settings"):
        say("submit", study(name, 5))
    work = say("ask", name, agent=agent, wait=30.0, seconds=30.0).work
    assert work.seconds == 30.0
    assert work.metric == "loss"
    assert say("heartbeat", work).order == "continue"
    assert say("report_value", work, 1, 0.5).order == "continue"
    assert say("trial", work.trial).holder == agent.name
    assert [(one["name"], len(one["work"])) for one in say("agents") if one["work"]] == [
        (agent.name, 1)
    ]
    say("release", work)
    again = say("ask", name, agent=agent, wait=30.0).work
    assert again.configuration == work.configuration
    assert say("tell", again, 0.25, seconds=1.0).value == 0.25
    with pytest.raises(RunError):  # it was given back, and another has told it
        say("tell", work, 0.75)
    work = say("ask", name, wait=30.0).work
    assert say("tell", work, error="no memory").value is None
    for result in (float("inf"), {"loss": 0.125}):
        work = say("ask", name, wait=30.0).work
        say("tell", work, result)
    assert say("wait", name, timeout=60.0).state == "finished"
    assert say("ask", name).order == "drain"
    assert say("events", name)[-1]["state"] == "finished"
    trials = say("trials", name)
    assert sorted(trial.state for trial in trials) == ["complete", "complete", "failed", "failed"]
    assert say("best", name)["validation"] == 0.125
    assert {one.name for one in say("studies")} >= {name}
    assert len(list(csv.DictReader(io.StringIO(say("export", name).decode())))) == 4
    assert say("export", name, "parquet")[:4] == b"PAR1"
    assert say("report", name).startswith("<!DOCTYPE html>")
    assert say("advice", name)["study"] == name
    assert say("extend", name, 5).total == 5
    assert say("ask", name, wait=30.0).work is not None
    assert say("stop", name).state == "stopped"
    say("delete", name)
    with pytest.raises(UnknownNameError, match="whole"):
        say("study", name)


def test_steering_and_trials_from_elsewhere(say: Say) -> None:
    name = f"steered {say.name}"  # type: ignore[attr-defined]
    say("submit", study(name))
    done = say("ask", name, wait=30.0).work
    say("tell", done, 0.5)
    assert say("add", name, {"x": 0.25}, 0.0625).value == 0.0625
    again = requests.add(name, {"x": 0.25}, 0.0625)
    assert say("send", again).trial == say("send", again).trial  # whose answer was lost
    assert say("pause", name).state == "paused"
    while (work := say("ask", name, wait=0.0).work) is not None:  # it holds in a moment
        say("release", work)
    assert say("resume", name).state in ("queued", "running")
    assert say("rank", name, priority=-5, max_parallel=1).priority == -5
    with pytest.raises(RunError):
        say("retry", done.trial)
    say("stop", name)
    assert "versions" in say("server")


def test_a_number_that_is_not_finite_arrives(say: Say) -> None:
    name = f"infinite {say.name}"  # type: ignore[attr-defined]
    say("submit", study(name, 3))
    for result in (float("inf"), {"loss": float("inf")}, 1.0):
        say("tell", say("ask", name, wait=30.0).work, result)
    say("wait", name, timeout=60.0)
    trials = say("trials", name)
    assert [trial.state for trial in trials] == ["failed", "failed", "complete"]
    assert ["not finite" in trial.why for trial in trials] == [True, True, False]


def test_who_needs_a_token_and_has_none_or_a_wrong_one(tmp_path: Path, capsys: Any) -> None:
    assert (
        run(["token", "add", "ann", "--scope", "read", "--storage", f"{tmp_path}/hpsearch.db"]) == 0
    )
    printed = capsys.readouterr()
    [token] = [word for word in (printed.out + printed.err).split() if word.startswith("hps")]
    with serving(tmp_path, "-w", "0", "--allow-host", "elsewhere") as url:
        with hpsearch.Client(url) as nobody, pytest.raises(UsageError, match="token"):
            nobody.studies()
        with hpsearch.Client(url, token[:-1] + "x") as wrong:
            with pytest.raises(UsageError) as raised:
                wrong.studies()
            assert token[:-1] not in str(raised.value) + repr(wrong)
        with hpsearch.Client(url, token) as reader:
            assert reader.studies() == []
            with pytest.raises(UsageError, match="read") as raised:
                reader.submit(study("mine"))
            assert token not in str(raised.value) + repr(reader)
