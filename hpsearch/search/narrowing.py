"""From the results of a stage to the space of the next: narrow, widen, drop, each with a reason.

The region of the best trials, plus a margin, on the parameter's own scale (CS231n, lecture 6:
"coarse stage, then a finer range"). What makes it more than a box:

- A parameter moves only on evidence that the ranking of the trials depends on it; otherwise the
  best lie where chance has put them, and the parameter stays wide.
- When the best crowd an end of everything tried so far, the range moves past it, unless what lies
  at that end diverged, or the parameter's hard limit is met.
- A choice is dropped only if it ranks worse than the others beyond chance and none of the best has
  it.

Scores are compared only among trials of equal epochs: those of the last stage, and of every earlier
one that trained as long.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from hpsearch.search.base import Change, Result, in_order, merit
from hpsearch.search.evidence import Evidence, explained, ranks
from hpsearch.space import Categorical, Float, Int, Parameter, Space, Value

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["narrow"]

BEST = 0.1  # the share of the trials whose region the next stage searches
FEWEST = 4  # the fewest trials that make a region
CHANCE = 0.1  # the p-value up to which a parameter matters
DROP = 0.05  # the p-value up to which a choice is bad
EDGE = 0.15  # the share of all that was tried which counts as its end
CROWD = 0.05  # the probability that chance alone crowds an end so
WIDEN = 0.5  # how far past an end the range moves, as a share of all that was tried
DIVERGED = 0.25  # the share of diverged trials at an end which forbids to move past it


class _Seen(NamedTuple):
    """One trial in the eyes of one parameter."""

    value: Value
    result: Result
    rank: float


def narrow(spaces: Sequence[Space], results: Sequence[Result]) -> tuple[Space, tuple[Change, ...]]:
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
    if not complete:
        changes = [_all_diverged(name, p, len(ordered)) for name, p in space.parameters.items()]
    else:
        epochs = complete[-1].slot.epochs
        peers = [result for result in ordered if result.slot.epochs == epochs]
        changes = [
            _change(
                name, [s.parameters[name] for s in spaces if name in s.parameters], peers, ordered
            )
            for name in space.parameters
        ]
    after = space.replace({c.parameter: c.after for c in changes})
    return after, tuple(changes)


def _change(
    name: str, past: Sequence[Parameter], peers: Sequence[Result], everything: Sequence[Result]
) -> Change:
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
    return _range(name, before, history, seen, tried)


def _best(seen: Sequence[_Seen]) -> list[_Seen]:
    """The best tenth, or the best few; never more than half, never one that diverged."""
    count = min(max(FEWEST, math.ceil(BEST * len(seen))), len(seen) // 2)
    ranked = sorted(seen, key=lambda s: merit(s.result), reverse=True)
    return [s for s in ranked[:count] if s.result.complete]


def _range(
    name: str,
    before: Float | Int,
    history: Sequence[Float | Int],
    seen: Sequence[_Seen],
    tried: Sequence[tuple[float, bool]],
) -> Change:
    """Narrow, move or keep a numeric range."""
    best = [before.scaled(float(s.value)) for s in _best(seen) if isinstance(s.value, int | float)]
    x = [before.scaled(float(s.value)) for s in seen if isinstance(s.value, int | float)]
    evidence = explained([x, [v * v for v in x]], [s.rank for s in seen])
    if len(best) < 2 or evidence.p > CHANCE:
        return Change(name, before, before, _stays(evidence, len(seen)))
    low, high = min(best), max(best)
    # k uniform draws span (k - 1) / (k + 1) of their region on average: give the rest back.
    margin = (high - low) / (len(best) - 1)
    bottom = min(p.bounds()[0] for p in history)
    top = max(p.bounds()[1] for p in history)
    reason = (
        f"the best {len(best)} of {len(seen)} trials lie between {_shown(before, low)} and "
        f"{_shown(before, high)} ({_shown_evidence(evidence)})"
    )
    ends = [max(low - margin, bottom), min(high + margin, top)]
    for side, end in ((0, bottom), (1, top)):
        crowd = _crowded(before, best, bottom, top, upper=side == 1)
        if crowd is None:
            continue
        there = [complete for v, complete in tried if (v >= crowd if side else v <= crowd)]
        lost = there.count(False)
        where = "top" if side else "bottom"
        if lost and lost >= DIVERGED * len(there):
            reason += (
                f"; they crowd the {where} of the range, but {lost} of the {len(there)} trials "
                "there diverged, so it does not move further"
            )
        elif _at_limit(before, history, upper=side == 1):
            reason += f"; they crowd the {where} of the range, which is its limit"
        else:
            ends[side] = end + (WIDEN if side else -WIDEN) * (top - bottom)
            reason += (
                f"; they crowd the {where} of the range, so it moves past {_shown(before, end)}"
            )
    after = _between(before, ends[0], ends[1], low, high)
    return Change(name, before, after, f"{reason}.")


def _crowded(
    parameter: Float | Int, best: Sequence[float], bottom: float, top: float, *, upper: bool
) -> float | None:
    """Where the end of the range begins, if more of the best lie there than chance would put."""
    edge = top - EDGE * (top - bottom) if upper else bottom + EDGE * (top - bottom)
    if isinstance(parameter, Int):  # the outermost value is part of its end, however wide it is
        half = parameter.step / 2
        last = parameter.unscaled(top) - half if upper else parameter.unscaled(bottom) + half
        outer = parameter.scaled(last)
        edge = min(edge, outer) if upper else max(edge, outer)
        cell = parameter.scaled(last - half) if upper else parameter.scaled(last + half)
        share = max(EDGE, abs((top if upper else bottom) - cell) / (top - bottom))
    else:
        share = EDGE
    tolerance = 1e-9 * (top - bottom)
    there = sum(v >= edge - tolerance if upper else v <= edge + tolerance for v in best)
    k = len(best)
    chance = sum(math.comb(k, i) * share**i * (1 - share) ** (k - i) for i in range(there, k + 1))
    return edge if chance <= CROWD else None


def _at_limit(parameter: Float | Int, history: Sequence[Float | Int], *, upper: bool) -> bool:
    if upper:
        return max(p.high for p in history) >= parameter.limits[1]
    return min(p.low for p in history) <= parameter.limits[0]


def _between(
    parameter: Float | Int, bottom: float, top: float, first: float, last: float
) -> Float | Int:
    """The parameter with a new range, rounded to what can be read, around the best within it."""
    low, high = (_rounded(parameter, end) for end in (bottom, top))
    least, most = (_rounded(parameter, end, exact=True) for end in (first, last))
    low, high = min(low, least), max(high, most)
    low = max(low, _lattice(parameter, parameter.limits[0], up=True))
    high = min(high, _lattice(parameter, parameter.limits[1], up=False))
    if isinstance(parameter, Int):
        return Int(int(low), int(high), parameter.log, parameter.step, parameter.limits)
    return Float(low, high, parameter.log, parameter.step, parameter.limits)


def _rounded(parameter: Float | Int, x: float, *, exact: bool = False) -> float:
    """The value at a point of the scale: on the parameter's steps, else to three digits."""
    value = parameter.unscaled(x)
    if parameter.step is None:
        return value if exact else float(f"{value:.3g}")
    steps = round((value - parameter.low) / parameter.step)
    return parameter.low + steps * parameter.step


