"""Servers and agents as processes: the same study as on one machine, whoever is killed."""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from hpsearch.engine import run_study
from hpsearch.storage import load_study, open_storage
from hpsearch.study_file import parse_study_file

pytestmark = pytest.mark.slow

PATIENCE = 200.0

DIGITS = """
name = "small"
[data]
name = "digits"
[training]
epochs = 6
learning_rate = { low = 1e-3, high = 1.0, log = true }
[model]
width = { low = 16, high = 64, log = true }
[search]
strategy = "coarse-to-fine"
trials = 14
"""


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Scene:
    """A server on a port, and agents that come and go."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder, self.stack, self.port = folder, stack, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.database = str(folder / "served.db")

    def start(self, *words: str, log: str) -> subprocess.Popen[bytes]:
        out = self.stack.enter_context((self.folder / log).open("ab"))
        process = subprocess.Popen(
            [sys.executable, "-m", "hpsearch", *words], cwd=self.folder, stdout=out, stderr=out,
            env={**os.environ, "XDG_CACHE_HOME": str(self.folder / "cache")},
        )  # fmt: skip
        self.stack.callback(end, process)
        return process

    def serve(self, *words: str) -> subprocess.Popen[bytes]:
        server = self.start(
            *("serve", "--storage", self.database, "--port", str(self.port), "--workers", "0"),
            *words,
            log="server.log",
        )
        self.until(lambda: httpx.get(f"{self.url}/readyz").status_code == 200)
        return server

    def lend(self, *words: str, log: str = "agent.log") -> subprocess.Popen[bytes]:
        return self.start("agent", self.url, *words, log=log)

    def submit(self, text: str, **options: str) -> None:
        kind = {"Content-Type": "application/toml"}
        answer = httpx.post(f"{self.url}/v1/studies", content=text, headers=kind, params=options)
        assert answer.status_code == 201, answer.text

    def state(self, name: str) -> str:
        try:
            state: str = httpx.get(f"{self.url}/v1/studies/{name}").json()["state"]
        except httpx.HTTPError:
            return "unknown"
        return state

    def until(self, condition: Any) -> None:
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            with suppress(httpx.HTTPError):
                if condition():
                    return
            time.sleep(0.05)
        logs = [path.read_text()[-3000:] for path in sorted(self.folder.glob("*.log"))]
        raise AssertionError("it never came:\n" + "\n---\n".join(logs))


def end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
    process.wait(PATIENCE)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with ExitStack() as stack:
        yield Scene(tmp_path, stack)


def told(storage: str, name: str) -> tuple[list[Any], dict[str, Any]]:
    """A study's trials and result, but for times and who trained them."""
    study = load_study(open_storage(storage, create=False), name)
    trials = sorted(
        (
            str(trial.user_attrs.get("stage")),
            trial.user_attrs.get("slot"),
            trial.state.name,
            trial.value,
            sorted(trial.params.items()),
            sorted(trial.intermediate_values.items()),
            {k: v for k, v in trial.user_attrs.items() if k not in ("seconds", "worker")},
        )
        for trial in study.trials
    )
    result = json.loads(study.user_attrs["hpsearch:result"])
    return trials, {key: value for key, value in result.items() if key != "seconds"}


def test_two_agents_come_to_what_one_machine_does(scene: Scene) -> None:
    scene.serve()
    agents = [
        scene.lend("--workers", "1", "--name", name, log=f"{name}.log") for name in ("one", "two")
    ]
    scene.submit(DIGITS)
    scene.until(lambda: scene.state("small") == "finished")
    here = str(scene.folder / "here.db")
    run_study(parse_study_file(DIGITS), storage=here, workers=1)
    assert told(scene.database, "small") == told(here, "small")
    for agent in agents:
        agent.send_signal(signal.SIGTERM)
        assert agent.wait(PATIENCE) == 0
    for name in ("one", "two"):
        lines = (scene.folder / f"{name}.log").read_text().splitlines()
        assert max(map(len, lines)) <= 80
        assert "lends 1 worker to" in lines[0]
        assert lines[-1].endswith("all is done and told")
        assert any(" small " in line and " ended: 0." in line for line in lines)
    stores = list((scene.folder / "cache" / "hpsearch" / "data").glob("[0-9a-f]*"))
    assert len(stores) == 1  # both used the one


