"""A program as an objective: how values reach it, how it answers, and how it ends."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest

from hpsearch.engine import run_study
from hpsearch.errors import RunError, StudyFileError, UsageError
from hpsearch.objectives.command import CommandObjective
from hpsearch.outcome import Outcome, Place, ProcessDiedError, TrialFailedError, TryAgainError
from hpsearch.search.base import Slot
from hpsearch.storage import load_study, open_storage
from hpsearch.study_file import StudyFile, load_study_file
from hpsearch.trials import command as trial_of_a_command
from hpsearch.trials.arguments import filled
from hpsearch.trials.command import ERRORS, FOLDER, OUTPUT, RESULT, CommandJob, run_job
from hpsearch.trials.guard import GRACE
from hpsearch.trials.result import Asked

pytestmark = pytest.mark.slow

PATIENCE = 30.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "a folder" / "0-0"


@pytest.fixture
def run(tmp_path: Path, folder: Path) -> Callable[..., Outcome]:
    """Run a program of Python as a trial."""

    def run(
        program: str, *arguments: str, limit: float | None = None, also: tuple[str, ...] = ()
    ) -> Outcome:
        asked = Asked("loss", maximize=False, also=also)
        parts = (sys.executable, "-c", program, *arguments)
        place = Place(str(tmp_path), "here")
        given = CommandJob(place, parts, {"HPSEARCH_X": "2"}, "{}", str(folder), asked, limit)
        return run_job(given)

    return run


class TestAnswers:
    def test_lines_on_the_way_and_the_last_one(self, run: Any, folder: Path) -> None:
        outcome = run(
            "import sys, json\n"
            "print('starting')\n"
            "for step in range(3): print(json.dumps({'step': step, 'loss': 1 / (step + 1)}))\n"
            "print('{broken')\n"
            "print('[1, 2]')\n"
            'print(\'{"step": "x", "loss": 1}\')\n'
            "print(json.dumps({'loss': 0.25, 'time': 3}))\n"
            "print('done')\n"
            "print('a word', file=sys.stderr)\n",
            also=("time",),
        )
        assert outcome.score == -0.25
        assert outcome.by_step == {0: -1.0, 1: -0.5, 2: -1 / 3}
        assert outcome.also == {"time": 3.0}
        assert outcome.tail == "a word"
        assert (folder / OUTPUT).read_text().splitlines()[0] == "starting"
        assert (folder / ERRORS).read_text() == "a word\n"

    def test_the_last_line_may_lack_its_end_and_be_a_report(self, run: Any) -> None:
        assert run("""print('{"step": 1, "loss": 0.5}', end='')""").score == -0.5

    def test_a_line_may_stand_behind_a_bar_of_progress(self, run: Any) -> None:
        assert run("""print('10%\\r100%\\r{"loss": 0.5}\\r')""").score == -0.5

    def test_a_file_instead(self, run: Any) -> None:
        program = (
            "import os\n"
            "open(os.environ['RESULT'], 'w').write('{\"loss\": 0.75}')\n"
            "print('{\"loss\": 1}')"
        )
        program = program.replace("os.environ['RESULT']", "'result.json'")
        assert run(program).score == -0.75
        with pytest.raises(TrialFailedError, match=f"{RESULT} is no JSON"):
            run("open('result.json', 'w').write('{')")
        with pytest.raises(TrialFailedError, match=f"{RESULT} has 3; it is to be an object"):
            run("open('result.json', 'w').write('3')")

    def test_a_file_without_end_is_no_result(self, run: Any) -> None:
        with pytest.raises(TrialFailedError, match="it wrote nothing"):
            run(f"import os; os.mkfifo('{RESULT}')")
        with pytest.raises(TrialFailedError, match="it wrote nothing"):
            run(f"import os; os.symlink('/dev/zero', '{RESULT}')")
        with pytest.raises(TrialFailedError, match=rf"{RESULT} has 2 MB; .* 1048576 bytes at most"):
            run(f"open('{RESULT}', 'w').write('[' + ' ' * 1_999_999)")

    def test_one_that_deletes_its_folder_has_answered_all_the_same(
        self, run: Any, folder: Path
    ) -> None:
        program = "import os, shutil; shutil.rmtree(os.getcwd()); print('{\"loss\": 1}')"
        assert run(program).score == -1.0
        assert not folder.exists()

    def test_the_file_of_an_attempt_before_is_no_answer(self, run: Any, folder: Path) -> None:
        folder.mkdir(parents=True)
        (folder / RESULT).write_text('{"loss": 0.1}')
        with pytest.raises(TrialFailedError, match="no line of its standard output is a JSON"):
            run("pass")

    @pytest.mark.parametrize(
        ("program", "sentence"),
        [
            ("pass", "no line of its standard output is a JSON object, as in .*; it wrote nothing"),
            ("print('loss 3')", "its last line is 'loss 3'"),
            ("print('{\"loss\": 1')", r"its last line is '\{\"loss\": 1'"),
            ("print('{\"los\": 1}')", "the result has no 'loss'; it has los"),
            ("print('{\"loss\": NaN}')", "loss is nan, which is not finite"),
            ('print(\'{"loss": "1"}\')', "loss is '1', which is no number"),
            ("raise ValueError('too large')", "exit code 1: .*ValueError: too large"),
            ("raise SystemExit(3)", "exit code 3, without a word"),
            ("import sys; sys.exit('no\\n  ^^^^\\n  card')", "exit code 1: no [|] card$"),
        ],
    )
    def test_what_is_no_answer_fails_in_one_sentence(
        self, run: Any, program: str, sentence: str
    ) -> None:
        with pytest.raises(TrialFailedError, match=sentence):
            run(program)

    def test_a_temporary_failure_is_to_be_tried_again(self, run: Any) -> None:
        with pytest.raises(TryAgainError, match="exit code 75: no licence"):
            run("import sys; print('no licence', file=sys.stderr); sys.exit(75)")

    def test_one_that_a_signal_ended_may_be_nobody_s_fault(self, run: Any) -> None:
        with pytest.raises(ProcessDiedError, match=r"the process died \(signal 9\)"):
            run("import os; os.kill(os.getpid(), 9)")

    def test_what_cannot_be_started_is_a_sentence(self, tmp_path: Path, folder: Path) -> None:
        asked = Asked("loss", maximize=False)
        given = CommandJob(
            Place(str(tmp_path), "x"), ("/nowhere/x",), {}, "", str(folder), asked, None
        )
        with pytest.raises(TrialFailedError, match="/nowhere/x cannot be started: No such file"):
            run_job(given)

    def test_a_folder_that_cannot_be_written_ends_the_run(self, run: Any, folder: Path) -> None:
        folder.parent.write_text("a file in its place")
        with pytest.raises(
            RunError, match="cannot be written: Not a directory; look what is in its way"
        ):
            run("pass")

    def test_a_great_deal_of_output_is_logged_and_costs_no_memory(
        self, run: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lines = 40_000
        outcome = run(
            "import sys\n"
            f"for _ in range({lines}): sys.stdout.write('x' * 999 + chr(10))\n"
            "sys.stdout.write('{' + ' ' * 5_000_000 + chr(10))\n"  # a line of no end
            "print('{\"loss\": 1}')"
        )
        assert outcome.score == -1.0
        assert (folder / OUTPUT).stat().st_size > 1000 * lines + 5_000_000

    def test_bytes_that_are_no_text_do_no_harm(self, run: Any) -> None:
        outcome = run(
            "import sys\n"
            "sys.stderr.buffer.write(bytes(range(256)))\n"
            "sys.stdout.buffer.write(bytes([255, 254, 10]))\n"
            "print('{\"loss\": 1}')"
        )
        assert outcome.score == -1.0


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and nobody has asked for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def ends(pid: int) -> bool:
    deadline = time.monotonic() + PATIENCE
    while alive(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


FORKS = """
import os, signal, sys, time
if {ignores}: signal.signal(signal.SIGTERM, signal.SIG_IGN)
pid = os.fork()
if pid == 0:
    time.sleep(600)
    os._exit(0)
