"""What `GuidedSampler` does besides what both samplers do, which is in test_sampler.py."""

from __future__ import annotations

import math
import multiprocessing
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FrozenTrial, TrialState

from hpsearch import CoarseToFineSampler, GuidedSampler
from hpsearch.search import guided_sampler as module
from hpsearch.search.surrogate import learn
from hpsearch.storage import WriteBehindStorage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hpsearch.search.base import Result

CUBE: dict[str, BaseDistribution] = {name: FloatDistribution(0.0, 1.0) for name in "xyz"}


def loss(trial: optuna.Trial) -> float:
    return sum((trial.suggest_float(name, 0.0, 1.0) - 0.37) ** 2 for name in CUBE)


def run(
    sampler: optuna.samplers.BaseSampler, objective: Callable[[optuna.Trial], float], trials: int
) -> optuna.Study:
    study = optuna.create_study(sampler=sampler)
    study.optimize(objective, n_trials=trials)
    return study


def told(count: int = 20, *, value: Callable[[FrozenTrial], float] | None = None) -> optuna.Study:
    """A study whose trials were drawn at random."""
    study = run(optuna.samplers.RandomSampler(seed=0), loss, count)
    if value is None:
        return study
    other = optuna.create_study()
    for trial in study.trials:
        trial.values = [value(trial)]
        other.add_trial(trial)
    return other


def asked(study: optuna.Study, trials: int, sampler: optuna.samplers.BaseSampler) -> list[Any]:
    """What so many trials of a study get that are asked for together."""
    study.sampler = sampler
    return [study.ask(CUBE).params for _ in range(trials)]


@pytest.mark.slow
def test_it_comes_nearer_than_coarse_to_fine() -> None:
    """A smooth optimum in three dimensions, without noise, twenty seeds: paired."""
    nearer = 0
    for seed in range(20):
        guided, coarse = (
            run(kind(40, seed), loss, 40).best_value
            for kind in (GuidedSampler, CoarseToFineSampler)
        )
        nearer += guided < coarse
    assert nearer >= 17  # by chance alone: one in seven hundred


def test_a_trial_keeps_away_from_one_that_runs() -> None:
    """The one that runs counts as if it had been seen; one that failed does not."""
    away = {"runs": 0.0, "failed": 0.0}
    for seed in range(12):
        rng = np.random.default_rng(seed)
        noise = rng.normal(0, 0.1, 20)
        for fate in away:
            study = told(20, value=lambda t, n=noise: t.values[0] + n[t.number])  # type: ignore[misc]
            study.sampler = GuidedSampler(40, seed)
            first = study.ask(CUBE)
            if fate == "failed":
                study.tell(first, state=TrialState.FAIL)
            second = study.ask(CUBE)
            away[fate] += math.dist(first.params.values(), second.params.values())
    assert away["runs"] > 1.2 * away["failed"]


def work(storage: str, barrier: Any) -> None:
    study = optuna.load_study(study_name="s", storage=storage, sampler=GuidedSampler(16, 0))
    for _ in range(3):
        barrier.wait()
        trial = study.ask()
        value = loss(trial)
        barrier.wait()
        study.tell(trial, value)


