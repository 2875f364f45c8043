"""A signal stops a run at its safe points, and what has none of them anywhere."""

from __future__ import annotations

import _imp
import gzip
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from hpsearch.engine.interrupts import Interrupts

pytestmark = pytest.mark.slow

ENDS = {signal.SIGINT: KeyboardInterrupt, signal.SIGTERM: SystemExit}


@pytest.fixture(params=ENDS, ids=lambda number: number.name)
def number(request: pytest.FixtureRequest) -> signal.Signals:
    return signal.Signals(request.param)


def send(number: int) -> None:
    os.kill(os.getpid(), number)
    time.sleep(0)


def compute(number: int) -> None:
    send(number)
    while True:
        pass


def read_what_never_comes(number: int) -> None:
    pipe, end = os.pipe()
    try:
        threading.Timer(0.05, os.kill, (os.getpid(), number)).start()
        os.read(pipe, 1)
    finally:
        os.close(pipe)
        os.close(end)


def lose_it(number: int) -> None:
    with suppress(BaseException):
        send(number)
        time.sleep(10)


def take_it_for_a_fault(number: int) -> None:
    try:
        send(number)
        time.sleep(10)
    except BaseException:
        raise ValueError("no") from None


@pytest.mark.parametrize("work", [compute, read_what_never_comes, lose_it, take_it_for_a_fault])
def test_a_signal_ends_work_that_has_no_safe_points(
    number: signal.Signals, work: Callable[[int], None]
) -> None:
    with Interrupts() as interrupts, pytest.raises(ENDS[number]):
        interrupts.interruptible(partial(work, number))


def test_a_signal_between_two_steps_of_an_import_waits_for_the_second(
    number: signal.Signals,
) -> None:
    """Raised there, it would leave the lock taken, and other threads that import would hang."""
    held = []

    def work() -> None:
        _imp.acquire_lock()
        try:
            send(number)
            time.sleep(0.1)
            held.append(True)
        finally:
            _imp.release_lock()
        time.sleep(10)

    with Interrupts() as interrupts, pytest.raises(ENDS[number]):
        interrupts.interruptible(work)
    assert held


def test_elsewhere_a_signal_waits_until_it_is_asked_for(number: signal.Signals) -> None:
    with Interrupts() as interrupts:
        assert interrupts.interruptible(lambda: 3) == 3
        send(number)
        with pytest.raises(ENDS[number]):
            interrupts.check()


def test_what_work_returns_or_raises_is_the_callers() -> None:
    def fail() -> None:
        raise ValueError("no")

    with Interrupts() as interrupts:
        assert interrupts.interruptible(lambda: 3) == 3
        with pytest.raises(ValueError, match="no"):
            interrupts.interruptible(fail)


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
            interrupts.interruptible(read)
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


def test_what_may_be_interrupted_does_not_begin_after_a_signal(number: signal.Signals) -> None:
    begun: list[int] = []
    with Interrupts() as interrupts:
        send(number)
        with pytest.raises(ENDS[number]):
            interrupts.interruptible(lambda: begun.append(1))
    assert begun == []
