"""Conditions of several parents, and chains of them, through all that draws and narrows."""

from __future__ import annotations

import json
import zlib
from itertools import product

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from odd_spaces import odd_spaces

from hpsearch.errors import SpaceError
from hpsearch.search import STRATEGIES, Result, Slot, make_strategy, run_search
from hpsearch.search.distributions import suggest, to_distribution
from hpsearch.search.grid import make_grid
from hpsearch.search.guided_sampler import GuidedSampler
from hpsearch.search.narrowing import narrow
from hpsearch.search.sampler import CoarseToFineSampler
from hpsearch.space import Categorical, Condition, Float, Int, Space

pytestmark = pytest.mark.slow

WHETHER = Categorical((True, False))
CHAIN = Space(
    {
        "rate": Float(1e-4, 1.0, log=True),
        "kind": Categorical(("svm", "forest", "none")),
        "kernel": Categorical(("rbf", "poly", "linear")),
        "degree": Int(2, 5),
        "scaled": WHETHER,
        "gamma": Float(1e-3, 10.0, log=True),
    },
    {
        "kernel": Condition("kind", ("svm",)),
        "degree": Condition("kernel", ("poly",)),
        "gamma": [Condition("kernel", ("rbf", "poly")), Condition("scaled", (True,))],
    },
)


def score(slot: Slot) -> float:
    """Any score that depends on the whole configuration."""
    parts = (f"{name} {value}".encode() for name, value in slot.configuration.items())
    return sum(zlib.crc32(part) % 97 for part in parts) / 97


def test_all_conditions_must_hold_and_those_of_their_parents_too() -> None:
    everything = {"rate": 0.1, "kind": "svm", "kernel": "poly", "degree": 3, "gamma": 0.1}
    assert set(CHAIN.active({**everything, "scaled": True})) == set(CHAIN.parameters)
    assert "gamma" not in CHAIN.active({**everything, "scaled": False})
    only = CHAIN.active({**everything, "scaled": True, "kind": "forest"})
    assert set(only) == {"rate", "kind", "scaled"}
    assert CHAIN.needs("degree", "gamma") == {
        "kernel": ("poly",),
        "scaled": (True,),
        "kind": ("svm",),
    }


def test_what_can_exist_nowhere_is_refused() -> None:
    with pytest.raises(SpaceError, match=r"c exists nowhere, .* different values of a") as caught:
        Space(
            {"a": WHETHER, "b": WHETHER, "c": Float(0, 1)},
            {
                "b": Condition("a", (True,)),
                "c": [Condition("b", (True,)), Condition("a", (False,))],
            },
        )
    assert caught.value.key == "c"


@settings(max_examples=60, deadline=None)
@given(odd_spaces(), st.integers(0, 2**31))
def test_spaces_survive_json_and_what_is_drawn_is_in_them(space: Space, seed: int) -> None:
    assert Space.from_dict(json.loads(json.dumps(space.to_dict()))) == space
    rng = np.random.default_rng(seed)
    for _ in range(5):
        drawn = space.sample(rng)
        assert drawn in space
        for name in space.parameters:
            needed = space.needs(name)
            if name in drawn:
                assert all(drawn[parent] in values for parent, values in needed.items())


@settings(max_examples=60, deadline=None)
@given(odd_spaces(), st.data())
def test_fixing_parameters_leaves_what_may_still_exist_beside_them(
    space: Space, data: st.DataObject
) -> None:
    """Space by space: the choices of what is left, put together with what is fixed, decide."""
    drawn = data.draw(
        st.sampled_from([space.from_unit([u] * len(space.parameters)) for u in (0.1, 0.6)])
    )
    names = [name for name in drawn if not space.conditions_of(name)]
    fixed = {name: drawn[name] for name in data.draw(st.sets(st.sampled_from(names)))}
    left = space.given(fixed)
    for seed in range(5):
        configuration = left.sample(np.random.default_rng(seed))
        assert {**fixed, **configuration} in space


