"""What a search strategy is: a plan of stages, each a number of slots, each slot one training.

The contract that every strategy keeps:

- A stage is computed from the finished results of the stages before it and from nothing else, in
  whatever order they finished. Of the stage right before it it may see the first slots only, as
  many as that one says (``seen``): it can begin while the others still train. A study that is
  killed and run again computes the same stages.
- The configuration and the seed of a slot are a pure function of study seed, stage and slot index,
  so one worker or eight run the same trials. Only an adaptive stage (Optuna's tpe, gp, cmaes) also
  looks at what has finished within the stage; it says so with ``adaptive``.
- The slots of all stages together are the trials that were asked for; or fewer, where a grid has
  fewer points, or the space no other configurations left. No stage trains a configuration that it,
  or one before it, trains as long, but a race, which repeats the best with other seeds.
- Scores are finite and greater is better. A result that is not complete was stopped as known bad:
  it ranks below every complete one, and its score is not read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, TypeAlias

import numpy as np

from hpsearch.space import Parameter, Space, Value

__all__ = [
    "AFTER",
    "RACE",
    "Chosen",
    "Configuration",
    "Key",
    "Motive",
    "Move",
    "Propose",
    "Resource",
    "Result",
    "Slot",
    "Stage",
    "StageKind",
    "StagePlan",
    "Strategy",
    "Winner",
    "configuration_key",
    "generator",
    "in_order",
    "last_seed",
    "merit",
    "slot_seed",
    "stages_done",
    "visible",
]

Configuration: TypeAlias = Mapping[str, Value]

Key: TypeAlias = tuple[tuple[str, Value], ...]
"""What tells two configurations apart."""


class Resource(NamedTuple):
    """What the length of a slot is counted in.

    Args:
        name: epochs, trees, rows; empty where every training is whole.
        full: how much of it a whole training takes.
        least: how much the shortest takes at least.
    """

    name: str = ""
    full: int = 1
    least: int = 1


@dataclass(frozen=True)
class Slot:
    """One training to run.

    Args:
        stage: the index of its stage.
        index: its place within the stage, from 0.
        configuration: the value of every parameter that exists.
        seed: the seed of the training, from 0 to 2**32 - 1.
        epochs: how long to train, in the study's `Resource`.
    """

    stage: int
    index: int
    configuration: Configuration
    seed: int
    epochs: int

    @property
    def place(self) -> tuple[int, int]:
        """Its stage and its index there."""
        return self.stage, self.index


@dataclass(frozen=True)
class Result:
    """What came of a slot.

    Args:
        slot: the slot that was run.
        score: how good it is; finite, greater is better.
        complete: False if it was stopped as known bad (it diverged); never run again.
    """

    slot: Slot
    score: float
    complete: bool = True


Propose: TypeAlias = Callable[[int, Sequence[Result]], Configuration]
"""The configuration of a slot, given its index and what has finished in its stage."""


class Motive(NamedTuple):
    """Why a model chose a configuration: what it believed of it when it did.

    Both numbers count the standard deviation that the model gave to any score before it had seen
    one, noise aside.

    Args:
        lead: how far above the best that was believed of anything seen its score was expected to
            lie; negative for one that was expected below.
        deviation: how uncertain that was: 1 where nothing was known, 0 where everything was.
    """

    lead: float
    deviation: float


@dataclass(frozen=True)
class Chosen:
    """What a model proposes: a `Propose` that can say why.

    Args:
        choices: each slot's configuration and why it was chosen, if by the model. It is called when
            the first of them is asked for, and keeps what it has found.
    """

    choices: Callable[[], Sequence[tuple[Configuration, Motive | None]]]

    def __call__(self, index: int, finished: Sequence[Result]) -> Configuration:
        """The configuration of a slot."""
        del finished
        return self.choices()[index][0]

    def motive(self, index: int) -> Motive | None:
        """Why a slot got it; None where the model could tell nothing."""
        return self.choices()[index][1]


@dataclass(frozen=True)
class Move:
    """What a stage did to a parameter of the stage before it, and why.

    Args:
        parameter: its name.
        before: the parameter as it was.
        after: the parameter as it is now; equal to ``before`` where the reason says that it stays.
        reason: a sentence with the numbers behind it.
    """

    parameter: str
    before: Parameter
    after: Parameter
    reason: str


RACE = "race"
"""What a round of a race is called: its contenders train with the same seeds, so they compare."""


class StageKind(NamedTuple):
    """What a stage is for.

    Args:
        name: "coarse", "fine", `RACE`, or the strategy that has only one.
        number: which of several; 0 for the only one.

    >>> str(StageKind("fine", 2))
    'fine-2'
    """

    name: str
    number: int = 0

    def __str__(self) -> str:
        return f"{self.name}-{self.number}" if self.number else self.name


@dataclass(frozen=True)
class StagePlan:
    """What can be told, and kept, of a stage.

    Args:
        kind: what it is for.
        index: its place among the stages of the study, from 0.
        slots: how many trainings it has.
        epochs: how long each of them trains.
        space: where their configurations come from.
        changes: what changed in the space since the stage before, with reasons.
        motives: why a model chose each slot; empty where none did, or as long as nobody has asked.
        note: what else is to be told of it, in a sentence.
    """

    kind: StageKind
    index: int
    slots: int
    epochs: int
    space: Space
    changes: tuple[Move, ...] = ()
    motives: tuple[Motive | None, ...] = ()
    note: str = ""

    @property
    def name(self) -> str:
        """What it is called."""
        return str(self.kind)

    @property
    def races(self) -> bool:
        """Whether it is a round of a race."""
        return self.kind.name == RACE


@dataclass(frozen=True, kw_only=True)
class Stage(StagePlan):
    """A number of slots that can run side by side.

    Args:
        seed: the study's seed.
        propose: the configuration of each slot.
        modelled: whether a model of earlier results chose them, whose last digits, and with them
            its choice, may differ between machines: whoever keeps the stage keeps them too.
        adaptive: whether ``propose`` looks at what has finished.
        abreast: how many slots in a row train with one seed: the contenders of a race.
        seen: how many of its first slots the next stage sees; None where none follows.
    """

    seed: int
    propose: Propose = field(repr=False, compare=False)
    modelled: bool = False
    adaptive: bool = False
    abreast: int = 1
    seen: int | None = None

    def slot(self, index: int, finished: Sequence[Result] = ()) -> Slot:
        """The slot at an index.

        Args:
            index: from 0 to ``slots`` - 1.
            finished: the results of this stage so far, in the order in which they finished; only an
                adaptive stage looks at them.

        Raises:
            IndexError: if the stage has no such slot.
        """
        if not 0 <= index < self.slots:
            raise IndexError(f"stage {self.name} has slots 0 to {self.slots - 1}, not {index}")
        configuration = self.propose(index, finished)
        seed = slot_seed(self.seed, self.index, index // self.abreast)
        return Slot(self.index, index, configuration, seed, self.epochs)

    def waits_for(self, slot: Slot) -> bool:
        """Whether a slot, of this stage or of one before, has to end before the next one begins."""
        return slot.stage < self.index or self.seen is None or slot.index < self.seen

    def dearest_first(self, cost: Callable[[Slot], float]) -> list[int]:
        """The order in which the next stage waits least for its slots.

        Those that it sees come first, and of these the dearest: so none of them is left to the end,
        when the workers that have nothing else to do would wait for it.

        Args:
            cost: how long a slot trains, in any unit.
        """
        costs = [cost(self.slot(index)) for index in range(self.slots)]
        seen = self.slots if self.seen is None else self.seen
        return sorted(range(self.slots), key=lambda index: (index >= seen, -costs[index]))


@dataclass(frozen=True)
class Winner:
    """The configuration that a search names in the end.

    Args:
        configuration: its parameters.
        mean: the mean of ``scores``.
        std: their standard deviation; None for a single score.
        scores: the scores that count: those of the race, which no selection has made lucky, or
            without a race the single score for which it was chosen, which is flattered by the
            choice.
        epochs: how long it trained.
        slots: the stage and the index of the trainings that have these scores.
    """

    configuration: Configuration
    mean: float
    std: float | None
    scores: tuple[float, ...]
    epochs: int
    slots: tuple[tuple[int, int], ...] = ()


class Strategy(Protocol):
    """A way to spend a number of trials on a space."""

    @property
    def name(self) -> str:
        """The name under which `make_strategy` knows it."""

    def next_stage(self, results: Sequence[Result]) -> Stage | None:
        """The stage after the last one that has results, or None when the search is over.

        Args:
            results: all finished results, in any order; none for the first stage. Slots that failed
                for good are simply missing.
        """

    def winner(self, results: Sequence[Result]) -> Winner:
        """The configuration to name, given all finished results, in any order.

        Raises:
            RunError: if no result is complete: what was stopped as known bad is never named.
        """


def generator(seed: int, *key: int) -> np.random.Generator:
    """The generator that belongs to a study's seed and a key, independent of any other key's."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def configuration_key(configuration: Configuration) -> Key:
    """What tells two configurations apart."""
    return tuple(sorted(configuration.items(), key=lambda item: item[0]))


