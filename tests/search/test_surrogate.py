from __future__ import annotations

import numpy as np
import pytest

from hpsearch.search.base import Configuration, Result, Slot
from hpsearch.search.surrogate import _points, learn, targets
from hpsearch.space import Categorical, Condition, Float, Int, Space

SPACE = Space(
    {
        "rate": Float(1e-4, 1.0, log=True),
        "width": Int(1, 9),
        "solver": Categorical(("sgd", "adam", "none")),
        "momentum": Float(0.0, 1.0),
        "kind": Categorical((1, 2)),
    },
    {
        "momentum": Condition("solver", ("sgd",)),
        "kind": Condition("solver", ("sgd",)),
    },
)
BASE: dict[str, object] = {
    "rate": 0.01,
    "width": 5,
    "solver": "sgd",
    "momentum": 0.5,
    "kind": 1,
}


def distance(parameter: str, a: object, b: object) -> float:
    """Between two configurations that differ in one parameter, None for its absence."""
    both = []
    for value in (a, b):
        changed = {**BASE, parameter: value}
        both.append({name: v for name, v in changed.items() if v is not None})
    points, inputs = _points(SPACE, both, [], SPACE.conditions)  # type: ignore[arg-type]
    apart = points[0] - points[1]
    own = list(SPACE.parameters).index(parameter)
    assert not apart[inputs != own].any()
    return float(np.linalg.norm(apart[inputs == own]))


@pytest.mark.parametrize(
    ("parameter", "a", "b", "apart"),
    [
        ("rate", 1e-4, 1.0, 1.0),
        ("rate", 1e-3, 1e-2, 0.25),
        ("rate", 1e-4, 1e2, 1.5),  # past the first range
        ("width", 2, 5, 1 / 3),
        ("solver", "sgd", "adam", 1.0),
        ("solver", "adam", "none", 1.0),
        ("momentum", 0.2, 0.3, 0.1),
        ("momentum", 0.0, None, 1.0),
        ("momentum", 0.7, None, 1.0),
        ("kind", 1, 2, 1.0),
        ("kind", 2, None, 1.0),
    ],
)
def test_how_far_values_are_apart(parameter: str, a: object, b: object, apart: float) -> None:
    assert distance(parameter, a, b) == pytest.approx(apart, abs=1e-3)


def test_two_that_lack_a_parameter_are_equal_in_it() -> None:
    one: Configuration = {"rate": 0.1, "width": 2, "solver": "adam"}
    points, _ = _points(SPACE, [one, one], [], SPACE.conditions)
    assert (points[0] == points[1]).all()


def told(*scores: float | None) -> list[float]:
    """The targets of scores, None for what diverged."""
    slots = [Slot(0, index, {}, 0, 1) for index in range(len(scores))]
    found = [Result(s, x or 0.0, x is not None) for s, x in zip(slots, scores, strict=True)]
    return [float(x) for x in targets(found)]


def test_the_better_half_counts_as_it_is_and_the_worse_by_rank() -> None:
    found = told(-1e9, 4.0, 1.0, 2.0, None, 10.0)
    assert np.argsort(found).tolist() == [4, 0, 2, 3, 1, 5]
    worst, bad, *_ = (told(-2.0, 4.0, 1.0, 2.0, None, 10.0)[i] for i in (4, 0))
    assert (found[4], found[0]) == (worst, bad)  # however bad it is
    assert (found[5] - found[1]) / (found[1] - found[3]) == pytest.approx(6.0 / 2.0)


@pytest.mark.parametrize("scale", [1e-300, 1e-3, 1.0, 1e300])
def test_the_unit_of_scores_does_not_matter(scale: float) -> None:
    scores = [-5.0, 0.0, 1.0, 1.5, 3.0, 4.0]
    assert told(*(scale * x for x in scores)) == pytest.approx(told(*scores))


@pytest.mark.parametrize(
    "scores",
    [
        (1.0, 2.0, 3.0, 3.0, 3.0, 3.0),  # the better half is equal
        (None, None, None, 1.0, 2.0),  # most diverged
        (-1.7e308, -1.6e308, 0.0, 1.7e308),  # differences that no number holds
    ],
)
def test_where_the_better_half_has_no_scale_ranks_decide(scores: tuple[float | None, ...]) -> None:
    found = told(*scores)
    assert np.isfinite(found).all()
    assert sum(found) == pytest.approx(0.0, abs=0.5)


def test_what_diverged_is_last_and_equal() -> None:
    found = told(3.0, 1e9, None, None, -5.0)
    assert np.argsort(found, kind="stable").tolist() == [2, 3, 4, 0, 1]
    assert found[2] == found[3] < found[4]


