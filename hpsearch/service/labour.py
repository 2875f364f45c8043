"""What an agent does with the work that it is given: it trains, calls a function or runs a program.

Nothing of it knows the server. Code never travels: a program is the one that the agent was started
with, and a function or an estimator is imported only from the folder where it was started, or, of
estimators, from well-known packages.
"""

from __future__ import annotations

import ast
import asyncio
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from hpsearch.engine.executors.processes import ONE_THREAD, Processes
from hpsearch.errors import DamagedDataError, DataError, HpsearchError, RunError, UsageError, shown
from hpsearch.file_names import file_name
from hpsearch.outcome import Outcome, Place, ProcessDiedError, TrialFailedError, TryAgainError
from hpsearch.service.alike import ALLOWED_MODULES
from hpsearch.service.data import DataCache, Fetch, lock_now
from hpsearch.service.models import Error, Work
from hpsearch.trials.arguments import command_job
from hpsearch.trials.command import CommandJob, run_job
from hpsearch.trials.function import FunctionJob, evaluate_job
from hpsearch.trials.result import Asked

__all__ = ["Done", "Labour", "NotHereError", "OnReport"]

T = TypeVar("T")

PATIENCE = 0.02
"""Seconds between two attempts to kill a worker, which may be just starting."""

OnReport: TypeAlias = Callable[[int, float], object]
"""Told of a value on the way; called in any thread."""


class NotHereError(RunError):
    """This machine cannot do a trial, which somebody else may.

    Args:
        sentence: why.
        lacks: the kind of work that it is not for at all, if so.
    """

    def __init__(self, sentence: str, lacks: str = "") -> None:
        super().__init__(sentence)
        self.lacks = lacks


@dataclass(frozen=True)
class Done:
    """What came of a trial: result, outcome or error.

    Attributes:
        result: of a function or a program: the values that were asked for, by name.
        outcome: of a training, as `hpsearch.service.wire` writes it.
        error: why it came to nothing.
        reports: values on the way, by step.
        pruned: whether it gave up as known bad.
        seconds: that it took.
    """

    result: dict[str, float] | None = None
    outcome: dict[str, Any] | None = None
    error: Error | None = None
    reports: dict[int, float] | None = None
    pruned: bool = False
    seconds: float | None = None


@dataclass(frozen=True)
class Labour:
    """The hands of an agent.

    Attributes:
        pool: the processes that train and call functions; None where a program does the trials.
        program: the command that does them, as `hpsearch.trials.arguments.command_of` gives it.
        home: where the agent was started.
        trials: the folder of the folders of trials.
        data: those that were fetched.
        fetch: gets others.
    """

    pool: Processes | None
    program: tuple[str, ...]
    home: Path
    trials: Path
    data: DataCache
    fetch: Fetch

    async def do(self, work: Work, on_report: OnReport) -> Done:
        """Do a trial; who cancels this kills it.

        Args:
            work: what is to be done.
            on_report: told of values on the way, where they come one by one.

        Raises:
            NotHereError: this machine cannot; the trial is somebody else's.
        """
        try:
            if work.kind == "values":
                return await self._run_program(work, on_report)
            if work.kind == "function":
                return await self._call(work)
            return await self._train(work)
        except TrialFailedError as error:
            return _failed("failed", str(error), error.tail)
        except TryAgainError as error:
            return _failed("again", str(error))
        except TimeoutError:
            return _failed("broken", "the training took longer than trial_seconds allows")
        except ProcessDiedError as error:
            return _failed("broken", str(error))
        except UsageError as error:  # as where a metric needs what an estimator has not
            if isinstance(error, DataError) or error.key in ("estimator", "function"):
                raise NotHereError(str(error)) from error
            return _failed("failed", str(error))
        except HpsearchError as error:
            raise NotHereError(str(error)) from error
        except Exception as error:  # whatever it was, it costs its trial one attempt
            return _failed("broken", f"{type(error).__name__}: {error}")

    async def _run_program(self, work: Work, on_report: OnReport) -> Done:
        if not self.program:
            raise NotHereError("this agent has no program to run")
        with self._folder(work) as folder:
            trial = {
                "study": work.study,
                "stage": int(work.stage) if work.stage.isdecimal() else work.stage,
                "slot": work.slot,
                "configuration": work.configuration,
                "seed": work.seed,
                "resource": work.resource,
                "folder": str(folder),
            }
            asked, place = _asked(work), Place(str(folder.parent), folder.name)
            job = command_job(self.program, trial, data=place, asked=asked, limit=work.limit)
            # Of the threads of libraries each has one, as at `hpsearch run`, unless told otherwise.
            threads = {name: one for name, one in ONE_THREAD.items() if name not in os.environ}
            job = replace(job, environment={**threads, **job.environment})
            return _values(await _in_thread(job, on_report), asked)

    async def _call(self, work: Work) -> Done:
        path = work.function or ""
        _check_own(path, self.home, "function")
        with self._folder(work) as folder:
            asked = _asked(work)
            job = FunctionJob(
                Place(str(folder.parent), folder.name),
                path,
                str(self.home),
                work.configuration,
                work.seed,
                work.resource,
                str(folder),
                asked,
            )
            return _values(await self._in_process(evaluate_job, job, work.limit), asked)

    async def _train(self, work: Work) -> Done:
        from hpsearch.service.wire import read_call, to_document
        from hpsearch.trials.estimator import EstimatorJob

        try:
            call, job = read_call(work.training, str(self.data.folder))
        except UsageError as error:
            raise NotHereError(f"the server asks for what nobody here knows: {error}") from error
        if isinstance(job, EstimatorJob):
            job = replace(job, beside=self._beside(job.path))
        try:
            result = await self._with_data(call.function, job, work.limit)
        except DamagedDataError:
            result = await self._with_data(call.function, job, work.limit)
        document = await asyncio.to_thread(to_document, result)
        if isinstance(result, Outcome):
            return Done(outcome=document, seconds=result.seconds)
        return Done(outcome=document)

    async def _with_data(
        self, function: Callable[[Any], Any], job: Any, limit: float | None
    ) -> Any:
        """Train on data that are here, and are checked again where a training finds them damaged.

        Raises:
            DamagedDataError: they are.
        """
        fingerprint, data = job.data.fingerprint, self.data
        async with data.holding(fingerprint, self.fetch):
            handle = replace(job.data, generation=data.generation(fingerprint))
            try:
                return await self._in_process(function, replace(job, data=handle), limit)
            except DamagedDataError as error:
                data.doubt(fingerprint, str(error).rpartition(";")[0])
                raise
            except ProcessDiedError:  # as one does whose file was cut while it was mapped
                data.doubt(fingerprint)
                raise

    def _beside(self, path: str) -> str:
        """The folder in which an estimator's module may lie; none where it is well known."""
        if path.partition(":")[0].partition(".")[0] in ALLOWED_MODULES:
            return ""
        module, _, name = path.rpartition(".")
        _check_own(path if ":" in path else f"{module}:{name}", self.home, "estimator")
        return str(self.home)

    async def _in_process(
        self, function: Callable[[Any], Any], job: Any, limit: float | None
    ) -> Any:
        if self.pool is None:
            raise NotHereError("this agent runs a program only")
        pool, future = self.pool, self.pool.submit(function, job, limit=limit)
        return await _ended(future, lambda: pool.kill(future))

    @contextmanager
    def _folder(self, work: Work) -> Iterator[Path]:
        """The folder of a trial: the same when it is tried again, unless another agent is there."""
        name = f"{work.stage}-{work.slot}" if work.slot is not None else work.trial
        home = self.trials / file_name(work.study)
        with ExitStack() as stack:
            try:
                home.mkdir(parents=True, exist_ok=True, mode=0o700)
                place = next(
                    place
                    for place in _numbered(home / file_name(name))
                    if stack.enter_context(lock_now(home / f".{place.name}.lock"))
                )
            except OSError as error:
                raise NotHereError(
                    f"the folder for trials, {home}, cannot be written: "
                    f"{error.strerror or error}; free some space there, or name another with "
                    "--cache"
                ) from error
            yield place


