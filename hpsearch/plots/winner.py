"""What a winner made of the test rows: who is taken for whom, and how sure it may be believed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from hpsearch.engine.tested import ClassCurves, SeenClasses
from hpsearch.metrics.curves import Curve, Residuals
from hpsearch.plots.style import BLUE, CYCLE, GREY, Figure, blank_figure, label
from hpsearch.plots.view import NothingToDraw, StudyView, scored
from hpsearch.wording import Table, seen_tables

__all__ = ["WinnerData", "winner_data", "winner_figures", "winner_tables"]

NAME = 24
"""Characters of a class's name at an axis or in a legend."""


@dataclass(frozen=True)
class WinnerData:
    """What the store keeps of the test rows.

    Attributes:
        seen: the numbers.
        note: what they are of.
    """

    seen: SeenClasses | Residuals
    note: str


def winner_data(view: StudyView) -> WinnerData:
    """The test rows of a study.

    Raises:
        NothingToDraw: the study is not tested yet, or keeps nothing of them.
    """
    seen = view.seen
    if seen is None:
        scored(view)  # where nothing has a score, it says so
        raise NothingToDraw(
            "This study keeps nothing of its test rows but their metric."
            if view.summary.test is not None
            else "The test part was not used yet."
            if view.summary.learns
            else "This study has no rows to test on."
        )
    if isinstance(seen, Residuals):
        rows = view.summary.test_rows or len(seen.predicted)
        few = len(seen.predicted) < rows
        return WinnerData(
            seen,
            f"{len(seen.predicted):,} of {rows:,} test rows, evenly by what was predicted."
            if few
            else f"All {rows:,} test rows.",
        )
    two = len(seen.classes) == 2
    of = "how sure of its label the winner was"
    if two and seen.curves:
        of = f"the probability of {seen.curves[0].name}"
    fewer = (
        f" Curves of the {len(seen.curves)} classes of {len(seen.classes)} that are ranked worst."
        if not two and len(seen.curves) < len(seen.classes)
        else ""
    )
    return WinnerData(
        seen,
        f"Calibration: {of}, in bins of about as many rows, against how often it was so; the mean "
        f"distance is {seen.calibration.error:.3f}.{fewer}",
    )


def winner_figures(data: WinnerData) -> list[Figure]:
    """Of classes confusion, curves and calibration; of a quantity true values and errors."""
    seen = data.seen
    if isinstance(seen, Residuals):
        return [_true(seen), _errors(seen)]
    figures = [] if seen.confusion is None else [_confusion(seen)]
    if seen.curves:
        figures += [
            _curves(
                seen.curves,
                "false positive rate",
                "true positive rate",
                lambda one: one.roc,
                lambda one: f"area {one.roc_auc:.3f}",
            ),
            _curves(
                seen.curves,
                "recall",
                "precision",
                lambda one: one.precision_recall,
                lambda one: f"average precision {one.average_precision:.3f}",
            ),
        ]
    return [*figures, _calibration(seen)]


def winner_tables(data: WinnerData) -> Sequence[Table]:
    """Recall and precision of each class, or quantiles of the errors."""
    return seen_tables(data.seen)[:1]


def _true(seen: Residuals) -> Figure:
    figure = blank_figure("predicted", "true", height=400)
    ends = [float(seen.predicted.min()), float(seen.predicted.max())]
    _line(figure, ends, ends)
    _points(figure, seen.predicted, seen.true, "predicted %{x:.4~g}, true %{y:.4~g}")
    return figure


def _errors(seen: Residuals) -> Figure:
    figure = blank_figure("predicted", "error (true less predicted)", height=360)
    _line(figure, [float(seen.predicted.min()), float(seen.predicted.max())], [0.0, 0.0])
    errors = seen.true - seen.predicted
    _points(figure, seen.predicted, errors, "predicted %{x:.4~g}, %{y:+.4~g} off")
    return figure


def _line(figure: Figure, x: Sequence[float], y: Sequence[float]) -> None:
    """Where all points would lie if the winner were perfect."""
    figure.add_scatter(
        x=x,
        y=y,
        mode="lines",
        line={"color": GREY, "dash": "dash", "width": 1},
        hoverinfo="skip",
        showlegend=False,
    )


def _points(figure: Figure, x: np.ndarray, y: np.ndarray, hover: str) -> None:
    figure.add_scatter(
        x=x.astype(np.float32),
        y=y.astype(np.float32),
        mode="markers",
        marker={"color": BLUE, "size": 5, "opacity": 0.6},
        showlegend=False,
        hovertemplate=f"{hover}<extra></extra>",
    )


def _confusion(seen: SeenClasses) -> Figure:
    assert seen.confusion is not None
    names = [label(name if len(name) <= NAME else f"{name[: NAME - 1]}…") for name in seen.classes]
    rows = seen.confusion.sum(axis=1, keepdims=True)
    shares = np.divide(seen.confusion, rows, out=np.zeros_like(seen.confusion), where=rows > 0)
    few = len(names) <= 12
    figure = blank_figure("label that they got", "class of the rows", height=420)
    figure.add_heatmap(
        x=list(range(len(names))),
        y=list(range(len(names))),
        z=shares.astype(np.float32),
        customdata=seen.confusion.astype(int),
        text=seen.confusion.astype(int) if few else None,
        texttemplate="%{text}" if few else None,
        colorscale=[[0, "rgba(0,114,178,0)"], [1, BLUE]],
        zmin=0,
        zmax=1,
        showscale=False,
        hovertemplate="%{customdata} rows of %{y} got %{x}<extra></extra>",
    )
    ticks = {
        "tickvals": list(range(len(names))),
        "ticktext": names,
        "automargin": True,
        "showgrid": False,
    }
    figure.update_xaxes(**ticks)
    figure.update_yaxes(autorange="reversed", **ticks)
    return figure


def _curves(
    curves: Sequence[ClassCurves],
    x: str,
    y: str,
    curve_of: Callable[[ClassCurves], Curve],
    area: Callable[[ClassCurves], str],
) -> Figure:
    figure = blank_figure(x, y, height=400)
    for number, one in enumerate(curves):
        curve = curve_of(one)
        figure.add_scatter(
            x=curve.x.astype(np.float32),
            y=curve.y.astype(np.float32),
            customdata=np.where(np.isfinite(curve.threshold), curve.threshold, 1.0),
            mode="lines",
            line={"color": CYCLE[number % len(CYCLE)], "width": 2},
            name=label(f"{one.name[:NAME]}, {area(one)}"),
            showlegend=True,
            hovertemplate=f"{x} %{{x:.3f}}, {y} %{{y:.3f}} from a probability of "
            "%{customdata:.3f} on<extra></extra>",
        )
    figure.update_xaxes(range=[-0.02, 1.02])
    figure.update_yaxes(range=[-0.02, 1.02])
    return figure


def _calibration(seen: SeenClasses) -> Figure:
    bins = seen.calibration
    figure = blank_figure("probability", "share that was so", height=400)
    _line(figure, [0.0, 1.0], [0.0, 1.0])
    figure.add_scatter(
        x=bins.predicted.astype(np.float32),
        y=bins.observed.astype(np.float32),
        customdata=bins.rows,
        mode="lines+markers",
        line={"color": BLUE, "width": 2},
        showlegend=False,
        hovertemplate="%{customdata:.0f} rows of probability %{x:.3f}: %{y:.3f} were so"
        "<extra></extra>",
    )
    figure.update_xaxes(range=[-0.02, 1.02])
    figure.update_yaxes(range=[-0.02, 1.02])
    return figure
