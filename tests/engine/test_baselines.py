"""What stands beside a winner: the constant predictor; and studies in which nothing was learned."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from here import Here

from hpsearch.advice import Recommendation, advise, evidence_of, urgent
from hpsearch.cli.app import run
from hpsearch.cli.render import winner_text
from hpsearch.data import Dataset, Split, make_splits
from hpsearch.engine import run_study, summarize
from hpsearch.engine.baselines import (
    beside_winner,
    constant,
    held_against,
    held_in_validation,
)
from hpsearch.engine.ensemble import make_ensemble
from hpsearch.engine.identity import kept_study_file
from hpsearch.errors import NoWinnerError, RunError, StorageError
from hpsearch.metrics import ACCURACY, OWN, metric_named
from hpsearch.metrics.intervals import interval
from hpsearch.plots import read_view
from hpsearch.plots.curves import curves_data
from hpsearch.plots.history import history_data
from hpsearch.plots.layers import layers_data
from hpsearch.plots.parallel import parallel_data
from hpsearch.report.columns import trial_columns
from hpsearch.report.note import note_markdown
from hpsearch.storage import load_study, open_storage
from hpsearch.study_file import StudyFile, parse_study_file
from hpsearch.training.jobs import Refit, RefitJob, refit_job
from hpsearch.wording import result_sentence

pytestmark = pytest.mark.slow


RIGHT = OWN["accuracy"]


def advice_for(study: optuna.Study) -> tuple[Recommendation, ...]:
    file = kept_study_file(study)
    assert file is not None
    return advise(evidence_of(file, summarize(study)))


def dataset(labels: list[Any], test: list[Any] | None = None) -> Dataset:
    whole = [*labels, *(test or [])]
    X = np.random.default_rng(0).normal(size=(len(whole), 2))
    fixed = None if test is None else len(labels)
    return replace(Dataset.from_arrays("made", X, np.array(whole)), fixed_test=fixed)


def test_beside_other_metrics_the_difference_on_the_same_rows_is_held_against_it() -> None:
    """Rows of huge errors, hard for both, widen the interval of each, not the difference's."""
    rng = np.random.default_rng(0)
    y = rng.normal(size=300) * np.where(np.arange(300) % 30 == 0, 30, 1)
    made = replace(dataset(["a", "b"] * 150), y=y, classes=())
    split = Split(np.arange(100), np.arange(100, 150), np.arange(150, 300))
    metric = metric_named("mae", "regression", 0)
    alone = constant(made, [split], metric)
    better = y[split.test] - 0.9 * np.sign(y[split.test]) * np.minimum(np.abs(y[split.test]), 0.3)
    answer = float(np.asarray(metric.best_constant(y[:150])))
    predictions = answer + 0.05 * (better - answer)
    [beside] = beside_winner([alone], made, split, metric, predictions, None)
    assert beside.difference is not None
    own = interval(metric, y[split.test], predictions)
    assert own is not None
    assert alone.test is not None
    measure = metric.measure
    assert held_against(own, alone.test, measure) == "no better"
    assert held_against(beside.difference, 0.0, measure) == "better"


def test_plain_accuracy_is_held_against_it_by_its_own_interval() -> None:
    made = dataset(["a"] * 60 + ["b"] * 40)
    splits = make_splits(made.y, seed=1)
    alone = constant(made, splits, RIGHT)
    predictions = np.zeros(len(splits[0].test), dtype=np.int64)
    assert beside_winner([alone], made, splits[0], RIGHT, predictions, None) == [alone]
    groups = np.arange(len(predictions)) // 2
    flipped = 1 - made.y[splits[0].test]
    [grouped] = beside_winner([alone], made, splits[0], RIGHT, flipped, groups)
    assert grouped.difference is not None
    assert grouped.difference[1] < 0


