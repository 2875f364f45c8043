"""Why a trial has its configuration, as a clause."""

from __future__ import annotations

import pytest
from views import COARSE, FINE, trial

from hpsearch.search.base import RACE, Motive, StageKind
from hpsearch.wording import why_chosen


@pytest.mark.parametrize(
    ("stage", "motive", "clause"),
    [
        (COARSE, None, "a point of the Sobol sequence"),
        (FINE, None, "a point of the Sobol sequence in the narrowed ranges"),
        (StageKind(RACE, 2), None, "a contender in the race"),
        (StageKind("random"), None, "drawn at random"),
        (StageKind("grid"), None, "a point of the grid"),
        (StageKind("tpe", 1), None, "suggested by tpe"),
        (
            FINE,
            Motive(0.62, 0.9),
            "chosen for its expected gain: 0.62 σ above the best believed, where little is known",
        ),
        (
            FINE,
            Motive(-0.104, 0.2),
            "chosen for its expected gain: 0.10 σ below the best believed, where much is known",
        ),
        (
            FINE,
            Motive(0.001, 0.5),
            "chosen for its expected gain: level with the best believed, where something is known",
        ),
    ],
)
def test_a_clause_for_each_kind(stage: StageKind, motive: Motive | None, clause: str) -> None:
    assert why_chosen(trial(0, 0.5, stage=stage, motive=motive)) == clause


def test_of_somebody_elses_trial_nothing_is_said() -> None:
    assert why_chosen(trial(0, 0.5, stage=None)) == ""
