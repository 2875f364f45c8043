"""What a comparison came to, read from the studies in the store: the one source of all it shows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hpsearch.compare.progress import Progress, make_progress
from hpsearch.compare.statistics import Floats
from hpsearch.engine import record
from hpsearch.engine.baselines import read_baselines
from hpsearch.engine.cost import DataShape, training_flops
from hpsearch.engine.identity import kept_study_file
from hpsearch.engine.record import AGAIN
from hpsearch.engine.rivals import read_rivals
from hpsearch.engine.summary import winner_slots
from hpsearch.errors import StorageError, UnknownNameError, UsageError
from hpsearch.metrics import ACCURACY, Measure
from hpsearch.search.base import Slot
from hpsearch.space import Space

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

    from hpsearch.storage import WriteBehindStorage
    from hpsearch.study_file import StudyFile

__all__ = [
    "Comparison",
    "StrategyRuns",
    "comparisons",
    "finished_repeats",
    "read_comparison",
]


@dataclass(frozen=True, eq=False)
class StrategyRuns:
    """One strategy's repeats on one data set, R of them, in the order of their seeds.

    Values are of the study's measure, in its own units.

    Attributes:
        strategy: as the study file names it.
        progress: the incumbent of each repeat against cost, in the unit of the budget; in scores,
            of which greater is better.
        trials: (R,) how many trainings each repeat had.
        stopped: (R,) how many of them were stopped as known bad.
        validation: (R,) the value in validation with which each named its winner.
        test: (R,) mean test value of the very networks that this value is of.
        refit: (R,) test value of the winner trained once more, on training and validation part.
        scores: each repeat's trials in order: (T, 2), values in validation and on the test part.
        slots: the same trials' configurations, seeds and epochs.
        without_winner: how many repeats ended without a winner, since all their trainings diverged;
            their validation, test and refit are a constant answer's, as a diverged training's are.
        raced: whether its searches ended in a race, which named their winners.
    """

    strategy: str
    progress: tuple[Progress, ...]
    trials: NDArray[np.int64]
    stopped: NDArray[np.int64]
    validation: Floats
    test: Floats
    refit: Floats
    scores: tuple[Floats, ...]
    slots: tuple[tuple[Slot, ...], ...]
    without_winner: int = 0
    raced: bool = False

    @property
    def cost(self) -> Floats:
        """(R,) what each repeat has cost, in the unit of the budget."""
        return np.array([progress.cost[-1] for progress in self.progress])

    def first_stage(self) -> StrategyRuns:
        """With the trials of the first stage alone: of a search of one stage all but its race."""
        first = [np.array([slot.stage == 0 for slot in slots], dtype=bool) for slots in self.slots]
        return replace(
            self,
            scores=tuple(s[these] for s, these in zip(self.scores, first, strict=True)),
            slots=tuple(tuple(s for s in slots if s.stage == 0) for slots in self.slots),
        )


@dataclass(frozen=True, eq=False)
class Comparison:
    """Strategies on one data set with one budget.

    Attributes:
        name: the name of the study file.
        data: about the data set: name, rows and columns, how the rows are divided.
        unit: of the budget: flops, epochs or seconds.
        amount: the budget of a search, in that unit; twice as much for random-x2.
        epochs: of a full training.
        space: what all of them search.
        runs: by strategy, in the order of the study file.
        settings: the study file of the first search, as the store has it.
        environments: what the searches ran with, each kind once.
        constant: (R,) test value of the best constant answer, in the division of each repeat; nan
            where the store does not know it.
        simple: by name, (R,) test value of each simple model, fitted to the rows of the winners'
            last trainings; nan where it was not fitted.
        race: the most trainings of the race that ended every search, twice as many for random-x2;
            None where strategies raced or did not as they do by themselves.
        measure: of all values.
        resource: what trials are counted in; empty where all are equally long.
    """

    name: str
    data: Mapping[str, Any]
    unit: str
    amount: float
    epochs: int
    space: Space
    runs: Mapping[str, StrategyRuns]
    settings: Mapping[str, Any] = field(default_factory=dict)
    environments: tuple[Mapping[str, str], ...] = ()
    constant: Floats = field(default_factory=lambda: np.array([]))
    simple: Mapping[str, Floats] = field(default_factory=dict)
    race: int | None = None
    measure: Measure = ACCURACY
    resource: str = "epochs"

    @property
    def learns(self) -> bool:
        """Whether winners were tested on rows; else their own values stand in that place."""
        return bool(self.data)

    @property
    def score_name(self) -> str:
        """What trials are searched by."""
        return f"validation {self.measure.title}" if self.learns else self.measure.title

    @property
    def test_name(self) -> str:
        """What winners are held against each other by."""
        return f"test {self.measure.title}" if self.learns else self.measure.title

    @property
    def repeats(self) -> int:
        """How many repeats all strategies have finished."""
        return min(len(c.progress) for c in self.runs.values())


def comparisons(store: WriteBehindStorage) -> dict[str, list[tuple[optuna.Study, dict[str, Any]]]]:
    """The comparisons of a store: the studies of each, with what they say of it.

    A study with damaged metadata is of none.
    """
    import optuna

    found: dict[str, list[tuple[optuna.Study, dict[str, Any]]]] = {}
    for known in store.get_all_studies():
        if record.PREFIX + "comparison" in known.user_attrs:
            study = optuna.load_study(study_name=known.study_name, storage=store)
            with suppress(StorageError):
                about = record.read_metadata(study, "comparison")
                found.setdefault(about["name"], []).append((study, about))
    return found


def read_comparison(store: WriteBehindStorage, name: str) -> Comparison:
    """Read a comparison's finished studies: those that its last run asked for, if all have them.

    Repeats that a strategy has not finished yet are left out for all strategies.

    Raises:
        UnknownNameError: the database has none of this name.
        UsageError: not every strategy has finished a search yet.
    """
    finished = _finished_searches(store, name)
    repeats = _common_repeats(finished)
    if not repeats:
        raise UsageError(
            f"the comparison {name} has not finished a search of every strategy yet; "
            "run `hpsearch compare` again to go on"
        )
    some = next(iter(finished.values()))[repeats[0]]
    terms = record.read_metadata(some, "comparison")
    about = record.read_metadata(some, "data") or {}
    shape = (
        DataShape(about["columns"], len(about["classes"]) or 1, about["train"]) if about else None
    )
    unit, file = terms["budget"], kept_study_file(some)
    assert file is not None, "a comparison is of studies of ours"
    environments: list[Mapping[str, str]] = []
    for study in (by_repeat[r] for by_repeat in finished.values() for r in repeats):
        known = record.read_metadata(study, "environments") or []
        environments += [one for one in known if one not in environments]
    return Comparison(
        name=name,
        data=about,
        unit=unit,
        amount=terms["amount"],
        epochs=file.resource.full,
        space=record.read_stages(some)[0].space,
        runs={
            strategy: _strategy_runs(strategy, [by_repeat[r] for r in repeats], file, unit, shape)
            for strategy, by_repeat in finished.items()
        },
        settings=record.read_metadata(some, "study file"),
        environments=tuple(environments),
        constant=np.array([_constant([by[r] for by in finished.values()]) for r in repeats]),
        simple=_simple([[by[r] for by in finished.values()] for r in repeats]),
        race=terms.get("race"),
        measure=record.measure_of(some),
        resource=file.resource.name,
    )


def _constant(studies: Sequence[optuna.Study]) -> float:
    """The constant predictor's test value, from the studies of one repeat."""
    for study in studies:
        for baseline in read_baselines(study):
            if baseline.name == "constant" and baseline.test is not None:
                return baseline.test
    return math.nan


