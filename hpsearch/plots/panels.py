"""The panels by name: what dashboards list."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from hpsearch.compare.result import Comparison
from hpsearch.errors import UnknownNameError
from hpsearch.plots.advice import advice_data, advice_tables
from hpsearch.plots.best_so_far import best_so_far_data, best_so_far_figures
from hpsearch.plots.catch_up import catch_up_data, catch_up_figure
from hpsearch.plots.configuration import (
    conditions_data,
    configuration_data,
    configuration_tables,
)
from hpsearch.plots.curves import curves_data, curves_figures
from hpsearch.plots.diagnosis import diagnosis_data, diagnosis_figure
from hpsearch.plots.effects import effects_data, effects_figures
from hpsearch.plots.efficiency import efficiency_data, efficiency_figure
from hpsearch.plots.final_scores import final_scores_data, final_scores_figure
from hpsearch.plots.gap import gap_data, gap_figure
from hpsearch.plots.history import history_data, history_figure
from hpsearch.plots.importances import importances_data, importances_figure
from hpsearch.plots.interaction import interaction_data, interaction_figure
from hpsearch.plots.layers import layers_data, layers_figures
from hpsearch.plots.layouts import layouts_data, layouts_figures
from hpsearch.plots.pair import pair_data, pair_figure
from hpsearch.plots.parallel import parallel_data, parallel_figure
from hpsearch.plots.parameters import parameters_data, parameters_figures
from hpsearch.plots.predicted import predicted_data, predicted_figure
from hpsearch.plots.relevance import relevance_data, relevance_figure
from hpsearch.plots.slice_contour import slice_contour_data, slice_contour_figures
from hpsearch.plots.style import Figure
from hpsearch.plots.timeline import timeline_data, timeline_figure
from hpsearch.plots.trials import groups_data, trials_data
from hpsearch.plots.view import StudyView
from hpsearch.plots.winner import winner_data, winner_figures, winner_tables
from hpsearch.wording import Table

__all__ = ["PANELS", "Panel", "panel"]


def _none(_: Any) -> tuple[()]:
    return ()


@dataclass(frozen=True)
class Panel:
    """A part of a page.

    Attributes:
        title: its heading.
        about: what a reader sees there, in a sentence or two.
        data: the numbers, from a study or a comparison; raises NothingToDraw with the reason. They
            have a ``note``.
        figures: those numbers drawn; none for a panel of words, or one that a page's scripts draw
            from all trials.
        of: what it is a part of: the page of a study or that of a comparison.
        tables: the data in words; none for a panel of figures.
        needs: what a study has to be of for it to ever have anything to show.
    """

    title: str
    about: str
    data: Callable[[Any], Any]
    figures: Callable[[Any], Sequence[Figure]]
    of: Literal["study", "comparison"] = "study"
    tables: Callable[[Any], Sequence[Table]] = _none
    needs: Literal["nothing", "rows", "network"] = "nothing"

    def suits(self, subject: StudyView | Comparison) -> bool:
        """Whether it may have something to show; a page leaves out one that never can."""
        if isinstance(subject, Comparison) or self.needs == "nothing":
            return True
        return subject.may_be_network if self.needs == "network" else subject.summary.learns

    @property
    def misfit(self) -> str:
        """Why a study that it does not suit never has anything to show in it."""
        if self.needs == "network":
            return "It looks into hpsearch's network, and this study is of something else."
        return "It is of test rows, and this study has none."

    @property
    def is_drawn(self) -> bool:
        """Whether it has figures."""
        return self.figures is not _none


def _one(figure: Callable[[Any], Figure]) -> Callable[[Any], list[Figure]]:
    return lambda data: [figure(data)]


PANELS = {
    "history": Panel(
        "Optimization history",
        "Each point is a trial, each shade a stage; the line is the best score so far. Crosses "
        "were stopped as known bad, and have no score that counts.",
        history_data,
        _one(history_figure),
    ),
    "trials": Panel(
        "All trials",
        "A click on a heading sorts. A selection, by the field above or by dragging over a figure, "
        "leaves the trials that it fits.",
        trials_data,
        _none,
    ),
    "winner": Panel(
        "The winner on the test rows",
        "What the winner makes of rows that no search has seen: where it is right, where it errs, "
        "and by how much.",
        winner_data,
        winner_figures,
        tables=winner_tables,
        needs="rows",
    ),
    "parameters": Panel(
        "Parameters",
        "Each parameter against the score, on the scale on which it was drawn.",
        parameters_data,
        parameters_figures,
    ),
    "importances": Panel(
        "Importances",
        "How much of the score each parameter explains; the shares sum to 1.",
        importances_data,
        _one(importances_figure),
    ),
    "slice-contour": Panel(
        "The two most important parameters",
        "The score along each of them, and over both together.",
        slice_contour_data,
        slice_contour_figures,
    ),
    "pair": Panel(
        "Important beside unimportant",
        "The most important parameter to the right, the least important one upwards. Where the "
        "best quarter crowds together, a parameter matters; where it lies like all trials, it "
        "does not.",
        pair_data,
        _one(pair_figure),
    ),
    "effects": Panel(
        "What the model believes",
        "What score a model of all results expects along each parameter, those that matter most "
        "first. The shade is how sure it is: where no trial was near, it is wide. How far the "
        "model may be believed at all, the panel of predicted against found shows.",
        effects_data,
        effects_figures,
    ),
    "interaction": Panel(
        "The pair that matters most together",
        "What the model expects over two parameters. Where the best value of one depends on that "
        "of the other, rows are not bright in the same places.",
        interaction_data,
        _one(interaction_figure),
    ),
    "predicted": Panel(
        "Predicted against found",
        "What the model expects of each trial after all the others, and what it scored. The closer "
        "the points lie to the dashed line, the more the model may be believed.",
        predicted_data,
        _one(predicted_figure),
    ),
    "parallel": Panel(
        "Parallel coordinates",
        "A line for each trial, through its parameters to its score.",
        parallel_data,
        _one(parallel_figure),
    ),
    "curves": Panel(
        "Learning curves",
        "How the best few configurations learned: the score on the way, and losses where known.",
        curves_data,
        curves_figures,
    ),
    "groups": Panel(
        "Groups of trials",
        "The trials by one of their parameters, by their stage, or by the same settings: how they "
        "scored, and how the score changed on the way where that was reported.",
        groups_data,
        _none,
    ),
    "gap": Panel(
        "Gap between training and validation",
        "Losses at the end of each complete trial. The further to the right, the more a network "
        "overfits its training part. The training loss is the mean during the last epoch, "
        "dropout and L2 penalty included, so that strong regularization lies to the left.",
        gap_data,
        _one(gap_figure),
        needs="network",
    ),
    "layers": Panel(
        "What went on in the network",
        "Snapshots of the network between epochs, on the same few samples, layer by layer: the "
        "share of units that are dead (at every sample) and of outputs that are saturated "
        "(dotted; about half is healthy for ReLU, which is 0 there), the standard deviation "
        "of outputs and of gradients, which should be alike in all layers, and the size of an "
        "update beside that of the weights, healthy near 0.001 (dashed).",
        layers_data,
        layers_figures,
        needs="network",
    ),
    "diagnosis": Panel(
        "What went wrong",
        "In how many trainings each fault or hint was found. Hovering over a bar shows the "
        "evidence in one of them, and what helps.",
        diagnosis_data,
        _one(diagnosis_figure),
        needs="network",
    ),
    "advice": Panel(
        "Advice",
        "What all trainings together say, and what it means for the next study.",
        advice_data,
        _none,
        tables=advice_tables,
    ),
    "timeline": Panel(
        "Timeline",
        "What each worker did when. In the gaps it waited.",
        timeline_data,
        _one(timeline_figure),
    ),
    "configuration": Panel(
        "Configuration and environment",
        "What the study has stored of itself and its runs, and where the machine that wrote this "
        "page differs from theirs.",
        configuration_data,
        _none,
        tables=configuration_tables,
    ),
    "best-so-far": Panel(
        "Best so far against cost",
        "The best score found by the time a share of the budget was spent, and where there are "
        "rows to test on, the test score of that trial: lines are medians, shades the middle half "
        "of the repeats.",
        best_so_far_data,
        best_so_far_figures,
        "comparison",
    ),
    "final-scores": Panel(
        "Where the searches ended",
        "What each repeat's winner is worth: the trainings that won, and the same configuration "
        "trained once more with another seed.",
        final_scores_data,
        _one(final_scores_figure),
        "comparison",
    ),
    "catch-up": Panel(
        "Cost until grid's best",
        "What a strategy had to spend to find a score as good as the best that grid search found "
        "in the same repeat. Left of the dashed line it was sooner.",
        catch_up_data,
        _one(catch_up_figure),
        "comparison",
    ),
    "efficiency": Panel(
        "How many random trials it takes",
        "Random search's trials, divided into smaller searches of each size, and what their best "
        "is worth; the dashed line is grid search.",
        efficiency_data,
        _one(efficiency_figure),
        "comparison",
    ),
    "relevance": Panel(
        "Relevance of the parameters",
        "How quickly the score changes along each parameter. Where few matter, a grid wastes its "
        "points on the others.",
        relevance_data,
        _one(relevance_figure),
        "comparison",
    ),
    "layouts": Panel(
        "Grid and random search, as the lecture draws them",
        "The most relevant parameter to the right, the least relevant one upwards, and above both "
        "what each value of the relevant one scored.",
        layouts_data,
        layouts_figures,
        "comparison",
    ),
    "conditions": Panel(
        "Conditions and environment",
        "What all searches had in common, and what they ran with.",
        conditions_data,
        _none,
        "comparison",
        configuration_tables,
    ),
}


def panel(name: str) -> Panel:
    """A panel by its name.

    Raises:
        UnknownNameError: there is none; the sentence lists those that there are.
    """
    if name not in PANELS:
        raise UnknownNameError("panel", name, PANELS)
    return PANELS[name]
