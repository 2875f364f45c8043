"""Studies that begin with known-good configurations, and with another study's winner."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from here import Here

from hpsearch.cli.app import run
from hpsearch.compare.run import compare_study
from hpsearch.engine import record, run_study
from hpsearch.engine.events import Event, FirstTaken, TrialDone
from hpsearch.errors import HpsearchError, UsageError
from hpsearch.storage import load_study, open_storage
from hpsearch.study_file import StudyFile, parse_study_file
from hpsearch.wording import first_text

pytestmark = pytest.mark.slow

TEXT = """
name = "{name}"
[data]
name = "iris"
[model]
width = {{ low = 4, high = 32, log = true }}
depth = 1
[training]
epochs = 2
l2 = 0.0
decay = 0.1
optimizer = {{ choices = {choices} }}
[search]
strategy = "{strategy}"
trials = {trials}
{rest}
"""


def study(name: str, rest: str = "", **given: Any) -> StudyFile:
    settings = {"strategy": "random", "trials": 5, "choices": ["momentum", "adam"]} | given
    settings["choices"] = json.dumps(settings["choices"])
    return parse_study_file(TEXT.format(name=name, rest=rest, **settings))


def configurations(db: str, name: str) -> list[dict[str, Any]]:
    trials = load_study(open_storage(db), name).trials
    return [t.params for t in sorted(trials, key=lambda t: record.read_slot(t).place)]  # type: ignore[union-attr]


FIRST = '[[first]]\nwidth = 48\nlearning_rate = 0.05\n[[first]]\noptimizer = "adam"'


def test_they_are_the_first_trials_and_the_widening_is_told(here: Here, db: str) -> None:
    summary = run_study(study("s", FIRST), storage=db)
    tried = configurations(db, "s")
    assert len(tried) == 5
    assert tried[0].items() >= {"width": 48, "learning_rate": 0.05}.items()
    assert tried[1]["optimizer"] == "adam"
    [change] = summary.stages[0].changes
    assert change.parameter == "width"
    [told] = summary.document()["stages"][0]["changes"]
    assert told["parameter"] == "width"
    assert told["reason"] == (
        "the first configuration 1 has width = 48, so that the range is widened."
    )
    assert (told["before"]["width"]["high"], told["after"]["width"]["high"]) == (32, 48)
    distribution = load_study(open_storage(db), "s").trials[0].distributions["width"]
    assert distribution.high == 48  # type: ignore[attr-defined]


def test_a_study_cannot_begin_with_others_later(here: Here, db: str) -> None:
    run_study(study("s", FIRST), storage=db)
    with pytest.raises(UsageError, match=r"made with other settings: first was \[.*\] and is \[\]"):
        run_study(study("s"), storage=db)


def test_in_python_they_are_given(here: Here, db: str) -> None:
    import numpy as np

    given = [{"width": np.int64(48)}, {"optimizer": "adam"}]
    run_study(study("s", "[[first]]\nwidth = 7"), storage=db, first=given)
    assert [c["width"] for c in configurations(db, "s")][::2][0] == 48
    assert configurations(db, "s")[1]["optimizer"] == "adam"
    assert configurations(db, "s")[2]["width"] == 7
    again = run_study(study("s", "[[first]]\nwidth = 7"), storage=db, first=given)
    assert again.states == {"complete": 5}
    with pytest.raises(UsageError, match="width: 'x' is not a whole number"):
        run_study(study("t"), storage=db, first=[{"width": "x"}])


class StoppedError(Exception):
    """Ends a run as a kill would, but for the time."""


def test_a_study_takes_the_winner_of_another_and_goes_on_with_it(here: Here, db: str) -> None:
    run_study(study("early"), storage=db)
    winner = record.read_metadata(load_study(open_storage(db), "early"), "result")["configuration"]
    told: list[Event] = []

    def stop(event: Event) -> None:
        told.append(event)
        if isinstance(event, TrialDone):
            raise StoppedError

    with pytest.raises(StoppedError):
        run_study(study("late"), storage=db, first="early", on_event=stop)
    assert [event for event in told if isinstance(event, FirstTaken)]
    run_study(study("early", trials=9), storage=db)  # another winner, maybe; this study has its own
    run_study(study("late"), storage=db)
    run_study(study("late"), storage=db, first="early")
    run_study(study("whole", FIRST.split("[[first]]\no")[0]), storage=db, first="early")
    assert configurations(db, "late")[0] == winner
    with pytest.raises(
        UsageError, match="'late' began with the winner of 'early', and is now to begin with that"
    ):
        run_study(study("late"), storage=db, first="whole")
    with pytest.raises(UsageError, match="'early' began with nobody's winner"):
        run_study(study("early"), storage=db, first="late")


def test_what_has_no_place_here_is_left_out_and_said(here: Here, db: str) -> None:
    run_study(study("early", choices=["adam"]), storage=db)
    told: list[FirstTaken] = []
    run_study(
        study("late", choices=["momentum", "sgd"]),
        storage=db,
        first="early",
        on_event=lambda event: told.append(event) if isinstance(event, FirstTaken) else None,
    )
    [taken] = told
    assert taken.left_out == ("optimizer",)
    assert taken.configuration.keys() == {"width", "learning_rate"}
    assert first_text(taken).startswith("the winner of early comes first: ")
    assert first_text(taken).endswith("; left out: optimizer")


OWN = """
name = "{name}"
[objective]
function = "given"
direction = "minimize"
[space]
rate = {{ low = {low}, high = {high} }}
[search]
trials = 4
strategy = "random"
"""


def test_a_winner_beyond_the_ranges_of_one_s_own_parameters_widens_them(db: str) -> None:
    def evaluate(configuration: dict[str, Any], _: Any) -> float:
        return abs(configuration["rate"] - 20.0)

    early, late, given = (
        parse_study_file(OWN.format(name=name, low=low, high=high))
        for name, low, high in (("early", 19.0, 21.0), ("late", 0.0, 1.0), ("given", 0.0, 1.0))
    )
    run_study(early, storage=db, objective=evaluate, workers=1)
    summary = run_study(late, storage=db, objective=evaluate, workers=1, first="early")
    winner = record.read_metadata(load_study(open_storage(db), "early"), "result")["configuration"]
    assert configurations(db, "late")[0] == winner
    assert "so that the range is widened" in summary.stages[0].changes[0].reason
    run_study(given, storage=db, objective=evaluate, workers=1, first=[{"rate": 30.0}])
    assert configurations(db, "given")[0] == {"rate": 30.0}
    assert max(each["rate"] for each in configurations(db, "given")) == 30.0


def test_the_command_advises_by_the_ranges_that_were_searched(
    tmp_path: Path, db: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "far_away.py").write_text("def f(c, trial):\n    return abs(c['rate'] - 20.0)\n")
    ranges = {"early": (19.0, 21.0), "late": (0.0, 1.0)}
    for name, (low, high) in ranges.items():
        text = OWN.format(name=name, low=low, high=high).replace("given", "far_away:f")
        (tmp_path / f"{name}.toml").write_text(text.replace("trials = 4", "trials = 30"))
    words = ["--storage", db, "--workers", "1"]
    assert run(["run", str(tmp_path / "early.toml"), *words]) == 0
    assert run(["run", str(tmp_path / "late.toml"), "--first", "early", *words]) == 0
    assert "widened" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "words"), [("nobody", "nobody"), ("unfinished", "has no winner yet")]
)
def test_there_must_be_a_winner(here: Here, db: str, name: str, words: str) -> None:
    def stop(event: Event) -> None:
        if isinstance(event, TrialDone):
            raise StoppedError

    with pytest.raises(StoppedError):
        run_study(study("unfinished"), storage=db, on_event=stop)
    with pytest.raises(HpsearchError, match=words):
        run_study(study("late"), storage=db, first=name)


SMALL = """
name = "small"
[data]
name = "iris"
[model]
width = 8
depth = { choices = [1, 2] }
[training]
epochs = 2
l2 = 0.0
decay = 0.1
learning_rate = { choices = [0.01, 0.1, 0.3] }
[search]
trials = 30
"""


def test_a_small_space_is_searched_once_and_the_run_says_so(here: Here, db: str) -> None:
    summary = run_study(parse_study_file(SMALL), storage=db)
    sentence = (
        "The space has 6 configurations, so that 6 trials search it and not 22; the race has its 8."
    )
    assert len(summary.rows) == 6 + 8
    assert summary.stages[0].note == sentence
    assert summary.document()["stages"][0]["note"] == sentence
    assert run_study(parse_study_file(SMALL), storage=db).states == summary.states


def test_every_strategy_of_a_comparison_begins_with_them(here: Here, db: str) -> None:
    compare = '[compare]\nstrategies = ["random", "random-x2", "grid"]\nrepeats = 1\nrace = false'
    compare_study(study("c", f"{FIRST}\n{compare}", trials=8), storage=db)
    for strategy in ("random", "random-x2", "grid"):
        assert configurations(db, f"c/{strategy}/0")[0]["width"] == 48
        assert configurations(db, f"c/{strategy}/0")[1]["optimizer"] == "adam"


DISCRETE = """
name = "{name}"
[data]
name = "iris"
[model]
width = {{ low = 2, high = 9 }}
depth = {{ choices = [1, 2] }}
[training]
epochs = 4
l2 = 0.0
decay = 0.1
learning_rate = {{ choices = [0.01, 0.1] }}
[search]
strategy = "{strategy}"
trials = 26
[[first]]
width = 12
"""


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["guided", "coarse-to-fine", "random"])
def test_a_discrete_search_is_the_same_for_any_workers_and_after_kills(
    strategy: str, here: Here, db: str
) -> None:
    def tried(name: str) -> dict[tuple[int, int], Any]:
        trials = load_study(open_storage(db), name).trials
        return {record.read_slot(t).place: (t.params, t.values) for t in trials}  # type: ignore[union-attr]

    one, three = (parse_study_file(DISCRETE.format(name=n, strategy=strategy)) for n in "ab")
    run_study(one, storage=db, workers=1)
    left = 0

    def stop(event: Event) -> None:
        nonlocal left
        if isinstance(event, TrialDone):
            left -= 1
            if left == 0:
                raise StoppedError

    for trials in (3, 5, 4, 6):
        left = trials
        with pytest.raises(StoppedError):
            run_study(three, storage=db, workers=3, on_event=stop)
    run_study(three, storage=db, workers=3)
    assert tried("a") == tried("b")
