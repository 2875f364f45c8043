"""`hpsearch trials`: what was wrong with each, in a terminal of any width."""

from __future__ import annotations

from typing import Any

import pytest
from rich.console import Console

from hpsearch.cli.render import trials_table
from hpsearch.engine.summary import Summary, TrialRow
from hpsearch.search.base import RACE, Slot, StageKind
from hpsearch.training.diagnosis import Finding

SETTINGS = {"width": 142, "depth": 2, "learning_rate": 0.00035, "decay": 0.00616, "l2": 0.000179}
LOW = Finding("learning rate too low", "the loss stays", fault=True)
DEAD = Finding("dead ReLUs", "all of them", fault=True)
HINT = Finding("plateau", "nothing moves", fault=False)


def row(number: int, *findings: Finding, **more: Any) -> TrialRow:
    known: dict[str, Any] = {
        "state": "complete",
        "stage": StageKind(RACE, 2),
        "slot": Slot(1, 0, SETTINGS, 1, 40),
        "score": 0.95,
        "epochs": 40,
        "seconds": 1.0,
        "why": "finished",
        "configuration": SETTINGS,
    }
    return TrialRow(number=number, findings=findings, **(known | more))


STOPPED = row(2, LOW, state="pruned", score=0.1, why="diverged")


def printed(*rows: TrialRow, width: int) -> list[str]:
    """The table's lines, without the title and what is empty."""
    console = Console(width=width, no_color=True)
    summary = Summary("s", "random", data={}, stages=(), rows=rows, states={})
    with console.capture() as kept:
        console.print(trials_table(summary, rows, title="t", width=width))
    return [line.rstrip() for line in kept.get().splitlines()[1:] if line.strip()]


def test_where_there_is_room_each_trial_names_its_faults() -> None:
    head, _, *lines = printed(row(0), row(1, LOW, DEAD, HINT), STOPPED, width=120)
    assert head.split()[-3:] == ["decay", "l2", "diagnosis"]
    assert "epochs" in head
    assert lines[0].endswith("0.000179")
    assert lines[1].endswith("rate low, dead ReLUs"), "a hint is no fault"
    assert lines[2].endswith("diverged, rate low")


def test_no_column_takes_the_place_of_another() -> None:
    odd = {"rate": 7, "learning_rate": 0.5, "activation": "x", "stage": 3, "stopped": 4, "act2": 1}
    head, _, line = printed(row(0, configuration=odd), width=140)
    for name in ("rate", "learning_rate", "act", "parameter stage", "parameter stopped", "act2"):
        assert name in head
    assert head.count("rate") == 2
    assert {"race-2", "7", "0.5", "x", "3", "4", "1"} < set(line.split())


def test_in_80_columns_the_epochs_make_room_and_no_number_is_broken() -> None:
    head, _, first, second = printed(row(0), row(1, LOW), width=80)
    assert "epochs" not in head
    assert head.endswith("diagnosis")
    assert second.endswith("rate low")
    assert max(map(len, (head, first, second))) <= 80
    numbers = "0.9500    142      2  0.00035  0.00616  0.000179"
    assert numbers in first
    assert numbers in second


def test_where_there_is_none_the_last_line_says_where_to_look() -> None:
    more = SETTINGS | {"batch_size": 64, "dropout": 0.25, "momentum": 0.95}
    head, _, *lines, last = printed(row(0, LOW, configuration=more), width=100)
    assert "diagnosis" not in head
    assert "epochs" in head
    assert len(lines) == 1
    assert last.strip() == "--json says what was wrong with them"


def test_settings_without_room_are_left_out_and_no_number_is_broken() -> None:
    more = {"activation": "relu", "optimizer": "momentum"} | SETTINGS | {"momentum": 0.95}
    head, _, line, last = printed(row(0, configuration=more), width=80)
    assert head.split()[3:] == ["act", "opt", "width", "depth", "rate", "decay", "l2"]
    numbers = ["142", "2", "0.00035", "0.00616", "0.000179"]
    assert line.split()[3:] == ["relu", "momentum", *numbers]
    assert last.strip() == "no room for momentum; --json has them"


@pytest.mark.parametrize("width", [80, 120])
def test_a_table_without_faults_is_as_it_always_was(width: int) -> None:
    head, _, line = printed(row(0, HINT), width=width)
    assert head.split()[-1] == "l2"
    assert "epochs" in head
    assert line.split()[-1] == "0.000179"


def test_a_stopped_trial_without_a_fault_says_why() -> None:
    head, *_ = printed(row(0, state="fail", why="<[killed]>"), width=120)
    assert head.endswith("stopped")
    assert printed(row(0, state="fail", why="[killed]"), width=120)[-1].endswith("[killed]")


def test_a_trial_as_json_has_its_findings_by_name() -> None:
    document = row(1, LOW, HINT).document()
    assert "findings" not in document
    assert document["diagnosis"] == {"learning rate too low": "the loss stays"}
    assert document["hints"] == {"plateau": "nothing moves"}
    assert row(0).document()["diagnosis"] == {}
    assert document["configuration"] == SETTINGS