def _simple(repeats: Sequence[Sequence[optuna.Study]]) -> dict[str, Floats]:
    """The simple models' test values, of each repeat from whichever of its studies has them."""
    values: dict[str, list[float]] = {}
    for number, studies in enumerate(repeats):
        known = next(filter(None, map(read_rivals, studies)), ())
        for rival in known:
            if rival.value is not None:
                before = values.setdefault(rival.name, [])
                before += [math.nan] * (number - len(before)) + [rival.value]
    return {
        name: np.array([*found, *[math.nan] * (len(repeats) - len(found))])
        for name, found in values.items()
    }


def finished_repeats(store: WriteBehindStorage, name: str) -> int:
    """How many repeats of a comparison are finished by all its strategies; 0 if there is none."""
    try:
        return len(_common_repeats(_finished_searches(store, name)))
    except UnknownNameError:
        return 0


def _finished_searches(store: WriteBehindStorage, name: str) -> dict[str, dict[int, optuna.Study]]:
    """The finished studies of a comparison, by strategy and repeat."""
    known = comparisons(store)
    if name not in known:
        raise UnknownNameError("comparison", name, [*known] or ["none"])
    asked = known[name][0][1]
    finished: dict[str, dict[int, optuna.Study]] = {name: {} for name in asked["strategies"]}
    for study, about in known[name]:
        wanted = about["strategy"] in finished and about["repeat"] < asked["repeats"]
        over = (
            record.read_metadata(study, key) is not None for key in ("result", record.NO_WINNER)
        )
        if wanted and any(over):
            finished[about["strategy"]][about["repeat"]] = study
    return finished


