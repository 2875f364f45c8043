"""Work that is waited for ends before its waiting does."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hpsearch.engine import interrupts as module
from hpsearch.engine.interrupts import Interrupts


def at_work() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "hpsearch-work"]


def asked(number: int) -> Callable[[], None]:
    """Work without end, which sends its own process a signal."""

    def work() -> None:
        os.kill(os.getpid(), number)
        while True:
            time.sleep(0.001)

    return work


@pytest.mark.parametrize(
    ("number", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)]
)
def test_work_is_over_when_a_signal_has_ended_the_waiting(
    number: int, error: type[BaseException]
) -> None:
    with Interrupts() as interrupts:
        with pytest.raises(error):
            interrupts.wait_for(asked(number))
        assert at_work() == []


def test_work_is_over_when_its_result_or_its_error_is_there() -> None:
    def fail() -> None:
        raise ValueError("no")

    with Interrupts() as interrupts:
        assert interrupts.wait_for(lambda: 3) == 3
        assert at_work() == []
        with pytest.raises(ValueError, match="no"):
            interrupts.wait_for(fail)
        assert at_work() == []


@pytest.mark.skipif(
    sys.gettrace() is not None,
    reason="a traced thread of Python 3.11 turns round while an exception waits for another one",
)
def test_work_that_is_stuck_is_left_to_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.1)
    pipe, end = os.pipe()

    def stuck() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.read(pipe, 1)

    with Interrupts() as interrupts, pytest.raises(KeyboardInterrupt):
        interrupts.wait_for(stuck)
    [thread] = at_work()
    os.write(end, b"x")
    thread.join()
    os.close(pipe)
    os.close(end)


SCRIPT = """
import os, signal, sys, threading
from pathlib import Path
import pyarrow.csv
from hpsearch.data.tables import read_table
from hpsearch.engine.interrupts import Interrupts

def read():
    while True:
        read_table(Path(sys.argv[1]))

codes = []
for k in range(20):
    if not (pid := os.fork()):
        signal.alarm(30)
        with Interrupts() as interrupts:
            threading.Timer(0.03 + 0.003 * k, os.kill, (os.getpid(), signal.SIGTERM)).start()
            interrupts.wait_for(read)
    codes.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
print({code: codes.count(code) for code in codes})
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz"])
def test_a_process_that_is_ended_while_it_reads_data_has_its_code_every_time(
    tmp_path: Path, name: str
) -> None:
    """Also where Arrow is at work in the thread: C++ that Python ends in its middle aborts."""
    content = b"a,b\n" + b"1,2\n" * 300_000
    file = tmp_path / name
    file.write_bytes(gzip.compress(content, 1) if name.endswith(".gz") else content)
    python = [sys.executable, "-c", SCRIPT, str(file)]
    done = subprocess.run(python, capture_output=True, text=True, timeout=200, check=True)
    assert done.stdout == "{143: 20}\n", done.stderr
