"""The number behind each sentence, found again by another way than the one that wrote it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import expit

from hpsearch.data.images import CIFAR_RECORD
from hpsearch.errors import DataError, UnknownNameError
from hpsearch.lab import EXPERIMENTS, coarse_to_fine, experiment
from hpsearch.lab.coarse_to_fine import CoarseToFineData
from hpsearch.lab.dead_relus import DeadRelusData
from hpsearch.lab.initialization import INITIALIZERS_SEEN, DeepNetwork, InitializationData
from hpsearch.lab.learning_rates import LearningRatesData
from hpsearch.lab.preprocessing import PreprocessingData
from hpsearch.lab.update_ratios import UpdateRatiosData
from hpsearch.lab.zig_zag import ZigZagData

pytestmark = pytest.mark.slow

Measured = Callable[[str], Any]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_page_says_in_one_sentence_what_to_see_and_names_its_axes(
    name: str, measured: Measured
) -> None:
    data: Any = measured(name)
    said = data.sees()
    assert said.endswith(".")
    assert ". " not in said
    assert not any(word in said for word in ("nan", "inf", "None"))
    assert "(lecture 6, " in EXPERIMENTS[name].why
    table = data.table()
    assert {len(row) for row in table.rows} == {len(table.headings)}
    for figure in data.figures():
        assert figure.layout.title.text
        assert figure.layout.xaxis.title.text
        assert figure.layout.yaxis.title.text


def test_the_seed_decides(measured: Measured) -> None:
    made = EXPERIMENTS["learning-rates"]
    assert made.measure(0) == measured("learning-rates")
    assert made.measure(1) != measured("learning-rates")


def test_an_unknown_experiment_names_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match=r"did you mean 'zig-zag'\? Known: activations, z"):
        experiment("zigzag")


def test_saturated_activations_pass_no_gradient(measured: Measured) -> None:
    data = measured("activations")
    x = data.inputs
    right = {
        "sigmoid": expit(x) * expit(-x),
        "tanh": np.cosh(x) ** -2,
        "elu": np.where(x < 0, np.exp(x), 1.0),
        "leaky-relu": np.where(x < 0, 0.01, 1.0),
        "prelu": np.where(x < 0, 0.25, 1.0),
        "maxout": np.where(x < 0, -0.5, 1.0),
    }
    for name, gradient in right.items():
        np.testing.assert_allclose(data.gradients[name], gradient, atol=1e-12)
    away = np.abs(x) > 0.1  # from the kink, where a difference of outputs has no meaning
    for name, gradient in data.gradients.items():
        slopes = np.gradient(data.outputs[name], x)
        np.testing.assert_allclose(slopes[away], gradient[away], atol=2e-3)
    said = data.sees()
    assert f"{expit(10) * expit(-10):.1e} of itself in a sigmoid" in said
    assert f"{np.cosh(10) ** -2:.1e} in tanh" in said
    passing = said.rpartition("only ")[2].removesuffix(" pass more than 0.001 of it on both sides.")
    assert {"leaky-relu", "prelu", "maxout"} <= set(passing.replace(" and ", ", ").split(", "))
    assert not {"sigmoid", "tanh", "elu", "relu"} & set(passing.replace(" and ", ", ").split(", "))


def test_positive_inputs_move_all_weights_together(measured: Measured) -> None:
    data: ZigZagData = measured("zig-zag")
    moved = {name: np.diff(path.weights, axis=0) for name, path in data.paths.items()}
    together = {name: np.mean(np.sign(m[:, 0]) == np.sign(m[:, 1])) for name, m in moved.items()}
    assert together["all positive"] == 1.0
    assert 0.3 < together["zero-centred"] < 0.7
    detours = {name: np.hypot(*m.T).sum() / np.hypot(*m.sum(axis=0)) for name, m in moved.items()}
    assert detours["all positive"] > 2 * detours["zero-centred"]
    assert all(path.accuracy > 0.9 for path in data.paths.values())
    assert data.same_sign["sigmoid"][0] == data.same_sign["relu"][0] == 1.0
    assert data.same_sign["tanh"][0] == 0.0
    said = data.sees()
    assert f"in 100% of the updates, and its path is {detours['all positive']:.1f} times" in said
    assert f"(zero-centred: {together['zero-centred']:.0%}, {detours['zero-centred']:.1f}" in said


def test_relus_die_of_high_learning_rates(measured: Measured) -> None:
    data: DeadRelusData = measured("dead-relus")
    assert not data.before.any()
    shares = [np.mean(data.dead[0, rate]) for rate in range(len(data.rates))]
    assert shares[0] == shares[1] == 0.0
    assert shares[-1] > 0.5
    assert not data.blown_up[:, 0].any()
    # A network without living units in some layer labels all samples alike.
    lost = (data.dead == 1.0).any(axis=-1)
    assert lost.any()
    assert data.accuracy[lost].max() < 0.15
    said = data.sees()
    assert said.startswith("After training 0.0% of the ReLUs are dead with a learning rate of 0.1 ")
    calm = [rate for rate, blown in enumerate(data.blown_up.any(axis=(0, 2))) if not blown][-1]
    assert 0 < shares[calm] < shares[-1]
    assert f", {shares[calm]:.1%} with {data.rates[calm]:g}, the highest at which no" in said
    assert f"and {shares[-1]:.0%} with 3;" in said
    low, middle, high = (float(np.mean(data.dead[1, rate])) for rate in (1, calm, -1))
    assert said.endswith(f"it is {low:.1%}, {middle:.1%} and {high:.0%}.")


def test_whitening_makes_the_cloud_round_and_quick_to_learn(measured: Measured) -> None:
    data: PreprocessingData = measured("preprocessing")
    raw, standard, pca, white = (
        data.clouds[k].points.astype(float) for k in ("none", "standardize", "pca", "whiten")
    )
    np.testing.assert_allclose(data.clouds["zero-centre"].points, raw - raw.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(standard.std(axis=0), 1, atol=1e-5)
    assert np.corrcoef(standard.T)[0, 1] == pytest.approx(np.corrcoef(raw.T)[0, 1], abs=1e-5)
    assert abs(np.corrcoef(pca.T)[0, 1]) < 1e-5
    # A rotation keeps all distances.
    gaps, turned = raw[1:] - raw[:-1], pca[1:] - pca[:-1]
    np.testing.assert_allclose(np.hypot(*turned.T), np.hypot(*gaps.T), rtol=1e-4)
    np.testing.assert_allclose(np.cov(white.T, bias=True), np.eye(2), atol=1e-4)
    long, short = np.linalg.svd(raw - raw.mean(axis=0), compute_uv=False)
    steps = {k: np.searchsorted(-c.losses, -data.goal) for k, c in data.clouds.items()}
    assert steps["whiten"] <= steps["zero-centre"] / 5 <= steps["none"] / 10
    said = data.sees()
    assert f"(axes of {long / short:.1f} to 1 become 1.0 to 1)" in said
    assert f"correlation from {np.corrcoef(raw.T)[0, 1]:.2f} to 0.00" in said


def std_of_histogram(network: DeepNetwork, layer: int) -> float:
    """The standard deviation that the bins alone give, where they hold all values."""
    shares = network.outputs.shares[layer]
    centres = (network.outputs.edges[1:] + network.outputs.edges[:-1]) / 2
    assert shares.sum() == pytest.approx(1.0)
    return float(np.sqrt(shares @ centres**2 - (shares @ centres) ** 2))


def plain_stds(initializer: str, activation: str, width: int = 500) -> list[float]:
    """Ten layers in a few lines of NumPy, with weights of their own."""
    rng = np.random.default_rng(7)
    factor = {"small-random": 0.01, "xavier": width**-0.5, "he": (width / 2) ** -0.5}[initializer]
    h, stds = rng.standard_normal((100, width)), []
    for _ in range(10):
        z = h @ (factor * rng.standard_normal((width, width)))
        h = np.tanh(z) if activation == "tanh" else np.maximum(z, 0)
        stds.append(float(h.std()))
    return stds


@pytest.mark.parametrize(
    ("activation", "initializer", "low", "high"),
    [
        ("tanh", "xavier", 0.3, 0.5),
        ("tanh", "small-random", 0.0, 1e-5),
        ("tanh", "he", 0.5, 1.0),
        ("relu", "he", 0.5, 2.0),
        ("relu", "xavier", 0.01, 0.1),
        ("relu", "small-random", 0.0, 1e-5),
    ],
)
def test_what_the_last_layer_keeps_of_the_standard_deviation(
    activation: str, initializer: str, low: float, high: float, measured: Measured
) -> None:
    data: InitializationData = measured("initialization")
    std = data.network(activation, initializer).outputs.std
    left = std[9] / std[0]
    assert low < left < high
    plain = plain_stds(initializer, activation)
    assert np.log(left) == pytest.approx(np.log(plain[9] / plain[0]), abs=0.35)
    if (activation, initializer) not in (("tanh", "he"), ("relu", "small-random")):
        assert f"{left:.2g}" in data.sees()


def test_large_weights_saturate_tanh_and_yet_its_gradient_grows(measured: Measured) -> None:
    data: InitializationData = measured("initialization")
    large = data.network("tanh", "large-random")
    # Values beyond 0.95 are the outermost bins, so that those beyond 0.98 are no more.
    outermost = large.outputs.shares[-1][[0, -1]].sum()
    assert 0.8 < large.saturated[-1] < outermost
    growth = large.gradients.std[0] / large.gradients.std[9]
    assert growth > 1000
    small = data.network("tanh", "small-random").gradients.std
    assert small[0] / small[9] < 1e-5
    said = data.sees()
    assert f"saturate {large.saturated[-1]:.0%}" in said
    assert f"is {growth:.2g} times as large in layer 1" in said


def test_histograms_hold_what_they_are_of(measured: Measured) -> None:
    data: InitializationData = measured("initialization")
    for initializer in ("large-random", "xavier", "he"):
        network = data.network("tanh", initializer)
        for layer in (0, 9):
            found = std_of_histogram(network, layer)
            assert found == pytest.approx(network.outputs.std[layer], rel=0.03)
    silent = data.network("relu", "he").outputs
    np.testing.assert_allclose(silent.zeros, 0.5, atol=0.06)
    held = silent.shares.sum(axis=1) + silent.zeros
    assert ((held > 0.9) & (held <= 1.0 + 1e-9)).all()


def test_batch_normalization_makes_the_first_weights_a_matter_of_indifference(
    measured: Measured,
) -> None:
    data = measured("batch-norm")
    last = np.array([n.outputs.std[-1] for n in data.normalized]).reshape(2, -1)
    assert last.shape == (2, len(INITIALIZERS_SEEN))
    # Of a unit Gaussian z: the standard deviations of tanh(z), by quadrature, and of max(z, 0).
    z, weight = np.polynomial.hermite_e.hermegauss(80)
    tanh = np.sqrt(weight @ np.tanh(z) ** 2 / weight.sum())
    np.testing.assert_allclose(last[0], tanh, rtol=0.02)
    np.testing.assert_allclose(last[1], np.sqrt(0.5 - 0.5 / np.pi), rtol=0.02)
    plain = [n.outputs.std[-1] for n in data.plain]
    gradients = np.array([n.gradients.std for n in data.normalized])
    drift = np.max(gradients[:, 0] / gradients[:, -1])
    assert (gradients[:, :-1] > gradients[:, 1:]).all()
    assert drift < 10
    said = data.sees()
    assert f"{last.min():.2f} to {last.max():.2f} with batch normalization" in said
    assert f"(without: {min(plain):.1e} to {max(plain):.1e})" in said
    assert f"by a factor of {drift:.1f} at most" in said


def test_too_low_good_and_too_high_learning_rates(measured: Measured) -> None:
    data: LearningRatesData = measured("learning-rates")
    by_rate = {curve.rate: curve for curve in data.curves}
    low, good = by_rate[1e-6], by_rate[0.3]
    assert 0 < 1 - low.losses[-1] / low.losses[0] < 0.01
    assert 1 - good.losses[-1] / good.losses[0] > 0.99
    assert good.accuracies[-1] > 0.95
    assert {curve.losses[0] for curve in data.curves} == {low.losses[0]}
    assert by_rate[3.0].why_stopped == "diverged"
    assert by_rate[3.0].losses[-1] > 100 * low.losses[0]
    assert by_rate[1e6].why_stopped == "not finite"
    said = data.sees()
    assert f"by {1 - low.losses[-1] / low.losses[0]:.2%} with a learning rate of 1e-06" in said
    assert f"and by {1 - good.losses[-1] / good.losses[0]:.1%} with 0.3" in said
    assert "with 1e+06 in epoch 1" in said


def test_updates_grow_with_the_rate_and_the_best_is_above_the_rule(measured: Measured) -> None:
    data: UpdateRatiosData = measured("update-ratios")
    # All begin with the same weights and minibatch: the first update is the rate times the same.
    first = data.ratios[:, 0] / data.rates[:, None]
    np.testing.assert_allclose(first, first[[3]].repeat(len(first), axis=0), rtol=2e-3)
    typical = [float(np.median(ratios)) for ratios in data.ratios]
    best = int(np.argmax(data.accuracy))
    assert 2 < typical[best] / 1e-3 < 20
    assert typical[0] < 1e-4
    assert data.accuracy[0] < 0.2 < 0.95 < data.accuracy[best]
    said = data.sees()
    assert f"makes updates {typical[best] / 1e-3:.1f} times as large as the rule" in said
    near = min(range(len(typical)), key=lambda r: abs(np.log(typical[r] / 1e-3)))
    assert f"a learning rate of {data.rates[near]:g} comes closest ({typical[near]:.1e})" in said


def test_the_fine_stage_draws_where_the_coarse_one_did_well(measured: Measured) -> None:
    data: CoarseToFineData = measured("coarse-to-fine")
    coarse, fine = data.stages
    assert (len(coarse.scores), len(fine.scores)) == (24, 12)
    assert (coarse.epochs, fine.epochs) == (5, 10)
    middle = [sorted(stage.scores)[len(stage.scores) // 2] for stage in data.stages]
    assert middle[1] > middle[0] + 0.3
    assert fine.scores.max() >= coarse.scores.max() - 0.02
    for stage in data.stages:
        for name, (low, high) in stage.ranges.items():
            assert ((low <= stage.values[name]) & (stage.values[name] <= high)).all()
    assert fine.ranges["l2"][1] < 0.1 * coarse.ranges["l2"][1]
    assert (coarse.scores[coarse.exploded] == 0.1).all()
    said = data.sees()
    assert said.startswith("On scikit-learn's digits half of the 24 coarse trials reach")
    assert f"and the best {fine.scores.max():.3f}." in said


def test_images_are_those_whose_files_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    cifar, absent = coarse_to_fine.SOURCES[0], Path("absent")
    monkeypatch.setattr(coarse_to_fine, "SOURCES", (cifar, ("Others", "fashion-mnist", absent)))
    data, missing = coarse_to_fine.images()
    assert (data.name, missing) == ("digits", ("CIFAR-10", "Others"))
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    records = np.random.default_rng(0).integers(0, 256, (20, CIFAR_RECORD), dtype=np.uint8)
    records[:, 0] = np.arange(20) % 10
    for name in (*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"):
        (folder / f"{name}.bin").write_bytes(records.tobytes())
    data, missing = coarse_to_fine.images()
    assert (data.name, len(data.y), missing) == ("cifar-10", 120, ())
    (folder / "test_batch.bin").write_bytes(b"damaged")
    with pytest.raises(DataError, match="truncated"):
        coarse_to_fine.images()


def test_random_search_finds_what_one_parameter_decides_and_a_grid_what_both_do(
    measured: Measured,
) -> None:
    """The shares in closed form; that of n searches has a standard error of sqrt(p (1 - p) / n)."""
    data = measured("grid-and-random")
    found, said = data.found, data.sees()
    k = np.arange(1, 11)
    for what, side in (("one parameter matters", 0.1), ("both matter alike", 0.1**0.5)):
        # A random point is within a box of a tenth of the square in a tenth of all cases.
        np.testing.assert_allclose(found["random", what], 1 - 0.9 ** (k**2), atol=0.04)
        # A side holds one of k middles of cells where it begins within it below one of them.
        begins = np.linspace(0, 1 - side, 10_001)[:, None]
        for points, share in zip(k.tolist(), found["grid", what], strict=True):
            middles = (np.arange(points) + 0.5) / points
            holds = float(((begins <= middles) & (middles <= begins + side)).any(axis=1).mean())
            assert share == pytest.approx(holds ** (1 if side == 0.1 else 2), abs=0.04)
    assert "tries 3 values of the important parameter and random search 9" in said
    for share in (found[name, what][2] for name, what in found):
        assert f"{share:.0%}" in said
