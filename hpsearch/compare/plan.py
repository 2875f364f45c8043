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
from hpsearch.search.strategies import DOUBLE
from hpsearch.study_file import StudyFile
from hpsearch.study_file.models import CompareSection, SearchSection

__all__ = ["ComparisonPlan", "plan_comparison"]

DRAWS = 1024  # of configurations, for the cost of an average one
MOST_TRIALS = 100_000
ROOM = 10  # how many times as many trials as average ones the budget may buy where they are cheap
OWN = {
    "grid": ("points", "shift"),
    "coarse-to-fine": ("stage_shares", "epoch_shares", "race", "contenders"),
    "guided": ("stage_shares", "epoch_shares", "race", "contenders"),
}
"""The settings of [search] that speak of one strategy; the others do without."""


@dataclass(frozen=True)
class ComparisonPlan:
    """All studies of a comparison, in the order in which they run.

    Attributes:
        name: of the comparison.
        section: what the file says of it.
        amount: the budget of one search, in the unit of ``section.budget``.
        studies: each by strategy and repeat; repeat after repeat, since the strategies of one share
            its data.
    """

    name: str
    section: CompareSection
    amount: float
    studies: dict[tuple[str, int], StudyFile]


def plan_comparison(study: StudyFile, shape: DataShape) -> ComparisonPlan:
    """Make an ordinary study, NAME/strategy/repeat, of each strategy and repeat.

    Without an amount the budget is what the grid of ``search.trials`` points costs, since a grid
    cannot have any number of points; without a grid, so many average trainings. A search of single
    draws begins trainings as long as the budget pays for them. What has to be planned from the
    start is made as large as the budget: a grid by what its points cost, coarse to fine by its
    epochs and the cost of an average configuration's; it too begins nothing that the budget does
    not pay for.

    Args:
        study: what the strategies search, and how they compete.
        shape: of its data.

    Raises:
        UsageError: the budget does not pay for one training, or for more than anybody waits for.
    """
    section = study.compare
    epoch = _mean_epoch(study, shape) if section.budget == "flops" else 1.0
    amount = section.amount or _amount(study, epoch, shape)
    one = epoch * study.training.epochs
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
    studies: dict[tuple[str, int], StudyFile] = {
        (strategy, repeat): _study_of(study, strategy, repeat, amount, epoch, shape)
        for repeat in range(section.repeats)
        for strategy in sorted(section.strategies, key=lambda s: s == DOUBLE)
    }
    return ComparisonPlan(study.name, section, amount, studies)


def _study_of(
    study: StudyFile, strategy: str, repeat: int, amount: float, epoch: float, shape: DataShape
) -> StudyFile:
    share = 2 if strategy == DOUBLE else 1
    amount *= share
    strategy, label = "random" if strategy == DOUBLE else strategy, strategy
    own = OWN.get(strategy, ())
    settings: dict[str, Any] = {
        "strategy": strategy,
        "total_epochs": None,
        "total_flops": None,
        "seconds": None,
        "prior": [],  # all begin with nothing
        **{name: None for names in OWN.values() for name in names if name not in own},
    }
    named = study.model_copy(
        update={
            "name": f"{study.name}/{label}/{repeat}",
            "seed": study.seed + repeat,
            "search": study.search.model_copy(update=settings),
            "compare": CompareSection(),
        }
    )
    unit = study.compare.budget
    average = amount / (epoch * study.training.epochs)  # trials, where the unit is no time
    most = study.search.trials if unit == "seconds" else max(1, int(ROOM * average))
    if strategy == "grid" and study.compare.amount is None:
        most, amount = study.search.trials, math.inf  # its own cost is the budget
    elif unit == "flops" and strategy in OWN:
        most = _affordable(named, most, amount, epoch, shape)
    elif unit == "seconds" and strategy not in OWN:
        most *= ROOM * share
    limit = {"flops": "total_flops", "epochs": "total_epochs", "seconds": "seconds"}[unit]
    paid = None if math.isinf(amount) else int(amount) if unit == "epochs" else amount
    search = named.search.model_copy(update={"trials": most, limit: paid})
    return named.model_copy(update={"search": search})


def _affordable(study: StudyFile, most: int, amount: float, epoch: float, shape: DataShape) -> int:
    """The most trials whose plan costs no more than the amount."""

    def cost(trials: int) -> float:
        search = make_search(study, trials)
        if search.name == "grid":
            return _grid_flops(study, search, shape)
        return search.planned_epochs * epoch

    least = most_below(most, lambda trials: cost(trials) <= amount)
    if not least:
        raise UsageError(
            f"the budget of the comparison, {amount:.3g}, does not pay for one training of "
            f"{study.search.strategy}; raise [search] trials or [compare] amount"
        )
    return least


def _amount(study: StudyFile, epoch: float, shape: DataShape) -> float:
    """The budget of a comparison whose file names none."""
    if "grid" not in study.compare.strategies:
        return study.search.trials * study.training.epochs * epoch
    of_grid = {name: getattr(study.search, name) for name in OWN["grid"]}
    settings = SearchSection(strategy="grid", trials=study.search.trials, **of_grid)
    grid = make_search(study.model_copy(update={"search": settings}), settings.trials)
    if study.compare.budget == "epochs":
        return float(grid.planned_epochs)
    return _grid_flops(study, grid, shape)


def _grid_flops(study: StudyFile, grid: RacedSearch, shape: DataShape) -> float:
    stage = grid.search.stage(())
    points = [study.configuration(stage.propose(index, ())) for index in range(stage.slots)]
    return sum(training_flops(point, shape, epochs=stage.epochs) for point in points)


def _mean_epoch(study: StudyFile, shape: DataShape) -> float:
    """What an epoch of an average configuration costs, in floating-point operations."""
    rng = np.random.default_rng(0)
    space = study.space()
    draws = (study.configuration(space.sample(rng)) for _ in range(DRAWS))
    return fmean(training_flops(draw, shape, epochs=1) for draw in draws)
