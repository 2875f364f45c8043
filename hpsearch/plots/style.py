"""How every figure looks: one colour for each stage and strategy, everywhere, in light and dark.

The colours are those of Okabe and Ito (2008, Color Universal Design), which people tell apart
whatever their colour vision; black is grey here, so that it shows on a dark page too, and wine is
from Tol (2021, Colour Schemes).
"""

from __future__ import annotations

import html
import textwrap
from typing import TYPE_CHECKING, Any, TypeAlias

from hpsearch.search.base import RACE, StageKind
from hpsearch.search.strategies import DOUBLE
from hpsearch.writing import written_out

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = [
    "BLUE",
    "CYCLE",
    "DARK",
    "GREY",
    "LIGHT",
    "SKY",
    "STRATEGY_COLOURS",
    "TRIALS_IN_CUSTOMDATA",
    "VERMILLION",
    "Figure",
    "add_drawn",
    "blank_figure",
    "error_bar",
    "faded",
    "label",
    "linked",
    "parameter_key",
    "said",
    "stage_colour",
    "stage_group",
    "titled",
    "wrapped",
]

Figure: TypeAlias = "go.Figure"
"""Plotly's, by its name alone: importing Plotly takes long, and lists of panels draw nothing."""

ORANGE, SKY, GREEN, YELLOW = "#E69F00", "#56B4E9", "#009E73", "#F0E442"
BLUE, VERMILLION, PURPLE, GREY = "#0072B2", "#D55E00", "#CC79A7", "#808080"
WINE = "#AA3377"

CYCLE = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY)
"""For curves that are neither of a stage nor of a strategy."""

STRATEGY_COLOURS = {
    "grid": GREY,
    "random": SKY,
    DOUBLE: BLUE,
    "coarse-to-fine": VERMILLION,
    "guided": WINE,
    "tpe": GREEN,
    "gp": PURPLE,
    "cmaes": ORANGE,
    "qmc": YELLOW,
}

FINE_COLOURS = (ORANGE, GREEN, PURPLE, BLUE, WINE)


def stage_group(stage: StageKind | None) -> StageKind:
    """What a stage is in legends: the rounds of a race are one.

    >>> str(stage_group(StageKind("fine", 1))), str(stage_group(StageKind(RACE, 3)))
    ('fine-1', 'race')
    """
    if stage is None:
        return StageKind("trials")
    return StageKind(RACE) if stage.name == RACE else stage


def stage_colour(stage: StageKind) -> str:
    """The colour of a stage; one that is named after a strategy has that one's."""
    if stage.name == "fine":
        return FINE_COLOURS[(stage.number - 1) % len(FINE_COLOURS)]
    known = STRATEGY_COLOURS | {"coarse": SKY, RACE: VERMILLION}
    return known.get(stage.name, BLUE)


def label(text: str) -> str:
    r"""A text that Plotly shows as it stands, without reading tags or templates in it.

    >>> label("<b>%{x}")
    '&lt;b&gt;%&#123;x}'
    """
    return html.escape(written_out(text), quote=False).replace("%{", "%&#123;")


def wrapped(text: str, width: int = 48) -> str:
    """A text of several lines that Plotly shows as it stands."""
    return "<br>".join(label(line) for line in textwrap.wrap(written_out(text), width))


def linked(figure: Figure, **axes: str) -> None:
    """Say which of a trial's figures each axis is, so that a page can select trials by it.

    Args:
        figure: gets it as its layout's ``meta``.
        axes: for ``x`` and ``y`` a key of `hpsearch.report.columns`: "number", "score", or that of
            `parameter_key`.
    """
    figure.update_layout(meta=axes)


def parameter_key(name: str) -> str:
    """The key of a parameter among a trial's figures.

    >>> parameter_key("learning_rate")
    'p.learning_rate'
    """
    return f"p.{written_out(name)}"


TRIALS_IN_CUSTOMDATA = {"trials": "customdata"}
"""The ``meta`` of a trace whose points are the trials with the numbers that are its customdata."""


