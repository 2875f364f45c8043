"""All-positive inputs: every weight of a unit moves the same way, and the path is a zig-zag."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hpsearch.data import Preprocessor, load_dataset
from hpsearch.lab.experiment import Experiment, titled_figure
from hpsearch.nn import Network, NetworkConfig, Trainer, TrainingConfig
from hpsearch.plots.style import BLUE, VERMILLION, Figure
from hpsearch.wording import Table

__all__ = ["EXPERIMENT", "ZigZagData"]

INPUTS = {"all positive": "none", "zero-centred": "zero-centre"}
HIDDEN = ("sigmoid", "relu", "tanh")
RATE = 0.3
WIDTH = 50


@dataclass(frozen=True, eq=False)
class Path:
    """The two weights of one unit, update by update.

    Attributes:
        weights: (updates + 1, 2).
        accuracy: share of the samples that the network labels right in the end.
    """

    weights: np.ndarray
    accuracy: float

    @property
    def together(self) -> float:
        """The share of updates in which both weights rise, or both fall."""
        return float(np.mean(np.diff(self.weights, axis=0).prod(axis=1) > 0))

    @property
    def detour(self) -> float:
        """The length of the path over the distance from its start to its end."""
        steps = np.linalg.norm(np.diff(self.weights, axis=0), axis=1)
        return float(steps.sum() / np.linalg.norm(self.weights[-1] - self.weights[0]))


@dataclass(frozen=True, eq=False)
class ZigZagData:
    """Two paths, and the same question asked of a hidden layer.

    Attributes:
        paths: by kind of input.
        same_sign: by activation of the layer below: the share of (sample, unit) pairs for which all
            gradients of the unit's weights that are not zero have one sign; for one sample at a
            time, and for minibatches of 64.
    """

    paths: dict[str, Path]
    same_sign: dict[str, tuple[float, float]]

    def sees(self) -> str:
        """How often the weights move together, and how long the way becomes."""
        positive, centred = (self.paths[name] for name in INPUTS)
        return (
            "With all-positive inputs both weights of a unit move the same way in "
            f"{positive.together:.0%} of the updates, and its path is {positive.detour:.1f} times "
            f"as long as the distance that it covers (zero-centred: {centred.together:.0%}, "
            f"{centred.detour:.1f} times); behind a sigmoid layer all {WIDTH} weights of a unit "
            f"move together for {self.same_sign['sigmoid'][0]:.0%} of the samples, behind tanh for "
            f"{self.same_sign['tanh'][0]:.0%}."
        )

    def figures(self) -> list[Figure]:
        """The two paths, on one scale."""
        points = np.concatenate([path.weights for path in self.paths.values()])
        low, high = points.min(axis=0), points.max(axis=0)
        edge = 0.05 * (high - low)
        figures = []
        for colour, (name, path) in zip((VERMILLION, BLUE), self.paths.items(), strict=True):
            figure = titled_figure(f"{name} inputs", "weight of x1", "weight of x2", height=400)
            figure.add_scatter(
                x=path.weights[:, 0],
                y=path.weights[:, 1],
                mode="lines+markers",
                line={"color": colour, "width": 1},
                marker={"size": 4},
                showlegend=False,
                customdata=list(range(len(path.weights))),
                hovertemplate="after %{customdata} updates: %{x:.3f}, %{y:.3f}<extra></extra>",
            )
            figure.update_xaxes(range=[low[0] - edge[0], high[0] + edge[0]])
            figure.update_yaxes(range=[low[1] - edge[1], high[1] + edge[1]])
            figures.append(figure)
        return figures

    def table(self) -> Table:
        """Shares of weights that move together."""
        rows = [
            (
                f"the inputs, {name}",
                f"{path.together:.0%}",
                "",
                f"{path.detour:.1f}",
                f"{path.accuracy:.0%}",
            )
            for name, path in self.paths.items()
        ]
        rows += [
            (f"a {name} layer", f"{one:.0%}", f"{many:.0%}", "", "")
            for name, (one, many) in self.same_sign.items()
        ]
        headings = (
            "below the unit",
            "move together, one sample",
            "minibatches of 64",
            "path / distance",
            "labelled right",
        )
        return Table("How often all weights of a unit move the same way", headings, tuple(rows))


def zig_zag_data(seed: int = 0, *, updates: int = 300, looks: int = 50) -> ZigZagData:
    """Train one layer on two inputs, a sample at a time, and look into a deeper network.

    Args:
        seed: of samples and weights.
        updates: steps of the small network, one sample each.
        looks: samples, and minibatches, whose gradients are looked at in the deeper one.
    """
    rng = np.random.default_rng(seed)
    X = rng.uniform(0.1, 1.0, (updates, 2)).astype(np.float32)
    # The boundary x1 = x2 asks one weight to rise and the other to fall.
    y = (X[:, 0] > X[:, 1]).astype(np.int64)
    paths = {
        name: _path(Preprocessor.fit(X, kind).transform(X), y, seed)
        for name, kind in INPUTS.items()
    }
    return ZigZagData(paths, {name: _same_sign(name, seed, looks) for name in HIDDEN})


def _path(X: np.ndarray, y: np.ndarray, seed: int) -> Path:
    rng = np.random.default_rng(seed)
    network = Network(2, 2, NetworkConfig((), initializer="zeros"), rng=rng)
    training = TrainingConfig("sgd", RATE, schedule="constant", epochs=1, divergence=1e9)
    trainer = Trainer(network, training, rng=rng)
    weights = [network.layers[0].weights[:, 1].copy()]
    for n in range(len(y)):
        trainer.run(X[n : n + 1], y[n : n + 1], epochs=1)  # an epoch of one sample is one update
        weights.append(network.layers[0].weights[:, 1].copy())
    labels = network.predict_outputs(X).argmax(axis=1)
    return Path(np.array(weights), float(np.mean(labels == y)))


def _same_sign(activation: str, seed: int, looks: int) -> tuple[float, float]:
    """Of the second hidden layer, whose inputs are what the first puts out."""
    digits = load_dataset("digits")
    X = Preprocessor.fit(digits.X, "standardize").transform(digits.X)
    rng = np.random.default_rng(seed)
    config = NetworkConfig((WIDTH, WIDTH), activation, "xavier")
    network = Network(X.shape[1], len(digits.classes), config, rng=rng)
    shares = []
    for size in (1, 64):
        alike = []
        for _ in range(looks):
            rows = rng.choice(len(X), size, replace=False)
            network.loss_and_gradients(X[rows], digits.y[rows])
            gradient = network.layers[1].ddense[:-1]
            rises, falls = (gradient < 0).any(axis=0), (gradient > 0).any(axis=0)
            alike += (rises != falls)[rises | falls].tolist()
        shares.append(float(np.mean(alike)))
    return shares[0], shares[1]


EXPERIMENT = Experiment(
    "All-positive inputs and the zig-zag",
    "For one sample the gradient of a unit's weights is its inputs times one number, so that "
    "with positive inputs all have the sign of that number, and a boundary that needs one "
    "weight up and another down is reached by turns only (lecture 6, activation functions: "
    "outputs that are not zero-centred).",
    "The figures: one layer on two inputs, updates of one sample each with one learning rate, "
    "from weights of zero. The table also looks at the second of two hidden layers of 50 units "
    "on the digits, before training; there, weights with a gradient of exactly zero do not "
    "count. Sigmoid and ReLU layers put out nothing negative, so that centring the data helps "
    "the first layer alone.",
    zig_zag_data,
)
