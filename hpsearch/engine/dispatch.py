"""The driver's loop: hand out the slots of a stage, record what comes back, notice what breaks.

The driver is the only writer. A slot has one trial in the store from the moment it is handed out:
RUNNING while a worker has it, WAITING after an interruption, COMPLETE or PRUNED with its result, or
FAIL once three attempts broke. Nothing is told to the outside before it is committed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hpsearch.engine import record
from hpsearch.engine.events import OnEvent, StageStarted, TrialDone, Waiting
from hpsearch.engine.interrupts import Interrupts
from hpsearch.errors import HpsearchError, RunError
from hpsearch.search.base import Result, Slot, Stage
from hpsearch.storage import load_epochs
from hpsearch.training.jobs import Job, Outcome, train_job

if TYPE_CHECKING:
    import optuna

    from hpsearch.engine.cost import Spending
    from hpsearch.engine.workers import Executor
    from hpsearch.search.base import Strategy
    from hpsearch.space import Space
    from hpsearch.storage import WriteBehindStorage

__all__ = ["ATTEMPTS", "LOOK", "Dispatcher", "what_broke"]

ATTEMPTS = 3
"""How often a slot is tried whose worker broke, before it is left as FAIL."""

PATIENCE = 10
"""How often more it is tried where the worker had not begun with it."""

LOOK = 0.1
"""Seconds between two looks at whether a signal has come."""


@dataclass
class _Flight:
    """A slot that is handed out."""

    slot: Slot
    trial_id: int
    job: Job
    errors: list[str] = field(default_factory=list)
    blameless: int = 0


class Dispatcher:
    """Fills the slots of a study.

    Args:
        target: the study.
        store: where it is.
        space: its whole space.
        executor: runs the trainings.
        limit: seconds that one training may take, None for any time.
        job_of: what a worker is told of a slot.
        digest_of: what tells a training from any other.
        known: the trials of trainings that the store holds, by their digest.
        interrupts: whether a signal asks to stop.
        spending: which slots the budget pays for.
        out_of_time: whether the time for searching is over.
        on_event: told of everything that happens.
    """

    def __init__(
        self,
        target: optuna.Study,
        store: WriteBehindStorage,
        space: Space,
        executor: Executor,
        *,
        limit: float | None,
        job_of: Callable[[Slot], Job],
        digest_of: Callable[[Job], str],
        known: dict[str, int],
        interrupts: Interrupts,
        spending: Callable[[Iterable[Slot]], Spending],
        out_of_time: Callable[[], bool],
        on_event: OnEvent,
    ) -> None:
        self.target, self.store, self.space = target, store, space
        self.executor, self.limit = executor, limit
        self.job_of, self.digest_of, self.known = job_of, digest_of, known
        self.interrupts, self.out_of_time, self.on_event = interrupts, out_of_time, on_event
        trials = target.get_trials(deepcopy=False)
        self._stored = record.read_results(trials)
        self._unfinished = record.read_unfinished(trials)
        self.spending = spending(record.read_slots(trials))
        self._ready: deque[_Flight] = deque()
        self._flying: dict[Future[Outcome], _Flight] = {}
        self._begun: dict[int, _Flight] = {}  # by trial id: RUNNING in the store

    def search(self, strategy: Strategy) -> list[Result]:
        """Fill every slot of every stage, or as many as the budget pays for.

        Returns:
            The results that name the winner: all of them, but for a round of the race that the
            budget has cut off, in which the contenders had unequal chances.
        """
        results: list[Result] = []
        try:
            while not self.over() and (stage := strategy.next_stage(results)) is not None:
                here = self._fill(stage)
                if not here:
                    break
                if len(here) < stage.slots and self.over() and stage.paired:
                    break
                results += here
        except BaseException:
            with suppress(HpsearchError):  # where nothing can be written, the next run does this
                self._hand_back()
            raise
        self._hand_back()
        return results

    def over(self) -> bool:
        """Whether the budget is spent."""
        return self.spending.over or self.out_of_time()

    def _fill(self, stage: Stage) -> list[Result]:
        """Run the slots of a stage that have no result yet."""
        record.write_stage(self.target, stage)
        done = [r for key, r in self._stored.items() if key[0] == stage.index]
        self.on_event(StageStarted(stage, len(done)))
        # Once a later stage was computed from what this one had, its failed slots stay failed.
        closed = any(index > stage.index for index, _ in self._stored)
        taken = {result.slot.index for result in done}
        waiting = deque(() if closed else (i for i in range(stage.slots) if i not in taken))
        refused = self.spending.refused
        while waiting or self._begun:
            if self.over():
                waiting.clear()
            landed = [(self._flying.pop(future), future) for future in self._landed(stage)]
            events: list[TrialDone] = []
            wrong: HpsearchError | None = None
            with self.store.group():
                for flight, future in landed:
                    try:
                        outcome = future.result()
                    except HpsearchError as error:  # no slot could be trained like this
                        wrong = error
                    except Exception as error:  # whatever it was, it costs its slot one attempt
                        events += self.notice_failure(stage, flight, error)
                    else:
                        events += self.record_outcome(stage, flight, outcome, done)
                while waiting and len(self._begun) < self._most(stage, waiting):
                    paid = self.hand_out(stage, waiting.popleft(), done)
                    if not paid and stage.paired:  # a round without one contender decides nothing
                        self.spending.over = True
                    if self.over():
                        waiting.clear()
            self._launch()
            for event in events:  # now that it is committed
                self._settle(event)
            if wrong is not None:
                raise wrong
        if not done and not self.over() and self.spending.refused == refused:
            raise RunError(
                f"every training of stage {stage.name} failed; the trials' errors say why "
                f"(`hpsearch trials {self.target.study_name} --state fail`)"
            )
        return done

    def hand_out(self, stage: Stage, index: int, done: list[Result]) -> bool:
        """Get a slot ready for a worker, with a RUNNING trial; or take over a known result.

        Args:
            stage: whose slot it is.
            index: of the slot.
            done: the results of this stage so far, for a strategy that learns from them.

        Returns:
            False if the budget does not pay for it.
        """
        begun = self._unfinished.pop((stage.index, index), None)
        if begun is not None and stage.adaptive:  # by now it might propose something else
            seed, epochs = begun.user_attrs["seed"], begun.user_attrs["epochs"]
            slot = Slot(stage.index, index, begun.params, seed, epochs)
        else:
            slot = stage.slot(index, tuple(done))
        if not self.spending.admit(slot):
            return False
        job = self.job_of(slot)
        digest = self.digest_of(job)
        if begun is not None:
            trial_id = begun._trial_id
            record.resume_trial(self.store, trial_id, begun.state)
        else:
            trial = record.begun_trial(stage, slot, self.space, digest)
            trial_id = self.store.create_new_trial(self.target._study_id, template_trial=trial)
        flight = self._begun[trial_id] = _Flight(slot, trial_id, job)
        if digest in self.known:
            future: Future[Outcome] = Future()
            before = self.known[digest]
            epochs = load_epochs(self.store, trial_id=before).get(before, {})
            future.set_result(record.read_outcome(self.store.get_trial(before), epochs))
            self._flying[future] = flight
        else:
            self._ready.append(flight)
        return True

    def _most(self, stage: Stage, waiting: deque[int]) -> int:
        """How many slots may be handed out at once.

        Jobs that wait at a busy worker save it the wait for the next one; but a slot which is to
        learn from the others comes after them, and at the end of a stage no worker may be idle
        while another has two.
        """
        workers = self.executor.workers
        plenty = len(waiting) > 2 * workers and not stage.adaptive
        return workers + (self.executor.ahead if plenty else 0)

    def _launch(self) -> None:
        """Give what is ready to the workers."""
        while self._ready:
            flight = self._ready.popleft()
            future = self.executor.submit(train_job, flight.job, limit=self.limit)
            self._flying[future] = flight

    def record_outcome(
        self, stage: Stage, flight: _Flight, outcome: Outcome, done: list[Result]
    ) -> list[TrialDone]:
        """Write what came of a slot; returns what to tell of it once it is committed."""
        record.finish_trial(self.store, flight.trial_id, outcome)
        del self._begun[flight.trial_id]
        done.append(Result(flight.slot, outcome.score, complete=outcome.complete))
        return [TrialDone(stage, flight.slot, done[-1])]

    def notice_failure(self, stage: Stage, flight: _Flight, error: Exception) -> list[TrialDone]:
        """A worker died, was killed for taking too long, or raised: once more, or FAIL."""
        flight.errors.append(what_broke(error))
        # A pool that broke was not this training's doing: its worker had not begun with it.
        flight.blameless += isinstance(error, BrokenExecutor)
        if len(flight.errors) - min(flight.blameless, PATIENCE) < ATTEMPTS:
            self._ready.append(flight)
            return []
        record.fail_trial(self.store, flight.trial_id, flight.errors)
        del self._begun[flight.trial_id]
        return [TrialDone(stage, flight.slot, None, flight.errors[-1])]

    def _settle(self, event: TrialDone) -> None:
        if event.result is not None:
            self._stored[event.slot.stage, event.slot.index] = event.result
        self.on_event(event)

    def _landed(self, stage: Stage) -> set[Future[Outcome]]:
        """The trainings that have ended since the last look; waits for one of them."""
        while self._flying:
            self.interrupts.check()
            done = wait(self._flying, timeout=LOOK, return_when=FIRST_COMPLETED).done
            if done:
                return done
            self.on_event(Waiting(stage, min(len(self._flying), self.executor.workers)))
        return set()

    def _hand_back(self) -> None:
        """Leave no trial RUNNING, whatever ended the search; the next run takes them up."""
        for trial_id in self._begun:
            with suppress(KeyError):  # it was made in a group that could not be committed
                record.hand_back_trial(self.store, trial_id)
        self._begun.clear()
        self._ready.clear()
        self._flying.clear()
        self.store.flush()


def what_broke(error: Exception) -> str:
    """What broke a training, in words."""
    name = type(error).__name__
    if name == "ProcessExpired":
        code = getattr(error, "exitcode", None)
        how = f"signal {-code}" if isinstance(code, int) and code < 0 else f"exit code {code}"
        return f"the worker died ({how}); killed, or out of memory"
    if isinstance(error, TimeoutError):
        return "the training took longer than trial_seconds allows"
    return f"{name}: {error}"
