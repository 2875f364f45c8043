"""Dead ReLUs against the learning rate, with and without a small positive bias."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hpsearch.data import Preprocessor, load_dataset
from hpsearch.lab.experiment import Experiment, titled_figure
from hpsearch.nn import Network, NetworkConfig, TrainingConfig, train
from hpsearch.nn.activations import ReLU
from hpsearch.plots.style import CYCLE, Figure
from hpsearch.wording import Table

__all__ = ["EXPERIMENT", "DeadRelusData"]

RATES = (0.01, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.5, 2.0, 3.0)
BIASES = (0.0, 0.01)
HIDDEN = (100, 100)


@dataclass(frozen=True, eq=False)
class DeadRelusData:
    """Shares of units that put out zero for every training sample, after training.

    Attributes:
        rates: the learning rates (r,).
        biases: the first values of all biases (b,).
        dead: share of the units of each layer (b, r, repeats, layers).
        before: the same before training (b, repeats, layers).
        accuracy: on the training part, after training (b, r, repeats).
        blown_up: whether the loss exploded (b, r, repeats).
    """

    rates: np.ndarray
    biases: np.ndarray
    dead: np.ndarray
    before: np.ndarray
    accuracy: np.ndarray
    blown_up: np.ndarray

    def share(self, bias: int) -> np.ndarray:
        """Dead units of all layers together, the mean over the repeats (r,)."""
        share: np.ndarray = self.dead[bias].mean(axis=(1, 2))
        return share

    def sees(self) -> str:
        """The share of the dead where nothing happens yet, where it does, and beyond."""
        plain, biased = self.share(0), self.share(1)
        calm = max(0, int((np.cumsum(plain) == 0).sum()) - 1)
        tame = int(np.flatnonzero(~self.blown_up.any(axis=(0, 2))).max(initial=0))
        return (
            f"After training {plain[calm]:.1%} of the ReLUs are dead with a learning rate of "
            f"{self.rates[calm]:g} or less, {plain[tame]:.1%} with {self.rates[tame]:g}, the "
            f"highest at which no training exploded, and {plain[-1]:.0%} with {self.rates[-1]:g}; "
            f"when the biases begin at {self.biases[1]:g} it is {biased[calm]:.1%}, "
            f"{biased[tame]:.1%} and {biased[-1]:.0%}."
        )

    def figures(self) -> list[Figure]:
        """The dead by layer, and what the network is still good for."""
        dead = titled_figure(
            "dead units",
            "learning rate (log scale)",
            "share of the layer",
            height=400,
            legend_rows=4,
        )
        accuracy = titled_figure(
            "accuracy on the training data",
            "learning rate (log scale)",
            "accuracy",
            height=400,
            legend_rows=1,
        )
        colours = iter(CYCLE)
        for b, bias in enumerate(self.biases.tolist()):
            for layer in range(self.dead.shape[-1]):
                name = f"layer {layer + 1}, bias {bias:g}"
                dead.add_scatter(
                    x=self.rates,
                    y=self.dead[b, :, :, layer].mean(axis=1),
                    mode="lines+markers",
                    line={"color": next(colours), "dash": "dash" if b else "solid"},
                    name=name,
                    hovertemplate=f"{name}, rate %{{x:g}}: %{{y:.1%}}<extra></extra>",
                )
            accuracy.add_scatter(
                x=self.rates,
                y=self.accuracy[b].mean(axis=1),
                mode="lines+markers",
                line={"color": CYCLE[b], "dash": "dash" if b else "solid"},
                name=f"bias {bias:g}",
                hovertemplate=f"bias {bias:g}, rate %{{x:g}}: %{{y:.3f}}<extra></extra>",
            )
        dead.update_yaxes(tickformat=".0%", range=[-0.03, 1.03])
        accuracy.update_yaxes(range=[0, 1.03])
        for figure in (dead, accuracy):
            figure.update_xaxes(type="log", tickvals=[0.01, 0.1, 0.4, 1, 3])
        return [dead, accuracy]

    def table(self) -> Table:
        """Both biases, rate by rate."""
        repeats = self.blown_up.shape[-1]
        rows = tuple(
            (
                f"{rate:g}",
                *(f"{self.share(b)[r]:.1%}" for b in range(len(self.biases))),
                *(f"{self.accuracy[b, r].mean():.3f}" for b in range(len(self.biases))),
                *(f"{self.blown_up[b, r].sum()} of {repeats}" for b in range(len(self.biases))),
            )
            for r, rate in enumerate(self.rates)
        )
        headings = (
            "learning rate",
            *(
                f"{what}, bias {bias:g}"
                for what in ("dead", "accuracy", "exploded")
                for bias in self.biases
            ),
        )
        return Table(f"Means of {repeats} trainings", headings, rows)


def dead_relus_data(
    seed: int = 0, *, repeats: int = 5, epochs: int = 10, rates: tuple[float, ...] = RATES
) -> DeadRelusData:
    """Train two hidden layers of 100 ReLUs on the digits, by plain gradient descent in minibatches.

    Args:
        seed: of weights and shuffling.
        repeats: trainings with each rate and bias, from different weights.
        epochs: passes over the data.
        rates: learning rates.
    """
    digits = load_dataset("digits")
    X = Preprocessor.fit(digits.X, "standardize").transform(digits.X)
    shape = (len(BIASES), len(rates), repeats)
    dead, before = np.zeros((*shape, len(HIDDEN))), np.zeros((len(BIASES), repeats, len(HIDDEN)))
    accuracy, blown_up = np.zeros(shape), np.zeros(shape, dtype=bool)
    for b, r, k in np.ndindex(shape):
        rng = np.random.default_rng([seed, k])
        config = NetworkConfig(HIDDEN, "relu", "he", bias=BIASES[b])
        network = Network(X.shape[1], len(digits.classes), config, rng=rng)
        before[b, k] = _dead(network, X)
        training = TrainingConfig(
            "sgd", rates[r], schedule="constant", epochs=epochs, divergence=1e9
        )
        result = train(network, X, digits.y, training, rng=rng)
        dead[b, r, k] = _dead(network, X)
        accuracy[b, r, k] = np.mean(network.predict_outputs(X).argmax(axis=1) == digits.y)
        blown_up[b, r, k] = result.diverged
    return DeadRelusData(np.array(rates), np.array(BIASES), dead, before, accuracy, blown_up)


def _dead(network: Network, X: np.ndarray) -> list[float]:
    layers = network.activations(X)
    return [float(ReLU.dead(ReLU.saturated(layer.T)).mean()) for layer in layers]


EXPERIMENT = Experiment(
    "Dead ReLUs",
    "A ReLU that puts out zero for every sample has no gradient and never comes back; one large "
    "step is enough to push it there (lecture 6, activation functions).",
    "Two hidden layers of 100 units on the digits, plain stochastic gradient descent in "
    "minibatches of 64. A unit counts as dead when no training sample makes it active after the "
    "training. Some begin with biases of 0.01, so that units start active; the lecture leaves "
    "open whether that helps. Trainings that exploded count too, and may leave whole layers "
    "dead.",
    dead_relus_data,
)
