"""From the results of a stage to the space of the next: narrow, widen, drop, each with a reason.

The region of the best trials, plus a margin, on the parameter's own scale (CS231n, lecture 6: a
coarse stage, then a finer range). What makes it more than a box:

- A parameter moves only on evidence that the ranking of the trials depends on it; otherwise the
  best lie where chance has put them, and the parameter stays wide.
- When the best crowd an end of all that was tried so far, the range moves past it, unless what lies
  at that end diverged, or the parameter's hard limit is met.
- A choice is dropped only if in trials enough it ranks worse than the others beyond chance, and
  none of the best has it.

Scores are compared only among trials of equal epochs: those of the last stage, and of every earlier
one that trained as long.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from hpsearch.search.base import Move, Result, in_order, merit, visible
from hpsearch.search.effects import Effect, explained, ranks
from hpsearch.space import Categorical, Float, Int, Parameter, Space, Value

__all__ = ["narrow", "narrowed"]

BEST = 0.1  # the share of the trials whose region the next stage searches
FEWEST = 4  # the fewest trials that make a region
CHANCE = 0.2  # the p-value up to which a parameter matters
DROP = 0.05  # the p-value up to which a choice is bad
TELLING = 20  # the fewest trials that tell; from nine, most choices that look bad are not
EDGE = 0.15  # the share of all that was tried which counts as its end
CROWD = 0.05  # the probability up to which chance alone does not crowd an end so
WIDEN = 0.5  # how far past an end the range moves, as a share of all that was tried
DIVERGED = 0.25  # the share of diverged trials at an end which forbids to move past it


class _Seen(NamedTuple):
    """One trial in the eyes of one parameter."""

    value: Value
    result: Result
    rank: float


class _End(NamedTuple):
    """One end of all that was tried, on the parameter's scale."""

    name: str
    sign: int  # 1 at the top, -1 at the bottom
    outer: float  # where the end is
    inner: float  # where it begins
    share: float  # the probability that a trial falls there by chance

    def holds(self, x: float) -> bool:
        return self.sign * (x - self.inner) >= -1e-9

    def crowded(self, best: Sequence[float], seen: Sequence[float]) -> bool:
        """Whether more of the best lie here than chance would put: a binomial tail.

        Where more of all trials lie here than a uniform draw puts, as a model's choices may, so
        does chance.
        """
        n, there = len(best), sum(self.holds(x) for x in best)
        p = max(self.share, sum(self.holds(x) for x in seen) / len(seen))
        tail = sum(math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(there, n + 1))
        return tail <= CROWD


def narrowed(
    space: Space, stages: int, results: Sequence[Result], seen: Sequence[int] | None = None
) -> tuple[Space, tuple[Move, ...]]:
    """The space after so many stages: the narrowings of all of them, one after the other.

    Args:
        space: the first stage's space.
        stages: how many stages are over.
        results: everything that finished in them, in any order.
        seen: how many of its first slots each stage shows to the next one; without it, all.

    Returns:
        The space of the next stage, and what changed in it after the last one.
    """
    spaces = [space]
    changes: tuple[Move, ...] = ()
    for stage in range(stages):
        after, changes = narrow(spaces, visible(results, stage + 1, seen))
        spaces.append(after)
    return spaces[-1], changes


def narrow(spaces: Sequence[Space], results: Sequence[Result]) -> tuple[Space, tuple[Move, ...]]:
    """The space of the next stage.

    Args:
        spaces: the space of each stage so far, the latest last.
        results: everything that finished in these stages, in any order.

    Returns:
        The new space, and for each parameter of the latest one a change with its reason; where the
        reason says that the parameter stays, before and after are equal.
    """
    space = spaces[-1]
    ordered = in_order(results)
    complete = [result for result in ordered if result.complete]
    if complete:
        epochs = complete[-1].slot.epochs
        peers = [result for result in ordered if result.slot.epochs == epochs]
        changes = [
            _change(
                name, [s.parameters[name] for s in spaces if name in s.parameters], peers, ordered
            )
            for name in space.parameters
        ]
    else:
        changes = [_all_diverged(name, p, len(ordered)) for name, p in space.parameters.items()]
    return space.replace({c.parameter: c.after for c in changes}), tuple(changes)


