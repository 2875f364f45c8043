"""Every panel on numbers that were worked out by hand, and on studies with nothing to draw."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from views import COARSE, FINE, NARROW, SNAPSHOTS, WIDE, trial, view_of
from window import BROWSER, draw, show

from hpsearch.advice import Change, Recommendation
from hpsearch.data.account import Account
from hpsearch.errors import UnknownNameError
from hpsearch.plots import PANELS, NothingToDraw, StudyView, panel
from hpsearch.plots.advice import advice_data, advice_tables, change_text
from hpsearch.plots.configuration import configuration_data
from hpsearch.plots.curves import curves_data
from hpsearch.plots.diagnosis import diagnosis_data, diagnosis_figure
from hpsearch.plots.gap import gap_data
from hpsearch.plots.history import history_data, history_figure
from hpsearch.plots.importances import importances_data
from hpsearch.plots.layers import layers_data, layers_figures
from hpsearch.plots.pair import pair_data
from hpsearch.plots.parallel import parallel_data
from hpsearch.plots.parameters import parameters_data, parameters_figures
from hpsearch.plots.scales import parameter_axis, score_axis, thinned
from hpsearch.plots.slice_contour import slice_contour_data, smoothed
from hpsearch.plots.style import STRATEGY_COLOURS, VERMILLION, label, stage_colour
from hpsearch.plots.timeline import timeline_data
from hpsearch.report import page_document, page_html, write_page
from hpsearch.report.browser import Page
from hpsearch.report.dashboards import Dashboard
from hpsearch.search.base import RACE, Motive, StageKind
from hpsearch.space import Categorical, Float, Int
from hpsearch.training.diagnosis import Finding

RATE_LOW = Finding("learning rate too low", "the loss went from 2.3 to 2.2 only", fault=True)
RATE_HIGH = Finding("learning rate too high", "with a rate of 5 the loss <exploded>", fault=True)
DEAD = Finding("dead ReLUs", "90% of the units of layer 1 are 0", fault=True)
IMPROVING = Finding("still improving", "the validation loss fell from 2 to 1 lately", fault=False)


def ruled_by_rate(count: int = 60, **more: Any) -> StudyView:
    """A study in which the score is best at rate 0.1 and l2 does not matter."""
    rng = np.random.default_rng(0)
    trials = []
    for n in range(count):
        rate, l2 = WIDE.from_unit(rng.random()), float(rng.random())
        score = 0.9 - 0.1 * (math.log10(rate) + 1) ** 2
        found = (RATE_LOW,) if rate < 0.001 else ()
        snapshots = None if n else SNAPSHOTS
        settings = {"rate": rate, "l2": l2}
        trials.append(trial(n, score, configuration=settings, findings=found, snapshots=snapshots))
    return view_of(*trials, **more)


def test_history_has_the_best_so_far_and_the_stages() -> None:
    data = history_data(
        view_of(
            trial(0, 0.5),
            trial(1, 0.9),
            trial(2, 0.1, state="pruned", why="diverged", findings=(RATE_HIGH, IMPROVING)),
            trial(3, 0.8, stage=FINE, stage_index=1),
            trial(4, 0.95, stage=StageKind(RACE, 1), stage_index=2),
            trial(5, 0.94, stage=StageKind(RACE, 2), stage_index=3),
        )
    )
    assert data.best == ((0, 0.5), (1, 0.9), (4, 0.95), (5, 0.95))
    assert data.spans == ((COARSE, 0, 2), (FINE, 3, 3), (StageKind(RACE), 4, 5))
    assert list(data.stages) == [COARSE, FINE, StageKind(RACE)]
    assert data.stages[COARSE].scores == (0.5, 0.9)
    assert data.stopped.numbers == (2,)
    assert data.stopped.texts == ("diverged (learning rate too high)",)
    figure = history_figure(data)
    [crosses] = [t for t in figure.data if t.name == "stopped"]
    assert crosses.marker.symbol == "x-thin-open"
    assert list(crosses.y) == [data.axis.edge]
    assert len(figure.layout.shapes) == 3


def test_hovering_over_a_trial_says_why_it_was_chosen() -> None:
    motive = Motive(0.25, 0.9)
    chosen = trial(1, 0.9, stage=FINE, stage_index=1, motive=motive)
    stopped = trial(2, 0.1, state="pruned", why="diverged", motive=motive)
    data = history_data(view_of(trial(0, 0.5), chosen, stopped))
    assert data.stages[COARSE].whys == ("a point of the Sobol sequence",)
    assert "standard deviation" in data.note
    assert "σ" not in history_data(view_of(trial(0, 0.5))).note
    points, cross = (
        next(t for t in history_figure(data).data if t.name == name)
        for name in ("fine-1", "stopped")
    )
    for trace, first in ((points, "rate=0.01 l2=0.5"), (cross, "diverged")):
        [text] = trace.text
        lines = text.split("<br>")
        assert lines[0] == first
        assert "0.25 σ above the best believed" in " ".join(lines[1:])


def test_history_of_a_study_that_minimizes() -> None:
    data = history_data(view_of(trial(0, 3.0), trial(1, 5.0), trial(2, 1.0), maximize=False))
    assert data.best == ((0, 3.0), (2, 1.0))
    assert data.axis.edge == data.axis.high


def test_the_axis_of_scores_leaves_out_the_worst_and_says_so() -> None:
    scores = [0.98, 0.97, 0.96, 0.95, 0.1]
    axis = score_axis(view_of(), scores)
    assert axis.outside == 1
    assert axis.clip(scores).tolist() == pytest.approx([0.98, 0.97, 0.96, 0.95, 0.88])
    assert "1 score lies beyond" in axis.note
    same = score_axis(view_of(), [0.5, 0.5])
    assert same.low < 0.5 < same.high
    assert same.note == ""
    assert score_axis(view_of(maximize=False), [1.0, 2.0, 3.0, 100.0]).high == 8.5


@pytest.mark.parametrize("scores", [[0.0, 5e-324], [1.0, 1.0 + 2e-16], [0.3, 0.3], [0.0]])
@pytest.mark.parametrize("maximize", [True, False])
def test_an_axis_of_scores_has_a_length_that_can_be_drawn(
    scores: list[float], maximize: bool
) -> None:
    axis = score_axis(view_of(maximize=maximize), scores)
    assert axis.high - axis.low > 0.05
    assert axis.outside == 0


def test_thinning_keeps_the_best_and_says_how_many() -> None:
    trials = [trial(n, 1 - n / 1000) for n in range(1000)]
    kept, note = thinned(trials, 100)
    assert [t.number for t in kept[:20]] == list(range(20))
    assert (len(kept), kept[-1].number) == (100, 999)
    assert "100 of 1,000" in note
    assert thinned(trials, 1000) == (trials, "")


def test_parameters_have_their_ranges_and_reasons() -> None:
    data = parameters_data(
        view_of(
            trial(0, 0.5),
            trial(1, 0.7, configuration={"rate": 0.2}, stage=FINE, stage_index=1),
            trial(2, None, state="pruned", why="<nan>", configuration={"rate": 0.9}),
        )
    )
    rate, l2 = data.parameters
    assert rate.stages[COARSE].values == (0.01,)
    assert rate.stages[FINE].values == (0.2,)
    assert rate.stopped.values == (0.9,)
    assert [(r.stage, r.parameter) for r in rate.ranges] == [(COARSE, WIDE), (FINE, NARROW)]
    assert rate.ranges[1].reason == "the best 2 of 6 trials lie above 0.01"
    assert l2.stages[FINE].values == ()
    first, _ = parameters_figures(data)
    assert first.layout.xaxis.type == "log"
    assert "the best 2 of 6 trials" in first.data[1].hovertemplate
    [crosses] = [t for t in first.data if t.name == "stopped"]
    assert list(crosses.hovertext) == ["&lt;nan&gt;"]
    assert "%{hovertext}" in crosses.hovertemplate
    assert all(t.hovertext is None for t in first.data if t.name != "stopped")


def test_axes_of_parameters() -> None:
    assert parameter_axis("x", Categorical(("a", "<b>")))["ticktext"] == ["a", "&lt;b&gt;"]
    assert parameter_axis("depth", Int(1, 3))["dtick"] == 1
    assert parameter_axis("rate", WIDE)["ticktext"] == ["0.0001", "0.001", "0.01", "0.1", "1"]
    assert parameter_axis("rate", WIDE)["title_text"] == "rate (log scale)"
    assert parameter_axis("one", Float(2.0, 2.0))["range"] == [1.5, 2.5]


def test_importances_find_the_one_that_matters_and_name_the_method() -> None:
    data = importances_data(ruled_by_rate())
    assert list(data.shares) == ["rate", "l2"]
    assert data.shares["rate"] > 0.6
    assert sum(data.shares.values()) == pytest.approx(1)
    assert "PED-ANOVA" in data.note
    assert "60 trials of the stage coarse" in data.note


def test_importances_count_the_first_stage_only() -> None:
    few = [trial(n, 0.1 * n) for n in range(4)]
    late = [trial(n, 0.5, stage=FINE, stage_index=1) for n in range(4, 20)]
    with pytest.raises(NothingToDraw, match="Only 4 trials of the first stage"):
        importances_data(view_of(*few, *late))
    with pytest.raises(NothingToDraw, match="Fewer than two parameters vary"):
        importances_data(view_of(*(trial(n, 0.1) for n in range(12))))


def test_slices_follow_the_score() -> None:
    data = slice_contour_data(ruled_by_rate(200))
    first = data.slices[0]
    assert first.name == "rate"
    assert first.grid[np.nanargmax(first.mean)] == pytest.approx(0.1, rel=0.5)
    assert data.surface.shape == (40, 40)


def test_smoothing_is_empty_where_nothing_is_near() -> None:
    scores, line = np.array([1.0, 3.0]), np.array([0.0, 0.5, 1.0])
    surface = smoothed(scores, [np.array([0.0, 1.0])] * 2, [line, line])
    assert surface[0, 0] == pytest.approx(1)
    assert surface[2, 2] == pytest.approx(3)
    assert np.isnan(surface[1, 1])
    assert np.isnan(surface[0, 2])


def test_the_pair_has_margins_that_sum_to_one() -> None:
    data = pair_data(ruled_by_rate())
    assert (data.important.name, data.unimportant.name) == ("rate", "l2")
    for margin in (data.important, data.unimportant):
        assert margin.all.sum() == pytest.approx(1)
        assert margin.best.sum() == pytest.approx(1)
        assert margin.values == 60
        assert len(margin.ends) == len(margin.all) + 1
    assert data.best.shape == (2, 15)
    assert np.abs(np.log10(data.best[0]) + 1).max() < np.abs(np.log10(data.others[0]) + 1).min()


def test_parallel_coordinates_are_places_of_the_ranges() -> None:
    data = parallel_data(
        view_of(trial(0, 0.5), trial(1, 1.0, configuration={"rate": 1.0}), trial(2, 0.75))
    )
    best = data.lines["best 1"].places
    assert best[0, 0] == 1
    assert np.isnan(best[0, 1])
    assert best[0, 2] == 1
    assert data.lines["the others"].places.tolist() == [[0.5, 0.5, 0.5], [0.5, 0.5, 0.0]]


def test_curves_are_of_different_configurations() -> None:
    twins = [trial(n, 0.9 - n / 100) for n in range(3)]
    other = trial(3, 0.8, configuration={"rate": 0.5}, train_losses=(), validation_losses=())
    data = curves_data(view_of(*twins, other))
    assert [curve.number for curve in data.curves] == [0, 3]
    assert data.curves[0].epochs == (1, 2)
    assert data.curves[0].scores == (0.5, 0.9)
    assert data.curves[0].train_losses == (2.0, 1.0)
    with pytest.raises(NothingToDraw, match="none reported values"):
        curves_data(view_of(trial(0, 0.5, curve={})))


def test_the_gap_is_validation_minus_training_at_the_end() -> None:
    broken = trial(1, 0.6, validation_losses=(2.0, math.nan))
    data = gap_data(view_of(trial(0, 0.5), broken))
    assert data.stages[COARSE] == ((0.25,), (0.5,), (0,))
    with pytest.raises(NothingToDraw, match="no losses"):
        gap_data(view_of(broken))


def test_layers_of_the_best_training_and_of_the_most_faulty() -> None:
    data = layers_data(
        view_of(
            trial(0, 0.9, snapshots=SNAPSHOTS),
            trial(1, 0.5),
            trial(2, 0.4, findings=(DEAD, RATE_HIGH, IMPROVING), snapshots=SNAPSHOTS),
        )
    )
    assert [(t.number, t.what) for t in data.trainings] == [
        (0, "the best, without a fault"),
        (2, "the most faulty: dead ReLUs, learning rate too high"),
    ]
    hidden, output = data.trainings[0].layers
    assert hidden == (
        "layer 1",
        (None, 0.004),  # before the first step there was no update
        (0.0, 0.25),
        (0.5, 0.6),
        (0.01, None),  # zero has no place on a logarithmic axis
        (1.0, 0.8),
    )
    assert output == ("output", (None, 0.002), (), (), (0.02, 0.001), (2.0, None))
    first, second = layers_figures(data)
    for axis in ("yaxis", "yaxis2", "yaxis3", "yaxis4"):
        assert first.layout[axis].range == second.layout[axis].range
    updates = first.layout.yaxis
    assert (updates.type, updates.range) == ("log", (-3.1, -1.9))
    assert first.layout.shapes[0].y0 == 0.001
    assert first.layout.legend.title.text == "Trial 0, the best, without a fault"
    assert [t.line.dash for t in first.data if "saturated" in t.hovertemplate] == ["dot"]
    assert [t.name for t in first.data if t.showlegend] == ["layer 1", "output"]


def test_layers_of_a_study_whose_trials_all_stopped() -> None:
    stopped = trial(0, 0.1, state="pruned", findings=(DEAD,), snapshots=SNAPSHOTS)
    [only] = layers_data(view_of(stopped)).trainings
    assert only.what == "stopped: dead ReLUs"
    with pytest.raises(NothingToDraw, match="No training of this study has"):
        layers_data(view_of(trial(0, 0.9)))


def test_layers_of_zeros_have_axes_too() -> None:
    zeros = {name: [[0.0, 0.0]] * 9 for name in SNAPSHOTS["layers"]}
    [figure] = layers_figures(
        layers_data(view_of(trial(0, snapshots=SNAPSHOTS | {"layers": zeros})))
    )
    assert figure.layout.yaxis2.range == (-1.1, 0.1)
    looks = {(t.line.color, t.marker.symbol) for t in figure.data}
    assert len(looks) == 9, "no two layers look alike"


def test_the_diagnosis_counts_faults_and_hints() -> None:
    data = diagnosis_data(
        view_of(
            trial(0, 0.9),
            trial(1, 0.8, findings=(IMPROVING,)),
            trial(2, 0.7, findings=(DEAD, IMPROVING)),
            trial(3, 0.6, findings=(RATE_HIGH, IMPROVING)),
            trial(4, 0.1, state="pruned", findings=(RATE_HIGH,), traced=False),
            trial(5, 0.5, traced=False),
        )
    )
    assert data.counts == ((RATE_HIGH, 2, 3), (DEAD, 1, 2), (IMPROVING, 3, 1))
    assert data.note == "3 of 5 trainings had a fault; 1 had neither a fault nor a hint."
    figure = diagnosis_figure(data)
    faults, hints = figure.data
    assert (list(faults.x), list(hints.x)) == ([2, 1], [3])
    assert (faults.name, hints.name) == ("fault", "hint")
    assert faults.marker.color != hints.marker.color
    assert "as in trial 3" in faults.hovertext[0]
    assert "&lt;exploded&gt;" in faults.hovertext[0].replace("<br>", " ")
    assert "search lower rates" in faults.hovertext[0].replace("<br>", " ")
    assert figure.layout.yaxis.categoryarray[-1] == "learning rate too high", "is on top"


def test_a_diagnosis_without_findings_is_good_news_or_none() -> None:
    with pytest.raises(NothingToDraw, match="All is well: nothing was found wrong with 2 train"):
        diagnosis_data(view_of(trial(0, 0.9), trial(1, 0.8)))
    with pytest.raises(NothingToDraw, match="none was diagnosed"):
        diagnosis_data(view_of(trial(0, 0.9, traced=False)))


def test_advice_is_a_table_of_points() -> None:
    rate = Change("training", "learning_rate", {"low": 0.001, "high": 0.1, "log": True})
    recommendations = (
        Recommendation("rate", "Rates are low.", (rate,)),
        Recommendation("seeds", "Seeds matter."),
    )
    data = advice_data(view_of(trial(0, 0.9), settings={"name": "s"}, advice=recommendations))
    [table] = advice_tables(data)
    assert table.rows == [
        ("rate", "Rates are low.", "[training] learning_rate: 0.001 to 0.1 (log scale)"),
        ("seeds", "Seeds matter.", ""),
    ]
    assert "hpsearch advise" in data.note
    calm = advice_data(view_of(trial(0, 0.9), settings={"name": "s"}, advice=recommendations[1:]))
    assert calm.note == "Nothing here asks for a change."
    with pytest.raises(NothingToDraw, match="hpsearch did not make this study"):
        advice_data(view_of(trial(0, 0.9)))
    with pytest.raises(NothingToDraw, match="nothing from which"):
        advice_data(view_of(trial(0, 0.9), settings={"name": "s"}))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("relu", "relu"),
        (60, "60"),
        (True, "True"),
        ({"choices": ["relu", "tanh"]}, "relu, tanh"),
        ({"low": 16, "high": 64, "step": 16}, "16 to 64, in steps of 16"),
    ],
)
def test_a_change_is_written_on_one_line(value: Any, text: str) -> None:
    assert change_text(Change("model", "x", value)) == f"[model] x: {text}"


def test_the_timeline_is_by_worker_from_the_first_start() -> None:
    data = timeline_data(view_of(trial(0, 0.5), trial(1, 0.5), trial(2, 0.5, seconds=0.5)))
    assert data.workers == ("host 0", "host 1")
    assert data.unit == "s"
    assert data.stages[COARSE] == (
        (0, 0, 0, 0.0, 1.0),
        (1, 1, 1, 1.0, 2.0),
        (2, 2, 0, 2.5, 3.0),  # handed out ahead of time
    )
    assert data.busy == pytest.approx((0.5, 1 / 3))


def test_many_trainings_become_one_line_where_no_pause_shows() -> None:
    trials = [trial(n, 0.5, worker="host 0") for n in range(1500)]
    [piece] = timeline_data(view_of(*trials)).stages[COARSE]
    assert piece == (0, 1499, 0, 0.0, 25.0)  # minutes


def test_the_configuration_says_who_says_it() -> None:
    view = view_of(
        trial(0, 0.5),
        machine={"Python": "3.12", "numpy": "2"},
        environments=[
            {"Python": "3.11", "numpy": "2", "commit of the folder": "abc"},
            {"Python": "3.12", "numpy": "2"},
        ],
        settings={"seed": 7, "model": {"depth": 2, "width": {"low": 1}}},
    )
    data = configuration_data(view)
    facts = {fact.what: (fact.value, fact.source) for fact in data.facts}
    assert facts["seed"] == ("7", "study")
    assert facts["fixed: model"] == ("depth=2", "study")
    assert facts["Python"] == ("3.12", "machine that wrote this page")
    said = [(fact.what, fact.value) for fact in data.facts if fact.source == "study"]
    assert ("Python", "3.11, later 3.12") in said
    assert ("commit of the folder", "abc") in said
    assert facts["numpy"] == ("2", "study"), "the same here as there is said once"
    assert facts["searched: rate"][0] == "0.0001 to 1 (log scale)"
    assert facts["best so far"][0] == "rate=0.01 l2=0.5"
    [move] = data.moves
    assert (move.before, move.after) == ("0.0001 to 1", "0.01 to 1")


def test_the_configuration_tells_what_became_of_the_data() -> None:
    account = Account(90, 3, {"without a label": 30}, {"id": "excluded"}, {"p": '"$1" as 1'})
    data = {"name": "mess", "rows": 60, "columns": 2, "classes": ["a", "b"], "fingerprint": "0"}
    data |= {"notes": [], "account": account.document()}
    view = view_of(trial(0, 0.5))
    view = replace(view, summary=replace(view.summary, data=data))
    facts = {fact.what: fact.value for fact in configuration_data(view).facts}
    assert facts["data read"] == "90 rows of 3 columns and the target"
    assert facts["data left out"] == "30 rows without a label; 'id' (excluded)"
    assert facts["data read as numbers"] == "'p' (\"$1\" as 1)"


def test_what_was_done_to_the_data_is_told_point_by_point() -> None:
    notes = ["2 rows were left out", "text became numbers.", "pixels were divided by 255"]
    view = view_of(trial(0, 0.5))
    about = {"name": "d", "fingerprint": "f", "rows": 1, "columns": 1, "classes": [], "train": 1}
    account = Account(1, 1).document()
    data = about | {"validation": 1, "test": 1, "notes": notes, "account": account}
    told = configuration_data(replace(view, summary=replace(view.summary, data=data)))
    [text] = [fact.value for fact in told.facts if fact.what == "notes on the data"]
    assert text == "2 rows were left out; text became numbers; pixels were divided by 255"


WORDS = {"configuration", "advice", "trials", "groups"}
DRAWN = sorted({name for name in PANELS if panel(name).of == "study"} - WORDS)


@pytest.mark.parametrize("name", [*DRAWN, "advice", "trials", "groups"])
def test_a_study_without_trials_says_so(name: str) -> None:
    with pytest.raises(NothingToDraw, match=r"no trials yet|nobody's time"):
        panel(name).data(view_of())


@pytest.mark.parametrize("name", sorted(set(DRAWN) - {"timeline", "layers", "diagnosis", "winner"}))
def test_what_cannot_be_drawn_is_said(name: str) -> None:
    with pytest.raises(NothingToDraw, match=r"No trial is complete \(2 pruned\)"):
        panel(name).data(view_of(trial(0, 0.1, state="pruned"), trial(1, 0.1, state="pruned")))
    with pytest.raises(NothingToDraw, match="has 2 values"):
        panel(name).data(view_of(trial(0), objectives=2))


@pytest.mark.parametrize(
    "name",
    [
        *("importances", "slice-contour", "pair", "parallel"),
        *("effects", "interaction", "predicted"),
    ],
)
def test_one_trial_is_too_few_for_a_comparison(name: str) -> None:
    with pytest.raises(NothingToDraw, match="Only one trial is complete"):
        panel(name).data(view_of(trial(0, 0.5)))


@pytest.mark.parametrize("name", sorted(set(DRAWN) - {"winner"}))
@pytest.mark.parametrize("maximize", [True, False])
def test_every_axis_that_shows_has_a_name(name: str, maximize: bool) -> None:
    made = panel(name)
    figures = made.figures(made.data(ruled_by_rate(maximize=maximize)))
    assert figures
    for figure in figures:
        assert figure.data
        assert figure.layout.height
        if name == "parallel":
            assert figure.layout.xaxis.ticktext[-1] == "validation<br>accuracy"
        else:
            assert figure.layout.xaxis.title.text
            assert figure.layout.yaxis.title.text or name in ("importances", "diagnosis")


def test_an_unknown_panel_gets_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match=r"did you mean 'history'.*Known: history, trials"):
        panel("histori")


def test_colours_are_fixed_and_different() -> None:
    assert len(set(STRATEGY_COLOURS.values())) == len(STRATEGY_COLOURS) == 9
    assert stage_colour(StageKind(RACE, 7)) == VERMILLION
    assert stage_colour(StageKind("grid")) == STRATEGY_COLOURS["grid"]
    assert (
        len({stage_colour(s) for s in (COARSE, FINE, StageKind("fine", 2), StageKind(RACE, 1))})
        == 4
    )
    assert label("<i>%{y}") == "&lt;i&gt;%&#123;y}"


def test_thinned_crosses_are_counted() -> None:
    stopped = [trial(n, 0.1, state="pruned") for n in range(1, 202)]
    data = parameters_data(view_of(trial(0, 0.9), *stopped))
    assert "Crosses are 150 of 201 stopped trials." in data.note
    assert "Crosses" not in parameters_data(view_of(trial(0, 0.9), *stopped[:150])).note


def with_long_choices() -> StudyView:
    """A study of a parameter with 40 choices of a hundred characters."""
    choices = tuple(f"{'long ' * 20}{n}" for n in range(40))
    trials = [
        trial(n, n / 40, configuration={"kind": choices[n], "rate": 10 ** -(1 + n / 20)})
        for n in range(40)
    ]
    return view_of(*trials, parameters={"kind": Categorical(choices), "rate": WIDE})


def test_long_choices_are_short_at_the_axis_and_whole_under_the_mouse() -> None:
    view = with_long_choices()
    for name in ("parameters", "slice-contour", "pair"):
        for figure in panel(name).figures(panel(name).data(view)):
            for axis in (figure.layout.xaxis, figure.layout.yaxis):
                texts = axis.ticktext or ()
                assert len(set(texts)) == len(texts) <= 16
                assert max(map(len, texts), default=0) <= 20
            hovered = [
                text
                for trace in figure.data
                for text in np.ravel([] if trace.text is None else trace.text)
            ]
            if figure.layout.xaxis.title.text == "kind":
                assert any(text.replace("<br>", " ").count("long") == 20 for text in hovered)


@pytest.mark.slow
@BROWSER
def test_a_browser_draws_long_choices(tmp_path: Path, browser: Page) -> None:
    view = with_long_choices()
    path = tmp_path / "page.html"
    panels = Dashboard(title="Long", panels=["parameters", "slice-contour"])
    write_page(path, page_html(page_document([view], panels)))
    show(browser, path, width=390)
    draw(browser)
    heights = browser.evaluate("FIGURES.map(div => div._fullLayout._size.h)")
    names = browser.evaluate("FIGURES.map(div => div.querySelectorAll('.xtick text').length)")
    assert browser.problems == []
    assert min(heights) > 100
    assert min(names) >= 3
