"""Learning curves of the best few: the score by epoch, the losses in training and validation."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hpsearch.engine.summary import TrialRow
from hpsearch.plots.style import CYCLE, Figure, blank_figure
from hpsearch.plots.view import NothingToDraw, StudyView, scored

__all__ = ["Curve", "CurvesData", "curves_data", "curves_figures"]

BEST = 5


@dataclass(frozen=True)
class Curve:
    """One training.

    Attributes:
        number: of its trial.
        epochs: where the scores were taken.
        scores: one for each of them.
        train_losses: from the first epoch on; empty for a trial that hpsearch did not train.
        validation_losses: likewise.
    """

    number: int
    epochs: tuple[int, ...]
    scores: tuple[float, ...]
    train_losses: tuple[float, ...]
    validation_losses: tuple[float, ...]


@dataclass(frozen=True)
class CurvesData:
    """The curves, the best trial's first."""

    curves: tuple[Curve, ...]
    score_name: str
    step: str
    note: str


def curves_data(view: StudyView) -> CurvesData:
    """The curves of the best few trials whose configurations differ.

    Raises:
        NothingToDraw: no trial is complete, or none has a curve.
    """
    trials = [trial for trial in scored(view) if trial.curve]
    if not trials:
        raise NothingToDraw("No complete trial has a learning curve: none reported values.")
    best: dict[str, TrialRow] = {}
    for trial in trials:
        best.setdefault(repr(sorted(trial.configuration.items())), trial)
        if len(best) == BEST:
            break
    curves = tuple(_curve(trial) for trial in best.values())
    shown = f"the best {len(curves)} configurations" if len(curves) > 1 else "one configuration"
    note = f"Drawn are {shown}, of {len(trials):,} trials with curves."
    if any(curve.train_losses for curve in curves):
        note += " Losses: solid in training (mean during the epoch, L2 penalty included), dashed in"
        note += " validation."
    elif view.may_be_network:
        note += " The store has no losses of these trials."
    return CurvesData(curves, view.summary.score_name, _unit(view), note)


def _unit(view: StudyView) -> str:
    """What the axis counts."""
    return "epoch" if view.settings and view.summary.resource == "epochs" else "step"


def _curve(trial: TrialRow) -> Curve:
    steps = sorted(trial.curve.items())
    return Curve(
        trial.number,
        tuple(step for step, _ in steps),
        tuple(value for _, value in steps),
        trial.train_losses,
        trial.validation_losses,
    )


def curves_figures(data: CurvesData) -> list[Figure]:
    """Scores in one figure; losses, if there are any, in another."""
    figures = [_scores_figure(data)]
    if any(curve.train_losses for curve in data.curves):
        figures.append(_losses_figure(data))
    return figures


def _scores_figure(data: CurvesData) -> Figure:
    figure = blank_figure(data.step, data.score_name)
    for colour, curve in zip(CYCLE, data.curves, strict=False):
        figure.add_scatter(
            x=curve.epochs,
            y=curve.scores,
            mode="lines" if len(curve.epochs) > 1 else "markers",
            line={"color": colour},
            name=f"trial {curve.number}",
            meta={"trial": curve.number},
            hovertemplate=f"trial {curve.number}, {data.step} %{{x}}: %{{y:.4g}}<extra></extra>",
        )
    return figure


def _losses_figure(data: CurvesData) -> Figure:
    figure = blank_figure("epoch", "loss (nats, log scale)")
    figure.update_yaxes(type="log", dtick=1, tickformat="~g")
    for colour, curve in zip(CYCLE, data.curves, strict=False):
        for kind, losses, dash in (
            ("training", curve.train_losses, "solid"),
            ("validation", curve.validation_losses, "dash"),
        ):
            if not losses:
                continue
            figure.add_scatter(
                x=list(range(1, len(losses) + 1)),
                y=[loss if math.isfinite(loss) else None for loss in losses],
                mode="lines" if len(losses) > 1 else "markers",
                line={"color": colour, "dash": dash},
                name=f"trial {curve.number}",
                meta={"trial": curve.number},
                legendgroup=curve.number,
                showlegend=kind == "training",
                hovertemplate=f"trial {curve.number}, {kind}, epoch %{{x}}: %{{y:.4g}}"
                "<extra></extra>",
            )
    return figure
