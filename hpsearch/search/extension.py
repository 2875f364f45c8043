"""More trials for a search that is over: one more stage near its best, then another race."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from hpsearch.errors import UsageError
from hpsearch.search.base import (
    Configuration,
    Result,
    Stage,
    StageKind,
    Strategy,
    Winner,
    stages_done,
)
from hpsearch.search.race import Race, RacedSearch, how_many

__all__ = ["Extension", "extend"]


def extend(make: Callable[[int], RacedSearch], totals: Sequence[int]) -> Strategy:
    """The strategy of a study whose number of trials was raised, once or more often.

    What was trained before stays as it is. A search of one stage without a race simply goes on, as
    if it had had the last total from the start; any other has an `Extension` for each raise.

    Args:
        make: the strategy with a given total of trials.
        totals: the totals, rising, the first one first.

    Raises:
        UsageError: a grid was raised, whose points would be others.
    """
    first = make(totals[0])
    if len(totals) == 1:
        return first
    if first.name == "grid":
        raise UsageError(
            "a grid cannot be given more trials, since its points would be others; "
            "give the study file a new name"
        )
    if not first.race and not first.search.narrows:
        return make(totals[-1])
    strategy: Strategy = first
    for before, total in pairwise(totals):
        more = total - before
        race = make(more).race or max(1, round(more / 4))
        contenders = how_many(race)
        strategy = Extension(strategy, make(total), before, more - race, race, contenders)
    return strategy


@dataclass(frozen=True)
class Extension:
    """A strategy, and when it is over one stage more and a race among the best of everything.

    The configurations that raced before race again, against those of the new stage: the scores that
    count in the end come from this race alone, which no selection has flattered.

    Args:
        before: the strategy whose trials are there already.
        whole: the same kind of strategy with all trials, whose search the new stage goes on with.
        drawn: how many trials came before the new stage.
        slots: the trials of the new stage, where so many configurations are left; 0 for a race
            only.
        race: the trials of the race.
        contenders: how many configurations start in it.
    """

    before: Strategy
    whole: RacedSearch
    drawn: int
    slots: int
    race: int
    contenders: int

    @property
    def name(self) -> str:
        """The strategy's name."""
        return self.whole.name

    def next_stage(self, results: Sequence[Result]) -> Stage | None:
        """What the strategy before still wants; then the new stage; then the race."""
        start, stage = self._earlier(results)
        if stage is not None:
            return stage
        slots = self._slots(start, results)
        if slots and stages_done(results) == start:
            return self._stage(start, results, slots)
        return self._race(start, slots).next_stage(results)

    def winner(self, results: Sequence[Result]) -> Winner:
        """The best of the last race that has begun."""
        start, stage = self._earlier(results)
        if stage is not None or stages_done(results) == start:
            return self.before.winner(results)
        return self._race(start, self._slots(start, results)).winner(results)

    def _earlier(self, results: Sequence[Result]) -> tuple[int, Stage | None]:
        """How many stages the strategy before has had, and the one that it still wants, if any."""
        for index in range(stages_done(results) + 1):
            known = [r for r in results if r.slot.stage < index]
            stage = self.before.next_stage(known)
            if stage is None or index == stages_done(results):
                return index, stage
        raise AssertionError("the range ends with the stage after the last")

    def _slots(self, start: int, results: Sequence[Result]) -> int:
        before = [r for r in results if r.slot.stage < start]
        return int(min(self.slots, self.whole.search.left(before)))

    def _race(self, start: int, slots: int) -> Race:
        start += bool(slots)
        whole = self.whole
        return Race(whole.search, start, self.race, whole.epochs, self.contenders, first=start)

    def _stage(self, index: int, results: Sequence[Result], slots: int) -> Stage:
        search = self.whole.search
        if search.narrows or not (search.adaptive or search.space.continuous):
            return search.one_more(results, slots)
        stage = search.stage(())

        def go_on(slot: int, finished: Sequence[Result]) -> Configuration:
            shifted = [
                replace(r, slot=replace(r.slot, index=r.slot.index + self.drawn)) for r in finished
            ]
            # Where draws can repeat, what any stage has trained is not to be proposed again.
            everything = not search.space.continuous
            earlier = [r for r in results if r.slot.stage == 0 or everything]
            return stage.propose(slot + self.drawn, [*earlier, *shifted])

        kind = StageKind(stage.kind.name, index)
        return replace(stage, kind=kind, index=index, slots=slots, propose=go_on, seen=slots)
