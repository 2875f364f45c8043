"""The service under load, beside what it should keep and beside peers.

    python benchmarks/service.py                     # everything but peers
    python benchmarks/service.py asks cycle --seconds 30
    python benchmarks/service.py peers

asks      200 agents over HTTP, each with one trial after the other, of 0.3, of 0.2, of no seconds:
          asks answered a second, how long they take, and the server's processor time.
cycle     one client of an idle server: ask, report, tell.
size      an ask, a page of trials, and the study's page, with 1,000 and 100,000 finished trials.
overhead  the digits study at a server with two local workers, beside ``hpsearch run`` of it.
memory    a server with 100 studies of 1,000 trials, after all of them were listed and looked at.
peers     Optuna's gRPC storage proxy, and OSS Vizier's server where it is installed: asks a second.

Server and load share the machine. Every server is a process of its own with a SQLite file.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

AGENTS = 200

TRAININGS = (0.3, 0.2, 0.0)
"""Seconds that a trial takes."""

STUDY = """
name = "{name}"
[objective]
external = true
metric = "loss"
direction = "minimize"
[space]
x = {{ low = -1.0, high = 1.0 }}
rate = {{ low = 1e-4, high = 1.0, log = true }}
width = {{ low = 8, high = 512, log = true }}
[search]
strategy = "random"
trials = {trials}
"""

DIGITS = Path(__file__).parent.parent / "studies" / "digits.toml"


@contextmanager
def server(folder: Path, workers: int = 0) -> Iterator[tuple[str, int]]:
    """A server; its URL and its process."""
    command = [sys.executable, "-m", "hpsearch", "serve", "--port", "0"]
    process = subprocess.Popen(
        [*command, "--storage", str(folder / "s.db"), "--workers", str(workers)],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        found = re.search(r"http://\S+?(?=/ )", line)
        assert found, line
        threading.Thread(target=process.stderr.read, daemon=True).start()
        yield found[0], process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def call(url: str, body: Any = None, kind: str = "application/json", method: str = "") -> Any:
    """A request, and the JSON of its answer."""
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    way = method or ("GET" if data is None else "POST")
    request = urllib.request.Request(url, data, {"Content-Type": kind}, method=way)
    with urllib.request.urlopen(request, timeout=120) as answer:
        content = answer.read()
    return json.loads(content) if answer.headers.get_content_type().endswith("json") else content


def submit(url: str, name: str, trials: int) -> None:
    """Submit an external study."""
    text = STUDY.format(name=name, trials=trials).encode()
    call(f"{url}/v1/studies", text, "application/toml")


# Load


async def _request(reader: Any, writer: Any, path: str, body: Any) -> tuple[int, Any]:
    """A request over a connection that stays; a client that costs as little as can be."""
    data = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    writer.write(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)
    answer = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"content-length: ([0-9]+)", answer, re.IGNORECASE)
    content = await reader.readexactly(int(length[1])) if length else b""
    return int(answer[9:12]), json.loads(content)


async def _agent(port: int, study: str, number: int, end: float, rest: float, asks: Any) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    me = {"agent": {"name": f"agent-{number}", "kinds": ["values"], "workers": 1}}
    await asyncio.sleep(rest * number / AGENTS)
    while time.perf_counter() < end:
        start = time.perf_counter()
        path = f"/v1/studies/{study}/trials:ask?wait=20"
        status, asked = await _request(reader, writer, path, me)
        assert status == 200, asked
        if (work := asked["work"]) is None:
            continue
        asks.append(time.perf_counter() - start)
        await asyncio.sleep(rest)
        told = {"lease": work["lease"], "result": work["configuration"]["x"] ** 2}
        status, answer = await _request(reader, writer, f"/v1/trials/{work['trial']}:tell", told)
        assert status == 200, answer
    writer.close()


def load(port: int, study: str, seconds: float, rest: float) -> list[float]:
    """How long each ask took of `AGENTS` agents, in seconds."""
    asks: list[float] = []

    async def run() -> None:
        end = time.perf_counter() + seconds
        agents = (_agent(port, study, k, end, rest, asks) for k in range(AGENTS))
        await asyncio.gather(*agents)

    asyncio.run(run())
    return sorted(asks)


def asks(seconds: float) -> None:
    """Many agents."""
    for rest in TRAININGS:
        with tempfile.TemporaryDirectory() as folder, server(Path(folder)) as (url, pid):
            submit(url, "load", 1_000_000)
            port = int(url.rpartition(":")[2])
            load(port, "load", 2.0, rest)  # until every agent has asked once
            start, worked = time.perf_counter(), processor_time(pid)
            took = load(port, "load", seconds, rest)
            spent, worked = time.perf_counter() - start, processor_time(pid) - worked
            low, high = took[len(took) // 2], took[int(len(took) * 0.99)]
            print(
                f"asks: {AGENTS} agents, trials of {rest} s: {len(took) / spent:.0f} a second, "
                f"median {1e3 * low:.0f} ms, p99 {1e3 * high:.0f} ms; "
                f"the server works {1e3 * worked / len(took):.2f} ms for each"
            )


def cycle(_: float) -> None:
    """One client."""
    with tempfile.TemporaryDirectory() as folder, server(Path(folder)) as (url, _pid):
        submit(url, "s", 1000)
        port = int(url.rpartition(":")[2])
        took: list[float] = []

        async def run() -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            for _ in range(500):
                start = time.perf_counter()
                ask = "/v1/studies/s/trials:ask?wait=20"
                _status, asked = await _request(reader, writer, ask, {})
                work = asked["work"]
                path, lease = f"/v1/trials/{work['trial']}", work["lease"]
                body = {"lease": lease, "step": 1, "value": 1.0}
                await _request(reader, writer, f"{path}:report", body)
                await _request(reader, writer, f"{path}:tell", {"lease": lease, "result": 0.5})
                took.append(time.perf_counter() - start)

        asyncio.run(run())
        took.sort()
        print(
            f"cycle: ask, report and tell {1e3 * took[len(took) // 2]:.1f} ms, "
            f"p99 {1e3 * took[int(len(took) * 0.99)]:.1f} ms"
        )


# Many trials


def fill(file: Path, name: str, trials: int) -> None:
    """A study of the server with finished trials, as its driver would have written them."""
    from optuna.trial import TrialState, create_trial

    from hpsearch.engine.budget import plan_search
    from hpsearch.engine.identity import keep_study_file, open_study
    from hpsearch.engine.record import running_trial, write_metadata
    from hpsearch.service import queue
    from hpsearch.service.bench import utc_now
    from hpsearch.storage import open_storage
    from hpsearch.study_file import parse_study_file

    study = parse_study_file(STUDY.format(name=name, trials=trials + 100_000))
    measure = study.objective.named_measure
    with open_storage(str(file)) as store:
        target = open_study(store, study, measure)
        keep_study_file(target, study, measure)
        search = plan_search(study)
        write_metadata(target, "totals", [search.trials])
        stage = search.next_stage([])
        assert stage is not None
        space = study.search_space()
        for begin in range(0, trials, 500):
            with store.group():
                for index in range(begin, min(begin + 500, trials)):
                    slot = stage.slot(index, ())
                    trial = running_trial(stage, slot, space, f"{name}{index}")
                    done = create_trial(
                        state=TrialState.COMPLETE,
                        value=float(slot.configuration["x"]) ** 2,  # type: ignore[arg-type]
                        params=trial.params,
                        distributions=trial.distributions,
                        user_attrs={
                            **trial.user_attrs,
                            "why_stopped": "finished",
                            "best_epoch": 1,
                            "seconds": 0.1,
                            "worker": "bench",
                        },
                        intermediate_values={1: 0.5},
                    )
                    store.create_new_trial(target._study_id, template_trial=done)
        now = utc_now()
        options = json.dumps({"baselines": True, "first": None, "who": "bench"})
        row = queue.Queued(
            name, "bench", 0, None, "paused", "", now, now, study.model_dump_json(), options
        )
        with store.transaction() as connection:
            queue.add(connection, row)


def clocked(work: Callable[[], object], times: int = 15) -> float:
    """The median of some calls, in milliseconds, after one that warms up."""
    work()
    took = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        took.append(1e3 * (time.perf_counter() - start))
    return statistics.median(took)


def size(_: float) -> None:
    """Few and many trials."""
    found: dict[int, dict[str, float]] = {}
    for trials in (1_000, 100_000):
        with tempfile.TemporaryDirectory() as folder:
            fill(Path(folder, "s.db"), "s", trials)
            with server(Path(folder)) as (url, _pid):
                study = f"{url}/v1/studies/s"
                call(f"{study}:resume", b"{}")
                call(f"{study}/trials:ask?wait=60", {})

                def cycle(study: str = study, url: str = url) -> None:
                    work = call(f"{study}/trials:ask?wait=60", {})["work"]
                    body = {"lease": work["lease"], "result": 0.5}
                    call(f"{url}/v1/trials/{work['trial']}:tell", body)

                since = 0
                while (page := call(f"{study}/trials?since={since}"))["more"]:
                    since = page["since"]
                    if trials == 1_000:
                        break
                found[trials] = {
                    "an ask and a tell": clocked(cycle, 50),
                    "a page of 500 trials": clocked(
                        lambda study=study: call(f"{study}/trials?since=0&limit=500")  # type: ignore[misc]
                    ),
                    "the study": clocked(lambda study=study: call(study)),  # type: ignore[misc]
                    "the study's page": clocked(
                        lambda study=study, url=url: (  # type: ignore[misc]
                            call(f"{url}/studies/s"),
                            call(f"{study}/document"),
                        ),
                        5,
                    ),
                }
    for what in found[1_000]:
        few, many = found[1_000][what], found[100_000][what]
        print(
            f"size: {what}: {few:.1f} ms at 1,000 trials, {many:.1f} at 100,000: {many / few:.2f}"
        )


def overhead(_: float) -> None:
    """The server beside the command."""
    ran, served = [], []
    for _round in range(3):
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            command = [sys.executable, "-m", "hpsearch", "run", str(DIGITS), "--no-check"]
            command += ["--storage", f"{folder}/r.db", "--workers", "2"]
            subprocess.run(command, check=True, capture_output=True)
            ran.append(time.perf_counter() - start)
            with server(Path(folder), workers=2) as (url, _pid):
                time.sleep(2.0)  # its workers have started
                start = time.perf_counter()
                call(f"{url}/v1/studies", DIGITS.read_bytes(), "application/toml")
                while call(f"{url}/v1/studies/digits")["state"] != "finished":
                    time.sleep(0.05)
                served.append(time.perf_counter() - start)
    run, serve = statistics.median(ran), statistics.median(served)
    print(f"overhead: digits by `hpsearch run` {run:.1f} s, by the server {serve:.1f} s: ", end="")
    print(f"{serve / run:.2f} times")


def memory(_: float) -> None:
    """Many studies."""
    with tempfile.TemporaryDirectory() as folder:
        for number in range(100):
            fill(Path(folder, "s.db"), f"s{number}", 1_000)
        with server(Path(folder)) as (url, pid):
            first = resident(pid)
            for study in call(f"{url}/v1/studies")["studies"]:
                call(f"{url}/v1/studies/{study['name']}/trials")
                call(f"{url}/v1/studies/{study['name']}/document")
            print(
                f"memory: {first:.0f} MB at the start, {resident(pid):.0f} MB after looking at all"
            )


def processor_time(pid: int) -> float:
    """What a process has computed so far, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid: int) -> float:
    """A process's resident memory in MB."""
    text = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s+([0-9]+) kB", text)
    assert found
    return int(found[1]) / 1024


