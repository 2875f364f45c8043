"""Which learning rates let the loss fall, and which explode?

A learning-rate sweep after Smith (2017), "Cyclical Learning Rates", section 3.3, except that every
rate starts from the same weights. A few dozen steps tell soon enough where training explodes. They
tell too little of slow rates: what falls slowly in 40 steps may arrive in 4,000. Where the loss
falls slowly, it falls with the sum of the rates of all steps (for AdaGrad, whose steps shrink with
their number, with the root of that sum), so that the lower end of the sweep is moved down by as
much as the study's training is longer.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from hpsearch.checks.context import CheckContext
from hpsearch.nn import TrainingConfig, train
from hpsearch.nn.schedules import SCHEDULES

__all__ = ["DECADES", "STEPS", "RateRange", "study_steps", "sweep"]

DECADES = range(2, -7, -1)
"""The coarse grid, 100 down to 1e-6."""

REFINEMENTS = 2
"""Each halves the step of the grid at an end of a range: to a quarter of a decade."""

STEPS = 30
SAMPLES = 1000
"""A rate is tried for so many steps or samples, whichever is more: small batches are noisy."""

MEASURED = 500
"""Rows on which the loss is measured before and after."""

LEARNS = 0.5
"""A rate learns when the loss falls at least so far as at the best rate, in proportion."""

SLOW = 0.1
"""Below a rate whose loss falls by less than this share of the best fall, no lower one is tried."""

FALLS = 0.05
"""The best rate must lower the loss by this share of what guessing costs."""

EXPLODES = 1.0
"""A rate explodes when its loss ends above this multiple of the initial loss or of what guessing
the frequencies of the classes costs, whichever is less: it has unlearned, or killed its units."""


@dataclass(frozen=True)
class RateRange:
    """What a sweep came to.

    Attributes:
        low: the lowest rate that learns in the study's own number of steps.
        high: the highest rate that learns within the sweep.
        best: the rate with the lowest loss in the sweep.
        explodes: the lowest rate above `high` that explodes; None when none up to 100 does.
        steps: steps that each rate was tried for.
    """

    low: float
    high: float
    best: float
    explodes: float | None
    steps: int


def sweep(context: CheckContext, *, longer: int = 1) -> RateRange | None:
    """Train briefly with each of many rates, always from the same weights and in the same order.

    The study's own optimizer, batch size, regularization and network are used, at a constant rate.

    Args:
        context: rows and specification.
        longer: multiplies the number of steps, which never exceeds the study's own.

    Returns:
        Where the network learns, or None when it does so nowhere.

    Raises:
        UsageError: the specification cannot be trained (batch normalization with batches of one).
    """
    run = _Sweep(context, longer)
    losses: dict[float, float] = {}
    for decade in DECADES:
        loss = losses[10.0**decade] = run.loss(10.0**decade)
        best_fall = run.reference - min(losses.values())
        if best_fall >= FALLS * run.guessing and run.reference - loss < SLOW * best_fall:
            break
    best = min(losses, key=lambda rate: losses[rate])
    for shift in (-0.5, 0.5):
        rate = best * 10**shift
        losses[rate] = run.loss(rate)
    best = min(losses, key=lambda rate: losses[rate])
    # From the first loss or from guessing, whichever is less: to come down from a bad start is not
    # yet learning.
    fall = run.reference - losses[best]
    if fall < FALLS * run.guessing:
        return None
    limit = run.reference - LEARNS * fall

    def learns(rate: float) -> bool:
        return run.loss(rate) <= limit

    def explodes(rate: float) -> bool:
        return run.loss(rate) > EXPLODES * run.reference

    rates = sorted(losses)
    at = rates.index(best)
    low = next((i for i in range(at, -1, -1) if losses[rates[i]] > limit), None)
    lowest = rates[0] if low is None else _between(rates[low + 1], rates[low], learns)
    high = next((i for i in range(at, len(rates)) if losses[rates[i]] > limit), None)
    highest = rates[-1] if high is None else _between(rates[high - 1], rates[high], learns)
    top = next((i for i in range(at, len(rates)) if explodes(rates[i])), None)
    bursts = None
    if top is not None:
        sound = max(rates[top - 1], highest)
        bursts = _between(rates[top], sound, explodes) if sound < rates[top] else rates[top]
    return RateRange(lowest / run.longer, highest, best, bursts, run.steps)


def _between(holds: float, fails: float, what: Callable[[float], bool]) -> float:
    """The rate nearest to ``fails`` for which something holds, by halving in the logarithm."""
    for _ in range(REFINEMENTS):
        middle = math.sqrt(holds * fails)
        if what(middle):
            holds = middle
        else:
            fails = middle
    return holds


class _Sweep:
    """Trains one network again and again."""

    def __init__(self, context: CheckContext, longer: int) -> None:
        self.context, training = context, context.spec.training
        self.network = context.network()
        self.start = self.network.state()
        size = min(training.batch_size, context.total)
        whole = study_steps(context)
        self.steps = min(longer * max(STEPS, math.ceil(SAMPLES / size)), whole)
        batches = min(self.steps, math.ceil(len(context.y) / size))
        rows = min(len(context.y), batches * size)
        self.X, self.y = np.ascontiguousarray(context.X[:rows]), context.y[:rows]
        epochs = max(1, round(self.steps / batches))
        self.steps = epochs * batches
        self.training = replace(
            training, schedule="constant", warmup=0.0, epochs=epochs, patience=None
        )
        self.longer = _longer(training, whole, self.steps)
        self.guessing = context.guessing
        self.reference = min(self._loss(), self.guessing)
        self._known: dict[float, float] = {}

    def loss(self, rate: float) -> float:
        """The loss after training at this rate; infinite if it was not finite."""
        if rate not in self._known:
            self.network.load_state(self.start)
            rng = np.random.default_rng([self.context.seed, 7])
            training = replace(self.training, learning_rate=rate)
            result = train(self.network, self.X, self.y, training, rng=rng)
            after = math.inf if result.diverged else self._loss()
            self._known[rate] = after if math.isfinite(after) else math.inf
        return self._known[rate]

    def _loss(self) -> float:
        # In training mode, since the running statistics of batch normalization lag behind.
        return self.network.initial_loss(self.context.X[:MEASURED], self.context.y[:MEASURED])


def study_steps(context: CheckContext) -> int:
    """The steps of a full training."""
    training = context.spec.training
    return training.epochs * math.ceil(context.total / min(training.batch_size, context.total))


def _longer(training: TrainingConfig, whole: int, steps: int) -> float:
    """How much further the study's training gets than the sweep at a rate too low to matter."""
    shares = np.linspace(0.0, 1.0, 101)
    mean = float(SCHEDULES[training.schedule](shares, training.decay).mean())
    further = max(1.0, mean * whole / steps)
    return math.sqrt(further) if training.optimizer == "adagrad" else further
