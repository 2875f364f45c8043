"""Guided search as an Optuna sampler, for anyone's ``study.optimize``."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from hpsearch.search.base import Result, configuration_key, generator
from hpsearch.search.coarse_to_fine import FEWEST
from hpsearch.search.effects import ranks
from hpsearch.search.guided import STAGE_SHARES, choose
from hpsearch.search.presence import existing, presence
from hpsearch.search.sampler import FINISHED, CoarseToFineSampler, as_parameter, internal
from hpsearch.search.surrogate import Surrogate, learn
from hpsearch.space import Parameter, Space, Value

__all__ = ["GuidedSampler"]

CANDIDATES = 128  # of which a trial gets the most promising one
GROWTH = 8  # lengths are found anew when the results have grown by one part of so many


class GuidedSampler(CoarseToFineSampler):
    """Coarse to fine, whose later stages a model of all finished trials chooses.

    The coarse stage, and every range, are those of `CoarseToFineSampler`. Within the narrowed
    ranges each trial gets the point that a Gaussian process finds most promising of some that are
    drawn for it. The model learns from every finished trial; trials that are still running count as
    if they had ended with what is expected of them, so that parallel workers spread.

    Parameters may come and go: the model tells by which choice or number a parameter exists, and
    where it does not it has no value. A parameter whose range changes between trials is no part of
    the model, and is drawn as `CoarseToFineSampler` draws it, as is every parameter where the model
    has nothing to tell yet.

    What is proposed is a pure function of the seed, the trial's number, and the trials that have
    finished or are running: a study that another process goes on with gets the same. There is no
    race: retrain the best few with other seeds before you believe a winner.

    Args:
        n_trials: how many trials the study will have; later ones belong to the last stage.
        seed: makes the proposals reproducible; None for proposals that are not.
        stage_shares: how the trials are divided among the stages.

    Raises:
        UsageError: if the number of trials or the shares make no sense.

    >>> import optuna
    >>> optuna.logging.set_verbosity(optuna.logging.WARNING)
    >>> study = optuna.create_study(sampler=GuidedSampler(n_trials=30, seed=0))
    >>> study.optimize(lambda trial: trial.suggest_float("x", -5, 5) ** 2, n_trials=30)
    >>> abs(study.best_params["x"]) < 0.1
    True
    """

    def __init__(
        self,
        n_trials: int,
        seed: int | None = None,
        *,
        stage_shares: Sequence[float] = STAGE_SHARES,
    ) -> None:
        super().__init__(n_trials, seed, stage_shares=stage_shares)
        self._chosen: dict[int, _Point] = {}  # for each trial that is running
        self._read: dict[object, _Point] = {}  # of each trial that has finished
        self._fitted: _Fitted | None = None

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Forget what a trial of this number, of another study, was given."""
        super().before_trial(study, trial)
        self._chosen.pop(trial.number, None)

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """One parameter of the point that is chosen when the trial's first parameter is asked for.

        What is no part of that point is drawn from what the stage of the trial leaves of its range.
        """
        self._raise_error_if_multi_objective(study)
        point = self._chosen.get(trial.number)
        if point is None:
            self._chosen[trial.number] = point = self._choose(study, trial)
        distribution, value = point.get(param_name, (None, None))
        if distribution != param_distribution:
            return super().sample_independent(study, trial, param_name, param_distribution)
        return param_distribution.to_external_repr(value)  # type: ignore[arg-type]

    def _choose(self, study: Study, trial: FrozenTrial) -> _Point:
        """The point for a trial; empty where no model can choose one."""
        stage = self._stage(trial.number)
        if stage == 0:
            return {}
        others = [t for t in study.get_trials(deepcopy=False) if t.number != trial.number]
        # In the order in which they finished: one more leaves the first ones what they were.
        finished = sorted(
            (t for t in others if t.state in FINISHED),
            key=lambda t: (t.datetime_complete, t.number),
        )
        points = self._points(finished)
        known = _lasting(points)
        tried = [_among(known, point) for point in points]
        maximize = study.direction == StudyDirection.MAXIMIZE
        results = [
            self._result(t, configuration, maximize=maximize)
            for t, configuration in zip(finished, tried, strict=True)
        ]
        if not known or len(results) < FEWEST or np.ptp(ranks(results)) == 0.0:
            return {}
        space = Space({name: as_parameter(distribution) for name, distribution in known.items()})
        optional = frozenset(name for name in known if any(name not in c for c in tried))
        now = [_among(known, _point(t)) for t in others if t.state == TrialState.RUNNING]
        running = [c for c in now if known.keys() <= c.keys() | optional]
        before = self._before(stage, finished)
        box = {
            name: self._narrowed(study, stage, name, parameter, before)
            for name, parameter in space.parameters.items()
        }
        rules = presence(space.parameters, tried)
        fixed = _among(known, _point(trial))
        candidates = [existing({**c, **fixed}, rules) for c in self._drawn(box, trial.number)]
        if not any(p.count == math.inf and n not in optional for n, p in space.parameters.items()):
            seen = set(map(configuration_key, [*tried, *now]))
            whole = self._drawn(space.parameters, trial.number)
            wide = (existing({**c, **fixed}, rules) for c in whole)
            new = (
                [c for c in some if configuration_key(c) not in seen] for some in (candidates, wide)
            )
            candidates = next(filter(None, new), candidates)
        try:
            model = self._model(space, results, optional)
            believed = model.posterior([*running, *candidates])
            best = float(model.process.expected.max())
        except np.linalg.LinAlgError:
            return {}
        chosen = choose(believed, best, len(running) + 1, running=len(running))[-1] - len(running)
        return {name: (known[name], value) for name, value in candidates[chosen].items()}

    def _points(self, finished: Sequence[FrozenTrial]) -> list[_Point]:
        """The parameters of finished trials, each read once; of one name equals are one object."""
        read = self._read
        latest: dict[str, BaseDistribution] = {}
        found: dict[object, _Point] = {}
        for trial in finished:
            key = trial.number, trial.datetime_complete  # which no two studies share
            point = read.get(key) or {
                name: (latest[name] if latest.get(name) == own else own, value)
                for name, (own, value) in _point(trial).items()
            }
            latest.update((name, distribution) for name, (distribution, _) in point.items())
            found[key] = point
        self._read = found
        return list(found.values())

    def _drawn(self, box: Mapping[str, Parameter], number: int) -> Iterator[dict[str, Value]]:
        """The points of which a trial gets one; no other trial has the same."""
        units = generator(self._seed, number).random((len(box), CANDIDATES)).tolist()
        columns = [
            [parameter.from_unit(u) for u in unit]
            for parameter, unit in zip(box.values(), units, strict=True)
        ]
        return (dict(zip(box, point, strict=True)) for point in zip(*columns, strict=True))

    def _model(self, space: Space, results: list[Result], optional: frozenset[str]) -> Surrogate:
        """The model of all results, its lengths found from the first of them and then kept."""
        first = results[: _telling(len(results))]
        if np.ptp(ranks(first)) == 0.0:
            first = results
        inputs = (space, first, optional)
        fitted = self._fitted
        if fitted is None or fitted[0] != inputs:
            self._fitted = fitted = (inputs, learn(space, first, optional=optional))
        return fitted[1].after(results)


