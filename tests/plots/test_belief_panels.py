"""The panels of what a model believes: of studies of every kind, and of such as tell it nothing."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from views import COARSE, FINE, WIDE, trial, view_of

from hpsearch.plots import NothingToDraw, StudyView, panel, read_view
from hpsearch.plots.beliefs import beliefs_of
from hpsearch.plots.effects import effects_data, effects_figures
from hpsearch.plots.interaction import interaction_data, interaction_figure
from hpsearch.plots.predicted import predicted_data, predicted_figure
from hpsearch.search.base import Motive
from hpsearch.space import Categorical, Float, Value
from hpsearch.storage import open_storage

PANELS = ("effects", "interaction", "predicted")


def ruled_by_rate(count: int = 60, *, maximize: bool = True, **more: Any) -> StudyView:
    """A study that is best at a rate of 0.1 and hardly depends on l2; the worst trials diverged."""
    rng = np.random.default_rng(0)
    trials = []
    for n in range(count):
        rate, l2 = WIDE.from_unit(rng.random()), float(rng.random())
        loss = 0.1 * (math.log10(rate) + 1) ** 2 + 0.005 * l2
        settings = {"configuration": {"rate": rate, "l2": l2}, "stage": FINE, "stage_index": 1}
        state = "pruned" if loss > 0.75 else "complete"
        score = 0.9 - loss if maximize else loss
        trials.append(trial(n, score, state=state, motive=Motive(0.1, 0.5), **settings))
    return view_of(*trials, maximize=maximize, **more)


@pytest.mark.parametrize("maximize", [True, False])
def test_effects_are_drawn_in_the_unit_of_the_score(maximize: bool) -> None:
    data = effects_data(ruled_by_rate(maximize=maximize))
    rate, l2 = data.effects
    assert (rate.name, l2.name) == ("rate", "l2")
    assert rate.share > 0.9 > 0.1 > l2.share
    best = rate.mean.argmax() if maximize else rate.mean.argmin()
    assert rate.values[best] == pytest.approx(0.1, rel=0.5)
    assert rate.mean[best] == pytest.approx(0.9 if maximize else 0.0, abs=0.02)
    for effect in data.effects:
        assert (effect.low <= effect.mean).all()
        assert (effect.mean <= effect.high).all()
        assert data.axis.low <= effect.low.min() <= effect.high.max() <= data.axis.high
    assert rate.best is not None
    assert rate.best == pytest.approx(0.1, rel=0.5)
    assert "with the others as in the best so far" in data.note
    assert "60 results" in data.note


def test_a_choice_has_a_bar_and_a_number_a_shade() -> None:
    view = ruled_by_rate()
    kinds = Categorical(("relu", "<b>tanh</b>"))
    rows = tuple(
        replace(row, configuration=settings, slot=None, stage=None)
        for row in view.trials
        for settings in [{**row.configuration, "kind": kinds.choices[row.number % 2]}]
    )
    summary = replace(view.summary, rows=rows, stages=(), best=rows[0].configuration)
    view = replace(view, summary=summary, parameters={**view.parameters, "kind": kinds})
    figures = {f.layout.xaxis.title.text: f for f in effects_figures(effects_data(view))}
    shade, line, *_ = figures["rate (log scale)"].data
    assert shade.fill == "toself"
    assert line.mode == "lines"
    choices, average, best = figures["kind"].data
    assert choices.mode == average.mode == "markers"
    assert len(choices.error_y.array) == 2
    assert choices.text[1] == "&lt;b&gt;tanh&lt;/b&gt;"
    assert best.name == "the best so far"


def test_the_map_says_how_its_pair_was_chosen() -> None:
    data = interaction_data(ruled_by_rate())
    assert set(data.names) == {"rate", "l2"}
    assert data.surface.shape == (len(data.grids[1]), len(data.grids[0]))
    assert data.drawn.shape == (2, 60)
    assert "the largest interaction" in data.note
    assert "the star is the best so far" in data.note
    _, points, star = interaction_figure(data).data
    assert len(points.x) == 60
    assert star.marker.symbol == "star-open"


def test_two_parameters_of_choices_are_fields_and_not_contours() -> None:
    view = ruled_by_rate()
    kind = Categorical(("a", "b"))
    rows = tuple(
        replace(row, configuration={"u": u, "v": v}, slot=None, score=score, state="complete")
        for row in view.trials
        for u, v in [(kind.choices[row.number % 2], kind.choices[row.number // 2 % 2])]
        for score in [(u == v) + 0.001 * row.number]
    )
    summary = replace(view.summary, rows=rows, stages=(), best=rows[0].configuration)
    data = interaction_data(replace(view, summary=summary, parameters={"u": kind, "v": kind}))
    assert data.surface[0, 0] > data.surface[0, 1]
    assert data.surface[1, 1] > data.surface[1, 0]
    assert interaction_figure(data).data[0].type == "heatmap"


def test_predictions_are_counted_and_the_noise_is_told() -> None:
    view = ruled_by_rate()
    data = predicted_data(view)
    [told] = data.stages.values()
    complete = [t for t in view.trials if t.state == "complete"]
    assert sorted(told.numbers) == sorted(t.number for t in complete)
    assert (told.low <= told.mean).all()
    assert (told.mean <= told.high).all()
    assert np.corrcoef(told.mean, told.found)[0, 1] > 0.9
    assert f"of {len(complete)} scores lie in theirs" in data.note
    assert "% of the variance is noise" in data.note
    agreement = re.search(r"what was found correlate by ([0-9.]+)\.", data.note)
    assert agreement is not None
    assert float(agreement[1]) >= 0.9
    figure = predicted_figure(data)
    line, points = figure.data
    assert list(line.x) == list(line.y)
    assert points.text[0].startswith(f"trial {told.numbers[0]}: ")
    assert "0.10 σ above" in points.text[0].replace("<br>", " ")


def test_short_and_long_trainings_are_told_apart() -> None:
    view = ruled_by_rate()
    assert "epochs" not in effects_data(view).note
    rows = tuple(
        replace(row, slot=replace(row.slot, epochs=8)) if row.number % 2 and row.slot else row
        for row in view.trials
    )
    mixed = replace(view, summary=replace(view.summary, rows=rows))
    assert "It speaks of trainings of 8 epochs." in effects_data(mixed).note


def test_three_panels_ask_one_model() -> None:
    view = ruled_by_rate()
    before = beliefs_of.cache_info().misses
    for name in PANELS:
        panel(name).data(view)
    assert beliefs_of.cache_info().misses == before + 1


@pytest.mark.parametrize("name", PANELS)
@pytest.mark.parametrize(
    ("view", "reason"),
    [
        (view_of(*(trial(n, 0.1 * n) for n in range(9))), "Only 9 trials are complete"),
        (
            view_of(*(trial(n, 0.5, configuration={"rate": 0.1, "l2": n / 20}) for n in range(20))),
            "learns nothing from these trials: they are all equally good",
        ),
        (
            view_of(*(trial(n, 0.1 * n, configuration={"rate": 0.1}) for n in range(20))),
            "fewer than 10 of them lie in the study's space",
        ),
    ],
    ids=["few", "equal", "of another space"],
)
def test_a_study_that_teaches_nothing_says_why(name: str, view: StudyView, reason: str) -> None:
    with pytest.raises(NothingToDraw, match=reason):
        panel(name).data(view)


def one(t: optuna.Trial) -> float:
    return (t.suggest_float("x", -1, 1) - 0.5) ** 2


def many(t: optuna.Trial) -> float:
    return sum(t.suggest_float(f"x{n}", 0, 1) for n in range(20))


def mixed(t: optuna.Trial) -> float:
    kind: Value = t.suggest_categorical("kind", ["a", "b", None])
    x, n = t.suggest_float("x", 1e-5, 1, log=True), t.suggest_int("n", 1, 64, log=True)
    more = t.suggest_float("more", 0, 1) if kind == "a" else 0.5
    if x > 0.9:
        raise optuna.TrialPruned
    if n > 60:
        raise ValueError("no result")
    return n * x + more + (kind is None)


def without_common(t: optuna.Trial) -> float:
    return t.suggest_float(f"x{t.number % 2}", 0, 1)


@pytest.mark.parametrize(
    ("objective", "count", "figures"),
    [
        (one, 30, {"effects": 1, "predicted": 1}),
        (many, 40, {"effects": 20, "interaction": 1, "predicted": 1}),
        (mixed, 60, {"effects": 3, "interaction": 1, "predicted": 1}),
        (without_common, 20, {}),
        (lambda _: 1.0, 20, {}),
    ],
)
def test_anybodys_study_is_drawn(
    tmp_path: Path,
    objective: Callable[[optuna.Trial], float],
    count: int,
    figures: dict[str, int],
) -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with open_storage(str(tmp_path / "x.db")) as store:
        sampler = optuna.samplers.RandomSampler(seed=0)
        study = optuna.create_study(study_name="s", storage=store, sampler=sampler)
        study.optimize(objective, n_trials=count, catch=ValueError)
        view = read_view(store, "s")
    for name in PANELS:
        made = panel(name)
        if name in figures:
            data = made.data(view)
            assert len(made.figures(data)) == figures[name]
            assert ("Left out, as not every trial has them: more." in data.note) == (
                objective is mixed
            )
        else:
            with pytest.raises(NothingToDraw, match=r"\.$"):
                made.data(view)


def test_trials_with_more_than_the_common_parameters_count_with_these(tmp_path: Path) -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with open_storage(str(tmp_path / "x.db")) as store:
        sampler = optuna.samplers.RandomSampler(seed=0)
        study = optuna.create_study(study_name="s", storage=store, sampler=sampler)
        study.optimize(mixed, n_trials=40, catch=ValueError)
        view = read_view(store, "s")
    told = beliefs_of(view)
    scored = [t for t in view.trials if t.state in ("complete", "pruned")]
    assert {t.number for t in told.trials} == {
        t.number for t in scored if {"kind", "n", "x"} <= t.configuration.keys()
    }


def test_a_study_s_own_space_says_what_depends_on_what() -> None:
    view = ruled_by_rate()
    assert view.summary.stages[0].kind == COARSE
    assert beliefs_of(view).beliefs.model.space.parameters["l2"] == Float(0.0, 1.0)
