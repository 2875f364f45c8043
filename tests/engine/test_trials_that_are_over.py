"""Trials, where they are counted, are those that have ended."""

from __future__ import annotations

from hpsearch.cli.render import studies_table
from hpsearch.engine.summary import Summary
from hpsearch.wording import result_sentence

STATES = {"complete": 26, "pruned": 1, "fail": 1, "running": 2, "waiting": 4}


def test_trials_under_way_are_not_counted() -> None:
    summary = Summary("s", "random", {}, (), (), STATES, validation=0.5)
    assert summary.over == 28
    assert "of 28 trials so far" in result_sentence(summary)
    table = studies_table({"s": summary}, {}, width=200)
    [trials] = [column for column in table.columns if column.header == "trials"]
    assert list(trials.cells) == ["28"]


def test_a_study_of_which_nothing_has_ended_has_none() -> None:
    summary = Summary("s", "random", {}, (), (), {"running": 3, "waiting": 4})
    table = studies_table({"s": summary}, {}, width=200)
    [trials] = [column for column in table.columns if column.header == "trials"]
    assert list(trials.cells) == ["0"]
