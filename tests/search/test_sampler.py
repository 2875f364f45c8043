from __future__ import annotations

import enum
import math
import pickle
import warnings
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
import pytest
from optuna.testing.pytest_samplers import (
    BasicSamplerTestCase,
    RelativeSamplerTestCase,
    SingleOnlySamplerTestCase,
)

from hpsearch.errors import UsageError
from hpsearch.search.guided_sampler import GuidedSampler
from hpsearch.search.sampler import CoarseToFineSampler
from hpsearch.storage import WriteBehindStorage

pytestmark = pytest.mark.slow

if TYPE_CHECKING:
    from collections.abc import Callable


KINDS = [CoarseToFineSampler, GuidedSampler]
SHARES = (0.5, 0.25, 0.25)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> type[CoarseToFineSampler]:
    sampler: type[CoarseToFineSampler] = request.param
    return sampler


class TestOptunasOwnCases(BasicSamplerTestCase, RelativeSamplerTestCase, SingleOnlySamplerTestCase):
    # So few trials that Optuna's studies reach the fine stages.
    @pytest.fixture(params=[8, 16, 1000])
    def sampler(
        self, request: pytest.FixtureRequest, kind: type[CoarseToFineSampler]
    ) -> Callable[[], optuna.samplers.BaseSampler]:
        return lambda: kind(n_trials=request.param, seed=0)


def run(
    kind: type[CoarseToFineSampler],
    objective: Callable[[optuna.Trial], float],
    *,
    trials: int = 80,
    seed: int | None = 0,
    direction: str = "maximize",
    pruner: optuna.pruners.BasePruner | None = None,
) -> optuna.Study:
    study = optuna.create_study(
        sampler=kind(trials, seed, stage_shares=SHARES),
        direction=direction,
        pruner=pruner,
    )
    study.optimize(objective, n_trials=trials, catch=(ArithmeticError,))
    return study


@pytest.mark.parametrize(("direction", "sign"), [("minimize", 1), ("maximize", -1)])
def test_later_stages_close_in_on_the_best(
    kind: type[CoarseToFineSampler], direction: str, sign: int
) -> None:
    study = run(
        kind,
        lambda trial: sign * abs(np.log10(trial.suggest_float("x", 1e-5, 1.0, log=True)) + 2),
        direction=direction,
    )
    away = [abs(np.log10(trial.params["x"]) + 2) for trial in study.trials]
    coarse, fine, finest = np.split(away, [40, 60])
    assert max(finest) < max(fine) < max(coarse)
    assert max(finest) < 0.5


def test_pruned_trials_are_bad_and_failed_ones_do_not_count(
    kind: type[CoarseToFineSampler],
) -> None:
    def objective(trial: optuna.Trial) -> float:
        x = trial.suggest_float("x", 0.0, 1.0)
        if x > 0.6:
            raise optuna.TrialPruned
        if trial.number % 5 == 0:
            raise ArithmeticError
        return x if trial.number % 7 else float("inf")

    study = run(kind, objective)
    states = {trial.state for trial in study.trials}
    assert states == set(optuna.trial.TrialState) - {
        optuna.trial.TrialState.RUNNING,
        optuna.trial.TrialState.WAITING,
    }
    last = [trial.params["x"] for trial in study.trials[60:]]
    assert min(last) > 0.3
    assert max(last) < 0.75


def test_parameters_may_come_and_go(kind: type[CoarseToFineSampler]) -> None:
    def objective(trial: optuna.Trial) -> float:
        if trial.suggest_categorical("kind", ["a", "b"]) == "a":
            return -abs(trial.suggest_float("x", 0, 1) - 0.5) - 0.3
        return -abs(trial.suggest_int("n", 0, 100) - 20) / 100

    study = run(kind, objective)
    assert study.best_params["kind"] == "b"
    assert abs(study.best_params["n"] - 20) < 5


