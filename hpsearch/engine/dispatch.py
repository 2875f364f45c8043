"""The driver's loop: hand out the slots of a stage, record what comes back.

The driver is the only writer. A slot has one trial in the store from the moment it is handed out:
RUNNING while a worker has it, WAITING after an interruption, COMPLETE or PRUNED with its result, or
FAIL once three attempts broke. Nothing is told to the outside before it is committed.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress

from hpsearch.engine import record
from hpsearch.engine.cost import Spending
from hpsearch.engine.events import DataReady, Event, StageStarted, TrialDone, Waiting
from hpsearch.engine.jobs import Attempts
from hpsearch.engine.reuse import job_digest, known_results
from hpsearch.engine.runner import Run
from hpsearch.errors import HpsearchError, RunError
from hpsearch.search.base import Result, Slot, Stage, Strategy
from hpsearch.storage import load_epochs
from hpsearch.training.jobs import JobResult, train_job

__all__ = ["Dispatcher"]


class Dispatcher:
    """Fills the slots of a study.

    Args:
        run: the study, its data, its store and its workers.
        ready: is told once the first workers train.
    """

    def __init__(self, run: Run, ready: DataReady) -> None:
        self.run, self.store = run, run.runner.store
        trials = run.target.get_trials(deepcopy=False)
        self._results = record.read_results(trials)
        self._unfinished = record.read_unfinished(trials)
        self._known = known_results(self.store.engine)
        self._space = run.study.space()
        before = record.read_slots(trials)
        self._begun = max((slot.stage for slot in before), default=0)  # the last stage that was
        self._share = run.share(self._begun)  # of the budget, to the end of the stage
        self.spending = Spending(self._flops(), run.cost, before, run.opening)
        self._jobs = run.jobs(train_job)
        self._events: list[Event] = [ready]
        self._running: dict[int, Slot] = {}  # by trial id
        self._reused: list[Attempts[JobResult]] = []  # running, and the store has their results

    def search(self, strategy: Strategy) -> list[Result]:
        """Fill every slot of every stage, or as many as the budget pays for.

        Returns:
            The results that name the winner: all of them, but for a round of the race that the
            budget has cut off, in which the contenders had unequal chances.
        """
        results: list[Result] = []
        try:
            while (stage := strategy.next_stage(results)) is not None:
                self._enter(stage.index)
                if self.over() and all(index != stage.index for index, _ in self._results):
                    break
                here = self._fill(stage)
                if not here:
                    break
                if len(here) < stage.slots and self.over() and stage.races:
                    break
                results += here
            self._tell()
        except BaseException:
            with suppress(HpsearchError):  # where nothing can be written, the next run does this
                self._hand_back()
            raise
        self._hand_back()
        return results

    def over(self) -> bool:
        """Whether the budget is spent, as far as the stage may spend it."""
        return self.spending.over or self.run.out_of_time(self._share)

    def _enter(self, index: int) -> None:
        """Spend on a stage what the ones before have left, and its own share."""
        share = self.run.share(index)
        if share > self._share:
            self._share = share
            self.spending.raise_to(self._flops())

    def _flops(self) -> float | None:
        limit = self.run.study.search.total_flops
        return None if limit is None else self._share * limit

    def _fill(self, stage: Stage) -> list[Result]:
        """Run the slots of a stage that have no result yet."""
        stage = record.write_stage(self.run.target, stage)
        done = [r for key, r in self._results.items() if key[0] == stage.index]
        self._events.append(StageStarted(stage, len(done)))
        # Once a later stage was computed from what this one had, its failed slots stay failed.
        closed = self._begun > stage.index
        taken = {result.slot.index for result in done}
        waiting = deque(() if closed else (i for i in range(stage.slots) if i not in taken))
        refused = self.spending.refused
        while waiting or self._running:
            if self.over():
                waiting.clear()
            ended, self._reused = self._reused or self._jobs.wait(), []
            if self._running and not ended:
                self.run.on_event(Waiting(stage, self._jobs.running))
                continue
            with self.store.group():
                events = [self.record_result(stage, attempts, done) for attempts in ended]
                while waiting and len(self._running) < self._most(stage, waiting):
                    paid = self.hand_out(stage, waiting.popleft(), done)
                    if not paid and stage.races:  # a round without one contender decides nothing
                        self.spending.over = True
                    if self.over():
                        waiting.clear()
            self._jobs.launch()
            for event in events:  # now that it is committed
                if event.result is not None:
                    self._results[event.slot.place] = event.result
            self._events += events
            self._tell()
        if not done and not self.over() and self.spending.refused == refused:
            raise RunError(
                f"every training of stage {stage.name} failed; the trials' errors say why "
                f"(`hpsearch trials {self.run.target.study_name} --state fail`)"
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
        before = self._unfinished.pop((stage.index, index), None)
        if before is not None and stage.adaptive:  # by now it might propose something else
            slot = record.read_slot(before)
            assert slot is not None, "it was found by its slot"
        else:
            slot = stage.slot(index, tuple(done))
        if not self.spending.admit(slot):
            return False
        job = self.run.job(slot)
        digest = job_digest(self.run.study, self.run.dataset.fingerprint, job)
        if before is not None:
            trial_id = before._trial_id
            record.resume_trial(self.store, trial_id, before.state)
        else:
            trial = record.running_trial(stage, slot, self._space, digest)
            study_id = self.run.target._study_id
            trial_id = self.store.create_new_trial(study_id, template_trial=trial)
        self._running[trial_id] = slot
        known = self._known.get(digest)
        if known is None:
            self._jobs.give(trial_id, job)
        else:
            epochs = load_epochs(self.store, trial_id=known).get(known, {})
            result = record.read_result(self.store.get_trial(known), epochs)
            self._reused.append(Attempts(trial_id, job, result))
        return True

    def _most(self, stage: Stage, waiting: deque[int]) -> int:
        """How many slots may be handed out at once.

        Jobs that wait at a busy worker save it the wait for the next one; but a slot which is to
        learn from the others comes after them, and at the end of a stage no worker may be idle
        while another has two.
        """
        pool = self.run.runner.pool
        plenty = len(waiting) > 2 * pool.workers and not stage.adaptive
        return pool.workers + (pool.ahead if plenty else 0)

    def record_result(
        self, stage: Stage, attempts: Attempts[JobResult], done: list[Result]
    ) -> TrialDone:
        """Write what came of a slot; returns what to tell of it once it is committed."""
        assert isinstance(attempts.key, int), "the id of the slot's trial"
        slot, result = self._running[attempts.key], attempts.result
        if result is None:
            record.fail_trial(self.store, attempts.key, attempts.errors)
            event = TrialDone(stage, slot, None, attempts.errors[-1])
        else:
            record.finish_trial(self.store, attempts.key, result)
            done.append(Result(slot, result.score, complete=result.complete))
            event = TrialDone(stage, slot, done[-1])
        del self._running[attempts.key]
        return event

    def _tell(self) -> None:
        """Tell what has happened, now that it is committed and the workers have something to do."""
        events, self._events = self._events, []
        for event in events:
            self.run.on_event(event)

    def _hand_back(self) -> None:
        """Leave no trial RUNNING, whatever ended the search; the next run takes them up."""
        for trial_id in self._running:
            with suppress(KeyError):  # it was made in a group that could not be committed
                record.hand_back_trial(self.store, trial_id)
        self._running.clear()
        self.store.flush()