def test_kills_of_server_and_agents_change_nothing(scene: Scene) -> None:
    rng = random.Random(1)
    server = scene.serve("--lease", "2")
    agents = [scene.lend("--workers", "1", "--name", f"a{k}") for k in range(2)]
    scene.submit(DIGITS, baselines="false")
    until = time.monotonic() + PATIENCE
    for kill in range(6):
        time.sleep(rng.uniform(0.3, 1.5))
        if scene.state("small") == "finished":
            break
        if kill % 2:
            server.kill()
            server.wait()
            time.sleep(rng.uniform(0.0, 0.5))
            server = scene.serve("--lease", "2")
        else:
            k = rng.randrange(2)
            agents[k].kill()
            agents[k].wait()
            agents[k] = scene.lend("--workers", "1", "--name", f"b{kill}")
    assert time.monotonic() < until
    scene.until(lambda: scene.state("small") == "finished")
    here = str(scene.folder / "here.db")
    run_study(parse_study_file(DIGITS), storage=here, workers=1, baselines=False)
    assert told(scene.database, "small") == told(here, "small")


EXTERNAL = """
name = "{name}"
[objective]
external = true
metric = "loss"
direction = "minimize"
[space]
x = {{ low = -1.0, high = 1.0 }}
[search]
strategy = "random"
trials = {trials}
"""

PYTHON = """
import json, sys
x = float(sys.argv[1])
for step in range(3):
    print(json.dumps({"step": step, "loss": x * x + 1 / (step + 1)}), flush=True)
print(json.dumps({"loss": x * x}))
"""


def test_a_program_does_the_trials_of_its_study(scene: Scene) -> None:
    (scene.folder / "train.py").write_text(PYTHON)
    (scene.folder / "train.sh").write_text('#!/bin/sh\necho "{\\"loss\\": $HPSEARCH_X}"\n')
    (scene.folder / "train.sh").chmod(0o700)
    scene.serve()
    for name in ("python", "shell"):
        scene.submit(EXTERNAL.format(name=name, trials=6))
    words = ("--workers", "2", "--json", "--study")
    line = (sys.executable, "train.py", "{x}", "--much={y}")
    one = scene.lend(*words, "python", "--", *line, log="python.out")
    two = scene.lend(*words, "shell", "--", "train.sh", log="shell.out")
    for agent in (one, two):  # they end with their studies
        assert agent.wait(PATIENCE) == 0
    for name in ("python", "shell"):
        assert scene.state(name) == "finished"
        events = [
            json.loads(line) for line in (scene.folder / f"{name}.out").read_text().splitlines()
        ]
        assert [event["event"] for event in events].count("ended") == 6
        assert events[-1]["event"] == "drained"
        left_out = [event["name"] for event in events if event["event"] == "left out"]
        assert left_out == (["y"] if name == "python" else [])
    study = load_study(open_storage(scene.database, create=False), "python")
    for trial in study.trials:
        assert trial.value == trial.params["x"] ** 2
        assert len(trial.intermediate_values) == 3


FUNCTION = """
name = "called"
[objective]
function = "mine:objective"
metric = "loss"
direction = "minimize"
[space]
x = { low = -1.0, high = 1.0 }
[search]
strategy = "random"
trials = 4
"""


def test_a_function_is_called_where_it_lies(scene: Scene) -> None:
    (scene.folder / "mine.py").write_text(
        "def objective(configuration, trial):\n    return configuration['x'] ** 2\n"
    )
    scene.serve()
    scene.submit(FUNCTION)
    agent = scene.lend("--study", "called")
    assert agent.wait(PATIENCE) == 0
    assert scene.state("called") == "finished"


ONCE = """
import os
print('{"loss": 1}')
"""


def test_an_agent_whose_program_always_fails_says_so(scene: Scene) -> None:
    # Once it works: a study whose first trials all fail has failed itself.
    once = str(scene.folder / "once")
    (scene.folder / "train.py").write_text(f"{ONCE}os.mkdir({once!r})\n")
    scene.serve()
    scene.submit(EXTERNAL.format(name="s", trials=20))
    agent = scene.lend("--workers", "1", "--study", "s", "--", sys.executable, "train.py")
    assert agent.wait(PATIENCE) == 1
    log = (scene.folder / "agent.log").read_text()
    assert "5 trials in a row failed here within seconds, the last one: exit code 1" in log


def test_two_signals_end_a_program_and_give_its_trial_back(scene: Scene) -> None:
    (scene.folder / "slow.py").write_text(
        "import os, time\nopen('pid', 'w').write(str(os.getpid()))\ntime.sleep(100)\n"
    )
    scene.serve()
    scene.submit(EXTERNAL.format(name="s", trials=1))
    words = ("--workers", "1", "--study", "s", "--", sys.executable, "slow.py")
    agent = scene.lend(*words)
    trials = scene.folder / "cache" / "hpsearch" / "trials"
    scene.until(lambda: [path for path in trials.rglob("pid") if path.read_text()])
    pid = int(next(trials.rglob("pid")).read_text())
    agent.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert agent.poll() is None
    agent.send_signal(signal.SIGINT)
    assert agent.wait(15) == 130
    scene.until(lambda: not Path(f"/proc/{pid}").exists())
    [trial] = httpx.get(f"{scene.url}/v1/studies/s/trials").json()["trials"]
    assert trial["state"] == "waiting"
    assert re.search("1 trial given back", (scene.folder / "agent.log").read_text())


