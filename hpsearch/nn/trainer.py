"""Mini-batch training: shuffle, forward, loss, backward, update; watch, validate, stop."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from hpsearch.errors import UsageError
from hpsearch.nn.arrays import Array, Targets
from hpsearch.nn.averaging import WeightAverage
from hpsearch.nn.batches import Batch, Batches
from hpsearch.nn.config import TrainingConfig
from hpsearch.nn.network import Network
from hpsearch.nn.optimizers import OPTIMIZERS
from hpsearch.nn.propagation import Propagation
from hpsearch.nn.schedules import SCHEDULES
from hpsearch.nn.scores import Score
from hpsearch.nn.targets import OneHot
from hpsearch.nn.trace import Trace, Tracer
from hpsearch.nn.weights import balanced, scaled

__all__ = ["EpochRecord", "Trainer", "TrainingResult", "WhyStopped", "train"]

WhyStopped: TypeAlias = Literal["finished", "early stopping", "diverged", "not finite", "stopped"]
OnEpoch: TypeAlias = Callable[["EpochRecord"], bool | None]

_INITIAL_SAMPLES = 1000
_WATCH_SAMPLES = 256


@dataclass(frozen=True)
class EpochRecord:
    """One finished epoch; every number is finite.

    Attributes:
        epoch: 1 for the first.
        learning_rate: the rate of the epoch's last step.
        train_loss: mean data loss over the epoch's minibatches, each before its own step, with
            weights of samples and classes and of smoothed labels, plus the L2 term of the weights
            at the end of the epoch (none with adamw).
        validation_loss: mean data loss of the validation samples, all counted alike and no label
            smoothed, or None without any.
        validation_score: how good the network is on them, greater being better, or None.
    """

    epoch: int
    learning_rate: float
    train_loss: float
    validation_loss: float | None = None
    validation_score: float | None = None


@dataclass(frozen=True)
class TrainingResult:
    """What a training came to.

    Attributes:
        curve: one record for each finished epoch.
        initial_loss: mean data loss before any update, over the first 1,000 training samples.
        best_epoch: the epoch of the best validation score, ties broken by the lower loss there;
            without validation the last one. 0 when no epoch was finished.
        why_stopped: ``finished``, ``early stopping``, ``diverged`` (the loss passed the allowed
            multiple of the initial one), ``not finite`` (loss or parameters), or ``stopped`` (by
            the callback).
        trace: snapshots of the network on its way, where they were asked for.
    """

    curve: tuple[EpochRecord, ...]
    initial_loss: float
    best_epoch: int
    why_stopped: WhyStopped
    trace: Trace | None = None

    @property
    def epochs(self) -> int:
        """How many epochs were finished."""
        return len(self.curve)

    @property
    def diverged(self) -> bool:
        """Whether the loss exploded."""
        return self.why_stopped in ("diverged", "not finite")


class Trainer:
    """A network and the state of its optimizer, which outlives a single call of `run`.

    With ``config.weight_averaging`` the network holds the averaged weights whenever nobody trains
    it: scores, callbacks, the best epoch and the end see those. The raw ones are kept beside, and
    the next `run` goes on from them.

    Args:
        network: trained in place.
        config: update rule, rates, regularization and when to stop.
        rng: shuffles the samples and draws dropout masks.

    Attributes:
        epochs_done: epochs finished so far, over all runs; the schedule continues from there.
        initial_loss: data loss before the first update, or None before the first run.
        dropped_loss: the same under dropout, which alone may multiply it; 0 without dropout.
        average: the average of the weights, or None.
    """

    def __init__(
        self, network: Network, config: TrainingConfig, *, rng: np.random.Generator
    ) -> None:
        self.network, self.config, self.rng = network, config, rng
        self.optimizer = OPTIMIZERS[config.optimizer](
            network.parameters, network.gradients, network.weight_slices, config
        )
        decay = config.weight_averaging
        self.average = WeightAverage(network, decay) if decay > 0 else None
        self.epochs_done = 0
        self.initial_loss: float | None = None
        self.dropped_loss = 0.0
        self._passes: dict[int, Propagation] = {}
        self._tracer: Tracer | None = None
        self._best: Mapping[str, npt.NDArray[np.generic]] | None = None
        self._scorer: Score = network.loss.score
        self._allowed: Array | None = None

    def run(
        self,
        X: Array,
        y: Targets,
        *,
        sample_weight: npt.ArrayLike | None = None,
        validation: tuple[Array, Targets] | None = None,
        score: Score | None = None,
        epochs: int | None = None,
        on_epoch: OnEpoch | None = None,
        trace: bool = False,
    ) -> TrainingResult:
        """Train for some epochs more: how many, or what is left of the horizon.

        Returns:
            The result of these epochs; all other arguments, and errors, are those of `train`.
        """
        X, y = self._checked(X, y, "training")
        if validation is not None:
            validation = self._checked(*validation, "validation")
        elif self.config.patience is not None:
            raise UsageError("early stopping needs validation data; give some, or no patience.")
        batches = Batches(
            X,
            y,
            self.network.n_outputs,
            self.config.batch_size,
            self.network.loss,
            weights=self._weights(y, sample_weight),
            smoothing=self.config.label_smoothing,
        )
        if self.network.config.batch_norm and batches.size == 1:
            raise UsageError(
                "batch normalization needs two samples or more, and a batch has 1 sample; raise "
                "batch_size, give more samples or set batch_norm to false."
            )
        self._passes = {
            n: self.network.propagation(n, training=True, rng=self.rng)
            for n in {batches.size, batches.tail}
        }
        if self.initial_loss is None:
            self.initial_loss = self.network.initial_loss(
                X[:_INITIAL_SAMPLES], y[:_INITIAL_SAMPLES]
            )
            if self.network.config.dropout > 0:
                # Masks of their own, so that the training's stay what they were.
                self.dropped_loss = self.network.initial_loss(
                    X[:_WATCH_SAMPLES], y[:_WATCH_SAMPLES], rng=np.random.default_rng(0)
                )
        last = self.config.epochs if epochs is None else self.epochs_done + epochs
        curve: list[EpochRecord] = []
        self._best = None if self.config.patience is None else self.network.state()
        tracer = None
        if trace:
            tracer = Tracer(self.network, X, y, steps=batches.per_epoch, last=last)
            tracer.take(self.epochs_done)
        self._tracer = tracer
        self._scorer = self.network.loss.score if score is None else score
        self._allowed = self._limits(y, batches.weights)
        why = self._epochs(batches, validation, last, curve, on_epoch)
        if self._best is not None:
            self.network.load_state(self._best)
        self._passes, self._tracer, self._best, self._allowed = {}, None, None, None
        ended_early = why in ("early stopping", "stopped")
        if tracer is not None and ended_early and tracer.snapshots[-1].epoch != self.epochs_done:
            tracer.take(self.epochs_done)
        seen = None if tracer is None else tracer.trace()
        return TrainingResult(tuple(curve), self.initial_loss, _best_epoch(curve), why, seen)

    def _epochs(
        self,
        batches: Batches,
        validation: tuple[Array, Targets] | None,
        last: int,
        curve: list[EpochRecord],
        on_epoch: OnEpoch | None,
    ) -> WhyStopped:
        """Train up to epoch ``last``, adding to ``curve``; return why it ended."""
        while self.epochs_done < last:
            with nullcontext() if self.average is None else self.average.raw():
                loss, rate, why = self._epoch(batches)
            if why is not None:
                return why
            scores = self._score(*validation) if validation is not None else (None, None)
            if scores[0] is not None and not math.isfinite(scores[0]):
                return "not finite"
            self.epochs_done += 1
            curve.append(EpochRecord(self.epochs_done, rate, loss, *scores))
            if self._tracer is not None and self._tracer.due(self.epochs_done):
                self._tracer.take(self.epochs_done)
            if self._best is not None and _best_epoch(curve) == self.epochs_done:
                self._best = self.network.state()
            if on_epoch is not None and on_epoch(curve[-1]):
                return "stopped"
            patience = self.config.patience
            if patience is not None and self.epochs_done - _best_epoch(curve) >= patience:
                return "early stopping"
        return "finished"

    def _epoch(self, batches: Batches) -> tuple[float, float, WhyStopped | None]:
        """One pass over the data: its training loss, its last rate, and why to stop if so."""
        assert self._allowed is not None
        rates, n = self._rates(batches.per_epoch), len(batches.order)
        total, recent, allowed, seen, step = 0.0, 0.0, 0.0, 0, 0
        tracer = self._tracer
        if tracer is not None and not tracer.due(self.epochs_done + 1):
            tracer = None
        with np.errstate(all="ignore"):
            for block in batches.epoch(self.rng):
                of_last = tracer if step + len(block) == len(rates) else None
                samples = self._steps(block, batches, rates[step : step + len(block)], of_last)
                step += len(block)
                loss = batches.scratch.total(len(block), samples)
                if not math.isfinite(loss):
                    return math.nan, 0.0, "not finite"
                # One odd sample is no divergence: the mean of some hundred decides.
                total, recent, seen = total + loss, recent + loss, seen + samples
                allowed += float(self._allowed[batches.chosen].sum())
                if seen >= min(_WATCH_SAMPLES, n):
                    if recent > allowed:
                        return math.nan, 0.0, "diverged"
                    recent, allowed, seen = 0.0, 0.0, 0
            # A ReLU turns NaN into 0, so that a finite loss alone proves nothing.
            mean = total / n + self._l2_term()
            if not math.isfinite(mean) or not np.isfinite(self.network.parameters).all():
                return math.nan, 0.0, "not finite"
        return mean, float(rates[-1]), None

    def _steps(
        self, block: list[Batch], batches: Batches, rates: Array, tracer: Tracer | None
    ) -> int:
        """Train on the batches of a block; return how many samples they have.

        The tracer, if any, is shown the last step.
        """
        sizes = np.full(len(block), batches.size)
        sizes[-1] = block[-1].targets.shape[1]
        optimizer, average = self.optimizer, self.average
        batches.scales[: len(block)] = (rates if optimizer.linear else 1.0) / sizes
        propagation = self._passes[batches.size]
        loss = propagation.loss
        traced = None if tracer is None else block[-1]
        for batch, rate in zip(block, rates.tolist(), strict=True):
            inputs, targets, kept, scale = batch
            if inputs.shape[1] != propagation.samples:
                propagation = self._passes[inputs.shape[1]]
                loss = propagation.loss
            propagation.forward(inputs)
            loss.forward(targets, kept)
            loss.backward(scale)
            propagation.backward()
            if batch is traced and tracer is not None:
                tracer.before_step()
            optimizer.step(rate)
            if average is not None:
                average.update()
        if tracer is not None:
            tracer.after_step()
        return int(sizes.sum())

    def _weights(
        self, y: Targets, sample_weight: npt.ArrayLike | None
    ) -> npt.NDArray[np.float64] | None:
        """How much each sample counts, 1 in the mean; None where all count the same."""
        weights = None if sample_weight is None else scaled(sample_weight, len(y))
        if self.config.class_weight == "balanced" and self.network.loss.targets is OneHot:
            return scaled(balanced(y, self.network.n_outputs, weights), len(y))
        return weights

    def _limits(self, y: Targets, weights: Array | None) -> Array:
        """The loss of each sample (n,) from which on a training has diverged.

        It is a multiple of the initial loss; of chance, where a network that was trained before
        begins near zero; and, so that an outlier among numbers is no divergence, of what knowing
        nothing costs at this sample.
        """
        assert self.initial_loss is not None
        loss = self.network.loss
        floor = max(self.initial_loss, self.dropped_loss, loss.chance(self.network.n_outputs))
        with np.errstate(all="ignore"):  # without a limit all are infinite
            limits = self.config.divergence * np.maximum(loss.outlying(y), floor)
            return limits if weights is None else limits * weights

    def _rates(self, steps: int) -> Array:
        """The learning rate of each step of the next epoch (steps,)."""
        config = self.config
        epoch = self.epochs_done + np.arange(steps) / steps
        factors = SCHEDULES[config.schedule](np.minimum(epoch / config.epochs, 1.0), config.decay)
        if config.warmup > 0:
            factors = factors * np.minimum(epoch + 1.0 / steps, config.warmup) / config.warmup
        rates: Array = config.learning_rate * factors
        return rates

    def _l2_term(self) -> float:
        """The L2 term of the loss, for an update rule whose decay is one."""
        return self.network.l2_term(self.config.l2) if self.optimizer.l2_in_loss else 0.0

    def _score(self, X: Array, y: Targets) -> tuple[float, float]:
        """Mean data loss and score in prediction mode."""
        outputs = self.network.predict_outputs(X)
        with np.errstate(all="ignore"):
            loss = self.network.loss.mean(outputs, y)
            return loss, self._scorer(outputs, y) if math.isfinite(loss) else math.nan

    def _checked(self, X: Array, y: Targets, what: str) -> tuple[Array, Targets]:
        """Inputs and targets of the network's dtype and shape, copied only where they must be."""
        network = self.network
        X = np.ascontiguousarray(X, dtype=network.dtype)
        y = np.asarray(y)
        if X.ndim != 2 or X.shape[1] != network.n_features or len(y) != len(X):
            raise UsageError(
                f"the {what} data have shapes {X.shape} and {y.shape}; give inputs (n, "
                f"{network.n_features}) and as many targets."
            )
        if len(y) == 0:
            raise UsageError(f"the {what} data are empty; give at least one sample.")
        return X, network.loss.targets.checked(y, network.n_outputs, what)


