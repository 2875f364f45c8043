"""The race that confirms a winner: the best few again with other seeds, the worse dropping out.

A score is a draw, and the best of many draws is mostly a lucky one. So the best few distinct
configurations are trained again, one new seed a round for all of them (so that their scores compare
in pairs); after each round the worse two fifths drop out, until the trials are spent. It is
successive elimination (Maron & Moore, Hoeffding races, 1994) with a fixed budget.

Where seeds hardly matter, a race has nothing to tell. It is settled once its repeats show that
seeds move a score less than the configurations of the search's best quarter do: then a better one
is worth more than a surer choice. A search that goes from coarse to fine gets the trials that are
left: one more stage near the best of all, and a short race again.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from hpsearch.errors import NoWinnerError, RunError
from hpsearch.search.base import (
    RACE,
    Configuration,
    Propose,
    Result,
    Stage,
    StageKind,
    Winner,
    in_order,
    stages_done,
)
from hpsearch.search.coarse_to_fine import FEWEST
from hpsearch.search.narrowing import narrow, narrowed
from hpsearch.space import Space, Value

__all__ = [
    "Contender",
    "Race",
    "RacedSearch",
    "Search",
    "configuration_key",
    "contenders_for",
    "rounds",
]

KEPT = 0.6  # the share of the contenders that a round leaves in
RACING = 0.4  # the share of what a race leaves that goes to the next one


@dataclass(frozen=True)
class Search:
    """The search itself, before its winner is confirmed: one stage or several.

    Args:
        name: of the strategy.
        space: of the first stage; each later one has the region of the best so far.
        slots: the trials of each stage.
        epochs: how long each trial of each stage trains.
        seed: the study's seed.
        begin: given the space, the index and the slots of a stage, and what finished before it,
            what proposes its configurations.
        narrows: whether it goes from coarse to fine, though few trials may leave it a single stage.
        modelled: from which stage on a model of what finished chooses; None if none does.
        adaptive: whether a stage looks at what has finished within it.
    """

    name: str
    space: Space
    slots: tuple[int, ...]
    epochs: tuple[int, ...]
    seed: int
    begin: Callable[[Space, int, int, Sequence[Result]], Propose]
    narrows: bool = False
    modelled: int | None = None
    adaptive: bool = False

    def stage(self, results: Sequence[Result]) -> Stage:
        """The stage after the last one that has results; asked only while there is one."""
        index = stages_done(results)
        space, changes = narrowed(self.space, index, results)
        first = "coarse" if self.narrows else self.name
        return Stage(
            kind=StageKind("fine", index) if index else StageKind(first),
            index=index,
            slots=self.slots[index],
            epochs=self.epochs[index],
            space=space,
            seed=self.seed,
            propose=self.begin(space, index, self.slots[index], results),
            changes=changes,
            modelled=self.modelled is not None and index >= self.modelled,
            adaptive=self.adaptive,
        )

    def one_more(self, results: Sequence[Result], slots: int) -> Stage:
        """A stage of full trainings near the best of all results, where the search narrows."""
        index = stages_done(results)
        space, changes = narrow([self.space], results)
        return Stage(
            kind=StageKind("fine", index),
            index=index,
            slots=slots,
            epochs=self.epochs[-1],
            space=space,
            seed=self.seed,
            propose=self.begin(space, index, slots, results),
            changes=changes,
            modelled=self.modelled is not None,
        )


@dataclass(frozen=True)
class RacedSearch:
    """A search, and after it a race among its best: a whole `Strategy`.

    Args:
        search: the search.
        trials: the most that it was to have, those of the race included; a grid may have fewer.
        race: the trials that go to the race; 0 to name the best single score.
        epochs: the epochs of a full training, which the race uses.
        contenders: how many configurations start in the race.
    """

    search: Search
    trials: int
    race: int
    epochs: int
    contenders: int

    @property
    def name(self) -> str:
        """The search's name."""
        return self.search.name

    @property
    def planned_epochs(self) -> int:
        """The epochs of all trainings together, if each trains as long as it may."""
        each = zip(self.search.slots, self.search.epochs, strict=True)
        return sum(slots * epochs for slots, epochs in each) + self.race * self.epochs

    def shares(self, reserved: float) -> list[float]:
        """How much of a budget may be spent by the end of each stage of the search.

        Args:
            reserved: the share that is left to the race; the stages divide the rest as they divide
                their epochs.
        """
        each = zip(self.search.slots, self.search.epochs, strict=True)
        spent = list(accumulate(slots * epochs for slots, epochs in each))
        return [(1 - reserved) * epochs / spent[-1] for epochs in spent] if reserved else []

    def next_stage(self, results: Sequence[Result]) -> Stage | None:
        """The search's next stage; after its last one the rounds of the race."""
        if stages_done(results) < len(self.search.slots):
            return self.search.stage(results)
        return self._race.next_stage(results)

    def winner(self, results: Sequence[Result]) -> Winner:
        """The best mean of the race's last survivors, or the best single score without a race."""
        return self._race.winner(results)

    @property
    def _race(self) -> Race:
        return Race(self.search, len(self.search.slots), self.race, self.epochs, self.contenders)