class TestConstant:
    @pytest.mark.parametrize(
        ("labels", "words"),
        [
            (["no"] * 60 + ["yes"] * 40, "always answering 'no'"),
            ([3] * 20 + [7] * 80, "always answering 7"),
            (["b"] * 50 + ["a"] * 50, "always answering 'a'"),  # of equals the first
            (["x" * 99] * 60 + ["y"] * 40, f"always answering '{'x' * 23}…'"),
            (["line\nbreak"] * 60 + ["y"] * 40, r"always answering 'line\nbreak'"),
        ],
    )
    def test_it_answers_the_largest_class(self, labels: list[Any], words: str) -> None:
        made = dataset(labels)
        splits = make_splits(made.y, seed=1)
        found = constant(made, splits, RIGHT)
        assert found.does == words
        assert found.short == words.replace("answering ", "")
        code = int(np.bincount(made.y).argmax())
        [split] = splits
        assert found.test == pytest.approx((made.y[split.test] == code).mean())
        share = (made.y[split.validation] == code).mean()
        assert found.validation == pytest.approx(share)

    def test_the_class_is_that_of_training_and_validation_not_of_the_test_part(self) -> None:
        made = dataset(["a"] * 60 + ["b"] * 40, test=["a"] * 10 + ["b"] * 30)
        found = constant(made, make_splits(made.y, seed=0, fixed_test=made.fixed_test), RIGHT)
        assert found.does == "always answering 'a'"
        assert found.test == 0.25

    def test_over_folds_it_is_the_mean(self) -> None:
        y = np.array([0] * 6 + [1] * 4)
        made = Dataset.from_arrays("made", np.arange(20.0).reshape(10, 2), y)
        test = np.array([9])
        splits = (
            Split(np.arange(3, 9), np.arange(3), test),
            Split(np.arange(4), np.arange(4, 9), test),
        )
        assert constant(made, splits, RIGHT).validation == pytest.approx((1 + 2 / 5) / 2)

    @pytest.mark.parametrize(
        ("correct", "rows", "baseline", "verdict"),
        [
            (5821, 6190, 0.9404, "no better"),
            (464, 1000, 0.516, "worse"),
            (46, 100, 0.516, "no better"),
            (970, 1000, 0.94, "better"),
            (100, 100, 1.0, "no better"),
            (0, 10, 0.9, "worse"),
        ],
    )
    def test_a_winner_is_held_against_it_by_its_interval(
        self, correct: int, rows: int, baseline: float, verdict: str
    ) -> None:
        assert held_in_validation(correct / rows, rows, baseline, ACCURACY) == verdict


TEXT = """
name = "s"
seed = 2
[data]
path = "{path}"
target = "label"
[model]
width = {{ low = 4, high = 16 }}
depth = 1
[training]
epochs = 2
{training}
[search]
trials = {trials}
{search}
"""


@pytest.fixture
def random_table(tmp_path: Path) -> Path:
    """400 rows whose columns say nothing of the label; 94% are in one class."""
    rng = np.random.default_rng(0)
    labels = np.array(["no"] * 376 + ["yes"] * 24)
    rng.shuffle(labels)
    columns = rng.normal(size=(400, 2))
    rows = [f"{a:.4f},{b:.4f},{y}" for (a, b), y in zip(columns, labels, strict=True)]
    path = tmp_path / "random.csv"
    path.write_text("\n".join(["a,b,label", *rows]) + "\n")
    return path


def study(path: Path, trials: int = 8, training: str = "", search: str = "") -> StudyFile:
    return parse_study_file(TEXT.format(path=path, trials=trials, training=training, search=search))


RATE = "learning_rate = 0.05"
HOT = "learning_rate = 9999.0"


