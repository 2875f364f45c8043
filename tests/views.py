"""Studies as the panels see them, made by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from hpsearch.engine.summary import StageSummary, Summary, TrialRow
from hpsearch.metrics import ACCURACY
from hpsearch.plots import StudyView
from hpsearch.search.base import Move, Slot, StageKind, StagePlan
from hpsearch.space import Float, Space

COARSE, FINE = StageKind("coarse"), StageKind("fine", 1)

WIDE = Float(1e-4, 1.0, log=True)
NARROW = Float(1e-2, 1.0, log=True)
NOON = datetime(2026, 1, 1, 12)

SNAPSHOTS: dict[str, Any] = {
    "input size": 1.0,
    "train score": 0.5,
    "epochs": [0, 2],
    "loss": [2.3, 1.0],
    "score": [0.1, 0.5],
    "gradient norm": [1.0, 0.5],
    "layers": {
        "output mean": [[0.0, 0.1], [0.0, 0.1]],
        "output std": [[1.0, 0.8], [2.0, None]],
        "saturated": [[0.5, 0.6], [0.0, 0.0]],
        "dead": [[0.0, 0.25], [0.0, 0.0]],
        "weight size": [[0.1, 0.2], [0.1, 0.2]],
        "gradient mean": [[0.0, 0.0], [0.0, 0.0]],
        "gradient std": [[0.01, 0.0], [0.02, 0.001]],
        "update ratio": [[0.0, 0.004], [0.0, 0.002]],
    },
}
"""A network of one hidden layer, looked at before the first step and after the second epoch."""


def trial(
    number: int, score: float | None = None, *, stage_index: int = 0, **more: Any
) -> TrialRow:
    """A complete trial, of the coarse stage if nothing else is said."""
    known: dict[str, Any] = {
        "state": "complete",
        "stage": COARSE,
        "epochs": 2,
        "seconds": 1.0,
        "why": "finished",
        "configuration": {"rate": 0.01, "l2": 0.5},
        "worker": f"host {number % 2}",
        "started": NOON + timedelta(seconds=number),
        "completed": NOON + timedelta(seconds=number + 1),
        "curve": {1: 0.5, 2: score or 0.5},
        "train_losses": (2.0, 1.0),
        "validation_losses": (2.5, 1.25),
        "traced": True,
    }
    known |= more
    slot = Slot(stage_index, number, known["configuration"], number, known["epochs"])
    return TrialRow(number=number, slot=slot, score=score, **known)


def view_of(
    *trials: TrialRow, maximize: bool = True, objectives: int = 1, **more: Any
) -> StudyView:
    """A view of trials, which are put best first."""
    sign = -1 if maximize else 1
    ranked = tuple(sorted(trials, key=lambda t: (t.state != "complete", sign * (t.score or 0.0))))
    states: dict[str, int] = {}
    for t in trials:
        states[t.state] = states.get(t.state, 0) + 1
    first = StagePlan(COARSE, 0, 6, 2, Space({"rate": WIDE, "l2": Float(0.0, 1.0)}), ())
    change = Move("rate", WIDE, NARROW, "the best 2 of 6 trials lie above 0.01")
    second = replace(first, kind=FINE, index=1, space=Space({"rate": NARROW}), changes=(change,))
    stages = tuple(StageSummary(**vars(stage), done=0, best=None) for stage in (first, second))
    done = [t for t in ranked if t.state == "complete" and t.score is not None]
    summary = Summary(
        study="s",
        strategy="coarse-to-fine",
        data={},
        stages=stages,
        rows=ranked,
        states=states,
        best=done[0].configuration if done else None,
        validation=done[0].score if done else None,
        validation_std=None,
        validation_scores=(),
        test=None,
        test_interval=None,
        test_rows=None,
        tests=None,
        seconds=None,
        model=None,
        measure=replace(ACCURACY, direction="maximize" if maximize else "minimize"),
        objectives=objectives,
    )
    known: dict[str, Any] = {"parameters": {"rate": WIDE, "l2": Float(0.0, 1.0)}}
    return StudyView(summary, **(known | more))
