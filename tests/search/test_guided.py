from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.stats import norm

from hpsearch.search import Result, Slot, make_strategy, run_search
from hpsearch.search import guided as module
from hpsearch.search.base import Chosen, Configuration
from hpsearch.search.gaussian_process import Array, GaussianProcess, _cholesky, fit
from hpsearch.search.guided import choose, expected_improvement, guided, motives
from hpsearch.search.quasi_random import sobol_points
from hpsearch.space import Categorical, Float, Int, Space

if TYPE_CHECKING:
    from collections.abc import Sequence

CUBE = Space({name: Float(0.0, 1.0) for name in "xyz"})


def score(slot: Slot) -> float:
    return -sum((float(v) - 0.37) ** 2 for v in slot.configuration.values())  # type: ignore[arg-type]


def sobol(space: Space, count: int, stage: int) -> list[Configuration]:
    point = sobol_points(len(space.parameters), count, 0, stage=stage)
    return [space.from_unit(point(index)) for index in range(count)]


def drawn(count: int, space: Space = CUBE) -> list[Result]:
    slots = [Slot(0, index, c, 0, 1) for index, c in enumerate(sobol(space, count, 0))]
    return [Result(slot, score(slot)) for slot in slots]


def proposed(results: Sequence[Result], count: int = 8, space: Space = CUBE) -> list[object]:
    propose = guided(CUBE, lambda n: sobol(space, n, 1), count, results)
    return [propose(index, ()) for index in range(count)]


def test_expected_improvement_is_the_mean_of_what_is_above() -> None:
    mean, deviation = np.array([-1.0, 0.2, 0.5]), np.array([1.0, 0.5, 2.0])
    draws = norm.ppf((np.arange(100_000) + 0.5) / 100_000)[:, None] * deviation + mean
    expected = np.maximum(draws - 0.3, 0.0).mean(axis=0)
    assert expected_improvement(mean, deviation**2, 0.3) == pytest.approx(expected, rel=1e-3)


def with_values(process: GaussianProcess, points: Array, values: Array) -> GaussianProcess:
    """A process of the same lengths, noise and scale that has seen these values."""
    factor = _cholesky(process.correlation(points, points), process.noise)
    weights = np.linalg.solve(factor @ factor.T, values)
    kept = process.lengths, process.noise, process.scale
    return GaussianProcess(points, *kept, factor, weights)


def test_a_slot_is_chosen_as_if_those_before_it_had_been_seen_as_expected() -> None:
    rng = np.random.default_rng(0)
    points, candidates = rng.random((20, 2)), rng.random((50, 2))
    values = np.sin(5 * points).sum(axis=1)
    values = values - values.mean()
    process = process_of_all = fit(points, values, np.arange(2), own_lengths=False)
    best = float(process.posterior(points).mean.max())
    taken = choose(process.posterior(candidates), best, 6)
    expected: list[int] = []
    for _ in taken:
        believed = process.posterior(candidates)
        gain = expected_improvement(believed.mean, believed.variance, best)
        gain[expected] = -1.0
        expected.append(int(gain.argmax()))
        points = np.vstack([points, candidates[expected[-1:]]])
        values = np.append(values, believed.mean[expected[-1]])
        process = with_values(process, points, values)
    assert taken == expected
    assert len(set(taken)) == 6
    behind = [*taken[:3], *(i for i in range(50) if i not in taken[:3])]
    again = choose(process_of_all.posterior(candidates[behind]), best, 6, running=3)
    assert [behind[i] for i in again] == taken


def test_a_motive_counts_in_deviations_of_what_nobody_has_seen() -> None:
    points = np.linspace(0.0, 0.4, 9)[:, None]
    process = fit(points, np.sin(9 * points[:, 0]), np.arange(1), own_lengths=False)
    seen, far = process.posterior(points), process.posterior(np.array([[0.2], [1e3]]))
    near, unknown = motives(far, float(seen.mean.max()))
    assert near.deviation < 0.3
    assert unknown.deviation == pytest.approx(1.0)
    assert unknown.lead == pytest.approx(-seen.mean.max() / np.sqrt(process.scale))