def _lattice(parameter: Float | Int, limit: float, *, up: bool) -> float:
    """The outermost value of the parameter within a limit."""
    if parameter.step is None or math.isinf(limit):
        return limit
    steps = (limit - parameter.low) / parameter.step
    whole = math.ceil(steps - 1e-8) if up else math.floor(steps + 1e-8)
    return parameter.low + whole * parameter.step


def _choices(name: str, before: Categorical, seen: Sequence[_Seen]) -> Change:
    """Drop the choices that are bad beyond chance."""
    best = _best(seen)
    kept, dropped = [], []
    for choice in before.choices:
        count = sum(s.value == choice for s in seen)
        among = sum(s.value == choice for s in best)
        evidence = explained([[float(s.value == choice) for s in seen]], [s.rank for s in seen])
        mean = sum(s.rank for s in seen if s.value == choice) / max(count, 1)
        if among == 0 and evidence.p <= DROP and mean < (len(seen) + 1) / 2:
            dropped.append(
                f"none of the best {len(best)} of {len(seen)} trials has {choice!r}, whose {count} "
                f"trials rank {len(seen) + 1 - mean:.0f} on average (p = {evidence.p:.2g})"
            )
        else:
            kept.append(choice)
    if not dropped or not kept:
        reason = f"no choice is worse beyond chance in {len(seen)} trials, so all stay."
        return Change(name, before, before, reason)
    return Change(name, before, Categorical(tuple(kept)), f"{'; '.join(dropped)}.")


def _all_diverged(name: str, before: Parameter, trials: int) -> Change:
    """Where nothing could be trained, the multiplying parameters become smaller: that is tamer."""
    if not isinstance(before, Float) or not before.log:
        return Change(name, before, before, f"all {trials} trials diverged, so it stays as it is.")
    low, high = before.bounds()
    down = WIDEN * (high - low)
    middle = _rounded(before, high - down, exact=True)
    after = _between(before, low - down, high - down, *(before.scaled(middle),) * 2)
    reason = f"all {trials} trials diverged, so the range moves down: smaller values are tamer."
    return Change(name, before, after, reason)


def _stays(evidence: Evidence, trials: int) -> str:
    if evidence.p > CHANCE:
        return (
            f"the ranking of {trials} trials does not depend on it beyond chance "
            f"({_shown_evidence(evidence)}), so it stays wide."
        )
    return f"{trials} trials are too few to tell where the best lie, so it stays wide."


def _shown(parameter: Float | Int, x: float) -> str:
    value = parameter.unscaled(x)
    return f"{value:.0f}" if isinstance(parameter, Int) else f"{value:.3g}"


def _shown_evidence(evidence: Evidence) -> str:
    return f"it explains {evidence.share:.0%} of their ranking, p = {evidence.p:.2g}"
