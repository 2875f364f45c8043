"""Exactly once: studies whose driver and workers are killed at random, beside undisturbed ones.

    python benchmarks/kills.py                    # 200 kills, over all strategies below
    python benchmarks/kills.py --kills 9 --seed 1
    python benchmarks/kills.py --objective command
    python benchmarks/kills.py --service          # the server and its agents
    python benchmarks/kills.py --service --postgres postgresql://user@host

Each study is run by the command line until it is finished, with 1, 2 and 4 workers in turn, while
after random (seeded) delays SIGKILL, SIGTERM or SIGINT hits the driver or SIGKILL a worker; what a
driver could answer is sent once it can. Then its trials are compared with those of an undisturbed
run: the same slots, parameters, distributions, seeds, curves and values, bit for bit, each slot
finished once, and no process left behind.

A function and a program (``--objective``) train in small steps, keep a checkpoint of each in their
trial's folder, and go on from it. They hold a lock of that folder, the program with a child that
never ends by itself, and tell if somebody else has it: two attempts of a slot at once.

With ``--service`` a server runs the study, and two agents do its trials; SIGKILL and SIGTERM hit
any of the three, which is started again at once. The numbers of trials are left out of the
comparison, since agents are not equally fast. The exit code is 1 if anything differs.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from hpsearch.trials.guard import GRACE

OBJECTIVES = {
    "network": """
[data]
name = "digits"
[model]
width = { low = 16, high = 64, log = true }
[training]
epochs = 12
""",
    "estimator": """
[data]
name = "digits"
[objective]
estimator = "sklearn.ensemble.RandomForestClassifier"
resource = { name = "n_estimators", full = 12, least = 3 }
[space]
max_depth = { low = 2, high = 12 }
min_samples_leaf = { low = 1, high = 20, log = true }
""",
    "function": """
[objective]
function = "train:objective"
metric = "loss"
direction = "minimize"
resource = { name = "steps", full = 12, least = 3 }
[space]
x = { low = -5.0, high = 5.0 }
y = { low = 0.01, high = 10.0, log = true }
""",
}
OBJECTIVES["command"] = OBJECTIVES["function"].replace(
    'function = "train:objective"',
    f'command = ["{sys.executable}", "-S", "-E", "train.py", "{{x}}", "{{y}}"]',
)
POINTS = {
    "network": "decay = 1\nl2 = 1",
    "estimator": "max_depth = 6\nmin_samples_leaf = 6",
    "function": "x = 6\ny = 6",
    "command": "x = 6\ny = 6",
}
STRATEGIES = {"coarse-to-fine": 40, "guided": 40, "random": 36, "grid": 36}
TRAIN = """
import fcntl, json, os, random, signal, sys, time