def _change(
    name: str, past: Sequence[Parameter], peers: Sequence[Result], everything: Sequence[Result]
) -> Move:
    """What becomes of one parameter; ``past`` is what it was in each stage, the latest last."""
    having = [result for result in peers if name in result.slot.configuration]
    seen = [
        _Seen(result.slot.configuration[name], result, rank)
        for result, rank in zip(having, ranks(having), strict=True)
    ]
    before = past[-1]
    if isinstance(before, Categorical):
        return _choices(name, before, seen)
    history = [p for p in past if not isinstance(p, Categorical)]
    tried = [
        (before.scaled(float(value)), result.complete)
        for result in everything
        if isinstance(value := result.slot.configuration.get(name), int | float)
    ]
    return _range(name, history, seen, tried)


def _best(seen: Sequence[_Seen]) -> list[_Seen]:
    """The best tenth, or the best few; never more than half, never one that diverged."""
    count = min(max(FEWEST, math.ceil(BEST * len(seen))), len(seen) // 2)
    ranked = sorted(seen, key=lambda s: merit(s.result), reverse=True)
    return [s for s in ranked[:count] if s.result.complete]


def _range(
    name: str,
    history: Sequence[Float | Int],
    seen: Sequence[_Seen],
    tried: Sequence[tuple[float, bool]],
) -> Move:
    """Narrow, move or keep a numeric range."""
    before = history[-1]
    # isinstance tells the type checker what a numeric parameter's values are.
    best = [before.scaled(s.value) for s in _best(seen) if isinstance(s.value, int | float)]
    x = [before.scaled(s.value) for s in seen if isinstance(s.value, int | float)]
    # As places in the range, whose squares are numbers whatever the range is.
    bottom, top = before.bounds()
    places = [(v - bottom) / ((top - bottom) or 1.0) for v in x]
    effect = explained([places, [v * v for v in places]], [s.rank for s in seen])
    if len(best) < 2 or effect.p > CHANCE:
        return Move(name, before, before, _stays(effect, len(seen), len(best)))
    low, high = min(best), max(best)
    # k uniform draws span (k - 1) / (k + 1) of their region on average: give the rest back.
    margin = (high - low) / (len(best) - 1)
    reason = (
        f"the best {len(best)} of {len(seen)} trials lie between {_shown(before, low)} and "
        f"{_shown(before, high)} (it explains {_shown_effect(effect)})"
    )
    bounds = []
    for end, beyond in zip(_ends(history), (low - margin, high + margin), strict=True):
        place = min(beyond, end.outer, key=lambda p: end.sign * p)
        if end.crowded(best, x):
            place, why = _past(end, place, history, tried)
            reason += f"; they crowd the {end.name} of the range, {why}"
        bounds.append(place)
    after = _with_ends(before, *bounds, around=(low, high))
    return Move(name, before, after, reason + ("; the range stays." if after == before else "."))


def _ends(history: Sequence[Float | Int]) -> tuple[_End, _End]:
    """The bottom and the top of all that a parameter's ranges have covered so far."""
    parameter = history[-1]
    bottom = min(p.bounds()[0] for p in history)
    top = max(p.bounds()[1] for p in history)
    width = top - bottom
    ends = []
    for name, sign, outer in (("bottom", -1, bottom), ("top", 1, top)):
        inner, share = outer - sign * EDGE * width, EDGE
        if parameter.step is not None:
            # The outermost value belongs to its end, however wide its cell is.
            value = parameter.unscaled(outer) - sign * parameter.step / 2
            last = parameter.scaled(value)
            cell = parameter.scaled(value - sign * parameter.step / 2)
            if sign * (inner - last) > 0:
                inner, share = last, abs(outer - cell) / width
        ends.append(_End(name, sign, outer, inner, share))
    return ends[0], ends[1]


def _past(
    end: _End, place: float, history: Sequence[Float | Int], tried: Sequence[tuple[float, bool]]
) -> tuple[float, str]:
    """Where the range ends that would end at ``place``, if the best crowd this end; and why."""
    parameter = history[-1]
    there = [complete for x, complete in tried if end.holds(x)]
    lost = there.count(False)
    if lost and lost >= DIVERGED * len(there):
        return place, f"but {lost} of the {len(there)} trials there diverged, so it ends there"
    limit = parameter.limits[end.sign > 0]
    outermost = max(
        (p.high if end.sign > 0 else p.low for p in history), key=lambda v: end.sign * v
    )
    if end.sign * outermost >= end.sign * limit:
        return end.outer, "which is its limit"
    width = _ends(history)[1].outer - _ends(history)[0].outer
    return end.outer + end.sign * WIDEN * width, f"so it moves past {_text(outermost)}"


def _with_ends(
    parameter: Float | Int, bottom: float, top: float, *, around: tuple[float, float]
) -> Float | Int:
    """The parameter with a new range: readable bounds, around the best, within the limits."""
    least, most = (parameter.nearest(parameter.unscaled(x)) for x in around)
    low = max(min(_readable(parameter, bottom, -1), least), _within(parameter, 0))
    high = min(max(_readable(parameter, top, 1), most), _within(parameter, 1))
    if isinstance(parameter, Int):
        return Int(int(low), int(high), parameter.log, parameter.step, parameter.limits)
    return Float(low, high, parameter.log, parameter.step, parameter.limits)


def _readable(parameter: Float | Int, x: float, sign: int) -> float:
    """The bound for an end of the scale: on the parameter's steps, else to three digits."""
    if parameter.log:
        x = min(max(x, -700.0), 700.0)  # what float64 can hold
    value = parameter.unscaled(x)
    if parameter.step is None:
        return float(f"{value:.3g}")
    # Cells meet half a step outside a bound; a hair inside, rounding cannot pass it.
    return parameter.nearest(value - sign * 1e-6 * parameter.step)


def _within(parameter: Float | Int, side: int) -> float:
    """The outermost value of the parameter within a limit."""
    limit = parameter.limits[side]
    if isinstance(parameter, Int) and parameter.log and side == 0:
        limit = max(limit, 1)
    if parameter.step is None or math.isinf(limit):
        return limit
    steps = (limit - parameter.low) / parameter.step
    whole = math.floor(steps + 1e-8) if side else math.ceil(steps - 1e-8)
    return parameter.nearest(parameter.low + whole * parameter.step)


def _choices(name: str, before: Categorical, seen: Sequence[_Seen]) -> Move:
    """Drop the choices that are bad beyond chance, compared with the others that are left."""
    having = [s for s in seen if s.value in before]
    ranking = ranks([s.result for s in having])
    seen = [s._replace(rank=rank) for s, rank in zip(having, ranking, strict=True)]
    best = _best(seen)
    if len(seen) < TELLING:
        few = f"{len(seen)} trials are too few to drop a choice; all stay."
        return Move(name, before, before, few)
    kept, dropped = [], []
    for choice in before.choices:
        has = [s.value == choice for s in seen]
        effect = explained([[float(h) for h in has]], [s.rank for s in seen])
        places = [len(seen) + 1 - s.rank for s in seen if s.value == choice]
        worse = bool(places) and sum(places) / len(places) > (len(seen) + 1) / 2
        if worse and effect.p <= DROP and all(s.value != choice for s in best):
            place = sum(places) / len(places)
            dropped.append(
                f"{choice!r} is dropped: its {len(places)} of {len(seen)} trials take place "
                f"{place:.0f} on average (p = {effect.p:.2g}), and none is among the best "
                f"{len(best)}"
            )
        else:
            kept.append(choice)
    if not dropped:
        reason = f"no choice is worse than the others beyond chance in {len(seen)} trials."
        return Move(name, before, before, reason)
    return Move(name, before, Categorical(tuple(kept)), f"{'; '.join(dropped)}.")


def _all_diverged(name: str, before: Parameter, trials: int) -> Move:
    """Where nothing could be trained, parameters that multiply get smaller: that is tamer."""
    if not isinstance(before, Float) or not before.log:
        return Move(name, before, before, f"all {trials} trials diverged; it stays as it is.")
    low, high = before.bounds()
    down = WIDEN * (high - low)
    bottom = max(low - down, before.scaled(max(before.limits[0], 1e-300)))
    top = max(high - down, bottom)
    middle = (bottom + top) / 2
    after = _with_ends(before, bottom, top, around=(middle, middle))
    reason = f"all {trials} trials diverged, so the range moves down: smaller values are tamer."
    return Move(name, before, after, reason)


def _stays(effect: Effect, trials: int, best: int) -> str:
    if best < 2:
        return f"of {trials} trials {best} good enough to go by, too few; it stays wide."
    return (
        f"the ranking of the {trials} trials does not depend on it beyond chance "
        f"(it explains {_shown_effect(effect)}), so it stays wide."
    )


def _shown(parameter: Float | Int, x: float) -> str:
    return _text(parameter.nearest(parameter.unscaled(x)))


def _text(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.3g}"


def _shown_effect(effect: Effect) -> str:
    return f"{effect.share:.0%} of their ranking, p = {effect.p:.2g}"
