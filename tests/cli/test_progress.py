"""Progress: live on a terminal, quiet lines elsewhere."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from hpsearch.cli import progress
from hpsearch.engine.events import DataReady, Finished, StageStarted, TrialDone, WinnerNamed
from hpsearch.engine.summary import Summary
from hpsearch.errors import DataError
from hpsearch.search.base import Result, Stage, Winner
from hpsearch.space import Float, Space
from hpsearch.study_file import parse_study_file
from hpsearch.study_file.data import study_data

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


def checked(monkeypatch: pytest.MonkeyPatch, *, stored: int, check: bool = True) -> str:
    """What is printed when the data of a study with rates far too high are ready."""
    text = io.StringIO()
    console = Console(file=text, force_terminal=True, width=80, highlight=False)
    monkeypatch.setattr(progress, "errors", lambda: console)
    study = parse_study_file(
        'name = "s"\n[data]\nname = "iris"\n[training]\nlearning_rate = 1000.0\n'
    )
    dataset, [split] = study_data(study.data, study.seed)
    with progress.watch(study, check=check) as on_event:
        on_event(DataReady(dataset, split, stored))
    return text.getvalue()


def test_a_failed_check_is_red_and_only_before_the_first_trial(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = checked(monkeypatch, stored=0)
    assert "\x1b[1;31mfail" in text
    assert "your rate 1000 lies above where this network learns" in text
    assert "lies above" not in checked(monkeypatch, stored=1)
    assert "lies above" not in checked(monkeypatch, stored=0, check=False)


def test_checks_that_cannot_be_made_stop_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise DataError("no [good]")

    monkeypatch.setattr("hpsearch.diagnostics.check_data_and_network", broken)
    assert "were given up: no [good]" in checked(monkeypatch, stored=0)


def test_a_finished_study_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    text = io.StringIO()
    console = Console(file=text, width=80)
    monkeypatch.setattr(progress, "errors", lambda: console)
    with progress.watch(STUDY) as on_event:
        on_event(Finished(EMPTY))
    assert "finished already" in text.getvalue()
