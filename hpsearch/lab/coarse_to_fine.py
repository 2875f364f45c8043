"""The lecture's two-layer network with 50 hidden units: a coarse stage, then a fine one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hpsearch.data import Dataset, Fold, Preprocessor, load_dataset, make_splits
from hpsearch.data.images import DEBIAN_FOLDER
from hpsearch.lab.experiment import Experiment, log_axis, titled_figure
from hpsearch.plots.style import GREY, Figure, stage_colour
from hpsearch.search import Slot, make_strategy, run_search
from hpsearch.search.base import StageKind
from hpsearch.space import Float, Space, Value
from hpsearch.training.jobs import train_folds
from hpsearch.training.specification import TrainingSpecification
from hpsearch.wording import Table

__all__ = ["EXPERIMENT", "CoarseToFineData"]

NAMES = ("learning_rate", "l2")
SPACE = Space({"learning_rate": Float(1e-6, 1.0, log=True), "l2": Float(1e-5, 1e5, log=True)})
NETWORK: dict[str, Value] = {"width": 50, "depth": 1, "preprocessing": "zero-centre"}
EPOCHS = 10
COARSE_EPOCHS = 5
ROWS = 7_000
SOURCES = (
    ("CIFAR-10", "cifar-10", Path("cifar-10-batches-bin")),
    ("Fashion-MNIST", "fashion-mnist", DEBIAN_FOLDER),
)
"""In the order of preference: what a sentence calls it, its name, and where its files would be."""


@dataclass(frozen=True, eq=False)
class StageData:
    """The trials of one stage.

    Attributes:
        kind: coarse or fine.
        epochs: how long each trained.
        ranges: by parameter, from where to where the stage drew.
        values: by parameter (n,).
        scores: validation accuracy (n,); chance for a training that was stopped as exploding.
        exploded: which were (n,).
        reasons: by parameter, why its range is what it is; none for the first stage.
    """

    kind: StageKind
    epochs: int
    ranges: dict[str, tuple[float, float]]
    values: dict[str, np.ndarray]
    scores: np.ndarray
    exploded: np.ndarray
    reasons: dict[str, str]


@dataclass(frozen=True, eq=False)
class CoarseToFineData:
    """Both stages.

    Attributes:
        dataset: what was learned from.
        missing: the data sets that would have come first, and whose files are not there.
        rows: how many samples trained, and how many validated.
        classes: how many there are.
        stages: the coarse one, then the fine one.
    """

    dataset: str
    missing: tuple[str, ...]
    rows: tuple[int, int]
    classes: int
    stages: tuple[StageData, ...]

    def sees(self) -> str:
        """What half of the trials reach in each stage, and the best."""
        coarse, fine = self.stages[0], self.stages[-1]
        low, high = fine.ranges["learning_rate"]
        what = (
            f"a sample of {self.dataset}" if self.dataset != "digits" else "scikit-learn's digits"
        )
        missing = f" (no files of {' or '.join(self.missing)})" if self.missing else ""
        return (
            f"On {what}{missing} half of the {len(coarse.scores)} coarse trials reach a validation "
            f"accuracy of {np.median(coarse.scores):.2f} or less, and the best "
            f"{coarse.scores.max():.3f}; the fine stage draws learning rates from {low:.2g} to "
            f"{high:.2g}, and half of its {len(fine.scores)} trials reach "
            f"{np.median(fine.scores):.2f} or more, and the best {fine.scores.max():.3f}."
        )

    def figures(self) -> list[Figure]:
        """Where the trials of each stage lie, and what they score."""
        figures = []
        for stage in self.stages:
            figure = titled_figure(
                f"{stage.kind}: {len(stage.scores)} trials of {stage.epochs} epochs",
                "learning rate (log scale)",
                "L2 penalty (log scale)",
                height=440,
            )
            ended = (" (exploded)" if e else "" for e in stage.exploded)
            figure.add_scatter(
                x=stage.values["learning_rate"],
                y=stage.values["l2"],
                mode="markers",
                marker={
                    "color": stage.scores,
                    "colorscale": "Cividis",
                    "cmin": 1 / self.classes,
                    "cmax": max(float(s.scores.max()) for s in self.stages),
                    "colorbar": {"title": {"text": "accuracy"}, "thickness": 10},
                    "size": 9,
                    "line": {"color": GREY, "width": 1},
                    "symbol": ["x" if e else "circle" for e in stage.exploded],
                },
                text=[f"accuracy {s:.3f}{e}" for s, e in zip(stage.scores, ended, strict=True)],
                hovertemplate="rate %{x:.2e}, L2 %{y:.2e}: %{text}<extra></extra>",
                showlegend=False,
            )
            for axis, name in (("x", "learning_rate"), ("y", "l2")):
                ends = np.array([end for each in self.stages for end in each.ranges[name]])
                around = np.log10([0.5 * ends.min(), 2 * ends.max()])
                figure.update_layout({f"{axis}axis": {**log_axis(ends), "range": around.tolist()}})
            figures.append(figure)
        scores = titled_figure(
            "all trials in order", "trial", "validation accuracy", height=440, legend_rows=1
        )
        start = 1
        for stage in self.stages:
            scores.add_scatter(
                x=list(range(start, start + len(stage.scores))),
                y=stage.scores,
                mode="markers",
                marker={"color": stage_colour(stage.kind), "size": 7},
                name=str(stage.kind),
                hovertemplate=f"{stage.kind}, trial %{{x}}: %{{y:.3f}}<extra></extra>",
            )
            start += len(stage.scores)
        return [*figures, scores]

    def table(self) -> Table:
        """The ranges of both stages with their reasons, and the scores."""
        rows = []
        for stage in self.stages:
            for name in NAMES:
                low, high = stage.ranges[name]
                rows.append(
                    (
                        str(stage.kind),
                        name,
                        f"{low:.2g} to {high:.2g}",
                        f"{np.median(stage.scores):.3f}",
                        f"{stage.scores.max():.3f}",
                        str(int(stage.exploded.sum())),
                        stage.reasons.get(name, "the whole range"),
                    )
                )
        headings = ("stage", "parameter", "range", "median", "best", "exploded", "why this range")
        trained, validated = self.rows
        caption = f"{self.dataset}: {trained:,} rows to train, {validated:,} to validate"
        return Table(caption, headings, tuple(rows))


def images() -> tuple[Dataset, tuple[str, ...]]:
    """A sample of the first data set whose files are there, and the names of those before it.

    CIFAR-10 is looked for in the working directory, where unpacking its archive puts the folder
    ``cifar-10-batches-bin``; Fashion-MNIST where Debian's package puts it. scikit-learn's digits
    are always there.

    Raises:
        DataError: files are there and cannot be read.
    """
    missing: list[str] = []
    for title, name, folder in SOURCES:
        if folder.is_dir():
            return load_dataset(name, folder=folder, limit=ROWS), tuple(missing)
        missing.append(title)
    return load_dataset("digits"), tuple(missing)


def coarse_to_fine_data(
    seed: int = 0, *, trials: int = 120, dataset: Dataset | None = None
) -> CoarseToFineData:
    """Search with hpsearch's own coarse-to-fine strategy, two thirds of the trials coarse.

    Args:
        seed: of the search, the division and the trainings.
        trials: of both stages together.
        dataset: what to learn from; None for `images`.
    """
    data, missing = images() if dataset is None else (dataset, ())
    fold = _fold(data, seed)
    strategy = make_strategy(
        "coarse-to-fine",
        SPACE,
        trials=trials,
        epochs=EPOCHS,
        seed=seed,
        race=0,
        stage_shares=(2, 1),
        epoch_shares=(COARSE_EPOCHS / EPOCHS, 1.0),
    )

    def evaluate(slot: Slot) -> float | None:
        spec = TrainingSpecification.of({**NETWORK, **slot.configuration}, epochs=slot.epochs)
        result = train_folds([fold], len(data.classes), spec, seed=slot.seed)
        return result.score if result.complete else None

    report = run_search(evaluate, strategy)
    stages = []
    for stage in report.stages:
        results = [r for r in report.results if r.slot.stage == stage.index]
        parameters = {name: stage.space.parameters[name] for name in NAMES}
        stages.append(
            StageData(
                stage.kind,
                stage.epochs,
                {n: (p.low, p.high) for n, p in parameters.items() if isinstance(p, Float)},
                {n: np.array([r.slot.configuration[n] for r in results]) for n in NAMES},
                np.array([r.score if r.complete else 1 / len(data.classes) for r in results]),
                np.array([not r.complete for r in results]),
                {change.parameter: change.reason for change in stage.changes},
            )
        )
    rows = len(fold.y_train), len(fold.y_validation)
    return CoarseToFineData(data.name, missing, rows, len(data.classes), tuple(stages))


def _fold(data: Dataset, seed: int) -> Fold:
    """Training and validation part; the test part stays out of this."""
    split = make_splits(data.y, validation=0.2, seed=seed, fixed_test=data.fixed_test)[0]
    prepare = Preprocessor.fit(data.X[split.train], str(NETWORK["preprocessing"])).transform
    return Fold(
        prepare(data.X[split.train]),
        data.y[split.train],
        prepare(data.X[split.validation]),
        data.y[split.validation],
    )


EXPERIMENT = Experiment(
    "Coarse to fine",
    "First few epochs over wide ranges, then longer ones near the best; learning rate and L2 "
    "penalty are drawn on a logarithmic scale, because they multiply (lecture 6, hyperparameter "
    "optimization).",
    "The lecture's two-layer network with 50 hidden units and momentum, searched by hpsearch's "
    "own strategy. The lecture's data are CIFAR-10: its files are taken when the working "
    "directory has the folder cifar-10-batches-bin, else Fashion-MNIST, else the digits. A "
    "cross is a training whose loss exploded; it counts with chance.",
    coarse_to_fine_data,
)
