"""One trial: a configuration goes in, a result comes out.

`train_job` is what a worker process runs: a pure function of a picklable `Job`, without Optuna.
`MLPObjective`, beside this module, is the same training for anybody's ``study.optimize``.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, median
from typing import Any

import numpy as np

from hpsearch.data import DataHandle, Fold, Preprocessor
from hpsearch.nn import EpochRecord, Network, NetworkConfig, TrainingResult, train
from hpsearch.space import Value
from hpsearch.training.diagnosis import Finding, diagnose
from hpsearch.training.specification import TrainingSpecification

__all__ = [
    "Job",
    "JobResult",
    "Probabilities",
    "Refit",
    "RefitJob",
    "machine_of",
    "probabilities_job",
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
        class_weights: how much the samples of each class count, by its code; None for what the
            configuration says.
    """

    data: DataHandle
    configuration: Mapping[str, Value]
    seed: int
    epochs: int
    test: bool = False
    class_weights: tuple[float, ...] | None = None


@dataclass(frozen=True)
class JobResult:
    """What a training came to.

    Attributes:
        score: validation accuracy in [0, 1]; the mean over the folds. Always finite: a training
            that was stopped as known bad counts with chance (one over the number of classes), as in
            Bergstra and Bengio (2012).
        complete: False when the training was stopped as known bad.
        why_stopped: "finished", "early stopping", "diverged", "not finite" or "stopped".
        curve: validation accuracy after each epoch, finite; the mean over the folds.
        losses: training loss after each epoch.
        validation_losses: validation loss after each epoch.
        best_epoch: the epoch of the best validation accuracy, the median over the folds.
        fold_scores: the score of each fold.
        seconds: time that it took.
        test_score: accuracy on the test part, where the job asks for it; chance if not complete.
        worker: who trained it: the machine's name and the process's number.
        findings: what was wrong with it, if anything: on the first fold, or on the bad one.
        snapshots: of that fold's training, in terms of JSON; see `Trace.document`.
    """

    score: float
    complete: bool
    why_stopped: str
    curve: tuple[float, ...]
    losses: tuple[float, ...]
    validation_losses: tuple[float, ...]
    best_epoch: int
    fold_scores: tuple[float, ...]
    seconds: float
    test_score: float | None = None
    worker: str = ""
    findings: tuple[Finding, ...] = ()
    snapshots: Mapping[str, Any] | None = None


OnEpoch = Callable[[int, float], bool | None]
"""Called with the epoch (from 1) and its validation accuracy; True stops the training."""

Stop = Callable[[], bool]
"""Asked after each epoch; True when nobody waits for the training any more."""


def train_job(
    job: Job, stop: Stop | None = None, *, on_trained: Callable[[Fold, Network], None] | None = None
) -> JobResult:
    """Train and score one configuration on every fold of its data; a pure function of the job."""
    spec = TrainingSpecification.of(job.configuration, epochs=job.epochs)
    data, kind, variance = job.data, spec.preprocessing, spec.variance
    result = train_folds(
        (data.fold(k, kind, variance=variance) for k in range(data.n_folds)),
        data.n_classes,
        spec,
        seed=job.seed,
        on_epoch=None if stop is None else lambda _epoch, _accuracy: stop(),
        test=(lambda k: data.test(k, kind, variance=variance)) if job.test else None,
        on_trained=on_trained,
        class_weights=job.class_weights,
    )
    return replace(result, worker=f"{socket.gethostname()} {os.getpid()}")


def machine_of(worker: str) -> str:
    """The machine of a worker that `JobResult` names.

    >>> machine_of("node-7 4321")
    'node-7'
    """
    return worker.rsplit(" ", 1)[0]


@dataclass(frozen=True)
class Probabilities:
    """What a configuration, trained once more, says of the validation rows.

    Attributes:
        score: as in `JobResult`.
        complete: likewise.
        probabilities: of each fold (n_validation, n_classes) float32, in the order of its rows.
        labels: the class codes of the same rows.
    """

    score: float
    complete: bool
    probabilities: tuple[np.ndarray, ...]
    labels: tuple[np.ndarray, ...]


def probabilities_job(job: Job, stop: Stop | None = None) -> Probabilities:
    """The training of `train_job`, and what its networks make of the validation rows."""
    probabilities: list[np.ndarray] = []
    labels: list[np.ndarray] = []

    def predict(fold: Fold, network: Network) -> None:
        probabilities.append(network.predict_proba(fold.X_validation))
        labels.append(np.array(fold.y_validation))

    result = train_job(job, stop, on_trained=predict)
    return Probabilities(result.score, result.complete, tuple(probabilities), tuple(labels))


