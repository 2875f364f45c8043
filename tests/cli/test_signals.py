"""A signal ends a command where it can, and leaves no lock of Python's behind."""

from __future__ import annotations

import _imp
import signal
import time
from collections.abc import Iterator

import pytest

from hpsearch.cli.app import stop

ENDS = {signal.SIGINT: KeyboardInterrupt, signal.SIGTERM: SystemExit}


@pytest.fixture(params=ENDS, ids=lambda number: number.name)
def number(request: pytest.FixtureRequest) -> Iterator[signal.Signals]:
    before = signal.signal(request.param, stop)
    yield request.param
    signal.signal(request.param, before)


def test_it_ends_what_runs(number: signal.Signals) -> None:
    with pytest.raises(ENDS[number]):
        signal.raise_signal(number)


def test_it_waits_for_the_end_of_a_step_of_an_import(number: signal.Signals) -> None:
    """Raised there, it would leave the lock taken, and other threads that import would hang."""
    _imp.acquire_lock()
    try:
        signal.raise_signal(number)
        time.sleep(0.1)
    finally:
        _imp.release_lock()
    with pytest.raises(ENDS[number]):
        time.sleep(10)
    assert not _imp.lock_held()