def results(count: int, seed: int = 0) -> list[Result]:
    """A peak at a rate of 0.01, and long trainings better than short ones."""
    rng = np.random.default_rng(seed)
    found = []
    for index in range(count):
        configuration = SPACE.sample(rng)
        epochs = 4 if index % 2 else 16
        rate = configuration["rate"]
        assert isinstance(rate, float)
        score = -abs(np.log10(rate) + 2) + np.log2(epochs) / 10
        found.append(Result(Slot(0, index, configuration, 0, epochs), float(score)))
    return found


@pytest.mark.parametrize(("count", "least"), [(24, 0.5), (60, 0.9)])
def test_it_predicts_the_rank_of_what_it_has_not_seen(count: int, least: float) -> None:
    unseen = [result for result in results(60, seed=1) if result.slot.epochs == 16]
    model = learn(SPACE, results(count))
    assert (model.timed, model.epochs) == (True, 16)
    mean = model.posterior([result.slot.configuration for result in unseen]).mean
    agreement = np.corrcoef(mean, targets(unseen))[0, 1]
    assert agreement > least


def test_the_order_of_results_does_not_matter() -> None:
    found = results(40)
    configurations = [result.slot.configuration for result in found]
    there, back = (learn(SPACE, some).posterior(configurations) for some in (found, found[::-1]))
    assert (there.mean == back.mean).all()


def test_a_short_training_predicts_a_long_one() -> None:
    """The same configurations, some of them short only: the length is an input, not a parameter."""
    model = learn(SPACE, results(60))
    configurations = [result.slot.configuration for result in results(60)]
    lengths = {4: [], 16: []}  # type: ignore[var-annotated]
    for epochs, found in lengths.items():
        points, _ = _points(SPACE, configurations, [epochs] * 60, SPACE.conditions)
        found.extend(model.process.posterior(points).mean)
    assert np.mean(lengths[16]) > np.mean(lengths[4])
    assert np.corrcoef(lengths[16], lengths[4])[0, 1] > 0.9


def test_another_study_is_as_far_as_another_choice() -> None:
    one: Configuration = {"rate": 0.1, "width": 2, "solver": "adam"}
    points, inputs = _points(SPACE, [one] * 3, [], (), [0, 1, 2], 3)
    for a, b in ((0, 1), (0, 2), (1, 2)):
        apart = points[a] - points[b]
        assert np.linalg.norm(apart) == pytest.approx(1.0)
        assert not apart[inputs != len(SPACE.parameters)].any()


def test_a_study_alike_tells_what_this_one_has_not_seen_and_one_of_another_kind_does_not() -> None:
    def against(found: list[Result]) -> list[Result]:
        return [Result(result.slot, -result.score) for result in found]

    unseen = results(60, seed=1)
    configurations = [result.slot.configuration for result in unseen]

    def agreement(prior: list[Result]) -> float:
        mean = learn(SPACE, results(8), [prior]).posterior(configurations).mean
        return float(np.corrcoef(mean, targets(unseen))[0, 1])

    alone = learn(SPACE, results(8)).posterior(configurations).mean
    without = float(np.corrcoef(alone, targets(unseen))[0, 1])
    assert agreement(results(60, seed=2)) > max(0.8, without)
    assert agreement(against(results(60, seed=2))) > without - 0.5


def test_before_a_study_has_results_its_prior_speaks_alone() -> None:
    unseen = results(60, seed=1)
    model = learn(SPACE, [], [results(60), results(60, seed=2)])
    mean = model.posterior([result.slot.configuration for result in unseen]).mean
    assert np.corrcoef(mean, targets(unseen))[0, 1] > 0.8


def test_after_other_results_it_keeps_its_lengths_and_its_noise() -> None:
    found = results(60)
    configurations = [result.slot.configuration for result in found]
    before = learn(SPACE, found[:40])
    after = before.after(found)
    assert (after.process.lengths == before.process.lengths).all()
    assert after.process.noise == before.process.noise
    again = learn(SPACE, found[:40]).after(found[::-1])
    assert (after.posterior(configurations).mean == again.posterior(configurations).mean).all()
    same = learn(SPACE, found).after(found).posterior(configurations)
    assert (same.mean == learn(SPACE, found).posterior(configurations).mean).all()


def test_what_may_be_absent_without_a_condition_is_as_far_as_two_choices() -> None:
    space = Space(SPACE.parameters)
    without = {name: value for name, value in BASE.items() if name != "kind"}
    points, inputs = _points(space, [BASE, without], [], {"kind"})  # type: ignore[list-item]
    apart = points[0] - points[1]
    assert np.linalg.norm(apart) == pytest.approx(1.0)
    assert not apart[inputs != list(space.parameters).index("kind")].any()
