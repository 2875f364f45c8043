"""Progress: live on a terminal, quiet lines elsewhere."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from rich.console import Console

from hpsearch.cli import compare, progress
from hpsearch.compare.run import Progressed
from hpsearch.data.account import Account
from hpsearch.engine.events import (
    DataReady,
    Event,
    Finished,
    StageStarted,
    TrialDone,
    Waiting,
    WinnerNamed,
)
from hpsearch.engine.summary import Summary
from hpsearch.errors import DataError
from hpsearch.metrics import ACCURACY
from hpsearch.search.base import Result, Stage, StageKind, Winner
from hpsearch.space import Float, Space
from hpsearch.study_file import StudyFile, parse_study_file
from hpsearch.study_file.data import study_data

STUDY = parse_study_file('name = "s"\n[data]\nname = "iris"\n[search]\ntrials = 4')
STAGE = Stage(
    StageKind("coarse"),
    0,
    4,
    2,
    Space({"l2": Float(0, 1)}),
    seed=0,
    propose=lambda i, _: {"l2": i / 4},
)


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


def test_a_study_that_was_extended_has_its_new_total(monkeypatch: pytest.MonkeyPatch) -> None:
    text, clock = io.StringIO(), iter(range(0, 100_000, 100))
    console = Console(file=text, width=80, highlight=False)
    monkeypatch.setattr(progress, "errors", lambda: console)
    with progress.watch(STUDY, clock=lambda: float(next(clock))) as on_event:
        on_event(StageStarted(STAGE, 3))
        on_event(Waiting(STAGE, 1, 9))
        for index in range(6):
            slot = STAGE.slot(index % 4)
            on_event(TrialDone(STAGE, slot, Result(slot, 0.5)))
    assert re.findall(r"(\d+) of (\d+) trials done", text.getvalue())[-1] == ("9", "9")


DATA = {"name": "d", "account": Account(9, 2).document()}
EMPTY = Summary("s", None, DATA, (), (), {}, None, None, None, (), *[None] * 6)


def test_a_terminal_sees_the_phase_the_count_the_best_and_failures(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = told(monkeypatch, terminal=True)
    for words in ("test ", "4/4", "best 0.7500", "a trial failed: MemoryError: [no] memory"):
        assert words in text
    assert "\x1b[" in text


def test_a_pipe_sees_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(monkeypatch, terminal=False).splitlines() == [
        "s  coarse: 4 trials of 2 epochs, 1 stored already",
        "s  coarse trial 3 failed: MemoryError: [no] memory",
        "s  4 trials done; training the winner once more and testing it",
        "d: 9 rows of 2 columns and the target, all kept",
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
        on_event(DataReady(dataset, split, ACCURACY, stored))
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

    monkeypatch.setattr("hpsearch.checks.check_data_and_network", broken)
    assert "were given up: no [good]" in checked(monkeypatch, stored=0)


def test_a_finished_study_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    text = io.StringIO()
    console = Console(file=text, width=80)
    monkeypatch.setattr(progress, "errors", lambda: console)
    with progress.watch(STUDY) as on_event:
        on_event(Finished(EMPTY))
    assert "finished already" in text.getvalue()


class Clock:
    """Time as the test tells it."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


PLAN = parse_study_file(
    'name = "s"\n[data]\nname = "iris"\n[training]\nepochs = 20\n'
    '[search]\nstrategy = "coarse-to-fine"\ntrials = 76\nrace = 0'
)
COARSE, FINE, LAST = (
    Stage(
        kind,
        k,
        slots,
        epochs,
        Space({"l2": Float(0, 1)}),
        seed=0,
        propose=lambda i, _: {"l2": i / 99},
    )
    for k, (kind, slots, epochs) in enumerate(
        (
            (StageKind("coarse"), 38, 5),
            (StageKind("fine", 1), 19, 10),
            (StageKind("fine", 2), 19, 20),
        )
    )
)
SECONDS = 1.0  # that a worker takes for an epoch, of which there are two


