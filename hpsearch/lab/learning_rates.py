"""Loss curves of learning rates that are too low, good, and too high."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hpsearch.lab.experiment import CLASSES, Experiment, log_axis, titled_figure, two_parts
from hpsearch.nn import Network, NetworkConfig, TrainingConfig, train
from hpsearch.plots.style import CYCLE, Figure
from hpsearch.wording import Table

__all__ = ["EXPERIMENT", "LearningRatesData"]

RATES = (1e-6, 1e-3, 1e-2, 0.3, 3.0, 1e6)
"""The lecture's lowest and highest, and between them what differs on this data."""


@dataclass(frozen=True)
class RateCurve:
    """One training.

    Attributes:
        rate: its learning rate.
        losses: before training, and the mean during each epoch that was finished.
        accuracies: on the validation part, after each epoch.
        why_stopped: as `hpsearch.nn.train` says it.
        blown_up: whether the loss exploded.
    """

    rate: float
    losses: tuple[float, ...]
    accuracies: tuple[float, ...]
    why_stopped: str
    blown_up: bool

    @property
    def fall(self) -> float:
        """The share of the first loss that is gone in the end."""
        return 1 - self.losses[-1] / self.losses[0]


@dataclass(frozen=True)
class LearningRatesData:
    """The curves, the lowest rate first."""

    curves: tuple[RateCurve, ...]

    @property
    def best(self) -> RateCurve:
        """The one with the least loss in the end."""
        return min((c for c in self.curves if not c.blown_up), key=lambda c: c.losses[-1])

    def sees(self) -> str:
        """How far each rate came."""
        lowest, best = self.curves[0], self.best
        blown = [f"with {c.rate:g} in epoch {len(c.losses)}" for c in self.curves if c.blown_up]
        return (
            f"In {len(best.losses) - 1} epochs the loss falls by {lowest.fall:.2%} with a learning "
            f"rate of {lowest.rate:g} and by {best.fall:.1%} with {best.rate:g}; it explodes "
            f"{' and '.join(blown) or 'with none of them'}."
        )

    def figures(self) -> list[Figure]:
        """The losses, and the validation accuracies."""
        losses = titled_figure(
            "training loss", "epoch", "loss (nats, log scale)", height=440, legend_rows=2
        )
        losses.update_yaxes(**log_axis([loss for c in self.curves for loss in c.losses]))
        accuracies = titled_figure(
            "validation accuracy", "epoch", "accuracy", height=440, legend_rows=2
        )
        for colour, curve in zip(CYCLE, self.curves, strict=False):
            name = f"{curve.rate:g}"
            end = ["circle"] * (len(curve.losses) - 1) + ["x" if curve.blown_up else "circle"]
            for figure, values, first in (
                (losses, curve.losses, 0),
                (accuracies, curve.accuracies, 1),
            ):
                figure.add_scatter(
                    x=list(range(first, first + len(values))),
                    y=values,
                    mode="lines+markers",
                    line={"color": colour},
                    marker={
                        "size": [4 if s == "circle" else 11 for s in end[first:]],
                        "symbol": end[first:],
                    },
                    name=name,
                    showlegend=bool(values),
                    hovertemplate=f"rate {name}, epoch %{{x}}: %{{y:.4g}}<extra></extra>",
                )
        for figure in (losses, accuracies):
            figure.update_layout(legend={"title": {"text": "rate"}})
        return [losses, accuracies]

    def table(self) -> Table:
        """Where each rate ended."""
        rows = tuple(
            (
                f"{curve.rate:g}",
                f"{curve.losses[0]:.3f}",
                "exploded" if curve.blown_up else f"{curve.losses[-1]:.3g}",
                "" if curve.blown_up else f"{curve.accuracies[0]:.3f}",
                "" if curve.blown_up else f"{curve.accuracies[-1]:.3f}",
                str(len(curve.losses) - 1),
                curve.why_stopped,
            )
            for curve in self.curves
        )
        headings = (
            "learning rate",
            "loss before",
            "loss at the end",
            "accuracy, 1 epoch",
            "accuracy at the end",
            "epochs",
            "why it ended",
        )
        return Table("Two layers, 50 hidden units, the digits", headings, rows)


def learning_rates_data(seed: int = 0, *, epochs: int = 30) -> LearningRatesData:
    """Train the lecture's two-layer network on the digits by plain minibatch gradient descent.

    Args:
        seed: of the division, the weights and the shuffling; the same for all rates.
        epochs: passes over the training part.
    """
    (X, y), validation = two_parts(seed)
    curves = []
    for rate in RATES:
        rng = np.random.default_rng(seed)
        network = Network(X.shape[1], CLASSES, NetworkConfig((50,)), rng=rng)
        before = network.initial_loss(X, y)
        training = TrainingConfig("sgd", rate, schedule="constant", epochs=epochs, divergence=1e4)
        result = train(network, X, y, training, rng=rng, validation=validation)
        losses = (before, *(record.train_loss for record in result.curve))
        accuracies = tuple(float(record.validation_score or 0) for record in result.curve)
        ended = result.why_stopped, result.diverged
        curves.append(RateCurve(rate, losses, accuracies, *ended))
    return LearningRatesData(tuple(curves))


EXPERIMENT = Experiment(
    "Learning rates",
    "Too low a rate hardly moves the loss, too high a one makes it explode (lecture 6, "
    "babysitting the learning process).",
    "The lecture's network, two layers with 50 hidden units, on the digits by plain stochastic "
    "gradient descent in minibatches of 64; the lecture's rates 1e-6 and 1e6 are the ends. "
    "Epoch 0 is the loss before training; a cross is the last epoch that was finished before "
    "the loss exploded (not finite, or ten thousand times the first).",
    learning_rates_data,
)