def train_folds(
    folds: Iterable[Fold],
    n_classes: int,
    spec: TrainingSpecification,
    *,
    seed: int,
    on_epoch: OnEpoch | None = None,
    test: Callable[[int], tuple[np.ndarray, np.ndarray]] | None = None,
    on_trained: Callable[[Fold, Network], None] | None = None,
    class_weights: tuple[float, ...] | None = None,
) -> JobResult:
    """Train one network a fold, one after the other, until one of them is known to be bad.

    Args:
        folds: the preprocessed training and validation arrays.
        n_classes: number of classes in the whole data set.
        spec: what to train.
        seed: of the initial weights, the shuffling and the dropout; each fold has its own stream.
        on_epoch: watches the first fold, and may stop it.
        test: gives samples and labels to score each fold's network on at its end, if any.
        on_trained: is given each fold with its network, unless that is known to be bad.
        class_weights: as in `Job`.
    """
    start = time.perf_counter()
    chance = 1.0 / n_classes
    results: list[TrainingResult] = []
    tested: list[float] = []
    for k, fold in enumerate(folds):
        rng = np.random.default_rng([seed, k])
        network = Network(fold.X_train.shape[1], n_classes, spec.network, rng=rng)
        result = train(
            network,
            fold.X_train,
            fold.y_train,
            spec.training,
            rng=rng,
            sample_weight=_row_weights(class_weights, fold),
            validation=(fold.X_validation, fold.y_validation),
            on_epoch=_watch(on_epoch if k == 0 else None),
            trace=True,
        )
        results.append(result)
        if not _complete(result):
            break
        if on_trained is not None:
            on_trained(fold, network)
        if test is not None:
            X, y = test(k)
            tested.append(float(np.mean(network.predict_outputs(X).argmax(axis=1) == y)))
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
            y=fold.y_train,
            n_outputs=n_classes,
            n_validation=len(fold.y_validation),
        )
    )
    scores = tuple(_score(result, spec) if _complete(result) else chance for result in results)
    return JobResult(
        score=fmean(scores) if complete else chance,
        complete=complete,
        why_stopped=last.why_stopped,
        curve=_mean_curve([[_accuracy(r) for r in result.curve] for result in results]),
        losses=_mean_curve([[r.train_loss for r in result.curve] for result in results]),
        validation_losses=_mean_curve([[_loss(r) for r in result.curve] for result in results]),
        best_epoch=round(median(result.best_epoch for result in results)),
        fold_scores=scores,
        seconds=time.perf_counter() - start,
        test_score=None if test is None else fmean(tested) if complete else chance,
        findings=findings,
        snapshots=None if shown.trace is None else shown.trace.document(),
    )


def _row_weights(class_weights: tuple[float, ...] | None, fold: Fold) -> np.ndarray | None:
    """How much each training sample counts, by its class."""
    return None if class_weights is None else np.array(class_weights)[fold.y_train]


def _complete(result: TrainingResult) -> bool:
    return not result.diverged and result.why_stopped != "stopped"


def _accuracy(record: EpochRecord) -> float:
    assert record.validation_score is not None, "objectives always train with validation data"
    return record.validation_score


def _loss(record: EpochRecord) -> float:
    assert record.validation_loss is not None, "objectives always train with validation data"
    return record.validation_loss


def _score(result: TrainingResult, spec: TrainingSpecification) -> float:
    """The accuracy of the weights that are kept: with patience the best epoch's, else the last."""
    kept = result.epochs if spec.training.patience is None else result.best_epoch
    return _accuracy(result.curve[kept - 1])


def _mean_curve(curves: Sequence[Sequence[float]]) -> tuple[float, ...]:
    """Epoch by epoch, the mean over the folds that got so far."""
    length = max(map(len, curves))
    return tuple(fmean(c[t] for c in curves if len(c) > t) for t in range(length))


def _watch(on_epoch: OnEpoch | None) -> Callable[[EpochRecord], bool | None] | None:
    if on_epoch is None:
        return None
    return lambda record: on_epoch(record.epoch, _accuracy(record))


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
        correct: how many rows of the test part it labels right.
        tested: how many rows the test part has.
        network: the architecture.
        state: the network's arrays.
        preprocessor: what was fitted on the same rows.
        diverged: whether it did, so that the network is of no use.
    """

    correct: int
    tested: int
    network: NetworkConfig
    state: Mapping[str, np.ndarray]
    preprocessor: Preprocessor
    diverged: bool


def refit_job(job: RefitJob, stop: Stop | None = None) -> Refit:
    """Train the winner on training plus validation data and label the test part, once."""
    spec = TrainingSpecification.of(job.configuration, epochs=job.epochs)
    fold, preprocessor = job.data.refit(spec.preprocessing, variance=spec.variance)
    rng = np.random.default_rng(job.seed)
    network = Network(fold.X_train.shape[1], job.data.n_classes, spec.network, rng=rng)
    training = replace(spec.training, patience=None)
    result = train(
        network,
        fold.X_train,
        fold.y_train,
        training,
        rng=rng,
        sample_weight=_row_weights(job.class_weights, fold),
        stop_after=job.stop_after,
        on_epoch=None if stop is None else lambda _: stop(),
    )
    labels = network.predict_outputs(fold.X_validation).argmax(axis=1)
    return Refit(
        correct=int((labels == fold.y_validation).sum()),
        tested=len(labels),
        network=spec.network,
        state=network.state(),
        preprocessor=preprocessor,
        diverged=result.diverged,
    )
