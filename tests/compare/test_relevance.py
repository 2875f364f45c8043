from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest
from scipy.optimize import check_grad

from hpsearch.compare.relevance import (
    Relevance,
    _distances,
    _negative_log_likelihood,
    relevance,
)
from hpsearch.errors import SpaceError, UsageError
from hpsearch.space import Categorical, Condition, Float, Int, Space, Value

SPACE = Space(
    {
        "rate": Float(1e-4, 1.0, log=True),
        "units": Int(10, 1000, log=True),
        "activation": Categorical(("relu", "tanh", "elu", "maxout")),
        "solver": Categorical(("sgd", "adam")),
        "momentum": Float(0.5, 0.99),
        "nesterov": Categorical((False, True)),
    },
    {"momentum": Condition("solver", ("sgd",)), "nesterov": Condition("solver", ("sgd",))},
)


def draw(space: Space, count: int, seed: int = 0) -> list[dict[str, Value]]:
    rng = np.random.default_rng(seed)
    return [space.sample(rng) for _ in range(count)]


def found(
    score: Callable[[Mapping[str, Value]], float], *, count: int = 60, refits: int = 5
) -> dict[str, Relevance]:
    configurations = draw(SPACE, count)
    noise = 0.03 * np.random.default_rng(1).standard_normal(count)
    scores = np.array([score(c) for c in configurations]) + noise
    return relevance(SPACE, configurations, scores, refits=refits, seed=2)


def rate(configuration: Mapping[str, Value]) -> float:
    """Its place on the logarithmic scale."""
    return SPACE.parameters["rate"].to_unit(configuration["rate"])


SGD = {"sgd": 1.0, "adam": 0.0}


@pytest.mark.parametrize(
    ("score", "planted"),
    [
        (lambda c: 1 - 4 * (rate(c) - 0.4) ** 2, {"rate"}),
        (lambda c: math.log10(c["units"]), {"units"}),
        (lambda c: float(c["activation"] in ("tanh", "maxout")), {"activation"}),
        # What only a missing parameter shows is its parent's effect.
        (lambda c: float("momentum" in c), {"solver"}),
        (lambda c: 3 * (c["momentum"] - 0.75) if "momentum" in c else 0.0, {"momentum"}),
        (lambda c: math.sin(5 * rate(c)) + 2 * SGD[c["solver"]], {"rate", "solver"}),
    ],
    ids=["curve", "line", "choice", "existence", "conditional", "two"],
)
def test_what_matters_comes_out_first(
    score: Callable[[Mapping[str, Value]], float], planted: set[str]
) -> None:
    ranking = found(score)
    top = sorted(ranking, key=lambda name: ranking[name].median, reverse=True)[: len(planted)]
    assert set(top) == planted
    assert sum(ranking[name].median for name in planted) > 0.6


def test_relevances_are_shares_with_quartiles_in_the_spaces_order() -> None:
    ranking = found(rate)
    assert list(ranking) == list(SPACE.parameters)
    for relevant in ranking.values():
        assert 0.0 <= relevant.lower <= relevant.median <= relevant.upper <= 1.0
    once = found(rate, refits=1)
    assert sum(relevant.median for relevant in once.values()) == pytest.approx(1.0)


def test_the_same_seed_gives_the_same_relevances() -> None:
    configurations = draw(SPACE, 40)
    scores = [rate(c) for c in configurations]

    def again(seed: int) -> dict[str, Relevance]:
        return relevance(SPACE, configurations, scores, refits=2, seed=seed)

    assert again(1) == again(1)
    assert again(1) != again(2)


def test_a_parameter_with_one_value_is_irrelevant() -> None:
    space = Space({"x": Float(0, 1), "fixed": Int(3, 3), "held": Float(0, 1)})
    configurations = [{**c, "held": 0.3} for c in draw(space, 30)]
    ranking = relevance(space, configurations, [c["x"] for c in configurations], refits=2, seed=0)
    assert ranking == {"x": (1, 1, 1), "fixed": (0, 0, 0), "held": (0, 0, 0)}


@pytest.mark.parametrize("lost", [math.nan, -math.inf])
def test_trials_without_a_score_are_left_out(lost: float) -> None:
    configurations = draw(SPACE, 40)
    scores = [rate(c) for c in configurations]
    kept = relevance(SPACE, configurations[:30], scores[:30], refits=2, seed=0)
    assert relevance(SPACE, configurations, scores[:30] + [lost] * 10, refits=2, seed=0) == kept


