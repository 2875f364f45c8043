"""Which hyperparameters matter, by the length scales of a Gaussian process over random trials."""

from __future__ import annotations

from dataclasses import dataclass

from hpsearch.compare.relevance import Relevance, relevance
from hpsearch.compare.result import Comparison, StrategyRuns
from hpsearch.errors import UsageError
from hpsearch.plots.style import BLUE, Figure, blank_figure, label
from hpsearch.plots.view import NothingToDraw
from hpsearch.search.strategies import DOUBLE

__all__ = [
    "RelevanceData",
    "independent_trials",
    "relevance_data",
    "relevance_figure",
    "relevances",
]

REFITS = 20


@dataclass(frozen=True)
class RelevanceData:
    """The relevance of each parameter, the most relevant first, and of what it is."""

    found: dict[str, Relevance]
    note: str


def relevance_data(comparison: Comparison) -> RelevanceData:
    """The relevances by random search's trials.

    Raises:
        NothingToDraw: random search does not compete, or its trials do not tell.
    """
    found = relevances(comparison)
    return RelevanceData(
        found,
        "Shares of 1 / length scale of a Gaussian process with a squared-exponential kernel, as in "
        "Bergstra and Bengio (2012), fitted to random search's trials of all repeats, at most 256 "
        f"of them; medians and quartiles of {REFITS} fits to 80% of these.",
    )


def relevances(comparison: Comparison) -> dict[str, Relevance]:
    """The relevance of each parameter, the most relevant first.

    Raises:
        NothingToDraw: random search does not compete, or its trials do not tell.
    """
    random = independent_trials(comparison)
    configurations = [slot.configuration for slots in random.slots for slot in slots]
    scores = [float(score) for pairs in random.scores for score in pairs[:, 0]]
    try:
        found = relevance(comparison.space, configurations, scores, refits=REFITS, seed=0)
    except UsageError as error:
        raise NothingToDraw(f"{str(error)[0].upper()}{str(error)[1:]}") from None
    return dict(sorted(found.items(), key=lambda item: -item[1].median))


def independent_trials(comparison: Comparison) -> StrategyRuns:
    """Random search without its race, with twice the budget where it competes so.

    Raises:
        NothingToDraw: it does not compete.
    """
    random = comparison.runs.get(DOUBLE) or comparison.runs.get("random")
    if random is None:
        raise NothingToDraw(
            "Random search does not compete, and only its trials are independent of each other."
        )
    return random.first_stage()


def relevance_figure(data: RelevanceData) -> Figure:
    """A bar for each parameter."""
    figure = blank_figure("relevance (share)", "", height=100 + 36 * len(data.found))
    names = list(data.found)[::-1]
    figure.update_yaxes(automargin=True)
    medians = [data.found[name].median for name in names]
    figure.add_bar(
        x=medians,
        y=[label(name) for name in names],
        orientation="h",
        marker={"color": BLUE},
        error_x={
            "type": "data",
            "array": [data.found[n].upper - data.found[n].median for n in names],
            "arrayminus": [data.found[n].median - data.found[n].lower for n in names],
        },
        hovertemplate="%{y}: %{x:.2f}<extra></extra>",
    )
    return figure