def test_draws_are_reproducible_and_not_repeated_by_a_resumed_study(
    kind: type[CoarseToFineSampler],
) -> None:
    def objective(trial: optuna.Trial) -> float:
        return trial.suggest_float("x", 0, 1)

    whole = run(kind, objective, trials=30)
    assert [t.params for t in run(kind, objective, trials=30).trials] == [
        t.params for t in whole.trials
    ]
    resumed = optuna.create_study(direction="maximize", sampler=kind(30, 0, stage_shares=SHARES))
    resumed.optimize(objective, n_trials=19)
    resumed.sampler = kind(30, 0, stage_shares=SHARES)
    resumed.optimize(objective, n_trials=11)
    assert [t.params for t in resumed.trials] == [t.params for t in whole.trials]
    assert run(kind, objective, trials=3, seed=None).trials[0].params != whole.trials[0].params


def test_a_sampler_can_be_pickled_in_the_middle_of_a_study(kind: type[CoarseToFineSampler]) -> None:
    study = run(kind, lambda trial: trial.suggest_float("x", 0, 1), trials=20)
    again = pickle.loads(pickle.dumps(study.sampler))
    distribution = optuna.distributions.FloatDistribution(0, 1)
    trial = study.trials[-1]
    drawn = again.sample_independent(study, trial, "x", distribution)
    assert drawn == trial.params["x"]


@pytest.mark.parametrize(
    ("low", "high", "log"),
    [
        (-1e300, 1e300, False),
        (1e-300, 1e300, True),
        (5e-324, 1e-300, True),
        (0.0, 5e-324, False),
        (1e15, 1e15 + 2, False),
    ],
)
def test_ranges_may_be_as_wide_and_as_narrow_as_numbers_are(
    kind: type[CoarseToFineSampler], low: float, high: float, log: bool
) -> None:
    study = optuna.create_study(sampler=kind(40, seed=0), direction="maximize")
    study.optimize(lambda trial: trial.suggest_float("x", low, high, log=log), n_trials=30)
    assert low <= study.best_value <= high


def test_more_trials_than_promised_belong_to_the_last_stage(
    kind: type[CoarseToFineSampler],
) -> None:
    study = optuna.create_study(sampler=kind(20, 0))
    study.optimize(lambda trial: abs(trial.suggest_float("x", -1, 1)), n_trials=40)
    assert all(abs(trial.params["x"]) < 0.6 for trial in study.trials[20:])


def test_its_own_stages(kind: type[CoarseToFineSampler]) -> None:
    study = optuna.create_study(sampler=kind(40, 0, stage_shares=(0.5, 0.5)))
    study.optimize(lambda trial: abs(trial.suggest_float("x", -1, 1)), n_trials=40)
    late = [abs(trial.params["x"]) for trial in study.trials[20:]]
    assert max(late) < max(abs(trial.params["x"]) for trial in study.trials[:20])


@pytest.mark.parametrize(
    ("trials", "shares", "sentence"),
    [(0, (1,), "n_trials is 0"), (9, (), "0 stage shares"), (9, (1, -1), "must be positive")],
)
def test_wrong_settings(
    kind: type[CoarseToFineSampler], trials: int, shares: tuple[float, ...], sentence: str
) -> None:
    with pytest.raises(UsageError, match=sentence):
        kind(trials, stage_shares=shares)


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


CHOICES = [
    [(1, 2), (3,)],
    [((1,), 2), [3]],
    [[1], [2]],
    [np.int64(1), np.int64(2)],
    [np.True_, np.False_],
    [np.str_("a"), "b"],
    [np.float64(0.5), np.float32(0.25)],
    [1.0, math.inf, -math.inf],
    [math.nan, 1.0],
    [None, "a"],
    [Colour.RED, Colour.BLUE],
    [b"a", b"b"],
    [{"a": 1}, {"b": (1, 2)}],
    [1, True, 0],
    [1, 1.0, 2],
    [int, float, str],
]


