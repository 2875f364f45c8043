"""The panel of the test rows: confusion, curves and calibration, small enough to be stored."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import optuna
import pytest
from views import trial, view_of

from hpsearch.engine import record
from hpsearch.engine.metadata import SHAPES
from hpsearch.engine.tested import TESTED, SeenClasses, looked_at, read_seen
from hpsearch.errors import StorageError
from hpsearch.metrics.curves import Residuals
from hpsearch.nn.losses import softmax
from hpsearch.plots import NothingToDraw
from hpsearch.plots.winner import winner_data, winner_figures, winner_tables
from hpsearch.wording import classes_table, confusion_table


def outputs(classes: int, rows: int = 400, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, rows)
    return softmax(rng.standard_normal((rows, classes)) + 2 * np.eye(classes)[y]), y


def study_of(seen: object, classes: int) -> optuna.Study:
    study = optuna.create_study()
    about = {
        "name": "made",
        "fingerprint": "f",
        "rows": 9,
        "columns": 1,
        "classes": [f"c{k}" for k in range(classes)],
        "notes": [],
        "train": 3,
        "validation": 3,
        "test": 3,
        "account": {},
        "baselines": [],
    }
    record.write_metadata(study, "data", about)
    record.write_metadata(study, TESTED, seen)
    return study


def kept(classes: int, monkeypatch: pytest.MonkeyPatch, rows: int = 400) -> SeenClasses:
    """As it comes back from a store."""
    monkeypatch.setitem(SHAPES, "data", dict)
    seen = looked_at(*outputs(classes, rows))
    assert len(json.dumps(seen)) < 40_000
    read = read_seen(study_of(seen, classes))
    assert isinstance(read, SeenClasses)
    return read


def test_two_classes_have_the_curves_of_the_positive_one(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = kept(2, monkeypatch)
    raw, y = outputs(2)
    assert seen.confusion is not None
    assert seen.confusion.sum() == 400
    assert seen.confusion.trace() == (raw.argmax(axis=1) == y).sum()
    [curve] = seen.curves
    assert curve.name == "c1"
    assert np.trapezoid(curve.roc.y, curve.roc.x) == pytest.approx(curve.roc_auc, abs=0.01)
    assert np.isinf(curve.roc.threshold[0])
    assert seen.calibration.rows.sum() == 400
    data = winner_data(replace(view_of(trial(0, 0.9)), seen=seen))
    assert "the probability of c1" in data.note
    confusion, roc, precision, calibration = winner_figures(data)
    assert confusion.data[0].customdata.sum() == 400
    assert roc.data[0].name.startswith("c1, area 0.")
    assert precision.layout.yaxis.title.text == "precision"
    assert len(calibration.data[1].x) == 10
    [table] = winner_tables(data)
    assert [row[0] for row in table.rows] == ["c0", "c1"]


def test_of_many_classes_the_worst_have_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = kept(20, monkeypatch)
    assert len(seen.curves) == 6
    data = winner_data(replace(view_of(trial(0, 0.9)), seen=seen))
    assert "Curves of the 6 classes of 20 that are ranked worst" in data.note
    assert len(winner_figures(data)) == 4
    table = classes_table(seen)
    assert table is not None
    assert len(table.rows) == 12
    recalls = [float(row[2]) for row in table.rows]
    assert recalls == sorted(recalls)
    assert confusion_table(seen) is None


def test_of_very_many_classes_there_is_no_confusion_matrix(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = kept(80, monkeypatch)
    assert seen.confusion is None
    assert seen.by_class == []
    assert classes_table(seen) is None
    data = winner_data(replace(view_of(trial(0, 0.9)), seen=seen))
    assert len(winner_figures(data)) == 3
    assert winner_tables(data) == []


def test_a_class_that_the_test_part_lacks_has_no_curve(monkeypatch: pytest.MonkeyPatch) -> None:
    raw, y = outputs(3)
    seen = looked_at(raw[y < 2], y[y < 2])
    assert seen is not None
    assert [one["class"] for one in seen["curves"]] == [0, 1]
    assert looked_at(np.full((3, 2), np.nan), np.zeros(3, int)) is None


def test_what_is_not_known_is_said() -> None:
    with pytest.raises(NothingToDraw, match="test part was not used yet"):
        winner_data(view_of(trial(0, 0.9)))
    tested = view_of(trial(0, 0.9))
    tested = replace(tested, summary=replace(tested.summary, test=0.9))
    with pytest.raises(NothingToDraw, match="keeps nothing of its test rows but their metric"):
        winner_data(tested)


@pytest.mark.parametrize(
    "damage",
    [
        {"confusion": [[1, 2]]},
        {"confusion": "text"},
        {"curves": [{"class": 9}]},
        {"calibration": [[0.5]]},
    ],
)
def test_damage_is_told(damage: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SHAPES, "data", dict)
    seen = looked_at(*outputs(2))
    assert seen is not None
    with pytest.raises(StorageError, match="damaged: hpsearch:tested"):
        read_seen(study_of(seen | damage, 2))


def test_a_quantity_has_its_true_values_and_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SHAPES, "data", dict)
    rng = np.random.default_rng(0)
    predicted = rng.standard_normal(3000) * 40
    kept = looked_at(predicted, predicted + 5.0)
    read = read_seen(study_of(kept, 0))
    assert isinstance(read, Residuals)
    view = view_of(trial(0, 0.9))
    view = replace(view, seen=read, summary=replace(view.summary, test=5.0, test_rows=3000))
    data = winner_data(view)
    assert data.note == "1,000 of 3,000 test rows, evenly by what was predicted."
    true, errors = winner_figures(data)
    assert true.layout.yaxis.title.text == "true"
    assert errors.data[1].y == pytest.approx(np.full(1000, 5.0), abs=0.1)
    [table] = winner_tables(data)
    assert table.rows == [["5", "5", "5", "5", "5"]]
    with pytest.raises(StorageError, match="damaged"):
        read_seen(study_of({"predicted": [1.0], "true": [], "quantiles": [0.0] * 5}, 0))
