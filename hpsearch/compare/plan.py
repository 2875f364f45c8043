"""Who competes with how much: every strategy gets the same budget, and the same seeds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np

from hpsearch.engine.budget import make_search, most_below
from hpsearch.engine.cost import DataShape, training_flops
from hpsearch.errors import UsageError
from hpsearch.search.race import RacedSearch
from hpsearch.search.strategies import DOUBLE, IN_STAGES, race_of
from hpsearch.study_file import StudyFile
from hpsearch.study_file.models import CompareSection, SearchSection

__all__ = ["ComparisonPlan", "plan_comparison"]

DRAWS = 1024  # of configurations, for the cost of an average one
MOST_TRIALS = 100_000
ROOM = 10  # how many times as many trials as average ones the budget may buy where they are cheap
OWN = {
    "grid": ("points", "shift"),
    "coarse-to-fine": ("stage_shares", "epoch_shares"),
    "guided": ("stage_shares", "epoch_shares"),
}
"""The settings of [search] that speak of one strategy; the others do without, and draw one by one.
Those that have some are planned from the start."""

RACING = ("race", "contenders")
"""Those of the race: everybody's, or else of those who race unasked."""


@dataclass(frozen=True)
class ComparisonPlan:
    """All studies of a comparison, in the order in which they run.

    Attributes:
        name: of the comparison.
        section: what the file says of it.
        amount: the budget of one search, in the unit of ``section.budget``.
        race: the trainings of the race that ends each search, twice as many for random-x2; None
            where strategies race or do not as they do by themselves.
        reserved: the share of the budget that a search leaves to its race.
        studies: each by strategy and repeat; repeat after repeat, since the strategies of one share
            its data.
    """

    name: str
    section: CompareSection
    amount: float
    race: int | None
    reserved: float
    studies: dict[tuple[str, int], StudyFile]


@dataclass(frozen=True)
class _Budget:
    """What each search gets: an amount, what an epoch takes of it, and how many trainings race."""

    amount: float
    epoch: float
    race: int | None

    def times(self, share: int) -> _Budget:
        """The same several times."""
        race = None if self.race is None else share * self.race
        return _Budget(share * self.amount, self.epoch, race)


def plan_comparison(study: StudyFile, shape: DataShape | None) -> ComparisonPlan:
    """Make an ordinary study, NAME/strategy/repeat, of each strategy and repeat.

    Without an amount the budget is what the grid of ``search.trials`` trainings costs, its race
    included, since a grid cannot have any number of points; without a grid, so many average
    trainings. Every search has the same race: a quarter of the average trainings that the budget
    pays for, or ``search.race`` of them.

    A search of single draws begins trainings as long as the budget pays for them. What has to be
    planned from the start is made as large as the budget: a grid by what its points cost, coarse to
    fine by its epochs and the cost of an average configuration's; it too begins nothing that the
    budget does not pay for. Every search leaves the race its share.

    Args:
        study: what the strategies search, and how they compete.
        shape: of its data; None where the budget counts no operations.

    Raises:
        UsageError: the budget does not pay for one training, or for more than anybody waits for; or
            the race leaves nothing to the search.
    """
    section = study.compare
    epoch = _mean_epoch(study, shape) if section.budget == "flops" else 1.0
    amount = section.amount or _amount(study, epoch, shape)
    one = epoch * study.resource.full
    if section.budget != "seconds" and amount < one:
        raise UsageError(
            f"the budget of the comparison, {amount:.3g} {section.budget}, does not pay for one "
            f"average training, which costs {one:.3g}; raise [search] trials or [compare] amount"
        )
    if section.budget != "seconds" and amount > MOST_TRIALS * one:
        raise UsageError(
            f"the budget of the comparison, {amount:.3g} {section.budget}, pays for more than "
            f"{MOST_TRIALS:,} average trainings, which cost {one:.3g} each; lower [compare] amount"
        )
    average = study.search.trials if section.budget == "seconds" else amount / one
    race = _race_of(study, round(average))
    if race is not None and race >= average:
        raise UsageError(
            f"race is {race}, and the budget of the comparison pays for {average:.3g} average "
            "trainings in all; lower [search] race, so that something is left to the search"
        )
    budget = _Budget(amount, epoch, race)
    studies: dict[tuple[str, int], StudyFile] = {
        (strategy, repeat): _study_of(study, strategy, repeat, budget, shape)
        for repeat in range(section.repeats)
        for strategy in sorted(section.strategies, key=lambda s: s == DOUBLE)
    }
    return ComparisonPlan(study.name, section, amount, race, (race or 0) / average, studies)


