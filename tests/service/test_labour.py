"""What is done with a trial: by a program, by a function that lies here, by a training."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest

from hpsearch.data import DataHandle, Dataset, make_splits
from hpsearch.data.store import write_store
from hpsearch.engine.executors.processes import Processes, process_pool
from hpsearch.outcome import Outcome
from hpsearch.service.data import DataCache, etag_of, pack
from hpsearch.service.labour import Done, Labour, NotHereError
from hpsearch.service.models import Work
from hpsearch.service.wire import call_document, from_document
from hpsearch.training.jobs import Job, RefitJob, refit_job, train_job
from hpsearch.trials.arguments import command_of
from hpsearch.trials.estimator import EstimatorJob, fit_job

pytestmark = pytest.mark.slow


@pytest.fixture
def handle(tmp_path: Path) -> DataHandle:
    rng = np.random.default_rng(0)
    y = np.tile([0, 1], 60)
    dataset = Dataset.from_arrays("toy", rng.normal(size=(120, 3)) + y[:, None], y)
    return write_store(tmp_path / "store", dataset, make_splits(dataset.y, folds=2, seed=0))


@pytest.fixture(scope="module")
def pool() -> Iterator[Processes]:
    with process_pool(1) as pool:
        yield pool


def labour(
    folder: Path, pool: Processes | None = None, program: tuple[str, ...] = (), store: str = ""
) -> Labour:
    async def fetch(fingerprint: str, file: IO[bytes], most: int) -> str:
        file.write(b"".join(pack(store, fingerprint)))
        return etag_of(store, fingerprint)

    home = folder / "home"
    home.mkdir(exist_ok=True)
    cache = DataCache(folder / "cache")
    return Labour(pool, program, home, folder / "trials", cache, fetch)


def work(kind: str, **more: Any) -> Work:
    given = {"trial": "7", "lease": "0" * 32, "seconds": 60.0, "interval": 20.0, "study": "a/b"}
    given |= {"kind": kind, "configuration": {"x": 0.5, "how": "fast"}, "stage": "1", "slot": 3}
    return Work.model_validate(given | {"metric": "loss", "direction": "minimize"} | more)


def done(labour: Labour, work: Work, reports: list[tuple[int, float]] | None = None) -> Done:
    noted = [] if reports is None else reports
    return asyncio.run(labour.do(work, lambda step, value: noted.append((step, value))))


PYTHON = """
import json, os, sys
trial = json.load(open(os.environ["HPSEARCH_TRIAL"]))
assert trial["configuration"] == {"x": 0.5, "how": "fast"}, trial
assert os.environ["OMP_NUM_THREADS"] == os.environ["EXPECTED"], os.environ
assert (trial["study"], trial["stage"], trial["slot"], trial["seed"]) == ("a/b", 1, 3, 9), trial
for step in range(2): print(json.dumps({"step": step, "loss": 1 / (step + 1)}), flush=True)
print(json.dumps({"loss": float(sys.argv[1]) - 1, "time": 2}))
"""


@pytest.mark.parametrize("threads", [None, "4"])
def test_a_program_is_told_of_its_trial_and_answers_in_its_own_units(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: str | None
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("EXPECTED", threads or "1")
    if threads is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
    (tmp_path / "train.py").write_text(PYTHON)
    program = (sys.executable, str(tmp_path / "train.py"), "{x}", "--gone={absent}")
    reports: list[tuple[int, float]] = []
    came = done(labour(tmp_path, program=program), work("values", seed=9, also=["time"]), reports)
    assert came.result == {"loss": -0.5, "time": 2.0}
    assert came.reports == {0: 1.0, 1: 0.5}
    assert reports == [(0, 1.0), (1, 0.5)]
    assert came.seconds is not None


SHELL = """#!/bin/sh
echo "{\\"loss\\": $HPSEARCH_X}"
"""

C = """
#include <stdio.h>
#include <stdlib.h>
int main(int n, char **words) { printf("{\\"loss\\": %g}\\n", 2 * atof(words[1])); return 0; }
"""


def test_programs_of_other_languages(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    script = home / "train.sh"
    script.write_text(SHELL)
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    # Named beside the agent, and run in a folder of the trial.
    command = command_of(["train.sh"], home)
    assert done(labour(tmp_path, program=command), work("values")).result == {"loss": 0.5}
    if (compiler := shutil.which("cc")) is None:
        pytest.skip("no compiler of C")
    (home / "train.c").write_text(C)
    subprocess.run([compiler, "-o", "train", "train.c"], cwd=home, check=True)
    command = command_of(["train", "{x}"], home)
    assert done(labour(tmp_path, program=command), work("values")).result == {"loss": 1.0}


@pytest.mark.parametrize(
    ("code", "kind", "why"),
    [
        ("import sys; print('bad', file=sys.stderr); sys.exit(3)", "failed", "exit code 3: bad"),
        ("import sys; sys.exit(75)", "again", "exit code 75"),
        ("import os; os.kill(os.getpid(), 9)", "broken", "signal 9"),
        ("import time; time.sleep(60)", "broken", "longer than trial_seconds allows"),
        ("print('hello')", "failed", "no line of its standard output is a JSON object"),
    ],
)
def test_how_a_program_fails(tmp_path: Path, code: str, kind: str, why: str) -> None:
    came = done(labour(tmp_path, program=(sys.executable, "-c", code)), work("values", limit=1.0))
    assert came.error is not None
    assert came.error.kind == kind
    assert why in came.error.sentence


def test_a_program_that_nobody_wants_any_more_is_ended(tmp_path: Path) -> None:
    code = f"import os, time; open('{tmp_path}/pid', 'w').write(str(os.getpid())); time.sleep(60)"
    hands = labour(tmp_path, program=(sys.executable, "-c", code))

    async def begin_and_cancel() -> None:
        task = asyncio.create_task(hands.do(work("values"), lambda *_: None))
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(begin_and_cancel())
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_trial_that_is_tried_again_finds_its_folder_and_another_has_its_own(
    tmp_path: Path,
) -> None:
    code = (
        "import os, json; print(json.dumps(dict(loss=len(os.listdir())))); open('checkpoint', 'w')"
    )
    hands = labour(tmp_path, program=(sys.executable, "-c", code))
    first = done(hands, work("values")).result
    second = done(hands, work("values")).result
    assert first is not None
    assert second is not None
    assert second["loss"] == first["loss"] + 1

    async def both() -> list[Done]:
        slow = (sys.executable, "-c", code + "; import time; time.sleep(0.3)")
        other = labour(tmp_path, program=slow)
        return await asyncio.gather(*(other.do(work("values"), lambda *_: None) for _ in "ab"))

    counts = sorted(came.result["loss"] for came in asyncio.run(both()) if came.result)
    assert counts == [first["loss"], second["loss"]]


FUNCTION = """
import os
from os import system
WHERE = os.getcwd()
def objective(configuration, trial):
    trial.report(1, 0.75)
    trial.report(2, 0.25)
    return {"loss": configuration["x"] * 2, "seed": trial.seed, "length": trial.resource}