@settings(max_examples=80, deadline=None)
@given(odd_spaces(discrete=True, most=5), st.data())
def test_a_choice_that_goes_takes_along_exactly_what_can_no_longer_exist(
    space: Space, data: st.DataObject
) -> None:
    parents = [n for n, p in space.parameters.items() if isinstance(p, Categorical)]
    if not parents:
        return
    changed = {}
    for name in data.draw(st.sets(st.sampled_from(parents))):
        chosen = space.parameters[name].choices  # type: ignore[union-attr]
        changed[name] = Categorical(
            tuple(data.draw(st.lists(st.sampled_from(chosen), min_size=1, unique=True)))
        )
    after = space.replace(changed)
    possible = set()
    kept = {n: changed.get(n, p) for n, p in space.parameters.items() if n in parents}
    for values in product(*(p.choices for p in kept.values())):  # type: ignore[union-attr]
        possible |= set(space.active(dict(zip(kept, values, strict=True))))
    assert set(after.parameters) == possible
    for seed in range(3):
        assert after.sample(np.random.default_rng(seed)) in space


@settings(max_examples=60, deadline=None)
@given(odd_spaces(discrete=True, most=5))
def test_a_grid_of_all_values_has_no_duplicate_and_no_hole(space: Space) -> None:
    values = dict.fromkeys(space.parameters, 50)
    grid = make_grid(space, values, 10**6)
    found = {tuple(sorted(point.items())) for point in grid}
    assert len(found) == len(grid)
    whole = {n: make_grid(Space({n: p}), {n: 50}, 50) for n, p in space.parameters.items()}
    every = set()
    for points in product(*whole.values()):
        draw = {name: value for point in points for name, value in point.items()}
        every.add(tuple(sorted((name, draw[name]) for name in space.active(draw))))
    assert found == every


@settings(max_examples=30, deadline=None)
@given(odd_spaces(), st.integers(0, 100))
def test_every_space_can_be_narrowed(space: Space, seed: int) -> None:
    rng = np.random.default_rng(seed)
    results = [
        Result(Slot(0, i, space.sample(rng), 0, 1), float(rng.normal()), bool(rng.random() < 0.9))
        for i in range(60)
    ]
    after, changes = narrow([space], results)
    assert {c.parameter for c in changes} == set(space.parameters)
    dropped = {c.parameter: c.after for c in changes if isinstance(c.after, Categorical)}
    assert set(after.parameters) == set(space.replace(dropped).parameters)


@settings(max_examples=15, deadline=None)
@given(odd_spaces(), st.sampled_from([n for n in STRATEGIES if n != "gp"]), st.integers(0, 9))
def test_every_strategy_draws_from_its_space(space: Space, name: str, seed: int) -> None:
    trials = 400 if name == "grid" else 30
    strategy = make_strategy(name, space, trials=trials, epochs=4, seed=seed)
    report = run_search(score, strategy)
    assert all(r.slot.configuration in report.stages[r.slot.stage].space for r in report.results)
    study = optuna.create_study()
    for result in report.results[:30]:  # which Optuna takes
        stage = report.stages[result.slot.stage]
        study.add_trial(
            optuna.trial.create_trial(
                params=dict(result.slot.configuration),
                distributions={
                    name: to_distribution(stage.space.parameters[name])
                    for name in result.slot.configuration
                },
                value=result.score,
            )
        )


@settings(max_examples=10, deadline=None)
@given(odd_spaces(), st.sampled_from([CoarseToFineSampler, GuidedSampler]), st.integers(0, 9))
def test_samplers_for_optuna_draw_from_a_space(
    space: Space, sampler: type[CoarseToFineSampler], seed: int
) -> None:
    study = optuna.create_study(sampler=sampler(20, seed))

    def objective(trial: optuna.Trial) -> float:
        configuration = suggest(trial, space)
        assert configuration in space
        return score(Slot(0, trial.number, configuration, 0, 1))

    study.optimize(objective, n_trials=20)
    assert all(trial.params in space for trial in study.trials)
