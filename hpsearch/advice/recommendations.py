"""What the trainings of a study say, as recommendations: pure functions of the evidence."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean, median, pvariance
from typing import Any, cast

import numpy as np

from hpsearch.advice.evidence import Evidence
from hpsearch.checks.check import listed
from hpsearch.engine.summary import TrialRow
from hpsearch.metrics import ACCURACY
from hpsearch.metrics.intervals import wilson_interval
from hpsearch.search.base import configuration_key
from hpsearch.search.beliefs import believe, effects
from hpsearch.search.narrowing import narrow
from hpsearch.space import Categorical, Float, Parameter, Value
from hpsearch.space.settings import SETTINGS
from hpsearch.study_file.models import Choices, FloatRange, StudyFile
from hpsearch.training.diagnosis import ADVICE, Name
from hpsearch.writing import in_one_line

__all__ = ["Change", "Recommendation", "advise", "log_range", "urgent"]

COMMON = 0.25
"""Share of the trainings from which on a finding is one of the study, and not of a bad draw."""

NEAR = 3.0
"""Factor between the best learning rate and one that diverges below which the two touch."""

SHIFT = 1000.0
"""How far a range of learning rates moves where all of it is on one side: three decades."""

LATE, EARLY = 0.9, 0.5
"""Where the best epochs of the best trials lie, as a share of all: above, a training is too short;
below, the rest of it was for nothing."""

RESAMPLES = 400


LEARNED = "nothing learned"
"""The topic of a winner that a simple model does not lose against."""

PERFECT = "nothing to gain"
"""The topic of a best training that has every row right."""

BEST_RATE = "learning rate"
"""The topic of where the best learning rate lies among the others."""

RANGES = "ranges"
"""The topic of a range that is to become another, as ranges always may."""


FAILED = "failures"
"""The topic of trials that came to nothing."""


@dataclass(frozen=True)
class Change:
    """A setting of the study file to change.

    Attributes:
        section: data, model, training or search.
        key: of the setting.
        value: the new one, as a study file has it.
    """

    section: str
    key: str
    value: Any


@dataclass(frozen=True)
class Recommendation:
    """Something that the trainings say.

    Attributes:
        topic: what it is about.
        sentence: what they say, with the numbers.
        changes: what it means for the next study; none where all is well.
        repair: whether the study as it is cannot learn, so that its other numbers mean little.
    """

    topic: str
    sentence: str
    changes: tuple[Change, ...] = ()
    repair: bool = False

    @property
    def asks(self) -> bool:
        """Whether all is not well: something is to be changed, or looked at."""
        return bool(self.changes) or self.topic in (LEARNED, PERFECT, FAILED)


def urgent(recommendations: Sequence[Recommendation]) -> list[Recommendation]:
    """The recommendations for a study's closing words: all that ask for more than other ranges.

    Args:
        recommendations: of `advise`.
    """
    return [r for r in recommendations if r.asks and r.topic != RANGES]


def advise(evidence: Evidence) -> tuple[Recommendation, ...]:
    """All recommendations, the repairs first; what a broken study says otherwise is left out.

    Args:
        evidence: the study's trainings.
    """
    failed = tuple(_failed(evidence))
    if not evidence.trained:
        none = "No trial is finished yet, so that there is nothing to say."
        return failed or (Recommendation("trials", none),)
    return (*failed, *_advice(evidence))


def _failed(evidence: Evidence) -> Iterator[Recommendation]:
    """How many trials came to nothing, and why most of them did."""
    if not evidence.failed:
        return
    count = len(evidence.failed)
    done = count + len(evidence.trained)
    why, _ = Counter(evidence.failed).most_common(1)[0]
    why = in_one_line(why if len(why) <= 200 else f"{why[:200]} ...")
    whole = f"{count} of {done} trials" if count < done else f"All {done} trials"
    whole = whole if done > 1 else "The only trial"
    often = " most often" if len(set(evidence.failed)) > 1 else ""
    yield Recommendation(
        FAILED, f"{whole} failed,{often} with: {why}. `hpsearch trials --state fail` shows them."
    )


def _advice(evidence: Evidence) -> tuple[Recommendation, ...]:
    """What the trainings that have a result say."""
    if perfect := [*_perfect(evidence)]:
        return tuple(perfect)
    faults = [*_faults(evidence)]
    if evidence.network and not any(r.repair for r in faults):
        faults += _rates(evidence)
    learned = [*_learned(evidence, faults)]
    if learned:  # where the best is no better than chance, its learning rate is no guide
        faults = [r for r in faults if r.repair or r.topic != BEST_RATE]
    recommendations = [*learned, *faults]
    if any(r.repair for r in recommendations):
        return tuple(recommendations)
    changed = {change.key for r in recommendations for change in r.changes}
    recommendations += [r for r in _ranges(evidence) if r.changes[0].key not in changed]
    recommendations += _effects(evidence)
    recommendations += [*_lengths(evidence), *_trials(evidence), *_seeds(evidence)]
    few = Recommendation("trials", f"{len(evidence.trained)} trainings are too few to say more.")
    return tuple(recommendations) or (few,)


def _perfect(evidence: Evidence) -> Iterator[Recommendation]:
    """Where every row is right no other setting is better, and the data are to be looked at."""
    named = [one for one in evidence.full if evidence.won(one)]
    measure, best = evidence.measure, evidence.measure.best
    if best is None or not evidence.study.objective.learns:
        return
    right = [one for one in evidence.full if one.known_score >= measure.score(best)]
    if not right or any(one not in right for one in named):
        return
    rows = f"all {evidence.validation:,} validation rows" if evidence.validation else "every row"
    does = f"label {rows} right"
    if measure.name != ACCURACY.name:
        does = f"have the best {measure.title} that there is"
    yield Recommendation(
        PERFECT,
        f"{len(right)} of {len(evidence.full)} full trainings {does}: nothing is left "
        "to gain by more trials or other ranges. Data may be as easy as that; but make sure that "
        "no column tells the label (`hpsearch check` looks for such), that no row is there twice, "
        "and that there are enough validation rows to tell settings apart.",
    )
    now = evidence.study.resource.full
    yield from (r for r in _lengths(evidence) if any(_full(c) < now for c in r.changes))


def _learned(evidence: Evidence, faults: Sequence[Recommendation]) -> Iterator[Recommendation]:
    """Whether the winner knows more than simple models do; if not, other numbers mean little."""
    if not evidence.reservations:
        return
    tried = len(evidence.trained)
    known = any(r.repair for r in faults)
    yield Recommendation(
        LEARNED,
        f"Nothing was learned: the best of {tried} trainings is "
        f"{' and '.join(evidence.reservations)}. "
        + (
            "What follows is wrong first of all."
            if known
            else "More trials of the same kind will not help. Look whether [data] target is the "
            "column that is meant, whether the columns say anything of it, and whether the "
            "learning rates are those at which `hpsearch check` sees the network learn."
        ),
        repair=True,
    )


def _faults(evidence: Evidence) -> Iterator[Recommendation]:
    """What was wrong with a good part of the trainings, each fault once."""
    total = len(evidence.trained)
    for name in ADVICE:
        hit = [one for one in evidence.trained if name in one.faults]
        if len(hit) < COMMON * total or name in RATES:
            continue
        worst = next(f for f in hit[-1].findings if f.name == name)
        changes = tuple(_changes(name, evidence, hit))
        yield Recommendation(
            name,
            f"{len(hit)} of {total} trainings: {name} ({worst.evidence}). "
            f"{_sentence(ADVICE[name])}",
            changes,
            repair=name in BROKEN and bool(changes) and len(hit) >= total / 2,
        )


BROKEN = {"inputs not scaled", "exploding gradients", "vanishing gradients", "dead ReLUs"}
"""Faults that hide all others."""

RATES = {"learning rate too high", "learning rate too low"}
"""Findings that are common at the ends of any range; `_rates` weighs them."""


def _changes(name: Name, evidence: Evidence, hit: Sequence[TrialRow]) -> Iterator[Change]:
    """How the study file would repair a fault."""
    study = evidence.study
    match name:
        case "inputs not scaled":
            yield from _without(evidence, "data", "preprocessing", {"none"}, "standardize")
        case "vanishing gradients":
            squashed = list(_without(evidence, "model", "activation", {"sigmoid"}, "relu"))
            yield from squashed
            bad = {"zeros", "small-random", "large-random"} | ({"xavier"} if squashed else set())
            yield from _without(evidence, "model", "initializer", bad, "he")
        case "exploding gradients" | "saturation":
            good = "he" if study.fixed_settings()["activation"] == "relu" else "xavier"
            yield from _without(evidence, "model", "initializer", {"large-random"}, good)
        case "dead ReLUs":
            if isinstance(study.model.bias, float) and study.model.bias < 0:
                yield Change("model", "bias", 0.0)
        case "l2 too high":
            used = (study.configuration(one.configuration)["l2"] for one in hit)
            most = min(float(cast("float", l2)) for l2 in used)
            yield Change("training", "l2", log_range(1e-6 * min(1.0, most), most / 10))
        case "overfitting":
            if isinstance(study.training.l2, float):
                yield Change("training", "l2", log_range(1e-5, 1e-1))
            if study.model.dropout == 0.0:
                yield Change("model", "dropout", {"low": 0.0, "high": 0.5})
        case "stopped too early" if study.training.patience is not None:
            yield Change("training", "patience", 3 * study.training.patience)


def _without(
    evidence: Evidence, section: str, key: str, bad: set[str], good: str
) -> Iterator[Change]:
    """A setting without its bad values: one of the choices that are left, or the good value."""
    setting = evidence.study.settings()[key]
    if isinstance(setting, Choices):
        kept = [choice for choice in setting.choices if choice not in bad]
        if len(kept) < len(setting.choices):
            yield Change(section, key, {"choices": kept} if len(kept) > 1 else (kept or [good])[0])
    elif setting in bad:
        yield Change(section, key, good)


def _rates(evidence: Evidence) -> Iterator[Recommendation]:
    """Where the learning rates lie that are too low, too high and best."""
    setting, total = evidence.study.training.learning_rate, len(evidence.trained)
    numbers: dict[int, float] = {}
    for one in evidence.trained:
        # Where a condition does not hold, the rate is a default that no range can move.
        fixed = setting if isinstance(setting, float) else None
        rate = one.configuration.get("learning_rate", fixed)
        if isinstance(rate, int | float):
            numbers[id(one)] = float(rate)
    those = [one for one in evidence.trained if id(one) in numbers]
    names: tuple[Name, Name] = ("learning rate too low", "learning rate too high")
    low = [numbers[id(one)] for one in those if _shows(one, names[0])]
    high = [numbers[id(one)] for one in those if _shows(one, names[1]) or one.state != "complete"]
    healthy = bool(evidence.full) and not evidence.full[0].faults  # whatever the others have
    for name, found in zip(names, (low, high), strict=True):
        if len(found) < total / 2 or healthy:
            continue
        bottom, top = min(numbers.values()), max(numbers.values())
        moved = (
            log_range(top, _within(top * SHIFT))
            if found is low
            else log_range(_within(bottom / SHIFT), bottom)
        )
        yield Recommendation(
            name,
            f"{len(found)} of {total} trainings: {name}, at rates from {min(found):.2g} to "
            f"{max(found):.2g}. {_sentence(ADVICE[name])}",
            (Change("training", "learning_rate", moved),),
            repair=True,
        )
        return
    if not evidence.full or not isinstance(setting, FloatRange):
        return
    best = numbers.get(id(evidence.full[0]))
    if best is None:
        return
    above = [rate for rate in high if rate > best]
    below = [rate for rate in low if rate < best]
    if above and min(above) < NEAR * best:
        yield Recommendation(
            BEST_RATE,
            f"The best learning rate, {best:.2g}, touches those that diverge (from "
            f"{min(above):.2g} on): a winner there may fail with another seed; look at the race.",
        )
    after = (max([setting.low, *below]), min([setting.high, *above]))
    useless = sum(rate <= after[0] for rate in below) + sum(rate >= after[1] for rate in above)
    if useless >= COMMON * total and after[0] < after[1]:
        yield Recommendation(
            BEST_RATE,
            f"{useless} of {total} trainings had a learning rate that was too low (up to "
            f"{after[0]:.2g}) or too high (from {after[1]:.2g} on): search between.",
            (Change("training", "learning_rate", log_range(*after)),),
        )


def _shows(one: TrialRow, name: Name) -> bool:
    """Whether this was found, be it a fault or a hint."""
    return any(finding.name == name for finding in one.findings)


def _ranges(evidence: Evidence) -> Iterator[Recommendation]:
    """Where the best trials lie in each range, by the rule that narrows a search's own stages."""
    space = evidence.study.search_space()
    distinct = (one.result for one in _distinct(evidence.trained))
    inside = [r for r in distinct if set(r.slot.configuration) <= set(space.parameters)]
    if not inside or not any(r.complete for r in inside):
        return
    _, changes = narrow([space], inside)
    for change in changes:
        if change.after != change.before:
            section = _section(evidence.study, change.parameter)
            yield Recommendation(
                RANGES,
                f"{change.parameter}: {change.reason.rstrip('.')}.",
                (Change(section, change.parameter, _setting(change.after)),),
            )


