"""The panels that a page's own scripts draw from all trials: their table, and groups of them."""

from __future__ import annotations

from dataclasses import dataclass

from hpsearch.plots.view import NothingToDraw, StudyView, scored

__all__ = ["Words", "groups_data", "trials_data"]


@dataclass(frozen=True)
class Words:
    """What is said below such a panel; its numbers are those of the trials themselves."""

    note: str = ""


def trials_data(view: StudyView) -> Words:
    """What is to be known of the table of all trials.

    Raises:
        NothingToDraw: there are no trials.
    """
    if not view.trials:
        raise NothingToDraw("The study has no trials yet.")
    first = "The winner comes first, then the best. " if view.summary.winner is not None else ""
    return Words(f"{first}A trial's number leads to all that is known of it.")


def groups_data(view: StudyView) -> Words:
    """What is to be known of groups.

    Raises:
        NothingToDraw: fewer than two trials are complete, or nothing was searched.
    """
    scored(view, at_least=2)
    if not view.parameters:
        raise NothingToDraw("The study searches no parameter.")
    return Words(
        "Lines are medians over the complete trials of a group, shades its middle half; trials of "
        "the same settings differ by their seeds alone."
    )