@pytest.mark.filterwarnings("ignore:Choices for a categorical distribution")
@pytest.mark.parametrize("choices", CHOICES, ids=repr)
@pytest.mark.parametrize("pruner", [None, optuna.pruners.MedianPruner(n_startup_trials=2)])
def test_choices_may_be_whatever_optuna_takes(
    kind: type[CoarseToFineSampler], choices: list[Any], pruner: optuna.pruners.BasePruner | None
) -> None:
    def objective(trial: optuna.Trial) -> float:
        choice = trial.suggest_categorical("c", choices)
        place = next(i for i, c in enumerate(choices) if c is choice)
        assert trial.suggest_categorical("single", [choices[0]]) is choices[0]
        trial.report(place, 1)
        if trial.should_prune():
            raise optuna.TrialPruned
        return place + 0.1 * trial.suggest_float("x", np.float32(0), np.float64(1))

    study = run(kind, objective, trials=40, pruner=pruner)
    kinds = optuna.distributions.CategoricalDistribution(choices)
    places = [int(kinds.to_internal_repr(trial.params["c"])) for trial in study.trials]
    best = max(places)
    assert best > 0
    assert places[30:].count(best) / 10 > places[:20].count(best) / 20


def test_the_choices_draw_as_their_places_do(kind: type[CoarseToFineSampler]) -> None:
    def places(choices: list[Any]) -> list[int]:
        study = run(
            kind, lambda trial: choices.index(trial.suggest_categorical("c", choices)), trials=30
        )
        return [choices.index(trial.params["c"]) for trial in study.trials]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert places(["a", "b", "c"]) == places([(1,), (2,), (3,)]) == places([0, 1, 2])


@pytest.mark.filterwarnings("ignore:Choices for a categorical distribution")
def test_parallel_threads_and_a_space_that_changes(kind: type[CoarseToFineSampler]) -> None:
    def objective(trial: optuna.Trial) -> float:
        layers = trial.suggest_categorical("layers", [(8,), (8, 8), (8, 8, 8)])
        widths = [trial.suggest_int(f"w{i}", np.int64(1), np.int64(64), log=True) for i in layers]
        return float(sum(widths))

    study = optuna.create_study(sampler=kind(60, seed=1))
    study.optimize(objective, n_trials=60, n_jobs=4)
    assert all(trial.state == optuna.trial.TrialState.COMPLETE for trial in study.trials)


def test_an_empty_search_space_is_searched(kind: type[CoarseToFineSampler]) -> None:
    assert run(kind, lambda trial: float(trial.number), trials=20).best_value == 19


@pytest.mark.filterwarnings("ignore:Choices for a categorical distribution")
@pytest.mark.parametrize("choices", [[(1, 2), (3,)], [((1,), 2), [3]], [{"a": (1,)}, {2: 3}]])
@pytest.mark.parametrize(
    "sampler",
    [*(kind(24, seed=0) for kind in KINDS), optuna.samplers.RandomSampler(seed=0)],
)
def test_choices_that_json_changes_survive_a_restart(
    choices: list[Any], sampler: optuna.samplers.BaseSampler, tmp_path: Path
) -> None:
    """Optuna's own storage refuses them in the second process."""

    def objective(trial: optuna.Trial) -> float:
        choice = trial.suggest_categorical("c", choices)
        assert choice in choices
        return choices.index(choice) + trial.suggest_float("x", 0, 1)

    for part in (1, 2, 3):
        storage = WriteBehindStorage(str(tmp_path / "study.db"))
        study = optuna.create_study(
            storage=storage, study_name="odd", sampler=sampler, load_if_exists=True
        )
        study.optimize(objective, n_trials=8)
        assert len(study.trials) == 8 * part
        assert all(trial.params["c"] in choices for trial in study.trials)
        assert study.best_params["c"] == choices[0]
        storage.flush()
    stock = optuna.load_study(study_name="odd", storage=f"sqlite:///{tmp_path / 'study.db'}")
    assert [t.value for t in stock.trials] == [t.value for t in study.trials]


@pytest.mark.filterwarnings("ignore:Choices for a categorical distribution")
def test_choices_that_did_change_are_refused(tmp_path: Path) -> None:
    for choices, refused in (([(1,), (2,)], False), ([(1,), (3,)], True)):
        storage = WriteBehindStorage(str(tmp_path / "study.db"))
        study = optuna.create_study(storage=storage, study_name="odd", load_if_exists=True)
        with pytest.raises(ValueError, match="dynamic") if refused else nullcontext():
            study.ask().suggest_categorical("c", choices)
        storage.flush()
