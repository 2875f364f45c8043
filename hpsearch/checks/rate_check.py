"""Does the study search the learning rates at which its network learns?"""

from __future__ import annotations

import math

from hpsearch.checks.check import Check, Verdict
from hpsearch.checks.context import CheckContext
from hpsearch.checks.rates import DECADES, STEPS, RateRange, study_steps, sweep
from hpsearch.space import Categorical, Float, Int, Parameter, Value

__all__ = ["LONGER", "learning_rates", "range_verdict"]

LONGER = 10
"""How many times longer a second sweep is where nothing was learned: small weights and deep
sigmoids begin on a plateau. A study that is so much longer still may yet leave it."""

NEAR = math.sqrt(10.0)
"""A range that misses by less than this factor is too near for a sweep to condemn."""

OVERLAP = 0.5
"""Two ranges agree when on the logarithmic scale so much of either lies in the other."""


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

    >>> found = RateRange(3e-3, 0.3, 0.1, 1.0, 30)
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
        low, high = float(searched.low), float(searched.high)
    elif isinstance(searched, Categorical):
        numbers = [_number(choice) for choice in searched.choices]
        low, high = min(numbers), max(numbers)
    else:
        low = high = fixed
    return low, high


def _number(choice: Value) -> float:
    assert isinstance(choice, int | float), "rates are numbers, and a study file makes sure of it"
    return float(choice)


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
