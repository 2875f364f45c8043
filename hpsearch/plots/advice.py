"""What the trainings of a study say, and what to change in the next one: in words."""

from __future__ import annotations

from dataclasses import dataclass

from hpsearch.advice import Change, Recommendation
from hpsearch.plots.view import NothingToDraw, StudyView
from hpsearch.wording import Table, setting_text

__all__ = ["AdviceData", "advice_data", "advice_tables", "change_text"]


@dataclass(frozen=True)
class AdviceData:
    """The recommendations, those first that change something."""

    recommendations: tuple[Recommendation, ...]
    note: str


def advice_data(view: StudyView) -> AdviceData:
    """What a study's trainings say.

    Raises:
        NothingToDraw: there are none, or hpsearch cannot read how they were trained.
    """
    if not view.trials:
        raise NothingToDraw("The study has no trials yet.")
    if not view.settings:
        raise NothingToDraw(
            "hpsearch did not make this study, and does not know how its trials were trained."
        )
    if not view.advice:
        raise NothingToDraw("The store has nothing from which this version could give advice.")
    if not any(r.asks for r in view.advice):
        return AdviceData(view.advice, "Nothing here asks for a change.")
    if not any(r.changes for r in view.advice):
        return AdviceData(view.advice, "No setting alone would change this.")
    return AdviceData(
        view.advice, "The command hpsearch advise writes a study file with these changes."
    )


def advice_tables(data: AdviceData) -> list[Table]:
    """A line for each recommendation."""
    rows = [
        (
            recommendation.topic,
            recommendation.sentence,
            "; ".join(map(change_text, recommendation.changes)),
        )
        for recommendation in data.recommendations
    ]
    return [Table("Recommendations", ("about", "what is said", "change"), rows)]


def change_text(change: Change) -> str:
    """A change of a study file, on one line.

    >>> change_text(Change("training", "learning_rate", {"low": 0.001, "high": 0.1, "log": True}))
    '[training] learning_rate: 0.001 to 0.1 (log scale)'
    """
    return f"[{change.section}] {change.key}: {setting_text(change.value)}"
