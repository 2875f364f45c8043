"""A trial of a program: without a shell, in a group of processes and a folder of its own."""

from __future__ import annotations

import errno
import json
import os
import re
import select
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, TypeAlias

from hpsearch.errors import RunError, shown
from hpsearch.outcome import Outcome, Place, ProcessDiedError, TrialFailedError, TryAgainError
from hpsearch.trials.guard import end_group, guarded, unguarded
from hpsearch.trials.result import Asked, Reports, outcome_of

__all__ = ["ERRORS", "OUTPUT", "RESULT", "TRIAL", "CommandJob", "run_job"]

OUTPUT, ERRORS = "stdout.log", "stderr.log"
"""All that the attempts of a trial wrote."""

TRIAL, RESULT = "trial.json", "result.json"
"""What a program may read, and what it may write instead of lines."""

FOLDER = "HPSEARCH_FOLDER"
"""The variable by which all processes of a trial are known."""

TEMPORARY = os.EX_TEMPFAIL if hasattr(os, "EX_TEMPFAIL") else 75

LONGEST = 1 << 20
"""Bytes of a line or a file that may be the result; longer lines are logged only."""

TAIL = 2000
"""Bytes of what a program wrote last that are kept with the trial."""

LOOK = 0.05
"""Seconds between two looks at a program that writes nothing."""

Stop: TypeAlias = Callable[[], bool]
OnReport: TypeAlias = Callable[[int, float], object]


@dataclass(frozen=True)
class CommandJob:
    """A trial of a program.

    Attributes:
        data: is there as long as somebody waits for the trial.
        arguments: the program and its arguments.
        environment: variables beside those of the worker.
        trial: what the program may read in `TRIAL`, in JSON.
        folder: where it runs.
        asked: what its result is asked for.
        limit: seconds that it may take; None for any time.
    """

    data: Place
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    trial: str
    folder: str
    asked: Asked
    limit: float | None


def run_job(
    job: CommandJob, stop: Stop | None = None, *, on_report: OnReport | None = None
) -> Outcome:
    """Run the program to its end, and read what it answers.

    Args:
        job: the program.
        stop: asked now and then; True when nobody waits for the trial any more.
        on_report: told of each value on the way as it comes: its step, and the value.

    Raises:
        TrialFailedError: it cannot be started, exits with another code than 0 and 75, or answers
            nothing that can be read.
        TryAgainError: it exits with 75, EX_TEMPFAIL.
        ProcessDiedError: a signal ended it, as where memory is short.
        TimeoutError: it took longer than it may, and was ended.
        RunError: its folder cannot be written, as where the disk is full.
    """
    folder = Path(job.folder)
    try:
        return _run(job, folder, stop or (lambda: False), on_report)
    except TimeoutError:
        raise
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise RunError(
            f"the folder of a trial, {folder}, cannot be written: {error.strerror or error}; "
            f"{'free some space there' if full else 'look what is in its way'}, and run the same "
            "command again, which goes on from what is finished"
        ) from error


def _run(job: CommandJob, folder: Path, stop: Stop, on_report: OnReport | None) -> Outcome:
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        _end_all(job.folder)
    (folder / RESULT).unlink(missing_ok=True)
    (folder / TRIAL).write_text(job.trial, encoding="utf-8")
    said = _Said(job.asked, on_report)
    start = time.perf_counter()
    with (folder / OUTPUT).open("ab") as output, (folder / ERRORS).open("ab") as errors:
        began = errors.tell(), output.tell()
        with _started(job, folder, errors) as process:
            code = _attend(process, said, output, job.limit, stop)
    seconds = time.perf_counter() - start
    tail = _tail(folder / ERRORS, began[0]) or _tail(folder / OUTPUT, began[1])
    if code == TEMPORARY:
        raise TryAgainError(_exited(code, tail))
    if code < 0:
        raise ProcessDiedError(code)
    if code:
        raise TrialFailedError(_exited(code, tail), tail)
    try:
        answer = _read_result(folder / RESULT, said)
        return replace(outcome_of(answer, job.asked, said.reports, seconds), tail=tail)
    except TrialFailedError as error:
        raise TrialFailedError(str(error), tail) from None


