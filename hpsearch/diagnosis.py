"""What was wrong with a training, told from its curves and from what its monitor saw.

Lecture 6: a loss that barely moves means a learning rate that is too low, one that explodes a rate
that is too high; gradients vanish or explode with the initialization; ReLUs die, others saturate.
Each finding names its evidence. A fault is something to repair; a hint is not. The bounds below lie
between planted faults and healthy runs on all bundled data (see the tests), far from both.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from hpsearch.nn import NetworkConfig, TrainingConfig, TrainingResult
from hpsearch.nn.monitor import QUANTITIES, Watched

__all__ = ["ADVICE", "DIAGNOSIS", "HINTS", "Finding", "Name", "by_kind", "diagnose"]

Name: TypeAlias = Literal[
    "inputs not scaled",
    "exploding gradients",
    "vanishing gradients",
    "dead ReLUs",
    "saturation",
    "learning rate too high",
    "learning rate too low",
    "underfitting",
    "overfitting",
    "stopped too early",
    "plateau",
    "still improving",
]

ADVICE: dict[Name, str] = {
    "inputs not scaled": "standardize the columns ([data] or [model] preprocessing)",
    "exploding gradients": "begin with smaller weights: initializer he for ReLU, xavier for tanh",
    "vanishing gradients": "use ReLU with initializer he, batch_norm, or fewer layers",
    "dead ReLUs": "lower the learning rate, begin with bias 0 or 0.01, or use leaky-relu",
    "saturation": "begin with smaller weights (initializer xavier), or use batch_norm or ReLU",
    "learning rate too high": "search lower rates, by a factor of ten and more",
    "learning rate too low": "search higher rates, or train for more epochs",
    "underfitting": "give more width or depth, less l2 and dropout, or better columns",
    "overfitting": "give more data, l2 or dropout, or less width",
    "stopped too early": "raise patience, or leave it out",
    "plateau": "nothing moves any more: another rate or schedule, or fewer epochs",
    "still improving": "train for more epochs",
}
"""What to do about each."""

UNSCALED = 10.0
"""Root mean square of the inputs above which they are not scaled; standardized it is 1."""

WILD_START = 10.0
"""First loss in units of ln(classes), that of a network which knows nothing; He's initialization
begins at 1 to 2, inputs that are ten times too large at 10."""

UNLEARNED = 0.5
"""Last loss in units of ln(classes) above which a training has learned little."""

NO_GRADIENT = 1e-3
"""Norm of the first gradient below which nothing can be learned; healthy ones are near 1."""

FADED = 1e-2
"""The first layer's gradient in units of the last layer's, below which it has vanished: a sigmoid
has a slope of at most 1/4, so four layers of them make 1/256 (lecture 6)."""

DEAD = 0.4
"""Share of dead units in a layer; the course notes see "as much as 40%" with too high a rate."""

SATURATED = 0.5
"""Share of saturated outputs in a layer; Xavier's initialization begins below 0.1."""

SHRUNK = 0.3
"""Size of the weights in units of the first one below which regularization has crushed them."""

STRONG = 0.3
"""The last gradient in units of the first above which much was left to learn: a training that has
settled, well or badly, has a small one."""

LARGE_STEP = 0.05
"""A step's size in units of the weights above which it is no refinement any more: fifty times the
healthy 1e-3 of the course notes."""

GAP = 0.2
"""Accuracy that training samples may have over validation, twice its standard error aside."""

FALLING = 0.05
"""Share by which the validation loss falls in the last quarter if a training still improves."""

FLAT_CURVE = 0.01
"""Share by which the training loss changes in the last third of one that does not move."""


CHANCE = ", which is chance: labels may be wrong"

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
    n_classes: int,
    n_validation: int,
) -> tuple[Finding, ...]:
    """What a training that was watched shows, the likely cause first.

    Args:
        result: of a training with a monitor and validation data.
        network: what was trained.
        training: how.
        n_classes: of the data.
        n_validation: rows that score it.

    Returns:
        The findings; none for a training without one.

    Raises:
        ValueError: the training was not watched.
    """
    if result.watched is None:
        raise ValueError("a training is diagnosed from what a monitor saw; train with watch=True")
    case = _Case(result, result.watched, network, training, math.log(n_classes), n_validation)
    faults = [Finding(name, evidence, True) for name, evidence in case.faults()]
    hints = [] if faults else [Finding(name, why, False) for name, why in case.hints()]
    return (*faults, *hints)


