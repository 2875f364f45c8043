"""What was wrong with a training, told from its curves and from its trace.

Lecture 6: a loss that barely moves means a learning rate that is too low, one that explodes a rate
that is too high; gradients vanish or explode with the initialization; ReLUs die, others saturate.
Each finding names its evidence. A fault is something to repair; a hint is not. The bounds below lie
between planted faults and healthy runs on all bundled data (see the tests), far from both.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from hpsearch.nn import ACTIVATIONS, LOSSES, NetworkConfig, TrainingConfig, TrainingResult
from hpsearch.nn.activations import Activation
from hpsearch.nn.arrays import Targets
from hpsearch.nn.losses import Loss
from hpsearch.nn.targets import OneHot
from hpsearch.nn.trace import QUANTITIES, Snapshot, Trace

__all__ = ["ADVICE", "DIAGNOSIS", "HINTS", "Finding", "Name", "by_kind", "diagnose"]

Name: TypeAlias = Literal[
    "inputs not scaled",
    "exploding gradients",
    "vanishing gradients",
    "dead ReLUs",
    "saturation",
    "learning rate too high",
    "learning rate too low",
    "l2 too high",
    "underfitting",
    "overfitting",
    "stopped too early",
    "plateau",
    "still improving",
]

ADVICE: dict[Name, str] = {
    "inputs not scaled": "standardize the columns ([data] preprocessing)",
    "exploding gradients": "begin with smaller weights: initializer he for ReLU, xavier for tanh",
    "vanishing gradients": "use ReLU with initializer he, batch_norm, or fewer layers",
    "dead ReLUs": "lower the learning rate, begin with bias 0 or 0.01, or use leaky-relu",
    "saturation": "begin with smaller weights (initializer xavier), or use batch_norm or ReLU",
    "learning rate too high": "search lower rates, by a factor of ten and more",
    "learning rate too low": "search higher rates, or train for more epochs",
    "l2 too high": "search smaller l2, by a factor of ten and more",
    "underfitting": "give more width or depth, less l2 and dropout, or better columns",
    "overfitting": "give more data, l2 or dropout, or less width",
    "stopped too early": "raise patience, or leave it out",
    "plateau": "nothing moves any more: another rate or schedule, or fewer epochs",
    "still improving": "train for more epochs",
}
"""What to do about each."""

UNSCALED = 5.0
"""Root mean square of the inputs above which they are not scaled; standardized it is 1, and the
principal components of such inputs, which keep their sizes, come to 4.5 on digits."""

WILD_START = 10.0
"""First loss in units of that of a network which knows nothing, ln(classes); He's initialization
begins at 1 to 2, inputs that are ten times too large at 10."""

UNLEARNED = 0.5
"""Last loss in units of the entropy of the classes above which, and accuracy between that of always
naming the largest class and 1 below which, a training has learned little."""

UNEXPLAINED = 0.1
"""R² on training samples below which a training on numbers has learned little."""

NO_GRADIENT = 1e-3
"""Norm of the first gradient below which nothing can be learned; healthy ones are near 1."""

FADED = 1e-2
"""The first layer's gradient in units of the last layer's, below which it has vanished: a sigmoid
has a slope of at most 1/4, so four layers of them make 1/256 (lecture 6)."""

SHRUNK = 0.3
"""Size of the weights in units of the first one below which regularization has crushed them."""

STRONG = 0.3
"""The last gradient in units of the first above which much was left to learn: a training that has
settled, well or badly, has a small one."""

ONWARD = 0.3
"""What a loss falls from a quarter to three fifths of a training, in units of its fall in the first
quarter, above which it was still on its way; a straight line comes to 1.4."""

LARGE_STEP = 0.05
"""A step's size in units of the weights above which it is no refinement any more: fifty times the
healthy 1e-3 of the course notes."""

GAP = 0.2
"""Accuracy or R² that training samples may have over validation, twice its standard error aside."""

FALLING = 0.05
"""Share by which the validation loss falls in the last quarter if a training still improves."""

FLAT_CURVE = 0.01
"""Share by which the training loss changes in the last third of one that does not move."""


CHANCE = ", which is chance: labels may be wrong"
NO_BETTER = ", which is no better than their mean"

DIAGNOSIS, HINTS = "diagnosis", "hints"
"""The attributes of a trial with its findings."""


class Finding(NamedTuple):
    """Something that a training shows.

    Attributes:
        name: what it is.
        evidence: a clause with the numbers.
        fault: whether it is something to repair, and no hint.
    """

    name: Name
    evidence: str
    fault: bool


def by_kind(findings: Iterable[Finding]) -> dict[str, dict[str, str]]:
    """Findings as attributes of a trial: evidence by name, of faults and of hints.

    Args:
        findings: of one training.

    Returns:
        ``diagnosis`` with the faults and ``hints`` with the others, each only if it has any.

    >>> by_kind([Finding("plateau", "the loss stays at 1", False)])
    {'hints': {'plateau': 'the loss stays at 1'}}
    """
    kinds: dict[str, dict[str, str]] = {}
    for name, evidence, fault in findings:
        kinds.setdefault(DIAGNOSIS if fault else HINTS, {})[name] = evidence
    return kinds


def diagnose(
    result: TrainingResult,
    network: NetworkConfig,
    training: TrainingConfig,
    *,
    y: Targets,
    n_outputs: int,
    n_validation: int,
    right: float | None,
) -> tuple[Finding, ...]:
    """What a training shows, the likely cause first.

    Args:
        result: of a training with a trace and validation data.
        network: what was trained.
        training: how.
        y: the targets that it learned: labels (n,), or numbers (n, n_outputs).
        n_outputs: classes there are, or targets.
        n_validation: rows that score it.
        right: the share of them that the network at its end labels right; None of one that
            diverged.

    Returns:
        The findings; none for a training without one.

    Raises:
        ValueError: the training has no trace.
    """
    if result.trace is None:
        raise ValueError("a training is diagnosed from its trace; train with trace=True")
    case = _Case(result, result.trace, network, training, y, n_outputs, n_validation, right)
    faults = [Finding(name, evidence, True) for name, evidence in case.faults()]
    hints = [] if faults else [Finding(name, why, False) for name, why in case.hints()]
    return (*faults, *hints)


@dataclass(frozen=True, eq=False)
class _Case:
    """A training, and questions about it."""

    result: TrainingResult
    trace: Trace
    network: NetworkConfig
    training: TrainingConfig
    y: Targets
    n_outputs: int
    n_validation: int
    right: float | None

    @property
    def activation(self) -> type[Activation]:
        """Of the hidden layers."""
        return ACTIVATIONS[self.network.activation]

    @property
    def first(self) -> Snapshot:
        """The network before any step."""
        return self.trace.snapshots[0]

    @property
    def last(self) -> Snapshot:
        """The network at the end."""
        return self.trace.snapshots[-1]

    @property
    def loss(self) -> type[Loss]:
        """What the training was to make small."""
        return LOSSES[self.network.loss]

    @property
    def classes(self) -> bool:
        """Whether it learned classes, and not numbers."""
        return self.loss.targets is OneHot

    @property
    def chance(self) -> float:
        """The loss of a network that knows nothing."""
        return self.loss.chance(self.n_outputs)

    @cached_property
    def guess(self) -> float:
        """The loss of one that knows nothing but how the targets are distributed."""
        return self.loss.guessing(self.y)

    @property
    def floor(self) -> float:
        """The least training loss there can be, that of labels that are smoothed."""
        share, k = self.training.label_smoothing, self.n_outputs
        if not self.classes or share == 0:
            return 0.0
        low = share / k
        return -(1 - share + low) * math.log(1 - share + low) - (k - 1) * low * math.log(low)

    @cached_property
    def luck(self) -> float:
        """The score of a constant: the share of the largest class, or an R² of 0."""
        return float(np.bincount(self.y).max() / len(self.y)) if self.classes else 0.0

    def faults(self) -> Iterator[tuple[Name, str]]:
        """What is to be repaired: a cause hides what follows from it."""
        if self._narrow and not self.result.diverged and self._unlearned:
            yield (
                "underfitting",
                self._few_right(f"the narrowest layer has {self._narrowest} units"),
            )
            return
        causes = [*self._start(), *self._signal()]
        yield from causes
        saturated = list(self._saturation())
        yield from saturated
        if self._crushed and self._unlearned:
            yield "l2 too high", self._few_right("regularization has pulled the weights to zero")
        elif not causes:
            rate = list(self._rate())
            yield from rate
            if self._unlearned and not rate and not saturated:
                yield "underfitting", self._few_right()
        yield from self._generalization()

    def hints(self) -> Iterator[tuple[Name, str]]:
        """What might be done better."""
        curve = self.result.curve
        if (dead := self._dead) is not None:
            yield dead
        if self.result.why_stopped != "finished" or len(curve) < 4:
            return
        losses = [record.validation_loss or 0.0 for record in curve]
        then, now = losses[-1 - max(1, len(losses) // 4)], losses[-1]
        third = [record.train_loss for record in curve[-max(2, len(curve) // 3) :]]
        if now == min(losses) and now < (1 - FALLING) * then:
            yield "still improving", f"the validation loss fell from {then:.3g} to {now:.3g} lately"
        elif (
            max(third) - min(third) < FLAT_CURVE * third[0]
            and third[0] - self.floor > 0.2 * self.chance
        ):
            yield "plateau", f"the training loss stays at {third[-1]:.3g} over {len(third)} epochs"

    def _start(self) -> Iterator[tuple[Name, str]]:
        """Inputs or weights that are too large to begin with."""
        first, size = self.first.loss, self.trace.input_size
        wild = not first < WILD_START * self.chance
        loss = f"the first loss is {first:.3g}, where {self.chance:.3g} would be chance"
        if size > UNSCALED and (wild or self._unlearned):
            yield "inputs not scaled", f"inputs have a size of {size:.3g} instead of 1; {loss}"
        elif wild:
            deviations = ", ".join(f"{x:.2g}" for x in _of("output std", self.first))
            yield (
                "exploding gradients",
                f"outputs have standard deviations of {deviations} from layer to layer; {loss}",
            )

    def _signal(self) -> Iterator[tuple[Name, str]]:
        """Gradients that vanish, and units that are dead."""
        if not self.network.hidden_layer_sizes or not self._unlearned:
            return
        norm, gradients = self.first.gradient_norm, _of("gradient std", self.first)
        dead_first = max(self._stuck(self.first, "dead"), default=0.0)
        if _of("weight size", self.first).min() == 0:
            why = "all weights begin at zero, so that all units stay the same"
            yield "vanishing gradients", why
        elif dead_first > self.activation.most_stuck:
            why = f"{dead_first:.0%} of the units of a layer are 0 for every sample from the start"
            yield "dead ReLUs", why
        elif norm < NO_GRADIENT:
            yield "vanishing gradients", f"the first gradient has a norm of {norm:.2g}"
        elif gradients[:-1].min() < FADED * gradients[-1]:
            ratio = gradients[:-1].min() / gradients[-1]
            why = f"the gradient of the first layers is {ratio:.1g} of that of the last one"
            yield "vanishing gradients", why
        elif (dead := self._dead) is not None and not self._crushed:
            yield dead
            if not self.result.diverged:
                rate = self.training.learning_rate
                yield "learning rate too high", f"with a rate of {rate:.2g} units died on the way"

    def _saturation(self) -> Iterator[tuple[Name, str]]:
        """Units that begin saturated."""
        stuck = self._stuck(self.first, "saturated")
        if max(stuck, default=0.0) > self.activation.most_stuck:
            layer = stuck.index(max(stuck))
            yield (
                "saturation",
                f"{stuck[layer]:.0%} of the outputs of layer {layer + 1} are saturated "
                "before the first step",
            )

    @property
    def _dead(self) -> tuple[Name, str] | None:
        """Dead units at the end, if there are many."""
        share = max(self._stuck(self.last, "dead"), default=0.0)
        if share <= self.activation.most_stuck:
            return None
        return "dead ReLUs", f"{share:.0%} of the units of a layer are 0 for every sample"

    def _stuck(self, moment: Snapshot, fault: str) -> list[float]:
        """The share of each hidden layer with the activation's fault; none if it has another."""
        if self.activation.fault != fault:
            return []
        shares = (_of(name, moment).tolist() for name in ("saturated", "dead"))
        layers = zip(*shares, self.network.hidden_layer_sizes, strict=False)
        return [self.activation.stuck(*layer) for layer in layers]

    def _rate(self) -> Iterator[tuple[Name, str]]:
        """A loss that explodes or jumps, or that barely moves."""
        result, rate = self.result, self.training.learning_rate
        if result.diverged:
            what = "was not finite" if result.why_stopped == "not finite" else "exploded"
            yield (
                "learning rate too high",
                f"with a rate of {rate:.2g} the loss {what} in epoch {result.epochs + 1}",
            )
            return
        if not self._unlearned:
            return
        steps = [_of("update ratio", moment).max() for moment in self.trace.snapshots[1:]]
        largest = float(max(steps, default=0.0))
        losses = [record.train_loss for record in result.curve]
        moving = self.last.gradient_norm > STRONG * self.first.gradient_norm
        steady = losses[-1] <= 1.02 * min(losses) and self._falling(losses)
        if largest > LARGE_STEP or max(losses) > 1.5 * max(losses[0], self.chance):
            yield (
                "learning rate too high",
                f"with a rate of {rate:.2g} steps are as large as {largest:.2g} of the "
                f"weights, and the loss stays at {losses[-1]:.3g}",
            )
        elif moving and steady:
            yield (
                "learning rate too low",
                f"with a rate of {rate:.2g} the loss went from {self.first.loss:.3g} to "
                f"{self.last.loss:.3g} only in {result.epochs} epochs, and its gradient is "
                f"still {self.last.gradient_norm / self.first.gradient_norm:.0%} of the "
                "first",
            )

    @staticmethod
    def _falling(losses: Sequence[float]) -> bool:
        """Whether a loss went on falling as it began to, before its rate decayed.

        One that has settled falls in the first quarter and then no more.
        """
        quarter, later = losses[len(losses) // 4], losses[(3 * len(losses)) // 5]
        return len(losses) < 4 or quarter - later > ONWARD * (losses[0] - quarter)

    def _generalization(self) -> Iterator[tuple[Name, str]]:
        """Overfitted, or stopped while it was learning."""
        result = self.result
        if result.diverged or not result.curve or self.right is None:
            return
        validation, train = self.right, self.trace.train_score
        if train - validation > GAP + 2 * self._error(validation):
            nothing = validation < self.luck + 2 * self._error(self.luck)
            yield (
                "overfitting",
                f"{train:.0%} of the training samples are right and {validation:.0%} of the "
                f"validation samples{CHANCE if nothing else ''}"
                if self.classes
                else f"R² is {train:.2f} on the training samples and {validation:.2f} on the "
                f"validation samples{NO_BETTER if nothing else ''}",
            )
        if result.why_stopped == "early stopping":
            losses = [record.validation_loss or 0.0 for record in result.curve]
            half = result.epochs < 0.5 * self.training.epochs
            if half and self._unlearned and losses[-1] == min(losses):
                yield (
                    "stopped too early",
                    f"after {result.epochs} of {self.training.epochs} epochs, while the "
                    "validation loss was still falling",
                )

    def _error(self, score: float) -> float:
        """The standard error of a validation score: of a share, or near enough of an R²."""
        score = min(max(score, 0.0), 1.0)
        if self.classes:
            return math.sqrt(score * (1 - score) / self.n_validation)
        return 2 * (1 - score) * math.sqrt((score + 1 / self.n_validation) / self.n_validation)

    def _few_right(self, why: str = "") -> str:
        what = (
            f"only {self.trace.train_score:.0%} of the training samples are right, and "
            f"{self.luck:.0%} are of one class"
            if self.classes
            else f"R² is only {self.trace.train_score:.2f} on the training samples, and 0 is what "
            "a constant gets"
        )
        return f"{what}: {why}" if why else what

    @property
    def _narrow(self) -> bool:
        """Whether a layer has too few units to tell the classes apart, even in binary."""
        return self.classes and self._narrowest < math.log2(self.n_outputs + 1)

    @property
    def _narrowest(self) -> int:
        return min(self.network.hidden_layer_sizes, default=10**9)

    @property
    def _unlearned(self) -> bool:
        """Whether it knows little more than how the targets are distributed.

        Both its loss and its accuracy must say so: where labels are noisy, no loss comes near zero.
        Numbers are noisier still, and R² alone decides.
        """
        if self.result.diverged:
            return True
        if not self.classes:
            return not self.trace.train_score >= UNEXPLAINED
        most = self.luck
        unsure = not self.last.loss < UNLEARNED * self.guess
        return unsure and self.trace.train_score < most + UNLEARNED * (1 - most)

    @property
    def _crushed(self) -> bool:
        """Whether l2 has made the weights of every layer small."""
        first, last = _of("weight size", self.first), _of("weight size", self.last)
        return self.training.l2 > 0 and bool((last < SHRUNK * first).all())


def _of(quantity: str, moment: Snapshot) -> np.ndarray:
    return moment.layers[:, QUANTITIES.index(quantity)]
