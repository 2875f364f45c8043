"""The race that confirms a winner: the best few again with other seeds, and the worse drop out.

A score is a draw, and the best of many draws is mostly a lucky one. So the best few distinct
configurations are trained again, each with the same new seeds (so that their scores compare in
pairs), in rounds that divide the trials equally; after each the worse half of the contenders drop
out. It is sequential halving (Karnin, Koren & Somekh, Almost Optimal Exploration in Multi-Armed
Bandits, 2013), but with no more rounds than keep workers busy: at the end of each they wait for its
slowest training.

Where seeds hardly matter, a race has nothing to tell. It is settled once its repeats show that
seeds move a score less than the configurations of the search's best quarter do: then a better one
is worth more than a surer choice. A search that goes from coarse to fine gets the trials that are
left: one more stage near the best of all, and a short race again.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

from hpsearch.errors import NoWinnerError, RunError
from hpsearch.search.base import (
    RACE,
    Key,
    Move,
    Propose,
    Result,
    Stage,
    StageKind,
    Winner,
    configuration_key,
    in_order,
    stages_done,
    visible,
)
from hpsearch.search.coarse_to_fine import FEWEST
from hpsearch.search.narrowing import narrow, narrowed
from hpsearch.space import Categorical, Space, Value

__all__ = [
    "Contender",
    "Race",
    "RacedSearch",
    "Search",
    "contenders_for",
    "how_many",
    "rounds",
]

ROUND = 12  # the trials of a round, about: they keep eight workers busy
TRIALS = 4  # of a race for each contender, if nobody says how many there are
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
        begin: given the spaces, the index and the slots of a stage, what finished before it, and
            what it is not to train again, what proposes its configurations.
        narrows: whether it goes from coarse to fine, though few trials may leave it a single stage.
        modelled: from which stage on a model of what finished chooses; None if none does.
        adaptive: whether a stage looks at what has finished within it.
        unseen: the share of a stage that the next one does not see, so that it can be computed
            while these last slots train, and no worker waits.
        widened: the ranges that were widened for what is tried first.
        note: what is to be told of the search as a whole, in a sentence; empty if nothing is.
    """

    name: str
    space: Space
    slots: tuple[int, ...]
    epochs: tuple[int, ...]
    seed: int
    begin: Callable[[Sequence[Space], int, int, Sequence[Result], Collection[Key]], Propose]
    narrows: bool = False
    modelled: int | None = None
    adaptive: bool = False
    unseen: float = 0.0
    widened: tuple[Move, ...] = ()
    note: str = ""

    def stage(self, results: Sequence[Result]) -> Stage:
        """The stage after the last one that has results; asked only while there is one."""
        index = stages_done(results)
        known = visible(results, index, self._seen)
        space, changes = narrowed(self.space, index, results, self._seen)
        first = "coarse" if self.narrows else self.name
        slots, epochs = self.slots[index], self.epochs[index]
        return Stage(
            kind=StageKind("fine", index) if index else StageKind(first),
            index=index,
            slots=slots,
            epochs=epochs,
            seed=self.seed,
            **self._draws(space, changes if index else self.widened, index, slots, epochs, known),
            modelled=self.modelled is not None and index >= self.modelled,
            adaptive=self.adaptive,
            seen=self._seen[index],
            note="" if index else self.note,
        )

    def one_more(self, results: Sequence[Result], slots: int) -> Stage:
        """A stage of full trainings, near the best of all results where the search narrows."""
        index, epochs = stages_done(results), self.epochs[-1]
        space, changes = narrow([self.space], results) if self.narrows else (self.space, ())
        return Stage(
            kind=StageKind("fine" if self.narrows else self.name, index),
            index=index,
            slots=slots,
            epochs=epochs,
            seed=self.seed,
            **self._draws(space, changes, index, slots, epochs, results),
            modelled=self.modelled is not None,
            seen=slots,
        )

    def left(self, results: Sequence[Result]) -> float:
        """How many configurations of the space were not trained in full yet."""
        if self.space.continuous:
            return math.inf
        return _left(self.space, _tried(results, self.epochs[-1]))

    def _draws(
        self,
        space: Space,
        changes: tuple[Move, ...],
        index: int,
        slots: int,
        epochs: int,
        known: Sequence[Result],
    ) -> dict[str, Any]:
        """Where a stage draws from, what changed there, and what it draws.

        Where a narrowed space has too little left to try, the whole one gives the rest.
        """
        spaces, tried = [space], set[Key]()
        if not self.space.continuous:
            tried = _tried(known, epochs)
            left = _left(space, tried)
            if left < slots:
                spaces = [space, self.space]
                space = _both(space, self.space)
                told = (
                    f" Only {left:.0f} configurations are left to try there, for {slots} trials: "
                    "the others come from the whole space."
                )
                changes = tuple(
                    replace(c, after=space.parameters[c.parameter], reason=c.reason + told)
                    for c in changes
                )
        propose = self.begin(spaces, index, slots, known, tried)
        return {"space": space, "changes": changes, "propose": propose}

    @property
    def _seen(self) -> list[int]:
        """How many of its first slots each stage shows to the next; the last, all to the race."""
        *others, last = self.slots
        return [slots - round(self.unseen * slots) for slots in others] + [last]


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
        left = len(self.search.slots) - stages_done(results)
        if left > 0:
            stage = self.search.stage(results)
            return stage if self.race or left > 1 else replace(stage, seen=None)
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
        starters = self._starters(results)
        after = self._after(starters, results)
        if after is None:
            return self._next_round(starters, results)
        slots, race = after
        if stages_done(results) < race.start:
            return self.search.one_more(results, slots)
        return race.next_stage(results)

    def _next_round(self, starters: Sequence[Contender], results: Sequence[Result]) -> Stage | None:
        index, contenders = stages_done(results), self._ranked(starters, results)
        planned = rounds(self.trials, len(contenders))
        played = index - self.start
        if played >= len(planned):
            return None
        abreast, slots = planned[played]
        left = [contender.configuration for contender in contenders[:abreast]]
        return Stage(
            kind=StageKind(RACE, self.first + played),
            index=index,
            slots=slots,
            epochs=self.epochs,
            space=self.search.space,
            seed=self.search.seed,
            propose=lambda i, _: left[i % abreast],
            abreast=abreast,
            seen=slots,
        )

    def _after(
        self, starters: Sequence[Contender], results: Sequence[Result]
    ) -> tuple[int, Race] | None:
        """The slots of the stage, and the race, that follow where it was settled before its end."""
        if not self.search.narrows:
            return None
        planned = rounds(self.trials, len(starters))
        for played in range(1, min(stages_done(results) - self.start + 1, len(planned))):
            left = self.trials - sum(slots for _, slots in planned[:played])
            known = [r for r in results if r.slot.stage < self.start + played]
            untried = self.search.left(known)
            if left >= FEWEST and untried and self._settled(starters, known):
                trials = max(1, round(RACING * left))
                start = self.start + played + 1
                contenders = how_many(trials)
                # Numbered by their stage, the rounds have names that no earlier race had.
                race = Race(self.search, start, trials, self.epochs, contenders, first=start)
                return int(min(left - trials, untried)), race
        return None

    def _settled(self, starters: Sequence[Contender], results: Sequence[Result]) -> bool:
        """Whether seeds move a score no more than configurations of the best quarter do.

        The variance among their single scores is that of both together.
        """
        trainings = [
            [r.score for r in (contender.first, *contender.race) if r.slot.epochs == self.epochs]
            for contender in self._ranked(starters, results)
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
        starters = self._starters(results)
        after = self._after(starters, results)
        if after is not None and stages_done(results) >= after[1].start:
            return after[1].winner(results)
        if not results:
            raise RunError("no trial has finished, so there is no winner; see the failed trials.")
        best = next((c for c in self._ranked(starters, results) if c.trained), None)
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

    def _starters(self, results: Sequence[Result]) -> list[Contender]:
        """The contenders as the race begins, the best first."""
        before = [r for r in results if r.slot.stage < self.start]
        return contenders_for(in_order(before), self.contenders)

    def _ranked(self, starters: Sequence[Contender], results: Sequence[Result]) -> list[Contender]:
        """The contenders, the best first: who survived longer, then who has the better mean."""
        raced: dict[Key, list[Result]] = {}
        for result in in_order(r for r in results if r.slot.stage >= self.start):
            raced.setdefault(configuration_key(result.slot.configuration), []).append(result)
        contenders = [
            Contender(c.trainings, raced.get(configuration_key(c.configuration), ()))
            for c in starters
        ]
        return sorted(contenders, key=lambda c: c.rank(), reverse=True)


def _tried(results: Sequence[Result], epochs: int) -> set[Key]:
    """The configurations that were trained for so long."""
    return {configuration_key(r.slot.configuration) for r in results if r.slot.epochs == epochs}


def _left(space: Space, tried: Collection[Key]) -> float:
    """How many configurations of a space are not among some."""
    size = space.size
    return size if math.isinf(size) else size - sum(dict(key) in space for key in tried)


def _both(space: Space, whole: Space) -> Space:
    """A space with the ranges of a narrowed one and of the whole one together."""
    return whole.replace(
        {
            name: parameter.reaching(own.low, own.high)
            for name, parameter in whole.parameters.items()
            if not isinstance(parameter, Categorical)
            and not isinstance(own := space.parameters.get(name, parameter), Categorical)
        }
    )


class Contender:
    """A configuration in a race: its first training, the scores that chose it, and the race's.

    Args:
        trainings: of one configuration. The longest of them count; if all of these were stopped as
            known bad, the longest that were not.
        race: what came of it in the race so far, in order; diverging even once puts it out.
    """

    def __init__(self, trainings: Sequence[Result], race: Sequence[Result] = ()) -> None:
        longest = _longest(trainings)
        self.trainings = trainings
        self.configuration = longest[0].slot.configuration
        self.first = longest[0]
        self.sound = all(r.complete for r in (*longest, *race))
        complete = [r for r in longest if r.complete]
        self.selection = complete or _longest([r for r in trainings if r.complete]) or longest[:1]
        self.race = [r for r in race if r.complete]
        self.epochs = self.counting[-1].slot.epochs
        self.last_round = race[-1].slot.stage if race else -1

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


def how_many(trials: int) -> int:
    """The contenders of a race of so many trials: so few that each trains more than once."""
    return max(2, round(trials / TRIALS))


def rounds(trials: int, contenders: int) -> list[tuple[int, int]]:
    """How many contenders each round of a race has, and how many trials; these are all there are.

    There are two rounds at least, since the first may settle the race. In a round all train equally
    often, once at least; but the last round's last seed may be for some only.

    >>> rounds(24, 6), rounds(5, 1)
    ([(6, 12), (3, 12)], [(1, 2), (1, 3)])
    """
    planned: list[tuple[int, int]] = []
    to_come = max(2, min(round(trials / ROUND), math.ceil(math.log2(contenders or 1))))
    left = contenders
    while trials > 0 and left > 0:
        left = min(left, trials)
        slots = trials if to_come == 1 else left * max(1, trials // to_come // left)
        planned.append((left, slots))
        trials, to_come = trials - slots, to_come - 1
        left = min(left, max(2, math.ceil(left / 2)))
    return planned
