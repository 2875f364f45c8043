"""Coarse to fine as an Optuna sampler, for anyone's ``study.optimize``."""

from __future__ import annotations

import math
import zlib
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import BaseSampler
from optuna.search_space import IntersectionSearchSpace
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from hpsearch.errors import UsageError
from hpsearch.search.base import Configuration, Result, Slot, configuration_key, generator
from hpsearch.search.coarse_to_fine import EPOCH_SHARES, STAGE_SHARES, plan
from hpsearch.search.distributions import from_distribution
from hpsearch.search.narrowing import narrowed
from hpsearch.search.presence import existing, presence
from hpsearch.space import Categorical, Parameter, Space, Value

__all__ = ["FINISHED", "CoarseToFineSampler", "as_parameter", "internal"]

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
"""The states of trials that tell something."""

TURNS = 100  # in which a trial may draw, until it has what nobody has: half from whole ranges


class CoarseToFineSampler(BaseSampler):
    """Random search in stages, each in the region of the best trials before it.

    The first stage draws from the ranges that the objective suggests, each later one from what
    `narrow` leaves of them. A range is never passed: here it is the objective's own, and a hard
    limit. Each parameter is narrowed by itself, so parameters may come and go from trial to trial.
    Pruned trials, and values that are not finite, count as known bad; failed ones do not count.

    A draw is a pure function of seed, trial number and parameter name, so neither parallel workers
    nor a resumed study repeat draws; where a stage narrows to depends on what has finished when it
    begins. Where no parameter of all trials is a continuum, a trial whose draws would repeat
    another trial gets the next ones that do not, out of a hundred, half of them from the whole
    ranges; workers that begin at the same moment do not see each other, and a study with more
    trials than there are configurations repeats some. There is no race: retrain the best few with
    other seeds before you believe a winner.

    Args:
        n_trials: how many trials the study will have; later ones belong to the last stage.
        seed: makes the draws reproducible; None for draws that are not.
        stage_shares: how the trials are divided among the stages.

    Raises:
        UsageError: if the number of trials or the shares make no sense.

    >>> import optuna
    >>> optuna.logging.set_verbosity(optuna.logging.WARNING)
    >>> study = optuna.create_study(sampler=CoarseToFineSampler(n_trials=60, seed=0))
    >>> study.optimize(lambda trial: trial.suggest_float("x", -5, 5) ** 2, n_trials=60)
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
        if n_trials < 1:
            raise UsageError(f"n_trials is {n_trials}; give at least 1.")
        epochs = (
            EPOCH_SHARES if len(stage_shares) == len(EPOCH_SHARES) else [1.0] * len(stage_shares)
        )
        slots, _ = plan(n_trials, 1, stage_shares, epochs)
        self._ends = np.cumsum(slots)[:-1].tolist()  # the trial numbers at which a new stage begins
        entropy = np.random.SeedSequence(seed).entropy
        assert isinstance(entropy, int)
        self._seed = entropy
        self._common = IntersectionSearchSpace(include_pruned=True)
        self._begun: tuple[tuple[str, int, int], dict[object, Parameter]] = (("", -1, -1), {})
        self._again: dict[int, tuple[int, ...]] = {}  # of a running trial, which draws it gets

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Forget what a trial of this number, of another study, was given."""
        del study
        self._again.pop(trial.number, None)

    def after_trial(
        self,
        study: Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        """Forget what a finished trial was given."""
        del state, values
        self.before_trial(study, trial)

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """The parameters that all trials had; the others are drawn alike, one by one.

        So are choices which a database gives back in another form, as it does a tuple as a list:
        Optuna would take the two for different spaces.
        """
        del trial
        return {
            name: distribution
            for name, distribution in self._common.calculate(study).items()
            if not isinstance(distribution, CategoricalDistribution)
            or all(isinstance(c, bool | int | float | str | None) for c in distribution.choices)
        }

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Draw every parameter of a search space."""
        self._raise_error_if_multi_objective(study)
        return {
            name: self.sample_independent(study, trial, name, distribution)
            for name, distribution in search_space.items()
        }

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Draw one parameter from what the stage of the trial leaves of its range."""
        self._raise_error_if_multi_objective(study)
        again = self._again.get(trial.number)
        if again is None:
            self._again[trial.number] = again = self._new(study, trial.number)
        stage = self._stage(trial.number)
        before = self._before(stage, study.get_trials(deepcopy=False, states=FINISHED))
        value = self._draw(study, trial.number, param_name, param_distribution, before, again)
        return param_distribution.to_external_repr(value)  # type: ignore[arg-type]

    def _draw(
        self,
        study: Study,
        number: int,
        name: str,
        distribution: BaseDistribution,
        before: Sequence[FrozenTrial],
        again: tuple[int, ...],
    ) -> Value:
        parameter = as_parameter(distribution)
        stage = self._stage(number)
        if stage and sum(again) < TURNS // 2:
            parameter = self._narrowed(study, stage, name, parameter, before)
        rng = generator(self._seed, number, zlib.crc32(name.encode()), *again)
        return parameter.from_unit(rng.random())

    def _new(self, study: Study, number: int) -> tuple[int, ...]:
        """Which draws of a trial make none of the configurations that are tried already."""
        common = self._common.calculate(study)
        if not common or any(as_parameter(d).count == math.inf for d in common.values()):
            return ()
        others = [t for t in study.get_trials(deepcopy=False) if t.number != number]
        finished = [t for t in others if t.state in FINISHED]
        known = {name: own for t in finished for name, own in t.distributions.items()}
        tried = [_configuration(t) for t in finished]
        rules = presence({name: as_parameter(own) for name, own in known.items()}, tried)
        running = [_configuration(t) for t in others if t.state == TrialState.RUNNING]
        seen = set(map(configuration_key, [*tried, *running]))
        before = self._before(self._stage(number), finished)
        for turn in range(TURNS):
            again = (turn,) if turn else ()
            drawn = {
                name: self._draw(study, number, name, own, before, again)
                for name, own in known.items()
            }
            if configuration_key(existing(drawn, rules)) not in seen:
                return again
        return ()

    def _narrowed(
        self,
        study: Study,
        stage: int,
        name: str,
        parameter: Parameter,
        before: Sequence[FrozenTrial],
    ) -> Parameter:
        """What a stage leaves of a range; computed once for each number of trials before it."""
        key = (study.study_name, stage, len(before))
        begun = self._begun  # which another thread may replace
        if begun[0] != key:
            self._begun = begun = (key, {})
        known = begun[1]
        if (name, parameter) not in known:
            maximize = study.direction == StudyDirection.MAXIMIZE
            results = [
                self._result(trial, {name: value}, maximize=maximize)
                for trial in before
                if name in trial.params and (value := internal(trial, name)) in parameter
            ]
            after, _ = narrowed(Space({name: parameter}), stage, results)
            known[name, parameter] = after.parameters[name]
        return known[name, parameter]

    def _stage(self, number: int) -> int:
        return bisect_right(self._ends, number)

    def _before(self, stage: int, finished: Sequence[FrozenTrial]) -> list[FrozenTrial]:
        """The trials of the stages before one."""
        return [trial for trial in finished if self._stage(trial.number) < stage]

    def _result(
        self, trial: FrozenTrial, configuration: Configuration, *, maximize: bool
    ) -> Result:
        slot = Slot(self._stage(trial.number), trial.number, configuration, 0, epochs=1)
        score = trial.value
        if trial.state == TrialState.PRUNED or score is None or not math.isfinite(score):
            return Result(slot, 0.0, complete=False)
        return Result(slot, score if maximize else -score)


def as_parameter(distribution: BaseDistribution) -> Parameter:
    """The parameter of a distribution.

    Choices may be anything in Optuna: the range of those is their places in the list, as in
    Optuna's own representation, where equal ones, as 1 and True are in Python, have one place.
    """
    if isinstance(distribution, CategoricalDistribution):
        places = (int(distribution.to_internal_repr(choice)) for choice in distribution.choices)
        return Categorical(tuple(dict.fromkeys(places)))
    return from_distribution(distribution)


def _configuration(trial: FrozenTrial) -> Configuration:
    return {name: internal(trial, name) for name in trial.distributions}


def internal(trial: FrozenTrial, name: str) -> Value:
    """A trial's value of a parameter: the number, or the place of the choice in the list."""
    distribution = trial.distributions[name]
    if isinstance(distribution, CategoricalDistribution):
        return int(distribution.to_internal_repr(trial.params[name]))
    value: Value = trial.params[name]
    return value