class _Said:
    """What a program writes to standard output, as it comes: reports, and the last object."""

    def __init__(self, asked: Asked, on_report: OnReport | None) -> None:
        self.asked, self.reports, self._on_report = asked, Reports(), on_report
        self.last: dict[str, Any] | None = None
        self.last_line = b""
        self._left = b""
        self._skips = False

    def take(self, piece: bytes) -> None:
        """Take in what was written, lines or parts of them."""
        *lines, self._left = (self._left + piece).split(b"\n")
        if lines and self._skips:
            del lines[0]
            self._skips = False
        for line in lines:
            self._line(line)
        if len(self._left) > LONGEST:
            self._left, self._skips = b"", True

    def end(self) -> None:
        """The last line may lack its end."""
        if not self._skips:
            self._line(self._left)

    def _line(self, line: bytes) -> None:
        line = line.strip().rpartition(b"\r")[2].strip()  # a bar of progress may stand before it
        if not line:
            return
        self.last_line = line
        if not line.startswith(b"{"):
            return
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            return
        if isinstance(found, dict):
            self.last = found
            if "step" in found and self.asked.metric in found:
                self._report(found["step"], found[self.asked.metric])

    def _report(self, step: Any, value: Any) -> None:
        try:
            self.reports.add(step, value)
        except TrialFailedError:
            return  # it is no report of ours
        if self._on_report is not None and step in self.reports.values:
            self._on_report(step, self.reports.values[step])


@contextmanager
def _started(job: CommandJob, folder: Path, errors: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """A program that is gone, with all that it started, when the block ends."""
    try:
        process = subprocess.Popen(
            job.arguments,
            cwd=folder,
            env={**os.environ, **job.environment, FOLDER: job.folder},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
            bufsize=0,
        )
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise TrialFailedError(f"{job.arguments[0]} cannot be started: {why}") from None
    group = process.pid
    guarded(group)
    try:
        yield process
    finally:
        well = process.poll() == 0
        end_group(group, process.poll)
        unguarded(group)
        process.wait()
        if not well:
            _end_all(job.folder)
        if process.stdout is not None:
            process.stdout.close()


def _attend(
    process: subprocess.Popen[bytes],
    said: _Said,
    output: IO[bytes],
    limit: float | None,
    stop: Stop,
) -> int:
    """Read what it writes until it ends; what it has started may go on writing."""
    assert process.stdout is not None
    pipe = process.stdout.fileno()
    until = None if limit is None else time.monotonic() + limit
    is_open = True
    while True:
        ended = process.poll() is not None
        if is_open and select.select([pipe], [], [], 0.0 if ended else LOOK)[0]:
            piece = os.read(pipe, 1 << 16)
            is_open = bool(piece)
            output.write(piece)
            said.take(piece)
            if is_open and not ended:
                continue
        if ended:
            said.end()
            assert process.returncode is not None
            return process.returncode
        if not is_open:
            with suppress(subprocess.TimeoutExpired):
                process.wait(LOOK)
        if until is not None and time.monotonic() > until:
            raise TimeoutError
        if stop():
            raise TrialFailedError("nobody waits for it any more")


def _read_result(path: Path, said: _Said) -> dict[str, Any]:
    """The file of the result, or else the last object among the lines."""
    if path.is_file():  # what is none, as a pipe, may have no end
        try:
            if (size := path.stat().st_size) > LONGEST:
                raise TrialFailedError(
                    f"{RESULT} has {size / 1e6:.3g} MB; a result is a few numbers, in {LONGEST} "
                    "bytes at most"
                )
            found = json.loads(path.read_bytes())
        except (OSError, ValueError, RecursionError) as error:
            raise TrialFailedError(f"{RESULT} is no JSON: {error}") from None
        if not isinstance(found, dict):
            raise TrialFailedError(f"{RESULT} has {shown(found)}; it is to be an object")
        return found
    if said.last is None:
        line = said.last_line[:200].decode(errors="replace")
        wrote = f"its last line is {line!r}" if line else "it wrote nothing"
        raise TrialFailedError(
            f"no line of its standard output is a JSON object, as in "
            f'{{"{said.asked.metric}": 0.5}}; {wrote}'
        )
    return said.last


def _exited(code: int, tail: str) -> str:
    # A line without a word is one of the marks below a line of a traceback.
    lines = [line.strip() for line in tail.splitlines() if re.search(r"\w", line)][-3:]
    return f"exit code {code}" + (f": {' | '.join(lines)}" if lines else ", without a word")


def _tail(path: Path, begin: int) -> str:
    """The last lines that an attempt wrote to a file; nothing where it has deleted its folder."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(begin, size - TAIL))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    if size - TAIL > begin:
        text = text.partition("\n")[2] or text
    return text.strip()


def _end_all(folder: str) -> None:
    """End what an attempt has left, whichever group of processes it went to; on Linux.

    All that it has started is known by a variable. It was left where a worker and its guard were
    killed, or by a program that did not end well and had gone its own ways.
    """
    mark = os.fsencode(f"{FOLDER}={folder}")
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # somebody else's, or gone
            if mark in (process / "environ").read_bytes().split(b"\0"):
                end_group(os.getpgid(int(process.name)), lambda: None)