def test_every_slot_has_a_motive_where_a_model_chose_and_none_where_none_did() -> None:
    for results, by_model in ((drawn(24), True), (drawn(3), False)):
        propose = guided(CUBE, lambda n: sobol(CUBE, n, 1), 8, results)
        assert isinstance(propose, Chosen)
        told = [propose.motive(index) for index in range(8)]
        assert [motive is not None for motive in told] == [by_model] * 8


def test_the_later_stages_gather_where_the_best_lies() -> None:
    near = np.mean([score(Slot(1, 0, c, 0, 1)) for c in proposed(drawn(24))])  # type: ignore[arg-type]
    assert near > 0.3 * np.mean([result.score for result in drawn(64)])  # they are negative


@pytest.mark.parametrize(
    "results",
    [
        drawn(3),
        [],
        [Result(result.slot, 0.5) for result in drawn(20)],
        [Result(result.slot, 0.0, complete=False) for result in drawn(20)],
    ],
    ids=["too few", "none", "all equal", "all diverged"],
)
def test_what_tells_nothing_leaves_the_points_of_a_sequence(results: list[Result]) -> None:
    assert proposed(results) == sobol(CUBE, 8, 1)


def test_a_model_that_fails_leaves_the_points_of_a_sequence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(*_: object) -> None:
        raise np.linalg.LinAlgError("not positive definite")

    monkeypatch.setattr(module, "learn", fails)
    assert proposed(drawn(20)) == sobol(CUBE, 8, 1)


@pytest.mark.slow
def test_a_small_space_and_a_large_stage() -> None:
    """More slots than configurations: each is trained once, and then only the race repeats."""
    space = Space({"a": Categorical(("u", "v"))})
    strategy = make_strategy("guided", space, trials=2000, epochs=1, seed=0)
    report = run_search(lambda slot: float(slot.configuration["a"] == "v"), strategy)
    assert report.stages[0].slots == 2
    assert len(report.results) == 2 + 500
    assert report.winner.configuration == {"a": "v"}


def test_it_comes_nearer_than_coarse_to_fine_on_the_same_budget() -> None:
    """A smooth optimum in three dimensions, without noise, twenty seeds: paired."""

    def best(name: str, seed: int) -> float:
        strategy = make_strategy(name, CUBE, trials=40, epochs=1, seed=seed, race=0)
        return run_search(score, strategy).winner.mean

    nearer = sum(best("guided", seed) > best("coarse-to-fine", seed) for seed in range(20))
    assert nearer >= 17  # by chance alone: one in seven hundred


def test_its_stages_are_narrowed_with_reasons_and_modelled_after_the_first() -> None:
    strategy = make_strategy("guided", CUBE, trials=60, epochs=20, seed=0)
    report = run_search(score, strategy)
    search = [stage for stage in report.stages if not stage.races]
    named = [(s.name, s.slots, s.epochs, s.modelled) for s in search]
    assert named == [
        ("coarse", 18, 5, False),
        ("fine-1", 9, 10, True),
        ("fine-2", 9, 20, True),
        ("fine-3", 9, 20, True),
        ("fine-5", 7, 20, True),  # of what a race left that its first round settled
    ]
    assert all(len(stage.changes) == 3 for stage in search[1:])
    assert not any(stage.modelled for stage in report.stages if stage.races)


@pytest.mark.parametrize("trials", [1, 24])
def test_the_first_trial_is_the_middle_of_the_ranges(trials: int) -> None:
    space = Space(
        {
            "rate": Float(1e-4, 1.0, log=True),
            "depth": Int(1, 5),
            "kind": Categorical(("a", "b", "c")),
        }
    )
    plan = make_strategy("guided", space, trials=trials, epochs=1, seed=0)
    stage = plan.next_stage([])
    assert stage is not None
    assert stage.slot(0).configuration == {"rate": pytest.approx(0.01), "depth": 3, "kind": "b"}
    others = [stage.slot(index).configuration for index in range(1, stage.slots)]
    assert stage.slot(0).configuration not in others