def slot_seed(seed: int, stage: int, index: int) -> int:
    """The training seed of a slot: 32 bits, a pure function of study seed, stage and index.

    >>> slot_seed(0, stage=1, index=2) == slot_seed(0, stage=1, index=2)
    True
    """
    return int(np.random.SeedSequence(seed, spawn_key=(stage, index)).generate_state(1)[0])


AFTER = 2**31
"""The index of no stage: of what is trained once the search is over."""


def last_seed(seed: int, attempt: int = 0) -> int:
    """The seed of a training after the search, by the same rule as for every slot."""
    return slot_seed(seed, AFTER, attempt)


def in_order(results: Iterable[Result]) -> list[Result]:
    """Results by stage and index, whatever the order in which they finished."""
    return sorted(results, key=lambda result: result.slot.place)


def merit(result: Result) -> tuple[bool, float]:
    """What results are compared by: any complete one beats any that was stopped as known bad."""
    return (True, result.score) if result.complete else (False, 0.0)


def visible(
    results: Iterable[Result], stage: int, seen: Sequence[int] | None = None
) -> list[Result]:
    """What a stage may see of results.

    Args:
        results: of any stages, in any order.
        stage: its index.
        seen: how many of its first slots each stage shows to the next one; without it, all.
    """
    return [
        result
        for result in results
        if result.slot.stage < stage - 1
        or (
            result.slot.stage == stage - 1
            and (seen is None or result.slot.index < seen[result.slot.stage])
        )
    ]


def stages_done(results: Iterable[Result]) -> int:
    """How many stages have results: the index of the next one."""
    return max((result.slot.stage + 1 for result in results), default=0)