def add_drawn(figure: Figure, x: Any, y: Any, *, numbers: Any) -> None:
    """Mark the trials on a map of two parameters.

    Args:
        figure: the map.
        x: (n,) coordinates.
        y: likewise.
        numbers: (n,) of the trials.
    """
    figure.add_scatter(
        x=x,
        y=y,
        customdata=numbers,
        meta=TRIALS_IN_CUSTOMDATA,
        mode="markers",
        marker={"color": GREY, "size": 4, "line": {"color": "white", "width": 0.5}},
        hoverinfo="skip",
        showlegend=False,
    )


def faded(colour: str, opacity: float) -> str:
    """A colour that others show through.

    >>> faded("#0072B2", 0.5)
    'rgba(0,114,178,0.5)'
    """
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"


def error_bar(estimate: float, low: float, high: float, colour: str) -> dict[str, Any]:
    """The interval of an estimate, drawn through its mark."""
    ends = {"array": [high - estimate], "arrayminus": [estimate - low]}
    return {"type": "data", **ends, "color": colour, "thickness": 2, "width": 8}


def _template(*, ink: str, faint: str, card: str) -> dict[str, Any]:
    axis = {
        "gridcolor": faint,
        "linecolor": faint,
        "zeroline": False,
        "title": {"standoff": 8},
    }
    return {
        "layout": {
            "font": {"color": ink, "family": "system-ui, sans-serif", "size": 13},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "xaxis": axis,
            "yaxis": axis,
            "hoverlabel": {"bgcolor": card, "bordercolor": faint, "font": {"color": ink}},
            "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
            # Wide enough for numbers: Plotly draws all twice where it has to find that out itself.
            "margin": {"l": 72, "r": 12, "t": 12, "b": 56},
            "hovermode": "closest",
        }
    }


LIGHT = _template(ink="#1c1e21", faint="#d9dce1", card="#ffffff")
DARK = _template(ink="#e8eaed", faint="#3c4148", card="#1f2226")


def blank_figure(x: str, y: str, *, height: int = 360) -> Figure:
    """A figure without traces.

    Args:
        x: the name of its horizontal axis, with the unit where there is one.
        y: of its vertical axis.
        height: in pixels; the width is the reader's.
    """
    import plotly.graph_objects as go

    figure = go.Figure(layout={"template": LIGHT, "height": height})
    figure.update_xaxes(title_text=label(x))
    figure.update_yaxes(title_text=label(y))
    return figure


def titled(figure: Figure, title: str, note: str) -> None:
    """Have a figure stand for itself, as in a notebook: with its title, and on white.

    On white it reads wherever it is shown; a page gives its figures its own ground instead.

    Args:
        figure: is changed.
        title: plain text.
        note: what is to be known of it, or nothing; plain text.
    """
    layout = figure.layout
    told = [*filter(None, (layout.title.text, wrapped(note, WIDE)))]  # some say what they are of
    words = 30 + 17 * sum(1 + text.count("<br>") for text in told)
    above = (
        layout.template.layout.margin.t if layout.margin.t is None else layout.margin.t
    ) + words
    figure.update_layout(
        paper_bgcolor="white",
        plot_bgcolor="white",
        height=layout.height + words + LEGEND,
        margin_t=above + LEGEND,
        title={
            "text": label(title),
            "subtitle": {"text": "<br>".join(told)},
            "x": 0,
            "xref": "paper",
            "yref": "container",
            "y": 1,
            "yanchor": "top",
            "pad": {"t": 8},
        },
    )


LEGEND = 42
"""Pixels between what stands over a figure and its plot, where its legend has its lines."""

WIDE = 100
"""Characters of a line of text over or in a figure that stands for itself."""


def said(title: str, sentence: str) -> Figure:
    """A figure of words, for where there is nothing to draw.

    Args:
        title: plain text.
        sentence: why, plain text.
    """
    figure = blank_figure("", "", height=120)
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    figure.add_annotation(
        text=wrapped(sentence, WIDE),
        x=0,
        y=0.5,
        xref="paper",
        yref="paper",
        showarrow=False,
        xanchor="left",
        align="left",
    )
    titled(figure, title, "")
    return figure
