"""All trials as columns: what is kept of them, in how much room."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from views import WIDE, trial, view_of

from hpsearch.report.columns import (
    BEST,
    LONGEST_CURVE,
    ROOM,
    TOP,
    Column,
    Curves,
    Numbers,
    Trials,
    packed,
    trial_columns,
)
from hpsearch.space import Categorical, Float, Int
from hpsearch.training.diagnosis import Finding


def read(numbers: Numbers) -> list[Any]:
    """What a script makes of packed numbers."""
    array = np.frombuffer(base64.b64decode(numbers["bdata"]), f"<{numbers['dtype']}")
    return [None if np.isnan(x) else x for x in array.tolist()]


def column(trials: Trials, key: str) -> Column:
    [found] = [column for column in trials["columns"] if column["key"] == key]
    return found


def values(trials: Trials, key: str) -> list[Any]:
    """A column as its reader sees it."""
    kept = column(trials, key)["values"]
    if "codes" in kept:
        return [kept["texts"][code] for code in read(kept["codes"])]
    return read(kept)


def test_trials_stand_best_first_with_all_digits() -> None:
    scores = [0.1 + 0.2, 0.9, 1 / 3]
    trials = trial_columns(view_of(*(trial(n, score) for n, score in enumerate(scores))))
    assert values(trials, "number") == [1, 2, 0]
    assert values(trials, "score") == [0.9, 1 / 3, 0.1 + 0.2]
    assert (trials["count"], trials["best"], trials["maximize"]) == (3, 1, True)


def test_parameters_of_every_kind() -> None:
    parameters = {
        "rate": WIDE,
        "width": Int(1, 10**6),
        "kind": Categorical(("relu", "elu", "tanh")),
        "flag": Categorical((True, None, 3)),
    }
    one = {"rate": 0.01, "width": 70_000, "kind": "elu", "flag": None}
    other = {"rate": 0.1, "width": 3, "flag": True}
    view = view_of(
        trial(0, 0.5, configuration=one), trial(1, 0.4, configuration=other), parameters=parameters
    )
    trials = trial_columns(view)
    assert values(trials, "p.rate") == [0.01, 0.1]
    assert values(trials, "p.width") == [70_000, 3]
    assert values(trials, "p.kind") == ["elu", ""], "what a trial does not have is missing"
    assert values(trials, "p.flag") == ["None", "True"]
    kind = column(trials, "p.kind")["values"]
    assert "codes" in kind
    assert kind["texts"] == ["", "relu", "elu", "tanh"], "choices in their order"
    assert (column(trials, "p.rate")["log"], column(trials, "p.width")["log"]) == (True, False)
    assert {c["key"] for c in trials["columns"] if c["role"] == "parameter"} == {
        f"p.{name}" for name in parameters
    }


def test_a_parameter_may_be_called_as_a_column_of_ours() -> None:
    parameters = {name: Float(0.0, 1.0) for name in ("state", "score", "p.state", "trial")}
    row = trial(0, 0.5, configuration=dict.fromkeys(parameters, 0.25))
    trials = trial_columns(view_of(row, parameters=parameters))
    names = [column["name"] for column in trials["columns"]]
    assert len(set(names)) == len(names)
    assert values(trials, "p.state") == [0.25]


def test_what_no_trial_has_is_no_column() -> None:
    bare = {"stage": None, "epochs": None, "seconds": None, "why": "", "worker": "", "curve": {}}
    row = trial(0, 0.5, train_losses=(), validation_losses=(), **bare)
    foreign = replace(row, slot=None)
    trials = trial_columns(view_of(foreign))
    keys = {column["key"] for column in trials["columns"]}
    assert keys == {"number", "state", "score", "p.rate", "p.l2", "started"}
    assert trials["curves"] == {}


def test_trials_of_several_values_have_no_score() -> None:
    trials = trial_columns(view_of(trial(0, None, values=(1.0, 2.0)), trial(1, None), objectives=2))
    assert values(trials, "value.0") == [1.0, None]
    assert values(trials, "value.1") == [2.0, None]
    assert trials["best"] is None


def test_odd_numbers_stay_what_they_are() -> None:
    view = view_of(
        *(trial(n, s) for n, s in enumerate([float("inf"), 1e300, -0.0])),
        trial(3, None, state="fail"),
    )
    trials = trial_columns(view)
    assert values(trials, "score") == [float("inf"), 1e300, -0.0, None]
    huge = {"rate": 2**60, "l2": 0.5}
    whole = trial_columns(view_of(trial(0, 0.5, configuration=huge)))
    assert values(whole, "p.rate") == [str(2**60)], "JavaScript would round it"
    json.dumps(trials, allow_nan=False)


@pytest.mark.parametrize(
    ("numbers", "dtype"),
    [
        ([], "u1"),
        ([0, 255], "u1"),
        ([0, 256], "u2"),
        ([-1, 5], "i4"),
        ([0, 2**31], "f8"),
        ([1.5], "f8"),
        ([1, None], "f8"),
        (np.array([1.5], np.float32), "f4"),
    ],
)
def test_numbers_take_no_more_room_than_they_need(numbers: Any, dtype: str) -> None:
    kept = packed(numbers)
    assert kept["dtype"] == dtype
    assert read(kept) == list(numbers)


def curve(curves: Curves, which: int) -> tuple[list[int], list[float]]:
    lengths = read(curves["lengths"])
    begin, length = sum(lengths[:which]), lengths[which]
    order = sum(bool(n) for n in lengths[:which])
    low, high = (read(curves[end])[order] for end in ("low", "high"))
    places = read(curves["places"])[begin : begin + length]
    steps = range(1, length + 1) if curves["steps"] is None else read(curves["steps"])
    found = [float("nan") if p > TOP else low + (high - low) * p / TOP for p in places]
    return [*steps][begin : begin + length] if curves["steps"] else [*steps], found


def test_curves_are_what_they_were_to_a_reader_s_eye() -> None:
    losses = (2.0, 1.0, float("inf"), 0.25)
    with_curve = trial(0, 0.9, curve={1: 0.1, 2: 0.7, 3: 0.9}, train_losses=losses)
    without = trial(1, 0.8, curve={}, train_losses=(), validation_losses=())
    curves = trial_columns(view_of(with_curve, without))["curves"]
    steps, found = curve(curves["validation accuracy"], 0)
    assert steps == [1, 2, 3]
    assert found == pytest.approx([0.1, 0.7, 0.9], abs=2e-5)
    assert curve(curves["training loss"], 0)[1] == pytest.approx(
        [2.0, 1.0, float("nan"), 0.25], abs=1e-4, nan_ok=True
    )
    assert read(curves["validation accuracy"]["lengths"]) == [3, 0]


def test_a_score_that_is_called_a_loss_keeps_its_curve() -> None:
    row = trial(0, 0.25, stage=None, curve={1: 1.0, 2: 0.25}, train_losses=(), validation_losses=())
    view = view_of(row, maximize=False)
    measure = replace(view.summary.measure, name="validation loss")
    view = replace(view, summary=replace(view.summary, strategy=None, measure=measure))
    curves = trial_columns(view)["curves"]
    assert curve(curves["validation loss"], 0)[1] == pytest.approx([1.0, 0.25], abs=1e-4)


def test_long_curves_are_thinned_those_of_the_best_least() -> None:
    long = {step: step / 1000 for step in range(1, 1001)}
    view = view_of(*(trial(n, 1.0 - n / 1000, curve=long) for n in range(BEST + 900)))
    curves = trial_columns(view)["curves"]["validation accuracy"]
    lengths = read(curves["lengths"])
    assert lengths[0] == lengths[BEST - 1] == LONGEST_CURVE
    assert 8 <= lengths[BEST] == lengths[-1] <= 60
    steps, _ = curve(curves, BEST + 1)
    assert (steps[0], steps[-1]) == (1, 1000), "the ends stay"


@pytest.mark.slow
def test_five_thousand_trials_are_small() -> None:
    rng = np.random.default_rng(0)
    long = range(1, 51)
    view = view_of(
        *(
            trial(
                number,
                float(rng.random()),
                configuration={"rate": float(rng.random()), "l2": float(rng.random())},
                curve=dict(zip(long, rng.random(50).tolist(), strict=True)),
                train_losses=tuple(rng.random(50).tolist()),
                validation_losses=tuple(rng.random(50).tolist()),
            )
            for number in range(5000)
        )
    )
    assert len(json.dumps(trial_columns(view))) < 2_000_000


def test_details_have_a_limit_and_failures_come_first() -> None:
    finding = Finding("overfitting", "the gap is 0.5", fault=True)
    best = trial(0, 0.9, findings=(finding,))
    failed = trial(1, None, state="fail", why="x" * 2000, log="the last words")
    trials = trial_columns(view_of(best, failed))
    assert trials["details"]["1"] == {"why": "x" * 2000, "log": "the last words"}
    assert trials["details"]["0"]["findings"][0]["name"] == "overfitting"
    assert set(trials["advice"]) == {"overfitting"}
    assert trials["left_out"] == 0
    assert len(values(trials, "why")[1]) < 200
    many = trial_columns(
        view_of(best, *(trial(n, None, state="fail", why="y" * 2000) for n in range(1, 400)))
    )
    assert many["left_out"] > 0
    assert sum(len(str(detail)) for detail in many["details"].values()) <= ROOM


def test_names_and_texts_are_written_out() -> None:
    turned = "\N{RIGHT-TO-LEFT OVERRIDE}x"
    parameters = {turned: Categorical((turned, "b"))}
    row = trial(0, 0.5, configuration={turned: turned}, worker="\x1b[2J", log="\x07")
    trials = trial_columns(view_of(row, parameters=parameters))
    assert column(trials, "p.\\u202ex")["name"] == "\\u202ex"
    assert values(trials, "p.\\u202ex") == ["\\u202ex"]
    assert values(trials, "worker") == ["\\x1b[2J"]
    assert trials["details"]["0"]["log"] == "\\x07"