def test_of_many_trials_some_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    from hpsearch.compare import relevance as module

    sizes = []

    def distances(space: Space, configurations: Sequence[Mapping[str, Value]]) -> object:
        sizes.append(len(configurations))
        return _distances(space, configurations)

    monkeypatch.setattr(module, "_distances", distances)
    configurations = draw(SPACE, 90)
    ranking = relevance(
        SPACE, configurations, [rate(c) for c in configurations], refits=1, most=50, seed=0
    )
    assert sizes == [50]
    assert max(ranking, key=lambda name: ranking[name].median) == "rate"


@pytest.mark.parametrize(
    ("configurations", "scores", "message"),
    [
        (draw(SPACE, 9), [0.1] * 8 + [0.2], "9 trials"),
        (draw(SPACE, 20), [0.5] * 20, "scores that differ"),
        (draw(SPACE, 20), [math.nan] * 20, "0 trials"),
        (draw(SPACE, 20), [0.5] * 19, "give one of each"),
    ],
)
def test_too_little_to_tell(
    configurations: list[dict[str, Value]], scores: list[float], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        relevance(SPACE, configurations, scores, seed=0)


def test_a_subset_that_scores_all_the_same_tells_nothing_apart() -> None:
    space = Space({"x": Float(0, 1), "y": Float(0, 1)})
    scores = [0.5] * 19 + [0.6]
    ranking = relevance(space, draw(space, 20), scores, refits=40, share=0.5, seed=0)
    assert ranking["x"].lower <= 0.5 <= ranking["x"].upper


def test_a_configuration_of_another_space_is_refused() -> None:
    strangers = [{**c, "rate": 5.0} for c in draw(SPACE, 20)]
    with pytest.raises(SpaceError, match=r"5\.0"):
        relevance(SPACE, strangers, np.arange(20.0), seed=0)


def test_distances_of_choices_and_of_what_is_missing() -> None:
    space = Space(
        {"a": Categorical((1, 2, 3)), "x": Float(0, 1), "b": Categorical(("u", "v"))},
        {"x": Condition("a", (1,)), "b": Condition("a", (1, 2))},
    )
    D = _distances(
        space,
        [{"a": 1, "x": 0.1, "b": "u"}, {"a": 2, "b": "v"}, {"a": 3}, {"a": 1, "x": 0.9, "b": "u"}],
    )
    # Choices are at distance 1; who lacks x stands in its middle, who lacks b in its centre.
    assert D[0].tolist() == pytest.approx(
        np.array([[0, 1, 1, 0], [1, 0, 1, 1], [1, 1, 0, 1], [0, 1, 1, 0]])
    )
    assert D[1][0].tolist() == pytest.approx([0, 0.16, 0.16, 0.64])
    assert D[2][2].tolist() == pytest.approx([0.25, 0.25, 0, 0.25])


def test_for_numbers_the_likelihood_is_scikit_learns() -> None:
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

    rng = np.random.default_rng(0)
    space = Space({name: Float(0, 1) for name in "xyz"})
    configurations, y = draw(space, 25), rng.standard_normal(25)
    theta = np.log([1.5, 0.2, 0.3, 1.0, 2.0])
    value, gradient = _negative_log_likelihood(theta, _distances(space, configurations), y)

    kernel = ConstantKernel(1.5) * RBF([0.3, 1.0, 2.0]) + WhiteKernel(0.2)
    peer = GaussianProcessRegressor(kernel, alpha=0.0, optimizer=None)
    peer.fit([list(c.values()) for c in configurations], y)
    theirs, slope = peer.log_marginal_likelihood(peer.kernel_.theta, eval_gradient=True)
    assert value == pytest.approx(-theirs)
    order = [0, 2, 3, 4, 1]  # theirs has the noise last
    assert gradient[order].tolist() == pytest.approx((-slope).tolist())


def test_the_gradient_is_the_slope_with_categories_and_missing_parameters_too() -> None:
    D = _distances(SPACE, draw(SPACE, 20))
    y = np.random.default_rng(0).standard_normal(20)
    theta = np.random.default_rng(1).normal(scale=0.5, size=2 + len(D))
    error = check_grad(
        lambda t: _negative_log_likelihood(t, D, y)[0],
        lambda t: _negative_log_likelihood(t, D, y)[1],
        theta,
    )
    assert error < 1e-5
