"""Ctrl-C and SIGTERM, noticed at safe points instead of anywhere."""

from __future__ import annotations

import _imp
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, NoReturn, TypeVar

__all__ = ["Interrupts", "end", "postponed"]

T = TypeVar("T")

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """In its block a first signal is remembered, and a second one ends the process at once.

    In a session at a prompt, as that of a notebook, it does not: much else is in that process.

    Raised in the middle of a write, an exception would leave it half done, and in the middle of a
    library's C code be taken for a fault; so the driver asks `check` where it can stop. Outside of
    the main thread, where Python allows no handlers, signals keep doing what they did.
    """

    def __init__(self) -> None:
        self._asked: int | None = None
        self._interruptible = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def check(self) -> None:
        """Stop here if a signal has asked for it.

        Raises:
            KeyboardInterrupt: after SIGINT.
            SystemExit: after SIGTERM, with the code 143.
        """
        if self._asked is not None:
            end(self._asked)

    def pause(self, seconds: float) -> None:
        """Sleep, but no longer than until a signal asks to stop."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.check()
            time.sleep(min(left, 0.1))

    def interruptible(self, work: Callable[[], T]) -> T:
        """Do what has no safe points of its own; a signal ends it wherever it is.

        So it must change nothing. What was in the middle of a library's code, and was taken for a
        fault of it or lost there, stops here at the latest.
        """
        self._interruptible = True
        try:
            self.check()  # a signal may have come before
            return work()
        finally:
            self._interruptible = False
            self.check()

    def _note(self, number: int, _: FrameType | None) -> None:
        if self._asked is not None:
            if hasattr(sys, "ps1"):  # a prompt
                return
            os._exit(128 + number)  # the workers notice that their driver is gone
        if self._interruptible and postponed(number):
            return
        self._asked = number
        if self._interruptible:
            self.check()


def end(number: int) -> NoReturn:
    """Stop as a signal asks for.

    Raises:
        KeyboardInterrupt: for SIGINT.
        SystemExit: for any other, with the code 128 and its number.
    """
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(128 + number)


def postponed(number: int) -> bool:
    """Whether a signal comes too early; then it comes once more a moment later.

    It does while Python holds its import lock: an exception between taking and releasing that lock
    leaves it taken, and every other thread waits for ever.
    """
    if _imp.lock_held():
        again = threading.Timer(0.02, os.kill, (os.getpid(), number))
        again.daemon = True
        again.start()
        return True
    return False
