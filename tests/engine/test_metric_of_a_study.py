"""Studies by any metric: its direction and its own values in the store, one winner by it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import optuna
import pytest
from here import Here
from sklearn import metrics as sk

from hpsearch.data import load_dataset, make_splits
from hpsearch.engine import run_study
from hpsearch.engine.ensemble import make_ensemble
from hpsearch.engine.summary import Summary, summarize
from hpsearch.engine.tested import SeenClasses
from hpsearch.errors import StudyFileError, UsageError
from hpsearch.metrics import metric_named
from hpsearch.objectives.network import NetworkObjective
from hpsearch.objectives.rows import Rows
from hpsearch.plots import read_view
from hpsearch.report.note import note_markdown
from hpsearch.search.base import Slot
from hpsearch.storage import load_model_bytes, load_study, open_storage, study_names
from hpsearch.study_file import StudyFile, parse_study_file
from hpsearch.training.jobs import Job, RefitJob
from hpsearch.training.model import Model
from hpsearch.wording import result_sentence

pytestmark = pytest.mark.slow

TEXT = """
name = "s"
seed = 3
[data]
name = "{data}"
[objective]
{objective}
[model]
width = {{ low = 4, high = 32, log = true }}
depth = 1
[training]
epochs = 6
[search]
trials = 12
{search}
"""


def study(objective: str, *, data: str = "iris", search: str = "") -> StudyFile:
    return parse_study_file(TEXT.format(objective=objective, data=data, search=search))


def network(db: str, summary: Summary) -> Model:
    store = open_storage(db)
    assert summary.model is not None
    target = load_study(store, "s")
    return Model.from_bytes(load_model_bytes(store, target._study_id, summary.model))


@pytest.mark.parametrize("strategy", ["guided", "coarse-to-fine", "tpe"])
def test_a_loss_is_minimized_from_the_first_trial_to_the_test(
    here: Here, db: str, strategy: str
) -> None:
    file = study('metric = "log_loss"\nalso = ["f1_macro"]', search=f'strategy = "{strategy}"')
    summary = run_study(file, storage=db)
    target = load_study(open_storage(db), "s")
    assert target.direction == optuna.study.StudyDirection.MINIMIZE
    assert target.metric_names == ["validation log_loss"]
    complete = [t for t in target.trials if t.state.name == "COMPLETE"]
    assert all(0 < t.value < 5 and 0 <= t.user_attrs["f1_macro"] <= 1 for t in complete)
    assert all(t.intermediate_values[t.user_attrs["epochs"]] == t.value for t in complete)
    assert target.best_value == min(t.value for t in complete)
    first = summary.rows[1 if summary.winner is not None else 0]
    assert first.score == min(row.score for row in summary.rows[1:] if row.score is not None)
    # What was tested is the network that was kept.
    data = load_dataset("iris")
    rows = make_splits(data.y, seed=3)[0].test
    metric = metric_named("log_loss", "classification", 3)
    said = network(db, summary).predict_proba(data.X[rows])
    assert summary.test == pytest.approx(metric.value(data.y[rows], said), abs=1e-5)
    assert summary.test_interval is not None
    low, high = summary.test_interval
    assert low < summary.test < high
    assert set(summary.test_also) == {"f1_macro"}
    assert all(row.document()["also"]["f1_macro"] <= 1 for row in summary.rows if row.also)
    assert summary.rows[0].also
    [beside] = summary.baselines
    assert beside.value == pytest.approx(np.log(3), abs=0.05)
    assert summary.verdict(beside) == "better"
    sentence = result_sentence(summary)
    assert "has a test log loss of" in sentence
    assert "its validation log loss was" in sentence
    assert "accura" not in sentence + note_markdown(read_view(open_storage(db), "s"))
    assert summary.document()["metric"] == "log_loss"
    assert summary.document()["direction"] == "minimize"


def test_it_goes_on_as_if_it_had_never_been_stopped(here: Here, db: str, tmp_path: Path) -> None:
    file = study('metric = "log_loss"')
    whole = run_study(file, storage=f"sqlite:///{tmp_path / 'whole.db'}")

    def stop(job: object) -> None:
        if sum(isinstance(job, Job) for job in here.jobs) == done + 7:
            here.before = lambda job: None
            raise KeyboardInterrupt

    done = sum(isinstance(job, Job) for job in here.jobs)
    here.before = stop
    with pytest.raises(KeyboardInterrupt):
        run_study(file, storage=db)
    again = run_study(file, storage=db)
    assert (again.best, again.validation, again.test) == (whole.best, whole.validation, whole.test)


def test_an_ensemble_is_chosen_by_the_metric(here: Here, db: str) -> None:
    summary = run_study(study('metric = "log_loss"'), storage=db)
    ensemble = make_ensemble("s", 2, storage=db)
    assert ensemble.measure.name == "log_loss"
    best = ensemble.members[0]
    assert best.together == pytest.approx(best.alone)
    assert best.alone <= ensemble.single_validation
    assert ensemble.single_test == summary.test
    assert ensemble.better == (ensemble.test < ensemble.single_test)
    assert ensemble.difference_interval is not None
    low, high = ensemble.difference_interval
    assert low <= ensemble.test - ensemble.single_test <= high
    assert ensemble.surely == (high < 0)
    assert make_ensemble("s", 2, storage=db) == ensemble


def test_a_metric_that_does_not_fit_leaves_nothing_behind(here: Here, db: str) -> None:
    with pytest.raises(UsageError, match="f1 is for two classes, and there are 3; f1_macro"):
        run_study(study('metric = "f1"'), storage=db)
    with pytest.raises(UsageError, match="rmse is for regression"):
        run_study(study('metric = "log_loss"\nalso = ["rmse"]'), storage=db)
    assert "s" not in study_names(open_storage(db))


def test_the_metric_of_a_study_that_has_begun_stays(here: Here, db: str) -> None:
    run_study(study('metric = "log_loss"'), storage=db)
    with pytest.raises(UsageError, match=r"objective\.metric was log_loss and is f1_macro"):
        run_study(study('metric = "f1_macro"'), storage=db)


def test_the_default_may_be_named_later(here: Here, db: str) -> None:
    run_study(study(""), storage=db)
    done = len(here.jobs)
    run_study(study('metric = "accuracy"'), storage=db)
    run_study(study(""), storage=db)
    assert len(here.jobs) == done
    with pytest.raises(UsageError, match=r"objective\.metric was accuracy and is log_loss"):
        run_study(study('metric = "log_loss"'), storage=db)


def test_a_study_that_is_there_and_goes_the_other_way_is_refused(here: Here, db: str) -> None:
    optuna.create_study(study_name="s", storage=open_storage(db), direction="maximize")
    with pytest.raises(UsageError, match="maximizes, and log_loss is to be minimized"):
        run_study(study('metric = "log_loss"'), storage=db)


@pytest.mark.parametrize(
    ("objective", "sentence"),
    [
        ('metric = "roc_acu"', r"line 7: objective\.metric unknown metric 'roc_acu'; did you mean"),
        ('metric = "f1"\nalso = ["f1"]', "names a metric twice"),
        ('also = ["nothing like it"]', "unknown metric"),
    ],
)
def test_a_study_file_names_metrics_that_there_are(objective: str, sentence: str) -> None:
    with pytest.raises(StudyFileError, match=sentence):
        study(objective)


def test_what_is_recorded_of_a_training_is_part_of_its_digest() -> None:
    data = load_dataset("iris")
    splits = make_splits(data.y, seed=0)
    slot = Slot(0, 0, {"width": 4}, 1, 2)
    digests = set()
    for objective in ("", 'metric = "log_loss"', 'also = ["log_loss"]', 'metric = "accuracy"'):
        file = study(objective)
        metrics = file.objective.metrics(data.task, data.classes)
        digests.add(NetworkObjective(file, Rows(file, data, splits, metrics)).digest(slot))
    assert len(digests) == 3  # accuracy is what it is measured by where nothing is said


def test_where_all_trainings_are_measured_on_rare_cases_the_constant_is_beside(
    here: Here, db: str
) -> None:
    summary = run_study(study('metric = "f1"', data="breast_cancer"), storage=db)
    [beside] = summary.baselines
    assert beside.does == "always answering 'benign'"
    assert beside.value > 0.7
    assert any(isinstance(job, RefitJob) for job in here.jobs)
    assert summarize(load_study(open_storage(db), "s")).score_name == "validation F1"


def test_another_class_can_be_the_one_that_is_looked_for(here: Here, db: str) -> None:
    asked = 'metric = "f1"\nalso = ["average_precision", "recall"]\npositive = "malignant"'
    summary = run_study(study(asked, data="breast_cancer"), storage=db)
    data = load_dataset("breast_cancer")
    rows = make_splits(data.y, seed=3)[0].test
    found = data.classes.index("malignant")
    said = network(db, summary).predict_proba(data.X[rows])
    labels, y = said.argmax(axis=1) == found, data.y[rows] == found
    assert summary.test == pytest.approx(sk.f1_score(y, labels))
    assert summary.test_also["recall"] == pytest.approx(sk.recall_score(y, labels))
    area = sk.average_precision_score(y, said[:, found])
    assert summary.test_also["average_precision"] == pytest.approx(area, abs=1e-3)
    [beside] = summary.baselines[:1]
    assert beside.does == "always answering 'malignant'"
    view = read_view(open_storage(db), "s")
    assert isinstance(view.seen, SeenClasses)
    assert [curve.name for curve in view.seen.curves] == ["malignant"]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ("breast_cancer", "names the label 'no', of no row; the labels are 'malignant' and"),
        ("iris", "tells which of two classes is looked for, and there are 3"),
    ],
)
def test_a_positive_label_that_there_is_none_of_is_refused(
    here: Here, db: str, data: str, sentence: str
) -> None:
    with pytest.raises(UsageError, match=sentence):
        run_study(study('positive = "no"', data=data), storage=db)


def test_an_order_of_classes_is_asked_for(here: Here, db: str) -> None:
    with pytest.raises(UsageError, match="needs classes in an order, and the labels are text"):
        run_study(study('metric = "quadratic_kappa"'), storage=db)
    run_study(study('metric = "quadratic_kappa"', data="digits"), storage=db)


@pytest.mark.parametrize("metric", ["accuracy", "log_loss"])
def test_intervals_are_of_groups_where_rows_are_divided_by_group(
    here: Here, db: str, tmp_path: Path, metric: str
) -> None:
    """Every row is there four times: by group the interval is as wide as that of the rows once."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal(120)
    label = (x + rng.standard_normal(120) > 0).astype(int)
    lines = [f"{a},{b},{k}" for k, (a, b) in enumerate(zip(x, label, strict=True)) for _ in "1234"]
    (tmp_path / "t.csv").write_text("\n".join(["x,label,who", *lines]))
    widths = []
    for number, split in enumerate(('groups = "who"', 'exclude = ["who"]')):
        file = parse_study_file(
            f'name = "s{number}"\n[data]\npath = "{tmp_path / "t.csv"}"\ntarget = "label"\n'
            f'{split}\ntest = 0.5\n[objective]\nmetric = "{metric}"\n[model]\nwidth = 4\n'
            "depth = 0\n[training]\nepochs = 2\n[search]\ntrials = 2"
        )
        interval = run_study(file, storage=db).test_interval
        assert interval is not None
        widths.append(interval[1] - interval[0])
    assert 1.4 < widths[0] / widths[1] < 2.8
