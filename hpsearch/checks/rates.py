"""Which learning rates let the loss fall, which explode, and does the study search the former?

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

from hpsearch.checks.check import Check, Verdict
from hpsearch.checks.context import CheckContext
from hpsearch.nn import OPTIMIZERS, SCHEDULES, TrainingConfig, train
from hpsearch.space import Categorical, Float, Int, Parameter

__all__ = ["LONGER", "RateRange", "learning_rates", "range_verdict", "sweep"]

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

LONGER = 10
"""How many times longer a second sweep is where nothing was learned: small weights and deep
sigmoids begin on a plateau. A study that is so much longer still may yet leave it."""

NEAR = math.sqrt(10.0)
"""A range that misses by less than this factor is too near for a sweep to condemn."""

OVERLAP = 0.5
"""Two ranges agree when on the logarithmic scale so much of either lies in the other."""


@dataclass(frozen=True)
class RateRange:
    """What a sweep came to.

    Attributes:
        low: the lowest rate that learns in the study's own number of steps.
        high: the highest rate that learns within the sweep.
        best: the rate with the lowest loss in the sweep.
        explodes: the lowest rate above `high` that explodes; None when none up to 100 does.
    """

    low: float
    high: float
    best: float
    explodes: float | None


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
    return RateRange(lowest / run.longer, highest, best, bursts)


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
    return math.sqrt(further) if OPTIMIZERS[training.optimizer].slowing else further


def learning_rates(
    context: CheckContext, searched: Parameter | None, *, patient: bool = True
) -> Check:
    """Sweep the learning rate, and compare what learns with what the study searches.

    Args:
        context: rows and specification; its rate is the study's, where that is not searched.
        searched: the study's range or choices of the learning rate, None for a fixed one.
        patient: sweep a second time with more steps where nothing is learned in the first; in vain
            where the network cannot even learn a few samples.
    """
    low, high = _ends(searched, context.spec.training.learning_rate)
    found = sweep(context)
    tried = STEPS
    if found is None and patient:
        found, tried = sweep(context, longer=LONGER), STEPS * LONGER
    if found is None:
        return _nothing_learned(context, low, high, tried, patient=patient)
    optimizer = context.spec.training.optimizer
    verdict, advice = range_verdict(low, high, found)
    bursts = "" if found.explodes is None else f", explodes at {_rough(found.explodes)}"
    return Check(
        "learning rate",
        verdict,
        f"{optimizer}: {_learns(found)} learns{bursts}",
        f"the study's {_asked(low, high)}",
        advice,
    )


def _nothing_learned(
    context: CheckContext, low: float, high: float, tried: int, *, patient: bool
) -> Check:
    steps = study_steps(context)
    may_yet = patient and steps > LONGER * tried
    optimizer = context.spec.training.optimizer
    return Check(
        "learning rate",
        "warn" if may_yet else "fail",
        f"{optimizer}: none from {_rough(10.0 ** DECADES[-1])} to 100 learns",
        f"the study's {_asked(low, high)}",
        f"{optimizer} lowers the loss at no learning rate within {min(steps, tried)} steps"
        + (
            f"; the study's {steps:,} may do, but better weights or fewer layers start at once"
            if may_yet
            else ": see to the checks above, or take other weights, fewer layers, another optimizer"
        ),
    )


def range_verdict(low: float, high: float, found: RateRange) -> tuple[Verdict, str]:
    """Compare a study's rates with those that learn.

    Args:
        low: the study's lowest rate.
        high: its highest, or the same for a fixed rate.
        found: what the sweep came to.

    Returns:
        The verdict, and the sentence that goes with it.

    >>> found = RateRange(3e-3, 0.3, 0.1, 1.0)
    >>> range_verdict(1e-5, 1e-4, found)[0], range_verdict(1e-4, 1.0, found)[0]
    ('fail', 'pass')
    """
    learns = _learns(found)
    yours = f"your {'range' if high > low else 'rate'} {_asked(low, high)}"
    if high < found.low or low > found.high:
        side = "below" if high < found.low else "above"
        gap = found.low / high if high < found.low else low / found.high
        sentence = f"{yours} lies {side} where this network learns ({learns}): move it there"
        return ("warn" if gap < NEAR else "fail"), sentence
    shared = math.log(min(high, found.high) / max(low, found.low))
    widths = [w for w in (math.log(high / low), math.log(found.high / found.low)) if w > 0]
    if not widths or high == low or shared >= OVERLAP * min(widths):
        return "pass", f"{yours} fits where this network learns ({learns})"
    side = "below" if low < found.low else "above"
    return "warn", f"{yours} lies mostly {side} where this network learns ({learns}): move it there"


def _ends(searched: Parameter | None, fixed: float) -> tuple[float, float]:
    if isinstance(searched, Float | Int):
        return float(searched.low), float(searched.high)
    rates = searched.choices if isinstance(searched, Categorical) else (fixed,)
    numbers = [float(rate) for rate in rates if isinstance(rate, int | float)]
    return min(numbers), max(numbers)


def _asked(low: float, high: float) -> str:
    """The study's rates, as it gives them.

    >>> _asked(1.5e-5, 0.25), _asked(0.1, 0.1)
    ('1.5e-5 to 0.25', '0.1')
    """
    return " to ".join(_exactly(rate) for rate in dict.fromkeys((low, high)))


def _exactly(rate: float) -> str:
    if rate >= 0.01:
        return f"{rate:g}"
    digits, exponent = f"{rate:e}".split("e")
    return f"{float(digits):g}e{int(exponent)}"


def _learns(found: RateRange) -> str:
    return f"{_rough(found.low)} to {_rough(found.high)}"


def _rough(rate: float) -> str:
    """One digit, which is as much as a sweep knows.

    >>> [_rough(rate) for rate in (3.162e-5, 0.003162, 0.05, 0.56234, 17.8, 100.0)]
    ['3e-5', '3e-3', '0.05', '0.6', '18', '100']
    """
    if rate >= 10:
        return f"{rate:.0f}"
    return f"{rate:.1g}" if rate >= 0.01 else f"{rate:.0e}".replace("e-0", "e-")
