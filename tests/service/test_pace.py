"""How long a study still takes."""

from __future__ import annotations

import pytest

from hpsearch.engine.budget import plan_search
from hpsearch.engine.events import StageStarted, TrialDone
from hpsearch.search.base import Slot, StageKind, StagePlan
from hpsearch.service.pace import Pace
from hpsearch.study_file import StudyFile


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def study(**search: object) -> StudyFile:
    return StudyFile.model_validate(
        {
            "name": "s",
            "objective": {"external": True, "metric": "loss", "direction": "minimize"},
            "search": {"strategy": "random", "trials": 10, **search},
            "space": {"x": {"low": 0.0, "high": 1.0}},
        }
    )


def paced(file: StudyFile, clock: Clock, ended: int) -> Pace:
    """Two seconds a trial, one after the other."""
    pace = Pace(file, clock)
    [slots] = plan_search(file).search.slots
    stage = StagePlan(StageKind("random"), 0, slots, epochs=1, space=file.search_space())
    pace.count(StageStarted(stage, 0))
    for number in range(ended):
        clock.now += 2.0
        pace.count(TrialDone(stage, Slot(0, number, {"x": 0.5}, seed=0, epochs=1), None))
    return pace


def test_as_long_as_the_others_took() -> None:
    assert Pace(study()).left(0) is None
    assert paced(study(), Clock(), 0).left(2) is None
    assert paced(study(), Clock(), 4).left(0) == pytest.approx(12.0)


def test_no_longer_than_the_study_may_take() -> None:
    assert paced(study(seconds=11.0), Clock(), 4).left(0) == pytest.approx(3.0)