def fails(configuration, trial):
    raise ValueError("never")
def gives_up(configuration, trial):
    import optuna
    trial.report(1, 5.0)
    raise optuna.TrialPruned
def slow(configuration, trial):
    import time
    time.sleep(60)
"""


def test_a_function_of_this_folder_is_called(tmp_path: Path, pool: Processes) -> None:
    hands = labour(tmp_path, pool)
    (hands.home / "own.py").write_text(FUNCTION)
    asked = {"function": "own:objective", "seed": 5, "resource": 8, "also": ["seed", "length"]}
    came = done(hands, work("function", **asked))
    assert came.result == {"loss": 1.0, "seed": 5.0, "length": 8.0}
    assert came.reports == {1: 0.75, 2: 0.25}
    came = done(hands, work("function", function="own:fails"))
    assert came.error is not None
    assert came.error.sentence == "ValueError: never (own.py, line 10)"
    came = done(hands, work("function", function="own:gives_up"))
    assert (came.pruned, came.reports) == (True, {1: 5.0})
    came = done(hands, work("function", function="own:slow", limit=0.5))
    assert came.error is not None
    assert came.error.kind == "broken"


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("os:system", "lies not in"),
        ("subprocess:run", "lies not in"),
        ("own:system", "own.py in .* defines no 'system'"),
        ("own:os.system", "not named as MODULE:NAME"),
        ("own:nothing", "defines no 'nothing'"),
        ("..own:objective", "not named as MODULE:NAME"),
        ("outside:objective", "lies not in"),
        ("linked:objective", "lies not in"),
        ("broken:objective", "cannot be read"),
        ("", "not named as"),
    ],
)
def test_no_other_function_is(tmp_path: Path, path: str, why: str) -> None:
    hands = labour(tmp_path)
    (hands.home / "own.py").write_text(FUNCTION)
    (tmp_path / "outside.py").write_text(FUNCTION)
    (hands.home / "linked.py").symlink_to(tmp_path / "outside.py")
    (hands.home / "broken.py").write_text("def objective(")
    with pytest.raises(NotHereError, match=why):
        done(hands, work("function", function=path))


SETTINGS = {"width": 4, "depth": 1, "learning_rate": 0.1}


def test_a_training_comes_to_the_same_as_where_its_data_are(
    tmp_path: Path, pool: Processes, handle: DataHandle
) -> None:
    hands = labour(tmp_path, pool, store=handle.folder)
    job = Job(handle, SETTINGS, 3, 5)
    came = done(hands, work("training", training=call_document(train_job, job)))
    assert came.outcome is not None
    outcome, direct = from_document(came.outcome, Outcome), train_job(job)
    assert (outcome.curve, outcome.losses) == (direct.curve, direct.losses)
    assert outcome.snapshots == direct.snapshots
    last = RefitJob(handle, SETTINGS, 3, 5)
    came = done(hands, work("training", training=call_document(refit_job, last)))
    assert came.outcome is not None
    there, here = from_document(came.outcome), refit_job(last)
    assert there.predictions.tobytes() == here.predictions.tobytes()
    assert there.state["parameters"].tobytes() == here.state["parameters"].tobytes()


def test_a_training_whose_data_are_damaged_is_done_again_with_others(
    handle: DataHandle, tmp_path: Path, pool: Processes
) -> None:
    """Those that a worker has mapped are forgotten with those that were cut, or changed."""
    labourer, told = labour(tmp_path, pool, store=handle.folder), list[str]()
    labourer = replace(labourer, data=replace(labourer.data, on_damage=told.append))

    def trained(preprocessing: str) -> Done:
        configuration = {"preprocessing": preprocessing, "width": 4}
        training = call_document(train_job, Job(handle, configuration, 1, 2))
        return done(labourer, work("training", training=training))

    def without_times(found: Done) -> Any:
        assert found.error is None
        outcome = found.outcome or {}
        return {k: v for k, v in outcome.items() if k not in ("seconds", "worker")}

    sound = {kind: without_times(trained(kind)) for kind in ("standardize", "pca")}
    home = labourer.data.folder / handle.fingerprint
    for path in home.rglob("*.npy"):  # a page of zeros, beneath what is mapped
        with path.open("r+b") as file:
            file.seek(128)
            file.write(bytes(path.stat().st_size - 128))
    shutil.rmtree(home / "fold-0-pca-1.0")
    os.truncate(home / "X.npy", 100)
    training = call_document(train_job, Job(handle, {"preprocessing": "whiten"}, 1, 2))
    assert done(labourer, work("training", training=training)).error is None
    assert len(told) == 2
    assert "whiten-1.0 are damaged: EOF" in told[0]
    assert told[1].endswith("X.npy has another size")
    assert {kind: without_times(trained(kind)) for kind in sound} == sound


def test_data_that_stay_damaged_are_told_in_a_sentence(
    handle: DataHandle, tmp_path: Path, pool: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    labourer = labour(tmp_path, pool, store=handle.folder)
    training = call_document(train_job, Job(handle, {"preprocessing": "pca"}, 1, 2))
    monkeypatch.setattr("hpsearch.service.data.what_is_wrong", lambda _: "")
    asyncio.run(_hold(labourer, handle.fingerprint))
    os.truncate(labourer.data.folder / handle.fingerprint / "X.npy", 100)
    with pytest.raises(NotHereError, match=r"delete that folder and run again$"):
        done(labourer, work("training", training=training))


async def _hold(labourer: Labour, fingerprint: str) -> None:
    async with labourer.data.holding(fingerprint, labourer.fetch):
        pass


def test_estimators_are_those_of_well_known_packages_or_lie_here(
    tmp_path: Path, pool: Processes, handle: DataHandle
) -> None:
    hands = labour(tmp_path, pool, store=handle.folder)
    (hands.home / "mine.py").write_text(
        "from sklearn.tree import DecisionTreeClassifier\n"
        "def tree():\n"
        "    return DecisionTreeClassifier(max_depth=2)\n"
    )

    def asked(path: str, metric: str = "accuracy") -> Work:
        job = EstimatorJob(
            *(handle, path, "/nowhere", {"random_state": 0}, 0, 1, "", "standardize", 1.0),
            *(("a", "b", "c"), metric),
        )
        return work("training", training=call_document(fit_job, job))

    for path in ("sklearn.tree.DecisionTreeClassifier", "mine:tree", "mine.tree"):
        assert done(hands, asked(path)).outcome is not None
    for path in ("os:abort", "subprocess.Popen", "mine:DecisionTreeClassifier"):
        with pytest.raises(NotHereError, match=r"lies not in|defines no"):
            done(hands, asked(path))
    with pytest.raises(NotHereError, match=r"no module 'xgboost|xgboost"):
        done(hands, asked("xgboost.NoSuchThing"))


@pytest.mark.parametrize(
    "training",
    [None, {}, {"function": "os.system", "job": {}}, {"function": "train_job", "job": {"is": 1}}],
)
def test_a_training_that_nobody_knows_is_given_back(tmp_path: Path, training: Any) -> None:
    with pytest.raises(NotHereError, match="the server asks for what nobody here knows"):
        done(labour(tmp_path), work("training", training=training))


def test_a_training_that_is_stopped_is_killed_and_the_next_one_runs(
    tmp_path: Path, pool: Processes, handle: DataHandle
) -> None:
    hands = labour(tmp_path, pool, store=handle.folder)
    long = call_document(train_job, Job(handle, SETTINGS | {"learning_rate": 1e-6}, 3, 900_000))

    async def begin_and_cancel() -> None:
        task = asyncio.create_task(hands.do(work("training", training=long), lambda *_: None))
        await asyncio.sleep(0.5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    began = time.monotonic()
    asyncio.run(begin_and_cancel())
    short = call_document(train_job, Job(handle, SETTINGS, 3, 1))
    assert done(hands, work("training", training=short)).outcome is not None
    assert time.monotonic() - began < 60


def test_a_worker_that_dies_breaks_its_trial_and_no_other(tmp_path: Path, pool: Processes) -> None:
    hands = labour(tmp_path, pool)
    (hands.home / "dies.py").write_text(
        f"import os\ndef objective(c, t):\n    os.kill(os.getpid(), {int(signal.SIGKILL)})\n"
    )
    came = done(hands, work("function", function="dies:objective"))
    assert came.error is not None
    assert (came.error.kind, "signal 9" in came.error.sentence) == ("broken", True)


def test_whatever_breaks_in_a_worker_costs_its_trial_an_attempt(
    tmp_path: Path, pool: Processes, handle: DataHandle
) -> None:
    job = Job(handle, SETTINGS | {"width": "wide"}, 3, 1)
    hands = labour(tmp_path, pool, store=handle.folder)
    came = done(hands, work("training", training=call_document(train_job, job)))
    assert came.error is not None
    assert came.error.kind in ("broken", "failed")
    assert "wide" in came.error.sentence or "TypeError" in came.error.sentence


def test_who_has_no_program_runs_none(tmp_path: Path) -> None:
    with pytest.raises(NotHereError, match="no program to run"):
        done(labour(tmp_path), work("values"))


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "trials").write_text("")
    with pytest.raises(NotHereError, match="cannot be written"):
        done(labour(tmp_path, program=(sys.executable,)), work("values"))