@dataclass(frozen=True)
class _Case:
    """A training, and questions about it."""

    result: TrainingResult
    watched: Watched
    network: NetworkConfig
    training: TrainingConfig
    chance: float  # loss of a network that knows nothing: ln(classes)
    n_validation: int

    def faults(self) -> Iterator[tuple[Name, str]]:
        """What is to be repaired: a cause hides what follows from it."""
        causes = [*self._start(), *self._signal()]
        yield from causes
        crushed = self._crushed
        if not causes and not crushed:
            yield from self._rate()
        narrow = not self.result.diverged and self._narrowest < math.log2(math.exp(self.chance) + 1)
        if self._unlearned and (crushed or narrow or not (causes or list(self._rate()))):
            yield "underfitting", self._why_underfitting(crushed=crushed, narrow=narrow)
        yield from self._generalization()

    def hints(self) -> Iterator[tuple[Name, str]]:
        """What might be done better."""
        curve = self.result.curve
        if self.result.why_stopped != "finished" or len(curve) < 4:
            return
        losses = [record.validation_loss or 0.0 for record in curve]
        then, now = losses[-1 - max(1, len(losses) // 4)], losses[-1]
        third = [record.train_loss for record in curve[-max(2, len(curve) // 3) :]]
        if now == min(losses) and now < (1 - FALLING) * then:
            yield "still improving", f"the validation loss fell from {then:.3g} to {now:.3g} lately"
        elif max(third) - min(third) < FLAT_CURVE * third[0] and third[0] > 0.2 * self.chance:
            yield "plateau", f"the training loss stays at {third[-1]:.3g} over {len(third)} epochs"

    def _start(self) -> Iterator[tuple[Name, str]]:
        """Inputs or weights that are too large to begin with."""
        first, size = self.watched.losses[0], self.watched.input_size
        wild = not first < WILD_START * self.chance
        loss = f"the first loss is {first:.3g}, where {self.chance:.3g} would be chance"
        if size > UNSCALED and (wild or self._unlearned):
            yield "inputs not scaled", f"inputs have a size of {size:.3g} instead of 1; {loss}"
        elif wild:
            spreads = ", ".join(f"{x:.2g}" for x in self._of("output spread", 0))
            yield "exploding gradients", f"outputs spread by {spreads} from layer to layer; {loss}"

    def _signal(self) -> Iterator[tuple[Name, str]]:
        """Gradients that vanish, units that are dead or saturated."""
        hidden = slice(0, -1)
        kind = self.network.activation
        if not self.network.hidden_layer_sizes:
            return
        weights, norm = self._of("weight size", 0), self.watched.gradient_norms[0]
        gradients = self._of("gradient spread", 0)
        dead_at_first = self._of("dead", 0)[hidden].max()
        dead = self._of("dead", -1)[hidden]
        if weights.min() == 0 and self._unlearned:
            yield (
                "vanishing gradients",
                "all weights begin at zero, so that all units stay the same",
            )
        elif kind == "relu" and max(dead.max(), dead_at_first) > DEAD and not self._crushed:
            at = f"layer {dead.argmax() + 1}" if dead.max() > DEAD else "a layer, from the start"
            share = max(dead.max(), dead_at_first)
            yield "dead ReLUs", f"{share:.0%} of the units of {at} are 0 for every sample"
            if self._unlearned and dead_at_first <= DEAD and not self.result.diverged:
                rate = self.training.learning_rate
                yield "learning rate too high", f"with a rate of {rate:.2g} units died on the way"
        elif self._unlearned and norm < NO_GRADIENT:
            yield "vanishing gradients", f"the first gradient has a norm of {norm:.2g}"
        elif self._unlearned and gradients[hidden].min() < FADED * gradients[-1]:
            ratio = gradients[hidden].min() / gradients[-1]
            yield (
                "vanishing gradients",
                f"the gradient of the first layers is {ratio:.1g} of that of the last one",
            )
        if kind != "relu":
            flat = self._of("saturated", 0)[hidden]
            if flat.max() > SATURATED:
                yield (
                    "saturation",
                    f"{flat.max():.0%} of the outputs of layer {flat.argmax() + 1} are saturated "
                    "before the first step",
                )

    def _rate(self) -> Iterator[tuple[Name, str]]:
        """A loss that explodes or jumps, or that barely moves."""
        result, watched, rate = self.result, self.watched, self.training.learning_rate
        if result.diverged:
            what = "was not finite" if result.why_stopped == "not finite" else "exploded"
            yield (
                "learning rate too high",
                (f"with a rate of {rate:.2g} the loss {what} in epoch {result.epochs + 1}"),
            )
            return
        if not self._unlearned:
            return
        steps = watched.layers[1:, :, QUANTITIES.index("update ratio")]
        largest = float(steps.max()) if steps.size else 0.0
        losses = [record.train_loss for record in result.curve]
        moving = watched.gradient_norms[-1] > STRONG * watched.gradient_norms[0]
        steady = losses[-1] <= 1.02 * min(losses)
        if largest > LARGE_STEP or max(losses) > 1.5 * max(losses[0], self.chance):
            yield (
                "learning rate too high",
                (
                    f"with a rate of {rate:.2g} steps are as large as {largest:.2g} of the "
                    f"weights, and the loss stays at {losses[-1]:.3g}"
                ),
            )
        elif moving and steady:
            yield (
                "learning rate too low",
                (
                    f"with a rate of {rate:.2g} the loss went from {watched.losses[0]:.3g} to "
                    f"{watched.losses[-1]:.3g} only in {result.epochs} epochs, and its gradient is "
                    "as large as ever"
                ),
            )

    def _generalization(self) -> Iterator[tuple[Name, str]]:
        """Learned by heart, or stopped while it was learning."""
        result = self.result
        if result.diverged or not result.curve:
            return
        last = result.curve[result.best_epoch - 1 if self.training.patience else -1]
        validation, train = last.validation_accuracy or 0.0, self.watched.train_accuracy
        error = math.sqrt(validation * (1 - validation) / self.n_validation)
        if train - validation > GAP + 2 * error:
            luck = math.exp(-self.chance)
            nothing = validation < luck + 2 * math.sqrt(luck * (1 - luck) / self.n_validation)
            yield (
                "overfitting",
                (
                    f"{train:.0%} of the training samples are right and {validation:.0%} of the "
                    f"validation samples{CHANCE if nothing else ''}"
                ),
            )
        if result.why_stopped == "early stopping":
            losses = [record.validation_loss or 0.0 for record in result.curve]
            if losses[-1] == min(losses) and result.epochs < 0.5 * self.training.epochs:
                yield (
                    "stopped too early",
                    (
                        f"after {result.epochs} of {self.training.epochs} epochs, while the "
                        "validation loss was still falling"
                    ),
                )

    def _why_underfitting(self, *, crushed: bool, narrow: bool) -> str:
        what = f"only {self.watched.train_accuracy:.0%} of the training samples are right"
        if crushed:
            return f"{what}: regularization has pulled the weights towards zero"
        if narrow:
            return f"{what}: the narrowest layer has {self._narrowest} units"
        return what

    @property
    def _narrowest(self) -> int:
        return min(self.network.hidden_layer_sizes, default=10**9)

    @property
    def _unlearned(self) -> bool:
        return self.result.diverged or not self.watched.losses[-1] < UNLEARNED * self.chance

    @property
    def _crushed(self) -> bool:
        first, last = self._of("weight size", 0), self._of("weight size", -1)
        return bool((last < SHRUNK * first).all())

    def _of(self, quantity: str, moment: int) -> np.ndarray:
        return self.watched.layers[moment, :, QUANTITIES.index(quantity)]
