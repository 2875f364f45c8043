"""Progress: live on a terminal, quiet lines elsewhere."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from hpsearch.cli import progress
from hpsearch.engine.events import Finished, StageStarted, TrialDone, WinnerNamed
from hpsearch.engine.summary import Summary
from hpsearch.search.base import Result, Stage, Winner
from hpsearch.space import Float, Space
from hpsearch.study_file import parse_study_file

STUDY = parse_study_file('name = "s"\n[data]\nname = "iris"\n[search]\ntrials = 4')
STAGE = Stage("coarse", 0, 4, 2, Space({"l2": Float(0, 1)}), 0, lambda i, _: {"l2": i / 4})


def told(monkeypatch: pytest.MonkeyPatch, *, terminal: bool) -> str:
    """What is printed for a short run with a failure in it."""
    text = io.StringIO()
    console = Console(file=text, force_terminal=terminal, width=80, highlight=False)
    monkeypatch.setattr(progress, "errors", lambda: console)
    with progress.watch(STUDY) as on_event:
        on_event(StageStarted(STAGE, 1))
        for index, score in ((1, 0.5), (2, 0.75)):
            slot = STAGE.slot(index)
            on_event(TrialDone(STAGE, slot, Result(slot, score)))
        on_event(TrialDone(STAGE, STAGE.slot(3), None, "MemoryError: [no] memory"))
        on_event(WinnerNamed(Winner({"l2": 0.5}, 0.75, None, (0.75,), 2)))
        on_event(Finished(EMPTY))
    return text.getvalue()


EMPTY = Summary("s", None, {}, (), (), {}, None, None, None, (), *[None] * 6)


def test_a_terminal_sees_the_phase_the_count_the_best_and_failures(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = told(monkeypatch, terminal=True)
    for words in ("test ", "4/4", "best 0.7500", "failed three times: MemoryError: [no] memory"):
        assert words in text
    assert "\x1b[" in text


def test_a_pipe_sees_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(monkeypatch, terminal=False).splitlines() == [
        "s  coarse: 4 trials of 2 epochs, 1 stored already",
        "s  coarse trial 3 failed: MemoryError: [no] memory",
        "s  4 trials done; training the winner once more and testing it",
    ]


def test_a_finished_study_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    text = io.StringIO()
    console = Console(file=text, width=80)
    monkeypatch.setattr(progress, "errors", lambda: console)
    with progress.watch(STUDY) as on_event:
        on_event(Finished(EMPTY))
    assert "finished already" in text.getvalue()
