from __future__ import annotations

import importlib.util
import logging
from importlib.util import find_spec
from typing import TYPE_CHECKING

import optuna
import pytest

from hpsearch.errors import UsageError
from hpsearch.search import Result, make_strategy, run_search
from hpsearch.search.distributions import from_distribution, suggest, to_distribution
from hpsearch.search.optuna_strategies import ADAPTIVE
from hpsearch.space import Categorical, Condition, Float, Int, Parameter, Space

# gp runs where its extra is installed.
NAMES = tuple(name for name in ADAPTIVE if name != "gp" or find_spec("torch"))

if TYPE_CHECKING:
    from hpsearch.search import Slot

SPACE = Space({"x": Float(-4.0, 4.0), "y": Float(-4.0, 4.0)})


def bowl(slot: Slot) -> float:
    x, y = slot.configuration["x"], slot.configuration["y"]
    assert isinstance(x, float)
    assert isinstance(y, float)
    return -((x - 1) ** 2) - (y + 2) ** 2


@pytest.mark.parametrize("name", NAMES)
def test_later_proposals_are_better(name: str) -> None:
    trials = 16 if name == "gp" else 40  # ten at random, then it knows where to go
    strategy = make_strategy(name, SPACE, trials=trials, epochs=1, seed=1)
    scores = [result.score for result in run_search(bowl, strategy).results]
    assert sum(scores[-6:]) / 6 > sum(scores[:10]) / 10 / 2
    assert max(scores[-6:]) > max(scores[:10])


@pytest.mark.parametrize("name", NAMES)
def test_what_has_finished_counts(name: str) -> None:
    def proposal(sign: float) -> object:
        stage = make_strategy(name, SPACE, trials=40, epochs=1, seed=0).next_stage([])
        assert stage is not None
        assert stage.adaptive
        finished: list[Result] = []
        for index in range(12):
            slot = stage.slot(index, finished)
            finished.append(Result(slot, sign * bowl(slot)))
        return stage.slot(12, finished).configuration

    assert proposal(1.0) != proposal(-1.0)


@pytest.mark.parametrize("name", NAMES)
def test_slots_in_flight_get_different_configurations(name: str) -> None:
    stage = make_strategy(name, SPACE, trials=40, epochs=1, seed=0).next_stage([])
    assert stage is not None
    finished: list[Result] = []
    waiting: list[Slot] = []
    seen = []
    for index in range(16):  # four workers; the oldest finishes first
        waiting.append(stage.slot(index, finished))
        assert stage.slot(index, finished) == waiting[-1]  # asked again, it is the same
        seen.append(tuple(waiting[-1].configuration.items()))
        if len(waiting) == 4:
            slot = waiting.pop(0)
            finished.append(Result(slot, bowl(slot)))
    assert len(set(seen)) == 16


@pytest.mark.parametrize("name", NAMES)
def test_other_results_than_before_rebuild_the_study(name: str) -> None:
    stage = make_strategy(name, SPACE, trials=40, epochs=1, seed=0).next_stage([])
    fresh = make_strategy(name, SPACE, trials=40, epochs=1, seed=0).next_stage([])
    assert stage is not None
    assert fresh is not None
    finished = [Result(slot := stage.slot(i, []), bowl(slot)) for i in range(14)]
    backwards = finished[::-1]
    stage.slot(14, finished)
    assert stage.slot(20, backwards) == fresh.slot(20, backwards)


@pytest.mark.parametrize("name", NAMES)
def test_samplers_learn_from_what_diverged(name: str) -> None:
    def evaluate(slot: Slot) -> float | None:
        x = slot.configuration["x"]
        assert isinstance(x, float)
        return None if x > 0 else x

    trials = 20 if name == "gp" else 40
    strategy = make_strategy(name, SPACE, trials=trials, epochs=1, seed=0)
    lost = [not result.complete for result in run_search(evaluate, strategy).results]
    assert sum(lost[:10]) / 10 > sum(lost[-10:]) / 10


def test_gp_without_torch_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        UsageError, match=r"needs torch; install it with pip install hpsearch\[gp\]"
    ):
        make_strategy("gp", SPACE, trials=10, epochs=1, seed=0)


def test_optuna_keeps_quiet_and_its_verbosity_as_it_was() -> None:
    optuna.logging.set_verbosity(optuna.logging.INFO)
    optuna.logging.enable_propagation()
    lines: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = lines.append  # type: ignore[method-assign]
    logging.getLogger("optuna").addHandler(handler)
    try:
        run_search(bowl, make_strategy("tpe", SPACE, trials=15, epochs=1, seed=0))
        assert optuna.logging.get_verbosity() == optuna.logging.INFO
        assert lines == []
    finally:
        logging.getLogger("optuna").removeHandler(handler)
        optuna.logging.disable_propagation()


@pytest.mark.parametrize(
    "parameter",
    [
        Float(0.5, 1.0, limits=(0.5, 1.0)),
        Float(0.5, 1.0, log=True, limits=(0.5, 1.0)),
        Float(0.1, 0.7, step=0.2, limits=(0.1, 0.7)),
        Int(1, 9, step=4, limits=(1, 9)),
        Int(1, 9, log=True, limits=(1, 9)),
        Categorical((None, "a", 1, 2.5)),
    ],
)
def test_distributions_there_and_back(parameter: Parameter) -> None:
    distribution = to_distribution(parameter)
    assert from_distribution(distribution) == parameter
    for u in (0.0, 0.3, 0.5, 1.0):
        value = parameter.from_unit(u)
        assert distribution._contains(distribution.to_internal_repr(value))


def test_an_unknown_distribution_is_refused() -> None:
    with pytest.raises(TypeError, match="unknown distribution"):
        from_distribution("uniform")  # type: ignore[arg-type]


def test_a_trial_is_asked_for_what_exists() -> None:
    space = Space(
        {"m": Int(1, 5, log=True), "x": Float(0, 1, step=0.5), "a": Categorical(("u", "v"))},
        {"m": Condition("a", ("v",))},
    )
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    asked = [(suggest(trial, space), trial) for trial in (study.ask() for _ in range(20))]
    for configuration, trial in asked:
        assert configuration in space
        assert trial.params == configuration
    assert {"m" in configuration for configuration, _ in asked} == {True, False}


def test_suggest_asks_for_parents_first() -> None:
    space = Space(
        {"child": Float(0, 1), "parent": Categorical(("a", "b"))},
        {"child": Condition("parent", ("a",))},
    )
    trial = optuna.trial.FixedTrial({"parent": "a", "child": 0.5})
    assert suggest(trial, space) == {"parent": "a", "child": 0.5}  # type: ignore[arg-type]
    trial = optuna.trial.FixedTrial({"parent": "b"})
    assert suggest(trial, space) == {"parent": "b"}  # type: ignore[arg-type]