def steps(x, y, seed, length, folder):
    lock = open(os.path.join(folder, "lock"), "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        open(os.path.join(folder, "twice"), "w").close()
        sys.exit("somebody else trains in this folder")
    kept = os.path.join(folder, "checkpoint")
    done = json.load(open(kept)) if os.path.exists(kept) else []
    for step, loss in enumerate(done, start=1):
        yield step, loss
    for step in range(len(done) + 1, length + 1):
        time.sleep(0.01)
        noise = random.Random(seed + step).random()
        done.append((x - 1) ** 2 + y + (noise + 1) / step)
        with open(kept + ".new", "w") as file:
            json.dump(done, file)
        os.replace(kept + ".new", kept)
        yield step, done[-1]
    lock.close()

def objective(configuration, trial):
    given = configuration["x"], configuration["y"], trial.seed, trial.resource
    for step, loss in steps(*given, str(trial.folder)):
        trial.report(step, loss)
    return loss

if __name__ == "__main__":
    seed, length = (int(os.environ["HPSEARCH_" + name]) for name in ("SEED", "RESOURCE"))
    def end(*_):  # slowly
        time.sleep(seed % 3 * 0.2)
        os._exit(1)
    for step, loss in steps(float(sys.argv[1]), float(sys.argv[2]), seed, length, "."):
        if step == 1:
            if os.fork() == 0:
                time.sleep(600)
            signal.signal(signal.SIGTERM, end)
        print(json.dumps({"step": step, "loss": loss}), flush=True)
    print(json.dumps({"loss": loss}))
"""
VICTIMS = (
    ("driver", signal.SIGKILL),
    ("driver", signal.SIGKILL),
    ("worker", signal.SIGKILL),
    ("worker", signal.SIGKILL),
    ("driver", signal.SIGTERM),
    ("driver", signal.SIGINT),
)


def command(study: Path, database: Path, workers: int) -> list[str]:
    """The command that runs a study."""
    storage = f"sqlite:///{database}"
    arguments = ["run", str(study), "--storage", storage, "--workers", str(workers)]
    arguments.append("--no-baselines")
    return [sys.executable, "-m", "hpsearch", *arguments]


def children(pid: int) -> list[int]:
    """The workers of a driver, and the process that they are forked from."""
    parents, words = {}, {}
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, IndexError):
            parents[int(entry.name)] = int(
                (entry / "stat").read_text().rpartition(")")[2].split()[1]
            )
            words[int(entry.name)] = (entry / "cmdline").read_bytes()
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return [one for one in found[1:] if b"forkserver" in words.get(one, b"")]


def listens(pid: int) -> bool:
    """Whether a driver has begun: before that Python alone decides what a signal does to it.

    Python itself listens to SIGINT from its first moment, also while it gets ready and takes it for
    a fault; it never listens to SIGTERM.
    """
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("SigCgt:"):
                return bool(int(line.split()[1], 16) >> (signal.SIGTERM - 1) & 1)
    return False


def essence(storage: str, *, numbers: bool = True) -> dict[tuple[int, int], tuple[object, ...]]:
    """What must be the same however a study was run.

    Args:
        storage: a URL of Optuna's.
        numbers: whether the numbers of trials are a part of that.

    Raises:
        AssertionError: a slot is there twice, or is not finished.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.load_study(study_name="study", storage=optuna.storages.RDBStorage(storage))
    found: dict[tuple[int, int], tuple[object, ...]] = {}
    for t in study.trials:
        a = t.user_attrs
        key = (int(a["stage_index"]), int(a["slot"]))
        assert key not in found, f"slot {key} has two trials"
        assert t.state.name in ("COMPLETE", "PRUNED"), f"slot {key} is {t.state.name}"
        own = {k: a[k] for k in ("seed", "epochs", "why_stopped", "best_epoch", "training")}
        number = t.number if numbers else None
        found[key] = (number, t.params, t.distributions, t.values, t.intermediate_values, own)
    return found


def disturbed(study: Path, database: Path, rng: random.Random, kills: int) -> int:
    """Run a study to its end, disturbing it; return how many kills there were."""
    done = 0
    for workers in itertools.cycle((1, 2, 4)):
        driver = subprocess.Popen(
            command(study, database, workers),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        seen: set[int] = set()
        while driver.poll() is None and done < kills:
            time.sleep(rng.uniform(0.05, 1.2) if not seen else rng.uniform(0.02, 0.4))
            workers_now = children(driver.pid)
            seen |= set(workers_now)
            victim, number = rng.choice(VICTIMS)
            pid = driver.pid if victim == "driver" else rng.choice(workers_now or [0])
            ready = number == signal.SIGKILL or listens(pid)
            if pid and ready and driver.poll() is None:
                try:
                    os.kill(pid, number)
                except ProcessLookupError:
                    continue
                done += 1
                if victim == "driver":
                    break
        _, complaint = driver.communicate(timeout=300)
        _gone(seen)
        if driver.returncode == 0:
            return done
        # A signal that comes while Python ends, its handlers gone, ends it as it would any program.
        allowed = (
            -signal.SIGKILL,
            128 + signal.SIGTERM,
            128 + signal.SIGINT,
            -signal.SIGTERM,
            -signal.SIGINT,
        )
        assert driver.returncode in allowed, f"exit code {driver.returncode}: {complaint}"
    raise AssertionError("the cycle has no end")


class Started:
    """A command that is started again whenever it has ended.

    Args:
        folder: where it runs.
        words: of the command.
    """

    def __init__(self, folder: Path, *words: str) -> None:
        self._folder, self._words = folder, words
        self.start()

    def start(self) -> None:
        """Start it, also where it is at work."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "hpsearch", *self._words],
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def hit(self, number: int) -> None:
        """Send it a signal, and start it again once it is gone."""
        self.process.send_signal(number)
        self.process.wait(120)
        self.start()

    def end(self) -> None:
        """Kill it for good."""
        self.process.kill()
        self.process.wait()


def served(study: Path, storage: str, rng: random.Random, kills: int, objective: str) -> int:
    """Have a server and two agents do a study, and disturb them; how many kills there were."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url, folder = f"http://127.0.0.1:{port}", study.parent
    serve = ["serve", "--port", str(port), "--workers", "0", "--lease", "20", "--storage", storage]
    agent = ["agent", url, "--workers", "1", "--cache", str(folder / "cache")]
    if objective == "command":
        agent += ["--study", "study", "--", sys.executable, "-S", "-E", "train.py", "{x}", "{y}"]
    started, done = [Started(folder, *serve)], 0
    try:
        answered(f"{url}/v1/studies", study.read_bytes())
        started += [Started(folder, *agent), Started(folder, *agent)]
        while answered(f"{url}/v1/studies/study")["state"] != "finished":
            time.sleep(rng.uniform(0.3, 2.5))
            for one in started:
                if one.process.poll() is not None:  # an agent that found no server gives up
                    one.start()
            state = answered(f"{url}/v1/studies/study")
            assert state["state"] in ("queued", "running", "finished"), state["why"]
            if done < kills and state["state"] != "finished":
                rng.choice(started).hit(
                    rng.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGTERM))
                )
                done += 1
    finally:
        for one in started:
            one.end()
    return done