open("child", "w").write(str(pid))
open("self", "w").write(str(os.getpid()))
{then}
"""


class TestEnds:
    def test_what_it_has_forked_ends_with_it(self, run: Any, folder: Path) -> None:
        start = time.monotonic()
        answer = "print('{\"loss\": 1}', flush=True)"
        assert run(FORKS.format(ignores=False, then=answer)).score == -1.0
        assert time.monotonic() - start < PATIENCE
        assert ends(int((folder / "child").read_text()))

    @pytest.mark.parametrize("ignores", [False, True])
    def test_its_time_is_over(
        self, run: Any, folder: Path, ignores: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        end = trial_of_a_command.end_group
        monkeypatch.setattr(
            trial_of_a_command, "end_group", lambda group, reap: end(group, reap, 0.5)
        )
        with pytest.raises(TimeoutError):
            run(FORKS.format(ignores=ignores, then="time.sleep(600)"), limit=0.5)
        assert ends(int((folder / "child").read_text()))
        assert ends(int((folder / "self").read_text()))

    def test_a_gentle_end_can_be_used(self, run: Any, folder: Path) -> None:
        with pytest.raises(TimeoutError):
            run(
                "import signal, sys, time\n"
                "def end(*_):\n"
                "    open('saved', 'w').write('yes'); sys.exit(0)\n"
                "signal.signal(signal.SIGTERM, end)\n"
                "time.sleep(600)",
                limit=0.5,
            )
        assert (folder / "saved").read_text() == "yes"

    def test_a_worker_that_is_killed_takes_its_program_along(
        self, tmp_path: Path, folder: Path
    ) -> None:
        script = (
            "import sys\n"
            "from hpsearch.outcome import Place\n"
            "from hpsearch.trials.command import CommandJob, run_job\n"
            "from hpsearch.trials.result import Asked\n"
            "program = (sys.executable, '-c', sys.argv[1])\n"
            "run_job(CommandJob(Place('', ''), program, {}, '{}', sys.argv[2],\n"
            "                   Asked('loss', False), None))\n"
        )
        program = FORKS.format(ignores=False, then="time.sleep(600)")
        worker = subprocess.Popen([sys.executable, "-c", script, program, str(folder)])
        deadline = time.monotonic() + PATIENCE
        while not (folder / "self").exists() or not (folder / "self").read_text():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait()
        assert ends(int((folder / "self").read_text()))
        assert ends(int((folder / "child").read_text()))

    def test_what_an_attempt_before_has_left_ends_first(self, run: Any, folder: Path) -> None:
        folder.mkdir(parents=True)
        left, other = (
            subprocess.Popen(["sleep", "600"], env={FOLDER: where}, start_new_session=True)
            for where in (str(folder), f"{folder}-0")
        )
        try:
            assert run("""print('{"loss": 1}')""").score == -1.0
            assert left.wait(PATIENCE) == -signal.SIGTERM
            assert other.poll() is None
        finally:
            other.kill()
            other.wait()

    @pytest.mark.parametrize("then", ["time.sleep(600)", "sys.exit(1)"])
    def test_what_has_gone_its_own_ways_ends_with_a_program_that_does_not_end_well(
        self, run: Any, folder: Path, then: str
    ) -> None:
        with pytest.raises((TimeoutError, TrialFailedError)):
            run(
                "import os, sys, time\n"
                "if os.fork() == 0:\n"
                "    os.setsid()\n"
                "    open('child', 'w').write(str(os.getpid()))\n"
                "    time.sleep(600)\n"
                "while not os.path.exists('child') or not open('child').read(): time.sleep(0.01)\n"
                f"{then}",
                limit=1.0,
            )
        assert ends(int((folder / "child").read_text()))

    def test_its_guard_ends_with_the_interpreter(self, folder: Path) -> None:
        script = (
            "import sys\n"
            "from hpsearch.outcome import Place\n"
            "from hpsearch.trials.command import CommandJob, run_job\n"
            "from hpsearch.trials.result import Asked\n"
            "program = (sys.executable, '-c', 'print(\\'{\"loss\": 1}\\')')\n"
            "run_job(CommandJob(Place('', ''), program, {}, '{}', sys.argv[1],\n"
            "                   Asked('loss', False), None))\n"
        )
        command = [sys.executable, "-X", "dev", "-c", script, str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert done.stderr == ""

    def test_the_dead_are_not_waited_for(self, run: Any, folder: Path) -> None:
        # The child's parent lives in another group and never asks for it.
        start = time.monotonic()
        outcome = run(
            "import os, time\n"
            "read, write = os.pipe()\n"
            "if os.fork() == 0:\n"
            "    child = os.fork()\n"
            "    if child == 0: time.sleep(600)\n"
            "    os.setsid()\n"
            "    open('parent', 'w').write(str(os.getpid()))\n"
            "    os.write(write, b'x')\n"
            "    time.sleep(600)\n"
            "os.read(read, 1)\n"
            "print('{\"loss\": 1}')"
        )
        os.kill(int((folder / "parent").read_text()), signal.SIGKILL)
        assert outcome.score == -1.0
        assert time.monotonic() - start < GRACE


STUDY = """
name = "c"
[objective]
command = {command}
metric = "loss"
direction = "minimize"
{objective}
[fixed]
flag = true
[space]
x = {{ low = -5.0, high = 5.0 }}
learning-rate = {{ low = 1e-3, high = 1.0, log = true, when = {{ kind = "a b" }} }}
kind = {{ choices = ["a b", "it's \\"c\\"", "$HOME; rm -rf"] }}
[search]
trials = {trials}
{search}
"""


def study(
    tmp_path: Path, *command: str, trials: int = 6, objective: str = "", search: str = ""
) -> StudyFile:
    path = tmp_path / "c.toml"
    given = json.dumps(list(command))
    path.write_text(STUDY.format(command=given, trials=trials, objective=objective, search=search))
    return load_study_file(path)


@pytest.fixture
def db(tmp_path: Path) -> str:
    return str(tmp_path / "studies.db")


PYTHON = """
import json, os, sys
x, rate, kind = sys.argv[1:4] if len(sys.argv) == 4 else (sys.argv[1], None, sys.argv[2])
trial = json.load(open(os.environ["HPSEARCH_TRIAL"]))
given = trial["configuration"]
assert float(x) == float(os.environ["HPSEARCH_X"]) == given["x"], x
assert kind == os.environ["HPSEARCH_KIND"] == given["kind"], kind
assert os.environ["HPSEARCH_FLAG"] == "true" and given["flag"] is True
assert (rate is None) == ("learning-rate" not in given)
assert (rate is None) == ("HPSEARCH_LEARNING_RATE" not in os.environ)
assert rate is None or float(rate.removeprefix("--rate=")) == given["learning-rate"]
assert int(os.environ["HPSEARCH_SEED"]) == trial["seed"]
assert os.path.samefile(os.environ["HPSEARCH_FOLDER"], os.getcwd())
print(json.dumps({"loss": (given["x"] - 1) ** 2}))
"""

SHELL = """#!/bin/sh
printf '{"loss": %s}\\n' "${HPSEARCH_X#-}"
"""

C = """
#include <stdio.h>
#include <stdlib.h>
int main(int count, char **given) {
    double x = atof(given[1]);
    printf("{\\"loss\\": %.17g}\\n", (x - 1) * (x - 1));
    return 0;
}
"""


class TestRun:
    def test_a_program_of_python(self, tmp_path: Path, db: str) -> None:
        (tmp_path / "train.py").write_text(PYTHON)
        given = (sys.executable, "train.py", "{x}", "--rate={learning-rate}", "{kind}")
        summary = run_study(study(tmp_path, *given, trials=12), storage=db, workers=2)
        assert summary.states == {"complete": 12}
        assert summary.finished
        trial = load_study(open_storage(db), "c").best_trial
        assert trial.value == pytest.approx((trial.params["x"] - 1) ** 2)
        folder = tmp_path / "studies.trials" / "c" / "0-0"
        assert {path.name for path in folder.iterdir()} == {OUTPUT, ERRORS, "trial.json"}

    def test_a_program_of_the_shell(self, tmp_path: Path, db: str) -> None:
        program = tmp_path / "train"
        program.write_text(SHELL)
        program.chmod(0o755)
        summary = run_study(study(tmp_path, "train"), storage=db, workers=2)
        assert summary.states == {"complete": 6}

    @pytest.mark.skipif(shutil.which("cc") is None, reason="there is no compiler")
    def test_a_compiled_program(self, tmp_path: Path, db: str) -> None:
        (tmp_path / "train.c").write_text(C)
        subprocess.run(["cc", "-o", "train", "train.c"], cwd=tmp_path, check=True)
        summary = run_study(study(tmp_path, "train", "{x}"), storage=db, workers=2)
        assert summary.states == {"complete": 6}

    def test_one_that_is_busy_is_tried_again_and_it_is_nobody_s_fault(
        self, tmp_path: Path, db: str
    ) -> None:
        (tmp_path / "busy.py").write_text(
            "import os, pathlib, sys\n"
            "mark = pathlib.Path('tries'); tries = len(mark.read_text()) if mark.exists() else 0\n"
            "mark.write_text('x' * (tries + 1))\n"
            "if tries < 4: sys.exit(75)\n"
            "print('{\"loss\": 1}')\n"
        )
        given = (sys.executable, "busy.py")
        summary = run_study(study(tmp_path, *given, trials=2), storage=db, workers=2)
        assert summary.states == {"complete": 2}
        assert (tmp_path / "studies.trials/c/0-0/tries").read_text() == "xxxxx"

    def test_three_failures_at_the_start_end_it_with_the_command_s_own_words(
        self, tmp_path: Path, db: str
    ) -> None:
        (tmp_path / "bad.py").write_text("import nothing_of_this_name\n")
        with pytest.raises(RunError, match="No module named 'nothing_of_this_name'"):
            run_study(study(tmp_path, sys.executable, "bad.py", trials=50), storage=db, workers=1)
        trials = load_study(open_storage(db), "c").trials
        failed = [t for t in trials if t.state.name == "FAIL"]
        assert 3 <= len(failed) < 6
        assert "Traceback" in failed[0].user_attrs["log"]

    @pytest.mark.parametrize(
        ("command", "sentence"),
        [
            (["nothing-of-this-name"], "'nothing-of-this-name' is not there, neither in .* nor on"),
            (["c.toml"], "may not be executed; name its interpreter"),
            (["sh", "{lr}"], r"names \{lr\}, which is no parameter; .*Known: x, learning-rate"),
            (["sh", "{X}"], r"names \{X\}, which is no parameter; did you mean \{x\}\?"),
        ],
    )
    def test_what_cannot_run_is_refused_before_anything_is_made(
        self, tmp_path: Path, db: str, command: list[str], sentence: str
    ) -> None:
        with pytest.raises(UsageError, match=sentence):
            run_study(study(tmp_path, *command), storage=db, workers=1)
        assert open_storage(db).get_all_studies() == []

    @pytest.mark.parametrize(
        ("space", "sentence"),
        [
            ("seed = 1", "would have the variable HPSEARCH_SEED, which is hpsearch's own"),
            ("a-b = 1\na_b = 2", "the variable HPSEARCH_A_B, which is that of 'a-b'"),
        ],
    )
    def test_variables_are_told_apart(
        self, tmp_path: Path, db: str, space: str, sentence: str
    ) -> None:
        path = tmp_path / "c.toml"
        path.write_text(
            'name = "c"\n[objective]\ncommand = ["sh"]\ndirection = "minimize"\n[space]\n'
            f"z = {{ low = 0.0, high = 1.0 }}\n{space}\n"
        )
        with pytest.raises(UsageError, match=sentence):
            run_study(load_study_file(path), storage=db, workers=1)

    def test_an_empty_command_is_a_sentence_with_its_line(self, tmp_path: Path) -> None:
        with pytest.raises(StudyFileError, match=r"line 4: objective.command is empty"):
            study(tmp_path)

    def test_one_worker_or_two_run_the_same_trials(self, tmp_path: Path) -> None:
        (tmp_path / "train.py").write_text(PYTHON)
        given = (sys.executable, "train.py", "{x}", "--rate={learning-rate}", "{kind}")
        file = study(tmp_path, *given, trials=10)
        seen = []
        for workers in (1, 2):
            db = str(tmp_path / f"{workers}.db")
            run_study(file, storage=db, workers=workers)
            trials = load_study(open_storage(db), "c").trials
            seen.append(
                sorted((t.user_attrs["stage_index"], t.user_attrs["slot"], t.value) for t in trials)
            )
        assert seen[0] == seen[1]


def test_values_stand_in_the_places_of_their_names() -> None:
    values = {"a": 0.1, "b": True, "c": "x y", "d": [1, 2], "e": 3}
    command = ["p", "{a}", "--{b}", "{c}{e}", "{d}", "{{a}}", "--none={none}"]
    assert filled(command, values) == ["p", "0.1", "--true", "x y3", "[1, 2]", "{a}"]


def test_the_job_of_a_slot_is_the_same_whenever_it_is_made(tmp_path: Path) -> None:
    file = study(tmp_path, "sh", "{x}")
    objective = CommandObjective(file, tmp_path)
    objective.begin(optuna.create_study(), tmp_path)
    slot = Slot(1, 2, {"x": 0.5, "kind": "a b", "learning-rate": 0.1}, 3, 1)
    job = objective.job(slot)
    assert job == objective.job(slot)
    assert job.folder.endswith("/c/1-2")
    assert job.arguments[1:] == ("0.5",)
    assert objective.digest(slot) == objective.digest(slot)
