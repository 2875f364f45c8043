"""The size of an update beside the size of the weights, update by update."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hpsearch.lab.experiment import CLASSES, Experiment, log_axis, titled_figure, two_parts
from hpsearch.nn import Network, NetworkConfig, Trainer, TrainingConfig
from hpsearch.plots.layers import HEALTHY as RULE
from hpsearch.plots.style import BLUE, CYCLE, GREY, Figure
from hpsearch.wording import Table

__all__ = ["EXPERIMENT", "UpdateRatiosData"]

RATES = (1e-4, 1e-3, 1e-2, 0.03, 0.1, 0.3, 1.0)
BATCH = 64


@dataclass(frozen=True, eq=False)
class UpdateRatiosData:
    """Norm of the change over norm of the weights, for every update of every training.

    Attributes:
        rates: the learning rates (r,).
        ratios: by rate, update and layer (r, updates, layers).
        accuracy: on the validation part, in the end (r,).
    """

    rates: np.ndarray
    ratios: np.ndarray
    accuracy: np.ndarray

    @property
    def typical(self) -> np.ndarray:
        """The median over updates and layers (r,)."""
        typical: np.ndarray = np.median(self.ratios, axis=(1, 2))
        return typical

    def sees(self) -> str:
        """The best rate's ratio beside the rule's, and who obeys the rule best."""
        typical = self.typical
        best = int(self.accuracy.argmax())
        near = int(np.abs(np.log(typical / RULE)).argmin())
        return (
            f"The lecture hopes for updates of about {RULE:g} of the weights: a learning rate of "
            f"{self.rates[near]:g} comes closest ({typical[near]:.1e}) and reaches an accuracy of "
            f"{self.accuracy[near]:.3f} in {self.ratios.shape[1]} updates; the most accurate one, "
            f"{self.rates[best]:g} with {self.accuracy[best]:.3f}, makes updates "
            f"{typical[best] / RULE:.1f} times as large as the rule."
        )

    def figures(self) -> list[Figure]:
        """The ratios of the first layer in time, and the accuracy they come to."""
        time = titled_figure(
            "first layer",
            "update",
            "update / weights (norms, log scale)",
            height=440,
            legend_rows=3,
        )
        time.update_layout(legend={"title": {"text": "rate"}})
        time.update_yaxes(**log_axis(self.ratios[:, :, 0].ravel()))
        for colour, rate, ratios in zip((*CYCLE, GREY), self.rates, self.ratios, strict=False):
            time.add_scatter(
                x=list(range(1, len(ratios) + 1)),
                y=ratios[:, 0],
                mode="lines",
                line={"color": colour, "width": 1},
                name=f"{rate:g}",
                hovertemplate=f"rate {rate:g}, update %{{x}}: %{{y:.2e}}<extra></extra>",
            )
        reached = titled_figure(
            "what they come to",
            "median update / weights (log scale)",
            "validation accuracy",
            height=440,
        )
        around = np.log10([0.3 * self.typical.min(), 3 * self.typical.max()]).tolist()
        reached.update_xaxes(**log_axis(self.typical), range=around)
        reached.add_scatter(
            x=self.typical,
            y=self.accuracy,
            mode="lines+markers+text",
            text=[f"{rate:g}" for rate in self.rates],
            textposition=[
                "top center" if n % 2 else "bottom center" for n in range(len(self.rates))
            ],
            line={"color": BLUE},
            showlegend=False,
            hovertemplate="rate %{text}: ratio %{x:.2e}, accuracy %{y:.3f}<extra></extra>",
        )
        time.add_hline(y=RULE, line={"color": GREY, "dash": "dash"})
        low, high = self.accuracy.min(), self.accuracy.max()
        reached.update_yaxes(range=[low - 0.15 * (high - low), high + 0.15 * (high - low)])
        reached.add_vline(x=RULE, line={"color": GREY, "dash": "dash"})
        return [time, reached]

    def table(self) -> Table:
        """First, median and last ratio of each rate."""
        rows = tuple(
            (
                f"{rate:g}",
                *(f"{np.median(ratios[:, layer]):.1e}" for layer in range(ratios.shape[1])),
                f"{ratios[0, 0]:.1e}",
                f"{ratios[-1, 0]:.1e}",
                f"{accuracy:.3f}",
            )
            for rate, ratios, accuracy in zip(self.rates, self.ratios, self.accuracy, strict=True)
        )
        layers = range(1, self.ratios.shape[2] + 1)
        headings = (
            "learning rate",
            *(f"median, layer {layer}" for layer in layers),
            "first update, layer 1",
            "last update, layer 1",
            "validation accuracy",
        )
        return Table("Update over weights", headings, rows)


def update_ratios_data(seed: int = 0, *, updates: int = 300) -> UpdateRatiosData:
    """Train the two-layer network on the digits, a minibatch at a time.

    Args:
        seed: of the division, the weights and the minibatches; the same for all rates.
        updates: steps of stochastic gradient descent.
    """
    (X, y), (X_held, y_held) = two_parts(seed)
    ratios, accuracy = [], []
    for rate in RATES:
        rng = np.random.default_rng(seed)
        network = Network(X.shape[1], CLASSES, NetworkConfig((50,)), rng=rng)
        training = TrainingConfig(
            "sgd", rate, schedule="constant", batch_size=BATCH, epochs=1, divergence=1e9
        )
        trainer = Trainer(network, training, rng=rng)
        ratios.append([_step(trainer, X, y, rng) for _ in range(updates)])
        accuracy.append(float(np.mean(network.predict_outputs(X_held).argmax(axis=1) == y_held)))
    return UpdateRatiosData(np.array(RATES), np.array(ratios), np.array(accuracy))


def _step(trainer: Trainer, X: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> list[float]:
    """One update, which is an epoch of one minibatch; its size beside each layer's weights."""
    before = [layer.weights.copy() for layer in trainer.network.layers]
    rows = rng.choice(len(y), BATCH, replace=False)
    trainer.run(X[rows], y[rows], epochs=1)
    return [
        float(np.linalg.norm(layer.weights - w) / np.linalg.norm(w))
        for layer, w in zip(trainer.network.layers, before, strict=True)
    ]


EXPERIMENT = Experiment(
    "Updates beside weights",
    "The norm of an update over the norm of the weights tells at once whether a learning rate "
    "is in the right region; the lecture hopes for about 0.001 (lecture 6, babysitting the "
    "learning process).",
    "Two layers with 50 hidden units on the digits, plain stochastic gradient descent in "
    f"minibatches of {BATCH}, one training for each learning rate; the dashed lines are the "
    "lecture's rule. Medians are over all updates and both layers.",
    update_ratios_data,
)
