"""A quantity is learned in no units, and told in its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
import pytest

from hpsearch import MLPObjective
from hpsearch.data import Dataset, make_splits, write_store
from hpsearch.data.target import Scale
from hpsearch.errors import DataError, UsageError
from hpsearch.training.jobs import Job, RefitJob, predictions_job, refit_job, train_job
from hpsearch.training.model import Member, Model

SETTINGS = {"width": 16, "depth": 1, "learning_rate": 0.05, "decay": 0.1}
RNG = np.random.default_rng(0)
X = RNG.normal(size=(400, 4)).astype(np.float32)
Y = 3 * X[:, 0] + np.sin(2 * X[:, 1]) + RNG.normal(size=400) * 0.1


def job(folder: Path, y: np.ndarray = Y, metric: str = "rmse", folds: int = 1) -> Job:
    data = Dataset.from_arrays("q", X, y)
    splits = make_splits(data.y, seed=0, folds=folds)
    return Job(write_store(folder, data, splits), SETTINGS, 1, 30, metric=metric)


def test_a_quantity_is_learned(tmp_path: Path) -> None:
    outcome = train_job(job(tmp_path))
    assert outcome.complete
    assert -1 < outcome.score < 0  # greater is better, in the target's units
    assert outcome.curve[0] < outcome.curve[-1]


@pytest.mark.parametrize("units", [1e-6, 1e9])
def test_units_change_nothing_but_the_numbers(tmp_path: Path, units: float) -> None:
    plain, scaled = train_job(job(tmp_path)), train_job(job(tmp_path, Y * units + 7 * units))
    assert scaled.score == pytest.approx(plain.score * units, rel=1e-3)
    assert scaled.losses == pytest.approx(plain.losses, rel=1e-3)


@pytest.mark.parametrize(
    "metric", ["mae", "r2", "rmse", "neg_median_absolute_error", "neg_max_error"]
)
def test_any_metric_of_numbers_scores_it(tmp_path: Path, metric: str) -> None:
    asked = replace(job(tmp_path, metric=metric, folds=3), also=("r2",) if metric != "r2" else ())
    outcome, seen = train_job(asked), predictions_job(asked)
    assert outcome.score == seen.score
    assert all(1 - np.var(y - p) / np.var(y) > 0.9 for y, p in zip(seen.y, seen.predictions))  # noqa: B905
    assert metric == "r2" or outcome.also["r2"] > 0.9


@pytest.mark.parametrize("loss", ["squared-error", "absolute-error", "huber"])
def test_each_loss_of_numbers_learns(tmp_path: Path, loss: str) -> None:
    plain = job(tmp_path, metric="r2")
    outcome = train_job(replace(plain, configuration=SETTINGS | {"loss": loss}))
    assert outcome.score > 0.9
    assert loss == "squared-error" or outcome.losses != train_job(plain).losses


def test_a_loss_of_numbers_is_not_for_classes(tmp_path: Path) -> None:
    asked = job(tmp_path, (Y > 0).astype(int), metric="accuracy")
    with pytest.raises(UsageError, match="loss = 'huber' is for numbers"):
        train_job(replace(asked, configuration=SETTINGS | {"loss": "huber"}))


def test_what_diverges_counts_like_the_best_constant(tmp_path: Path) -> None:
    asked = job(tmp_path)
    wild = replace(asked, configuration=SETTINGS | {"learning_rate": 1e6})
    outcome = train_job(wild)
    assert not outcome.complete
    fold = asked.data.fold(0, "standardize")
    constant = np.sqrt(np.mean((fold.y_validation - fold.y_train.mean()) ** 2))
    assert outcome.score == pytest.approx(-constant)


def test_with_folds_it_counts_like_the_constant_on_all_of_them(tmp_path: Path) -> None:
    asked = job(tmp_path, Y * np.where(np.arange(400) % 40 == 0, 30, 1), folds=4)
    wild = replace(asked, configuration=SETTINGS | {"learning_rate": 1e6}, test=True)
    outcome = train_job(wild)
    folds = [asked.data.fold(k, "standardize") for k in range(4)]
    _, y, _ = asked.data.test(0, "standardize")

    def mean_of_errors(measured: list[np.ndarray]) -> float:
        pairs = zip(folds, measured, strict=True)
        return float(np.mean([np.sqrt(np.mean((y - f.y_train.mean()) ** 2)) for f, y in pairs]))

    assert outcome.score == pytest.approx(-mean_of_errors([f.y_validation for f in folds]))
    assert outcome.test_score == pytest.approx(-mean_of_errors([y] * 4))


@pytest.mark.parametrize(
    "setting", [{"label_smoothing": 0.1}, {"class_weight": "balanced"}], ids=str
)
def test_what_is_for_classes_is_not_for_a_quantity(
    tmp_path: Path, setting: dict[str, object]
) -> None:
    asked = replace(job(tmp_path), configuration=SETTINGS | setting)
    with pytest.raises(UsageError, match=f"{next(iter(setting))} is for classes"):
        train_job(asked)


def test_a_model_file_tells_the_quantity_in_its_units(tmp_path: Path) -> None:
    asked = job(tmp_path, Y * 1000 + 5000)
    refit = refit_job(RefitJob(asked.data, SETTINGS, 1, 30))
    member = Member(refit.network, refit.state, refit.preprocessor, refit.scale)
    model = Model((member, member), (), ("x0", "x1", "x2", "x3"))
    again = Model.from_bytes(model.to_bytes())
    rows = asked.data.undivided()
    np.testing.assert_allclose(again.predict(rows.X_test), refit.predictions, rtol=1e-5)
    assert np.corrcoef(again.predict(rows.X_test), rows.y_test)[0, 1] > 0.97
    with pytest.raises(UsageError, match="no probabilities"):
        again.predict_proba(rows.X_test)
    lost = Model((replace(member, scale=None),), (), ("x0", "x1", "x2", "x3"))
    with pytest.raises(DataError, match="learned something else"):
        lost.predict(rows.X_test)


def test_a_scale_is_of_the_training_rows_only() -> None:
    assert Scale.of(np.array([5.0, 5.0])) == Scale(5.0, 1.0)
    scale = Scale.of(np.array([0.0, 2.0]))
    np.testing.assert_array_equal(scale.standardized(np.array([3.0])), [[2.0]])


def test_the_objective_minimizes_an_error() -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    objective = MLPObjective(X, Y, epochs=3)
    assert objective.metric.name == "rmse"
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(objective, n_trials=2)
    with pytest.raises(UsageError, match="to be minimized"):
        optuna.create_study(direction="maximize").optimize(objective, n_trials=1)