@pytest.mark.slow
def test_processes_with_one_storage_propose_different_points(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'study.db'}"
    study = optuna.create_study(study_name="s", storage=url, sampler=GuidedSampler(16, 0))
    study.optimize(loss, n_trials=8)
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(2, timeout=60)
    workers = [context.Process(target=work, args=(url, barrier)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert len({tuple(trial.params.values()) for trial in study.trials}) == 14


def test_a_study_that_goes_on_elsewhere_gets_the_same_points(tmp_path: Path) -> None:
    whole = run(GuidedSampler(24, 0), loss, 24)
    for trials in (5, 8, 1, 10):
        storage = WriteBehindStorage(str(tmp_path / "study.db"))
        study = optuna.create_study(
            storage=storage, study_name="s", sampler=GuidedSampler(24, 0), load_if_exists=True
        )
        study.optimize(loss, n_trials=trials)
        storage.flush()
    assert [trial.params for trial in study.trials] == [trial.params for trial in whole.trials]


def test_a_sampler_that_other_studies_used_proposes_the_same() -> None:
    used = GuidedSampler(24, 0)
    asked(told(20), 1, used)
    other = told(21, value=lambda trial: trial.params["x"])
    assert asked(other, 2, used) == asked(
        told(21, value=lambda trial: trial.params["x"]), 2, GuidedSampler(24, 0)
    )


def test_a_parameter_that_a_number_decides_on_is_proposed_where_it_exists() -> None:
    """From the second layer on each has a width: the model knows which, and picks all of them."""

    def objective(trial: optuna.Trial) -> float:
        layers = trial.suggest_int("layers", 1, 3)
        widths = [trial.suggest_float(f"w{i}", 0.0, 1.0) for i in range(layers)]
        return abs(layers - 2) + sum((w - 0.8) ** 2 for w in widths)

    study = run(GuidedSampler(60, 0), objective, 60)
    assert study.best_params["layers"] == 2
    last = [trial.params for trial in study.trials[48:]]
    assert sum(params["layers"] == 2 for params in last) >= 9
    assert study.best_value < 0.01


def fails(*_: object, **__: object) -> None:
    raise np.linalg.LinAlgError("not positive definite")


def same_as_coarse(study: Callable[[], optuna.Study]) -> bool:
    """Whether a study gets what `CoarseToFineSampler` draws."""
    shares = (0.5, 0.5)
    guided, coarse = (
        asked(study(), 4, kind(24, 0, stage_shares=shares))
        for kind in (GuidedSampler, CoarseToFineSampler)
    )
    return bool(guided == coarse)


@pytest.mark.parametrize(
    "study",
    [
        lambda: told(0),
        lambda: told(3),
        lambda: told(20, value=lambda _: 0.5),
        lambda: told(20, value=lambda _: math.inf),
    ],
    ids=["none", "too few", "all equal", "all infinite"],
)
def test_what_tells_nothing_leaves_the_coarse_draw(study: Callable[[], optuna.Study]) -> None:
    assert same_as_coarse(study)


def test_a_model_that_fails_leaves_the_coarse_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not same_as_coarse(lambda: told(20))
    monkeypatch.setattr(module, "learn", fails)
    assert same_as_coarse(lambda: told(20))


def test_lengths_are_found_anew_when_results_have_grown(monkeypatch: pytest.MonkeyPatch) -> None:
    learnt = []

    def counted(space: Any, results: list[Result], optional: Any) -> Any:
        learnt.append(len(results))
        return learn(space, results, optional)

    monkeypatch.setattr(module, "learn", counted)
    study = told(60)
    study.sampler = GuidedSampler(100, 0)
    study.optimize(loss, n_trials=40)
    assert learnt == sorted(set(learnt))
    assert 3 <= len(learnt) <= 6
    assert learnt[-1] >= 88


# What Optuna lets one name have, now this and now that.
DISTRIBUTIONS: list[list[BaseDistribution]] = [
    [
        FloatDistribution(0.0, 1.0),
        FloatDistribution(-2.0, 0.5),
        FloatDistribution(0.0, 1.0, step=0.25),
        FloatDistribution(0.3, 0.3),
        FloatDistribution(-1e100, 1e100),
    ],
    [FloatDistribution(1e-5, 1.0, log=True), FloatDistribution(0.1, 10.0, log=True)],
    [IntDistribution(0, 10), IntDistribution(0, 9, step=3), IntDistribution(7, 7)],
    [IntDistribution(1, 1000, log=True), IntDistribution(5, 50, log=True)],
    [CategoricalDistribution(("a", "b", None))],
    [CategoricalDistribution((1, True, 2.5, math.inf))],
]
VALUES = st.one_of(
    st.sampled_from([0.0, 1.0, -math.inf, math.inf, 1e-300, -1e300]), st.floats(allow_nan=False)
)
STATES = [TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL, TrialState.RUNNING]


@st.composite
def histories(draw: st.DrawFn) -> list[FrozenTrial]:
    """Trials of three names, each of which has now this and now that distribution, or none."""
    had = {}
    for name in "abc":
        kinds = draw(st.sampled_from(DISTRIBUTIONS))
        had[name] = draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=2))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    trials = []
    for number in range(draw(st.integers(1, 14))):
        distributions = {
            name: kinds[rng.integers(len(kinds))]
            for name, kinds in had.items()
            if rng.random() < 0.9
        }
        state = draw(st.sampled_from(STATES + 3 * STATES[:1]))
        began = datetime(2026, 1, 1) + timedelta(seconds=number)
        trials.append(
            FrozenTrial(
                number=number,
                state=state,
                value=draw(VALUES) if state == TrialState.COMPLETE else None,
                datetime_start=began,
                datetime_complete=began + timedelta(seconds=float(9 * rng.random()))
                if state.is_finished()
                else None,
                params={name: drawn(d, rng) for name, d in distributions.items()},
                distributions=distributions,
                user_attrs={},
                system_attrs={},
                intermediate_values={},
                trial_id=number,
            )
        )
    return trials


def drawn(distribution: BaseDistribution, rng: np.random.Generator) -> Any:
    """A value of a distribution."""
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices[rng.integers(len(distribution.choices))]
    parameter = module.as_parameter(distribution)
    return parameter.from_unit(rng.random())


@settings(max_examples=60, deadline=None)
@given(histories(), st.sampled_from(["minimize", "maximize"]))
def test_whatever_happened_it_proposes_and_proposes_the_same(
    trials: list[FrozenTrial], direction: str
) -> None:
    def proposed(sampler: GuidedSampler) -> list[Any]:
        study = optuna.create_study(direction=direction)
        for trial in trials:
            study.add_trial(trial)
        study.sampler = sampler
        latest: dict[str, BaseDistribution] = {"new": FloatDistribution(0.0, 1.0)}
        for trial in trials:
            latest |= trial.distributions
        return [study.ask(latest).params for _ in range(2)]

    first = proposed(GuidedSampler(12, 0))
    assert first == proposed(GuidedSampler(12, 0))