# Peers

OPTUNA = """
import sys, time, threading
import optuna
from optuna.storages import GrpcStorageProxy
optuna.logging.set_verbosity(optuna.logging.ERROR)
port, clients = int(sys.argv[1]), int(sys.argv[3])
seconds, rest = float(sys.argv[2]), float(sys.argv[4])
took = []
end = time.perf_counter() + seconds
def run(k):
    storage = GrpcStorageProxy(host="127.0.0.1", port=port)
    sampler = optuna.samplers.RandomSampler(seed=k)
    study = optuna.load_study(study_name="s", storage=storage, sampler=sampler)
    while time.perf_counter() < end:
        start = time.perf_counter()
        trial = study.ask()
        x = trial.suggest_float("x", -1, 1)
        trial.suggest_float("rate", 1e-4, 1.0, log=True)
        trial.suggest_int("width", 8, 512, log=True)
        took.append(time.perf_counter() - start)
        time.sleep(rest)
        study.tell(trial, x * x)
threads = [threading.Thread(target=run, args=(k,)) for k in range(clients)]
[t.start() for t in threads]; [t.join() for t in threads]
took.sort()
low, high = took[len(took) // 2], took[int(len(took) * .99)]
print(f"{len(took) / seconds:.0f} a second, median {1e3 * low:.0f} ms, p99 {1e3 * high:.0f} ms")
"""

