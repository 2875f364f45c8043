"""Training a multilayer perceptron as an Optuna objective, for anybody's ``study.optimize``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hpsearch.data import Dataset, Fold, Preprocessor, Split, load_dataset, make_splits
from hpsearch.errors import UnknownNameError, UsageError
from hpsearch.metrics import DEFAULT, Task, metric_named
from hpsearch.nn import TrainingConfig
from hpsearch.search.distributions import suggest
from hpsearch.space import Categorical, Space, Value
from hpsearch.training.diagnosis import by_kind
from hpsearch.training.jobs import train_folds
from hpsearch.training.specification import TrainingSpecification, setting_names

if TYPE_CHECKING:
    import optuna

__all__ = ["MLPObjective"]


class MLPObjective:
    """A multilayer perceptron as an Optuna objective: a metric of the validation part.

    It reports the metric after each epoch, honours ``trial.should_prune()``, and raises
    ``TrialPruned`` for a training that diverges (its loss is not finite or passes three times the
    initial loss), so that every value in the study is finite.

    Args:
        X: (n, d) numbers, as an array, a data frame, an Arrow table or a sparse matrix; NaN counts
            as missing and is imputed with the training part's median. With ``target`` a data frame
            of pandas or Polars or an Arrow table, whose columns mean what those of a file do: text
            is categories, dates become numbers.
        y: (n,) labels, integers, text or truth values, whatever holds them; none with ``target``.
        target: the column of X that is learned, instead of y.
        space: what to search; by default learning rate, decay, l2, width and depth.
        fixed: values of settings that are not searched, by the names of a study file.
        epochs: passes over the training part.
        validation: share of the rows that scores a trial.
        metric: the name of one, as in a study file; the study's direction must be its own.
        task: whether y holds classes or a quantity; None to decide by what it holds.
        folds: 2 or more score by cross-validation; the pruner then sees the first fold.
        seed: of the split, the initial weights and the shuffling.

    Raises:
        DataError: X and y do not fit together, or cannot be learned from.
        UnknownNameError: `space` or `fixed` names a setting that there is none of, or `metric` is
            no metric.
        UsageError: a value of `space` or `fixed` is none of its setting's, or the metric is not for
            classes, or not for so many.

    >>> import optuna
    >>> from sklearn.datasets import load_iris
    >>> optuna.logging.set_verbosity(optuna.logging.WARNING)
    >>> sampler = optuna.samplers.RandomSampler(seed=0)
    >>> study = optuna.create_study(direction="maximize", sampler=sampler)
    >>> study.optimize(MLPObjective(*load_iris(return_X_y=True), epochs=10), n_trials=8)
    >>> study.best_value > 0.8
    True
    >>> frame = load_iris(as_frame=True).frame
    >>> MLPObjective(frame, target="target", epochs=10).data.feature_names[0]
    'sepal length (cm)'
    """

    def __init__(
        self,
        X: Any,
        y: Any = None,
        *,
        target: str | None = None,
        space: Space | None = None,
        fixed: Mapping[str, Value] | None = None,
        epochs: int = TrainingConfig.epochs,
        validation: float = 0.2,
        metric: str | None = None,
        task: Task | None = None,
        folds: int = 1,
        seed: int = 0,
    ) -> None:
        if space is None:
            from hpsearch.study_file import default_space

            space = default_space()
        fixed = dict(fixed or {})
        known = set(setting_names())
        for name in [*space.parameters, *fixed]:
            if name not in known:
                raise UnknownNameError("setting", name, setting_names())
        self.space = space.given(fixed)
        _check_values(fixed, self.space)
        self.fixed, self.epochs, self.folds, self.seed = fixed, epochs, folds, seed
        if (y is None) == (target is None):
            raise UsageError("MLPObjective takes either y or target, a column of X; give one")
        if target is not None:
            self.data = load_dataset(frame=X, target=target, task=task)
        else:
            self.data = Dataset.from_arrays("X", X, y, task=task)
        named = metric or DEFAULT[self.data.task]
        self.metric = metric_named(named, self.data.task, len(self.data.classes))
        self.splits = make_splits(
            self.data.y, validation=validation, folds=folds, seed=seed, fixed_test=len(self.data.y)
        )
        self._prepared: dict[tuple[str, float], list[Fold]] = {}

    def __call__(self, trial: optuna.Trial) -> float:
        """Train the configuration that the trial suggests.

        Returns:
            The metric's value on the validation part.

        Raises:
            UsageError: the study minimizes what is to be maximized, or the other way.
            optuna.TrialPruned: the pruner, or a diverged training.
        """
        import optuna

        name, direction = self.metric.name, self.metric.direction
        if trial.study.direction.name.lower() != direction:
            raise UsageError(
                f"MLPObjective returns {name}, which is to be {direction}d; "
                f"make the study with optuna.create_study(direction='{direction}')"
            )
        configuration = self.fixed | suggest(trial, self.space)
        spec = TrainingSpecification.of(configuration, epochs=self.epochs)

        def report(epoch: int, score: float) -> bool:
            trial.report(self.metric.of_score(score), epoch)
            return trial.should_prune()

        result = train_folds(
            self._folds(spec),
            len(self.data.classes),
            spec,
            seed=self.seed,
            metric=self.metric,
            on_epoch=report,
        )
        trial.set_user_attr("why_stopped", result.why_stopped)
        trial.set_user_attr("epochs", len(result.curve))
        for key, found in by_kind(result.findings).items():
            trial.set_user_attr(key, found)
        if not result.complete:
            if not result.curve:
                # A pruned trial without any reported value leaves optuna-dashboard's page blank.
                trial.report(self.metric.of_score(result.score), 1)
            raise optuna.TrialPruned(f"the training was stopped: {result.why_stopped}")
        return self.metric.of_score(result.score)

    def _folds(self, spec: TrainingSpecification) -> list[Fold]:
        key = (spec.preprocessing, spec.variance)
        if key not in self._prepared:
            self._prepared[key] = [self._prepare(split, spec) for split in self.splits]
        return self._prepared[key]

    def _prepare(self, split: Split, spec: TrainingSpecification) -> Fold:
        X, y = self.data.X, self.data.y
        preprocessor, X_train = Preprocessor.fit_transform(
            X[split.train],
            spec.preprocessing,
            categories=self.data.nominal,
            y=y[split.train],
            variance=spec.variance,
        )
        return Fold(
            X_train,
            y[split.train],
            preprocessor.transform(X[split.validation]),
            y[split.validation],
        )


def _check_values(fixed: Mapping[str, Value], space: Space) -> None:
    """Refuse before the first trial what no training could use, a width of 17.3 for example."""
    TrainingSpecification.of(fixed, epochs=1)
    for name, parameter in space.parameters.items():
        some = (
            parameter.choices
            if isinstance(parameter, Categorical)
            else [parameter.from_unit(u) for u in (0.0, 0.37, 1.0)]
        )
        for value in some:
            TrainingSpecification.of({name: value}, epochs=1)
