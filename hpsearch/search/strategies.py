"""Every strategy by its name."""

from __future__ import annotations

import importlib.util
from collections.abc import Collection, Sequence
from functools import partial

import numpy as np

from hpsearch.errors import UnknownNameError, UsageError, shown
from hpsearch.search import coarse_to_fine, guided
from hpsearch.search.base import Configuration, Propose, Result, generator
from hpsearch.search.coarse_to_fine import plan
from hpsearch.search.effects import ranks
from hpsearch.search.grid import Points, make_grid, shuffled
from hpsearch.search.optuna_strategies import ADAPTIVE, adaptive
from hpsearch.search.quasi_random import sobol
from hpsearch.search.race import RacedSearch, Search, how_many
from hpsearch.space import Space

__all__ = ["DOUBLE", "IN_STAGES", "STRATEGIES", "make_strategy", "race_of"]

STRATEGIES = ("coarse-to-fine", "guided", "grid", "random", *ADAPTIVE, "qmc")

DOUBLE = "random-x2"
"""In comparisons, random search with twice the budget: who does not beat it has not beaten random
search (Li et al., Hyperband, JMLR 18, 2018, section 4)."""

IN_STAGES = {
    "coarse-to-fine": (coarse_to_fine.STAGE_SHARES, coarse_to_fine.EPOCH_SHARES),
    "guided": (guided.STAGE_SHARES, guided.EPOCH_SHARES),
}
"""Those that go from coarse to fine: each stage's share of the trials, and of a full training."""

RACE_SHARE = 0.25  # of the trials of a search in stages
RACE_FROM = 8  # with fewer trials than this, all of them search

_DRAW = 1  # keeps the key of a draw apart from the key of a training seed


def race_of(trials: int) -> int:
    """How many of so many trials race where the study does not say.

    >>> race_of(60), race_of(7)
    (15, 0)
    """
    return round(RACE_SHARE * trials) if trials >= RACE_FROM else 0


def make_strategy(
    name: str,
    space: Space,
    *,
    trials: int,
    epochs: int,
    seed: int,
    least: int = 1,
    race: int | None = None,
    contenders: int | None = None,
    points: Points | None = None,
    shift: bool | None = None,
    stage_shares: Sequence[float] | None = None,
    epoch_shares: Sequence[float] | None = None,
    prior: Sequence[Sequence[Result]] | None = None,
) -> RacedSearch:
    """A strategy by name.

    Args:
        name: coarse-to-fine, guided, grid, random, tpe, gp, cmaes or qmc.
        space: what to search.
        trials: all trainings together, those of the race included.
        epochs: the epochs of a full training, or whatever it is counted in.
        least: how many a shorter one has at least.
        seed: the study's seed, 0 or more.
        race: how many of the trials go to the race; without it a quarter for coarse-to-fine
            and guided, and none for the others.
        contenders: how many configurations start in the race; without it a quarter of ``race``.
        points: grid only: points per parameter, or their values; see `make_grid`.
        shift: grid only: move the points by a random part of a step, drawn from ``seed``.
        stage_shares: coarse-to-fine and guided only: how the trials before the race are divided
            among the stages; one half, a quarter and a quarter, or two fifths and a fifth each.
        epoch_shares: coarse-to-fine and guided only: the part of a full training that each stage
            gets; a quarter, a half and then all of it.
        prior: guided only: results of earlier studies, a sequence for each, which inform every
            stage; those of a study whose results are all equally good tell nothing.

    Raises:
        UnknownNameError: if there is no strategy of that name.
        UsageError: if a number is out of range, a setting belongs to another strategy, or gp has no
            torch.
    """
    if name not in STRATEGIES:
        raise UnknownNameError("strategy", name, STRATEGIES)
    for setting, number, floor in (("trials", trials, 1), ("epochs", epochs, 1), ("seed", seed, 0)):
        if number < floor:
            raise UsageError(f"{setting} is {number}; give at least {floor}.")
    _refuse(name, ["grid"], points=points, shift=shift)
    _refuse(name, ["guided"], prior=prior)
    _refuse(name, IN_STAGES, stage_shares=stage_shares, epoch_shares=epoch_shares)
    if race is None:
        race = race_of(trials) if name in IN_STAGES else 0
    if not 0 <= race < trials:
        raise UsageError(
            f"race is {shown(race)} of {trials} trials; give at least 0 and leave one to the "
            "search."
        )
    if contenders is None:
        contenders = how_many(race)
    if contenders < 1:
        raise UsageError(f"contenders is {contenders}; give at least 1.")
    left = trials - race
    slots: tuple[int, ...] = (left,)
    lengths: tuple[int, ...] = (epochs,)
    if name in IN_STAGES:
        of_trials, of_epochs = IN_STAGES[name]
        slots, lengths = plan(
            left, epochs, stage_shares or of_trials, epoch_shares or of_epochs, least
        )
    grid: list[Configuration] = []
    if name == "grid":
        grid = shuffled(make_grid(space, points, left, shift=seed if shift else None), seed)
        slots = (len(grid),)
    if name == "gp" and importlib.util.find_spec("torch") is None:
        raise UsageError("the strategy gp needs torch; install it with pip install hpsearch[gp].")
    known = [study for study in prior or () if study and np.ptp(ranks(study)) > 0.0]
    # No closure, since strategies are pickled.
    begin = partial(_begin, name, seed, space, grid, known)
    search = Search(
        name,
        space,
        slots,
        lengths,
        seed,
        begin,
        narrows=name in IN_STAGES,
        modelled=None if name != "guided" else 0 if known else 1,
        adaptive=name in ADAPTIVE,
        unseen=guided.UNSEEN if name == "guided" else 0.0,
    )
    return RacedSearch(search, trials, race, epochs, contenders)


def _begin(
    name: str,
    seed: int,
    whole: Space,
    grid: Sequence[Configuration],
    prior: Sequence[Sequence[Result]],
    space: Space,
    stage: int,
    slots: int,
    results: Sequence[Result],
) -> Propose:
    """What the stage of an index proposes from its space, after these results."""
    if name == "grid":
        return lambda index, _: grid[index]
    if name == "random":  # Bergstra & Bengio, JMLR 13, 2012
        return lambda index, _: space.sample(generator(seed, stage, index, _DRAW))
    if name in ADAPTIVE:
        return adaptive(name, space, seed)
    if name == "guided":
        return guided.guided(whole, space, slots, results, seed, stage=stage, prior=prior)
    return sobol(space, slots, seed, stage=stage)


def _refuse(name: str, owners: Collection[str], **settings: object) -> None:
    for setting, value in settings.items():
        if value is not None and name not in owners:
            whose = " and ".join(owners)
            raise UsageError(f"{setting} is a setting of {whose}, not of {name}; remove it.")