def _best_epoch(curve: list[EpochRecord]) -> int:
    """Best validation score, then lowest validation loss, then the earliest; else the last."""
    if not curve:
        return 0
    if curve[-1].validation_score is None:
        return curve[-1].epoch

    def merit(record: EpochRecord) -> tuple[float, float]:
        assert record.validation_score is not None
        assert record.validation_loss is not None
        return record.validation_score, -record.validation_loss

    return max(curve, key=merit).epoch


def train(
    network: Network,
    X: Array,
    y: Targets,
    config: TrainingConfig,
    *,
    rng: np.random.Generator,
    sample_weight: npt.ArrayLike | None = None,
    validation: tuple[Array, Targets] | None = None,
    score: Score | None = None,
    stop_after: int | None = None,
    on_epoch: OnEpoch | None = None,
    trace: bool = False,
) -> TrainingResult:
    """Train a network by mini-batch gradient descent.

    It stops early when the loss is not finite or passes ``config.divergence`` times the initial
    loss, and with ``config.patience`` when the validation score no longer improves; then, and only
    then, the best epoch's parameters and running statistics are put back.

    Args:
        network: trained in place.
        X: inputs (n, n_features), best C-contiguous and of the network's dtype (then not copied as
            a whole; a read-only memory map is fine).
        y: labels (n,), integers 0 to n_outputs - 1, where the network's loss is cross-entropy; else
            numbers (n, n_outputs), best standardized.
        config: update rule, schedule, regularization and when to stop.
        rng: shuffles the samples and draws dropout masks.
        sample_weight: how much each sample counts in the loss (n,), 0 or more; only the proportions
            matter. A sample of weight 2 is worth the same sample twice. Batch normalization, scores
            and snapshots count all samples alike.
        validation: inputs and targets to score after each epoch.
        score: takes the network's raw outputs (n, n_outputs) and the validation targets and gives a
            finite number, greater being better; absent: the loss's own, accuracy for classes and R²
            for numbers.
        stop_after: end after this many epochs, while ``config.epochs`` stays the horizon of the
            schedule.
        on_epoch: called with each epoch's record; returning True stops the training.
        trace: take snapshots of the network before the training and between epochs.

    Returns:
        The curve, the initial loss, the best epoch, why it stopped, and the trace.

    Raises:
        UsageError: when data and network, or data and settings, do not fit.

    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((200, 2)).astype(np.float32)
    >>> y = (X[:, 0] > X[:, 1]).astype(np.int64)
    >>> from hpsearch.nn.config import NetworkConfig
    >>> network = Network(2, 2, NetworkConfig((16,)), rng=rng)
    >>> result = train(network, X, y, TrainingConfig(learning_rate=0.1), rng=rng)
    >>> result.why_stopped, result.curve[-1].train_loss < result.initial_loss / 4
    ('finished', True)
    """
    epochs = config.epochs if stop_after is None else min(stop_after, config.epochs)
    return Trainer(network, config, rng=rng).run(
        X,
        y,
        sample_weight=sample_weight,
        validation=validation,
        score=score,
        epochs=epochs,
        on_epoch=on_epoch,
        trace=trace,
    )
