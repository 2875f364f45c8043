"""Searches of other libraries on our spaces, for regret.py (extra `benchmark`).

Each is a generator: it yields configurations, is sent the score of each, and returns in the end the
one that it recommends. It gets every parameter as the kind that it is; where its library knows
conditions, these too.

FLAML's own extra asks for Optuna 3, but BlendSearch runs with Optuna 5. HEBO is not here: its last
version, 0.3.6, asks for NumPy below 1.25, and does not install beside hpsearch.
"""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from hpsearch.search import run_search
from hpsearch.search.optuna_strategies import quiet_optuna
from hpsearch.search.race import RacedSearch, Search, how_many
from hpsearch.space import Categorical, Int, Parameter, Space, Value

if TYPE_CHECKING:
    from hpsearch.search import Configuration, Result, Slot

__all__ = ["PEERS", "named_by", "own_configuration"]

Asking: TypeAlias = "Generator[Configuration, float, Configuration]"


def named_by(
    peer: str,
    evaluate: Callable[[Slot], float],
    space: Space,
    *,
    evaluations: int,
    race: int,
    seed: int,
) -> Configuration:
    """The configuration that a peer names, or with a race the one that wins it.

    Args:
        peer: a name of `PEERS`.
        evaluate: the score of one training, greater being better.
        space: what to search.
        evaluations: all of them, those of the race included.
        race: how many go to the race among the best of what the peer found; 0 for none.
        seed: of the peer and of the trainings.
    """
    slots = evaluations - race
    asking = PEERS[peer](space, slots, seed, race > 0)

    def propose(index: int, finished: Sequence[Result]) -> Configuration:
        return asking.send(finished[-1].score) if index else next(asking)

    search = Search(peer, space, (slots,), (1,), seed, lambda *_: propose, adaptive=True)
    plan = RacedSearch(search, evaluations, race, 1, how_many(race))
    with quiet_optuna(), warnings.catch_warnings(), closing(asking):
        warnings.simplefilter("ignore")
        report = run_search(evaluate, plan)
        if race:
            return report.winner.configuration
        try:
            asking.send(report.results[-1].score)
        except StopIteration as end:
            recommended: Configuration = end.value
            return recommended
    raise AssertionError(f"{peer} asks for more than {slots} evaluations")


def own_configuration(space: Space, given: Mapping[str, Any]) -> Configuration:
    """What a peer proposes, as a configuration of the space: without what does not exist in it.

    Args:
        space: whose.
        given: a choice by its index, which may be a text; a number as any library's.
    """
    values = {name: _own(space.parameters[name], value) for name, value in given.items()}
    return {name: values[name] for name in space.active(values)}


def _own(parameter: Parameter, given: Any) -> Value:
    if isinstance(parameter, Categorical):
        return parameter.choices[int(given)]
    number = parameter.nearest(min(max(float(given), parameter.low), parameter.high))
    return int(number) if isinstance(parameter, Int) else number


def _indices(parameter: Categorical) -> list[str]:
    """Its choices by index, as texts: libraries take numbers for ordered."""
    return [str(i) for i in range(len(parameter.choices))]


def smac(space: Space, trials: int, seed: int, raced: bool) -> Asking:
    """SMAC3 for hyperparameters, with its random forest (Lindauer et al., JMLR 23, 2022).

    It trains promising configurations up to three times and recommends the best mean; where a race
    does that, it has one training of each.
    """
    import ConfigSpace
    from smac import HyperparameterOptimizationFacade, Scenario
    from smac.runhistory import TrialValue

    def theirs(name: str, parameter: Parameter) -> Any:
        if isinstance(parameter, Categorical):
            return ConfigSpace.CategoricalHyperparameter(name, _indices(parameter))
        number = ConfigSpace.Integer if isinstance(parameter, Int) else ConfigSpace.Float
        return number(name, (parameter.low, parameter.high), log=parameter.log)

    known = ConfigSpace.ConfigurationSpace(seed=seed)
    known.add([theirs(name, parameter) for name, parameter in space.parameters.items()])
    for name in space.conditions:
        needed = []
        for condition in space.conditions_of(name):
            parent = space.parameters[condition.parameter]
            assert isinstance(parent, Categorical), "a space sees to that"
            values = [str(parent.choices.index(value)) for value in condition.values]
            needed.append(ConfigSpace.InCondition(known[name], known[condition.parameter], values))
        known.add(needed[0] if len(needed) == 1 else ConfigSpace.AndConjunction(*needed))
    with tempfile.TemporaryDirectory() as folder:
        scenario = Scenario(
            known, output_directory=folder, deterministic=raced, n_trials=trials, seed=seed
        )
        asked = HyperparameterOptimizationFacade(
            scenario, _never_called, overwrite=True, logging_level=logging.ERROR
        )
        for _ in range(trials):
            trial = asked.ask()
            score = yield own_configuration(space, trial.config)
            asked.tell(trial, TrialValue(cost=-score), save=False)
        return own_configuration(space, asked.intensifier.get_incumbents()[0])