def _effects(evidence: Evidence) -> Iterator[Recommendation]:
    """How much each parameter matters by itself, as the report's model of the results has it."""
    beliefs = believe(evidence.study.search_space(), [one.result for one in evidence.trained])
    if beliefs is None:
        return
    best = evidence.full[0].configuration if evidence.full else {}
    found = effects(beliefs, best)
    if len(found) < 2:
        return
    shares = [f"{effect.parameter} {effect.share:.0%}" for effect in found if effect.share >= 0.01]
    little = [effect.parameter for effect in found if effect.share < 0.01]
    if little:
        shares.append(f"{listed(little)} less than 1%{' each' if len(little) > 1 else ''}")
    rest = sum(effect.share for effect in found) < 0.99
    yield Recommendation(
        "parameters",
        f"Of what a model of {len(beliefs.results)} results expects to vary over the space, each "
        f"parameter alone explains: {', '.join(shares)}."
        + (" The rest is in combinations." if rest else ""),
    )


def _lengths(evidence: Evidence) -> Iterator[Recommendation]:
    """Whether trials are too short or too long, from where the best steps of the best fall."""
    resource = evidence.study.resource
    epochs, unit = resource.full, resource.name
    one = unit.removesuffix("s") if evidence.network else "step"
    best = evidence.full[: max(3, len(evidence.full) // 4)]
    full = "full trainings" if evidence.study.objective.learns else "whole trials"
    found = [trial.best_epoch for trial in best if trial.best_epoch]
    if len(found) < 3 or not unit:
        return
    middle = median(found)
    improving = fmean(_shows(trial, "still improving") for trial in best)
    rising = f", and {improving:.0%} of them were still improving" if evidence.network else ""
    where = f"The best {len(found)} {full} had their best {one} at {middle:g} of {epochs} (median)"
    if middle >= LATE * epochs and (improving >= COMMON or not evidence.network):
        yield Recommendation(
            unit,
            f"{where}{rising}: train for longer.",
            (_as_long_as(evidence, 2 * epochs),),
        )
    elif middle <= EARLY * epochs:
        enough = max(1, math.ceil(1.25 * float(np.quantile(found, 0.9))))
        if enough < epochs:
            change = _as_long_as(evidence, enough)
            yield Recommendation(unit, f"{where}: {enough} {unit} would do.", (change,))
    else:
        yield Recommendation(unit, f"{where}: {epochs} {unit} are about right.")


def _as_long_as(evidence: Evidence, full: int) -> Change:
    """Trials of another length, as the study file says it."""
    if evidence.network:
        return Change("training", "epochs", full)
    resource = evidence.study.resource
    return Change("objective", "resource", {**resource._asdict(), "full": full})


def _full(change: Change) -> int:
    """The length that a change asks for."""
    value = change.value["full"] if isinstance(change.value, dict) else change.value
    return int(value)


def _trials(evidence: Evidence) -> Iterator[Recommendation]:
    """Whether more trials would find more: the best of half as many, by the bootstrap."""
    scores = np.array([one.known_score for one in _distinct(evidence.full)])
    if len(scores) < 4 or not evidence.validation or evidence.measure.name != ACCURACY.name:
        return  # of another metric no error is known from its value alone
    rng = np.random.default_rng(0)
    half = len(scores) // 2
    best_of = [rng.choice(scores, (RESAMPLES, n)).max(axis=1).mean() for n in (half, len(scores))]
    gain, best = float(best_of[1] - best_of[0]), float(scores.max())
    # Anybody can write to a database: a share is one only between 0 and 1.
    right = round(min(max(best, 0.0), 1.0) * evidence.validation)
    low, high = wilson_interval(right, evidence.validation)
    error = (high - low) / 4  # a standard error that is not zero where every row is right
    told = (
        f"The best of {half} configurations is {gain:.4f} below the best of {len(scores)} on "
        f"average, and a score of {best:.3f} on {evidence.validation} rows is known to "
        f"{error:.4f} (standard error)"
    )
    if gain > error:
        twice = 2 * evidence.study.search.trials
        yield Recommendation(
            "trials", f"{told}: more trials may find more.", (Change("search", "trials", twice),)
        )
    else:
        yield Recommendation("trials", f"{told}: there were enough trials.")


def _seeds(evidence: Evidence) -> Iterator[Recommendation]:
    """How much of the scores' variance is the seed's alone."""
    groups: dict[tuple[tuple[str, Value], ...], list[float]] = {}
    for one in evidence.full:
        groups.setdefault(configuration_key(one.configuration), []).append(one.known_score)
    again = [scores for scores in groups.values() if len(scores) > 1]
    freedom = sum(len(scores) - 1 for scores in again)
    if freedom < 3:
        return
    shown = evidence.measure.text
    within = sum(len(scores) * pvariance(scores) for scores in again) / freedom
    half = [one.known_score for one in evidence.full[: max(4, len(evidence.full) // 2)]]
    variance = pvariance(half) * len(half) / (len(half) - 1)
    share = within / variance if variance > 0 else 1.0
    beside = (
        f"{share:.0%} of the variance among the better half"
        if share < 1
        else "as much as the better half differ among themselves"
    )
    yield Recommendation(
        "seeds",
        f"Trained again with another seed a configuration's score moves by "
        f"{shown(math.sqrt(within))} (standard deviation, {len(again)} configurations), "
        f"{beside}: "
        + (
            "a single score says little, and the race over seeds decides."
            if share > 0.5
            else "most of the difference is the configurations' own."
        ),
    )


def _distinct(trained: Sequence[TrialRow]) -> list[TrialRow]:
    """The first training of each configuration: a race's are of the best few, again and again."""
    ordered = sorted(trained, key=lambda one: one.result.slot.place, reverse=True)
    return list({configuration_key(one.configuration): one for one in ordered}.values())


def _section(study: StudyFile, name: str) -> str:
    """The table of a study file that a setting stands in."""
    if name in study.space:
        return "space"
    tables = ("data", "model", "training")
    return next(table for table in tables if hasattr(getattr(study, table), name))


def _setting(parameter: Parameter) -> Any:
    """A parameter as a study file writes it."""
    if isinstance(parameter, Categorical):
        choices = list(parameter.choices)
        return {"choices": choices} if len(choices) > 1 else choices[0]
    if parameter.low == parameter.high:
        return parameter.low
    low, high = parameter.low, parameter.high
    if isinstance(parameter, Float):
        low, high = _rounded(parameter.low), _rounded(parameter.high)
    written: dict[str, Any] = {"low": low, "high": high}
    if parameter.log:
        written["log"] = True
    if parameter.step not in (None, 1):
        written["step"] = parameter.step
    return written


def log_range(low: float, high: float) -> dict[str, Any]:
    """A range on a logarithmic scale, as a study file writes it, its ends rounded."""
    return {"low": _rounded(low), "high": _rounded(high), "log": True}


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")


def _within(rate: float) -> float:
    limits = SETTINGS["learning_rate"].limits
    assert limits is not None
    return min(max(rate, limits[0]), limits[1])


def _sentence(clause: str) -> str:
    return f"{clause[0].upper()}{clause[1:]}."