def _race_of(study: StudyFile, trials: int) -> int | None:
    """The race of everybody whose budget pays for so many trials; None if there is no such."""
    if not study.compare.race:
        return None
    return race_of(trials) if study.search.race is None else study.search.race


def _study_of(
    study: StudyFile, strategy: str, repeat: int, budget: _Budget, shape: DataShape | None
) -> StudyFile:
    label, unit = strategy, study.compare.budget
    share = 2 if strategy == DOUBLE else 1
    strategy, budget = "random" if strategy == DOUBLE else strategy, budget.times(share)
    amount, race = budget.amount, budget.race
    own = OWN.get(strategy, ())
    others = [name for names in OWN.values() for name in names if name not in own]
    settings: dict[str, Any] = {
        "strategy": strategy,
        "prior": [],  # all begin with nothing
        **dict.fromkeys(("total_epochs", "total_flops", "seconds", *others)),
    }
    if race is not None:
        settings["race"] = race
    elif strategy not in IN_STAGES:
        settings |= dict.fromkeys(RACING)
    named = study.model_copy(
        update={
            "name": f"{study.name}/{label}/{repeat}",
            "seed": study.seed + repeat,
            "search": study.search.model_copy(update=settings),
            "compare": CompareSection(),
        }
    )
    most, planned = study.search.trials, strategy in OWN
    average = amount / (budget.epoch * study.resource.full)  # trials, where the unit is no time
    if strategy == "grid" and study.compare.amount is None:
        if race is not None:
            most = _grid(study).search.slots[0] + race
        if not race:
            amount = math.inf  # its own cost is the budget
    elif unit == "seconds":
        most *= 1 if planned else ROOM * share
    elif planned:
        most = _affordable(named, int(ROOM * average), budget, unit, shape)
    else:
        most = max(int(average if unit == "epochs" else ROOM * average), 1 + (race or 0))
    limit = {"flops": "total_flops", "epochs": "total_epochs", "seconds": "seconds"}[unit]
    paid = None if math.isinf(amount) else int(amount) if unit == "epochs" else amount
    search = named.search.model_copy(update={"trials": most, limit: paid})
    return named.model_copy(update={"search": search})


def _affordable(
    study: StudyFile, most: int, budget: _Budget, unit: str, shape: DataShape | None
) -> int:
    """The most trials whose plan costs no more than the amount."""
    race = budget.race or 0

    def cost(trials: int) -> float:
        search = make_search(study, trials)
        if search.name == "grid" and unit == "flops":
            raced = search.race * search.epochs * budget.epoch
            return _grid_flops(study, search, shape) + raced
        return search.planned_epochs * budget.epoch

    least = most_below(most, lambda trials: cost(trials + race) <= budget.amount)
    if not least:
        raise UsageError(
            f"the budget of the comparison, {budget.amount:.3g}, does not pay for one training of "
            f"{study.search.strategy}; raise [search] trials or [compare] amount"
        )
    return least + race


def _amount(study: StudyFile, epoch: float, shape: DataShape | None) -> float:
    """The budget of a comparison whose file names none."""
    if "grid" not in study.compare.strategies:
        return study.search.trials * study.resource.full * epoch
    grid = _grid(study)
    if study.compare.budget == "epochs":
        return float(grid.planned_epochs)
    flops = _grid_flops(study, grid, shape)
    return flops + grid.race * flops / grid.search.slots[0]  # a race costs what its points do


def _grid(study: StudyFile) -> RacedSearch:
    """Grid search with the trials of the study file, those of its race included."""
    trials = study.search.trials
    race = _race_of(study, trials) or 0
    of_grid = {name: getattr(study.search, name) for name in OWN["grid"]}
    settings = SearchSection(strategy="grid", trials=trials, race=race, **of_grid)
    try:
        return make_search(study.model_copy(update={"search": settings}), trials)
    except UsageError as error:
        if not race:
            raise
        raise UsageError(
            f"{error} Of {trials} trials the race has {race}, as [compare] race = true asks."
        ) from None


def _grid_flops(study: StudyFile, grid: RacedSearch, shape: DataShape | None) -> float:
    """What the points of a grid cost, without its race."""
    assert shape is not None, "asked of networks"
    stage = grid.search.stage(())
    points = [study.configuration(stage.propose(index, ())) for index in range(stage.slots)]
    return sum(training_flops(point, shape, epochs=stage.epochs) for point in points)


def _mean_epoch(study: StudyFile, shape: DataShape | None) -> float:
    """What an epoch of an average configuration costs, in floating-point operations."""
    assert shape is not None, "asked of networks"
    rng = np.random.default_rng(0)
    space = study.search_space()
    draws = (study.configuration(space.sample(rng)) for _ in range(DRAWS))
    return fmean(training_flops(draw, shape, epochs=1) for draw in draws)
