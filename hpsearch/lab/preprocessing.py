"""One cloud of points, zero-centred, standardized, turned to its axes and whitened."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hpsearch.data import Preprocessor
from hpsearch.lab.experiment import Experiment, log_axis, titled_figure
from hpsearch.nn import Network, NetworkConfig, Trainer, TrainingConfig
from hpsearch.plots.style import BLUE, CYCLE, VERMILLION, Figure
from hpsearch.wording import Table

__all__ = ["EXPERIMENT", "PreprocessingData"]

KINDS = ("none", "zero-centre", "standardize", "pca", "whiten")
"""Those that turn and stretch a cloud, and leave its shape."""

MEAN = np.array([4.0, 2.0])
COVARIANCE = np.array([[4.0, 1.6], [1.6, 1.0]])
RATES = tuple(float(rate) for rate in 10.0 ** np.arange(-1.5, 1.51, 0.25))
NEAR = 0.01
"""A loss so much above the least, as a share, counts as having arrived."""


@dataclass(frozen=True, eq=False)
class Cloud:
    """The points after one kind of preprocessing, and how a network learned from them.

    Attributes:
        points: (n, 2).
        rate: the learning rate, of those tried, that reached the goal first.
        losses: before the first step and after each (steps + 1,), with that rate.
    """

    points: np.ndarray
    rate: float
    losses: np.ndarray

    @property
    def covariance(self) -> np.ndarray:
        """(2, 2)."""
        return np.cov(self.points.astype(np.float64), rowvar=False, bias=True)

    @property
    def correlation(self) -> float:
        """Of the two coordinates."""
        covariance = self.covariance
        return float(covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1]))

    @property
    def stretch(self) -> float:
        """The standard deviation along the cloud's longest axis over that along its shortest."""
        low, high = np.linalg.eigvalsh(self.covariance)
        return float(np.sqrt(high / low))


@dataclass(frozen=True, eq=False)
class PreprocessingData:
    """The clouds, and how soon each is learned.

    Attributes:
        labels: the class of each point (n,), 0 or 1.
        goal: a hundredth above the least loss that any training reached. But for rounding it is the
            same for all kinds: each is an invertible affine map.
        clouds: by kind of preprocessing.
    """

    labels: np.ndarray
    goal: float
    clouds: dict[str, Cloud]

    def arrival(self, kind: str) -> int | None:
        """Steps until the loss is down to the goal; None when that takes more than there were."""
        losses = self.clouds[kind].losses
        steps = _arrival(losses, self.goal)
        return steps if steps < len(losses) else None

    def sees(self) -> str:
        """What each step does to the cloud."""
        clouds = self.clouds
        raw, centred, standard = (clouds[k] for k in ("none", "zero-centre", "standardize"))

        def arrives(kind: str) -> str:
            steps = self.arrival(kind)
            return f"more than {len(clouds[kind].losses) - 1}" if steps is None else str(steps)

        before, after = raw.points.mean(axis=0), np.abs(centred.points.mean(axis=0))
        wide, equal = raw.points.std(axis=0), standard.points.std(axis=0)
        return (
            f"Centring moves the cloud's mean from ({before[0]:.1f}, {before[1]:.1f}) to "
            f"({after[0]:.1f}, {after[1]:.1f}), standardizing turns its standard deviations of "
            f"{wide[0]:.1f} and {wide[1]:.1f} into {equal[0]:.1f} and {equal[1]:.1f}, PCA "
            f"brings its correlation from {raw.correlation:.2f} to "
            f"{abs(clouds['pca'].correlation):.2f}, and whitening makes it round (axes of "
            f"{raw.stretch:.1f} to 1 become {clouds['whiten'].stretch:.1f} to 1); "
            f"gradient descent needs {arrives('none')} steps on the raw cloud, "
            f"{arrives('zero-centre')} on the centred one and {arrives('whiten')} on the whitened "
            "one."
        )

    def figures(self) -> list[Figure]:
        """The cloud in each form on one scale, and the losses."""
        points = np.concatenate([cloud.points for cloud in self.clouds.values()])
        low, high = points.min(axis=0) - 0.5, points.max(axis=0) + 0.5
        figures = []
        for kind, cloud in self.clouds.items():
            names = ("x1", "x2") if kind not in ("pca", "whiten") else ("first axis", "second axis")
            figure = titled_figure(
                "none: the raw cloud" if kind == "none" else kind, *names, height=380, legend_rows=1
            )
            for label, colour, symbol in ((0, BLUE, "circle"), (1, VERMILLION, "x-thin-open")):
                chosen = self.labels == label
                figure.add_scatter(
                    x=cloud.points[chosen, 0],
                    y=cloud.points[chosen, 1],
                    mode="markers",
                    marker={"color": colour, "size": 5, "opacity": 0.8, "symbol": symbol},
                    name=f"class {label}",
                    hovertemplate="%{x:.2f}, %{y:.2f}<extra></extra>",
                )
            figure.update_xaxes(range=[low[0], high[0]], zeroline=True)
            # One unit is as long upwards as to the right, so that what is round looks round.
            figure.update_yaxes(range=[low[1], high[1]], zeroline=True, scaleanchor="x")
            figures.append(figure)
        losses = titled_figure(
            "gradient descent, each with its best rate",
            "step",
            "loss (nats, log scale)",
            height=380,
            legend_rows=3,
        )
        losses.update_yaxes(**log_axis(np.concatenate([c.losses for c in self.clouds.values()])))
        losses.update_xaxes(**log_axis(range(1, len(self.clouds["none"].losses))))
        for colour, (kind, cloud) in zip(CYCLE, self.clouds.items(), strict=False):
            losses.add_scatter(
                x=list(range(1, len(cloud.losses))),
                y=cloud.losses[1:],
                mode="lines",
                line={"color": colour, "dash": "dash" if kind == "pca" else "solid"},
                name=kind,
                hovertemplate=f"{kind}, after step %{{x}}: %{{y:.4g}}<extra></extra>",
            )
        return [*figures, losses]

    def table(self) -> Table:
        """Mean, standard deviation, correlation, stretch of each form; how soon it is learned."""
        rows = []
        for kind, cloud in self.clouds.items():
            arrival = self.arrival(kind)
            mean, std = cloud.points.mean(axis=0), cloud.points.std(axis=0)
            rows.append(
                (
                    kind,
                    f"{mean[0] + 0.0:.2f}, {mean[1] + 0.0:.2f}".replace("-0.00", "0.00"),
                    f"{std[0]:.2f}, {std[1]:.2f}",
                    f"{cloud.correlation:.2f}".replace("-0.00", "0.00"),
                    f"{cloud.stretch:.2f}",
                    f"{cloud.rate:.2g}",
                    "not within the steps" if arrival is None else str(arrival),
                )
            )
        headings = (
            "preprocessing",
            "mean",
            "standard deviation",
            "correlation",
            "longest / shortest axis",
            "best rate",
            "steps to the least loss",
        )
        return Table("The cloud in numbers", headings, tuple(rows))


