"""The decision threshold of two classes: chosen on validation rows, used on the test, stored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hpsearch.data import load_dataset
from hpsearch.engine import run_study
from hpsearch.engine.ensemble import make_ensemble
from hpsearch.engine.tested import looked_at
from hpsearch.errors import UsageError
from hpsearch.metrics import metric_named
from hpsearch.metrics.labels import confusion_matrix
from hpsearch.metrics.threshold import best_threshold, decided
from hpsearch.storage import load_model_bytes, load_study, open_storage
from hpsearch.study_file import load_study_file
from hpsearch.training.model import Model

pytestmark = pytest.mark.slow

RNG = np.random.default_rng(0)
N = 900
X = RNG.normal(size=(N, 2))
RARE = np.where(X[:, 0] + RNG.normal(size=N) > 2.2, "yes", "no")


def study(folder: Path, objective: str, y: np.ndarray = RARE) -> Path:
    frame = pd.DataFrame(X, columns=["a", "b"]).assign(y=y)
    frame.to_csv(folder / "t.csv", index=False)
    place = folder / "s.toml"
    place.write_text(
        f'name = "s"\n[data]\npath = "t.csv"\ntarget = "y"\n[objective]\n{objective}\n'
        "[training]\nepochs = 4\nlearning_rate = 0.05\n"
        '[search]\nstrategy = "random"\ntrials = 3\n'
    )
    return place


@pytest.mark.parametrize("positive", [0, 1])
@pytest.mark.parametrize("name", ["f1", "balanced_accuracy", "mcc", "accuracy"])
def test_no_other_threshold_is_better_on_the_rows_it_is_chosen_on(name: str, positive: int) -> None:
    metric = metric_named(name, "classification", 2, positive)
    y = (RARE == "yes").astype(np.int64)
    p = 1 / (1 + np.exp(2 - X[:, 0]))
    predictions = np.column_stack([1 - p, p])
    best = best_threshold(metric, y, predictions)

    def score(threshold: float) -> float:
        return metric.score(metric.value(y, decided(metric, predictions, threshold)))

    assert score(best) >= max(score(t) for t in np.linspace(0.02, 0.98, 49)) - 0.003
    assert score(best) >= metric.score(metric.value(y, predictions))


def test_probabilities_are_left_to_metrics_that_need_them() -> None:
    predictions = np.array([[0.4, 0.6], [0.9, 0.1]])
    for name, read in (("roc_auc", predictions), ("f1", np.array([0, 0]))):
        metric = metric_named(name, "classification", 2)
        np.testing.assert_array_equal(decided(metric, predictions, 0.7), read)
        np.testing.assert_array_equal(decided(metric, predictions, None), predictions)


@pytest.mark.parametrize("positive", ["", 'positive = "no"\n'])
def test_it_is_used_on_the_test_and_stored_with_the_model(tmp_path: Path, positive: str) -> None:
    asked = 'metric = "balanced_accuracy"\nthreshold = true\nalso = ["roc_auc"]\n'
    file = load_study_file(study(tmp_path, asked + positive))
    without = file.objective.model_copy(update={"threshold": False})
    other = file.model_copy(update={"name": "plain", "objective": without})
    db = str(tmp_path / "s.db")
    summary, plain = (run_study(each, storage=db, workers=1) for each in (file, other))
    assert summary.threshold is not None
    assert plain.threshold is None
    assert summary.test is not None
    assert plain.test is not None
    assert summary.test > plain.test, "the rare class is found"
    assert summary.test_also == plain.test_also
    store = open_storage(db)
    target = load_study(store, "s")
    assert summary.model is not None
    model = Model.from_bytes(load_model_bytes(store, target._study_id, summary.model))
    assert model.threshold == (0 if positive else 1, summary.threshold)
    data = load_dataset(path=tmp_path / "t.csv", target="y")
    p = model.predict_proba(data.X)[:, 0 if positive else 1]
    looked_for = model.predict(data.X) == ("no" if positive else "yes")
    np.testing.assert_array_equal(looked_for, p >= summary.threshold)
    ensemble = make_ensemble("s", 2, storage=db, workers=1)
    assert ensemble.test > plain.test


@pytest.mark.parametrize(
    ("objective", "y", "words"),
    [
        ('metric = "roc_auc"\nthreshold = true', RARE, "the metric roc_auc asks for none"),
        ("threshold = true", np.resize(["a", "b", "c"], N), "there are other than two"),
        ("threshold = true", X[:, 0], "there are other than two"),
    ],
)
def test_where_there_is_none_to_choose_it_is_refused(
    tmp_path: Path, objective: str, y: np.ndarray, words: str
) -> None:
    file = load_study_file(study(tmp_path, objective, y))
    with pytest.raises(UsageError, match=words):
        run_study(file, storage=str(tmp_path / "s.db"), workers=1)


@pytest.mark.parametrize("positive", [0, 1])
def test_the_confusion_matrix_has_the_labels_that_the_threshold_gives(positive: int) -> None:
    p = np.array([0.2, 0.4, 0.6, 0.8, 0.35])
    predictions = np.column_stack([p, 1 - p] if positive == 0 else [1 - p, p])
    y = np.array([1, 0, 1, 0, 1])
    seen = looked_at(predictions, y, positive, 0.3)
    assert seen is not None
    labels = np.where(p >= 0.3, positive, 1 - positive)
    assert seen["confusion"] == confusion_matrix(y, labels, classes=2).astype(int).tolist()
    assert seen["confusion"] != looked_at(predictions, y, positive)["confusion"]  # type: ignore[index]
