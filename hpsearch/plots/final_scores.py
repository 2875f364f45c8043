"""Where the searches ended: the test value of every repeat's winner."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hpsearch.compare.result import Comparison
from hpsearch.compare.summary import StrategySummary, summarize_strategies
from hpsearch.metrics import Measure
from hpsearch.plots.style import GREY, STRATEGY_COLOURS, Figure, blank_figure, error_bar
from hpsearch.wording import AGAIN

__all__ = ["FinalScoresData", "final_scores_data", "final_scores_figure"]


@dataclass(frozen=True, eq=False)
class FinalScoresData:
    """The scores of the repeats and their sums.

    Attributes:
        test: by strategy, (R,) as in `StrategyRuns`.
        refit: likewise.
        rows: the table's lines.
        note: what the bars are.
        measure: of all of them.
        constant: mean test value of the best constant answer; None if not known.
        name: what all of these are called.
    """

    test: dict[str, np.ndarray]
    refit: dict[str, np.ndarray]
    rows: dict[str, StrategySummary]
    note: str
    measure: Measure
    constant: float | None = None
    name: str = "test accuracy"


def final_scores_data(comparison: Comparison) -> FinalScoresData:
    """The test values of the winners, and of the same winners trained once more."""
    rows, measure = summarize_strategies(comparison), comparison.measure
    note = "Diamonds are interquartile means with 95% bootstrap intervals."
    if _outside(comparison):
        note += " Beyond the axis: trainings that came out far worse than all others, drawn at its"
        note += " edge."
    if (constant := rows[0].constant) is not None:
        note += (
            f" Always giving the same answer comes to {measure.text(constant)}; a dotted line where"
        )
        note += " the axis reaches there."
    return FinalScoresData(
        {name: c.test for name, c in comparison.runs.items()},
        {name: c.refit for name, c in comparison.runs.items()},
        {row.strategy: row for row in rows},
        note,
        measure,
        constant,
        comparison.test_name,
    )


def _outside(comparison: Comparison) -> bool:
    refits = np.concatenate([c.refit for c in comparison.runs.values()])
    tests = np.concatenate([c.test for c in comparison.runs.values()])
    low, high = _ends(tests, refits, comparison.measure)
    return bool(((refits < low) | (refits > high)).any())


def _ends(tests: np.ndarray, refits: np.ndarray, measure: Measure) -> tuple[float, float]:
    """The ends of the axis: on the worse side a little beyond the winners' own values."""
    tests, refits = measure.sign * tests, measure.sign * refits
    worse = float(tests.min() - 0.5 * (np.ptp(tests) or 0.02 * (np.abs(tests).max() or 1.0)))
    low, high = sorted((measure.sign * worse, measure.sign * float(max(tests.max(), refits.max()))))
    return low, high


def final_scores_figure(data: FinalScoresData) -> Figure:
    """A column of points for each strategy: full ones for the winners, open ones trained anew."""
    figure = blank_figure("", data.name, height=420)
    tests, refits = (np.concatenate(list(each.values())) for each in (data.test, data.refit))
    low, high = _ends(tests, refits, data.measure)
    margin = 0.06 * (high - low)
    figure.update_yaxes(range=[low - margin, high + margin])
    if data.constant is not None and low - margin <= data.constant <= high + margin:
        figure.add_hline(y=data.constant, line={"color": GREY, "dash": "dot", "width": 1})
    names, shown = list(data.test), data.measure.text
    figure.update_xaxes(tickvals=list(range(len(names))), ticktext=names, automargin=True)
    for shift, scores, what, symbol in (
        (-0.2, data.test, "the trainings that won", "circle"),
        (0.2, data.refit, AGAIN, "circle-open"),
    ):
        for at, name in enumerate(names):
            beside = np.linspace(-0.08, 0.08, len(scores[name])) if len(scores[name]) > 1 else [0]
            figure.add_scatter(
                x=at + shift + np.asarray(beside),
                y=np.clip(scores[name], low, high),
                customdata=scores[name],
                mode="markers",
                marker={"color": STRATEGY_COLOURS[name], "size": 7, "symbol": symbol},
                name=what,
                legendgroup=what,
                showlegend=at == 0,
                hovertemplate=f"{name}, {what}: %{{customdata:.4~g}}<extra></extra>",
            )
    for at, name in enumerate(names):
        test = data.rows[name].test
        figure.add_scatter(
            x=[at - 0.2],
            y=[test.estimate],
            error_y=error_bar(*test, STRATEGY_COLOURS[name]),
            mode="markers",
            marker={"color": STRATEGY_COLOURS[name], "size": 13, "symbol": "diamond"},
            showlegend=False,
            hovertemplate=f"{name}: %{{y:.4~g}}, "
            f"95% interval {shown(test.low)} to {shown(test.high)}<extra></extra>",
        )
    return figure