PROXY = """
import sys
import optuna
from optuna.storages import RDBStorage, run_grpc_proxy_server
storage = RDBStorage(f"sqlite:///{sys.argv[1]}")
optuna.create_study(study_name="s", storage=storage)
run_grpc_proxy_server(storage, host="127.0.0.1", port=int(sys.argv[2]))
"""


def peers(seconds: float) -> None:
    """Others who hand out trials."""
    with tempfile.TemporaryDirectory() as folder:
        port = 13_000 + os.getpid() % 1000
        proxy = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", PROXY, f"{folder}/o.db", str(port)],
            stderr=subprocess.DEVNULL,
        )
        try:
            time.sleep(6.0)
            for clients, rest in ((20, TRAININGS[0] * 20 / AGENTS), (20, 0.0)):
                command = [sys.executable, "-W", "ignore", "-c", OPTUNA]
                words = [str(port), str(seconds), str(clients), str(rest)]
                found = subprocess.run([*command, *words], capture_output=True, text=True)
                told = found.stdout.strip() or f"failed: {found.stderr.strip()[-200:]}"
                print(f"peers: Optuna's gRPC proxy, {clients} clients, trials of {rest} s: {told}")
        finally:
            proxy.kill()
            proxy.wait()


PARTS = {
    "asks": asks,
    "cycle": cycle,
    "size": size,
    "overhead": overhead,
    "memory": memory,
    "peers": peers,
}


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="default: all but peers")
    parser.add_argument("--seconds", type=float, default=15.0, help="of each load")
    options = parser.parse_args()
    for name in options.parts or [name for name in PARTS if name != "peers"]:
        PARTS[name](options.seconds)
        sys.stdout.flush()


if __name__ == "__main__":
    main()
