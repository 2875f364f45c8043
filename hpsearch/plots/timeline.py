"""Who trained what when: a line for each worker, a piece of it for each trial."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np

from hpsearch.engine.summary import TrialRow
from hpsearch.plots.scales import MAX_POINTS
from hpsearch.plots.style import (
    TRIALS_IN_CUSTOMDATA,
    Figure,
    blank_figure,
    label,
    stage_colour,
    stage_group,
)
from hpsearch.plots.view import NothingToDraw, StudyView
from hpsearch.search.base import StageKind

__all__ = ["Piece", "TimelineData", "joined", "timeline_data", "timeline_figure"]

UNITS = (("s", 1.0, 300.0), ("min", 60.0, 3 * 3600.0), ("h", 3600.0, float("inf")))


class Piece(NamedTuple):
    """One training, or several without a pause that would show.

    Attributes:
        first: number of the first trial.
        last: number of the last one.
        worker: the place of their worker.
        start: time since the study's first training.
        end: likewise.
    """

    first: int
    last: int
    worker: int
    start: float
    end: float


@dataclass(frozen=True)
class TimelineData:
    """The trainings over time.

    Attributes:
        workers: their names, in the order of their first training.
        stages: the trainings of each stage, in the order of their start.
        unit: of the times.
        busy: the share of the time between the first start and the last end that each worker
            trained.
        note: what a reader must know.
    """

    workers: tuple[str, ...]
    stages: dict[StageKind, tuple[Piece, ...]]
    unit: str
    busy: tuple[float, ...]
    note: str


def timeline_data(view: StudyView) -> TimelineData:
    """When each finished trial was trained, and by whom.

    Raises:
        NothingToDraw: no trial is finished.
    """
    trained = sorted(
        ((_began(t), t.completed, t) for t in view.trials if t.started and t.completed),
        key=lambda item: (item[0], item[2].number),
    )
    if not trained:
        raise NothingToDraw("No trial is finished yet, so nobody's time can be shown.")
    zero = trained[0][0]
    length = max((end - zero).total_seconds() for _, end, _ in trained)
    unit, second = next((name, s) for name, s, limit in UNITS if length <= limit)
    workers = list(dict.fromkeys(_worker(trial) for _, _, trial in trained))
    stages: dict[StageKind, list[Piece]] = {}
    for began, end, trial in trained:
        start, stop = ((time - zero).total_seconds() / second for time in (began, end))
        piece = Piece(trial.number, trial.number, workers.index(_worker(trial)), start, stop)
        stages.setdefault(stage_group(trial.stage), []).append(piece)
    spent = [0.0] * len(workers)
    for pieces in stages.values():
        for piece in pieces:
            spent[piece.worker] += piece.end - piece.start
    whole = length / second
    busy = tuple(min(1.0, s / whole) if whole else 1.0 for s in spent)
    note = f"{len(trained):,} {view.noun} in {whole:.3g} {unit}; pauses between runs are counted."
    if len(trained) > MAX_POINTS:
        stages = {stage: joined(pieces, whole / 1000) for stage, pieces in stages.items()}
        note += " Trainings with less than a thousandth of the time between them are drawn as one."
    drawn = {stage: tuple(pieces) for stage, pieces in stages.items()}
    return TimelineData(tuple(workers), drawn, unit, busy, note)


def joined(pieces: Sequence[Piece], pause: float) -> list[Piece]:
    """The pieces of a stage, those of a worker made one where no longer pause lies between them.

    >>> pieces = [Piece(0, 0, 0, 0.0, 1.0), Piece(1, 1, 0, 1.1, 2.0), Piece(2, 2, 0, 5.0, 6.0)]
    >>> [(piece.first, piece.last) for piece in joined(pieces, 0.5)]
    [(0, 1), (2, 2)]
    """
    done: list[Piece] = []
    latest: dict[int, Piece] = {}
    for piece in pieces:
        before = latest.get(piece.worker)
        if before is not None and piece.start - before.end < pause:
            end = max(before.end, piece.end)
            latest[piece.worker] = before._replace(last=piece.last, end=end)
            continue
        if before is not None:
            done.append(before)
        latest[piece.worker] = piece
    return sorted([*done, *latest.values()], key=lambda piece: piece.start)


def _began(trial: TrialRow) -> datetime:
    """When the training began: slots are handed out ahead, so that its length says it better."""
    assert trial.started is not None, "asked of finished trials"
    assert trial.completed is not None, "asked of finished trials"
    if trial.seconds is None:
        return trial.started
    between = (trial.completed - trial.started).total_seconds()
    return trial.completed - timedelta(seconds=min(trial.seconds, between))


def _worker(trial: TrialRow) -> str:
    return trial.worker or "unknown worker"


def timeline_figure(data: TimelineData) -> Figure:
    """Time to the right, workers below each other."""
    figure = blank_figure(
        f"time since the first trial ({data.unit})",
        "worker",
        height=170 + 36 * len(data.workers),
    )
    figure.update_yaxes(
        tickvals=list(range(len(data.workers))),
        ticktext=[label(name) for name in data.workers],
        range=[len(data.workers) - 0.4, -0.6],
        automargin=True,
    )
    for stage, pieces in data.stages.items():
        # One path for all, broken between pieces, since thousands of bars are slow to draw.
        x = np.array([(p.start, (p.start + p.end) / 2, p.end, np.nan) for p in pieces])
        apart = all(p.first == p.last for p in pieces)
        figure.add_scatter(
            x=x.astype(np.float32).ravel(),
            y=np.array([(p.worker,) * 3 + (np.nan,) for p in pieces], np.float32).ravel(),
            text=[text for p in pieces for text in (*(_numbers(p),) * 3, "")],
            customdata=np.repeat([p.first for p in pieces], 4).astype(np.int32) if apart else None,
            meta=TRIALS_IN_CUSTOMDATA if apart else None,
            mode="lines",
            line={"color": stage_colour(stage), "width": 16},
            name=label(str(stage)),
            hovertemplate=f"%{{text}} at %{{x:.3g}} {data.unit}<extra></extra>",
        )
    return figure


def _numbers(piece: Piece) -> str:
    if piece.first == piece.last:
        return f"trial {piece.first}"
    return f"trials from {piece.first} to {piece.last}"