def _numbered(place: Path) -> Iterator[Path]:
    """The same place, and others beside it."""
    yield place
    for number in count(2):
        yield place.with_name(f"{place.name}.{number}")


def _failed(kind: Any, sentence: str, tail: str = "") -> Done:
    error = Error(sentence=sentence[:20_000] or "it failed", kind=kind, tail=tail[-20_000:])
    return Done(error=error)


def _asked(work: Work) -> Asked:
    return Asked(work.metric, work.direction == "maximize", tuple(work.also))


def _values(outcome: Outcome, asked: Asked) -> Done:
    """What a function or a program came to, in its own units."""
    own = asked.score  # greater is better, and back
    reports = {step: own(score) for step, score in outcome.by_step.items()}
    value = own(outcome.score)
    if not outcome.complete:
        return Done(result={asked.metric: value}, reports=reports, pruned=True,
                    seconds=outcome.seconds)  # fmt: skip
    result = {asked.metric: value, **outcome.also}
    return Done(result=result, reports=reports, seconds=outcome.seconds)


async def _in_thread(job: CommandJob, on_report: OnReport) -> Outcome:
    """Run a program in a thread that holds nobody up: if this process ends, a guard ends it."""
    over: Future[Outcome] = Future()
    is_unwanted = threading.Event()

    def run() -> None:
        try:
            over.set_result(run_job(job, is_unwanted.is_set, on_report=on_report))
        except BaseException as error:
            over.set_exception(error)

    threading.Thread(target=run, name="hpsearch-program", daemon=True).start()
    return await _ended(over, is_unwanted.set)


async def _ended(future: Future[T], kill: Callable[[], object]) -> T:
    """What came of something; who cancels this kills it, and waits until it is gone."""
    waited = asyncio.wrap_future(future)
    waited.add_done_callback(lambda it: it.cancelled() or it.exception())  # somebody has looked
    try:
        return await asyncio.shield(waited)
    except asyncio.CancelledError:
        while not future.done():
            kill()
            await asyncio.sleep(PATIENCE)
        raise


def _check_own(path: str, home: Path, key: str) -> None:
    """Refuse what is not defined in a file of the folder where the agent was started.

    Nothing is imported to find out.

    Raises:
        NotHereError: so it is.
    """
    module, _, name = path.partition(":")
    parts = module.split(".")
    if not name.isidentifier() or not all(part.isidentifier() for part in parts):
        raise NotHereError(f"the {key} {shown(path)} is not named as MODULE:NAME")
    places = [home.joinpath(*parts).with_suffix(".py"), home.joinpath(*parts, "__init__.py")]
    for place in places:
        if place.is_file() and place.resolve().is_relative_to(home.resolve()):
            if name in _defined(place):
                return
            raise NotHereError(f"{place.name} in {place.parent} defines no {name!r}", lacks=key)
    raise NotHereError(
        f"the {key} {path} lies not in {home}, where this agent was started; it imports nothing "
        "else: start it beside your module",
        lacks=key,
    )


def _defined(place: Path) -> set[str]:
    """The names that a module itself gives to something, and does not import."""
    try:
        tree = ast.parse(place.read_bytes())
    except (OSError, ValueError, SyntaxError, RecursionError) as error:
        raise NotHereError(f"{place} cannot be read: {error}") from None
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
    return names
