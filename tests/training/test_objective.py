"""One trial: what a configuration means, what an outcome says, and the Optuna objective."""

from __future__ import annotations

import math
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
import pytest
from sklearn.datasets import load_digits, load_iris

from hpsearch.data import Dataset, make_splits, write_store
from hpsearch.errors import DataError, UnknownNameError, UsageError
from hpsearch.metrics import metric_named, names
from hpsearch.nn import NetworkConfig, TrainingConfig
from hpsearch.space import Categorical, Condition, Float, Int, Space
from hpsearch.training.jobs import Job, RefitJob, predictions_job, refit_job, train_job
from hpsearch.training.optuna_objective import MLPObjective
from hpsearch.training.specification import TrainingSpecification

GOOD = {"width": 16, "depth": 1, "learning_rate": 0.05}


@pytest.fixture(scope="module")
def iris(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return Dataset.from_arrays("iris", *load_iris(return_X_y=True))


def job(folder: Path, data: Dataset, configuration: dict[str, object], **changes: int) -> Job:
    splits = make_splits(data.y, seed=0, folds=changes.pop("folds", 1))
    handle = write_store(folder, data, splits)
    return Job(handle, configuration, **({"seed": 1, "epochs": 10} | changes))  # type: ignore[arg-type]


class TestTrainingSpecification:
    def test_what_is_not_said_takes_its_default(self) -> None:
        spec = TrainingSpecification.of({}, epochs=7)
        assert spec.network == NetworkConfig()
        assert spec.training == TrainingConfig(epochs=7)

    def test_width_and_depth_make_the_layers(self) -> None:
        assert TrainingSpecification.of(
            {"width": 5, "depth": 3}, epochs=1
        ).network.hidden_layer_sizes == (5, 5, 5)
        assert TrainingSpecification.of({"depth": 0}, epochs=1).network.hidden_layer_sizes == ()

    def test_an_unknown_setting_is_named(self) -> None:
        with pytest.raises(UnknownNameError, match="did you mean 'learning_rate'"):
            TrainingSpecification.of({"learning_rat": 0.1}, epochs=1)


class TestJob:
    def test_a_class_of_weight_zero_is_not_learned(self, tmp_path: Path, iris: Dataset) -> None:
        plain = job(tmp_path, iris, GOOD)
        weighed = replace(plain, class_weights=(1.0, 0.0, 1.0))
        assert train_job(plain).score > 0.7 > train_job(weighed).score
        refit = RefitJob(plain.data, GOOD, 1, 10, class_weights=(1.0, 0.0, 1.0))
        y = plain.data.refit("standardize")[0].y_validation
        assert np.mean(refit_job(refit).predictions.argmax(axis=1) == y) < 0.7
        same = replace(plain, class_weights=(2.0, 2.0, 2.0))
        assert train_job(same).losses == train_job(plain).losses

    def test_it_is_a_pure_function(self, tmp_path: Path, iris: Dataset) -> None:
        one, two = (train_job(job(tmp_path, iris, GOOD)) for _ in range(2))
        assert (one.score, one.curve, one.losses) == (two.score, two.curve, two.losses)
        assert one.complete
        assert one.score > 0.7
        assert len(one.curve) == 10
        assert one.why_stopped == "finished"

    def test_another_seed_is_another_training(self, tmp_path: Path, iris: Dataset) -> None:
        losses = {train_job(job(tmp_path, iris, GOOD, seed=seed)).losses for seed in (1, 2)}
        assert len(losses) == 2

    def test_folds_are_averaged(self, tmp_path: Path, iris: Dataset) -> None:
        outcome = train_job(job(tmp_path, iris, GOOD, folds=4))
        assert len(outcome.fold_scores) == 4
        assert outcome.score == pytest.approx(sum(outcome.fold_scores) / 4)
        assert outcome.curve[-1] == pytest.approx(outcome.score)

    @pytest.mark.parametrize("folds", [1, 3])
    def test_a_diverging_training_is_stopped_and_counts_as_chance(
        self, tmp_path: Path, iris: Dataset, folds: int
    ) -> None:
        wild = {"learning_rate": 1e4, "optimizer": "sgd", "schedule": "constant", "depth": 3}
        outcome = train_job(job(tmp_path, iris, wild, epochs=50, folds=folds))
        assert not outcome.complete
        assert outcome.why_stopped in ("diverged", "not finite")
        known = job(tmp_path, iris, GOOD, folds=folds).data
        fold = known.fold(len(outcome.fold_scores) - 1, "none", variance=1.0)
        largest = np.bincount(fold.y_train).argmax()
        assert outcome.score == pytest.approx(np.mean(fold.y_validation == largest))
        assert len(outcome.curve) < 50
        assert all(math.isfinite(v) for v in outcome.curve)

    def test_with_patience_the_best_epoch_counts(self, tmp_path: Path, iris: Dataset) -> None:
        outcome = train_job(job(tmp_path, iris, GOOD | {"patience": 3}, epochs=200))
        assert outcome.why_stopped == "early stopping"
        assert outcome.score == max(outcome.curve) == outcome.curve[outcome.best_epoch - 1]

    @pytest.mark.parametrize("name", ["log_loss", "f1_macro", "roc_auc", "roc_auc_ovo"])
    def test_any_metric_scores_it(self, tmp_path: Path, iris: Dataset, name: str) -> None:
        plain = job(tmp_path, iris, GOOD, folds=2)
        seen = predictions_job(plain)
        metric = metric_named(name, "classification", 3)
        expected = np.mean(
            [metric.value(*pair) for pair in zip(seen.y, seen.predictions, strict=True)]
        )
        outcome = train_job(replace(plain, metric=name, also=("accuracy",)))
        assert metric.of_score(outcome.score) == pytest.approx(expected, abs=1e-6)
        assert outcome.also["accuracy"] == pytest.approx(seen.score)
        assert outcome.losses == train_job(plain).losses
        assert len(outcome.curve) == 10

    def test_patience_waits_for_the_metric(self, tmp_path: Path, iris: Dataset) -> None:
        patient = job(tmp_path, iris, GOOD | {"patience": 3}, epochs=200)
        outcome = train_job(replace(patient, metric="log_loss"))
        assert outcome.score == max(outcome.curve)
        assert -outcome.score == pytest.approx(min(outcome.validation_losses), abs=1e-6)

    def test_a_dear_metric_is_computed_now_and_then_and_at_the_end(
        self, tmp_path: Path, iris: Dataset, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delitem(names._CHEAP, "d2_log_loss_score")  # as one that a later version brings
        long = job(tmp_path, iris, GOOD, epochs=40)
        dear = train_job(replace(long, metric="d2_log_loss_score"))
        every = train_job(replace(long, metric="log_loss"))
        assert dear.score == pytest.approx(1 + every.score / math.log(3), abs=0.01)
        assert len(dear.curve) == 40
        assert [len(set(part)) for part in (dear.curve[:19], dear.curve[19:39])] == [1, 1]
        early = train_job(
            replace(long, metric="d2_log_loss_score", configuration=GOOD | {"patience": 3})
        )
        assert early.best_epoch == 1 + int(np.argmin(early.validation_losses))

    def test_a_diverging_training_counts_like_a_constant_prediction(
        self, tmp_path: Path, iris: Dataset
    ) -> None:
        wild = {"learning_rate": 1e4, "optimizer": "sgd", "schedule": "constant", "depth": 3}
        bad = replace(job(tmp_path, iris, wild), metric="log_loss", also=("f1_macro",), test=True)
        outcome = train_job(bad)
        assert not outcome.complete
        assert -outcome.score == pytest.approx(math.log(3), abs=0.05)
        assert outcome.test_score == pytest.approx(-math.log(3), abs=0.05)
        assert outcome.also == {}

    def test_a_metric_that_does_not_fit_is_refused(self, tmp_path: Path, iris: Dataset) -> None:
        with pytest.raises(UsageError, match="f1_macro is for several"):
            train_job(replace(job(tmp_path, iris, GOOD), metric="f1"))

    def test_refit_sees_everything_but_the_test_part(self, tmp_path: Path, iris: Dataset) -> None:
        handle = job(tmp_path, iris, GOOD).data
        refit = refit_job(RefitJob(handle, GOOD, seed=3, epochs=20))
        fold, _ = handle.refit("standardize")
        assert refit.predictions.shape == (30, 3)
        assert (refit.predictions.argmax(axis=1) == fold.y_validation).sum() > 24
        assert len(fold.X_train) == 120

    def test_a_worker_imports_neither_optuna_nor_sklearn_nor_pandas(self) -> None:
        code = (
            "import sys, hpsearch.training.jobs; "
            "print(sorted({'optuna', 'sklearn', 'pandas', 'pydantic', 'scipy'} & set(sys.modules)))"
        )
        command = [sys.executable, "-c", code]
        out = subprocess.run(command, capture_output=True, text=True, check=True)
        assert out.stdout.strip() == "[]"


def study(**kwargs: object) -> optuna.Study:
    sampler = optuna.samplers.RandomSampler(seed=0)
    return optuna.create_study(**({"direction": "maximize", "sampler": sampler} | kwargs))  # type: ignore[arg-type]


class TestMLPObjective:
    X, y = load_digits(return_X_y=True)

    def objective(self, **kwargs: object) -> MLPObjective:
        return MLPObjective(self.X[:400], self.y[:400], **({"epochs": 3} | kwargs))  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        "sampler",
        [
            optuna.samplers.RandomSampler(seed=0),
            optuna.samplers.TPESampler(seed=0, n_startup_trials=2),
            optuna.samplers.CmaEsSampler(seed=0),
        ],
        ids=lambda s: type(s).__name__,
    )
    def test_it_works_with_any_sampler(self, sampler: optuna.samplers.BaseSampler) -> None:
        s = study(sampler=sampler)
        s.optimize(self.objective(), n_trials=4)
        assert set(s.trials[0].params) == {"learning_rate", "decay", "l2", "width", "depth"}
        assert s.best_value > 0.3

    @pytest.mark.parametrize(
        "pruner",
        [
            optuna.pruners.MedianPruner(n_startup_trials=1),
            optuna.pruners.SuccessiveHalvingPruner(),
            optuna.pruners.HyperbandPruner(min_resource=1, max_resource=8),
        ],
        ids=lambda p: type(p).__name__,
    )
    def test_it_reports_each_epoch_and_honours_the_pruner(
        self, pruner: optuna.pruners.BasePruner
    ) -> None:
        s = study(pruner=pruner)
        s.optimize(self.objective(epochs=8), n_trials=12)
        states = {t.state.name for t in s.trials}
        assert states == {"COMPLETE", "PRUNED"}
        for trial in s.trials:
            assert list(trial.intermediate_values) == list(
                range(1, len(trial.intermediate_values) + 1)
            )
            assert trial.user_attrs["epochs"] == len(trial.intermediate_values)

    def test_a_diverged_training_is_pruned_with_its_reason(self) -> None:
        fixed = {"learning_rate": 1e4, "optimizer": "sgd", "schedule": "constant"}
        s = study(pruner=optuna.pruners.NopPruner())
        s.optimize(self.objective(fixed=fixed), n_trials=1)
        [trial] = s.trials
        assert trial.state.name == "PRUNED"
        assert trial.user_attrs["why_stopped"] in ("diverged", "not finite")
        assert trial.intermediate_values
        assert all(map(math.isfinite, trial.intermediate_values.values()))

    def test_a_minimizing_study_is_refused(self) -> None:
        with pytest.raises(UsageError, match="direction='maximize'"):
            study(direction="minimize").optimize(self.objective(), n_trials=1)
        with pytest.raises(UsageError, match="log_loss, which is to be minimized"):
            study().optimize(self.objective(metric="log_loss"), n_trials=1)

    def test_a_loss_is_minimized(self) -> None:
        losses = study(direction="minimize")
        losses.optimize(self.objective(metric="log_loss"), n_trials=2)
        assert all(0 < trial.value < 3 for trial in losses.trials)
        first = losses.trials[0]
        assert first.intermediate_values[3] == first.value

    def test_it_pickles(self) -> None:
        copy = pickle.loads(pickle.dumps(self.objective()))
        values = []
        for objective in (self.objective(), copy):
            s = study()
            s.optimize(objective, n_trials=1)
            values.append(s.best_value)
        assert values[0] == values[1]

    def test_conditions_and_fixed_settings(self) -> None:
        space = Space(
            {
                "optimizer": Categorical(("sgd", "momentum")),
                "momentum": Float(0.5, 0.95),
                "width": Int(4, 8),
            },
            {"momentum": Condition("optimizer", ("momentum",))},
        )
        s = study()
        s.optimize(self.objective(space=space, fixed={"width": 6}), n_trials=8)
        for trial in s.trials:
            assert ("momentum" in trial.params) == (trial.params["optimizer"] == "momentum")
            assert "width" not in trial.params

    def test_labels_of_any_kind_and_missing_values(self) -> None:
        X = self.X[:300].copy()
        X[::7, 5] = np.nan
        s = study()
        s.optimize(MLPObjective(X, self.y[:300].astype(str), epochs=2, folds=2), n_trials=1)
        assert s.best_value > 0

    @pytest.mark.parametrize(
        ("X", "y", "error"),
        [
            (np.ones((4, 2)), np.ones(4), DataError),
            (np.eye(4), [0, 1, 0], DataError),
            (np.array([["a", "b"]] * 4), [0, 1, 0, 1], DataError),
            (np.full((4, 2), np.inf), [0, 1, 0, 1], DataError),
        ],
        ids=["one class", "lengths", "text", "infinite"],
    )
    def test_bad_arrays_are_refused(self, X: object, y: object, error: type[Exception]) -> None:
        with pytest.raises(error):
            MLPObjective(X, y)

    def test_an_unknown_setting_is_named(self) -> None:
        with pytest.raises(UnknownNameError, match="did you mean 'width'"):
            self.objective(fixed={"widht": 3})