def answered(url: str, body: bytes | None = None, patience: float = 120.0) -> Any:
    """The JSON of an answer, asked for until the server is there."""
    end = time.monotonic() + patience
    while True:
        try:
            request = urllib.request.Request(url, body, {"Content-Type": "application/toml"})
            with urllib.request.urlopen(request, timeout=20) as answer:
                return json.load(answer)
        except OSError:
            assert time.monotonic() < end, f"no answer from {url}"
            time.sleep(0.2)


@contextmanager
def storage_of(folder: Path, name: str, postgres: str | None) -> Iterator[str]:
    """A new database: a file, or one of a server's, which is gone at the end."""
    if postgres is None:
        yield f"sqlite:///{folder / name}.db"
        return
    import sqlalchemy as sa

    url = sa.make_url(postgres).set(drivername="postgresql+psycopg")
    server = sa.create_engine(url.set(database="postgres"), isolation_level="AUTOCOMMIT")
    own = "hpsearch_kills_" + re.sub(r"\W", "_", name)
    with server.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {own} WITH (FORCE)")
        connection.exec_driver_sql(f"CREATE DATABASE {own}")
    try:
        yield url.set(database=own).render_as_string(hide_password=False)
    finally:
        with server.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {own} WITH (FORCE)")


def programs(folder: Path) -> set[int]:
    """The processes of all trials below a folder."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"HPSEARCH_FOLDER={folder}/".encode() in (entry / "environ").read_bytes():
                found.add(int(entry.name))
    return found


def _gone(pids: set[int], patience: float = 10.0) -> None:
    """Wait until processes have ended; a killed driver's workers have to notice by themselves."""
    deadline = time.monotonic() + patience
    while left := [pid for pid in pids if Path(f"/proc/{pid}").exists()]:
        assert time.monotonic() < deadline, f"processes {left} outlived their driver"
        time.sleep(0.05)


def write_study(path: Path, objective: str, strategy: str) -> None:
    """Write a study file, and beside it the module or the program that it names."""
    path.with_name("train.py").write_text(TRAIN)
    search = f'[search]\nstrategy = "{strategy}"\ntrials = {STRATEGIES[strategy]}\n'
    if strategy == "grid":
        search += f"[search.points]\n{POINTS[objective]}\n"
    path.write_text(f'name = "study"\nseed = 5\n{OBJECTIVES[objective]}{search}')


def main() -> int:
    """Kill, compare, tell."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    parser.add_argument("--objective", choices=list(OBJECTIVES), default="network")
    parser.add_argument("--kills", type=int, default=200, help="how many in all, at least")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--service", action="store_true", help="a server and its agents")
    parser.add_argument("--postgres", metavar="URL", help="of a server; the user makes databases")
    options = parser.parse_args()
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    rng = random.Random(options.seed)
    wrong = kills = rounds = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        whole: dict[str, Any] = {}
        for strategy in STRATEGIES:
            study, database = folder / f"{strategy}.toml", folder / f"{strategy}.db"
            write_study(study, options.objective, strategy)
            subprocess.run(command(study, database, 2), check=True, capture_output=True)
            whole[strategy] = essence(f"sqlite:///{database}", numbers=not options.service)
        while kills < options.kills:
            for strategy, expected in whole.items():
                study = folder / f"{strategy}.toml"
                share = -(-options.kills // (len(whole) * max(1, options.kills // 40)))
                with storage_of(folder, f"{strategy}-{rounds}", options.postgres) as storage:
                    if options.service:
                        done = served(study, storage, rng, share, options.objective)
                    else:
                        database = folder / f"{strategy}-{rounds}.db"
                        done = disturbed(study, database, rng, share)
                    same = essence(storage, numbers=not options.service) == expected
                kills, wrong = kills + done, wrong + (not same)
                verdict = "the same, bit for bit" if same else "DIFFERENT"
                print(f"{strategy}: {len(expected)} trials, {done} kills, {verdict}", flush=True)
            rounds += 1
        _gone(programs(folder), 2 * GRACE)
        twice = len(list(folder.glob("*.trials/*/*/twice")))
    print(f"{kills} kills, {len(whole) * rounds} studies, {wrong} different", end="")
    print(f"; two attempts at once: {twice}")
    return 1 if wrong or twice else 0


if __name__ == "__main__":
    sys.exit(main())
