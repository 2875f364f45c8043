"""Every strategy by its name."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from itertools import chain, islice

import numpy as np

from hpsearch.errors import UnknownNameError, UsageError, shown
from hpsearch.search import coarse_to_fine, guided
from hpsearch.search.base import (
    Configuration,
    Key,
    Propose,
    Result,
    configuration_key,
    generator,
)
from hpsearch.search.coarse_to_fine import plan
from hpsearch.search.distinct import Draw, fresh, in_turn
from hpsearch.search.effects import ranks
from hpsearch.search.first import first_in, whole
from hpsearch.search.grid import Points, make_grid, shuffled
from hpsearch.search.optuna_strategies import ADAPTIVE, adaptive
from hpsearch.search.quasi_random import sobol_points
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
_REST = 2  # likewise, of a draw from the whole space when a narrower one is used up


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
    first: Sequence[Mapping[str, object]] = (),
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
        first: configurations to try before anything is drawn, whole or in part, in their order;
            they count in ``trials``, and ranges are widened for them; see `first_in`.

    Raises:
        UnknownNameError: if there is no strategy of that name.
        UsageError: if a number is out of range, a setting belongs to another strategy, gp has no
            torch, or the first stage has fewer slots than there are configurations to try first.
        SpaceError: if one of these makes no sense in the space.
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
    known_good = first_in(space, first)
    space, given = known_good.space, known_good.configurations
    grid: list[Configuration] = []
    note = ""
    if name == "grid":
        _check_room(len(given), left)
        points_ = make_grid(space, points, left - len(given), shift=seed if shift else None)
        grid = whole(space, given, _points_of("random", space, left, seed, 0), seed)
        tried = set(map(configuration_key, grid))
        grid += [p for p in shuffled(points_, seed) if configuration_key(p) not in tried]
        slots = (len(grid),)
    elif not space.continuous:
        slots, lengths = _within(space.size, slots, lengths)
        if sum(slots) < left:
            note = (
                f"The space has {space.size:,} configurations, so that {sum(slots)} trials search "
                f"it and not {left}" + (f"; the race has its {race}." if race else ".")
            )
    _check_room(min(len(given), space.size), slots[0])
    if name == "gp" and importlib.util.find_spec("torch") is None:
        raise UsageError("the strategy gp needs torch; install it with pip install hpsearch[gp].")
    known = [study for study in prior or () if study and np.ptp(ranks(study)) > 0.0]
    # No closure, since strategies are pickled.
    begin = partial(_begin, name, seed, space, grid, known, given)
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
        unseen=guided.UNSEEN if name == "guided" and space.continuous else 0.0,
        widened=known_good.changes,
        note=note,
    )
    return RacedSearch(search, trials, race, epochs, contenders)


def _within(
    size: float, slots: Sequence[int], lengths: Sequence[int]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The stages of a plan, none longer than there are configurations that it may train.

    Where the full trainings are enough for all of them there is one stage, in which all train in
    full; otherwise no configuration trains twice for the same length.

    >>> _within(6, (23, 11, 11), (5, 10, 20)), _within(20, (36, 9), (5, 20))
    (((6,), (20,)), ((20, 9), (5, 20)))
    """
    if size <= sum(n for n, length in zip(slots, lengths, strict=True) if length == lengths[-1]):
        return (int(size),), (lengths[-1],)
    kept: list[tuple[int, int]] = []
    for n, length in zip(slots, lengths, strict=True):
        left = size - sum(before for before, same in kept if same == length)
        if left > 0:
            kept.append((int(min(n, left)), length))
    return tuple(n for n, _ in kept), tuple(length for _, length in kept)


def _begin(
    name: str,
    seed: int,
    everything: Space,
    grid: Sequence[Configuration],
    prior: Sequence[Sequence[Result]],
    first: Sequence[Configuration],
    spaces: Sequence[Space],
    stage: int,
    slots: int,
    results: Sequence[Result],
    tried: Collection[Key],
) -> Propose:
    """What the stage of an index proposes from its spaces, after these results.

    Args:
        name: of the strategy.
        seed: of the study.
        everything: the space of the first stage.
        grid: the configurations of a grid.
        prior: results of earlier studies.
        first: what the first stage tries before anything is drawn.
        spaces: where to draw; from the second only when everything in the first was tried.
        stage: its index.
        slots: how many it has.
        results: those it sees.
        tried: what it is not to train again.
    """
    if name == "grid":
        return lambda index, _: grid[index]
    space = spaces[0]
    point = _points_of(name, space, slots, seed, stage)
    if name in ADAPTIVE:
        return adaptive(name, space, seed, whole(space, first, point, seed) if first else ())
    start = whole(space, first, point, seed) if stage == 0 else []
    modelled = name == "guided" and (stage > 0 or prior)
    if everything.continuous:
        if modelled:

            def some(count: int) -> list[Configuration]:
                draw = _points_of(name, space, count, seed, stage)
                return [space.from_unit(draw(index)) for index in range(count)]

            return guided.guided(everything, some, slots, results, prior, start)
        return lambda i, _: start[i] if i < len(start) else space.from_unit(point(i))

    def rest(whole_space: Space, place: int) -> Configuration:
        return whole_space.sample(generator(seed, stage, place, _REST))

    draws: list[tuple[Space, Draw]] = [(space, lambda place: space.from_unit(point(place)))]
    draws += [(other, partial(rest, other)) for other in spaces[1:]]
    taken = {*tried, *map(configuration_key, start)}
    if modelled:
        candidates = list[Configuration]()
        new = fresh(draws, taken)

        def some(count: int) -> list[Configuration]:
            candidates.extend(islice(new, max(0, count - len(candidates))))
            return candidates

        return guided.guided(everything, some, slots, results, prior, start)
    return in_turn(chain(start, fresh(draws, taken, len(start))))


def _points_of(
    name: str, space: Space, count: int, seed: int, stage: int
) -> Callable[[int], Sequence[float]]:
    """Where in the unit cube a stage draws its configurations, one after the other."""
    dimensions = len(space.parameters)
    if name in ("random", *ADAPTIVE):  # Bergstra & Bengio, JMLR 13, 2012
        return lambda place: generator(seed, stage, place, _DRAW).random(dimensions).tolist()
    draw = sobol_points(dimensions, count, seed, stage=stage)
    if name == "guided" and stage == 0:
        return lambda place: draw(place) if place else [0.5] * dimensions
    return draw


def _check_room(first: float, slots: int) -> None:
    """Refuse more configurations to try first than the first stage has trials."""
    if first > slots:
        raise UsageError(
            f"there are {first:.0f} first configurations and the first stage has {slots} trials; "
            "raise trials or remove some.",
            key="first",
        )


def _refuse(name: str, owners: Collection[str], **settings: object) -> None:
    for setting, value in settings.items():
        if value is not None and name not in owners:
            whose = " and ".join(owners)
            raise UsageError(f"{setting} is a setting of {whose}, not of {name}; remove it.")