class Film:
    """A run before a clock, two trainings at once, each a second for an epoch."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        study: StudyFile = PLAN,
        *,
        terminal: bool = False,
        rows: int | None = None,
    ) -> None:
        self.text, self.clock = io.StringIO(), Clock()
        console = Console(file=self.text, force_terminal=terminal, width=100, highlight=False)
        monkeypatch.setattr(progress, "errors", lambda: console)
        self.watching = progress.watch(study, clock=self.clock)
        self.on_event = self.watching.__enter__()
        self.said: list[tuple[float, str]] = []
        if rows is not None:
            dataset, [split] = study_data(study.data, study.seed)
            many = replace(dataset, X=np.zeros((rows, 4), np.float32), y=np.zeros(rows, int))
            self.tell(DataReady(many, split, ACCURACY, 0))

    def tell(self, event: Event) -> None:
        before = len(self.text.getvalue())
        self.on_event(event)
        lines = self.text.getvalue()[before:].splitlines()
        self.said += [(self.clock.now - 1000, line) for line in lines]

    def wait(self, stage: Stage, seconds: float, running: int = 2) -> None:
        for _ in range(round(seconds * 10)):
            self.clock.now += 0.1
            self.tell(Waiting(stage, running))

    def run(self, stage: Stage, slots: int | None = None, score: float = 0.5) -> None:
        self.tell(StageStarted(stage, 0))
        for index in range(0, slots or stage.slots, 2):
            self.wait(stage, stage.epochs * SECONDS)
            for k in (index, index + 1):
                if k < (slots or stage.slots):
                    self.tell(TrialDone(stage, stage.slot(k), Result(stage.slot(k), score)))


def seconds_of(line: str) -> float:
    """The forecast of a line."""
    found = re.search(r"about ([\d.]+) (s|min|h) left", line)
    assert found, line
    return float(found[1]) * {"s": 1, "min": 60, "h": 3600}[found[2]]


def test_a_pipe_sees_now_and_then_how_far_a_long_stage_is(monkeypatch: pytest.MonkeyPatch) -> None:
    film = Film(monkeypatch)
    film.run(COARSE)
    (_, first), *rest = film.said
    assert first == "s  coarse: 38 trials of 5 epochs"
    times = [time for time, _ in rest]
    gaps = [after - before for before, after in pairwise([0.0, *times])]
    assert 10 <= times[0] <= 16
    assert all(gap <= 61 for gap in gaps), "never long without a word"
    assert sorted(gaps[1:]) == gaps[1:], "ever rarer"
    assert all(
        re.fullmatch(
            r"s  coarse: \d+ of 76 trials done, best so far 0.5000, about \d+ (s|min) left", line
        )
        for _, line in rest
    ), rest


def test_the_forecast_counts_epochs_and_not_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the trials are a quarter of the time: the later ones train longer."""
    film = Film(monkeypatch)
    for stage in (COARSE, FINE, LAST):
        film.run(stage)
    whole = (19 * 5 + 10 * 10 + 10 * 20 + 10) * SECONDS  # two at a time
    for time, line in film.said:
        if "left" in line:
            few = time < 30  # trainings, of which some have just begun
            off = 0.45 if few else 0.2
            assert seconds_of(line) == pytest.approx(whole - time, rel=off, abs=30), line


def test_a_pipe_sees_that_the_first_trainings_take_long(monkeypatch: pytest.MonkeyPatch) -> None:
    film = Film(monkeypatch)
    film.tell(StageStarted(COARSE, 0))
    film.wait(COARSE, 120)
    lines = [line for _, line in film.said[1:]]
    assert lines[0] == "s  coarse: still in the first trainings after 10 s, 2 under way"
    assert 3 <= len(lines) <= 6
    slot = COARSE.slot(0)
    film.tell(TrialDone(COARSE, slot, Result(slot, 0.5)))
    assert "1 of 76 trials done" in film.said[-1][1], "the first forecast comes at once"
    assert film.said[-1][0] == pytest.approx(120)


