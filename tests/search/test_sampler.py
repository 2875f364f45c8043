from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import numpy as np
import optuna
import pytest
from optuna.testing.pytest_samplers import (
    BasicSamplerTestCase,
    RelativeSamplerTestCase,
    SingleOnlySamplerTestCase,
)

from hpsearch.errors import UsageError
from hpsearch.search.sampler import CoarseToFineSampler

if TYPE_CHECKING:
    from collections.abc import Callable


class TestOptunasOwnCases(BasicSamplerTestCase, RelativeSamplerTestCase, SingleOnlySamplerTestCase):
    # So few trials that Optuna's studies reach the fine stages.
    @pytest.fixture(params=[8, 16, 1000])
    def sampler(self, request: pytest.FixtureRequest) -> Callable[[], optuna.samplers.BaseSampler]:
        return lambda: CoarseToFineSampler(n_trials=request.param, seed=0)


def run(
    objective: Callable[[optuna.Trial], float],
    *,
    trials: int = 80,
    seed: int | None = 0,
    direction: str = "maximize",
    pruner: optuna.pruners.BasePruner | None = None,
) -> optuna.Study:
    study = optuna.create_study(
        sampler=CoarseToFineSampler(trials, seed), direction=direction, pruner=pruner
    )
    study.optimize(objective, n_trials=trials, catch=(ArithmeticError,))
    return study


@pytest.mark.parametrize(("direction", "sign"), [("minimize", 1), ("maximize", -1)])
def test_later_stages_close_in_on_the_best(direction: str, sign: int) -> None:
    study = run(
        lambda trial: sign * abs(np.log10(trial.suggest_float("x", 1e-5, 1.0, log=True)) + 2),
        direction=direction,
    )
    away = [abs(np.log10(trial.params["x"]) + 2) for trial in study.trials]
    coarse, fine, finest = np.split(away, [40, 60])
    assert max(finest) < max(fine) < max(coarse)
    assert max(finest) < 0.5


def test_pruned_trials_are_bad_and_failed_ones_do_not_count() -> None:
    def objective(trial: optuna.Trial) -> float:
        x = trial.suggest_float("x", 0.0, 1.0)
        if x > 0.6:
            raise optuna.TrialPruned
        if trial.number % 5 == 0:
            raise ArithmeticError
        return x if trial.number % 7 else float("inf")

    study = run(objective)
    states = {trial.state for trial in study.trials}
    assert states == set(optuna.trial.TrialState) - {
        optuna.trial.TrialState.RUNNING,
        optuna.trial.TrialState.WAITING,
    }
    last = [trial.params["x"] for trial in study.trials[60:]]
    assert min(last) > 0.3
    assert max(last) < 0.75


def test_parameters_may_come_and_go() -> None:
    def objective(trial: optuna.Trial) -> float:
        if trial.suggest_categorical("kind", ["a", "b"]) == "a":
            return -abs(trial.suggest_float("x", 0, 1) - 0.5) - 0.3
        return -abs(trial.suggest_int("n", 0, 100) - 20) / 100

    study = run(objective)
    assert study.best_params["kind"] == "b"
    assert abs(study.best_params["n"] - 20) < 5


def test_draws_are_reproducible_and_not_repeated_by_a_resumed_study() -> None:
    def objective(trial: optuna.Trial) -> float:
        return trial.suggest_float("x", 0, 1)

    whole = run(objective, trials=30)
    assert [t.params for t in run(objective, trials=30).trials] == [t.params for t in whole.trials]
    resumed = optuna.create_study(direction="maximize", sampler=CoarseToFineSampler(30, 0))
    resumed.optimize(objective, n_trials=13)
    resumed.sampler = CoarseToFineSampler(30, 0)
    resumed.optimize(objective, n_trials=17)
    assert [t.params for t in resumed.trials] == [t.params for t in whole.trials]
    assert run(objective, trials=3, seed=None).trials[0].params != whole.trials[0].params


def test_a_sampler_can_be_pickled_in_the_middle_of_a_study() -> None:
    study = run(lambda trial: trial.suggest_float("x", 0, 1), trials=20)
    again = pickle.loads(pickle.dumps(study.sampler))
    distribution = optuna.distributions.FloatDistribution(0, 1)
    trial = study.trials[-1]
    drawn = again.sample_independent(study, trial, "x", distribution)
    assert drawn == trial.params["x"]


def test_more_trials_than_promised_belong_to_the_last_stage() -> None:
    study = optuna.create_study(sampler=CoarseToFineSampler(20, 0))
    study.optimize(lambda trial: abs(trial.suggest_float("x", -1, 1)), n_trials=40)
    assert all(abs(trial.params["x"]) < 0.6 for trial in study.trials[20:])


def test_its_own_stages() -> None:
    study = optuna.create_study(sampler=CoarseToFineSampler(40, 0, stage_shares=(0.5, 0.5)))
    study.optimize(lambda trial: abs(trial.suggest_float("x", -1, 1)), n_trials=40)
    late = [abs(trial.params["x"]) for trial in study.trials[20:]]
    assert max(late) < max(abs(trial.params["x"]) for trial in study.trials[:20])


@pytest.mark.parametrize(
    ("trials", "shares", "sentence"),
    [(0, (1,), "n_trials is 0"), (9, (), "0 stage shares"), (9, (1, -1), "must be positive")],
)
def test_wrong_settings(trials: int, shares: tuple[float, ...], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        CoarseToFineSampler(trials, stage_shares=shares)