@pytest.mark.parametrize("folds", [1, 3])
def test_a_winner_that_learned_nothing_is_called_so_everywhere(
    here: Here,
    random_table: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    folds: int,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    text = TEXT.format(path=random_table, trials=8, training=RATE, search="")
    (tmp_path / "s.toml").write_text(text.replace("[model]", f"folds = {folds}\n[model]"))
    assert run(["run", "s.toml", "--workers", "2", "--no-check"]) == 0
    story, live = capsys.readouterr()
    words = "no better than always answering 'no'"
    assert words in story
    assert "  always 'no'          0.9375  in validation 0.9" in story
    assert "- Nothing was learned: the best of 8 trainings is no better than" in story
    assert "best so far 0.9" in live
    assert "(always 'no' 0.9" in live
    store = open_storage("hpsearch.db")
    summary = summarize(load_study(store, "s"))
    [beside] = summary.baselines
    assert beside.test == 75 / 80
    assert summary.verdict(beside) == "no better"
    assert summary.document()["baselines"] == [
        {
            "name": "constant",
            "does": "always answering 'no'",
            "short": "always 'no'",
            "validation": beside.validation,
            "test": 0.9375,
            "difference": None,
            "winner_is": "no better",
        }
    ]
    for command in ("best s", "best s --ensemble 2 --workers 2"):
        assert run(command.split()) == 0
        assert words in capsys.readouterr().out
    assert run(["studies"]) == 0
    table = capsys.readouterr().out
    assert "0.9375!" in table
    assert "! the winner is no better than that, or worse" in table
    assert run(["trials", "s"]) == 0
    table = capsys.readouterr().out
    assert "always 'no': 0.9" in table
    assert "* stands for the winner" in table
    assert run(["best", "s", "--ensemble", "2", "--json"]) == 0
    [beside_them] = json.loads(capsys.readouterr().out)["ensemble"]["baselines"]
    assert beside_them["winner_is"] == "no better"
    view = read_view(store, "s")
    assert f"{words} (93.8%)" in result_sentence(view.summary)
    note = note_markdown(view)
    assert "Nothing was learned" in note
    assert "All is well" not in note
    recommendations = advice_for(load_study(store, "s"))
    assert recommendations[0].topic == "nothing learned"
    assert recommendations[0] in urgent(recommendations)
    assert not any("enough trials" in r.sentence for r in recommendations)
    assert run(["advise", "s", "-o", "next.toml"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "Nothing was learned" in said
    assert "enough trials" not in said


def test_a_winner_that_learned_is_not_called_so(here: Here, db: str) -> None:
    summary = run_study(
        parse_study_file(
            'name = "s"\n[data]\nname = "iris"\n[model]\nwidth = 16\ndepth = 1\n[training]\n'
            "epochs = 20\nlearning_rate = 0.1\n[search]\ntrials = 6"
        ),
        storage=db,
    )
    [beside] = summary.baselines
    assert (beside.does, beside.test) == (
        "always answering 'setosa'",
        pytest.approx(1 / 3),
    )
    assert summary.verdict(beside) == "better"
    assert summary.reservations == ()
    target = load_study(open_storage(db), "s")
    recommendations = advice_for(target)
    assert not any(r.topic == "nothing learned" for r in recommendations)


def test_while_a_search_goes_on_the_validation_parts_are_compared(
    here: Here,
    db: str,
    random_table: Path,
) -> None:
    def stop(job: Any) -> None:
        if isinstance(job, RefitJob):
            raise RuntimeError("not today")

    here.before = stop
    with pytest.raises(RunError, match="not today"):
        run_study(study(random_table, training=RATE), storage=db)
    target = load_study(open_storage(db), "s")
    summary = summarize(target)
    [beside] = summary.baselines
    assert summary.test is beside.test is None
    assert summary.verdict(beside) == "no better"
    sentence = result_sentence(read_view(open_storage(db), "s").summary)
    assert "no better than always answering 'no'" in sentence
    [kept] = json.loads(target.user_attrs["hpsearch:data"])["baselines"]
    assert kept["test"] is None  # of the test part nothing is known before its time


@pytest.mark.parametrize(
    "strategy", ["random", "coarse-to-fine", "guided", "grid", "tpe", "cmaes", "qmc"]
)
def test_where_all_trainings_diverge_there_is_no_winner(
    here: Here,
    db: str,
    random_table: Path,
    strategy: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = study(random_table, training=HOT, search=f'strategy = "{strategy}"')
    for again in (False, True):
        before = len(here.jobs)
        with pytest.raises(NoWinnerError, match=r"trainings of the study 's' diverged") as caught:
            run_study(file, storage=db)
        sentence = str(caught.value)
        assert "the test part was not used" in sentence
        assert "learning_rate = 9999" in sentence
        assert not any(isinstance(job, RefitJob) for job in here.jobs)
        assert (len(here.jobs) == before) == again  # nothing is trained twice
    summary = summarize(load_study(open_storage(db), "s"))
    assert set(summary.states) == {"pruned"}
    trials = sum(summary.states.values())
    assert trials == 8 if strategy != "grid" else 1 < trials <= 8
    assert summary.best is summary.winner is summary.model is summary.tests is None
    assert summary.without_winner.startswith("There is no winner")
    target = load_study(open_storage(db), "s")
    recommendations = advice_for(target)
    assert [change.key for r in recommendations for change in r.changes] == ["learning_rate"]
    with pytest.raises(RunError) as refused:  # to run it to the end would be no help
        make_ensemble("s", 2, storage=db)
    assert str(refused.value) == sentence
    assert run(["best", "s", "--export", "m.npz", "--storage", db]) == 1
    assert sentence in " ".join(capsys.readouterr().err.split())


def test_a_network_that_diverged_in_its_last_training_is_called_so(
    here: Here, db: str, random_table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def diverges(job: RefitJob, stop: Any = None) -> Refit:
        return replace(refit_job(job), diverged=True)

    monkeypatch.setattr("hpsearch.objectives.refit.refit_job", diverges)
    summary = run_study(study(random_table, training=RATE), storage=db)
    assert sum(isinstance(job, RefitJob) for job in here.jobs) == 3
    assert summary.diverged
    assert summary.document()["diverged"] is True
    words = "its last training diverged with every seed: do not use it"
    assert words in winner_text(summary).plain
    assert words in result_sentence(read_view(open_storage(db), "s").summary)


def test_more_trials_go_on_where_all_had_diverged(
    here: Here,
    db: str,
    random_table: Path,
) -> None:
    rates = "learning_rate = { low = 1e3, high = 1e4, log = true }"
    with pytest.raises(NoWinnerError):
        run_study(study(random_table, 8, rates), storage=db)
    before = load_study(open_storage(db), "s").trials
    try:  # lower rates by now, and perhaps one that trains
        run_study(study(random_table, 16, rates), storage=db)
    except NoWinnerError as error:
        assert "all 16 trainings" in str(error)  # noqa: PT017
    trials = load_study(open_storage(db), "s").trials
    assert [t.params for t in trials[:8]] == [t.params for t in before]
    assert len(trials) == 16
    assert max(t.params["learning_rate"] for t in trials[8:12]) < 5e3


def test_one_that_trains_among_those_that_diverge_wins(
    here: Here,
    db: str,
    random_table: Path,
) -> None:
    points = "points = { learning_rate = [0.01, 5000.0, 9999.0], width = [8] }"
    rates = "learning_rate = { low = 1e-3, high = 1e4, log = true }"
    search = f'strategy = "grid"\n{points}'
    summary = run_study(study(random_table, 27, rates, search), storage=db)
    assert summary.best is not None
    assert summary.best["learning_rate"] == 0.01
    assert summary.rows[0].state == "complete"


def test_the_winner_is_the_best_trial_on_every_page(
    here: Here, db: str, random_table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_study(study(random_table, 12), storage=db)
    store = open_storage(db)
    target = load_study(store, "s")
    by_score = sorted(
        (t for t in target.trials if t.state.name == "COMPLETE"), key=lambda t: -(t.value or 0)
    )
    worst = by_score[-1]  # as if a race had named the one with the lowest single score
    note = json.loads(target.user_attrs["hpsearch:result"])
    named = [worst.user_attrs["stage_index"], worst.user_attrs["slot"]]
    changed = note | {"validation_slots": [named], "configuration": worst.params}
    target.set_user_attr("hpsearch:result", json.dumps(changed))
    store.flush()
    view = read_view(store, "s")
    assert view.summary.winner == view.trials[0].number == worst.number
    assert curves_data(view).curves[0].number == worst.number
    assert layers_data(view).trainings[0].number == worst.number
    assert layers_data(view).trainings[0].what.startswith("the winner")
    assert history_data(view).winner == (worst.number, worst.value)
    ranks = parallel_data(view).lines
    best = ranks[next(name for name in reversed(ranks) if name.startswith("best"))]
    assert any(f"(trial {worst.number})" in row[-1] for row in best.texts)
    columns = trial_columns(view)
    assert (columns["winner"], columns["best"]) == (worst.number, worst.number)
    assert f"Trial {worst.number} stands for the winner" in note_markdown(view)
    assert run(["trials", "s", "--top", "1", "--storage", db, "--json"]) == 0
    [first] = json.loads(capsys.readouterr().out)
    assert (first["number"], first["winner"]) == (worst.number, True)
    # What a stage came to is by its scores all the same.
    done = [t for t in by_score if t.user_attrs["stage_index"] == 0]
    assert view.summary.stages[0].best == done[0].value


def test_damaged_baselines_are_damaged_notes(here: Here, db: str, random_table: Path) -> None:
    run_study(study(random_table, training=RATE), storage=db)
    target = load_study(open_storage(db), "s")
    note = json.loads(target.user_attrs["hpsearch:result"])
    for bad in ([{"name": "constant"}], 7, [None], {"constant": 0.5}):
        target.set_user_attr("hpsearch:result", json.dumps(note | {"baselines": bad}))
        with pytest.raises(StorageError, match="damaged"):
            summarize(target)