def test_trials_that_were_there_before_count_as_done_and_not_as_speed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    film = Film(monkeypatch)
    film.tell(StageStarted(COARSE, 36))
    film.wait(COARSE, 12)
    for k in (36, 37):
        film.tell(TrialDone(COARSE, COARSE.slot(k), Result(COARSE.slot(k), 0.5)))
    _, line = film.said[-1]
    assert "37 of 76 trials done" in line
    assert 5 * 60 <= seconds_of(line) <= 20 * 60


@pytest.mark.parametrize(("rows", "hint"), [(2_000_000, True), (150, False)])
@pytest.mark.parametrize("terminal", [False, True])
def test_a_long_search_of_many_rows_is_told_of_limit_once(
    monkeypatch: pytest.MonkeyPatch, rows: int, hint: bool, terminal: bool
) -> None:
    long = PLAN.model_copy(update={"training": PLAN.training.model_copy(update={"epochs": 400})})
    coarse = replace(COARSE, epochs=100)
    film = Film(monkeypatch, long, rows=rows, terminal=terminal)
    film.run(coarse, slots=6)
    text = film.text.getvalue()
    assert text.count("[data] limit = ") == (1 if hint else 0)
    if hint:
        found = re.search(r"\[data\] limit = (\d+) would learn from a sample of the", text)
        assert found
        assert 1000 <= int(found[1]) < rows / 5


def test_a_short_search_of_many_rows_is_told_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    film = Film(monkeypatch, rows=2_000_000)
    film.run(COARSE, slots=10)
    assert "limit" not in film.text.getvalue()


def test_a_budget_in_seconds_ends_the_forecast(monkeypatch: pytest.MonkeyPatch) -> None:
    limited = PLAN.model_copy(update={"search": PLAN.search.model_copy(update={"seconds": 60.0})})
    film = Film(monkeypatch, limited)
    film.run(COARSE, slots=10)
    assert all(seconds_of(line) <= 60 for _, line in film.said if "left" in line)


def test_a_terminal_sees_the_forecast_too(monkeypatch: pytest.MonkeyPatch) -> None:
    film = Film(monkeypatch, terminal=True)
    film.run(COARSE, slots=10)
    film.watching.__exit__(None, None, None)
    assert "about 6 min left" in film.text.getvalue()


def test_a_grid_counts_its_own_points(monkeypatch: pytest.MonkeyPatch) -> None:
    grid = parse_study_file(
        'name = "s"\n[data]\nname = "iris"\n[model]\ndepth = 1\nwidth = 8\n[search]\n'
        'strategy = "grid"\ntrials = 76\npoints = { learning_rate = 3, l2 = 2, decay = 1 }\n'
    )
    film = Film(monkeypatch, grid)
    stage = replace(COARSE, kind=StageKind("grid"), slots=6, epochs=grid.training.epochs)
    film.tell(StageStarted(stage, 0))
    film.wait(stage, 11)
    film.tell(TrialDone(stage, stage.slot(0), Result(stage.slot(0), 0.5)))
    assert "1 of 6 trials done" in film.said[-1][1]


def test_a_comparison_in_a_pipe_is_never_long_without_a_word(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text, clock = io.StringIO(), Clock()
    console = Console(file=text, width=100, highlight=False)
    monkeypatch.setattr(compare, "errors", lambda: console)
    with compare._progress("c", clock) as (on_progress, on_event):
        on_progress(Progressed("random", 0, 0, 4))
        for done, strategy in enumerate(("random", "grid", "random", "grid")):
            on_progress(Progressed(strategy, done // 2, done, 4))
            for _ in range(90):
                clock.now += 1.0
                on_event(TrialDone(COARSE, COARSE.slot(0), None))
            on_progress(Progressed(strategy, done // 2, done + 1, 4, EMPTY))
    lines = text.getvalue().splitlines()
    assert lines[0] == "c  repeat 1, 0 of 4 searches done"
    assert lines[1] == "c  repeat 1, random: 10 trials done; 0 of 4 searches done"
    assert len(lines) >= 8
    last = [line for line in lines if "left" in line][-1]
    assert "3 of 4 searches done, about " in last
    assert 60 <= seconds_of(last) <= 150
