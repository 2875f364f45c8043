"""The driver's loop: hand out the slots of a stage, record what comes back.

The driver is the only writer. A slot has one trial in the store from the moment it is handed out:
RUNNING while a worker has it, WAITING after an interruption, COMPLETE or PRUNED with its result, or
FAIL once three attempts broke. Nothing is told to the outside before it is committed.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from statistics import fmean

from hpsearch.engine import record
from hpsearch.engine.cost import Spending
from hpsearch.engine.events import DataReady, Event, Ready, StageStarted, TrialDone, Waiting
from hpsearch.engine.jobs import Attempts
from hpsearch.engine.objective import Run
from hpsearch.engine.reuse import known_results
from hpsearch.errors import HpsearchError, RunError
from hpsearch.outcome import Outcome
from hpsearch.search.base import Result, Slot, Stage, Strategy
from hpsearch.storage import load_epochs

__all__ = ["Dispatcher"]


FIRST_FAILS = 3
"""So many trials fail at the start of a study, and it is ended rather than its budget burnt."""

BRIEF = 0.01
"""Seconds of a trial that may be over before the driver has handed out the next."""

RECENT = 10
"""Where so many trials in a row were brief on average, the next ones will be."""

AT_ONCE = 3
"""So many brief trials wait at a worker where one that is longer would."""

TOGETHER = 64
"""So many trials are recorded, and as many handed out, before others may write to the store."""


class Dispatcher:
    """Fills the slots of a study.

    Args:
        run: the study, its data, its store and its workers.
        ready: is told once the first workers train.
    """

    def __init__(self, run: Run, ready: Ready | DataReady) -> None:
        self.run, self.store, self.objective = run, run.runner.store, run.objective
        trials = run.target.get_trials(deepcopy=False)
        self._done: dict[int, list[Result]] = defaultdict(list)  # of each stage, as they came
        for result in record.read_results(trials, self.objective.measure).values():
            self._done[result.slot.stage].append(result)
        self._unfinished = record.read_unfinished(trials)
        self._known = known_results(self.store.engine)
        self._space = run.study.search_space()
        before = record.read_slots(trials)
        self._begun = max((slot.stage for slot in before), default=0)  # the last stage that was
        self._share = run.share(self._begun)  # of the budget, to the end of the stage
        self.spending = Spending(self._flops(), self.objective.cost, before, run.opening)
        self._jobs = run.jobs(self.objective.work)
        self._events: list[Event] = [ready]
        self._running: dict[int, tuple[Stage, Slot]] = {}  # by trial id
        self._seconds: deque[float] = deque(maxlen=RECENT)  # of the trials that ended last
        self._before: dict[int, list[float]] = {}  # for each stage, the scores it was made from
        self._fails = 0
        self._digests: dict[int, str] = {}  # of what runs, by trial id
        self._ended: list[Attempts[Outcome]] = []  # and are to be recorded

    def search(self, strategy: Strategy) -> list[Result]:
        """Fill every slot of every stage, or as many as the budget pays for.

        Returns:
            The results that name the winner: all of them, but for the seed of a race that the
            budget has cut off, with which the contenders had unequal chances.
        """
        stage = None
        try:
            while (after := strategy.next_stage(self._until(stage))) is not None:
                self._enter(after.index)
                if self.over() and not self._done[after.index]:
                    break
                self._before[after.index] = self._shown(stage)
                stage = after
                here = self._fill(stage)
                if not here or (stage.races and len(here) < stage.slots and self.over()):
                    break
            while stage is not None and self._running:  # the time was over between two stages
                self._turn(stage, deque())
            self._tell()
        except BaseException:
            with suppress(HpsearchError):  # where nothing can be written, the next run does this
                self._hand_back()
            raise
        self._hand_back()
        results = self._until(stage)
        here = [] if stage is None else self._done[stage.index]
        if stage is None or not stage.races or len(here) == stage.slots or not self.over():
            return results
        seeds = Counter(result.slot.seed for result in here)
        return [r for r in results if seeds.get(r.slot.seed, stage.abreast) == stage.abreast]

    def _until(self, stage: Stage | None) -> list[Result]:
        """The results of a stage and of those before it; none before the first."""
        last = -1 if stage is None else stage.index
        return [result for index in range(last + 1) for result in self._done[index]]

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
        """Run the slots of a stage that have no result yet, until the next one may begin.

        What that does not wait for still runs then. Once the budget is spent all is waited for.

        Returns:
            What the stage has by then.
        """
        stage = record.write_stage(self.run.target, stage)
        done = self._done[stage.index]
        self._events.append(StageStarted(stage, len(done)))
        taken = {result.slot.index for result in done}
        waiting = deque(index for index in self._order(stage) if index not in taken)
        if self._begun > stage.index:
            # Once a later stage was computed from what this one had, its failed slots stay failed.
            waiting = deque(i for i in waiting if (stage.index, i) in self._unfinished)
        refused = self.spending.refused
        while waiting or self._awaited(stage):
            if self.over():
                waiting.clear()
            self._turn(stage, waiting)
        if not done and not self.over() and self.spending.refused == refused:
            done += self._known_bad(stage)
        return done

    def _known_bad(self, stage: Stage) -> list[Result]:
        """What a stage has of which everything failed: trials that are known bad, or none.

        So the search goes on, and tries none of them again. A race has none: its contenders were
        sound before, and it ends there.

        Raises:
            RunError: nothing was completed before it either.
        """
        before = self._until(stage)
        if not before:
            told = (trial.user_attrs.get("error") for trial in self.run.target.get_trials(False))
            *_, last = ["", *filter(None, told)]
            raise RunError(
                f"every training of stage {stage.name} failed, the last with: {last} (`hpsearch "
                f"trials {self.run.target.study_name} --state fail` shows all)"
            )
        if stage.races or stage.adaptive:
            return []
        worst = min(result.score for result in before)
        return [Result(stage.slot(i), worst, complete=False) for i in range(stage.slots)]

    def _turn(self, stage: Stage, waiting: deque[int]) -> None:
        """Record what has ended, and hand out slots that wait; with no room for one wait for it."""
        room = bool(waiting) and len(self._running) < self._most(stage, waiting)
        ended = self._ended or ([] if room else self._jobs.wait())
        if not ended and not room:
            self.run.on_event(Waiting(stage, self._jobs.running))
            return
        ended, self._ended = ended[:TOGETHER], ended[TOGETHER:]
        some = 0 if self._ended else TOGETHER  # what is proposed next may look at all that ended
        with self.store.group():
            events = [self.record_result(attempts) for attempts in ended]
            while waiting and some and len(self._running) < self._most(stage, waiting):
                some -= 1
                paid = self.hand_out(stage, waiting.popleft())
                if not paid and stage.races:  # a seed without one contender decides nothing
                    self.spending.over = True
                if self.over():
                    waiting.clear()
        self._jobs.launch()
        self._events += events  # now that it is committed
        self._tell()
        if self._fails >= FIRST_FAILS and not any(self._done.values()):
            raise RunError(
                f"the first {self._fails} trials failed, so that the study was ended: "
                f"{next(e.error for e in events if isinstance(e, TrialDone) and e.error)}"
            )

    def _shown(self, stage: Stage | None) -> list[float]:
        """The scores of complete trials that a stage shows to the next one, with those before it.

        They are the same in every run, whoever was first.
        """
        return [
            result.score
            for result in self._until(stage)
            if result.complete and stage is not None and stage.waits_for(result.slot)
        ]

    def _worst(self, stage: Stage, outcome: Outcome) -> float:
        """The score of a trial that was stopped as known bad; searches look at none of these."""
        so_far = (r.score for results in self._done.values() for r in results if r.complete)
        return self.objective.worst(self._before[stage.index] or so_far, outcome)

    def _order(self, stage: Stage) -> Sequence[int]:
        """The slots of a stage as they are handed out: a budget is paid in the order of the slots.

        So is what nothing waits for: whoever looks at it early sees no choice of it.
        """
        search = self.run.study.search
        if stage.adaptive or stage.seen is None or search.total_flops or search.seconds:
            return range(stage.slots)
        return stage.dearest_first(self.objective.cost)

    def _awaited(self, stage: Stage) -> bool:
        """Whether a training is under way without which the search does not go on."""
        return any(self.over() or stage.waits_for(slot) for _, slot in self._running.values())

    def hand_out(self, stage: Stage, index: int) -> bool:
        """Get a slot ready for a worker, with a RUNNING trial; or take over a known result.

        Args:
            stage: whose slot it is.
            index: of the slot.

        Returns:
            False if the budget does not pay for it.
        """
        before = self._unfinished.pop((stage.index, index), None)
        if before is not None and stage.adaptive:  # by now it might propose something else
            slot = record.read_slot(before)
            assert slot is not None, "it was found by its slot"
        else:
            slot = stage.slot(index, tuple(self._done[stage.index]) if stage.adaptive else ())
        if not self.spending.admit(slot):
            return False
        job, digest = self.objective.job(slot), self.objective.digest(slot)
        if before is not None:
            trial_id = before._trial_id
            record.resume_trial(self.store, trial_id, before.state)
        else:
            trial = record.running_trial(stage, slot, self._space, digest)
            study_id = self.run.target._study_id
            trial_id = self.store.create_new_trial(study_id, template_trial=trial)
        self._running[trial_id] = stage, slot
        self._digests[trial_id] = digest
        known = self._known.get(digest)
        if known is None:
            self._jobs.give(trial_id, job)
        else:
            epochs = load_epochs(self.store, trial_id=known).get(known, {})
            result = record.read_result(
                self.store.get_trial(known), epochs, self.objective.measure, self.objective.also
            )
            self._ended.append(Attempts(trial_id, job, result))
        return True

    def _most(self, stage: Stage, waiting: deque[int]) -> int:
        """How many slots may be handed out at once.

        Jobs that wait at a busy worker save it the wait for the next one; but a slot which is to
        learn from the others comes after them, and at the end of a stage no worker may be idle
        while another has two. There is no such end where the next stage does not wait for what is
        left of this one; and with brief trials the wait for the driver would be the longer one.
        """
        pool = self.run.runner.pool
        if stage.adaptive:
            return pool.workers
        if len(self._seconds) == RECENT and fmean(self._seconds) < BRIEF:
            return pool.workers + AT_ONCE * pool.ahead
        unseen = stage.seen is not None and waiting[0] >= stage.seen
        plenty = len(waiting) > 2 * pool.workers or unseen
        return pool.workers + (pool.ahead if plenty else 0)

    def record_result(self, attempts: Attempts[Outcome]) -> TrialDone:
        """Write what came of a slot; returns what to tell of it once it is committed."""
        assert isinstance(attempts.key, int), "the id of the slot's trial"
        (stage, slot), result = self._running[attempts.key], attempts.result
        if result is None:
            record.fail_trial(self.store, attempts.key, attempts.errors, attempts.tail)
            self._fails += 1
            event = TrialDone(stage, slot, None, attempts.errors[-1])
        else:
            if not result.complete:
                result = replace(result, score=self._worst(stage, result))
            record.finish_trial(self.store, attempts.key, result, self.objective.measure)
            self._known.setdefault(self._digests[attempts.key], attempts.key)
            self._seconds.append(result.seconds)
            kept = Result(slot, result.score, complete=result.complete)
            self._done[stage.index].append(kept)
            event = TrialDone(stage, slot, kept)
        del self._running[attempts.key], self._digests[attempts.key]
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