def _never_called(config: object, seed: int = 0) -> float:
    """What SMAC would evaluate by itself."""
    raise AssertionError(f"it is asked and told, not run: {config}, {seed}")


def blendsearch(space: Space, trials: int, seed: int, raced: bool) -> Asking:
    """FLAML's local searches with TPE beside them (Wang et al., ICLR 2021).

    What exists under a condition only is always there for it.
    """
    del raced
    from flaml import BlendSearch

    return (yield from _flaml(BlendSearch, space, trials, seed))


def cfo(space: Space, trials: int, seed: int, raced: bool) -> Asking:
    """FLAML's local search alone (Wu et al., AAAI 2021); else as `blendsearch`."""
    del raced
    from flaml import CFO

    return (yield from _flaml(CFO, space, trials, seed))


def _flaml(kind: Any, space: Space, trials: int, seed: int) -> Asking:
    from flaml import tune

    def theirs(parameter: Parameter) -> Any:
        if isinstance(parameter, Categorical):
            return tune.choice(_indices(parameter))
        if isinstance(parameter, Int):  # the end of theirs is no value
            integer = tune.lograndint if parameter.log else tune.randint
            return integer(parameter.low, parameter.high + 1)
        return (tune.loguniform if parameter.log else tune.uniform)(parameter.low, parameter.high)

    ranges = {name: theirs(parameter) for name, parameter in space.parameters.items()}
    asked = kind(metric="loss", mode="min", space=ranges, seed=seed)
    best = -np.inf
    recommended: Configuration = {}
    for index in range(trials):
        # It may turn a proposal of its own down, and is asked again, as often as FLAML does.
        names = (f"{index}-{i}" for i in range(100))
        name, given = next((n, g) for n in names if (g := asked.suggest(n)) is not None)
        configuration = own_configuration(space, given)
        score = yield configuration
        if score > best:
            best, recommended = score, configuration
        result = {"loss": -score, "config": given, "time_total_s": 1.0, "training_iteration": 1}
        asked.on_trial_result(name, result)
        asked.on_trial_complete(name, result)
    return recommended


def ngopt(space: Space, trials: int, seed: int, raced: bool) -> Asking:
    """Nevergrad's NGOpt (Meunier et al., IEEE TEVC 2022), which chooses among its optimizers.

    What exists under a condition only is always there for it.
    """
    del raced
    import nevergrad as ng

    def theirs(parameter: Parameter) -> Any:
        if isinstance(parameter, Categorical):
            return ng.p.Choice(_indices(parameter))
        number = (ng.p.Log if parameter.log else ng.p.Scalar)(
            lower=parameter.low, upper=parameter.high
        )
        return number.set_integer_casting() if isinstance(parameter, Int) else number

    ranges = ng.p.Dict(**{name: theirs(parameter) for name, parameter in space.parameters.items()})
    ranges.random_state.seed(seed)
    asked = ng.optimizers.NGOpt(ranges, budget=trials)
    for _ in range(trials):
        candidate = asked.ask()
        score = yield own_configuration(space, candidate.value)
        asked.tell(candidate, -score)
    return own_configuration(space, asked.provide_recommendation().value)


PEERS: Mapping[str, Callable[[Space, int, int, bool], Asking]] = {
    "smac": smac,
    "blendsearch": blendsearch,
    "cfo": cfo,
    "ngopt": ngopt,
}
"""Each by its name: given the space, its evaluations, a seed, and whether a race follows."""
