"""Ctrl-C and SIGTERM, noticed at safe points instead of anywhere."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from types import FrameType, TracebackType
from typing import Any, TypeVar

__all__ = ["Interrupts"]

T = TypeVar("T")

SIGNALS = (signal.SIGINT, signal.SIGTERM)

PATIENCE = 5.0
"""Seconds that work which is asked to stop may take for the step that it is in."""


class Interrupts:
    """In its block a first signal is remembered, and a second one ends the process at once.

    Raised in the middle of a write, an exception would leave it half done, and in the middle of a
    library's C code be taken for a fault; so the driver asks `check` where it can stop. Outside of
    the main thread, where Python allows no handlers, signals keep doing what they did.
    """

    def __init__(self) -> None:
        self._asked: int | None = None
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
        if self._asked == signal.SIGINT:
            raise KeyboardInterrupt
        if self._asked is not None:
            raise SystemExit(128 + self._asked)

    def pause(self, seconds: float) -> None:
        """Sleep, but no longer than until a signal asks to stop."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.check()
            time.sleep(min(left, 0.1))

    def wait_for(self, work: Callable[[], T]) -> T:
        """Do what has no safe points of its own, but only until a signal asks to stop.

        The work is done in another thread, which ends before this returns: at its next step in
        Python where a signal came. Only one that is stuck, in a file or a network that does not
        answer, is left to itself after `PATIENCE`; so the work must change nothing.
        """
        future: Future[T] = Future()

        def do() -> None:
            try:
                future.set_result(work())
            except BaseException as error:  # it is the caller's
                future.set_exception(error)

        thread = threading.Thread(target=do, name="hpsearch-work", daemon=True)
        thread.start()
        try:
            while thread.is_alive():
                thread.join(0.1)
                self.check()
        except BaseException:
            _stop(thread)
            raise
        return future.result()

    def _note(self, number: int, _: FrameType | None) -> None:
        if self._asked is not None:
            os._exit(128 + number)  # the workers notice that their driver is gone
        self._asked = number


def _stop(thread: threading.Thread) -> None:
    """Have a thread leave what it does; a process that ends under native code of it aborts."""
    import ctypes

    assert thread.ident is not None, "it was started"
    number = ctypes.c_ulong(thread.ident)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(number, ctypes.py_object(SystemExit))
    thread.join(PATIENCE)
