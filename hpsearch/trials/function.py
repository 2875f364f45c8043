"""A trial of a Python function."""

from __future__ import annotations

import importlib
import os
import random
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from hpsearch.errors import UsageError
from hpsearch.outcome import Outcome, Place, TrialFailedError, here
from hpsearch.trials.result import Asked, Reports, outcome_of

__all__ = [
    "FUNCTION",
    "Evaluate",
    "FunctionJob",
    "Trial",
    "evaluate_job",
    "given_in_python",
    "imported",
    "what_was_raised",
]

FUNCTION = "function.pickle"
"""The file of a function that is given in Python."""

LONGEST = 1_000
"""Letters of an exception's own words that are told."""

Stop: TypeAlias = Callable[[], bool]


class Trial:
    """What a function is told of its trial, beside the configuration.

    A worker does one trial after the other. Each begins in the same working directory, and with
    what `random` and ``np.random`` draw from its seed; what else a function changes of its process,
    as environment variables, modules and threads, the next trial there finds changed.

    Args:
        seed: of whatever is random in it, from 0 to 2**32 - 1.
        resource: how long to train, in the study's resource; 1 where it has none.
        folder: for checkpoints; made when it is first asked for, and the same when the trial is
            tried again.
        stop: whether nobody waits for the trial any more.

    >>> trial = Trial(seed=1, resource=20, folder=Path("nowhere"))
    >>> trial.report(1, 0.5), trial.resource
    (False, 20)
    """

    def __init__(self, seed: int, resource: int, folder: Path, stop: Stop = lambda: False) -> None:
        self.seed, self.resource = seed, resource
        self._folder, self._stop = folder, stop
        self.reports = Reports()

    @property
    def folder(self) -> Path:
        """For checkpoints: the same folder when this trial is tried again, after a kill or not."""
        self._folder.mkdir(parents=True, exist_ok=True)
        return self._folder

    @property
    def should_stop(self) -> bool:
        """Whether nobody waits for the trial any more."""
        return self._stop()

    def report(self, step: int, value: float) -> bool:
        """Tell what the trial comes to on its way.

        Args:
            step: a whole number from 0 on: epoch, iteration, trees.
            value: of the study's metric, in its own units.

        Returns:
            True if the function may stop, since nobody waits for it any more.
        """
        self.reports.add(step, value)
        return self.should_stop


Evaluate: TypeAlias = Callable[[dict[str, Any], Trial], Any]
"""A function of the user's: configuration and trial to a number, or to a mapping of numbers."""


@dataclass(frozen=True)
class FunctionJob:
    """A trial of a function.

    Attributes:
        data: where the function is, if it was given in Python.
        path: MODULE:NAME; empty if it was given in Python.
        beside: the folder in which the module may lie.
        configuration: the value of every parameter.
        seed: of the trial.
        resource: how long to train.
        folder: for the trial's checkpoints.
        asked: what its result is asked for.
    """

    data: Place
    path: str
    beside: str
    configuration: Mapping[str, Any]
    seed: int
    resource: int
    folder: str
    asked: Asked


def evaluate_job(job: FunctionJob, stop: Stop | None = None) -> Outcome:
    """Call the function.

    Raises:
        TrialFailedError: it raised, or its result is none.
    """
    function: Evaluate = (
        given_in_python(job.data.folder, job.data.fingerprint)
        if not job.path
        else _named(job.path, job.beside)
    )
    trial = Trial(job.seed, job.resource, Path(job.folder), stop or (lambda: False))
    start = time.perf_counter()
    try:
        with _apart(job.seed):
            result = function(dict(job.configuration), trial)
    except TrialFailedError:
        raise
    except BaseException as error:  # Ctrl-C does not come here, and leaving is failing too
        if type(error).__name__ == "TrialPruned":  # Optuna's, whichever version raises it
            return _known_bad(job.asked, trial.reports, time.perf_counter() - start)
        raise TrialFailedError(what_was_raised(error)) from None
    return outcome_of(result, job.asked, trial.reports, time.perf_counter() - start)


