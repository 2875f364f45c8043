"""What came of a trial, whatever was trained: what a worker sends back, and the store keeps."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hpsearch.training.diagnosis import Finding

__all__ = [
    "Outcome",
    "Place",
    "ProcessDiedError",
    "TrialFailedError",
    "TryAgainError",
    "here",
    "machine_of",
]


class TrialFailedError(Exception):
    """A trial came to nothing, and would come to nothing again.

    Args:
        sentence: what was wrong.
        tail: the last lines that a program wrote.
    """

    def __init__(self, sentence: str, tail: str = "") -> None:
        super().__init__(sentence, tail)
        self.sentence, self.tail = sentence, tail

    def __str__(self) -> str:
        return self.sentence


CRASHES = (4, 6, 7, 8, 11)
"""The signals of Linux by which a process ends for what it has done: SIGILL, SIGABRT, SIGBUS,
SIGFPE and SIGSEGV."""


class ProcessDiedError(Exception):
    """A process ended while it did a job; which may be nobody's fault.

    Args:
        code: the process's exit code, negative for a signal; None if nobody knows.

    >>> print(ProcessDiedError(-9))
    the process died (signal 9); killed, or out of memory
    >>> print(ProcessDiedError(-11))
    the process died (signal 11); it crashed
    """

    whose = "process"

    def __init__(self, code: int | None) -> None:
        super().__init__(code)
        self.code = code

    def __str__(self) -> str:
        how = f" (signal {-self.code})" if self.code and self.code < 0 else ""
        how = how or ("" if self.code is None else f" (exit code {self.code})")
        why = "it crashed" if -(self.code or 0) in CRASHES else "killed, or out of memory"
        return f"the {self.whose} died{how}; {why}"


class TryAgainError(Exception):
    """A trial asks to be tried again; it is nobody's fault, and no attempt of its three."""


@dataclass(frozen=True)
class Place:
    """Where the files are that a job needs; the folder is there as long as its driver waits for it.

    Attributes:
        folder: an absolute path.
        fingerprint: the folder in it, named after what it holds.
    """

    folder: str
    fingerprint: str


@dataclass(frozen=True)
class Outcome:
    """What a trial came to; of its scores greater is better, whatever the metric.

    Attributes:
        score: that of the trial; of rows, of the validation part, the mean over the folds. Always
            finite: one that was stopped as known bad counts like the worst that there can be or was
            seen, of our network like the best constant predictor (much as in Bergstra and Bengio,
            2012).
        complete: False when it was stopped as known bad.
        why_stopped: "finished", "early stopping", "diverged", "not finite" or "stopped".
        curve: the score after each step; the mean over the folds. Of a metric that is too dear for
            every epoch the last one that was computed; see `EpochScore`.
        losses: training loss after each epoch.
        validation_losses: validation loss after each epoch.
        best_epoch: the step of the best score, the median over the folds; 0 where none is known.
        fold_scores: the score of each fold.
        seconds: time that it took.
        test_score: of the test part, where the job asks for it; that of the best constant predictor
            if not complete.
        worker: who trained it: the machine's name and the process's number.
        findings: what was wrong with it, if anything: on the first fold, or on the bad one.
        snapshots: of that fold's training, in terms of JSON; see `Trace.document`.
        also: the values, by name and in their own units, of the metrics recorded beside; the means
            over the folds, and none if not complete.
        steps: of the scores in ``curve``, rising; empty for 1, 2, 3 and so on.
        tail: the last lines that a program wrote.
    """

    score: float
    complete: bool = True
    why_stopped: str = "finished"
    curve: tuple[float, ...] = ()
    losses: tuple[float, ...] = ()
    validation_losses: tuple[float, ...] = ()
    best_epoch: int = 0
    fold_scores: tuple[float, ...] = ()
    seconds: float = 0.0
    test_score: float | None = None
    worker: str = ""
    findings: tuple[Finding, ...] = ()
    snapshots: Mapping[str, Any] | None = None
    also: Mapping[str, float] = field(default_factory=dict)
    steps: tuple[int, ...] = ()
    tail: str = ""

    @property
    def by_step(self) -> dict[int, float]:
        """The scores of the curve by their steps."""
        steps = self.steps or range(1, len(self.curve) + 1)
        return dict(zip(steps, self.curve, strict=True))


def here() -> str:
    """This machine and this process, as an outcome names its worker."""
    return f"{socket.gethostname()} {os.getpid()}"


def machine_of(worker: str) -> str:
    """The machine of a worker that an outcome names.

    >>> machine_of("node-7 4321")
    'node-7'
    """
    return worker.rsplit(" ", 1)[0]
