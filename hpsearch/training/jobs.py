"""One trial: a configuration goes in, a result comes out.

`train_job` is what a worker process runs: a pure function of a picklable `Job`, without Optuna.
`MLPObjective`, beside this module, is the same training for anybody's ``study.optimize``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, median
from typing import TypeAlias

import numpy as np

from hpsearch.data import DataHandle, Fold, Preprocessor
from hpsearch.data.target import Scale
from hpsearch.metrics import DEFAULT, OWN, POSITIVE, Metric, Task, metric_named
from hpsearch.nn import EpochRecord, Network, NetworkConfig, TrainingResult, train
from hpsearch.outcome import Outcome, here
from hpsearch.space import Value
from hpsearch.training.diagnosis import diagnose
from hpsearch.training.scoring import EpochScore, values
from hpsearch.training.specification import TrainingSpecification
from hpsearch.training.targets import Targets

__all__ = [
    "Job",
    "Predictions",
    "Refit",
    "RefitJob",
    "predictions_job",
    "refit_job",
    "train_folds",
    "train_job",
]


@dataclass(frozen=True)
class Job:
    """One training to do, small enough to send anywhere: the data goes by handle.

    Attributes:
        data: where the data are.
        configuration: the value of every setting.
        seed: of the initial weights, the shuffling and the dropout.
        epochs: how long to train.
        test: whether to score the test part too, as only a comparison of searches does.
        metric: the name of what scores it.
        also: the names of metrics to record beside.
        class_weights: how much the samples of each class count, by its code; None for what the
            configuration says.
        positive: the code of the class that metrics look for, of two.
    """

    data: DataHandle
    configuration: Mapping[str, Value]
    seed: int
    epochs: int
    test: bool = False
    metric: str = DEFAULT["classification"]
    also: tuple[str, ...] = ()
    class_weights: tuple[float, ...] | None = None
    positive: int = POSITIVE


_Labels: TypeAlias = tuple[np.ndarray, np.ndarray | None]
"""Class codes, or a quantity (n,), and how much each of them counts."""

OnEpoch = Callable[[int, float], bool | None]
"""Called with the epoch (from 1) and its validation score; True stops the training."""

Stop = Callable[[], bool]
"""Asked after each epoch; True when nobody waits for the training any more."""


def train_job(
    job: Job, stop: Stop | None = None, *, on_trained: Callable[[Fold, Network], None] | None = None
) -> Outcome:
    """Train and score one configuration on every fold of its data; a pure function of the job."""
    spec = TrainingSpecification.of(job.configuration, epochs=job.epochs)
    data, kind, variance = job.data, spec.preprocessing, spec.variance
    task: Task = "classification" if data.n_classes else "regression"
    metric, *also = (
        metric_named(name, task, data.n_classes, job.positive) for name in (job.metric, *job.also)
    )
    result = train_folds(
        (data.fold(k, kind, variance=variance) for k in range(data.n_folds)),
        data.n_classes,
        spec,
        seed=job.seed,
        metric=metric,
        also=also,
        on_epoch=None if stop is None else lambda _epoch, _score: stop(),
        test=(lambda k: data.test(k, kind, variance=variance)) if job.test else None,
        on_trained=on_trained,
        class_weights=job.class_weights,
    )
    return replace(result, worker=here())


@dataclass(frozen=True)
class Predictions:
    """What a configuration, trained once more, says of the validation rows.

    Attributes:
        score: as in `Outcome`.
        complete: likewise.
        predictions: of each fold, in the order of its rows: probabilities (n_validation,
            n_classes) float32, or a quantity (n_validation,).
        y: the class codes, or the quantity, of the same rows.
        weight: how much each of them counts; None: all the same.
    """

    score: float
    complete: bool
    predictions: tuple[np.ndarray, ...]
    y: tuple[np.ndarray, ...]
    weight: tuple[np.ndarray | None, ...]


def predictions_job(job: Job, stop: Stop | None = None) -> Predictions:
    """The training of `train_job`, and what its networks make of the validation rows."""
    predictions: list[np.ndarray] = []
    y: list[np.ndarray] = []
    weight: list[np.ndarray | None] = []

    def predict(fold: Fold, network: Network) -> None:
        targets = Targets.of(fold.y_train, job.data.n_classes, fold.weight_train)
        with np.errstate(all="ignore"):
            predictions.append(targets.read(network.predict_outputs(fold.X_validation)))
        y.append(np.array(fold.y_validation))
        counted = fold.weight_validation
        weight.append(None if counted is None else np.array(counted))

    result = train_job(job, stop, on_trained=predict)
    return Predictions(result.score, result.complete, tuple(predictions), tuple(y), tuple(weight))


def train_folds(
    folds: Iterable[Fold],
    n_classes: int,
    spec: TrainingSpecification,
    *,
    seed: int,
    metric: Metric = OWN[DEFAULT["classification"]],
    also: Sequence[Metric] = (),
    on_epoch: OnEpoch | None = None,
    test: Callable[[int], tuple[np.ndarray, np.ndarray, np.ndarray | None]] | None = None,
    on_trained: Callable[[Fold, Network], None] | None = None,
    class_weights: tuple[float, ...] | None = None,
) -> Outcome:
    """Train one network a fold, one after the other, until one of them is known to be bad.

    Args:
        folds: the preprocessed training and validation arrays.
        n_classes: number of classes in the whole data set; 0 for a quantity.
        spec: what to train.
        seed: of the initial weights, the shuffling and the dropout; each fold has its own stream.
        metric: scores it.
        also: what to record beside.
        on_epoch: watches the first fold, and may stop it.
        test: gives samples, labels and weights to score each fold's network on at its end, if any.
        on_trained: is given each fold with its network, unless that is known to be bad.
        class_weights: as in `Job`.
    """
    start = time.perf_counter()
    results: list[TrainingResult] = []
    curves: list[Sequence[float]] = []
    scores: list[float] = []
    tested: list[float] = []
    right: list[float | None] = []
    beside: list[Mapping[str, float]] = []
    learned: list[_Labels] = []
    measured: list[_Labels] = []
    folds = iter(folds)
    for k, fold in enumerate(folds):
        learned.append((fold.y_train, fold.weight_train))
        measured.append((fold.y_validation, fold.weight_validation))
        rng = np.random.default_rng([seed, k])
        targets = Targets.of(fold.y_train, n_classes, fold.weight_train)
        spec = spec.learning(targets.task)
        network = Network(fold.X_train.shape[1], targets.n_outputs, spec.network, rng=rng)
        epochs = spec.training.epochs
        y, weight = fold.y_validation, fold.weight_validation
        scored = EpochScore(metric, network.loss, targets, y, epochs, weight)
        result = train(
            network,
            fold.X_train,
            targets.learned(fold.y_train),
            spec.training,
            rng=rng,
            validation=(fold.X_validation, targets.learned(fold.y_validation)),
            score=scored,
            on_epoch=_watch(on_epoch if k == 0 else None, scored),
            sample_weight=_row_weights(class_weights, fold),
            trace=True,
        )
        results.append(result)
        curves.append(scored.curve)
        if not _complete(result):
            # The other folds are not trained on, and have labels that are harder or easier.
            for each in folds:
                learned.append((each.y_train, each.weight_train))
                measured.append((each.y_validation, each.weight_validation))
            scores = _of_constants(metric, learned, measured)
            if test is not None:
                tested = _of_constants(metric, learned, [test(i)[1:] for i in range(len(learned))])
            break
        score = scored.computed.get(_kept(result, spec))
        right.append(score)
        if score is None or metric.name != "accuracy" or also:
            outputs = network.predict_outputs(fold.X_validation)
            right[k] = network.loss.score(outputs, targets.learned(y))
            beside.append(values(also, outputs, y, targets, weight))
            score = scored.score(outputs, y, weight) if score is None else score
        scores.append(score)
        if on_trained is not None:
            on_trained(fold, network)
        if test is not None:
            X, y, weight = test(k)
            tested.append(scored.score(network.predict_outputs(X), y, weight))
    last = results[-1]
    complete = _complete(last)
    shown = results[0] if complete else last
    findings = (
        ()
        if shown.why_stopped == "stopped"
        else diagnose(
            shown,
            spec.network,
            spec.training,
            y=targets.learned(fold.y_train),
            n_outputs=targets.n_outputs,
            n_validation=len(fold.y_validation),
            right=right[0] if complete else None,
        )
    )
    return Outcome(
        score=fmean(scores),
        complete=complete,
        why_stopped=last.why_stopped,
        curve=_mean_curve(curves),
        losses=_mean_curve([[r.train_loss for r in result.curve] for result in results]),
        validation_losses=_mean_curve([[_loss(r) for r in result.curve] for result in results]),
        best_epoch=round(median(result.best_epoch for result in results)),
        fold_scores=tuple(scores),
        seconds=time.perf_counter() - start,
        test_score=None if test is None else fmean(tested),
        also={m.name: fmean(of[m.name] for of in beside) for m in also} if complete else {},
        findings=findings,
        snapshots=None if shown.trace is None else shown.trace.document(),
    )


def _row_weights(class_weights: tuple[float, ...] | None, fold: Fold) -> np.ndarray | None:
    """How much each training sample counts, by itself and by its class; None: all the same."""
    if class_weights is None:
        return fold.weight_train
    of_class: np.ndarray = np.array(class_weights)[fold.y_train]
    return of_class if fold.weight_train is None else of_class * fold.weight_train


def _of_constants(
    metric: Metric, learned: Sequence[_Labels], measured: Sequence[_Labels]
) -> list[float]:
    """The score of the best constant predictor on each fold."""
    return [
        metric.score(metric.constant(y_train, y, weight, train_weight))
        for (y_train, train_weight), (y, weight) in zip(learned, measured, strict=True)
    ]


def _complete(result: TrainingResult) -> bool:
    return not result.diverged and result.why_stopped != "stopped"


def _loss(record: EpochRecord) -> float:
    assert record.validation_loss is not None, "objectives always train with validation data"
    return record.validation_loss


def _kept(result: TrainingResult, spec: TrainingSpecification) -> int:
    """The epoch whose weights are kept: with patience the best, else the last."""
    return result.epochs if spec.training.patience is None else result.best_epoch


def _mean_curve(curves: Sequence[Sequence[float]]) -> tuple[float, ...]:
    """Epoch by epoch, the mean over the folds that got so far."""
    length = max(map(len, curves))
    return tuple(fmean(c[t] for c in curves if len(c) > t) for t in range(length))


def _watch(
    on_epoch: OnEpoch | None, scored: EpochScore
) -> Callable[[EpochRecord], bool | None] | None:
    if on_epoch is None:
        return None
    return lambda record: on_epoch(record.epoch, scored.curve[-1])


@dataclass(frozen=True)
class RefitJob:
    """The last training of a study: the winner, on training and validation data together."""

    data: DataHandle
    configuration: Mapping[str, Value]
    seed: int
    epochs: int
    stop_after: int | None = None
    class_weights: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Refit:
    """A network trained on everything but the test part, and how it did there.

    Attributes:
        predictions: for the rows of the test part: probabilities (n_test, n_classes), or a
            quantity (n_test,).
        network: the architecture.
        state: the network's arrays.
        preprocessor: what was fitted on the same rows.
        scale: of a quantity, on the same rows; None for classes.
        diverged: whether it did, so that the network is of no use.
    """

    predictions: np.ndarray
    network: NetworkConfig
    state: Mapping[str, np.ndarray]
    preprocessor: Preprocessor
    scale: Scale | None
    diverged: bool


def refit_job(job: RefitJob, stop: Stop | None = None) -> Refit:
    """Train the winner on training plus validation data and predict the test part, once."""
    spec = TrainingSpecification.of(job.configuration, epochs=job.epochs)
    fold, preprocessor = job.data.refit(spec.preprocessing, variance=spec.variance)
    rng = np.random.default_rng(job.seed)
    targets = Targets.of(fold.y_train, job.data.n_classes, fold.weight_train)
    spec = spec.learning(targets.task)
    network = Network(fold.X_train.shape[1], targets.n_outputs, spec.network, rng=rng)
    training = replace(spec.training, patience=None)
    result = train(
        network,
        fold.X_train,
        targets.learned(fold.y_train),
        training,
        rng=rng,
        sample_weight=_row_weights(job.class_weights, fold),
        stop_after=job.stop_after,
        on_epoch=None if stop is None else lambda _: stop(),
    )
    with np.errstate(all="ignore"):
        predictions = targets.read(network.predict_outputs(fold.X_validation))
    return Refit(
        predictions=predictions,
        network=spec.network,
        state=network.state(),
        preprocessor=preprocessor,
        scale=targets.scale,
        diverged=result.diverged,
    )
