"""What a run tells of itself while it goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hpsearch.data import Dataset, Split
from hpsearch.data.account import Account
from hpsearch.engine.baselines import Baseline
from hpsearch.engine.summary import Summary
from hpsearch.metrics import Measure
from hpsearch.search.base import Configuration, Result, Slot, StagePlan, Winner

__all__ = [
    "Beside",
    "DataKnown",
    "DataReady",
    "Event",
    "Finished",
    "FirstTaken",
    "OnEvent",
    "Ready",
    "StageStarted",
    "TrialDone",
    "Waiting",
    "WinnerNamed",
]


@dataclass(frozen=True)
class Ready:
    """Everything is there for the first trial of a study without data.

    Attributes:
        measure: what trials are scored by.
        stored: trials of the study that the store holds already.
    """

    measure: Measure
    stored: int


@dataclass(frozen=True)
class FirstTaken:
    """The study begins with the winner of another one.

    Attributes:
        study: the other one.
        configuration: what is tried first.
        left_out: the parameters of the winner that have no place here.
    """

    study: str
    configuration: Configuration
    left_out: tuple[str, ...]


@dataclass(frozen=True)
class DataReady:
    """The data is loaded and divided.

    Attributes:
        dataset: the data.
        split: its parts, the first of them where there are folds.
        measure: what trials are scored by.
        stored: trials of the study that the store holds already.
        baselines: simple models that the winner has to be better than.
    """

    dataset: Dataset
    split: Split
    measure: Measure
    stored: int
    baselines: tuple[Baseline, ...] = ()

    @property
    def sizes(self) -> tuple[int, int, int]:
        """The rows for training, validation and test."""
        return len(self.split.train), len(self.split.validation), len(self.split.test)

    @property
    def known(self) -> DataKnown:
        """What is to be told of them."""
        data = self.dataset
        return DataKnown(
            data.name, data.account, len(data.X), self.sizes, self.measure, self.baselines
        )


@dataclass(frozen=True)
class DataKnown:
    """What is told of data, which a server may have loaded.

    Attributes:
        name: of the data.
        account: of its rows and columns.
        rows: how many can be learned from.
        sizes: the rows for training, validation and test.
        measure: what trials are scored by.
        baselines: simple models that the winner has to be better than.
    """

    name: str
    account: Account
    rows: int
    sizes: tuple[int, int, int]
    measure: Measure
    baselines: tuple[Baseline, ...] = ()


@dataclass(frozen=True)
class StageStarted:
    """A stage begins; `done` of its slots are in the store already."""

    stage: StagePlan
    done: int


@dataclass(frozen=True)
class TrialDone:
    """A slot's result is committed; or it failed for good: no `result`, and `error` says why."""

    stage: StagePlan
    slot: Slot
    result: Result | None
    error: str | None = None


@dataclass(frozen=True)
class Waiting:
    """No training has ended for a moment.

    Attributes:
        stage: that is under way.
        running: trainings that are.
        total: trials of the search, where it was extended while it is followed.
    """

    stage: StagePlan
    running: int
    total: int | None = None


@dataclass(frozen=True)
class WinnerNamed:
    """The search is over; the winner is trained once more and tested.

    Attributes:
        winner: what the strategy named; None where a server runs it, which tells it in the end.
        out_of_time: whether the search ended because its seconds were spent.
    """

    winner: Winner | None
    out_of_time: bool = False


@dataclass(frozen=True)
class Beside:
    """The winner is tested, and simple models are fitted to be set beside it."""


@dataclass(frozen=True)
class Finished:
    """The study is finished."""

    summary: Summary


Event = (
    FirstTaken
    | Ready
    | DataReady
    | DataKnown
    | StageStarted
    | TrialDone
    | Waiting
    | WinnerNamed
    | Beside
    | Finished
)
OnEvent = Callable[[Event], object]