@contextmanager
def _apart(seed: int) -> Iterator[None]:
    """Let a trial find what every trial finds, whatever the one before has done in this worker.

    In a thread of somebody else's process nothing of it is ours to set.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    began_in = Path.cwd()
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    try:
        yield
    finally:
        os.chdir(began_in)


def imported(path: str, beside: str, key: str = "function") -> Callable[..., Any]:
    """What stands at a path.

    Args:
        path: MODULE:NAME, as in ``package.module:function``.
        beside: a folder in which the module may lie, looked at first.
        key: of the study file, which names it.

    Raises:
        UsageError: there is no such module, or nothing of that name in it that can be called.
    """
    module_name, _, name = path.partition(":")
    if beside:
        _look_first(beside, module_name.partition(".")[0])
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is not None and (module_name + ".").startswith(error.name + "."):
            where = f", neither in {beside} nor installed" if beside else ""
            raise UsageError(f"there is no module {module_name!r}{where}", key=key) from None
        raise UsageError(
            f"the module {module_name!r} cannot be imported: {error}", key=key
        ) from None
    except (Exception, SystemExit) as error:
        raise UsageError(
            f"the module {module_name!r} cannot be imported: {what_was_raised(error)}",
            key=key,
        ) from None
    for part in name.split("."):
        found = getattr(found, part, None)
    if not callable(found):
        raise UsageError(f"there is no {key} {name!r} in {module_name}", key=key)
    return found  # type: ignore[no-any-return]


def _look_first(folder: str, name: str) -> None:
    """Have a module be the one of this folder, if it has one, and not a namesake's of another."""
    if sys.path[:1] != [folder]:
        sys.path[:] = [folder, *(place for place in sys.path if place != folder)]
    loaded = getattr(sys.modules.get(name), "__file__", None)
    here = [file for file in (Path(folder, f"{name}.py"), Path(folder, name, "__init__.py"))
            if file.is_file()]  # fmt: skip
    if loaded is not None and here and Path(loaded).absolute() not in here:
        for known in [m for m in sys.modules if m == name or m.startswith(f"{name}.")]:
            del sys.modules[known]


@lru_cache(maxsize=1)
def _named(path: str, beside: str) -> Evaluate:
    """The function of a path, looked for once by each worker."""
    return imported(path, beside)


@lru_cache(maxsize=1)
def given_in_python(folder: str, fingerprint: str) -> Any:
    """What was given in Python, read once by each worker.

    Args:
        folder: of a `Place`.
        fingerprint: likewise.
    """
    import cloudpickle

    return cloudpickle.loads(Path(folder, fingerprint, FUNCTION).read_bytes())


def _known_bad(asked: Asked, reports: Reports, seconds: float) -> Outcome:
    """A trial that its own function has given up: it counts with the worst that was seen."""
    steps, curve = reports.curve(asked)
    return Outcome(
        min(map(asked.score, reports.values.values()), default=0.0),
        complete=False,
        why_stopped="pruned",
        curve=curve,
        steps=steps,
        seconds=seconds,
        worker=here(),
    )


def what_was_raised(error: BaseException) -> str:
    """An exception of the user's code in one sentence: what, and where in it."""
    try:
        what = str(error).strip()
        what = what if len(what) <= LONGEST else f"{what[:LONGEST]} ..."
    except Exception:  # its own words raise too
        what = ""
    told = f"{type(error).__name__}: {what}" if what else type(error).__name__
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [frame for frame in frames if Path(frame.filename).parent != Path(__file__).parent]
    theirs = [frame for frame in theirs if not frame.filename.startswith("<frozen")]
    if not theirs:
        return told
    # What cloudpickle has sent has no file.
    file = "" if theirs[-1].filename.startswith("<") else f"{Path(theirs[-1].filename).name}, "
    return f"{told} ({file}line {theirs[-1].lineno})"