def _arrival(losses: np.ndarray, goal: float) -> int:
    there = losses <= goal
    return int(there.argmax()) if there.any() else len(losses)


def preprocessing_data(seed: int = 0, *, points: int = 400, steps: int = 600) -> PreprocessingData:
    """Prepare the cloud in each way, and train softmax regression on the whole of it.

    Args:
        seed: of the points and their labels.
        points: how many.
        steps: of gradient descent, for each of the learning rates.
    """
    rng = np.random.default_rng(seed)
    X = rng.multivariate_normal(MEAN, COVARIANCE, points).astype(np.float32)
    # Classes differ along the short axis; some labels are noise, so that the weights stay finite.
    short = np.linalg.eigh(COVARIANCE)[1][:, 0]
    across = (X - MEAN) @ short
    y = (across + 0.5 * across.std() * rng.standard_normal(points) > 0).astype(np.int64)
    forms = {kind: Preprocessor.fit(X, kind).transform(X) for kind in KINDS}
    runs = {
        kind: {rate: _losses(form, y, rate, steps, seed) for rate in RATES}
        for kind, form in forms.items()
    }
    goal = (1 + NEAR) * min(c.min() for curves in runs.values() for c in curves.values())
    clouds = {}
    for kind, curves in runs.items():
        best = min(RATES, key=lambda r: (_arrival(curves[r], goal), curves[r][-1]))
        clouds[kind] = Cloud(forms[kind], best, curves[best])
    return PreprocessingData(y, goal, clouds)


def _losses(X: np.ndarray, y: np.ndarray, rate: float, steps: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    network = Network(2, 2, NetworkConfig((), initializer="zeros"), rng=rng)
    training = TrainingConfig(
        "sgd", rate, schedule="constant", epochs=steps + 1, batch_size=len(y), divergence=1e9
    )
    # An epoch of one batch is one step, and its loss is that before the step.
    result = Trainer(network, training, rng=rng).run(X, y)
    return np.array([record.train_loss for record in result.curve])


EXPERIMENT = Experiment(
    "Preprocessing",
    "Zero-centred columns let the gradients of a unit's weights differ in sign, equal scales "
    "let columns contribute equally, and where the cloud is round one learning rate suits all "
    "directions (lecture 6, data preprocessing).",
    "Softmax regression by gradient descent on all points; the steps are those until the loss "
    f"is within {NEAR:.0%} of the least that any training reached, with the best of {len(RATES)} "
    "learning rates for each kind. For images the lecture subtracts the mean only: pixels have "
    "one scale already.",
    preprocessing_data,
)