def test_the_program_of_a_killed_agent_ends_and_the_next_agent_has_its_trial_at_once(
    scene: Scene,
) -> None:
    (scene.folder / "slow.py").write_text(
        "import os, time\nopen('pid', 'w').write(str(os.getpid()))\ntime.sleep(100)\n"
    )
    (scene.folder / "train.py").write_text(PYTHON)
    scene.serve("--lease", "1000")
    scene.submit(EXTERNAL.format(name="s", trials=1))
    words = ("--workers", "1", "--study", "s", "--", sys.executable)
    killed = scene.lend(*words, "slow.py")
    trials = scene.folder / "cache" / "hpsearch" / "trials"
    scene.until(lambda: [path for path in trials.rglob("pid") if path.read_text()])
    pid = int(next(trials.rglob("pid")).read_text())
    killed.kill()
    killed.wait()
    scene.until(lambda: not Path(f"/proc/{pid}").exists())
    assert scene.lend(*words, "train.py", "{x}").wait(PATIENCE) == 0
    assert scene.state("s") == "finished"


@contextmanager
def tunnel(folder: Path, port: int) -> Iterator[int]:
    """TLS in front of a port, as a proxy has it; the certificate is cert.pem."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl to make a certificate")
    made = ("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost")
    names = ("-addext", "subjectAltName=DNS:localhost", "-keyout", "key.pem", "-out", "cert.pem")
    subprocess.run([openssl, *made, *names], cwd=folder, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError):
                while piece := await reader.read(1 << 16):
                    writer.write(piece)
                    await writer.drain()
        finally:
            writer.transport.abort()

    async def both(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_server = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pump(reader, to_server[1]), pump(to_server[0], writer))

    async def listen() -> None:
        over = asyncio.Event()
        async with await asyncio.start_server(both, "127.0.0.1", 0, ssl=context) as server:
            number = server.sockets[0].getsockname()[1]
            listening.set_result((number, asyncio.get_running_loop(), over.set))
            await over.wait()

    listening: Future[tuple[int, asyncio.AbstractEventLoop, Callable[[], None]]] = Future()
    thread = threading.Thread(target=lambda: asyncio.run(listen()))
    thread.start()
    number, loop, end = listening.result(PATIENCE)
    try:
        yield number
    finally:
        loop.call_soon_threadsafe(end)
        thread.join()


def test_an_agent_works_over_https_below_a_root_path_with_a_token(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = scene.start("token", "add", "lab", "--scope", "admin", "--storage", scene.database,
                       "--json", log="token.out")  # fmt: skip
    assert made.wait(PATIENCE) == 0
    token = json.loads((scene.folder / "token.out").read_text())["token"]
    (scene.folder / "token").write_text(f"{token}\n")
    scene.serve("--root-path", "/search", "--allow-host", "localhost")
    (scene.folder / "train.py").write_text(PYTHON)
    with tunnel(scene.folder, scene.port) as port:
        monkeypatch.setenv("SSL_CERT_FILE", str(scene.folder / "cert.pem"))
        url, headers = f"https://localhost:{port}/search", {"Authorization": f"Bearer {token}"}
        kind = {"Content-Type": "application/toml"}
        text = EXTERNAL.format(name="s", trials=3)
        answer = httpx.post(f"{url}/v1/studies", content=text, headers=headers | kind)
        assert answer.status_code == 201, answer.text
        for words, code, why in [
            ((), 1, "token"),
            (("--token-file", "token"), 0, "all is done and told"),
        ]:
            program = ("--", sys.executable, "train.py", "{x}")
            log = f"agent-{code}.log"
            agent = scene.start("agent", url, "--study", "s", *words, *program, log=log)
            assert agent.wait(PATIENCE) == code
            assert why in (scene.folder / log).read_text()
            assert token not in (scene.folder / log).read_text()
        study = httpx.get(f"{url}/v1/studies/s", headers=headers).json()
    assert study["state"] == "finished"


@contextmanager
def running(words: Sequence[str]) -> Iterator[subprocess.CompletedProcess[str]]:
    yield subprocess.run(
        [sys.executable, "-m", "hpsearch", "agent", *words],
        capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["nowhere"], "'nowhere' is no URL of a server"),
        (["http://127.0.0.1:9", "--", "true"], "name them with --study"),
        (["http://127.0.0.1:9", "--study", "s", "--", "no-such-program"], "is not there"),
        (["http://127.0.0.1:9", "--token-file", "/nowhere"], "the token cannot be read from"),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence(words: list[str], why: str) -> None:
    with running(words) as done:
        assert done.returncode == 2
        assert why in done.stderr
        assert "Traceback" not in done.stderr