def _common_repeats(finished: Mapping[str, Mapping[int, optuna.Study]]) -> list[int]:
    return sorted(set.intersection(*map(set, finished.values())))


def _strategy_runs(
    strategy: str, studies: list[optuna.Study], file: StudyFile, unit: str, shape: DataShape | None
) -> StrategyRuns:
    measure = record.measure_of(studies[0])
    progress, scores, slots, stopped, tested, results = [], [], [], [], [], []
    for study in studies:
        found = ((record.read_slot(t), t) for t in study.get_trials(deepcopy=False))
        done = [(slot, t) for slot, t in found if slot is not None and t.value is not None]
        done.sort(key=lambda one: one[0].place)
        pairs = np.array([[t.value, _tested(t)] for _, t in done], dtype=np.float64)
        slots.append(tuple(slot for slot, _ in done))
        costs = [_cost(t, file, unit, shape) for _, t in done]
        epochs = [slot.epochs for slot in slots[-1]]
        progress.append(make_progress(costs, *measure.sign * pairs.T, epochs=epochs))
        scores.append(pairs)
        stopped.append(sum(t.state.name != "COMPLETE" for _, t in done))
        results.append(record.read_metadata(study, "result"))
        named = winner_slots(results[-1])
        those = [slot.place in named for slot in slots[-1]]
        # Without a winner all have diverged, and count like a constant answer.
        tested.append(float((pairs[those] if named else pairs)[:, 1].mean()))
    return StrategyRuns(
        strategy,
        tuple(progress),
        np.array([len(pairs) for pairs in scores]),
        np.array(stopped),
        np.array(
            [r["validation"] if r else p[:, 0].mean() for r, p in zip(results, scores, strict=True)]
        ),
        np.array(tested),
        np.array(
            [r.get("test", r.get(AGAIN)) if r else v for r, v in zip(results, tested, strict=True)]
        ),
        tuple(scores),
        tuple(slots),
        without_winner=results.count(None),
        raced=any(stage.races for study in studies for stage in record.read_stages(study)),
    )


def _tested(trial: FrozenTrial) -> float | None:
    """A trial's value on the test part; where there are no rows its own."""
    tested = record.read_tested(trial)
    return trial.value if tested is None else tested


def _cost(trial: FrozenTrial, file: StudyFile, unit: str, shape: DataShape | None) -> float:
    """What a trial has cost: the epochs that it did train, with the one in which it was stopped."""
    if unit == "seconds":
        return max(float(trial.user_attrs["seconds"]), 1e-6)
    if not file.counts_operations:
        return float(trial.user_attrs["epochs"])
    epochs = len(trial.intermediate_values) + (trial.state.name != "COMPLETE")
    epochs = min(epochs, int(trial.user_attrs["epochs"]))
    if unit == "epochs" or shape is None:
        return float(epochs)
    return training_flops(file.configuration(trial.params), shape, epochs=epochs)