@dataclass(frozen=True)
class Race:
    """A race among the best of what stands before it.

    Args:
        search: what gets the trials that it leaves when it is settled, if it narrows.
        start: the stage that is its first round; the stages before it are the search.
        trials: how many trials it has, in all rounds together.
        epochs: how long each trains.
        contenders: how many configurations start.
        first: the number in the first round's name; the others count on from it.
    """

    search: Search
    start: int
    trials: int
    epochs: int
    contenders: int
    first: int = 1

    def next_stage(self, results: Sequence[Result]) -> Stage | None:
        """The next round, or what follows once it is settled; None when the trials are spent."""
        after = self._after(results)
        if after is None:
            return self._next_round(results)
        slots, race = after
        if stages_done(results) < race.start:
            return self.search.one_more(results, slots)
        return race.next_stage(results)

    def _next_round(self, results: Sequence[Result]) -> Stage | None:
        index, contenders = stages_done(results), self._ranked(results)
        sizes = rounds(self.trials, len(contenders))
        played = index - self.start
        if played >= len(sizes):
            return None
        left = [contender.configuration for contender in contenders[: sizes[played]]]
        return Stage(
            kind=StageKind(RACE, self.first + played),
            index=index,
            slots=len(left),
            epochs=self.epochs,
            space=self.search.space,
            seed=self.search.seed,
            propose=lambda i, _: left[i],
        )

    def _after(self, results: Sequence[Result]) -> tuple[int, Race] | None:
        """The slots of the stage, and the race, that follow where it was settled before its end."""
        if not self.search.narrows:
            return None
        sizes = rounds(self.trials, len(self._ranked(results)))
        for played in range(1, min(stages_done(results) - self.start + 1, len(sizes))):
            left = self.trials - sum(sizes[:played])
            known = [r for r in results if r.slot.stage < self.start + played]
            if left >= FEWEST and self._settled(known):
                trials = max(1, round(RACING * left))
                start = self.start + played + 1
                contenders = max(2, round(trials / 3))
                # Numbered by their stage, the rounds have names that no earlier race had.
                race = Race(self.search, start, trials, self.epochs, contenders, first=start)
                return left - trials, race
        return None

    def _settled(self, results: Sequence[Result]) -> bool:
        """Whether seeds move a score no more than configurations of the best quarter do.

        The variance among their single scores is that of both together.
        """
        trainings = [
            [r.score for r in (contender.first, *contender.race) if r.slot.epochs == self.epochs]
            for contender in self._ranked(results)
            if contender.sound
        ]
        repeats = sum(len(scores) - 1 for scores in trainings if scores)
        found = sorted(
            r.score
            for r in results
            if r.slot.stage < self.start and r.complete and r.slot.epochs == self.epochs
        )
        best = found[-max(FEWEST, len(found) // 4) :]
        if not repeats or len(trainings) < 2 or len(best) < 2:
            return False
        squares = (statistics.pvariance(scores) * len(scores) for scores in trainings if scores)
        return sum(squares) / repeats <= statistics.variance(best) / 2

    def winner(self, results: Sequence[Result]) -> Winner:
        """The best, as the race stands, of those that were ever trained to their end.

        Raises:
            RunError: there is no result, or none is complete (`NoWinnerError`).
        """
        after = self._after(results)
        if after is not None and stages_done(results) >= after[1].start:
            return after[1].winner(results)
        if not results:
            raise RunError("no trial has finished, so there is no winner; see the failed trials.")
        best = next((c for c in self._ranked(results) if c.trained), None)
        if best is None:
            many = len(results)
            trials = "the only trial was" if many == 1 else f"all {many} trials were"
            raise NoWinnerError(
                f"{trials} stopped as known bad, without a finite score, so that "
                "there is no winner; search where trials succeed, as at lower learning rates."
            )
        scores = best.scores
        std = statistics.stdev(scores) if len(scores) > 1 else None
        slots = tuple(r.slot.place for r in best.counting)
        mean = statistics.fmean(scores)
        return Winner(best.configuration, mean, std, tuple(scores), best.epochs, slots)

    def _ranked(self, results: Sequence[Result]) -> list[Contender]:
        """The contenders, the best first: who survived longer, then who has the better mean."""
        ordered = in_order(results)
        before = [r for r in ordered if r.slot.stage < self.start]
        found = contenders_for(before, self.contenders)
        contenders = {configuration_key(c.configuration): c for c in found}
        for result in ordered[len(before) :]:
            contender = contenders.get(configuration_key(result.slot.configuration))
            if contender is not None:
                contender.add(result)
        return sorted(contenders.values(), key=lambda c: c.rank(), reverse=True)


class Contender:
    """A configuration in a race: its first training, the scores that chose it, and the race's.

    Args:
        trainings: of one configuration. The longest of them count; if all of these were stopped as
            known bad, the longest that were not.
    """

    def __init__(self, trainings: Sequence[Result]) -> None:
        longest = _longest(trainings)
        self.configuration = longest[0].slot.configuration
        self.first = longest[0]
        self.sound = all(r.complete for r in longest)
        complete = [r for r in longest if r.complete]
        self.selection = complete or _longest([r for r in trainings if r.complete]) or longest[:1]
        self.epochs = self.selection[0].slot.epochs
        self.race: list[Result] = []
        self.last_round = -1

    @property
    def counting(self) -> list[Result]:
        """The trainings that count: those of the race, if there were any."""
        return self.race or self.selection

    @property
    def trained(self) -> bool:
        """Whether any of them was not stopped as known bad, so that the scores are its own."""
        return any(result.complete for result in self.counting)

    @property
    def scores(self) -> list[float]:
        """Their scores."""
        return [result.score for result in self.counting]

    def add(self, result: Result) -> None:
        """Take in a result of the race; a contender that diverges even once is out."""
        self.last_round = result.slot.stage
        self.sound = self.sound and result.complete
        if result.complete:
            self.race.append(result)
            self.epochs = result.slot.epochs

    def rank(self) -> tuple[bool, bool, int, float]:
        """What contenders are sorted by: never diverged, or not always; survived longest; mean."""
        return self.sound, self.trained, self.last_round, statistics.fmean(self.scores)


def contenders_for(results: Sequence[Result], count: int) -> list[Contender]:
    """The best distinct configurations of a search.

    Those that trained longest come first, because scores of different epochs do not compare; among
    them the best mean, a configuration that was drawn more than once having several scores. One
    that diverged, even once, runs only if all did, and one that always did only after those.

    Args:
        results: what the search found, in order.
        count: how many to take at most.
    """
    groups: dict[tuple[tuple[str, Value], ...], list[Result]] = {}
    for result in results:
        groups.setdefault(configuration_key(result.slot.configuration), []).append(result)
    found = [Contender(group) for group in groups.values()]
    found.sort(
        key=lambda c: (c.sound, c.trained, c.epochs, statistics.fmean(c.scores)), reverse=True
    )
    sound = [contender for contender in found if contender.sound]
    return (sound or found)[:count]


def _longest(results: Sequence[Result]) -> list[Result]:
    epochs = max((r.slot.epochs for r in results), default=0)
    return [r for r in results if r.slot.epochs == epochs]


def rounds(trials: int, contenders: int) -> list[int]:
    """How many run in each round of a race that spends exactly the trials given.

    Each round keeps three fifths of the one before, at least two; the last takes what is left.

    >>> rounds(19, 6)
    [6, 4, 3, 2, 2, 2]
    >>> rounds(5, 1)
    [1, 1, 1, 1, 1]
    """
    sizes: list[int] = []
    running = contenders
    while trials > 0 and contenders > 0:
        sizes.append(min(running, trials))
        trials -= sizes[-1]
        running = min(running, max(2, math.ceil(KEPT * running)))
    return sizes


def configuration_key(configuration: Configuration) -> tuple[tuple[str, Value], ...]:
    """What tells two configurations apart."""
    return tuple(sorted(configuration.items(), key=lambda item: item[0]))