_Point = dict[str, tuple[BaseDistribution, Value]]
_Fitted = tuple[tuple[Space, list[Result], frozenset[str]], Surrogate]


def _telling(count: int) -> int:
    """Of how many of the first results the lengths are found."""
    telling = FEWEST
    while (more := telling + max(1, telling // GROWTH)) <= count:
        telling = more
    return telling


def _point(trial: FrozenTrial) -> _Point:
    """A trial's parameters."""
    return {name: (own, internal(trial, name)) for name, own in trial.distributions.items()}


def _lasting(points: Sequence[_Point]) -> dict[str, BaseDistribution]:
    """The distribution of every parameter that had the same one in all trials that had it."""
    found: dict[str, BaseDistribution] = {}
    changed = set()
    for point in points:
        for name, (own, _) in point.items():
            if not _same(found.setdefault(name, own), own):
                changed.add(name)
    return {
        name: found[name]
        for name in sorted(found)
        if name not in changed and not found[name].single()
    }


def _among(known: Mapping[str, BaseDistribution], point: _Point) -> dict[str, Value]:
    """A point's values of the parameters that have a known distribution."""
    return {name: value for name, (own, value) in point.items() if _same(known.get(name), own)}


def _same(a: BaseDistribution | None, b: BaseDistribution) -> bool:
    return a is b or a == b  # to compare distributions takes longer than all else
